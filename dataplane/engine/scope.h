// SPDX-License-Identifier: BSD-2-Clause
// Which connections may be looked into at all: those of declared networks, ports and directions. Asked once, when a flow begins;
// one that is not in scope is passed by unread from its first byte, and counted.
#ifndef ENGINE_SCOPE_H
#define ENGINE_SCOPE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/prefix.h"

enum {
	SCOPE_MAX = 256,
};

enum scope_direction {
	SCOPE_IN = 1,  // the server is in the network
	SCOPE_OUT = 2, // the client is
};

struct scope_entry {
	struct prefix net;
	uint16_t port_lo, port_hi; // of the server
	uint16_t directions;       // enum scope_direction
};

struct scope {
	uint32_t n;
	struct scope_entry v[SCOPE_MAX];
};

static inline bool scope_holds(const struct scope *s, const uint8_t client[16],
			       const uint8_t server[16], uint16_t server_port)
{
	for (uint32_t i = 0; i < s->n; i++) {
		const struct scope_entry *e = &s->v[i];

		if (server_port < e->port_lo || server_port > e->port_hi)
			continue;
		if (((e->directions & SCOPE_IN) != 0 && prefix_holds(&e->net, server)) ||
		    ((e->directions & SCOPE_OUT) != 0 && prefix_holds(&e->net, client)))
			return true;
	}
	return false;
}

#endif

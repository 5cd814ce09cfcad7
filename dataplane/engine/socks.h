// SPDX-License-Identifier: BSD-2-Clause
// The hand-shake of SOCKS 4, 4a and 5 (RFC 1928, RFC 1929) in front of what a connection carries: passed over byte by byte, so that
// what follows it is judged as the first bytes of a connection are. Nothing of it is kept.
#ifndef ENGINE_SOCKS_H
#define ENGINE_SOCKS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/span.h"

// One direction of a connection. All zero: no hand-shake, or it is over.
struct socks_half {
	uint8_t state; // enum socks_state
	uint8_t left;  // bytes of the field in hand
	bool more;     // something follows that does not always: another reply, a domain
};

// Can these first bytes of a client be the beginning of a hand-shake?
static inline bool socks_begins(struct span first)
{
	return first.len > 0 && (first.data[0] == 4 || first.data[0] == 5);
}

// Both directions of a connection whose client begins with one.
void socks_begin(struct socks_half *ret_client, struct socks_half *ret_server);

static inline bool socks_active(const struct socks_half *h)
{
	return h->state != 0;
}

// Take the hand-shake's bytes from the front of *io_in. What is left there is behind it, or is none: then it is over as well.
void socks_skip(struct socks_half *h, struct span *io_in);

#endif

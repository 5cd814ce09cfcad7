// SPDX-License-Identifier: BSD-2-Clause
// What is kept of a client's address: all of it, its network, or a hash under a key of this installation.
#ifndef CONTROL_PRIVACY_H
#define CONTROL_PRIVACY_H

#include <stdint.h>

#include "common/diag.h"
#include "common/hit.h"

enum privacy_mode {
	PRIVACY_FULL,
	PRIVACY_TRUNCATED, // IPv4 to 24 bits, IPv6 to 48
	PRIVACY_HASHED, // the same address gives the same hash, which nobody without the key can turn back
};

struct privacy {
	enum privacy_mode mode;
	uint8_t key[32];
};

// The key is state_dir/client.key, made if it is not there and mode needs it. 0 or negative errno with ret_diag.
int privacy_open(struct privacy *p, enum privacy_mode mode, const char *state_dir,
		 struct diag *ret_diag);

// Of one address. A hash is an IPv6 address of the unique local range (fd00::/8), so that it goes wherever an address goes.
void privacy_hide(const struct privacy *p, uint8_t io_addr[16]);
// Of the client's in a hit or an event.
void privacy_hide_client(const struct privacy *p, struct hit_addr *io_addr);

#endif

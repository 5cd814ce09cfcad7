// SPDX-License-Identifier: BSD-2-Clause
// Address prefixes as an operator writes them: "192.0.2.0/24", "2001:db8::/32", or one address.
#ifndef COMMON_PREFIX_H
#define COMMON_PREFIX_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct prefix { // first and last address, IPv4 as ::ffff:a.b.c.d
	uint8_t lo[16], hi[16];
};

// 0 or -EINVAL.
int prefix_parse(const char *text, struct prefix *ret_prefix);

static inline bool prefix_holds(const struct prefix *p, const uint8_t addr[16])
{
	return memcmp(addr, p->lo, 16) >= 0 && memcmp(addr, p->hi, 16) <= 0;
}

static inline bool prefix_is_one(const struct prefix *p)
{
	return memcmp(p->lo, p->hi, 16) == 0;
}

#endif

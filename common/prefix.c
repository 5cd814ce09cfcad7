// SPDX-License-Identifier: BSD-2-Clause
// Bits behind the prefix length may be set in the text: they do not count.
#include "common/prefix.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

int prefix_parse(const char *text, struct prefix *ret_prefix)
{
	uint8_t addr[16] = {[10] = 0xff, [11] = 0xff};
	char copy[64];
	unsigned int most = 32, bits;

	if (snprintf(copy, sizeof(copy), "%s", text) >= (int)sizeof(copy))
		return -EINVAL;
	char *slash = strchr(copy, '/');
	if (slash != NULL)
		*slash = '\0';
	if (inet_pton(AF_INET, copy, addr + 12) != 1) {
		if (inet_pton(AF_INET6, copy, addr) != 1)
			return -EINVAL;
		most = 128;
	}
	bits = most;
	if (slash != NULL) {
		char *end;
		unsigned long n = strtoul(slash + 1, &end, 10);

		if (slash[1] < '0' || slash[1] > '9' || *end != '\0' || n > most)
			return -EINVAL;
		bits = (unsigned int)n;
	}
	bits += 128 - most;
	for (unsigned int i = 0; i < 16; i++) {
		unsigned int left = bits > 8 * i ? bits - 8 * i : 0;
		uint8_t mask = left >= 8 ? 0xff : (uint8_t)(0xff00 >> left);

		ret_prefix->lo[i] = addr[i] & mask;
		ret_prefix->hi[i] = addr[i] | (uint8_t)~mask;
	}
	return 0;
}

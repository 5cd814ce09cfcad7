// SPDX-License-Identifier: BSD-2-Clause
// A rule set image handed over in a memfd: is it really sealed, and as long as was said?
#ifndef DATAPLANE_OFFER_H
#define DATAPLANE_OFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/diag.h"
#include "common/ipc.h"

struct offer_map {
	void *data; // read-only
	size_t len;
	bool is_sealed; // nobody can change it any more
};

// Map the memfd of an offer read-only. Nobody may be able to change it any more: seals against write, grow, shrink
// and further seals are demanded before a byte is read. The fd stays the caller's.
// 0, -EPERM (not sealed), -EBADMSG (length), -EFBIG, other negative errno; ret_diag says what is wrong.
int offer_map(int fd, const struct ipc_ruleset_offer *offer, struct offer_map *ret_map,
	      struct diag *ret_diag);

// The same for an image in a file of the operator (--image): regular file, mapped privately.
int offer_map_file(const char *path, struct offer_map *ret_map, struct diag *ret_diag);

// Does nothing if data is NULL: the rule set has it.
void offer_unmap(struct offer_map *map);

#endif

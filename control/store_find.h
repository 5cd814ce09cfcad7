// SPDX-License-Identifier: BSD-2-Clause
// Which rows match a filter: their ids only.
#ifndef CONTROL_STORE_FIND_H
#define CONTROL_STORE_FIND_H

#include "control/store_impl.h"

struct store_found {
	uint64_t *ids; // ascending
	uint32_t n;
};

// 0 or negative errno; *ret_found is to be freed in either case.
int store_find(struct store *s, const struct store_filter *filter, struct store_found *ret_found);
void store_found_free(struct store_found *found);

// The table that has or had this id, NULL if there is none.
struct store_part *store_part_of(struct store *s, uint64_t id);

#endif

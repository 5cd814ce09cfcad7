// SPDX-License-Identifier: BSD-2-Clause
// Search for a handful of literals at once, the set of which changes while one searches.
//
// Each literal stands for three consecutive bytes of it and belongs to one of eight buckets. Six tables of sixteen bytes say
// which buckets may have a byte with this low and that high half at the first, second and third place; a shuffle looks
// sixteen bytes up at once (the idea of Hyperscan's Teddy). Adding a literal sets bits, which costs a few stores.
#ifndef ENGINE_TEDDY_H
#define ENGINE_TEDDY_H

#include <stddef.h>
#include <stdint.h>

enum {
	TEDDY_BUCKETS = 8,
	TEDDY_BYTES = 3,
	TEDDY_PAD = 34,    // bytes that are read behind the end
	TEDDY_PLACES = 96, // of one call
};

struct teddy {
	uint8_t lo[TEDDY_BYTES][16], hi[TEDDY_BYTES][16];
	// Entries with the bit of each bucket.
	uint8_t n_lo[TEDDY_BYTES][TEDDY_BUCKETS], n_hi[TEDDY_BYTES][TEDDY_BUCKETS];
};

// bytes: the next n (at most TEDDY_BYTES) bytes of the literal, in lower case when case does not matter; where there are fewer
// than three, anything may follow.
void teddy_add(struct teddy *t, unsigned int bucket, const uint8_t *bytes, size_t n, int nocase);

// The bucket, of those with n_in literals each, in which a literal adds the least to what has to be compared in vain.
unsigned int teddy_bucket(const struct teddy *t, const uint32_t n_in[TEDDY_BUCKETS],
			  const uint8_t *bytes, size_t n, int nocase);

// A place where literals of these buckets may stand.
struct teddy_place {
	uint32_t at;
	uint8_t buckets;
};

// The first such places in [from, to) of data, in order, at most TEDDY_PLACES. *ret_next: where to go on, `to` when there is nothing
// more. TEDDY_PAD bytes behind `to` must be readable; to is below 4 GiB.
uint32_t teddy_find(const struct teddy *t, const uint8_t *data, size_t from, size_t to,
		    struct teddy_place places[], size_t *ret_next);

#endif

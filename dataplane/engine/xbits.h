// SPDX-License-Identifier: BSD-2-Clause
// xbits: named bits of an address or of a pair of addresses that end by themselves. One table for all workers.
//
//   hash(name, address) -> bucket (one cache line): | tag, end | tag, end | ... 8 |      one 64-bit word each
//
// Shared words: every entry, written and read by all workers, relaxed: a bit says nothing about other memory. An entry changes by
// compare-and-exchange, so it is never torn; of two workers that set the same bit at once one may set it twice, which unset heeds.
// Named by a hash of the name, bits outlive the rule set that made them. Keyed: strangers cannot choose a bucket.
#ifndef ENGINE_XBITS_H
#define ENGINE_XBITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	XBITS_WAYS = 8,
	XBITS_ENTRIES =
		1
		<< 20, // 8 MiB: of a provider's addresses those that some rule noticed in the last minute
	XBITS_ENTRIES_OWN = 1 << 12, // of a pipeline that shares with no other
};

struct xbits;

// Memory for so many entries, a power of two of XBITS_WAYS or more; 0 if they are not.
size_t xbits_bytes(uint32_t entries);

// In zeroed memory of xbits_bytes(), aligned to 64, which the caller keeps and frees. Returns mem.
struct xbits *xbits_init(void *mem, uint32_t entries, const uint64_t key[2]);

// The entry of a bit: name as in rules/state.h; b NULL: of one address, else of the pair in either order.
uint64_t xbits_hash(const struct xbits *x, uint64_t name, const uint8_t a[16], const uint8_t b[16]);

// Time is in seconds, since when does not matter. A bit set at s for n seconds holds up to and including s + n.
bool xbits_isset(struct xbits *x, uint64_t hash, uint32_t now_s);
// True: another one that still held had to make room.
bool xbits_set(struct xbits *x, uint64_t hash, uint32_t now_s, uint32_t seconds);
void xbits_unset(struct xbits *x, uint64_t hash);

#endif

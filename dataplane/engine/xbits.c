// SPDX-License-Identifier: BSD-2-Clause
// An entry is tag << 32 | end; 0 is empty. A bit is set in the entry that has its tag, else in one that is empty or over, else in
// the one that would end first. 32 bits of tag in a bucket of eight: one foreign bit in 500 million questions.
#include "dataplane/engine/xbits.h"

#include <stdatomic.h>
#include <string.h>

#include "common/siphash.h"

enum {
	TRIES = 16, // of a set, when other workers change the same bucket
};

struct xbits {
	uint64_t key[2];
	uint32_t bucket_mask;
	_Alignas(64) _Atomic uint64_t entry[];
};

size_t xbits_bytes(uint32_t entries)
{
	if (entries < XBITS_WAYS || (entries & (entries - 1)) != 0)
		return 0;
	return sizeof(struct xbits) + (size_t)entries * sizeof(uint64_t);
}

struct xbits *xbits_init(void *mem, uint32_t entries, const uint64_t key[2])
{
	struct xbits *x = mem;

	memcpy(x->key, key, sizeof(x->key));
	x->bucket_mask = entries / XBITS_WAYS - 1;
	return x;
}

uint64_t xbits_hash(const struct xbits *x, uint64_t name, const uint8_t a[16], const uint8_t b[16])
{
	uint8_t key[40] = {0};

	memcpy(key, &name, 8);
	memcpy(key + 8, a, 16);
	if (b != NULL) {
		bool swap = memcmp(a, b, 16) > 0;

		memcpy(key + 8, swap ? b : a, 16);
		memcpy(key + 24, swap ? a : b, 16);
	}
	return siphash(x->key, key, sizeof(key));
}

static _Atomic uint64_t *bucket(struct xbits *x, uint64_t hash)
{
	return &x->entry[(size_t)((uint32_t)hash & x->bucket_mask) * XBITS_WAYS];
}

static bool has_tag(uint64_t entry, uint64_t hash)
{
	return entry != 0 && entry >> 32 == hash >> 32;
}

bool xbits_isset(struct xbits *x, uint64_t hash, uint32_t now_s)
{
	_Atomic uint64_t *e = bucket(x, hash);

	for (int i = 0; i < XBITS_WAYS; i++) {
		uint64_t v = atomic_load_explicit(&e[i], memory_order_relaxed);

		if (has_tag(v, hash) && (uint32_t)v >= now_s)
			return true;
	}
	return false;
}

bool xbits_set(struct xbits *x, uint64_t hash, uint32_t now_s, uint32_t seconds)
{
	_Atomic uint64_t *e = bucket(x, hash);
	uint32_t end = now_s > UINT32_MAX - seconds ? UINT32_MAX : now_s + seconds;
	uint64_t want = hash >> 32 << 32 | (end != 0 ? end : 1);

	for (int try = 0; try < TRIES; try++) {
		uint64_t old = 0, oldest = UINT64_MAX;
		int at = 0;

		for (int i = 0; i < XBITS_WAYS; i++) {
			uint64_t v = atomic_load_explicit(&e[i], memory_order_relaxed);
			// its own entry first, then what is over, then what ends first
			uint64_t rank = has_tag(v, hash)      ? 0
					: (uint32_t)v < now_s ? 1
							      : 2 + (v & UINT32_MAX);

			if (rank >= oldest)
				continue;
			oldest = rank;
			old = v;
			at = i;
		}
		if (atomic_compare_exchange_strong_explicit(
			    &e[at], &old, want, memory_order_relaxed, memory_order_relaxed))
			return oldest >= 2;
	}
	return false; // others were faster every time: theirs are newer
}

void xbits_unset(struct xbits *x, uint64_t hash)
{
	_Atomic uint64_t *e = bucket(x, hash);

	for (int i = 0; i < XBITS_WAYS; i++) {
		uint64_t v = atomic_load_explicit(&e[i], memory_order_relaxed);

		if (has_tag(v, hash)) // another worker's change of it in between may win
			atomic_compare_exchange_strong_explicit(&e[i], &v, 0, memory_order_relaxed,
								memory_order_relaxed);
	}
}

// SPDX-License-Identifier: BSD-2-Clause
// Pages rather than powers of two: a window of 8 MiB and a little would otherwise cost 16.
#include "dataplane/engine/arena.h"

#include <assert.h>
#include <string.h>

static uint32_t pages_of(size_t bytes)
{
	size_t pages = bytes / ARENA_PAGE_BYTES + (bytes % ARENA_PAGE_BYTES != 0);

	return pages < UINT32_MAX ? (uint32_t)pages : UINT32_MAX;
}

static uint32_t heap_pages(size_t n_bytes)
{
	return (pages_of(n_bytes) + 63) & ~(uint32_t)63;
}

size_t arena_memory(size_t n_bytes)
{
	size_t pages = heap_pages(n_bytes);

	return pages * ARENA_PAGE_BYTES + pages * sizeof(uint32_t) + pages / 8;
}

void arena_init(struct arena *a, void *mem, size_t n_bytes)
{
	uint32_t pages = heap_pages(n_bytes);
	uint8_t *at = mem;

	*a = (struct arena){.base = at, .n_pages = pages};
	at += (size_t)pages * ARENA_PAGE_BYTES;
	a->used = (uint64_t *)(void *)at;
	a->run = (uint32_t *)(void *)(at + pages / 8);
	memset(at, 0, pages / 8 + pages * sizeof(uint32_t));
}

// The first page at or behind from whose bit is value; n_pages: none.
static uint32_t page_find(const struct arena *a, uint32_t from, int value)
{
	while (from < a->n_pages) {
		uint64_t word = a->used[from / 64];

		word = (value != 0 ? word : ~word) >> (from % 64);
		if (word != 0)
			return from + (uint32_t)__builtin_ctzll(word);
		from = (from / 64 + 1) * 64;
	}
	return a->n_pages;
}

static void pages_set(struct arena *a, uint32_t from, uint32_t n, int value)
{
	while (n > 0) {
		uint32_t bit = from % 64, k = 64 - bit < n ? 64 - bit : n;
		uint64_t mask = (k == 64 ? UINT64_MAX : (UINT64_C(1) << k) - 1) << bit;

		if (value != 0)
			a->used[from / 64] |= mask;
		else
			a->used[from / 64] &= ~mask;
		from += k;
		n -= k;
	}
}

void *arena_alloc(struct arena *a, size_t size)
{
	uint32_t n = pages_of(size > 0 ? size : 1);
	uint32_t room = a->n_pages - a->used_pages;
	uint32_t at;

	if (n > room || (n >= ARENA_LARGE_PAGES && room - n < a->n_pages / 4))
		goto refuse;
	at = page_find(a, a->first_free, 0);
	a->first_free = at;
	while (at < a->n_pages) {
		uint32_t end = page_find(a, at, 1);

		if (end - at >= n) {
			pages_set(a, at, n, 1);
			a->run[at] = n;
			a->used_pages += n;
			a->n_runs++;
			return a->base + (size_t)at * ARENA_PAGE_BYTES;
		}
		at = page_find(a, end, 0);
	}
refuse:
	a->refused++;
	return NULL;
}

void arena_free(struct arena *a, void *p)
{
	uint32_t at;

	if (p == NULL)
		return;
	at = (uint32_t)((size_t)((uint8_t *)p - a->base) / ARENA_PAGE_BYTES);
	assert(at < a->n_pages && a->run[at] > 0);
	pages_set(a, at, a->run[at], 0);
	a->used_pages -= a->run[at];
	a->n_runs--;
	a->run[at] = 0;
	if (at < a->first_free)
		a->first_free = at;
}

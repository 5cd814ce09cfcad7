// SPDX-License-Identifier: BSD-2-Clause
// A bounded heap in memory the caller owns, for libraries that insist on allocating: runs of pages, first fit.
//
//   base   | page | page | page | ...        run[i]: pages of the run that begins at page i, 0 elsewhere
//   used   one bit per page
//
// One worker uses it. Finding room looks at n_pages / 64 words at most (64 MiB: 256 words).
#ifndef ENGINE_ARENA_H
#define ENGINE_ARENA_H

#include <stddef.h>
#include <stdint.h>

enum {
	ARENA_PAGE_BYTES = 4096,
	// A run of this many pages or more must leave a quarter of the heap to the others.
	ARENA_LARGE_PAGES = (1 << 20) / ARENA_PAGE_BYTES,
};

struct arena {
	uint8_t *base;
	uint64_t *used;
	uint32_t *run;
	uint32_t n_pages; // a multiple of 64
	uint32_t used_pages;
	uint32_t n_runs;     // allocations not freed yet
	uint32_t refused;    // allocations that found no room, ever
	uint32_t first_free; // no page before it is free
};

// Bytes arena_init() needs for n_bytes of heap, its own tables included.
size_t arena_memory(size_t n_bytes);

// mem: arena_memory(n_bytes), 64-byte aligned. The heap itself is not touched.
void arena_init(struct arena *a, void *mem, size_t n_bytes);

// Page-aligned, content undefined; NULL: no room. size 0 counts as 1.
void *arena_alloc(struct arena *a, size_t size);

// NULL is accepted.
void arena_free(struct arena *a, void *p);

#endif

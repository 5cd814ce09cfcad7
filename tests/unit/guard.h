// SPDX-License-Identifier: BSD-2-Clause
// Bytes that end at a page nobody may read: the first byte read too far is a crash, with any compiler.
#ifndef TESTS_UNIT_GUARD_H
#define TESTS_UNIT_GUARD_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct guard {
	uint8_t *map;
	size_t bytes; // readable, in front of the forbidden page
	size_t used;  // of them, at the end, by the bytes put last
};

// room: the most bytes that will be put, padding included.
static inline void guard_init(struct guard *g, size_t room)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	g->bytes = (room / page + 1) * page;
	g->used = 0;
	g->map = mmap(NULL, g->bytes + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		      -1, 0);
	assert(g->map != MAP_FAILED);
	assert(mprotect(g->map + g->bytes, page, PROT_NONE) == 0);
}

static inline void guard_done(struct guard *g)
{
	munmap(g->map, g->bytes + (size_t)sysconf(_SC_PAGESIZE));
}

// A copy of data with exactly pad readable bytes behind it. What was put before is overwritten with rubbish, so that
// a pointer kept into it shows. The result is valid until the next call; data may be NULL if len is 0.
static inline const uint8_t *guard_put(struct guard *g, const void *data, size_t len, size_t pad)
{
	uint8_t *at = g->map + g->bytes - pad - len;

	assert(len + pad <= g->bytes);
	memset(g->map + g->bytes - g->used, 0xa5, g->used);
	if (len > 0)
		memcpy(at, data, len);
	memset(at + len, 0xa5, pad);
	g->used = len + pad;
	return at;
}

#endif

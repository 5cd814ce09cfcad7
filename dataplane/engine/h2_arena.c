// SPDX-License-Identifier: BSD-2-Clause
// Size classes 2^k and 3 * 2^(k-1) from 32 bytes on, a list of free blocks per class, and chunks that new blocks are cut
// from. A dynamic table frees what it allocated first, so lists are short and blocks are used again; no block is ever
// split or joined. In front of each block stand eight bytes with its class.
#include "dataplane/engine/h2_arena.h"

enum {
	BLOCK_HEADER = 8,
	BLOCK_MIN = 32,
};

static uint32_t class_bytes(uint32_t class)
{
	uint32_t power = (uint32_t)BLOCK_MIN << class / 2;

	return (class & 1) != 0 ? power + power / 2 : power;
}

static uint32_t class_of(size_t bytes)
{
	uint32_t class = 0;

	while (class < H2_ARENA_CLASSES && class_bytes(class) < bytes)
		class ++;
	return class;
}

static void *block_new(struct h2_arena *a, uint32_t class)
{
	uint32_t bytes = class_bytes(class);
	uint8_t *block;

	if (bytes > H2_CHUNK_BYTES)
		return NULL;
	if (a->n_chunks == 0 || H2_CHUNK_BYTES - a->used < bytes) {
		uint8_t *chunk = a->n_chunks < H2_CHUNKS_MAX ? pool_get(a->chunks) : NULL;

		if (chunk == NULL)
			return NULL;
		a->chunk[a->n_chunks++] = chunk;
		a->used = 0;
	}
	block = a->chunk[a->n_chunks - 1] + a->used;
	a->used += bytes;
	memcpy(block, &class, sizeof(class));
	return block;
}

static void *arena_malloc(size_t size, void *user)
{
	struct h2_arena *a = user;
	uint32_t class = size < H2_CHUNK_BYTES ? class_of(size + BLOCK_HEADER) : H2_ARENA_CLASSES;
	uint8_t *block = NULL;

	if (class < H2_ARENA_CLASSES && a->free[class] == NULL)
		block = block_new(a, class);
	// With no room left, a larger free block does.
	for (; block == NULL && class < H2_ARENA_CLASSES; class ++) {
		if (a->free[class] == NULL)
			continue;
		block = a->free[class];
		memcpy(&a->free[class], block + BLOCK_HEADER, sizeof(void *));
	}
	if (block == NULL) {
		a->refused = 1;
		return NULL;
	}
	return block + BLOCK_HEADER;
}

static void arena_free(void *ptr, void *user)
{
	struct h2_arena *a = user;
	uint8_t *block;
	uint32_t class;

	if (ptr == NULL)
		return;
	block = (uint8_t *)ptr - BLOCK_HEADER;
	memcpy(&class, block, sizeof(class));
	assert(class < H2_ARENA_CLASSES);
	memcpy(block + BLOCK_HEADER, &a->free[class], sizeof(void *));
	a->free[class] = block;
}

static void *arena_calloc(size_t n, size_t size, void *user)
{
	void *ptr;

	if (n != 0 && size > H2_CHUNK_BYTES / n)
		return NULL;
	ptr = arena_malloc(n * size, user);
	if (ptr != NULL)
		memset(ptr, 0, n * size);
	return ptr;
}

static void *arena_realloc(void *ptr, size_t size, void *user)
{
	uint32_t class;
	size_t had;
	void *moved;

	if (ptr == NULL)
		return arena_malloc(size, user);
	memcpy(&class, (uint8_t *)ptr - BLOCK_HEADER, sizeof(class));
	had = class_bytes(class) - BLOCK_HEADER;
	if (size <= had)
		return ptr;
	moved = arena_malloc(size, user);
	if (moved == NULL)
		return NULL;
	memcpy(moved, ptr, had);
	arena_free(ptr, user);
	return moved;
}

void h2_arena_init(struct h2_arena *a, struct pool *chunks)
{
	*a = (struct h2_arena){
		.mem = {a, arena_malloc, arena_free, arena_calloc, arena_realloc},
		.chunks = chunks,
	};
}

void h2_arena_done(struct h2_arena *a)
{
	for (uint32_t i = 0; i < a->n_chunks; i++)
		pool_put(a->chunks, a->chunk[i]);
	a->n_chunks = 0;
}

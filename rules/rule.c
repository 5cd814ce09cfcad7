// SPDX-License-Identifier: BSD-2-Clause
// Memory of a rule set: a chunked bump allocator. Nothing is freed on its own, everything goes with
// the set.
//
// Invariant: the first chunk of the list is the one being filled; its fill never exceeds its size.
#include "rules/rule.h"

#include <stdlib.h>

#include "rules/list_make.h"

enum {
	ARENA_CHUNK_BYTES = 256 << 10, // a 14,000-rule set takes about 10 MB: some 40 chunks
	ARENA_ALIGN = 8,
	ARENA_BYTES_MAX = 1 << 30, // of one allocation
};

struct arena_chunk {
	struct arena_chunk *next;
	size_t size, fill;
	_Alignas(16) uint8_t data[];
};

struct arena {
	struct arena_chunk *chunks;
};

static struct arena_chunk *chunk_new(size_t need)
{
	size_t size = need > ARENA_CHUNK_BYTES ? need : ARENA_CHUNK_BYTES;
	struct arena_chunk *chunk;

	chunk = calloc(1, sizeof(*chunk) + size);
	if (chunk != NULL)
		chunk->size = size;
	return chunk;
}

void *rules_alloc(struct rules *rs, size_t size)
{
	struct arena_chunk *chunk;
	void *p;

	if (size > ARENA_BYTES_MAX)
		return NULL;
	size = (size + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
	if (rs->arena == NULL) {
		rs->arena = calloc(1, sizeof(*rs->arena));
		if (rs->arena == NULL)
			return NULL;
	}
	chunk = rs->arena->chunks;
	if (chunk == NULL || chunk->size - chunk->fill < size) {
		chunk = chunk_new(size);
		if (chunk == NULL)
			return NULL;
		chunk->next = rs->arena->chunks;
		rs->arena->chunks = chunk;
	}
	p = chunk->data + chunk->fill;
	chunk->fill += size;
	return p;
}

void rules_done(struct rules *rs)
{
	if (rs->arena != NULL) {
		struct arena_chunk *chunk = rs->arena->chunks;

		while (chunk != NULL) {
			struct arena_chunk *next = chunk->next;

			free(chunk);
			chunk = next;
		}
		free(rs->arena);
	}
	for (uint32_t i = 0; i < rs->n_lists; i++) {
		if (rs->lists[i].entries != NULL)
			list_maker_done(rs->lists[i].entries);
		free(rs->lists[i].entries);
	}
	free(rs->lists);
	free(rs->v);
	*rs = (struct rules){0};
}

const char *rule_keyword_at(const struct rule *r, uint32_t column)
{
	static const char *const names[] = {
		[RULE_CONTENT] = "content",
		[RULE_PCRE] = "pcre",
		[RULE_SIZE] = "bsize",
		[RULE_DATA_AT] = "isdataat",
		[RULE_BYTE_TEST] = "byte_test",
		[RULE_BYTE_JUMP] = "byte_jump",
		[RULE_BYTE_EXTRACT] = "byte_extract",
		[RULE_BYTE_MATH] = "byte_math",
		[RULE_BASE64] = "base64_decode",
	};
	const struct rule_match *best = NULL;

	for (uint32_t i = 0; i < r->n_matches; i++) {
		const struct rule_match *m = &r->matches[i];

		if (m->column <= column && (best == NULL || m->column > best->column))
			best = m;
	}
	if (best == NULL || best->type >= sizeof(names) / sizeof(names[0]))
		return "";
	return names[best->type] != NULL ? names[best->type] : "";
}

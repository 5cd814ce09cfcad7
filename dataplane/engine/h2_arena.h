// SPDX-License-Identifier: BSD-2-Clause
// Memory of one HTTP/2 connection for libnghttp2's header decompression: its two dynamic tables and the field it is
// reading. Bounded, from a pool of the worker, given back in one piece.
#ifndef ENGINE_H2_ARENA_H
#define ENGINE_H2_ARENA_H

#include <nghttp2/nghttp2.h>
#include <stdbool.h>

#include "dataplane/engine/pool.h"

enum {
	// Huffman-coded values are given twice their length: values of up to 16 KiB fit, servers take 4 to 8 KiB.
	H2_CHUNK_BYTES = 32 << 10,
	// An entry of a table takes about 200 bytes besides its text, where RFC 7541 4.1 counts 32: two tables of
	// 64 KiB fit unless their entries are all but empty. Nearly all connections stay at 4 KiB: one chunk.
	H2_CHUNKS_MAX = 24,
	H2_ARENA_CLASSES = 22,
};

// Must not move: libnghttp2 keeps a pointer to mem.
struct h2_arena {
	nghttp2_mem mem;
	struct pool *chunks; // of H2_CHUNK_BYTES
	uint8_t *chunk[H2_CHUNKS_MAX];
	void *free[H2_ARENA_CLASSES]; // lists, by size class
	uint32_t n_chunks;
	uint32_t used;   // bytes of the last chunk
	uint8_t refused; // an allocation was
};

void h2_arena_init(struct h2_arena *a, struct pool *chunks);

// Everything allocated from it is gone.
void h2_arena_done(struct h2_arena *a);

#endif

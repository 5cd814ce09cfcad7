// SPDX-License-Identifier: BSD-2-Clause
// IP fragments put together, IPv4 and IPv6, as Linux does: pieces in any order; what was received first stays; a
// piece that overlaps others in part, a second end or more than 65,535 bytes discard the whole datagram.
//
//   key -> chain of a keyed hash -> datagram -> up to 32 blocks of 2 KiB by position, with a bit per 8 bytes
//
// All memory is given at the start. A datagram lives 5 s (Linux: 30; it need not wait here, and memory is the sensor's).
// One source holds 64 at most, then its oldest goes; when all are taken, the oldest of a random source goes.
#ifndef ENGINE_FRAG_H
#define ENGINE_FRAG_H

#include "dataplane/engine/pkt.h"
#include "dataplane/engine/pool.h"

enum {
	FRAG_LIFE_S = 5,
	FRAG_PER_SOURCE = 64,
	FRAG_BLOCK_BYTES = 2048,
	FRAG_DATAGRAM_MAX = 65536,
	FRAG_BLOCKS_MAX = FRAG_DATAGRAM_MAX / FRAG_BLOCK_BYTES,
	FRAG_SOURCES = 1024, // slots; sources are hashed into them
	FRAG_CHAIN_MAX = 8,
};

struct frag_datagram;

// Datagrams of sources that share a slot, oldest first.
struct frag_source {
	uint32_t oldest, newest; // pool index or POOL_NONE
	uint32_t pieces;         // ever seen
	uint32_t n;
};

struct frag_table {
	struct pool datagrams, blocks;
	struct frag_source *sources;
	uint32_t *chains; // hash -> pool index or POOL_NONE
	uint8_t *whole;   // the datagram that was completed last
	uint32_t chain_mask;
	uint32_t oldest, newest; // of all
	uint64_t hash_key, random;
	struct counters *counters;
};

// Bytes for so many datagrams, a power of two, and as many blocks.
size_t frag_table_bytes(uint32_t datagrams);

// mem: of the caller, 64-byte aligned, frag_table_bytes() of it.
void frag_table_init(struct frag_table *t, void *mem, uint32_t datagrams, uint64_t hash_key,
		     struct counters *counters);

// Take a piece. *ret_data is the whole datagram if it completes one, and *io_piece its first piece then; the bytes are
// good until the next call, and so are PIPELINE_TAIL_BYTES behind them.
bool frag_take(struct frag_table *t, struct pkt_fragment *io_piece, uint64_t now_ns,
	       struct span *ret_data, bool *ret_conflict);

// What to do when pkt_parse() said CNT_PKT_FRAGMENT: take the piece, and parse the datagram if it is whole with it.
// CNT_PKT_TCP and *ret_pkt, whose payload is in the table's memory, see frag_take(); CNT_PKT_FRAGMENT for a piece that
// completes nothing; or why the datagram is refused.
enum counter frag_packet(struct frag_table *t, const struct pkt_conf *c, const struct frame *f,
			 struct pkt_fragment *io_piece, uint64_t now_ns, struct pkt *ret_pkt);

// Give up what is too old, at most budget datagrams.
void frag_expire(struct frag_table *t, uint64_t now_ns, unsigned int budget);

// Give up everything: end of input.
void frag_flush(struct frag_table *t);

#endif

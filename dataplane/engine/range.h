// SPDX-License-Identifier: BSD-2-Clause
// Pieces of one resource in several 206 responses, joined for hashing without keeping a byte of them.
//
// A hash needs the bytes in order. What is kept per resource is the hash state behind the bytes that came in order, and
// which other bytes have been seen. A piece that begins where the state ends (or before) carries it on; any other is
// partial. A resource is the same one if server, host, target, total length and validator are; the client does not matter.
//
//     hashed                  seen, not hashed
//   |=========|        |------|     |---|            total
//             ^ only a piece that covers this byte is hashed
//
// One table per worker: pieces that two workers see are not joined. Entries are few, of a fixed size, and leave when
// nothing has come for RANGE_IDLE_NS or when a newer one needs their place.
#ifndef ENGINE_RANGE_H
#define ENGINE_RANGE_H

#include <stdbool.h>

#include "common/counters.h"
#include "common/span.h"

enum {
	RANGE_WAYS = 8,      // places an entry can be in
	RANGE_INTERVALS = 8, // remembered per resource; a piece that needs one more is forgotten
};

#define RANGE_IDLE_NS   (UINT64_C(120) * 1000000000)
#define RANGE_NO_LENGTH UINT64_MAX

// Content-Range: bytes first-last/total
struct range {
	uint64_t first, last; // inclusive
	uint64_t total;       // RANGE_NO_LENGTH: "*"
};

// What makes a resource. validator: ETag or else Last-Modified; empty if there is neither.
struct range_resource {
	const uint8_t *server; // 16 bytes, IPv4 mapped
	uint16_t port;
	struct span host, target, validator;
};

enum range_verdict {
	RANGE_ALONE,   // not to be joined: it is the whole resource, or its length is unknown
	RANGE_JOINS,   // it begins the resource or carries it on: hash from skip on
	RANGE_PARTIAL, // it cannot be joined (counted)
};

struct range_entry {
	uint64_t key[2];
	uint64_t total;
	uint64_t hashed; // bytes from the beginning that state stands for
	uint64_t last_ns;
	void *state; // NULL: none, or lent out
	struct {
		uint64_t from, to; // to is excluded
	} seen[RANGE_INTERVALS];   // sorted, apart
	uint8_t n_seen;
	bool used;
	bool busy; // a piece that carries it on is in progress
};

struct range_table {
	struct range_entry *entries;
	uint32_t n_sets; // of RANGE_WAYS, a power of two
	uint32_t n_used;
	uint64_t seed;
	struct counters *counters;
};

// A piece in progress. All zero: none.
struct range_piece {
	struct range_entry *entry; // NULL unless it joins
	struct range range;
	uint64_t skip; // bytes at its front that were hashed before
};

// 0; -EBADMSG: cannot be read; -ENOENT: "*/length", no bytes follow. White space and case do not matter.
int range_parse(struct span value, struct range *ret_range);

// Is the piece all of its resource, as far as anybody says?
static inline bool range_is_all(const struct range *r)
{
	return r->total == RANGE_NO_LENGTH || (r->first == 0 && r->last + 1 == r->total);
}

// Memory for about n resources.
size_t range_memory(uint32_t n);
void range_init(struct range_table *t, void *mem, uint32_t n, uint64_t seed,
		struct counters *counters);

// A piece begins. RANGE_JOINS: *io_state, the fresh hash state that the caller has, is exchanged for the one to go on with
// if there is one. Feed it with the piece's bytes from piece->skip on, and call range_end(). Otherwise *io_state stays, and
// range_end() need not be called. In every case *ret_freed is a state that is not needed any more (the fresh one, or that
// of an entry that had to leave) or NULL: it goes back to where states come from.
enum range_verdict range_begin(struct range_table *t, const struct range_resource *resource,
			       const struct range *range, uint64_t now_ns, void **io_state,
			       void **ret_freed, struct range_piece *ret_piece);

// The piece has ended after bytes of it. broken: some were missing in it, or decoding failed; the state is of no use then.
// True: the resource is complete, the state stands for all of it and remains the caller's. False: if *io_state is NULL
// now, the table keeps it, else it goes back to where it came from.
bool range_end(struct range_table *t, struct range_piece *piece, uint64_t bytes, bool broken,
	       uint64_t now_ns, void **io_state);

// States of entries that have been idle, one per call; NULL: no more of them. now_ns UINT64_MAX: all that are not busy. Looks
// at budget entries at most, from *io_at on, which goes round.
void *range_expire(struct range_table *t, uint64_t now_ns, uint32_t budget, uint32_t *io_at);

// Entries in use.
uint32_t range_in_use(const struct range_table *t);

#endif

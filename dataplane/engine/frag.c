// SPDX-License-Identifier: BSD-2-Clause
// Two bits per 8 bytes of a datagram: received, and "a run begins here". A run is what Linux keeps as one: pieces that
// each began where the last one of all ended, or a single piece that came in between. A piece inside one run is a
// duplicate; one that touches received bytes in any other way overlaps. (net/ipv4/inet_fragment.c of Linux 6.)
//
// Invariants: a live datagram is in one chain, in the list of all and in its source's list, and has a block at least;
// lists are in order of creation.
#include "dataplane/engine/frag.h"

#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

enum {
	UNIT_BYTES = 8,
	BLOCK_UNITS = FRAG_BLOCK_BYTES / UNIT_BYTES,
	FAR_APART = 64, // net.ipv4.ipfrag_max_dist
	NOTHING_WRONG = COUNTER_N,
};

struct link {
	uint32_t older, newer;
};

struct frag_datagram {
	struct pkt_fragment first; // its key from the start, the rest with the piece at offset 0
	uint64_t born_ns;
	struct link all, source;
	uint32_t chain_next;
	uint32_t hash, slot;
	uint32_t len;      // end of the highest piece; the datagram's when has_last
	uint32_t tail_end; // end of the piece that was put last behind all others
	uint32_t units;    // received
	uint32_t pieces;   // of its source when its last piece came
	bool has_last, is_conflict, is_far;
	uint32_t block[FRAG_BLOCKS_MAX]; // pool index or POOL_NONE
};

struct block {
	uint64_t seen[BLOCK_UNITS / 64], run[BLOCK_UNITS / 64];
	uint8_t data[FRAG_BLOCK_BYTES];
};

static size_t up64(size_t n)
{
	return (n + 63) & ~(size_t)63;
}

static size_t datagram_bytes(void)
{
	return up64(sizeof(struct frag_datagram));
}

size_t frag_table_bytes(uint32_t datagrams)
{
	return datagrams * (datagram_bytes() + up64(sizeof(struct block))) +
	       up64(datagrams * sizeof(uint32_t)) + FRAG_SOURCES * sizeof(struct frag_source) +
	       FRAG_DATAGRAM_MAX + PIPELINE_TAIL_BYTES;
}

void frag_table_init(struct frag_table *t, void *mem, uint32_t datagrams, uint64_t hash_key,
		     struct counters *counters)
{
	uint8_t *p = mem;

	*t = (struct frag_table){
		.chain_mask = datagrams - 1,
		.oldest = POOL_NONE,
		.newest = POOL_NONE,
		.hash_key = hash_key,
		.random = hash_key | 1,
		.counters = counters,
	};
	pool_init(&t->datagrams, p, datagrams, (uint32_t)datagram_bytes());
	p += datagrams * datagram_bytes();
	pool_init(&t->blocks, p, datagrams, (uint32_t)up64(sizeof(struct block)));
	p += datagrams * up64(sizeof(struct block));
	t->sources = (struct frag_source *)(void *)p;
	p += FRAG_SOURCES * sizeof(struct frag_source);
	t->chains = (uint32_t *)(void *)p;
	p += up64(datagrams * sizeof(uint32_t));
	t->whole = p;
	memset(t->chains, 0xff, datagrams * sizeof(uint32_t));
	for (unsigned int i = 0; i < FRAG_SOURCES; i++)
		t->sources[i] = (struct frag_source){.oldest = POOL_NONE, .newest = POOL_NONE};
}

// ---- finding, making and losing datagrams ----

static struct frag_datagram *at(const struct frag_table *t, uint32_t i)
{
	return pool_at(&t->datagrams, i);
}

// Put at the end of a list of which ends are given. which: offset of the link in a datagram.
#define LIST_APPEND(t, d, which, oldest, newest)                                                   \
	do {                                                                                       \
		uint32_t i_ = pool_index(&(t)->datagrams, (d));                                    \
		(d)->which = (struct link){.older = (newest), .newer = POOL_NONE};                 \
		if ((newest) != POOL_NONE)                                                         \
			at((t), (newest))->which.newer = i_;                                       \
		else                                                                               \
			(oldest) = i_;                                                             \
		(newest) = i_;                                                                     \
	} while (0)

#define LIST_REMOVE(t, d, which, oldest, newest)                                                   \
	do {                                                                                       \
		if ((d)->which.older != POOL_NONE)                                                 \
			at((t), (d)->which.older)->which.newer = (d)->which.newer;                 \
		else                                                                               \
			(oldest) = (d)->which.newer;                                               \
		if ((d)->which.newer != POOL_NONE)                                                 \
			at((t), (d)->which.newer)->which.older = (d)->which.older;                 \
		else                                                                               \
			(newest) = (d)->which.older;                                               \
	} while (0)

static void chain_remove(struct frag_table *t, const struct frag_datagram *d)
{
	uint32_t *link = &t->chains[d->hash & t->chain_mask];
	uint32_t index = pool_index(&t->datagrams, d);

	while (*link != index)
		link = &at(t, *link)->chain_next;
	*link = d->chain_next;
}

static void drop(struct frag_table *t, struct frag_datagram *d, unsigned int why)
{
	struct frag_source *s = &t->sources[d->slot];

	chain_remove(t, d);
	LIST_REMOVE(t, d, all, t->oldest, t->newest);
	LIST_REMOVE(t, d, source, s->oldest, s->newest);
	s->n--;
	for (unsigned int i = 0; i < FRAG_BLOCKS_MAX; i++)
		if (d->block[i] != POOL_NONE)
			pool_put(&t->blocks, pool_at(&t->blocks, d->block[i]));
	pool_put(&t->datagrams, d);
	t->counters->v[why]++;
	t->counters->v[CNT_FRAG_ACTIVE]--;
}

static bool is_old(const struct frag_datagram *d, uint64_t now_ns)
{
	return now_ns > d->born_ns && now_ns - d->born_ns > FRAG_LIFE_S * UINT64_C(1000000000);
}

void frag_expire(struct frag_table *t, uint64_t now_ns, unsigned int budget)
{
	while (budget-- > 0 && t->oldest != POOL_NONE && is_old(at(t, t->oldest), now_ns))
		drop(t, at(t, t->oldest), CNT_FRAG_TIMEOUT);
}

void frag_flush(struct frag_table *t)
{
	while (t->oldest != POOL_NONE)
		drop(t, at(t, t->oldest), CNT_FRAG_SHUTDOWN);
}

// The oldest of a random source but keep itself: a flood of few sources hits its own datagrams first.
static bool evict(struct frag_table *t, const struct frag_datagram *keep)
{
	uint32_t slot;

	t->random ^= t->random << 13;
	t->random ^= t->random >> 7;
	t->random ^= t->random << 17;
	slot = (uint32_t)(t->random >> 32);
	for (unsigned int i = 0; i < FRAG_SOURCES; i++) {
		const struct frag_source *s = &t->sources[(slot + i) % FRAG_SOURCES];
		uint32_t victim = s->oldest;

		if (victim != POOL_NONE && at(t, victim) == keep)
			victim = keep->source.newer;
		if (victim != POOL_NONE) {
			drop(t, at(t, victim), CNT_FRAG_EVICTED);
			return true;
		}
	}
	return false;
}

// In the chain of the key, which never grows beyond FRAG_CHAIN_MAX: a keyed hash makes that rare, not a rule.
static struct frag_datagram *find(struct frag_table *t, const struct pkt_fragment *p, uint32_t hash)
{
	uint32_t i = t->chains[hash & t->chain_mask];
	struct frag_datagram *d = NULL;
	unsigned int n = 0;

	for (; i != POOL_NONE; i = d->chain_next, n++) {
		d = at(t, i);
		if (memcmp(&d->first, p, PKT_FRAGMENT_KEY_BYTES) == 0)
			return d;
	}
	if (n >= FRAG_CHAIN_MAX)
		drop(t, d, CNT_FRAG_EVICTED);
	return NULL;
}

static struct frag_datagram *make(struct frag_table *t, const struct pkt_fragment *p, uint32_t hash,
				  uint32_t slot, uint64_t now_ns)
{
	struct frag_source *s = &t->sources[slot];
	struct frag_datagram *d;

	if (s->n >= FRAG_PER_SOURCE)
		drop(t, at(t, s->oldest), CNT_FRAG_SOURCE_FULL);
	d = pool_get(&t->datagrams);
	if (d == NULL && evict(t, NULL))
		d = pool_get(&t->datagrams);
	if (d == NULL)
		return NULL;
	memset(d, 0, sizeof(*d));
	memset(d->block, 0xff, sizeof(d->block));
	memcpy(&d->first, p, PKT_FRAGMENT_KEY_BYTES);
	d->born_ns = now_ns;
	d->hash = hash;
	d->slot = slot;
	d->pieces = s->pieces;
	d->chain_next = t->chains[hash & t->chain_mask];
	t->chains[hash & t->chain_mask] = pool_index(&t->datagrams, d);
	LIST_APPEND(t, d, all, t->oldest, t->newest);
	LIST_APPEND(t, d, source, s->oldest, s->newest);
	s->n++;
	t->counters->v[CNT_FRAG_DATAGRAMS]++;
	t->counters->v[CNT_FRAG_ACTIVE]++;
	return d;
}

// ---- positions ----

static struct block *block_of(const struct frag_table *t, const struct frag_datagram *d,
			      uint32_t unit)
{
	uint32_t i = d->block[unit / BLOCK_UNITS];

	return i != POOL_NONE ? pool_at(&t->blocks, i) : NULL;
}

static bool bit(const uint64_t *words, uint32_t unit)
{
	return (words[unit % BLOCK_UNITS / 64] >> unit % 64 & 1) != 0;
}

static void bit_set(uint64_t *words, uint32_t unit)
{
	words[unit % BLOCK_UNITS / 64] |= UINT64_C(1) << unit % 64;
}

enum place {
	PLACE_FREE,
	PLACE_DUPLICATE,
	PLACE_OVERLAP,
};

// What is known of units [from, to)?
static enum place look(const struct frag_table *t, const struct frag_datagram *d, uint32_t from,
		       uint32_t to)
{
	uint32_t seen = 0;
	bool crosses_runs = false;

	for (uint32_t u = from; u < to; u++) {
		const struct block *b = block_of(t, d, u);

		if (b == NULL) {
			u |= BLOCK_UNITS - 1; // on to the next block
			continue;
		}
		seen += bit(b->seen, u);
		crosses_runs |= u > from && bit(b->run, u);
	}
	if (seen == 0)
		return PLACE_FREE;
	return seen == to - from && !crosses_runs ? PLACE_DUPLICATE : PLACE_OVERLAP;
}

// Blocks for units [from, to). False: there are none left, and none to take away from others.
static bool blocks_get(struct frag_table *t, struct frag_datagram *d, uint32_t from, uint32_t to)
{
	for (uint32_t i = from / BLOCK_UNITS; i <= (to - 1) / BLOCK_UNITS; i++) {
		struct block *b;

		if (d->block[i] != POOL_NONE)
			continue;
		b = pool_get(&t->blocks);
		if (b == NULL && evict(t, d))
			b = pool_get(&t->blocks);
		if (b == NULL)
			return false;
		memset(b->seen, 0, sizeof(b->seen));
		memset(b->run, 0, sizeof(b->run));
		d->block[i] = pool_index(&t->blocks, b);
	}
	return true;
}

// Bytes at offset, block by block: copied in, or compared with what is there.
static bool bytes_put(const struct frag_table *t, const struct frag_datagram *d, uint32_t offset,
		      struct span s, bool compare)
{
	while (s.len > 0) {
		struct block *b = block_of(t, d, offset / UNIT_BYTES);
		uint32_t at_byte = offset % FRAG_BLOCK_BYTES;
		size_t n = FRAG_BLOCK_BYTES - at_byte;

		if (n > s.len)
			n = s.len;
		if (!compare)
			memcpy(b->data + at_byte, s.data, n);
		else if (memcmp(b->data + at_byte, s.data, n) != 0)
			return false;
		offset += (uint32_t)n;
		s = span_from(s, n);
	}
	return true;
}

// ---- a piece ----

// What the end of a piece says about the end of the datagram; the counter of what is wrong with it.
static unsigned int end_check(struct frag_datagram *d, const struct pkt_fragment *p, uint32_t end)
{
	if (!p->more) {
		if (end < d->len || (d->has_last && end != d->len))
			return CNT_FRAG_BAD_END;
		d->has_last = true;
		d->len = end;
	} else if (end > d->len) {
		if (d->has_last)
			return CNT_FRAG_BAD_END;
		d->len = end;
	}
	if (end == p->offset)
		return CNT_FRAG_BAD_END;
	return end > UINT16_MAX ? CNT_FRAG_TOO_LONG : NOTHING_WRONG;
}

// The counter of why the datagram is to go.
static unsigned int piece_put(struct frag_table *t, struct frag_datagram *d,
			      const struct pkt_fragment *p, uint32_t end)
{
	uint32_t from = p->offset / UNIT_BYTES, to = (end + UNIT_BYTES - 1) / UNIT_BYTES;
	struct span data = span_first(p->data, end - p->offset);

	switch (look(t, d, from, to)) {
	case PLACE_OVERLAP:
		return CNT_FRAG_OVERLAP;
	case PLACE_DUPLICATE:
		t->counters->v[CNT_FRAG_DUPLICATE]++;
		if (!bytes_put(t, d, p->offset, data, true)) {
			t->counters->v[CNT_FRAG_CONFLICT]++;
			d->is_conflict = true;
		}
		return NOTHING_WRONG;
	default:
		break;
	}
	if (!blocks_get(t, d, from, to))
		return CNT_FRAG_EVICTED;
	bytes_put(t, d, p->offset, data, false);
	for (uint32_t u = from; u < to; u++)
		bit_set(block_of(t, d, u)->seen, u);
	if (p->offset != d->tail_end || d->units == 0)
		bit_set(block_of(t, d, from)->run, from);
	if (end > d->tail_end)
		d->tail_end = end;
	d->units += to - from;
	if (p->offset == 0)
		d->first = *p;
	return NOTHING_WRONG;
}

// Too many pieces of others in between: Linux would begin anew. It may be the sensor that lost packets, or a host with
// another limit, so it is only counted.
static void distance_count(struct frag_table *t, struct frag_datagram *d)
{
	struct frag_source *s = &t->sources[d->slot];

	s->pieces++;
	if (d->units > 0 && !d->is_far && s->pieces - d->pieces > FAR_APART) {
		d->is_far = true;
		t->counters->v[CNT_FRAG_FAR]++;
	}
	d->pieces = s->pieces;
}

static struct span assemble(struct frag_table *t, const struct frag_datagram *d)
{
	for (uint32_t at_byte = 0; at_byte < d->len; at_byte += FRAG_BLOCK_BYTES) {
		uint32_t n = d->len - at_byte;

		memcpy(t->whole + at_byte, block_of(t, d, at_byte / UNIT_BYTES)->data,
		       n < FRAG_BLOCK_BYTES ? n : FRAG_BLOCK_BYTES);
	}
	return span_of(t->whole, d->len);
}

bool frag_take(struct frag_table *t, struct pkt_fragment *io_piece, uint64_t now_ns,
	       struct span *ret_data, bool *ret_conflict)
{
	uint32_t hash =
		(uint32_t)XXH3_64bits_withSeed(io_piece, PKT_FRAGMENT_KEY_BYTES, t->hash_key);
	uint32_t slot =
		(uint32_t)XXH3_64bits_withSeed(io_piece->src, sizeof(io_piece->src), t->hash_key) %
		FRAG_SOURCES;
	uint32_t end = io_piece->offset + (uint32_t)io_piece->data.len;
	struct frag_datagram *d = find(t, io_piece, hash);
	unsigned int wrong;
	uint32_t units;

	if (io_piece->more)
		end &= ~(uint32_t)(UNIT_BYTES - 1); // IPv4 hosts leave the rest out
	if (d != NULL && is_old(d, now_ns)) {
		drop(t, d, CNT_FRAG_TIMEOUT);
		d = NULL;
	}
	if (d == NULL)
		d = make(t, io_piece, hash, slot, now_ns);
	if (d == NULL)
		return false;
	distance_count(t, d);
	units = d->units;
	wrong = end_check(d, io_piece, end);
	if (wrong == NOTHING_WRONG)
		wrong = piece_put(t, d, io_piece, end);
	if (wrong != NOTHING_WRONG) {
		drop(t, d, wrong);
		return false;
	}
	// A duplicate completes nothing, even if it is the first to say where the end is: Linux looks when it adds a piece.
	if (d->units == units || !d->has_last || d->units != (d->len + UNIT_BYTES - 1) / UNIT_BYTES)
		return false;
	if (d->first.head_len + d->len > UINT16_MAX) {
		drop(t, d, CNT_FRAG_TOO_LONG);
		return false;
	}
	*ret_data = assemble(t, d);
	*ret_conflict = d->is_conflict;
	*io_piece = d->first;
	drop(t, d, CNT_FRAG_DONE);
	return true;
}

enum counter frag_packet(struct frag_table *t, const struct pkt_conf *c, const struct frame *f,
			 struct pkt_fragment *io_piece, uint64_t now_ns, struct pkt *ret_pkt)
{
	enum counter verdict = CNT_PKT_FRAGMENT;
	bool conflict, any_conflict = false;
	struct pkt_fragment first;
	struct span data;

	// A whole datagram may hold a piece of another, one tunnel deeper each time.
	while (verdict == CNT_PKT_FRAGMENT && frag_take(t, io_piece, now_ns, &data, &conflict)) {
		any_conflict |= conflict;
		first = *io_piece;
		verdict = pkt_parse_datagram(c, f, &first, data, ret_pkt, io_piece);
	}
	if (verdict == CNT_PKT_TCP)
		ret_pkt->has_conflict = any_conflict;
	return verdict;
}

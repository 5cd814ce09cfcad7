// SPDX-License-Identifier: BSD-2-Clause
// One open window per rule and tracked thing, in buckets of eight:
//
//   hash(key) -> bucket: | entry | entry | ... 8 |      entry = key, begin of the window, hits in it
//
// Invariants:
//   - a key is in at most one entry, and that is in the bucket of its hash;
//   - a bucket that is full makes room: an entry whose window is over goes first, else the one whose window began first,
//     and that one is counted as evicted;
//   - between begin and its end every entry that changes is saved before, so that rollback restores the table exactly.
#include "common/threshold.h"

#include <errno.h>
#include <string.h>

#include "common/siphash.h"

struct threshold_key {
	uint32_t gid, sid;
	uint8_t who[32]; // addresses, or boot and flow
	uint32_t track;
	uint32_t used; // 1: so an empty entry has no key
};
static_assert(sizeof(struct threshold_key) == 48, "no padding: it is hashed and compared as bytes");

struct threshold_entry {
	struct threshold_key key;
	uint64_t begin_ns;
	uint32_t seconds; // as at the last hit, for eviction
	uint32_t hits;    // in the window; "threshold" begins anew after a report
};
static_assert(sizeof(struct threshold_entry) == 64, "one cache line");

struct threshold_undo {
	uint32_t at; // in entries
	uint32_t pad;
	struct threshold_entry old;
};

struct threshold {
	uint64_t seed[2];
	uint32_t bucket_mask;
	bool in_transaction;
	uint32_t n_undo;
	struct threshold_totals totals, totals_at_begin;
	struct threshold_undo undo[THRESHOLD_UNDO_MAX];
	struct threshold_entry entries[];
};

static const char *const type_names[THRESHOLD_TYPE_N] = {
	[THRESHOLD_NONE] = "none",
	[THRESHOLD_LIMIT] = "limit",
	[THRESHOLD_THRESHOLD] = "threshold",
	[THRESHOLD_BOTH] = "both",
	[THRESHOLD_FILTER] = "detection_filter",
};

static const char *const track_names[THRESHOLD_TRACK_N] = {
	[THRESHOLD_BY_SRC] = "by_src",   [THRESHOLD_BY_DST] = "by_dst",
	[THRESHOLD_BY_BOTH] = "by_both", [THRESHOLD_BY_RULE] = "by_rule",
	[THRESHOLD_BY_FLOW] = "by_flow",
};

const char *threshold_type_name(unsigned int type)
{
	return type < THRESHOLD_TYPE_N ? type_names[type] : NULL;
}

const char *threshold_track_name(unsigned int track)
{
	return track < THRESHOLD_TRACK_N ? track_names[track] : NULL;
}

size_t threshold_bytes(uint32_t entries)
{
	if (entries < THRESHOLD_WAYS || entries > THRESHOLD_ENTRIES_MAX ||
	    (entries & (entries - 1)) != 0)
		return 0;
	return sizeof(struct threshold) + (size_t)entries * sizeof(struct threshold_entry);
}

int threshold_init(void *mem, size_t bytes, uint32_t entries,
		   const uint8_t seed[THRESHOLD_SEED_BYTES], struct threshold **ret_table)
{
	struct threshold *t = mem;
	size_t need = threshold_bytes(entries);

	if (need == 0 || bytes < need || (uintptr_t)mem % 8 != 0)
		return -EINVAL;
	memset(t, 0, need);
	memcpy(t->seed, seed, sizeof(t->seed));
	t->bucket_mask = entries / THRESHOLD_WAYS - 1;
	*ret_table = t;
	return 0;
}

static uint64_t hash_of(const struct threshold *t, const struct threshold_key *key)
{
	return siphash(t->seed, key, sizeof(*key));
}

static struct threshold_key key_of(const struct threshold_params *p, const uint8_t boot_id[16],
				   const struct hit *hit)
{
	struct threshold_key k = {.gid = hit->gid, .sid = hit->sid, .track = p->track, .used = 1};
	bool swap = memcmp(hit->addr.src, hit->addr.dst, 16) > 0;

	switch (p->track) {
	case THRESHOLD_BY_SRC:
		memcpy(k.who, hit->addr.src, 16);
		break;
	case THRESHOLD_BY_DST:
		memcpy(k.who, hit->addr.dst, 16);
		break;
	case THRESHOLD_BY_BOTH:
		memcpy(k.who, swap ? hit->addr.dst : hit->addr.src, 16);
		memcpy(k.who + 16, swap ? hit->addr.src : hit->addr.dst, 16);
		break;
	case THRESHOLD_BY_FLOW:
		if (boot_id != NULL)
			memcpy(k.who, boot_id, 16);
		memcpy(k.who + 16, &hit->flow_id, sizeof(hit->flow_id));
		break;
	}
	return k;
}

static uint64_t later(uint64_t ns, uint32_t seconds)
{
	uint64_t sum = ns + (uint64_t)seconds * 1000000000u;

	return sum < ns ? UINT64_MAX : sum;
}

// Does a window of this begin and length hold ts?
static bool holds(uint64_t begin_ns, uint32_t seconds, uint64_t ts_ns)
{
	return ts_ns <= later(begin_ns, seconds) && begin_ns <= later(ts_ns, seconds);
}

// The entry of key, or the one in its bucket that is to become it.
static struct threshold_entry *find(struct threshold *t, const struct threshold_key *key,
				    uint64_t now_ns)
{
	struct threshold_entry *e =
		&t->entries[(hash_of(t, key) & t->bucket_mask) * THRESHOLD_WAYS];
	struct threshold_entry *room = e;
	bool room_is_free = false;

	for (int i = 0; i < THRESHOLD_WAYS; i++, e++) {
		bool is_free = e->key.used == 0 || !holds(e->begin_ns, e->seconds, now_ns);

		if (memcmp(&e->key, key, sizeof(*key)) == 0)
			return e;
		if (is_free ? !room_is_free : !room_is_free && e->begin_ns < room->begin_ns)
			room = e;
		room_is_free |= is_free;
	}
	return room;
}

static void save(struct threshold *t, const struct threshold_entry *e)
{
	if (!t->in_transaction)
		return;
	assert(t->n_undo < THRESHOLD_UNDO_MAX);
	t->undo[t->n_undo++] = (struct threshold_undo){.at = (uint32_t)(e - t->entries), .old = *e};
}

static bool is_reported(const struct threshold_params *p, struct threshold_entry *e)
{
	switch (p->type) {
	case THRESHOLD_LIMIT:
		return e->hits <= p->count;
	case THRESHOLD_THRESHOLD:
		if (e->hits < p->count)
			return false;
		e->hits = 0;
		return true;
	case THRESHOLD_BOTH:
		return e->hits == p->count;
	default: // THRESHOLD_FILTER
		return e->hits > p->count;
	}
}

enum threshold_verdict threshold_check(struct threshold *t, const struct threshold_params *p,
				       const uint8_t boot_id[16], const struct hit *hit)
{
	struct threshold_key key;
	struct threshold_entry *e;

	assert(threshold_is_valid(p));
	if (p->type == THRESHOLD_NONE)
		return THRESHOLD_REPORT;
	key = key_of(p, boot_id, hit);
	e = find(t, &key, hit->ts_ns);
	save(t, e);
	if (memcmp(&e->key, &key, sizeof(key)) != 0) {
		t->totals.evicted +=
			e->key.used != 0 && hit->ts_ns <= later(e->begin_ns, e->seconds);
		*e = (struct threshold_entry){.key = key, .begin_ns = hit->ts_ns};
	}
	if (!holds(e->begin_ns, p->seconds, hit->ts_ns)) {
		e->begin_ns = hit->ts_ns;
		e->hits = 0;
	}
	e->seconds = p->seconds;
	if (e->hits < UINT32_MAX)
		e->hits++;
	if (!is_reported(p, e)) {
		t->totals.suppressed++;
		return THRESHOLD_SUPPRESS;
	}
	t->totals.reported++;
	return THRESHOLD_REPORT;
}

void threshold_begin(struct threshold *t)
{
	t->in_transaction = true;
	t->n_undo = 0;
	t->totals_at_begin = t->totals;
}

void threshold_commit(struct threshold *t)
{
	t->in_transaction = false;
}

void threshold_rollback(struct threshold *t)
{
	if (!t->in_transaction)
		return;
	while (t->n_undo > 0) { // backwards: the oldest state of an entry is restored last
		t->n_undo--;
		t->entries[t->undo[t->n_undo].at] = t->undo[t->n_undo].old;
	}
	t->totals = t->totals_at_begin;
	t->in_transaction = false;
}

struct threshold_totals threshold_totals(const struct threshold *t)
{
	return t->totals;
}

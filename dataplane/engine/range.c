// SPDX-License-Identifier: BSD-2-Clause
// A small set-associative table. An entry is found by 128 bits of a keyed hash over everything that makes the resource; what
// it was made of is not kept.
#include "dataplane/engine/range.h"

#include <errno.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

// ---- Content-Range ----

static void space_skip(struct span *s)
{
	while (s->len > 0 && (s->data[0] == ' ' || s->data[0] == '\t'))
		*s = span_from(*s, 1);
}

// Digits; at most 18, so that sums do not overflow.
static bool number_take(struct span *s, uint64_t *ret)
{
	uint64_t v = 0;
	size_t n = 0;

	space_skip(s);
	for (; n < s->len && s->data[n] >= '0' && s->data[n] <= '9'; n++) {
		if (n == 18)
			return false;
		v = v * 10 + (uint64_t)(s->data[n] - '0');
	}
	*s = span_from(*s, n);
	*ret = v;
	return n > 0;
}

static bool byte_take(struct span *s, uint8_t c)
{
	space_skip(s);
	if (s->len == 0 || s->data[0] != c)
		return false;
	*s = span_from(*s, 1);
	return true;
}

int range_parse(struct span value, struct range *ret_range)
{
	struct range r = {.total = RANGE_NO_LENGTH};
	struct span s = value;

	space_skip(&s);
	if (!span_eq_nocase(span_first(s, 5), SPAN_LIT("bytes")))
		return -EBADMSG;
	s = span_from(s, 5);
	if (!byte_take(&s, '='))
		byte_take(&s, ':');
	if (byte_take(&s, '*'))
		return byte_take(&s, '/') && number_take(&s, &r.total) ? -ENOENT : -EBADMSG;
	if (!number_take(&s, &r.first) || !byte_take(&s, '-') || !number_take(&s, &r.last) ||
	    !byte_take(&s, '/'))
		return -EBADMSG;
	if (!byte_take(&s, '*') && !number_take(&s, &r.total))
		return -EBADMSG;
	if (r.last < r.first || r.last >= r.total)
		return -EBADMSG;
	*ret_range = r;
	return 0;
}

// ---- table ----

static uint32_t sets_of(uint32_t n)
{
	uint32_t sets = 1;

	while (sets * RANGE_WAYS < n && sets < 1u << 20)
		sets *= 2;
	return sets;
}

size_t range_memory(uint32_t n)
{
	return (size_t)sets_of(n) * RANGE_WAYS * sizeof(struct range_entry);
}

void range_init(struct range_table *t, void *mem, uint32_t n, uint64_t seed,
		struct counters *counters)
{
	t->entries = mem;
	t->n_sets = sets_of(n);
	t->n_used = 0;
	t->seed = seed;
	t->counters = counters;
	memset(mem, 0, range_memory(n));
}

static void part_hash(XXH3_state_t *h, struct span s)
{
	const uint64_t len = s.len;

	XXH3_128bits_update(h, &len, sizeof(len));
	if (s.len > 0)
		XXH3_128bits_update(h, s.data, s.len);
}

static void key_make(const struct range_table *t, const struct range_resource *r, uint64_t total,
		     uint64_t ret_key[2])
{
	XXH3_state_t h;
	XXH128_hash_t got;

	XXH3_INITSTATE(&h);
	XXH3_128bits_reset_withSeed(&h, t->seed);
	XXH3_128bits_update(&h, r->server, 16);
	XXH3_128bits_update(&h, &r->port, sizeof(r->port));
	XXH3_128bits_update(&h, &total, sizeof(total));
	part_hash(&h, r->host);
	part_hash(&h, r->target);
	part_hash(&h, r->validator);
	got = XXH3_128bits_digest(&h);
	ret_key[0] = got.low64;
	ret_key[1] = got.high64;
}

// The entry of key, or the place for it: a free one, or else the one that has been idle for longest. NULL: all are busy.
static struct range_entry *entry_find(struct range_table *t, const uint64_t key[2])
{
	struct range_entry *set = t->entries + (key[0] & (t->n_sets - 1)) * RANGE_WAYS;
	struct range_entry *best = NULL;

	for (struct range_entry *e = set; e < set + RANGE_WAYS; e++) {
		if (e->used && e->key[0] == key[0] && e->key[1] == key[1])
			return e;
		if (e->busy || (best != NULL && !best->used))
			continue;
		if (best == NULL || !e->used || e->last_ns < best->last_ns)
			best = e;
	}
	return best;
}

static void entry_begin(struct range_table *t, struct range_entry *e, const uint64_t key[2],
			uint64_t total, void **ret_freed)
{
	if (e->used) {
		t->counters->v[CNT_RANGE_EVICTED]++;
		*ret_freed = e->state;
		t->n_used--;
	}
	t->n_used++;
	memset(e, 0, sizeof(*e));
	e->used = true;
	e->key[0] = key[0];
	e->key[1] = key[1];
	e->total = total;
}

// Bytes from up to, not including, to have been seen.
static void seen_add(struct range_entry *e, uint64_t from, uint64_t to)
{
	unsigned int i = 0, n;

	while (i < e->n_seen && e->seen[i].to < from)
		i++;
	n = i;
	while (n < e->n_seen && e->seen[n].from <= to) { // touches
		from = e->seen[n].from < from ? e->seen[n].from : from;
		to = e->seen[n].to > to ? e->seen[n].to : to;
		n++;
	}
	if (n == i && e->n_seen == RANGE_INTERVALS)
		return;
	memmove(e->seen + i + 1, e->seen + n, (e->n_seen - n) * sizeof(e->seen[0]));
	e->n_seen = (uint8_t)(e->n_seen + 1 - (n - i));
	e->seen[i].from = from;
	e->seen[i].to = to;
}

static bool all_seen(const struct range_entry *e)
{
	return e->n_seen == 1 && e->seen[0].from == 0 && e->seen[0].to >= e->total;
}

enum range_verdict range_begin(struct range_table *t, const struct range_resource *resource,
			       const struct range *range, uint64_t now_ns, void **io_state,
			       void **ret_freed, struct range_piece *ret_piece)
{
	struct range_entry *e;
	uint64_t key[2];

	*ret_freed = NULL;
	*ret_piece = (struct range_piece){.range = *range};
	t->counters->v[CNT_RANGE_PIECES]++;
	if (range_is_all(range))
		return RANGE_ALONE;
	key_make(t, resource, range->total, key);
	e = entry_find(t, key);
	if (e == NULL) {
		t->counters->v[CNT_RANGE_PARTIAL]++;
		return RANGE_PARTIAL;
	}
	if (!e->used || e->key[0] != key[0] || e->key[1] != key[1])
		entry_begin(t, e, key, range->total, ret_freed);
	e->last_ns = now_ns;
	if (e->busy || range->first > e->hashed || range->last < e->hashed) {
		bool before = all_seen(e);

		seen_add(e, range->first, range->last + 1);
		t->counters->v[CNT_RANGE_PARTIAL]++;
		if (!before && all_seen(e))
			t->counters->v[CNT_RANGE_COVERED]++;
		return RANGE_PARTIAL;
	}
	if (e->state != NULL) {
		*ret_freed = *io_state; // a known entry: nothing else was freed
		*io_state = e->state;
		e->state = NULL;
	}
	e->busy = true;
	ret_piece->entry = e;
	ret_piece->skip = e->hashed - range->first;
	return RANGE_JOINS;
}

bool range_end(struct range_table *t, struct range_piece *piece, uint64_t bytes, bool broken,
	       uint64_t now_ns, void **io_state)
{
	struct range_entry *e = piece->entry;
	uint64_t end = piece->range.first + bytes;

	piece->entry = NULL;
	if (e == NULL)
		return false;
	e->busy = false;
	e->last_ns = now_ns;
	if (broken || bytes > piece->range.last - piece->range.first + 1) {
		t->counters->v[CNT_RANGE_PARTIAL]++;
		e->hashed = 0;
		return false;
	}
	if (bytes > piece->skip)
		e->hashed = end;
	if (bytes > 0)
		seen_add(e, piece->range.first, end);
	if (e->hashed == e->total) {
		t->counters->v[CNT_RANGE_JOINED]++;
		t->n_used--;
		memset(e, 0, sizeof(*e));
		return true;
	}
	e->state = *io_state;
	*io_state = NULL;
	return false;
}

void *range_expire(struct range_table *t, uint64_t now_ns, uint32_t budget, uint32_t *io_at)
{
	const uint32_t n = t->n_sets * RANGE_WAYS;

	for (; budget > 0 && t->n_used > 0; budget--) {
		struct range_entry *e = &t->entries[*io_at % n];
		void *state;

		*io_at = (*io_at + 1) % n;
		if (!e->used || e->busy ||
		    (now_ns != UINT64_MAX && now_ns < e->last_ns + RANGE_IDLE_NS))
			continue;
		state = e->state;
		t->n_used--;
		memset(e, 0, sizeof(*e));
		if (state != NULL)
			return state;
	}
	return NULL;
}

uint32_t range_in_use(const struct range_table *t)
{
	return t->n_used;
}

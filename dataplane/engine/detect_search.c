// SPDX-License-Identifier: BSD-2-Clause
// The set of all watches of one stream that look for an anchor: one pass over the new bytes finds where one may stand
// (engine/teddy.h), and there the literals of its bucket are compared, eight bytes of each at once.
#include "dataplane/engine/detect_impl.h"
#include "dataplane/engine/find.h"

#include <string.h>

enum {
	COST_CANDIDATE = 4, // in bytes scanned
};

struct watchset *search_set(struct detect *d, struct inspect *in, enum detect_stream s)
{
	struct watchset *set;

	if (in->set[s] != NULL)
		return in->set[s];
	set = pool_get(d->watchsets);
	if (set == NULL)
		return NULL;
	memset(set, 0, sizeof(*set));
	set->due = UINT64_MAX;
	for (int i = 0; i < TEDDY_BUCKETS; i++)
		set->bucket[i] = POOL_NONE;
	in->set[s] = set;
	return set;
}

// Where the three bytes begin that an anchor is searched for by.
static uint32_t rare_of(const struct link *l)
{
	return l->rare + TEDDY_BYTES <= l->len ? l->rare : 0;
}

void search_add(struct detect *d, struct inspect *in, struct watch *w, const struct link *l,
		enum detect_stream s)
{
	struct watchset *set = in->set[s];
	const uint32_t rare = rare_of(l);
	uint8_t word[8] = {0}, mask[8] = {0}, fold[8] = {0};

	for (uint32_t i = 0; i < 8 && rare + i < l->len; i++) {
		const uint8_t c = l->needle[rare + i];

		mask[i] = 0xff;
		fold[i] = l->nocase && c >= 'a' && c <= 'z' ? 0x20 : 0;
		word[i] = c;
	}
	memcpy(&w->word, word, 8);
	memcpy(&w->mask, mask, 8);
	memcpy(&w->fold, fold, 8);
	w->bucket = (uint8_t)teddy_bucket(&set->teddy, set->n_in, l->needle + rare, l->len - rare,
					  l->nocase);
	w->next_in_bucket = set->bucket[w->bucket];
	set->bucket[w->bucket] = pool_index(d->watches, w);
	teddy_add(&set->teddy, w->bucket, l->needle + rare, l->len - rare, l->nocase);
	set->n_in[w->bucket]++;
	set->n_searched++;
	if (l->len > set->longest)
		set->longest = l->len;
}

// Take the bits of watches that are gone out of the tables.
static void search_renew(struct detect *d, struct inspect *in, enum detect_stream s)
{
	struct watchset *set = in->set[s];

	set->n_stale = 0;
	memset(&set->teddy, 0, sizeof(set->teddy));
	for (unsigned int b = 0; b < TEDDY_BUCKETS; b++) {
		for (uint32_t k = set->bucket[b]; k != POOL_NONE;) {
			const struct watch *w = pool_at(d->watches, k);
			const struct link *l = watch_link(in, pool_at(d->actives, w->active), w, s);
			const uint32_t rare = rare_of(l);

			k = w->next_in_bucket;
			teddy_add(&set->teddy, b, l->needle + rare, l->len - rare, l->nocase);
		}
	}
}

void search_remove(struct detect *d, struct inspect *in, struct watch *w, enum detect_stream s)
{
	struct watchset *set = in->set[s];
	uint32_t *at;

	if (w->bucket == WATCH_NO_BUCKET)
		return;
	for (at = &set->bucket[w->bucket]; *at != pool_index(d->watches, w);)
		at = &((struct watch *)pool_at(d->watches, *at))->next_in_bucket;
	*at = w->next_in_bucket;
	set->n_in[w->bucket]--;
	set->n_searched--;
	w->bucket = WATCH_NO_BUCKET;
	// The tables keep its bits for a while: a few more candidates.
	if (++set->n_stale > set->n_searched)
		search_renew(d, in, s);
}

void search_drop(struct detect *d, struct inspect *in, enum detect_stream s)
{
	if (in->set[s] != NULL)
		pool_put(d->watchsets, in->set[s]);
	in->set[s] = NULL;
}

void search_pend(struct inspect *in, struct watch *w, enum detect_stream s, uint64_t lo,
		 uint64_t due)
{
	if (w->due == 0 || lo < w->lo)
		w->lo = lo;
	if (due > w->due)
		w->due = due;
	if (w->due < in->set[s]->due)
		in->set[s]->due = w->due;
}

// An anchor stands at [end - len, end).
static void anchor_found(struct detect *d, struct inspect *in, struct watch *w,
			 const struct link *l, enum detect_stream s, uint64_t end)
{
	if (w->link == 0 && l->n == 1 &&
	    (end - l->len < (uint64_t)l->pos_min || end > (uint64_t)l->pos_max))
		return;
	if (end - l->len < w->floor)
		return;
	search_pend(in, w, s, end > l->back ? end - l->back : 0, end + l->ahead);
}

static void bucket_check(struct detect *d, struct inspect *in, enum detect_stream s,
			 unsigned int bucket, uint64_t at, uint64_t old_end)
{
	const struct watchset *set = in->set[s];
	int64_t cost = 0;
	uint64_t bytes;

	memcpy(&bytes, window_at(in, s, at),
	       sizeof(bytes)); // PIPELINE_TAIL_BYTES are readable behind
	for (uint32_t k = set->bucket[bucket]; k != POOL_NONE;) {
		struct watch *w = pool_at(d->watches, k);
		const struct link *l;
		uint64_t end;
		uint32_t rare;

		k = w->next_in_bucket;
		cost += COST_CANDIDATE;
		if (((bytes | w->fold) & w->mask) != w->word)
			continue;
		l = watch_link(in, pool_at(d->actives, w->active), w, s);
		rare = rare_of(l);
		end = at - rare + l->len;
		if (at < rare + window_start(in, s) || end > in->offset[s] || end <= old_end)
			continue;
		if (find_is_at(window_at(in, s, at - rare), l->needle, l->len, l->nocase))
			anchor_found(d, in, w, l, s, end);
	}
	in->budget -= cost;
}

void search_data(struct detect *d, struct inspect *in, enum detect_stream s, uint64_t old_end)
{
	const struct watchset *set = in->set[s];
	const uint64_t start = window_start(in, s);
	struct teddy_place places[TEDDY_PLACES];
	size_t at = 0, to = in->window_len[s];

	if (old_end > start + set->longest)
		at = (size_t)(old_end - start) - set->longest;
	while (at < to && in->budget >= 0) {
		const uint32_t n = teddy_find(&set->teddy, in->window[s], at, to, places, &at);

		for (uint32_t i = 0; i < n; i++)
			for (uint32_t buckets = places[i].buckets; buckets != 0;
			     buckets &= buckets - 1)
				bucket_check(d, in, s, (unsigned int)__builtin_ctz(buckets),
					     start + places[i].at, old_end);
	}
}

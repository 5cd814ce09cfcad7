// SPDX-License-Identifier: BSD-2-Clause
// Does a link of contents with bounded distances, and the pcre behind them, stand in the retained window?
#include "dataplane/engine/detect_impl.h"

enum {
	COST_VERIFY = 64,  // in bytes scanned
	COST_PER_BYTE = 8, // verified bytes for one scanned byte's price
};

struct attempt {
	const struct ruleset *rs;
	struct ruleset_worker *w;
	const struct link *l;
	struct span bytes; // of the window, from offset start on
	uint64_t start;
	bool at_end;
	bool more; // a pcre needs bytes that have not come
	uint32_t steps;
	struct counters *c;
};

// The pcre behind the contents.
static bool pcre_holds(struct attempt *t, uint64_t at)
{
	const struct span rest = span_from(t->bytes, (size_t)(at - t->start));
	int rc;

	if (rest.len == 0 && !t->at_end) {
		t->more = true; // PCRE2 takes no bytes at all for no match
		return false;
	}
	rc = pcre2_match(t->rs->pcre[t->l->first + t->l->n],
			 rest.len > 0 ? rest.data : (const uint8_t *)"", rest.len, 0,
			 t->at_end ? 0 : PCRE2_PARTIAL_HARD, t->w->match, t->w->match_ctx);
	if (rc == PCRE2_ERROR_PARTIAL)
		t->more = true;
	else if (rc < 0 && rc != PCRE2_ERROR_NOMATCH)
		t->c->v[CNT_PCRE_LIMIT]++;
	return rc >= 0;
}

// Content i somewhere in [from, to), offsets of the buffer, and the ones behind it. The end of the last one, or 0.
static uint64_t contents_find(struct attempt *t, uint32_t i, uint64_t from, uint64_t to)
{
	const struct image_match *m = &t->l->m[i];
	const uint64_t end = t->start + t->bytes.len;
	const bool endswith = (m->flags & IMAGE_ENDSWITH) != 0;

	if (from < t->start)
		from = t->start;
	if (endswith && to < end)
		return 0;
	if (to > end)
		to = end;
	if (endswith && to >= m->len && to - m->len > from)
		from = to - m->len;
	while (from + m->len <= to) {
		int64_t at = eval_find(t->bytes, (size_t)(from - t->start), (size_t)(to - t->start),
				       t->rs->blobs + m->blob_off, m->len,
				       (m->flags & IMAGE_NOCASE) != 0);
		uint64_t behind, found;

		if (at < 0 || ++t->steps > EVAL_STEPS_MAX)
			return 0;
		behind = t->start + (uint64_t)at + m->len;
		if (i + 1u < t->l->n) {
			const struct image_match *next = m + 1;
			uint64_t gap =
				(next->flags & IMAGE_DISTANCE) != 0 ? (uint64_t)next->distance : 0;

			found = contents_find(t, i + 1, behind + gap,
					      behind + gap + (uint64_t)next->within);
			if (found > 0)
				return found;
		} else if (!t->l->with_pcre || pcre_holds(t, behind)) {
			return behind;
		}
		// Wait here: a later place could hold, but so may this one.
		if (t->more)
			return 0;
		from = t->start + (uint64_t)at + 1;
	}
	return 0;
}

enum link_verdict link_verify(struct detect *d, struct inspect *in, const struct active *a,
			      const struct watch *w, enum detect_stream s, uint64_t from,
			      bool at_end, uint64_t *ret_end)
{
	const struct link *l = watch_link(in, a, w, s);
	struct attempt t = {
		.rs = in->rs,
		.w = worker_of(d, in->rs),
		.l = l,
		.at_end = at_end,
		.c = d->counters,
	};
	uint64_t to = UINT64_MAX;

	if (from < w->floor)
		from = w->floor;
	if (from < window_start(in, s))
		from = window_start(in, s);
	if (w->link == 0) {
		if (from < (uint64_t)l->pos_min)
			from = (uint64_t)l->pos_min;
		if (l->pos_max != INT64_MAX)
			to = (uint64_t)l->pos_max;
	}
	if (from >= in->offset[s])
		return LINK_NOT;
	t.start = from;
	t.bytes = span_of(window_at(in, s, from), (size_t)(in->offset[s] - from));
	d->counters->v[CNT_VERIFIED]++;
	in->budget -= COST_VERIFY + (int64_t)t.bytes.len / COST_PER_BYTE;
	*ret_end = contents_find(&t, 0, from, to);
	if (t.steps > EVAL_STEPS_MAX)
		d->counters->v[CNT_EVAL_LIMIT]++;
	if (*ret_end > 0)
		return LINK_FOUND;
	return t.more ? LINK_MORE : LINK_NOT;
}

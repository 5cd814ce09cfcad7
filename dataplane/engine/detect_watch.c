// SPDX-License-Identifier: BSD-2-Clause
// The terms of rules that are awake, one link after the other (rules/plan.h).
//
// A watch is one term in progress: it looks for the anchor of its next link. All watches of a stream are searched for in one
// pass over the new bytes (engine/teddy.h). Where an anchor stands, the link's contents are verified around it on the retained
// window, as soon as as many bytes have come as the link can take. The first of the links that hold, the one that ends
// earliest, leaves most room to the next one: nothing is tried twice. Expressions have a Hyperscan stream of their own.
//
// Work is bounded: verification is paid from a budget that grows with the bytes seen; when a body has spent it, its
// watches are given up, counted.
#include "dataplane/engine/detect_impl.h"

#include <string.h>

static void watch_free(struct detect *d, struct inspect *in, struct active *a, struct watch *w,
		       enum detect_stream s)
{
	uint32_t *at = &a->watch[s];

	search_remove(d, in, w, s);
	if (w->own != NULL) {
		ruleset_stream_put(in->rs, worker_of(d, in->rs), watch_term(in, a, w, s)->db,
				   w->own, NULL, NULL);
		in->set[s]->n_own--;
	}
	while (*at != pool_index(d->watches, w))
		at = &((struct watch *)pool_at(d->watches, *at))->next;
	*at = w->next;
	pool_put(d->watches, w);
}

void watch_close(struct detect *d, struct inspect *in, struct active *a, enum detect_stream s)
{
	while (a->watch[s] != POOL_NONE)
		watch_free(d, in, a, pool_at(d->watches, a->watch[s]), s);
}

void watch_close_all(struct detect *d, struct inspect *in, struct active *a)
{
	for (int s = 0; s < DETECT_STREAM_N; s++)
		watch_close(d, in, a, s);
}

// ---- the way of one term ----

static uint32_t terms_negated(const struct ruleset *rs, const struct image_cond *c)
{
	uint32_t bits = 0;

	for (int i = 0; i < c->n_terms; i++)
		if ((rs->terms[c->term + (uint32_t)i].flags & IMAGE_TERM_NEGATED) != 0)
			bits |= 1u << i;
	return bits;
}

// Do the terms of an open condition hold? at_end: nothing follows, so that absence counts.
static bool terms_hold(const struct ruleset *rs, const struct image_cond *c, uint32_t terms,
		       bool at_end)
{
	const uint32_t negated = terms_negated(rs, c), all = (1u << c->n_terms) - 1;

	return (terms & negated) == 0 && (terms & ~negated) == (all & ~negated) &&
	       (negated == 0 || at_end);
}

// Something was found that must not be there.
static bool is_lost(const struct inspect *in, const struct active *a, enum detect_stream s,
		    const struct image_cond *c)
{
	return (a->terms[s] & terms_negated(in->rs, c)) != 0;
}

// It can never hold any more on this message.
static void active_fail(struct detect *d, struct inspect *in, struct active *a)
{
	a->done = 1;
	watch_close_all(d, in, a);
}

static void term_open(struct detect *d, struct inspect *in, const struct detect_msg *m,
		      struct active *a, enum detect_stream s, uint32_t term, uint64_t from);

// Is a term one that is only searched for when the others have been found?
static bool is_late(const struct image_term *t)
{
	return t->n_links == 0 && (t->flags & IMAGE_TERM_NEGATED) == 0;
}

// All terms but the late ones have been found: their expressions are searched for in what is retained and what comes.
static void late_open(struct detect *d, struct inspect *in, const struct detect_msg *m,
		      struct active *a, enum detect_stream s, const struct image_cond *c)
{
	for (uint32_t i = 0; i < c->n_terms; i++) {
		const struct image_term *t = &in->rs->terms[c->term + i];

		if ((t->flags & IMAGE_TERM_NEGATED) == 0 && !is_late(t) &&
		    (a->terms[s] & 1u << i) == 0)
			return;
	}
	a->late_open[s] = 1;
	for (uint32_t i = 0; i < c->n_terms && !a->done && !is_lost(in, a, s, c); i++)
		if (is_late(&in->rs->terms[c->term + i]) && (a->terms[s] & 1u << i) == 0 &&
		    (a->have & 1u << a->cond[s]) == 0)
			term_open(d, in, m, a, s, i, a->late_from[s]);
}

static void cond_check(struct detect *d, struct inspect *in, const struct detect_msg *m,
		       struct active *a, enum detect_stream s, bool at_end)
{
	const struct image_rule *r = &in->rs->rules[a->rule];
	const struct image_cond *c = &in->rs->conds[r->cond + a->cond[s]];

	if (!terms_hold(in->rs, c, a->terms[s], at_end)) {
		if (!at_end && !a->late_open[s])
			late_open(d, in, m, a, s, c);
		return;
	}
	watch_close(d, in, a, s);
	if (c->n_matches > 0) {
		a->buffered |= (uint16_t)(1u << a->cond[s]); // worth while now
		return;
	}
	a->have |= (uint16_t)(1u << a->cond[s]);
	active_complete(d, in, m, a, c->buffer, a->end[s]);
	if (a->done)
		watch_close_all(d, in, a);
}

// The term of w holds. Frees w, or every watch of the rule on this stream.
static void term_found(struct detect *d, struct inspect *in, const struct detect_msg *m,
		       struct active *a, struct watch *w, enum detect_stream s, uint64_t end)
{
	const bool negated = (watch_term(in, a, w, s)->flags & IMAGE_TERM_NEGATED) != 0;

	a->terms[s] |= 1u << w->term;
	a->end[s] = end;
	if (negated) {
		// The next file of the message is another one.
		if (s == DETECT_FILE)
			watch_close(d, in, a, s);
		else
			active_fail(d, in, a);
		return;
	}
	watch_free(d, in, a, w, s);
	cond_check(d, in, m, a, s, false);
}

struct term_ctx {
	bool found;
	uint64_t end;
};

static int on_term(unsigned int id, unsigned long long from, unsigned long long to,
		   unsigned int flags, void *vctx)
{
	struct term_ctx *ctx = vctx;

	ctx->found = true;
	ctx->end = to;
	return 0;
}

// Feed the own stream of w; true: its expression matches.
static bool own_feed(struct detect *d, struct inspect *in, struct active *a, struct watch *w,
		     enum detect_stream s, struct span data, uint64_t *ret_end)
{
	struct term_ctx ctx = {0};

	if (data.len == 0)
		return false;
	d->counters->v[CNT_SCAN_CALLS]++;
	d->counters->v[CNT_SCAN_BYTES] += data.len;
	in->budget -= (int64_t)data.len;
	if (!ruleset_stream_scan(in->rs, worker_of(d, in->rs), watch_term(in, a, w, s)->db, w->own,
				 data, on_term, &ctx))
		d->counters->v[CNT_SCAN_FAILED]++;
	*ret_end = w->own_from + ctx.end;
	return ctx.found;
}

// Bytes that should be looked at are not retained any more: counted once per rule and message, and its hit says so.
static void window_is_short(struct detect *d, struct active *a)
{
	d->counters->v[CNT_WINDOW_SHORT] += !a->short_window;
	a->short_window = 1;
}

// The expression of w is searched for from its floor on. True: found already.
static bool own_open(struct detect *d, struct inspect *in, struct active *a, struct watch *w,
		     enum detect_stream s, uint64_t *ret_end)
{
	const struct image_term *t = watch_term(in, a, w, s);
	uint64_t from = w->floor;

	if (from < window_start(in, s)) {
		window_is_short(d, a);
		if ((t->flags & IMAGE_TERM_FROM_START) != 0)
			return false; // it would take the window's start for the buffer's
		from = window_start(in, s);
	}
	w->own = ruleset_stream_get(in->rs, worker_of(d, in->rs), t->db);
	if (w->own == NULL) {
		d->counters->v[CNT_STREAMS_FULL]++;
		return false;
	}
	in->set[s]->n_own++;
	w->own_from = from;
	if (from >= in->offset[s])
		return false;
	return own_feed(d, in, a, w, s,
			span_of(window_at(in, s, from), (size_t)(in->offset[s] - from)), ret_end);
}

// Where a link that is not there yet can begin at the earliest.
static uint64_t last_start(const struct inspect *in, const struct watch *w, const struct link *l,
			   enum detect_stream s)
{
	uint64_t lo = in->offset[s] >= l->span ? in->offset[s] - l->span + 1 : 0;

	return lo > w->floor ? lo : w->floor;
}

// The next link of w, or its expression: look at what has come, watch for the rest. May free w or all of a's watches.
static void term_next(struct detect *d, struct inspect *in, const struct detect_msg *m,
		      struct active *a, struct watch *w, enum detect_stream s, bool at_end)
{
	const struct image_term *t = watch_term(in, a, w, s);
	uint64_t end;

	for (;;) {
		const struct link *l;
		enum link_verdict v;
		uint64_t lo;

		w->lo = w->due = 0;
		if (w->link == t->n_links) {
			if (own_open(d, in, a, w, s, &end))
				term_found(d, in, m, a, w, s, end);
			else if (w->own == NULL)
				active_fail(d, in, a);
			return;
		}
		l = watch_link(in, a, w, s);
		if (w->link == 0 && w->floor < window_start(in, s))
			window_is_short(d, a);
		if (l->at_end && !at_end)
			return;
		lo = w->floor;
		if (l->at_end && in->offset[s] - lo > l->span)
			lo = in->offset[s] - l->span;
		v = link_verify(d, in, a, w, s, lo, at_end, &end);
		if (v == LINK_FOUND) {
			w->floor = end;
			if (++w->link == t->n_links && t->db == IMAGE_NONE) {
				term_found(d, in, m, a, w, s, end);
				return;
			}
			if (w->link < t->n_links)
				w->floor += (uint64_t)in->rs->links[t->link + w->link].pos_min;
			continue;
		}
		if (at_end)
			return;
		search_add(d, in, w, l, s);
		if (v == LINK_MORE) {
			search_pend(in, w, s, w->floor, in->offset[s] + 1);
			return;
		}
		// What begins in the last bytes may go on in the next ones; a content of its own is searched for across them.
		lo = last_start(in, w, l, s);
		if (lo < in->offset[s] && (l->n > 1 || l->with_pcre))
			search_pend(in, w, s, lo, in->offset[s] + l->span);
		return;
	}
}

// Bytes that were waited for have come (or will not): is there a link? May free w or all of a's watches.
static void watch_decide(struct detect *d, struct inspect *in, const struct detect_msg *m,
			 struct active *a, struct watch *w, enum detect_stream s, bool at_end)
{
	const struct link *l = watch_link(in, a, w, s);
	const uint64_t now = in->offset[s], lo = w->lo, due = w->due;
	const struct image_term *t = watch_term(in, a, w, s);
	enum link_verdict v;
	uint64_t end;

	if (lo < window_start(in, s))
		window_is_short(d, a);
	v = link_verify(d, in, a, w, s, lo, at_end, &end);
	w->lo = w->due = 0;
	if (v == LINK_FOUND) {
		search_remove(d, in, w, s);
		w->floor = end;
		if (++w->link == t->n_links && t->db == IMAGE_NONE) {
			term_found(d, in, m, a, w, s, end);
			return;
		}
		if (w->link < t->n_links)
			w->floor += (uint64_t)in->rs->links[t->link + w->link].pos_min;
		term_next(d, in, m, a, w, s, at_end);
	} else if (v == LINK_MORE) {
		// A pcre is tried again when there is twice as much to look at.
		search_pend(in, w, s, lo, now + (now - lo) + 1);
	} else if (due > now && !at_end) {
		// The window slides before all of it has come.
		uint64_t last = last_start(in, w, l, s);

		search_pend(in, w, s, last > lo ? last : lo, due);
	}
}

static void give_up(struct detect *d, struct inspect *in)
{
	d->counters->v[CNT_WATCH_BUDGET]++;
	in->flags |= INSPECT_BUDGET_SPENT;
	for (uint32_t i = in->active; i != POOL_NONE;) {
		struct active *a = pool_at(d->actives, i);

		i = a->next;
		for (int s = 0; s < DETECT_STREAM_N; s++)
			if (a->watch[s] != POOL_NONE)
				active_fail(d, in, a);
	}
}

// Every watch that waits for no more than the bytes there are, or all that wait.
static void decide_due(struct detect *d, struct inspect *in, const struct detect_msg *m,
		       enum detect_stream s, bool all, bool at_end)
{
	const uint64_t now = in->offset[s];

	in->set[s]->due = UINT64_MAX;
	for (uint32_t i = in->active; i != POOL_NONE;) {
		struct active *a = pool_at(d->actives, i);

		i = a->next;
		for (uint32_t k = a->watch[s]; k != POOL_NONE && a->watch[s] != POOL_NONE;) {
			struct watch *w = pool_at(d->watches, k);

			k = w->next;
			if (w->due == 0)
				continue;
			if (all || w->due <= now)
				watch_decide(d, in, m, a, w, s, at_end);
			else if (w->due < in->set[s]->due)
				in->set[s]->due = w->due;
		}
	}
}

// ---- new bytes ----

void watch_data(struct detect *d, struct inspect *in, const struct detect_msg *m,
		enum detect_stream s, struct span data)
{
	struct watchset *set = in->set[s];

	if (set == NULL)
		return;
	for (uint32_t i = in->active; i != POOL_NONE && set->n_own > 0;) {
		struct active *a = pool_at(d->actives, i);

		i = a->next;
		for (uint32_t k = a->watch[s]; k != POOL_NONE && a->watch[s] != POOL_NONE;) {
			struct watch *w = pool_at(d->watches, k);
			uint64_t end;

			k = w->next;
			if (w->own != NULL && own_feed(d, in, a, w, s, data, &end))
				term_found(d, in, m, a, w, s, end);
		}
	}
	if (set->n_searched > 0 && in->window_len[s] > 0)
		search_data(d, in, s, in->offset[s] - data.len);
	if (set->due <= in->offset[s])
		decide_due(d, in, m, s, false, false);
	if (in->budget < 0)
		give_up(d, in);
}

void watch_slide(struct detect *d, struct inspect *in, const struct detect_msg *m,
		 enum detect_stream s)
{
	if (in->set[s] != NULL && in->set[s]->due != UINT64_MAX)
		decide_due(d, in, m, s, true, false);
}

// ---- opening and ending ----

static void term_open(struct detect *d, struct inspect *in, const struct detect_msg *m,
		      struct active *a, enum detect_stream s, uint32_t term, uint64_t from)
{
	struct watch *w = pool_get(d->watches);

	if (w == NULL) {
		d->counters->v[CNT_WATCH_FULL]++;
		active_fail(d, in, a);
		return;
	}
	*w = (struct watch){
		.next = a->watch[s],
		.active = pool_index(d->actives, a),
		.term = (uint8_t)term,
		.bucket = WATCH_NO_BUCKET,
		.floor = from,
	};
	a->watch[s] = pool_index(d->watches, w);
	term_next(d, in, m, a, w, s, false);
}

void watch_open(struct detect *d, struct inspect *in, const struct detect_msg *m, struct active *a,
		uint32_t cond, uint64_t from)
{
	const struct image_cond *c = &in->rs->conds[in->rs->rules[a->rule].cond + cond];
	const enum detect_stream s = stream_of(c);

	if (a->cond[s] == cond || a->done || (in->flags & INSPECT_BUDGET_SPENT) != 0)
		return; // it is awake already, or was
	if (search_set(d, in, s) == NULL) {
		d->counters->v[CNT_WATCH_FULL]++;
		return;
	}
	d->counters->v[CNT_ACTIVATED]++;
	a->cond[s] = (uint8_t)cond;
	a->terms[s] = 0;
	a->late_from[s] = from;
	for (uint32_t i = 0; i < c->n_terms && !a->done && !is_lost(in, a, s, c); i++)
		if (!is_late(&in->rs->terms[c->term + i]))
			term_open(d, in, m, a, s, i, from);
	if (!a->done && (a->have & 1u << cond) == 0 && !a->late_open[s] && !is_lost(in, a, s, c))
		late_open(d, in, m, a, s, c);
}

void watch_again(struct detect *d, struct inspect *in, const struct detect_msg *m,
		 enum detect_stream s)
{
	for (uint32_t i = in->active; i != POOL_NONE;) {
		struct active *a = pool_at(d->actives, i);
		const struct image_cond *c;

		i = a->next;
		if (a->done || a->cond[s] == ACTIVE_NO_COND || a->watch[s] != POOL_NONE)
			continue;
		c = &in->rs->conds[in->rs->rules[a->rule].cond + a->cond[s]];
		if (c->n_matches == 0 || ((a->buffered | a->have) & 1u << a->cond[s]) != 0)
			continue;
		a->terms[s] = 0;
		a->late_open[s] = 0;
		a->late_from[s] = window_start(in, s);
		term_open(d, in, m, a, s, 0, window_start(in, s));
	}
}

void watch_end(struct detect *d, struct inspect *in, const struct detect_msg *m, struct active *a,
	       enum detect_stream s)
{
	if (a->watch[s] == POOL_NONE && (a->cond[s] == ACTIVE_NO_COND || a->done))
		return;
	// Links first: behind one an expression may follow, whose stream is ended then.
	for (uint32_t k = a->watch[s]; k != POOL_NONE && a->watch[s] != POOL_NONE;) {
		struct watch *w = pool_at(d->watches, k);

		k = w->next;
		if (w->link == watch_term(in, a, w, s)->n_links)
			continue;
		if (w->due > 0)
			watch_decide(d, in, m, a, w, s, true);
		else if (watch_link(in, a, w, s)->at_end)
			term_next(d, in, m, a, w, s, true);
	}
	for (uint32_t k = a->watch[s]; k != POOL_NONE && a->watch[s] != POOL_NONE;) {
		struct watch *w = pool_at(d->watches, k);
		struct term_ctx ctx = {0};
		struct ruleset_stream *own = w->own;

		k = w->next;
		if (own == NULL)
			continue;
		w->own = NULL;
		in->set[s]->n_own--;
		ruleset_stream_put(in->rs, worker_of(d, in->rs), watch_term(in, a, w, s)->db, own,
				   on_term, &ctx);
		if (ctx.found)
			term_found(d, in, m, a, w, s, w->own_from + ctx.end);
	}
	// A buffer that never came satisfies nothing.
	if (!a->done && (a->have & 1u << a->cond[s]) == 0 && in->offset[s] > 0)
		cond_check(d, in, m, a, s, true);
}

// SPDX-License-Identifier: BSD-2-Clause
// Rules that have begun to hold: the own streams of their conditions, head conditions asked for late, and their completion.
#include "dataplane/engine/detect_impl.h"

#include <string.h>

struct term_ctx {
	struct active *a;
	enum detect_stream s;
};

static int on_term(unsigned int id, unsigned long long from, unsigned long long to,
		   unsigned int flags, void *vctx)
{
	struct term_ctx *ctx = vctx;

	if (id >= IMAGE_TERMS_PER_COND_MAX)
		return 0;
	ctx->a->terms[ctx->s] |= 1u << id;
	ctx->a->end[ctx->s] = ctx->a->from[ctx->s] + to;
	return 0;
}

void active_close(struct detect *d, struct inspect *in, struct active *a, enum detect_stream s)
{
	const struct image_rule *r = &in->rs->rules[a->rule];

	if (a->own[s] == NULL)
		return;
	ruleset_stream_put(in->rs, worker_of(d, in->rs), in->rs->conds[r->cond + a->cond[s]].db,
			   a->own[s], NULL, NULL);
	a->own[s] = NULL;
}

static uint32_t terms_negated(const struct ruleset *rs, const struct image_cond *c)
{
	uint32_t bits = 0;

	for (int i = 0; i < c->n_terms; i++)
		if (rs->terms[c->term + (uint32_t)i].negated)
			bits |= 1u << i;
	return bits;
}

// Do the terms of an open condition hold? at_end: nothing follows, so that absence counts.
static bool terms_hold(const struct ruleset *rs, const struct image_cond *c, uint32_t terms,
		       bool at_end)
{
	uint32_t negated = terms_negated(rs, c);
	uint32_t all = c->n_terms == 32 ? UINT32_MAX : (1u << c->n_terms) - 1;

	return (terms & negated) == 0 && (terms & all & ~negated) == (all & ~negated) &&
	       (negated == 0 || at_end);
}

// One head condition; where there are several buffers, on any of them.
static bool head_cond_holds(struct detect *d, const struct inspect *in, const struct image_cond *c)
{
	struct ruleset_worker *w = worker_of(d, in->rs);
	struct span buf = view_get(&d->view, c->buffer), part;

	if (!buffer_is_multi(c->buffer))
		return eval_cond(in->rs, w, c, buf, d->counters);
	while (view_part(&buf, &part))
		if (eval_cond(in->rs, w, c, part, d->counters))
			return true;
	return false;
}

// All head conditions of a rule on the view.
bool active_head_holds(struct detect *d, const struct inspect *in, const struct image_rule *r)
{
	for (uint32_t i = 0; i < r->n_conds; i++) {
		const struct image_cond *c = &in->rs->conds[r->cond + i];

		if (c->mode == IMAGE_COND_HEAD && !head_cond_holds(d, in, c))
			return false;
	}
	return true;
}

uint16_t active_head_bits(const struct ruleset *rs, const struct image_rule *r)
{
	uint16_t bits = 0;

	for (uint32_t i = 0; i < r->n_conds; i++)
		if (rs->conds[r->cond + i].mode == IMAGE_COND_HEAD)
			bits |= (uint16_t)(1u << i);
	return bits;
}

// Show the kept head in the view. False: there is none.
static bool view_late(struct detect *d, const struct inspect *in, const struct detect_msg *m)
{
	if (d->view_of == in)
		return true;
	if (in->head == NULL)
		return false;
	if (http_head_parse(span_of(in->head, in->head_len), in->dir, in->answers,
			    &(struct counters){0}, &d->late_head) < 0)
		return false;
	view_init(&d->view, &d->late_head, &d->scratch);
	view_addresses(&d->view, m->flow);
	d->view_of = in;
	return true;
}

// Head conditions of a rule that woke up elsewhere. Before the head has come this decides nothing.
void active_head(struct detect *d, struct inspect *in, const struct detect_msg *m, struct active *a)
{
	const struct image_rule *r = &in->rs->rules[a->rule];
	uint16_t bits = active_head_bits(in->rs, r);

	if (bits == 0 || (a->have & bits) == bits || a->head_failed || a->done ||
	    (in->flags & INSPECT_HEAD_SEEN) == 0)
		return;
	if (view_late(d, in, m) && active_head_holds(d, in, r))
		a->have |= bits;
	else
		a->head_failed = 1;
}

void active_complete(struct detect *d, struct inspect *in, const struct detect_msg *m,
		     struct active *a, uint8_t buffer, uint64_t offset)
{
	const struct image_rule *r = &in->rs->rules[a->rule];

	if (a->done || a->head_failed || a->have != (uint16_t)((1u << r->n_conds) - 1))
		return;
	a->done = 1;
	for (int s = 0; s < DETECT_STREAM_N; s++)
		active_close(d, in, a, s);
	hit_rule(d, in, m, a->rule, buffer, offset, a->short_window);
}

// Terms of an own stream may have matched: does its condition hold now?
void active_check(struct detect *d, struct inspect *in, const struct detect_msg *m,
		  struct active *a, enum detect_stream s, bool at_end)
{
	const struct image_rule *r = &in->rs->rules[a->rule];
	const struct image_cond *c = &in->rs->conds[r->cond + a->cond[s]];

	if (!terms_hold(in->rs, c, a->terms[s], at_end))
		return;
	a->have |= (uint16_t)(1u << a->cond[s]);
	active_close(d, in, a, s);
	active_complete(d, in, m, a, c->buffer, a->end[s]);
}

void active_scan(struct detect *d, struct inspect *in, struct active *a, enum detect_stream s,
		 struct span data)
{
	struct term_ctx ctx = {.a = a, .s = s};

	if (data.len == 0)
		return;
	d->counters->v[CNT_SCAN_CALLS]++;
	d->counters->v[CNT_SCAN_BYTES] += data.len;
	if (hs_scan_stream(a->own[s], (const char *)data.data, (unsigned int)data.len, 0,
			   worker_of(d, in->rs)->scratch, on_term, &ctx) != HS_SUCCESS)
		d->counters->v[CNT_SCAN_FAILED]++;
}

static bool needs_start(const struct ruleset *rs, const struct image_cond *c)
{
	for (uint32_t i = 0; i < c->n_terms; i++)
		if (rs->terms[c->term + i].from_start)
			return true;
	return false;
}

// Open the own stream of condition i and feed it with the window from offset `from` on.
// Returns false if it is open already, or cannot be.
static bool own_open(struct detect *d, struct inspect *in, struct active *a, uint32_t i,
		     uint64_t from)
{
	const struct image_rule *r = &in->rs->rules[a->rule];
	const struct image_cond *c = &in->rs->conds[r->cond + i];
	enum detect_stream s = stream_of(c);
	uint64_t have_from = in->offset[s] - in->window_len[s];

	if (a->own[s] != NULL || a->done || (a->have & (1u << i)) != 0)
		return false;
	if (from < have_from && needs_start(in->rs, c)) {
		d->counters->v[CNT_WINDOW_SHORT]++;
		return false; // it would take the window's start for the buffer's
	}
	a->own[s] = ruleset_stream_get(in->rs, worker_of(d, in->rs), c->db);
	if (a->own[s] == NULL) {
		d->counters->v[CNT_STREAMS_FULL]++;
		return false;
	}
	d->counters->v[CNT_ACTIVATED]++;
	a->cond[s] = (uint8_t)i;
	a->terms[s] = 0;
	if (from < have_from) {
		d->counters->v[CNT_WINDOW_SHORT]++;
		a->short_window = 1;
		from = have_from;
	}
	a->from[s] = from;
	if (from < in->offset[s])
		active_scan(d, in, a, s,
			    span_of(in->window[s] + (from - have_from),
				    (size_t)(in->offset[s] - from)));
	return true;
}

// Every condition of the rule that has no signature of its own starts to listen: GATED ones.
void active_open_gated(struct detect *d, struct inspect *in, const struct detect_msg *m,
		       struct active *a)
{
	const struct image_rule *r = &in->rs->rules[a->rule];

	for (uint32_t i = 0; i < r->n_conds; i++) {
		const struct image_cond *c = &in->rs->conds[r->cond + i];

		if (c->mode != IMAGE_COND_GATED)
			continue;
		if (c->n_matches > 0)
			a->buffered |= (uint16_t)(1u << i);
		else if (own_open(d, in, a, i, 0))
			active_check(d, in, m, a, stream_of(c), false);
	}
}

// A rule's signature matched in a stream buffer; chunk is what was scanned, from in->offset[s] on.
void active_wake(struct detect *d, struct inspect *in, const struct detect_msg *m,
		 enum detect_stream s, const struct image_owner *o, uint64_t end, uint32_t lookback,
		 struct span chunk)
{
	const struct ruleset *rs = in->rs;
	const struct image_rule *r = &rs->rules[o->rule];
	const struct image_cond *c = &rs->conds[o->cond];
	struct active *a;
	uint32_t i = o->cond - r->cond;

	d->counters->v[CNT_CANDIDATES]++;
	if (!hit_applies(rs, r, m))
		return;
	if (c->mode == IMAGE_COND_EXACT && r->n_conds == 1) {
		hit_rule(d, in, m, o->rule, c->buffer, end, false);
		return;
	}
	a = active_get(d, in, o->rule);
	if (a == NULL || a->done)
		return;
	active_head(d, in, m, a);
	if (a->head_failed)
		return;
	if (c->mode == IMAGE_COND_EXACT) {
		a->have |= (uint16_t)(1u << i);
		a->end[s] = end;
		active_open_gated(d, in, m, a);
		active_complete(d, in, m, a, c->buffer, end);
		return;
	}
	if (c->n_matches > 0) {
		a->buffered |= (uint16_t)(1u << i);
		active_open_gated(d, in, m, a);
		return;
	}
	if (own_open(d, in, a, i, lookback == UINT32_MAX || lookback > end ? 0 : end - lookback)) {
		uint64_t from = lookback == UINT32_MAX || lookback > end ? 0 : end - lookback;
		size_t skip = from > in->offset[s] ? (size_t)(from - in->offset[s]) : 0;

		active_scan(d, in, a, s, span_from(chunk, skip));
		active_check(d, in, m, a, s, false);
	}
	if (!a->done)
		active_open_gated(d, in, m, a);
}

// Matches of an own stream that only its end makes true, and the negated ones.
void active_end(struct detect *d, struct inspect *in, const struct detect_msg *m, struct active *a,
		enum detect_stream s)
{
	const struct image_rule *r = &in->rs->rules[a->rule];
	const struct image_cond *c = &in->rs->conds[r->cond + a->cond[s]];
	struct term_ctx ctx = {.a = a, .s = s};
	hs_stream_t *own = a->own[s];

	a->own[s] = NULL;
	ruleset_stream_put(in->rs, worker_of(d, in->rs), c->db, own, on_term, &ctx);
	if (in->offset[s] > 0) // a buffer that never came satisfies nothing
		active_check(d, in, m, a, s, true);
}

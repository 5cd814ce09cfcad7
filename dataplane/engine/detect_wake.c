// SPDX-License-Identifier: BSD-2-Clause
// What wakes a rule: its signature in a stream, or its head conditions.
#include "dataplane/engine/detect_impl.h"

void wake_complete(struct detect *d, struct inspect *in, const struct detect_msg *m,
		   struct active *a, uint8_t buffer, uint64_t offset)
{
	active_complete(d, in, m, a, buffer, offset);
	if (a->done)
		watch_close_all(d, in, a);
}

// A stream condition starts to listen: it is evaluated on the window later, or its terms are looked for.
static void listen(struct detect *d, struct inspect *in, const struct detect_msg *m,
		   struct active *a, uint32_t cond, uint64_t from)
{
	const struct image_cond *c = &in->rs->conds[in->rs->rules[a->rule].cond + cond];

	if (c->n_matches > 0 && c->n_terms == 0)
		a->buffered |= (uint16_t)(1u << cond);
	else
		watch_open(d, in, m, a, cond, from);
}

void wake_gated(struct detect *d, struct inspect *in, const struct detect_msg *m, struct active *a)
{
	const struct image_rule *r = &in->rs->rules[a->rule];

	for (uint32_t i = 0; i < r->n_conds && !a->done; i++)
		if (in->rs->conds[r->cond + i].mode == IMAGE_COND_GATED && (a->have & 1u << i) == 0)
			listen(d, in, m, a, i, 0);
}

void wake_signature(struct detect *d, struct inspect *in, const struct detect_msg *m,
		    enum detect_stream s, const struct image_owner *o, uint64_t end)
{
	const struct ruleset *rs = in->rs;
	const struct image_rule *r = &rs->rules[o->rule];
	const struct image_cond *c = &rs->conds[o->cond];
	const uint32_t i = o->cond - r->cond;
	const uint64_t from = o->lookback > end ? 0 : end - o->lookback;
	struct active *a;

	if (in->seam > 0 && (from >= in->seam || o->lookback > end))
		return; // the message's own affair

	d->counters->v[CNT_CANDIDATES]++;
	if (!hit_applies(rs, r, m))
		return;
	if (c->mode == IMAGE_COND_EXACT && r->n_conds == 1) {
		// Every file of a message is a stream of its own.
		a = s == DETECT_FILE ? active_get(d, in, o->rule) : NULL;
		if (a != NULL && a->done)
			return;
		if (a != NULL)
			a->done = 1;
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
	} else {
		listen(d, in, m, a, i, from);
	}
	wake_gated(d, in, m, a);
	wake_complete(d, in, m, a, c->buffer, end);
}

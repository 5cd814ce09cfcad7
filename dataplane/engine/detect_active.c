// SPDX-License-Identifier: BSD-2-Clause
// Rules that have begun to hold: head conditions, also those asked for late, and their completion.
#include "dataplane/engine/detect_impl.h"

#include <string.h>

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
	hit_rule(d, in, m, a->rule, buffer, offset, a->short_window);
}

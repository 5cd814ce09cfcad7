// SPDX-License-Identifier: BSD-2-Clause
// Rules on files: a body, or a part of a multipart one. Their facts are complete when the file ends, and are looked at then,
// all together.
#include "dataplane/engine/detect_impl.h"

#include "dataplane/engine/number.h"

uint8_t detect_file_digests(const struct inspect *in, bool *ret_any)
{
	const struct image_header *img = in->rs->img;

	*ret_any = img->n_files[in->dir] > 0;
	return img->file_digests[in->dir];
}

static bool fact_holds(const struct ruleset *rs, const struct image_match *m,
		       const struct file_facts *f)
{
	const struct number *n;
	const struct list *l;

	if (m->type == IMAGE_FILE_DIGEST) {
		l = image_list_at(rs->img, m->blob_off);
		if (!f->whole || l->kind > LIST_SHA256 || (f->digests & 1u << l->kind) == 0)
			return false; // not known: neither in the list nor outside
		return list_has(l, span_of(f->digest[l->kind], list_kind_bytes(l->kind))) !=
		       ((m->flags & IMAGE_NEGATED) != 0);
	}
	n = &rs->numbers[m->blob_off];
	if (f->sized)
		return number_test(n, f->bytes + f->missing_bytes, n->value);
	// Of a file that is cut short it is only known that it is at least so large.
	if (!f->whole && n->op != NUMBER_GT && n->op != NUMBER_GE)
		return false;
	return number_test(n, f->bytes, n->value);
}

static bool cond_holds(struct detect *d, const struct inspect *in, const struct image_cond *c,
		       const struct file_facts *f)
{
	if (c->buffer == BUF_FILE_NAME)
		return eval_cond(in->rs, worker_of(d, in->rs), c, f->name, d->counters);
	for (uint32_t i = 0; i < c->n_matches; i++)
		if (!fact_holds(in->rs, &in->rs->matches[c->match + i], f))
			return false;
	return true;
}

// Conditions on files of a rule: bit per condition; 0: one does not hold.
static uint16_t conds_hold(struct detect *d, const struct inspect *in, const struct image_rule *r,
			   const struct file_facts *f)
{
	uint16_t bits = 0;

	for (uint32_t i = 0; i < r->n_conds; i++) {
		const struct image_cond *c = &in->rs->conds[r->cond + i];

		if (c->mode != IMAGE_COND_FILE)
			continue;
		if (!cond_holds(d, in, c, f))
			return 0;
		bits |= (uint16_t)(1u << i);
	}
	return bits;
}

void file_decide(struct detect *d, struct inspect *in, const struct detect_msg *m,
		 const struct file_facts *facts)
{
	const struct image_header *img = in->rs->img;

	for (uint32_t i = 0; i < img->n_files[in->dir] && !d->unverified; i++) {
		const struct image_owner *o = &in->rs->owners[img->files[in->dir] + i];
		const struct image_rule *r = &in->rs->rules[o->rule];
		const uint16_t all = (uint16_t)((1u << r->n_conds) - 1);
		struct active *a = active_find(d, in, o->rule);
		uint16_t bits;

		if (a != NULL && (a->done || a->head_failed))
			continue;
		if (!hit_applies(in->rs, r, m))
			continue;
		bits = conds_hold(d, in, r, facts);
		// A rule with other conditions has a record if one of them woke it.
		if (bits == 0 || (a == NULL && bits != all))
			continue;
		if (a == NULL)
			a = active_get(d, in, o->rule);
		if (a == NULL)
			return;
		a->have |= bits;
		wake_complete(d, in, m, a, in->rs->conds[o->cond].buffer, facts->bytes);
	}
}

// Conditions of a rule that are about the file in hand.
static uint16_t conds_of_file(const struct inspect *in, const struct image_rule *r)
{
	uint16_t bits = 0;

	for (uint32_t i = 0; i < r->n_conds; i++) {
		const struct image_cond *c = &in->rs->conds[r->cond + i];

		if (c->mode == IMAGE_COND_FILE ||
		    (c->mode != IMAGE_COND_HEAD && stream_of(c) == DETECT_FILE))
			bits |= (uint16_t)(1u << i);
	}
	return bits;
}

void file_next(struct detect *d, struct inspect *in, const struct detect_msg *m)
{
	in->offset[DETECT_FILE] = 0;
	in->window_len[DETECT_FILE] = 0;
	for (uint32_t i = in->active; i != POOL_NONE;) {
		struct active *a = pool_at(d->actives, i);
		const uint16_t bits = conds_of_file(in, &in->rs->rules[a->rule]);

		i = a->next;
		watch_close(d, in, a, DETECT_FILE);
		if (a->done)
			continue;
		a->have &= (uint16_t)~bits;
		a->buffered &= (uint16_t)~bits;
		a->cond[DETECT_FILE] = ACTIVE_NO_COND;
		a->late_open[DETECT_FILE] = 0;
		a->terms[DETECT_FILE] = 0;
		if (!a->head_failed)
			wake_gated(d, in, m, a);
	}
}

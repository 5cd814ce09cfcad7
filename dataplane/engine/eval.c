// SPDX-License-Identifier: BSD-2-Clause
// Depth-first over the matches in order. The step budget bounds hostile buffers: quadratic chains end counted.
#include "dataplane/engine/eval.h"

#include <string.h>

#include "dataplane/engine/find.h"
#include "dataplane/engine/number.h"
#include "dataplane/engine/transform.h"

enum {
	DECODED_PER_STEP =
		16, // bytes that are decoded again on every try cost their share of the budget
};

struct eval {
	const struct ruleset *rs;
	struct ruleset_worker *w;
	const struct image_match *m; // of the condition
	uint32_t first;              // index of m[0] in the rule set
	uint32_t n;
	struct span buf;
	struct counters *c;
	uint32_t steps;
	bool over;
	uint64_t var[NUMBER_VARS_MAX]; // set on the way to the match that uses it
};

int64_t eval_find(struct span buf, size_t from, size_t to, const uint8_t *needle, size_t len,
		  bool nocase)
{
	int64_t at;

	if (to > buf.len)
		to = buf.len;
	if (from > to || to - from < len)
		return -1;
	at = find_literal(span_of(buf.data + from, to - from), needle, len, nocase);
	return at < 0 ? -1 : (int64_t)from + at;
}

static bool is_relative(const struct image_match *m)
{
	return (m->flags & (IMAGE_DISTANCE | IMAGE_WITHIN | IMAGE_RELATIVE)) != 0;
}

// Has a match an end that the next one may count from? What is absent has none, and what only tests a position.
static bool has_end(const struct image_match *m)
{
	return (m->flags & IMAGE_NEGATED) == 0 && m->type != IMAGE_SIZE &&
	       m->type != IMAGE_DATA_AT && m->type != IMAGE_BYTE_TEST && m->type != IMAGE_BASE64 &&
	       m->type != IMAGE_DATASET;
}

// May it stand anywhere behind the match before it? Then an earlier place of that leaves it more room than a later one.
static bool is_anywhere_behind(const struct image_match *m)
{
	return m->type == IMAGE_CONTENT &&
	       (m->flags & (IMAGE_NEGATED | IMAGE_WITHIN | IMAGE_VAR_DISTANCE)) == 0 &&
	       m->distance >= 0;
}

// Does a later match count from the end of match i, so that another place of i may help it?
static bool is_anchor(const struct eval *e, uint32_t i)
{
	while (++i < e->n) {
		if (is_relative(&e->m[i]))
			return !is_anywhere_behind(&e->m[i]);
		if (has_end(&e->m[i]))
			return false;
		if (e->m[i].type == IMAGE_BASE64) // what follows counts in decoded bytes
			i += (uint32_t)e->rs->numbers[e->m[i].blob_off].value;
	}
	return false;
}

// A position as it stands in the rule, or the variable it names; no buffer is longer than what a variable is cut to.
static int64_t position(const struct eval *e, const struct image_match *m, uint16_t var_flag,
			int32_t value)
{
	uint64_t v;

	if ((m->flags & var_flag) == 0)
		return value;
	v = e->var[value];
	return v < INT32_MAX ? (int64_t)v : INT32_MAX;
}

static bool eval_from(struct eval *e, uint32_t i, size_t prev_end);

static bool eval_content(struct eval *e, uint32_t i, size_t prev_end)
{
	const struct image_match *m = &e->m[i];
	const uint8_t *needle = e->rs->blobs + m->blob_off;
	bool nocase = (m->flags & IMAGE_NOCASE) != 0;
	bool retry = is_anchor(e, i);
	int64_t from = 0, to = (int64_t)e->buf.len, at;

	if ((m->flags & (IMAGE_DISTANCE | IMAGE_WITHIN)) != 0) {
		int64_t distance = (m->flags & IMAGE_DISTANCE) != 0
					   ? position(e, m, IMAGE_VAR_DISTANCE, m->distance)
					   : 0;

		from = (int64_t)prev_end + distance;
		if ((m->flags & IMAGE_WITHIN) != 0)
			to = (int64_t)prev_end + distance +
			     position(e, m, IMAGE_VAR_WITHIN, m->within);
	} else {
		if ((m->flags & IMAGE_OFFSET) != 0)
			from = position(e, m, IMAGE_VAR_OFFSET, m->offset);
		if ((m->flags & IMAGE_DEPTH) != 0)
			to = from + position(e, m, IMAGE_VAR_DEPTH, m->depth);
	}
	if (from < 0)
		from = 0;
	if (to > (int64_t)e->buf.len)
		to = (int64_t)e->buf.len;
	if ((m->flags & IMAGE_ENDSWITH) != 0) {
		if (to < (int64_t)e->buf.len)
			to = from - 1; // the end is out of reach
		else if (to - (int64_t)m->len > from)
			from = to - (int64_t)m->len;
	}
	for (;;) {
		at = to < from
			     ? -1
			     : eval_find(e->buf, (size_t)from, (size_t)to, needle, m->len, nocase);
		if ((m->flags & IMAGE_NEGATED) != 0)
			return at < 0 && eval_from(e, i + 1, prev_end);
		if (at < 0)
			return false;
		if (eval_from(e, i + 1, (size_t)at + m->len))
			return true;
		if (!retry || e->over)
			return false;
		from = at + 1;
	}
}

static bool eval_pcre(struct eval *e, uint32_t i, size_t prev_end)
{
	const struct image_match *m = &e->m[i];
	bool retry = is_anchor(e, i);
	size_t base = (m->flags & IMAGE_RELATIVE) != 0 ? prev_end : 0;
	size_t at = 0;

	if (base > e->buf.len)
		return (m->flags & IMAGE_NEGATED) != 0 && eval_from(e, i + 1, prev_end);
	for (;;) {
		const PCRE2_SIZE *ov;
		int rc = pcre2_match(e->rs->pcre[e->first + i], e->buf.data + base,
				     e->buf.len - base, at, 0, e->w->match, e->w->match_ctx);

		if (rc < 0 && rc != PCRE2_ERROR_NOMATCH)
			e->c->v[CNT_PCRE_LIMIT]++;
		if ((m->flags & IMAGE_NEGATED) != 0)
			return rc == PCRE2_ERROR_NOMATCH && eval_from(e, i + 1, prev_end);
		if (rc < 0)
			return false;
		ov = pcre2_get_ovector_pointer(e->w->match);
		at = ov[0] + 1; // the vector is overwritten by deeper matches
		if (eval_from(e, i + 1, base + ov[1]))
			return true;
		if (!retry || e->over || at > e->buf.len - base)
			return false;
	}
}

static bool eval_data_at(struct eval *e, uint32_t i, size_t prev_end)
{
	const struct image_match *m = &e->m[i];
	const struct number *n = &e->rs->numbers[m->blob_off];
	uint64_t at = (n->flags & NUMBER_VAR_OFFSET) != 0 ? e->var[n->offset] : (uint64_t)n->offset;
	bool there;

	// Suricata's documented difference: a relative position may be the one behind the last byte.
	if ((m->flags & IMAGE_RELATIVE) != 0)
		there = at <= e->buf.len - prev_end;
	else
		there = at < e->buf.len;
	return there != ((m->flags & IMAGE_NEGATED) != 0) && eval_from(e, i + 1, prev_end);
}

// Read the number of match i. *ret_end: where it ends.
static bool eval_read(const struct eval *e, const struct image_match *m, size_t prev_end,
		      uint64_t *ret_value, size_t *ret_end)
{
	const struct number *n = &e->rs->numbers[m->blob_off];
	uint64_t bytes = (n->flags & NUMBER_VAR_BYTES) != 0 ? e->var[n->bytes] : n->bytes;
	int64_t at = n->offset;
	size_t used;

	if ((n->flags & NUMBER_VAR_OFFSET) != 0)
		at = e->var[n->offset] < INT32_MAX ? (int64_t)e->var[n->offset] : INT32_MAX;
	if ((m->flags & IMAGE_RELATIVE) != 0)
		at += (int64_t)prev_end;
	if (at < 0 || at > (int64_t)e->buf.len)
		return false;
	// A jump may go without a number.
	if (m->type == IMAGE_BYTE_JUMP && bytes == 0 && n->base == 0) {
		*ret_value = 0;
		*ret_end = (size_t)at;
		return true;
	}
	if (!number_read(n, span_from(e->buf, (size_t)at), bytes, ret_value, &used))
		return false;
	*ret_end = (size_t)at + used;
	return true;
}

// Where a jump leads, before the start: to the start. False: behind the end.
static bool eval_jump(const struct eval *e, const struct number *n, uint64_t x, size_t *io_end)
{
	int64_t to = (n->flags & NUMBER_FROM_BEGINNING) != 0 ? 0
		     : (n->flags & NUMBER_FROM_END) != 0     ? (int64_t)e->buf.len
							     : (int64_t)*io_end;

	x = number_align(n, number_mask(n, x) * n->multiplier);
	if (__builtin_add_overflow(to, (int64_t)x, &to) ||
	    __builtin_add_overflow(to, n->post_offset, &to))
		return false;
	if (to > (int64_t)e->buf.len)
		return false;
	*io_end = to < 0 ? 0 : (size_t)to;
	return true;
}

static bool eval_number(struct eval *e, uint32_t i, size_t prev_end)
{
	const struct image_match *m = &e->m[i];
	const struct number *n = &e->rs->numbers[m->blob_off];
	uint64_t operand = (n->flags & NUMBER_VAR_VALUE) != 0 ? e->var[n->value] : n->value, x;
	size_t end;

	if (!eval_read(e, m, prev_end, &x, &end))
		return false;
	switch (m->type) {
	case IMAGE_BYTE_TEST:
		if (number_test(n, number_mask(n, x), operand) == ((n->flags & NUMBER_NOT) != 0))
			return false;
		return eval_from(e, i + 1, prev_end);
	case IMAGE_BYTE_JUMP:
		if (!eval_jump(e, n, x, &end))
			return false;
		break;
	case IMAGE_BYTE_EXTRACT:
		e->var[n->result] = number_align(n, x * n->multiplier);
		break;
	default:
		if (!number_calculate(n, x, operand, &x))
			return false;
		e->var[n->result] = number_mask(n, x);
		break;
	}
	return eval_from(e, i + 1, end);
}

// Decode, evaluate the matches behind on that, go on with those after them.
static bool eval_base64(struct eval *e, uint32_t i, size_t prev_end)
{
	const struct image_match *m = &e->m[i];
	const struct number *n = &e->rs->numbers[m->blob_off];
	size_t at = (size_t)n->offset + ((m->flags & IMAGE_RELATIVE) != 0 ? prev_end : 0);
	struct span s = span_from(e->buf, at);
	struct eval inner = *e;
	bool holds;

	if (n->bytes > 0)
		s = span_first(s, n->bytes);
	inner.buf = transform_base64(e->w, s);
	inner.m = m + 1;
	inner.first = e->first + i + 1;
	inner.n = (uint32_t)n->value;
	inner.steps += (uint32_t)inner.buf.len / DECODED_PER_STEP;
	holds = inner.buf.len > 0 && eval_from(&inner, 0, 0);
	e->steps = inner.steps;
	e->over |= inner.over;
	return holds && eval_from(e, i + 1 + inner.n, prev_end);
}

static bool eval_from(struct eval *e, uint32_t i, size_t prev_end)
{
	if (i == e->n)
		return true;
	if (++e->steps > EVAL_STEPS_MAX) {
		e->over = true;
		return false;
	}
	switch (e->m[i].type) {
	case IMAGE_CONTENT:
		return eval_content(e, i, prev_end);
	case IMAGE_PCRE:
		return eval_pcre(e, i, prev_end);
	case IMAGE_SIZE: {
		const struct number *n = &e->rs->numbers[e->m[i].blob_off];

		return number_test(n, e->buf.len, n->value) && eval_from(e, i + 1, prev_end);
	}
	case IMAGE_DATASET:
		return list_has(image_list_at(e->rs->img, e->m[i].blob_off), e->buf) !=
			       ((e->m[i].flags & IMAGE_NEGATED) != 0) &&
		       eval_from(e, i + 1, prev_end);
	case IMAGE_DATA_AT:
		return eval_data_at(e, i, prev_end);
	case IMAGE_BASE64:
		return eval_base64(e, i, prev_end);
	}
	return eval_number(e, i, prev_end);
}

bool eval_cond(const struct ruleset *rs, struct ruleset_worker *w, const struct image_cond *cond,
	       struct span buffer, struct counters *counters)
{
	struct eval e = {
		.rs = rs,
		.w = w,
		.m = rs->matches + cond->match,
		.first = cond->match,
		.n = cond->n_matches,
		.buf = buffer,
		.c = counters,
	};
	bool holds;

	if (buffer.data != NULL && cond->n_transforms > 0 &&
	    !transform_apply(rs, w, cond, buffer, counters, &e.buf)) {
		counters->v[CNT_EVAL_LIMIT]++;
		return false;
	}
	if (e.buf.data == NULL || (e.buf.len == 0 && cond->n_transforms > 0))
		return false;
	holds = eval_from(&e, 0, 0);
	if (e.over)
		counters->v[CNT_EVAL_LIMIT]++;
	return holds;
}

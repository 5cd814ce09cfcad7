// SPDX-License-Identifier: BSD-2-Clause
// Depth-first over the matches in order. The step budget bounds hostile buffers: quadratic chains end counted.
#include "dataplane/engine/eval.h"

#include <string.h>

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
};

// Position of needle in [from, to) of buf, or -1. A nocase needle is in lower case.
static int64_t find(struct span buf, size_t from, size_t to, const uint8_t *needle, size_t len,
		    bool nocase)
{
	const uint8_t *p;

	if (to > buf.len)
		to = buf.len;
	if (from > to || to - from < len)
		return -1;
	if (!nocase) {
		p = memmem(buf.data + from, to - from, needle, len);
		return p != NULL ? p - buf.data : -1;
	}
	for (size_t i = from; i + len <= to; i++) {
		size_t k = 0;

		while (k < len && span_lower(buf.data[i + k]) == needle[k])
			k++;
		if (k == len)
			return (int64_t)i;
	}
	return -1;
}

static bool is_relative(const struct image_match *m)
{
	return (m->flags & (IMAGE_DISTANCE | IMAGE_WITHIN | IMAGE_RELATIVE)) != 0;
}

static bool eval_from(struct eval *e, uint32_t i, size_t prev_end);

static bool eval_content(struct eval *e, uint32_t i, size_t prev_end)
{
	const struct image_match *m = &e->m[i];
	const uint8_t *needle = e->rs->blobs + m->blob_off;
	bool nocase = (m->flags & IMAGE_NOCASE) != 0;
	bool retry = i + 1 < e->n && is_relative(&e->m[i + 1]);
	int64_t from = 0, to = (int64_t)e->buf.len, at;

	if ((m->flags & (IMAGE_DISTANCE | IMAGE_WITHIN)) != 0) {
		int32_t distance = (m->flags & IMAGE_DISTANCE) != 0 ? m->distance : 0;

		from = (int64_t)prev_end + distance;
		if ((m->flags & IMAGE_WITHIN) != 0)
			to = (int64_t)prev_end + distance + m->within;
	} else {
		if ((m->flags & IMAGE_OFFSET) != 0)
			from = m->offset;
		if ((m->flags & IMAGE_DEPTH) != 0)
			to = from + m->depth;
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
		at = to < from ? -1 : find(e->buf, (size_t)from, (size_t)to, needle, m->len, nocase);
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
	bool retry = i + 1 < e->n && is_relative(&e->m[i + 1]);
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

static bool eval_from(struct eval *e, uint32_t i, size_t prev_end)
{
	if (i == e->n)
		return true;
	if (++e->steps > EVAL_STEPS_MAX) {
		e->over = true;
		return false;
	}
	return e->m[i].type == IMAGE_PCRE ? eval_pcre(e, i, prev_end) : eval_content(e, i, prev_end);
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

	if (buffer.len == 0)
		return false;
	holds = eval_from(&e, 0, 0);
	if (e.over)
		counters->v[CNT_EVAL_LIMIT]++;
	return holds;
}

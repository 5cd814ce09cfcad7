// SPDX-License-Identifier: BSD-2-Clause
// A chain is a match and the relative ones after it. "distance:d; within:w" between A and B means that B starts
// d bytes or more behind A's end and ends w + d or less behind it: A (?s:.){d,d+w-len(B)} B.
#include "rules/fold.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "rules/pcre_size.h"

struct text {
	char *p;
	size_t len, cap;
	bool failed;
};

__attribute__((format(printf, 2, 3))) static void text_add(struct text *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (t->failed)
		return;
	va_start(ap, fmt);
	n = vsnprintf(t->p + t->len, t->cap - t->len, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= t->cap - t->len)
		t->failed = true;
	else
		t->len += (size_t)n;
}

static void text_content(struct text *t, const struct rule_match *m)
{
	if ((m->flags & RULE_NOCASE) != 0)
		text_add(t, "(?i:");
	for (uint32_t i = 0; i < m->len; i++)
		text_add(t, "\\x%02x", m->data[i]);
	if ((m->flags & RULE_NOCASE) != 0)
		text_add(t, ")");
	if ((m->flags & RULE_ENDSWITH) != 0)
		text_add(t, "\\z");
}

// (?s:.){min,max}; max UINT32_MAX: unbounded
static void text_gap(struct text *t, uint32_t min, uint32_t max)
{
	if (min == 0 && max == 0)
		return;
	if (max != UINT32_MAX)
		text_add(t, "(?s:.){%u,%u}", min, max);
	else if (min == 0)
		text_add(t, "(?s:.)*");
	else
		text_add(t, "(?s:.){%u,}", min);
}

// Does the pattern look at where it starts or at the byte before? Conservative.
static bool pcre_is_absolute(const struct rule_match *m)
{
	if ((m->pcre_flags & RULE_PCRE_A) != 0)
		return true;
	for (uint32_t i = 0; i < m->len; i++) {
		if (m->data[i] == '^' && (i == 0 || m->data[i - 1] != '['))
			return true;
		if (m->data[i] == '\\' && i + 1 < m->len) {
			i++;
			if (m->data[i] == 'A' || m->data[i] == 'b' || m->data[i] == 'B' ||
			    m->data[i] == 'G')
				return true;
		}
	}
	return false;
}

static void text_pcre(struct text *t, const struct rule_match *m, bool chained)
{
	static const struct {
		uint16_t flag;
		char letter;
	} modes[] = {
		{RULE_PCRE_I, 'i'}, {RULE_PCRE_S, 's'}, {RULE_PCRE_M, 'm'}, {RULE_PCRE_X, 'x'}};
	const uint8_t *data = m->data;
	int len = m->len;

	// Behind another match "^" means right there.
	if (chained && len > 0 && data[0] == '^') {
		data++;
		len--;
	} else if (chained) {
		text_gap(t, 0, UINT32_MAX);
	} else if ((m->pcre_flags & RULE_PCRE_A) != 0) {
		text_add(t, "\\A");
	}
	text_add(t, "(?");
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		if ((m->pcre_flags & modes[i].flag) != 0)
			text_add(t, "%c", modes[i].letter);
	// A comment in an extended pattern must not swallow the parenthesis.
	text_add(t, ":%.*s%s)", len, (const char *)data,
		 (m->pcre_flags & RULE_PCRE_X) != 0 ? "\n" : "");
}

// The expression of a pcre on its own. NULL: no memory.
static char *pcre_expr(struct rules *rs, const struct rule_match *m)
{
	struct text t = {.cap = 64 + (size_t)m->len};

	t.p = rules_alloc(rs, t.cap);
	if (t.p == NULL)
		return NULL;
	text_pcre(&t, m, false);
	return t.failed ? NULL : t.p;
}

static bool is_plain_char(uint8_t c)
{
	return strchr("\\^$.[]|()?*+{}", c) == NULL && c >= 0x20 && c < 0x7f;
}

// The literal a pattern must begin with: an anchor with no look-back but itself.
static struct plan_literal pcre_literal(struct rules *rs, const struct rule_match *m)
{
	struct plan_literal l = {0};
	uint8_t *lit;
	uint32_t n = 0, i = 0;

	if ((m->pcre_flags & RULE_PCRE_X) != 0 || memchr(m->data, '|', m->len) != NULL)
		return l;
	lit = rules_alloc(rs, m->len);
	if (lit == NULL)
		return l;
	while (i < m->len) {
		uint32_t from = i;
		uint8_t c = m->data[i++];

		if (c == '\\' && i < m->len &&
		    !((m->data[i] | 0x20) >= 'a' && (m->data[i] | 0x20) <= 'z') &&
		    !(m->data[i] >= '0' && m->data[i] <= '9'))
			c = m->data[i++];
		else if (c == '\\' && i + 2 < m->len && m->data[i] == 'x') {
			unsigned int v;
			char hex[3] = {(char)m->data[i + 1], (char)m->data[i + 2], '\0'};
			char *end;

			v = (unsigned int)strtoul(hex, &end, 16);
			if (*end != '\0')
				break;
			c = (uint8_t)v;
			i += 3;
		} else if (!is_plain_char(c))
			break;
		// A quantifier makes this byte optional or repeated: it ends the literal before it.
		if (i < m->len && strchr("?*{", m->data[i]) != NULL) {
			i = from;
			break;
		}
		lit[n++] = c;
		if (i < m->len && m->data[i] == '+')
			break;
	}
	if (n < 2)
		return l;
	l.bytes = span_of(lit, n);
	l.nocase = (m->pcre_flags & RULE_PCRE_I) != 0;
	l.bits = plan_literal_bits(l.bytes, l.nocase);
	l.lookback = n;
	return l;
}

static int refuse(const struct rule *r, const struct rule_match *m, struct diag *d, const char *why)
{
	diag_set(d, r->file, r->line, m->column, "%s on %s: %s",
		 m->n_transforms > 0       ? "a transform"
		 : m->number != NULL       ? "a number"
		 : m->type == RULE_PCRE    ? "pcre"
		 : m->type == RULE_DATASET ? "dataset"
					   : "content",
		 buffer_info(m->buffer)->keyword, why);
	return -EINVAL;
}

static bool is_relative(const struct rule_match *m)
{
	return (m->flags & (RULE_DISTANCE | RULE_WITHIN | RULE_PCRE_RELATIVE)) != 0;
}

// The first match of a chain: positions count from the start of the buffer.
static int fold_first(struct rules *rs, const struct rule *r, const struct rule_match *m,
		      bool alone, struct text *t, struct plan_term *term, uint32_t *io_span,
		      struct diag *d)
{
	int64_t from = 0, to = -1; // window of the match: [from, to)

	term->negated = (m->flags & RULE_NEGATED) != 0;
	if (m->type == RULE_PCRE && (m->pcre_flags & RULE_PCRE_E) != 0)
		return refuse(r, m, d, "flag E has no expression in a stream");
	if (m->type == RULE_PCRE) {
		term->absolute = pcre_is_absolute(m);
		term->from_start = (m->pcre_flags & RULE_PCRE_A) != 0 ||
				   (term->absolute && (m->data[0] == '^' ||
						       memmem(m->data, m->len, "\\A", 2) != NULL));
		if (!term->absolute && !term->negated)
			term->literal = pcre_literal(rs, m);
		*io_span = UINT32_MAX;
		text_pcre(t, m, false);
		return 0;
	}
	if ((m->flags & RULE_OFFSET) != 0)
		from = m->offset;
	if ((m->flags & RULE_DEPTH) != 0)
		to = from + m->depth;
	if ((m->flags & RULE_DISTANCE) != 0)
		from = m->distance;
	if ((m->flags & RULE_WITHIN) != 0)
		to = from + m->within;
	if (from < 0)
		from = 0;
	if ((m->flags & (RULE_DEPTH | RULE_WITHIN)) != 0 && to - from < m->len)
		return refuse(r, m, d, "it cannot match: longer than its window");
	term->absolute = term->from_start = from > 0 || to >= 0;
	if (alone) {
		term->min_end = from > 0 ? (uint64_t)from + m->len : 0;
		term->max_end = to >= 0 ? (uint64_t)to : UINT64_MAX;
		term->plain = (m->flags & (RULE_ENDSWITH | RULE_NEGATED)) == 0;
	} else if (term->absolute) {
		if (from > PLAN_GAP_MAX || to - from > PLAN_GAP_MAX)
			return refuse(r, m, d, "a chain with an offset or depth over 32767");
		text_add(t, "\\A");
		text_gap(t, (uint32_t)from, to >= 0 ? (uint32_t)(to - m->len) : UINT32_MAX);
	}
	text_content(t, m);
	*io_span = m->len;
	if (!term->negated) {
		term->literal.bytes = span_of(m->data, m->len);
		term->literal.nocase = (m->flags & RULE_NOCASE) != 0;
		term->literal.bits = plan_literal_bits(term->literal.bytes, term->literal.nocase);
		if ((m->flags & (RULE_FAST_PATTERN | RULE_FAST_PATTERN_ONLY)) != 0)
			term->literal.bits += PLAN_FAST_PATTERN_BITS;
		term->literal.lookback = m->len;
		// Few buffers have it just there: it wakes the rule early enough for all of the buffer to be at hand.
		if (to >= 0 && to <= PLAN_LOOKBACK_MAX) {
			term->start = term->literal;
			term->start.lookback = (uint32_t)to;
			term->start_min = (uint64_t)from + m->len;
			term->start_max = (uint64_t)to;
		}
	}
	return 0;
}

// A later match of a chain. *io_span: longest distance from the chain's start to the end of what came before.
static int fold_next(const struct rule *r, const struct rule_match *m, struct text *t,
		     struct plan_term *term, uint32_t *io_span, struct diag *d)
{
	int64_t min = 0, max = -1;
	struct plan_literal l = {.bytes = span_of(m->data, m->len)};

	if ((m->flags & RULE_NEGATED) != 0)
		return refuse(r, m, d,
			      "a negated match relative to another is not supported in a stream");
	if (m->type == RULE_PCRE && (m->pcre_flags & RULE_PCRE_E) != 0)
		return refuse(r, m, d, "flag E has no expression in a stream");
	if (m->type == RULE_PCRE) {
		*io_span = UINT32_MAX;
		text_pcre(t, m, true);
		return 0;
	}
	if ((m->flags & RULE_DISTANCE) != 0)
		min = m->distance;
	if ((m->flags & RULE_WITHIN) != 0)
		max = min + m->within - m->len;
	if (min < 0)
		return refuse(r, m, d, "a negative distance is not supported in a stream");
	if (min > PLAN_GAP_MAX || max > PLAN_GAP_MAX)
		return refuse(r, m, d,
			      "a distance or within over 32767 is not supported in a stream");
	if ((m->flags & RULE_WITHIN) != 0 && max < min)
		return refuse(r, m, d, "it cannot match: longer than its within");
	text_gap(t, (uint32_t)min, max >= 0 ? (uint32_t)max : UINT32_MAX);
	text_content(t, m);
	if (max < 0 || *io_span == UINT32_MAX)
		*io_span = UINT32_MAX;
	else
		*io_span += (uint32_t)max + m->len;
	l.nocase = (m->flags & RULE_NOCASE) != 0;
	l.bits = plan_literal_bits(l.bytes, l.nocase);
	l.lookback = *io_span;
	if ((m->flags & (RULE_FAST_PATTERN | RULE_FAST_PATTERN_ONLY)) != 0)
		l.bits += PLAN_FAST_PATTERN_BITS;
	if (l.bits > term->rare.bits)
		term->rare = l;
	// A later literal is an anchor only if the bytes before it are still at hand when it matches.
	if (l.lookback <= PLAN_LOOKBACK_MAX && l.bits > term->literal.bits)
		term->literal = l;
	return 0;
}

// Can a relative pcre only match right where it starts?
static bool pcre_is_anchored(const struct rule_match *m)
{
	int depth = 0;

	if ((m->pcre_flags & RULE_PCRE_A) != 0)
		return true;
	if (m->data[0] != '^' || (m->pcre_flags & (RULE_PCRE_M | RULE_PCRE_X)) != 0)
		return false;
	for (uint32_t i = 1; i < m->len; i++) {
		switch (m->data[i]) {
		case '\\':
			i++;
			break;
		case '[': // a class: "|" and parentheses stand for themselves; "]" may be its first
			for (i += i + 1 < m->len && m->data[i + 1] == '^' ? 2 : 1;
			     i + 1 < m->len && m->data[i + 1] != ']'; i++)
				if (m->data[i] == '\\')
					i++;
			i++;
			break;
		case '(':
			depth++;
			break;
		case ')':
			depth--;
			break;
		case '|':
			if (depth <= 0)
				return false;
			break;
		}
	}
	return true;
}

// Longest distance from the start of a match to that of the next one in its link, or UINT32_MAX: another link begins.
static uint32_t link_step(const struct rule_match *m)
{
	int64_t min = (m->flags & RULE_DISTANCE) != 0 ? m->distance : 0;

	return (m->flags & RULE_WITHIN) != 0 ? (uint32_t)(min + m->within - m->len) : UINT32_MAX;
}

// Cut the contents [from, to) of a chain into links. False: one would be too long.
static bool links_cut(const struct rule *r, const struct plan_cond *c, uint32_t from, uint32_t to,
		      struct plan_term *term)
{
	struct plan_link *l = NULL;
	uint32_t best = 0, span = 0;

	for (uint32_t i = from; i < to; i++) {
		const struct rule_match *m = &r->matches[c->matches[i]];
		uint32_t step = i > from ? link_step(m) : UINT32_MAX;
		uint32_t bits =
			plan_literal_bits(span_of(m->data, m->len), (m->flags & RULE_NOCASE) != 0);

		// What only the buffer's end decides stands at the end.
		if ((m->flags & RULE_ENDSWITH) != 0 && i + 1 < to)
			return false;
		if (step == UINT32_MAX) {
			l = &term->links[term->n_links++];
			*l = (struct plan_link){.first = i};
			best = span = 0;
		} else {
			span += step;
		}
		span += m->len;
		if (bits > best) {
			best = bits;
			l->anchor = l->n;
		}
		l->n++;
		l->span = span;
		if (span > IMAGE_SPAN_MAX)
			return false;
	}
	return true;
}

// The chain as links and, if need be, an expression behind them. What cannot be said so stays an expression altogether.
static int fold_links(struct rules *rs, const struct rule *r, const struct plan_cond *c,
		      uint32_t from, uint32_t to, struct plan_term *term, struct diag *d)
{
	const struct rule_match *last = &r->matches[c->matches[to - 1]];
	uint32_t contents = from;

	term->tail_expr = term->expr;
	while (contents < to && r->matches[c->matches[contents]].type == RULE_CONTENT)
		contents++;
	if (contents == from || to - contents > 1)
		return 0;
	if (contents < to && (r->matches[c->matches[to - 2]].flags & RULE_ENDSWITH) != 0)
		return 0;
	term->links = rules_alloc(rs, (contents - from) * sizeof(*term->links));
	if (term->links == NULL)
		return -ENOMEM;
	if (!links_cut(r, c, from, contents, term)) {
		term->n_links = 0;
		return 0;
	}
	term->tail_expr = NULL;
	if (contents == to)
		return 0;
	if (pcre_is_anchored(last)) {
		term->links[term->n_links - 1].n++;
		return 0;
	}
	// Its own stream starts where the first of possible places is: it must not look at what is before it.
	if (pcre_is_absolute(last))
		return refuse(r, last, d, "a pcre that looks at where it starts");
	term->tail_expr = pcre_expr(rs, last);
	return term->tail_expr == NULL ? -ENOMEM : 0;
}

static int fold_chain(struct rules *rs, const struct rule *r, const struct plan_cond *c,
		      uint32_t from, uint32_t to, struct plan_term *term, struct diag *d)
{
	struct text t = {0};
	uint32_t span = 0;
	int err;

	for (uint32_t i = from; i < to; i++)
		t.cap += 64 + 4 * (size_t)r->matches[c->matches[i]].len;
	t.p = rules_alloc(rs, t.cap);
	if (t.p == NULL)
		return -ENOMEM;
	term->expr = t.p;
	term->max_end = UINT64_MAX;
	err = fold_first(rs, r, &r->matches[c->matches[from]], to - from == 1, &t, term, &span, d);
	term->rare = term->literal;
	for (uint32_t i = from + 1; i < to && err == 0; i++)
		err = fold_next(r, &r->matches[c->matches[i]], &t, term, &span, d);
	if (err == 0 && t.failed)
		return -ENOMEM;
	return err < 0 ? err : fold_links(rs, r, c, from, to, term, d);
}

int fold_cond(struct rules *rs, const struct rule *r, struct plan_cond *c, struct diag *d)
{
	uint32_t from = 0;
	uint64_t size = 0, spread = 0;

	for (uint32_t i = 0; i < c->n_matches; i++) {
		const struct rule_match *m = &r->matches[c->matches[i]];

		if (m->number != NULL || m->type == RULE_DATASET || (m->flags & RULE_VARS) != 0 ||
		    c->n_transforms > 0)
			return refuse(r, m, d, "no literal before it can wake it in a stream");
		if (m->type == RULE_PCRE) {
			struct pcre_size z = pcre_size(span_of(m->data, m->len));

			size += z.size;
			spread += z.spread;
		}
		if (size > PCRE_SIZE_MAX || spread > PCRE_SPREAD_MAX)
			return refuse(r, m, d,
				      "with its repeats written out it is too long to be compiled "
				      "for a stream: make them smaller, or add a content");
	}
	c->terms = rules_alloc(rs, c->n_matches * sizeof(*c->terms));
	if (c->terms == NULL)
		return -ENOMEM;
	while (from < c->n_matches) {
		uint32_t to = from + 1;
		int err;

		// A relative match belongs to the chain of the match before it; a negated one starts no chain.
		while (to < c->n_matches && is_relative(&r->matches[c->matches[to]]))
			to++;
		if (to - from > 1 && (r->matches[c->matches[from]].flags & RULE_NEGATED) != 0)
			return refuse(r, &r->matches[c->matches[from + 1]], d,
				      "relative to a negated match");
		if (c->n_terms == IMAGE_TERMS_PER_COND_MAX)
			return refuse(r, &r->matches[c->matches[from]], d,
				      "too many separate matches");
		err = fold_chain(rs, r, c, from, to, &c->terms[c->n_terms++], d);
		if (err < 0)
			return err;
		from = to;
	}
	return 0;
}

const char *fold_gate(struct rules *rs, const struct rule *r, const struct plan_cond *c)
{
	for (uint32_t i = 0; i < c->n_matches; i++) {
		const struct rule_match *m = &r->matches[c->matches[i]];

		if (m->type == RULE_PCRE &&
		    (m->flags & (RULE_NEGATED | RULE_DECODED | RULE_PCRE_RELATIVE)) == 0 &&
		    (m->pcre_flags & (RULE_PCRE_A | RULE_PCRE_E)) == 0 && !pcre_is_absolute(m))
			return pcre_expr(rs, m);
	}
	return NULL;
}

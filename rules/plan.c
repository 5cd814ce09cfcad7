// SPDX-License-Identifier: BSD-2-Clause
#include "rules/plan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "rules/fold.h"

enum {
	HEAD_BITS_MIN = 24, // a head literal this selective gates a body

	ANCHOR_BITS_MIN = 20, // an anchor this selective needs no better one
	WINDOW_GAIN = 12,     // bits by which a literal without a bounded look-back must be better
	COMMON_BITS = 10,     // of strings that most messages contain
};

// About -log2 of a byte's share in HTTP traffic (text, markup, some binary), rounded.
static uint32_t byte_bits(uint8_t c)
{
	static const char common[] = " etaoinsr", usual[] = "hldcump0123456789/.-=\"<>\r\n",
			  rarer[] = "fgwybkv:;,_&()";

	if (c == 0 || (c != 0 && strchr(usual, c) != NULL))
		return 5;
	if (strchr(common, c) != NULL)
		return 4;
	if (strchr(rarer, c) != NULL || (c >= 'A' && c <= 'Z'))
		return 6;
	return c < 0x20 || c >= 0x7f ? 8 : 7;
}

// Found in most messages whatever they are about; a piece of one selects nothing.
static const char *const common_strings[] = {
	"<script type=\"text/javascript\"",
	"</script>",
	"<html><head><title>",
	"</title>",
	"<body>",
	"</body></html>",
	"<iframe src=\"",
	"<object",
	"<!doctype html",
	"<img src=\"",
	"<a href=\"http://www.",
	"https://www.",
	".com/",
	"document.write(",
	"document.getelementbyid(",
	"function()",
	"function(",
	"return ",
	"window.location",
	"var ",
	"content-type: text/html",
	"content-type: application/x-www-form-urlencoded",
	"\r\ncontent-type: text/html; charset=utf-8\r\n",
	"\r\ncontent-type: application/javascript",
	"\r\ncontent-type: application/json",
	"\r\ncontent-type: text/css",
	"image/jpeg",
	"image/png",
	"image/gif",
	"text/plain",
	"text/xml",
	"application/xml",
	"text/javascript",
	"multipart/form-data; boundary=",
	"</form>",
	"</html>",
	"identity",
	"content-disposition: form-data; name=\"",
	"content-length: ",
	"accept-language: en-us",
	"accept-encoding: gzip, deflate",
	"user-agent: mozilla/5.0 (windows nt 10.0; win64; x64) applewebkit/537.36",
	"mozilla/4.0 (compatible; msie ",
	"connection: keep-alive\r\n",
	"cache-control: no-cache\r\n",
	"referer: http://",
	"host: www.",
	"cookie: ",
	"accept: */*\r\n",
	"http/1.1 200 ok\r\n",
	"index.php?",
	"index.html",
	"/images/",
	".php?id=",
	"?id=",
	"&id=",
	".aspx",
	".html",
	".jpg",
	".gif",
	".png",
	".css",
	".js",
	".php",
	".asp",
	".exe",
	"get",
	"post",
	"head",
	"put",
	"options",
	"http/1.1",
	"http/1.0",
	"200",
	"302",
	"301",
	"404",
	"\r\n\r\n",
	"unescape(",
	"eval(",
	"string.fromcharcode(",
	"classid=\"clsid:",
	"application/octet-stream",
	"filename=\"",
};

static bool is_common(struct span s)
{
	for (size_t i = 0; i < sizeof(common_strings) / sizeof(common_strings[0]); i++) {
		const char *c = common_strings[i];
		size_t n = strlen(c);

		for (size_t at = 0; at + s.len <= n; at++)
			if (span_eq_nocase(s, span_of(c + at, s.len)))
				return true;
	}
	return false;
}

uint32_t plan_literal_bits(struct span s, bool nocase)
{
	uint32_t bits = 0;

	for (size_t i = 0; i < s.len; i++) {
		uint32_t b = byte_bits(s.data[i]);

		if (i > 0 && s.data[i] == s.data[i - 1])
			b /= 2; // runs: padding, spaces, zeros
		bits += b;
	}
	// Letters follow each other far from at random: text has about 60 % of that.
	bits = bits * 6 / 10 + 1;
	if (nocase)
		bits -= bits / 10;
	if (is_common(s) && bits > COMMON_BITS)
		bits = COMMON_BITS;
	return bits;
}

uint32_t plan_pcre_options(const struct rule_match *m)
{
	uint32_t o = PCRE2_NEVER_UTF | PCRE2_NEVER_UCP | PCRE2_NEVER_BACKSLASH_C;

	if ((m->pcre_flags & RULE_PCRE_I) != 0)
		o |= PCRE2_CASELESS;
	if ((m->pcre_flags & RULE_PCRE_S) != 0)
		o |= PCRE2_DOTALL;
	if ((m->pcre_flags & RULE_PCRE_M) != 0)
		o |= PCRE2_MULTILINE;
	if ((m->pcre_flags & RULE_PCRE_X) != 0)
		o |= PCRE2_EXTENDED;
	if ((m->pcre_flags & RULE_PCRE_A) != 0)
		o |= PCRE2_ANCHORED;
	if ((m->pcre_flags & RULE_PCRE_E) != 0)
		o |= PCRE2_DOLLAR_ENDONLY;
	if ((m->pcre_flags & RULE_PCRE_G) != 0)
		o |= PCRE2_UNGREEDY;
	return o;
}

// A response body is one file: one scan serves both. That of a request may hold several.
enum buffer plan_slot(enum buffer buffer)
{
	return buffer == BUF_RESPONSE_BODY ? BUF_FILE_DATA : buffer;
}

static int pcre_check(const struct rule *r, const struct rule_match *m, struct diag *d)
{
	int err;
	PCRE2_SIZE at;
	pcre2_code *code = pcre2_compile(m->data, m->len, plan_pcre_options(m), &err, &at, NULL);

	if (code == NULL) {
		char text[160];

		pcre2_get_error_message(err, (PCRE2_UCHAR *)text, sizeof(text));
		diag_set(d, r->file, r->line, m->column + (uint32_t)at, "pcre: %s", text);
		return -EINVAL;
	}
	pcre2_code_free(code);
	return 0;
}

// Sizes are quickly checked and have no position: they come first.
static void sizes_first(const struct rule *r, struct plan_cond *c)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < c->n_matches; i++) {
		uint32_t m = c->matches[i];

		if (r->matches[m].type != RULE_SIZE || (r->matches[m].flags & RULE_DECODED) != 0)
			continue;
		memmove(c->matches + n + 1, c->matches + n, (i - n) * sizeof(*c->matches));
		c->matches[n++] = m;
	}
}

// What looks at decoded bytes stands right behind what decodes them.
static void decoded_together(const struct rule *r, struct plan_cond *c)
{
	uint32_t to = UINT32_MAX;

	for (uint32_t i = 0; i < c->n_matches; i++) {
		uint32_t m = c->matches[i];

		if (r->matches[m].type == RULE_BASE64)
			to = i + 1;
		if ((r->matches[m].flags & RULE_DECODED) == 0 || to > i)
			continue;
		memmove(c->matches + to + 1, c->matches + to, (i - to) * sizeof(*c->matches));
		c->matches[to++] = m;
	}
}

static bool same_transforms(const struct plan_cond *c, const struct rule_match *m)
{
	if (c->n_transforms != m->n_transforms)
		return false;
	for (int i = 0; i < c->n_transforms; i++) {
		const struct rule_transform *a = &c->transforms[i], *b = &m->transforms[i];

		if (a->type != b->type ||
		    !span_eq(span_of(a->data, a->len), span_of(b->data, b->len)))
			return false;
	}
	return true;
}

// Group the rule's matches by database slot, in the order in which buffers are at hand.
static int group(struct rules *rs, const struct rule *r, struct plan *p, struct diag *d)
{
	for (int stage = BUFFER_HEAD; stage <= BUFFER_STREAM; stage++) {
		for (uint32_t i = 0; i < r->n_matches; i++) {
			const struct rule_match *m = &r->matches[i];
			struct plan_cond *c = NULL;
			enum buffer slot = plan_slot(m->buffer);

			if (buffer_info(m->buffer)->stage != stage)
				continue;
			for (int j = 0; j < p->n_conds; j++)
				if (p->conds[j].slot == slot && same_transforms(&p->conds[j], m))
					c = &p->conds[j];
			if (c == NULL) {
				if (p->n_conds == IMAGE_CONDS_PER_RULE_MAX) {
					diag_set(d, r->file, r->line, 0, "more than %d buffers",
						 IMAGE_CONDS_PER_RULE_MAX);
					return -EINVAL;
				}
				c = &p->conds[p->n_conds++];
				c->buffer = m->buffer;
				c->slot = (uint8_t)slot;
				c->transforms = m->transforms;
				c->n_transforms = m->n_transforms;
				c->mode = stage == BUFFER_STREAM ? IMAGE_COND_GATED
					  : stage == BUFFER_FILE ? IMAGE_COND_FILE
								 : IMAGE_COND_HEAD;
				c->sig_max_end = UINT64_MAX;
				c->matches = rules_alloc(rs, r->n_matches * sizeof(uint32_t));
				if (c->matches == NULL)
					return -ENOMEM;
			}
			c->matches[c->n_matches++] = i;
		}
	}
	for (int i = 0; i < p->n_conds; i++) {
		sizes_first(r, &p->conds[i]);
		decoded_together(r, &p->conds[i]);
	}
	return 0;
}

// Matches that are evaluated directly: check them, find the best literal.
static int plan_evaluated(const struct rule *r, struct plan_cond *c, struct diag *d)
{
	if (c->n_matches + (c->n_transforms > 0) > IMAGE_MATCHES_PER_COND_MAX) {
		diag_set(d, r->file, r->line, 0, "more than %d matches on %s",
			 IMAGE_MATCHES_PER_COND_MAX, buffer_info(c->buffer)->keyword);
		return -EINVAL;
	}
	for (uint32_t i = 0; i < c->n_matches; i++) {
		const struct rule_match *m = &r->matches[c->matches[i]];
		struct plan_literal l = {.bytes = span_of(m->data, m->len)};
		int err;

		if (m->type == RULE_PCRE) {
			err = pcre_check(r, m, d);
			if (err < 0)
				return err;
			continue;
		}
		if (m->type != RULE_CONTENT || (m->flags & (RULE_NEGATED | RULE_DECODED)) != 0 ||
		    c->n_transforms > 0)
			continue;
		l.nocase = (m->flags & RULE_NOCASE) != 0;
		l.bits = plan_literal_bits(l.bytes, l.nocase);
		if ((m->flags & (RULE_FAST_PATTERN | RULE_FAST_PATTERN_ONLY)) != 0)
			l.bits += PLAN_FAST_PATTERN_BITS;
		// Field names come in every message, whatever they spell.
		if (m->buffer == BUF_HEADER_NAMES && l.bits > COMMON_BITS)
			l.bits = COMMON_BITS;
		if (l.bits > c->literal.bits)
			c->literal = l;
	}
	return 0;
}

// Choose how a stream condition that represents its rule wakes up. False: it has no literal to wake it.
static bool stream_mode(struct plan_cond *c)
{
	const struct plan_term *only = NULL;
	const struct plan_literal *bounded = NULL, *any = NULL;
	int positive = 0;

	if (c->buffered) {
		c->mode = c->literal.bits > 0 ? IMAGE_COND_WINDOW : IMAGE_COND_GATED;
		c->literal.lookback = UINT32_MAX;
		return c->literal.bits > 0;
	}
	for (int i = 0; i < c->n_terms; i++) {
		const struct plan_term *t = &c->terms[i];

		if (t->negated)
			continue;
		positive++;
		only = t;
		if (t->rare.bits > 0 && (any == NULL || t->rare.bits > any->bits))
			any = &t->rare;
		if (t->literal.bits > 0 && t->literal.lookback != UINT32_MAX && !t->absolute)
			bounded = &t->literal;
	}
	if (positive == 0)
		return false;
	if (positive == 1 && c->n_terms == 1 && only->plain) {
		c->mode = IMAGE_COND_EXACT;
		c->literal = only->literal;
		c->sig_min_end = only->min_end;
		c->sig_max_end = only->max_end;
		return true;
	}
	for (int i = 0; i < c->n_terms; i++) {
		const struct plan_term *t = &c->terms[i];

		if (t->negated || t->start.bits == 0)
			continue;
		c->mode = IMAGE_COND_ANCHOR;
		c->literal = t->start;
		c->sig_min_end = t->start_min;
		c->sig_max_end = t->start_max;
		return true;
	}
	if (any == NULL) {
		if (positive != 1 || c->n_terms != 1)
			return false;
		c->mode = IMAGE_COND_EXACT;
		c->sig_expr = only->expr;
		c->sig_min_end = only->min_end;
		c->sig_max_end = only->max_end;
		return true;
	}
	if (positive == 1 && c->n_terms == 1 && bounded != NULL &&
	    (bounded->bits >= ANCHOR_BITS_MIN || any->bits < bounded->bits + WINDOW_GAIN)) {
		c->mode = IMAGE_COND_ANCHOR;
		c->literal = *bounded;
		return true;
	}
	c->mode = IMAGE_COND_WINDOW;
	c->literal = *any;
	c->literal.lookback = UINT32_MAX;
	return true;
}

static uint8_t dirs_of(const struct rule *r)
{
	uint8_t dirs = 3;

	if ((r->flow & RULE_FLOW_TO_SERVER) != 0)
		dirs = 1;
	else if ((r->flow & RULE_FLOW_TO_CLIENT) != 0)
		dirs = 2;
	for (uint32_t i = 0; i < r->n_matches; i++)
		dirs &= buffer_info(r->matches[i].buffer)->dirs;
	return dirs;
}

bool plan_is_file_rule(const struct plan *p)
{
	for (int i = 0; i < p->n_conds; i++)
		if (p->conds[i].mode != IMAGE_COND_FILE)
			return false;
	return p->has_file;
}

static void represent(struct plan *p)
{
	int head = -1, raw = -1, body = -1, n_head = 0;

	for (int i = 0; i < p->n_conds; i++) {
		const struct plan_cond *c = &p->conds[i];

		if (c->mode == IMAGE_COND_HEAD) {
			n_head++;
			if (c->literal.bits > 0 &&
			    (head < 0 || c->literal.bits > p->conds[head].literal.bits))
				head = i;
		} else if (c->mode == IMAGE_COND_FILE) {
			p->has_file = true; // looked at when a file ends: nothing wakes it
		} else if (c->slot == BUF_RAW) {
			raw = i;
		} else if (body < 0 || c->n_transforms == 0) {
			body = i;
		}
	}
	p->represented_by = head;
	// Raw bytes pass before the head is complete: a raw condition always has its own signature.
	if (raw >= 0 && stream_mode(&p->conds[raw]))
		p->represented_by = raw;
	else if (body >= 0 && (head < 0 || p->conds[head].literal.bits < HEAD_BITS_MIN) &&
		 stream_mode(&p->conds[body]))
		p->represented_by = body;
	p->keep_head = p->represented_by >= 0 && n_head > 0 &&
		       p->conds[p->represented_by].mode != IMAGE_COND_HEAD;
}

// Is every condition either represented or woken by one that is? Something must be looked for before a window is evaluated.
static bool is_woken(const struct plan *p)
{
	return p->represented_by >= 0;
}

// Bodies may be evaluated without anything that wakes them if the rule counts or transforms bytes or looks them up: no literal could say that. Raw bytes
// pass before the head, on which such a rule wakes.
static bool may_always(const struct rule *r, const struct plan_cond *c)
{
	for (uint32_t i = 0; i < c->n_matches && c->slot != BUF_RAW; i++)
		if (r->matches[c->matches[i]].number != NULL ||
		    r->matches[c->matches[i]].type == RULE_DATASET)
			return true;
	return c->n_transforms > 0;
}

// Can the window hold what the match counts?
static int window_holds(const struct rule *r, const struct rule_match *m, struct diag *d)
{
	const struct number *n = m->number;
	uint64_t need;

	if (n == NULL || (m->type != RULE_SIZE && m->type != RULE_DATA_AT) ||
	    (n->flags & NUMBER_VAR_OFFSET) != 0)
		return 0;
	need = m->type == RULE_DATA_AT ? (uint64_t)n->offset
	       : n->value2 > n->value  ? n->value2
				       : n->value;
	if (need <= IMAGE_TAIL_MAX)
		return 0;
	diag_set(d, r->file, r->line, m->column, "on %s no more than %d bytes can be counted",
		 buffer_info(m->buffer)->keyword, IMAGE_TAIL_MAX);
	return -EINVAL;
}

static int buffer_cond(const struct rule *r, struct plan_cond *c, struct diag *d)
{
	struct diag why = *d;
	int err;

	for (uint32_t i = 0; i < c->n_matches; i++) {
		err = window_holds(r, &r->matches[c->matches[i]], d);
		if (err < 0)
			return err;
	}
	c->buffered = true;
	c->n_terms = 0;
	c->sig_min_end = 0; // what an earlier plan may have set
	c->sig_max_end = UINT64_MAX;
	c->sig_expr = NULL;
	memset(&c->literal, 0, sizeof(c->literal));
	err = plan_evaluated(r, c, d);
	if (err == 0)
		*d = why;
	return err;
}

int plan_buffer_cond(struct plan *p, int cond, struct diag *d)
{
	int err = buffer_cond(p->rule, &p->conds[cond], d);

	if (err < 0)
		return err;
	for (int i = 0; i < p->n_conds; i++)
		if (!image_cond_is_whole(p->conds[i].mode))
			p->conds[i].mode = IMAGE_COND_GATED;
	represent(p);
	return is_woken(p) || may_always(p->rule, &p->conds[cond]) ? 0 : -EINVAL;
}

int plan_rule(struct rules *rs, const struct rule *r, struct plan *ret_plan, struct diag *d)
{
	struct plan *p = ret_plan;
	int err;

	memset(p, 0, sizeof(*p));
	p->rule = r;
	if ((r->flow & RULE_FLOW_NOT_ESTABLISHED) != 0) {
		diag_set(d, r->file, r->line, 0,
			 "flow:not_established is not supported: only connections that carry data "
			 "are inspected");
		diag_set_keyword(d, "flow");
		return -EINVAL;
	}
	p->dirs = dirs_of(r);
	if (p->dirs == 0) {
		diag_set(d, r->file, r->line, 0, "its buffers and flow option leave no direction");
		diag_set_keyword(d, "flow");
		return -EINVAL;
	}
	err = group(rs, r, p, d);
	for (int i = 0; i < p->n_conds && err == 0; i++) {
		if (image_cond_is_whole(p->conds[i].mode))
			err = plan_evaluated(r, &p->conds[i], d);
		else
			err = fold_cond(rs, r, &p->conds[i], d);
		if (err == -EINVAL && !image_cond_is_whole(p->conds[i].mode))
			err = buffer_cond(r, &p->conds[i], d);
	}
	if (err < 0)
		return err;
	represent(p);
	for (int i = 0; i < p->n_conds; i++)
		if (p->conds[i].buffered && !is_woken(p) && !may_always(r, &p->conds[i]))
			return -EINVAL; // why it cannot be matched as a stream stands in the diag
	return 0;
}

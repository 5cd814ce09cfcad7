// SPDX-License-Identifier: BSD-2-Clause
// What can only be said of a rule as a whole: does it have a sid, can its conditions hold in one
// message, do its modifiers go together whatever their order was.
#include "rules/image.h"
#include "rules/parse_rule.h"

#include <errno.h>

// A rule on segments looks at nothing else: heads and bodies are put together from several.
static int check_packets(struct parser *p)
{
	if ((p->r.flow & RULE_FLOW_NO_STREAM) != 0)
		p->r.packets = true;
	if (!p->r.packets)
		return 0;
	if ((p->r.flow & RULE_FLOW_ONLY_STREAM) != 0)
		return parse_fail(p, NULL,
				  "the rule looks at single packets (tcp-pkt, dsize), but flow "
				  "says only_stream");
	for (uint32_t i = 0; i < p->r.n_matches; i++) {
		struct rule_match *m = &p->match[i];

		if (m->buffer != BUF_RAW && m->buffer != BUF_PACKET)
			return parse_fail(p, p->match_at[i],
					  "%s in a rule that looks at single packets (tcp-pkt, "
					  "dsize, flow:no_stream): bsize is the size of a buffer",
					  buffer_info(m->buffer)->keyword);
		m->buffer = BUF_PACKET;
	}
	return 0;
}

static int check_fast_pattern(struct parser *p)
{
	const unsigned int positions = RULE_OFFSET | RULE_DEPTH | RULE_DISTANCE | RULE_WITHIN;
	const struct rule_match *m;

	if (p->fast_pattern < 0)
		return 0;
	m = &p->match[p->fast_pattern];
	if ((m->flags & RULE_NEGATED) != 0)
		return parse_fail(p, p->match_at[p->fast_pattern],
				  "fast_pattern on a negated content: it cannot be searched for");
	if ((m->flags & RULE_FAST_PATTERN_ONLY) != 0 && (m->flags & positions) != 0)
		return parse_fail(p, p->match_at[p->fast_pattern],
				  "fast_pattern:only does not go with offset, depth, distance or "
				  "within on one content");
	return 0;
}

static int check_host(struct parser *p, uint32_t i)
{
	const struct rule_match *m = &p->match[i];

	if ((m->flags & RULE_NOCASE) != 0)
		return parse_fail(
			p, p->match_at[i],
			"nocase on http.host: the buffer is lower case, leave nocase out");
	for (uint32_t k = 0; k < m->len; k++)
		if (m->data[k] >= 'A' && m->data[k] <= 'Z')
			return parse_fail(p, p->match_at[i],
					  "upper case in http.host: the buffer is lower case, "
					  "write the content so");
	return 0;
}

static int check_method(struct parser *p, uint32_t i)
{
	const struct rule_match *m = &p->match[i];
	uint8_t first = m->data[0], last = m->data[m->len - 1];

	if (first == ' ' || first == '\t' || last == ' ' || last == '\t')
		return parse_fail(
			p, p->match_at[i],
			"http.method has no blank at either end: the content can never match");
	return 0;
}

// A rule inspects one message: the direction of flow and those of the buffers must have one in
// common.
static int check_direction(struct parser *p)
{
	unsigned int dirs = 3, flow_dirs = 3;

	if ((p->r.flow & RULE_FLOW_TO_SERVER) != 0)
		flow_dirs = 1 << DIR_TO_SERVER;
	else if ((p->r.flow & RULE_FLOW_TO_CLIENT) != 0)
		flow_dirs = 1 << DIR_TO_CLIENT;
	for (uint32_t i = 0; i < p->r.n_matches; i++) {
		const struct buffer_info *info = buffer_info(p->match[i].buffer);

		if ((info->dirs & flow_dirs) == 0)
			return parse_fail(p, p->match_at[i], "%s is in %s but flow says %s",
					  info->keyword, info->dirs == 1 ? "requests" : "responses",
					  flow_dirs == 1 ? "to_server" : "to_client");
		if ((info->dirs & dirs) == 0)
			return parse_fail(p, p->match_at[i],
					  "%s is in %s, the buffers before it are in %s: a rule "
					  "looks at one message",
					  info->keyword, info->dirs == 1 ? "requests" : "responses",
					  info->dirs == 1 ? "responses" : "requests");
		dirs &= info->dirs;
	}
	return 0;
}

// ---- numbers ----

static bool same_buffer(const struct rule_match *a, const struct rule_match *b)
{
	return a->buffer == b->buffer && a->transforms == b->transforms &&
	       ((a->flags ^ b->flags) & RULE_DECODED) == 0;
}

static int check_var(struct parser *p, uint32_t i, bool used, int64_t var)
{
	const struct parse_var *v = &p->var[used ? var : 0];
	char word[PARSE_QUOTE_BYTES];

	if (!used || same_buffer(&p->match[i], &p->match[v->match]))
		return 0;
	return parse_fail(
		p, p->match_at[i], "variable \"%s\" is read in %s: it is known only there",
		parse_quote(word, v->name), buffer_info(p->match[v->match].buffer)->keyword);
}

// A value that was read in one buffer means nothing in another: they are looked at on their own.
static int check_vars(struct parser *p, uint32_t i)
{
	const struct rule_match *m = &p->match[i];
	const struct number *n = m->number;
	int ret;

	if (n != NULL) {
		ret = check_var(p, i, (n->flags & NUMBER_VAR_BYTES) != 0, n->bytes);
		if (ret == 0)
			ret = check_var(p, i, (n->flags & NUMBER_VAR_OFFSET) != 0, n->offset);
		if (ret == 0)
			ret = check_var(p, i, (n->flags & NUMBER_VAR_VALUE) != 0,
					(int64_t)n->value);
		return ret;
	}
	ret = check_var(p, i, (m->flags & RULE_VAR_OFFSET) != 0, m->offset);
	if (ret == 0)
		ret = check_var(p, i, (m->flags & RULE_VAR_DEPTH) != 0, m->depth);
	if (ret == 0)
		ret = check_var(p, i, (m->flags & RULE_VAR_DISTANCE) != 0, m->distance);
	if (ret == 0)
		ret = check_var(p, i, (m->flags & RULE_VAR_WITHIN) != 0, m->within);
	return ret;
}

// The largest size that a size test lets pass.
static uint64_t size_most(const struct number *n)
{
	switch (n->op) {
	case NUMBER_EQ:
	case NUMBER_LE:
		return n->value;
	case NUMBER_LT:
		return n->value > 0 ? n->value - 1 : 0;
	case NUMBER_INSIDE:
		return n->value2 - 1;
	}
	return UINT64_MAX;
}

// Content k must fit into what size test i lets pass.
static int check_size(struct parser *p, uint32_t i, uint32_t k)
{
	const struct rule_match *m = &p->match[k];
	uint64_t need = m->len, most = size_most(p->match[i].number);

	if (m->type != RULE_CONTENT || (m->flags & RULE_NEGATED) != 0 ||
	    !same_buffer(m, &p->match[i]))
		return 0;
	if ((m->flags & RULE_OFFSET) != 0 && (m->flags & RULE_VAR_OFFSET) == 0)
		need += (uint64_t)m->offset;
	if (need <= most)
		return 0;
	return parse_fail(p, p->match_at[i],
			  "%s has at most %llu bytes, a content needs %llu: it can never match",
			  buffer_info(m->buffer)->keyword, (unsigned long long)most,
			  (unsigned long long)need);
}

static bool is_white(uint8_t c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

// Is there a byte in the content that the last transform leaves in no buffer?
static bool transform_excludes(const struct rule_match *m, unsigned int transform)
{
	for (uint32_t i = 0; i < m->len; i++) {
		uint8_t c = m->data[i];

		switch (transform) {
		case TRANSFORM_STRIP_WHITESPACE:
			if (is_white(c))
				return true;
			break;
		case TRANSFORM_COMPRESS_WHITESPACE:
			if (is_white(c) && i > 0 && is_white(m->data[i - 1]))
				return true;
			break;
		case TRANSFORM_TO_LOWERCASE:
			if (c >= 'A' && c <= 'Z' && (m->flags & RULE_NOCASE) == 0)
				return true;
			break;
		case TRANSFORM_TO_UPPERCASE:
			if (c >= 'a' && c <= 'z' && (m->flags & RULE_NOCASE) == 0)
				return true;
			break;
		}
	}
	return false;
}

static int check_transforms(struct parser *p)
{
	for (uint32_t i = 0; i < p->r.n_matches; i++) {
		const struct rule_match *m = &p->match[i];

		if (m->type == RULE_CONTENT && m->n_transforms > 0 &&
		    (m->flags & (RULE_NEGATED | RULE_DECODED)) == 0 &&
		    transform_excludes(m, m->transforms[m->n_transforms - 1].type))
			return parse_fail(
				p, p->match_at[i],
				"the transform before it leaves no such bytes: the content "
				"can never match");
	}
	return 0;
}

static int check_base64(struct parser *p)
{
	bool any = false;

	for (uint32_t i = 0; i < p->r.n_matches; i++)
		any |= (p->match[i].flags & RULE_DECODED) != 0;
	if (p->base64 >= 0 && !any)
		return parse_fail(p, p->match_at[p->base64],
				  "base64_decode without base64_data and a content behind it");
	if (p->fast_pattern >= 0 && (p->match[p->fast_pattern].flags & RULE_DECODED) != 0)
		return parse_fail(p, p->match_at[p->fast_pattern],
				  "fast_pattern in base64_data: it cannot be searched for");
	return 0;
}

static int check_numbers(struct parser *p)
{
	int ret = 0;

	for (uint32_t i = 0; i < p->r.n_matches && ret == 0; i++) {
		ret = check_vars(p, i);
		if (p->match[i].type != RULE_SIZE)
			continue;
		for (uint32_t k = 0; k < p->r.n_matches && ret == 0; k++)
			ret = check_size(p, i, k);
	}
	return ret;
}

// The bytes of file.data are the file: of a size that is more than is kept of them only the file's end knows.
static void sizes_of_files(struct parser *p)
{
	for (uint32_t i = 0; i < p->r.n_matches; i++) {
		struct rule_match *m = &p->match[i];

		if (m->type != RULE_SIZE || m->buffer != BUF_FILE_DATA || m->n_transforms > 0 ||
		    (m->flags & RULE_DECODED) != 0 ||
		    (m->number->value <= IMAGE_TAIL_MAX && m->number->value2 <= IMAGE_TAIL_MAX))
			continue;
		m->type = RULE_FILE_SIZE;
		m->buffer = BUF_FILE;
	}
}

int parse_check(struct parser *p)
{
	int ret = 0;

	if (p->r.sid == 0)
		return parse_fail(p, NULL, "the rule has no sid: add sid:NUMBER;");
	if (p->sticky_at != NULL)
		return parse_fail(p, p->sticky_at, "%s is not followed by a content or pcre",
				  buffer_info((unsigned int)p->sticky)->keyword);
	ret = check_packets(p);
	for (uint32_t i = 0; i < p->r.n_matches && ret == 0; i++) {
		if (p->match[i].type != RULE_CONTENT || p->match[i].n_transforms > 0 ||
		    (p->match[i].flags & RULE_DECODED) != 0)
			continue;
		if (p->match[i].buffer == BUF_HOST)
			ret = check_host(p, i);
		else if (p->match[i].buffer == BUF_METHOD)
			ret = check_method(p, i);
	}
	if (ret == 0)
		ret = check_fast_pattern(p);
	if (ret == 0)
		ret = check_numbers(p);
	if (ret == 0)
		ret = check_transforms(p);
	if (ret == 0)
		ret = check_base64(p);
	if (ret == 0)
		ret = check_direction(p);
	if (ret == 0)
		sizes_of_files(p);
	return ret;
}

// SPDX-License-Identifier: BSD-2-Clause
// Transforms, which stand behind a sticky buffer and before its first content; base64_decode, which takes bytes out of a
// buffer, and base64_data, behind which contents look at them.
#include "rules/parse_rule.h"

#include <errno.h>
#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

// The list so far and room for one more, in the arena: contents keep what they were given.
static struct rule_transform *list_more(struct parser *p)
{
	struct rule_transform *t = rules_alloc(p->rs, (p->n_transforms + 1u) * sizeof(*t));

	if (t != NULL && p->n_transforms > 0)
		memcpy(t, p->transforms, p->n_transforms * sizeof(*t));
	return t;
}

// "expression" of pcrexform: it compiles and captures something.
static int expression_take(struct parser *p, const struct option *o, struct rule_transform *t)
{
	struct text inner;
	uint32_t groups = 0;
	pcre2_code *code;
	PCRE2_SIZE at = 0;
	uint8_t *data;
	int error = 0;

	if (!text_unquote(o->value, &inner) || inner.n == 0 || inner.n > PARSE_PCRE_MAX)
		return parse_fail(p, o->value.s,
				  "write pcrexform:\"EXPRESSION\" with at most %d bytes",
				  PARSE_PCRE_MAX);
	code = pcre2_compile((PCRE2_SPTR)inner.s, inner.n, TRANSFORM_PCRE_OPTIONS, &error, &at,
			     NULL);
	if (code == NULL)
		return parse_fail(p, inner.s + (at < inner.n ? at : inner.n),
				  "pcrexform: the expression is broken here");
	pcre2_pattern_info(code, PCRE2_INFO_CAPTURECOUNT, &groups);
	pcre2_code_free(code);
	if (groups == 0)
		return parse_fail(p, o->value.s,
				  "pcrexform: the expression has no group (...) to keep");
	data = rules_alloc(p->rs, inner.n);
	if (data == NULL)
		return -ENOMEM;
	memcpy(data, inner.s, inner.n);
	t->data = data;
	t->len = (uint16_t)inner.n;
	return 0;
}

int parse_transform(struct parser *p, const struct option *o, int type)
{
	char word[PARSE_QUOTE_BYTES];
	struct rule_transform *t;
	int ret = 0;

	parse_quote(word, o->name);
	if (p->sticky < 0 || p->sticky_at == NULL || p->decoded)
		return parse_fail(p, o->name.s,
				  "%s stands behind a buffer and before its first content: "
				  "http.uri; %s; content:...",
				  word, word);
	if (p->n_transforms == TRANSFORMS_MAX)
		return parse_fail(p, o->name.s, "more than %d transforms on one buffer",
				  TRANSFORMS_MAX);
	t = list_more(p);
	if (t == NULL)
		return -ENOMEM;
	t[p->n_transforms].type = (uint8_t)type;
	if (type == TRANSFORM_PCREXFORM)
		ret = expression_take(p, o, &t[p->n_transforms]);
	p->transforms = t;
	p->n_transforms++;
	return ret;
}

// ---- base64 ----

int parse_base64_decode(struct parser *p, const struct option *o, int arg)
{
	struct text rest = o->value;
	bool relative = false;
	char word[PARSE_QUOTE_BYTES];
	uint64_t bytes = 0, offset = 0;
	struct number *n;
	int i;

	if (p->base64 >= 0)
		return parse_fail(p, o->name.s, "base64_decode is given twice");
	if (p->decoded)
		return parse_fail(p, o->name.s, "base64_decode does not look at base64_data");
	while (rest.n > 0) {
		struct text value = text_split(&rest, ','), name = text_split(&value, ' ');

		if (text_is(name, "relative") && value.n == 0)
			relative = true;
		else if (!(text_is(name, "bytes") &&
			   parse_unsigned(value, NUMBER_OFFSET_MAX, &bytes) == 0 && bytes > 0) &&
			 !(text_is(name, "offset") &&
			   parse_unsigned(value, NUMBER_OFFSET_MAX, &offset) == 0))
			return parse_fail(
				p, name.s,
				"base64_decode: \"%s\" is none of bytes N, offset N, relative "
				"(N up to 65535)",
				parse_quote(word, name));
	}
	i = parse_number_match(p, o, RULE_BASE64, relative, &n);
	if (i < 0)
		return i;
	n->bytes = (uint32_t)bytes;
	n->offset = (int32_t)offset;
	p->base64 = i;
	return 0;
}

int parse_base64_data(struct parser *p, const struct option *o, int arg)
{
	int ret;

	if (p->base64 < 0)
		return parse_fail(p, o->name.s, "base64_data needs a base64_decode before it");
	ret = parse_sticky(p, o, p->match[p->base64].buffer);
	p->decoded = true;
	p->transforms = p->match[p->base64].transforms;
	p->n_transforms = p->match[p->base64].n_transforms;
	return ret;
}

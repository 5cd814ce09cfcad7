// SPDX-License-Identifier: BSD-2-Clause
// flowbits and noalert: what a rule asks of the flow and leaves behind on it.
#include "rules/parse_rule.h"

#include <errno.h>
#include <string.h>

static const struct {
	const char *word;
	uint8_t op;
} ops[] = {
	{"set", RULE_BIT_SET},           {"unset", RULE_BIT_UNSET}, {"toggle", RULE_BIT_TOGGLE},
	{"isnotset", RULE_BIT_ISNOTSET}, {"isset", RULE_BIT_ISSET},
};

static bool is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c != '\0' && strchr("_-.:/", c) != NULL);
}

static int bit_add(struct parser *p, uint8_t op, struct text name, bool or_next)
{
	char word[PARSE_QUOTE_BYTES];
	struct rule_bit *b;
	uint8_t *copy;

	if (name.n == 0 || name.n > PARSE_BIT_NAME_MAX)
		return parse_fail(p, name.s, "a flowbits name has 1 to %d characters",
				  PARSE_BIT_NAME_MAX);
	for (size_t i = 0; i < name.n; i++)
		if (!is_name_char(name.s[i]))
			return parse_fail(
				p, name.s + i,
				"\"%s\" is no flowbits name: letters, digits and _-.:/ only",
				parse_quote(word, name));
	if (p->r.n_bits == PARSE_BITS_MAX)
		return parse_fail(p, name.s, "more than %d flowbits in a rule", PARSE_BITS_MAX);
	copy = parse_bytes(p, name.n + 1);
	if (copy == NULL)
		return -EINVAL;
	memcpy(copy, name.s, name.n);
	copy[name.n] = '\0';
	b = &p->bit[p->r.n_bits++];
	*b = (struct rule_bit){.op = op, .or_next = or_next, .name = (const char *)copy};
	return 0;
}

int parse_noalert(struct parser *p, const struct option *o, int arg)
{
	p->r.noalert = true;
	return 0;
}

// tag:session|host, COUNT, packets|bytes|seconds[, src|dst]; has no effect: payload is never stored.
int parse_tag(struct parser *p, const struct option *o, int arg)
{
	struct text rest = o->value, scope = text_split(&rest, ','), count = text_split(&rest, ','),
		    unit = text_split(&rest, ',');
	bool host = text_is(scope, "host");
	int64_t n;

	if ((!host && !text_is(scope, "session")) || text_number(count, 0, UINT32_MAX, &n) != 0 ||
	    (!text_is(unit, "packets") && !text_is(unit, "bytes") && !text_is(unit, "seconds")) ||
	    (host ? !text_is(rest, "src") && !text_is(rest, "dst") : rest.n > 0))
		return parse_fail(
			p, o->value.s,
			"write tag:session,COUNT,UNIT or tag:host,COUNT,UNIT,src (or dst), "
			"UNIT being packets, bytes or seconds");
	return 0;
}

int parse_flowbits(struct parser *p, const struct option *o, int arg)
{
	struct text rest = o->value, word = text_split(&rest, ',');
	char quoted[PARSE_QUOTE_BYTES];

	if (text_is(word, "noalert") && rest.n == 0)
		return parse_noalert(p, o, arg);
	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		bool reads = ops[i].op == RULE_BIT_ISSET || ops[i].op == RULE_BIT_ISNOTSET;

		if (!text_is(word, ops[i].word))
			continue;
		if (rest.n == 0)
			return parse_fail(p, o->value.s,
					  "flowbits:%s needs a name: flowbits:%s,NAME;",
					  ops[i].word, ops[i].word);
		do {
			struct text name = text_split(&rest, '|');

			if (rest.n > 0 && !reads)
				return parse_fail(p, name.s, "flowbits:%s takes one name",
						  ops[i].word);
			if (bit_add(p, ops[i].op, name, rest.n > 0) != 0)
				return -EINVAL;
		} while (rest.n > 0);
		return 0;
	}
	return parse_fail(
		p, o->value.s,
		"unknown flowbits action \"%s\": use set, unset, toggle, isset, isnotset or "
		"noalert",
		parse_quote(quoted, word));
}

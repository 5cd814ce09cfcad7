// SPDX-License-Identifier: BSD-2-Clause
// Keywords that count bytes: bsize, urilen, isdataat; and what they share with byte_test and its like (parse_bytes.c):
// numbers, variables, and the buffer that such a keyword looks at.
//
// Without a sticky buffer a relative keyword looks where the match before it does, another one at the raw bytes.
#include "rules/parse_rule.h"

#include <errno.h>
#include <string.h>

enum {
	ISDATAAT_MAX = 65535,
	URILEN_MAX = 65535,
	DSIZE_MAX = 65535,
};

int parse_unsigned(struct text t, uint64_t max, uint64_t *ret_n)
{
	unsigned int base = 10;
	uint64_t n = 0;

	if (t.n > 2 && t.s[0] == '0' && (t.s[1] == 'x' || t.s[1] == 'X')) {
		base = 16;
		t = (struct text){t.s + 2, t.n - 2};
	}
	if (t.n == 0)
		return -EINVAL;
	for (size_t i = 0; i < t.n; i++) {
		char c = t.s[i];
		unsigned int digit;

		if (c >= '0' && c <= '9')
			digit = (unsigned int)(c - '0');
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f' && base == 16)
			digit = (unsigned int)((c | 0x20) - 'a' + 10);
		else
			return -EINVAL;
		if (__builtin_mul_overflow(n, base, &n) || __builtin_add_overflow(n, digit, &n))
			return -EINVAL;
	}
	if (n > max)
		return -EINVAL;
	*ret_n = n;
	return 0;
}

int parse_number_match(struct parser *p, const struct option *o, enum rule_match_type type,
		       bool relative, struct number **ret_number)
{
	unsigned int buffer = p->sticky >= 0 ? (unsigned int)p->sticky : BUF_RAW;
	struct number *n = rules_alloc(p->rs, sizeof(*n));
	int i;

	if (n == NULL)
		return -ENOMEM;
	n->multiplier = 1;
	for (uint32_t k = p->r.n_matches; relative && p->sticky < 0 && k > 0; k--) {
		if (p->match[k - 1].type == RULE_SIZE)
			continue;
		buffer = p->match[k - 1].buffer;
		break;
	}
	i = parse_match_new(p, o, type, buffer);
	if (i < 0)
		return i;
	p->match[i].number = n;
	if (relative)
		p->match[i].flags |= RULE_PCRE_RELATIVE;
	*ret_number = n;
	return i;
}

static bool is_name(struct text t)
{
	for (size_t i = 0; i < t.n; i++) {
		char c = t.s[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && c != '_' &&
		    (i == 0 || !((c >= '0' && c <= '9') || c == '.' || c == '-')))
			return false;
	}
	return t.n > 0;
}

int parse_var_find(struct parser *p, struct text name)
{
	for (uint32_t i = 0; i < p->n_vars; i++)
		if (p->var[i].name.n == name.n && memcmp(p->var[i].name.s, name.s, name.n) == 0)
			return (int)i;
	return -ENOENT;
}

int parse_var_new(struct parser *p, struct text name, uint32_t match)
{
	char word[PARSE_QUOTE_BYTES];

	parse_quote(word, name);
	if (!is_name(name))
		return parse_fail(p, name.s,
				  "\"%s\" is not a name for a variable: letters, digits, _", word);
	if (parse_var_find(p, name) >= 0)
		return parse_fail(p, name.s, "variable \"%s\" is made twice", word);
	if (p->n_vars == NUMBER_VARS_MAX)
		return parse_fail(p, name.s, "more than %d variables in one rule", NUMBER_VARS_MAX);
	p->var[p->n_vars] = (struct parse_var){.name = name, .match = match};
	return (int)p->n_vars++;
}

int parse_number_or_var(struct parser *p, struct text t, int64_t min, int64_t max, int64_t *ret_n)
{
	char word[PARSE_QUOTE_BYTES];
	int var;

	if (text_number(t, min, max, ret_n) == 0)
		return 0;
	var = parse_var_find(p, t);
	if (var >= 0) {
		*ret_n = var;
		return 1;
	}
	return parse_fail(p, t.s,
			  "\"%s\" is not a number from %lld to %lld, nor a variable made before",
			  parse_quote(word, t), (long long)min, (long long)max);
}

// ---- sizes ----

// A number with an optional unit: 10, 0x0a, 2kb.
static int size_number(struct text t, uint64_t max, uint64_t *ret_n)
{
	static const struct {
		const char *name;
		uint64_t factor;
	} units[] = {{"kb", 1 << 10}, {"mb", 1 << 20}, {"gb", 1 << 30}};
	uint64_t factor = 1;

	for (size_t i = 0; t.n > 2 && i < sizeof(units) / sizeof(units[0]); i++) {
		if (!text_is((struct text){t.s + t.n - 2, 2}, units[i].name))
			continue;
		factor = units[i].factor;
		t = text_trim((struct text){t.s, t.n - 2});
		break;
	}
	if (parse_unsigned(t, max / factor, ret_n) != 0)
		return -EINVAL;
	*ret_n *= factor;
	return 0;
}

// Where the first number of "a<>b" or "a-b" ends; 0: it is no range.
static size_t range_at(struct text t, size_t *ret_skip)
{
	for (size_t i = 1; i < t.n; i++) {
		bool angles = t.s[i] == '<' && i + 1 < t.n && t.s[i + 1] == '>';

		if (!angles && t.s[i] != '-')
			continue;
		*ret_skip = angles ? 2 : 1;
		return i;
	}
	return 0;
}

static struct text text_skip(struct text t, size_t n)
{
	return text_trim((struct text){t.s + n, t.n - n});
}

static int size_value(struct text t, uint64_t max, struct number *n)
{
	static const struct {
		const char *name;
		uint8_t op;
	} ops[] = {
		{"<=", NUMBER_LE}, {">=", NUMBER_GE}, {"!=", NUMBER_NE}, {"<", NUMBER_LT},
		{">", NUMBER_GT},  {"=", NUMBER_EQ},  {"!", NUMBER_NE},
	};
	size_t at, skip;

	n->op = NUMBER_EQ;
	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		size_t len = strlen(ops[i].name);

		if (t.n <= len || memcmp(t.s, ops[i].name, len) != 0)
			continue;
		n->op = ops[i].op;
		t = text_skip(t, len);
		break;
	}
	at = range_at(t, &skip);
	if (at == 0)
		return size_number(t, max, &n->value);
	if (n->op != NUMBER_EQ && n->op != NUMBER_NE)
		return -EINVAL;
	n->op = n->op == NUMBER_EQ ? NUMBER_INSIDE : NUMBER_OUTSIDE;
	if (size_number(text_trim((struct text){t.s, at}), max, &n->value) != 0 ||
	    size_number(text_skip(t, at + skip), max, &n->value2) != 0)
		return -EINVAL;
	return n->value2 > n->value && (n->op == NUMBER_OUTSIDE || n->value2 - n->value > 1)
		       ? 0
		       : -EINVAL;
}

int parse_size(struct parser *p, const struct option *o, struct text t, uint64_t max,
	       struct number *n)
{
	char word[PARSE_QUOTE_BYTES], value[PARSE_QUOTE_BYTES];

	if (size_value(t, max, n) == 0)
		return 0;
	return parse_fail(p, o->value.s,
			  "%s:%s is not a size: write N, <N, >N, <=N, >=N, !N or N<>M (between)",
			  parse_quote(word, o->name), parse_quote(value, o->value));
}

int parse_bsize(struct parser *p, const struct option *o, int arg)
{
	struct number *n;
	int i;

	if (p->sticky < 0)
		return parse_fail(p, o->name.s,
				  "bsize needs a buffer before it: http.uri; bsize:10;");
	i = parse_number_match(p, o, RULE_SIZE, false, &n);
	if (i < 0)
		return i;
	return parse_size(p, o, o->value, UINT32_MAX, n);
}

// The size of the URI, wherever the contents around it look.
int parse_urilen(struct parser *p, const struct option *o, int arg)
{
	struct text kind = o->value, size = text_split(&kind, ',');
	const char *sticky_at = p->sticky_at;
	char word[PARSE_QUOTE_BYTES];
	struct number *n;
	int i = parse_number_match(p, o, RULE_SIZE, false, &n);

	if (i < 0)
		return i;
	p->sticky_at = sticky_at; // it is no content of the buffer before it
	p->match[i].buffer = BUF_URI;
	p->match[i].flags = 0;
	p->match[i].transforms = NULL;
	p->match[i].n_transforms = 0;
	if (text_is(kind, "raw"))
		p->match[i].buffer = BUF_URI_RAW;
	else if (kind.n > 0 && !text_is(kind, "norm"))
		return parse_fail(p, kind.s, "\"%s\" is not a kind of URI: use norm or raw",
				  parse_quote(word, kind));
	return parse_size(p, o, size, URILEN_MAX, n);
}

// The size of a segment's payload: the whole rule looks at segments, see parse_check.c.
int parse_dsize(struct parser *p, const struct option *o, int arg)
{
	const char *sticky_at = p->sticky_at;
	struct number *n;
	int i;

	for (uint32_t k = 0; k < p->r.n_matches; k++)
		if (p->match[k].buffer == BUF_PACKET)
			return parse_fail(p, o->name.s, "dsize is given twice");
	i = parse_number_match(p, o, RULE_SIZE, false, &n);
	if (i < 0)
		return i;
	p->sticky_at = sticky_at; // it is no content of the buffer before it
	p->match[i].buffer = BUF_PACKET;
	p->match[i].flags = 0;
	p->match[i].transforms = NULL;
	p->match[i].n_transforms = 0;
	p->r.packets = true;
	return parse_size(p, o, o->value, DSIZE_MAX, n);
}

// ---- isdataat ----

int parse_isdataat(struct parser *p, const struct option *o, int arg)
{
	struct text rest = o->value, at;
	bool negated = rest.s[0] == '!', relative = false;
	char word[PARSE_QUOTE_BYTES];
	struct number *n;
	int64_t value;
	int i, var;

	if (negated)
		rest = text_skip(rest, 1);
	at = text_split(&rest, ',');
	while (rest.n > 0) {
		struct text t = text_split(&rest, ',');

		if (text_is(t, "relative"))
			relative = true;
		else if (!text_is(t, "rawbytes")) // without effect, as for contents
			return parse_fail(p, t.s,
					  "isdataat: \"%s\" is neither relative nor rawbytes",
					  parse_quote(word, t));
	}
	var = parse_number_or_var(p, at, 0, ISDATAAT_MAX, &value);
	if (var < 0)
		return var;
	i = parse_number_match(p, o, RULE_DATA_AT, relative, &n);
	if (i < 0)
		return i;
	if (negated)
		p->match[i].flags |= RULE_NEGATED;
	if (var > 0)
		n->flags |= NUMBER_VAR_OFFSET;
	n->offset = (int32_t)value;
	return 0;
}

// SPDX-License-Identifier: BSD-2-Clause
// byte_test, byte_jump, byte_extract, byte_math: comma lists of positional values, then options in any order. Every
// option is a row of one table that says which of the keywords take it.
#include "rules/parse_rule.h"

#include <errno.h>

enum { // bits of the table and of what was given
	IN_TEST = 1 << 0,
	IN_JUMP = 1 << 1,
	IN_EXTRACT = 1 << 2,
	IN_MATH = 1 << 3,
	MULTIPLIER_MAX = 65535,
};

// A keyword being read. name is its own, for messages.
struct bytes_option {
	struct number n;
	unsigned int in;
	bool relative, string, endian;
	unsigned int given; // bit per row of the table
	// byte_math
	struct text bytes, offset, oper, rvalue, result;
};

static int fail_word(struct parser *p, struct text t, const char *what)
{
	char word[PARSE_QUOTE_BYTES];

	return parse_fail(p, t.s, "\"%s\" is not %s", parse_quote(word, t), what);
}

static int set_relative(struct parser *p, struct bytes_option *b, struct text value, int arg)
{
	b->relative = true;
	return 0;
}

static int set_endian(struct parser *p, struct bytes_option *b, struct text value, int arg)
{
	if (b->endian)
		return parse_fail(p, value.s, "the byte order is given twice");
	b->endian = true;
	b->n.flags |= (uint8_t)arg;
	return 0;
}

static int set_endian_word(struct parser *p, struct bytes_option *b, struct text value, int arg)
{
	if (text_is(value, "little"))
		return set_endian(p, b, value, NUMBER_LITTLE);
	if (text_is(value, "big"))
		return set_endian(p, b, value, 0);
	return fail_word(p, value, "a byte order: use big or little");
}

static int set_base(struct parser *p, struct bytes_option *b, struct text value, int arg)
{
	if (b->n.base != 0)
		return parse_fail(p, value.s, "hex, dec and oct exclude each other");
	b->n.base = (uint8_t)arg;
	return 0;
}

// In byte_math "string hex", elsewhere "string, hex".
static int set_string(struct parser *p, struct bytes_option *b, struct text value, int arg)
{
	b->string = true;
	if (b->in != IN_MATH)
		return 0;
	if (text_is(value, "hex"))
		return set_base(p, b, value, 16);
	if (text_is(value, "dec"))
		return set_base(p, b, value, 10);
	if (text_is(value, "oct"))
		return set_base(p, b, value, 8);
	return fail_word(p, value, "a kind of number: use hex, dec or oct");
}

static int set_flag(struct parser *p, struct bytes_option *b, struct text value, int arg)
{
	b->n.flags |= (uint8_t)arg;
	return 0;
}

static int set_dce(struct parser *p, struct bytes_option *b, struct text value, int arg)
{
	return parse_fail(p, value.s, "dce is not supported: DCE/RPC is not inspected");
}

static int set_bitmask(struct parser *p, struct bytes_option *b, struct text value, int arg)
{
	uint64_t v;

	if (parse_unsigned(value, UINT32_MAX, &v) != 0 || v == 0)
		return fail_word(p, value, "a bitmask from 0x1 to 0xffffffff");
	b->n.bitmask = (uint32_t)v;
	return 0;
}

static int set_multiplier(struct parser *p, struct bytes_option *b, struct text value, int arg)
{
	uint64_t v;

	if (parse_unsigned(value, MULTIPLIER_MAX, &v) != 0 || v == 0)
		return fail_word(p, value, "a multiplier from 1 to 65535");
	b->n.multiplier = (uint32_t)v;
	return 0;
}

static int set_align(struct parser *p, struct bytes_option *b, struct text value, int arg)
{
	if (b->in == IN_JUMP || text_is(value, "4"))
		b->n.align = 4;
	else if (text_is(value, "2"))
		b->n.align = 2;
	else
		return fail_word(p, value, "an alignment: use 2 or 4");
	return 0;
}

static int set_post_offset(struct parser *p, struct bytes_option *b, struct text value, int arg)
{
	int64_t v;

	if (text_number(value, -NUMBER_OFFSET_MAX, NUMBER_OFFSET_MAX, &v) != 0)
		return fail_word(p, value, "a number from -65535 to 65535");
	b->n.post_offset = (int32_t)v;
	return 0;
}

// A value of byte_math: kept until all of them are there.
static int set_text(struct parser *p, struct bytes_option *b, struct text value, int arg)
{
	struct text *const to[] = {&b->bytes, &b->offset, &b->oper, &b->rvalue, &b->result};

	*to[arg] = value;
	return 0;
}

static const struct {
	const char *name;
	unsigned int in;
	unsigned int valued; // of these, followed by a value
	int (*set)(struct parser *p, struct bytes_option *b, struct text value, int arg);
	int arg;
} table[] = {
	{"relative", IN_TEST | IN_JUMP | IN_EXTRACT | IN_MATH, 0, set_relative, 0},
	{"little", IN_TEST | IN_JUMP | IN_EXTRACT, 0, set_endian, NUMBER_LITTLE},
	{"big", IN_TEST | IN_JUMP | IN_EXTRACT, 0, set_endian, 0},
	{"endian", IN_MATH, IN_MATH, set_endian_word, 0},
	{"string", IN_TEST | IN_JUMP | IN_EXTRACT | IN_MATH, IN_MATH, set_string, 0},
	{"hex", IN_TEST | IN_JUMP | IN_EXTRACT, 0, set_base, 16},
	{"dec", IN_TEST | IN_JUMP | IN_EXTRACT, 0, set_base, 10},
	{"oct", IN_TEST | IN_JUMP | IN_EXTRACT, 0, set_base, 8},
	{"dce", IN_TEST | IN_JUMP | IN_EXTRACT | IN_MATH, 0, set_dce, 0},
	{"bitmask", IN_TEST | IN_JUMP | IN_MATH, IN_TEST | IN_JUMP | IN_MATH, set_bitmask, 0},
	{"multiplier", IN_JUMP | IN_EXTRACT, IN_JUMP | IN_EXTRACT, set_multiplier, 0},
	{"align", IN_JUMP | IN_EXTRACT, IN_EXTRACT, set_align, 0},
	{"from_beginning", IN_JUMP, 0, set_flag, NUMBER_FROM_BEGINNING},
	{"from_end", IN_JUMP, 0, set_flag, NUMBER_FROM_END},
	{"post_offset", IN_JUMP, IN_JUMP, set_post_offset, 0},
	{"bytes", IN_MATH, IN_MATH, set_text, 0},
	{"offset", IN_MATH, IN_MATH, set_text, 1},
	{"oper", IN_MATH, IN_MATH, set_text, 2},
	{"rvalue", IN_MATH, IN_MATH, set_text, 3},
	{"result", IN_MATH, IN_MATH, set_text, 4},
};

static int option_set(struct parser *p, const struct option *o, struct bytes_option *b,
		      struct text t)
{
	struct text value = t, name = text_split(&value, ' ');
	char word[PARSE_QUOTE_BYTES], own[PARSE_QUOTE_BYTES];

	parse_quote(word, name);
	parse_quote(own, o->name);
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		bool valued = (table[i].valued & b->in) != 0;

		if ((table[i].in & b->in) == 0 || !text_is(name, table[i].name))
			continue;
		if ((b->given & (1u << i)) != 0)
			return parse_fail(p, t.s, "%s: %s is given twice", own, word);
		if (valued != (value.n > 0))
			return parse_fail(p, t.s, "%s: %s %s", own, word,
					  valued ? "needs a value" : "takes no value");
		b->given |= 1u << i;
		return table[i].set(p, b, valued ? value : t, table[i].arg);
	}
	return parse_fail(p, t.s, "%s: unknown option \"%s\"", own, word);
}

// The options that are left in rest, and what can be said of them together.
static int options_read(struct parser *p, const struct option *o, struct bytes_option *b,
			struct text rest)
{
	char own[PARSE_QUOTE_BYTES];
	int ret;

	parse_quote(own, o->name);
	b->n.multiplier = 1;
	while (rest.n > 0) {
		ret = option_set(p, o, b, text_split(&rest, ','));
		if (ret != 0)
			return ret;
	}
	if (b->string != (b->n.base != 0))
		return parse_fail(p, o->value.s, "%s: string and one of hex, dec, oct go together",
				  own);
	if (b->string && b->endian)
		return parse_fail(p, o->value.s, "%s: a number in text has no byte order", own);
	if ((b->n.flags & NUMBER_FROM_BEGINNING) != 0 && (b->n.flags & NUMBER_FROM_END) != 0)
		return parse_fail(p, o->value.s,
				  "%s: from_beginning and from_end exclude each other", own);
	return 0;
}

static int read_bytes(struct parser *p, struct bytes_option *b, struct text t)
{
	int64_t min =
		b->string || (b->n.flags & (NUMBER_FROM_BEGINNING | NUMBER_FROM_END)) != 0 ? 0 : 1;
	int64_t max = b->n.base == 16   ? 16
		      : b->n.base == 10 ? 20
		      : b->n.base == 8  ? NUMBER_STRING_MAX
					: NUMBER_BINARY_MAX;
	int64_t v;
	int var = parse_number_or_var(p, t, min, max, &v);

	if (var < 0)
		return var;
	if (var > 0)
		b->n.flags |= NUMBER_VAR_BYTES;
	b->n.bytes = (uint32_t)v;
	return 0;
}

static int read_offset(struct parser *p, struct bytes_option *b, struct text t)
{
	int64_t v;
	int var = parse_number_or_var(p, t, -NUMBER_OFFSET_MAX, NUMBER_OFFSET_MAX, &v);

	if (var < 0)
		return var;
	if (var == 0 && v < 0 && !b->relative)
		return parse_fail(p, t.s, "a negative offset is before the buffer: add relative");
	if (var > 0)
		b->n.flags |= NUMBER_VAR_OFFSET;
	b->n.offset = (int32_t)v;
	return 0;
}

static int read_value(struct parser *p, struct bytes_option *b, struct text t, uint64_t max)
{
	char word[PARSE_QUOTE_BYTES];
	int var;

	if (parse_unsigned(t, max, &b->n.value) == 0)
		return 0;
	var = parse_var_find(p, t);
	if (var < 0)
		return parse_fail(p, t.s, "\"%s\" is not a number, nor a variable made before",
				  parse_quote(word, t));
	b->n.flags |= NUMBER_VAR_VALUE;
	b->n.value = (uint64_t)var;
	return 0;
}

// "!<", ">=", "&"...
static int read_test(struct parser *p, struct bytes_option *b, struct text t)
{
	static const struct {
		const char *name;
		uint8_t op;
	} ops[] = {
		{"=", NUMBER_EQ},  {"<", NUMBER_LT},  {">", NUMBER_GT},  {"<=", NUMBER_LE},
		{">=", NUMBER_GE}, {"&", NUMBER_AND}, {"^", NUMBER_XOR},
	};
	struct text op = t;

	if (op.n > 0 && op.s[0] == '!') {
		b->n.flags |= NUMBER_NOT;
		op = text_trim((struct text){op.s + 1, op.n - 1});
		if (op.n == 0) // "!" alone: not equal
			return 0;
	}
	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		if (!text_is(op, ops[i].name))
			continue;
		b->n.op = ops[i].op;
		return 0;
	}
	return fail_word(p, t, "an operator: use < > = <= >= & ^, with ! before it to negate");
}

static int read_oper(struct parser *p, struct bytes_option *b, struct text t)
{
	static const struct {
		const char *name;
		uint8_t op;
	} ops[] = {
		{"+", NUMBER_ADD}, {"-", NUMBER_SUB},  {"*", NUMBER_MUL},
		{"/", NUMBER_DIV}, {"<<", NUMBER_SHL}, {">>", NUMBER_SHR},
	};

	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		if (!text_is(t, ops[i].name))
			continue;
		b->n.op = ops[i].op;
		return 0;
	}
	return fail_word(p, t, "a calculation: use + - * / << >>");
}

// Into the rule. result.n > 0: the variable it makes.
static int take(struct parser *p, const struct option *o, enum rule_match_type type,
		struct bytes_option *b, struct text result)
{
	struct number *n;
	int i = parse_number_match(p, o, type, b->relative, &n), var;

	if (i < 0)
		return i;
	*n = b->n;
	if (result.n == 0)
		return 0;
	var = parse_var_new(p, result, (uint32_t)i);
	if (var < 0)
		return var;
	n->result = (uint8_t)var;
	return 0;
}

// Take the next positional value off *rest.
static int next_value(struct parser *p, const struct option *o, struct text *rest,
		      const char *usage, struct text *ret_value)
{
	*ret_value = text_split(rest, ',');
	if (ret_value->n == 0)
		return parse_fail(p, o->value.s, "write %s", usage);
	return 0;
}

int parse_byte_test(struct parser *p, const struct option *o, int arg)
{
	static const char usage[] = "byte_test:BYTES, OPERATOR, VALUE, OFFSET[, relative]...";
	struct bytes_option b = {.in = IN_TEST};
	struct text rest = o->value, bytes, op, value, offset;
	int ret;

	if (next_value(p, o, &rest, usage, &bytes) != 0 ||
	    next_value(p, o, &rest, usage, &op) != 0 ||
	    next_value(p, o, &rest, usage, &value) != 0 ||
	    next_value(p, o, &rest, usage, &offset) != 0)
		return -EINVAL;
	ret = options_read(p, o, &b, rest);
	if (ret == 0)
		ret = read_bytes(p, &b, bytes);
	if (ret == 0)
		ret = read_test(p, &b, op);
	if (ret == 0)
		ret = read_value(p, &b, value, UINT64_MAX);
	if (ret == 0)
		ret = read_offset(p, &b, offset);
	return ret != 0 ? ret : take(p, o, RULE_BYTE_TEST, &b, (struct text){NULL, 0});
}

int parse_byte_jump(struct parser *p, const struct option *o, int arg)
{
	static const char usage[] = "byte_jump:BYTES, OFFSET[, relative]...";
	struct bytes_option b = {.in = IN_JUMP};
	struct text rest = o->value, bytes, offset;
	int ret;

	if (next_value(p, o, &rest, usage, &bytes) != 0 ||
	    next_value(p, o, &rest, usage, &offset) != 0)
		return -EINVAL;
	ret = options_read(p, o, &b, rest);
	if (ret == 0)
		ret = read_bytes(p, &b, bytes);
	if (ret == 0)
		ret = read_offset(p, &b, offset);
	return ret != 0 ? ret : take(p, o, RULE_BYTE_JUMP, &b, (struct text){NULL, 0});
}

int parse_byte_extract(struct parser *p, const struct option *o, int arg)
{
	static const char usage[] = "byte_extract:BYTES, OFFSET, NAME[, relative]...";
	struct bytes_option b = {.in = IN_EXTRACT};
	struct text rest = o->value, bytes, offset, name;
	int ret;

	if (next_value(p, o, &rest, usage, &bytes) != 0 ||
	    next_value(p, o, &rest, usage, &offset) != 0 ||
	    next_value(p, o, &rest, usage, &name) != 0)
		return -EINVAL;
	ret = options_read(p, o, &b, rest);
	if (ret == 0)
		ret = read_bytes(p, &b, bytes);
	if (ret == 0)
		ret = read_offset(p, &b, offset);
	return ret != 0 ? ret : take(p, o, RULE_BYTE_EXTRACT, &b, name);
}

int parse_byte_math(struct parser *p, const struct option *o, int arg)
{
	struct bytes_option b = {.in = IN_MATH};
	int ret = options_read(p, o, &b, o->value);

	if (ret != 0)
		return ret;
	if (b.bytes.n == 0 || b.offset.n == 0 || b.oper.n == 0 || b.rvalue.n == 0 ||
	    b.result.n == 0)
		return parse_fail(
			p, o->value.s,
			"write byte_math:bytes N, offset N, oper +, rvalue N, result NAME...");
	ret = read_bytes(p, &b, b.bytes);
	if (ret == 0)
		ret = read_offset(p, &b, b.offset);
	if (ret == 0)
		ret = read_oper(p, &b, b.oper);
	if (ret == 0)
		ret = read_value(p, &b, b.rvalue, UINT32_MAX);
	if (ret == 0 && b.n.op == NUMBER_DIV && b.n.value == 0 &&
	    (b.n.flags & NUMBER_VAR_VALUE) == 0)
		return parse_fail(p, b.rvalue.s, "division by 0: it can never match");
	return ret != 0 ? ret : take(p, o, RULE_BYTE_MATH, &b, b.result);
}

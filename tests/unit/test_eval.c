// SPDX-License-Identifier: BSD-2-Clause
// Rule text -> image -> verdict on a buffer, by hand and against a second evaluator that tries everything.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "dataplane/engine/eval.h"
#include "rules/compile.h"
#include "rules/plan.h"
#include "tests/unit/guard.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

// Rules on http.uri, sid 1, 2, 3...; the parsed rules stay for the other evaluator.
struct book {
	struct rules rules;
	struct ruleset *rs;
	char *text;
	size_t n, room;
};

static struct guard guard;

static int setup(void **state)
{
	guard_init(&guard, 1 << 16);
	return 0;
}

static int teardown(void **state)
{
	guard_done(&guard);
	return 0;
}

static void book_add(struct book *b, uint32_t sid, const char *options)
{
	if (b->room - b->n < 2048) {
		b->room = 2 * b->room + 4096;
		b->text = realloc(b->text, b->room);
		assert_non_null(b->text);
	}
	b->n += (size_t)snprintf(
		b->text + b->n, b->room - b->n,
		"alert http any any -> any any (msg:\"t\"; http.uri; %s sid:%u;)\n", options, sid);
}

static void on_report(void *ctx, enum rules_verdict verdict, uint32_t sid, const struct diag *diag)
{
	char text[1024];

	print_error("%s\n", diag_format(diag, text, sizeof(text)));
	(*(int *)ctx)++;
}

// All rules must load: what cannot be evaluated is no test of the evaluator.
static void book_load(struct book *b)
{
	int refused = 0;
	void *image = NULL;
	uint64_t len = 0;
	struct diag d = {0};

	assert_true(rules_parse(&b->rules, "test.rules", b->text, b->n, NULL, on_report, &refused) >
		    0);
	assert_int_equal(compile_image(&b->rules, 1, &image, &len, NULL, on_report, &refused, &d),
			 0);
	assert_int_equal(refused, 0);
	assert_int_equal(ruleset_load(image, len, NULL, 1, 1, &b->rs, &d), 0);
	free(image);
}

static void book_done(struct book *b)
{
	ruleset_free(b->rs);
	rules_done(&b->rules);
	free(b->text);
}

static bool eval(const struct book *b, uint32_t rule, struct span buf, struct counters *c)
{
	const struct image_rule *r = &b->rs->rules[rule];
	struct span in = span_of(guard_put(&guard, buf.data, buf.len, 0), buf.len);

	assert_int_equal(r->n_conds, 1);
	assert_int_equal(r->sid, b->rules.v[rule].sid);
	return eval_cond(b->rs, &b->rs->w[0], &b->rs->conds[r->cond], in, c);
}

static const struct {
	const char *options, *buffer;
	bool holds;
} table[] = {
	{"content:\"abc\";", "xxabcxx", true},
	{"content:\"abc\";", "xxabxcx", false},
	{"content:\"abc\";", "ab", false},
	{"content:\"abc\";", "xABCx", false},
	{"content:\"aBc\"; nocase;", "xAbCx", true},
	{"content:\"|61 00|\";", "a", false},
	{"content:!\"abc\";", "xyz", true},
	{"content:!\"abc\";", "xabc", false},
	{"content:!\"abc\";", "", true}, // empty, but there
	// offset and depth
	{"content:\"b\"; offset:2;", "ab", false},
	{"content:\"b\"; offset:2;", "abb", true},
	{"content:\"b\"; offset:9;", "abb", false},
	{"content:\"bc\"; depth:3;", "abc", true},
	{"content:\"bc\"; depth:3;", "aabc", false},
	{"content:\"bc\"; offset:1; depth:2;", "abc", true},
	{"content:\"bc\"; offset:1; depth:2;", "aabc", false},
	{"content:!\"b\"; depth:1;", "ab", true},
	{"content:!\"b\"; offset:1;", "ba", true},
	{"content:\"ab\"; startswith;", "abc", true},
	{"content:\"ab\"; startswith;", "cab", false},
	{"content:\"bc\"; endswith;", "bcabc", true},
	{"content:\"bc\"; endswith;", "abca", false},
	{"content:\"bc\"; endswith;", "c", false},
	{"content:\"abc\"; startswith; endswith;", "abc", true},
	{"content:\"abc\"; startswith; endswith;", "abcabc", false},
	{"content:!\"bc\"; endswith;", "abca", true},
	{"content:!\"bc\"; endswith;", "abc", false},
	{"content:\"c\"; depth:3; endswith;", "abc", true},
	{"content:\"c\"; depth:3; endswith;", "abcc", false},
	// distance and within
	{"content:\"a\"; content:\"b\"; distance:0;", "ba", false},
	{"content:\"a\"; content:\"b\"; distance:0;", "bab", true},
	{"content:\"a\"; content:\"b\"; distance:1;", "ab", false},
	{"content:\"a\"; content:\"b\"; distance:1;", "axb", true},
	{"content:\"ab\"; content:\"bc\"; distance:-1;", "abc", true},
	{"content:\"ab\"; content:\"bc\"; distance:0;", "abc", false},
	{"content:\"b\"; content:\"a\"; distance:-9;", "xab", true}, // not before the buffer
	{"content:\"a\"; content:\"b\"; within:1;", "ab", true},
	{"content:\"a\"; content:\"b\"; within:1;", "axb", false},
	{"content:\"a\"; content:\"b\"; distance:1; within:1;", "axb", true},
	{"content:\"a\"; content:\"b\"; distance:1; within:1;", "axxb", false},
	{"content:\"a\"; content:!\"b\"; within:2;", "axxb", true},
	{"content:\"a\"; content:!\"b\"; within:2;", "axb", false},
	{"content:\"b\"; distance:1;", "xb", true}, // nothing before: from the start
	{"content:\"b\"; within:2;", "xxb", false},
	// earlier matches are tried further on
	{"content:\"a\"; content:\"b\"; within:1;", "axab", true},
	{"content:\"a\"; content:\"b\"; within:1; content:\"c\"; within:1;", "ababcabx", true},
	{"content:\"a\"; content:\"b\"; distance:0; content:\"c\"; within:1;", "axbxbc", true},
	{"content:\"a\"; content:!\"b\"; within:1;", "abac", true},
	{"content:\"a\"; content:!\"x\"; content:\"b\"; within:1;", "acab", true},
	{"content:\"a\"; content:!\"x\"; within:1; content:\"b\"; within:2;", "axbacb", true},
	// pcre
	{"pcre:\"/a.c/\";", "xabc", true},
	{"pcre:\"/a.c/\";", "xABC", false},
	{"pcre:\"/a.c/i\";", "xABC", true},
	{"pcre:!\"/a.c/\";", "xabc", false},
	{"pcre:!\"/a.c/\";", "xab", true},
	{"pcre:\"/^b/\";", "ab", false},
	{"pcre:\"/^$/\";", "a", false},
	{"content:\"a\"; pcre:\"/^b/R\";", "ab", true},
	{"content:\"a\"; pcre:\"/^b/R\";", "axb", false},
	{"content:\"a\"; pcre:\"/^b/R\";", "axab", true},
	{"content:\"a\"; pcre:\"/^$/R\";", "ba", true},
	{"content:\"a\"; pcre:!\"/^b/R\";", "abac", true},
	{"pcre:\"/b+/\"; content:\"c\"; within:1;", "bxbbc", true},
	{"pcre:\"/b/\"; content:\"b\"; within:1; content:\"c\"; within:1;", "bbxbbc", true},
	{"content:\"ab\"; pcre:\"/ab/\"; content:\"c\"; distance:0;", "cab", false},
};

static void test_table(void **state)
{
	struct book b = {0};
	struct counters c = {0};

	for (size_t i = 0; i < N(table); i++)
		book_add(&b, (uint32_t)i + 1, table[i].options);
	book_load(&b);
	for (size_t i = 0; i < N(table); i++) {
		const struct span buf = span_of(table[i].buffer, strlen(table[i].buffer));
		bool holds = eval(&b, (uint32_t)i, buf, &c);

		if (holds != table[i].holds)
			print_error("%s on %s: %d\n", table[i].options, table[i].buffer, holds);
		assert_int_equal(holds, table[i].holds);
	}
	assert_int_equal(c.v[CNT_EVAL_LIMIT] + c.v[CNT_PCRE_LIMIT], 0);
	book_done(&b);
}

// Chains that could be tried for ever: given up, counted, and never taken as holding.
static void test_limits(void **state)
{
	static const struct {
		const char *options;
		char fill;
		enum counter counter;
	} limits[] = {
		{"content:\"a\"; content:\"a\"; within:1000; content:\"a\"; within:1000; "
		 "content:\"b\"; within:1000;",
		 'a', CNT_EVAL_LIMIT},
		{"content:\"a\"; content:\"a\"; within:1000; content:\"a\"; within:1000; "
		 "content:!\"a\"; distance:-1;",
		 'a', CNT_EVAL_LIMIT},
		{"pcre:\"/(a+)+(b|c)+$/\";", 'a', CNT_PCRE_LIMIT},
		{"pcre:!\"/(a+)+(b|c)+$/\";", 'a', CNT_PCRE_LIMIT},
	};
	char buf[2000];
	struct book b = {0};

	for (size_t i = 0; i < N(limits); i++)
		book_add(&b, (uint32_t)i + 1, limits[i].options);
	book_load(&b);
	for (size_t i = 0; i < N(limits); i++) {
		struct counters c = {0};

		memset(buf, limits[i].fill, sizeof(buf));
		buf[sizeof(buf) - 1] = 'z';
		assert_false(eval(&b, (uint32_t)i, span_of(buf, sizeof(buf)), &c));
		if (c.v[limits[i].counter] != 1)
			print_error("%s\n", limits[i].options);
		assert_int_equal(c.v[limits[i].counter], 1);
	}
	book_done(&b);
}

// ---- the other evaluator ----
// A rule holds if its matches can be placed so that each is where it says. Every place is tried for every match.

static bool other_from(const struct rule *r, uint32_t i, struct span buf, int64_t prev);

static bool other_at(const struct rule_match *m, struct span buf, int64_t at, int64_t prev)
{
	const bool relative = (m->flags & (RULE_DISTANCE | RULE_WITHIN)) != 0;
	int64_t from = 0;

	if (relative)
		from = prev + ((m->flags & RULE_DISTANCE) != 0 ? m->distance : 0);
	else if ((m->flags & RULE_OFFSET) != 0)
		from = m->offset;
	if (at < from)
		return false;
	if ((m->flags & RULE_WITHIN) != 0 && at + m->len > from + m->within)
		return false;
	if ((m->flags & RULE_DEPTH) != 0 && at + m->len > from + m->depth)
		return false;
	if ((m->flags & RULE_ENDSWITH) != 0 && at + m->len != (int64_t)buf.len)
		return false;
	for (int64_t k = 0; k < m->len; k++) {
		uint8_t a = buf.data[at + k], b = m->data[k];

		if ((m->flags & RULE_NOCASE) != 0 ? span_lower(a) != span_lower(b) : a != b)
			return false;
	}
	return true;
}

static bool other_content(const struct rule *r, uint32_t i, struct span buf, int64_t prev)
{
	const struct rule_match *m = &r->matches[i];

	for (int64_t at = 0; at + m->len <= (int64_t)buf.len; at++) {
		if (!other_at(m, buf, at, prev))
			continue;
		if ((m->flags & RULE_NEGATED) != 0)
			return false;
		if (other_from(r, i + 1, buf, at + m->len))
			return true;
	}
	return (m->flags & RULE_NEGATED) != 0 && other_from(r, i + 1, buf, prev);
}

static bool other_pcre(const struct rule *r, uint32_t i, struct span buf, int64_t prev)
{
	const struct rule_match *m = &r->matches[i];
	const size_t base = (m->flags & RULE_PCRE_RELATIVE) != 0 ? (size_t)prev : 0;
	int err;
	PCRE2_SIZE where;
	pcre2_code *code = pcre2_compile(m->data, m->len, plan_pcre_options(m), &err, &where, NULL);
	pcre2_match_data *md = pcre2_match_data_create(1, NULL);
	bool holds = false, found = false;

	assert_true(code != NULL && md != NULL);
	for (size_t at = 0; at <= buf.len - base && !holds; at++) {
		const PCRE2_SIZE *ov = pcre2_get_ovector_pointer(md);

		if (pcre2_match(code, buf.data + base, buf.len - base, at, 0, md, NULL) < 0)
			break;
		found = true;
		if ((m->flags & RULE_NEGATED) != 0)
			break;
		at = ov[0];
		holds = other_from(r, i + 1, buf, (int64_t)(base + ov[1]));
	}
	pcre2_match_data_free(md);
	pcre2_code_free(code);
	if ((m->flags & RULE_NEGATED) != 0)
		return !found && other_from(r, i + 1, buf, prev);
	return holds;
}

static bool other_from(const struct rule *r, uint32_t i, struct span buf, int64_t prev)
{
	if (i == r->n_matches)
		return true;
	return r->matches[i].type == RULE_PCRE ? other_pcre(r, i, buf, prev)
					       : other_content(r, i, buf, prev);
}

static uint64_t rnd_state = 88172645463325252u;

static uint32_t rnd(uint32_t below)
{
	rnd_state ^= rnd_state << 13;
	rnd_state ^= rnd_state >> 7;
	rnd_state ^= rnd_state << 17;
	return (uint32_t)(rnd_state >> 24) % below;
}

static size_t random_content(char *out, size_t room)
{
	char bytes[4];
	size_t len = 1 + rnd(3), n;

	for (size_t i = 0; i < len; i++)
		bytes[i] = "aabbAc"[rnd(6)];
	bytes[len] = '\0';
	n = (size_t)snprintf(out, room, "content:%s\"%s\"; ", rnd(5) == 0 ? "!" : "", bytes);
	if (rnd(3) == 0)
		n += (size_t)snprintf(out + n, room - n, "nocase; ");
	switch (rnd(6)) {
	case 0:
		n += (size_t)snprintf(out + n, room - n, "offset:%u; ", rnd(4));
		break;
	case 1:
		n += (size_t)snprintf(out + n, room - n, "offset:%u; depth:%u; ", rnd(3),
				      3 + rnd(6));
		break;
	case 2:
		n += (size_t)snprintf(out + n, room - n, "distance:%d; ", (int)rnd(6) - 3);
		break;
	case 3:
		n += (size_t)snprintf(out + n, room - n, "within:%u; ", 3 + rnd(4));
		break;
	case 4:
		n += (size_t)snprintf(out + n, room - n, "distance:%d; within:%u; ",
				      (int)rnd(6) - 3, 3 + rnd(4));
		break;
	default:
		break;
	}
	if (rnd(9) == 0)
		n += (size_t)snprintf(out + n, room - n, "endswith; ");
	return n;
}

static size_t random_pcre(char *out, size_t room, bool first)
{
	static const char *const patterns[] = {"a+b",      "^a",       "b$",    "a.b",
					       "(a|bb)c?", "a*",       "[^a]",  "b(?=a)",
					       "(?<=a)b",  "^[ab]{2}", "ab|ba", "c"};
	static const char *const flags[] = {"", "i", "s", "A", "G", "iR", "R", "R"};
	const char *flag = flags[rnd(first ? 5 : N(flags))];

	return (size_t)snprintf(out, room, "pcre:%s\"/%s/%s\"; ", rnd(5) == 0 ? "!" : "",
				patterns[rnd(N(patterns))], flag);
}

static void test_against_the_other(void **state)
{
	enum { RULES = 500, BUFFERS = 40 };
	struct book b = {0};
	uint32_t holding = 0;

	for (uint32_t i = 0; i < RULES; i++) {
		char options[1024];
		size_t n = 0;

		for (uint32_t k = 0, most = 1 + rnd(4); k < most; k++)
			n += rnd(4) == 0 ? random_pcre(options + n, sizeof(options) - n, k == 0)
					 : random_content(options + n, sizeof(options) - n);
		book_add(&b, i + 1, options);
	}
	book_load(&b);
	assert_int_equal(b.rules.n, RULES);
	for (uint32_t i = 0; i < RULES; i++) {
		for (uint32_t k = 0; k < BUFFERS; k++) {
			struct counters c = {0};
			uint8_t buf[24];
			size_t len = 1 + rnd(sizeof(buf));
			bool want, holds;

			for (size_t at = 0; at < len; at++)
				buf[at] = (uint8_t) "aaabbbcABx\n"[rnd(11)];
			want = other_from(&b.rules.v[i], 0, span_of(buf, len), 0);
			holds = eval(&b, i, span_of(buf, len), &c);
			if (holds != want)
				print_error("line %u of\n%s on %.*s: %d\n", i + 1, b.text, (int)len,
					    buf, holds);
			assert_int_equal(holds, want);
			assert_int_equal(c.v[CNT_EVAL_LIMIT], 0);
			holding += holds;
		}
	}
	assert_in_range(holding, RULES * BUFFERS / 10,
			RULES * BUFFERS * 9 / 10); // both verdicts are common
	book_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_against_the_other),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

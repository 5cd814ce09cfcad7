// SPDX-License-Identifier: BSD-2-Clause
// How rules are planned: what represents them, what wakes their stream conditions, what is evaluated on the window, and
// what is refused with which words.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "rules/compile.h"
#include "rules/plan.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

static void report(void *ctx, enum rules_verdict verdict, uint32_t sid, const struct diag *diag)
{
	struct diag *d = ctx;

	if (d->text[0] == '\0')
		*d = *diag;
}

// Parse "alert http any any -> any any (OPTIONS sid:1;)".
static const struct rule *parse(struct rules *rs, const char *options)
{
	char text[3000];
	struct diag d = {0};

	snprintf(text, sizeof(text), "alert http any any -> any any (%s sid:1;)", options);
	if (rules_parse(rs, "t", text, strlen(text), NULL, report, &d) != 1)
		fail_msg("%s: %s", options, d.text);
	return &rs->v[rs->n - 1];
}

static void put(char *buf, size_t size, const char *fmt, ...)
{
	size_t n = strlen(buf);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(buf + n, size - n, fmt, ap);
	va_end(ap);
}

// "buffer MODE literal/lookback [terms] end offsets", conditions joined by "; ", the representing one with a star.
static void describe(const struct plan *p, char *buf, size_t size)
{
	static const char *const modes[] = {"head", "file", "exact", "anchor", "window", "gated"};

	buf[0] = '\0';
	for (int i = 0; i < p->n_conds; i++) {
		const struct plan_cond *c = &p->conds[i];

		put(buf, size, "%s%s%s %s", i > 0 ? "; " : "", p->represented_by == i ? "*" : "",
		    buffer_info(c->slot)->keyword, modes[c->mode]);
		if (c->sig_expr != NULL)
			put(buf, size, " /%s/", c->sig_expr);
		else if (c->literal.bits > 0)
			put(buf, size, " %s%.*s", c->literal.nocase ? "~" : "",
			    (int)c->literal.bytes.len, (const char *)c->literal.bytes.data);
		if ((c->mode == IMAGE_COND_ANCHOR || c->mode == IMAGE_COND_WINDOW) &&
		    c->literal.lookback != UINT32_MAX)
			put(buf, size, "/%u", c->literal.lookback);
		if (c->sig_min_end != 0 || c->sig_max_end != UINT64_MAX)
			put(buf, size, " %lu-", (unsigned long)c->sig_min_end);
		if (c->sig_max_end != UINT64_MAX)
			put(buf, size, "%lu", (unsigned long)c->sig_max_end);
		if (c->n_terms > 1)
			put(buf, size, " %u terms", c->n_terms);
		if (c->buffered)
			put(buf, size, " buffered");
	}
	if (p->represented_by < 0)
		put(buf, size, ", always");
	if (p->keep_head)
		put(buf, size, ", keep");
	if (p->dirs != 3)
		put(buf, size, ", %s", p->dirs == 1 ? "to server" : "to client");
}

static const struct {
	const char *options, *want;
} plans[] = {
	// head only: the best literal
	{"http.uri; content:\"/login.php\";", "*http.uri head /login.php, to server"},
	{"http.uri; content:\"a\"; content:\"/zq1\"; nocase; http.method; content:\"POST\";",
	 "*http.uri head ~/zq1; http.method head POST, to server"},
	{"http.uri; content:\"index.html\"; http.user_agent; content:\"Xq-Zv\";",
	 "http.uri head index.html; *http.user_agent head Xq-Zv, to server"},
	{"http.uri; content:\"/zqxj1\"; content:\"/up\"; fast_pattern;",
	 "*http.uri head /zqxj1, to server"},
	{"http.uri; content:\"/zqx\"; content:\"/qvk\"; fast_pattern;",
	 "*http.uri head /qvk, to server"},
	// no literal in the head
	{"http.uri; pcre:\"/^\\/a/\";", "http.uri head, always, to server"},
	{"http.uri; content:!\"/a\";", "http.uri head, always, to server"},
	{"http.header; content:!\"X-A\";", "http.header head, always"},
	// one plain content in a stream is its own signature
	{"file.data; content:\"abc\";", "*file.data exact abc"},
	{"file.data; content:\"abc\"; nocase;", "*file.data exact ~abc"},
	{"http.request_body; content:\"abc\";", "*http.request_body exact abc, to server"},
	{"http.response_body; content:\"abc\";", "*file.data exact abc, to client"},
	{"file.data; content:\"abc\"; offset:4;", "*file.data exact abc 7-"},
	{"file.data; content:\"abc\"; offset:4; depth:10;", "*file.data exact abc 7-14"},
	{"file.data; content:\"abc\"; startswith;", "*file.data exact abc 0-3"},
	{"content:\"abc\";", "*raw exact abc"},
	// a chain is woken by its best literal that is near its start
	{"file.data; content:\"abc\"; endswith;", "*file.data anchor abc/3"},
	{"file.data; content:\"abc\"; content:\"xyzw\"; distance:0; within:10;",
	 "*file.data anchor xyzw/13"},
	{"file.data; content:\"abcdef\"; content:\"x\"; distance:0; within:10;",
	 "*file.data anchor abcdef/6"},
	{"file.data; content:\"abc\"; content:\"xyzw\"; distance:3;", "*file.data anchor abc/3"},
	{"file.data; content:\"abc\"; content:\"xyzw\"; distance:0; within:957;",
	 "*file.data anchor xyzw/960"},
	{"file.data; content:\"abc\"; content:\"xyzw\"; distance:0; within:958;",
	 "*file.data anchor abc/3"},
	{"file.data; content:\"abc\"; pcre:\"/^[0-9]+/R\";", "*file.data anchor abc/3"},
	{"file.data; pcre:\"/key=[0-9]+/\";", "*file.data anchor key=/4"},
	{"file.data; pcre:\"/key=[0-9]+/i\";", "*file.data anchor ~key=/4"},
	{"file.data; pcre:\"/keys?=/\";", "*file.data anchor key/3"},
	{"file.data; pcre:\"/\\x6bey\\.a+/\";", "*file.data anchor key.a/5"},
	// positions from the start and several chains need the window
	{"file.data; content:\"ab\"; offset:2; content:\"cd\"; distance:0;",
	 "*file.data window ab"},
	{"file.data; content:\"ab\"; content:\"wxyz\";", "*file.data window wxyz 2 terms"},
	{"file.data; content:\"ab\"; content:!\"wxyz\";", "*file.data window ab 2 terms"},
	{"file.data; content:\"ab\"; pcre:\"/[0-9]{3}/\";", "*file.data window ab 2 terms"},
	// an expression without a literal is its own signature
	{"file.data; pcre:\"/[0-9]{3}/\";", "*file.data exact /(?:[0-9]{3})/"},
	{"file.data; pcre:\"/^ab/\";", "*file.data exact /(?:^ab)/"},
	{"file.data; pcre:\"/\\bab/s\";", "*file.data exact /(?s:\\bab)/"},
	{"file.data; pcre:\"/ab|cd/i\";", "*file.data exact /(?i:ab|cd)/"},
	{"file.data; pcre:\"/ab/A\";", "*file.data exact /\\A(?:ab)/"},
	// what no stream expression says is evaluated on the window
	{"file.data; content:\"ab\"; content:\"zqx\"; distance:-1;",
	 "*file.data window zqx buffered"},
	{"file.data; content:\"ab\"; content:\"zqx\"; distance:32767;", "*file.data anchor ab/2"},
	{"file.data; content:\"ab\"; content:\"zqx\"; distance:32768;",
	 "*file.data window zqx buffered"},
	{"file.data; content:\"ab\"; content:\"zqx\"; within:32800;",
	 "*file.data window zqx buffered"},
	{"file.data; content:\"ab\"; content:!\"zqx\"; within:9;", "*file.data window ab buffered"},
	{"file.data; content:!\"ab\"; content:\"zqx\"; distance:1;",
	 "*file.data window zqx buffered"},
	{"content:\"ab\"; offset:40000; content:\"zqx\"; distance:1;", "*raw window zqx buffered"},
	{"http.uri; content:\"/\"; file.data; content:!\"a\"; content:!\"b\"; within:2;",
	 "*http.uri head /; file.data gated buffered, to server"},
	// nothing positive: woken by the head, or evaluated always
	{"http.uri; content:\"/\"; file.data; content:!\"no\";",
	 "*http.uri head /; file.data gated, to server"},
	{"http.header; pcre:\"/a/\"; file.data; content:!\"no\";",
	 "http.header head; file.data gated, always"},
	// head and body: who is more selective
	{"http.user_agent; content:\"Very-Selective-Agent\"; http.request_body; "
	 "content:\"zqxjkvbw\";",
	 "*http.user_agent head Very-Selective-Agent; http.request_body gated, to server"},
	{"http.method; content:\"POST\"; http.request_body; content:\"zqxjkvbw\";",
	 "http.method head POST; *http.request_body exact zqxjkvbw, keep, to server"},
	{"http.stat_code; content:\"200\"; file.data; content:\"ab\"; content:\"cd\"; distance:0; "
	 "within:9;",
	 "http.stat_code head 200; *file.data anchor ab/2, keep, to client"},
	// raw bytes pass before the head is complete
	{"http.user_agent; content:\"Very-Selective-Agent\"; pkt_data; content:\"ab\";",
	 "http.user_agent head Very-Selective-Agent; *raw exact ab, keep, to server"},
	{"http.user_agent; content:\"Very-Selective-Agent\"; pkt_data; content:!\"ab\";",
	 "*http.user_agent head Very-Selective-Agent; raw gated, to server"},
	{"content:\"ab\"; file.data; content:\"zqxjkvbw\";", "*raw exact ab; file.data gated"},
	{"flow:to_client; file.data; content:\"abc\";", "*file.data exact abc, to client"},
	{"flow:to_server; http.header; content:\"abc\";", "*http.header head abc, to server"},
};

static void test_plans(void **state)
{
	unsigned int failures = 0;

	for (size_t i = 0; i < N(plans); i++) {
		struct rules rs = {0};
		const struct rule *r = parse(&rs, plans[i].options);
		struct plan p;
		struct diag d = {0};
		char got[1000];

		if (plan_rule(&rs, r, &p, &d) != 0)
			snprintf(got, sizeof(got), "refused: %s", d.text);
		else
			describe(&p, got, sizeof(got));
		if (strcmp(got, plans[i].want) != 0) {
			print_error("%s\n  is planned  %s\n  instead of  %s\n", plans[i].options,
				    got, plans[i].want);
			failures++;
		}
		rules_done(&rs);
	}
	assert_int_equal(failures, 0);
}

// Compile one rule besides another. Returns its only stream condition, or NULL and what the refusal says.
static const struct image_cond *compile(const char *options, void **ret_image, struct diag *ret_why)
{
	static const char second[] =
		"alert http any any -> any any (http.uri; content:\"/\"; sid:2;)";
	struct rules rs = {0};
	struct compile_stats stats;
	const struct image_header *h;
	const struct image_cond *conds, *found = NULL;
	struct diag d = {0};
	uint64_t len;

	memset(ret_why, 0, sizeof(*ret_why));
	parse(&rs, options);
	assert_int_equal(rules_parse(&rs, "t", second, strlen(second), NULL, report, ret_why), 1);
	assert_int_equal(compile_image(&rs, 0, ret_image, &len, &stats, report, ret_why, &d), 0);
	rules_done(&rs);
	// Whatever becomes of the first rule, the second is not affected, and the image is sound.
	h = *ret_image;
	assert_int_equal(image_check(h, len, NULL, &d), 0);
	assert_int_equal(stats.rules + stats.refused, 2);
	assert_int_equal(IMAGE_COUNT(h, struct image_rule, IMAGE_RULES), stats.rules);
	assert_int_equal(IMAGE_AT(h, struct image_rule, IMAGE_RULES)[stats.rules - 1].sid, 2);
	conds = IMAGE_AT(h, struct image_cond, IMAGE_CONDS);
	for (uint32_t i = 0; i < IMAGE_COUNT(h, struct image_cond, IMAGE_CONDS); i++)
		if (conds[i].mode != IMAGE_COND_HEAD)
			found = &conds[i];
	assert_int_equal(found == NULL, stats.refused == 1);
	return found;
}

// What only Hyperscan can tell: it has no expression for it, so the window is evaluated, if something wakes it.
static const struct {
	const char *options;
	uint32_t mode;
	bool buffered;
	const char *why; // refused
} compiled[] = {
	{"file.data; pcre:\"/a[0-9]{3}/\";", IMAGE_COND_EXACT, false, NULL},
	{"file.data; content:\"k\"; pcre:\"/[0-9]{3}/\";", IMAGE_COND_WINDOW, false, NULL},
	{"file.data; content:\"k\"; pcre:\"/(?<!a)b/\";", IMAGE_COND_WINDOW, true, NULL},
	{"file.data; content:\"k\"; pcre:\"/(a)\\1/\";", IMAGE_COND_WINDOW, true, NULL},
	{"http.uri; content:\"/a\"; file.data; pcre:\"/a(?=b)/\";", IMAGE_COND_GATED, true, NULL},
	{"file.data; pcre:\"/a(?=b)/\";", 0, false,
	 "not possible on file.data, which is matched as a stream"},
	{"file.data; pcre:\"/(a)\\1/\";", 0, false,
	 "not possible on file.data, which is matched as a stream"},
	{"file.data; content:!\"ab\"; content:!\"cd\"; within:9;", 0, false,
	 "content on file.data: relative to a negated match"},
};

static void test_compiled(void **state)
{
	for (size_t i = 0; i < N(compiled); i++) {
		struct diag why;
		void *image;
		const struct image_cond *c = compile(compiled[i].options, &image, &why);

		if (compiled[i].why != NULL) {
			assert_null(c);
			assert_string_equal(why.file, "t");
			assert_int_equal(why.line, 1);
			if (strstr(why.text, compiled[i].why) == NULL)
				fail_msg("%s: refused with \"%s\"", compiled[i].options, why.text);
		} else if (c == NULL) {
			fail_msg("%s: refused with \"%s\"", compiled[i].options, why.text);
		} else if (c->mode != compiled[i].mode ||
			   (c->n_matches > 0) != compiled[i].buffered) {
			fail_msg("%s: mode %u, %u matches", compiled[i].options, c->mode,
				 c->n_matches);
		}
		free(image);
	}
}

static void test_many_terms(void **state)
{
	char text[2800] = "file.data;";

	for (int n = 1; n <= IMAGE_TERMS_PER_COND_MAX + 1; n++) {
		const bool fits = n <= IMAGE_TERMS_PER_COND_MAX;
		struct rules rs = {0};
		struct plan p;
		struct diag d = {0};

		put(text, sizeof(text), " content:\"a%02d\";", n);
		assert_int_equal(plan_rule(&rs, parse(&rs, text), &p, &d), 0);
		assert_int_equal(p.conds[0].n_terms, fits ? n : 0);
		assert_int_equal(p.conds[0].buffered, !fits);
		rules_done(&rs);
	}
}

static void test_bits(void **state)
{
	const struct {
		struct span rare, common;
	} pairs[] = {
		{SPAN_LIT("zqxj"), SPAN_LIT("eats")},
		{SPAN_LIT("\xff\xfe\xfd\xfc"), SPAN_LIT("text")},
		{SPAN_LIT("abcdefgh"), SPAN_LIT("abcd")},
		{SPAN_LIT("abcdefgh"), SPAN_LIT("        ")},
		{SPAN_LIT("/zq-xv"), SPAN_LIT("/images/")},
		{SPAN_LIT("Xq-Zv: 12"), SPAN_LIT("Content-Length: ")},
	};

	for (size_t i = 0; i < N(pairs); i++) {
		assert_true(plan_literal_bits(pairs[i].rare, false) >
			    plan_literal_bits(pairs[i].common, false));
		assert_true(plan_literal_bits(pairs[i].rare, true) <=
			    plan_literal_bits(pairs[i].rare, false));
	}
	assert_true(plan_literal_bits(SPAN_LIT("a"), true) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plans),
		cmocka_unit_test(test_compiled),
		cmocka_unit_test(test_many_terms),
		cmocka_unit_test(test_bits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

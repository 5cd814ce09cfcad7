// SPDX-License-Identifier: BSD-2-Clause
// The size of a pattern, and that a rule with an enormous one is refused, or evaluated, before anybody compiles it.
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "rules/compile.h"
#include "rules/pcre_size.h"
#include "tests/unit/guard.h"

static struct pcre_size size_of(const char *text)
{
	struct pcre_size n;
	struct guard g;

	guard_init(&g, 4096);
	n = pcre_size(span_of(guard_put(&g, text, strlen(text), 0), strlen(text)));
	guard_done(&g);
	return n;
}

static void test_sizes(void **state)
{
	static const struct {
		const char *pattern;
		uint32_t size, spread;
	} cases[] = {
		{"", 0, 0},
		{"abc", 3, 0},
		{"a|bc", 3, 0},
		{"a*b+c?", 3, 0},
		{"a{3}", 3, 0},
		{"a{3,}", 3, 0},
		{"a{2,5}b", 6, 3},
		{"a{0}b", 2, 0},
		{"a{,3}", 5, 0}, // no quantifier in PCRE2 10.42
		{"a{x}", 4, 0},
		{"(ab{3}){2}", 8, 0},
		{"(?:ab{3}){2}", 8, 0},
		{"(?<name>ab){2}", 4, 0},
		{"(?P<name>ab){2}", 4, 0},
		{"(?=ab){2}", 4, 0},
		{"(?#abc)d", 1, 0},
		{"[abc]{4}", 4, 0},
		{"[]a]{4}", 4, 0},
		{"[^]a]{4}", 4, 0},
		{"[[:alpha:]]{4}", 4, 0},
		{"[\\]]{4}", 4, 0},
		{"\\x41\\{2", 5, 0},
		{"\\x{41}{3}", 3, 0},
		{"\\Qa{9}\\E{2}", 5, 0},
		{"a.{0,32767}b", 32769, 32767},
		{"((a{1,50}b{1,50}){1,50}c){1,20}", 100020, 100017},
		{"((((a{60000}){60000}){60000}){60000}){60000}", UINT32_MAX, 0},
		{"a{99999999999999999999999999}", UINT32_MAX, 0},
		{"(ab){1,10}", 20, 18},
		{"(a+b){1,10}", 20, 18 * 8},
		{"((a*)b){1,10}", 20, 18 * 8},
		{"(a{2,}b){1,10}", 30, 27 * 8},
		{"(ab)+{1,10}", 20, 18 * 8},
		// not valid, yet counted
		{")a)", 3, 0},
		{"(a{5}", 5, 0},
		{"a\\", 2, 0},
		{"[a", 1, 0},
		{"a{5", 3, 0},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct pcre_size z = size_of(cases[i].pattern);

		if (z.size != cases[i].size || z.spread != cases[i].spread)
			print_error("%s: %u, %u\n", cases[i].pattern, z.size, z.spread);
		assert_int_equal(z.size, cases[i].size);
		assert_int_equal(z.spread, cases[i].spread);
	}
}

static void test_depth(void **state)
{
	char text[PCRE_SIZE_DEPTH_MAX + 2];

	memset(text, '(', sizeof(text));
	text[PCRE_SIZE_DEPTH_MAX] = '\0';
	assert_int_equal(size_of(text).size, 0);
	text[PCRE_SIZE_DEPTH_MAX] = '(';
	text[PCRE_SIZE_DEPTH_MAX + 1] = '\0';
	assert_int_equal(size_of(text).size, UINT32_MAX);
	assert_int_equal(size_of(text).spread, UINT32_MAX);
}

struct outcome {
	uint32_t loaded, refused;
	struct diag diag;
};

static void on_rule(void *ctx, enum rules_verdict verdict, uint32_t sid, const struct diag *diag)
{
	struct outcome *o = ctx;

	o->refused++;
	o->diag = *diag;
}

static struct outcome compile(const char *options)
{
	struct outcome o = {0};
	struct compile_stats stats;
	struct rules rs = {0};
	struct diag d = {0};
	uint64_t len;
	void *image = NULL;
	char text[8192];

	snprintf(text, sizeof(text),
		 "alert http any any -> any any (flow:to_client; file.data; %s sid:1;)", options);
	assert_true(rules_parse(&rs, "t.rules", text, strlen(text), NULL, on_rule, &o) >= 0);
	assert_int_equal(compile_image(&rs, 0, &image, &len, &stats, on_rule, &o, &d), 0);
	o.loaded = stats.rules;
	free(image);
	rules_done(&rs);
	return o;
}

// Hyperscan would take these on, for minutes.
static void test_hostile(void **state)
{
	static const char *const hostile[] = {
		"pcre:\"/a.{0,32767}b/s\";",
		"pcre:\"/((a{1,50}b{1,50}){1,50}c){1,20}/\";",
		"pcre:\"/a.{1,1500}b/\"; pcre:\"/a.{1,1500}b/\";",
		"pcre:\"/a(.*b.*|c+d+){1,340}e/i\";",
	};
	clock_t start = clock();

	for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
		struct outcome o = compile(hostile[i]);

		assert_int_equal(o.loaded, 0);
		assert_int_equal(o.refused, 1);
		assert_string_equal(o.diag.keyword, "pcre");
		assert_string_equal(o.diag.file, "t.rules");
		assert_int_equal(o.diag.line, 1);
		assert_true(o.diag.column > 40);
		assert_non_null(strstr(o.diag.text, "too long to be compiled"));
	}
	// With a literal that wakes it, the expression is evaluated on the window.
	assert_int_equal(compile("content:\"needle\"; pcre:\"/a.{0,32767}b/Rs\";").loaded, 1);
	// CPU time, not wall clock: what was compiled would have taken minutes of it.
	assert_true((clock() - start) / CLOCKS_PER_SEC < 20);
}

// What public rules have is compiled as before.
static void test_usual(void **state)
{
	assert_int_equal(compile("content:\"needle\"; pcre:\"/^[a-f0-9]{2000}/R\";").loaded, 1);
	assert_int_equal(compile("pcre:\"/[0-9_,{AbZwP&-]{1000}x/\";").loaded, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_usual),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

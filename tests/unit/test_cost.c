// SPDX-License-Identifier: BSD-2-Clause
// What a rule set costs: the sample is the same everywhere, and the rules that are woken most are named first.
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "rules/compile.h"
#include "rules/cost.h"
#include "rules/explain.h"

static void test_sample(void **state)
{
	struct sample a = {0}, b = {0};
	uint64_t seen = 0;

	assert_int_equal(sample_builtin(&a), 0);
	assert_int_equal(sample_builtin(&b), 0);
	assert_int_equal(a.n, b.n);
	assert_int_equal(a.used, b.used);
	assert_memory_equal(a.bytes, b.bytes, a.used);
	assert_true(a.used > 1000000 && a.used < 4000000);
	for (size_t i = 0; i < a.n; i++) {
		struct span s = sample_span(&a, i);

		assert_true(a.v[i].buffer < BUF_N);
		assert_true((buffer_info(a.v[i].buffer)->dirs >> a.v[i].dir & 1) != 0);
		for (int k = 0; k < SAMPLE_TAIL_BYTES; k++)
			assert_int_equal(s.data[s.len + (size_t)k], 0);
		seen |= UINT64_C(1) << a.v[i].buffer;
	}
	// one of each kind, but for the bodies under their other names, and what is no buffer of a message
	for (unsigned int buffer = 0; buffer <= BUF_STAT_MSG; buffer++)
		if ((seen >> buffer & 1) == 0)
			fail_msg("no %s in the sample", buffer_info(buffer)->keyword);
	assert_true(a.messages[0] == 128 && a.messages[1] == 128);
	sample_done(&a);
	sample_done(&b);
}

static const char set[] =
	"alert http any any -> any any (http.uri; content:\"/very-rare-needle\"; sid:1;)\n"
	"alert http any any -> any any (flow:to_client; file.data; content:\"e\"; "
	"content:\"zzqqxx\"; distance:5; within:20; sid:2;)\n"
	"alert http any any -> any any (http.uri; pcre:\"/^.[a-z]+never$/\"; sid:3;)\n"
	"alert http any any -> any any (flow:to_client; file.data; content:\"<title>\"; sid:4;)\n"
	"alert http any any -> any any (flow:to_client; file.data; content:\"no such text\"; "
	"sid:5;)\n";

struct world {
	struct rules rs;
	struct sample sample;
	struct compile_stats stats;
	void *image;
	uint64_t len;
	struct cost cost;
};

static void world_init(struct world *w, const char *text)
{
	struct diag d = {""};

	memset(w, 0, sizeof(*w));
	assert_true(rules_parse(&w->rs, "t.rules", text, strlen(text), NULL, NULL, NULL) >= 0);
	assert_int_equal(compile_image(&w->rs, 0, &w->image, &w->len, &w->stats, NULL, NULL, &d),
			 0);
	assert_int_equal(sample_builtin(&w->sample), 0);
	assert_int_equal(cost_measure(w->image, &w->rs, &w->sample, &w->cost, &d), 0);
}

static void world_done(struct world *w)
{
	free(w->image);
	sample_done(&w->sample);
	rules_done(&w->rs);
}

static const struct cost_rule *find(const struct world *w, uint32_t sid)
{
	for (uint32_t i = 0; i < w->cost.n_rules; i++)
		if (w->cost.rule[i].rule->sid == sid)
			return &w->cost.rule[i];
	fail_msg("sid %u is not listed", sid);
	return NULL;
}

static void test_databases(void **state)
{
	struct world w;
	uint32_t patterns = 0;

	world_init(&w, set);
	assert_true(w.cost.n_databases > 0);
	for (uint32_t i = 0; i < w.cost.n_databases; i++) {
		const struct cost_database *d = &w.cost.database[i];

		patterns += d->patterns;
		assert_true(d->bytes > 0);
		assert_true(d->sample_bytes > 0);
		assert_true(d->gigabytes_per_second > 0);
		assert_int_equal(d->stream_bytes > 0,
				 buffer_info(d->buffer)->stage == BUFFER_STREAM);
	}
	assert_int_equal(patterns, w.stats.signatures);
	world_done(&w);
}

static void test_rules(void **state)
{
	const struct cost_rule *r;
	struct world w;
	double sum = 0;

	world_init(&w, set);
	assert_int_equal(w.cost.n_rules, 5);
	for (uint32_t i = 0; i < w.cost.n_rules; i++) {
		sum += w.cost.rule[i].percent;
		assert_true(i == 0 || w.cost.rule[i].percent <= w.cost.rule[i - 1].percent);
		assert_true(w.cost.rule[i].mend[0] != '\0');
	}
	assert_true(sum <= 100.5);
	r = find(&w, 1);
	assert_int_equal(r->woken, 0);
	assert_string_equal(r->mend, "nothing to mend");
	r = find(&w, 3);
	assert_true(r->always);
	assert_int_equal(r->woken, 128);
	assert_int_equal(r->messages, 128);
	assert_non_null(strstr(r->mend, "add a content"));
	r = find(&w, 4);
	assert_true(r->woken > 30 && r->woken < 128);
	assert_true(r->occurrences >= r->woken);
	assert_int_equal(r->buffer, BUF_FILE_DATA);
	r = find(&w, 5);
	assert_int_equal(r->woken, 0);
	assert_int_equal(r->occurrences, 0);
	world_done(&w);
}

static void test_empty(void **state)
{
	struct world w;

	world_init(&w, "");
	assert_int_equal(w.cost.n_databases, 0);
	assert_int_equal(w.cost.n_rules, 0);
	world_done(&w);
}

static void test_literal(void **state)
{
	static const struct {
		const char *bytes;
		size_t n;
		const char *text;
	} cases[] = {
		{"id=", 3, "\"id=\""},
		{"a\r\nb", 4, "\"a|0d 0a|b\""},
		{"\"x\"", 3, "\"|22|x|22|\""},
		{"\0", 1, "\"|00|\""},
		{"", 0, "\"\""},
	};
	char buf[EXPLAIN_LITERAL_MAX], many[1000];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(
			explain_literal(buf, span_of(cases[i].bytes, cases[i].n), false),
			cases[i].text);
	memset(many, 1, sizeof(many));
	explain_literal(buf, span_of(many, sizeof(many)), true);
	assert_non_null(strstr(buf, "...\" in any case"));
	assert_true(strlen(buf) < sizeof(buf));
}

static void test_explain(void **state)
{
	static const char *const expect[] = {
		"It wakes when \"/very-rare-needle\" is found in http.uri of requests",
		"file.data",
		"looked at on every one of the requests",
		"nothing is kept, at any depth",
		"nothing is kept, at any depth",
	};
	struct world w;

	world_init(&w, set);
	for (size_t i = 0; i < w.rs.n; i++) {
		struct diag d = {""};
		char *text = NULL;
		size_t size;
		FILE *out = open_memstream(&text, &size);

		assert_non_null(out);
		assert_int_equal(explain_rule(out, &w.rs, &w.rs.v[i], &d), 0);
		fclose(out);
		if (strstr(text, expect[i]) == NULL)
			fail_msg("rule %zu: %s", i + 1, text);
		free(text);
	}
	world_done(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sample),  cmocka_unit_test(test_databases),
		cmocka_unit_test(test_rules),   cmocka_unit_test(test_empty),
		cmocka_unit_test(test_literal), cmocka_unit_test(test_explain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: BSD-2-Clause
// classification.config and threshold.config: what their lines do to rules, which are refused and where, and what becomes of hits.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>
#include <cmocka.h>

#include "rules/compile.h"
#include "rules/verdict.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

struct reports {
	unsigned int n;
	struct diag diag[8];
};

static void report(void *ctx, enum rules_verdict verdict, uint32_t sid, const struct diag *diag)
{
	struct reports *r = ctx;

	assert_int_equal(verdict, RULES_REFUSED);
	assert_int_equal(sid, 0);
	if (r->n < N(r->diag))
		r->diag[r->n] = *diag;
	r->n++;
}

static void parse(struct rules *rs, const char *text)
{
	assert_true(rules_parse(rs, "t.rules", text, strlen(text), NULL, NULL, NULL) > 0);
	assert_int_equal(rs->refused, 0);
}

// ---- classification ----

static void test_classification(void **state)
{
	static const char text[] = "# comment\n"
				   "config classification: own-class,What is ours,7\n"
				   "config classification: trojan-activity, Elsewhere 1 ,2\n"
				   "config  classification:own-class,twice,9\n";
	static const char rules[] =
		"alert tcp any any -> any any (classtype:own-class; sid:1;)\n"
		"alert tcp any any -> any any (classtype:trojan-activity; sid:2;)\n"
		"alert tcp any any -> any any (classtype:bad-unknown; sid:3;)\n"
		"alert tcp any any -> any any (classtype:nobody-knows; sid:4;)\n"
		"alert tcp any any -> any any (priority:1; classtype:own-class; sid:5;)\n";
	static const uint8_t want[] = {7, 2, 2, 3, 1};
	struct reports r = {0};
	struct rules rs = {0};

	assert_int_equal(rules_classification(&rs, "c", text, strlen(text), report, &r), 0);
	assert_int_equal(r.n, 0);
	parse(&rs, rules);
	assert_int_equal(rs.seen, 5);
	for (size_t i = 0; i < N(want); i++)
		assert_int_equal(rs.v[i].priority, want[i]);
	rules_done(&rs);
}

// ---- lines that are refused ----

struct refused_case {
	const char *line;
	unsigned int column;
	const char *why;
};

static const struct refused_case classes[] = {
	{"classification: a,b,1", 1, "write config classification"},
	{"config classtype: a,b,1", 1, "write config classification"},
	{"config classification: a,b", 27, "not a number from 1"},
	{"config classification: a,b,0", 28, "not a number from 1"},
	{"config classification: a,b,256", 28, "not a number from 1"},
	{"config classification: a b,c,1", 24, "a word like"},
	{"config classification: ,c,1", 24, "a word like"},
	{"config classification: a,,1", 24, "a word like"},
};

static const struct refused_case thresholds[] = {
	{"supress gen_id 1, sig_id 1", 1, "\"supress\" where suppress, threshold"},
	{"rate_filter gen_id 1, sig_id 1, track by_src, count 1, seconds 1, new_action drop, "
	 "timeout 1",
	 1, "rate_filter is not supported"},
	{"suppress gen_id 1", 0, "no sig_id"},
	{"suppress sig_id 1", 0, "no gen_id"},
	{"suppress gen_id 1, sig_id x", 27, "\"x\" is not a number from 0"},
	{"suppress gen_id 0, sig_id 4", 17, "sig_id must be 0, too"},
	{"suppress gen_id 1, sig_id 1, track by_src", 0, "no ip"},
	{"suppress gen_id 1, sig_id 1, ip 10.0.0.1", 0, "no track"},
	{"suppress gen_id 1, sig_id 1, track by_rule, ip 10.0.0.1", 36, "cannot track \"by_rule\""},
	{"suppress gen_id 1, sig_id 1, track by_src, ip 10.0.0.300", 47, "is not an IPv4"},
	{"suppress gen_id 1, sig_id 1, track by_src, ip $NOWHERE", 47, "unknown variable"},
	{"suppress gen_id 1, sig_id 1, count 4", 36, "count has no meaning"},
	{"suppress gen_id 1, gen_id 1, sig_id 1", 20, "gen_id is given twice"},
	{"suppress gen_id 1, sig_id", 20, "sig_id needs a value"},
	{"suppress gen_id 1, sid 4", 20, "unknown field \"sid\""},
	{"threshold gen_id 1, sig_id 1, type limit, track by_src, count 1", 0, "no seconds"},
	{"threshold gen_id 1, sig_id 1, type limit, track by_src, count 0, seconds 1", 63,
	 "\"0\" is not a number from 1"},
	{"threshold gen_id 1, sig_id 1, type limits, track by_src, count 1, seconds 1", 36,
	 "unknown threshold type"},
	{"event_filter gen_id 1, sig_id 1, type detection_filter, track by_src, count 1, seconds 1",
	 39, "unknown threshold type"},
	{"threshold gen_id 1, sig_id 1, type limit, track by_either, count 1, seconds 1", 49,
	 "cannot track"},
	{"threshold gen_id 1, sig_id 1, type limit, track by_src, count 1, seconds 1, ip 1.2.3.4",
	 80, "ip has no meaning"},
};

static void refused(const struct refused_case *v, size_t n, bool is_class)
{
	for (size_t i = 0; i < n; i++) {
		struct reports r = {0};
		struct rules rs = {0};
		char *copy = strdup(v[i].line);
		size_t len = strlen(copy);

		assert_non_null(copy);
		if (is_class)
			rules_classification(&rs, "f", copy, len, report, &r);
		else
			rules_thresholds(&rs, "f", copy, len, NULL, report, &r);
		if (r.n != 1 || r.diag[0].column != v[i].column ||
		    strstr(r.diag[0].text, v[i].why) == NULL)
			fail_msg("%s\n  wants %u \"%s\"\n  has %u \"%s\"", v[i].line, v[i].column,
				 v[i].why, r.diag[0].column, r.diag[0].text);
		assert_int_equal(r.diag[0].line, 1);
		assert_int_equal(rs.n_classes + rs.n_suppress + rs.n_limits, 0);
		assert_int_equal(rs.refused, 0); // no rule is
		free(copy);
		rules_done(&rs);
	}
}

static void test_refused(void **state)
{
	refused(classes, N(classes), true);
	refused(thresholds, N(thresholds), false);
}

// ---- thresholds ----

// A rule's own goes first, then the first line that is about it, however general.
static void test_limits(void **state)
{
	static const char rules[] = "alert tcp any any -> any any (sid:1;)\n"
				    "alert tcp any any -> any any (sid:2;)\n"
				    "alert tcp any any -> any any (sid:3; threshold:type "
				    "both,track by_dst,count 9,seconds 9;)\n"
				    "alert tcp any any -> any any (sid:4; gid:7;)\n"
				    "alert tcp any any -> any any (sid:5; gid:8;)\n";
	static const char text[] =
		"event_filter gen_id 1, sig_id 2, type threshold, track by_dst, count 2, seconds "
		"3\n"
		"threshold gen_id 1, sig_id 2, type limit, track by_src, count 5, seconds 5\n"
		"threshold gen_id 1, sig_id 3, type limit, track by_src, count 5, seconds 5\n"
		"threshold gen_id 7, sig_id 0, type limit, track by_rule, count 6, seconds 6\n"
		"threshold gen_id 0, sig_id 0, \\\n  type both, track by_both, count 7, seconds 7\n"
		"threshold gen_id 1, sig_id 1, type limit, track by_src, count 8, seconds 8\n";
	static const struct threshold_params want[] = {
		{.type = THRESHOLD_BOTH, .track = THRESHOLD_BY_BOTH, .count = 7, .seconds = 7},
		{.type = THRESHOLD_THRESHOLD, .track = THRESHOLD_BY_DST, .count = 2, .seconds = 3},
		{.type = THRESHOLD_BOTH, .track = THRESHOLD_BY_DST, .count = 9, .seconds = 9},
		{.type = THRESHOLD_LIMIT, .track = THRESHOLD_BY_RULE, .count = 6, .seconds = 6},
		{.type = THRESHOLD_BOTH, .track = THRESHOLD_BY_BOTH, .count = 7, .seconds = 7},
	};
	struct reports r = {0};
	struct rules rs = {0};

	parse(&rs, rules);
	assert_int_equal(rules_thresholds(&rs, "f", text, strlen(text), NULL, report, &r), 0);
	assert_int_equal(r.n, 0);
	for (size_t i = 0; i < N(want); i++)
		assert_memory_equal(&rs.v[i].threshold, &want[i], sizeof(want[i]));
	rules_done(&rs);
}

// ---- what becomes of hits ----

static void *image_of(const char *rules, const char *text)
{
	static const struct rule_var vars[] = {{"MINE", "[192.0.2.0/24,!192.0.2.9]"}, {NULL, NULL}};
	struct reports r = {0};
	struct rules rs = {0};
	struct diag d = {0};
	void *image = NULL;
	uint64_t len;

	parse(&rs, rules);
	assert_int_equal(rules_thresholds(&rs, "f", text, strlen(text), vars, report, &r), 0);
	assert_int_equal(r.n, 0);
	assert_int_equal(compile_image(&rs, 1, &image, &len, NULL, NULL, NULL, &d), 0);
	assert_int_equal(image_check(image, len, NULL, &d), 0);
	rules_done(&rs);
	return image;
}

static struct hit hit_of(uint32_t gid, uint32_t sid, uint8_t src, uint8_t dst)
{
	return (struct hit){
		.gid = gid,
		.sid = sid,
		.ts_ns = 1000000000,
		.addr = {.src = {[10] = 0xff, 0xff, 192, 0, 2, src},
			 .dst = {[10] = 0xff, 0xff, 192, 0, 2, dst}},
	};
}

static void test_suppress(void **state)
{
	static const char rules[] = "alert tcp any any -> any any (content:\"x\"; sid:1;)\n";
	static const char text[] =
		"suppress gen_id 1, sig_id 3\n"
		"suppress gen_id 1, sig_id 2, track by_dst, ip 192.0.2.5\n"
		"suppress gen_id 1, sig_id 2, track by_src, ip [192.0.2.6,192.0.2.7]\n"
		"suppress gen_id 1, sig_id 4, track by_either, ip $MINE\n"
		"suppress gen_id 2, sig_id 0, track by_src, ip 192.0.2.1\n"
		"suppress gen_id 0, sig_id 0, track by_src, ip 192.0.2.77\n";
	static const struct {
		uint32_t gid, sid;
		uint8_t src, dst;
		bool reported;
	} cases[] = {
		{1, 1, 1, 2, true},  {1, 3, 1, 2, false},  {1, 2, 5, 4, true},
		{1, 2, 4, 5, false}, {1, 2, 6, 4, false},  {1, 2, 7, 4, false},
		{1, 2, 8, 6, true},  {1, 4, 9, 9, true},   {1, 4, 9, 8, false},
		{1, 4, 8, 9, false}, {2, 1, 1, 2, false},  {2, 9, 1, 2, false},
		{2, 9, 2, 1, true},  {1, 1, 77, 1, false}, {9, 9, 77, 1, false},
		{1, 1, 1, 77, true}, {3, 3, 1, 2, true},   {1, 0, 1, 2, true},
	};
	const struct threshold_params none = {0};
	void *image = image_of(rules, text);
	struct threshold *t;

	assert_int_equal(verdict_table_new(&t), 0);
	for (size_t i = 0; i < N(cases); i++) {
		struct hit h = hit_of(cases[i].gid, cases[i].sid, cases[i].src, cases[i].dst);

		if ((verdict_of(image, &none, t, NULL, &h) == THRESHOLD_REPORT) !=
		    cases[i].reported)
			fail_msg("case %zu", i);
		assert_int_equal(verdict_of(NULL, &none, t, NULL, &h), THRESHOLD_REPORT);
	}
	free(t);
	free(image);
}

// A suppressed hit is not counted by the threshold.
static void test_suppress_then_count(void **state)
{
	static const char rules[] = "alert tcp any any -> any any (content:\"x\"; sid:1;)\n";
	void *image = image_of(rules, "suppress gen_id 1, sig_id 1, track by_src, ip 192.0.2.1\n");
	const struct threshold_params p = {
		.type = THRESHOLD_LIMIT, .track = THRESHOLD_BY_RULE, .count = 1, .seconds = 60};
	struct hit quiet = hit_of(1, 1, 1, 2), loud = hit_of(1, 1, 3, 2);
	struct threshold *t;

	assert_int_equal(verdict_table_new(&t), 0);
	assert_int_equal(verdict_of(image, &p, t, NULL, &quiet), THRESHOLD_SUPPRESS);
	assert_int_equal(verdict_of(image, &p, t, NULL, &loud), THRESHOLD_REPORT);
	assert_int_equal(verdict_of(image, &p, t, NULL, &loud), THRESHOLD_SUPPRESS);
	free(t);
	free(image);
}

// The records are asked without a second look: a damaged section is refused.
static void test_damaged(void **state)
{
	static const char rules[] = "alert tcp any any -> any any (content:\"x\"; sid:1;)\n";
	struct image_header *h =
		image_of(rules, "suppress gen_id 1, sig_id 1, track by_src, ip 10.0.0.1\n"
				"suppress gen_id 1, sig_id 2\n");
	struct image_suppress *s =
		(struct image_suppress *)(void *)((uint8_t *)h + h->section[IMAGE_SUPPRESS].off);
	const struct image_suppress good = s[0];
	struct diag d = {0};

	for (int i = 0; i < 4; i++) {
		s[0] = good;
		if (i == 0)
			s[0].track = SUPPRESS_TRACK_N;
		else if (i == 1)
			s[0].addr = UINT32_MAX;
		else if (i == 2)
			s[0].n_addrs = 1000;
		else
			s[0].sid = 3; // out of order
		image_seal(h, h->bytes);
		assert_int_equal(image_check(h, h->bytes, NULL, &d), -EBADMSG);
	}
	s[0] = good;
	image_seal(h, h->bytes);
	assert_int_equal(image_check(h, h->bytes, NULL, &d), 0);
	free(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_classification),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_suppress),
		cmocka_unit_test(test_suppress_then_count),
		cmocka_unit_test(test_damaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

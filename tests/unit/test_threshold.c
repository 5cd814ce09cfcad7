// SPDX-License-Identifier: BSD-2-Clause
// Thresholds: what each type reports of a series of hits, what is counted together, what happens at the edges of a window,
// when time goes backwards, when the table is full, and when a batch is taken back.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/threshold.h"

#define N(a)   (sizeof(a) / sizeof((a)[0]))
#define SECOND UINT64_C(1000000000)
#define EPOCH  (UINT64_C(1700000000) * SECOND)

static const uint8_t seed[THRESHOLD_SEED_BYTES] = "sixteen bytes...";
static void *mem;

static struct threshold *table(uint32_t entries)
{
	struct threshold *t = NULL;
	size_t bytes = threshold_bytes(entries);

	free(mem);
	mem = malloc(bytes); // not cleared: threshold_init() must do that
	assert_non_null(mem);
	memset(mem, 0xa5, bytes);
	assert_int_equal(threshold_init(mem, bytes, entries, seed, &t), 0);
	return t;
}

static int teardown(void **state)
{
	free(mem);
	mem = NULL;
	return 0;
}

static struct hit hit_of(uint64_t ts_ns, unsigned int src, unsigned int dst, uint64_t flow)
{
	struct hit h = {.ts_ns = ts_ns, .flow_id = flow, .gid = 1, .sid = 100};

	memset(h.addr.src, 0, 16);
	h.addr.src[10] = h.addr.src[11] = h.addr.dst[10] = h.addr.dst[11] = 0xff;
	memcpy(h.addr.src + 12, &src, 4);
	memcpy(h.addr.dst + 12, &dst, 4);
	return h;
}

// A series of hits of one source. at: milliseconds after the first; want: 'R' reported, '.' suppressed.
static const struct {
	const char *name;
	struct threshold_params p;
	int at[12];
	const char *want;
} series[] = {
	{"limit: the first two of a window",
	 {THRESHOLD_LIMIT, THRESHOLD_BY_SRC, 0, 2, 60},
	 {0, 10000, 20000, 59000, 61000, 62000, 63000, 121000, 121001},
	 "RR..RR..R"},
	{"limit: the last instant belongs to the window",
	 {THRESHOLD_LIMIT, THRESHOLD_BY_SRC, 0, 1, 60},
	 {0, 59999, 60000, 60001, 120001, 120002},
	 "R..R.R"},
	{"threshold: every third, and the window does not move with a report",
	 {THRESHOLD_THRESHOLD, THRESHOLD_BY_SRC, 0, 3, 60},
	 {0, 1000, 2000, 3000, 4000, 5000, 6000, 60001, 60002, 60003},
	 "..R..R...R"},
	{"threshold: too slow is never reported",
	 {THRESHOLD_THRESHOLD, THRESHOLD_BY_SRC, 0, 2, 10},
	 {0, 10001, 20002, 30003},
	 "...."},
	{"threshold: of one reports all",
	 {THRESHOLD_THRESHOLD, THRESHOLD_BY_SRC, 0, 1, 10},
	 {0, 1, 2, 10001, 10002},
	 "RRRRR"},
	{"both: the third, once in a window",
	 {THRESHOLD_BOTH, THRESHOLD_BY_SRC, 0, 3, 60},
	 {0, 1000, 2000, 3000, 59000, 60001, 60002, 60003, 60004},
	 "..R....R."},
	{"both: of one is the first of each window",
	 {THRESHOLD_BOTH, THRESHOLD_BY_SRC, 0, 1, 60},
	 {0, 1, 60000, 60001, 60002},
	 "R..R."},
	{"detection_filter: all after the first two, and anew in the next window",
	 {THRESHOLD_FILTER, THRESHOLD_BY_SRC, 0, 2, 60},
	 {0, 1000, 2000, 3000, 60000, 60001, 60002, 60003},
	 "..RRR..R"},
	{"detection_filter: the largest window",
	 {THRESHOLD_FILTER, THRESHOLD_BY_SRC, 0, 1, UINT32_MAX},
	 {0, 2000000000},
	 ".R"},
	{"a little earlier is counted in the window, which stays where it is",
	 {THRESHOLD_LIMIT, THRESHOLD_BY_SRC, 0, 1, 60},
	 {0, -1000, -60000, 59000, 60001},
	 "R...R"},
	{"long before: the clock was set back, a window begins there",
	 {THRESHOLD_LIMIT, THRESHOLD_BY_SRC, 0, 1, 60},
	 {0, -60001, -60000, -1000, 0},
	 "RR..R"},
	{"no threshold", {THRESHOLD_NONE, 0, 0, 0, 0}, {0, 0, 0, 0}, "RRRR"},
};

static void test_series(void **state)
{
	for (size_t i = 0; i < N(series); i++) {
		struct threshold *t = table(64);
		char got[16] = "";
		uint64_t suppressed = 0;

		for (size_t k = 0; k < strlen(series[i].want); k++) {
			struct hit h = hit_of(
				EPOCH + (uint64_t)((int64_t)series[i].at[k] * 1000000), 1, 2, 3);

			got[k] = threshold_check(t, &series[i].p, NULL, &h) == THRESHOLD_REPORT
					 ? 'R'
					 : '.';
			suppressed += got[k] == '.';
		}
		if (strcmp(got, series[i].want) != 0)
			fail_msg("%s: %s instead of %s", series[i].name, got, series[i].want);
		assert_int_equal(threshold_totals(t).suppressed, suppressed);
		assert_int_equal(threshold_totals(t).evicted, 0);
	}
}

// A first hit with limit 1, then another one: is it counted with the first?
static const struct {
	const char *name;
	uint8_t track;
	struct {
		unsigned int src, dst, flow, sid, gid;
		char boot;
	} a, b;
	bool together;
} tracks[] = {
	{"by_src", THRESHOLD_BY_SRC, {1, 2, 1, 9, 1, 'a'}, {1, 3, 2, 9, 1, 'b'}, true},
	{"by_src", THRESHOLD_BY_SRC, {1, 2, 1, 9, 1, 'a'}, {2, 1, 1, 9, 1, 'a'}, false},
	{"by_dst", THRESHOLD_BY_DST, {1, 2, 1, 9, 1, 'a'}, {3, 2, 2, 9, 1, 'b'}, true},
	{"by_dst", THRESHOLD_BY_DST, {1, 2, 1, 9, 1, 'a'}, {1, 3, 1, 9, 1, 'a'}, false},
	{"by_both", THRESHOLD_BY_BOTH, {1, 2, 1, 9, 1, 'a'}, {1, 2, 2, 9, 1, 'b'}, true},
	{"by_both, back", THRESHOLD_BY_BOTH, {1, 2, 1, 9, 1, 'a'}, {2, 1, 2, 9, 1, 'a'}, true},
	{"by_both", THRESHOLD_BY_BOTH, {1, 2, 1, 9, 1, 'a'}, {1, 3, 1, 9, 1, 'a'}, false},
	{"by_rule", THRESHOLD_BY_RULE, {1, 2, 1, 9, 1, 'a'}, {3, 4, 2, 9, 1, 'b'}, true},
	{"by_rule, sid", THRESHOLD_BY_RULE, {1, 2, 1, 9, 1, 'a'}, {1, 2, 1, 8, 1, 'a'}, false},
	{"by_rule, gid", THRESHOLD_BY_RULE, {1, 2, 1, 9, 1, 'a'}, {1, 2, 1, 9, 2, 'a'}, false},
	{"by_flow, back", THRESHOLD_BY_FLOW, {1, 2, 7, 9, 1, 'a'}, {2, 1, 7, 9, 1, 'a'}, true},
	{"by_flow", THRESHOLD_BY_FLOW, {1, 2, 7, 9, 1, 'a'}, {1, 2, 8, 9, 1, 'a'}, false},
	{"by_flow, boot", THRESHOLD_BY_FLOW, {1, 2, 7, 9, 1, 'a'}, {1, 2, 7, 9, 1, 'b'}, false},
	{"by_src, sid", THRESHOLD_BY_SRC, {1, 2, 1, 9, 1, 'a'}, {1, 2, 1, 8, 1, 'a'}, false},
};

static void test_tracks(void **state)
{
	for (size_t i = 0; i < N(tracks); i++) {
		const struct threshold_params p = {THRESHOLD_LIMIT, tracks[i].track, 0, 1, 60};
		uint8_t boot_a[16] = {(uint8_t)tracks[i].a.boot};
		uint8_t boot_b[16] = {(uint8_t)tracks[i].b.boot};
		struct threshold *t = table(64);
		struct hit a = hit_of(EPOCH, tracks[i].a.src, tracks[i].a.dst, tracks[i].a.flow);
		struct hit b = hit_of(EPOCH, tracks[i].b.src, tracks[i].b.dst, tracks[i].b.flow);

		a.sid = tracks[i].a.sid;
		a.gid = tracks[i].a.gid;
		b.sid = tracks[i].b.sid;
		b.gid = tracks[i].b.gid;
		assert_int_equal(threshold_check(t, &p, boot_a, &a), THRESHOLD_REPORT);
		bool together = threshold_check(t, &p, boot_b, &b) == THRESHOLD_SUPPRESS;
		if (together != tracks[i].together)
			fail_msg("%s (row %zu): %s", tracks[i].name, i,
				 together ? "counted together" : "counted apart");
		// Whatever the second was, the first is still known.
		assert_int_equal(threshold_check(t, &p, boot_a, &a), THRESHOLD_SUPPRESS);
	}
}

static void test_parameters_change(void **state)
{
	struct threshold_params p = {THRESHOLD_LIMIT, THRESHOLD_BY_SRC, 0, 1, 60};
	struct threshold *t = table(64);
	struct hit h = hit_of(EPOCH, 1, 2, 3);

	// A new rule set: the window goes on under the new numbers.
	assert_int_equal(threshold_check(t, &p, NULL, &h), THRESHOLD_REPORT);
	assert_int_equal(threshold_check(t, &p, NULL, &h), THRESHOLD_SUPPRESS);
	p.count = 4;
	assert_int_equal(threshold_check(t, &p, NULL, &h), THRESHOLD_REPORT);
	assert_int_equal(threshold_check(t, &p, NULL, &h), THRESHOLD_REPORT);
	assert_int_equal(threshold_check(t, &p, NULL, &h), THRESHOLD_SUPPRESS);
	p.seconds = 10;
	h.ts_ns += 11 * SECOND;
	assert_int_equal(threshold_check(t, &p, NULL, &h), THRESHOLD_REPORT);
}

static void test_end_of_time(void **state)
{
	static const uint64_t times[] = {0, UINT64_MAX, UINT64_MAX - 1, 0, 1};
	static const char want[] = "RR.R.";
	const struct threshold_params p = {THRESHOLD_LIMIT, THRESHOLD_BY_SRC, 0, 1, UINT32_MAX};
	struct threshold *t = table(64);

	for (size_t i = 0; i < N(times); i++) {
		struct hit h = hit_of(times[i], 1, 2, 3);

		assert_int_equal(threshold_check(t, &p, NULL, &h),
				 want[i] == 'R' ? THRESHOLD_REPORT : THRESHOLD_SUPPRESS);
	}
}

// One bucket: the ninth source takes the place of the one whose window began first.
static void test_eviction(void **state)
{
	const struct threshold_params p = {THRESHOLD_LIMIT, THRESHOLD_BY_SRC, 0, 1, 60};
	struct threshold *t = table(THRESHOLD_WAYS);
	struct hit h;

	for (unsigned int src = 1; src <= THRESHOLD_WAYS; src++) {
		h = hit_of(EPOCH + src * SECOND, src, 0, 0);
		assert_int_equal(threshold_check(t, &p, NULL, &h), THRESHOLD_REPORT);
	}
	assert_int_equal(threshold_totals(t).evicted, 0);
	h = hit_of(EPOCH + 20 * SECOND, 99, 0, 0);
	assert_int_equal(threshold_check(t, &p, NULL, &h), THRESHOLD_REPORT);
	assert_int_equal(threshold_totals(t).evicted, 1);
	for (unsigned int src = 2; src <= THRESHOLD_WAYS; src++) { // all but the first are left
		h = hit_of(EPOCH + 21 * SECOND, src, 0, 0);
		assert_int_equal(threshold_check(t, &p, NULL, &h), THRESHOLD_SUPPRESS);
	}
	h = hit_of(EPOCH + 22 * SECOND, 1, 0, 0);
	assert_int_equal(threshold_check(t, &p, NULL, &h), THRESHOLD_REPORT);
	assert_int_equal(threshold_totals(t).evicted, 2);

	// A window that is over makes room without being missed. Over by then: those of 3, 4 and 5.
	for (unsigned int src = 50; src < 53; src++) {
		h = hit_of(EPOCH + 65 * SECOND + 1, src, 0, 0);
		assert_int_equal(threshold_check(t, &p, NULL, &h), THRESHOLD_REPORT);
		assert_int_equal(threshold_totals(t).evicted, 2);
	}
	h = hit_of(EPOCH + 66 * SECOND, 53, 0, 0);
	assert_int_equal(threshold_check(t, &p, NULL, &h), THRESHOLD_REPORT);
	assert_int_equal(threshold_totals(t).evicted, 3);
}

// Many sources at a load of a half: next to none is evicted, and every one has a count of its own.
static void test_many(void **state)
{
	const struct threshold_params p = {THRESHOLD_FILTER, THRESHOLD_BY_SRC, 0, 1, 60};
	struct threshold *t = table(8192);
	unsigned int wrong = 0;

	for (int round = 0; round < 2; round++) {
		for (unsigned int src = 0; src < 4096; src++) {
			struct hit h = hit_of(EPOCH, src << 12, 0, 0);
			bool reported = threshold_check(t, &p, NULL, &h) == THRESHOLD_REPORT;

			wrong += reported != (round == 1);
		}
	}
	// Poisson with a mean of four: a bucket of eight overflows by 0.04 entries, 41 of 1024 buckets.
	assert_in_range(threshold_totals(t).evicted, 0, 200);
	assert_true(wrong <= threshold_totals(t).evicted);
	assert_int_equal(threshold_totals(t).reported + threshold_totals(t).suppressed, 8192);
}

// After a rollback the table answers as if the batch had never been; after a commit as if it had come alone.
static void test_rollback(void **state)
{
	const struct threshold_params p = {THRESHOLD_FILTER, THRESHOLD_BY_SRC, 0, 3, 60};
	struct threshold *t = table(THRESHOLD_WAYS);
	struct threshold_totals before, after;
	const size_t bytes = threshold_bytes(THRESHOLD_WAYS);
	const size_t at = bytes - THRESHOLD_WAYS * 64; // of the entries
	uint8_t *copy = malloc(bytes);

	for (unsigned int i = 0; i < 20; i++) {
		struct hit h = hit_of(EPOCH + i, i % 5, 0, 0);
		(void)threshold_check(t, &p, NULL, &h);
	}
	before = threshold_totals(t);
	memcpy(copy, t, bytes);
	threshold_begin(t);
	for (unsigned int i = 0; i < THRESHOLD_UNDO_MAX;
	     i++) { // the same ones again and new ones, with evictions
		struct hit h = hit_of(EPOCH + SECOND * i, i % 13, 0, 0);
		(void)threshold_check(t, &p, NULL, &h);
	}
	assert_int_not_equal(threshold_totals(t).evicted, before.evicted);
	assert_memory_not_equal((uint8_t *)mem + at, copy + at, bytes - at);
	threshold_rollback(t);
	assert_memory_equal((uint8_t *)mem + at, copy + at, bytes - at);
	after = threshold_totals(t);
	assert_memory_equal(&after, &before, sizeof(before));
	threshold_rollback(t); // once is enough
	assert_memory_equal((uint8_t *)mem + at, copy + at, bytes - at);

	struct hit h = hit_of(EPOCH + SECOND, 0, 0,
			      0); // the fourth of source 0 was before, the fifth is this
	threshold_begin(t);
	assert_int_equal(threshold_check(t, &p, NULL, &h), THRESHOLD_REPORT);
	threshold_commit(t);
	threshold_rollback(t); // nothing is open
	assert_int_equal(threshold_totals(t).reported, before.reported + 1);
	free(copy);
}

static void test_sizes(void **state)
{
	static const uint32_t bad[] = {0,         1, 7, 9, 12, 65535, THRESHOLD_ENTRIES_MAX * 2u,
				       UINT32_MAX};
	uint64_t room[4096 / 8];
	struct threshold *t;

	for (size_t i = 0; i < N(bad); i++) {
		assert_int_equal(threshold_bytes(bad[i]), 0);
		assert_int_equal(threshold_init(room, sizeof(room), bad[i], seed, &t), -EINVAL);
	}
	assert_int_equal(threshold_init(room, sizeof(room), 64, seed, &t), -EINVAL); // too small
	size_t bytes = threshold_bytes(8);
	uint8_t *odd = malloc(bytes + 8);
	assert_int_equal(threshold_init(odd + 4, bytes, 8, seed, &t), -EINVAL);
	assert_int_equal(threshold_init(odd, bytes - 1, 8, seed, &t), -EINVAL);
	assert_int_equal(threshold_init(odd, bytes, 8, seed, &t), 0);
	free(odd);
	assert_in_range(threshold_bytes(THRESHOLD_ENTRIES), 4 << 20, 5 << 20);
}

static void test_valid(void **state)
{
	static const struct {
		struct threshold_params p;
		bool valid;
	} rows[] = {
		{{0}, true},
		{{THRESHOLD_LIMIT, THRESHOLD_BY_FLOW, 0, 1, 1}, true},
		{{THRESHOLD_FILTER, THRESHOLD_BY_SRC, 0, UINT32_MAX, UINT32_MAX}, true},
		{{THRESHOLD_NONE, THRESHOLD_BY_SRC, 0, 1, 0}, false},
		{{THRESHOLD_NONE, THRESHOLD_BY_DST, 0, 0, 0}, false},
		{{THRESHOLD_LIMIT, THRESHOLD_BY_SRC, 0, 0, 1}, false},
		{{THRESHOLD_LIMIT, THRESHOLD_BY_SRC, 0, 1, 0}, false},
		{{THRESHOLD_LIMIT, THRESHOLD_BY_SRC, 1, 1, 1}, false},
		{{THRESHOLD_TYPE_N, THRESHOLD_BY_SRC, 0, 1, 1}, false},
		{{THRESHOLD_LIMIT, THRESHOLD_TRACK_N, 0, 1, 1}, false},
		{{255, 255, 0, 1, 1}, false},
	};

	for (size_t i = 0; i < N(rows); i++)
		if (threshold_is_valid(&rows[i].p) != rows[i].valid)
			fail_msg("row %zu", i);
	for (unsigned int i = 0; i < THRESHOLD_TYPE_N; i++)
		assert_non_null(threshold_type_name(i));
	for (unsigned int i = 0; i < THRESHOLD_TRACK_N; i++)
		assert_non_null(threshold_track_name(i));
	assert_null(threshold_type_name(THRESHOLD_TYPE_N));
	assert_null(threshold_track_name(THRESHOLD_TRACK_N));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_teardown(f, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_series),   TEST(test_tracks),   TEST(test_parameters_change),
		TEST(test_eviction), TEST(test_rollback), TEST(test_end_of_time),
		TEST(test_many),     TEST(test_sizes),    TEST(test_valid),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

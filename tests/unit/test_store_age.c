// SPDX-License-Identifier: BSD-2-Clause
// How long hits are kept: by number, age and size.
#include "tests/unit/storekit.h"

static void test_retention(void **state)
{
	struct store *s = open_store(10);
	struct store_filter all = {.limit = 100};
	struct store_totals t;
	int n = 0;

	for (uint64_t seq = 1; seq <= 35; seq++)
		assert_int_equal(put(s, boot_a, 0, seq), 1);
	assert_int_equal(count(s), 10);
	store_totals(s, &t);
	assert_int_equal(t.hits, 10);
	assert_int_equal(t.last_id, 35); // numbers are not used again
	all.since = 25;
	assert_int_equal(store_list(s, &all, count_row, &n), 10); // the newest are left
	assert_int_equal(put(s, boot_a, 0, 3), 0); // a deleted hit does not come back
	store_close(s);
	s = open_store(4); // a smaller limit takes effect with the next hit
	assert_int_equal(put(s, boot_a, 0, 36), 1);
	assert_int_equal(count(s), 4);
	store_close(s);
}

static void test_newest_limit_is_exact_by_table(void **state)
{
	struct store *s = open_store(1000); // tables of 25
	struct store_totals t;

	for (uint64_t seq = 1; seq <= 1100; seq++)
		put(s, boot_a, 0, seq);
	store_totals(s, &t);
	assert_in_range(t.hits, 1000, 1024);
	assert_int_equal(count(s), t.hits);
	store_close(s);
	s = open_store(1000);
	assert_int_equal(count(s), t.hits);
	store_close(s);
}

static void test_retention_by_age(void **state)
{
	const struct store_limits limits = {.hits = 200, .age_s = 10}; // tables of 5
	const uint64_t second = 1000000000u;
	struct store *s = NULL;
	struct store_totals t;

	assert_int_equal(store_open(path_of("hits.db"), &limits, &s, &diag), 0);
	assert_int_equal(store_begin(s), 0);
	for (uint64_t seq = 1; seq <= 33; seq++) {
		struct hit h = hit_of(seq);
		h.ts_ns = (1000 + seq) * second;
		assert_int_equal(store_hit(s, boot_a, 0, &h, &rule), 1);
	}
	assert_int_equal(store_commit(s), 0);
	const struct store_filter some = {.limit = 100, .sid = 1001};
	const struct store_work ack = {.state = STORE_ACKED, .note = ""};
	assert_int_equal(store_begin(s), 0);
	assert_int_equal(store_work(s, &some, &ack), 17);
	assert_int_equal(store_commit(s), 0);

	assert_int_equal(store_expire(s, 1005 * second), 0);
	assert_int_equal(count(s), 33);
	assert_int_equal(store_expire(s, 1022 * second), 0); // of the third table two rows stay
	assert_int_equal(count(s), 22);
	assert_int_equal(store_work_of(s, 11, NULL, NULL),
			 0); // and what was done with them is gone
	assert_int_equal(store_expire(s, 2000 * second), 0);
	assert_int_equal(count(s), 0);
	assert_int_equal(put(s, boot_a, 0, 34), 1); // its number is a new one
	store_totals(s, &t);
	assert_int_equal(t.last_id, 34);
	assert_int_equal(t.hits, 1);
	store_close(s);
	assert_int_equal(store_open(path_of("hits.db"), &limits, &s, &diag), 0);
	assert_int_equal(count(s), 1);
	store_close(s);
}

static void test_retention_by_size(void **state)
{
	const struct store_limits limits = {.hits = 40000, .bytes = 1 << 20}; // tables of 1000
	struct store *s = NULL;
	sqlite3 *db;
	struct stat st;

	assert_int_equal(store_open(path_of("hits.db"), &limits, &s, &diag), 0);
	for (uint64_t seq = 1; seq <= 12000;) {
		assert_int_equal(store_begin(s), 0);
		for (int i = 0; i < 500; i++) {
			struct hit h = hit_of(seq++);
			assert_int_equal(store_hit(s, boot_a, 0, &h, &rule), 1);
		}
		assert_int_equal(store_commit(s), 0);
	}
	assert_in_range(count(s), 1000, 8000);
	store_close(s);
	assert_int_equal(sqlite3_open(path_of("hits.db"), &db), SQLITE_OK);
	sqlite3_close(db);
	assert_int_equal(stat(path_of("hits.db"), &st), 0);
	assert_in_range(st.st_size, 1 << 18,
			(1 << 20) + (1 << 19)); // a table more while it is written
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_retention),
		TEST(test_newest_limit_is_exact_by_table),
		TEST(test_retention_by_age),
		TEST(test_retention_by_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

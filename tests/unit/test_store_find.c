// SPDX-License-Identifier: BSD-2-Clause
// Rows by filter, over tables of more rows than are read one by one: as many as a look at every row finds, from either end,
// whatever is common or rare and wherever it stands; and what is found without a look at rows.
#include "tests/unit/storekit.h"

#include "control/store_find.h"

enum {
	HITS = 14000,
	TABLE = 6000, // rows
};

// The last byte of a client: 1, rarely 2, and 3 in a stretch of the second table alone.
static uint8_t client_of(uint64_t id)
{
	return id % 997 == 0 ? 2 : id >= 7000 && id < 7400 ? 3 : 1;
}

static struct store *filled(void)
{
	struct store *s = open_store((uint64_t)TABLE * 40);

	assert_int_equal(store_begin(s), 0);
	for (uint64_t id = 1; id <= HITS; id++) {
		struct hit h = hit_of(id);
		h.addr.src[15] = client_of(id);
		assert_int_equal(store_hit(s, boot_a, 0, &h, &rule), 1);
	}
	assert_int_equal(store_commit(s), 0);
	return s;
}

struct ids {
	uint64_t v[HITS];
	size_t n;
};

static bool matches(const struct store_filter *f, uint64_t id)
{
	const struct hit h = hit_of(id);
	uint8_t client[16];

	memcpy(client, h.addr.src, 16);
	client[15] = client_of(id);
	return id > f->since && (f->before == 0 || id < f->before) &&
	       (f->client == NULL || prefix_holds(f->client, client)) &&
	       (f->either == NULL || prefix_holds(f->either, client) ||
		prefix_holds(f->either, h.addr.dst)) &&
	       (f->sid == 0 || h.sid == f->sid) && h.ts_ns >= f->from_ns &&
	       (f->to_ns == 0 || h.ts_ns <= f->to_ns);
}

// The ids that match, from the end that is asked for, ascending.
static void expect(const struct store_filter *f, struct ids *ret_ids)
{
	uint64_t all[HITS];
	size_t n = 0;

	for (uint64_t id = 1; id <= HITS; id++)
		if (matches(f, id))
			all[n++] = id;
	ret_ids->n = n < f->limit ? n : f->limit;
	memcpy(ret_ids->v, f->newest ? all + n - ret_ids->n : all, ret_ids->n * sizeof(all[0]));
}

static void compare(struct store *s, const struct store_filter *f)
{
	static struct ids want;
	struct store_found found;

	expect(f, &want);
	assert_int_equal(store_find(s, f, &found), 0);
	assert_int_equal(found.n, want.n);
	assert_memory_equal(found.ids, want.v, want.n * sizeof(want.v[0]));
	store_found_free(&found);
}

static void test_common_and_rare(void **state)
{
	static const uint64_t since[] = {0, 2995, 5999, 8000}, before[] = {0, 13000, 7300, 2998};
	static const uint32_t limits[] = {1, 7, 100, 290};
	struct store *s = filled();
	struct prefix all, rare, stretch, none;
	const struct prefix *const prefixes[] = {NULL, &all, &rare, &stretch, &none};

	assert_int_equal(prefix_parse("192.0.2.0/24", &all), 0);
	assert_int_equal(prefix_parse("192.0.2.2/32", &rare), 0);
	assert_int_equal(prefix_parse("192.0.2.2/31", &stretch), 0); // and what is rare
	assert_int_equal(prefix_parse("192.0.3.0/24", &none), 0);
	for (unsigned int i = 0; i < 5 * 4 * 4 * 8; i++) {
		struct store_filter f = {
			.client = prefixes[i % 5],
			.limit = limits[i / 5 % 4],
			.newest = i / 20 % 2 != 0,
			.sid = i / 40 % 2 != 0 ? 1001 : 0,
			.since = since[i / 80 % 4],
			.before = before[i / 320 % 2 + (i / 20 % 2) * 2],
		};
		compare(s, &f);
		f.either = f.client;
		f.client = NULL;
		compare(s, &f);
		f.from_ns = hit_of(6990).ts_ns;
		f.to_ns = hit_of(7100).ts_ns;
		compare(s, &f);
	}
	store_close(s);
}

// What is asked of one client, server or host and one rule is answered by the index alone, in the order of ids.
static void test_rule_is_in_the_index(void **state)
{
	static const char *const columns[] = {"client", "server", "host"};
	struct store *s = open_store(1000);

	for (int i = 0; i < 3; i++) {
		sqlite3_stmt *st = NULL;
		char sql[160], want[64];

		snprintf(sql, sizeof(sql),
			 "EXPLAIN QUERY PLAN SELECT id FROM hits_1 WHERE %s = ?1 AND +sid = ?2"
			 " ORDER BY id DESC LIMIT ?3",
			 columns[i]);
		snprintf(want, sizeof(want), "USING COVERING INDEX hits_1_%s", columns[i]);
		assert_int_equal(sqlite3_prepare_v2(s->db, sql, -1, &st, NULL), SQLITE_OK);
		assert_int_equal(sqlite3_step(st), SQLITE_ROW);
		assert_non_null(strstr((const char *)sqlite3_column_text(st, 3), want));
		assert_int_equal(sqlite3_step(st), SQLITE_DONE); // nothing is sorted
		sqlite3_finalize(st);
	}
	store_close(s);
}

// How many rows a table has by what is to be kept: see STORE_PARTS.
static void test_rows_of_a_table(void **state)
{
	static const struct {
		uint64_t hits, rows;
	} cases[] = {
		{1, 1},
		{41, 2},
		{1000000, 25000},
		{2000000, 50000},
		{2000001, 50000},
		{10000000, 50000},
		{20000000, 100000},
		{50000000, 250000},
		{1000000000, 250000},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct store *s = open_store(cases[i].hits);
		assert_int_equal(s->part_rows, cases[i].rows);
		store_close(s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_common_and_rare, setup, teardown),
		cmocka_unit_test_setup_teardown(test_rule_is_in_the_index, setup, teardown),
		cmocka_unit_test_setup_teardown(test_rows_of_a_table, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

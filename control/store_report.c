// SPDX-License-Identifier: BSD-2-Clause
// Numbers for those who report to others: hits by rule and verdict, and the coverage ledger by day.
//
// The dataplane's ledger counts from its start. What was added since it was last asked is added to the day it is asked on; what it
// said last is kept beside (day LAST), so that nothing counts twice when wireglassd starts again.
#include <stdio.h>
#include <string.h>

#include "control/store_impl.h"

enum {
	LAST = -1,
};
static const uint64_t DAY_NS = 86400u * 1000000000ull;

static int run3(struct store *s, const char *sql, int64_t day, const char *name, int64_t bytes,
		int64_t flows)
{
	sqlite3_stmt *st = NULL;
	int rc = sqlite3_prepare_v2(s->db, sql, -1, &st, NULL);

	if (rc != SQLITE_OK)
		return store_failed(s, rc);
	sqlite3_bind_int64(st, 1, day);
	sqlite3_bind_text(st, 2, name, -1, SQLITE_STATIC);
	sqlite3_bind_int64(st, 3, bytes);
	sqlite3_bind_int64(st, 4, flows);
	rc = sqlite3_step(st);
	int err = rc == SQLITE_DONE ? 0 : store_failed(s, rc);
	sqlite3_finalize(st);
	return err;
}

// Rows of the days from first to last, added up.
static int sum(struct store *s, int64_t first, int64_t last, struct store_ledger *ret_ledger)
{
	sqlite3_stmt *st = NULL;
	int rc = sqlite3_prepare_v2(s->db,
				    "SELECT name, sum(bytes), sum(flows) FROM coverage"
				    " WHERE day BETWEEN ? AND ? GROUP BY name",
				    -1, &st, NULL);

	*ret_ledger = (struct store_ledger){0};
	if (rc != SQLITE_OK)
		return store_failed(s, rc);
	sqlite3_bind_int64(st, 1, first);
	sqlite3_bind_int64(st, 2, last);
	while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
		const char *name = (const char *)sqlite3_column_text(st, 0);
		for (unsigned int i = 0; i < COVERAGE_N; i++)
			if (name != NULL && strcmp(name, coverage_name(i)) == 0) {
				ret_ledger->bytes[i] = sqlite3_column_int64(st, 1);
				ret_ledger->flows[i] = sqlite3_column_int64(st, 2);
			}
	}
	int err = rc == SQLITE_DONE ? 0 : store_failed(s, rc);
	sqlite3_finalize(st);
	return err;
}

static int add(struct store *s, uint64_t boot, uint64_t now_ns, const struct coverage *c)
{
	static const char plus[] =
		"INSERT INTO coverage (day, name, bytes, flows) VALUES (?1, ?2, ?3, ?4)"
		" ON CONFLICT DO UPDATE SET bytes = bytes + ?3, flows = flows + ?4";
	static const char put[] = "INSERT OR REPLACE INTO coverage (day, name, bytes, flows)"
				  " VALUES (?1, ?2, ?3, ?4)";
	struct store_ledger last = {0};
	int err = 0;

	if (store_number(s, "coverage_boot", 0) == boot)
		err = sum(s, LAST, LAST, &last);
	for (unsigned int i = 0; i < COVERAGE_N && err == 0; i++) {
		const int64_t bytes = (int64_t)c->bytes[i], flows = (int64_t)c->flows[i];

		if (bytes != last.bytes[i] || flows != last.flows[i])
			err = run3(s, plus, (int64_t)(now_ns / DAY_NS), coverage_name(i),
				   bytes - last.bytes[i], flows - last.flows[i]);
		if (err == 0)
			err = run3(s, put, LAST, coverage_name(i), bytes, flows);
	}
	return err != 0 ? err : store_set_number(s, "coverage_boot", boot);
}

int store_ledger_add(struct store *s, const uint8_t boot_id[16], uint64_t now_ns,
		     const struct coverage *c)
{
	uint64_t boot;
	int err = store_begin(s);

	if (err != 0)
		return err;
	memcpy(&boot, boot_id, sizeof(boot));
	err = add(s, boot & INT64_MAX, now_ns, c);
	if (err == 0)
		err = store_commit(s);
	if (err != 0)
		store_rollback(s);
	return err;
}

int store_ledger_sum(struct store *s, uint64_t from_ns, uint64_t to_ns,
		     struct store_ledger *ret_ledger)
{
	int64_t last = to_ns != 0 ? (int64_t)(to_ns / DAY_NS) : INT64_MAX;

	return sum(s, (int64_t)(from_ns / DAY_NS), last, ret_ledger);
}

// Numbers of one table of hits into the temporary one.
static int count_part(struct store *s, const struct store_part *p, uint64_t from_ns, uint64_t to_ns)
{
	char sql[512];

	snprintf(sql, sizeof(sql),
		 "INSERT INTO temp.report SELECT rule, state, verdict, count(*) FROM hits_%u"
		 " WHERE ts_ns BETWEEN %lld AND %lld GROUP BY rule, state, verdict",
		 p->n, (long long)from_ns, (long long)(to_ns != 0 ? to_ns : INT64_MAX));
	return store_exec(s, sql);
}

static int each_rule(struct store *s, store_rule_fn *fn, void *ctx)
{
	static const char sql[] = "SELECT sid, gid, max(msg), max(metadata), sum(n),"
				  " sum(iif(state = 0, n, 0)), sum(iif(state = 1, n, 0)),"
				  " sum(iif(verdict = 1, n, 0)), sum(iif(verdict = 2, n, 0))"
				  " FROM temp.report JOIN rules ON id = rule"
				  " GROUP BY sid, gid, metadata ORDER BY sid, gid";
	sqlite3_stmt *st = NULL;
	int n = 0, rc = sqlite3_prepare_v2(s->db, sql, -1, &st, NULL);

	if (rc != SQLITE_OK)
		return store_failed(s, rc);
	while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
		const struct store_rule_count row = {
			.sid = (uint32_t)sqlite3_column_int64(st, 0),
			.gid = (uint32_t)sqlite3_column_int64(st, 1),
			.msg = (const char *)sqlite3_column_text(st, 2),
			.metadata = (const char *)sqlite3_column_text(st, 3),
			.hits = (uint64_t)sqlite3_column_int64(st, 4),
			.open = (uint64_t)sqlite3_column_int64(st, 5),
			.acked = (uint64_t)sqlite3_column_int64(st, 6),
			.is_true = (uint64_t)sqlite3_column_int64(st, 7),
			.is_false = (uint64_t)sqlite3_column_int64(st, 8),
		};
		fn(ctx, &row);
		n++;
	}
	int err = rc == SQLITE_DONE ? n : store_failed(s, rc);
	sqlite3_finalize(st);
	return err;
}

int store_rule_counts(struct store *s, uint64_t from_ns, uint64_t to_ns, store_rule_fn *fn,
		      void *ctx)
{
	int err = s->reload ? store_parts_load(s) : 0;

	if (err == 0)
		err = store_exec(s, "CREATE TEMP TABLE IF NOT EXISTS report"
				    " (rule INTEGER, state INTEGER, verdict INTEGER, n INTEGER);"
				    "DELETE FROM temp.report;");
	for (uint32_t i = 0; i < s->n_parts && err == 0; i++) {
		const struct store_part *p = &s->parts[i];
		if (p->rows > 0 && p->max_ns >= from_ns && (to_ns == 0 || p->min_ns <= to_ns))
			err = count_part(s, p, from_ns, to_ns);
	}
	return err != 0 ? err : each_rule(s, fn, ctx);
}

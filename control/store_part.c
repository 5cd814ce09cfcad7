// SPDX-License-Identifier: BSD-2-Clause
// The hits are cut into tables of equal size, hits_1, hits_2..., by ascending id.
//
// So every index is small: inserting into one at random places touches few pages, however many hits are stored, and what
// retention removes is a whole table instead of ten million single rows. A query looks into one table after the other
// and ends when it has enough. The table "partitions" says what is in which; it changes in the same transaction.
//
// The indexes of client, server and host hold id and rule as well: of somebody with many hits those of one rule are found,
// in order, without a look at the rows.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/prefix.h"
#include "control/store_impl.h"

static const char part_schema[] =
	"CREATE TABLE hits_%u ("
	" id INTEGER PRIMARY KEY,"
	" boot INTEGER NOT NULL, worker INTEGER NOT NULL, seq INTEGER NOT NULL,"
	" ts_ns INTEGER NOT NULL, flow_id INTEGER NOT NULL, tx_id INTEGER NOT NULL,"
	" offset_bytes INTEGER NOT NULL,"
	" client BLOB NOT NULL, client_port INTEGER NOT NULL,"
	" server BLOB NOT NULL, server_port INTEGER NOT NULL,"
	" vlan0 INTEGER NOT NULL, vlan1 INTEGER NOT NULL,"
	" family INTEGER NOT NULL, proto INTEGER NOT NULL, dir INTEGER NOT NULL,"
	" generation INTEGER NOT NULL, rule_index INTEGER NOT NULL,"
	" rule INTEGER NOT NULL, sid INTEGER NOT NULL,"
	" flags INTEGER NOT NULL, buffer INTEGER NOT NULL, priority INTEGER NOT NULL,"
	" app INTEGER NOT NULL,"
	" state INTEGER NOT NULL DEFAULT 0, verdict INTEGER NOT NULL DEFAULT 0,"
	" method TEXT, host TEXT COLLATE NOCASE, url TEXT, status INTEGER);"
	"CREATE INDEX hits_%u_tx ON hits_%u (flow_id, tx_id);"
	"CREATE INDEX hits_%u_ts ON hits_%u (ts_ns);"
	"CREATE INDEX hits_%u_sid ON hits_%u (sid);"
	"CREATE INDEX hits_%u_client ON hits_%u (client, id, sid);"
	"CREATE INDEX hits_%u_server ON hits_%u (server, id, sid);"
	"CREATE INDEX hits_%u_host ON hits_%u (host, id, sid) WHERE host IS NOT NULL;"
	"CREATE INDEX hits_%u_state ON hits_%u (state);"
	"INSERT INTO partitions (n, first_id, last_id, rows, min_ns, max_ns)"
	" VALUES (%u, %llu, %llu, 0, 9223372036854775807, 0);";

static void forget_statements(struct store_part *p)
{
	sqlite3_finalize(p->insert);
	sqlite3_finalize(p->http);
	sqlite3_finalize(p->get);
	p->insert = p->http = p->get = NULL;
}

void store_parts_forget(struct store *s)
{
	for (uint32_t i = 0; i < s->n_parts; i++)
		forget_statements(&s->parts[i]);
	free(s->parts);
	s->parts = NULL;
	s->n_parts = 0;
}

static int append(struct store *s, const struct store_part *p)
{
	struct store_part *v = realloc(s->parts, (s->n_parts + 1) * sizeof(*v));

	if (v == NULL)
		return -ENOMEM;
	s->parts = v;
	v[s->n_parts++] = *p;
	return 0;
}

int store_parts_load(struct store *s)
{
	sqlite3_stmt *st = NULL;
	int err = 0;

	store_parts_forget(s);
	int rc = sqlite3_prepare_v2(
		s->db,
		"SELECT n, first_id, last_id, rows, min_ns, max_ns FROM partitions ORDER BY n", -1,
		&st, NULL);
	while (rc == SQLITE_OK && err == 0 && (rc = sqlite3_step(st)) == SQLITE_ROW) {
		struct store_part p = {
			.n = (uint32_t)sqlite3_column_int64(st, 0),
			.first_id = (uint64_t)sqlite3_column_int64(st, 1),
			.last_id = (uint64_t)sqlite3_column_int64(st, 2),
			.rows = (uint64_t)sqlite3_column_int64(st, 3),
			.min_ns = (uint64_t)sqlite3_column_int64(st, 4),
			.max_ns = (uint64_t)sqlite3_column_int64(st, 5),
		};
		err = append(s, &p);
		rc = SQLITE_OK;
	}
	if (err == 0 && rc != SQLITE_DONE)
		err = store_failed(s, rc);
	sqlite3_finalize(st);
	if (err == 0 && s->n_parts == 0) {
		snprintf(s->error, sizeof(s->error), "the list of its tables is empty");
		err = -EBADMSG;
	}
	if (err == 0)
		s->reload = false;
	return err;
}

int store_part_add(struct store *s)
{
	const struct store_part *last = s->n_parts > 0 ? store_newest(s) : NULL;
	struct store_part p = {.min_ns = INT64_MAX};
	char text[sizeof(part_schema) + 256];

	p.n = last != NULL ? last->n + 1 : 1;
	p.last_id = last != NULL ? last->last_id : 0;
	p.first_id = p.last_id + 1;
	unsigned int n = p.n;
	snprintf(text, sizeof(text), part_schema, n, n, n, n, n, n, n, n, n, n, n, n, n, n, n, n,
		 (unsigned long long)p.first_id, (unsigned long long)p.last_id);
	int err = store_exec(s, text);
	return err != 0 ? err : append(s, &p);
}

int store_part_save(struct store *s, const struct store_part *p)
{
	sqlite3_stmt *st = store_statement(s, ST_PART_SET);

	sqlite3_bind_int64(st, 1, p->n);
	sqlite3_bind_int64(st, 2, (sqlite3_int64)p->last_id);
	sqlite3_bind_int64(st, 3, (sqlite3_int64)p->rows);
	sqlite3_bind_int64(st, 4, (sqlite3_int64)p->min_ns);
	sqlite3_bind_int64(st, 5, (sqlite3_int64)p->max_ns);
	return store_run(s, st);
}

int store_part_statement(struct store *s, const struct store_part *p, const char *fmt,
			 sqlite3_stmt **io_st)
{
	char text[1536];

	if (*io_st != NULL) {
		sqlite3_reset(*io_st);
		sqlite3_clear_bindings(*io_st);
		return 0;
	}
	snprintf(text, sizeof(text), fmt, p->n);
	int rc = sqlite3_prepare_v3(s->db, text, -1, SQLITE_PREPARE_PERSISTENT, io_st, NULL);
	return rc == SQLITE_OK ? 0 : store_failed(s, rc);
}

uint64_t store_rows(const struct store *s)
{
	uint64_t rows = 0;

	for (uint32_t i = 0; i < s->n_parts; i++)
		rows += s->parts[i].rows;
	return rows;
}

uint64_t store_first_id(const struct store *s)
{
	return s->n_parts > 0 ? s->parts[0].first_id : 0;
}

uint64_t store_last_id(const struct store *s)
{
	return s->n_parts > 0 ? s->parts[s->n_parts - 1].last_id : 0;
}

// The oldest table and what the desk wrote about its hits.
static int drop_oldest(struct store *s)
{
	struct store_part *p = &s->parts[0];
	char text[256];

	forget_statements(p);
	snprintf(text, sizeof(text),
		 "DROP TABLE hits_%u; DELETE FROM partitions WHERE n = %u;"
		 "DELETE FROM desk WHERE hit <= %llu;",
		 p->n, p->n, (unsigned long long)p->last_id);
	int err = store_exec(s, text);
	if (err != 0)
		return err;
	memmove(p, p + 1, --s->n_parts * sizeof(*p));
	return 0;
}

// Bytes of the file that hold something.
static int used_bytes(struct store *s, uint64_t *ret_bytes)
{
	int64_t bytes = 0;
	int err = store_query_number(s,
				     "SELECT (page_count - freelist_count) * page_size FROM"
				     " pragma_page_count, pragma_freelist_count, pragma_page_size",
				     &bytes);

	*ret_bytes = (uint64_t)bytes;
	return err;
}

int store_trim(struct store *s)
{
	uint64_t rows = store_rows(s), bytes = 0;
	int err = 0;

	while (err == 0 && s->n_parts > 1 && rows - s->parts[0].rows >= s->limits.hits) {
		rows -= s->parts[0].rows;
		err = drop_oldest(s);
	}
	if (err != 0 || s->limits.bytes == 0)
		return err;
	err = used_bytes(s, &bytes);
	while (err == 0 && s->n_parts > 1 && bytes > s->limits.bytes) {
		err = drop_oldest(s);
		if (err == 0)
			err = used_bytes(s, &bytes);
	}
	return err;
}

// Rows of a table that are too old; what is left of it tells its new bounds.
static int expire_rows(struct store *s, struct store_part *p, uint64_t before_ns)
{
	char text[512];
	int64_t min = 0;

	snprintf(text, sizeof(text),
		 "DELETE FROM desk WHERE hit IN (SELECT id FROM hits_%u WHERE ts_ns < %llu);"
		 "DELETE FROM hits_%u WHERE ts_ns < %llu;",
		 p->n, (unsigned long long)before_ns, p->n, (unsigned long long)before_ns);
	int err = store_exec(s, text);
	if (err != 0)
		return err;
	p->rows -= (uint64_t)sqlite3_changes64(s->db);
	snprintf(text, sizeof(text), "SELECT ifnull(min(ts_ns), 9223372036854775807) FROM hits_%u",
		 p->n);
	err = store_query_number(s, text, &min);
	p->min_ns = (uint64_t)min;
	return err != 0 ? err : store_part_save(s, p);
}

int store_expire(struct store *s, uint64_t now_ns)
{
	if (s->limits.age_s == 0 || now_ns / 1000000000u < s->limits.age_s)
		return 0;
	const uint64_t before_ns = now_ns - s->limits.age_s * 1000000000u;
	int err = store_begin(s);
	if (err != 0)
		return err;
	while (err == 0 && s->n_parts > 1 && s->parts[0].max_ns < before_ns)
		err = drop_oldest(s);
	for (uint32_t i = 0; i < s->n_parts && err == 0; i++)
		if (s->parts[i].min_ns < before_ns)
			err = expire_rows(s, &s->parts[i], before_ns);
	if (err == 0)
		err = store_commit(s);
	if (err != 0)
		store_rollback(s);
	return err;
}

// "192.0.2.1" of format 2 to 16 bytes.
static void text_to_addr(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	const char *text = (const char *)sqlite3_value_text(argv[0]);
	struct prefix p;

	if (text == NULL || prefix_parse(text, &p) != 0)
		memset(p.lo, 0, sizeof(p.lo));
	sqlite3_result_blob(ctx, p.lo, sizeof(p.lo), SQLITE_TRANSIENT);
}

int store_parts_migrate(struct store *s)
{
	static const char move[] =
		"INSERT INTO boots (boot) SELECT DISTINCT boot FROM hits;"
		"INSERT INTO rules (gid, sid, rev, serial, bundle, msg, classtype, reference, "
		"metadata)"
		" SELECT DISTINCT gid, sid, rev, serial, '', msg, classtype, '', '' FROM hits;"
		"INSERT INTO hits_1 (id, boot, worker, seq, ts_ns, flow_id, tx_id, offset_bytes,"
		" client, client_port, server, server_port, vlan0, vlan1, family, proto, dir,"
		" generation, rule_index, rule, sid, flags, buffer, priority, app,"
		" method, host, url, status)"
		" SELECT h.id, b.id, worker, seq, ts_ns, flow_id, tx_id, offset_bytes,"
		" addr(iif(dir = 1, dst, src)), iif(dir = 1, dst_port, src_port),"
		" addr(iif(dir = 1, src, dst)), iif(dir = 1, src_port, dst_port),"
		" vlan0, vlan1, family, proto, dir, generation, h.rule, r.id, h.sid, flags, "
		"buffer,"
		" priority, app, method, host, url, status"
		" FROM hits h JOIN boots b ON b.boot = h.boot JOIN rules r ON r.gid = h.gid"
		" AND r.sid = h.sid AND r.rev = h.rev AND r.serial = h.serial AND r.msg = h.msg"
		" AND r.classtype = h.classtype;"
		"UPDATE partitions SET rows = (SELECT count(*) FROM hits_1),"
		" last_id = ifnull((SELECT seq FROM sqlite_sequence WHERE name = 'hits'), 0),"
		" min_ns = ifnull((SELECT min(ts_ns) FROM hits_1), 9223372036854775807),"
		" max_ns = ifnull((SELECT max(ts_ns) FROM hits_1), 0);"
		"DROP TABLE hits;";
	int rc = sqlite3_create_function(s->db, "addr", 1, SQLITE_UTF8, NULL, text_to_addr, NULL,
					 NULL);

	return rc == SQLITE_OK ? store_exec(s, move) : store_failed(s, rc);
}

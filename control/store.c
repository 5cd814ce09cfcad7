// SPDX-License-Identifier: BSD-2-Clause
// Hits into SQLite: opening, transactions, small numbers. The other files are named in store_impl.h.
//
// Invariants:
//   - a row exists once per (boot, worker, seq), also after retention has removed it: the cursor of the worker, moved
//     in the same transaction, remembers how far this dataplane's hits are stored; a suppressed hit is counted under
//     the same rule;
//   - a number between two stored hits of a worker that never came is in "losses";
//   - store_error() explains the last failure; a failed transaction leaves no trace after store_rollback().
#include "control/store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/store_impl.h"

// All but the tables of hits, which store_part.c makes.
static const char schema[] =
	"CREATE TABLE IF NOT EXISTS cursors (boot BLOB NOT NULL, worker INTEGER NOT NULL,"
	" seq INTEGER NOT NULL, changed_ns INTEGER NOT NULL, PRIMARY KEY (boot, worker));"
	"CREATE TABLE IF NOT EXISTS losses (boot BLOB NOT NULL, worker INTEGER NOT NULL,"
	" first INTEGER NOT NULL, last INTEGER NOT NULL, count INTEGER NOT NULL,"
	" noticed_ns INTEGER NOT NULL, PRIMARY KEY (boot, worker, first));"
	"CREATE TABLE IF NOT EXISTS numbers (name TEXT PRIMARY KEY, value INTEGER NOT NULL);"
	"CREATE TABLE IF NOT EXISTS bundles (serial INTEGER PRIMARY KEY, id TEXT NOT NULL,"
	" stored_ns INTEGER NOT NULL, bytes INTEGER NOT NULL, rules INTEGER NOT NULL);"
	"CREATE TABLE IF NOT EXISTS suppressed (boot BLOB NOT NULL, sid INTEGER NOT NULL,"
	" gid INTEGER NOT NULL, count INTEGER NOT NULL, last_ns INTEGER NOT NULL,"
	" PRIMARY KEY (boot, sid, gid));"
	"CREATE TABLE boots (id INTEGER PRIMARY KEY, boot BLOB NOT NULL UNIQUE);"
	"CREATE TABLE rules (id INTEGER PRIMARY KEY, gid INTEGER NOT NULL, sid INTEGER NOT NULL,"
	" rev INTEGER NOT NULL, serial INTEGER NOT NULL, bundle TEXT NOT NULL, msg TEXT NOT NULL,"
	" classtype TEXT NOT NULL, reference TEXT NOT NULL, metadata TEXT NOT NULL);"
	"CREATE INDEX rules_sid ON rules (sid);"
	"CREATE TABLE partitions (n INTEGER PRIMARY KEY, first_id INTEGER NOT NULL,"
	" last_id INTEGER NOT NULL, rows INTEGER NOT NULL, min_ns INTEGER NOT NULL,"
	" max_ns INTEGER NOT NULL);"
	"CREATE TABLE desk (n INTEGER PRIMARY KEY, hit INTEGER NOT NULL, ts_ns INTEGER NOT NULL,"
	" state INTEGER NOT NULL, verdict INTEGER NOT NULL, uid INTEGER NOT NULL,"
	" note TEXT NOT NULL);"
	"CREATE INDEX desk_hit ON desk (hit);"
	"PRAGMA user_version = 3;";

// What came later, in files that were made before as well.
static const char schema_more[] =
	"CREATE TABLE IF NOT EXISTS sinks (name TEXT PRIMARY KEY, cursor INTEGER NOT NULL,"
	" missed INTEGER NOT NULL, dev INTEGER NOT NULL, ino INTEGER NOT NULL,"
	" length INTEGER NOT NULL);"
	"CREATE TABLE IF NOT EXISTS coverage (day INTEGER NOT NULL, name TEXT NOT NULL,"
	" bytes INTEGER NOT NULL, flows INTEGER NOT NULL, PRIMARY KEY (day, name));";

// At each start: a row per worker and boot, and one per range that was lost, must not pile up for ever. Dataplanes that
// ran so long ago do not come back with hits.
static const char forget_old[] =
	"DELETE FROM cursors WHERE rowid IN (SELECT rowid FROM cursors ORDER BY changed_ns DESC"
	" LIMIT -1 OFFSET 4096);"
	"DELETE FROM losses WHERE rowid IN (SELECT rowid FROM losses ORDER BY noticed_ns DESC"
	" LIMIT -1 OFFSET 100000);"
	"DELETE FROM suppressed WHERE rowid IN (SELECT rowid FROM suppressed ORDER BY last_ns DESC"
	" LIMIT -1 OFFSET 100000);";

static const char *const sql[ST_N] = {
	[ST_BEGIN] = "BEGIN IMMEDIATE",
	[ST_COMMIT] = "COMMIT",
	[ST_ROLLBACK] = "ROLLBACK",
	[ST_SUPPRESS] = "INSERT INTO suppressed (boot, sid, gid, count, last_ns)"
			" VALUES (?1,?2,?3,1,?4)"
			" ON CONFLICT DO UPDATE SET count = count + 1, last_ns = max(last_ns, ?4)",
	[ST_SUPPRESSED] = "SELECT sid, gid, sum(count), max(last_ns) FROM suppressed"
			  " GROUP BY sid, gid ORDER BY sid, gid",
	[ST_CURSOR_GET] = "SELECT seq FROM cursors WHERE boot = ? AND worker = ?",
	[ST_CURSOR_SET] = "INSERT OR REPLACE INTO cursors (boot, worker, seq, changed_ns)"
			  " VALUES (?,?,?,?)",
	[ST_LOSS] = "INSERT INTO losses (boot, worker, first, last, count, noticed_ns)"
		    " VALUES (?1,?2,?3,?4,?4-?3+1,?5)"
		    " ON CONFLICT DO UPDATE SET last = ?4, count = ?4-?3+1 WHERE ?4 > last",
	[ST_LOSS_COVERED] = "SELECT 1 FROM losses WHERE boot = ? AND worker = ? AND first <= ?"
			    " AND last >= ?",
	[ST_BOOT_GET] = "SELECT id FROM boots WHERE boot = ?",
	[ST_BOOT_ADD] = "INSERT INTO boots (boot) VALUES (?)",
	[ST_RULE_GET] = "SELECT id FROM rules WHERE sid = ?1 AND gid = ?2 AND rev = ?3"
			" AND serial = ?4 AND msg = ?5 AND metadata = ?6",
	[ST_RULE_ADD] = "INSERT INTO rules (sid, gid, rev, serial, msg, metadata, bundle,"
			" classtype, reference) VALUES (?,?,?,?,?,?,?,?,?)",
	[ST_PART_SET] = "UPDATE partitions SET last_id = ?2, rows = ?3, min_ns = ?4, max_ns = ?5"
			" WHERE n = ?1",
	[ST_DESK_ADD] = "INSERT INTO desk (hit, ts_ns, state, verdict, uid, note)"
			" VALUES (?,?,?,?,?,?)",
	[ST_DESK_OF] = "SELECT ts_ns, state, verdict, uid, note FROM desk WHERE hit = ?"
		       " ORDER BY n",
	[ST_SINK_GET] = "SELECT cursor, missed, dev, ino, length FROM sinks WHERE name = ?",
	[ST_SINK_SET] = "INSERT OR REPLACE INTO sinks (name, cursor, missed, dev, ino, length)"
			" VALUES (?,?,?,?,?,?)",
	[ST_NUMBER_GET] = "SELECT value FROM numbers WHERE name = ?",
	[ST_NUMBER_SET] = "INSERT OR REPLACE INTO numbers (name, value) VALUES (?,?)",
	[ST_BUNDLE_PUT] = "INSERT OR REPLACE INTO bundles (serial, id, stored_ns, bytes, rules)"
			  " VALUES (?,?,?,?,?)",
	[ST_BUNDLE_DELETE] = "DELETE FROM bundles WHERE serial = ?",
	[ST_BUNDLES] =
		"SELECT serial, id, stored_ns, bytes, rules FROM bundles ORDER BY serial DESC",
	[ST_TOTAL_LOST] = "SELECT sum(count) FROM losses",
	[ST_TOTAL_SUPPRESSED] = "SELECT sum(count) FROM suppressed",
};

int store_failed(struct store *s, int rc)
{
	snprintf(s->error, sizeof(s->error), "%s", sqlite3_errmsg(s->db));
	switch (rc & 0xff) {
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return -EBADMSG;
	case SQLITE_READONLY:
		return -EROFS;
	case SQLITE_CANTOPEN:
	case SQLITE_PERM:
		return -EACCES;
	default:
		return -EIO;
	}
}

const char *store_error(const struct store *s)
{
	return s->error;
}

sqlite3_stmt *store_statement(struct store *s, enum store_statement id)
{
	sqlite3_reset(s->st[id]);
	sqlite3_clear_bindings(s->st[id]);
	return s->st[id];
}

int store_run(struct store *s, sqlite3_stmt *st)
{
	int rc = sqlite3_step(st);
	int err = rc == SQLITE_DONE || rc == SQLITE_ROW ? 0 : store_failed(s, rc);

	sqlite3_reset(st);
	return err;
}

int store_exec(struct store *s, const char *text)
{
	int rc = sqlite3_exec(s->db, text, NULL, NULL, NULL);

	return rc == SQLITE_OK ? 0 : store_failed(s, rc);
}

// One integer of a query without parameters; fallback if there is none.
int store_query_number(struct store *s, const char *text, int64_t *ret_value)
{
	sqlite3_stmt *st = NULL;
	int rc = sqlite3_prepare_v2(s->db, text, -1, &st, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_step(st);
	if (rc == SQLITE_ROW)
		*ret_value = sqlite3_column_int64(st, 0);
	int err = rc == SQLITE_ROW ? 0 : store_failed(s, rc);
	sqlite3_finalize(st);
	return err;
}

// From the format of version to ours, or from nothing.
static int update_schema(struct store *s, int64_t version)
{
	int err = store_exec(s, "BEGIN IMMEDIATE");

	if (err == 0)
		err = store_exec(s, schema);
	if (err == 0)
		err = store_part_add(s);
	if (err == 0 && version > 0)
		err = store_parts_migrate(s);
	if (err == 0)
		err = store_exec(s, "COMMIT");
	if (err != 0)
		(void)sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
	return err;
}

static int prepare(struct store *s)
{
	for (int i = 0; i < ST_N; i++) {
		int rc = sqlite3_prepare_v3(s->db, sql[i], -1, SQLITE_PREPARE_PERSISTENT, &s->st[i],
					    NULL);
		if (rc != SQLITE_OK)
			return store_failed(s, rc);
	}
	return 0;
}

static int setup(struct store *s, const char *path, struct diag *ret_diag)
{
	int64_t version = 0;
	int err;

	sqlite3_busy_timeout(s->db, 2000);
	err = store_exec(s,
			 "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
			 "PRAGMA journal_size_limit = 67108864; PRAGMA trusted_schema = OFF;"
			 // The newest table with its indexes stays in memory, and a page that many
			 // transactions change goes to the database once per 16 MB.
			 "PRAGMA cache_size = -65536; PRAGMA wal_autocheckpoint = 4096;");
	if (err == 0)
		err = store_query_number(s, "PRAGMA user_version", &version);
	if (err == 0 && version > STORE_VERSION) {
		diag_set(ret_diag, path, 0, 0,
			 "written by a newer wireglassd (format %lld, this one knows %d): upgrade, "
			 "or "
			 "use another state directory",
			 (long long)version, STORE_VERSION);
		return -ENOTSUP;
	}
	if (err == 0 && version < STORE_VERSION)
		err = update_schema(s, version);
	if (err == 0)
		err = store_exec(s, schema_more);
	if (err == 0)
		err = store_exec(s, forget_old);
	if (err == 0)
		err = prepare(s);
	if (err == 0)
		err = store_parts_load(s);
	if (err != 0) {
		diag_set(ret_diag, path, 0, 0, "the hit database cannot be used: %s%s", s->error,
			 err == -EBADMSG ? " (move the file away to start with an empty one)" : "");
		return err;
	}
	return 0;
}

static uint64_t part_rows(uint64_t hits)
{
	uint64_t rows = (hits + STORE_PARTS - 1) / STORE_PARTS;

	if (rows > STORE_PART_ROWS) {
		rows = hits / STORE_PARTS_MORE;
		rows = rows > STORE_PART_ROWS ? rows : STORE_PART_ROWS;
	}
	if (rows > STORE_PART_ROWS_MAX)
		return STORE_PART_ROWS_MAX;
	return rows > 0 ? rows : 1;
}

int store_open(const char *path, const struct store_limits *limits, struct store **ret_store,
	       struct diag *ret_diag)
{
	struct store *s = calloc(1, sizeof(*s));

	if (s != NULL)
		s->http = calloc(STORE_HTTP_SLOTS, sizeof(s->http[0]));
	if (s == NULL || s->http == NULL) {
		free(s);
		diag_set(ret_diag, path, 0, 0, "out of memory");
		return -ENOMEM;
	}
	s->limits = *limits;
	s->part_rows = part_rows(limits->hits);
	int rc = sqlite3_open_v2(path, &s->db,
				 SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
				 NULL);
	if (rc != SQLITE_OK) {
		int err = s->db != NULL ? store_failed(s, rc) : -ENOMEM;
		diag_set(ret_diag, path, 0, 0, "cannot open the hit database: %s", s->error);
		store_close(s);
		return err;
	}
	int err = setup(s, path, ret_diag);
	if (err != 0) {
		store_close(s);
		return err;
	}
	*ret_store = s;
	return 0;
}

void store_close(struct store *s)
{
	if (s == NULL)
		return;
	if (s->in_transaction)
		store_rollback(s);
	store_parts_forget(s);
	for (int i = 0; i < ST_N; i++)
		sqlite3_finalize(s->st[i]);
	sqlite3_close(s->db);
	free(s->http);
	free(s);
}

int store_begin(struct store *s)
{
	int err = s->reload ? store_parts_load(s) : 0;

	if (err == 0)
		err = store_run(s, store_statement(s, ST_BEGIN));
	if (err == 0)
		s->in_transaction = true;
	return err;
}

int store_commit(struct store *s)
{
	int err = store_cursors_save(s);

	if (err == 0 && s->part_dirty)
		err = store_part_save(s, store_newest(s));
	if (err == 0)
		err = store_trim(s);
	if (err == 0)
		err = store_run(s, store_statement(s, ST_COMMIT));
	if (err == 0)
		s->in_transaction = s->part_dirty = false;
	return err;
}

void store_rollback(struct store *s)
{
	// SQLite may have rolled back by itself already. And a COMMIT that failed may have taken effect all the same:
	// then its hits, sent again, are found to be stored.
	if (s->in_transaction && sqlite3_get_autocommit(s->db) == 0) {
		sqlite3_step(store_statement(s, ST_ROLLBACK));
		sqlite3_reset(s->st[ST_ROLLBACK]);
	}
	s->in_transaction = s->part_dirty = false;
	s->reload = true;
	s->boot = 0;
	memset(s->cursors, 0, sizeof(s->cursors));
	memset(s->rules, 0, sizeof(s->rules));
}

void store_bind_text(sqlite3_stmt *st, int column, const char *text)
{
	sqlite3_bind_text(st, column, text, -1, SQLITE_TRANSIENT);
}

uint64_t store_first_number(struct store *s, sqlite3_stmt *st, uint64_t fallback)
{
	int rc = sqlite3_step(st);
	uint64_t value = rc == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(st, 0) : fallback;

	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		(void)store_failed(s, rc);
	sqlite3_reset(st);
	return value;
}

int store_set_number(struct store *s, const char *name, uint64_t value)
{
	sqlite3_stmt *st = store_statement(s, ST_NUMBER_SET);

	store_bind_text(st, 1, name);
	sqlite3_bind_int64(st, 2, (sqlite3_int64)value);
	return store_run(s, st);
}

int store_sink_get(struct store *s, struct store_sink *io_sink)
{
	sqlite3_stmt *st = store_statement(s, ST_SINK_GET);

	store_bind_text(st, 1, io_sink->name);
	int rc = sqlite3_step(st);
	if (rc == SQLITE_ROW) {
		io_sink->cursor = (uint64_t)sqlite3_column_int64(st, 0);
		io_sink->missed = (uint64_t)sqlite3_column_int64(st, 1);
		io_sink->dev = (uint64_t)sqlite3_column_int64(st, 2);
		io_sink->ino = (uint64_t)sqlite3_column_int64(st, 3);
		io_sink->length = (uint64_t)sqlite3_column_int64(st, 4);
	}
	int err = rc == SQLITE_ROW ? 1 : rc == SQLITE_DONE ? 0 : store_failed(s, rc);
	sqlite3_reset(st);
	return err;
}

int store_sink_set(struct store *s, const struct store_sink *sink)
{
	sqlite3_stmt *st = store_statement(s, ST_SINK_SET);
	const uint64_t numbers[] = {sink->cursor, sink->missed, sink->dev, sink->ino, sink->length};

	store_bind_text(st, 1, sink->name);
	for (int i = 0; i < 5; i++)
		sqlite3_bind_int64(st, i + 2, (sqlite3_int64)numbers[i]);
	return store_run(s, st);
}

int store_bundle_put(struct store *s, const struct store_bundle *bundle)
{
	sqlite3_stmt *st = store_statement(s, ST_BUNDLE_PUT);

	sqlite3_bind_int64(st, 1, (sqlite3_int64)bundle->serial);
	store_bind_text(st, 2, bundle->id);
	sqlite3_bind_int64(st, 3, (sqlite3_int64)bundle->stored_ns);
	sqlite3_bind_int64(st, 4, (sqlite3_int64)bundle->bytes);
	sqlite3_bind_int64(st, 5, bundle->rules);
	return store_run(s, st);
}

int store_bundle_delete(struct store *s, uint64_t serial)
{
	sqlite3_stmt *st = store_statement(s, ST_BUNDLE_DELETE);

	sqlite3_bind_int64(st, 1, (sqlite3_int64)serial);
	return store_run(s, st);
}

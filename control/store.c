// SPDX-License-Identifier: BSD-2-Clause
// Hits into SQLite: opening, transactions, writing. Reading is in store_query.c.
//
// Invariants:
//   - a row exists once per (boot, worker, seq), also after retention has deleted it: the cursor of the worker, moved
//     in the same transaction, remembers how far this dataplane's hits are stored; a suppressed hit is counted under
//     the same rule;
//   - a number between two stored hits of a worker that never came is in "losses";
//   - store_error() explains the last failure; a failed transaction leaves no trace after store_rollback().
#include "control/store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/eve.h"
#include "control/loop.h"
#include "control/store_impl.h"
#include "control/text.h"

static const char schema[] =
	"CREATE TABLE hits ("
	" id INTEGER PRIMARY KEY AUTOINCREMENT,"
	" boot BLOB NOT NULL, worker INTEGER NOT NULL, seq INTEGER NOT NULL,"
	" ts_ns INTEGER NOT NULL, flow_id INTEGER NOT NULL, tx_id INTEGER NOT NULL,"
	" offset_bytes INTEGER NOT NULL,"
	" src TEXT NOT NULL, src_port INTEGER NOT NULL, dst TEXT NOT NULL, dst_port INTEGER NOT "
	"NULL,"
	" vlan0 INTEGER NOT NULL, vlan1 INTEGER NOT NULL,"
	" family INTEGER NOT NULL, proto INTEGER NOT NULL, dir INTEGER NOT NULL,"
	" generation INTEGER NOT NULL, rule INTEGER NOT NULL,"
	" sid INTEGER NOT NULL, gid INTEGER NOT NULL, rev INTEGER NOT NULL,"
	" flags INTEGER NOT NULL, buffer INTEGER NOT NULL, priority INTEGER NOT NULL, app INTEGER "
	"NOT NULL,"
	" serial INTEGER NOT NULL, msg TEXT NOT NULL, classtype TEXT NOT NULL,"
	" method TEXT, host TEXT, url TEXT, status INTEGER,"
	" UNIQUE (boot, worker, seq));"
	"CREATE INDEX hits_tx ON hits (flow_id, tx_id);"
	"CREATE INDEX hits_sid ON hits (sid);"
	"CREATE TABLE cursors (boot BLOB NOT NULL, worker INTEGER NOT NULL, seq INTEGER NOT NULL,"
	" changed_ns INTEGER NOT NULL, PRIMARY KEY (boot, worker));"
	"CREATE TABLE losses (boot BLOB NOT NULL, worker INTEGER NOT NULL, first INTEGER NOT NULL,"
	" last INTEGER NOT NULL, count INTEGER NOT NULL, noticed_ns INTEGER NOT NULL,"
	" PRIMARY KEY (boot, worker, first));"
	"CREATE TABLE numbers (name TEXT PRIMARY KEY, value INTEGER NOT NULL);"
	"CREATE TABLE bundles (serial INTEGER PRIMARY KEY, id TEXT NOT NULL, stored_ns INTEGER NOT "
	"NULL,"
	" bytes INTEGER NOT NULL, rules INTEGER NOT NULL);"
	"PRAGMA user_version = 1;";

static const char schema_2[] =
	"CREATE TABLE suppressed (boot BLOB NOT NULL, sid INTEGER NOT NULL, gid INTEGER NOT NULL,"
	" count INTEGER NOT NULL, last_ns INTEGER NOT NULL, PRIMARY KEY (boot, sid, gid));"
	"PRAGMA user_version = 2;";

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
	[ST_HIT] =
		"INSERT OR IGNORE INTO hits (boot, worker, seq, ts_ns, flow_id, tx_id, "
		"offset_bytes,"
		" src, src_port, dst, dst_port, vlan0, vlan1, family, proto, dir, generation, rule,"
		" sid, gid, rev, flags, buffer, priority, app, serial, msg, classtype,"
		" method, host, url, status)"
		" VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
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
	[ST_HTTP] = "UPDATE hits SET method = ?, host = ?, url = ?, status = ?"
		    " WHERE flow_id = ? AND tx_id = ? AND boot = ?",
	[ST_TRIM] = "DELETE FROM hits WHERE id IN (SELECT id FROM hits ORDER BY id LIMIT ?)",
	[ST_NUMBER_GET] = "SELECT value FROM numbers WHERE name = ?",
	[ST_NUMBER_SET] = "INSERT OR REPLACE INTO numbers (name, value) VALUES (?,?)",
	[ST_BUNDLE_PUT] = "INSERT OR REPLACE INTO bundles (serial, id, stored_ns, bytes, rules)"
			  " VALUES (?,?,?,?,?)",
	[ST_BUNDLE_DELETE] = "DELETE FROM bundles WHERE serial = ?",
	[ST_BUNDLES] =
		"SELECT serial, id, stored_ns, bytes, rules FROM bundles ORDER BY serial DESC",
	[ST_TOTAL_HITS] = "SELECT max(id) FROM hits",
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

static int exec(struct store *s, const char *text)
{
	int rc = sqlite3_exec(s->db, text, NULL, NULL, NULL);

	return rc == SQLITE_OK ? 0 : store_failed(s, rc);
}

// One integer of a query without parameters; fallback if there is none.
static int query_number(struct store *s, const char *text, int64_t *ret_value)
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

int store_count_rows(struct store *s)
{
	int64_t rows = 0;
	int err = query_number(s, "SELECT count(*) FROM hits", &rows);

	if (err == 0) {
		s->rows = (uint64_t)rows;
		s->recount = false;
	}
	return err;
}

// From the format of version to ours, or from nothing.
static int update_schema(struct store *s, int64_t version)
{
	int err = exec(s, "BEGIN IMMEDIATE");

	if (err == 0 && version < 1)
		err = exec(s, schema);
	if (err == 0)
		err = exec(s, schema_2);
	if (err == 0)
		err = exec(s, "COMMIT");
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
	err = exec(s, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
		      "PRAGMA journal_size_limit = 67108864; PRAGMA trusted_schema = OFF;");
	if (err == 0)
		err = query_number(s, "PRAGMA user_version", &version);
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
		err = exec(s, forget_old);
	if (err == 0)
		err = prepare(s);
	if (err == 0)
		err = store_count_rows(s);
	if (err != 0) {
		diag_set(ret_diag, path, 0, 0, "the hit database cannot be used: %s%s", s->error,
			 err == -EBADMSG ? " (move the file away to start with an empty one)" : "");
		return err;
	}
	return 0;
}

int store_open(const char *path, uint64_t keep_hits, struct store **ret_store,
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
	s->keep_hits = keep_hits;
	int rc = sqlite3_open_v2(path, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL);
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
	for (int i = 0; i < ST_N; i++)
		sqlite3_finalize(s->st[i]);
	sqlite3_close(s->db);
	free(s->http);
	free(s);
}

int store_begin(struct store *s)
{
	int err = s->recount ? store_count_rows(s) : 0;

	if (err == 0)
		err = store_run(s, store_statement(s, ST_BEGIN));
	if (err == 0)
		s->in_transaction = true;
	return err;
}

int store_commit(struct store *s)
{
	int err = 0;

	if (s->rows > s->keep_hits) {
		sqlite3_stmt *st = store_statement(s, ST_TRIM);
		sqlite3_bind_int64(st, 1, (sqlite3_int64)(s->rows - s->keep_hits));
		err = store_run(s, st);
		if (err == 0)
			s->rows = s->keep_hits;
	}
	if (err == 0)
		err = store_run(s, store_statement(s, ST_COMMIT));
	if (err == 0)
		s->in_transaction = false;
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
	s->in_transaction = false;
	s->recount = true;
}

static struct store_http_slot *http_slot(struct store *s, uint64_t flow_id, uint32_t tx_id)
{
	uint64_t h = (flow_id ^ ((uint64_t)tx_id << 40)) * 0x9e3779b97f4a7c15u;

	return &s->http[(h >> 40) % STORE_HTTP_SLOTS];
}

static const struct store_http_slot *http_find(struct store *s, const uint8_t boot_id[16],
					       const struct hit *hit)
{
	const struct store_http_slot *slot = http_slot(s, hit->flow_id, hit->tx_id);

	return slot->used && slot->flow_id == hit->flow_id && slot->tx_id == hit->tx_id &&
			       memcmp(slot->boot_id, boot_id, 16) == 0
		       ? slot
		       : NULL;
}

static void bind_text(sqlite3_stmt *st, int column, const char *text)
{
	sqlite3_bind_text(st, column, text, -1, SQLITE_TRANSIENT);
}

static void bind_hit(sqlite3_stmt *st, const uint8_t boot_id[16], uint32_t worker,
		     const struct hit *hit, const struct store_rule *rule,
		     const struct store_http_slot *http)
{
	const struct hit_addr *a = &hit->addr;
	char src[64], dst[64], text[1024];
	int c = 1;

	sqlite3_bind_blob(st, c++, boot_id, 16, SQLITE_TRANSIENT);
	sqlite3_bind_int64(st, c++, worker);
	sqlite3_bind_int64(st, c++, (sqlite3_int64)hit->seq);
	sqlite3_bind_int64(st, c++, (sqlite3_int64)hit->ts_ns);
	sqlite3_bind_int64(st, c++, (sqlite3_int64)hit->flow_id);
	sqlite3_bind_int64(st, c++, hit->tx_id);
	sqlite3_bind_int64(st, c++, (sqlite3_int64)hit->offset_bytes);
	bind_text(st, c++, eve_addr(src, a->src, a->family));
	sqlite3_bind_int64(st, c++, a->src_port);
	bind_text(st, c++, eve_addr(dst, a->dst, a->family));
	sqlite3_bind_int64(st, c++, a->dst_port);
	const uint32_t numbers[] = {a->vlan[0],      a->vlan[1],  a->family,     a->proto, a->dir,
				    hit->generation, hit->rule,   hit->sid,      hit->gid, hit->rev,
				    hit->flags,      hit->buffer, hit->priority, hit->app};
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		sqlite3_bind_int64(st, c++, numbers[i]);
	sqlite3_bind_int64(st, c++, (sqlite3_int64)rule->serial);
	text_clean(text, sizeof(text), rule->msg, strlen(rule->msg));
	bind_text(st, c++, text);
	text_clean(text, sizeof(text), rule->classtype, strlen(rule->classtype));
	bind_text(st, c++, text);
	if (http == NULL)
		return;
	bind_text(st, c++, http->method);
	bind_text(st, c++, http->host);
	bind_text(st, c++, http->url);
	sqlite3_bind_int64(st, c++, http->status);
}

static int cursor_set(struct store *s, const uint8_t boot_id[16], uint32_t worker, uint64_t seq)
{
	sqlite3_stmt *st = store_statement(s, ST_CURSOR_SET);

	sqlite3_bind_blob(st, 1, boot_id, 16, SQLITE_TRANSIENT);
	sqlite3_bind_int64(st, 2, worker);
	sqlite3_bind_int64(st, 3, (sqlite3_int64)seq);
	sqlite3_bind_int64(st, 4, (sqlite3_int64)loop_wall_ns());
	return store_run(s, st);
}

int store_hit(struct store *s, const uint8_t boot_id[16], uint32_t worker, const struct hit *hit,
	      const struct store_rule *rule)
{
	if (hit->seq <= store_cursor(s, boot_id, worker))
		return 0;
	sqlite3_stmt *st = store_statement(s, ST_HIT);
	bind_hit(st, boot_id, worker, hit, rule, http_find(s, boot_id, hit));
	int err = store_run(s, st);
	if (err != 0)
		return err;
	int inserted = sqlite3_changes(s->db);
	err = cursor_set(s, boot_id, worker, hit->seq);
	if (err != 0)
		return err;
	s->rows += (uint64_t)inserted;
	return inserted;
}

int store_suppress(struct store *s, const uint8_t boot_id[16], uint32_t worker,
		   const struct hit *hit)
{
	if (hit->seq <= store_cursor(s, boot_id, worker))
		return 0;
	sqlite3_stmt *st = store_statement(s, ST_SUPPRESS);
	sqlite3_bind_blob(st, 1, boot_id, 16, SQLITE_TRANSIENT);
	sqlite3_bind_int64(st, 2, hit->sid);
	sqlite3_bind_int64(st, 3, hit->gid);
	sqlite3_bind_int64(st, 4, (sqlite3_int64)hit->ts_ns);
	int err = store_run(s, st);
	if (err == 0)
		err = cursor_set(s, boot_id, worker, hit->seq);
	return err != 0 ? err : 1;
}

static int loss(struct store *s, const struct ipc_hits *batch, uint64_t first, uint64_t last)
{
	sqlite3_stmt *st = store_statement(s, ST_LOSS);

	sqlite3_bind_blob(st, 1, batch->boot_id, 16, SQLITE_TRANSIENT);
	sqlite3_bind_int64(st, 2, batch->worker);
	sqlite3_bind_int64(st, 3, (sqlite3_int64)first);
	sqlite3_bind_int64(st, 4, (sqlite3_int64)last);
	sqlite3_bind_int64(st, 5, (sqlite3_int64)loop_wall_ns());
	return store_run(s, st);
}

// A hole is known already when the dataplane reported a range that holds it.
static int hole(struct store *s, const struct ipc_hits *batch, uint64_t first, uint64_t last)
{
	sqlite3_stmt *st = store_statement(s, ST_LOSS_COVERED);

	sqlite3_bind_blob(st, 1, batch->boot_id, 16, SQLITE_TRANSIENT);
	sqlite3_bind_int64(st, 2, batch->worker);
	sqlite3_bind_int64(st, 3, (sqlite3_int64)first);
	sqlite3_bind_int64(st, 4, (sqlite3_int64)last);
	int rc = sqlite3_step(st);
	int err = rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : store_failed(s, rc);
	sqlite3_reset(st);
	if (err != 0 || rc == SQLITE_ROW)
		return err;
	return loss(s, batch, first, last);
}

int store_losses(struct store *s, const struct ipc_hits *batch, const struct hit *hits)
{
	uint64_t last = store_cursor(s, batch->boot_id, batch->worker);
	int err = 0;

	if (batch->lost_first != 0 && batch->lost_last >= batch->lost_first)
		err = loss(s, batch, batch->lost_first, batch->lost_last);
	for (uint32_t i = 0; i < batch->n && err == 0; i++) {
		// last 0: this store has never met the worker; what came before it was stored elsewhere.
		if (last != 0 && hits[i].seq > last + 1)
			err = hole(s, batch, last + 1, hits[i].seq - 1);
		if (hits[i].seq > last)
			last = hits[i].seq;
	}
	return err;
}

int store_http(struct store *s, const uint8_t boot_id[16], const struct event *event)
{
	const struct event_http *h = &event->http;
	struct store_http_slot *slot = http_slot(s, event->flow_id, event->tx_id);
	size_t method = h->method_len < sizeof(h->method) ? h->method_len : sizeof(h->method);
	size_t host = h->host_len < sizeof(h->host) ? h->host_len : sizeof(h->host);
	size_t url = h->url_len < sizeof(h->url) ? h->url_len : sizeof(h->url);

	slot->used = true;
	memcpy(slot->boot_id, boot_id, 16);
	slot->flow_id = event->flow_id;
	slot->tx_id = event->tx_id;
	slot->status = h->status;
	text_clean(slot->method, sizeof(slot->method), h->method, method);
	text_clean(slot->host, sizeof(slot->host), h->host, host);
	text_clean(slot->url, sizeof(slot->url), h->url, url);
	sqlite3_stmt *st = store_statement(s, ST_HTTP);
	bind_text(st, 1, slot->method);
	bind_text(st, 2, slot->host);
	bind_text(st, 3, slot->url);
	sqlite3_bind_int64(st, 4, slot->status);
	sqlite3_bind_int64(st, 5, (sqlite3_int64)event->flow_id);
	sqlite3_bind_int64(st, 6, event->tx_id);
	sqlite3_bind_blob(st, 7, boot_id, 16, SQLITE_TRANSIENT);
	return store_run(s, st);
}

int store_set_number(struct store *s, const char *name, uint64_t value)
{
	sqlite3_stmt *st = store_statement(s, ST_NUMBER_SET);

	bind_text(st, 1, name);
	sqlite3_bind_int64(st, 2, (sqlite3_int64)value);
	return store_run(s, st);
}

int store_bundle_put(struct store *s, const struct store_bundle *bundle)
{
	sqlite3_stmt *st = store_statement(s, ST_BUNDLE_PUT);

	sqlite3_bind_int64(st, 1, (sqlite3_int64)bundle->serial);
	bind_text(st, 2, bundle->id);
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

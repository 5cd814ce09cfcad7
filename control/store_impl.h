// SPDX-License-Identifier: BSD-2-Clause
// Inside of the store: shared by store.c (file, transactions), store_part.c (tables of hits, retention), store_write.c
// (what comes from the dataplane), store_desk.c (the work of the abuse desk) and store_query.c (reading).
#ifndef CONTROL_STORE_IMPL_H
#define CONTROL_STORE_IMPL_H

#include <sqlite3.h>

#include "control/store.h"

enum {
	STORE_VERSION = 3,       // PRAGMA user_version
	STORE_HTTP_SLOTS = 4096, // remembered transactions, about 4 MB
	STORE_RULE_SLOTS = 1024,
	// Tables that retention.hits is cut into, so that 2.5 % go at a time. Many rows in one make every insert dear, for its
	// indexes leave the page cache (13 us of CPU a hit in tables of 50,000, 22 in those of 250,000), and many tables a
	// query that finds nothing: 40, of 50,000 rows at most; beyond two million hits more tables, up to 200; and beyond ten
	// more rows, up to 250,000.
	STORE_PARTS = 40,
	STORE_PARTS_MORE = 200,
	STORE_PART_ROWS = 50000,
	STORE_PART_ROWS_MAX = 250000,
};

enum store_statement {
	ST_BEGIN,
	ST_COMMIT,
	ST_ROLLBACK,
	ST_SUPPRESS,
	ST_SUPPRESSED,
	ST_BOOT_GET,
	ST_BOOT_ADD,
	ST_RULE_GET,
	ST_RULE_ADD,
	ST_CURSOR_GET,
	ST_CURSOR_SET,
	ST_LOSS,
	ST_LOSS_COVERED,
	ST_PART_SET,
	ST_DESK_ADD,
	ST_DESK_OF,
	ST_SINK_GET,
	ST_SINK_SET,
	ST_NUMBER_GET,
	ST_NUMBER_SET,
	ST_BUNDLE_PUT,
	ST_BUNDLE_DELETE,
	ST_BUNDLES,
	ST_TOTAL_LOST,
	ST_TOTAL_SUPPRESSED,
	ST_N
};

// A table of hits, "hits_N": the ids from first_id to last_id, as far as they are still there.
struct store_part {
	uint32_t n;
	uint64_t first_id, last_id, rows;
	uint64_t min_ns, max_ns; // times of its hits; min_ns > max_ns: none yet
	// Prepared when first used.
	sqlite3_stmt *insert, *http, *get;
};

// A transaction that hit, kept in case a hit of it is still on its way. A newer one in the same slot replaces it.
struct store_http_slot {
	uint8_t boot_id[16];
	uint64_t flow_id;
	uint32_t tx_id;
	bool used;
	uint16_t status;
	char method[32], host[256],
		url[768]; // clean UTF-8, at most twice the bytes of struct event_http
};

// Row of a rule in the table "rules". id 0: the slot is free.
struct store_rule_slot {
	int64_t id;
	uint32_t sid, gid, rev, texts; // texts: hash of msg and metadata
	uint64_t serial;
};

// How far a worker's hits are stored; written back with the transaction.
struct store_cursor_slot {
	bool used, dirty;
	uint8_t boot_id[16];
	uint64_t seq;
};

struct store {
	sqlite3 *db;
	sqlite3_stmt *st[ST_N];
	struct store_limits limits;
	uint64_t part_rows;       // a table takes so many before the next is begun
	struct store_part *parts; // oldest first; one at least
	uint32_t n_parts;
	bool part_dirty; // the newest has changed in this transaction
	bool in_transaction;
	bool reload; // what is remembered of the file is not known to be right: read it again
	uint8_t boot_id[16];
	int64_t boot; // row of boot_id, 0: none
	char error[256];
	struct store_cursor_slot cursors[IPC_WORKERS_MAX];
	struct store_rule_slot rules[STORE_RULE_SLOTS];
	struct store_http_slot *http; // STORE_HTTP_SLOTS
};

// The statement, reset and ready to bind.
sqlite3_stmt *store_statement(struct store *s, enum store_statement id);
// Negative errno of an SQLite result, its sentence kept for store_error().
int store_failed(struct store *s, int rc);
// Step a statement that returns no rows, and reset it. 0 or negative errno.
int store_run(struct store *s, sqlite3_stmt *st);
int store_exec(struct store *s, const char *text);
// One integer of a query without parameters. 0 or negative errno (also if there is no row).
int store_query_number(struct store *s, const char *text, int64_t *ret_value);
// First column of a statement's first row, or fallback. Resets it.
uint64_t store_first_number(struct store *s, sqlite3_stmt *st, uint64_t fallback);
void store_bind_text(sqlite3_stmt *st, int column, const char *text);

static inline struct store_part *store_newest(struct store *s)
{
	return &s->parts[s->n_parts - 1];
}

// The tables of hits. All return 0 or negative errno.
int store_parts_load(struct store *s);
void store_parts_forget(struct store *s);
int store_parts_migrate(struct store *s); // from the one table of format 2
int store_part_add(struct store *s);
int store_part_save(struct store *s, const struct store_part *p);
// *io_st, prepared from fmt with the table's number for %u if it is NULL; reset and ready to bind.
int store_part_statement(struct store *s, const struct store_part *p, const char *fmt,
			 sqlite3_stmt **io_st);
int store_trim(struct store *s); // to what the limits allow, within a transaction
uint64_t store_rows(const struct store *s);

// Write back the cursors that moved.
int store_cursors_save(struct store *s);

#endif

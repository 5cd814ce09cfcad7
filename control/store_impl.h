// SPDX-License-Identifier: BSD-2-Clause
// Inside of the store: shared by store.c (file, transactions, writing) and store_query.c (reading).
#ifndef CONTROL_STORE_IMPL_H
#define CONTROL_STORE_IMPL_H

#include <sqlite3.h>

#include "control/store.h"

enum {
	STORE_VERSION = 2,       // PRAGMA user_version
	STORE_HTTP_SLOTS = 4096, // remembered transactions, about 4 MB
};

enum store_statement {
	ST_BEGIN,
	ST_COMMIT,
	ST_ROLLBACK,
	ST_HIT,
	ST_SUPPRESS,
	ST_SUPPRESSED,
	ST_CURSOR_GET,
	ST_CURSOR_SET,
	ST_LOSS,
	ST_LOSS_COVERED,
	ST_HTTP,
	ST_TRIM,
	ST_NUMBER_GET,
	ST_NUMBER_SET,
	ST_BUNDLE_PUT,
	ST_BUNDLE_DELETE,
	ST_BUNDLES,
	ST_TOTAL_HITS,
	ST_TOTAL_LOST,
	ST_TOTAL_SUPPRESSED,
	ST_N
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

struct store {
	sqlite3 *db;
	sqlite3_stmt *st[ST_N];
	uint64_t keep_hits;
	uint64_t rows; // in table hits
	bool in_transaction;
	bool recount; // rows is not known for sure
	char error[256];
	struct store_http_slot *http; // STORE_HTTP_SLOTS
};

// The statement, reset and ready to bind.
sqlite3_stmt *store_statement(struct store *s, enum store_statement id);
// Negative errno of an SQLite result, its sentence kept for store_error().
int store_failed(struct store *s, int rc);
// Make s->rows right. 0 or negative errno.
int store_count_rows(struct store *s);
// Step a statement that returns no rows, and reset it. 0 or negative errno.
int store_run(struct store *s, sqlite3_stmt *st);

#endif

// SPDX-License-Identifier: BSD-2-Clause
// Reading the store: hits by filter, totals, small numbers, bundles. Nothing here changes a row.
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "control/store_impl.h"
#include "control/text.h"

#define COLUMNS                                                                                    \
	"id, boot, worker, seq, ts_ns, flow_id, tx_id, offset_bytes, src, src_port, dst, "         \
	"dst_port,"                                                                                \
	" vlan0, vlan1, family, proto, dir, generation, rule, sid, gid, rev, flags, buffer, "      \
	"priority,"                                                                                \
	" app, serial, msg, classtype, method, host, url, status"

static uint64_t number(sqlite3_stmt *st, int column)
{
	return (uint64_t)sqlite3_column_int64(st, column);
}

static const char *text(sqlite3_stmt *st, int column)
{
	const unsigned char *t = sqlite3_column_text(st, column);

	return t != NULL ? (const char *)t : "";
}

static void read_row(sqlite3_stmt *st, struct store_row *row)
{
	struct hit *h = &row->hit;
	int c = 0;

	*row = (struct store_row){.id = number(st, c++)};
	const void *boot = sqlite3_column_blob(st, c);
	if (boot != NULL && sqlite3_column_bytes(st, c) == 16)
		text_hex(row->boot, boot, 16);
	c++;
	h->addr.worker = (uint8_t)number(st, c++);
	h->seq = number(st, c++);
	h->ts_ns = number(st, c++);
	h->flow_id = number(st, c++);
	h->tx_id = (uint32_t)number(st, c++);
	h->offset_bytes = number(st, c++);
	row->src = text(st, c++);
	h->addr.src_port = (uint16_t)number(st, c++);
	row->dst = text(st, c++);
	h->addr.dst_port = (uint16_t)number(st, c++);
	h->addr.vlan[0] = (uint16_t)number(st, c++);
	h->addr.vlan[1] = (uint16_t)number(st, c++);
	h->addr.family = (uint8_t)number(st, c++);
	h->addr.proto = (uint8_t)number(st, c++);
	h->addr.dir = (uint8_t)number(st, c++);
	h->generation = (uint32_t)number(st, c++);
	h->rule = (uint32_t)number(st, c++);
	h->sid = (uint32_t)number(st, c++);
	h->gid = (uint32_t)number(st, c++);
	h->rev = (uint32_t)number(st, c++);
	h->flags = (uint16_t)number(st, c++);
	h->buffer = (uint8_t)number(st, c++);
	h->priority = (uint8_t)number(st, c++);
	h->app = (uint8_t)number(st, c++);
	row->serial = number(st, c++);
	row->msg = text(st, c++);
	row->classtype = text(st, c++);
	row->method = text(st, c++);
	row->host = text(st, c++);
	row->url = text(st, c++);
	row->status = (uint32_t)number(st, c++);
}

static int each_row(struct store *s, sqlite3_stmt *st, store_row_fn *fn, void *ctx)
{
	struct store_row row;
	int n = 0, rc;

	while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
		read_row(st, &row);
		fn(ctx, &row);
		n++;
	}
	return rc == SQLITE_DONE ? n : store_failed(s, rc);
}

int store_list(struct store *s, const struct store_filter *f, store_row_fn *fn, void *ctx)
{
	char sql[1024];
	sqlite3_stmt *st = NULL;
	bool by_text = f->text != NULL && f->text[0] != '\0';

	snprintf(sql, sizeof(sql),
		 "SELECT * FROM (SELECT " COLUMNS " FROM hits WHERE id > ?1%s%s"
		 " ORDER BY id %s LIMIT ?4) ORDER BY id",
		 f->sid != 0 ? " AND sid = ?2" : "",
		 by_text ? " AND (src = ?3 OR dst = ?3 OR host = ?3 COLLATE NOCASE)" : "",
		 f->newest ? "DESC" : "ASC");
	int rc = sqlite3_prepare_v2(s->db, sql, -1, &st, NULL);
	if (rc != SQLITE_OK)
		return store_failed(s, rc);
	sqlite3_bind_int64(st, 1, (sqlite3_int64)f->since);
	if (f->sid != 0)
		sqlite3_bind_int64(st, 2, f->sid);
	if (by_text)
		sqlite3_bind_text(st, 3, f->text, -1, SQLITE_TRANSIENT);
	sqlite3_bind_int64(st, 4, f->limit);
	int n = each_row(s, st, fn, ctx);
	sqlite3_finalize(st);
	return n;
}

int store_get(struct store *s, uint64_t id, store_row_fn *fn, void *ctx)
{
	sqlite3_stmt *st = NULL;
	int rc = sqlite3_prepare_v2(s->db, "SELECT " COLUMNS " FROM hits WHERE id = ?", -1, &st,
				    NULL);

	if (rc != SQLITE_OK)
		return store_failed(s, rc);
	sqlite3_bind_int64(st, 1, (sqlite3_int64)id);
	int n = each_row(s, st, fn, ctx);
	sqlite3_finalize(st);
	return n;
}

// First column of a prepared statement's first row.
static uint64_t first_number(struct store *s, sqlite3_stmt *st, uint64_t fallback)
{
	int rc = sqlite3_step(st);
	uint64_t value = rc == SQLITE_ROW ? number(st, 0) : fallback;

	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		(void)store_failed(s, rc);
	sqlite3_reset(st);
	return value;
}

uint64_t store_cursor(struct store *s, const uint8_t boot_id[16], uint32_t worker)
{
	sqlite3_stmt *st = store_statement(s, ST_CURSOR_GET);

	sqlite3_bind_blob(st, 1, boot_id, 16, SQLITE_TRANSIENT);
	sqlite3_bind_int64(st, 2, worker);
	return first_number(s, st, 0);
}

uint64_t store_number(struct store *s, const char *name, uint64_t fallback)
{
	sqlite3_stmt *st = store_statement(s, ST_NUMBER_GET);

	sqlite3_bind_text(st, 1, name, -1, SQLITE_TRANSIENT);
	return first_number(s, st, fallback);
}

void store_totals(struct store *s, struct store_totals *ret_totals)
{
	sqlite3_stmt *pages = NULL;

	if (s->recount)
		(void)store_count_rows(s);
	*ret_totals = (struct store_totals){.hits = s->rows};
	ret_totals->last_id = first_number(s, store_statement(s, ST_TOTAL_HITS), 0);
	ret_totals->lost = first_number(s, store_statement(s, ST_TOTAL_LOST), 0);
	ret_totals->suppressed = first_number(s, store_statement(s, ST_TOTAL_SUPPRESSED), 0);
	if (sqlite3_prepare_v2(
		    s->db, "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size",
		    -1, &pages, NULL) == SQLITE_OK)
		ret_totals->bytes = first_number(s, pages, 0);
	sqlite3_finalize(pages);
}

int store_suppressed(struct store *s, store_suppressed_fn *fn, void *ctx)
{
	sqlite3_stmt *st = store_statement(s, ST_SUPPRESSED);
	int n = 0, rc;

	while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
		struct store_suppressed row = {
			.sid = (uint32_t)number(st, 0),
			.gid = (uint32_t)number(st, 1),
			.count = number(st, 2),
			.last_ns = number(st, 3),
		};
		fn(ctx, &row);
		n++;
	}
	int err = rc == SQLITE_DONE ? n : store_failed(s, rc);
	sqlite3_reset(st);
	return err;
}

int store_bundles(struct store *s, store_bundle_fn *fn, void *ctx)
{
	sqlite3_stmt *st = store_statement(s, ST_BUNDLES);
	int n = 0, rc;

	while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
		struct store_bundle b = {
			.serial = number(st, 0),
			.stored_ns = number(st, 2),
			.bytes = number(st, 3),
			.rules = (uint32_t)number(st, 4),
		};
		snprintf(b.id, sizeof(b.id), "%s", text(st, 1));
		fn(ctx, &b);
		n++;
	}
	int err = rc == SQLITE_DONE ? n : store_failed(s, rc);
	sqlite3_reset(st);
	return err;
}

// SPDX-License-Identifier: BSD-2-Clause
// Reading the store: hits by filter, totals, small numbers, bundles. Nothing here changes a row.
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/eve.h"
#include "control/store_find.h"
#include "control/text.h"

static uint64_t number(sqlite3_stmt *st, int column)
{
	return (uint64_t)sqlite3_column_int64(st, column);
}

static const char *text(sqlite3_stmt *st, int column)
{
	const unsigned char *t = sqlite3_column_text(st, column);

	return t != NULL ? (const char *)t : "";
}

static const char get_sql[] =
	"SELECT h.id, b.boot, worker, seq, ts_ns, flow_id, tx_id, offset_bytes, client,"
	" client_port, server, server_port, vlan0, vlan1, family, proto, dir, generation,"
	" rule_index, h.sid, r.gid, r.rev, flags, buffer, priority, app, state, verdict,"
	" method, host, url, status, serial, bundle, msg, classtype, reference, metadata"
	" FROM hits_%u h LEFT JOIN boots b ON b.id = h.boot LEFT JOIN rules r ON r.id = h.rule"
	" WHERE h.id = ?1";

static void addr(sqlite3_stmt *st, int column, uint8_t ret_addr[16])
{
	const void *blob = sqlite3_column_blob(st, column);

	if (blob != NULL && sqlite3_column_bytes(st, column) == 16)
		memcpy(ret_addr, blob, 16);
}

static void read_hit(sqlite3_stmt *st, int c, struct hit *h)
{
	struct hit_addr *a = &h->addr;
	const bool response = sqlite3_column_int(st, c + 14) == DIR_TO_CLIENT;

	a->worker = (uint8_t)number(st, c++);
	h->seq = number(st, c++);
	h->ts_ns = number(st, c++);
	h->flow_id = number(st, c++);
	h->tx_id = (uint32_t)number(st, c++);
	h->offset_bytes = number(st, c++);
	addr(st, c++, response ? a->dst : a->src);
	*(response ? &a->dst_port : &a->src_port) = (uint16_t)number(st, c++);
	addr(st, c++, response ? a->src : a->dst);
	*(response ? &a->src_port : &a->dst_port) = (uint16_t)number(st, c++);
	a->vlan[0] = (uint16_t)number(st, c++);
	a->vlan[1] = (uint16_t)number(st, c++);
	a->family = (uint8_t)number(st, c++);
	a->proto = (uint8_t)number(st, c++);
	a->dir = (uint8_t)number(st, c++);
	h->generation = (uint32_t)number(st, c++);
	h->rule = (uint32_t)number(st, c++);
	h->sid = (uint32_t)number(st, c++);
	h->gid = (uint32_t)number(st, c++);
	h->rev = (uint32_t)number(st, c++);
	h->flags = (uint16_t)number(st, c++);
	h->buffer = (uint8_t)number(st, c++);
	h->priority = (uint8_t)number(st, c++);
	h->app = (uint8_t)number(st, c++);
}

static void read_row(sqlite3_stmt *st, struct store_row *row)
{
	int c = 26;

	*row = (struct store_row){.id = number(st, 0)};
	const void *boot = sqlite3_column_blob(st, 1);
	if (boot != NULL && sqlite3_column_bytes(st, 1) == 16)
		text_hex(row->boot, boot, 16);
	read_hit(st, 2, &row->hit);
	eve_addr(row->src, row->hit.addr.src, row->hit.addr.family);
	eve_addr(row->dst, row->hit.addr.dst, row->hit.addr.family);
	row->state = (enum store_state)number(st, c++);
	row->verdict = (enum store_verdict)number(st, c++);
	row->method = text(st, c++);
	row->host = text(st, c++);
	row->url = text(st, c++);
	row->status = (uint32_t)number(st, c++);
	row->rule.serial = number(st, c++);
	row->rule.bundle = text(st, c++);
	row->rule.msg = text(st, c++);
	row->rule.classtype = text(st, c++);
	row->rule.reference = text(st, c++);
	row->rule.metadata = text(st, c++);
}

int store_get(struct store *s, uint64_t id, store_row_fn *fn, void *ctx)
{
	int err = s->reload ? store_parts_load(s) : 0;
	struct store_part *p = err == 0 ? store_part_of(s, id) : NULL;
	struct store_row row;

	if (p == NULL)
		return err;
	err = store_part_statement(s, p, get_sql, &p->get);
	if (err != 0)
		return err;
	sqlite3_bind_int64(p->get, 1, (sqlite3_int64)id);
	int rc = sqlite3_step(p->get);
	if (rc == SQLITE_ROW) {
		read_row(p->get, &row);
		fn(ctx, &row);
	}
	err = rc == SQLITE_ROW ? 1 : rc == SQLITE_DONE ? 0 : store_failed(s, rc);
	sqlite3_reset(p->get);
	return err;
}

int store_list(struct store *s, const struct store_filter *filter, store_row_fn *fn, void *ctx)
{
	struct store_found found;
	int err = store_find(s, filter, &found), n = 0;

	for (uint32_t i = 0; i < found.n && err >= 0; i++) {
		err = store_get(s, found.ids[i], fn, ctx);
		n += err == 1;
	}
	store_found_free(&found);
	return err < 0 ? err : n;
}

uint64_t store_number(struct store *s, const char *name, uint64_t fallback)
{
	sqlite3_stmt *st = store_statement(s, ST_NUMBER_GET);

	sqlite3_bind_text(st, 1, name, -1, SQLITE_TRANSIENT);
	return store_first_number(s, st, fallback);
}

void store_totals(struct store *s, struct store_totals *ret_totals)
{
	int64_t bytes = 0;

	*ret_totals = (struct store_totals){0};
	if (s->reload && store_parts_load(s) != 0)
		return;
	ret_totals->hits = store_rows(s);
	ret_totals->last_id = store_newest(s)->last_id;
	ret_totals->lost = store_first_number(s, store_statement(s, ST_TOTAL_LOST), 0);
	ret_totals->suppressed = store_first_number(s, store_statement(s, ST_TOTAL_SUPPRESSED), 0);
	if (store_query_number(s,
			       "SELECT page_count * page_size FROM pragma_page_count,"
			       " pragma_page_size",
			       &bytes) == 0)
		ret_totals->bytes = (uint64_t)bytes;
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

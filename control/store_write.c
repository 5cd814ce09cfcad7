// SPDX-License-Identifier: BSD-2-Clause
// What comes from the dataplane: hits, those that are suppressed, losses, and what is known of their transactions.
//
// Made for many hits in one transaction: texts of rules are stored once, and the cursors of the workers are remembered and
// written when it ends.
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/eve.h"
#include "control/loop.h"
#include "control/store_impl.h"
#include "control/text.h"

enum {
	HTTP_PARTS = 4, // tables in which hits of a transaction that has ended are looked for
};

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

// Row of this dataplane's boot id. 0 or negative errno.
static int boot_row(struct store *s, const uint8_t boot_id[16], int64_t *ret_row)
{
	if (s->boot == 0 || memcmp(s->boot_id, boot_id, 16) != 0) {
		sqlite3_stmt *st = store_statement(s, ST_BOOT_GET);
		sqlite3_bind_blob(st, 1, boot_id, 16, SQLITE_TRANSIENT);
		int64_t row = (int64_t)store_first_number(s, st, 0);
		if (row == 0) {
			st = store_statement(s, ST_BOOT_ADD);
			sqlite3_bind_blob(st, 1, boot_id, 16, SQLITE_TRANSIENT);
			int err = store_run(s, st);
			if (err != 0)
				return err;
			row = sqlite3_last_insert_rowid(s->db);
		}
		memcpy(s->boot_id, boot_id, 16);
		s->boot = row;
	}
	*ret_row = s->boot;
	return 0;
}

static uint32_t hash_text(uint32_t h, const char *text)
{
	while (*text != '\0')
		h = (h ^ (uint8_t)*text++) * 16777619u; // FNV-1a
	return h;
}

static int rule_add(struct store *s, const struct hit *hit, const struct store_rule *rule,
		    int64_t *ret_row)
{
	const char *const texts[] = {rule->msg, rule->metadata, rule->bundle, rule->classtype,
				     rule->reference};
	const int at[] = {5, 6, 7, 8, 9};
	sqlite3_stmt *st = NULL;
	char text[4096];

	for (int add = 0; add < 2; add++) {
		st = store_statement(s, add != 0 ? ST_RULE_ADD : ST_RULE_GET);
		sqlite3_bind_int64(st, 1, hit->sid);
		sqlite3_bind_int64(st, 2, hit->gid);
		sqlite3_bind_int64(st, 3, hit->rev);
		sqlite3_bind_int64(st, 4, (sqlite3_int64)rule->serial);
		for (int i = 0; i < (add != 0 ? 5 : 2); i++) {
			text_clean(text, sizeof(text), texts[i], strlen(texts[i]));
			store_bind_text(st, at[i], text);
		}
		*ret_row = add == 0 ? (int64_t)store_first_number(s, st, 0) : 0;
		if (*ret_row != 0)
			return 0;
	}
	int err = store_run(s, st);
	*ret_row = sqlite3_last_insert_rowid(s->db);
	return err;
}

// Row of the rule with its texts: they are stored once, not with every hit. 0 or negative errno.
static int rule_row(struct store *s, const struct hit *hit, const struct store_rule *rule,
		    int64_t *ret_row)
{
	uint32_t texts = hash_text(hash_text(2166136261u, rule->msg), rule->metadata);
	struct store_rule_slot *slot =
		&s->rules[(hit->sid ^ hit->gid * 31 ^ (uint32_t)rule->serial * 131) %
			  STORE_RULE_SLOTS];

	if (slot->id == 0 || slot->sid != hit->sid || slot->gid != hit->gid ||
	    slot->rev != hit->rev || slot->serial != rule->serial || slot->texts != texts) {
		int err = rule_add(s, hit, rule, ret_row);
		if (err != 0)
			return err;
		*slot = (struct store_rule_slot){*ret_row, hit->sid, hit->gid,
						 hit->rev, texts,    rule->serial};
	}
	*ret_row = slot->id;
	return 0;
}

static const char insert_sql[] =
	"INSERT INTO hits_%u (id, boot, worker, seq, ts_ns, flow_id, tx_id, offset_bytes,"
	" client, client_port, server, server_port, vlan0, vlan1, family, proto, dir, generation,"
	" rule_index, rule, sid, flags, buffer, priority, app, method, host, url, status)"
	" VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)";

static void bind_hit(sqlite3_stmt *st, uint64_t id, uint32_t worker, const struct hit *hit,
		     int64_t boot, int64_t rule, const struct store_http_slot *http)
{
	const struct hit_addr *a = &hit->addr;
	const bool response = a->dir == DIR_TO_CLIENT;
	const int64_t first[] = {(int64_t)id,
				 boot,
				 worker,
				 (int64_t)hit->seq,
				 (int64_t)hit->ts_ns,
				 (int64_t)hit->flow_id,
				 hit->tx_id,
				 (int64_t)hit->offset_bytes};
	const int64_t last[] = {a->vlan[0],      a->vlan[1],    a->family, a->proto, a->dir,
				hit->generation, hit->rule,     rule,      hit->sid, hit->flags,
				hit->buffer,     hit->priority, hit->app};
	int c = 1;

	for (size_t i = 0; i < sizeof(first) / sizeof(first[0]); i++)
		sqlite3_bind_int64(st, c++, first[i]);
	sqlite3_bind_blob(st, c++, response ? a->dst : a->src, 16, SQLITE_STATIC);
	sqlite3_bind_int64(st, c++, response ? a->dst_port : a->src_port);
	sqlite3_bind_blob(st, c++, response ? a->src : a->dst, 16, SQLITE_STATIC);
	sqlite3_bind_int64(st, c++, response ? a->src_port : a->dst_port);
	for (size_t i = 0; i < sizeof(last) / sizeof(last[0]); i++)
		sqlite3_bind_int64(st, c++, last[i]);
	if (http == NULL)
		return;
	sqlite3_bind_text(st, c++, http->method, -1, SQLITE_STATIC);
	sqlite3_bind_text(st, c++, http->host, -1, SQLITE_STATIC);
	sqlite3_bind_text(st, c++, http->url, -1, SQLITE_STATIC);
	sqlite3_bind_int64(st, c++, http->status);
}

// The slot of this worker, read from the file if it holds another's or nothing. 0 or negative errno.
static int cursor_slot(struct store *s, const uint8_t boot_id[16], uint32_t worker,
		       struct store_cursor_slot **ret_slot)
{
	struct store_cursor_slot *c = &s->cursors[worker % IPC_WORKERS_MAX];
	int err = 0;

	*ret_slot = c;
	if (c->used && memcmp(c->boot_id, boot_id, 16) == 0)
		return 0;
	if (c->dirty)
		err = store_cursors_save(s);
	if (err != 0)
		return err;
	sqlite3_stmt *st = store_statement(s, ST_CURSOR_GET);
	sqlite3_bind_blob(st, 1, boot_id, 16, SQLITE_TRANSIENT);
	sqlite3_bind_int64(st, 2, worker);
	*c = (struct store_cursor_slot){.used = true, .seq = store_first_number(s, st, 0)};
	memcpy(c->boot_id, boot_id, 16);
	return 0;
}

static void cursor_set(struct store *s, uint32_t worker, uint64_t seq)
{
	struct store_cursor_slot *c = &s->cursors[worker % IPC_WORKERS_MAX];

	c->seq = seq;
	c->dirty = true;
}

int store_cursors_save(struct store *s)
{
	int err = 0;

	for (uint32_t w = 0; w < IPC_WORKERS_MAX && err == 0; w++) {
		struct store_cursor_slot *c = &s->cursors[w];
		if (!c->dirty)
			continue;
		sqlite3_stmt *st = store_statement(s, ST_CURSOR_SET);
		sqlite3_bind_blob(st, 1, c->boot_id, 16, SQLITE_STATIC);
		sqlite3_bind_int64(st, 2, w);
		sqlite3_bind_int64(st, 3, (sqlite3_int64)c->seq);
		sqlite3_bind_int64(st, 4, (sqlite3_int64)loop_wall_ns());
		err = store_run(s, st);
		c->dirty = err != 0;
	}
	return err;
}

uint64_t store_cursor(struct store *s, const uint8_t boot_id[16], uint32_t worker)
{
	struct store_cursor_slot *c;

	return cursor_slot(s, boot_id, worker, &c) == 0 ? c->seq : 0;
}

int store_hit(struct store *s, const uint8_t boot_id[16], uint32_t worker, const struct hit *hit,
	      const struct store_rule *rule)
{
	struct store_part *p = store_newest(s);
	int64_t boot = 0, rule_id = 0;

	if (hit->seq <= store_cursor(s, boot_id, worker))
		return 0;
	int err = boot_row(s, boot_id, &boot);
	if (err == 0)
		err = rule_row(s, hit, rule, &rule_id);
	if (err == 0 && p->rows >= s->part_rows) {
		err = s->part_dirty ? store_part_save(s, p) : 0;
		if (err == 0)
			err = store_part_add(s);
		p = store_newest(s);
	}
	if (err == 0)
		err = store_part_statement(s, p, insert_sql, &p->insert);
	if (err != 0)
		return err;
	bind_hit(p->insert, p->last_id + 1, worker, hit, boot, rule_id, http_find(s, boot_id, hit));
	err = store_run(s, p->insert);
	if (err != 0)
		return err;
	p->last_id++;
	p->rows++;
	p->min_ns = hit->ts_ns < p->min_ns ? hit->ts_ns : p->min_ns;
	p->max_ns = hit->ts_ns > p->max_ns ? hit->ts_ns : p->max_ns;
	s->part_dirty = true;
	cursor_set(s, worker, hit->seq);
	return 1;
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
	if (err != 0)
		return err;
	cursor_set(s, worker, hit->seq);
	return 1;
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

// The rows of this transaction in the newest tables: those where some are found, and the one before. A transaction that
// lasted longer than these took to fill keeps rows without texts.
static int http_update(struct store *s, const uint8_t boot_id[16],
		       const struct store_http_slot *slot)
{
	static const char update[] =
		"UPDATE hits_%u SET method = ?1, host = ?2, url = ?3, status = ?4"
		" WHERE flow_id = ?5 AND tx_id = ?6 AND boot = ?7";
	uint32_t look = s->n_parts < HTTP_PARTS ? s->n_parts : HTTP_PARTS;
	int64_t boot = 0;
	int err = boot_row(s, boot_id, &boot);

	for (uint32_t i = 0; i < look && err == 0; i++) {
		struct store_part *p = &s->parts[s->n_parts - 1 - i];

		err = store_part_statement(s, p, update, &p->http);
		if (err != 0)
			return err;
		sqlite3_bind_text(p->http, 1, slot->method, -1, SQLITE_STATIC);
		sqlite3_bind_text(p->http, 2, slot->host, -1, SQLITE_STATIC);
		sqlite3_bind_text(p->http, 3, slot->url, -1, SQLITE_STATIC);
		sqlite3_bind_int64(p->http, 4, slot->status);
		sqlite3_bind_int64(p->http, 5, (sqlite3_int64)slot->flow_id);
		sqlite3_bind_int64(p->http, 6, slot->tx_id);
		sqlite3_bind_int64(p->http, 7, boot);
		err = store_run(s, p->http);
		if (err == 0 && sqlite3_changes(s->db) > 0 && i + 2 < look)
			look = i + 2;
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
	return http_update(s, boot_id, slot);
}

// SPDX-License-Identifier: BSD-2-Clause
// From HTTP/1 to something else: a request with Upgrade that is answered with 101, or a connection that speaks HTTP/2 from
// its first byte, or what a CONNECT leads to. WebSocket and HTTP/2 are followed, a tunnel is judged like a connection of its own;
// whatever else a 101 leads to is let go.
#include "dataplane/engine/conn_impl.h"

#include <string.h>

// Is word in the comma-separated lists of the fields of that name?
static bool field_lists(const struct http_head *h, struct span name, struct span word)
{
	for (uint32_t i = 0; i < h->n_fields; i++) {
		struct span v = h->fields[i].value;

		if (!span_eq_nocase(h->fields[i].name, name))
			continue;
		while (v.len > 0) {
			const uint8_t *comma = memchr(v.data, ',', v.len);
			size_t n = comma != NULL ? (size_t)(comma - v.data) : v.len;
			struct span item = span_first(v, n);

			while (item.len > 0 && (item.data[0] == ' ' || item.data[0] == '\t'))
				item = span_from(item, 1);
			while (item.len > 0 &&
			       (item.data[item.len - 1] == ' ' || item.data[item.len - 1] == '\t'))
				item.len--;
			if (span_eq_nocase(item, word))
				return true;
			v = span_from(v, n + 1);
		}
	}
	return false;
}

static void head_keep(struct conn_ctx *x, struct http_conn *c, enum dir dir, struct span raw)
{
	if (raw.len > TCP_SEG_BYTES - PIPELINE_TAIL_BYTES)
		return;
	if (c->head[dir] == NULL)
		c->head[dir] = pool_get(x->detect->cells);
	if (c->head[dir] == NULL)
		return;
	memcpy(c->head[dir], raw.data, raw.len);
	c->head_len[dir] = (uint32_t)raw.len;
}

static void heads_drop(struct conn_ctx *x, struct http_conn *c)
{
	for (int dir = 0; dir < DIR_N; dir++) {
		if (c->head[dir] != NULL)
			pool_put(x->detect->cells, c->head[dir]);
		c->head[dir] = NULL;
	}
}

void upgrade_note(struct conn_ctx *x, struct http_conn *c, enum dir dir, const struct http_head *h)
{
	bool websocket;

	if (dir == DIR_TO_CLIENT && h->framing != HTTP_FRAMING_UPGRADE)
		return;
	websocket = field_lists(h, SPAN_LIT("Upgrade"), SPAN_LIT("websocket"));
	if (dir == DIR_TO_SERVER) {
		heads_drop(x, c); // of an earlier request that was refused
		if (websocket)
			head_keep(x, c, dir, h->raw);
		return;
	}
	if (h->status != 101) {
		c->upgrade = CONN_UPGRADE_TUNNEL;
	} else if (websocket) {
		c->upgrade = CONN_UPGRADE_WEBSOCKET;
		ws_extensions_read(h, &c->ws_ext);
		head_keep(x, c, dir, h->raw);
	} else if (field_lists(h, SPAN_LIT("Upgrade"), SPAN_LIT("h2c"))) {
		c->upgrade = CONN_UPGRADE_H2C;
	}
}

bool upgrade_begin(struct conn_ctx *x, struct flow *f)
{
	struct http_conn *c = f->http;
	struct http_tx *tx = c->msg[DIR_TO_CLIENT].tx;
	enum conn_upgrade to = c->upgrade;
	bool begun;

	c->upgrade = CONN_UPGRADE_NONE;
	if (tx != NULL)
		tx->held = true;
	// Raw bytes of a WebSocket go on behind the response; the streams of HTTP/2 have their own.
	if (to == CONN_UPGRADE_H2C)
		msg_end(x, f, DIR_TO_CLIENT, false);
	begun = to == CONN_UPGRADE_WEBSOCKET ? conn_ws_begin(x, f, tx, &c->ws_ext)
					     : conn_h2_begin(x, f, H2_PREFACE_ALL, tx);
	if (!begun) {
		c->msg[DIR_TO_CLIENT].tx = NULL;
		if (tx != NULL && !tx->queued)
			tx_finish(x, f, tx);
	}
	return begun;
}

bool upgrade_tunnel(struct conn_ctx *x, struct flow *f, struct span rest)
{
	struct http_conn *c = f->http;
	struct http_half *asks = &c->half[DIR_TO_SERVER], *grants = &c->half[DIR_TO_CLIENT];
	const struct http_tx *tx = c->msg[DIR_TO_CLIENT].tx;

	x->counters->v[CNT_HTTP_TUNNELS]++;
	c->upgrade = CONN_UPGRADE_NONE;
	// A CONNECT has no body: what claims to be one, and has not come yet, is the tunnel's.
	if (tx != NULL && c->msg[DIR_TO_SERVER].tx == tx) {
		msg_end(x, f, DIR_TO_SERVER, false);
		http_half_done(asks, x->parser);
		http_half_init(asks);
	}
	msg_end(x, f, DIR_TO_CLIENT, false);
	http_half_again(grants);
	if (c->first != NULL || c->msg[DIR_TO_SERVER].tx != NULL || asks->state != HTTP_START ||
	    grants->n_left > 0)
		return false;
	for (int d = 0; d < DIR_N; d++) {
		reading_end(x, f, d, true);
		http_half_done(&c->half[d], x->parser);
		http_half_init(&c->half[d]);
	}
	c->begins_at = c->next_tx_id;
	c->n_held = 0;
	c->tunnel = rest;
	f->app = APP_UNKNOWN;
	return true;
}

bool upgrade_hold(struct conn_ctx *x, struct flow *f, enum dir dir, const struct tcp_run *run)
{
	struct http_conn *c = f->http;
	const uint8_t had = c->n_held;
	size_t n = sizeof(c->held) - had;
	struct tcp_run held = {.data = span_of(c->held, had)};
	bool first = c->next_tx_id == c->begins_at && c->half[dir].state == HTTP_START &&
		     run->gap_bytes == 0;
	int is = 0;

	if (dir != DIR_TO_CLIENT || had == CONN_HELD_OVER ||
	    (had == 0 && (!first || run->data.len == 0 || run->data.data[0] != 0)))
		return false;
	if (n > run->data.len)
		n = run->data.len;
	if (n > 0)
		memcpy(c->held + had, run->data.data, n);
	if (first)
		is = h2_is_settings(span_of(c->held, had + n));
	if (is < 0 && !run->fin) {
		c->n_held = (uint8_t)(had + n);
		return true;
	}
	c->n_held = CONN_HELD_OVER;
	if (is > 0 && conn_h2_begin(x, f, H2_PREFACE_ALL, NULL))
		upgrade_rest(x, f, dir, held.data, false);
	else if (had > 0)
		conn_run(x, f, dir, &held);
	return false;
}

bool upgrade_is_h2_client(const struct http_conn *c, enum dir dir, const struct http_head *h)
{
	return dir == DIR_TO_SERVER && c->next_tx_id == c->begins_at &&
	       span_eq(h->raw, SPAN_LIT("PRI * HTTP/2.0\r\n\r\n"));
}

bool upgrade_rest(struct conn_ctx *x, struct flow *f, enum dir dir, struct span in, bool fin)
{
	struct http_conn *c = f->http;
	const struct tcp_run rest = {.data = in, .fin = fin};

	for (int d = 0; d < DIR_N; d++) {
		struct http_half *h = &c->half[d];
		struct tcp_run held = {.data = SPAN_NONE};
		bool stays = true;

		// What is behind the head in the parser's buffer. The other side's first bytes may have come before the
		// change was seen.
		if (d != (int)dir && d == DIR_TO_CLIENT && c->n_held > 0 &&
		    c->n_held != CONN_HELD_OVER)
			held.data = span_of(c->held, c->n_held);
		else if (h->n_left > 0)
			held.data = span_of(h->gather + HTTP_HEAD_MAX - h->n_left, h->n_left);
		else if (d != (int)dir && h->state == HTTP_HEAD)
			held.data = span_of(h->gather, h->gathered);
		if (held.data.len > 0)
			stays = upgrade_run(x, f, d, &held);
		reading_end(x, f, d, true);
		http_half_done(h, x->parser);
		http_half_init(h);
		if (!stays)
			return false;
	}
	return upgrade_run(x, f, dir, &rest);
}

bool upgrade_run(struct conn_ctx *x, struct flow *f, enum dir dir, const struct tcp_run *run)
{
	return f->http->ws != NULL ? conn_ws_run(x, f, dir, run) : conn_h2_run(x, f, dir, run);
}

void upgrade_close(struct conn_ctx *x, struct flow *f, bool decide)
{
	struct http_conn *c = f->http;

	if (c->ws != NULL)
		conn_ws_close(x, f, decide);
	if (c->h2 != NULL)
		conn_h2_close(x, f, decide);
	heads_drop(x, c);
}

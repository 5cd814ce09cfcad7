// SPDX-License-Identifier: BSD-2-Clause
// A WebSocket: every message is a body of its own of the transaction that was the hand-shake, in its direction. Rules on
// the URI or a header of the hand-shake hold for all messages; they are not matched again, messages are forks of an
// inspection that knows the head.
//
// Rules on raw bytes see the connection as sent, and messages in the clear where that is something else: client's
// messages are masked, and any may be compressed.
#include "dataplane/engine/conn_impl.h"

#include <string.h>

bool conn_ws_begin(struct conn_ctx *x, struct flow *f, struct http_tx *tx,
		   const struct ws_extensions *ext)
{
	struct http_conn *c = f->http;
	struct conn_ws *ws = pool_get(&x->wss);

	if (ws == NULL) {
		x->counters->v[CNT_WS_NO_CONN]++;
		return false;
	}
	// A client that goes on with its request has been answered early.
	if (c->msg[DIR_TO_SERVER].tx != NULL)
		msg_end(x, f, DIR_TO_SERVER, true);
	memset(ws, 0, sizeof(*ws));
	ws->tx = tx;
	for (int dir = 0; dir < DIR_N; dir++) {
		ws_init(&ws->dir[dir].half, ext->deflate);
		ws->dir[dir].no_takeover = ext->no_takeover[dir];
		c->msg[dir].tx = tx;
	}
	c->ws = ws;
	x->counters->v[CNT_WS_CONNS]++;
	return true;
}

// ---- messages ----

// What knows the head of the hand-shake, for the rule set of the moment.
static struct inspect *base_get(struct conn_ctx *x, struct flow *f, enum dir dir)
{
	struct http_conn *c = f->http;
	struct conn_ws_dir *d = &c->ws->dir[dir];
	struct http_head *head = &x->parser->head;
	struct detect_msg m = conn_msg(x, f, dir);

	if (d->base != NULL && d->base->rs == x->detect->rs)
		return d->base;
	if (d->base != NULL)
		detect_abort(x->detect, d->base);
	d->base = NULL;
	if (c->head[dir] == NULL || http_head_parse(span_of(c->head[dir], c->head_len[dir]), dir,
						    HTTP_ANSWERS_OTHER, &x->alt_counters, head) < 0)
		return NULL;
	d->base = detect_base(x->detect, dir, &m, head);
	return d->base;
}

// Bytes of the message in hand, in the clear. differ: they were sent otherwise.
static void message_out(struct conn_ctx *x, struct flow *f, enum dir dir, struct span data,
			bool differ)
{
	struct http_msg *msg = &f->http->msg[dir];
	struct detect_msg m;

	if (msg->inspect == NULL) {
		const struct inspect *base;

		if (!detect_wants(x->detect, dir, DETECT_BODY) &&
		    !detect_wants(x->detect, dir, DETECT_FILE) &&
		    !(differ && detect_wants(x->detect, dir, DETECT_RAW)))
			return;
		msg->tx = f->http->ws->tx;
		base = base_get(x, f, dir);
		m = conn_msg(x, f, dir);
		msg->inspect = base != NULL ? detect_fork(x->detect, base, &m)
					    : detect_begin(x->detect, dir);
	}
	if (msg->inspect == NULL)
		return;
	m = conn_msg(x, f, dir);
	if (detect_needs(msg->inspect, DETECT_BODY))
		detect_data(x->detect, msg->inspect, &m, DETECT_BODY, data);
	files_data(x, f, dir, data);
	if (differ && detect_needs(msg->inspect, DETECT_RAW))
		detect_data(x->detect, msg->inspect, &m, DETECT_RAW, data);
}

static void message_begin(struct conn_ctx *x, struct conn_ws_dir *d, bool compressed)
{
	d->compressed = compressed && !d->lost;
	if (!compressed)
		return;
	if (d->inflate == NULL && !d->lost) {
		d->inflate = pool_get(&x->ws_inflates);
		if (d->inflate != NULL)
			ws_inflate_init(d->inflate, !d->no_takeover);
	}
	if (d->inflate == NULL) {
		x->counters->v[CNT_WS_NO_STATE]++;
		d->lost = !d->no_takeover;
		d->compressed = false;
		return;
	}
	ws_inflate_begin(d->inflate);
}

static void message_inflate(struct conn_ctx *x, struct flow *f, enum dir dir, struct span data)
{
	struct conn_ws_dir *d = &f->http->ws->dir[dir];
	struct span out;

	while (ws_inflate_next(d->inflate, &data, x->ws_inflated, &out, x->counters) == 1)
		message_out(x, f, dir, out, true);
	if (d->inflate->failed && f->http->msg[dir].inspect != NULL)
		f->http->msg[dir].inspect->flags |= INSPECT_TRUNCATED;
}

static void message_data(struct conn_ctx *x, struct flow *f, enum dir dir,
			 const struct ws_event *ev)
{
	struct conn_ws *ws = f->http->ws;

	if (ws->tx != NULL) {
		struct event_http *e = &ws->tx->event.http;

		*(dir == DIR_TO_SERVER ? &e->request_body_bytes : &e->response_body_bytes) +=
			ev->data.len;
	}
	if (ws->dir[dir].compressed)
		message_inflate(x, f, dir, ev->data);
	else
		message_out(x, f, dir, ev->data, ev->masked);
}

static void message_end(struct conn_ctx *x, struct flow *f, enum dir dir, bool truncated)
{
	struct conn_ws_dir *d = &f->http->ws->dir[dir];

	if (d->compressed && !truncated && !d->inflate->failed)
		message_inflate(x, f, dir, ws_inflate_tail(d->inflate));
	if (d->inflate != NULL && d->no_takeover) {
		pool_put(&x->ws_inflates, d->inflate);
		d->inflate = NULL;
	}
	d->compressed = false;
	if (f->http->msg[dir].inspect == NULL)
		return;
	if (!truncated && d->messages * WS_MESSAGE_COST > d->bytes + WS_MESSAGE_FREE) {
		x->counters->v[CNT_WS_JOINED]++;
		return;
	}
	d->messages++;
	msg_end(x, f, dir, truncated);
}

// What is no frame: a body from here to the end. False: it is something that no endpoint of ours would inspect.
static bool message_raw(struct conn_ctx *x, struct flow *f, enum dir dir, struct span data)
{
	if (ws_is_tunnel(&f->http->ws->dir[dir].half))
		return false;
	f->app = APP_FAILED;
	anomaly_tell(x, f, dir, CNT_WS_BAD_FRAME);
	message_out(x, f, dir, data, false);
	return true;
}

// ---- runs ----

static bool frames_read(struct conn_ctx *x, struct flow *f, enum dir dir, struct span in)
{
	struct conn_ws_dir *d = &f->http->ws->dir[dir];
	struct ws_event ev;
	size_t left = in.len;

	while (ws_next(&d->half, &in, x->ws_unmasked, x->counters, &ev) == 1) {
		d->bytes += left - in.len;
		left = in.len;
		switch (ev.kind) {
		case WS_EV_BEGIN:
			message_begin(x, d, ev.compressed);
			break;
		case WS_EV_DATA:
			message_data(x, f, dir, &ev);
			break;
		case WS_EV_END:
			message_end(x, f, dir, false);
			break;
		case WS_EV_RAW:
			if (!message_raw(x, f, dir, ev.data))
				return false;
			break;
		}
	}
	d->bytes += left;
	return true;
}

static void gap(struct conn_ctx *x, struct flow *f, enum dir dir, uint64_t gap_bytes)
{
	struct http_conn *c = f->http;
	struct conn_ws_dir *d = &c->ws->dir[dir];
	bool was_raw = d->half.state == WS_RAW;
	bool goes_on = ws_gap(&d->half, gap_bytes, x->counters);

	msg_gap(x, f, dir, gap_bytes, false);
	c->msg = c->ws->msg;
	if (d->compressed)
		ws_inflate_gap(d->inflate, x->counters);
	if (ws_in_message(&d->half) || !goes_on)
		msg_gap(x, f, dir, gap_bytes, !d->compressed);
	if (!goes_on && !was_raw)
		message_end(x, f, dir, true);
	c->msg = c->own_msg;
}

bool conn_ws_run(struct conn_ctx *x, struct flow *f, enum dir dir, const struct tcp_run *run)
{
	struct http_conn *c = f->http;
	bool stays;

	if (run->gap_bytes > 0)
		gap(x, f, dir, run->gap_bytes);
	c->msg = c->ws->msg;
	stays = frames_read(x, f, dir, run->data);
	if (stays && run->fin)
		message_end(x, f, dir, true);
	msg_settle(x, f, dir);
	c->msg = c->own_msg;
	if (!stays)
		return false;
	msg_raw(x, f, dir, run->data);
	msg_settle(x, f, dir);
	if (run->fin)
		msg_end(x, f, dir, false);
	return true;
}

// ---- the end ----

unsigned int conn_ws_release_old(struct conn_ctx *x, struct flow *f)
{
	struct http_conn *c = f->http;
	unsigned int n;

	for (int dir = 0; dir < DIR_N; dir++) {
		struct conn_ws_dir *d = &c->ws->dir[dir];

		if (d->base != NULL && d->base->rs != x->detect->rs) {
			detect_abort(x->detect, d->base);
			d->base = NULL;
		}
	}
	c->msg = c->ws->msg;
	n = msgs_release_old(x, f);
	c->msg = c->own_msg;
	return n;
}

void conn_ws_close(struct conn_ctx *x, struct flow *f, bool decide)
{
	static const struct tcp_run fin = {.fin = true};
	struct http_conn *c = f->http;
	struct conn_ws *ws = c->ws;

	for (int dir = 0; dir < DIR_N; dir++) {
		struct conn_ws_dir *d = &ws->dir[dir];

		if (decide)
			conn_ws_run(x, f, dir, &fin);
		c->msg = ws->msg;
		c->msg[dir].tx = NULL;
		msg_drop(x, f, dir);
		c->msg = c->own_msg;
		c->msg[dir].tx = NULL;
		if (d->base != NULL)
			detect_abort(x->detect, d->base);
		if (d->inflate != NULL)
			pool_put(&x->ws_inflates, d->inflate);
	}
	// One that is in the connection's list goes with it.
	if (ws->tx != NULL && !ws->tx->queued)
		tx_finish(x, f, ws->tx);
	pool_put(&x->wss, ws);
	c->ws = NULL;
}

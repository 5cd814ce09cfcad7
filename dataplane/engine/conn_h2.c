// SPDX-License-Identifier: BSD-2-Clause
// HTTP/2: a stream is a transaction. Its two messages lie in the stream and are put where HTTP/1 has its own (c->msg) while
// one of its frames is read, so that heads, bodies and ends go the same way.
//
// Rules on raw bytes see a stream as HTTP/1.1 would have sent it, head and encoded body; what belongs to no stream (padding,
// unknown frames, what is no HTTP/2) goes to the connection's own messages.
#include "dataplane/engine/conn_impl.h"

#include <string.h>

// ---- streams ----

static struct h2_stream **bucket_of(struct conn_h2 *h2, uint32_t id)
{
	return &h2->bucket[id / 2 % H2_STREAMS_MAX];
}

static struct h2_stream *stream_find(struct conn_h2 *h2, uint32_t id)
{
	struct h2_stream *s = *bucket_of(h2, id);

	while (s != NULL && s->id != id)
		s = s->next;
	return s;
}

// The stream's messages are in hand.
static void stream_enter(struct http_conn *c, struct h2_stream *s)
{
	c->msg = s->msg;
	c->first = c->last = s->first;
	c->n_queued = s->first != NULL;
}

static void stream_leave(struct http_conn *c, struct h2_stream *s)
{
	s->first = c->first;
	c->msg = c->own_msg;
	c->first = c->last = NULL;
	c->n_queued = 0;
}

static void stream_unlink(struct conn_h2 *h2, struct h2_stream *s)
{
	struct h2_stream **at = bucket_of(h2, s->id);

	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
	if (s->older != NULL)
		s->older->younger = s->younger;
	else
		h2->oldest = s->younger;
	if (s->younger != NULL)
		s->younger->older = s->older;
	else
		h2->youngest = s->older;
	h2->n_streams--;
}

// Is a message of the stream in hand in progress?
static bool is_open(const struct http_conn *c, enum dir dir)
{
	return c->msg[dir].inspect != NULL || c->msg[dir].tx != NULL;
}

// What is in progress ends early.
static void stream_close(struct conn_ctx *x, struct flow *f, struct h2_stream *s, bool decide)
{
	struct http_conn *c = f->http;

	stream_enter(c, s);
	for (int dir = 0; dir < DIR_N; dir++) {
		if (decide && is_open(c, dir))
			msg_end(x, f, dir, true);
		msg_drop(x, f, dir);
	}
	while (c->first != NULL)
		tx_finish(x, f, tx_pop(c));
	stream_leave(c, s);
	stream_unlink(c->h2, s);
	pool_put(&x->h2_streams, s);
}

static struct h2_stream *stream_get(struct conn_ctx *x, struct flow *f, uint32_t id)
{
	struct conn_h2 *h2 = f->http->h2;
	struct h2_stream *s = stream_find(h2, id);

	if (s != NULL)
		return s;
	if (h2->n_streams < H2_STREAMS_MAX)
		s = pool_get(&x->h2_streams);
	if (s == NULL && h2->oldest != NULL) {
		x->counters->v[CNT_H2_STREAMS_FULL]++;
		stream_close(x, f, h2->oldest, true);
		s = pool_get(&x->h2_streams);
	}
	if (s == NULL) {
		x->counters->v[CNT_H2_NO_STREAM]++;
		return NULL;
	}
	x->counters->v[CNT_H2_STREAMS]++;
	memset(s, 0, sizeof(*s));
	s->id = id;
	s->next = *bucket_of(h2, id);
	*bucket_of(h2, id) = s;
	s->older = h2->youngest;
	if (h2->youngest != NULL)
		h2->youngest->younger = s;
	else
		h2->oldest = s;
	h2->youngest = s;
	h2->n_streams++;
	return s;
}

// ---- the connection ----

bool conn_h2_begin(struct conn_ctx *x, struct flow *f, enum h2_preface client, struct http_tx *tx)
{
	struct http_conn *c = f->http;
	struct conn_h2 *h2 = pool_get(&x->h2s);
	struct h2_stream *s;

	if (h2 == NULL) {
		x->counters->v[CNT_H2_NO_CONN]++;
		return false;
	}
	// A client that goes on with its request has been answered early.
	if (c->msg[DIR_TO_SERVER].tx != NULL)
		msg_end(x, f, DIR_TO_SERVER, true);
	x->counters->v[CNT_H2_CONNS]++;
	memset(h2, 0, sizeof(*h2));
	h2_init(&h2->half[DIR_TO_SERVER], DIR_TO_SERVER, client);
	h2_init(&h2->half[DIR_TO_CLIENT], DIR_TO_CLIENT, H2_PREFACE_NONE);
	h2_arena_init(&h2->arena, &x->h2_chunks);
	c->h2 = h2;
	if (tx != NULL)
		tx->held = false;
	if (tx != NULL && !tx->queued)
		tx_finish(x, f, tx); // an answer to nothing
	// Requests behind the one that asked for HTTP/2 will not be answered.
	for (struct http_tx *t = c->first; t != NULL; t = c->first) {
		tx_pop(c);
		s = t == tx ? stream_get(x, f, 1) : NULL;
		if (s == NULL) {
			tx_finish(x, f, t);
			continue;
		}
		t->next = NULL;
		t->queued = true;
		s->first = t;
		s->head_seen = s->ended = 1 << DIR_TO_SERVER;
	}
	return true;
}

// ---- events ----

// A head of the stream in hand.
static void head_read(struct conn_ctx *x, struct flow *f, enum dir dir, struct h2_stream *s,
		      const struct h2_event *ev)
{
	struct http_conn *c = f->http;
	struct http_head *head = &x->parser->head;
	bool final = true;

	if (ev->cut) {
		anomaly_tell(x, f, dir, CNT_H2_HEAD_CUT);
		c->msg[dir].truncated = true;
	}
	// Trailers, or a second request: bytes of the message, nothing to act upon.
	if (!ev->has_start || (s->head_seen & 1 << dir) != 0 ||
	    http_head_parse(ev->data, dir, HTTP_ANSWERS_OTHER, x->counters, head) < 0) {
		msg_raw(x, f, dir, ev->data);
		return;
	}
	head->version = 20;
	head->other_framing = HTTP_FRAMING_N;
	head->framing = ev->end_stream ? HTTP_FRAMING_NONE : HTTP_FRAMING_CLOSE;
	if (dir == DIR_TO_CLIENT && head->status / 100 == 1) {
		head->framing = HTTP_FRAMING_NONE;
		final = false;
	}
	if (dir == DIR_TO_SERVER && span_eq(head->method, SPAN_LIT("CONNECT")))
		s->tunnel = H2_TUNNEL_ASKED;
	else if (dir == DIR_TO_CLIENT && final && s->tunnel == H2_TUNNEL_ASKED)
		s->tunnel = head->status / 100 == 2 ? H2_TUNNEL_OPEN : H2_TUNNEL_NONE;
	msg_head(x, f, dir, head);
	msg_raw(x, f, dir, ev->data);
	msg_settle(x, f, dir);
	if (final)
		s->head_seen |= 1 << dir;
	else
		msg_end(x, f, dir, false);
}

static void stream_end(struct conn_ctx *x, struct flow *f, enum dir dir, struct h2_stream *s)
{
	struct http_conn *c = f->http;

	stream_enter(c, s);
	if (is_open(c, dir))
		msg_end(x, f, dir, false);
	stream_leave(c, s);
	s->ended |= 1 << dir;
	if (s->ended == (1 << DIR_TO_SERVER | 1 << DIR_TO_CLIENT))
		stream_close(x, f, s, true);
}

static void on_head(struct conn_ctx *x, struct flow *f, enum dir dir, const struct h2_event *ev)
{
	// What a server promises is a request, which nobody sends.
	enum dir of = ev->promised != 0 ? DIR_TO_SERVER : dir;
	struct h2_stream *s = stream_get(x, f, ev->promised != 0 ? ev->promised : ev->stream);

	if (s == NULL)
		return;
	stream_enter(f->http, s);
	head_read(x, f, of, s, ev);
	stream_leave(f->http, s);
	if (ev->promised != 0)
		stream_end(x, f, of, s);
}

static void on_data(struct conn_ctx *x, struct flow *f, enum dir dir, const struct h2_event *ev)
{
	struct http_conn *c = f->http;
	struct h2_stream *s = stream_get(x, f, ev->stream);
	struct http_msg *msg;

	if (s == NULL)
		return;
	if (s->tunnel == H2_TUNNEL_OPEN) {
		x->counters->v[CNT_H2_TUNNEL_BYTES] += ev->data.len;
		return;
	}
	stream_enter(c, s);
	msg = &c->msg[dir];
	// A stream whose head was not seen, or which was given up for others: its body is looked at all the same.
	if (msg->inspect == NULL && msg->tx == NULL && !msg->skipped &&
	    (detect_wants(x->detect, dir, DETECT_BODY) ||
	     detect_wants(x->detect, dir, DETECT_FILE)))
		msg->inspect = detect_begin(x->detect, dir);
	if (msg_is_too_much(x, f, dir))
		msg_skip(x, f, dir);
	body_data(x, f, dir, ev->data);
	msg_raw(x, f, dir, ev->data);
	msg_settle(x, f, dir);
	stream_leave(c, s);
}

static void on_raw(struct conn_ctx *x, struct flow *f, enum dir dir, const struct h2_half *h,
		   struct span data)
{
	f->app = APP_FAILED;
	anomaly_tell(x, f, dir, h->why);
	msg_raw(x, f, dir, data);
}

static void frames_read(struct conn_ctx *x, struct flow *f, enum dir dir, struct span in)
{
	struct conn_h2 *h2 = f->http->h2;
	struct h2_half *h = &h2->half[dir];
	struct h2_stream *s;
	struct h2_event ev;

	while (h2_next(h, &x->h2_parser, &h2->arena, &in, &ev) == 1) {
		switch (ev.kind) {
		case H2_EV_HEAD:
			on_head(x, f, dir, &ev);
			break;
		case H2_EV_DATA:
			on_data(x, f, dir, &ev);
			break;
		case H2_EV_END:
			s = stream_find(h2, ev.stream);
			if (s != NULL)
				stream_end(x, f, dir, s);
			break;
		case H2_EV_RESET:
			s = stream_find(h2, ev.stream);
			if (s != NULL)
				stream_close(x, f, s, true);
			break;
		case H2_EV_OTHER:
			msg_raw(x, f, dir, ev.data);
			break;
		case H2_EV_RAW:
			on_raw(x, f, dir, h, ev.data);
			break;
		}
	}
}

static void gap(struct conn_ctx *x, struct flow *f, enum dir dir, uint64_t gap_bytes)
{
	struct http_conn *c = f->http;
	struct h2_stream *s = NULL;
	uint32_t id;

	if (h2_gap(&c->h2->half[dir], &x->h2_parser, gap_bytes, &id) && id != 0)
		s = stream_find(c->h2, id);
	if (s == NULL) {
		msg_gap(x, f, dir, gap_bytes, false);
		return;
	}
	stream_enter(c, s);
	msg_gap(x, f, dir, gap_bytes, true);
	stream_leave(c, s);
}

bool conn_h2_run(struct conn_ctx *x, struct flow *f, enum dir dir, const struct tcp_run *run)
{
	struct http_conn *c = f->http;

	if (run->gap_bytes > 0)
		gap(x, f, dir, run->gap_bytes);
	frames_read(x, f, dir, run->data);
	msg_settle(x, f, dir);
	if (!run->fin)
		return true;
	for (struct h2_stream *s = c->h2->oldest; s != NULL; s = s->younger) {
		stream_enter(c, s);
		if (is_open(c, dir))
			msg_end(x, f, dir, true);
		stream_leave(c, s);
	}
	if (is_open(c, dir))
		msg_end(x, f, dir, false);
	return true;
}

unsigned int conn_h2_release_old(struct conn_ctx *x, struct flow *f)
{
	struct http_conn *c = f->http;
	unsigned int n = 0;

	for (struct h2_stream *s = c->h2->oldest; s != NULL; s = s->younger) {
		stream_enter(c, s);
		n += msgs_release_old(x, f);
		stream_leave(c, s);
	}
	return n;
}

void conn_h2_close(struct conn_ctx *x, struct flow *f, bool decide)
{
	static const struct tcp_run fin = {.fin = true};
	struct http_conn *c = f->http;
	struct conn_h2 *h2 = c->h2;

	for (int dir = 0; dir < DIR_N; dir++)
		if (decide)
			conn_h2_run(x, f, dir, &fin);
	while (h2->oldest != NULL)
		stream_close(x, f, h2->oldest, decide);
	for (int dir = 0; dir < DIR_N; dir++)
		h2_done(&h2->half[dir], &x->h2_parser);
	h2_arena_done(&h2->arena);
	pool_put(&x->h2s, h2);
	c->h2 = NULL;
}

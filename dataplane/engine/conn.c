// SPDX-License-Identifier: BSD-2-Clause
// From a run of stream bytes to detection: HTTP events are pulled, bodies decoded, transactions paired.
#include "dataplane/engine/conn.h"

#include <openssl/evp.h>
#include <string.h>

#include "dataplane/engine/uri.h"

// Transaction of a message; before its head is complete, the one that the head will belong to.
static uint32_t tx_id_of(const struct http_conn *c, enum dir dir)
{
	if (c->msg[dir].tx != NULL)
		return c->msg[dir].tx->event.tx_id;
	return dir == DIR_TO_CLIENT && c->first != NULL ? c->first->event.tx_id : c->next_tx_id;
}

static struct detect_msg msg_of(const struct conn_ctx *x, struct flow *f, enum dir dir)
{
	struct http_msg *msg = &f->http->msg[dir];
	uint16_t seen = f->flags & (FLOW_SEEN_0 | FLOW_SEEN_1);

	return (struct detect_msg){
		.flow = f,
		.ts_ns = x->ts_ns,
		.tx_id = tx_id_of(f->http, dir),
		.dir = (uint8_t)dir,
		.app = f->app,
		.hit_flags = (uint16_t)(((f->flags & FLOW_MIDSTREAM) != 0 ? HIT_MIDSTREAM : 0) |
					(seen != (FLOW_SEEN_0 | FLOW_SEEN_1) ? HIT_ONEWAY : 0) |
					(msg->gap ? HIT_GAP : 0)),
		.ret_hit = msg->tx != NULL ? &msg->tx->has_hit : NULL,
		.bits = &f->http->bits,
	};
}

void conn_emit(struct conn_ctx *x, const struct flow *f, enum dir dir, struct event *e)
{
	struct event *slot = ring_slot(x->events);

	if (slot == NULL) {
		x->counters->v[CNT_EVENTS_LOST]++;
		return;
	}
	e->ts_ns = x->ts_ns;
	e->flow_id = f->id;
	e->app = f->app;
	flow_addr(f, dir, &e->addr);
	e->addr.worker = x->worker;
	*slot = *e;
	ring_push(x->events);
	x->counters->v[CNT_EVENTS]++;
}

struct http_conn *conn_new(struct conn_ctx *x)
{
	struct http_conn *c = pool_get(&x->conns);

	if (c == NULL) {
		x->counters->v[CNT_HTTP_NO_CONN]++;
		return NULL;
	}
	memset(c, 0, sizeof(*c));
	http_half_init(&c->half[0]);
	http_half_init(&c->half[1]);
	return c;
}

// ---- transactions ----

static size_t text_set(char *out, size_t size, struct span s, uint16_t *io_flags)
{
	size_t n = s.len;

	if (n > size) {
		n = size;
		*io_flags |= EVENT_CUT;
	}
	if (n > 0)
		memcpy(out, s.data, n);
	return n;
}

static struct http_tx *tx_new(struct conn_ctx *x, struct http_conn *c)
{
	struct http_tx *tx = pool_get(&x->txs);

	if (tx == NULL) {
		x->counters->v[CNT_HTTP_NO_MESSAGE]++;
		c->next_tx_id++;
		return NULL;
	}
	memset(tx, 0, sizeof(*tx));
	tx->event.type = EVENT_HTTP;
	tx->event.tx_id = c->next_tx_id++;
	return tx;
}

// Both messages have ended: report and free.
static void tx_finish(struct conn_ctx *x, const struct flow *f, struct http_tx *tx)
{
	struct event *e = &tx->event;

	x->counters->v[CNT_HTTP_TRANSACTIONS]++;
	if (tx->has_hit)
		e->flags |= EVENT_HAS_HIT;
	if (e->http.status == 0)
		e->flags |= EVENT_NO_RESPONSE;
	if (tx->has_hit || (x->event_mask & (1u << EVENT_HTTP)) != 0)
		conn_emit(x, f, DIR_TO_SERVER, e);
	pool_put(&x->txs, tx);
}

static struct http_tx *tx_pop(struct http_conn *c)
{
	struct http_tx *tx = c->first;

	c->first = tx->next;
	if (c->first == NULL)
		c->last = NULL;
	c->n_queued--;
	tx->queued = false;
	return tx;
}

static struct http_tx *request_tx(struct conn_ctx *x, struct http_conn *c,
				  const struct http_head *h)
{
	struct http_tx *tx = tx_new(x, c);
	struct event_http *e;
	struct span authority = uri_authority(h->target);

	if (tx == NULL)
		return NULL;
	if (span_eq_nocase(h->method, SPAN_LIT("HEAD")))
		tx->answers = HTTP_ANSWERS_HEAD;
	else if (span_eq_nocase(h->method, SPAN_LIT("CONNECT")))
		tx->answers = HTTP_ANSWERS_CONNECT;
	e = &tx->event.http;
	e->version = h->version;
	e->method_len =
		(uint8_t)text_set(e->method, sizeof(e->method), h->method, &tx->event.flags);
	e->host_len = (uint8_t)text_set(e->host, sizeof(e->host),
					authority.len > 0 ? authority : h->host, &tx->event.flags);
	e->url_len = (uint16_t)text_set(e->url, sizeof(e->url), h->target, &tx->event.flags);
	e->user_agent_len = (uint8_t)text_set(e->user_agent, sizeof(e->user_agent), h->user_agent,
					      &tx->event.flags);
	e->referer_len =
		(uint16_t)text_set(e->referer, sizeof(e->referer), h->referer, &tx->event.flags);
	if (c->n_queued >= CONN_PIPELINE_MAX) {
		x->counters->v[CNT_HTTP_PIPELINE_FULL]++;
		tx->response_done = true; // it will not be found
		return tx;
	}
	tx->queued = true;
	if (c->last != NULL)
		c->last->next = tx;
	else
		c->first = tx;
	c->last = tx;
	c->n_queued++;
	return tx;
}

static struct http_tx *response_tx(struct conn_ctx *x, struct http_conn *c,
				   const struct http_head *h)
{
	struct http_tx *tx = c->first;
	struct event_http *e;

	if (tx == NULL) {
		x->counters->v[CNT_HTTP_NO_REQUEST]++;
		tx = tx_new(x, c);
		if (tx == NULL)
			return NULL;
		tx->event.flags |= EVENT_NO_REQUEST;
		tx->event.http.version = h->version;
		tx->request_done = true;
	}
	e = &tx->event.http;
	if (h->status / 100 != 1 || h->status == 101)
		e->status = h->status;
	e->content_type_len = (uint8_t)text_set(e->content_type, sizeof(e->content_type),
						h->content_type, &tx->event.flags);
	return tx;
}

// ---- bodies ----

static void decoders_drop(struct conn_ctx *x, struct http_msg *msg)
{
	for (int i = 0; i < HTTP_CODINGS_MAX; i++) {
		if (msg->decoder[i] != NULL)
			pool_put(&x->decoders, msg->decoder[i]);
		msg->decoder[i] = NULL;
	}
}

static void decoders_start(struct conn_ctx *x, struct http_msg *msg, const struct http_head *h)
{
	for (int i = 0; i < h->n_codings; i++) {
		if (h->codings[i] == HTTP_CODING_OTHER) {
			x->counters->v[CNT_DECODE_UNSUPPORTED]++;
			return; // what is inside it stays encoded, too
		}
		msg->decoder[i] = pool_get(&x->decoders);
		if (msg->decoder[i] == NULL) {
			x->counters->v[CNT_DECODE_NO_STATE]++;
			msg->truncated = true;
			return;
		}
		decode_init(msg->decoder[i], h->codings[i]);
		x->counters->v[CNT_DECODE_STARTED]++;
	}
}

// Decoded bytes of a body, for rules and hashes.
static void body_out(struct conn_ctx *x, struct flow *f, enum dir dir, struct span data)
{
	struct http_msg *msg = &f->http->msg[dir];

	x->counters->v[CNT_HTTP_DECODED_BYTES] += data.len;
	msg->file_bytes += data.len;
	if (msg->hash != NULL)
		EVP_DigestUpdate(msg->hash, data.data, data.len);
	if (msg->inspect != NULL) {
		struct detect_msg m = msg_of(x, f, dir);

		detect_data(x->detect, msg->inspect, &m, DETECT_BODY, data);
	}
}

// Decoding has failed: hits in what follows say so.
static void decode_check(struct http_msg *msg, const struct decoder *d)
{
	if (d->state != DECODE_FAILED || msg->truncated)
		return;
	msg->truncated = true;
	if (msg->inspect != NULL)
		msg->inspect->flags |= INSPECT_TRUNCATED;
}

// Undo coding number i and those after it. Depth is HTTP_CODINGS_MAX at most.
static void body_decode(struct conn_ctx *x, struct flow *f, enum dir dir, int i, struct span data)
{
	struct http_msg *msg = &f->http->msg[dir];
	struct span out;

	if (i == HTTP_CODINGS_MAX || msg->decoder[i] == NULL) {
		body_out(x, f, dir, data);
		return;
	}
	while (decode_next(msg->decoder[i], &data, x->decoded[i], &out, x->counters) == 1) {
		decode_check(msg, msg->decoder[i]);
		body_decode(x, f, dir, i + 1, out);
	}
	decode_check(msg, msg->decoder[i]);
}

static void body_rest(struct conn_ctx *x, struct flow *f, enum dir dir)
{
	struct http_msg *msg = &f->http->msg[dir];

	for (int i = 0; i < HTTP_CODINGS_MAX && msg->decoder[i] != NULL; i++) {
		struct span rest = decode_rest(msg->decoder[i]);

		if (rest.len > 0) {
			memcpy(x->decoded[i], rest.data, rest.len); // padded
			body_decode(x, f, dir, i + 1, span_of(x->decoded[i], rest.len));
		}
	}
}

static void on_body(struct conn_ctx *x, struct flow *f, enum dir dir, struct span data)
{
	struct http_msg *msg = &f->http->msg[dir];

	x->counters->v[CNT_HTTP_BODY_BYTES] += data.len;
	msg->body_bytes += data.len;
	if (msg->hash == NULL && (msg->inspect == NULL || !detect_needs(msg->inspect, DETECT_BODY)))
		return; // no loaded rule can look at it
	body_decode(x, f, dir, 0, data);
}

static void hash_start(struct conn_ctx *x, struct http_msg *msg)
{
	if (x->n_hashes == 0)
		return;
	msg->hash = x->hashes[--x->n_hashes];
	EVP_DigestInit_ex2(msg->hash, NULL, NULL); // SHA-256, set when the context was made
}

static void fileinfo_emit(struct conn_ctx *x, struct flow *f, enum dir dir)
{
	struct http_msg *msg = &f->http->msg[dir];
	struct event e = {.type = EVENT_FILEINFO};
	struct span name = SPAN_NONE;

	if (msg->tx != NULL) {
		const struct event_http *h = &msg->tx->event.http;
		const void *query;

		name = span_of(h->url, h->url_len);
		query = memchr(h->url, '?', h->url_len);
		if (query != NULL)
			name.len = (size_t)((const char *)query - h->url);
		e.tx_id = msg->tx->event.tx_id;
		if (msg->tx->has_hit)
			e.flags |= EVENT_HAS_HIT;
	}
	e.flags |= (msg->gap ? EVENT_GAP : 0) | (msg->truncated ? EVENT_TRUNCATED : 0);
	e.fileinfo.size_bytes = msg->file_bytes;
	e.fileinfo.filename_len = (uint16_t)text_set(e.fileinfo.filename,
						     sizeof(e.fileinfo.filename), name, &e.flags);
	if (msg->hash != NULL) {
		EVP_DigestFinal_ex(msg->hash, e.fileinfo.sha256, NULL);
		e.flags |= EVENT_HAS_HASH;
	}
	conn_emit(x, f, dir, &e);
}

// ---- messages ----

static void on_head(struct conn_ctx *x, struct flow *f, enum dir dir, const struct http_head *h)
{
	struct http_conn *c = f->http;
	struct http_msg *msg = &c->msg[dir];
	bool has_body = h->framing == HTTP_FRAMING_LENGTH || h->framing == HTTP_FRAMING_CHUNKED ||
			h->framing == HTTP_FRAMING_CLOSE;
	enum http_answers answers = HTTP_ANSWERS_OTHER;
	struct detect_msg m;

	x->counters->v[dir == DIR_TO_SERVER ? CNT_HTTP_REQUESTS : CNT_HTTP_RESPONSES]++;
	if (dir == DIR_TO_CLIENT && c->first != NULL)
		answers = c->first->answers;
	msg->tx = dir == DIR_TO_SERVER ? request_tx(x, c, h) : response_tx(x, c, h);
	msg->status = h->status;
	msg->in_body = has_body;
	msg->body_bytes = msg->file_bytes = 0;
	if (msg->inspect == NULL)
		msg->inspect = detect_begin(x->detect, dir);
	if (msg->inspect != NULL) {
		if (msg->tx != NULL && (msg->inspect->flags & INSPECT_HAS_HIT) != 0)
			msg->tx->has_hit = true;
		m = msg_of(x, f, dir);
		detect_head(x->detect, msg->inspect, &m, h, answers, has_body);
	}
	if (has_body && (x->event_mask & (1u << EVENT_FILEINFO)) != 0)
		hash_start(x, msg);
	if (has_body && (msg->hash != NULL ||
			 (msg->inspect != NULL && detect_needs(msg->inspect, DETECT_BODY))))
		decoders_start(x, msg, h);
}

// The transaction side of a message's end.
static void tx_message_end(struct conn_ctx *x, struct flow *f, enum dir dir)
{
	struct http_conn *c = f->http;
	struct http_msg *msg = &c->msg[dir];
	struct http_tx *tx = msg->tx;

	msg->tx = NULL;
	if (tx == NULL)
		return;
	if (msg->gap)
		tx->event.flags |= EVENT_GAP;
	if (msg->truncated)
		tx->event.flags |= EVENT_TRUNCATED;
	if (dir == DIR_TO_SERVER) {
		tx->event.http.request_body_bytes = msg->body_bytes;
		tx->request_done = true;
	} else {
		tx->event.http.response_body_bytes = msg->body_bytes;
		if (msg->status / 100 == 1 && msg->status != 101 && tx->queued)
			return; // interim: the final response follows
		tx->response_done = true;
		if (tx->queued)
			tx_pop(c);
	}
	if (tx->request_done && tx->response_done)
		tx_finish(x, f, tx);
}

static void msg_end(struct conn_ctx *x, struct flow *f, enum dir dir, bool truncated)
{
	struct http_msg *msg = &f->http->msg[dir];

	msg->truncated |= truncated;
	body_rest(x, f, dir);
	decoders_drop(x, msg);
	if (msg->inspect != NULL) {
		struct detect_msg m = msg_of(x, f, dir);

		if (truncated)
			msg->inspect->flags |= INSPECT_TRUNCATED;
		detect_end(x->detect, msg->inspect, &m);
		msg->inspect = NULL;
	}
	if (msg->in_body && msg->body_bytes > 0 && (x->event_mask & (1u << EVENT_FILEINFO)) != 0)
		fileinfo_emit(x, f, dir);
	if (msg->hash != NULL)
		x->hashes[x->n_hashes++] = msg->hash;
	tx_message_end(x, f, dir);
	memset(msg, 0, sizeof(*msg));
}

// Bytes as sent, for rules on the raw stream of a message.
static void raw_feed(struct conn_ctx *x, struct flow *f, enum dir dir, struct span data)
{
	struct http_msg *msg = &f->http->msg[dir];
	struct detect_msg m;

	if (data.len == 0)
		return;
	if (msg->inspect == NULL) {
		if (!detect_wants(x->detect, dir, DETECT_RAW))
			return;
		msg->inspect = detect_begin(x->detect, dir);
		if (msg->inspect == NULL)
			return;
	}
	if (!detect_needs(msg->inspect, DETECT_RAW))
		return;
	m = msg_of(x, f, dir);
	detect_data(x->detect, msg->inspect, &m, DETECT_RAW, data);
}

static void on_gap(struct conn_ctx *x, struct flow *f, enum dir dir, uint64_t gap_bytes)
{
	struct http_conn *c = f->http;
	struct http_msg *msg = &c->msg[dir];
	bool end, in_body = http_gap(&c->half[dir], x->parser, gap_bytes, &end);
	struct detect_msg m;

	msg->gap = true;
	m = msg_of(x, f, dir);
	if (msg->inspect != NULL) {
		if (detect_needs(msg->inspect, DETECT_RAW))
			detect_gap(x->detect, msg->inspect, &m, DETECT_RAW, gap_bytes);
		if (in_body && msg->decoder[0] == NULL)
			detect_gap(x->detect, msg->inspect, &m, DETECT_BODY, gap_bytes);
		msg->inspect->flags |= INSPECT_GAP;
	}
	// A decoder cannot go on behind missing bytes: what follows is scanned as sent.
	for (int i = 0; in_body && i < HTTP_CODINGS_MAX; i++)
		if (msg->decoder[i] != NULL)
			msg->decoder[i]->state = DECODE_FAILED;
	if (end)
		msg_end(x, f, dir, true);
}

bool conn_run(struct conn_ctx *x, struct flow *f, enum dir dir, const struct tcp_run *run)
{
	struct http_conn *c = f->http;
	struct span in = run->data;
	const uint8_t *raw_from = in.data;
	const uint8_t *end = in.data != NULL ? in.data + in.len : NULL;
	struct http_event ev;
	enum http_answers answers;

	// A tripwire: nobody hands bytes of a released flow on, and should somebody ever do, this shows it.
	if (f->app != APP_HTTP && f->app != APP_FAILED) {
		x->counters->v[CNT_APP_READ_AFTER_RELEASE] += run->data.len;
		return false;
	}
	if (run->gap_bytes > 0)
		on_gap(x, f, dir, run->gap_bytes);
	for (;;) {
		answers = dir == DIR_TO_CLIENT && c->first != NULL ? c->first->answers
								   : HTTP_ANSWERS_OTHER;
		if (http_next(&c->half[dir], x->parser, dir, answers, &in, run->fin, &ev) == 0)
			break;
		switch (ev.kind) {
		case HTTP_EV_HEAD:
			on_head(x, f, dir, ev.head);
			break;
		case HTTP_EV_BODY:
			on_body(x, f, dir, ev.data);
			break;
		case HTTP_EV_END:
			if (in.len > 0 || raw_from != end) {
				const uint8_t *to = in.len > 0 ? in.data : end;

				raw_feed(x, f, dir, span_of(raw_from, (size_t)(to - raw_from)));
				raw_from = to;
			}
			msg_end(x, f, dir, ev.truncated);
			break;
		case HTTP_EV_RAW:
			f->app = APP_FAILED; // still scanned, by raw rules
			break;
		case HTTP_EV_UPGRADED:
			return false;
		}
	}
	raw_feed(x, f, dir, span_of(raw_from, (size_t)(end - raw_from)));
	if (run->fin && c->msg[dir].inspect != NULL)
		msg_end(x, f, dir, true);
	return true;
}

static void msg_drop(struct conn_ctx *x, struct http_conn *c, enum dir dir)
{
	struct http_msg *msg = &c->msg[dir];

	decoders_drop(x, msg);
	if (msg->inspect != NULL)
		detect_abort(x->detect, msg->inspect);
	if (msg->hash != NULL)
		x->hashes[x->n_hashes++] = msg->hash;
}

void conn_close(struct conn_ctx *x, struct flow *f, bool decide)
{
	struct http_conn *c = f->http;
	const struct tcp_run fin = {.fin = true};

	for (int dir = 0; dir < DIR_N; dir++) {
		struct http_tx *tx;

		if (decide)
			conn_run(x, f, dir, &fin);
		tx = c->msg[dir].tx;
		msg_drop(x, c, dir);
		memset(&c->msg[dir], 0, sizeof(c->msg[dir]));
		http_half_done(&c->half[dir], x->parser);
		// A transaction out of the list is held by its request alone, or by a response without one.
		if (tx != NULL && !tx->queued && c->msg[!dir].tx != tx)
			tx_finish(x, f, tx);
	}
	while (c->first != NULL)
		tx_finish(x, f, tx_pop(c));
	if (c->bits != NULL)
		pool_put(x->detect->flowbits, c->bits);
	pool_put(&x->conns, c);
	f->http = NULL;
}

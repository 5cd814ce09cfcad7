// SPDX-License-Identifier: BSD-2-Clause
// What a host may read instead: bytes beside the connection's own reading, and the events that say so.
//
// Nothing here changes the state of the connection's own parser. There are two readings of a direction at most, and what is
// scanned a second time is bounded per flow.
#include "dataplane/engine/conn_impl.h"

#include <string.h>

#include "dataplane/engine/app.h"

void conn_anomaly(struct conn_ctx *x, struct flow *f, enum dir dir, enum counter c)
{
	x->counters->v[c]++;
	anomaly_tell(x, f, dir, c);
}

void anomaly_tell(struct conn_ctx *x, struct flow *f, enum dir dir, enum counter c)
{
	struct event e = {.type = EVENT_ANOMALY, .anomaly = {.counter = (uint32_t)c}};
	int i = 0;

	if ((x->event_mask & (1u << EVENT_ANOMALY)) == 0)
		return;
	while (i < FLOW_ANOMALIES && f->anomalies[i] != 0 && f->anomalies[i] != c + 1)
		i++;
	if (i == FLOW_ANOMALIES || f->anomalies[i] != 0)
		return;
	f->anomalies[i] = (uint16_t)(c + 1);
	if (f->http != NULL)
		e.tx_id = conn_tx_id(f->http, dir);
	conn_emit(x, f, dir, &e);
}

static struct detect_msg alt_msg(const struct conn_ctx *x, struct flow *f, enum dir dir)
{
	struct detect_msg m = conn_msg(x, f, dir);

	m.hit_flags |= HIT_AMBIGUOUS;
	return m;
}

// Data as far as the flow's budget goes.
static struct span alt_take(struct conn_ctx *x, struct flow *f, struct span data)
{
	struct http_conn *c = f->http;

	if (data.len > CONN_ALT_BYTES_MAX - c->alt_bytes) {
		x->counters->v[CNT_HTTP_ALT_LIMIT]++;
		data.len = CONN_ALT_BYTES_MAX - c->alt_bytes;
	}
	c->alt_bytes += (uint32_t)data.len;
	x->counters->v[CNT_HTTP_ALT_BYTES] += data.len;
	return data;
}

// Does a message of this direction begin here?
static bool begins_message(struct span data, enum dir dir)
{
	enum app_side side;

	return app_detect(data, &side) == APP_HTTP &&
	       side == (dir == DIR_TO_SERVER ? APP_SIDE_CLIENT : APP_SIDE_SERVER);
}

static void scan(struct conn_ctx *x, struct inspect *in, const struct detect_msg *m,
		 enum detect_stream s, struct span data)
{
	if (detect_needs(in, s))
		detect_data(x->detect, in, m, s, data);
}

// As a body, and as the file that it may be.
static void scan_body(struct conn_ctx *x, struct inspect *in, const struct detect_msg *m,
		      struct span data)
{
	scan(x, in, m, DETECT_BODY, data);
	scan(x, in, m, DETECT_FILE, data);
}

static void inspect_end(struct conn_ctx *x, struct inspect **io_in, const struct detect_msg *m,
			bool decide)
{
	if (*io_in != NULL && decide)
		detect_end(x->detect, *io_in, m);
	else if (*io_in != NULL)
		detect_abort(x->detect, *io_in);
	*io_in = NULL;
}

// ---- bodies of other readings ----

// The head of a message of r says that its body is encoded.
static void encoded_begin(struct conn_ctx *x, struct reading *r, const struct http_head *h)
{
	if (h->n_codings == 0 || r->inspect == NULL || r->decode != NULL ||
	    (!detect_needs(r->inspect, DETECT_BODY) && !detect_needs(r->inspect, DETECT_FILE)))
		return;
	r->decode = pool_get(&x->alt_decodes);
	if (r->decode == NULL) {
		x->counters->v[CNT_HTTP_ALT_LIMIT]++;
		return;
	}
	*r->decode = (struct alt_decode){.free = DECODE_FREE_BYTES};
	decode_begin(&x->decode, &r->decode->body, h->codings, h->n_codings, &r->decode->free);
}

// What the decoders have to say, as far as the flow's budget goes.
static void encoded_scan(struct conn_ctx *x, struct flow *f, struct reading *r,
			 const struct detect_msg *m)
{
	struct span out;

	while (decode_next(&x->decode, &r->decode->body, &out) == 1) {
		if (r->decode->body.as_is)
			r->inspect->flags |= INSPECT_TRUNCATED;
		out = alt_take(x, f, out);
		if (out.len > 0)
			scan_body(x, r->inspect, m, out);
	}
}

static void reading_body(struct conn_ctx *x, struct flow *f, struct reading *r,
			 const struct detect_msg *m, struct span data)
{
	if (r->inspect == NULL)
		return;
	if (r->decode == NULL) {
		scan_body(x, r->inspect, m, data);
		return;
	}
	decode_feed(&r->decode->body, data);
	encoded_scan(x, f, r, m);
}

// decide: what the decoders still hold is looked at.
static void encoded_end(struct conn_ctx *x, struct flow *f, struct reading *r,
			const struct detect_msg *m, bool decide)
{
	if (r->decode == NULL)
		return;
	if (decide && r->inspect != NULL) {
		decode_end(&r->decode->body);
		encoded_scan(x, f, r, m);
	}
	decode_done(&x->decode, &r->decode->body);
	pool_put(&x->alt_decodes, r->decode);
	r->decode = NULL;
}

// ---- the other reading ----

void reading_begin(struct conn_ctx *x, struct flow *f, enum dir dir, const struct http_head *h)
{
	struct reading *r = &f->http->other[dir];
	const struct http_msg *msg = &f->http->msg[dir];
	struct detect_msg m = alt_msg(x, f, dir);

	if (h->other_framing == HTTP_FRAMING_N || r->on || msg->inspect == NULL)
		return;
	r->inspect = detect_fork(x->detect, msg->inspect, &m);
	if (r->inspect == NULL) {
		x->counters->v[CNT_HTTP_ALT_LIMIT]++;
		return;
	}
	encoded_begin(x, r, h);
	http_half_other(&r->half, h);
	r->tx_id = m.tx_id;
	r->on = true;
	r->beside_chunks =
		h->framing == HTTP_FRAMING_CHUNKED && h->other_framing == HTTP_FRAMING_CLOSE;
}

void reading_end(struct conn_ctx *x, struct flow *f, enum dir dir, bool decide)
{
	struct reading *r = &f->http->other[dir];
	struct detect_msg m = alt_msg(x, f, dir);

	m.tx_id = r->tx_id;
	encoded_end(x, f, r, &m, decide);
	inspect_end(x, &r->inspect, &m, decide);
	http_half_done(&r->half, x->parser);
	r->on = false;
}

// A message of a reading has ended. Chunks that were in order to the last are what nearly every receiver read: beside them
// the end of the stream is the end of no body, and says nothing of what stands there or does not.
static void reading_decide(struct conn_ctx *x, struct reading *r, const struct detect_msg *m)
{
	if (r->beside_chunks && r->inspect != NULL)
		detect_settle(x->detect, r->inspect, m);
	inspect_end(x, &r->inspect, m, !r->beside_chunks);
	r->beside_chunks = false;
}

// The bytes as sent of a reading's message. Those of the connection's own are cut elsewhere.
static void raw_scan(struct conn_ctx *x, const struct reading *r, const struct detect_msg *m,
		     const uint8_t *from, const uint8_t *to)
{
	if (r->inspect != NULL && to != from)
		scan(x, r->inspect, m, DETECT_RAW, span_of(from, (size_t)(to - from)));
}

// What a reading says of data. Returns false when it has come to one of the ends, or to a tunnel.
static bool reading_next(struct conn_ctx *x, struct flow *f, enum dir dir, struct reading *r,
			 struct span *io_in, bool fin, const struct alt_ends *ends)
{
	struct detect_msg m = alt_msg(x, f, dir);
	const uint8_t *raw_from = io_in->data;
	const uint8_t *end = raw_from != NULL ? raw_from + io_in->len : NULL;
	struct http_event ev;

	m.tx_id = r->tx_id;
	x->alt_parser.gathers = x->parser->gathers;
	x->alt_parser.counters = &x->alt_counters;
	while (http_next(&r->half, &x->alt_parser, dir, HTTP_ANSWERS_OTHER, io_in, fin, &ev) == 1) {
		const uint8_t *at = io_in->len > 0 ? io_in->data : end;

		switch (ev.kind) {
		case HTTP_EV_HEAD:
			r->inspect = detect_begin(x->detect, dir);
			if (r->inspect != NULL)
				detect_head(x->detect, r->inspect, &m, ev.head, HTTP_ANSWERS_OTHER,
					    true);
			encoded_begin(x, r, ev.head);
			break;
		case HTTP_EV_BODY:
			reading_body(x, f, r, &m, ev.data);
			break;
		case HTTP_EV_END:
			raw_scan(x, r, &m, raw_from, at);
			raw_from = at;
			encoded_end(x, f, r, &m, true);
			reading_decide(x, r, &m);
			m.tx_id = ++r->tx_id;
			for (unsigned int i = 0; ends != NULL && i < ends->n; i++)
				if (ends->at[i] == at)
					return false;
			break;
		case HTTP_EV_RAW:
			break; // scanned as such already
		case HTTP_EV_UPGRADED:
			return false;
		}
	}
	raw_scan(x, r, &m, raw_from, end);
	return true;
}

void reading_run(struct conn_ctx *x, struct flow *f, enum dir dir, struct span data, bool fin,
		 const struct alt_ends *ends)
{
	struct reading *r = &f->http->other[dir];
	struct span in;

	if (!r->on)
		return;
	in = alt_take(x, f, data);
	if (!reading_next(x, f, dir, r, &in, fin, ends) || fin ||
	    f->http->alt_bytes == CONN_ALT_BYTES_MAX)
		reading_end(x, f, dir, true);
}

void reading_gap(struct conn_ctx *x, struct flow *f, enum dir dir, uint64_t gap_bytes)
{
	struct reading *r = &f->http->other[dir];
	struct detect_msg m = alt_msg(x, f, dir);
	bool ends;

	if (!r->on)
		return;
	if (!http_gap(&r->half, &x->alt_parser, gap_bytes, &ends) || r->inspect == NULL) {
		reading_end(x, f, dir, true);
		return;
	}
	if (r->decode != NULL)
		decode_gap(&r->decode->body);
	for (int s = 0; s < DETECT_RAW; s++)
		if (r->decode == NULL && detect_needs(r->inspect, s))
			detect_gap(x->detect, r->inspect, &m, s, gap_bytes);
}

// ---- bytes beside the stream ----

// The messages in data, each for itself.
static void messages_scan(struct conn_ctx *x, struct flow *f, enum dir dir, struct span data)
{
	struct reading r = {0};
	struct detect_msg m = alt_msg(x, f, dir);

	http_half_init(&r.half);
	reading_next(x, f, dir, &r, &data, true, NULL);
	encoded_end(x, f, &r, &m, true);
	inspect_end(x, &r.inspect, &m, true);
	http_half_done(&r.half, x->parser);
}

// What is scanned beside the message in progress; NULL: no room, counted.
static struct inspect *alt_inspect(struct conn_ctx *x, struct flow *f, enum dir dir)
{
	struct http_msg *msg = &f->http->msg[dir];
	struct detect_msg m = alt_msg(x, f, dir);

	if (msg->alt == NULL)
		msg->alt = msg->inspect != NULL ? detect_fork(x->detect, msg->inspect, &m)
						: detect_begin(x->detect, dir);
	if (msg->alt == NULL)
		x->counters->v[CNT_HTTP_ALT_LIMIT]++;
	return msg->alt;
}

void alt_body(struct conn_ctx *x, struct flow *f, enum dir dir, struct span data)
{
	struct detect_msg m;

	if (!detect_wants(x->detect, dir, DETECT_BODY) &&
	    !detect_wants(x->detect, dir, DETECT_FILE))
		return;
	data = alt_take(x, f, data);
	if (data.len == 0 || alt_inspect(x, f, dir) == NULL)
		return;
	m = alt_msg(x, f, dir);
	scan_body(x, f->http->msg[dir].alt, &m, data);
}

// What of data may be body: with a head in progress only what stands behind an empty line.
static struct span body_in(const struct http_half *h, struct span data)
{
	const uint8_t *lf = data.data;

	if (h->state != HTTP_HEAD)
		return data;
	while ((lf = memchr(lf, '\n', data.len - (size_t)(lf - data.data))) != NULL) {
		size_t n = (size_t)(++lf - data.data);

		n += n < data.len && data.data[n] == '\r';
		if (n < data.len && data.data[n] == '\n')
			return span_from(data, n + 1);
	}
	return SPAN_NONE;
}

void conn_alt(struct conn_ctx *x, struct flow *f, enum dir dir, struct span data)
{
	struct detect_msg m;
	struct inspect *alt;

	if (f->http == NULL || (f->app != APP_HTTP && f->app != APP_FAILED) ||
	    x->detect->rs == NULL)
		return;
	data = alt_take(x, f, data);
	if (data.len == 0)
		return;
	alt = alt_inspect(x, f, dir);
	if (alt == NULL)
		return;
	m = alt_msg(x, f, dir);
	scan(x, alt, &m, DETECT_RAW, data);
	scan_body(x, alt, &m, body_in(&f->http->half[dir], data));
	if (begins_message(data, dir))
		messages_scan(x, f, dir, data);
}

void alt_end(struct conn_ctx *x, struct flow *f, enum dir dir, bool decide)
{
	struct detect_msg m = alt_msg(x, f, dir);
	struct inspect *alt = f->http->msg[dir].alt;

	// Pieces beside a message: what stands in them is told. That they end here, or what they lack, says nothing.
	if (alt != NULL && decide)
		detect_settle(x->detect, alt, &m);
	inspect_end(x, &f->http->msg[dir].alt, &m, false);
}

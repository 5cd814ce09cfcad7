// SPDX-License-Identifier: BSD-2-Clause
// From a run of stream bytes to detection: HTTP events are pulled, and messages begin, go on and end.
#include "dataplane/engine/conn_impl.h"

#include <string.h>

uint32_t conn_tx_id(const struct http_conn *c, enum dir dir)
{
	if (c->msg[dir].tx != NULL)
		return c->msg[dir].tx->event.tx_id;
	return dir == DIR_TO_CLIENT && c->first != NULL ? c->first->event.tx_id : c->next_tx_id;
}

struct detect_msg conn_msg(const struct conn_ctx *x, struct flow *f, enum dir dir)
{
	struct http_msg *msg = &f->http->msg[dir];
	uint16_t seen = f->flags & (FLOW_SEEN_0 | FLOW_SEEN_1);

	return (struct detect_msg){
		.flow = f,
		.ts_ns = x->ts_ns,
		.tx_id = conn_tx_id(f->http, dir),
		.dir = (uint8_t)dir,
		.app = f->app,
		.http2 = f->http->h2 != NULL,
		.websocket = f->http->ws != NULL && f->http->msg == f->http->ws->msg,
		.hit_flags = (uint16_t)(((f->flags & FLOW_MIDSTREAM) != 0 ? HIT_MIDSTREAM : 0) |
					(seen != (FLOW_SEEN_0 | FLOW_SEEN_1) ? HIT_ONEWAY : 0) |
					(msg->gap ? HIT_GAP : 0) |
					(f->http->half[dir].unsure ? HIT_AMBIGUOUS : 0)),
		.ret_hit = msg->tx != NULL ? &msg->tx->has_hit : NULL,
		.vars = &f->http->vars,
	};
}

struct http_conn *conn_new(struct conn_ctx *x, bool midstream)
{
	struct http_conn *c = pool_get(&x->conns);

	if (c == NULL) {
		x->counters->v[CNT_HTTP_NO_CONN]++;
		return NULL;
	}
	memset(c, 0, sizeof(*c));
	c->msg = c->own_msg;
	c->decode_free = DECODE_FLOW_BYTES;
	http_half_init(&c->half[0]);
	http_half_init(&c->half[1]);
	c->half[0].joined = c->half[1].joined = midstream;
	return c;
}

// ---- messages ----

void msg_head(struct conn_ctx *x, struct flow *f, enum dir dir, const struct http_head *h)
{
	struct http_conn *c = f->http;
	struct http_msg *msg = &c->msg[dir];
	bool has_body = h->framing == HTTP_FRAMING_LENGTH || h->framing == HTTP_FRAMING_CHUNKED ||
			h->framing == HTTP_FRAMING_CLOSE || h->framing == HTTP_FRAMING_UNEXPECTED;
	enum http_answers answers = HTTP_ANSWERS_OTHER;
	struct detect_msg m;

	x->counters->v[dir == DIR_TO_SERVER ? CNT_HTTP_REQUESTS : CNT_HTTP_RESPONSES]++;
	seam_turn(f, dir);
	if (dir == DIR_TO_CLIENT && c->first != NULL)
		answers = c->first->answers;
	// Few clients ask again before they were answered: the answers to what they asked before lie in what is missing.
	if (dir == DIR_TO_SERVER && c->h2 == NULL && http_is_lost(&c->half[DIR_TO_CLIENT]))
		tx_give_up(x, f);
	msg->tx = dir == DIR_TO_SERVER ? tx_of_request(x, c, h) : tx_of_response(x, c, h);
	msg->status = h->status;
	msg->absent_head = h->absent;
	msg->in_body = has_body;
	msg->body_bytes = 0;
	if (msg->inspect == NULL)
		msg->inspect = detect_begin(x->detect, dir);
	if (msg->inspect != NULL) {
		if (msg->tx != NULL && (msg->inspect->flags & INSPECT_HAS_HIT) != 0)
			msg->tx->has_hit = true;
		m = conn_msg(x, f, dir);
		detect_head(x->detect, msg->inspect, &m, h, answers, has_body);
	}
	if (has_body)
		body_begin(x, f, dir, h);
	f->app = APP_HTTP; // again, maybe
	reading_begin(x, f, dir, h);
}

void msg_end(struct conn_ctx *x, struct flow *f, enum dir dir, bool truncated)
{
	struct http_msg *msg = &f->http->msg[dir];

	msg->truncated |= truncated;
	if (truncated || !f->http->half[dir].chunked)
		f->http->other[dir].beside_chunks = false;
	body_end(x, f, dir);
	if (msg == &f->http->own_msg[dir])
		seam_end(x, f, dir);
	if (msg->inspect != NULL) {
		struct detect_msg m = conn_msg(x, f, dir);

		if (truncated)
			msg->inspect->flags |= INSPECT_TRUNCATED;
		detect_end(x->detect, msg->inspect, &m);
		msg->inspect = NULL;
	}
	body_drop(x, msg);
	alt_end(x, f, dir, true);
	tx_message_end(x, f, dir);
	memset(msg, 0, sizeof(*msg));
}

// A segment, for rules on single ones.
static void packet_feed(struct conn_ctx *x, struct flow *f, enum dir dir, struct span data)
{
	struct http_msg *msg = &f->http->msg[dir];
	struct detect_msg m;

	if (data.len == 0 || msg->skipped || !detect_wants_packets(x->detect, dir))
		return;
	if (msg->inspect == NULL)
		msg->inspect = detect_begin(x->detect, dir);
	if (msg->inspect == NULL)
		return;
	m = conn_msg(x, f, dir);
	detect_packet(x->detect, msg->inspect, &m, data);
}

void msg_raw(struct conn_ctx *x, struct flow *f, enum dir dir, struct span data)
{
	struct http_msg *msg = &f->http->msg[dir];
	struct detect_msg m;

	if (data.len == 0 || msg->skipped)
		return;
	if (msg->inspect == NULL) {
		if (!detect_wants(x->detect, dir, DETECT_RAW))
			return;
		msg->inspect = detect_begin(x->detect, dir);
		if (msg->inspect == NULL)
			return;
	}
	if (msg == &f->http->own_msg[dir])
		seam_raw(x, f, dir, data);
	if (!detect_needs(msg->inspect, DETECT_RAW))
		return;
	m = conn_msg(x, f, dir);
	detect_data(x->detect, msg->inspect, &m, DETECT_RAW, data);
}

// What the parser has noted about the bytes it took.
static void notes_tell(struct conn_ctx *x, struct flow *f, enum dir dir)
{
	struct http_half *h = &f->http->half[dir];

	for (; h->notes != 0; h->notes &= h->notes - 1)
		anomaly_tell(x, f, dir, http_note_counter((enum http_note)__builtin_ctz(h->notes)));
}

void msg_settle(struct conn_ctx *x, struct flow *f, enum dir dir)
{
	struct detect_msg m;

	if (f->http->msg[dir].inspect == NULL)
		return;
	m = conn_msg(x, f, dir);
	detect_settle(x->detect, f->http->msg[dir].inspect, &m);
}

void msg_gap(struct conn_ctx *x, struct flow *f, enum dir dir, uint64_t gap_bytes, bool in_body)
{
	struct http_msg *msg = &f->http->msg[dir];
	struct detect_msg m;

	msg->gap = true;
	seam_gap(x, f, dir);
	m = conn_msg(x, f, dir);
	if (msg->inspect != NULL) {
		for (int s = 0; s < DETECT_STREAM_N; s++)
			if ((s == DETECT_RAW || (in_body && !decode_active(&msg->decode))) &&
			    detect_needs(msg->inspect, s))
				detect_gap(x->detect, msg->inspect, &m, s, gap_bytes);
		msg->inspect->flags |= INSPECT_GAP;
	}
	if (in_body)
		body_gap(msg, gap_bytes);
}

void msg_skip(struct conn_ctx *x, struct flow *f, enum dir dir)
{
	struct http_msg *msg = &f->http->msg[dir];

	x->counters->v[CNT_OVERLOAD_BODIES]++;
	msg_settle(x, f, dir);
	if (msg == &f->http->own_msg[dir])
		seam_gap(x, f, dir);
	msg->skipped = true;
	if (msg->inspect != NULL)
		detect_abort(x->detect, msg->inspect);
	msg->inspect = NULL;
	files_skip(x, f, dir);
	body_drop(x, msg);
}

// What the next response of a direction answers.
static enum http_answers answers_of(const struct http_conn *c, enum dir dir)
{
	return dir == DIR_TO_CLIENT && c->first != NULL ? c->first->answers : HTTP_ANSWERS_OTHER;
}

static void on_gap(struct conn_ctx *x, struct flow *f, enum dir dir, uint64_t gap_bytes)
{
	struct http_half *h = &f->http->half[dir];
	const bool whole = h->behind; // before the gap
	struct http_event ev;
	bool end, in_body;

	if (http_head_cut(h, x->parser, dir, answers_of(f->http, dir), &ev))
		msg_head(x, f, dir, ev.head);
	in_body = http_gap(h, x->parser, gap_bytes, &end);

	if (whole) {
		msg_end(x, f, dir, false);
		end = false;
	}
	msg_gap(x, f, dir, gap_bytes, in_body);
	f->http->msg[dir].missing |= end;
	if (end)
		msg_end(x, f, dir, true);
	reading_gap(x, f, dir, gap_bytes);
}

void conn_segment_again(struct conn_ctx *x, struct flow *f, enum dir dir, struct span data)
{
	if (f->http != NULL && (f->app == APP_HTTP || f->app == APP_FAILED) && !x->unread)
		packet_feed(x, f, dir, data);
}

static enum conn_verdict verdict(bool stays)
{
	return stays ? CONN_STAYS : CONN_LEAVES;
}

// A body is passed over from its piece on that ends at at: what stands before that was not yet scanned as it was sent. The piece
// need not lie in the run.
static void skip(struct conn_ctx *x, struct flow *f, enum dir dir, const uint8_t *raw_from,
		 const uint8_t *at, size_t piece)
{
	size_t before = (size_t)(at - raw_from);

	msg_raw(x, f, dir, span_of(raw_from, before > piece ? before - piece : 0));
	msg_skip(x, f, dir);
}

enum conn_verdict conn_run(struct conn_ctx *x, struct flow *f, enum dir dir,
			   const struct tcp_run *run)
{
	struct http_conn *c = f->http;
	struct span in = run->data;
	const uint8_t *raw_from = in.data, *other_from = in.data;
	const uint8_t *end = in.data != NULL ? in.data + in.len : NULL;
	struct alt_ends ends;
	struct http_event ev;

	ends.n = 0;
	// A tripwire: nobody hands bytes of a released flow on, and should somebody ever do, this shows it.
	if (f->app != APP_HTTP && f->app != APP_FAILED) {
		x->counters->v[CNT_APP_READ_AFTER_RELEASE] += run->data.len;
		return CONN_LEAVES;
	}
	if (x->unread)
		return CONN_STAYS;
	if (c->ws == NULL && c->h2 == NULL) {
		if (upgrade_hold(x, f, dir, run))
			return CONN_STAYS;
		if (run->gap_bytes > 0 && c->h2 == NULL)
			on_gap(x, f, dir, run->gap_bytes);
	}
	packet_feed(x, f, dir, run->data);
	if (c->ws != NULL || c->h2 != NULL)
		return verdict(upgrade_run(x, f, dir, run));
	if (c->half[dir].state == HTTP_START)
		ends.at[ends.n++] = in.data;
	for (;;) {
		const uint8_t *at;
		bool had_other = c->other[dir].on;

		if (http_next(&c->half[dir], x->parser, dir, answers_of(c, dir), &in, run->fin,
			      &ev) == 0)
			break;
		at = in.len > 0 ? in.data : end;
		notes_tell(x, f, dir);
		switch (ev.kind) {
		case HTTP_EV_HEAD:
			if (upgrade_is_h2_client(c, dir, ev.head)) {
				msg_raw(x, f, dir, span_of(raw_from, (size_t)(at - raw_from)));
				return verdict(conn_h2_begin(x, f, H2_PREFACE_REST, NULL) &&
					       upgrade_rest(x, f, dir, in, run->fin));
			}
			upgrade_note(x, c, dir, ev.head);
			msg_head(x, f, dir, ev.head);
			if (!had_other)
				other_from = at;
			break;
		case HTTP_EV_BODY:
			if (msg_is_too_much(x, f, dir))
				skip(x, f, dir, raw_from, at, ev.data.len);
			if (ev.behind)
				body_behind(x, f, dir, ev.data);
			else
				body_data(x, f, dir, ev.data);
			break;
		case HTTP_EV_END:
			msg_raw(x, f, dir, span_of(raw_from, (size_t)(at - raw_from)));
			raw_from = at;
			if (dir == DIR_TO_CLIENT && c->upgrade != CONN_UPGRADE_NONE &&
			    !ev.truncated) {
				if (c->upgrade != CONN_UPGRADE_TUNNEL)
					return verdict(upgrade_begin(x, f) &&
						       upgrade_rest(x, f, dir, in, run->fin));
				if (upgrade_tunnel(x, f, in))
					return CONN_TUNNEL;
				break;
			}
			// Whoever ends the stream has sent all that the receiver gets.
			c->msg[dir].missing |=
				ev.missing && (f->half[dir].flags & TCP_HALF_FIN_DONE) == 0;
			msg_end(x, f, dir, ev.truncated);
			if (ends.n < ALT_ENDS_MAX)
				ends.at[ends.n++] = at;
			break;
		case HTTP_EV_RAW:
			f->app = APP_FAILED; // still scanned, by raw rules and those on bodies
			seam_turn(f, dir);
			alt_body(x, f, dir, ev.data);
			break;
		case HTTP_EV_UPGRADED:
			return CONN_LEAVES;
		}
	}
	notes_tell(x, f, dir);
	msg_raw(x, f, dir, span_of(raw_from, (size_t)(end - raw_from)));
	msg_settle(x, f, dir);
	reading_run(x, f, dir, span_of(other_from, (size_t)(end - other_from)), run->fin, &ends);
	if (run->fin && (c->msg[dir].inspect != NULL || c->msg[dir].alt != NULL))
		msg_end(x, f, dir, true);
	return CONN_STAYS;
}

void msg_drop(struct conn_ctx *x, struct flow *f, enum dir dir)
{
	struct http_msg *msg = &f->http->msg[dir];
	struct http_tx *tx = msg->tx;

	body_drop(x, msg);
	seam_close(x, f, dir);
	if (msg->inspect != NULL)
		detect_abort(x->detect, msg->inspect);
	alt_end(x, f, dir, false);
	reading_end(x, f, dir, false);
	memset(msg, 0, sizeof(*msg));
	// A transaction out of the list is held by its request alone, or by a response without one.
	if (tx != NULL && !tx->queued && f->http->msg[!dir].tx != tx)
		tx_finish(x, f, tx);
}

unsigned int msgs_release_old(struct conn_ctx *x, struct flow *f)
{
	unsigned int n = 0;

	for (int dir = 0; dir < DIR_N; dir++) {
		struct http_msg *msg = &f->http->msg[dir];

		if (msg->alt != NULL && msg->alt->rs != x->detect->rs)
			alt_end(x, f, dir, false);
		if (f->http->seam[dir].in != NULL && f->http->seam[dir].in->rs != x->detect->rs)
			seam_close(x, f, dir);
		if (f->http->other[dir].inspect != NULL &&
		    f->http->other[dir].inspect->rs != x->detect->rs)
			reading_end(x, f, dir, false);
		if (msg->inspect == NULL || msg->inspect->rs == x->detect->rs)
			continue;
		detect_abort(x->detect, msg->inspect);
		msg->inspect = NULL;
		n++;
	}
	return n;
}

unsigned int conn_release_old(struct conn_ctx *x, struct flow *f)
{
	unsigned int n = msgs_release_old(x, f);

	if (f->http->ws != NULL)
		n += conn_ws_release_old(x, f);
	if (f->http->h2 != NULL)
		n += conn_h2_release_old(x, f);
	return n;
}

void conn_close(struct conn_ctx *x, struct flow *f, bool decide)
{
	struct http_conn *c = f->http;
	const struct tcp_run fin = {.fin = true};

	upgrade_close(x, f, decide);
	for (int dir = 0; dir < DIR_N; dir++) {
		if (decide)
			conn_run(x, f, dir, &fin);
		msg_drop(x, f, dir);
		http_half_done(&c->half[dir], x->parser);
	}
	upgrade_close(x, f, decide); // by a head that only the end has completed
	while (c->first != NULL)
		tx_finish(x, f, tx_pop(c));
	if (c->vars != NULL)
		pool_put(x->detect->flowvars, c->vars);
	pool_put(&x->conns, c);
	f->http = NULL;
}

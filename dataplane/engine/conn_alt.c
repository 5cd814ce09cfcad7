// SPDX-License-Identifier: BSD-2-Clause
// What a host may read instead: bytes beside the connection's own reading, and the events that say so.
//
// Nothing here changes the state of the connection's own parser. What is scanned a second time is bounded per flow.
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

// The messages in data, each for itself.
static void messages_scan(struct conn_ctx *x, struct flow *f, enum dir dir, struct span data)
{
	struct detect_msg m = alt_msg(x, f, dir);
	struct inspect *in = NULL;
	struct http_half half;
	struct http_event ev;

	x->alt_parser.gathers = x->parser->gathers;
	x->alt_parser.counters = &x->alt_counters;
	http_half_init(&half);
	while (http_next(&half, &x->alt_parser, dir, HTTP_ANSWERS_OTHER, &data, true, &ev) == 1 &&
	       ev.kind != HTTP_EV_UPGRADED) {
		if (ev.kind == HTTP_EV_HEAD) {
			in = detect_begin(x->detect, dir);
			if (in == NULL)
				break;
			detect_head(x->detect, in, &m, ev.head, HTTP_ANSWERS_OTHER, true);
		} else if (ev.kind == HTTP_EV_BODY && in != NULL) {
			scan(x, in, &m, DETECT_BODY, ev.data);
		} else if (ev.kind == HTTP_EV_END && in != NULL) {
			detect_end(x->detect, in, &m);
			in = NULL;
		}
	}
	if (in != NULL)
		detect_end(x->detect, in, &m);
	http_half_done(&half, &x->alt_parser);
}

void conn_alt(struct conn_ctx *x, struct flow *f, enum dir dir, struct span data)
{
	struct http_msg *msg;
	struct detect_msg m;

	if (f->http == NULL || (f->app != APP_HTTP && f->app != APP_FAILED) ||
	    x->detect->rs == NULL)
		return;
	msg = &f->http->msg[dir];
	data = alt_take(x, f, data);
	if (data.len == 0)
		return;
	m = alt_msg(x, f, dir);
	if (msg->alt == NULL)
		msg->alt = msg->inspect != NULL ? detect_fork(x->detect, msg->inspect, &m)
						: detect_begin(x->detect, dir);
	if (msg->alt == NULL) {
		x->counters->v[CNT_HTTP_ALT_LIMIT]++;
		return;
	}
	scan(x, msg->alt, &m, DETECT_RAW, data);
	scan(x, msg->alt, &m, DETECT_BODY, data);
	if (begins_message(data, dir))
		messages_scan(x, f, dir, data);
}

void alt_end(struct conn_ctx *x, struct flow *f, enum dir dir, bool decide)
{
	struct http_msg *msg = &f->http->msg[dir];
	struct detect_msg m;

	if (msg->alt == NULL)
		return;
	m = alt_msg(x, f, dir);
	if (decide)
		detect_end(x->detect, msg->alt, &m);
	else
		detect_abort(x->detect, msg->alt);
	msg->alt = NULL;
}

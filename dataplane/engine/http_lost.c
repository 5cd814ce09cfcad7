// SPDX-License-Identifier: BSD-2-Clause
// Bytes without framing: raw, or a body of unknown length. All of them are said, and where a line begins like a message the
// parser goes on with that. What may become such a line is held back, a few bytes at most, so that cuts change nothing.
#include "dataplane/engine/app.h"
#include "dataplane/engine/http_impl.h"

void http_lost(struct http_half *h, enum http_state state, enum http_resync resync, bool at_line)
{
	h->state = (uint8_t)state;
	h->resync = (uint8_t)resync;
	h->at_line = at_line;
	h->lost_left = HTTP_LOST_BYTES_MAX;
	h->behind = 0;
	h->chunked = 0;
}

bool http_is_lost(const struct http_half *h)
{
	return h->state == HTTP_RAW && h->resync == HTTP_RESYNC_PIECES;
}

void http_lost_count(struct http_half *h, size_t n)
{
	if (h->resync != HTTP_RESYNC_LINES)
		return;
	if (n >= h->lost_left) {
		h->resync = HTTP_RESYNC_NO;
		h->at_line = 0;
		n = h->lost_left;
	}
	h->lost_left -= (uint32_t)n;
}

// Anything but line ends behind a body is odd; that is said once.
static void behind_note(struct http_half *h, struct http_parser *ps, struct span data)
{
	size_t n = 0;

	while (n < data.len && (data.data[n] == '\r' || data.data[n] == '\n'))
		n++;
	if (h->closes && n < data.len) {
		http_note(h, ps, HTTP_NOTE_BAD_START);
		h->closes = 0;
	}
}

static int lost_event(struct http_half *h, struct http_parser *ps, struct span data,
		      struct http_event *ev)
{
	ev->data = data;
	if (h->behind)
		behind_note(h, ps, data);
	ev->behind = h->behind;
	if (h->state == HTTP_BODY_CLOSE)
		return http_event(ev, HTTP_EV_BODY);
	ps->counters->v[CNT_HTTP_RAW_BYTES] += data.len;
	return http_event(ev, HTTP_EV_RAW);
}

static int begins(struct span s, enum dir dir)
{
	return app_message_begins(s, dir == DIR_TO_SERVER ? APP_SIDE_CLIENT : APP_SIDE_SERVER);
}

bool http_lost_ahead(struct span in, enum dir dir)
{
	const uint8_t *lf;

	while ((lf = memchr(in.data, '\n', in.len)) != NULL) {
		in = span_from(in, (size_t)(lf + 1 - in.data));
		if (in.len == 0)
			return false;
		if (begins(in, dir) > 0)
			return true;
	}
	return false;
}

// A message begins with the held bytes, of which those behind `had` are still in *in.
static int message_found(struct http_half *h, struct http_parser *ps, size_t had, struct span *in,
			 struct http_event *ev)
{
	const bool body = h->state == HTTP_BODY_CLOSE, whole = h->behind;

	h->state = HTTP_START;
	h->behind = 0;
	if (had > 0) {
		memcpy(h->gather, h->held, h->n_held);
		*in = span_from(*in, h->n_held - had);
		h->gathered = h->n_held;
		h->scanned = 0;
		h->line_judged = 0;
		h->drop_gather = 0;
		h->state = HTTP_HEAD;
	}
	h->n_held = 0;
	h->at_line = 0;
	h->resync = HTTP_RESYNC_NO;
	ps->counters->v[CNT_HTTP_RESYNC] += !whole;
	if (!body)
		return HTTP_AGAIN;
	ps->counters->v[CNT_HTTP_TRUNCATED] += !whole;
	ev->truncated = !whole;
	return http_event(ev, HTTP_EV_END);
}

// A line begins with the held bytes and with *in.
static int line_probe(struct http_half *h, struct http_parser *ps, enum dir dir, struct span *in,
		      struct http_event *ev)
{
	const size_t had = h->n_held;
	size_t took = 0;
	struct span data;
	int verdict;

	while ((verdict = begins(span_of(h->held, h->n_held), dir)) < 0 && took < in->len &&
	       h->n_held < HTTP_HELD_MAX)
		h->held[h->n_held++] = in->data[took++];
	if (verdict < 0 && h->n_held < HTTP_HELD_MAX) {
		*in = span_from(*in, took);
		return 0;
	}
	if (verdict > 0 && had > 0 && h->gather == NULL) {
		h->gather = pool_get(ps->gathers);
		if (h->gather == NULL) {
			http_note(h, ps, HTTP_NOTE_HEAD_NO_BUFFER);
			verdict = 0;
		}
	}
	if (verdict > 0)
		return message_found(h, ps, had, in, ev);
	h->at_line = 0;
	data = span_of(h->held, h->n_held);
	h->n_held = 0;
	if (had == 0)
		return HTTP_AGAIN; // it all lies in *in
	*in = span_from(*in, took);
	h->at_line = data.data[data.len - 1] == '\n';
	http_lost_count(h, data.len);
	return lost_event(h, ps, data, ev);
}

// Bytes of *in up to the next line that may begin a message.
static size_t lines_skip(const struct http_half *h, struct span in, enum dir dir, bool *ret_at_line)
{
	size_t n = 0;

	*ret_at_line = false;
	while (n < in.len) {
		const uint8_t *lf = memchr(in.data + n, '\n', in.len - n);

		if (lf == NULL)
			return in.len;
		n = (size_t)(lf - in.data) + 1;
		if (h->resync == HTTP_RESYNC_LINES && n >= h->lost_left)
			return in.len;
		if (n == in.len || begins(span_from(in, n), dir) != 0) {
			*ret_at_line = true;
			return n;
		}
	}
	return n;
}

int http_lost_next(struct http_half *h, struct http_parser *ps, enum dir dir, struct span *in,
		   struct http_event *ev)
{
	struct span data = *in;
	bool at_line = false;
	int said;

	if (h->at_line) {
		said = line_probe(h, ps, dir, in, ev);
		if (said != HTTP_AGAIN || h->resync == HTTP_RESYNC_NO)
			return said;
	}
	if (h->resync != HTTP_RESYNC_NO)
		data.len = lines_skip(h, *in, dir, &at_line);
	*in = span_from(*in, data.len);
	h->at_line = at_line || (h->resync == HTTP_RESYNC_PIECES && in->len == 0);
	http_lost_count(h, data.len);
	return lost_event(h, ps, data, ev);
}

int http_lost_rest(struct http_half *h, struct http_parser *ps, struct http_event *ev)
{
	struct span data = span_of(h->held, h->n_held);

	if (h->n_held == 0)
		return 0;
	h->n_held = 0;
	h->at_line = 0;
	return lost_event(h, ps, data, ev);
}

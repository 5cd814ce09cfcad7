// SPDX-License-Identifier: BSD-2-Clause
// One switch over the saved state; every branch either takes bytes or ends with an event. Line ends are LF with an
// optional CR before it, everywhere, since two of five servers read them so.
#include "dataplane/engine/http.h"

#include <errno.h>

#include "dataplane/engine/app.h"

enum {
	TUNNEL_PREFIX = 8, // bytes that tell a TLS record or an SSH banner
};

void http_half_init(struct http_half *h)
{
	*h = (struct http_half){.state = HTTP_START};
}

static void gather_drop(struct http_half *h, struct http_parser *ps)
{
	if (h->gather != NULL)
		pool_put(ps->gathers, h->gather);
	h->gather = NULL;
	h->gathered = h->scanned = 0;
	h->drop_gather = 0;
}

void http_half_done(struct http_half *h, struct http_parser *ps)
{
	gather_drop(h, ps);
}

static int event(struct http_event *ev, enum http_event_kind kind)
{
	ev->kind = kind;
	return 1;
}

// Everything from here on is raw, beginning with what was gathered.
static int go_raw(struct http_half *h, struct http_parser *ps, enum counter why,
		  struct http_event *ev)
{
	ps->counters->v[why]++;
	h->state = HTTP_RAW;
	if (h->gathered > 0) {
		ev->data = span_of(h->gather, h->gathered);
		h->drop_gather = 1;
		ps->counters->v[CNT_HTTP_RAW_BYTES] += ev->data.len;
		return event(ev, HTTP_EV_RAW);
	}
	return 0;
}

// End of the message: the next call says so.
static void message_end(struct http_half *h, bool truncated)
{
	h->state = HTTP_MESSAGE_END;
	h->truncated = truncated;
}

// Search s from *io_scanned for the empty line that ends a head. Returns the head's length, 0 if it is not there yet;
// *io_scanned moves to where the search must go on.
static size_t head_end(struct span s, uint32_t *io_scanned)
{
	size_t at = *io_scanned;

	for (;;) {
		const uint8_t *lf = memchr(s.data + at, '\n', s.len - at);
		size_t i;

		if (lf == NULL) {
			*io_scanned = (uint32_t)s.len;
			return 0;
		}
		i = (size_t)(lf - s.data);
		if (i + 1 < s.len && s.data[i + 1] == '\n')
			return i + 2;
		if (i + 2 < s.len && s.data[i + 1] == '\r' && s.data[i + 2] == '\n')
			return i + 3;
		if (i + 1 >= s.len || (s.data[i + 1] == '\r' && i + 2 >= s.len)) {
			*io_scanned = (uint32_t)i;
			return 0;
		}
		at = i + 1;
	}
}

// A GET line without a version is a whole HTTP/0.9 request. Returns its length, 0 if the first line is not that.
static size_t simple_request(struct span s)
{
	const uint8_t *lf = memchr(s.data, '\n', s.len);
	struct span line, word;
	size_t n;

	if (lf == NULL)
		return 0;
	line = span_first(s, (size_t)(lf - s.data));
	// Servers pass over blanks behind the version.
	while (line.len > 0 && strchr(" \t\r", line.data[line.len - 1]) != NULL &&
	       line.data[line.len - 1] != '\0')
		line.len--;
	for (n = line.len; n > 0 && line.data[n - 1] != ' ' && line.data[n - 1] != '\t'; n--)
		;
	word = span_first(span_from(line, n), 5);
	if (line.len < 5 || !span_eq_nocase(span_first(line, 4), SPAN_LIT("GET ")) ||
	    span_eq_nocase(word, SPAN_LIT("HTTP/")))
		return 0;
	return (size_t)(lf - s.data) + 1;
}

// Bytes between messages that are no message: a tunnel whose set-up was not seen.
static bool is_tunnel(struct span first)
{
	enum app_side side;
	enum app_proto app = app_detect(first, &side);

	return app == APP_TLS || app == APP_SSH;
}

static int head_done(struct http_half *h, struct http_parser *ps, enum dir dir,
		     enum http_answers answers, struct span raw, struct http_event *ev)
{
	struct http_head *head = &ps->head;
	int err = http_head_parse(raw, dir, answers, ps->counters, head);

	if (err < 0) {
		int said = go_raw(h, ps,
				  err == -E2BIG ? CNT_HTTP_HEAD_TOO_LONG : CNT_HTTP_BAD_START, ev);

		if (said == 0) {
			ev->data = raw;
			ps->counters->v[CNT_HTTP_RAW_BYTES] += raw.len;
		}
		return event(ev, HTTP_EV_RAW);
	}
	h->drop_gather = h->gather != NULL;
	h->chunked = 0;
	h->upgraded = 0;
	switch ((enum http_framing)head->framing) {
	case HTTP_FRAMING_NONE:
		message_end(h, false);
		break;
	case HTTP_FRAMING_LENGTH:
		h->state = HTTP_BODY;
		h->remain = head->content_length;
		break;
	case HTTP_FRAMING_CHUNKED:
		h->state = HTTP_CHUNK_SIZE;
		h->chunked = 1;
		h->remain = 0;
		h->digits = 0;
		h->line_bytes = 0;
		break;
	case HTTP_FRAMING_CLOSE:
		h->state = HTTP_BODY_CLOSE;
		break;
	case HTTP_FRAMING_UPGRADE:
		message_end(h, false);
		h->upgraded = 1;
		break;
	case HTTP_FRAMING_BROKEN:
		h->state = HTTP_RAW;
		break;
	}
	ev->head = head;
	return event(ev, HTTP_EV_HEAD);
}

// Between messages, and with a head in pieces.
static int head_next(struct http_half *h, struct http_parser *ps, enum dir dir,
		     enum http_answers answers, struct span *in, struct http_event *ev)
{
	size_t len;

	if (h->state == HTTP_START) {
		while (in->len > 0 && (in->data[0] == '\r' || in->data[0] == '\n'))
			*in = span_from(*in, 1);
		if (in->len == 0)
			return 0;
		if (is_tunnel(*in)) {
			*in = SPAN_NONE;
			return event(ev, HTTP_EV_UPGRADED);
		}
		h->scanned = 0;
		len = dir == DIR_TO_SERVER ? simple_request(*in) : 0;
		if (len == 0)
			len = head_end(*in, &h->scanned);
		if (len > 0 && len <= HTTP_HEAD_MAX) {
			struct span raw = span_first(*in, len);

			*in = span_from(*in, len);
			return head_done(h, ps, dir, answers, raw, ev);
		}
		h->gather = pool_get(ps->gathers);
		if (h->gather == NULL)
			return go_raw(h, ps, CNT_HTTP_HEAD_NO_BUFFER, ev);
		h->gathered = 0;
		h->scanned = 0;
		h->line_judged = 0;
		h->state = HTTP_HEAD;
	}
	while (in->len > 0) {
		size_t had = h->gathered;
		size_t room = HTTP_HEAD_MAX - had;
		struct span piece = span_first(*in, room);
		struct span all;

		if (room == 0)
			return go_raw(h, ps, CNT_HTTP_HEAD_TOO_LONG, ev);
		memcpy(h->gather + had, piece.data, piece.len);
		h->gathered += (uint32_t)piece.len;
		all = span_of(h->gather, h->gathered);
		if (had < TUNNEL_PREFIX && is_tunnel(all)) {
			*in = SPAN_NONE;
			return event(ev, HTTP_EV_UPGRADED);
		}
		len = 0;
		if (!h->line_judged && dir == DIR_TO_SERVER &&
		    memchr(piece.data, '\n', piece.len) != NULL) {
			h->line_judged = 1;
			len = simple_request(all);
		}
		if (len == 0)
			len = head_end(all, &h->scanned);
		if (len > 0) {
			// What follows the head stays in the input.
			*in = span_from(*in, len - had);
			h->gathered = (uint32_t)len;
			return head_done(h, ps, dir, answers, span_first(all, len), ev);
		}
		*in = span_from(*in, piece.len);
	}
	return 0;
}

static int hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = span_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// A chunked body that is broken: the message ends, the rest is raw.
static void chunk_broken(struct http_half *h, struct http_parser *ps)
{
	ps->counters->v[CNT_HTTP_BAD_CHUNK]++;
	message_end(h, true);
}

static void chunk_line_done(struct http_half *h)
{
	h->line_bytes = 0;
	h->line_nonempty = 0;
	h->digits = 0;
	h->state = h->remain > 0 ? HTTP_BODY : HTTP_TRAILER;
}

// Size, blanks, extension, LF.
static void chunk_size(struct http_half *h, struct http_parser *ps, struct span *in)
{
	while (in->len > 0 && (h->state == HTTP_CHUNK_SIZE || h->state == HTTP_CHUNK_EXT)) {
		uint8_t c = in->data[0];
		int digit = hex_digit(c);

		if (++h->line_bytes > HTTP_CHUNK_LINE_MAX) {
			chunk_broken(h, ps);
			return;
		}
		if (h->state == HTTP_CHUNK_SIZE && digit >= 0) {
			if (h->remain >> 56 != 0) {
				chunk_broken(h, ps);
				return;
			}
			h->remain = h->remain << 4 | (uint64_t)digit;
			h->digits = 1;
		} else if (!h->digits || (h->state == HTTP_CHUNK_SIZE && c != '\n' && c != '\r' &&
					  c != ';' && c != ' ' && c != '\t')) {
			chunk_broken(h, ps);
			return;
		} else if (c == '\n') {
			chunk_line_done(h);
		} else {
			h->state = HTTP_CHUNK_EXT;
		}
		*in = span_from(*in, 1);
	}
}

static void chunk_end(struct http_half *h, struct http_parser *ps, struct span *in)
{
	while (in->len > 0) {
		uint8_t c = in->data[0];

		if (c == '\n') {
			h->state = HTTP_CHUNK_SIZE;
			h->remain = 0;
			h->line_bytes = 0;
			h->digits = 0;
			*in = span_from(*in, 1);
			return;
		}
		if (c != '\r' || h->line_bytes > 0) {
			chunk_broken(h, ps);
			return;
		}
		h->line_bytes++;
		*in = span_from(*in, 1);
	}
}

// Trailer fields are passed over, never acted upon.
static void trailer(struct http_half *h, struct http_parser *ps, struct span *in)
{
	while (in->len > 0) {
		uint8_t c = in->data[0];

		*in = span_from(*in, 1);
		if (++h->line_bytes > HTTP_HEAD_MAX) {
			chunk_broken(h, ps);
			return;
		}
		if (c == '\n' && !h->line_nonempty) {
			message_end(h, false);
			return;
		}
		if (c == '\n')
			h->line_nonempty = 0;
		else if (c != '\r')
			h->line_nonempty = 1;
	}
}

// The last byte of a body or a chunk is behind us.
static void body_done(struct http_half *h)
{
	if (!h->chunked) {
		message_end(h, false);
		return;
	}
	h->state = HTTP_CHUNK_END;
	h->line_bytes = 0;
}

static int body_next(struct http_half *h, struct span *in, struct http_event *ev)
{
	ev->data = h->state == HTTP_BODY && in->len > h->remain ? span_first(*in, (size_t)h->remain)
								: *in;
	*in = span_from(*in, ev->data.len);
	if (h->state == HTTP_BODY) {
		h->remain -= ev->data.len;
		if (h->remain == 0)
			body_done(h);
	}
	return event(ev, HTTP_EV_BODY);
}

// The stream ends within a head: what is there is a head, if its start line is; otherwise it is raw.
static int head_unfinished(struct http_half *h, struct http_parser *ps, enum dir dir,
			   enum http_answers answers, struct http_event *ev)
{
	struct span raw = span_of(h->gather, h->gathered);

	if (memchr(raw.data, '\n', raw.len) == NULL ||
	    http_head_parse(raw, dir, answers, ps->counters, &ps->head) < 0)
		return go_raw(h, ps, CNT_HTTP_TRUNCATED, ev);
	ps->counters->v[CNT_HTTP_TRUNCATED]++;
	h->drop_gather = 1;
	h->chunked = 0;
	h->upgraded = 0;
	message_end(h, true);
	ev->head = &ps->head;
	return event(ev, HTTP_EV_HEAD);
}

// The stream ends: say what that means for the message in progress.
static int finish(struct http_half *h, struct http_parser *ps, enum dir dir,
		  enum http_answers answers, struct http_event *ev)
{
	switch ((enum http_state)h->state) {
	case HTTP_HEAD:
		return head_unfinished(h, ps, dir, answers, ev);
	case HTTP_BODY_CLOSE:
		h->state = HTTP_START;
		return event(ev, HTTP_EV_END);
	case HTTP_BODY:
	case HTTP_CHUNK_SIZE:
	case HTTP_CHUNK_EXT:
	case HTTP_CHUNK_END:
	case HTTP_TRAILER:
		ps->counters->v[CNT_HTTP_TRUNCATED]++;
		h->state = HTTP_START;
		ev->truncated = true;
		return event(ev, HTTP_EV_END);
	default:
		return 0;
	}
}

int http_next(struct http_half *h, struct http_parser *ps, enum dir dir, enum http_answers answers,
	      struct span *io_in, bool fin, struct http_event *ev)
{
	int said;

	*ev = (struct http_event){0};
	if (h->drop_gather)
		gather_drop(h, ps);
	for (;;) {
		if (h->state == HTTP_MESSAGE_END) {
			bool broken = h->truncated && h->chunked;

			ev->truncated = h->truncated;
			h->truncated = 0;
			h->state = broken ? HTTP_RAW : HTTP_START;
			if (h->upgraded)
				h->state = HTTP_RAW;
			return event(ev, HTTP_EV_END);
		}
		if (h->upgraded) {
			*io_in = SPAN_NONE;
			return event(ev, HTTP_EV_UPGRADED);
		}
		if (io_in->len == 0)
			return fin ? finish(h, ps, dir, answers, ev) : 0;
		switch ((enum http_state)h->state) {
		case HTTP_START:
		case HTTP_HEAD:
			said = head_next(h, ps, dir, answers, io_in, ev);
			if (said != 0)
				return said;
			break;
		case HTTP_BODY:
		case HTTP_BODY_CLOSE:
			return body_next(h, io_in, ev);
		case HTTP_CHUNK_SIZE:
		case HTTP_CHUNK_EXT:
			chunk_size(h, ps, io_in);
			break;
		case HTTP_CHUNK_END:
			chunk_end(h, ps, io_in);
			break;
		case HTTP_TRAILER:
			trailer(h, ps, io_in);
			break;
		case HTTP_RAW:
			if (h->resync) {
				enum app_side side;
				enum app_side want =
					dir == DIR_TO_SERVER ? APP_SIDE_CLIENT : APP_SIDE_SERVER;

				if (app_detect(*io_in, &side) == APP_HTTP && side == want) {
					h->resync = 0;
					h->state = HTTP_START;
					break;
				}
			}
			ev->data = *io_in;
			*io_in = SPAN_NONE;
			ps->counters->v[CNT_HTTP_RAW_BYTES] += ev->data.len;
			return event(ev, HTTP_EV_RAW);
		case HTTP_MESSAGE_END:
			break;
		}
	}
}

bool http_gap(struct http_half *h, struct http_parser *ps, uint64_t gap_bytes, bool *ret_end)
{
	*ret_end = false;
	if (h->drop_gather)
		gather_drop(h, ps);
	switch ((enum http_state)h->state) {
	case HTTP_BODY_CLOSE:
		ps->counters->v[CNT_HTTP_GAP_IN_BODY]++;
		return true;
	case HTTP_BODY:
		if (gap_bytes <= h->remain) {
			ps->counters->v[CNT_HTTP_GAP_IN_BODY]++;
			h->remain -= gap_bytes;
			if (h->remain == 0)
				body_done(h);
			return true;
		}
		break;
	case HTTP_RAW:
		return false;
	default:
		break;
	}
	ps->counters->v[CNT_HTTP_GAP_IN_HEAD]++;
	*ret_end = h->state != HTTP_START && h->state != HTTP_HEAD;
	// The gathered part of a head is lost to the message; its bytes went through the raw scan already.
	gather_drop(h, ps);
	h->state = HTTP_RAW;
	h->resync = 1;
	return false;
}

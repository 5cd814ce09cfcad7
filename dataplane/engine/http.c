// SPDX-License-Identifier: BSD-2-Clause
// One switch over the saved state; every branch either takes bytes or ends with an event. Line ends are LF with an
// optional CR before it, everywhere, since two of five servers read them so.
#include <errno.h>

#include "dataplane/engine/app.h"
#include "dataplane/engine/http_impl.h"

enum {
	TUNNEL_PREFIX = 8,   // bytes that tell a TLS record or an SSH banner
	STATUS_PREFIX = 5,   // "HTTP/"
	EMPTY_LINE_MAX = 16, // of blanks, that some take for an empty one
	NAME_LOOK_MAX = 64,  // bytes of the line behind it that are looked at
};

void http_half_init(struct http_half *h)
{
	*h = (struct http_half){.state = HTTP_START};
}

void http_gather_drop(struct http_half *h, struct http_parser *ps)
{
	if (h->gather != NULL)
		pool_put(ps->gathers, h->gather);
	h->gather = NULL;
	h->gathered = h->scanned = 0;
	h->drop_gather = 0;
	h->n_left = 0;
}

void http_half_done(struct http_half *h, struct http_parser *ps)
{
	http_gather_drop(h, ps);
}

// From here on raw, beginning with what was gathered. What a stream that was joined late begins with is the rest of a
// message, as behind a gap, and nothing odd.
static int go_raw(struct http_half *h, struct http_parser *ps, enum http_note why, bool at_line,
		  struct http_event *ev)
{
	bool rest = h->joined && why == HTTP_NOTE_BAD_START;

	h->begun = 1;
	if (!rest)
		http_note(h, ps, why);
	h->odd_lines = 1;
	http_lost(h, HTTP_RAW, rest ? HTTP_RESYNC_PIECES : HTTP_RESYNC_LINES, at_line);
	if (h->gathered == 0)
		return HTTP_AGAIN;
	ev->data = span_of(h->gather, h->gathered);
	h->drop_gather = 1;
	http_lost_count(h, ev->data.len);
	ps->counters->v[CNT_HTTP_RAW_BYTES] += ev->data.len;
	return http_event(ev, HTTP_EV_RAW);
}

// End of the message: the next call says so.
static void message_end(struct http_half *h, bool truncated)
{
	h->state = HTTP_MESSAGE_END;
	h->truncated = truncated;
}

// What a line feed leads to.
enum line_next {
	LINE_MORE,    // more bytes are needed to tell
	LINE_GOES_ON, // another line of the head
	LINE_ENDS,    // *ret_len bytes further on the head has ended
};

// A line of blanks and CRs ends the head for some. It does not if a header line follows, or something that others would
// take for the end.
static enum line_next blank_line(struct span s, size_t *ret_len)
{
	size_t n = 0, from;

	while (n < s.len && n < EMPTY_LINE_MAX && (http_is_blank(s.data[n]) || s.data[n] == '\r'))
		n++;
	if (n == s.len)
		return LINE_MORE;
	if (s.data[n] != '\n')
		return LINE_GOES_ON;
	from = ++n;
	while (n < s.len && n - from < NAME_LOOK_MAX && s.data[n] > ' ' && s.data[n] < 0x7f &&
	       strchr(":@()<>[]{}\"\\,;?=/", s.data[n]) == NULL)
		n++;
	if (n == s.len)
		return LINE_MORE;
	if (n == from && (http_is_blank(s.data[n]) || s.data[n] == '\r' || s.data[n] == '\n'))
		return LINE_GOES_ON;
	while (n < s.len && n - from < NAME_LOOK_MAX && http_is_blank(s.data[n]))
		n++;
	if (n == s.len)
		return LINE_MORE;
	if (n - from == NAME_LOOK_MAX || s.data[n] == ':')
		return LINE_GOES_ON;
	*ret_len = from;
	return LINE_ENDS;
}

// What follows a line feed.
static enum line_next line_next(struct span s, size_t *ret_len)
{
	size_t n = s.len > 0 && s.data[0] == '\r';

	if (n == s.len)
		return LINE_MORE;
	if (s.data[n] == '\n') {
		*ret_len = n + 1;
		return LINE_ENDS;
	}
	return http_is_blank(s.data[0]) || n > 0 ? blank_line(s, ret_len) : LINE_GOES_ON;
}

// Search s from *io_scanned for the empty line that ends a head. Returns the head's length, 0 if it is not there yet;
// *io_scanned moves to where the search must go on.
static size_t head_end(struct span s, uint32_t *io_scanned)
{
	size_t at = *io_scanned;

	for (;;) {
		const uint8_t *lf = memchr(s.data + at, '\n', s.len - at);
		size_t i, len;

		if (lf == NULL) {
			*io_scanned = (uint32_t)s.len;
			return 0;
		}
		i = (size_t)(lf - s.data);
		switch (line_next(span_of(lf + 1, s.len - i - 1), &len)) {
		case LINE_MORE:
			*io_scanned = (uint32_t)i;
			return 0;
		case LINE_ENDS:
			return i + 1 + len;
		case LINE_GOES_ON:
			break;
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

// Bytes between messages that are no message: a tunnel whose set-up was not seen? 1 yes, 0 no, -1 more bytes are needed.
static int is_tunnel(struct span first)
{
	enum app_side side;
	enum app_proto app = app_detect(first, &side);

	if (app == APP_TLS || app == APP_SSH)
		return 1;
	if (app != APP_UNKNOWN || first.len >= 4)
		return 0;
	return (first.data[0] >= 20 && first.data[0] <= 23) || (first.data[0] | 0x20) == 's' ? -1
											     : 0;
}

static void body_begin(struct http_half *h, enum http_framing framing, uint64_t length)
{
	h->chunked = 0;
	h->upgraded = 0;
	h->closes = 0;
	switch (framing) {
	case HTTP_FRAMING_LENGTH:
		h->state = HTTP_BODY;
		h->remain = length;
		break;
	case HTTP_FRAMING_CHUNKED:
		http_chunk_begin(h);
		break;
	case HTTP_FRAMING_CLOSE:
		h->state = HTTP_BODY_CLOSE;
		h->resync = HTTP_RESYNC_NO;
		break;
	case HTTP_FRAMING_BROKEN:
	case HTTP_FRAMING_UNEXPECTED:
		http_lost(h, HTTP_BODY_CLOSE, HTTP_RESYNC_LINES, true);
		break;
	case HTTP_FRAMING_UPGRADE:
		h->upgraded = 1;
		message_end(h, false);
		break;
	case HTTP_FRAMING_NONE:
	case HTTP_FRAMING_N:
		message_end(h, false);
		break;
	}
}

void http_half_other(struct http_half *h, const struct http_head *head)
{
	http_half_init(h);
	body_begin(h, (enum http_framing)head->other_framing, head->other_length);
}

void http_half_again(struct http_half *h)
{
	h->upgraded = 0;
	h->state = HTTP_START;
}

// What answers a first request and does not begin like a response is all body, as from a server of HTTP/0.9.
static int body_alone(struct http_half *h, struct http_parser *ps, struct http_event *ev)
{
	struct http_head *head = &ps->head;

	memset(head, 0, offsetof(struct http_head, fields));
	head->dir = DIR_TO_CLIENT;
	head->version = 9;
	head->framing = HTTP_FRAMING_CLOSE;
	head->other_framing = HTTP_FRAMING_N;
	head->absent = true;
	http_note(h, ps, HTTP_NOTE_BAD_START);
	h->begun = 1;
	http_lost(h, HTTP_BODY_CLOSE, HTTP_RESYNC_LINES, false);
	if (h->gathered > 0) {
		h->n_left = (uint16_t)h->gathered;
		memmove(h->gather + HTTP_HEAD_MAX - h->n_left, h->gather, h->n_left);
	}
	ev->head = head;
	return http_event(ev, HTTP_EV_HEAD);
}

// raw is a whole head, gathered or at the front of the input behind *io_in.
static int head_done(struct http_half *h, struct http_parser *ps, enum dir dir,
		     enum http_answers answers, struct span raw, struct span *io_in,
		     struct http_event *ev)
{
	struct http_head *head = &ps->head;
	int err = http_head_parse(raw, dir, answers, ps->counters, head);

	if (err == -EBADMSG && h->gathered == 0) {
		*io_in = span_of(raw.data, raw.len + io_in->len);
		return go_raw(h, ps, HTTP_NOTE_BAD_START, false, ev);
	}
	if (err < 0) {
		int said = go_raw(h, ps, HTTP_NOTE_HEAD_TOO_LONG, true, ev);

		if (said != HTTP_AGAIN)
			return said;
		ev->data = raw;
		http_lost_count(h, raw.len);
		ps->counters->v[CNT_HTTP_RAW_BYTES] += raw.len;
		return http_event(ev, HTTP_EV_RAW);
	}
	h->notes |= head->notes;
	h->joined = 0;
	h->begun = 1;
	h->drop_gather = h->gather != NULL;
	body_begin(h, (enum http_framing)head->framing, head->content_length);
	h->closes = dir == DIR_TO_CLIENT && head->closes && head->framing == HTTP_FRAMING_LENGTH;
	ev->head = head;
	return http_event(ev, HTTP_EV_HEAD);
}

// Can what was sent to a client still become a status line?
static bool is_status(struct span s)
{
	const struct span http = SPAN_LIT("HTTP/"), icy = SPAN_LIT("ICY ");

	return span_eq_nocase(span_first(s, http.len), span_first(http, s.len)) ||
	       span_eq_nocase(span_first(s, icy.len), span_first(icy, s.len));
}

// Empty lines before a message, and other junk that some pass over.
static void junk_skip(struct http_half *h, struct http_parser *ps, struct span *in)
{
	while (in->len > 0 && ((in->data[0] >= '\t' && in->data[0] <= '\r') || in->data[0] == ' ' ||
			       in->data[0] == '\0')) {
		if (in->data[0] != '\r' && in->data[0] != '\n') {
			http_note(h, ps, HTTP_NOTE_START);
			h->unsure = 1;
		}
		*in = span_from(*in, 1);
	}
}

// Is the first line of s complete, and no start line? What follows many of them would be looked through once for each.
static bool is_bad_line(struct span s, enum dir dir, struct http_parser *ps)
{
	const uint8_t *lf = memchr(s.data, '\n', s.len);

	return lf != NULL && !http_start_line(span_first(s, (size_t)(lf + 1 - s.data)), dir, ps);
}

// What was sent to a client, the gathered bytes and in, is no status line.
static int no_status(struct http_half *h, struct http_parser *ps, enum http_answers answers,
		     struct span in, struct http_event *ev)
{
	return !h->begun && !h->joined && answers == HTTP_ANSWERS_SEEN &&
			       !http_lost_ahead(in, DIR_TO_CLIENT)
		       ? body_alone(h, ps, ev)
		       : go_raw(h, ps, HTTP_NOTE_BAD_START, false, ev);
}

static int head_first(struct http_half *h, struct http_parser *ps, enum dir dir,
		      enum http_answers answers, struct span *in, struct http_event *ev)
{
	size_t len;
	int tunnel;

	junk_skip(h, ps, in);
	if (in->len == 0)
		return 0;
	tunnel = is_tunnel(*in);
	if (tunnel > 0) {
		*in = SPAN_NONE;
		return http_event(ev, HTTP_EV_UPGRADED);
	}
	h->gathered = 0;
	if (dir == DIR_TO_CLIENT && tunnel == 0 && !is_status(*in))
		return no_status(h, ps, answers, *in, ev);
	h->scanned = 0;
	len = dir == DIR_TO_SERVER ? simple_request(*in) : 0;
	if (len > 0)
		h->odd_lines = 1;
	else if (h->odd_lines && is_bad_line(*in, dir, ps))
		return go_raw(h, ps, HTTP_NOTE_BAD_START, false, ev);
	else
		len = head_end(*in, &h->scanned);
	if (len > 0 && len <= HTTP_HEAD_MAX) {
		struct span raw = span_first(*in, len);

		*in = span_from(*in, len);
		return head_done(h, ps, dir, answers, raw, in, ev);
	}
	if (h->gather == NULL)
		h->gather = pool_get(ps->gathers);
	if (h->gather == NULL)
		return go_raw(h, ps, HTTP_NOTE_HEAD_NO_BUFFER, false, ev);
	h->drop_gather = 0;
	h->scanned = 0;
	h->line_judged = 0;
	h->state = HTTP_HEAD;
	return HTTP_AGAIN;
}

// The first bytes of a head are being gathered; those behind had lie in *in, too. HTTP_AGAIN: it may be one.
static int first_line(struct http_half *h, struct http_parser *ps, enum dir dir,
		      enum http_answers answers, size_t had, struct span *in, struct http_event *ev)
{
	struct span all = span_of(h->gather, h->gathered);
	const int tunnel = had < TUNNEL_PREFIX ? is_tunnel(all) : 0;
	const uint8_t *lf;

	if (tunnel > 0) {
		*in = SPAN_NONE;
		return http_event(ev, HTTP_EV_UPGRADED);
	}
	if (dir == DIR_TO_CLIENT && tunnel == 0 && had < STATUS_PREFIX && !is_status(all)) {
		h->gathered = (uint32_t)had; // the rest is still in the input
		return no_status(h, ps, answers, *in, ev);
	}
	lf = memchr(all.data + had, '\n', all.len - had);
	if (lf == NULL)
		return HTTP_AGAIN;
	h->line_judged = 1;
	all.len = (size_t)(lf + 1 - all.data);
	if (http_start_line(all, dir, ps))
		return HTTP_AGAIN;
	h->gathered = (uint32_t)(lf + 1 - h->gather);
	*in = span_from(*in, h->gathered - had);
	return go_raw(h, ps, HTTP_NOTE_BAD_START, true, ev);
}

// A head in pieces.
static int head_next(struct http_half *h, struct http_parser *ps, enum dir dir,
		     enum http_answers answers, struct span *in, struct http_event *ev)
{
	size_t len = 0, had = h->gathered;
	struct span piece = span_first(*in, HTTP_HEAD_MAX - had);
	bool judged = h->line_judged;
	struct span all;
	int said;

	if (piece.len == 0)
		return go_raw(h, ps, HTTP_NOTE_HEAD_TOO_LONG, h->gather[had - 1] == '\n', ev);
	memmove(h->gather + had, piece.data, piece.len);
	h->gathered += (uint32_t)piece.len;
	all = span_of(h->gather, h->gathered);
	if (!judged) {
		said = first_line(h, ps, dir, answers, had, in, ev);
		if (said != HTTP_AGAIN || h->state != HTTP_HEAD)
			return said;
	}
	if (!judged && h->line_judged && dir == DIR_TO_SERVER)
		len = simple_request(all);
	if (len == 0)
		len = head_end(all, &h->scanned);
	if (len == 0) {
		*in = span_from(*in, piece.len);
		return HTTP_AGAIN;
	}
	// What follows the head stays in the input. If more was gathered to know that it ends, that is left at the buffer's end.
	if (len < had) {
		h->n_left = (uint16_t)(had - len);
		memmove(h->gather + HTTP_HEAD_MAX - h->n_left, h->gather + len, h->n_left);
	} else {
		*in = span_from(*in, len - had);
	}
	h->gathered = (uint32_t)len;
	return head_done(h, ps, dir, answers, span_first(all, len), in, ev);
}

// The last byte of a body or a chunk is behind us.
static void body_done(struct http_half *h)
{
	if (h->closes) {
		// What else is sent before the connection ends belongs to nothing but this body.
		http_lost(h, HTTP_BODY_CLOSE, HTTP_RESYNC_LINES, true);
		h->behind = 1;
		return;
	}
	if (!h->chunked) {
		message_end(h, false);
		return;
	}
	h->state = HTTP_CHUNK_END;
	h->cr = 0;
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
	return http_event(ev, HTTP_EV_BODY);
}

bool http_head_cut(struct http_half *h, struct http_parser *ps, enum dir dir,
		   enum http_answers answers, struct http_event *ev)
{
	struct span raw = span_of(h->gather, h->gathered);

	if (h->state != HTTP_HEAD || !h->line_judged ||
	    http_head_parse(raw, dir, answers, ps->counters, &ps->head) < 0)
		return false;
	ps->counters->v[CNT_HTTP_TRUNCATED]++;
	h->notes |= ps->head.notes;
	h->drop_gather = 1;
	h->chunked = 0;
	h->upgraded = 0;
	message_end(h, true);
	ev->head = &ps->head;
	http_event(ev, HTTP_EV_HEAD);
	return true;
}

// The stream ends within a head: what is there is a head, if its start line is; otherwise it is raw.
static int head_unfinished(struct http_half *h, struct http_parser *ps, enum dir dir,
			   enum http_answers answers, struct http_event *ev)
{
	if (http_head_cut(h, ps, dir, answers, ev))
		return 1;
	ps->counters->v[CNT_HTTP_TRUNCATED]++;
	return go_raw(h, ps, HTTP_NOTE_BAD_START, true, ev);
}

// The stream ends: say what that means for the message in progress.
static int finish(struct http_half *h, struct http_parser *ps, enum dir dir,
		  enum http_answers answers, struct http_event *ev)
{
	int said;

	switch ((enum http_state)h->state) {
	case HTTP_HEAD:
		said = head_unfinished(h, ps, dir, answers, ev);
		return said == HTTP_AGAIN ? 0 : said;
	case HTTP_RAW:
		return http_lost_rest(h, ps, ev);
	case HTTP_BODY_CLOSE:
		if (h->resync != HTTP_RESYNC_NO || h->n_held > 0) {
			if (http_lost_rest(h, ps, ev) == 1)
				return 1;
			// What a server sends without framing ends with the connection.
			ev->truncated = dir == DIR_TO_SERVER;
			ps->counters->v[CNT_HTTP_TRUNCATED] += ev->truncated;
		}
		h->state = HTTP_START;
		return http_event(ev, HTTP_EV_END);
	case HTTP_BODY:
	case HTTP_CHUNK_SIZE:
	case HTTP_CHUNK_EXT:
	case HTTP_CHUNK_END:
	case HTTP_TRAILER:
		ps->counters->v[CNT_HTTP_TRUNCATED]++;
		// Chunks that break off are all that there is.
		ev->missing = h->state == HTTP_BODY && !h->chunked;
		h->state = HTTP_START;
		ev->truncated = true;
		return http_event(ev, HTTP_EV_END);
	default:
		return 0;
	}
}

// http_next() on one piece of input.
static int next(struct http_half *h, struct http_parser *ps, enum dir dir,
		enum http_answers answers, struct span *io_in, bool fin, struct http_event *ev)
{
	for (;;) {
		int said = HTTP_AGAIN;

		if (h->state == HTTP_MESSAGE_END) {
			ev->truncated = h->truncated;
			h->truncated = 0;
			h->state = h->upgraded ? HTTP_RAW : HTTP_START;
			return http_event(ev, HTTP_EV_END);
		}
		if (h->upgraded) {
			*io_in = SPAN_NONE;
			return http_event(ev, HTTP_EV_UPGRADED);
		}
		if (io_in->len == 0)
			return fin ? finish(h, ps, dir, answers, ev) : 0;
		switch ((enum http_state)h->state) {
		case HTTP_START:
			said = head_first(h, ps, dir, answers, io_in, ev);
			break;
		case HTTP_HEAD:
			said = head_next(h, ps, dir, answers, io_in, ev);
			break;
		case HTTP_BODY_CLOSE:
		case HTTP_BODY:
			if (h->state == HTTP_BODY || h->resync == HTTP_RESYNC_NO)
				return body_next(h, io_in, ev);
			said = http_lost_next(h, ps, dir, io_in, ev);
			break;
		case HTTP_CHUNK_SIZE:
		case HTTP_CHUNK_EXT:
		case HTTP_CHUNK_END:
		case HTTP_TRAILER:
			http_chunk_next(h, ps, io_in);
			break;
		case HTTP_RAW:
			said = http_lost_next(h, ps, dir, io_in, ev);
			break;
		case HTTP_MESSAGE_END:
			break;
		}
		if (said == 1)
			return 1;
	}
}

int http_next(struct http_half *h, struct http_parser *ps, enum dir dir, enum http_answers answers,
	      struct span *io_in, bool fin, struct http_event *ev)
{
	*ev = (struct http_event){0};
	while (h->n_left > 0) {
		struct span left = span_of(h->gather + HTTP_HEAD_MAX - h->n_left, h->n_left);
		int said = next(h, ps, dir, answers, &left, false, ev);

		h->n_left = (uint16_t)left.len;
		if (said == 1 && ev->kind == HTTP_EV_UPGRADED)
			*io_in = SPAN_NONE;
		if (said == 1)
			return 1;
	}
	if (h->drop_gather)
		http_gather_drop(h, ps);
	return next(h, ps, dir, answers, io_in, fin, ev);
}

bool http_gap(struct http_half *h, struct http_parser *ps, uint64_t gap_bytes, bool *ret_end)
{
	*ret_end = false;
	if (h->drop_gather)
		http_gather_drop(h, ps);
	h->n_held = 0;
	switch ((enum http_state)h->state) {
	case HTTP_BODY_CLOSE:
		if (h->behind)
			break;
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
	default:
		break;
	}
	if (h->state != HTTP_RAW)
		ps->counters->v[CNT_HTTP_GAP_IN_HEAD]++;
	*ret_end = h->state != HTTP_START && h->state != HTTP_HEAD && h->state != HTTP_RAW;
	// The gathered part of a head is lost to the message; its bytes went through the raw scan already.
	http_gather_drop(h, ps);
	http_lost(h, HTTP_RAW, HTTP_RESYNC_PIECES, true);
	return false;
}

// SPDX-License-Identifier: BSD-2-Clause
// A frame is nine bytes of header and a payload that some types begin with a prefix and end with padding:
//
//   0            3      4       5                9
//   +------------+------+-------+----------------+--------+-------------------+---------+
//   | length     | type | flags | stream         | prefix | block, data, ...  | padding |
//   +------------+------+-------+----------------+--------+-------------------+---------+
//
// Headers and prefixes are collected in the half; payloads are used in place. Lengths are not held against
// SETTINGS_MAX_FRAME_SIZE, ids not against who may open which: whether the peer minds is the peer's business.
#include "dataplane/engine/h2.h"

#include <errno.h>

#include "dataplane/engine/http.h"

enum h2_type {
	TYPE_DATA,
	TYPE_HEADERS,
	TYPE_PRIORITY,
	TYPE_RST_STREAM,
	TYPE_SETTINGS,
	TYPE_PUSH_PROMISE,
	TYPE_PING,
	TYPE_GOAWAY,
	TYPE_WINDOW_UPDATE,
	TYPE_CONTINUATION,
};

enum {
	FLAG_END_STREAM = 0x01,
	FLAG_END_HEADERS = 0x04,
	FLAG_PADDED = 0x08,
	FLAG_PRIORITY = 0x20,
	SETTING_BYTES = 6,
};

static const struct span preface = {(const uint8_t *)"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24};

void h2_init(struct h2_half *h, enum dir dir, enum h2_preface how)
{
	*h = (struct h2_half){
		.state = how == H2_PREFACE_NONE ? H2_FRAME : H2_PREFACE,
		.remain = how == H2_PREFACE_ALL ? 24 : 6,
		.growth = H2_GROWTH_FREE,
		.first = 1,
		.dir = (uint8_t)dir,
	};
}

void h2_done(struct h2_half *h, struct h2_parser *ps)
{
	if (h->block.text != NULL)
		pool_put(ps->gathers, h->block.text);
	h->block.text = NULL;
}

static uint32_t be(const uint8_t *b, int n)
{
	uint32_t v = 0;

	for (int i = 0; i < n; i++)
		v = v << 8 | b[i];
	return v;
}

int h2_is_settings(struct span s)
{
	// Type, flags and stream of a first SETTINGS frame; lengths up to 42 settings.
	static const uint8_t rest[] = {TYPE_SETTINGS, 0, 0, 0, 0, 0};
	size_t n = s.len < H2_FRAME_HEADER ? s.len : H2_FRAME_HEADER;

	for (size_t i = 0; i < n; i++) {
		if (i < 2 ? s.data[i] != 0 : i > 2 && s.data[i] != rest[i - 3])
			return 0;
		if (i == 2 && s.data[i] % SETTING_BYTES != 0)
			return 0;
	}
	return n == H2_FRAME_HEADER ? 1 : -1;
}

// ---- frames ----

static void go_raw(struct h2_half *h, struct h2_parser *ps, enum counter why)
{
	ps->counters->v[why]++;
	h->why = (uint16_t)why;
	h2_done(h, ps);
	h->state = H2_RAW_HELD;
}

// Collect up to need bytes in buf; false: the input does not complete them.
static bool collect(uint8_t *buf, uint8_t *io_len, uint8_t need, struct span *in)
{
	size_t n = (size_t)(need - *io_len) < in->len ? (size_t)(need - *io_len) : in->len;

	if (n > 0)
		memcpy(buf + *io_len, in->data, n);
	*io_len = (uint8_t)(*io_len + n);
	*in = span_from(*in, n);
	return *io_len == need;
}

static bool preface_take(struct h2_half *h, struct h2_parser *ps, struct span *in)
{
	struct span want = span_from(preface, preface.len - h->remain);
	size_t n = in->len < want.len ? in->len : want.len;

	if (!span_eq(span_first(*in, n), span_first(want, n))) {
		go_raw(h, ps, CNT_H2_BAD_FRAME);
		return true;
	}
	h->remain -= (uint32_t)n;
	*in = span_from(*in, n);
	if (h->remain > 0)
		return false;
	h->state = H2_FRAME;
	return true;
}

static bool is_block(uint8_t type)
{
	return type == TYPE_HEADERS || type == TYPE_PUSH_PROMISE || type == TYPE_CONTINUATION;
}

// Would endpoints go on behind this frame header?
static bool header_ok(const struct h2_half *h)
{
	if (h->first && h->type != TYPE_SETTINGS)
		return false;
	if (h->block.open != (h->type == TYPE_CONTINUATION))
		return false;
	if (h->block.open &&
	    (h->stream != h->block.stream || h->block.frames >= H2_BLOCK_FRAMES_MAX ||
	     h->remain > H2_BLOCK_MAX - h->block.bytes))
		return false;
	if ((is_block(h->type) || h->type == TYPE_DATA) && h->stream == 0)
		return false;
	return h->remain >= h->prefix_need && (!is_block(h->type) || h->remain <= H2_BLOCK_MAX);
}

static uint8_t prefix_need(uint8_t type, uint8_t flags)
{
	bool padded = (flags & FLAG_PADDED) != 0;

	switch (type) {
	case TYPE_DATA:
		return padded;
	case TYPE_HEADERS:
		return (uint8_t)(padded + ((flags & FLAG_PRIORITY) != 0 ? 5 : 0));
	case TYPE_PUSH_PROMISE:
		return (uint8_t)(padded + 4);
	default:
		return 0;
	}
}

static void frame_begin(struct h2_half *h, struct h2_parser *ps)
{
	h->remain = be(h->header, 3);
	h->type = h->header[3];
	h->flags = h->header[4];
	h->stream = be(h->header + 5, 4) & 0x7fffffff;
	h->padding = 0;
	h->prefix_len = 0;
	h->prefix_need = prefix_need(h->type, h->flags);
	if (!header_ok(h)) {
		go_raw(h, ps, CNT_H2_BAD_FRAME);
		return;
	}
	ps->counters->v[CNT_H2_FRAMES]++;
	h->first = 0;
	h->header_len = 0;
	h->remain -= h->prefix_need;
	h->state = H2_PREFIX;
}

// The prefix is complete.
static void payload_begin(struct h2_half *h, struct h2_parser *ps)
{
	bool padded = h->prefix_need > 0 && (h->flags & FLAG_PADDED) != 0;

	if (padded && h->prefix[0] > h->remain) {
		go_raw(h, ps, CNT_H2_BAD_FRAME);
		return;
	}
	if (padded) {
		h->padding = h->prefix[0];
		h->remain -= h->padding;
	}
	if (!is_block(h->type)) {
		h->state = h->type == TYPE_DATA ? H2_DATA : H2_OTHER;
		return;
	}
	h->state = H2_BLOCK;
	if (h->type != TYPE_CONTINUATION) {
		h->block.stream = h->stream;
		h->block.push = h->type == TYPE_PUSH_PROMISE;
		h->block.promised = h->block.push ? be(h->prefix + padded, 4) & 0x7fffffff : 0;
		h->block.end_stream = h->type == TYPE_HEADERS && (h->flags & FLAG_END_STREAM) != 0;
		h2_block_begin(h, ps);
	}
	h->block.frames++;
	h->block.open = (h->flags & FLAG_END_HEADERS) == 0;
}

// Behind payload and padding. True: the frame says something that is an event of its own.
static bool frame_end(struct h2_half *h, struct h2_parser *ps, struct h2_event *ev)
{
	h->state = H2_FRAME;
	ev->stream = h->stream;
	switch (h->type) {
	case TYPE_DATA:
		ev->kind = H2_EV_END;
		return (h->flags & FLAG_END_STREAM) != 0;
	case TYPE_RST_STREAM:
		ps->counters->v[CNT_H2_RESETS]++;
		ev->kind = H2_EV_RESET;
		return true;
	case TYPE_HEADERS:
	case TYPE_PUSH_PROMISE:
	case TYPE_CONTINUATION:
		if (h->block.open)
			return false;
		if (h->block.end_stream)
			h->state = H2_END_STREAM;
		h2_block_end(h, ps, ev);
		return true;
	default:
		return false;
	}
}

// ---- payloads ----

static struct span payload_take(struct h2_half *h, struct span *in, uint32_t *io_left)
{
	struct span piece = span_first(*in, *io_left);

	*in = span_from(*in, piece.len);
	*io_left -= (uint32_t)piece.len;
	return piece;
}

// False: more input is needed.
static bool block_take(struct h2_half *h, struct h2_parser *ps, struct h2_arena *arena,
		       struct span *in)
{
	struct span piece = payload_take(h, in, &h->remain);
	bool done = h->remain == 0;

	if (h2_block_feed(h, ps, arena, piece, done && !h->block.open) < 0) {
		go_raw(h, ps, CNT_H2_BAD_HEADERS);
		return true;
	}
	if (done)
		h->state = H2_PADDING;
	return done;
}

// Frames whose payload means nothing but to the two endpoints' machinery.
static bool is_machinery(uint8_t type)
{
	return type == TYPE_PRIORITY || type == TYPE_RST_STREAM || type == TYPE_SETTINGS ||
	       type == TYPE_PING || type == TYPE_WINDOW_UPDATE;
}

static int bytes_event(struct h2_event *ev, enum h2_event_kind kind, uint32_t stream,
		       struct span data)
{
	ev->kind = kind;
	ev->stream = stream;
	ev->data = data;
	return data.len > 0;
}

int h2_next(struct h2_half *h, struct h2_parser *ps, struct h2_arena *arena, struct span *io_in,
	    struct h2_event *ev)
{
	struct span piece;

	*ev = (struct h2_event){0};
	for (;;) {
		switch ((enum h2_state)h->state) {
		case H2_PREFACE:
			if (!preface_take(h, ps, io_in))
				return 0;
			break;
		case H2_FRAME:
			if (!collect(h->header, &h->header_len, H2_FRAME_HEADER, io_in))
				return 0;
			frame_begin(h, ps);
			break;
		case H2_PREFIX:
			if (!collect(h->prefix, &h->prefix_len, h->prefix_need, io_in))
				return 0;
			payload_begin(h, ps);
			break;
		case H2_BLOCK:
			if (h->remain > 0 && io_in->len == 0)
				return 0;
			if (!block_take(h, ps, arena, io_in))
				return 0;
			break;
		case H2_DATA:
		case H2_OTHER:
			piece = payload_take(h, io_in, &h->remain);
			if (h->remain == 0)
				h->state = h->state == H2_DATA ? H2_PADDING : H2_FRAME_END;
			if (h->type == TYPE_DATA &&
			    bytes_event(ev, H2_EV_DATA, h->stream, piece) != 0)
				return 1;
			if (h->type != TYPE_DATA && !is_machinery(h->type) &&
			    bytes_event(ev, H2_EV_OTHER, 0, piece) != 0)
				return 1;
			if (h->remain > 0)
				return 0;
			break;
		case H2_PADDING:
			piece = payload_take(h, io_in, &h->padding);
			if (h->padding == 0)
				h->state = H2_FRAME_END;
			if (bytes_event(ev, H2_EV_OTHER, 0, piece) != 0)
				return 1;
			if (h->padding > 0)
				return 0;
			break;
		case H2_FRAME_END:
			if (frame_end(h, ps, ev))
				return 1;
			break;
		case H2_END_STREAM:
			h->state = H2_FRAME;
			ev->kind = H2_EV_END;
			ev->stream = h->block.stream;
			return 1;
		case H2_RAW_HELD:
			h->state = H2_RAW;
			if (bytes_event(ev, H2_EV_RAW, 0, span_of(h->header, h->header_len)) != 0)
				return 1;
			break;
		case H2_RAW:
			piece = *io_in;
			*io_in = SPAN_NONE;
			return bytes_event(ev, H2_EV_RAW, 0, piece);
		}
	}
}

bool h2_gap(struct h2_half *h, struct h2_parser *ps, uint64_t gap_bytes, uint32_t *ret_stream)
{
	bool skips = h->state == H2_DATA || h->state == H2_OTHER;
	uint32_t *left = skips ? &h->remain : &h->padding;

	*ret_stream = 0;
	if ((skips || h->state == H2_PADDING) && gap_bytes <= *left) {
		*left -= (uint32_t)gap_bytes;
		if (h->state == H2_DATA)
			*ret_stream = h->stream;
		return true;
	}
	if (h->state != H2_RAW) {
		ps->counters->v[CNT_H2_GAP]++;
		h->why = CNT_H2_GAP;
	}
	h2_done(h, ps);
	h->state = H2_RAW;
	return false;
}

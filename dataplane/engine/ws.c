// SPDX-License-Identifier: BSD-2-Clause
// A frame is a header of 2 to 14 bytes and a payload (RFC 6455 5.2):
//
//   0        1        2            4 / 10       +4
//   +--------+--------+------------+------------+---------
//   |F RRR op|M  len7 | len16, 64  | mask       | payload
//   +--------+--------+------------+------------+---------
//
// Headers are collected in the half, payloads never are: unmasked ones are used in place, masked ones go through the
// caller's buffer in pieces.
#include "dataplane/engine/ws.h"

#include "dataplane/engine/http.h"

enum ws_opcode {
	WS_CONTINUATION = 0,
	WS_TEXT = 1,
	WS_BINARY = 2,
	WS_CLOSE = 8,
	WS_PING = 9,
	WS_PONG = 10,
	WS_CONTROL = 8, // bit
};

enum {
	BIT_FIN = 0x80,
	BIT_RSV1 = 0x40,
	BIT_MASK = 0x80,
	CONTROL_MAX = 125,
};

void ws_init(struct ws_half *h, bool deflate)
{
	*h = (struct ws_half){.state = WS_HEADER, .deflate = deflate};
}

// ---- what was agreed on ----

static struct span blanks_cut(struct span s)
{
	while (s.len > 0 && (s.data[0] == ' ' || s.data[0] == '\t'))
		s = span_from(s, 1);
	while (s.len > 0 && (s.data[s.len - 1] == ' ' || s.data[s.len - 1] == '\t'))
		s.len--;
	return s;
}

// What stands before the next c, which is taken, too.
static struct span until(struct span *io_rest, int c)
{
	const uint8_t *at = io_rest->len > 0 ? memchr(io_rest->data, c, io_rest->len) : NULL;
	struct span word = *io_rest;

	if (at != NULL)
		word.len = (size_t)(at - word.data);
	*io_rest = at != NULL ? span_from(*io_rest, word.len + 1) : SPAN_NONE;
	return blanks_cut(word);
}

static void extension_read(struct span text, struct ws_extensions *ext)
{
	if (!span_eq_nocase(until(&text, ';'), SPAN_LIT("permessage-deflate")))
		return;
	ext->deflate = true;
	while (text.len > 0) {
		struct span param = until(&text, ';');
		struct span name = until(&param, '=');

		if (span_eq_nocase(name, SPAN_LIT("client_no_context_takeover")))
			ext->no_takeover[DIR_TO_SERVER] = true;
		else if (span_eq_nocase(name, SPAN_LIT("server_no_context_takeover")))
			ext->no_takeover[DIR_TO_CLIENT] = true;
	}
}

void ws_extensions_read(const struct http_head *head, struct ws_extensions *ret_ext)
{
	*ret_ext = (struct ws_extensions){0};
	for (uint32_t i = 0; i < head->n_fields; i++) {
		struct span list = head->fields[i].value;

		if (!span_eq_nocase(head->fields[i].name, SPAN_LIT("Sec-WebSocket-Extensions")))
			continue;
		while (list.len > 0)
			extension_read(until(&list, ','), ret_ext);
	}
}

// ---- frames ----

static bool is_control(const struct ws_half *h)
{
	return (h->opcode & WS_CONTROL) != 0;
}

static uint8_t header_need(const struct ws_half *h)
{
	uint8_t len7 = h->header[1] & 0x7f;

	if (h->header_len < 2)
		return 2;
	return (uint8_t)(2 +
			 (len7 == 126   ? 2
			  : len7 == 127 ? 8
					: 0) +
			 ((h->header[1] & BIT_MASK) != 0 ? 4 : 0));
}

// Collect a header; false: the input does not complete it.
static bool header_collect(struct ws_half *h, struct span *in)
{
	while (h->header_len < header_need(h)) {
		if (in->len == 0)
			return false;
		h->header[h->header_len++] = in->data[0];
		*in = span_from(*in, 1);
	}
	return true;
}

// Read a complete header. False: endpoints would fail the connection here.
static bool header_read(struct ws_half *h)
{
	const uint8_t *b = h->header;
	uint8_t len7 = b[1] & 0x7f, n_len = len7 == 126 ? 2 : len7 == 127 ? 8 : 0;

	h->opcode = b[0] & 0x0f;
	h->final = (b[0] & BIT_FIN) != 0;
	h->masked = (b[1] & BIT_MASK) != 0;
	h->phase = 0;
	h->remain = n_len > 0 ? 0 : len7;
	for (uint8_t i = 0; i < n_len; i++)
		h->remain = h->remain << 8 | b[2 + i];
	if (h->masked)
		memcpy(h->mask, b + 2 + n_len, sizeof(h->mask));
	else
		memset(h->mask, 0, sizeof(h->mask));
	switch (h->opcode) {
	case WS_TEXT:
	case WS_BINARY:
		return !h->in_message && h->remain >> 63 == 0;
	case WS_CONTINUATION:
		return h->in_message && h->remain >> 63 == 0;
	case WS_CLOSE:
	case WS_PING:
	case WS_PONG:
		return h->final && h->remain <= CONTROL_MAX;
	default:
		return false;
	}
}

// in ^ mask, eight bytes at a time; the compiler makes vectors of it.
static void unmask(uint8_t *out, const uint8_t *in, size_t n, const uint8_t mask[4], uint8_t phase)
{
	uint8_t key[8];
	uint64_t key64, word;
	size_t i = 0;

	for (int k = 0; k < 8; k++)
		key[k] = mask[(phase + k) & 3];
	memcpy(&key64, key, sizeof(key64));
	for (; i + 8 <= n; i += 8) {
		memcpy(&word, in + i, sizeof(word));
		word ^= key64;
		memcpy(out + i, &word, sizeof(word));
	}
	for (; i < n; i++)
		out[i] = in[i] ^ key[i & 7];
}

static void payload_take(struct ws_half *h, struct span *in, uint8_t *out, struct ws_event *ev)
{
	size_t n = in->len < h->remain ? in->len : (size_t)h->remain;

	if (h->masked) {
		if (n > WS_PIECE_BYTES)
			n = WS_PIECE_BYTES;
		unmask(out, in->data, n, h->mask, h->phase);
		h->phase = (h->phase + n) & 3;
	}
	ev->kind = WS_EV_DATA;
	ev->masked = h->masked;
	ev->data = span_of(h->masked ? out : in->data, n);
	*in = span_from(*in, n);
	h->remain -= n;
}

static void control_skip(struct ws_half *h, struct span *in)
{
	size_t n = in->len < h->remain ? in->len : (size_t)h->remain;

	*in = span_from(*in, n);
	h->remain -= n;
}

// The payload is behind us. True: so is the message.
static bool frame_end(struct ws_half *h)
{
	h->state = WS_HEADER;
	h->header_len = 0;
	if (is_control(h) || !h->final)
		return false;
	h->in_message = 0;
	return true;
}

// Behind a header. True: a message begins.
static bool frame_begin(struct ws_half *h, struct counters *c, struct ws_event *ev)
{
	if (!header_read(h)) {
		c->v[CNT_WS_BAD_FRAME]++;
		h->state = WS_RAW_HEADER;
		return false;
	}
	h->state = WS_PAYLOAD;
	h->seen = 1;
	if (is_control(h) || h->opcode == WS_CONTINUATION)
		return false;
	h->in_message = 1;
	ev->kind = WS_EV_BEGIN;
	ev->compressed = h->deflate && (h->header[0] & BIT_RSV1) != 0;
	return true;
}

int ws_next(struct ws_half *h, struct span *io_in, uint8_t *out, struct counters *counters,
	    struct ws_event *ret_ev)
{
	*ret_ev = (struct ws_event){0};
	for (;;) {
		switch ((enum ws_state)h->state) {
		case WS_HEADER:
			if (!header_collect(h, io_in))
				return 0;
			if (frame_begin(h, counters, ret_ev))
				return 1;
			break;
		case WS_PAYLOAD:
			if (h->remain == 0) {
				if (!frame_end(h))
					break;
				counters->v[CNT_WS_MESSAGES]++;
				ret_ev->kind = WS_EV_END;
				return 1;
			}
			if (io_in->len == 0)
				return 0;
			if (is_control(h)) {
				control_skip(h, io_in);
				break;
			}
			payload_take(h, io_in, out, ret_ev);
			counters->v[CNT_WS_BYTES] += ret_ev->data.len;
			return 1;
		case WS_RAW_HEADER:
			h->state = WS_RAW;
			h->in_message = 0;
			ret_ev->kind = WS_EV_RAW;
			ret_ev->data = span_of(h->header, h->header_len);
			return 1;
		case WS_RAW:
			if (io_in->len == 0)
				return 0;
			ret_ev->kind = WS_EV_RAW;
			ret_ev->data = *io_in;
			*io_in = SPAN_NONE;
			return 1;
		}
	}
}

bool ws_gap(struct ws_half *h, uint64_t gap_bytes, struct counters *counters)
{
	if (h->state == WS_PAYLOAD && gap_bytes <= h->remain) {
		h->remain -= gap_bytes;
		h->phase = (h->phase + gap_bytes) & 3;
		return true;
	}
	if (h->state != WS_RAW)
		counters->v[CNT_WS_GAP]++;
	h->state = WS_RAW;
	h->header_len = 0;
	h->in_message = 0;
	return false;
}

bool ws_is_tunnel(const struct ws_half *h)
{
	const uint8_t *b = h->header;

	// Two bytes do: both kinds use opcodes that are reserved.
	if (h->seen || h->state != WS_RAW || h->header_len < 2)
		return false;
	return (b[0] >= 20 && b[0] <= 23 && b[1] == 3) || (b[0] == 'S' && b[1] == 'S');
}

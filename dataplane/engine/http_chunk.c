// SPDX-License-Identifier: BSD-2-Clause
// The framing of chunked bodies, byte by byte. Whatever some host takes is taken: bare LF, blanks and signs before the
// size, junk behind it, a chunk without its line end. What nobody can read is body from there on.
#include "dataplane/engine/http_impl.h"

static int hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = span_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

void http_chunk_begin(struct http_half *h)
{
	h->state = HTTP_CHUNK_SIZE;
	h->chunked = 1;
	h->remain = 0;
	h->line_bytes = 0;
	h->digits = 0;
	h->cr = 0;
	h->n_held = 0;
}

// The size that was read so far, held back, is body, too.
static void chunk_broken(struct http_half *h, struct http_parser *ps)
{
	http_note(h, ps, HTTP_NOTE_BAD_CHUNK);
	h->unsure = 1;
	http_lost(h, HTTP_BODY_CLOSE, HTTP_RESYNC_LINES, true);
}

static void line_done(struct http_half *h, struct http_parser *ps)
{
	if (!h->cr)
		http_note(h, ps, HTTP_NOTE_LINE_END);
	h->line_bytes = 0;
	h->line_nonempty = 0;
	h->digits = 0;
	h->n_held = 0;
	h->state = h->remain > 0 ? HTTP_BODY : HTTP_TRAILER;
}

static bool is_word(uint8_t c)
{
	c |= 0x20;
	return c >= 'a' && c <= 'z' && c != 'x';
}

// A byte of the size. False: it is none.
static bool size_byte(struct http_half *h, struct http_parser *ps, uint8_t c)
{
	int digit = hex_digit(c);

	if (digit >= 0) {
		if (h->remain >> 56 != 0)
			return false;
		h->remain = h->remain << 4 | (uint64_t)digit;
		h->digits = 1;
		return true;
	}
	if (!h->digits) {
		// White space, line ends and a sign: some pass over them.
		http_note(h, ps, HTTP_NOTE_CHUNK);
		if (c == '\n')
			h->n_held = 0;
		return (c >= '\t' && c <= '\r') || c == ' ' || c == '+';
	}
	if ((c == 'x' || c == 'X') && h->remain == 0 && h->n_held > 0 &&
	    h->held[h->n_held - 1] == '0') {
		http_note(h, ps, HTTP_NOTE_CHUNK); // "0x10": 16 to strtol()
		return true;
	}
	if (c != '\r' && c != ';' && !http_is_blank(c)) {
		http_note(h, ps, HTTP_NOTE_CHUNK);
		// Some pass over such junk. A word is none: it is a body that was said to be chunked, or a method.
		if (is_word(c))
			return false;
	}
	h->state = HTTP_CHUNK_EXT;
	return true;
}

// Size, blanks, extension, LF.
static void chunk_size(struct http_half *h, struct http_parser *ps, struct span *in)
{
	while (in->len > 0 && (h->state == HTTP_CHUNK_SIZE || h->state == HTTP_CHUNK_EXT)) {
		uint8_t c = in->data[0];

		if (++h->line_bytes > HTTP_CHUNK_LINE_MAX) {
			chunk_broken(h, ps);
			return;
		}
		if (c == '\n' && (h->digits || h->state == HTTP_CHUNK_EXT)) {
			line_done(h, ps);
		} else if (h->state == HTTP_CHUNK_SIZE && !size_byte(h, ps, c)) {
			chunk_broken(h, ps);
			return;
		} else if (h->cr && h->state == HTTP_CHUNK_EXT) {
			http_note(h, ps, HTTP_NOTE_CHUNK); // a CR that ends no line
		}
		h->cr = c == '\r' && h->state == HTTP_CHUNK_EXT;
		if (h->state == HTTP_CHUNK_SIZE && h->n_held < HTTP_HELD_MAX - 1 &&
		    (h->n_held > 0 || c > ' '))
			h->held[h->n_held++] = c;
		*in = span_from(*in, 1);
	}
}

static void chunk_end(struct http_half *h, struct http_parser *ps, struct span *in)
{
	while (in->len > 0) {
		uint8_t c = in->data[0];

		if (c == '\r' && !h->cr) {
			h->cr = 1;
			*in = span_from(*in, 1);
			continue;
		}
		if (c != '\n')
			http_note(h, ps, HTTP_NOTE_CHUNK); // this byte begins a size, or nothing
		else if (!h->cr)
			http_note(h, ps, HTTP_NOTE_LINE_END);
		if (c == '\n')
			*in = span_from(*in, 1);
		http_chunk_begin(h);
		return;
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
			h->state = HTTP_MESSAGE_END;
			return;
		}
		if (c == '\n')
			h->line_nonempty = 0;
		else if (c != '\r')
			h->line_nonempty = 1;
		if (h->cr && c != '\n')
			http_note(h, ps, HTTP_NOTE_CHUNK); // some end the message here
		h->cr = c == '\r';
	}
}

void http_chunk_next(struct http_half *h, struct http_parser *ps, struct span *in)
{
	if (h->state == HTTP_CHUNK_END)
		chunk_end(h, ps, in);
	else if (h->state == HTTP_TRAILER)
		trailer(h, ps, in);
	else
		chunk_size(h, ps, in);
}

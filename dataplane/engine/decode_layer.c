// SPDX-License-Identifier: BSD-2-Clause
// One coding of a body: what is it really, header, data, trailer, and what stands behind it.
//
// The label lies often enough. gzip and zstd are known by their magic numbers whatever the label says. For the rest the
// first DECODE_HOLD_BYTES are kept, and what can be meant is tried on them: zlib and raw DEFLATE for gzip and deflate
// (browsers do the same), br for br. What does not decode is given out as it was sent, from its first byte.
//
// Headers and trailers are read here, not by the library: ISA-L 2.30 takes the header checksum of a gzip header that
// comes in pieces for wrong, and a wrong checksum behind the data, which browsers do not look at, must not stop anything.
#include "dataplane/engine/decode_impl.h"

#include <errno.h>

// RFC 1952 2.3, in this order.
enum gzip_part {
	GZIP_FIXED, // time, extra flags, system
	GZIP_EXTRA_LEN,
	GZIP_EXTRA,
	GZIP_NAME,
	GZIP_COMMENT,
	GZIP_CRC,
	GZIP_DATA,
};

enum {
	GZIP_MAGIC_BYTES = 3, // two, and the only method there is
	GZIP_FIXED_BYTES = 7, // behind them
	GZIP_TRAILER_BYTES = 8,
	ZLIB_HEADER_BYTES = 2,
	ZLIB_TRAILER_BYTES = 4,
	ZSTD_MAGIC_BYTES = 4,
	// RFC 8878 3.1.1.1, at most. Given at once: a libzstd that refuses a header looks at the piece that ended it for the
	// magic numbers of versions before 0.8, and would go on with their decoders, which nobody keeps any more.
	ZSTD_HEADER_BYTES = 18,
	TRY_BYTES = 4 << 10, // of output, to see whether it decodes
	// Data that decodes to so many bytes of text and then breaks was meant so.
	SURELY_BYTES = 32,
};

enum verdict {
	VERDICT_WAIT, // for more bytes
	VERDICT_GZIP,
	VERDICT_ZSTD,
	VERDICT_OTHER, // no magic number
};

static void fail(struct decode_ctx *x, struct decode_body *b, struct decoder *d, int err)
{
	enum counter why = err == -ENOBUFS  ? CNT_DECODE_NO_STATE
			   : err == -EDQUOT ? CNT_DECODE_LIMIT
					    : CNT_DECODE_BAD_DATA;

	x->counters->v[why]++;
	d->state = DECODE_AS_SENT;
	b->as_is = true;
	b->gave_up |= why != CNT_DECODE_BAD_DATA;
	engine_close(x, d);
}

static bool starts(struct span s, const char *magic, size_t len, bool *io_may)
{
	size_t n = s.len < len ? s.len : len;

	if (memcmp(s.data, magic, n) != 0)
		return false;
	*io_may |= n < len;
	return n == len;
}

static bool is_skippable(struct span s, bool *io_may)
{
	bool first = s.len > 0 && (s.data[0] & 0xf0) == 0x50;

	return first && (s.len == 1 ? (*io_may = true, false)
				    : starts(span_from(s, 1), "\x2a\x4d\x18", 3, io_may));
}

// By magic numbers alone. label: only zstd says so before a skippable frame counts.
static enum verdict magic_judge(struct span s, bool zstd_label, bool final)
{
	bool may = false;

	if (starts(s, "\x1f\x8b\x08", GZIP_MAGIC_BYTES, &may))
		return VERDICT_GZIP;
	if (starts(s, "\x28\xb5\x2f\xfd", ZSTD_MAGIC_BYTES, &may))
		return VERDICT_ZSTD;
	if (zstd_label && is_skippable(s, &may))
		return VERDICT_ZSTD;
	return may && !final ? VERDICT_WAIT : VERDICT_OTHER;
}

// Up to n bytes into d->hold.
static void hold_fill(struct decoder *d, struct span *in, size_t n)
{
	size_t take;

	if (d->hold_at == d->n_hold)
		d->hold_at = d->n_hold = 0;
	if (d->hold_at > 0) {
		memmove(d->hold, d->hold + d->hold_at, d->n_hold - d->hold_at);
		d->n_hold -= d->hold_at;
		d->hold_at = 0;
	}
	if (d->n_hold >= n)
		return;
	take = n - d->n_hold < in->len ? n - d->n_hold : in->len;
	if (take > 0)
		memcpy(d->hold + d->n_hold, in->data, take);
	d->n_hold += (uint16_t)take;
	*in = span_from(*in, take);
}

static struct span held(const struct decoder *d)
{
	return span_of(d->hold + d->hold_at, d->n_hold - d->hold_at);
}

// The next byte, of the held ones first.
static bool byte_take(struct decoder *d, struct span *in, uint8_t *ret_byte)
{
	if (d->hold_at < d->n_hold) {
		*ret_byte = d->hold[d->hold_at++];
		return true;
	}
	if (in->len == 0)
		return false;
	*ret_byte = in->data[0];
	*in = span_from(*in, 1);
	return true;
}

// ---- headers and trailers ----

// The next part of the header that the flags announce.
static void part_next(struct decoder *d)
{
	static const uint8_t flag[GZIP_DATA] = {
		[GZIP_EXTRA_LEN] = 4, [GZIP_EXTRA] = 4, [GZIP_NAME] = 8,
		[GZIP_COMMENT] = 16,  [GZIP_CRC] = 2,
	};

	do {
		d->part++;
	} while (d->part < GZIP_DATA && (d->flags & flag[d->part]) == 0);
	d->left = 2; // a length, a checksum, or not looked at
	if (d->part == GZIP_EXTRA) {
		d->left = d->extra_bytes;
		if (d->left == 0)
			part_next(d);
	}
}

static void header_byte(struct decoder *d, uint8_t c)
{
	if (d->part == GZIP_NAME || d->part == GZIP_COMMENT) {
		if (c == 0)
			part_next(d);
		return;
	}
	if (d->part == GZIP_FIXED && d->left == GZIP_FIXED_BYTES)
		d->flags = c;
	if (d->part == GZIP_EXTRA_LEN)
		d->extra_bytes = d->left == 2 ? c : (uint16_t)(d->extra_bytes | c << 8);
	if (--d->left == 0)
		part_next(d);
}

static void header_read(struct decode_ctx *x, struct decode_body *b, struct decoder *d,
			struct span *in)
{
	uint8_t c;
	int err;

	while (d->part != GZIP_DATA && byte_take(d, in, &c))
		header_byte(d, c);
	if (d->part != GZIP_DATA)
		return;
	err = engine_open(x, d, ENGINE_GZIP);
	if (err < 0)
		fail(x, b, d, err);
	else
		d->state = DECODE_DATA;
}

static void member_ended(struct decoder *d)
{
	d->left = d->engine == ENGINE_GZIP   ? GZIP_TRAILER_BYTES
		  : d->engine == ENGINE_ZLIB ? ZLIB_TRAILER_BYTES
					     : 0;
	d->more = false;
	d->state = d->left > 0 ? DECODE_TRAILER : DECODE_BETWEEN;
}

// gzip: CRC-32 and length, little-endian; zlib: Adler-32, big-endian. Nobody who inspects it is helped by refusing it.
static void trailer_read(struct decode_ctx *x, struct decoder *d, struct span *in)
{
	const uint16_t size = d->engine == ENGINE_GZIP ? GZIP_TRAILER_BYTES : ZLIB_TRAILER_BYTES;
	const uint8_t *t = d->trailer;
	uint8_t c;
	uint32_t said;

	for (; d->left > 0 && byte_take(d, in, &c); d->left--)
		if (size - d->left < 4)
			d->trailer[size - d->left] = c;
	if (d->left > 0)
		return;
	said = d->engine == ENGINE_GZIP
		       ? (uint32_t)t[3] << 24 | (uint32_t)t[2] << 16 | (uint32_t)t[1] << 8 | t[0]
		       : (uint32_t)t[0] << 24 | (uint32_t)t[1] << 16 | (uint32_t)t[2] << 8 | t[3];
	if (said != engine_checksum(d))
		x->counters->v[CNT_DECODE_BAD_CHECKSUM]++;
	d->state = DECODE_BETWEEN;
}

// ---- data ----

// What may still be put out, at most one piece.
static size_t room(const struct decode_body *b)
{
	uint64_t all = b->in_bytes * DECODE_RATIO_MAX + b->free_bytes;
	uint64_t left = all > b->out_bytes ? all - b->out_bytes : 0;

	return left < DECODE_OUT_BYTES ? (size_t)left : DECODE_OUT_BYTES;
}

// One run on what is held, or else on the input. 1 with output.
static int data_run(struct decode_ctx *x, struct decode_body *b, unsigned int i,
		    struct span *ret_data)
{
	struct decoder *d = b->layer[i];
	bool from_hold = d->hold_at < d->n_hold;
	struct span kept = held(d);
	struct span *in = from_hold ? &kept : &b->in[i];
	const struct span before = *in;
	size_t size = room(b), n = 0;
	int got;

	if (size == 0) {
		fail(x, b, d, -EDQUOT);
		return 0;
	}
	if (from_hold)
		d->hold_at = d->n_hold;
	got = engine_run(x, d, in, x->out[i], size, &n);
	b->out_bytes += n;
	d->more = n == size;
	if (got == ENGINE_GOES_ON && n == 0 && before.len > 0 && in->len == before.len)
		got = -EBADMSG; // it takes nothing and gives nothing
	if (got < 0)
		*in = before; // nothing says how far it was right
	if (from_hold)
		d->hold_at -= (uint16_t)in->len;
	if (got < 0)
		fail(x, b, d, got);
	else if (got == ENGINE_ENDED)
		member_ended(d);
	*ret_data = span_of(x->out[i], n);
	return n > 0;
}

// Text taken for DEFLATE comes out as noise: a third of what its fixed codes stand for is no text.
static bool begins_as_text(struct span s)
{
	size_t n = 0;

	for (size_t i = 0; i < SURELY_BYTES && i < s.len; i++)
		n += (s.data[i] >= 0x20 && s.data[i] < 0x7f) || s.data[i] == '\n' ||
		     s.data[i] == '\r' || s.data[i] == '\t';
	return n >= SURELY_BYTES - 2;
}

// RFC 7932 9: a stream that begins with a block to be skipped, beyond what is held. No encoder does this, but one letter in
// fifty, taken for br, does, and would hide the text behind it.
static bool br_skips(struct span s)
{
	uint64_t v = 0;

	for (size_t i = 0; i < 8 && i < s.len; i++)
		v |= (uint64_t)s.data[i] << (8 * i);
	v >>= (v & 1) == 0 ? 1 : (v & 0x0e) != 0 ? 4 : 7; // WBITS
	v >>= (v & 1) == 0 ? 1 : 2;                       // ISLAST, ISLASTEMPTY
	if ((v & 3) != 3)                                 // MNIBBLES
		return false;
	return (v >> 5 & ((UINT64_C(1) << (8 * (v >> 3 & 3))) - 1)) >= DECODE_HOLD_BYTES / 2;
}

// Try the data that is held as engine says, header_bytes into it. True: it is that. Output as in data_run().
static bool data_try(struct decode_ctx *x, struct decode_body *b, unsigned int i,
		     enum decode_engine engine, size_t header_bytes, struct span *ret_data)
{
	struct decoder *d = b->layer[i];
	struct span in = span_from(held(d), header_bytes);
	bool sure = engine != ENGINE_RAW || d->coding != HTTP_CODING_GZIP;
	size_t left = room(b), size = left < TRY_BYTES ? left : TRY_BYTES, n = 0;
	int got = engine_open(x, d, engine);

	*ret_data = SPAN_NONE;
	if (got == 0)
		got = size > 0 ? engine_run(x, d, &in, x->out[i], size, &n) : -EDQUOT;
	// A body that is all here and gives nothing, or claims to be gzip and does not end, is something else.
	if (got == ENGINE_GOES_ON && d->n_hold < DECODE_HOLD_BYTES && (n == 0 || !sure))
		got = -EBADMSG;
	if (got == -EBADMSG && !(sure && begins_as_text(span_of(x->out[i], n)))) {
		engine_close(x, d);
		return false;
	}
	b->out_bytes += n;
	*ret_data = span_of(x->out[i], n);
	if (got < 0) {
		fail(x, b, d, got);
		return true;
	}
	d->more = n == size;
	d->state = DECODE_DATA;
	d->hold_at = (uint16_t)(d->n_hold - in.len);
	if (got == ENGINE_ENDED)
		member_ended(d);
	return true;
}

// No magic number, and all that will be looked at is held.
static int guess(struct decode_ctx *x, struct decode_body *b, unsigned int i, struct span *ret_data)
{
	struct decoder *d = b->layer[i];
	struct span s = held(d);
	bool zlib = s.len >= ZLIB_HEADER_BYTES && (s.data[0] & 0x0f) == 8 &&
		    (s.data[0] >> 4) <= 7 && (s.data[0] << 8 | s.data[1]) % 31 == 0;

	*ret_data = SPAN_NONE;
	switch (d->coding) {
	case HTTP_CODING_GZIP:
	case HTTP_CODING_DEFLATE:
		if (zlib && (s.data[1] & 0x20) == 0 && // no dictionary
		    data_try(x, b, i, ENGINE_ZLIB, ZLIB_HEADER_BYTES, ret_data))
			return ret_data->len > 0;
		if (data_try(x, b, i, ENGINE_RAW, 0, ret_data))
			return ret_data->len > 0;
		break;
	case HTTP_CODING_BR:
		if (!br_skips(s) && data_try(x, b, i, ENGINE_BR, 0, ret_data))
			return ret_data->len > 0;
		break;
	case HTTP_CODING_ZSTD:
		break;
	default: // nobody knows what it should be
		d->state = DECODE_AS_SENT;
		return 0;
	}
	fail(x, b, d, -EBADMSG);
	return 0;
}

static int judge(struct decode_ctx *x, struct decode_body *b, unsigned int i, struct span *ret_data)
{
	struct decoder *d = b->layer[i];
	bool by_magic = d->coding == HTTP_CODING_ZSTD || d->coding == HTTP_CODING_OTHER;
	int err;

	*ret_data = SPAN_NONE;
	if (d->n_hold < ZSTD_MAGIC_BYTES)
		hold_fill(d, &b->in[i], ZSTD_MAGIC_BYTES);
	if (d->n_hold == 0)
		return 0;
	switch (magic_judge(held(d), d->coding == HTTP_CODING_ZSTD, d->ended)) {
	case VERDICT_WAIT:
		return 0;
	case VERDICT_GZIP:
		d->hold_at += GZIP_MAGIC_BYTES;
		d->part = GZIP_FIXED;
		d->left = GZIP_FIXED_BYTES;
		d->state = DECODE_HEADER;
		return 0;
	case VERDICT_ZSTD:
		hold_fill(d, &b->in[i], ZSTD_HEADER_BYTES);
		if (d->n_hold < ZSTD_HEADER_BYTES && !d->ended)
			return 0;
		err = engine_open(x, d, ENGINE_ZSTD);
		if (err < 0)
			fail(x, b, d, err);
		else
			d->state = DECODE_DATA;
		return 0;
	case VERDICT_OTHER:
		break;
	}
	if (!by_magic) {
		hold_fill(d, &b->in[i], DECODE_HOLD_BYTES);
		if (d->n_hold < DECODE_HOLD_BYTES && !d->ended)
			return 0;
	}
	return guess(x, b, i, ret_data);
}

// Behind a member: another one, or bytes that clients ignore and we scan as sent.
static void between(struct decode_ctx *x, struct decoder *d, struct span *in)
{
	hold_fill(d, in, ZSTD_MAGIC_BYTES);
	if (d->n_hold == 0)
		return;
	switch (magic_judge(held(d), d->coding == HTTP_CODING_ZSTD, d->ended)) {
	case VERDICT_WAIT:
		return;
	case VERDICT_GZIP:
	case VERDICT_ZSTD:
		engine_close(x, d);
		d->state = DECODE_JUDGE;
		return;
	case VERDICT_OTHER:
		engine_close(x, d);
		x->counters->v[CNT_DECODE_JUNK]++;
		d->state = DECODE_AS_SENT;
		return;
	}
}

static int as_sent(struct decoder *d, struct span *in, struct span *ret_data)
{
	*ret_data = held(d);
	if (ret_data->len > 0) {
		d->hold_at = d->n_hold;
		return 1;
	}
	*ret_data = *in;
	*in = SPAN_NONE;
	return ret_data->len > 0;
}

int layer_next(struct decode_ctx *x, struct decode_body *b, unsigned int i, struct span *ret_data)
{
	struct decoder *d = b->layer[i];
	struct span *in = &b->in[i];

	for (;;) {
		enum decode_state state = d->state;

		switch (state) {
		case DECODE_JUDGE:
			if (judge(x, b, i, ret_data) == 1)
				return 1;
			break;
		case DECODE_HEADER:
			header_read(x, b, d, in);
			break;
		case DECODE_DATA:
			if (d->hold_at == d->n_hold && in->len == 0 && !d->more)
				return 0;
			if (data_run(x, b, i, ret_data) == 1)
				return 1;
			continue;
		case DECODE_TRAILER:
			trailer_read(x, d, in);
			break;
		case DECODE_BETWEEN:
			between(x, d, in);
			break;
		case DECODE_AS_SENT:
			return as_sent(d, in, ret_data);
		}
		if (d->state == state)
			return 0; // needs more input
	}
}

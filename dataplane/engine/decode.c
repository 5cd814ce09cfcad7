// SPDX-License-Identifier: BSD-2-Clause
// Encoded bytes that cannot be decoded are handed on as they are: nothing is skipped.
//
// gzip's header is read here: ISA-L 2.30 takes the header checksum of a header that comes in pieces for wrong.
#include "dataplane/engine/decode.h"

// RFC 1952 2.3, in this order.
enum gzip_part {
	GZIP_FIXED, // method, flags, time, extra flags, system
	GZIP_EXTRA_LEN,
	GZIP_EXTRA,
	GZIP_NAME,
	GZIP_COMMENT,
	GZIP_CRC,
	GZIP_DATA,
};

enum {
	GZIP_FIXED_BYTES = 8, // behind the magic number
	GZIP_DEFLATE = 8,
};

static void isal_start(struct decoder *d, uint32_t wrapper)
{
	isal_inflate_init(&d->isal);
	d->isal.crc_flag = wrapper;
}

void decode_init(struct decoder *d, enum http_coding coding)
{
	d->in_bytes = d->out_bytes = 0;
	d->coding = (uint8_t)coding;
	d->state = DECODE_FIRST;
	d->n_first = 0;
	d->replay = 0;
}

static void fail(struct decoder *d, struct counters *c, enum counter why)
{
	c->v[why]++;
	d->state = DECODE_FAILED;
}

// The label lies often enough: the first two bytes decide between gzip, zlib, raw DEFLATE and plain.
static void first_judge(struct decoder *d, struct counters *c)
{
	const uint8_t *f = d->first;
	bool gzip = f[0] == 0x1f && f[1] == 0x8b;
	bool zlib = (f[0] & 0x0f) == 8 && (f[0] >> 4) <= 7 && (f[0] << 8 | f[1]) % 31 == 0;

	d->replay = 2;
	d->state = DECODE_DATA;
	if (gzip) {
		isal_start(d, ISAL_GZIP_NO_HDR_VER);
		d->replay = 0;
		d->state = DECODE_HEADER;
		d->part = GZIP_FIXED;
		d->left = GZIP_FIXED_BYTES;
	} else if (zlib)
		isal_start(d, ISAL_ZLIB);
	else if (d->coding == HTTP_CODING_DEFLATE)
		isal_start(d, ISAL_DEFLATE);
	else
		fail(d, c, CNT_DECODE_BAD_DATA);
}

static bool first_collect(struct decoder *d, struct span *in, struct counters *c)
{
	while (d->n_first < 2 && in->len > 0) {
		d->first[d->n_first++] = in->data[0];
		*in = span_from(*in, 1);
	}
	if (d->n_first < 2)
		return false;
	first_judge(d, c);
	return true;
}

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

// Byte by byte through the header. False: not gzip after all, the byte was not taken.
static bool header_skip(struct decoder *d, struct span *in)
{
	for (; in->len > 0 && d->part != GZIP_DATA; *in = span_from(*in, 1), d->in_bytes++) {
		uint8_t c = in->data[0];

		if (d->part == GZIP_NAME || d->part == GZIP_COMMENT) {
			if (c == 0)
				part_next(d);
			continue;
		}
		if (d->part == GZIP_FIXED && d->left == GZIP_FIXED_BYTES && c != GZIP_DEFLATE)
			return false;
		if (d->part == GZIP_FIXED && d->left == GZIP_FIXED_BYTES - 1)
			d->flags = c;
		if (d->part == GZIP_EXTRA_LEN)
			d->extra_bytes = d->left == 2 ? c : (uint16_t)(d->extra_bytes | c << 8);
		if (--d->left == 0)
			part_next(d);
	}
	if (d->part == GZIP_DATA)
		d->state = DECODE_DATA;
	return true;
}

// Run ISA-L on one input span. Returns 1 with output, 0 when the span is used up, negative when the data is broken.
static int inflate_some(struct decoder *d, struct span *in, uint8_t *out, struct span *ret_data)
{
	int err;

	d->isal.next_in = (uint8_t *)(uintptr_t)in->data; // ISA-L does not write to it
	d->isal.avail_in = (uint32_t)in->len;
	d->isal.next_out = out;
	d->isal.avail_out = DECODE_OUT_BYTES;
	err = isal_inflate(&d->isal);
	// Behind the end it has looked ahead by some bytes and does not always put them back.
	if (d->isal.block_state == ISAL_BLOCK_FINISH && d->isal.read_in_length > 0) {
		uint32_t used = (uint32_t)in->len - d->isal.avail_in;
		uint32_t ahead = (uint32_t)d->isal.read_in_length / 8;

		d->isal.avail_in += ahead < used ? ahead : used;
	}
	d->in_bytes += in->len - d->isal.avail_in;
	*in = span_from(*in, in->len - d->isal.avail_in);
	*ret_data = span_of(out, DECODE_OUT_BYTES - d->isal.avail_out);
	d->out_bytes += ret_data->len;
	if (err < 0)
		return err;
	if (d->isal.block_state == ISAL_BLOCK_FINISH) {
		d->state = DECODE_BETWEEN;
		d->n_first = 0;
	}
	return ret_data->len > 0;
}

// After a member: gzip allows another one; anything else is junk that servers ignore and we scan as sent.
static void between(struct decoder *d, struct span *in, struct counters *c)
{
	if (d->n_first == 0 && in->data[0] != 0x1f) {
		fail(d, c, CNT_DECODE_BAD_DATA);
		return;
	}
	d->state = DECODE_FIRST;
}

int decode_next(struct decoder *d, struct span *io_in, uint8_t *out, struct span *ret_data,
		struct counters *c)
{
	*ret_data = SPAN_NONE;
	for (;;) {
		struct span replay = span_of(d->first + (2 - d->replay), d->replay);
		struct span *in = d->replay > 0 ? &replay : io_in;
		int got;

		if (d->state == DECODE_FIRST && !first_collect(d, io_in, c))
			return 0;
		if (d->state == DECODE_FIRST || (d->replay > 0 && replay.len == 0))
			continue;
		if (d->state == DECODE_HEADER) {
			if (!header_skip(d, io_in)) {
				fail(d, c, CNT_DECODE_BAD_DATA);
				d->replay = 2;
			} else if (d->state == DECODE_HEADER) {
				return 0;
			}
			continue;
		}
		if (d->state == DECODE_FAILED) {
			*ret_data = *in;
			if (d->replay > 0)
				d->replay = 0;
			else
				*io_in = SPAN_NONE;
			return ret_data->len > 0;
		}
		if (d->state == DECODE_BETWEEN) {
			if (io_in->len == 0)
				return 0;
			between(d, io_in, c);
			continue;
		}
		if (in->len == 0 && d->isal.avail_out != 0)
			return 0;
		got = inflate_some(d, in, out, ret_data);
		if (in == &replay)
			d->replay = (uint8_t)replay.len;
		if (got < 0)
			fail(d, c, CNT_DECODE_BAD_DATA);
		else if (d->out_bytes > DECODE_FREE_BYTES &&
			 d->out_bytes / DECODE_RATIO_MAX > d->in_bytes)
			fail(d, c, CNT_DECODE_LIMIT);
		if (ret_data->len > 0)
			return 1;
		if (got == 0 && in == io_in && io_in->len == 0)
			return 0;
	}
}

struct span decode_rest(struct decoder *d)
{
	struct span rest = SPAN_NONE;

	if (d->state == DECODE_FIRST)
		rest = span_of(d->first, d->n_first);
	d->n_first = 0;
	return rest;
}

// SPDX-License-Identifier: BSD-2-Clause
// One ISA-L state per direction. A block that says it is the last one (RFC 7692 7.2.3.4 allows it) makes ISA-L end the
// stream, and its window with it; what comes next starts afresh, on the next byte.
#include "dataplane/engine/ws_inflate.h"

static void restart(struct ws_inflate *z)
{
	isal_inflate_init(&z->isal);
	z->isal.crc_flag = ISAL_DEFLATE;
	z->more = 0;
}

void ws_inflate_init(struct ws_inflate *z, bool takeover)
{
	z->in_bytes = z->out_bytes = 0;
	z->failed = z->lost = 0;
	z->takeover = takeover;
	restart(z);
}

void ws_inflate_begin(struct ws_inflate *z)
{
	if (!z->takeover) {
		z->failed = z->lost = 0;
		restart(z);
	}
	z->failed = z->lost;
}

static void fail(struct ws_inflate *z, struct counters *c, enum counter why)
{
	c->v[why]++;
	z->failed = 1;
	z->lost = 1;
}

// The stream has ended: give back what ISA-L took from behind its end.
static void block_was_last(struct ws_inflate *z, size_t len)
{
	uint32_t used = (uint32_t)len - z->isal.avail_in;
	uint32_t ahead = z->isal.read_in_length > 0 ? (uint32_t)z->isal.read_in_length / 8 : 0;
	uint8_t *next = z->isal.next_in;
	uint32_t avail = z->isal.avail_in;

	ahead = ahead < used ? ahead : used;
	restart(z);
	z->isal.next_in = next - ahead;
	z->isal.avail_in = avail + ahead;
}

int ws_inflate_next(struct ws_inflate *z, struct span *io_in, uint8_t *out, struct span *ret_data,
		    struct counters *counters)
{
	*ret_data = SPAN_NONE;
	if (z->failed) {
		*ret_data = *io_in;
		*io_in = SPAN_NONE;
		return ret_data->len > 0;
	}
	while (io_in->len > 0 || z->more) {
		size_t len = io_in->len;
		int err;

		z->isal.next_in = (uint8_t *)(uintptr_t)io_in->data; // ISA-L does not write to it
		z->isal.avail_in = (uint32_t)len;
		z->isal.next_out = out;
		z->isal.avail_out = WS_INFLATE_PIECE;
		err = isal_inflate(&z->isal);
		*ret_data = span_of(out, WS_INFLATE_PIECE - z->isal.avail_out);
		z->more = z->isal.avail_out == 0;
		if (z->isal.block_state == ISAL_BLOCK_FINISH)
			block_was_last(z, len);
		z->in_bytes += len - z->isal.avail_in;
		z->out_bytes += ret_data->len;
		*io_in = span_from(*io_in, len - z->isal.avail_in);
		if (err < 0)
			fail(z, counters, CNT_WS_BAD_DATA);
		else if (z->out_bytes > WS_INFLATE_FREE_BYTES + WS_INFLATE_RATIO_MAX * z->in_bytes)
			fail(z, counters, CNT_WS_INFLATE_LIMIT);
		if (ret_data->len > 0)
			return 1;
		if (z->failed)
			return ws_inflate_next(z, io_in, out, ret_data, counters);
		if (z->isal.avail_in == len)
			break; // nothing came of nothing
	}
	return 0;
}

struct span ws_inflate_tail(const struct ws_inflate *z)
{
	static const uint8_t tail[4 + 64] = {0x00, 0x00, 0xff, 0xff};

	return z->failed ? SPAN_NONE : span_of(tail, 4);
}

void ws_inflate_gap(struct ws_inflate *z, struct counters *counters)
{
	if (!z->failed)
		fail(z, counters, CNT_WS_BAD_DATA);
}

// SPDX-License-Identifier: BSD-2-Clause
// One direction of a WebSocket. The first byte says how, the rest is handed over in pieces whose sizes come from the data, each
// in a block of its own so that a sanitizer sees the first byte read too far.
//
//   bit 0  compressed messages are agreed on    bit 2  bytes are missing here and there
//   bit 1  without context takeover             bit 3  all of it is one compressed message
#include <stdlib.h>
#include <string.h>

#include "dataplane/engine/ws.h"
#include "dataplane/engine/ws_inflate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t unmasked[WS_PIECE_BYTES + 64];
static uint8_t inflated[WS_INFLATE_PIECE + 64];
static struct ws_inflate inflater;
static struct counters counters;
static uint64_t in_bytes, out_bytes;

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void inflate_all(struct span in)
{
	struct span out;

	in_bytes += in.len;
	while (ws_inflate_next(&inflater, &in, inflated, &out, &counters) == 1) {
		require(out.len > 0);
		out_bytes += out.len;
	}
	require(in.len == 0);
	require(out_bytes <= WS_INFLATE_FREE_BYTES + WS_INFLATE_RATIO_MAX * in_bytes +
				     WS_INFLATE_PIECE + in_bytes);
}

// Returns the bytes of events.
static size_t piece(struct ws_half *h, struct span in, bool *io_compressed)
{
	const size_t len = in.len;
	struct ws_event ev;
	size_t said = 0, events = 0;

	while (ws_next(h, &in, unmasked, &counters, &ev) == 1) {
		require(++events <= 2 * len + 4);
		require(ev.kind != WS_EV_DATA || (ev.data.len > 0 && ws_in_message(h)));
		said += ev.data.len;
		if (ev.kind == WS_EV_BEGIN) {
			*io_compressed = ev.compressed;
			if (ev.compressed)
				ws_inflate_begin(&inflater);
		} else if (ev.kind == WS_EV_DATA && *io_compressed) {
			inflate_all(ev.data);
		} else if (ev.kind == WS_EV_END && *io_compressed) {
			inflate_all(ws_inflate_tail(&inflater));
			*io_compressed = false;
		}
	}
	require(in.len == 0);
	return said;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ws_half h;
	bool compressed = false;
	size_t said = 0;
	uint8_t how;

	if (size == 0)
		return 0;
	how = data[0];
	in_bytes = out_bytes = 0;
	memset(&counters, 0, sizeof(counters));
	ws_init(&h, (how & 1) != 0);
	ws_inflate_init(&inflater, (how & 2) == 0);
	ws_inflate_begin(&inflater);
	for (size_t at = 1; at < size;) {
		size_t len = 1 + (data[at] * 31u + at) % 97;
		uint8_t *copy;

		if (len > size - at)
			len = size - at;
		copy = malloc(len);
		require(copy != NULL);
		memcpy(copy, data + at, len);
		if ((how & 8) != 0)
			inflate_all(span_of(copy, len));
		else
			said += piece(&h, span_of(copy, len), &compressed);
		free(copy);
		at += len;
		if ((how & 4) != 0 && data[at - 1] % 3 == 0)
			ws_gap(&h, data[at - 1], &counters);
	}
	require(said <= size - 1);
	return 0;
}

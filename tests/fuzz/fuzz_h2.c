// SPDX-License-Identifier: BSD-2-Clause
// One direction of an HTTP/2 connection. The first byte says how, the rest is handed over in pieces whose sizes come from the
// data, each in a block of its own so that a sanitizer sees the first byte read too far.
//
//   bit 0  to the client               bit 3  no buffer to gather a head in
//   bit 1  behind a preface            bit 4  hardly any memory for header decompression
//   bit 2  bytes are missing           bit 5  a first SETTINGS frame is given
#include <stdlib.h>
#include <string.h>

#include "dataplane/engine/h2.h"
#include "dataplane/engine/http.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t gather_memory[HTTP_GATHER_BYTES];
static uint8_t chunk_memory[H2_CHUNKS_MAX * H2_CHUNK_BYTES];
static uint8_t head_memory[HTTP_GATHER_BYTES];
static struct http_head head;
static struct pool gathers, chunks;
static struct counters counters;
static struct h2_half half;
static struct h2_arena arena;
static struct h2_parser parser = {&gathers, &counters, head_memory};

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void check_head(const struct h2_event *ev, enum dir dir)
{
	enum dir of = ev->promised != 0 ? DIR_TO_SERVER : dir;

	require(ev->data.len <= HTTP_HEAD_MAX);
	if (ev->data.len == 0)
		return;
	require(ev->data.len >= 2 && memcmp(ev->data.data + ev->data.len - 2, "\r\n", 2) == 0);
	// Only its own empty line ends it.
	require(ev->data.len == 2 ||
		memmem(ev->data.data, ev->data.len - 2, "\r\n\r\n", 4) == NULL);
	if (!ev->has_start ||
	    http_head_parse(ev->data, of, HTTP_ANSWERS_OTHER, &counters, &head) < 0)
		return;
	require(head.raw.len == ev->data.len);
}

static size_t piece(struct span in, enum dir dir)
{
	const size_t len = in.len;
	struct h2_event ev;
	size_t bodies = 0, events = 0;

	while (h2_next(&half, &parser, &arena, &in, &ev) == 1) {
		require(++events <= 2 * len + 4);
		if (ev.kind == H2_EV_HEAD)
			check_head(&ev, dir);
		else
			bodies += ev.data.len;
		require(ev.kind != H2_EV_DATA || (ev.data.len > 0 && ev.stream != 0));
		require(ev.kind == H2_EV_RAW || half.state != H2_RAW);
	}
	require(in.len == 0);
	require(gathers.used <= 1);
	return bodies;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t settings[9] = {0, 0, 0, 4};
	size_t bodies = 0;
	uint32_t stream;
	enum dir dir;
	uint8_t how;

	if (size == 0)
		return 0;
	how = data[0];
	dir = (how & 1) != 0 ? DIR_TO_CLIENT : DIR_TO_SERVER;
	memset(&counters, 0, sizeof(counters));
	pool_init(&gathers, gather_memory, (how & 8) != 0 ? 0 : 1, HTTP_GATHER_BYTES);
	pool_init(&chunks, chunk_memory, (how & 16) != 0 ? 1 : H2_CHUNKS_MAX, H2_CHUNK_BYTES);
	h2_arena_init(&arena, &chunks);
	h2_init(&half, dir, (how & 2) != 0 ? H2_PREFACE_ALL : H2_PREFACE_NONE);
	if ((how & 32) != 0)
		piece(span_of(settings, sizeof(settings)), dir);
	for (size_t at = 1; at < size;) {
		size_t len = 1 + (data[at] * 31u + at) % 97;
		uint8_t *copy;

		if (data[at] % 5 == 0)
			len *= 64;
		if (len > size - at)
			len = size - at;
		copy = malloc(len);
		require(copy != NULL);
		memcpy(copy, data + at, len);
		bodies += piece(span_of(copy, len), dir);
		free(copy);
		at += len;
		if ((how & 4) != 0 && data[at - 1] % 3 == 0)
			h2_gap(&half, &parser, data[at - 1], &stream);
	}
	require(bodies <= size - 1 + sizeof(settings));
	h2_done(&half, &parser);
	h2_arena_done(&arena);
	require(gathers.used == 0 && chunks.used == 0);
	return 0;
}

// SPDX-License-Identifier: BSD-2-Clause
// A body in up to three codings. The first byte says which, the rest is decoded in one piece and again in pieces whose sizes
// come from the data, each in a block of its own. Where nothing was broken both must give the same bytes; in every case
// the budget holds, the steps are bounded by what goes in and comes out, and nothing stays taken.
//
//   bits 0-2, 3-5  enum http_coding of the first and second layer (0: none)     bit 6  a third one, as the second
//   bit 7          the flow has no free bytes left
#include <stdlib.h>
#include <string.h>

#include "dataplane/engine/decode.h"
#include "tests/fuzz/cost.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	INFLATES = 8,
	COST_PER_BYTE = 40, // of what goes in and comes out of any layer
	COST_FIXED = 4000,
};

struct result {
	uint64_t n;
	uint64_t sum; // FNV-1a of all output
	struct counters counters;
};

static struct decode_ctx ctx;
static struct counters counters;

static void require(bool holds)
{
	if (!holds)
		abort();
}

static int decode(struct decode_body *b, struct span *ret_out)
{
	int said;

	cost_counts = true;
	said = decode_next(&ctx, b, ret_out);
	cost_counts = false;
	return said;
}

static void drain(struct decode_body *b, struct result *r)
{
	struct span out;
	uint64_t steps = 0, before = b->out_bytes;

	while (decode(b, &out) == 1) {
		require(out.len > 0);
		for (size_t i = 0; i < out.len; i++)
			r->sum = (r->sum ^ out.data[i]) * UINT64_C(0x100000001b3);
		r->n += out.len;
		steps++;
	}
	require(b->out_bytes <= b->free_bytes + b->in_bytes * DECODE_RATIO_MAX);
	// A piece of output is no smaller than a byte, and what is as sent is not larger than what was sent.
	require(steps <= b->out_bytes - before + b->in_bytes + 3 * 4);
}

static void run(const uint8_t *data, size_t size, uint8_t how, bool whole, struct result *r)
{
	uint8_t codings[DECODE_LAYERS_MAX];
	unsigned int n = 0;
	uint32_t flow_free = (how & 0x80) != 0 ? 0 : DECODE_FLOW_BYTES;
	struct decode_body body;
	uint64_t out;

	if ((how & 7) != 0)
		codings[n++] = (how & 7) % (HTTP_CODING_OTHER + 1);
	if ((how >> 3 & 7) != 0)
		codings[n++] = (how >> 3 & 7) % (HTTP_CODING_OTHER + 1);
	if ((how & 0x40) != 0 && n == 2)
		codings[n++] = codings[1];
	memset(&counters, 0, sizeof(counters));
	cost_begin();
	*r = (struct result){.sum = UINT64_C(0xcbf29ce484222325)};
	decode_begin(&ctx, &body, codings, n, &flow_free);
	for (size_t at = 0, len; at < size; at += len) {
		uint8_t *copy;

		len = whole ? size : 1 + (data[at] * 31u + at) % 97;
		if (data[at] % 5 == 0)
			len *= 64;
		if (len > size - at)
			len = size - at;
		copy = malloc(len);
		require(copy != NULL);
		memcpy(copy, data + at, len);
		decode_feed(&body, span_of(copy, len));
		drain(&body, r);
		free(copy);
	}
	decode_end(&body);
	drain(&body, r);
	out = body.out_bytes;
	decode_done(&ctx, &body);
	cost_end(size + out, COST_PER_BYTE, COST_FIXED);
	require(decode_in_use(&ctx) == 0);
	require(ctx.arena.used_pages == 0);
	r->counters = counters;
}

static bool is_clean(const struct result *r)
{
	const uint64_t *v = r->counters.v;

	return v[CNT_DECODE_BAD_DATA] + v[CNT_DECODE_LIMIT] + v[CNT_DECODE_NO_STATE] +
		       v[CNT_DECODE_TRUNCATED] ==
	       0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void *memory;
	struct result whole, cut;

	if (size == 0)
		return 0;
	if (memory == NULL) {
		memory = aligned_alloc(64, (decode_memory(INFLATES) + 63) & ~(size_t)63);
		require(memory != NULL);
		decode_init(&ctx, memory, INFLATES, &counters);
	}
	run(data + 1, size - 1, data[0], true, &whole);
	run(data + 1, size - 1, data[0], false, &cut);
	if (is_clean(&whole) && is_clean(&cut))
		require(whole.n == cut.n && whole.sum == cut.sum);
	return 0;
}

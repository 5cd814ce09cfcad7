// SPDX-License-Identifier: BSD-2-Clause
// The layers of a body, one behind the other. The last one that has something to do works first, so that what a layer puts
// out is used up before it runs again: one piece of output per layer is all the memory between them.
#include "dataplane/engine/decode.h"

#include "dataplane/engine/decode_impl.h"

#include <isa-l/igzip_lib.h>

_Static_assert((int)DECODE_LAYERS_MAX >= (int)HTTP_CODINGS_MAX, "a layer per coding");

static size_t round64(size_t n)
{
	return (n + 63) & ~(size_t)63;
}

static size_t arena_bytes(uint32_t n_inflates)
{
	size_t bytes = (size_t)n_inflates * DECODE_ARENA_BYTES;

	return bytes < DECODE_ARENA_MAX ? bytes : DECODE_ARENA_MAX;
}

// A body has three layers at most, and seldom more than one.
static uint32_t n_decoders(uint32_t n_inflates)
{
	return 2 * n_inflates;
}

size_t decode_memory(uint32_t n_inflates)
{
	return DECODE_LAYERS_MAX * round64(DECODE_OUT_BYTES + DECODE_PAD_BYTES) +
	       n_decoders(n_inflates) * round64(sizeof(struct decoder)) +
	       n_inflates * round64(sizeof(struct inflate_state)) +
	       arena_memory(arena_bytes(n_inflates));
}

void decode_init(struct decode_ctx *x, void *mem, uint32_t n_inflates, struct counters *counters)
{
	const uint32_t decoder_bytes = (uint32_t)round64(sizeof(struct decoder));
	const uint32_t inflate_bytes = (uint32_t)round64(sizeof(struct inflate_state));
	uint8_t *at = mem;

	x->counters = counters;
	for (int i = 0; i < DECODE_LAYERS_MAX; i++) {
		x->out[i] = at;
		at += round64(DECODE_OUT_BYTES + DECODE_PAD_BYTES);
	}
	pool_init(&x->decoders, at, n_decoders(n_inflates), decoder_bytes);
	at += (size_t)n_decoders(n_inflates) * decoder_bytes;
	pool_init(&x->inflates, at, n_inflates, inflate_bytes);
	at += (size_t)n_inflates * inflate_bytes;
	arena_init(&x->arena, at, arena_bytes(n_inflates));
}

uint32_t decode_in_use(const struct decode_ctx *x)
{
	return x->decoders.used + x->inflates.used + x->arena.n_runs;
}

void decode_begin(struct decode_ctx *x, struct decode_body *b, const uint8_t *codings,
		  unsigned int n, uint32_t *io_free)
{
	memset(b, 0, sizeof(*b));
	b->io_free = io_free;
	b->free_bytes = *io_free < DECODE_FREE_BYTES ? *io_free : DECODE_FREE_BYTES;
	for (unsigned int i = 0; i < n && b->n_layers < DECODE_LAYERS_MAX; i++) {
		struct decoder *d = pool_get(&x->decoders);

		if (d == NULL) {
			x->counters->v[CNT_DECODE_NO_STATE]++;
			b->as_is = b->gave_up = true;
			return;
		}
		memset(d, 0, sizeof(*d));
		d->coding = codings[i];
		b->layer[b->n_layers++] = d;
		x->counters->v[d->coding == HTTP_CODING_OTHER ? CNT_DECODE_UNSUPPORTED
							      : CNT_DECODE_STARTED]++;
	}
}

void decode_feed(struct decode_body *b, struct span piece)
{
	b->in[0] = piece;
	b->in_bytes += piece.len;
}

void decode_end(struct decode_body *b)
{
	b->ended = true;
}

void decode_gap(struct decode_body *b)
{
	if (b->n_layers > 0)
		b->as_is = true;
	for (int i = 0; i < b->n_layers; i++)
		b->layer[i]->state = DECODE_AS_SENT;
}

int decode_next(struct decode_ctx *x, struct decode_body *b, struct span *ret_data)
{
	int i = b->n_layers - 1;

	if (i < 0) {
		*ret_data = b->in[0];
		b->in[0] = SPAN_NONE;
		return ret_data->len > 0;
	}
	b->layer[0]->ended = b->ended;
	while (i >= 0) {
		struct span out;

		if (layer_next(x, b, (unsigned int)i, &out) == 1) {
			if (i == b->n_layers - 1) {
				*ret_data = out;
				return 1;
			}
			b->in[++i] = out;
		} else if (b->layer[i]->ended && i + 1 < b->n_layers && !b->layer[i + 1]->ended) {
			b->layer[++i]->ended = true; // what it still holds comes out
		} else {
			i--;
		}
	}
	return 0;
}

void decode_done(struct decode_ctx *x, struct decode_body *b)
{
	uint64_t paid = b->in_bytes * DECODE_RATIO_MAX;

	if (b->out_bytes > paid && b->io_free != NULL) {
		uint64_t used = b->out_bytes - paid;

		*b->io_free -= used < *b->io_free ? (uint32_t)used : *b->io_free;
	}
	for (int i = 0; i < b->n_layers; i++) {
		uint8_t state = b->layer[i]->state;

		if (b->ended && (state == DECODE_HEADER || state == DECODE_DATA))
			x->counters->v[CNT_DECODE_TRUNCATED]++;
		engine_close(x, b->layer[i]);
		pool_put(&x->decoders, b->layer[i]);
	}
	memset(b, 0, sizeof(*b));
}

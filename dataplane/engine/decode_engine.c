// SPDX-License-Identifier: BSD-2-Clause
// The libraries behind the codings: ISA-L for DEFLATE, libbrotlidec, libzstd. States come from the pool or the arena of the
// worker; nothing is allocated elsewhere.
#define ZSTD_STATIC_LINKING_ONLY // for ZSTD_createDCtx_advanced(), which takes an allocator
#include "dataplane/engine/decode_impl.h"
#include "dataplane/engine/tap.h"

#include <brotli/decode.h>
#include <errno.h>
#include <isa-l/igzip_lib.h>
#include <zstd.h>

static void *heap_alloc(void *arena, size_t size)
{
	return arena_alloc(arena, size);
}

static void heap_free(void *arena, void *p)
{
	arena_free(arena, p);
}

static int deflate_open(struct decode_ctx *x, struct decoder *d, uint32_t checksum)
{
	d->isal = pool_get(&x->inflates);
	if (d->isal == NULL)
		return -ENOBUFS;
	isal_inflate_init(d->isal);
	d->isal->crc_flag = checksum;
	if (x->tap != NULL)
		tap_put(x->tap, (uintptr_t)d, TAP_DEFLATE, 0, false, SPAN_NONE);
	return 0;
}

int engine_open(struct decode_ctx *x, struct decoder *d, enum decode_engine engine)
{
	const ZSTD_customMem mem = {heap_alloc, heap_free, &x->arena};
	int err = 0;

	engine_close(x, d);
	switch (engine) {
	case ENGINE_NONE:
		break;
	case ENGINE_GZIP:
		err = deflate_open(x, d, ISAL_GZIP_NO_HDR);
		break;
	case ENGINE_ZLIB:
		err = deflate_open(x, d, ISAL_ZLIB_NO_HDR);
		break;
	case ENGINE_RAW:
		err = deflate_open(x, d, ISAL_DEFLATE);
		break;
	case ENGINE_BR:
		d->br = BrotliDecoderCreateInstance(heap_alloc, heap_free, &x->arena);
		err = d->br == NULL ? -ENOBUFS : 0;
		break;
	case ENGINE_ZSTD:
		d->zstd = ZSTD_createDCtx_advanced(mem);
		if (d->zstd == NULL)
			return -ENOBUFS;
		ZSTD_DCtx_setParameter(d->zstd, ZSTD_d_windowLogMax, DECODE_ZSTD_WINDOW_LOG);
		break;
	}
	if (err == 0)
		d->engine = (uint8_t)engine;
	return err;
}

void engine_close(struct decode_ctx *x, struct decoder *d)
{
	switch ((enum decode_engine)d->engine) {
	case ENGINE_NONE:
		break;
	case ENGINE_GZIP:
	case ENGINE_ZLIB:
	case ENGINE_RAW:
		pool_put(&x->inflates, d->isal);
		break;
	case ENGINE_BR:
		BrotliDecoderDestroyInstance(d->br);
		break;
	case ENGINE_ZSTD:
		ZSTD_freeDCtx(d->zstd);
		break;
	}
	d->engine = ENGINE_NONE;
	d->more = false;
}

// Behind the end ISA-L has looked ahead, perhaps into bytes of the piece before. They are in its bit buffer.
static void lookahead_return(struct decoder *d, const struct span before, struct span *in)
{
	struct inflate_state *s = d->isal;
	uint32_t n = s->read_in_length > 0 ? (uint32_t)s->read_in_length / 8 : 0;
	size_t used = before.len - in->len;
	bool in_hold = before.data >= d->hold && before.data < d->hold + sizeof(d->hold);

	if (n <= used || in_hold) { // what is held is all there is since the beginning
		*in = span_of(before.data + used - n, in->len + n);
	} else {
		uint64_t bits = s->read_in >> (s->read_in_length % 8);

		d->hold_at = 0;
		d->n_hold = (uint16_t)n;
		for (uint32_t i = 0; i < n; i++, bits >>= 8)
			d->hold[i] = (uint8_t)bits;
	}
	s->read_in_length = 0;
}

static int deflate_run(struct decode_ctx *x, struct decoder *d, struct span *io_in, uint8_t *out,
		       size_t size, size_t *ret_n)
{
	const struct span before = *io_in;
	struct inflate_state *s = d->isal;
	int err;

	s->next_in = (uint8_t *)(uintptr_t)io_in->data; // it does not write to it
	s->avail_in = (uint32_t)io_in->len;
	s->next_out = out;
	s->avail_out = (uint32_t)size;
	err = isal_inflate(s);
	*ret_n = size - s->avail_out;
	*io_in = span_from(*io_in, io_in->len - s->avail_in);
	if (x->tap != NULL && before.len > io_in->len)
		tap_put(x->tap, (uintptr_t)d, TAP_DEFLATE, 0, false,
			span_first(before, before.len - io_in->len));
	if (err < 0)
		return -EBADMSG;
	if (s->block_state != ISAL_BLOCK_FINISH)
		return ENGINE_GOES_ON;
	lookahead_return(d, before, io_in);
	return ENGINE_ENDED;
}

static int br_run(struct decode_ctx *x, struct decoder *d, struct span *io_in, uint8_t *out,
		  size_t size, size_t *ret_n)
{
	const uint8_t *in = io_in->data;
	size_t n_in = io_in->len, n_out = size;
	uint32_t refused = x->arena.refused;
	BrotliDecoderResult got =
		BrotliDecoderDecompressStream(d->br, &n_in, &in, &n_out, &out, NULL);

	*ret_n = size - n_out;
	*io_in = span_from(*io_in, io_in->len - n_in);
	if (got == BROTLI_DECODER_RESULT_ERROR)
		return x->arena.refused != refused ? -ENOBUFS : -EBADMSG;
	return got == BROTLI_DECODER_RESULT_SUCCESS ? ENGINE_ENDED : ENGINE_GOES_ON;
}

static int zstd_run(struct decode_ctx *x, struct decoder *d, struct span *io_in, uint8_t *out,
		    size_t size, size_t *ret_n)
{
	ZSTD_inBuffer in = {io_in->data, io_in->len, 0};
	ZSTD_outBuffer to = {out, size, 0};
	uint32_t refused = x->arena.refused;
	size_t got = ZSTD_decompressStream(d->zstd, &to, &in);

	*ret_n = to.pos;
	*io_in = span_from(*io_in, in.pos);
	if (ZSTD_isError(got))
		return x->arena.refused != refused ? -ENOBUFS : -EBADMSG;
	return got == 0 ? ENGINE_ENDED : ENGINE_GOES_ON;
}

int engine_run(struct decode_ctx *x, struct decoder *d, struct span *io_in, uint8_t *out,
	       size_t size, size_t *ret_n)
{
	static const uint8_t nothing;

	*ret_n = 0;
	if (io_in->data == NULL)
		io_in->data = &nothing;
	switch ((enum decode_engine)d->engine) {
	case ENGINE_GZIP:
	case ENGINE_ZLIB:
	case ENGINE_RAW:
		return deflate_run(x, d, io_in, out, size, ret_n);
	case ENGINE_BR:
		return br_run(x, d, io_in, out, size, ret_n);
	case ENGINE_ZSTD:
		return zstd_run(x, d, io_in, out, size, ret_n);
	case ENGINE_NONE:
		break;
	}
	return -EBADMSG;
}

uint32_t engine_checksum(const struct decoder *d)
{
	return d->isal->crc;
}

// SPDX-License-Identifier: BSD-2-Clause
// The linker leads the calls of our code here (--wrap, see meson.build). clang sets a call of __sanitizer_cov_trace_pc() on every
// branch; libFuzzer has one of its own that does nothing.
#include "tests/fuzz/cost.h"

#include <isa-l/igzip_lib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <brotli/decode.h>
#include <zstd.h>

enum {
	STEP_BYTES = 16,
	CALL_STEPS = 4,
	DEARNESS = 64, // classes, four to a doubling of steps per byte
	SANITIZED = 8, // every check of a sanitizer is a branch, too
};

uint64_t cost_steps;
bool cost_counts;

// libFuzzer takes an input that sets a byte here for the first time for one that covers something new.
__attribute__((section("__libfuzzer_extra_counters"))) static uint8_t dearness[DEARNESS];

static void bytes_pass(size_t n)
{
	if (cost_counts)
		cost_steps += CALL_STEPS + n / STEP_BYTES;
}

void __wrap___sanitizer_cov_trace_pc(void);
void __wrap___sanitizer_cov_trace_pc(void)
{
	cost_steps += cost_counts;
}

void *__real_memcpy(void *to, const void *from, size_t n);
void *__wrap_memcpy(void *to, const void *from, size_t n);
void *__wrap_memcpy(void *to, const void *from, size_t n)
{
	bytes_pass(n);
	return __real_memcpy(to, from, n);
}

void *__real_memmove(void *to, const void *from, size_t n);
void *__wrap_memmove(void *to, const void *from, size_t n);
void *__wrap_memmove(void *to, const void *from, size_t n)
{
	bytes_pass(n);
	return __real_memmove(to, from, n);
}

void *__real_memset(void *to, int c, size_t n);
void *__wrap_memset(void *to, int c, size_t n);
void *__wrap_memset(void *to, int c, size_t n)
{
	bytes_pass(n);
	return __real_memset(to, c, n);
}

// Up to where it looked.
void *__real_memchr(const void *in, int c, size_t n);
void *__wrap_memchr(const void *in, int c, size_t n);
void *__wrap_memchr(const void *in, int c, size_t n)
{
	uint8_t *at = __real_memchr(in, c, n);

	bytes_pass(at != NULL ? (size_t)(at - (const uint8_t *)in) : n);
	return at;
}

int __real_isal_inflate(struct inflate_state *s);
int __wrap_isal_inflate(struct inflate_state *s);
int __wrap_isal_inflate(struct inflate_state *s)
{
	const uint32_t in = s->avail_in, out = s->avail_out;
	const int said = __real_isal_inflate(s);

	bytes_pass(in - s->avail_in + out - s->avail_out);
	return said;
}

BrotliDecoderResult __real_BrotliDecoderDecompressStream(BrotliDecoderState *s, size_t *n_in,
							 const uint8_t **in, size_t *n_out,
							 uint8_t **out, size_t *total);
BrotliDecoderResult __wrap_BrotliDecoderDecompressStream(BrotliDecoderState *s, size_t *n_in,
							 const uint8_t **in, size_t *n_out,
							 uint8_t **out, size_t *total);
BrotliDecoderResult __wrap_BrotliDecoderDecompressStream(BrotliDecoderState *s, size_t *n_in,
							 const uint8_t **in, size_t *n_out,
							 uint8_t **out, size_t *total)
{
	const size_t before = *n_in + *n_out;
	const BrotliDecoderResult said =
		__real_BrotliDecoderDecompressStream(s, n_in, in, n_out, out, total);

	bytes_pass(before - *n_in - *n_out);
	return said;
}

size_t __real_ZSTD_decompressStream(ZSTD_DStream *s, ZSTD_outBuffer *out, ZSTD_inBuffer *in);
size_t __wrap_ZSTD_decompressStream(ZSTD_DStream *s, ZSTD_outBuffer *out, ZSTD_inBuffer *in);
size_t __wrap_ZSTD_decompressStream(ZSTD_DStream *s, ZSTD_outBuffer *out, ZSTD_inBuffer *in)
{
	const size_t before = in->pos + out->pos;
	const size_t said = __real_ZSTD_decompressStream(s, out, in);

	bytes_pass(in->pos + out->pos - before);
	return said;
}

void cost_begin(void)
{
	cost_steps = 0;
}

// Four classes to a doubling.
static unsigned int class_of(uint64_t steps, size_t bytes)
{
	uint64_t x = steps * 16 / (bytes + 16) + 4;
	unsigned int log = 63 - (unsigned int)__builtin_clzll(x);
	unsigned int class = (log - 2) * 4 + (unsigned int)(x >> (log - 2) & 3);

	return class < DEARNESS ? class : DEARNESS - 1;
}

void cost_end(size_t bytes, uint64_t per_byte, uint64_t fixed)
{
	const uint64_t most = (fixed + per_byte * bytes) * (COST_SANITIZED ? SANITIZED : 1);

	dearness[class_of(cost_steps, bytes)] = 1;
	if (cost_steps <= most)
		return;
	fprintf(stderr, "%zu bytes cost %llu steps, more than %llu\n", bytes,
		(unsigned long long)cost_steps, (unsigned long long)most);
	abort();
}

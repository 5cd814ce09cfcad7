// SPDX-License-Identifier: BSD-2-Clause
// Encoded bodies and a decoder that is fed in pieces; for tests of engine/decode.
#ifndef TESTS_DECODEKIT_H
#define TESTS_DECODEKIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <brotli/encode.h>
#include <zlib.h>
#include <zstd.h>

#include "dataplane/engine/decode.h"
#include "tests/unit/guard.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

enum {
	ROOM = 4 << 20,
	INFLATES = 160, // 20 MiB for br and zstd: one window of 8 and one of 16 MiB
	WRAP_ZLIB = 15, // window bits as zlib wants them
	WRAP_RAW = -15,
	WRAP_GZIP = 15 + 16,
	HOLD = 256, // see decode_impl.h
};

struct bytes {
	uint8_t *p;
	size_t n;
};

static struct guard guard;
static struct decode_ctx ctx;
static void *memory;
static struct decode_body body;
static uint32_t flow_free;
static struct bytes plain, packed, got;
static struct counters counters;
static bool was_as_is;

static inline int setup(void **state)
{
	guard_init(&guard, ROOM);
	memory = aligned_alloc(64, (decode_memory(INFLATES) + 63) & ~(size_t)63);
	plain.p = malloc(ROOM);
	packed.p = malloc(ROOM);
	got.p = malloc(ROOM);
	if (memory == NULL || plain.p == NULL || packed.p == NULL || got.p == NULL)
		return 1;
	decode_init(&ctx, memory, INFLATES, &counters);
	return 0;
}

static inline int teardown(void **state)
{
	guard_done(&guard);
	free(memory);
	free(plain.p);
	free(packed.p);
	free(got.p);
	return 0;
}

static inline void put(struct bytes *b, const void *data, size_t n)
{
	assert_true(b->n + n <= ROOM);
	memcpy(b->p + b->n, data, n);
	b->n += n;
}

// Some text, some noise, some runs.
static inline void plain_make(size_t n, uint32_t seed)
{
	uint64_t rnd = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;

	plain.n = 0;
	while (plain.n < n) {
		char line[64];
		size_t len;

		rnd ^= rnd << 13;
		rnd ^= rnd >> 7;
		rnd ^= rnd << 17;
		len = (size_t)snprintf(line, sizeof(line), "<p class=\"c%u\">%llx</p>\n",
				       (unsigned int)(rnd % 7), (unsigned long long)rnd);
		if (rnd % 11 == 0)
			memset(line, 'z', len);
		put(&plain, line, len < n - plain.n ? len : n - plain.n);
	}
}

static inline void pack(int wrap, int level, const uint8_t *data, size_t n)
{
	z_stream z = {.next_in = (uint8_t *)(uintptr_t)data,
		      .avail_in = (uInt)n,
		      .next_out = packed.p + packed.n,
		      .avail_out = (uInt)(ROOM - packed.n)};

	assert_int_equal(deflateInit2(&z, level, Z_DEFLATED, wrap, 8, Z_DEFAULT_STRATEGY), Z_OK);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	packed.n += z.total_out;
	deflateEnd(&z);
}

static inline void pack_br(int quality, int window, const uint8_t *data, size_t n)
{
	size_t size = ROOM - packed.n;

	assert_true(BrotliEncoderCompress(quality, window, BROTLI_MODE_GENERIC, n, data, &size,
					  packed.p + packed.n));
	packed.n += size;
}

static inline void pack_zstd(int level, const uint8_t *data, size_t n)
{
	size_t size = ZSTD_compress(packed.p + packed.n, ROOM - packed.n, data, n, level);

	assert_false(ZSTD_isError(size));
	packed.n += size;
}

static inline void drain(void)
{
	struct span out;
	size_t calls = 0;

	while (decode_next(&ctx, &body, &out) == 1) {
		assert_true(out.len > 0);
		put(&got, out.data, out.len);
		assert_true(++calls < 16 + ROOM / 256);
	}
	assert_int_equal(decode_next(&ctx, &body, &out), 0);
}

// Decode packed in pieces of size bytes, all of whose layers are given.
static inline void decode_layers(const uint8_t *codings, unsigned int n, size_t size)
{
	memset(&counters, 0, sizeof(counters));
	flow_free = DECODE_FLOW_BYTES;
	got.n = 0;
	decode_begin(&ctx, &body, codings, n, &flow_free);
	for (size_t at = 0; at < packed.n; at += size) {
		size_t len = size < packed.n - at ? size : packed.n - at;

		decode_feed(&body, span_of(guard_put(&guard, packed.p + at, len, 0), len));
		drain();
		guard_put(&guard, NULL, 0, 0); // nothing of it is needed any more
	}
	decode_end(&body);
	drain();
	was_as_is = body.as_is;
	decode_done(&ctx, &body);
	assert_int_equal(decode_in_use(&ctx), 0);
}

static inline void decode(enum http_coding coding, size_t size)
{
	const uint8_t one = (uint8_t)coding;

	decode_layers(&one, 1, size);
}

static inline void expect_got(const uint8_t *want, size_t n)
{
	assert_int_equal(got.n, n);
	assert_memory_equal(got.p, want, n);
}

enum packer { PACK_GZIP, PACK_ZLIB, PACK_RAW, PACK_BR, PACK_ZSTD };

static const struct {
	const char *name;
	enum packer packer;
	enum http_coding coding;
} kinds[] = {
	{"gzip", PACK_GZIP, HTTP_CODING_GZIP},
	{"zlib", PACK_ZLIB, HTTP_CODING_DEFLATE},
	{"raw", PACK_RAW, HTTP_CODING_DEFLATE},
	{"br", PACK_BR, HTTP_CODING_BR},
	{"zstd", PACK_ZSTD, HTTP_CODING_ZSTD},
	// labels that lie
	{"gzip labelled deflate", PACK_GZIP, HTTP_CODING_DEFLATE},
	{"gzip labelled br", PACK_GZIP, HTTP_CODING_BR},
	{"gzip labelled zstd", PACK_GZIP, HTTP_CODING_ZSTD},
	{"gzip labelled so that nobody knows", PACK_GZIP, HTTP_CODING_OTHER},
	{"zlib labelled gzip", PACK_ZLIB, HTTP_CODING_GZIP},
	{"raw labelled gzip", PACK_RAW, HTTP_CODING_GZIP},
	{"zstd labelled gzip", PACK_ZSTD, HTTP_CODING_GZIP},
	{"zstd labelled br", PACK_ZSTD, HTTP_CODING_BR},
};

// effort: 0 to 9
static inline void pack_as(enum packer packer, int effort, const uint8_t *data, size_t n)
{
	static const int wraps[] = {
		[PACK_GZIP] = WRAP_GZIP, [PACK_ZLIB] = WRAP_ZLIB, [PACK_RAW] = WRAP_RAW};

	if (packer == PACK_BR)
		pack_br(effort, 16 + effort % 3 * 4, data, n);
	else if (packer == PACK_ZSTD)
		pack_zstd(effort, data, n);
	else
		pack(wraps[packer], effort, data, n);
}

static inline void expect_quiet(void)
{
	assert_int_equal(counters.v[CNT_DECODE_BAD_DATA], 0);
	assert_int_equal(counters.v[CNT_DECODE_BAD_CHECKSUM], 0);
	assert_int_equal(counters.v[CNT_DECODE_LIMIT], 0);
	assert_int_equal(counters.v[CNT_DECODE_JUNK], 0);
	assert_int_equal(counters.v[CNT_DECODE_TRUNCATED], 0);
	assert_int_equal(counters.v[CNT_DECODE_NO_STATE], 0);
	assert_false(was_as_is);
}

#endif

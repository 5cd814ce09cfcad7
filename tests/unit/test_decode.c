// SPDX-License-Identifier: BSD-2-Clause
// Content decoding against zlib, brotli and zstd: what they decode comes out the same, however the bytes are cut; what they
// refuse ends decoding without ending inspection.
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

static int setup(void **state)
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

static int teardown(void **state)
{
	guard_done(&guard);
	free(memory);
	free(plain.p);
	free(packed.p);
	free(got.p);
	return 0;
}

static void put(struct bytes *b, const void *data, size_t n)
{
	assert_true(b->n + n <= ROOM);
	memcpy(b->p + b->n, data, n);
	b->n += n;
}

// Some text, some noise, some runs.
static void plain_make(size_t n, uint32_t seed)
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

static void pack(int wrap, int level, const uint8_t *data, size_t n)
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

static void pack_br(int quality, int window, const uint8_t *data, size_t n)
{
	size_t size = ROOM - packed.n;

	assert_true(BrotliEncoderCompress(quality, window, BROTLI_MODE_GENERIC, n, data, &size,
					  packed.p + packed.n));
	packed.n += size;
}

static void pack_zstd(int level, const uint8_t *data, size_t n)
{
	size_t size = ZSTD_compress(packed.p + packed.n, ROOM - packed.n, data, n, level);

	assert_false(ZSTD_isError(size));
	packed.n += size;
}

static void drain(void)
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
static void decode_layers(const uint8_t *codings, unsigned int n, size_t size)
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

static void decode(enum http_coding coding, size_t size)
{
	const uint8_t one = (uint8_t)coding;

	decode_layers(&one, 1, size);
}

static void expect_got(const uint8_t *want, size_t n)
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
static void pack_as(enum packer packer, int effort, const uint8_t *data, size_t n)
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

static void expect_quiet(void)
{
	assert_int_equal(counters.v[CNT_DECODE_BAD_DATA], 0);
	assert_int_equal(counters.v[CNT_DECODE_BAD_CHECKSUM], 0);
	assert_int_equal(counters.v[CNT_DECODE_LIMIT], 0);
	assert_int_equal(counters.v[CNT_DECODE_JUNK], 0);
	assert_int_equal(counters.v[CNT_DECODE_TRUNCATED], 0);
	assert_int_equal(counters.v[CNT_DECODE_NO_STATE], 0);
	assert_false(was_as_is);
}

// Every coding, every level of effort, pieces of every size.
static void test_kinds(void **state)
{
	static const size_t sizes[] = {1, 2, 3, 7, 100, 255, 256, 257, 1460, ROOM};
	static const size_t lengths[] = {1, 2, 300, 70000};

	for (size_t k = 0; k < N(kinds); k++) {
		for (size_t l = 0; l < N(lengths); l++) {
			for (int level = 0; level <= 9; level += 3) {
				plain_make(lengths[l], (uint32_t)(l + k));
				packed.n = 0;
				pack_as(kinds[k].packer, level, plain.p, plain.n);
				for (size_t s = 0; s < N(sizes); s++) {
					decode(kinds[k].coding, sizes[s]);
					if (got.n != plain.n)
						print_error("%s %zu level %d by %zu: %zu\n",
							    kinds[k].name, lengths[l], level,
							    sizes[s], got.n);
					expect_got(plain.p, plain.n);
					expect_quiet();
				}
			}
		}
	}
}

// Nothing at all, encoded: nothing comes out, unless it may as well be something else.
static void test_empty(void **state)
{
	for (size_t k = 0; k < N(kinds); k++) {
		packed.n = 0;
		pack_as(kinds[k].packer, 6, plain.p, 0);
		for (size_t size = 1; size <= packed.n; size++) {
			decode(kinds[k].coding, size);
			assert_int_equal(got.n, 0);
			expect_quiet();
		}
		packed.n = 0;
		decode(kinds[k].coding, 1);
		assert_int_equal(got.n, 0);
		expect_quiet();
	}
}

// Every way to put one coding into another one, and three of them.
static void test_nested(void **state)
{
	static const size_t sizes[] = {1, 5, 333, 1460, ROOM};
	static struct bytes inner;
	uint8_t codings[DECODE_LAYERS_MAX];

	inner.p = malloc(ROOM);
	assert_non_null(inner.p);
	for (size_t k = 0; k < 5 * 5 * 5; k++) {
		const size_t order[] = {k % 5, k / 5 % 5, k / 25};

		plain_make(3000 + 977 * k, (uint32_t)k);
		inner.n = 0;
		put(&inner, plain.p, plain.n);
		for (size_t i = 0; i < N(order); i++) {
			packed.n = 0;
			pack_as(kinds[order[i]].packer, 6, inner.p, inner.n);
			inner.n = 0;
			put(&inner, packed.p, packed.n);
			codings[N(order) - 1 - i] = (uint8_t)kinds[order[i]].coding;
		}
		for (size_t s = 0; s < N(sizes); s++) {
			decode_layers(codings, N(order), sizes[s]);
			expect_got(plain.p, plain.n);
			expect_quiet();
		}
	}
	free(inner.p);
}

// More codings are announced than there are: what is plain passes through those that are not there. HTTP Evader 158 to 170.
static void test_nested_less(void **state)
{
	const uint8_t codings[] = {HTTP_CODING_DEFLATE, HTTP_CODING_OTHER, HTTP_CODING_GZIP};

	plain_make(700, 3);
	for (size_t k = 0; k < 3; k++) {
		packed.n = 0;
		pack_as(kinds[k].packer, 6, plain.p, plain.n);
		for (size_t size = 1; size <= packed.n; size += 1 + size / 8) {
			decode_layers(codings, N(codings), size);
			expect_got(plain.p, plain.n);
		}
	}
	packed.n = 0;
	put(&packed, plain.p, plain.n);
	for (size_t size = 1; size <= packed.n; size += 1 + size / 8) {
		decode_layers(codings, N(codings), size);
		expect_got(plain.p, plain.n);
		assert_int_equal(counters.v[CNT_DECODE_UNSUPPORTED], 1);
		assert_int_equal(counters.v[CNT_DECODE_BAD_DATA], 2);
		assert_true(was_as_is);
	}
}

// Every combination of gzip's header fields: extra (of no bytes, too), name, comment, checksum of the header; then with the
// flags that are reserved, as browsers take them.
static void test_gzip_header_fields(void **state)
{
	for (int flags = 0; flags < 32; flags++) {
		gz_header h = {.text = 1};
		z_stream z = {.next_out = packed.p, .avail_out = ROOM};

		h.hcrc = (flags & 1) != 0;
		h.name = (flags & 2) != 0 ? (Bytef *)(uintptr_t) "a name" : NULL;
		h.comment = (flags & 4) != 0 ? (Bytef *)(uintptr_t) "" : NULL;
		h.extra = (flags & 8) != 0 ? (Bytef *)(uintptr_t) "extra" : NULL;
		h.extra_len = (flags & 16) != 0 ? 5 : 0;
		plain_make(60, (uint32_t)flags);
		z.next_in = plain.p;
		z.avail_in = (uInt)plain.n;
		assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, WRAP_GZIP, 8, Z_DEFAULT_STRATEGY),
				 Z_OK);
		assert_int_equal(deflateSetHeader(&z, &h), Z_OK);
		assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
		packed.n = z.total_out;
		deflateEnd(&z);
		for (int reserved = 0; reserved < 8; reserved++) {
			packed.p[3] = (uint8_t)((packed.p[3] & 0x1f) | reserved << 5);
			for (size_t size = 1; size <= packed.n; size += 1 + (size_t)reserved) {
				decode(HTTP_CODING_GZIP, size);
				expect_got(plain.p, plain.n);
				expect_quiet();
			}
		}
	}
}

// A gzip body may have several members, one after the other; zstd several frames, some of them to be skipped.
static void test_members(void **state)
{
	plain_make(900, 5);
	packed.n = 0;
	pack(WRAP_GZIP, 6, plain.p, 300);
	pack(WRAP_GZIP, 0, plain.p + 300, 0);
	pack(WRAP_GZIP, 9, plain.p + 300, 600);
	for (size_t size = 1; size <= packed.n; size++) {
		decode(HTTP_CODING_GZIP, size);
		expect_got(plain.p, plain.n);
		expect_quiet();
	}
	packed.n = 0;
	put(&packed, "\x5a\x2a\x4d\x18\x03\0\0\0abc", 11);
	pack_zstd(3, plain.p, 300);
	put(&packed, "\x50\x2a\x4d\x18\0\0\0\0", 8);
	pack_zstd(9, plain.p + 300, 600);
	for (size_t size = 1; size <= packed.n; size++) {
		decode(HTTP_CODING_ZSTD, size);
		expect_got(plain.p, plain.n);
		expect_quiet();
	}
}

// A header that is refused, and what looks like frames of zstd 0.5 and 0.7 behind it: nobody decodes those, as sent.
static void test_zstd_of_old(void **state)
{
	static const struct span bodies[] = {
		{(const uint8_t *)"\x28\xb5\x2f\xfd\x28\x27\xb5\x2f\xfd\x02\xfd\x8b\x0d", 13},
		{(const uint8_t *)"\x28\xb5\x2f\xfd\x00\xff\x25\xb5\x2f\xfd\x02\xfd\x8b\x0d", 14},
	};

	for (size_t i = 0; i < N(bodies); i++) {
		packed.n = plain.n = 0;
		put(&packed, bodies[i].data, bodies[i].len);
		put(&plain, bodies[i].data, bodies[i].len);
		for (size_t size = 1; size <= packed.n; size++) {
			decode(HTTP_CODING_ZSTD, size);
			expect_got(plain.p, plain.n);
			assert_true(was_as_is);
			assert_int_equal(counters.v[CNT_DECODE_BAD_DATA], 1);
		}
	}
}

// What stands behind the end is handed on as it is, to its last byte, wherever it is cut.
static void test_junk_behind(void **state)
{
	static const char *const junk[] = {
		"j",       "junk behind the end", "\x1f", "\x1f\x8a is no member", "\x28\xb5\x2f",
		"\x1f\x8b"};

	for (size_t k = 0; k < N(kinds); k++) {
		for (size_t j = 0; j < N(junk); j++) {
			plain_make(300, 7);
			packed.n = 0;
			pack_as(kinds[k].packer, 6, plain.p, plain.n);
			put(&packed, junk[j], strlen(junk[j]));
			put(&plain, junk[j], strlen(junk[j]));
			for (size_t size = 1; size <= packed.n; size++) {
				decode(kinds[k].coding, size);
				if (got.n != plain.n)
					print_error("%s, junk %zu by %zu: %zu of %zu\n",
						    kinds[k].name, j, size, got.n, plain.n);
				expect_got(plain.p, plain.n);
				assert_int_equal(counters.v[CNT_DECODE_JUNK], 1);
				assert_int_equal(counters.v[CNT_DECODE_BAD_DATA], 0);
				assert_false(was_as_is);
			}
		}
	}
}

// Says so, is text: as sent, from its first byte, whatever it begins with and however it is cut.
static void test_not_encoded(void **state)
{
	static const char *const texts[] = {
		"x",
		"xy",
		"plain text, not gzip",
		"\x1f",
		"\x1f\x8c---",
		"\x1f\x8b\x07 and more", // gzip of a method that does not exist
		"\x28\xb5\x2f",
		"hb begins as zlib does",
		"{\"json\": [1, 2, 3], \"a\": \"longer than a short body of DEFLATE\"}",
		"<!doctype html><html><head><title>Title</title></head><body>Text</body></html>",
		"X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*",
	};
	static const enum http_coding codings[] = {HTTP_CODING_GZIP, HTTP_CODING_DEFLATE,
						   HTTP_CODING_BR, HTTP_CODING_ZSTD};

	for (size_t i = 0; i < N(texts) * N(codings); i++) {
		const char *text = texts[i % N(texts)];

		packed.n = 0;
		put(&packed, text, strlen(text));
		for (size_t size = 1; size <= packed.n; size++) {
			decode(codings[i / N(texts)], size);
			if (got.n != packed.n)
				print_error("%s by %zu as %d: %zu\n", text, size,
					    codings[i / N(texts)], got.n);
			expect_got(packed.p, packed.n);
			assert_int_equal(counters.v[CNT_DECODE_BAD_DATA], 1);
			assert_true(was_as_is);
		}
	}
	packed.n = 0;
	put(&packed, "text", 4);
	decode(HTTP_CODING_OTHER, 1);
	expect_got(packed.p, packed.n);
	expect_quiet();
}

// The same for long texts, binaries of every first byte, and noise.
static void test_not_encoded_long(void **state)
{
	static const size_t sizes[] = {1, 100, 256, 1460, ROOM};
	static const enum http_coding codings[] = {HTTP_CODING_GZIP, HTTP_CODING_DEFLATE,
						   HTTP_CODING_BR, HTTP_CODING_ZSTD};
	unsigned int whole = 0, n = 0;

	for (unsigned int first = 0; first < 256; first++) {
		for (size_t c = 0; c < N(codings); c++) {
			plain_make(2000, first);
			plain.p[0] = (uint8_t)first;
			packed.n = 0;
			put(&packed, plain.p, plain.n);
			for (size_t s = 0; s < N(sizes); s++, n++) {
				decode(codings[c], sizes[s]);
				assert_true(got.n >= packed.n - HOLD);
				whole +=
					got.n == packed.n && memcmp(got.p, packed.p, packed.n) == 0;
			}
		}
	}
	// br takes nearly anything for a header, and what it has read it does not give back.
	if (whole * 100 < n * 97)
		fail_msg("%u of %u came out as they were", whole, n);
}

// How much zlib gets out of the first n bytes.
static size_t zlib_prefix(int wrap, size_t n, uint8_t *out)
{
	z_stream z = {.next_in = packed.p, .avail_in = (uInt)n, .next_out = out, .avail_out = ROOM};

	assert_int_equal(inflateInit2(&z, wrap), Z_OK);
	inflate(&z, Z_SYNC_FLUSH);
	inflateEnd(&z);
	return z.total_out;
}

// Cut after every byte: all that can be known by then has come out; where that is nothing, the bytes as they are.
static void test_truncated(void **state)
{
	static const int wraps[] = {WRAP_GZIP, WRAP_ZLIB, WRAP_RAW};
	static uint8_t want[ROOM];

	for (size_t k = 0; k < N(wraps); k++) {
		size_t full;

		plain_make(600, 11);
		packed.n = 0;
		pack(wraps[k], 6, plain.p, plain.n);
		full = packed.n;
		for (packed.n = 2; packed.n < full; packed.n++) {
			size_t n = zlib_prefix(wraps[k], packed.n, want);

			for (size_t size = 1; size <= ROOM; size *= ROOM) {
				decode(kinds[k].coding, size);
				if (n < 2 && got.n == packed.n &&
				    memcmp(got.p, packed.p, got.n) == 0)
					continue;
				assert_in_range(got.n, n > 0 ? n - 1 : 0, plain.n);
				assert_memory_equal(got.p, plain.p, got.n);
				assert_int_equal(counters.v[CNT_DECODE_BAD_DATA], 0);
				if (n < plain.n)
					assert_int_equal(counters.v[CNT_DECODE_TRUNCATED], 1);
			}
		}
	}
}

// br and zstd, too: what has come out is a prefix, and never less for more input.
static void test_truncated_blocks(void **state)
{
	for (size_t k = 3; k < 5; k++) {
		size_t full, last = 0; // zstd gives nothing before a block is complete

		plain_make(60000, 11);
		packed.n = 0;
		pack_as(kinds[k].packer, 5, plain.p, plain.n);
		full = packed.n;
		for (packed.n = HOLD; packed.n < full; packed.n += 97) {
			decode(kinds[k].coding, 1460);
			assert_in_range(got.n, last, plain.n);
			assert_memory_equal(got.p, plain.p, got.n);
			assert_int_equal(counters.v[CNT_DECODE_TRUNCATED], 1);
			last = got.n;
		}
		assert_true(last > 0 || k == 4);
	}
}

// Any byte flipped: never stuck, never too much, and what follows the damage is handed on in some form.
static void test_damaged(void **state)
{
	for (size_t k = 0; k < 5; k++) {
		plain_make(400, 13);
		packed.n = 0;
		pack_as(kinds[k].packer, 6, plain.p, plain.n);
		for (size_t at = 0; at < packed.n; at++) {
			for (int bit = 0; bit < 8; bit += 3) {
				packed.p[at] ^= (uint8_t)(1 << bit);
				decode(kinds[k].coding, ROOM);
				decode(kinds[k].coding, 1);
				packed.p[at] ^= (uint8_t)(1 << bit);
			}
		}
		decode(kinds[k].coding, ROOM);
		expect_got(plain.p, plain.n);
	}
}

// The bytes of the piece in which it breaks are handed on as they are, too: here plain text behind a header.
static void test_damaged_as_sent(void **state)
{
	static const char text[] = "Xanadu: plain text behind a good header";

	for (size_t k = 0; k < 2; k++) {
		plain_make(30000, 17);
		packed.n = 0;
		pack_as(k == 0 ? PACK_GZIP : PACK_ZSTD, 6, plain.p, plain.n);
		packed.n = k == 0 ? 10 : 6;
		put(&packed, text, sizeof(text));
		decode(k == 0 ? HTTP_CODING_GZIP : HTTP_CODING_ZSTD, ROOM);
		assert_int_equal(counters.v[CNT_DECODE_BAD_DATA], 1);
		assert_true(was_as_is);
		assert_true(got.n >= sizeof(text));
		assert_memory_equal(got.p + got.n - sizeof(text), text, sizeof(text));
	}
}

// A body that breaks within the bytes that are judged, but not before it has given text: that comes first.
static void test_damaged_early(void **state)
{
	plain_make(150, 21);
	memset(plain.p + 40, 'a', 100);
	for (size_t k = 1; k < 3; k++) { // libbrotlidec gives nothing when it fails
		packed.n = 0;
		pack_as(kinds[k].packer, 6, plain.p, plain.n);
		memset(packed.p + packed.n * 3 / 4, 0xff, packed.n - packed.n * 3 / 4);
		put(&packed, plain.p, plain.n);
		for (size_t size = 1; size <= packed.n; size *= 3) {
			decode(kinds[k].coding, size);
			assert_true(got.n >= packed.n);
			assert_memory_equal(got.p + got.n - packed.n, packed.p, packed.n);
			assert_true(got.n - packed.n >= 32);
			assert_memory_equal(got.p, plain.p, 32);
			assert_int_equal(counters.v[CNT_DECODE_BAD_DATA], 1);
		}
	}
}

// A stream that asks for a dictionary cannot be decoded, by browsers neither: as it was sent.
static void test_dictionary(void **state)
{
	static const uint8_t dict[] = "a dictionary that is not known";

	for (size_t size = 1; size <= 64; size += 7) {
		z_stream z = {.next_out = packed.p, .avail_out = ROOM};

		plain.n = 0;
		put(&plain, "first, a dictionary that is not known", 37);
		z.next_in = plain.p;
		z.avail_in = (uInt)plain.n;
		assert_int_equal(deflateInit(&z, 6), Z_OK);
		assert_int_equal(deflateSetDictionary(&z, dict, sizeof(dict) - 1), Z_OK);
		assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
		packed.n = z.total_out;
		deflateEnd(&z);
		put(&packed, "tail", 4);
		decode(HTTP_CODING_DEFLATE, size);
		assert_int_equal(counters.v[CNT_DECODE_BAD_DATA], 1);
		expect_got(packed.p, packed.n);
	}
}

// A wrong checksum comes after all the data: it is counted, and another member may follow.
static void test_wrong_checksum(void **state)
{
	for (size_t k = 0; k < 2; k++) {
		plain_make(300, 19);
		packed.n = 0;
		pack_as(kinds[k].packer, 6, plain.p, plain.n);
		packed.p[packed.n - (k == 0 ? 5 : 1)] ^= 1;
		pack(WRAP_GZIP, 6, plain.p, plain.n);
		put(&plain, plain.p, plain.n);
		for (size_t size = 1; size < packed.n; size += 3) {
			decode(kinds[k].coding, size);
			expect_got(plain.p, plain.n);
			assert_int_equal(counters.v[CNT_DECODE_BAD_CHECKSUM], 1);
			assert_int_equal(counters.v[CNT_DECODE_BAD_DATA], 0);
		}
	}
}

// ---- budgets ----

// Feed packed until it is used up; returns bytes given out. Of the flow's free bytes *io_left are left.
static uint64_t decode_count(const uint8_t *codings, unsigned int n_codings, uint32_t *io_left)
{
	struct span out;
	uint64_t n = 0;

	memset(&counters, 0, sizeof(counters));
	decode_begin(&ctx, &body, codings, n_codings, io_left);
	for (size_t at = 0; at < packed.n; at += 1448) {
		decode_feed(&body,
			    span_of(packed.p + at, packed.n - at < 1448 ? packed.n - at : 1448));
		while (decode_next(&ctx, &body, &out) == 1) {
			assert_true(out.len <= DECODE_OUT_BYTES);
			n += out.len;
		}
		assert_true(body.out_bytes <= DECODE_FREE_BYTES + body.in_bytes * DECODE_RATIO_MAX);
	}
	was_as_is = body.as_is;
	decode_done(&ctx, &body);
	assert_int_equal(decode_in_use(&ctx), 0);
	return n;
}

static void zeros_pack(size_t n)
{
	static uint8_t zeros[1 << 16];
	z_stream z = {.next_out = packed.p, .avail_out = ROOM};

	assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, WRAP_GZIP, 8, Z_DEFAULT_STRATEGY), Z_OK);
	for (size_t i = 0; i < n / sizeof(zeros); i++) {
		z.next_in = zeros;
		z.avail_in = sizeof(zeros);
		assert_int_equal(deflate(&z, Z_NO_FLUSH), Z_OK);
	}
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	packed.n = z.total_out;
	deflateEnd(&z);
}

// Zeros, a thousand times their size: decoding stops when the budget is used up, and the rest is as sent.
static void test_bomb(void **state)
{
	const uint8_t gzip[] = {HTTP_CODING_GZIP, HTTP_CODING_GZIP, HTTP_CODING_GZIP};
	uint32_t left = DECODE_FLOW_BYTES;
	uint64_t n;

	zeros_pack(64 << 20);
	n = decode_count(gzip, 1, &left);
	assert_in_range(n, DECODE_FREE_BYTES,
			DECODE_FREE_BYTES + 1448 * DECODE_RATIO_MAX + packed.n);
	assert_int_equal(counters.v[CNT_DECODE_LIMIT], 1);
	assert_true(was_as_is);
	// A bomb in a bomb is stopped by the same budget: of all layers, not of each.
	plain.n = 0;
	put(&plain, packed.p, packed.n);
	packed.n = 0;
	pack(WRAP_GZIP, 9, plain.p, plain.n);
	n = decode_count(gzip, 2, &left);
	assert_true(n <= DECODE_FREE_BYTES + packed.n * DECODE_RATIO_MAX);
	assert_int_equal(counters.v[CNT_DECODE_LIMIT], 1);
}

// Many small bombs in one flow: what is free is free once.
static void test_bombs_in_a_flow(void **state)
{
	const uint8_t zstd = HTTP_CODING_ZSTD;
	uint32_t left = DECODE_FLOW_BYTES;
	uint64_t sum = 0, in = 0;

	plain.n = 0;
	memset(plain.p, 0, 1 << 20);
	packed.n = 0;
	pack_zstd(19, plain.p, 1 << 20);
	for (int i = 0; i < 100; i++) {
		sum += decode_count(&zstd, 1, &left);
		in += packed.n;
	}
	assert_int_equal(left, 0);
	assert_true(packed.n < 200);
	assert_true(sum <= DECODE_FLOW_BYTES + in * (DECODE_RATIO_MAX + 1));
}

// A text of the same size, as texts are, is decoded to its end.
static void test_no_bomb(void **state)
{
	static uint8_t line[1 << 12];
	const uint8_t gzip = HTTP_CODING_GZIP;
	z_stream z = {.next_out = packed.p, .avail_out = ROOM};
	uint32_t left = 0;
	uint64_t sent = 0, rnd = 1;

	for (size_t i = 0; i < sizeof(line); i++)
		line[i] = (uint8_t)("0123456789abcdef"[i * 7919 % 16]);
	assert_int_equal(deflateInit2(&z, 1, Z_DEFLATED, WRAP_GZIP, 8, Z_DEFAULT_STRATEGY), Z_OK);
	while (sent < 17 << 20) {
		for (size_t i = 0; i < 24; i++) {
			rnd = rnd * 6364136223846793005u + 1442695040888963407u;
			line[(rnd >> 33) % sizeof(line)] = (uint8_t)(rnd >> 56);
		}
		z.next_in = line;
		z.avail_in = sizeof(line);
		assert_int_equal(deflate(&z, Z_NO_FLUSH), Z_OK);
		sent += sizeof(line);
	}
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	packed.n = z.total_out;
	deflateEnd(&z);
	assert_true(packed.n > sent / DECODE_RATIO_MAX);
	assert_int_equal(decode_count(&gzip, 1, &left), sent);
	expect_quiet();
}

// ---- memory ----

// Windows of 16 MiB for br and 8 MiB for zstd fit; a frame of zstd that wants more than RFC 9659 allows does not.
static void test_windows(void **state)
{
	static const uint8_t frame[] = {0x28, 0xb5, 0x2f, 0xfd, 0,   14 << 3, // 16 MiB
					0x01, 0x00, 0x00, 'a',  'b', 'c'};

	plain_make(3 << 20, 23);
	packed.n = 0;
	pack_br(5, 24, plain.p, plain.n);
	decode(HTTP_CODING_BR, 1460);
	expect_got(plain.p, plain.n);
	expect_quiet();
	packed.n = 0;
	pack_zstd(19, plain.p, plain.n);
	decode(HTTP_CODING_ZSTD, 1460);
	expect_got(plain.p, plain.n);
	expect_quiet();
	packed.n = 0;
	put(&packed, frame, sizeof(frame));
	decode(HTTP_CODING_ZSTD, 1);
	assert_true(got.n > 0);
	assert_int_equal(counters.v[CNT_DECODE_BAD_DATA], 1);
}

// A context too small for what comes: as sent, counted, and nothing stays taken.
static void test_no_room(void **state)
{
	struct decode_ctx big = ctx;

	for (size_t k = 0; k < 5; k++) {
		plain_make(200000, 29);
		packed.n = 0;
		pack_as(kinds[k].packer, 7, plain.p, plain.n); // windows larger than 128 KiB
		for (uint32_t n = 0; n < 2; n++) {
			decode_init(&ctx, memory, n, &counters);
			if (n == 1 && k < 3)
				continue; // room for one
			decode(kinds[k].coding, 1460);
			if (n == 0)
				expect_got(packed.p, packed.n);
			assert_int_equal(counters.v[CNT_DECODE_NO_STATE], 1);
			assert_true(was_as_is);
		}
	}
	decode_init(&ctx, memory, INFLATES, &counters);
	assert_memory_equal(&big.out, &ctx.out, sizeof(big.out));
}

// Bytes are missing: what is held comes out, and what follows is as it was sent.
static void test_gap(void **state)
{
	const uint8_t gzip = HTTP_CODING_GZIP;

	flow_free = DECODE_FLOW_BYTES;
	got.n = 0;
	decode_begin(&ctx, &body, &gzip, 1, &flow_free);
	decode_feed(&body, SPAN_LIT("text that is kept"));
	drain();
	assert_int_equal(got.n, 0);
	decode_gap(&body);
	assert_true(body.as_is);
	decode_feed(&body, SPAN_LIT(", text"));
	drain();
	decode_end(&body);
	drain();
	expect_got((const uint8_t *)"text that is kept, text", 23);
	decode_done(&ctx, &body);
	assert_int_equal(decode_in_use(&ctx), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_nested),
		cmocka_unit_test(test_nested_less),
		cmocka_unit_test(test_gzip_header_fields),
		cmocka_unit_test(test_members),
		cmocka_unit_test(test_zstd_of_old),
		cmocka_unit_test(test_junk_behind),
		cmocka_unit_test(test_not_encoded),
		cmocka_unit_test(test_not_encoded_long),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_truncated_blocks),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_damaged_as_sent),
		cmocka_unit_test(test_damaged_early),
		cmocka_unit_test(test_dictionary),
		cmocka_unit_test(test_wrong_checksum),
		cmocka_unit_test(test_bomb),
		cmocka_unit_test(test_bombs_in_a_flow),
		cmocka_unit_test(test_no_bomb),
		cmocka_unit_test(test_windows),
		cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_gap),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

// SPDX-License-Identifier: BSD-2-Clause
// Content decoding against zlib: what zlib inflates comes out the same, however the bytes are cut; what it refuses ends
// decoding without ending inspection.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <zlib.h>

#include "dataplane/engine/decode.h"
#include "tests/unit/guard.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

enum {
	ROOM = 4 << 20,
	WRAP_ZLIB = 15, // window bits as zlib wants them
	WRAP_RAW = -15,
	WRAP_GZIP = 15 + 16,
};

struct bytes {
	uint8_t *p;
	size_t n;
};

static struct guard guard;
static struct decoder *decoder;
static uint8_t *piece; // DECODE_OUT_BYTES
static struct bytes plain, packed, got;
static struct counters counters;

static int setup(void **state)
{
	guard_init(&guard, ROOM);
	decoder = malloc(sizeof(*decoder));
	piece = malloc(DECODE_OUT_BYTES);
	plain.p = malloc(ROOM);
	packed.p = malloc(ROOM);
	got.p = malloc(ROOM);
	return decoder == NULL || piece == NULL || plain.p == NULL || packed.p == NULL ||
	       got.p == NULL;
}

static int teardown(void **state)
{
	guard_done(&guard);
	free(decoder);
	free(piece);
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

// Decode packed in pieces of size bytes. The number of calls is bounded by what goes in and comes out.
static void decode(enum http_coding coding, size_t size)
{
	struct span rest;

	decode_init(decoder, coding);
	memset(&counters, 0, sizeof(counters));
	got.n = 0;
	for (size_t at = 0; at < packed.n; at += size) {
		size_t n = size < packed.n - at ? size : packed.n - at;
		struct span in = span_of(guard_put(&guard, packed.p + at, n, 0), n), out;
		size_t calls = 0;

		while (decode_next(decoder, &in, piece, &out, &counters) == 1) {
			assert_true(out.len > 0);
			put(&got, out.data, out.len);
			assert_true(++calls < 4 + ROOM / 1024);
		}
		assert_int_equal(in.len, 0);
	}
	rest = decode_rest(decoder);
	if (rest.len > 0)
		put(&got, rest.data, rest.len);
}

static void expect_got(const uint8_t *want, size_t n)
{
	assert_int_equal(got.n, n);
	assert_memory_equal(got.p, want, n);
}

static const struct {
	const char *name;
	int wrap;
	enum http_coding coding;
} kinds[] = {
	{"gzip", WRAP_GZIP, HTTP_CODING_GZIP},
	{"zlib", WRAP_ZLIB, HTTP_CODING_DEFLATE},
	{"raw", WRAP_RAW, HTTP_CODING_DEFLATE},
	{"gzip labelled deflate", WRAP_GZIP, HTTP_CODING_DEFLATE},
	{"zlib labelled gzip", WRAP_ZLIB, HTTP_CODING_GZIP},
};

// Every wrapper, every level of effort, pieces of every size.
static void test_kinds(void **state)
{
	static const size_t sizes[] = {1, 2, 3, 7, 100, 1460, ROOM};
	static const size_t lengths[] = {0, 1, 2, 300, 70000};

	for (size_t k = 0; k < N(kinds); k++) {
		for (size_t l = 0; l < N(lengths); l++) {
			for (int level = 0; level <= 9; level += 3) {
				plain_make(lengths[l], (uint32_t)(l + k));
				packed.n = 0;
				pack(kinds[k].wrap, level, plain.p, plain.n);
				for (size_t s = 0; s < N(sizes); s++) {
					decode(kinds[k].coding, sizes[s]);
					if (got.n != plain.n)
						print_error("%s %zu level %d by %zu\n",
							    kinds[k].name, lengths[l], level,
							    sizes[s]);
					expect_got(plain.p, plain.n);
					assert_int_equal(counters.v[CNT_DECODE_BAD_DATA], 0);
				}
			}
		}
	}
}

// Every combination of gzip's header fields: extra (of no bytes, too), name, comment, checksum of the header.
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
		for (size_t size = 1; size <= packed.n; size++) {
			decode(HTTP_CODING_GZIP, size);
			expect_got(plain.p, plain.n);
			assert_int_equal(counters.v[CNT_DECODE_BAD_DATA], 0);
		}
	}
}

// Says gzip and goes on otherwise than gzip does: as sent from its first byte.
static void test_gzip_of_another_method(void **state)
{
	packed.n = 0;
	put(&packed, "\x1f\x8b\x07 and more", 12);
	for (size_t size = 1; size <= packed.n; size++) {
		decode(HTTP_CODING_GZIP, size);
		expect_got(packed.p, packed.n);
		assert_int_equal(counters.v[CNT_DECODE_BAD_DATA], 1);
	}
}

// A gzip body may have several members, one after the other.
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
		assert_int_equal(counters.v[CNT_DECODE_BAD_DATA], 0);
	}
}

// What stands behind the last member is handed on as it is, to its last byte.
static void test_junk_behind(void **state)
{
	static const char *const junk[] = {"j", "junk behind the end", "\x1f",
					   "\x1f\x8a is no member"};

	for (size_t k = 0; k < 2; k++) {
		for (size_t j = 0; j < N(junk); j++) {
			plain_make(300, 7);
			packed.n = 0;
			pack(kinds[k].wrap, 6, plain.p, plain.n);
			put(&packed, junk[j], strlen(junk[j]));
			put(&plain, junk[j], strlen(junk[j]));
			if (k == 1 && junk[j][0] == '\x1f' && junk[j][1] != '\0')
				continue; // may be raw DEFLATE: tried, and then it depends on the cut
			for (size_t size = 1; size <= packed.n; size++) {
				decode(kinds[k].coding, size);
				if (got.n != plain.n)
					print_error("%s, junk %zu by %zu: %zu of %zu\n",
						    kinds[k].name, j, size, got.n, plain.n);
				expect_got(plain.p, plain.n);
			}
		}
	}
}

// The last byte of raw DEFLATE is where the body goes on as it was sent.
static void test_junk_behind_raw(void **state)
{
	static const char junk[] = "junk behind the end";

	plain_make(300, 7);
	packed.n = 0;
	pack(WRAP_RAW, 6, plain.p, plain.n);
	put(&packed, junk, sizeof(junk) - 1);
	put(&plain, junk, sizeof(junk) - 1);
	for (size_t size = 1; size <= packed.n; size++) {
		decode(HTTP_CODING_DEFLATE, size);
		if (got.n != plain.n)
			print_error("by %zu: %zu of %zu\n", size, got.n, plain.n);
		expect_got(plain.p, plain.n);
	}
}

// Says gzip, is text: as sent. One byte is not enough to tell, and is not lost either.
static void test_not_encoded(void **state)
{
	static const char *const texts[] = {"",     "x",          "xy", "plain text, not gzip",
					    "\x1f", "\x1f\x8c---"};

	for (size_t i = 0; i < N(texts); i++) {
		packed.n = 0;
		put(&packed, texts[i], strlen(texts[i]));
		for (size_t size = 1; size <= 8; size++) {
			decode(HTTP_CODING_GZIP, size);
			expect_got(packed.p, packed.n);
			assert_int_equal(counters.v[CNT_DECODE_BAD_DATA], packed.n >= 2);
		}
	}
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

// Cut after every byte: all that can be known by then has come out.
static void test_truncated(void **state)
{
	static uint8_t want[ROOM];

	for (size_t k = 0; k < N(kinds); k++) {
		size_t full;

		plain_make(600, 11);
		packed.n = 0;
		pack(kinds[k].wrap, 6, plain.p, plain.n);
		full = packed.n;
		for (packed.n = 2; packed.n < full; packed.n++) {
			size_t n = zlib_prefix(kinds[k].wrap, packed.n, want);

			decode(kinds[k].coding, ROOM);
			assert_in_range(got.n, n > 0 ? n - 1 : 0, plain.n);
			assert_memory_equal(got.p, plain.p, got.n);
			assert_int_equal(counters.v[CNT_DECODE_BAD_DATA], 0);
			decode(kinds[k].coding, 1);
			assert_in_range(got.n, n > 0 ? n - 1 : 0, plain.n);
			assert_memory_equal(got.p, plain.p, got.n);
		}
	}
}

// Any byte flipped: never stuck, never too much, and what follows the damage is handed on in some form.
static void test_damaged(void **state)
{
	for (size_t k = 0; k < N(kinds); k++) {
		plain_make(400, 13);
		packed.n = 0;
		pack(kinds[k].wrap, 6, plain.p, plain.n);
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

// A stream that asks for a dictionary cannot be decoded, by browsers neither: it ends, counted, and its last bytes are
// handed on.
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
		assert_true(got.n >= 4);
		assert_memory_equal(got.p + got.n - 4, "tail", 4);
	}
}

// A wrong checksum comes after all the data: that has been given out, and the failure is counted.
static void test_wrong_checksum(void **state)
{
	for (size_t k = 0; k < 2; k++) {
		plain_make(300, 19);
		packed.n = 0;
		pack(kinds[k].wrap, 6, plain.p, plain.n);
		packed.p[packed.n - (k == 0 ? 5 : 1)] ^= 1;
		decode(kinds[k].coding, ROOM);
		assert_true(got.n >= plain.n);
		assert_memory_equal(got.p, plain.p, plain.n);
		assert_int_equal(counters.v[CNT_DECODE_BAD_DATA], 1);
	}
}

// Feed packed until it is used up; returns bytes given out.
static uint64_t decode_count(uint64_t limit)
{
	struct span in = span_of(packed.p, packed.n), out;
	uint64_t n = 0;

	decode_init(decoder, HTTP_CODING_GZIP);
	memset(&counters, 0, sizeof(counters));
	while (decode_next(decoder, &in, piece, &out, &counters) == 1) {
		assert_true(out.len <= DECODE_OUT_BYTES || decoder->state == DECODE_FAILED);
		n += out.len;
		assert_true(n <= limit);
	}
	assert_int_equal(in.len, 0);
	return n;
}

// Zeros, a thousand times their size: decoding stops soon behind what is free, and the rest is as sent.
static void test_bomb(void **state)
{
	enum { ZEROS = 64 << 20 };
	static uint8_t zeros[1 << 16];
	z_stream z = {.next_out = packed.p, .avail_out = ROOM};
	uint64_t n;

	assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, WRAP_GZIP, 8, Z_DEFAULT_STRATEGY), Z_OK);
	for (int i = 0; i < ZEROS / (int)sizeof(zeros); i++) {
		z.next_in = zeros;
		z.avail_in = sizeof(zeros);
		assert_int_equal(deflate(&z, Z_NO_FLUSH), Z_OK);
	}
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	packed.n = z.total_out;
	deflateEnd(&z);
	n = decode_count(DECODE_FREE_BYTES + 2 * DECODE_OUT_BYTES + packed.n);
	assert_true(n > DECODE_FREE_BYTES);
	assert_int_equal(counters.v[CNT_DECODE_LIMIT], 1);
	assert_int_equal(decoder->state, DECODE_FAILED);
}

// A text of the same size, as texts are, is decoded to its end.
static void test_no_bomb(void **state)
{
	static uint8_t line[1 << 12];
	z_stream z = {.next_out = packed.p, .avail_out = ROOM};
	uint64_t sent = 0, rnd = 1;

	for (size_t i = 0; i < sizeof(line); i++)
		line[i] = (uint8_t)("0123456789abcdef"[i * 7919 % 16]);
	assert_int_equal(deflateInit2(&z, 1, Z_DEFLATED, WRAP_GZIP, 8, Z_DEFAULT_STRATEGY), Z_OK);
	while (sent < DECODE_FREE_BYTES + (1 << 20)) {
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
	assert_int_equal(decode_count(sent), sent);
	assert_int_equal(counters.v[CNT_DECODE_LIMIT] + counters.v[CNT_DECODE_BAD_DATA], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_gzip_header_fields),
		cmocka_unit_test(test_gzip_of_another_method),
		cmocka_unit_test(test_members),
		cmocka_unit_test(test_junk_behind),
		cmocka_unit_test(test_junk_behind_raw),
		cmocka_unit_test(test_not_encoded),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_dictionary),
		cmocka_unit_test(test_wrong_checksum),
		cmocka_unit_test(test_bomb),
		cmocka_unit_test(test_no_bomb),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

// SPDX-License-Identifier: BSD-2-Clause
// Encoded bodies that are cut, damaged or lie about what they are.
#include "tests/unit/decodekit.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_truncated),      cmocka_unit_test(test_truncated_blocks),
		cmocka_unit_test(test_damaged),        cmocka_unit_test(test_damaged_as_sent),
		cmocka_unit_test(test_damaged_early),  cmocka_unit_test(test_dictionary),
		cmocka_unit_test(test_wrong_checksum),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

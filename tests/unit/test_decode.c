// SPDX-License-Identifier: BSD-2-Clause
// Content decoding against zlib, brotli and zstd: what they decode comes out the same, however the bytes are cut; what they
// refuse ends decoding without ending inspection.
#include "tests/unit/decodekit.h"

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
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

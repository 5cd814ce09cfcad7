// SPDX-License-Identifier: BSD-2-Clause
// What a body may cost: budgets, memory, holes.
#include "tests/unit/decodekit.h"

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
		cmocka_unit_test(test_bomb),    cmocka_unit_test(test_bombs_in_a_flow),
		cmocka_unit_test(test_no_bomb), cmocka_unit_test(test_windows),
		cmocka_unit_test(test_no_room), cmocka_unit_test(test_gap),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

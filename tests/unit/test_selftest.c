// SPDX-License-Identifier: BSD-2-Clause
// The self-test of libhs against fakes: an honest one passes, and every way of lying is found and named.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <errno.h>
#include <cmocka.h>

#include "dataplane/engine/selftest.h"

enum lie {
	HONEST,
	MISSES_FROM_64,       // the known defect
	MISSES_FROM_64_BLOCK, // in block mode only
	MISSES_LAST,          // the last byte of the input
	MISSES_AT_EDGE,       // the first byte of a piece
	FINDS_TWICE,
	FINDS_WHERE_NOTHING_IS, // one more in long inputs
	FAILS,
};

struct fake {
	enum lie lie;
	uint32_t calls, block, pieces;
	uint32_t lens[8], n_lens;
};

static int fake_scan(void *ctx, const uint8_t *data, uint32_t len, uint32_t piece)
{
	struct fake *f = ctx;
	int n = 0;

	f->calls++;
	f->block += piece == 0;
	f->pieces += piece > 0 && piece < len;
	if (f->n_lens == 0 || f->lens[f->n_lens - 1] != len)
		f->lens[f->n_lens++ % 8] = len;
	assert_true(len <= SELFTEST_BYTES);
	assert_int_equal(data[len + 63], 'a'); // readable
	if (f->lie == FAILS)
		return -5;
	for (uint32_t i = 0; i < len; i++) {
		if (data[i] != '|')
			continue;
		if ((f->lie == MISSES_FROM_64 && i >= 64) ||
		    (f->lie == MISSES_FROM_64_BLOCK && i >= 64 && piece == 0) ||
		    (f->lie == MISSES_LAST && i + 1 == len) ||
		    (f->lie == MISSES_AT_EDGE && piece > 0 && i > 0 && i % piece == 0))
			continue;
		n += f->lie == FINDS_TWICE ? 2 : 1;
	}
	return n + (f->lie == FINDS_WHERE_NOTHING_IS && len > 300);
}

static void test_honest(void **state)
{
	struct fake f = {.lie = HONEST};
	struct diag d = {0};

	assert_int_equal(selftest_run(fake_scan, &f, &d), 0);
	assert_string_equal(d.text, "");
	// Every offset of more than one length, whole and in pieces.
	assert_true(f.n_lens > 1);
	assert_int_equal(f.lens[0], SELFTEST_BYTES);
	assert_true(f.block >= SELFTEST_BYTES);
	assert_true(f.pieces >= SELFTEST_BYTES);
}

static void test_liars(void **state)
{
	static const struct {
		enum lie lie;
		const char *says;
	} liars[] = {
		{MISSES_FROM_64, "offset 64 of 320 was found 0 times"},
		{MISSES_FROM_64_BLOCK, "offset 64 of 320 was found 0 times"},
		{MISSES_LAST, "offset 319 of 320 was found 0 times"},
		{MISSES_AT_EDGE, "offset 7 of 320 was found 0 times"},
		{FINDS_TWICE, "offset 0 of 320 was found 2 times"},
		{FINDS_WHERE_NOTHING_IS, "offset 0 of 320 was found 2 times"},
		{FAILS, "libhs failed on a test scan of 320 bytes"},
	};

	for (size_t i = 0; i < sizeof(liars) / sizeof(liars[0]); i++) {
		struct fake f = {.lie = liars[i].lie};
		struct diag d = {0};

		assert_int_equal(selftest_run(fake_scan, &f, &d), -ENOTSUP);
		if (strstr(d.text, liars[i].says) == NULL)
			fail_msg("lie %d: \"%s\"", (int)liars[i].lie, d.text);
		// What to do next: another library, unless the scan itself failed.
		if (liars[i].lie != FAILS)
			assert_non_null(strstr(d.text, "libhyperscan5"));
		// Nobody has to ask for the reason.
		assert_int_equal(selftest_run(fake_scan, &f, NULL), -ENOTSUP);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_honest),
		cmocka_unit_test(test_liars),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: BSD-2-Clause
// engine/teddy.h: it may name a bucket in vain, but it must not pass over a place where one of its literals stands.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "dataplane/engine/teddy.h"
#include "tests/unit/pipekit.h"

enum {
	LITERALS = 40,
	BYTES = 700,
};

struct literal {
	uint8_t bytes[TEDDY_BYTES];
	size_t n;
	int nocase;
	unsigned int bucket;
};

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

static bool stands(const struct literal *l, const uint8_t *at)
{
	for (size_t i = 0; i < l->n; i++)
		if ((l->nocase ? lower(at[i]) : at[i]) != l->bytes[i])
			return false;
	return true;
}

static void test_nothing_is_passed_over(void **state)
{
	uint64_t seed = 7, places = 0, found = 0;

	for (int round = 0; round < 400; round++) {
		struct literal l[LITERALS];
		uint32_t n_in[TEDDY_BUCKETS] = {0};
		uint8_t data[BYTES + TEDDY_PAD], want[BYTES] = {0};
		struct teddy t = {0};
		size_t from = kit_below(&seed, 40), to = BYTES - kit_below(&seed, 40);
		const uint32_t n = 1 + kit_below(&seed, LITERALS);

		for (size_t i = 0; i < sizeof(data); i++)
			data[i] = (uint8_t)("abcABC .\xff\x80"[kit_below(&seed, 10)]);
		for (uint32_t i = 0; i < n; i++) {
			l[i].n = 1 + kit_below(&seed, TEDDY_BYTES);
			l[i].nocase = kit_below(&seed, 2) == 0;
			for (size_t k = 0; k < l[i].n; k++) {
				l[i].bytes[k] = (uint8_t)("abcABC .\xff\x80"[kit_below(&seed, 10)]);
				if (l[i].nocase)
					l[i].bytes[k] = lower(l[i].bytes[k]);
			}
			l[i].bucket = teddy_bucket(&t, n_in, l[i].bytes, l[i].n, l[i].nocase);
			assert_in_range(l[i].bucket, 0, TEDDY_BUCKETS - 1);
			n_in[l[i].bucket]++;
			teddy_add(&t, l[i].bucket, l[i].bytes, l[i].n, l[i].nocase);
			for (size_t at = from; at < to; at++)
				if (stands(&l[i], data + at))
					want[at] |= (uint8_t)(1u << l[i].bucket);
		}
		for (size_t at = from; at < to;) {
			struct teddy_place p[TEDDY_PLACES];
			uint32_t n_places = teddy_find(&t, data, at, to, p, &at);

			assert_in_range(n_places, 0, TEDDY_PLACES);
			for (uint32_t i = 0; i < n_places; i++) {
				assert_in_range(p[i].at, i > 0 ? p[i - 1].at + 1 : from, at - 1);
				assert_int_not_equal(p[i].buckets, 0);
				assert_int_equal(want[p[i].at] & ~p[i].buckets, 0);
				places++;
				found += want[p[i].at] != 0;
				want[p[i].at] = 0;
			}
		}
		for (size_t at = from; at < to; at++)
			assert_int_equal(want[at], 0); // all were named
	}
	// A search that names every place would pass, too.
	assert_in_range(found * 100 / places, 50, 100);
}

// Literals that have nothing in common do not share a bucket while there is an empty one.
static void test_buckets(void **state)
{
	static const char *const unlike[] = {"abc", "XYZ", "123", "\x81\x92\xa3"};
	uint32_t n_in[TEDDY_BUCKETS] = {0};
	struct teddy t = {0};
	uint8_t seen = 0;

	for (size_t i = 0; i < sizeof(unlike) / sizeof(unlike[0]); i++) {
		unsigned int b = teddy_bucket(&t, n_in, (const uint8_t *)unlike[i], 3, 0);

		assert_int_equal(seen >> b & 1, 0);
		seen |= (uint8_t)(1u << b);
		n_in[b]++;
		teddy_add(&t, b, (const uint8_t *)unlike[i], 3, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_is_passed_over),
		cmocka_unit_test(test_buckets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

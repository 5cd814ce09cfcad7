// SPDX-License-Identifier: BSD-2-Clause
// The table of xbits against what it promises: until when a bit holds, who makes room, and several threads at once.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <pthread.h>
#include <cmocka.h>

#include "dataplane/engine/xbits.h"

static const uint64_t key[2] = {7, 8};

static struct xbits *table(uint32_t entries)
{
	size_t bytes = xbits_bytes(entries);
	void *mem = aligned_alloc(64, (bytes + 63) & ~(size_t)63);

	assert_non_null(mem);
	memset(mem, 0, bytes);
	return xbits_init(mem, entries, key);
}

static void test_sizes(void **state)
{
	assert_int_equal(xbits_bytes(0), 0);
	assert_int_equal(xbits_bytes(4), 0);
	assert_int_equal(xbits_bytes(9), 0);
	assert_true(xbits_bytes(8) >= 64);
}

static void test_time(void **state)
{
	struct xbits *x = table(64);
	uint64_t h = 0x123456789abcdef0;

	assert_false(xbits_isset(x, h, 0));
	assert_false(xbits_set(x, h, 100, 10));
	assert_true(xbits_isset(x, h, 100));
	assert_true(xbits_isset(x, h, 110));
	assert_false(xbits_isset(x, h, 111));
	// set again: from now on
	assert_false(xbits_set(x, h, 105, 10));
	assert_true(xbits_isset(x, h, 115));
	assert_false(xbits_isset(x, h, 116));
	xbits_unset(x, h);
	assert_false(xbits_isset(x, h, 106));
	xbits_unset(x, h);
	// the end of time
	xbits_set(x, h, UINT32_MAX - 1, UINT32_MAX);
	assert_true(xbits_isset(x, h, UINT32_MAX));
	xbits_set(x, h, 0, 0);
	assert_true(xbits_isset(x, h, 0));
	free(x);
}

// A full bucket: what is over goes first, then what would end first, which is said.
static void test_room(void **state)
{
	struct xbits *x = table(8);

	for (uint64_t i = 1; i <= 8; i++)
		assert_false(xbits_set(x, i << 32, 100, (uint32_t)i * 10));
	for (uint64_t i = 1; i <= 8; i++)
		assert_true(xbits_isset(x, i << 32, 105));
	assert_true(xbits_set(x, (uint64_t)9 << 32, 105, 5)); // in place of 1, which ends at 110
	assert_false(xbits_isset(x, (uint64_t)1 << 32, 105));
	assert_true(xbits_isset(x, (uint64_t)9 << 32, 110));
	assert_false(xbits_set(x, (uint64_t)10 << 32, 111, 50)); // 9 is over
	assert_false(xbits_isset(x, (uint64_t)9 << 32, 110));
	for (uint64_t i = 2; i <= 8; i++)
		assert_true(xbits_isset(x, i << 32, 111));
	free(x);
}

static void test_hash(void **state)
{
	struct xbits *x = table(8);
	const uint8_t a[16] = {1}, b[16] = {2}, none[16] = {0};

	assert_true(xbits_hash(x, 1, a, NULL) == xbits_hash(x, 1, a, NULL));
	assert_true(xbits_hash(x, 1, a, NULL) != xbits_hash(x, 2, a, NULL));
	assert_true(xbits_hash(x, 1, a, NULL) != xbits_hash(x, 1, b, NULL));
	assert_true(xbits_hash(x, 1, a, b) == xbits_hash(x, 1, b, a));
	assert_true(xbits_hash(x, 1, a, b) != xbits_hash(x, 1, a, a));
	assert_true(xbits_hash(x, 1, a, none) != xbits_hash(x, 1, a, NULL));
	free(x);
}

enum { ROUNDS = 20000 };

struct job {
	struct xbits *x;
	uint64_t own; // only this thread sets it
	unsigned int wrong;
};

static void *worker(void *arg)
{
	struct job *j = arg;

	for (uint32_t i = 1; i <= ROUNDS; i++) {
		xbits_set(j->x, j->own, 100, 10);
		// The others share the bucket and the time, and cannot fill it: what was set is there.
		j->wrong += !xbits_isset(j->x, j->own, 100);
		xbits_set(j->x, (uint64_t)99 << 32, 100, 10);
		if (i % 7 == 0)
			xbits_unset(j->x, (uint64_t)99 << 32);
		if (i % 5 == 0) {
			xbits_unset(j->x, j->own);
			j->wrong += xbits_isset(j->x, j->own, 100);
		}
	}
	return NULL;
}

static void test_threads(void **state)
{
	struct job jobs[3];
	pthread_t threads[3];
	struct xbits *x = table(8);

	for (uint64_t i = 0; i < 3; i++) {
		jobs[i] = (struct job){.x = x, .own = (i + 1) << 32};
		assert_int_equal(pthread_create(&threads[i], NULL, worker, &jobs[i]), 0);
	}
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < 3; i++)
		assert_int_equal(jobs[i].wrong, 0);
	free(x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes),   cmocka_unit_test(test_time),
		cmocka_unit_test(test_room),    cmocka_unit_test(test_hash),
		cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

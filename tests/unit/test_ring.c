// SPDX-License-Identifier: BSD-2-Clause
// The ring between a worker and the main lcore: full, empty, wrapped, and with a thread at each end (also the
// program to run under ThreadSanitizer).
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <sched.h>

#include "dataplane/engine/ring.h"

// Larger than a word and checked as a whole: a slot seen half written shows.
struct slot {
	uint64_t n, words[12];
};

static void fill(struct slot *s, uint64_t n)
{
	s->n = n;
	for (uint64_t i = 0; i < 12; i++)
		s->words[i] = n * 0x9e3779b97f4a7c15u + i;
}

static bool is_filled(const struct slot *s, uint64_t n)
{
	if (s->n != n)
		return false;
	for (uint64_t i = 0; i < 12; i++)
		if (s->words[i] != n * 0x9e3779b97f4a7c15u + i)
			return false;
	return true;
}

static bool push(struct ring *r, uint64_t n)
{
	struct slot *s = ring_slot(r);

	if (s == NULL)
		return false;
	fill(s, n);
	ring_push(r);
	return true;
}

static void test_full_and_empty(void **state)
{
	for (uint32_t count = 1; count <= 64; count *= 2) {
		struct slot slots[64];
		struct ring r;

		ring_init(&r, slots, count, sizeof(struct slot));
		assert_int_equal(ring_count(&r), 0);
		for (uint64_t i = 0; i < count; i++) {
			assert_true(push(&r, i));
			assert_int_equal(ring_count(&r), i + 1);
		}
		assert_null(ring_slot(&r));
		assert_null(ring_slot(&r)); // asking again changes nothing
		for (uint64_t i = 0; i < count; i++)
			assert_true(is_filled(ring_peek(&r, i), i));
		ring_pop(&r, 1);
		assert_true(push(&r, count));
		assert_null(ring_slot(&r));
		assert_true(is_filled(ring_peek(&r, count - 1), count));
		ring_pop(&r, count);
		assert_int_equal(ring_count(&r), 0);
	}
}

static void test_slot_unpushed(void **state)
{
	struct slot slots[4];
	struct ring r;

	ring_init(&r, slots, 4, sizeof(struct slot));
	fill(ring_slot(&r), 7);
	assert_int_equal(ring_count(&r), 0); // filled but not pushed is not there
	assert_true(push(&r, 8));
	assert_int_equal(ring_count(&r), 1);
	assert_true(is_filled(ring_peek(&r, 0), 8));
}

static void test_order_over_wraps(void **state)
{
	struct slot slots[8];
	struct ring r;
	uint64_t in = 0, out = 0;

	ring_init(&r, slots, 8, sizeof(struct slot));
	for (unsigned int step = 0; step < 10000; step++) {
		unsigned int pushes = step * 7 % 9, pops = step * 5 % 9;

		while (pushes-- > 0 && push(&r, in))
			in++;
		assert_int_equal(ring_count(&r), in - out);
		for (; pops > 0 && ring_count(&r) > 0; pops--) {
			assert_true(is_filled(ring_peek(&r, 0), out++));
			ring_pop(&r, 1);
		}
	}
	assert_true(out > 20000);
}

// The counters run over 32 bits without a slot being lost or seen twice.
static void test_counters_past_32_bits(void **state)
{
	struct slot slots[4];
	struct ring r;

	ring_init(&r, slots, 4, sizeof(struct slot));
	atomic_store(&r.head, UINT32_MAX - 1ull);
	atomic_store(&r.tail, UINT32_MAX - 1ull);
	for (uint64_t i = 0; i < 4; i++)
		assert_true(push(&r, i));
	assert_null(ring_slot(&r));
	for (uint64_t i = 0; i < 4; i++) {
		assert_true(is_filled(ring_peek(&r, 0), i));
		ring_pop(&r, 1);
	}
	assert_int_equal(ring_count(&r), 0);
}

enum { THREAD_SLOTS = 1000000 };

static void *producer(void *arg)
{
	for (uint64_t i = 0; i < THREAD_SLOTS; i++)
		while (!push(arg, i))
			sched_yield();
	return NULL;
}

// Batches of any size, some left to lie: the producer meets a full ring and the consumer an empty one.
static void test_two_threads(void **state)
{
	static struct slot slots[256];
	struct ring r;
	pthread_t thread;
	uint64_t out = 0, wrong = 0, batch = 0;

	ring_init(&r, slots, 256, sizeof(struct slot));
	assert_int_equal(pthread_create(&thread, NULL, producer, &r), 0);
	while (out < THREAD_SLOTS) {
		uint64_t n = ring_count(&r);

		if (n == 0) {
			sched_yield();
			continue;
		}
		n = n > 1 + batch % 97 ? 1 + batch % 97 : n;
		batch++;
		for (uint64_t i = 0; i < n; i++)
			wrong += !is_filled(ring_peek(&r, i), out + i);
		out += n;
		ring_pop(&r, n);
	}
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(wrong, 0);
	assert_int_equal(out, THREAD_SLOTS);
	assert_int_equal(ring_count(&r), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_full_and_empty),
		cmocka_unit_test(test_slot_unpushed),
		cmocka_unit_test(test_order_over_wraps),
		cmocka_unit_test(test_counters_past_32_bits),
		cmocka_unit_test(test_two_threads),
	};

	return cmocka_run_group_tests_name("ring", tests, NULL, NULL);
}

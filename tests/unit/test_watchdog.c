// SPDX-License-Identifier: BSD-2-Clause
// A worker that does not move is found, one that does or has nothing more to do is not.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "dataplane/watchdog.h"
#include "dataplane/worker.h"

static struct worker *workers[3];
static struct dataplane dp = {.workers = workers, .n_workers = 3};

static int make(void **state)
{
	for (int i = 0; i < 3; i++) {
		workers[i] = aligned_alloc(64, sizeof(struct worker));
		if (workers[i] == NULL)
			return -1;
		memset(workers[i], 0, sizeof(struct worker));
	}
	return 0;
}

static int drop(void **state)
{
	for (int i = 0; i < 3; i++)
		free(workers[i]);
	return 0;
}

static void move(int i)
{
	atomic_fetch_add(&workers[i]->published, 1);
}

static void test_moves(void **state)
{
	struct watchdog d = {0};

	for (int turn = 0; turn < 5 * WATCHDOG_TURNS; turn++) {
		move(0);
		move(1);
		if (turn % (WATCHDOG_TURNS - 1) == 0)
			move(2); // slow, and not stuck
		assert_int_equal(watchdog_turn(&d, &dp), -1);
	}
}

static void test_stuck(void **state)
{
	struct watchdog d = {0};

	move(1);
	assert_int_equal(watchdog_turn(&d, &dp), -1);
	for (int turn = 1; turn < WATCHDOG_TURNS; turn++) {
		move(0);
		move(2);
		assert_int_equal(watchdog_turn(&d, &dp), -1);
	}
	move(0);
	move(2);
	assert_int_equal(watchdog_turn(&d, &dp), 1);
}

static void test_done(void **state)
{
	struct watchdog d = {0};

	for (int i = 0; i < 3; i++)
		atomic_store(&workers[i]->state, WORKER_FLUSHED);
	for (int turn = 0; turn < 3 * WATCHDOG_TURNS; turn++)
		assert_int_equal(watchdog_turn(&d, &dp), -1);
}

// What holds the manager's watchdog off, by turns that worker 1 has missed: 0, 1, 2, 3, and none again.
static void test_all_move(void **state)
{
	static const bool well[] = {true, true, false, false, true};
	struct watchdog d = {0};

	for (int turn = 0; turn < 5; turn++) {
		move(0);
		move(2);
		if (turn == 0 || turn == 4)
			move(1);
		assert_int_equal(watchdog_turn(&d, &dp), -1);
		assert_int_equal(watchdog_all_move(&d, &dp), well[turn]);
	}
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, make, drop)
	const struct CMUnitTest tests[] = {TEST(test_moves), TEST(test_stuck), TEST(test_done),
					   TEST(test_all_move)};

	return cmocka_run_group_tests_name("watchdog", tests, NULL, NULL);
}

// SPDX-License-Identifier: BSD-2-Clause
// Hits between the worker's ring and control: nothing is lost silently, nothing sent is forgotten before its ack.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/spool.h"

enum { RING_SLOTS = 1024 };

struct fixture {
	struct ring ring;
	struct hit slots[RING_SLOTS];
	struct spool spool;
	uint64_t next_seq;
};

static int setup(void **state)
{
	struct fixture *f = aligned_alloc(64, (sizeof(*f) + 63) / 64 * 64);

	memset(f, 0, sizeof(*f));
	ring_init(&f->ring, f->slots, RING_SLOTS, sizeof(struct hit));
	*state = f;
	return spool_init(&f->spool, 512);
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	spool_done(&f->spool);
	free(f);
	return 0;
}

// n hits from the worker; those that find the ring full are lost, as in the engine.
static void hits(struct fixture *f, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		struct hit *hit = ring_slot(&f->ring);

		f->next_seq++;
		if (hit == NULL)
			continue;
		memset(hit, 0, sizeof(*hit));
		hit->seq = f->next_seq;
		hit->sid = (uint32_t)f->next_seq * 3;
		ring_push(&f->ring);
	}
}

static void lose(struct fixture *f, unsigned int n)
{
	f->next_seq += n;
}

// Send everything, checking order; returns how many hits went out.
static uint64_t send_all(struct fixture *f, uint64_t first_seq)
{
	struct ipc_hits head;
	const struct hit *batch;
	uint64_t total = 0;
	uint32_t n;

	while ((n = spool_batch(&f->spool, &head, &batch)) > 0) {
		assert_in_range(n, 1, IPC_HITS_MAX);
		assert_int_equal(head.n, n);
		for (uint32_t i = 0; i < n; i++) {
			assert_int_equal(batch[i].seq, first_seq + total + i);
			assert_int_equal(batch[i].sid, (uint32_t)batch[i].seq * 3);
		}
		spool_sent(&f->spool, n);
		total += n;
	}
	return total;
}

static void test_flow_through(void **state)
{
	struct fixture *f = *state;

	for (unsigned int round = 0; round < 100; round++) {
		uint64_t first = f->next_seq + 1;

		hits(f, 1 + round * 5);
		assert_int_equal(spool_take(&f->spool, &f->ring), 1 + round * 5);
		assert_int_equal(spool_unacked(&f->spool), 1 + round * 5);
		assert_int_equal(send_all(f, first), 1 + round * 5);
		assert_int_equal(spool_unsent(&f->spool), 0);
		assert_int_equal(spool_ack(&f->spool, f->next_seq), 0);
		assert_int_equal(spool_unacked(&f->spool), 0);
	}
	assert_int_equal(f->spool.lost, 0);
}

static void test_resend_from_ack(void **state)
{
	struct fixture *f = *state;

	hits(f, 400);
	spool_take(&f->spool, &f->ring);
	assert_int_equal(send_all(f, 1), 400);
	assert_int_equal(spool_ack(&f->spool, 100), 0);
	assert_int_equal(spool_unacked(&f->spool), 300);
	assert_int_equal(spool_ack(&f->spool, 50), 0); // late and old: nothing comes back
	assert_int_equal(spool_unacked(&f->spool), 300);
	spool_rewind(&f->spool);
	assert_int_equal(send_all(f, 101), 300);
	spool_rewind(&f->spool);
	assert_int_equal(send_all(f, 101), 300); // as often as it takes
	assert_int_equal(spool_ack(&f->spool, 400), 0);
	spool_rewind(&f->spool);
	assert_int_equal(send_all(f, 401), 0);
}

static void test_ack_of_unsent(void **state)
{
	struct fixture *f = *state;
	struct ipc_hits head;
	const struct hit *batch;

	assert_int_equal(spool_ack(&f->spool, 1), -EPROTO);
	assert_int_equal(spool_ack(&f->spool, 0), 0);
	hits(f, 300);
	spool_take(&f->spool, &f->ring);
	assert_int_equal(spool_batch(&f->spool, &head, &batch), 256);
	assert_int_equal(spool_ack(&f->spool, 1), -EPROTO); // looked at is not sent
	spool_sent(&f->spool, 256);
	assert_int_equal(spool_ack(&f->spool, 257), -EPROTO);
	assert_int_equal(spool_ack(&f->spool, UINT64_MAX), -EPROTO);
	assert_int_equal(spool_unacked(&f->spool), 300);
	assert_int_equal(spool_ack(&f->spool, 256), 0);
	spool_rewind(&f->spool);
	assert_int_equal(spool_ack(&f->spool, 256), 0); // the last stored one may be said again
	assert_int_equal(spool_ack(&f->spool, 257), -EPROTO);
}

// A full spool leaves hits in the ring; a full ring loses, and the gap is told by the batch behind it, every time it
// is sent.
static void test_full_and_gap(void **state)
{
	struct fixture *f = *state;
	struct ipc_hits head;
	const struct hit *batch;

	hits(f, 512);
	assert_int_equal(spool_take(&f->spool, &f->ring), 512);
	hits(f, RING_SLOTS + 10); // 513..1536 fit, 1537..1546 are lost
	assert_int_equal(spool_take(&f->spool, &f->ring), 0);
	assert_int_equal(ring_count(&f->ring), RING_SLOTS);
	assert_int_equal(send_all(f, 1), 512);
	assert_int_equal(spool_ack(&f->spool, 512), 0);
	assert_int_equal(spool_take(&f->spool, &f->ring), 512);
	assert_int_equal(f->spool.lost, 0); // not known yet: it lies behind what is in the ring
	assert_int_equal(send_all(f, 513), 512);
	assert_int_equal(spool_ack(&f->spool, 1024), 0);
	hits(f, 3); // 1547..1549
	assert_int_equal(spool_take(&f->spool, &f->ring), 512);
	assert_int_equal(send_all(f, 1025), 512);
	assert_int_equal(spool_ack(&f->spool, 1536), 0);
	assert_int_equal(spool_take(&f->spool, &f->ring), 3);
	for (int again = 0; again < 2; again++) {
		spool_rewind(&f->spool);
		assert_int_equal(spool_batch(&f->spool, &head, &batch), 3);
		assert_int_equal(batch[0].seq, 1547);
		assert_int_equal(head.lost, 10);
		assert_int_equal(head.lost_first, 1537);
		assert_int_equal(head.lost_last, 1546);
		spool_sent(&f->spool, 3);
	}
}

// Each of several gaps is named by exactly the batch that follows it; no batch runs over one.
static void test_many_gaps(void **state)
{
	struct fixture *f = *state;
	struct ipc_hits head;
	const struct hit *batch;
	uint64_t expect = 1;

	for (unsigned int i = 0; i < 50; i++) {
		hits(f, 5);
		lose(f, 2);
	}
	spool_take(&f->spool, &f->ring);
	assert_int_equal(f->spool.lost, 49 * 2); // the last gap has nothing behind it yet
	for (unsigned int i = 0; i < 50; i++) {
		assert_int_equal(spool_batch(&f->spool, &head, &batch), 5);
		assert_int_equal(batch[0].seq, expect);
		if (i > 0) {
			assert_int_equal(head.lost_first, expect - 2);
			assert_int_equal(head.lost_last, expect - 1);
		}
		spool_sent(&f->spool, 5);
		expect += 7;
	}
	assert_int_equal(spool_batch(&f->spool, &head, &batch), 0);
	assert_int_equal(spool_ack(&f->spool, 6), 0); // a seq that was lost: all before it
	assert_int_equal(spool_unacked(&f->spool), 245);
}

static void test_first_hits_lost(void **state)
{
	struct fixture *f = *state;
	struct ipc_hits head;
	const struct hit *batch;

	lose(f, 7);
	hits(f, 1);
	spool_take(&f->spool, &f->ring);
	assert_int_equal(spool_batch(&f->spool, &head, &batch), 1);
	assert_int_equal(head.lost, 7);
	assert_int_equal(head.lost_first, 1);
	assert_int_equal(head.lost_last, 7);
}

static void test_capacity_rounds_up(void **state)
{
	struct spool s;

	assert_int_equal(spool_init(&s, 257), 0);
	assert_int_equal(s.mask + 1, 512);
	spool_done(&s);
	assert_int_equal(spool_init(&s, 1), 0);
	assert_int_equal(s.mask + 1, 1);
	spool_done(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_flow_through, setup, teardown),
		cmocka_unit_test_setup_teardown(test_resend_from_ack, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ack_of_unsent, setup, teardown),
		cmocka_unit_test_setup_teardown(test_full_and_gap, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many_gaps, setup, teardown),
		cmocka_unit_test_setup_teardown(test_first_hits_lost, setup, teardown),
		cmocka_unit_test(test_capacity_rounds_up),
	};

	return cmocka_run_group_tests_name("spool", tests, NULL, NULL);
}

// SPDX-License-Identifier: BSD-2-Clause
// Content-Range, and resources joined from their pieces: the state of a resource has seen its bytes in order, each once.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>

#include "dataplane/engine/range.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

enum {
	RESOURCE = 1000,
	STATES = 600,
};

// Stands for a hash: it knows what it was fed with.
struct state {
	bool out; // not in the pool
	uint64_t next;
	bool wrong;
};

static struct range_table table;
static void *memory;
static struct counters counters;
static struct state states[STATES];
static uint64_t now;

static void fresh(uint32_t n)
{
	free(memory);
	memory = malloc(range_memory(n));
	assert_non_null(memory);
	memset(memory, 0xa5, range_memory(n));
	memset(&counters, 0, sizeof(counters));
	memset(states, 0, sizeof(states));
	range_init(&table, memory, n, 42, &counters);
	now = 1;
}

static int teardown(void **state)
{
	free(memory);
	return 0;
}

static struct state *state_get(void)
{
	for (size_t i = 0; i < STATES; i++) {
		if (states[i].out)
			continue;
		states[i] = (struct state){.out = true};
		return &states[i];
	}
	fail_msg("no state left");
	return NULL;
}

static void state_put(struct state *s)
{
	if (s == NULL)
		return;
	assert_true(s->out);
	s->out = false;
}

static unsigned int states_out(void)
{
	unsigned int n = 0;

	for (size_t i = 0; i < STATES; i++)
		n += states[i].out;
	return n;
}

struct piece {
	struct range_piece piece;
	struct state *state;
	enum range_verdict verdict;
};

static struct range_resource resource_of(unsigned int i)
{
	static uint8_t server[16];
	static char target[32];
	int n = snprintf(target, sizeof(target), "/file%u", i);

	return (struct range_resource){.server = server,
				       .port = 80,
				       .host = SPAN_LIT("www.example.test"),
				       .target = span_of(target, (size_t)n),
				       .validator = SPAN_LIT("\"etag\"")};
}

static struct piece begin(const struct range_resource *r, uint64_t first, uint64_t last)
{
	const struct range range = {first, last, RESOURCE};
	struct piece p = {.state = state_get()};
	void *freed, *state = p.state;

	p.verdict = range_begin(&table, r, &range, now++, &state, &freed, &p.piece);
	p.state = state;
	state_put(freed);
	if (p.verdict != RANGE_JOINS) {
		assert_null(p.piece.entry);
		state_put(p.state);
		p.state = NULL;
	}
	return p;
}

// The piece's first bytes, fed to its state.
static bool end(struct piece *p, uint64_t bytes, bool broken)
{
	void *state = p->state;
	bool complete;

	if (bytes > p->piece.skip) {
		p->state->wrong |= p->state->next != p->piece.range.first + p->piece.skip;
		p->state->next = p->piece.range.first + bytes;
	}
	assert_false(p->state->wrong);
	complete = range_end(&table, &p->piece, bytes, broken, now++, &state);
	if (complete)
		assert_int_equal(((struct state *)state)->next, RESOURCE);
	state_put(state);
	return complete;
}

static enum range_verdict one(const struct range_resource *r, uint64_t first, uint64_t last,
			      bool *ret_complete)
{
	struct piece p = begin(r, first, last);

	*ret_complete = p.verdict == RANGE_JOINS && end(&p, last - first + 1, false);
	return p.verdict;
}

static void test_parse(void **state)
{
	static const struct {
		const char *value;
		int err;
		struct range range;
	} rows[] = {
		{"bytes 0-499/1234", 0, {0, 499, 1234}},
		{" Bytes\t 500 - 999 / 1234 ", 0, {500, 999, 1234}},
		{"bytes=5-5/6", 0, {5, 5, 6}},
		{"bytes:5-5/6 junk", 0, {5, 5, 6}},
		{"bytes 0-0/*", 0, {0, 0, RANGE_NO_LENGTH}},
		{"bytes 0-999999999999999998/999999999999999999",
		 0,
		 {0, 999999999999999998, 999999999999999999}},
		{"bytes */1234", -ENOENT, {0}},
		{"bytes */", -EBADMSG, {0}},
		{"bytes 0-1000000000000000000/*", -EBADMSG, {0}},
		{"bytes 5-4/6", -EBADMSG, {0}},
		{"bytes 5-6/6", -EBADMSG, {0}},
		{"bytes 5-/6", -EBADMSG, {0}},
		{"bytes -5/6", -EBADMSG, {0}},
		{"bytes 0-5", -EBADMSG, {0}},
		{"bytes 0-5/", -EBADMSG, {0}},
		{"lines 0-5/6", -EBADMSG, {0}},
		{"byte", -EBADMSG, {0}},
		{"", -EBADMSG, {0}},
	};

	for (size_t i = 0; i < N(rows); i++) {
		struct range r = {7, 7, 7};
		size_t n = strlen(rows[i].value);
		char *exact = malloc(n + (n == 0)); // a sanitizer sees a byte too far

		assert_non_null(exact);
		memcpy(exact, rows[i].value, n);
		if (range_parse(span_of(exact, n), &r) != rows[i].err)
			print_error("%s\n", rows[i].value);
		assert_int_equal(range_parse(span_of(exact, n), &r), rows[i].err);
		if (rows[i].err == 0)
			assert_memory_equal(&r, &rows[i].range, sizeof(r));
		else
			assert_int_equal(r.first, 7); // not written
		free(exact);
	}
}

static void test_in_order(void **state)
{
	bool complete;

	fresh(16);
	for (uint64_t at = 0; at < RESOURCE; at += 100) {
		struct range_resource r = resource_of(1);

		assert_int_equal(one(&r, at, at + 99, &complete), RANGE_JOINS);
		assert_int_equal(complete, at == 900);
		assert_int_equal(states_out(), at < 900);
	}
	assert_int_equal(range_in_use(&table), 0);
	assert_int_equal(counters.v[CNT_RANGE_PIECES], 10);
	assert_int_equal(counters.v[CNT_RANGE_JOINED], 1);
	assert_int_equal(counters.v[CNT_RANGE_PARTIAL], 0);
}

// Pieces that overlap: what was hashed is skipped.
static void test_overlap(void **state)
{
	const struct range_resource r = resource_of(1);
	bool complete;
	struct piece p;

	fresh(16);
	assert_int_equal(one(&r, 0, 499, &complete), RANGE_JOINS);
	p = begin(&r, 300, 799);
	assert_int_equal(p.verdict, RANGE_JOINS);
	assert_int_equal(p.piece.skip, 200);
	assert_false(end(&p, 500, false));
	p = begin(&r, 0, 899); // broken off before it says anything new
	assert_int_equal(p.verdict, RANGE_JOINS);
	assert_false(end(&p, 500, false));
	assert_int_equal(one(&r, 100, 300, &complete), RANGE_PARTIAL); // nothing new
	assert_int_equal(one(&r, 800, 999, &complete), RANGE_JOINS);
	assert_true(complete);
	assert_int_equal(states_out(), 0);
}

// A piece that breaks off without a gap: the next one goes on where it ended.
static void test_broken_off(void **state)
{
	const struct range_resource r = resource_of(1);
	bool complete;
	struct piece p;

	fresh(16);
	p = begin(&r, 0, 499);
	assert_false(end(&p, 123, false));
	assert_int_equal(one(&r, 200, 999, &complete), RANGE_PARTIAL);
	assert_int_equal(one(&r, 123, 999, &complete), RANGE_JOINS);
	assert_true(complete);
	p = begin(&r, 0, 499);
	assert_false(end(&p, 0, false));
	assert_int_equal(one(&r, 0, 998, &complete), RANGE_JOINS);
	assert_int_equal(one(&r, 999, 999, &complete), RANGE_JOINS);
	assert_true(complete);
	assert_int_equal(states_out(), 0);
}

// With a gap the state is of no use: from the beginning again.
static void test_gap(void **state)
{
	const struct range_resource r = resource_of(1);
	bool complete;
	struct piece p;

	fresh(16);
	assert_int_equal(one(&r, 0, 499, &complete), RANGE_JOINS);
	p = begin(&r, 500, 799);
	assert_false(end(&p, 100, true));
	assert_int_equal(counters.v[CNT_RANGE_PARTIAL], 1);
	assert_int_equal(states_out(), 0);
	assert_int_equal(one(&r, 800, 999, &complete), RANGE_PARTIAL);
	assert_int_equal(one(&r, 0, 799, &complete), RANGE_JOINS);
	assert_int_equal(one(&r, 800, 999, &complete), RANGE_JOINS);
	assert_true(complete);
	p = begin(&r, 0, 499); // more than was announced
	assert_false(end(&p, 501, false));
	assert_int_equal(states_out(), 0);
}

// Out of order, and two at a time: partial. All seen, nothing hashed as a whole: told once.
static void test_out_of_order(void **state)
{
	const struct range_resource r = resource_of(1);
	bool complete;
	struct piece a;

	fresh(16);
	for (int i = 9; i > 0; i--)
		assert_int_equal(one(&r, (uint64_t)i * 100, (uint64_t)i * 100 + 99, &complete),
				 RANGE_PARTIAL);
	a = begin(&r, 0, 499);
	assert_int_equal(a.verdict, RANGE_JOINS);
	assert_int_equal(one(&r, 0, 499, &complete),
			 RANGE_PARTIAL); // another client, at the same time
	assert_int_equal(counters.v[CNT_RANGE_COVERED], 1);
	assert_int_equal(one(&r, 0, 499, &complete), RANGE_PARTIAL);
	assert_int_equal(counters.v[CNT_RANGE_COVERED], 1);
	assert_false(end(&a, 500, false));
	assert_int_equal(counters.v[CNT_RANGE_PARTIAL], 11);
	assert_int_equal(one(&r, 500, 999, &complete), RANGE_JOINS);
	assert_true(complete);
	assert_int_equal(states_out(), 0);
}

// What makes a resource another one.
static void test_resources(void **state)
{
	static const uint8_t other[16] = {1};
	struct range_resource all[7];
	bool complete;

	fresh(64);
	for (size_t i = 0; i < N(all); i++)
		all[i] = resource_of(1);
	all[1].server = other;
	all[2].port = 81;
	all[3].host = SPAN_LIT("www.example.tes");
	all[4].target = SPAN_LIT("t/file1");
	all[5].validator = SPAN_NONE;
	all[6].host = SPAN_LIT("www.example.test/file1");
	all[6].target = SPAN_NONE;
	for (size_t i = 0; i < N(all); i++)
		assert_int_equal(one(&all[i], 0, 99, &complete), RANGE_JOINS);
	for (size_t i = 0; i < N(all); i++)
		assert_int_equal(one(&all[i], 200, 299, &complete), RANGE_PARTIAL);
	assert_int_equal(range_in_use(&table), N(all));
	assert_int_equal(states_out(), N(all));
	// The whole of it, or a part of nobody knows what: alone.
	assert_int_equal(one(&all[0], 0, RESOURCE - 1, &complete), RANGE_ALONE);
}

// More resources than there is room for: the oldest leave, none that is in progress does, no state is lost.
static void test_full(void **state)
{
	struct piece busy[400];
	struct range_resource r;
	bool complete;
	void *s;
	uint32_t at = 0;
	unsigned int joined = 0;

	fresh(64);
	for (unsigned int i = 0; i < 400; i++) {
		r = resource_of(i);
		assert_int_equal(one(&r, 0, 99, &complete), RANGE_JOINS);
		assert_int_equal(states_out(), range_in_use(&table));
	}
	assert_in_range(range_in_use(&table), 32, 64);
	assert_int_equal(counters.v[CNT_RANGE_EVICTED], 400 - range_in_use(&table));
	for (unsigned int i = 0; i < 400; i++) {
		r = resource_of(1000 + i);
		busy[i] = begin(&r, 0, 99);
		joined += busy[i].verdict == RANGE_JOINS;
	}
	assert_in_range(joined, 32, 64);
	assert_int_equal(states_out(), range_in_use(&table));
	for (unsigned int i = 0; i < 400; i++)
		if (busy[i].verdict == RANGE_JOINS)
			end(&busy[i], 100, false);
	while ((s = range_expire(&table, UINT64_MAX, 64, &at)) != NULL)
		state_put(s);
	assert_int_equal(range_in_use(&table), 0);
	assert_int_equal(states_out(), 0);
}

static void test_expire(void **state)
{
	const struct range_resource r = resource_of(1);
	uint32_t at = 5;
	struct piece p;
	void *s;

	fresh(8);
	p = begin(&r, 0, 99);
	now += 2 * RANGE_IDLE_NS;
	assert_null(range_expire(&table, now, 8, &at)); // in progress
	end(&p, 100, false);
	assert_null(range_expire(&table, now, 8, &at));
	assert_int_equal(at, 5);
	s = range_expire(&table, now + RANGE_IDLE_NS, 8, &at);
	assert_non_null(s);
	state_put(s);
	assert_int_equal(range_in_use(&table), 0);
	assert_null(range_expire(&table, UINT64_MAX, 8, &at));
}

// Random pieces of random resources: whatever comes, a state is fed in order, and none is lost. states[] check it.
static void test_random(void **state)
{
	uint64_t rnd = 7, complete_n = 0;
	struct piece open[4] = {0};

	fresh(16);
	for (int i = 0; i < 200000; i++) {
		size_t k = (rnd >> 20) % N(open);
		uint64_t first, last;

		rnd = rnd * 6364136223846793005u + 1442695040888963407u;
		if (open[k].verdict == RANGE_JOINS) {
			uint64_t n = open[k].piece.range.last - open[k].piece.range.first + 1;

			if ((rnd >> 40) % 5 == 0)
				n = (rnd >> 33) % n;
			complete_n += end(&open[k], n, (rnd >> 50) % 20 == 0);
			open[k].verdict = RANGE_ALONE;
		} else {
			const struct range_resource r = resource_of((rnd >> 60) + (rnd >> 44) % 3);

			first = (rnd >> 30) % 10 * 100;
			last = first + (rnd >> 24) % (RESOURCE - first);
			open[k] = begin(&r, first, last);
		}
		assert_true(states_out() <= 16 + N(open));
	}
	assert_true(complete_n > 100);
	assert_int_equal(complete_n, counters.v[CNT_RANGE_JOINED]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),     cmocka_unit_test(test_in_order),
		cmocka_unit_test(test_overlap),   cmocka_unit_test(test_broken_off),
		cmocka_unit_test(test_gap),       cmocka_unit_test(test_out_of_order),
		cmocka_unit_test(test_resources), cmocka_unit_test(test_full),
		cmocka_unit_test(test_expire),    cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, teardown);
}

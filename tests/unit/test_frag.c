// SPDX-License-Identifier: BSD-2-Clause
// Fragments in every order against a model of Linux, and the bounds: pieces of 8 bytes, one source, a full table, age.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "dataplane/engine/frag.h"
#include "tests/unit/fragmodel.h"

enum {
	HEAD = 20,
	SECOND = 1000000000,
};

struct bench {
	struct frag_table table;
	struct counters counters;
	void *memory;
	uint64_t now_ns;
	struct span data; // of the datagram that was whole last
	bool conflict;
};

static void bench_init(struct bench *b, uint32_t datagrams)
{
	memset(b, 0, sizeof(*b));
	assert_int_equal(posix_memalign(&b->memory, 64, frag_table_bytes(datagrams)), 0);
	memset(b->memory, 0, frag_table_bytes(datagrams));
	frag_table_init(&b->table, b->memory, datagrams, 0x1234567, &b->counters);
	b->now_ns = SECOND;
}

// Everything that began has ended in one way, and nothing is left.
static void bench_done(struct bench *b)
{
	const uint64_t *v = b->counters.v;

	assert_int_equal(v[CNT_FRAG_ACTIVE], b->table.datagrams.used);
	frag_flush(&b->table);
	assert_int_equal(b->table.datagrams.used, 0);
	assert_int_equal(b->table.blocks.used, 0);
	assert_int_equal(b->table.oldest, POOL_NONE);
	for (unsigned int i = 0; i < FRAG_SOURCES; i++)
		assert_int_equal(b->table.sources[i].n, 0);
	assert_int_equal(v[CNT_FRAG_DATAGRAMS],
			 v[CNT_FRAG_DONE] + v[CNT_FRAG_TIMEOUT] + v[CNT_FRAG_EVICTED] +
				 v[CNT_FRAG_SOURCE_FULL] + v[CNT_FRAG_OVERLAP] +
				 v[CNT_FRAG_BAD_END] + v[CNT_FRAG_TOO_LONG] + v[CNT_FRAG_SHUTDOWN]);
	free(b->memory);
}

static struct pkt_fragment piece(uint32_t src, uint32_t id, uint32_t offset, bool more,
				 const uint8_t *data, size_t len)
{
	struct pkt_fragment p;

	memset(&p, 0, sizeof(p));
	p.src[10] = p.src[11] = 0xff;
	memcpy(p.src + 12, &src, 4);
	p.id = id;
	p.proto = p.next = 6;
	p.offset = offset;
	p.more = more;
	p.data = span_of(data, len);
	p.head_len = HEAD;
	return p;
}

static bool take(struct bench *b, struct pkt_fragment p)
{
	return frag_take(&b->table, &p, b->now_ns, &b->data, &b->conflict);
}

static void fill(uint8_t *p, size_t n, uint32_t seed)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)((((uint32_t)i + 1) * 2654435761u ^ seed * 0x9e3779b9u) >> 13);
}

static uint32_t next(uint64_t *rng)
{
	*rng ^= *rng << 13;
	*rng ^= *rng >> 7;
	*rng ^= *rng << 17;
	return (uint32_t)(*rng >> 32);
}

// The same 40 bytes in pieces of 8, in all 120 orders.
static void test_every_order(void **state)
{
	uint8_t bytes[40];
	struct bench b;

	bench_init(&b, 8);
	fill(bytes, sizeof(bytes), 1);
	for (uint32_t k = 0; k < 120; k++) {
		uint32_t order[5] = {0, 1, 2, 3, 4}, rest = k;

		for (uint32_t i = 5; i > 1; i--) {
			uint32_t j = rest % i, swap = order[j];

			rest /= i;
			order[j] = order[i - 1];
			order[i - 1] = swap;
		}
		for (uint32_t i = 0; i < 5; i++) {
			bool whole = take(&b, piece(1, k, order[i] * 8, order[i] < 4,
						    bytes + order[i] * 8, 8));

			assert_int_equal(whole, i == 4);
		}
		assert_int_equal(b.data.len, 40);
		assert_memory_equal(b.data.data, bytes, 40);
	}
	bench_done(&b);
}

// As many as there can be, shuffled: 8,189 of 8 bytes and one of 3 are 65,515, and a header of 20.
static void test_most_pieces(void **state)
{
	enum { BYTES = 65515, PIECES = (BYTES + 7) / 8 };
	static uint8_t bytes[BYTES];
	static uint32_t order[PIECES];
	uint64_t rng = 88172645463325252u;
	struct bench b;

	bench_init(&b, 64);
	fill(bytes, BYTES, 2);
	for (uint32_t i = 0; i < PIECES; i++)
		order[i] = i;
	for (uint32_t i = PIECES - 1; i > 0; i--) {
		uint32_t j = next(&rng) % (i + 1), swap = order[i];

		order[i] = order[j];
		order[j] = swap;
	}
	for (uint32_t i = 0; i < PIECES; i++) {
		uint32_t at = order[i] * 8;
		uint32_t n = BYTES - at < 8 ? BYTES - at : 8;

		assert_int_equal(take(&b, piece(1, 1, at, at + n < BYTES, bytes + at, n)),
				 i == PIECES - 1);
	}
	assert_int_equal(b.data.len, BYTES);
	assert_memory_equal(b.data.data, bytes, BYTES);
	// One byte more is too much.
	assert_false(take(&b, piece(1, 2, BYTES / 8 * 8, false, bytes, 4)));
	assert_false(take(&b, piece(1, 2, 0, true, bytes, BYTES / 8 * 8)));
	assert_int_equal(b.counters.v[CNT_FRAG_TOO_LONG], 1);
	assert_false(take(&b, piece(1, 3, 65528, true, bytes, 16)));
	assert_int_equal(b.counters.v[CNT_FRAG_TOO_LONG], 2);
	bench_done(&b);
}

// Random pieces of small datagrams, so that every kind of overlap comes: what comes out, and when, is what Linux gives.
static void test_against_linux(void **state)
{
	static struct fragmodel m;
	uint64_t rng = 0x9e3779b97f4a7c15u;
	uint64_t whole = 0, gone = 0, duplicates = 0;
	struct bench b;

	bench_init(&b, 8);
	fragmodel_reset(&m);
	for (int i = 0; i < 400000; i++) {
		uint32_t offset = next(&rng) % 8 * 8, len = 1 + next(&rng) % 3 * 8;
		bool more = next(&rng) % 4 != 0;
		uint8_t bytes[32];
		enum fragmodel_says says;
		uint64_t before = b.counters.v[CNT_FRAG_DUPLICATE];
		bool got;

		if (next(&rng) % 8 != 0)
			len += 7;
		if (next(&rng) % 64 == 0)
			len = next(&rng) % 9;
		fill(bytes, sizeof(bytes), next(&rng));
		says = fragmodel_put(&m, offset, more, span_of(bytes, len), HEAD);
		got = take(&b, piece(1, 1, offset, more, bytes, len));
		assert_int_equal(got, says == FRAGMODEL_WHOLE);
		assert_int_equal(b.counters.v[CNT_FRAG_DUPLICATE] - before,
				 says == FRAGMODEL_DUPLICATE);
		assert_int_equal(b.table.datagrams.used,
				 says == FRAGMODEL_WAITS || says == FRAGMODEL_DUPLICATE);
		if (got) {
			assert_int_equal(b.data.len, m.len);
			assert_memory_equal(b.data.data, m.bytes, m.len);
		}
		whole += got;
		gone += says == FRAGMODEL_GONE;
		duplicates += says == FRAGMODEL_DUPLICATE;
		if (got || says == FRAGMODEL_GONE)
			fragmodel_reset(&m);
	}
	// The generator reaches all of it.
	assert_true(whole > 1000 && gone > 1000 && duplicates > 1000);
	bench_done(&b);
}

// The first copy stays, and that there was another is known.
static void test_duplicates(void **state)
{
	uint8_t a[16], z[16];
	struct bench b;

	bench_init(&b, 8);
	fill(a, sizeof(a), 1);
	fill(z, sizeof(z), 2);
	assert_false(take(&b, piece(1, 1, 8, false, a + 8, 8)));
	assert_false(take(&b, piece(1, 1, 8, false, a + 8, 8)));
	assert_int_equal(b.counters.v[CNT_FRAG_DUPLICATE], 1);
	assert_int_equal(b.counters.v[CNT_FRAG_CONFLICT], 0);
	assert_false(take(&b, piece(1, 1, 8, false, z + 8, 8)));
	assert_int_equal(b.counters.v[CNT_FRAG_CONFLICT], 1);
	assert_true(take(&b, piece(1, 1, 0, true, a, 8)));
	assert_true(b.conflict);
	assert_memory_equal(b.data.data, a, 16);
	assert_true(!take(&b, piece(1, 1, 0, true, z, 8)) &&
		    take(&b, piece(1, 1, 8, false, z + 8, 8)));
	assert_false(b.conflict);
	assert_memory_equal(b.data.data, z, 16);
	bench_done(&b);
}

// What tells datagrams apart: each field of the key alone.
static void test_keys(void **state)
{
	uint8_t bytes[16];
	struct bench b;

	bench_init(&b, 16);
	fill(bytes, sizeof(bytes), 3);
	for (int i = 0; i < 7; i++) {
		struct pkt_fragment p = piece(1, 1, 0, true, bytes, 8);

		p.src[0] = i == 1;
		p.dst[15] = i == 2;
		p.id += i == 3;
		p.proto = i == 4 ? 17 : 6;
		p.net = i == 5;
		p.tunnel = i == 6;
		assert_false(take(&b, p));
		assert_int_equal(b.table.datagrams.used, i + 1);
	}
	assert_true(take(&b, piece(1, 1, 8, false, bytes + 8, 8)));
	assert_int_equal(b.table.datagrams.used, 6);
	bench_done(&b);
}

// What goes with the first piece belongs to the whole, in whatever order pieces come.
static void test_first_piece(void **state)
{
	uint8_t bytes[16] = {0};
	struct pkt_fragment first = piece(1, 1, 0, true, bytes, 8),
			    last = piece(1, 1, 8, false, bytes, 8);
	struct bench b;

	bench_init(&b, 8);
	first.next = 6;
	first.ttl = 61;
	last.next = 17;
	last.ttl = 7;
	assert_false(take(&b, first));
	assert_true(frag_take(&b.table, &last, b.now_ns, &b.data, &b.conflict));
	assert_int_equal(last.next, 6);
	assert_int_equal(last.ttl, 61);
	bench_done(&b);
}

static void test_age(void **state)
{
	uint8_t bytes[16] = {0};
	struct bench b;

	bench_init(&b, 8);
	assert_false(take(&b, piece(1, 1, 0, true, bytes, 8)));
	b.now_ns += UINT64_C(3) * SECOND;
	assert_false(take(&b, piece(1, 2, 0, true, bytes, 8)));
	b.now_ns += UINT64_C(2) * SECOND;
	frag_expire(&b.table, b.now_ns, 10);
	assert_int_equal(b.table.datagrams.used, 2); // 5 s are not more than 5 s
	b.now_ns++;
	frag_expire(&b.table, b.now_ns, 0);
	assert_int_equal(b.table.datagrams.used, 2);
	frag_expire(&b.table, b.now_ns, 10);
	assert_int_equal(b.table.datagrams.used, 1);
	b.now_ns += UINT64_C(3) * SECOND;
	// Too late, even if nobody has looked: the second half begins a new one.
	assert_false(take(&b, piece(1, 2, 8, false, bytes, 8)));
	assert_int_equal(b.counters.v[CNT_FRAG_TIMEOUT], 2);
	// Time may stand still or go back.
	b.now_ns = 0;
	frag_expire(&b.table, b.now_ns, 10);
	assert_true(take(&b, piece(1, 2, 0, true, bytes, 8)));
	bench_done(&b);
}

// One source cannot take more than its share: its own oldest go.
static void test_one_source(void **state)
{
	uint8_t bytes[16] = {0};
	struct bench b;

	bench_init(&b, 256);
	assert_false(take(&b, piece(2, 7, 0, true, bytes, 8)));
	for (uint32_t i = 0; i < 1000; i++)
		assert_false(take(&b, piece(1, i, 0, true, bytes, 8)));
	assert_int_equal(b.counters.v[CNT_FRAG_SOURCE_FULL], 1000 - FRAG_PER_SOURCE);
	assert_int_equal(b.counters.v[CNT_FRAG_EVICTED], 0);
	assert_true(take(&b, piece(2, 7, 8, false, bytes, 8)));
	assert_true(take(&b, piece(1, 999, 8, false, bytes, 8)));
	assert_false(take(&b, piece(1, 0, 8, false, bytes, 8)));
	bench_done(&b);
}

// A flood of first fragments from everywhere: the table stays as large as it is, and datagrams that come at once get through.
static void test_flood(void **state)
{
	uint8_t bytes[16] = {0};
	uint64_t rng = 7;
	struct bench b;

	bench_init(&b, 256);
	for (uint32_t i = 0; i < 100000; i++) {
		assert_false(take(&b, piece(next(&rng), i, 0, true, bytes, 8)));
		assert_true(b.table.datagrams.used <= 256);
		if (i % 100 == 0) {
			assert_false(take(&b, piece(1, i, 0, true, bytes, 8)));
			assert_true(take(&b, piece(1, i, 8, false, bytes, 8)));
		}
	}
	assert_true(b.counters.v[CNT_FRAG_EVICTED] > 99000);
	bench_done(&b);
}

// Few but large ones: blocks run out before datagrams do; what is being written to is never taken away from itself.
static void test_blocks_run_out(void **state)
{
	static uint8_t bytes[60000];
	struct bench b;

	fill(bytes, sizeof(bytes), 9);
	bench_init(&b, 32);
	for (uint32_t i = 0; i < 10; i++)
		assert_false(take(&b, piece(i, 1, 0, true, bytes, 48000)));
	assert_int_equal(b.table.datagrams.used, 1);
	assert_true(take(&b, piece(9, 1, 48000, false, bytes + 48000, 12000)));
	assert_memory_equal(b.data.data, bytes, 60000);
	bench_done(&b);
	// Too few for one of the largest: it goes, counted.
	bench_init(&b, 8);
	assert_false(take(&b, piece(1, 1, 0, true, bytes, 48000)));
	assert_int_equal(b.counters.v[CNT_FRAG_EVICTED], 1);
	assert_int_equal(b.table.datagrams.used, 0);
	bench_done(&b);
}

static void test_far_apart(void **state)
{
	uint8_t bytes[16] = {0};
	struct bench b;

	bench_init(&b, 256);
	for (int far = 0; far < 2; far++) {
		assert_false(take(&b, piece(1, 1000, 0, true, bytes, 8)));
		for (uint32_t i = 0; i < (far ? 64 : 63); i++)
			take(&b, piece(1, 5, i % 2 * 8, i % 2 == 0, bytes, 8));
		assert_true(take(&b, piece(1, 1000, 8, false, bytes, 8)));
		assert_int_equal(b.counters.v[CNT_FRAG_FAR], far);
	}
	bench_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_order),   cmocka_unit_test(test_most_pieces),
		cmocka_unit_test(test_against_linux), cmocka_unit_test(test_duplicates),
		cmocka_unit_test(test_keys),          cmocka_unit_test(test_first_piece),
		cmocka_unit_test(test_age),           cmocka_unit_test(test_one_source),
		cmocka_unit_test(test_flood),         cmocka_unit_test(test_blocks_run_out),
		cmocka_unit_test(test_far_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

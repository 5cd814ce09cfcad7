// SPDX-License-Identifier: BSD-2-Clause
// The flow table: found what was put in, nothing else, within its bounds, compared with a plain array at the end.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "dataplane/engine/flow.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

enum {
	FLOWS_MAX = 256,
	HASH_KEY = 0x1234,
};
#define SECOND UINT64_C(1000000000)

struct fixture {
	struct flow_table t;
	void *buckets, *records;
};

// Memory as a caller would give it: the table may not rely on what is in it.
static void *dirty(size_t bytes)
{
	void *p = aligned_alloc(64, (bytes + 63) / 64 * 64);

	assert_non_null(p);
	memset(p, 0x5a, bytes);
	return p;
}

static void fixture_init(struct fixture *x, uint32_t flows)
{
	x->buckets = dirty(flow_buckets_bytes(flows));
	x->records = dirty(flows * sizeof(struct flow) + 1);
	flow_table_init(&x->t, x->buckets, x->records, flows, HASH_KEY);
}

static void fixture_done(struct fixture *x)
{
	free(x->buckets);
	free(x->records);
}

static struct flow_key key_of(uint32_t n)
{
	struct flow_key k = {.lo_port = 80, .hi_port = (uint16_t)(n % 50000), .net = n / 50000};

	memcpy(k.lo + 12, &n, 4);
	return k;
}

static struct flow *find(struct flow_table *t, uint32_t n)
{
	struct flow_key k = key_of(n);

	return flow_find(t, &k, flow_hash(t, &k));
}

static struct flow *add(struct flow_table *t, uint32_t n, struct flow **ret_victim)
{
	struct flow_key k = key_of(n);

	return flow_add(t, &k, flow_hash(t, &k), ret_victim);
}

static void test_add_find_del(void **state)
{
	struct fixture x;
	struct flow *f, *victim;

	fixture_init(&x, FLOWS_MAX);
	assert_null(find(&x.t, 1));
	f = add(&x.t, 1, &victim);
	assert_non_null(f);
	assert_null(victim);
	assert_ptr_equal(find(&x.t, 1), f);
	assert_null(find(&x.t, 2));
	assert_int_equal(x.t.pool.used, 1);
	flow_del(&x.t, f);
	assert_null(find(&x.t, 1));
	assert_int_equal(x.t.pool.used, 0);
	fixture_done(&x);
}

// A record that was used before starts from nothing.
static void test_record_is_clean(void **state)
{
	struct fixture x;
	struct flow *f, *victim;
	const struct flow_key k = key_of(2);

	fixture_init(&x, 2);
	f = add(&x.t, 1, &victim);
	assert_non_null(f);
	memset(f->half, 0xff, sizeof(f->half));
	f->app = APP_TLS;
	f->id = 77;
	flow_del(&x.t, f);
	f = add(&x.t, 2, &victim);
	assert_non_null(f);
	assert_memory_equal(&f->key, &k, sizeof(k));
	assert_int_equal(f->app, APP_UNKNOWN);
	assert_int_equal(f->state, FLOW_NEW);
	assert_int_equal(f->flags, FLOW_LIVE);
	assert_int_equal(f->id, 0);
	assert_null(f->http);
	for (int d = 0; d < DIR_N; d++) {
		assert_int_equal(f->half[d].flags, 0);
		assert_int_equal(f->half[d].ooo_head, POOL_NONE);
		assert_int_equal(f->half[d].prefix, POOL_NONE);
	}
	fixture_done(&x);
}

// Every field of the key counts.
static void test_key_is_compared_whole(void **state)
{
	struct fixture x;
	struct flow *victim;
	struct flow_key k = key_of(5);

	fixture_init(&x, FLOWS_MAX);
	assert_non_null(flow_add(&x.t, &k, 9, &victim));
	for (size_t i = 0; i < sizeof(k); i++) {
		struct flow_key other = k;

		((uint8_t *)&other)[i] ^= 1;
		assert_null(flow_find(&x.t, &other, 9)); // the same hash on purpose
	}
	assert_non_null(flow_find(&x.t, &k, 9));
	fixture_done(&x);
}

// Eight flows of one bucket; the ninth names whom to give up: closed ones first, then those without an answer, then
// the longest silent.
static void test_full_bucket(void **state)
{
	static const struct {
		uint8_t state[FLOW_BUCKET_WAYS];
		uint64_t seen[FLOW_BUCKET_WAYS];
		uint32_t victim;
	} table[] = {
		{{1, 1, 1, 1, 1, 1, 1, 1}, {9, 8, 7, 3, 5, 6, 7, 8}, 3},
		{{1, 1, 1, 1, 1, 0, 1, 1}, {1, 1, 1, 1, 1, 9, 1, 1}, 5},
		{{1, 0, 1, 0, 1, 2, 1, 0}, {1, 1, 1, 1, 1, 9, 1, 1}, 5},
		{{2, 2, 2, 2, 2, 2, 2, 2}, {9, 8, 7, 6, 5, 4, 3, 2}, 7},
	};

	for (size_t i = 0; i < N(table); i++) {
		struct fixture x;
		struct flow *f[FLOW_BUCKET_WAYS], *victim;
		struct flow_key k;

		fixture_init(&x, FLOWS_MAX);
		for (uint32_t n = 0; n < FLOW_BUCKET_WAYS; n++) {
			k = key_of(n);
			f[n] = flow_add(&x.t, &k, n << 16, &victim);
			assert_non_null(f[n]);
			f[n]->state = table[i].state[n];
			f[n]->last_seen_ns = table[i].seen[n];
		}
		k = key_of(100);
		assert_null(flow_add(&x.t, &k, 100 << 16, &victim));
		assert_ptr_equal(victim, f[table[i].victim]);
		assert_int_equal(x.t.pool.used, FLOW_BUCKET_WAYS);
		flow_del(&x.t, victim);
		assert_non_null(flow_add(&x.t, &k, 100 << 16, &victim));
		assert_null(victim);
		for (uint32_t n = 0; n < FLOW_BUCKET_WAYS; n++) {
			k = key_of(n);
			if (n != table[i].victim)
				assert_ptr_equal(flow_find(&x.t, &k, n << 16), f[n]);
		}
		fixture_done(&x);
	}
}

static void test_full_pool(void **state)
{
	struct fixture x;
	struct flow *victim = NULL;
	uint32_t n = 0;

	fixture_init(&x, 2);
	while (add(&x.t, n, &victim) != NULL)
		n++;
	assert_int_equal(n, 2);
	assert_non_null(victim);
	assert_true((victim->flags & FLOW_LIVE) != 0);
	flow_del(&x.t, victim);
	assert_non_null(add(&x.t, n, &victim));
	fixture_done(&x);
	// No flows at all: nobody to give up.
	fixture_init(&x, 0);
	assert_null(add(&x.t, 1, &victim));
	assert_null(victim);
	assert_null(find(&x.t, 1));
	fixture_done(&x);
}

static void test_expiry_times(void **state)
{
	static const struct {
		uint8_t state;
		uint64_t now, seen;
		bool expired;
	} table[] = {
		{FLOW_NEW, 10 * SECOND, 0, false},
		{FLOW_NEW, 10 * SECOND + 1, 0, true},
		{FLOW_ESTABLISHED, 120 * SECOND, 0, false},
		{FLOW_ESTABLISHED, 120 * SECOND + 1, 0, true},
		{FLOW_CLOSING, 10 * SECOND, 0, false},
		{FLOW_CLOSING, 10 * SECOND + 1, 0, true},
		{FLOW_NEW, 5, 100 * SECOND, false}, // time may go back a little
	};

	for (size_t i = 0; i < N(table); i++) {
		const struct flow f = {.state = table[i].state, .last_seen_ns = table[i].seen};

		assert_int_equal(flow_is_expired(&f, table[i].now), table[i].expired);
	}
}

// The sweep finds each silent flow once per round, never a live one, and never looks at more than its budget.
static void test_expiry_sweep(void **state)
{
	struct fixture x;
	struct flow *f, *victim;
	unsigned int budget, expired = 0;

	fixture_init(&x, FLOWS_MAX);
	for (uint32_t n = 0; n < 100; n++) {
		f = add(&x.t, n, &victim);
		assert_non_null(f);
		f->state = FLOW_ESTABLISHED;
		f->last_seen_ns = n % 3 == 0 ? 0 : 200 * SECOND;
	}
	budget = 10;
	while ((f = flow_expired(&x.t, 200 * SECOND, false, &budget)) != NULL)
		expired++;
	assert_int_equal(budget, 0);
	assert_int_equal(expired, 4); // of the first ten records
	expired = 0;
	budget = 1000;
	while ((f = flow_expired(&x.t, 200 * SECOND, false, &budget)) != NULL) {
		assert_int_equal(f->last_seen_ns, 0);
		flow_del(&x.t, f);
		expired++;
	}
	assert_int_equal(expired, 34);
	assert_int_equal(x.t.pool.used, 66);
	budget = 1000;
	while ((f = flow_expired(&x.t, 0, true, &budget)) != NULL)
		flow_del(&x.t, f);
	assert_int_equal(x.t.pool.used, 0);
	assert_true(budget > 0); // an empty table ends the sweep
	fixture_done(&x);
}

static void test_orient(void **state)
{
	static const struct {
		bool from_lo;
		uint16_t lo_port, hi_port;
		uint8_t flags;
		bool client_hi, midstream;
	} table[] = {
		{true, 40000, 80, TCP_SYN, false, false},
		{false, 40000, 80, TCP_SYN, true, false}, // ports do not matter to a SYN
		{true, 40000, 80, TCP_SYN | TCP_ACK, true, false},
		{false, 80, 40000, TCP_SYN | TCP_ACK, false, false},
		{true, 40000, 80, TCP_ACK, false, true},
		{false, 40000, 80, TCP_ACK, false, true},
		{true, 80, 40000, TCP_ACK, true, true},
		{false, 80, 40000, TCP_ACK, true, true},
		{true, 80, 80, TCP_ACK, false, true},
		{false, 80, 80, TCP_ACK, true, true},
	};

	for (size_t i = 0; i < N(table); i++) {
		struct flow f = {0};
		const struct pkt p = {
			.key = {.lo_port = table[i].lo_port, .hi_port = table[i].hi_port},
			.from_lo = table[i].from_lo,
			.flags = table[i].flags,
		};

		flow_orient(&f, &p);
		assert_int_equal((f.flags & FLOW_CLIENT_HI) != 0, table[i].client_hi);
		assert_int_equal((f.flags & FLOW_MIDSTREAM) != 0, table[i].midstream);
		assert_int_equal(flow_dir(&f, false),
				 table[i].client_hi ? DIR_TO_SERVER : DIR_TO_CLIENT);
		assert_int_not_equal(flow_dir(&f, true), flow_dir(&f, false));
	}
}

// Turned round twice, a flow is what it was; once, everything that belongs to a direction has moved.
static void test_flip(void **state)
{
	static const uint16_t seen[] = {0, FLOW_SEEN_0, FLOW_SEEN_1, FLOW_SEEN_0 | FLOW_SEEN_1};
	static const uint16_t flipped[] = {0, FLOW_SEEN_1, FLOW_SEEN_0, FLOW_SEEN_0 | FLOW_SEEN_1};

	for (size_t i = 0; i < N(seen); i++) {
		struct flow f = {
			.flags = FLOW_LIVE | FLOW_MIDSTREAM | seen[i],
			.bytes = {1, 2},
			.pkts = {3, 4},
			.half = {{.next_seq = 5}, {.next_seq = 6}},
		};
		const struct flow before = f;
		const enum dir dir = flow_dir(&f, true);

		flow_flip(&f);
		assert_int_equal(f.flags, FLOW_LIVE | FLOW_MIDSTREAM | FLOW_CLIENT_HI | flipped[i]);
		assert_int_equal(f.bytes[0], 2);
		assert_int_equal(f.pkts[1], 3);
		assert_int_equal(f.half[0].next_seq, 6);
		assert_int_equal(f.half[1].next_seq, 5);
		assert_int_not_equal(flow_dir(&f, true), dir);
		flow_flip(&f);
		assert_memory_equal(&f, &before, sizeof(f));
	}
}

static void test_addr(void **state)
{
	static const struct {
		uint32_t net;
		uint16_t outer, inner;
		uint8_t family;
	} table[] = {
		{0, 0, 0, 4},
		{0x123, 0x123, 0, 4},
		{0x456123, 0x456, 0x123, 4},
		{FLOW_NET_IPV6, 0, 0, 6},
		{FLOW_NET_IPV6 | 0xfff001, 0xfff, 1, 6},
	};

	for (size_t i = 0; i < N(table) * 4; i++) {
		const bool client_hi = i % 2 != 0;
		const enum dir dir = i / 2 % 2 != 0 ? DIR_TO_CLIENT : DIR_TO_SERVER;
		const bool src_hi = client_hi == (dir == DIR_TO_SERVER);
		const struct flow f = {
			.key = {.lo = {1},
				.hi = {2},
				.lo_port = 10,
				.hi_port = 20,
				.net = table[i / 4].net},
			.flags = client_hi ? FLOW_CLIENT_HI : 0,
		};
		struct hit_addr a;

		memset(&a, 0xff, sizeof(a));
		flow_addr(&f, dir, &a);
		assert_int_equal(a.src[0], src_hi ? 2 : 1);
		assert_int_equal(a.dst[0], src_hi ? 1 : 2);
		assert_int_equal(a.src_port, src_hi ? 20 : 10);
		assert_int_equal(a.dst_port, src_hi ? 10 : 20);
		assert_int_equal(a.vlan[0], table[i / 4].outer);
		assert_int_equal(a.vlan[1], table[i / 4].inner);
		assert_int_equal(a.family, table[i / 4].family);
		assert_int_equal(a.proto, 6);
		assert_int_equal(a.dir, dir);
		assert_int_equal(a.pad, 0);
	}
}

// Who does not know the secret cannot aim at a bucket: another secret deals all keys out anew.
static void test_two_secrets(void **state)
{
	const struct flow_table a = {.hash_key = 1}, b = {.hash_key = 2};
	uint32_t same_hash = 0, same_bucket = 0;

	for (uint32_t n = 0; n < 4096; n++) {
		const struct flow_key k = key_of(n);

		same_hash += flow_hash(&a, &k) == flow_hash(&b, &k);
		same_bucket += (flow_hash(&a, &k) & 1023) == (flow_hash(&b, &k) & 1023);
	}
	assert_true(same_hash <= 1);
	assert_in_range(same_bucket, 0, 20); // expected: 4
}

// A hundred thousand random steps against an array that says for each key what the table must say.
static void test_model(void **state)
{
	enum { KEYS = 600, STEPS = 100000 };
	struct flow *in[KEYS] = {0};
	struct fixture x;
	uint32_t live = 0, evictions = 0;
	uint64_t rnd = 88172645463325252u;

	fixture_init(&x, FLOWS_MAX);
	for (int step = 0; step < STEPS; step++) {
		struct flow *victim = NULL, *f;
		uint32_t n;

		rnd ^= rnd << 13;
		rnd ^= rnd >> 7;
		rnd ^= rnd << 17;
		n = (uint32_t)(rnd >> 20) % KEYS;
		f = find(&x.t, n);
		assert_ptr_equal(f, in[n]);
		if (f != NULL && (rnd & 3) == 0) {
			flow_del(&x.t, f);
			in[n] = NULL;
			live--;
		}
		if (f != NULL)
			continue;
		f = add(&x.t, n, &victim);
		if (f == NULL) {
			assert_non_null(victim);
			evictions++;
			assert_in_range(victim->id, 1, KEYS);
			assert_ptr_equal(in[victim->id - 1], victim);
			in[victim->id - 1] = NULL;
			flow_del(&x.t, victim);
			live--;
			f = add(&x.t, n, &victim);
		}
		assert_non_null(f);
		f->id = n + 1;
		f->last_seen_ns = (uint64_t)step;
		in[n] = f;
		live++;
		assert_int_equal(x.t.pool.used, live);
	}
	assert_true(evictions > 100);
	for (uint32_t n = 0; n < KEYS; n++)
		if (in[n] != NULL)
			flow_del(&x.t, in[n]);
	assert_int_equal(x.t.pool.used, 0);
	for (uint32_t n = 0; n < KEYS; n++)
		assert_null(find(&x.t, n));
	fixture_done(&x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_add_find_del),
		cmocka_unit_test(test_record_is_clean),
		cmocka_unit_test(test_key_is_compared_whole),
		cmocka_unit_test(test_full_bucket),
		cmocka_unit_test(test_full_pool),
		cmocka_unit_test(test_expiry_times),
		cmocka_unit_test(test_expiry_sweep),
		cmocka_unit_test(test_orient),
		cmocka_unit_test(test_flip),
		cmocka_unit_test(test_addr),
		cmocka_unit_test(test_two_secrets),
		cmocka_unit_test(test_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

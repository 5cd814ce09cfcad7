// SPDX-License-Identifier: BSD-2-Clause
// Released flows that the card drops: which are offered, what the card is asked, when that is taken back, what is counted.
// The card is a record of what it was asked.
#include "dataplane/offload.h"
#include "tests/unit/pipekit.h"

enum { RULES_MAX = 64 };
static const uint64_t S = 1000000000;

static struct card {
	struct {
		struct offload_match match;
		uint32_t port;
		uint64_t pkts;
		bool there;
	} rule[RULES_MAX];
	unsigned int n, there, refuse_from;
	bool counts;
} card;

static void *card_drop(void *ctx, uint32_t port, const struct offload_match *match)
{
	assert_ptr_equal(ctx, &card);
	if (card.n >= card.refuse_from)
		return NULL;
	assert_true(card.n < RULES_MAX);
	card.rule[card.n].match = *match;
	card.rule[card.n].port = port;
	card.rule[card.n].there = true;
	card.there++;
	return &card.rule[card.n++];
}

static bool card_count(void *ctx, uint32_t port, void *rule, uint64_t *ret_pkts,
		       uint64_t *ret_bytes)
{
	(void)ctx;
	for (unsigned int i = 0; i < card.n && card.counts; i++)
		if (&card.rule[i] == rule) {
			assert_int_equal(card.rule[i].port, port);
			*ret_pkts = card.rule[i].pkts;
			*ret_bytes = 100 * card.rule[i].pkts;
			return true;
		}
	return false;
}

static void card_undo(void *ctx, uint32_t port, void *rule)
{
	(void)ctx;
	for (unsigned int i = 0; i < card.n; i++)
		if (&card.rule[i] == rule) {
			assert_true(card.rule[i].there);
			assert_int_equal(card.rule[i].port, port);
			card.rule[i].there = false;
			card.there--;
		}
}

static const struct offload_ops ops = {.drop = card_drop, .count = card_count, .undo = card_undo};

static void begin(struct offload *o, uint32_t ports, uint32_t max, bool counts)
{
	memset(&card, 0, sizeof(card));
	card.counts = counts;
	card.refuse_from = RULES_MAX;
	assert_int_equal(offload_init(o, &ops, &card, ports, max), 0);
}

static uint64_t counter(const struct offload *o, enum counter c)
{
	static struct counters sum;

	memset(&sum, 0, sizeof(sum));
	offload_add(o, &sum);
	return sum.v[c];
}

// 192.0.2.1:lo_port and 198.51.100.1:443
static struct flow_key key_v4(uint16_t lo_port)
{
	struct flow_key k = {.lo_port = lo_port, .hi_port = 443};

	memcpy(k.lo, "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\x00\x02\x01", 16);
	memcpy(k.hi, "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc6\x33\x64\x01", 16);
	return k;
}

static void test_both_directions_on_all_ports(void **state)
{
	const struct flow_key k = key_v4(40000);
	struct offload o;

	begin(&o, 1u << 0 | 1u << 3, 4, false);
	offload_take(&o, &k, S);
	assert_int_equal(card.n, 4);
	for (unsigned int i = 0; i < 4; i++) {
		const struct offload_match *m = &card.rule[i].match;
		const bool from_lo = i % 2 == 0;

		assert_int_equal(card.rule[i].port, i < 2 ? 0 : 3);
		assert_false(m->is_v6);
		assert_memory_equal(m->src, from_lo ? "\xc0\x00\x02\x01" : "\xc6\x33\x64\x01", 4);
		assert_memory_equal(m->dst, from_lo ? "\xc6\x33\x64\x01" : "\xc0\x00\x02\x01", 4);
		assert_int_equal(m->sport, from_lo ? 40000 : 443);
		assert_int_equal(m->dport, from_lo ? 443 : 40000);
	}
	assert_int_equal(counter(&o, CNT_OFFLOAD_FLOWS), 1);
	assert_int_equal(counter(&o, CNT_OFFLOAD_ACTIVE), 1);
	// frames that were on their way offer it once more
	offload_take(&o, &k, 2 * S);
	assert_int_equal(card.n, 4);
	offload_done(&o);
	assert_int_equal(card.there, 0);
}

static void test_v6(void **state)
{
	struct flow_key k = {.lo = {0x20, 1}, .hi = {0x20, 2}, .net = FLOW_NET_IPV6};
	struct offload o;

	k.lo_port = 1;
	k.hi_port = 2;
	begin(&o, 1, 4, false);
	offload_take(&o, &k, S);
	assert_int_equal(card.n, 2);
	assert_true(card.rule[0].match.is_v6);
	assert_memory_equal(card.rule[0].match.src, k.lo, 16);
	assert_memory_equal(card.rule[0].match.dst, k.hi, 16);
	offload_done(&o);
}

// What a rule of addresses and ports would not tell from others.
static void test_left_alone(void **state)
{
	struct flow_key vlan = key_v4(1), outer = key_v4(2), tunnel = key_v4(3);
	struct offload o;

	vlan.net |= 100;
	outer.net |= 100 << 12;
	tunnel.tunnel = 7;
	begin(&o, 1, 4, false);
	offload_take(&o, &vlan, S);
	offload_take(&o, &outer, S);
	offload_take(&o, &tunnel, S);
	assert_int_equal(card.n, 0);
	assert_int_equal(counter(&o, CNT_OFFLOAD_REFUSED), 0);
	offload_done(&o);
}

static void test_budget(void **state)
{
	struct flow_key a = key_v4(1), b = key_v4(2), c = key_v4(3);
	struct offload o;

	begin(&o, 1, 2, false);
	offload_take(&o, &a, S);
	offload_take(&o, &b, 2 * S);
	offload_take(&o, &c, 3 * S);
	assert_int_equal(card.there, 4);
	assert_int_equal(counter(&o, CNT_OFFLOAD_FULL), 1);
	// the first one's time is over; its place is free
	offload_turn(&o, (OFFLOAD_LIFE_S + 1) * S);
	assert_int_equal(card.there, 2);
	assert_false(card.rule[0].there);
	assert_true(card.rule[2].there);
	offload_take(&o, &c, (OFFLOAD_LIFE_S + 1) * S);
	assert_int_equal(counter(&o, CNT_OFFLOAD_FLOWS), 3);
	assert_int_equal(counter(&o, CNT_OFFLOAD_ACTIVE), 2);
	offload_done(&o);
}

// A card that takes one direction and not the other leaves the flow whole.
static void test_refused(void **state)
{
	const struct flow_key k = key_v4(1);
	struct offload o;

	begin(&o, 1, 2, false);
	card.refuse_from = 1;
	offload_take(&o, &k, S);
	assert_int_equal(card.n, 1);
	assert_int_equal(card.there, 0);
	assert_int_equal(counter(&o, CNT_OFFLOAD_REFUSED), 1);
	assert_int_equal(counter(&o, CNT_OFFLOAD_ACTIVE), 0);
	offload_done(&o);
}

static void test_counted_and_over(void **state)
{
	const struct flow_key k = key_v4(1);
	struct offload o;

	begin(&o, 1, 2, true);
	offload_take(&o, &k, S);
	card.rule[0].pkts = 10;
	card.rule[1].pkts = 5;
	offload_turn(&o, 5 * S);
	assert_int_equal(counter(&o, CNT_OFFLOAD_PKTS), 15);
	assert_int_equal(counter(&o, CNT_OFFLOAD_BYTES), 1500);
	card.rule[1].pkts = 6;
	offload_turn(&o, 6 * S);
	assert_int_equal(counter(&o, CNT_OFFLOAD_PKTS), 16);
	offload_turn(&o, (6 + OFFLOAD_IDLE_S - 1) * S);
	assert_int_equal(card.there, 2);
	offload_turn(&o, (6 + OFFLOAD_IDLE_S) * S); // nothing came
	assert_int_equal(card.there, 0);
	assert_int_equal(counter(&o, CNT_OFFLOAD_PKTS), 16);
	// what a card has counted when all ends is not lost
	offload_take(&o, &k, 20 * S);
	card.rule[2].pkts = 1;
	offload_done(&o);
	assert_int_equal(counter(&o, CNT_OFFLOAD_PKTS), 17);
}

static void test_not_counted_stays(void **state)
{
	const struct flow_key k = key_v4(1);
	struct offload o;

	begin(&o, 1, 2, false);
	offload_take(&o, &k, S);
	offload_turn(&o, OFFLOAD_LIFE_S * S);
	assert_int_equal(card.there, 2);
	offload_turn(&o, (OFFLOAD_LIFE_S + 1) * S);
	assert_int_equal(card.there, 0);
	offload_done(&o);
}

// --- who offers

static void send(struct kit *k, struct kit_list *l, uint8_t dir, size_t bytes)
{
	static const uint8_t tls[1400] = {0x17, 3, 3, 5, 0x73};

	for (size_t n; bytes > 0; bytes -= n) {
		n = bytes < sizeof(tls) ? bytes : sizeof(tls);
		kit_add(l, dir, KIT_ACK, span_of(tls, n));
		kit_feed(k, &l->v[l->n - 1], 1, 1);
	}
}

static void run(uint64_t elephant_bytes, unsigned int offers)
{
	static const uint8_t hello[64] = {0x16, 3, 1, 0, 59, 1, 0, 0, 55, 3, 3};
	struct pipeline_conf conf = kit_conf();
	struct ring *ring;
	struct kit_list l;
	struct kit k;

	conf.elephant_bytes = elephant_bytes;
	kit_init(&k, &conf, NULL);
	memset(&l, 0, sizeof(l));
	kit_open(&l, 100, 500);
	kit_add(&l, 0, KIT_ACK, span_of(hello, sizeof(hello)));
	kit_feed(&k, l.v, l.n, 1);
	assert_int_equal(kit_count(&k, CNT_APP_TLS_FLOWS), 1);
	ring = pipeline_elephants(k.p);
	send(&k, &l, 1, 90000);
	assert_int_equal(ring_count(ring), 0);
	send(&k, &l, 0, 20000); // both directions together
	assert_int_equal(ring_count(ring), offers >= 1);
	send(&k, &l, 1, 100000);
	assert_int_equal(ring_count(ring), offers);
	for (unsigned int i = 0; i < offers; i++) {
		const struct flow_key *key = ring_peek(ring, i);

		assert_int_equal(key->net, 0);
		assert_true(key->lo_port == 80 || key->hi_port == 80);
	}
	kit_flush(&k);
	kit_done(&k);
	free(l.v);
}

static void test_elephants(void **state)
{
	run(100000, 2);
	run(0, 0);
}

// More than anybody takes: nothing is overwritten.
static void test_nobody_takes(void **state)
{
	run(4000000, 0);
	struct pipeline_conf conf = kit_conf();
	struct kit_list l;
	struct kit k;

	conf.elephant_bytes = 1000;
	kit_init(&k, &conf, NULL);
	memset(&l, 0, sizeof(l));
	kit_open(&l, 100, 500);
	kit_feed(&k, l.v, l.n, 1);
	send(&k, &l, 0, 200000);
	assert_int_equal(ring_count(pipeline_elephants(k.p)), PIPELINE_ELEPHANTS);
	kit_flush(&k);
	kit_done(&k);
	free(l.v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_directions_on_all_ports),
		cmocka_unit_test(test_v6),
		cmocka_unit_test(test_left_alone),
		cmocka_unit_test(test_budget),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_counted_and_over),
		cmocka_unit_test(test_not_counted_stays),
		cmocka_unit_test(test_elephants),
		cmocka_unit_test(test_nobody_takes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

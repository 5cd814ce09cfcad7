// SPDX-License-Identifier: BSD-2-Clause
// Flows that the queues of ports distribute: which are seen to come apart, whose they are, and when that is enough.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "dataplane/engine/pipeline.h"
#include "dataplane/spread.h"

static const uint64_t key[2] = {7, 11};

enum { SYN = 2, SYN_ACK = 18, ACK = 16, RST_SYN = 6 };

enum wrap { PLAIN, VLANS, MPLS, V6, WRAP_N };

struct buf {
	uint8_t b[160];
	uint32_t len;
};

static void add(struct buf *f, const void *p, uint32_t n)
{
	memcpy(f->b + f->len, p, n);
	f->len += n;
}

// A TCP segment without data between two hosts, of flow number flow.
static struct buf segment(enum wrap wrap, uint8_t flow, bool to_server, uint8_t flags)
{
	static const uint8_t tags[WRAP_N][18] = {
		[PLAIN] = {0x08, 0},
		[VLANS] = {0x88, 0xa8, 0, 5, 0x81, 0, 0, 6, 0x08, 0},
		[MPLS] = {0x88, 0x47, 0, 1, 0, 9, 0, 1, 1, 9},
		[V6] = {0x86, 0xdd},
	};
	static const uint32_t tag_bytes[WRAP_N] = {2, 10, 10, 2};
	const uint8_t client[2] = {200, flow}, server[2] = {0, 80};
	uint8_t ip4[20] = {0x45, 0, 0, 40, 0, 0, 0x40, 0, 64, 6}, tcp[20] = {0}, ip6[40] = {0x60};
	struct buf f = {.len = 0};

	memcpy(tcp + (to_server ? 0 : 2), client, 2);
	memcpy(tcp + (to_server ? 2 : 0), server, 2);
	tcp[12] = 5 << 4;
	tcp[13] = flags;
	ip4[to_server ? 12 : 16] = ip6[to_server ? 8 : 24] = 10;
	ip4[to_server ? 16 : 12] = ip6[to_server ? 24 : 8] = 20;
	ip6[5] = 20;
	ip6[6] = 6;
	ip6[7] = 64;
	add(&f, (const uint8_t[12]){2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2}, 12);
	add(&f, tags[wrap], tag_bytes[wrap]);
	if (wrap == V6)
		add(&f, ip6, sizeof(ip6));
	else
		add(&f, ip4, sizeof(ip4));
	add(&f, tcp, sizeof(tcp));
	return f;
}

static enum spread_seen see(struct spread *s, uint32_t worker, const struct buf *f)
{
	return spread_see(s, worker, f->b, f->len);
}

static uint32_t hash_of(const struct buf *f)
{
	const struct frame frame = {.data = f->b, .len = f->len, .wire_len = f->len};
	bool fragment;

	return pipeline_frame_hash(&frame, key, &fragment);
}

static void test_directions(void **state)
{
	struct spread s;

	for (enum wrap w = PLAIN; w < WRAP_N; w++) {
		assert_int_equal(spread_init(&s, 4, key, false), 0);
		struct buf syn = segment(w, 1, true, SYN), back = segment(w, 1, false, SYN_ACK);
		struct buf other = segment(w, 2, false, SYN_ACK), data = segment(w, 1, false, ACK),
			   reset = segment(w, 1, false, RST_SYN);

		assert_int_equal(see(&s, 2, &back), SPREAD_NOTHING); // of nobody's SYN
		assert_int_equal(see(&s, 2, &syn), SPREAD_NOTHING);
		assert_int_equal(see(&s, 2, &back), SPREAD_TOGETHER);
		assert_int_equal(see(&s, 0, &back), SPREAD_APART);
		assert_int_equal(see(&s, 0, &data), SPREAD_NOTHING);
		assert_int_equal(see(&s, 0, &reset), SPREAD_NOTHING);
		assert_int_equal(see(&s, 0, &other), SPREAD_NOTHING);
		// the last SYN counts
		assert_int_equal(see(&s, 0, &syn), SPREAD_NOTHING);
		assert_int_equal(see(&s, 0, &back), SPREAD_TOGETHER);
		// cut anywhere, at the end of memory: nothing is read beyond, nothing is made of it
		for (uint32_t len = 0; len < syn.len; len++)
			if (len < syn.len - 6)
				assert_int_equal(spread_see(&s, 3, syn.b, len), SPREAD_NOTHING);
		assert_int_equal(see(&s, 0, &back), SPREAD_TOGETHER);
		spread_done(&s);
	}
	assert_int_equal(spread_init(&s, 4, key, false), 0);
	// a fragment has no flags to trust
	struct buf syn = segment(PLAIN, 9, true, SYN), back = segment(PLAIN, 9, false, SYN_ACK);

	syn.b[20] = 0x20;
	assert_int_equal(see(&s, 1, &syn), SPREAD_NOTHING);
	assert_int_equal(see(&s, 1, &back), SPREAD_NOTHING);
	spread_done(&s);
}

static void test_owner(void **state)
{
	struct spread s;
	struct buf syn = segment(PLAIN, 1, true, SYN), back = segment(PLAIN, 1, false, ACK);

	assert_int_equal(spread_init(&s, 4, key, false), 0);
	assert_int_equal(hash_of(&syn), hash_of(&back));
	assert_int_equal(spread_owner(&s, hash_of(&back), 3), 3); // nobody has seen its SYN
	see(&s, 2, &syn);
	assert_int_equal(spread_owner(&s, hash_of(&back), 3), 2);
	assert_true(spread_judge(&s, 0, SPREAD_APART_MIN));
	assert_int_equal(spread_owner(&s, hash_of(&back), 3), pipeline_owner(hash_of(&back), 4));
	spread_done(&s);
}

static void test_judge(void **state)
{
	struct spread s;

	assert_int_equal(spread_init(&s, 2, key, false), 0);
	assert_false(spread_judge(&s, 0, SPREAD_APART_MIN - 1)); // a few
	assert_false(spread_judge(&s, 10000, 100));              // not one in a hundred
	assert_false(spread_is_software(&s));
	assert_true(spread_judge(&s, 9900, 100));
	assert_true(spread_is_software(&s));
	assert_false(spread_judge(&s, 0, 1000)); // is said once
	spread_done(&s);
	assert_int_equal(spread_init(&s, 2, key, true), 0);
	assert_true(spread_is_software(&s));
	assert_false(spread_judge(&s, 0, 1000));
	spread_done(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_directions),
		cmocka_unit_test(test_owner),
		cmocka_unit_test(test_judge),
	};

	return cmocka_run_group_tests_name("spread", tests, NULL, NULL);
}

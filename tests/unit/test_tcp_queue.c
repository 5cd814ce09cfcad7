// SPDX-License-Identifier: BSD-2-Clause
// What waits for a hole to be filled: limits, empty pools, any order.
#include "tests/unit/tcpkit.h"

// Segments that a later one covers give their cells back at once.
static void test_covered_cells_are_freed(void **state)
{
	struct rig r;

	rig_init(&r, 1000, CELLS);
	rig_handshake(&r);
	rig_send(&r, 6, A, "BB");
	rig_send(&r, 9, A, "CC");
	rig_send(&r, 20, A, "DD");
	assert_int_equal(r.pool.used, 3);
	rig_send(&r, 4, A, "YYBBYCC");
	assert_int_equal(r.pool.used, 2);
	assert_int_equal(r.c.v[CNT_TCP_DUPLICATE], 4);
	rig_flush(&r);
	rig_done(&r);
}

// Nothing fills the hole: the end of the flow gives out what is there and says what is missing.
static void test_flush_skips_holes(void **state)
{
	struct rig r;

	rig_init(&r, 1000, CELLS);
	rig_handshake(&r);
	rig_send(&r, 0, A, "AA");
	rig_send(&r, 4, A, "BB");
	rig_send(&r, 9, A, "CC");
	rig_send(&r, 11, F, "");
	expect_stream("before", &r, DIR_TO_SERVER, "AA");
	rig_flush(&r);
	expect_stream("after", &r, DIR_TO_SERVER, "AA__BB___CC$");
	assert_int_equal(r.c.v[CNT_TCP_GAPS], 2);
	assert_int_equal(r.c.v[CNT_TCP_GAP_BYTES], 5);
	assert_true((r.f.half[0].flags & TCP_HALF_GAP) != 0);
	rig_done(&r);
}

// The receiver has acknowledged the hole, so the capture has lost it: skipped once enough waits behind it.
static void test_acked_hole(void **state)
{
	struct rig r;
	struct pkt p;

	rig_init(&r, 1000, CELLS);
	rig_handshake(&r);
	for (uint32_t i = 0; i < TCP_ACKED_SEGS; i++) {
		rig_send(&r, 1 + 2 * i, A, "x");
		assert_int_equal(r.n[0], 0);
	}
	p = segment(&r, DIR_TO_CLIENT, 0, A, "", 0);
	p.ack = 1000 + 1 + 1;
	rig_pkt(&r, DIR_TO_CLIENT, &p);
	assert_int_equal(r.n[0], 0); // read with the next segment of its own direction
	rig_send(&r, 1 + 2 * TCP_ACKED_SEGS, A, "x");
	expect_stream("one hole", &r, DIR_TO_SERVER, "_x");
	rig_flush(&r);
	rig_done(&r);
}

// The queue has a bound in segments; beyond it holes are given up and everything is read.
static void test_queue_limit(void **state)
{
	struct rig r;

	rig_init(&r, 1000, CELLS);
	rig_handshake(&r);
	for (uint32_t i = 0; i < TCP_OOO_SEGS_MAX; i++)
		rig_send(&r, 1 + 2 * i, A, "x");
	assert_int_equal(r.n[0], 0);
	assert_int_equal(r.pool.used, TCP_OOO_SEGS_MAX);
	rig_send(&r, 1 + 2 * TCP_OOO_SEGS_MAX, A, "x");
	assert_int_equal(r.n[0], 2 * (TCP_OOO_SEGS_MAX + 1));
	assert_int_equal(r.c.v[CNT_TCP_GAPS], TCP_OOO_SEGS_MAX + 1);
	assert_int_equal(r.pool.used, 0);
	rig_done(&r);
}

// Few cells or none: what cannot wait is read at once, in order, and nothing that was seen is left out.
static void test_pool_empty(void **state)
{
	static const struct {
		const char *name;
		uint32_t cells;
		struct step step[STEPS];
		const char *stream;
	} table[] = {
		{"none", 0, {{4, "BBBB"}, {0, "AAAA"}, {8, "C"}}, "____BBBBC"},
		{"none, end", 0, {{4, "BBBB", F}, {0, "AAAA"}}, "____BBBB$"},
		{"none, end alone", 0, {{0, "AA"}, {4, "", F}}, "AA__$"},
		{"none, in order", 0, {{0, "AA"}, {2, "BB"}, {4, "", F}}, "AABB$"},
		{"one", 1, {{2, "B"}, {4, "D"}, {6, "F"}, {0, "A"}}, "__B_D"},
		{"one, filled in time", 1, {{2, "C"}, {0, "AB"}, {4, "E"}, {3, "D"}}, "ABCDE"},
		{"two", 2, {{2, "C"}, {4, "E"}, {6, "G"}, {7, "H"}}, "__C_E_GH"},
		{"between two that wait", 2, {{4, "E"}, {12, "M"}, {8, "I"}}, "____E___I___M"},
		{"before two that wait", 2, {{8, "I"}, {12, "M"}, {4, "E"}}, "____E___I___M"},
		{"over one that waits", 2, {{4, "E"}, {12, "M"}, {11, "yyy"}}, "____E______yyy"},
		{"end overrun by one that waits",
		 2,
		 {{4, "E"}, {12, "MMMM"}, {13, "M", F}, {16, "N"}},
		 "____E_______MMMMN"},
		{"ends before one that waits", 2, {{4, "E"}, {12, "M"}, {8, "I", F}}, "____E___I$"},
	};

	for (size_t i = 0; i < N(table); i++) {
		struct rig r;

		rig_init(&r, 1000, table[i].cells);
		rig_handshake(&r);
		for (int k = 0; k < STEPS && table[i].step[k].data != NULL; k++)
			run_step(&r, &table[i].step[k]);
		expect_stream(table[i].name, &r, DIR_TO_SERVER, table[i].stream);
		rig_flush(&r);
		rig_done(&r);
	}
}

static void test_half_drop(void **state)
{
	struct rig r;

	rig_init(&r, 1000, CELLS);
	rig_handshake(&r);
	rig_send(&r, 4, A, "BBBB");
	rig_send(&r, 10, A, "CC");
	assert_int_equal(tcp_half_drop(&r.x, &r.f.half[0]), 6);
	r.c.v[CNT_TCP_RELEASED] += 6; // as the caller does
	rig_check(&r);
	assert_int_equal(r.pool.used, 0);
	assert_int_equal(tcp_half_drop(&r.x, &r.f.half[0]), 0);
	rig_done(&r);
}

static uint64_t rnd_state;

static uint32_t rnd(uint32_t below)
{
	rnd_state ^= rnd_state << 13;
	rnd_state ^= rnd_state >> 7;
	rnd_state ^= rnd_state << 17;
	return (uint32_t)(rnd_state >> 24) % below;
}

struct piece {
	uint32_t at, len;
};

// A stream cut at random, pieces doubled and shifted about, is read as it was, whatever the sequence numbers.
static void test_random_order(void **state)
{
	enum { ROUNDS = 200, BYTES_MAX = 60000, PIECES_MAX = 4000, REACH = 20 };
	static uint8_t stream[BYTES_MAX];
	static struct piece piece[PIECES_MAX];
	struct rig r;

	rnd_state = 0x9e3779b97f4a7c15u;
	rig_init(&r, 0, CELLS);
	for (uint32_t i = 0; i < BYTES_MAX; i++)
		stream[i] = (uint8_t)rnd(256);
	for (int round = 0; round < ROUNDS; round++) {
		uint32_t n = 0, len = 1 + rnd(BYTES_MAX), most = 50 + rnd(MSS_TEST);

		rig_reset(&r, rnd(3) == 0 ? 0 - rnd(len) : rnd(UINT32_MAX), CELLS);
		rig_handshake(&r);
		for (uint32_t at = 0; at < len && n < PIECES_MAX; n++) {
			piece[n] = (struct piece){at, 1 + rnd(most)};
			if (piece[n].len > len - at)
				piece[n].len = len - at;
			if (rnd(4) == 0 && at > 0) // once more, with something before
				piece[n].at -= rnd(piece[n].len < at ? piece[n].len : at);
			else
				at += piece[n].len;
		}
		for (uint32_t i = 0; i + 1 < n; i++) {
			uint32_t k = i + rnd(n - i < REACH ? n - i : REACH);
			struct piece swap = piece[i];

			piece[i] = piece[k];
			piece[k] = swap;
		}
		for (uint32_t i = 0; i < n; i++) {
			const uint8_t flags = piece[i].at + piece[i].len == len ? F : A;
			const struct pkt p = segment(&r, DIR_TO_SERVER, piece[i].at, flags,
						     stream + piece[i].at, piece[i].len);

			rig_pkt(&r, DIR_TO_SERVER, &p);
		}
		assert_int_equal(r.n[0], len);
		assert_true(r.fin[0]);
		assert_memory_equal(r.out[0], stream, len);
		assert_int_equal(r.c.v[CNT_TCP_GAPS], 0);
		assert_int_equal(r.c.v[CNT_TCP_OVERLAP_DIFF], 0);
		assert_int_equal(r.pool.used, 0);
	}
	rig_done(&r);
}

static void server_sends(struct rig *r, uint32_t at, const char *data)
{
	const struct pkt p = segment(r, DIR_TO_CLIENT, at, A, data, strlen(data));

	rig_pkt(r, DIR_TO_CLIENT, &p);
}

// In a clean stream of a server nothing but marks is kept: they tell the first copy that differs from those that do not.
static void test_copies_of_servers(void **state)
{
	static const struct {
		uint32_t at;
		const char *copy;
		unsigned int conflicts, forgotten;
	} table[] = {
		{0, "AAAA", 0, 0},     {0, "XAAA", 1, 0},     {4, "BBBB", 0, 0},
		{4, "BBBX", 1, 0},     {0, "AAAABBBB", 0, 0}, {0, "AAAABBXB", 1, 0},
		{4, "BBBBCCCC", 0, 0}, // goes on
		{4, "XBBBCCCC", 1, 0}, {2, "AA", 0, 1},       {0, "AAAAB", 0, 1},
	};
	struct rig r;

	rig_init(&r, 5, CELLS);
	for (size_t i = 0; i < N(table); i++) {
		for (int acked = 0; acked < 2; acked++) {
			rig_reset(&r, 5, CELLS);
			rig_handshake(&r);
			server_sends(&r, 0, "AAAA");
			server_sends(&r, 4, "BBBB");
			if (acked)
				rig_send(&r, 0, A, "");
			server_sends(&r, table[i].at, table[i].copy);
			assert_int_equal(r.c.v[CNT_TCP_OVERLAP_DIFF],
					 acked ? 0 : table[i].conflicts);
			assert_int_equal(r.c.v[CNT_TCP_FORGOTTEN], acked ? 0 : table[i].forgotten);
		}
	}
	// The eighth segment before the last one is not remembered any more; the one behind it is.
	rig_reset(&r, 5, CELLS);
	rig_handshake(&r);
	for (uint32_t i = 0; i < TCP_MARKS + 1; i++)
		server_sends(&r, 2 * i, "AB");
	server_sends(&r, 0, "XX");
	assert_int_equal(r.c.v[CNT_TCP_OVERLAP_DIFF], 0);
	assert_int_equal(r.c.v[CNT_TCP_FORGOTTEN], 1);
	server_sends(&r, 2, "XX");
	assert_int_equal(r.c.v[CNT_TCP_OVERLAP_DIFF], 1);
	rig_flush(&r);
	rig_done(&r);
}

// Any segments, any flags, both directions, few cells: the books balance behind each one and nothing is kept.
static void test_random_anything(void **state)
{
	enum { ROUNDS = 300, PACKETS = 200 };
	static const uint8_t flags[] = {A, A,       A,       A,           A, A,
					F, TCP_RST, TCP_SYN, TCP_SYN | A, 0, A | TCP_URG};
	static uint8_t data[MSS_TEST];
	struct rig r;

	rnd_state = 0x0123456789abcdefu;
	rig_init(&r, 0, CELLS);
	for (int round = 0; round < ROUNDS; round++) {
		const uint32_t reach = round % 2 == 0 ? 64 : 200000;

		rig_reset(&r, 0u - rnd(1000), round % 3 == 0 ? rnd(4) : CELLS);
		if (rnd(4) != 0)
			rig_handshake(&r);
		for (int i = 0; i < PACKETS; i++) {
			enum dir dir = rnd(2) == 0 ? DIR_TO_SERVER : DIR_TO_CLIENT;
			uint32_t len = rnd(2) == 0 ? rnd(20) : rnd(MSS_TEST);
			struct pkt p = segment(&r, dir, r.n[dir] + rnd(reach) - reach / 4,
					       flags[rnd(N(flags))], data, len);

			memset(data, (int)rnd(256), len);
			if (rnd(8) == 0)
				p.ack = rnd(UINT32_MAX);
			if (r.n[dir] > OUT_MAX / 2)
				continue;
			rig_pkt(&r, dir, &p);
		}
		if (r.n[0] < OUT_MAX / 2 && r.n[1] < OUT_MAX / 2)
			rig_flush(&r);
	}
	rig_done(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_covered_cells_are_freed),
		cmocka_unit_test(test_flush_skips_holes),
		cmocka_unit_test(test_acked_hole),
		cmocka_unit_test(test_queue_limit),
		cmocka_unit_test(test_pool_empty),
		cmocka_unit_test(test_half_drop),
		cmocka_unit_test(test_random_order),
		cmocka_unit_test(test_copies_of_servers),
		cmocka_unit_test(test_random_anything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

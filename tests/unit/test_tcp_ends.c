// SPDX-License-Identifier: BSD-2-Clause
// How connections begin and end: handshakes, resets, windows, one side only, ports used again.
#include "tests/unit/tcpkit.h"

static void test_resets(void **state)
{
	static const struct {
		const char *name;
		uint32_t at;
		uint8_t flags, options;
		bool obeyed;
	} table[] = {
		{"exact", 4, TCP_RST, 0, true},
		{"exact, with an ACK", 4, TCP_RST | TCP_ACK, 0, true},
		{"one off", 5, TCP_RST, 0, false},
		{"one before", 3, TCP_RST, 0, false},
		{"half the space away", 0x80000004, TCP_RST, 0, false},
		{"signed", 4, TCP_RST, PKT_HAS_MD5, false},
	};

	for (size_t i = 0; i < N(table); i++) {
		struct rig r;
		struct pkt p;

		rig_init(&r, 1000, CELLS);
		rig_handshake(&r);
		rig_send(&r, 0, A, "AAAA");
		p = segment(&r, DIR_TO_SERVER, table[i].at, table[i].flags, "bye", 3);
		p.options = table[i].options;
		assert_int_equal(rig_pkt(&r, DIR_TO_SERVER, &p), TCP_BESIDE);
		if ((r.f.state == FLOW_CLOSING) != table[i].obeyed)
			print_error("%s\n", table[i].name);
		assert_int_equal(r.f.state, table[i].obeyed ? FLOW_CLOSING : FLOW_ESTABLISHED);
		assert_int_equal(r.c.v[CNT_TCP_RST_IGNORED], !table[i].obeyed);
		assert_int_equal(r.c.v[CNT_TCP_IGNORED], 3);
		rig_done(&r);
	}
}

// Who has reset the connection takes nothing more, unless what he says later shows that the reset was another's.
static void test_data_for_a_reset_host(void **state)
{
	static const struct {
		const char *name;
		bool acked;
		const char *want;
	} table[] = {
		{"no word", false, "AAAA"},
		{"an acknowledgement", true, "AAAABBBB"},
	};

	for (size_t i = 0; i < N(table); i++) {
		struct rig r;
		struct pkt p;

		rig_init(&r, 1000, CELLS);
		rig_handshake(&r);
		rig_send(&r, 0, A, "AAAA");
		p = segment(&r, DIR_TO_CLIENT, 0, TCP_RST, "", 0);
		rig_pkt(&r, DIR_TO_CLIENT, &p);
		assert_int_equal(rig_send(&r, 4, A, "BBBB"), TCP_ASK);
		expect_stream(table[i].name, &r, DIR_TO_SERVER, "AAAA");
		if (table[i].acked) {
			p = segment(&r, DIR_TO_CLIENT, 0, A, "", 0);
			p.ack = r.isn + 1 + 8;
			rig_pkt(&r, DIR_TO_CLIENT, &p);
			assert_int_equal(rig_send(&r, 8, A, ""), TCP_IGNORE);
		}
		rig_flush(&r);
		expect_stream(table[i].name, &r, DIR_TO_SERVER, table[i].want);
		assert_string_equal(r.alt, "");
		rig_done(&r);
	}
}

// A server that refuses the connection: RST and ACK to the SYN, from a side that has no sequence number yet.
static void test_refused_connection(void **state)
{
	struct rig r;
	struct pkt p;

	rig_init(&r, 1000, CELLS);
	rig_syn(&r, 1000);
	p = segment(&r, DIR_TO_CLIENT, 0, TCP_RST, "", 0);
	rig_pkt(&r, DIR_TO_CLIENT, &p);
	assert_int_equal(r.f.state, FLOW_NEW);
	p.flags |= TCP_ACK;
	rig_pkt(&r, DIR_TO_CLIENT, &p);
	assert_int_equal(r.f.state, FLOW_CLOSING);
	assert_int_equal(rig_syn(&r, 2000), TCP_NEW_FLOW);
	rig_done(&r);
}

static void test_handshakes(void **state)
{
	struct rig r;
	struct pkt p;

	// Data with the last ACK of the handshake.
	rig_init(&r, 1000, CELLS);
	rig_syn(&r, 1000);
	rig_synack(&r, 1001);
	rig_send(&r, 0, A, "AAAA");
	assert_int_equal(r.f.state, FLOW_ESTABLISHED);
	expect_stream("data in the ACK", &r, DIR_TO_SERVER, "AAAA");

	// The SYN again, before and after.
	rig_reset(&r, 1000, CELLS);
	rig_syn(&r, 1000);
	rig_syn(&r, 1000);
	rig_synack(&r, 1001);
	rig_synack(&r, 1001);
	rig_send(&r, 0, A, "AAAA");
	rig_syn(&r, 1000);
	rig_send(&r, 4, A, "BB");
	expect_stream("SYN again", &r, DIR_TO_SERVER, "AAAABB");

	// Two SYNs: the server's answer says which one counts.
	for (uint32_t isn = 1000; isn <= 500000; isn += 499000) {
		rig_reset(&r, isn, CELLS);
		rig_syn(&r, 1000);
		rig_syn(&r, 500000);
		assert_int_equal(r.c.v[CNT_TCP_SYN_IGNORED], 1);
		rig_synack(&r, isn + 1);
		rig_send(&r, 0, A, "AAAA");
		expect_stream("two SYNs", &r, DIR_TO_SERVER, "AAAA");
	}

	// Data in the SYN is not taken; the client sends it again.
	rig_reset(&r, 1000, CELLS);
	p = (struct pkt){.seq = 1000, .flags = TCP_SYN, .payload = SPAN_LIT("YYYY")};
	rig_pkt(&r, DIR_TO_SERVER, &p);
	assert_int_equal(r.c.v[CNT_TCP_OOO_HELD], 4);
	rig_synack(&r, 1001);
	assert_int_equal(r.n[0], 0);
	rig_send(&r, 0, A, "AAAA");
	expect_stream("data in the SYN", &r, DIR_TO_SERVER, "AAAA");
	assert_string_equal(r.alt, "|()YYYY");

	// A client that sends SYN and ACK opens nothing.
	rig_reset(&r, 1000, CELLS);
	p = (struct pkt){.seq = 77, .ack = 88, .flags = TCP_SYN | TCP_ACK, .payload = SPAN_LIT("")};
	rig_pkt(&r, DIR_TO_SERVER, &p);
	assert_int_equal(r.f.half[0].flags & TCP_HALF_SYNCED, 0);
	rig_handshake(&r);
	rig_send(&r, 0, A, "AAAA");
	expect_stream("SYN and ACK first", &r, DIR_TO_SERVER, "AAAA");

	// SYN with FIN or RST opens nothing.
	rig_reset(&r, 1000, CELLS);
	p = (struct pkt){.seq = 77, .flags = TCP_SYN | TCP_FIN, .payload = SPAN_LIT("")};
	rig_pkt(&r, DIR_TO_SERVER, &p);
	p.flags = TCP_SYN | TCP_RST;
	rig_pkt(&r, DIR_TO_SERVER, &p);
	assert_int_equal(r.c.v[CNT_TCP_SYN_IGNORED], 2);
	assert_int_equal(r.f.half[0].flags & TCP_HALF_SYNCED, 0);
	assert_int_equal(r.f.state, FLOW_NEW);
	rig_done(&r);
}

// Only the answer was captured, or only the requests, or nothing of the beginning.
static void test_one_way_and_midstream(void **state)
{
	struct rig r;
	struct pkt p;

	rig_init(&r, 1000, CELLS);
	rig_syn(&r, 1000);
	rig_send(&r, 2, A, "BB");
	assert_int_equal(r.f.state, FLOW_ESTABLISHED);
	rig_send(&r, 0, A, "AA");
	expect_stream("one way", &r, DIR_TO_SERVER, "AABB");

	rig_reset(&r, 1000, CELLS);
	rig_synack(&r, 1001);
	p = segment(&r, DIR_TO_CLIENT, 0, A, "hello", 5);
	rig_pkt(&r, DIR_TO_CLIENT, &p);
	expect_stream("answers only", &r, DIR_TO_CLIENT, "hello");

	rig_reset(&r, 1000, CELLS);
	r.f.flags |= FLOW_MIDSTREAM;
	rig_send(&r, 5000, A, ""); // an ACK alone does not say where the data begins
	assert_int_equal(r.f.half[0].flags & TCP_HALF_SYNCED, 0);
	rig_send(&r, 5000, A, "AA");
	rig_send(&r, 5002, A, "BB");
	rig_send(&r, 0, A, "YYYY");
	expect_stream("midstream", &r, DIR_TO_SERVER, "AABB");
	rig_done(&r);
}

// A closed connection makes room for the next one on the same addresses and ports.
static void test_reuse(void **state)
{
	struct rig r;
	struct pkt p;

	rig_init(&r, 1000, CELLS);
	rig_handshake(&r);
	rig_send(&r, 0, A, "AAAA");
	assert_int_equal(rig_syn(&r, 99000), TCP_IGNORE);
	p = segment(&r, DIR_TO_SERVER, 4, TCP_RST, "", 0);
	rig_pkt(&r, DIR_TO_SERVER, &p);
	assert_int_equal(rig_synack(&r, 99001), TCP_IGNORE);
	assert_int_equal(rig_syn(&r, 99000), TCP_NEW_FLOW);
	rig_done(&r);
}

// A segment that begins inside the window is taken whole; how far ahead one may begin depends on what its receiver
// has advertised, scaled as both sides agreed.
static void test_window(void **state)
{
	static const struct {
		const char *name;
		uint8_t client_scale, server_scale; // 255: not offered
		uint16_t window;
		uint32_t at;
		bool taken;
	} table[] = {
		{"inside", 255, 255, 1000, 999, true},
		{"one more window of slack", 255, 255, 65535, 131070, true},
		{"beyond", 255, 255, 65535, 131071, false},
		{"small window, slack of a large one", 255, 255, 1000, 66535, true},
		{"small window, beyond", 255, 255, 1000, 66536, false},
		{"scaled", 0, 7, 65535, 2 * (65535 << 7), true},
		{"scaled, beyond", 0, 7, 65535, 2 * (65535 << 7) + 1, false},
		{"scale only offered by one", 255, 7, 65535, 131071, false},
	};

	for (size_t i = 0; i < N(table); i++) {
		struct rig r;
		struct pkt p = {
			.seq = 1000, .flags = TCP_SYN, .window = 65535, .payload = SPAN_LIT("")};

		rig_init(&r, 1000, CELLS);
		if (table[i].client_scale != 255) {
			p.options = PKT_HAS_WSCALE;
			p.wscale = table[i].client_scale;
		}
		rig_pkt(&r, DIR_TO_SERVER, &p);
		p = (struct pkt){.seq = SERVER_ISN,
				 .ack = 1001,
				 .flags = TCP_SYN | TCP_ACK,
				 .window = 1,
				 .payload = SPAN_LIT("")};
		if (table[i].server_scale != 255) {
			p.options = PKT_HAS_WSCALE;
			p.wscale = table[i].server_scale;
		}
		rig_pkt(&r, DIR_TO_CLIENT, &p);
		p = segment(&r, DIR_TO_CLIENT, 0, A, "", 0);
		p.window = table[i].window;
		rig_pkt(&r, DIR_TO_CLIENT, &p);
		rig_send(&r, table[i].at, A, "AAAA");
		if ((r.pool.used == 1) != table[i].taken)
			print_error("%s\n", table[i].name);
		assert_int_equal(r.pool.used, table[i].taken);
		assert_int_equal(r.c.v[CNT_TCP_OUT_OF_WINDOW], table[i].taken ? 0 : 4);
		rig_send(&r, 0, A, "B"); // in order is in the window
		assert_int_equal(r.n[0], 1);
		assert_int_equal(tcp_half_drop(&r.x, &r.f.half[0]), table[i].taken ? 4 : 0);
		rig_done(&r);
	}
}

// The window in a SYN is not scaled, though it comes with the scale; a second copy of it neither.
static void test_window_of_syn(void **state)
{
	struct rig r;
	struct pkt p = {
		.seq = 1000, .flags = TCP_SYN, .options = PKT_HAS_WSCALE, .payload = SPAN_LIT("")};

	rig_init(&r, 1000, CELLS);
	rig_pkt(&r, DIR_TO_SERVER, &p);
	p.seq = SERVER_ISN;
	p.ack = 1001;
	p.flags = TCP_SYN | TCP_ACK;
	p.wscale = 7;
	p.window = 65535;
	for (int i = 0; i < 2; i++)
		rig_pkt(&r, DIR_TO_CLIENT, &p);
	rig_send(&r, 2 * 65535 + 1, A, "AAAA");
	assert_int_equal(r.c.v[CNT_TCP_OUT_OF_WINDOW], 4);
	rig_done(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_resets),
		cmocka_unit_test(test_data_for_a_reset_host),
		cmocka_unit_test(test_refused_connection),
		cmocka_unit_test(test_handshakes),
		cmocka_unit_test(test_one_way_and_midstream),
		cmocka_unit_test(test_reuse),
		cmocka_unit_test(test_window),
		cmocka_unit_test(test_window_of_syn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

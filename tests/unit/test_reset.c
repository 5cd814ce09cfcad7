// SPDX-License-Identifier: BSD-2-Clause
// Resets for the hosts of a stopped flow: who they are for, the numbers a host takes them by, checksums.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "dataplane/reset.h"
#include "tests/unit/pktgen.h"

static const struct pktgen_ends ends[] = {
	{.addr = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 10},
		  {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 198, 51, 100, 20}},
	 .port = {40000, 80}},
	{.addr = {{0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1},
		  {0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2}},
	 .port = {40000, 80},
	 .vlan = 7,
	 .ipv6 = true},
};

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

// A reset must be what pktgen makes of the same numbers, but for TTL and identification.
static void check(const struct pktgen_ends *e, const uint8_t *got, int len, uint8_t dir,
		  uint8_t flags, uint32_t seq, uint32_t ack)
{
	const struct pktgen_seg want = {.dir = dir, .flags = flags, .seq = seq, .ack = ack};
	uint8_t frame[PKTGEN_HEAD_MAX];
	const size_t n = pktgen_frame(frame, e, &want);
	const size_t ip = e->vlan != 0 ? 18 : 14, tcp = ip + (e->ipv6 ? 40 : 20);
	const size_t addr = e->ipv6 ? 8 : 12;
	uint32_t sum;

	assert_int_equal(len, n);
	assert_memory_equal(got + 12, frame + 12, ip - 12);
	assert_memory_equal(got + ip + addr, frame + ip + addr, tcp - ip - addr);
	assert_memory_equal(got + tcp, frame + tcp, 20);
	assert_int_equal(be32(got + tcp + 4), seq);
	if (!e->ipv6) {
		sum = pktgen_sum(0, got + ip, 20);
		assert_int_equal(sum, 0xffff);
	}
}

static void test_numbers(void **state)
{
	static const uint8_t page[] = "0123456789";

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		struct pktgen_seg seg = {
			.dir = 1, .flags = 0x18, .seq = 5000, .ack = 300, .data = {page, 10}};
		uint8_t frame[PKTGEN_HEAD_MAX + 10], out[RESET_MAX], back[RESET_MAX];
		uint32_t n = (uint32_t)pktgen_frame(frame, &ends[i], &seg);
		int len;

		// the server's data does not come: the client waits for 5000, the server has had all up to 300
		len = reset_make(frame, n, false, out);
		check(&ends[i], out, len, 1, 0x14, 5000, 300);
		assert_memory_equal(out, frame, 12);
		len = reset_make(frame, n, true, back);
		check(&ends[i], back, len, 0, 0x04, 300, 0);
		assert_memory_equal(back, frame + 6, 6);
		assert_memory_equal(back + 6, frame, 6);
		assert_int_equal(reset_make(back, (uint32_t)len, true, out), 0); // never to a reset

		// who has acknowledged nothing is told what is acknowledged of his
		seg = (struct pktgen_seg){.dir = 0, .flags = 0x02, .seq = 70};
		n = (uint32_t)pktgen_frame(frame, &ends[i], &seg);
		len = reset_make(frame, n, true, out);
		check(&ends[i], out, len, 1, 0x14, 0, 71);
	}
}

static void test_out_of_sight(void **state)
{
	const struct pktgen_seg seg = {.dir = 0, .flags = 0x10, .seq = 1, .ack = 2};
	uint8_t frame[PKTGEN_HEAD_MAX], out[RESET_MAX];
	const uint32_t n = (uint32_t)pktgen_frame(frame, &ends[0], &seg);

	for (uint32_t len = 0; len < n; len++)
		assert_int_equal(reset_make(frame, len, true, out), -1);
	frame[20] = 0x20; // a fragment
	assert_int_equal(reset_make(frame, n, true, out), -1);
	frame[20] = 0;
	frame[23] = 47; // GRE
	assert_int_equal(reset_make(frame, n, true, out), -1);
	frame[23] = 6;
	frame[14] = 0x4f; // options up to beyond its end
	assert_int_equal(reset_make(frame, n, true, out), -1);
	frame[14] = 0x45;
	frame[12] = 0x88; // MPLS
	frame[13] = 0x47;
	assert_int_equal(reset_make(frame, n, true, out), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_out_of_sight),
	};

	return cmocka_run_group_tests_name("reset", tests, NULL, NULL);
}

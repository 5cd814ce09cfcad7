// SPDX-License-Identifier: BSD-2-Clause
// Every tunnel around an ordinary segment: what is inside is found, with the same key in both directions; cut at every
// length, with every byte of the wrapping changed, nothing behind the frame is read.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "dataplane/engine/frag.h"
#include "dataplane/engine/tunnel.h"
#include "tests/unit/guard.h"
#include "tests/unit/pktgen.h"

#define N(a)     (sizeof(a) / sizeof((a)[0]))
#define BYTES(s) (const uint8_t *)(s), sizeof(s) - 1
#define MAC      "\2\0\0\0\0\1\2\0\0\0\0\2"

enum {
	OUT_NONE, // right behind Ethernet
	OUT_V4,
	OUT_V6,
	UDP = 17,
	ROOM = 2048,
	INNER_MAX = 256,
};

// What stands between the outer header and the inner IP packet. UDP: outer_proto 17, with its destination port.
static const struct kind {
	const char *name;
	enum tunnel tunnel;
	uint16_t ethertype; // OUT_NONE
	uint8_t outer, proto;
	uint16_t port;
	const uint8_t *head;
	size_t head_len;
	uint8_t inner; // 4 or 6
	bool has_id;   // flow_key.tunnel is not 0
} kinds[] = {
	{"PPPoE", TUNNEL_PPPOE, 0x8864, OUT_NONE, 0, 0, BYTES("\x11\0\0\5\1\0\0\x21"), 4, true},
	{"PPPoE, IPv6, short protocol", TUNNEL_PPPOE, 0x8864, OUT_NONE, 0, 0,
	 BYTES("\x11\0\0\5\1\0\x57"), 6, true},
	{"MPLS", TUNNEL_MPLS, 0x8847, OUT_NONE, 0, 0, BYTES("\0\1\0\x40\0\2\1\x40"), 4, false},
	{"MPLS, IPv6", TUNNEL_MPLS, 0x8848, OUT_NONE, 0, 0, BYTES("\0\1\1\x40"), 6, false},
	{"pseudowire", TUNNEL_MPLS, 0x8847, OUT_NONE, 0, 0,
	 BYTES("\0\1\1\x40\0\0\0\0" MAC "\x08\0"), 4, false},
	{"pseudowire without a control word", TUNNEL_MPLS, 0x8847, OUT_NONE, 0, 0,
	 BYTES("\0\1\1\x40" MAC "\x86\xdd"), 6, false},
	{"PBB", TUNNEL_PBB, 0x88e7, OUT_NONE, 0, 0, BYTES("\0\0\0\x09" MAC "\x08\0"), 4, true},
	{"GRE", TUNNEL_GRE, 0, OUT_V4, 47, 0, BYTES("\0\0\x08\0"), 4, true},
	{"GRE with all fields", TUNNEL_GRE, 0, OUT_V4, 47, 0,
	 BYTES("\xb0\0\x86\xdd\0\0\0\0\0\0\0\1\0\0\0\2"), 6, true},
	{"GRE over IPv6 with Ethernet", TUNNEL_GRE, 0, OUT_V6, 47, 0,
	 BYTES("\x20\0\x65\x58\0\0\4\0" MAC "\x08\0"), 4, true},
	{"GRE with a VLAN", TUNNEL_GRE, 0, OUT_V4, 47, 0,
	 BYTES("\0\0\x65\x58" MAC "\x81\0\0\7\x08\0"), 4, true},
	{"GRE with MPLS", TUNNEL_GRE, 0, OUT_V4, 47, 0, BYTES("\0\0\x88\x47\0\1\1\x40"), 4, true},
	{"PPTP", TUNNEL_GRE, 0, OUT_V4, 47, 0,
	 BYTES("\x30\x81\x88\x0b\0\0\0\1\0\0\0\2\0\0\0\3\xff\3\0\x21"), 4, true},
	{"WCCP", TUNNEL_GRE, 0, OUT_V4, 47, 0, BYTES("\0\0\x88\x3e\0\0\0\0"), 4, true},
	{"WCCP of version 1", TUNNEL_GRE, 0, OUT_V4, 47, 0, BYTES("\0\0\x88\x3e"), 4, true},
	{"GRE in UDP", TUNNEL_GRE, 0, OUT_V4, UDP, 4754, BYTES("\0\0\x08\0"), 4, true},
	{"ERSPAN I", TUNNEL_ERSPAN, 0, OUT_V4, 47, 0, BYTES("\0\0\x88\xbe" MAC "\x08\0"), 4, true},
	{"ERSPAN II", TUNNEL_ERSPAN, 0, OUT_V4, 47, 0,
	 BYTES("\x10\0\x88\xbe\0\0\0\1\x10\7\0\3\0\0\0\0" MAC "\x08\0"), 4, true},
	{"ERSPAN III", TUNNEL_ERSPAN, 0, OUT_V4, 47, 0,
	 BYTES("\x10\0\x22\xeb\0\0\0\1\x20\7\0\3\0\0\0\0\0\0\0\0" MAC "\x86\xdd"), 6, true},
	{"ERSPAN III, platform", TUNNEL_ERSPAN, 0, OUT_V4, 47, 0,
	 BYTES("\x10\0\x22\xeb\0\0\0\1\x20\7\0\3\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\0" MAC "\x08\0"), 4,
	 true},
	{"IPv4 in IPv4", TUNNEL_IPIP, 0, OUT_V4, 4, 0, BYTES(""), 4, true},
	{"IPv6 in IPv4", TUNNEL_IPIP, 0, OUT_V4, 41, 0, BYTES(""), 6, true},
	{"IPv4 in IPv6", TUNNEL_IPIP, 0, OUT_V6, 4, 0, BYTES(""), 4, true},
	{"IPv6 in IPv6", TUNNEL_IPIP, 0, OUT_V6, 41, 0, BYTES(""), 6, true},
	{"VXLAN", TUNNEL_VXLAN, 0, OUT_V4, UDP, 4789, BYTES("\x08\0\0\0\0\0\7\0" MAC "\x08\0"), 4,
	 true},
	{"VXLAN, old port, over IPv6", TUNNEL_VXLAN, 0, OUT_V6, UDP, 8472,
	 BYTES("\x88\0\0\1\0\0\7\0" MAC "\x86\xdd"), 6, true},
	{"VXLAN-GPE", TUNNEL_VXLAN, 0, OUT_V4, UDP, 4790, BYTES("\x0c\0\0\1\0\0\7\0"), 4, true},
	{"VXLAN-GPE, IPv6", TUNNEL_VXLAN, 0, OUT_V4, UDP, 4790, BYTES("\x0c\0\0\2\0\0\7\0"), 6,
	 true},
	{"VXLAN-GPE, Ethernet", TUNNEL_VXLAN, 0, OUT_V4, UDP, 4790,
	 BYTES("\x0c\0\0\3\0\0\7\0" MAC "\x08\0"), 4, true},
	{"Geneve", TUNNEL_GENEVE, 0, OUT_V4, UDP, 6081,
	 BYTES("\2\0\x65\x58\0\0\7\0\0\0\0\0\0\0\0\0" MAC "\x08\0"), 4, true},
	{"Geneve, IPv6", TUNNEL_GENEVE, 0, OUT_V4, UDP, 6081, BYTES("\0\0\x86\xdd\0\0\7\0"), 6,
	 true},
	{"Teredo", TUNNEL_TEREDO, 0, OUT_V4, UDP, 3544, BYTES(""), 6, true},
	{"Teredo, authentication and origin", TUNNEL_TEREDO, 0, OUT_V4, UDP, 3544,
	 BYTES("\0\1\2\3ididi\0\0\0\0\0\0\0\0\0\0\0\x12\x34\1\2\3\4"), 6, true},
	{"L2TP", TUNNEL_L2TP, 0, OUT_V4, UDP, 1701, BYTES("\0\2\0\5\0\x09\xff\3\0\x21"), 4, true},
	{"L2TP with all fields", TUNNEL_L2TP, 0, OUT_V4, UDP, 1701,
	 BYTES("\x4a\2\1\0\0\5\0\x09\0\0\0\0\0\2xx\xff\3\0\x57"), 6, true},
	{"MPLS in UDP", TUNNEL_MPLS, 0, OUT_V4, UDP, 6635, BYTES("\0\1\1\x40"), 4, false},
	{"MPLS in IP", TUNNEL_MPLS, 0, OUT_V4, 137, 0, BYTES("\0\1\1\x40"), 4, false},
};

struct packet {
	uint8_t b[ROOM];
	size_t len;
	size_t head, inner; // offsets
};

static struct guard guard;
static struct counters counters;

static int setup(void **state)
{
	guard_init(&guard, ROOM);
	return 0;
}

static int teardown(void **state)
{
	guard_done(&guard);
	return 0;
}

// The IP packet of a segment, without Ethernet.
static size_t inner_packet(uint8_t *out, bool ipv6, int dir)
{
	struct pktgen_ends ends = {.port = {40000, 80}, .ipv6 = ipv6};
	const struct pktgen_seg seg = {
		.dir = (uint8_t)dir,
		.flags = 0x18,
		.window = 100,
		.seq = 1,
		.ack = 1,
		.data = span_of((const uint8_t *)"GET /", 5),
	};
	uint8_t frame[INNER_MAX];
	size_t len;

	memcpy(ends.addr[0] + 12, "\x0a\0\0\1", 4);
	memcpy(ends.addr[1] + 12, "\x0a\0\0\2", 4);
	ends.addr[0][0] = ends.addr[1][0] = 0x20;
	len = pktgen_frame(frame, &ends, &seg);
	memcpy(out, frame + 14, len - 14);
	return len - 14;
}

// An outer IP header for len bytes of protocol proto.
static uint8_t *outer_ip(uint8_t *p, const struct kind *k, size_t len, int dir, uint8_t host)
{
	struct pktgen_ends ends = {.ipv6 = k->outer == OUT_V6};

	memcpy(ends.addr[0] + 12, "\xcb\0\x71\1", 4);
	memcpy(ends.addr[1] + 12, "\xcb\0\x71\2", 4);
	ends.addr[0][15] = host;
	uint8_t *end = pktgen_ip(p, &ends, dir, 64, len);

	if (k->outer == OUT_V6) {
		p[6] = k->proto;
	} else {
		p[9] = k->proto;
		pktgen_put16(p + 10, 0);
		pktgen_put16(p + 10, ~pktgen_sum(0, p, 20) & 0xffff);
	}
	return end;
}

static void build(const struct kind *k, int dir, uint8_t host, struct packet *out)
{
	uint8_t inner[INNER_MAX], *p = out->b;
	size_t inner_len = inner_packet(inner, k->inner == 6, dir);
	size_t len = k->head_len + inner_len + (k->proto == UDP ? 8 : 0);

	memset(out, 0, sizeof(*out));
	memcpy(p, MAC, 12);
	p = pktgen_put16(p + 12, k->outer == OUT_NONE ? k->ethertype
				 : k->outer == OUT_V4 ? 0x0800
						      : 0x86dd);
	if (k->outer != OUT_NONE)
		p = outer_ip(p, k, len, dir, host);
	if (k->proto == UDP) {
		bool back = dir == 1 && (k->port == 3544 || k->port == 1701);

		p = pktgen_put16(p, back ? k->port : 50000u + (unsigned int)dir);
		p = pktgen_put16(p, back ? 50000 : k->port);
		p = pktgen_put32(p, (uint32_t)len << 16);
	}
	out->head = (size_t)(p - out->b);
	memcpy(p, k->head, k->head_len);
	out->inner = out->head + k->head_len;
	memcpy(out->b + out->inner, inner, inner_len);
	out->len = out->inner + inner_len;
}

static enum counter parse(const struct packet *p, size_t len, uint32_t off, struct pkt *ret_pkt)
{
	const struct frame f = {
		.data = guard_put(&guard, p->b, len, 0),
		.len = (uint32_t)len,
		.wire_len = (uint32_t)len,
	};
	const struct pkt_conf c = {
		.counters = &counters,
		.key = 99,
		.tunnels_off = off,
		.verify_checksums = true,
	};
	struct pkt_fragment piece;

	return pkt_parse_verified(&c, &f, ret_pkt, &piece);
}

static void expect(const char *name, enum counter is, enum counter want)
{
	if (is != want)
		fail_msg("%s: %s instead of %s", name, counter_info(is)->name,
			 counter_info(want)->name);
}

static void test_kinds(void **state)
{
	for (size_t i = 0; i < N(kinds); i++) {
		const struct kind *k = &kinds[i];
		const unsigned int counter = CNT_TUN_PPPOE + k->tunnel;
		uint64_t before = counters.v[counter];
		struct packet there, back;
		struct pkt a, b;

		build(k, 0, 1, &there);
		build(k, 1, 1, &back);
		expect(k->name, parse(&there, there.len, 0, &a), CNT_PKT_TCP);
		assert_int_equal(counters.v[counter], before + 1);
		expect(k->name, parse(&back, back.len, 0, &b), CNT_PKT_TCP);
		assert_memory_equal(&a.key, &b.key, sizeof(a.key));
		assert_int_equal(a.from_lo, !b.from_lo);
		assert_int_equal(a.key.tunnel != 0, k->has_id);
		assert_int_equal(a.is_ipv6, k->inner == 6);
		assert_int_equal(a.payload.len, 5);
		assert_int_equal(a.ttl, 64);
		assert_int_equal(a.key.net & 0xfff,
				 strstr(k->name, "VLAN") != NULL &&
						 strstr(k->name, "GRE") != NULL &&
						 k->tunnel == TUNNEL_GRE
					 ? 7
					 : 0);
	}
}

// The checksum inside is looked at, whatever the NIC said about the outside.
static void test_inner_checksum(void **state)
{
	for (size_t i = 0; i < N(kinds); i++) {
		struct packet p;
		struct pkt pkt;

		build(&kinds[i], 0, 1, &p);
		p.b[p.len - 1] ^= 1;
		for (int csum = 0; csum <= FRAME_CSUM_BAD; csum++) {
			const struct frame f = {
				.data = p.b,
				.len = (uint32_t)p.len,
				.wire_len = (uint32_t)p.len,
				.csum = (uint8_t)csum,
			};
			const struct pkt_conf verify = {.verify_checksums = true},
					      trust = {.key = 1};
			struct pkt_fragment piece;

			expect(kinds[i].name, pkt_parse_verified(&verify, &f, &pkt, &piece),
			       CNT_PKT_BAD_CSUM);
			expect(kinds[i].name, pkt_parse_verified(&trust, &f, &pkt, &piece),
			       CNT_PKT_TCP);
		}
	}
}

static void test_every_truncation(void **state)
{
	for (size_t i = 0; i < N(kinds); i++) {
		struct packet p;
		struct pkt pkt;

		build(&kinds[i], 0, 1, &p);
		for (size_t len = 0; len < p.len; len++)
			assert_int_not_equal(parse(&p, len, 0, &pkt), CNT_PKT_TCP);
	}
}

// Any value in any byte of the wrapping, outer IP header included, the frame whole or cut behind it.
static void test_every_byte(void **state)
{
	for (size_t i = 0; i < N(kinds); i++) {
		struct packet p;
		struct pkt pkt;

		build(&kinds[i], 0, 1, &p);
		for (size_t at = 12; at < p.inner + 20; at++) {
			uint8_t keep = p.b[at];

			for (int value = 0; value < 256; value++) {
				p.b[at] = (uint8_t)value;
				parse(&p, p.len, 0, &pkt);
				parse(&p, p.inner, 0, &pkt);
				if (at + 1 < p.len)
					parse(&p, at + 1, 0, &pkt);
			}
			p.b[at] = keep;
		}
	}
}

static void test_off(void **state)
{
	for (size_t i = 0; i < N(kinds); i++) {
		const struct kind *k = &kinds[i];
		uint64_t before = counters.v[CNT_TUN_OFF];
		enum counter want = k->outer == OUT_NONE ? CNT_PKT_NOT_IP : CNT_PKT_NOT_TCP;
		struct packet p;
		struct pkt pkt;

		build(k, 0, 1, &p);
		expect(k->name, parse(&p, p.len, 1u << k->tunnel, &pkt), want);
		assert_int_equal(counters.v[CNT_TUN_OFF], before + 1);
		expect(k->name, parse(&p, p.len, TUNNEL_ALL, &pkt), want);
	}
}

// Tunnels between other end points are others, where end points are what tells them apart.
static void test_end_points(void **state)
{
	for (size_t i = 0; i < N(kinds); i++) {
		const struct kind *k = &kinds[i];
		bool by_ends = k->tunnel == TUNNEL_GRE || k->tunnel == TUNNEL_IPIP ||
			       k->tunnel == TUNNEL_L2TP;
		struct packet p, q;
		struct pkt a, b;

		if (k->outer == OUT_NONE)
			continue;
		build(k, 0, 1, &p);
		build(k, 0, 9, &q);
		expect(k->name, parse(&p, p.len, 0, &a), CNT_PKT_TCP);
		expect(k->name, parse(&q, q.len, 0, &b), CNT_PKT_TCP);
		assert_int_equal(a.key.tunnel != b.key.tunnel, by_ends);
	}
}

// No two kinds of tunnel share a key, and none has that of the same packet outside.
static void test_kinds_apart(void **state)
{
	for (size_t i = 0; i < N(kinds); i++) {
		for (size_t j = 0; j < i; j++) {
			struct packet p, q;
			struct pkt a, b;

			if (kinds[i].tunnel == kinds[j].tunnel || !kinds[i].has_id ||
			    !kinds[j].has_id)
				continue;
			build(&kinds[i], 0, 1, &p);
			build(&kinds[j], 0, 1, &q);
			parse(&p, p.len, 0, &a);
			parse(&q, q.len, 0, &b);
			assert_int_not_equal(a.key.tunnel, b.key.tunnel);
		}
	}
}

// IP in IP in IP: four deep, not five.
static void test_depth(void **state)
{
	for (int depth = 1; depth <= 6; depth++) {
		struct packet p = {.len = 14};
		uint8_t inner[INNER_MAX];
		size_t len = inner_packet(inner, false, 0);
		struct pkt pkt;

		memcpy(p.b, MAC "\x08\0", 14);
		for (int i = 0; i < depth; i++) {
			const struct kind ipip = {.outer = OUT_V4, .proto = 4};

			outer_ip(p.b + p.len, &ipip, (size_t)(depth - i - 1) * 20 + len, 0, 1);
			p.len += 20;
		}
		memcpy(p.b + p.len, inner, len);
		p.len += len;
		expect("depth", parse(&p, p.len, 0, &pkt),
		       depth <= TUNNEL_DEPTH_MAX ? CNT_PKT_TCP : CNT_PKT_TUNNEL_DEPTH);
	}
}

// Refused, each with its reason.
static void test_refusals(void **state)
{
	static const struct {
		const char *kind;
		size_t at; // in the head
		uint8_t value;
		enum counter want;
	} table[] = {
		{"PPPoE", 0, 0x12, CNT_PKT_NOT_IP},
		{"PPPoE", 1, 0xa7, CNT_PKT_NOT_IP}, // discovery, not a session's data
		{"PPPoE", 6, 0xc0, CNT_PKT_NOT_IP}, // LCP
		{"PPPoE", 4, 0, CNT_PKT_SHORT},     // shorter than the packet in it
		{"MPLS", 8, 0x50, CNT_PKT_NOT_IP},  // neither IP nor Ethernet
		{"GRE", 1, 0x02, CNT_PKT_NOT_TCP},  // version
		{"GRE", 0, 0x40, CNT_PKT_NOT_TCP},  // source route
		{"GRE", 2, 0x09, CNT_PKT_NOT_IP},
		{"VXLAN", 0, 0, CNT_PKT_NOT_TCP},
		{"VXLAN-GPE", 3, 4, CNT_PKT_NOT_TCP}, // NSH
		{"Geneve", 0, 0x42, CNT_PKT_NOT_TCP},
		{"Geneve", 0, 0x3f, CNT_PKT_SHORT},
		{"L2TP", 0, 0x80, CNT_PKT_NOT_TCP}, // control
		{"L2TP", 1, 3, CNT_PKT_NOT_TCP},
	};

	for (size_t i = 0; i < N(table); i++) {
		size_t k = 0;
		struct packet p;
		struct pkt pkt;

		while (strcmp(kinds[k].name, table[i].kind) != 0)
			k++;
		build(&kinds[k], 0, 1, &p);
		p.b[p.head + table[i].at] = table[i].value;
		expect(table[i].kind, parse(&p, p.len, 0, &pkt), table[i].want);
	}
}

// UDP that only looks like a tunnel's, and GTP, which is counted.
static void test_other_udp(void **state)
{
	static const uint16_t ports[] = {53, 2152, 3544, 4789, 4790, 6081, 1701, 8472};

	for (size_t i = 0; i < N(ports); i++) {
		struct kind k = {.outer = OUT_V4,
				 .proto = UDP,
				 .port = ports[i],
				 .inner = 4,
				 .head = (const uint8_t *)"\xff\xff\xff\xff\xff\xff\xff\xff",
				 .head_len = 8};
		uint64_t gtp = counters.v[CNT_TUN_GTP];
		struct packet p;
		struct pkt pkt;

		p.len = 0;
		build(&k, 0, 1, &p);
		if (ports[i] == 4789 || ports[i] == 8472 || ports[i] == 4790)
			p.b[p.head] = 0xf0; // no network identifier
		expect("UDP", parse(&p, p.len, 0, &pkt), CNT_PKT_NOT_TCP);
		assert_int_equal(counters.v[CNT_TUN_GTP] - gtp, ports[i] == 2152);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_inner_checksum),
		cmocka_unit_test(test_every_truncation),
		cmocka_unit_test(test_every_byte),
		cmocka_unit_test(test_off),
		cmocka_unit_test(test_end_points),
		cmocka_unit_test(test_kinds_apart),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_other_udp),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

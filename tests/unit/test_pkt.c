// SPDX-License-Identifier: BSD-2-Clause
// Frames of every kind, each cut at every length at the edge of a page that cannot be read, and each header field that
// a host would refuse with the counter that says so.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "dataplane/engine/pkt.h"
#include "tests/unit/guard.h"

#define N(a)     (sizeof(a) / sizeof((a)[0]))
#define BYTES(s) (s), sizeof(s) - 1

enum {
	V4_SRC = 0x0a000001,
	V4_DST = 0xc0000207,
	SPORT = 40000,
	DPORT = 80,
	SEQ = 0x01020304,
	ACK = 0x0a0b0c0d,
	WINDOW = 0x2345,
	DSTOPTS_MANY = 150,
};

// What a frame is made of. Zero: Ethernet, IPv4, TCP without options or payload.
struct spec {
	const char *name;
	uint16_t tag[5]; // outer first
	int tags;
	uint16_t tpid; // of the first tag, 0: 0x8100
	bool v6;
	const char *ip_options; // IPv4: a multiple of 4 bytes; IPv6: extension headers
	size_t ip_options_len;
	uint8_t first_next; // IPv6: number of the first extension header
	const char *tcp_options;
	size_t tcp_options_len;
	const char *payload;
	size_t padding; // Ethernet padding behind the IP packet
	bool back;      // the answer: addresses and ports swapped
};

struct built {
	uint8_t b[4096];
	size_t len, ip, tcp, end; // offsets; end: of the IP packet
};

static void put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v);
}

// RFC 1071, one byte after the other.
static uint32_t sum_bytes(const uint8_t *p, size_t len)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < len; i++)
		sum += (uint32_t)p[i] << (i % 2 == 0 ? 8 : 0);
	return sum;
}

static uint16_t sum_fold(uint32_t sum)
{
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static bool is_v6(const struct built *f)
{
	return f->b[f->ip] >> 4 == 6;
}

// Make both checksums right for what the frame says now.
static void csum_fix(struct built *f)
{
	uint8_t *ip = f->b + f->ip, *tcp = f->b + f->tcp;
	size_t l4 = f->end - f->tcp;

	if (!is_v6(f)) {
		put16(ip + 10, 0);
		put16(ip + 10, sum_fold(sum_bytes(ip, f->tcp - f->ip)));
	}
	put16(tcp + 16, 0);
	put16(tcp + 16, sum_fold(sum_bytes(tcp, l4) + 6 + (uint32_t)l4 +
				 (is_v6(f) ? sum_bytes(ip + 8, 32) : sum_bytes(ip + 12, 8))));
}

static void build_ip(const struct spec *s, struct built *f, size_t l4_len)
{
	uint8_t *ip = f->b + f->ip;
	static const uint8_t src6[16] = {0x20, 1, 0x0d, 0xb8, [15] = 1};
	static const uint8_t dst6[16] = {0x20, 1, 0x0d, 0xb8, [15] = 2};

	if (s->v6) {
		ip[0] = 0x60;
		put16(ip + 4, (uint32_t)(s->ip_options_len + l4_len));
		ip[6] = s->ip_options_len > 0 ? s->first_next : 6;
		ip[7] = 64;
		memcpy(ip + 8, s->back ? dst6 : src6, 16);
		memcpy(ip + 24, s->back ? src6 : dst6, 16);
		memcpy(ip + 40, s->ip_options != NULL ? s->ip_options : "", s->ip_options_len);
		return;
	}
	ip[0] = (uint8_t)(0x40 | (20 + s->ip_options_len) / 4);
	put16(ip + 2, (uint32_t)(20 + s->ip_options_len + l4_len));
	ip[8] = 64;
	ip[9] = 6;
	put32(ip + 12, s->back ? V4_DST : V4_SRC);
	put32(ip + 16, s->back ? V4_SRC : V4_DST);
	memcpy(ip + 20, s->ip_options != NULL ? s->ip_options : "", s->ip_options_len);
}

static void build(const struct spec *s, struct built *f)
{
	size_t payload = s->payload != NULL ? strlen(s->payload) : 0;
	size_t l4_len = 20 + s->tcp_options_len + payload;
	size_t at = 12;
	uint8_t *tcp;

	memset(f, 0, sizeof(*f));
	memset(f->b, 0x02, 12);
	for (int i = 0; i < s->tags; i++, at += 4) {
		put16(f->b + at, i == 0 && s->tpid != 0 ? s->tpid : 0x8100);
		put16(f->b + at + 2, s->tag[i]);
	}
	put16(f->b + at, s->v6 ? 0x86dd : 0x0800);
	f->ip = at + 2;
	f->tcp = f->ip + (s->v6 ? 40 : 20) + s->ip_options_len;
	f->end = f->tcp + l4_len;
	f->len = f->end + s->padding;
	assert_true(f->len <= sizeof(f->b));
	build_ip(s, f, l4_len);
	tcp = f->b + f->tcp;
	put16(tcp, s->back ? DPORT : SPORT);
	put16(tcp + 2, s->back ? SPORT : DPORT);
	put32(tcp + 4, SEQ);
	put32(tcp + 8, ACK);
	tcp[12] = (uint8_t)((20 + s->tcp_options_len) / 4 << 4);
	tcp[13] = TCP_ACK | TCP_PSH;
	put16(tcp + 14, WINDOW);
	memcpy(tcp + 20, s->tcp_options != NULL ? s->tcp_options : "", s->tcp_options_len);
	if (payload > 0)
		memcpy(tcp + 20 + s->tcp_options_len, s->payload, payload);
	csum_fix(f);
}

static struct guard guard;
static char dst_many[DSTOPTS_MANY * 8];

static enum counter parse_cut(const struct built *f, size_t len, size_t wire_len, uint8_t csum,
			      bool verify, struct pkt *ret_pkt)
{
	struct frame frame = {
		.data = guard_put(&guard, f->b, len, 0),
		.len = (uint32_t)len,
		.wire_len = (uint32_t)wire_len,
		.csum = csum,
	};

	memset(ret_pkt, 0xee, sizeof(*ret_pkt));
	const struct pkt_conf conf = {.verify_checksums = verify};
	struct pkt_fragment piece;

	return pkt_parse_verified(&conf, &frame, ret_pkt, &piece);
}

static enum counter parse(const struct built *f, struct pkt *ret_pkt)
{
	return parse_cut(f, f->len, f->len, FRAME_CSUM_UNKNOWN, true, ret_pkt);
}

static const char *counter_name(enum counter c)
{
	static const char *const name[COUNTER_N] = {
#define X(id, dotted, text) [CNT_##id] = dotted,
		COUNTER_TABLE(X)
#undef X
	};
	return name[c];
}

static void expect(const char *name, enum counter got, enum counter want)
{
	if (got != want)
		print_error("%s: %s\n", name, counter_name(got));
	assert_int_equal(got, want);
}

// Every kind of frame that is taken.
static const struct spec kinds[] = {
	{.name = "no payload"},
	{.name = "payload", .payload = "GET / HTTP/1.1"},
	{.name = "odd payload", .payload = "odd"},
	{.name = "Ethernet padding", .payload = "ab", .padding = 4},
	{.name = "802.1Q", .tag = {0x2123}, .tags = 1, .payload = "abc"},
	{.name = "802.1ad", .tag = {0x0fff}, .tags = 1, .tpid = 0x88a8, .payload = "abc"},
	{.name = "QinQ", .tag = {0x0100, 0xe200}, .tags = 2, .tpid = 0x88a8, .payload = "abc"},
	{.name = "QinQ, old type", .tag = {0x0100, 0x0200}, .tags = 2, .tpid = 0x9100},
	{.name = "priority tag", .tag = {0xe000}, .tags = 1, .payload = "abc"},
	{.name = "IPv4 options",
	 .ip_options = "\x01\x01\x01\x00",
	 .ip_options_len = 4,
	 .payload = "abc"},
	{.name = "IPv4 record route",
	 .ip_options = "\x07\x07\x04\x00\x00\x00\x00\x00",
	 .ip_options_len = 8},
	{.name = "IPv4 unknown option", .ip_options = "\x9e\x04\x00\x00", .ip_options_len = 4},
	{.name = "TCP options",
	 .tcp_options =
		 "\x02\x04\x05\xb4\x01\x03\x03\x07\x08\x0a\x11\x22\x33\x44\x00\x00\x00\x00\x01\x01",
	 .tcp_options_len = 20,
	 .payload = "x"},
	{.name = "IPv6", .v6 = true, .payload = "abc"},
	{.name = "IPv6 without payload", .v6 = true},
	{.name = "IPv6 in a VLAN", .v6 = true, .tag = {7}, .tags = 1, .payload = "abcd"},
	{.name = "IPv6 hop-by-hop, destination options, routing",
	 .v6 = true,
	 .first_next = 0,
	 .ip_options = "\x3c\x00\x05\x02\x00\x00\x01\x00"
		       "\x2b\x00\x01\x04\x00\x00\x00\x00"
		       "\x06\x00\x02\x00\x00\x00\x00\x00",
	 .ip_options_len = 24,
	 .payload = "abc"},
	{.name = "IPv6 unknown option to be skipped",
	 .v6 = true,
	 .first_next = 60,
	 .ip_options = "\x06\x00\x1e\x04\x00\x00\x00\x00",
	 .ip_options_len = 8},
	{.name = "IPv6 atomic fragment",
	 .v6 = true,
	 .first_next = 44,
	 .ip_options = "\x06\x00\x00\x00\x00\x00\x00\x07",
	 .ip_options_len = 8,
	 .payload = "abc"},
	{.name = "IPv6 150 destination option headers",
	 .v6 = true,
	 .first_next = 60,
	 .ip_options = dst_many,
	 .ip_options_len = sizeof(dst_many),
	 .payload = "abc"},
};

static int setup(void **state)
{
	guard_init(&guard, 8192);
	for (int i = 0; i < DSTOPTS_MANY; i++)
		memcpy(dst_many + i * 8,
		       i + 1 < DSTOPTS_MANY ? "\x3c\0\x01\x04\0\0\0\0" : "\x06\0\x01\x04\0\0\0\0",
		       8);
	return 0;
}

static int teardown(void **state)
{
	guard_done(&guard);
	return 0;
}

static void test_kinds(void **state)
{
	for (size_t i = 0; i < N(kinds); i++) {
		const struct spec *s = &kinds[i];
		const char *payload = s->payload != NULL ? s->payload : "";
		struct built f;
		struct pkt p;

		build(s, &f);
		expect(s->name, parse(&f, &p), CNT_PKT_TCP);
		assert_int_equal(p.payload.len, strlen(payload));
		assert_true(span_eq(p.payload, span_of(payload, strlen(payload))));
		assert_int_equal(p.seq, SEQ);
		assert_int_equal(p.ack, ACK);
		assert_int_equal(p.window, WINDOW);
		assert_int_equal(p.flags, TCP_ACK | TCP_PSH);
		assert_int_equal(p.frame_len, f.len);
		assert_int_equal(p.is_ipv6, s->v6);
		assert_true(p.from_lo);
		assert_int_equal(p.key.lo_port, SPORT);
		assert_int_equal(p.key.hi_port, DPORT);
	}
}

// A frame cut anywhere is refused, for being short, or, when the wire had more, for being cut.
static void test_every_truncation(void **state)
{
	for (size_t i = 0; i < N(kinds); i++) {
		struct built f;
		struct pkt p;

		build(&kinds[i], &f);
		for (size_t len = 0; len < f.end; len++) {
			expect(kinds[i].name, parse_cut(&f, len, len, FRAME_CSUM_UNKNOWN, true, &p),
			       CNT_PKT_SHORT);
			expect(kinds[i].name,
			       parse_cut(&f, len, f.len, FRAME_CSUM_UNKNOWN, false, &p),
			       CNT_PKT_TRUNCATED);
		}
		// Ethernet padding may be missing.
		for (size_t len = f.end; len < f.len; len++)
			expect(kinds[i].name, parse_cut(&f, len, len, FRAME_CSUM_UNKNOWN, true, &p),
			       CNT_PKT_TCP);
	}
}

// The IP packet itself is made shorter, and says so: a header may end anywhere in it.
static void test_every_ip_length(void **state)
{
	for (size_t i = 0; i < N(kinds); i++) {
		struct built f;
		struct pkt p;

		build(&kinds[i], &f);
		for (size_t end = f.ip + (kinds[i].v6 ? 41 : 20); end < f.tcp + 20; end++) {
			enum counter c;

			if (kinds[i].v6)
				put16(f.b + f.ip + 4, (uint32_t)(end - f.ip - 40));
			else
				put16(f.b + f.ip + 2, (uint32_t)(end - f.ip));
			c = parse_cut(&f, end, end, FRAME_CSUM_GOOD, true, &p);
			if (end >= f.tcp)
				expect(kinds[i].name, c, CNT_PKT_BAD_TCP);
			else if (kinds[i].v6)
				assert_true(c == CNT_PKT_BAD_IPV6 || c == CNT_PKT_BAD_TCP);
			else
				expect(kinds[i].name, c, CNT_PKT_BAD_IPV4);
		}
	}
}

enum at {
	AT_ETH,
	AT_IP,
	AT_TCP,
};

static const struct spec v4 = {.name = "v4", .payload = "abcd"};
static const struct spec v6 = {.name = "v6", .v6 = true, .payload = "abcd"};
static const struct spec five_tags = {.name = "five", .tag = {1, 2, 3, 4, 5}, .tags = 5};

// One change to a good frame -> the counter of the refusal.
static const struct {
	const char *name;
	const struct spec *spec;
	enum at at;
	uint8_t off;
	uint16_t value; // 16 bits, big-endian
	enum counter want;
} refusals[] = {
	{"ARP", &v4, AT_ETH, 12, 0x0806, CNT_PKT_NOT_IP},
	{"802.3 length", &v4, AT_ETH, 12, 0x0100, CNT_PKT_NOT_IP},
	{"five tags", &five_tags, AT_ETH, 12, 0x8100, CNT_PKT_VLAN_DEPTH},
	{"IPv4 says version 5", &v4, AT_IP, 0, 0x5500, CNT_PKT_BAD_IPV4},
	{"IPv4 says version 6", &v4, AT_IP, 0, 0x6500, CNT_PKT_BAD_IPV4},
	{"IPv4 header of 16 bytes", &v4, AT_IP, 0, 0x4400, CNT_PKT_BAD_IPV4},
	{"IPv4 total length below its header", &v4, AT_IP, 2, 19, CNT_PKT_BAD_IPV4},
	{"IPv4 total length 0", &v4, AT_IP, 2, 0, CNT_PKT_BAD_IPV4},
	{"IPv4 total length over the frame", &v4, AT_IP, 2, 45, CNT_PKT_SHORT},
	{"IPv4 more fragments", &v4, AT_IP, 6, 0x2000, CNT_PKT_FRAGMENT},
	{"IPv4 last fragment", &v4, AT_IP, 6, 0x0001, CNT_PKT_FRAGMENT},
	{"IPv4 do not fragment", &v4, AT_IP, 6, 0x4000, CNT_PKT_TCP},
	{"IPv4 evil bit", &v4, AT_IP, 6, 0x8000, CNT_PKT_TCP},
	{"IPv4 UDP", &v4, AT_IP, 8, 0x4011, CNT_PKT_NOT_TCP},
	{"IPv6 says version 4", &v6, AT_IP, 0, 0x4000, CNT_PKT_BAD_IPV6},
	{"IPv6 without a payload", &v6, AT_IP, 4, 0, CNT_PKT_BAD_IPV6},
	{"IPv6 payload over the frame", &v6, AT_IP, 4, 25, CNT_PKT_SHORT},
	{"IPv6 UDP", &v6, AT_IP, 6, 0x1140, CNT_PKT_NOT_TCP},
	{"IPv6 no next header", &v6, AT_IP, 6, 0x3b40, CNT_PKT_NOT_TCP},
	{"IPv6 encrypted", &v6, AT_IP, 6, 0x3240, CNT_PKT_NOT_TCP},
	{"TCP header of 16 bytes", &v4, AT_TCP, 12, 0x4010, CNT_PKT_BAD_TCP},
	{"TCP header over the segment", &v4, AT_TCP, 12, 0x7010, CNT_PKT_BAD_TCP},
	{"TCP header as long as the segment", &v4, AT_TCP, 12, 0x6010, CNT_PKT_TCP},
	{"TCP header over the segment, IPv6", &v6, AT_TCP, 12, 0xf010, CNT_PKT_BAD_TCP},
};

static void test_refusals(void **state)
{
	for (size_t i = 0; i < N(refusals); i++) {
		struct built f;
		struct pkt p;

		build(refusals[i].spec, &f);
		put16(f.b +
			      (refusals[i].at == AT_IP    ? f.ip
			       : refusals[i].at == AT_TCP ? f.tcp
							  : 0) +
			      refusals[i].off,
		      refusals[i].value);
		expect(refusals[i].name, parse_cut(&f, f.len, f.len, FRAME_CSUM_GOOD, true, &p),
		       refusals[i].want);
	}
}

// Options and extension headers: what Linux drops is refused.
static const struct {
	const char *name;
	const char *bytes;
	size_t len;
	bool v6;
	uint8_t first_next;
	enum counter want;
} options[] = {
	{"loose source route", BYTES("\x83\x03\x04\x00"), .want = CNT_PKT_BAD_IPV4},
	{"strict source route", BYTES("\x89\x03\x04\x00"), .want = CNT_PKT_BAD_IPV4},
	{"source route behind a NOP", BYTES("\x01\x83\x03\x04"), .want = CNT_PKT_BAD_IPV4},
	{"source route behind the end", BYTES("\x00\x83\x03\x04"), .want = CNT_PKT_TCP},
	{"option of length 0", BYTES("\x9e\x00\x00\x00"), .want = CNT_PKT_BAD_IPV4},
	{"option of length 1", BYTES("\x9e\x01\x00\x00"), .want = CNT_PKT_BAD_IPV4},
	{"option over the header", BYTES("\x9e\x05\x00\x00"), .want = CNT_PKT_BAD_IPV4},
	{"option without a length", BYTES("\x01\x01\x01\x9e"), .want = CNT_PKT_BAD_IPV4},
	{"record route, pointer 3", BYTES("\x07\x03\x03\x00"), .want = CNT_PKT_BAD_IPV4},
	{"record route without a pointer", BYTES("\x07\x02\x00\x00"), .want = CNT_PKT_BAD_IPV4},
	{"time stamp, pointer 4", BYTES("\x44\x04\x04\x00"), .want = CNT_PKT_BAD_IPV4},
	{"time stamp without a pointer", BYTES("\x01\x44\x03\x05"), .want = CNT_PKT_BAD_IPV4},
	{"hop-by-hop behind another", BYTES("\x00\x00\x01\x04\0\0\0\0\x06\x00\x01\x04\0\0\0\0"),
	 true, 60, CNT_PKT_BAD_IPV6},
	{"unknown option, discard", BYTES("\x06\x00\x5e\x04\0\0\0\0"), true, 60, CNT_PKT_BAD_IPV6},
	{"unknown option, discard, hop-by-hop", BYTES("\x06\x00\x9e\x04\0\0\0\0"), true, 0,
	 CNT_PKT_BAD_IPV6},
	{"option over its header", BYTES("\x06\x00\x01\x05\0\0\0\0"), true, 60, CNT_PKT_BAD_IPV6},
	{"option without a length", BYTES("\x06\x00\0\0\0\0\0\x01"), true, 60, CNT_PKT_BAD_IPV6},
	{"header over the packet", BYTES("\x06\x04\x01\x04\0\0\0\0"), true, 60, CNT_PKT_BAD_IPV6},
	{"padding of 7 bytes", BYTES("\x06\x01\x1e\x05\0\0\0\0\0\x01\x05\0\0\0\0\0"), true, 60,
	 CNT_PKT_TCP},
	{"padding of 8 bytes", BYTES("\x06\x01\x01\x06\0\0\0\0\0\0\x1e\x04\0\0\0\0"), true, 60,
	 CNT_PKT_BAD_IPV6},
	{"padding that is not 0", BYTES("\x06\x00\x01\x04\0\0\x01\0"), true, 60, CNT_PKT_BAD_IPV6},
	{"eight options",
	 BYTES("\x06\x02\x1e\0\x1e\0\x1e\0\x1e\0\x1e\0\x1e\0\x1e\0\x1e\x06\0\0\0\0\0\0"), true, 60,
	 CNT_PKT_TCP},
	{"nine options",
	 BYTES("\x06\x02\x1e\0\x1e\0\x1e\0\x1e\0\x1e\0\x1e\0\x1e\0\x1e\0\x1e\x04\0\0\0\0"), true,
	 60, CNT_PKT_BAD_IPV6},
	{"home address", BYTES("\x06\x02\x01\x02\0\0\xc9\x10\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
	 true, 60, CNT_PKT_BAD_IPV6},
	{"first fragment behind options",
	 BYTES("\x3c\x00\x00\x01\0\0\0\x07\x06\x00\x01\x04\0\0\0\0"), true, 44, CNT_PKT_FRAGMENT},
	{"last fragment past 65,535", BYTES("\x06\x00\xff\xf8\0\0\0\x07"), true, 44,
	 CNT_PKT_BAD_IPV6},
	{"routing over the packet", BYTES("\x06\x04\x04\x00\0\0\0\0"), true, 43, CNT_PKT_BAD_IPV6},
	{"routing with segments left", BYTES("\x06\x00\x00\x01\0\0\0\0"), true, 43,
	 CNT_PKT_BAD_IPV6},
	{"routing without", BYTES("\x06\x00\x04\x00\0\0\0\0"), true, 43, CNT_PKT_TCP},
	{"first fragment", BYTES("\x06\x00\x00\x01\0\0\0\x07"), true, 44, CNT_PKT_FRAGMENT},
	{"last fragment", BYTES("\x06\x00\x00\x08\0\0\0\x07"), true, 44, CNT_PKT_FRAGMENT},
	{"atomic fragment, reserved bits", BYTES("\x06\xff\x00\x06\0\0\0\x07"), true, 44,
	 CNT_PKT_TCP},
	{"atomic in atomic", BYTES("\x2c\0\0\0\0\0\0\x07\x06\0\0\0\0\0\0\x07"), true, 44,
	 CNT_PKT_BAD_IPV6},
	{"no next header behind options", BYTES("\x3b\x00\x01\x04\0\0\0\0"), true, 60,
	 CNT_PKT_NOT_TCP},
	{"a protocol nobody knows", BYTES("\xfd\x00\x01\x04\0\0\0\0"), true, 60, CNT_PKT_NOT_TCP},
};

static void test_ip_options(void **state)
{
	for (size_t i = 0; i < N(options); i++) {
		const struct spec s = {
			.v6 = options[i].v6,
			.first_next = options[i].first_next,
			.ip_options = options[i].bytes,
			.ip_options_len = options[i].len,
			.payload = "abcd",
		};
		struct built f;
		struct pkt p;

		build(&s, &f);
		expect(options[i].name, parse(&f, &p), options[i].want);
	}
}

// Linux reads TCP options up to the first malformed one and takes the segment all the same.
static const struct {
	const char *name;
	const char *bytes;
	size_t len;
	uint8_t has, wscale;
	uint32_t tsval;
} tcp_options[] = {
	{"window scale", BYTES("\x03\x03\x07\x00"), PKT_HAS_WSCALE, 7, 0},
	{"window scale over 14", BYTES("\x01\x03\x03\xff"), PKT_HAS_WSCALE, 14, 0},
	{"window scale of wrong length", BYTES("\x03\x04\x07\x00"), 0, 0, 0},
	{"time stamp", BYTES("\x08\x0a\x80\x01\x02\x03\0\0\0\0\x01\x01"), PKT_HAS_TS, 0,
	 0x80010203},
	{"time stamp of wrong length", BYTES("\x08\x08\x80\x01\x02\x03\0\0"), 0, 0, 0},
	{"MD5",
	 BYTES("\x13\x12"
	       "0123456789abcdef"
	       "\x01\x01"),
	 PKT_HAS_MD5, 0, 0},
	{"behind the end", BYTES("\x00\x03\x03\x07"), 0, 0, 0},
	{"length 0", BYTES("\x05\x00\x03\x03\x07\x00\x00\x00"), 0, 0, 0},
	{"length 1", BYTES("\x05\x01\x03\x03\x07\x00\x00\x00"), 0, 0, 0},
	{"past the header", BYTES("\x01\x03\x03\x02\x08\x0a\x01\x02"), PKT_HAS_WSCALE, 2, 0},
	{"kind without a length", BYTES("\x01\x01\x01\x03"), 0, 0, 0},
	{"unknown kind before", BYTES("\xfd\x05zzz\x03\x03\x09"), PKT_HAS_WSCALE, 9, 0},
};

static void test_tcp_options(void **state)
{
	for (size_t i = 0; i < N(tcp_options); i++) {
		const struct spec s = {
			.tcp_options = tcp_options[i].bytes,
			.tcp_options_len = tcp_options[i].len,
		};
		struct built f;
		struct pkt p;

		assert_int_equal(tcp_options[i].len % 4, 0);
		build(&s, &f);
		expect(tcp_options[i].name, parse(&f, &p), CNT_PKT_TCP);
		if (p.options != tcp_options[i].has)
			print_error("%s\n", tcp_options[i].name);
		assert_int_equal(p.options, tcp_options[i].has);
		assert_int_equal(p.wscale, tcp_options[i].wscale);
		assert_int_equal(p.tsval, tcp_options[i].tsval);
		assert_int_equal(p.payload.len, 0);
	}
}

// Every bit of a good packet that a checksum covers, flipped: refused with checksums on.
static void test_checksum_every_bit(void **state)
{
	static const struct spec *const specs[] = {&v4, &v6, &kinds[2]};

	for (size_t i = 0; i < N(specs); i++) {
		struct built f;
		struct pkt p;

		build(specs[i], &f);
		for (size_t bit = (is_v6(&f) ? f.tcp : f.ip) * 8; bit < f.end * 8; bit++) {
			f.b[bit / 8] ^= (uint8_t)(1 << bit % 8);
			assert_int_not_equal(parse(&f, &p), CNT_PKT_TCP);
			f.b[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
		expect(specs[i]->name, parse(&f, &p), CNT_PKT_TCP);
	}
}

// Who decides about a wrong checksum: the NIC if it has looked, else we, if we are asked to.
static void test_checksum_policy(void **state)
{
	static const struct {
		bool bad_ip, bad_tcp, verify;
		uint8_t nic;
		enum counter want;
	} table[] = {
		{false, false, true, FRAME_CSUM_UNKNOWN, CNT_PKT_TCP},
		{true, false, true, FRAME_CSUM_UNKNOWN, CNT_PKT_BAD_CSUM},
		{false, true, true, FRAME_CSUM_UNKNOWN, CNT_PKT_BAD_CSUM},
		{true, true, false, FRAME_CSUM_UNKNOWN, CNT_PKT_TCP},
		{true, true, true, FRAME_CSUM_GOOD, CNT_PKT_TCP},
		{false, false, true, FRAME_CSUM_BAD, CNT_PKT_BAD_CSUM},
		{false, false, false, FRAME_CSUM_BAD, CNT_PKT_TCP},
	};

	for (size_t i = 0; i < N(table); i++) {
		struct built f;
		struct pkt p;

		build(&v4, &f);
		if (table[i].bad_ip)
			put16(f.b + f.ip + 10, 0x1234);
		if (table[i].bad_tcp)
			put16(f.b + f.tcp + 16, 0);
		expect("checksum", parse_cut(&f, f.len, f.len, table[i].nic, table[i].verify, &p),
		       table[i].want);
	}
}

// Both directions give the same key; from_lo tells them apart.
static void test_key_is_canonical(void **state)
{
	for (size_t i = 0; i < N(kinds); i++) {
		struct spec answer = kinds[i];
		struct built f;
		struct pkt a, b;

		build(&kinds[i], &f);
		expect(kinds[i].name, parse(&f, &a), CNT_PKT_TCP);
		answer.back = true;
		build(&answer, &f);
		expect(kinds[i].name, parse(&f, &b), CNT_PKT_TCP);
		assert_memory_equal(&a.key, &b.key, sizeof(a.key));
		assert_int_not_equal(a.from_lo, b.from_lo);
	}
}

// With equal addresses the ports decide; with equal ports too, both directions are one.
static void test_key_of_one_host(void **state)
{
	static const struct {
		uint16_t sport, dport, lo;
		bool from_lo;
	} table[] = {{80, 40000, 80, true}, {40000, 80, 80, false}, {80, 80, 80, true}};

	for (size_t i = 0; i < N(table); i++) {
		struct built f;
		struct pkt p;

		build(&v4, &f);
		put32(f.b + f.ip + 16, V4_SRC);
		put16(f.b + f.tcp, table[i].sport);
		put16(f.b + f.tcp + 2, table[i].dport);
		csum_fix(&f);
		expect("one host", parse(&f, &p), CNT_PKT_TCP);
		assert_int_equal(p.from_lo, table[i].from_lo);
		assert_int_equal(p.key.lo_port, table[i].lo);
	}
}

// Every length and place, against the sum of RFC 1071 byte by byte; then with one bit changed.
static void test_csum_of_any_length(void **state)
{
	static uint8_t bytes[1700];
	uint32_t random = 1;

	for (size_t len = 20; len <= 1600; len++) {
		const size_t at = len % 67, bit = (len * 2654435761u) % (len * 8);
		struct pkt p = {.unverified = span_of(bytes + at, len)};

		for (size_t i = 0; i < len; i++) {
			random = random * 1664525 + 1013904223;
			bytes[at + i] = len % 5 == 0 ? 0xff : (uint8_t)(random >> 24);
		}
		put16(bytes + at + 16, 0);
		put16(bytes + at + 16, sum_fold(sum_bytes(bytes + at, len) + 6 + (uint32_t)len));
		assert_true(pkt_csum_is_good(&p));
		bytes[at + bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_false(pkt_csum_is_good(&p));
	}
}

static void test_key_holds_vlan_and_family(void **state)
{
	static const struct {
		struct spec spec;
		uint32_t net;
		bool has_vlan;
	} table[] = {
		{{.name = "plain"}, 0, false},
		{{.name = "one tag", .tag = {0xe123}, .tags = 1}, 0x123, true},
		{{.name = "two tags", .tag = {0x0456, 0x0123}, .tags = 2}, 0x456123, true},
		{{.name = "four tags", .tag = {4, 3, 2, 1}, .tags = 4}, 0x2001, true},
		{{.name = "IPv6", .v6 = true}, FLOW_NET_IPV6, false},
		{{.name = "IPv6, two tags", .v6 = true, .tag = {0x0fff, 1}, .tags = 2},
		 FLOW_NET_IPV6 | 0xfff001,
		 true},
	};

	for (size_t i = 0; i < N(table); i++) {
		struct built f;
		struct pkt p;

		build(&table[i].spec, &f);
		expect(table[i].spec.name, parse(&f, &p), CNT_PKT_TCP);
		assert_int_equal(p.key.net, table[i].net);
		assert_int_equal(p.has_vlan, table[i].has_vlan);
	}
}

// There is room for two tags in the key; what stands outside of them still keeps flows apart.
static void test_key_of_many_tags(void **state)
{
	static const struct spec table[] = {
		{.name = "2", .tag = {2, 1}, .tags = 2},
		{.name = "3", .tag = {3, 2, 1}, .tags = 3},
		{.name = "4", .tag = {4, 2, 1}, .tags = 3},
		{.name = "3 3", .tag = {3, 3, 2, 1}, .tags = 4},
		{.name = "4 3", .tag = {4, 3, 2, 1}, .tags = 4},
		{.name = "3 4", .tag = {3, 4, 2, 1}, .tags = 4},
	};
	struct pkt p[N(table)];

	for (size_t i = 0; i < N(table); i++) {
		struct built f;

		build(&table[i], &f);
		expect(table[i].name, parse(&f, &p[i]), CNT_PKT_TCP);
		for (size_t j = 0; j < i; j++)
			assert_memory_not_equal(&p[i].key, &p[j].key, sizeof(p[i].key));
	}
}

// IPv4 lies in ::ffff:0:0/96; the same address sent as IPv6 is another flow.
static void test_key_of_mapped_address(void **state)
{
	static const uint8_t src[16] = {[10] = 0xff, 0xff, 0x0a, 0, 0, 1};
	static const uint8_t dst[16] = {[10] = 0xff, 0xff, 0xc0, 0, 2, 7};
	struct built f;
	struct pkt a, b;

	build(&v4, &f);
	expect("v4", parse(&f, &a), CNT_PKT_TCP);
	assert_memory_equal(a.key.lo, src, 16);
	assert_memory_equal(a.key.hi, dst, 16);
	build(&v6, &f);
	memcpy(f.b + f.ip + 8, src, 16);
	memcpy(f.b + f.ip + 24, dst, 16);
	csum_fix(&f);
	expect("mapped", parse(&f, &b), CNT_PKT_TCP);
	assert_memory_equal(b.key.lo, src, 16);
	assert_memory_not_equal(&a.key, &b.key, sizeof(a.key));
}

static bool is_fragment;

static uint32_t hash(const struct built *f, size_t len, uint64_t key)
{
	const struct frame frame = {
		.data = guard_put(&guard, f->b, len, 0),
		.len = (uint32_t)len,
		.wire_len = (uint32_t)f->len,
	};

	return pipeline_frame_hash(&frame, (const uint64_t[]){key, 0}, &is_fragment);
}

// A flow's frames meet on one worker; another boot deals them out otherwise.
static void test_frame_hash(void **state)
{
	for (size_t i = 0; i < N(kinds); i++) {
		struct spec answer = kinds[i];
		struct built f, g;

		answer.back = true;
		build(&kinds[i], &f);
		build(&answer, &g);
		assert_int_equal(hash(&f, f.len, 7), hash(&g, g.len, 7));
		assert_int_not_equal(hash(&f, f.len, 7), hash(&f, f.len, 8));
		for (size_t len = 0; len < f.end; len++)
			hash(&f, len, 7);
		assert_false(is_fragment);
		put16(g.b + g.tcp, DPORT + 1);
		assert_int_not_equal(hash(&f, f.len, 7), hash(&g, g.len, 7));
	}
}

// What is not TCP goes by its addresses, in both directions alike; what is not IP goes to 0.
static void test_frame_hash_of_others(void **state)
{
	struct built f, g, h;
	struct spec back4 = v4, back6 = v6;

	back4.back = back6.back = true;
	build(&v4, &f);
	build(&back4, &g);
	f.b[f.ip + 9] = g.b[g.ip + 9] = 17;
	assert_int_equal(hash(&f, f.len, 7), hash(&g, g.len, 7));
	h = g;
	put32(h.b + h.ip + 12, V4_DST + 1);
	assert_int_not_equal(hash(&f, f.len, 7), hash(&h, h.len, 7));
	build(&v6, &f);
	build(&back6, &g);
	f.b[f.ip + 6] = g.b[g.ip + 6] = 17;
	assert_int_equal(hash(&f, f.len, 7), hash(&g, g.len, 7));
	assert_int_not_equal(hash(&f, f.len, 7), 0);
	put16(f.b + 12, 0x0806);
	assert_int_equal(hash(&f, f.len, 7), 0);
	assert_int_equal(hash(&f, 0, 7), 0);
	build(&v4, &f);
	put16(f.b + f.ip + 6, 0x2000);
	hash(&f, f.len, 7);
	assert_true(is_fragment);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_every_truncation),
		cmocka_unit_test(test_every_ip_length),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_ip_options),
		cmocka_unit_test(test_tcp_options),
		cmocka_unit_test(test_checksum_every_bit),
		cmocka_unit_test(test_checksum_policy),
		cmocka_unit_test(test_key_is_canonical),
		cmocka_unit_test(test_csum_of_any_length),
		cmocka_unit_test(test_key_of_one_host),
		cmocka_unit_test(test_key_holds_vlan_and_family),
		cmocka_unit_test(test_key_of_many_tags),
		cmocka_unit_test(test_key_of_mapped_address),
		cmocka_unit_test(test_frame_hash),
		cmocka_unit_test(test_frame_hash_of_others),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

// SPDX-License-Identifier: BSD-2-Clause
// What single segments lead to: rules on them and on open connections, copies with other borders or bytes.
#include "tests/unit/pipekit.h"

#define S(a)      KIT_ACK, SPAN_LIT(a)
#define SYN(a)    KIT_SYN, SPAN_LIT(a)
#define ANSWER(a) KIT_SYN | KIT_ACK, SPAN_LIT(a)

enum {
	SEGS = 8,
	ISN = 1000,
	NONE = -1000, // acknowledges nothing
};

static const char rules[] =
	"alert tcp-pkt any any -> any any (flow:to_server; content:\"HTTP/1.1\"; sid:1;)\n"
	"alert tcp any any -> any any (flow:to_server; content:\"needle\"; sid:2;)\n"
	"alert tcp any any -> any any (flow:established,to_server; content:\"needle\"; sid:3;)\n"
	"alert http any any -> any any (flow:to_server; http.request_body; content:\"z\"; sid:4;)\n"
	"alert tcp any any -> any any (flow:to_client; content:\"answer\"; sid:5;)\n"
	"alert tcp any any -> any any (flow:established,to_client; content:\"answer\"; sid:6;)\n"
	"alert tcp any any -> any any (flow:to_server; content:\"zz\"; sid:7;)\n";

struct segment {
	uint8_t dir;
	int32_t at;  // from the first byte of its side; -1: the SYN
	int32_t ack; // of the other side's
	uint8_t flags;
	struct span data;
};

static const struct {
	const char *name;
	struct segment segs[SEGS];
	uint32_t sids; // bit per rule that hits
} cases[] = {
	{"sent again with other borders",
	 {{0, -1, NONE, SYN("")},
	  {1, -1, 0, ANSWER("")},
	  {0, 0, 0, S("GET / HT")},
	  {0, 8, 0, S("TP/1.1\r\n\r\n")},
	  {0, 6, 0, S("HTTP/1.1\r\n\r\n")}},
	 1 << 1},
	{"not sent again",
	 {{0, -1, NONE, SYN("")},
	  {1, -1, 0, ANSWER("")},
	  {0, 0, 0, S("GET / HT")},
	  {0, 8, 0, S("TP/1.1\r\n\r\n")}},
	 0},
	{"a lonely SYN with data",
	 {{0, -1, NONE, SYN("GET /needle HTTP/1.1\r\n\r\n")}},
	 1 << 1 | 1 << 2},
	{"a SYN with data that is taken",
	 {{0, -1, NONE, SYN("GET /needle HTTP/1.1\r\n\r\n")}, {1, -1, 24, ANSWER("")}},
	 1 << 1 | 1 << 2 | 1 << 3},
	{"a SYN/ACK with data",
	 {{0, -1, NONE, SYN("")},
	  {1, -1, 0, ANSWER("HTTP/1.1 200 answer\r\n\r\n")},
	  {0, 0, 0, S("GET / HTTP/1.0\r\n\r\n")}},
	 1 << 5},
	{"a probe brings any byte",
	 {{0, -1, NONE, SYN("")},
	  {1, -1, 0, ANSWER("")},
	  {0, 0, 0, S("POST / HTTP/1.0\r\nContent-Length: 2\r\n\r\nab")},
	  {1, 0, 40, S("")},
	  {0, 39, 0, S("z")}},
	 0},
	{"a byte that nobody has acknowledged",
	 {{0, -1, NONE, SYN("")},
	  {1, -1, 0, ANSWER("")},
	  {0, 0, 0, S("POST / HTTP/1.0\r\nContent-Length: 2\r\n\r\nab")},
	  {0, 39, 0, S("z")}},
	 1 << 4},
	{"two answers to a SYN: the first",
	 {{0, -1, NONE, SYN("")},
	  {1, -1, 0, ANSWER("")},
	  {1, 4999, 0, ANSWER("")},
	  {0, 0, 0, S("GET / HTTP/1.0\r\n\r\n")},
	  {1, 0, 18, S("HTTP/1.1 200 answer\r\n\r\n")}},
	 1 << 5 | 1 << 6},
	{"two answers to a SYN: the one that is acknowledged",
	 {{0, -1, NONE, SYN("")},
	  {1, -1, 0, ANSWER("")},
	  {1, 4999, 0, ANSWER("")},
	  {0, 0, 5000, S("GET / HTTP/1.0\r\n\r\n")},
	  {1, 5000, 18, S("HTTP/1.1 200 answer\r\n\r\n")}},
	 1 << 5 | 1 << 6},
	{"another copy of a piece of a head is no body",
	 {{0, -1, NONE, SYN("")},
	  {1, -1, 0, ANSWER("")},
	  {0, 0, 0, S("GET / HTTP/1.0\r\nA: b")},
	  {0, 16, 0, S("zz: ")}},
	 1 << 7},
	{"another copy of the end of a head and a body",
	 {{0, -1, NONE, SYN("")},
	  {1, -1, 0, ANSWER("")},
	  {0, 0, 0, S("POST / HTTP/1.0\r\nContent-Length: 6\r\nA: b")},
	  {0, 34, 0, S("\n\r\nzz")},
	  {0, 40, 0, S("\r\n\r\nabcdef")}},
	 1 << 4 | 1 << 7},
};

static void test_segments(void **state)
{
	struct ruleset *rs = kit_ruleset(rules, 1, NULL);

	for (size_t i = 0; i < KIT_N(cases); i++) {
		struct pipeline_conf conf = kit_conf();
		uint32_t sids = 0;
		struct kit k;

		kit_init(&k, &conf, rs);
		for (int n = 0; n < SEGS && cases[i].segs[n].flags != 0; n++) {
			const struct segment *s = &cases[i].segs[n];
			const struct pktgen_seg seg = {
				.dir = s->dir,
				.flags = s->flags,
				.window = 65535,
				.seq = ISN + 1 + (uint32_t)s->at,
				.ack = s->ack == NONE ? 0 : ISN + 1 + (uint32_t)s->ack,
				.data = s->data,
			};

			kit_feed(&k, &seg, 1, 1);
		}
		kit_flush(&k);
		for (uint32_t n = 0; n < k.n_hits; n++)
			sids |= 1u << k.hits[n].sid;
		if (sids != cases[i].sids)
			fail_msg("%s: rules %#x, expected %#x", cases[i].name, sids, cases[i].sids);
		kit_done(&k);
	}
	ruleset_free(rs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_segments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

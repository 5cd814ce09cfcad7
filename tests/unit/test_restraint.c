// SPDX-License-Identifier: BSD-2-Clause
// What was let go is let go: whatever comes afterwards, in order or not, damaged, with a FIN, urgent or reset, no byte of it is copied
// into memory of the pipeline, and nothing is held for it. Each way in which a flow can be released, then segments full of a
// word that is looked for in all of that memory.
#include <string.h>

#include "tests/unit/pipekit.h"

enum {
	SAYS = 6,
	SEGMENTS = 400,
	MOST = 1400,
	URG = 0x20,
};

#define WORD   "let-go-unread/"
#define TLS    "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
#define AGREED "HTTP/1.1 101 Switching Protocols\r\nUpgrade: "
#define ASKS   "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: "

struct say {
	uint8_t dir;
	const char *text;
	size_t len;
};

#define SAY(dir, text)                                                                             \
	{                                                                                          \
		dir, text, sizeof(text) - 1                                                        \
	}

static const struct {
	const char *name;
	struct say say[SAYS];
	enum counter counts; // what it was let go as
} ways[] = {
	{"TLS", {SAY(0, TLS)}, CNT_APP_TLS_FLOWS},
	{"TLS, the server first", {SAY(1, TLS)}, CNT_APP_TLS_FLOWS},
	{"SSH", {SAY(1, "SSH-2.0-OpenSSH_9.2\r\n")}, CNT_APP_SSH_FLOWS},
	{"neither", {SAY(0, "\0\1\2"), SAY(1, "\0\1\2")}, CNT_APP_OPAQUE_FLOWS},
	{"mail",
	 {SAY(1, "220 mail.example ESMTP\r\n"), SAY(0, "STARTTLS\r\n")},
	 CNT_APP_OPAQUE_FLOWS},
	{"TLS behind CONNECT",
	 {SAY(0, "CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n"), SAY(1, "HTTP/1.1 200 OK\r\n\r\n"),
	  SAY(0, TLS)},
	 CNT_APP_TLS_FLOWS},
	{"SSH behind CONNECT",
	 {SAY(0, "CONNECT a:22 HTTP/1.1\r\nHost: a\r\n\r\n"),
	  SAY(1, "HTTP/1.1 200 OK\r\n\r\nSSH-2.0-OpenSSH_9.2\r\n")},
	 CNT_APP_SSH_FLOWS},
	{"TLS behind SOCKS 5",
	 {SAY(0, "\5\1\0"), SAY(1, "\5\0"), SAY(0, "\5\1\0\1\1\2\3\4\1\xbb"),
	  SAY(1, "\5\0\0\1\1\2\3\4\1\xbb"), SAY(0, TLS)},
	 CNT_APP_TLS_FLOWS},
	{"TLS behind SOCKS 4",
	 {SAY(0, "\4\1\1\xbb\1\2\3\4\0"), SAY(1, "\0\x5a\1\xbb\1\2\3\4"), SAY(0, TLS)},
	 CNT_APP_TLS_FLOWS},
	{"TLS behind CONNECT behind SOCKS 4",
	 {SAY(0, "\4\1\1\xbb\1\2\3\4\0"), SAY(1, "\0\x5a\1\xbb\1\2\3\4"),
	  SAY(0, "CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n"), SAY(1, "HTTP/1.1 200 OK\r\n\r\n"),
	  SAY(0, TLS)},
	 CNT_APP_TLS_FLOWS},
	{"another protocol",
	 {SAY(0, ASKS "irc\r\n\r\n"), SAY(1, AGREED "irc\r\n\r\n")},
	 CNT_APP_OPAQUE_FLOWS},
	{"TLS in a WebSocket",
	 {SAY(0, ASKS "websocket\r\n\r\n"), SAY(1, AGREED "websocket\r\n\r\n"), SAY(0, TLS)},
	 CNT_APP_OPAQUE_FLOWS},
};

static uint8_t words[MOST + sizeof(WORD)];

static void expect_nothing(struct kit *k, size_t bytes, const char *name)
{
	kit_books(k);
	assert_int_equal(pipeline_objects_in_use(k->p), 1); // the flow
	assert_int_equal(kit_count(k, CNT_TCP_OOO_HELD), 0);
	if (memmem(k->mem, bytes, WORD, sizeof(WORD) - 1) != NULL)
		fail_msg("%s: a byte of it was kept", name);
}

static void way_test(struct ruleset *rs, size_t way, uint64_t *seed)
{
	struct pipeline_conf conf = kit_conf();
	struct kit_list l = {0};
	uint64_t scanned, released;
	struct kit k;
	size_t bytes, sent = 0;

	conf.heads = conf.windows = conf.inflaters = 1;
	kit_init(&k, &conf, rs);
	bytes = pipeline_memory(&conf);
	kit_open(&l, 1000, 5000);
	for (int i = 0; i < SAYS && ways[way].say[i].text != NULL; i++)
		kit_add(&l, ways[way].say[i].dir, KIT_ACK,
			span_of(ways[way].say[i].text, ways[way].say[i].len));
	kit_feed(&k, l.v, l.n, 1);
	assert_int_equal(kit_count(&k, ways[way].counts), 1);
	expect_nothing(&k, bytes, ways[way].name);
	scanned = kit_count(&k, CNT_SCAN_BYTES);
	released = kit_count(&k, CNT_TCP_RELEASED);
	for (int i = 0; i < SEGMENTS; i++) {
		static const uint8_t odd[] = {KIT_FIN, URG, KIT_RST, 0x08};
		struct pktgen_seg s = {
			.dir = (uint8_t)kit_below(seed, 2),
			.flags = KIT_ACK,
			.window = (uint16_t)kit_rand(seed),
			.damaged = kit_below(seed, 20) == 0,
		};
		uint32_t len = kit_below(seed, 3) == 0 ? kit_below(seed, 40) : MOST;

		if (kit_below(seed, 10) == 0)
			s.flags |= odd[kit_below(seed, KIT_N(odd))];
		s.data = span_of(words + kit_below(seed, sizeof(WORD) - 1), len);
		s.seq = l.next[s.dir];
		if (kit_below(seed, 3) == 0) // repeated, or too early
			s.seq += kit_below(seed, 8 * MOST) - 4 * MOST;
		else
			l.next[s.dir] += len;
		s.ack = l.next[!s.dir];
		// Whether it is damaged is only read where it would end the flow.
		sent += s.damaged && (s.flags & (KIT_FIN | KIT_RST)) != 0 ? 0 : len;
		k.tail_bytes = kit_below(seed, 2) == 0 ? 0 : PIPELINE_TAIL_BYTES;
		kit_feed(&k, &s, 1, 1);
		if (i % 20 == 0)
			expect_nothing(&k, bytes, ways[way].name);
	}
	expect_nothing(&k, bytes, ways[way].name);
	assert_int_equal(kit_count(&k, CNT_TCP_RELEASED) - released, sent);
	assert_int_equal(kit_count(&k, CNT_SCAN_BYTES), scanned);
	kit_flush(&k);
	kit_done(&k);
	free(l.v);
}

static void test_let_go(void **state)
{
	struct ruleset *rs = kit_ruleset(
		"alert tcp any any -> any any (content:\"" WORD "\"; sid:1;)\n"
		"alert http any any -> any any (file.data; content:\"" WORD "\"; sid:2;)\n",
		1, NULL);
	uint64_t seed = 7;

	for (size_t i = 0; i < KIT_N(ways); i++)
		way_test(rs, i, &seed);
	ruleset_free(rs);
}

// The name in a ClientHello is not read: cut anywhere, with everything told that can be told, it is in no memory and in no event.
static void test_server_name(void **state)
{
	static const char name[] = "unread-name.example";
	uint8_t hello[160] = {0x16, 3, 1, 0, 155, 1, 0, 0, 151, 3, 3};
	struct ruleset *rs = kit_ruleset(
		"alert tcp any any -> any any (content:\"unread-name\"; sid:1;)\n", 1, NULL);
	const size_t at = 11 + 32 + 1 + 2 + 2 + 2 + 2 + 9; // random, session, ciphers, extensions

	memcpy(hello + at, name, sizeof(name) - 1);
	for (size_t cut = 1; cut < sizeof(hello); cut++) {
		struct pipeline_conf conf = kit_conf();
		const size_t bytes = pipeline_memory(&conf);
		struct kit_list l = {0};
		struct kit k;

		conf.event_mask = (1u << EVENT_N) - 1;
		kit_init(&k, &conf, rs);
		kit_open(&l, 1000, 5000);
		kit_add(&l, 0, KIT_ACK, span_of(hello, cut));
		kit_add(&l, 0, KIT_ACK, span_of(hello + cut, sizeof(hello) - cut));
		kit_feed(&k, l.v, l.n, 1);
		assert_int_equal(kit_count(&k, CNT_APP_TLS_FLOWS), 1);
		assert_null(memmem(k.mem, bytes, name, sizeof(name) - 1));
		kit_flush(&k);
		assert_int_equal(k.n_hits, 0);
		assert_null(memmem(k.mem, bytes, name, sizeof(name) - 1));
		assert_null(memmem(k.events, k.n_events * sizeof(struct event), name,
				   sizeof(name) - 1));
		kit_done(&k);
		free(l.v);
	}
	ruleset_free(rs);
}

// What is not TCP (QUIC travels over UDP) is not looked at, and starts no flow.
static void test_not_tcp(void **state)
{
	struct pipeline_conf conf = kit_conf();
	uint8_t quic[PKTGEN_HEAD_MAX + MOST + PIPELINE_TAIL_BYTES];
	struct pktgen_seg s = {.flags = KIT_ACK, .data = span_of(words, MOST)};
	struct frame frame = {.data = quic, .tail_bytes = 0};
	struct kit k;

	kit_init(&k, &conf, NULL);
	frame.len = frame.wire_len = (uint32_t)pktgen_frame(quic, &k.ends, &s);
	quic[14 + 9] = 17;
	pktgen_put16(quic + 14 + 10, 0);
	pktgen_put16(quic + 14 + 10, ~pktgen_sum(0, quic + 14, 20) & 0xffff);
	pktgen_put16(quic + 14 + 20 + 2, 443);
	pipeline_burst(k.p, &frame, 1, k.now_ns);
	assert_int_equal(kit_count(&k, CNT_PKT_NOT_TCP), 1);
	assert_int_equal(pipeline_objects_in_use(k.p), 0);
	assert_null(memmem(k.mem, pipeline_memory(&conf), WORD, sizeof(WORD) - 1));
	kit_done(&k);
}

// The search itself: a byte of a flow that is read is found, so that its absence means something.
static void test_search_finds(void **state)
{
	struct pipeline_conf conf = kit_conf();
	struct kit_list l = {0};
	struct kit k;

	kit_init(&k, &conf, NULL);
	kit_open(&l, 1000, 5000);
	l.next[0] += 10; // a hole before it
	kit_add(&l, 0, KIT_ACK, span_of(words, 100));
	kit_feed(&k, l.v, l.n, 1);
	assert_non_null(memmem(k.mem, pipeline_memory(&conf), WORD, sizeof(WORD) - 1));
	kit_flush(&k);
	kit_done(&k);
	free(l.v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_let_go),
		cmocka_unit_test(test_server_name),
		cmocka_unit_test(test_not_tcp),
		cmocka_unit_test(test_search_finds),
	};

	for (size_t i = 0; i < sizeof(words); i++)
		words[i] = (uint8_t)WORD[i % (sizeof(WORD) - 1)];
	return cmocka_run_group_tests(tests, NULL, NULL);
}

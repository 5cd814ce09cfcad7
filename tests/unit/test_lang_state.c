// SPDX-License-Identifier: BSD-2-Clause
// What rules say about more than bytes of one buffer: single segments, the family, what was left on the flow. Conversations of
// segments through the whole pipeline, and the hits they give, in order.
#include "tests/unit/pipekit.h"

enum {
	STEPS_MAX = 8,
	HITS_TEXT = 300,
};

#define ALERT(proto, sid, options)                                                                 \
	"alert " proto " any any -> any any (" options " sid:" #sid ";)\n"
#define HTTP(sid, options) ALERT("http", sid, options)
#define TCP(sid, options)  ALERT("tcp", sid, options)
#define GET(path)          ">GET " path " HTTP/1.1\r\nHost: h\r\n\r\n"
#define OK(body)           "<HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n" body

// A conversation: each step is a segment, ">" from the client or "<" from the server.
struct talk_case {
	const char *name, *rules;
	const char *steps[STEPS_MAX];
	const char *want; // sids in the order of the hits
};

static const struct talk_case talks[] = {
	// ---- single segments ----
	{"tcp-pkt sees one segment at a time",
	 ALERT("tcp-pkt", 1, "content:\"GET /a\";") ALERT("tcp-pkt", 2, "content:\"/a HTTP\";")
		 TCP(3, "content:\"/a HTTP\";") ALERT("tcp-pkt", 4, "content:\"HTTP\"; startswith;")
			 TCP(5, "content:\"HTTP\"; startswith;"),
	 {">GET /a", "> ", ">HTTP/1.1\r\n\r\n"},
	 "1 4 3"},
	{"dsize",
	 TCP(1, "dsize:9;") TCP(2, "dsize:<9;") TCP(3, "dsize:>9;") TCP(4, "dsize:!9;")
		 TCP(5, "dsize:8<>10;") TCP(6, "dsize:9; content:\"/a\";")
			 TCP(7, "dsize:>10; content:\"/a\";") HTTP(8, "dsize:19;"),
	 {">GET /a HT", ">TP/1.1\r\nHost: h\r\n\r\n"},
	 "6 1 5 3 4 8"},
	{"a rule on segments hits once per message",
	 TCP(1, "dsize:>0;") ALERT("tcp-pkt", 2, "content:\"x\";"),
	 {">POST / HTTP/1.1\r\nContent-Length: 6\r\n\r\n", ">x.", ">x.", ">x.", ">GET /x",
	  "> HTTP/1.1\r\n\r\n"},
	 "1 2 2 1"},
	{"flow:no_stream",
	 TCP(1, "flow:no_stream; content:\"ab\";") TCP(2, "content:\"ab\";"),
	 {">GET /a", ">b HTTP/1.1\r\n\r\n"},
	 "2"},
	{"established needs both sides, for single segments",
	 ALERT("tcp-pkt", 1, "flow:established; content:\"HTTP\";")
		 ALERT("tcp-pkt", 2, "content:\"HTTP\";"),
	 {GET("/")},
	 "1 2"},
	{"directions and no content",
	 ALERT("tcp-pkt", 1, "flow:to_client;") ALERT("tcp-pkt", 2, ""),
	 {GET("/"), OK("body")},
	 "2 1 2"},
	{"negated, relative, numbers and pcre in a segment",
	 ALERT("tcp-pkt", 1,
	       "content:!\"zzz\"; content:\"GET\"; content:\"/\"; distance:1; within:1;")
		 ALERT("tcp-pkt", 2, "content:!\"GET\";")
			 ALERT("tcp-pkt", 3, "pcre:\"/^GET \\/(\\w)\\1/\";")
				 ALERT("tcp-pkt", 4, "byte_test:1,=,0x47,0;"),
	 {GET("/aa")},
	 "1 3 4"},
	// ---- the header of a rule ----
	{"ip is what tcp is",
	 ALERT("ip", 1, "content:\"GET /\";") ALERT("ip4", 2, "content:\"GET /\";")
		 ALERT("ip6", 3, "content:\"GET /\";") ALERT("ip", 4, "") ALERT(
			 "ip", 5, "flow:to_client;") ALERT("ip", 6, "http.uri; content:\"/\";"),
	 {GET("/")},
	 "6 4 1 2"},
};

static void hits_of(const struct kit *k, char ret_text[HITS_TEXT])
{
	size_t n = 0;

	ret_text[0] = '\0';
	for (uint32_t i = 0; i < k->n_hits; i++)
		n += (size_t)snprintf(ret_text + n, HITS_TEXT - n, "%s%u", n > 0 ? " " : "",
				      k->hits[i].sid);
}

// A connection with these steps.
static void talk(struct kit *k, const char *const *steps)
{
	struct kit_list l = {0};

	kit_open(&l, 5, 6);
	for (int i = 0; i < STEPS_MAX && steps[i] != NULL; i++)
		kit_add(&l, steps[i][0] == '<', KIT_ACK,
			span_of(steps[i] + 1, strlen(steps[i] + 1)));
	kit_close(&l);
	kit_feed(k, l.v, l.n, 8);
	free(l.v);
}

static void test_talks(void **state)
{
	unsigned int failures = 0;

	for (size_t i = 0; i < KIT_N(talks); i++) {
		const struct talk_case *c = &talks[i];
		struct ruleset *rs = kit_ruleset(c->rules, 1, NULL);
		struct pipeline_conf conf = kit_conf();
		char got[HITS_TEXT];
		struct kit k;

		kit_init(&k, &conf, rs);
		talk(&k, c->steps);
		kit_flush(&k);
		hits_of(&k, got);
		if (strcmp(got, c->want) != 0) {
			print_error("%s: \"%s\" instead of \"%s\"\n", c->name, got, c->want);
			failures++;
		}
		kit_done(&k);
		ruleset_free(rs);
	}
	assert_int_equal(failures, 0);
}

// Without a handshake and an answer nothing is established.
static void test_one_way(void **state)
{
	struct ruleset *rs =
		kit_ruleset(ALERT("tcp-pkt", 1, "flow:established; content:\"HTTP\";")
				    ALERT("tcp-pkt", 2, "content:\"HTTP\";")
					    TCP(3, "flow:established; content:\"HTTP\";"),
			    1, NULL);
	struct pipeline_conf conf = kit_conf();
	struct kit_list l = {.next = {1, 1}};
	char got[HITS_TEXT];
	struct kit k;

	kit_init(&k, &conf, rs);
	kit_add(&l, 0, KIT_ACK, span_of(GET("/") + 1, strlen(GET("/") + 1)));
	kit_feed(&k, l.v, l.n, 8);
	kit_flush(&k);
	hits_of(&k, got);
	assert_string_equal(got, "2 3");
	kit_done(&k);
	free(l.v);
	ruleset_free(rs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_talks),
		cmocka_unit_test(test_one_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

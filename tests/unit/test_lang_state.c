// SPDX-License-Identifier: BSD-2-Clause
// What rules say about more than bytes of one buffer: single segments, the family, what was left on the flow. Conversations of
// segments through the whole pipeline, and the hits they give, in order.
#include "tests/unit/pipekit.h"

enum {
	STEPS_MAX = 12,
	HITS_TEXT = 300,
};

#define ALERT(proto, sid, options)                                                                 \
	"alert " proto " any any -> any any (" options " sid:" #sid ";)\n"
#define HTTP(sid, options)        ALERT("http", sid, options)
#define TCP(sid, options)         ALERT("tcp", sid, options)
#define PASS(proto, sid, options) "pass " proto " any any -> any any (" options " sid:" #sid ";)\n"
#define GET(path)                 ">GET " path " HTTP/1.1\r\nHost: h\r\n\r\n"
#define OK(body)                  "<HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n" body
#define PART(data)                "--B\r\nContent-Disposition: form-data; filename=\"f\"\r\n\r\n" data "\r\n"
#define FORM(a, b)                /* of eight bytes each */                                        \
	">POST /f HTTP/1.1\r\nContent-Type: multipart/form-data; boundary=B\r\n"                   \
	"Content-Length: 133\r\n\r\n" PART(a) PART(b) "--B--\r\n"

// A conversation: each step is a segment, ">" from the client or "<" from the server; "~N": N seconds pass; "+": another
// connection of the same client, "*": of another one, to the same server.
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
	{"established, with a handshake",
	 ALERT("tcp-pkt", 1, "flow:established; content:\"HTTP\";")
		 ALERT("tcp-pkt", 2, "content:\"HTTP\";"),
	 {GET("/")},
	 "1 2"},
	{"what a head does not have is not negated either",
	 HTTP(1, "flow:to_server; http.header_names; content:!\"User-Agent\";")
		 HTTP(2, "http.uri; content:!\"x\";") HTTP(3, "http.uri.raw; content:!\"x\";"),
	 {">GET / HTTP/1.0\r\n\r\n", OK("body"), ">CONNECT a:443 HTTP/1.1\r\nHost: h\r\n\r\n"},
	 "2 3 1 3"},
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
	// ---- files ----
	{"a rule hits once, though two files match",
	 HTTP(1, "file.data; content:\"zq1\";")
		 HTTP(2, "flowbits:set,b; file.data; content:\"zq1\";") HTTP(3, "filesize:8;"),
	 {FORM("zq1.....", "..zq1...")},
	 "1 2 3"},
	{"what one file has does not speak for the next one",
	 HTTP(1, "file.data; content:\"zq1\"; content:!\"xj2\";"),
	 {FORM("zq1..xj2", "..zq1..."), FORM("xj2.....", "zq1....."), FORM("zq1.....", "zq1..xj2"),
	  FORM("zq1.xj2.", "xj2.zq1.")},
	 "1 1 1"},
	// ---- flowbits ----
	{"whoever sets a bit in the same message comes first",
	 HTTP(1, "flowbits:isset,b; http.uri; content:\"/a\";")
		 HTTP(2, "flowbits:set,b; http.uri; content:\"/a\";")
			 HTTP(3, "flowbits:isnotset,b; http.uri; content:\"/a\";"),
	 {GET("/a")},
	 "2 1"},
	{"of those that ask, the ones that set come first, then the first",
	 HTTP(1, "flowbits:isnotset,x; http.uri; content:\"/a\";")
		 HTTP(2, "flowbits:isnotset,x; flowbits:set,x; http.uri; content:\"/a\";")
			 HTTP(3, "flowbits:isnotset,x; flowbits:set,x; http.uri; content:\"/a\";"),
	 {GET("/a")},
	 "2"},
	{"of those that only leave something behind the first in the set comes first",
	 HTTP(1, "flow:to_server; flowbits:unset,b; noalert;")
		 HTTP(2, "flowbits:set,b; noalert; http.uri; content:\"/a\";")
			 HTTP(3, "flowbits:isset,b; http.uri; content:\"/a\";"),
	 {GET("/a")},
	 "3"},
	{"a content is found with its last byte",
	 HTTP(1, "flowbits:set,b; noalert; file.data; content:\"zq1\"; content:\"xj2\";")
		 HTTP(2, "flowbits:isset,b; http.uri; content:\"/b\";"),
	 {GET("/a"), "<HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", "<zq1.xj", "<2", GET("/b"),
	  "+", GET("/a"), "<HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", "<xj2.zq", "<1",
	  GET("/b")},
	 "2 2"},
	{"toggle and unset",
	 HTTP(1, "flowbits:toggle,t; noalert; http.uri; content:\"/t\";")
		 HTTP(2, "flowbits:isset,t; http.uri; content:\"/q\";")
			 HTTP(3, "flowbits:unset,t; noalert; http.uri; content:\"/u\";"),
	 {GET("/t"), GET("/q"), GET("/t"), GET("/q"), GET("/t"), GET("/u"), GET("/q")},
	 "2"},
	{"bits are the connection's",
	 HTTP(1, "flowbits:set,b; noalert; http.uri; content:\"/s\";")
		 HTTP(2, "flowbits:isset,b; http.uri; content:\"/q\";"),
	 {GET("/s"), "+", GET("/q")},
	 ""},
	// ---- xbits ----
	{"xbits of the sender: all connections, one address, 30 seconds",
	 HTTP(1, "xbits:set,x,track ip_src; noalert; http.uri; content:\"/s\";")
		 HTTP(2, "xbits:isset,x,track ip_src; http.uri; content:\"/q\";")
			 HTTP(3, "xbits:isnotset, x , track ip_src; http.uri; content:\"/q\";"),
	 {GET("/q"), GET("/s"), "+", GET("/q"), "~29", "+", GET("/q"), "*", GET("/q"), "~9"},
	 "3 2 2 3"},
	{"they end",
	 HTTP(1, "xbits:set,x,track ip_src,expire 5; noalert; http.uri; content:\"/s\";")
		 HTTP(2, "xbits:isset,x,track ip_src,expire 9; http.uri; content:\"/q\";"),
	 {GET("/s"), "~5", GET("/q"), "~1", GET("/q")},
	 "2"},
	{"the address of one is that of the other's other side",
	 HTTP(1, "flow:to_server; xbits:set,x,track ip_dst; noalert; http.uri; content:\"/s\";")
		 HTTP(2, "flow:to_client; xbits:isset,x,track ip_src; http.stat_code; "
			 "content:\"200\";") HTTP(3, "flow:to_client; xbits:isset,x,track ip_dst; "
						     "http.stat_code; content:\"200\";"),
	 {GET("/s"), OK("body"), "*", GET("/"), OK("body")},
	 "2 2"},
	{"pairs, in either order; unset, toggle",
	 HTTP(1, "xbits:set,x,track ip_pair; noalert; http.uri; content:\"/s\";") HTTP(
		 2, "flow:to_client; xbits:isset,x,track ip_pair; http.stat_code; content:\"200\";")
		 HTTP(3, "xbits:unset,x,track ip_pair; noalert; http.uri; content:\"/u\";") HTTP(
			 4, "xbits:toggle,x,track ip_pair; noalert; http.uri; content:\"/t\";"),
	 {GET("/s"), OK("body"), GET("/u"), OK("body"), GET("/t"), OK("body"), GET("/t"),
	  OK("body"), GET("/s"), "*", GET("/"), OK("body")},
	 "2 2"},
	{"a bit of an address is not one of a pair, nor is a flowbit of that name",
	 HTTP(1, "xbits:set,x,track ip_src; flowbits:set,y; noalert; http.uri; content:\"/s\";")
		 HTTP(2, "xbits:isset,x,track ip_pair; http.uri; content:\"/q\";")
			 HTTP(3, "flowbits:isset,x; http.uri; content:\"/q\";")
				 HTTP(4, "xbits:isset,y,track ip_src; http.uri; content:\"/q\";"),
	 {GET("/s"), GET("/q")},
	 ""},
	// ---- flowint ----
	{"counting",
	 HTTP(1, "flowint:n,+,1; noalert; http.uri; content:\"/a\";")
		 HTTP(2, "flowint:n,==,3; http.uri; content:\"/a\";")
			 HTTP(3, "flowint:n,>,1; http.uri; content:\"/q\";")
				 HTTP(4, "flowint:n,isset; http.uri; content:\"/q\";")
					 HTTP(5, "flowint:n,isnotset; http.uri; content:\"/q\";"),
	 {GET("/q"), GET("/a"), GET("/q"), GET("/a"), GET("/q"), GET("/a"), GET("/a")},
	 "5 4 3 4 2"},
	{"set, subtract, other numbers",
	 HTTP(1, "flowint:n,=,10; flowint:m,=,4; noalert; http.uri; content:\"/a\";") HTTP(
		 2, "flowint:n,-,m; noalert; http.uri; content:\"/b\";")
		 HTTP(3, "flowint:n,==,6; http.uri; content:\"/q\";") HTTP(
			 4, "flowint:n,!=,m; http.uri; content:\"/q\";")
			 HTTP(5, "flowint:n,<=,none; http.uri; content:\"/q\";") HTTP(
				 6, "flowint:none,-,1; flowint:none2,+,none; noalert; http.uri; "
				    "content:\"/b\";")
				 HTTP(7, "flowint:none,isset; http.uri; content:\"/q\";") HTTP(
					 8, "flowint:m,<,5; flowint:m,>=,4; "
					    "flowint:n,<,4294967295; http.uri; content:\"/q\";"),
	 {GET("/a"), GET("/b"), GET("/q")},
	 "3 4 8"},
	{"a flowint and a flowbit of one name are two things",
	 HTTP(1, "flowint:n,=,1; noalert; http.uri; content:\"/a\";")
		 HTTP(2, "flowbits:isset,n; http.uri; content:\"/a\";"),
	 {GET("/a")},
	 ""},
	// ---- stream_size ----
	{"stream_size counts as sequence numbers do",
	 HTTP(1, "stream_size:client,=,29; http.uri; content:\"/a\";")
		 HTTP(2, "stream_size:client,>,29; http.uri; content:\"/a\";")
			 HTTP(3, "stream_size:server,<,2; http.uri; content:\"/a\";")
				 HTTP(4, "stream_size:both,>,1; http.uri; content:\"/a\";") HTTP(
					 5, "stream_size:either,>=,29; http.uri; content:\"/a\";")
					 HTTP(6, "flow:to_client; stream_size:both,>,28; "
						 "http.stat_code; content:\"200\";"),
	 {GET("/a"), OK("body")},
	 "1 3 5 6"},
	// ---- events ----
	{"odd heads",
	 HTTP(1, "app-layer-event:http.missing_host_header;") HTTP(
		 2, "app-layer-event:http.invalid_transfer_encoding_value_in_request;")
		 HTTP(3, "app-layer-event:http.duplicate_content_length_field_in_request;") HTTP(
			 4, "app-layer-event:http.invalid_content_length_field_in_response;")
			 HTTP(5, "app-layer-event:http.host_header_ambiguous; content:\"GET\";")
				 HTTP(6, "app-layer-event:http.request_field_missing_colon;"),
	 {">GET /1 HTTP/1.1\r\n\r\n",
	  ">GET /2 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n", "+",
	  ">GET http://a:80/ HTTP/1.1\r\nHost: A\r\n\r\n",
	  ">GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n",
	  ">GET / HTTP/1.1\r\nHost: h\r\nnocolon\r\n\r\n", GET("/"),
	  "<HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"},
	 "1 2 5 6 4"},
	// ---- pass ----
	{"a pass rule silences its segment, wherever it stands, and all that follows",
	 HTTP(1, "http.uri; content:\"/\";") "pass http any any -> any any (http.uri; "
					     "content:\"/p\"; sid:2;)\n" TCP(3, "content:\"GET\";"),
	 {GET("/a"), GET("/p"), OK("body"), GET("/a"), "+", GET("/a")},
	 "1 3 1 3"},
	{"of all messages that are in the segment",
	 HTTP(1, "http.uri; content:\"/\";") HTTP(2, "file.data; content:\"x\";")
		 PASS("http", 3, "http.uri; content:\"/p\";"),
	 {">GET /a HTTP/1.1\r\n\r\nGET /p HTTP/1.1\r\n\r\n", OK("xxxx"), "+", GET("/a"), GET("/b"),
	  ">POST /c HTTP/1.1\r\nContent-Length: 2\r\n\r\n.x", GET("/p")},
	 "1 1 1 2"},
	{"on single segments: the segment, not its flow",
	 HTTP(1, "http.uri; content:\"/\";") ALERT("tcp-pkt", 2, "content:\"x\";")
		 PASS("tcp-pkt", 3, "content:\"quiet\";"),
	 {GET("/quiet"), ">POST /b HTTP/1.1\r\nContent-Length: 23\r\n\r\n", ">.x.quiet",
	  ">quiet.x.", ">...x..x"},
	 "1 2"},
	{"in the raw bytes of the same segment",
	 HTTP(1, "http.uri; content:\"/\";") "pass tcp any any -> any any (content:\"PASS\"; "
					     "sid:2;)\n" TCP(3, "content:\"/a\";"),
	 {">GET /a HTTP/1.1\r\nHost: PASS\r\n\r\n"},
	 ""},
	{"a head in two segments: what is raw waits for it",
	 TCP(1, "content:\"/a\";") "pass http any any -> any any (http.host; content:\"pass\"; "
				   "sid:2;)\n",
	 {">GET /a HTTP/1.1\r\n", ">Host: pass\r\n\r\n", "+", ">GET /a HTTP/1.1\r\n",
	  ">Host: other\r\n\r\n"},
	 "1"},
	{"pass by address only, and with flowbits",
	 HTTP(1, "http.uri; content:\"/a\";") HTTP(
		 2, "flowbits:set,b; http.uri; content:\"/b\";") "pass ip 192.0.2.11 any -> any "
								 "any (sid:3;)\n"
								 "pass http any any -> any any "
								 "(flowbits:isset,b; http.uri; "
								 "content:\"/c\"; sid:4;)\n",
	 {GET("/a"), GET("/c"), GET("/b"), GET("/a"), GET("/c"), GET("/a"), "*", GET("/a")},
	 "1 2 1"},
	{"drop and reject alert",
	 "drop http any any -> any any (http.uri; content:\"/a\"; sid:1;)\n"
	 "reject http any any -> any any (http.uri; content:\"/a\"; sid:2;)\n",
	 {GET("/a")},
	 "1 2"},
};

// The bytes of a step.
static struct span step_data(const char *step)
{
	return span_of(step + 1, strlen(step + 1));
}

static void hits_of(const struct kit *k, char ret_text[HITS_TEXT])
{
	size_t n = 0;

	ret_text[0] = '\0';
	for (uint32_t i = 0; i < k->n_hits; i++)
		n += (size_t)snprintf(ret_text + n, HITS_TEXT - n, "%s%u", n > 0 ? " " : "",
				      k->hits[i].sid);
}

static void talk(struct kit *k, const char *const *steps)
{
	struct kit_list l = {0};

	kit_open(&l, 5, 6);
	for (int i = 0; i < STEPS_MAX && steps[i] != NULL; i++) {
		const char *s = steps[i] + 1;

		if (steps[i][0] == '>' || steps[i][0] == '<') {
			kit_add(&l, steps[i][0] == '<', KIT_ACK, span_of(s, strlen(s)));
			continue;
		}
		if (steps[i][0] != '~')
			kit_close(&l);
		kit_feed(k, l.v, l.n, 1);
		l.n = 0;
		k->now_ns += strtoull(s, NULL, 10) * 1000000000u;
		if (steps[i][0] == '~')
			continue;
		k->ends.port[0]++;
		k->ends.addr[0][15] += steps[i][0] == '*';
		kit_open(&l, 5, 6);
	}
	kit_close(&l);
	kit_feed(k, l.v, l.n, 1);
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

// The first packet of a flow is established for nothing that looks at it alone.
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
	kit_add(&l, 0, KIT_ACK, step_data(GET("/")));
	kit_feed(&k, l.v, l.n, 8);
	kit_flush(&k);
	hits_of(&k, got);
	assert_string_equal(got, "2 3");
	kit_done(&k);
	// What goes on is.
	kit_init(&k, &conf, rs);
	kit_add(&l, 0, KIT_ACK, step_data(GET("/2")));
	kit_feed(&k, l.v, l.n, 8);
	kit_flush(&k);
	hits_of(&k, got);
	assert_string_equal(got, "2 3 1 2 3");
	kit_done(&k);
	free(l.v);
	ruleset_free(rs);
}

// Bits and numbers outlive the rule set under which they were made, whatever else it holds.
static void test_reload(void **state)
{
	static const char before[] =
		HTTP(1, "flowbits:set,kept; flowint:n,+,2; noalert; http.uri; content:\"/s\";")
			HTTP(2, "xbits:set,x,track ip_src; noalert; http.uri; content:\"/s\";");
	static const char after[] = HTTP(1,
					 "flowbits:set,another; noalert; http.uri; content:\"/q\";")
		HTTP(2, "flowbits:isset,another2; http.uri; content:\"/q\";")
			HTTP(3, "flowbits:isset,kept; http.uri; content:\"/q\";")
				HTTP(4, "flowint:n,==,2; http.uri; content:\"/q\";") HTTP(
					5, "xbits:isset,x,track ip_src; http.uri; content:\"/q\";");
	struct ruleset *rs[2] = {kit_ruleset(before, 1, NULL), kit_ruleset(after, 2, NULL)};
	struct pipeline_conf conf = kit_conf();
	struct kit_list l = {0};
	char got[HITS_TEXT];
	struct kit k;

	kit_init(&k, &conf, rs[0]);
	kit_open(&l, 5, 6);
	kit_add(&l, 0, KIT_ACK, step_data(GET("/s")));
	kit_feed(&k, l.v, l.n, 1);
	pipeline_set_ruleset(k.p, rs[1]);
	l.n = 0;
	kit_add(&l, 0, KIT_ACK, step_data(GET("/q")));
	kit_close(&l);
	kit_feed(&k, l.v, l.n, 1);
	kit_flush(&k);
	hits_of(&k, got);
	assert_string_equal(got, "3 4 5");
	kit_done(&k);
	free(l.v);
	ruleset_free(rs[0]);
	ruleset_free(rs[1]);
}

// A connection holds FLOWVARS_MAX of them; what does not fit is counted and not there.
static void test_many_bits(void **state)
{
	char *rules = calloc(1, 100 * 200), *end = rules;
	struct pipeline_conf conf = kit_conf();
	struct ruleset *rs;
	char got[HITS_TEXT];
	struct kit k;

	assert_non_null(rules);
	for (int i = 0; i < 70; i++)
		end += sprintf(
			end,
			"alert http any any -> any any (flowbits:set,bit%d; noalert; http.uri; "
			"content:\"/\"; sid:%d;)\n",
			i, 1000 + i);
	strcpy(end, HTTP(1, "flowbits:isset,bit0; http.uri; content:\"/q\";")
			    HTTP(2, "flowbits:isset,bit63; http.uri; content:\"/q\";")
				    HTTP(3, "flowbits:isset,bit64; http.uri; content:\"/q\";"));
	rs = kit_ruleset(rules, 1, NULL);
	kit_init(&k, &conf, rs);
	talk(&k, (const char *const[STEPS_MAX]){GET("/q")});
	kit_flush(&k);
	hits_of(&k, got);
	assert_string_equal(got, "1 2");
	assert_int_equal(kit_count(&k, CNT_FLOWVARS_FULL), 6);
	kit_done(&k);
	ruleset_free(rs);
	free(rules);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_talks),
		cmocka_unit_test(test_one_way),
		cmocka_unit_test(test_reload),
		cmocka_unit_test(test_many_bits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

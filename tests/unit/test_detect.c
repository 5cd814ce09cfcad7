// SPDX-License-Identifier: BSD-2-Clause
// What a rule means, through the whole pipeline: expectations written by hand, each at every split of its message.
#include "tests/unit/pipekit.h"

enum {
	TEXT_MAX = 4000,
};

// Bodies become POST messages with a Content-Length; full texts are taken as they are.
struct detect_case {
	const char *name;
	const char *rules;
	const char *request_body, *response_body;
	const char *request, *response;
	const char *want; // "sid:dir:tx" in the order of sid, dir, tx
};

// Rules on the request body, numbered by their place.
#define BODY(n, options)                                                                           \
	"alert http any any -> any any (http.request_body; " options " sid:" #n ";)\n"
#define HTTP(n, options) "alert http any any -> any any (" options " sid:" #n ";)\n"
#define FROM(n, header)  "alert http " header " (file.data; content:\"x\"; sid:" #n ";)\n"

static const struct detect_case cases[] = {
	{"a content hits once, however often it occurs", BODY(1, "content:\"ab\";"), "ab ab ab",
	 .want = "1:0:0"},
	{"case", BODY(1, "content:\"aB\"; nocase;") BODY(2, "content:\"aB\";"), "xxAbxx",
	 .want = "1:0:0"},
	{"case of one of two that are otherwise equal",
	 BODY(1, "content:\"AB\"; nocase;") BODY(2, "content:\"AB\";")
		 BODY(3, "content:\"ab\"; nocase;"),
	 "xabx", .want = "1:0:0 3:0:0"},
	{"bytes that mean something in an expression",
	 BODY(1, "content:\"(.*)|5b|a-z|5d|+?$^|7c||5c|\";"), "--(.*)[a-z]+?$^|\\--",
	 .want = "1:0:0"},
	{"a dot is a dot", BODY(1, "content:\"a.c\";"), "abc", .want = ""},
	{"offset", BODY(1, "content:\"ab\"; offset:3;") BODY(2, "content:\"ab\"; offset:4;"),
	 "...ab", .want = "1:0:0"},
	{"offset, a later one", BODY(1, "content:\"ab\"; offset:4;"), "...ab..ab", .want = "1:0:0"},
	{"depth", BODY(1, "content:\"ab\"; depth:4;") BODY(2, "content:\"ab\"; depth:3;"), "..ab",
	 .want = "1:0:0"},
	{"depth counts from offset",
	 BODY(1, "content:\"ab\"; offset:2; depth:3;")
		 BODY(2, "content:\"ab\"; offset:1; depth:3;"),
	 "...ab", .want = "1:0:0"},
	{"startswith", BODY(1, "content:\"ab\"; startswith;") BODY(2, "content:\"b\"; startswith;"),
	 "abb", .want = "1:0:0"},
	{"endswith", BODY(1, "content:\"ab\"; endswith;") BODY(2, "content:\"a\"; endswith;"),
	 "ab.aab", .want = "1:0:0"},
	{"the whole body", BODY(1, "content:\"ab\"; startswith; endswith;"), "ab", .want = "1:0:0"},
	{"more than the whole body", BODY(1, "content:\"ab\"; startswith; endswith;"), "abab",
	 .want = ""},
	{"endswith does not take a line end for the end", BODY(1, "content:\"ab\"; endswith;"),
	 "ab\n", .want = ""},
	{"distance",
	 BODY(1, "content:\"ab\"; content:\"cd\"; distance:2;")
		 BODY(2, "content:\"ab\"; content:\"cd\"; distance:3;"),
	 "ab..cd", .want = "1:0:0"},
	{"within",
	 BODY(1, "content:\"ab\"; content:\"cd\"; within:4;")
		 BODY(2, "content:\"ab\"; content:\"cd\"; within:3;"),
	 "ab..cd", .want = "1:0:0"},
	{"within counts from distance",
	 BODY(1, "content:\"ab\"; content:\"cd\"; distance:1; within:3;")
		 BODY(2, "content:\"ab\"; content:\"cd\"; distance:1; within:2;"),
	 "ab..cd", .want = "1:0:0"},
	{"relative means behind",
	 BODY(1, "content:\"ab\"; content:\"cd\"; distance:0;")
		 BODY(2, "content:\"ab\"; content:\"cd\";"),
	 "cdab", .want = "2:0:0"},
	{"relative may not overlap", BODY(1, "content:\"aba\"; content:\"ab\"; distance:0;"),
	 "abab", .want = ""},
	{"a later start of a chain",
	 BODY(1, "content:\"ab\"; content:\"cd\"; distance:1; within:2;"), "ab....ab.cd",
	 .want = "1:0:0"},
	{"a later middle of a chain",
	 BODY(1,
	      "content:\"ab\"; content:\"x\"; distance:0; content:\"cd\"; distance:0; within:2;"),
	 "abx.x.xcd", .want = "1:0:0"},
	{"two chains",
	 BODY(1, "content:\"ab\"; content:\"cd\"; distance:0; within:2; content:\"ef\"; "
		 "content:\"gh\"; distance:0; within:2;"),
	 "efgh..abcd", .want = "1:0:0"},
	{"half of the second chain",
	 BODY(1, "content:\"ab\"; content:\"cd\"; distance:0; within:2; content:\"ef\"; "
		 "content:\"gh\"; distance:0; within:2;"),
	 "ef.gh..abcd", .want = ""},
	{"a chain that begins at an offset",
	 BODY(1, "content:\"ab\"; offset:2; content:\"cd\"; distance:0; within:2;"), "abcdabcd",
	 .want = "1:0:0"},
	{"a chain that begins before the offset",
	 BODY(1, "content:\"ab\"; offset:5; content:\"cd\"; distance:0; within:2;"), "abcdabcd",
	 .want = ""},
	{"negated", BODY(1, "content:\"ab\"; content:!\"no\";"), "ab", .want = "1:0:0"},
	{"negated, before", BODY(1, "content:\"ab\"; content:!\"no\";"), "no ab", .want = ""},
	{"negated, behind", BODY(1, "content:\"ab\"; content:!\"no\";"), "ab no", .want = ""},
	{"negated, elsewhere", BODY(1, "content:\"ab\"; content:!\"no\"; offset:4;"), "noab",
	 .want = "1:0:0"},
	{"nothing but negated, with a head",
	 HTTP(1, "http.method; content:\"POST\"; http.request_body; content:!\"no\";"), "yes",
	 .want = "1:0:0"},
	{"nothing but negated, without a body",
	 HTTP(1, "http.uri; content:\"/\"; http.request_body; content:!\"no\";"),
	 .request = "GET / HTTP/1.1\r\n\r\n", .want = ""},
	{"negated in a chain of the head",
	 HTTP(1, "http.uri; content:\"/a\"; content:!\"/b\"; within:2;")
		 HTTP(2, "http.uri; content:\"/a\"; content:!\"/c\"; within:2;"),
	 .request = "GET /a/b/c HTTP/1.1\r\n\r\n", .want = "2:0:0"},
	{"negated in a chain of the head, a later start",
	 HTTP(1, "http.uri; content:\"/a\"; content:!\"/b\"; within:2;"),
	 .request = "GET /a/b/a/c HTTP/1.1\r\n\r\n", .want = "1:0:0"},
	{"head: positions",
	 HTTP(1, "http.uri; content:\"b\"; offset:2; depth:1;") HTTP(
		 2, "http.uri; content:\"b\"; depth:2;") HTTP(3,
							      "http.uri; content:\"ab\"; endswith;")
		 HTTP(4,
		      "http.uri; content:\"/\"; startswith; content:\"b\"; distance:1; within:1;")
			 HTTP(5, "http.uri; content:\"b\"; content:\"a\"; distance:-2; within:2;"),
	 .request = "GET /ab HTTP/1.1\r\n\r\n", .want = "1:0:0 3:0:0 4:0:0 5:0:0"},
	{"head: pcre",
	 HTTP(1, "http.uri; pcre:\"/^\\/a+b$/\";") HTTP(2,
							"http.uri; content:\"/a\"; pcre:\"/^b/R\";")
		 HTTP(3, "http.uri; content:\"/\"; pcre:!\"/[0-9]/\";")
			 HTTP(4, "http.uri; pcre:\"/A/\";") HTTP(5, "http.uri; pcre:\"/A/i\";"),
	 .request = "GET /aab HTTP/1.1\r\n\r\n", .want = "1:0:0 3:0:0 5:0:0"},
	{"pcre in a body",
	 BODY(1, "content:\"k=\"; pcre:\"/k=[0-9]+,/\";")
		 BODY(2, "content:\"k=\"; pcre:\"/^[0-9]+x/R\";") BODY(3, "pcre:\"/^k/\";")
			 BODY(4, "pcre:\"/[0-9]x$/\";"),
	 "k=1 k=23x", .want = "2:0:0 3:0:0 4:0:0"},
	{"all conditions of one message",
	 HTTP(1, "http.method; content:\"POST\"; http.request_body; content:\"x\";")
		 HTTP(2, "http.method; content:\"PUT\"; http.request_body; content:\"x\";")
			 HTTP(3, "http.header; content:\"Host\"; http.uri; content:\"/p\"; "
				 "http.request_body; content:\"y\";"),
	 "x", .want = "1:0:0"},
	{"body buffers are the same bytes",
	 HTTP(1, "file.data; content:\"x\";") HTTP(2, "http.request_body; content:\"x\";")
		 HTTP(3, "http.response_body; content:\"x\";")
			 HTTP(4, "flow:to_server; file.data; content:\"x\";")
				 HTTP(5, "flow:to_client; file.data; content:\"x\";"),
	 "x", "x", .want = "1:0:0 1:1:0 2:0:0 3:1:0 4:0:0 5:1:0"},
	{"raw is head and body",
	 HTTP(1, "content:\"POST\"; startswith; content:\"|0d 0a 0d 0a|xyz\"; endswith;"), "xyz",
	 .want = "1:0:0"},
	{"a head and its body are no text",
	 BODY(1, "content:\"|0a|x\";") BODY(2, "content:\"Host\";"), "x", .want = ""},
	{"one message is not the other",
	 HTTP(1, "file.data; content:\"a\"; content:\"b\";") HTTP(2, "content:\"aHTTP\";"), "a",
	 "b", .want = ""},
	{"buffers of the head",
	 HTTP(1, "http.host; content:\"h.example\"; startswith; endswith;") HTTP(
		 2, "http.user_agent; content:\"ua\"; startswith; endswith;")
		 HTTP(3, "http.cookie; content:\"c=1\"; startswith; endswith;") HTTP(
			 4, "http.header; content:\"Cookie\";")
			 HTTP(5, "http.header; content:\"User-Agent: ua|0d 0a|\";") HTTP(
				 6, "http.uri.raw; content:\"/%61\"; endswith;")
				 HTTP(7, "http.uri; content:\"/a\"; startswith; endswith;") HTTP(
					 8, "http.method; content:\"GET\"; startswith; endswith;"),
	 .request =
		 "GET /%61 HTTP/1.1\r\nHost: H.Example:80\r\nUser-Agent: ua\r\nCookie: c=1\r\n\r\n",
	 .want = "1:0:0 2:0:0 3:0:0 5:0:0 6:0:0 7:0:0 8:0:0"},
	{"response head",
	 HTTP(1, "http.stat_code; content:\"404\";") HTTP(2, "http.header; content:\"Server: s\";")
		 HTTP(3, "http.cookie; content:\"c=1\";")
			 HTTP(4, "http.stat_code; content:\"200\";"),
	 .request = "GET / HTTP/1.1\r\n\r\n",
	 .response = "HTTP/1.1 404 No\r\nServer: s\r\nSet-Cookie: c=1\r\nContent-Length: 0\r\n\r\n",
	 .want = "1:1:0 2:1:0 3:1:0"},
	{"one hit per transaction",
	 HTTP(1, "http.request_body; content:\"x\";") HTTP(2, "http.uri; content:\"/p\";"),
	 .request = "POST /p HTTP/1.1\r\nContent-Length: 2\r\n\r\nxxPOST /p "
		    "HTTP/1.1\r\nContent-Length: 1\r\n\r\nyPOST /p HTTP/1.1\r\nContent-Length: "
		    "1\r\n\r\nx",
	 .want = "1:0:0 1:0:2 2:0:0 2:0:1 2:0:2"},
	{"addresses, as the sender of the message sees them",
	 FROM(1, "192.0.2.10 any -> 198.51.100.20 any") FROM(
		 2, "198.51.100.0/24 any -> 192.0.2.0/24 any") FROM(3, "192.0.2.11 any -> any any")
		 FROM(4, "!192.0.2.0/24 any -> any any") FROM(5, "any any -> !198.51.100.20 any")
			 FROM(6, "192.0.2.10 any <> 198.51.100.20 any")
				 FROM(7, "198.51.100.20 any <> 192.0.2.10 any")
					 FROM(8, "[192.0.2.0/24,!192.0.2.10] any -> any any")
						 FROM(9, "2001:db8::/32 any -> any any") FROM(
							 10, "192.0.2.8/30 any -> any any")
							 FROM(11, "192.0.2.12/30 any -> any any"),
	 "x", "x", .want = "1:0:0 2:1:0 4:1:0 5:1:0 6:0:0 6:1:0 7:0:0 7:1:0 10:0:0"},
	{"ports",
	 FROM(1, "any 40000 -> any 80") FROM(2, "any 80 -> any 40000") FROM(3, "any !80 -> any any")
		 FROM(4, "any any -> any [79,81:90]") FROM(5, "any 1024: -> any :1023")
			 FROM(6, "any 80 <> any 40000") FROM(7, "any any -> any [1:100,!80]"),
	 "x", "x", .want = "1:0:0 2:1:0 3:0:0 5:0:0 6:0:0 6:1:0"},
};

struct msg {
	char text[TEXT_MAX];
	size_t len;
};

static void msg_make(struct msg *m, const char *text, const char *body, const char *first_line)
{
	m->len = 0;
	if (text != NULL)
		m->len = (size_t)snprintf(m->text, sizeof(m->text), "%s", text);
	else if (body != NULL)
		m->len = (size_t)snprintf(m->text, sizeof(m->text),
					  "%s\r\nHost: h\r\nContent-Length: %zu\r\n\r\n%s",
					  first_line, strlen(body), body);
	assert_true(m->len < sizeof(m->text));
}

static int hit_cmp(const void *va, const void *vb)
{
	const struct hit *a = va, *b = vb;

	if (a->sid != b->sid)
		return a->sid < b->sid ? -1 : 1;
	if (a->addr.dir != b->addr.dir)
		return a->addr.dir - b->addr.dir;
	return a->tx_id < b->tx_id ? -1 : a->tx_id > b->tx_id;
}

// Hits of one connection, each direction cut in two.
static void hits_at(struct kit *k, const struct msg m[2], size_t cut, char *ret_text, size_t size)
{
	struct kit_list l = {0};
	size_t n = 0;

	kit_open(&l, 5, 6);
	for (uint8_t d = 0; d < 2; d++) {
		struct span all = span_of(m[d].text, m[d].len);

		kit_data(&l, d, span_first(all, cut), TEXT_MAX, NULL);
		kit_data(&l, d, span_from(all, cut), TEXT_MAX, NULL);
	}
	kit_feed(k, l.v, l.n, 3);
	kit_flush(k);
	qsort(k->hits, k->n_hits, sizeof(struct hit), hit_cmp);
	ret_text[0] = '\0';
	for (uint32_t i = 0; i < k->n_hits && n < size; i++)
		n += (size_t)snprintf(ret_text + n, size - n, "%s%u:%u:%u", i > 0 ? " " : "",
				      k->hits[i].sid, k->hits[i].addr.dir, k->hits[i].tx_id);
	free(l.v);
}

static void test_by_hand(void **state)
{
	unsigned int failures = 0;

	for (size_t i = 0; i < KIT_N(cases); i++) {
		const struct detect_case *c = &cases[i];
		struct ruleset *rs = kit_ruleset(c->rules, 1, NULL);
		struct pipeline_conf conf = kit_conf();
		struct msg m[2];
		size_t longest;
		char text[500];

		msg_make(&m[0], c->request, c->request_body, "POST /p HTTP/1.1");
		msg_make(&m[1], c->response, c->response_body, "HTTP/1.1 200 OK");
		longest = m[0].len > m[1].len ? m[0].len : m[1].len;
		for (size_t cut = 0; cut < longest; cut++) {
			struct kit k;

			kit_init(&k, &conf, rs);
			hits_at(&k, m, cut, text, sizeof(text));
			kit_done(&k);
			if (strcmp(text, c->want) == 0)
				continue;
			print_error("%s: cut at %zu: \"%s\" instead of \"%s\"\n", c->name, cut,
				    text, c->want);
			failures++;
			break;
		}
		ruleset_free(rs);
	}
	assert_int_equal(failures, 0);
	print_message("%zu cases at every split\n", KIT_N(cases));
}

// ---- fields of a hit ----

static void test_fields(void **state)
{
	static const char rules[] = "alert http any any -> any any (msg:\"m\"; file.data; "
				    "content:\"exact\"; gid:7; rev:3; priority:9; sid:1;)\n"
				    "alert http any any -> any any (file.data; content:\"one\"; "
				    "content:\"two\"; distance:2; within:20; sid:2;)\n"
				    "alert http any any -> any any (file.data; content:\"far\"; "
				    "content:\"end\"; sid:3;)\n"
				    "alert http any any -> any any (http.uri; content:\"/p\"; "
				    "pkt_data; content:\"raw\"; sid:4;)\n";
	static const struct {
		uint32_t sid;
		uint8_t buffer;
		const char *end; // the match ends behind this text in its buffer
	} want[] = {
		{1, BUF_FILE_DATA, "exact"},
		{2, BUF_FILE_DATA, "two"},
		{3, BUF_FILE_DATA, "end"},
		{4, BUF_RAW, "raw"},
	};
	struct ruleset *rs = kit_ruleset(rules, 77, NULL);
	struct pipeline_conf conf = kit_conf();
	struct msg m[2];
	char text[500];

	msg_make(&m[0], NULL, "0123456789 exact, one - one or more two, far away raw is the end",
		 "POST /p HTTP/1.1");
	m[1].len = 0;
	for (size_t cut = 0; cut < m[0].len; cut++) {
		const char *body = strstr(m[0].text, "\r\n\r\n") + 4;
		struct kit k;

		kit_init(&k, &conf, rs);
		hits_at(&k, m, cut, text, sizeof(text));
		assert_int_equal(k.n_hits, KIT_N(want));
		for (size_t i = 0; i < KIT_N(want); i++) {
			const struct hit *h = &k.hits[i];
			const char *from = want[i].buffer == BUF_RAW ? m[0].text : body;

			assert_int_equal(h->sid, want[i].sid);
			assert_int_equal(h->buffer, want[i].buffer);
			assert_int_equal(h->offset_bytes,
					 strstr(from, want[i].end) + strlen(want[i].end) - from);
			assert_int_equal(h->generation, 77);
			assert_int_equal(h->flags, HIT_ONEWAY & h->flags);
			assert_int_equal(h->app, APP_HTTP);
			assert_int_equal(h->addr.src_port, 40000);
			assert_int_equal(h->addr.dst_port, 80);
			assert_int_equal(h->addr.family, 4);
			assert_memory_equal(h->addr.src, kit_ends.addr[0], 16);
			assert_memory_equal(h->addr.dst, kit_ends.addr[1], 16);
		}
		assert_int_equal(k.hits[0].gid, 7);
		assert_int_equal(k.hits[0].rev, 3);
		assert_int_equal(k.hits[0].priority, 9);
		assert_int_equal(k.hits[1].gid, 1);
		assert_string_equal(image_string(ruleset_image(rs),
						 IMAGE_AT(ruleset_image(rs), struct image_rule,
							  IMAGE_RULES)[k.hits[0].rule]
							 .msg),
				    "m");
		kit_done(&k);
	}
	ruleset_free(rs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_by_hand),
		cmocka_unit_test(test_fields),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

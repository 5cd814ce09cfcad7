// SPDX-License-Identifier: BSD-2-Clause
// What a rule means, through the whole pipeline: expectations written by hand, each at every split of its message, and
// random rules against an evaluator that is as slow and obvious as can be.
#include "tests/unit/pipekit.h"

enum {
	TEXT_MAX = 4000,
};

// ---- by hand ----

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

// ---- at random ----

enum {
	R_RULES = 20,
	R_MSGS = 30,
	R_CONDS = 2,
	R_MATCHES = 3,
};

struct rmatch {
	bool negated, nocase, absolute_from, absolute_to, relative_from, relative_to, at_end;
	int offset, depth, distance, within;
	char text[16];
};

struct rcond {
	enum buffer buffer;
	int n;
	struct rmatch m[R_MATCHES];
};

struct rrule {
	int n;
	struct rcond c[R_CONDS];
};

// The message and its buffers.
struct rmsg {
	struct msg msg;
	char uri[64], header[200];
	const char *body;
};

static char letter(uint64_t *seed)
{
	return "abABab"[kit_below(seed, 6)];
}

static void rmatch_make(struct rmatch *m, const struct rmatch *before, enum buffer buffer,
			uint64_t *seed)
{
	uint32_t len = 1 + kit_below(seed, 3), pos = kit_below(seed, 6);

	memset(m, 0, sizeof(*m));
	for (uint32_t i = 0; i < len; i++)
		m->text[i] = letter(seed);
	if (buffer == BUF_URI && kit_below(seed, 3) == 0)
		strcpy(m->text, "zqxjkvbwpf"); // selective enough to hold a body back
	if (buffer == BUF_HEADER && kit_below(seed, 3) == 0)
		strcpy(m->text, kit_below(seed, 2) == 0 ? "X-Y: " : "\r\n");
	len = (uint32_t)strlen(m->text);
	m->nocase = kit_below(seed, 3) == 0;
	m->negated = kit_below(seed, 5) == 0;
	m->at_end = kit_below(seed, 8) == 0;
	if (pos == 0 || pos == 1) {
		m->absolute_from = pos == 0 || kit_below(seed, 2) == 0;
		m->absolute_to = pos == 1;
		m->offset = m->absolute_from ? (int)kit_below(seed, 8) : 0;
		m->depth = (int)(len + kit_below(seed, 6));
	} else if (pos < 5 && (before == NULL || !before->negated)) {
		m->relative_from = pos != 2;
		m->relative_to = pos != 3;
		m->distance = m->relative_from
				      ? (int)kit_below(seed, 7) - (kit_below(seed, 3) == 0 ? 3 : 0)
				      : 0;
		m->within = (int)(len + kit_below(seed, 5));
	}
}

static void rrule_make(struct rrule *r, uint64_t *seed)
{
	static const enum buffer buffers[] = {BUF_URI,       BUF_HEADER,       BUF_REQUEST_BODY,
					      BUF_FILE_DATA, BUF_REQUEST_BODY, BUF_RAW};

	r->n = 1 + (int)kit_below(seed, R_CONDS);
	for (int i = 0; i < r->n; i++) {
		struct rcond *c = &r->c[i];

		c->buffer = buffers[kit_below(seed, KIT_N(buffers))];
		c->n = 1 + (int)kit_below(seed, R_MATCHES);
		for (int j = 0; j < c->n; j++)
			rmatch_make(&c->m[j], j > 0 ? &c->m[j - 1] : NULL, c->buffer, seed);
	}
	// Two conditions on one buffer would be one.
	if (r->n == 2 &&
	    (r->c[0].buffer == r->c[1].buffer ||
	     (r->c[0].buffer != BUF_RAW && r->c[1].buffer != BUF_RAW &&
	      r->c[0].buffer >= BUF_REQUEST_BODY && r->c[1].buffer >= BUF_REQUEST_BODY)))
		r->n = 1;
}

static size_t rrule_text(const struct rrule *r, uint32_t sid, char *out, size_t size)
{
	size_t n = (size_t)snprintf(out, size, "alert http any any -> any any (flow:to_server; ");

	for (int i = 0; i < r->n; i++) {
		const struct rcond *c = &r->c[i];

		n += (size_t)snprintf(out + n, size - n, "%s; ",
				      c->buffer == BUF_RAW ? "pkt_data"
							   : buffer_info(c->buffer)->keyword);
		for (int j = 0; j < c->n; j++) {
			const struct rmatch *m = &c->m[j];

			n += (size_t)snprintf(out + n, size - n, "content:%s\"%s\"; ",
					      m->negated ? "!" : "",
					      strcmp(m->text, "\r\n") == 0    ? "|0d 0a|"
					      : strcmp(m->text, "X-Y: ") == 0 ? "X-Y|3a 20|"
									      : m->text);
			n += m->nocase ? (size_t)snprintf(out + n, size - n, "nocase; ") : 0;
			n += m->absolute_from
				     ? (size_t)snprintf(out + n, size - n, "offset:%d; ", m->offset)
				     : 0;
			n += m->absolute_to
				     ? (size_t)snprintf(out + n, size - n, "depth:%d; ", m->depth)
				     : 0;
			n += m->relative_from ? (size_t)snprintf(out + n, size - n, "distance:%d; ",
								 m->distance)
					      : 0;
			n += m->relative_to
				     ? (size_t)snprintf(out + n, size - n, "within:%d; ", m->within)
				     : 0;
			n += m->at_end ? (size_t)snprintf(out + n, size - n, "endswith; ") : 0;
		}
	}
	n += (size_t)snprintf(out + n, size - n, "sid:%u;)\n", sid);
	assert_true(n < size);
	return n;
}

// Does m stand at position at, with its positions kept?
static bool stands(const struct rmatch *m, struct span buf, long at, long behind)
{
	const long len = (long)strlen(m->text);
	struct span here = span_of(buf.data + at, (size_t)len),
		    text = span_of(m->text, (size_t)len);

	if (at + len > (long)buf.len || (m->at_end && at + len != (long)buf.len))
		return false;
	if (m->nocase ? !span_eq_nocase(here, text) : !span_eq(here, text))
		return false;
	if (m->absolute_from && at < m->offset)
		return false;
	if (m->absolute_to && at + len > m->offset + m->depth)
		return false;
	if ((m->relative_from || m->relative_to) && at < behind + m->distance)
		return false;
	return !m->relative_to || at + len <= behind + m->distance + m->within;
}

// Is there a place for every match from number i on?
static bool places(const struct rcond *c, struct span buf, int i, long behind)
{
	const struct rmatch *m = &c->m[i];

	if (i == c->n)
		return true;
	for (long at = 0; at < (long)buf.len; at++) {
		if (!stands(m, buf, at, behind))
			continue;
		if (m->negated)
			return false;
		if (places(c, buf, i + 1, at + (long)strlen(m->text)))
			return true;
	}
	return m->negated && places(c, buf, i + 1, behind);
}

static bool should_hit(const struct rrule *r, const struct rmsg *m)
{
	for (int i = 0; i < r->n; i++) {
		const char *text = r->c[i].buffer == BUF_URI      ? m->uri
				   : r->c[i].buffer == BUF_HEADER ? m->header
				   : r->c[i].buffer == BUF_RAW    ? m->msg.text
								  : m->body;
		struct span buf = span_of(text, strlen(text));

		if (buf.len == 0 || !places(&r->c[i], buf, 0, 0))
			return false;
	}
	return true;
}

// May the rule hit across the start of a message at stream + at: with contents that begin in the bytes before it?
static bool may_cross(const struct rrule *r, const char *stream, size_t at, const struct rmsg *m)
{
	const struct rcond *c = &r->c[0];
	const size_t before = at < 64 ? at : 64;

	if (r->n != 1 || c->buffer != BUF_RAW)
		return false;
	for (int i = 0; i < c->n; i++)
		if (c->m[i].negated || c->m[i].at_end || c->m[i].offset > 0 ||
		    c->m[i].absolute_to ||
		    (i > 0 && !c->m[i].relative_from && !c->m[i].relative_to))
			return false;
	return places(c, span_of(stream + at - before, before + m->msg.len), 0, 0);
}

static void rmsg_make(struct rmsg *m, uint64_t *seed)
{
	char body[64] = "", *p = m->uri;
	uint32_t n = kit_below(seed, 4) == 0 ? 0 : kit_below(seed, 14);

	*p++ = '/';
	for (uint32_t i = kit_below(seed, 8); i > 0; i--)
		*p++ = letter(seed);
	*p = '\0';
	if (kit_below(seed, 2) == 0)
		strcpy(p, "zqxjkvbwpfab");
	for (uint32_t i = 0; i < n; i++)
		body[i] = letter(seed);
	snprintf(m->header, sizeof(m->header), "X-Y: %c%c%c\r\nContent-Length: %u\r\n",
		 letter(seed), letter(seed), letter(seed), n);
	m->msg.len =
		(size_t)snprintf(m->msg.text, sizeof(m->msg.text), "%s %s HTTP/1.1\r\n%s\r\n%s",
				 n > 0 ? "POST" : "GET", m->uri, m->header, body);
	m->body = m->msg.text + m->msg.len - n;
}

// One rule set, one connection of many requests, one random cut. Returns the number of rules that loaded.
static uint32_t random_round(uint64_t *seed, uint64_t *io_hits)
{
	static struct rmsg msgs[R_MSGS];
	struct rrule rules[R_RULES];
	bool got[R_RULES][R_MSGS] = {{false}}, refused[R_RULES] = {false};
	char text[R_RULES * 700], *stream = malloc(R_MSGS * TEXT_MAX);
	struct kit_refused r = {.n = 0};
	struct pipeline_conf conf = kit_conf();
	struct kit_list l = {0};
	size_t n = 0, len = 0;
	struct ruleset *rs;
	struct kit k;

	assert_non_null(stream);
	for (uint32_t i = 0; i < R_RULES; i++) {
		rrule_make(&rules[i], seed);
		n += rrule_text(&rules[i], i + 1, text + n, sizeof(text) - n);
	}
	rs = kit_ruleset(text, 1, &r);
	for (uint32_t i = 0; i < r.n; i++)
		refused[r.sid[i] - 1] = true;
	for (uint32_t i = 0; i < R_MSGS; i++) {
		rmsg_make(&msgs[i], seed);
		memcpy(stream + len, msgs[i].msg.text, msgs[i].msg.len);
		len += msgs[i].msg.len;
	}
	kit_init(&k, &conf, rs);
	kit_open(&l, 1, 1);
	kit_data(&l, 0, span_of(stream, len), (uint32_t[]){1, 3, 9, 80, 1400}[kit_below(seed, 5)],
		 seed);
	kit_feed(&k, l.v, l.n, 16);
	kit_flush(&k);
	for (uint32_t i = 0; i < k.n_hits; i++) {
		assert_in_range(k.hits[i].sid, 1, R_RULES);
		assert_in_range(k.hits[i].tx_id, 0, R_MSGS - 1);
		assert_false(got[k.hits[i].sid - 1][k.hits[i].tx_id]);
		got[k.hits[i].sid - 1][k.hits[i].tx_id] = true;
	}
	*io_hits += k.n_hits;
	for (uint32_t i = 0; i < R_RULES; i++) {
		size_t at = 0;

		for (uint32_t j = 0; j < R_MSGS && !refused[i]; at += msgs[j++].msg.len) {
			bool want = should_hit(&rules[i], &msgs[j]);

			if (want == got[i][j] ||
			    (got[i][j] && may_cross(&rules[i], stream, at, &msgs[j])))
				continue;
			rrule_text(&rules[i], i + 1, text, sizeof(text));
			fail_msg("%s%s but %s on\n%s", text, want ? "should hit" : "should not hit",
				 got[i][j] ? "does" : "does not", msgs[j].msg.text);
		}
	}
	kit_done(&k);
	ruleset_free(rs);
	free(l.v);
	free(stream);
	return R_RULES - r.n;
}

static void test_random(void **state)
{
	const char *env = getenv("WIREGLASS_DETECT_CASES");
	const uint64_t want = env != NULL ? strtoull(env, NULL, 10) : 24000;
	uint64_t seed = 1, n = 0, hits = 0, rules = 0, seen = 0;

	while (n < want) {
		uint64_t start = seed;
		uint32_t loaded;

		// Says where to begin again if this one fails.
		if (getenv("WIREGLASS_DETECT_VERBOSE") != NULL)
			print_message("seed 0x%lx\n", (unsigned long)start);
		loaded = random_round(&seed, &hits);
		rules += loaded;
		seen += R_RULES;
		n += (uint64_t)loaded * R_MSGS;
	}
	print_message("seed 1: %lu cases, %lu hits, %lu rules of %lu loaded\n", (unsigned long)n,
		      (unsigned long)hits, (unsigned long)rules, (unsigned long)seen);
	// A test in which nothing or everything hits proves nothing.
	assert_in_range(hits * 100 / n, 5, 60);
	assert_in_range(rules * 100 / seen, 60, 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_by_hand),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: BSD-2-Clause
// Messages in, events out, wherever the bytes are cut: each input is parsed whole, per byte, cut at every place and at
// random ones, always in front of a page that cannot be read, and must say the same each time.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "dataplane/engine/http.h"
#include "tests/unit/guard.h"

#define N(a)     (sizeof(a) / sizeof((a)[0]))
#define BYTES(s) (s), sizeof(s) - 1

enum {
	GATHERS = 2,
	INPUT_MAX = 1 << 18,
	LOG_MAX = 4 * INPUT_MAX,
};
#define REQ   DIR_TO_SERVER
#define RES   DIR_TO_CLIENT
#define OTHER HTTP_ANSWERS_OTHER
#define HEAD  HTTP_ANSWERS_HEAD
#define CONN  HTTP_ANSWERS_CONNECT

// What was said, as text. brief is what the tables expect; full has every span of the heads, too.
struct log {
	char *text;
	size_t n;
};

struct run {
	struct http_half half;
	struct http_parser ps;
	struct counters counters;
	struct pool gathers;
	struct log brief, full;
	enum http_event_kind last;
	bool upgraded;
	enum dir dir;
	enum http_answers answers;
};

static struct guard guard;
static void *gather_memory;

static void log_put(struct log *l, const char *s)
{
	size_t n = strlen(s);

	assert_true(l->n + n + 1 < LOG_MAX);
	memcpy(l->text + l->n, s, n + 1);
	l->n += n;
}

static void log_bytes(struct log *l, struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		char c[8];

		if (s.data[i] == '\r' || s.data[i] == '\n')
			snprintf(c, sizeof(c), "\\%c", s.data[i] == '\r' ? 'r' : 'n');
		else if (s.data[i] < ' ' || s.data[i] > '~')
			snprintf(c, sizeof(c), "\\x%02x", s.data[i]);
		else
			snprintf(c, sizeof(c), "%c", s.data[i]);
		log_put(l, c);
	}
}

static void log_span(struct log *l, struct span inside, const char *name, struct span s)
{
	assert_true(s.len == 0 ||
		    (s.data >= inside.data && s.data + s.len <= inside.data + inside.len));
	log_put(l, name);
	log_bytes(l, s);
}

static void log_head(struct run *r, const struct http_head *h)
{
	static const char *const framing[] = {"none",    "length", "chunked", "close",
					      "upgrade", "broken", ""};
	char text[64];

	log_put(&r->brief, "HEAD ");
	log_bytes(&r->brief, r->dir == REQ ? h->method : h->status_text);
	log_put(&r->brief, " ");
	if (r->dir == REQ) {
		log_bytes(&r->brief, h->target);
		log_put(&r->brief, " ");
	}
	snprintf(text, sizeof(text), "v%u %s", h->version, framing[h->framing]);
	log_put(&r->brief, text);
	if (h->framing == HTTP_FRAMING_LENGTH) {
		snprintf(text, sizeof(text), " %llu", (unsigned long long)h->content_length);
		log_put(&r->brief, text);
	}
	if (h->other_framing != HTTP_FRAMING_N) {
		log_put(&r->brief, " or ");
		log_put(&r->brief, framing[h->other_framing]);
	}
	if (h->other_framing == HTTP_FRAMING_LENGTH) {
		snprintf(text, sizeof(text), " %llu", (unsigned long long)h->other_length);
		log_put(&r->brief, text);
	}
	assert_int_equal(h->dir, r->dir);
	log_span(&r->full, h->raw, "|HEAD ", h->raw);
	log_span(&r->full, h->raw, " method ", h->method);
	log_span(&r->full, h->raw, " target ", h->target);
	log_span(&r->full, h->raw, " status ", h->status_text);
	log_span(&r->full, h->raw, " host ", h->host);
	log_span(&r->full, h->raw, " agent ", h->user_agent);
	log_span(&r->full, h->raw, " referer ", h->referer);
	log_span(&r->full, h->raw, " type ", h->content_type);
	log_span(&r->full, h->raw, " disposition ", h->content_disposition);
	snprintf(text, sizeof(text), " %u %u %u %u %u", h->status, h->n_codings, h->codings[0],
		 h->codings[1], h->n_fields);
	log_put(&r->full, text);
	for (uint32_t i = 0; i < h->n_fields; i++) {
		log_span(&r->full, h->raw, " name ", h->fields[i].name);
		log_span(&r->full, h->raw, " value ", h->fields[i].value);
	}
}

static void log_event(struct run *r, const struct http_event *ev)
{
	static const char *const name[] = {"HEAD", "BODY ", "END", "RAW ", "UPGRADED"};
	const bool data = ev->kind == HTTP_EV_BODY || ev->kind == HTTP_EV_RAW;

	if (data && r->brief.n > 0 && r->last == ev->kind) {
		log_bytes(&r->brief, ev->data);
		return;
	}
	if (r->brief.n > 0)
		log_put(&r->brief, "|");
	r->last = ev->kind;
	if (ev->kind == HTTP_EV_HEAD) {
		log_head(r, ev->head);
		return;
	}
	log_put(&r->brief, name[ev->kind]);
	if (data)
		log_bytes(&r->brief, ev->data);
	if (ev->truncated)
		log_put(&r->brief, " truncated");
}

static void run_init(struct run *r, enum dir dir, enum http_answers answers, uint32_t gathers)
{
	memset(&r->counters, 0, sizeof(r->counters));
	pool_init(&r->gathers, gather_memory, gathers, HTTP_GATHER_BYTES);
	r->ps.gathers = &r->gathers;
	r->ps.counters = &r->counters;
	r->brief.n = r->full.n = 0;
	r->brief.text[0] = r->full.text[0] = '\0';
	r->upgraded = false;
	r->dir = dir;
	r->answers = answers;
	http_half_init(&r->half);
}

// Hand one piece over. All of it is used up, in a bounded number of events.
static void run_piece(struct run *r, const void *data, size_t len, bool fin)
{
	struct span in = span_of(guard_put(&guard, data, len, 0), len);
	struct http_event ev;
	size_t events = 0;

	if (r->upgraded)
		return;
	while (http_next(&r->half, &r->ps, r->dir, r->answers, &in, fin, &ev) == 1) {
		log_event(r, &ev);
		assert_true(++events <= 4 * len + 8);
		assert_true(r->gathers.used <= 1);
		if (ev.kind == HTTP_EV_UPGRADED) {
			r->upgraded = true;
			break;
		}
	}
	assert_int_equal(in.len, 0);
}

static void run_done(struct run *r)
{
	http_half_done(&r->half, &r->ps);
	assert_int_equal(r->gathers.used, 0);
}

static void run_new(struct run *r)
{
	r->brief.text = malloc(LOG_MAX);
	r->full.text = malloc(LOG_MAX);
	assert_true(r->brief.text != NULL && r->full.text != NULL);
}

static struct run whole, pieces;

static int setup(void **state)
{
	guard_init(&guard, INPUT_MAX);
	gather_memory = malloc((size_t)GATHERS * HTTP_GATHER_BYTES);
	assert_non_null(gather_memory);
	run_new(&whole);
	run_new(&pieces);
	return 0;
}

static int teardown(void **state)
{
	guard_done(&guard);
	free(gather_memory);
	free(whole.brief.text);
	free(whole.full.text);
	free(pieces.brief.text);
	free(pieces.full.text);
	return 0;
}

static void same(const char *input, size_t cut)
{
	if (strcmp(pieces.brief.text, whole.brief.text) != 0)
		print_error("%s\ncut at %zu: %s\n", input, cut, pieces.brief.text);
	assert_string_equal(pieces.brief.text, whole.brief.text);
	assert_string_equal(pieces.full.text, whole.full.text);
	assert_memory_equal(&pieces.counters, &whole.counters, sizeof(whole.counters));
}

struct vector {
	const char *bytes;
	size_t len;
	const char *want;
	enum http_answers answers;
};

// Pieces of `first` bytes, then of `size`; the end comes with the last piece or alone.
static void run_cut(const struct vector *v, enum dir dir, size_t first, size_t size, bool fin_alone)
{
	run_init(&pieces, dir, v->answers, GATHERS);
	for (size_t at = 0; at < v->len;) {
		size_t n = at == 0 && first > 0 ? first : size;

		if (n > v->len - at)
			n = v->len - at;
		run_piece(&pieces, v->bytes + at, n, !fin_alone && at + n == v->len);
		at += n;
	}
	if (fin_alone || v->len == 0)
		run_piece(&pieces, NULL, 0, true);
	run_done(&pieces);
	same(v->bytes, first > 0 ? first : size);
}

static void run_vectors(const struct vector *table, size_t n, enum dir dir)
{
	for (size_t i = 0; i < n; i++) {
		const struct vector *v = &table[i];

		run_init(&whole, dir, v->answers, GATHERS);
		run_piece(&whole, v->bytes, v->len, true);
		run_done(&whole);
		if (strcmp(whole.brief.text, v->want) != 0)
			print_error("%s\n%s\n", v->bytes, whole.brief.text);
		assert_string_equal(whole.brief.text, v->want);
		for (size_t size = 1; size <= 4; size++) {
			run_cut(v, dir, 0, size, false);
			run_cut(v, dir, 0, size, true);
		}
		for (size_t cut = 1; cut < v->len; cut++) {
			run_cut(v, dir, cut, v->len, false);
			run_cut(v, dir, cut, 1, true);
			run_cut(v, dir, cut, 5, true);
		}
	}
}

static const struct vector requests[] = {
	{BYTES(""), ""},
	{BYTES("\r\n\n"), ""},
	{BYTES("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), "HEAD GET / v11 none|END"},
	{BYTES("GET / HTTP/1.0\n\n"), "HEAD GET / v10 none|END"},
	{BYTES("\r\n\r\nGET / HTTP/1.1\r\nA: b\nC: d\r\n\n"), "HEAD GET / v11 none|END"},
	{BYTES("get\t/\tHTTP/1.1\r\n\r\n"), "HEAD get / v11 none|END"},
	{BYTES("GET  /a b  HTTP/1.1\r\n\r\n"), "HEAD GET /a b v11 none|END"},
	{BYTES("GET / HTTP/1.1 \r\nHost: a\r\n\r\n"), "HEAD GET / v11 none|END"},
	{BYTES("GET / HTTP/1.1\t\nHost: a\n\n"), "HEAD GET / v11 none|END"},
	{BYTES("GET / HTTP/1.x\r\n\r\n"), "HEAD GET / v11 none|END"},
	{BYTES("POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello"),
	 "HEAD POST / v11 length 5|BODY hello|END"},
	{BYTES("POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\nGET /b HTTP/1.1\r\n\r\n"),
	 "HEAD POST / v11 none|END|HEAD GET /b v11 none|END"},
	{BYTES("POST / HTTP/1.1\r\ncontent-length:  005 \t\r\n\r\nhello"),
	 "HEAD POST / v11 length 5|BODY hello|END"},
	// pipelined
	{BYTES("GET /1 HTTP/1.1\r\n\r\nPOST /2 HTTP/1.1\r\nContent-Length: 2\r\n\r\nab\r\nGET /3 "
	       "HTTP/1.1\r\n\r\n"),
	 "HEAD GET /1 v11 none|END|HEAD POST /2 v11 length 2|BODY ab|END|HEAD GET /3 v11 none|END"},
	// chunked
	{BYTES("POST / HTTP/1.1\r\nTransfer-Encoding: "
	       "chunked\r\n\r\n5\r\nhello\r\n1\r\n!\r\n0\r\n\r\nGET /b HTTP/1.1\r\n\r\n"),
	 "HEAD POST / v11 chunked|BODY hello!|END|HEAD GET /b v11 none|END"},
	{BYTES("POST / HTTP/1.1\nTransfer-Encoding: Chunked\n\n005;a=b;c=\"d\"\nhello\nA "
	       "\r\n0123456789\r\n0;x\nTrailer: y\r\nOther: z\n\n"),
	 "HEAD POST / v11 chunked|BODY hello0123456789|END"},
	{BYTES("POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
	 "HEAD POST / v11 chunked or none|END"},
	{BYTES("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n"),
	 "HEAD POST / v11 chunked|BODY zz\\r\\nhello\\r\\n|END truncated"},
	{BYTES("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabXX\r\n"),
	 "HEAD POST / v11 chunked|BODY abXX\\r\\n|END truncated"},
	{BYTES("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\rX"),
	 "HEAD POST / v11 chunked|BODY abX|END truncated"},
	{BYTES("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n\r\n0\r\n"),
	 "HEAD POST / v11 chunked|BODY ab|END truncated"},
	{BYTES("POST / HTTP/1.1\r\nTransfer-Encoding: "
	       "chunked\r\n\r\n00000000000000010\r\n0123456789abcdef\r\n0\r\n\r\n"),
	 "HEAD POST / v11 chunked|BODY 0123456789abcdef|END"},
	{BYTES("POST / HTTP/1.1\r\nTransfer-Encoding: "
	       "chunked\r\n\r\n10000000000000005\r\nhello\r\n0\r\n\r\n"),
	 "HEAD POST / v11 chunked|BODY 10000000000000005\\r\\nhello\\r\\n0\\r\\n\\r\\n|END "
	 "truncated"},
	// length and coding in disagreement
	{BYTES("POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: "
	       "chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
	 "HEAD POST / v11 chunked or length 3|BODY hello|END"},
	{BYTES("POST / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello"),
	 "HEAD POST / v11 length 5|BODY hello|END"},
	{BYTES("POST / HTTP/1.1\r\nContent-Length: 5, 5\r\n\r\nhello"),
	 "HEAD POST / v11 length 5|BODY hello|END"},
	{BYTES("POST / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 4\r\n\r\nhello"),
	 "HEAD POST / v11 length 5 or length 4|BODY hello|END"},
	{BYTES("POST / HTTP/1.1\r\nContent-Length: +5\r\n\r\nhello"),
	 "HEAD POST / v11 length 5 or none|BODY hello|END"},
	{BYTES("POST / HTTP/1.1\r\nContent-Length:\r\n\r\nhello"),
	 "HEAD POST / v11 broken or none|BODY hello|END truncated"},
	{BYTES("POST / HTTP/1.1\r\nContent-Length: \t\r\n \r\n\r\nhello"),
	 "HEAD POST / v11 broken or none|BODY hello|END truncated"},
	{BYTES("POST / HTTP/1.1\r\nTransfer-Encoding: \r\nHost: \r\n\r\n"),
	 "HEAD POST / v11 broken or none|END truncated"},
	{BYTES("POST / HTTP/1.1\r\nContent-Length: 18446744073709551621\r\n\r\nhello"),
	 "HEAD POST / v11 length 18446744073709551615 or length 5|BODY hello|END truncated"},
	{BYTES("POST / HTTP/1.1\r\nContent-Length: 5 5\r\n\r\nhello"),
	 "HEAD POST / v11 length 5 or none|BODY hello|END"},
	{BYTES("POST / HTTP/1.1\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
	 "HEAD POST / v11 chunked or none|END"},
	{BYTES("POST / HTTP/1.1\r\nTransfer-Encoding: \vchunked\r\n\r\n0\r\n\r\n"),
	 "HEAD POST / v11 chunked or none|END"},
	{BYTES("POST / HTTP/1.1\r\nTransfer-Encoding: identity\r\nContent-Length: 2\r\n\r\nab"),
	 "HEAD POST / v11 length 2|BODY ab|END"},
	// folded lines, lines that are no fields
	{BYTES("POST / HTTP/1.1\r\nContent-Length:\r\n 5\r\n\r\nhello"),
	 "HEAD POST / v11 length 5|BODY hello|END"},
	{BYTES("POST / HTTP/1.1\r\nX: a\r\n\tb\r\n  c\r\nno colon\r\n: no name\r\nContent-Length : "
	       "2\r\n\r\nab"),
	 "HEAD POST / v11 length 2 or none|BODY ab|END"},
	{BYTES("GET / HTTP/1.1\r\n Content-Length: 2\r\n\r\nab"),
	 "HEAD GET / v11 length 2 or none|BODY ab|END"},
	// one line is a whole request
	{BYTES("GET /old\r\n"), "HEAD GET /old v9 none|END"},
	{BYTES("GET /old\nget /older\nGET /new HTTP/1.1\r\n\r\n"),
	 "HEAD GET /old v9 none|END|HEAD get /older v9 none|END|HEAD GET /new v11 none|END"},
	{BYTES("GET /old \r\n"), "HEAD GET /old v9 none|END"},
	{BYTES("POST /old\r\n\r\n"), "HEAD POST /old v9 none|END"},
	// not HTTP
	{BYTES("GARBAGE\r\n\r\nmore"), "RAW GARBAGE\\r\\n\\r\\nmore"},
	{BYTES("GET \r\n\r\n"), "RAW GET \\r\\n\\r\\n"},
	{BYTES("GET / HTTP/1.1\r\n\r\n\x01\x02\r\n\r\nGET / HTTP/1.1\r\n\r\n"),
	 "HEAD GET / v11 none|END|RAW \\x01\\x02\\r\\n\\r\\n|HEAD GET / v11 none|END"},
	{BYTES("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), "HEAD PRI * v20 none|END|RAW SM\\r\\n\\r\\n"},
	// a tunnel whose set-up was not followed
	{BYTES("CONNECT h:443 HTTP/1.1\r\n\r\n\x16\x03\x01zzz"),
	 "HEAD CONNECT h:443 v11 none|END|UPGRADED"},
	{BYTES("GET / HTTP/1.1\r\n\r\nSSH-2.0-x\r\n"), "HEAD GET / v11 none|END|UPGRADED"},
	// cut off
	{BYTES("GET / HT"), "RAW GET / HT"},
	{BYTES("GET / HTTP/1.1\r\nHost: a\r\n\r"), "HEAD GET / v11 none|END truncated"},
	{BYTES("POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhell"),
	 "HEAD POST / v11 length 5|BODY hell|END truncated"},
	{BYTES("POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\n"),
	 "HEAD POST / v11 length 5|END truncated"},
	{BYTES("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"),
	 "HEAD POST / v11 chunked|END truncated"},
	{BYTES("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5;x"),
	 "HEAD POST / v11 chunked|END truncated"},
	{BYTES("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel"),
	 "HEAD POST / v11 chunked|BODY hel|END truncated"},
	{BYTES("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r"),
	 "HEAD POST / v11 chunked|BODY hello|END truncated"},
	{BYTES("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nT: x\r\n"),
	 "HEAD POST / v11 chunked|BODY hello|END truncated"},
};

static const struct vector responses[] = {
	{BYTES("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
	 "HEAD 200 v11 length 2|BODY ok|END"},
	{BYTES("HTTP/1.1 200\r\nContent-Length: 0\r\n\r\nHTTP/1.1 404 No\r\nContent-Length: "
	       "1\r\n\r\nx"),
	 "HEAD 200 v11 none|END|HEAD 404 v11 length 1|BODY x|END"},
	{BYTES("HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n2\nok\n0\n\n"),
	 "HEAD 200 v11 chunked|BODY ok|END"},
	{BYTES("HTTP/1.0 200 OK\r\n\r\nall of it\r\n\r\n"),
	 "HEAD 200 v10 close|BODY all of it\\r\\n\\r\\n|END"},
	{BYTES("HTTP/1.1 200 OK\r\n\r\n"), "HEAD 200 v11 close|END"},
	{BYTES("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 4\r\n\r\nhello"),
	 "HEAD 200 v11 length 5 or length 4|BODY hello|END"},
	{BYTES("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nhello"),
	 "HEAD 200 v11 close|BODY hello|END"},
	{BYTES("HTTP/1.1 200 OK\r\nTransfer-Encoding: foo\r\n\r\nhello"),
	 "HEAD 200 v11 close|BODY hello|END"},
	{BYTES("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na"),
	 "HEAD 100 v11 none|END|HEAD 200 v11 length 1|BODY a|END"},
	{BYTES("HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\nHTTP/1.1 304 No\r\nContent-Length: "
	       "5\r\n\r\n"),
	 "HEAD 204 v11 none|END|HEAD 304 v11 none|END"},
	{BYTES("HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\n\r\n\x81\x05hello"),
	 "HEAD 101 v11 upgrade|END|UPGRADED"},
	{BYTES("HTTP/1.1 101 Switching\r\n\r\n"), "HEAD 101 v11 upgrade|END|UPGRADED"},
	{BYTES("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: "
	       "chunked\r\n\r\n"),
	 "HEAD 200 v11 none|END|HEAD 200 v11 none|END", HEAD},
	{BYTES("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n\x16\x03\x01"),
	 "HEAD 200 v11 upgrade|END|UPGRADED", CONN},
	{BYTES("HTTP/1.1 407 Auth\r\nContent-Length: 1\r\n\r\nx"),
	 "HEAD 407 v11 length 1|BODY x|END", CONN},
	{BYTES("ICY 200 OK\r\nicy-name: x\r\n\r\nmusic"), "HEAD 200 v10 close|BODY music|END"},
	{BYTES("HTTP/1.1 20 OK\r\nContent-Length: 1\r\n\r\nx"), "HEAD 20 v11 length 1|BODY x|END"},
	{BYTES("HTTP/1.1\r\nContent-Length: 1\r\n\r\nx"), "HEAD  v11 length 1|BODY x|END"},
	{BYTES("<html>no head</html>"), "RAW <html>no head</html>"},
	{BYTES("<html>\n\nno head</html>"), "RAW <html>\\n\\nno head</html>"},
	{BYTES("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort"),
	 "HEAD 200 v11 length 10|BODY short|END truncated"},
	{BYTES("GET /old\r\n"), "RAW GET /old\\r\\n"}, // a client's line: nothing special here
};

// What only some hosts take.
static const struct vector lax_requests[] = {
	// chunk lines
	{BYTES("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n "
	       "2\r\nab\r\n+1\r\nc\r\n0x2\r\nde\r\n0\r\n\r\n"),
	 "HEAD POST / v11 chunked|BODY abcde|END"},
	{BYTES("POST / HTTP/1.1\r\nTransfer-Encoding: "
	       "chunked\r\n\r\n2x\r\nab1\r\nc\r\n\n\r\n2\v\r\nde\r\n0\r\n\r\n"),
	 "HEAD POST / v11 chunked|BODY abcde|END"},
	{BYTES("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0x\r\n\r\n"),
	 "HEAD POST / v11 chunked|END"},
	// a broken body ends where a line begins like a message, be it in place of the chunk size
	{BYTES("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nGET /n "
	       "HTTP/1.1\r\n\r\n"),
	 "HEAD POST / v11 chunked|BODY zz\\r\\n|END truncated|HEAD GET /n v11 none|END"},
	{BYTES("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nDELETE /n HTTP/1.1\r\n\r\n"),
	 "HEAD POST / v11 chunked|END truncated|HEAD DELETE /n v11 none|END"},
	{BYTES("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz GET /n HTTP/1.1\r\n\r\nGE"),
	 "HEAD POST / v11 chunked|BODY zz GET /n HTTP/1.1\\r\\n\\r\\nGE|END truncated"},
	{BYTES("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n--\nGETTING "
	       "/n\nPOSTS\nCONNECT \t/\nPUT x\nHEAD  /h HTTP/1.0\n\n"),
	 "HEAD POST / v11 chunked|BODY --\\nGETTING /n\\nPOSTS\\nCONNECT \\x09/\\nPUT x\\n|END "
	 "truncated|HEAD HEAD /h v10 none|END"},
	// length and coding
	{BYTES("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
	 "HEAD POST / v10 chunked or none|END"},
	{BYTES("POST / HTTP/1.1\r\nTransfer-Encoding: foo\r\nContent-Length: 2\r\n\r\nab"),
	 "HEAD POST / v11 length 2 or none|BODY ab|END"},
	{BYTES("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: "
	       "2\r\nContent-Length: 3\r\n\r\n0\n\n"),
	 "HEAD POST / v11 chunked or length 2|END"},
	{BYTES("POST / HTTP/1.1\r\nContent-Length: 0\r\nContent-Length: 3\r\n\r\n"),
	 "HEAD POST / v11 none or length 3|END"},
	{BYTES("POST / HTTP/1.1\r\nTransfer-Encoding: identity\r\nTransfer-Encoding: "
	       "chunked\r\n\r\n0\r\n\r\n"),
	 "HEAD POST / v11 chunked|END"},
	{BYTES("POST / HTTP/1.1\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"),
	 "HEAD POST / v11 chunked or none|END"},
	{BYTES("POST / HTTP/1.1\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n"),
	 "HEAD POST / v11 chunked|END"},
	{BYTES("POST / HTTP/1.1\r\nTransfer-Encoding: chunked,\r\n\r\n0\r\n\r\n"),
	 "HEAD POST / v11 chunked or none|END"},
	{BYTES("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\t\r\n\r\n0\r\n\r\n"),
	 "HEAD POST / v11 chunked or none|END"},
	{BYTES("POST / HTTP/1.1\r\nContent-Length: 2,\r\n\r\nab"),
	 "HEAD POST / v11 length 2 or none|BODY ab|END"},
	// names with junk in them, and fields behind a bare CR or in a folded line
	{BYTES("POST / HTTP/1.1\r\nTransfer\0-Encoding\v: chunked\r\n\r\n0\r\n\r\n"),
	 "HEAD POST / v11 chunked or none|END"},
	{BYTES("POST / HTTP/1.1\r\nTransfer-Encoding\r\n \r\n :\r\n chunked\r\n\r\n0\r\n\r\n"),
	 "HEAD POST / v11 chunked or none|END"},
	{BYTES("POST / HTTP/1.1\r\nTransfer-Encoding:\n\0chunked\r\n\r\n0\r\n\r\n"),
	 "HEAD POST / v11 chunked or none|END"},
	{BYTES("POST / HTTP/1.1\r\nX: a\rContent-Length: 2\r\n\r\nab"),
	 "HEAD POST / v11 length 2 or none|BODY ab|END"},
	{BYTES("POST / HTTP/1.1\r\nX: a\r\n\tContent-Length: 2\r\n\r\nab"),
	 "HEAD POST / v11 length 2 or none|BODY ab|END"},
	{BYTES("POST / HTTP/1.1\r\nTransfer_Encoding: chunked\r\n\r\n0\r\n\r\n"),
	 "HEAD POST / v11 none|END|RAW 0\\r\\n\\r\\n"},
	// lines of blanks
	{BYTES("POST / HTTP/1.1\r\nContent-Length: 2\r\n \r\n@b"),
	 "HEAD POST / v11 length 2|BODY @b|END"},
	{BYTES("POST / HTTP/1.1\r\nContent-Length: 4\n\r\r\na bc"),
	 "HEAD POST / v11 length 4|BODY a bc|END"},
	{BYTES("POST / HTTP/1.1\r\nHost: a\r\n\t\r\nContent-Length: 2\r\n\r\nab"),
	 "HEAD POST / v11 length 2|BODY ab|END"},
	{BYTES("POST / HTTP/1.1\r\nHost: a\r\n\t\r\nContent-Length : 2\r\n\r\nab"),
	 "HEAD POST / v11 length 2 or none|BODY ab|END"},
	{BYTES("GET / HTTP/1.1\r\nHost: a\n \nGET /2 HTTP/1.1\r\nX: y\r\n \r\nGET /3\r\n"),
	 "HEAD GET / v11 none|END|HEAD GET /2 v11 none|END|HEAD GET /3 v9 none|END"},
	// junk between messages
	{BYTES(" \t\0\vGET / HTTP/1.1\r\n\r\nEVIL\nGET /2 HTTP/1.1\r\n\r\n"),
	 "HEAD GET / v11 none|END|RAW EVIL\\n|HEAD GET /2 v11 none|END"},
};

static const struct vector lax_responses[] = {
	{BYTES("\0 \r\n\tHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na"),
	 "HEAD 200 v11 length 1|BODY a|END"},
	{BYTES("SIP/2.0 200 ok\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na"),
	 "RAW SIP/2.0 200 ok\\r\\n|HEAD 200 v11 length 1|BODY a|END"},
	{BYTES("HTTP/1.1\rTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"),
	 "HEAD  v11 chunked or close|BODY a|END"},
	{BYTES("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nplain\r\nHTTP/1.1 200 "
	       "OK\r\n\r\nx"),
	 "HEAD 200 v10 chunked or close|BODY plain\\r\\n|END truncated|HEAD 200 v11 close|BODY "
	 "x|END"},
	{BYTES("HTTP/1.1 304 Not\r\nContent-Length: 4\r\n\r\nHTTX\r\nHTTP/1.1 200 "
	       "OK\r\nContent-Length: 1\r\n\r\na"),
	 "HEAD 304 v11 none|END|RAW HTTX\\r\\n|HEAD 200 v11 length 1|BODY a|END"},
	{BYTES("HTTP/1.1 100 C\r\nContent-Length: 9\r\n\r\nHTTP/1.1 200 OK\r\n\r\nx"),
	 "HEAD 100 v11 none|END|HEAD 200 v11 close|BODY x|END"},
	{BYTES("HTTP/1.1 304 Not\r\n\r\nHT"), "HEAD 304 v11 none|END|RAW HT"},
	{BYTES("HTTP/1.1 304 Not\r\n\r\nHTTP/x\nHTTP/1.1 20"),
	 "HEAD 304 v11 none|END|RAW HTTP/x\\nHTTP/1.1 20"},
};

static void test_lax(void **state)
{
	run_vectors(lax_requests, N(lax_requests), REQ);
	run_vectors(lax_responses, N(lax_responses), RES);
}

static void test_requests(void **state)
{
	run_vectors(requests, N(requests), REQ);
}

static void test_responses(void **state)
{
	run_vectors(responses, N(responses), RES);
}

static const struct {
	const char *head;
	enum counter counter;
	uint64_t n;
} counted[] = {
	{"GET / HTTP/1.1\r\nA: b\r\n\r\n", CNT_HTTP_BAD_HEADER, 0},
	{"GET / HTTP/1.1\r\nA: b\r\n c\r\nno colon\r\n: x\r\nD : e\r\n\r\n", CNT_HTTP_BAD_HEADER,
	 1},
	{"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", CNT_HTTP_LENGTHS, 1},
	{"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", CNT_HTTP_BAD_LENGTH, 1},
	{"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
	 CNT_HTTP_CL_TE, 1},
	{"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n-", CNT_HTTP_BAD_CHUNK, 1},
	{"POST / HTTP/1.1\r\nTransfer-Encoding: identity\r\n\r\n", CNT_HTTP_ODD_TE, 1},
	{"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", CNT_HTTP_ODD_TE, 0},
	{"GET  / HTTP/1.1\r\n\r\n", CNT_HTTP_ODD_START, 1},
	{"GET\t/ HTTP/1.1\r\n\r\n", CNT_HTTP_ODD_START, 1},
	{"GET /\tHTTP/1.1\r\n\r\n", CNT_HTTP_ODD_START, 1},
	{"G\fT / HTTP/1.1\r\n\r\n", CNT_HTTP_ODD_START, 1},
	{"GET \v/ HTTP/1.1\r\n\r\n", CNT_HTTP_ODD_START, 1},
	{"GET /\xc3\xa4 HTTP/1.1\r\n\r\n", CNT_HTTP_ODD_START, 0},
	{"GET / HTTP/1.1\r\n\r\n", CNT_HTTP_ODD_START, 0},
	{"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\rX: y\r\n\r\n",
	 CNT_HTTP_ODD_CHUNK, 1},
	{"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: y\r\n\r\n",
	 CNT_HTTP_ODD_CHUNK, 0},
	{"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", CNT_HTTP_HOSTS, 1},
	{"GET / HTTP/1.1\nHost: a\n\n", CNT_HTTP_LINE_END, 1},
	{"GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n", CNT_HTTP_FOLDED, 1},
	{"GET / HTTP/1.1\r\nContent-Encoding: gzipped\r\n\r\n", CNT_HTTP_ODD_CODING, 1},
	{"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n +1\r\na\r\n0\r\n\r\n",
	 CNT_HTTP_ODD_CHUNK, 2},
	{"a\r\nGET / HTTP/1.1\r\n\r\n", CNT_HTTP_RESYNC, 1},
	{"rubbish\r\n\r\n", CNT_HTTP_BAD_START, 1},
	{"rubbish\r\n\r\n", CNT_HTTP_RAW_BYTES, 11},
	{"GET / HTTP/1.1\r\n", CNT_HTTP_TRUNCATED, 1},
	{"POST / HTTP/1.1\r\nContent-Length: 1\r\n\r\n", CNT_HTTP_TRUNCATED, 1},
};

static void test_counters(void **state)
{
	for (size_t i = 0; i < N(counted); i++) {
		run_init(&whole, REQ, OTHER, GATHERS);
		run_piece(&whole, counted[i].head, strlen(counted[i].head), true);
		run_done(&whole);
		if (whole.counters.v[counted[i].counter] != counted[i].n)
			print_error("%s\n", counted[i].head);
		assert_int_equal(whole.counters.v[counted[i].counter], counted[i].n);
	}
}

static bool is(struct span s, const char *want)
{
	return span_eq(s, span_of(want, strlen(want)));
}

// Every span of a head, by name.
static void test_head_fields(void **state)
{
	static const char text[] = "POST /p?q HTTP/1.1\r\n"
				   "hOST:  a.example \r\n"
				   "Host: second\r\n"
				   "User-Agent:me/1\r\n"
				   "Referer:\thttp://r/\r\n"
				   "Content-Type: text/html; charset=x\r\n"
				   "Content-Disposition: attachment; filename=f\r\n"
				   "Content-Encoding: gzip\r\n"
				   "Content-Encoding: identity, x-deflate\r\n"
				   "Empty:\r\n"
				   "X-Fold: a\r\n\t b\r\n"
				   "\r\n";
	static struct http_head h;
	struct counters c = {0};

	assert_int_equal(http_head_parse(SPAN_LIT(text), REQ, OTHER, &c, &h), 0);
	assert_true(is(h.method, "POST") && is(h.target, "/p?q"));
	assert_true(is(h.host, "a.example"));
	assert_true(is(h.user_agent, "me/1"));
	assert_true(is(h.referer, "http://r/"));
	assert_true(is(h.content_type, "text/html; charset=x"));
	assert_true(is(h.content_disposition, "attachment; filename=f"));
	assert_int_equal(h.n_fields, 10);
	assert_true(is(h.fields[0].name, "hOST"));
	assert_true(is(h.fields[8].name, "Empty") && h.fields[8].value.len == 0);
	assert_true(is(h.fields[9].value, "a\r\n\t b"));
	assert_int_equal(h.n_codings, 2);
	assert_int_equal(h.codings[0], HTTP_CODING_DEFLATE);
	assert_int_equal(h.codings[1], HTTP_CODING_GZIP);
	assert_int_equal(h.status, 0);
	assert_int_equal(h.version, 11);
	assert_int_equal(h.framing, HTTP_FRAMING_NONE);
}

// In the order in which they must be undone: the last one first.
static void test_codings(void **state)
{
	static const struct {
		const char *value;
		uint8_t n, coding[HTTP_CODINGS_MAX];
	} table[] = {
		{"gzip", 1, {HTTP_CODING_GZIP}},
		{"X-GZIP", 1, {HTTP_CODING_GZIP}},
		{"deflate", 1, {HTTP_CODING_DEFLATE}},
		{"br", 1, {HTTP_CODING_BR}},
		{"zstd", 1, {HTTP_CODING_ZSTD}},
		{"lzma", 1, {HTTP_CODING_OTHER}},
		{"gzip, deflate", 2, {HTTP_CODING_DEFLATE, HTTP_CODING_GZIP}},
		{" , gzip ,, identity", 1, {HTTP_CODING_GZIP}},
		{"identity", 0, {0}},
		{"", 0, {0}},
		{"z, a, b, gzip", 3, {HTTP_CODING_GZIP, HTTP_CODING_OTHER, HTTP_CODING_OTHER}},
		{"gzip,deflate,x-gzip",
		 3,
		 {HTTP_CODING_GZIP, HTTP_CODING_DEFLATE, HTTP_CODING_GZIP}},
		{"br, gzip, gzip, deflate",
		 3,
		 {HTTP_CODING_DEFLATE, HTTP_CODING_GZIP, HTTP_CODING_GZIP}},
		{"gzip;q=1", 1, {HTTP_CODING_GZIP}},
		{": \xa0"
		 "GZip\v",
		 1,
		 {HTTP_CODING_GZIP}},
		{"abr", 1, {HTTP_CODING_OTHER}},
		{"zstd, BR", 2, {HTTP_CODING_BR, HTTP_CODING_ZSTD}},
	};
	static struct http_head h;

	for (size_t i = 0; i < N(table); i++) {
		struct counters c = {0};
		char text[128];
		int n = snprintf(text, sizeof(text),
				 "HTTP/1.1 200 OK\r\nContent-Encoding: %s\r\n\r\n", table[i].value);

		assert_int_equal(http_head_parse(span_of(text, (size_t)n), RES, OTHER, &c, &h), 0);
		if (h.n_codings != table[i].n)
			print_error("%s\n", table[i].value);
		assert_int_equal(h.n_codings, table[i].n);
		assert_memory_equal(h.codings, table[i].coding, table[i].n);
	}
}

// A head of n bytes in all, or with n fields; the rest is a message that must still be found, or is raw.
static size_t long_head(char *out, size_t bytes, size_t fields)
{
	size_t n = (size_t)sprintf(out, "GET / HTTP/1.1\r\n");

	for (size_t i = 0; i < fields; i++)
		n += (size_t)sprintf(out + n, "A: b\r\n");
	if (bytes > 0) {
		n += (size_t)sprintf(out + n, "X: ");
		memset(out + n, 'x', bytes - n - 4);
		n = bytes - 4;
		n += (size_t)sprintf(out + n, "\r\n");
	}
	return n + (size_t)sprintf(out + n, "\r\n");
}

static void test_limits(void **state)
{
	static const struct {
		size_t bytes, fields;
		bool ok;
	} table[] = {
		{HTTP_HEAD_MAX - 1, 0, true},    {HTTP_HEAD_MAX, 0, true},
		{HTTP_HEAD_MAX + 1, 0, false},   {HTTP_HEAD_MAX + 3, 0, false},
		{2 * HTTP_HEAD_MAX, 0, false},   {0, HTTP_FIELDS_MAX, true},
		{0, HTTP_FIELDS_MAX + 1, false},
	};
	static const size_t sizes[] = {INPUT_MAX, 1, 1460, HTTP_HEAD_MAX, HTTP_HEAD_MAX - 1};
	static char text[INPUT_MAX];

	for (size_t i = 0; i < N(table); i++) {
		size_t len = long_head(text, table[i].bytes, table[i].fields);

		len += (size_t)sprintf(text + len, "GET /next HTTP/1.1\r\n\r\n");
		for (size_t k = 0; k < N(sizes); k++) {
			run_init(&pieces, REQ, OTHER, GATHERS);
			for (size_t at = 0; at < len; at += sizes[k])
				run_piece(&pieces, text + at,
					  sizes[k] < len - at ? sizes[k] : len - at, false);
			run_piece(&pieces, NULL, 0, true);
			run_done(&pieces);
			if (table[i].ok) {
				assert_string_equal(
					pieces.brief.text,
					"HEAD GET / v11 none|END|HEAD GET /next v11 none|END");
				continue;
			}
			assert_memory_equal(pieces.brief.text, "RAW GET / HTTP/1.1", 18);
			assert_int_equal(pieces.counters.v[CNT_HTTP_HEAD_TOO_LONG], 1);
			// None left out. What follows a small one is found again.
			assert_int_equal(pieces.counters.v[CNT_HTTP_RAW_BYTES],
					 table[i].fields > 0 ? len - 22 : len);
		}
	}
}

static void test_chunk_limits(void **state)
{
	static const char head[] = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
	static const struct {
		const char *before;
		size_t fill;
		bool ok;
	} table[] = {
		{"1;", HTTP_CHUNK_LINE_MAX - 3, true},
		{"1;", HTTP_CHUNK_LINE_MAX - 2, false},
		{"0\n", HTTP_HEAD_MAX - 2, true},
		{"0\n", HTTP_HEAD_MAX, false},
	};
	static char text[2 * HTTP_HEAD_MAX];

	for (size_t i = 0; i < N(table); i++) {
		size_t n = (size_t)sprintf(text, "%s%s", head, table[i].before);

		memset(text + n, 'x', table[i].fill);
		n += table[i].fill;
		n += (size_t)sprintf(text + n, table[i].before[0] == '1' ? "\nz\n0\n\n" : "\n\n");
		for (size_t size = 1; size <= n; size += n - 1) {
			run_init(&pieces, REQ, OTHER, GATHERS);
			for (size_t at = 0; at < n; at += size)
				run_piece(&pieces, text + at, size, false);
			run_done(&pieces);
			assert_int_equal(pieces.counters.v[CNT_HTTP_BAD_CHUNK], !table[i].ok);
			assert_int_equal(pieces.half.state,
					 table[i].ok ? HTTP_START : HTTP_BODY_CLOSE);
		}
	}
}

// No buffer left: a head in one piece needs none, one in two goes on raw, from its first byte.
static void test_no_gather_buffer(void **state)
{
	static const char text[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

	for (size_t cut = 1; cut < sizeof(text) - 1; cut++) {
		run_init(&pieces, REQ, OTHER, 0);
		run_piece(&pieces, text, sizeof(text) - 1, false);
		run_piece(&pieces, text, cut, false);
		run_piece(&pieces, text + cut, sizeof(text) - 1 - cut, true);
		run_done(&pieces);
		assert_string_equal(
			pieces.brief.text,
			"HEAD GET / v11 none|END|RAW GET / HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n");
		assert_int_equal(pieces.counters.v[CNT_HTTP_HEAD_NO_BUFFER], 1);
	}
}

// Bytes are missing between two pieces.
static const struct {
	const char *before;
	uint64_t gap;
	const char *after;
	bool goes_on, ends;
	const char *want;
} gaps[] = {
	{"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nabc", 4, "hiGET /n HTTP/1.1\r\n\r\n", true,
	 false, "HEAD POST / v11 length 9|BODY abchi|END|HEAD GET /n v11 none|END"},
	{"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nabc", 6, "GET /n HTTP/1.1\r\n\r\n", true,
	 false, "HEAD POST / v11 length 9|BODY abc|END|HEAD GET /n v11 none|END"},
	{"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nabc", 10, "/n HTTP/1.1\r\n\r\n", false, true,
	 "HEAD POST / v11 length 9|BODY abc|RAW /n HTTP/1.1\\r\\n\\r\\n"},
	{"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabc", 4, "hi\r\n0\r\n\r\n",
	 true, false, "HEAD POST / v11 chunked|BODY abchi|END"},
	{"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabc", 6,
	 "\r\n1\r\nd\r\n0\r\n\r\n", true, false, "HEAD POST / v11 chunked|BODY abcd|END"},
	{"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabc", 8, "0\r\n\r\n", false,
	 true, "HEAD POST / v11 chunked|BODY abc|RAW 0\\r\\n\\r\\n"},
	{"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n9", 8, "0\r\n\r\n", false, true,
	 "HEAD POST / v11 chunked|RAW 0\\r\\n\\r\\n"},
	{"GET / HTTP/1.1\r\nHo", 3, "a\r\n\r\n", false, false, "RAW a\\r\\n\\r\\n"},
	{"GET / HTTP/1.1\r\nHo", 30, "GET /n HTTP/1.1\r\n\r\n", false, false,
	 "HEAD GET /n v11 none|END"},
	{"GET / HTTP/1.1\r\n\r\n", 5, "POST /n HTTP/1.1\r\nContent-Length: 1\r\n\r\nx", false,
	 false, "HEAD GET / v11 none|END|HEAD POST /n v11 length 1|BODY x|END"},
	{"GET / HTTP/1.1\r\n\r\n", 5, "HTTP/1.1 200 OK\r\n\r\n", false, false,
	 "HEAD GET / v11 none|END|RAW HTTP/1.1 200 OK\\r\\n\\r\\n"},
	{"rubbish\r\n\r\n", 5, "GET /n HTTP/1.1\r\n\r\n", false, false,
	 "RAW rubbish\\r\\n\\r\\n|HEAD GET /n v11 none|END"},
};

static void test_gaps(void **state)
{
	for (size_t i = 0; i < N(gaps); i++) {
		bool ends = !gaps[i].ends;

		run_init(&whole, REQ, OTHER, GATHERS);
		run_piece(&whole, gaps[i].before, strlen(gaps[i].before), false);
		assert_int_equal(http_gap(&whole.half, &whole.ps, gaps[i].gap, &ends),
				 gaps[i].goes_on);
		assert_int_equal(ends, gaps[i].ends);
		assert_int_equal(whole.gathers.used, 0);
		run_piece(&whole, gaps[i].after, strlen(gaps[i].after), true);
		run_done(&whole);
		if (strcmp(whole.brief.text, gaps[i].want) != 0)
			print_error("%s\n%s\n", gaps[i].before, whole.brief.text);
		assert_string_equal(whole.brief.text, gaps[i].want);
	}
}

static void test_gap_until_close(void **state)
{
	static const char head[] = "HTTP/1.0 200 OK\r\n\r\nabc";
	bool ends = true;

	run_init(&whole, RES, OTHER, GATHERS);
	run_piece(&whole, head, sizeof(head) - 1, false);
	assert_true(http_gap(&whole.half, &whole.ps, UINT64_MAX, &ends));
	assert_false(ends);
	run_piece(&whole, "def", 3, true);
	run_done(&whole);
	assert_string_equal(whole.brief.text, "HEAD 200 v10 close|BODY abcdef|END");
	assert_int_equal(whole.counters.v[CNT_HTTP_GAP_IN_BODY], 1);
}

// Any bytes from HTTP's own alphabet, cut at random: the same events whole and in pieces.
static void test_random_bytes(void **state)
{
	static const char *const words[] = {
		"GET ",
		"/ ",
		"HTTP/1.1",
		"\r\n",
		"\n",
		"\r",
		"\r\n\r\n",
		"POST / HTTP/1.1\r\n",
		": ",
		"a",
		"5",
		"0\r\n",
		"hello",
		" ",
		"\t",
		"Content-Length: 5\r\n",
		"Host: x",
		"\x16",
		"\x03\x01",
		"SSH-",
		"chunked",
		";x=\"y\"",
		"gzip",
		"Transfer-Encoding: chunked\r\n",
		"HTTP/1.1 200 OK\r\n",
		"HTTP/1.1 101 x\r\n\r\n",
		"\n \n",
		"\n\r\r\n",
		"\n \t\r\nName",
		"0x",
		"+",
		"\v",
		"Content-Length: 3, 5\r\n",
		"Content-Length: -7\r\n",
		"Transfer-Encoding: xchunked\r\n",
		"Transfer-Encoding: foo\r\n",
		"\nGET /n HTTP/1.1\r\n",
		"\nHTTP/1.1 200 OK\r\n",
		"GE",
		"HTT",
		"de",
	};
	static char text[4096];
	uint64_t rnd = 0x2545f4914f6cdd1du;

	for (int round = 0; round < 4000; round++) {
		struct vector v = {.bytes = text, .want = ""};
		enum dir dir = round % 2 == 0 ? REQ : RES;

		for (int i = 0; i < 3 + round % 20; i++) {
			const char *w;

			rnd ^= rnd << 13;
			rnd ^= rnd >> 7;
			rnd ^= rnd << 17;
			w = words[(rnd >> 30) % N(words)];
			memcpy(text + v.len, w, strlen(w) + 1);
			v.len += strlen(w);
		}
		v.answers = (enum http_answers)(rnd >> 8) % 3;
		run_init(&whole, dir, v.answers, GATHERS);
		run_piece(&whole, v.bytes, v.len, true);
		run_done(&whole);
		run_cut(&v, dir, 0, 1, true);
		for (size_t k = 2; k < 8; k++)
			run_cut(&v, dir, (rnd >> k) % v.len, k, k % 2 == 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_responses),
		cmocka_unit_test(test_lax),
		cmocka_unit_test(test_counters),
		cmocka_unit_test(test_head_fields),
		cmocka_unit_test(test_codings),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_chunk_limits),
		cmocka_unit_test(test_no_gather_buffer),
		cmocka_unit_test(test_gaps),
		cmocka_unit_test(test_gap_until_close),
		cmocka_unit_test(test_random_bytes),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

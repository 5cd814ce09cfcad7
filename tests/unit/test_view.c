// SPDX-License-Identifier: BSD-2-Clause
// The head buffers that rules look at, made from heads as they come.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "dataplane/engine/view.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

static struct http_head *head;
static struct view_scratch *scratch;

static int setup(void **state)
{
	head = malloc(sizeof(*head));
	scratch = malloc(sizeof(*scratch));
	return head == NULL || scratch == NULL;
}

static int teardown(void **state)
{
	free(head);
	free(scratch);
	return 0;
}

static void parse(struct span raw, enum dir dir)
{
	struct counters c = {0};

	assert_int_equal(http_head_parse(raw, dir, HTTP_ANSWERS_OTHER, &c, head), 0);
}

static const struct {
	const char *raw;
	enum dir dir;
	enum buffer buffer;
	const char *want;
} table[] = {
	{"PUT /a/../%62?c HTTP/1.1\r\n\r\n", DIR_TO_SERVER, BUF_METHOD, "PUT"},
	{"PUT /a/../%62?c HTTP/1.1\r\n\r\n", DIR_TO_SERVER, BUF_URI, "/b?c"},
	{"PUT /a/../%62?c HTTP/1.1\r\n\r\n", DIR_TO_SERVER, BUF_URI_RAW, "/a/../%62?c"},
	{"GET http://h/a HTTP/1.1\r\n\r\n", DIR_TO_SERVER, BUF_URI_RAW, "http://h/a"},
	{"GET / HTTP/1.1\r\nHost: A.Example:80\r\n\r\n", DIR_TO_SERVER, BUF_HOST, "a.example"},
	{"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", DIR_TO_SERVER, BUF_HOST, "a"},
	{"GET http://B:1/ HTTP/1.1\r\nHost: a\r\n\r\n", DIR_TO_SERVER, BUF_HOST, "b"},
	{"GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n", DIR_TO_SERVER, BUF_HOST, "a"},
	{"GET / HTTP/1.0\r\n\r\n", DIR_TO_SERVER, BUF_HOST, ""},
	{"GET / HTTP/1.1\r\nuser-AGENT:  x y \r\n\r\n", DIR_TO_SERVER, BUF_USER_AGENT, "x y"},
	{"GET / HTTP/1.1\r\n\r\n", DIR_TO_SERVER, BUF_USER_AGENT, ""},
	{"GET / HTTP/1.1\r\n\r\n", DIR_TO_SERVER, BUF_STAT_CODE, ""},
	{"HTTP/1.1 404 Not Found\r\n\r\n", DIR_TO_CLIENT, BUF_STAT_CODE, "404"},
	// fields: several of one name are joined, folds made one space
	{"GET / HTTP/1.1\r\nUser-Agent: a\r\nX: y\r\nuser-agent: b\r\n\r\n", DIR_TO_SERVER,
	 BUF_USER_AGENT, "a, b"},
	{"GET / HTTP/1.1\r\nUser-Agent: a\r\n b\r\nUser-Agent: c\r\n\r\n", DIR_TO_SERVER,
	 BUF_USER_AGENT, "a b, c"},
	{"GET / HTTP/1.1\r\nReferer:\r\nReferer: r\r\n\r\n", DIR_TO_SERVER, BUF_REFERER, "r"},
	{"GET / HTTP/1.1\r\nAccept-Encoding: gzip\r\n\r\n", DIR_TO_SERVER, BUF_ACCEPT_ENC, "gzip"},
	{"GET / HTTP/1.1\r\nAccept-Language: de\r\n\r\n", DIR_TO_SERVER, BUF_ACCEPT_LANG, "de"},
	{"GET / HTTP/1.1\r\nAccept-Language: de\r\n\r\n", DIR_TO_SERVER, BUF_ACCEPT, ""},
	{"GET / HTTP/1.1\r\nConnection: close\r\n\r\n", DIR_TO_SERVER, BUF_CONNECTION, "close"},
	{"POST / HTTP/1.1\r\nContent-Type: t\r\n\r\n", DIR_TO_SERVER, BUF_CONTENT_TYPE, "t"},
	{"POST / HTTP/1.1\r\nContent-Length: 01\r\n\r\n", DIR_TO_SERVER, BUF_CONTENT_LEN, "01"},
	{"HTTP/1.1 302 Found\r\nLocation: /x\r\n\r\n", DIR_TO_CLIENT, BUF_LOCATION, "/x"},
	{"HTTP/1.1 200 OK\r\nServer: s\r\n\r\n", DIR_TO_CLIENT, BUF_SERVER, "s"},
	// lines of the head as sent
	{"GET /A?b#c HTTP/1.1\r\nHost: A:80\r\n\r\n", DIR_TO_SERVER, BUF_URL, "a/A?b#c"},
	{"GET http://U@B:1/%41 HTTP/1.1\r\nHost: a\r\n\r\n", DIR_TO_SERVER, BUF_URL, "b/%41"},
	{"GET http://B HTTP/1.1\r\nHost: a\r\n\r\n", DIR_TO_SERVER, BUF_URL, "b/"},
	{"GET http://B?x HTTP/1.1\r\nHost: a\r\n\r\n", DIR_TO_SERVER, BUF_URL, "b/?x"},
	{"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", DIR_TO_SERVER, BUF_URL, ""},
	{"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", DIR_TO_SERVER, BUF_URL, ""},
	{"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", DIR_TO_SERVER, BUF_URI, ""},
	{"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", DIR_TO_SERVER, BUF_URI_RAW, "a:443"},
	{"GET / HTTP/1.0\r\n\r\n", DIR_TO_SERVER, BUF_HEADER_NAMES, ""},
	{"GET / HTTP/1.0\r\n\r\n", DIR_TO_SERVER, BUF_URL, ""},
	{"GET / HTTP/1.1\r\nHost: A:80\r\n\r\n", DIR_TO_SERVER, BUF_HOST_RAW, "A:80"},
	{"GET http://B:1/ HTTP/1.1\r\nHost: a\r\n\r\n", DIR_TO_SERVER, BUF_HOST_RAW, "B:1"},
	{"GET / HTTP/1.1\r\n\r\n", DIR_TO_SERVER, BUF_PROTOCOL, "HTTP/1.1"},
	{"GET / HTTP/1.1 \r\n\r\n", DIR_TO_SERVER, BUF_PROTOCOL, "HTTP/1.1"},
	{"GET /old\r\n", DIR_TO_SERVER, BUF_PROTOCOL, ""},
	{"HTTP/1.0 200 OK\n\n", DIR_TO_CLIENT, BUF_PROTOCOL, "HTTP/1.0"},
	{"GET / HTTP/1.1\r\nA: b\r\n\r\n", DIR_TO_SERVER, BUF_REQUEST_LINE, "GET / HTTP/1.1"},
	{"HTTP/1.1 200 OK\n\n", DIR_TO_CLIENT, BUF_RESPONSE_LINE, "HTTP/1.1 200 OK"},
	{"HTTP/1.1 404 Not  Found\r\n\r\n", DIR_TO_CLIENT, BUF_STAT_MSG, "Not  Found"},
	{"HTTP/1.1 404\r\n\r\n", DIR_TO_CLIENT, BUF_STAT_MSG, ""},
	{"HTTP/1.1\r\n\r\n", DIR_TO_CLIENT, BUF_STAT_MSG, ""},
	{"GET / HTTP/1.1\r\nA:b\r\n c\r\n\r\n", DIR_TO_SERVER, BUF_START,
	 "GET / HTTP/1.1\r\nA:b\r\n c\r\n\r\n"},
	{"GET / HTTP/1.1\r\nA:b\r\n c\r\n\r\n", DIR_TO_SERVER, BUF_HEADER_RAW, "A:b\r\n c\r\n\r\n"},
	{"GET / HTTP/1.1\nA:b\n\n", DIR_TO_SERVER, BUF_HEADER_RAW, "A:b\n\n"},
	{"GET / HTTP/1.1\r\n\r\n", DIR_TO_SERVER, BUF_HEADER_RAW, "\r\n"},
	{"GET /old\r\n", DIR_TO_SERVER, BUF_HEADER_RAW, ""},
	{"GET / HTTP/1.1\r\nA : b\r\nnone\r\nB:\r\n\r\n", DIR_TO_SERVER, BUF_HEADER_NAMES,
	 "\r\nA\r\nB\r\n\r\n"},
	// header: as "Name: value", cookies left out, folds made one space
	{"GET / HTTP/1.1\r\nA:b\r\nC :\td \r\nE:\r\n\r\n", DIR_TO_SERVER, BUF_HEADER,
	 "A: b\r\nC: d\r\nE: \r\n"},
	{"GET / HTTP/1.1\nA: b\n\n", DIR_TO_SERVER, BUF_HEADER, "A: b\r\n"},
	{"GET / HTTP/1.1\r\nA: b\r\n \t c\r\n\td\r\n\r\n", DIR_TO_SERVER, BUF_HEADER,
	 "A: b c d\r\n"},
	{"GET / HTTP/1.1\r\nno colon\r\n: no name\r\n\r\n", DIR_TO_SERVER, BUF_HEADER,
	 "no colon\r\nno name\r\n"},
	{"GET / HTTP/1.1\r\nCookie: a=b\r\nX: y\r\ncookie: c\r\nSet-Cookie: z\r\n\r\n",
	 DIR_TO_SERVER, BUF_HEADER, "X: y\r\nSet-Cookie: z\r\n"},
	{"HTTP/1.1 200 OK\r\nSet-Cookie: z\r\nCookie: a\r\n\r\n", DIR_TO_CLIENT, BUF_HEADER,
	 "Cookie: a\r\n"},
	{"GET / HTTP/1.1\r\nCookie: a\r\n\r\n", DIR_TO_SERVER, BUF_HEADER, ""},
	// cookie
	{"GET / HTTP/1.1\r\nCookie: a=b; c=d\r\n\r\n", DIR_TO_SERVER, BUF_COOKIE, "a=b; c=d"},
	{"GET / HTTP/1.1\r\nCookie: a\r\nX: y\r\nCOOKIE: b\r\nCookie:\r\n\r\n", DIR_TO_SERVER,
	 BUF_COOKIE, "a, b"},
	{"GET / HTTP/1.1\r\nCookie: a\r\n b\r\n\r\n", DIR_TO_SERVER, BUF_COOKIE, "a b"},
	{"HTTP/1.1 200 OK\r\nSet-Cookie: z; Path=/\r\n\r\n", DIR_TO_CLIENT, BUF_COOKIE,
	 "z; Path=/"},
	{"HTTP/1.1 200 OK\r\n\r\n", DIR_TO_CLIENT, BUF_COOKIE, ""},
	// not of a head
	{"GET / HTTP/1.1\r\n\r\n", DIR_TO_SERVER, BUF_REQUEST_BODY, ""},
	{"GET / HTTP/1.1\r\n\r\n", DIR_TO_SERVER, BUF_RAW, ""},
};

static void test_buffers(void **state)
{
	for (size_t i = 0; i < N(table); i++) {
		struct view v;
		struct span got;

		parse(span_of(table[i].raw, strlen(table[i].raw)), table[i].dir);
		view_init(&v, head, scratch);
		got = view_get(&v, table[i].buffer);
		if (!span_eq(got, span_of(table[i].want, strlen(table[i].want))))
			print_error("%s%s: %.*s\n", table[i].raw,
				    buffer_info(table[i].buffer)->keyword, (int)got.len, got.data);
		assert_true(span_eq(got, span_of(table[i].want, strlen(table[i].want))));
	}
}

// Each buffer is made once per message, and stays while the others are made.
static void test_made_once(void **state)
{
	static const char raw[] =
		"GET /%61 HTTP/1.1\r\nHost: H\r\nCookie: c\r\nUser-Agent: u\r\n"
		"Accept: 1\r\nUser-Agent: w\r\nAccept: 2\r\nReferer: 3\r\n 4\r\n\r\n";
	static const struct {
		enum buffer buffer;
		const char *want;
	} want[] = {
		{BUF_METHOD, "GET"},
		{BUF_URI, "/a"},
		{BUF_HOST, "h"},
		{BUF_USER_AGENT, "u, w"},
		{BUF_ACCEPT, "1, 2"},
		{BUF_REFERER, "3 4"},
		{BUF_COOKIE, "c"},
		{BUF_HEADER,
		 "Host: H\r\nUser-Agent: u\r\nAccept: 1\r\nUser-Agent: w\r\nAccept: 2\r\n"
		 "Referer: 3 4\r\n"},
		{BUF_HEADER_NAMES,
		 "\r\nHost\r\nCookie\r\nUser-Agent\r\nAccept\r\nUser-Agent\r\nAccept\r\n"
		 "Referer\r\n\r\n"},
	};
	struct span first[N(want)];
	struct view v;

	parse(SPAN_LIT(raw), DIR_TO_SERVER);
	view_init(&v, head, scratch);
	for (size_t i = 0; i < N(want); i++)
		first[i] = view_get(&v, want[i].buffer);
	for (size_t i = 0; i < N(want); i++) {
		struct span again = view_get(&v, want[i].buffer);

		assert_ptr_equal(again.data, first[i].data);
		if (!span_eq(again, span_of(want[i].want, strlen(want[i].want))))
			print_error("%s: %.*s\n", buffer_info(want[i].buffer)->keyword,
				    (int)again.len, again.data);
		assert_true(span_eq(again, span_of(want[i].want, strlen(want[i].want))));
	}
	// The next message starts afresh.
	parse(SPAN_LIT("GET /b HTTP/1.1\r\n\r\n"), DIR_TO_SERVER);
	view_init(&v, head, scratch);
	assert_true(span_eq(view_get(&v, BUF_URI), SPAN_LIT("/b")));
	assert_int_equal(view_get(&v, BUF_COOKIE).len, 0);
	assert_int_equal(view_get(&v, BUF_USER_AGENT).len, 0);
}

// Whatever is asked for, of whatever head: buffers of the other direction and of bodies are empty, none is longer than
// its place allows.
static void test_every_buffer(void **state)
{
	static const char *const raws[DIR_N][4] = {
		{"GET / HTTP/1.1\r\nA: b\r\n\r\n", "GET /\r\n", "x y z\n\n",
		 "GET / HTTP/1.1\n:\n\n"},
		{"HTTP/1.1 200 OK\r\nA: b\r\n\r\n", "HTTP/1.1\n\n", "ICY 200\r\n\r\n",
		 "HTTP/1.1 2\n:\n\n"},
	};

	for (int dir = 0; dir < DIR_N; dir++) {
		for (size_t i = 0; i < N(raws[dir]); i++) {
			struct view v;

			parse(span_of(raws[dir][i], strlen(raws[dir][i])), dir);
			view_init(&v, head, scratch);
			for (unsigned int b = 0; b < BUF_N; b++) {
				struct span got = view_get(&v, b);

				assert_true(got.len < 64);
				if (buffer_info(b)->stage == BUFFER_STREAM)
					assert_int_equal(got.len, 0);
			}
		}
	}
}

// The largest head, in the shapes that make each buffer longest, leaves the padding that scans need.
static void test_largest_heads(void **state)
{
	static const char *const lines[] = {"a:b\n",      "a:\n",         ":\n",
					    "x\n",        ":b\n",         "a:b\n c\n",
					    "Cookie:x\n", "Host:x\n",     "Accept:\n",
					    "Accept:x\n", "Server:\n \n", "User-Agent:\n x\n"};
	static char raw[HTTP_HEAD_MAX];

	for (size_t i = 0; i < N(lines); i++) {
		size_t n = (size_t)sprintf(raw, "GET / HTTP/1.1\n"), step = strlen(lines[i]);
		struct view v;

		for (int k = 0; k < HTTP_FIELDS_MAX && n + step < sizeof(raw); k++, n += step)
			memcpy(raw + n, lines[i], step);
		raw[n++] = '\n';
		parse(span_of(raw, n), DIR_TO_SERVER);
		view_init(&v, head, scratch);
		assert_true(view_get(&v, BUF_HEADER).len + 64 <= sizeof(scratch->header));
		assert_true(view_get(&v, BUF_COOKIE).len + 64 <= sizeof(scratch->cookie));
		assert_true(view_get(&v, BUF_HEADER_NAMES).len + 64 <= sizeof(scratch->names));
		view_get(&v, BUF_USER_AGENT);
		view_get(&v, BUF_ACCEPT);
		view_get(&v, BUF_SERVER);
		assert_true(v.n_joined + 64 <= sizeof(scratch->joined));
	}
	for (int k = 0; k < 3; k++) { // one value of all that fits: a target, a host, a cookie
		static const char *const start[] = {
			"GET /", "GET / HTTP/1.1\nHost:", "GET / HTTP/1.1\nCookie:"};
		size_t n = (size_t)sprintf(raw, "%s", start[k]);
		struct view v;
		struct span got;

		memset(raw + n, 'x', sizeof(raw) - n);
		memcpy(raw + sizeof(raw) - 2, "\n\n", 2);
		parse(span_of(raw, sizeof(raw)), DIR_TO_SERVER);
		view_init(&v, head, scratch);
		got = view_get(&v, k == 0 ? BUF_URI : k == 1 ? BUF_HOST : BUF_COOKIE);
		assert_true(got.len >= sizeof(raw) - 32 && got.len + 64 <= HTTP_GATHER_BYTES);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_buffers),
		cmocka_unit_test(test_made_once),
		cmocka_unit_test(test_every_buffer),
		cmocka_unit_test(test_largest_heads),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

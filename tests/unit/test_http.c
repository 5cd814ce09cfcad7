// SPDX-License-Identifier: BSD-2-Clause
// Messages in, events out, wherever the bytes are cut: each input is parsed whole, per byte, cut at every place and at
// random ones, always in front of a page that cannot be read, and must say the same each time.
#include "tests/unit/httpkit.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests),    cmocka_unit_test(test_responses),
		cmocka_unit_test(test_lax),         cmocka_unit_test(test_counters),
		cmocka_unit_test(test_head_fields), cmocka_unit_test(test_codings),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

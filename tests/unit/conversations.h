// SPDX-License-Identifier: BSD-2-Clause
// HTTP conversations and others, a rule set with one rule per way of matching, and who hits what, written by hand.
#ifndef TESTS_CONVERSATIONS_H
#define TESTS_CONVERSATIONS_H

#include <isa-l/igzip_lib.h>

#include "tests/unit/pipekit.h"

static const char conv_rules[] =
	// head only
	"alert http any any -> any any (http.uri; content:\"/needle-uri\"; sid:1;)\n"
	"alert http any any -> any any (http.header; content:\"X-Test: one|0d 0a|\"; sid:2;)\n"
	// head and body: the literal of the head is weak, that of the body represents the rule
	"alert http any any -> any any (http.method; content:\"POST\"; http.uri; content:\".php\"; "
	"endswith; "
	"http.request_body; content:\"BODYNEEDLE\"; sid:3;)\n"
	"alert tcp any any -> any any (file.data; content:\"exact-body-marker\"; sid:4;)\n"
	"alert http any any -> any any (flow:to_client; file.data; content:\"chain-start\"; "
	"content:\"chain-end\"; distance:1; within:40; sid:5;)\n"
	"alert http any any -> any any (file.data; content:\"win-one\"; content:\"win-two\"; "
	"sid:6;)\n"
	"alert http any any -> any any (file.data; content:\"neg-marker\"; content:!\"forbidden\"; "
	"sid:7;)\n"
	"alert tcp any any -> any any (file.data; content:\"POSITION\"; offset:4; depth:20; "
	"sid:8;)\n"
	"alert http any any -> any any (http.response_body; content:\"THE-END\"; endswith; "
	"sid:9;)\n"
	"alert http any any -> any any (file.data; content:\"pcre-key=\"; "
	"pcre:\"/pcre-key=[0-9]{4,8}&/\"; "
	"sid:10;)\n"
	"alert tcp any any -> any any (content:\"RAW-NEEDLE\"; sid:11;)\n"
	"alert http any any -> any any (http.uri; content:\"/rawhead\"; pkt_data; "
	"content:\"RAW-TWO\"; "
	"sid:12;)\n"
	// the head's literal is selective: the body waits for it
	"alert tcp any any -> any any (http.user_agent; content:\"Very-Selective-Agent/9.1\"; "
	"http.request_body; content:\"gated-body\"; sid:13;)\n"
	// no literal: evaluated on every head
	"alert http any any -> any any (http.uri; pcre:\"/^\\/only-pcre-[a-z]{3}$/\"; sid:14;)\n"
	"alert http any any -> any any (http.user_agent; content:!\"Mozilla\"; sid:15;)\n"
	"alert http any any -> any any (http.stat_code; content:\"404\"; http.cookie; "
	"content:\"id=7\"; "
	"sid:16;)\n"
	"alert http any any -> any any (http.host; content:\"victim.example\"; endswith; sid:17;)\n"
	"alert http any any -> any any (http.uri; content:\"/selective-uri-zzqx\"; pkt_data; "
	"content:!\"X-Forbidden-Raw\"; sid:18;)\n"
	"alert http any any -> any any (content:\"|0d 0a 0d 0a|BODYSTART\"; sid:19;)\n"
	"alert http any any -> any any (content:\"RAW-WAKES\"; file.data; content:!\"asleep\"; "
	"sid:20;)\n"
	"alert http any any -> any any (flow:to_client; content:\"Server: raw-server\"; sid:21;)\n"
	"alert http any any -> any any (http.response_body; pcre:\"/[0-9]{3}x[0-9]{3}y/\"; "
	"sid:22;)\n"
	"alert tcp any any -> any any (http.request_body; content:\"lead\"; startswith; sid:23;)\n"
	"alert http any any -> any any (content:\"GET \"; startswith; content:\"Deep: \"; "
	"content:\"er\"; "
	"distance:0; within:8; sid:24;)\n"
	"alert http any any -> any any (http.stat_code; content:\"200\"; http.response_body; "
	"content:!\"expected-phrase\"; sid:25;)\n"
	// no expression for a stream: evaluated on the window
	"alert http any any -> any any (file.data; content:\"buf-two\"; content:\"buf-one\"; "
	"distance:-30; "
	"within:30; sid:26;)\n"
	"alert http any any -> any any (file.data; content:\"around=\"; pcre:\"/(?<!no "
	")around=([a-z])\\1/\"; sid:27;)\n"
	"alert http any any -> any any (file.data; content:\"near-\"; content:!\"far\"; within:10; "
	"sid:28;)\n";

enum conv_how {
	AS_IS,        // head holds everything
	LENGTH,       // Content-Length and body are added
	CHUNKED,      // in chunks of 7 bytes
	GZIP,         // with Content-Length
	GZIP_CHUNKED, // in chunks of 7 bytes
	DEFLATE,      // without a zlib wrapper
	GZIP_BROKEN,  // a byte in the middle is another one
	GZIP_JUNK,    // bytes follow the gzip member
	DEFLATE_JUNK, // bytes follow the last block
};

struct conv_say {
	uint8_t dir;
	uint8_t how;
	uint32_t pad; // so many bytes come before the body's text
	const char *head, *body;
	size_t head_len; // 0: strlen
};

struct conv {
	const char *name;
	struct conv_say say[8];
	const char *want; // "sid:dir:tx ...", sorted by sid, tx, dir
	bool no_fin;
	bool begins; // only who sees the connection begin can read it
	bool loose; // how far ISA-L has read ahead of an error depends on the cut: sizes are not compared
	bool far; // bodies larger than the window that is promised: whether the start is still there depends on the cut
};

#define UA "User-Agent: Mozilla/5.0\r\nHost: a.example\r\n"
#define CONV_100                                                                                   \
	"0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567" \
	"890123456789"
#define CONV_LONG_GET                                                                              \
	"GET /needle-uri HTTP/1.1\r\n" UA "X: " CONV_100 CONV_100 CONV_100 CONV_100 CONV_100       \
	"\r\nY: " CONV_100 CONV_100 CONV_100 CONV_100 CONV_100 "\r\n\r\n"
#define CONV_GET(uri) "GET " uri " HTTP/1.1\r\n" UA "\r\n"
#define CONV_OK       "HTTP/1.1 200 OK\r\n"
#define CONV_NO_BODY  "HTTP/1.1 304 Not Modified\r\n\r\n"
#define CONV_WS       "Host: a.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
#define CONV_CONNECT                                                                               \
	"CONNECT a.example:443 HTTP/1.1\r\nHost: a.example\r\nUser-Agent: Mozilla/5.0\r\n\r\n"
#define CONV_CONNECTED "HTTP/1.1 200 Connected\r\n\r\n"
#define CONV_PIECE     "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes "
#define CONV_RAW(s)    .head = s, .head_len = sizeof(s) - 1

static const struct conv convs[] = {
	{"get",
	 {{0, AS_IS, 0, CONV_GET("/needle-uri?x=1")}, {1, LENGTH, 0, CONV_OK, "hello"}},
	 "1:0:0 25:1:0"},
	{"uri is normalised",
	 {{0, AS_IS, 0, CONV_GET("/a/../n%65edle-uri")}, {1, AS_IS, 0, CONV_NO_BODY}},
	 "1:0:0"},
	{"post",
	 {{0, LENGTH, 0, "POST /up.php HTTP/1.1\r\n" UA, "xxBODYNEEDLExx"},
	  {1, AS_IS, 0, CONV_NO_BODY}},
	 "3:0:0"},
	{"post to another uri",
	 {{0, LENGTH, 0, "POST /up.asp HTTP/1.1\r\n" UA, "xxBODYNEEDLExx"},
	  {1, AS_IS, 0, CONV_NO_BODY}},
	 ""},
	{"chunked",
	 {{0, AS_IS, 0, CONV_GET("/")},
	  {1, CHUNKED, 300, CONV_OK, "an exact-body-marker, expected-phrase"}},
	 "4:1:0"},
	{"gzip",
	 {{0, AS_IS, 0, CONV_GET("/")},
	  {1, GZIP, 3000, CONV_OK, "chain-start expected-phrase chain-end"}},
	 "5:1:0"},
	{"gzip, too far apart",
	 {{0, AS_IS, 0, CONV_GET("/")},
	  {1, GZIP, 3000, CONV_OK, "chain-start expected-phrase 0123456789012345 chain-end"}},
	 ""},
	{"gzip in chunks",
	 {{0, AS_IS, 0, CONV_GET("/")},
	  {1, GZIP_CHUNKED, 5000, CONV_OK, "win-two expected-phrase win-one 123x456y"}},
	 "6:1:0 22:1:0"},
	{"deflate",
	 {{0, AS_IS, 0, CONV_GET("/")}, {1, DEFLATE, 70, CONV_OK, "exact-body-marker"}},
	 "4:1:0 25:1:0"},
	{"deflate, junk behind it",
	 {{0, AS_IS, 0, CONV_GET("/")},
	  {1, DEFLATE_JUNK, 70, CONV_OK, "expected-phrase"},
	  {1, LENGTH, 0, CONV_OK, "THE-END"}},
	 "4:1:0 9:1:1 25:1:1"},
	{"gzip, broken",
	 {{0, AS_IS, 0, CONV_GET("/")}, {1, GZIP_BROKEN, 4000, CONV_OK, "end"}},
	 "25:1:0",
	 .loose = true},
	{"gzip, junk behind it",
	 {{0, AS_IS, 0, CONV_GET("/")},
	  {1, GZIP_JUNK, 40, CONV_OK, "expected-phrase"},
	  {0, AS_IS, 0, CONV_GET("/needle-uri")}},
	 "1:0:1 4:1:0"},
	{"pipelined",
	 {{0, AS_IS, 0, CONV_GET("/needle-uri/1") CONV_GET("/2") CONV_GET("/needle-uri/3")},
	  {1, AS_IS, 0,
	   CONV_NO_BODY
	   "HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\nexact-body-marker" CONV_NO_BODY}},
	 "1:0:0 1:0:2 4:1:1 25:1:1"},
	{"keep-alive",
	 {{0, LENGTH, 0, "POST /1.php HTTP/1.1\r\n" UA, "BODYNEEDLE"},
	  {1, LENGTH, 0, CONV_OK, "BODYNEEDLE expected-phrase"},
	  {0, LENGTH, 0, "POST /2.php HTTP/1.1\r\n" UA, "BODYNEEDLE BODYNEEDLE"},
	  {1, LENGTH, 0, CONV_OK, "expected-phrase"},
	  {0, LENGTH, 0, "PUT /3.php HTTP/1.1\r\n" UA, "BODYNEEDLE"}},
	 "3:0:0 3:0:1"},
	{"head",
	 {{0, AS_IS, 0, "HEAD /needle-uri HTTP/1.1\r\n" UA "\r\n"},
	  {1, AS_IS, 0, "HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n"},
	  {0, AS_IS, 0, CONV_GET("/")},
	  {1, LENGTH, 0, CONV_OK, "exact-body-marker"}},
	 "1:0:0 4:1:1 25:1:1"},
	{"100 continue",
	 {{0, AS_IS, 0,
	   "POST /c.php HTTP/1.1\r\n" UA "Content-Length: 10\r\nExpect: 100-continue\r\n\r\n"},
	  {1, AS_IS, 0, "HTTP/1.1 100 Continue\r\n\r\n"},
	  {0, AS_IS, 0, "BODYNEEDLE"},
	  {1, LENGTH, 0, CONV_OK, "expected-phrase"}},
	 "3:0:0"},
	{"early hints",
	 {{0, AS_IS, 0, CONV_GET("/")},
	  {1, AS_IS, 0, "HTTP/1.1 103 Early Hints\r\nX-Test: one\r\n\r\n"},
	  {1, LENGTH, 0, CONV_OK "Server: raw-server\r\n", "expected-phrase"}},
	 "2:1:0 21:1:0"},
	{"until close",
	 {{0, AS_IS, 0, CONV_GET("/")}, {1, AS_IS, 0, CONV_OK "\r\nexpected-phrase THE-END"}},
	 "9:1:0"},
	{"until close, more behind",
	 {{0, AS_IS, 0, CONV_GET("/")}, {1, AS_IS, 0, CONV_OK "\r\nexpected-phrase THE-END "}},
	 ""},
	{"without an end",
	 {{0, AS_IS, 0, CONV_GET("/")}, {1, AS_IS, 0, CONV_OK "\r\nTHE-END"}},
	 "9:1:0 25:1:0",
	 true},
	{"chunks broken",
	 {{0, AS_IS, 0, CONV_GET("/")},
	  {1, AS_IS, 0,
	   CONV_OK "Transfer-Encoding: chunked\r\n\r\n17\r\nexact-body-marker 12345\r\nXX "
		   "RAW-NEEDLE behind"}},
	 "4:1:0 11:1:0 25:1:0"},
	{"lengths that differ",
	 {{0, AS_IS, 0,
	   "POST /needle-uri HTTP/1.1\r\n" UA
	   "Content-Length: 5\r\nContent-Length: 10\r\n\r\nRAW-NEEDLE"}},
	 "1:0:0 11:0:0 11:0:1"}, // in the longer body, and across the end of the shorter one
	{"not a start line",
	 {{0, AS_IS, 0, CONV_GET("/needle-uri") "@@@@\r\n\r\n RAW-NEEDLE"}},
	 "1:0:0 11:0:1"},
	{"long head", {{0, AS_IS, 0, CONV_LONG_GET}}, "1:0:0"},
	{"long head again", {{0, AS_IS, 0, CONV_LONG_GET}}, "1:0:0"},
	{"long head, third", {{0, AS_IS, 0, CONV_LONG_GET}}, "1:0:0"},
	{"long head, fourth", {{0, AS_IS, 0, CONV_LONG_GET}}, "1:0:0"},
	{"request without a response", {{0, AS_IS, 0, CONV_GET("/needle-uri")}}, "1:0:0"},
	{"body cut short",
	 {{0, AS_IS, 0,
	   "POST /t.php HTTP/1.1\r\n" UA "Content-Length: 100\r\n\r\nBODYNEEDLE neg-marker"}},
	 "3:0:0 7:0:0"},
	{"head cut short",
	 {{0, AS_IS, 0, "GET /needle-uri HTTP/1.1\r\nX: RAW-NEEDLE\r\n"}},
	 "1:0:0 11:0:0"},
	{"raw over head and body",
	 {{0, LENGTH, 0, "POST / HTTP/1.1\r\n" UA, "BODYSTART"},
	  {1, LENGTH, 0, CONV_OK, "BODYSTART expected-phrase"}},
	 "19:0:0 19:1:0"},
	{"raw and head",
	 {{0, LENGTH, 0, "POST /rawhead HTTP/1.1\r\n" UA "X: RAW-TWO\r\n", "x"},
	  {1, AS_IS, 0, CONV_NO_BODY},
	  {0, LENGTH, 0, "POST /rawhead HTTP/1.1\r\n" UA, "RAW-TWO"},
	  {1, AS_IS, 0, CONV_NO_BODY},
	  {0, LENGTH, 0, "POST /other HTTP/1.1\r\n" UA, "RAW-TWO"},
	  {1, AS_IS, 0, CONV_NO_BODY}},
	 "12:0:0 12:0:1"},
	{"raw negated",
	 {{0, AS_IS, 0, CONV_GET("/selective-uri-zzqx")},
	  {0, AS_IS, 0, "GET /selective-uri-zzqx HTTP/1.1\r\nX-Forbidden-Raw: 1\r\n" UA "\r\n"},
	  {0, LENGTH, 0, "POST /selective-uri-zzqx HTTP/1.1\r\n" UA, "X-Forbidden-Raw"},
	  {0, LENGTH, 0, "POST /selective-uri-zzqx HTTP/1.1\r\n" UA, "something else"}},
	 "18:0:0 18:0:3"},
	{"raw wakes a body",
	 {{0, LENGTH, 2000, "POST /RAW-WAKES HTTP/1.1\r\n" UA, "x"},
	  {0, LENGTH, 2000, "POST / HTTP/1.1\r\n" UA, "x RAW-WAKES x"},
	  {0, LENGTH, 2000, "POST / HTTP/1.1\r\n" UA, "asleep RAW-WAKES"}},
	 "20:0:0 20:0:1"},
	{"raw in a response head",
	 {{0, AS_IS, 0, CONV_GET("/") CONV_GET("/")},
	  {1, LENGTH, 0, "HTTP/1.1 404 Not Found\r\nServer: raw-server\r\nX: 1\r\n", "x"}},
	 "21:1:0"},
	{"raw from the start",
	 {{0, AS_IS, 0, "GET / HTTP/1.1\r\n" UA "Deep: deeper\r\n\r\n"}},
	 "24:0:0"},
	{"negated in a body",
	 {{0, LENGTH, 0, "POST / HTTP/1.1\r\n" UA, "neg-marker"},
	  {0, LENGTH, 0, "POST / HTTP/1.1\r\n" UA, "neg-marker forbidden"},
	  {0, CHUNKED, 0, "POST / HTTP/1.1\r\n" UA, "forbidden neg-marker"},
	  {0, CHUNKED, 90, "POST / HTTP/1.1\r\n" UA, "neg-marker for bidden"}},
	 "7:0:0 7:0:3"},
	{"positions",
	 {{0, LENGTH, 3, "POST / HTTP/1.1\r\n" UA, "POSITION"},
	  {0, LENGTH, 4, "POST / HTTP/1.1\r\n" UA, "POSITION"},
	  {0, LENGTH, 16, "POST / HTTP/1.1\r\n" UA, "POSITION"},
	  {0, LENGTH, 17, "POST / HTTP/1.1\r\n" UA, "POSITION"},
	  {0, LENGTH, 0, "POST / HTTP/1.1\r\n" UA, "lead, not follow"},
	  {0, LENGTH, 1, "POST / HTTP/1.1\r\n" UA, "lead"}},
	 "8:0:1 8:0:2 23:0:4"},
	{"pcre",
	 {{0, LENGTH, 0, "POST / HTTP/1.1\r\n" UA, "pcre-key=123& pcre-key=1234&"},
	  {0, LENGTH, 0, "POST / HTTP/1.1\r\n" UA, "pcre-key=123& pcre-key=123456789&"},
	  {0, AS_IS, 0, CONV_GET("/only-pcre-abc") CONV_GET("/only-pcre-abcd")}},
	 "10:0:0 14:0:2"},
	{"window",
	 {{0, LENGTH, 900, "POST / HTTP/1.1\r\n" UA, "buf-one buf-two, around=xx, near- and"},
	  {1, LENGTH, 900, CONV_OK,
	   "buf-two expected-phrase buf-one, no around=xx, around=xy, near-far"},
	  {0, CHUNKED, 0, "POST / HTTP/1.1\r\n" UA,
	   "buf-one 0123456789012345678901234567890 buf-two near-far near-"},
	  {1, GZIP, 7000, CONV_OK, "expected-phrase buf-one buf-two no around=xx around=yy"}},
	 "26:0:0 26:1:1 27:0:0 27:1:1 28:0:0 28:0:1"},
	{"gated",
	 {{0, CHUNKED, 50, "POST / HTTP/1.1\r\nUser-Agent: Mozilla Very-Selective-Agent/9.1\r\n",
	   "gated-body"},
	  {0, CHUNKED, 50, "POST / HTTP/1.1\r\nUser-Agent: Mozilla Very-Selective-Agent/9.2\r\n",
	   "gated-body"},
	  {0, CHUNKED, 50, "POST / HTTP/1.1\r\nUser-Agent: Mozilla Very-Selective-Agent/9.1\r\n",
	   "gate-body"}},
	 "13:0:0"},
	{"agents, hosts, cookies",
	 {{0, AS_IS, 0,
	   "GET / HTTP/1.1\r\nUser-Agent: curl/8\r\nHost: WWW.Victim.Example:8080\r\n\r\n"},
	  {1, LENGTH, 0, "HTTP/1.1 404 Not Found\r\nSet-Cookie: id=7; path=/\r\n", "x"},
	  {0, AS_IS, 0, "GET http://victim.example/ HTTP/1.1\r\n" UA "\r\n"},
	  {1, LENGTH, 0, "HTTP/1.1 403 Forbidden\r\nSet-Cookie: id=7; path=/\r\n", "x"}},
	 "15:0:0 16:1:0 17:0:0 17:0:1"},
	{"blank lines, folds and lone line feeds",
	 {{0, AS_IS, 0,
	   "\r\n\n\r\nGET /needle-uri HTTP/1.1\nX-Test:one\nUser-Agent: a\r\n Mozilla\r\n\r\n\r\n"},
	  {1, AS_IS, 0, "HTTP/1.1 200 OK\nContent-Length: 15\n\nexpected-phrase\r\n"}},
	 "1:0:0 2:0:0"},
	{"trailers",
	 {{0, AS_IS, 0,
	   "POST / HTTP/1.1\r\n" UA
	   "Transfer-Encoding: chunked\r\n\r\n4;x=y\r\nlead\r\n0\r\nX-Test: one\r\n\r\n" CONV_GET(
		   "/needle-uri")}},
	 "1:0:1 23:0:0"},
	{"simple request",
	 {{0, AS_IS, 0, "GET /needle-uri\r\n"}, {1, AS_IS, 0, "<html>RAW-NEEDLE</html>"}},
	 "1:0:0 11:1:0"},
	{"gzip by the second length",
	 {{0, AS_IS, 0,
	   CONV_RAW("POST /gz HTTP/1.1\r\n" UA
		    "Content-Encoding: gzip\r\nContent-Length: 7\r\nContent-Length: 37\r\n\r\n"
		    "\037\213\010\000\000\000\000\000\002\003\113\255\110\114\056\321\115\312\117"
		    "\251\324\315\115\054\312\116\055\002\000\202\155\330\022\021\000\000\000")}},
	 "4:0:0"},
	{"raw across two requests",
	 {{0, AS_IS, 0,
	   "POST /p HTTP/1.1\r\n" UA "Content-Length: 5\r\n\r\nxRAW-NEEDLE /x HTTP/1.1\r\n" UA
	   "\r\n"}},
	 "11:0:1"},
	{"pieces of a resource",
	 {{0, AS_IS, 0, CONV_GET("/r") CONV_GET("/r") CONV_GET("/r")},
	  {1, AS_IS, 0,
	   CONV_PIECE "0-9/26\r\nContent-Length: 10\r\n\r\nexact-body" CONV_PIECE
		      "7-16/26\r\nContent-Length: 10\r\n\r\nody-marker" CONV_PIECE
		      "17-25/26\r\nContent-Length: 9\r\n\r\nBODY-NEED"}},
	 ""},
	{"pieces of a resource, cut off",
	 {{0, AS_IS, 0, CONV_GET("/r") CONV_GET("/r")},
	  {1, AS_IS, 0,
	   CONV_PIECE "0-16/26\r\nContent-Length: 17\r\n\r\nexact-body-marker" CONV_PIECE
		      "17-25/26\r\nContent-Length: 9\r\n\r\nBODY"}},
	 "4:1:0"},
	{"connect",
	 {{0, AS_IS, 0, "CONNECT a.example:443 HTTP/1.1\r\n" UA "\r\n"},
	  {1, AS_IS, 0, "HTTP/1.1 200 Connected\r\nX-Test: one\r\n\r\n"},
	  {0, AS_IS, 0, CONV_RAW("\x16\x03\x01\x02\x00\x01 RAW-NEEDLE")}},
	 "2:1:0"},
	{"connect, HTTP inside",
	 {{0, AS_IS, 0, CONV_CONNECT},
	  {1, AS_IS, 0, CONV_CONNECTED},
	  {0, AS_IS, 0, CONV_GET("/needle-uri")},
	  {1, LENGTH, 0, CONV_OK, "an exact-body-marker, expected-phrase"},
	  {0, LENGTH, 0, "POST /up.php HTTP/1.1\r\n" UA, "xxBODYNEEDLExx"},
	  {1, AS_IS, 0, CONV_NO_BODY}},
	 "1:0:1 3:0:2 4:1:1"},
	{"connect, the server first",
	 {{0, AS_IS, 0, CONV_CONNECT},
	  {1, AS_IS, 0, CONV_CONNECTED CONV_OK "Content-Length: 20\r\n\r\nexact-body-marker-25"},
	  {0, AS_IS, 0, CONV_GET("/needle-uri")}},
	 "1:0:2 4:1:1 25:1:1"},
	{"connect, the client does not wait",
	 {{0, AS_IS, 0, CONV_CONNECT CONV_GET("/needle-uri")},
	  {1, AS_IS, 0, CONV_CONNECTED CONV_OK "Content-Length: 17\r\n\r\nexact-body-marker"},
	  {0, AS_IS, 0, CONV_GET("/needle-uri")},
	  {1, AS_IS, 0, CONV_NO_BODY}},
	 "1:0:1 1:0:2 4:1:1 25:1:1"},
	{"connect with a body that does not come",
	 {{0, AS_IS, 0, "CONNECT a.example:80 HTTP/1.1\r\n" UA "Content-Length: 1000\r\n\r\nlead"},
	  {1, AS_IS, 0, CONV_CONNECTED},
	  {0, AS_IS, 0, CONV_GET("/needle-uri")}},
	 "1:0:1 23:0:0"},
	{"connect, a proxy behind it",
	 {{0, AS_IS, 0, CONV_CONNECT},
	  {1, AS_IS, 0, CONV_CONNECTED},
	  {0, AS_IS, 0, CONV_CONNECT},
	  {1, AS_IS, 0, CONV_CONNECTED},
	  {0, AS_IS, 0, CONV_RAW("\4\1\0P\0\0\0\1RAW-NEEDLE\0RAW-NEEDLE\0")},
	  {1, AS_IS, 0, CONV_RAW("\0\x5a\0P\0\0\0\1")},
	  {0, AS_IS, 0, CONV_GET("/needle-uri") "RAW-NEEDLE"}},
	 "1:0:2 11:0:3"},
	{"connect, HTTP/2 inside",
	 {{0, AS_IS, 0, CONV_CONNECT},
	  {1, AS_IS, 0, CONV_CONNECTED},
	  {0, AS_IS, 0,
	   CONV_RAW("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"
		    "\0\0\x28\1\5\0\0\0\1\x82\x86\4\x0b/needle-uri\1\x09"
		    "a.example\x0f+\x0bMozilla/5.0")}},
	 "1:0:1"},
	{"connect, something else inside",
	 {{0, AS_IS, 0, CONV_CONNECT},
	  {1, AS_IS, 0, CONV_CONNECTED "220 mail.example ESMTP RAW-NEEDLE\r\n"},
	  {0, AS_IS, 0, "GET /needle-uri HTTP/1.1\r\n\r\n"}},
	 ""},
	{"connect is refused",
	 {{0, AS_IS, 0, CONV_CONNECT},
	  {1, AS_IS, 0, "HTTP/1.1 403 Forbidden\r\nContent-Length: 17\r\n\r\nexact-body-marker"},
	  {0, AS_IS, 0, CONV_GET("/needle-uri")}},
	 "1:0:1 4:1:0"},
	{"SOCKS 5",
	 {{0, AS_IS, 0, CONV_RAW("\5\2\0\2")},
	  {1, AS_IS, 0, CONV_RAW("\5\2")},
	  {0, AS_IS, 0, CONV_RAW("\1\4user\12RAW-NEEDLE\5\1\0\3\11a.example\0P")},
	  {1, AS_IS, 0, CONV_RAW("\1\0\5\0\0\1\0\0\0\0\0P")},
	  {0, AS_IS, 0, CONV_GET("/needle-uri")},
	  {1, LENGTH, 0, CONV_OK, "an exact-body-marker, expected-phrase"}},
	 "1:0:0 4:1:0"},
	{"SOCKS 5, the client does not wait",
	 {{0, AS_IS, 0, CONV_RAW("\5\1\0\5\1\0\3\11a.example\0P" CONV_GET("/needle-uri"))},
	  {1, AS_IS, 0,
	   CONV_RAW("\5\0\5\0\0\1\0\0\0\0\0P" CONV_OK
		    "Content-Length: 17\r\n\r\nexact-body-marker")}},
	 "1:0:0 4:1:0 25:1:0",
	 .begins = true},
	{"SOCKS 4, BIND has two answers",
	 {{0, AS_IS, 0, CONV_RAW("\4\2\0P\1\2\3\4user\0")},
	  {1, AS_IS, 0, CONV_RAW("\0\x5a\0P\1\2\3\4")},
	  {1, AS_IS, 0, CONV_RAW("\0\x5a\0P\5\6\7\x08")},
	  {0, AS_IS, 0, CONV_GET("/needle-uri")},
	  {1, LENGTH, 0, CONV_OK, "an exact-body-marker, expected-phrase"}},
	 "1:0:0 4:1:0",
	 .begins = true},
	{"SOCKS 5, TLS",
	 {{0, AS_IS, 0, CONV_RAW("\5\1\0")},
	  {1, AS_IS, 0, CONV_RAW("\5\0")},
	  {0, AS_IS, 0, CONV_RAW("\5\1\0\1\1\2\3\4\1\xbb")},
	  {1, AS_IS, 0, CONV_RAW("\5\0\0\1\1\2\3\4\1\xbb")},
	  {0, AS_IS, 0, CONV_RAW("\x16\3\1\2\0\1 RAW-NEEDLE")},
	  {1, AS_IS, 0, "HTTP/1.1 200 OK\r\n\r\nexact-body-marker"}},
	 ""},
	{"upgrade",
	 {{0, AS_IS, 0,
	   "GET /needle-uri HTTP/1.1\r\n" UA "Upgrade: irc\r\nConnection: Upgrade\r\n\r\n"},
	  {1, AS_IS, 0, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: irc\r\n\r\n"},
	  {1, AS_IS, 0, "RAW-NEEDLE"}},
	 "1:0:0"},
	{"websocket",
	 {{0, AS_IS, 0,
	   "GET /needle-uri HTTP/1.1\r\nUser-Agent: Very-Selective-Agent/9.1 Mozilla\r\n" CONV_WS},
	  {1, AS_IS, 0, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\n\r\n"},
	  {0, AS_IS, 0,
	   CONV_RAW("\x81\x8d    NO\x00GATED\x0d"
		    "BODY\x89\x91    EXACT\x0d"
		    "BODY\x0dMARKER\x01\x8d    LEADER\x00"
		    "EXACT\x0d\x80\x8b    BODY\x0dMARKER")},
	  {1, AS_IS, 0,
	   CONV_RAW("\x81\x11"
		    "exact-body-marker\x82\x04RAW-\x82\x0aRAW-NEEDLE")},
	  {0, AS_IS, 0, CONV_RAW("\x82\x8a    raw\x0dneedle\x88\x80    ")}},
	 "1:0:0 4:0:0 4:1:0 11:0:0 11:1:0 13:0:0 23:0:0"},
	{"websocket, messages are bodies of their own",
	 {{0, AS_IS, 0,
	   "GET /needle-uri HTTP/1.1\r\nUser-Agent: Very-Selective-Agent/9.1 Mozilla\r\n" CONV_WS},
	  {1, AS_IS, 0, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\n\r\n"},
	  {0, AS_IS, 0,
	   CONV_RAW("\x81\x88    A\x00GATED\x0d\x81\x84    BODY\x81\x88    MIS\x0dLEAD")},
	  {1, AS_IS, 0,
	   CONV_RAW("\x81\x0b"
		    "exact-body-\x81\x06marker")}},
	 "1:0:0"},
	{"websocket, compressed",
	 {{0, AS_IS, 0,
	   "GET /needle-uri HTTP/1.1\r\nUser-Agent: Very-Selective-Agent/9.1 Mozilla\r\n" CONV_WS},
	  {1, AS_IS, 0,
	   "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nSec-WebSocket-Extensions: "
	   "permessage-deflate\r\n\r\n"},
	  {0, AS_IS, 0,
	   CONV_RAW("\xc1\x8b    jo\x0cimqhg\xb0  \xc1\x90    "
		    "\xea\xeb\xa7\xf0\x9ai\xd9\x09\xb5*9\x89"
		    "e\x89  ")},
	  {1, AS_IS, 0,
	   CONV_RAW("\xc1\x10J\xadHL.\xd1M\xcaO\xa9TH\x05"
		    "3\x01\x00\xc1\x0fJ\xcc\x83"
		    "2@b\xba\xb9\x89"
		    "E\xd9\xa9"
		    "E\x00\x00\xc1\x1bR\x00\x82\x00\xff`\xcf\x10O\x7f\x3f\x05\x14\x05\x0a"
		    "A\x8e\xe1\xba~\xae\xae.>\xae\x00\x00")}},
	 "1:0:0 4:1:0 8:1:0 11:1:0 13:0:0"},
	{"websocket, then none",
	 {{0, AS_IS, 0,
	   "GET /needle-uri HTTP/1.1\r\nUser-Agent: Very-Selective-Agent/9.1 "
	   "Mozilla\r\n" CONV_WS},
	  {1, AS_IS, 0, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\n\r\n"},
	  {0, AS_IS, 0, CONV_RAW("\x81\x84    FINE\x83\x85RAW-NEEDLE")},
	  {1, AS_IS, 0,
	   CONV_RAW("\x81\x04"
		    "fine\xff\xff exact-body-marker")}},
	 "1:0:0 4:1:0 11:0:0"},
	{"websocket, then TLS",
	 {{0, AS_IS, 0,
	   "GET /needle-uri HTTP/1.1\r\nUser-Agent: Very-Selective-Agent/9.1 Mozilla\r\n" CONV_WS},
	  {1, AS_IS, 0, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\n\r\n"},
	  {0, AS_IS, 0, CONV_RAW("\x16\x03\x01\x02\x00\x01 RAW-NEEDLE")},
	  {1, AS_IS, 0, CONV_RAW("\x16\x03\x03\x00z RAW-NEEDLE")}},
	 "1:0:0"},
	{"HTTP/2",
	 {{0, AS_IS, 0,
	   CONV_RAW("PRI * "
		    "HTTP/"
		    "2."
		    "0\x0d\x0a\x0d\x0aSM\x0d\x0a\x0d\x0a\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00"
		    "\x00/\x01\x05\x00\x00\x00\x01\x82\x86\x04\x12/a/../n%65edle-uri\x01\x09"
		    "a.example\x0f+\x0bMozilla/"
		    "5.0\x00\x00$\x01\x04\x00\x00\x00\x03\x83\x86\x04\x07/up.php\x01\x09"
		    "a.example\x0f+\x0bMozilla/5.0\x00\x00\x09\x00\x00\x00\x00\x00\x03xx "
		    "BODYNE\x00\x00\x1f\x01\x05\x00\x00\x00\x05\x82\x86\x04\x02/x\x01\x09"
		    "a.example\x0f+\x0bMozilla/5.0\x00\x00\x0a\x00\x09\x00\x00\x00\x03\x03"
		    "EDLE xyyy")},
	  {1, AS_IS, 0,
	   CONV_RAW(
		   "\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x04\x01\x00\x00\x00\x00\x00"
		   "\x00\x01\x01\x04\x00\x00\x00\x01\x88\x00\x00\x08\x01\x04\x00\x00\x00\x05\x8d"
		   "\x0f(\x04id=7\x00\x00\x06\x00\x00\x00\x00\x00\x01"
		   "exact-"
		   "\x00\x00\x07\x00\x01\x00\x00\x00\x05nothing\x00\x00\x05\x00\x00\x00\x00\x00\x01"
		   "body-"
		   "\x00\x00\x01\x01\x05\x00\x00\x00\x03\x8b\x00\x00\x06\x00\x01\x00\x00\x00\x01mar"
		   "ker")}},
	 "1:0:0 3:0:1 4:1:0 16:1:2 25:1:0"},
	{"HTTP/2, the server first, gzip",
	 {{1, AS_IS, 0, CONV_RAW("\x00\x00\x00\x04\x00\x00\x00\x00\x00")},
	  {0, AS_IS, 0,
	   CONV_RAW("PRI * "
		    "HTTP/"
		    "2."
		    "0\x0d\x0a\x0d\x0aSM\x0d\x0a\x0d\x0a\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00"
		    "\x00(\x01\x05\x00\x00\x00\x01\x82\x86\x04\x0b/needle-uri\x01\x09"
		    "a.example\x0f+\x0bMozilla/5.0")},
	  {1, AS_IS, 0,
	   CONV_RAW("\x00\x00\x08\x01\x04\x00\x00\x00\x01\x88\x0f\x0b\x04gzip\x00\x00\x09\x00\x00"
		    "\x00\x00\x00\x01\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x00\x00\x09\x00\x00\x00"
		    "\x00\x00\x01\x03K\xccSH\xadHL."
		    "\x00\x00\x09\x00\x00\x00\x00\x00\x01\xd1M\xcaO\xa9\xd4\xcdM,"
		    "\x00\x00\x09\x00\x00\x00\x00\x00\x01\xcaN-"
		    "RH\xccKQ\x08\x00\x00\x09\x00\x00\x00\x00\x00\x01r\x0c\xd7\xf5suu\xf1q\x00\x00"
		    "\x09\x00\x00\x00\x00\x00\x01\x05\x00\xc9\x81!M#"
		    "\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x01\x00\x00"
		    "\x00\x01")}},
	 "1:0:0 4:1:0 25:1:0"},
	{"HTTP/2 by upgrade",
	 {{0, AS_IS, 0,
	   "GET /needle-uri HTTP/1.1\r\n" UA "Upgrade: h2c\r\nConnection: Upgrade\r\n\r\n"},
	  {1, AS_IS, 0,
	   CONV_RAW("HTTP/1.1 101 Switching Protocols\x0d\x0a"
		    "Connection: Upgrade\x0d\x0aUpgrade: "
		    "h2c\x0d\x0a\x0d\x0a\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00\x00\x01\x01\x04"
		    "\x00\x00\x00\x01\x88\x00\x00\x11\x00\x01\x00\x00\x00\x01"
		    "exact-body-marker")},
	  {0, AS_IS, 0,
	   CONV_RAW("PRI * "
		    "HTTP/"
		    "2."
		    "0\x0d\x0a\x0d\x0aSM\x0d\x0a\x0d\x0a\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00"
		    "\x00$\x01\x04\x00\x00\x00\x03\x83\x86\x04\x07/up.php\x01\x09"
		    "a.example\x0f+\x0bMozilla/5.0\x00\x00\x0a\x00\x01\x00\x00\x00\x03"
		    "BODYNEEDLE")},
	  {1, AS_IS, 0, CONV_RAW("\x00\x00\x01\x01\x05\x00\x00\x00\x03\x88")}},
	 "1:0:0 3:0:1 4:1:0 25:1:0"},
	{"HTTP/2, then none",
	 {{0, AS_IS, 0,
	   CONV_RAW("PRI * "
		    "HTTP/"
		    "2."
		    "0\x0d\x0a\x0d\x0aSM\x0d\x0a\x0d\x0a\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00"
		    "\x00(\x01\x05\x00\x00\x00\x01\x82\x86\x04\x0b/needle-uri\x01\x09"
		    "a.example\x0f+\x0bMozilla/5.0\x00\x00\x00\x09\x00\x00\x00\x00\x01RAW-NEEDLE")},
	  {1, AS_IS, 0,
	   CONV_RAW("\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00\x00\x01\x01\x04\x00\x00\x00\x01\x88"
		    "\x00\x00\x11\x00\x00\x00\x00\x00\x01"
		    "exact-body-marker\x00\x00\x01\x01\x04\x00\x00\x00\x03\x80RAW-NEEDLE")}},
	 "1:0:0 4:1:0 11:0:1 11:1:1 25:1:0"},
	{"tls",
	 {{0, AS_IS, 0, CONV_RAW("\x16\x03\x01\x02\x00\x01\x00\x01\xfc RAW-NEEDLE")},
	  {1, AS_IS, 0, CONV_RAW("\x16\x03\x03\x00\x7a RAW-NEEDLE")}},
	 ""},
	{"ssh",
	 {{1, AS_IS, 0, "SSH-2.0-OpenSSH_9.2\r\n"}, {0, AS_IS, 0, "SSH-2.0-RAW-NEEDLE\r\n"}},
	 ""},
	{"neither",
	 {{0, AS_IS, 0, CONV_RAW("\x00\x01\x02RAW-NEEDLE")}, {1, AS_IS, 0, "RAW-NEEDLE"}},
	 ""},
	{"large body",
	 {{0, LENGTH, 50000, "POST /l.php HTTP/1.1\r\n" UA, "BODYNEEDLE win-one"},
	  {1, LENGTH, 150000, CONV_OK,
	   "chain-start win-one win-two chain-end expected-phrase exact-body-marker neg-marker "
	   "buf-one buf-two"},
	  {0, AS_IS, 0, CONV_GET("/needle-uri")},
	  {1, GZIP, 150000, CONV_OK,
	   "chain-start win-one win-two chain-end forbidden exact-body-marker neg-marker"}},
	 "1:0:1 3:0:0 4:1:0 4:1:1 5:1:0 5:1:1 6:1:0 6:1:1 7:1:0 25:1:1 26:1:0",
	 .far = true},
};

// The bytes of one turn; free them.
static inline struct span conv_bytes(const struct conv_say *s)
{
	static const char *const more[] = {
		[LENGTH] = "Content-Length: %zu\r\n\r\n",
		[CHUNKED] = "Transfer-Encoding: chunked\r\n\r\n",
		[GZIP] = "Content-Encoding: gzip\r\nContent-Length: %zu\r\n\r\n",
		[GZIP_CHUNKED] = "Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n",
		[DEFLATE] = "Content-Encoding: deflate\r\nContent-Length: %zu\r\n\r\n",
		[GZIP_BROKEN] = "Content-Encoding: gzip\r\nContent-Length: %zu\r\n\r\n",
		[GZIP_JUNK] = "Content-Encoding: gzip\r\nContent-Length: %zu\r\n\r\n",
		[DEFLATE_JUNK] = "Content-Encoding: deflate\r\nContent-Length: %zu\r\n\r\n",
	};
	const bool chunked = s->how == CHUNKED || s->how == GZIP_CHUNKED;
	size_t head_len = s->head_len != 0 ? s->head_len : strlen(s->head);
	size_t text_len = s->body != NULL ? s->pad + strlen(s->body) : 0, len = text_len;
	uint8_t *text = malloc(text_len + 1), *body = malloc(text_len + 1000);
	uint8_t *out = malloc(head_len + 200 + 3 * (text_len + 1000)), *p = out;

	assert_true(text != NULL && body != NULL && out != NULL);
	// Filler that compresses, but not to nothing.
	for (size_t i = 0; i < s->pad; i++)
		text[i] = (uint8_t) "etaoin shrdlu.\n"[(i * i / 7 + i / 50) % 15];
	if (s->body != NULL)
		memcpy(text + s->pad, s->body, text_len - s->pad);
	memcpy(body, text, text_len);
	if (s->how >= GZIP) {
		struct isal_zstream z;

		isal_deflate_stateless_init(&z);
		z.next_in = text;
		z.avail_in = (uint32_t)text_len;
		z.next_out = body;
		z.avail_out = (uint32_t)text_len + 900;
		z.gzip_flag =
			s->how == DEFLATE || s->how == DEFLATE_JUNK ? IGZIP_DEFLATE : IGZIP_GZIP;
		z.end_of_stream = 1;
		assert_int_equal(isal_deflate_stateless(&z), COMP_OK);
		len = z.total_out;
	}
	if (s->how == GZIP_BROKEN)
		body[len / 2] ^= 0x55;
	if (s->how == GZIP_JUNK || s->how == DEFLATE_JUNK) {
		memcpy(body + len, "exact-body-marker", 17);
		len += 17;
	}
	memcpy(p, s->head, head_len);
	p += head_len;
	if (s->how != AS_IS)
		p += snprintf((char *)p, 150, more[s->how], len);
	for (size_t at = 0, n; s->how != AS_IS && at < len; at += n) {
		n = chunked && len - at > 7 ? 7 : len - at;
		if (chunked)
			p += sprintf((char *)p, "%zx\r\n", n);
		memcpy(p, body + at, n);
		p += n;
		if (chunked)
			p += sprintf((char *)p, "\r\n");
	}
	if (chunked)
		p += sprintf((char *)p, "0\r\n\r\n");
	free(text);
	free(body);
	return span_of(out, (size_t)(p - out));
}

#endif

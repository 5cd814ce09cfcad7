// SPDX-License-Identifier: BSD-2-Clause
// WebSocket and HTTP/2 through the whole pipeline, as a hostile peer speaks them: more streams than there is room for, resets,
// tunnels, floods of tiny messages, servers that only seem to begin HTTP/2. Every test ends with nothing held.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/pipekit.h"

enum { DATA = 0, HEADERS = 1, RST = 3, SETTINGS = 4, END_STREAM = 1, END_HEADERS = 4 };

static const char rules[] =
	"alert http any any -> any any (http.uri; content:\"/needle\"; sid:1;)\n"
	"alert http any any -> any any (http.request_body; content:\"body-needle\"; sid:2;)\n"
	"alert http any any -> any any (http.response_body; content:\"body-needle\"; sid:3;)\n"
	"alert tcp any any -> any any (content:\"raw-needle\"; sid:4;)\n"
	"alert http1 any any -> any any (http.uri; content:\"/needle\"; sid:5;)\n"
	"alert http2 any any -> any any (http.uri; content:\"/needle\"; sid:6;)\n"
	"alert websocket any any -> any any (websocket.payload; content:\"body-needle\"; sid:7;)\n"
	"alert tcp any any -> any any (http.stat_code; content:\"101\"; file.data; "
	"content:\"body-needle\"; "
	"sid:8;)\n";

struct bytes {
	uint8_t *p;
	size_t n, room;
};

static struct ruleset *rs;
static struct kit k;
static struct kit_list list;
static struct bytes said[2];

static int setup(void **state)
{
	struct pipeline_conf conf = kit_conf();

	conf.conns = 1000;
	conf.messages = 2000;
	conf.hits = conf.events = 8192;
	rs = kit_ruleset(rules, 1, NULL);
	kit_init(&k, &conf, rs);
	memset(&list, 0, sizeof(list));
	memset(said, 0, sizeof(said));
	kit_open(&list, 1000, 5000);
	return 0;
}

static int teardown(void **state)
{
	kit_done(&k);
	ruleset_free(rs);
	free(list.v);
	free(said[0].p);
	free(said[1].p);
	return 0;
}

static void put(uint8_t dir, const void *data, size_t len)
{
	struct bytes *b = &said[dir];

	if (b->n + len > b->room) {
		b->room = 2 * (b->n + len) + 4096;
		b->p = realloc(b->p, b->room);
		assert_non_null(b->p);
	}
	memcpy(b->p + b->n, data, len);
	b->n += len;
}

static void puts_to(uint8_t dir, const char *text)
{
	put(dir, text, strlen(text));
}

static void frame(uint8_t dir, uint8_t type, uint8_t flags, uint32_t stream, const void *data,
		  size_t len)
{
	const uint8_t header[9] = {
		0, (uint8_t)(len >> 8),     (uint8_t)len,           type,           flags,
		0, (uint8_t)(stream >> 16), (uint8_t)(stream >> 8), (uint8_t)stream};

	put(dir, header, sizeof(header));
	if (len > 0)
		put(dir, data, len);
}

static void h2_open(void)
{
	puts_to(0, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
	frame(0, SETTINGS, 0, 0, NULL, 0);
	frame(1, SETTINGS, 0, 0, NULL, 0);
}

static void post(uint32_t stream)
{
	frame(0, HEADERS, END_HEADERS, stream, "\x83\x86\x04\x02/p", 6);
}

// Hand over what both sides said since the last time, the client's first.
static void flush(uint32_t most)
{
	for (uint8_t dir = 0; dir < 2; dir++) {
		if (said[dir].n > 0)
			kit_data(&list, dir, span_of(said[dir].p, said[dir].n), most, NULL);
		kit_feed(&k, list.v, list.n, 16);
		kit_books(&k);
		list.n = 0;
		said[dir].n = 0;
	}
}

static uint32_t hits_of(uint32_t sid)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < k.n_hits; i++)
		n += k.hits[i].sid == sid;
	return n;
}

// 300 uploads begin and none ends: the oldest are given up, and what they go on to send is still looked at.
static void test_streams_evicted(void **state)
{
	h2_open();
	for (uint32_t i = 0; i < 300; i++)
		post(1 + 2 * i);
	for (uint32_t i = 0; i < 300; i++) {
		frame(0, DATA, 0, 1 + 2 * i, "body-", 5);
		frame(0, DATA, 0, 1 + 2 * i, "needle", 6);
	}
	flush(1400);
	assert_int_equal(hits_of(2), 300);
	assert_true(kit_count(&k, CNT_H2_STREAMS_FULL) >= 172);
	assert_int_equal(kit_count(&k, CNT_H2_NO_STREAM), 0);
	assert_int_equal(kit_count(&k, CNT_H2_BAD_FRAME), 0);
	kit_flush(&k);
}

static void test_rapid_reset(void **state)
{
	h2_open();
	for (uint32_t i = 0; i < 1000; i++) {
		frame(0, HEADERS, END_HEADERS | END_STREAM, 1 + 2 * i, "\x82\x86\x04\x07/needle",
		      11);
		frame(0, RST, 0, 1 + 2 * i, "\0\0\0\x08", 4);
	}
	flush(1400);
	assert_int_equal(kit_count(&k, CNT_H2_RESETS), 1000);
	assert_int_equal(kit_count(&k, CNT_HTTP_TRANSACTIONS), 1000);
	assert_int_equal(kit_count(&k, CNT_H2_STREAMS_FULL), 0);
	assert_int_equal(hits_of(1), 1000);
	assert_int_equal(hits_of(5), 0);
	assert_int_equal(hits_of(6), 1000);
	kit_flush(&k);
}

static const char h2_connect[] = "\x02\x07"
				 "CONNECT\x01\x05"
				 "a:443";

// What goes through a CONNECT stream is not HTTP; the stream beside it is.
static void test_connect(void **state)
{
	h2_open();
	frame(0, HEADERS, END_HEADERS, 1, h2_connect, sizeof(h2_connect) - 1);
	flush(1400);
	frame(1, HEADERS, END_HEADERS, 1, "\x88", 1);
	frame(1, DATA, 0, 1, "body-needle raw-needle", 22);
	flush(1400);
	frame(0, DATA, 0, 1, "body-needle raw-needle", 22);
	post(3);
	frame(0, DATA, END_STREAM, 3, "body-needle", 11);
	flush(1400);
	assert_int_equal(k.n_hits, 1);
	assert_int_equal(k.hits[0].tx_id, 1);
	assert_int_equal(kit_count(&k, CNT_H2_TUNNEL_BYTES), 44);
	kit_flush(&k);
}

// The same for what it carries by RFC 8441: a WebSocket.
static void test_connect_websocket(void **state)
{
	static const char asks[] = "\x02\x07"
				   "CONNECT\x86\x04\x02/c\x01\x01"
				   "a\x00\x09:protocol\x09websocket";

	h2_open();
	frame(0, HEADERS, END_HEADERS, 1, asks, sizeof(asks) - 1);
	flush(1400);
	frame(1, HEADERS, END_HEADERS, 1, "\x88", 1);
	frame(1, DATA, 0, 1,
	      "\x81\x0b"
	      "body-needle",
	      13);
	flush(1400);
	assert_int_equal(k.n_hits, 0);
	assert_int_equal(kit_count(&k, CNT_HTTP_REQUESTS), 1);
	assert_int_equal(kit_count(&k, CNT_H2_TUNNEL_BYTES), 13);
	kit_flush(&k);
}

// A CONNECT that is refused is a request like others, and so is what its client sent without waiting.
static void test_connect_refused(void **state)
{
	h2_open();
	frame(0, HEADERS, END_HEADERS, 1, h2_connect, sizeof(h2_connect) - 1);
	frame(0, DATA, 0, 1, "body-needle", 11);
	frame(1, HEADERS, END_HEADERS, 1,
	      "\x08\x03"
	      "403",
	      5);
	frame(1, DATA, END_STREAM, 1, "body-needle", 11);
	flush(1400);
	assert_int_equal(hits_of(2), 1);
	assert_int_equal(hits_of(3), 1);
	assert_int_equal(kit_count(&k, CNT_H2_TUNNEL_BYTES), 0);
	kit_flush(&k);
}

// Bytes that belong to no stream hide nothing.
static void test_other_bytes(void **state)
{
	h2_open();
	frame(0, 0x42, 0, 0, "an unknown raw-needle", 21);
	frame(1, 7, 0, 0, "\0\0\0\0\0\0\0\0debug raw-needle", 24);
	flush(1400);
	assert_int_equal(hits_of(4), 2);
	kit_flush(&k);
}

static void ws_open(void)
{
	puts_to(0, "GET /needle HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c, "
		   "websocket\r\n\r\n");
	flush(1400);
	puts_to(1, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n");
	flush(1400);
}

// Messages of one byte each are looked at several at a time, after the first few hundred; a larger one among them is
// found.
static void test_tiny_messages(void **state)
{
	ws_open();
	for (int i = 0; i < 3000; i++)
		put(1, "\x81\x01.", 3);
	put(1,
	    "\x81\x0b"
	    "body-needle",
	    13);
	for (int i = 0; i < 3000; i++)
		put(1, "\x81\x01.", 3);
	flush(700);
	assert_int_equal(kit_count(&k, CNT_WS_MESSAGES), 6001);
	assert_in_range(kit_count(&k, CNT_WS_JOINED), 4000, 5000);
	kit_flush(&k);
	assert_int_equal(hits_of(1), 1);
	assert_int_equal(hits_of(3), 0); // a message is no response
	assert_int_equal(hits_of(5), 1);
	assert_int_equal(hits_of(6), 0);
	assert_int_equal(hits_of(7), 1);
	assert_int_equal(hits_of(8), 1);
}

// Ordinary messages are never joined, however many.
static void test_many_messages(void **state)
{
	ws_open();
	for (int i = 0; i < 3000; i++)
		put(1,
		    "\x81\x0e"
		    "an update: 123",
		    16);
	put(1,
	    "\x81\x05"
	    "body-"
	    "\x81\x06"
	    "needle",
	    15);
	flush(1400);
	assert_int_equal(kit_count(&k, CNT_WS_JOINED), 0);
	kit_flush(&k);
	assert_int_equal(hits_of(7), 0);
}

// A gap in a frame's payload is a gap in its message; the next message is whole again.
static void test_ws_gap(void **state)
{
	static const char first[] = "\x81\x14"
				    "lost: body-nee",
			  rest[] = "dle...\x81\x0b"
				   "body-needle";

	ws_open();
	put(1, first, sizeof(first) - 1);
	flush(1400);
	list.next[1] += 6; // the bytes that end the first message never come
	put(1, rest + 6, sizeof(rest) - 1 - 6);
	flush(1400);
	kit_flush(&k);
	assert_int_equal(kit_count(&k, CNT_WS_GAP), 0);
	assert_int_equal(hits_of(7), 1);
}

// A server that begins with a NUL is none of HTTP/2's; its client's requests are read all the same.
static void test_not_settings(void **state)
{
	put(1, "\0\0", 2);
	kit_data(&list, 1, span_of(said[1].p, 2), 1, NULL);
	said[1].n = 0;
	kit_feed(&k, list.v, list.n, 16);
	list.n = 0;
	puts_to(0, "GET /needle HTTP/1.1\r\nHost: a\r\n\r\n");
	flush(1400);
	put(1, "\xff raw-needle", 12);
	flush(1400);
	kit_flush(&k);
	assert_int_equal(hits_of(1), 1);
	assert_int_equal(kit_count(&k, CNT_H2_CONNS), 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	static const struct CMUnitTest tests[] = {
		T(test_streams_evicted),   T(test_rapid_reset),     T(test_connect),
		T(test_connect_websocket), T(test_connect_refused), T(test_other_bytes),
		T(test_tiny_messages),     T(test_many_messages),   T(test_ws_gap),
		T(test_not_settings),
	};
#undef T

	return cmocka_run_group_tests(tests, NULL, NULL);
}

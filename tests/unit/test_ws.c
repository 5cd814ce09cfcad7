// SPDX-License-Identifier: BSD-2-Clause
// WebSocket frames: the examples of RFC 6455 and RFC 7692, what no endpoint accepts, and every split of all of them.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <zlib.h>

#include "dataplane/engine/http.h"
#include "dataplane/engine/ws.h"
#include "dataplane/engine/ws_inflate.h"
#include "tests/unit/guard.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

enum { ROOM = 1 << 20 };

static struct guard guard;
static uint8_t unmasked[WS_PIECE_BYTES + 64];
static uint8_t inflated[WS_INFLATE_PIECE + 64];
static struct ws_inflate inflater;
static struct counters counters;
static char *said;
static size_t said_len;

static int setup(void **state)
{
	guard_init(&guard, ROOM);
	said = malloc(ROOM);
	return said == NULL;
}

static int teardown(void **state)
{
	guard_done(&guard);
	free(said);
	return 0;
}

static void say(const void *data, size_t len)
{
	assert_true(said_len + len < ROOM);
	if (len > 0)
		memcpy(said + said_len, data, len);
	said_len += len;
	said[said_len] = '\0';
}

static void say_inflated(struct span in, bool tail)
{
	struct span out;

	if (tail)
		in = ws_inflate_tail(&inflater);
	while (ws_inflate_next(&inflater, &in, inflated, &out, &counters) == 1)
		say(out.data, out.len);
}

// Messages as "<text>", "z<text>" for compressed ones; what is no frame as "!bytes".
static void feed(struct ws_half *h, struct span in, bool *io_compressed)
{
	struct ws_event ev;

	while (ws_next(h, &in, unmasked, &counters, &ev) == 1) {
		switch (ev.kind) {
		case WS_EV_BEGIN:
			*io_compressed = ev.compressed;
			say(ev.compressed ? "z<" : "<", ev.compressed ? 2 : 1);
			if (ev.compressed)
				ws_inflate_begin(&inflater);
			break;
		case WS_EV_DATA:
			assert_true(ev.data.len > 0);
			if (*io_compressed)
				say_inflated(ev.data, false);
			else
				say(ev.data.data, ev.data.len);
			break;
		case WS_EV_END:
			if (*io_compressed)
				say_inflated(SPAN_NONE, true);
			*io_compressed = false;
			say(">", 1);
			break;
		case WS_EV_RAW:
			say("!", 1);
			say(ev.data.data, ev.data.len);
			break;
		}
	}
	assert_int_equal(in.len, 0);
}

// All of it, cut before bytes a and b.
static void run(struct span bytes, size_t a, size_t b, bool deflate, bool takeover)
{
	const size_t cut[] = {0, a, b, bytes.len};
	struct ws_half h;
	bool compressed = false;

	said_len = 0;
	said[0] = '\0';
	memset(&counters, 0, sizeof(counters));
	ws_init(&h, deflate);
	ws_inflate_init(&inflater, takeover);
	for (int i = 0; i < 3; i++) {
		size_t len = cut[i + 1] - cut[i];

		feed(&h, span_of(guard_put(&guard, bytes.data + cut[i], len, 0), len), &compressed);
	}
}

static struct span bytes_of(const char *hex)
{
	static uint8_t out[4096];
	size_t n = 0;
	unsigned int byte;

	for (; *hex != '\0'; hex++) {
		if (*hex == ' ')
			continue;
		assert_int_equal(sscanf(hex, "%2x", &byte), 1);
		assert_true(n < sizeof(out));
		out[n++] = (uint8_t)byte;
		hex++;
	}
	return span_of(out, n);
}

struct example {
	const char *name, *hex, *want;
	bool deflate, no_takeover;
};

static const struct example examples[] = {
	{"6455 unmasked", "8105 48656c6c6f", "<Hello>"},
	{"6455 masked", "8185 37fa213d 7f9f4d5158", "<Hello>"},
	{"6455 fragments", "0103 48656c 8002 6c6f", "<Hello>"},
	{"6455 ping and pong", "8905 48656c6c6f 8a85 37fa213d 7f9f4d5158", ""},
	{"ping between fragments", "0103 48656c 8900 8002 6c6f 8880 00000000", "<Hello>"},
	{"masked fragments, each with its key", "0183 01020304 49676f 8082 0f0e0d0c 6361",
	 "<Hello>"},
	{"empty messages", "8100 8200 8180 01020304", "<><><>"},
	{"empty fragments", "0100 0000 8001 61", "<a>"},
	{"16-bit length", "827e 0003 616263", "<abc>"},
	{"64-bit length", "827f 0000000000000003 616263", "<abc>"},
	{"7692 compressed", "c107 f248cdc9c90700", "z<Hello>", true},
	{"7692 fragments", "4103 f248cd 8004 c9c90700", "z<Hello>", true},
	{"7692 takeover", "c107 f248cdc9c90700 c105 f200110000", "z<Hello>z<Hello>", true},
	{"7692 no takeover", "c107 f248cdc9c90700 c107 f248cdc9c90700", "z<Hello>z<Hello>", true,
	 true},
	{"7692 stored", "c10b 000500faff48656c6c6f00", "z<Hello>", true},
	{"7692 last block", "c108 f348cdc9c9070000", "z<Hello>", true},
	{"7692 last block, and on", "c108 f348cdc9c9070000 c107 f248cdc9c90700", "z<Hello>z<Hello>",
	 true},
	{"7692 two blocks", "c10d f248050000 00ffffcac9c90700", "z<Hello>", true},
	{"7692 plain among compressed", "c107 f248cdc9c90700 8101 61 c105 f200110000",
	 "z<Hello><a>z<Hello>", true},
	{"RSV1 that was not agreed on", "c105 48656c6c6f", "<Hello>"},
	{"client that does not mask, reserved bits", "b105 48656c6c6f", "<Hello>"},
	{"end in a message", "0103 48656c 0002 6c", "<Hell"},
	// What no endpoint accepts.
	{"reserved opcode", "8301 61 8101 62",
	 "!\x83\x01!a\x81\x01"
	 "b"},
	{"reserved control opcode", "8b00", "!\x8b"},
	{"continuation of nothing", "8001 61", "!\x80\x01!a"},
	{"message in a message", "0101 61 8101 62", "<a!\x81\x01!b"},
	{"control frame in fragments", "0901 61", "!\x09\x01!a"},
	{"long control frame", "887e 007e 61", "!\x88\x7e"},
	{"length with its top bit", "827f 8000000000000000 61", "!\x82\x7f\x80"},
	{"TLS", "160301 0001", "!\x16\x03!\x01"},
};

// A transcript without the marks of pieces: RAW comes in as many as the input.
static void normalize(char *text, size_t *io_len)
{
	size_t out = 0;
	bool raw = false;

	for (size_t i = 0; i < *io_len; i++) {
		if (text[i] == '!' && raw)
			continue;
		raw |= text[i] == '!';
		text[out++] = text[i];
	}
	*io_len = out;
	text[out] = '\0';
}

static void test_examples(void **state)
{
	static char whole[ROOM];

	for (size_t i = 0; i < N(examples); i++) {
		const struct example *e = &examples[i];
		struct span bytes = bytes_of(e->hex);
		size_t whole_len;

		run(bytes, 0, 0, e->deflate, !e->no_takeover);
		// A text with NUL bytes is compared up to the first.
		if (strncmp(said, e->want, strlen(e->want)) != 0 ||
		    (strchr(e->want, '!') == NULL && said_len != strlen(e->want)))
			fail_msg("%s: said \"%s\", wanted \"%s\"", e->name, said, e->want);
		normalize(said, &said_len);
		memcpy(whole, said, said_len);
		whole_len = said_len;
		for (size_t a = 0; a <= bytes.len; a++) {
			for (size_t b = a; b <= bytes.len; b++) {
				run(bytes, a, b, e->deflate, !e->no_takeover);
				normalize(said, &said_len);
				assert_int_equal(said_len, whole_len);
				assert_memory_equal(said, whole, said_len);
			}
		}
	}
}

static void test_counts(void **state)
{
	run(bytes_of("0103 48656c 8900 8002 6c6f 8101 61 8300"), 0, 0, false, true);
	assert_int_equal(counters.v[CNT_WS_MESSAGES], 2);
	assert_int_equal(counters.v[CNT_WS_BYTES], 6);
	assert_int_equal(counters.v[CNT_WS_BAD_FRAME], 1);
}

// Payloads of every length around the sizes of words and pieces, at every phase of the mask.
static void test_unmask(void **state)
{
	static uint8_t frame[WS_HEADER_MAX + 3 * WS_PIECE_BYTES];
	static const uint8_t mask[4] = {0x12, 0x00, 0xff, 0x80};
	static const size_t lens[] = {1,
				      2,
				      3,
				      7,
				      8,
				      9,
				      15,
				      16,
				      17,
				      31,
				      33,
				      63,
				      64,
				      65,
				      125,
				      WS_PIECE_BYTES - 1,
				      WS_PIECE_BYTES,
				      WS_PIECE_BYTES + 1,
				      2 * WS_PIECE_BYTES + 5};

	for (size_t i = 0; i < N(lens); i++) {
		size_t n = lens[i], at = 4;

		memcpy(frame, "\x82\xfe", 2);
		frame[2] = (uint8_t)(n >> 8);
		frame[3] = (uint8_t)n;
		memcpy(frame + at, mask, 4);
		at += 4;
		for (size_t k = 0; k < n; k++)
			frame[at + k] = (uint8_t)('a' + k % 26) ^ mask[k & 3];
		for (size_t cut = 0; cut < 12 && cut <= n; cut++) {
			run(span_of(frame, at + n), at + cut,
			    at + n - cut / 2 > at + cut ? at + n - cut / 2 : at + cut, false, true);
			assert_int_equal(said_len, n + 2);
			for (size_t k = 0; k < n; k++)
				assert_int_equal(said[1 + k], 'a' + k % 26);
		}
	}
}

static void test_gap(void **state)
{
	struct ws_half h;
	bool compressed = false;

	memset(&counters, 0, sizeof(counters));
	said_len = 0;
	ws_init(&h, false);
	// Key 01 02 03 04; three of eight bytes are missing.
	feed(&h, bytes_of("8188 01020304 6060"), &compressed);
	assert_true(ws_in_message(&h));
	assert_true(ws_gap(&h, 3, &counters));
	feed(&h, bytes_of("616263 8101 7a"), &compressed);
	assert_string_equal(said, "<abcag><z>");
	assert_int_equal(counters.v[CNT_WS_GAP], 0);
	// More than the frame has: nobody knows where the next one begins.
	said_len = 0;
	feed(&h, bytes_of("8103 61"), &compressed);
	assert_false(ws_gap(&h, 3, &counters));
	assert_false(ws_in_message(&h));
	feed(&h, bytes_of("8101 7a"), &compressed);
	assert_string_equal(said, "<a!\x81\x01z");
	assert_int_equal(counters.v[CNT_WS_GAP], 1);
}

// A gap in a compressed message: it is over with it, and with those that refer to it.
static void test_gap_compressed(void **state)
{
	static const struct span tail = SPAN_LIT("abc");

	for (int takeover = 0; takeover < 2; takeover++) {
		struct span in = tail;

		memset(&counters, 0, sizeof(counters));
		said_len = 0;
		ws_inflate_init(&inflater, takeover != 0);
		ws_inflate_begin(&inflater);
		ws_inflate_gap(&inflater, &counters);
		say_inflated(in, false);
		say_inflated(SPAN_NONE, true);
		assert_string_equal(said, "abc");
		ws_inflate_begin(&inflater);
		say_inflated(bytes_of("f248cdc9c90700"), false);
		say_inflated(SPAN_NONE, true);
		if (takeover)
			assert_memory_equal(said, "abc\xf2\x48", 5);
		else
			assert_string_equal(said, "abcHello");
		assert_int_equal(counters.v[CNT_WS_BAD_DATA], 1);
	}
}

// A message as zlib compresses it, without the four bytes of the flush. Returns its length.
static size_t pack(z_stream *z, const void *in, size_t n, uint8_t *out, size_t room)
{
	z->next_in = (uint8_t *)(uintptr_t)in;
	z->avail_in = (uInt)n;
	z->next_out = out;
	z->avail_out = (uInt)room;
	assert_int_equal(deflate(z, Z_SYNC_FLUSH), Z_OK);
	n = room - z->avail_out;
	assert_true(z->avail_out > 0 && n >= 4);
	assert_memory_equal(out + n - 4, "\0\0\xff\xff", 4);
	return n - 4;
}

// Messages of all kinds and sizes, each in pieces of some size, with and without takeover, against zlib.
static void test_against_zlib(void **state)
{
	static uint8_t plain[300000], packed[400000];
	static const size_t sizes[] = {1,     2,     3,     100,    32767, 32768,
				       32769, 65536, 65537, 300000, 10,    70000};
	uint32_t seed = 1;

	for (int takeover = 0; takeover < 2; takeover++) {
		z_stream z = {0};

		assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY), Z_OK);
		memset(&counters, 0, sizeof(counters));
		ws_inflate_init(&inflater, takeover != 0);
		for (size_t i = 0; i < 3 * N(sizes); i++) {
			size_t n = sizes[i % N(sizes)], len, piece;

			for (size_t k = 0; k < n; k++) {
				seed = seed * 1103515245 + 12345;
				plain[k] = i < N(sizes)       ? (uint8_t)('a' + (seed >> 16) % 20)
					   : i < 2 * N(sizes) ? (uint8_t)(k / 1000)
							      : (uint8_t)(seed >> 24);
			}
			if (!takeover)
				deflateReset(&z);
			len = pack(&z, plain, n, packed, sizeof(packed));
			piece = i % 3 == 0 ? 1 : i % 3 == 1 ? 1448 : len;
			said_len = 0;
			ws_inflate_begin(&inflater);
			for (size_t at = 0; at < len; at += piece) {
				size_t k = len - at < piece ? len - at : piece;

				say_inflated(span_of(guard_put(&guard, packed + at, k, 0), k),
					     false);
			}
			say_inflated(SPAN_NONE, true);
			assert_int_equal(said_len, n);
			assert_memory_equal(said, plain, n);
		}
		assert_int_equal(counters.v[CNT_WS_BAD_DATA], 0);
		assert_int_equal(counters.v[CNT_WS_INFLATE_LIMIT], 0);
		deflateEnd(&z);
	}
}

// Zeros, a thousandfold: inflated up to the budget, then handed on as sent.
static void test_bomb(void **state)
{
	static uint8_t zeros[1 << 20], packed[8192];
	uint64_t in_bytes = 0, out_bytes = 0;
	z_stream z = {0};
	struct span out;

	assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY), Z_OK);
	memset(&counters, 0, sizeof(counters));
	ws_inflate_init(&inflater, true);
	for (int message = 0; message < 20; message++) {
		struct span in =
			span_of(packed, pack(&z, zeros, sizeof(zeros), packed, sizeof(packed)));

		in_bytes += in.len;
		ws_inflate_begin(&inflater);
		while (ws_inflate_next(&inflater, &in, inflated, &out, &counters) == 1)
			out_bytes += out.len;
		in = ws_inflate_tail(&inflater);
		while (ws_inflate_next(&inflater, &in, inflated, &out, &counters) == 1)
			out_bytes += out.len;
	}
	deflateEnd(&z);
	assert_true(out_bytes >= WS_INFLATE_FREE_BYTES);
	assert_true(out_bytes <=
		    WS_INFLATE_FREE_BYTES + WS_INFLATE_RATIO_MAX * in_bytes + WS_INFLATE_PIECE);
	assert_int_equal(counters.v[CNT_WS_INFLATE_LIMIT], 1);
	assert_int_equal(counters.v[CNT_WS_BAD_DATA], 0);
}

static void test_broken(void **state)
{
	memset(&counters, 0, sizeof(counters));
	said_len = 0;
	ws_inflate_init(&inflater, false);
	ws_inflate_begin(&inflater);
	say_inflated(bytes_of("07"), false); // block type 3 does not exist
	say_inflated(SPAN_LIT("needle"), false);
	assert_true(said_len >= 6);
	assert_memory_equal(said + said_len - 6, "needle", 6);
	assert_int_equal(counters.v[CNT_WS_BAD_DATA], 1);
	assert_int_equal(ws_inflate_tail(&inflater).len, 0);
}

static void test_extensions(void **state)
{
	static const struct {
		const char *fields;
		bool deflate, no_takeover[2];
	} cases[] = {
		{"", false, {false, false}},
		{"Sec-WebSocket-Extensions: permessage-deflate\r\n", true, {false, false}},
		{"sec-websocket-extensions:PERMESSAGE-DEFLATE ; server_no_context_takeover;"
		 "client_max_window_bits=15\r\n",
		 true,
		 {false, true}},
		{"Sec-WebSocket-Extensions: x-foo; a=b, permessage-deflate; "
		 "client_no_context_takeover\r\n",
		 true,
		 {true, false}},
		{"Sec-WebSocket-Extensions: foo\r\nSec-WebSocket-Extensions: "
		 "permessage-deflate\r\n",
		 true,
		 {false, false}},
		{"Sec-WebSocket-Extensions: permessage-deflated\r\n", false, {false, false}},
		{"Sec-WebSocket-Extensions: ;;,,=permessage-deflate\r\n", false, {false, false}},
		{"Sec-WebSocket-Protocol: permessage-deflate\r\n", false, {false, false}},
	};
	static struct http_head head;
	char text[512];

	for (size_t i = 0; i < N(cases); i++) {
		struct ws_extensions ext;
		int len = snprintf(text, sizeof(text), "HTTP/1.1 101 Switching Protocols\r\n%s\r\n",
				   cases[i].fields);

		assert_int_equal(http_head_parse(span_of(text, (size_t)len), DIR_TO_CLIENT,
						 HTTP_ANSWERS_OTHER, &counters, &head),
				 0);
		ws_extensions_read(&head, &ext);
		assert_int_equal(ext.deflate, cases[i].deflate);
		assert_int_equal(ext.no_takeover[0], cases[i].no_takeover[0]);
		assert_int_equal(ext.no_takeover[1], cases[i].no_takeover[1]);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_examples),       cmocka_unit_test(test_counts),
		cmocka_unit_test(test_unmask),         cmocka_unit_test(test_gap),
		cmocka_unit_test(test_gap_compressed), cmocka_unit_test(test_bomb),
		cmocka_unit_test(test_against_zlib),   cmocka_unit_test(test_broken),
		cmocka_unit_test(test_extensions),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

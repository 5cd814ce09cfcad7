// SPDX-License-Identifier: BSD-2-Clause
// HTTP/2 frames and header blocks: the examples of RFC 7541, all frame types, what no endpoint accepts, and the limits; every
// conversation at every split.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "dataplane/engine/h2.h"
#include "dataplane/engine/http.h"
#include "tests/unit/guard.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

enum {
	ROOM = 4 << 20,
	BYTES_MAX = 1 << 20,
	DATA = 0,
	HEADERS = 1,
	PRIORITY = 2,
	RST = 3,
	SETTINGS = 4,
	PUSH = 5,
	PING = 6,
	GOAWAY = 7,
	WINDOW = 8,
	CONTINUATION = 9,
	END_STREAM = 1,
	END_HEADERS = 4,
	PADDED = 8
};

static struct guard guard;
static struct counters counters;
static struct pool gathers, chunks;
static struct h2_parser parser = {.gathers = &gathers, .counters = &counters};
static struct h2_arena arena;
static uint8_t *gather_memory, *chunk_memory;
static uint32_t n_chunks = H2_CHUNKS_MAX, n_gathers = 2;
static char *said;
static size_t said_len;

// The bytes under construction.
static uint8_t *bytes;
static size_t n_bytes;

static int setup(void **state)
{
	guard_init(&guard, BYTES_MAX);
	said = malloc(ROOM);
	bytes = malloc(BYTES_MAX);
	parser.head = malloc(HTTP_GATHER_BYTES);
	gather_memory = malloc(2 * HTTP_GATHER_BYTES);
	chunk_memory = malloc(H2_CHUNKS_MAX * H2_CHUNK_BYTES);
	return said == NULL || bytes == NULL || parser.head == NULL || gather_memory == NULL ||
	       chunk_memory == NULL;
}

static int teardown(void **state)
{
	guard_done(&guard);
	free(said);
	free(bytes);
	free(parser.head);
	free(gather_memory);
	free(chunk_memory);
	return 0;
}

// ---- making ----

static void begin(void)
{
	n_bytes = 0;
}

static void put(const void *data, size_t len)
{
	assert_true(n_bytes + len <= BYTES_MAX);
	if (len > 0)
		memcpy(bytes + n_bytes, data, len);
	n_bytes += len;
}

static void frame_raw(uint8_t type, uint8_t flags, uint32_t stream, const void *data, size_t len)
{
	const uint8_t header[9] = {(uint8_t)(len >> 16),
				   (uint8_t)(len >> 8),
				   (uint8_t)len,
				   type,
				   flags,
				   (uint8_t)(stream >> 24),
				   (uint8_t)(stream >> 16),
				   (uint8_t)(stream >> 8),
				   (uint8_t)stream};

	put(header, 9);
	put(data, len);
}

static void frame(uint8_t type, uint8_t flags, uint32_t stream, const char *hex)
{
	uint8_t out[4096];
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
	frame_raw(type, flags, stream, out, n);
}

static void text(uint8_t type, uint8_t flags, uint32_t stream, const char *data)
{
	frame_raw(type, flags, stream, data, strlen(data));
}

static void client(void)
{
	begin();
	put("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24);
	frame(SETTINGS, 0, 0, "");
}

// ---- reading ----

static void say(const void *data, size_t len)
{
	assert_true(said_len + len < ROOM);
	if (len > 0)
		memcpy(said + said_len, data, len);
	said_len += len;
	said[said_len] = '\0';
}

static char last_kind;
static uint32_t last_stream;

// Pieces of one thing are joined: "1D<abc>" is body bytes of stream 1.
static void say_event(const struct h2_event *ev)
{
	static const char kinds[] = {[H2_EV_HEAD] = 'H',  [H2_EV_DATA] = 'D',  [H2_EV_END] = 'E',
				     [H2_EV_RESET] = 'R', [H2_EV_OTHER] = 'O', [H2_EV_RAW] = '!'};
	char mark[32];
	char kind = kinds[ev->kind];
	int n;

	if (kind == last_kind && ev->stream == last_stream && strchr("DO!", kind) != NULL) {
		said_len -= 1;
	} else {
		n = snprintf(mark, sizeof(mark), "%u%c", ev->stream, kind);
		say(mark, (size_t)n);
		if (ev->kind == H2_EV_HEAD && ev->promised != 0) {
			n = snprintf(mark, sizeof(mark), "+%u", ev->promised);
			say(mark, (size_t)n);
		}
		if (ev->kind == H2_EV_HEAD && !ev->has_start)
			say("t", 1);
		if (ev->kind == H2_EV_HEAD && ev->cut)
			say("c", 1);
		if (ev->kind == H2_EV_HEAD && ev->end_stream)
			say(".", 1);
		say("<", 1);
	}
	say(ev->data.data, ev->data.len);
	say(">", 1);
	last_kind = kind;
	last_stream = ev->stream;
}

static struct h2_half half;

static void start(enum dir dir, enum h2_preface preface)
{
	said_len = 0;
	said[0] = '\0';
	last_kind = '\0';
	memset(&counters, 0, sizeof(counters));
	pool_init(&gathers, gather_memory, n_gathers, HTTP_GATHER_BYTES);
	pool_init(&chunks, chunk_memory, n_chunks, H2_CHUNK_BYTES);
	h2_arena_init(&arena, &chunks);
	h2_init(&half, dir, preface);
}

static void feed(const uint8_t *data, size_t len)
{
	struct span in = span_of(guard_put(&guard, data, len, 0), len);
	struct h2_event ev;

	while (h2_next(&half, &parser, &arena, &in, &ev) == 1)
		say_event(&ev);
	assert_int_equal(in.len, 0);
}

static void finish(void)
{
	h2_done(&half, &parser);
	h2_arena_done(&arena);
	assert_int_equal(gathers.used, 0);
	assert_int_equal(chunks.used, 0);
}

static void run_cut(enum dir dir, enum h2_preface preface, size_t a, size_t b)
{
	start(dir, preface);
	feed(bytes, a);
	feed(bytes + a, b - a);
	feed(bytes + b, n_bytes - b);
	finish();
}

// What was made says want, and says it at every split.
static void expect_from(enum dir dir, enum h2_preface preface, const char *want)
{
	run_cut(dir, preface, 0, 0);
	assert_string_equal(said, want);
	for (size_t a = 0; a <= n_bytes; a++) {
		run_cut(dir, preface, a, a);
		assert_string_equal(said, want);
		run_cut(dir, preface, a, a + (n_bytes - a) / 2);
		assert_string_equal(said, want);
	}
	start(dir, preface);
	for (size_t a = 0; a < n_bytes; a++)
		feed(bytes + a, 1);
	finish();
	assert_string_equal(said, want);
}

static void expect(const char *want)
{
	expect_from(DIR_TO_SERVER, H2_PREFACE_ALL, want);
}

#define WWW "host: www.example.com\r\n"

// RFC 7541 C.3 and C.4: the same requests without and with Huffman coding.
static void test_requests(void **state)
{
	static const char want[] =
		"1H.<GET / HTTP/2\r\n" WWW "\r\n>1E<>"
		"3H.<GET / HTTP/2\r\n" WWW "cache-control: no-cache\r\n\r\n>3E<>"
		"5H.<GET /index.html HTTP/2\r\n" WWW "custom-key: custom-value\r\n\r\n>5E<>";

	client();
	frame(HEADERS, 5, 1, "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d");
	frame(HEADERS, 5, 3, "8286 84be 5808 6e6f 2d63 6163 6865");
	frame(HEADERS, 5, 5,
	      "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65");
	expect(want);
	client();
	frame(HEADERS, 5, 1, "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff");
	frame(HEADERS, 5, 3, "8286 84be 5886 a8eb 1064 9cbf");
	frame(HEADERS, 5, 5, "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf");
	expect(want);
	assert_int_equal(counters.v[CNT_H2_FRAMES], 4);
	assert_int_equal(counters.v[CNT_H2_BAD_FRAME], 0);
}

#define PRIVATE  "cache-control: private\r\n"
#define DATE(s)  "date: Mon, 21 Oct 2013 20:13:" s " GMT\r\n"
#define LOCATION "location: https://www.example.com\r\n"

// RFC 7541 C.6.
static void test_responses(void **state)
{
	begin();
	frame(SETTINGS, 0, 0, "");
	frame(HEADERS, 4, 1,
	      "4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 "
	      "2d1b "
	      "ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3");
	text(DATA, 1, 1, "body");
	frame(HEADERS, 5, 3, "4883 640e ffc1 c0bf");
	frame(HEADERS, 5, 5,
	      "88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab "
	      "77ad "
	      "94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 "
	      "3160 "
	      "65c0 03ed 4ee5 b106 3d50 07");
	expect_from(DIR_TO_CLIENT, H2_PREFACE_NONE,
		    "1H<HTTP/2 302\r\n" PRIVATE DATE("21") LOCATION
		    "\r\n>1D<body>1E<>"
		    "3H.<HTTP/2 307\r\n" PRIVATE DATE("21") LOCATION
		    "\r\n>3E<>"
		    "5H.<HTTP/2 200\r\n" PRIVATE DATE("22") LOCATION
		    "content-encoding: gzip\r\n"
		    "set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; "
		    "version=1\r\n\r\n>5E<>");
}

// Two streams whose bodies come in turns; padding, priority, frames nobody asked for.
static void test_streams(void **state)
{
	client();
	frame(WINDOW, 0, 0, "00010000");
	frame(HEADERS, 0x2c, 1, "03 80000000 10 8386 84 5a5a5a"); // padded, priority
	frame(PRIORITY, 0, 3, "00000000 01");
	frame(HEADERS, 4, 3, "8386 84");
	text(DATA, 0, 1, "first ");
	text(DATA, 0, 3, "third ");
	frame(PING, 0, 0, "0001020304050607");
	frame(DATA, PADDED, 1, "02 6861 7a7a");
	frame(0x7f, 0xff, 9, "756e6b6e6f776e"); // "unknown"
	text(DATA, 1, 3, "ends");
	frame(DATA, 0, 1, "");
	frame(DATA, 1, 1, "");
	frame(RST, 0, 3, "00000008");
	frame(GOAWAY, 0, 0, "00000000 00000000 627965");
	expect("0O<ZZZ>1H<POST / HTTP/2\r\n\r\n>3H<POST / HTTP/2\r\n\r\n>1D<first >3D<third >"
	       "1D<ha>0O<zzunknown>3D<ends>3E<>1E<>3R<>"
	       "0O<");
	assert_int_equal(counters.v[CNT_H2_RESETS], 1);
}

// A block in three frames, a trailer, an interim response, a promise.
static void test_blocks(void **state)
{
	client();
	frame(HEADERS, 1, 1, "82 86");
	frame(CONTINUATION, 0, 1, "");
	frame(CONTINUATION, 0, 1, "84 00 03 61");
	frame(CONTINUATION, 4, 1, "6263 01 64");
	expect("1H.<GET / HTTP/2\r\nabc: d\r\n\r\n>1E<>");
	begin();
	frame(SETTINGS, 0, 0, "000400010000");
	frame(SETTINGS, 1, 0, "");
	frame(HEADERS, 4, 1, "08 03 313030"); // :status 100
	frame(HEADERS, 4, 1, "88");
	text(DATA, 0, 1, "x");
	frame(PUSH, 4 | PADDED, 1, "01 00000002 82 87 84 7a");
	frame(HEADERS, 5, 1, "00 03 737570 01 79"); // "sup: y"
	frame(HEADERS, 5, 2, "8d");
	expect_from(
		DIR_TO_CLIENT, H2_PREFACE_NONE,
		"1H<HTTP/2 100\r\n\r\n>1H<HTTP/2 200\r\n\r\n>1D<x>0O<z>1H+2<GET / HTTP/2\r\n\r\n>"
		"1Ht.<sup: y\r\n\r\n>1E<>2H.<HTTP/2 404\r\n\r\n>2E<>");
}

// Fields as only an attacker sends them; cookies in crumbs.
static void test_fields(void **state)
{
	client();
	// x: "a CR LF LF b", then a name with blanks and LF, an empty name, a second path, a path behind fields.
	frame(HEADERS, 5, 1, "82 86 00 01 78 05 610d0a0a62");
	expect("1H.<GET / HTTP/2\r\nx: a   b\r\n\r\n>1E<>");
	assert_int_equal(counters.v[CNT_HTTP_BAD_HEADER], 1);
	client();
	frame(HEADERS, 5, 1, "82 00 04 2061 0a62 01 63 00 00 01 64");
	expect("1H.<GET / HTTP/2\r\n_a_b: c\r\n: d\r\n\r\n>1E<>");
	client();
	frame(HEADERS, 5, 1, "82 00 01 61 01 62 04 02 2f78 04 02 2f79 00 06 3a7765697264 01 31");
	expect("1H.<GET /x HTTP/2\r\na: b\r\n:path: /y\r\n:weird: 1\r\n\r\n>1E<>");
	client();
	frame(HEADERS, 5, 1, "82 84 0f11 03 613d31 0f11 03 623d32 00 01 78 00 0f11 03 633d33");
	expect("1H.<GET / HTTP/2\r\ncookie: a=1; b=2\r\nx: \r\ncookie: c=3\r\n\r\n>1E<>");
	client();
	frame(HEADERS, 4, 1, "02 07 434f4e4e454354 01 05 613a343433"); // CONNECT, authority a:443
	expect("1H<CONNECT a:443 HTTP/2\r\n\r\n>");
	client();
	frame(HEADERS, 5, 1, ""); // an empty block
	expect("1Ht.<\r\n>1E<>");
	client();
	frame(HEADERS, 5, 1, "84"); // no method
	expect("1H.<- / HTTP/2\r\n\r\n>1E<>");
}

struct bad {
	const char *name;
	uint8_t type, flags;
	uint32_t stream;
	const char *hex;
};

// Each of them ends the direction: what follows is raw.
static void test_bad_frames(void **state)
{
	static const struct bad cases[] = {
		{"continuation of nothing", CONTINUATION, 4, 1, "82"},
		{"headers on stream 0", HEADERS, 4, 0, "82"},
		{"data on stream 0", DATA, 0, 0, "82"},
		{"padding longer than the frame", DATA, PADDED, 1, "05 61"},
		{"no room for the padding length", DATA, PADDED, 1, ""},
		{"no room for the priority", HEADERS, 0x24, 1, "00000000"},
		{"no room for the promised stream", PUSH, 4, 1, "000000"},
	};
	static const struct bad headers[] = {
		{"index 0", HEADERS, 4, 1, "80"},
		{"index behind the table", HEADERS, 4, 1, "ff00"},
		{"endless integer", HEADERS, 4, 1, "ffffffffffffffffffff"},
		{"value cut off", HEADERS, 4, 1, "0001 61 05 62"},
		{"bad Huffman padding", HEADERS, 4, 1, "0001 61 81 00"},
		{"table too large", HEADERS, 4, 1, "3fe2ff03"}, // 65537 + 31 ...
	};

	for (size_t i = 0; i < N(cases); i++) {
		const struct bad *b = &cases[i];

		client();
		frame(b->type, b->flags, b->stream, b->hex);
		text(DATA, 0, 1, "needle");
		run_cut(DIR_TO_SERVER, H2_PREFACE_ALL, 0, 0);
		if (counters.v[CNT_H2_BAD_FRAME] != 1 ||
		    memmem(said, said_len, "needle", 6) == NULL ||
		    memchr(said, '!', said_len) == NULL || memchr(said, 'D', said_len) != NULL)
			fail_msg("%s: %s", b->name, said);
		for (size_t a = 0; a <= n_bytes; a++) {
			run_cut(DIR_TO_SERVER, H2_PREFACE_ALL, a, a);
			assert_int_equal(counters.v[CNT_H2_BAD_FRAME], 1);
			assert_non_null(memmem(said, said_len, "needle", 6));
		}
	}
	for (size_t i = 0; i < N(headers); i++) {
		const struct bad *b = &headers[i];

		client();
		frame(b->type, b->flags, b->stream, b->hex);
		text(DATA, 0, 1, "needle");
		run_cut(DIR_TO_SERVER, H2_PREFACE_ALL, 0, 0);
		if (counters.v[CNT_H2_BAD_HEADERS] != 1 ||
		    memmem(said, said_len, "needle", 6) == NULL)
			fail_msg("%s: %s", b->name, said);
	}
	// A block must not be interrupted.
	client();
	frame(HEADERS, 0, 1, "82");
	text(DATA, 0, 1, "needle");
	run_cut(DIR_TO_SERVER, H2_PREFACE_ALL, 0, 0);
	assert_int_equal(counters.v[CNT_H2_BAD_FRAME], 1);
	client();
	frame(HEADERS, 0, 1, "82");
	frame(CONTINUATION, 4, 3, "84");
	run_cut(DIR_TO_SERVER, H2_PREFACE_ALL, 0, 0);
	assert_int_equal(counters.v[CNT_H2_BAD_FRAME], 1);
	// Settings come first.
	begin();
	put("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24);
	frame(HEADERS, 5, 1, "8286 84");
	run_cut(DIR_TO_SERVER, H2_PREFACE_ALL, 0, 0);
	assert_int_equal(counters.v[CNT_H2_BAD_FRAME], 1);
}

static void test_preface(void **state)
{
	begin();
	put("SM\r\n\r\n", 6);
	frame(SETTINGS, 0, 0, "");
	frame(HEADERS, 5, 1, "8286 84");
	expect_from(DIR_TO_SERVER, H2_PREFACE_REST, "1H.<GET / HTTP/2\r\n\r\n>1E<>");
	begin();
	put("SM\r\nGET / HTTP/1.1\r\n\r\n", 22);
	run_cut(DIR_TO_SERVER, H2_PREFACE_REST, 0, 0);
	assert_string_equal(said, "0!<SM\r\nGET / HTTP/1.1\r\n\r\n>");
}

static void test_is_settings(void **state)
{
	static const uint8_t yes[] = {0, 0, 18, 4, 0, 0, 0, 0, 0, 0, 3};
	uint8_t no[9];

	for (size_t n = 0; n <= sizeof(yes); n++)
		assert_int_equal(h2_is_settings(span_of(yes, n)), n < 9 ? -1 : 1);
	for (size_t i = 0; i < sizeof(no); i++) {
		memcpy(no, yes, sizeof(no));
		no[i] ^= 1;
		for (size_t n = i + 1; n <= sizeof(no); n++)
			assert_int_equal(h2_is_settings(span_of(no, n)), 0);
	}
}

static void test_gap(void **state)
{
	uint32_t stream = 7;

	client();
	frame(HEADERS, 4, 1, "8386 84");
	start(DIR_TO_SERVER, H2_PREFACE_ALL);
	feed(bytes, n_bytes);
	begin();
	text(DATA, 1, 1, "abcdefgh");
	feed(bytes, 12);
	assert_true(h2_gap(&half, &parser, 3, &stream));
	assert_int_equal(stream, 1);
	feed(bytes + 15, n_bytes - 15);
	assert_string_equal(said, "1H<POST / HTTP/2\r\n\r\n>1D<abcgh>1E<>");
	begin();
	frame(0x55, 0, 1, "61626364");
	feed(bytes, 10);
	assert_true(h2_gap(&half, &parser, 3, &stream));
	assert_int_equal(stream, 0);
	assert_int_equal(counters.v[CNT_H2_GAP], 0);
	// Within a header block its table is lost, and with it all heads to come.
	begin();
	frame(HEADERS, 5, 3, "8286 84");
	feed(bytes, 10);
	assert_int_equal(gathers.used, 1);
	assert_false(h2_gap(&half, &parser, 1, &stream));
	assert_int_equal(gathers.used, 0);
	assert_int_equal(counters.v[CNT_H2_GAP], 1);
	feed((const uint8_t *)"needle", 6);
	assert_string_equal(said + said_len - 8, "<needle>");
	finish();
}

// Blocks that never end, blocks that explode, no memory.
static void test_limits(void **state)
{
	static uint8_t big[H2_BLOCK_MAX + 1];

	// A flood of continuations.
	client();
	frame(HEADERS, 0, 1, "8286 84");
	for (int i = 0; i < H2_BLOCK_FRAMES_MAX + 10; i++)
		frame(CONTINUATION, 0, 1, "");
	run_cut(DIR_TO_SERVER, H2_PREFACE_ALL, 0, 0);
	assert_int_equal(counters.v[CNT_H2_BAD_FRAME], 1);
	// More block than anybody takes.
	client();
	memset(big, 0x82, sizeof(big));
	frame_raw(HEADERS, 4, 1, big, sizeof(big));
	run_cut(DIR_TO_SERVER, H2_PREFACE_ALL, 0, 0);
	assert_int_equal(counters.v[CNT_H2_BAD_FRAME], 1);
	client();
	frame_raw(HEADERS, 0, 1, big, 60000);
	frame_raw(CONTINUATION, 4, 1, big, 6000);
	run_cut(DIR_TO_SERVER, H2_PREFACE_ALL, 0, 0);
	assert_int_equal(counters.v[CNT_H2_BAD_FRAME], 1);
	// An entry of 4000 bytes, named by one byte each again and again.
	client();
	memset(big, 'v', sizeof(big));
	memcpy(big, "\x82\x86\x84\x40\x01x\x7f\xa1\x1e", 9); // 4000 bytes of value
	frame_raw(HEADERS, 4 | 1, 1, big, 9 + 4000);
	memset(big, 0xbe, 1000);
	for (uint32_t i = 0; i < 200; i++)
		frame_raw(HEADERS, 4 | 1, 3 + 2 * i, big, 20);
	run_cut(DIR_TO_SERVER, H2_PREFACE_ALL, 0, 0);
	assert_int_equal(counters.v[CNT_H2_BAD_HEADERS], 0);
	assert_true(counters.v[CNT_H2_HEAD_CUT] > 150);
	assert_true(said_len <= H2_GROWTH_FREE + H2_GROWTH_RATIO * 8000u + 200u * 4096);
	// One value too large for the arena.
	client();
	memset(big, 'v', sizeof(big));
	memcpy(big, "\x40\x01x\x7f\xc1\xb8\x02", 7); // 40000 bytes
	frame_raw(HEADERS, 4, 1, big, 7 + 40000);
	run_cut(DIR_TO_SERVER, H2_PREFACE_ALL, 0, 0);
	assert_int_equal(counters.v[CNT_H2_NO_STATE], 1);
	assert_int_equal(counters.v[CNT_H2_BAD_HEADERS], 1);
}

// A table of 64 KiB is used if the encoder says so, full of the smallest and of the largest entries.
static void test_table(void **state)
{
	client();
	frame(HEADERS, 5, 1, "3fe1ff03 82"); // 65536
	for (uint32_t i = 0; i < 3000; i++) {
		uint8_t field[8] = {0x40,
				    1,
				    'a',
				    3,
				    (uint8_t)('a' + i % 26),
				    (uint8_t)('a' + i / 26 % 26),
				    (uint8_t)('a' + i / 676),
				    0};

		frame_raw(HEADERS, 5, 3 + 2 * i, field, 7);
	}
	// The newest entry and one far back: 36 bytes each, 1820 fit.
	frame(HEADERS, 5, 9001, "82 be ff d60d");
	run_cut(DIR_TO_SERVER, H2_PREFACE_ALL, 0, 0);
	assert_int_equal(counters.v[CNT_H2_BAD_HEADERS], 0);
	assert_non_null(strstr(said, "9001H.<GET / HTTP/2\r\na: jle\r\na: "));
	frame(HEADERS, 5, 9003, "82 ff 9a0e");
	run_cut(DIR_TO_SERVER, H2_PREFACE_ALL, 0, 0);
	assert_int_equal(counters.v[CNT_H2_BAD_HEADERS], 1); // behind the oldest one
}

static void test_no_room(void **state)
{
	client();
	frame(HEADERS, 4, 1, "8386 84 40 01 61 01 62");
	text(DATA, 1, 1, "body");
	frame(HEADERS, 5, 3, "8286 84 be");
	n_gathers = 0;
	run_cut(DIR_TO_SERVER, H2_PREFACE_ALL, 0, 0);
	n_gathers = 2;
	assert_string_equal(said, "1Htc<>1D<body>1E<>3Htc.<>3E<>");
	assert_int_equal(counters.v[CNT_HTTP_HEAD_NO_BUFFER], 2);
	n_chunks = 0;
	run_cut(DIR_TO_SERVER, H2_PREFACE_ALL, 0, 0);
	n_chunks = H2_CHUNKS_MAX;
	assert_int_equal(counters.v[CNT_H2_NO_STATE], 1);
	assert_non_null(memmem(said, said_len, "body", 4));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests), cmocka_unit_test(test_responses),
		cmocka_unit_test(test_streams),  cmocka_unit_test(test_blocks),
		cmocka_unit_test(test_fields),   cmocka_unit_test(test_bad_frames),
		cmocka_unit_test(test_preface),  cmocka_unit_test(test_is_settings),
		cmocka_unit_test(test_gap),      cmocka_unit_test(test_limits),
		cmocka_unit_test(test_table),    cmocka_unit_test(test_no_room),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

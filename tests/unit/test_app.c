// SPDX-License-Identifier: BSD-2-Clause
// First bytes: what they are, and that a decision once made stands whatever follows.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "dataplane/engine/app.h"
#include "tests/unit/guard.h"

#define N(a)     (sizeof(a) / sizeof((a)[0]))
#define BYTES(s) (s), sizeof(s) - 1

// decided: the shortest prefix that is not APP_UNKNOWN any more; 0: never, the bytes do not tell.
static const struct {
	const char *bytes;
	size_t len;
	enum app_proto app;
	enum app_side side;
	size_t decided;
} table[] = {
	{BYTES("GET / HTTP/1.1\r\n"), APP_HTTP, APP_SIDE_CLIENT, 5},
	{BYTES("get / HTTP/1.1\r\n"), APP_HTTP, APP_SIDE_CLIENT, 5},
	{BYTES("POST http://a/ HTTP/1.1\r\n"), APP_HTTP, APP_SIDE_CLIENT, 6},
	{BYTES("HEAD\t/ HTTP/1.1\r\n"), APP_HTTP, APP_SIDE_CLIENT, 6},
	{BYTES("CONNECT example.com:443 HTTP/1.1\r\n"), APP_HTTP, APP_SIDE_CLIENT, 9},
	{BYTES("OPTIONS * HTTP/1.1\r\n"), APP_HTTP, APP_SIDE_CLIENT, 9},
	{BYTES("SEARCH /x HTTP/1.1\r\n"), APP_HTTP, APP_SIDE_CLIENT, 8},
	{BYTES("PROPPATCH /x"), APP_HTTP, APP_SIDE_CLIENT, 11},
	{BYTES("\r\n\r\nGET / HTTP/1.1\r\n"), APP_HTTP, APP_SIDE_CLIENT, 9},
	{BYTES("\n\nGET / HTTP/1.1\n"), APP_HTTP, APP_SIDE_CLIENT, 7},
	// Methods nobody knows: the target decides.
	{BYTES("XYZZY /path HTTP/1.1\r\n"), APP_HTTP, APP_SIDE_CLIENT, 7},
	{BYTES("XYZZY  /path HTTP/1.1\r\n"), APP_HTTP, APP_SIDE_CLIENT, 8},
	{BYTES("X-1!~ * HTTP/1.1\r\n"), APP_HTTP, APP_SIDE_CLIENT, 8},
	{BYTES("FOO http://a/ HTTP/1.1\r\n"), APP_HTTP, APP_SIDE_CLIENT, 11},
	{BYTES("FOO a:443 HTTP/1.1\r\n"), APP_OPAQUE, APP_SIDE_UNKNOWN, 8},
	{BYTES("EHLO mail.example.com\r\n"), APP_OPAQUE, APP_SIDE_UNKNOWN, 22},
	{BYTES("USER anonymous\r\n"), APP_OPAQUE, APP_SIDE_UNKNOWN, 15},
	{BYTES("PING\r\n"), APP_OPAQUE, APP_SIDE_UNKNOWN, 5},
	{BYTES("220 mail.example.com ESMTP\r\n"), APP_OPAQUE, APP_SIDE_UNKNOWN, 21},
	{BYTES(" GET / HTTP/1.1\r\n"), APP_HTTP, APP_SIDE_CLIENT, 6},
	{BYTES("\v\f\tHTTP/1.1 200\r\n"), APP_HTTP, APP_SIDE_SERVER, 8},
	{BYTES("\0GET / HTTP/1.1\r\n"), APP_OPAQUE, APP_SIDE_UNKNOWN, 2},
	{BYTES("G\x00T / HTTP/1.1\r\n"), APP_OPAQUE, APP_SIDE_UNKNOWN, 2},
	{BYTES("abcdefghijklmnopqrstuvwxyz0123456789 / HTTP/1.1\r\n"), APP_OPAQUE, APP_SIDE_UNKNOWN,
	 33},
	{BYTES("\x00\x00\x00\x00"), APP_OPAQUE, APP_SIDE_UNKNOWN, 4},
	{BYTES("\x00\x01"), APP_OPAQUE, APP_SIDE_UNKNOWN, 2},
	// HTTP/2: the client's preface, a server's first settings.
	{BYTES("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), APP_HTTP, APP_SIDE_CLIENT, 6},
	{BYTES("\x00\x00\x12\x04\x00\x00\x00\x00\x00\x00\x03"), APP_HTTP, APP_SIDE_SERVER, 9},
	{BYTES("\x00\x00\x00\x04\x00\x00\x00\x00\x00"), APP_HTTP, APP_SIDE_SERVER, 9},
	{BYTES("\x00\x00\x12\x04\x01\x00\x00\x00\x00"), APP_OPAQUE, APP_SIDE_UNKNOWN, 5},
	{BYTES("\x00\x00\x11\x04\x00\x00\x00\x00\x00"), APP_OPAQUE, APP_SIDE_UNKNOWN, 3},
	{BYTES("\xff\xd8\xff"), APP_OPAQUE, APP_SIDE_UNKNOWN, 1},
	// Servers.
	{BYTES("HTTP/1.1 200 OK\r\n"), APP_HTTP, APP_SIDE_SERVER, 5},
	{BYTES("http/1.0 200 OK\r\n"), APP_HTTP, APP_SIDE_SERVER, 5},
	{BYTES("\r\nHTTP/1.1 200 OK\r\n"), APP_HTTP, APP_SIDE_SERVER, 7},
	{BYTES("ICY 200 OK\r\n"), APP_HTTP, APP_SIDE_SERVER, 4},
	{BYTES("HTTPS is not it"), APP_OPAQUE, APP_SIDE_UNKNOWN, 9},
	// Encrypted.
	{BYTES("\x16\x03\x01\x02\x00\x01"), APP_TLS, APP_SIDE_UNKNOWN, 3},
	{BYTES("\x16\x03\x04"), APP_TLS, APP_SIDE_UNKNOWN, 3},
	{BYTES("\x14\x03\x03\x00\x01\x01"), APP_TLS, APP_SIDE_UNKNOWN, 3},
	{BYTES("\x15\x03\x03\x00\x02\x01\x00"), APP_TLS, APP_SIDE_UNKNOWN, 3},
	{BYTES("\x17\x03\x03\x00\x02"), APP_TLS, APP_SIDE_UNKNOWN, 3},
	{BYTES("\x16\x03\x05"), APP_OPAQUE, APP_SIDE_UNKNOWN, 3},
	{BYTES("\x16\x02\x01"), APP_OPAQUE, APP_SIDE_UNKNOWN, 2},
	{BYTES("\x18\x03\x01"), APP_OPAQUE, APP_SIDE_UNKNOWN, 1},
	{BYTES("SSH-2.0-OpenSSH_9.2\r\n"), APP_SSH, APP_SIDE_UNKNOWN, 4},
	// Not enough.
	{BYTES("S"), APP_UNKNOWN, APP_SIDE_UNKNOWN, 0},
	{BYTES("HTTP"), APP_UNKNOWN, APP_SIDE_UNKNOWN, 0},
	{BYTES("I"), APP_UNKNOWN, APP_SIDE_UNKNOWN, 0},
	{BYTES("\r\n\r\n\r\n"), APP_UNKNOWN, APP_SIDE_UNKNOWN, 0},
	{BYTES("GET "), APP_UNKNOWN, APP_SIDE_UNKNOWN, 0},
	{BYTES("XYZZY *"), APP_UNKNOWN, APP_SIDE_UNKNOWN, 0},
	{BYTES("\x16\x03"), APP_UNKNOWN, APP_SIDE_UNKNOWN, 0},
	{BYTES(""), APP_UNKNOWN, APP_SIDE_UNKNOWN, 0},
};

static struct guard guard;

static int setup(void **state)
{
	guard_init(&guard, 2 * APP_PREFIX_MAX);
	return 0;
}

static int teardown(void **state)
{
	guard_done(&guard);
	return 0;
}

static enum app_proto detect(const void *bytes, size_t len, enum app_side *ret_side)
{
	return app_detect(span_of(guard_put(&guard, bytes, len, 0), len), ret_side);
}

static void test_table(void **state)
{
	for (size_t i = 0; i < N(table); i++) {
		enum app_side side;
		enum app_proto app = detect(table[i].bytes, table[i].len, &side);

		if (app != table[i].app || side != table[i].side)
			print_error("%.*s: %d side %d\n", (int)table[i].len, table[i].bytes, app,
				    side);
		assert_int_equal(app, table[i].app);
		assert_int_equal(side, table[i].side);
	}
}

// Undecided up to the byte that decides, and the same from there on.
static void test_every_prefix(void **state)
{
	for (size_t i = 0; i < N(table); i++) {
		size_t decided = table[i].decided > 0 ? table[i].decided : table[i].len + 1;

		for (size_t len = 0; len <= table[i].len; len++) {
			enum app_side side;
			enum app_proto app = detect(table[i].bytes, len, &side);

			if ((app == APP_UNKNOWN) != (len < decided))
				print_error("%.*s at %zu: %d\n", (int)table[i].len, table[i].bytes,
					    len, app);
			assert_int_equal(app, len < decided ? APP_UNKNOWN : table[i].app);
			assert_int_equal(side, len < decided ? APP_SIDE_UNKNOWN : table[i].side);
		}
	}
}

// Whatever the bytes, the decision falls at APP_PREFIX_MAX; and it looks at no more than those.
static void test_decides_at_prefix_max(void **state)
{
	uint8_t bytes[2 * APP_PREFIX_MAX];
	enum app_side side;

	for (int c = 0; c < 256; c++) {
		memset(bytes, c, sizeof(bytes));
		assert_int_not_equal(detect(bytes, APP_PREFIX_MAX, &side), APP_UNKNOWN);
	}
	memset(bytes, '\n', sizeof(bytes));
	memcpy(bytes + APP_PREFIX_MAX - 5, "GET /", 5);
	assert_int_equal(detect(bytes, APP_PREFIX_MAX - 1, &side), APP_UNKNOWN);
	assert_int_equal(detect(bytes, APP_PREFIX_MAX, &side), APP_HTTP);
	memset(bytes, '\n', sizeof(bytes));
	memcpy(bytes + APP_PREFIX_MAX - 4, "GET /", 5);
	assert_int_equal(detect(bytes, APP_PREFIX_MAX, &side), APP_OPAQUE);
	assert_int_equal(detect(bytes, APP_PREFIX_MAX + 1, &side), APP_OPAQUE);
	memset(bytes, 'x', sizeof(bytes));
	memcpy(bytes, "XYZZY ", 6); // a target without an end
	assert_int_equal(detect(bytes, APP_PREFIX_MAX - 1, &side), APP_UNKNOWN);
	assert_int_equal(detect(bytes, APP_PREFIX_MAX, &side), APP_OPAQUE);
}

// Any two first bytes: with enough behind them there is a decision, and it does not depend on the cut before it.
static void test_decisions_are_final(void **state)
{
	for (uint32_t two = 0; two < 65536; two += 7) {
		uint8_t bytes[APP_PREFIX_MAX];
		enum app_side side;
		enum app_proto last;

		memset(bytes, ' ', sizeof(bytes));
		bytes[0] = (uint8_t)(two >> 8);
		bytes[1] = (uint8_t)two;
		last = app_detect(span_of(bytes, sizeof(bytes)), &side);
		for (size_t len = 1; len < 16; len++) {
			enum app_proto app = app_detect(span_of(bytes, len), &side);

			assert_true(app == APP_UNKNOWN || app == last);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_every_prefix),
		cmocka_unit_test(test_decides_at_prefix_max),
		cmocka_unit_test(test_decisions_are_final),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

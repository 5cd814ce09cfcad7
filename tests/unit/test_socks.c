// SPDX-License-Identifier: BSD-2-Clause
// Hand-shakes of SOCKS: where they end, in one piece and byte by byte, and what is none.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "dataplane/engine/socks.h"
#include "tests/unit/guard.h"

#define BYTES(s) (s), sizeof(s) - 1

// taken: how many bytes at the front belong to the hand-shake. over: it has ended with them, whatever follows.
static const struct {
	const char *bytes;
	size_t len;
	size_t taken;
	bool over, server;
} table[] = {
	// 5
	{BYTES("\5\1\0\5\1\0\1\x7f\0\0\1\0PGET"), 13, true, false},
	{BYTES("\5\3\0\1\2\5\1\0\3\5a.com\0PGET"), 17, true, false},
	{BYTES("\5\1\0\5\1\0\4abcdefghijklmnop\0PGET"), 25, true, false},
	{BYTES("\5\2\0\2\1\4user\4pass\5\1\0\1\x7f\0\0\1\0P\x16\3"), 25, true, false},
	{BYTES("\5\1\2\1\0\0\5\1\0\3\0\0PGET"), 13, true, false},
	{BYTES("\5\1\0\5\1\0\1\x7f\0\0\1\0"), 12, false, false},
	{BYTES("\5\1\0"), 3, false, false},
	{BYTES("\5"), 1, false, false},
	{BYTES("\5\0\5\1"), 1, true, false},               // no method
	{BYTES("\5\1\0GET / HTTP"), 3, true, false},       // no request
	{BYTES("\5\1\0\5\1\1\1"), 5, true, false},         // not reserved
	{BYTES("\5\1\0\5\1\0\2\0\0"), 6, true, false},     // an address of no kind
	{BYTES("\5\1\0\5\1\0\3\xfezzz"), 7, true, false},  // a name of no length
	{BYTES("\5\1\2\1\1u\1p\1\1u\1p"), 8, true, false}, // a password again
	{BYTES("\5\1\1\1\1\0\2ab\5zz"), 11, true, false},  // GSS-API
	{BYTES("\5\0HTTP"), 2, true, true},
	{BYTES("\5\0\5\0\0\1\x7f\0\0\1\0PHTTP"), 12, true, true},
	{BYTES("\5\0\5\0\0\1\x7f\0\0\1\0P"), 12, false, true}, // or another reply
	{BYTES("\5\0\5\0\0\3\1a\0P220 "), 10, true, true},
	{BYTES("\5\2\1\0\5\0\0\1\x7f\0\0\1\0PHTTP"), 14, true, true},
	{BYTES("\5\2\1\0\5\5\0\1\0\0\0\0\0\0HTTP"), 14, true, true}, // refused
	{BYTES("\5\0\5\0\0\1\1\2\3\4\0P\5\0\0\1\5\6\7\x08\0P\5\0"), 22, true, true},
	{BYTES("\5\xffHTTP"), 1, true, true},
	{BYTES("\5\1HTTP"), 1, true, true},
	// 4 and 4a
	{BYTES("\4\1\0P\1\2\3\4\0GET"), 9, true, false},
	{BYTES("\4\1\0P\1\2\3\4user\0GET"), 13, true, false},
	{BYTES("\4\1\0P\0\0\0\1\0a.com\0GET"), 15, true, false},
	{BYTES("\4\1\0P\0\0\0\1user\0a.com\0GET"), 19, true, false},
	{BYTES("\4\1\0P\0\0\0\0\0GET"), 9, true, false},
	{BYTES("\4\1\0P\0\1\0\1\0GET"), 9, true, false},
	{BYTES("\4\2\0P\1\2\3\4use"), 11, false, false},
	{BYTES("\4\3\0P"), 1, true, false},
	{BYTES("\0\x5a\0P\1\2\3\4HTTP"), 8, true, true},
	{BYTES("\0\x5a\0P\1\2\3"), 7, false, true},
	{BYTES("\0\x5a\0P\1\2\3\4"), 8, false, true}, // or another reply, to BIND
	{BYTES("\0\x5a\0P\1\2\3\4\0\x5a\0P\5\6\7\x08HTTP"), 16, true, true},
	{BYTES("\0\x5a\0P\1\2\3\4\0\x5a\0P\5\6\7\x08\0\x5a"), 16, true, true},
	// neither
	{BYTES("GET / HTTP/1.1"), 0, true, false},
	{BYTES("HTTP/1.1 200"), 0, true, true},
};

static struct guard guard;

static struct socks_half begin(bool server)
{
	struct socks_half client, other;

	socks_begin(&client, &other);
	assert_true(socks_active(&client) && socks_active(&other));
	return server ? other : client;
}

static void test_table(void **state)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		for (size_t cut = 1; cut <= table[i].len; cut++) {
			struct socks_half h = begin(table[i].server);
			size_t taken = 0;

			for (size_t at = 0; at < table[i].len && socks_active(&h); at += cut) {
				size_t n = table[i].len - at < cut ? table[i].len - at : cut;
				struct span in =
					span_of(guard_put(&guard, table[i].bytes + at, n, 0), n);

				socks_skip(&h, &in);
				taken += n - in.len;
				assert_true(in.len == 0 || !socks_active(&h));
			}
			if (taken != table[i].taken || socks_active(&h) == table[i].over)
				fail_msg("%zu, cut %zu: %zu bytes, %s", i, cut, taken,
					 socks_active(&h) ? "goes on" : "over");
		}
	}
}

// Texts without an end end all the same.
static void test_texts_are_bounded(void **state)
{
	uint8_t bytes[1200];
	struct span in = span_of(bytes, sizeof(bytes));
	struct socks_half h = begin(false);

	memset(bytes, 'u', sizeof(bytes));
	memcpy(bytes, "\4\1\0P\0\0\0\1", 8);
	socks_skip(&h, &in);
	assert_false(socks_active(&h));
	assert_int_equal(in.len, sizeof(bytes) - 8 - 254);
	h = begin(false);
	in = span_of(bytes, sizeof(bytes));
	bytes[200] = '\0';
	socks_skip(&h, &in);
	assert_false(socks_active(&h));
	assert_int_equal(in.len, sizeof(bytes) - 201 - 254);
}

static void test_what_begins(void **state)
{
	assert_true(socks_begins(SPAN_LIT("\5\1")));
	assert_true(socks_begins(SPAN_LIT("\4\1")));
	assert_false(socks_begins(SPAN_LIT("\x16\3\1")));
	assert_false(socks_begins(SPAN_NONE));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_texts_are_bounded),
		cmocka_unit_test(test_what_begins),
	};
	int failed;

	guard_init(&guard, 4096);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	guard_done(&guard);
	return failed;
}

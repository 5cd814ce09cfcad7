// SPDX-License-Identifier: BSD-2-Clause
// Rule files that are too much, cut off, or no text.
#include "tests/unit/parsekit.h"

static char *repeat(char *to, const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		to = stpcpy(to, s);
	return to;
}

static void test_limits(void **state)
{
	static const struct {
		const char *head, *unit;
		size_t n;
		const char *tail;
		int loads;
		const char *why;
	} table[] = {
		{"content:\"", "a", 1024, "\";", 1, NULL},
		{"content:\"", "a", 1025, "\";", 0, "1025 bytes"},
		{"content:\"", "|61|", 1025, "\";", 0, "1025 bytes"},
		{"pcre:\"/", "a", 4096, "/\";", 1, NULL},
		{"pcre:\"/", "a", 4097, "/\";", 0, "4097 bytes"},
		{"pcre:\"/", "(", 3000, "/\";", 0, "pcre: "},
		{"", "content:\"a\";", 256, "", 1, NULL},
		{"", "content:\"a\";", 257, "", 0, "more than 256"},
		{"metadata:", "a b,", 16000, "c d;", 1, NULL},
		{"metadata:", "a b,", 17000, "c d;", 0, "more than 65536 bytes"},
		{"", "\\\n", 70000, "", 1, NULL}, // many lines, few bytes
		{"", "content:\"a\"; \\\n", 200, "", 1, NULL},
	};
	char *text = malloc(1 << 18);

	assert_non_null(text);
	for (size_t i = 0; i < N(table); i++) {
		struct rules rs = {0};
		struct reports r;
		char *end = stpcpy(text, "alert http any any -> any any (sid:1; ");

		end = stpcpy(end, table[i].head);
		end = repeat(end, table[i].unit, table[i].n);
		end = stpcpy(end, table[i].tail);
		end = stpcpy(end, ")");
		assert_int_equal(parse(&rs, text, (size_t)(end - text), NULL, &r), table[i].loads);
		assert_int_equal(r.n, 1 - table[i].loads);
		if (table[i].why != NULL)
			assert_non_null(strstr(r.diag[0].text, table[i].why));
		rules_done(&rs);
	}
	free(text);
}

static void test_too_many(void **state)
{
	const size_t n = 100003;
	char *text = malloc(n * 48), *end = text;
	struct rules rs = {0};
	struct reports r;

	assert_non_null(text);
	for (size_t i = 1; i <= n; i++)
		end += sprintf(end, "alert tcp any any -> any any (sid:%zu;)\n", i);
	assert_int_equal(parse(&rs, text, (size_t)(end - text), NULL, &r), 100000);
	assert_int_equal(r.n, 1);
	assert_int_equal(r.diag[0].line, 100001);
	assert_non_null(strstr(r.diag[0].text, "more than 100000 rules: this one and all"));
	rules_done(&rs);
	end = text;
	for (size_t i = 1; i <= n; i++)
		end = stpcpy(end, "alert tcp any any -> any any (;)\n");
	assert_int_equal(parse(&rs, text, (size_t)(end - text), NULL, &r), 0);
	assert_int_equal(r.n, 100001);
	assert_int_equal(rs.refused, 100001);
	rules_done(&rs);
	free(text);
}

static void test_binary(void **state)
{
	static const char text[] =
		"alert http any any -> any\0any (sid:1;)\nalert http any any -> any any (sid:2;)\n";
	struct rules rs = {0};
	struct reports r;

	assert_int_equal(parse(&rs, text, sizeof(text) - 1, NULL, &r), 1);
	assert_int_equal(r.n, 1);
	assert_int_equal(r.diag[0].column, 26);
	assert_non_null(strstr(r.diag[0].text, "NUL byte"));
	rules_done(&rs);
	// control bytes of the file never reach a message
	assert_int_equal(parse(&rs, "\x1b[2J http any any -> any any (sid:1;)", 37, NULL, &r), 0);
	assert_null(strchr(r.diag[0].text, '\x1b'));
	rules_done(&rs);
	assert_int_equal(parse(&rs, "", 0, NULL, &r), 0);
	assert_int_equal(rs.seen, 0);
	rules_done(&rs);
}

// Every prefix of a rule with everything in it, and the rule without each one of its bytes: never
// more than one verdict, never a read outside (sanitizers), and no prefix loads.
static void test_cut(void **state)
{
	static const char rule[] = "alert http [$HOME_NET,!10.0.0.1-10.0.0.9,2001:db8::/32] "
				   "![80,81:90] -> any $HTTP_PORTS (msg:\"a\\;b\"; "
				   "flow:established,to_server; content:\"a|0D 0a|\\\"b\"; "
				   "http_uri; nocase; offset:1; depth:9; "
				   "http.header; content:!\"x\"; within:5; pcre:\"/a(b)?\\/c/iR, "
				   "flow:x\"; content:\"yy\"; fast_pattern:0,1; "
				   "reference:url,x.y; metadata:a b, c d; classtype:bad-unknown; "
				   "priority:2; target:src_ip; sid:1; rev:2;)";
	char copy[sizeof(rule)];
	struct reports r;

	for (size_t len = 0; len <= sizeof(rule) - 1; len++) {
		struct rules rs = {0};
		bool whole = len == sizeof(rule) - 1;

		assert_int_equal(parse(&rs, rule, len, NULL, &r), whole);
		assert_int_equal(r.n, !whole && len > 0);
		rules_done(&rs);
	}
	for (size_t i = 0; i < sizeof(rule) - 1; i++) {
		struct rules rs = {0};
		int n;

		memcpy(copy, rule, i);
		memcpy(copy + i, rule + i + 1, sizeof(rule) - 2 - i);
		n = parse(&rs, copy, sizeof(rule) - 2, NULL, &r);
		assert_int_equal(n + (int)r.n, 1);
		rules_done(&rs);
	}
}

static void test_alloc(void **state)
{
	struct rules rs = {0};
	uint8_t *last = NULL;

	for (size_t i = 0; i < 3000; i++) {
		uint8_t *p = rules_alloc(&rs, i);

		assert_non_null(p);
		assert_int_equal((uintptr_t)p % 8, 0);
		for (size_t k = 0; k < i; k++)
			assert_int_equal(p[k], 0);
		memset(p, 0xff, i);
		if (last != NULL && i > 1)
			assert_int_equal(last[i - 2], 0xff);
		last = p;
	}
	assert_non_null(rules_alloc(&rs, 1 << 20));
	assert_null(rules_alloc(&rs, SIZE_MAX));
	assert_null(rules_alloc(&rs, ((size_t)1 << 30) + 1));
	rules_done(&rs);
	assert_null(rs.arena);
	rules_done(&rs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_limits), cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_binary), cmocka_unit_test(test_cut),
		cmocka_unit_test(test_alloc),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

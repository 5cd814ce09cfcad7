// SPDX-License-Identifier: BSD-2-Clause
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "dataplane/engine/uri.h"
#include "tests/unit/guard.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

static struct guard in, out;

static int setup(void **state)
{
	guard_init(&in, 8192);
	guard_init(&out, 8192);
	return 0;
}

static int teardown(void **state)
{
	guard_done(&in);
	guard_done(&out);
	return 0;
}

// Input and output end at forbidden pages: no byte is read or written behind target.len.
static struct span normalise(const char *target, size_t len)
{
	uint8_t *to = (uint8_t *)(uintptr_t)guard_put(&out, NULL, 0, len);

	return span_of(to, uri_normalise(span_of(guard_put(&in, target, len, 0), len), to));
}

static void expect(const char *input, struct span got, const char *want)
{
	if (!span_eq(got, span_of(want, strlen(want))))
		print_error("%s -> %.*s\n", input, (int)got.len, got.data);
	assert_true(span_eq(got, span_of(want, strlen(want))));
}

static void test_normalise(void **state)
{
	static const char *const table[][2] = {
		{"/", "/"},
		{"", ""},
		{"*", "*"},
		{"/index.html", "/index.html"},
		// percent-decoding, once
		{"/%41%62%7e", "/Ab~"},
		{"/a%20b%2Bc", "/a b+c"},
		{"/%2541", "/%41"},
		{"/%", "/%"},
		{"/%4", "/%4"},
		{"/%4g", "/%4g"},
		{"/%g1x", "/%g1x"},
		{"/%%41", "/%A"},
		{"/%u0041", "/%u0041"},
		// runs of slashes
		{"//a///b////", "/a/b/"},
		{"////", "/"},
		{"/a%2f%2Fb", "/a/b"},
		// backslashes of the path, however written
		{"/a\\b%5cc", "/a/b/c"},
		{"/a\\..\\b?c\\d%5c", "/b?c\\d\\"},
		// dot segments
		{"/a/./b/././c", "/a/b/c"},
		{"/a/b/../c", "/a/c"},
		{"/a/b/../../c", "/c"},
		{"/a/../../../c", "/c"},
		{"/..", "/"},
		{"/../", "/"},
		{"/.", "/"},
		{"/a/.", "/a/"},
		{"/a/..", "/"},
		{"/a/b/..", "/a/"},
		{"/a//../b", "/b"},
		{"/.../a", "/.../a"},
		{"/..a/.b/c..", "/..a/.b/c.."},
		{"/%2e%2E/a/%2e/b", "/a/b"},
		{"/cgi-bin/%2e%2e%2f%2e%2e%2fetc/passwd", "/etc/passwd"},
		{"a/../b", "/b"},
		{"../a", "../a"},
		// the query is decoded and nothing else
		{"/a?b=%41&c=/../d//e", "/a?b=A&c=/../d//e"},
		{"/a/../b?x", "/b?x"},
		{"/a/..?x", "/?x"},
		{"?x=/./", "?x=/./"},
		{"/a?b?c%3f", "/a?b?c?"},
		{"/a%3fb/../c", "/c"},
		{"/%3", "/%3"},
		{"/a?%4", "/a?%4"},
		// absolute form: scheme and authority are dropped
		{"http://example.com/a/b", "/a/b"},
		{"HTTPS://user@h:8080/a?b", "/a?b"},
		{"http://example.com", ""},
		{"http://example.com?x", "?x"},
		{"http://", ""},
		{"http:///a", "/a"},
		{"http:/a", "http:/a"},
		{"://a/b", ":/a/b"},
		// authority form
		{"example.com:443", "example.com:443"},
	};

	for (size_t i = 0; i < N(table); i++)
		expect(table[i][0], normalise(table[i][0], strlen(table[i][0])), table[i][1]);
}

static void test_nul_and_high_bytes(void **state)
{
	struct span got = normalise("/a%00b%ff", 9);

	assert_true(span_eq(got, SPAN_LIT("/a\0b\xff")));
	got = normalise("/a\0/../b\xff", 9);
	assert_true(span_eq(got, SPAN_LIT("/b\xff")));
}

// Whatever comes in: never longer than the input, no run of slashes and no dot segment left in the path. Once more
// changes nothing but what the first decoding has uncovered.
static void test_random(void **state)
{
	static const char alphabet[] = "//..a%2fe?";
	uint64_t rnd = 88172645463325252u;

	for (int round = 0; round < 50000; round++) {
		char target[24];
		size_t len = 1;
		struct span got;
		const uint8_t *query;

		target[0] = '/';
		for (size_t n = (size_t)(round % (int)sizeof(target)); len < n; len++) {
			rnd ^= rnd << 13;
			rnd ^= rnd >> 7;
			rnd ^= rnd << 17;
			target[len] = alphabet[(rnd >> 32) % (sizeof(alphabet) - 1)];
		}
		got = normalise(target, len);
		assert_true(got.len <= len && got.len > 0 && got.data[0] == '/');
		query = memchr(target, '?', len);
		if (query != NULL)
			continue; // where it begins in the output cannot be told: a decoded '?' looks the same
		assert_null(memmem(got.data, got.len, "//", 2));
		assert_null(memmem(got.data, got.len, "/./", 3));
		assert_null(memmem(got.data, got.len, "/../", 4));
	}
}

static void test_host(void **state)
{
	static const char *const table[][2] = {
		{"example.com", "example.com"},
		{"EXAMPLE.Com", "example.com"},
		{"example.com:8080", "example.com"},
		{"example.com:", "example.com"},
		{"user:pw@example.com:80", "example.com"},
		{"a@b@c", "c"},
		{"[2001:DB8::1]", "[2001:db8::1]"},
		{"[2001:db8::1]:80", "[2001:db8::1]"},
		{"u@[::1]:80", "[::1]"},
		{"[::1", "[::1"},
		{":80", ""},
		{"user@", ""},
		{"@", ""},
		{"", ""},
	};

	for (size_t i = 0; i < N(table); i++) {
		size_t len = strlen(table[i][0]);
		uint8_t *to = (uint8_t *)(uintptr_t)guard_put(&out, NULL, 0, len);
		struct span host = span_of(guard_put(&in, table[i][0], len, 0), len);

		expect(table[i][0], span_of(to, uri_host(host, to)), table[i][1]);
	}
}

static void test_authority(void **state)
{
	static const char *const table[][2] = {
		{"http://example.com/a", "example.com"},
		{"http://u@h:80?x", "u@h:80"},
		{"ftp://h", "h"},
		{"http:///a", ""},
		{"http://", ""},
		{"http:/", ""},
		{"/a", ""},
		{"/http://h/", ""},
		{"h2://h/", ""},
		{"://h/", ""},
		{"", ""},
	};

	for (size_t i = 0; i < N(table); i++) {
		size_t len = strlen(table[i][0]);

		expect(table[i][0],
		       uri_authority(span_of(guard_put(&in, table[i][0], len, 0), len)),
		       table[i][1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_normalise), cmocka_unit_test(test_nul_and_high_bytes),
		cmocka_unit_test(test_random),    cmocka_unit_test(test_host),
		cmocka_unit_test(test_authority),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

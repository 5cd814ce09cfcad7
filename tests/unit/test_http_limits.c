// SPDX-License-Identifier: BSD-2-Clause
// HTTP/1 parser: limits, gaps, no memory, random bytes.
#include "tests/unit/httpkit.h"

// A head of n bytes in all, or with n fields; the rest is a message that must still be found, or is raw.
static size_t long_head(char *out, size_t bytes, size_t fields)
{
	size_t n = (size_t)sprintf(out, "GET / HTTP/1.1\r\n");

	for (size_t i = 0; i < fields; i++)
		n += (size_t)sprintf(out + n, "A: b\r\n");
	if (bytes > 0) {
		n += (size_t)sprintf(out + n, "X: ");
		memset(out + n, 'x', bytes - n - 4);
		n = bytes - 4;
		n += (size_t)sprintf(out + n, "\r\n");
	}
	return n + (size_t)sprintf(out + n, "\r\n");
}

static void test_limits(void **state)
{
	static const struct {
		size_t bytes, fields;
		bool ok;
	} table[] = {
		{HTTP_HEAD_MAX - 1, 0, true},    {HTTP_HEAD_MAX, 0, true},
		{HTTP_HEAD_MAX + 1, 0, false},   {HTTP_HEAD_MAX + 3, 0, false},
		{2 * HTTP_HEAD_MAX, 0, false},   {0, HTTP_FIELDS_MAX, true},
		{0, HTTP_FIELDS_MAX + 1, false},
	};
	static const size_t sizes[] = {INPUT_MAX, 1, 1460, HTTP_HEAD_MAX, HTTP_HEAD_MAX - 1};
	static char text[INPUT_MAX];

	for (size_t i = 0; i < N(table); i++) {
		size_t len = long_head(text, table[i].bytes, table[i].fields);

		len += (size_t)sprintf(text + len, "GET /next HTTP/1.1\r\n\r\n");
		for (size_t k = 0; k < N(sizes); k++) {
			run_init(&pieces, REQ, OTHER, GATHERS);
			for (size_t at = 0; at < len; at += sizes[k])
				run_piece(&pieces, text + at,
					  sizes[k] < len - at ? sizes[k] : len - at, false);
			run_piece(&pieces, NULL, 0, true);
			run_done(&pieces);
			if (table[i].ok) {
				assert_string_equal(
					pieces.brief.text,
					"HEAD GET / v11 none|END|HEAD GET /next v11 none|END");
				continue;
			}
			assert_memory_equal(pieces.brief.text, "RAW GET / HTTP/1.1", 18);
			assert_int_equal(pieces.counters.v[CNT_HTTP_HEAD_TOO_LONG], 1);
			// None left out. What follows a small one is found again.
			assert_int_equal(pieces.counters.v[CNT_HTTP_RAW_BYTES],
					 table[i].fields > 0 ? len - 22 : len);
		}
	}
}

static void test_chunk_limits(void **state)
{
	static const char head[] = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
	static const struct {
		const char *before;
		size_t fill;
		bool ok;
	} table[] = {
		{"1;", HTTP_CHUNK_LINE_MAX - 3, true},
		{"1;", HTTP_CHUNK_LINE_MAX - 2, false},
		{"0\n", HTTP_HEAD_MAX - 2, true},
		{"0\n", HTTP_HEAD_MAX, false},
	};
	static char text[2 * HTTP_HEAD_MAX];

	for (size_t i = 0; i < N(table); i++) {
		size_t n = (size_t)sprintf(text, "%s%s", head, table[i].before);

		memset(text + n, 'x', table[i].fill);
		n += table[i].fill;
		n += (size_t)sprintf(text + n, table[i].before[0] == '1' ? "\nz\n0\n\n" : "\n\n");
		for (size_t size = 1; size <= n; size += n - 1) {
			run_init(&pieces, REQ, OTHER, GATHERS);
			for (size_t at = 0; at < n; at += size)
				run_piece(&pieces, text + at, size, false);
			run_done(&pieces);
			assert_int_equal(pieces.counters.v[CNT_HTTP_BAD_CHUNK], !table[i].ok);
			assert_int_equal(pieces.half.state,
					 table[i].ok ? HTTP_START : HTTP_BODY_CLOSE);
		}
	}
}

// No buffer left: a head in one piece needs none, one in two goes on raw, from its first byte.
static void test_no_gather_buffer(void **state)
{
	static const char text[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

	for (size_t cut = 1; cut < sizeof(text) - 1; cut++) {
		run_init(&pieces, REQ, OTHER, 0);
		run_piece(&pieces, text, sizeof(text) - 1, false);
		run_piece(&pieces, text, cut, false);
		run_piece(&pieces, text + cut, sizeof(text) - 1 - cut, true);
		run_done(&pieces);
		assert_string_equal(
			pieces.brief.text,
			"HEAD GET / v11 none|END|RAW GET / HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n");
		assert_int_equal(pieces.counters.v[CNT_HTTP_HEAD_NO_BUFFER], 1);
	}
}

// Bytes are missing between two pieces.
static const struct {
	const char *before;
	uint64_t gap;
	const char *after;
	bool goes_on, ends;
	const char *want;
} gaps[] = {
	{"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nabc", 4, "hiGET /n HTTP/1.1\r\n\r\n", true,
	 false, "HEAD POST / v11 length 9|BODY abchi|END|HEAD GET /n v11 none|END"},
	{"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nabc", 6, "GET /n HTTP/1.1\r\n\r\n", true,
	 false, "HEAD POST / v11 length 9|BODY abc|END|HEAD GET /n v11 none|END"},
	{"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nabc", 10, "/n HTTP/1.1\r\n\r\n", false, true,
	 "HEAD POST / v11 length 9|BODY abc|RAW /n HTTP/1.1\\r\\n\\r\\n"},
	{"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabc", 4, "hi\r\n0\r\n\r\n",
	 true, false, "HEAD POST / v11 chunked|BODY abchi|END"},
	{"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabc", 6,
	 "\r\n1\r\nd\r\n0\r\n\r\n", true, false, "HEAD POST / v11 chunked|BODY abcd|END"},
	{"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabc", 8, "0\r\n\r\n", false,
	 true, "HEAD POST / v11 chunked|BODY abc|RAW 0\\r\\n\\r\\n"},
	{"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n9", 8, "0\r\n\r\n", false, true,
	 "HEAD POST / v11 chunked|RAW 0\\r\\n\\r\\n"},
	{"GET / HTTP/1.1\r\nHo", 3, "a\r\n\r\n", false, false, "RAW a\\r\\n\\r\\n"},
	{"GET / HTTP/1.1\r\nHo", 30, "GET /n HTTP/1.1\r\n\r\n", false, false,
	 "HEAD GET /n v11 none|END"},
	{"GET / HTTP/1.1\r\n\r\n", 5, "POST /n HTTP/1.1\r\nContent-Length: 1\r\n\r\nx", false,
	 false, "HEAD GET / v11 none|END|HEAD POST /n v11 length 1|BODY x|END"},
	{"GET / HTTP/1.1\r\n\r\n", 5, "HTTP/1.1 200 OK\r\n\r\n", false, false,
	 "HEAD GET / v11 none|END|RAW HTTP/1.1 200 OK\\r\\n\\r\\n"},
	{"rubbish\r\n\r\n", 5, "GET /n HTTP/1.1\r\n\r\n", false, false,
	 "RAW rubbish\\r\\n\\r\\n|HEAD GET /n v11 none|END"},
};

static void test_gaps(void **state)
{
	for (size_t i = 0; i < N(gaps); i++) {
		bool ends = !gaps[i].ends;

		run_init(&whole, REQ, OTHER, GATHERS);
		run_piece(&whole, gaps[i].before, strlen(gaps[i].before), false);
		assert_int_equal(http_gap(&whole.half, &whole.ps, gaps[i].gap, &ends),
				 gaps[i].goes_on);
		assert_int_equal(ends, gaps[i].ends);
		assert_int_equal(whole.gathers.used, 0);
		run_piece(&whole, gaps[i].after, strlen(gaps[i].after), true);
		run_done(&whole);
		if (strcmp(whole.brief.text, gaps[i].want) != 0)
			print_error("%s\n%s\n", gaps[i].before, whole.brief.text);
		assert_string_equal(whole.brief.text, gaps[i].want);
	}
}

static void test_gap_until_close(void **state)
{
	static const char head[] = "HTTP/1.0 200 OK\r\n\r\nabc";
	bool ends = true;

	run_init(&whole, RES, OTHER, GATHERS);
	run_piece(&whole, head, sizeof(head) - 1, false);
	assert_true(http_gap(&whole.half, &whole.ps, UINT64_MAX, &ends));
	assert_false(ends);
	run_piece(&whole, "def", 3, true);
	run_done(&whole);
	assert_string_equal(whole.brief.text, "HEAD 200 v10 close|BODY abcdef|END");
	assert_int_equal(whole.counters.v[CNT_HTTP_GAP_IN_BODY], 1);
}

// Any bytes from HTTP's own alphabet, cut at random: the same events whole and in pieces.
static void test_random_bytes(void **state)
{
	static const char *const words[] = {
		"GET ",
		"/ ",
		"HTTP/1.1",
		"\r\n",
		"\n",
		"\r",
		"\r\n\r\n",
		"POST / HTTP/1.1\r\n",
		": ",
		"a",
		"5",
		"0\r\n",
		"hello",
		" ",
		"\t",
		"Content-Length: 5\r\n",
		"Host: x",
		"\x16",
		"\x03\x01",
		"SSH-",
		"chunked",
		";x=\"y\"",
		"gzip",
		"Transfer-Encoding: chunked\r\n",
		"HTTP/1.1 200 OK\r\n",
		"HTTP/1.1 101 x\r\n\r\n",
		"\n \n",
		"\n\r\r\n",
		"\n \t\r\nName",
		"0x",
		"+",
		"\v",
		"Content-Length: 3, 5\r\n",
		"Content-Length: -7\r\n",
		"Transfer-Encoding: xchunked\r\n",
		"Transfer-Encoding: foo\r\n",
		"\nGET /n HTTP/1.1\r\n",
		"\nHTTP/1.1 200 OK\r\n",
		"GE",
		"HTT",
		"de",
	};
	static char text[4096];
	uint64_t rnd = 0x2545f4914f6cdd1du;

	for (int round = 0; round < 4000; round++) {
		struct vector v = {.bytes = text, .want = ""};
		enum dir dir = round % 2 == 0 ? REQ : RES;

		for (int i = 0; i < 3 + round % 20; i++) {
			const char *w;

			rnd ^= rnd << 13;
			rnd ^= rnd >> 7;
			rnd ^= rnd << 17;
			w = words[(rnd >> 30) % N(words)];
			memcpy(text + v.len, w, strlen(w) + 1);
			v.len += strlen(w);
		}
		v.answers = (enum http_answers)(rnd >> 8) % 3;
		run_init(&whole, dir, v.answers, GATHERS);
		run_piece(&whole, v.bytes, v.len, true);
		run_done(&whole);
		run_cut(&v, dir, 0, 1, true);
		for (size_t k = 2; k < 8; k++)
			run_cut(&v, dir, (rnd >> k) % v.len, k, k % 2 == 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_limits),           cmocka_unit_test(test_chunk_limits),
		cmocka_unit_test(test_no_gather_buffer), cmocka_unit_test(test_gaps),
		cmocka_unit_test(test_gap_until_close),  cmocka_unit_test(test_random_bytes),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

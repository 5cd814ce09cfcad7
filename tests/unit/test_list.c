// SPDX-License-Identifier: BSD-2-Clause
// Lists: what was put in is found, nothing else, whatever the order; files are read as they are written; damaged ones are
// refused or stay inside their bytes.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rules/list_make.h"
#include "tests/unit/guard.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

// splitmix64: the same numbers everywhere.
static uint64_t rand_next(uint64_t *io_state)
{
	uint64_t z = *io_state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

// Entry i: for LIST_TEXT of different lengths, 0 to 31.
static struct span entry(uint8_t buf[32], enum list_kind kind, uint32_t i)
{
	uint64_t state = i;
	size_t len = list_kind_bytes(kind);

	for (int k = 0; k < 4; k++) {
		uint64_t r = rand_next(&state);

		memcpy(buf + 8 * k, &r, 8);
	}
	return span_of(buf, len != 0 ? len : 4 + i % 28);
}

static struct list *finish(struct list_maker *m, uint64_t *ret_bytes)
{
	void *blob = NULL;

	assert_int_equal(list_maker_sort(m), 0);
	*ret_bytes = list_bytes(m->n, m->n_lines);
	assert_int_equal(posix_memalign(&blob, LIST_ALIGN, *ret_bytes), 0);
	memset(blob, 0, *ret_bytes);
	list_maker_write(m, blob);
	list_maker_done(m);
	return blob;
}

static struct list *make(enum list_kind kind, uint32_t n, uint64_t *ret_bytes)
{
	struct list_maker m = {.kind = (uint8_t)kind};
	uint8_t buf[32];

	for (uint32_t i = 0; i < n; i++)
		assert_int_equal(list_maker_add(&m, entry(buf, kind, i)), 0);
	return finish(&m, ret_bytes);
}

static void test_has(void **state)
{
	static const uint32_t sizes[] = {0, 1, 2, 6, 7, 8, 100, 65000};
	uint8_t buf[32];

	for (int kind = 0; kind < LIST_KIND_N; kind++) {
		for (size_t s = 0; s < N(sizes); s++) {
			const char *why = "";
			uint64_t bytes;
			struct list *l = make((enum list_kind)kind, sizes[s], &bytes);

			assert_int_equal(list_check(l, bytes, &why), 0);
			assert_int_equal(l->n, sizes[s]);
			assert_int_equal(l->kind, kind);
			for (uint32_t i = 0; i < sizes[s]; i++)
				assert_true(list_has(l, entry(buf, (enum list_kind)kind, i)));
			for (uint32_t i = sizes[s]; i < sizes[s] + 5000; i++)
				assert_false(list_has(l, entry(buf, (enum list_kind)kind, i)));
			free(l);
		}
	}
}

// More in a line than have tags: there are such lines, and what stands in them is found (by test_has).
static void test_full_lines(void **state)
{
	uint64_t bytes;
	struct list *l = make(LIST_SHA256, 65000, &bytes);
	uint32_t full = 0, most = 0;

	for (uint32_t i = 0; i < l->n_lines; i++) {
		full += list_lines(l)[i].n > LIST_TAGS;
		if (list_lines(l)[i].n > most)
			most = list_lines(l)[i].n;
	}
	assert_in_range(full, 20, 150); // 0.6 % of 9286
	assert_true(most <= LIST_LINE_MAX);
	free(l);
}

static void test_lengths(void **state)
{
	static const uint8_t mapped[16] = {[10] = 0xff, 0xff, 192, 0, 2, 1};
	struct list_maker m = {.kind = LIST_IP}, md5 = {.kind = LIST_MD5};
	uint8_t zero[64] = {0};
	uint64_t bytes;
	struct list *l;

	assert_int_equal(list_maker_add(&m, span_of(zero, 4)), -EINVAL);
	assert_int_equal(list_maker_add(&m, span_of(mapped, 16)), 0);
	l = finish(&m, &bytes);
	assert_true(list_has(l, span_of(mapped, 16)));
	assert_true(list_has(l, span_of(mapped + 12, 4))); // as a packet has it
	assert_false(list_has(l, span_of(mapped, 4)));
	assert_false(list_has(l, span_of(mapped, 12)));
	assert_false(list_has(l, SPAN_NONE));
	free(l);
	assert_int_equal(list_maker_add(&md5, span_of(zero, 16)), 0);
	assert_int_equal(list_maker_add(&md5, span_of(zero, 15)), -EINVAL);
	assert_int_equal(list_maker_add(&md5, span_of(zero, 20)), -EINVAL);
	l = finish(&md5, &bytes);
	assert_true(list_has(l, span_of(zero, 16)));
	assert_false(list_has(l, span_of(zero, 15)));
	assert_false(list_has(l, span_of(zero, 32)));
	free(l);
}

// The same entries make the same bytes, in whatever order and however often they come.
static void test_order(void **state)
{
	struct list_maker a = {.kind = LIST_TEXT}, b = {.kind = LIST_TEXT};
	uint64_t a_bytes, b_bytes;
	struct list *la, *lb = NULL;
	uint8_t buf[32];

	for (uint32_t i = 0; i < 3000; i++) {
		assert_int_equal(list_maker_add(&a, entry(buf, LIST_TEXT, i)), 0);
		for (uint32_t k = 0; k <= i % 3; k++)
			list_maker_add(&b, entry(buf, LIST_TEXT, 2999 - i));
	}
	for (int i = 0; i < 20000; i++) // very often: a single piece of the sort
		list_maker_add(&b, entry(buf, LIST_TEXT, 7));
	assert_int_equal(list_maker_sort(&b), 0);
	assert_int_equal(b.duplicates, 3000 + 20000);
	b_bytes = list_bytes(b.n, b.n_lines);
	assert_int_equal(posix_memalign((void **)&lb, LIST_ALIGN, b_bytes), 0);
	memset(lb, 0, b_bytes);
	list_maker_write(&b, lb);
	list_maker_done(&b);
	la = finish(&a, &a_bytes);
	assert_int_equal(a_bytes, b_bytes);
	assert_memory_equal(la, lb, a_bytes);
	assert_int_equal(list_checksum(la, a_bytes), list_checksum(lb, b_bytes));
	((uint8_t *)lb)[a_bytes - 1] ^= 1;
	assert_int_not_equal(list_checksum(la, a_bytes), list_checksum(lb, b_bytes));
	free(la);
	free(lb);
}

// ---- files ----

struct text_reader {
	struct span left;
	size_t piece;
	int fail; // after everything
};

static ssize_t read_text(void *ctx, void *buf, size_t n)
{
	struct text_reader *r = ctx;
	struct span s = span_first(r->left, n < r->piece ? n : r->piece);

	if (s.len == 0)
		return r->fail;
	memcpy(buf, s.data, s.len);
	r->left = span_from(r->left, s.len);
	return (ssize_t)s.len;
}

static int read_list(struct list_maker *m, enum list_kind kind, const char *text, size_t piece,
		     struct diag *d)
{
	struct text_reader r = {.left = span_of(text, strlen(text)), .piece = piece};

	*m = (struct list_maker){.kind = (uint8_t)kind};
	*d = (struct diag){.line = 0};
	return list_maker_read(m, "f", read_text, &r, d);
}

static void test_files(void **state)
{
	const struct {
		enum list_kind kind;
		const char *text;
		uint32_t n;
		struct span has;
	} cases[] = {
		{LIST_MD5, "", 0, {NULL, 0}},
		{LIST_MD5, "\n\n# nothing\n", 0, {NULL, 0}},
		{LIST_MD5, "00000000000000000000000000000000", 1, {(const uint8_t[16]){0}, 16}},
		{LIST_MD5,
		 "\xef\xbb\xbf"
		 "0000000000000000000000000000000A  a file.bin\r\n"
		 "#x\r\n\r\n0000000000000000000000000000000b\n",
		 2,
		 {(const uint8_t[16]){[15] = 10}, 16}},
		{LIST_SHA1, "ffffffffffffffffffffffffffffffffffffffff,5\n", 1, {NULL, 0}},
		{LIST_SHA256,
		 "0000000000000000000000000000000000000000000000000000000000000000\t\n",
		 1,
		 {(const uint8_t[32]){0}, 32}},
		{LIST_TEXT,
		 "Y3VybC8xLjA=\nYQ\nYWI\nYWJj\nYWJjZA==,7\n",
		 5,
		 {(const uint8_t *)"curl/1.0", 8}},
		{LIST_TEXT, "YWJjZA==,7\n", 1, {(const uint8_t *)"abcd", 4}},
		{LIST_IP,
		 "192.0.2.1\n2001:db8::1 x\n::ffff:192.0.2.2,1\n",
		 3,
		 {(const uint8_t[4]){192, 0, 2, 2}, 4}},
		{LIST_IP, "192.0.2.1", 1, {(const uint8_t[4]){192, 0, 2, 1}, 4}},
	};

	for (size_t i = 0; i < N(cases); i++) {
		for (size_t piece = 1; piece < 100; piece += 7) {
			struct list_maker m;
			struct list *l;
			uint64_t bytes;
			struct diag d;

			if (read_list(&m, cases[i].kind, cases[i].text, piece, &d) != 0)
				fail_msg("case %zu: line %u %s", i, d.line, d.text);
			assert_int_equal(m.n, cases[i].n);
			l = finish(&m, &bytes);
			if (cases[i].has.data != NULL)
				assert_true(list_has(l, cases[i].has));
			free(l);
		}
	}
}

static void test_bad_files(void **state)
{
	static const struct {
		enum list_kind kind;
		const char *text;
		unsigned int line;
		const char *why;
	} cases[] = {
		{LIST_MD5, "x", 1, "an md5"},
		{LIST_MD5, "\n0000000000000000000000000000000\n", 2, "32 digits"},
		{LIST_MD5, "000000000000000000000000000000000\n", 1, "32 digits"},
		{LIST_MD5, "0000000000000000000000000000000g", 1, "hexadecimal"},
		{LIST_SHA1, "00000000000000000000000000000000\n", 1, "40 digits"},
		{LIST_SHA256, "#\n#\n00000000000000000000000000000000\n", 3, "64 digits"},
		{LIST_TEXT, "YWJj\nYWJjZ\n", 2, "base64"},
		{LIST_TEXT, "YW=j", 1, "base64"},
		{LIST_TEXT, "evil.example\n", 1, "base64"},
		{LIST_IP, "192.0.2.0/24\n", 1, "IP address"},
		{LIST_IP, "192.0.2.256\n", 1, "IP address"},
		{LIST_IP, "1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111\n", 1,
		 "IP address"},
	};

	for (size_t i = 0; i < N(cases); i++) {
		struct list_maker m;
		struct diag d;

		assert_int_equal(read_list(&m, cases[i].kind, cases[i].text, 5, &d), -EBADMSG);
		assert_string_equal(d.file, "f");
		assert_int_equal(d.line, cases[i].line);
		if (strstr(d.text, cases[i].why) == NULL)
			fail_msg("case %zu: %s", i, d.text);
		list_maker_done(&m);
	}
}

// A line without end, an entry too long, and a read that fails.
static void test_hostile_files(void **state)
{
	size_t len = 3 << 20;
	char *text = malloc(len + 1);
	struct text_reader fails = {.left = SPAN_LIT("YQ==\n"), .piece = 5, .fail = -EIO};
	struct list_maker m;
	struct diag d;

	assert_non_null(text);
	memset(text, 'a', len);
	text[len] = '\0';
	assert_int_equal(read_list(&m, LIST_TEXT, text, len, &d), -EBADMSG);
	assert_int_equal(d.line, 1);
	assert_non_null(strstr(d.text, "128 KiB"));
	list_maker_done(&m);
	text[100 << 10] = '\0';
	assert_int_equal(read_list(&m, LIST_TEXT, text, len, &d), -EBADMSG);
	assert_non_null(strstr(d.text, "64 KiB"));
	list_maker_done(&m);
	text[80 << 10] = '\0';
	assert_int_equal(read_list(&m, LIST_TEXT, text, 1000, &d), 0);
	assert_int_equal(m.n, 1);
	list_maker_done(&m);
	free(text);
	m = (struct list_maker){.kind = LIST_TEXT};
	assert_int_equal(list_maker_read(&m, "f", read_text, &fails, &d), -EIO);
	list_maker_done(&m);
}

// ---- damage ----

// A copy that ends where no byte may be read, checked and, if it passes, looked up in.
static bool try_copy(struct guard *g, const void *blob, uint64_t bytes)
{
	const struct list *l = (const void *)guard_put(g, blob, bytes, 0);
	const char *why = NULL;
	uint8_t buf[32];

	if (list_check(l, bytes, &why) != 0) {
		assert_non_null(why);
		return false;
	}
	for (uint32_t i = 0; i < 400; i++)
		list_has(l, entry(buf, LIST_SHA256, i));
	return true;
}

static void test_damaged(void **state)
{
	uint64_t bytes, seed = 5;
	uint8_t *blob = (uint8_t *)make(LIST_SHA256, 200, &bytes);
	uint32_t n_lines = ((struct list *)(void *)blob)->n_lines, passed = 0;
	uint8_t *longer;
	struct guard g;

	guard_init(&g, bytes + 64);
	assert_true(try_copy(&g, blob, bytes));
	for (uint64_t len = 0; len < bytes; len += 16) // as it is aligned
		assert_false(try_copy(&g, blob, len));
	longer = aligned_alloc(LIST_ALIGN, bytes + LIST_ALIGN);
	assert_non_null(longer);
	memcpy(longer, blob, bytes);
	memset(longer + bytes, 0, LIST_ALIGN);
	assert_false(try_copy(&g, longer, bytes + LIST_ALIGN));
	free(longer);
	// Every bit of what leads somewhere: magic, counts, first and n of each line.
	for (uint64_t at = 0; at < sizeof(struct list) * (1 + n_lines); at++) {
		bool leads = at < 64 ? at < 16 : at % 64 < 8;

		for (int bit = 0; bit < 8; bit++) {
			blob[at] ^= (uint8_t)(1 << bit);
			if (try_copy(&g, blob, bytes)) {
				// another kind that exists is another list
				assert_true(!leads || (at >= 4 && at < 8));
				passed++;
			}
			blob[at] ^= (uint8_t)(1 << bit);
		}
	}
	assert_true(passed > 1000);
	for (int round = 0; round < 3000; round++) {
		uint8_t *copy = malloc(bytes);

		assert_non_null(copy);
		memcpy(copy, blob, bytes);
		for (uint64_t k = rand_next(&seed) % 4; k < 4; k++)
			copy[rand_next(&seed) % bytes] = (uint8_t)rand_next(&seed);
		try_copy(&g, copy, bytes);
		free(copy);
	}
	guard_done(&g);
	free(blob);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_has),           cmocka_unit_test(test_full_lines),
		cmocka_unit_test(test_lengths),       cmocka_unit_test(test_order),
		cmocka_unit_test(test_files),         cmocka_unit_test(test_bad_files),
		cmocka_unit_test(test_hostile_files), cmocka_unit_test(test_damaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: BSD-2-Clause
// The search of "selftest privacy" finds what is planted, wherever it is and however it is written, and nothing else.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <ctype.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "control/cli/canary.h"

enum {
	N = 3,
	ROOM = 4096,
};

static struct canary canaries[N] = {{.what = "one"}, {.what = "two"}, {.what = "three"}};
static struct canary_search *search;

static int setup(void **state)
{
	if (sodium_init() < 0)
		return -1;
	canary_make(canaries, N);
	search = canary_search_new(canaries, N);
	return search == NULL;
}

static int teardown(void **state)
{
	canary_search_free(search);
	return 0;
}

// Put len bytes into random ones, at the very begin, somewhere and at the very end: they are found there.
static void expect(const char *text, size_t len, const struct canary *want, const char *form)
{
	const size_t places[] = {0, 1, 1777, ROOM - len};

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		// Its own memory, so that a sanitizer sees who looks behind it.
		unsigned char *data = malloc(ROOM);
		struct canary_found found;

		assert_non_null(data);
		randombytes_buf(data, ROOM);
		assert_false(canary_find(search, data, ROOM, &found));
		if (places[i] > 0) // chance may have made the piece longer
			data[places[i] - 1] = '\0';
		memcpy(data + places[i], text, len);
		assert_true(canary_find(search, data, ROOM, &found));
		assert_ptr_equal(found.canary, want);
		assert_string_equal(found.form, form);
		assert_in_range(found.offset, places[i], places[i] + 4);
		free(data);
	}
}

static void test_pieces(void **state)
{
	for (int i = 0; i < N; i++)
		for (int at = 0; at + CANARY_PIECE <= CANARY_BYTES; at++)
			expect(canaries[i].text + at, CANARY_PIECE, &canaries[i], "as it is");
}

static void test_hex(void **state)
{
	char text[2 * CANARY_BYTES + 1];

	sodium_bin2hex(text, sizeof(text), (const unsigned char *)canaries[1].text, CANARY_BYTES);
	expect(text, strlen(text), &canaries[1], "hex");
	for (char *p = text; *p != '\0'; p++)
		*p = (char)toupper(*p);
	expect(text, strlen(text), &canaries[1], "hex");
}

// Whatever stands before it and behind it.
static void test_base64(void **state)
{
	for (size_t before = 0; before < 4; before++)
		for (size_t after = 0; after < 4; after++) {
			unsigned char raw[CANARY_BYTES + 8];
			char text[64];
			size_t len = before + CANARY_BYTES + after;

			randombytes_buf(raw, sizeof(raw));
			memcpy(raw + before, canaries[2].text, CANARY_BYTES);
			sodium_bin2base64(text, sizeof(text), raw, len,
					  sodium_base64_VARIANT_ORIGINAL);
			struct canary_found found;
			assert_true(canary_find(search, text, strlen(text), &found));
			assert_ptr_equal(found.canary, &canaries[2]);
			assert_string_equal(found.form, "base64");
		}
}

static void test_nothing(void **state)
{
	struct canary_found found;
	char text[] = "too short";

	assert_false(canary_find(search, NULL, 0, &found));
	memcpy(text, canaries[0].text, CANARY_PIECE - 1);
	assert_false(canary_find(search, text, CANARY_PIECE - 1, &found));
	assert_false(canary_find(search, text, CANARY_PIECE, &found)); // one byte less than a piece
	canary_search_free(NULL);
}

// Every run has its own.
static void test_random(void **state)
{
	struct canary other[N];
	struct canary_found found;

	canary_make(other, N);
	for (int i = 0; i < N; i++) {
		assert_int_equal(strlen(other[i].text), CANARY_BYTES);
		assert_false(canary_find(search, other[i].text, CANARY_BYTES, &found));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pieces), cmocka_unit_test(test_hex),
		cmocka_unit_test(test_base64), cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

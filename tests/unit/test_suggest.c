// SPDX-License-Identifier: BSD-2-Clause
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "common/suggest.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

static const char *const names[] = {
	"content",
	"nocase",
	"http.uri",
	"http.uri.raw",
	"sid",
	"rev",
	"",
	"a-name-of-more-than-sixty-four-bytes-which-is-too-long-to-compare-with-anything",
};

static const struct {
	const char *word, *closest;
} table[] = {
	{"content", "content"},
	{"contnet", "content"},  // two neighbours swapped: one step
	{"cntent", "content"},   // one missing
	{"conntent", "content"}, // one too many
	{"cantent", "content"},  // one wrong
	{"cotnetn", "content"},  // two steps
	{"cxnxexx", NULL},       // more than two
	{"http.urii", "http.uri"},
	{"http_uri", "http.uri"},
	{"http.uri.rwa", "http.uri.raw"},
	{"sd", NULL}, // one step, but half of the word
	{"sidd", "sid"},
	{"xyz", NULL},
	{"", NULL},
	{"CONTENT", NULL}, // case is the caller's business
	{"a-name-of-more-than-sixty-four-bytes-which-is-too-long-to-compare-with-anything", NULL},
	{"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	 NULL}, // 64: the longest compared
};

static void test_closest(void **state)
{
	for (size_t i = 0; i < N(table); i++) {
		const char *closest = suggest_closest(table[i].word, names, N(names));

		if (table[i].closest == NULL) {
			if (closest != NULL)
				print_error("%s: %s\n", table[i].word, closest);
			assert_null(closest);
			continue;
		}
		if (closest == NULL)
			print_error("%s: none\n", table[i].word);
		assert_non_null(closest);
		assert_string_equal(closest, table[i].closest);
	}
	assert_null(suggest_closest("content", names, 0));
}

// Of two names at the same distance the first is given.
static void test_tie(void **state)
{
	static const char *const pair[] = {"rules", "rulez"};

	assert_string_equal(suggest_closest("rulex", pair, 2), "rules");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_closest),
		cmocka_unit_test(test_tie),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

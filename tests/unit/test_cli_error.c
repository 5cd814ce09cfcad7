// SPDX-License-Identifier: BSD-2-Clause
// What all commands of the wireglass program say in the same way: one JSON object for an error, a suggestion for a wrong
// option, nothing of getopt's own.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/cli/cli.h"

// What was printed to stdout and stderr since capture_begin().
static struct {
	FILE *streams[2], *saved[2];
	char *text[2];
	size_t len[2];
} capture;

static void capture_begin(void)
{
	capture.saved[0] = stdout;
	capture.saved[1] = stderr;
	for (int i = 0; i < 2; i++) {
		free(capture.text[i]);
		capture.text[i] = NULL;
		capture.streams[i] = open_memstream(&capture.text[i], &capture.len[i]);
		assert_non_null(capture.streams[i]);
	}
	stdout = capture.streams[0];
	stderr = capture.streams[1];
}

static void capture_end(void)
{
	stdout = capture.saved[0];
	stderr = capture.saved[1];
	for (int i = 0; i < 2; i++)
		fclose(capture.streams[i]);
}

// stdout holds one object with this code; its error is returned, to be freed with *ret_json.
static const char *error_object(const char *code, json_t **ret_json)
{
	json_t *json = json_loads(capture.text[0], 0, NULL);

	if (!json_is_object(json))
		fail_msg("stdout: %s", capture.text[0]);
	assert_string_equal(json_string_value(json_object_get(json, "code")), code);
	*ret_json = json;
	return json_string_value(json_object_get(json, "error"));
}

static void test_error(void **state)
{
	static const struct {
		const char *text, *want; // want NULL: the same
	} cases[] = {
		{"plain", NULL},
		{"with \"quotes\" and \\", NULL},
		{"two\nlines\t", NULL},
		{"caf\xc3\xa9", NULL},
		{"b\xff"
		 "d",
		 "b\xc3\xbf"
		 "d"}, // a file name may be any bytes
	};
	struct cli cli = {.json = true};
	json_t *json;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		capture_begin();
		int code = cli_error(&cli, CLI_FAILED, "failed", "%s", cases[i].text);
		capture_end();
		assert_int_equal(code, CLI_FAILED);
		assert_string_equal(error_object("failed", &json),
				    cases[i].want != NULL ? cases[i].want : cases[i].text);
		json_decref(json);
		assert_int_equal(strncmp(capture.text[1], "wireglass: ", 11), 0);
	}
	cli.json = false;
	capture_begin();
	cli_error(&cli, CLI_USAGE, "usage", "plain");
	capture_end();
	assert_string_equal(capture.text[0], "");
	assert_string_equal(capture.text[1], "wireglass: plain\n");
}

static void test_usage(void **state)
{
	struct cli cli = {.json = false};
	json_t *json;

	capture_begin();
	assert_int_equal(cli_usage(&cli, "show", "the help\n"), CLI_USAGE);
	capture_end();
	assert_string_equal(capture.text[0], "");
	assert_string_equal(capture.text[1], "the help\n");
	cli.json = true;
	capture_begin();
	assert_int_equal(cli_usage(&cli, "show", "the help\n"), CLI_USAGE);
	capture_end();
	assert_non_null(strstr(error_object("usage", &json), "wireglass help show"));
	json_decref(json);
}

static void test_option(void **state)
{
	static const struct option options[] = {
		{"all", no_argument, NULL, 'a'},
		{"limit", required_argument, NULL, 300},
		{"key", required_argument, NULL, 'k'},
		{NULL, 0, NULL, 0},
	};
	static const struct {
		const char *word;
		int want;
		const char *says; // NULL: nothing
	} cases[] = {
		{"--all", 'a', NULL},
		{"--limit=3", 300, NULL},
		{"-kx", 'k', NULL},
		{"word", -1, NULL},
		{"--nope", CLI_BAD_OPTION, "unknown option \"--nope\" (see wireglass help x y)"},
		{"--limt", CLI_BAD_OPTION, "unknown option \"--limt\", did you mean \"--limit\"?"},
		{"--limt=3", CLI_BAD_OPTION, "\"--limt=3\", did you mean \"--limit\"?"},
		{"--all=3", CLI_BAD_OPTION, "--all takes no value"},
		{"--limit", CLI_BAD_OPTION, "--limit needs a value"},
		{"-k", CLI_BAD_OPTION, "-k needs a value"},
		{"-z", CLI_BAD_OPTION, "unknown option \"-z\" ("},
		{"-z=3", CLI_BAD_OPTION, "unknown option \"-z\" ("},
	};
	const struct cli cli = {.json = true};
	char program[] = "x", word[32];
	char *argv[] = {program, word, NULL};
	json_t *json;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(word, sizeof(word), "%s", cases[i].word);
		argv[0] = program;
		argv[1] = word;
		optind = 0;
		capture_begin();
		int c = cli_option(&cli, "x y", 2, argv, ":k:", options);
		capture_end();
		if (c != cases[i].want)
			fail_msg("%s: %d", cases[i].word, c);
		if (cases[i].says == NULL) {
			assert_string_equal(capture.text[0], "");
			assert_string_equal(capture.text[1], "");
			continue;
		}
		if (strstr(error_object("usage", &json), cases[i].says) == NULL)
			fail_msg("%s: %s", cases[i].word, capture.text[0]);
		json_decref(json);
		// One line, ours.
		assert_ptr_equal(strchr(capture.text[1], '\n') + 1,
				 capture.text[1] + capture.len[1]);
	}
}

static int end(void **state)
{
	free(capture.text[0]);
	free(capture.text[1]);
	capture.text[0] = capture.text[1] = NULL;
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_error, end),
		cmocka_unit_test_teardown(test_usage, end),
		cmocka_unit_test_teardown(test_option, end),
	};

	return cmocka_run_group_tests_name("cli_error", tests, NULL, NULL);
}

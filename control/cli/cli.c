// SPDX-License-Identifier: BSD-2-Clause
// What all commands say in the same way: errors, unknown words, wrong options. An error is one sentence on stderr and,
// with --json, one object on stdout, whatever bytes are in it.
#include "control/cli/cli.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/eve.h"
#include "common/suggest.h"

json_t *cli_json_text(const char *text)
{
	size_t len = strlen(text), size = 6 * len + 2; // every byte at its longest
	char *buf = calloc(1, size), *end;
	json_t *json = NULL;

	if (buf == NULL)
		return NULL;
	end = eve_string(buf, buf + size, text, len);
	if (end != NULL)
		json = json_loadb(buf, (size_t)(end - buf), JSON_DECODE_ANY, NULL);
	free(buf);
	return json;
}

int cli_error(const struct cli *cli, enum cli_exit exit_code, const char *code, const char *fmt,
	      ...)
{
	char text[2048];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	fprintf(stderr, "wireglass: %s\n", text);
	if (cli->json) {
		json_t *json = json_pack("{s:o, s:s}", "error", cli_json_text(text), "code", code);
		if (json != NULL) {
			json_dumpf(json, stdout, JSON_COMPACT);
			putchar('\n');
		}
		json_decref(json);
	}
	return exit_code;
}

int cli_usage(const struct cli *cli, const char *command, const char *help)
{
	if (cli->json)
		return cli_error(cli, CLI_USAGE, "usage",
				 "the arguments of %s are not complete (see wireglass help %s)",
				 command, command);
	fputs(help, stderr);
	return CLI_USAGE;
}

int cli_unknown(const struct cli *cli, const char *command, const char *what, const char *word,
		const char *const *words, unsigned int n)
{
	const char *near = suggest_closest(word, words, n);

	return cli_error(cli, CLI_USAGE, "usage",
			 "unknown %s \"%s\"%s%s%s (see wireglass help%s%s)", what, word,
			 near != NULL ? ", did you mean \"" : "", near != NULL ? near : "",
			 near != NULL ? "\"?" : "", command != NULL ? " " : "",
			 command != NULL ? command : "");
}

static void bad_option(const struct cli *cli, const char *command, const char *word,
		       const struct option *options)
{
	char name[64] = "", shorter[3] = {'-', (char)optopt, '\0'};
	const char *names[32], *near = NULL;
	unsigned int n = 0;

	if (optopt != 0 && strncmp(word, "--", 2) == 0 && strchr(word, '=') != NULL) {
		cli_error(cli, CLI_USAGE, "usage", "%.*s takes no value (see wireglass help %s)",
			  (int)strcspn(word, "="), word, command);
		return;
	}
	if (optopt != 0) { // a letter
		word = shorter;
	} else {
		snprintf(name, sizeof(name), "%.*s", (int)strcspn(word + 2, "="), word + 2);
		for (; options[n].name != NULL && n < 32; n++)
			names[n] = options[n].name;
		near = suggest_closest(name, names, n);
	}
	cli_error(cli, CLI_USAGE, "usage", "unknown option \"%s\"%s%s%s (see wireglass help %s)",
		  word, near != NULL ? ", did you mean \"--" : "", near != NULL ? near : "",
		  near != NULL ? "\"?" : "", command);
}

int cli_option(const struct cli *cli, const char *command, int argc, char **argv,
	       const char *shorts, const struct option *options)
{
	opterr = 0;
	int c = getopt_long(argc, argv, shorts, options, NULL);

	if (c == ':')
		cli_error(cli, CLI_USAGE, "usage", "%s needs a value (see wireglass help %s)",
			  argv[optind - 1], command);
	else if (c == '?')
		bad_option(cli, command, argv[optind - 1], options);
	return c == ':' ? CLI_BAD_OPTION : c;
}

bool cli_number(const char *text, unsigned long long min, unsigned long long max,
		unsigned long long *ret_value)
{
	char *end;

	if (text[0] < '0' || text[0] > '9')
		return false;
	errno = 0;
	unsigned long long v = strtoull(text, &end, 10);
	if (errno != 0 || *end != '\0' || v < min || v > max)
		return false;
	*ret_value = v;
	return true;
}

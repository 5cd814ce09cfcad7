// SPDX-License-Identifier: BSD-2-Clause
// What all commands say in the same way: errors, unknown words, wrong options. An error is one sentence on stderr and,
// with --json, one object on stdout, whatever bytes are in it.
#include "control/cli/cli.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

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

enum cli_exit cli_exit_of(const char *code)
{
	static const struct {
		const char *code;
		enum cli_exit exit_code;
	} table[] = {{"signature", CLI_SIGNATURE}, {"selftest", CLI_SELFTEST},
		     {"expired", CLI_EXPIRED},     {"stale", CLI_STALE},
		     {"size", CLI_SIZE},           {"compile", CLI_COMPILE},
		     {"memory", CLI_COMPILE},      {"governance", CLI_GOVERNANCE},
		     {"bundle", CLI_BUNDLE},       {"empty", CLI_BUNDLE}};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (strcmp(code, table[i].code) == 0)
			return table[i].exit_code;
	return CLI_FAILED;
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

bool cli_time(const char *text, bool last, uint64_t *ret_ns)
{
	static const uint64_t second_ns = 1000000000u;
	const char *const units = "smhd";
	static const uint64_t unit_s[] = {1, 60, 3600, 86400};
	size_t len = strlen(text);
	unsigned long long n;
	struct tm tm = {0};
	char ago[24];

	if (len > 1 && len < sizeof(ago)) {
		const char *unit = strchr(units, text[len - 1]);
		memcpy(ago, text, len);
		ago[len - 1] = '\0';
		if (unit != NULL && cli_number(ago, 0, 1000000000, &n)) {
			uint64_t now = (uint64_t)time(NULL), back = n * unit_s[unit - units];
			*ret_ns = back < now ? (now - back) * second_ns : 1;
			return true;
		}
	}
	const char *end = strptime(text, "%Y-%m-%d", &tm);
	uint64_t span_s = 86400;
	if (end != NULL && *end == 'T') {
		end = strptime(end, "T%H:%M:%S", &tm);
		span_s = 1;
		if (end != NULL && *end == 'Z')
			end++;
	}
	time_t t = end != NULL && *end == '\0' ? timegm(&tm) : -1;
	if (t < 0)
		return false;
	*ret_ns = (uint64_t)t * second_ns + (last ? span_s * second_ns - 1 : 0);
	if (*ret_ns == 0)
		*ret_ns = 1; // 0 stands for none
	return true;
}

// SPDX-License-Identifier: BSD-2-Clause
// "wireglass rules check": the parser and the compiler of the daemon, here, with every message printed.
#include "control/cli/rules.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/cli/client.h"
#include "rules/compile.h"

enum {
	VARS_MAX = 64,
};

static const char help[] =
	"usage: wireglass rules check [--var NAME=VALUE]... [--skipped] FILE...\n"
	"\n"
	"Parse and compile rule files as wireglassd would, and say what is wrong with each rule "
	"that does not\n"
	"load: file:line:column, sid, reason. Rules for protocols that are not inspected are "
	"skipped and\n"
	"counted; they are no error.\n"
	"\n"
	"  --var NAME=VALUE  value of $NAME, an address or port variable, for example\n"
	"                    --var HOME_NET=198.51.100.0/24; the others have Suricata's defaults\n"
	"  --skipped         list the skipped rules too\n"
	"\n"
	"With --json: {\"loaded\", \"refused\", \"skipped\", \"rules\": [{\"sid\", \"file\", "
	"\"line\", \"column\",\n"
	"\"verdict\", \"reason\"}...], \"databases\", \"signatures\", \"always\", \"image_bytes\", "
	"\"parse_ms\", \"plan_ms\",\n"
	"\"compile_ms\"}. \"always\" counts the rules without a text to search for: they are "
	"looked at on every\n"
	"message, so keep them few.\n"
	"\n"
	"Exit codes: 0 all load, 6 some were refused, 1 nothing loads or a file cannot be read, 2 "
	"usage.\n"
	"\n"
	"  wireglass rules check web.rules\n"
	"  wireglass --json rules check *.rules | jq -r '.rules[] | [.sid, .reason] | @tsv'\n";

struct check {
	const struct cli *cli;
	bool list_skipped;
	unsigned long refused, skipped;
	json_t *rules; // NULL unless --json
	bool oom;
};

static void on_rule(void *ctx, enum rules_verdict verdict, uint32_t sid, const struct diag *diag)
{
	struct check *c = ctx;

	if (verdict == RULES_SKIPPED)
		c->skipped++;
	else
		c->refused++;
	if (verdict == RULES_SKIPPED && !c->list_skipped)
		return;
	if (c->rules != NULL) {
		json_t *rule =
			json_pack("{s:I, s:o, s:I, s:I, s:s, s:o}", "sid", (json_int_t)sid, "file",
				  cli_json_text(diag->file), "line", (json_int_t)diag->line,
				  "column", (json_int_t)diag->column, "verdict",
				  verdict == RULES_SKIPPED ? "skipped" : "refused", "reason",
				  cli_json_text(diag->text));

		if (rule == NULL || json_array_append_new(c->rules, rule) < 0)
			c->oom = true;
		return;
	}
	if (c->cli->quiet)
		return;
	rules_print_text(diag->file);
	printf(":%u:%u: sid %u: %s", diag->line, diag->column, sid,
	       verdict == RULES_SKIPPED ? "skipped: " : "");
	rules_print_text(diag->text);
	putchar('\n');
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

// "HOME_NET=10.0.0.0/8" or "$HOME_NET=..." in place. False: no '=' or no name.
static bool split_var(char *text, struct rule_var *ret_var)
{
	char *equals = strchr(text, '=');

	if (text[0] == '$')
		text++;
	if (equals == NULL || equals == text)
		return false;
	*equals = '\0';
	*ret_var = (struct rule_var){text, equals + 1};
	return true;
}

static int print_json(struct check *c, const struct compile_stats *s, uint64_t parse_ns)
{
	json_t *reply =
		json_pack("{s:I, s:I, s:I, s:O, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "loaded",
			  (json_int_t)s->rules, "refused", (json_int_t)c->refused, "skipped",
			  (json_int_t)c->skipped, "rules", c->rules, "databases",
			  (json_int_t)s->databases + s->own_databases, "signatures",
			  (json_int_t)s->signatures, "always", (json_int_t)s->always, "image_bytes",
			  (json_int_t)s->image_bytes, "parse_ms", (json_int_t)(parse_ns / 1000000),
			  "plan_ms", (json_int_t)(s->plan_ns / 1000000), "compile_ms",
			  (json_int_t)(s->compile_ns / 1000000));
	int ret;

	if (reply == NULL || c->oom) {
		json_decref(reply);
		return cli_error(c->cli, CLI_FAILED, "memory", "out of memory");
	}
	ret = client_print_json(reply);
	json_decref(reply);
	return ret;
}

static void print_summary(const struct check *c, const struct compile_stats *s, uint64_t parse_ns)
{
	printf("%u rules load", s->rules);
	if (c->refused > 0)
		printf(", %lu refused", c->refused);
	if (c->skipped > 0)
		printf(", %lu skipped (other protocols)", c->skipped);
	printf("; %u databases, %.1f MB image, parsed in %llu ms, compiled in %llu ms\n",
	       s->databases + s->own_databases, (double)s->image_bytes / 1e6,
	       (unsigned long long)(parse_ns / 1000000),
	       (unsigned long long)((s->plan_ns + s->compile_ns) / 1000000));
	if (s->always > 0)
		printf("%u of them have no text to search for and are looked at on every message\n",
		       s->always);
}

static int check_files(struct check *c, const struct rule_var *vars, char *const *files, int n)
{
	struct compile_stats stats = {0};
	struct diag diag = {""};
	struct rules rs = {0};
	uint64_t start = now_ns(), parse_ns, len;
	void *image = NULL;
	int ret = 0;

	for (int i = 0; i < n && ret >= 0; i++)
		ret = rules_parse_file(&rs, files[i], vars, on_rule, c, &diag);
	parse_ns = now_ns() - start;
	if (ret >= 0)
		ret = compile_image(&rs, 0, &image, &len, &stats, on_rule, c, &diag);
	free(image);
	rules_done(&rs);
	if (ret == -ENOMEM)
		return cli_error(c->cli, CLI_FAILED, "memory", "out of memory");
	if (ret < 0)
		return rules_failed(c->cli, ret, &diag);
	ret = CLI_OK;
	if (c->rules != NULL)
		ret = print_json(c, &stats, parse_ns);
	else if (!c->cli->quiet)
		print_summary(c, &stats, parse_ns);
	if (ret != CLI_OK)
		return ret;
	return stats.rules == 0 ? CLI_FAILED : c->refused > 0 ? CLI_PARTIAL : CLI_OK;
}

int rules_check(struct cli *cli, int argc, char **argv)
{
	static const struct option options[] = {{"var", required_argument, NULL, 'v'},
						{"skipped", no_argument, NULL, 's'},
						{"help", no_argument, NULL, 'h'},
						{NULL, 0, NULL, 0}};
	struct rule_var vars[VARS_MAX + 1];
	struct check check = {.cli = cli};
	int c, ret, n = 0;

	while ((c = cli_option(cli, "rules check", argc, argv, ":h", options)) != -1) {
		switch (c) {
		case 'h':
			fputs(help, stdout);
			return CLI_OK;
		case 's':
			check.list_skipped = true;
			break;
		case 'v':
			if (n == VARS_MAX || !split_var(optarg, &vars[n]))
				return cli_error(cli, CLI_USAGE, "usage",
						 "--var needs NAME=VALUE, at most %d of them",
						 VARS_MAX);
			n++;
			break;
		default:
			return CLI_USAGE;
		}
	}
	vars[n] = (struct rule_var){NULL, NULL};
	if (optind == argc)
		return cli_error(cli, CLI_USAGE, "usage",
				 "rules check needs rule files (see wireglass help rules check)");
	if (cli->json)
		check.rules = json_array();
	ret = check_files(&check, vars, argv + optind, argc - optind);
	json_decref(check.rules);
	return ret;
}

// SPDX-License-Identifier: BSD-2-Clause
// "wireglass rules check": the parser and the compiler of the daemon, here, with every message printed; then what the
// result costs. "wireglass rules explain": one rule of them in words.
#include "control/cli/rules.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/cli/client.h"
#include "control/cli/progress.h"
#include "control/cli/rules_cost.h"
#include "dataplane/replay.h"
#include "rules/explain.h"
#include "rules/load.h"

enum {
	VARS_MAX = 64,
};

static const char check_help[] =
	"usage: wireglass rules check [--var NAME=VALUE]... [--profile PCAP] [--cache DIR] "
	"[--skipped] FILE...\n"
	"\n"
	"Parse and compile rule files as wireglassd would. Says what is wrong with each rule that "
	"does not\n"
	"load (file:line:column, sid, keyword, reason), then what the set costs: its databases, "
	"their speed on\n"
	"a built-in sample of web traffic, and the ten most expensive rules with what would make "
	"them cheaper.\n"
	"Rules for protocols that are not inspected are skipped and counted; they are no error.\n"
	"\n"
	"  --var NAME=VALUE  value of $NAME, an address or port variable, for example\n"
	"                    --var HOME_NET=198.51.100.0/24; the others have Suricata's defaults\n"
	"  --profile PCAP    measure on the messages of a capture of your own traffic instead\n"
	"  --cache DIR       keep compiled sets in DIR and use them again; \"\" means\n"
	"                    $XDG_CACHE_HOME/wireglass\n"
	"  --classification FILE  priorities of classtypes, as in Suricata's "
	"classification.config\n"
	"  --threshold-file FILE  thresholds and suppressions, as in Suricata's threshold.config\n"
	"  --skipped         list the skipped rules too\n"
	"\n"
	"With --json: {\"total\", \"loaded\", \"skipped\": {protocol: n}, \"refused\": [{\"file\", "
	"\"line\", \"column\",\n"
	"\"sid\", \"keyword\", \"reason\"}], \"databases\": [{\"buffer\", \"direction\", "
	"\"patterns\", \"bytes\",\n"
	"\"stream_bytes\", \"gbps\" (10^9 bytes a second)}], \"expensive\": [{\"sid\", "
	"\"percent\", \"buffer\", \"literal\",\n"
	"\"woken\", \"messages\", \"mend\", ...}], \"seconds\", and more: see wireglass-rules(1).\n"
	"\n"
	"Exit codes: 0 all load, 1 some were refused or a file cannot be read, 2 usage.\n"
	"\n"
	"  wireglass rules check web.rules\n"
	"  wireglass --json rules check *.rules | jq -r '.refused[] | [.sid, .reason] | @tsv'\n";

static const char explain_help[] =
	"usage: wireglass rules explain [--var NAME=VALUE]... [--profile PCAP] SID FILE...\n"
	"\n"
	"What becomes of a rule: which text in which buffer wakes it, what is checked where, what "
	"has to be kept\n"
	"of a message for it, and how often that happens on a built-in sample of web traffic, or\n"
	"on a capture.\n"
	"\n"
	"Exit codes: 0 done, 1 no such rule, it does not load, or a file cannot be read, 2 usage.\n"
	"\n"
	"  wireglass rules explain 2034567 web.rules\n";

struct check {
	const struct cli *cli;
	bool list_skipped;
	const char *cache, *profile;
	const char *classification, *thresholds; // files, NULL: none
	struct rule_var vars[VARS_MAX + 1];
	int n_vars;
	// reports
	uint32_t only;    // sid to keep the report of, printing none; 0: print all
	struct diag last; // of that sid
	json_t *refused, *skipped_rules, *skipped; // NULL unless --json; skipped: always
	bool oom;
};

static void list_rule(struct check *c, json_t *list, uint32_t sid, const struct diag *d)
{
	json_t *rule = json_pack("{s:o, s:I, s:I, s:I, s:o, s:o}", "file", cli_json_text(d->file),
				 "line", (json_int_t)d->line, "column", (json_int_t)d->column,
				 "sid", (json_int_t)sid, "keyword", cli_json_text(d->keyword),
				 "reason", cli_json_text(d->text));

	if (rule == NULL || json_array_append_new(list, rule) < 0)
		c->oom = true;
}

static void on_rule(void *ctx, enum rules_verdict verdict, uint32_t sid, const struct diag *d)
{
	struct check *c = ctx;

	if (c->only != 0) {
		if (sid == c->only)
			c->last = *d;
		return;
	}
	if (verdict == RULES_SKIPPED) {
		json_int_t n = json_integer_value(json_object_get(c->skipped, d->keyword));

		if (json_object_set_new(c->skipped, d->keyword, json_integer(n + 1)) < 0)
			c->oom = true;
	}
	if (verdict == RULES_SKIPPED && !c->list_skipped)
		return;
	if (c->refused != NULL) {
		list_rule(c, verdict == RULES_SKIPPED ? c->skipped_rules : c->refused, sid, d);
		return;
	}
	if (c->cli->quiet)
		return;
	rules_print_text(d->file);
	printf(":%u:%u: sid %u: %s", d->line, d->column, sid,
	       verdict == RULES_SKIPPED ? "skipped: " : "");
	rules_print_text(d->text);
	putchar('\n');
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

static int print_json(struct check *c, const struct load_result *res, const struct cost *cost,
		      double seconds)
{
	const struct compile_stats *s = &res->stats;
	json_t *reply = json_pack(
		"{s:I, s:I, s:O, s:O, s:o, s:o, s:o, s:f, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:b}",
		"total", (json_int_t)res->seen, "loaded", (json_int_t)s->rules, "skipped",
		c->skipped, "refused", c->refused, "databases", rules_cost_databases(cost),
		"expensive", rules_cost_expensive(cost), "sample", rules_cost_sample(cost),
		"seconds", seconds, "own_databases", (json_int_t)cost->own_databases, "signatures",
		(json_int_t)s->signatures, "always", (json_int_t)s->always, "alert_only",
		(json_int_t)s->alert_only, "image_bytes", (json_int_t)s->image_bytes, "parse_ms",
		(json_int_t)(res->parse_ns / 1000000), "compile_ms",
		(json_int_t)((s->plan_ns + s->compile_ns) / 1000000), "cached", res->cached);
	int ret;

	if (reply != NULL && c->list_skipped &&
	    json_object_set(reply, "skipped_rules", c->skipped_rules) < 0)
		c->oom = true;
	if (reply == NULL || c->oom) {
		json_decref(reply);
		return cli_error(c->cli, CLI_FAILED, "memory", "out of memory");
	}
	ret = client_print_json(reply);
	json_decref(reply);
	return ret;
}

static void print_summary(const struct check *c, const struct load_result *res,
			  const struct cost *cost)
{
	const struct compile_stats *s = &res->stats;
	const char *protocol;
	json_t *n;
	bool first = true;

	printf("%u rules load", s->rules);
	if (res->refused > 0)
		printf(", %u refused", res->refused);
	if (res->skipped > 0) {
		printf(", %u skipped (", res->skipped);
		json_object_foreach(c->skipped, protocol, n)
		{
			printf("%s%s %" JSON_INTEGER_FORMAT, first ? "" : ", ", protocol,
			       json_integer_value(n));
			first = false;
		}
		putchar(')');
	}
	if (res->cached)
		printf("; %.1f MB image, from the cache\n", (double)s->image_bytes / 1e6);
	else
		printf("; %.1f MB image, parsed in %llu ms, compiled in %llu ms\n",
		       (double)s->image_bytes / 1e6, (unsigned long long)(res->parse_ns / 1000000),
		       (unsigned long long)((s->plan_ns + s->compile_ns) / 1000000));
	if (s->always > 0)
		printf("%u of them have no text to search for and are looked at on every message\n",
		       s->always);
	rules_print_alert_only(s->alert_only);
	if (s->rules > 0)
		rules_cost_print(cost);
}

// The messages to measure on.
static int open_sample(const struct check *c, struct sample *ret_sample, struct diag *ret_diag)
{
	if (c->profile != NULL)
		return profile_read(c->profile, ret_sample, ret_diag);
	return sample_builtin(ret_sample);
}

static int load(struct check *c, char *const *files, uint32_t n, struct rules *rs,
		struct load_result *ret_result, struct cost *ret_cost, struct diag *d)
{
	struct load_text *texts = calloc(n + 2, sizeof(*texts));
	const struct load_paths paths = {(const char *const *)files, n, c->classification,
					 c->thresholds};
	struct cli_progress progress;
	struct load_request q = {.texts = texts, .vars = c->vars, .progress = &progress.progress};
	struct sample sample = {0};
	char dir[PATH_MAX];
	struct cache cache;
	int err = texts == NULL ? -ENOMEM : 0;

	if (err == 0 && c->cache != NULL) {
		const char *folder = c->cache[0] != '\0' ? c->cache : cache_default_dir(dir);

		err = cache_init(&cache, folder != NULL ? folder : "", CACHE_BYTES_DEFAULT, d);
		q.cache = &cache;
	}
	if (err == 0)
		err = open_sample(c, &sample, d);
	if (err == 0)
		err = load_paths_read(&paths, texts, &q.n_texts, d);
	if (err == 0) {
		cli_progress_begin(&progress, c->cli->quiet);
		err = load_image(&q, rs, ret_result, on_rule, c, d);
		if (err == 0)
			err = cost_measure(ret_result->image, rs, &sample, ret_cost, d);
		cli_progress_end(&progress);
		load_files_free(texts, q.n_texts);
	}
	free(texts);
	sample_done(&sample);
	if (err == -ENOMEM)
		diag_set(d, NULL, 0, 0, "out of memory");
	return err;
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static int check_files(struct check *c, char *const *files, uint32_t n)
{
	struct load_result res = {0};
	struct cost *cost = calloc(1, sizeof(*cost));
	struct diag diag = {""};
	struct rules rs = {0};
	double start = now();
	int err = -ENOMEM, ret;
	char text[1024];

	if (cost != NULL)
		err = load(c, files, n, &rs, &res, cost, &diag);
	if (err < 0) {
		ret = rules_failed(c->cli, err, &diag);
		goto out;
	}
	if (res.cache.text[0] != '\0')
		fprintf(stderr, "wireglass: %s\n", diag_format(&res.cache, text, sizeof(text)));
	ret = res.refused > 0 ? CLI_FAILED : CLI_OK;
	if (c->refused != NULL) {
		if (print_json(c, &res, cost, now() - start) != CLI_OK)
			ret = CLI_FAILED;
	} else if (!c->cli->quiet) {
		print_summary(c, &res, cost);
	}
out:
	free(res.image);
	free(cost);
	rules_done(&rs);
	return ret;
}

// The options that check and explain share. -1: they are all taken, else an exit code.
static int take_options(struct check *c, const char *command, const char *help, int argc,
			char **argv)
{
	static const struct option options[] = {{"var", required_argument, NULL, 'v'},
						{"profile", required_argument, NULL, 'p'},
						{"cache", required_argument, NULL, 'c'},
						{"skipped", no_argument, NULL, 's'},
						{"classification", required_argument, NULL, 'k'},
						{"threshold-file", required_argument, NULL, 't'},
						{"help", no_argument, NULL, 'h'},
						{NULL, 0, NULL, 0}};
	int opt;

	while ((opt = cli_option(c->cli, command, argc, argv, ":h", options)) != -1) {
		switch (opt) {
		case 'h':
			fputs(help, stdout);
			return CLI_OK;
		case 's':
			c->list_skipped = true;
			break;
		case 'p':
			c->profile = optarg;
			break;
		case 'c':
			c->cache = optarg;
			break;
		case 'k':
			c->classification = optarg;
			break;
		case 't':
			c->thresholds = optarg;
			break;
		case 'v':
			if (c->n_vars == VARS_MAX || !split_var(optarg, &c->vars[c->n_vars]))
				return cli_error(c->cli, CLI_USAGE, "usage",
						 "--var needs NAME=VALUE, at most %d of them",
						 VARS_MAX);
			c->n_vars++;
			break;
		default:
			return CLI_USAGE;
		}
	}
	return -1;
}

int rules_check(struct cli *cli, int argc, char **argv)
{
	struct check check = {.cli = cli, .skipped = json_object()};
	int ret = take_options(&check, "rules check", check_help, argc, argv);

	if (ret < 0 && optind == argc)
		ret = cli_error(cli, CLI_USAGE, "usage",
				"rules check needs rule files (see wireglass help rules check)");
	if (ret < 0) {
		if (cli->json) {
			check.refused = json_array();
			check.skipped_rules = json_array();
		}
		ret = check_files(&check, argv + optind, (uint32_t)(argc - optind));
	}
	json_decref(check.refused);
	json_decref(check.skipped_rules);
	json_decref(check.skipped);
	return ret;
}

// The rule alone, in words and measured.
static int explain(struct check *c, struct rules *all, const struct rule *r)
{
	struct rules one = {.v = (struct rule *)(uintptr_t)r,
			    .n = 1,
			    .lists = all->lists,
			    .n_lists = all->n_lists};
	struct compile_stats stats;
	struct sample sample = {0};
	struct diag d = {""};
	struct cost *cost = calloc(1, sizeof(*cost));
	void *image = NULL;
	char *text = NULL;
	size_t size = 0;
	uint64_t len;
	FILE *out = open_memstream(&text, &size);
	int err = cost == NULL || out == NULL ? -ENOMEM : 0;

	if (err == 0)
		err = compile_image(&one, 0, &image, &len, &stats, on_rule, c, &d);
	if (err == 0 && stats.rules == 0) {
		d = c->last;
		err = -EINVAL;
	}
	if (err == 0)
		err = open_sample(c, &sample, &d);
	if (err == 0)
		err = cost_measure(image, all, &sample, cost, &d);
	if (err == 0)
		err = explain_rule(out, all, r, &d);
	if (err == 0)
		rules_cost_explain(out, cost);
	if (out != NULL)
		fclose(out);
	if (err == 0 && c->cli->json)
		err = rules_cost_print_explanation(c->cli, r, text, cost);
	else if (err == 0)
		fputs(text, stdout);
	free(text);
	free(image);
	free(cost);
	sample_done(&sample);
	return err == 0 ? CLI_OK : rules_failed(c->cli, err, &d);
}

int rules_explain(struct cli *cli, int argc, char **argv)
{
	struct check check = {.cli = cli, .skipped = json_object()};
	unsigned long long sid = 0;
	struct rules rs = {0};
	struct diag d = {""};
	const struct rule *r = NULL;
	int ret = take_options(&check, "rules explain", explain_help, argc, argv), err = 0;

	if (ret < 0 && (argc - optind < 2 || !cli_number(argv[optind], 1, UINT32_MAX, &sid)))
		ret = cli_error(cli, CLI_USAGE, "usage",
				"rules explain needs a sid and rule files (see wireglass help "
				"rules explain)");
	if (ret >= 0)
		goto out;
	check.only = (uint32_t)sid;
	for (int i = optind + 1; i < argc && err >= 0; i++)
		err = rules_parse_file(&rs, argv[i], check.vars, on_rule, &check, &d);
	for (size_t i = 0; i < rs.n && r == NULL; i++)
		if (rs.v[i].sid == sid)
			r = &rs.v[i];
	if (err < 0)
		ret = rules_failed(cli, err, &d);
	else if (r != NULL)
		ret = explain(&check, &rs, r);
	else if (check.last.text[0] != '\0')
		ret = rules_failed(cli, -EINVAL, &check.last);
	else
		ret = cli_error(cli, CLI_FAILED, "unknown",
				"no rule with sid %llu loads from these files", sid);
out:
	json_decref(check.skipped);
	rules_done(&rs);
	return ret;
}

// SPDX-License-Identifier: BSD-2-Clause
// "wireglass audit": reads the log of wireglassd from its files, so that it works without it, and on a copy elsewhere.
// Nothing is shown that was not verified.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/audit.h"
#include "control/cli/client.h"
#include "control/cli/rules.h"
#include "control/settings.h"
#include "rules/file.h"

static const char help[] =
	"usage: wireglass audit verify [--state DIR] [--key PUBLIC] [--expect N:HASH] [FILE]\n"
	"       wireglass audit show   [--state DIR] [--limit N] [--action TEXT] [--uid N]\n"
	"       wireglass audit export [--state DIR] [--from N] [--to N] [-o FILE]\n"
	"\n"
	"What was asked of wireglassd, by whom, and what became of it. Every entry holds the hash "
	"of the one\n"
	"before and is signed with the key of this installation; the last one is written down "
	"apart.\n"
	"\n"
	"  verify  is every entry as it was written, and is none missing? Names the first that is "
	"not in order.\n"
	"          FILE: an exported part instead of the log; it has no end that must be there\n"
	"  show    the newest entries\n"
	"  export  the entries as they are, one JSON object a line, for \"verify FILE\" elsewhere\n"
	"\n"
	"  --state DIR      state folder of wireglassd (default " SETTINGS_STATE_DIR ")\n"
	"  --key PUBLIC     key to verify with (default DIR/audit.pub; better a copy kept "
	"elsewhere)\n"
	"  --expect N:HASH  entry N must have this hash: what the system log or somebody else "
	"noted\n"
	"  --limit N        at most the newest N entries (default 50)\n"
	"  --action TEXT    only this action, like \"rules load\"\n"
	"  --uid N          only what this user asked for\n"
	"  --from N, --to N first and last entry\n"
	"  -o, --output F   write to F, which must not exist (default: stdout)\n"
	"\n"
	"Exit codes: 0 in order, 5 not in order, 1 cannot be read, 2 usage.\n"
	"\n"
	"  sudo wireglass audit verify\n"
	"  sudo wireglass audit show --action \"rules load\"\n";

struct audit_cmd {
	const char *state, *key, *action, *output, *file;
	unsigned long long expect_n, limit, from, to, uid;
	bool only_uid;
	char expect_hash[AUDIT_HASH_TEXT];
	json_t *entries; // show
	FILE *out;       // export
	uint64_t exported;
};

static void on_show(void *ctx, const json_t *entry, const char *line)
{
	struct audit_cmd *a = ctx;
	const char *action = json_string_value(json_object_get(entry, "action"));

	if ((a->action != NULL && (action == NULL || strcmp(a->action, action) != 0)) ||
	    (a->only_uid &&
	     (unsigned long long)json_integer_value(json_object_get(entry, "uid")) != a->uid))
		return;
	json_array_append(a->entries, (json_t *)(uintptr_t)entry);
	if (json_array_size(a->entries) > a->limit)
		json_array_remove(a->entries, 0);
}

static void on_export(void *ctx, const json_t *entry, const char *line)
{
	struct audit_cmd *a = ctx;
	unsigned long long n = (unsigned long long)json_integer_value(json_object_get(entry, "n"));

	if (n < a->from || n > a->to)
		return;
	fprintf(a->out, "%s\n", line);
	a->exported++;
}

static int cannot_open(const struct cli *cli, const char *path)
{
	return cli_error(cli, CLI_FAILED, "failed", "%s: cannot be read: %s%s", path,
			 strerror(errno),
			 errno == EACCES   ? " (the log belongs to root or to the user of "
					     "wireglassd: try as that one)"
			 : errno == ENOENT ? " (--state names the state folder of wireglassd)"
					   : "");
}

// Verify, handing the entries to fn. 0 or an exit code with the error said; -1: not in order, see the report.
static int read_log(const struct cli *cli, struct audit_cmd *a, audit_entry_fn *fn,
		    struct audit_report *ret_report)
{
	char log_path[512], head_path[512], key_path[512];
	struct sig_trust *trust = calloc(1, sizeof(*trust));
	FILE *log = NULL, *head = NULL;
	struct diag diag = {""};
	int ret;

	snprintf(log_path, sizeof(log_path), "%s/audit.jsonl", a->state);
	snprintf(head_path, sizeof(head_path), "%s/audit.head", a->state);
	snprintf(key_path, sizeof(key_path), "%s/audit.pub", a->state);
	if (a->file != NULL)
		snprintf(log_path, sizeof(log_path), "%s", a->file);
	if (trust == NULL)
		return cli_error(cli, CLI_FAILED, "memory", "out of memory");
	log = fopen(log_path, "re");
	if (log == NULL) {
		ret = cannot_open(cli, log_path);
	} else if (a->file == NULL && (head = fopen(head_path, "re")) == NULL) {
		ret = cannot_open(cli, head_path);
	} else if (sig_trust_add(trust, a->key != NULL ? a->key : key_path, &diag) != 0) {
		ret = rules_failed(cli, -EINVAL, &diag);
	} else {
		ret = audit_verify(log, head, &trust->v[0], a->expect_n, a->expect_hash, fn, a,
				   ret_report);
		ret = ret != 0 ? -1 : 0;
	}
	if (log != NULL)
		fclose(log);
	if (head != NULL)
		fclose(head);
	free(trust);
	return ret;
}

static int not_in_order(const struct cli *cli, const struct audit_report *r)
{
	return cli_error(cli, CLI_SIGNATURE, "tampered", "the audit log is not in order: %s",
			 r->problem);
}

static int verify(const struct cli *cli, struct audit_cmd *a)
{
	struct audit_report r;
	int ret = read_log(cli, a, NULL, &r);

	if (ret > 0 || (ret < 0 && !cli->json))
		return ret > 0 ? ret : not_in_order(cli, &r);
	if (cli->json) {
		json_t *json = json_pack("{s:b, s:I, s:I, s:s, s:s, s:o, s:s, s:s}", "ok", ret == 0,
					 "entries", (json_int_t)r.entries, "first",
					 (json_int_t)r.first, "hash", r.hash, "key", r.key, "bad",
					 r.bad != 0 ? json_integer((json_int_t)r.bad) : json_null(),
					 "problem", r.problem, "note", r.note);
		int failed = json != NULL ? client_print_json(json) : CLI_FAILED;
		json_decref(json);
		return failed != 0 ? failed : ret == 0 ? CLI_OK : CLI_SIGNATURE;
	}
	if (!cli->quiet)
		printf("%llu entr%s in order, signed by key %s\nlast: %llu:%s\n",
		       (unsigned long long)r.entries, r.entries == 1 ? "y" : "ies", r.key,
		       (unsigned long long)(r.first + r.entries - 1), r.hash);
	if (r.note[0] != '\0' && !cli->quiet)
		printf("note: %s\n", r.note);
	return CLI_OK;
}

static void print_entry(const json_t *e)
{
	json_t *object = json_object_get(e, "object");
	const char *reason = json_string_value(json_object_get(e, "reason"));
	char *what = object != NULL ? json_dumps(object, JSON_SORT_KEYS) : NULL;

	printf("%6lld  %.19s  uid %-6lld pid %-7lld %-16s %-8s",
	       (long long)json_integer_value(json_object_get(e, "n")),
	       json_string_value(json_object_get(e, "time")),
	       (long long)json_integer_value(json_object_get(e, "uid")),
	       (long long)json_integer_value(json_object_get(e, "pid")),
	       json_string_value(json_object_get(e, "action")),
	       json_string_value(json_object_get(e, "result")));
	if (what != NULL) {
		putchar(' ');
		rules_print_text(what);
	}
	putchar('\n');
	if (reason != NULL) {
		printf("        ");
		rules_print_text(reason);
		putchar('\n');
	}
	free(what);
}

static int show(const struct cli *cli, struct audit_cmd *a)
{
	struct audit_report r;
	const json_t *e;
	size_t i;
	int ret;

	a->entries = json_array();
	ret = read_log(cli, a, on_show, &r);
	if (ret == 0 && cli->json) {
		json_t *json = json_pack("{s:O}", "entries", a->entries);
		ret = json != NULL ? client_print_json(json) : CLI_FAILED;
		json_decref(json);
	} else if (ret == 0) {
		json_array_foreach(a->entries, i, e) print_entry(e);
	}
	json_decref(a->entries);
	return ret < 0 ? not_in_order(cli, &r) : ret;
}

static int export(const struct cli *cli, struct audit_cmd *a)
{
	struct file_stream f;
	struct audit_report r;
	struct diag diag = {""};
	int ret;

	if (a->output != NULL) {
		ret = file_stream_begin(&f, a->output, &diag);
		if (ret != 0)
			return rules_failed(cli, ret, &diag);
	}
	a->out = a->output != NULL ? f.out : stdout;
	ret = read_log(cli, a, on_export, &r);
	if (a->output != NULL) {
		int err = file_stream_end(&f, 0600, false, &diag);
		if (err != 0 && ret == 0)
			return err == -EEXIST
				       ? cli_error(cli, CLI_FAILED, "exists",
						   "%s exists: choose another name", a->output)
				       : rules_failed(cli, err, &diag);
	} else if (fflush(stdout) != 0) {
		return CLI_FAILED;
	}
	if (ret == 0 && a->output != NULL && !cli->quiet && !cli->json)
		printf("%s: %llu entries\n", a->output, (unsigned long long)a->exported);
	return ret < 0 ? not_in_order(cli, &r) : ret;
}

// "N:HASH".
static bool parse_expect(struct audit_cmd *a, const char *text)
{
	char number[32];
	size_t n = strcspn(text, ":");

	if (n >= sizeof(number) || text[n] == '\0' || strlen(text + n + 1) != AUDIT_HASH_TEXT - 1)
		return false;
	snprintf(number, sizeof(number), "%.*s", (int)n, text);
	snprintf(a->expect_hash, sizeof(a->expect_hash), "%s", text + n + 1);
	return cli_number(number, 1, INT64_MAX, &a->expect_n);
}

static int option(const struct cli *cli, struct audit_cmd *a, int c)
{
	bool good = true;

	switch (c) {
	case 's':
		a->state = optarg;
		break;
	case 'k':
		a->key = optarg;
		break;
	case 'e':
		good = parse_expect(a, optarg);
		break;
	case 'l':
		good = cli_number(optarg, 1, 1000000, &a->limit);
		break;
	case 'a':
		a->action = optarg;
		break;
	case 'u':
		good = cli_number(optarg, 0, UINT32_MAX, &a->uid);
		a->only_uid = true;
		break;
	case 'f':
		good = cli_number(optarg, 1, INT64_MAX, &a->from);
		break;
	case 't':
		good = cli_number(optarg, 1, INT64_MAX, &a->to);
		break;
	case 'o':
		a->output = optarg;
		break;
	default:
		return CLI_USAGE;
	}
	return good ? 0
		    : cli_error(cli, CLI_USAGE, "usage",
				"\"%s\" is not a value of this option (see wireglass help audit)",
				optarg);
}

int cmd_audit(struct cli *cli, int argc, char **argv)
{
	static const struct option options[] = {{"state", required_argument, NULL, 's'},
						{"key", required_argument, NULL, 'k'},
						{"expect", required_argument, NULL, 'e'},
						{"limit", required_argument, NULL, 'l'},
						{"action", required_argument, NULL, 'a'},
						{"uid", required_argument, NULL, 'u'},
						{"from", required_argument, NULL, 'f'},
						{"to", required_argument, NULL, 't'},
						{"output", required_argument, NULL, 'o'},
						{"help", no_argument, NULL, 'h'},
						{NULL, 0, NULL, 0}};
	static const char *const words[] = {"verify", "show", "export"};
	static int (*const run[])(const struct cli *, struct audit_cmd *) = {verify, show, export};
	struct audit_cmd a = {.state = SETTINGS_STATE_DIR, .limit = 50, .from = 1, .to = INT64_MAX};
	unsigned int n = 0;
	int c, ret = 0;

	while (ret == 0 && (c = cli_option(cli, "audit", argc, argv, ":ho:", options)) != -1) {
		if (c == 'h') {
			fputs(help, stdout);
			return CLI_OK;
		}
		ret = option(cli, &a, c);
	}
	if (ret != 0)
		return ret;
	if (optind == argc)
		return cli_usage(cli, "audit", help);
	while (n < 3 && strcmp(argv[optind], words[n]) != 0)
		n++;
	if (n == 3)
		return cli_unknown(cli, "audit", "command", argv[optind], words, 3);
	if (optind + 1 < argc)
		a.file = argv[optind + 1];
	if (argc - optind > 2)
		return cli_error(cli, CLI_USAGE, "usage", "audit %s takes at most one file",
				 words[n]);
	return run[n](cli, &a);
}

// SPDX-License-Identifier: BSD-2-Clause
// "wireglass rules import": lists of others -> list files and a rule file that uses them.
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "control/cli/client.h"
#include "control/cli/rules.h"
#include "rules/file.h"
#include "rules/import.h"

static const char help[] =
	"usage: wireglass rules import [OPTION]... -o NAME FILE...\n"
	"\n"
	"Make lists of what others publish, and rules that use them. Read are plain and CSV lists "
	"of MD5,\n"
	"SHA-1 and SHA-256 digests, hosts and URLs (URLhaus, MalwareBazaar, hosts files, output of "
	"sha256sum),\n"
	"and JSON exports as of ThreatExchange and HMA. Written are, as far as there is something "
	"for them,\n"
	"NAME.md5, NAME.sha1, NAME.sha256, NAME.hosts, NAME.urls and NAME.rules.\n"
	"\n"
	"  -o, --output NAME  where to: lists/abuse makes lists/abuse.rules and the lists beside "
	"it\n"
	"  --type KIND        take this only: md5, sha1, sha256, hosts or urls (repeatable; "
	"default: all\n"
	"                     of them, told by the header of a CSV, the types of JSON, or their "
	"form)\n"
	"  --sid N            number of the first rule (1900000); one for each list\n"
	"  --msg TEXT         begins the rules' messages (the last part of NAME)\n"
	"  --hosts            the rule for hosts works for the hosts of URLs, too. Otherwise it is "
	"made but\n"
	"                     switched off (\"#\") if they come from URLs only: one bad URL does "
	"not make a\n"
	"                     bad host\n"
	"  --force            replace files that are there\n"
	"\n"
	"URLs are compared without scheme, port and fragment. https URLs are refused: what is "
	"encrypted is not\n"
	"read. So are PhotoDNA, PDQ, ssdeep and other hashes of what looks alike.\n"
	"Exit codes: 0 done, 6 done but some lines were refused, 1 failed or nothing to take, 2 "
	"usage.\n"
	"\n"
	"  wireglass rules import -o lists/urlhaus urlhaus.csv\n"
	"  wireglass rules pack --id urlhaus --serial 1 -o urlhaus.wgb lists/urlhaus.rules\n";

enum {
	SID_DEFAULT = 1900000,
	REFUSED_SHOWN = 10,
	PROGRESS_NS = 500000000,
};

struct run {
	const struct cli *cli;
	const char *output, *msg, *file;
	unsigned long long sid;
	bool force, hosts;
	uint64_t begun_ns, shown_ns;
	struct import im;
};

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

// On a terminal, from the second second on.
static void on_progress(void *ctx, const struct import *im)
{
	struct run *r = ctx;
	uint64_t now = now_ns();

	if (now - r->begun_ns < 1000000000u || now - r->shown_ns < PROGRESS_NS)
		return;
	r->shown_ns = now;
	fprintf(stderr, "\r%s: %" PRIu64 " read", r->file, im->read);
}

static void progress_end(struct run *r)
{
	if (r->shown_ns != 0)
		fprintf(stderr, "\r\033[K");
	r->shown_ns = 0;
}

static int read_file(struct run *r, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY), err;
	struct diag diag = {""};
	struct stat st;

	if (fd < 0 || fstat(fd, &st) != 0 || S_ISDIR(st.st_mode)) {
		err = fd >= 0 && S_ISDIR(st.st_mode) ? EISDIR : errno;
		if (fd >= 0)
			close(fd);
		return cli_error(r->cli, CLI_FAILED, "failed", "%s: %s", path, strerror(err));
	}
	fcntl(fd, F_SETFL, 0); // a pipe may take its time
	r->file = path;
	err = import_read(&r->im, path, lines_read_fd, &fd, &diag);
	close(fd);
	progress_end(r);
	if (err == -ENOMEM)
		return cli_error(r->cli, CLI_FAILED, "memory", "out of memory");
	if (err < 0 && diag.text[0] == '\0')
		diag_set(&diag, path, 0, 0, "cannot be read: %s", strerror(-err));
	return err < 0 ? rules_failed(r->cli, err, &diag) : 0;
}

// NAME.md5 and so on: malloc'ed.
static char *path_of(const struct run *r, const char *ending)
{
	char *path;

	return asprintf(&path, "%s.%s", r->output, ending) < 0 ? NULL : path;
}

static int write_failed(const struct run *r, int err, const char *path, const struct diag *diag)
{
	if (err == -EEXIST)
		return cli_error(r->cli, CLI_FAILED, "exists", "%s exists: --force replaces it",
				 path);
	return rules_failed(r->cli, err, diag);
}

static int write_list(const struct run *r, enum import_kind kind)
{
	char *path = path_of(r, import_kind_names[kind]);
	struct file_stream f;
	struct diag diag = {""};
	int err = path != NULL ? file_stream_begin(&f, path, &diag) : -ENOMEM;

	if (err == 0) {
		import_write(&r->im, kind, f.out);
		err = file_stream_end(&f, 0644, r->force, &diag);
	}
	if (err != 0)
		err = write_failed(r, err, path != NULL ? path : "", &diag);
	free(path);
	return err;
}

// What the rule of a list looks for.
static void write_condition(FILE *out, enum import_kind kind, const char *base)
{
	const char *name = import_kind_names[kind];

	if (kind == IMPORT_HOST || kind == IMPORT_URL)
		fprintf(out,
			"flow:to_server; http.%s; dataset:isset,%s-%s,type string,load %s.%s; ",
			kind == IMPORT_HOST ? "host" : "url", base, name, base, name);
	else
		fprintf(out, "file%s:%s.%s; ", name, base, name);
}

static void write_rules(const struct run *r, FILE *out)
{
	static const char *const what[IMPORT_KIND_N] = {"listed file (MD5)", "listed file (SHA-1)",
							"listed file (SHA-256)", "listed host",
							"listed URL"};
	const char *slash = strrchr(r->output, '/'), *base = slash != NULL ? slash + 1 : r->output;
	unsigned long long sid = r->sid;

	for (int k = 0; k < IMPORT_KIND_N; k++) {
		const bool off = k == IMPORT_HOST && !r->hosts && r->im.set[IMPORT_URL].n > 0;

		if (r->im.set[k].n == 0)
			continue;
		if (off)
			fprintf(out,
				"# The hosts of the URLs: much else may be on them. Take the \"#\" "
				"away to hear of every request to one.\n");
		fprintf(out, "%salert http any any -> any any (msg:\"%s: %s\"; ", off ? "#" : "",
			r->msg, what[k]);
		write_condition(out, (enum import_kind)k, base);
		fprintf(out, "classtype:bad-unknown; sid:%llu; rev:1;)\n", sid++);
	}
}

static int write_rule_file(const struct run *r)
{
	char *path = path_of(r, "rules");
	struct file_stream f;
	struct diag diag = {""};
	int err = path != NULL ? file_stream_begin(&f, path, &diag) : -ENOMEM;

	if (err == 0) {
		write_rules(r, f.out);
		err = file_stream_end(&f, 0644, r->force, &diag);
	}
	if (err != 0)
		err = write_failed(r, err, path != NULL ? path : "", &diag);
	free(path);
	return err;
}

// Nothing is written unless all can be.
static int check_free(const struct run *r, const char *ending)
{
	char *path = path_of(r, ending);
	int ret = 0;

	if (path == NULL)
		ret = cli_error(r->cli, CLI_FAILED, "memory", "out of memory");
	else if (!r->force && access(path, F_OK) == 0)
		ret = write_failed(r, -EEXIST, path, NULL);
	free(path);
	return ret;
}

// The lists first: rules that are there find theirs.
static int write_all(const struct run *r)
{
	int ret = check_free(r, "rules");

	for (int k = 0; k < IMPORT_KIND_N && ret == 0; k++)
		if (r->im.set[k].n > 0)
			ret = check_free(r, import_kind_names[k]);
	for (int k = 0; k < IMPORT_KIND_N && ret == 0; k++)
		if (r->im.set[k].n > 0)
			ret = write_list(r, (enum import_kind)k);
	return ret == 0 ? write_rule_file(r) : ret;
}

static json_t *lists_json(const struct run *r)
{
	json_t *lists = json_array();

	for (int k = 0; k < IMPORT_KIND_N; k++) {
		char *path = path_of(r, import_kind_names[k]);

		if (r->im.set[k].n > 0 && path != NULL)
			json_array_append_new(lists, json_pack("{s:s, s:o, s:I}", "kind",
							       import_kind_names[k], "file",
							       cli_json_text(path), "entries",
							       (json_int_t)r->im.set[k].n));
		free(path);
	}
	return lists;
}

static int print_json(const struct run *r, uint64_t kept)
{
	const struct import *im = &r->im;
	json_t *lines = json_array(), *reply;
	int ret;

	for (uint32_t i = 0; i < im->n_first; i++)
		json_array_append_new(lines, json_pack("{s:o, s:I, s:s}", "file",
						       cli_json_text(im->first[i].file), "line",
						       (json_int_t)im->first[i].line, "reason",
						       im->first[i].why));
	reply = json_pack("{s:I, s:I, s:I, s:I, s:I, s:o, s:o}", "read", (json_int_t)im->read,
			  "kept", (json_int_t)kept, "duplicates", (json_int_t)im->duplicates,
			  "refused", (json_int_t)im->refused, "withdrawn",
			  (json_int_t)im->withdrawn, "lists", lists_json(r), "refused_lines",
			  lines);
	ret = reply != NULL ? client_print_json(reply)
			    : cli_error(r->cli, CLI_FAILED, "memory", "out of memory");
	json_decref(reply);
	return ret;
}

static void print_text(const struct run *r, uint64_t kept)
{
	const struct import *im = &r->im;

	for (uint32_t i = 0; i < im->n_first && i < REFUSED_SHOWN; i++) {
		rules_print_text(im->first[i].file);
		if (im->first[i].line > 0)
			printf(":%u", im->first[i].line);
		printf(": %s\n", im->first[i].why);
	}
	if (im->refused > REFUSED_SHOWN)
		printf("... and %" PRIu64 " more were refused\n", im->refused - REFUSED_SHOWN);
	printf("%" PRIu64 " read, %" PRIu64 " kept, %" PRIu64 " duplicates, %" PRIu64 " refused",
	       im->read, kept, im->duplicates, im->refused);
	if (im->withdrawn > 0)
		printf(", %" PRIu64 " withdrawn by their publisher", im->withdrawn);
	putchar('\n');
	for (int k = 0; k < IMPORT_KIND_N; k++)
		if (im->set[k].n > 0)
			printf("  %s.%-7s %u\n", r->output, import_kind_names[k], im->set[k].n);
	if (kept > 0)
		printf("  %s.rules\n", r->output);
}

static int import_run(struct run *r, char **files, int n)
{
	uint64_t kept = 0;
	int ret = 0;

	r->begun_ns = now_ns();
	if (isatty(STDERR_FILENO) && !r->cli->quiet && !r->cli->json) {
		r->im.progress = on_progress;
		r->im.progress_ctx = r;
	}
	for (int i = 0; i < n && ret == 0; i++)
		ret = read_file(r, files[i]);
	if (ret != 0)
		return ret;
	import_sort(&r->im);
	for (int k = 0; k < IMPORT_KIND_N; k++)
		kept += r->im.set[k].n;
	if (kept > 0)
		ret = write_all(r);
	if (ret != 0)
		return ret;
	if (r->cli->json)
		ret = print_json(r, kept);
	else if (!r->cli->quiet)
		print_text(r, kept);
	if (ret != 0)
		return ret;
	return kept == 0 ? CLI_FAILED : r->im.refused > 0 ? CLI_PARTIAL : CLI_OK;
}

static int take_type(struct run *r, const char *name)
{
	int kind = import_kind_of(span_of(name, strlen(name)));

	if (kind == -ENOTSUP)
		return cli_error(r->cli, CLI_USAGE, "usage", "--type %s is %s", name,
				 import_not_exact);
	if (kind < 0)
		return cli_error(r->cli, CLI_USAGE, "usage",
				 "--type %s is none of md5, sha1, sha256, hosts, urls", name);
	r->im.want |= 1u << kind;
	return 0;
}

// The name is part of rules and of bundles, the message stands in quotes.
static int check_names(struct run *r)
{
	const char *slash = r->output != NULL ? strrchr(r->output, '/') : NULL;
	const char *base = slash != NULL ? slash + 1 : r->output;

	if (base == NULL || base[0] == '\0')
		return cli_error(r->cli, CLI_USAGE, "usage",
				 "rules import needs -o NAME (see wireglass help rules import)");
	if (base[0] == '.' || strlen(base) > 64 ||
	    strspn(base, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") !=
		    strlen(base))
		return cli_error(r->cli, CLI_USAGE, "usage",
				 "-o %s: the last part must be at most 64 of A-Z a-z 0-9 . _ -",
				 r->output);
	if (r->msg == NULL)
		r->msg = base;
	for (const char *c = r->msg; *c != '\0'; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f || strchr("\";\\:", *c) != NULL)
			return cli_error(r->cli, CLI_USAGE, "usage",
					 "--msg must not have \" ; : \\ or control characters");
	return 0;
}

static int take_option(struct run *r, int c)
{
	switch (c) {
	case 'o':
		r->output = optarg;
		return 0;
	case 't':
		return take_type(r, optarg);
	case 's':
		if (!cli_number(optarg, 1, UINT32_MAX - IMPORT_KIND_N, &r->sid))
			return cli_error(r->cli, CLI_USAGE, "usage",
					 "--sid needs a number from 1 to 4294967290");
		return 0;
	case 'm':
		r->msg = optarg;
		return 0;
	case 'H':
		r->hosts = true;
		return 0;
	case 'f':
		r->force = true;
		return 0;
	default:
		return CLI_USAGE;
	}
}

int rules_import(struct cli *cli, int argc, char **argv)
{
	static const struct option options[] = {
		{"output", required_argument, NULL, 'o'}, {"type", required_argument, NULL, 't'},
		{"sid", required_argument, NULL, 's'},    {"msg", required_argument, NULL, 'm'},
		{"hosts", no_argument, NULL, 'H'},        {"force", no_argument, NULL, 'f'},
		{"help", no_argument, NULL, 'h'},         {NULL, 0, NULL, 0},
	};
	struct run *r = calloc(1, sizeof(*r));
	int c, ret = 0;

	if (r == NULL)
		return cli_error(cli, CLI_FAILED, "memory", "out of memory");
	r->cli = cli;
	r->sid = SID_DEFAULT;
	while (ret == 0 &&
	       (c = cli_option(cli, "rules import", argc, argv, ":ho:", options)) != -1) {
		if (c == 'h') {
			fputs(help, stdout);
			free(r);
			return CLI_OK;
		}
		ret = take_option(r, c);
	}
	if (ret == 0)
		ret = check_names(r);
	if (ret == 0 && optind == argc)
		ret = cli_error(cli, CLI_USAGE, "usage",
				"rules import needs files (see wireglass help rules import)");
	if (ret == 0)
		ret = import_run(r, argv + optind, argc - optind);
	import_done(&r->im);
	free(r);
	return ret;
}

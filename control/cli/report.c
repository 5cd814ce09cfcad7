// SPDX-License-Identifier: BSD-2-Clause
// "wireglass report transparency": what was found, on what ground, what became of it, and how much was looked at.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "control/cli/client.h"
#include "control/cli/csv.h"
#include "control/cli/table.h"

static const char help[] =
	"usage: wireglass report transparency [--from TIME] [--to TIME] [--format text|csv|json]\n"
	"\n"
	"Hits by rule, with the ground on which the rule was loaded (legal_basis, authority and "
	"owner\n"
	"in its metadata) and the desk's verdicts, and what became of all traffic in these days.\n"
	"\n"
	"  --from TIME, --to TIME  2026-11-01, 2026-11-01T13:00:00 (UTC), or 12h, 30d ago; "
	"default: "
	"all\n"
	"  --format FORMAT         text (default), csv, or json, which is also --json\n"
	"\n"
	"Hits that retention has removed are not in it; the coverage is kept by whole days (UTC).\n"
	"\n"
	"Example:\n"
	"  wireglass report transparency --from 2026-11-01 --to 2026-11-30 --format csv "
	">november.csv\n"
	"\n"
	"Exit codes: 0 done, 1 refused, 2 usage, 3 wireglassd not reachable, 4 no answer in "
	"time.\n";

enum format { FORMAT_TEXT, FORMAT_CSV, FORMAT_JSON, FORMAT_N };
static const char *const formats[FORMAT_N] = {"text", "csv", "json"};
static const char *const grounds[] = {"legal_basis", "authority", "owner"};

// The three grounds beside the metadata they come from.
static void add_grounds(json_t *reply)
{
	json_t *rule;
	size_t i;

	json_array_foreach(json_object_get(reply, "rules"), i, rule)
	{
		for (int g = 0; g < 3; g++) {
			char value[256] = "";
			(void)csv_metadata(reply_text(rule, "metadata"), grounds[g], value,
					   sizeof(value));
			json_object_set_new(rule, grounds[g], json_string(value));
		}
	}
}

static void print_text(const json_t *reply)
{
	static const char *const rules[] = {">sid",   ">hits",   ">open",       ">acked",   ">true",
					    ">false", "message", "legal basis", "authority"};
	static const char *const rows[] = {"what became of it", ">bytes", ">flows"};
	const json_t *r;
	struct table t;
	size_t i;

	table_init(&t, rules, 9);
	json_array_foreach(json_object_get(reply, "rules"), i, r)
	{
		table_add(&t,
			  "%" PRIu64 "\t%" PRIu64 "\t%" PRIu64 "\t%" PRIu64 "\t%" PRIu64
			  "\t%" PRIu64 "\t%.60s\t%.60s\t%s",
			  reply_number(r, "sid"), reply_number(r, "hits"), reply_number(r, "open"),
			  reply_number(r, "acked"), reply_number(r, "true"),
			  reply_number(r, "false"), reply_text(r, "msg"),
			  reply_text(r, "legal_basis"), reply_text(r, "authority"));
	}
	table_print(&t, 60);
	puts("");
	table_init(&t, rows, 3);
	json_array_foreach(json_object_get(reply, "coverage"), i, r)
		table_add(&t, "%s\t%" JSON_INTEGER_FORMAT "\t%" JSON_INTEGER_FORMAT,
			  reply_text(r, "name"), json_integer_value(json_object_get(r, "bytes")),
			  json_integer_value(json_object_get(r, "flows")));
	table_print(&t, 0);
}

static void print_csv(const json_t *reply)
{
	static const char *const columns[] = {"kind",      "name",  "sid",   "gid",  "legal_basis",
					      "authority", "owner", "hits",  "open", "acked",
					      "true",      "false", "bytes", "flows"};
	static const char *const lists[][3] = {{"rules", "rule", "msg"},
					       {"coverage", "coverage", "name"}};
	const int n = sizeof(columns) / sizeof(columns[0]);
	const json_t *r;
	size_t i;

	csv_header(columns, n);
	for (int l = 0; l < 2; l++)
		json_array_foreach(json_object_get(reply, lists[l][0]), i, r)
		{
			csv_text(lists[l][1]);
			putchar(',');
			csv_text(reply_text(r, lists[l][2]));
			for (int c = 2; c < n; c++) {
				putchar(',');
				csv_value(json_object_get(r, columns[c]));
			}
			fputs("\r\n", stdout);
		}
}

static int transparency(struct cli *cli, const struct ipc_admin_req *req, int format)
{
	json_t *reply;
	int code = client_request(cli, req, -1, &reply);

	if (code != CLI_OK)
		return code;
	add_grounds(reply);
	if (format == FORMAT_JSON)
		code = client_print_json(reply);
	else if (format == FORMAT_CSV)
		print_csv(reply);
	else
		print_text(reply);
	json_decref(reply);
	return fflush(stdout) == 0 ? code : CLI_FAILED;
}

int cmd_report(struct cli *cli, int argc, char **argv)
{
	static const struct option options[] = {
		{"from", required_argument, NULL, 'f'},
		{"to", required_argument, NULL, 't'},
		{"format", required_argument, NULL, 'F'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	static const char *const words[] = {"transparency"};
	struct ipc_admin_req req = {.command = IPC_ADMIN_REPORT};
	int opt, format = cli->json ? FORMAT_JSON : FORMAT_TEXT;

	while ((opt = cli_option(cli, "report", argc, argv, ":", options)) != -1) {
		bool good = true;

		if (opt == 'h') {
			fputs(help, stdout);
			return CLI_OK;
		}
		if (opt == 'f')
			good = cli_time(optarg, false, &req.from_ns);
		else if (opt == 't')
			good = cli_time(optarg, true, &req.to_ns);
		else if (opt == 'F')
			for (format = FORMAT_N - 1;
			     format >= 0 && strcmp(formats[format], optarg) != 0;)
				format--;
		else
			return CLI_USAGE;
		if (!good || format < 0)
			return cli_error(cli, CLI_USAGE, "usage",
					 "\"%s\" is not a value of this option (see wireglass help "
					 "report)",
					 optarg);
	}
	if (argc - optind != 1)
		return cli_usage(cli, "report", help);
	if (strcmp(argv[optind], words[0]) != 0)
		return cli_unknown(cli, "report", "report", argv[optind], words, 1);
	return transparency(cli, &req, format);
}

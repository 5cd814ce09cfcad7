// SPDX-License-Identifier: BSD-2-Clause
// "wireglass hits ...": what the rules found. Everything printed for people goes through the table's filter, because host,
// URL and file names are the words of whoever sent them.
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "control/cli/client.h"
#include "control/cli/hits.h"
#include "control/cli/table.h"

static const char help[] =
	"usage: wireglass hits list [--limit N] [--since ID] [--sid SID] [--match TEXT] [--json]\n"
	"       wireglass hits show ID [--json]\n"
	"       wireglass hits follow [--since ID] [--sid SID] [--match TEXT] [--json]\n"
	"\n"
	"  list    the newest hits, oldest of them first (with --since: those after that hit)\n"
	"  show    everything known about one hit\n"
	"  follow  hits as they come, until Ctrl-C; --since ID: from there on\n"
	"\n"
	"  --limit N      most rows, default 100, at most 10000\n"
	"  --since ID     only hits with a higher number\n"
	"  --sid SID      only hits of this rule\n"
	"  --match TEXT   only hits with this host name, client or server address\n"
	"  --json         list: one object {\"hits\":[...]}; show: one object; follow: one object "
	"per line\n"
	"\n"
	"Examples:\n"
	"  wireglass hits list --sid 1000001 --limit 20\n"
	"  wireglass hits list --match 192.0.2.7 --json | jq -r '.hits[].url'\n"
	"\n"
	"Exit codes: 0 done (also with no hits), 1 refused, 2 usage, 3 wireglassd not reachable,\n"
	"4 no answer in time.\n";

static const char *client_server(char *buf, size_t size, const json_t *hit)
{
	const char *client = reply_text(hit, "client_ip"), *server = reply_text(hit, "server_ip");
	bool six = strchr(client, ':') != NULL;

	snprintf(buf, size, six ? "[%s]:%d -> [%s]:%d" : "%s:%d -> %s:%d", client,
		 (int)reply_number(hit, "client_port"), server,
		 (int)reply_number(hit, "server_port"));
	return buf;
}

// "2026-11-23T13:00:00.123456+0000" -> "2026-11-23 13:00:00.123"
static const char *short_time(char *buf, size_t size, const json_t *hit)
{
	snprintf(buf, size, "%.23s", reply_text(hit, "time"));
	if (strlen(buf) > 10)
		buf[10] = ' ';
	return buf;
}

void hits_table(const json_t *hits, bool with_id)
{
	static const char *const headers[] = {
		">id", "time (UTC)", ">sid", "message", "client -> server", "buffer", "request"};
	const json_t *hit;
	struct table t;
	size_t i;

	table_init(&t, headers + !with_id, 6 + with_id);
	json_array_foreach(hits, i, hit)
	{
		char when[32], flow[160], id[24] = "", msg[128];

		if (with_id)
			snprintf(id, sizeof(id), "%" PRIu64 "\t", reply_number(hit, "id"));
		snprintf(msg, sizeof(msg), "%.60s", reply_text(hit, "msg"));
		table_add(&t, "%s%s\t%" PRIu64 "\t%s\t%s\t%s\t%s %s%s", id,
			  short_time(when, sizeof(when), hit), reply_number(hit, "sid"), msg,
			  client_server(flow, sizeof(flow), hit), reply_text(hit, "buffer"),
			  reply_text(hit, "method"), reply_text(hit, "host"),
			  reply_text(hit, "url"));
	}
	table_print(&t, 100);
}

static int list(struct cli *cli, struct ipc_admin_req *req)
{
	json_t *reply;

	req->command = IPC_ADMIN_HITS_LIST;
	int code = client_request(cli, req, -1, &reply);
	if (code != CLI_OK)
		return code;
	const json_t *hits = json_object_get(reply, "hits");
	if (cli->json) {
		code = client_print_json(reply);
	} else if (json_array_size(hits) == 0) {
		puts("no hits");
	} else {
		hits_table(hits, true);
		if (!cli->quiet)
			printf("%zu shown, %" PRIu64 " stored, %" PRIu64 " lost\n",
			       json_array_size(hits), reply_number(reply, "total"),
			       reply_number(reply, "lost"));
	}
	json_decref(reply);
	return code;
}

static void print_member(const char *name, const json_t *value)
{
	char text[2048] = "", safe[4096];
	const json_t *one;
	size_t i, len = 0;

	if (json_is_string(value))
		snprintf(text, sizeof(text), "%s", json_string_value(value));
	else if (json_is_integer(value))
		snprintf(text, sizeof(text), "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	json_array_foreach(value, i, one)
	{
		if (len >= sizeof(text) - 64)
			break;
		len += json_is_string(one)
			       ? (size_t)snprintf(text + len, 64, "%s%.50s", i != 0 ? ", " : "",
						  json_string_value(one))
			       : (size_t)snprintf(text + len, 64, "%s%" JSON_INTEGER_FORMAT,
						  i != 0 ? ", " : "", json_integer_value(one));
	}
	printf("%-14s%s\n", name, table_safe(safe, sizeof(safe), text));
}

static int show(struct cli *cli, struct ipc_admin_req *req, const char *id)
{
	unsigned long long number;
	json_t *reply, *value;
	const char *name;

	if (!cli_number(id, 1, INT64_MAX, &number))
		return cli_error(cli, CLI_USAGE, "usage", "\"%s\" is not the number of a hit", id);
	req->command = IPC_ADMIN_HITS_SHOW;
	req->since = number;
	int code = client_request(cli, req, -1, &reply);
	if (code != CLI_OK)
		return code;
	if (cli->json) {
		code = client_print_json(reply);
	} else {
		json_object_foreach(reply, name, value) print_member(name, value);
	}
	json_decref(reply);
	return code;
}

static volatile int follow_stop;

static void on_interrupt(int sig)
{
	follow_stop = 1;
}

static int follow_piece(void *ctx, json_t *hit)
{
	const struct cli *cli = ctx;
	char when[32], flow[160], text[4096], safe[8192];

	if (cli->json)
		return client_print_json(hit);
	snprintf(text, sizeof(text), "%s  %" PRIu64 "  %s  %s  %s  %s %s%s",
		 short_time(when, sizeof(when), hit), reply_number(hit, "sid"),
		 reply_text(hit, "msg"), client_server(flow, sizeof(flow), hit),
		 reply_text(hit, "buffer"), reply_text(hit, "method"), reply_text(hit, "host"),
		 reply_text(hit, "url"));
	puts(table_safe(safe, sizeof(safe), text));
	return fflush(stdout); // whoever reads a pipe wants it now; a closed one ends us
}

static int follow(struct cli *cli, struct ipc_admin_req *req)
{
	struct sigaction action = {.sa_handler = on_interrupt};

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	req->command = IPC_ADMIN_HITS_FOLLOW;
	return client_follow(cli, req, follow_piece, cli, &follow_stop);
}

enum {
	OPT_LIMIT = 256,
	OPT_SINCE,
	OPT_SID,
	OPT_MATCH,
	OPT_HELP,
};

// Fill req from the options. CLI_OK, an exit code, or -1 for --help.
static int parse_options(struct cli *cli, int argc, char **argv, struct ipc_admin_req *req)
{
	static const struct option options[] = {
		{"limit", required_argument, NULL, OPT_LIMIT},
		{"since", required_argument, NULL, OPT_SINCE},
		{"sid", required_argument, NULL, OPT_SID},
		{"match", required_argument, NULL, OPT_MATCH},
		{"help", no_argument, NULL, OPT_HELP},
		{NULL, 0, NULL, 0},
	};
	unsigned long long v = 0;
	int opt;

	while ((opt = cli_option(cli, "hits", argc, argv, ":", options)) != -1) {
		bool good = true;

		if (opt == OPT_HELP)
			return -1;
		if (opt == OPT_LIMIT)
			good = cli_number(optarg, 1, 10000, &v);
		else if (opt == OPT_SINCE)
			good = cli_number(optarg, 0, INT64_MAX, &v);
		else if (opt == OPT_SID)
			good = cli_number(optarg, 1, UINT32_MAX, &v);
		else if (opt == OPT_MATCH)
			good = strlen(optarg) < sizeof(req->text);
		else
			return CLI_USAGE;
		if (!good)
			return cli_error(cli, CLI_USAGE, "usage",
					 "\"%s\" is out of range (see wireglass help hits)",
					 optarg);
		if (opt == OPT_LIMIT)
			req->limit = (uint32_t)v;
		else if (opt == OPT_SINCE)
			req->since = v;
		else if (opt == OPT_SID)
			req->sid = (uint32_t)v;
		else
			snprintf(req->text, sizeof(req->text), "%s", optarg);
	}
	return CLI_OK;
}

int cmd_hits(struct cli *cli, int argc, char **argv)
{
	static const char *const words[] = {"list", "show", "follow"};
	struct ipc_admin_req req = {0};
	int code = parse_options(cli, argc, argv, &req);

	if (code < 0) {
		fputs(help, stdout);
		return CLI_OK;
	}
	if (code != CLI_OK)
		return code;
	const char *word = optind < argc ? argv[optind] : "";
	int left = argc - optind - 1;
	if (strcmp(word, "list") == 0 && left == 0)
		return list(cli, &req);
	if (strcmp(word, "show") == 0 && left == 1)
		return show(cli, &req, argv[optind + 1]);
	if (strcmp(word, "follow") == 0 && left == 0)
		return follow(cli, &req);
	for (int i = 0; i < 3; i++)
		if (strcmp(word, words[i]) == 0 || word[0] == '\0')
			return cli_usage(cli, "hits", help);
	return cli_unknown(cli, "hits", "command", word, words, 3);
}

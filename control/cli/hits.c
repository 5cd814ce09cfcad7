// SPDX-License-Identifier: BSD-2-Clause
// "wireglass hits ...": what the rules found. Everything printed for people goes through the table's filter, because host,
// URL and file names are the words of whoever sent them.
#include <inttypes.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "control/cli/client.h"
#include "control/cli/hits.h"
#include "control/cli/table.h"

enum {
	LIST_MAX = 10000, // as ADMIN_LIST_MAX
	WORK_AT_ONCE = 1000,
	// as enum store_state
	STATE_OPEN = 0,
	STATE_ACKED = 1,
	STATE_CLOSED = 2,
};

static const char help[] =
	"usage: wireglass hits list [FILTER]... [--limit N] [--json]\n"
	"       wireglass hits show ID [--json]\n"
	"       wireglass hits follow [FILTER]... [--json]\n"
	"       wireglass hits ack ID[-ID]... | FILTER... [--note TEXT] [--json]\n"
	"       wireglass hits close ID[-ID]... | FILTER... --verdict true|false [--note TEXT]\n"
	"       wireglass hits reopen ID[-ID]... | FILTER... [--note TEXT]\n"
	"       wireglass hits export --format eve|csv|xarf|misp [FILTER]... [--limit N]\n"
	"\n"
	"  list    the newest hits, oldest of them first (with --since: those after that hit)\n"
	"  show    everything known about one hit, and what was done with it\n"
	"  follow  hits as they come, until Ctrl-C; --since ID: from there on\n"
	"  ack     somebody looks into them: open hits become acked\n"
	"  close   done: with a verdict, whether they were what the rule says\n"
	"  reopen  back to open\n"
	"  export  all hits that match, oldest first, on standard output\n"
	"\n"
	"Filters, which hold together:\n"
	"  --since ID, --before ID    only hits with a higher, a lower number\n"
	"  --from TIME, --to TIME     2026-11-23, 2026-11-23T13:00:00 (UTC), or 90m, 12h, 7d ago\n"
	"  --sid SID                  only hits of this rule\n"
	"  --host NAME                only requests for this host\n"
	"  --client ADDR, --server ADDR  an address or a prefix: 192.0.2.0/24, 2001:db8::/32\n"
	"  --match TEXT               a host name, or address or prefix of client or server\n"
	"  --state STATE              open, acked or closed; may be repeated\n"
	"\n"
	"  --limit N      most rows, default 100 for list, all for export, at most 10000 for list\n"
	"  --json         list: one object {\"hits\":[...]}; show: one object; follow: one object "
	"per line\n"
	"  --note TEXT    kept with the time and your user, see show; at most 255 bytes\n"
	"\n"
	"X-ARF v4 (--format xarf) needs --org NAME --contact MAIL --domain NAME of who reports, "
	"and a\n"
	"type for each hit: \"xarf_type\" in the metadata of its rule, its classtype, or "
	"--xarf-type TYPE.\n"
	"\n"
	"Examples:\n"
	"  wireglass hits list --sid 1000001 --limit 20\n"
	"  wireglass hits list --state open --server 192.0.2.0/24 --from 7d\n"
	"  wireglass hits close 17 --verdict true --note \"customer told\"\n"
	"  wireglass hits export --format csv --from 2026-11-01 --to 2026-11-30 >november.csv\n"
	"  wireglass hits list --match 192.0.2.7 --json | jq -r '.hits[].url'\n"
	"\n"
	"Exit codes: 0 done (also with no hits), 1 refused, 2 usage, 3 wireglassd not reachable,\n"
	"4 no answer in time, 6 export: some hits could not be written in this format.\n";

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
	static const char *const headers[] = {">id",     "time (UTC)",       ">sid",   "state",
					      "message", "client -> server", "buffer", "request"};
	const json_t *hit;
	struct table t;
	size_t i;

	table_init(&t, headers + !with_id, 7 + with_id);
	json_array_foreach(hits, i, hit)
	{
		char when[32], flow[160], id[24] = "", msg[128];

		if (with_id)
			snprintf(id, sizeof(id), "%" PRIu64 "\t", reply_number(hit, "id"));
		snprintf(msg, sizeof(msg), "%.60s", reply_text(hit, "msg"));
		table_add(&t, "%s%s\t%" PRIu64 "\t%s\t%s\t%s\t%s\t%s %s%s", id,
			  short_time(when, sizeof(when), hit), reply_number(hit, "sid"),
			  reply_text(hit, "state"), msg, client_server(flow, sizeof(flow), hit),
			  reply_text(hit, "buffer"), reply_text(hit, "method"),
			  reply_text(hit, "host"), reply_text(hit, "url"));
	}
	table_print(&t, 100);
}

static int list(struct cli *cli, struct hits_options *o)
{
	json_t *reply;

	if (o->limit > LIST_MAX)
		return cli_error(cli, CLI_USAGE, "usage",
				 "list shows at most %d hits: use --since ID to go on, or export",
				 LIST_MAX);
	o->req.command = IPC_ADMIN_HITS_LIST;
	o->req.limit = (uint32_t)o->limit;
	int code = client_request(cli, &o->req, -1, &reply);
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

// What was done with a hit, a line each.
static void print_desk(const json_t *desk)
{
	const json_t *w;
	size_t i;

	json_array_foreach(desk, i, w)
	{
		uid_t uid = (uid_t)reply_number(w, "uid");
		const struct passwd *user = getpwuid(uid);
		char when[32], who[64], text[512], safe[1024];

		snprintf(who, sizeof(who), "%s", user != NULL ? user->pw_name : "");
		snprintf(text, sizeof(text), "%s %s%s%s by %s%s(uid %u)%s%s",
			 short_time(when, sizeof(when), w), reply_text(w, "state"),
			 reply_text(w, "verdict")[0] != '\0' ? " as " : "",
			 reply_text(w, "verdict"), who, who[0] != '\0' ? " " : "",
			 (unsigned int)uid, reply_text(w, "note")[0] != '\0' ? ": " : "",
			 reply_text(w, "note"));
		printf("%-14s%s\n", i == 0 ? "desk" : "", table_safe(safe, sizeof(safe), text));
	}
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
		json_object_foreach(reply, name, value) if (strcmp(name, "desk") != 0)
			print_member(name, value);
		print_desk(json_object_get(reply, "desk"));
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

// The hits of one argument, "17" or "17-42", or all that match if it is NULL: what is changed leaves the filter, so asking again
// goes on. Returns an exit code.
static int work_on(struct cli *cli, const struct ipc_admin_req *asked, const char *ids,
		   uint64_t *io_changed)
{
	struct ipc_admin_req req = *asked;
	unsigned long long first, last;
	uint64_t n;

	if (ids != NULL) {
		char text[64];
		snprintf(text, sizeof(text), "%s", ids);
		char *dash = strchr(text, '-');
		if (dash != NULL)
			*dash = '\0';
		if (strlen(ids) >= sizeof(text) || !cli_number(text, 1, INT64_MAX - 1, &first) ||
		    !cli_number(dash != NULL ? dash + 1 : text, first, INT64_MAX - 1, &last))
			return cli_error(cli, CLI_USAGE, "usage",
					 "\"%s\" is not the number of a hit, nor two with a dash",
					 ids);
		req.since = first - 1;
		req.before = last + 1;
	}
	req.limit = WORK_AT_ONCE;
	do {
		json_t *reply;
		int code = client_request(cli, &req, -1, &reply);
		if (code != CLI_OK)
			return code;
		n = reply_number(reply, "changed");
		*io_changed += n;
		json_decref(reply);
	} while (n == WORK_AT_ONCE);
	return CLI_OK;
}

static int work(struct cli *cli, struct hits_options *o, const char *word, int n_ids, char **ids)
{
	struct ipc_admin_req *req = &o->req;
	uint64_t changed = 0;
	int code = CLI_OK;

	req->command = IPC_ADMIN_HITS_WORK;
	req->state = strcmp(word, "ack") == 0     ? STATE_ACKED
		     : strcmp(word, "close") == 0 ? STATE_CLOSED
						  : STATE_OPEN;
	if ((req->state == STATE_CLOSED) != (req->verdict != 0))
		return cli_error(cli, CLI_USAGE, "usage",
				 req->state == STATE_CLOSED
					 ? "close needs --verdict true or --verdict false"
					 : "only close takes --verdict");
	if (n_ids == 0 && !o->filtered)
		return cli_error(cli, CLI_USAGE, "usage",
				 "which hits? numbers, or at least one filter (see wireglass help "
				 "hits)");
	for (int i = 0; i < n_ids && code == CLI_OK; i++)
		code = work_on(cli, req, ids[i], &changed);
	if (n_ids == 0)
		code = work_on(cli, req, NULL, &changed);
	if (code != CLI_OK)
		return code;
	if (cli->json) {
		json_t *reply = json_pack("{s:I}", "changed", (json_int_t)changed);
		code = client_print_json(reply);
		json_decref(reply);
		return code;
	}
	if (!cli->quiet)
		printf("%" PRIu64 " hit%s changed%s\n", changed, changed == 1 ? "" : "s",
		       changed == 0 ? " (there is no such hit, or it is in that state already)"
				    : "");
	return CLI_OK;
}

enum {
	OPT_LIMIT = 256,
	OPT_SINCE,
	OPT_BEFORE,
	OPT_FROM,
	OPT_TO,
	OPT_SID,
	OPT_MATCH,
	OPT_HOST,
	OPT_CLIENT,
	OPT_SERVER,
	OPT_STATE,
	OPT_VERDICT,
	OPT_NOTE,
	OPT_FORMAT,
	OPT_ORG,
	OPT_CONTACT,
	OPT_DOMAIN,
	OPT_XARF_TYPE,
	OPT_HELP,
};

static bool take_text(char *dst, size_t size, const char *text)
{
	return snprintf(dst, size, "%s", text) < (int)size;
}

static bool take_number(const char *text, unsigned long long min, unsigned long long max,
			uint64_t *dst)
{
	unsigned long long v;

	if (!cli_number(text, min, max, &v))
		return false;
	*dst = v;
	return true;
}

// Index of text in names, -1 if it is none of them.
static int word_of(const char *const *names, int n, const char *text)
{
	while (--n >= 0 && strcmp(names[n], text) != 0) {
	}
	return n;
}

// One option into o. false: its value is not usable.
static bool take_option(struct hits_options *o, int opt, const char *value)
{
	static const char *const states[] = {"open", "acked", "closed"};
	static const char *const verdicts[] = {"", "true", "false"};
	struct ipc_admin_req *r = &o->req;
	uint64_t v = 0;
	int word;

	o->filtered |= opt > OPT_LIMIT && opt <= OPT_STATE;
	switch (opt) {
	case OPT_LIMIT:
		return take_number(value, 1, INT64_MAX, &o->limit);
	case OPT_SINCE:
		return take_number(value, 0, INT64_MAX, &r->since);
	case OPT_BEFORE:
		return take_number(value, 1, INT64_MAX, &r->before);
	case OPT_FROM:
		return cli_time(value, false, &r->from_ns);
	case OPT_TO:
		return cli_time(value, true, &r->to_ns);
	case OPT_SID:
		word = take_number(value, 1, UINT32_MAX, &v);
		r->sid = (uint32_t)v;
		return word;
	case OPT_MATCH:
		return take_text(r->text, sizeof(r->text), value);
	case OPT_HOST:
		return take_text(r->host, sizeof(r->host), value);
	case OPT_CLIENT:
		return take_text(r->client, sizeof(r->client), value);
	case OPT_SERVER:
		return take_text(r->server, sizeof(r->server), value);
	case OPT_STATE:
		word = word_of(states, 3, value);
		r->states |= word >= 0 ? 1u << word : 0;
		return word >= 0;
	case OPT_VERDICT:
		word = word_of(verdicts, 3, value);
		r->verdict = word > 0 ? (uint8_t)word : 0;
		return word > 0;
	case OPT_NOTE:
		return take_text(r->note, sizeof(r->note), value);
	case OPT_FORMAT:
		o->format = hits_format(value);
		return o->format >= 0;
	case OPT_ORG:
		o->org = value;
		return true;
	case OPT_CONTACT:
		o->contact = value;
		return true;
	case OPT_DOMAIN:
		o->domain = value;
		return true;
	default: // OPT_XARF_TYPE
		o->xarf_type = value;
		return true;
	}
}

// CLI_OK, an exit code, or -1 for --help.
static int parse_options(struct cli *cli, int argc, char **argv, struct hits_options *o)
{
	static const struct option options[] = {
		{"limit", required_argument, NULL, OPT_LIMIT},
		{"since", required_argument, NULL, OPT_SINCE},
		{"before", required_argument, NULL, OPT_BEFORE},
		{"from", required_argument, NULL, OPT_FROM},
		{"to", required_argument, NULL, OPT_TO},
		{"sid", required_argument, NULL, OPT_SID},
		{"match", required_argument, NULL, OPT_MATCH},
		{"host", required_argument, NULL, OPT_HOST},
		{"client", required_argument, NULL, OPT_CLIENT},
		{"server", required_argument, NULL, OPT_SERVER},
		{"state", required_argument, NULL, OPT_STATE},
		{"verdict", required_argument, NULL, OPT_VERDICT},
		{"note", required_argument, NULL, OPT_NOTE},
		{"format", required_argument, NULL, OPT_FORMAT},
		{"org", required_argument, NULL, OPT_ORG},
		{"contact", required_argument, NULL, OPT_CONTACT},
		{"domain", required_argument, NULL, OPT_DOMAIN},
		{"xarf-type", required_argument, NULL, OPT_XARF_TYPE},
		{"help", no_argument, NULL, OPT_HELP},
		{NULL, 0, NULL, 0},
	};
	int opt;

	while ((opt = cli_option(cli, "hits", argc, argv, ":", options)) != -1) {
		if (opt == OPT_HELP)
			return -1;
		if (opt < OPT_LIMIT)
			return CLI_USAGE;
		if (!take_option(o, opt, optarg))
			return cli_error(cli, CLI_USAGE, "usage",
					 "\"%s\" is not a value of this option (see wireglass help "
					 "hits)",
					 optarg);
	}
	return CLI_OK;
}

int cmd_hits(struct cli *cli, int argc, char **argv)
{
	static const char *const words[] = {"list",  "show",   "follow", "ack",
					    "close", "reopen", "export"};
	struct hits_options o = {.format = -1};
	int code = parse_options(cli, argc, argv, &o);

	if (code < 0) {
		fputs(help, stdout);
		return CLI_OK;
	}
	if (code != CLI_OK)
		return code;
	const char *word = optind < argc ? argv[optind] : "";
	int left = argc - optind - 1, which = word_of(words, 7, word);
	if (which == 0 && left == 0)
		return list(cli, &o);
	if (which == 1 && left == 1)
		return show(cli, &o.req, argv[optind + 1]);
	if (which == 2 && left == 0)
		return follow(cli, &o.req);
	if (which >= 3 && which <= 5)
		return work(cli, &o, word, left, argv + optind + 1);
	if (which == 6 && left == 0)
		return hits_export(cli, &o);
	if (which >= 0 || word[0] == '\0')
		return cli_usage(cli, "hits", help);
	return cli_unknown(cli, "hits", "command", word, words, 7);
}

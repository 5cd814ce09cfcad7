// SPDX-License-Identifier: BSD-2-Clause
// "wireglass check": is everything well? One line and an exit code for Nagios, Icinga and their like.
//
// Nothing is kept between two runs: losses are a share of what was received since the dataplane started, and the performance
// data has the counters that a monitoring system makes rates of.
#include "control/cli/check.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <time.h>

#include "common/eve.h"
#include "control/cli/client.h"
#include "control/cli/table.h"

static const double day_s = 86400;

const char *const check_state_names[CHECK_UNKNOWN + 1] = {
	[CHECK_OK] = "OK",
	[CHECK_WARNING] = "WARNING",
	[CHECK_CRITICAL] = "CRITICAL",
	[CHECK_UNKNOWN] = "UNKNOWN",
};

static const struct {
	const char *name, *unit;
	bool high;
	double warning, critical;
	const char *text;
} table[CHECK_N] = {
#define X(id, ...) [CHECK_##id] = {__VA_ARGS__},
	CHECK_LIMIT_TABLE(X)
#undef X
};

void check_defaults(struct check_limits *ret_limits)
{
	for (int i = 0; i < CHECK_N; i++) {
		ret_limits->warning[i] = table[i].warning;
		ret_limits->critical[i] = table[i].critical;
	}
}

// A number of at least 0, or "-" for none.
static const char *parse_number(const char *text, double *ret_value)
{
	char *end;

	if (text[0] == '-') {
		*ret_value = -1;
		return text + 1;
	}
	if (text[0] < '0' || text[0] > '9')
		return NULL;
	*ret_value = strtod(text, &end);
	return end;
}

bool check_limit_parse(struct check_limits *l, enum check_limit which, const char *text)
{
	double warning, critical = -1;
	const char *end = parse_number(text, &warning);

	if (end != NULL && *end == ',')
		end = parse_number(end + 1, &critical);
	if (end == NULL || *end != '\0')
		return false;
	l->warning[which] = warning;
	l->critical[which] = critical;
	return true;
}

__attribute__((format(printf, 3, 4))) static void
problem(struct check_result *r, enum check_state state, const char *fmt, ...)
{
	size_t len = strlen(r->problems);
	va_list ap;

	if (len + 4 >= sizeof(r->problems))
		return;
	if (len > 0)
		len += (size_t)snprintf(r->problems + len, sizeof(r->problems) - len, "; ");
	va_start(ap, fmt);
	vsnprintf(r->problems + len, sizeof(r->problems) - len, fmt, ap);
	va_end(ap);
	for (char *p = r->problems + len; *p != '\0'; p++)
		if ((unsigned char)*p < 0x20 || *p == '|') // ends the text for a monitoring system
			*p = ' ';
	if (state > r->state)
		r->state = state;
}

__attribute__((format(printf, 2, 3))) static void value(struct check_result *r, const char *fmt,
							...)
{
	size_t len = strlen(r->values);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(r->values + len, sizeof(r->values) - len, fmt, ap);
	va_end(ap);
}

// A limit as performance data has it: a range that is good, "" for none.
static const char *range(char buf[32], double limit, bool high)
{
	if (limit < 0)
		buf[0] = '\0';
	else
		snprintf(buf, 32, high ? "%g" : "%g:", limit);
	return buf;
}

static bool is_over(double v, double limit, bool high)
{
	return limit >= 0 && (high ? v >= limit : v < limit);
}

static void limited(struct check_result *r, const struct check_limits *l, enum check_limit i,
		    double v)
{
	bool high = table[i].high;
	char warning[32], critical[32];

	value(r, " %s=%.6g%s;%s;%s", table[i].name, v, table[i].unit,
	      range(warning, l->warning[i], high), range(critical, l->critical[i], high));
	bool is_critical = is_over(v, l->critical[i], high);
	if (is_critical || is_over(v, l->warning[i], high))
		problem(r, is_critical ? CHECK_CRITICAL : CHECK_WARNING, "%.3g%s%s %s", v,
			table[i].unit[0] == '%' ? " " : "", table[i].unit, table[i].text);
}

static double percent(double part, double whole)
{
	return whole > 0 ? 100 * part / whole : 0;
}

static uint64_t counter(const struct check_input *in, const char *name)
{
	return reply_number(json_object_get(in->stats, "counters"), name);
}

uint64_t check_lost_frames(const json_t *ports, uint64_t *ret_received)
{
	uint64_t lost = 0;
	size_t i;
	json_t *port;

	*ret_received = 0;
	json_array_foreach(json_object_get(ports, "ports"), i, port)
	{
		lost += reply_number(port, "rx_missed") + reply_number(port, "rx_nombuf") +
			reply_number(port, "kernel_drops");
		*ret_received += reply_number(port, "rx_packets");
	}
	return lost;
}

static void judge_ports(const struct check_input *in, const struct check_limits *l,
			struct check_result *r)
{
	uint64_t received, lost = check_lost_frames(in->ports, &received);
	size_t i;
	json_t *port;

	json_array_foreach(json_object_get(in->ports, "ports"), i, port)
	{
		if (!reply_true(port, "link"))
			problem(r, CHECK_WARNING, "port %zu (%s): the link is down", i,
				reply_text(port, "name"));
	}
	limited(r, l, CHECK_LOSS, percent((double)lost, (double)(lost + received)));
	value(r, " packets=%" PRIu64 "c lost=%" PRIu64 "c", counter(in, "capture.packets"), lost);
}

static void judge_coverage(const struct check_input *in, const struct check_limits *l,
			   struct check_result *r)
{
	double unread = 0;
	size_t i;
	json_t *row;

	json_array_foreach(json_object_get(in->coverage, "rows"), i,
			   row) if (strcmp(reply_text(row, "name"), "overload") == 0) unread =
		(double)reply_number(row, "bytes");
	limited(r, l, CHECK_UNREAD,
		percent(unread, (double)reply_number(in->coverage, "bytes_seen")));
}

static void judge_workers(const struct check_input *in, const struct check_limits *l,
			  struct check_result *r)
{
	double silent = 0;
	size_t i;
	json_t *worker;

	json_array_foreach(json_object_get(in->workers, "workers"), i,
			   worker) if ((double)reply_number(worker, "silent_s") > silent) silent =
		(double)reply_number(worker, "silent_s");
	limited(r, l, CHECK_SILENT, silent);
}

// Seconds from a time of a reply to b; false if it has none.
static bool seconds(const json_t *object, const char *name, uint64_t b_ns, double *ret_s)
{
	char second[20]; // "2026-11-23T13:00:00": what is behind is less than one
	uint64_t ns;

	snprintf(second, sizeof(second), "%s", reply_text(object, name));
	if (!cli_time(second, false, &ns))
		return false;
	*ret_s = ((double)b_ns - (double)ns) / 1e9;
	return true;
}

static void judge_rules(const struct check_input *in, const struct check_limits *l,
			struct check_result *r)
{
	const json_t *rules = json_object_get(in->status, "rules");
	double s;

	if (reply_number(rules, "serial") == 0)
		problem(r, CHECK_CRITICAL, "no rules are loaded");
	else if (!reply_true(rules, "live"))
		problem(r, CHECK_CRITICAL, "the rules are not live");
	if (reply_text(rules, "warning")[0] != '\0')
		problem(r, CHECK_WARNING, "rules: %s", reply_text(rules, "warning"));
	if (reply_number(rules, "expired") != 0)
		problem(r, CHECK_WARNING, "%" PRIu64 " rules have expired",
			reply_number(rules, "expired"));
	if (seconds(rules, "since", in->now_ns, &s))
		limited(r, l, CHECK_AGE, s / day_s);
	if (seconds(rules, "next_expiry", in->now_ns, &s))
		limited(r, l, CHECK_EXPIRY, -s / day_s);
}

static void judge_hits(const struct check_input *in, const struct check_limits *l,
		       struct check_result *r)
{
	const json_t *hits = json_object_get(in->status, "hits");
	const json_t *audit = json_object_get(in->status, "audit");
	double pending = 0;
	size_t i;
	json_t *sink;

	if (reply_true(hits, "paused"))
		problem(r, CHECK_CRITICAL, "hits cannot be stored: %s",
			reply_text(hits, "problem"));
	if (reply_text(audit, "problem")[0] != '\0')
		problem(r, CHECK_CRITICAL, "no audit log: %s", reply_text(audit, "problem"));
	json_array_foreach(json_object_get(in->status, "sinks"), i, sink)
	{
		if ((double)reply_number(sink, "pending") > pending)
			pending = (double)reply_number(sink, "pending");
		if (reply_text(sink, "problem")[0] != '\0')
			problem(r, CHECK_WARNING, "sink %s: %s", reply_text(sink, "name"),
				reply_text(sink, "problem"));
	}
	limited(r, l, CHECK_PENDING, pending);
	value(r, " hits=%" PRIu64 "c", reply_number(hits, "last_id"));
}

void check_judge(const struct check_input *in, const struct check_limits *limits,
		 struct check_result *ret_result)
{
	const json_t *dataplane = json_object_get(in->status, "dataplane");

	*ret_result = (struct check_result){.state = CHECK_OK};
	if (reply_true(dataplane, "connected")) {
		if (!reply_true(dataplane, "finished")) // nothing more to do
			judge_workers(in, limits, ret_result);
		judge_ports(in, limits, ret_result);
		judge_coverage(in, limits, ret_result);
		limited(ret_result, limits, CHECK_HITS_LOST,
			(double)counter(in, "detect.hits_lost"));
	} else {
		problem(ret_result, CHECK_CRITICAL, "the dataplane is not connected: %s",
			reply_text(dataplane, "problem"));
	}
	judge_rules(in, limits, ret_result);
	judge_hits(in, limits, ret_result);
	if (in->free_percent >= 0)
		limited(ret_result, limits, CHECK_DISK, in->free_percent);
	else
		problem(ret_result, CHECK_UNKNOWN, "the disk of the hits cannot be looked at");
}

// --- the command ----------------------------------------------------------------------------------------------------

static void print_help(FILE *f)
{
	fputs("usage: wireglass check [options]\n"
	      "\n"
	      "One line for Nagios, Icinga and their like. Exit codes: 0 OK, 1 WARNING, 2 CRITICAL "
	      "(also when "
	      "wireglassd\n"
	      "does not answer), 3 UNKNOWN. Besides the limits: the dataplane is connected, links "
	      "are up, rules are "
	      "live,\n"
	      "hits and the audit log can be written.\n"
	      "\n",
	      f);
	for (int i = 0; i < CHECK_N; i++) {
		char warning[32], critical[32];

		fprintf(f, "  --%-10s WARNING[,CRITICAL]  %s%s%s (default %s,%s)\n", table[i].name,
			table[i].unit, table[i].unit[0] != '\0' ? " " : "", table[i].text,
			table[i].warning < 0 ? "-" : range(warning, table[i].warning, true),
			table[i].critical < 0 ? "-" : range(critical, table[i].critical, true));
	}
	fputs("\n"
	      "\"-\" is no limit. Performance data: these, packets and lost frames, hits.\n"
	      "\n"
	      "  wireglass check --loss 0.01,0.5 --bundle-age 30,60\n",
	      f);
}

static int print(const struct cli *cli, const struct check_result *r)
{
	if (cli->json) {
		json_t *json =
			json_pack("{s:s, s:o, s:s}", "state", check_state_names[r->state],
				  "problems", cli_json_text(r->problems), "values", r->values);
		(void)client_print_json(json);
		json_decref(json);
	} else {
		char safe[4 * sizeof(r->problems)];

		printf("WIREGLASS %s - %s%s%s\n", check_state_names[r->state],
		       r->problems[0] != '\0' ? table_safe(safe, sizeof(safe), r->problems)
					      : "all is well",
		       r->values[0] != '\0' ? " |" : "", r->values);
	}
	return (int)r->state;
}

static int failed(const struct cli *cli, enum check_state state, const char *text)
{
	struct check_result r = {.state = CHECK_OK};

	problem(&r, state, "%s", text);
	return print(cli, &r);
}

static double free_percent(const char *path)
{
	struct statvfs v;

	if (statvfs(path, &v) != 0 || v.f_blocks == 0)
		return -1;
	return 100 * (double)v.f_bavail / (double)v.f_blocks;
}

static int ask_all(const struct cli *cli, const struct check_limits *limits)
{
	static const struct ipc_admin_req reqs[] = {{.command = IPC_ADMIN_SHOW_STATUS},
						    {.command = IPC_ADMIN_SHOW_STATS},
						    {.command = IPC_ADMIN_SHOW_COVERAGE},
						    {.command = IPC_ADMIN_SHOW_PORTS},
						    {.command = IPC_ADMIN_SHOW_WORKERS}};
	enum { N = sizeof(reqs) / sizeof(reqs[0]) };
	json_t *reply[N];
	char error[1024] = "";

	int code = client_ask_all(cli, reqs, N, reply, error, sizeof(error));
	if (code == CLI_OK) {
		const struct check_input in = {
			.status = reply[0],
			.stats = reply[1],
			.coverage = reply[2],
			.ports = reply[3],
			.workers = reply[4],
			.free_percent = free_percent(reply_text(reply[0], "state_dir")),
			.now_ns = (uint64_t)time(NULL) * 1000000000u,
		};
		struct check_result r;

		check_judge(&in, limits, &r);
		code = print(cli, &r);
	} else {
		code = failed(cli,
			      code == CLI_UNREACHABLE || code == CLI_TIMEOUT ? CHECK_CRITICAL
									     : CHECK_UNKNOWN,
			      error);
	}
	for (int i = 0; i < N; i++)
		json_decref(reply[i]);
	return code;
}

int cmd_check(struct cli *cli, int argc, char **argv)
{
	struct option options[CHECK_N + 2] = {
		[CHECK_N] = {"help", no_argument, NULL, 'h'},
	};
	struct check_limits limits;
	int c;

	check_defaults(&limits);
	for (int i = 0; i < CHECK_N; i++)
		options[i] = (struct option){table[i].name, required_argument, NULL, 256 + i};
	while ((c = cli_option(cli, "check", argc, argv, ":h", options)) != -1) {
		if (c == 'h') {
			print_help(stdout);
			return CHECK_OK;
		}
		if (c == CLI_BAD_OPTION)
			return CHECK_UNKNOWN;
		if (!check_limit_parse(&limits, (enum check_limit)(c - 256), optarg)) {
			cli_error(
				cli, CLI_USAGE, "usage",
				"--%s: \"%s\" is not WARNING,CRITICAL, two numbers (see wireglass "
				"help check)",
				options[c - 256].name, optarg);
			return CHECK_UNKNOWN;
		}
	}
	if (optind < argc) {
		cli_error(cli, CLI_USAGE, "usage", "check takes no argument \"%s\"", argv[optind]);
		return CHECK_UNKNOWN;
	}
	return ask_all(cli, &limits);
}

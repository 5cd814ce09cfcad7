// SPDX-License-Identifier: BSD-2-Clause
// "wireglass show ...": what the daemon and the dataplane are doing, as tables or as JSON.
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/counters.h"
#include "control/cli/client.h"
#include "control/cli/table.h"

struct show_options {
	bool all;
};

static void line(const char *name, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void line(const char *name, const char *fmt, ...)
{
	char text[2048], safe[4096];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	printf("%-12s%s\n", name, table_safe(safe, sizeof(safe), text));
}

static void print_dataplane(const json_t *d)
{
	if (!reply_true(d, "connected")) {
		line("dataplane", "not connected, %s: %s", reply_text(d, "socket"),
		     reply_text(d, "problem"));
		return;
	}
	line("dataplane", "connected, %s mode, %" PRIu64 " workers, %" PRIu64 " ports, since %s%s",
	     reply_text(d, "mode"), reply_number(d, "workers"), reply_number(d, "ports"),
	     reply_text(d, "started"), reply_true(d, "finished") ? ", its input has ended" : "");
}

static void print_rules_state(const json_t *r)
{
	if (reply_number(r, "serial") == 0)
		line("rules", "none loaded (load a bundle: wireglass rules "
			      "load FILE)");
	else
		line("rules",
		     "bundle %s serial %" PRIu64 ", %" PRIu64 " rules, %s, generation %" PRIu64,
		     reply_text(r, "bundle"), reply_number(r, "serial"), reply_number(r, "rules"),
		     reply_true(r, "live") ? "live" : "waiting for the dataplane",
		     reply_number(r, "generation"));
	const json_t *trial = json_object_get(r, "trial");
	if (json_is_object(trial))
		line("",
		     "on trial for another %" PRIu64 " s: %" PRIu64 " hits, busiest worker %" PRIu64
		     " %%; else serial %" PRIu64 " comes back",
		     reply_number(trial, "seconds_left"), reply_number(trial, "hits"),
		     reply_number(trial, "busy_percent"), reply_number(trial, "back"));
	if (reply_number(r, "expired") != 0)
		line("", "%" PRIu64 " rules are switched off: expired", reply_number(r, "expired"));
	if (reply_true(r, "in_progress"))
		line("", "a deployment is in progress: %s", reply_text(r, "deployment"));
	if (reply_text(r, "problem")[0] != '\0')
		line("", "last deployment failed: %s", reply_text(r, "problem"));
	if (reply_text(r, "warning")[0] != '\0')
		line("", "warning: %s", reply_text(r, "warning"));
}

static void print_sinks(const json_t *sinks)
{
	const json_t *s;
	size_t i;

	json_array_foreach(sinks, i, s)
	{
		if (reply_number(s, "pending") == 0 && reply_number(s, "missed") == 0 &&
		    reply_text(s, "problem")[0] == '\0')
			continue;
		line("sink", "%s %s: %" PRIu64 " hits wait, %" PRIu64 " missed for ever%s%s",
		     reply_text(s, "name"), reply_text(s, "path"), reply_number(s, "pending"),
		     reply_number(s, "missed"), reply_text(s, "problem")[0] != '\0' ? ": " : "",
		     reply_text(s, "problem"));
	}
}

static void print_hits_state(const json_t *h)
{
	char size[32];

	line("hits", "%" PRIu64 " stored (%s), %" PRIu64 " since start, %" PRIu64 " lost",
	     reply_number(h, "stored"), table_bytes(size, sizeof(size), reply_number(h, "bytes")),
	     reply_number(h, "since_start"), reply_number(h, "lost"));
	if (reply_number(h, "suppressed") != 0)
		line("", "%" PRIu64 " more suppressed by thresholds of rules, not stored",
		     reply_number(h, "suppressed"));
	if (reply_number(h, "windows_evicted") != 0)
		line("",
		     "more addresses than thresholds can count at a time: %" PRIu64
		     " counts began anew",
		     reply_number(h, "windows_evicted"));
	if (reply_true(h, "paused"))
		line("", "NOT STORING since %s: %s", reply_text(h, "paused_since"),
		     reply_text(h, "problem"));
}

static void print_audit(const json_t *a)
{
	line("audit", "%" PRIu64 " entries in %s", reply_number(a, "entries"),
	     reply_text(a, "file"));
	if (reply_text(a, "problem")[0] != '\0')
		line("", "CANNOT WRITE, so nothing is done on request: %s",
		     reply_text(a, "problem"));
}

static void print_confined(const json_t *sandbox, const char *who)
{
	const json_t *s = json_object_get(sandbox, who);

	if (!json_is_object(s)) {
		line("", "%s: not known", who);
		return;
	}
	line("", "%s: %s capabilities, %s new privileges, %s system calls, %s files", who,
	     reply_true(s, "no_capabilities") ? "no" : "HAS",
	     reply_true(s, "no_new_privs") ? "no" : "MAY GAIN",
	     reply_true(s, "seccomp") ? "few" : "ALL",
	     reply_number(s, "landlock") > 0 ? "few" : "ALL");
}

static void print_sandbox(const json_t *s)
{
	line("sandbox", "%s",
	     reply_text(s, "problem")[0] != '\0' ? reply_text(s, "problem")
						 : "what the kernel says:");
	print_confined(s, "control");
	print_confined(s, "dataplane");
	print_confined(s, "compiler");
}

static void print_status(const json_t *r, const struct show_options *o)
{
	const json_t *eve = json_object_get(r, "eve");

	line("wireglassd", "version %s, pid %" PRIu64 ", up %" PRIu64 " s, state in %s",
	     reply_text(r, "version"), reply_number(r, "pid"), reply_number(r, "uptime_s"),
	     reply_text(r, "state_dir"));
	print_dataplane(json_object_get(r, "dataplane"));
	print_rules_state(json_object_get(r, "rules"));
	print_hits_state(json_object_get(r, "hits"));
	print_sinks(json_object_get(r, "sinks"));
	if (reply_text(eve, "file")[0] == '\0')
		line("eve", "off");
	else
		line("eve", "%s, %" PRIu64 " lines, %" PRIu64 " dropped%s%s",
		     reply_text(eve, "file"), reply_number(eve, "lines"),
		     reply_number(eve, "dropped"),
		     reply_text(eve, "problem")[0] != '\0' ? ", cannot write: " : "",
		     reply_text(eve, "problem"));
	print_audit(json_object_get(r, "audit"));
	print_sandbox(json_object_get(r, "sandbox"));
}

static void print_stats(const json_t *r, const struct show_options *o)
{
	static const char *const headers[] = {"counter", ">value", "meaning"};
	const json_t *counters = json_object_get(r, "counters");
	struct table t;

	if (!reply_true(r, "connected"))
		puts("the dataplane is not connected: these are its last numbers");
	table_init(&t, headers, 3);
	for (unsigned int i = 0; i < COUNTER_N; i++) {
		const struct counter_info *info = counter_info(i);
		uint64_t v = reply_number(counters, info->name);

		if (v != 0 || o->all)
			table_add(&t, "%s\t%" PRIu64 "\t%s", info->name, v, info->text);
	}
	table_print(&t, 0);
	if (!o->all)
		puts("(counters at zero are left out: --all shows them)");
}

static void print_coverage(const json_t *r, const struct show_options *o)
{
	static const char *const headers[] = {"what became of it", ">bytes", ">%", ">flows",
					      "meaning"};
	const uint64_t seen = reply_number(r, "bytes_seen");
	const json_t *row;
	struct table t;
	size_t i;

	if (!reply_true(r, "connected"))
		puts("the dataplane is not connected: these are its last numbers");
	table_init(&t, headers, 5);
	json_array_foreach(json_object_get(r, "rows"), i, row)
	{
		uint64_t bytes = reply_number(row, "bytes"), flows = reply_number(row, "flows");

		if (bytes != 0 || flows != 0 || o->all)
			table_add(&t, "%s\t%" PRIu64 "\t%.2f\t%" PRIu64 "\t%s",
				  reply_text(row, "name"), bytes,
				  seen != 0 ? 100.0 * (double)bytes / (double)seen : 0.0, flows,
				  reply_text(row, "meaning"));
	}
	table_add(&t, "all\t%" PRIu64 "\t%.2f\t%" PRIu64 "\tsince %s", seen,
		  seen != 0 ? 100.0 : 0.0, reply_number(r, "flows_seen"), reply_text(r, "since"));
	table_print(&t, 0);
	if (reply_number(r, "missing_bytes") != 0)
		printf("%" PRIu64 " more bytes were missing on the wire\n",
		       reply_number(r, "missing_bytes"));
	if (!reply_true(r, "exact"))
		puts("THE LEDGER DOES NOT ADD UP: payload bytes are unaccounted for (a bug)");
}

static void print_ports(const json_t *r, const struct show_options *o)
{
	static const char *const headers[] = {"port",        "name",        "driver",    "link",
					      "peer",        ">rx packets", ">rx bytes", ">missed",
					      ">tx packets", ">tx bytes"};
	const json_t *p;
	struct table t;
	size_t i;

	table_init(&t, headers, 10);
	json_array_foreach(json_object_get(r, "ports"), i, p)
	{
		const json_t *peer = json_object_get(p, "peer");
		char peer_text[16] = "tap", rx[32], tx[32];

		if (json_is_integer(peer))
			snprintf(peer_text, sizeof(peer_text), "%d", (int)json_integer_value(peer));
		table_add(&t,
			  "%" PRIu64 "\t%s\t%s\t%s\t%s\t%" PRIu64 "\t%s\t%" PRIu64 "\t%" PRIu64
			  "\t%s",
			  reply_number(p, "port"), reply_text(p, "name"), reply_text(p, "driver"),
			  reply_true(p, "link") ? "up" : "down", peer_text,
			  reply_number(p, "rx_packets"),
			  table_bytes(rx, sizeof(rx), reply_number(p, "rx_bytes")),
			  reply_number(p, "rx_missed"), reply_number(p, "tx_packets"),
			  table_bytes(tx, sizeof(tx), reply_number(p, "tx_bytes")));
	}
	table_print(&t, 0);
}

static void print_workers(const json_t *r, const struct show_options *o)
{
	static const char *const headers[] = {">worker", ">busy %",          ">packets",
					      ">bytes",  ">flows",           ">transactions",
					      ">hits",   ">rules generation"};
	const json_t *w;
	struct table t;
	size_t i;

	table_init(&t, headers, 8);
	json_array_foreach(json_object_get(r, "workers"), i, w)
	{
		char bytes[32];

		table_add(&t,
			  "%" PRIu64 "\t%.1f\t%" PRIu64 "\t%s\t%" PRIu64 "\t%" PRIu64 "\t%" PRIu64
			  "\t%" PRIu64,
			  reply_number(w, "worker"),
			  json_real_value(json_object_get(w, "busy_percent")),
			  reply_number(w, "packets"),
			  table_bytes(bytes, sizeof(bytes), reply_number(w, "bytes")),
			  reply_number(w, "flows"), reply_number(w, "transactions"),
			  reply_number(w, "hits"), reply_number(w, "generation"));
	}
	table_print(&t, 0);
}

static void print_rules(const json_t *r, const struct show_options *o)
{
	static const char *const headers[] = {">sid",      ">rev",        ">prio",
					      "direction", ">suppressed", "message"};
	const json_t *rule;
	struct table t;
	size_t i;

	print_rules_state(r);
	table_init(&t, headers, 6);
	json_array_foreach(json_object_get(r, "list"), i, rule)
	{
		if (i == 50 && !o->all)
			break;
		table_add(&t, "%" PRIu64 "\t%" PRIu64 "\t%" PRIu64 "\t%s\t%" PRIu64 "\t%s",
			  reply_number(rule, "sid"), reply_number(rule, "rev"),
			  reply_number(rule, "priority"), reply_text(rule, "direction"),
			  reply_number(rule, "suppressed"), reply_text(rule, "msg"));
	}
	table_print(&t, 100);
	if (json_array_size(json_object_get(r, "list")) > 50 && !o->all)
		puts("(the first 50: --all shows the rest)");
}

static const char help[] =
	"usage: wireglass show status|stats|ports|workers|rules|coverage [--all] [--json]\n"
	"\n"
	"  status   wireglassd, its dataplane, rules, hit store and EVE file\n"
	"  stats    every counter of the dataplane, with what it means; --all: those at zero too\n"
	"  ports    ports of the dataplane with the counters of their NIC\n"
	"  workers  load and work of each worker\n"
	"  rules    the rule set that is live; --all: every rule\n"
	"  coverage what became of every byte and flow: inspected, encrypted, out of scope...\n"
	"\n"
	"Examples:\n"
	"  wireglass show status\n"
	"  wireglass show stats --json | jq '.counters[\"detect.hits\"]'\n"
	"\n"
	"Exit codes: 0 done, 1 refused, 2 usage, 3 wireglassd not reachable, 4 no answer in "
	"time.\n";

static const struct {
	const char *word;
	uint32_t command;
	void (*print)(const json_t *reply, const struct show_options *options);
} topics[] = {
	{"status", IPC_ADMIN_SHOW_STATUS, print_status},
	{"stats", IPC_ADMIN_SHOW_STATS, print_stats},
	{"ports", IPC_ADMIN_SHOW_PORTS, print_ports},
	{"workers", IPC_ADMIN_SHOW_WORKERS, print_workers},
	{"rules", IPC_ADMIN_SHOW_RULES, print_rules},
	{"coverage", IPC_ADMIN_SHOW_COVERAGE, print_coverage},
};

enum {
	TOPIC_N = sizeof(topics) / sizeof(topics[0]),
};

static int show(struct cli *cli, int topic, const struct show_options *options)
{
	struct ipc_admin_req req = {.command = topics[topic].command};
	json_t *reply;
	int code = client_request(cli, &req, -1, &reply);

	if (code != CLI_OK)
		return code;
	if (cli->json)
		code = client_print_json(reply);
	else
		topics[topic].print(reply, options);
	json_decref(reply);
	return fflush(stdout) == 0 ? code : CLI_FAILED;
}

int cmd_show(struct cli *cli, int argc, char **argv)
{
	static const struct option options[] = {
		{"all", no_argument, NULL, 'a'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	const char *words[TOPIC_N];
	struct show_options o = {0};
	int opt;

	while ((opt = cli_option(cli, "show", argc, argv, ":", options)) != -1) {
		if (opt == 'h') {
			fputs(help, stdout);
			return CLI_OK;
		}
		if (opt != 'a')
			return CLI_USAGE;
		o.all = true;
	}
	if (argc - optind != 1)
		return cli_usage(cli, "show", help);
	for (int i = 0; i < TOPIC_N; i++) {
		if (strcmp(argv[optind], topics[i].word) == 0)
			return show(cli, i, &o);
		words[i] = topics[i].word;
	}
	return cli_unknown(cli, "show", "topic", argv[optind], words, TOPIC_N);
}

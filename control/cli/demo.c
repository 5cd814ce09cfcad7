// SPDX-License-Identifier: BSD-2-Clause
// "wireglass demo": the whole product once, as an ordinary user, in a directory that is gone afterwards.
//
// Nothing is shortened: a key is made, a bundle signed with it, wireglassd verifies and compiles it and hands it to
// wireglass-dataplane, which reads a recorded capture through its normal path; the hits come back through the store. What
// is printed is what wireglassd answers.
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/cli/client.h"
#include "control/cli/hits.h"
#include "control/cli/table.h"
#include "control/cli/trial.h"
#include "rules/bundle.h"
#include "rules/file.h"

static const char help[] =
	"usage: wireglass demo [--keep] [--pcap FILE] [--rules FILE] [--data DIR] [--json]\n"
	"\n"
	"Runs everything once, without root and without touching the system: makes a key, signs a "
	"bundle\n"
	"of example rules, starts wireglassd and wireglass-dataplane in a temporary directory, "
	"loads the\n"
	"bundle, sends a recorded capture through the dataplane and prints what was found, what "
	"was left\n"
	"unread, and how fast the engine is on this machine. Everything is stopped and removed "
	"afterwards.\n"
	"\n"
	"  --keep        leave the directory (store, EVE file, logs) and say where it is\n"
	"  --pcap FILE   send this capture instead\n"
	"  --rules FILE  with these rules instead\n"
	"  --data DIR    where the example rules and the capture are. Without it they are looked "
	"for\n"
	"                in the source tree of a build (the folder above this program's), in\n"
	"                ../share/wireglass beside it, in /usr/share/wireglass and in the current "
	"folder,\n"
	"                as rules/examples/demo.rules or examples/demo.rules, and "
	"tests/demo/demo.pcap\n"
	"                or demo/demo.pcap\n"
	"\n"
	"Exit codes: 0 hits arrived, 1 something failed or no rule hit, 2 usage, 4 no hits in "
	"time.\n";

#define NO_HITS "no rule hit in this capture"

struct demo {
	struct cli *cli;
	struct trial trial;
	const char *data;
	char pcap[DEMO_PATH_BYTES], rules[DEMO_PATH_BYTES];
	json_t *bench;
};

__attribute__((format(printf, 2, 3))) static void say(const struct demo *d, const char *fmt, ...)
{
	va_list ap;

	if (d->cli->quiet || d->cli->json)
		return;
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	fflush(stdout);
}

// --- data files -----------------------------------------------------------------------------------------------------

static bool try_file(char *buf, const char *base, const char *name)
{
	char path[DEMO_PATH_BYTES * 2];

	int n = snprintf(path, sizeof(path), "%s/%s", base, name);
	if (n >= DEMO_PATH_BYTES || access(path, R_OK) != 0)
		return false;
	memcpy(buf, path, (size_t)n + 1);
	return true;
}

// The folder of our own binary, "." if unknown.
static void own_folder(char *buf, size_t size)
{
	ssize_t n = readlink("/proc/self/exe", buf, size - 1);
	char *slash;

	buf[n > 0 ? n : 0] = '\0';
	slash = strrchr(buf, '/');
	if (slash != NULL)
		*slash = '\0';
	else
		snprintf(buf, size, ".");
}

static bool find_data(const struct demo *d, char *buf, const char *const *names)
{
	char own[DEMO_PATH_BYTES - 32], source[DEMO_PATH_BYTES], share[DEMO_PATH_BYTES];

	own_folder(own, sizeof(own));
	snprintf(source, sizeof(source), "%s/..", own);
	snprintf(share, sizeof(share), "%s/../share/wireglass", own);
	const char *const bases[] = {source, share, "/usr/share/wireglass", "."};
	const size_t n_bases = d->data != NULL ? 1 : sizeof(bases) / sizeof(bases[0]);

	for (size_t i = 0; i < n_bases; i++)
		for (int n = 0; names[n] != NULL; n++)
			if (try_file(buf, d->data != NULL ? d->data : bases[i], names[n]))
				return true;
	return false;
}

static int find_files(struct demo *d)
{
	static const char *const rules[] = {"rules/examples/demo.rules", "examples/demo.rules",
					    NULL};
	static const char *const pcap[] = {"tests/demo/demo.pcap", "demo/demo.pcap", NULL};

	if (d->rules[0] == '\0' && !find_data(d, d->rules, rules))
		return cli_error(
			d->cli, CLI_FAILED, "data",
			"the example rules are not here: name the folder of the source tree with "
			"--data DIR, or a rule file with --rules FILE");
	if (d->pcap[0] == '\0' && !find_data(d, d->pcap, pcap))
		return cli_error(
			d->cli, CLI_FAILED, "data",
			"the demo capture is not here: name the folder of the source tree with "
			"--data DIR, or a capture with --pcap FILE");
	if (access(d->rules, R_OK) != 0 || access(d->pcap, R_OK) != 0)
		return cli_error(d->cli, CLI_FAILED, "data", "cannot read %s: %s",
				 access(d->rules, R_OK) != 0 ? d->rules : d->pcap, strerror(errno));
	return CLI_OK;
}

// --- steps ----------------------------------------------------------------------------------------------------------

static int make_bundle(struct demo *d)
{
	struct diag diag = {0};
	char why[1024], id[64], *text;
	size_t len;

	if (file_read(d->rules, BUNDLE_MAX_BYTES, &text, &len, &diag) != 0)
		return cli_error(d->cli, CLI_FAILED, "demo", "%s",
				 diag_format(&diag, why, sizeof(why)));
	int code = trial_bundle(&d->trial, text, len, id, sizeof(id));
	free(text);
	if (code == CLI_OK)
		say(d, "[1/5] made a key (%s) and signed a bundle of %s\n", id, d->rules);
	return code;
}

static int start_programs(struct demo *d)
{
	int code = trial_start(&d->trial, d->pcap, "", d->trial.dataplane);

	if (code == CLI_OK)
		code = trial_connected(&d->trial);
	if (code == CLI_OK)
		say(d, "[2/5] started wireglass-dataplane and wireglassd, they are connected\n");
	return code;
}

static int load_bundle(struct demo *d)
{
	int code = trial_load(&d->trial);
	const json_t *loaded = d->trial.loaded;

	if (code == CLI_OK)
		say(d,
		    "[3/5] loaded the bundle: signature verified, %" PRIu64
		    " rules compiled in %" PRIu64 " ms, live %" PRIu64 " ms later\n",
		    reply_number(loaded, "rules"), reply_number(loaded, "compile_ms"),
		    reply_number(loaded, "load_ms"));
	return code;
}

static int wait_for_hits(struct demo *d)
{
	say(d, "[4/5] sending %s through the dataplane ...\n", d->pcap);
	return trial_hits(&d->trial);
}

static int run_bench(struct demo *d)
{
	const char *const args[] = {"bench", "--json",  "--runs", "3",     "--seconds",
				    "0.7",   "--rules", d->rules, d->pcap, NULL};
	char text[8192];

	say(d, "[5/5] measuring the engine on this machine, one thread, two seconds ...\n");
	if (demo_capture("wireglass", args, text, sizeof(text)) == 0)
		d->bench = json_loads(text, 0, NULL);
	return trial_check(&d->trial);
}

// --- result ---------------------------------------------------------------------------------------------------------

static void print_untouched(const struct demo *d)
{
	const json_t *c = json_object_get(d->trial.stats, "counters");
	char released[32], inspected[32];

	table_bytes(released, sizeof(released), reply_number(c, "tcp.released_bytes"));
	table_bytes(inspected, sizeof(inspected), reply_number(c, "tcp.delivered_bytes"));
	printf("\nInspected: %" PRIu64 " HTTP transactions in %" PRIu64 " flows, %s of payload.\n",
	       reply_number(c, "http.transactions"), reply_number(c, "flow.created"), inspected);
	printf("Left alone: %" PRIu64 " TLS, %" PRIu64 " SSH, %" PRIu64
	       " other flows, whose payload of %s passed by unread.\n",
	       reply_number(c, "app.tls"), reply_number(c, "app.ssh"),
	       reply_number(c, "app.opaque"), released);
	printf("Payload bytes read after a flow was released: %" PRIu64
	       " (to tell what it was: %" PRIu64 ").\n",
	       reply_number(c, "app.read_after_release"), reply_number(c, "app.prefix_bytes"));
	printf("Frames: %" PRIu64 " received. Hits lost: %" PRIu64 ".\n",
	       reply_number(c, "capture.packets"), reply_number(c, "detect.hits_lost"));
}

static void print_bench(const struct demo *d)
{
	const json_t *gbps = json_object_get(d->bench, "gbps");

	if (gbps == NULL) {
		puts("Throughput: not measured (wireglass bench failed).");
		return;
	}
	printf("Throughput of the engine on this capture, one thread: %.2f Gbit/s (%.2f to %.2f), "
	       "%.2f Mpps.\n",
	       json_number_value(json_object_get(gbps, "median")),
	       json_number_value(json_object_get(gbps, "min")),
	       json_number_value(json_object_get(gbps, "max")),
	       json_number_value(json_object_get(d->bench, "mpps")));
}

static void print_paths(const struct demo *d)
{
	if (!d->trial.run.keep) {
		puts("\nAll of it ran in a temporary directory that is gone now (--keep leaves "
		     "it).");
		return;
	}
	printf("\nKept in %s:\n"
	       "  eve.json                 every event as a JSON line\n"
	       "  state/hits.db            the hit store (SQLite)\n"
	       "  demo.wgb, demo.pub       the signed bundle and the key it was verified with\n"
	       "  wireglassd.log, wireglass-dataplane.log\n",
	       d->trial.run.dir);
}

static int print_json(const struct demo *d)
{
	json_t *all = json_pack("{s:O, s:O, s:O, s:O?, s:s?}", "rules", d->trial.loaded, "hits",
				d->trial.hits, "stats", d->trial.stats, "bench", d->bench, "kept",
				d->trial.run.keep ? d->trial.run.dir : NULL);

	if (json_array_size(d->trial.hits) == 0) {
		json_object_set_new(all, "error", json_string(NO_HITS));
		json_object_set_new(all, "code", json_string("no_hits"));
	}
	int code = all != NULL ? client_print_json(all) : CLI_FAILED;

	json_decref(all);
	return code;
}

static int print_result(struct demo *d)
{
	size_t n = json_array_size(d->trial.hits);
	int code = CLI_OK;

	if (d->cli->json) {
		code = print_json(d);
	} else if (!d->cli->quiet) {
		printf("\n%zu hits:\n\n", n);
		hits_table(d->trial.hits, false);
		print_untouched(d);
		print_bench(d);
		print_paths(d);
	} else if (d->trial.run.keep) {
		puts(d->trial.run.dir);
	}
	fflush(stdout);
	if (code == CLI_OK && n == 0) {
		fputs("wireglass: " NO_HITS "\n", stderr);
		code = CLI_FAILED;
	}
	return code;
}

static int run(struct demo *d)
{
	int code = find_files(d);

	if (code != CLI_OK)
		return code;
	code = trial_begin(&d->trial, d->cli);
	if (code != CLI_OK)
		return code;
	int (*const steps[])(struct demo *) = {make_bundle,   start_programs, load_bundle,
					       wait_for_hits, run_bench,      print_result};
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]) && code == CLI_OK; i++)
		code = steps[i](d);
	trial_end(&d->trial);
	json_decref(d->bench);
	return code;
}

int cmd_demo(struct cli *cli, int argc, char **argv)
{
	static const struct option options[] = {
		{"keep", no_argument, NULL, 'k'},        {"pcap", required_argument, NULL, 'p'},
		{"rules", required_argument, NULL, 'r'}, {"data", required_argument, NULL, 'd'},
		{"help", no_argument, NULL, 'h'},        {NULL, 0, NULL, 0},
	};
	struct demo d = {.cli = cli};
	int opt;

	while ((opt = cli_option(cli, "demo", argc, argv, ":", options)) != -1) {
		char *path = opt == 'p' ? d.pcap : d.rules;

		if (opt == 'h') {
			fputs(help, stdout);
			return CLI_OK;
		}
		if (opt == 'k') {
			d.trial.run.keep = true;
		} else if (opt == 'd') {
			d.data = optarg;
		} else if (opt == 'p' || opt == 'r') {
			if (strlen(optarg) >= DEMO_PATH_BYTES || optarg[0] == '\0')
				return cli_error(cli, CLI_USAGE, "usage",
						 "that path is too long or empty");
			strcpy(path, optarg);
		} else {
			return CLI_USAGE;
		}
	}
	if (optind != argc)
		return cli_error(cli, CLI_USAGE, "usage",
				 "unexpected argument \"%s\" (see wireglass help demo)",
				 argv[optind]);
	return run(&d);
}

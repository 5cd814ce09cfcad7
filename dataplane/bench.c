// SPDX-License-Identifier: BSD-2-Clause
// wireglass bench: the engine's speed on a capture, without DPDK, on one thread, beside what its libraries alone need for the
// same bytes. What a round is stands in bench_round.c. Packets, transactions and hits of every round must equal those of the
// first: a fast run that did less work is a wrong run, and no speed is printed for it.
#include "dataplane/replay.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "common/suggest.h"
#include "dataplane/bench_impl.h"
#include "dataplane/offline.h"
#include "dataplane/tunnels.h"

enum {
	RUNS_MAX = 1000,
	FLOWS_MAX = 1 << 26,
	// Pools for HTTP are as for so many flows at most: 4 million TLS flows need none.
	FLOWS_HTTP = 1 << 20,
	EXIT_REFUSED = 1,
	EXIT_USAGE_ERROR = 2,
	EXIT_SIGNATURE = 5,
	HUGE_BYTES = 2 << 20,
};
#define ROUND_PAUSE_NS 1000000u

static void usage(FILE *f)
{
	fprintf(f,
		"usage: wireglass bench [options] PCAP\n"
		"\n"
		"Speed of the engine on PCAP, one thread, median of the runs, and what Hyperscan "
		"and ISA-L alone\n"
		"need for the same bytes. Without rules: decoding and parsing only.\n"
		"\n"
		"%s"
		"  --seconds S       length of a run (default 1)\n"
		"  --rounds N        rounds of a run, instead\n"
		"  --runs N          runs (default 5)\n"
		"  --stages          what each stage costs: more runs, with later stages left "
		"out\n"
		"  --compare DIR     in alternation with the Suricata in DIR, which "
		"docs/BENCHMARKS.md says how to\n"
		"                    set up; takes --rules, --var, --seconds, --runs and --json\n"
		"  --no-limit        do not measure the libraries alone\n"
		"  --expect-packets N, --expect-transactions N, --expect-hits N\n"
		"                    print no speed if a round has not exactly so many\n"
		"  --flows N         room for so many flows (default 262144)\n"
		"  --no-checksums    do not verify checksums, for captures taken with offloads "
		"on\n"
		"  --tunnels LIST    what to look into (default: all): " TUNNELS_HELP
		", all or none\n"
		"  --json            one JSON object\n"
		"\n"
		"Exit codes: 0 measured, 1 failed or a round did other work than the first or than "
		"expected, 2 usage, 5 signature.\n",
		ruleload_help);
}

static int fail(const struct bench *b, const struct diag *diag)
{
	char text[1024];

	return offline_error("bench", b->opt.json, EXIT_REFUSED, "failed", "%s",
			     diag_format(diag, text, sizeof(text)));
}

#define usage_error(b, ...)                                                                        \
	offline_error("bench", (b)->opt.json, EXIT_USAGE_ERROR, "usage", __VA_ARGS__)

// --- options --------------------------------------------------------------------------------------------------------

static bool number(const char *text, double min, double max, double *ret)
{
	char *end;
	double v = strtod(text, &end);

	if (end == text || *end != '\0' || !(v >= min && v <= max))
		return false;
	*ret = v;
	return true;
}

static bool count(const char *text, uint64_t *ret)
{
	double v = 0;

	if (!number(text, 0, 1e15, &v))
		return false;
	*ret = (uint64_t)v;
	return true;
}

static bool take_option(struct bench *b, int opt, char *arg)
{
	struct bench_options *o = &b->opt;
	struct diag d = {0};
	double v = 0;

	switch (opt) {
	case 's':
		return number(arg, 0.001, 3600, &o->seconds);
	case 'n':
		if (!number(arg, 1, 1e9, &v))
			return false;
		o->rounds = (uint32_t)v;
		return true;
	case 'R':
		if (!number(arg, 1, RUNS_MAX, &v))
			return false;
		o->runs = (uint32_t)v;
		return true;
	case 'P':
		return count(arg, &o->expect.packets);
	case 'T':
		return count(arg, &o->expect.transactions);
	case 'H':
		return count(arg, &o->expect.hits);
	case 'f':
		if (!number(arg, 1, FLOWS_MAX, &v))
			return false;
		o->flows = (uint32_t)v;
		return true;
	case 'C':
		o->compare = arg;
		return true;
	case 'S':
		o->stages = true;
		return true;
	case 'l':
		o->no_limit = true;
		return true;
	case 'j':
		o->json = true;
		return true;
	case 'c':
		o->no_checksums = true;
		return true;
	case 't':
		if (tunnels_parse(arg, &o->tunnels_off, &d) == 0)
			return true;
		snprintf(b->rules.error, sizeof(b->rules.error), "--tunnels: %s", d.text);
		fprintf(stderr, "wireglass bench: %s\n", b->rules.error);
		return false;
	default:
		return opt >= RULELOAD_RULES && ruleload_option(&b->rules, opt, arg) == 0;
	}
}

static int bad_option(const struct bench *b, const char *word, const struct option *options)
{
	const char *names[32], *near = NULL;
	char name[64];
	size_t n = 0;

	for (; options[n].name != NULL && n < 32; n++)
		names[n] = options[n].name;
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(word, "="), word);
	if (strncmp(name, "--", 2) == 0)
		near = suggest_closest(name + 2, names, n);
	return usage_error(b, "unknown option \"%s\"%s%s%s", word,
			   near != NULL ? ", did you mean \"--" : "", near != NULL ? near : "",
			   near != NULL ? "\"?" : "");
}

// 0, or the exit code.
static int parse_options(int argc, char **argv, struct bench *b, bool *ret_help)
{
	static const struct option options[] = {
		RULELOAD_OPTIONS,
		{"seconds", required_argument, NULL, 's'},
		{"rounds", required_argument, NULL, 'n'},
		{"runs", required_argument, NULL, 'R'},
		{"json", no_argument, NULL, 'j'},
		{"flows", required_argument, NULL, 'f'},
		{"compare", required_argument, NULL, 'C'},
		{"no-limit", no_argument, NULL, 'l'},
		{"stages", no_argument, NULL, 'S'},
		{"expect-packets", required_argument, NULL, 'P'},
		{"expect-transactions", required_argument, NULL, 'T'},
		{"expect-hits", required_argument, NULL, 'H'},
		{"no-checksums", no_argument, NULL, 'c'},
		{"tunnels", required_argument, NULL, 't'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	int opt, at = -1;

	opterr = 0;
	while ((opt = getopt_long(argc, argv, ":", options, &at)) != -1) {
		if (opt == 'h') {
			usage(stdout);
			*ret_help = true;
			return 0;
		}
		if (opt == ':')
			return usage_error(b, "%s needs a value", argv[optind - 1]);
		if (opt == '?')
			return bad_option(b, argv[optind - 1], options);
		if (take_option(b, opt, optarg))
			continue;
		if (b->rules.error[0] == '\0')
			return usage_error(b, "--%s \"%s\" is out of range", options[at].name,
					   optarg);
		if (b->opt.json)
			offline_print_error("usage", b->rules.error);
		return EXIT_USAGE_ERROR;
	}
	if (optind != argc - 1)
		return usage_error(b, "name one capture file");
	b->opt.pcap = argv[optind];
	return 0;
}

// --- set-up ---------------------------------------------------------------------------------------------------------

static void *map_memory(size_t bytes, bool *ret_huge)
{
	size_t up = (bytes + HUGE_BYTES - 1) / HUGE_BYTES * HUGE_BYTES;
	void *p = mmap(NULL, up, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB,
		       -1, 0);

	*ret_huge = p != MAP_FAILED;
	if (p != MAP_FAILED)
		return p;
	p = mmap(NULL, up, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return NULL;
	(void)madvise(p, up, MADV_HUGEPAGE);
	return p;
}

static int make_pipeline(struct bench *b, struct diag *diag)
{
	struct pipeline_conf conf = {
		.flows = b->opt.flows,
		.event_mask = 1u << EVENT_HTTP, // the dataplane's default
		.tunnels_off = b->opt.tunnels_off,
		.verify_checksums = !b->opt.no_checksums,
		.hash_key = {0x0123456789abcdef,
			     0xfedcba9876543210}, // the same flows collide in every run
	};
	int err;

	if (b->opt.flows > FLOWS_HTTP) {
		conf.conns = FLOWS_HTTP / 4;
		conf.messages = FLOWS_HTTP / 8;
	}
	b->memory_bytes = pipeline_memory(&conf);
	b->memory = map_memory(b->memory_bytes, &b->huge);
	err = b->memory != NULL ? pipeline_init(b->memory, b->memory_bytes, &conf, &b->pipe)
				: -ENOMEM;
	if (err < 0) {
		diag_set(diag, NULL, 0, 0, "%zu MB for the pipeline: %s", b->memory_bytes >> 20,
			 strerror(-err));
		return err;
	}
	pipeline_set_ruleset(b->pipe, b->ruleset);
	return 0;
}

static int set_up(struct bench *b, struct diag *diag)
{
	uint64_t min = UINT64_MAX, max = 0;
	int err = ruleset_selftest(diag);

	if (err == 0)
		err = capture_load(b->opt.pcap, &b->set, diag);
	if (err < 0)
		return err;
	if (err > 0) { // cut: the frames before are good
		char text[1024];

		fprintf(stderr, "wireglass bench: %s\n", diag_format(diag, text, sizeof(text)));
	}
	if (b->set.n == 0) {
		diag_set(diag, b->opt.pcap, 0, 0, "has no packets");
		return -ENODATA;
	}
	for (size_t i = 0; i < b->set.n; i++) {
		min = b->set.frames[i].ts_ns < min ? b->set.frames[i].ts_ns : min;
		max = b->set.frames[i].ts_ns > max ? b->set.frames[i].ts_ns : max;
	}
	b->period_ns = max - min + ROUND_PAUSE_NS;
	const uint64_t start = bench_clock_ns(CLOCK_MONOTONIC);

	err = ruleload_run(&b->rules, 1, &b->ruleset);
	if (err < 0) // it has said why
		return err == -EKEYREJECTED ? err : -ECANCELED;
	b->load_ns = bench_clock_ns(CLOCK_MONOTONIC) - start;
	return make_pipeline(b, diag);
}

static void tear_down(struct bench *b)
{
	free(b->ns);
	for (int k = 0; k < BENCH_LIMIT_N; k++)
		free(b->limit_ns[k]);
	for (int s = 0; s < PIPELINE_VERIFY; s++)
		free(b->stage_ns[s]);
	bench_limit_free(b->limit);
	if (b->pipe != NULL)
		pipeline_done(b->pipe);
	if (b->memory != NULL)
		munmap(b->memory, (b->memory_bytes + HUGE_BYTES - 1) / HUGE_BYTES * HUGE_BYTES);
	ruleset_free(b->ruleset);
	capture_unload(&b->set);
}

// --- runs -----------------------------------------------------------------------------------------------------------

static int make_room(struct bench *b)
{
	b->ns = calloc(b->opt.runs, sizeof(double));
	for (int k = 0; k < BENCH_LIMIT_N; k++)
		b->limit_ns[k] = calloc(b->opt.runs, sizeof(double));
	for (int k = 0; k < BENCH_LIMIT_N; k++)
		if (b->limit_ns[k] == NULL)
			return -ENOMEM;
	for (int s = 0; s < PIPELINE_VERIFY; s++) {
		b->stage_ns[s] = calloc(b->opt.runs, sizeof(double));
		if (b->stage_ns[s] == NULL)
			return -ENOMEM;
	}
	return b->ns == NULL ? -ENOMEM : 0;
}

// The engine, as far as each stage and as a whole, and the limit take turns, so that both meet the same neighbours.
static int measure(struct bench *b, struct diag *diag)
{
	int err = make_room(b);

	if (err == 0)
		err = bench_first_rounds(b, diag);
	for (uint32_t i = 0; i < b->opt.runs && err == 0; i++) {
		for (int s = 0; s < PIPELINE_VERIFY && b->opt.stages && err == 0; s++)
			err = bench_run(b, s, &b->stage_ns[s][i], diag);
		if (err == 0)
			err = bench_run(b, PIPELINE_VERIFY, &b->ns[i], diag);
		if (err == 0 && b->limit != NULL)
			err = bench_run_limit(b, i, diag);
	}
	if (err == 0)
		bench_print(b);
	else if (diag->text[0] == '\0')
		diag_set(diag, NULL, 0, 0, "%s", strerror(-err));
	return err;
}

int cmd_bench(bool json, int argc, char **argv)
{
	struct bench b = {
		.opt = {.json = json,
			.seconds = 1,
			.runs = 5,
			.expect = {BENCH_UNKNOWN, BENCH_UNKNOWN, BENCH_UNKNOWN, BENCH_UNKNOWN}},
		.rules = {.quiet = true},
	};
	struct diag diag = {.text = ""};
	bool help = false;
	int err = parse_options(argc, argv, &b, &help);

	if (err != 0 || help)
		return err;
	if (b.opt.compare != NULL) {
		bench_compare(&b, &diag); // only returns when it fails
		return fail(&b, &diag);
	}
	err = set_up(&b, &diag);
	if (err == 0)
		err = measure(&b, &diag);
	tear_down(&b);
	if (err == 0)
		return EXIT_SUCCESS;
	if (err != -ECANCELED && err != -EKEYREJECTED)
		return fail(&b, &diag);
	if (b.opt.json)
		offline_print_error(err == -EKEYREJECTED ? "signature" : "failed", b.rules.error);
	return err == -EKEYREJECTED ? EXIT_SIGNATURE : EXIT_REFUSED;
}

// SPDX-License-Identifier: BSD-2-Clause
// wireglass bench: the engine's speed on a capture, without DPDK, on one thread.
//
// Every round sends the whole capture through one pipeline, in bursts, as a worker would, with hits and events taken
// out of the rings. Before each round the frames get other addresses, ports and times (outside of the timed region),
// so that every round is new flows; after each round the flows that are still open are closed (outside as well, and
// reported). Packets, transactions and hits of every round must equal those of the first: a fast run that did less work
// is a wrong run, and no speed is printed for it.
#include "dataplane/replay.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "common/eve.h"
#include "common/suggest.h"
#include "dataplane/capture.h"
#include "dataplane/engine/pipeline.h"
#include "dataplane/engine/ruleset.h"
#include "dataplane/offline.h"
#include "dataplane/ruleload.h"
#include "dataplane/tunnels.h"

enum {
	BURST = 32,
	SWEEP_BUDGET = 8, // as a worker
	FLUSH_BUDGET = 4096,
	RUNS_MAX = 1000,
	EXIT_REFUSED = 1,
	EXIT_USAGE_ERROR = 2,
	EXIT_SIGNATURE = 5,
	HUGE_BYTES = 2 << 20,
};
#define ROUND_PAUSE_NS 1000000u

struct options {
	const char *pcap;
	double seconds;  // per run
	uint32_t rounds; // per run, 0: by seconds
	uint32_t runs;
	bool json, no_checksums;
	uint32_t tunnels_off;
};

// What a round did; equal for all rounds or the measurement is void.
struct work {
	uint64_t packets, tcp, transactions, hits;
};

struct bench {
	struct options opt;
	struct ruleload rules;
	struct ruleset *ruleset;
	uint64_t load_ns;
	struct capture_set set;
	struct pipeline *pipe;
	void *memory;
	size_t memory_bytes;
	bool huge;
	uint64_t period_ns;
	uint32_t round;    // the frames are in
	struct work work;  // of one round
	uint64_t flush_ns; // of all rounds, not in the speed
	uint64_t rounds;   // measured
};

static void usage(FILE *f)
{
	fprintf(f,
		"usage: wireglass bench [options] PCAP\n"
		"\n"
		"Speed of the engine on PCAP, one thread, median of the runs. Without rules: "
		"decoding and parsing only.\n"
		"\n"
		"%s"
		"  --seconds S       length of a run (default 1)\n"
		"  --rounds N        rounds of a run, instead\n"
		"  --runs N          runs (default 5)\n"
		"  --no-checksums    do not verify checksums, for captures taken with offloads "
		"on\n"
		"  --tunnels LIST    what to look into (default: all): " TUNNELS_HELP
		", all or none\n"
		"  --json            one JSON object\n"
		"\n"
		"Exit codes: 0 measured, 1 failed or a round did other work than the first, 2 "
		"usage, 5 signature.\n",
		ruleload_help);
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_RAW, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
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

static bool take_option(struct bench *b, int opt, char *arg)
{
	struct options *o = &b->opt;
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
		{"no-checksums", no_argument, NULL, 'c'},
		{"tunnels", required_argument, NULL, 't'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	int opt;

	opterr = 0;
	while ((opt = getopt_long(argc, argv, ":", options, NULL)) != -1) {
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
			return usage_error(b, "\"%s\" is out of range", optarg);
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
		.event_mask = 1u << EVENT_HTTP, // the dataplane's default
		.tunnels_off = b->opt.tunnels_off,
		.verify_checksums = !b->opt.no_checksums,
		.hash_key = {0x0123456789abcdef,
			     0xfedcba9876543210}, // the same flows collide in every run
	};
	int err;

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
	uint64_t start = now_ns();

	err = ruleload_run(&b->rules, 1, &b->ruleset);
	if (err < 0) // it has said why
		return err == -EKEYREJECTED ? err : -ECANCELED;
	b->load_ns = now_ns() - start;
	return make_pipeline(b, diag);
}

static void tear_down(struct bench *b)
{
	if (b->pipe != NULL)
		pipeline_done(b->pipe);
	if (b->memory != NULL)
		munmap(b->memory, (b->memory_bytes + HUGE_BYTES - 1) / HUGE_BYTES * HUGE_BYTES);
	ruleset_free(b->ruleset);
	capture_unload(&b->set);
}

// --- rounds ---------------------------------------------------------------------------------------------------------

static uint64_t drain(struct ring *r)
{
	uint64_t n = ring_count(r);

	ring_pop(r, n);
	return n;
}

static void next_round(struct bench *b)
{
	uint8_t *base = b->set.memory;
	const uint8_t *start = b->set.memory;

	for (size_t i = 0; i < b->set.n; i++) {
		struct frame *f = &b->set.frames[i];

		capture_rewrite_round(base + (f->data - start), f->len, b->round, b->round + 1);
		f->ts_ns += b->period_ns;
	}
	b->round++;
}

// Nanoseconds of one round, without closing what it left open.
static uint64_t run_round(struct bench *b, struct work *ret_work)
{
	const struct counters *c = pipeline_counters(b->pipe);
	struct ring *hits = pipeline_hits(b->pipe), *events = pipeline_events(b->pipe);
	struct work before = {0, c->v[CNT_PKT_TCP], c->v[CNT_HTTP_TRANSACTIONS], 0};
	uint64_t drained = 0, now = 0, start, end;
	unsigned int n;

	start = now_ns();
	for (size_t i = 0; i < b->set.n; i += n) {
		n = b->set.n - i < BURST ? (unsigned int)(b->set.n - i) : BURST;
		now = b->set.frames[i + n - 1].ts_ns > now ? b->set.frames[i + n - 1].ts_ns : now;
		pipeline_burst(b->pipe, b->set.frames + i, n, now);
		pipeline_idle(b->pipe, now, SWEEP_BUDGET);
		drained += drain(hits);
		drain(events);
	}
	end = now_ns();
	do {
		n = pipeline_flush(b->pipe, now, FLUSH_BUDGET);
		drained += drain(hits);
		drain(events);
	} while (n > 0);
	b->flush_ns += now_ns() - end;
	*ret_work = (struct work){
		.packets = b->set.n,
		.tcp = c->v[CNT_PKT_TCP] - before.tcp,
		.transactions = c->v[CNT_HTTP_TRANSACTIONS] - before.transactions,
		.hits = drained,
	};
	return end - start;
}

static int check_work(const struct bench *b, const struct work *w, struct diag *diag)
{
	if (pipeline_counters(b->pipe)->v[CNT_HITS_LOST] != 0) {
		diag_set(diag, b->opt.pcap, 0, 0, "hits were lost in the ring: no speed is given");
		return -EIO;
	}
	if (pipeline_objects_in_use(b->pipe) != 0) {
		diag_set(diag, b->opt.pcap, 0, 0,
			 "%" PRIu64 " objects are in use after a round: no speed is given",
			 pipeline_objects_in_use(b->pipe));
		return -EIO;
	}
	if (memcmp(w, &b->work, sizeof(*w)) == 0)
		return 0;
	diag_set(diag, b->opt.pcap, 0, 0,
		 "round %u did other work than the first: %" PRIu64 " TCP packets, %" PRIu64
		 " transactions, %" PRIu64 " hits instead of %" PRIu64 ", %" PRIu64 ", %" PRIu64
		 ": no speed is given",
		 b->round, w->tcp, w->transactions, w->hits, b->work.tcp, b->work.transactions,
		 b->work.hits);
	return -EIO;
}

// One run: nanoseconds per packet.
static int run_once(struct bench *b, double *ret_ns, struct diag *diag)
{
	uint64_t total = 0, limit = (uint64_t)(b->opt.seconds * 1e9);
	uint32_t done = 0;
	struct work w;

	do {
		next_round(b);
		total += run_round(b, &w);
		done++;
		int err = check_work(b, &w, diag);

		if (err < 0)
			return err;
	} while (b->opt.rounds != 0 ? done < b->opt.rounds : total < limit);
	b->rounds += done;
	*ret_ns = (double)total / ((double)done * (double)b->set.n);
	return 0;
}

// --- result ---------------------------------------------------------------------------------------------------------

static int by_value(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void print(const struct bench *b, const double *ns, uint32_t runs)
{
	double median = runs % 2 ? ns[runs / 2] : (ns[runs / 2 - 1] + ns[runs / 2]) / 2;
	double bits = (double)b->set.bytes * 8 / (double)b->set.n; // of a packet
	double flush = (double)b->flush_ns / ((double)b->rounds * (double)b->set.n);

	if (b->opt.json) {
		printf("{\"gbps\":{\"median\":%.4f,\"min\":%.4f,\"max\":%.4f},\"mpps\":%.4f,\"ns_"
		       "per_packet\":%.2f,"
		       "\"packets\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"transactions\":%" PRIu64
		       ",\"hits\":%" PRIu64 ",\"rounds\":%" PRIu64
		       ",\"runs\":%u,\"rules\":%u,\"rules_refused\":%zu,\"load_ms\":%.1f,"
		       "\"close_ns_per_packet\":%.2f,\"memory_mb\":%zu,\"hugepages\":%s}\n",
		       bits / median, bits / ns[runs - 1], bits / ns[0], 1e3 / median, median,
		       b->work.packets, b->set.bytes, b->work.transactions, b->work.hits, b->rounds,
		       runs, b->rules.stats.rules, b->rules.refused, (double)b->load_ns / 1e6,
		       flush, b->memory_bytes >> 20, b->huge ? "true" : "false");
		return;
	}
	printf("%s: %" PRIu64 " packets, %.2f MB, %" PRIu64 " transactions, %" PRIu64
	       " hits in a round\n",
	       b->opt.pcap, b->work.packets, (double)b->set.bytes / 1e6, b->work.transactions,
	       b->work.hits);
	printf("rules: %u loaded, %zu refused, %zu for other protocols, %.0f ms from text to "
	       "ready\n",
	       b->rules.stats.rules, b->rules.refused, b->rules.skipped, (double)b->load_ns / 1e6);
	printf("%.2f Gbit/s (%.2f to %.2f in %u runs), %.3f Mpps, %.1f ns per packet\n",
	       bits / median, bits / ns[runs - 1], bits / ns[0], runs, 1e3 / median, median);
	printf("%" PRIu64 " rounds, each with the same work; closing open flows took another %.1f "
	       "ns per packet; %zu MB of state%s\n",
	       b->rounds, flush, b->memory_bytes >> 20, b->huge ? " on hugepages" : "");
}

static int measure(struct bench *b, struct diag *diag)
{
	double ns[RUNS_MAX];
	int err;

	(void)run_round(b, &b->work); // warms caches and says what a round is
	b->flush_ns = 0;
	err = check_work(b, &b->work, diag);
	for (uint32_t i = 0; i < b->opt.runs && err == 0; i++)
		err = run_once(b, &ns[i], diag);
	if (err < 0)
		return err;
	qsort(ns, b->opt.runs, sizeof(ns[0]), by_value);
	print(b, ns, b->opt.runs);
	return 0;
}

int cmd_bench(bool json, int argc, char **argv)
{
	struct bench b = {
		.opt = {.json = json, .seconds = 1, .runs = 5},
		.rules = {.quiet = true},
	};
	struct diag diag = {.text = ""};
	bool help = false;
	int err = parse_options(argc, argv, &b, &help);

	if (err != 0 || help)
		return err;
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

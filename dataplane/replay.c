// SPDX-License-Identifier: BSD-2-Clause
// wireglass replay: capture files through the engine, in this process. Frame by frame, so that every alert names its frame.
#include "dataplane/replay.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "common/eve.h"
#include "dataplane/capture.h"
#include "dataplane/offline.h"
#include "dataplane/ruleload.h"
#include "dataplane/streams.h"
#include "rules/verdict.h"
#include "dataplane/tunnels.h"

enum {
	EXIT_REPLAY_OK = 0,
	EXIT_REPLAY_FAILED = 1,
	EXIT_REPLAY_USAGE = 2,
	EXIT_REPLAY_SIGNATURE = 5,
	EXIT_REPLAY_PARTIAL = 6,
	SWEEP_PER_FRAME = 4,
	FLUSH_AT_ONCE = 64, // fewer events than the ring holds, at up to 130 per flow
};

struct replay {
	struct ruleload rules;
	struct ruleset *rs;
	struct pipeline *pipe;
	void *mem;
	size_t mem_bytes;
	struct streams *streams;
	const char *streams_dir;
	bool json, want_alerts, verify_checksums;
	uint32_t event_mask, tunnels_off;
	struct threshold *threshold;
	uint64_t hits, suppressed, frames, bytes, first_ns, last_ns;
	uint64_t now_ns; // capture time, never backwards
	struct eve_context ctx;
	char line[EVE_LINE_MAX];
};

static void print_help(void)
{
	printf("usage: wireglass replay [OPTIONS] PCAP...\n\n"
	       "Run capture files through the inspection engine and print EVE JSON lines on "
	       "stdout, the last\n"
	       "one with all counters; a summary goes to stderr.\n\n%s"
	       "  --events LIST     alert,http,fileinfo,flow,anomaly: what to print (default: "
	       "alert)\n"
	       "  --streams DIR     write each reassembled direction to "
	       "DIR/SRC.SPORT-DST.DPORT[.n].bin\n"
	       "  --checksums       do not inspect what a host would drop for its checksum\n"
	       "  --tunnels LIST    what to look into (default: all): " TUNNELS_HELP
	       ", all or none\n"
	       "  --quiet           no summary\n"
	       "\nExamples:\n"
	       "  wireglass replay --rules local.rules capture.pcap\n"
	       "  wireglass replay --events http,fileinfo capture.pcap | jq .http.url\n"
	       "\nExit codes: 0 done, 1 a file could not be read, 2 usage, 5 signature failed, 6 "
	       "done, but some\n"
	       "rules were refused or a capture was cut short.\n",
	       ruleload_help);
}

static int events_parse(struct replay *r, char *list)
{
	static const struct {
		const char *name;
		uint32_t bit;
	} names[] = {{"http", 1u << EVENT_HTTP},
		     {"fileinfo", 1u << EVENT_FILEINFO},
		     {"flow", 1u << EVENT_FLOW},
		     {"anomaly", 1u << EVENT_ANOMALY}};
	char *save = NULL;

	r->want_alerts = false;
	for (char *word = strtok_r(list, ",", &save); word != NULL;
	     word = strtok_r(NULL, ",", &save)) {
		bool known = strcmp(word, "alert") == 0;

		r->want_alerts |= known;
		for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
			if (strcmp(word, names[i].name) == 0) {
				r->event_mask |= names[i].bit;
				known = true;
			}
		}
		if (!known) {
			fprintf(stderr,
				"wireglass replay: --events: unknown event \"%s\" (alert, http, "
				"fileinfo, "
				"flow or anomaly)\n",
				word);
			return -EINVAL;
		}
	}
	return 0;
}

static int engine_start(struct replay *r)
{
	struct pipeline_conf conf = {
		.flows = 262144,
		.event_mask = r->event_mask,
		.tunnels_off = r->tunnels_off,
		.verify_checksums = r->verify_checksums,
		.hash_bodies = (r->event_mask & (1u << EVENT_FILEINFO)) != 0,
		.messages = 65536,
		.conns = 65536,
		.inflaters = 4096,
		.events = 16384,
	};

	r->mem_bytes = pipeline_memory(&conf);
	r->mem = mmap(NULL, r->mem_bytes, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (r->mem == MAP_FAILED)
		return -ENOMEM;
	return pipeline_init(r->mem, r->mem_bytes, &conf, &r->pipe);
}

static void drain(struct replay *r)
{
	struct ring *hits = pipeline_hits(r->pipe), *events = pipeline_events(r->pipe);
	const struct image_header *img = ruleset_image(r->rs);
	const struct image_rule *rules = IMAGE_AT(img, struct image_rule, IMAGE_RULES);

	for (uint64_t n = ring_count(hits); n > 0; n--) {
		const struct hit *h = ring_peek(hits, 0);
		const struct image_rule *rule = &rules[h->rule];
		const struct eve_rule text = {
			.msg = image_string(img, rule->msg),
			.classtype = image_string(img, rule->classtype),
			.reference = image_string(img, rule->reference),
			.metadata = image_string(img, rule->metadata),
		};

		r->hits++;
		if (verdict_of(img, &rule->threshold, r->threshold, NULL, h) == THRESHOLD_SUPPRESS)
			r->suppressed++;
		else if (r->want_alerts &&
			 eve_alert(r->line, sizeof(r->line), h, &text, &r->ctx) > 0)
			puts(r->line);
		ring_pop(hits, 1);
	}
	for (uint64_t n = ring_count(events); n > 0; n--) {
		const struct event *e = ring_peek(events, 0);

		// Transactions with a hit are always emitted; only what was asked for is printed.
		if ((r->event_mask & (1u << e->type)) != 0 &&
		    eve_event(r->line, sizeof(r->line), e, &r->ctx) > 0)
			puts(r->line);
		ring_pop(events, 1);
	}
}

static void flush_flows(struct replay *r)
{
	while (pipeline_flush(r->pipe, r->now_ns, FLUSH_AT_ONCE) > 0)
		drain(r);
	drain(r);
}

// 0; 1: the file was cut short; negative: it could not be read
static int replay_file(struct replay *r, const char *path)
{
	struct capture *c;
	struct diag d = {0};
	struct frame f;
	char text[1024];
	int err = capture_open(path, &c, &d), got;

	if (err < 0) {
		return offline_error("replay", r->json, err, "failed", "%s",
				     diag_format(&d, text, sizeof(text)));
	}
	r->ctx.pcap = path;
	r->ctx.pcap_cnt = 0;
	while ((got = capture_next(c, &f, &d)) == 1) {
		r->ctx.pcap_cnt++;
		r->frames++;
		r->bytes += f.wire_len;
		if (r->first_ns == 0)
			r->first_ns = f.ts_ns;
		if (f.ts_ns > r->now_ns)
			r->now_ns = f.ts_ns;
		if (r->streams != NULL) {
			err = streams_frame(r->streams, &f, &d);
			if (err < 0)
				break;
		}
		pipeline_burst(r->pipe, &f, 1, r->now_ns);
		drain(r);
		pipeline_idle(r->pipe, r->now_ns, SWEEP_PER_FRAME);
		drain(r);
	}
	capture_close(c);
	r->ctx.pcap_cnt = 0;
	flush_flows(r);
	if (err == 0 && r->streams != NULL)
		err = streams_flush(r->streams, &d);
	if (got < 0 || err < 0) {
		fprintf(stderr, "wireglass replay: %s\n", diag_format(&d, text, sizeof(text)));
		return err < 0 ? err : 1;
	}
	return 0;
}

static void summary(struct replay *r, const struct timespec *t0)
{
	const struct counters *c = pipeline_counters(r->pipe);
	const struct threshold_totals thresholds = threshold_totals(r->threshold);
	struct timespec t1;
	double s;

	clock_gettime(CLOCK_MONOTONIC, &t1);
	s = (double)(t1.tv_sec - t0->tv_sec) + (double)(t1.tv_nsec - t0->tv_nsec) / 1e9;
	fprintf(stderr,
		"%llu frames, %.1f MB in %.2f s; %u rules; %llu flows (%llu TLS, %llu SSH, %llu "
		"other "
		"released), %llu transactions, %llu hits\n",
		(unsigned long long)r->frames, (double)r->bytes / 1e6, s, r->rules.stats.rules,
		(unsigned long long)c->v[CNT_FLOW_CREATED],
		(unsigned long long)c->v[CNT_APP_TLS_FLOWS],
		(unsigned long long)c->v[CNT_APP_SSH_FLOWS],
		(unsigned long long)c->v[CNT_APP_OPAQUE_FLOWS],
		(unsigned long long)c->v[CNT_HTTP_TRANSACTIONS], (unsigned long long)r->hits);
	if (r->suppressed > 0)
		fprintf(stderr,
			"%llu of the hits not reported: thresholds of their rules, suppressions\n",
			(unsigned long long)r->suppressed);
	if (thresholds.evicted > 0)
		fprintf(stderr,
			"%llu counts of thresholds began anew: more addresses than can be counted "
			"at a time\n",
			(unsigned long long)thresholds.evicted);
	if (r->rules.refused > 0)
		fprintf(stderr, "%zu rules refused, see above\n", r->rules.refused);
}

static int run(struct replay *r, char **files, int n)
{
	struct timespec t0;
	struct diag d = {0};
	char text[1024];
	int result = EXIT_REPLAY_OK, err;
	const struct pkt_conf pkt_conf = {.tunnels_off = r->tunnels_off,
					  .verify_checksums = r->verify_checksums};

	clock_gettime(CLOCK_MONOTONIC, &t0);
	err = ruleload_run(&r->rules, 1, &r->rs);
	if (err < 0) {
		if (r->json)
			offline_print_error(err == -EKEYREJECTED ? "signature" : "failed",
					    r->rules.error);
		return err == -EKEYREJECTED ? EXIT_REPLAY_SIGNATURE : EXIT_REPLAY_FAILED;
	}
	if (r->streams_dir != NULL && streams_new(r->streams_dir, &pkt_conf, &r->streams, &d) < 0) {
		return offline_error("replay", r->json, EXIT_REPLAY_FAILED, "failed", "%s",
				     diag_format(&d, text, sizeof(text)));
	}
	if (verdict_table_new(&r->threshold) < 0 || engine_start(r) < 0) {
		return offline_error("replay", r->json, EXIT_REPLAY_FAILED, "failed",
				     "out of memory (%zu MiB of address space)",
				     r->mem_bytes >> 20);
	}
	pipeline_set_ruleset(r->pipe, r->rs);
	if (r->rules.refused > 0)
		result = EXIT_REPLAY_PARTIAL;
	for (int i = 0; i < n; i++) {
		err = replay_file(r, files[i]);
		if (err > 0 && result == EXIT_REPLAY_OK)
			result = EXIT_REPLAY_PARTIAL;
		if (err < 0)
			result = EXIT_REPLAY_FAILED;
	}
	r->ctx.pcap = NULL;
	if (eve_stats(r->line, sizeof(r->line), r->now_ns, (r->now_ns - r->first_ns) / 1000000000,
		      pipeline_counters(r->pipe), &r->ctx) > 0)
		puts(r->line);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		fprintf(stderr, "wireglass replay: cannot write to stdout: %s\n", strerror(errno));
		result = EXIT_REPLAY_FAILED;
	}
	if (!r->rules.quiet)
		summary(r, &t0);
	return result;
}

int cmd_replay(bool json, int argc, char **argv)
{
	static const struct option options[] = {RULELOAD_OPTIONS,
						{"events", required_argument, NULL, 'e'},
						{"streams", required_argument, NULL, 's'},
						{"checksums", no_argument, NULL, 'c'},
						{"tunnels", required_argument, NULL, 't'},
						{"quiet", no_argument, NULL, 'q'},
						{"help", no_argument, NULL, 'h'},
						{NULL, 0, NULL, 0}};
	struct replay *r = calloc(1, sizeof(*r));
	struct diag d = {0};
	int opt, result = EXIT_REPLAY_USAGE;

	if (r == NULL)
		return EXIT_REPLAY_FAILED;
	r->json = json;
	r->want_alerts = true;
	opterr = 0;
	while ((opt = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
		if (opt == 'e' && events_parse(r, optarg) < 0)
			goto out;
		if (opt == 's')
			r->streams_dir = optarg;
		if (opt == 'c')
			r->verify_checksums = true;
		if (opt == 't' && tunnels_parse(optarg, &r->tunnels_off, &d) < 0) {
			offline_error("replay", json, 0, "usage", "--tunnels: %s", d.text);
			goto out;
		}
		if (opt == 'q')
			r->rules.quiet = true;
		if (opt == 'h') {
			print_help();
			result = EXIT_REPLAY_OK;
			goto out;
		}
		if (opt == '?' || opt == ':') {
			offline_error("replay", json, 0, "usage",
				      opt == ':' ? "%s needs a value (see wireglass help replay)"
						 : "unknown option %s (see wireglass help replay)",
				      argv[optind - 1]);
			goto out;
		}
		if (opt >= RULELOAD_RULES && ruleload_option(&r->rules, opt, optarg) < 0) {
			if (json)
				offline_print_error("usage", r->rules.error);
			goto out;
		}
	}
	if (optind == argc) {
		fputs("wireglass replay: which capture file? (usage: wireglass replay [--rules "
		      "FILE] PCAP...)\n",
		      stderr);
		goto out;
	}
	result = run(r, argv + optind, argc - optind);
out:
	pipeline_done(r->pipe);
	if (r->mem != NULL && r->mem != MAP_FAILED)
		munmap(r->mem, r->mem_bytes);
	streams_free(r->streams);
	ruleset_free(r->rs);
	free(r->threshold);
	free(r);
	return result;
}

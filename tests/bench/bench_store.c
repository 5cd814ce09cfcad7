// SPDX-License-Identifier: BSD-2-Clause
// How fast hits are stored, and how fast they are found again: bench_store DIR HITS [GROUP], or bench_store DIR to ask one
// that was made before once more.
//
// HITS hits of 1,000 rules, from a million clients to 2,000 servers with 5,000 names, each followed by what is known of its
// transaction, GROUP of them in a transaction of the database (4,096), which is on disk before the next begins. Then
// every kind of filter, newest first, ten times each; the slowest counts. DIR is left for a look.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/store.h"

static const uint8_t boot[16] = "bench";
static uint64_t random_state = 88172645463325252u;

static uint32_t rnd(uint32_t below)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (uint32_t)(random_state >> 20) % below;
}

static double clock_of(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static double now(void)
{
	return clock_of(CLOCK_MONOTONIC);
}

static void addr(uint8_t a[16], uint8_t net, uint32_t host)
{
	memset(a, 0, 16);
	a[10] = a[11] = 0xff;
	a[12] = net;
	a[13] = (uint8_t)(host >> 16);
	a[14] = (uint8_t)(host >> 8);
	a[15] = (uint8_t)host;
}

static struct hit hit_of(uint64_t seq)
{
	struct hit h = {
		.seq = seq,
		.ts_ns = 1700000000000000000u + seq * 20000,
		.flow_id = 0x5000000000000000u + seq,
		.addr = {.src_port = (uint16_t)(1024 + rnd(60000)),
			 .dst_port = 80,
			 .family = 4,
			 .proto = 6},
		.sid = 1000000 + rnd(1000),
		.gid = 1,
		.rev = 1,
		.generation = 1,
		.buffer = BUF_URI,
		.priority = 1,
		.app = APP_HTTP,
	};

	addr(h.addr.src, 11, rnd(1000000));
	addr(h.addr.dst, 22, rnd(2000));
	return h;
}

static void fail(struct store *s, const char *what)
{
	fprintf(stderr, "bench_store: %s: %s\n", what, s != NULL ? store_error(s) : "");
	exit(1);
}

static void put(struct store *s, uint64_t seq)
{
	struct event e = {.type = EVENT_HTTP, .flags = EVENT_HAS_HIT};
	const struct hit h = hit_of(seq);
	char msg[64];

	snprintf(msg, sizeof(msg), "rule of the bench %u", h.sid);
	const struct store_rule rule = {msg, "trojan-activity", "", "legal_basis bench", "bench",
					7};
	if (store_hit(s, boot, 0, &h, &rule) != 1)
		fail(s, "hit");
	e.flow_id = h.flow_id;
	e.http.status = 200;
	e.http.method_len = 3;
	memcpy(e.http.method, "GET", 3);
	e.http.host_len =
		(uint8_t)snprintf(e.http.host, sizeof(e.http.host), "www%u.example.com", rnd(5000));
	e.http.url_len = (uint16_t)snprintf(e.http.url, sizeof(e.http.url),
					    "/a/path/of/usual/length/%u.html", rnd(100000));
	if (store_http(s, boot, &e) != 0)
		fail(s, "http");
}

static void ignore(void *ctx, const struct store_row *row)
{
	(void)ctx;
	(void)row;
}

static void find(struct store *s, const char *name, struct store_filter f)
{
	double worst = 0, worst_cpu = 0;
	int n = 0;

	f.limit = 100;
	f.newest = true;
	for (int i = 0; i < 10; i++) {
		double start = now(), start_cpu = clock_of(CLOCK_PROCESS_CPUTIME_ID);
		n = store_list(s, &f, ignore, NULL);
		double took = now() - start, cpu = clock_of(CLOCK_PROCESS_CPUTIME_ID) - start_cpu;
		worst = took > worst ? took : worst;
		worst_cpu = cpu > worst_cpu ? cpu : worst_cpu;
	}
	if (n < 0)
		fail(s, name);
	printf("list %-24s %4d rows %8.2f ms, %8.2f ms of CPU\n", name, n, worst * 1e3,
	       worst_cpu * 1e3);
}

static void find_all(struct store *s, uint64_t hits)
{
	const uint64_t start = 1700000000000000000u, step = 20000;
	struct prefix one, net, all, server, none;

	prefix_parse("11.1.2.3", &one);
	prefix_parse("11.3.0.0/16", &net);
	prefix_parse("11.0.0.0/8", &all);
	prefix_parse("22.0.3.7", &server);
	prefix_parse("2001:db8::/32", &none);
	find(s, "all", (struct store_filter){0});
	find(s, "sid", (struct store_filter){.sid = 1000123});
	find(s, "sid that never hit", (struct store_filter){.sid = 5});
	find(s, "host", (struct store_filter){.host = "www77.example.com"});
	find(s, "client", (struct store_filter){.client = &one});
	find(s, "client /16", (struct store_filter){.client = &net});
	find(s, "client /8, every hit", (struct store_filter){.client = &all});
	find(s, "client or server", (struct store_filter){.either = &server});
	find(s, "prefix without hits", (struct store_filter){.either = &none});
	find(s, "server and sid", (struct store_filter){.server = &server, .sid = 1000123});
	find(s, "an old second",
	     (struct store_filter){.from_ns = start + hits / 3 * step,
				   .to_ns = start + hits / 3 * step + 1000000000u});
	find(s, "an old second and sid",
	     (struct store_filter){.from_ns = start + hits / 3 * step,
				   .to_ns = start + hits / 3 * step + 1000000000u,
				   .sid = 1000123});
	find(s, "closed (none)", (struct store_filter){.states = 1u << STORE_CLOSED});
	find(s, "open, sid", (struct store_filter){.states = 1u << STORE_OPEN, .sid = 1000123});
	find(s, "before the oldest third", (struct store_filter){.before = hits / 3});
}

static void fill(struct store *s, uint64_t hits, uint64_t group)
{
	double start = now(), slice = start, slowest = 0;
	double start_cpu = clock_of(CLOCK_PROCESS_CPUTIME_ID);
	for (uint64_t seq = 1; seq <= hits; seq++) {
		if ((seq - 1) % group == 0 && store_begin(s) != 0)
			fail(s, "begin");
		put(s, seq);
		if ((seq % group == 0 || seq == hits) && store_commit(s) != 0)
			fail(s, "commit");
		if (seq % (hits / 10 + 1) == 0) {
			double took = now() - slice;
			slowest = took > slowest ? took : slowest;
			slice = now();
		}
	}
	printf("stored %" PRIu64
	       " hits in %.1f s: %.0f a second, %.0f in the slowest tenth; %.1f us "
	       "of CPU each\n",
	       hits, now() - start, (double)hits / (now() - start),
	       slowest > 0 ? (double)(hits / 10) / slowest : 0,
	       (clock_of(CLOCK_PROCESS_CPUTIME_ID) - start_cpu) / (double)hits * 1e6);
}

int main(int argc, char **argv)
{
	uint64_t hits = argc > 2 ? strtoull(argv[2], NULL, 10) : 1000000000;
	const uint64_t group = argc > 3 ? strtoull(argv[3], NULL, 10) : 4096;
	const struct store_limits limits = {.hits = hits};
	struct store *s = NULL;
	struct diag diag = {0};
	char path[512];

	if (argc < 2 || hits == 0 || group == 0) {
		fputs("usage: bench_store DIR [HITS [GROUP]]\n", stderr);
		return 2;
	}
	snprintf(path, sizeof(path), "%s/hits.db", argv[1]);
	if (store_open(path, &limits, &s, &diag) != 0) {
		fprintf(stderr, "%s: %s\n", diag.file, diag.text);
		return 1;
	}
	struct store_totals t;
	store_totals(s, &t);
	if (t.hits == 0)
		fill(s, hits, group);
	else
		hits = t.last_id;
	find_all(s, hits);
	double start = now();
	store_close(s);
	if (store_open(path, &limits, &s, &diag) != 0)
		return 1;
	printf("closed and opened again in %.1f ms\n", (now() - start) * 1e3);
	store_totals(s, &t);
	printf("%" PRIu64 " rows, %.0f bytes each\n", t.hits, (double)t.bytes / (double)t.hits);
	store_close(s);
	return 0;
}

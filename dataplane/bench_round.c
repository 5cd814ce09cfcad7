// SPDX-License-Identifier: BSD-2-Clause
// Rounds: the whole capture through the pipeline, in bursts, as a worker would, with hits and events taken out of the rings.
// Before each round the frames get other addresses, ports and times (outside of the timed region), so that every round is
// new flows; after each round the flows that are still open are closed (outside as well, and reported).
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>

#include "dataplane/bench_impl.h"
#include "dataplane/engine/tap.h"

enum {
	BURST = 32,
	SWEEP_BUDGET = 8, // as a worker
	FLUSH_BUDGET = 4096,
	USAGE_EVERY = 16, // bursts
	LIMIT_SHARE = 4,  // a run of the limit is so much shorter
};

// What a round gives the libraries, at most: a capture of 100 MB with bodies packed four to one, and all buffers of the
// heads, is a fifth of it.
static const size_t tap_bytes = (size_t)2 << 30;

// Something was not inspected, or not told, because there was no room for it.
static const enum counter losses[] = {
	CNT_FLOW_EVICTED,  CNT_HTTP_HEAD_NO_BUFFER, CNT_HTTP_NO_CONN, CNT_HTTP_NO_MESSAGE,
	CNT_WS_NO_CONN,    CNT_WS_NO_STATE,         CNT_H2_NO_CONN,   CNT_H2_NO_STREAM,
	CNT_H2_NO_STATE,   CNT_FILE_NO_STATE,       CNT_FILE_NO_HASH, CNT_DECODE_NO_STATE,
	CNT_SCAN_FAILED,   CNT_WATCH_FULL,          CNT_ACTIVE_FULL,  CNT_WINDOW_NONE,
	CNT_HEAD_NOT_KEPT, CNT_FLOWVARS_FULL,       CNT_STREAMS_FULL, CNT_TCP_NO_HISTORY,
	CNT_HITS_LOST,     CNT_EVENTS_LOST,
};

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

static void watch_usage(struct bench *b)
{
	struct pipeline_usage u;

	pipeline_usage(b->pipe, &u);
	if (u.flows > b->most_flows.flows)
		b->most_flows = u;
	if (u.messages > b->most_messages.messages)
		b->most_messages = u;
}

struct took {
	uint64_t ns;
	uint64_t close_ns; // closing what was left open
};

// One round. watched: its time does not count.
static struct took run_round(struct bench *b, bool watched, struct bench_work *ret_work)
{
	const struct counters *c = pipeline_counters(b->pipe);
	struct ring *hits = pipeline_hits(b->pipe), *events = pipeline_events(b->pipe);
	const struct bench_work before = {0, c->v[CNT_PKT_TCP], c->v[CNT_HTTP_TRANSACTIONS], 0};
	uint64_t drained = 0, now = 0, start, end, bursts = 0;
	struct took took;
	unsigned int n;

	start = bench_now_ns();
	for (size_t i = 0; i < b->set.n; i += n) {
		n = b->set.n - i < BURST ? (unsigned int)(b->set.n - i) : BURST;
		now = b->set.frames[i + n - 1].ts_ns > now ? b->set.frames[i + n - 1].ts_ns : now;
		pipeline_burst(b->pipe, b->set.frames + i, n, now);
		if (watched && bursts++ % USAGE_EVERY == 0)
			watch_usage(b);
		pipeline_idle(b->pipe, now, SWEEP_BUDGET);
		drained += drain(hits);
		drain(events);
	}
	end = bench_now_ns();
	do {
		n = pipeline_flush(b->pipe, now, FLUSH_BUDGET);
		drained += drain(hits);
		drain(events);
	} while (n > 0);
	took = (struct took){end - start, bench_now_ns() - end};
	*ret_work = (struct bench_work){
		.packets = b->set.n,
		.tcp = c->v[CNT_PKT_TCP] - before.tcp,
		.transactions = c->v[CNT_HTTP_TRANSACTIONS] - before.transactions,
		.hits = drained,
	};
	return took;
}

static int check_work(const struct bench *b, const struct bench_work *w,
		      const struct bench_work *want, struct diag *diag)
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
	if (memcmp(w, want, sizeof(*w)) == 0)
		return 0;
	diag_set(diag, b->opt.pcap, 0, 0,
		 "round %u did other work than it should: %" PRIu64 " TCP packets, %" PRIu64
		 " transactions, %" PRIu64 " hits instead of %" PRIu64 ", %" PRIu64 ", %" PRIu64
		 ": no speed is given",
		 b->round, w->tcp, w->transactions, w->hits, want->tcp, want->transactions,
		 want->hits);
	return -EIO;
}

static int check_expected(const struct bench *b, struct diag *diag)
{
	const struct {
		const char *what;
		uint64_t is, want;
	} row[] = {
		{"packets", b->work.packets, b->opt.expect.packets},
		{"transactions", b->work.transactions, b->opt.expect.transactions},
		{"hits", b->work.hits, b->opt.expect.hits},
	};

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		if (row[i].want == BENCH_UNKNOWN || row[i].want == row[i].is)
			continue;
		diag_set(diag, b->opt.pcap, 0, 0,
			 "a round has %" PRIu64 " %s, %" PRIu64 " were expected: no speed is given",
			 row[i].is, row[i].what, row[i].want);
		return -EIO;
	}
	return 0;
}

// ---- the limit ----

static int check_limit(const struct bench *b, uint64_t fired, uint64_t out, struct diag *diag)
{
	if (fired == b->limit_fired && out == b->limit_out)
		return 0;
	diag_set(diag, b->opt.pcap, 0, 0,
		 "the libraries alone found %" PRIu64 " signatures and inflated %" PRIu64
		 " bytes, not %" PRIu64 " and %" PRIu64 ": no speed is given",
		 fired, out, b->limit_fired, b->limit_out);
	return -EIO;
}

// What the libraries were given in a round, from its tap.
static int limit_make(struct bench *b, const struct tap *tap, uint64_t fired, struct diag *diag)
{
	int err = bench_limit_new(tap, b->ruleset, &b->limit, diag);

	if (err == -EFBIG) {
		fprintf(stderr, "wireglass bench: %s\n", diag->text);
		return 0;
	}
	if (err < 0)
		return err;
	// The first pass of each warms up, and says what the next ones must say.
	b->limit_out = bench_limit_inflate(b->limit);
	b->limit_fired = fired;
	return check_limit(b, bench_limit_scan(b->limit), b->limit_out, diag);
}

// A round that is looked at: memory, losses, and, with a tap, what the libraries have to do.
static int watched_round(struct bench *b, struct diag *diag)
{
	const struct counters *c = pipeline_counters(b->pipe), before = *c;
	struct tap tap = {.room = tap_bytes};
	struct bench_work w;
	int err;

	if (!b->opt.no_limit) {
		tap.mem = mmap(NULL, tap.room, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (tap.mem == MAP_FAILED)
			return -ENOMEM;
		pipeline_set_tap(b->pipe, &tap);
	}
	next_round(b);
	(void)run_round(b, true, &w);
	pipeline_set_tap(b->pipe, NULL);
	for (size_t i = 0; i < sizeof(losses) / sizeof(losses[0]); i++)
		b->lost.v[losses[i]] = c->v[losses[i]] - before.v[losses[i]];
	err = check_work(b, &w, &b->work, diag);
	if (tap.mem == NULL)
		return err;
	if (err == 0)
		err = limit_make(b, &tap, c->v[CNT_SIG_FIRED] - before.v[CNT_SIG_FIRED], diag);
	munmap(tap.mem, tap.room);
	return err;
}

int bench_first_rounds(struct bench *b, struct diag *diag)
{
	int err;

	(void)run_round(b, false, &b->work); // warms caches and says what a round is
	err = check_work(b, &b->work, &b->work, diag);
	if (err == 0)
		err = check_expected(b, diag);
	if (err == 0)
		err = watched_round(b, diag);
	return err;
}

static double per_packet(const struct bench *b, uint64_t ns, uint32_t times)
{
	return (double)ns / ((double)times * (double)b->set.n);
}

// ---- runs ----

int bench_run(struct bench *b, enum pipeline_stage last, double *ret_ns, struct diag *diag)
{
	struct took total = {0, 0}, took;
	const uint64_t limit = (uint64_t)(b->opt.seconds * 1e9);
	uint32_t done = 0;
	struct bench_work want = b->work, w;
	int err = 0;

	want.transactions = last >= PIPELINE_HTTP ? want.transactions : 0;
	want.hits = last == PIPELINE_VERIFY ? want.hits : 0;
	pipeline_set_last_stage(b->pipe, last);
	do {
		next_round(b);
		took = run_round(b, false, &w);
		total.ns += took.ns;
		total.close_ns += took.close_ns;
		done++;
		err = check_work(b, &w, &want, diag);
	} while (err == 0 && (b->opt.rounds != 0 ? done < b->opt.rounds : total.ns < limit));
	pipeline_set_last_stage(b->pipe, PIPELINE_VERIFY);
	if (err < 0)
		return err;
	if (last == PIPELINE_VERIFY) {
		b->rounds += done;
		b->close_ns += total.close_ns;
	}
	*ret_ns = per_packet(b, total.ns, done);
	return 0;
}

int bench_run_limit(struct bench *b, uint32_t run, struct diag *diag)
{
	const uint64_t least = (uint64_t)(b->opt.seconds * 1e9) / LIMIT_SHARE;

	for (int kind = 0; kind < BENCH_LIMIT_N; kind++) {
		uint64_t start = bench_now_ns(), took, fired = b->limit_fired, out = b->limit_out;
		uint32_t done = 0;

		do {
			if (kind == BENCH_LIMIT_SCAN)
				fired = bench_limit_scan(b->limit);
			else if (kind == BENCH_LIMIT_INFLATE)
				out = bench_limit_inflate(b->limit);
			else
				bench_limit_copy(b->limit, &b->set);
			done++;
			took = bench_now_ns() - start;
			int err = check_limit(b, fired, out, diag);

			if (err < 0)
				return err;
		} while (b->opt.rounds != 0 ? done < b->opt.rounds : took < least);
		b->limit_ns[kind][run] = per_packet(b, took, done);
	}
	return 0;
}

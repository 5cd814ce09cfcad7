// SPDX-License-Identifier: BSD-2-Clause
// What the files of bench share; private to them.
//
//   bench.c (options, set-up, runs)  ->  bench_round.c (one round)  ->  bench_limit.c
//                                    ->  bench_print.c
//                                    ->  bench_compare.c
#ifndef DATAPLANE_BENCH_IMPL_H
#define DATAPLANE_BENCH_IMPL_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "dataplane/bench_limit.h"
#include "dataplane/capture.h"
#include "dataplane/engine/pipeline.h"
#include "dataplane/engine/ruleset.h"
#include "dataplane/ruleload.h"

#define BENCH_UNKNOWN UINT64_MAX

// What a round did; equal for all rounds or the measurement is void.
struct bench_work {
	uint64_t packets, tcp, transactions, hits;
};

struct bench_options {
	const char *pcap, *compare;
	double seconds;  // per run
	uint32_t rounds; // per run, 0: by seconds
	uint32_t runs;
	uint32_t flows; // 0: the dataplane's default
	bool json, no_checksums, no_limit, stages;
	uint32_t tunnels_off;
	struct bench_work expect; // BENCH_UNKNOWN: anything; tcp is not used
};

// The limit, per run: nanoseconds per packet of the capture.
enum bench_limit_kind {
	BENCH_LIMIT_SCAN,
	BENCH_LIMIT_INFLATE,
	BENCH_LIMIT_COPY,
	BENCH_LIMIT_N,
};

struct bench {
	struct bench_options opt;
	struct ruleload rules;
	struct ruleset *ruleset;
	uint64_t load_ns;
	struct capture_set set;
	struct pipeline *pipe;
	void *memory;
	size_t memory_bytes;
	bool huge;
	uint64_t period_ns;
	uint32_t round;         // the frames are in
	struct bench_work work; // of one round
	struct counters lost;   // of one round: what was lost for want of room
	uint64_t rounds;        // measured, with all stages
	uint64_t close_ns;      // of them: closing what was left open, not in the speed
	struct pipeline_usage most_flows, most_messages;
	double *ns;                        // per run: nanoseconds per packet
	struct bench_limit *limit;         // NULL: none
	uint64_t limit_fired, limit_out;   // of one pass
	double *limit_ns[BENCH_LIMIT_N];   // per run
	double *stage_ns[PIPELINE_VERIFY]; // per run: with this stage as the last
};

static inline uint64_t bench_clock_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

// Of this thread: what others do on its CPU does not count. On an idle machine it goes as fast as a clock.
static inline uint64_t bench_now_ns(void)
{
	return bench_clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

// --- bench_round.c ---

// The first rounds: what a round does, what it holds, and what it gives the libraries to do. 0, -EIO when two rounds did not do
// the same or not what was expected, -ENOMEM.
int bench_first_rounds(struct bench *b, struct diag *diag);

// Rounds for the time or number of the options, up to a stage: nanoseconds per packet.
int bench_run(struct bench *b, enum pipeline_stage last, double *ret_ns, struct diag *diag);

// The same for the limit, for a quarter of the time.
int bench_run_limit(struct bench *b, uint32_t run, struct diag *diag);

// --- bench_compare.c ---

// Become the script that runs Suricata and us in turns. Returns negative errno if that cannot be.
int bench_compare(const struct bench *b, struct diag *diag);

// --- bench_print.c ---

// Sorts the runs.
void bench_print(struct bench *b);

#endif

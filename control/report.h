// SPDX-License-Identifier: BSD-2-Clause
// What becomes of hits and events: a row in the store, the acknowledgement, then a line in every sink.
#ifndef CONTROL_REPORT_H
#define CONTROL_REPORT_H

#include "common/threshold.h"
#include "control/evefile.h"
#include "control/privacy.h"
#include "control/rulebook.h"
#include "control/settings.h"
#include "control/sink.h"
#include "control/store.h"

enum {
	REPORT_BATCHES = 32, // of hits, in one transaction at most
};

// What arrived in one go and is not committed yet.
struct report_group {
	bool open;
	int error; // of what came with the hits: nothing of it can be committed
	uint32_t batches;
	uint64_t new, suppressed, duplicates;
	// Of the first batch: tells whether a commit that failed was carried out.
	uint8_t boot_id[16];
	uint32_t worker;
	uint64_t last_seq; // 0: none
};

struct report {
	struct store *store;
	const struct rulebook *rules;
	struct privacy privacy;
	struct evefile eve;
	struct sinks sinks;
	struct report_group group;
	uint32_t eve_mask; // bit per enum settings_eve
	const char *host;
	char *lines; // of events
	size_t lines_size;
	struct threshold *threshold;
	uint64_t hits, suppressed, duplicates, http_failed; // of hits, since start
};

// 0 or negative errno with ret_diag; report_done() in either case. loop (NULL: none) is for the sinks. Everything is borrowed.
int report_init(struct report *r, const struct settings *settings, struct store *store,
		struct loop *loop, const struct rulebook *rules, struct diag *ret_diag);
void report_done(struct report *r);

// Take a batch of hits, REPORT_BATCHES at most before report_commit(). Hits that the threshold of their rule suppresses are
// counted in the store instead.
// 0; negative errno with ret_diag: this batch and all since the last commit are taken back.
int report_hits(struct report *r, const struct ipc_hits *batch, const struct hit *hits,
		struct diag *ret_diag);
// 0: all that was taken is durable, acknowledge it; *ret_new rows are new.
// Negative errno with ret_diag: nothing of it is stored, keep it and try again.
int report_commit(struct report *r, uint64_t *ret_new, struct diag *ret_diag);
// Hand on what is committed.
void report_pump(struct report *r);

// Best effort: events are not acknowledged. A line that cannot be written is counted as dropped.
void report_events(struct report *r, const uint8_t boot_id[16], const struct ipc_events *batch,
		   const struct event *events);
void report_stats(struct report *r, uint64_t uptime_s, const struct counters *counters);
// key and value pairs, NULL-terminated; may be NULL.
void report_engine(struct report *r, const char *message, const char *const *pairs);

#endif

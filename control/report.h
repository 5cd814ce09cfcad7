// SPDX-License-Identifier: BSD-2-Clause
// What becomes of hits and events: a row in the store, a line in the EVE file, then the acknowledgement.
#ifndef CONTROL_REPORT_H
#define CONTROL_REPORT_H

#include "common/threshold.h"
#include "control/evefile.h"
#include "control/rulebook.h"
#include "control/settings.h"
#include "control/store.h"

struct report {
	struct store *store;
	const struct rulebook *rules;
	struct evefile eve;
	uint32_t eve_mask; // bit per enum settings_eve
	const char *host;
	char *lines; // a batch of EVE lines
	size_t lines_size;
	struct threshold *threshold;
	uint64_t hits, suppressed, duplicates, http_failed; // of hits, since start
};

// 0 or negative errno with ret_diag. rules and store are borrowed.
int report_init(struct report *r, const struct settings *settings, struct store *store,
		const struct rulebook *rules, struct diag *ret_diag);
void report_done(struct report *r);

// Store a batch and write its lines, but for hits that the threshold of their rule suppresses: these are counted in the
// store. 0: all of it is durable, acknowledge it; *ret_new rows are new.
// Negative errno with ret_diag: nothing of it is stored, keep it and try again.
int report_hits(struct report *r, const struct ipc_hits *batch, const struct hit *hits,
		uint32_t *ret_new, struct diag *ret_diag);

// Best effort: events are not acknowledged. A line that cannot be written is counted as dropped.
void report_events(struct report *r, const uint8_t boot_id[16], const struct ipc_events *batch,
		   const struct event *events);
void report_stats(struct report *r, uint64_t uptime_s, const struct counters *counters);
// key and value pairs, NULL-terminated; may be NULL.
void report_engine(struct report *r, const char *message, const char *const *pairs);

#endif

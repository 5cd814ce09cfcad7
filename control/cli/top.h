// SPDX-License-Identifier: BSD-2-Clause
// What `wireglass top` shows: made of wireglassd's answers, apart from how it is asked and shown.
#ifndef CONTROL_CLI_TOP_H
#define CONTROL_CLI_TOP_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/coverage.h"
#include "common/ipc.h"

enum {
	TOP_HITS_ASKED = 200, // the newest: top rules are counted among them
	TOP_RULES = 8,
	TOP_RECENT = 20,
};

// What wireglassd has answered at one time.
struct top_input {
	json_t *status, *stats, *ports, *workers, *coverage, *hits;
};

// What rates are made of.
enum top_value {
	TOP_BYTES,
	TOP_PACKETS,
	TOP_LOST,
	TOP_FLOWS,
	TOP_TRANSACTIONS,
	TOP_HITS,
	TOP_VALUES,
};
struct top_sample {
	double time_s; // of the dataplane's numbers; 0: there are none
	uint64_t values[TOP_VALUES];
	uint64_t coverage[COVERAGE_N], bytes_seen;
	uint64_t busy_ns[IPC_WORKERS_MAX], idle_ns[IPC_WORKERS_MAX], packets[IPC_WORKERS_MAX];
};

struct top_samples {
	struct top_sample now, before;
};

// Rates are of the time between the newest two samples of input that differ in their time; samples begins as zeros. A new
// object, NULL if out of memory.
json_t *top_frame(const struct top_input *input, struct top_samples *samples);

// A frame, or {"problem": text}, as lines. rows, columns: of a terminal that they replace the contents of; 0: plain lines.
void top_print(FILE *f, const json_t *frame, int rows, int columns);

#endif

// SPDX-License-Identifier: BSD-2-Clause
// Tells a person at a terminal how far compiling is, once it has taken a second.
#ifndef CONTROL_CLI_PROGRESS_H
#define CONTROL_CLI_PROGRESS_H

#include <pthread.h>
#include <stdbool.h>

#include "rules/progress.h"

struct cli_progress {
	struct progress progress; // for load_request
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t stop;
	bool runs, stopped;
};

// Starts to watch if stderr is a terminal and quiet is false.
void cli_progress_begin(struct cli_progress *p, bool quiet);
// Stops, and clears the line.
void cli_progress_end(struct cli_progress *p);

#endif

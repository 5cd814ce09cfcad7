// SPDX-License-Identifier: BSD-2-Clause
// Is every worker still going round? Each publishes its numbers once a second; one that does not is stuck, and its flows, inline
// its traffic, with it. Main lcore.
#ifndef DATAPLANE_WATCHDOG_H
#define DATAPLANE_WATCHDOG_H

#include <stdbool.h>
#include <stdint.h>

#include "common/ipc.h"

struct dataplane;

enum {
	WATCHDOG_TURNS = 10, // longer than any scheduler keeps a thread waiting
};

struct watchdog {
	uint64_t seen[IPC_WORKERS_MAX];
	uint8_t turns[IPC_WORKERS_MAX]; // that nothing new was seen
};

// Once a second: the number of a worker that has not moved for WATCHDOG_TURNS turns, -1 if all have. Turns are counted, not time:
// when the whole process was stopped, nobody is stuck.
int watchdog_turn(struct watchdog *d, const struct dataplane *dp);

// Has every worker moved lately? Two clocks that both tick once a second may miss each other once.
bool watchdog_all_move(const struct watchdog *d, const struct dataplane *dp);

#endif

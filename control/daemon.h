// SPDX-License-Identifier: BSD-2-Clause
// wireglassd, put together: everything it holds, and how it starts and stops.
#ifndef CONTROL_DAEMON_H
#define CONTROL_DAEMON_H

#include "common/sandbox.h"
#include "control/admin.h"
#include "control/audit.h"
#include "control/deploy.h"
#include "control/dpclient.h"
#include "control/loop.h"
#include "control/metrics.h"
#include "control/report.h"
#include "control/rulebook.h"
#include "control/settings.h"
#include "control/store.h"

// While hits cannot be stored: nothing is acknowledged, so the dataplane keeps them. The batch that failed is tried
// again; when it succeeds the dataplane is made to send the rest again.
struct daemon_pause {
	bool on;
	struct loop_timer timer;
	unsigned int backoff_ms;
	uint64_t since_ns; // Unix time
	uint64_t times;
	char reason[600];
	struct ipc_hits batch;
	struct hit hits[IPC_HITS_MAX];
};

struct daemon {
	struct settings settings;
	struct loop loop;
	int lock_fd; // state_dir/lock: one wireglassd per state directory
	struct audit audit;
	struct sandbox sandbox;
	struct audit_actor stopped_by; // who sent the signal that ended us
	struct store *store;
	struct rulebook book;
	struct report report;
	struct dpclient dp;
	struct deploy deploy;
	struct admin admin;
	struct metrics metrics;
	struct daemon_pause pause;
	uint64_t taken[IPC_WORKERS_MAX]; // last seq of a worker in what arrives in one go, 0: none
	struct loop_timer stats_timer, expire_timer;
	uint64_t start_ns;        // Unix time
	uint64_t start_steady_ns; // of the clock that nobody sets
};

// settings are copied. 0 or negative errno with ret_diag; then nothing is left open.
int daemon_init(struct daemon *d, const struct settings *settings, struct diag *ret_diag);
void daemon_done(struct daemon *d);

// The dataplane's coverage up to now goes to the store.
void daemon_save_coverage(struct daemon *d);

// SIGHUP, from this one.
void daemon_reopen(struct daemon *d, struct audit_actor by);

#endif

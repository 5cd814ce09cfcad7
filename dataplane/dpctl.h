// SPDX-License-Identifier: BSD-2-Clause
// The main lcore while the workers run: the socket to wireglassd, rule sets in, hits and numbers out.
#ifndef DATAPLANE_DPCTL_H
#define DATAPLANE_DPCTL_H

#include <stdbool.h>
#include <stdint.h>

#include "common/diag.h"
#include "common/ipc.h"
#include "dataplane/spool.h"
#include "dataplane/offload_card.h"
#include "dataplane/swap.h"
#include "dataplane/watchdog.h"

struct dataplane;

enum {
	DPCTL_OUT_MAX = 8
}; // answers that wait for room in the socket; a peer that lets more pile up is dropped

struct dpctl_out {
	uint16_t type;
	uint32_t id;
	union {
		struct ipc_hello hello;
		struct ipc_ruleset_state state;
	};
};

struct dpctl {
	struct watchdog watchdog;
	struct dataplane *dp;
	struct swap swap;
	struct spool *spools;   // per worker
	struct offload offload; // its flows are NULL if it is off
	struct offload_card card;
	uint8_t boot_id[16];
	int listen_fd, signal_fd;
	int peer_fd;      // has said HELLO; -1: none
	int guest_fd;     // connected, and has said nothing yet; -1: none
	bool was_greeted; // there has been a peer
	bool finished_told;
	bool stopping;
	bool full_told; // a spool is full, said so in the log
	struct dpctl_out out[DPCTL_OUT_MAX];
	uint32_t n_out;
	uint64_t blocked_ns;  // since when the peer takes nothing, 0: it does
	uint64_t second_ns;   // next tick
	uint64_t deadline_ns; // when stopping
	uint8_t *buf;         // IPC_MAX_BYTES
};

// Take over listen_fd (of ipc_listen()) and signal_fd (signalfd of what ends the program).
// 0 or negative errno with ret_diag.
int dpctl_init(struct dpctl *c, struct dataplane *dp, int listen_fd, int signal_fd,
	       struct diag *ret_diag);

// Load the rule set image of a file before the workers start. 0 or negative errno with ret_diag.
int dpctl_load_file(struct dpctl *c, const char *path, struct diag *ret_diag);

// Serve until the program is to end; the workers have been asked to leave then and have closed their flows.
void dpctl_run(struct dpctl *c);

// After the workers have left.
void dpctl_done(struct dpctl *c);

#endif

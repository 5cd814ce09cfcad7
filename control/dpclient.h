// SPDX-License-Identifier: BSD-2-Clause
// The connection to the dataplane: kept up for ever, and what it last said.
#ifndef CONTROL_DPCLIENT_H
#define CONTROL_DPCLIENT_H

#include <stdbool.h>
#include <sys/types.h>

#include "common/ipc.h"
#include "control/loop.h"

enum {
	DPCLIENT_MESSAGES = 32, // taken in one go
};

struct dpclient;

// What the daemon does with what arrives. ctx is dpclient.ctx.
struct dpclient_ops {
	void (*up)(void *ctx);   // HELLO and the first RULESET_STATE are in, see hello and ruleset
	void (*down)(void *ctx); // only after up
	void (*ruleset_state)(void *ctx, const struct ipc_ruleset_state *state); // the later ones
	void (*hits)(void *ctx, const struct ipc_hits *batch, const struct hit *hits);
	void (*events)(void *ctx, const struct ipc_events *batch, const struct event *events);
	// After hits and events that were waiting together, and before anything else is called.
	void (*batch_end)(void *ctx);
};

enum dpclient_state {
	DPCLIENT_OFF,       // not started
	DPCLIENT_WAITING,   // until the next attempt
	DPCLIENT_CONNECTED, // HELLO sent
	DPCLIENT_GREETED,   // HELLO received
	DPCLIENT_UP,
};

struct dpclient {
	struct loop *loop;
	const char *path;
	uid_t allowed_uid;
	const struct dpclient_ops *ops;
	void *ctx;

	enum dpclient_state state;
	int fd;
	struct loop_source source;
	struct loop_timer timer; // next attempt, or the deadline of the greeting
	unsigned int backoff_ms;
	uint64_t up_since_ns; // Unix time
	uint64_t connections; // times up
	char error[256];      // why it is not up

	// What the dataplane last said; kept while it is away.
	struct ipc_hello hello;
	struct ipc_ruleset_state ruleset;
	struct ipc_stats stats[IPC_WORKERS_MAX];
	bool has_stats[IPC_WORKERS_MAX];
	uint64_t moved_ns[IPC_WORKERS_MAX]; // monotonic: when a worker's numbers were last new
	uint32_t n_ports;
	struct ipc_port ports[IPC_PORTS_MAX];
	uint64_t buf[IPC_MAX_BYTES / 8];
};

void dpclient_init(struct dpclient *c, struct loop *loop, const char *path, uid_t allowed_uid,
		   const struct dpclient_ops *ops, void *ctx);
void dpclient_start(struct dpclient *c);
void dpclient_done(struct dpclient *c);

// Drop the connection and connect again: the dataplane then sends all unacknowledged hits once more.
void dpclient_reconnect(struct dpclient *c, const char *why);

// Send. 0; -ENOTCONN: not up; other negative errno: the connection has been dropped.
int dpclient_offer(struct dpclient *c, const struct ipc_ruleset_offer *offer, int memfd);
int dpclient_ack(struct dpclient *c, uint32_t worker, uint64_t seq);

// Sum over the workers of the running dataplane.
void dpclient_counters(const struct dpclient *c, struct counters *ret_sum);

#endif

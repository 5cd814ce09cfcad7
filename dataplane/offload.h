// SPDX-License-Identifier: BSD-2-Clause
// Released flows that go on and on: the network card drops their packets, so that no worker sees them. Tap mode only.
//
// Workers offer a flow each time so many more of its bytes have passed unread (pipeline_elephants()); the main thread asks the
// card, which may take milliseconds. A rule does not stay: after a minute, or when nothing came for it, it goes, and the flow,
// if there still is one, is offered again. So the card is never asked for the end of a flow, which not all of them can tell,
// and a flow's record in the engine outlives the rule.
#ifndef DATAPLANE_OFFLOAD_H
#define DATAPLANE_OFFLOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "common/counters.h"
#include "common/ipc.h"
#include "dataplane/engine/pkt.h"

enum {
	OFFLOAD_LIFE_S = 60, // less than the engine waits for a silent flow
	OFFLOAD_IDLE_S = 10, // where cards count
};

// One direction of a flow, as it is on the wire.
struct offload_match {
	bool is_v6;
	uint8_t src[16], dst[16]; // of IPv4 the first four
	uint16_t sport, dport;    // host order
};

// What cards do. A test records it.
struct offload_ops {
	// Drop what matches, of this port. NULL: refused.
	void *(*drop)(void *ctx, uint32_t port, const struct offload_match *match);
	// What a rule has dropped so far. False: nobody counts.
	bool (*count)(void *ctx, uint32_t port, void *rule, uint64_t *ret_pkts,
		      uint64_t *ret_bytes);
	void (*undo)(void *ctx, uint32_t port, void *rule);
};

struct offload_rule {
	void *rule[2]; // from the key's lo end point, from hi
	uint64_t pkts[2], bytes[2];
};

// A flow that is dropped.
struct offload_flow {
	struct flow_key key;
	uint64_t since_ns, moved_ns;
	bool is_counted;
	struct offload_rule port[IPC_PORTS_MAX];
};

struct offload {
	const struct offload_ops *ops;
	void *ctx;
	uint32_t ports; // bit per port whose card drops flows
	uint32_t max, n;
	struct offload_flow *flows;
	uint64_t flows_ever, refused, full, pkts, bytes;
};

// ports: bit per port. max: flows at a time. 0 or -ENOMEM.
int offload_init(struct offload *o, const struct offload_ops *ops, void *ctx, uint32_t ports,
		 uint32_t max);

// A flow was offered. Nothing happens if its packets cannot be told from others (VLANs, tunnels), or all places are taken.
void offload_take(struct offload *o, const struct flow_key *key, uint64_t now_ns);

// Once a second: count, and take back what is over.
void offload_turn(struct offload *o, uint64_t now_ns);

// What it did, into the counters offload.*.
void offload_add(const struct offload *o, struct counters *io_counters);

// Take everything back.
void offload_done(struct offload *o);

#endif

// SPDX-License-Identifier: BSD-2-Clause
// Offloading by DPDK's rte_flow.
#ifndef DATAPLANE_OFFLOAD_CARD_H
#define DATAPLANE_OFFLOAD_CARD_H

#include "dataplane/offload.h"

struct port;

struct offload_card {
	struct port *ports;
	uint8_t level[IPC_PORTS_MAX]; // of what rules have; starts at 0
};

// ctx: struct offload_card.
extern const struct offload_ops offload_card_ops;

#endif

// SPDX-License-Identifier: BSD-2-Clause
// What the kernel says about a network interface, and what is wrong with it for us. No DPDK here.
#ifndef DATAPLANE_IFACE_H
#define DATAPLANE_IFACE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/diag.h"

struct iface {
	uint32_t mtu;
	bool up;
	bool merges; // GRO or LRO: frames of a stream arrive as one
	bool splits; // TSO or GSO: this machine's own frames are seen before they are split
};

// 0; -ENODEV: there is none of that name; other negative errno.
int iface_read(const char *name, struct iface *ret_iface);

// May this process open packet sockets? 0, -EPERM.
int iface_may_capture(void);

#endif

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
	bool running; // up, and there is something at the other end
	bool merges;  // GRO or LRO: frames of a stream arrive as one
	bool splits;  // TSO or GSO: this machine's own frames are seen before they are split
};

// 0; -ENODEV: there is none of that name; other negative errno.
int iface_read(const char *name, struct iface *ret_iface);

// The socket by which a driver in this process captures from an interface, -1 if there is none.
int iface_capture_socket(const char *name);
// How many frames the kernel had no room for in that socket's ring since it was last asked.
uint32_t iface_dropped(int fd);

// May this process open packet sockets? 0, -EPERM.
int iface_may_capture(void);

#endif

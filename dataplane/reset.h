// SPDX-License-Identifier: BSD-2-Clause
// TCP resets for the hosts of a flow that is not forwarded any more.
#ifndef DATAPLANE_RESET_H
#define DATAPLANE_RESET_H

#include <stdbool.h>
#include <stdint.h>

enum {
	RESET_MAX = 14 + 4 * 4 + 40 + 20, // Ethernet, tags, IPv6, TCP
};

// The reset that a frame is answered with: to the host that sent it, or in its place to the one it was sent to. buf takes
// RESET_MAX bytes. Length; 0: none is due, it is a reset itself; -1: cannot be made, the segment does not lie in plain sight
// behind VLAN tags.
int reset_make(const uint8_t *frame, uint32_t len, bool to_sender, uint8_t *buf);

#endif

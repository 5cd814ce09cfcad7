// SPDX-License-Identifier: BSD-2-Clause
// Ports that DPDK makes in software: the name and the arguments of the device for a --port.
#ifndef DATAPLANE_VDEV_H
#define DATAPLANE_VDEV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/config.h"

// Slot size of an af_packet ring: a power of two that takes a frame of the interface's MTU.
uint32_t vdev_slot(const struct port_spec *spec);

// index: of the port, part of the name. inline_: frames are sent by it. queues: of each direction.
void vdev_args(const struct port_spec *spec, uint16_t index, bool inline_, uint32_t queues,
	       char *name, size_t name_size, char *args, size_t args_size);

#endif

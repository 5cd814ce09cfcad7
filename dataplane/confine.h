// SPDX-License-Identifier: BSD-2-Clause
// Giving up what the dataplane does not need once its ports are up. Failures are logged; inspection goes on.
#ifndef DATAPLANE_CONFINE_H
#define DATAPLANE_CONFINE_H

struct dataplane;

// Capabilities and files, of the calling thread and DPDK's; workers do it when they start. Before workers_start().
void confine_threads(struct dataplane *dp);

// System calls, of all threads. After workers_start().
void confine_calls(struct dataplane *dp);

#endif

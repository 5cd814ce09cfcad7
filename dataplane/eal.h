// SPDX-License-Identifier: BSD-2-Clause
// Starting DPDK's environment so that it works with and without hugepages, as root or not, and says nothing itself.
#ifndef DATAPLANE_EAL_H
#define DATAPLANE_EAL_H

#include <stdbool.h>
#include <stdint.h>

#include "common/diag.h"
#include "dataplane/config.h"

// What is needed, and how it was decided to get it.
struct eal_plan {
	uint32_t mbufs;
	uint32_t data_room;      // of one mbuf
	uint64_t pipeline_bytes; // of one worker, with full sizes
	bool huge;
	uint32_t no_huge_mb; // EAL's memory without hugepages
	uint32_t small_mb;   // what is computed to be enough without them
	char why[160];       // one line for the log
};

// Add up what the configuration needs and look at the hugepages: which rung of the ladder?
//   enough free pages, 2 MiB and 1 GiB ones   huge
//   too few, or --no-huge                     no huge: packet memory of no_huge_mb, small pipelines
//   the same with a NIC (pci:)                refused: it cannot work, ret_diag has the command
int eal_plan(const struct config *c, struct eal_plan *ret_plan, struct diag *ret_diag);

// Start EAL: the calling thread becomes lcore 0, worker i is lcore i + 1. 0 or negative errno with ret_diag.
// It ends with the process: rte_eal_cleanup() unmaps memory that its interrupt thread, which nothing stops, still reads. There
// is nothing else to give back: no file was written, ports are closed by port_close().
int eal_start(const struct config *c, const struct eal_plan *plan, struct diag *ret_diag);

// From now on DPDK's libraries say only what is critical: nothing a frame can cause.
void eal_quiet(void);

// The last line a DPDK library wrote, "" if none: detail for our own messages.
const char *eal_last_message(void);

// CPU a lcore was put on, for the log. More lcores than CPUs share them.
int eal_cpu_of(unsigned int lcore);

#endif

// SPDX-License-Identifier: BSD-2-Clause
// Which rung of the memory ladder? Numbers in, decision out: nothing here looks at the machine.
#ifndef DATAPLANE_EALPLAN_H
#define DATAPLANE_EALPLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "common/diag.h"
#include "dataplane/eal.h"

// Hugepages of one size, as the kernel counts them.
struct ealplan_pages {
	uint64_t page_bytes;
	uint64_t free, reserved; // reserved: promised to somebody, and still counted as free
};

// The hugepages of this machine.
struct ealplan_machine {
	struct ealplan_pages pages[2]; // 2 MiB and 1 GiB; zeros: the kernel has none of this size
	// What sysctl vm.nr_hugepages says and changes: pages of the default size, used ones too.
	uint64_t sysctl_pages, sysctl_page_bytes;
};

// What the configuration asks for.
struct ealplan_need {
	uint64_t huge_bytes;  // with hugepages: packet memory and pipelines
	uint64_t small_bytes; // without: packet memory only, in small pages
	uint32_t memory_mb;   // packet memory in small pages as configured, 0: computed
	bool no_huge;         // hugepages shall not be used
	const char *nic;      // address of a NIC among the ports, NULL: none
};

// Bytes in hugepages that can be had.
uint64_t ealplan_free_bytes(const struct ealplan_machine *m);

// Fill huge, no_huge_mb and why of *io_plan; the rungs are in eal.h. 0, or -ENOMEM with ret_diag: a NIC without enough
// hugepages, and the command that reserves them.
int ealplan_choose(const struct ealplan_machine *m, const struct ealplan_need *need,
		   struct eal_plan *io_plan, struct diag *ret_diag);

#endif

// SPDX-License-Identifier: BSD-2-Clause
// The ladder: hugepages if there are enough, small pages if no port needs hugepages, else a refusal with the command
// that helps. Pages of both sizes count together: EAL takes memory from either.
#include "dataplane/ealplan.h"

#include <errno.h>
#include <stdio.h>

#define MB(bytes) ((unsigned long long)((bytes) >> 20))

// Rounded up: what is said to be needed is enough.
static unsigned long long mb_up(uint64_t bytes)
{
	return (unsigned long long)((bytes + (1 << 20) - 1) >> 20);
}

uint64_t ealplan_free_bytes(const struct ealplan_machine *m)
{
	uint64_t bytes = 0;

	for (int i = 0; i < 2; i++)
		if (m->pages[i].free > m->pages[i].reserved)
			bytes += (m->pages[i].free - m->pages[i].reserved) * m->pages[i].page_bytes;
	return bytes;
}

// The sysctl sets how many pages there are, not how many are free: what is there stays, what lacks comes on top.
static uint64_t pages_to_set(const struct ealplan_machine *m, uint64_t lacking)
{
	return m->sysctl_pages + (lacking + m->sysctl_page_bytes - 1) / m->sysctl_page_bytes;
}

static int refuse_nic(const struct ealplan_machine *m, const struct ealplan_need *need,
		      struct diag *ret_diag)
{
	uint64_t have = ealplan_free_bytes(m);

	if (have >= need->huge_bytes)
		diag_set(ret_diag, NULL, 0, 0,
			 "port pci:%s needs hugepages, and there are enough: start it without "
			 "--no-huge",
			 need->nic);
	else if (m->sysctl_page_bytes == 0)
		diag_set(ret_diag, NULL, 0, 0,
			 "port pci:%s needs %llu MB of hugepages, and this kernel has none: start "
			 "one with hugetlbfs",
			 need->nic, mb_up(need->huge_bytes));
	else
		diag_set(ret_diag, NULL, 0, 0,
			 "port pci:%s needs %llu MB of hugepages, %llu MB are free: run sudo "
			 "sysctl -w vm.nr_hugepages=%llu%s",
			 need->nic, mb_up(need->huge_bytes), MB(have),
			 (unsigned long long)pages_to_set(m, need->huge_bytes - have),
			 need->no_huge ? ", and start it without --no-huge" : "");
	return -ENOMEM;
}

int ealplan_choose(const struct ealplan_machine *m, const struct ealplan_need *need,
		   struct eal_plan *io_plan, struct diag *ret_diag)
{
	uint64_t have = ealplan_free_bytes(m);
	bool huge = !need->no_huge && have >= need->huge_bytes;

	if (!huge && need->nic != NULL)
		return refuse_nic(m, need, ret_diag);
	io_plan->huge = huge;
	io_plan->small_mb = (uint32_t)(need->small_bytes >> 20) + 1;
	io_plan->no_huge_mb = need->memory_mb != 0 ? need->memory_mb : io_plan->small_mb;
	if (huge)
		snprintf(io_plan->why, sizeof(io_plan->why),
			 "hugepages: %llu MB free, up to %llu MB used", MB(have),
			 mb_up(need->huge_bytes));
	else if (need->no_huge)
		snprintf(io_plan->why, sizeof(io_plan->why),
			 "no hugepages (--no-huge): %u MB of packet memory in small pages, small "
			 "flow tables",
			 io_plan->no_huge_mb);
	else
		snprintf(io_plan->why, sizeof(io_plan->why),
			 "no hugepages (%llu MB free, %llu MB would be used): %u MB of packet "
			 "memory in small pages, small flow tables",
			 MB(have), mb_up(need->huge_bytes), io_plan->no_huge_mb);
	return 0;
}

// SPDX-License-Identifier: BSD-2-Clause
// The memory ladder: every rung, on machines of all kinds, and the exact command where it ends in a refusal.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "dataplane/ealplan.h"

#define MB(n) ((uint64_t)(n) << 20)
#define PAGES(free2, reserved2, free1g, reserved1g)                                                \
	{                                                                                          \
		{MB(2), free2, reserved2},                                                         \
		{                                                                                  \
			MB(1024), free1g, reserved1g                                               \
		}                                                                                  \
	}

static void test_free_bytes(void **state)
{
	static const struct {
		struct ealplan_machine m;
		uint64_t want;
	} cases[] = {
		{{{{0}}}, 0},
		{{.pages = PAGES(10, 0, 0, 0)}, MB(20)},
		{{.pages = PAGES(10, 3, 0, 0)}, MB(14)},
		{{.pages = PAGES(10, 10, 0, 0)}, 0},
		{{.pages = PAGES(10, 11, 0, 0)}, 0}, // read at two moments
		{{.pages = PAGES(0, 0, 2, 0)}, MB(2048)},
		{{.pages = PAGES(10, 0, 2, 1)}, MB(1044)},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (ealplan_free_bytes(&cases[i].m) != cases[i].want)
			fail_msg("case %zu: %llu bytes", i,
				 (unsigned long long)ealplan_free_bytes(&cases[i].m));
}

enum { NIC = 1, NO_HUGE = 2 };

static struct ealplan_need need_of(uint64_t huge_bytes, unsigned int flags)
{
	return (struct ealplan_need){
		.huge_bytes = huge_bytes,
		.small_bytes = MB(100) - 1,
		.nic = flags & NIC ? "0000:3b:00.0" : NULL,
		.no_huge = (flags & NO_HUGE) != 0,
	};
}

static void test_rungs(void **state)
{
	static const struct {
		struct ealplan_machine m;
		uint64_t need;
		unsigned int flags;
		bool huge;
		const char *why; // begins with
	} cases[] = {
		// enough pages: EAL in memory on hugepages
		{{.pages = PAGES(200, 0, 0, 0)},
		 MB(400),
		 0,
		 true,
		 "hugepages: 400 MB free, up to 400 MB used"},
		{{.pages = PAGES(200, 0, 0, 0)}, MB(400), NIC, true, "hugepages: 400 MB"},
		{{.pages = PAGES(0, 0, 1, 0)}, MB(400), NIC, true, "hugepages: 1024 MB"},
		{{.pages = PAGES(200, 0, 1, 0)}, MB(1424), NIC, true, "hugepages: 1424 MB"},
		// too few, and no NIC: small pages
		{{.pages = PAGES(200, 0, 0, 0)},
		 MB(400) + 1,
		 0,
		 false,
		 "no hugepages (400 MB free, 401 MB would be used): 100 MB of packet memory"},
		{{.pages = PAGES(200, 1, 0, 0)}, MB(400), 0, false, "no hugepages (398 MB free"},
		{{.pages = PAGES(0, 0, 0, 0)}, MB(400), 0, false, "no hugepages (0 MB free"},
		// not wanted
		{{.pages = PAGES(200, 0, 1, 0)},
		 MB(400),
		 NO_HUGE,
		 false,
		 "no hugepages (--no-huge): 100 MB"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ealplan_need need = need_of(cases[i].need, cases[i].flags);
		struct eal_plan plan = {.mbufs = 7};
		struct diag diag = {.text = ""};

		if (ealplan_choose(&cases[i].m, &need, &plan, &diag) != 0)
			fail_msg("case %zu: refused: %s", i, diag.text);
		if (plan.huge != cases[i].huge ||
		    strncmp(plan.why, cases[i].why, strlen(cases[i].why)) != 0)
			fail_msg("case %zu: %d, %s", i, plan.huge, plan.why);
		assert_int_equal(plan.no_huge_mb, 100);
		assert_int_equal(plan.mbufs, 7); // the rest of the plan is left alone
	}
}

static void test_configured_memory(void **state)
{
	const struct ealplan_machine m = {.pages = PAGES(0, 0, 0, 0)};
	struct ealplan_need need = need_of(MB(400), 0);
	struct eal_plan plan = {0};
	struct diag diag;

	need.memory_mb = 77;
	assert_int_equal(ealplan_choose(&m, &need, &plan, &diag), 0);
	assert_int_equal(plan.no_huge_mb, 77);
	assert_non_null(strstr(plan.why, "77 MB of packet memory"));
}

static void test_nic_refused(void **state)
{
	static const struct {
		struct ealplan_machine m;
		uint64_t need;
		unsigned int flags;
		const char *says;
	} cases[] = {
		{{PAGES(0, 0, 0, 0), 0, MB(2)},
		 MB(400),
		 NIC,
		 "port pci:0000:3b:00.0 needs 400 MB of hugepages, 0 MB are free: run sudo "
		 "sysctl -w vm.nr_hugepages=200"},
		{{PAGES(0, 0, 0, 0), 0, MB(2)},
		 MB(400) + 1,
		 NIC,
		 "port pci:0000:3b:00.0 needs 401 MB of hugepages, 0 MB are free: run sudo "
		 "sysctl -w vm.nr_hugepages=201"},
		// 1000 pages there, 950 of them in somebody's use: those stay.
		{{PAGES(50, 0, 0, 0), 1000, MB(2)},
		 MB(400),
		 NIC,
		 "port pci:0000:3b:00.0 needs 400 MB of hugepages, 100 MB are free: run sudo "
		 "sysctl -w vm.nr_hugepages=1150"},
		{{PAGES(0, 0, 0, 0), 1000, MB(2)},
		 MB(2),
		 NIC,
		 "port pci:0000:3b:00.0 needs 2 MB of hugepages, 0 MB are free: run sudo "
		 "sysctl -w vm.nr_hugepages=1001"},
		{{PAGES(50, 50, 0, 0), 1000, MB(2)},
		 MB(400),
		 NIC,
		 "port pci:0000:3b:00.0 needs 400 MB of hugepages, 0 MB are free: run sudo "
		 "sysctl -w vm.nr_hugepages=1200"},
		// A free 1 GiB page counts; what lacks comes in pages of the default size.
		{{PAGES(0, 0, 1, 0), 0, MB(2)},
		 MB(1100),
		 NIC,
		 "port pci:0000:3b:00.0 needs 1100 MB of hugepages, 1024 MB are free: run sudo "
		 "sysctl -w vm.nr_hugepages=38"},
		{{PAGES(0, 0, 1, 0), 3, MB(1024)},
		 MB(1100),
		 NIC,
		 "port pci:0000:3b:00.0 needs 1100 MB of hugepages, 1024 MB are free: run sudo "
		 "sysctl -w vm.nr_hugepages=4"},
		{{PAGES(200, 0, 0, 0), 200, MB(2)},
		 MB(400),
		 NIC | NO_HUGE,
		 "port pci:0000:3b:00.0 needs hugepages, and there are enough: start it without "
		 "--no-huge"},
		{{PAGES(0, 0, 0, 0), 0, MB(2)},
		 MB(400),
		 NIC | NO_HUGE,
		 "port pci:0000:3b:00.0 needs 400 MB of hugepages, 0 MB are free: run sudo "
		 "sysctl -w vm.nr_hugepages=200, and start it without --no-huge"},
		{{{{0}}, 0, 0},
		 MB(400),
		 NIC,
		 "port pci:0000:3b:00.0 needs 400 MB of hugepages, and this kernel has none: "
		 "start one with hugetlbfs"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ealplan_need need = need_of(cases[i].need, cases[i].flags);
		struct eal_plan plan = {.mbufs = 7};
		struct diag diag = {.text = ""};

		assert_int_equal(ealplan_choose(&cases[i].m, &need, &plan, &diag), -ENOMEM);
		assert_string_equal(diag.text, cases[i].says);
		assert_int_equal(plan.no_huge_mb, 0); // nothing written
		assert_string_equal(plan.why, "");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_free_bytes),
		cmocka_unit_test(test_rungs),
		cmocka_unit_test(test_configured_memory),
		cmocka_unit_test(test_nic_refused),
	};

	return cmocka_run_group_tests_name("ealplan", tests, NULL, NULL);
}

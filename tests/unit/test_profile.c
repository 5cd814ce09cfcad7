// SPDX-License-Identifier: BSD-2-Clause
// Hardware profiles: those that ship load, broken ones are refused with the key to change, and the
// choice by driver.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <dirent.h>
#include <errno.h>
#include <cmocka.h>

#include "hwprofiles/profile.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

static char dir[] = "/tmp/wireglass-test-XXXXXX";

static int make_dir(void **state)
{
	return mkdtemp(dir) == NULL;
}

static int remove_dir(void **state)
{
	return rmdir(dir);
}

// A good profile, with one line replaced or added at the end.
static void write_profile(const char *file, const char *name, const char *drivers, const char *rx,
			  const char *more)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	f = fopen(path, "w");
	assert_non_null(f);
	fprintf(f,
		"schema = 1;\nname = \"%s\";\ntitle = \"a card\";\nevidence = "
		"\"documented\";\nsource = \"its manual\";\n"
		"drivers = [%s];\nrx = { %s };\n%s\n",
		name, drivers, rx, more);
	fclose(f);
}

static void remove_file(const char *file)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	assert_int_equal(unlink(path), 0);
}

// Every profile that ships: the card and driver that get it, and the buffers of a queue.
static const struct {
	const char *name, *driver, *pci;
	int symmetric;
	unsigned int tap, both; // profile_queue_mbufs()
} shipped[] = {
	{"generic", "net_xyz", "", PROFILE_SYMMETRIC_SOFTWARE, 1024 + 64 + 256, 2368},
	{"generic", "net_ixgbe", "8086:ffff", PROFILE_SYMMETRIC_SOFTWARE, 1344, 2368},
	{"pcap", "net_pcap", "", PROFILE_SYMMETRIC_NONE, 512 + 64 + 256, 1344},
	{"af_packet", "net_af_packet", "", PROFILE_SYMMETRIC_NONE, 832, 1344},
	{"af_xdp", "net_af_xdp", "", PROFILE_SYMMETRIC_SOFTWARE, 2048 + 128 + 256, 4480},
	{"memif", "net_memif", "", PROFILE_SYMMETRIC_SOFTWARE, 1344, 2368},
	{"virtio", "net_virtio", "1af4:1041", PROFILE_SYMMETRIC_SOFTWARE, 256 + 64 + 256, 832},
	{"virtio", "net_virtio_user", "", PROFILE_SYMMETRIC_SOFTWARE, 576, 832},
	{"virtio", "net_vhost", "", PROFILE_SYMMETRIC_SOFTWARE, 576, 832},
	{"tap", "net_tap", "", PROFILE_SYMMETRIC_KERNEL, 576, 832},
	{"vmxnet3", "net_vmxnet3", "15ad:07b0", PROFILE_SYMMETRIC_NIC, 1344, 2368},
	{"aws-ena", "net_ena", "1d0f:ec20", PROFILE_SYMMETRIC_SOFTWARE, 1344, 2368},
	{"broadcom-57414", "net_bnxt", "14e4:16d7", PROFILE_SYMMETRIC_NIC, 2048 + 128 + 256, 3456},
	{"broadcom-57508", "net_bnxt", "14e4:1750", PROFILE_SYMMETRIC_NIC, 2432, 3456},
	{"intel-82599", "net_ixgbe", "8086:10fb", PROFILE_SYMMETRIC_NIC, 2048 + 64 + 256, 3392},
	{"intel-e1000", "net_e1000_em", "8086:10d3", PROFILE_SYMMETRIC_SOFTWARE, 1344, 2368},
	{"intel-x550", "net_ixgbe", "8086:1563", PROFILE_SYMMETRIC_NIC, 2368, 3392},
	{"intel-x710", "net_i40e", "8086:1572", PROFILE_SYMMETRIC_NIC, 1344, 2368},
	{"intel-xl710", "net_i40e", "8086:1583", PROFILE_SYMMETRIC_NIC, 2368, 3392},
	{"intel-e810", "net_ice", "8086:1593", PROFILE_SYMMETRIC_NIC, 2368, 3392},
	{"intel-iavf", "net_iavf", "8086:1889", PROFILE_SYMMETRIC_NIC, 1344, 2368},
	{"nvidia-cx4", "mlx5_pci", "15b3:1013", PROFILE_SYMMETRIC_NIC, 4096 + 128 + 256, 5504},
	{"nvidia-cx5", "mlx5_pci", "15b3:1017", PROFILE_SYMMETRIC_NIC, 4480, 5504},
	{"nvidia-cx6", "mlx5_pci", "15b3:101d", PROFILE_SYMMETRIC_NIC, 2432, 3456},
	{"nvidia-cx7", "mlx5_pci", "15b3:1021", PROFILE_SYMMETRIC_NIC, 2432, 3456},
};

static void test_shipped(void **state)
{
	for (size_t i = 0; i < N(shipped); i++) {
		struct hwprofile p;
		struct diag d = {0};

		if (profile_load_dir("hwprofiles", shipped[i].driver, shipped[i].pci, &p, &d) != 0)
			fail_msg("%s:%u: %s", d.file, d.line, d.text);
		assert_string_equal(p.name, shipped[i].name);
		assert_int_equal(p.rss.symmetric, shipped[i].symmetric);
		assert_int_equal(profile_queue_mbufs(&p, false), shipped[i].tap);
		assert_int_equal(profile_queue_mbufs(&p, true), shipped[i].both);
		assert_true(p.mbuf.tail_pad >= 64);
		assert_true(p.n_quirks > 0);
		assert_int_equal(p.rx.one_buffer, strcmp(p.name, "vmxnet3") == 0);
	}
}

// No file is left out of the table above.
static void test_all_shipped(void **state)
{
	DIR *folder = opendir("hwprofiles");
	const struct dirent *e;

	assert_non_null(folder);
	while ((e = readdir(folder)) != NULL) {
		size_t len = strlen(e->d_name), i = 0;

		if (len < 5 || strcmp(e->d_name + len - 4, ".cfg") != 0)
			continue;
		while (i < N(shipped) && (strlen(shipped[i].name) != len - 4 ||
					  memcmp(shipped[i].name, e->d_name, len - 4) != 0))
			i++;
		if (i == N(shipped))
			fail_msg("%s is in no row of the table", e->d_name);
	}
	closedir(folder);
}

#define RSS  "rss = { symmetric = \"software\"; };"
#define GOOD "desc = 1024; desc_align = 32; desc_max = 4096; burst = 32; free_thresh = 32;"

static const struct {
	const char *rx, *more;
	const char *why; // NULL: loads
} files[] = {
	{GOOD, RSS, NULL},
	{GOOD, RSS "offload = { ip_csum = true; };", NULL},
	{GOOD, "rss = { symmetric = \"nic\"; key_len = 52; };", NULL},
	{GOOD, RSS "mbuf = { per_queue = 2368; };", NULL},
	{GOOD, RSS "pci = [\"8086:10fb\"]; bind = { mode = \"vfio-pci\"; kernel_driver = \"x\"; };",
	 NULL},
	{"desc = 512;", RSS "tx = { desc = 512; };", NULL},
	{"dsec = 1024;", RSS, "unknown key \"dsec\" in rx (did you mean desc?)"},
	{"burst = 32;", RSS, "missing key \"desc\" in rx"},
	{GOOD, "", "missing key \"rss\""},
	{GOOD, RSS "colour = 1;", "unknown key \"colour\""},
	{"desc = 1000; desc_align = 32; free_thresh = 0;", RSS,
	 "rx.desc is 1000, not a multiple of rx.desc_align: write 992"},
	{"desc = 1024; desc_align = 32;", RSS "tx = { desc = 1000; };",
	 "tx.desc is 1000, not a multiple of rx.desc_align: write 992"},
	{"desc = 1000; free_thresh = 32;", RSS, "path needs: write 992"},
	{"desc = 32; free_thresh = 32;", RSS, "rx.free_thresh is 32, not less than rx.desc"},
	{"desc = 8192; desc_max = 4096;", RSS,
	 "rx.desc is 8192, more than rx.desc_max: write 4096 or less"},
	{"desc = 1536; free_thresh = 32; desc_pow2 = true;", RSS, "powers of two"},
	{"desc = 32; burst = 64; free_thresh = 0;", RSS, "rx.burst is 64, more than rx.desc"},
	{"desc = 100000;", RSS, "rx.desc is 100000: must be 32 to 32768"},
	{GOOD, RSS "mbuf = { data_room = 1700; };",
	 "mbuf.data_room is 1700: headroom 128, a frame of 1522 and mbuf.tail_pad need 1714"},
	{GOOD, RSS "mbuf = { tail_pad = 0; };", "mbuf.tail_pad is 0"},
	{GOOD, RSS "offload = { lro = true; };", "offload.lro must be false"},
	{GOOD, RSS "offload = { vlan_strip = true; };", "offload.vlan_strip must be false"},
	{GOOD, RSS "mbuf = { per_queue = 2367; };", "need 2368"},
	{"desc = 1024; burst = 48; burst_align = 32;", RSS, "rx.burst_align: write 32"},
	{"desc = 1024; max_queues = 6; queues_pow2 = true;", RSS, "rx.max_queues is 6"},
	{"desc = 1024; desc_pow2 = true;", RSS "tx = { desc = 1000; };", "tx.desc is 1000"},
	{GOOD, RSS "pci = [\"8086:10FB\"];", "pci names \"8086:10FB\""},
	{GOOD, RSS "bind = { mode = \"vfio-pci\"; };", "bind has no kernel_driver"},
	{GOOD, "rss = { symmetric = \"nic\"; };", "needs rss.key_len = 40 or 52"},
	{GOOD, "rss = { symmetric = \"nic\"; key_len = 40; key = \"driver\"; };",
	 "rss.key must be \"6d5a\""},
	{GOOD, "rss = { symmetric = \"hardware\"; };", "must be one of"},
	{GOOD, "rss = { symmetric = \"sofware\"; };", "did you mean \"software\""},
	{GOOD, RSS "quirks = [1];", "quirks[0] must be a string"},
};

static void test_files(void **state)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/a.cfg", dir);
	for (size_t i = 0; i < N(files); i++) {
		struct hwprofile p;
		struct diag d = {0};
		int ret;

		memset(&p, 0x5a, sizeof(p));
		write_profile("a.cfg", "a", "\"net_a\"", files[i].rx, files[i].more);
		ret = profile_load(path, &p, &d);
		if ((ret == 0) != (files[i].why == NULL) ||
		    (ret != 0 && strstr(d.text, files[i].why) == NULL))
			print_error("%zu: wants %s, has %s\n", i, files[i].why, d.text);
		assert_int_equal(ret, files[i].why == NULL ? 0 : -EINVAL);
		if (ret != 0) {
			assert_non_null(strstr(d.text, files[i].why));
			assert_string_equal(d.file, path);
			// in one group, on one line
			if (strstr(d.text, "missing key") == NULL)
				assert_int_equal(d.line,
						 strstr(files[i].rx, "= 8192") != NULL ||
								 strncmp(d.text, "rx.", 3) == 0 ||
								 strstr(d.text, " in rx") != NULL
							 ? 7
							 : 8);
			assert_int_equal(p.name[0], 0x5a); // untouched
			continue;
		}
		assert_string_equal(p.name, "a");
		assert_string_equal(p.driver[0], "net_a");
		assert_int_equal(p.n_drivers, 1);
		assert_int_equal(p.mbuf.data_room, 2176);
	}
	remove_file("a.cfg");
}

static void test_choice(void **state)
{
	struct hwprofile p;
	struct diag d;

	assert_int_equal(profile_load_dir(dir, "net_a", "1:2", &p, &d), -ENOENT);
	assert_non_null(strstr(d.text, "no profile for driver net_a and no generic.cfg"));
	write_profile("z.cfg", "generic", "", GOOD, RSS);
	assert_int_equal(profile_load_dir(dir, "net_a", "1:2", &p, &d), 0);
	assert_string_equal(p.name, "generic");
	write_profile("a.cfg", "a", "\"net_x\", \"net_a\"", GOOD, RSS);
	write_profile("ignored.txt", "b", "\"net_a\"", "nonsense", "");
	assert_int_equal(profile_load_dir(dir, "net_a", "1:2", &p, &d), 0);
	assert_string_equal(p.name, "a");
	assert_int_equal(profile_load_dir(dir, "net_b", "", &p, &d), 0);
	assert_string_equal(p.name, "generic");
	// two for one driver
	write_profile("b.cfg", "b", "\"net_a\"", GOOD, RSS);
	assert_int_equal(profile_load_dir(dir, "net_a", "1:2", &p, &d), -EEXIST);
	assert_non_null(strstr(d.text, "profile \"a\": remove one"));
	// one for a card goes before one for its driver
	write_profile("b.cfg", "b", "\"net_a\"", GOOD, RSS "pci = [\"8086:1234\"];");
	assert_int_equal(profile_load_dir(dir, "net_a", "8086:1234", &p, &d), 0);
	assert_string_equal(p.name, "b");
	assert_int_equal(profile_load_dir(dir, "net_a", "8086:4321", &p, &d), 0);
	assert_string_equal(p.name, "a");
	assert_int_equal(profile_load_dir(dir, "net_b", "8086:1234", &p, &d), 0);
	assert_string_equal(p.name, "generic");
	write_profile("c.cfg", "c", "\"net_a\"", GOOD, RSS "pci = [\"8086:1234\"];");
	assert_int_equal(profile_load_dir(dir, "net_a", "8086:1234", &p, &d), -EEXIST);
	assert_non_null(strstr(d.text, "is for driver net_a and card 8086:1234"));
	remove_file("c.cfg");
	// a broken file is an error even if it is for another driver
	write_profile("b.cfg", "b", "\"net_b\"", "desc = 1;", RSS);
	assert_int_equal(profile_load_dir(dir, "net_a", "1:2", &p, &d), -EINVAL);
	remove_file("a.cfg");
	remove_file("b.cfg");
	remove_file("z.cfg");
	remove_file("ignored.txt");
	assert_int_equal(profile_load_dir("/nonexistent", "net_a", "", &p, &d), -ENOENT);
	assert_string_equal(d.file, "/nonexistent");
}

static void test_mbufs(void **state)
{
	struct hwprofile p = {
		.rx = {.desc = 1024, .burst = 32}, .tx = {.desc = 512}, .mbuf = {.cache = 256}};

	assert_int_equal(profile_queue_mbufs(&p, false), 1024 + 64 + 256);
	assert_int_equal(profile_queue_mbufs(&p, true), 1024 + 512 + 64 + 256);
	// what the file says counts when it is more
	p.mbuf.per_queue = 1500;
	assert_int_equal(profile_queue_mbufs(&p, false), 1500);
	assert_int_equal(profile_queue_mbufs(&p, true), 1856);
}

static void test_names(void **state)
{
	assert_string_equal(profile_evidence_name(PROFILE_DOCUMENTED), "documented");
	assert_string_equal(profile_evidence_name(99), "unknown");
	assert_string_equal(profile_symmetric_name(PROFILE_SYMMETRIC_KERNEL), "kernel");
	assert_string_equal(profile_symmetric_name(-1), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shipped), cmocka_unit_test(test_all_shipped),
		cmocka_unit_test(test_files),   cmocka_unit_test(test_choice),
		cmocka_unit_test(test_mbufs),   cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}

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

static void test_shipped(void **state)
{
	static const struct {
		const char *driver, *name;
		int symmetric;
	} table[] = {
		{"net_pcap", "pcap", PROFILE_SYMMETRIC_NONE},
		{"net_af_packet", "af_packet", PROFILE_SYMMETRIC_KERNEL},
		{"net_xyz", "generic", PROFILE_SYMMETRIC_SOFTWARE},
		{"", "generic", PROFILE_SYMMETRIC_SOFTWARE},
	};

	for (size_t i = 0; i < N(table); i++) {
		struct hwprofile p;
		struct diag d = {0};

		if (profile_load_dir("hwprofiles", table[i].driver, &p, &d) != 0)
			print_error("%s:%u: %s\n", d.file, d.line, d.text);
		assert_int_equal(profile_load_dir("hwprofiles", table[i].driver, &p, &d), 0);
		assert_string_equal(p.name, table[i].name);
		assert_int_equal(p.rss.symmetric, table[i].symmetric);
		assert_true(p.mbuf.tail_pad >= 64);
		assert_true(p.n_quirks > 0);
	}
}

#define RSS  "rss = { symmetric = \"software\"; };"
#define GOOD "desc = 1024; desc_align = 32; desc_max = 4096; burst = 32; free_thresh = 32;"

static const struct {
	const char *rx, *more;
	const char *why; // NULL: loads
} files[] = {
	{GOOD, RSS, NULL},
	{GOOD, RSS "offload = { ip_csum = true; };", NULL},
	{GOOD, "rss = { symmetric = \"nic\"; function = \"toeplitz\"; key_len = 52; };", NULL},
	{"desc = 512;", RSS "tx = { desc = 512; };", NULL},
	{"dsec = 1024;", RSS, "unknown key \"dsec\" in rx (did you mean desc?)"},
	{"burst = 32;", RSS, "missing key \"desc\" in rx"},
	{GOOD, "", "missing key \"rss\""},
	{GOOD, RSS "colour = 1;", "unknown key \"colour\""},
	{"desc = 1000; desc_align = 32; free_thresh = 0;", RSS, "multiple of rx.desc_align"},
	{"desc = 1024; desc_align = 32;", RSS "tx = { desc = 1000; };",
	 "tx.desc must be a multiple"},
	{"desc = 1000; free_thresh = 32;", RSS, "multiple of rx.free_thresh"},
	{"desc = 32; free_thresh = 32;", RSS, "free_thresh must be less"},
	{"desc = 8192; desc_max = 4096;", RSS, "more than rx.desc_max"},
	{"desc = 1536; free_thresh = 32; desc_pow2 = true;", RSS, "powers of two"},
	{"desc = 32; burst = 64; free_thresh = 0;", RSS, "rx.burst is more than"},
	{"desc = 100000;", RSS, "rx.desc is 100000: must be 32 to 32768"},
	{GOOD, RSS "mbuf = { data_room = 1700; };", "mbuf.data_room is too small"},
	{GOOD, RSS "mbuf = { tail_pad = 0; };", "mbuf.tail_pad is 0"},
	{GOOD, RSS "offload = { lro = true; };", "offload.lro must be false"},
	{GOOD, "rss = { symmetric = \"nic\"; };", "needs rss.function"},
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

	assert_int_equal(profile_load_dir(dir, "net_a", &p, &d), -ENOENT);
	assert_non_null(strstr(d.text, "no profile for driver net_a and no generic.cfg"));
	write_profile("z.cfg", "generic", "", GOOD, RSS);
	assert_int_equal(profile_load_dir(dir, "net_a", &p, &d), 0);
	assert_string_equal(p.name, "generic");
	write_profile("a.cfg", "a", "\"net_x\", \"net_a\"", GOOD, RSS);
	write_profile("ignored.txt", "b", "\"net_a\"", "nonsense", "");
	assert_int_equal(profile_load_dir(dir, "net_a", &p, &d), 0);
	assert_string_equal(p.name, "a");
	assert_int_equal(profile_load_dir(dir, "net_b", &p, &d), 0);
	assert_string_equal(p.name, "generic");
	// two for one driver
	write_profile("b.cfg", "b", "\"net_a\"", GOOD, RSS);
	assert_int_equal(profile_load_dir(dir, "net_a", &p, &d), -EEXIST);
	assert_non_null(strstr(d.text, "profile \"a\": remove one"));
	// a broken file is an error even if it is for another driver
	write_profile("b.cfg", "b", "\"net_b\"", "desc = 1;", RSS);
	assert_int_equal(profile_load_dir(dir, "net_a", &p, &d), -EINVAL);
	remove_file("a.cfg");
	remove_file("b.cfg");
	remove_file("z.cfg");
	remove_file("ignored.txt");
	assert_int_equal(profile_load_dir("/nonexistent", "net_a", &p, &d), -ENOENT);
	assert_string_equal(d.file, "/nonexistent");
}

static void test_mbufs(void **state)
{
	struct hwprofile p = {
		.rx = {.desc = 1024, .burst = 32}, .tx = {.desc = 1024}, .mbuf = {.cache = 256}};

	// tap: 1024 + 64 + 256 = 1344 -> 2047; inline: 2 x (2048 + 64 + 256) = 4736 -> 8191
	assert_int_equal(profile_mbufs(&p, 1, 0), 2047);
	assert_int_equal(profile_mbufs(&p, 1, 2), 8191);
	assert_int_equal(profile_mbufs(&p, 4, 0), 8191);
	// exactly a power of two less one stays
	p.mbuf.cache = 1023 - 32 * 2;
	assert_int_equal(profile_mbufs(&p, 1, 0), 2047);
	p.mbuf.cache++;
	assert_int_equal(profile_mbufs(&p, 1, 0), 4095);
	// never wraps
	p.rx.desc = 32768;
	assert_int_equal(profile_mbufs(&p, UINT32_MAX, UINT32_MAX), 0x7fffffff);
	assert_int_equal(profile_mbufs(&p, 1 << 16, 0), 0x7fffffff);
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
		cmocka_unit_test(test_shipped), cmocka_unit_test(test_files),
		cmocka_unit_test(test_choice),  cmocka_unit_test(test_mbufs),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}

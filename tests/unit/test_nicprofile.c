// SPDX-License-Identifier: BSD-2-Clause
// What a port takes from a profile, and where profiles are looked for.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dataplane/nicprofile.h"

static char root[] = P_tmpdir "/wireglass-nicprofile-XXXXXX";
static char made[16][128]; // files and folders, in the order they were made
static unsigned int n_made;

static int begin(void **state)
{
	strcpy(root + strlen(root) - 6, "XXXXXX");
	n_made = 0;
	return mkdtemp(root) != NULL ? 0 : -1;
}

static int end(void **state)
{
	while (n_made > 0)
		remove(made[--n_made]);
	return rmdir(root);
}

static const char *in_root(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", root, name);
	return path;
}

static void make_dir(const char *name)
{
	snprintf(made[n_made], sizeof(made[0]), "%s", in_root(name));
	assert_int_equal(mkdir(made[n_made++], 0755), 0);
}

static void make_profile(const char *file, const char *name, const char *drivers, const char *rx)
{
	snprintf(made[n_made], sizeof(made[0]), "%s", in_root(file));
	FILE *f = fopen(made[n_made++], "w");

	assert_non_null(f);
	fprintf(f,
		"schema = 1; name = \"%s\"; title = \"t\"; evidence = \"emulated\"; source = "
		"\"s\";\n"
		"drivers = [%s]; rx = { %s }; tx = { desc = 512; }; rss = { symmetric = \"none\"; "
		"};\n",
		name, drivers, rx);
	fclose(f);
}

static void test_built_in(void **state)
{
	struct hwprofile p;
	struct diag diag;

	assert_int_equal(nicprofile_load("", "net_ixgbe", "", 32, &p, &diag), 0);
	assert_string_equal(p.name, "");
	assert_int_equal(p.rx.desc, 2048);
	assert_int_equal(p.tx.desc, 1024);
	assert_int_equal(p.rx.burst, 32);
}

static void test_by_driver(void **state)
{
	struct hwprofile p;
	struct diag diag = {.text = ""};

	make_profile("card.cfg", "card", "\"net_card\"", "desc = 4096; burst = 16;");
	make_profile("big.cfg", "big", "\"net_big\"",
		     "desc = 32768; desc_max = 32768; burst = 64;");
	make_profile("generic.cfg", "generic", "", "desc = 1024;");
	assert_int_equal(nicprofile_load(root, "net_card", "", 32, &p, &diag), 0);
	assert_string_equal(p.name, "card");
	assert_int_equal(p.evidence, PROFILE_EMULATED);
	assert_int_equal(p.rx.desc, 4096);
	assert_int_equal(p.tx.desc, 512);
	assert_int_equal(p.rx.burst, 16);
	// No more than a worker has room for.
	assert_int_equal(nicprofile_load(root, "net_big", "", 32, &p, &diag), 0);
	assert_int_equal(p.rx.desc, 32768);
	assert_int_equal(p.rx.burst, 32);
	assert_int_equal(nicprofile_load(root, "net_other", "", 32, &p, &diag), 0);
	assert_string_equal(p.name, "generic");
	assert_int_equal(p.rx.desc, 1024);
}

static void test_broken(void **state)
{
	struct hwprofile p = {.rx = {.desc = 7}};
	struct diag diag = {.text = ""};

	make_profile("generic.cfg", "generic", "", "desc = 1024;");
	make_profile("other.cfg", "other", "\"net_other\"", "desc = 100000;");
	assert_true(nicprofile_load(root, "net_card", "", 32, &p, &diag) < 0);
	assert_non_null(strstr(diag.file, "other.cfg"));
	assert_non_null(strstr(diag.text, "desc"));
	assert_int_equal(p.rx.desc, 7); // nothing written
	assert_int_equal(nicprofile_load(in_root("none"), "net_card", "", 32, &p, &diag), -ENOENT);
	assert_non_null(strstr(diag.file, "none"));
	make_dir("empty");
	assert_int_equal(nicprofile_load(in_root("empty"), "net_card", "", 32, &p, &diag), -ENOENT);
	assert_non_null(strstr(diag.text, "net_card"));
}

static void test_folder(void **state)
{
	char program[256], buf[256], small[8];

	make_dir("bin");
	snprintf(program, sizeof(program), "%s", in_root("bin"));
	assert_string_equal(profile_dir("", program, buf, sizeof(buf)), "");
	assert_string_equal(profile_dir("/x/y", program, buf, sizeof(buf)), "/x/y");
	// the source tree around a build
	make_dir("hwprofiles");
	make_profile("hwprofiles/generic.cfg", "generic", "", "desc = 1024;");
	assert_string_equal(profile_dir("", program, buf, sizeof(buf)),
			    in_root("bin/../hwprofiles"));
	assert_string_equal(profile_dir("", program, small, sizeof(small)), "");
	// what was installed comes first
	make_dir("share");
	make_dir("share/wireglass");
	make_dir("share/wireglass/hwprofiles");
	assert_string_equal(profile_dir("", program, buf, sizeof(buf)),
			    in_root("bin/../share/wireglass/hwprofiles"));
	assert_string_equal(profile_dir("/x/y", program, buf, sizeof(buf)), "/x/y");
	assert_int_equal(access(profile_program_dir(buf, sizeof(buf)), X_OK), 0);
	assert_int_equal(buf[0], '/');
}

// The profiles of the source tree serve every card.
static void test_own_profiles(void **state)
{
	struct hwprofile p;
	struct diag diag = {.text = ""};

	if (nicprofile_load("hwprofiles", "net_ixgbe", "", 32, &p, &diag) != 0)
		fail_msg("%s: %s", diag.file, diag.text);
	assert_string_equal(p.name, "generic");
	assert_int_equal(p.evidence, PROFILE_DOCUMENTED);
	assert_int_equal(p.rx.desc, 1024);
	assert_int_equal(p.rx.burst, 32);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(test_built_in), TEST(test_by_driver),    TEST(test_broken),
		TEST(test_folder),   TEST(test_own_profiles),
	};

	return cmocka_run_group_tests_name("nicprofile", tests, NULL, NULL);
}

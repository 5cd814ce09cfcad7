// SPDX-License-Identifier: BSD-2-Clause
// What the dataplane accepts as a rule set image: only a memfd that nobody can change, of the length that was said.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dataplane/offer.h"
#include "rules/image.h"

enum {
	ALL_SEALS = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL,
	BYTES = 8192,
};

static int memfd(size_t bytes, int seals)
{
	int fd = memfd_create("image", MFD_ALLOW_SEALING | MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)bytes), 0);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

static void test_sealed(void **state)
{
	struct ipc_ruleset_offer offer = {.bytes = BYTES};
	struct offer_map map;
	struct diag diag;
	int fd = memfd(BYTES, ALL_SEALS);

	assert_int_equal(offer_map(fd, &offer, &map, &diag), 0);
	assert_int_equal(map.len, BYTES);
	close(fd); // the mapping stays
	assert_int_equal(((const uint8_t *)map.data)[BYTES - 1], 0);
	offer_unmap(&map);
	assert_null(map.data);
	offer_unmap(&map);
}

static void test_each_seal_is_needed(void **state)
{
	static const int seals[] = {F_SEAL_SHRINK, F_SEAL_GROW, F_SEAL_WRITE, F_SEAL_SEAL};
	struct ipc_ruleset_offer offer = {.bytes = BYTES};
	struct offer_map map;
	struct diag diag;

	for (size_t i = 0; i < 4; i++) {
		int fd = memfd(BYTES, ALL_SEALS & ~seals[i]);

		assert_int_equal(offer_map(fd, &offer, &map, &diag), -EPERM);
		assert_non_null(strstr(diag.text, "sealed"));
		close(fd);
	}
	// A seal that only stops new writable mappings is not enough: an old one could still write.
	int fd = memfd(BYTES, (ALL_SEALS & ~F_SEAL_WRITE) | F_SEAL_FUTURE_WRITE);

	assert_int_equal(offer_map(fd, &offer, &map, &diag), -EPERM);
	close(fd);
}

static void test_other_descriptors(void **state)
{
	struct ipc_ruleset_offer offer = {.bytes = BYTES};
	struct offer_map map;
	struct diag diag;
	int pipes[2], file = open("/dev/zero", O_RDONLY | O_CLOEXEC);

	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(offer_map(pipes[0], &offer, &map, &diag), -EPERM);
	assert_int_equal(offer_map(file, &offer, &map, &diag), -EPERM);
	assert_int_equal(offer_map(-1, &offer, &map, &diag), -EPERM);
	close(pipes[0]);
	close(pipes[1]);
	close(file);
}

static void test_lengths(void **state)
{
	static const struct {
		size_t is;
		uint64_t said;
		int err;
	} cases[] = {
		{BYTES, BYTES - 1, -EBADMSG},
		{BYTES, BYTES + 1, -EBADMSG},
		{BYTES, 0, -EBADMSG},
		{BYTES, UINT64_MAX, -EBADMSG},
		{0, 0, -EBADMSG},
		{sizeof(struct image_header) - 1, sizeof(struct image_header) - 1, -EBADMSG},
		{sizeof(struct image_header), sizeof(struct image_header), 0},
		{(size_t)IMAGE_MAX_BYTES + 1, (size_t)IMAGE_MAX_BYTES + 1,
		 -EFBIG}, // a hole: takes no memory
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ipc_ruleset_offer offer = {.bytes = cases[i].said};
		struct offer_map map = {0};
		struct diag diag;
		int fd = memfd(cases[i].is, ALL_SEALS);

		assert_int_equal(offer_map(fd, &offer, &map, &diag), cases[i].err);
		offer_unmap(&map);
		close(fd);
	}
}

static void test_file(void **state)
{
	char path[] = P_tmpdir "/wireglass-test-XXXXXX";
	struct offer_map map = {0};
	struct diag diag;
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(offer_map_file(path, &map, &diag), -EBADMSG); // empty
	assert_string_equal(diag.file, path);
	assert_int_equal(ftruncate(fd, BYTES), 0);
	assert_int_equal(offer_map_file(path, &map, &diag), 0);
	assert_int_equal(map.len, BYTES);
	offer_unmap(&map);
	close(fd);
	unlink(path);
	assert_int_equal(offer_map_file(path, &map, &diag), -ENOENT);
	assert_non_null(strstr(diag.text, "No such file"));
	assert_int_equal(offer_map_file("/dev/null", &map, &diag), -EBADMSG);
	assert_int_equal(offer_map_file("/", &map, &diag), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sealed),
		cmocka_unit_test(test_each_seal_is_needed),
		cmocka_unit_test(test_other_descriptors),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_file),
	};

	return cmocka_run_group_tests_name("offer", tests, NULL, NULL);
}

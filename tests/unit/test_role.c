// SPDX-License-Identifier: BSD-2-Clause
// Who may look, who may change something, and that the audit log says who tried. Needs root, to be others.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <grp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/control_fixture.h"

enum {
	SOMEBODY = 54321,
	TOLD_NO = 90,   // sent away before any request
	NO_SOCKET = 91, // the file cannot be opened
};

static gid_t gid_of(const char *name)
{
	const struct group *g = getgrnam(name);

	assert_non_null(g);
	return g->gr_gid;
}

// In a process of its own, as a user in these groups: 0, the errno of the answer, or one of the above.
static int ask_as(uid_t uid, gid_t own, gid_t more, uint32_t command)
{
	static uint64_t buf[IPC_MAX_BYTES / 8];
	const struct ipc_admin_req req = {.command = command, .since = 99};
	struct ipc_msg m;
	int got = -EAGAIN;

	if (setgroups(1, &more) != 0 || setgid(own) != 0 || setuid(uid) != 0)
		return 99;
	int fd = ipc_connect(fx.settings.socket);
	if (fd < 0)
		return NO_SOCKET;
	(void)ipc_send(fd, IPC_ADMIN_REQ, 1, &req, sizeof(req), NULL, 0, -1);
	while ((got = ipc_recv(fd, buf, &m)) == -EAGAIN)
		poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 1000);
	if (got != 1 || m.type == IPC_ERROR)
		return TOLD_NO;
	return -((const struct ipc_admin_rep *)m.body)->error;
}

static int result_of(uid_t uid, gid_t own, gid_t more, uint32_t command)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0)
		_exit(ask_as(uid, own, more, command));
	while (waitpid(pid, &status, WNOHANG) ==
	       0) // it gives up itself, see wireglassd's ADMIN_IDLE_MS
		assert_int_equal(loop_step(&fx.d->loop, 5), 0);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void test_roles(void **state)
{
	if (geteuid() != 0) {
		print_message("skipped: needs root to ask as somebody else\n");
		skip();
	}
	const gid_t read = gid_of("users"), operate = gid_of("staff"), none = 54321;
	const struct {
		uid_t uid;
		gid_t own, more;
		int look, change; // ENOENT: it was tried, there is no such serial
	} cases[] = {
		{SOMEBODY, none, none, TOLD_NO, TOLD_NO},
		{SOMEBODY, read, none, 0, EPERM},
		{SOMEBODY, none, read, 0, EPERM},
		{SOMEBODY, operate, none, 0, ENOENT},
		{SOMEBODY, read, operate, 0, ENOENT},
		{SOMEBODY + 1, none, none, 0, ENOENT},
		{0, none, none, 0, ENOENT},
	};

	assert_int_equal(chmod(fx.dir, 0755), 0);
	snprintf(fx.settings.read_group, sizeof(fx.settings.read_group), "users");
	snprintf(fx.settings.operate_group, sizeof(fx.settings.operate_group), "staff");
	fx.settings.operator_uid = SOMEBODY + 1;
	fixture_start();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t entries = fx.d->audit.n;

		assert_int_equal(
			result_of(cases[i].uid, cases[i].own, cases[i].more, IPC_ADMIN_SHOW_STATUS),
			cases[i].look);
		assert_int_equal(fx.d->audit.n, entries); // looking changes nothing
		assert_int_equal(result_of(cases[i].uid, cases[i].own, cases[i].more,
					   IPC_ADMIN_RULES_ACTIVATE),
				 cases[i].change);
		assert_int_equal(fx.d->audit.n, entries + (cases[i].change != TOLD_NO));
	}
	// Who tries for ever fills no disk.
	uint64_t entries = fx.d->audit.n, begun_s = loop_now_ns() / 1000000000u;
	for (int i = 0; i < 60; i++)
		assert_int_equal(result_of(SOMEBODY, read, none, IPC_ADMIN_HITS_WORK), EPERM);
	assert_true(fx.d->audit.n > entries);
	assert_true(fx.d->audit.n - entries <=
		    ADMIN_DENIED_MAX * (loop_now_ns() / 1000000000u - begun_s + 1));
}

static void test_no_groups(void **state)
{
	struct stat st;

	fixture_start();
	assert_int_equal(stat(fx.settings.socket, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0660);
}

static void test_unknown_group(void **state)
{
	struct diag diag = {0};
	struct daemon *d = malloc(sizeof(*d));

	snprintf(fx.settings.read_group, sizeof(fx.settings.read_group), "no-such-group");
	assert_int_equal(daemon_init(d, &fx.settings, &diag), -EINVAL);
	assert_non_null(strstr(diag.text, "no-such-group"));
	free(d);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_roles),
		TEST(test_no_groups),
		TEST(test_unknown_group),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

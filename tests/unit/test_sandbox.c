// SPDX-License-Identifier: BSD-2-Clause
// What a sandbox refuses, and what still works in it: each case in a process of its own.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/sandbox.h"

static char dir[64];

static const char *path_of(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

enum {
	FINE = 0,
	SKIPPED = 100, // no Landlock here
	BROKEN = 101,  // the sandbox itself
};

// Things to try: 0 or the errno they end with.
static int try_exec(void)
{
	char *const args[] = {(char *)(uintptr_t) "true", NULL};

	execv("/bin/true", args);
	return errno;
}

static int result(long ret)
{
	return ret < 0 ? errno : 0;
}

static int try_socket(int family, int type)
{
	return result(socket(family, type, 0));
}

static int try_packet(void)
{
	return try_socket(AF_PACKET, SOCK_DGRAM);
}

static int try_netlink(void)
{
	return try_socket(AF_NETLINK, SOCK_DGRAM);
}

static int try_raw(void)
{
	return try_socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC);
}

static int try_unix(void)
{
	return try_socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC);
}

static int try_tcp(void)
{
	return try_socket(AF_INET, SOCK_STREAM);
}

static int try_mount(void)
{
	return result(mount("none", "/", NULL, MS_REMOUNT, NULL));
}

static int try_ptrace(void)
{
	return result(ptrace(PTRACE_TRACEME, 0, NULL, NULL));
}

static int try_setuid(void)
{
	return result(setuid(getuid()));
}

static int try_read_outside(void)
{
	return result(open("/etc/passwd", O_RDONLY));
}

static int try_write_outside(void)
{
	return result(open("/tmp", O_TMPFILE | O_RDWR, 0600));
}

static int try_chown(void) // CAP_CHOWN
{
	return result(chown(path_of("in/file"), 12345, (gid_t)-1));
}

static int try_write_inside(void)
{
	int fd = open(path_of("in/new"), O_RDWR | O_CREAT | O_TRUNC, 0600);

	return fd >= 0 && write(fd, "x", 1) == 1 &&
			       rename(path_of("in/new"), path_of("in/new")) == 0 &&
			       unlink(path_of("in/new")) == 0
		       ? 0
		       : errno;
}

static int try_read_only(void)
{
	return result(open(path_of("ro/file"), O_RDONLY));
}

static int try_write_read_only(void)
{
	return result(open(path_of("ro/file"), O_WRONLY));
}

static int try_fork(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return pid < 0 || waitpid(pid, NULL, 0) != pid ? errno : 0;
}

static int try_memory(void)
{
	return mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
			       MAP_FAILED
		       ? errno
		       : 0;
}

static const struct {
	const char *name;
	int (*try)(void);
	bool landlock;        // without it the kernel does not refuse this
	int service, compute; // errno that is wanted
} cases[] = {
	{"a program", try_exec, false, EPERM, EPERM},
	{"a packet socket", try_packet, false, EPERM, EPERM},
	{"a netlink socket", try_netlink, false, EPERM, EPERM},
	{"a raw socket", try_raw, false, EPERM, EPERM},
	{"a unix socket", try_unix, false, 0, EPERM},
	{"a TCP socket", try_tcp, false, 0, EPERM},
	{"a mount", try_mount, false, EPERM, EPERM},
	{"to be traced", try_ptrace, false, SANDBOX_TRACED ? 0 : EPERM, EPERM},
	{"another user", try_setuid, false, EPERM, EPERM},
	{"a file elsewhere", try_read_outside, true, EACCES, EPERM},
	{"a new file elsewhere", try_write_outside, true, EACCES, EPERM},
	{"a new file where that is allowed", try_write_inside, false, 0, EPERM},
	{"a file that may be read", try_read_only, false, 0, EPERM},
	{"to write to it", try_write_read_only, true, EACCES, EPERM},
	{"another owner of a file", try_chown, false, EPERM, EPERM},
	{"a process", try_fork, false, 0, EPERM},
	{"memory", try_memory, false, 0, 0},
};

static int in_sandbox(enum sandbox_kind kind, size_t i)
{
	char in[128], ro[128];
	struct sandbox s;

	snprintf(in, sizeof(in), "%s", path_of("in"));
	snprintf(ro, sizeof(ro), "%s", path_of("ro"));
	const struct sandbox_path paths[] = {
		{in, true}, {ro, false}, {"/not/there", true}, {NULL, true}};
	if (sandbox_init(&s, paths, 4) != 0 || sandbox_thread(&s) != 0 ||
	    sandbox_calls(&s, kind) != 0)
		return BROKEN;
	if (cases[i].landlock && s.landlock_abi == 0 && kind == SANDBOX_SERVICE)
		return SKIPPED;
	return cases[i].try();
}

static void expect_all(enum sandbox_kind kind)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int want = kind == SANDBOX_SERVICE ? cases[i].service : cases[i].compute, status;
		pid_t pid = fork();

		if (pid == 0)
			_exit(in_sandbox(kind, i));
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFEXITED(status));
		if (WEXITSTATUS(status) == SKIPPED)
			print_message("skipped: this kernel has no Landlock: %s\n", cases[i].name);
		else if (WEXITSTATUS(status) != want)
			fail_msg("%s: %d (%s), wanted %d", cases[i].name, WEXITSTATUS(status),
				 strerror(WEXITSTATUS(status)), want);
	}
}

static void test_service(void **state)
{
	expect_all(SANDBOX_SERVICE);
}

static void test_compute(void **state)
{
	expect_all(SANDBOX_COMPUTE);
}

static void *wait_there(void *arg)
{
	char c;

	while (read(*(int *)arg, &c, 1) < 0)
		;
	return NULL;
}

// What the kernel says: a thread that has not given up its capabilities is not overlooked.
static int look(void)
{
	struct sandbox_seen before, half, whole;
	struct sandbox s;
	pthread_t thread;
	int fds[2];
	bool root = geteuid() == 0;
	const struct sandbox_path proc = {"/proc", false};

	sandbox_look(getpid(), &before);
	if (pipe(fds) != 0 || pthread_create(&thread, NULL, wait_there, &fds[0]) != 0 ||
	    sandbox_init(&s, &proc, 1) != 0 || sandbox_thread(&s) != 0 ||
	    sandbox_calls(&s, SANDBOX_SERVICE) != 0)
		return BROKEN;
	sandbox_look(getpid(), &half); // seccomp is for all threads, the rest is not
	close(fds[1]);
	pthread_join(thread, NULL);
	sandbox_look(getpid(), &whole);
	if (!before.known || before.seccomp || (root && before.no_capabilities))
		return 1;
	if (!half.known || !half.seccomp || (root && half.no_capabilities))
		return 2;
	if (!whole.known || !whole.seccomp || !whole.no_capabilities || !whole.no_new_privs)
		return 3;
	sandbox_look(0x7ffffffe, &whole);
	return whole.known ? 4 : 0;
}

static void expect_fine(int (*in_child)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(in_child());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), FINE);
}

static void test_look(void **state)
{
	expect_fine(look);
}

static int core(void)
{
	struct rlimit limit;
	struct sandbox s;

	if (sandbox_init(&s, NULL, 0) != 0 || getrlimit(RLIMIT_CORE, &limit) != 0)
		return BROKEN;
	if (limit.rlim_cur != 0 || limit.rlim_max != 0)
		return 1;
	return !SANDBOX_TRACED && prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0 ? 2 : 0;
}

static void test_core(void **state)
{
	expect_fine(core);
}

static int setup(void **state)
{
	snprintf(dir, sizeof(dir), P_tmpdir "/wireglass-sandbox-XXXXXX");
	if (mkdtemp(dir) == NULL || mkdir(path_of("in"), 0700) != 0 ||
	    mkdir(path_of("ro"), 0700) != 0)
		return -1;
	close(open(path_of("in/file"), O_CREAT | O_WRONLY, 0600));
	close(open(path_of("ro/file"), O_CREAT | O_WRONLY, 0600));
	return 0;
}

static int teardown(void **state)
{
	unlink(path_of("in/file"));
	unlink(path_of("ro/file"));
	rmdir(path_of("in"));
	rmdir(path_of("ro"));
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_service),
		cmocka_unit_test(test_compute),
		cmocka_unit_test(test_look),
		cmocka_unit_test(test_core),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

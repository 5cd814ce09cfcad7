// SPDX-License-Identifier: BSD-2-Clause
// See sandbox.h. Landlock has no library in Debian 12: its three system calls are made here, with what this kernel's
// version of it knows; a file right that an older kernel does not know is not asked for.
#include "common/sandbox.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
	// The versions of Landlock's file rights.
	ABI_REFER = 2,
	ABI_TRUNCATE = 3,
};

// Not in the headers of Debian 12.
#define RIGHT_TRUNCATE (UINT64_C(1) << 14)

#define RIGHTS_FILE_READ  LANDLOCK_ACCESS_FS_READ_FILE
#define RIGHTS_FILE_WRITE (LANDLOCK_ACCESS_FS_WRITE_FILE | RIGHT_TRUNCATE)
#define RIGHTS_DIR                                                                                 \
	(LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |                            \
	 LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |                             \
	 LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_REFER)
#define RIGHTS_ALL                                                                                 \
	(RIGHTS_FILE_READ | RIGHTS_FILE_WRITE | RIGHTS_DIR | LANDLOCK_ACCESS_FS_EXECUTE |          \
	 LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_FIFO |                             \
	 LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM)

__attribute__((format(printf, 3, 4))) static int failed(struct sandbox *s, int err, const char *fmt,
							...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(s->problem, sizeof(s->problem), fmt, ap);
	va_end(ap);
	return err;
}

static uint64_t known_rights(int abi)
{
	uint64_t rights = RIGHTS_ALL;

	if (abi < ABI_REFER)
		rights &= ~(uint64_t)LANDLOCK_ACCESS_FS_REFER;
	if (abi < ABI_TRUNCATE)
		rights &= ~RIGHT_TRUNCATE;
	return rights;
}

static int add_path(struct sandbox *s, const struct sandbox_path *p)
{
	struct landlock_path_beneath_attr rule = {
		.allowed_access = RIGHTS_FILE_READ | LANDLOCK_ACCESS_FS_READ_DIR,
		.parent_fd = open(p->path, O_PATH | O_CLOEXEC),
	};
	struct stat st;
	int err = 0;

	if (rule.parent_fd < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
	if (p->write)
		rule.allowed_access |= RIGHTS_FILE_WRITE | RIGHTS_DIR;
	if (fstat(rule.parent_fd, &st) == 0 && !S_ISDIR(st.st_mode))
		rule.allowed_access &= RIGHTS_FILE_READ | RIGHTS_FILE_WRITE;
	rule.allowed_access &= known_rights(s->landlock_abi);
	if (syscall(SYS_landlock_add_rule, s->landlock_fd, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) !=
	    0)
		err = -errno;
	close(rule.parent_fd);
	return err;
}

// Memory holds what is on the wire. A limit keeps files away, and this flag every program that takes cores by a pipe.
static int forbid_core(void)
{
	const struct rlimit none = {0};

	if (setrlimit(RLIMIT_CORE, &none) != 0)
		return -errno;
	if (!SANDBOX_TRACED && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
		return -errno;
	return 0;
}

int sandbox_init(struct sandbox *s, const struct sandbox_path *paths, size_t n)
{
	struct landlock_ruleset_attr attr = {0};
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	*s = (struct sandbox){.landlock_fd = -1};
	int err = forbid_core();
	if (err != 0)
		return failed(s, err, "core files: %s", strerror(-err));
	if (abi < 1)
		return 0;
	attr.handled_access_fs = known_rights((int)abi);
	s->landlock_fd = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
	if (s->landlock_fd < 0)
		return failed(s, -errno, "Landlock: %s", strerror(errno));
	s->landlock_abi = (int)abi;
	for (size_t i = 0; i < n; i++) {
		err = paths[i].path != NULL && paths[i].path[0] != '\0' ? add_path(s, &paths[i])
									: 0;
		if (err != 0)
			return failed(s, err, "Landlock: %s: %s", paths[i].path, strerror(-err));
	}
	return 0;
}

static int drop_capabilities(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[2] = {{0}, {0}};

	// The bounding set needs CAP_SETPCAP; without it there is nothing to bound.
	for (int cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		(void)prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	return syscall(SYS_capset, &header, none) != 0 ? -errno : 0;
}

int sandbox_thread(struct sandbox *s)
{
	int err;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return failed(s, -errno, "no_new_privs: %s", strerror(errno));
	err = s->keep_capabilities ? 0 : drop_capabilities();
	if (err != 0)
		return failed(s, err, "capabilities: %s", strerror(-err));
	if (s->landlock_fd >= 0 && syscall(SYS_landlock_restrict_self, s->landlock_fd, 0) != 0)
		return failed(s, -errno, "Landlock: %s", strerror(errno));
	return 0;
}

// What a service never needs again. Names that this libseccomp or this machine does not know are left out.
static const char *const refused[] = {
	// other programs and processes
	"execve",
	"execveat",
	"process_vm_readv",
	"process_vm_writev",
	"kcmp",
	"pidfd_getfd",
	"process_madvise",
	"personality",
	// the kernel
	"init_module",
	"finit_module",
	"delete_module",
	"kexec_load",
	"kexec_file_load",
	"perf_event_open",
	"userfaultfd",
	"io_uring_setup",
	"io_uring_enter",
	"io_uring_register",
	"add_key",
	"request_key",
	"keyctl",
	"iopl",
	"ioperm",
	"modify_ldt",
	"syslog",
	"reboot",
	"acct",
	"quotactl",
	"quotactl_fd",
	"swapon",
	"swapoff",
	"lookup_dcookie",
	"vhangup",
	// mounts and names
	"mount",
	"umount2",
	"pivot_root",
	"chroot",
	"move_mount",
	"open_tree",
	"fsopen",
	"fsconfig",
	"fsmount",
	"fspick",
	"mount_setattr",
	"setns",
	"unshare",
	"sethostname",
	"setdomainname",
	"name_to_handle_at",
	"open_by_handle_at",
	"mknod",
	"mknodat",
	// time, users
	"settimeofday",
	"clock_settime",
	"adjtimex",
	"clock_adjtime",
	"setuid",
	"setgid",
	"setreuid",
	"setregid",
	"setresuid",
	"setresgid",
	"setfsuid",
	"setfsgid",
	"setgroups",
};

// As well, unless a sanitizer needs it.
static const char *const tracing[] = {
	"ptrace",
};

// What only computes.
static const char *const allowed[] = {
	"read",
	"readv",
	"pread64",
	"write",
	"writev",
	"pwrite64",
	"lseek",
	"fstat",
	"ftruncate",
	"close",
	"brk",
	"mmap",
	"munmap",
	"mremap",
	"mprotect",
	"madvise",
	"futex",
	"getrandom",
	"clock_gettime",
	"clock_getres",
	"gettimeofday",
	"time",
	"clock_nanosleep",
	"nanosleep",
	"getpid",
	"gettid",
	"tgkill",
	"getrusage",
	"times",
	"prlimit64",
	"getrlimit",
	"sysinfo",
	"rt_sigaction",
	"rt_sigprocmask",
	"rt_sigreturn",
	"sigaltstack",
	"restart_syscall",
	"sched_yield",
	"sched_getaffinity",
	"exit",
	"exit_group",
	"arch_prctl",
	"membarrier",
	"rseq",
	"set_robust_list",
};

static int add_names(scmp_filter_ctx ctx, uint32_t action, const char *const *names, size_t n)
{
	int err = 0;

	for (size_t i = 0; i < n && err == 0; i++) {
		int number = seccomp_syscall_resolve_name(names[i]);

		if (number >= 0)
			err = seccomp_rule_add(ctx, action, number, 0);
	}
	return err;
}

// Sockets of a service: to programs of this machine, and TCP and UDP as a user may; nothing raw, no other family.
static int add_sockets(scmp_filter_ctx ctx)
{
	const uint32_t no = SCMP_ACT_ERRNO(EPERM);
	const int number = SCMP_SYS(socket);
	int err = seccomp_rule_add(ctx, no, number, 1, SCMP_A0(SCMP_CMP_GT, AF_INET6));

	for (int family = 0; family < AF_INET6 && err == 0; family++)
		if (family != AF_UNIX && family != AF_INET)
			err = seccomp_rule_add(ctx, no, number, 1,
					       SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)family));
	if (err == 0)
		err = seccomp_rule_add(ctx, no, number, 1,
				       SCMP_A1(SCMP_CMP_MASKED_EQ, 0xf, SOCK_RAW));
	return err;
}

int sandbox_calls(struct sandbox *s, enum sandbox_kind kind)
{
	const bool compute = kind == SANDBOX_COMPUTE;
	scmp_filter_ctx ctx = seccomp_init(compute ? SCMP_ACT_ERRNO(EPERM) : SCMP_ACT_ALLOW);
	int err = -ENOMEM;

	if (ctx == NULL)
		return failed(s, err, "seccomp: out of memory");
	if (compute)
		err = add_names(ctx, SCMP_ACT_ALLOW, allowed, sizeof(allowed) / sizeof(allowed[0]));
	else
		err = add_names(ctx, SCMP_ACT_ERRNO(EPERM), refused,
				sizeof(refused) / sizeof(refused[0]));
	if (err == 0 && !compute && !SANDBOX_TRACED)
		err = add_names(ctx, SCMP_ACT_ERRNO(EPERM), tracing, 1);
	if (err == 0 && compute) // fstat(2) of today's libc: of a descriptor, never of a name
		err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(newfstatat), 1,
				       SCMP_A3(SCMP_CMP_MASKED_EQ, AT_EMPTY_PATH, AT_EMPTY_PATH));
	if (err == 0 && kind == SANDBOX_SERVICE)
		err = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(bpf), 0);
	if (err == 0 && kind == SANDBOX_SERVICE)
		err = add_sockets(ctx);
	if (err == 0)
		err = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1);
	if (err == 0)
		err = seccomp_load(ctx);
	seccomp_release(ctx);
	return err == 0 ? 0 : failed(s, err, "seccomp: %s", strerror(-err));
}

// One thread's status file.
static bool look_at(const char *path, struct sandbox_seen *io_seen)
{
	FILE *f = fopen(path, "re");
	unsigned long long caps = 1;
	unsigned int nnp = 0, seccomp = 0;
	char line[256];

	if (f == NULL)
		return false;
	while (fgets(line, sizeof(line), f) != NULL) {
		(void)sscanf(line, "CapPrm: %llx", &caps);
		(void)sscanf(line, "NoNewPrivs: %u", &nnp);
		(void)sscanf(line, "Seccomp: %u", &seccomp);
	}
	fclose(f);
	io_seen->no_capabilities = io_seen->no_capabilities && caps == 0;
	io_seen->no_new_privs = io_seen->no_new_privs && nnp == 1;
	io_seen->seccomp = io_seen->seccomp && seccomp == 2;
	return true;
}

void sandbox_look(int pid, struct sandbox_seen *ret_seen)
{
	struct sandbox_seen seen = {.no_new_privs = true, .no_capabilities = true, .seccomp = true};
	char path[320];

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	DIR *dir = opendir(path);
	for (struct dirent *e; dir != NULL && (e = readdir(dir)) != NULL;) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/proc/%d/task/%s/status", pid, e->d_name);
		seen.known = look_at(path, &seen) || seen.known;
	}
	if (dir != NULL)
		closedir(dir);
	if (!seen.known)
		seen = (struct sandbox_seen){0};
	*ret_seen = seen;
}

// SPDX-License-Identifier: BSD-2-Clause
// What a program gives up once it has all it needs: capabilities, new privileges, system calls, files; and core files.
//
// Capabilities and files (Landlock, where the kernel has it) are a matter of each thread: a thread that is made later has
// what its maker has, others call sandbox_thread() themselves. The system calls are for all threads at once. What is refused
// is refused with EPERM or EACCES, so that a program says what it could not do instead of dying.
#ifndef COMMON_SANDBOX_H
#define COMMON_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>

#include "common/diag.h"

enum {
	SANDBOX_PATHS_MAX = 32,
// AddressSanitizer has a program traced at its end to look for leaks. gcc says it by a macro, clang by a feature.
#if defined(__SANITIZE_ADDRESS__)
	SANDBOX_TRACED = true,
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
	SANDBOX_TRACED = true,
#else
	SANDBOX_TRACED = false,
#endif
#else
	SANDBOX_TRACED = false,
#endif
};

struct sandbox_path {
	const char *
		path; // of a folder or file; one that is not there is left out. NULL or "": left out
	bool write;   // files below it may be made, changed and removed, too
};

// What is left.
enum sandbox_kind {
	SANDBOX_SERVICE, // everything but new programs, other processes, mounts, kernel settings, raw sockets
	SANDBOX_DRIVER, // the same, with bpf and all sockets: for drivers that undo in the kernel what they did
	SANDBOX_COMPUTE, // memory, and files that are open: no file, no socket, no process
};

struct sandbox {
	int landlock_fd;        // -1: this kernel has no Landlock
	int landlock_abi;       // 0: the same
	bool keep_capabilities; // set after sandbox_init() if a driver needs them to its end
	char problem[200];      // what could not be given up, "" if all was
};

// No core file is written from now on. Prepare what threads give up: all files but those below these paths. 0 or negative errno with s->problem.
int sandbox_init(struct sandbox *s, const struct sandbox_path *paths, size_t n);

// The calling thread gives up capabilities, new privileges and the other files. 0 or negative errno with s->problem.
int sandbox_thread(struct sandbox *s);

// All threads of the process give up system calls. 0 or negative errno with s->problem.
int sandbox_calls(struct sandbox *s, enum sandbox_kind kind);

// What the kernel says of a process: the least that any of its threads has given up.
struct sandbox_seen {
	bool known; // false: there is no such process, or it may not be looked at
	bool no_new_privs, no_capabilities, seccomp;
};
void sandbox_look(int pid, struct sandbox_seen *ret_seen);

#endif

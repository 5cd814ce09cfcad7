// SPDX-License-Identifier: BSD-2-Clause
// What the demo starts and must take away again: a temporary directory and child processes.
#ifndef CONTROL_CLI_DEMO_RUN_H
#define CONTROL_CLI_DEMO_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
	DEMO_CHILDREN_MAX = 4,
	DEMO_PATH_BYTES = 256,
};

struct demo_child {
	pid_t pid; // 0: none, or gone
	const char *name;
	char log[DEMO_PATH_BYTES]; // its stderr
};

struct demo_run {
	char dir[64]; // sockets live in it, and their paths are short
	bool keep;
	struct demo_child children[DEMO_CHILDREN_MAX];
	int n_children;
};

// SIGINT, SIGTERM or SIGHUP has come: leave what you are doing and clean up.
extern volatile int demo_interrupted;

// Make the directory and watch for interrupts. 0 or negative errno.
int demo_run_begin(struct demo_run *r);
// Stop the children (SIGTERM, after 5 s SIGKILL), remove the directory unless r->keep.
void demo_run_end(struct demo_run *r);

// dir/name. Returns buf.
const char *demo_path(const struct demo_run *r, const char *name, char *buf, size_t size);

// Start program (a name): the file beside our own binary, else the one in PATH. args without the name, NULL-terminated.
// Its stderr goes to dir/<program>.log. stdout_fd: -1 for the log too. 0 or negative errno.
int demo_spawn(struct demo_run *r, const char *program, const char *const *args, int stdout_fd);

// The first child that has ended, or NULL; *ret_status as waitpid() has it.
const struct demo_child *demo_dead(struct demo_run *r, int *ret_status);

// Print the last lines of a child's log to stderr.
void demo_print_log(const struct demo_child *child);

// Run a program to its end and keep what it prints (at most size - 1 bytes, NUL-terminated).
// Its exit code, or negative errno.
int demo_capture(const char *program, const char *const *args, char *buf, size_t size);

// Wait about ms, or until interrupted.
void demo_sleep(unsigned int ms);

#endif

// SPDX-License-Identifier: BSD-2-Clause
// Children and files of the demo. They go whatever happens: at the end, at an error, at Ctrl-C; and if the demo itself is
// killed, the children are sent SIGTERM by the kernel (PDEATHSIG).
#include "control/cli/demo_run.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	STOP_MS = 5000,
	ARGS_MAX = 32,
	LOG_LINES = 12,
};

volatile int demo_interrupted;

static void on_signal(int sig)
{
	demo_interrupted = 1;
}

int demo_run_begin(struct demo_run *r)
{
	struct sigaction action = {.sa_handler = on_signal};
	const char *tmp = getenv("TMPDIR");

	r->n_children = 0;
	if (tmp == NULL || tmp[0] != '/' || strlen(tmp) > 40)
		tmp = P_tmpdir;
	snprintf(r->dir, sizeof(r->dir), "%s/wireglass-XXXXXX", tmp);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	if (mkdtemp(r->dir) == NULL) {
		r->dir[0] = '\0';
		return -errno;
	}
	return 0;
}

const char *demo_path(const struct demo_run *r, const char *name, char *buf, size_t size)
{
	snprintf(buf, size, "%s/%s", r->dir, name);
	return buf;
}

void demo_sleep(unsigned int ms)
{
	struct timespec ts = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

	nanosleep(&ts, NULL);
}

// Remove what is in a directory of ours, two levels deep, and the directory. Links are removed, never followed.
static void remove_dir(int at, const char *name, int depth)
{
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *e;

	while (dir != NULL && (e = readdir(dir)) != NULL) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if (unlinkat(fd, e->d_name, 0) != 0 && depth > 0)
			remove_dir(fd, e->d_name, depth - 1);
	}
	if (dir != NULL)
		closedir(dir);
	else if (fd >= 0)
		close(fd);
	unlinkat(at, name, AT_REMOVEDIR);
}

static bool reap(struct demo_child *c, int *ret_status)
{
	if (c->pid == 0 || waitpid(c->pid, ret_status, WNOHANG) != c->pid)
		return false;
	c->pid = 0;
	return true;
}

void demo_run_end(struct demo_run *r)
{
	int status;
	bool left = true;

	// The last started first: wireglassd before the dataplane it talks to.
	for (int i = r->n_children - 1; i >= 0; i--)
		if (r->children[i].pid != 0)
			kill(r->children[i].pid, SIGTERM);
	for (int waited = 0; left && waited < STOP_MS; waited += 20) {
		left = false;
		for (int i = 0; i < r->n_children; i++) {
			reap(&r->children[i], &status);
			left |= r->children[i].pid != 0;
		}
		if (left)
			demo_sleep(20);
	}
	for (int i = 0; i < r->n_children; i++)
		if (r->children[i].pid != 0) {
			kill(r->children[i].pid, SIGKILL);
			waitpid(r->children[i].pid, &status, 0);
			r->children[i].pid = 0;
		}
	if (!r->keep && r->dir[0] != '\0')
		remove_dir(AT_FDCWD, r->dir, 3);
}

const struct demo_child *demo_dead(struct demo_run *r, int *ret_status)
{
	for (int i = 0; i < r->n_children; i++)
		if (reap(&r->children[i], ret_status))
			return &r->children[i];
	return NULL;
}

// The program beside our own binary if it is there, else its bare name for PATH.
static void locate(const char *program, char *buf, size_t size)
{
	char self[DEMO_PATH_BYTES];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	snprintf(buf, size, "%s", program);
	if (n <= 0)
		return;
	self[n] = '\0';
	char *slash = strrchr(self, '/');
	if (slash == NULL)
		return;
	slash[1] = '\0';
	char beside[DEMO_PATH_BYTES + 64];
	snprintf(beside, sizeof(beside), "%s%s", self, program);
	if (access(beside, X_OK) == 0)
		snprintf(buf, size, "%s", beside);
}

// In the child: become the program. out and err become its stdout and stderr.
static void become(const char *path, const char *const *args, int out, int err, pid_t parent)
{
	union {
		const char *from;
		char *to;
	} argv[ARGS_MAX + 2];
	int n = 0, null = open("/dev/null", O_RDONLY);

	argv[n++].from = path;
	for (int i = 0; args[i] != NULL && n <= ARGS_MAX; i++)
		argv[n++].from = args[i];
	argv[n].from = NULL;
	setpgid(0, 0); // Ctrl-C reaches us alone, and we stop the children in order
	for (int s = 1; s < NSIG; s++)
		signal(s, SIG_DFL);
	if (prctl(PR_SET_PDEATHSIG, SIGTERM) != 0 || getppid() != parent || dup2(null, 0) < 0 ||
	    dup2(out, 1) < 0 || dup2(err, 2) < 0)
		_exit(126);
	execvp(path, &argv[0].to);
	dprintf(2, "cannot start %s: %s\n", path, strerror(errno));
	_exit(127);
}

int demo_spawn(struct demo_run *r, const char *program, const char *const *args, int stdout_fd)
{
	struct demo_child *c = &r->children[r->n_children];
	char path[DEMO_PATH_BYTES * 2], log[sizeof(r->dir) + 64];

	snprintf(log, sizeof(log), "%s/%.50s.log", r->dir, program);
	snprintf(c->log, sizeof(c->log), "%s", log);
	int fd = open(c->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	locate(program, path, sizeof(path));
	pid_t parent = getpid();
	c->pid = fork();
	if (c->pid == 0)
		become(path, args, stdout_fd >= 0 ? stdout_fd : fd, fd, parent);
	int err = c->pid < 0 ? -errno : 0;
	close(fd);
	if (err != 0) {
		c->pid = 0;
		return err;
	}
	c->name = program;
	r->n_children++;
	return 0;
}

void demo_print_log(const struct demo_child *child)
{
	char tail[4096];
	FILE *f = fopen(child->log, "r");
	size_t n = 0;
	int lines = 0;

	if (f == NULL)
		return;
	if (fseek(f, -(long)sizeof(tail) + 1, SEEK_END) != 0)
		rewind(f);
	n = fread(tail, 1, sizeof(tail) - 1, f);
	fclose(f);
	tail[n] = '\0';
	const char *start = tail + n;
	while (start > tail && lines <= LOG_LINES)
		if (*--start == '\n')
			lines++;
	fprintf(stderr, "%s\n", *start == '\n' ? start + 1 : start);
}

int demo_capture(const char *program, const char *const *args, char *buf, size_t size)
{
	int fds[2], status;
	char path[DEMO_PATH_BYTES * 2];
	size_t len = 0;
	ssize_t n;

	if (pipe2(fds, O_CLOEXEC) != 0)
		return -errno;
	locate(program, path, sizeof(path));
	pid_t parent = getpid(), pid = fork();
	if (pid == 0)
		become(path, args, fds[1], 2, parent);
	close(fds[1]);
	while (pid > 0 && len < size - 1 && !demo_interrupted) {
		n = read(fds[0], buf + len, size - 1 - len);
		if (n == 0 || (n < 0 && errno != EINTR))
			break;
		if (n > 0)
			len += (size_t)n;
	}
	close(fds[0]);
	buf[len] = '\0';
	if (pid < 0)
		return -ECHILD;
	if (demo_interrupted)
		kill(pid, SIGTERM);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -EINTR;
}

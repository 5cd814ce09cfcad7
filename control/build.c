// SPDX-License-Identifier: BSD-2-Clause
// The compile child: started, limited, watched, and never believed.
//
// The signature was verified before; still the archive reader, the rule parser and Hyperscan's compiler are a lot of
// code to run on somebody's text. They run in a forked child without capabilities and privileges to gain, without open
// files but two memfds and no way to open a file, a socket or a process (common/sandbox.h), with limits on CPU time,
// memory, file size and wall-clock time, and it dies with us. What it wrote is copied into a sealed memfd of our own, and then checked (rule_image_new) like any other hostile bytes.
#include "control/build.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/log.h"
#include "common/sandbox.h"
#include "control/text.h"
#include "rules/compile.h"

enum {
	CHILD_IMAGE_FD = 3,
	CHILD_REPORT_FD = 4,
	REPORT_MAX = 1 << 20,
};

static void limit(int resource, uint64_t value)
{
	struct rlimit r = {.rlim_cur = value, .rlim_max = value};

	if (setrlimit(resource, &r) != 0)
		_exit(126);
}

// Address space in use now: the limit is on what the child adds.
static uint64_t address_space(void)
{
	char text[64] = "";
	int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;

	if (fd >= 0)
		close(fd);
	return n > 0 ? strtoull(text, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
}

// Only the two memfds, /dev/null and stderr stay open.
static void child_files(int image_fd, int report_fd)
{
	int null = open("/dev/null", O_RDWR);
	// Out of the way first: they may be 3 or 4 themselves.
	int image = fcntl(image_fd, F_DUPFD, 16), report = fcntl(report_fd, F_DUPFD, 16);

	if (null < 0 || image < 0 || report < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 ||
	    dup2(image, CHILD_IMAGE_FD) < 0 || dup2(report, CHILD_REPORT_FD) < 0 ||
	    close_range(CHILD_REPORT_FD + 1, ~0u, 0) != 0)
		_exit(126);
}

static void child_limits(const struct settings_compile *l, pid_t parent)
{
	const uint64_t as_bytes = address_space();
	sigset_t none;

	sigemptyset(&none);
	for (int n = 1; n < NSIG; n++)
		signal(n, SIG_DFL);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
	    getppid() != parent)
		_exit(126);
	// What the kernel cannot do is left out; what it refuses to do is no reason to go on without.
	struct sandbox s;
	if (sandbox_init(&s, NULL, 0) != 0 || sandbox_thread(&s) != 0)
		_exit(126);
	limit(RLIMIT_CPU, (uint64_t)l->cpu_s);
	limit(RLIMIT_FSIZE, (uint64_t)IMAGE_MAX_BYTES + REPORT_MAX);
	limit(RLIMIT_AS, as_bytes + ((uint64_t)l->memory_mb << 20));
	limit(RLIMIT_NOFILE, 0);
	if (sandbox_calls(&s, SANDBOX_COMPUTE) != 0)
		_exit(126);
}

static void close_all(struct build *b)
{
	if (b->pidfd >= 0) {
		loop_remove(b->loop, &b->source);
		close(b->pidfd);
	}
	if (b->image_fd >= 0)
		close(b->image_fd);
	if (b->report_fd >= 0)
		close(b->report_fd);
	loop_timer_cancel(b->loop, &b->wall);
	if (b->shared != NULL)
		munmap(b->shared, sizeof(*b->shared));
	b->shared = NULL;
	b->pidfd = b->image_fd = b->report_fd = -1;
	b->pid = 0;
}

static json_t *failure(const char *code, const char *text)
{
	return json_pack("{s:o, s:s}", "error", text_json(text), "code", code);
}

// What the child was busy with, as far as it told: its own memory, so nothing in it is believed but to be bytes.
static const char *busy_with(const struct build *b, char *buf, size_t size)
{
	const struct progress *p = &b->shared->progress;
	size_t used = 0;

	buf[0] = '\0';
	for (int i = 0; i < PROGRESS_SLOTS; i++) {
		const struct progress_rule *at = &p->at[i];
		uint32_t sid = atomic_load_explicit(&at->sid, memory_order_acquire);

		if (sid == 0 || used >= size)
			continue;
		used += (size_t)snprintf(buf + used, size - used, "%s%.*s:%u (sid %u)",
					 used == 0 ? ", at " : ", ", (int)sizeof(at->file) - 1,
					 at->file, at->line, sid);
	}
	return buf;
}

// Why the child ended without a report.
static json_t *death(const struct build *b, int status)
{
	char text[1024], at[600];

	busy_with(b, at, sizeof(at));
	if (b->wall_over)
		snprintf(text, sizeof(text), "compiling took longer than %lld s (compile.wall_s)%s",
			 (long long)b->limits.wall_s, at);
	else if (WIFSIGNALED(status) &&
		 (WTERMSIG(status) == SIGXCPU || WTERMSIG(status) == SIGKILL))
		snprintf(text, sizeof(text),
			 "compiling was stopped: more than %lld s of CPU time (compile.cpu_s), or "
			 "the system is out of memory%s",
			 (long long)b->limits.cpu_s, at);
	else if (WIFSIGNALED(status))
		snprintf(text, sizeof(text),
			 "the compiler crashed (signal %d)%s: this bundle cannot be used, please "
			 "report it",
			 WTERMSIG(status), at);
	else
		snprintf(text, sizeof(text), "the compile process %s (exit code %d)%s",
			 WEXITSTATUS(status) == 126 ? "could not be limited, so it did not start"
						    : "ended without a result",
			 WEXITSTATUS(status), at);
	return failure("compile", text);
}

static json_t *read_report(int fd)
{
	struct stat st;
	json_t *report = NULL;

	if (fstat(fd, &st) != 0 || st.st_size <= 0 || st.st_size > REPORT_MAX)
		return NULL;
	char *text = malloc((size_t)st.st_size);
	if (text != NULL && pread(fd, text, (size_t)st.st_size, 0) == st.st_size)
		report = json_loadb(text, (size_t)st.st_size, 0, NULL);
	free(text);
	if (report != NULL && !json_is_object(report)) {
		json_decref(report);
		return NULL;
	}
	return report;
}

// Our own sealed copy of what the child left in fd: nobody can change it after it has been checked.
static int copy_image(int fd)
{
	struct stat st;

	if (fstat(fd, &st) != 0 || st.st_size <= 0 || st.st_size > IMAGE_MAX_BYTES)
		return -EBADMSG;
	void *map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return -errno;
	int copy = image_memfd(map, (uint64_t)st.st_size);
	munmap(map, (size_t)st.st_size);
	return copy;
}

static void on_child_exit(void *ctx, uint32_t events)
{
	struct build *b = ctx;
	int status, image_fd = -1, error = 0;

	sandbox_look(b->pid, &b->seen); // as long as it is a zombie
	if (waitpid(b->pid, &status, WNOHANG) != b->pid)
		return;
	json_t *report = NULL;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		report = read_report(b->report_fd);
	if (report == NULL)
		report = death(b, status);
	if (json_object_get(report, "error") != NULL)
		error = -EINVAL;
	if (error == 0) {
		image_fd = copy_image(b->image_fd);
		if (image_fd < 0) {
			error = image_fd;
			image_fd = -1;
			json_decref(report);
			report = failure("compile", "the compiled image cannot be taken over");
		}
	}
	close_all(b);
	b->done(b->ctx, error, report, image_fd);
	json_decref(report);
}

static void on_wall_clock(void *ctx)
{
	struct build *b = ctx;

	b->wall_over = true;
	kill(b->pid, SIGKILL);
}

// The parts of the cache entry are malloc'ed.
static struct build_cached find_cached(struct build *b, const struct build_request *r)
{
	struct build_cached cached = {0};
	struct cache_hash h;
	struct diag d = {""};
	void *image;
	char *meta, text[1024];
	uint64_t len;
	size_t meta_len;
	int err;

	if (r->cache == NULL)
		return cached;
	cache_hash_init(&h);
	cache_hash_add(&h, span_of("bundle", 6));
	cache_hash_add(&h, r->data);
	cache_hash_add(&h, r->strict ? span_of("strict", 6) : SPAN_NONE);
	for (const struct rule_var *v = r->vars; v != NULL && v->name != NULL; v++) {
		cache_hash_add(&h, span_of(v->name, strlen(v->name)));
		cache_hash_add(&h, span_of(v->value, strlen(v->value)));
	}
	if (cache_hash_done(&h, &b->key) < 0)
		return cached;
	b->cache = r->cache;
	err = cache_get(b->cache, &b->key, &image, &len, &meta, &meta_len, &d);
	if (err == 0)
		cached = (struct build_cached){span_of(image, len), span_of(meta, meta_len)};
	else if (d.text[0] != '\0')
		log_warning("%s", diag_format(&d, text, sizeof(text)));
	return cached;
}

void build_keep(const struct build *b, struct span image, const json_t *report)
{
	struct diag d = {""};
	char text[1024], *dump;

	if (b->cache == NULL || json_is_true(json_object_get(report, "cached")))
		return;
	dump = json_dumps(report, JSON_COMPACT);
	if (dump != NULL &&
	    cache_put(b->cache, &b->key, image, span_of(dump, strlen(dump)), &d) < 0)
		log_warning("%s", diag_format(&d, text, sizeof(text)));
	free(dump);
}

int build_start(struct build *b, struct loop *loop, const struct build_request *request,
		build_done_fn *done, void *ctx)
{
	int err;

	*b = (struct build){.loop = loop, .pidfd = -1, .done = done, .ctx = ctx, .seen = b->seen};
	b->limits = request->limits;
	b->image_fd = memfd_create("wireglass-image", MFD_CLOEXEC);
	b->report_fd = memfd_create("wireglass-report", MFD_CLOEXEC);
	b->shared = mmap(NULL, sizeof(*b->shared), PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (b->shared == MAP_FAILED)
		b->shared = NULL;
	if (b->image_fd < 0 || b->report_fd < 0 || b->shared == NULL)
		goto fail;
	pid_t parent = getpid();
	struct build_cached cached = find_cached(b, request);
	b->pid = fork();
	err = -errno;
	if (b->pid != 0) {
		free((void *)(uintptr_t)cached.image.data);
		free((void *)(uintptr_t)cached.report.data);
	}
	if (b->pid < 0) {
		errno = -err;
		goto fail;
	}
	if (b->pid == 0) {
		child_files(b->image_fd, b->report_fd);
		child_limits(&request->limits, parent);
		build_child(request, &cached, CHILD_IMAGE_FD, CHILD_REPORT_FD, b->shared);
		_exit(0);
	}
	b->pidfd = pidfd_open(b->pid, 0);
	err = b->pidfd < 0 ? -errno
			   : loop_add(loop, &b->source, b->pidfd, EPOLLIN, on_child_exit, b);
	if (err != 0) {
		build_cancel(b);
		return err;
	}
	loop_timer_set(loop, &b->wall, (uint64_t)request->limits.wall_s * 1000, on_wall_clock, b);
	return 0;

fail:
	err = -errno;
	b->pid = 0;
	close_all(b);
	return err;
}

bool build_running(const struct build *b)
{
	return b->pid > 0;
}

enum build_stage build_stage(const struct build *b)
{
	return b->shared != NULL
		       ? (enum build_stage)__atomic_load_n(&b->shared->stage, __ATOMIC_RELAXED)
		       : BUILD_DONE;
}

void build_cancel(struct build *b)
{
	if (b->pid <= 0)
		return;
	kill(b->pid, SIGKILL);
	waitpid(b->pid, NULL, 0);
	close_all(b);
}

// SPDX-License-Identifier: BSD-2-Clause
// wireglass-guardian: runs an inline dataplane on two interfaces of the kernel, and while that does not forward, because it starts,
// has died or hangs, has the kernel do it: a redirect of tc from each interface to the other.
//
// It parses no frame and no configuration. When it is killed itself the dataplane goes on. What it knows is what the dataplane tells systemd: READY=1, and WATCHDOG=1 once a second
// while every worker moves. The kernel takes over before the dataplane is stopped, and gives up after it is ready: for a moment
// frames may come twice, rather than not at all.
#include <errno.h>
#include <getopt.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <systemd/sd-daemon.h>

#include "common/log.h"

enum {
	EXIT_USAGE =
		2, // also of the dataplane: its configuration is wrong, and will be after a restart
	HANG_DEFAULT_S = 3,
	HANG_MAX_S = 3600,
	STOP_S = 10,
	BACKOFF_MIN_MS = 100,
	BACKOFF_MAX_MS = 10000,
	SETTLED_MS = 60000, // who ran for so long is started again at once
};

struct guardian {
	const char *iface[2];
	char **command;
	uint64_t hang_ms;
	int notify_fd, signal_fd;
	char notify_name[sizeof(((struct sockaddr_un *)0)->sun_path) + 1];
	pid_t child; // 0: none
	bool ready;
	bool stopping;
	bool bypassed;
	uint64_t heard_ms, started_ms, backoff_ms;
};

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

// --- the kernel's path ----------------------------------------------------------------------------------------------

// One run of tc for both directions. 0 or negative errno.
static int tc(const char *batch)
{
	int status = -1, in[2];
	pid_t pid;

	if (pipe(in) < 0)
		return -errno;
	pid = fork();
	if (pid == 0) {
		sigset_t none;

		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		dup2(in[0], STDIN_FILENO);
		close(in[1]);
		execlp("tc", "tc", "-batch", "-", (char *)NULL);
		_exit(127);
	}
	close(in[0]);
	if (pid < 0 || write(in[1], batch, strlen(batch)) < 0)
		status = -1;
	close(in[1]);
	if (pid > 0)
		(void)waitpid(pid, &status, 0);
	return status == 0 ? 0 : -EIO;
}

static int bypass(struct guardian *g, bool on)
{
	char batch[1024] = "";
	size_t used = 0;
	uint64_t start = now_ms();
	int err;

	if (g->bypassed == on)
		return 0;
	for (int i = 0; i < 2; i++) {
		const char *from = g->iface[i], *to = g->iface[1 - i];

		if (on)
			used += (size_t)snprintf(
				batch + used, sizeof(batch) - used,
				"qdisc replace dev %s clsact\n"
				"filter replace dev %s ingress pref 1 handle 800::800 protocol all "
				"u32 "
				"match u32 0 0 action mirred egress redirect dev %s\n",
				from, from, to);
		else
			used += (size_t)snprintf(batch + used, sizeof(batch) - used,
						 "filter del dev %s ingress pref 1\n", from);
	}
	err = tc(batch);
	if (err < 0) {
		log_error("tc cannot switch the path between %s and %s: is iproute2 installed, and "
			  "is this "
			  "root?",
			  g->iface[0], g->iface[1]);
		return err;
	}
	g->bypassed = on;
	log_notice("%s forwards (switched in %llu ms)", on ? "the kernel" : "the dataplane",
		   (unsigned long long)(now_ms() - start));
	return 0;
}

// --- the dataplane --------------------------------------------------------------------------------------------------

static void start(struct guardian *g)
{
	g->ready = false;
	g->started_ms = now_ms();
	g->child = fork();
	if (g->child == 0) {
		sigset_t none;

		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		setenv("NOTIFY_SOCKET", g->notify_name, 1);
		execvp(g->command[0], g->command);
		log_error("%s: %s", g->command[0], strerror(errno));
		_exit(EXIT_USAGE);
	}
	if (g->child < 0) {
		log_error("cannot start %s: %s", g->command[0], strerror(errno));
		g->child = 0;
	}
}

// What it tells systemd, which is us, and whoever started us.
static void hear(struct guardian *g)
{
	char text[4096];
	ssize_t n = recv(g->notify_fd, text, sizeof(text) - 1, MSG_DONTWAIT);

	if (n <= 0)
		return;
	text[n] = '\0';
	(void)sd_notify(0, text);
	if (strstr(text, "WATCHDOG=1") != NULL || strstr(text, "READY=1") != NULL)
		g->heard_ms = now_ms();
	if (strstr(text, "READY=1") != NULL && !g->stopping) {
		g->ready = true;
		(void)bypass(g, false);
	}
}

// Returns an exit code when all is over, else -1.
static int reap(struct guardian *g)
{
	int status;

	if (g->child == 0 || waitpid(g->child, &status, WNOHANG) != g->child)
		return -1;
	g->child = 0;
	(void)bypass(g, true);
	if (WIFSIGNALED(status))
		log_warning("the dataplane was ended by signal %d", WTERMSIG(status));
	else
		log_warning("the dataplane ended with %d", WEXITSTATUS(status));
	if (g->stopping || (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_USAGE))
		return g->stopping ? EXIT_SUCCESS : EXIT_USAGE;
	if (now_ms() - g->started_ms > SETTLED_MS)
		g->backoff_ms = BACKOFF_MIN_MS;
	return -1;
}

static void stop(struct guardian *g)
{
	g->stopping = true;
	g->started_ms = now_ms();
	(void)bypass(g, true);
	if (g->child > 0)
		kill(g->child, SIGTERM);
}

static void kill_hung(struct guardian *g)
{
	log_error("the dataplane has not said for %llu s that its workers move: it is killed",
		  (unsigned long long)(now_ms() - g->heard_ms) / 1000);
	(void)bypass(g, true);
	kill(g->child, SIGKILL);
	g->ready = false;
}

// Milliseconds until something is due; -1: nothing is.
static int due_ms(const struct guardian *g)
{
	const uint64_t now = now_ms();
	uint64_t at;

	if (g->stopping)
		at = g->started_ms + STOP_S * 1000;
	else if (g->child == 0)
		at = g->started_ms + g->backoff_ms;
	else if (g->ready)
		at = g->heard_ms + g->hang_ms;
	else
		return -1;
	return at > now ? (int)(at - now) : 0;
}

static void do_due(struct guardian *g)
{
	if (g->stopping) {
		kill(g->child, SIGKILL);
	} else if (g->child == 0) {
		g->backoff_ms =
			g->backoff_ms * 2 < BACKOFF_MAX_MS ? g->backoff_ms * 2 : BACKOFF_MAX_MS;
		start(g);
	} else {
		kill_hung(g);
	}
}

static int guard(struct guardian *g)
{
	int code = -1;

	start(g);
	while (code < 0) {
		struct pollfd fds[] = {{g->signal_fd, POLLIN, 0}, {g->notify_fd, POLLIN, 0}};
		struct signalfd_siginfo info;

		if (poll(fds, 2, due_ms(g)) == 0)
			do_due(g);
		if (fds[1].revents != 0)
			hear(g);
		if (fds[0].revents != 0 && read(g->signal_fd, &info, sizeof(info)) > 0 &&
		    info.ssi_signo != SIGCHLD)
			stop(g);
		code = reap(g);
		if (g->stopping && g->child == 0)
			code = EXIT_SUCCESS;
	}
	return code;
}

// --- starting -------------------------------------------------------------------------------------------------------

static int prepare(struct guardian *g)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	socklen_t len = sizeof(at);
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	g->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	g->notify_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	// Without a name: the kernel chooses one that is in no file system.
	if (g->signal_fd < 0 || g->notify_fd < 0 ||
	    bind(g->notify_fd, (struct sockaddr *)&at, sizeof(sa_family_t)) < 0 ||
	    getsockname(g->notify_fd, (struct sockaddr *)&at, &len) < 0) {
		log_error("cannot listen to the dataplane: %s", strerror(errno));
		return -errno;
	}
	snprintf(g->notify_name, sizeof(g->notify_name), "@%.*s",
		 (int)(len - offsetof(struct sockaddr_un, sun_path) - 1), at.sun_path + 1);
	return 0;
}

static int usage(FILE *to)
{
	fputs("usage: wireglass-guardian [--hang SECONDS] IFACE IFACE -- PROGRAM [ARGUMENT]...\n\n"
	      "Runs an inline dataplane between two interfaces of the kernel; while it does not "
	      "forward, the\n"
	      "kernel does (tc). SECONDS: of silence, then it is taken to hang and is started "
	      "again (3).\n\n"
	      "See wireglass-guardian(8).\n",
	      to);
	return to == stdout ? EXIT_SUCCESS : EXIT_USAGE;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"hang", required_argument, NULL, 'w'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'v'},
		{0},
	};
	struct guardian g = {.hang_ms = HANG_DEFAULT_S * 1000, .backoff_ms = BACKOFF_MIN_MS};
	int option;

	log_init("wireglass-guardian", LOG_LEVEL_INFO);
	while ((option = getopt_long(argc, argv, "+", options, NULL)) >= 0) {
		if (option == 'v')
			return puts("wireglass-guardian " WIREGLASS_VERSION) < 0;
		if (option != 'w')
			return usage(option == 'h' ? stdout : stderr);
		g.hang_ms = strtoul(optarg, NULL, 10) * 1000;
		if (g.hang_ms < 2000 || g.hang_ms > HANG_MAX_S * 1000) {
			log_error("--hang %s: from 2 to %d seconds; the dataplane speaks once a "
				  "second",
				  optarg, HANG_MAX_S);
			return EXIT_USAGE;
		}
	}
	if (argc - optind >= 4 && strcmp(argv[optind + 2], "--") == 0)
		g.command = argv + optind + 3;
	else
		return usage(stderr);
	for (int i = 0; i < 2; i++) {
		g.iface[i] = argv[optind + i];
		if (if_nametoindex(g.iface[i]) == 0) {
			log_error("there is no interface %s (see ip link)", g.iface[i]);
			return EXIT_USAGE;
		}
	}
	if (prepare(&g) < 0 || bypass(&g, true) < 0)
		return EXIT_FAILURE;
	return guard(&g);
}

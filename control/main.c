// SPDX-License-Identifier: BSD-2-Clause
// wireglassd: options, signals, loop. What it does is in daemon.c.
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"
#include "common/notify.h"
#include "control/confine.h"
#include "control/daemon.h"

enum {
	TELL_MS = 5000, // a fraction of WatchdogSec in etc/systemd/wireglassd.service
};

struct program {
	struct daemon daemon;
	struct loop_source signals;
	struct loop_timer manager;
};

// The loop goes round: that is what the watchdog of the service manager is told.
static void tell_manager(void *ctx)
{
	struct program *p = ctx;
	const struct daemon *d = &p->daemon;
	const struct rule_image *live = d->deploy.confirmed ? d->deploy.live : NULL;
	struct store_totals t;

	store_totals(d->store, &t);
	notify_status(true, "dataplane %s; bundle %s, serial %" PRIu64 "; %" PRIu64 " hits stored",
		      d->dp.state == DPCLIENT_UP ? "connected" : "not connected",
		      live != NULL ? live->id : "none", live != NULL ? live->serial : 0, t.hits);
	loop_timer_set(&p->daemon.loop, &p->manager, TELL_MS, tell_manager, p);
}

static void on_signal(void *ctx, uint32_t events)
{
	struct program *p = ctx;
	struct signalfd_siginfo info;

	if (read(p->signals.fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return;
	struct audit_actor by = {.uid = info.ssi_uid, .pid = (pid_t)info.ssi_pid};
	if (info.ssi_signo == SIGHUP) {
		daemon_reopen(&p->daemon, by);
		return;
	}
	p->daemon.stopped_by = by;
	log_notice("stopping (signal %u)", info.ssi_signo);
	notify_stopping();
	loop_stop(&p->daemon.loop);
}

// Signals as a descriptor. Blocked before anything else starts, so that none is lost.
static int signals_open(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); // a file size limit is a write error like others
	if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
		return -errno;
	int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static void warn_about_keys(const struct settings *s)
{
	struct sig_trust trust;
	struct diag diag = {0};
	char text[1024];

	if (deploy_trust(s, &trust, &diag) != 0)
		log_warning("no bundle can be loaded until a key is trusted: %s",
			    diag_format(&diag, text, sizeof(text)));
}

static int run(struct program *p, const struct settings *settings, struct diag *diag)
{
	int fd = signals_open(), err;

	if (fd < 0) {
		diag_set(diag, NULL, 0, 0, "signals: %s", strerror(-fd));
		return fd;
	}
	umask(0077);
	err = daemon_init(&p->daemon, settings, diag);
	if (err != 0) {
		close(fd);
		return err;
	}
	warn_about_keys(settings);
	confine(&p->daemon);
	log_notice("version " WIREGLASS_VERSION ", listening on %s, dataplane at %s, state in %s",
		   settings->socket, settings->dataplane_socket, settings->state_dir);
	err = loop_add(&p->daemon.loop, &p->signals, fd, EPOLLIN, on_signal, p);
	if (err == 0) {
		notify_ready();
		tell_manager(p);
		err = loop_run(&p->daemon.loop);
	}
	if (err != 0)
		diag_set(diag, NULL, 0, 0, "event loop: %s", strerror(-err));
	loop_remove(&p->daemon.loop, &p->signals);
	close(fd);
	daemon_done(&p->daemon);
	return err;
}

static int check_only(const struct settings *s, struct diag *diag)
{
	struct sig_trust trust;
	int err = deploy_trust(s, &trust, diag);

	if (err == 0)
		printf("wireglassd: configuration is good: %s, %u trusted key%s\n",
		       s->config[0] != '\0' ? s->config : "defaults and options", trust.n,
		       trust.n == 1 ? "" : "s");
	return err;
}

int main(int argc, char **argv)
{
	struct program *p = calloc(1, sizeof(*p));
	struct settings settings;
	struct diag diag = {0};
	char text[1024];

	log_init("wireglassd", LOG_LEVEL_INFO);
	if (p == NULL) {
		log_error("out of memory");
		return EXIT_FAILURE;
	}
	int err = settings_args(&settings, argc, argv, &diag);
	bool usage = err == -EINVAL;
	if (err == 0)
		err = settings.check ? check_only(&settings, &diag) : run(p, &settings, &diag);
	free(p);
	if (err < 0)
		log_error("%s", diag_format(&diag, text, sizeof(text)));
	return err >= 0 ? EXIT_SUCCESS : usage ? 2 : EXIT_FAILURE;
}

// SPDX-License-Identifier: BSD-2-Clause
// The parts of wireglassd and what passes between them:
//
//   dpclient --hits--> report --> store --> ack to dpclient, followers in admin, sinks
//   dpclient --state-> deploy --offer--> dpclient
//   admin ----load---> deploy
//
// The dataplane is not connected before the reload of the live bundle is over, so that its first hits find their rules.
#include "control/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"
#include "control/text.h"

enum {
	PAUSE_MIN_MS = 500,
	PAUSE_MAX_MS = 30000,
	EXPIRE_MS = 60000,
};

static void on_up(void *ctx)
{
	struct daemon *d = ctx;

	report_engine(&d->report, "dataplane connected",
		      (const char *const[]){"dataplane_version", d->dp.hello.version, NULL});
	deploy_dp_up(&d->deploy);
}

static void on_down(void *ctx)
{
	struct daemon *d = ctx;

	daemon_save_coverage(d);
	report_engine(&d->report, "dataplane disconnected",
		      (const char *const[]){"reason", d->dp.error, NULL});
	deploy_dp_down(&d->deploy);
}

static void on_ruleset_state(void *ctx, const struct ipc_ruleset_state *state)
{
	struct daemon *d = ctx;

	deploy_dp_state(&d->deploy, state);
}

static void try_again(void *ctx);

static void pause_hits(struct daemon *d, const struct diag *diag)
{
	struct daemon_pause *p = &d->pause;

	if (!p->on) {
		p->on = true;
		p->since_ns = loop_wall_ns();
		p->times++;
		log_error("hits are not acknowledged until this is put right: %s: %s", diag->file,
			  diag->text);
	}
	snprintf(p->reason, sizeof(p->reason), "%.200s: %.380s", diag->file, diag->text);
	loop_timer_set(&d->loop, &p->timer, p->backoff_ms, try_again, d);
	p->backoff_ms = p->backoff_ms * 2 > PAUSE_MAX_MS ? PAUSE_MAX_MS : p->backoff_ms * 2;
}

static void try_again(void *ctx)
{
	struct daemon *d = ctx;
	struct daemon_pause *p = &d->pause;
	struct diag diag = {0};
	uint64_t new;
	int err = report_hits(&d->report, &p->batch, p->hits, &diag);

	if (err == 0)
		err = report_commit(&d->report, &new, &diag);
	if (err != 0) {
		pause_hits(d, &diag);
		return;
	}
	p->on = false;
	p->backoff_ms = PAUSE_MIN_MS;
	p->reason[0] = '\0';
	log_notice("hits can be stored again");
	admin_new_hits(&d->admin);
	report_pump(&d->report);
	dpclient_reconnect(&d->dp, "asking for the hits that could not be stored");
}

static void on_hits(void *ctx, const struct ipc_hits *batch, const struct hit *hits)
{
	struct daemon *d = ctx;
	struct diag diag = {0};

	if (d->pause.on) // not acknowledged: it comes again
		return;
	for (uint32_t i = 1; i < batch->n; i++)
		if (hits[i].seq <= hits[i - 1].seq) {
			dpclient_reconnect(&d->dp, "it sent hits out of order");
			return;
		}
	if (d->report.group.batches == 0 || !d->report.group.open) { // the one to try again with
		d->pause.batch = *batch;
		memcpy(d->pause.hits, hits, batch->n * sizeof(hits[0]));
		memset(d->taken, 0, sizeof(d->taken));
	}
	if (report_hits(&d->report, batch, hits, &diag) != 0)
		pause_hits(d, &diag);
	else if (batch->n > 0)
		d->taken[batch->worker] = hits[batch->n - 1].seq;
}

// All that was waiting has been taken: store it, and only then acknowledge.
static void on_batch_end(void *ctx)
{
	struct daemon *d = ctx;
	struct diag diag = {0};
	uint64_t new;

	if (!d->report.group.open)
		return;
	bool hits = d->report.group.batches > 0;
	if (report_commit(&d->report, &new, &diag) != 0) {
		pause_hits(d, &diag);
		return;
	}
	for (uint32_t w = 0; w < IPC_WORKERS_MAX && hits; w++)
		if (d->taken[w] != 0)
			(void)dpclient_ack(&d->dp, w, d->taken[w]);
	if (new > 0) {
		admin_new_hits(&d->admin);
		report_pump(&d->report);
	}
}

static void on_events(void *ctx, const struct ipc_events *batch, const struct event *events)
{
	struct daemon *d = ctx;

	report_events(&d->report, d->dp.hello.boot_id, batch, events);
}

static const struct dpclient_ops dp_ops = {
	.up = on_up,
	.down = on_down,
	.ruleset_state = on_ruleset_state,
	.hits = on_hits,
	.events = on_events,
	.batch_end = on_batch_end,
};

static void on_note(void *ctx, const char *message, const char *const *pairs)
{
	struct daemon *d = ctx;

	report_engine(&d->report, message, pairs);
}

static void on_started(void *ctx)
{
	struct daemon *d = ctx;

	dpclient_start(&d->dp);
}

void daemon_save_coverage(struct daemon *d)
{
	struct coverage coverage;
	struct counters sum;

	if (!d->dp.has_stats[0])
		return;
	dpclient_counters(&d->dp, &sum);
	coverage_of(&sum, &coverage);
	if (store_ledger_add(d->store, d->dp.hello.boot_id, loop_wall_ns(), &coverage) != 0)
		log_warning("the coverage ledger cannot be stored: %s", store_error(d->store));
}

static void on_stats_timer(void *ctx)
{
	struct daemon *d = ctx;
	struct counters sum;
	uint64_t now = loop_wall_ns();

	daemon_save_coverage(d);
	if (d->dp.state == DPCLIENT_UP && d->dp.hello.start_ns <= now) {
		dpclient_counters(&d->dp, &sum);
		report_stats(&d->report, (now - d->dp.hello.start_ns) / 1000000000u, &sum);
	}
	loop_timer_set(&d->loop, &d->stats_timer, (uint64_t)d->settings.eve.stats_interval_s * 1000,
		       on_stats_timer, d);
}

// Once a minute: nothing is kept for longer than a minute over its time.
static void on_expire_timer(void *ctx)
{
	struct daemon *d = ctx;

	if (store_expire(d->store, loop_wall_ns()) != 0)
		log_error("hits that are too old cannot be deleted: %s", store_error(d->store));
	loop_timer_set(&d->loop, &d->expire_timer, EXPIRE_MS, on_expire_timer, d);
}

static int take_state_dir(struct daemon *d, struct diag *ret_diag)
{
	const char *dir = d->settings.state_dir;
	char path[SETTINGS_PATH_BYTES + 16];

	if (mkdir(dir, 0750) != 0 && errno != EEXIST) {
		int err = -errno;
		diag_set(ret_diag, dir, 0, 0,
			 "cannot create the state directory: %s (choose another with --state)",
			 strerror(-err));
		return err;
	}
	snprintf(path, sizeof(path), "%s/lock", dir);
	d->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (d->lock_fd < 0) {
		int err = -errno;
		diag_set(ret_diag, path, 0, 0, "cannot write to the state directory: %s",
			 strerror(-err));
		return err;
	}
	if (flock(d->lock_fd, LOCK_EX | LOCK_NB) != 0) {
		diag_set(ret_diag, dir, 0, 0,
			 "another wireglassd uses this state directory: stop it, or choose another "
			 "with "
			 "--state");
		return -EBUSY;
	}
	return 0;
}

// What happened to the daemon itself. Without the log inspection goes on, but nothing is done on request.
static void note_life(struct daemon *d, const char *action, struct audit_actor by)
{
	struct audit_entry e = {
		.action = action,
		.result = "done",
		.actor = by,
		.object = json_pack("{s:s, s:o}", "version", WIREGLASS_VERSION, "config",
				    text_json(d->settings.config)),
	};

	(void)audit_append(&d->audit, &e);
}

static void open_audit(struct daemon *d)
{
	struct diag diag = {0};
	char text[1024];

	if (audit_open(&d->audit, d->settings.state_dir, &diag) != 0)
		log_error("no audit log, so no request that changes something will be accepted: %s",
			  diag_format(&diag, text, sizeof(text)));
	note_life(d, "wireglassd start", audit_self());
}

static int init_parts(struct daemon *d, struct diag *ret_diag)
{
	char path[SETTINGS_PATH_BYTES + 16];
	int err = take_state_dir(d, ret_diag);

	if (err != 0)
		return err;
	open_audit(d);
	snprintf(path, sizeof(path), "%s/hits.db", d->settings.state_dir);
	const struct settings_retention *keep = &d->settings.retention;
	const struct store_limits limits = {
		.hits = (uint64_t)keep->hits,
		.age_s = (uint64_t)keep->days * 86400,
		.bytes = (uint64_t)keep->size_mb << 20,
	};
	err = store_open(path, &limits, &d->store, ret_diag);
	if (err == 0)
		err = report_init(&d->report, &d->settings, d->store, &d->loop, &d->book, ret_diag);
	if (err != 0)
		return err;
	dpclient_init(&d->dp, &d->loop, d->settings.dataplane_socket,
		      (uid_t)d->settings.dataplane_uid, &dp_ops, d);
	struct deploy_hooks hooks = {.note = on_note, .started = on_started, .ctx = d};
	err = deploy_init(&d->deploy, &d->loop, &d->settings, d->store, &d->book, &d->dp, &d->audit,
			  &hooks, ret_diag);
	return err != 0 ? err : admin_init(&d->admin, d, ret_diag);
}

int daemon_init(struct daemon *d, const struct settings *settings, struct diag *ret_diag)
{
	memset(d, 0, sizeof(*d));
	d->settings = *settings;
	d->lock_fd = -1;
	d->audit.fd = -1;
	d->stopped_by = audit_self();
	d->report.eve.fd = -1;
	d->dp.fd = -1;
	d->admin.fd = -1;
	d->start_ns = loop_wall_ns();
	d->start_steady_ns = loop_now_ns();
	d->pause.backoff_ms = PAUSE_MIN_MS;
	int err = loop_init(&d->loop);
	if (err != 0) {
		diag_set(ret_diag, NULL, 0, 0, "epoll: %s", strerror(-err));
		return err;
	}
	err = init_parts(d, ret_diag);
	if (err != 0) {
		daemon_done(d);
		return err;
	}
	struct diag diag = {0};
	char text[1024];
	if (metrics_init(&d->metrics, d, &diag) != 0) // nothing else depends on them
		log_error("%s", diag_format(&diag, text, sizeof(text)));
	report_engine(&d->report, "wireglassd started",
		      (const char *const[]){"version", WIREGLASS_VERSION, NULL});
	deploy_resume(&d->deploy);
	on_stats_timer(d);
	on_expire_timer(d);
	report_pump(&d->report);
	return 0;
}

void daemon_done(struct daemon *d)
{
	metrics_done(&d->metrics);
	if (d->admin.d != NULL)
		admin_done(&d->admin);
	if (d->deploy.loop != NULL)
		deploy_done(&d->deploy);
	if (d->dp.loop != NULL)
		dpclient_done(&d->dp);
	if (d->report.store != NULL)
		report_engine(&d->report, "wireglassd stopped", NULL);
	report_done(&d->report);
	if (d->audit.fd >= 0)
		note_life(d, "wireglassd stop", d->stopped_by);
	audit_close(&d->audit);
	rulebook_done(&d->book);
	store_close(d->store);
	if (d->lock_fd >= 0)
		close(d->lock_fd);
	loop_done(&d->loop);
}

void daemon_reopen(struct daemon *d, struct audit_actor by)
{
	struct diag diag = {0};
	char text[1024];

	note_life(d, "wireglassd reopen", by);
	if (evefile_reopen(&d->report.eve, &diag) != 0)
		log_error("%s", diag_format(&diag, text, sizeof(text)));
	else
		log_info("EVE file reopened");
	sinks_eve_reopened(&d->report.sinks);
}

// SPDX-License-Identifier: BSD-2-Clause
// What is deployed without being asked for: what was live before a restart, and what is live without the rules that have
// expired since.
#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "control/deploy_impl.h"
#include "control/text.h"

enum {
	WARN_S = 7 * 86400, // time to get a newer bundle
};

static void on_expiry(void *ctx);

// Once for each time that comes.
static void warn_of_expiry(struct deploy *d, int64_t left_s)
{
	const int64_t next_s = d->live->next_expiry_s;
	char when[40];

	if (left_s <= 0 || left_s > WARN_S || d->expiry_warned_s == next_s)
		return;
	d->expiry_warned_s = next_s;
	text_time(when, sizeof(when), (uint64_t)next_s * 1000000000u);
	log_warning("rules of bundle %s serial %llu expire at %s and will be switched off: load a "
		    "newer bundle",
		    d->live->id, (unsigned long long)d->live->serial, when);
	d->hooks.note(d->hooks.ctx, "rules will expire",
		      (const char *const[]){"bundle", d->live->id, "expires", when, NULL});
}

void deploy_arm_expiry(struct deploy *d, bool failed)
{
	const int64_t look_s = 60; // clocks are put right
	int64_t left_s = look_s;

	loop_timer_cancel(d->loop, &d->expiry_timer);
	if (d->live == NULL || d->live->next_expiry_s == 0)
		return;
	if (!failed)
		left_s = d->live->next_expiry_s - (int64_t)(loop_wall_ns() / 1000000000u);
	if (!failed)
		warn_of_expiry(d, left_s);
	left_s = left_s < 0 ? 0 : left_s > look_s ? look_s : left_s;
	loop_timer_set(d->loop, &d->expiry_timer, (uint64_t)left_s * 1000, on_expiry, d);
}

int deploy_redeploy(struct deploy *d, enum deploy_origin origin, uint64_t serial,
		    const char *action)
{
	char path[SETTINGS_PATH_BYTES + 64];
	struct diag diag = {0};
	int err = deploy_read_stored(d, serial, path, sizeof(path), &diag);

	if (err != 0) {
		diag_format(&diag, d->error, sizeof(d->error));
		log_error("rule bundle %llu cannot be read: %s", (unsigned long long)serial,
			  d->error);
		return err;
	}
	deploy_note_digest(d);
	d->ask = (struct deploy_ask){.action = action, .actor = audit_self()};
	deploy_begin(d, origin, path);
	return 0;
}

static void on_expiry(void *ctx)
{
	struct deploy *d = ctx;

	if (d->live->next_expiry_s > (int64_t)(loop_wall_ns() / 1000000000u)) {
		deploy_arm_expiry(d, false);
		return;
	}
	// Another deployment compiles without what has expired, too.
	if (deploy_running(d))
		return;
	log_notice("rules of bundle %s serial %llu have expired: they are switched off",
		   d->live->id, (unsigned long long)d->live->serial);
	if (deploy_redeploy(d, DEPLOY_EXPIRY, d->live->serial, "rules expire") != 0)
		deploy_arm_expiry(d, true);
}

void deploy_resume(struct deploy *d)
{
	uint64_t serial = deploy_canary_interrupted(d);

	if (serial == 0)
		serial = store_number(d->store, "live_serial", 0);

	if (serial == 0 || deploy_redeploy(d, DEPLOY_START, serial, "rules resume") != 0)
		d->hooks.started(d->hooks.ctx);
}

// SPDX-License-Identifier: BSD-2-Clause
// A bundle on trial: live, watched for a while, and taken back by itself when it costs more than it may.
//
// What to go back to is written down before the trial begins and wiped when it is over, so that neither a crash nor a
// restart of either program ends it in favour of the new bundle: whatever interrupts a trial, the old rules come back.
#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "control/deploy_impl.h"

enum {
	TICK_MS = 1000,
	SETTLE_S = 5, // a rate is taken over this time at least
	RETRY_MS = 5000,
};

static uint64_t hits_now(const struct deploy *d)
{
	struct counters sum;

	dpclient_counters(d->dp, &sum);
	return sum.v[CNT_HITS];
}

// Busy share of the busiest worker since the trial began, in percent; 0 in the first seconds.
static unsigned int busy_percent(const struct deploy *d, uint64_t elapsed_s)
{
	unsigned int most = 0;

	for (unsigned int w = 0; w < IPC_WORKERS_MAX && elapsed_s >= SETTLE_S; w++) {
		const struct deploy_busy *then = &d->canary.busy[w];
		const struct ipc_stats *now = &d->dp->stats[w];
		uint64_t busy = now->busy_ns - then->busy_ns, idle = now->idle_ns - then->idle_ns;

		if (!d->dp->has_stats[w] || now->busy_ns < then->busy_ns ||
		    now->idle_ns < then->idle_ns || busy + idle == 0)
			continue;
		unsigned int percent = (unsigned int)(100 * (double)busy / (double)(busy + idle));
		most = percent > most ? percent : most;
	}
	return most;
}

static void note(struct deploy *d, const char *result, const char *reason)
{
	const struct deploy_canary *c = &d->canary;
	struct audit_entry e = {
		.action = "rules canary",
		.result = result,
		.reason = reason,
		.actor = audit_self(),
		.of = c->audit_of,
		.object =
			json_pack("{s:I, s:I, s:I, s:I, s:I}", "serial", (json_int_t)c->serial,
				  "back", (json_int_t)c->back, "seconds",
				  (json_int_t)((loop_now_ns() - c->begun_ns) / 1000000000u), "hits",
				  (json_int_t)c->hits, "busy_percent", (json_int_t)c->busy_percent),
	};

	(void)audit_append(d->audit, &e);
}

// The trial is over. What is live stays.
static void end(struct deploy *d)
{
	loop_timer_cancel(d->loop, &d->canary.timer);
	d->canary.back = 0;
	if (store_set_number(d->store, "canary_back", 0) != 0)
		log_error("rule bundle: %s", store_error(d->store));
}

static void go_back(void *ctx)
{
	struct deploy *d = ctx;

	loop_timer_set(d->loop, &d->canary.timer, RETRY_MS, go_back, d);
	if (!deploy_running(d))
		(void)deploy_redeploy(d, DEPLOY_BACK, d->canary.back, "rules rollback");
}

// It failed: the rules before it come back, now or as soon as that is possible.
static void fail(struct deploy *d, const char *why)
{
	d->canary.failed = true;
	log_error("rule bundle serial %llu was on trial and is taken back: %s",
		  (unsigned long long)d->canary.serial, why);
	d->hooks.note(d->hooks.ctx, "rule bundle taken back",
		      (const char *const[]){"reason", why, NULL});
	note(d, "failed", why);
	go_back(d);
	snprintf(d->warning, sizeof(d->warning), "serial %llu was on trial and is taken back: %s",
		 (unsigned long long)d->canary.serial, why);
}

static void on_tick(void *ctx)
{
	struct deploy *d = ctx;
	struct deploy_canary *c = &d->canary;
	const struct deploy_trial *t = &c->trial;
	uint64_t elapsed_s = (loop_now_ns() - c->begun_ns) / 1000000000u;
	uint64_t over_s = elapsed_s > SETTLE_S ? elapsed_s : SETTLE_S, hits = hits_now(d);
	char why[200];

	c->hits = hits > c->hits_before ? hits - c->hits_before : 0;
	c->busy_percent = busy_percent(d, elapsed_s);
	if (t->max_hits_per_s != 0 && c->hits > t->max_hits_per_s * over_s) {
		snprintf(why, sizeof(why),
			 "%llu hits in %llu s are more than %u a second (--max-hits-per-second)",
			 (unsigned long long)c->hits, (unsigned long long)elapsed_s,
			 t->max_hits_per_s);
		fail(d, why);
	} else if (t->max_busy_percent != 0 && c->busy_percent > t->max_busy_percent) {
		snprintf(why, sizeof(why),
			 "a worker is busy for %u %%, more than %u %% (--max-busy)",
			 c->busy_percent, t->max_busy_percent);
		fail(d, why);
	} else if (elapsed_s >= t->seconds) {
		log_notice("rule bundle serial %llu has passed its trial",
			   (unsigned long long)c->serial);
		note(d, "done", NULL);
		end(d);
	} else {
		loop_timer_set(d->loop, &c->timer, TICK_MS, on_tick, d);
	}
}

uint64_t deploy_canary_prepare(struct deploy *d)
{
	if (store_set_number(d->store, "canary_back", d->live->serial) != 0)
		log_error("a trial that is interrupted will not be taken back: %s",
			  store_error(d->store));
	return d->live->serial;
}

void deploy_canary_begin(struct deploy *d, uint64_t back)
{
	struct deploy_canary *c = &d->canary;

	*c = (struct deploy_canary){.trial = d->ask.trial,
				    .serial = d->live->serial,
				    .back = back,
				    .audit_of = d->audit_of,
				    .begun_ns = loop_now_ns(),
				    .hits_before = hits_now(d)};
	for (unsigned int w = 0; w < IPC_WORKERS_MAX; w++)
		c->busy[w] = (struct deploy_busy){d->dp->stats[w].busy_ns, d->dp->stats[w].idle_ns};
	loop_timer_set(d->loop, &c->timer, TICK_MS, on_tick, d);
}

void deploy_canary_dp_down(struct deploy *d)
{
	if (d->canary.back != 0 && !d->canary.failed && d->live->serial == d->canary.serial)
		fail(d, "the dataplane went away during it");
}

void deploy_canary_replaced(struct deploy *d)
{
	if (d->canary.back == 0 || d->live->serial == d->canary.serial)
		return;
	if (!d->canary.failed)
		note(d, "failed", "other rules were put to work during it");
	end(d);
}

uint64_t deploy_canary_interrupted(struct deploy *d)
{
	uint64_t back = store_number(d->store, "canary_back", 0);

	if (back == 0)
		return 0;
	d->canary = (struct deploy_canary){.serial = store_number(d->store, "live_serial", 0),
					   .back = back,
					   .begun_ns = loop_now_ns()};
	if (d->canary.serial != back) {
		log_error("wireglassd was stopped while serial %llu was on trial: it is taken back",
			  (unsigned long long)d->canary.serial);
		note(d, "failed", "wireglassd was stopped during it");
	}
	if (store_set_number(d->store, "live_serial", back) != 0)
		log_error("rule bundle: %s", store_error(d->store));
	end(d);
	return back;
}

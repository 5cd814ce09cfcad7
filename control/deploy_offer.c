// SPDX-License-Identifier: BSD-2-Clause
// An image's way to the dataplane: offered, refused, busy, live; again after a restart of either side.
//
// Generation numbers go up with every offer and never repeat, also over restarts: they are written down before use. A
// serial enters the anti-rollback record only when the dataplane runs it.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "control/deploy_impl.h"
#include "rules/file.h"

enum {
	ANSWER_MS = 120000, // loading 60 MB of databases takes about a second
	BUSY_MIN_MS = 250,
	BUSY_MAX_MS = 2000,
	BUSY_GIVE_UP_MS =
		120000, // the dataplane retires an old rule set within its grace time, 30 s
};

static void forget_offer(struct deploy *d)
{
	loop_timer_cancel(d->loop, &d->offer_timer);
	rule_image_unref(d->offered);
	d->offered = NULL;
}

static bool offering_candidate(const struct deploy *d)
{
	return d->candidate != NULL && d->offered == d->candidate;
}

static void on_no_answer(void *ctx)
{
	struct deploy *d = ctx;

	dpclient_reconnect(d->dp, "it does not answer an offered rule set");
}

static void send_offer(struct deploy *d)
{
	struct ipc_ruleset_offer m = {
		.bytes = d->offered->bytes,
		.serial = d->offered->serial,
		.generation = d->offered_generation,
	};

	memcpy(m.digest, d->offered->image->digest, sizeof(m.digest));
	loop_timer_set(d->loop, &d->offer_timer, ANSWER_MS, on_no_answer, d);
	// A failure has dropped the connection, and deploy_dp_down() has put things right.
	(void)dpclient_offer(d->dp, &m, d->offered->memfd);
}

// Offer image under the next generation.
static void offer(struct deploy *d, struct rule_image *image)
{
	d->busy_ms = BUSY_MIN_MS;
	d->offer_begun_ns = loop_now_ns();
	if (store_set_number(d->store, "generation", ++d->generation) != 0)
		log_warning("cannot write down the generation number: %s", store_error(d->store));
	rule_image_ref(image);
	rule_image_unref(d->offered);
	d->offered = image;
	d->offered_generation = d->generation;
	// Before the answer: its first hits may be on their way before it.
	rulebook_add(d->book, d->generation, image);
	send_offer(d);
}

static void on_busy_over(void *ctx)
{
	send_offer(ctx);
}

void deploy_offer_live(struct deploy *d)
{
	if (d->live != NULL && d->dp->state == DPCLIENT_UP)
		offer(d, d->live);
}

void deploy_offer_candidate(struct deploy *d)
{
	if (d->dp->state == DPCLIENT_UP) {
		offer(d, d->candidate);
		return;
	}
	deploy_accept(d, false);
	deploy_succeed(d, "pending");
}

static void commit_serial(struct deploy *d)
{
	struct diag diag = {0};
	char text[1024];

	if (bundle_serial_commit(d->settings->state_dir, d->live->id, d->live->serial, &diag) == 0)
		return;
	snprintf(d->warning, sizeof(d->warning), "the serial could not be recorded: %s",
		 diag_format(&diag, text, sizeof(text)));
	log_error("%s", d->warning);
}

struct prune {
	struct deploy *d;
	uint64_t live;
	int64_t seen, keep;
	uint64_t drop[64];
	unsigned int n;
};

static void find_old(void *ctx, const struct store_bundle *b)
{
	struct prune *p = ctx;

	if (b->serial != p->live && b->serial != p->d->canary.back && p->seen++ >= p->keep &&
	    p->n < sizeof(p->drop) / sizeof(p->drop[0]))
		p->drop[p->n++] = b->serial;
}

static void prune(struct deploy *d)
{
	struct prune p = {.d = d, .live = d->live->serial, .keep = d->settings->retention.bundles};
	char path[SETTINGS_PATH_BYTES + 64];

	store_bundles(d->store, find_old, &p);
	for (unsigned int i = 0; i < p.n; i++)
		if (store_bundle_delete(d->store, p.drop[i]) == 0)
			unlink(deploy_path(d, p.drop[i], path, sizeof(path)));
}

// The bundle file, its row, and which one to come back with after a restart.
static void remember(struct deploy *d)
{
	struct store_bundle row = {
		.serial = d->live->serial,
		.stored_ns = loop_wall_ns(),
		.bytes = d->len,
		.rules = d->live->rules,
	};
	char path[SETTINGS_PATH_BYTES + 64], text[1024];
	struct diag diag = {0};

	snprintf(row.id, sizeof(row.id), "%.*s", (int)sizeof(row.id) - 1, d->live->id);
	int err = file_write(deploy_path(d, row.serial, path, sizeof(path)),
			     span_of(d->data, d->len), 0600, true, &diag);
	if (err == 0) {
		err = store_bundle_put(d->store, &row);
		if (err == 0)
			err = store_set_number(d->store, "live_serial", row.serial);
		if (err != 0)
			diag_set(&diag, NULL, 0, 0, "%s", store_error(d->store));
	}
	if (err != 0) {
		snprintf(d->warning, sizeof(d->warning),
			 "not stored, it will be forgotten by a restart: %s",
			 diag_format(&diag, text, sizeof(text)));
		log_error("rule bundle: %s", d->warning);
	}
}

void deploy_accept(struct deploy *d, bool confirmed)
{
	struct rule_image *before = d->live;

	d->live = rule_image_ref(d->candidate);
	d->live_since_ns = loop_wall_ns();
	if (d->origin != DEPLOY_START && d->origin != DEPLOY_EXPIRY)
		remember(d);
	if (!confirmed && before != NULL && d->fallback == NULL)
		d->fallback = rule_image_ref(before);
	d->confirmed = confirmed;
	rule_image_unref(before);
	if (confirmed) {
		rule_image_unref(d->fallback);
		d->fallback = NULL;
		deploy_to(d, DEPLOY_LIVE);
		commit_serial(d);
	}
	prune(d);
}

// The dataplane runs what it was offered.
static void on_live(struct deploy *d, const struct ipc_ruleset_state *state)
{
	bool candidate = offering_candidate(d);

	d->load_ns = state->load_ns;
	forget_offer(d);
	if (candidate) {
		uint64_t back = 0;
		if (d->ask.trial.seconds != 0 && d->live != NULL)
			back = deploy_canary_prepare(d);
		if (back != 0)
			d->canary.back = back; // is not pruned
		deploy_accept(d, true);
		if (back != 0)
			deploy_canary_begin(d, back);
		deploy_succeed(d, "live");
		return;
	}
	d->confirmed = true;
	d->live_since_ns = loop_wall_ns();
	rule_image_unref(d->fallback);
	d->fallback = NULL;
	if (d->state == DEPLOY_OFFER && !deploy_running(d))
		deploy_to(d, DEPLOY_LIVE);
	commit_serial(d);
	deploy_audit(d, "rules live", NULL);
	log_notice("rule bundle %s serial %llu: live, %u rules, generation %u", d->live->id,
		   (unsigned long long)d->live->serial, d->live->rules, d->generation);
}

// A rule set that was accepted before the dataplane came is refused by it: go back to the one before, if there is one.
static void on_live_refused(struct deploy *d, const char *why)
{
	char path[SETTINGS_PATH_BYTES + 64];

	if (!deploy_running(d) && d->state == DEPLOY_OFFER)
		deploy_to(d, DEPLOY_FAILED);
	snprintf(d->error, sizeof(d->error), "the dataplane refuses serial %llu: %s",
		 (unsigned long long)d->live->serial, why);
	log_error("rule bundle: %s", d->error);
	d->hooks.note(d->hooks.ctx, "rule bundle refused by the dataplane",
		      (const char *const[]){"reason", d->error, NULL});
	deploy_audit(d, "rules live", d->error);
	if (d->fallback == NULL)
		return;
	// Its serial is not used up: the publisher may send it again.
	if (d->live->serial != d->fallback->serial &&
	    store_bundle_delete(d->store, d->live->serial) == 0)
		unlink(deploy_path(d, d->live->serial, path, sizeof(path)));
	rule_image_unref(d->live);
	d->live = d->fallback;
	d->fallback = NULL;
	if (store_set_number(d->store, "live_serial", d->live->serial) != 0)
		log_error("rule bundle: %s", store_error(d->store));
	log_notice("going back to serial %llu", (unsigned long long)d->live->serial);
	deploy_offer_live(d);
}

static void on_refused(struct deploy *d, const struct ipc_ruleset_state *state)
{
	bool candidate = offering_candidate(d);
	uint64_t waited_ms = (loop_now_ns() - d->offer_begun_ns) / 1000000;

	if (state->error == -EBUSY && !(candidate && waited_ms > BUSY_GIVE_UP_MS)) {
		loop_timer_set(d->loop, &d->offer_timer, d->busy_ms, on_busy_over, d);
		d->busy_ms = d->busy_ms * 2 > BUSY_MAX_MS ? BUSY_MAX_MS : d->busy_ms * 2;
		return;
	}
	forget_offer(d);
	if (!candidate) {
		on_live_refused(d, state->text);
		return;
	}
	deploy_fail(d, "dataplane", "the dataplane refuses it: %s", state->text);
	// Its offer may have taken the place of one of what is live, after a restart of the dataplane.
	if (d->live != NULL && !d->confirmed)
		deploy_offer_live(d);
}

static bool is_digest(const struct rule_image *image, const struct ipc_ruleset_state *state)
{
	return image != NULL &&
	       memcmp(state->digest, image->image->digest, sizeof(state->digest)) == 0;
}

void deploy_dp_state(struct deploy *d, const struct ipc_ruleset_state *state)
{
	if (d->offered == NULL || state->generation != d->offered_generation) {
		if (state->status == IPC_RULESET_LIVE)
			d->confirmed = is_digest(d->live, state);
		return;
	}
	if (state->status == IPC_RULESET_LIVE && is_digest(d->offered, state))
		on_live(d, state);
	else if (state->status == IPC_RULESET_REFUSED)
		on_refused(d, state);
}

void deploy_dp_up(struct deploy *d)
{
	const struct ipc_ruleset_state *now = &d->dp->ruleset;

	// Never below what the dataplane has seen, should our record have been lost.
	if (now->generation > d->generation)
		d->generation = now->generation;
	if (d->live == NULL) {
		if (now->status == IPC_RULESET_LIVE)
			log_warning("the dataplane runs serial %llu, of which nothing is known "
				    "here: its "
				    "hits have no rule texts until a bundle is loaded",
				    (unsigned long long)now->serial);
		return;
	}
	if (now->status != IPC_RULESET_LIVE || !is_digest(d->live, now)) {
		// Its hits so far carry its own generation; the same bundle has the same texts.
		if (now->status == IPC_RULESET_LIVE && now->serial == d->live->serial)
			rulebook_add(d->book, now->generation, d->live);
		deploy_offer_live(d);
		return;
	}
	rulebook_add(d->book, now->generation, d->live);
	d->confirmed = true;
	if (d->state == DEPLOY_OFFER && !deploy_running(d))
		deploy_to(d, DEPLOY_LIVE);
}

void deploy_dp_down(struct deploy *d)
{
	bool candidate = offering_candidate(d);

	forget_offer(d);
	d->confirmed = false;
	deploy_canary_dp_down(d);
	if (candidate) {
		deploy_accept(d, false);
		deploy_succeed(d, "pending");
	}
}

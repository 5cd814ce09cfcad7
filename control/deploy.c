// SPDX-License-Identifier: BSD-2-Clause
// A bundle's way to a compiled image: signature, child process, serial, and the record on disk.
//
// One deployment at a time. Whatever fails, what is live stays live; the reason goes to the asker, to the log, to the EVE
// engine log and to "show status".
#include "control/deploy.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"
#include "control/deploy_impl.h"
#include "control/text.h"
#include "rules/file.h"

const char *const deploy_names[DEPLOY_N] = {
#define X(id, name) [DEPLOY_##id] = name,
	DEPLOY_TABLE(X)
#undef X
};

void deploy_to(struct deploy *d, enum deploy_state to)
{
	static const uint8_t next[DEPLOY_N] = {
		[DEPLOY_IDLE] = 1 << DEPLOY_VERIFY,
		[DEPLOY_VERIFY] = 1 << DEPLOY_PARSE | 1 << DEPLOY_FAILED,
		[DEPLOY_PARSE] = 1 << DEPLOY_COMPILE | 1 << DEPLOY_FAILED,
		[DEPLOY_COMPILE] = 1 << DEPLOY_OFFER | 1 << DEPLOY_FAILED,
		[DEPLOY_OFFER] = 1 << DEPLOY_LIVE | 1 << DEPLOY_FAILED | 1 << DEPLOY_VERIFY,
		[DEPLOY_LIVE] = 1 << DEPLOY_VERIFY,
		[DEPLOY_FAILED] = 1 << DEPLOY_VERIFY,
	};

	assert((next[d->state] >> to & 1) != 0);
	d->state = to;
}

bool deploy_running(const struct deploy *d)
{
	return d->data != NULL;
}

enum deploy_state deploy_state(const struct deploy *d)
{
	if (build_running(&d->build))
		return build_stage(&d->build) == BUILD_PARSE ? DEPLOY_PARSE : DEPLOY_COMPILE;
	return d->state;
}

const char *deploy_path(const struct deploy *d, uint64_t serial, char *buf, size_t size)
{
	snprintf(buf, size, "%s/%llu.wgb", d->bundles_dir, (unsigned long long)serial);
	return buf;
}

int deploy_trust(const struct settings *s, struct sig_trust *ret_trust, struct diag *ret_diag)
{
	int err = 0;

	memset(ret_trust, 0, sizeof(*ret_trust));
	ret_trust->need = (uint32_t)s->signatures;
	if (s->n_keys == 0)
		err = sig_trust_add(ret_trust, s->keys_dir, ret_diag);
	for (uint32_t i = 0; i < s->n_keys && err == 0; i++)
		err = sig_trust_add(ret_trust, s->keys[i], ret_diag);
	if (err == 0 && ret_trust->n < ret_trust->need) {
		diag_set(ret_diag, s->config, 0, 0,
			 "signatures is %u, but only %u key%s trusted: no bundle can have so many",
			 ret_trust->need, ret_trust->n, ret_trust->n == 1 ? " is" : "s are");
		err = -ENOKEY;
	}
	return err;
}

// Without a cache everything works, only slower.
static void open_cache(struct deploy *d)
{
	const struct settings *s = d->settings;
	char dir[SETTINGS_PATH_BYTES + 16], text[1024];
	struct diag diag = {""};

	if (s->cache.size_mb == 0)
		return;
	if (s->cache.dir[0] != '\0')
		snprintf(dir, sizeof(dir), "%s", s->cache.dir);
	else if (strcmp(s->state_dir, SETTINGS_STATE_DIR) == 0)
		snprintf(dir, sizeof(dir), "%s", SETTINGS_CACHE_DIR);
	else
		snprintf(dir, sizeof(dir), "%s/cache", s->state_dir);
	if (cache_init(&d->cache, dir, (uint64_t)s->cache.size_mb << 20, &diag) < 0) {
		d->cache.dir[0] = '\0';
		log_warning("compiled rule sets are not kept: %s",
			    diag_format(&diag, text, sizeof(text)));
	}
}

int deploy_init(struct deploy *d, struct loop *loop, const struct settings *settings,
		struct store *store, struct rulebook *book, struct dpclient *dp,
		struct audit *audit, const struct deploy_hooks *hooks, struct diag *ret_diag)
{
	memset(d, 0, sizeof(*d));
	d->loop = loop;
	d->settings = settings;
	d->store = store;
	d->book = book;
	d->dp = dp;
	d->audit = audit;
	d->hooks = *hooks;
	d->generation = (uint32_t)store_number(store, "generation", 0);
	snprintf(d->bundles_dir, sizeof(d->bundles_dir), "%s/bundles", settings->state_dir);
	if (mkdir(d->bundles_dir, 0700) != 0 && errno != EEXIST) {
		int err = -errno;
		diag_set(ret_diag, d->bundles_dir, 0, 0, "cannot create it: %s", strerror(-err));
		return err;
	}
	open_cache(d);
	return 0;
}

// Release what only a deployment in progress needs.
static void clear_job(struct deploy *d)
{
	free(d->data);
	d->data = NULL;
	d->len = 0;
	rule_image_unref(d->candidate);
	d->candidate = NULL;
	d->ask = (struct deploy_ask){0};
	d->audit_of = 0;
}

void deploy_done(struct deploy *d)
{
	build_cancel(&d->build);
	loop_timer_cancel(d->loop, &d->offer_timer);
	loop_timer_cancel(d->loop, &d->fail_timer);
	loop_timer_cancel(d->loop, &d->expiry_timer);
	loop_timer_cancel(d->loop, &d->canary.timer);
	clear_job(d);
	json_decref(d->report);
	rule_image_unref(d->offered);
	rule_image_unref(d->live);
	rule_image_unref(d->fallback);
}

static void tell(struct deploy *d, int error, json_t *reply)
{
	deploy_done_fn *done = d->ask.done;
	void *ctx = d->ask.ctx;
	bool start = d->origin == DEPLOY_START;

	d->took_ms = (loop_now_ns() - d->begun_ns) / 1000000;
	clear_job(d);
	deploy_arm_expiry(d, error != 0);
	deploy_canary_replaced(d);
	if (done != NULL)
		done(ctx, error, reply);
	if (start)
		d->hooks.started(d->hooks.ctx);
}

void deploy_audit(struct deploy *d, const char *action, const char *reason)
{
	struct audit_entry e = {
		.action = action,
		.result = reason == NULL ? "done" : "failed",
		.reason = reason,
		.actor = audit_self(),
		.object = json_pack("{s:s, s:I, s:I}", "id", d->live != NULL ? d->live->id : "",
				    "serial", (json_int_t)(d->live != NULL ? d->live->serial : 0),
				    "generation", (json_int_t)d->generation),
	};

	(void)audit_append(d->audit, &e);
}

json_t *deploy_trial_json(const struct deploy_trial *t)
{
	return json_pack("{s:I, s:I, s:I}", "seconds", (json_int_t)t->seconds,
			 "max_hits_per_second", (json_int_t)t->max_hits_per_s, "max_busy_percent",
			 (json_int_t)t->max_busy_percent);
}

// The end of the deployment in progress. reply: what the asker is told.
static int audit_end(struct deploy *d, const char *reason, const json_t *reply)
{
	static const char *const keep[] = {"id",      "serial",  "rules",        "refused",
					   "skipped", "expired", "expired_sids", "generation",
					   "state",   "code"};
	struct audit_entry e = {
		.action = d->ask.action,
		.result = reason == NULL ? "done" : "refused",
		.reason = reason,
		.actor = d->ask.actor,
		.of = d->audit_of,
		.object = json_pack("{s:s}", "digest", d->digest),
	};

	for (size_t i = 0; i < sizeof(keep) / sizeof(keep[0]); i++)
		if (json_object_get(reply, keep[i]) != NULL)
			json_object_set(e.object, keep[i], json_object_get(reply, keep[i]));
	if (d->signers[0] != '\0')
		json_object_set_new(e.object, "keys", json_string(d->signers));
	return audit_append(d->audit, &e);
}

void deploy_fail(struct deploy *d, const char *code, const char *fmt, ...)
{
	json_t *reply = json_object();
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(d->error, sizeof(d->error), fmt, ap);
	va_end(ap);
	deploy_to(d, DEPLOY_FAILED);
	log_error("rule bundle refused: %s", d->error);
	d->hooks.note(d->hooks.ctx, "rule bundle refused",
		      (const char *const[]){"reason", d->error, "code", code, NULL});
	if (d->report != NULL)
		json_object_update(reply, d->report);
	json_object_set_new(reply, "error", json_string(d->error));
	json_object_set_new(reply, "code", json_string(code));
	(void)audit_end(d, d->error, reply);
	tell(d, -EINVAL, reply);
	json_decref(reply);
}

void deploy_succeed(struct deploy *d, const char *state)
{
	json_t *reply = json_object();
	char serial[24], generation[16];

	json_object_update(reply, d->report);
	json_object_set_new(reply, "state", json_string(state));
	json_object_set_new(reply, "generation", json_integer(d->generation));
	json_object_set_new(reply, "load_ms", json_integer((json_int_t)(d->load_ns / 1000000)));
	json_object_set_new(reply, "total_ms",
			    json_integer((json_int_t)((loop_now_ns() - d->begun_ns) / 1000000)));
	if (d->ask.trial.seconds != 0 && d->canary.back != 0)
		json_object_set_new(reply, "trial", deploy_trial_json(&d->ask.trial));
	if (audit_end(d, NULL, reply) != 0)
		snprintf(d->warning, sizeof(d->warning),
			 "the audit log has no entry of the outcome: %.600s", d->audit->error);
	if (d->warning[0] != '\0')
		json_object_set_new(reply, "warning", json_string(d->warning));
	snprintf(serial, sizeof(serial), "%llu", (unsigned long long)d->live->serial);
	snprintf(generation, sizeof(generation), "%u", d->generation);
	log_notice("rule bundle %s serial %s: %s, %u rules, generation %s", d->live->id, serial,
		   state, d->live->rules, generation);
	d->hooks.note(d->hooks.ctx, "rule bundle accepted",
		      (const char *const[]){"bundle", d->live->id, "serial", serial, "state", state,
					    "generation", generation, NULL});
	tell(d, 0, reply);
	json_decref(reply);
}

struct accepted {
	const char *id;
	uint64_t serial;
	uint64_t newest; // accepted under this id, live or not
	bool other;      // serial is stored under another id
};

static void find_accepted(void *ctx, const struct store_bundle *b)
{
	struct accepted *f = ctx;

	if (strcmp(b->id, f->id) == 0)
		f->newest = b->serial > f->newest ? b->serial : f->newest;
	else if (b->serial == f->serial)
		f->other = true;
}

// The child's word on serial and id is checked against our own record, and against what was accepted without a
// dataplane to run it: the record has a serial only once it was live.
static bool admitted(struct deploy *d, struct rule_image *ri)
{
	struct accepted accepted = {.id = ri->id, .serial = ri->serial};
	struct diag diag = {0};
	char text[1024];

	if (d->live != NULL && strcmp(d->live->id, ri->id) == 0)
		accepted.newest = d->live->serial;
	store_bundles(d->store, find_accepted, &accepted);
	if (accepted.other) {
		deploy_fail(
			d, "stale",
			"serial %llu is taken by a stored bundle of another id than %s: give it a "
			"higher serial",
			(unsigned long long)ri->serial, ri->id);
		return false;
	}
	if (d->origin != DEPLOY_LOAD || d->ask.allow_older)
		return true;
	if (bundle_serial_check(d->settings->state_dir, ri->id, ri->serial, &diag) != 0) {
		deploy_fail(d, "stale", "%s", diag_format(&diag, text, sizeof(text)));
		return false;
	}
	if (ri->serial <= accepted.newest) {
		deploy_fail(d, "stale",
			    "bundle %s serial %llu is not newer than serial %llu, accepted before "
			    "and not live yet: publish it with a higher serial, or load it with "
			    "--allow-older",
			    ri->id, (unsigned long long)ri->serial,
			    (unsigned long long)accepted.newest);
		return false;
	}
	return true;
}

static void on_built(void *ctx, int error, json_t *report, int image_fd)
{
	struct deploy *d = ctx;
	struct diag diag = {0};
	const char *id = json_string_value(json_object_get(report, "id"));
	char text[1024];

	json_decref(d->report);
	d->report = json_incref(report);
	if (d->state == DEPLOY_PARSE)
		deploy_to(d, DEPLOY_COMPILE);
	if (error != 0) {
		const char *why = json_string_value(json_object_get(report, "error"));
		const char *code = json_string_value(json_object_get(report, "code"));
		snprintf(text, sizeof(text), "%s",
			 why != NULL ? why : "the compile process failed");
		deploy_fail(d, code != NULL ? code : "compile", "%s", text);
		return;
	}
	if (rule_image_new(image_fd, &d->candidate, &diag) != 0) {
		deploy_fail(d, "compile", "%s", diag_format(&diag, text, sizeof(text)));
		return;
	}
	json_int_t serial = json_integer_value(json_object_get(report, "serial"));
	if (id == NULL || id[0] == '\0' || serial <= 0 ||
	    (uint64_t)serial != d->candidate->image->serial) {
		deploy_fail(d, "compile",
			    "the compile process reports another bundle than it compiled");
		return;
	}
	snprintf(d->candidate->id, sizeof(d->candidate->id), "%s", id);
	d->candidate->expired = (uint32_t)json_integer_value(json_object_get(report, "expired"));
	d->candidate->next_expiry_s = json_integer_value(json_object_get(report, "next_expiry"));
	build_keep(&d->build, span_of(d->candidate->image, d->candidate->image->bytes), report);
	if (!admitted(d, d->candidate))
		return;
	deploy_to(d, DEPLOY_OFFER);
	deploy_offer_candidate(d);
}

// SHA-256 of the archive, or of all there is if it has none.
void deploy_note_digest(struct deploy *d)
{
	struct span archive, sig;
	struct diag diag = {0};
	uint8_t digest[crypto_hash_sha256_BYTES];

	if (bundle_split("", span_of(d->data, d->len), &archive, &sig, &diag) != 0)
		archive = span_of(d->data, d->len);
	crypto_hash_sha256(digest, archive.data, archive.len);
	text_hex(d->digest, digest, sizeof(digest));
}

// The signature, in this process: nothing unsigned even reaches the child.
static int verify(struct deploy *d, const char *name, struct diag *diag)
{
	struct span archive, sig;
	struct sig_info info;
	int err = deploy_trust(d->settings, &d->trust, diag);

	if (err != 0)
		return err;
	err = bundle_split(name, span_of(d->data, d->len), &archive, &sig, diag);
	if (err == 0 && sig.len == 0) {
		diag_set(diag, name, 0, 0,
			 "not signed: sign it with \"wireglass rules sign\" and a key that is "
			 "trusted here");
		err = -EKEYREJECTED;
	}
	if (err == 0)
		err = sig_verify(name, archive, sig, &d->trust, &info, diag);
	if (err == 0)
		sig_ids_text(d->signers, &info);
	return err;
}

static void fail_verify(void *ctx)
{
	struct deploy *d = ctx;
	char text[sizeof(d->error)];

	snprintf(text, sizeof(text), "%s", d->error);
	deploy_fail(d, "signature", "%s", text);
}

static void fail_start(void *ctx)
{
	struct deploy *d = ctx;
	char text[sizeof(d->error)];

	snprintf(text, sizeof(text), "%s", d->error);
	deploy_to(d, DEPLOY_PARSE);
	deploy_fail(d, "compile", "%s", text);
}

// Start on d->data. Failures are told from the loop, as done() is promised not to come from within.
void deploy_begin(struct deploy *d, enum deploy_origin origin, const char *name)
{
	struct diag diag = {0};

	d->origin = origin;
	d->begun_ns = loop_now_ns();
	d->error[0] = d->warning[0] = d->signers[0] = '\0';
	json_decref(d->report);
	d->report = NULL;
	deploy_to(d, DEPLOY_VERIFY);
	if (verify(d, name, &diag) != 0) {
		diag_format(&diag, d->error, sizeof(d->error));
		loop_timer_set(d->loop, &d->fail_timer, 0, fail_verify, d);
		return;
	}
	struct rule_var vars[SETTINGS_VARS_MAX + 1];
	struct build_request request = {
		.name = name,
		.data = span_of(d->data, d->len),
		.trust = &d->trust,
		.check_expiry = !deploy_was_live(origin),
		.strict = d->settings->strict,
		.limits = d->settings->compile,
		.cache = d->cache.dir[0] != '\0' ? &d->cache : NULL,
		.vars = vars,
	};
	settings_vars(d->settings, vars);
	int err = build_start(&d->build, d->loop, &request, on_built, d);
	if (err != 0) {
		snprintf(d->error, sizeof(d->error), "cannot start the compile process: %s",
			 strerror(-err));
		loop_timer_set(d->loop, &d->fail_timer, 0, fail_start, d);
		return;
	}
	deploy_to(d, DEPLOY_PARSE);
}

static int refuse_if_busy(const struct deploy *d, struct diag *ret_diag)
{
	if (!deploy_running(d))
		return 0;
	diag_set(ret_diag, NULL, 0, 0,
		 "another deployment is in progress (%s, for %llu s): try again when it is over",
		 deploy_names[deploy_state(d)],
		 (unsigned long long)((loop_now_ns() - d->begun_ns) / 1000000000u));
	return -EBUSY;
}

// Into the audit log before anything is done: what cannot be recorded is not done.
static int record(struct deploy *d, const struct deploy_ask *ask, struct diag *ret_diag)
{
	struct audit_entry e = {
		.action = ask->action,
		.result = "begun",
		.actor = ask->actor,
		.object = json_pack("{s:I, s:s}", "bytes", (json_int_t)d->len, "digest", d->digest),
	};

	if (ask->allow_older)
		json_object_set_new(e.object, "allow_older", json_true());
	if (ask->trial.seconds != 0)
		json_object_set_new(e.object, "trial", deploy_trial_json(&ask->trial));
	int err = audit_append(d->audit, &e);
	if (err != 0) {
		diag_set(ret_diag, NULL, 0, 0,
			 "not done, because it cannot be recorded in the audit log: %s",
			 d->audit->error);
		clear_job(d);
		return err;
	}
	d->ask = *ask;
	d->audit_of = d->audit->n;
	return 0;
}

// While a bundle is on trial there is no other one, and a trial needs what it can go back to, and be watched with.
static int refuse_trial(const struct deploy *d, const struct deploy_ask *ask, struct diag *ret_diag)
{
	if (d->canary.back != 0) {
		diag_set(ret_diag, NULL, 0, 0,
			 "serial %llu is on trial: wait until it is over, or end it with "
			 "\"wireglass rules rollback\"",
			 (unsigned long long)d->canary.serial);
		return -EBUSY;
	}
	if (ask->trial.seconds == 0)
		return 0;
	if (d->live == NULL || !d->confirmed || d->dp->state != DPCLIENT_UP) {
		diag_set(ret_diag, NULL, 0, 0,
			 "a trial needs a dataplane that can be watched, and live rules to go back "
			 "to: load it without --canary");
		return -ENOTCONN;
	}
	return 0;
}

int deploy_load(struct deploy *d, char *data, size_t len, const struct deploy_ask *ask,
		struct diag *ret_diag)
{
	int err = refuse_if_busy(d, ret_diag);

	if (err == 0)
		err = refuse_trial(d, ask, ret_diag);
	if (err != 0) {
		free(data);
		return err;
	}
	d->data = data;
	d->len = len;
	deploy_note_digest(d);
	err = record(d, ask, ret_diag);
	if (err != 0)
		return err;
	deploy_begin(d, DEPLOY_LOAD, "the bundle that was sent");
	return 0;
}

struct before {
	uint64_t below, found;
};

static void find_before(void *ctx, const struct store_bundle *b)
{
	struct before *f = ctx;

	if (b->serial < f->below && b->serial > f->found)
		f->found = b->serial;
}

int deploy_read_stored(struct deploy *d, uint64_t serial, char *path, size_t size,
		       struct diag *ret_diag)
{
	return file_read(deploy_path(d, serial, path, size), BUNDLE_FILE_MAX, &d->data, &d->len,
			 ret_diag);
}

int deploy_rollback(struct deploy *d, uint64_t serial, const struct deploy_ask *ask,
		    struct diag *ret_diag)
{
	struct before before = {.below = d->live != NULL ? d->live->serial : UINT64_MAX};
	char path[SETTINGS_PATH_BYTES + 64];
	int err = refuse_if_busy(d, ret_diag);

	if (err != 0)
		return err;
	if (serial == 0 && d->canary.back != 0)
		serial = d->canary.back;
	if (serial == 0) {
		store_bundles(d->store, find_before, &before);
		serial = before.found;
	}
	if (serial == 0) {
		diag_set(ret_diag, NULL, 0, 0,
			 "no older bundle is stored (see \"wireglass rules list\")");
		return -ENOENT;
	}
	if (d->live != NULL && d->live->serial == serial && d->confirmed) {
		diag_set(ret_diag, NULL, 0, 0, "serial %llu is live already",
			 (unsigned long long)serial);
		return -EALREADY;
	}
	err = deploy_read_stored(d, serial, path, sizeof(path), ret_diag);
	if (err == -ENOENT)
		diag_set(ret_diag, NULL, 0, 0,
			 "no bundle with serial %llu is stored (see \"wireglass rules list\")",
			 (unsigned long long)serial);
	if (err != 0)
		return err;
	deploy_note_digest(d);
	err = record(d, ask, ret_diag);
	if (err != 0)
		return err;
	deploy_begin(d, DEPLOY_ROLLBACK, path);
	return 0;
}

void deploy_forget(struct deploy *d, const void *ctx)
{
	if (d->ask.ctx == ctx) {
		d->ask.done = NULL;
		d->ask.ctx = NULL;
	}
}

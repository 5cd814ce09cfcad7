// SPDX-License-Identifier: BSD-2-Clause
// Deployment of rule bundles: from a signed file to the rule set that the dataplane runs.
//
//              +--------------------- fails: what was live stays live ------------------------+
//              |            |              |               |                                 v
//   IDLE -> VERIFY ----> PARSE -------> COMPILE -------> OFFER -----------> LIVE           FAILED
//           signature    child:         child:           dataplane:
//           here         archive,       Hyperscan        loads and publishes
//                        serial, rules
//
// Without a dataplane an accepted bundle waits in OFFER and is handed over when one connects. What is live survives our
// restart (bundle file and serial are in the state directory; it is verified and compiled again) and the dataplane's
// (it is offered again to one that does not run it).
#ifndef CONTROL_DEPLOY_H
#define CONTROL_DEPLOY_H

#include <jansson.h>
#include <stdbool.h>

#include "control/audit.h"
#include "control/build.h"
#include "control/dpclient.h"
#include "control/rulebook.h"
#include "control/store.h"

#define DEPLOY_TABLE(X)                                                                            \
	X(IDLE, "idle")                                                                            \
	X(VERIFY, "verify")                                                                        \
	X(PARSE, "parse")                                                                          \
	X(COMPILE, "compile")                                                                      \
	X(OFFER, "offer")                                                                          \
	X(LIVE, "live")                                                                            \
	X(FAILED, "failed")

enum deploy_state {
#define X(id, name) DEPLOY_##id,
	DEPLOY_TABLE(X)
#undef X
		DEPLOY_N
};
extern const char *const deploy_names[DEPLOY_N];

enum deploy_origin {
	DEPLOY_LOAD,
	DEPLOY_ROLLBACK,
	DEPLOY_START,  // reload of what was live before our restart
	DEPLOY_BACK,   // a trial has failed
	DEPLOY_EXPIRY, // what is live once more, without the rules that have expired
};

// Outcome of a deployment. error 0: live, or accepted and waiting for a dataplane. The reply is lent for the call:
// the build report plus state, generation, load_ms; or {"error", "code"}.
typedef void deploy_done_fn(void *ctx, int error, json_t *reply);

struct deploy_hooks {
	void (*note)(void *ctx, const char *message,
		     const char *const *pairs); // for the EVE engine log
	void (*started)(void *ctx);             // the reload at start is over, well or not
	void *ctx;
};

// How long a bundle is on trial, and what it may cost. Limits at 0: none.
struct deploy_trial {
	uint32_t seconds;          // 0: it is not
	uint32_t max_hits_per_s;   // on average
	uint32_t max_busy_percent; // of the busiest worker, on average
};

// Who wants a deployment, and how.
struct deploy_ask {
	const char *action; // for the audit log: "rules load"
	struct audit_actor actor;
	bool allow_older; // loading
	struct deploy_trial trial;
	deploy_done_fn *done;
	void *ctx;
};

struct deploy_busy {
	uint64_t busy_ns, idle_ns;
};

// The bundle on trial.
struct deploy_canary {
	struct deploy_trial trial;
	uint64_t serial, back; // it, and what was live before; back 0: none is on trial
	uint64_t audit_of;
	uint64_t begun_ns;
	bool failed; // on its way back
	struct loop_timer timer;
	uint64_t hits_before, hits;
	unsigned int busy_percent;
	struct deploy_busy busy[IPC_WORKERS_MAX]; // as it began
};

struct deploy {
	struct loop *loop;
	const struct settings *settings;
	struct store *store;
	struct rulebook *book;
	struct dpclient *dp;
	struct audit *audit;
	struct deploy_hooks hooks;
	char bundles_dir[SETTINGS_PATH_BYTES + 16];

	// The deployment in progress, or the last one.
	enum deploy_state state;
	enum deploy_origin origin;
	struct deploy_ask ask;
	uint64_t audit_of; // its entry in the audit log, 0: none
	char digest[65];   // SHA-256 of the archive
	char signers[SIG_SET_MAX *
		     SIG_ID_TEXT]; // ids of the trusted keys; "" before they are known
	char *data;                // the bundle; NULL: no deployment in progress
	size_t len;
	struct sig_trust trust;
	struct build build;
	struct cache cache; // dir "": none
	json_t *report;
	struct rule_image *candidate;
	uint64_t begun_ns, took_ms;
	struct loop_timer fail_timer; // tells a failure that happened before deploy_load() returned
	char error[1024];             // why the last one FAILED

	// What the dataplane shall run.
	struct rule_image *live;
	uint32_t generation;    // under which live was last offered
	bool confirmed;         // the dataplane runs it
	uint64_t live_since_ns; // Unix time
	uint64_t load_ns;
	struct rule_image *fallback; // what was live before, until this one is confirmed
	char warning[1200];
	struct loop_timer expiry_timer; // of the live rules
	int64_t expiry_warned_s;        // which one has been warned of, 0: none
	struct deploy_canary canary;

	// The offer on its way.
	struct rule_image *offered;
	uint32_t offered_generation;
	struct loop_timer offer_timer; // no answer, or next attempt after -EBUSY
	unsigned int busy_ms;
	uint64_t offer_begun_ns;
};

// 0 or negative errno with ret_diag. All pointers are borrowed.
int deploy_init(struct deploy *d, struct loop *loop, const struct settings *settings,
		struct store *store, struct rulebook *book, struct dpclient *dp,
		struct audit *audit, const struct deploy_hooks *hooks, struct diag *ret_diag);
void deploy_done(struct deploy *d);

// Reload what was live; hooks.started() is called when that is over, perhaps at once.
void deploy_resume(struct deploy *d);

// Begin a deployment. 0: done() will be called once (never from within this call), unless deploy_forget() comes first.
// Its beginning and its end are in the audit log. -EBUSY and others: ret_diag says why, done() is not called, and the
// caller puts the refusal into the audit log.
// data: malloc'ed, taken over in any case.
int deploy_load(struct deploy *d, char *data, size_t len, const struct deploy_ask *ask,
		struct diag *ret_diag);
// serial 0: the highest stored one below the live one.
int deploy_rollback(struct deploy *d, uint64_t serial, const struct deploy_ask *ask,
		    struct diag *ret_diag);
// The asker is gone: carry on without telling.
void deploy_forget(struct deploy *d, const void *ctx);

// From the dataplane connection.
void deploy_dp_up(struct deploy *d);
void deploy_dp_down(struct deploy *d);
void deploy_dp_state(struct deploy *d, const struct ipc_ruleset_state *state);

bool deploy_running(const struct deploy *d);
enum deploy_state deploy_state(const struct deploy *d); // PARSE and COMPILE as the child goes

// Trusted keys as the settings say now. 0, -ENOKEY or other negative errno with ret_diag.
int deploy_trust(const struct settings *s, struct sig_trust *ret_trust, struct diag *ret_diag);

#endif

// SPDX-License-Identifier: BSD-2-Clause
// Inside of the deployment: deploy.c (a bundle's way to an image) and deploy_offer.c (an image's way to the dataplane).
#ifndef CONTROL_DEPLOY_IMPL_H
#define CONTROL_DEPLOY_IMPL_H

#include "control/deploy.h"

// Follow the arrows of deploy.h; asserts that there is one.
void deploy_to(struct deploy *d, enum deploy_state to);

// End the deployment in progress.
void deploy_succeed(struct deploy *d, const char *state);
__attribute__((format(printf, 3, 4))) void deploy_fail(struct deploy *d, const char *code,
						       const char *fmt, ...);

// The deployment's candidate is compiled and admitted: offer it, or accept it as pending.
void deploy_offer_candidate(struct deploy *d);
// Offer what shall be live, if a dataplane is there.
void deploy_offer_live(struct deploy *d);

// Make image what the dataplane shall run, and remember it on disk.
void deploy_accept(struct deploy *d, bool confirmed);

// What happened to the live rules without being asked for, into the audit log. reason NULL: it went well.
void deploy_audit(struct deploy *d, const char *action, const char *reason);

// SHA-256 of d->data into d->digest.
void deploy_note_digest(struct deploy *d);
// A stored bundle into d->data, its path for messages. 0 or negative errno with ret_diag.
int deploy_read_stored(struct deploy *d, uint64_t serial, char *path, size_t size,
		       struct diag *ret_diag);
// Start on d->data.
void deploy_begin(struct deploy *d, enum deploy_origin origin, const char *name);
// Put a stored bundle to work without being asked for. 0 or negative errno: it cannot be read, d->error says why.
int deploy_redeploy(struct deploy *d, enum deploy_origin origin, uint64_t serial,
		    const char *action);
// Look again when a rule of the live set expires.
void deploy_arm_expiry(struct deploy *d, bool failed);

// A bundle that has been live may come back although it has expired: its rules are left out, and what is live says so.
static inline bool deploy_was_live(enum deploy_origin origin)
{
	return origin == DEPLOY_START || origin == DEPLOY_EXPIRY || origin == DEPLOY_BACK;
}

// Trials, in deploy_canary.c. Before the new bundle is put down as the one to come back with: what to go back to. Returns its
// serial.
uint64_t deploy_canary_prepare(struct deploy *d);
// The new one is live.
void deploy_canary_begin(struct deploy *d, uint64_t back);
void deploy_canary_dp_down(struct deploy *d);
// A deployment is over: if others than those on trial are live now, the trial is over, too.
void deploy_canary_replaced(struct deploy *d);
// At start: serial to go back to, because a trial was interrupted; 0: none was.
uint64_t deploy_canary_interrupted(struct deploy *d);
json_t *deploy_trial_json(const struct deploy_trial *t);

// Path of a stored bundle. Returns buf.
const char *deploy_path(const struct deploy *d, uint64_t serial, char *buf, size_t size);

#endif

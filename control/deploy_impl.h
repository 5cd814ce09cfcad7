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

// Path of a stored bundle. Returns buf.
const char *deploy_path(const struct deploy *d, uint64_t serial, char *buf, size_t size);

#endif

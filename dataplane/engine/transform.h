// SPDX-License-Identifier: BSD-2-Clause
// Transforms of a buffer before a condition is evaluated on it, and base64: into memory of the worker, bounded.
#ifndef ENGINE_TRANSFORM_H
#define ENGINE_TRANSFORM_H

#include "common/counters.h"
#include "common/span.h"
#include "dataplane/engine/ruleset_impl.h"

enum {
	TRANSFORM_BYTES = 2 * IMAGE_TAIL_MAX, // longest buffer: a whole window
	TRANSFORM_DECODED = 48 << 10,         // what 64 KiB of base64 hold
};

// Memory and digests of a worker. 0 or -ENOMEM.
int transform_worker_init(struct ruleset_worker *w);
void transform_worker_done(struct ruleset_worker *w);

// The buffer as the condition wants it. Valid until the next call with this worker. False: it is too long.
bool transform_apply(const struct ruleset *rs, struct ruleset_worker *w,
		     const struct image_cond *cond, struct span buffer, struct counters *counters,
		     struct span *ret);

// Decode what is base64 at the start of s (RFC 4648; the first other byte ends it). Valid until the next call.
struct span transform_base64(struct ruleset_worker *w, struct span s);

#endif

// SPDX-License-Identifier: BSD-2-Clause
// Direct evaluation of a rule's matches on one complete buffer: contents with positions, PCRE2 for the rest.
//
// Semantics are Suricata's documented ones: offset/depth count from the start, distance/within from the end of the match
// before; when a later relative match fails, earlier ones are tried further on.
#ifndef ENGINE_EVAL_H
#define ENGINE_EVAL_H

#include "common/counters.h"
#include "common/span.h"
#include "dataplane/engine/ruleset_impl.h"

enum {
	EVAL_STEPS_MAX = 20000, // tries of one evaluation; beyond that it fails and is counted
};

// Does every match of the condition hold on the buffer? A buffer that is not there (data NULL), or of which a
// transform leaves nothing, satisfies nothing.
bool eval_cond(const struct ruleset *rs, struct ruleset_worker *w, const struct image_cond *cond,
	       struct span buffer, struct counters *counters);

// Position of needle in [from, to) of buf, or -1. A nocase needle is in lower case.
int64_t eval_find(struct span buf, size_t from, size_t to, const uint8_t *needle, size_t len,
		  bool nocase);

#endif

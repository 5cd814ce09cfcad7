// SPDX-License-Identifier: BSD-2-Clause
// Who answers for a rule, on what ground, and until when: what a manifest and the metadata of each rule must say before
// the rule may run (docs/BUNDLES.md).
#ifndef RULES_GOVERN_H
#define RULES_GOVERN_H

#include "rules/bundle.h"
#include "rules/parse.h"

struct govern {
	bool strict;       // all fields must be there
	int64_t now_s;     // Unix time
	int64_t expires_s; // when the bundle does, and every rule with it; 0: never
};

struct govern_result {
	uint32_t refused, expired;
	int64_t next_s; // when the next rule of those that are left expires, Unix time; 0: none does
};

// Take the rules out of rs that may not run: those whose expires, or the bundle's, has passed (reported as RULES_EXPIRED), those whose expires
// is no time, and in strict mode those that lack a field (RULES_REFUSED).
void govern_rules(struct rules *rs, const struct govern *g, rules_report_fn *report, void *ctx,
		  struct govern_result *ret_result);

// 0, or -ENODATA with ret_diag if g is strict and the manifest lacks fields: all of them are named.
int govern_manifest(const struct bundle_manifest *m, const struct govern *g, struct diag *ret_diag);

#endif

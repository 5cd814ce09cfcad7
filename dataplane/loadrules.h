// SPDX-License-Identifier: BSD-2-Clause
// Rule files and bundles straight to a rule set, in this process: for replay and bench, which need no daemons.
#ifndef DATAPLANE_LOADRULES_H
#define DATAPLANE_LOADRULES_H

#include <stdint.h>

#include "common/diag.h"
#include "dataplane/engine/ruleset.h"

enum { LOADRULES_FILES_MAX = 64 };

struct loadrules {
	const char *rules[LOADRULES_FILES_MAX]; // rule files
	uint32_t n_rules;
	const char *bundle; // NULL: none
	const char *key;    // public key file or folder that signs the bundle
};

struct loadrules_result {
	struct ruleset *ruleset; // NULL if neither rules nor a bundle were named; ruleset_free() it
	uint32_t loaded, refused, skipped;
	uint64_t image_bytes;
	uint64_t load_ns; // text to ready
};

// 0; -EINVAL, -EKEYREJECTED and other negative errno with ret_diag. Rules that do not load are counted, not fatal.
int loadrules(const struct loadrules *from, struct loadrules_result *ret, struct diag *ret_diag);

#endif

// SPDX-License-Identifier: BSD-2-Clause
// A rule's plan in words, for its author.
#ifndef RULES_EXPLAIN_H
#define RULES_EXPLAIN_H

#include <stdio.h>

#include "rules/plan.h"

enum {
	EXPLAIN_LITERAL_MAX = 200,
};

// A literal as a rule would have it: "id=|0d 0a|", cut if it is long. Returns buf.
const char *explain_literal(char buf[EXPLAIN_LITERAL_MAX], struct span literal, bool nocase);

// Write sentences about the rule, one per line: what wakes it, what is checked where, what has to be kept. rs: where
// plans are made, as of plan_rule(). 0, or as plan_rule() with ret_diag.
int explain_rule(FILE *out, struct rules *rs, const struct rule *rule, struct diag *ret_diag);

#endif

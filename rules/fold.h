// SPDX-License-Identifier: BSD-2-Clause
// Matches on a stream buffer -> Hyperscan expressions.
#ifndef RULES_FOLD_H
#define RULES_FOLD_H

#include "rules/plan.h"

// Fill c->terms from c->matches. 0, -ENOMEM, -EINVAL with ret_diag: the condition cannot be matched in a stream.
int fold_cond(struct rules *rs, const struct rule *rule, struct plan_cond *c,
	      struct diag *ret_diag);

// An expression for HS_FLAG_PREFILTER: where it does not match, a condition that is evaluated on the window does not hold.
// NULL: there is none.
const char *fold_gate(struct rules *rs, const struct rule *rule, const struct plan_cond *c);

#endif

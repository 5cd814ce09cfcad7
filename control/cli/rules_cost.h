// SPDX-License-Identifier: BSD-2-Clause
// What "rules check" and "rules explain" show of a cost measurement.
#ifndef CONTROL_CLI_RULES_COST_H
#define CONTROL_CLI_RULES_COST_H

#include <jansson.h>
#include <stdio.h>

#include "control/cli/cli.h"
#include "rules/cost.h"

// Parts of the JSON answer, new references; NULL: out of memory.
json_t *rules_cost_databases(const struct cost *cost);
json_t *rules_cost_expensive(const struct cost *cost);
json_t *rules_cost_sample(const struct cost *cost);

// Tables for a person.
void rules_cost_print(const struct cost *cost);

// The set is one rule: what it costs, in a sentence.
void rules_cost_explain(FILE *out, const struct cost *cost);
int rules_cost_print_explanation(const struct cli *cli, const struct rule *rule, const char *text,
				 const struct cost *cost);

#endif

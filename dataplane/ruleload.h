// SPDX-License-Identifier: BSD-2-Clause
// From rule files or a bundle to a rule set in this process: for replay and bench, which have no control daemon.
#ifndef DATAPLANE_RULELOAD_H
#define DATAPLANE_RULELOAD_H

#include <stdbool.h>

#include "dataplane/engine/ruleset.h"
#include "rules/compile.h"
#include "rules/sig.h"

enum {
	RULELOAD_FILES_MAX = 256,
	RULELOAD_VARS_MAX = 64,
};

// What to load. Init to zero, fill with ruleload_option().
struct ruleload {
	const char *files[RULELOAD_FILES_MAX];
	unsigned int n_files;
	const char *bundle;                      // NULL: none
	const char *classification, *thresholds; // files, NULL: none
	struct sig_trust trust;
	struct rule_var vars[RULELOAD_VARS_MAX + 1]; // ends with name NULL
	unsigned int n_vars;
	const char *cache; // folder of compiled rule sets, NULL: none
	bool quiet;        // refused rules are counted, not printed
	// Filled by ruleload_run():
	struct compile_stats stats;
	size_t refused, skipped;
	bool cached;      // not compiled, but found in the cache
	char error[1024]; // the error that was printed, without the name of the program
};

enum ruleload_opt {
	RULELOAD_RULES = 0x100,  // --rules FILE
	RULELOAD_BUNDLE,         // --bundle FILE
	RULELOAD_KEY,            // --key FILE
	RULELOAD_VAR,            // --var NAME=VALUE
	RULELOAD_CACHE,          // --cache DIR
	RULELOAD_CLASSIFICATION, // --classification FILE
	RULELOAD_THRESHOLDS,     // --threshold-file FILE
};

// The getopt_long() rows of these options.
#define RULELOAD_OPTIONS                                                                           \
	{"rules", required_argument, NULL, RULELOAD_RULES},                                        \
		{"bundle", required_argument, NULL, RULELOAD_BUNDLE},                              \
		{"key", required_argument, NULL, RULELOAD_KEY},                                    \
		{"var", required_argument, NULL, RULELOAD_VAR},                                    \
		{"cache", required_argument, NULL, RULELOAD_CACHE},                                \
		{"classification", required_argument, NULL, RULELOAD_CLASSIFICATION},              \
	{                                                                                          \
		"threshold-file", required_argument, NULL, RULELOAD_THRESHOLDS                     \
	}

// Their part of a help text.
extern const char ruleload_help[];

// Take one of these options. 0, or -EINVAL after saying on stderr and in rl->error what is wrong with it.
int ruleload_option(struct ruleload *rl, int opt, char *arg);

// Parse, compile, load. Refused rules are named on stderr, unless quiet; so is an error. Without rules and bundle *ret_rs is an
// empty rule set. 0 or negative errno (-EKEYREJECTED: the bundle's signature).
int ruleload_run(struct ruleload *rl, unsigned int workers, struct ruleset **ret_rs);

#endif

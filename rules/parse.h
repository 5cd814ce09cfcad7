// SPDX-License-Identifier: BSD-2-Clause
// Suricata rule text -> struct rule, with file:line:column diagnostics.
#ifndef RULES_PARSE_H
#define RULES_PARSE_H

#include "rules/rule.h"

// Variables for addresses ($HOME_NET) and ports ($HTTP_PORTS).
struct rule_var {
	const char *name; // without '$'
	const char *value;
};

// Suricata's documented defaults: HOME_NET the three RFC 1918 nets, EXTERNAL_NET !$HOME_NET, HTTP_PORTS 80,
// HTTP_SERVERS $HOME_NET and the rest of that table. Ends with name NULL.
extern const struct rule_var rule_vars_default[];

enum rules_verdict {
	RULES_REFUSED, // the rule is not in the set; diag says why
	RULES_SKIPPED, // for a protocol that is not inspected; diag.keyword names it
	RULES_EXPIRED, // by govern_rules() alone: not in the set any more
};

// One message of the parser. Called in file order.
typedef void rules_report_fn(void *ctx, enum rules_verdict verdict, uint32_t sid,
			     const struct diag *diag);

// Parse the rule file text (len bytes, any bytes) and append every rule that loads to rs.
// A rule that does not load is reported and left out; parsing goes on. vars ends with name NULL, is looked up
// before the defaults, may be NULL. report may be NULL.
// Returns the number of rules appended, or -ENOMEM.
int rules_parse(struct rules *rs, const char *file, const char *text, size_t len,
		const struct rule_var *vars, rules_report_fn *report, void *ctx);

// Every keyword that rules may have, buffers and their old spellings included; NULL beyond the last.
const char *rules_keyword(size_t i);

// A classification.config (Suricata's format) for the rules that are parsed after it. Lines that are broken are reported as refused,
// with sid 0, and left out. 0 or -ENOMEM.
int rules_classification(struct rules *rs, const char *file, const char *text, size_t len,
			 rules_report_fn *report, void *ctx);

// A threshold.config (Suricata's format) for the rules that were parsed before it. Else the same.
int rules_thresholds(struct rules *rs, const char *file, const char *text, size_t len,
		     const struct rule_var *vars, rules_report_fn *report, void *ctx);

enum rules_kind {
	RULES_KIND_RULES,
	RULES_KIND_CLASSIFICATION,
	RULES_KIND_THRESHOLDS,
	RULES_KIND_N,
};

// The one of the three that is for this kind. Classifications must come before rules, thresholds after them. 0 or -ENOMEM.
int rules_parse_kind(struct rules *rs, enum rules_kind kind, const char *file, const char *text,
		     size_t len, const struct rule_var *vars, rules_report_fn *report, void *ctx);

// The same as rules_parse() for a file on disk (at most 256 MiB). Negative errno if it cannot be read, with ret_diag filled.
int rules_parse_file(struct rules *rs, const char *path, const struct rule_var *vars,
		     rules_report_fn *report, void *ctx, struct diag *ret_diag);

// A rule_files.open() for files on disk: in the folder of the rule file.
int rule_files_open_beside(void *ctx, const char *rule_file, const char *name,
			   struct rule_source *ret_source, struct diag *ret_diag);

#endif

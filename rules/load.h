// SPDX-License-Identifier: BSD-2-Clause
// Rule texts -> compiled image, from the cache if it is there: what "rules check", "replay" and "bench" share.
#ifndef RULES_LOAD_H
#define RULES_LOAD_H

#include "rules/cache.h"
#include "rules/compile.h"

struct load_text {
	const char *name; // for messages
	struct span text;
	// where its lists are; NULL: rules that name files are refused
	const struct rule_files *files;
	// whatever the order of the texts: classifications are parsed before rules, thresholds after them
	enum rules_kind kind;
};

// Lists in the folder of the rule file.
extern const struct rule_files load_beside;

struct load_request {
	const struct load_text *texts;
	uint32_t n_texts;
	const struct rule_var *vars; // ends with name NULL; may be NULL
	// 32 bytes that stand for all lists that are not files on disk; NULL: there are none
	const uint8_t *lists_digest;
	uint64_t serial;
	const struct cache *cache; // NULL: none
	struct progress *progress; // NULL: nobody watches
};

struct load_result {
	void *image; // malloc'ed
	uint64_t len;
	struct compile_stats stats;
	uint32_t seen, refused, skipped; // rules
	uint64_t parse_ns, total_ns;
	bool cached; // it came from the cache
	// what went wrong with the cache, text "" if nothing: the result is good all the same
	struct diag cache;
};

// Every report comes in the order and with the words of the first time, cached or not.
// ret_rs: NULL, or a set, zeroed, for the parsed rules: they are then parsed even if the image is cached. It is the
// caller's also when this fails. 0, -ENOMEM or -EINVAL, with ret_diag.
int load_image(const struct load_request *q, struct rules *ret_rs, struct load_result *ret_result,
	       rules_report_fn *report, void *ctx, struct diag *ret_diag);

// The texts of files on disk, lists beside them (at most 256 MiB each), malloc'ed one by one. 0 or negative errno with ret_diag.
int load_files(const char *const *paths, uint32_t n, struct load_text *ret_texts,
	       struct diag *ret_diag);

// Rule files and, where not NULL, a classification.config and a threshold.config.
struct load_paths {
	const char *const *rules;
	uint32_t n_rules;
	const char *classification, *thresholds;
};

// The texts of them all: room for n_rules + 2. *ret_n: how many there are, to be freed by load_files_free().
int load_paths_read(const struct load_paths *paths, struct load_text *ret_texts, uint32_t *ret_n,
		    struct diag *ret_diag);
void load_files_free(struct load_text *texts, uint32_t n);

#endif

// SPDX-License-Identifier: BSD-2-Clause
// What a compiled rule set costs: its databases measured on a sample of traffic, its most expensive rules estimated.
//
// The databases are scanned as the engine does it: buffers of the head whole, streams in pieces of a segment's size. How
// often a rule is woken is counted, too: each signature fires once per message, which is what it costs in the engine.
// What a rule then does is an estimate from the constants in cost.c, times the bytes it would look at. So the order of
// the rules is sound where they differ much, and "percent" is a number to compare rules by, not a promise.
#ifndef RULES_COST_H
#define RULES_COST_H

#include "rules/image.h"
#include "rules/rule.h"
#include "rules/sample.h"

enum {
	COST_DATABASES_MAX = IMAGE_PARTS_MAX * 2 * BUF_N,
	COST_RULES_MAX = 10,
	COST_TEXT_MAX = 400,
};

// An always-on database: every byte of its buffer is scanned with it.
struct cost_database {
	uint8_t buffer, dir;
	uint32_t index; // in the image; a buffer may have several
	uint32_t patterns;
	uint64_t bytes;        // serialized
	uint64_t stream_bytes; // per open message; 0: block mode
	uint64_t sample_bytes; // that were scanned, 0: the sample has none of this buffer
	double gigabytes_per_second;
};

struct cost_rule {
	const struct rule *rule;
	double percent;           // of the time of the whole set that would be saved without it
	uint8_t buffer, dir;      // where it is woken
	bool always;              // it has nothing to be woken by
	uint32_t woken;           // on so many messages
	uint32_t messages;        // of so many of the direction
	uint32_t occurrences;     // of its literal in the sample
	struct span literal;      // in the rule's memory; empty: an expression, or none
	char mend[COST_TEXT_MAX]; // what to do about it
};

struct cost {
	struct cost_database database[COST_DATABASES_MAX];
	uint32_t n_databases;
	uint32_t own_databases; // of single rules, opened when they are woken
	uint64_t own_bytes;
	struct cost_rule rule[COST_RULES_MAX]; // most expensive first
	uint32_t n_rules;
	uint64_t sample_bytes;       // of bodies and heads
	double seconds_per_gigabyte; // of the sample, all databases and rules
};

// Measure a checked image; rs: the rules it was made of, which keep owning what ret_cost points at. Takes about a tenth
// of a second for 14 thousand rules. 0, -ENOMEM, -EINVAL (ret_diag: a database does not load).
int cost_measure(const struct image_header *image, struct rules *rs, const struct sample *sample,
		 struct cost *ret_cost, struct diag *ret_diag);

#endif

// SPDX-License-Identifier: BSD-2-Clause
// What the libraries alone need for the bytes that a round gives them: the limit that the engine is measured against.
#ifndef DATAPLANE_BENCH_LIMIT_H
#define DATAPLANE_BENCH_LIMIT_H

#include <stddef.h>
#include <stdint.h>

struct capture_set;
struct diag;
struct ruleset;
struct tap;

struct bench_limit;

struct bench_limit_size {
	uint64_t scan_calls, scan_bytes;
	uint64_t deflate_bodies, deflate_bytes;
};

// From what a round left in its tap, copied in the order in which it will be used; the rule set must stay.
// 0, -ENOMEM, or -EFBIG when the tap had no room for all of it.
int bench_limit_new(const struct tap *tap, struct ruleset *rs, struct bench_limit **ret_limit,
		    struct diag *ret_diag);
void bench_limit_free(struct bench_limit *l); // accepts NULL

void bench_limit_size(const struct bench_limit *l, struct bench_limit_size *ret_size);

// Every buffer through the prefilter database that the engine has for it. Returns the signatures that fired, as
// detect.signatures counts them.
uint64_t bench_limit_scan(struct bench_limit *l);

// Every DEFLATE body in one go through ISA-L. Returns the bytes that came out.
uint64_t bench_limit_inflate(struct bench_limit *l);

// Every frame copied once, to a place that stays in the cache: the cost of reading the bytes.
void bench_limit_copy(struct bench_limit *l, const struct capture_set *set);

#endif

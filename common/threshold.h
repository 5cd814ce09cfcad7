// SPDX-License-Identifier: BSD-2-Clause
// How often a rule that matches is reported: Suricata's "threshold" and "detection_filter".
//
// The dataplane emits every hit. Whoever consumes the hits of all workers (wireglassd, wireglass replay) asks here, so that
// the numbers are exact whatever worker a flow was given to. Nothing here allocates, locks or reads a clock.
#ifndef COMMON_THRESHOLD_H
#define COMMON_THRESHOLD_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/hit.h"

enum {
	THRESHOLD_WAYS = 8,        // entries of a bucket
	THRESHOLD_ENTRIES = 65536, // windows of a table as both users make it: 4 MiB
	THRESHOLD_ENTRIES_MAX = 1 << 24,
	THRESHOLD_UNDO_MAX = 8192, // checks between threshold_begin() and its end
	THRESHOLD_SEED_BYTES = 16,
};

enum threshold_type {
	THRESHOLD_NONE,      // every hit
	THRESHOLD_LIMIT,     // the first count of a window
	THRESHOLD_THRESHOLD, // every count-th of a window
	THRESHOLD_BOTH,      // the count-th of a window, once
	THRESHOLD_FILTER,    // detection_filter: all of a window after the first count
	THRESHOLD_TYPE_N
};

// Hits are counted together that have this in common.
enum threshold_track {
	THRESHOLD_BY_SRC, // address of the matched message's sender
	THRESHOLD_BY_DST,
	THRESHOLD_BY_BOTH, // the pair of addresses, in either order
	THRESHOLD_BY_RULE,
	THRESHOLD_BY_FLOW,
	THRESHOLD_TRACK_N
};

// Of a suppression: whose address decides.
enum suppress_track {
	SUPPRESS_ALWAYS,
	SUPPRESS_BY_SRC,
	SUPPRESS_BY_DST,
	SUPPRESS_BY_EITHER,
	SUPPRESS_TRACK_N
};

// Part of a rule, in the image too. All zero: no threshold.
struct threshold_params {
	uint8_t type;  // enum threshold_type
	uint8_t track; // enum threshold_track
	uint16_t pad;
	uint32_t count, seconds; // 1 or more
};
static_assert(sizeof(struct threshold_params) == 12, "image format");

static inline bool threshold_is_valid(const struct threshold_params *p)
{
	if (p->type == THRESHOLD_NONE)
		return p->track == 0 && p->pad == 0 && p->count == 0 && p->seconds == 0;
	return p->type < THRESHOLD_TYPE_N && p->track < THRESHOLD_TRACK_N && p->pad == 0 &&
	       p->count > 0 && p->seconds > 0;
}

// "limit", "by_src"...; NULL beyond the last, so that tables can be walked.
const char *threshold_type_name(unsigned int type);
const char *threshold_track_name(unsigned int track);

enum threshold_verdict {
	THRESHOLD_REPORT,
	THRESHOLD_SUPPRESS,
};

struct threshold_totals {
	uint64_t reported, suppressed; // hits of rules with a threshold
	uint64_t evicted;              // open windows that had to make room: their count began anew
};

struct threshold;

// Memory for a table of entries windows (a power of two, THRESHOLD_WAYS or more, THRESHOLD_ENTRIES_MAX at most); 0 if
// entries is none of these.
size_t threshold_bytes(uint32_t entries);

// Make a table in mem (threshold_bytes(entries) bytes or more, aligned to 8), which the caller keeps and frees. seed is
// random: addresses are chosen by strangers, who shall not be able to choose a bucket. 0 or -EINVAL.
int threshold_init(void *mem, size_t bytes, uint32_t entries,
		   const uint8_t seed[THRESHOLD_SEED_BYTES], struct threshold **ret_table);

// Count a hit and say what becomes of it. Time is hit->ts_ns alone. p is valid (threshold_is_valid). boot_id tells the
// flows of one dataplane from those of the next; it may be NULL where there is only one.
//
// A window begins with the first hit and lasts p->seconds, the last instant included, as in Suricata 7; the first hit after
// it begins the next. A hit from before the window's begin is counted in it (workers are not in step), unless it is more
// than p->seconds before: then the clock was set back, and a window begins with it.
enum threshold_verdict threshold_check(struct threshold *t, const struct threshold_params *p,
				       const uint8_t boot_id[16], const struct hit *hit);

// All or nothing: what was checked since begin (THRESHOLD_UNDO_MAX hits at most) is kept by commit, as if it had never
// been by rollback. Checks outside of begin and its end are kept.
void threshold_begin(struct threshold *t);
void threshold_commit(struct threshold *t);
void threshold_rollback(struct threshold *t);

struct threshold_totals threshold_totals(const struct threshold *t);

#endif

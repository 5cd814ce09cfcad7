// SPDX-License-Identifier: BSD-2-Clause
// When a worker cannot keep up (skip_bodies in the configuration): how large must a flow be for its bodies to be passed over?
//
//   level   0        1        2       3       4         5        6
//   flows   none     16 MiB   4 MiB   1 MiB   256 KiB   64 KiB   16 KiB     and more, both directions together
//
// One level up: in a second frames were lost before the worker, and most of those that it got came in full bursts, so that it was the
// worker who had no time. One down: nothing was lost and few bursts were full, OVERLOAD_CALM seconds in a row. Between the two it stays.
#ifndef DATAPLANE_OVERLOAD_H
#define DATAPLANE_OVERLOAD_H

#include <stdbool.h>
#include <stdint.h>

struct dataplane;
struct worker;

enum {
	OVERLOAD_LEVELS = 6,
	OVERLOAD_LARGEST = 16 << 20,
	OVERLOAD_FULL_PERCENT = 75, // of the frames in full bursts: it is behind
	OVERLOAD_CALM_PERCENT = 25, // it keeps up
	OVERLOAD_CALM = 5,
};

// All zero: none.
struct overload {
	uint32_t level;
	uint32_t calm; // seconds so far
};

// A second is over. lost: frames were; full of the frames that came in it came in full bursts.
void overload_step(struct overload *o, bool lost, uint64_t frames, uint64_t full);

// Bodies of flows of so many bytes and more are passed over; 0: none are.
uint64_t overload_skip_from(const struct overload *o);

// --- overload_watch.c ---

// Main lcore, once a second: what was lost before the workers; says when bodies begin to be passed over, and when that ends.
void overload_watch(struct dataplane *dp);

// The worker, once a second, between bursts.
void overload_look(struct worker *w);

#endif

// SPDX-License-Identifier: BSD-2-Clause
// What an input costs, in steps that are the same on every machine and every run: branches taken in our code, and bytes that
// went through a library or a copy (16 are a step). A target counts while it is inside of what it tests, and names the most
// that so many bytes may cost; what costs more is a finding.
//
// Branches are counted in builds of run.sh only; elsewhere the bound holds trivially, but for copies.
#ifndef TESTS_FUZZ_COST_H
#define TESTS_FUZZ_COST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

extern uint64_t cost_steps;
extern bool cost_counts; // set while the code under test runs

// Before an input.
void cost_begin(void);

// Behind it: no more than `fixed` steps and `per_byte` for each of `bytes`, else abort(). Tells libFuzzer how dear the bytes were, so
// that it looks for dearer ones.
void cost_end(size_t bytes, uint64_t per_byte, uint64_t fixed);

#endif

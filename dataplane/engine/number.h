// SPDX-License-Identifier: BSD-2-Clause
// Numbers in buffers: reading them, testing them, calculating with them. Semantics as in Suricata's documentation of
// byte_test, byte_jump, byte_extract and byte_math.
#ifndef ENGINE_NUMBER_H
#define ENGINE_NUMBER_H

#include <stdbool.h>

#include "common/span.h"
#include "rules/number.h"

// Read a number of so many bytes (in text 0: as many as there are) at the start of s. *ret_used: the bytes it takes.
// False: it is not there.
bool number_read(const struct number *n, struct span s, uint64_t bytes, uint64_t *ret_value,
		 size_t *ret_used);

// The value under the mask, shifted down.
uint64_t number_mask(const struct number *n, uint64_t value);

// Does x hold against the operand? For the ops that test.
bool number_test(const struct number *n, uint64_t x, uint64_t operand);

// For the ops that calculate; modulo 2^64. False: division by zero.
bool number_calculate(const struct number *n, uint64_t x, uint64_t operand, uint64_t *ret_value);

// x rounded up to a multiple of n->align.
uint64_t number_align(const struct number *n, uint64_t x);

#endif

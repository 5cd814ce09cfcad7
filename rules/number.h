// SPDX-License-Identifier: BSD-2-Clause
// A number in a rule that is compared with, read from or calculated from a buffer: bsize, urilen, isdataat, byte_test,
// byte_jump, byte_extract, byte_math. One record serves rules and images, so its layout is part of the image format.
#ifndef RULES_NUMBER_H
#define RULES_NUMBER_H

#include <assert.h>
#include <stdint.h>

enum {
	NUMBER_VARS_MAX = 16,  // of one rule; public ones have up to three
	NUMBER_BINARY_MAX = 8, // bytes of a binary number
	NUMBER_STRING_MAX =
		23, // characters of a number in text: 64 bits in octal and a zero before them
	NUMBER_OFFSET_MAX = 65535,
};

enum number_op {
	// tests
	NUMBER_EQ,
	NUMBER_NE,
	NUMBER_LT,
	NUMBER_LE,
	NUMBER_GT,
	NUMBER_GE,
	NUMBER_INSIDE,  // value < x < value2
	NUMBER_OUTSIDE, // not that
	NUMBER_AND,     // a bit in common
	NUMBER_XOR,     // a bit that differs
	NUMBER_TEST_N,
	// calculations
	NUMBER_ADD = NUMBER_TEST_N,
	NUMBER_SUB,
	NUMBER_MUL,
	NUMBER_DIV,
	NUMBER_SHL,
	NUMBER_SHR,
	NUMBER_OP_N,
};

enum number_flag {
	NUMBER_LITTLE = 1 << 0, // endian
	NUMBER_NOT = 1 << 1,    // the test must fail (on a number that is there)
	NUMBER_FROM_BEGINNING = 1 << 2,
	NUMBER_FROM_END = 1 << 3,
	// the field holds the index of a variable
	NUMBER_VAR_BYTES = 1 << 4,
	NUMBER_VAR_OFFSET = 1 << 5,
	NUMBER_VAR_VALUE = 1 << 6,
	NUMBER_FLAGS = (1 << 7) - 1,
};

struct number {
	uint8_t op;       // enum number_op
	uint8_t flags;    // enum number_flag
	uint8_t base;     // 0: binary; 8, 10, 16: digits in text
	uint8_t result;   // variable that takes it
	int32_t offset;   // where it stands; isdataat: which byte there must be
	uint32_t bytes;   // how many to read; in text 0: all digits there are
	uint32_t bitmask; // 0: none; the result is shifted down by the mask's trailing zeros
	uint32_t multiplier;
	uint32_t align; // round up to a multiple of this; 0 or 1: no
	int32_t post_offset;
	uint32_t pad;
	uint64_t value, value2; // operands
};

static_assert(sizeof(struct number) == 48, "image format");

#endif

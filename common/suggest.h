// SPDX-License-Identifier: BSD-2-Clause
// "did you mean": the known word closest to a misspelt one.
#ifndef COMMON_SUGGEST_H
#define COMMON_SUGGEST_H

#include <stddef.h>

// Closest of n names to word by edit distance (at most 2, and less than half of word), or NULL.
const char *suggest_closest(const char *word, const char *const *names, size_t n);

#endif

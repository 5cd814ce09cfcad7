// SPDX-License-Identifier: BSD-2-Clause
// Search for one literal. Nothing behind the bytes given is read.
#ifndef ENGINE_FIND_H
#define ENGINE_FIND_H

#include "common/span.h"

// Does it stand at p? nocase: the literal is in lower case.
bool find_is_at(const uint8_t *p, const uint8_t *literal, size_t len, bool nocase);

// Its first place in hay, or -1. len: at least 1.
int64_t find_literal(struct span hay, const uint8_t *literal, size_t len, bool nocase);

#endif

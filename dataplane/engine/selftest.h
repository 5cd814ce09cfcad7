// SPDX-License-Identifier: BSD-2-Clause
// Does the libhs on this machine tell the truth? Debian 12's Vectorscan 5.4.9 misses a one-byte literal at offset 64 and
// beyond on AVX-512 CPUs; a dataplane on it would be blind without a sign.
#ifndef ENGINE_SELFTEST_H
#define ENGINE_SELFTEST_H

#include <stdint.h>

#include "common/diag.h"

enum {
	SELFTEST_BYTES = 320, // longest input; the defect known shows from 64 on
};

// Scan len bytes for '|', in pieces of piece bytes (0: block mode); returns the number of matches, negative on failure.
// SELFTEST_BYTES + 64 bytes are readable behind data.
typedef int selftest_scan_fn(void *ctx, const uint8_t *data, uint32_t len, uint32_t piece);

// Place the byte at every offset of inputs of several lengths. 0, or -ENOTSUP with ret_diag naming the first miss.
int selftest_run(selftest_scan_fn *scan, void *ctx, struct diag *ret_diag);

#endif

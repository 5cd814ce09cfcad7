// SPDX-License-Identifier: BSD-2-Clause
// Parsed rules -> plan -> Hyperscan databases -> image. Control side only: links hs_compile.
#ifndef RULES_COMPILE_H
#define RULES_COMPILE_H

#include "rules/image.h"
#include "rules/parse.h"

struct compile_stats {
	uint32_t rules, refused;
	uint32_t databases, own_databases;
	uint32_t signatures;
	uint32_t always;     // rules evaluated on every head
	uint32_t alert_only; // drop and reject rules: where no traffic may be stopped, they alert
	uint64_t image_bytes;
	uint64_t plan_ns, compile_ns;
};

// Make an image of rs.
// Rules that cannot be planned are reported (RULES_REFUSED) and left out. A set of no rules is a valid image.
//
// ret_image: malloc'ed, *ret_len bytes, free() it. Returns 0, -ENOMEM, -EINVAL (ret_diag).
int compile_image(const struct rules *rs, uint64_t serial, void **ret_image, uint64_t *ret_len,
		  struct compile_stats *ret_stats, rules_report_fn *report, void *ctx,
		  struct diag *ret_diag);

// Copy an image into a memfd sealed against shrink, grow, write and further seals (what the dataplane demands).
// Returns the fd (close-on-exec) or negative errno.
int image_memfd(const void *image, uint64_t len);

#endif

// SPDX-License-Identifier: BSD-2-Clause
// What becomes of a hit: reported, or not, because threshold.config suppresses it for its addresses or the threshold of its rule does.
// For those who consume the hits of all workers (wireglassd, wireglass replay); the dataplane emits every hit.
#ifndef RULES_VERDICT_H
#define RULES_VERDICT_H

#include "common/threshold.h"
#include "rules/image.h"

// A table of thresholds with a random seed. 0, -ENOMEM or -EIO. Free with free().
int verdict_table_new(struct threshold **ret_table);

// img: that of the hit's rule, or NULL if it is not known any more; p: the rule's threshold. The rest as in threshold_check().
enum threshold_verdict verdict_of(const struct image_header *img, const struct threshold_params *p,
				  struct threshold *t, const uint8_t boot_id[16],
				  const struct hit *hit);

#endif

// SPDX-License-Identifier: BSD-2-Clause
// A rule set ready to scan: a checked image, its deserialized databases, per-worker scratch and stream pools.
//
// Made by the main lcore, used by the workers, freed by the main lcore when nobody uses it any more. Shared words:
//   in_use[w]  worker w / main / relaxed: bodies of worker w that are bound to this rule set
#ifndef ENGINE_RULESET_H
#define ENGINE_RULESET_H

#include <stdbool.h>

#include "rules/image.h"

struct ruleset;

// Check and load an image. It is copied: the caller may unmap it afterwards.
// want_digest as in image_check(). workers: how many pipelines will use it, numbered from 0.
// 0, -EBADMSG, -EKEYREJECTED, -ENOMEM, -ENOTSUP (image made for another Hyperscan or a CPU with more features).
int ruleset_load(const void *image, uint64_t len, const uint8_t want_digest[32],
		 uint32_t generation, unsigned int workers, struct ruleset **ret_rs,
		 struct diag *ret_diag);

// The same for a mapping that nobody can change any more (a sealed memfd): a large one is used where it is. If this returns
// 0 the mapping is the rule set's, which unmaps it; otherwise it stays the caller's.
int ruleset_load_map(void *map, uint64_t len, const uint8_t want_digest[32], uint32_t generation,
		     unsigned int workers, struct ruleset **ret_rs, struct diag *ret_diag);

// Only when ruleset_in_use() is false and no worker can pick it up any more. Accepts NULL.
void ruleset_free(struct ruleset *rs);

// Main lcore: is any worker still inspecting with it?
bool ruleset_in_use(const struct ruleset *rs);

uint32_t ruleset_generation(const struct ruleset *rs);
const struct image_header *ruleset_image(const struct ruleset *rs);

// Hyperscan's state of the bodies that worker w has open now, in bytes.
uint64_t ruleset_stream_bytes(const struct ruleset *rs, unsigned int w);

// Can this machine run libhs at all (SSSE3)? 0, or -ENOTSUP with ret_diag. ruleset_load() also tries libhs on known
// vectors and refuses (-ENOTSUP) to inspect with one that misses matches.
int ruleset_selftest(struct diag *ret_diag);

#endif

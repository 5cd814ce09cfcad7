// SPDX-License-Identifier: BSD-2-Clause
// Texts of the rules of the last few rule sets, so that a hit of any of them can be named.
#ifndef CONTROL_RULEBOOK_H
#define CONTROL_RULEBOOK_H

#include <stdint.h>

#include "common/eve.h"
#include "rules/image.h"

enum {
	RULEBOOK_SETS =
		4, // two in the dataplane, and the two before: hits of theirs may still be in its spool
};

// A compiled image that was checked, mapped read-only. Shared by counting.
struct rule_image {
	const struct image_header *image;
	uint64_t bytes;
	int memfd; // sealed
	unsigned int refs;
	uint64_t serial;
	uint32_t rules;
	uint8_t bundle_digest[32];
	uint32_t expired;      // rules of the bundle that are not in it, because they have expired
	int64_t next_expiry_s; // Unix time when one of its rules expires, 0: none does
	char id[128];
};

// Map memfd (sealed by image_memfd(); owned by the result from now on) and check it.
// 0, -EBADMSG and other negative errno with ret_diag.
int rule_image_new(int memfd, struct rule_image **ret_image, struct diag *ret_diag);
struct rule_image *rule_image_ref(struct rule_image *ri);
void rule_image_unref(struct rule_image *ri); // accepts NULL

struct rulebook {
	struct {
		uint32_t generation;
		struct rule_image *image;
	} set[RULEBOOK_SETS]; // newest first
};

// From now on hits of this generation are named by this image. The oldest set is forgotten.
void rulebook_add(struct rulebook *b, uint32_t generation, struct rule_image *image);
void rulebook_done(struct rulebook *b);

struct rulebook_entry {
	struct eve_rule texts; // never NULL, "" if unknown
	const char *bundle;    // id, "" if unknown
	uint64_t serial;
	struct threshold_params threshold; // none if unknown
	const struct image_header *image;  // NULL if unknown
};
// Look up a hit's rule: by generation and index, else by gid and sid in the newest set that has it.
// Returned texts live as long as the set is in the book.
struct rulebook_entry rulebook_find(const struct rulebook *b, const struct hit *hit);

#endif

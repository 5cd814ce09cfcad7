// SPDX-License-Identifier: BSD-2-Clause
// Search for many literals of at least GRAMS_MIN bytes in a stream, looking at one place in eight only.
//
// Eight neighbouring grams (of eight bytes) of a literal lie in GRAMS_MIN bytes of it. Wherever it stands in a text, one of them
// begins at a multiple of eight: so the text's grams there are looked up in a table of all literals' eight grams each,
// and where one is found the whole literal is compared. (The idea of sampled q-grams; Wu and Manber's search of many
// patterns rests on the same.) Hyperscan, which serves literals of any length, looks at every byte.
//
// The table is built from literals in memory that stays the caller's, read-only afterwards and shared by all threads.
#ifndef RULES_GRAMS_H
#define RULES_GRAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/span.h"

enum {
	GRAM_BYTES = 8,
	GRAM_STEP = 8,
	GRAMS_MIN = GRAM_STEP + GRAM_BYTES - 1,
	GRAMS_MAX = 128, // longest literal
	// Literals that may share a gram: a text of nothing else costs so many comparisons for every eight bytes.
	GRAMS_SHARED = 4,
};

struct grams_literal {
	struct span bytes; // nocase: in lower case
	uint8_t at;        // where the grams begin: grams_choose()
	bool nocase;
};

struct grams;

// Where a search stands, grams_stream_bytes() of memory.
struct grams_stream {
	uint64_t bytes; // of the stream so far
	uint32_t n_tail;
	uint8_t tail[GRAMS_MAX - 1]; // the last ones
	uint8_t found[];             // bit per literal
};

// As Hyperscan's match_event_handler: id is the literal's index, from and flags are 0, to is the offset behind the match. What it
// returns is not looked at.
typedef int grams_found_fn(unsigned int id, unsigned long long from, unsigned long long to,
			   unsigned int flags, void *ctx);

// The signatures of a database of grams of an image that was checked. 0, -ENOMEM, -EBADMSG (they are none).
struct image_header;
int grams_of_image(const struct image_header *img, uint32_t db, struct grams **ret_grams);

// Choose `at` of n literals: where their grams are rare in a sample of traffic and, among equals, where `bits` (about -log2 of the
// share of these bytes in text) says so. A literal too short or too long, or whose grams too many others have, gets
// UINT8_MAX: it cannot be among them. 0 or -ENOMEM.
int grams_choose(struct grams_literal *v, uint32_t n, const struct span *sample, size_t n_sample,
		 uint32_t (*bits)(struct span bytes, bool nocase));

// 0, -ENOMEM, or -EBADMSG: literals that grams_choose() would not have let pass.
int grams_new(const struct grams_literal *v, uint32_t n, struct grams **ret_grams);
void grams_free(struct grams *g); // accepts NULL

size_t grams_stream_bytes(const struct grams *g);
size_t grams_bytes(const struct grams *g); // of the table
void grams_reset(const struct grams *g, struct grams_stream *s);

// The stream goes on with data. Every literal is reported once per stream, where it ends first.
void grams_scan(const struct grams *g, struct grams_stream *s, struct span data,
		grams_found_fn *found, void *ctx);

#endif

// SPDX-License-Identifier: BSD-2-Clause
// What the files that make an image share; private to them: compile.c, compile_rule.c, compile_list.c, compile_db.c.
#ifndef RULES_COMPILE_IMPL_H
#define RULES_COMPILE_IMPL_H

#include <hs.h>

#include "rules/compile.h"
#include "rules/plan.h"
#include "rules/sample.h"

// Growing bytes; failed sticks.
struct bytes {
	uint8_t *p;
	size_t len, cap;
	bool failed;
};

// A signature before equal ones are merged.
struct want {
	uint8_t slot, dir;
	uint8_t part; // of the buffer's databases: rules/partition.c
	uint8_t gram; // PART_GRAMS: struct grams_literal.at
	bool nocase;
	const char *expr; // instead of bytes
	struct span bytes;
	uint64_t min_end, max_end;
	uint32_t lookback;
	struct image_owner owner;
};

struct maker {
	struct rules scratch; // arena for plans
	struct bytes sec[IMAGE_SECTION_N];
	struct image_header head;
	struct bytes wants;
	struct bytes always[DIR_N], packets[DIR_N], files[DIR_N]; // struct image_owner
	const struct rules *rules;
	// Of the rules' lists: in the image, IMAGE_NONE if no rule in it names it.
	uint32_t *list_index;
	uint32_t *lists; // the other way round
	uint32_t n_lists;
	uint64_t list_bytes;
	struct sample sample; // that partitions are timed on; filled when the first is
	struct compile_stats *stats;
	rules_report_fn *report;
	void *ctx;
};

// --- compile_db.c ---

// Append n bytes (zeros without data). The new bytes until the next call, NULL when out of memory, now or before.
void *maker_add(struct bytes *b, const void *data, size_t n);

// Pad to a multiple of eight.
void maker_align(struct bytes *b);

// Records of so many bytes in a section so far: the index of the next one.
uint32_t maker_count(const struct maker *m, enum image_section_id id, size_t record);

// Serialize db into the blobs and add its row, which may be completed. Frees db; NULL: there is none, as IMAGE_DB_GRAMS says.
int maker_add_db(struct maker *m, hs_database_t *db, uint32_t flags, uint32_t sig, uint32_t n_sigs,
		 uint32_t *ret_index);

// One pattern set -> database. Pattern ids are 0..n-1. -EINVAL: pattern *ret_bad (or -1) is none, why says so.
int maker_compile(const char **expr, const unsigned int *flags, const hs_expr_ext_t *ext,
		  unsigned int n, bool stream, hs_database_t **ret_db, int *ret_bad, char *why,
		  size_t why_size);

// Where a match may end, as Hyperscan wants it.
void maker_ext(hs_expr_ext_t *ext, uint64_t min_end, uint64_t max_end);

// --- compile.c ---

// Different patterns of wants[0..n), which are sorted, as Hyperscan takes them. Released with patterns_done().
struct patterns {
	const char **expr;
	unsigned int *flags;
	hs_expr_ext_t *ext;
	unsigned int n;
};

int patterns_make(struct maker *m, const struct want *wants, size_t n, struct patterns *ret_p);
void patterns_done(struct patterns *p);

// Order by database, then by pattern, so that equal patterns stand together.
int want_cmp(const void *a, const void *b);

// --- partition.c ---

// What is divided: the always-on signatures of one stream buffer and direction.
enum {
	PART_MAIN,
	PART_SHORT, // literals of few bytes
	PART_START, // literals that must end in a buffer's first bytes
	PART_GRAMS, // long literals, for rules/grams.h
};
_Static_assert(PART_GRAMS + 1 == IMAGE_PARTS_MAX, "parts of a buffer");

// Set `part` of wants[0..n), all of one stream buffer and direction, and sort them again. ret_limit: see struct image_db,
// for PART_START. 0 or -ENOMEM.
int partition(struct maker *m, struct want *wants, size_t n, uint64_t *ret_limit);

// --- compile_list.c ---

int maker_lists_init(struct maker *m);
void maker_lists_done(struct maker *m);

// The index in the image of one of the rules' lists, which will be in it from now on.
uint32_t maker_list(struct maker *m, uint32_t list);

// The rows of the lists, when all rules are in.
void maker_add_lists(struct maker *m);

// Write the bytes of the lists to their place in the image and complete their rows.
void maker_write_lists(const struct maker *m, void *image);

// --- compile_rule.c ---

// What a threshold file said that is of no single rule.
void maker_add_suppress(struct maker *m, const struct rules *rs);

// Everything of one rule but its signature, which goes to m->wants. -EINVAL: it is left out, ret_diag says why.
int maker_add_rule(struct maker *m, const struct rule *r, struct diag *d);

#endif

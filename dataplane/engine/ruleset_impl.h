// SPDX-License-Identifier: BSD-2-Clause
// Inside of a loaded rule set: for ruleset.c, eval.c, detect.c, and for bench, which scans with the same databases.
#ifndef ENGINE_RULESET_IMPL_H
#define ENGINE_RULESET_IMPL_H

#include <hs.h>
#include <stdatomic.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "dataplane/engine/ruleset.h"
#include "rules/grams.h"

typedef struct evp_md_ctx_st EVP_MD_CTX;

enum {
	TRANSFORM_DIGESTS = TRANSFORM_TO_SHA256 - TRANSFORM_TO_MD5 + 1,
};

// A signature that matched in the last scan.
struct fired {
	uint32_t sig; // index in its database, from db.sig
	uint32_t pad;
	uint64_t end; // offset behind the match, in bytes given to the scan so far
};

// Where a search of a stream stands: Hyperscan's state, or struct grams_stream.
struct ruleset_stream;

// Open streams of one database waiting for their next body: no malloc in steady state.
struct stream_pool {
	struct ruleset_stream **free;
	uint32_t n, cap;
	uint32_t taken; // not given back yet
};

// A link as the engine uses it (struct image_link), lengths computed once.
struct link {
	const struct image_match *m;
	const uint8_t *needle; // the anchor
	int64_t pos_min,
		pos_max; // the first content lies within [pos_min, pos_max), offsets of the buffer
	uint32_t first;  // index of m[0] in the rule set
	uint32_t back;   // most bytes from the link's start to the anchor's end
	uint32_t ahead;  // most bytes from there to the end of the last content
	uint32_t span;   // both
	uint16_t n;      // contents
	uint16_t len;    // of the anchor
	uint8_t rare;    // where its rarest three bytes begin
	bool nocase, negated;
	bool at_end;    // only the buffer's end decides it
	bool with_pcre; // m[n] must match behind the contents
};

// What one worker changes. Only in_use is read by another thread.
struct ruleset_worker {
	_Alignas(64) _Atomic uint64_t in_use; // worker / main / relaxed
	hs_scratch_t *scratch;
	struct stream_pool *pools; // per database; block ones have cap 0
	struct fired *fired;       // room for every signature of the largest database
	uint32_t n_fired;
	pcre2_match_data *match;
	pcre2_match_context *match_ctx;
	pcre2_jit_stack *jit_stack;
	// For conditions that look at other bytes than the buffer's: engine/transform.c.
	uint8_t *copy, *decoded;
	EVP_MD_CTX *digest[TRANSFORM_DIGESTS];
};

struct ruleset {
	uint64_t identity; // the first bytes of the image's digest
	uint32_t generation;
	uint32_t workers;
	const struct image_header *img; // own copy, or a mapping of map_bytes
	uint64_t map_bytes;             // 0: own copy
	const struct image_rule *rules;
	const struct image_cond *conds;
	const struct image_match *matches;
	const struct image_term *terms;
	struct link *links;
	const struct image_sig *sigs;
	const struct image_owner *owners;
	const struct state_op_record *state;
	const struct number *numbers;
	const struct image_transform *transforms;
	const struct image_addr *addrs;
	const struct image_port *ports;
	const struct image_db *dbs;
	const uint8_t *blobs;
	uint32_t n_rules, n_dbs, n_matches, n_links;
	hs_database_t **db;          // NULL: one of grams
	struct grams **grams;        // per database, NULL: one of Hyperscan
	pcre2_code **pcre;           // per match, NULL for contents
	pcre2_code **transform_pcre; // per transform, NULL for all but pcrexform
	uint32_t n_transforms;
	struct ruleset_worker *w;
};

// Do libhs and the databases find what they must? With worker 0's scratch. 0, -ENOTSUP (libhs), -EBADMSG (a database).
int ruleset_try(struct ruleset *rs, struct diag *ret_diag);

// A stream of database db at its start, or NULL. Give it back with ruleset_stream_put().
struct ruleset_stream *ruleset_stream_get(struct ruleset *rs, struct ruleset_worker *w,
					  uint32_t db);

// It goes on with data, which has 64 readable bytes behind it; matches are reported to on_match. False: Hyperscan failed.
bool ruleset_stream_scan(struct ruleset *rs, struct ruleset_worker *w, uint32_t db,
			 struct ruleset_stream *stream, struct span data,
			 match_event_handler on_match, void *ctx);

// Ends the stream; matches at its end ("\z") are reported to on_match, which may be NULL.
void ruleset_stream_put(struct ruleset *rs, struct ruleset_worker *w, uint32_t db,
			struct ruleset_stream *stream, match_event_handler on_match, void *ctx);

#endif

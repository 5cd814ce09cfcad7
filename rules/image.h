// SPDX-License-Identifier: BSD-2-Clause
// The compiled rule set: one position-independent blob, made by rules/compile.c in the control process (or by
// replay) and read by the dataplane, which never sees rule text.
//
//   +--------+-------+-------+---------+-------+-----+---------+-------+-------+------------+
//   | header | rules | conds | matches | terms | ... | strings | blobs | lists | list bytes |
//   +--------+-------+-------+---------+-------+-----+---------+-------+-------+------------+
//   |<-------------------------- covered by the digest ----------------------->|
//
// Every section is an array of fixed-size records, 8-byte aligned, addressed by the header. Every index in a
// record is checked by image_check() before anybody follows it. Blobs are serialized Hyperscan databases: code,
// in effect, hence the digest, which comes by an authenticated way. Lists may be large and are data only, so they stand
// behind what the digest covers, each under a fast checksum of its own that it does cover: 10 million digests are
// checked in 50 ms instead of a second.
#ifndef RULES_IMAGE_H
#define RULES_IMAGE_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/buffer.h"
#include "common/diag.h"
#include "common/threshold.h"
#include "rules/action.h"
#include "rules/list.h"
#include "rules/number.h"
#include "rules/state.h"
#include "rules/transform.h"

enum {
	IMAGE_MAGIC = 0x31494757, // "WGI1"
	IMAGE_VERSION = 2,
	IMAGE_DIGEST_BYTES = 32,       // SHA-256
	IMAGE_TERMS_PER_COND_MAX = 31, // bits of a word, see struct active in engine/detect.c
	IMAGE_CONDS_PER_RULE_MAX = 16,
	IMAGE_MATCHES_PER_COND_MAX = 256, // depth of the evaluator's recursion
	IMAGE_TAIL_MAX = 64 << 10,        // largest look-back a database may ask for
	IMAGE_SPAN_MAX = 32 << 10,        // longest link: half of what is retained
	IMAGE_GAP_MAX = 32767,            // largest distance within a link
	IMAGE_PARTS_MAX = 4,              // databases of one buffer
};
#define IMAGE_NONE UINT32_MAX
#define IMAGE_MAX_BYTES                                                                            \
	(INT64_C(4) << 30) // a 14k rule set takes about 60 MB, 10 million digests 250 MB

enum image_section_id {
	IMAGE_RULES,
	IMAGE_CONDS,
	IMAGE_MATCHES,
	IMAGE_TERMS,
	IMAGE_LINKS,
	IMAGE_SIGS,
	IMAGE_OWNERS,
	IMAGE_STATE,   // struct state_op_record
	IMAGE_NUMBERS, // struct number
	IMAGE_TRANSFORMS,
	IMAGE_ADDRS,
	IMAGE_PORTS,
	IMAGE_SUPPRESS, // struct image_suppress, sorted by gid and sid: for who consumes the hits
	IMAGE_DBS,
	IMAGE_STRINGS,    // NUL-terminated texts
	IMAGE_BLOBS,      // contents, pcre patterns, databases
	IMAGE_LISTS,      // struct image_list
	IMAGE_LIST_BYTES, // struct list each: last in the image, not under its digest
	IMAGE_SECTION_N
};

struct image_section {
	uint64_t off, bytes;
};

struct image_header {
	uint32_t magic, version;
	uint64_t bytes;     // of the whole image
	uint64_t serial;    // of the bundle, 0 if none
	uint8_t digest[32]; // SHA-256 of the image up to its list bytes with this field zero
	uint32_t selftest
		[2]; // databases of the byte '|', block and stream mode: the loader tries libhs on them
	uint32_t pad0;
	uint32_t always
		[DIR_N]; // first owner of the rules that are evaluated on every message head, per direction
	uint32_t n_always[DIR_N];
	// the same for rules that are evaluated on every segment
	uint32_t packets[DIR_N];
	uint32_t n_packets[DIR_N];
	uint32_t n_pass; // pass rules
	// Owners of the rules with FILE conditions, per direction; cond: the first of those. Rules that have nothing else
	// are in no other place. Which digests they need: bit per LIST_MD5, LIST_SHA1, LIST_SHA256.
	uint32_t files[DIR_N], n_files[DIR_N];
	uint8_t file_digests[DIR_N];
	uint8_t pad3[6];
	uint32_t db
		[BUF_N]
		[DIR_N]; // index of the first always-on database, IMAGE_NONE if no rule needs that buffer
	uint32_t tail[BUF_N][DIR_N]; // bytes of a stream buffer to retain for late activation
	uint8_t keep_head[DIR_N];    // some rule looks at the head after the head has passed
	uint8_t wants_events;        // some rule asks for events of the head
	uint8_t pad2[5];
	struct image_section section[IMAGE_SECTION_N];
};

enum image_rule_flag {
	IMAGE_RULE_BIDIRECTIONAL = 1 << 0,
	IMAGE_RULE_HTTP = 1 << 1, // only in flows that are HTTP, not in messages of WebSockets
	IMAGE_RULE_NOALERT = 1 << 2,
	// decided at the end of the stage: it asks for state or leaves some, or the set has pass rules
	IMAGE_RULE_WAITS = 1 << 3,
	IMAGE_RULE_IPV4 = 1 << 4, // only in flows of this family
	IMAGE_RULE_IPV6 = 1 << 5,
	IMAGE_RULE_NOT_FIRST = 1 << 6,    // not on the first packet of a flow
	IMAGE_RULE_HTTP1 = 1 << 7,        // only what is HTTP/1
	IMAGE_RULE_HTTP2 = 1 << 8,        // only streams of HTTP/2
	IMAGE_RULE_WEBSOCKET = 1 << 9,    // only messages of WebSockets
	IMAGE_RULE_ESTABLISHED = 1 << 10, // not on what a SYN or its answer carries
};

// A rule inspects one direction, or each of both on its own; its conditions all lie in that direction.
struct image_rule {
	uint32_t sid, gid, rev;
	uint8_t priority, dirs; // dirs: bit per enum dir
	uint8_t n_conds;
	uint8_t action; // enum rule_action
	uint16_t flags; // enum image_rule_flag
	uint8_t turn; // of the rules that wait at the same time those with the lowest are decided first
	uint8_t pad;
	uint32_t cond; // first of n_conds: HEAD buffers before FILE buffers before STREAM buffers
	uint32_t msg, classtype, reference, metadata; // offsets in strings
	uint32_t src, n_src, dst, n_dst;              // in addrs
	uint32_t sport, n_sport, dport, n_dport;      // in ports
	uint32_t state, n_state;                      // in state
	struct threshold_params threshold;            // for who consumes the hits
};

// All matches of a rule on one buffer.
struct image_cond {
	uint8_t buffer; // enum buffer
	// STREAM: terms to satisfy, or those that must be before it is worth while to evaluate the window; HEAD, FILE: 0
	uint8_t n_terms;
	// HEAD, FILE: evaluated in order on the whole buffer. STREAM: 0, or all of them for a condition that no stream
	// expression can say: it is evaluated on the retained window.
	uint16_t n_matches;
	uint32_t match; // first
	uint32_t term;  // first
	uint32_t mode;  // enum image_cond_mode
	uint32_t pad;
	// Done to a copy of the buffer before the matches are evaluated.
	uint32_t transform, n_transforms;
};

// How a stream condition wakes up (see rules/plan.c).
enum image_cond_mode {
	IMAGE_COND_HEAD,  // on a buffer that is complete with the head, or on a segment (PACKET)
	IMAGE_COND_FILE,  // on the facts of a file: evaluated when the file ends
	IMAGE_COND_EXACT, // the always-on signature is the condition
	IMAGE_COND_ANCHOR, // the always-on signature wakes the condition's terms, from the signature's look-back on
	IMAGE_COND_WINDOW, // as ANCHOR, from the start of the retained window on
	IMAGE_COND_GATED, // no signature: woken at the start of the buffer when the head conditions hold, or by another condition
};

static inline bool image_cond_is_whole(unsigned int mode)
{
	return mode == IMAGE_COND_HEAD || mode == IMAGE_COND_FILE;
}

enum image_match_type {
	IMAGE_CONTENT,
	IMAGE_PCRE,
	// with a number
	IMAGE_SIZE,
	IMAGE_DATA_AT,
	IMAGE_BYTE_TEST,
	IMAGE_BYTE_JUMP,
	IMAGE_BYTE_EXTRACT,
	IMAGE_BYTE_MATH,
	IMAGE_BASE64, // number.value matches behind it look at what it decodes
	// The whole buffer is in a list; NEGATED: it is not.
	IMAGE_DATASET,
	// On BUF_FILE only. The file's digest of the list's kind is in the list (NEGATED: it is not); its size passes the
	// number's test.
	IMAGE_FILE_DIGEST,
	IMAGE_FILE_SIZE,
	IMAGE_MATCH_TYPE_N,
};

enum image_match_flag {
	IMAGE_NEGATED = 1 << 0,
	IMAGE_NOCASE = 1 << 1,
	IMAGE_OFFSET = 1 << 2,
	IMAGE_DEPTH = 1 << 3,
	IMAGE_DISTANCE = 1 << 4,
	IMAGE_WITHIN = 1 << 5,
	IMAGE_ENDSWITH = 1 << 6,
	IMAGE_RELATIVE = 1 << 7, // pcre and numbers: relative to the match before
	// the position is the index of a variable
	IMAGE_VAR_OFFSET = 1 << 8,
	IMAGE_VAR_DEPTH = 1 << 9,
	IMAGE_VAR_DISTANCE = 1 << 10,
	IMAGE_VAR_WITHIN = 1 << 11,
};
// A match on a number has no position of its own. In a stream its flags say what a piece of the buffer cannot decide:
// IMAGE_OFFSET: it counts from the buffer's start; IMAGE_ENDSWITH: it depends on where the buffer ends.

struct image_match {
	uint8_t type;
	uint8_t pad;
	uint16_t flags;
	uint32_t pcre_options; // PCRE2_* of pcre2.h 10.42
	// in blobs; a nocase content is stored in lower case. Numbers: index in numbers. DATASET, FILE_DIGEST: index in
	// lists
	uint32_t blob_off;
	uint32_t len; // numbers, lists: 0
	int32_t offset, depth, distance, within;
};

// Entry of an address or port set: the set holds x if x is in some positive entry (or there is none) and in no
// negated one. Addresses are mapped as in struct hit_addr, len counts bits of that form.
struct image_addr {
	uint8_t prefix[16];
	uint8_t len, negated;
	uint8_t pad[2];
};

// Hits that are not reported. sid 0: of all rules of gid; both 0: of all.
struct image_suppress {
	uint32_t gid, sid;
	uint32_t track; // enum suppress_track
	uint32_t addr, n_addrs;
};

struct image_port {
	uint16_t first, last;
	uint32_t negated;
};

struct image_transform {
	uint8_t type; // enum transform
	uint8_t pad[3];
	uint32_t blob_off, len; // expression of pcrexform
};

enum image_term_flag {
	IMAGE_TERM_NEGATED = 1 << 0, // must not match by the end of the buffer
	IMAGE_TERM_FROM_START =
		1 << 1, // its database has no meaning without the buffer's first bytes
};

// One chain: its links in order, then its database, either of which may be missing.
struct image_term {
	uint32_t flags; // enum image_term_flag
	uint32_t db;    // a streaming database of one pattern, or IMAGE_NONE
	uint32_t link, n_links;
};

// Contents with bounded distances; the last match may be a pcre that is anchored where the content before it ends.
// The first content counts from the end of the link before (its distance) or, in the first link, from the buffer's start.
struct image_link {
	uint32_t match;
	uint16_t n_matches;
	uint16_t anchor; // which of them is looked for
};

// One pattern of an always-on database: its pattern id is its index from db.sig.
struct image_sig {
	uint32_t owner, n_owners; // in owners: who waits for it
	uint8_t nocase;           // the vector is in lower case, and case does not matter
	uint8_t gram;             // of a database of grams: struct grams_literal.at
	uint8_t pad[2];
	// in blobs: bytes that must make it match; 0: none. The loader tries them all. In a database of grams: the signature.
	uint32_t vector_len;
	uint64_t vector_off;
};

// A rule waiting for a signature (or for every head).
struct image_owner {
	uint32_t rule;
	uint32_t cond; // index in conds; for HEAD buffers the one whose buffer the signature is in
	// STREAM: bytes before the signature's end that the condition looks at; UINT32_MAX: all there is, or it counts from
	// the start
	uint32_t lookback;
};

enum image_db_flag {
	IMAGE_DB_STREAM = 1 << 0, // else block mode
	IMAGE_DB_OWN = 1 << 1,    // a term's own database, not an always-on one
	IMAGE_DB_GRAMS = 1 << 2,  // no blob: its signatures are literals for rules/grams.h
};

struct image_db {
	uint64_t blob_off;
	uint64_t bytes;
	uint32_t flags;
	uint32_t sig,
		n_sigs; // always-on: first signature and their number; OWN: 0 and 1
	uint32_t
		next; // STREAM, always-on: another one of the same buffer, behind this one in the image; or IMAGE_NONE
	uint64_t
		limit; // STREAM: only so many bytes of a buffer can hold what it looks for; UINT64_MAX: all
};

struct image_list {
	uint64_t off, bytes; // in the list bytes, multiples of LIST_ALIGN
	uint64_t checksum;   // list_checksum()
	uint32_t kind;       // enum list_kind
	uint32_t n;          // entries
	uint32_t name;       // in strings
	uint32_t pad;
};

static_assert(sizeof(struct image_list) == 40, "image format");
static_assert(sizeof(struct image_rule) == 92, "image format");
static_assert(sizeof(struct image_link) == 8, "image format");
static_assert(sizeof(struct image_owner) == 12, "image format");
static_assert(sizeof(struct image_cond) == 28, "image format");
static_assert(sizeof(struct image_transform) == 12, "image format");
static_assert(sizeof(struct image_match) == 32, "image format");
static_assert(sizeof(struct image_db) == 40, "image format");

// Typed view of a section; valid while the image is mapped, after image_check() said 0.
#define IMAGE_AT(img, type, sec)    ((const type *)((const uint8_t *)(img) + (img)->section[sec].off))
#define IMAGE_COUNT(img, type, sec) ((uint32_t)((img)->section[sec].bytes / sizeof(type)))

// Check every offset, count, index and enum of an image of len bytes, LIST_ALIGN aligned, and its digest.
// want_digest may be NULL; otherwise the digest must be this one.
// 0, -EBADMSG (ret_diag says what), -EKEYREJECTED (digest).
int image_check(const void *image, uint64_t len, const uint8_t want_digest[32],
		struct diag *ret_diag);

// Compute and store the digest (maker's side).
void image_seal(void *image, uint64_t len);

// List i of IMAGE_COUNT(img, struct image_list, IMAGE_LISTS).
static inline const struct list *image_list_at(const struct image_header *img, uint32_t i)
{
	const uint8_t *bytes = IMAGE_AT(img, uint8_t, IMAGE_LIST_BYTES);

	return (const struct list *)(const void *)(bytes +
						   IMAGE_AT(img, struct image_list, IMAGE_LISTS)[i]
							   .off);
}

// Does a set of addresses hold this one?
bool image_addrs_hold(const struct image_addr *v, uint32_t n, const uint8_t addr[16]);

// Most bytes that the contents of a link can take, from the start of the first to the end of the last.
static inline uint64_t image_link_span(const struct image_match *m, uint32_t n)
{
	uint64_t span = 0;

	for (uint32_t i = 0; i < n && m[i].type == IMAGE_CONTENT; i++) {
		uint32_t distance =
			(m[i].flags & IMAGE_DISTANCE) != 0 ? (uint32_t)m[i].distance : 0;

		span += i == 0 ? m[i].len : (uint64_t)distance + (uint32_t)m[i].within;
	}
	return span;
}

static inline const char *image_string(const struct image_header *img, uint32_t off)
{
	return (const char *)img + img->section[IMAGE_STRINGS].off + off;
}

#endif

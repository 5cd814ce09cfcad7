// SPDX-License-Identifier: BSD-2-Clause
// A rule as parsed: what the text says, not how it will be matched (that is rules/plan.h).
//
// Language: Suricata 7 rule documentation. Everything a rule owns lives in the arena of its struct rules.
#ifndef RULES_RULE_H
#define RULES_RULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buffer.h"
#include "common/diag.h"
#include "common/span.h"
#include "common/threshold.h"
#include "rules/action.h"
#include "rules/state.h"

enum rule_match_type {
	RULE_CONTENT,
	RULE_PCRE,
	RULE_SIZE,    // bsize, urilen: the size of the buffer
	RULE_DATA_AT, // isdataat
	RULE_BYTE_TEST,
	RULE_BYTE_JUMP,
	RULE_BYTE_EXTRACT,
	RULE_BYTE_MATH,
	RULE_BASE64,  // base64_decode
	RULE_DATASET, // dataset: the whole buffer is in a list
	// on the buffer "file"
	RULE_FILE_DIGEST, // filemd5, filesha1, filesha256: its digest is in a list
	RULE_FILE_SIZE,   // filesize
};

enum rule_match_flag {
	RULE_NEGATED = 1 << 0,
	RULE_NOCASE = 1 << 1,
	RULE_OFFSET = 1 << 2,
	RULE_DEPTH = 1 << 3,
	RULE_DISTANCE = 1 << 4, // relative to the end of the match before it in the same buffer
	RULE_WITHIN = 1 << 5,
	RULE_STARTSWITH = 1 << 6, // parser also sets RULE_OFFSET/RULE_DEPTH: offset 0, depth len
	RULE_ENDSWITH = 1 << 7,
	RULE_FAST_PATTERN = 1 << 8,
	RULE_FAST_PATTERN_ONLY = 1 << 9,
	RULE_PCRE_RELATIVE = 1 << 10, // pcre flag R; "relative" of isdataat and byte_...
	// the position is the index of a variable
	RULE_VAR_OFFSET = 1 << 11,
	RULE_VAR_DEPTH = 1 << 12,
	RULE_VAR_DISTANCE = 1 << 13,
	RULE_VAR_WITHIN = 1 << 14,
	RULE_DECODED = 1 << 15, // looks at what base64_decode made of its buffer
	RULE_VARS = RULE_VAR_OFFSET | RULE_VAR_DEPTH | RULE_VAR_DISTANCE | RULE_VAR_WITHIN,
};

enum rule_pcre_flag { // the letters i s m x A E G of /pattern/flags
	RULE_PCRE_I = 1 << 0,
	RULE_PCRE_S = 1 << 1,
	RULE_PCRE_M = 1 << 2,
	RULE_PCRE_X = 1 << 3,
	RULE_PCRE_A = 1 << 4, // anchored
	RULE_PCRE_E = 1 << 5, // dollar end only
	RULE_PCRE_G = 1 << 6, // ungreedy
};

struct number;

// What is done to the buffer first.
struct rule_transform {
	uint8_t type; // enum transform, rules/transform.h
	uint16_t len;
	const uint8_t *data; // expression of pcrexform
};

// One content, pcre or test of a number, in the order in which the rule lists them.
struct rule_match {
	uint8_t type;   // enum rule_match_type
	uint8_t buffer; // enum buffer
	uint16_t flags; // enum rule_match_flag
	uint16_t pcre_flags;
	uint16_t len;                            // of data, 1 or more; 0 if type has none
	const struct number *number;             // rules/number.h; NULL for contents and pcres
	const struct rule_transform *transforms; // of the buffer, in order
	uint8_t n_transforms;
	uint32_t list; // RULE_DATASET, RULE_FILE_DIGEST: index in the set's lists
	// content bytes with |hex| and escapes resolved; for pcre the pattern between the slashes
	const uint8_t *data;
	int32_t offset, depth, distance, within; // meaningful with their flag
	uint32_t column;                         // in the rule's line, for messages
};

// Address set: a prefix list. v4 is mapped (::ffff:0:0/96 + length). any: count 0.
struct rule_addr {
	uint8_t prefix[16];
	uint8_t len; // 0..128 on the mapped form
	bool negated;
};
struct rule_port {
	uint16_t first, last;
	bool negated;
};

// The set holds x if x is in some positive entry (or there is none) and in no negated entry.
struct rule_addrs {
	struct rule_addr *v;
	uint32_t n;
};
struct rule_ports {
	struct rule_port *v;
	uint32_t n;
};

// What a rule asks of its flow (conditions) or leaves behind when it matches: rules/state.h says what the fields mean.
struct rule_state {
	uint8_t kind;     // enum state_kind
	uint8_t op;       // enum state_op
	uint8_t track;    // enum state_track
	bool or_next;     // FLOWBIT conditions: the next one may hold instead ("isset,a|b")
	const char *name; // of a bit or number, any case, compared as written; else NULL
	const char *var;  // FLOWINT: of the number that is the operand, or NULL
	uint32_t value;
};

enum rule_proto {
	RULE_PROTO_HTTP,      // http, http1, http2
	RULE_PROTO_TCP,       // tcp, tcp-stream, tcp-pkt, ip
	RULE_PROTO_WEBSOCKET, // websocket
};

enum rule_family {
	RULE_FAMILY_ANY,
	RULE_FAMILY_IPV4,
	RULE_FAMILY_IPV6,
};

enum rule_flow {
	RULE_FLOW_TO_SERVER = 1 << 0,
	RULE_FLOW_TO_CLIENT = 1 << 1,
	RULE_FLOW_ESTABLISHED = 1 << 2,
	RULE_FLOW_NOT_ESTABLISHED = 1 << 3,
	RULE_FLOW_STATELESS = 1 << 4,
	RULE_FLOW_ONLY_STREAM = 1 << 5,
	RULE_FLOW_NO_STREAM = 1 << 6,
};

struct rule {
	uint32_t sid, gid, rev; // gid defaults to 1, rev to 0
	uint8_t action;         // enum rule_action
	uint8_t proto;          // enum rule_proto
	uint8_t http_version;   // 1, 2, or 0: any
	uint8_t family;         // enum rule_family
	bool packets;           // single segments are matched: tcp-pkt, dsize, flow:no_stream
	uint8_t priority;       // 1 worst .. 255; default 3
	bool bidirectional;     // <>
	bool noalert;           // matches, leaves its state behind, reports nothing
	uint8_t n_state;
	uint8_t flow; // enum rule_flow
	uint32_t n_matches;
	uint32_t line; // in file
	struct rule_addrs src, dst;
	struct rule_ports src_port, dst_port;
	struct rule_match *matches;
	struct rule_state *state;
	const char *file; // as given to rules_parse
	const char *msg;  // "" if none; UTF-8 as in the file
	const char *classtype;
	const char *reference;             // "type,value" joined by '\n', "" if none
	const char *metadata;              // "key value" joined by '\n', "" if none
	struct threshold_params threshold; // of threshold or detection_filter
};

struct arena;
struct progress;
struct list_maker;

// A file that a rule names, open for reading once from its start.
struct rule_source {
	char name[512]; // for messages; the same file has the same name
	int fd;         // -1: the bytes are data
	struct span data;
};

// Where the files are that rules name.
struct rule_files {
	// name as rule_file has it: relative, without "..". 0, or negative errno with ret_diag's text (not its place).
	int (*open)(void *ctx, const char *rule_file, const char *name,
		    struct rule_source *ret_source, struct diag *ret_diag);
	void *ctx;
};

// A list that rules name, however many of them.
struct rule_list {
	const char *name;           // as of its source
	uint8_t kind;               // enum list_kind
	struct list_maker *entries; // sorted; NULL: it could not be read
	const char *why;            // then
};

enum {
	RULES_PROTOS_MAX = 64, // other protocols that are told apart
};

// Rules for a protocol that is not inspected.
struct rules_skipped {
	const char *proto; // constant
	size_t n;
};

struct rule_class {
	const char *name;
	uint8_t priority;
};

// Lines of a threshold file. sid 0: all of gid; both 0: all.
struct rule_suppress {
	uint32_t gid, sid;
	uint8_t track; // enum suppress_track
	struct rule_addrs addrs;
};
struct rule_limit {
	uint32_t gid, sid;
	uint32_t order; // of the lines
	struct threshold_params params;
};

// A growing set of rules. Init to zero, release with rules_done().
struct rules {
	struct rule *v;
	size_t n, cap;
	struct arena *arena;
	struct rule_list *lists;
	uint32_t n_lists;
	// By rules_classification(), before the rules are parsed.
	struct rule_class *classes;
	uint32_t n_classes;
	// By rules_thresholds(), after it; sorted by gid and sid.
	struct rule_suppress *suppress;
	struct rule_limit *limits;
	uint32_t n_suppress, n_limits;
	// Set before rules_parse(); NULL: rules that name files are refused. rules_parse_file() takes the folder of the
	// rule file then.
	const struct rule_files *files;
	// Filled by the parser for reports:
	size_t seen;    // rules met, disabled ones (commented out) not counted
	size_t refused; // syntax error or a keyword that is not supported
	size_t skipped; // rules for other protocols than http and tcp: valid, not ours
	struct rules_skipped skipped_by[RULES_PROTOS_MAX]; // the same by protocol, as first met
	size_t n_skipped_by;
	struct progress *progress; // of its compilation, for who watches; NULL: nobody does
};

void rules_done(struct rules *rs);

// Keyword of the match that stands at a column of the rule's line, or shortly before; "" if there is none.
const char *rule_keyword_at(const struct rule *r, uint32_t column);

// Zeroed memory that lives as long as rs; NULL when out of memory. Alignment 8.
void *rules_alloc(struct rules *rs, size_t size);

#endif

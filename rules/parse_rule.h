// SPDX-License-Identifier: BSD-2-Clause
// What the files of the rule parser share: one rule in the making. Private to rules/parse*.c.
//
//   parse.c         a file: lines, continuation, duplicates, reports; rules_parse()
//   parse_header.c  alert http $HOME_NET any -> any any
//   parse_set.c     an address or port list: brackets, negation, variables
//   parse_addr.c    one address, prefix or range -> prefixes
//   parse_options.c ( keyword:value; ... ) and the keywords that do not match bytes
//   parse_match.c   content and its modifiers, buffers
//   parse_pcre.c    pcre
//   parse_number.c  bsize, urilen, isdataat; numbers and variables
//   parse_bytes.c   byte_test, byte_jump, byte_extract, byte_math
//   parse_list.c    dataset and the keywords about files
//   parse_transform.c  transforms of a buffer, base64
//   parse_state.c   what a rule asks of its flow and leaves behind: flowbits, xbits, flowint...
//   parse_threshold.c  threshold, detection_filter
//   parse_check.c   what can only be said of the whole rule
//   parse_class.c, parse_threshold_file.c   classification.config, threshold.config
//   parse_words.c   the words of the language, supported or not
//   parse_text.c    spans of text, numbers, diagnostics
#ifndef RULES_PARSE_RULE_H
#define RULES_PARSE_RULE_H

#include "rules/number.h"
#include "rules/parse.h"
#include "rules/transform.h"

enum {
	PARSE_RULE_BYTES_MAX = 64 << 10, // Suricata's own limit is 8 KiB
	PARSE_RULES_MAX = 100000,
	PARSE_MATCHES_MAX = 256,
	PARSE_STATE_MAX = 32,     // flowbits and the like of a rule
	PARSE_NAME_MAX = 128,     // bytes of their names
	PARSE_CONTENT_MAX = 1024, // the longest in public rules has 660 bytes
	PARSE_PCRE_MAX = 4096,
	PARSE_QUOTE_BYTES = 68, // a word of hostile text made fit for a message
	PARSE_SKIPPED = 1,      // a valid rule for a protocol that is not inspected
};

// A run of bytes of the rule, not NUL-terminated.
struct text {
	const char *s;
	size_t n;
};

// What byte_extract or byte_math made.
struct parse_var {
	struct text name;
	uint32_t match; // that makes it: known in the same buffer only
};

struct set_cache;    // parse_set.c
struct pcre_checker; // parse_pcre.c

struct parser {
	struct rules *rs;
	const char *file; // in the arena
	const struct rule_var *vars;
	const struct rule_files *files; // NULL: there are none
	struct set_cache *sets;
	struct pcre_checker *pcre;

	// The rule: its text in one piece, and where that came from.
	struct text rule;
	struct text
		keyword;    // whose option is being read, none in the header and when all have been
	struct text source; // the same bytes in the file, line ends and continuations included
	unsigned int line;  // of the first byte
	bool joined;        // rule is a copy without the continuations
	// The last position asked for and where it is in the file; mostly they come in order.
	size_t at_rule, at_source;
	unsigned int at_line, at_column;

	// What was read of it so far.
	const char *skipped; // protocol for which it is, constant
	struct rule r;       // texts point into bytes until the rule is taken
	struct rule_match match[PARSE_MATCHES_MAX];
	const char *match_at[PARSE_MATCHES_MAX]; // keyword in rule
	struct rule_state state[PARSE_STATE_MAX];
	bool moved[PARSE_MATCHES_MAX]; // an old modifier gave it its buffer
	uint8_t *bytes; // decoded contents and texts; never longer than the rule plus a few NULs
	size_t n_bytes;
	int sticky;            // enum buffer set by a sticky keyword, -1 for none
	const char *sticky_at; // that keyword while no match has followed it, else NULL
	int content;           // the content that modifiers apply to, -1 for none
	int fast_pattern;      // match with fast_pattern, -1 for none
	bool prefilter;        // was given
	// Of the sticky buffer: what is done to it, and whether it is what base64_decode made.
	const struct rule_transform *transforms;
	uint8_t n_transforms;
	bool decoded;
	int base64; // match with base64_decode, -1 for none
	struct parse_var var[NUMBER_VARS_MAX];
	uint32_t n_vars;
	uint32_t seen; // bit per keyword that may occur once, see parse_options.c
	// Lines of struct rule's fields so far, PARSE_RULE_BYTES_MAX each.
	char *reference, *metadata;
	size_t n_reference, n_metadata;
	struct diag diag;
};

// --- text ---

// Fill p->diag for position at (in p->rule; NULL: the rule as a whole); its keyword is the one that is being read, else
// the word that stands there. Returns -EINVAL.
__attribute__((format(printf, 3, 4))) int parse_fail(struct parser *p, const char *at,
						     const char *fmt, ...);
// Column of at in its line of the file.
unsigned int parse_column(struct parser *p, const char *at);
// t for a message: printable, cut. Returns buf.
const char *parse_quote(char buf[PARSE_QUOTE_BYTES], struct text t);
// Room for n bytes in p->bytes: there always is, since texts only shrink. NULL is a bug.
uint8_t *parse_bytes(struct parser *p, size_t n);

static inline bool text_is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}
struct text text_trim(struct text t);
bool text_is(struct text t, const char *word);            // without regard to case
bool text_unquote(struct text t, struct text *ret_inner); // false if t is not "..."
// Decimal number that is all of t. 0 or -EINVAL.
int text_number(struct text t, int64_t min, int64_t max, int64_t *ret_n);
// Split at the first c: *t becomes what follows, the part before is returned, both trimmed.
struct text text_split(struct text *t, char c);

// --- words ---

enum proto_kind {
	PROTO_UNKNOWN,
	PROTO_HTTP,
	PROTO_HTTP1,
	PROTO_HTTP2,
	PROTO_WEBSOCKET,
	PROTO_TCP,
	PROTO_TCP_PKT, // single segments
	PROTO_IPV4,
	PROTO_IPV6,
	PROTO_SKIPPED, // not inspected
};
// *ret_name: as in the table, unless it is unknown.
enum proto_kind words_proto(struct text name, const char **ret_name, const char **ret_closest);
// enum rule_action; -ENOTSUP: known, but not supported; -ENOENT with the closest one, or NULL.
int words_action(struct text name, const char **ret_closest);
// Is it a keyword of Suricata's? If not, the closest that is, or NULL.
bool words_is_keyword(struct text name, const char **ret_closest);
// Why a keyword is refused for good, NULL if it is not.
const char *words_refusal(struct text name);
// Default priority of a classtype, 3 for unknown ones.
uint8_t words_classtype_priority(struct text name);

// Priority of a classtype: by the classification file, else by Suricata's own.
uint8_t parse_class_priority(const struct parser *p, struct text name);

// --- lines ---

// Lines that are no rules: comments, continuations and reports as for rules, p->rule is the line. 0 or -ENOMEM.
int parse_lines(struct rules *rs, const char *file, const char *text, size_t len,
		const struct rule_var *vars, int (*line)(struct parser *p), rules_report_fn *report,
		void *ctx);

// --- header ---

// Up to the opening parenthesis. 0 with *ret_options behind it, PARSE_SKIPPED, -EINVAL, -ENOMEM.
int parse_header(struct parser *p, struct text *ret_options);
int parse_addrs(struct parser *p, struct text t, struct rule_addrs *ret_addrs);
int parse_ports(struct parser *p, struct text t, struct rule_ports *ret_ports);
struct set_cache *set_cache_new(void);
void set_cache_free(struct set_cache *cache);

enum {
	ADDR_PREFIXES_MAX = 512, // one range is at most two around the mapped block, of 254 each
};
// "10.0.0.0/8", "a-b", "2001:db8::1"... -> prefixes. Number of prefixes; -EINVAL with *ret_why.
int addr_prefixes(struct text t, struct rule_addr ret_prefix[ADDR_PREFIXES_MAX],
		  const char **ret_why);

// --- options ---

// One "keyword:value;". value is trimmed; has_value tells "keyword:;" from "keyword;".
struct option {
	struct text name, value;
	bool has_value;
};
int parse_options(struct parser *p, struct text options);

// Keywords that match bytes. arg is the table's column in parse_options.c (a buffer, a flag).
int parse_content(struct parser *p, const struct option *o, int arg);
int parse_sticky(struct parser *p, const struct option *o, int buffer);
int parse_websocket_payload(struct parser *p, const struct option *o, int arg);
int parse_modifier(struct parser *p, const struct option *o, int buffer);
int parse_flag(struct parser *p, const struct option *o, int flag);
int parse_position(struct parser *p, const struct option *o, int flag);
int parse_rawbytes(struct parser *p, const struct option *o, int arg);
int parse_fast_pattern(struct parser *p, const struct option *o, int arg);
int parse_prefilter(struct parser *p, const struct option *o, int arg);
int parse_pcre(struct parser *p, const struct option *o, int arg);
// Keywords about the state of a flow.
int parse_flowbits(struct parser *p, const struct option *o, int arg);
int parse_xbits(struct parser *p, const struct option *o, int arg);
int parse_flowint(struct parser *p, const struct option *o, int arg);
int parse_stream_size(struct parser *p, const struct option *o, int arg);
int parse_event(struct parser *p, const struct option *o, int arg);
int parse_noalert(struct parser *p, const struct option *o, int arg);
int parse_tag(struct parser *p, const struct option *o, int arg);
// Append a match for keyword o. Returns its index or -EINVAL.
int parse_match_new(struct parser *p, const struct option *o, enum rule_match_type type,
		    unsigned int buffer);
int parse_bsize(struct parser *p, const struct option *o, int arg);
int parse_urilen(struct parser *p, const struct option *o, int arg);
int parse_dsize(struct parser *p, const struct option *o, int arg);
int parse_isdataat(struct parser *p, const struct option *o, int arg);
int parse_byte_test(struct parser *p, const struct option *o, int arg);
int parse_byte_jump(struct parser *p, const struct option *o, int arg);
int parse_byte_extract(struct parser *p, const struct option *o, int arg);
int parse_byte_math(struct parser *p, const struct option *o, int arg);
int parse_transform(struct parser *p, const struct option *o, int type);
int parse_dataset(struct parser *p, const struct option *o, int arg);
int parse_file_digest(struct parser *p, const struct option *o, int kind);
int parse_file_name(struct parser *p, const struct option *o, int is_ext);
int parse_filesize(struct parser *p, const struct option *o, int arg);
int parse_filestore(struct parser *p, const struct option *o, int arg);
int parse_base64_decode(struct parser *p, const struct option *o, int arg);
int parse_base64_data(struct parser *p, const struct option *o, int arg);
// t is the size that o is about: N, <N, >N, N<>M and so on, with units. 0 or -EINVAL.
int parse_size(struct parser *p, const struct option *o, struct text t, uint64_t max,
	       struct number *n);
// All of t, decimal or 0x hex. 0 or -EINVAL.
int parse_unsigned(struct text t, uint64_t max, uint64_t *ret_n);
// Append a match on a number, in the buffer that o looks at. Its index, -EINVAL or -ENOMEM.
int parse_number_match(struct parser *p, const struct option *o, enum rule_match_type type,
		       bool relative, struct number **ret_number);
// Index of a variable: -ENOENT if there is none of that name; -EINVAL if it cannot be made.
int parse_var_find(struct parser *p, struct text name);
int parse_var_new(struct parser *p, struct text name, uint32_t match);
// 0: *ret_n is the number; 1: it is the index of a variable; -EINVAL: t is neither.
int parse_number_or_var(struct parser *p, struct text t, int64_t min, int64_t max, int64_t *ret_n);
struct pcre_checker *pcre_checker_new(void);
void pcre_checker_free(struct pcre_checker *checker);

// threshold (arg THRESHOLD_NONE: the type is one of its fields) and detection_filter (arg THRESHOLD_FILTER).
int parse_threshold(struct parser *p, const struct option *o, int arg);

// The finished rule: 0 or -EINVAL.
int parse_check(struct parser *p);

#endif

// SPDX-License-Identifier: BSD-2-Clause
// How a rule will be matched: prefilter, then activate (DESIGN section 5).
//
// A rule looks at one message in one direction. Its matches are grouped by buffer into conditions, all of which must hold.
// The rule is represented by one literal, its most selective one that is allowed, in the always-on database of one buffer:
//
//   file buffers only      not at all: it is looked at whenever a file ends
//   head buffers only      the best literal of any head condition; the conditions are then evaluated directly
//   head and body          if the head has a selective literal: there, and the body condition is opened at the body's start
//                          (GATED) when the head conditions hold; a rule whose head does not match costs its body nothing
//                          otherwise: in the body, and the head, kept for that, is evaluated when the literal matches
//   body or raw only       one plain content is matched whole by its literal (EXACT);
//                          a chain is woken by a literal with a bounded look-back and fed from there on (ANCHOR), which is
//                          exact at any depth; where only a common literal is that near the start ("<title>"), and for
//                          several chains, negated ones and positions that count from the start, the most selective
//                          literal wakes it and it is fed with the whole retained window (WINDOW, 64 KiB). Measured: 10
//                          chains woken by "<title>" and "<script" per page made every page body be scanned 11 times.
//
// A stream condition is a set of chains ("terms"), each a match and the relative ones behind it. A chain of contents is cut
// into links where any distance is allowed; the engine looks for one link after the other in the bytes as they come (engine/
// detect_watch.c), which costs all rules that are awake one light pass together. What a pcre says is added to its link when
// it stands right behind it, or becomes a Hyperscan expression with a stream of its own, opened when all before it is found.
// What cannot be said so (look-around, back-references, negated or backward relative matches) is BUFFERED: woken by its best
// literal or gated as above, then evaluated directly on the retained window, when that is full and at the buffer's end, if its
// best literal is there and Hyperscan's approximation of its pcre matches (measured: one pcre with a back-reference took 42 %
// of all time on a large text).
#ifndef RULES_PLAN_H
#define RULES_PLAN_H

#include "common/span.h"
#include "rules/image.h"
#include "rules/rule.h"

enum {
	PLAN_GAP_MAX = 32767, // largest bounded repeat of Hyperscan
	PLAN_SPAN_MAX = IMAGE_SPAN_MAX,
	PLAN_FAST_PATTERN_BITS = 8, // the hint of a rule's author counts like one more rare byte
	PLAN_LOOKBACK_MAX =
		960, // an anchor may ask for so much of a body: twice that fits a 2 KiB cell
};

struct plan_literal {
	struct span bytes;
	bool nocase;
	uint32_t bits; // estimated selectivity: about -log2 of its chance per byte of traffic
	// bytes from the start of its chain to its own end; UINT32_MAX: unbounded
	uint32_t lookback;
};

// Contents whose distances from each other are bounded, so that all of them lie within span bytes. It is found by
// looking for its anchor, the most selective of them, and verified around it.
struct plan_link {
	uint32_t first,
		n; // in the condition's matches; the last may be a pcre that matches right behind
	uint32_t anchor; // which of them
	uint32_t span;   // most bytes its contents can take
};

// A chain is its links one behind the other, anything between them; then, if there is one, an expression that a
// stream of its own is searched for. A chain without links is all expression.
struct plan_term {
	struct plan_link *links;
	uint32_t n_links;
	char *expr;      // Hyperscan syntax; modes are inline, no flags needed
	char *tail_expr; // without links: expr; behind them: of the last match alone, or NULL
	uint64_t min_end, max_end; // allowed end offsets of the match, 0 and UINT64_MAX: any
	bool negated;
	bool absolute;   // its meaning depends on where the buffer starts
	bool from_start; // it cannot be judged at all without the buffer's first byte
	bool plain;      // nothing but one content: literal.bytes within min_end..max_end
	struct plan_literal literal; // best anchor, bits 0 if it has none
	// must end within start_min..start_max, near the buffer's start; bits 0: none
	struct plan_literal start;
	uint64_t start_min, start_max;
	struct plan_literal rare; // most selective literal, however far behind the chain's start
};

struct plan_cond {
	uint8_t buffer; // as the rule names it
	uint8_t slot;   // database it is scanned with: the body buffers share one
	uint8_t mode;   // enum image_cond_mode
	uint8_t n_terms;
	bool buffered;        // evaluated on the window: no terms
	uint8_t n_transforms; // then there is no literal: the scanned bytes are other ones
	const struct rule_transform *transforms;
	struct plan_term *terms;
	uint32_t *matches; // indices in rule->matches, in order
	uint32_t n_matches;
	struct plan_literal literal; // HEAD: best literal; STREAM: the signature, unless GATED
	uint64_t sig_min_end, sig_max_end; // EXACT only
	const char *sig_expr;              // EXACT on an expression instead of a literal
};

struct plan {
	const struct rule *rule;
	uint8_t dirs;
	uint8_t n_conds;
	int represented_by; // index in conds, -1: evaluated on every head
	bool has_file;      // has FILE conditions
	bool keep_head;     // head conditions may be asked for after the head has passed
	struct plan_cond conds[IMAGE_CONDS_PER_RULE_MAX];
};

// Make a stream condition BUFFERED, and choose again what represents the rule. 0, or -EINVAL with ret_diag (as before
// if it holds a text): no literal could wake it, so it would have to run on every message.
int plan_buffer_cond(struct plan *p, int cond, struct diag *ret_diag);

// Has it nothing but conditions on files? Then nothing wakes it: it is looked at when a file ends.
bool plan_is_file_rule(const struct plan *p);

// Database slot of a buffer in the image header.
enum buffer plan_slot(enum buffer buffer);

// Plan one rule. Memory comes from rs (and lives as long). 0, -ENOMEM, or -EINVAL with ret_diag naming what cannot be matched.
int plan_rule(struct rules *rs, const struct rule *rule, struct plan *ret_plan,
	      struct diag *ret_diag);

// Estimated selectivity of a literal in bits.
uint32_t plan_literal_bits(struct span bytes, bool nocase);

// PCRE2 options of a match.
uint32_t plan_pcre_options(const struct rule_match *m);

#endif

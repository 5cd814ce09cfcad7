// SPDX-License-Identifier: BSD-2-Clause
// How large the automaton of a regular expression can get, before anybody tries to build it.
#ifndef RULES_PCRE_SIZE_H
#define RULES_PCRE_SIZE_H

#include "common/span.h"

enum {
	// Of all expressions on one stream buffer of a rule: no single rule then takes more than about two seconds. The
	// largest of 14 thousand public rules have 5,400 and 1,600; /a.{0,32767}b/ after a content takes minutes.
	PCRE_SIZE_MAX = 8192,
	PCRE_SPREAD_MAX = 2048,
	PCRE_SIZE_DEPTH_MAX = 250, // of parentheses, PCRE2's own limit
};

struct pcre_size {
	// Characters of the pattern with every bounded repeat written out: "(ab{3}){2}" has 8. An unbounded repeat counts
	// by its lower bound, at least once.
	uint32_t size;
	// By how much the lengths of bounded repeats differ, added up: "(ab){1,10}" has 18. More where they contain
	// unbounded ones.
	uint32_t spread;
};

// The pattern need not be valid; the time is linear in its length. UINT32_MAX: as many or more, or nested deeper than
// PCRE2 would take.
struct pcre_size pcre_size(struct span pattern);

#endif

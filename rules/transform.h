// SPDX-License-Identifier: BSD-2-Clause
// What a rule does to a buffer before it looks at it. The order is that of the image format.
#ifndef RULES_TRANSFORM_H
#define RULES_TRANSFORM_H

#include <stdbool.h>

enum {
	TRANSFORMS_MAX = 8, // on one buffer
};

// PCRE2 options of pcrexform. The including file has pcre2.h.
#define TRANSFORM_PCRE_OPTIONS (PCRE2_NEVER_UTF | PCRE2_NEVER_UCP | PCRE2_NEVER_BACKSLASH_C)

enum transform {
	TRANSFORM_DOTPREFIX,           // "." before it
	TRANSFORM_TO_LOWERCASE,        // ASCII
	TRANSFORM_TO_UPPERCASE,        // ASCII
	TRANSFORM_STRIP_WHITESPACE,    // without blank, TAB, LF, VT, FF, CR
	TRANSFORM_COMPRESS_WHITESPACE, // the first of each run of them
	TRANSFORM_URL_DECODE,          // "+" a blank, %HH its byte
	TRANSFORM_TO_MD5,              // the digest's bytes
	TRANSFORM_TO_SHA1,
	TRANSFORM_TO_SHA256,
	TRANSFORM_HEADER_LOWERCASE,     // in every line up to the colon
	TRANSFORM_STRIP_PSEUDO_HEADERS, // without lines that begin with a colon
	TRANSFORM_PCREXFORM,            // what the expression's first group captures
	TRANSFORM_N,
};

// Does it do the same to a piece of a buffer, wherever that is?
static inline bool transform_is_local(unsigned int t)
{
	return t >= TRANSFORM_TO_LOWERCASE && t <= TRANSFORM_URL_DECODE;
}

#endif

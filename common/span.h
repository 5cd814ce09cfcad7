// SPDX-License-Identifier: BSD-2-Clause
// A borrowed, read-only run of bytes: the only way bytes travel between stages.
#ifndef COMMON_SPAN_H
#define COMMON_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

// Never NUL-terminated; len 0 allows data NULL. Lifetime is stated by whoever hands it out.
struct span {
	const uint8_t *data;
	size_t len;
};

#define SPAN_LIT(s) ((struct span){(const uint8_t *)(s), sizeof(s) - 1})
#define SPAN_NONE   ((struct span){NULL, 0})

static inline struct span span_of(const void *data, size_t len)
{
	return (struct span){data, len};
}

// From byte off on; an off past the end gives an empty span.
static inline struct span span_from(struct span s, size_t off)
{
	return off >= s.len ? SPAN_NONE : span_of(s.data + off, s.len - off);
}

static inline struct span span_first(struct span s, size_t len)
{
	return span_of(s.data, len < s.len ? len : s.len);
}

static inline bool span_eq(struct span a, struct span b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

// ASCII lower case, independent of the locale.
static inline uint8_t span_lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

// Equal without regard to ASCII case.
static inline bool span_eq_nocase(struct span a, struct span b)
{
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++)
		if (span_lower(a.data[i]) != span_lower(b.data[i]))
			return false;
	return true;
}

#endif

// SPDX-License-Identifier: BSD-2-Clause
// A set of digests, texts or addresses that never changes: position-independent, mapped as it is, looked up in place.
//
// What is listed becomes a 128-bit keyed hash, its print: every kind has the same form, prints are spread evenly
// whatever is listed, and a print that is found by chance has a probability of n / 2^128. Prints are sorted; a line
// holds the low words of those whose high word falls into its share of the range:
//
//   struct list | struct list_line x n_lines           | struct list_print x n
//      64 bytes | first, n, 14 tags: one cache line each | 16 bytes each, sorted by hi, lo
//
// A lookup reads the line and, only where a tag is equal, that print: one cache miss for what is not listed, two for what
// is. With LIST_PER_LINE prints on average one line in 170 has more than fit: the rest is compared in full, behind the
// tagged ones, so that such a lookup costs two at least.
#ifndef RULES_LIST_H
#define RULES_LIST_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/span.h"

enum {
	LIST_MAGIC = 0x314c4757, // "WGL1"
	LIST_ALIGN = 64,         // of the whole, so that lines are cache lines
	LIST_TAGS = 14,
	LIST_PER_LINE = 7,          // on average
	LIST_LINE_MAX = 64,         // bounds a lookup
	LIST_ENTRIES_MAX = 1 << 27, // 134 million: 3.4 GB
	LIST_TEXT_MAX = 64 << 10,   // longest entry of LIST_TEXT
};

enum list_kind {
	LIST_MD5,
	LIST_SHA1,
	LIST_SHA256,
	LIST_TEXT, // any bytes
	LIST_IP,   // 16 bytes; IPv4 mapped (::ffff:a.b.c.d)
	LIST_KIND_N
};

struct list_print {
	uint64_t hi, lo;
};

struct list_line {
	uint32_t first, n;       // prints
	uint32_t tag[LIST_TAGS]; // low half of lo of the first ones
};

struct list {
	uint32_t magic;
	uint32_t kind; // enum list_kind
	uint32_t n, n_lines;
	uint8_t key[16];
	uint8_t pad[32];
};

static_assert(sizeof(struct list) == 64 && sizeof(struct list_line) == 64, "cache lines");

// Name of a kind as rules and reports write it, and the bytes of what is looked up; 0: any number.
const char *list_kind_name(unsigned int kind);
size_t list_kind_bytes(unsigned int kind);

// Bytes of a list of n prints, a multiple of LIST_ALIGN.
uint64_t list_bytes(uint32_t n, uint32_t n_lines);

// Check bytes from anywhere, LIST_ALIGN aligned: 0, or -EBADMSG with what is wrong. After it every lookup stays inside.
int list_check(const void *blob, uint64_t bytes, const char **ret_why);

// A fast checksum against accidents: it does not withstand an attacker.
uint64_t list_checksum(const void *blob, uint64_t bytes);

struct list_print list_print(const uint8_t key[16], const void *data, size_t len);

static inline uint32_t list_line_of(uint64_t hi, uint32_t n_lines)
{
	return (uint32_t)((unsigned __int128)hi * n_lines >> 64);
}

static inline const struct list_line *list_lines(const struct list *l)
{
	return (const struct list_line *)(const void *)(l + 1);
}

static inline const struct list_print *list_prints(const struct list *l)
{
	return (const struct list_print *)(const void *)(list_lines(l) + l->n_lines);
}

static inline bool list_has_print(const struct list *l, struct list_print p)
{
	const struct list_line *line = list_lines(l) + list_line_of(p.hi, l->n_lines);
	const struct list_print *v = list_prints(l) + line->first;
	uint32_t n = line->n, i = 0;

	for (; i < n && i < LIST_TAGS; i++)
		if (line->tag[i] == (uint32_t)p.lo && v[i].lo == p.lo && v[i].hi == p.hi)
			return true;
	for (; i < n; i++)
		if (v[i].lo == p.lo && v[i].hi == p.hi)
			return true;
	return false;
}

// Is it listed? A digest or address of another length than the kind's is not; an IPv4 address may have four bytes.
bool list_has(const struct list *l, struct span s);

#endif

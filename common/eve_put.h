// SPDX-License-Identifier: BSD-2-Clause
// The JSON writer behind eve.c: appends to the caller's buffer and remembers only whether a comma is due.
//
// Invariants: p never passes end; once something did not fit p is NULL and stays NULL, so that nobody who writes has
// to check. Numbers are clipped to what a signed 64-bit reader holds.
#ifndef COMMON_EVE_PUT_H
#define COMMON_EVE_PUT_H

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/eve.h"

struct out {
	char *p; // NULL: it did not fit
	const char *end;
	bool comma;
};

static inline void put_raw(struct out *o, const char *text, size_t len)
{
	if (o->p == NULL || (size_t)(o->end - o->p) < len) {
		o->p = NULL;
		return;
	}
	memcpy(o->p, text, len);
	o->p += len;
}

// The comma that is due and, unless key is NULL (array element), the key.
static inline void put_key(struct out *o, const char *key, size_t len)
{
	if (o->comma)
		put_raw(o, ",", 1);
	if (key != NULL) {
		o->p = eve_string(o->p, o->end, key, len);
		put_raw(o, ":", 1);
	}
	o->comma = true;
}

static inline void put_open(struct out *o, const char *key, char bracket)
{
	put_key(o, key, key != NULL ? strlen(key) : 0);
	put_raw(o, &bracket, 1);
	o->comma = false;
}

static inline void put_close(struct out *o, char bracket)
{
	put_raw(o, &bracket, 1);
	o->comma = true;
}

static inline void put_text(struct out *o, const char *key, const char *text, size_t len)
{
	put_key(o, key, key != NULL ? strlen(key) : 0);
	o->p = eve_string(o->p, o->end, text, len);
}

// At most max bytes, a UTF-8 sequence is not cut in two.
static inline size_t text_clip(const char *text, size_t max)
{
	size_t len = strnlen(text, max), back = 0;

	if (len == max)
		while (back < 3 && back < len && ((uint8_t)text[len - back] & 0xc0) == 0x80)
			back++;
	return len - back;
}

// A text of our own.
static inline void put_name(struct out *o, const char *key, const char *name)
{
	put_text(o, key, name, strlen(name));
}

// A text of the caller, left out if NULL.
static inline void put_opt(struct out *o, const char *key, const char *text, size_t max)
{
	if (text != NULL)
		put_text(o, key, text, text_clip(text, max));
}

// A field of an event: len bytes of at most size, left out if empty.
static inline void put_field(struct out *o, const char *key, const char *text, size_t len,
			     size_t size)
{
	if (len > 0)
		put_text(o, key, text, len < size ? len : size);
}

static inline void put_u64(struct out *o, const char *key, uint64_t v)
{
	char text[24];
	int n = snprintf(text, sizeof(text), "%" PRIu64, v > INT64_MAX ? INT64_MAX : v);

	put_key(o, key, key != NULL ? strlen(key) : 0);
	put_raw(o, text, (size_t)n);
}

static inline void put_bool(struct out *o, const char *key, bool v)
{
	put_key(o, key, strlen(key));
	put_raw(o, v ? "true" : "false", v ? 4 : 5);
}

static inline void put_time(struct out *o, const char *key, uint64_t ts_ns)
{
	time_t s = (time_t)(ts_ns / 1000000000u);
	char text[64];
	struct tm tm;
	size_t n;

	gmtime_r(&s, &tm); // cannot fail: 2^64 ns end in the year 2554
	n = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	n += (size_t)snprintf(text + n, sizeof(text) - n, ".%06u+0000",
			      (unsigned int)(ts_ns % 1000000000u / 1000));
	put_text(o, key, text, n);
}

// Names of the bits that are set; a bit without a name shows elsewhere.
static inline void put_flags(struct out *o, uint32_t flags, const char *const *names, size_t n)
{
	put_open(o, "flags", '[');
	for (size_t i = 0; i < n; i++)
		if (names[i] != NULL && flags & 1u << i)
			put_name(o, NULL, names[i]);
	put_close(o, ']');
}

#endif

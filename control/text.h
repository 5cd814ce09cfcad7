// SPDX-License-Identifier: BSD-2-Clause
// Bytes from wire and rule files as text that databases and JSON accept.
#ifndef CONTROL_TEXT_H
#define CONTROL_TEXT_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

// Valid UTF-8 passes; every other byte becomes the code point of the same number (NUL: U+FFFD), as in
// EVE lines. Cut at a whole character to fit size (at least 1); always NUL-terminated. Returns its length.
size_t text_clean(char *buf, size_t size, const void *data, size_t len);

// The same as a new JSON string (at most 2 KiB), NULL if out of memory.
json_t *text_json(const char *text);

// UTC as "2026-11-23T13:00:00.123456+0000", the form of EVE. buf of at least 40 bytes. Returns buf.
const char *text_time(char *buf, size_t size, uint64_t ns);

// n bytes as 2 * n hexadecimal digits and NUL. Returns buf.
const char *text_hex(char *buf, const uint8_t *data, size_t n);

#endif

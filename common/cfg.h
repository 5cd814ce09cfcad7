// SPDX-License-Identifier: BSD-2-Clause
// Configuration files: libconfig plus a schema, so that an unknown key or a value out of range is an error with
// file:line and a remedy ("did you mean").
#ifndef COMMON_CFG_H
#define COMMON_CFG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/diag.h"

enum cfg_type {
	CFG_BOOL,    // bool
	CFG_INT,     // int64_t, min..max
	CFG_STRING,  // char[size], min..max bytes, no NUL
	CFG_ENUM,    // int: index in values
	CFG_STRINGS, // array or list of strings: char[n][size], count in *count
	CFG_GROUP,   // nested table
	CFG_LIST, // list of groups: each parsed with table into an element of elem_bytes, count in *count
};

// One key. Ends with name NULL. dst is base + offset.
struct cfg_key {
	const char *name;
	enum cfg_type type;
	size_t offset;
	int64_t min, max;    // INT range; STRING length range; LIST/STRINGS count range
	size_t size;         // STRING, STRINGS: bytes of one string with NUL; LIST: elem_bytes
	size_t count_offset; // STRINGS, LIST: offset of a uint32_t
	const char *const *values;  // ENUM: NULL-terminated names
	const struct cfg_key *keys; // GROUP, LIST
	bool required;
};

// Read path into base (already holding the defaults). 0; -ENOENT and other negative errno if it cannot be read;
// -EINVAL with ret_diag naming file, line, key and remedy. @include is refused: a configuration is one file.
int cfg_read(const char *path, const struct cfg_key *keys, void *base, struct diag *ret_diag);

// The same for text in memory; name is used in messages.
int cfg_read_text(const char *name, const char *text, const struct cfg_key *keys, void *base,
		  struct diag *ret_diag);

// Line of a key ("rx.desc") in a file that cfg_read() took; 0 if it is not there.
unsigned int cfg_line(const char *path, const char *key);

#endif

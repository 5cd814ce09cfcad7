// SPDX-License-Identifier: BSD-2-Clause
// CSV on standard output (RFC 4180), and values out of a rule's metadata for its columns.
#ifndef CONTROL_CLI_CSV_H
#define CONTROL_CLI_CSV_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

void csv_header(const char *const *columns, int n);
// Quoted if need be. A text that a spreadsheet would take for a formula begins with an apostrophe: it comes from strangers.
void csv_text(const char *text);
// A number or text; nothing if value is NULL.
void csv_value(const json_t *value);

// The value of a key in rule metadata: "key value" per line, or several with commas. false: it is not there.
bool csv_metadata(const char *metadata, const char *key, char *buf, size_t size);

#endif

// SPDX-License-Identifier: BSD-2-Clause
// Aligned columns for people. What comes from the wire cannot move the cursor or colour the terminal.
#ifndef CONTROL_CLI_TABLE_H
#define CONTROL_CLI_TABLE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	TABLE_COLUMNS_MAX = 12,
	TABLE_CELL_BYTES = 512,
};

struct table {
	unsigned int columns;
	size_t rows, cap;
	char **cells; // rows * columns
	size_t width[TABLE_COLUMNS_MAX];
	bool right[TABLE_COLUMNS_MAX];
	bool failed; // out of memory
};

// headers: one word per column; one that starts with '>' is aligned to the right.
void table_init(struct table *t, const char *const *headers, unsigned int columns);
// One row of cells, printf-formatted and separated by tabs in the result. Control characters are made visible.
__attribute__((format(printf, 2, 3))) void table_add(struct table *t, const char *fmt, ...);
// Print and release. widest: cut longer cells of the last column (0: never).
void table_print(struct table *t, size_t widest);

// Copy text for a terminal: control characters (C0, DEL, C1) become \xNN, tabs and newlines too. Returns buf.
const char *table_safe(char *buf, size_t size, const char *text);

// 1234567 -> "1.2 M", bytes -> "1.2 MiB". Return buf.
const char *table_count(char *buf, size_t size, uint64_t n);
const char *table_bytes(char *buf, size_t size, uint64_t n);

// Colours are wanted: stdout is a terminal and NO_COLOR is not set.
bool table_colour(void);

// Members of a reply: "" and 0 if absent or of another type.
const char *reply_text(const json_t *object, const char *name);
uint64_t reply_number(const json_t *object, const char *name);
bool reply_true(const json_t *object, const char *name);

#endif

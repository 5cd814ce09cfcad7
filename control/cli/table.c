// SPDX-License-Identifier: BSD-2-Clause
// Tables: rows are kept until all widths are known. The first row is the header.
#include "control/cli/table.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool table_colour(void)
{
	const char *no = getenv("NO_COLOR");

	return (no == NULL || no[0] == '\0') && isatty(STDOUT_FILENO) != 0;
}

const char *table_safe(char *buf, size_t size, const char *text)
{
	size_t out = 0;

	for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; p++) {
		unsigned int control = 0;

		if (*p < 0x20 || *p == 0x7f)
			control = *p;
		else if (p[0] == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0) // C1 as UTF-8
			control = *++p;
		if (control != 0) {
			if (out + 5 > size)
				break;
			out += (size_t)snprintf(buf + out, size - out, "\\x%02x", control);
		} else {
			if (out + 2 > size)
				break;
			buf[out++] = (char)*p;
		}
	}
	buf[out] = '\0';
	return buf;
}

// Characters, not bytes.
static size_t width(const char *text)
{
	size_t n = 0;

	for (; *text != '\0'; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

static void add_cells(struct table *t, char *line)
{
	if (t->rows == t->cap) {
		size_t cap = t->cap != 0 ? t->cap * 2 : 64;
		char **cells = realloc(t->cells, cap * t->columns * sizeof(cells[0]));
		if (cells == NULL) {
			t->failed = true;
			return;
		}
		t->cells = cells;
		t->cap = cap;
	}
	char **row = &t->cells[t->rows * t->columns];
	for (unsigned int i = 0; i < t->columns; i++) {
		char safe[TABLE_CELL_BYTES];
		char *end = line != NULL ? strchr(line, '\t') : NULL;

		if (end != NULL)
			*end = '\0';
		row[i] = strdup(line != NULL ? table_safe(safe, sizeof(safe), line) : "");
		if (row[i] == NULL)
			t->failed = true;
		else if (width(row[i]) > t->width[i])
			t->width[i] = width(row[i]);
		line = end != NULL ? end + 1 : NULL;
	}
	t->rows++;
}

void table_add(struct table *t, const char *fmt, ...)
{
	char line[4096];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (!t->failed)
		add_cells(t, line);
}

void table_init(struct table *t, const char *const *headers, unsigned int columns)
{
	char line[1024] = "";
	size_t len = 0;

	*t = (struct table){.columns = columns};
	for (unsigned int i = 0; i < columns; i++) {
		t->right[i] = headers[i][0] == '>';
		len += (size_t)snprintf(line + len, sizeof(line) - len, "%s%s", i != 0 ? "\t" : "",
					headers[i] + t->right[i]);
	}
	add_cells(t, line);
}

// Print at most widest characters (0: all), then blanks up to the width.
static void print_cell(const char *text, size_t fill, bool right, bool last, size_t widest)
{
	size_t chars = width(text), bytes = strlen(text);
	bool cut = widest != 0 && chars > widest;

	if (cut) {
		const char *p = text;
		for (size_t n = 0; *p != '\0'; p++)
			if (((unsigned char)*p & 0xc0) != 0x80 && n++ == widest - 1)
				break;
		bytes = (size_t)(p - text);
		chars = widest;
	}
	int pad = fill > chars ? (int)(fill - chars) : 0;
	if (right)
		printf("%*s", pad, "");
	printf("%.*s%s", (int)bytes, text, cut ? "~" : "");
	if (!right && !last)
		printf("%*s", pad, "");
}

void table_print(struct table *t, size_t widest)
{
	bool colour = table_colour();

	for (size_t r = 0; r < t->rows; r++) {
		if (r == 0 && colour)
			fputs("\033[1m", stdout);
		for (unsigned int i = 0; i < t->columns; i++) {
			char *cell = t->cells[r * t->columns + i];
			bool last = i + 1 == t->columns;

			if (cell != NULL)
				print_cell(cell, t->width[i], t->right[i], last, last ? widest : 0);
			if (!last)
				fputs("  ", stdout);
			free(cell);
		}
		puts(r == 0 && colour ? "\033[0m" : "");
	}
	free(t->cells);
	t->cells = NULL;
}

static const char *scaled(char *buf, size_t size, uint64_t n, double unit, const char *const *names)
{
	double v = (double)n;
	int i = 0;

	while (v >= unit && i < 5) {
		v /= unit;
		i++;
	}
	snprintf(buf, size, i == 0 ? "%.0f%s" : "%.1f%s", v, names[i]);
	return buf;
}

const char *table_count(char *buf, size_t size, uint64_t n)
{
	static const char *const names[] = {"", " k", " M", " G", " T", " P"};

	return scaled(buf, size, n, 1000, names);
}

const char *table_bytes(char *buf, size_t size, uint64_t n)
{
	static const char *const names[] = {" B", " KiB", " MiB", " GiB", " TiB", " PiB"};

	return scaled(buf, size, n, 1024, names);
}

const char *reply_text(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text != NULL ? text : "";
}

uint64_t reply_number(const json_t *object, const char *name)
{
	return (uint64_t)json_integer_value(json_object_get(object, name));
}

bool reply_true(const json_t *object, const char *name)
{
	return json_is_true(json_object_get(object, name));
}

// SPDX-License-Identifier: BSD-2-Clause
// Where something went wrong in a text or a file, for a person to read.
#ifndef COMMON_DIAG_H
#define COMMON_DIAG_H

#include <stdarg.h>
#include <stdio.h>

// Filled by parsers and loaders, printed once by the program: "file:line:column: text".
// line 0: the whole file; column 0: the whole line. Always NUL-terminated, long texts are cut.
struct diag {
	char file[256];
	unsigned int line;
	unsigned int column;
	// What the text is about, "" if that is not known: of a rule, the keyword; of a skipped one, its protocol.
	char keyword[48];
	char text[512];
};

__attribute__((format(printf, 5, 6))) static inline void diag_set(struct diag *d, const char *file,
								  unsigned int line,
								  unsigned int column,
								  const char *fmt, ...)
{
	if (d == NULL)
		return;
	va_list ap;
	snprintf(d->file, sizeof(d->file), "%s", file != NULL ? file : "");
	d->line = line;
	d->column = column;
	d->keyword[0] = '\0';
	va_start(ap, fmt);
	vsnprintf(d->text, sizeof(d->text), fmt, ap);
	va_end(ap);
}

static inline void diag_set_keyword(struct diag *d, const char *keyword)
{
	if (d != NULL)
		snprintf(d->keyword, sizeof(d->keyword), "%s", keyword);
}

// "file:12:3: text", leaving out what is unknown. Returns buf.
static inline const char *diag_format(const struct diag *d, char *buf, size_t size)
{
	if (d->file[0] == '\0')
		snprintf(buf, size, "%s", d->text);
	else if (d->line == 0)
		snprintf(buf, size, "%s: %s", d->file, d->text);
	else if (d->column == 0)
		snprintf(buf, size, "%s:%u: %s", d->file, d->line, d->text);
	else
		snprintf(buf, size, "%s:%u:%u: %s", d->file, d->line, d->column, d->text);
	return buf;
}

#endif

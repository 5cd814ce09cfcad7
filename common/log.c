// SPDX-License-Identifier: BSD-2-Clause
#include "common/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct {
	const char *name;
	enum log_level level;
	int journal;
} state = {"wireglass", LOG_LEVEL_INFO, 0};

void log_init(const char *name, enum log_level level)
{
	state.name = name;
	state.level = level;
	state.journal = getenv("JOURNAL_STREAM") != NULL;
}

void log_set_level(enum log_level level)
{
	state.level = level;
}

void log_write(enum log_level level, const char *fmt, ...)
{
	static const struct {
		const char *word;
		int priority; // of syslog(3)
	} levels[] = {
		[LOG_LEVEL_ERROR] = {"error: ", 3}, [LOG_LEVEL_WARNING] = {"warning: ", 4},
		[LOG_LEVEL_NOTICE] = {"", 5},       [LOG_LEVEL_INFO] = {"", 6},
		[LOG_LEVEL_DEBUG] = {"debug: ", 7},
	};
	char line[2048];
	va_list ap;

	if (level > state.level)
		return;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	// One message, one line: a name from outside must not forge another.
	for (char *p = line; *p != '\0'; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = *p == '\n' ? ' ' : '?';
	if (state.journal)
		fprintf(stderr, "<%d>%s%s\n", levels[level].priority, levels[level].word, line);
	else
		fprintf(stderr, "%s: %s%s\n", state.name, levels[level].word, line);
}

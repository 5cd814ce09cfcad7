// SPDX-License-Identifier: BSD-2-Clause
#include "dataplane/offline.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/eve.h"

void offline_print_error(const char *code, const char *text)
{
	char buf[6 * 1024 + 3], *end = eve_string(buf, buf + sizeof(buf), text, strlen(text));

	if (end != NULL)
		printf("{\"error\":%.*s,\"code\":\"%s\"}\n", (int)(end - buf), buf, code);
}

int offline_error(const char *command, bool json, int exit_code, const char *code, const char *fmt,
		  ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	fprintf(stderr, "wireglass %s: %s\n", command, text);
	if (json)
		offline_print_error(code, text);
	return exit_code;
}

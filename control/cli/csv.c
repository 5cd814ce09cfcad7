// SPDX-License-Identifier: BSD-2-Clause
// For what goes to spreadsheets.
#include "control/cli/csv.h"

#include <stdio.h>
#include <string.h>

#include "control/cli/table.h"

void csv_header(const char *const *columns, int n)
{
	for (int i = 0; i < n; i++)
		printf("%s%s", i == 0 ? "" : ",", columns[i]);
	fputs("\r\n", stdout);
}

void csv_text(const char *text)
{
	char safe[4096];

	text = table_safe(safe, sizeof(safe), text);
	const char *formula = strchr("=+-@", text[0]) != NULL && text[0] != '\0' ? "'" : "";
	if (formula[0] == '\0' && strpbrk(text, ",\"\r\n") == NULL) {
		fputs(text, stdout);
		return;
	}
	printf("\"%s", formula);
	for (; *text != '\0'; text++) {
		if (*text == '"')
			putchar('"');
		putchar(*text);
	}
	putchar('"');
}

void csv_value(const json_t *value)
{
	if (json_is_integer(value))
		printf("%" JSON_INTEGER_FORMAT, json_integer_value(value));
	else if (json_is_string(value))
		csv_text(json_string_value(value));
}

bool csv_metadata(const char *metadata, const char *key, char *buf, size_t size)
{
	size_t len = strlen(key);

	for (const char *p = metadata; *p != '\0'; p += strspn(p, ",\n")) {
		p += strspn(p, " ");
		size_t item = strcspn(p, ",\n");
		if (item > len && strncmp(p, key, len) == 0 && p[len] == ' ') {
			snprintf(buf, size, "%.*s", (int)(item - len - 1), p + len + 1);
			return true;
		}
		p += item;
	}
	return false;
}

// SPDX-License-Identifier: BSD-2-Clause
// Files that rules name, in memory: struct rule_files over a table of names and texts.
#ifndef TESTS_UNIT_LISTKIT_H
#define TESTS_UNIT_LISTKIT_H

#include <errno.h>
#include <stdio.h>

#include "rules/rule.h"

struct listkit_file {
	const char *name, *text; // ends with name NULL
};

static inline int listkit_open(void *ctx, const char *rule_file, const char *name,
			       struct rule_source *ret_source, struct diag *ret_diag)
{
	for (const struct listkit_file *f = ctx; f->name != NULL; f++) {
		if (strcmp(f->name, name) != 0)
			continue;
		*ret_source =
			(struct rule_source){.fd = -1, .data = span_of(f->text, strlen(f->text))};
		snprintf(ret_source->name, sizeof(ret_source->name), "%s", name);
		return 0;
	}
	diag_set(ret_diag, NULL, 0, 0, "there is no such file");
	return -ENOENT;
}

#endif

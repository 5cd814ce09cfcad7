// SPDX-License-Identifier: BSD-2-Clause
// What may stand next on a command line, for bash and for the shell.
#ifndef CONTROL_CLI_COMPLETE_H
#define CONTROL_CLI_COMPLETE_H

#include "control/cli/cli.h"

enum {
	COMPLETE_MAX = 256,
};

struct completions {
	char *v[COMPLETE_MAX]; // sorted, each once
	unsigned int n;
};

// What begins like the last of n words, behind the others. None: nothing that the program knows goes there, a file may.
void complete(struct cli *cli, int n, char **words, struct completions *ret);
void completions_add(struct completions *c, const char *text, size_t len);
void completions_sort(struct completions *c);
void completions_free(struct completions *c);

#endif

// SPDX-License-Identifier: BSD-2-Clause
#include "common/suggest.h"

#include <string.h>

enum {
	WORD_MAX = 64,
};

// Optimal string alignment distance: insert, delete, replace, swap of neighbours count 1.
static size_t distance(const char *a, size_t na, const char *b, size_t nb)
{
	size_t d[3][WORD_MAX + 1];

	for (size_t j = 0; j <= nb; j++)
		d[0][j] = j;
	for (size_t i = 1; i <= na; i++) {
		size_t *row = d[i % 3], *up = d[(i - 1) % 3], *up2 = d[(i + 1) % 3];

		row[0] = i;
		for (size_t j = 1; j <= nb; j++) {
			size_t best = up[j - 1] + (a[i - 1] != b[j - 1]);

			if (up[j] + 1 < best)
				best = up[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    up2[j - 2] + 1 < best)
				best = up2[j - 2] + 1;
			row[j] = best;
		}
	}
	return d[na % 3][nb];
}

const char *suggest_closest(const char *word, const char *const *names, size_t n)
{
	size_t len = strlen(word), best = 3;
	const char *closest = NULL;

	if (len == 0 || len > WORD_MAX)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		size_t nlen = strlen(names[i]);
		size_t d;

		if (nlen > WORD_MAX)
			continue;
		d = distance(word, len, names[i], nlen);
		if (d < best && 2 * d < len) {
			best = d;
			closest = names[i];
		}
	}
	return closest;
}

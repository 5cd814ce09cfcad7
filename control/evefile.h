// SPDX-License-Identifier: BSD-2-Clause
// A file of whole lines that others read while we append: never half a line at its end for longer than a write takes.
#ifndef CONTROL_EVEFILE_H
#define CONTROL_EVEFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/diag.h"

struct evefile {
	int fd; // -1: not open
	bool regular;
	char path[256];
	int error; // negative errno of the last write, 0 if it went well
	uint64_t lines, dropped, failures;
};

// path "": every write goes nowhere and succeeds. 0 or negative errno with ret_diag.
int evefile_open(struct evefile *f, const char *path, struct diag *ret_diag);
// Close and open again under the same name, after a log rotation. The old file stays open if that fails.
int evefile_reopen(struct evefile *f, struct diag *ret_diag);
void evefile_close(struct evefile *f);

// Append text, which holds n_lines lines, all of it or none of it. sync: it is on the disk when this returns.
// 0 or negative errno (-ENOSPC...): the file ends as it did before.
int evefile_append(struct evefile *f, const char *text, size_t len, uint64_t n_lines, bool sync);

#endif

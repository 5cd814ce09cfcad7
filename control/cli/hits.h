// SPDX-License-Identifier: BSD-2-Clause
// What "hits ..." and its helpers share.
#ifndef CONTROL_CLI_HITS_H
#define CONTROL_CLI_HITS_H

#include <jansson.h>
#include <stdbool.h>

#include "common/ipc.h"
#include "control/cli/cli.h"

struct hits_options {
	struct ipc_admin_req req; // filters, verdict and note are in place
	bool filtered;            // at least one filter was given
	uint64_t limit;           // 0: none was given
	int format;               // of an export, -1: none was given
	const char *org, *contact, *domain, *xarf_type;
};

// hits: the array of a "hits list" reply.
void hits_table(const json_t *hits, bool with_id);

// "eve", "csv"...: its number, -1 if there is no such format.
int hits_format(const char *name);
// Print every hit that matches. Returns an exit code.
int hits_export(struct cli *cli, const struct hits_options *o);

#endif

// SPDX-License-Identifier: BSD-2-Clause
// Hits as a table, for "hits list" and the demo.
#ifndef CONTROL_CLI_HITS_H
#define CONTROL_CLI_HITS_H

#include <jansson.h>
#include <stdbool.h>

// hits: the array of a "hits list" reply.
void hits_table(const json_t *hits, bool with_id);

#endif

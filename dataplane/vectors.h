// SPDX-License-Identifier: BSD-2-Clause
// Self-tests of rules: conversations that a rule must match, or must not, through the same engine as on the wire.
//
//   # a comment
//   match 1000001                      sids that must hit in this case
//   nomatch 1000002 1000003            sids that must not
//   flow 10.0.0.5 40000 -> 198.51.100.20 80   if the rules ask for addresses (these are: 192.0.2.10, port 80)
//   > GET /evil HTTP/1.1\r\nHost: www.example.test\r\n\r\n
//   < HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok
//
// ">" is sent by the client, "<" by the server, with \r \n \t \\ and \xHH; the next match or nomatch line begins another
// case, a connection of its own.
#ifndef DATAPLANE_VECTORS_H
#define DATAPLANE_VECTORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/diag.h"
#include "common/span.h"

struct vectors;

// Make ready to run tests against an image. 0 or negative errno with ret_diag.
int vectors_new(const void *image, uint64_t len, struct vectors **ret_vectors,
		struct diag *ret_diag);
void vectors_free(struct vectors *v); // accepts NULL

// Run the cases of a text; name is for messages. some_absent: rules may be missing, and what is asked of them is left out.
// The number of cases, or -EINVAL: the text is wrong or a rule does otherwise, ret_diag says where and what.
int vectors_run(struct vectors *v, const char *name, struct span text, bool some_absent,
		struct diag *ret_diag);

#endif

// SPDX-License-Identifier: BSD-2-Clause
// The coverage ledger: what became of every byte that was received, and of every flow. Made from the counters alone.
//
// The rows add up to capture.bytes and flow.created exactly. "headers" is what is left over, so the sum proves nothing by
// itself; that the payload's rows add up to tcp.payload_bytes does (coverage_is_exact()).
#ifndef COMMON_COVERAGE_H
#define COMMON_COVERAGE_H

#include <stdbool.h>

#include "common/counters.h"

// X(id, "name", "sentence")
#define COVERAGE_TABLE(X)                                                                          \
	X(INSPECTED, "inspected", "payload read in order and inspected")                           \
	X(FIRST, "first_bytes",                                                                    \
	  "first bytes of flows that were then passed by, looked at to tell what they are")        \
	X(ENCRYPTED, "encrypted", "payload of TLS and SSH, passed by unread")                      \
	X(OPAQUE, "opaque", "payload of other protocols, passed by unread")                        \
	X(OUT_OF_SCOPE, "out_of_scope", "payload outside of the declared scope, passed by unread") \
	X(OVERLOAD, "overload",                                                                    \
	  "payload passed by unread because a table or pool was full, or a worker too busy")       \
	X(OPEN, "open", "payload passed by unread in flows that have not ended")                   \
	X(SILENT, "silent", "flows that ended before anything could tell what they are")           \
	X(REPEATED, "repeated", "payload received before")                                         \
	X(REFUSED, "refused", "payload that no host accepts")                                      \
	X(HELD, "held", "payload that waits for bytes before it")                                  \
	X(BLOCKED, "blocked", "payload of flows that a drop or reject rule has ended")             \
	X(UNDECODABLE, "undecodable", "frames and segments that no host can read")                 \
	X(TRUNCATED, "truncated", "frames cut by the capture")                                     \
	X(OTHER, "other", "frames without TCP")                                                    \
	X(HEADERS, "headers", "headers, padding, and pieces of datagrams that are not whole")

enum coverage_row {
#define X(id, name, text) COVERAGE_##id,
	COVERAGE_TABLE(X)
#undef X
		COVERAGE_N
};

struct coverage {
	uint64_t bytes[COVERAGE_N], flows[COVERAGE_N];
	uint64_t bytes_seen, flows_seen; // the sums
	uint64_t missing_bytes;          // holes that were skipped: not seen, so in no row
};

void coverage_of(const struct counters *c, struct coverage *ret_coverage);

// Does the payload that was received equal what became of it? False: a counter lies.
bool coverage_is_exact(const struct counters *c);

const char *coverage_name(unsigned int row); // NULL beyond the last
const char *coverage_text(unsigned int row);

#endif

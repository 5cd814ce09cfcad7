// SPDX-License-Identifier: BSD-2-Clause
// Released bytes are known by kind when their flow ends; those of flows that go on are what is left of tcp.released_bytes.
#include "common/coverage.h"

#include <stddef.h>

static const char *const names[COVERAGE_N + 1] = {
#define X(id, name, text) [COVERAGE_##id] = name,
	COVERAGE_TABLE(X)
#undef X
};

static const char *const texts[COVERAGE_N] = {
#define X(id, name, text) [COVERAGE_##id] = text,
	COVERAGE_TABLE(X)
#undef X
};

const char *coverage_name(unsigned int row)
{
	return row < COVERAGE_N ? names[row] : NULL;
}

const char *coverage_text(unsigned int row)
{
	return row < COVERAGE_N ? texts[row] : NULL;
}

static uint64_t refused(const uint64_t *v)
{
	return v[CNT_TCP_OUT_OF_WINDOW] + v[CNT_TCP_IGNORED] + v[CNT_TCP_OLD_TS] +
	       v[CNT_TCP_BAD_ACK] + v[CNT_TCP_AFTER_FIN] + v[CNT_TCP_URGENT_BYTES];
}

bool coverage_is_exact(const struct counters *c)
{
	const uint64_t *v = c->v;

	return v[CNT_TCP_PAYLOAD] == v[CNT_TCP_DELIVERED] + v[CNT_TCP_RELEASED] +
					     v[CNT_TCP_DUPLICATE] + refused(v) +
					     v[CNT_TCP_OOO_HELD];
}

void coverage_of(const struct counters *c, struct coverage *ret_coverage)
{
	const uint64_t *v = c->v;
	struct coverage r = {
		.bytes = {[COVERAGE_INSPECTED] = v[CNT_TCP_DELIVERED] - v[CNT_APP_PREFIX_BYTES] -
						 v[CNT_OVERLOAD_BYTES],
			  [COVERAGE_FIRST] = v[CNT_APP_PREFIX_BYTES],
			  [COVERAGE_ENCRYPTED] = v[CNT_COVERED_ENCRYPTED_BYTES],
			  [COVERAGE_OPAQUE] = v[CNT_COVERED_OPAQUE_BYTES],
			  [COVERAGE_OUT_OF_SCOPE] = v[CNT_COVERED_SCOPE_BYTES],
			  [COVERAGE_REPEATED] = v[CNT_TCP_DUPLICATE],
			  [COVERAGE_REFUSED] = refused(v),
			  [COVERAGE_HELD] = v[CNT_TCP_OOO_HELD],
			  [COVERAGE_BLOCKED] = v[CNT_COVERED_BLOCKED_BYTES],
			  [COVERAGE_UNDECODABLE] = v[CNT_COVERED_UNDECODABLE_BYTES],
			  [COVERAGE_TRUNCATED] = v[CNT_COVERED_TRUNCATED_BYTES],
			  [COVERAGE_OTHER] = v[CNT_COVERED_OTHER_BYTES]},
		.flows = {[COVERAGE_INSPECTED] = v[CNT_COVERED_INSPECTED_FLOWS],
			  [COVERAGE_ENCRYPTED] = v[CNT_COVERED_ENCRYPTED_FLOWS],
			  [COVERAGE_OPAQUE] = v[CNT_COVERED_OPAQUE_FLOWS],
			  [COVERAGE_OUT_OF_SCOPE] = v[CNT_COVERED_SCOPE_FLOWS],
			  [COVERAGE_OVERLOAD] = v[CNT_COVERED_OVERLOAD_FLOWS],
			  [COVERAGE_OPEN] = v[CNT_FLOW_ACTIVE],
			  [COVERAGE_SILENT] = v[CNT_COVERED_SILENT_FLOWS]},
		.bytes_seen = v[CNT_RX_BYTES],
		.flows_seen = v[CNT_FLOW_CREATED],
		.missing_bytes = v[CNT_TCP_GAP_BYTES],
	};
	uint64_t known = 0;

	r.bytes[COVERAGE_OPEN] = v[CNT_TCP_RELEASED] - r.bytes[COVERAGE_ENCRYPTED] -
				 r.bytes[COVERAGE_OPAQUE] - r.bytes[COVERAGE_OUT_OF_SCOPE] -
				 v[CNT_COVERED_OVERLOAD_BYTES];
	r.bytes[COVERAGE_OVERLOAD] = v[CNT_COVERED_OVERLOAD_BYTES] + v[CNT_COVERED_NO_FLOW_BYTES] +
				     v[CNT_OVERLOAD_BYTES];
	for (unsigned int i = 0; i < COVERAGE_N; i++)
		known += r.bytes[i];
	r.bytes[COVERAGE_HEADERS] = r.bytes_seen - known;
	*ret_coverage = r;
}

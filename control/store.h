// SPDX-License-Identifier: BSD-2-Clause
// The hit store: one SQLite file (WAL, synchronous=FULL) under the state directory.
//
// A hit is acknowledged to the dataplane only after store_commit() said 0. Hits come at least once; the key
// (boot, worker, seq) makes them exactly one row. What was lost before it got here is in the table "losses".
#ifndef CONTROL_STORE_H
#define CONTROL_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/coverage.h"
#include "common/diag.h"
#include "common/hit.h"
#include "common/ipc.h"
#include "common/prefix.h"

struct store;

// The rule that hit, as its texts were at that time. No text is NULL.
struct store_rule {
	const char *msg, *classtype, *reference, *metadata, *bundle;
	uint64_t serial; // of the bundle, 0 if unknown
};

// What is kept; beyond it the oldest go first. hits and bytes by whole tables of hits / 40 rows, fewer beyond 2 million hits.
struct store_limits {
	uint64_t hits;  // so many are kept at least, at most a table's rows more
	uint64_t age_s; // none older; 0: no limit
	uint64_t bytes; // of the file; 0: no limit
};

// Make or open path. 0, or negative errno with ret_diag (damaged file, no permission, made by a newer version).
int store_open(const char *path, const struct store_limits *limits, struct store **ret_store,
	       struct diag *ret_diag);
void store_close(struct store *s);

// One transaction. After a negative result of anything inside it: store_rollback().
// -ENOSPC: no space; -EIO and other negative errno: the file cannot be written.
int store_begin(struct store *s);
int store_commit(struct store *s);
void store_rollback(struct store *s);
const char *store_error(const struct store *s); // sentence about the last failure

// Inside a transaction. 1: new row; 0: was stored before; negative errno.
int store_hit(struct store *s, const uint8_t boot_id[16], uint32_t worker, const struct hit *hit,
	      const struct store_rule *rule);
// Instead of store_hit() for a hit that its rule's threshold suppresses: no row, but counted. Results as there.
int store_suppress(struct store *s, const uint8_t boot_id[16], uint32_t worker,
		   const struct hit *hit);
// Losses that a batch reports, and holes between what is stored and its first hit. Before the batch's hits.
int store_losses(struct store *s, const struct ipc_hits *batch, const struct hit *hits);
// What an access log would say about the transaction of earlier or later hits.
int store_http(struct store *s, const uint8_t boot_id[16], const struct event *event);

// All hits of this worker up to this seq are stored or suppressed; 0: none.
uint64_t store_cursor(struct store *s, const uint8_t boot_id[16], uint32_t worker);

// Remove what has become too old, in a transaction of its own. 0 or negative errno.
int store_expire(struct store *s, uint64_t now_ns);

// What the desk did with a hit.
enum store_state {
	STORE_OPEN,
	STORE_ACKED, // somebody looks into it
	STORE_CLOSED,
	STORE_STATE_N
};
enum store_verdict {
	STORE_VERDICT_NONE,
	STORE_VERDICT_TRUE,  // it was what the rule says
	STORE_VERDICT_FALSE, // it was not
	STORE_VERDICT_N
};
// "open", "acked", "closed"; "", "true", "false"; NULL beyond the last.
const char *store_state_name(unsigned int state);
const char *store_verdict_name(unsigned int verdict);

// A stored row. Texts are valid UTF-8, never NULL, and valid during the callback.
struct store_row {
	uint64_t id;
	struct hit hit;
	char boot[33];
	char src[46], dst[46];
	struct store_rule rule;
	const char *method, *host, *url; // "" if not known (yet)
	uint32_t status;                 // 0: not known
	enum store_state state;
	enum store_verdict verdict;
};
typedef void store_row_fn(void *ctx, const struct store_row *row);

// Which hits; all zero: every one. Conditions hold together.
struct store_filter {
	uint64_t since;          // only ids above
	uint64_t before;         // only ids below, 0: all
	uint64_t from_ns, to_ns; // time of the hit, both included; 0: all
	uint32_t sid;            // 0: all
	uint32_t limit;
	uint32_t states;                               // bit per enum store_state, 0: all
	const char *host;                              // NULL or "": all
	const struct prefix *client, *server, *either; // NULL: all
	bool newest; // the newest rows that match, still in ascending order; else the oldest
};
// Number of rows handed to fn, in ascending order of id, or negative errno.
int store_list(struct store *s, const struct store_filter *filter, store_row_fn *fn, void *ctx);
// 1: fn was called; 0: no such row; negative errno.
int store_get(struct store *s, uint64_t id, store_row_fn *fn, void *ctx);

// Change the state of the hits that match, at most filter->limit of them, and write down who did it and why.
struct store_work {
	uint64_t ts_ns;
	enum store_state state;
	enum store_verdict verdict;
	uint32_t uid;
	const char *note; // "": none; at most 256 bytes are kept
};
// Within a transaction. Number of hits or negative errno.
int store_work(struct store *s, const struct store_filter *filter, const struct store_work *work);
typedef void store_work_fn(void *ctx, const struct store_work *work);
// What was done with a hit, oldest first. Number of entries or negative errno.
int store_work_of(struct store *s, uint64_t id, store_work_fn *fn, void *ctx);

struct store_totals {
	uint64_t hits, last_id, lost, suppressed, bytes;
};
void store_totals(struct store *s, struct store_totals *ret_totals);

// Suppressed hits of a rule, of all dataplanes that ever ran.
struct store_suppressed {
	uint32_t sid, gid;
	uint64_t count;
	uint64_t last_ns; // of the newest one
};
typedef void store_suppressed_fn(void *ctx, const struct store_suppressed *row);
// Rules with suppressed hits, ascending. Number of rules or negative errno.
int store_suppressed(struct store *s, store_suppressed_fn *fn, void *ctx);

// Small durable numbers: "generation", "live_serial". fallback if never set.
uint64_t store_number(struct store *s, const char *name, uint64_t fallback);
int store_set_number(struct store *s, const char *name, uint64_t value);

// The coverage ledger of a while. Bytes leave the row "open" when their flow ends, so of a day it may be negative.
struct store_ledger {
	int64_t bytes[COVERAGE_N], flows[COVERAGE_N];
};
// What this dataplane says now; in a transaction of its own. 0 or negative errno.
int store_ledger_add(struct store *s, const uint8_t boot_id[16], uint64_t now_ns,
		     const struct coverage *coverage);
// Of the days (UTC) of from_ns to to_ns (0: today). 0 or negative errno.
int store_ledger_sum(struct store *s, uint64_t from_ns, uint64_t to_ns,
		     struct store_ledger *ret_ledger);

// Stored hits of a rule, apart for each metadata it had.
struct store_rule_count {
	uint32_t sid, gid;
	const char *msg, *metadata;
	uint64_t hits, open, acked, is_true, is_false;
};
typedef void store_rule_fn(void *ctx, const struct store_rule_count *row);
// Of the hits from from_ns to to_ns (0: now), ascending sids. Reads all of them. Number of rows or negative errno.
int store_rule_counts(struct store *s, uint64_t from_ns, uint64_t to_ns, store_rule_fn *fn,
		      void *ctx);

// How far a sink (sink.h) is.
struct store_sink {
	char name[16];
	uint64_t cursor, missed;   // last hit it has taken; hits that were gone before it could
	uint64_t dev, ino, length; // a file: which one, and how long it was then
};
// 1, or 0 with ret_sink as it was: never set; negative errno. ret_sink->name says which.
int store_sink_get(struct store *s, struct store_sink *io_sink);
int store_sink_set(struct store *s, const struct store_sink *sink);

// Ids: of the oldest that may still be there, and of the newest. 0: no hit was ever stored.
uint64_t store_first_id(const struct store *s);
uint64_t store_last_id(const struct store *s);

// Bundles on disk, for show and rollback.
struct store_bundle {
	uint64_t serial, stored_ns, bytes;
	uint32_t rules;
	char id[128];
};
int store_bundle_put(struct store *s, const struct store_bundle *bundle);
int store_bundle_delete(struct store *s, uint64_t serial);
typedef void store_bundle_fn(void *ctx, const struct store_bundle *bundle);
// Descending serials. Number of bundles or negative errno.
int store_bundles(struct store *s, store_bundle_fn *fn, void *ctx);

#endif

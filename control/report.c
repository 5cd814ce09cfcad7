// SPDX-License-Identifier: BSD-2-Clause
// Hits and events to store and EVE.
//
// Order of a batch of hits: rows are inserted (which tells the new ones from those sent again), the lines of the new
// ones are appended to the EVE file and synced, the transaction is committed, and only then the caller acknowledges.
// A crash between the two may therefore repeat an EVE line, never a row, and never loses either.
//
// Of a hit that is new it is asked before whether it is to be reported (rules/verdict.h). The windows of the thresholds are in memory and change with
// the transaction: a batch that is tried again is not counted twice. They begin anew when wireglassd starts.
#include "control/report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/loop.h"
#include "rules/verdict.h"

static_assert((int)IPC_HITS_MAX <= (int)THRESHOLD_UNDO_MAX, "a batch can be undone");

int report_init(struct report *r, const struct settings *settings, struct store *store,
		const struct rulebook *rules, struct diag *ret_diag)
{
	*r = (struct report){
		.store = store,
		.rules = rules,
		.eve_mask = settings->eve.mask,
		.host = settings->host,
	};
	r->eve.fd = -1;
	int err = verdict_table_new(&r->threshold);
	if (err != 0) {
		diag_set(ret_diag, NULL, 0, 0, "cannot make the table of thresholds: %s",
			 strerror(-err));
		return err;
	}
	return evefile_open(&r->eve, settings->eve.file, ret_diag);
}

void report_done(struct report *r)
{
	evefile_close(&r->eve);
	free(r->lines);
	free(r->threshold);
	r->lines = NULL;
	r->threshold = NULL;
}

static bool wanted(const struct report *r, unsigned int kind)
{
	return r->eve.fd >= 0 && (r->eve_mask >> kind & 1) != 0;
}

// Room for one more line behind len bytes. false: out of memory.
static bool reserve(struct report *r, size_t len)
{
	if (r->lines_size - len >= EVE_LINE_MAX + 1)
		return true;
	size_t size = (len + EVE_LINE_MAX + 1) * 2;
	char *p = realloc(r->lines, size);
	if (p == NULL)
		return false;
	r->lines = p;
	r->lines_size = size;
	return true;
}

static struct eve_context context(const struct report *r)
{
	return (struct eve_context){.host = r->host};
}

// What became of a batch.
struct outcome {
	uint32_t new, suppressed;
	size_t len; // of r->lines
};

// Append the line of a new hit. 0 or -ENOMEM.
static int add_line(struct report *r, const struct hit *hit, const struct rulebook_entry *e,
		    size_t *io_len)
{
	struct eve_context ctx = context(r);

	ctx.bundle = e->bundle;
	ctx.serial = e->serial;
	if (!reserve(r, *io_len))
		return -ENOMEM;
	size_t one = eve_alert(r->lines + *io_len, EVE_LINE_MAX, hit, &e->texts, &ctx);
	if (one == 0) {
		r->eve.dropped++;
		return 0;
	}
	*io_len += one;
	r->lines[(*io_len)++] = '\n';
	return 0;
}

// Insert the hits; append the lines of the new ones to r->lines. 0 or negative errno.
static int insert(struct report *r, const struct ipc_hits *batch, const struct hit *hits,
		  struct outcome *o)
{
	const uint64_t stored = store_cursor(r->store, batch->boot_id, batch->worker);
	int err = store_losses(r->store, batch, hits);

	for (uint32_t i = 0; i < batch->n && err >= 0; i++) {
		if (hits[i].seq <= stored) // sent again: not to be counted again either
			continue;
		struct rulebook_entry e = rulebook_find(r->rules, &hits[i]);
		struct store_rule rule = {
			e.texts.msg,      e.texts.classtype, e.texts.reference,
			e.texts.metadata, e.bundle,          e.serial,
		};

		if (verdict_of(e.image, &e.threshold, r->threshold, batch->boot_id, &hits[i]) ==
		    THRESHOLD_SUPPRESS) {
			err = store_suppress(r->store, batch->boot_id, batch->worker, &hits[i]);
			o->suppressed += err == 1;
			continue;
		}
		err = store_hit(r->store, batch->boot_id, batch->worker, &hits[i], &rule);
		if (err != 1)
			continue;
		o->new ++;
		if (wanted(r, SETTINGS_EVE_ALERT))
			err = add_line(r, &hits[i], &e, &o->len);
	}
	return err < 0 ? err : 0;
}

// Take back a batch. A commit that failed may have been carried out all the same: then what it counted stays.
static void take_back(struct report *r, const struct ipc_hits *batch, const struct hit *hits)
{
	store_rollback(r->store);
	if (batch->n > 0 &&
	    store_cursor(r->store, batch->boot_id, batch->worker) >= hits[batch->n - 1].seq)
		threshold_commit(r->threshold);
	else
		threshold_rollback(r->threshold);
}

int report_hits(struct report *r, const struct ipc_hits *batch, const struct hit *hits,
		uint32_t *ret_new, struct diag *ret_diag)
{
	struct outcome o = {0};
	int err;

	err = store_begin(r->store);
	if (err != 0)
		goto store_says;
	threshold_begin(r->threshold);
	err = insert(r, batch, hits, &o);
	if (err != 0)
		goto rollback;
	err = evefile_append(&r->eve, r->lines, o.len, o.new, true);
	if (err != 0) {
		take_back(r, batch, hits);
		diag_set(ret_diag, r->eve.path, 0, 0, "cannot write: %s", strerror(-err));
		return err;
	}
	err = store_commit(r->store);
	if (err != 0)
		goto rollback;
	threshold_commit(r->threshold);
	r->hits += o.new;
	r->suppressed += o.suppressed;
	r->duplicates += batch->n - o.new - o.suppressed;
	*ret_new = o.new;
	return 0;

rollback:
	take_back(r, batch, hits);
store_says:
	diag_set(ret_diag, "hit database", 0, 0, "cannot write: %s", store_error(r->store));
	return err;
}

// Transactions with hits go to the store too, so that the hit shows host and URL.
static void store_transactions(struct report *r, const uint8_t boot_id[16],
			       const struct ipc_events *batch, const struct event *events)
{
	bool open = false;
	int err = 0;

	for (uint32_t i = 0; i < batch->n && err == 0; i++) {
		if (events[i].type != EVENT_HTTP || (events[i].flags & EVENT_HAS_HIT) == 0)
			continue;
		if (!open)
			err = store_begin(r->store);
		open = err == 0;
		if (open)
			err = store_http(r->store, boot_id, &events[i]);
	}
	if (open && err == 0)
		err = store_commit(r->store);
	if (err != 0) {
		store_rollback(r->store);
		r->http_failed++;
	}
}

void report_events(struct report *r, const uint8_t boot_id[16], const struct ipc_events *batch,
		   const struct event *events)
{
	struct eve_context ctx = context(r);
	size_t len = 0;
	uint64_t n = 0;

	store_transactions(r, boot_id, batch, events);
	for (uint32_t i = 0; i < batch->n; i++) {
		if (events[i].type >= EVENT_N || !wanted(r, events[i].type))
			continue;
		size_t one = reserve(r, len)
				     ? eve_event(r->lines + len, EVE_LINE_MAX, &events[i], &ctx)
				     : 0;
		if (one == 0) {
			r->eve.dropped++;
			continue;
		}
		len += one;
		r->lines[len++] = '\n';
		n++;
	}
	if (evefile_append(&r->eve, r->lines, len, n, false) != 0)
		r->eve.dropped += n;
}

// One line that is in r->lines already.
static void append_line(struct report *r, size_t len)
{
	if (len == 0) {
		r->eve.dropped++;
		return;
	}
	r->lines[len++] = '\n';
	if (evefile_append(&r->eve, r->lines, len, 1, false) != 0)
		r->eve.dropped++;
}

void report_stats(struct report *r, uint64_t uptime_s, const struct counters *counters)
{
	struct eve_context ctx = context(r);

	if (!wanted(r, SETTINGS_EVE_STATS) || !reserve(r, 0))
		return;
	append_line(r, eve_stats(r->lines, EVE_LINE_MAX, loop_wall_ns(), uptime_s, counters, &ctx));
}

void report_engine(struct report *r, const char *message, const char *const *pairs)
{
	static const char *const none[] = {NULL};
	struct eve_context ctx = context(r);

	if (!wanted(r, SETTINGS_EVE_ENGINE) || !reserve(r, 0))
		return;
	append_line(r, eve_engine(r->lines, EVE_LINE_MAX, loop_wall_ns(), message,
				  pairs != NULL ? pairs : none, &ctx));
}

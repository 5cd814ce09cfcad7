// SPDX-License-Identifier: BSD-2-Clause
// Hits and events to the store, and from there to the sinks.
//
// Everything that arrives in one go is one transaction of the store: hits, what they lost, what is known of their
// transactions. Only when it is committed the caller acknowledges, and only then the sinks (sink.c) get to see it.
//
// Of a hit that is new it is asked before whether it is to be reported (rules/verdict.h). The windows of the thresholds are in
// memory and change with the transaction: a batch that is tried again is not counted twice. They begin anew when
// wireglassd starts.
#include "control/report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/loop.h"
#include "rules/verdict.h"

static_assert((int)REPORT_BATCHES * (int)IPC_HITS_MAX <= (int)THRESHOLD_UNDO_MAX,
	      "all of it can be undone");

int report_init(struct report *r, const struct settings *settings, struct store *store,
		struct loop *loop, const struct rulebook *rules, struct diag *ret_diag)
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
	err = privacy_open(&r->privacy, (enum privacy_mode)settings->client_address,
			   settings->state_dir, ret_diag);
	if (err != 0)
		return err;
	err = evefile_open(&r->eve, settings->eve.file, ret_diag);
	return err != 0 ? err : sinks_init(&r->sinks, settings, store, loop, &r->eve, ret_diag);
}

void report_done(struct report *r)
{
	sinks_done(&r->sinks);
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

// Begin what arrives in one go, unless it has begun. 0 or negative errno.
static int begin(struct report *r)
{
	if (r->group.open)
		return 0;
	int err = store_begin(r->store);
	if (err != 0)
		return err;
	threshold_begin(r->threshold);
	r->group = (struct report_group){.open = true};
	return 0;
}

static int insert(struct report *r, const struct ipc_hits *batch, const struct hit *hits)
{
	const uint64_t stored = store_cursor(r->store, batch->boot_id, batch->worker);
	struct report_group *g = &r->group;
	int err = store_losses(r->store, batch, hits);

	for (uint32_t i = 0; i < batch->n && err >= 0; i++) {
		if (hits[i].seq <= stored) { // sent again: not to be counted again either
			g->duplicates++;
			continue;
		}
		struct rulebook_entry e = rulebook_find(r->rules, &hits[i]);
		struct store_rule rule = {
			e.texts.msg,      e.texts.classtype, e.texts.reference,
			e.texts.metadata, e.bundle,          e.serial,
		};

		if (verdict_of(e.image, &e.threshold, r->threshold, batch->boot_id, &hits[i]) ==
		    THRESHOLD_SUPPRESS) {
			err = store_suppress(r->store, batch->boot_id, batch->worker, &hits[i]);
			g->suppressed += err == 1;
			continue;
		}
		struct hit kept = hits[i];
		privacy_hide_client(&r->privacy, &kept.addr);
		err = store_hit(r->store, batch->boot_id, batch->worker, &kept, &rule);
		g->new += err == 1;
	}
	return err < 0 ? err : 0;
}

// Take all of it back. A commit that failed may have been carried out all the same: then what it counted stays.
static void take_back(struct report *r)
{
	struct report_group *g = &r->group;

	store_rollback(r->store);
	if (g->last_seq != 0 && store_cursor(r->store, g->boot_id, g->worker) >= g->last_seq)
		threshold_commit(r->threshold);
	else
		threshold_rollback(r->threshold);
	g->open = false;
}

static int failed(struct report *r, int err, struct diag *ret_diag)
{
	diag_set(ret_diag, "hit database", 0, 0, "cannot write: %s", store_error(r->store));
	if (r->group.open)
		take_back(r);
	return err;
}

int report_hits(struct report *r, const struct ipc_hits *batch, const struct hit *hits,
		struct diag *ret_diag)
{
	struct report_group *g = &r->group;
	int err = begin(r);

	if (err == 0)
		err = g->error != 0 ? g->error : insert(r, batch, hits);
	if (err != 0)
		return failed(r, err, ret_diag);
	if (g->last_seq == 0 && batch->n > 0) {
		memcpy(g->boot_id, batch->boot_id, sizeof(g->boot_id));
		g->worker = batch->worker;
		g->last_seq = hits[batch->n - 1].seq;
	}
	g->batches++;
	return 0;
}

int report_commit(struct report *r, uint64_t *ret_new, struct diag *ret_diag)
{
	struct report_group *g = &r->group;
	int err = g->error;

	*ret_new = 0;
	if (!g->open)
		return 0;
	if (err == 0)
		err = store_commit(r->store);
	if (err != 0 && g->batches == 0) { // only what is known of transactions: best effort
		take_back(r);
		r->http_failed++;
		return 0;
	}
	if (err != 0)
		return failed(r, err, ret_diag);
	threshold_commit(r->threshold);
	r->hits += g->new;
	r->suppressed += g->suppressed;
	r->duplicates += g->duplicates;
	*ret_new = g->new;
	g->open = false;
	return 0;
}

void report_pump(struct report *r)
{
	sinks_pump(&r->sinks);
}

// Transactions with hits go to the store too, so that the hit shows host and URL.
static void store_transactions(struct report *r, const uint8_t boot_id[16],
			       const struct ipc_events *batch, const struct event *events)
{
	struct report_group *g = &r->group;

	for (uint32_t i = 0; i < batch->n; i++) {
		if (events[i].type != EVENT_HTTP || (events[i].flags & EVENT_HAS_HIT) == 0)
			continue;
		if (begin(r) != 0) {
			r->http_failed++;
			return;
		}
		if (g->error == 0)
			g->error = store_http(r->store, boot_id, &events[i]);
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
		struct event kept = events[i];
		privacy_hide_client(&r->privacy, &kept.addr);
		size_t one =
			reserve(r, len) ? eve_event(r->lines + len, EVE_LINE_MAX, &kept, &ctx) : 0;
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

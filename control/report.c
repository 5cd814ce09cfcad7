// SPDX-License-Identifier: BSD-2-Clause
// Hits and events to store and EVE.
//
// Order of a batch of hits: rows are inserted (which tells the new ones from those sent again), the lines of the new
// ones are appended to the EVE file and synced, the transaction is committed, and only then the caller acknowledges.
// A crash between the two may therefore repeat an EVE line, never a row, and never loses either.
#include "control/report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/loop.h"

int report_init(struct report *r, const struct settings *settings, struct store *store,
		const struct rulebook *rules, struct diag *ret_diag)
{
	*r = (struct report){
		.store = store,
		.rules = rules,
		.eve_mask = settings->eve.mask,
		.host = settings->host,
	};
	return evefile_open(&r->eve, settings->eve.file, ret_diag);
}

void report_done(struct report *r)
{
	evefile_close(&r->eve);
	free(r->lines);
	r->lines = NULL;
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

// Insert the hits; append the lines of the new ones to r->lines. Their number, or negative errno.
static int insert(struct report *r, const struct ipc_hits *batch, const struct hit *hits,
		  size_t *ret_len)
{
	size_t len = 0;
	int new = 0, err;

	err = store_losses(r->store, batch, hits);
	for (uint32_t i = 0; i < batch->n && err >= 0; i++) {
		struct rulebook_entry e = rulebook_find(r->rules, &hits[i]);
		struct store_rule rule = {e.texts.msg, e.texts.classtype, e.serial};

		err = store_hit(r->store, batch->boot_id, batch->worker, &hits[i], &rule);
		if (err != 1)
			continue;
		new ++;
		if (!wanted(r, SETTINGS_EVE_ALERT))
			continue;
		struct eve_context ctx = context(r);
		ctx.bundle = e.bundle;
		ctx.serial = e.serial;
		if (!reserve(r, len))
			return -ENOMEM;
		size_t one = eve_alert(r->lines + len, EVE_LINE_MAX, &hits[i], &e.texts, &ctx);
		if (one == 0) {
			r->eve.dropped++;
			continue;
		}
		len += one;
		r->lines[len++] = '\n';
	}
	*ret_len = len;
	return err < 0 ? err : new;
}

int report_hits(struct report *r, const struct ipc_hits *batch, const struct hit *hits,
		uint32_t *ret_new, struct diag *ret_diag)
{
	size_t len = 0;
	int new, err;

	err = store_begin(r->store);
	if (err != 0)
		goto store_says;
	new = insert(r, batch, hits, &len);
	if (new < 0) {
		err = new;
		goto rollback;
	}
	err = evefile_append(&r->eve, r->lines, len, (uint64_t) new, true);
	if (err != 0) {
		store_rollback(r->store);
		diag_set(ret_diag, r->eve.path, 0, 0, "cannot write: %s", strerror(-err));
		return err;
	}
	err = store_commit(r->store);
	if (err != 0)
		goto rollback;
	r->hits += (uint32_t) new;
	r->duplicates += batch->n - (uint32_t) new;
	*ret_new = (uint32_t) new;
	return 0;

rollback:
	store_rollback(r->store);
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

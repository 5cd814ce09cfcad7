// SPDX-License-Identifier: BSD-2-Clause
// Stored hits for the admin socket: a request's conditions, rows as JSON, and the work of the desk.
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "control/admin.h"
#include "control/daemon.h"
#include "control/text.h"

#define INT(x) ((json_int_t)(x))

// A prefix of the request. false with ret_why.
static bool prefix_of(const char *text, struct prefix *prefix, const struct prefix **ret_prefix,
		      char *ret_why, size_t size)
{
	if (text[0] == '\0')
		return true;
	if (prefix_parse(text, prefix) != 0) {
		snprintf(ret_why, size, "\"%.64s\" is neither an address nor a prefix", text);
		return false;
	}
	*ret_prefix = prefix;
	return true;
}

int admin_hits_query(const struct privacy *privacy, const struct ipc_admin_req *req,
		     struct admin_query *q, char *ret_why, size_t size)
{
	struct store_filter *f = &q->filter;

	*q = (struct admin_query){
		.filter = {
			.since = req->since,
			.before = req->before,
			.from_ns = req->from_ns,
			.to_ns = req->to_ns,
			.sid = req->sid,
			.limit = req->limit == 0 ? 100 : req->limit,
			.states = req->states,
			.host = req->host,
			.newest = req->since == 0 && (req->flags & IPC_ADMIN_OLDEST) == 0,
		}};
	if (f->limit > ADMIN_LIST_MAX)
		f->limit = ADMIN_LIST_MAX;
	if (req->text[0] != '\0') {
		if (prefix_parse(req->text, &q->either) == 0)
			f->either = &q->either;
		else
			f->host = req->text;
	}
	if (!prefix_of(req->client, &q->client, &f->client, ret_why, size) ||
	    !prefix_of(req->server, &q->server, &f->server, ret_why, size))
		return -EINVAL;
	// Whoever knows the address finds its hits; of a prefix no hash can be made. A hash itself is taken as it is.
	if (f->client != NULL && prefix_is_one(&q->client) && q->client.lo[0] != 0xfd) {
		privacy_hide(privacy, q->client.lo);
		memcpy(q->client.hi, q->client.lo, sizeof(q->client.hi));
	}
	return 0;
}

static json_t *hit_flags(uint16_t flags)
{
	static const struct {
		uint16_t bit;
		const char *name;
	} names[] = {
		{HIT_GAP, "gap"},
		{HIT_MIDSTREAM, "midstream"},
		{HIT_WINDOW_SHORT, "window_short"},
		{HIT_TRUNCATED, "truncated"},
		{HIT_ONEWAY, "oneway"},
		{HIT_AMBIGUOUS, "ambiguous"},
	};
	json_t *list = json_array();

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if ((flags & names[i].bit) != 0)
			json_array_append_new(list, json_string(names[i].name));
	return list;
}

json_t *admin_hit(const struct store_row *row)
{
	const struct hit *h = &row->hit;
	const struct store_rule *r = &row->rule;
	bool request = h->addr.dir == DIR_TO_SERVER;
	const struct buffer_info *buffer = buffer_info(h->buffer);
	json_t *vlan = json_array();
	char when[40];

	for (int i = 0; i < 2; i++)
		if (h->addr.vlan[i] != 0)
			json_array_append_new(vlan, json_integer(h->addr.vlan[i]));
	json_t *hit = json_pack(
		"{s:I, s:s, s:s, s:s, s:I, s:I, s:I, s:s, s:s, s:I, s:s, s:I, s:s, s:I, s:s, s:o}",
		"id", INT(row->id), "time", text_time(when, sizeof(when), h->ts_ns), "state",
		store_state_name(row->state), "verdict", store_verdict_name(row->verdict), "sid",
		INT(h->sid), "gid", INT(h->gid), "rev", INT(h->rev), "msg", r->msg, "classtype",
		r->classtype, "priority", INT(h->priority), "client_ip",
		request ? row->src : row->dst, "client_port",
		INT(request ? h->addr.src_port : h->addr.dst_port), "server_ip",
		request ? row->dst : row->src, "server_port",
		INT(request ? h->addr.dst_port : h->addr.src_port), "direction",
		request ? "to_server" : "to_client", "vlan", vlan);
	json_t *more = json_pack(
		"{s:s, s:I, s:o, s:s, s:I, s:I, s:s, s:I, s:I, s:I, s:I, s:s, s:s, s:s, s:I, s:s, "
		"s:s, s:s}",
		"buffer", buffer != NULL ? buffer->keyword : "", "offset", INT(h->offset_bytes),
		"flags", hit_flags(h->flags), "app", eve_app_name(h->app), "flow_id",
		INT(h->flow_id), "tx_id", INT(h->tx_id), "boot_id", row->boot, "worker",
		INT(h->addr.worker), "seq", INT(h->seq), "generation", INT(h->generation), "serial",
		INT(r->serial), "method", row->method, "host", row->host, "url", row->url, "status",
		INT(row->status), "bundle", r->bundle, "metadata", r->metadata, "reference",
		r->reference);

	if (hit == NULL || more == NULL || json_object_update(hit, more) != 0) {
		json_decref(hit);
		hit = NULL;
	}
	json_decref(more);
	return hit;
}

static json_t *failed(struct daemon *d, int err, int *ret_error)
{
	*ret_error = err;
	return json_pack("{s:s, s:s}", "error", store_error(d->store), "code", "store");
}

static json_t *bad_request(const char *why, int *ret_error)
{
	*ret_error = -EINVAL;
	return json_pack("{s:s, s:s}", "error", why, "code", "usage");
}

static void add_row(void *ctx, const struct store_row *row)
{
	json_array_append_new(ctx, admin_hit(row));
}

json_t *admin_hits_list(struct daemon *d, const struct ipc_admin_req *req, int *ret_error)
{
	struct store_totals totals;
	struct admin_query q;
	char why[128];

	if (admin_hits_query(&d->report.privacy, req, &q, why, sizeof(why)) != 0)
		return bad_request(why, ret_error);
	json_t *rows = json_array();
	int n = store_list(d->store, &q.filter, add_row, rows);
	if (n < 0) {
		json_decref(rows);
		return failed(d, n, ret_error);
	}
	store_totals(d->store, &totals);
	return json_pack("{s:o, s:I, s:I, s:I}", "hits", rows, "total", INT(totals.hits), "last_id",
			 INT(totals.last_id), "lost", INT(totals.lost));
}

static void add_work(void *ctx, const struct store_work *w)
{
	char when[40];

	json_array_append_new(ctx, json_pack("{s:s, s:s, s:s, s:I, s:s}", "time",
					     text_time(when, sizeof(when), w->ts_ns), "state",
					     store_state_name(w->state), "verdict",
					     store_verdict_name(w->verdict), "uid", INT(w->uid),
					     "note", w->note));
}

json_t *admin_hits_show(struct daemon *d, const struct ipc_admin_req *req, int *ret_error)
{
	json_t *rows = json_array(), *hit = NULL;
	char text[128];
	int n = store_get(d->store, req->since, add_row, rows);

	if (n == 1) {
		json_t *desk = json_array();
		hit = json_incref(json_array_get(rows, 0));
		n = store_work_of(d->store, req->since, add_work, desk);
		json_object_set_new(hit, "desk", desk);
	} else if (n == 0) {
		snprintf(text, sizeof(text), "there is no hit %llu (see \"wireglass hits list\")",
			 (unsigned long long)req->since);
		*ret_error = -ENOENT;
		hit = json_pack("{s:s, s:s}", "error", text, "code", "not-found");
	}
	json_decref(rows);
	if (n < 0) {
		json_decref(hit);
		return failed(d, n, ret_error);
	}
	return hit;
}

// Only hits in another state change: what is closed stays closed with its verdict until it is opened again.
static uint32_t states_before(enum store_state becomes)
{
	static const uint32_t before[STORE_STATE_N] = {
		[STORE_OPEN] = 1u << STORE_ACKED | 1u << STORE_CLOSED,
		[STORE_ACKED] = 1u << STORE_OPEN,
		[STORE_CLOSED] = 1u << STORE_OPEN | 1u << STORE_ACKED,
	};

	return before[becomes];
}

json_t *admin_hits_work(struct daemon *d, const struct ipc_admin_req *req, uint32_t uid,
			int *ret_error)
{
	const struct store_work work = {
		.ts_ns = loop_wall_ns(),
		.state = (enum store_state)req->state,
		.verdict = (enum store_verdict)req->verdict,
		.uid = uid,
		.note = req->note,
	};
	struct admin_query q;
	char why[128];
	int n = 0;

	if (req->state >= STORE_STATE_N || req->verdict >= STORE_VERDICT_N ||
	    (req->state != STORE_CLOSED && req->verdict != STORE_VERDICT_NONE))
		return bad_request("only a hit that is closed has a verdict", ret_error);
	if (admin_hits_query(&d->report.privacy, req, &q, why, sizeof(why)) != 0)
		return bad_request(why, ret_error);
	q.filter.newest = false;
	q.filter.states = states_before(work.state) & (req->states != 0 ? req->states : UINT32_MAX);
	if (q.filter.states != 0) {
		n = store_begin(d->store);
		if (n == 0)
			n = store_work(d->store, &q.filter, &work);
		if (n >= 0) {
			int err = store_commit(d->store);
			n = err != 0 ? err : n;
		}
	}
	if (n < 0) {
		json_t *error = failed(d, n, ret_error);
		store_rollback(d->store);
		return error;
	}
	return json_pack("{s:I, s:s, s:s}", "changed", INT(n), "state",
			 store_state_name(work.state), "verdict", store_verdict_name(work.verdict));
}

static void add_count(void *ctx, const struct store_rule_count *r)
{
	json_array_append_new(ctx, json_pack("{s:I, s:I, s:s, s:s, s:I, s:I, s:I, s:I, s:I}", "sid",
					     INT(r->sid), "gid", INT(r->gid), "msg", r->msg,
					     "metadata", r->metadata, "hits", INT(r->hits), "open",
					     INT(r->open), "acked", INT(r->acked), "true",
					     INT(r->is_true), "false", INT(r->is_false)));
}

json_t *admin_report(struct daemon *d, const struct ipc_admin_req *req, int *ret_error)
{
	json_t *rules = json_array(), *coverage = json_array();
	struct store_ledger ledger;
	int err;

	daemon_save_coverage(d);
	err = store_rule_counts(d->store, req->from_ns, req->to_ns, add_count, rules);

	if (err >= 0)
		err = store_ledger_sum(d->store, req->from_ns, req->to_ns, &ledger);
	if (err < 0) {
		json_decref(rules);
		json_decref(coverage);
		return failed(d, err, ret_error);
	}
	for (unsigned int i = 0; i < COVERAGE_N; i++)
		json_array_append_new(
			coverage, json_pack("{s:s, s:I, s:I}", "name", coverage_name(i), "bytes",
					    INT(ledger.bytes[i]), "flows", INT(ledger.flows[i])));
	return json_pack("{s:o, s:o}", "rules", rules, "coverage", coverage);
}

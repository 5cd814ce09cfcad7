// SPDX-License-Identifier: BSD-2-Clause
// Answers of the admin socket as JSON. Field names are a contract with scripts: see docs/CONTROL.md.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/coverage.h"
#include "control/admin.h"
#include "control/daemon.h"
#include "control/text.h"

#define INT(x) ((json_int_t)(x))

static json_t *time_of(uint64_t ns)
{
	char buf[40];

	return ns == 0 ? json_null() : json_string(text_time(buf, sizeof(buf), ns));
}

static json_t *show_dataplane(const struct dpclient *c)
{
	bool up = c->state == DPCLIENT_UP;
	char boot[33];

	return json_pack(
		"{s:b, s:o, s:o, s:s, s:o, s:I, s:I, s:I, s:I, s:o, s:s, s:b}", "connected", up,
		"socket", text_json(c->path), "problem", text_json(up ? "" : c->error), "boot_id",
		text_hex(boot, c->hello.boot_id, 16), "version", text_json(c->hello.version), "pid",
		INT(c->hello.pid), "workers", INT(c->hello.workers), "ports", INT(c->hello.ports),
		"connections", INT(c->connections), "started", time_of(c->hello.start_ns), "mode",
		c->hello.inline_mode ? "inline" : "tap", "finished", c->hello.finished != 0);
}

static json_t *show_trial(const struct deploy_canary *c)
{
	uint64_t passed_s = (loop_now_ns() - c->begun_ns) / 1000000000u;

	if (c->back == 0)
		return json_null();
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:b}", "serial", INT(c->serial),
			 "back", INT(c->back), "seconds_left",
			 INT(passed_s < c->trial.seconds ? c->trial.seconds - passed_s : 0), "hits",
			 INT(c->hits), "max_hits_per_second", INT(c->trial.max_hits_per_s),
			 "busy_percent", INT(c->busy_percent), "max_busy_percent",
			 INT(c->trial.max_busy_percent), "failed", c->failed);
}

static json_t *show_deploy(struct daemon *d)
{
	const struct deploy *p = &d->deploy;
	const struct rule_image *live = p->live;
	char digest[65] = "";

	if (live != NULL)
		text_hex(digest, live->image->digest, 32);
	return json_pack(
		"{s:s, s:b, s:o, s:o, s:b, s:s, s:I, s:I, s:I, s:I, s:o, s:s, s:I, s:I, s:o, s:o}",
		"deployment", deploy_names[deploy_state(p)], "in_progress", deploy_running(p),
		"problem", text_json(p->error), "warning", text_json(p->warning), "live",
		live != NULL && p->confirmed, "bundle", live != NULL ? live->id : "", "serial",
		INT(live != NULL ? live->serial : 0), "rules", INT(live != NULL ? live->rules : 0),
		"image_bytes", INT(live != NULL ? live->bytes : 0), "generation",
		INT(p->generation), "since", time_of(live != NULL ? p->live_since_ns : 0),
		"image_digest", digest, "load_ms", INT(p->load_ns / 1000000), "expired",
		INT(live != NULL ? live->expired : 0), "next_expiry",
		time_of(live != NULL ? (uint64_t)live->next_expiry_s * 1000000000u : 0), "trial",
		show_trial(&p->canary));
}

static json_t *show_hits(struct daemon *d)
{
	struct store_totals t;

	store_totals(d->store, &t);
	const struct threshold_totals windows = threshold_totals(d->report.threshold);
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:b, s:o, s:o, s:I, s:I}",
			 "stored", INT(t.hits), "last_id", INT(t.last_id), "lost", INT(t.lost),
			 "suppressed", INT(t.suppressed), "since_start", INT(d->report.hits),
			 "suppressed_since_start", INT(d->report.suppressed), "windows_evicted",
			 INT(windows.evicted), "sent_again", INT(d->report.duplicates), "bytes",
			 INT(t.bytes), "paused", d->pause.on, "problem", text_json(d->pause.reason),
			 "paused_since", time_of(d->pause.on ? d->pause.since_ns : 0), "pauses",
			 INT(d->pause.times), "without_http", INT(d->report.http_failed));
}

// What the kernel says; landlock -1: not known.
static json_t *show_seen(const struct sandbox_seen *seen, int landlock)
{
	if (!seen->known)
		return json_null();
	return json_pack("{s:b, s:b, s:b, s:o}", "no_capabilities", seen->no_capabilities,
			 "no_new_privs", seen->no_new_privs, "seccomp", seen->seccomp, "landlock",
			 landlock < 0 ? json_null() : json_integer(landlock));
}

static json_t *show_sandbox(const struct daemon *d)
{
	struct sandbox_seen control, dataplane = {0};

	sandbox_look(getpid(), &control);
	if (d->dp.state == DPCLIENT_UP)
		sandbox_look((int)d->dp.hello.pid, &dataplane);
	return json_pack("{s:o, s:o, s:o, s:o}", "control",
			 show_seen(&control, d->sandbox.landlock_abi), "dataplane",
			 show_seen(&dataplane, d->dp.hello.landlock), "compiler",
			 show_seen(&d->deploy.build.seen, d->sandbox.landlock_abi), "problem",
			 text_json(d->sandbox.problem));
}

static json_t *show_audit(const struct audit *a)
{
	return json_pack("{s:o, s:I, s:s, s:I, s:o}", "file", text_json(a->path), "entries",
			 INT(a->n), "hash", a->hash, "failures", INT(a->failures), "problem",
			 text_json(a->error));
}

static json_t *show_sinks(const struct sinks *k)
{
	json_t *list = json_array();

	for (int i = 0; i < SINK_N; i++) {
		const struct sink *s = &k->v[i];
		if (!s->on)
			continue;
		json_array_append_new(list,
				      json_pack("{s:s, s:o, s:I, s:I, s:I, s:I, s:I, s:o}", "name",
						s->saved.name, "path", text_json(s->path), "lines",
						INT(s->lines), "last_id", INT(s->cursor), "pending",
						INT(sinks_pending(k, s)), "missed",
						INT(s->saved.missed), "failures", INT(s->failures),
						"problem", text_json(s->error)));
	}
	return list;
}

json_t *admin_show_status(struct daemon *d)
{
	const struct evefile *eve = &d->report.eve;
	json_t *file = json_pack("{s:o, s:I, s:I, s:I, s:s}", "file", text_json(eve->path), "lines",
				 INT(eve->lines), "dropped", INT(eve->dropped), "failures",
				 INT(eve->failures), "problem",
				 eve->error != 0 ? strerror(-eve->error) : "");

	return json_pack("{s:s, s:I, s:o, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
			 "version", WIREGLASS_VERSION, "pid", INT(getpid()), "started",
			 time_of(d->start_ns), "uptime_s",
			 INT((loop_now_ns() - d->start_steady_ns) / 1000000000u), "host",
			 text_json(d->settings.host), "socket", text_json(d->settings.socket),
			 "state_dir", text_json(d->settings.state_dir), "dataplane",
			 show_dataplane(&d->dp), "rules", show_deploy(d), "hits", show_hits(d),
			 "eve", file, "sinks", show_sinks(&d->report.sinks), "audit",
			 show_audit(&d->audit), "sandbox", show_sandbox(d));
}

json_t *admin_show_stats(struct daemon *d)
{
	struct counters sum;
	json_t *values = json_object();
	uint64_t newest = 0;

	dpclient_counters(&d->dp, &sum);
	for (unsigned int i = 0; i < COUNTER_N; i++)
		json_object_set_new(values, counter_info(i)->name, json_integer(INT(sum.v[i])));
	for (unsigned int w = 0; w < IPC_WORKERS_MAX; w++)
		if (d->dp.has_stats[w] && d->dp.stats[w].ts_ns > newest)
			newest = d->dp.stats[w].ts_ns;
	return json_pack("{s:b, s:o, s:o}", "connected", d->dp.state == DPCLIENT_UP, "time",
			 time_of(newest), "counters", values);
}

json_t *admin_show_coverage(struct daemon *d)
{
	struct counters sum;
	struct coverage c;
	json_t *rows = json_array();

	dpclient_counters(&d->dp, &sum);
	coverage_of(&sum, &c);
	for (unsigned int i = 0; i < COVERAGE_N; i++)
		json_array_append_new(rows,
				      json_pack("{s:s, s:I, s:I, s:s}", "name", coverage_name(i),
						"bytes", INT(c.bytes[i]), "flows", INT(c.flows[i]),
						"meaning", coverage_text(i)));
	return json_pack("{s:b, s:o, s:o, s:I, s:I, s:I, s:b}", "connected",
			 d->dp.state == DPCLIENT_UP, "since", time_of(d->dp.hello.start_ns), "rows",
			 rows, "bytes_seen", INT(c.bytes_seen), "flows_seen", INT(c.flows_seen),
			 "missing_bytes", INT(c.missing_bytes), "exact", coverage_is_exact(&sum));
}

json_t *admin_show_ports(struct daemon *d)
{
	json_t *ports = json_array();

	for (uint32_t i = 0; i < d->dp.n_ports; i++) {
		const struct ipc_port *p = &d->dp.ports[i];
		json_array_append_new(
			ports,
			json_pack("{s:I, s:o, s:o, s:b, s:I, s:o, s:I, s:I, s:I, s:I, s:I, s:I, "
				  "s:I, s:I, s:I, s:I, s:o}",
				  "port", INT(i), "name", text_json(p->name), "driver",
				  text_json(p->driver), "link", p->link_up != 0, "speed_mbps",
				  INT(p->speed_mbps), "peer",
				  p->peer == 255 ? json_null() : json_integer(p->peer),
				  "rx_packets", INT(p->rx_pkts), "rx_bytes", INT(p->rx_bytes),
				  "rx_missed", INT(p->rx_missed), "rx_errors", INT(p->rx_errors),
				  "rx_nombuf", INT(p->rx_nombuf), "tx_packets", INT(p->tx_pkts),
				  "tx_bytes", INT(p->tx_bytes), "tx_errors", INT(p->tx_errors),
				  "rx_queues", INT(p->rx_queues), "tx_queues", INT(p->tx_queues),
				  "kernel_drops",
				  p->kernel_drops == UINT64_MAX
					  ? json_null()
					  : json_integer(INT(p->kernel_drops))));
	}
	return json_pack("{s:b, s:o}", "connected", d->dp.state == DPCLIENT_UP, "ports", ports);
}

json_t *admin_show_workers(struct daemon *d)
{
	json_t *workers = json_array();

	for (unsigned int w = 0; w < IPC_WORKERS_MAX; w++) {
		const struct ipc_stats *s = &d->dp.stats[w];
		if (!d->dp.has_stats[w])
			continue;
		uint64_t total = s->busy_ns + s->idle_ns;
		json_array_append_new(
			workers,
			json_pack(
				"{s:I, s:I, s:o, s:I, s:I, s:I, s:f, s:I, s:I, s:I, s:I, s:I, s:I}",
				"worker", INT(w), "generation", INT(s->generation), "time",
				time_of(s->ts_ns), "silent_s",
				INT((loop_now_ns() - d->dp.moved_ns[w]) / 1000000000u), "busy_ns",
				INT(s->busy_ns), "idle_ns", INT(s->idle_ns), "busy_percent",
				total != 0 ? 100.0 * (double)s->busy_ns / (double)total : 0.0,
				"objects", INT(s->objects), "packets",
				INT(s->counters.v[CNT_RX_PKTS]), "bytes",
				INT(s->counters.v[CNT_RX_BYTES]), "flows",
				INT(s->counters.v[CNT_FLOW_ACTIVE]), "transactions",
				INT(s->counters.v[CNT_HTTP_TRANSACTIONS]), "hits",
				INT(s->counters.v[CNT_HITS])));
	}
	return json_pack("{s:b, s:o}", "connected", d->dp.state == DPCLIENT_UP, "workers", workers);
}

struct suppressed_list {
	struct store_suppressed *v; // ascending
	size_t n, cap;
};

static int by_rule(const void *va, const void *vb)
{
	const struct store_suppressed *a = va, *b = vb;

	if (a->sid != b->sid)
		return a->sid < b->sid ? -1 : 1;
	return a->gid < b->gid ? -1 : a->gid > b->gid;
}

// Out of memory: the rule shows none.
static void add_suppressed(void *ctx, const struct store_suppressed *row)
{
	struct suppressed_list *l = ctx;

	if (l->n == l->cap) {
		size_t cap = l->cap == 0 ? 64 : 2 * l->cap;
		struct store_suppressed *v = realloc(l->v, cap * sizeof(*v));
		if (v == NULL)
			return;
		l->v = v;
		l->cap = cap;
	}
	l->v[l->n++] = *row;
}

static json_t *show_threshold(const struct threshold_params *p)
{
	if (p->type == THRESHOLD_NONE)
		return json_null();
	return json_pack("{s:s, s:s, s:I, s:I}", "type", threshold_type_name(p->type), "track",
			 threshold_track_name(p->track), "count", INT(p->count), "seconds",
			 INT(p->seconds));
}

static json_t *show_rule(const struct rule_image *live, const struct image_rule *r,
			 const struct suppressed_list *l)
{
	const struct store_suppressed key = {.sid = r->sid, .gid = r->gid}, *found = NULL;

	if (l->n > 0)
		found = bsearch(&key, l->v, l->n, sizeof(key), by_rule);
	return json_pack("{s:I, s:I, s:I, s:o, s:o, s:I, s:s, s:o, s:I, s:o}", "sid", INT(r->sid),
			 "gid", INT(r->gid), "rev", INT(r->rev), "msg",
			 text_json(image_string(live->image, r->msg)), "classtype",
			 text_json(image_string(live->image, r->classtype)), "priority",
			 INT(r->priority), "direction",
			 r->dirs == 3   ? "both"
			 : r->dirs == 2 ? "to_client"
					: "to_server",
			 "threshold", show_threshold(&r->threshold), "suppressed",
			 INT(found != NULL ? found->count : 0), "suppressed_last",
			 time_of(found != NULL ? found->last_ns : 0));
}

json_t *admin_show_rules(struct daemon *d)
{
	const struct rule_image *live = d->deploy.live;
	json_t *rules = json_array(), *reply = show_deploy(d);
	struct suppressed_list l = {0};

	store_suppressed(d->store, add_suppressed, &l);
	for (uint32_t i = 0; live != NULL && i < live->rules; i++)
		json_array_append_new(
			rules,
			show_rule(live, &IMAGE_AT(live->image, struct image_rule, IMAGE_RULES)[i],
				  &l));
	free(l.v);
	json_object_set_new(reply, "list", rules);
	return reply;
}

struct bundle_list {
	struct daemon *d;
	json_t *list;
};

static void add_bundle(void *ctx, const struct store_bundle *b)
{
	struct bundle_list *l = ctx;
	const struct deploy *d = &l->d->deploy;

	json_array_append_new(
		l->list,
		json_pack("{s:I, s:o, s:o, s:I, s:I, s:b}", "serial", INT(b->serial), "bundle",
			  text_json(b->id), "stored", time_of(b->stored_ns), "bytes", INT(b->bytes),
			  "rules", INT(b->rules), "live",
			  d->confirmed && d->live != NULL && d->live->serial == b->serial));
}

json_t *admin_rules_list(struct daemon *d)
{
	struct bundle_list l = {.d = d, .list = json_array()};

	store_bundles(d->store, add_bundle, &l);
	return json_pack("{s:o}", "bundles", l.list);
}

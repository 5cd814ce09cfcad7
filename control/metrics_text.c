// SPDX-License-Identifier: BSD-2-Clause
// Every counter of the table and what wireglassd knows besides, as Prometheus wants them named: the unit last, then _total if it
// only grows. Counters of the dataplane begin anew when it does, and stay as they were while it is away.
#include "control/metrics.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/coverage.h"
#include "control/daemon.h"

static const double ns = 1e-9;

enum {
	NAME_BYTES = 128,
	LABEL_BYTES = 256,
};

struct page {
	FILE *f;
	const char *name; // of the family that samples belong to
};

static void family(struct page *p, const char *name, const char *type, const char *help)
{
	p->name = name;
	fprintf(p->f, "# HELP wireglass_%s %s\n# TYPE wireglass_%s %s\n", name, help, name, type);
}

// labels: printf-formatted, "" for none.
__attribute__((format(printf, 3, 4))) static void sample(struct page *p, double v,
							 const char *labels, ...)
{
	char text[LABEL_BYTES];
	va_list ap;

	va_start(ap, labels);
	vsnprintf(text, sizeof(text), labels, ap);
	va_end(ap);
	fprintf(p->f, text[0] != '\0' ? "wireglass_%s{%s}" : "wireglass_%s", p->name, text);
	fprintf(p->f, v < 9007199254740992.0 && v == (double)(uint64_t)v ? " %.0f\n" : " %.9g\n",
		v);
}

// One without labels.
static void gauge(struct page *p, const char *name, double v, const char *help)
{
	family(p, name, "gauge", help);
	sample(p, v, "%s", "");
}

static void counter(struct page *p, const char *name, double v, const char *help)
{
	family(p, name, "counter", help);
	sample(p, v, "%s", "");
}

// A name from outside as a label's value.
static const char *value(char buf[LABEL_BYTES], const char *text)
{
	size_t n = 0;

	for (; *text != '\0' && n < LABEL_BYTES / 2; text++)
		buf[n++] = (char)(*text < 0x20 || *text > 0x7e || *text == '"' || *text == '\\'
					  ? '?'
					  : *text);
	buf[n] = '\0';
	return buf;
}

static void put_counters(struct page *p, const struct counters *sum)
{
	for (unsigned int i = 0; i < COUNTER_N; i++) {
		const struct counter_info *info = counter_info(i);
		char name[NAME_BYTES];

		snprintf(name, sizeof(name), "%s%s", info->name,
			 counter_is_level(i) ? "" : "_total");
		for (char *c = name; *c != '\0'; c++)
			if (*c == '.')
				*c = '_';
		if (counter_is_level(i))
			gauge(p, name, (double)sum->v[i], info->text);
		else
			counter(p, name, (double)sum->v[i], info->text);
	}
}

static void put_coverage(struct page *p, const struct counters *sum)
{
	struct coverage c;

	coverage_of(sum, &c);
	family(p, "coverage_bytes", "gauge",
	       "what became of every byte that was received; the rows add up to "
	       "capture_bytes_total");
	for (unsigned int i = 0; i < COVERAGE_N; i++)
		sample(p, (double)c.bytes[i], "verdict=\"%s\"", coverage_name(i));
	family(p, "coverage_flows", "gauge",
	       "what became of every flow; the rows add up to flow_created_total");
	for (unsigned int i = 0; i < COVERAGE_N; i++)
		sample(p, (double)c.flows[i], "verdict=\"%s\"", coverage_name(i));
}

// A family with a sample for each worker that has reported.
#define WORKERS(p, dp, metric, type, help, expression)                                             \
	do {                                                                                       \
		family(p, metric, type, help);                                                     \
		for (unsigned int w = 0; w < IPC_WORKERS_MAX; w++) {                               \
			const struct ipc_stats *s = &(dp)->stats[w];                               \
			if ((dp)->has_stats[w])                                                    \
				sample(p, (double)(expression), "worker=\"%u\"", w);               \
		}                                                                                  \
	} while (0)

static void put_workers(struct page *p, const struct dpclient *dp)
{
	gauge(p, "workers", dp->hello.workers, "workers of the dataplane");
	WORKERS(p, dp, "worker_busy_seconds_total", "counter", "time with frames", s->busy_ns * ns);
	WORKERS(p, dp, "worker_idle_seconds_total", "counter", "time without", s->idle_ns * ns);
	WORKERS(p, dp, "worker_reported_timestamp_seconds", "gauge",
		"when it last reported; one that does not move ends the dataplane", s->ts_ns * ns);
	WORKERS(p, dp, "worker_rule_set", "gauge", "generation of the rule set that it runs",
		s->generation);
	WORKERS(p, dp, "worker_packets_total", "counter", "frames received by it",
		s->counters.v[CNT_RX_PKTS]);
	WORKERS(p, dp, "worker_bytes_total", "counter", "bytes of frames received by it",
		s->counters.v[CNT_RX_BYTES]);
	WORKERS(p, dp, "worker_flows", "gauge", "TCP flows that it tracks now",
		s->counters.v[CNT_FLOW_ACTIVE]);
}

#define PORTS(p, dp, metric, type, help, field)                                                    \
	do {                                                                                       \
		char buf[LABEL_BYTES];                                                             \
		family(p, metric, type, help);                                                     \
		for (uint32_t i = 0; i < (dp)->n_ports; i++) {                                     \
			const struct ipc_port *port = &(dp)->ports[i];                             \
			const uint64_t v = port->field;                                            \
			if (v != UINT64_MAX)                                                       \
				sample(p, (double)v, "port=\"%u\",name=\"%s\"", i,                 \
				       value(buf, port->name));                                    \
		}                                                                                  \
	} while (0)

static void put_ports(struct page *p, const struct dpclient *dp)
{
	PORTS(p, dp, "port_link_up", "gauge", "1: its link is up", link_up);
	PORTS(p, dp, "port_receive_packets_total", "counter", "frames that came in", rx_pkts);
	PORTS(p, dp, "port_receive_bytes_total", "counter", "bytes of frames that came in",
	      rx_bytes);
	PORTS(p, dp, "port_receive_missed_total", "counter",
	      "frames that the card dropped: no descriptor was free", rx_missed);
	PORTS(p, dp, "port_receive_errors_total", "counter", "frames that came in damaged",
	      rx_errors);
	PORTS(p, dp, "port_receive_no_buffer_total", "counter",
	      "frames dropped: no packet buffer was free", rx_nombuf);
	PORTS(p, dp, "port_kernel_drops_total", "counter",
	      "frames that the kernel dropped before the port: no room in its ring", kernel_drops);
	PORTS(p, dp, "port_transmit_packets_total", "counter", "frames that went out", tx_pkts);
	PORTS(p, dp, "port_transmit_bytes_total", "counter", "bytes of frames that went out",
	      tx_bytes);
	PORTS(p, dp, "port_transmit_errors_total", "counter", "frames that could not go out",
	      tx_errors);
}

static void put_rules(struct page *p, const struct deploy *d)
{
	const struct rule_image *live = d->live;
	char id[LABEL_BYTES];

	gauge(p, "rule_bundle_live", live != NULL && d->confirmed,
	      "1: the dataplane runs the bundle below");
	gauge(p, "rule_bundle_serial", live != NULL ? (double)live->serial : 0,
	      "serial of the live bundle, 0 for none");
	if (live == NULL)
		return;
	family(p, "rule_bundle_info", "gauge", "name of the live bundle");
	sample(p, 1, "bundle=\"%s\"", value(id, live->id));
	gauge(p, "rule_bundle_live_timestamp_seconds", d->live_since_ns * ns,
	      "when it became live");
	gauge(p, "rules", live->rules, "rules of the live bundle that are not expired");
	gauge(p, "rules_expired", live->expired, "rules of the live bundle that are");
	if (live->next_expiry_s != 0)
		gauge(p, "rules_next_expiry_timestamp_seconds", (double)live->next_expiry_s,
		      "when the next rule of the live bundle expires");
}

static void put_hits(struct page *p, const struct daemon *d)
{
	struct store_totals t;

	store_totals(d->store, &t);
	gauge(p, "hits_stored", (double)t.hits, "hits in the database");
	gauge(p, "hits_lost", (double)t.lost,
	      "hits of all dataplanes that ever ran that did not reach the database");
	gauge(p, "database_bytes", (double)t.bytes, "size of the database of hits");
	gauge(p, "hits_paused", d->pause.on,
	      "1: hits cannot be stored, the dataplane keeps them (wireglass show status says "
	      "why)");
	counter(p, "hits_reported_total", (double)d->report.hits,
		"hits stored and reported since wireglassd started");
	counter(p, "hits_suppressed_total", (double)d->report.suppressed,
		"hits that the threshold of their rule has suppressed, since wireglassd started");
}

#define SINKS(p, k, metric, type, help, expression)                                                \
	do {                                                                                       \
		family(p, metric, type, help);                                                     \
		for (int i = 0; i < SINK_N; i++) {                                                 \
			const struct sink *s = &(k)->v[i];                                         \
			if (s->on)                                                                 \
				sample(p, (double)(expression), "sink=\"%s\"", s->saved.name);     \
		}                                                                                  \
	} while (0)

static void put_sinks(struct page *p, const struct sinks *k)
{
	SINKS(p, k, "sink_pending_hits", "gauge", "stored hits that the sink has not taken yet",
	      sinks_pending(k, s));
	SINKS(p, k, "sink_lines_total", "counter",
	      "lines that it has taken since wireglassd started", s->lines);
	SINKS(p, k, "sink_failures_total", "counter", "attempts that failed", s->failures);
	SINKS(p, k, "sink_missed_hits", "gauge",
	      "hits deleted from the database before the sink could take them", s->saved.missed);
}

static void put_daemon(struct page *p, const struct daemon *d)
{
	family(p, "build_info", "gauge", "version of wireglassd");
	sample(p, 1, "version=\"" WIREGLASS_VERSION "\"%s", "");
	gauge(p, "start_timestamp_seconds", d->start_ns * ns, "when wireglassd started");
	gauge(p, "dataplane_connected", d->dp.state == DPCLIENT_UP,
	      "1: the dataplane is connected; 0: its numbers are the last known ones");
	if (d->dp.hello.start_ns != 0)
		gauge(p, "dataplane_start_timestamp_seconds", d->dp.hello.start_ns * ns,
		      "when the dataplane started");
	counter(p, "audit_failures_total", (double)d->audit.failures,
		"entries that could not be written to the audit log");
	counter(p, "eve_dropped_total", (double)d->report.eve.dropped,
		"event lines that the EVE file did not take");
}

char *metrics_text(const struct daemon *d, size_t *ret_len)
{
	struct counters sum;
	char *text = NULL;
	size_t len = 0;
	struct page p = {.f = open_memstream(&text, &len)};

	if (p.f == NULL)
		return NULL;
	dpclient_counters(&d->dp, &sum);
	put_daemon(&p, d);
	put_rules(&p, &d->deploy);
	put_hits(&p, d);
	put_sinks(&p, &d->report.sinks);
	put_coverage(&p, &sum);
	put_workers(&p, &d->dp);
	put_ports(&p, &d->dp);
	put_counters(&p, &sum);
	bool failed = ferror(p.f) != 0;
	if (fclose(p.f) != 0 || failed) {
		free(text);
		return NULL;
	}
	*ret_len = len;
	return text;
}

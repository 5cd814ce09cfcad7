// SPDX-License-Identifier: BSD-2-Clause
// EVE lines, field by field, through the writer in eve_put.h.
//
// Lengths and enums inside hits and events come from another process: they are clipped to their field before use
// and looked up with a bound. Texts of a rule and of the context are clipped to the limits of enum text_max, which
// together with the worst escaping (six bytes for one) stay below EVE_LINE_MAX.
#include "common/eve.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "common/coverage.h"
#include "common/eve_put.h"

enum text_max { // sum 4607 bytes, escaped 27642
	HOST_MAX = 255,
	IFACE_MAX = 64,
	PCAP_MAX = 512,
	BUNDLE_MAX = 64,
	MSG_MAX = 1024,
	CLASSTYPE_MAX = 128,
	REFERENCE_MAX = 1024,
	METADATA_MAX = 1536,
	ENGINE_MAX = 1024, // message and each value of an engine line
};

// Bytes of the well-formed UTF-8 sequence at s (RFC 3629: no overlongs, no surrogates, at most U+10FFFF), 0 if none.
static size_t utf8_len(const uint8_t *s, size_t len)
{
	size_t n = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;

	if (n == 0 || s[0] > 0xf4 || n > len)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
	    (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return n;
}

char *eve_string(char *p, const char *end, const char *str, size_t len)
{
	static const char hex[] = "0123456789abcdef";
	const uint8_t *s = (const uint8_t *)str;

	if (p == NULL || end - p < 2)
		return NULL;
	*p++ = '"';
	for (size_t i = 0; i < len;) {
		size_t n = utf8_len(s + i, len - i);
		bool control = n == 0 || s[i] < 0x20 || s[i] == 0x7f;

		if (n == 2 && s[i] == 0xc2 && s[i + 1] < 0xa0) {
			control = true; // U+0080..U+009F: controls to a terminal
			i++;            // the second byte is the code point
		}
		if (control) {
			if (end - p < 6)
				return NULL;
			memcpy(p, "\\u00", 4);
			p[4] = hex[s[i] >> 4];
			p[5] = hex[s[i] & 15];
			p += 6;
			i++;
			continue;
		}
		if ((size_t)(end - p) < n + 1)
			return NULL;
		if (s[i] == '"' || s[i] == '\\')
			*p++ = '\\';
		memcpy(p, s + i, n);
		p += n;
		i += n;
	}
	if (p == end)
		return NULL;
	*p++ = '"';
	return p;
}

const char *eve_addr(char *buf, const uint8_t addr[16], uint8_t family)
{
	// That of a client may be a hash in a packet of IPv4 (control/privacy.h).
	if (family == 4 && addr[0] == 0)
		inet_ntop(AF_INET, addr + 12, buf, INET6_ADDRSTRLEN);
	else
		inet_ntop(AF_INET6, addr, buf, INET6_ADDRSTRLEN);
	return buf;
}

const char *eve_app_name(unsigned int app)
{
	static const char *const names[APP_N] = {
		[APP_UNKNOWN] = "unknown", [APP_HTTP] = "http",     [APP_TLS] = "tls",
		[APP_SSH] = "ssh",         [APP_OPAQUE] = "failed", [APP_FAILED] = "failed",
	};

	return app < APP_N ? names[app] : "unknown";
}

static struct out line_begin(char *buf, size_t size, uint64_t ts_ns, const char *type,
			     const struct eve_context *ctx)
{
	struct out o = {size > 0 ? buf : NULL, size > 0 ? buf + size - 1 : NULL, false};

	put_raw(&o, "{", 1);
	put_time(&o, "timestamp", ts_ns);
	put_name(&o, "event_type", type);
	put_opt(&o, "host", ctx->host, HOST_MAX);
	return o;
}

static size_t line_end(struct out *o, char *buf)
{
	put_raw(o, "}", 1);
	if (o->p == NULL)
		return 0;
	*o->p = '\0'; // end leaves room for it
	return (size_t)(o->p - buf);
}

static void put_proto(struct out *o, uint8_t proto)
{
	char number[4];

	snprintf(number, sizeof(number), "%03u", proto);
	put_name(o, "proto", proto == IPPROTO_TCP ? "TCP" : proto == IPPROTO_UDP ? "UDP" : number);
}

// Where and between whom: what alerts and events have in common.
static void put_flow(struct out *o, uint64_t flow_id, const struct hit_addr *a,
		     const struct eve_context *ctx)
{
	char addr[INET6_ADDRSTRLEN];

	put_u64(o, "flow_id", flow_id & INT64_MAX);
	put_opt(o, "in_iface", ctx->in_iface, IFACE_MAX);
	put_opt(o, "pcap_filename", ctx->pcap, PCAP_MAX);
	if (ctx->pcap_cnt != 0)
		put_u64(o, "pcap_cnt", ctx->pcap_cnt);
	if (a->vlan[0] != 0) {
		put_open(o, "vlan", '[');
		put_u64(o, NULL, a->vlan[0]);
		if (a->vlan[1] != 0)
			put_u64(o, NULL, a->vlan[1]);
		put_close(o, ']');
	}
	put_name(o, "src_ip", eve_addr(addr, a->src, a->family));
	put_u64(o, "src_port", a->src_port);
	put_name(o, "dest_ip", eve_addr(addr, a->dst, a->family));
	put_u64(o, "dest_port", a->dst_port);
	put_proto(o, a->proto);
	put_name(o, "pkt_src", "wire/pcap");
}

// One line of a '\n' separated text; io_rest moves on. False at the end. Empty lines are skipped.
static bool next_line(const char **io_rest, const char *end, const char **ret_line, size_t *ret_len)
{
	const char *line = *io_rest, *stop;

	while (line < end && *line == '\n')
		line++;
	if (line == end)
		return false;
	stop = memchr(line, '\n', (size_t)(end - line));
	if (stop == NULL)
		stop = end;
	*ret_line = line;
	*ret_len = (size_t)(stop - line);
	*io_rest = stop;
	return true;
}

static size_t key_len(const char *line, size_t len)
{
	const char *blank = memchr(line, ' ', len);

	return blank != NULL ? (size_t)(blank - line) : len;
}

static bool same_key(const char *a, size_t a_len, const char *b, size_t b_len)
{
	size_t n = key_len(a, a_len);

	return n == key_len(b, b_len) && memcmp(a, b, n) == 0;
}

// "key value" lines -> {"key": ["value", ...]}: the values of a key gather at its first line.
static void put_metadata(struct out *o, const char *text)
{
	const char *end = text + text_clip(text, METADATA_MAX), *rest = text, *line;
	size_t len;

	put_open(o, "metadata", '{');
	while (next_line(&rest, end, &line, &len)) {
		const char *from = text, *other;
		size_t other_len, skip = key_len(line, len);
		bool first = true;

		while (first && next_line(&from, line, &other, &other_len))
			first = !same_key(line, len, other, other_len);
		if (!first)
			continue;
		put_key(o, line, skip);
		put_raw(o, "[", 1);
		o->comma = false;
		for (from = line; next_line(&from, end, &other, &other_len);) {
			size_t start = skip < other_len ? skip + 1 : other_len;

			if (same_key(line, len, other, other_len))
				put_text(o, NULL, other + start, other_len - start);
		}
		put_close(o, ']');
	}
	put_close(o, '}');
}

static void put_references(struct out *o, const char *text)
{
	const char *end = text + text_clip(text, REFERENCE_MAX), *line;
	size_t len;

	put_open(o, "references", '[');
	while (next_line(&text, end, &line, &len))
		put_text(o, NULL, line, len);
	put_close(o, ']');
}

static void put_bundle(struct out *o, const struct eve_context *ctx)
{
	if (ctx->bundle == NULL)
		return;
	put_opt(o, "bundle", ctx->bundle, BUNDLE_MAX);
	put_u64(o, "serial", ctx->serial);
}

static const char *dir_name(uint8_t dir)
{
	return dir == DIR_TO_CLIENT ? "to_client" : "to_server";
}

size_t eve_alert(char *buf, size_t size, const struct hit *hit, const struct eve_rule *rule,
		 const struct eve_context *ctx)
{
	static const char *const flags[] = {"gap",       "midstream", "window_short",
					    "truncated", "oneway",    "ambiguous"};
	const struct buffer_info *buffer = buffer_info(hit->buffer);
	struct out o = line_begin(buf, size, hit->ts_ns, "alert", ctx);

	put_flow(&o, hit->flow_id, &hit->addr, ctx);
	put_u64(&o, "tx_id", hit->tx_id);
	put_name(&o, "app_proto", eve_app_name(hit->app));
	put_name(&o, "direction", dir_name(hit->addr.dir));
	put_open(&o, "alert", '{');
	put_name(&o, "action", (hit->flags & HIT_BLOCKED) != 0 ? "blocked" : "allowed");
	put_u64(&o, "gid", hit->gid);
	put_u64(&o, "signature_id", hit->sid);
	put_u64(&o, "rev", hit->rev);
	put_opt(&o, "signature", rule->msg != NULL ? rule->msg : "", MSG_MAX);
	put_opt(&o, "category", rule->classtype != NULL ? rule->classtype : "", CLASSTYPE_MAX);
	put_u64(&o, "severity", hit->priority < 1 ? 1 : hit->priority > 3 ? 3 : hit->priority);
	if (rule->metadata != NULL && rule->metadata[0] != '\0')
		put_metadata(&o, rule->metadata);
	put_close(&o, '}');
	put_open(&o, "wireglass", '{');
	if (ctx->id != 0) // first: control/sink.c finds it there
		put_u64(&o, "id", ctx->id);
	put_bundle(&o, ctx);
	put_u64(&o, "generation", hit->generation);
	put_u64(&o, "worker", hit->addr.worker);
	put_u64(&o, "seq", hit->seq);
	put_u64(&o, "priority", hit->priority);
	if (buffer != NULL)
		put_name(&o, "buffer", buffer->keyword);
	put_u64(&o, "offset", hit->offset_bytes);
	put_flags(&o, hit->flags, flags, sizeof(flags) / sizeof(flags[0]));
	if (rule->reference != NULL && rule->reference[0] != '\0')
		put_references(&o, rule->reference);
	put_close(&o, '}');
	return line_end(&o, buf);
}

static void put_http(struct out *o, const struct event_http *h)
{
	put_open(o, "http", '{');
	put_field(o, "hostname", h->host, h->host_len, sizeof(h->host));
	put_field(o, "url", h->url, h->url_len, sizeof(h->url));
	put_field(o, "http_user_agent", h->user_agent, h->user_agent_len, sizeof(h->user_agent));
	put_field(o, "http_content_type", h->content_type, h->content_type_len,
		  sizeof(h->content_type));
	put_field(o, "http_refer", h->referer, h->referer_len, sizeof(h->referer));
	put_field(o, "http_method", h->method, h->method_len, sizeof(h->method));
	if (h->version == 9 || h->version == 10 || h->version == 11) {
		char version[] = "HTTP/0.9";

		version[5] = (char)('0' + h->version / 10);
		version[7] = (char)('0' + h->version % 10);
		put_text(o, "protocol", version, 8);
	} else if (h->version == 20) {
		put_text(o, "protocol", "HTTP/2", 6);
	}
	if (h->status != 0)
		put_u64(o, "status", h->status);
	put_u64(o, "length", h->response_body_bytes);
	put_close(o, '}');
}

static void put_fileinfo(struct out *o, const struct event *event)
{
	static const char hex[] = "0123456789abcdef";
	const struct event_fileinfo *f = &event->fileinfo;
	size_t len = f->filename_len < sizeof(f->filename) ? f->filename_len : sizeof(f->filename);
	char sha256[64];

	put_open(o, "fileinfo", '{');
	put_text(o, "filename", f->filename, len);
	put_bool(o, "gaps", event->flags & EVENT_GAP);
	put_name(o, "state", event->flags & EVENT_TRUNCATED ? "TRUNCATED" : "CLOSED");
	if (event->flags & EVENT_HAS_HASH) {
		for (size_t i = 0; i < sizeof(f->sha256); i++) {
			sha256[2 * i] = hex[f->sha256[i] >> 4];
			sha256[2 * i + 1] = hex[f->sha256[i] & 15];
		}
		put_text(o, "sha256", sha256, sizeof(sha256));
	}
	put_bool(o, "stored", false);
	put_u64(o, "size", f->size_bytes);
	put_u64(o, "tx_id", event->tx_id);
	put_close(o, '}');
}

static void put_flow_event(struct out *o, const struct event *event)
{
	static const char *const states[] = {"new", "established", "closed", "bypassed"};
	static const char *const reasons[] = {[FLOW_REASON_TIMEOUT] = "timeout",
					      [FLOW_REASON_CLOSED] = "closed",
					      [FLOW_REASON_EVICTED] = "forced",
					      [FLOW_REASON_SHUTDOWN] = "shutdown"};
	const struct event_flow *f = &event->flow;

	put_open(o, "flow", '{');
	put_u64(o, "pkts_toserver", f->pkts[DIR_TO_SERVER]);
	put_u64(o, "pkts_toclient", f->pkts[DIR_TO_CLIENT]);
	put_u64(o, "bytes_toserver", f->bytes[DIR_TO_SERVER]);
	put_u64(o, "bytes_toclient", f->bytes[DIR_TO_CLIENT]);
	put_time(o, "start", f->start_ns);
	put_time(o, "end", f->end_ns);
	put_u64(o, "age", f->end_ns > f->start_ns ? (f->end_ns - f->start_ns) / 1000000000u : 0);
	put_name(o, "state", f->state < 4 ? states[f->state] : "unknown");
	put_name(o, "reason", f->reason < 4 ? reasons[f->reason] : "unknown");
	put_bool(o, "alerted", event->flags & EVENT_HAS_HIT);
	put_close(o, '}');
}

static void put_anomaly(struct out *o, const struct event_anomaly *a)
{
	const struct counter_info *info = counter_info(a->counter);

	put_open(o, "anomaly", '{');
	put_name(o, "type", "wireglass");
	put_name(o, "event", info != NULL ? info->name : "unknown");
	put_name(o, "description", info != NULL ? info->text : "");
	put_close(o, '}');
}

// The object of the product-only fields of an event.
static void put_event_extra(struct out *o, const struct event *event, const struct eve_context *ctx)
{
	static const char *const flags[] = {"cut",         "hit",     "gap",
					    "truncated",   NULL,      "no_request",
					    "no_response", "partial", "not_inspected"};

	put_open(o, "wireglass", '{');
	put_bundle(o, ctx);
	put_u64(o, "worker", event->addr.worker);
	if (event->type == EVENT_HTTP)
		put_u64(o, "request_body_bytes", event->http.request_body_bytes);
	if (event->type == EVENT_FLOW) {
		put_u64(o, "payload_bytes_inspected", event->flow.payload_bytes_inspected);
		put_u64(o, "payload_bytes_released", event->flow.payload_bytes_released);
	}
	put_flags(o, event->flags, flags, sizeof(flags) / sizeof(flags[0]));
	put_close(o, '}');
}

size_t eve_event(char *buf, size_t size, const struct event *event, const struct eve_context *ctx)
{
	static const char *const types[EVENT_N] = {[EVENT_HTTP] = "http",
						   [EVENT_FILEINFO] = "fileinfo",
						   [EVENT_FLOW] = "flow",
						   [EVENT_ANOMALY] = "anomaly"};
	struct out o;

	if (event->type >= EVENT_N)
		return 0;
	o = line_begin(buf, size, event->ts_ns, types[event->type], ctx);
	put_flow(&o, event->flow_id, &event->addr, ctx);
	if (event->type != EVENT_FLOW)
		put_u64(&o, "tx_id", event->tx_id);
	put_name(&o, "app_proto", eve_app_name(event->app));
	if (event->type != EVENT_FLOW)
		put_name(&o, "direction", dir_name(event->addr.dir));
	if (event->type == EVENT_HTTP)
		put_http(&o, &event->http);
	else if (event->type == EVENT_FILEINFO)
		put_fileinfo(&o, event);
	else if (event->type == EVENT_FLOW)
		put_flow_event(&o, event);
	else
		put_anomaly(&o, &event->anomaly);
	put_event_extra(&o, event, ctx);
	return line_end(&o, buf);
}

// The counters whose names start with the len bytes of prefix, nested at their dots. A group is written where its
// first counter stands in the table, with all its members: a key appears once.
static void put_counters(struct out *o, const struct counters *counters, const char *prefix,
			 size_t len)
{
	for (unsigned int i = 0; i < COUNTER_N; i++) {
		const char *name = counter_info(i)->name, *part = name + len, *dot;
		bool first = true;

		if (strncmp(name, prefix, len) != 0)
			continue;
		dot = strchr(part, '.');
		if (dot == NULL) {
			put_u64(o, part, counters->v[i]);
			continue;
		}
		for (unsigned int j = 0; j < i && first; j++)
			first = strncmp(counter_info(j)->name, name, (size_t)(dot - name) + 1) != 0;
		if (!first)
			continue;
		put_key(o, part, (size_t)(dot - part));
		put_raw(o, "{", 1);
		o->comma = false;
		put_counters(o, counters, name, (size_t)(dot - name) + 1);
		put_close(o, '}');
	}
}

static void put_ledger(struct out *o, const struct counters *counters)
{
	struct coverage c;

	coverage_of(counters, &c);
	put_open(o, "ledger", '{');
	for (unsigned int i = 0; i < COVERAGE_N; i++) {
		put_open(o, coverage_name(i), '{');
		put_u64(o, "bytes", c.bytes[i]);
		put_u64(o, "flows", c.flows[i]);
		put_close(o, '}');
	}
	put_close(o, '}');
}

size_t eve_stats(char *buf, size_t size, uint64_t ts_ns, uint64_t uptime_s,
		 const struct counters *counters, const struct eve_context *ctx)
{
	struct out o = line_begin(buf, size, ts_ns, "stats", ctx);

	put_open(&o, "stats", '{');
	put_u64(&o, "uptime", uptime_s);
	put_counters(&o, counters, "", 0);
	put_ledger(&o, counters);
	put_close(&o, '}');
	return line_end(&o, buf);
}

size_t eve_engine(char *buf, size_t size, uint64_t ts_ns, const char *message,
		  const char *const *pairs, const struct eve_context *ctx)
{
	struct out o = line_begin(buf, size, ts_ns, "engine", ctx);

	put_open(&o, "engine", '{');
	put_opt(&o, "message", message, ENGINE_MAX);
	for (size_t i = 0; pairs != NULL && pairs[i] != NULL && pairs[i + 1] != NULL; i += 2)
		put_opt(&o, pairs[i], pairs[i + 1], ENGINE_MAX);
	put_close(&o, '}');
	return line_end(&o, buf);
}

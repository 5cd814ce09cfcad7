// SPDX-License-Identifier: BSD-2-Clause
// EVE JSON lines in the shape that Suricata's consumers ingest (Filebeat, Wazuh, Arkime, EveBox).
//
// An append-only writer into a caller's buffer: no DOM, no allocation. Texts from the wire are escaped so that every
// line is valid JSON and valid UTF-8 whatever the bytes (invalid sequences and control bytes become \u00XX).
#ifndef COMMON_EVE_H
#define COMMON_EVE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/counters.h"
#include "common/hit.h"

enum {
	EVE_LINE_MAX = 32768, // enough for every line below with all texts escaped at their worst
};

// What a hit does not carry itself: where it was seen and what the rule says. Strings may be NULL.
struct eve_context {
	const char *host;     // sensor name
	const char *in_iface; // live capture
	const char *pcap;     // replay: file name
	uint64_t pcap_cnt;    // replay: frame number, 0 if unknown
	const char *bundle;   // id of the bundle
	uint64_t serial;
	uint64_t id; // of the stored hit, 0: none
};

struct eve_rule {
	const char *msg, *classtype, *reference, *metadata; // as in struct rule (rules/rule.h)
};

// Each writes one line without the newline, NUL-terminated, and returns its length; 0 if size is too small.
size_t eve_alert(char *buf, size_t size, const struct hit *hit, const struct eve_rule *rule,
		 const struct eve_context *ctx);
// http, fileinfo, flow, anomaly by event->type
size_t eve_event(char *buf, size_t size, const struct event *event, const struct eve_context *ctx);
// All counters as nested objects ("tcp.gap_bytes" -> stats.tcp.gap_bytes), uptime in seconds.
size_t eve_stats(char *buf, size_t size, uint64_t ts_ns, uint64_t uptime_s,
		 const struct counters *counters, const struct eve_context *ctx);
// {"event_type":"engine","engine":{"message":...,"<key>":"<value>"...}} key and value NULL-terminated pairs.
size_t eve_engine(char *buf, size_t size, uint64_t ts_ns, const char *message,
		  const char *const *pairs, const struct eve_context *ctx);

// Append s as a JSON string with quotes. Returns the new end, or NULL if it does not fit.
char *eve_string(char *p, const char *end, const char *s, size_t len);

// "192.0.2.1" or "2001:db8::1" from the mapped form; buf of at least 46 bytes. Returns buf.
const char *eve_addr(char *buf, const uint8_t addr[16], uint8_t family);

// Short names used in EVE: "http", "tls", "ssh", "failed", "unknown".
const char *eve_app_name(unsigned int app);

#endif

// SPDX-License-Identifier: BSD-2-Clause
// EVE lines: every line is parsed again with jansson, which refuses bad JSON, bad UTF-8 and duplicate keys.
//
// With the argument "--sample" the program prints one line of every kind instead: tests/schema/validate.py reads them.
#include "common/eve.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

static const struct eve_context live = {
	.host = "edge-7", .in_iface = "eth0", .bundle = "demo", .serial = 42};
static const struct eve_context replay = {.pcap = "trace.pcap", .pcap_cnt = 17};

static const struct eve_rule rule = {
	.msg = "WEB shell upload \"x\"",
	.classtype = "web-application-attack",
	.reference = "url,example.org/1\ncve,2026-0001",
	.metadata = "tag first\nowner abuse desk\ntag second\nflag",
};

static const struct hit_addr addr4 = {
	.src = {[10] = 0xff, 0xff, 192, 0, 2, 1},
	.dst = {[10] = 0xff, 0xff, 198, 51, 100, 2},
	.src_port = 40000,
	.dst_port = 80,
	.vlan = {100, 7},
	.family = 4,
	.proto = 6,
	.dir = DIR_TO_SERVER,
	.worker = 3,
};

static struct hit sample_hit(void)
{
	return (struct hit){
		.seq = 9,
		.ts_ns = 1795438800123456789u, // 2026-11-23T13:00:00
		.flow_id = 0xfedcba9876543210u,
		.offset_bytes = 1234,
		.addr = addr4,
		.tx_id = 2,
		.generation = 5,
		.sid = 1000001,
		.gid = 1,
		.rev = 4,
		.flags = HIT_GAP | HIT_ONEWAY,
		.buffer = BUF_REQUEST_BODY,
		.priority = 2,
		.app = APP_HTTP,
	};
}

static struct event sample_event(enum event_type type)
{
	struct event e = {.ts_ns = 1795438800000001000u,
			  .flow_id = 77,
			  .addr = addr4,
			  .tx_id = 1,
			  .type = (uint8_t)type,
			  .app = APP_HTTP};

	if (type == EVENT_HTTP) {
		e.http = (struct event_http){.request_body_bytes = 11,
					     .response_body_bytes = 22,
					     .status = 404,
					     .version = 11,
					     .method_len = 4,
					     .host_len = 11,
					     .url_len = 6,
					     .method = "POST",
					     .host = "example.org",
					     .url = "/a?b=c"};
	} else if (type == EVENT_FILEINFO) {
		e.flags = EVENT_HAS_HASH | EVENT_GAP | EVENT_TRUNCATED;
		e.fileinfo = (struct event_fileinfo){
			.size_bytes = 5, .filename_len = 5, .filename = "x.bin"};
		for (int i = 0; i < 32; i++)
			e.fileinfo.sha256[i] = (uint8_t)(i * 8);
	} else if (type == EVENT_FLOW) {
		e.flags = EVENT_HAS_HIT;
		e.flow = (struct event_flow){.start_ns = 1795438800000000000u,
					     .end_ns = 1795438812900000000u,
					     .pkts = {3, 4},
					     .bytes = {300, 400},
					     .payload_bytes_inspected = 100,
					     .payload_bytes_released = 5,
					     .state = 3,
					     .reason = FLOW_REASON_EVICTED};
	} else {
		e.anomaly.counter = CNT_TCP_GAPS;
	}
	return e;
}

static json_t *parse(const char *line, size_t len)
{
	json_error_t error;
	json_t *root;

	assert_true(len > 0);
	assert_int_equal(strlen(line), len);
	assert_null(strchr(line, '\n'));
	root = json_loadb(line, len, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, &error);
	if (root == NULL)
		fail_msg("%s at %d of: %s", error.text, error.position, line);
	return root;
}

// Value at a path like "alert.metadata.tag.0", NULL if there is none.
static json_t *at(json_t *root, const char *path)
{
	char part[128];

	while (root != NULL && *path != '\0') {
		size_t n = strcspn(path, ".");

		assert_true(n < sizeof(part));
		memcpy(part, path, n);
		part[n] = '\0';
		root = json_is_array(root) ? json_array_get(root, (size_t)atoi(part))
					   : json_object_get(root, part);
		path += path[n] == '.' ? n + 1 : n;
	}
	return root;
}

struct want {
	const char *path;
	const char *text; // NULL: compare number; "-": must be absent; "true"/"false"
	long long number;
};

static void check(json_t *root, const struct want *want, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		json_t *v = at(root, want[i].path);

		if (want[i].text != NULL && strcmp(want[i].text, "-") == 0) {
			if (v != NULL)
				fail_msg("%s must be absent", want[i].path);
			continue;
		}
		if (v == NULL)
			fail_msg("%s is missing", want[i].path);
		if (want[i].text == NULL) {
			if (!json_is_integer(v) || json_integer_value(v) != want[i].number)
				fail_msg("%s is %lld, want %lld", want[i].path,
					 (long long)json_integer_value(v), want[i].number);
		} else if (json_is_boolean(v)) {
			assert_string_equal(json_is_true(v) ? "true" : "false", want[i].text);
		} else {
			if (!json_is_string(v))
				fail_msg("%s is not a string", want[i].path);
			assert_string_equal(json_string_value(v), want[i].text);
		}
	}
}

#define CHECK(root, ...)                                                                           \
	do {                                                                                       \
		static const struct want want[] = {__VA_ARGS__};                                   \
		check(root, want, sizeof(want) / sizeof(want[0]));                                 \
	} while (0)

static char line[EVE_LINE_MAX];

static void string_escapes(void **state)
{
	static const struct {
		const char *in;
		size_t len;
		const char *out;
	} cases[] = {
		{"", 0, "\"\""},
		{"plain", 5, "\"plain\""},
		{"a\"b\\c/", 6, "\"a\\\"b\\\\c/\""},
		{"\n\r\t\0\x1f", 5, "\"\\u000a\\u000d\\u0009\\u0000\\u001f\""},
		{"\x7f", 1, "\"\\u007f\""},
		{"\xff\xfe", 2, "\"\\u00ff\\u00fe\""},
		{"\xc3\xa9", 2, "\"\xc3\xa9\""},                             // e acute
		{"\xc2\x85", 2, "\"\\u0085\""},                              // next line: a control
		{"\xc2\xa0", 2, "\"\xc2\xa0\""},                             // first that is none
		{"\xc0\xaf", 2, "\"\\u00c0\\u00af\""},                       // overlong slash
		{"\xe0\x80\xaf", 3, "\"\\u00e0\\u0080\\u00af\""},            // overlong
		{"\xed\xa0\x80", 3, "\"\\u00ed\\u00a0\\u0080\""},            // surrogate
		{"\xf0\x9f\x98\x80", 4, "\"\xf0\x9f\x98\x80\""},             // four bytes
		{"\xf4\x90\x80\x80", 4, "\"\\u00f4\\u0090\\u0080\\u0080\""}, // over U+10FFFF
		{"\xf0\x9f\x98", 3, "\"\\u00f0\\u009f\\u0098\""},            // cut
		{"\xe2\x82x", 3, "\"\\u00e2\\u0082x\""},
	};
	char out[64];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *end = eve_string(out, out + sizeof(out) - 1, cases[i].in, cases[i].len);

		assert_non_null(end);
		*end = '\0';
		assert_string_equal(out, cases[i].out);
		for (size_t size = 0; size <= (size_t)(end - out); size++) {
			char *small = malloc(size + 1); // sanitizers see a write past size
			char *p = realloc(small, size > 0 ? size : 1);

			assert_non_null(p);
			if (size < (size_t)(end - out))
				assert_null(eve_string(p, p + size, cases[i].in, cases[i].len));
			else
				assert_ptr_equal(eve_string(p, p + size, cases[i].in, cases[i].len),
						 p + size);
			free(p);
		}
	}
	assert_null(eve_string(NULL, NULL, "x", 1));
}

static void parse_string(const char *in, size_t len)
{
	char out[64];
	char *end = eve_string(out, out + sizeof(out), in, len);
	json_t *s;

	assert_non_null(end);
	for (const char *c = out; c < end; c++)
		assert_true((uint8_t)*c >= 0x20 && *c != 0x7f);
	s = json_loadb(out, (size_t)(end - out), JSON_ALLOW_NUL | JSON_DECODE_ANY, NULL);
	assert_true(json_is_string(s));
	json_decref(s);
}

static void string_every_byte(void **state)
{
	uint32_t x = 1;
	char in[6];

	for (unsigned int a = 0; a < 256; a++)
		for (unsigned int b = 0; b < 256; b++) {
			in[0] = (char)a;
			in[1] = (char)b;
			parse_string(in, 1);
			parse_string(in, 2);
		}
	for (unsigned int i = 0; i < 20000; i++) {
		for (size_t j = 0; j < sizeof(in); j++) {
			x = x * 1664525 + 1013904223;
			in[j] = (char)(x >> 24 | (j == 0 ? 0xc0 : 0));
			if (j > 0 && (x >> 16 & 3) != 0)
				in[j] = (char)((in[j] & 0x3f) | 0x80);
		}
		parse_string(in, sizeof(in));
	}
}

static void addresses(void **state)
{
	static const uint8_t v6[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 1};
	static const uint8_t mapped[16] = {[10] = 0xff, 0xff, 203, 0, 113, 255};
	char buf[46];

	assert_string_equal(eve_addr(buf, mapped, 4), "203.0.113.255");
	assert_string_equal(eve_addr(buf, v6, 6), "2001:db8::1");
	assert_string_equal(eve_app_name(APP_HTTP), "http");
	assert_string_equal(eve_app_name(APP_TLS), "tls");
	assert_string_equal(eve_app_name(APP_SSH), "ssh");
	assert_string_equal(eve_app_name(APP_FAILED), "failed");
	assert_string_equal(eve_app_name(APP_UNKNOWN), "unknown");
	assert_string_equal(eve_app_name(APP_N), "unknown");
	assert_string_equal(eve_app_name(UINT32_MAX), "unknown");
}

static void alert_fields(void **state)
{
	struct hit hit = sample_hit();
	json_t *root = parse(line, eve_alert(line, sizeof(line), &hit, &rule, &live));

	CHECK(root, {"timestamp", "2026-11-23T13:00:00.123456+0000"},
	      {"flow_id", NULL, 0x7edcba9876543210}, {"event_type", "alert"}, {"host", "edge-7"},
	      {"in_iface", "eth0"}, {"pcap_filename", "-"}, {"pcap_cnt", "-"},
	      {"src_ip", "192.0.2.1"}, {"src_port", NULL, 40000}, {"dest_ip", "198.51.100.2"},
	      {"dest_port", NULL, 80}, {"proto", "TCP"}, {"vlan.0", NULL, 100}, {"vlan.1", NULL, 7},
	      {"vlan.2", "-"}, {"app_proto", "http"}, {"direction", "to_server"},
	      {"tx_id", NULL, 2}, {"pkt_src", "wire/pcap"});
	CHECK(root, {"alert.action", "allowed"}, {"alert.gid", NULL, 1},
	      {"alert.signature_id", NULL, 1000001}, {"alert.rev", NULL, 4},
	      {"alert.signature", "WEB shell upload \"x\""},
	      {"alert.category", "web-application-attack"}, {"alert.severity", NULL, 2},
	      {"alert.metadata.tag.0", "first"}, {"alert.metadata.tag.1", "second"},
	      {"alert.metadata.tag.2", "-"}, {"alert.metadata.owner.0", "abuse desk"},
	      {"alert.metadata.flag.0", ""});
	CHECK(root, {"wireglass.bundle", "demo"}, {"wireglass.serial", NULL, 42},
	      {"wireglass.generation", NULL, 5}, {"wireglass.worker", NULL, 3},
	      {"wireglass.seq", NULL, 9}, {"wireglass.priority", NULL, 2},
	      {"wireglass.buffer", "http.request_body"}, {"wireglass.offset", NULL, 1234},
	      {"wireglass.flags.0", "gap"}, {"wireglass.flags.1", "oneway"},
	      {"wireglass.flags.2", "-"}, {"wireglass.references.0", "url,example.org/1"},
	      {"wireglass.references.1", "cve,2026-0001"}, {"wireglass.references.2", "-"});
	json_decref(root);
}

static void alert_variants(void **state)
{
	static const struct {
		uint8_t priority;
		int severity;
	} severities[] = {{0, 1}, {1, 1}, {2, 2}, {3, 3}, {4, 3}, {255, 3}};
	static const struct eve_rule bare = {.metadata = "", .reference = "\n\n"};
	struct hit hit = sample_hit();
	json_t *root;

	for (size_t i = 0; i < sizeof(severities) / sizeof(severities[0]); i++) {
		hit.priority = severities[i].priority;
		root = parse(line, eve_alert(line, sizeof(line), &hit, &rule, &replay));
		assert_int_equal(json_integer_value(at(root, "alert.severity")),
				 severities[i].severity);
		assert_int_equal(json_integer_value(at(root, "wireglass.priority")),
				 severities[i].priority);
		json_decref(root);
	}
	hit.addr.vlan[0] = hit.addr.vlan[1] = 0;
	hit.addr.dir = DIR_TO_CLIENT;
	hit.addr.proto = 17;
	hit.addr.family = 6;
	hit.buffer = 255;
	hit.app = 200;
	hit.flags = UINT16_MAX;
	root = parse(line, eve_alert(line, sizeof(line), &hit, &bare, &replay));
	CHECK(root, {"pcap_filename", "trace.pcap"}, {"pcap_cnt", NULL, 17}, {"host", "-"},
	      {"in_iface", "-"}, {"vlan", "-"}, {"direction", "to_client"}, {"proto", "UDP"},
	      {"src_ip", "::ffff:192.0.2.1"}, {"alert.signature", ""}, {"alert.category", ""},
	      {"alert.metadata", "-"}, {"app_proto", "unknown"}, {"wireglass.bundle", "-"},
	      {"wireglass.serial", "-"}, {"wireglass.buffer", "-"}, {"wireglass.flags.4", "oneway"},
	      {"wireglass.flags.5", "ambiguous"}, {"wireglass.flags.6", "-"});
	assert_int_equal(json_array_size(at(root, "wireglass.references")), 0);
	json_decref(root);
}

static void event_http_fields(void **state)
{
	struct event e = sample_event(EVENT_HTTP);
	json_t *root = parse(line, eve_event(line, sizeof(line), &e, &live));

	CHECK(root, {"timestamp", "2026-11-23T13:00:00.000001+0000"}, {"event_type", "http"},
	      {"tx_id", NULL, 1}, {"http.hostname", "example.org"}, {"http.url", "/a?b=c"},
	      {"http.http_method", "POST"}, {"http.protocol", "HTTP/1.1"},
	      {"http.status", NULL, 404}, {"http.length", NULL, 22}, {"http.http_user_agent", "-"},
	      {"http.http_refer", "-"}, {"http.http_content_type", "-"},
	      {"wireglass.request_body_bytes", NULL, 11}, {"wireglass.bundle", "demo"},
	      {"wireglass.flags.0", "-"});
	json_decref(root);

	e.http.version = 9;
	e.http.status = 0;
	e.http.user_agent_len = e.http.referer_len = e.http.content_type_len = 1;
	e.http.user_agent[0] = 'U';
	e.http.referer[0] = 'R';
	e.http.content_type[0] = 'C';
	e.flags = EVENT_CUT | EVENT_NO_RESPONSE;
	root = parse(line, eve_event(line, sizeof(line), &e, &live));
	CHECK(root, {"http.protocol", "HTTP/0.9"}, {"http.status", "-"},
	      {"http.http_user_agent", "U"}, {"http.http_refer", "R"},
	      {"http.http_content_type", "C"}, {"wireglass.flags.0", "cut"},
	      {"wireglass.flags.1", "no_response"});
	json_decref(root);
	e.http.version = 20;
	root = parse(line, eve_event(line, sizeof(line), &e, &live));
	CHECK(root, {"http.protocol", "HTTP/2"});
	json_decref(root);
	e.http.version = 77;
	root = parse(line, eve_event(line, sizeof(line), &e, &live));
	CHECK(root, {"http.protocol", "-"});
	json_decref(root);
}

static void event_fileinfo_fields(void **state)
{
	struct event e = sample_event(EVENT_FILEINFO);
	json_t *root = parse(line, eve_event(line, sizeof(line), &e, &live));

	CHECK(root, {"event_type", "fileinfo"}, {"fileinfo.filename", "x.bin"},
	      {"fileinfo.gaps", "true"}, {"fileinfo.state", "TRUNCATED"},
	      {"fileinfo.stored", "false"}, {"fileinfo.size", NULL, 5}, {"fileinfo.tx_id", NULL, 1},
	      {"fileinfo.sha256",
	       "0008101820283038404850586068707880889098a0a8b0b8c0c8d0d8e0e8f0f8"});
	json_decref(root);
	e.flags = EVENT_NOT_INSPECTED;
	root = parse(line, eve_event(line, sizeof(line), &e, &live));
	CHECK(root, {"fileinfo.gaps", "false"}, {"fileinfo.state", "CLOSED"},
	      {"fileinfo.sha256", "-"}, {"wireglass.flags.0", "not_inspected"});
	json_decref(root);
}

static void event_flow_fields(void **state)
{
	static const char *const reasons[] = {"timeout", "closed", "forced", "shutdown", "unknown"};
	static const char *const states[] = {"new", "established", "closed", "bypassed", "unknown"};
	struct event e = sample_event(EVENT_FLOW);
	json_t *root = parse(line, eve_event(line, sizeof(line), &e, &live));

	CHECK(root, {"event_type", "flow"}, {"tx_id", "-"}, {"direction", "-"},
	      {"flow.pkts_toserver", NULL, 3}, {"flow.pkts_toclient", NULL, 4},
	      {"flow.bytes_toserver", NULL, 300}, {"flow.bytes_toclient", NULL, 400},
	      {"flow.start", "2026-11-23T13:00:00.000000+0000"},
	      {"flow.end", "2026-11-23T13:00:12.900000+0000"}, {"flow.age", NULL, 12},
	      {"flow.alerted", "true"}, {"wireglass.payload_bytes_inspected", NULL, 100},
	      {"wireglass.payload_bytes_released", NULL, 5});
	json_decref(root);
	for (uint8_t i = 0; i < 5; i++) {
		e.flow.state = i < 4 ? i : 200;
		e.flow.reason = i < 4 ? i : 200;
		root = parse(line, eve_event(line, sizeof(line), &e, &live));
		assert_string_equal(json_string_value(at(root, "flow.state")), states[i]);
		assert_string_equal(json_string_value(at(root, "flow.reason")), reasons[i]);
		json_decref(root);
	}
	e.flow.end_ns = 0; // before the start
	root = parse(line, eve_event(line, sizeof(line), &e, &live));
	CHECK(root, {"flow.age", NULL, 0}, {"flow.end", "1970-01-01T00:00:00.000000+0000"});
	json_decref(root);
}

static void event_anomaly_fields(void **state)
{
	struct event e = sample_event(EVENT_ANOMALY);
	json_t *root = parse(line, eve_event(line, sizeof(line), &e, &live));

	CHECK(root, {"event_type", "anomaly"}, {"anomaly.type", "wireglass"},
	      {"anomaly.event", "tcp.gaps"},
	      {"anomaly.description", "holes in a stream that were skipped"});
	json_decref(root);
	e.anomaly.counter = UINT32_MAX;
	root = parse(line, eve_event(line, sizeof(line), &e, &live));
	CHECK(root, {"anomaly.event", "unknown"});
	json_decref(root);
	e.type = EVENT_N;
	assert_int_equal(eve_event(line, sizeof(line), &e, &live), 0);
}

static void stats_fields(void **state)
{
	struct counters counters;
	json_t *root;

	for (unsigned int i = 0; i < COUNTER_N; i++)
		counters.v[i] = 1000 + i;
	counters.v[CNT_RX_BYTES] = UINT64_MAX; // clipped to what a signed reader holds
	root = parse(line, eve_stats(line, sizeof(line), 0, 60, &counters, &live));
	CHECK(root, {"timestamp", "1970-01-01T00:00:00.000000+0000"}, {"event_type", "stats"},
	      {"host", "edge-7"}, {"stats.uptime", NULL, 60},
	      {"stats.capture.bytes", NULL, INT64_MAX});
	counters.v[CNT_RX_BYTES] = INT64_MAX;
	for (unsigned int i = 0; i < COUNTER_N; i++) {
		json_t *v = at(at(root, "stats"), counter_info(i)->name);

		if (!json_is_integer(v))
			fail_msg("%s is missing", counter_info(i)->name);
		assert_int_equal(json_integer_value(v), counters.v[i]);
	}
	json_decref(root);
}

static void engine_fields(void **state)
{
	static const char *const pairs[] = {"bundle", "demo", "why", "\x1b[2J", NULL};
	json_t *root =
		parse(line, eve_engine(line, sizeof(line), 1000, "rules live", pairs, &live));

	CHECK(root, {"timestamp", "1970-01-01T00:00:00.000001+0000"}, {"event_type", "engine"},
	      {"engine.message", "rules live"}, {"engine.bundle", "demo"},
	      {"engine.why", "\x1b[2J"});
	json_decref(root);
	root = parse(line, eve_engine(line, sizeof(line), UINT64_MAX, "x", NULL, &live));
	CHECK(root, {"timestamp", "2554-07-21T23:34:33.709551+0000"}, {"engine.message", "x"});
	json_decref(root);
}

// One line of a kind from 0 to KINDS - 1 into buf.
static size_t make(unsigned int kind, char *buf, size_t size, const struct hit *hit,
		   const struct event *events, const struct eve_rule *r,
		   const struct counters *counters, const struct eve_context *ctx)
{
	static const char *const pairs[] = {"a", "b", NULL};

	switch (kind) {
	case 0:
		return eve_alert(buf, size, hit, r, ctx);
	case 1:
		return eve_stats(buf, size, 1, 2, counters, ctx);
	case 2:
		return eve_engine(buf, size, 1, "message", pairs, ctx);
	default:
		return eve_event(buf, size, &events[kind - 3], ctx);
	}
}

enum {
	KINDS = 3 + EVENT_N,
};

static void buffers_too_small(void **state)
{
	struct counters counters = {{1}};
	struct event events[EVENT_N];
	struct hit hit = sample_hit();

	for (int i = 0; i < EVENT_N; i++)
		events[i] = sample_event((enum event_type)i);
	for (unsigned int kind = 0; kind < KINDS; kind++) {
		size_t full = make(kind, line, sizeof(line), &hit, events, &rule, &counters, &live);

		assert_true(full > 0);
		for (size_t size = 0; size <= full + 1; size++) {
			char *buf = malloc(size + 1);

			assert_non_null(buf);
			buf[size] = 'x';
			assert_int_equal(
				make(kind, buf, size, &hit, events, &rule, &counters, &live),
				size <= full ? 0 : full);
			assert_int_equal(buf[size], 'x');
			if (size == full + 1)
				assert_string_equal(buf, line);
			free(buf);
		}
	}
}

// Everything at its longest and worst to escape still fits in EVE_LINE_MAX.
static void worst_case(void **state)
{
	static char text[100000];
	static char lines[100000];
	struct counters counters;
	struct event events[EVENT_N];
	struct eve_context ctx = {text, text, text, UINT64_MAX, text, UINT64_MAX};
	struct eve_rule r = {text, text, lines, lines};
	static const uint8_t fills[] = {0x01, 0xff, '"', 'A', 0x80, 0xe2, '\n', ' '};

	for (size_t f = 0; f < sizeof(fills); f++) {
		struct hit hit;

		memset(text, fills[f], sizeof(text) - 1);
		for (size_t i = 0; i + 1 < sizeof(lines); i++)
			lines[i] = i % 2             ? '\n'
				   : fills[f] == 'A' ? (char)(1 + i / 2 % 255)
						     : (char)fills[f];
		memset(&hit, fills[f], sizeof(hit));
		memset(&counters, 0xff, sizeof(counters));
		for (int i = 0; i < EVENT_N; i++) {
			memset(&events[i], fills[f], sizeof(events[i]));
			events[i].type = (uint8_t)i;
			if (i == EVENT_HTTP) { // lengths as no honest sender has them
				struct event_http *h = &events[i].http;

				h->method_len = h->host_len = h->user_agent_len = 255;
				h->content_type_len = 255;
				h->url_len = h->referer_len = UINT16_MAX;
			}
			if (i == EVENT_FILEINFO)
				events[i].fileinfo.filename_len = UINT16_MAX;
		}
		for (unsigned int kind = 0; kind < KINDS; kind++)
			json_decref(parse(line, make(kind, line, sizeof(line), &hit, events, &r,
						     &counters, &ctx)));
	}
}

static void long_texts_are_cut_between_characters(void **state)
{
	static char msg[1100];
	struct eve_rule r = {.msg = msg};
	struct hit hit = sample_hit();
	json_t *root;

	for (size_t i = 0; i + 3 < sizeof(msg); i += 3)
		memcpy(msg + i, "\xe2\x82\xac", 3); // euro sign
	root = parse(line, eve_alert(line, sizeof(line), &hit, &r, &live));
	assert_int_equal(json_string_length(at(root, "alert.signature")), 1023);
	json_decref(root);
}

static void metadata_groups_keys(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{"a 1\na 2\nb 3\na 4", "{\"a\": [\"1\", \"2\", \"4\"], \"b\": [\"3\"]}"},
		{"\n\na 1\n\n", "{\"a\": [\"1\"]}"},
		{"ab 1\na 2", "{\"ab\": [\"1\"], \"a\": [\"2\"]}"},
		{" 1\n 2", "{\"\": [\"1\", \"2\"]}"},
		{"k a b  c", "{\"k\": [\"a b  c\"]}"},
	};
	struct hit hit = sample_hit();

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct eve_rule r = {.metadata = cases[i].in};
		json_t *root = parse(line, eve_alert(line, sizeof(line), &hit, &r, &live));
		char *out = json_dumps(at(root, "alert.metadata"), 0);

		assert_string_equal(out, cases[i].out);
		free(out);
		json_decref(root);
	}
}

static int print_samples(void)
{
	struct counters counters = {{1, 2, 3}};
	struct event events[EVENT_N];
	struct hit hit = sample_hit();

	for (int i = 0; i < EVENT_N; i++)
		events[i] = sample_event((enum event_type)i);
	for (unsigned int kind = 0; kind < KINDS; kind++) {
		make(kind, line, sizeof(line), &hit, events, &rule, &counters, &live);
		puts(line);
		make(kind, line, sizeof(line), &hit, events, &rule, &counters, &replay);
		puts(line);
	}
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(string_escapes),
		cmocka_unit_test(string_every_byte),
		cmocka_unit_test(addresses),
		cmocka_unit_test(alert_fields),
		cmocka_unit_test(alert_variants),
		cmocka_unit_test(event_http_fields),
		cmocka_unit_test(event_fileinfo_fields),
		cmocka_unit_test(event_flow_fields),
		cmocka_unit_test(event_anomaly_fields),
		cmocka_unit_test(stats_fields),
		cmocka_unit_test(engine_fields),
		cmocka_unit_test(buffers_too_small),
		cmocka_unit_test(worst_case),
		cmocka_unit_test(long_texts_are_cut_between_characters),
		cmocka_unit_test(metadata_groups_keys),
	};

	if (argc > 1 && strcmp(argv[1], "--sample") == 0)
		return print_samples();
	return cmocka_run_group_tests(tests, NULL, NULL);
}

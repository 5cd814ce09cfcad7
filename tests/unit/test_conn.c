// SPDX-License-Identifier: BSD-2-Clause
// The tripwire behind "payload bytes read after classification: 0" counts when it is stepped on; anomalies are told once per
// flow; other readings of a message hit and leave the connection as it was.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "dataplane/engine/conn.h"
#include "tests/unit/pipekit.h"

enum {
	OBJECTS = 16,
	INPUT_MAX = 512,
};

struct world {
	struct counters counters;
	struct detect detect;
	struct http_parser parser;
	struct pool gathers, inspects, actives, watches, watchsets, cells, windows;
	struct conn_ctx conn;
	struct ring hits, events;
	struct flow flow;
	struct http_conn room[2];
	_Alignas(64) struct http_tx txs[4];
	_Alignas(64) uint8_t gather[2][HTTP_GATHER_BYTES];
	struct inspect inspect_room[OBJECTS];
	struct active active_room[OBJECTS];
	struct watch watch_room[OBJECTS];
	struct watchset set_room[OBJECTS];
	uint8_t cell_room[OBJECTS][TCP_SEG_BYTES], window_room[4][DETECT_WINDOW_BYTES + 64];
	struct hit hit_room[OBJECTS];
	struct event event_room[OBJECTS];
	uint8_t input[INPUT_MAX + 64];
};

static int setup(void **state)
{
	struct world *w = aligned_alloc(64, (sizeof(*w) + 63) & ~(size_t)63);

	assert_non_null(w);
	memset(w, 0, sizeof(*w));
	pool_init(&w->gathers, w->gather, 2, HTTP_GATHER_BYTES);
	pool_init(&w->inspects, w->inspect_room, OBJECTS, sizeof(struct inspect));
	pool_init(&w->watches, w->watch_room, OBJECTS, sizeof(struct watch));
	pool_init(&w->watchsets, w->set_room, OBJECTS, sizeof(struct watchset));
	pool_init(&w->actives, w->active_room, OBJECTS, sizeof(struct active));
	pool_init(&w->cells, w->cell_room, OBJECTS, TCP_SEG_BYTES);
	pool_init(&w->windows, w->window_room, 4, DETECT_WINDOW_BYTES + 64);
	ring_init(&w->hits, w->hit_room, OBJECTS, sizeof(struct hit));
	ring_init(&w->events, w->event_room, OBJECTS, sizeof(struct event));
	w->detect.hits = &w->hits;
	w->detect.inspects = &w->inspects;
	w->detect.actives = &w->actives;
	w->detect.watches = &w->watches;
	w->detect.watchsets = &w->watchsets;
	w->detect.cells = &w->cells;
	w->detect.gathers = &w->gathers;
	w->detect.windows = &w->windows;
	w->conn.events = &w->events;
	pool_init(&w->conn.conns, w->room, 2, sizeof(w->room[0]));
	pool_init(&w->conn.txs, w->txs, 4, sizeof(w->txs[0]));
	w->parser.gathers = &w->gathers;
	w->parser.counters = w->conn.counters = w->detect.counters = &w->counters;
	w->conn.parser = &w->parser;
	w->conn.detect = &w->detect;
	w->flow.app = APP_HTTP;
	w->flow.http = conn_new(&w->conn, false);
	assert_non_null(w->flow.http);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	free(*state);
	return 0;
}

static const struct tcp_run request = {.data = SPAN_LIT("GET / HTTP/1.1\r\nHost: a\r\n\r\n")};

static void test_http_is_read(void **state)
{
	struct world *w = *state;

	assert_true(conn_run(&w->conn, &w->flow, DIR_TO_SERVER, &request));
	assert_int_equal(w->counters.v[CNT_HTTP_REQUESTS], 1);
	assert_int_equal(w->counters.v[CNT_APP_READ_AFTER_RELEASE], 0);
	conn_close(&w->conn, &w->flow, false);
}

static void test_released_is_not_read(void **state)
{
	static const uint8_t released[] = {APP_TLS, APP_SSH, APP_OPAQUE};
	struct world *w = *state;

	for (size_t i = 0; i < sizeof(released); i++) {
		w->flow.app = released[i];
		assert_false(conn_run(&w->conn, &w->flow, DIR_TO_SERVER, &request));
		assert_int_equal(w->counters.v[CNT_HTTP_REQUESTS], 0);
		assert_int_equal(w->counters.v[CNT_APP_READ_AFTER_RELEASE],
				 (i + 1) * request.data.len);
	}
}

// ---- anomalies ----

static void test_anomaly_once(void **state)
{
	struct world *w = *state;
	const struct event *e;

	w->conn.event_mask = 1u << EVENT_ANOMALY;
	for (int i = 0; i < 3; i++)
		conn_anomaly(&w->conn, &w->flow, DIR_TO_CLIENT, CNT_TCP_OVERLAP_DIFF);
	conn_anomaly(&w->conn, &w->flow, DIR_TO_SERVER,
		     CNT_RX_PKTS); // the first counter is one like others
	conn_anomaly(&w->conn, &w->flow, DIR_TO_SERVER, CNT_RX_PKTS);
	assert_int_equal(w->counters.v[CNT_TCP_OVERLAP_DIFF], 3);
	assert_int_equal(w->counters.v[CNT_RX_PKTS], 2);
	assert_int_equal(ring_count(&w->events), 2);
	e = ring_peek(&w->events, 0);
	assert_int_equal(e->type, EVENT_ANOMALY);
	assert_int_equal(e->anomaly.counter, CNT_TCP_OVERLAP_DIFF);
	assert_int_equal(e->addr.dir, DIR_TO_CLIENT);
	assert_int_equal(e->app, APP_HTTP);
	e = ring_peek(&w->events, 1);
	assert_int_equal(e->anomaly.counter, CNT_RX_PKTS);
	conn_close(&w->conn, &w->flow, false);
}

static void test_anomaly_bounded(void **state)
{
	struct world *w = *state;

	for (unsigned int c = 0; c < FLOW_ANOMALIES + 3; c++)
		conn_anomaly(&w->conn, &w->flow, DIR_TO_SERVER, c);
	assert_int_equal(ring_count(&w->events), 0); // nobody asked
	w->conn.event_mask = 1u << EVENT_ANOMALY;
	for (int twice = 0; twice < 2; twice++)
		for (unsigned int c = 0; c < FLOW_ANOMALIES + 3; c++)
			conn_anomaly(&w->conn, &w->flow, DIR_TO_SERVER, c);
	assert_int_equal(ring_count(&w->events), FLOW_ANOMALIES);
	assert_int_equal(w->counters.v[FLOW_ANOMALIES + 2], 3);
	conn_close(&w->conn, &w->flow, false);
	// A flow that is not HTTP has anomalies, too.
	memset(w->flow.anomalies, 0, sizeof(w->flow.anomalies));
	conn_anomaly(&w->conn, &w->flow, DIR_TO_SERVER, CNT_TCP_URGENT);
	assert_int_equal(ring_count(&w->events), FLOW_ANOMALIES + 1);
}

// ---- other readings ----

static const char alt_rules[] =
	"alert http any any -> any any (http.uri; content:\"/plain\"; sid:1;)\n"
	"alert http any any -> any any (http.request_body; content:\"other-body\"; sid:2;)\n"
	"alert tcp any any -> any any (content:\"other-raw\"; sid:3;)\n"
	"alert http any any -> any any (http.uri; content:\"/zqxgate-plain\"; "
	"http.request_body; content:\"gated\"; sid:4;)\n"
	"alert http any any -> any any (http.uri; content:\"/smuggled\"; sid:5;)\n";

static struct span input(struct world *w, const char *text)
{
	size_t n = strlen(text);

	assert_true(n <= INPUT_MAX);
	memcpy(w->input, text, n);
	return span_of(w->input, n);
}

static void feed(struct world *w, const char *text)
{
	const struct tcp_run run = {.data = input(w, text)};

	assert_true(conn_run(&w->conn, &w->flow, DIR_TO_SERVER, &run));
}

static void alt(struct world *w, const char *text)
{
	conn_alt(&w->conn, &w->flow, DIR_TO_SERVER, input(w, text));
}

static uint32_t hits_of(struct world *w, uint32_t sid, uint16_t flags)
{
	uint32_t n = 0;

	for (uint64_t i = 0; i < ring_count(&w->hits); i++) {
		const struct hit *h = ring_peek(&w->hits, i);

		n += h->sid == sid && (h->flags & HIT_AMBIGUOUS) == flags;
	}
	return n;
}

static void test_alt_hits(void **state)
{
	struct world *w = *state;
	struct ruleset *rs = kit_ruleset(alt_rules, 1, NULL);

	w->detect.rs = rs;
	feed(w, "POST /zqxgate-plain HTTP/1.1\r\nContent-Length: 8\r\n\r\nabcd");
	assert_int_equal(hits_of(w, 1, 0), 0);
	alt(w, "other-bo"); // goes on in the next one
	alt(w, "dy gat");
	alt(w, "ed other-raw");
	assert_int_equal(hits_of(w, 2, HIT_AMBIGUOUS), 1);
	assert_int_equal(hits_of(w, 3, HIT_AMBIGUOUS), 1);
	assert_int_equal(hits_of(w, 4, HIT_AMBIGUOUS), 1); // what the head said counts
	alt(w, "GET /smuggled HTTP/1.1\r\n\r\n");
	assert_int_equal(hits_of(w, 5, HIT_AMBIGUOUS), 1);
	// The connection's own reading is where it was.
	feed(w, "efghGET /plain HTTP/1.1\r\n\r\n");
	assert_int_equal(hits_of(w, 1, 0), 1);
	assert_int_equal(w->counters.v[CNT_HTTP_REQUESTS], 2);
	assert_int_equal(ring_count(&w->hits), 5);
	assert_int_equal(w->counters.v[CNT_HTTP_ALT_BYTES], 8 + 6 + 12 + 26);
	conn_close(&w->conn, &w->flow, true);
	assert_int_equal(w->inspects.used + w->actives.used + w->watches.used + w->watchsets.used +
				 w->gathers.used + w->cells.used + w->windows.used,
			 0);
	ruleset_free(rs);
}

// Without a budget, without room, without a message.
static void test_alt_starved(void **state)
{
	struct world *w = *state;
	struct ruleset *rs = kit_ruleset(alt_rules, 1, NULL);
	void *taken[OBJECTS];

	alt(w, "other-body"); // no rule set
	assert_int_equal(w->counters.v[CNT_HTTP_ALT_BYTES], 0);
	w->detect.rs = rs;
	alt(w, "other-body"); // between messages
	assert_int_equal(hits_of(w, 2, HIT_AMBIGUOUS), 1);
	feed(w, "POST / HTTP/1.1\r\nContent-Length: 8\r\n\r\nabcdefgh");
	assert_int_equal(w->inspects.used, 0);
	for (int i = 0; i < OBJECTS; i++)
		taken[i] = pool_get(&w->inspects);
	alt(w, "other-body");
	assert_int_equal(hits_of(w, 2, HIT_AMBIGUOUS), 1);
	assert_int_equal(w->counters.v[CNT_HTTP_ALT_LIMIT], 1);
	for (int i = 0; i < OBJECTS; i++)
		pool_put(&w->inspects, taken[i]);
	w->flow.http->alt_bytes = CONN_ALT_BYTES_MAX - 5;
	alt(w, "other-body");
	assert_int_equal(hits_of(w, 2, HIT_AMBIGUOUS), 1);
	assert_int_equal(w->counters.v[CNT_HTTP_ALT_LIMIT], 2);
	alt(w, "other-body");
	assert_int_equal(w->counters.v[CNT_HTTP_ALT_LIMIT], 3);
	assert_int_equal(w->flow.http->alt_bytes, CONN_ALT_BYTES_MAX);
	conn_close(&w->conn, &w->flow, false);
	assert_int_equal(w->inspects.used + w->actives.used + w->watches.used + w->watchsets.used +
				 w->gathers.used,
			 0);
	alt(w, "other-body"); // nothing is left to be read
	ruleset_free(rs);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_http_is_read, setup, teardown),
		cmocka_unit_test_setup_teardown(test_released_is_not_read, setup, teardown),
		cmocka_unit_test_setup_teardown(test_anomaly_once, setup, teardown),
		cmocka_unit_test_setup_teardown(test_anomaly_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(test_alt_hits, setup, teardown),
		cmocka_unit_test_setup_teardown(test_alt_starved, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: BSD-2-Clause
// The tripwire behind "payload bytes read after classification: 0": it counts when it is stepped on.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "dataplane/engine/conn.h"

struct world {
	struct counters counters;
	struct detect detect;
	struct http_parser parser;
	struct pool gathers;
	struct conn_ctx conn;
	struct flow flow;
	struct http_conn room[2];
	_Alignas(64) struct http_tx txs[4];
	_Alignas(64) uint8_t gather[HTTP_GATHER_BYTES];
};

static int setup(void **state)
{
	struct world *w = aligned_alloc(64, (sizeof(*w) + 63) & ~(size_t)63);

	assert_non_null(w);
	memset(w, 0, sizeof(*w));
	pool_init(&w->gathers, w->gather, 1, HTTP_GATHER_BYTES);
	pool_init(&w->conn.conns, w->room, 2, sizeof(w->room[0]));
	pool_init(&w->conn.txs, w->txs, 4, sizeof(w->txs[0]));
	w->parser.gathers = &w->gathers;
	w->parser.counters = w->conn.counters = w->detect.counters = &w->counters;
	w->conn.parser = &w->parser;
	w->conn.detect = &w->detect;
	w->flow.app = APP_HTTP;
	w->flow.http = conn_new(&w->conn);
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

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_http_is_read, setup, teardown),
		cmocka_unit_test_setup_teardown(test_released_is_not_read, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

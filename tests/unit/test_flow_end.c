// SPDX-License-Identifier: BSD-2-Clause
// What a flow holds to read HTTP goes back as soon as each side knows of the other's end, and not before.
#include "tests/unit/pipekit.h"

static const char rules[] =
	"alert http any any -> any any (http.uri; content:\"/needle\"; sid:1;)\n"
	"alert http any any -> any any (http.response_body; content:\"THE-END\"; endswith; "
	"sid:2;)\n"
	"alert tcp any any -> any any (content:\"TOO-LATE\"; sid:3;)\n";

static const char request[] = "GET /needle HTTP/1.1\r\nHost: a\r\n\r\n";
static const char response[] = "HTTP/1.1 200 OK\r\n\r\nuntil THE-END";

// A connection with both messages; of its end the first n_end of FIN, FIN, ACK.
static void connection(struct kit *k, uint16_t port, uint32_t n_end, struct kit_list *l)
{
	k->ends.port[0] = port;
	kit_open(l, 1000u * port, 77u * port);
	kit_add(l, 0, KIT_ACK, span_of(request, sizeof(request) - 1));
	kit_add(l, 1, KIT_ACK, span_of(response, sizeof(response) - 1));
	kit_close(l);
	kit_feed(k, l->v, l->n - 3 + n_end, 1);
	kit_books(k);
}

static void with_room_for_one(struct kit *k, struct ruleset *rs)
{
	struct pipeline_conf conf = kit_conf();

	conf.flows = 2048;
	conf.conns = 1;
	kit_init(k, &conf, rs);
}

static void test_one_after_the_other(void **state)
{
	struct ruleset *rs = kit_ruleset(rules, 1, NULL);
	struct kit_list l = {0};
	struct kit k;

	(void)state;
	with_room_for_one(&k, rs);
	for (uint16_t i = 0; i < 1000; i++)
		connection(&k, (uint16_t)(1024 + i), 3, &l);
	assert_int_equal(kit_count(&k, CNT_HTTP_NO_CONN), 0);
	assert_int_equal(k.n_hits, 2 * 1000);
	assert_int_equal(k.n_events, 2 * 1000); // a transaction and its file each
	// The flows themselves stay: their late segments find them.
	assert_int_equal(kit_count(&k, CNT_FLOW_ACTIVE), 1000);
	kit_flush(&k);
	assert_int_equal(k.n_hits, 2 * 1000);
	kit_done(&k);
	free(l.v);
	ruleset_free(rs);
}

// Until the server knows that the client has heard its end, it may send again, and other bytes.
static void test_end_not_acknowledged(void **state)
{
	struct ruleset *rs = kit_ruleset(rules, 1, NULL);
	struct kit_list l = {0};
	struct kit k;

	(void)state;
	for (uint32_t n_end = 0; n_end <= 3; n_end++) {
		with_room_for_one(&k, rs);
		connection(&k, 1024, n_end, &l);
		connection(&k, 1025, n_end, &l);
		assert_int_equal(kit_count(&k, CNT_HTTP_NO_CONN), n_end < 3);
		kit_flush(&k);
		kit_done(&k);
	}
	free(l.v);
	ruleset_free(rs);
}

// What comes later is nobody's, whatever it says.
static void test_late_segments(void **state)
{
	static const char late[] = "GET /needle TOO-LATE";
	struct ruleset *rs = kit_ruleset(rules, 1, NULL);
	struct kit_list l = {0};
	struct kit k;

	(void)state;
	with_room_for_one(&k, rs);
	connection(&k, 1024, 3, &l);
	assert_int_equal(k.n_hits, 2);
	for (uint8_t dir = 0; dir < 2; dir++) {
		for (int32_t at = -40; at <= 40; at++) {
			struct pktgen_seg s = {
				.dir = dir,
				.flags = KIT_ACK | (at % 3 == 0 ? KIT_FIN : 0),
				.window = 65535,
				.seq = l.next[dir] + (uint32_t)at,
				.ack = l.next[!dir],
				.data = span_of(late, sizeof(late) - 1),
			};

			kit_feed(&k, &s, 1, 1);
			kit_books(&k);
		}
	}
	assert_int_equal(k.n_hits, 2);
	assert_int_equal(kit_count(&k, CNT_HTTP_TRANSACTIONS), 1);
	kit_flush(&k);
	// And the port is used again: a flow of its own.
	connection(&k, 1024, 3, &l);
	assert_int_equal(k.n_hits, 4);
	kit_flush(&k);
	kit_done(&k);
	free(l.v);
	ruleset_free(rs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_after_the_other),
		cmocka_unit_test(test_end_not_acknowledged),
		cmocka_unit_test(test_late_segments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: BSD-2-Clause
// Drop and reject rules where traffic may be stopped: which frames of a burst are, and which are not.
#include "tests/unit/pipekit.h"

static const char rules[] =
	"drop http any any -> any any (flow:to_server; http.uri; content:\"/drop\"; sid:1;)\n"
	"reject http any any -> any any (flow:to_client; http.response_body; content:\"REJECT\"; "
	"sid:2;)\n"
	"alert http any any -> any any (flow:to_server; http.uri; content:\"/alert\"; sid:3;)\n"
	"drop http any any -> any any (flow:to_server; http.uri; content:\"/quiet\"; noalert; "
	"sid:4;)\n"
	"pass http any any -> any any (flow:to_server; http.uri; content:\"/pass\"; sid:5;)\n";

static struct span text(const char *s)
{
	return span_of((const uint8_t *)s, strlen(s));
}

// The verdict on one more segment of the list.
static struct pipeline_verdict feed_last(struct kit *k, struct kit_list *l, uint8_t dir,
					 const char *s)
{
	kit_add(l, dir, KIT_ACK, text(s));
	kit_feed(k, &l->v[l->n - 1], 1, 1);
	return pipeline_verdict(k->p);
}

static void begin(struct kit *k, struct kit_list *l, bool enforce, struct ruleset *rs)
{
	struct pipeline_conf conf = kit_conf();

	conf.enforce = enforce;
	kit_init(k, &conf, rs);
	memset(l, 0, sizeof(*l));
	kit_open(l, 100, 500);
	kit_feed(k, l->v, l->n, 1);
}

static void finish(struct kit *k, struct kit_list *l)
{
	kit_flush(k);
	kit_done(k);
	free(l->v);
}

#define GET(uri) "GET " uri " HTTP/1.1\r\nHost: a\r\n\r\n"
#define ANSWER   "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n"

static void test_off(void **state)
{
	struct ruleset *rs = kit_ruleset(rules, 1, NULL);
	struct kit_list l;
	struct kit k;

	begin(&k, &l, false, rs);
	assert_int_equal(feed_last(&k, &l, 0, GET("/drop")).blocked, 0);
	assert_int_equal(feed_last(&k, &l, 1, ANSWER "12REJECT3456").blocked, 0);
	assert_int_equal(k.n_hits, 2);
	assert_int_equal(k.hits[0].flags & HIT_BLOCKED, 0);
	assert_int_equal(kit_count(&k, CNT_BLOCKED_FLOWS), 0);
	assert_int_equal(kit_count(&k, CNT_BLOCKED_PKTS), 0);
	finish(&k, &l);
	ruleset_free(rs);
}

static void test_drop(void **state)
{
	struct ruleset *rs = kit_ruleset(rules, 1, NULL);
	struct pipeline_verdict v;
	struct kit_list l;
	struct kit k;

	begin(&k, &l, true, rs);
	assert_int_equal(feed_last(&k, &l, 0, GET("/alert")).blocked, 0);
	assert_int_equal(feed_last(&k, &l, 1, ANSWER "123456789012").blocked, 0);
	v = feed_last(&k, &l, 0, GET("/drop"));
	assert_int_equal(v.blocked, 1);
	assert_int_equal(v.rejected, 0);
	// the rest of the flow, both directions, nothing of it is read
	assert_int_equal(feed_last(&k, &l, 1, ANSWER "12REJECT3456").blocked, 1);
	assert_int_equal(feed_last(&k, &l, 0, GET("/alert")).blocked, 1);
	kit_close(&l);
	for (int i = 3; i > 0; i--) {
		kit_feed(&k, &l.v[l.n - (uint32_t)i], 1, 1);
		assert_int_equal(pipeline_verdict(k.p).blocked, 1);
	}
	assert_int_equal(k.n_hits, 2);
	assert_int_equal(k.hits[0].sid, 3);
	assert_int_equal(k.hits[0].flags & HIT_BLOCKED, 0);
	assert_int_equal(k.hits[1].sid, 1);
	assert_int_equal(k.hits[1].flags & HIT_BLOCKED, HIT_BLOCKED);
	assert_int_equal(kit_count(&k, CNT_BLOCKED_FLOWS), 1);
	assert_int_equal(kit_count(&k, CNT_BLOCKED_PKTS), 6);
	// the same hosts and ports may begin again
	l.n = 0;
	kit_open(&l, 90000, 80000);
	kit_feed(&k, l.v, l.n, 1);
	assert_int_equal(pipeline_verdict(k.p).blocked, 0);
	assert_int_equal(feed_last(&k, &l, 0, GET("/alert")).blocked, 0);
	assert_int_equal(k.n_hits, 3);
	finish(&k, &l);
	ruleset_free(rs);
}

static void test_reject(void **state)
{
	struct ruleset *rs = kit_ruleset(rules, 1, NULL);
	struct pipeline_verdict v;
	struct kit_list l;
	struct kit k;

	begin(&k, &l, true, rs);
	feed_last(&k, &l, 0, GET("/"));
	assert_int_equal(feed_last(&k, &l, 1, ANSWER "12REJ").blocked, 0);
	v = feed_last(&k, &l, 1, "ECT3456");
	assert_int_equal(v.blocked, 1);
	assert_int_equal(v.rejected, 1);
	v = feed_last(&k, &l, 0, GET("/"));
	assert_int_equal(v.rejected, 1);
	finish(&k, &l);

	// without an alert it is stopped all the same
	begin(&k, &l, true, rs);
	assert_int_equal(feed_last(&k, &l, 0, GET("/quiet")).blocked, 1);
	assert_int_equal(k.n_hits, 0);
	assert_int_equal(kit_count(&k, CNT_BLOCKED_FLOWS), 1);
	finish(&k, &l);

	// what a pass rule has silenced is not stopped
	begin(&k, &l, true, rs);
	assert_int_equal(feed_last(&k, &l, 0, GET("/pass")).blocked, 0);
	assert_int_equal(feed_last(&k, &l, 1, ANSWER "12REJECT3456").blocked, 0);
	finish(&k, &l);

	// nor when it is another message of the same segment
	begin(&k, &l, true, rs);
	assert_int_equal(feed_last(&k, &l, 0, GET("/drop") GET("/pass")).blocked, 0);
	assert_int_equal(k.n_hits, 0);
	assert_int_equal(kit_count(&k, CNT_BLOCKED_FLOWS), 0);
	finish(&k, &l);
	ruleset_free(rs);
}

// In a burst with frames of other flows the bit is that of the frame.
static void test_which(void **state)
{
	struct ruleset *rs = kit_ruleset(rules, 1, NULL);
	struct kit_list l;
	struct kit k;

	begin(&k, &l, true, rs);
	kit_add(&l, 1, KIT_ACK, SPAN_NONE);
	kit_add(&l, 0, KIT_ACK, text(GET("/alert")));
	kit_add(&l, 0, KIT_ACK, text(GET("/drop")));
	kit_add(&l, 1, KIT_ACK, SPAN_NONE);
	kit_feed(&k, l.v + 3, l.n - 3, 4);
	assert_int_equal(pipeline_verdict(k.p).blocked, 0xc);
	finish(&k, &l);
	ruleset_free(rs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_off),
		cmocka_unit_test(test_drop),
		cmocka_unit_test(test_reject),
		cmocka_unit_test(test_which),
	};

	return cmocka_run_group_tests_name("enforce", tests, NULL, NULL);
}

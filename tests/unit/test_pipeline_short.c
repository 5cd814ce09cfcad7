// SPDX-License-Identifier: BSD-2-Clause
// A pipeline that lacks something: room in a pool or a ring, rules that stay, memory.
#include "tests/unit/cutkit.h"

// ---- pools too small ----

// All conversations at once, segments of different ones in turn, reordered. Returns the hits that are due.
static uint32_t crowd(struct kit *k, uint64_t seed)
{
	struct cut cut = {"crowd", 400, true, .reorder = true};
	struct kit_list lists[KIT_N(convs)] = {0};
	struct span bytes[KIT_N(convs)][SAYS] = {0};
	uint32_t at[KIT_N(convs)] = {0}, left = 0, due = 0;

	for (size_t i = 0; i < KIT_N(convs); i++) {
		for (int s = 0; s < SAYS && convs[i].say[s].head != NULL; s++)
			bytes[i][s] = conv_bytes(&convs[i].say[s]);
		cut_make(&lists[i], &convs[i], bytes[i], &cut, &seed);
		left += lists[i].n;
		for (const char *w = convs[i].want; *w != '\0'; w++)
			due += w == convs[i].want || *w == ' ';
	}
	while (left > 0) {
		uint32_t i = kit_below(&seed, KIT_N(convs)), n = 1 + kit_below(&seed, 4);

		if (n > lists[i].n - at[i])
			n = lists[i].n - at[i];
		k->ends.port[0] = (uint16_t)(40000 + i);
		kit_feed(k, lists[i].v + at[i], n, 4);
		kit_books(k);
		at[i] += n;
		left -= n;
	}
	for (size_t i = 0; i < KIT_N(convs); i++) {
		free(lists[i].v);
		for (int s = 0; s < SAYS; s++)
			free((void *)(uintptr_t)bytes[i][s].data);
	}
	return due;
}

static void test_small_pools(void **state)
{
	static const struct {
		const char *name;
		size_t member;
		enum counter tells;
	} pools[] = {
		{"flows", offsetof(struct pipeline_conf, flows), CNT_FLOW_EVICTED},
		{"segments", offsetof(struct pipeline_conf, segments), CNT_TCP_GAPS},
		{"conns", offsetof(struct pipeline_conf, conns), CNT_HTTP_NO_CONN},
		{"messages", offsetof(struct pipeline_conf, messages), CNT_HTTP_NO_MESSAGE},
		{"heads", offsetof(struct pipeline_conf, heads), CNT_HTTP_HEAD_NO_BUFFER},
		{"inflaters", offsetof(struct pipeline_conf, inflaters), CNT_DECODE_NO_STATE},
		{"windows", offsetof(struct pipeline_conf, windows), CNT_WINDOW_NONE},
	};
	struct ruleset *rs = kit_ruleset(conv_rules, 1, NULL);
	struct pipeline_conf ample = kit_conf();
	struct kit k;
	uint32_t due;

	ample.flows = 128;
	ample.heads = ample.windows = ample.inflaters = 100;
	ample.conns = 1000; // of which few may become HTTP/2
	ample.messages = 1000;
	kit_init(&k, &ample, rs);
	due = crowd(&k, 24);
	kit_flush(&k);
	for (size_t i = 0; i < KIT_N(pools); i++)
		assert_int_equal(kit_count(&k, pools[i].tells), 0);
	assert_int_equal(k.n_hits, due);
	kit_done(&k);
	// One pool after the other with room for one and for two, then all of them.
	for (size_t i = 0; i <= 2 * KIT_N(pools); i++) {
		struct pipeline_conf conf = ample;
		const uint32_t room = 1 + i % 2;

		for (size_t j = 0; j < KIT_N(pools); j++)
			if (i / 2 == j || i == 2 * KIT_N(pools))
				memcpy((uint8_t *)&conf + pools[j].member, &room, sizeof(room));
		kit_init(&k, &conf, rs);
		// Whether two of a kind meet a third depends on who is when.
		for (uint64_t seed = 24; seed < 30; seed++) {
			crowd(&k, seed);
			kit_flush(&k);
			assert_false(ruleset_in_use(rs));
			if (i == 2 * KIT_N(pools) || kit_count(&k, pools[i / 2].tells) > 0)
				break;
		}
		if (i < 2 * KIT_N(pools) && kit_count(&k, pools[i / 2].tells) == 0)
			fail_msg("room for %u %s: %s stays 0", room, pools[i / 2].name,
				 counter_info(pools[i / 2].tells)->name);
		kit_done(&k);
	}
	ruleset_free(rs);
}

// ---- rule sets come and go ----

static void say(struct kit *k, struct kit_list *l, uint8_t dir, const char *text)
{
	l->n = 0;
	kit_data(l, dir, span_of(text, strlen(text)), 30, NULL);
	kit_feed(k, l->v, l->n, 8);
}

static void test_ruleset_swap(void **state)
{
	static const char rule[] =
		"alert http any any -> any any (http.method; content:\"POST\"; "
		"file.data; content:\"alpha\"; content:\"omega\"; distance:0; sid:%d;)";
	struct pipeline_conf conf = kit_conf();
	struct kit_list l = {0};
	struct ruleset *rs[3];
	struct kit k;
	char text[300];

	for (int i = 0; i < 3; i++) {
		snprintf(text, sizeof(text), rule, i + 1);
		rs[i] = kit_ruleset(text, (uint32_t)i + 10, NULL);
	}
	kit_init(&k, &conf, rs[0]);
	kit_open(&l, 1, 1);
	kit_feed(&k, l.v, l.n, 8);
	// A body that began under the first set ends under it; the message behind it is inspected with the second.
	say(&k, &l, 0, "POST / HTTP/1.1\r\nContent-Length: 12\r\n\r\nalpha");
	assert_true(ruleset_in_use(rs[0]));
	pipeline_set_ruleset(k.p, rs[1]);
	assert_false(ruleset_in_use(rs[1]));
	say(&k, &l, 0, " -omegaPOST / HTTP/1.1\r\nContent-Length: 18\r\n\r\nalpha");
	assert_int_equal(k.n_hits, 1);
	assert_int_equal(k.hits[0].sid, 1);
	assert_int_equal(k.hits[0].generation, 10);
	assert_int_equal(k.hits[0].tx_id, 0);
	assert_false(ruleset_in_use(rs[0]));
	assert_true(ruleset_in_use(rs[1]));
	// The grace time is over: the body goes on uninspected, the connection does not.
	pipeline_set_ruleset(k.p, rs[2]);
	pipeline_release_old(k.p);
	assert_int_equal(kit_count(&k, CNT_OLD_RELEASED), 1);
	assert_false(ruleset_in_use(rs[1]));
	pipeline_release_old(k.p);
	assert_int_equal(kit_count(&k, CNT_OLD_RELEASED), 1);
	say(&k, &l, 0, "      -omegaxPOST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nalphaomega");
	assert_int_equal(k.n_hits, 2);
	assert_int_equal(k.hits[1].sid, 3);
	assert_int_equal(k.hits[1].generation, 12);
	assert_int_equal(k.hits[1].tx_id, 2);
	// No rule set: nothing is inspected, and that is counted.
	pipeline_set_ruleset(k.p, NULL);
	say(&k, &l, 0, "POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nalphaomega");
	assert_int_equal(k.n_hits, 2);
	assert_int_equal(kit_count(&k, CNT_RX_NO_RULESET), 1);
	kit_flush(&k);
	assert_int_equal(kit_count(&k, CNT_HTTP_TRANSACTIONS), 4);
	for (int i = 0; i < 3; i++) {
		assert_false(ruleset_in_use(rs[i]));
		ruleset_free(rs[i]);
	}
	kit_done(&k);
	free(l.v);
}

static void test_full_rings(void **state)
{
	struct ruleset *rs = kit_ruleset(
		"alert http any any -> any any (http.uri; content:\"/hit\"; sid:1;)", 1, NULL);
	static const char get[] = "GET /hit HTTP/1.1\r\n\r\n";
	struct pipeline_conf conf = kit_conf();
	struct kit_list l = {0};
	struct kit k;

	conf.hits = 4;
	conf.events = 2;
	kit_init(&k, &conf, rs);
	kit_open(&l, 1, 1);
	for (int i = 0; i < 10; i++)
		kit_data(&l, 0, span_of(get, strlen(get)), 100, NULL);
	kit_feed(&k, l.v, l.n, 64);
	assert_int_equal(k.n_hits, 4);
	l.n = 0;
	kit_data(&l, 0, span_of(get, strlen(get)), 100, NULL);
	kit_feed(&k, l.v, l.n, 64);
	assert_int_equal(k.n_hits, 5);
	for (uint32_t i = 0; i < 5; i++) {
		assert_int_equal(k.hits[i].seq, i < 4 ? i + 1 : 11);
		assert_int_equal(k.hits[i].tx_id, i < 4 ? i : 10);
	}
	assert_int_equal(kit_count(&k, CNT_HITS), 11);
	assert_int_equal(kit_count(&k, CNT_HITS_LOST), 6);
	kit_flush(&k);
	assert_int_equal(kit_count(&k, CNT_EVENTS) + kit_count(&k, CNT_EVENTS_LOST), 11);
	assert_int_equal(kit_count(&k, CNT_EVENTS), 2);
	kit_done(&k);
	ruleset_free(rs);
	free(l.v);
}

// ---- memory ----

static void test_init_refuses(void **state)
{
	struct pipeline_conf conf = kit_conf();
	size_t bytes = pipeline_memory(&conf);
	uint8_t *mem = aligned_alloc(64, ((bytes + 63) & ~(size_t)63) + 64);
	struct pipeline *p = NULL;

	assert_non_null(mem);
	memset(mem, 0, bytes);
	assert_int_equal(pipeline_init(mem, bytes - 1, &conf, &p), -EINVAL);
	assert_int_equal(pipeline_init(mem + 8, bytes, &conf, &p), -EINVAL);
	assert_null(p);
	assert_int_equal(pipeline_init(mem, bytes, &conf, &p), 0);
	pipeline_done(p);
	pipeline_done(NULL);
	free(mem);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_small_pools),
		cmocka_unit_test(test_ruleset_swap),
		cmocka_unit_test(test_full_rings),
		cmocka_unit_test(test_init_refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

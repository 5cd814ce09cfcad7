// SPDX-License-Identifier: BSD-2-Clause
// Under overload bodies of large flows are passed over: what was found stays, nothing wrong is said of the rest, and it is told.
#include "dataplane/overload.h"
#include "tests/unit/cutkit.h"

// ---- levels ----

static void seconds(struct overload *o, unsigned int n, bool lost, uint64_t full)
{
	while (n-- > 0)
		overload_step(o, lost, 1000, full);
}

static void test_levels(void **state)
{
	struct overload o = {0};

	seconds(&o, 3, true, 749); // lost, but not for want of time
	seconds(&o, 3, false, 1000);
	assert_int_equal(o.level, 0);
	assert_int_equal(overload_skip_from(&o), 0);
	seconds(&o, 1, true, 750);
	assert_int_equal(o.level, 1);
	assert_int_equal(overload_skip_from(&o), 16 << 20);
	seconds(&o, 100, false, 250); // in between
	assert_int_equal(o.level, 1);
	seconds(&o, 20, true, 1000);
	assert_int_equal(o.level, OVERLOAD_LEVELS);
	assert_int_equal(overload_skip_from(&o), 16 << 10);
	seconds(&o, OVERLOAD_CALM - 1, false, 0);
	seconds(&o, 1, true, 0); // the calm begins anew
	seconds(&o, OVERLOAD_CALM - 1, false, 249);
	assert_int_equal(o.level, OVERLOAD_LEVELS);
	overload_step(&o, false, 0, 0); // no traffic at all
	assert_int_equal(o.level, OVERLOAD_LEVELS - 1);
	seconds(&o, (OVERLOAD_LEVELS - 1) * OVERLOAD_CALM, false, 0);
	assert_int_equal(o.level, 0);
	seconds(&o, 100, false, 0);
	seconds(&o, 1, true, 1000);
	assert_int_equal(o.level, 1);
}

// ---- one body ----

static const char rules[] =
	"alert http any any -> any any (file.data; content:\"early\"; sid:1;)\n"
	"alert http any any -> any any (file.data; content:\"late\"; sid:2;)\n"
	"alert http any any -> any any (file.data; content:\"early\"; content:!\"nowhere\"; "
	"sid:3;)\n"
	"alert http any any -> any any (http.uri; content:\"/behind\"; sid:4;)\n"
	"alert tcp any any -> any any (content:\"late\"; sid:5;)\n"
	"alert http any any -> any any (filesize:<100000; sid:6;)\n";

static uint32_t hits_of(const struct kit *k, uint32_t sid)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < k->n_hits; i++)
		n += k->hits[i].sid == sid;
	return n;
}

static uint32_t events_with(const struct kit *k, uint8_t type, uint16_t flag)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < k->n_events; i++)
		n += k->events[i].type == type && (k->events[i].flags & flag) != 0;
	return n;
}

enum { BODY = 40000, PIECE = 1000 };

// An upload that says "early" in its first piece and "late" in its last, and a request behind it on the same connection.
static void upload(struct kit *k, bool chunked, uint64_t skip_from)
{
	char *said = malloc(2 * BODY), *at = said;
	struct kit_list l = {0};

	at += sprintf(at, "POST /up HTTP/1.1\r\nHost: a\r\n");
	at += chunked ? sprintf(at, "Transfer-Encoding: chunked\r\n\r\n")
		      : sprintf(at, "Content-Length: %d\r\n\r\n", BODY);
	for (int i = 0; i < BODY / PIECE; i++) {
		at += chunked ? sprintf(at, "%x\r\n", PIECE) : 0;
		memset(at, '.', PIECE);
		if (i == 0)
			memcpy(at + 10, "early", 5);
		if (i == BODY / PIECE - 1)
			memcpy(at + 10, "late", 4);
		at += PIECE;
		at += chunked ? sprintf(at, "\r\n") : 0;
	}
	at += sprintf(at, "%sGET /behind HTTP/1.1\r\nHost: a\r\n\r\n", chunked ? "0\r\n\r\n" : "");
	pipeline_skip_bodies(k->p, skip_from);
	kit_open(&l, 1000, 2000);
	kit_data(&l, 0, span_of(said, (size_t)(at - said)), 700, NULL);
	kit_close(&l);
	kit_feed(k, l.v, l.n, 4);
	kit_flush(k);
	free(l.v);
	free(said);
}

static void test_body(void **state)
{
	struct ruleset *rs = kit_ruleset(rules, 1, NULL);
	struct pipeline_conf conf = kit_conf();

	for (int i = 0; i < 8; i++) {
		const bool chunked = i % 2 != 0, skipped = i / 2 % 2 != 0, at_once = i / 4 != 0;
		struct coverage c;
		struct kit k;

		kit_init(&k, &conf, rs);
		upload(&k, chunked, !skipped ? BODY * 2 : at_once ? 1 : BODY / 2);
		coverage_of(pipeline_counters(k.p), &c);
		assert_int_equal(hits_of(&k, 1), 1);
		assert_int_equal(hits_of(&k, 4), 1);
		assert_int_equal(hits_of(&k, 2), !skipped);
		assert_int_equal(hits_of(&k, 3), !skipped);
		assert_int_equal(hits_of(&k, 5), !skipped);
		assert_int_equal(hits_of(&k, 6), !skipped);
		assert_int_equal(kit_count(&k, CNT_OVERLOAD_BODIES), skipped);
		assert_int_equal(kit_count(&k, CNT_HTTP_BODY_BYTES), BODY);
		assert_int_equal(c.bytes[COVERAGE_OVERLOAD], kit_count(&k, CNT_OVERLOAD_BYTES));
		if (skipped && at_once)
			assert_in_range(c.bytes[COVERAGE_OVERLOAD], BODY - PIECE, BODY - 1);
		else
			assert_in_range(c.bytes[COVERAGE_OVERLOAD], skipped ? BODY / 3 : 0,
					skipped ? BODY * 6 / 10 : 0);
		assert_int_equal(events_with(&k, EVENT_HTTP, EVENT_NOT_INSPECTED), skipped);
		assert_int_equal(events_with(&k, EVENT_FILEINFO, EVENT_NOT_INSPECTED), skipped);
		assert_int_equal(events_with(&k, EVENT_FILEINFO, EVENT_HAS_HASH), !skipped);
		assert_int_equal(events_with(&k, EVENT_FILEINFO, EVENT_TRUNCATED), skipped);
		kit_done(&k);
	}
	ruleset_free(rs);
}

// ---- every conversation ----

static bool is_due(const struct conv *c, const struct hit *h)
{
	char text[40];
	size_t n = (size_t)snprintf(text, sizeof(text), "%u:%u:%u", h->sid, h->addr.dir, h->tx_id);

	for (const char *w = strstr(c->want, text); w != NULL; w = strstr(w + 1, text))
		if ((w == c->want || w[-1] == ' ') && (w[n] == ' ' || w[n] == '\0'))
			return true;
	return false;
}

// Overload comes and goes, or stays, in the middle of anything: no hit that is not due, nothing kept, the books balance (kit_flush).
static void test_conversations(void **state)
{
	struct ruleset *rs = kit_ruleset(conv_rules, 1, NULL);
	struct pipeline_conf conf = kit_conf();
	uint64_t bodies = 0, seed = 6;

	for (size_t i = 0; i < KIT_N(convs) * 6; i++) {
		const struct conv *c = &convs[i / 6];
		const struct cut cut = {"overload", i % 2 != 0 ? 90 : 9, true,
					.reorder = i % 3 == 0};
		struct span bytes[SAYS] = {0};
		struct kit_list l = {0};
		struct kit k;

		for (int s = 0; s < SAYS && c->say[s].head != NULL; s++)
			bytes[s] = conv_bytes(&c->say[s]);
		cut_make(&l, c, bytes, &cut, &seed);
		kit_init(&k, &conf, rs);
		for (uint32_t at = 0; at < l.n; at++) {
			pipeline_skip_bodies(k.p, i % 3 == 1 || kit_below(&seed, 2) == 0);
			kit_feed(&k, l.v + at, 1, 1);
		}
		kit_flush(&k);
		assert_false(ruleset_in_use(rs));
		for (uint32_t h = 0; h < k.n_hits; h++)
			if (!is_due(c, &k.hits[h]))
				fail_msg("%s: a hit of rule %u is not due", c->name, k.hits[h].sid);
		bodies += kit_count(&k, CNT_OVERLOAD_BODIES);
		assert_int_equal(kit_count(&k, CNT_OVERLOAD_BODIES) > 0,
				 kit_count(&k, CNT_OVERLOAD_BYTES) > 0);
		kit_done(&k);
		free(l.v);
		for (int s = 0; s < SAYS; s++)
			free((void *)(uintptr_t)bytes[s].data);
	}
	assert_true(bodies > KIT_N(convs));
	ruleset_free(rs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_body),
		cmocka_unit_test(test_conversations),
	};

	return cmocka_run_group_tests_name("overload", tests, NULL, NULL);
}

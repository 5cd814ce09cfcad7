// SPDX-License-Identifier: BSD-2-Clause
// Scope and ledger: what is not declared is not read, and every byte and flow is accounted for in its row.
#include "tests/unit/pipekit.h"

static const char rules[] =
	"alert http any any -> any any (msg:\"x\"; http.uri; content:\"/needle\"; sid:1;)\n";
static const char http[] = "GET /needle HTTP/1.1\r\nHost: a\r\n\r\n";
static const uint8_t tls[200] = {0x16, 3, 1, 0, 195, 1, 0, 0, 191, 3, 3};
static const char strange[] = "\x01\x02\x03 neither this nor that, and long enough to tell";

// A connection from the kit's client to its server, on another client port each.
static void talk(struct kit *k, const void *data, size_t len)
{
	static const char answer[] = "\x07\x08\x09 not HTTP either, whatever it is";
	const bool answers = data == (const void *)strange;
	struct kit_list l = {0};

	k->ends.port[0]++;
	kit_open(&l, 1000, 2000);
	kit_data(&l, 0, span_of(data, len), 1460, NULL);
	if (answers)
		kit_data(&l, 1, span_of(answer, sizeof(answer) - 1), 1460, NULL);
	kit_close(&l);
	kit_feed(k, l.v, l.n, 8);
	free(l.v);
}

static struct coverage ledger(const struct kit *k)
{
	struct coverage c;

	kit_ledger(pipeline_counters(k->p));
	coverage_of(pipeline_counters(k->p), &c);
	return c;
}

static void test_rows(void **state)
{
	struct ruleset *rs = kit_ruleset(rules, 1, NULL);
	struct pipeline_conf conf = kit_conf();
	struct kit k;

	kit_init(&k, &conf, rs);
	talk(&k, http, sizeof(http) - 1);
	talk(&k, tls, sizeof(tls));
	talk(&k, strange, sizeof(strange) - 1);
	struct kit_list l = {0};
	k.ends.port[0]++;
	kit_open(&l, 1000, 2000); // and not a word
	kit_feed(&k, l.v, l.n, 8);
	free(l.v);
	const uint8_t arp[60] = {[12] = 8, [13] = 6}, cut[60] = {[12] = 8, [14] = 0x45};
	uint8_t padded[2][60 + PIPELINE_TAIL_BYTES] = {{0}};
	memcpy(padded[0], arp, sizeof(arp));
	memcpy(padded[1], cut, sizeof(cut));
	const struct frame frames[] = {
		{.data = padded[0], .len = 60, .wire_len = 60, .tail_bytes = PIPELINE_TAIL_BYTES},
		{.data = padded[1], .len = 20, .wire_len = 60, .tail_bytes = PIPELINE_TAIL_BYTES},
	};
	pipeline_burst(k.p, frames, 2, k.now_ns);
	kit_flush(&k);
	struct coverage c = ledger(&k);
	assert_int_equal(k.n_hits, 1);
	assert_int_equal(c.flows[COVERAGE_INSPECTED], 1);
	assert_int_equal(c.flows[COVERAGE_ENCRYPTED], 1);
	assert_int_equal(c.flows[COVERAGE_OPAQUE], 1);
	assert_int_equal(c.flows[COVERAGE_SILENT], 1);
	assert_int_equal(c.flows[COVERAGE_OPEN], 0);
	assert_int_equal(c.bytes[COVERAGE_OPEN], 0);
	assert_int_equal(c.bytes[COVERAGE_INSPECTED], sizeof(http) - 1);
	assert_int_equal(c.bytes[COVERAGE_FIRST] + c.bytes[COVERAGE_ENCRYPTED] +
				 c.bytes[COVERAGE_OPAQUE],
			 kit_count(&k, CNT_TCP_PAYLOAD) - (sizeof(http) - 1));
	assert_int_equal(c.bytes[COVERAGE_OTHER], 60);
	assert_int_equal(c.bytes[COVERAGE_TRUNCATED] + c.bytes[COVERAGE_UNDECODABLE], 60);
	kit_done(&k);
	ruleset_free(rs);
}

// No connection state left: the flow is passed by unread, and said to be for that reason.
static void test_overload(void **state)
{
	struct ruleset *rs = kit_ruleset(rules, 1, NULL);
	struct pipeline_conf conf = kit_conf();
	struct kit_list l = {0};
	struct kit k;

	conf.conns = 1;
	kit_init(&k, &conf, rs);
	k.ends.port[0]--;
	kit_open(&l, 1000, 2000);
	kit_data(&l, 0, span_of(http, sizeof(http) - 5), 1460, NULL); // holds its connection
	kit_feed(&k, l.v, l.n, 8);
	free(l.v);
	k.ends.port[0]++;
	talk(&k, http, sizeof(http) - 1);
	assert_true(kit_count(&k, CNT_HTTP_NO_CONN) > 0);
	kit_flush(&k);
	struct coverage c = ledger(&k);
	assert_int_equal(c.flows[COVERAGE_OVERLOAD], 1);
	assert_int_equal(c.flows[COVERAGE_INSPECTED], 1);
	kit_done(&k);
	ruleset_free(rs);
}

static void one_scope(struct scope *s, const char *net, uint16_t lo, uint16_t hi,
		      uint16_t directions)
{
	*s = (struct scope){.n = 1,
			    .v = {{.port_lo = lo, .port_hi = hi, .directions = directions}}};
	assert_int_equal(prefix_parse(net, &s->v[0].net), 0);
}

static void test_scope(void **state)
{
	static const struct {
		const char *net;
		uint16_t lo, hi, directions;
		bool read;
	} cases[] = {
		{"198.51.100.0/24", 0, 65535, SCOPE_IN, true},
		{"198.51.100.0/24", 0, 65535, SCOPE_OUT, false}, // the server's
		{"198.51.100.0/24", 80, 80, SCOPE_IN, true},
		{"198.51.100.0/24", 81, 8080, SCOPE_IN, false},
		{"192.0.2.0/24", 0, 65535, SCOPE_IN, false}, // the client's
		{"192.0.2.0/24", 80, 80, SCOPE_OUT, true},
		{"192.0.2.10", 0, 65535, SCOPE_IN | SCOPE_OUT, true},
		{"192.0.2.11", 0, 65535, SCOPE_IN | SCOPE_OUT, false},
		{"::/0", 0, 65535, SCOPE_IN, true},
		{"2001:db8::/32", 0, 65535, SCOPE_IN | SCOPE_OUT, false},
	};
	struct ruleset *rs = kit_ruleset(rules, 1, NULL);

	for (size_t i = 0; i < KIT_N(cases); i++) {
		struct pipeline_conf conf = kit_conf();
		struct scope scope;
		struct kit k;

		one_scope(&scope, cases[i].net, cases[i].lo, cases[i].hi, cases[i].directions);
		conf.scope = &scope;
		kit_init(&k, &conf, rs);
		talk(&k, http, sizeof(http) - 1);
		kit_flush(&k);
		struct coverage c = ledger(&k);
		if (k.n_hits != cases[i].read || c.flows[COVERAGE_OUT_OF_SCOPE] == cases[i].read)
			fail_msg("case %zu: %u hits", i, k.n_hits);
		assert_int_equal(c.bytes[COVERAGE_OUT_OF_SCOPE],
				 cases[i].read ? 0 : sizeof(http) - 1);
		assert_int_equal(kit_count(&k, CNT_SCAN_BYTES) == 0, !cases[i].read);
		assert_int_equal(kit_count(&k, CNT_APP_PREFIX_BYTES), 0);
		kit_done(&k);
	}
	ruleset_free(rs);
}

static void test_names(void **state)
{
	for (unsigned int i = 0; i < COVERAGE_N; i++)
		assert_true(coverage_name(i)[0] != '\0' && coverage_text(i)[0] != '\0');
	assert_null(coverage_name(COVERAGE_N));
	assert_null(coverage_text(COVERAGE_N));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_overload),
		cmocka_unit_test(test_scope),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests_name("coverage", tests, NULL, NULL);
}

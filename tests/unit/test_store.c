// SPDX-License-Identifier: BSD-2-Clause
// The hit store: a hit is one row whatever is sent again, what is acknowledged is durable, and what was lost is written down.
#include "tests/unit/storekit.h"

static void check_row(void *ctx, const struct store_row *row)
{
	struct hit want = hit_of(5);

	assert_string_equal(row->src, "192.0.2.1");
	assert_string_equal(row->dst, "192.0.2.9");
	assert_string_equal(row->rule.msg, rule.msg);
	assert_string_equal(row->rule.classtype, rule.classtype);
	assert_string_equal(row->rule.reference, rule.reference);
	assert_string_equal(row->rule.metadata, rule.metadata);
	assert_string_equal(row->rule.bundle, rule.bundle);
	assert_int_equal(row->rule.serial, 7);
	assert_int_equal(row->state, STORE_OPEN);
	assert_int_equal(row->verdict, STORE_VERDICT_NONE);
	assert_string_equal(row->boot, "626f6f742d6100000000000000000000");
	assert_string_equal(row->method, "");
	assert_string_equal(row->host, "");
	assert_int_equal(row->status, 0);
	assert_int_equal(row->hit.addr.worker, 3);
	want.addr.worker = 3;
	assert_memory_equal(&row->hit, &want, sizeof(want));
	(*(int *)ctx)++;
}

static void test_every_field_comes_back(void **state)
{
	struct store *s = open_store(100);
	int n = 0;

	assert_int_equal(put(s, boot_a, 3, 5), 1);
	assert_int_equal(store_get(s, 1, check_row, &n), 1);
	assert_int_equal(n, 1);
	assert_int_equal(store_get(s, 2, check_row, &n), 0);
	store_close(s);
}

static void test_delivered_again(void **state)
{
	struct store *s = open_store(1000);

	for (int round = 0; round < 3; round++) {
		for (uint64_t seq = 1; seq <= 20; seq++)
			assert_int_equal(put(s, boot_a, 0, seq), round == 0);
		// Same numbers of another worker, and of another boot, are other hits.
		assert_int_equal(put(s, boot_a, 1, 20), round == 0);
		assert_int_equal(put(s, boot_b, 0, 20), round == 0);
		assert_int_equal(count(s), 22);
		store_close(s);
		s = open_store(1000);
		assert_int_equal(count(s), 22);
		assert_int_equal(store_cursor(s, boot_a, 0), 20);
	}
	store_close(s);
}

static void test_rollback_leaves_no_trace(void **state)
{
	struct store *s = open_store(1000);
	struct store_totals t;
	struct hit h = hit_of(1);

	assert_int_equal(store_begin(s), 0);
	assert_int_equal(store_hit(s, boot_a, 0, &h, &rule), 1);
	store_rollback(s);
	assert_int_equal(count(s), 0);
	assert_int_equal(store_cursor(s, boot_a, 0), 0);
	store_totals(s, &t);
	assert_int_equal(t.hits, 0);
	assert_int_equal(put(s, boot_a, 0, 1), 1);
	store_totals(s, &t);
	assert_int_equal(t.hits, 1);
	store_close(s);
}

static void test_filters(void **state)
{
	struct store *s = open_store(200); // several tables
	struct prefix one, net, other, six;

	for (uint64_t seq = 1; seq <= 20; seq++) {
		struct hit h = hit_of(seq);
		if (seq > 15) { // a response: its sender is the server
			h.addr.dir = DIR_TO_CLIENT;
			h.addr.src[15] = 77;
		}
		assert_int_equal(store_begin(s), 0);
		assert_int_equal(store_hit(s, boot_a, 0, &h, &rule), 1);
		assert_int_equal(store_commit(s), 0);
	}
	assert_int_equal(prefix_parse("192.0.2.9", &one), 0);
	assert_int_equal(prefix_parse("192.0.2.0/29", &net), 0);
	assert_int_equal(prefix_parse("192.0.2.77/32", &other), 0);
	assert_int_equal(prefix_parse("2001:db8::/32", &six), 0);
	assert_int_equal(list_of(s, (struct store_filter){.sid = 1001}), 10);
	assert_int_equal(list_of(s, (struct store_filter){.either = &one}), 20);
	assert_int_equal(list_of(s, (struct store_filter){.client = &one}), 5);
	assert_int_equal(list_of(s, (struct store_filter){.server = &one}), 15);
	assert_int_equal(list_of(s, (struct store_filter){.client = &net}), 15);
	assert_int_equal(list_of(s, (struct store_filter){.server = &other}), 5);
	assert_int_equal(list_of(s, (struct store_filter){.either = &six}), 0);
	assert_int_equal(list_of(s, (struct store_filter){.either = &one, .limit = 7}), 7);
	assert_int_equal(list_of(s, (struct store_filter){.server = &one, .sid = 1000}), 7);
	assert_int_equal(list_of(s, (struct store_filter){.host = "' OR 1=1 --"}), 0);
	assert_int_equal(list_of(s, (struct store_filter){.since = 10, .limit = 5}), 5);
	assert_int_equal(list_of(s, (struct store_filter){.since = 3, .before = 7}), 3);
	const uint64_t t = hit_of(0).ts_ns;
	assert_int_equal(list_of(s, (struct store_filter){.from_ns = t + 4, .to_ns = t + 12}), 9);
	assert_int_equal(list_of(s, (struct store_filter){.from_ns = t + 21}), 0);
	store_close(s);
}

static void keep_work(void *ctx, const struct store_work *w)
{
	char *text = ctx;

	snprintf(text + strlen(text), 512 - strlen(text), "%s %s %u %.40s;",
		 store_state_name(w->state), store_verdict_name(w->verdict), w->uid, w->note);
}

static int work(struct store *s, struct store_filter f, struct store_work w)
{
	f.limit = 100;
	assert_int_equal(store_begin(s), 0);
	int n = store_work(s, &f, &w);
	assert_int_equal(store_commit(s), 0);
	return n;
}

static void test_work_of_the_desk(void **state)
{
	const struct store_work ack = {.state = STORE_ACKED, .uid = 7, .note = "mine"};
	const struct store_work close = {
		.state = STORE_CLOSED, .verdict = STORE_VERDICT_FALSE, .uid = 8, .note = "a\xff"};
	struct store *s = open_store(200);
	char text[512] = "";

	for (uint64_t seq = 1; seq <= 20; seq++)
		put(s, boot_a, 0, seq);
	assert_int_equal(work(s, (struct store_filter){.sid = 1000}, ack), 10);
	assert_int_equal(work(s, (struct store_filter){.since = 3, .before = 5}, close), 1);
	assert_int_equal(work(s, (struct store_filter){.since = 90}, close), 0);
	assert_int_equal(list_of(s, (struct store_filter){.states = 1u << STORE_OPEN}), 10);
	assert_int_equal(list_of(s, (struct store_filter){.states = 1u << STORE_ACKED}), 9);
	assert_int_equal(list_of(s, (struct store_filter){.states = 1u << STORE_CLOSED}), 1);
	assert_int_equal(
		list_of(s, (struct store_filter){.states = 1u << STORE_CLOSED | 1u << STORE_ACKED}),
		10);
	assert_int_equal(list_of(s, (struct store_filter){.states = 1u << STORE_OPEN, .sid = 1000}),
			 0);
	assert_int_equal(store_work_of(s, 4, keep_work, text), 2);
	assert_string_equal(text, "acked  7 mine;closed false 8 a\xc3\xbf;");
	assert_int_equal(store_begin(s), 0);
	assert_int_equal(store_work(s, &(struct store_filter){.limit = 100}, &ack), 20);
	store_rollback(s);
	assert_int_equal(list_of(s, (struct store_filter){.states = 1u << STORE_OPEN}), 10);
	store_close(s);
}

static void test_prefixes(void **state)
{
	static const char *const bad[] = {"",           "192.0.2", "192.0.2.1/33",
					  "192.0.2.1/", "::/129",  "192.0.2.1/-1",
					  "1.2.3.4/8x", "host",    "192.0.2.1 "};
	struct prefix p, q;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(prefix_parse(bad[i], &p), -EINVAL);
	assert_int_equal(prefix_parse("192.0.2.129/25", &p), 0);
	assert_int_equal(prefix_parse("::ffff:192.0.2.128", &q), 0);
	assert_memory_equal(p.lo, q.lo, 16);
	assert_int_equal(prefix_parse("192.0.2.255", &q), 0);
	assert_memory_equal(p.hi, q.lo, 16);
	assert_true(prefix_holds(&p, q.lo));
	assert_true(prefix_is_one(&q));
	assert_int_equal(prefix_parse("0.0.0.0/0", &p), 0);
	assert_true(prefix_holds(&p, q.lo));
	assert_int_equal(prefix_parse("2001:db8::1", &q), 0);
	assert_false(prefix_holds(&p, q.lo));
	assert_int_equal(prefix_parse("2001:db8::/31", &p), 0);
	assert_true(prefix_holds(&p, q.lo));
}

static void keep_ids(void *ctx, const struct store_row *row)
{
	uint64_t **p = ctx;

	*(*p)++ = row->id;
}

static void test_newest_in_ascending_order(void **state)
{
	struct store *s = open_store(1000);
	struct store_filter f = {.limit = 3, .newest = true};
	uint64_t ids[3], *p = ids;

	for (uint64_t seq = 1; seq <= 20; seq++)
		put(s, boot_a, 0, seq);
	assert_int_equal(store_list(s, &f, keep_ids, &p), 3);
	assert_int_equal(ids[0], 18);
	assert_int_equal(ids[2], 20);
	f = (struct store_filter){.limit = 3, .since = 5};
	p = ids;
	assert_int_equal(store_list(s, &f, keep_ids, &p), 3);
	assert_int_equal(ids[0], 6);
	assert_int_equal(ids[2], 8);
	store_close(s);
}

// A batch of hits with these numbers; 0 ends. lost as the dataplane reports it.
static void batch(struct store *s, const uint64_t *seqs, uint64_t lost_first, uint64_t lost_last)
{
	struct ipc_hits b = {.lost_first = lost_first, .lost_last = lost_last};
	struct hit hits[32];

	memcpy(b.boot_id, boot_a, 16);
	while (seqs[b.n] != 0) {
		hits[b.n] = hit_of(seqs[b.n]);
		b.n++;
	}
	assert_int_equal(store_begin(s), 0);
	assert_int_equal(store_losses(s, &b, hits), 0);
	for (uint32_t i = 0; i < b.n; i++)
		assert_true(store_hit(s, boot_a, 0, &hits[i], &rule) >= 0);
	assert_int_equal(store_commit(s), 0);
}

#define BATCH(s, first, last, ...) batch(s, (const uint64_t[]){__VA_ARGS__, 0}, first, last)

static uint64_t lost(struct store *s)
{
	struct store_totals t;

	store_totals(s, &t);
	return t.lost;
}

static void test_losses(void **state)
{
	struct store *s = open_store(1000);

	BATCH(s, 0, 0, 4, 5, 6); // the first ever seen: what came before was stored elsewhere
	assert_int_equal(lost(s), 0);
	BATCH(s, 0, 0, 7, 9, 12); // holes: 8, 10, 11
	assert_int_equal(lost(s), 3);
	BATCH(s, 0, 0, 7, 9, 12); // again: the same holes
	assert_int_equal(lost(s), 3);
	BATCH(s, 13, 15, 12); // reported before anything came after it
	assert_int_equal(lost(s), 6);
	BATCH(s, 13, 18, 12); // the range has grown
	assert_int_equal(lost(s), 9);
	BATCH(s, 13, 18, 19, 20); // and the hole is the reported one
	assert_int_equal(lost(s), 9);
	BATCH(s, 13, 15, 21); // an older report does not shrink it
	assert_int_equal(lost(s), 9);
	BATCH(s, 30, 20, 22); // nonsense
	assert_int_equal(lost(s), 9);
	store_close(s);
	s = open_store(1000);
	assert_int_equal(lost(s), 9);
	store_close(s);
}

static void put_http(struct store *s, const uint8_t *boot, const struct event *e)
{
	assert_int_equal(store_begin(s), 0);
	assert_int_equal(store_http(s, boot, e), 0);
	assert_int_equal(store_commit(s), 0);
}

static void test_http_before_and_after_the_hit(void **state)
{
	struct store *s = open_store(1000);
	struct event e = http_of(hit_of(1).flow_id, "www.example.com", "/after");

	put(s, boot_a, 0, 1);
	put(s, boot_b, 0, 1); // the same flow number of another boot is another flow
	put_http(s, boot_a, &e);
	assert_string_equal(texts_of(s, 1).url, "/after");
	assert_string_equal(texts_of(s, 1).method, "GET");
	assert_string_equal(texts_of(s, 1).host, "www.example.com");
	assert_int_equal(texts_of(s, 1).status, 404);
	assert_string_equal(texts_of(s, 2).url, "");

	e = http_of(hit_of(4).flow_id, "www.example.com", "/before");
	put_http(s, boot_a, &e);
	put(s, boot_a, 0, 4);
	assert_string_equal(texts_of(s, 3).url, "/before");

	struct store_filter f = {.limit = 10, .host = "WWW.example.COM"};
	int n = 0;
	assert_int_equal(store_list(s, &f, count_row, &n), 2);
	store_close(s);
}

static void test_hostile_texts(void **state)
{
	struct store *s = open_store(1000);
	struct event e = http_of(hit_of(1).flow_id, "a\xff\xc3\xa4",
				 "/\xe2\x82\xac\x1b[2J'; DROP TABLE hits;--");
	json_t *json;

	put(s, boot_a, 0, 1);
	e.http.url[1] = '\0'; // in the middle of a sequence
	put_http(s, boot_a, &e);
	struct texts t = texts_of(s, 1);
	json = json_string(t.url); // NULL unless it is valid UTF-8
	assert_non_null(json);
	json_decref(json);
	assert_string_equal(t.host, "a\xc3\xbf\xc3\xa4");
	// Lengths that do not fit their field.
	memset(&e.http, 'A', sizeof(e.http));
	put_http(s, boot_a, &e);
	assert_int_equal(strlen(texts_of(s, 1).method), sizeof(e.http.method));
	assert_int_equal(strlen(texts_of(s, 1).url), sizeof(e.http.url));
	store_close(s);
}

static void test_text_clean(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{"plain", "plain"},
		{"\xc3\xa4\xe2\x82\xac\xf0\x9f\x99\x82", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x99\x82"},
		{"\x80\xff", "\xc2\x80\xc3\xbf"},
		{"\xc0\x80", "\xc3\x80\xc2\x80"},             // overlong
		{"\xed\xa0\x80", "\xc3\xad\xc2\xa0\xc2\x80"}, // surrogate
		{"\xf4\x90\x80\x80", "\xc3\xb4\xc2\x90\xc2\x80\xc2\x80"},
		{"a\xe2\x82", "a\xc3\xa2\xc2\x82"}, // cut
	};
	char buf[64];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t n = text_clean(buf, sizeof(buf), cases[i].in, strlen(cases[i].in));
		assert_string_equal(buf, cases[i].out);
		assert_int_equal(n, strlen(cases[i].out));
	}
	// Every size: never over the end, never half a character.
	for (size_t size = 1; size < 24; size++) {
		char *exact = malloc(size);
		size_t n = text_clean(exact, size, "\xe2\x82\xac\xff\xf0\x9f\x99\x82x", 9);
		assert_true(n < size);
		json_t *json = json_string(exact);
		assert_non_null(json);
		json_decref(json);
		free(exact);
	}
	assert_int_equal(text_clean(buf, sizeof(buf), "a\0b", 3), 5);
	assert_string_equal(buf, "a\xef\xbf\xbd"
				 "b");
}

static void test_numbers_and_bundles(void **state)
{
	struct store *s = open_store(10);
	struct store_bundle b = {.serial = 5, .stored_ns = 1, .bytes = 2, .rules = 3, .id = "demo"};

	assert_int_equal(store_number(s, "generation", 42), 42);
	assert_int_equal(store_set_number(s, "generation", 7), 0);
	assert_int_equal(store_bundle_put(s, &b), 0);
	store_close(s);
	s = open_store(10);
	assert_int_equal(store_number(s, "generation", 42), 7);
	assert_int_equal(store_bundle_delete(s, 5), 0);
	store_close(s);
}

static void keep_suppressed(void *ctx, const struct store_suppressed *row)
{
	struct store_suppressed **p = ctx;

	*(*p)++ = *row;
}

static void test_suppressed_are_counted_once(void **state)
{
	struct store *s = open_store(1000);
	struct store_suppressed rows[4], *p;
	struct store_totals t;
	struct hit h = hit_of(8);

	for (int round = 0; round < 3;
	     round++) { // all of it is sent again, and again after a restart
		for (uint64_t seq = 1; seq <= 6; seq++)
			assert_int_equal(suppress(s, boot_a, 0, seq), round == 0);
		assert_int_equal(put(s, boot_a, 0, 7), round == 0);
		assert_int_equal(suppress(s, boot_b, 0, 3),
				 round == 0); // another boot's are others
		assert_int_equal(suppress(s, boot_a, 1, 3), round == 0);
		assert_int_equal(store_cursor(s, boot_a, 0), 7);
		assert_int_equal(count(s), 1);
		p = rows;
		assert_int_equal(store_suppressed(s, keep_suppressed, &p), 2);
		assert_int_equal(rows[0].sid, 1000);
		assert_int_equal(rows[0].gid, 1);
		assert_int_equal(rows[0].count, 3);
		assert_int_equal(rows[0].last_ns, hit_of(6).ts_ns);
		assert_int_equal(rows[1].sid, 1001);
		assert_int_equal(rows[1].count, 5);
		assert_int_equal(rows[1].last_ns,
				 hit_of(5).ts_ns); // not that of the older one that came later
		store_totals(s, &t);
		assert_int_equal(t.suppressed, 8);
		assert_int_equal(t.hits, 1);
		assert_int_equal(t.lost, 0);
		store_close(s);
		s = open_store(1000);
	}
	assert_int_equal(store_begin(s), 0);
	assert_int_equal(store_suppress(s, boot_a, 0, &h), 1);
	store_rollback(s);
	store_totals(s, &t);
	assert_int_equal(t.suppressed, 8);
	assert_int_equal(suppress(s, boot_a, 0, 8), 1);
	BATCH(s, 0, 0, 9, 11); // a suppressed hit is no hole, 10 is
	assert_int_equal(lost(s), 1);
	store_close(s);
}

// What is kept of the client's address; the server's stays.
static void test_client_address(void **state)
{
	struct store *s = open_store(1000);
	struct prefix client, server;
	uint8_t hash[16];
	uint32_t new;

	assert_int_equal(prefix_parse("192.0.2.9", &server), 0);
	settings_defaults(&settings);
	settings.eve.mask = 1u << EVENT_HTTP;
	snprintf(settings.eve.file, sizeof(settings.eve.file), "%s", path_of("eve.json"));
	snprintf(settings.state_dir, sizeof(settings.state_dir), "%s", dir);
	for (int mode = PRIVACY_FULL; mode <= PRIVACY_HASHED; mode++) {
		struct event e = http_of(1, "www.example.com", "/x");
		const struct ipc_events b = {.n = 1};
		const struct hit h = hit_of(1);

		settings.client_address = mode;
		assert_int_equal(report_init(&report, &settings, s, NULL, &book, &diag), 0);
		assert_int_equal(report_batch((uint64_t)mode * 10 + 1, 10, &new), 0);
		uint64_t none;
		e.addr = h.addr;
		report_events(&report, boot_a, &b, &e);
		assert_int_equal(report_commit(&report, &none, &diag), 0);
		memcpy(hash, h.addr.src, 16);
		privacy_hide(&report.privacy, hash);
		report_done(&report);
	}
	assert_int_equal(list_of(s, (struct store_filter){.server = &server}), 30);
	assert_int_equal(prefix_parse("192.0.2.1", &client), 0);
	assert_int_equal(list_of(s, (struct store_filter){.client = &client}), 10);
	assert_int_equal(prefix_parse("192.0.2.0", &client), 0);
	assert_int_equal(list_of(s, (struct store_filter){.client = &client}), 10);
	assert_int_equal(hash[0], 0xfd);
	memcpy(client.lo, hash, 16);
	memcpy(client.hi, hash, 16);
	assert_int_equal(list_of(s, (struct store_filter){.client = &client}), 10);
	struct stat st;
	assert_int_equal(stat(path_of("client.key"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	FILE *f = fopen(path_of("eve.json"), "r");
	char line[3][EVE_LINE_MAX];
	for (int i = 0; i < 3; i++)
		assert_non_null(fgets(line[i], sizeof(line[i]), f));
	fclose(f);
	assert_non_null(strstr(line[0], "\"src_ip\":\"192.0.2.1\""));
	assert_non_null(strstr(line[1], "\"src_ip\":\"192.0.2.0\""));
	assert_non_null(strstr(line[2], "\"src_ip\":\"fd"));
	assert_non_null(strstr(line[2], "\"dest_ip\":\"192.0.2.9\""));
	assert_int_equal(truncate(path_of("client.key"), 5), 0);
	assert_int_equal(report_init(&report, &settings, s, NULL, &book, &diag), -EBADMSG);
	report_done(&report);
	store_close(s);
}

// What a dataplane says counts once, whoever restarts.
static void test_ledger_of_days(void **state)
{
	const uint64_t day = 86400ull * 1000000000u;
	struct store *s = open_store(1000);
	struct coverage c = {.bytes = {[COVERAGE_INSPECTED] = 100, [COVERAGE_OPEN] = 7}};
	struct store_ledger sum;

	assert_int_equal(store_ledger_add(s, boot_a, 10 * day, &c), 0);
	c.bytes[COVERAGE_INSPECTED] = 150;
	c.bytes[COVERAGE_OPEN] = 0; // its flow has ended
	c.bytes[COVERAGE_ENCRYPTED] = 7;
	c.flows[COVERAGE_ENCRYPTED] = 1;
	assert_int_equal(store_ledger_add(s, boot_a, 11 * day, &c), 0);
	store_close(s);
	s = open_store(1000);
	assert_int_equal(store_ledger_add(s, boot_a, 11 * day + 1, &c), 0);
	c = (struct coverage){.bytes = {[COVERAGE_INSPECTED] = 50}};
	assert_int_equal(store_ledger_add(s, boot_b, 12 * day, &c), 0);
	assert_int_equal(store_ledger_sum(s, 0, 0, &sum), 0);
	assert_int_equal(sum.bytes[COVERAGE_INSPECTED], 200);
	assert_int_equal(sum.bytes[COVERAGE_OPEN], 0);
	assert_int_equal(sum.bytes[COVERAGE_ENCRYPTED], 7);
	assert_int_equal(sum.flows[COVERAGE_ENCRYPTED], 1);
	assert_int_equal(store_ledger_sum(s, 11 * day, 12 * day - 1, &sum), 0);
	assert_int_equal(sum.bytes[COVERAGE_INSPECTED], 50);
	assert_int_equal(sum.bytes[COVERAGE_OPEN], -7);
	assert_int_equal(store_ledger_sum(s, 13 * day, 0, &sum), 0);
	assert_int_equal(sum.bytes[COVERAGE_INSPECTED], 0);
	store_close(s);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_every_field_comes_back),
		TEST(test_delivered_again),
		TEST(test_rollback_leaves_no_trace),
		TEST(test_filters),
		TEST(test_work_of_the_desk),
		cmocka_unit_test(test_prefixes),
		TEST(test_newest_in_ascending_order),
		TEST(test_losses),
		TEST(test_http_before_and_after_the_hit),
		TEST(test_hostile_texts),
		cmocka_unit_test(test_text_clean),
		TEST(test_numbers_and_bundles),
		TEST(test_suppressed_are_counted_once),
		TEST(test_client_address),
		TEST(test_ledger_of_days),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: BSD-2-Clause
// The hit store and the report on top of it: a hit is one row whatever is sent again, what is acknowledged is durable, what
// was lost is written down, and a full disk costs nothing but time.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <jansson.h>
#include <sqlite3.h>

#include "control/report.h"
#include "control/store.h"
#include "control/text.h"

static const uint8_t boot_a[16] = "boot-a", boot_b[16] = "boot-b";
static const struct store_rule rule = {
	.msg = "a rule",
	.classtype = "misc-activity",
	.reference = "url,www.example.com",
	.metadata = "legal_basis order-1",
	.bundle = "demo",
	.serial = 7,
};
static char dir[64];
static struct diag diag;

static const char *path_of(const char *name)
{
	static char path[4][sizeof(dir) + 256];
	static int turn;

	turn = (turn + 1) % 4;
	snprintf(path[turn], sizeof(path[turn]), "%s/%s", dir, name);
	return path[turn];
}

static void empty_dir(void)
{
	DIR *d = opendir(dir);
	struct dirent *e;

	while (d != NULL && (e = readdir(d)) != NULL)
		if (e->d_name[0] != '.')
			unlink(path_of(e->d_name));
	if (d != NULL)
		closedir(d);
}

static int setup(void **state)
{
	snprintf(dir, sizeof(dir), P_tmpdir "/wireglass-store-XXXXXX");
	memset(&diag, 0, sizeof(diag));
	return mkdtemp(dir) != NULL ? 0 : -1;
}

static int teardown(void **state)
{
	empty_dir();
	return rmdir(dir);
}

static struct store *open_store(uint64_t keep)
{
	const struct store_limits limits = {.hits = keep};
	struct store *s = NULL;

	assert_int_equal(store_open(path_of("hits.db"), &limits, &s, &diag), 0);
	return s;
}

static struct hit hit_of(uint64_t seq)
{
	struct hit h = {
		.seq = seq,
		.ts_ns = 1700000000000000000u + seq,
		.flow_id = 0x7000000000000000u + seq / 2,
		.offset_bytes = 12345,
		.addr = {.src_port = 40000,
			 .dst_port = 80,
			 .family = 4,
			 .proto = 6,
			 .vlan = {7, 0}},
		.tx_id = 3,
		.generation = 4,
		.rule = 1,
		.sid = 1000 + (uint32_t)(seq % 2),
		.gid = 1,
		.rev = 2,
		.flags = HIT_GAP | HIT_ONEWAY,
		.buffer = BUF_URI,
		.priority = 2,
		.app = APP_HTTP,
	};
	static const uint8_t src[16] = {[10] = 0xff, 0xff, 192, 0, 2, 1};

	memcpy(h.addr.src, src, 16);
	memcpy(h.addr.dst, src, 16);
	h.addr.dst[15] = 9;
	return h;
}

static int put(struct store *s, const uint8_t *boot, uint32_t worker, uint64_t seq)
{
	struct hit h = hit_of(seq);

	assert_int_equal(store_begin(s), 0);
	int got = store_hit(s, boot, worker, &h, &rule);
	assert_int_equal(store_commit(s), 0);
	return got;
}

static void count_row(void *ctx, const struct store_row *row)
{
	(*(int *)ctx)++;
}

static int count(struct store *s)
{
	struct store_filter all = {.limit = 100000};
	int n = 0;

	int got = store_list(s, &all, count_row, &n);
	assert_int_equal(got, n);
	return n;
}

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

static void test_retention(void **state)
{
	struct store *s = open_store(10);
	struct store_filter all = {.limit = 100};
	struct store_totals t;
	int n = 0;

	for (uint64_t seq = 1; seq <= 35; seq++)
		assert_int_equal(put(s, boot_a, 0, seq), 1);
	assert_int_equal(count(s), 10);
	store_totals(s, &t);
	assert_int_equal(t.hits, 10);
	assert_int_equal(t.last_id, 35); // numbers are not used again
	all.since = 25;
	assert_int_equal(store_list(s, &all, count_row, &n), 10); // the newest are left
	assert_int_equal(put(s, boot_a, 0, 3), 0); // a deleted hit does not come back
	store_close(s);
	s = open_store(4); // a smaller limit takes effect with the next hit
	assert_int_equal(put(s, boot_a, 0, 36), 1);
	assert_int_equal(count(s), 4);
	store_close(s);
}

static void test_newest_limit_is_exact_by_table(void **state)
{
	struct store *s = open_store(1000); // tables of 25
	struct store_totals t;

	for (uint64_t seq = 1; seq <= 1100; seq++)
		put(s, boot_a, 0, seq);
	store_totals(s, &t);
	assert_in_range(t.hits, 1000, 1024);
	assert_int_equal(count(s), t.hits);
	store_close(s);
	s = open_store(1000);
	assert_int_equal(count(s), t.hits);
	store_close(s);
}

static void test_retention_by_age(void **state)
{
	const struct store_limits limits = {.hits = 200, .age_s = 10}; // tables of 5
	const uint64_t second = 1000000000u;
	struct store *s = NULL;
	struct store_totals t;

	assert_int_equal(store_open(path_of("hits.db"), &limits, &s, &diag), 0);
	assert_int_equal(store_begin(s), 0);
	for (uint64_t seq = 1; seq <= 33; seq++) {
		struct hit h = hit_of(seq);
		h.ts_ns = (1000 + seq) * second;
		assert_int_equal(store_hit(s, boot_a, 0, &h, &rule), 1);
	}
	assert_int_equal(store_commit(s), 0);
	const struct store_filter some = {.limit = 100, .sid = 1001};
	const struct store_work ack = {.state = STORE_ACKED, .note = ""};
	assert_int_equal(store_begin(s), 0);
	assert_int_equal(store_work(s, &some, &ack), 17);
	assert_int_equal(store_commit(s), 0);

	assert_int_equal(store_expire(s, 1005 * second), 0);
	assert_int_equal(count(s), 33);
	assert_int_equal(store_expire(s, 1022 * second), 0); // of the third table two rows stay
	assert_int_equal(count(s), 22);
	assert_int_equal(store_work_of(s, 11, NULL, NULL),
			 0); // and what was done with them is gone
	assert_int_equal(store_expire(s, 2000 * second), 0);
	assert_int_equal(count(s), 0);
	assert_int_equal(put(s, boot_a, 0, 34), 1); // its number is a new one
	store_totals(s, &t);
	assert_int_equal(t.last_id, 34);
	assert_int_equal(t.hits, 1);
	store_close(s);
	assert_int_equal(store_open(path_of("hits.db"), &limits, &s, &diag), 0);
	assert_int_equal(count(s), 1);
	store_close(s);
}

static void test_retention_by_size(void **state)
{
	const struct store_limits limits = {.hits = 40000, .bytes = 1 << 20}; // tables of 1000
	struct store *s = NULL;
	sqlite3 *db;
	struct stat st;

	assert_int_equal(store_open(path_of("hits.db"), &limits, &s, &diag), 0);
	for (uint64_t seq = 1; seq <= 12000;) {
		assert_int_equal(store_begin(s), 0);
		for (int i = 0; i < 500; i++) {
			struct hit h = hit_of(seq++);
			assert_int_equal(store_hit(s, boot_a, 0, &h, &rule), 1);
		}
		assert_int_equal(store_commit(s), 0);
	}
	assert_in_range(count(s), 1000, 8000);
	store_close(s);
	assert_int_equal(sqlite3_open(path_of("hits.db"), &db), SQLITE_OK);
	sqlite3_close(db);
	assert_int_equal(stat(path_of("hits.db"), &st), 0);
	assert_in_range(st.st_size, 1 << 18,
			(1 << 20) + (1 << 19)); // a table more while it is written
}

static int list_of(struct store *s, struct store_filter f)
{
	int n = 0, got;

	f.limit = f.limit != 0 ? f.limit : 100;
	got = store_list(s, &f, count_row, &n);
	assert_int_equal(got, n);
	return n;
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

static struct event http_of(uint64_t flow_id, const char *host, const char *url)
{
	struct event e = {
		.type = EVENT_HTTP, .flags = EVENT_HAS_HIT, .flow_id = flow_id, .tx_id = 3};

	e.http.status = 404;
	e.http.method_len = 3;
	memcpy(e.http.method, "GET", 3);
	e.http.host_len = (uint8_t)strlen(host);
	memcpy(e.http.host, host, strlen(host));
	e.http.url_len = (uint16_t)strlen(url);
	memcpy(e.http.url, url, strlen(url));
	return e;
}

static void put_http(struct store *s, const uint8_t *boot, const struct event *e)
{
	assert_int_equal(store_begin(s), 0);
	assert_int_equal(store_http(s, boot, e), 0);
	assert_int_equal(store_commit(s), 0);
}

struct texts {
	char method[32], host[256], url[768];
	uint32_t status;
};

static void keep_texts(void *ctx, const struct store_row *row)
{
	struct texts *t = ctx;

	snprintf(t->method, sizeof(t->method), "%s", row->method);
	snprintf(t->host, sizeof(t->host), "%s", row->host);
	snprintf(t->url, sizeof(t->url), "%s", row->url);
	t->status = row->status;
}

static struct texts texts_of(struct store *s, uint64_t id)
{
	struct texts t = {0};

	assert_int_equal(store_get(s, id, keep_texts, &t), 1);
	return t;
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

static void test_damaged_and_newer_files(void **state)
{
	const struct store_limits limits = {.hits = 10};
	struct store *s = open_store(10);
	sqlite3 *db;

	store_close(s);
	assert_int_equal(sqlite3_open(path_of("hits.db"), &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "PRAGMA user_version = 99", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	assert_int_equal(store_open(path_of("hits.db"), &limits, &s, &diag), -ENOTSUP);
	assert_non_null(strstr(diag.text, "newer"));

	empty_dir();
	FILE *f = fopen(path_of("hits.db"), "w");
	for (int i = 0; i < 4096; i++)
		fputs("garbage ", f);
	fclose(f);
	assert_int_equal(store_open(path_of("hits.db"), &limits, &s, &diag), -EBADMSG);
	assert_int_equal(store_open(path_of("no/such/dir.db"), &limits, &s, &diag), -EACCES);
}

static void keep_suppressed(void *ctx, const struct store_suppressed *row)
{
	struct store_suppressed **p = ctx;

	*(*p)++ = *row;
}

static int suppress(struct store *s, const uint8_t *boot, uint32_t worker, uint64_t seq)
{
	struct hit h = hit_of(seq);

	assert_int_equal(store_begin(s), 0);
	int got = store_suppress(s, boot, worker, &h);
	assert_int_equal(store_commit(s), 0);
	return got;
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

// A file of the first format: its rows stay, and what is new works.
static void test_older_file(void **state)
{
	static const char first[] =
		"CREATE TABLE hits ("
		" id INTEGER PRIMARY KEY AUTOINCREMENT,"
		" boot BLOB, worker INTEGER, seq INTEGER, ts_ns INTEGER, flow_id INTEGER,"
		" tx_id INTEGER, offset_bytes INTEGER, src TEXT, src_port INTEGER, dst TEXT,"
		" dst_port INTEGER, vlan0 INTEGER, vlan1 INTEGER, family INTEGER, proto INTEGER,"
		" dir INTEGER, generation INTEGER, rule INTEGER, sid INTEGER, gid INTEGER,"
		" rev INTEGER, flags INTEGER, buffer INTEGER, priority INTEGER, app INTEGER,"
		" serial INTEGER, msg TEXT, classtype TEXT, method TEXT, host TEXT, url TEXT,"
		" status INTEGER, UNIQUE (boot, worker, seq));"
		"CREATE TABLE cursors (boot BLOB NOT NULL, worker INTEGER NOT NULL,"
		" seq INTEGER NOT NULL, changed_ns INTEGER NOT NULL, PRIMARY KEY (boot, worker));"
		"INSERT INTO hits VALUES (41, x'626f6f742d6100000000000000000000', 0, 1, 5, 6, 7,"
		" 8, '192.0.2.1', 1111, '2001:db8::9', 80, 0, 0, 4, 6, 0, 2, 3, 1001, 1, 9, 0, 0,"
		" 3, 1, 77, 'a message', 'trojan-activity', 'GET', 'www.example.com', '/x', 200);"
		"INSERT INTO hits SELECT 42, boot, worker, 2, 6, flow_id, tx_id, offset_bytes,"
		" dst, dst_port, src, src_port, vlan0, vlan1, 6, proto, 1, generation, rule, sid,"
		" gid, rev, flags, buffer, priority, app, serial, msg, classtype, NULL, NULL, "
		"NULL,"
		" NULL FROM hits;"
		"INSERT INTO cursors VALUES (x'626f6f742d6100000000000000000000', 0, 2, 0);"
		"PRAGMA user_version = 1;";
	struct store *s;
	struct prefix p;
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path_of("hits.db"), &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, first, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	for (int round = 0; round < 2; round++) {
		s = open_store(1000);
		assert_int_equal(count(s), 2 + round);
		assert_int_equal(put(s, boot_a, 0, 2), 0);
		assert_string_equal(texts_of(s, 41).url, "/x");
		assert_int_equal(prefix_parse("2001:db8::9", &p), 0);
		assert_int_equal(list_of(s, (struct store_filter){.server = &p}), 2);
		assert_int_equal(put(s, boot_a, 0, 3), round == 0);
		assert_int_equal(list_of(s, (struct store_filter){.since = 42}), 1);
		assert_int_equal(suppress(s, boot_a, 0, 4), round == 0);
		store_close(s);
	}
}

// A child stores hits and writes each number to a pipe once it would acknowledge it, until it is killed in the middle.
static void test_killed_in_the_middle(void **state)
{
	int pipe_fds[2], status;
	uint64_t seq, acked = 0;

	store_close(open_store(100000));
	for (int round = 0; round < 5; round++) {
		assert_int_equal(pipe(pipe_fds), 0);
		pid_t pid = fork();
		if (pid == 0) {
			struct store *s = open_store(100000);
			for (seq = acked + 1;; seq++) {
				put(s, boot_a, 0, seq);
				if (write(pipe_fds[1], &seq, sizeof(seq)) != sizeof(seq))
					_exit(1);
			}
		}
		close(pipe_fds[1]);
		for (int i = 0; i < 20 + 7 * round; i++)
			assert_int_equal(read(pipe_fds[0], &acked, sizeof(acked)), sizeof(acked));
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		while (read(pipe_fds[0], &seq, sizeof(seq)) == sizeof(seq))
			acked = seq;
		close(pipe_fds[0]);
		struct store *s = open_store(100000);
		// Everything acknowledged is there; at most the one in flight more.
		assert_in_range(store_cursor(s, boot_a, 0), acked, acked + 1);
		assert_int_equal(count(s), store_cursor(s, boot_a, 0));
		acked = store_cursor(s, boot_a, 0);
		store_close(s);
	}
}

// Report: store and EVE file together.

static struct report report;
static struct rulebook book;
static struct settings settings;

static void open_report(struct store *s)
{
	settings_defaults(&settings);
	settings.eve.mask = (1u << SETTINGS_EVE_N) - 1;
	snprintf(settings.eve.file, sizeof(settings.eve.file), "%s", path_of("eve.json"));
	assert_int_equal(report_init(&report, &settings, s, NULL, &book, &diag), 0);
}

static int report_batch(uint64_t first, uint32_t n, uint32_t *ret_new)
{
	struct ipc_hits b = {.n = n, .worker = 2};
	struct hit hits[IPC_HITS_MAX];

	memcpy(b.boot_id, boot_a, 16);
	for (uint32_t i = 0; i < n; i++)
		hits[i] = hit_of(first + i);
	uint64_t new = 0;
	int err = report_hits(&report, &b, hits, &diag);

	if (err == 0)
		err = report_commit(&report, &new, &diag);
	*ret_new = (uint32_t) new;
	if (err == 0)
		report_pump(&report);
	return err;
}

// Number of lines in the EVE file; every one must be JSON.
static int eve_lines(void)
{
	FILE *f = fopen(path_of("eve.json"), "r");
	char line[EVE_LINE_MAX + 2];
	int n = 0;

	assert_non_null(f);
	while (fgets(line, sizeof(line), f) != NULL) {
		json_t *json = json_loads(line, 0, NULL);
		assert_non_null(json);
		assert_non_null(json_object_get(json, "event_type"));
		json_decref(json);
		n++;
	}
	fclose(f);
	return n;
}

static void test_report_writes_each_hit_once(void **state)
{
	struct store *s = open_store(1000);
	uint32_t new = 0;

	open_report(s);
	assert_int_equal(report_batch(1, 100, &new), 0);
	assert_int_equal(new, 100);
	assert_int_equal(report_batch(51, 100, &new), 0);
	assert_int_equal(new, 50);
	assert_int_equal(count(s), 150);
	assert_int_equal(eve_lines(), 150);
	report_done(&report);
	store_close(s);
}

static void test_report_events(void **state)
{
	struct store *s = open_store(1000);
	struct ipc_events b = {.n = 4};
	struct event e[4] = {0};
	struct counters c = {0};
	uint32_t new;

	open_report(s);
	assert_int_equal(report_batch(1, 1, &new), 0);
	e[0] = http_of(hit_of(1).flow_id, "www.example.com", "/x");
	e[1] = (struct event){.type = EVENT_FLOW, .app = APP_TLS};
	e[2] = (struct event){.type = EVENT_FILEINFO};
	e[3] = (struct event){.type = 200}; // from a dataplane gone mad
	uint64_t none;
	report_events(&report, boot_a, &b, e);
	assert_int_equal(report_commit(&report, &none, &diag), 0);
	assert_int_equal(eve_lines(), 4);
	assert_string_equal(texts_of(s, 1).url, "/x");
	report_stats(&report, 60, &c);
	report_engine(&report, "a message", (const char *const[]){"key", "value", NULL});
	assert_int_equal(eve_lines(), 6);
	report.eve_mask = 1u << SETTINGS_EVE_ALERT;
	report_events(&report, boot_a, &b, e);
	report_stats(&report, 60, &c);
	assert_int_equal(eve_lines(), 6);
	report_done(&report);
	store_close(s);
}

// Ids of the alerts in the EVE file, in order; every id once.
static uint64_t eve_ids_in_order(void)
{
	FILE *f = fopen(path_of("eve.json"), "r");
	char line[EVE_LINE_MAX + 2];
	uint64_t last = 0;

	assert_non_null(f);
	while (fgets(line, sizeof(line), f) != NULL) {
		json_t *json = json_loads(line, 0, NULL);
		assert_non_null(json);
		const json_t *id = json_object_get(json_object_get(json, "wireglass"), "id");
		if (strcmp(json_string_value(json_object_get(json, "event_type")), "alert") == 0) {
			assert_int_equal(json_integer_value(id), last + 1);
			last++;
		}
		json_decref(json);
	}
	fclose(f);
	return last;
}

// A write error of the EVE file: hits are stored all the same, no half line is left, and it goes on where it stopped.
static void test_eve_write_error(void **state)
{
	struct store *s = open_store(10000);
	struct rlimit old, limit;
	uint32_t new;

	open_report(s);
	assert_int_equal(report_batch(1, 200, &new), 0);
	struct stat st, after;
	// EFBIG comes after a short write, as ENOSPC does. SQLite's WAL must not hit the limit before.
	int fd = open(path_of("eve.json"), O_WRONLY | O_APPEND);
	static const char padding[] = "{\"event_type\":\"padding of a file that grows\"}\n";
	for (int i = 0; i < 16384; i++)
		assert_int_equal(write(fd, padding, sizeof(padding) - 1), sizeof(padding) - 1);
	close(fd);
	assert_int_equal(stat(path_of("eve.json"), &st), 0);
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &old);
	limit = (struct rlimit){.rlim_cur = (rlim_t)st.st_size + 1000, .rlim_max = old.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	int err = report_batch(201, 10, &new);
	setrlimit(RLIMIT_FSIZE, &old);
	assert_int_equal(err, 0);
	assert_int_equal(stat(path_of("eve.json"), &after), 0);
	assert_int_equal(after.st_size, st.st_size);
	assert_int_equal(count(s), 210);
	assert_int_equal(report.eve.failures, 1);
	assert_int_equal(sinks_pending(&report.sinks, &report.sinks.v[SINK_EVE_FILE]), 10);
	assert_true(report.sinks.v[SINK_EVE_FILE].error[0] != '\0');
	assert_int_equal(report_batch(211, 10, &new), 0);
	assert_int_equal(new, 10);
	assert_int_equal(eve_ids_in_order(), 220);
	assert_int_equal(sinks_pending(&report.sinks, &report.sinks.v[SINK_EVE_FILE]), 0);
	report_done(&report);
	store_close(s);
}

// Killed between the lines and the saved position: what is in the file already is not written again.
static void test_eve_exactly_once(void **state)
{
	struct store *s = open_store(10000);
	struct store_sink before = {.name = "eve-file"};
	struct counters none = {0};
	uint32_t new;

	open_report(s);
	assert_int_equal(report_batch(1, 250, &new), 0);
	assert_int_equal(store_sink_get(s, &before), 1);
	assert_int_equal(before.cursor, 250);
	assert_int_equal(report_batch(251, 250, &new), 0);
	report_stats(&report, 1, &none); // lines of others in between
	report_done(&report);
	assert_int_equal(store_begin(s), 0);
	assert_int_equal(store_sink_set(s, &before), 0); // as if it had not been saved
	assert_int_equal(store_commit(s), 0);
	FILE *f = fopen(path_of("eve.json"), "a"); // and half a line
	fputs("{\"timestamp\":\"2026-11-23T00:00:00.000000+0000\",\"event_type\":\"alert\","
	      "\"wireglass\":{\"id\":501,",
	      f);
	fclose(f);
	open_report(s);
	assert_int_equal(report.sinks.v[SINK_EVE_FILE].cursor, 500);
	assert_int_equal(report_batch(501, 100, &new), 0);
	assert_int_equal(eve_ids_in_order(), 600);
	report_done(&report);

	// Lines that are stored and were never written come at the next start.
	const struct store_sink older = {.name = "eve-file", .cursor = 100};
	assert_int_equal(unlink(path_of("eve.json")), 0);
	assert_int_equal(store_begin(s), 0);
	assert_int_equal(store_sink_set(s, &older), 0);
	assert_int_equal(store_commit(s), 0);
	open_report(s);
	report_pump(&report);
	assert_int_equal(eve_lines(), 500);
	report_done(&report);
	store_close(s);
}

// Retention was quicker than the sink: what it missed is counted.
static void test_sink_that_missed_hits(void **state)
{
	struct store *s = open_store(40); // tables of one row
	struct store_sink saved = {.name = "eve-file"};
	uint32_t new;

	open_report(s);
	report.sinks.v[SINK_EVE_FILE].on = false; // away
	assert_int_equal(report_batch(1, 100, &new), 0);
	report.sinks.v[SINK_EVE_FILE].on = true;
	report_pump(&report);
	assert_int_equal(eve_lines(), 40);
	assert_int_equal(store_sink_get(s, &saved), 1);
	assert_int_equal(saved.missed, 60);
	assert_int_equal(saved.cursor, 100);
	report_done(&report);
	store_close(s);
}

static int listen_on(const char *path, int type)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, type | SOCK_NONBLOCK, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	assert_int_equal(bind(fd, (const struct sockaddr *)&addr, sizeof(addr)), 0);
	if (type == SOCK_STREAM)
		assert_int_equal(listen(fd, 5), 0);
	return fd;
}

// A socket that nobody reads, that is read slowly, and that goes away: every line arrives, whole, in order.
static void test_sockets(void **state)
{
	struct store *s = open_store(100000);
	char buf[65536], *text = calloc(1, 8 << 20);
	size_t len = 0;
	uint32_t new;
	ssize_t n;

	settings_defaults(&settings);
	settings.eve.mask = 0;
	snprintf(settings.eve.socket, sizeof(settings.eve.socket), "%s", path_of("s.sock"));
	snprintf(settings.syslog, sizeof(settings.syslog), "%s", path_of("log.sock"));
	snprintf(settings.host, sizeof(settings.host), "a host");
	assert_int_equal(report_init(&report, &settings, s, NULL, &book, &diag), 0);
	struct sink *eve = &report.sinks.v[SINK_EVE_SOCKET], *log = &report.sinks.v[SINK_SYSLOG];
	assert_int_equal(report_batch(1, 100, &new), 0); // nobody is there
	assert_int_equal(sinks_pending(&report.sinks, eve), 100);
	assert_int_equal(sinks_pending(&report.sinks, log), 100);
	int listener = listen_on(path_of("s.sock"), SOCK_STREAM);
	int syslog = listen_on(path_of("log.sock"), SOCK_DGRAM);
	report_pump(&report);
	int reader = accept(listener, NULL, NULL);
	for (uint64_t seq = 101; seq < 2000; seq += 100) // more than it holds
		assert_int_equal(report_batch(seq, 100, &new), 0);
	assert_true(sinks_pending(&report.sinks, eve) > 0);
	int lines = 0;
	while (sinks_pending(&report.sinks, eve) > 0 || sinks_pending(&report.sinks, log) > 0) {
		while ((n = recv(reader, text + len, (8 << 20) - len, MSG_DONTWAIT)) > 0)
			len += (size_t)n;
		while ((n = recv(syslog, buf, sizeof(buf) - 1, MSG_DONTWAIT)) > 0) {
			buf[n] = '\0';
			assert_memory_equal(buf, "<132>1 2023-11-14T22:13:20.", 27);
			assert_non_null(strstr(buf, "Z a_host wireglassd "));
			json_t *json = json_loads(strstr(buf, "@cee: ") + 6, 0, NULL);
			assert_int_equal(json_integer_value(json_object_get(
						 json_object_get(json, "wireglass"), "id")),
					 ++lines);
			json_decref(json);
		}
		report_pump(&report);
	}
	while ((n = recv(syslog, buf, sizeof(buf) - 1, MSG_DONTWAIT)) > 0)
		lines++;
	assert_int_equal(lines, 2000);
	while ((n = recv(reader, text + len, (8 << 20) - len, MSG_DONTWAIT)) > 0)
		len += (size_t)n;
	uint64_t want = 0;
	for (char *line = text, *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
		*end = '\0';
		json_t *json = json_loads(line, 0, NULL);
		assert_non_null(json);
		assert_int_equal(json_integer_value(
					 json_object_get(json_object_get(json, "wireglass"), "id")),
				 ++want);
		json_decref(json);
	}
	assert_int_equal(want, 2000);
	close(reader);
	assert_int_equal(report_batch(2001, 5, &new), 0);
	assert_int_equal(sinks_pending(&report.sinks, eve), 5);
	report_pump(&report); // a new connection
	reader = accept(listener, NULL, NULL);
	assert_int_equal(sinks_pending(&report.sinks, eve), 0);
	assert_true(recv(reader, buf, sizeof(buf), MSG_DONTWAIT) > 0);
	report_done(&report);
	assert_int_equal(report_init(&report, &settings, s, NULL, &book, &diag), 0);
	assert_int_equal(report.sinks.v[SINK_EVE_SOCKET].cursor, 2005); // where it was
	report_done(&report);
	close(reader);
	close(listener);
	close(syslog);
	free(text);
	store_close(s);
}

static void test_eve_half_line_is_cut_at_start(void **state)
{
	struct evefile f;
	FILE *out = fopen(path_of("eve.json"), "w");

	fputs("{\"event_type\":\"a\"}\n{\"event_type\":\"half", out);
	fclose(out);
	assert_int_equal(evefile_open(&f, path_of("eve.json"), &diag), 0);
	assert_int_equal(evefile_append(&f, "{\"event_type\":\"b\"}\n", 19, 1, true), 0);
	assert_int_equal(eve_lines(), 2);
	// After a rotation the next line goes to the new file.
	assert_int_equal(rename(path_of("eve.json"), path_of("eve.json.1")), 0);
	assert_int_equal(evefile_append(&f, "{\"event_type\":\"c\"}\n", 19, 1, false), 0);
	assert_int_equal(access(path_of("eve.json"), F_OK), -1);
	assert_int_equal(evefile_reopen(&f, &diag), 0);
	assert_int_equal(evefile_append(&f, "{\"event_type\":\"d\"}\n", 19, 1, false), 0);
	assert_int_equal(eve_lines(), 1);
	evefile_close(&f);
	assert_int_equal(mkfifo(path_of("fifo"), 0600), 0);
	assert_int_equal(evefile_open(&f, path_of("fifo"), &diag), -EINVAL);
	assert_int_equal(evefile_open(&f, path_of("no/such/file"), &diag), -ENOENT);
	assert_int_equal(evefile_open(&f, "", &diag), 0);
	assert_int_equal(evefile_append(&f, "x\n", 2, 1, true), 0);
}

// A small file system that fills up: batches are refused, none is half stored, and all of them get in once there is room.
static void test_disk_full(void **state)
{
	uint64_t seq = 1;
	uint32_t new;
	int err = 0;

	// In a mount namespace of its own, so that nothing is left mounted whatever happens.
	if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mount("none", dir, "tmpfs", 0, "size=1m") != 0) {
		print_message("cannot mount a tmpfs (%s): not run\n", strerror(errno));
		skip();
	}
	struct store *s = open_store(1000000);
	open_report(s);
	while (err == 0 && seq < 100000) {
		err = report_batch(seq, 100, &new);
		if (err == 0)
			seq += 100;
	}
	assert_true(err == -ENOSPC || err == -EIO);
	assert_true(diag.text[0] != '\0');
	print_message("full after %llu hits: %s\n", (unsigned long long)seq - 1, diag.text);
	// All of the batch or nothing: a COMMIT that says "no space" may have been carried out.
	uint64_t in = store_cursor(s, boot_a, 2);
	assert_true(in == seq - 1 || in == seq + 99);
	assert_int_equal(count(s), in);
	// Eight more that fail or not; whatever is refused is sent again, as the dataplane does.
	for (int i = 0; i < 8; i++) {
		(void)report_batch(seq, 100, &new);
		in = store_cursor(s, boot_a, 2);
		assert_true(in == seq - 1 || in == seq + 99);
		assert_int_equal(count(s), in);
	}
	assert_int_equal(mount("none", dir, "tmpfs", MS_REMOUNT, "size=16m"), 0);
	assert_int_equal(report_batch(seq, 100, &new), 0);
	assert_int_equal(report_batch(seq + 100, 100, &new), 0);
	assert_int_equal(new, 100);
	report_pump(&report);
	assert_int_equal(eve_ids_in_order(), seq + 199);
	report_done(&report);
	store_close(s);
	s = open_store(1000000);
	assert_int_equal(count(s), seq + 199);
	assert_int_equal(store_cursor(s, boot_a, 2), seq + 199);
	store_close(s);
	assert_int_equal(umount(dir), 0);
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
		TEST(test_retention),
		TEST(test_newest_limit_is_exact_by_table),
		TEST(test_retention_by_age),
		TEST(test_retention_by_size),
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
		TEST(test_older_file),
		TEST(test_damaged_and_newer_files),
		TEST(test_killed_in_the_middle),
		TEST(test_report_writes_each_hit_once),
		TEST(test_report_events),
		TEST(test_eve_write_error),
		TEST(test_eve_exactly_once),
		TEST(test_sink_that_missed_hits),
		TEST(test_sockets),
		TEST(test_eve_half_line_is_cut_at_start),
		TEST(test_client_address),
		TEST(test_ledger_of_days),
		TEST(test_disk_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: BSD-2-Clause
// The limit of bench does exactly what the engine's prefilters and inflater did: the same bytes, the same signatures, however
// often it is repeated.
#include <errno.h>
#include <zlib.h>

#include "dataplane/bench_limit.h"
#include "dataplane/capture.h"
#include "dataplane/engine/tap.h"
#include "tests/unit/pipekit.h"

enum {
	TAP_BYTES = 1 << 20,
	GZIP_WRAP = 15 + 16, // window bits as zlib wants them
};

static const char rules[] =
	"alert http any any -> any any (http.uri; content:\"wanted\"; sid:1;)\n"
	"alert http any any -> any any (flow:to_client; file.data; content:\"needle\"; sid:2;)\n"
	"alert http any any -> any any (flow:to_server; file.data; content:\"thread\"; sid:3;)\n"
	"alert http any any -> any any (flow:to_server; file.data; content:\"ends\"; endswith; "
	"sid:4;)\n"
	"alert http any any -> any any (http.request_body; content:\"form-data\"; sid:5;)\n"
	"alert tcp any any -> any any (flow:to_server; content:\"wanted\"; sid:6;)\n"
	"alert tcp-pkt any any -> any any (content:\"boundary\"; sid:7;)\n"
	"alert http any any -> any any (http.request_header; content:\"Agent: kit\"; sid:8;)\n";

#define PART(name, text)                                                                           \
	"--b\r\nContent-Disposition: form-data; name=\"" name "\"; filename=\"" name               \
	"\"\r\n\r\n" text "\r\n"
// The thread is in two files: its signature fires once in each.
#define FORM PART("a", "a thread and what ends") PART("b", "another thread") "--b--\r\n"

struct fixture {
	struct kit k;
	struct ruleset *rs;
	struct tap tap;
	struct kit_list list;
	char request[2048], response[2048], get[256];
	size_t plain; // bytes of what is packed in the response
};

static void say(struct fixture *f, uint8_t dir, const void *data, size_t n, uint32_t most)
{
	kit_data(&f->list, dir, span_of(data, n), most, NULL);
}

// An upload of two files; a packed page as its answer, cut small; a request without a body.
static void converse(struct fixture *f)
{
	char page[4000];
	uint8_t packed[1024];
	z_stream z = {0};
	int n;

	for (size_t i = 0; i < sizeof(page); i++)
		page[i] = "a page with a needle "[i % 21];
	f->plain = sizeof(page);
	assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, GZIP_WRAP, 8, Z_DEFAULT_STRATEGY), Z_OK);
	z.next_in = (uint8_t *)page;
	z.avail_in = sizeof(page);
	z.next_out = packed;
	z.avail_out = sizeof(packed);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	n = snprintf(f->request, sizeof(f->request),
		     "POST /wanted HTTP/1.1\r\nHost: h\r\nUser-Agent: kit\r\nContent-Type: "
		     "multipart/form-data; boundary=b\r\nContent-Length: %zu\r\n\r\n%s",
		     sizeof(FORM) - 1, FORM);
	kit_open(&f->list, 1000, 2000);
	say(f, 0, f->request, (size_t)n, 100);
	n = snprintf(f->response, sizeof(f->response),
		     "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %lu\r\n\r\n",
		     z.total_out);
	memcpy(f->response + n, packed, z.total_out);
	say(f, 1, f->response, (size_t)n + z.total_out, 7);
	deflateEnd(&z);
	n = snprintf(f->get, sizeof(f->get), "GET /wanted HTTP/1.1\r\nHost: h\r\n\r\n");
	say(f, 0, f->get, (size_t)n, 100);
	kit_close(&f->list);
}

static void setup(struct fixture *f, size_t room)
{
	struct pipeline_conf conf = kit_conf();

	memset(f, 0, sizeof(*f));
	f->tap = (struct tap){.mem = malloc(TAP_BYTES), .room = room};
	assert_non_null(f->tap.mem);
	conf.tap = &f->tap;
	f->rs = kit_ruleset(rules, 1, NULL);
	kit_init(&f->k, &conf, f->rs);
	converse(f);
	kit_feed(&f->k, f->list.v, f->list.n, 16);
	kit_flush(&f->k);
}

static void teardown(struct fixture *f)
{
	kit_done(&f->k);
	ruleset_free(f->rs);
	free(f->list.v);
	free(f->tap.mem);
}

static void test_same_work(void **state)
{
	struct fixture f;
	struct bench_limit *l = NULL;
	struct bench_limit_size size;
	struct diag d = {0};

	setup(&f, TAP_BYTES);
	for (uint32_t rule = 0; rule < 8; rule++) { // each has something to find
		bool hit = false;

		for (uint32_t i = 0; i < f.k.n_hits; i++)
			hit |= f.k.hits[i].rule == rule;
		assert_true(hit);
	}
	assert_int_equal(bench_limit_new(&f.tap, f.rs, &l, &d), 0);
	bench_limit_size(l, &size);
	assert_int_equal(size.scan_calls, kit_count(&f.k, CNT_SCAN_CALLS));
	assert_int_equal(size.scan_bytes, kit_count(&f.k, CNT_SCAN_BYTES));
	assert_int_equal(size.deflate_bodies, 1);
	// Signatures are searched for anew in every pass.
	for (int i = 0; i < 3; i++) {
		assert_int_equal(bench_limit_scan(l), kit_count(&f.k, CNT_SIG_FIRED));
		assert_int_equal(bench_limit_inflate(l), f.plain);
	}
	bench_limit_free(l);
	teardown(&f);
}

// What does not fit is no limit.
static void test_no_room(void **state)
{
	struct fixture f;
	struct bench_limit *l = NULL;
	struct diag d = {0};

	setup(&f, 4096);
	assert_true(f.tap.lost > 0);
	assert_int_equal(bench_limit_new(&f.tap, f.rs, &l, &d), -EFBIG);
	assert_null(l);
	teardown(&f);
}

// Without rules nothing is scanned.
static void test_nothing(void **state)
{
	struct tap tap = {0};
	struct ruleset *rs = kit_ruleset("", 1, NULL);
	struct capture_set set = {0};
	struct bench_limit *l = NULL;
	struct diag d = {0};

	assert_int_equal(bench_limit_new(&tap, rs, &l, &d), 0);
	assert_int_equal(bench_limit_scan(l), 0);
	assert_int_equal(bench_limit_inflate(l), 0);
	bench_limit_copy(l, &set);
	bench_limit_free(l);
	bench_limit_free(NULL);
	ruleset_free(rs);
}

// Streams and pools that are in use are seen, and gone when everything is closed.
static void test_usage(void **state)
{
	struct fixture f;
	struct pipeline_usage u;
	struct pipeline_conf conf = kit_conf();

	memset(&f, 0, sizeof(f));
	f.rs = kit_ruleset(rules, 1, NULL);
	kit_init(&f.k, &conf, f.rs);
	converse(&f);
	kit_feed(&f.k, f.list.v, 5, 16); // in the midst of the upload
	pipeline_usage(f.k.p, &u);
	assert_int_equal(u.flows, 1);
	assert_int_equal(u.messages, 1);
	assert_true(u.flow_bytes > 0);
	assert_true(ruleset_stream_bytes(f.rs, 0) > 0);
	assert_true(u.message_bytes > ruleset_stream_bytes(f.rs, 0));
	kit_feed(&f.k, f.list.v + 5, f.list.n - 5, 16);
	kit_flush(&f.k);
	pipeline_usage(f.k.p, &u);
	assert_int_equal(u.flows + u.flow_bytes + u.messages + u.message_bytes, 0);
	kit_done(&f.k);
	ruleset_free(f.rs);
	free(f.list.v);
}

// Each stage that is left out leaves its work undone, and those before it do all of theirs.
static void test_stages(void **state)
{
	static const char *const name[] = {"created", "delivered", "transactions",
					   "decoded", "fired",     "hits"};
	const enum counter first[] = {CNT_FLOW_CREATED,      CNT_TCP_DELIVERED,
				      CNT_HTTP_TRANSACTIONS, CNT_HTTP_DECODED_BYTES,
				      CNT_SIG_FIRED,         CNT_HITS};
	const enum pipeline_stage by[] = {PIPELINE_TCP,     PIPELINE_TCP,  PIPELINE_HTTP,
					  PIPELINE_INFLATE, PIPELINE_SCAN, PIPELINE_VERIFY};
	struct pipeline_conf conf = kit_conf();
	uint64_t full[KIT_N(first)];

	conf.event_mask = 0; // or bodies are decoded for events
	for (int last = PIPELINE_VERIFY; last >= PIPELINE_DECODE; last--) {
		struct fixture f;

		memset(&f, 0, sizeof(f));
		f.rs = kit_ruleset(rules, 1, NULL);
		kit_init(&f.k, &conf, f.rs);
		pipeline_set_last_stage(f.k.p, (enum pipeline_stage)last);
		converse(&f);
		kit_feed(&f.k, f.list.v, f.list.n, 16);
		kit_flush(&f.k);
		assert_int_equal(kit_count(&f.k, CNT_PKT_TCP), f.list.n);
		for (size_t i = 0; i < KIT_N(first); i++) {
			uint64_t is = kit_count(&f.k, first[i]);

			if (last == PIPELINE_VERIFY)
				full[i] = is;
			if (is != ((int)by[i] <= last ? full[i] : 0) || full[i] == 0)
				fail_msg("up to stage %d: %s %lu of %lu", last, name[i], is,
					 full[i]);
		}
		assert_true(kit_count(&f.k, CNT_SCAN_BYTES) > 0 || last < PIPELINE_SCAN);
		assert_true(kit_count(&f.k, CNT_CANDIDATES) == 0 || last == PIPELINE_VERIFY);
		kit_done(&f.k);
		ruleset_free(f.rs);
		free(f.list.v);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same_work), cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_nothing),   cmocka_unit_test(test_usage),
		cmocka_unit_test(test_stages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

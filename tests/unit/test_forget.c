// SPDX-License-Identifier: BSD-2-Clause
// What a pipeline does with the bytes it has inspected: once they are of no more use it forgets them.
#include "dataplane/engine/pool.h"
#include "tests/unit/pipekit.h"

static const char rules[] =
	"alert http any any -> any any (flow:to_client; http.response_body; content:\"NEEDLE\"; "
	"pcre:\"/a.*NEEDLE/s\"; sid:1;)\n"
	"alert http any any -> any any (flow:to_server; http.request_body; content:\"NEEDLE\"; "
	"sid:2;)\n"
	"alert tcp any any -> any any (content:\"NEEDLE\"; sid:3;)\n";

#define UP   "UPLOADED-9f31c7aa"
#define DOWN "DOWNLOADED-77b01e"

static const char request[] =
	"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 40\r\n\r\n" UP " NEEDLE 0123456789012345";
static const char answer[] =
	"HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n" DOWN " NEEDLE 0123456789012345";

static struct span text(const char *s)
{
	return span_of((const uint8_t *)s, strlen(s));
}

static unsigned int count(const struct kit *k, const char *s)
{
	struct pipeline_conf conf = k->conf;
	const uint8_t *p = k->mem, *end = p + pipeline_memory(&conf);
	unsigned int n = 0;

	while ((p = memmem(p, (size_t)(end - p), s, strlen(s))) != NULL) {
		n++;
		p++;
	}
	return n;
}

static void test_forgets(void **state)
{
	struct ruleset *rs = kit_ruleset(rules, 1, NULL);
	struct pipeline_conf conf = kit_conf();
	struct kit_list l = {0};
	struct kit k;

	kit_init(&k, &conf, rs);
	kit_open(&l, 100, 500);
	kit_data(&l, 0, text(request), 50, NULL);
	kit_data(&l, 1, text(answer), 50, NULL);
	// as it comes when a piece was lost: one segment after the next
	struct pktgen_seg last = l.v[l.n - 1];

	l.v[l.n - 1] = l.v[l.n - 2];
	l.v[l.n - 2] = last;
	kit_feed(&k, l.v, l.n, 1);
	assert_true(k.n_hits > 0);
	// still needed: another copy of what the client sent may come
	while (pipeline_forget(k.p))
		;
	assert_true(count(&k, UP) > 0);

	l.n = 0;
	kit_close(&l);
	kit_feed(&k, l.v, l.n, 1);
	assert_true(count(&k, UP) + count(&k, DOWN) > 0);
	while (pipeline_forget(k.p))
		;
	assert_int_equal(count(&k, UP), 0);
	assert_int_equal(count(&k, DOWN), 0);
	assert_int_equal(count(&k, "NEEDLE"), 0);
	assert_false(pipeline_forget(k.p));

	// and works on
	kit_open(&l, 70000, 80000);
	kit_data(&l, 0, text(request), 50, NULL);
	kit_data(&l, 1, text(answer), 50, NULL);
	const uint32_t before = k.n_hits;

	kit_feed(&k, l.v, l.n, 4);
	assert_true(k.n_hits > before);
	kit_flush(&k);
	while (pipeline_forget(k.p))
		;
	assert_int_equal(count(&k, UP) + count(&k, DOWN), 0);
	kit_done(&k);
	free(l.v);
	ruleset_free(rs);
}

static void test_pool(void **state)
{
	_Alignas(8) uint8_t mem[4 * 64];
	struct pool p;
	uint8_t *a, *b;

	pool_init(&p, mem, 4, 64);
	assert_false(pool_wipe(&p));
	a = pool_get(&p);
	b = pool_get(&p);
	memset(a, 'a', 64);
	memset(b, 'b', 64);
	pool_put(&p, a);
	assert_true(pool_wipe(&p));
	assert_false(pool_wipe(&p));
	for (int i = 4; i < 64; i++)
		assert_int_equal(a[i], 0);
	assert_int_equal(b[5], 'b'); // in use
	pool_put(&p, b);
	// what was used last first, then what was wiped, then what was never touched
	assert_ptr_equal(pool_get(&p), b);
	assert_ptr_equal(pool_get(&p), a);
	assert_int_equal(pool_index(&p, pool_get(&p)), 2);
	assert_int_equal(pool_index(&p, pool_get(&p)), 3);
	assert_null(pool_get(&p));
	assert_int_equal(p.used, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forgets),
		cmocka_unit_test(test_pool),
	};

	return cmocka_run_group_tests_name("forget", tests, NULL, NULL);
}

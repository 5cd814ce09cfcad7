// SPDX-License-Identifier: BSD-2-Clause
// rules/partition.c: with several databases for a buffer every rule still hits where its literal stands, and nowhere else.
#include <ctype.h>

#include "tests/unit/pipekit.h"

enum {
	RULES = 700,
	STARTS = 40, // of these with a position near the start
	BODY = 200000,
};

static char rules_text[RULES * 160], body[BODY + 1], literal[RULES][40];

// Different ones, none in another: each ends in its number.
static void literals_make(uint64_t *seed)
{
	for (uint32_t i = 0; i < RULES; i++) {
		const uint32_t more = kit_below(seed, 28);
		uint32_t n = 0;

		for (; n < more; n++)
			literal[i][n] = (char)('a' + kit_below(seed, 26));
		snprintf(literal[i] + n, sizeof(literal[i]) - n, "#%03u", i);
	}
}

static struct ruleset *rules_make(void)
{
	size_t n = 0;

	for (uint32_t i = 0; i < RULES; i++)
		n += (size_t)snprintf(rules_text + n, sizeof(rules_text) - n,
				      "alert http any any -> any any (flow:to_client; file.data; "
				      "content:\"%s\"; %s%ssid:%u;)\n",
				      literal[i], i % 3 == 0 ? "nocase; " : "",
				      i < STARTS ? "depth:300; " : "", i + 1);
	assert_true(n < sizeof(rules_text));
	return kit_ruleset(rules_text, 1, NULL);
}

// The parts are there, or nothing of this is tested.
static void test_parts(void **state)
{
	uint64_t seed = 3;
	struct ruleset *rs;
	const struct image_header *h;
	const struct image_db *dbs;
	uint32_t parts = 0, limited = 0, signatures = 0;

	literals_make(&seed);
	rs = rules_make();
	h = ruleset_image(rs);
	dbs = IMAGE_AT(h, struct image_db, IMAGE_DBS);
	for (uint32_t i = h->db[BUF_FILE_DATA][1]; i != IMAGE_NONE; i = dbs[i].next) {
		parts++;
		signatures += dbs[i].n_sigs;
		if (dbs[i].limit != UINT64_MAX) {
			limited++;
			assert_int_equal(dbs[i].limit, 300);
			assert_int_equal(dbs[i].n_sigs, STARTS);
		}
	}
	assert_int_equal(limited, 1);
	assert_in_range(parts, 2, IMAGE_PARTS_MAX);
	assert_int_equal(signatures, RULES);
	ruleset_free(rs);
}

static void test_hits(void **state)
{
	uint64_t seed = 5;
	struct ruleset *rs;

	literals_make(&seed);
	rs = rules_make();
	for (int round = 0; round < 12; round++) {
		const size_t size = round % 2 == 0 ? 400 + kit_below(&seed, 3000) : BODY;
		struct pipeline_conf conf = kit_conf();
		bool want[RULES] = {false}, got[RULES] = {false};
		struct kit_list l = {0};
		char head[100];
		size_t at = 0;
		struct kit k;
		int n;

		memset(body, '.', size);
		body[size] = '\0';
		// Some at the start, where rules with a position want them, and in the first bytes where they no longer do.
		while (at + 50 < size) {
			const uint32_t i =
				at < 600 ? kit_below(&seed, STARTS * 2) : kit_below(&seed, RULES);
			const size_t len = strlen(literal[i]);

			memcpy(body + at, literal[i], len);
			if (i % 3 == 0 && round % 3 == 0)
				body[at] = (char)toupper(body[at]);
			want[i] |= i >= STARTS || at + len <= 300;
			at += len + kit_below(&seed, size / 40);
		}
		kit_init(&k, &conf, rs);
		kit_open(&l, 1, 1);
		kit_data(&l, 0, SPAN_LIT("GET / HTTP/1.1\r\nHost: h\r\n\r\n"), 1400, NULL);
		n = snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n",
			     size);
		kit_data(&l, 1, span_of(head, (size_t)n), 1400, NULL);
		kit_data(&l, 1, span_of(body, size), (uint32_t[]){7, 100, 1400}[round % 3], NULL);
		kit_feed(&k, l.v, l.n, 16);
		kit_flush(&k);
		for (uint32_t i = 0; i < k.n_hits; i++) {
			assert_in_range(k.hits[i].sid, 1, RULES);
			assert_false(got[k.hits[i].sid - 1]);
			got[k.hits[i].sid - 1] = true;
		}
		for (uint32_t i = 0; i < RULES; i++)
			if (want[i] != got[i])
				fail_msg("round %d: \"%s\" %s", round, literal[i],
					 want[i] ? "is not found" : "is found");
		kit_done(&k);
		free(l.v);
	}
	ruleset_free(rs);
}

// Too many to be timed: long ones are found by their grams, whatever the machine says.
static void test_many(void **state)
{
	enum { MANY = 8300, LEN = 24 };
	const size_t room = MANY * 120;
	char *text = malloc(room), *page = malloc(MANY * (LEN + 1) + 1);
	struct pipeline_conf conf = kit_conf();
	struct kit_list l = {0};
	struct ruleset *rs;
	const struct image_db *db;
	uint64_t seed = 9;
	size_t n = 0, at = 0;
	char head[100];
	struct kit k;

	(void)state;
	assert_true(text != NULL && page != NULL);
	for (uint32_t i = 0; i < MANY; i++) {
		char *p = page + at;

		for (uint32_t c = 0; c < LEN - 4; c++)
			p[c] = (char)('a' + kit_below(&seed, 26));
		snprintf(p + LEN - 4, 6, "%04u.", i);
		at += LEN + 1;
		n += (size_t)snprintf(
			text + n, room - n,
			"alert http any any -> any any (file.data; content:\"%.*s\"; sid:%u;)\n",
			LEN, p, i + 1);
	}
	assert_true(n < room);
	rs = kit_ruleset(text, 1, NULL);
	db = IMAGE_AT(ruleset_image(rs), struct image_db, IMAGE_DBS) +
	     ruleset_image(rs)->db[BUF_FILE_DATA][1];
	assert_int_equal(db->flags, IMAGE_DB_STREAM | IMAGE_DB_GRAMS);
	assert_int_equal(db->n_sigs, MANY);
	conf.hits = 2 * MANY;
	conf.messages = 64;
	kit_init(&k, &conf, rs);
	kit_open(&l, 1, 1);
	kit_data(&l, 0, SPAN_LIT("GET / HTTP/1.1\r\nHost: h\r\n\r\n"), 1400, NULL);
	snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", at);
	kit_data(&l, 1, span_of(head, strlen(head)), 1400, NULL);
	kit_data(&l, 1, span_of(page, at), 1001, NULL);
	kit_feed(&k, l.v, l.n, 16);
	kit_flush(&k);
	assert_int_equal(k.n_hits, MANY);
	kit_done(&k);
	free(l.v);
	ruleset_free(rs);
	free(page);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_hits),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

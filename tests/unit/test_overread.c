// SPDX-License-Identifier: BSD-2-Clause
// Debian's Hyperscan 5.4.0 reads past the end of what it scans on CPUs with AVX512-VBMI. 64 readable bytes behind every
// buffer are the remedy: here they are all there is before a page that must not be touched.
#include "tests/unit/conversations.h"

#include <hs.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
	AREA_BYTES = 128 << 10,
	SAYS = 8,
};

// Memory that ends at a page nobody may read. Returns its end.
static uint8_t *edge_map(void)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uint8_t *p = mmap(NULL, AREA_BYTES + page, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_true(p != MAP_FAILED);
	assert_int_equal(mprotect(p + AREA_BYTES, page, PROT_NONE), 0);
	return p + AREA_BYTES;
}

static void edge_unmap(uint8_t *edge)
{
	assert_int_equal(munmap(edge - AREA_BYTES, AREA_BYTES + (size_t)sysconf(_SC_PAGESIZE)), 0);
}

// ---- libhs alone ----

struct found {
	unsigned long long end;
	uint32_t n;
};

static int on_match(unsigned int id, unsigned long long from, unsigned long long to,
		    unsigned int flags, void *ctx)
{
	struct found *f = ctx;

	if (id == 0) {
		f->n++;
		f->end = to;
	}
	return 0;
}

// Pattern 0 is the needle, the others are random.
static hs_database_t *set_compile(uint32_t n, uint32_t most, unsigned int flags, bool chains,
				  unsigned int mode, uint64_t *seed)
{
	const char **expr = calloc(n, sizeof(*expr));
	unsigned int *fl = calloc(n, sizeof(*fl)), *ids = calloc(n, sizeof(*ids));
	char *text = calloc(n, 64);
	hs_compile_error_t *ce = NULL;
	hs_database_t *db = NULL;

	assert_true(expr != NULL && fl != NULL && ids != NULL && text != NULL);
	for (uint32_t i = 0; i < n; i++) {
		char *e = text + (size_t)i * 64;
		uint32_t len = 1 + kit_below(seed, most);

		expr[i] = e;
		fl[i] = HS_FLAG_SINGLEMATCH | flags;
		ids[i] = i;
		for (uint32_t k = 0; i > 0 && k < len; k++)
			e += sprintf(e, "\\x%02x", 'b' + kit_below(seed, 25));
		if (i == 0)
			strcpy(e, chains ? "a+z" : "az");
		else if (chains && i % 2 == 0)
			strcpy(e, "(?s:.){0,9}q");
	}
	if (hs_compile_multi(expr, fl, ids, n, mode, NULL, &db, &ce) != HS_SUCCESS)
		fail_msg("%s", ce->message);
	free(expr);
	free(fl);
	free(ids);
	free(text);
	return db;
}

// Buffers of every length up to 300, each ending PIPELINE_TAIL_BYTES before the page.
static uint32_t set_scan(hs_database_t *db, bool stream, uint8_t *edge)
{
	hs_scratch_t *scratch = NULL;
	uint32_t scans = 0;

	assert_int_equal(hs_alloc_scratch(db, &scratch), HS_SUCCESS);
	for (unsigned int len = 2; len <= 300; len++) {
		char *buf = (char *)edge - PIPELINE_TAIL_BYTES - len;
		struct found found = {0};

		memset(buf, 'b', len);
		memset(edge - PIPELINE_TAIL_BYTES, 'a', PIPELINE_TAIL_BYTES);
		memcpy(buf + len - 2, "az", 2);
		if (stream) {
			const unsigned int cut = len / 3;
			hs_stream_t *s;

			// Both pieces end where the page is 64 bytes away.
			assert_int_equal(hs_open_stream(db, 0, &s), HS_SUCCESS);
			assert_int_equal(hs_scan_stream(s, buf + len - cut, cut, 0, scratch,
							on_match, &found),
					 HS_SUCCESS);
			found.n = 0;
			assert_int_equal(hs_reset_stream(s, 0, NULL, NULL, NULL), HS_SUCCESS);
			assert_int_equal(
				hs_scan_stream(s, buf, len - 1, 0, scratch, on_match, &found),
				HS_SUCCESS);
			buf[len - 1] = 'z';
			assert_int_equal(
				hs_scan_stream(s, buf + len - 1, 1, 0, scratch, on_match, &found),
				HS_SUCCESS);
			assert_int_equal(hs_close_stream(s, scratch, on_match, &found), HS_SUCCESS);
			scans += 3;
		} else {
			assert_int_equal(hs_scan(db, buf, len, 0, scratch, on_match, &found),
					 HS_SUCCESS);
			scans++;
		}
		// What lies behind the buffer ("aaa...") is no part of it.
		assert_int_equal(found.n, 1);
		assert_int_equal(found.end, len);
	}
	hs_free_scratch(scratch);
	return scans;
}

static void test_libhs(void **state)
{
	static const uint32_t sizes[] = {1, 2, 5, 12, 40, 150};
	uint8_t *edge = edge_map();
	uint64_t seed = 41;
	uint32_t scans = 0;

	for (size_t i = 0; i < KIT_N(sizes); i++) {
		for (int kind = 0; kind < 8; kind++) {
			const bool stream = (kind & 1) != 0,
				   chains = (kind & 4) != 0 && sizes[i] <= 5;
			hs_database_t *db =
				set_compile(sizes[i], (kind & 4) != 0 ? 3 : 8,
					    (kind & 2) != 0 ? HS_FLAG_CASELESS : 0, chains,
					    stream ? HS_MODE_STREAM : HS_MODE_BLOCK, &seed);

			scans += set_scan(db, stream, edge);
			hs_free_database(db);
		}
	}
	edge_unmap(edge);
	print_message("%zu pattern sets, %u scans\n", KIT_N(sizes) * 8, scans);
}

// ---- the pipeline ----

// Frames that end right before the page are inspected like any other: from a copy if too few bytes follow them.
static void test_frames(void **state)
{
	static const uint32_t tails[] = {0, 1, 63, 64, 65};
	struct ruleset *rs = kit_ruleset(conv_rules, 1, NULL);
	struct pipeline_conf conf = kit_conf();
	uint8_t *edge = edge_map();
	uint64_t seed = 42;

	for (size_t i = 0; i < KIT_N(convs) * KIT_N(tails); i++) {
		const struct conv *c = &convs[i / KIT_N(tails)];
		const uint32_t tail = tails[i % KIT_N(tails)];
		struct span bytes[SAYS];
		struct kit_list l = {0};
		uint32_t due = 0;
		struct kit k;

		kit_init(&k, &conf, rs);
		k.edge = edge;
		k.tail_bytes = tail;
		kit_open(&l, 1, 1);
		for (int s = 0; s < SAYS && c->say[s].head != NULL; s++) {
			bytes[s] = conv_bytes(&c->say[s]);
			kit_data(&l, c->say[s].dir, bytes[s], i % 2 == 0 ? 200 : 60000,
				 i % 2 == 0 ? &seed : NULL);
		}
		if (!c->no_fin)
			kit_close(&l);
		// Some wait in the queue for the one before them.
		for (uint32_t n = 4; n + 1 < l.n; n += 5) {
			struct pktgen_seg first = l.v[n];

			if (first.dir != l.v[n + 1].dir ||
			    ((first.flags | l.v[n + 1].flags) & KIT_FIN) != 0)
				continue;
			l.v[n] = l.v[n + 1];
			l.v[n + 1] = first;
		}
		kit_feed(&k, l.v, l.n, 1);
		kit_flush(&k);
		for (const char *w = c->want; *w != '\0'; w++)
			due += w == c->want || *w == ' ';
		if (k.n_hits != due)
			fail_msg("%s, %u bytes behind a frame: %u hits instead of %u", c->name,
				 tail, k.n_hits, due);
		if (tail >= PIPELINE_TAIL_BYTES)
			assert_int_equal(kit_count(&k, CNT_PKT_COPIED), 0);
		else if (kit_count(&k, CNT_TCP_DELIVERED) > 0)
			assert_true(kit_count(&k, CNT_PKT_COPIED) > 0);
		kit_done(&k);
		free(l.v);
		for (int s = 0; s < SAYS && c->say[s].head != NULL; s++)
			free((void *)(uintptr_t)bytes[s].data);
	}
	ruleset_free(rs);
	edge_unmap(edge);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_libhs),
		cmocka_unit_test(test_frames),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

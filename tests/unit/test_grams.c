// SPDX-License-Identifier: BSD-2-Clause
// rules/grams.h against a search that tries every literal at every place: found where it ends first, once, in any pieces.
#include <errno.h>

#include "rules/grams.h"
#include "rules/plan.h"
#include "tests/unit/pipekit.h"

enum {
	LITERALS = 60,
	TEXT = 6000,
};

struct set {
	struct grams_literal v[LITERALS];
	uint8_t bytes[LITERALS][GRAMS_MAX];
	uint32_t n;
};

struct found {
	uint64_t end[LITERALS]; // 0: not found
	bool twice;
};

static int on_found(unsigned int id, unsigned long long from, unsigned long long to,
		    unsigned int flags, void *ctx)
{
	struct found *f = ctx;

	assert_true(id < LITERALS && from == 0 && flags == 0);
	f->twice |= f->end[id] != 0;
	f->end[id] = to;
	return 0;
}

// Literals of few letters, some of them pieces of others, that may be found by grams.
static void set_make(struct set *s, uint64_t *seed)
{
	struct grams_literal all[LITERALS];
	const char *letters =
		kit_below(seed, 2) == 0 ? "abAB01 " : "abcdefghABCDEFGH01234567 <>=\xff";
	const uint32_t n_letters = (uint32_t)strlen(letters), n = 1 + kit_below(seed, LITERALS);

	for (uint32_t i = 0; i < n; i++) {
		const uint32_t len = 1 + kit_below(seed, kit_below(seed, 3) == 0 ? GRAMS_MAX : 40);
		uint32_t same = i > 0 && kit_below(seed, 3) == 0 ? kit_below(seed, len) : 0;

		all[i].nocase = kit_below(seed, 2) == 0;
		if (same > 0 && same > all[i - 1].bytes.len)
			same = (uint32_t)all[i - 1].bytes.len;
		for (uint32_t k = 0; k < len; k++) {
			uint8_t c = k < same ? s->bytes[i - 1][k]
					     : (uint8_t)letters[kit_below(seed, n_letters)];

			s->bytes[i][k] = all[i].nocase ? span_lower(c) : c;
		}
		all[i].bytes = span_of(s->bytes[i], len);
	}
	assert_int_equal(grams_choose(all, n, NULL, 0, plan_literal_bits), 0);
	s->n = 0;
	for (uint32_t i = 0; i < n; i++) {
		if (all[i].bytes.len < GRAMS_MIN)
			assert_int_equal(all[i].at, UINT8_MAX);
		if (all[i].at != UINT8_MAX)
			s->v[s->n++] = all[i];
	}
}

static bool stands(const struct grams_literal *l, const uint8_t *p)
{
	for (size_t i = 0; i < l->bytes.len; i++)
		if ((l->nocase ? span_lower(p[i]) : p[i]) != l->bytes.data[i])
			return false;
	return true;
}

static void search_plainly(const struct set *s, const uint8_t *text, size_t len, struct found *f)
{
	memset(f, 0, sizeof(*f));
	for (uint32_t i = 0; i < s->n; i++)
		for (size_t at = 0; at + s->v[i].bytes.len <= len && f->end[i] == 0; at++)
			if (stands(&s->v[i], text + at))
				f->end[i] = at + s->v[i].bytes.len;
}

// Text with literals in it, whole, in other case, cut short, one across the other.
static void text_make(const struct set *s, uint8_t *text, size_t len, uint64_t *seed)
{
	for (size_t i = 0; i < len; i++)
		text[i] = (uint8_t)("abAB01 \xff"[kit_below(seed, 8)]);
	for (uint32_t k = kit_below(seed, 60); k > 0 && s->n > 0; k--) {
		const struct grams_literal *l = &s->v[kit_below(seed, s->n)];
		const size_t n = kit_below(seed, 3) == 0 ? kit_below(seed, (uint32_t)l->bytes.len)
							 : l->bytes.len;
		const size_t at = kit_below(seed, (uint32_t)len);

		for (size_t i = 0; i < n && at + i < len; i++) {
			text[at + i] = l->bytes.data[i];
			if (kit_below(seed, 40) == 0 && text[at + i] >= 'a' && text[at + i] <= 'h')
				text[at + i] ^= 0x20;
		}
	}
}

static void test_random(void **state)
{
	static const uint32_t pieces[] = {1, 7, 8, 100, 127, 128, 1448, TEXT};
	uint64_t seed = 11, found = 0, absent = 0;

	(void)state;
	for (int round = 0; round < 400; round++) {
		static struct set s;
		struct grams_stream *at;
		struct grams *g;

		set_make(&s, &seed);
		if (s.n == 0)
			continue;
		assert_int_equal(grams_new(s.v, s.n, &g), 0);
		at = malloc(grams_stream_bytes(g));
		assert_non_null(at);
		for (int k = 0; k < 4; k++) {
			const size_t len = 1 + kit_below(&seed, kit_below(&seed, 2) ? TEXT : 300);
			uint8_t *text = malloc(len); // not a byte more is read
			struct found want, got = {0};

			assert_non_null(text);
			text_make(&s, text, len, &seed);
			search_plainly(&s, text, len, &want);
			grams_reset(g, at);
			for (size_t from = 0; from < len;) {
				size_t n = 1 + kit_below(&seed, pieces[round % 8]);

				n = n < len - from ? n : len - from;
				grams_scan(g, at, span_of(text + from, n), on_found, &got);
				from += n;
			}
			assert_false(got.twice);
			for (uint32_t i = 0; i < s.n; i++) {
				if (want.end[i] != got.end[i])
					fail_msg("round %d, literal %u of %zu bytes: ends at %lu, "
						 "found at %lu",
						 round, i, s.v[i].bytes.len,
						 (unsigned long)want.end[i],
						 (unsigned long)got.end[i]);
				found += want.end[i] > 0;
				absent += want.end[i] == 0;
			}
			free(text);
		}
		free(at);
		grams_free(g);
	}
	// Both happened often enough to mean something.
	assert_true(found > 5000 && absent > 1000);
}

// No more literals may have a gram in common than can be compared in passing.
static void test_crowded(void **state)
{
	struct grams_literal v[GRAMS_SHARED + 3];
	uint8_t bytes[GRAMS_SHARED + 3][20];
	uint32_t chosen = 0;
	struct grams *g;

	(void)state;
	for (uint32_t i = 0; i < KIT_N(v); i++) {
		memcpy(bytes[i], "the same beginning..", 20);
		bytes[i][19] = (uint8_t)('a' + i);
		v[i] = (struct grams_literal){.bytes = span_of(bytes[i], 20)};
	}
	assert_int_equal(grams_choose(v, KIT_N(v), NULL, 0, plan_literal_bits), 0);
	for (uint32_t i = 0; i < KIT_N(v); i++)
		chosen += v[i].at != UINT8_MAX;
	assert_int_equal(chosen, GRAMS_SHARED);
	for (uint32_t i = 0; i < KIT_N(v); i++)
		v[i].at = 0;
	assert_int_equal(grams_new(v, GRAMS_SHARED, &g), 0);
	grams_free(g);
	assert_int_equal(grams_new(v, GRAMS_SHARED + 1, &g), -EBADMSG);
	// One letter again and again has one gram only.
	memset(bytes[0], 'a', 20);
	assert_int_equal(grams_choose(v, 1, NULL, 0, plan_literal_bits), 0);
	assert_int_equal(v[0].at, UINT8_MAX);
}

static void test_refused(void **state)
{
	static uint8_t bytes[GRAMS_MAX + 1];
	struct grams_literal l = {.bytes = span_of(bytes, GRAMS_MIN - 1)};
	struct grams *g;

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)i;
	assert_int_equal(grams_new(&l, 1, &g), -EBADMSG);
	l.bytes.len = GRAMS_MAX + 1;
	assert_int_equal(grams_new(&l, 1, &g), -EBADMSG);
	l.bytes.len = GRAMS_MAX;
	l.at = GRAMS_MAX - GRAMS_MIN + 1;
	assert_int_equal(grams_new(&l, 1, &g), -EBADMSG);
	l.at = GRAMS_MAX - GRAMS_MIN;
	assert_int_equal(grams_new(&l, 1, &g), 0);
	assert_true(grams_bytes(g) > grams_stream_bytes(g));
	grams_free(g);
	assert_int_equal(grams_new(&l, 0, &g), -EBADMSG);
}

// Where the sample has its grams, a literal is not looked for.
static void test_sample(void **state)
{
	static const char text[] = "this stands in every page, again and again and again";
	static const char literal[] = "zq(7)#_XyW9$vK2 every page, again";
	struct grams_literal l = {.bytes = span_of(literal, sizeof(literal) - 1)};
	struct span sample = span_of(text, sizeof(text) - 1);

	(void)state;
	assert_int_equal(grams_choose(&l, 1, &sample, 1, plan_literal_bits), 0);
	assert_int_equal(l.at, 0);
	l.bytes = span_of(literal + 12, sizeof(literal) - 13);
	assert_int_equal(grams_choose(&l, 1, &sample, 1, plan_literal_bits), 0);
	assert_true(l.at < 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_crowded),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_sample),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

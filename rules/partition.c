// SPDX-License-Identifier: BSD-2-Clause
// One database for all signatures of a buffer is not the fastest: what Hyperscan makes of a set of literals depends on
// their number and on the shortest of them, and not monotonically. Measured on 1,759 literals for response bodies, a large
// text, one busy core: all together 0.47 GB/s; those of 13 bytes and more alone 1.19, the shorter ones alone 2.93, so one
// after the other 0.85. The same cut at 20 bytes: 0.33. So a few cuts are compiled and timed on a sample of traffic.
//
// Long literals may also go to rules/grams.h. 1,213 of those above, of 15 bytes and more, take it as long as Hyperscan takes for a third
// of them, but of 267 literals Hyperscan finds all as fast as grams find the long half: so that is timed, too.
//
// Literals that must end in a buffer's first bytes are kept apart: what follows need not be searched for them.
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "rules/compile_impl.h"
#include "rules/grams.h"

enum {
	START_BYTES = 4096, // behind these, a limit is not worth a database
	START_MIN = 16,     // literals
	TUNE_MIN = 256,     // literals: fewer are fast together
	TUNE_MAX = 8192,    // more take seconds to compile: the usual cut is taken
	SEGMENT = 1448,
	PASSES = 3,
	CUT_USUAL = 13,
};

// Ways to divide, tried in this order: long literals by their grams or not, and from which length on literals are not short.
static const struct way {
	bool grams;
	uint32_t cut;
} ways[] = {{true, 0}, {false, CUT_USUAL}, {false, 0}, {false, 10}, {false, 16}};

static uint64_t cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static int on_match(unsigned int id, unsigned long long from, unsigned long long to,
		    unsigned int flags, void *ctx)
{
	return 0;
}

// The pieces of the sample that are of one buffer.
struct texts {
	struct span *v;
	size_t n;
};

static int texts_of(const struct sample *s, uint8_t slot, uint8_t dir, struct texts *ret_t)
{
	*ret_t = (struct texts){.v = calloc(s->n + 1, sizeof(struct span))};
	if (ret_t->v == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < s->n; i++)
		if (s->v[i].buffer == slot && s->v[i].dir == dir)
			ret_t->v[ret_t->n++] = sample_span(s, i);
	return 0;
}

// One pass over the texts, in segments.
static uint64_t pass(const struct texts *t, hs_database_t *db, hs_scratch_t *scratch)
{
	const uint64_t start = cpu_ns();

	for (size_t i = 0; i < t->n; i++) {
		struct span data = t->v[i];
		hs_stream_t *st;

		if (hs_open_stream(db, 0, &st) != HS_SUCCESS)
			continue;
		for (; data.len > 0; data = span_from(data, SEGMENT))
			hs_scan_stream(st, (const char *)data.data,
				       (unsigned int)span_first(data, SEGMENT).len, 0, scratch,
				       on_match, NULL);
		hs_close_stream(st, scratch, on_match, NULL);
	}
	return cpu_ns() - start;
}

static uint64_t grams_pass(const struct texts *t, const struct grams *g, struct grams_stream *s)
{
	const uint64_t start = cpu_ns();

	for (size_t i = 0; i < t->n; i++) {
		grams_reset(g, s);
		for (struct span data = t->v[i]; data.len > 0; data = span_from(data, SEGMENT))
			grams_scan(g, s, span_first(data, SEGMENT), on_match, NULL);
	}
	return cpu_ns() - start;
}

// Nanoseconds that wants[0..n) of one part take on the sample; 0 if there are none, UINT64_MAX if they do not compile.
static uint64_t part_ns(struct maker *m, const struct texts *t, const struct want *wants, size_t n)
{
	uint64_t best = UINT64_MAX;
	hs_scratch_t *scratch = NULL;
	hs_database_t *db = NULL;
	struct patterns p;
	char why[256];
	int bad;

	if (n == 0)
		return 0;
	if (patterns_make(m, wants, n, &p) < 0)
		return UINT64_MAX;
	if (maker_compile(p.expr, p.flags, p.ext, p.n, true, &db, &bad, why, sizeof(why)) == 0 &&
	    hs_alloc_scratch(db, &scratch) == HS_SUCCESS) {
		for (int i = 0; i < PASSES; i++) {
			uint64_t ns = pass(t, db, scratch);

			best = ns < best ? ns : best;
		}
	}
	hs_free_scratch(scratch);
	hs_free_database(db);
	patterns_done(&p);
	return best;
}

// The same of those that go to rules/grams.h.
static uint64_t grams_ns(const struct texts *t, const struct want *wants, size_t n)
{
	struct grams_literal *v = calloc(n + 1, sizeof(*v));
	struct grams_stream *s = NULL;
	struct grams *g = NULL;
	uint64_t best = UINT64_MAX;
	uint32_t unique = 0;

	for (size_t i = 0; i < n && v != NULL; i++)
		if (i == 0 || want_cmp(&wants[i], &wants[i - 1]) != 0)
			v[unique++] = (struct grams_literal){wants[i].bytes, wants[i].gram,
							     wants[i].nocase};
	if (n == 0)
		best = 0;
	else if (v != NULL && grams_new(v, unique, &g) == 0)
		s = malloc(grams_stream_bytes(g));
	for (int i = 0; i < PASSES && s != NULL; i++) {
		uint64_t ns = grams_pass(t, g, s);

		best = ns < best ? ns : best;
	}
	free(s);
	grams_free(g);
	free(v);
	return best;
}

static bool is_start(const struct want *w)
{
	return w->expr == NULL && w->max_end <= START_BYTES;
}

// Which of them rules/grams.h could find, and by which grams.
static int grams_for(const struct texts *t, struct want *wants, size_t n)
{
	struct grams_literal *v = calloc(n, sizeof(*v));
	uint32_t unique = 0;
	int err = v != NULL ? 0 : -ENOMEM;

	for (size_t i = 0; i < n && err == 0; i++) {
		const struct want *w = &wants[i];
		const bool anywhere =
			w->expr == NULL && w->max_end == UINT64_MAX && w->min_end <= w->bytes.len;

		// Nothing is too short to be found by grams.
		if (i == 0 || want_cmp(w, &wants[i - 1]) != 0)
			v[unique++] = (struct grams_literal){
				.bytes = anywhere ? w->bytes : SPAN_NONE,
				.nocase = w->nocase,
			};
	}
	if (err == 0)
		err = grams_choose(v, unique, t->v, t->n, plan_literal_bits);
	unique = 0;
	for (size_t i = 0; i < n && err == 0; i++) {
		unique += i > 0 && want_cmp(&wants[i], &wants[i - 1]) != 0;
		wants[i].gram = v[unique].at;
	}
	free(v);
	return err;
}

static uint8_t part_of(const struct want *w, bool start, const struct way *way)
{
	if (start && is_start(w))
		return PART_START;
	if (way->grams && w->gram != UINT8_MAX)
		return PART_GRAMS;
	// What has no literal is no worse off among the short ones.
	return way->cut > 0 && (w->expr != NULL || w->bytes.len < way->cut) ? PART_SHORT
									    : PART_MAIN;
}

// ret_end: where the wants of each part end.
static void divide(struct want *wants, size_t n, bool start, const struct way *way,
		   size_t ret_end[IMAGE_PARTS_MAX])
{
	size_t at = 0;

	for (size_t i = 0; i < n; i++)
		wants[i].part = part_of(&wants[i], start, way);
	qsort(wants, n, sizeof(*wants), want_cmp);
	for (int p = 0; p < IMAGE_PARTS_MAX; p++) {
		while (at < n && wants[at].part == p)
			at++;
		ret_end[p] = at;
	}
}

// Nanoseconds of one way, or more than `most`.
static uint64_t way_ns(struct maker *m, const struct texts *t, const struct want *wants,
		       const size_t end[IMAGE_PARTS_MAX], uint64_t most)
{
	uint64_t ns = grams_ns(t, wants + end[PART_START], end[PART_GRAMS] - end[PART_START]);

	if (ns < most)
		ns += part_ns(m, t, wants, end[PART_MAIN]);
	if (ns < most)
		ns += part_ns(m, t, wants + end[PART_MAIN], end[PART_SHORT] - end[PART_MAIN]);
	return ns;
}

int partition(struct maker *m, struct want *wants, size_t n, uint64_t *ret_limit)
{
	struct way best_way = {false, 0};
	uint64_t best = UINT64_MAX;
	size_t n_start = 0, end[IMAGE_PARTS_MAX];
	struct texts t;
	int err;

	*ret_limit = 0;
	for (size_t i = 0; i < n; i++) {
		if (!is_start(&wants[i]))
			continue;
		n_start++;
		if (wants[i].max_end > *ret_limit)
			*ret_limit = wants[i].max_end;
	}
	if (n - n_start >= TUNE_MIN) {
		if (m->sample.n == 0 && sample_builtin(&m->sample) < 0)
			return -ENOMEM;
		err = texts_of(&m->sample, wants->slot, wants->dir, &t);
		if (err == 0)
			err = grams_for(&t, wants, n);
		best_way = ways[0];
		for (size_t i = 0;
		     i < sizeof(ways) / sizeof(ways[0]) && n - n_start <= TUNE_MAX && err == 0;
		     i++) {
			uint64_t ns;

			divide(wants, n, n_start >= START_MIN, &ways[i], end);
			ns = way_ns(m, &t, wants, end, best);
			if (ns < best) {
				best = ns;
				best_way = ways[i];
			}
		}
		free(t.v);
		if (err < 0)
			return err;
	}
	divide(wants, n, n_start >= START_MIN, &best_way, end);
	return 0;
}

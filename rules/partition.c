// SPDX-License-Identifier: BSD-2-Clause
// One database for all signatures of a buffer is not the fastest: what Hyperscan makes of a set of literals depends on
// their number and on the shortest of them, and not monotonically. Measured on 1,759 literals for response bodies, a large
// text, one busy core: all together 0.47 GB/s; those of 13 bytes and more alone 1.19, the shorter ones alone 2.93, so one
// after the other 0.85. The same cut at 20 bytes: 0.33. So a few cuts are compiled and timed on a sample of traffic.
//
// Literals that must end in a buffer's first bytes are kept apart: what follows need not be searched for them.
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "rules/compile_impl.h"

enum {
	START_BYTES = 4096, // behind these, a limit is not worth a database
	START_MIN = 16,     // literals
	TUNE_MIN = 256,     // literals: fewer are fast together
	TUNE_MAX = 8192,    // more take seconds to compile: the usual cut is taken
	SEGMENT = 1448,
	PASSES = 3,
	CUT_USUAL = 13,
};

static const uint32_t cuts[] = {CUT_USUAL, 0, 10, 16};

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

// One pass over the sample's buffers of this kind, in segments.
static uint64_t pass(const struct sample *s, uint8_t slot, uint8_t dir, hs_database_t *db,
		     hs_scratch_t *scratch)
{
	const uint64_t start = cpu_ns();

	for (size_t i = 0; i < s->n; i++) {
		const struct sample_piece *p = &s->v[i];
		struct span data = sample_span(s, i);
		hs_stream_t *st;

		if (p->buffer != slot || p->dir != dir || hs_open_stream(db, 0, &st) != HS_SUCCESS)
			continue;
		for (; data.len > 0;
		     data = span_from(data, data.len < SEGMENT ? data.len : SEGMENT))
			hs_scan_stream(st, (const char *)data.data,
				       (unsigned int)span_first(data, SEGMENT).len, 0, scratch,
				       on_match, NULL);
		hs_close_stream(st, scratch, on_match, NULL);
	}
	return cpu_ns() - start;
}

// Nanoseconds that wants[0..n) of one part take on the sample; 0 if there are none, UINT64_MAX if they do not compile.
static uint64_t part_ns(struct maker *m, const struct want *wants, size_t n)
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
			uint64_t ns = pass(&m->sample, wants->slot, wants->dir, db, scratch);

			best = ns < best ? ns : best;
		}
	}
	hs_free_scratch(scratch);
	hs_free_database(db);
	patterns_done(&p);
	return best;
}

static bool is_start(const struct want *w)
{
	return w->expr == NULL && w->max_end <= START_BYTES;
}

static uint8_t part_of(const struct want *w, bool start, uint32_t cut)
{
	if (start && is_start(w))
		return PART_START;
	// What has no literal is no worse off among the short ones.
	return cut > 0 && (w->expr != NULL || w->bytes.len < cut) ? PART_SHORT : PART_MAIN;
}

// Returns where the part behind PART_MAIN begins, and the one behind PART_SHORT.
static void divide(struct want *wants, size_t n, bool start, uint32_t cut, size_t ret_end[2])
{
	for (size_t i = 0; i < n; i++)
		wants[i].part = part_of(&wants[i], start, cut);
	qsort(wants, n, sizeof(*wants), want_cmp);
	for (int p = PART_MAIN; p <= PART_SHORT; p++)
		for (ret_end[p] = 0; ret_end[p] < n && wants[ret_end[p]].part <= p;)
			ret_end[p]++;
}

int partition(struct maker *m, struct want *wants, size_t n, uint64_t *ret_limit)
{
	uint32_t best_cut = 0;
	uint64_t best = UINT64_MAX;
	size_t n_start = 0, end[2];

	*ret_limit = 0;
	for (size_t i = 0; i < n; i++) {
		if (!is_start(&wants[i]))
			continue;
		n_start++;
		if (wants[i].max_end > *ret_limit)
			*ret_limit = wants[i].max_end;
	}
	if (n - n_start > TUNE_MAX)
		best_cut = CUT_USUAL;
	else if (n - n_start >= TUNE_MIN && m->sample.n == 0 && sample_builtin(&m->sample) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]) && n - n_start >= TUNE_MIN &&
			   n - n_start <= TUNE_MAX;
	     i++) {
		uint64_t ns, more;

		divide(wants, n, n_start >= START_MIN, cuts[i], end);
		ns = part_ns(m, wants, end[0]);
		more = ns < best ? part_ns(m, wants + end[0], end[1] - end[0]) : 0;
		if (ns < best && more < best - ns) {
			best = ns + more;
			best_cut = cuts[i];
		}
	}
	divide(wants, n, n_start >= START_MIN, best_cut, end);
	return 0;
}

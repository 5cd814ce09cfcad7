// SPDX-License-Identifier: BSD-2-Clause
// Plans -> databases -> image. Every pattern is SINGLEMATCH: a scan makes at most one callback per pattern, whatever
// the bytes (2,000 overlapping rules on one packet: 24 us instead of 86 ms).
#include "rules/compile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "rules/compile_impl.h"
#include "rules/progress.h"

static uint64_t clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

int want_cmp(const void *va, const void *vb)
{
	const struct want *a = va, *b = vb;
	size_t n = a->bytes.len < b->bytes.len ? a->bytes.len : b->bytes.len;
	int c;

	if (a->slot != b->slot)
		return a->slot < b->slot ? -1 : 1;
	if (a->dir != b->dir)
		return a->dir < b->dir ? -1 : 1;
	if (a->part != b->part)
		return a->part < b->part ? -1 : 1;
	if ((a->expr != NULL) != (b->expr != NULL))
		return a->expr != NULL ? 1 : -1;
	if (a->expr != NULL && (c = strcmp(a->expr, b->expr)) != 0)
		return c;
	if (a->nocase != b->nocase)
		return a->nocase ? 1 : -1;
	if (a->min_end != b->min_end)
		return a->min_end < b->min_end ? -1 : 1;
	if (a->max_end != b->max_end)
		return a->max_end < b->max_end ? -1 : 1;
	c = n > 0 ? memcmp(a->bytes.data, b->bytes.data, n) : 0;
	if (c != 0)
		return c;
	return a->bytes.len < b->bytes.len ? -1 : a->bytes.len > b->bytes.len;
}

// Literals that differ only in case are the same pattern when case does not matter.
static int fold_case(struct maker *m, struct want *w)
{
	uint8_t *lower;

	if (!w->nocase || w->expr != NULL)
		return 0;
	lower = rules_alloc(&m->scratch, w->bytes.len);
	if (lower == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < w->bytes.len; i++)
		lower[i] = span_lower(w->bytes.data[i]);
	w->bytes.data = lower;
	return 0;
}

static const char *literal_expr(struct maker *m, struct span s)
{
	char *e = rules_alloc(&m->scratch, 4 * s.len + 1);

	if (e != NULL)
		for (size_t i = 0; i < s.len; i++)
			snprintf(e + 4 * i, 5, "\\x%02x", s.data[i]);
	return e;
}

// What must make a signature match: the literal itself, where nothing has to stand before or behind it.
static void add_vector(struct maker *m, const struct want *w, struct image_sig *sig)
{
	if (w->expr != NULL || w->min_end > w->bytes.len || w->max_end < w->bytes.len)
		return;
	sig->vector_off = m->sec[IMAGE_BLOBS].len;
	sig->vector_len = (uint32_t)w->bytes.len;
	sig->nocase = w->nocase;
	sig->gram = w->gram;
	maker_add(&m->sec[IMAGE_BLOBS], w->bytes.data, w->bytes.len);
}

int patterns_make(struct maker *m, const struct want *wants, size_t n, struct patterns *ret_p)
{
	struct patterns *p = ret_p;

	*p = (struct patterns){
		.expr = calloc(n, sizeof(*p->expr)),
		.flags = calloc(n, sizeof(*p->flags)),
		.ext = calloc(n, sizeof(*p->ext)),
	};
	if (p->expr == NULL || p->flags == NULL || p->ext == NULL)
		goto no_memory;
	for (size_t i = 0; i < n; i++) {
		const struct want *w = &wants[i];

		if (i > 0 && want_cmp(w, &wants[i - 1]) == 0)
			continue;
		p->expr[p->n] = w->expr != NULL ? w->expr : literal_expr(m, w->bytes);
		if (p->expr[p->n] == NULL)
			goto no_memory;
		p->flags[p->n] =
			HS_FLAG_SINGLEMATCH | (w->expr == NULL && w->nocase ? HS_FLAG_CASELESS : 0);
		maker_ext(&p->ext[p->n++], w->min_end, w->max_end);
	}
	return 0;
no_memory:
	patterns_done(p);
	return -ENOMEM;
}

void patterns_done(struct patterns *p)
{
	free(p->expr);
	free(p->flags);
	free(p->ext);
	*p = (struct patterns){0};
}

// The rows of the signatures, and who waits for them.
static int add_signatures(struct maker *m, const struct want *wants, size_t n)
{
	struct image_sig *sig = NULL;

	for (size_t i = 0; i < n; i++) {
		const struct want *w = &wants[i];
		uint32_t *tail = &m->head.tail[w->slot][w->dir];
		uint32_t back = w->lookback > IMAGE_TAIL_MAX ? IMAGE_TAIL_MAX : w->lookback;

		if (i == 0 || want_cmp(w, &wants[i - 1]) != 0) {
			struct image_sig row = {
				.owner = maker_count(m, IMAGE_OWNERS, sizeof(struct image_owner)),
			};

			add_vector(m, w, &row);
			sig = maker_add(&m->sec[IMAGE_SIGS], &row, sizeof(row));
			if (sig == NULL)
				return -ENOMEM;
		}
		maker_add(&m->sec[IMAGE_OWNERS], &w->owner, sizeof(w->owner));
		sig->n_owners++;
		if (buffer_info(w->slot)->stage == BUFFER_STREAM && back > *tail)
			*tail = back;
	}
	return 0;
}

// One always-on database from wants[0..n), all of one slot, direction and part.
static int always_on_db(struct maker *m, const struct want *wants, size_t n, uint32_t *ret_index,
			struct diag *d)
{
	const bool stream = buffer_info(wants->slot)->stage == BUFFER_STREAM;
	const bool grams = stream && wants->part == PART_GRAMS;
	const uint32_t first_sig = maker_count(m, IMAGE_SIGS, sizeof(struct image_sig));
	struct patterns p;
	hs_database_t *db = NULL;
	int err, bad = -1;
	char why[256] = "";

	err = patterns_make(m, wants, n, &p);
	if (err < 0)
		return err;
	err = add_signatures(m, wants, n);
	if (err == 0 && !grams)
		err = maker_compile(p.expr, p.flags, p.ext, p.n, stream, &db, &bad, why,
				    sizeof(why));
	if (err < 0) {
		diag_set(d, NULL, 0, 0, "cannot compile the %s database: %s: %s",
			 buffer_info(wants->slot)->keyword, bad >= 0 ? p.expr[bad] : "", why);
		patterns_done(&p);
		return err;
	}
	m->stats->databases++;
	m->stats->signatures += p.n;
	err = maker_add_db(m, db, (stream ? IMAGE_DB_STREAM : 0) | (grams ? IMAGE_DB_GRAMS : 0),
			   first_sig, p.n, ret_index);
	patterns_done(&p);
	return err;
}

// The always-on databases of a buffer, from wants[0..n).
static int always_on_buffer(struct maker *m, struct want *wants, size_t n, struct diag *d)
{
	uint32_t index, before = IMAGE_NONE;
	uint64_t limit = UINT64_MAX;
	int err = 0;

	if (buffer_info(wants->slot)->stage == BUFFER_STREAM)
		err = partition(m, wants, n, &limit);
	for (size_t from = 0, to; from < n && err == 0; from = to) {
		struct image_db *dbs;

		for (to = from; to < n && wants[to].part == wants[from].part;)
			to++;
		err = always_on_db(m, wants + from, to - from, &index, d);
		if (err < 0)
			break;
		dbs = (struct image_db *)(void *)m->sec[IMAGE_DBS].p;
		if (wants[from].part == PART_START)
			dbs[index].limit = limit;
		if (before == IMAGE_NONE)
			m->head.db[wants->slot][wants->dir] = index;
		else
			dbs[before].next = index;
		before = index;
	}
	return err;
}

// Rules that wait for no signature. Index of the first.
static uint32_t add_owners(struct maker *m, const struct bytes *owners, uint32_t *ret_n)
{
	uint32_t first = maker_count(m, IMAGE_OWNERS, sizeof(struct image_owner));

	*ret_n = (uint32_t)(owners->len / sizeof(struct image_owner));
	if (owners->len > 0)
		maker_add(&m->sec[IMAGE_OWNERS], owners->p, owners->len);
	return first;
}

static int always_on(struct maker *m, struct diag *d)
{
	struct want *wants = (struct want *)(void *)m->wants.p;
	size_t n = m->wants.len / sizeof(*wants);
	int err = 0;

	for (size_t i = 0; i < n && err == 0; i++)
		err = fold_case(m, &wants[i]);
	if (err < 0)
		return err;
	if (n > 0)
		qsort(wants, n, sizeof(*wants), want_cmp);
	for (size_t from = 0, to; from < n && err == 0; from = to) {
		for (to = from; to < n && wants[to].slot == wants[from].slot &&
				wants[to].dir == wants[from].dir;)
			to++;
		err = always_on_buffer(m, wants + from, to - from, d);
	}
	for (int dir = 0; dir < DIR_N && err == 0; dir++) {
		m->head.always[dir] = add_owners(m, &m->always[dir], &m->head.n_always[dir]);
		m->head.packets[dir] = add_owners(m, &m->packets[dir], &m->head.n_packets[dir]);
		m->head.files[dir] = add_owners(m, &m->files[dir], &m->head.n_files[dir]);
	}
	return err;
}

// One byte, the hardest case for a broken libhs: see dataplane/engine/selftest.c.
static int selftest_dbs(struct maker *m)
{
	const char *expr = "\\|";
	const unsigned int flags = 0;
	hs_expr_ext_t ext = {0};

	for (int stream = 0; stream < 2; stream++) {
		hs_database_t *db;
		char why[256];
		int bad = -1;
		int err =
			maker_compile(&expr, &flags, &ext, 1, stream, &db, &bad, why, sizeof(why));

		if (err == 0)
			err = maker_add_db(m, db, IMAGE_DB_OWN | (stream ? IMAGE_DB_STREAM : 0), 0,
					   1, &m->head.selftest[stream]);
		if (err < 0)
			return err;
	}
	return 0;
}

// What a pass rule silences must not have been said before: with one in the set every rule waits.
static void pass_finish(struct maker *m)
{
	struct image_rule *r = (struct image_rule *)(void *)m->sec[IMAGE_RULES].p;
	size_t n = m->head.n_pass > 0 ? m->sec[IMAGE_RULES].len / sizeof(*r) : 0;

	for (size_t i = 0; i < n; i++)
		r[i].flags |= IMAGE_RULE_WAITS;
}

// Header, then every section at a multiple of eight, the lists at one of theirs.
static int assemble(struct maker *m, uint64_t serial, void **ret_image, uint64_t *ret_len)
{
	uint64_t at = (sizeof(m->head) + 7) & ~UINT64_C(7);
	uint8_t *image;

	for (int i = 0; i < IMAGE_LIST_BYTES; i++) {
		if (m->sec[i].failed)
			return -ENOMEM;
		m->head.section[i] = (struct image_section){at, m->sec[i].len};
		at = (at + m->sec[i].len + 7) & ~UINT64_C(7);
	}
	at = (at + LIST_ALIGN - 1) / LIST_ALIGN * LIST_ALIGN;
	m->head.section[IMAGE_LIST_BYTES] = (struct image_section){at, m->list_bytes};
	at += m->list_bytes;
	if (m->wants.failed)
		return -ENOMEM;
	for (int dir = 0; dir < DIR_N; dir++)
		if (m->always[dir].failed || m->packets[dir].failed || m->files[dir].failed)
			return -ENOMEM;
	if (at > IMAGE_MAX_BYTES)
		return -E2BIG;
	if (posix_memalign((void **)&image, LIST_ALIGN, at) != 0)
		return -ENOMEM;
	memset(image, 0, at);
	m->head.magic = IMAGE_MAGIC;
	m->head.version = IMAGE_VERSION;
	m->head.bytes = at;
	m->head.serial = serial;
	memcpy(image, &m->head, sizeof(m->head));
	for (int i = 0; i < IMAGE_SECTION_N; i++)
		if (m->sec[i].len > 0)
			memcpy(image + m->head.section[i].off, m->sec[i].p, m->sec[i].len);
	maker_write_lists(m, image);
	image_seal(image, at);
	*ret_image = image;
	*ret_len = at;
	return 0;
}

int compile_image(const struct rules *rs, uint64_t serial, void **ret_image, uint64_t *ret_len,
		  struct compile_stats *ret_stats, rules_report_fn *report, void *ctx,
		  struct diag *d)
{
	struct compile_stats stats = {0};
	struct maker m = {.rules = rs, .stats = &stats, .report = report, .ctx = ctx};
	uint64_t t0 = clock_ns(), t1;
	int err = 0;

	memset(m.head.db, 0xff, sizeof(m.head.db));
	maker_add(&m.sec[IMAGE_STRINGS], "", 1); // offset 0: the empty text
	if (rs->progress != NULL)
		atomic_store_explicit(&rs->progress->total, (uint32_t)rs->n, memory_order_relaxed);
	err = maker_lists_init(&m);
	for (size_t i = 0; i < rs->n && err == 0; i++) {
		struct diag why = {0};

		progress_at(rs->progress, 0, &rs->v[i]);
		err = maker_add_rule(&m, &rs->v[i], &why);
		if (err == -EINVAL) {
			stats.refused++;
			if (why.keyword[0] == '\0')
				diag_set_keyword(&why, rule_keyword_at(&rs->v[i], why.column));
			if (report != NULL)
				report(ctx, RULES_REFUSED, rs->v[i].sid, &why);
			err = 0;
		} else if (err == 0) {
			stats.rules++;
		}
	}
	progress_at(rs->progress, 0, NULL);
	t1 = clock_ns();
	if (err == 0)
		err = always_on(&m, d);
	if (err == 0)
		err = selftest_dbs(&m);
	pass_finish(&m);
	maker_add_suppress(&m, rs);
	if (err == 0)
		maker_add_lists(&m);
	if (err == 0)
		err = assemble(&m, serial, ret_image, ret_len);
	stats.plan_ns = t1 - t0;
	stats.compile_ns = clock_ns() - t1;
	if (err == 0)
		stats.image_bytes = *ret_len;
	if (err == -E2BIG)
		diag_set(d, NULL, 0, 0, "the compiled rule set is larger than %u MiB",
			 (unsigned int)(IMAGE_MAX_BYTES >> 20));
	else if (err == -ENOMEM)
		diag_set(d, NULL, 0, 0, "out of memory while compiling");
	if (ret_stats != NULL)
		*ret_stats = stats;
	for (int i = 0; i < IMAGE_SECTION_N; i++)
		free(m.sec[i].p);
	free(m.wants.p);
	for (int dir = 0; dir < DIR_N; dir++) {
		free(m.always[dir].p);
		free(m.packets[dir].p);
		free(m.files[dir].p);
	}
	maker_lists_done(&m);
	sample_done(&m.sample);
	rules_done(&m.scratch);
	return err == -E2BIG ? -EINVAL : err;
}

int image_memfd(const void *image, uint64_t len)
{
	int fd = memfd_create("wireglass-ruleset", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int err;

	if (fd < 0)
		return -errno;
	for (uint64_t at = 0; at < len;) {
		ssize_t n = write(fd, (const uint8_t *)image + at, len - at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			goto fail;
		at += (uint64_t)n;
	}
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) < 0)
		goto fail;
	return fd;
fail:
	err = -errno;
	close(fd);
	return err;
}

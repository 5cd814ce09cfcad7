// SPDX-License-Identifier: BSD-2-Clause
// Rows by filter: one table of hits after the other, from the end that is asked for, until there are enough.
//
// In each table one condition, the one that is likely to leave fewest rows, drives the query through its index; the others
// are kept away from the planner by a unary plus, so that a common value can never be chosen over a rare one. An index ends
// with the row's id: equal keys come in the order of ids for nothing, and of a prefix no more than a table's ids are
// sorted. "Client or server" is two queries, merged.
//
// A prefix may also be one that nearly everybody is in: before its index is asked, the end of the first table is read row by
// row. That finds enough of what is common at once, and costs little where it does not.
#include "control/store_find.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	COND_MAX = 10,
	LOOK_ROWS =
		4096, // at the end of the first table, and some more for each row that is wanted
	LOOK_MORE = 4,
	RANK_RANGE = 3,
	RANK_FIRST = 9,
	P_SINCE = 1, // numbers of the parameters
	P_BEFORE,
	P_FROM,
	P_TO,
	P_SID,
	P_HOST,
	P_CLIENT_LO,
	P_CLIENT_HI,
	P_SERVER_LO,
	P_SERVER_HI,
	P_EITHER_LO,
	P_EITHER_HI,
	P_LIMIT,
};

// A condition: an indexed column first, so that a plus before it takes it from the planner.
struct cond {
	char text[64];
	int rank; // higher ones drive; 0 never
};

struct conds {
	struct cond v[COND_MAX];
	int n;
};

// Ids between these, which are out.
struct ids {
	uint64_t above, below;
};

__attribute__((format(printf, 3, 4))) static void add(struct conds *c, int rank, const char *fmt,
						      ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(c->v[c->n].text, sizeof(c->v[c->n].text), fmt, ap);
	va_end(ap);
	c->v[c->n++].rank = rank;
}

static void add_prefix(struct conds *c, const struct prefix *p, const char *column, int lo)
{
	if (p == NULL)
		return;
	if (prefix_is_one(p))
		add(c, 5, "%s = ?%d", column, lo);
	else
		add(c, RANK_RANGE, "%s BETWEEN ?%d AND ?%d", column, lo, lo + 1);
}

// either: column that stands for filter->either.
static void make_conds(struct conds *c, const struct store_filter *f, const struct store_part *p,
		       const char *either)
{
	c->n = 0;
	if (f->host != NULL && f->host[0] != '\0')
		add(c, 6, "host = ?%d", P_HOST);
	add_prefix(c, f->client, "client", P_CLIENT_LO);
	add_prefix(c, f->server, "server", P_SERVER_LO);
	add_prefix(c, f->either, either, P_EITHER_LO);
	if (f->sid != 0)
		add(c, 4, "sid = ?%d", P_SID);
	// Most hits are open, or all are closed: the index helps where a state is rare, and costs little elsewhere.
	for (unsigned int i = 0; i < STORE_STATE_N; i++)
		if (f->states == 1u << i)
			add(c, 2, "state = %u", i);
	if (f->states != 0 && (f->states & (f->states - 1)) != 0)
		add(c, 0, "((1 << state) & %u) != 0", f->states);
	if (p->min_ns < f->from_ns)
		add(c, RANK_RANGE, "ts_ns >= ?%d", P_FROM);
	if (f->to_ns != 0 && p->max_ns > f->to_ns)
		add(c, RANK_RANGE, "ts_ns <= ?%d", P_TO);
}

static void add_ids(struct conds *c, int rank, const struct store_part *p, struct ids ids)
{
	if (ids.above >= p->first_id)
		add(c, rank, "id > ?%d", P_SINCE);
	if (ids.below <= p->last_id)
		add(c, rank, "id < ?%d", P_BEFORE);
}

static int rank_of(const struct conds *c)
{
	int best = 0;

	for (int i = 0; i < c->n; i++)
		best = c->v[i].rank > best ? c->v[i].rank : best;
	return best;
}

static void make_sql(char *sql, size_t size, const struct conds *c, const struct store_part *p,
		     bool newest)
{
	const int best = rank_of(c);
	size_t len = (size_t)snprintf(sql, size, "SELECT id FROM hits_%u", p->n);
	for (int i = 0; i < c->n; i++)
		len += (size_t)snprintf(sql + len, size - len, " %s %s%s", i == 0 ? "WHERE" : "AND",
					c->v[i].rank == best ? "" : "+", c->v[i].text);
	snprintf(sql + len, size - len, " ORDER BY id %s LIMIT ?%d", newest ? "DESC" : "ASC",
		 P_LIMIT);
}

static void bind_prefix(sqlite3_stmt *st, int lo, const struct prefix *p)
{
	if (p == NULL)
		return;
	sqlite3_bind_blob(st, lo, p->lo, 16, SQLITE_STATIC);
	sqlite3_bind_blob(st, lo + 1, p->hi, 16, SQLITE_STATIC);
}

static void bind(sqlite3_stmt *st, const struct store_filter *f, struct ids ids, uint32_t limit)
{
	sqlite3_bind_int64(st, P_SINCE, (sqlite3_int64)ids.above);
	sqlite3_bind_int64(st, P_BEFORE, (sqlite3_int64)ids.below);
	sqlite3_bind_int64(st, P_FROM, (sqlite3_int64)f->from_ns);
	sqlite3_bind_int64(st, P_TO, (sqlite3_int64)f->to_ns);
	sqlite3_bind_int64(st, P_SID, f->sid);
	if (f->host != NULL)
		sqlite3_bind_text(st, P_HOST, f->host, -1, SQLITE_STATIC);
	bind_prefix(st, P_CLIENT_LO, f->client);
	bind_prefix(st, P_SERVER_LO, f->server);
	bind_prefix(st, P_EITHER_LO, f->either);
	sqlite3_bind_int64(st, P_LIMIT, limit);
}

static int run(struct store *s, const struct store_filter *f, const struct store_part *p,
	       const struct conds *conds, struct ids ids, uint32_t limit, struct store_found *io)
{
	sqlite3_stmt *st = NULL;
	char sql[1024];

	make_sql(sql, sizeof(sql), conds, p, f->newest);
	int rc = sqlite3_prepare_v2(s->db, sql, -1, &st, NULL);
	if (rc != SQLITE_OK)
		return store_failed(s, rc);
	bind(st, f, ids, limit);
	while ((rc = sqlite3_step(st)) == SQLITE_ROW)
		io->ids[io->n++] = (uint64_t)sqlite3_column_int64(st, 0);
	int err = rc == SQLITE_DONE ? 0 : store_failed(s, rc);
	sqlite3_finalize(st);
	return err;
}

// Append at most limit ids of one table. look: the first one, of which more is known when its end has been read.
static int find_in(struct store *s, const struct store_filter *f, const struct store_part *p,
		   const char *either, bool look, uint32_t limit, struct store_found *io)
{
	struct ids all = {f->since, f->before != 0 ? f->before : UINT64_MAX >> 1};
	const uint64_t rows = LOOK_ROWS + (uint64_t)LOOK_MORE * limit;
	const uint32_t before = io->n;
	struct conds conds, some;

	make_conds(&conds, f, p, either);
	if (look && rank_of(&conds) == RANK_RANGE) {
		struct ids end = all;

		if (f->newest) {
			uint64_t last = p->last_id < all.below ? p->last_id : all.below - 1;
			end.above =
				last > rows && last - rows > all.above ? last - rows : all.above;
			all.below = end.above + 1;
		} else {
			uint64_t first = p->first_id > all.above ? p->first_id : all.above + 1;
			end.below = first + rows < all.below ? first + rows : all.below;
			all.above = end.below - 1;
		}
		some = conds;
		add_ids(&some, RANK_FIRST, p, end);
		int err = run(s, f, p, &some, end, limit, io);
		if (err != 0 || io->n - before >= limit || all.above + 1 >= all.below)
			return err;
	}
	add_ids(&conds, 1, p, all);
	return run(s, f, p, &conds, all, limit - (io->n - before), io);
}

static int by_id(const void *va, const void *vb)
{
	const uint64_t *a = va, *b = vb;

	return *a < *b ? -1 : *a > *b;
}

// Both queries of filter->either, what they have in common once. Room for twice the limit is there.
static int find_either(struct store *s, const struct store_filter *f, const struct store_part *p,
		       bool look, uint32_t limit, struct store_found *io)
{
	uint64_t *ids = io->ids + io->n;
	uint32_t before = io->n, n = 0;
	int err = find_in(s, f, p, "client", look, limit, io);

	if (err == 0)
		err = find_in(s, f, p, "server", look, limit, io);
	if (err != 0)
		return err;
	qsort(ids, io->n - before, sizeof(*ids), by_id);
	for (uint32_t i = 0; i < io->n - before; i++)
		if (n == 0 || ids[n - 1] != ids[i])
			ids[n++] = ids[i];
	if (n > limit && f->newest)
		memmove(ids, ids + n - limit, limit * sizeof(*ids));
	io->n = before + (n > limit ? limit : n);
	return 0;
}

static bool can_match(const struct store_filter *f, const struct store_part *p)
{
	return p->rows > 0 && p->last_id > f->since &&
	       (f->before == 0 || p->first_id < f->before) && p->max_ns >= f->from_ns &&
	       (f->to_ns == 0 || p->min_ns <= f->to_ns);
}

int store_find(struct store *s, const struct store_filter *f, struct store_found *ret_found)
{
	int err = s->reload ? store_parts_load(s) : 0;

	*ret_found = (struct store_found){0};
	if (err != 0)
		return err;
	bool look = true;
	ret_found->ids = calloc(2 * (size_t)f->limit + 1, sizeof(ret_found->ids[0]));
	if (ret_found->ids == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < s->n_parts && ret_found->n < f->limit && err == 0; i++) {
		const struct store_part *p = &s->parts[f->newest ? s->n_parts - 1 - i : i];
		uint32_t limit = f->limit - ret_found->n;

		if (!can_match(f, p))
			continue;
		err = f->either != NULL ? find_either(s, f, p, look, limit, ret_found)
					: find_in(s, f, p, "", look, limit, ret_found);
		look = false;
	}
	qsort(ret_found->ids, ret_found->n, sizeof(ret_found->ids[0]), by_id);
	return err;
}

void store_found_free(struct store_found *found)
{
	free(found->ids);
	*found = (struct store_found){0};
}

struct store_part *store_part_of(struct store *s, uint64_t id)
{
	for (uint32_t i = s->n_parts; i-- > 0;)
		if (s->parts[i].first_id <= id)
			return id <= s->parts[i].last_id ? &s->parts[i] : NULL;
	return NULL;
}

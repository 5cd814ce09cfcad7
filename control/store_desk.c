// SPDX-License-Identifier: BSD-2-Clause
// The work of the abuse desk: a hit is open, somebody takes it (acked), and it is closed with a verdict. The row of the hit
// has its present state, the table "desk" everything that was done, by whom, when and why.
#include <stdio.h>
#include <string.h>

#include "control/store_find.h"
#include "control/text.h"

const char *store_state_name(unsigned int state)
{
	static const char *const names[STORE_STATE_N] = {"open", "acked", "closed"};

	return state < STORE_STATE_N ? names[state] : NULL;
}

const char *store_verdict_name(unsigned int verdict)
{
	static const char *const names[STORE_VERDICT_N] = {"", "true", "false"};

	return verdict < STORE_VERDICT_N ? names[verdict] : NULL;
}

static int work_one(struct store *s, const struct store_part *p, uint64_t id,
		    const struct store_work *w)
{
	char text[256], note[257];

	snprintf(text, sizeof(text), "UPDATE hits_%u SET state = %d, verdict = %d WHERE id = %llu",
		 p->n, (int)w->state, (int)w->verdict, (unsigned long long)id);
	int err = store_exec(s, text);
	if (err != 0)
		return err;
	sqlite3_stmt *st = store_statement(s, ST_DESK_ADD);
	sqlite3_bind_int64(st, 1, (sqlite3_int64)id);
	sqlite3_bind_int64(st, 2, (sqlite3_int64)w->ts_ns);
	sqlite3_bind_int64(st, 3, w->state);
	sqlite3_bind_int64(st, 4, w->verdict);
	sqlite3_bind_int64(st, 5, w->uid);
	text_clean(note, sizeof(note), w->note, strlen(w->note));
	store_bind_text(st, 6, note);
	return store_run(s, st);
}

int store_work(struct store *s, const struct store_filter *filter, const struct store_work *work)
{
	struct store_found found;
	int err = store_find(s, filter, &found);

	for (uint32_t i = 0; i < found.n && err == 0; i++)
		err = work_one(s, store_part_of(s, found.ids[i]), found.ids[i], work);
	int n = err != 0 ? err : (int)found.n;
	store_found_free(&found);
	return n;
}

int store_work_of(struct store *s, uint64_t id, store_work_fn *fn, void *ctx)
{
	sqlite3_stmt *st = store_statement(s, ST_DESK_OF);
	int n = 0, rc;

	sqlite3_bind_int64(st, 1, (sqlite3_int64)id);
	while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
		const unsigned char *note = sqlite3_column_text(st, 4);
		struct store_work w = {
			.ts_ns = (uint64_t)sqlite3_column_int64(st, 0),
			.state = (enum store_state)sqlite3_column_int(st, 1),
			.verdict = (enum store_verdict)sqlite3_column_int(st, 2),
			.uid = (uint32_t)sqlite3_column_int64(st, 3),
			.note = note != NULL ? (const char *)note : "",
		};
		fn(ctx, &w);
		n++;
	}
	int err = rc == SQLITE_DONE ? n : store_failed(s, rc);
	sqlite3_reset(st);
	return err;
}

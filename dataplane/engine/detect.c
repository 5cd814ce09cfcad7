// SPDX-License-Identifier: BSD-2-Clause
// Hyperscan's callbacks only note what matched; everything else happens after the scan has returned, so that no scan runs
// inside another. A rule hits at most once per message: its representing signature fires once (SINGLEMATCH), and a rule that
// has become active keeps its record until the message ends.
#include "dataplane/engine/detect_impl.h"
#include "dataplane/engine/tap.h"
#include "dataplane/engine/head_events.h"

#include <string.h>

// What verification may cost: see engine/detect_watch.c. A few rules that scan along all of a body stay below it.
enum {
	BUDGET_START = 256 << 10,
	BUDGET_PER_BYTE = 2,
};

static void in_use_add(struct ruleset_worker *w, uint64_t n)
{
	// Only this worker writes the word.
	uint64_t v = atomic_load_explicit(&w->in_use, memory_order_relaxed);

	atomic_store_explicit(&w->in_use, v + n, memory_order_relaxed);
}

bool detect_wants(const struct detect *d, enum dir dir, enum detect_stream s)
{
	const struct image_header *img;

	if (d->rs == NULL)
		return false;
	img = d->rs->img;
	return img->db[slot_of(s)][dir] != IMAGE_NONE || img->tail[slot_of(s)][dir] > 0;
}

bool detect_needs(const struct inspect *in, enum detect_stream s)
{
	return always_on(in, s) != IMAGE_NONE || tail_of(in, s) > 0 || in->active != POOL_NONE;
}

static struct inspect *begin(struct detect *d, struct ruleset *rs, enum dir dir)
{
	struct inspect *in = pool_get(d->inspects);

	if (in == NULL) {
		d->counters->v[CNT_HTTP_NO_MESSAGE]++;
		return NULL;
	}
	memset(in, 0, sizeof(*in));
	in->rs = rs;
	in->dir = (uint8_t)dir;
	in->active = POOL_NONE;
	memset(in->active_of, 0xff, sizeof(in->active_of)); // POOL_NONE
	in->budget = BUDGET_START;
	in_use_add(worker_of(d, in->rs), 1);
	return in;
}

struct inspect *detect_begin(struct detect *d, enum dir dir)
{
	if (d->rs == NULL) {
		d->counters->v[CNT_RX_NO_RULESET]++;
		return NULL;
	}
	return begin(d, d->rs, dir);
}

struct inspect *detect_seam(struct detect *d, struct inspect *in, const struct detect_msg *m,
			    struct span tail)
{
	struct inspect *seam = begin(d, in->rs, in->dir);

	if (seam == NULL)
		return NULL;
	in->flags |= INSPECT_HAS_SEAM;
	seam->seam = (uint32_t)tail.len;
	seam->beside = in;
	detect_data(d, seam, m, DETECT_RAW, tail);
	return seam;
}

// A copy of what is scanned, or SPAN_NONE: the buffer ends.
static void tap(struct detect *d, const struct inspect *in, unsigned int buffer, struct span data)
{
	if (d->tap != NULL)
		tap_put(d->tap, (uintptr_t)in, buffer, in->dir, in->seam > 0, data);
}

// ---- scanning ----

struct scan_ctx {
	struct ruleset_worker *w;
	uint32_t n_sigs; // of the database: size of w->fired
};

static int on_signature(unsigned int id, unsigned long long from, unsigned long long to,
			unsigned int flags, void *vctx)
{
	struct scan_ctx *ctx = vctx;

	// One callback per pattern, so there is room; a database that breaks this promise is cut short.
	if (id >= ctx->n_sigs || ctx->w->n_fired >= ctx->n_sigs)
		return 0;
	ctx->w->fired[ctx->w->n_fired++] = (struct fired){.sig = id, .end = to};
	return 0;
}

// ---- the message ----

static void head_candidate(struct detect *d, struct inspect *in, const struct detect_msg *m,
			   const struct image_owner *o, bool has_body)
{
	const struct ruleset *rs = in->rs;
	const struct image_rule *r = &rs->rules[o->rule];
	uint16_t bits = active_head_bits(rs, r);
	struct active *a;

	d->counters->v[CNT_CANDIDATES]++;
	if (!hit_applies(rs, r, m))
		return;
	if (!active_head_holds(d, in, r))
		return;
	if (bits == (uint16_t)((1u << r->n_conds) - 1) && (in->flags & INSPECT_QUIET) != 0)
		return;
	if (bits == (uint16_t)((1u << r->n_conds) - 1)) {
		uint8_t buffer = o->cond != IMAGE_NONE ? rs->conds[o->cond].buffer
				 : r->n_conds > 0      ? rs->conds[r->cond].buffer
						       : BUF_RAW;

		hit_rule(d, in, m, o->rule, buffer, 0, false);
		return;
	}
	if (!has_body && rs->conds[r->cond + r->n_conds - 1].buffer != BUF_RAW)
		return; // what it still needs will not come
	a = active_get(d, in, o->rule);
	if (a == NULL)
		return;
	a->have |= bits;
	wake_gated(d, in, m, a);
}

static void head_keep(struct detect *d, struct inspect *in, struct span raw)
{
	if (raw.len <= TCP_SEG_BYTES - 64) {
		in->head = pool_get(d->cells);
	} else if (raw.len <= HTTP_HEAD_MAX) {
		in->head = pool_get(d->gathers);
		in->flags |= INSPECT_HEAD_BIG;
	}
	if (in->head == NULL) {
		d->counters->v[CNT_HEAD_NOT_KEPT]++;
		return;
	}
	memcpy(in->head, raw.data, raw.len);
	in->head_len = (uint32_t)raw.len;
}

struct inspect *detect_fork(struct detect *d, const struct inspect *in, const struct detect_msg *m)
{
	struct inspect *alt = begin(d, in->rs, in->dir);

	if (alt == NULL || (in->flags & INSPECT_HEAD_SEEN) == 0)
		return alt;
	alt->flags |= INSPECT_HEAD_SEEN;
	alt->answers = in->answers;
	if (in->head != NULL)
		head_keep(d, alt, span_of(in->head, in->head_len));
	for (uint32_t i = in->active; i != POOL_NONE;) {
		const struct active *a = pool_at(d->actives, i);
		uint16_t bits = active_head_bits(in->rs, &in->rs->rules[a->rule]);
		struct active *b;

		i = a->next;
		if (bits == 0 || (a->have & bits) != bits || a->done)
			continue;
		b = active_get(d, alt, a->rule);
		if (b == NULL)
			break;
		b->have |= bits;
		wake_gated(d, alt, m, b);
	}
	return alt;
}

// The prefilter has run. What fired is for verification, if that takes place.
static void scanned(struct detect *d, struct ruleset_worker *w)
{
	d->counters->v[CNT_SIG_FIRED] += w->n_fired;
	if (d->unverified)
		w->n_fired = 0;
}

// Scan a whole buffer; what fired stands in the worker. NULL: nothing to look for, or nothing there.
static const struct image_db *block_scan(struct detect *d, const struct inspect *in, enum buffer b,
					 struct span buf)
{
	const struct ruleset *rs = in->rs;
	struct ruleset_worker *w = worker_of(d, rs);
	const uint32_t index = rs->img->db[b][in->dir];
	struct scan_ctx ctx = {.w = w};

	if (index == IMAGE_NONE || buf.len == 0)
		return NULL;
	ctx.n_sigs = rs->dbs[index].n_sigs;
	w->n_fired = 0;
	d->counters->v[CNT_SCAN_CALLS]++;
	d->counters->v[CNT_SCAN_BYTES] += buf.len;
	if (hs_scan(rs->db[index], (const char *)buf.data, (unsigned int)buf.len, 0, w->scratch,
		    on_signature, &ctx) != HS_SUCCESS)
		d->counters->v[CNT_SCAN_FAILED]++;
	scanned(d, w);
	return &rs->dbs[index];
}

static void head_buffer_scan(struct detect *d, struct inspect *in, const struct detect_msg *m,
			     enum buffer b, bool has_body)
{
	const struct ruleset *rs = in->rs;
	struct ruleset_worker *w = worker_of(d, rs);
	const struct image_db *db;

	if (rs->img->db[b][in->dir] == IMAGE_NONE)
		return;
	db = block_scan(d, in, b, view_get(&d->view, b));
	for (uint32_t i = 0; db != NULL && i < w->n_fired; i++) {
		const struct image_sig *sig = &rs->sigs[db->sig + w->fired[i].sig];

		for (uint32_t k = 0; k < sig->n_owners; k++)
			head_candidate(d, in, m, &rs->owners[sig->owner + k], has_body);
	}
}

// Copies of all head buffers, for who measures on them.
static void tap_head(struct detect *d, const struct inspect *in)
{
	for (unsigned int b = 0; b < BUF_N; b++) {
		struct span buf = SPAN_NONE;

		if (buffer_info(b)->stage == BUFFER_HEAD &&
		    (buffer_info(b)->dirs >> in->dir & 1) != 0)
			buf = view_get(&d->view, b);
		if (buf.len > 0)
			tap(d, in, b, buf);
	}
}

void detect_head(struct detect *d, struct inspect *in, const struct detect_msg *m,
		 const struct http_head *head, enum http_answers answers, bool has_body)
{
	const struct ruleset *rs = in->rs;
	const struct image_header *img = rs->img;

	in->flags |= INSPECT_HEAD_SEEN;
	in->answers = (uint8_t)answers;
	if (d->unscanned)
		return;
	if (img->wants_events)
		in->events = head_events(head);
	view_init(&d->view, head, &d->scratch);
	view_addresses(&d->view, m->flow);
	d->view_of = in;
	if (d->tap != NULL)
		tap_head(d, in);
	for (int b = 0; b < BUF_N; b++)
		if (buffer_info(b)->stage == BUFFER_HEAD)
			head_buffer_scan(d, in, m, b, has_body);
	if (d->unverified) {
		d->view_of = NULL;
		return;
	}
	for (uint32_t i = 0; i < img->n_always[in->dir]; i++)
		head_candidate(d, in, m, &rs->owners[img->always[in->dir] + i], has_body);
	// Rules that woke up on the raw bytes of the head.
	for (uint32_t i = in->active; i != POOL_NONE;) {
		struct active *a = pool_at(d->actives, i);
		uint32_t next = a->next;

		active_head(d, in, m, a);
		wake_complete(d, in, m, a, BUF_RAW, a->end[DETECT_RAW]);
		i = next;
	}
	if (!head->absent && img->keep_head[in->dir] &&
	    (has_body || img->db[BUF_RAW][in->dir] != IMAGE_NONE))
		head_keep(d, in, head->raw);
	d->view_of = NULL; // the head in the view goes with this call
	hit_decide_waiting(d, in, m);
}

struct inspect *detect_base(struct detect *d, enum dir dir, const struct detect_msg *m,
			    const struct http_head *head)
{
	struct inspect *in = detect_begin(d, dir);

	if (in == NULL)
		return NULL;
	in->flags |= INSPECT_QUIET;
	detect_head(d, in, m, head, HTTP_ANSWERS_OTHER, true);
	return in;
}

// What fired in the last scan of a stream.
static void signatures_wake(struct detect *d, struct inspect *in, const struct detect_msg *m,
			    enum detect_stream s, const struct image_db *db)
{
	const struct ruleset *rs = in->rs;
	const struct ruleset_worker *w = worker_of(d, rs);

	for (uint32_t i = 0; i < w->n_fired; i++) {
		const struct image_sig *sig = &rs->sigs[db->sig + w->fired[i].sig];

		for (uint32_t k = 0; k < sig->n_owners; k++)
			wake_signature(d, in, m, s, &rs->owners[sig->owner + k], w->fired[i].end);
	}
}

// The bytes before `from` have been scanned with the database before.
static void part_scan(struct detect *d, struct inspect *in, const struct detect_msg *m,
		      enum detect_stream s, struct ruleset_stream **stream, uint32_t index,
		      uint64_t from, struct span data)
{
	struct ruleset_worker *w = worker_of(d, in->rs);
	const struct image_db *db = &in->rs->dbs[index];
	struct scan_ctx ctx = {.w = w, .n_sigs = db->n_sigs};

	if (from >= db->limit)
		return;
	data = span_first(data, db->limit - from);
	if (*stream == NULL) {
		*stream = ruleset_stream_get(in->rs, w, index);
		if (*stream == NULL) {
			d->counters->v[CNT_STREAMS_FULL]++;
			in->flags |= (uint32_t)INSPECT_NO_STREAM << s;
			return;
		}
	}
	w->n_fired = 0;
	d->counters->v[CNT_SCAN_CALLS]++;
	d->counters->v[CNT_SCAN_BYTES] += data.len;
	if (!ruleset_stream_scan(in->rs, w, index, *stream, data, on_signature, &ctx))
		d->counters->v[CNT_SCAN_FAILED]++;
	scanned(d, w);
	signatures_wake(d, in, m, s, db);
}

static void stream_scan(struct detect *d, struct inspect *in, const struct detect_msg *m,
			enum detect_stream s, struct span data)
{
	const uint32_t none = (uint32_t)INSPECT_NO_STREAM << s;
	struct ruleset_stream **stream = in->stream[s];

	for (uint32_t i = always_on(in, s); i != IMAGE_NONE && (in->flags & none) == 0;
	     i = in->rs->dbs[i].next)
		part_scan(d, in, m, s, stream++, i, in->offset[s] - data.len, data);
}

void detect_data(struct detect *d, struct inspect *in, const struct detect_msg *m,
		 enum detect_stream s, struct span data)
{
	if (data.len == 0)
		return;
	tap(d, in, slot_of(s), data);
	if (d->unverified) {
		in->offset[s] += data.len;
		if (!d->unscanned)
			stream_scan(d, in, m, s, data);
		return;
	}
	while (data.len > 0) {
		struct span piece = span_first(data, window_room(in, s));

		data = span_from(data, piece.len);
		in->budget += (int64_t)piece.len * BUDGET_PER_BYTE;
		window_append(d, in, m, s, piece);
		in->offset[s] += piece.len;
		watch_data(d, in, m, s, piece);
		stream_scan(d, in, m, s, piece);
	}
	hit_decide_waiting(d, in, m);
}

void detect_gap(struct detect *d, struct inspect *in, const struct detect_msg *m,
		enum detect_stream s, uint64_t gap_bytes)
{
	// A byte that stands in no text and no UTF-8: what is missing makes no match.
	static const uint8_t filler[4096 + 64] = {[0 ... 4159] = 0xc1};

	in->flags |= INSPECT_GAP;
	if (gap_bytes > 64 << 10)
		gap_bytes = 64 << 10;
	while (gap_bytes > 0) {
		size_t n = gap_bytes < 4096 ? (size_t)gap_bytes : 4096;

		detect_data(d, in, m, s, span_of(filler, n));
		gap_bytes -= n;
	}
}

// ---- segments ----

bool detect_wants_packets(const struct detect *d, enum dir dir)
{
	const struct image_header *img = d->rs != NULL ? d->rs->img : NULL;

	return img != NULL && (img->db[BUF_PACKET][dir] != IMAGE_NONE || img->n_packets[dir] > 0);
}

static void packet_candidate(struct detect *d, struct inspect *in, const struct detect_msg *m,
			     const struct image_owner *o, struct span data)
{
	const struct ruleset *rs = in->rs;
	const struct image_rule *r = &rs->rules[o->rule];
	struct active *a;

	d->counters->v[CNT_CANDIDATES]++;
	if (!hit_applies(rs, r, m))
		return;
	for (uint32_t i = 0; i < r->n_conds; i++)
		if (!eval_cond(rs, worker_of(d, rs), &rs->conds[r->cond + i], data, d->counters))
			return;
	a = active_get(d, in, o->rule); // at most once per message, however many segments match
	if (a == NULL || a->done)
		return;
	a->done = 1;
	hit_rule(d, in, m, o->rule, BUF_PACKET, 0, false);
}

void detect_packet(struct detect *d, struct inspect *in, const struct detect_msg *m,
		   struct span data)
{
	const struct ruleset *rs = in->rs;
	const struct image_header *img = rs->img;
	const struct ruleset_worker *w = worker_of(d, rs);
	const struct image_db *db;

	if (d->unscanned)
		return;
	db = block_scan(d, in, BUF_PACKET, data);
	if (data.len > 0)
		tap(d, in, BUF_PACKET, data);
	for (uint32_t i = 0; db != NULL && i < w->n_fired; i++) {
		const struct image_sig *sig = &rs->sigs[db->sig + w->fired[i].sig];

		for (uint32_t k = 0; k < sig->n_owners; k++)
			packet_candidate(d, in, m, &rs->owners[sig->owner + k], data);
	}
	for (uint32_t i = 0; i < img->n_packets[in->dir] && !d->unverified; i++)
		packet_candidate(d, in, m, &rs->owners[img->packets[in->dir] + i], data);
	hit_decide_waiting(d, in, m);
}

static void inspect_free(struct detect *d, struct inspect *in)
{
	struct ruleset *rs = in->rs;
	struct ruleset_worker *w = worker_of(d, rs);

	tap(d, in, BUF_N, SPAN_NONE);
	while (in->active != POOL_NONE) {
		struct active *a = pool_at(d->actives, in->active);

		in->active = a->next;
		watch_close_all(d, in, a);
		pool_put(d->actives, a);
	}
	for (int s = 0; s < DETECT_STREAM_N; s++) {
		struct ruleset_stream **stream = in->stream[s];

		for (uint32_t i = always_on(in, s); i != IMAGE_NONE; i = rs->dbs[i].next, stream++)
			if (*stream != NULL)
				ruleset_stream_put(rs, w, i, *stream, NULL, NULL);
		window_drop(d, in, s);
		search_drop(d, in, s);
	}
	if (in->head != NULL)
		pool_put((in->flags & INSPECT_HEAD_BIG) != 0 ? d->gathers : d->cells, in->head);
	if (d->view_of == in)
		d->view_of = NULL;
	pool_put(d->inspects, in);
	in_use_add(w, UINT64_MAX); // - 1
}

void detect_settle(struct detect *d, struct inspect *in, const struct detect_msg *m)
{
	// A pass rule may be about the head: before it has come nothing is said.
	if ((in->flags & INSPECT_HEAD_SEEN) != 0 || m->app != APP_HTTP)
		hit_decide(d, in, m);
}

// Signatures that only the end of the buffer makes true.
static void signatures_end(struct detect *d, struct inspect *in, const struct detect_msg *m,
			   enum detect_stream s)
{
	struct ruleset_worker *w = worker_of(d, in->rs);
	struct ruleset_stream **at = in->stream[s];

	if (*at != NULL)
		tap(d, in, slot_of(s), SPAN_NONE);
	for (uint32_t i = always_on(in, s); i != IMAGE_NONE; i = in->rs->dbs[i].next, at++) {
		const struct image_db *db = &in->rs->dbs[i];
		struct scan_ctx ctx = {.w = w, .n_sigs = db->n_sigs};
		struct ruleset_stream *stream = *at;

		if (stream == NULL)
			continue;
		*at = NULL;
		w->n_fired = 0;
		ruleset_stream_put(in->rs, w, i, stream, on_signature, &ctx);
		if (!d->unverified)
			signatures_wake(d, in, m, s, db);
	}
}

static void watches_end(struct detect *d, struct inspect *in, const struct detect_msg *m,
			enum detect_stream s)
{
	for (uint32_t i = in->active; i != POOL_NONE;) {
		struct active *a = pool_at(d->actives, i);

		i = a->next;
		watch_end(d, in, m, a, s);
	}
	if (in->window_len[s] > 0)
		window_evaluate(d, in, m, s, true);
}

void detect_file_end(struct detect *d, struct inspect *in, const struct detect_msg *m,
		     const struct file_facts *facts, bool more)
{
	signatures_end(d, in, m, DETECT_FILE);
	watches_end(d, in, m, DETECT_FILE);
	file_decide(d, in, m, facts);
	if (facts->completes != NULL)
		file_decide(d, in, m, facts->completes);
	hit_decide_waiting(d, in, m);
	if (more)
		file_next(d, in, m);
}

void detect_end(struct detect *d, struct inspect *in, const struct detect_msg *m)
{
	for (int s = 0; s < DETECT_STREAM_N; s++)
		signatures_end(d, in, m, s);
	for (int s = 0; s < DETECT_STREAM_N; s++)
		watches_end(d, in, m, s);
	in->flags |= INSPECT_UNDECIDED; // sizes and times have changed
	hit_decide(d, in, m);
	inspect_free(d, in);
}

void detect_abort(struct detect *d, struct inspect *in)
{
	inspect_free(d, in);
}

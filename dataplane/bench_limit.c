// SPDX-License-Identifier: BSD-2-Clause
// The limit: a round runs with a tap, and what was in the tap is done again with nothing around it. Scanning: the same
// buffers and pieces through the same databases, streams reset where the engine gave them back. Inflating: each body
// as a whole, without a checksum. What the libraries say is dropped, but counted: it must be what the engine got.
//
// The tap has the pieces of many messages mixed; here those of one message stand together, in one block of memory that is
// read from front to back, so that no lookup is in the measurement and the processor's prefetch helps.
#include "dataplane/bench_limit.h"

#include <errno.h>
#include <hs.h>
#include <isa-l/igzip_lib.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/buffer.h"
#include "common/diag.h"
#include "dataplane/capture.h"
#include "dataplane/engine/ruleset_impl.h"
#include "dataplane/engine/tap.h"

enum {
	OUT_BYTES = 64 << 10, // as the engine's pieces
	COPY_BYTES = 1 << 20, // no frame is larger
};

enum scan_op {
	SCAN_BLOCK,
	SCAN_STREAM,
	SCAN_END, // of the stream
};

struct scan {
	const uint8_t *data;
	uint32_t len;
	uint32_t db : 30, op : 2;
};

struct bench_limit {
	struct ruleset *rs;
	uint8_t *bytes; // what scans and bodies point to, PIPELINE_TAIL_BYTES behind the last
	size_t used;
	struct scan *scans;
	size_t n_scans;
	struct span *bodies;
	size_t n_bodies;
	struct ruleset_stream **stream; // one per database, NULL: none needed yet
	struct inflate_state *inflate;
	uint8_t *out; // COPY_BYTES
	struct bench_limit_size size;
};

// Where a record of the tap is.
struct place {
	uint64_t message;
	size_t at;
};

static int by_message(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	if (x->message != y->message)
		return x->message < y->message ? -1 : 1;
	return x->at < y->at ? -1 : x->at > y->at;
}

static struct tap_record record_at(const struct tap *tap, size_t at)
{
	struct tap_record r;

	memcpy(&r, tap->mem + at, sizeof(r));
	return r;
}

static size_t record_bytes(const struct tap_record *r)
{
	return (sizeof(*r) + r->len + 7) & ~(size_t)7;
}

static int places(const struct tap *tap, struct place **ret_places, size_t *ret_n)
{
	struct tap_record r;
	struct place *p;
	size_t n = 0, i = 0;

	for (size_t at = 0; at < tap->used; at += record_bytes(&r), n++)
		r = record_at(tap, at);
	p = malloc((n + 1) * sizeof(*p));
	if (p == NULL)
		return -ENOMEM;
	for (size_t at = 0; at < tap->used; at += record_bytes(&r)) {
		r = record_at(tap, at);
		p[i++] = (struct place){r.message, at};
	}
	qsort(p, n, sizeof(*p), by_message);
	*ret_places = p;
	*ret_n = n;
	return 0;
}

static struct span keep(struct bench_limit *l, const struct tap *tap, size_t at, uint32_t len)
{
	uint8_t *to = l->bytes + l->used;

	memcpy(to, tap->mem + at + sizeof(struct tap_record), len);
	l->used += len;
	return span_of(to, len);
}

// ---- from records to work ----

static void scan_add(struct bench_limit *l, uint32_t db, enum scan_op op, struct span data)
{
	l->scans[l->n_scans++] = (struct scan){data.data, (uint32_t)data.len, db, op};
	l->size.scan_calls += op != SCAN_END;
	l->size.scan_bytes += data.len;
}

// The message whose records are being read.
struct message {
	uint64_t open;        // bit per buffer whose stream has begun
	uint64_t from[BUF_N]; // bytes of it so far
};

static void end_stream(struct bench_limit *l, unsigned int b, unsigned int dir, struct message *io)
{
	for (uint32_t i = l->rs->img->db[b][dir]; i != IMAGE_NONE; i = l->rs->dbs[i].next)
		scan_add(l, i, SCAN_END, SPAN_NONE);
	io->open &= ~(1ull << b);
	io->from[b] = 0;
}

static void add_message(struct bench_limit *l, const struct tap *tap, size_t at, struct message *io)
{
	const struct tap_record r = record_at(tap, at);
	uint32_t i = r.buffer < BUF_N ? l->rs->img->db[r.buffer][r.dir] : IMAGE_NONE;
	struct span data;

	if (r.len == 0) {
		for (unsigned int b = 0; b < BUF_N; b++)
			if ((io->open >> b & 1) != 0 && (r.buffer == BUF_N || r.buffer == b))
				end_stream(l, b, r.dir, io);
		return;
	}
	if (i == IMAGE_NONE)
		return;
	data = keep(l, tap, at, r.len);
	if (buffer_info(r.buffer)->stage != BUFFER_STREAM) {
		scan_add(l, i, SCAN_BLOCK, data);
		return;
	}
	for (; i != IMAGE_NONE; i = l->rs->dbs[i].next) {
		const uint64_t limit = l->rs->dbs[i].limit, from = io->from[r.buffer];

		if (from < limit)
			scan_add(l, i, SCAN_STREAM, span_first(data, limit - from));
	}
	io->open |= 1ull << r.buffer;
	io->from[r.buffer] += r.len;
}
_Static_assert(BUF_N <= 64, "bits of struct message");

// A record of a decoder: its pieces become one.
static void add_deflate(struct bench_limit *l, const struct tap *tap, size_t at)
{
	const struct tap_record r = record_at(tap, at);

	if (r.len == 0) {
		l->bodies[l->n_bodies++] = span_of(l->bytes + l->used, 0);
		return;
	}
	l->bodies[l->n_bodies - 1].len += keep(l, tap, at, r.len).len;
	l->size.deflate_bytes += r.len;
}

static int streams_open(struct bench_limit *l)
{
	l->stream = calloc(l->rs->n_dbs + 1, sizeof(*l->stream));
	if (l->stream == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < l->n_scans; i++) {
		uint32_t db = l->scans[i].db;

		if (l->scans[i].op != SCAN_STREAM || l->stream[db] != NULL)
			continue;
		l->stream[db] = ruleset_stream_get(l->rs, &l->rs->w[0], db);
		if (l->stream[db] == NULL)
			return -ENOMEM;
	}
	return 0;
}

int bench_limit_new(const struct tap *tap, struct ruleset *rs, struct bench_limit **ret_limit,
		    struct diag *ret_diag)
{
	struct bench_limit *l;
	struct place *p;
	struct message message = {0};
	size_t n;
	int err;

	if (tap->lost > 0) {
		diag_set(ret_diag, NULL, 0, 0,
			 "a round scans and inflates more than %zu MB: no limit is measured",
			 tap->room >> 20);
		return -EFBIG;
	}
	err = places(tap, &p, &n);
	if (err < 0)
		return err;
	l = calloc(1, sizeof(*l));
	if (l != NULL) {
		l->rs = rs;
		l->bytes = malloc(tap->used + PIPELINE_TAIL_BYTES);
		// A message has at most one end for each of its records, and one more; each is as many scans as there are
		// databases.
		l->scans = malloc((2 * n + 1) * IMAGE_PARTS_MAX * sizeof(*l->scans));
		l->bodies = malloc((n + 1) * sizeof(*l->bodies));
		l->inflate = malloc(sizeof(*l->inflate));
		l->out = malloc(COPY_BYTES);
	}
	if (l == NULL || l->bytes == NULL || l->scans == NULL || l->bodies == NULL ||
	    l->inflate == NULL || l->out == NULL) {
		free(p);
		bench_limit_free(l);
		return -ENOMEM;
	}
	for (size_t i = 0; i < n; i++) {
		if (record_at(tap, p[i].at).buffer == TAP_DEFLATE)
			add_deflate(l, tap, p[i].at);
		else
			add_message(l, tap, p[i].at, &message);
	}
	memset(l->bytes + l->used, 0, PIPELINE_TAIL_BYTES);
	l->size.deflate_bodies = l->n_bodies;
	free(p);
	err = streams_open(l);
	if (err < 0)
		bench_limit_free(l);
	else
		*ret_limit = l;
	return err;
}

void bench_limit_free(struct bench_limit *l)
{
	if (l == NULL)
		return;
	for (uint32_t i = 0; l->stream != NULL && i < l->rs->n_dbs; i++)
		if (l->stream[i] != NULL)
			ruleset_stream_put(l->rs, &l->rs->w[0], i, l->stream[i], NULL, NULL);
	free(l->stream);
	free(l->bytes);
	free(l->scans);
	free(l->bodies);
	free(l->inflate);
	free(l->out);
	free(l);
}

void bench_limit_size(const struct bench_limit *l, struct bench_limit_size *ret_size)
{
	*ret_size = l->size;
}

// ---- the work ----

static int on_match(unsigned int id, unsigned long long from, unsigned long long to,
		    unsigned int flags, void *n)
{
	++*(uint64_t *)n;
	return 0;
}

uint64_t bench_limit_scan(struct bench_limit *l)
{
	struct ruleset_worker *w = &l->rs->w[0];
	uint64_t fired = 0, at_ends = 0;

	for (size_t i = 0; i < l->n_scans; i++) {
		const struct scan *s = &l->scans[i];

		switch ((enum scan_op)s->op) {
		case SCAN_BLOCK:
			hs_scan(l->rs->db[s->db], (const char *)s->data, s->len, 0, w->scratch,
				on_match, &fired);
			break;
		case SCAN_STREAM:
			ruleset_stream_scan(l->rs, w, s->db, l->stream[s->db],
					    span_of(s->data, s->len), on_match, &fired);
			break;
		case SCAN_END:
			// The same one comes back.
			ruleset_stream_put(l->rs, w, s->db, l->stream[s->db], on_match, &at_ends);
			l->stream[s->db] = ruleset_stream_get(l->rs, w, s->db);
			break;
		}
	}
	return fired;
}

uint64_t bench_limit_inflate(struct bench_limit *l)
{
	struct inflate_state *s = l->inflate;
	uint64_t bytes = 0;

	for (size_t i = 0; i < l->n_bodies; i++) {
		int err;

		isal_inflate_init(s);
		s->next_in = (uint8_t *)(uintptr_t)l->bodies[i].data; // it does not write to it
		s->avail_in = (uint32_t)l->bodies[i].len;
		do {
			s->next_out = l->out;
			s->avail_out = OUT_BYTES;
			err = isal_inflate(s);
			bytes += OUT_BYTES - s->avail_out;
		} while (err == ISAL_DECOMP_OK && s->block_state != ISAL_BLOCK_FINISH &&
			 s->avail_out == 0);
	}
	return bytes;
}

void bench_limit_copy(struct bench_limit *l, const struct capture_set *set)
{
	for (size_t i = 0; i < set->n; i++) {
		const struct frame *f = &set->frames[i];

		memcpy(l->out, f->data, f->len < COPY_BYTES ? f->len : COPY_BYTES);
		__asm__ volatile("" : : "r"(l->out) : "memory"); // the copy is made
	}
}

// SPDX-License-Identifier: BSD-2-Clause
// Segments for a reader of streams, and what it reads; for tests of engine/tcp.
#ifndef TESTS_TCPKIT_H
#define TESTS_TCPKIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "dataplane/engine/tcp.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

enum {
	CELLS = 600,
	OUT_MAX = 1 << 20,
	STEPS = 12,
	MSS_TEST = 3000, // more than a cell holds
	SERVER_ISN = 7000,
};

// One flow with its pool; out is what has been read of each direction.
struct rig {
	struct flow f;
	struct pool pool, histories;
	struct tcp_ctx x;
	struct counters c;
	uint32_t isn; // of the client
	uint32_t n[DIR_N];
	bool fin[DIR_N];
	bool flushed;
	uint8_t *out[DIR_N];
	char alt[512]; // other readings of what the client sent, each behind a '|'; "(...)" was read before
	uint32_t n_alt;
	struct tcp_seg *cells;
	uint8_t *pasts;
};

static inline void rig_reset(struct rig *r, uint32_t isn, uint32_t cells)
{
	memset(&r->f, 0, sizeof(r->f));
	memset(&r->c, 0, sizeof(r->c));
	for (int d = 0; d < DIR_N; d++) {
		r->f.half[d].ooo_head = r->f.half[d].prefix = r->f.half[d].history = POOL_NONE;
		r->n[d] = 0;
		r->fin[d] = false;
	}
	pool_init(&r->pool, r->cells, cells, sizeof(struct tcp_seg));
	pool_init(&r->histories, r->pasts, DIR_N, TCP_HISTORY_BYTES);
	r->x.cells = &r->pool;
	r->x.histories = &r->histories;
	r->x.counters = &r->c;
	r->n_alt = 0;
	r->alt[0] = '\0';
	r->isn = isn;
	r->flushed = false;
}

static inline void rig_init(struct rig *r, uint32_t isn, uint32_t cells)
{
	r->cells = malloc(CELLS * sizeof(struct tcp_seg));
	r->pasts = malloc(DIR_N * TCP_HISTORY_BYTES);
	r->x.scratch = malloc(TCP_SCRATCH_BYTES);
	assert_true(r->pasts != NULL && r->x.scratch != NULL);
	r->out[0] = malloc(OUT_MAX);
	r->out[1] = malloc(OUT_MAX);
	assert_true(r->cells != NULL && r->out[0] != NULL && r->out[1] != NULL);
	rig_reset(r, isn, cells);
}

static inline void rig_done(struct rig *r)
{
	free(r->cells);
	free(r->pasts);
	free(r->x.scratch);
	free(r->out[0]);
	free(r->out[1]);
}

// Every payload byte is in exactly one place; every cell is in a queue; queues ascend.
static inline void rig_check(const struct rig *r)
{
	const uint64_t *v = r->c.v;
	uint32_t count = 0, bytes = 0;

	for (int d = 0; d < DIR_N; d++) {
		const struct tcp_half *h = &r->f.half[d];
		uint32_t n = 0, sum = 0, last = h->next_seq;

		for (uint32_t i = h->ooo_head; i != POOL_NONE; n++) {
			const struct tcp_seg *s = pool_at(&r->pool, i);

			// What is doubtful may begin before what was read.
			assert_true(s->kind > TCP_SEG_LOSER || (int32_t)(s->seq - last) >= 0);
			assert_true(s->total > 0 || s->fin);
			if (s->kind <= TCP_SEG_LOSER)
				last = s->seq;
			if (s->kind != TCP_SEG_ECHO)
				sum += s->total;
			for (uint32_t more = s->more; more != POOL_NONE; n++)
				more = ((const struct tcp_seg *)pool_at(&r->pool, more))->more;
			i = s->next;
		}
		assert_int_equal(n, h->ooo_count);
		assert_true(n <= TCP_OOO_SEGS_MAX);
		count += n;
		bytes += sum;
		assert_int_equal(h->delivered, r->n[d]);
	}
	assert_int_equal(count, r->pool.used);
	assert_int_equal(bytes, v[CNT_TCP_OOO_HELD]);
	assert_int_equal(v[CNT_TCP_PAYLOAD],
			 v[CNT_TCP_DELIVERED] + v[CNT_TCP_RELEASED] + v[CNT_TCP_DUPLICATE] +
				 v[CNT_TCP_OUT_OF_WINDOW] + v[CNT_TCP_IGNORED] + v[CNT_TCP_OLD_TS] +
				 v[CNT_TCP_BAD_ACK] + v[CNT_TCP_URGENT_BYTES] +
				 v[CNT_TCP_AFTER_FIN] + v[CNT_TCP_OOO_HELD]);
}

static inline void rig_alt(struct rig *r, enum dir dir, const struct tcp_run *run)
{
	assert_true(run->data.len > 0 && run->context <= run->data.len);
	if (dir != DIR_TO_SERVER || run->data.len + r->n_alt + 8 > sizeof(r->alt))
		return;
	r->n_alt += (uint32_t)snprintf(r->alt + r->n_alt, sizeof(r->alt) - r->n_alt, "|(%.*s)%.*s",
				       (int)run->context, (const char *)run->data.data,
				       (int)(run->data.len - run->context),
				       (const char *)run->data.data + run->context);
}

static inline void rig_read(struct rig *r, struct tcp_reader *rd, enum dir dir)
{
	struct tcp_run run;

	while (tcp_reader_next(rd, &run)) {
		r->c.v[run.anomaly] += run.anomaly != 0;
		if (run.reading == TCP_ALT) {
			rig_alt(r, dir, &run);
			continue;
		}
		assert_false(r->fin[dir]); // nothing behind the end
		assert_true(r->n[dir] + run.gap_bytes + run.data.len <= OUT_MAX);
		memset(r->out[dir] + r->n[dir], '_', run.gap_bytes);
		r->n[dir] += (uint32_t)run.gap_bytes;
		if (run.data.len > 0)
			memcpy(r->out[dir] + r->n[dir], run.data.data, run.data.len);
		r->n[dir] += (uint32_t)run.data.len;
		r->fin[dir] = run.fin;
		tcp_remember(&r->x, &r->f, dir, run.data);
	}
}

static inline enum tcp_verdict rig_pkt(struct rig *r, enum dir dir, const struct pkt *p)
{
	enum tcp_verdict verdict = tcp_track(&r->x, &r->f, p, dir);
	struct tcp_reader rd;

	if (verdict == TCP_NEW_FLOW)
		return verdict;
	r->c.v[CNT_TCP_PAYLOAD] += p->payload.len;
	if (verdict != TCP_IGNORE) {
		tcp_reader_init(&rd, &r->x, &r->f, dir, p, verdict);
		rig_read(r, &rd, dir);
	}
	if (r->f.half[!dir].doubts > 0) {
		tcp_reader_poll(&rd, &r->x, &r->f, !dir);
		rig_read(r, &rd, !dir);
	}
	tcp_history_acked(&r->x, &r->f.half[!dir], &r->f.half[dir]);
	rig_check(r);
	return verdict;
}

static inline void rig_flush(struct rig *r)
{
	for (int d = 0; d < DIR_N; d++) {
		struct tcp_reader rd;

		tcp_reader_flush(&rd, &r->x, &r->f, d);
		rig_read(r, &rd, d);
	}
	rig_check(r);
	assert_int_equal(r->pool.used, 0);
}

// A segment at stream offset at (0: the first byte behind the SYN).
static inline struct pkt segment(const struct rig *r, enum dir dir, uint32_t at, uint8_t flags,
				 const void *data, size_t len)
{
	return (struct pkt){
		.seq = (dir == DIR_TO_SERVER ? r->isn : SERVER_ISN) + 1 + at,
		.ack = (dir == DIR_TO_SERVER ? SERVER_ISN : r->isn) + 1 +
		       (uint32_t)r->f.half[!dir].delivered,
		.flags = flags,
		.window = 65535,
		.payload = span_of(data, len),
	};
}

static inline enum tcp_verdict rig_send(struct rig *r, uint32_t at, uint8_t flags, const char *data)
{
	const struct pkt p = segment(r, DIR_TO_SERVER, at, flags, data, strlen(data));

	return rig_pkt(r, DIR_TO_SERVER, &p);
}

static inline enum tcp_verdict rig_syn(struct rig *r, uint32_t isn)
{
	const struct pkt p = {
		.seq = isn, .flags = TCP_SYN, .window = 65535, .payload = SPAN_LIT("")};

	return rig_pkt(r, DIR_TO_SERVER, &p);
}

static inline enum tcp_verdict rig_synack(struct rig *r, uint32_t ack)
{
	const struct pkt p = {.seq = SERVER_ISN,
			      .ack = ack,
			      .flags = TCP_SYN | TCP_ACK,
			      .window = 65535,
			      .payload = SPAN_LIT("")};

	return rig_pkt(r, DIR_TO_CLIENT, &p);
}

static inline void rig_handshake(struct rig *r)
{
	assert_int_equal(rig_syn(r, r->isn), TCP_IGNORE);
	assert_int_equal(rig_synack(r, r->isn + 1), TCP_IGNORE);
	assert_int_equal(r->f.state, FLOW_NEW);
	rig_send(r, 0, TCP_ACK, "");
	assert_int_equal(r->f.state, FLOW_ESTABLISHED);
}

static inline void expect_stream(const char *name, const struct rig *r, enum dir dir,
				 const char *want)
{
	char got[512];

	assert_true(r->n[dir] + 2 < sizeof(got));
	snprintf(got, sizeof(got), "%.*s%s", (int)r->n[dir], r->out[dir], r->fin[dir] ? "$" : "");
	if (strcmp(got, want) != 0)
		print_error("%s: %s\n", name, got);
	assert_string_equal(got, want);
}

enum {
	A = TCP_ACK,
	F = TCP_ACK | TCP_FIN,
	MD5 = 0x80, // not a flag of TCP: send it with that option
};

struct step {
	uint32_t at;
	const char *data;
	uint8_t flags; // 0: A
};

static inline enum tcp_verdict run_step(struct rig *r, const struct step *s)
{
	struct pkt p = segment(r, DIR_TO_SERVER, s->at, (s->flags != 0 ? s->flags : A) & 0x7f,
			       s->data, strlen(s->data));

	if ((s->flags & MD5) != 0)
		p.options = PKT_HAS_MD5;
	return rig_pkt(r, DIR_TO_SERVER, &p);
}

#endif

// SPDX-License-Identifier: BSD-2-Clause
// Sequence numbers are compared as signed differences; stream offsets are 64 bits and never wrap.
//
// Accounting: every payload byte of a tracked flow ends in exactly one of delivered, released, duplicate,
// out_of_window, ignored, after_fin, or is held.
#include "dataplane/engine/tcp.h"

#include <string.h>

static int32_t seq_diff(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b);
}

// A receiver's window as last seen; without its SYN the scale is unknown and taken as the largest.
static void ack_update(struct tcp_half *h, const struct tcp_half *peer, const struct flow *f,
		       const struct pkt *pkt)
{
	uint32_t scale = 0, edge;

	if ((f->flags & FLOW_MIDSTREAM) != 0)
		scale = 14;
	else if ((h->flags & TCP_HALF_WSCALE) != 0 && (peer->flags & TCP_HALF_WSCALE) != 0)
		scale = h->wscale;
	if ((pkt->flags & TCP_SYN) != 0)
		scale = 0;
	edge = pkt->ack + ((uint32_t)pkt->window << scale);
	if ((h->flags & TCP_HALF_ACK_SEEN) == 0) {
		h->flags |= TCP_HALF_ACK_SEEN;
		h->last_ack = pkt->ack;
		h->window_edge = edge;
		return;
	}
	if (seq_diff(pkt->ack, h->last_ack) > 0)
		h->last_ack = pkt->ack;
	if (seq_diff(edge, h->window_edge) > 0)
		h->window_edge = edge;
}

static enum tcp_verdict ignore(struct counters *c, const struct pkt *pkt)
{
	c->v[CNT_TCP_IGNORED] += pkt->payload.len;
	return TCP_IGNORE;
}

static enum tcp_verdict track_syn(struct flow *f, const struct pkt *pkt, enum dir dir,
				  struct counters *c)
{
	struct tcp_half *h = &f->half[dir], *peer = &f->half[!dir];

	if ((pkt->flags & (TCP_FIN | TCP_RST)) != 0 || f->state == FLOW_ESTABLISHED) {
		c->v[CNT_TCP_SYN_IGNORED]++;
		return ignore(c, pkt);
	}
	if ((pkt->flags & TCP_ACK) == 0) {
		if (f->state == FLOW_CLOSING)
			return TCP_NEW_FLOW;
		if ((f->flags & FLOW_SYN) != 0 && pkt->seq + 1 != h->next_seq) {
			// Linux keeps the first ISN; the answer's ack will tell which one the server took.
			c->v[CNT_TCP_SYN_IGNORED]++;
			return ignore(c, pkt);
		}
		f->flags |= FLOW_SYN;
	} else {
		if (f->state == FLOW_CLOSING || dir != DIR_TO_CLIENT) {
			c->v[CNT_TCP_SYN_IGNORED]++;
			return ignore(c, pkt);
		}
		f->flags |= FLOW_SYNACK;
		if (peer->delivered == 0 && peer->ooo_head == POOL_NONE) {
			peer->next_seq = pkt->ack;
			peer->flags |= TCP_HALF_SYNCED;
		}
		ack_update(h, peer, f, pkt);
	}
	if (h->delivered == 0 && h->ooo_head == POOL_NONE) {
		h->next_seq = pkt->seq + 1;
		h->flags |= TCP_HALF_SYNCED;
	}
	if ((pkt->options & PKT_HAS_WSCALE) != 0) {
		h->flags |= TCP_HALF_WSCALE;
		h->wscale = pkt->wscale;
	}
	// Data in a SYN (TCP fast open) is sent again by clients whose server did not take it.
	return ignore(c, pkt);
}

static enum tcp_verdict track_rst(struct flow *f, const struct pkt *pkt, enum dir dir,
				  struct counters *c)
{
	const struct tcp_half *h = &f->half[dir];
	bool exact = (h->flags & TCP_HALF_SYNCED) != 0 && pkt->seq == h->next_seq;
	// A refused connection: RST|ACK to a SYN, from a server that sent nothing yet.
	bool refused = f->state == FLOW_NEW && dir == DIR_TO_CLIENT && (pkt->flags & TCP_ACK) != 0;

	if ((pkt->options & PKT_HAS_MD5) != 0 || (!exact && !refused)) {
		c->v[CNT_TCP_RST_IGNORED]++;
		return ignore(c, pkt);
	}
	f->state = FLOW_CLOSING; // shortens the timeout; inspection goes on for what still comes
	f->flags |= FLOW_RST;
	return ignore(c, pkt);
}

enum tcp_verdict tcp_track(struct flow *f, const struct pkt *pkt, enum dir dir, struct counters *c)
{
	struct tcp_half *h = &f->half[dir], *peer = &f->half[!dir];

	f->flags |= dir == DIR_TO_SERVER ? FLOW_SEEN_0 : FLOW_SEEN_1;
	if ((pkt->flags & TCP_URG) != 0)
		c->v[CNT_TCP_URGENT]++;
	if ((pkt->flags & TCP_SYN) != 0)
		return track_syn(f, pkt, dir, c);
	if ((pkt->flags & TCP_RST) != 0)
		return track_rst(f, pkt, dir, c);
	if ((pkt->flags & TCP_ACK) == 0 || (pkt->options & PKT_HAS_MD5) != 0)
		return ignore(c, pkt);
	ack_update(h, peer, f, pkt);
	if (f->state == FLOW_NEW &&
	    (pkt->payload.len > 0 || (f->flags & FLOW_MIDSTREAM) != 0 ||
	     (f->flags & (FLOW_SYN | FLOW_SYNACK)) == (FLOW_SYN | FLOW_SYNACK)))
		f->state = FLOW_ESTABLISHED;
	return TCP_ACCEPT;
}

static void seg_free(struct pool *pool, struct tcp_half *h, struct tcp_seg *s, struct counters *c)
{
	h->ooo_bytes -= s->len;
	h->ooo_count--;
	c->v[CNT_TCP_OOO_HELD] -= s->len;
	pool_put(pool, s);
}

// Do the bytes of [seq, seq+len) agree with what is queued for the same range?
static void conflict_check(const struct tcp_half *h, const struct pool *pool, uint32_t seq,
			   struct span data, struct counters *c)
{
	for (uint32_t i = h->ooo_head; i != POOL_NONE;) {
		const struct tcp_seg *s = pool_at(pool, i);
		int32_t at = seq_diff(s->seq, seq); // of the queued segment in data
		size_t from_s = at < 0 ? (size_t) - (int64_t)at : 0;
		size_t from_d = at > 0 ? (size_t)at : 0;

		if (at >= 0 && (size_t)at >= data.len)
			return;
		if (from_s < s->len) {
			size_t n = s->len - from_s;

			if (n > data.len - from_d)
				n = data.len - from_d;
			if (memcmp(s->data + from_s, data.data + from_d, n) != 0) {
				c->v[CNT_TCP_OVERLAP_DIFF]++;
				return;
			}
		}
		i = s->next;
	}
}

// Queue one piece of at most TCP_SEG_DATA bytes. False: no room, nothing was queued.
static bool queue_piece(struct tcp_half *h, struct pool *pool, uint32_t seq, struct span data,
			bool fin, struct counters *c)
{
	uint32_t end = seq + (uint32_t)data.len;
	uint32_t *link = &h->ooo_head;
	struct tcp_seg *s, *prev = NULL;

	while (*link != POOL_NONE) {
		s = pool_at(pool, *link);
		if (seq_diff(s->seq, seq) > 0 ||
		    (s->seq == seq && seq_diff(end, s->seq + s->len) > 0))
			break;
		prev = s;
		link = &s->next;
	}
	if (prev != NULL && seq_diff(end, prev->seq + prev->len) <= 0 && !(fin && !prev->fin)) {
		c->v[CNT_TCP_DUPLICATE] += data.len;
		return true;
	}
	if (h->ooo_count >= TCP_OOO_SEGS_MAX)
		return false;
	s = pool_get(pool);
	if (s == NULL)
		return false;
	s->seq = seq;
	s->len = (uint16_t)data.len;
	s->fin = fin;
	if (data.len > 0)
		memcpy(s->data, data.data, data.len);
	s->next = *link;
	*link = pool_index(pool, s);
	h->ooo_bytes += s->len;
	h->ooo_count++;
	c->v[CNT_TCP_OOO_QUEUED] += s->len;
	c->v[CNT_TCP_OOO_HELD] += s->len;
	// What the new one covers wholly is gone.
	while (s->next != POOL_NONE) {
		struct tcp_seg *next = pool_at(pool, s->next);

		if (seq_diff(next->seq + next->len, end) > 0 || (next->fin && !fin))
			break;
		s->next = next->next;
		c->v[CNT_TCP_DUPLICATE] += next->len;
		seg_free(pool, h, next, c);
	}
	return true;
}

// Returns how many leading bytes were queued.
static size_t queue_data(struct tcp_half *h, struct pool *pool, uint32_t seq, struct span data,
			 bool fin, struct counters *c)
{
	size_t done = 0;

	conflict_check(h, pool, seq, data, c);
	do {
		struct span piece = span_first(span_from(data, done), TCP_SEG_DATA);
		bool last = done + piece.len == data.len;

		if (!queue_piece(h, pool, seq + (uint32_t)done, piece, fin && last, c))
			return done;
		done += piece.len;
	} while (done < data.len);
	return done;
}

static void reader_start(struct tcp_reader *rd, struct tcp_half *h, struct pool *pool,
			 struct counters *c)
{
	*rd = (struct tcp_reader){
		.half = h,
		.pool = pool,
		.counters = c,
		.release = POOL_NONE,
	};
}

void tcp_reader_flush(struct tcp_reader *rd, struct flow *f, enum dir dir, struct pool *pool,
		      struct counters *c)
{
	reader_start(rd, &f->half[dir], pool, c);
	rd->skip_holes = true;
}

// Is the segment's start inside the window its receiver advertised? Linux takes a segment that starts inside
// whole, even if it ends beyond. One more window of slack, since the two directions of a tap are not in step.
static bool in_window(const struct flow *f, enum dir dir, uint32_t seq)
{
	const struct tcp_half *h = &f->half[dir], *peer = &f->half[!dir];
	int32_t window;

	if ((peer->flags & TCP_HALF_ACK_SEEN) == 0)
		return true;
	window = seq_diff(peer->window_edge, peer->last_ack);
	if (window < 65535)
		window = 65535;
	return seq_diff(seq, peer->window_edge) <= window || seq == h->next_seq;
}

void tcp_reader_init(struct tcp_reader *rd, struct flow *f, enum dir dir, struct pool *pool,
		     const struct pkt *pkt, struct counters *c)
{
	struct tcp_half *h = &f->half[dir];
	const struct tcp_half *peer = &f->half[!dir];
	struct span data = pkt->payload;
	uint32_t seq = pkt->seq;
	bool fin = (pkt->flags & TCP_FIN) != 0;
	int32_t ahead;
	size_t queued;

	reader_start(rd, h, pool, c);
	if (data.len == 0 && !fin)
		return;
	if ((h->flags & TCP_HALF_SYNCED) == 0) {
		h->next_seq = seq;
		h->flags |= TCP_HALF_SYNCED;
	}
	if ((h->flags & TCP_HALF_FIN_DONE) != 0) {
		ahead = seq_diff(seq + (uint32_t)data.len, h->fin_seq);
		if (ahead < 0)
			ahead = 0;
		if ((size_t)ahead > data.len)
			ahead = (int32_t)data.len;
		c->v[CNT_TCP_AFTER_FIN] += (uint64_t)ahead;
		c->v[CNT_TCP_DUPLICATE] += data.len - (size_t)ahead;
		return;
	}
	ahead = seq_diff(seq, h->next_seq);
	if (ahead > 0 && !in_window(f, dir, seq)) {
		c->v[CNT_TCP_OUT_OF_WINDOW] += data.len;
		return;
	}
	if (ahead < 0) {
		size_t old = (size_t) - (int64_t)ahead;

		if (old > data.len || (old == data.len && !fin)) {
			c->v[CNT_TCP_DUPLICATE] += data.len;
			return;
		}
		c->v[CNT_TCP_DUPLICATE] += old;
		data = span_from(data, old);
		seq += (uint32_t)old;
		ahead = 0;
	}
	if (ahead == 0) {
		rd->now = data;
		rd->now_fin = fin;
		if (h->ooo_head != POOL_NONE)
			conflict_check(h, pool, seq, data, c);
		return;
	}
	queued = queue_data(h, pool, seq, data, fin, c);
	rd->acked = (peer->flags & TCP_HALF_ACK_SEEN) != 0 &&
		    seq_diff(peer->last_ack, h->next_seq) > 0 && h->ooo_count >= TCP_ACKED_SEGS;
	if (queued < data.len || (data.len == 0 && h->ooo_head == POOL_NONE)) {
		// No room to wait for the missing bytes: give the hole up, read on in place.
		rd->skip_holes = true;
		rd->late = span_from(data, queued);
		rd->late_seq = seq + (uint32_t)queued;
		rd->late_fin = fin;
	}
}

// Hand out data that starts at next_seq.
static void emit(struct tcp_reader *rd, struct span data, bool fin, struct tcp_run *run)
{
	struct tcp_half *h = rd->half;

	run->data = data;
	h->next_seq += (uint32_t)data.len;
	h->delivered += data.len;
	rd->counters->v[CNT_TCP_DELIVERED] += data.len;
	if (fin) {
		h->fin_seq = h->next_seq;
		h->flags |= TCP_HALF_FIN_SEEN | TCP_HALF_FIN_DONE;
		run->fin = true;
	}
}

static void skip_hole(struct tcp_reader *rd, uint32_t to_seq, struct tcp_run *run)
{
	struct tcp_half *h = rd->half;
	uint32_t gap = to_seq - h->next_seq;

	run->gap_bytes = gap;
	h->next_seq = to_seq;
	h->delivered += gap;
	h->flags |= TCP_HALF_GAP;
	rd->counters->v[CNT_TCP_GAPS]++;
	rd->counters->v[CNT_TCP_GAP_BYTES] += gap;
	rd->acked = false;
}

// The stream has ended: nothing that is still queued will be read.
static void queue_after_fin(struct tcp_reader *rd)
{
	rd->counters->v[CNT_TCP_AFTER_FIN] += tcp_half_drop(rd->half, rd->pool, rd->counters);
}

static bool has_late(const struct tcp_reader *rd)
{
	return rd->late.len > 0 || rd->late_fin;
}

// What could not be queued, read in place.
static bool late_next(struct tcp_reader *rd, struct tcp_run *run)
{
	struct span late = rd->late;
	int32_t ahead = seq_diff(rd->late_seq, rd->half->next_seq);
	bool fin = rd->late_fin;

	if (!has_late(rd))
		return false;
	rd->late = SPAN_NONE;
	rd->late_fin = false;
	if (ahead > 0)
		skip_hole(rd, rd->late_seq, run);
	if (ahead < 0) {
		size_t old = (size_t) - (int64_t)ahead;

		if (old > late.len) {
			old = late.len;
			fin = false; // overrun by data
		}
		rd->counters->v[CNT_TCP_DUPLICATE] += old;
		late = span_from(late, old);
	}
	emit(rd, late, fin, run);
	if (fin)
		queue_after_fin(rd);
	return true;
}

bool tcp_reader_next(struct tcp_reader *rd, struct tcp_run *run)
{
	struct tcp_half *h = rd->half;

	*run = (struct tcp_run){0};
	if (rd->release != POOL_NONE) {
		pool_put(rd->pool, pool_at(rd->pool, rd->release));
		rd->release = POOL_NONE;
	}
	if (rd->now.len > 0 || rd->now_fin) {
		struct span now = rd->now;
		bool fin = rd->now_fin;

		rd->now = SPAN_NONE;
		rd->now_fin = false;
		emit(rd, now, fin, run);
		if (fin)
			queue_after_fin(rd);
		return true;
	}
	while (h->ooo_head != POOL_NONE) {
		struct tcp_seg *s = pool_at(rd->pool, h->ooo_head);
		int32_t ahead = seq_diff(s->seq, h->next_seq);
		size_t old;
		bool fin = s->fin != 0;

		if (ahead > 0) {
			if (!rd->skip_holes && !rd->acked)
				return false;
			if (has_late(rd) && seq_diff(s->seq, rd->late_seq) > 0)
				break; // what could not be queued comes first
			skip_hole(rd, s->seq, run);
			ahead = 0;
		}
		h->ooo_head = s->next;
		old = (size_t) - (int64_t)ahead;
		h->ooo_bytes -= s->len;
		h->ooo_count--;
		rd->counters->v[CNT_TCP_OOO_HELD] -= s->len;
		if (old > s->len || (old == s->len && !fin)) {
			rd->counters->v[CNT_TCP_DUPLICATE] += s->len;
			pool_put(rd->pool, s);
			continue;
		}
		rd->counters->v[CNT_TCP_DUPLICATE] += old;
		rd->release = pool_index(rd->pool, s);
		emit(rd, span_of(s->data + old, s->len - old), fin, run);
		if (fin) {
			queue_after_fin(rd);
			rd->counters->v[CNT_TCP_AFTER_FIN] += rd->late.len;
			rd->late = SPAN_NONE;
			rd->late_fin = false;
		}
		return true;
	}
	return late_next(rd, run);
}

uint32_t tcp_half_drop(struct tcp_half *h, struct pool *pool, struct counters *c)
{
	uint32_t bytes = 0;

	while (h->ooo_head != POOL_NONE) {
		struct tcp_seg *s = pool_at(pool, h->ooo_head);

		h->ooo_head = s->next;
		bytes += s->len;
		seg_free(pool, h, s, c);
	}
	return bytes;
}

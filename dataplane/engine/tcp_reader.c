// SPDX-License-Identifier: BSD-2-Clause
// Hands out what is readable of one direction: the segment in hand in place, then what waited behind it, and other readings
// before the bytes that they differ from in the stream go on.
//
// At most one piece (cur) and one other reading (alt) are in hand; a cell is given back when the next piece is asked for.
#include "dataplane/engine/tcp_impl.h"

#include <string.h>

static void reader_start(struct tcp_reader *rd, const struct tcp_ctx *x, struct flow *f,
			 enum dir dir)
{
	*rd = (struct tcp_reader){
		.x = x,
		.f = f,
		.half = &f->half[dir],
		.release = POOL_NONE,
	};
}

void tcp_reader_poll(struct tcp_reader *rd, const struct tcp_ctx *x, struct flow *f, enum dir dir)
{
	reader_start(rd, x, f, dir);
}

void tcp_reader_flush(struct tcp_reader *rd, const struct tcp_ctx *x, struct flow *f, enum dir dir)
{
	reader_start(rd, x, f, dir);
	rd->skip_holes = true;
}

static bool is_acked(const struct tcp_reader *rd, uint32_t end)
{
	const struct tcp_half *peer = tcp_peer(rd->f, rd->half);

	return (peer->flags & TCP_HALF_ACK_SEEN) != 0 && tcp_seq_diff(peer->last_ack, end) >= 0;
}

// ---- the segment in hand ----

static void alt_whole(struct tcp_reader *rd, uint32_t seq, struct span data, enum counter anomaly)
{
	tcp_alt_begin(rd, seq);
	tcp_alt_add(rd, data);
	tcp_alt_end(rd, seq + (uint32_t)data.len, anomaly);
}

// Another copy of bytes that are not remembered may be the same, and mostly is. It is read again on the way to a server, whose reading
// counts most, while the memory of that direction has something.
static bool is_forgotten_read(const struct tcp_reader *rd)
{
	return rd->half == &rd->f->half[DIR_TO_SERVER] && rd->half->history != POOL_NONE;
}

// The first old bytes of data were read before. Another copy of them, if it differs or if it cannot be told any more and
// its receiver may still take it, is another reading, with all that comes with it.
static void old_bytes(struct tcp_reader *rd, uint32_t seq, struct span data, size_t old,
		      bool queued)
{
	struct span copy = span_first(data, old);
	bool is_keepalive = data.len == 1 && seq + 1 == rd->half->next_seq;
	enum tcp_same same;

	rd->x->counters->v[CNT_TCP_DUPLICATE] += copy.len;
	// Whatever byte a probe brings, its receiver has one already.
	if (is_keepalive && is_acked(rd, rd->half->next_seq))
		return;
	// Before the first byte of the stream: nobody has read that from any other copy.
	if (!is_keepalive && rd->half->next_seq - seq > rd->half->delivered) {
		alt_whole(rd, seq, data, CNT_TCP_BESIDE);
		return;
	}
	same = tcp_history_compare(rd->x, rd->half, seq, copy);
	if (same == TCP_FORGOTTEN) {
		if (is_keepalive || (!queued && is_acked(rd, seq + (uint32_t)old)))
			return;
		same = tcp_marks_compare(rd, seq, copy);
	}
	switch (same) {
	case TCP_SAME:
		return;
	case TCP_DIFFERS:
		alt_whole(rd, seq, data, is_keepalive ? 0 : CNT_TCP_OVERLAP_DIFF);
		if (!queued && is_acked(rd, seq + (uint32_t)old))
			rd->rereads = 0; // told, but no host reads it any more
		return;
	case TCP_FORGOTTEN:
		rd->x->counters->v[CNT_TCP_FORGOTTEN]++;
		if (is_forgotten_read(rd))
			alt_whole(rd, seq, data, 0);
		return;
	}
}

// Where the urgent byte is. An earlier one that was taken out and has nothing behind it yet goes back into the stream, as it does in
// a socket whose reader has not come to it.
static void urgent(struct tcp_reader *rd, const struct pkt *pkt)
{
	struct tcp_half *h = rd->half;
	uint32_t at = pkt->seq + (pkt->urg_ptr > 0 ? pkt->urg_ptr - 1u : 0);

	if (tcp_seq_diff(at, h->next_seq) < 0 ||
	    ((h->flags & TCP_HALF_URG) != 0 && tcp_seq_diff(at, h->urg_seq) <= 0))
		return;
	if ((h->flags & TCP_HALF_URG_HELD) != 0) {
		rd->urg_byte = (uint8_t)h->urg_seq;
		rd->urg_inline = true;
		h->flags &= (uint16_t)~TCP_HALF_URG_HELD;
	}
	h->urg_seq = at;
	h->flags |= TCP_HALF_URG;
}

static void after_fin(struct tcp_reader *rd, uint32_t seq, struct span data)
{
	int32_t old = tcp_seq_diff(rd->half->fin_seq, seq);

	if (data.len == 0)
		return;
	if (old < 0)
		old = 0;
	if ((size_t)old >= data.len) {
		old_bytes(rd, seq, data, data.len, false);
		return;
	}
	rd->x->counters->v[CNT_TCP_DUPLICATE] += (uint64_t)old;
	rd->x->counters->v[CNT_TCP_AFTER_FIN] += data.len - (size_t)old;
	alt_whole(rd, seq, data, CNT_TCP_BESIDE);
}

static void read_later(struct tcp_reader *rd, const struct pkt *pkt, uint32_t seq, struct span data,
		       enum tcp_seg_kind kind)
{
	struct tcp_half *h = rd->half;
	bool fin = (pkt->flags & TCP_FIN) != 0;

	h->flags |= TCP_HALF_ODD;
	if (kind != TCP_SEG_LIVE) {
		rd->x->counters->v[CNT_TCP_DOUBTFUL]++;
		if (h->doubts >= TCP_DOUBTS_MAX)
			rd->skip_holes = true;
	}
	if (!tcp_queue_put(rd, seq, data, fin, kind, kind == TCP_SEG_ASK ? pkt->tsval : pkt->ack)) {
		// No room to wait for the missing bytes: give the hole up, read on in place.
		rd->skip_holes = true;
		rd->late = data;
		rd->late_seq = seq;
		rd->late_fin = fin;
	}
	rd->acked = h->ooo_count >= TCP_ACKED_SEGS && is_acked(rd, h->next_seq + 1);
}

void tcp_reader_init(struct tcp_reader *rd, const struct tcp_ctx *x, struct flow *f, enum dir dir,
		     const struct pkt *pkt, enum tcp_verdict verdict)
{
	struct tcp_half *h = &f->half[dir];
	uint32_t seq = pkt->seq + ((pkt->flags & TCP_SYN) != 0);
	struct span data = pkt->payload;
	int32_t ahead;

	reader_start(rd, x, f, dir);
	if (verdict == TCP_BESIDE) {
		alt_whole(rd, seq, data, CNT_TCP_BESIDE);
		return;
	}
	if ((h->flags & TCP_HALF_SYNCED) == 0) {
		h->next_seq = seq;
		h->flags |= TCP_HALF_SYNCED;
	}
	if ((h->flags & TCP_HALF_FIN_DONE) != 0) {
		after_fin(rd, seq, data);
		return;
	}
	if ((pkt->flags & TCP_URG) != 0 && verdict == TCP_ACCEPT)
		urgent(rd, pkt);
	ahead = tcp_seq_diff(seq, h->next_seq);
	if (ahead < 0) {
		size_t old = (size_t) - (int64_t)ahead;

		h->flags |= TCP_HALF_ODD;
		if (old > data.len || (old == data.len && (pkt->flags & TCP_FIN) == 0)) {
			old_bytes(rd, seq, data, data.len, false);
			return;
		}
		if (verdict != TCP_ACCEPT) { // its old part may be as wrong as the rest
			read_later(rd, pkt, seq, data, TCP_SEG_DOUBT);
			return;
		}
		old_bytes(rd, seq, data, old, false);
		data = span_from(data, old);
		ahead = 0;
	}
	if (verdict != TCP_ACCEPT) {
		read_later(rd, pkt, seq, data, verdict == TCP_ASK ? TCP_SEG_ASK : TCP_SEG_DOUBT);
	} else if (ahead > 0) {
		read_later(rd, pkt, seq, data, TCP_SEG_LIVE);
	} else {
		rd->cur = data;
		rd->cur_fin = (pkt->flags & TCP_FIN) != 0;
	}
}

// ---- what comes next ----

static void skip_hole(struct tcp_reader *rd, uint32_t to_seq)
{
	struct tcp_half *h = rd->half;
	uint32_t gap = to_seq - h->next_seq;

	if ((tcp_peer(rd->f, h)->flags & TCP_HALF_ACK_SEEN) != 0 && !is_acked(rd, to_seq))
		h->flags |= TCP_HALF_UNSURE;
	rd->gap += gap;
	h->next_seq = to_seq;
	h->delivered += gap;
	h->flags |= TCP_HALF_GAP;
	rd->x->counters->v[CNT_TCP_GAPS]++;
	rd->x->counters->v[CNT_TCP_GAP_BYTES] += gap;
	rd->acked = false;
}

static void alt_seg(struct tcp_reader *rd, const struct tcp_seg *s, enum counter anomaly)
{
	uint32_t end = s->seq + s->total;

	tcp_alt_begin(rd, s->seq);
	for (;; s = tcp_seg_at(rd->x, s->more)) {
		tcp_alt_add(rd, span_of(s->data, s->len));
		if (s->more == POOL_NONE)
			break;
	}
	tcp_alt_end(rd, end, anomaly);
}

// The first old bytes of a queued segment were read from another copy.
static void old_seg(struct tcp_reader *rd, const struct tcp_seg *s, size_t old)
{
	enum tcp_same same = TCP_FORGOTTEN;

	if (old > s->total)
		old = s->total;
	rd->x->counters->v[CNT_TCP_DUPLICATE] += old;
	if (s->kind == TCP_SEG_LOSER)
		same = TCP_DIFFERS;
	else if (old <= s->len)
		same = tcp_history_compare(rd->x, rd->half, s->seq, span_of(s->data, old));
	if (same == TCP_FORGOTTEN && old <= s->len)
		same = tcp_marks_compare(rd, s->seq, span_of(s->data, old));
	if (same == TCP_SAME)
		return;
	rd->x->counters->v[CNT_TCP_FORGOTTEN] += same == TCP_FORGOTTEN;
	if (same == TCP_DIFFERS)
		alt_seg(rd, s, CNT_TCP_OVERLAP_DIFF);
	else if (is_forgotten_read(rd))
		alt_seg(rd, s, 0);
}

// Has it shown that the receiver took a doubtful segment?
static bool is_proven(const struct tcp_reader *rd, const struct tcp_seg *s)
{
	const struct tcp_half *peer = tcp_peer(rd->f, rd->half);

	if (is_acked(rd, s->seq + s->total))
		return true;
	// Of a client that is seen alone: it goes on behind the data of its SYN, so that was taken.
	if (s->kind == TCP_SEG_ASK)
		return (peer->flags & TCP_HALF_SYN) == 0 && s->next != POOL_NONE &&
		       tcp_seq_diff(tcp_seg_at(rd->x, s->next)->seq, s->seq + s->total) >= 0;
	return tcp_seq_diff(s->ack, peer->sent_seq) <= 0 &&
	       tcp_seq_diff(s->seq, peer->window_edge) < 0;
}

// Its receiver has acknowledged the place of a segment that acknowledges what was never sent: if another one explains that,
// that one it was.
static bool is_less_likely(const struct tcp_reader *rd, const struct tcp_seg *s)
{
	const struct tcp_half *peer = tcp_peer(rd->f, rd->half);

	if (s->kind != TCP_SEG_DOUBT || tcp_seq_diff(s->ack, peer->sent_seq) <= 0)
		return false;
	for (uint32_t i = s->next; i != POOL_NONE; i = s->next) {
		s = tcp_seg_at(rd->x, i);
		if (tcp_seq_diff(s->seq, rd->half->next_seq) > 0)
			return false;
		if (s->kind == TCP_SEG_ASK && tcp_seq_diff(tcp_seg_end(s), rd->half->next_seq) > 0)
			return true;
	}
	return false;
}

// Data that the server did not take: it acknowledged less.
static bool is_refused(const struct tcp_reader *rd, const struct tcp_seg *s)
{
	return s->kind == TCP_SEG_ASK && (tcp_peer(rd->f, rd->half)->flags & TCP_HALF_SYN) != 0 &&
	       !is_proven(rd, s);
}

// Nobody took it: the receiver has reset the connection and said nothing since.
static bool is_receiver_gone(const struct tcp_reader *rd)
{
	const struct flow *f = rd->f;

	return (f->flags & (rd->half == &f->half[DIR_TO_SERVER] ? FLOW_RESET_1 : FLOW_RESET_0)) !=
	       0;
}

// Read a segment that begins at or before the next byte and ends behind it: its first cell with something new. What is
// behind that cell goes back to the head of the queue.
static void seg_open(struct tcp_reader *rd, struct tcp_seg *s)
{
	struct tcp_half *h = rd->half;
	size_t old = h->next_seq - s->seq;

	if (old > 0)
		old_seg(rd, s, old);
	while (s->more != POOL_NONE) {
		struct tcp_seg *more = tcp_seg_at(rd->x, s->more);

		more->seq = s->seq + s->len;
		more->total = s->total - s->len;
		more->fin = s->fin;
		more->kind = TCP_SEG_LIVE;
		if (old < s->len) {
			more->next = h->ooo_head;
			h->ooo_head = s->more;
			h->ooo_count++;
			for (uint32_t i = more->more; i != POOL_NONE;
			     i = tcp_seg_at(rd->x, i)->more)
				h->ooo_count++;
			rd->x->counters->v[CNT_TCP_OOO_HELD] += more->total;
			s->fin = 0;
			break;
		}
		old -= s->len;
		pool_put(rd->x->cells, s);
		s = more;
	}
	rd->release = pool_index(rd->x->cells, s);
	rd->cur = span_from(span_of(s->data, s->len), old);
	rd->cur_fin = s->fin != 0;
}

// Deal with the segment *link, which begins at or before the next byte. False: it is doubtful still.
static bool seg_due(struct tcp_reader *rd, uint32_t *link)
{
	struct tcp_half *h = rd->half;
	struct tcp_seg *s = tcp_seg_at(rd->x, *link);
	struct counters *c = rd->x->counters;

	if (s->kind == TCP_SEG_LOSER || tcp_seq_diff(tcp_seg_end(s), h->next_seq) <= 0) {
		s = tcp_queue_take(rd, link);
		old_seg(rd, s, s->total);
	} else if (s->kind == TCP_SEG_ASK && rd->skip_holes && is_receiver_gone(rd)) {
		s = tcp_queue_take(rd, link);
		c->v[CNT_TCP_IGNORED] += s->total;
	} else if (s->kind >= TCP_SEG_DOUBT && rd->skip_holes && is_refused(rd, s)) {
		s = tcp_queue_take(rd, link);
		c->v[CNT_TCP_IGNORED] += s->total;
		alt_seg(rd, s, CNT_TCP_BESIDE);
	} else if (s->kind >= TCP_SEG_DOUBT && !rd->skip_holes &&
		   (!is_proven(rd, s) || is_less_likely(rd, s))) {
		return false;
	} else {
		rd->doubtful = s->kind >= TCP_SEG_DOUBT && !is_proven(rd, s);
		if (s->kind == TCP_SEG_ASK && !rd->doubtful && s->ack != 0 &&
		    tcp_seq_diff(h->ts_recent, s->ack) <= 0)
			h->ts_recent = s->ack;
		if (rd->doubtful) // what is behind it is no better
			h->flags |= TCP_HALF_TRUST | TCP_HALF_UNSURE;
		seg_open(rd, tcp_queue_take(rd, link));
		return true;
	}
	tcp_seg_free(rd->x, s);
	return true;
}

// False: what it may take the place of was not read yet.
static bool echo_due(struct tcp_reader *rd, uint32_t *link)
{
	struct tcp_seg *s = tcp_seg_at(rd->x, *link);

	if (!rd->skip_holes && (rd->half->flags & TCP_HALF_FIN_DONE) == 0 &&
	    tcp_seq_diff(tcp_seg_end(s), rd->half->next_seq) > 0)
		return false;
	s = tcp_queue_take(rd, link);
	alt_seg(rd, s, CNT_TCP_OVERLAP_DIFF);
	tcp_seg_free(rd->x, s);
	return true;
}

// What could not be queued, read in place. False: there is nothing.
static bool late_load(struct tcp_reader *rd)
{
	struct span late = rd->late;
	int32_t ahead = tcp_seq_diff(rd->late_seq, rd->half->next_seq);
	bool fin = rd->late_fin;

	if (late.len == 0 && !fin)
		return false;
	rd->late = SPAN_NONE;
	rd->late_fin = false;
	if ((rd->half->flags & TCP_HALF_FIN_DONE) != 0) {
		after_fin(rd, rd->late_seq, late);
		return true;
	}
	if (ahead > 0)
		skip_hole(rd, rd->late_seq);
	if (ahead < 0) {
		size_t old = (size_t) - (int64_t)ahead;

		if (old > late.len) {
			old = late.len;
			fin = false; // overrun by data
		}
		old_bytes(rd, rd->late_seq, late, old, true);
		late = span_from(late, old);
	}
	rd->cur = late;
	rd->cur_fin = fin;
	return true;
}

// Get something in hand: from the queue, else what did not fit into it. False: nothing is left to read.
static bool load(struct tcp_reader *rd)
{
	struct tcp_half *h = rd->half;
	uint32_t *link = &h->ooo_head;

	while (*link != POOL_NONE) {
		struct tcp_seg *s = tcp_seg_at(rd->x, *link);
		int32_t ahead = tcp_seq_diff(s->seq, h->next_seq);

		if (s->kind == TCP_SEG_ECHO) {
			if (echo_due(rd, link))
				return true;
			link = &s->next;
			continue;
		}
		if ((h->flags & TCP_HALF_FIN_DONE) != 0) {
			s = tcp_queue_take(rd, link);
			rd->x->counters->v[CNT_TCP_AFTER_FIN] += s->total;
			if (s->total > 0)
				alt_seg(rd, s, CNT_TCP_BESIDE);
			tcp_seg_free(rd->x, s);
			return true;
		}
		if (ahead <= 0) {
			if (seg_due(rd, link))
				return true;
			link = &s->next;
			continue;
		}
		if (s->kind >= TCP_SEG_DOUBT && !rd->skip_holes) {
			link = &s->next;
			continue;
		}
		if (!rd->skip_holes && !rd->acked)
			return false;
		if ((rd->late.len > 0 || rd->late_fin) && tcp_seq_diff(s->seq, rd->late_seq) > 0)
			break; // what could not be queued comes first
		skip_hole(rd, s->seq);
		link = &h->ooo_head;
	}
	return late_load(rd);
}

// ---- handing out ----

// The bytes in hand up to an urgent one; that one is left out, and the whole of them is another reading. An empty span: it came first.
static struct span urgent_cut(struct tcp_reader *rd)
{
	struct tcp_half *h = rd->half;
	size_t at = h->urg_seq - h->next_seq;

	if (at >= rd->cur.len)
		return rd->cur;
	if (at > 0)
		return span_first(rd->cur, at);
	alt_whole(rd, h->next_seq, rd->cur, CNT_TCP_URGENT);
	h->flags = (uint16_t)((h->flags & ~TCP_HALF_URG) | TCP_HALF_URG_HELD);
	h->urg_seq = rd->cur.data[0];
	h->next_seq++;
	rd->x->counters->v[CNT_TCP_URGENT_BYTES]++;
	rd->cur = span_from(rd->cur, 1);
	return SPAN_NONE;
}

static enum tcp_reading reading_of(struct tcp_reader *rd)
{
	struct tcp_half *h = rd->half;

	if ((h->flags & TCP_HALF_UNSURE) != 0 && is_acked(rd, h->next_seq))
		h->flags &= (uint16_t)~TCP_HALF_UNSURE;
	return (rd->f->flags & FLOW_RST) != 0 || (h->flags & TCP_HALF_UNSURE) != 0 || rd->doubtful
		       ? TCP_DOUBTFUL
		       : TCP_MAIN;
}

static bool cur_next(struct tcp_reader *rd, struct tcp_run *run)
{
	struct tcp_half *h = rd->half;
	struct span data = rd->cur;

	if ((h->flags & TCP_HALF_URG) != 0 && data.len > 0) {
		data = urgent_cut(rd);
		if (data.len == 0)
			return false;
	}
	rd->cur = span_from(rd->cur, data.len);
	run->data = data;
	run->gap_bytes = rd->gap;
	rd->gap = 0;
	if (data.len > 0 && (h->flags & TCP_HALF_ODD) != 0)
		tcp_alt_follow(rd, h->next_seq, data);
	h->next_seq += (uint32_t)data.len;
	h->delivered += data.len;
	rd->x->counters->v[CNT_TCP_DELIVERED] += data.len;
	if (data.len > 0)
		h->flags &= (uint16_t)~TCP_HALF_URG_HELD;
	run->reading = (uint8_t)reading_of(rd);
	if ((rd->f->flags & FLOW_RST) != 0 && data.len > 0)
		run->anomaly = CNT_TCP_AFTER_RST;
	if (rd->cur.len == 0 && rd->cur_fin) {
		rd->cur_fin = false;
		h->fin_seq = h->next_seq;
		h->flags |= TCP_HALF_FIN_SEEN | TCP_HALF_FIN_DONE;
		run->fin = true;
	}
	return true;
}

// An urgent byte that goes back into the stream.
static void inline_next(struct tcp_reader *rd, struct tcp_run *run)
{
	rd->urg_inline = false;
	rd->x->scratch[0] = rd->urg_byte;
	run->data = span_of(rd->x->scratch, 1);
	rd->half->delivered++;
	rd->x->counters->v[CNT_TCP_URGENT_BYTES]--;
	rd->x->counters->v[CNT_TCP_DELIVERED]++;
}

bool tcp_reader_next(struct tcp_reader *rd, struct tcp_run *run)
{
	*run = (struct tcp_run){0};
	for (;;) {
		if (rd->alt.len > 0 || tcp_alt_again(rd) || tcp_alt_followed(rd)) {
			run->data = rd->alt;
			run->reading = TCP_ALT;
			run->context = rd->context;
			run->anomaly = rd->anomaly;
			rd->alt = SPAN_NONE;
			return true;
		}
		if (rd->urg_inline) {
			inline_next(rd, run);
			return true;
		}
		if (rd->cur.len > 0 || rd->cur_fin) {
			if (cur_next(rd, run))
				return true;
			continue;
		}
		if (rd->release != POOL_NONE)
			pool_put(rd->x->cells, pool_at(rd->x->cells, rd->release));
		rd->release = POOL_NONE;
		rd->doubtful = false;
		if (!load(rd)) {
			run->gap_bytes = rd->gap; // nothing of the stream came behind it
			rd->gap = 0;
			return run->gap_bytes > 0;
		}
	}
}

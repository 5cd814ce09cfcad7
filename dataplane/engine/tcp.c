// SPDX-License-Identifier: BSD-2-Clause
// Judges segments as Linux does (tcp_input.c of 6.18, measured with 117 scripts): what a socket would take, what it would throw
// away, and what depends on something that has not been seen.
//
// Sequence numbers are compared as signed differences; stream offsets are 64 bits and never wrap.
//
// Accounting: every payload byte of a tracked flow ends in exactly one of delivered, released, duplicate, out_of_window, ignored,
// old_timestamp, bad_ack, after_fin, urgent, or is held. What is scanned as another reading is counted there besides.
#include "dataplane/engine/tcp_impl.h"

#include <string.h>

enum {
	WSCALE_MAX = 14,
	WINDOW_LEAST = 65535,    // slack: the two directions of a tap are not in step
	WINDOW_UNKNOWN = 4 << 20 // how far ahead data may be while no window was seen
};

// A segment with data that no host takes. Which bytes were meant is for the other reading to show.
static enum tcp_verdict beside(struct counters *c, enum counter bytes, const struct pkt *pkt)
{
	c->v[bytes] += pkt->payload.len;
	return pkt->payload.len > 0 ? TCP_BESIDE : TCP_IGNORE;
}

static bool is_scale_known(const struct tcp_half *h, const struct tcp_half *peer)
{
	return (h->flags & peer->flags & TCP_HALF_SYN) != 0;
}

// A receiver's window as last seen; without both SYNs the scale is unknown and taken as the largest.
static uint32_t window_of(const struct tcp_half *h, const struct tcp_half *peer,
			  const struct pkt *pkt)
{
	if (!is_scale_known(h, peer))
		return (uint32_t)pkt->window << WSCALE_MAX;
	return (h->flags & peer->flags & TCP_HALF_WSCALE) != 0 ? (uint32_t)pkt->window << h->wscale
							       : pkt->window;
}

static void ack_update(struct tcp_half *h, const struct tcp_half *peer, const struct pkt *pkt)
{
	bool syn = (pkt->flags & TCP_SYN) != 0; // its window is not scaled
	uint32_t edge = pkt->ack + (syn ? pkt->window : window_of(h, peer, pkt));

	if (pkt->window > h->window_max && !syn)
		h->window_max = pkt->window;
	if ((h->flags & TCP_HALF_ACK_SEEN) == 0) {
		h->flags |= TCP_HALF_ACK_SEEN;
		h->last_ack = pkt->ack;
		h->window_edge = edge;
		return;
	}
	if (tcp_seq_diff(pkt->ack, h->last_ack) > 0)
		h->last_ack = pkt->ack;
	if (tcp_seq_diff(edge, h->window_edge) > 0)
		h->window_edge = edge;
}

static void sent_update(struct tcp_half *h, uint32_t end)
{
	if ((h->flags & TCP_HALF_SENT) == 0 || tcp_seq_diff(end, h->sent_seq) > 0)
		h->sent_seq = end;
	h->flags |= TCP_HALF_SENT;
}

// ---- handshakes ----

static void half_open(struct tcp_half *h, const struct pkt *pkt)
{
	if (h->delivered == 0 && h->ooo_head == POOL_NONE) {
		h->next_seq = pkt->seq + 1;
		h->flags |= TCP_HALF_SYNCED;
	}
	h->flags |= TCP_HALF_SYN;
	h->flags &= (uint16_t) ~(TCP_HALF_WSCALE | TCP_HALF_TS | TCP_HALF_SACK);
	if ((pkt->options & PKT_HAS_WSCALE) != 0) {
		h->flags |= TCP_HALF_WSCALE;
		h->wscale = pkt->wscale;
	}
	if ((pkt->options & PKT_HAS_TS) != 0) {
		h->flags |= TCP_HALF_TS;
		h->ts_recent = pkt->tsval;
	}
	if ((pkt->options & PKT_HAS_SACK) != 0)
		h->flags |= TCP_HALF_SACK;
	sent_update(h, pkt->seq + 1);
}

static enum tcp_verdict syn_ignored(struct counters *c, const struct pkt *pkt)
{
	c->v[CNT_TCP_SYN_IGNORED]++;
	return beside(c, CNT_TCP_IGNORED, pkt);
}

static enum tcp_verdict track_open(struct flow *f, const struct pkt *pkt, enum dir dir,
				   struct counters *c)
{
	struct tcp_half *h = &f->half[dir], *peer = &f->half[!dir];

	if (f->state == FLOW_CLOSING)
		return TCP_NEW_FLOW;
	// Somebody sent a SYN and ACK first: that does not make him a server, this makes him a client.
	if (f->state == FLOW_NEW && dir == DIR_TO_CLIENT && (h->flags & TCP_HALF_SYN) != 0 &&
	    (f->flags & FLOW_SYN) == 0)
		return TCP_NEW_FLOW;
	if (f->state == FLOW_ESTABLISHED ||
	    ((h->flags & TCP_HALF_SYN) != 0 && pkt->seq + 1 != h->next_seq)) {
		// Linux keeps the first ISN; the answer's ack, or the first data, will tell which one the server took.
		if ((h->flags & TCP_HALF_FIN_SEEN) == 0 && pkt->seq + 1 != h->next_seq) {
			h->fin_seq = pkt->seq + 1;
			h->flags |= TCP_HALF_OTHER_ISN;
		}
		return syn_ignored(c, pkt);
	}
	f->flags |= FLOW_SYN;
	if ((h->flags & TCP_HALF_SYN) == 0)
		half_open(h, pkt);
	if (pkt->payload.len == 0)
		return TCP_IGNORE;
	// TCP fast open: the answer's ack tells whether the server took the data.
	return (peer->flags & TCP_HALF_SYN) == 0 ? TCP_ASK : beside(c, CNT_TCP_IGNORED, pkt);
}

static uint16_t reset_flag(enum dir sender)
{
	return sender == DIR_TO_SERVER ? FLOW_RESET_0 : FLOW_RESET_1;
}

static enum tcp_verdict track_answer(struct flow *f, const struct pkt *pkt, enum dir dir,
				     struct counters *c)
{
	struct tcp_half *h = &f->half[dir], *peer = &f->half[!dir];
	bool again = (h->flags & TCP_HALF_SYN) != 0 &&
		     pkt->seq + 1 == h->next_seq - (uint32_t)h->delivered;

	f->flags &= (uint16_t)~reset_flag(dir); // if there was a reset, another one sent it
	// A client answers only a SYN that crossed its own.
	if (f->state == FLOW_CLOSING || (dir == DIR_TO_SERVER && (peer->flags & TCP_HALF_SYN) == 0))
		return syn_ignored(c, pkt);
	if (f->state == FLOW_ESTABLISHED) {
		// The end of the last connection was not seen: the server answers the SYN of the next one.
		if (!again && dir == DIR_TO_CLIENT && (peer->flags & TCP_HALF_OTHER_ISN) != 0 &&
		    pkt->ack == peer->fin_seq)
			return TCP_NEW_FLOW;
		return syn_ignored(c, pkt);
	}
	f->flags |= FLOW_SYNACK;
	// A client keeps the first answer, and tells by its ack which one that was.
	if ((h->flags & (TCP_HALF_SYN | TCP_HALF_FIN_SEEN)) == TCP_HALF_SYN && !again) {
		h->fin_seq = pkt->seq + 1;
		h->flags |= TCP_HALF_OTHER_ISN;
		return syn_ignored(c, pkt);
	}
	if (peer->delivered == 0 && (peer->ooo_head == POOL_NONE || peer->doubts > 0)) {
		// Which SYN it answers; more than one further, it took data of a SYN.
		if ((peer->flags & TCP_HALF_SYN) == 0 ||
		    ((peer->flags & TCP_HALF_OTHER_ISN) != 0 && pkt->ack == peer->fin_seq))
			peer->next_seq = pkt->ack;
		peer->flags |= TCP_HALF_SYNCED;
		sent_update(peer, pkt->ack);
	}
	half_open(h, pkt);
	ack_update(h, peer, pkt);
	return beside(c, CNT_TCP_IGNORED, pkt);
}

static enum tcp_verdict track_syn(struct flow *f, const struct pkt *pkt, enum dir dir,
				  struct counters *c)
{
	if ((pkt->flags & (TCP_FIN | TCP_RST)) != 0 || (pkt->options & PKT_HAS_MD5) != 0)
		return syn_ignored(c, pkt);
	return (pkt->flags & TCP_ACK) == 0 ? track_open(f, pkt, dir, c)
					   : track_answer(f, pkt, dir, c);
}

// ---- resets ----

static bool rst_obeyed(const struct flow *f, const struct pkt *pkt, enum dir dir, bool at_sack_edge)
{
	const struct tcp_half *h = &f->half[dir], *peer = &f->half[!dir];
	uint32_t fin = (h->flags & TCP_HALF_FIN_DONE) != 0;

	if ((pkt->options & PKT_HAS_MD5) != 0)
		return false;
	// A refused connection: RST and ACK to a SYN, from a side that sent nothing yet.
	if (f->state == FLOW_NEW && dir == DIR_TO_CLIENT && (pkt->flags & TCP_ACK) != 0 &&
	    (h->flags & TCP_HALF_SYN) == 0)
		return (peer->flags & TCP_HALF_SYNCED) == 0 || pkt->ack == peer->next_seq ||
		       pkt->ack == peer->sent_seq;
	if ((h->flags & TCP_HALF_SYNCED) == 0)
		return false;
	return pkt->seq == h->next_seq || pkt->seq == h->next_seq + fin || at_sack_edge;
}

// The end of the last block that the receiver has reported as received out of order: Linux obeys a reset there, too.
static bool is_sack_edge(const struct tcp_ctx *x, const struct tcp_half *h, uint32_t seq)
{
	bool found = false;
	uint32_t edge = 0;

	for (uint32_t i = h->ooo_head; i != POOL_NONE;) {
		const struct tcp_seg *s = tcp_seg_at(x, i);

		if (s->kind <= TCP_SEG_LOSER &&
		    (!found || tcp_seq_diff(tcp_seg_end(s), edge) > 0)) {
			edge = tcp_seg_end(s);
			found = true;
		}
		i = s->next;
	}
	return found && seq == edge;
}

static enum tcp_verdict track_rst(const struct tcp_ctx *x, struct flow *f, const struct pkt *pkt,
				  enum dir dir)
{
	const struct tcp_half *h = &f->half[dir];
	bool sack = (h->flags & f->half[!dir].flags & TCP_HALF_SACK) != 0 &&
		    is_sack_edge(x, h, pkt->seq);
	struct counters *c = x->counters;

	if (!rst_obeyed(f, pkt, dir, sack)) {
		c->v[CNT_TCP_RST_IGNORED]++;
		return beside(c, CNT_TCP_IGNORED, pkt);
	}
	f->state = FLOW_CLOSING; // shortens the timeout; inspection goes on for what still comes
	f->flags |= FLOW_RST | reset_flag(dir);
	return beside(c, CNT_TCP_IGNORED, pkt);
}

// ---- everything else ----

// PAWS: is the timestamp older than the last one? Only with timestamps in use, as both SYNs say.
static bool is_old(const struct tcp_half *h, const struct tcp_half *peer, const struct pkt *pkt)
{
	return (h->flags & peer->flags & TCP_HALF_TS) != 0 && (pkt->options & PKT_HAS_TS) != 0 &&
	       tcp_seq_diff(h->ts_recent, pkt->tsval) > 1 && h->ts_recent != 0;
}

static void ts_update(struct tcp_half *h, const struct tcp_half *peer, const struct pkt *pkt)
{
	uint32_t acked = (peer->flags & TCP_HALF_ACK_SEEN) != 0 ? peer->last_ack : h->next_seq;

	if ((pkt->options & PKT_HAS_TS) != 0 && tcp_seq_diff(pkt->seq, acked) <= 0 &&
	    tcp_seq_diff(h->ts_recent, pkt->tsval) <= 0)
		h->ts_recent = pkt->tsval;
}

enum place {
	PLACE_INSIDE,
	PLACE_UNCLEAR, // beyond the window as last seen, but not by more than another one
	PLACE_OUTSIDE,
};

// Is the segment's start inside the window its receiver advertised? Linux takes a segment that starts inside whole,
// even if it ends beyond.
static enum place place_of(const struct tcp_half *h, const struct tcp_half *peer, uint32_t seq)
{
	int32_t window, ahead;

	if ((h->flags & TCP_HALF_SYNCED) == 0 || tcp_seq_diff(seq, h->next_seq) < 0)
		return PLACE_INSIDE;
	if ((peer->flags & TCP_HALF_ACK_SEEN) == 0)
		return tcp_seq_diff(seq, h->next_seq) > WINDOW_UNKNOWN ? PLACE_OUTSIDE
								       : PLACE_INSIDE;
	ahead = tcp_seq_diff(seq, peer->window_edge);
	if (ahead < 0)
		return PLACE_INSIDE;
	window = tcp_seq_diff(peer->window_edge, peer->last_ack);
	if (window < WINDOW_LEAST)
		window = WINDOW_LEAST;
	return ahead <= window || seq == h->next_seq ? PLACE_UNCLEAR : PLACE_OUTSIDE;
}

// An ack older than anything this side can still have in flight: further back than what was acknowledged so far, or the largest
// window. Only of connections seen from their beginning.
static bool is_ack_too_old(const struct tcp_half *h, const struct tcp_half *peer, uint32_t ack)
{
	int32_t behind = tcp_seq_diff(h->last_ack, ack);
	uint32_t most, acked;

	if (behind <= 0 || !is_scale_known(h, peer))
		return false;
	most = (uint32_t)h->window_max
	       << ((h->flags & peer->flags & TCP_HALF_WSCALE) != 0 ? h->wscale : 0);
	if (peer->delivered < INT32_MAX) {
		acked = h->last_ack - (peer->next_seq - (uint32_t)peer->delivered);
		if (acked < most)
			most = acked;
	}
	return (uint32_t)behind > most;
}

// One side only was captured and had two SYNs: the first data tells which one counted.
static void isn_choose(struct flow *f, struct tcp_half *h, const struct pkt *pkt)
{
	if ((h->flags & (TCP_HALF_OTHER_ISN | TCP_HALF_FIN_SEEN)) == TCP_HALF_OTHER_ISN &&
	    (f->flags & FLOW_SYNACK) == 0 && h->delivered == 0 && h->ooo_head == POOL_NONE &&
	    pkt->seq == h->fin_seq)
		h->next_seq = h->fin_seq;
}

// A server had two answers to a SYN: the client acknowledges the one that counts.
static void isn_acked(struct tcp_half *server, const struct pkt *pkt)
{
	if ((server->flags & (TCP_HALF_OTHER_ISN | TCP_HALF_FIN_SEEN)) != TCP_HALF_OTHER_ISN ||
	    server->delivered > 0 || server->ooo_head != POOL_NONE || pkt->ack != server->fin_seq)
		return;
	server->next_seq = server->sent_seq = pkt->ack;
	server->flags &= (uint16_t)~TCP_HALF_OTHER_ISN;
}

static enum tcp_verdict track_data(struct flow *f, const struct pkt *pkt, enum dir dir,
				   struct counters *c)
{
	struct tcp_half *h = &f->half[dir], *peer = &f->half[!dir];
	uint32_t end = pkt->seq + (uint32_t)pkt->payload.len + ((pkt->flags & TCP_FIN) != 0);
	enum tcp_verdict verdict = TCP_ACCEPT;
	enum place place;

	// A FIN alone does not say where a stream is.
	if ((h->flags & TCP_HALF_SYNCED) == 0 && pkt->payload.len == 0)
		return TCP_IGNORE;
	if (is_old(h, peer, pkt))
		return beside(c, CNT_TCP_OLD_TS, pkt);
	if ((h->flags & TCP_HALF_OTHER_ISN) != 0)
		isn_choose(f, h, pkt);
	if ((peer->flags & TCP_HALF_OTHER_ISN) != 0 && dir == DIR_TO_SERVER)
		isn_acked(peer, pkt);
	// Linux does not look further at what ends before what it has acknowledged.
	if ((peer->flags & TCP_HALF_ACK_SEEN) != 0 && tcp_seq_diff(end, peer->last_ack) < 0)
		return tcp_seq_diff(pkt->seq, h->next_seq) < 0
			       ? TCP_ACCEPT
			       : beside(c, CNT_TCP_OUT_OF_WINDOW, pkt); // half the space away
	place = place_of(h, peer, pkt->seq);
	if (place == PLACE_OUTSIDE)
		return beside(c, CNT_TCP_OUT_OF_WINDOW, pkt);
	if ((h->flags & TCP_HALF_ACK_SEEN) != 0 && is_ack_too_old(h, peer, pkt->ack)) {
		// On its short way Linux looks at the ack too late to refuse the data.
		if (pkt->seq != h->next_seq || h->delivered == 0)
			return beside(c, CNT_TCP_BAD_ACK, pkt);
		sent_update(h, end);
		return TCP_ASK;
	}
	if ((peer->flags & TCP_HALF_SENT) != 0 && tcp_seq_diff(pkt->ack, peer->sent_seq) > 0 &&
	    (h->flags & TCP_HALF_TRUST) == 0)
		verdict = TCP_DOUBT;
	else
		ack_update(h, peer, pkt);
	if (place == PLACE_UNCLEAR && (h->flags & TCP_HALF_TRUST) == 0)
		verdict = TCP_DOUBT;
	sent_update(h, end);
	if (verdict == TCP_ACCEPT && (h->flags & TCP_HALF_TS) != 0)
		ts_update(h, peer, pkt);
	return verdict;
}

// The short way of most segments: an open connection, in order, inside the window, a new acknowledgement of something that was sent.
// It does what track_data() would do. False, and nothing is changed: go the long way.
static inline bool track_plain(const struct flow *f, const struct pkt *pkt, struct tcp_half *h,
			       struct tcp_half *peer)
{
	enum {
		SEEN = TCP_HALF_SYNCED | TCP_HALF_ACK_SEEN | TCP_HALF_SENT,
	};
	uint32_t edge, end = pkt->seq + (uint32_t)pkt->payload.len;
	bool ts = (h->flags & peer->flags & TCP_HALF_TS) != 0 && (pkt->options & PKT_HAS_TS) != 0;

	if (f->state != FLOW_ESTABLISHED || (h->flags & peer->flags & SEEN) != SEEN ||
	    (pkt->flags & (TCP_SYN | TCP_RST | TCP_ACK | TCP_FIN)) != TCP_ACK ||
	    (pkt->options & PKT_HAS_MD5) != 0 || pkt->seq != h->next_seq ||
	    tcp_seq_diff(peer->window_edge, pkt->seq) <= 0 ||
	    tcp_seq_diff(peer->sent_seq, pkt->ack) < 0 || tcp_seq_diff(pkt->ack, h->last_ack) < 0 ||
	    (ts && tcp_seq_diff(h->ts_recent, pkt->tsval) > 0))
		return false;
	if (ts && tcp_seq_diff(pkt->seq, peer->last_ack) <= 0)
		h->ts_recent = pkt->tsval;
	h->last_ack = pkt->ack;
	if (pkt->window > h->window_max)
		h->window_max = pkt->window;
	edge = pkt->ack + window_of(h, peer, pkt);
	if (tcp_seq_diff(edge, h->window_edge) > 0)
		h->window_edge = edge;
	if (tcp_seq_diff(end, h->sent_seq) > 0)
		h->sent_seq = end;
	return true;
}

enum tcp_verdict tcp_track(const struct tcp_ctx *x, struct flow *f, const struct pkt *pkt,
			   enum dir dir)
{
	struct counters *c = x->counters;
	enum tcp_verdict verdict;

	f->flags |= dir == DIR_TO_SERVER ? FLOW_SEEN_0 : FLOW_SEEN_1;
	if (track_plain(f, pkt, &f->half[dir], &f->half[!dir]))
		return pkt->payload.len > 0 ? TCP_ACCEPT : TCP_IGNORE;
	if ((pkt->flags & TCP_SYN) != 0)
		return track_syn(f, pkt, dir, c);
	if ((pkt->flags & TCP_RST) != 0)
		return track_rst(x, f, pkt, dir);
	if ((pkt->flags & TCP_ACK) == 0 || (pkt->options & PKT_HAS_MD5) != 0)
		return beside(c, CNT_TCP_IGNORED, pkt);
	verdict = track_data(f, pkt, dir, c);
	if ((f->flags & FLOW_RST) != 0 && verdict <= TCP_ASK) {
		f->flags &= (uint16_t)~reset_flag(dir); // another one may have sent the reset
		if ((f->flags & reset_flag(!dir)) != 0)
			verdict = TCP_ASK;
	}
	if (f->state == FLOW_NEW && verdict == TCP_ACCEPT &&
	    (pkt->payload.len > 0 || (f->flags & FLOW_MIDSTREAM) != 0 ||
	     (f->flags & (FLOW_SYN | FLOW_SYNACK)) == (FLOW_SYN | FLOW_SYNACK)))
		f->state = FLOW_ESTABLISHED;
	if (pkt->payload.len == 0 && (pkt->flags & TCP_FIN) == 0)
		return TCP_IGNORE;
	return verdict;
}

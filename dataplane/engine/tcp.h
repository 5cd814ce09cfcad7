// SPDX-License-Identifier: BSD-2-Clause
// TCP tracking and reassembly with Linux's semantics (the protected servers run Linux).
//
// tcp_track() judges a segment, tcp_reader_*() hands out what became readable:
//   - bytes in order are handed out in place, in the frame
//   - bytes out of order are copied into 2 KiB cells; overlapping copies resolve as in Linux's out-of-order queue:
//     the lower start wins, at the same start the longer later one, and a later one replaces what it covers wholly;
//     one that begins where another ends is joined to it, and they are one from then on
//   - bytes in order win over queued ones; bytes handed out are final
//   - what a host takes or not depending on something not seen yet (an acknowledgement, a window) waits until it shows
//   - a hole is skipped when the queue is full, when the receiver has acknowledged it and 32 cells wait behind it,
//     or when the flow ends; the run says how many bytes are missing
//   - the copy that loses, and what Linux does not take at all, is handed out as another reading of the stream, between
//     the bytes that were read before and behind it
#ifndef ENGINE_TCP_H
#define ENGINE_TCP_H

#include "dataplane/engine/flow.h"

enum {
	TCP_SEG_BYTES = 2048,
	TCP_SEG_DATA = TCP_SEG_BYTES - 24,
	TCP_OOO_SEGS_MAX =
		256, // cells per direction, 512 KiB at most: bounds the walk of an insert (SegmentSmack)
	TCP_ACKED_SEGS = 32, // wait for so many cells behind an acknowledged hole: captures reorder
	TCP_DOUBTS_MAX = 16, // per direction
	TCP_HISTORY_BYTES = 6464,
	TCP_CONTEXT = 512,    // bytes around another reading
	TCP_READINGS_MAX = 8, // of one copy: from its start, and from other places in it
	TCP_SCRATCH_BYTES = 65536 + 2 * TCP_CONTEXT + 64,
};

// A segment is a chain of cells; the first one stands in the queue.
struct tcp_seg {
	uint32_t next; // pool index of the next segment or POOL_NONE, ascending seq
	uint32_t more; // the rest of this segment, or POOL_NONE
	uint32_t seq;
	uint32_t ack;   // TCP_SEG_DOUBT: what it acknowledged; TCP_SEG_ASK: its timestamp
	uint32_t total; // bytes from here to the segment's end
	uint16_t len;   // bytes in this cell
	uint8_t kind;   // enum tcp_seg_kind
	uint8_t fin; // the sender's FIN follows the segment; more than one if Linux joined what stood behind an early one
	uint8_t data[TCP_SEG_DATA];
};
_Static_assert(sizeof(struct tcp_seg) == TCP_SEG_BYTES, "");

enum tcp_seg_kind {
	TCP_SEG_LIVE,
	TCP_SEG_LOSER, // differs from a live one that covers it: another reading, once that was read
	TCP_SEG_ECHO, // a live one once more, without the place of the FIN before it: another reading. Not counted
	TCP_SEG_DOUBT, // live when the receiver acknowledges it, or its own ack or place turns out right
	TCP_SEG_ASK, // only when the receiver acknowledges it: data in a SYN, or with an old ack
};

// What the pipeline lends to TCP.
struct tcp_ctx {
	struct pool *cells;     // TCP_SEG_BYTES
	struct pool *histories; // TCP_HISTORY_BYTES
	struct counters *counters;
	uint8_t *scratch; // TCP_SCRATCH_BYTES: another reading is put together here
	uint64_t hash_key;
};

enum tcp_verdict {
	TCP_ACCEPT,   // read it
	TCP_DOUBT,    // read it when it shows that the host did, or could
	TCP_ASK,      // read it when the host has acknowledged it
	TCP_BESIDE,   // the host does not take it: another reading; counted
	TCP_IGNORE,   // nothing to read
	TCP_NEW_FLOW, // it belongs to another connection: close this flow, start another
};

// Update state, windows and acks of f from pkt, sent in direction dir.
enum tcp_verdict tcp_track(const struct tcp_ctx *x, struct flow *f, const struct pkt *pkt,
			   enum dir dir);

enum tcp_reading {
	TCP_MAIN,     // what Linux reads
	TCP_DOUBTFUL, // goes on in the stream, though Linux may not have read it
	TCP_ALT,      // another reading, beside the stream
};

// What became readable. data is valid until the next call with the same reader.
struct tcp_run {
	struct span data;     // may be empty
	uint64_t gap_bytes;   // missing before data
	bool fin;             // the stream ends after data
	uint8_t reading;      // enum tcp_reading
	uint16_t context;     // TCP_ALT: bytes of data that were handed out before
	enum counter anomaly; // what to say about it; 0: nothing
};

struct tcp_reader {
	const struct tcp_ctx *x;
	struct flow *f;
	struct tcp_half *half;
	struct span cur;  // being read; not counted yet
	struct span late; // in place, but behind the queue
	struct span alt;
	uint64_t gap;
	uint32_t late_seq;
	uint32_t release;            // cell of cur, or POOL_NONE
	uint32_t copy_seq, copy_end; // of what differs in alt
	uint32_t copy_from;          // where to read it from next
	uint32_t alt_at, alt_stop;   // alt in the scratch buffer
	uint32_t follow_seq;         // behind alt, or of follow
	struct span follow;          // what comes behind other readings
	uint8_t followed;            // other readings that it was looked at for
	uint8_t rereads;             // how often it may be read again
	uint8_t others_read;         // behind which other readings it was read: a bit each
	enum counter anomaly;        // of alt
	uint16_t context;
	bool is_rest_read; // what of the copy was not read yet goes on in the stream
	bool cur_fin, late_fin, skip_holes, acked, doubtful, urg_inline;
	uint8_t urg_byte;
};

// verdict: of tcp_track(), TCP_ACCEPT to TCP_BESIDE. Copies what is out of order.
void tcp_reader_init(struct tcp_reader *rd, const struct tcp_ctx *x, struct flow *f, enum dir dir,
		     const struct pkt *pkt, enum tcp_verdict verdict);

// Does a segment begin with bytes that were read before? The byte of a keep-alive probe is none.
static inline bool tcp_is_again(const struct tcp_half *h, const struct pkt *pkt)
{
	return (h->flags & TCP_HALF_SYNCED) != 0 && pkt->payload.len > 1 &&
	       (int32_t)(pkt->seq - h->next_seq) < 0;
}

// The short way of most segments: in order, nothing waits, nothing odd has happened. True and the run, or false: use a reader.
static inline bool tcp_read_plain(struct flow *f, enum dir dir, const struct pkt *pkt,
				  enum tcp_verdict verdict, struct counters *counters,
				  struct tcp_run *ret_run)
{
	enum {
		ODD = TCP_HALF_FIN_DONE | TCP_HALF_ODD | TCP_HALF_UNSURE | TCP_HALF_URG |
		      TCP_HALF_URG_HELD,
	};
	struct tcp_half *h = &f->half[dir];

	if (verdict != TCP_ACCEPT || pkt->seq != h->next_seq ||
	    (h->flags & (TCP_HALF_SYNCED | ODD)) != TCP_HALF_SYNCED || h->ooo_head != POOL_NONE ||
	    (pkt->flags & (TCP_FIN | TCP_URG)) != 0 || (f->flags & FLOW_RST) != 0)
		return false;
	*ret_run = (struct tcp_run){.data = pkt->payload};
	h->next_seq += (uint32_t)pkt->payload.len;
	h->delivered += pkt->payload.len;
	counters->v[CNT_TCP_DELIVERED] += pkt->payload.len;
	return true;
}

// Something was learned from the other side: what waited for it becomes readable. Cheap to skip: only useful with
// half[dir].doubts > 0.
void tcp_reader_poll(struct tcp_reader *rd, const struct tcp_ctx *x, struct flow *f, enum dir dir);

// Flow ends: everything queued becomes readable, holes skipped.
void tcp_reader_flush(struct tcp_reader *rd, const struct tcp_ctx *x, struct flow *f, enum dir dir);

// True and *ret_run, or false: all read (the reader holds nothing then).
bool tcp_reader_next(struct tcp_reader *rd, struct tcp_run *ret_run);

// Remember a run that was inspected, until it is acknowledged, so that another copy of it can be told from the same one: the bytes
// themselves of what clients send, and of what servers send once a segment was out of order or repeated; of servers' clean
// streams only marks.
static inline bool tcp_history_wanted(const struct tcp_half *h, enum dir dir)
{
	return dir == DIR_TO_SERVER || (h->flags & TCP_HALF_ODD) != 0;
}
void tcp_history_add(const struct tcp_ctx *x, struct tcp_half *h, const struct tcp_half *peer,
		     struct span data);
void tcp_marks_add(const struct tcp_ctx *x, struct flow *f, struct span data);

static inline void tcp_remember(const struct tcp_ctx *x, struct flow *f, enum dir dir,
				struct span data)
{
	if (tcp_history_wanted(&f->half[dir], dir))
		tcp_history_add(x, &f->half[dir], &f->half[!dir], data);
	else
		tcp_marks_add(x, f, data);
}

// The other side has sent something: forget what it has acknowledged, if that is all.
void tcp_history_acked(const struct tcp_ctx *x, struct tcp_half *h, const struct tcp_half *peer);

// Free the queue and the history of a direction without reading them. Returns the bytes that were queued.
uint32_t tcp_half_drop(const struct tcp_ctx *x, struct tcp_half *h);
// Only what was remembered of the bytes that were read: nobody takes another copy of them any more.
void tcp_history_drop(const struct tcp_ctx *x, struct tcp_half *h);

#endif

// SPDX-License-Identifier: BSD-2-Clause
// TCP tracking and reassembly with Linux's semantics (the protected servers run Linux).
//
// tcp_track() judges a segment, tcp_reader_*() hands out what became readable in order:
//   - bytes in order are handed out in place, in the frame
//   - bytes out of order are copied into 2 KiB cells; overlapping copies resolve as in Linux's out-of-order queue:
//     the lower start wins, at the same start the longer later one, and a later one replaces what it covers wholly
//   - bytes in order win over queued ones; bytes handed out are final
//   - a hole is skipped when the queue is full, when the receiver has acknowledged it and 32 segments wait behind it,
//     or when the flow ends; the run says how many bytes are missing
#ifndef ENGINE_TCP_H
#define ENGINE_TCP_H

#include "dataplane/engine/flow.h"

enum {
	TCP_SEG_BYTES = 2048,
	TCP_SEG_DATA = TCP_SEG_BYTES - 12,
	TCP_OOO_SEGS_MAX =
		256, // per direction, 512 KiB at most: bounds the walk of an insert (SegmentSmack)
	TCP_ACKED_SEGS =
		32, // wait for so many segments behind an acknowledged hole: captures reorder
};

struct tcp_seg {
	uint32_t next; // pool index or POOL_NONE, ascending seq
	uint32_t seq;
	uint16_t len;
	uint16_t fin; // the sender's FIN follows the data
	uint8_t data[TCP_SEG_DATA];
};
_Static_assert(sizeof(struct tcp_seg) == TCP_SEG_BYTES, "");

enum tcp_verdict {
	TCP_ACCEPT,   // read it
	TCP_IGNORE,   // the host does not take it; counted
	TCP_NEW_FLOW, // a SYN on a closed connection: close this flow, start another
};

// Update state, windows and acks of f from pkt, sent in direction dir.
enum tcp_verdict tcp_track(struct flow *f, const struct pkt *pkt, enum dir dir,
			   struct counters *counters);

// What became readable. data is valid until the next call with the same reader.
struct tcp_run {
	struct span data;   // may be empty
	uint64_t gap_bytes; // missing before data
	bool fin;           // the stream ends after data
};

struct tcp_reader {
	struct tcp_half *half;
	struct pool *pool;
	struct counters *counters;
	struct span now;  // readable in place
	struct span late; // in place, but behind the queue
	uint32_t late_seq;
	uint32_t release; // cell handed out last
	bool now_fin, late_fin, skip_holes, acked;
};

// pkt must have been accepted. Copies what is out of order.
void tcp_reader_init(struct tcp_reader *rd, struct flow *f, enum dir dir, struct pool *pool,
		     const struct pkt *pkt, struct counters *counters);

// Flow ends: everything queued becomes readable, holes skipped.
void tcp_reader_flush(struct tcp_reader *rd, struct flow *f, enum dir dir, struct pool *pool,
		      struct counters *counters);

// True and *ret_run, or false: all read (the reader holds nothing then).
bool tcp_reader_next(struct tcp_reader *rd, struct tcp_run *ret_run);

// Free the queue of a direction without reading it. Returns the bytes that were held.
uint32_t tcp_half_drop(struct tcp_half *h, struct pool *pool, struct counters *counters);

#endif

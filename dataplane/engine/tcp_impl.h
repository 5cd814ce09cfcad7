// SPDX-License-Identifier: BSD-2-Clause
// Private to tcp*.c.
//
//   tcp.c           judges segments: state, acknowledgements, windows, timestamps
//   tcp_reader.c    hands out what is readable, in order
//   tcp_queue.c     what is out of order: Linux's overlap rule
//   tcp_history.c   the last bytes read, and other readings of them
#ifndef ENGINE_TCP_IMPL_H
#define ENGINE_TCP_IMPL_H

#include "dataplane/engine/tcp.h"

static inline int32_t tcp_seq_diff(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b);
}

// As Linux counts: the FIN takes a sequence number.
static inline uint32_t tcp_seg_end(const struct tcp_seg *s)
{
	return s->seq + s->total + s->fin;
}

static inline struct tcp_half *tcp_peer(struct flow *f, const struct tcp_half *h)
{
	return &f->half[h == &f->half[0]];
}

static inline struct tcp_seg *tcp_seg_at(const struct tcp_ctx *x, uint32_t index)
{
	return pool_at(x->cells, index);
}

// Queue a segment. False: no room, nothing was queued. A copy that is no different from what is queued is counted and
// forgotten; one that loses waits to be read as another reading, or is one at once (rd->alt) without room.
bool tcp_queue_put(struct tcp_reader *rd, uint32_t seq, struct span data, bool fin,
		   enum tcp_seg_kind kind, uint32_t ack);

// Take the segment *link out of the queue, cells and all; it is counted as queued no longer.
struct tcp_seg *tcp_queue_take(struct tcp_reader *rd, uint32_t *link);

// Give all its cells back.
void tcp_seg_free(const struct tcp_ctx *x, struct tcp_seg *s);

// What is known of another copy of bytes that were read.
enum tcp_same {
	TCP_SAME,
	TCP_DIFFERS,
	TCP_FORGOTTEN,
};

enum tcp_same tcp_history_compare(const struct tcp_ctx *x, const struct tcp_half *h, uint32_t seq,
				  struct span data);

// The same of bytes that the history has forgotten.
enum tcp_same tcp_marks_compare(const struct tcp_reader *rd, uint32_t seq, struct span data);

// Put another reading together in rd->alt: begin with where the copy starts, add its bytes, end.
void tcp_alt_begin(struct tcp_reader *rd, uint32_t seq);
void tcp_alt_add(struct tcp_reader *rd, struct span copy);
void tcp_alt_end(struct tcp_reader *rd, uint32_t end_seq, enum counter anomaly);

// When that was handed out: the same copy, read from another place in it. False: no more, rd->alt is empty.
bool tcp_alt_again(struct tcp_reader *rd);

// What comes next in the stream: if other readings have ended there, they go on with it. One after the other; false: no more.
void tcp_alt_follow(struct tcp_reader *rd, uint32_t seq, struct span data);
bool tcp_alt_followed(struct tcp_reader *rd);

#endif

// SPDX-License-Identifier: BSD-2-Clause
// Hits of one worker between its ring and the moment control has stored them.
//
//            acked by control   sent, not acked     not sent      free
//   seq ...|..................|##################|##############|........
//                             ^ tail             ^ sent         ^ head
//
// Main lcore only. No DPDK here.
#ifndef DATAPLANE_SPOOL_H
#define DATAPLANE_SPOOL_H

#include <stdbool.h>
#include <stdint.h>

#include "common/ipc.h"
#include "dataplane/engine/ring.h"

struct spool {
	struct hit *hits;
	uint64_t mask;
	uint64_t tail, sent, head;      // positions, never wrapped
	uint64_t last_seq;              // of the newest hit taken
	uint64_t acked_seq;             // of the newest hit popped
	uint64_t lost;                  // seq numbers that never came
	uint64_t lost_first, lost_last; // the newest gap
};

// capacity is rounded up to a power of two. 0 or -ENOMEM.
int spool_init(struct spool *s, uint64_t capacity);
void spool_done(struct spool *s);

// Move hits from the worker's ring while there is room. Returns how many. A hit whose seq does not follow the one
// before it tells of a loss. With a full spool the ring fills next, and then the worker counts what it loses.
uint64_t spool_take(struct spool *s, struct ring *ring);

// The next batch to send: consecutive hits, at most IPC_HITS_MAX, never across a gap, so that the batch after a gap
// names it. ret_hits points into the spool. Returns the number, 0 if everything was sent.
uint32_t spool_batch(const struct spool *s, struct ipc_hits *ret_head, const struct hit **ret_hits);
void spool_sent(struct spool *s, uint32_t n);

// Control has stored everything up to seq. -EPROTO: that was never sent.
int spool_ack(struct spool *s, uint64_t seq);

// A new peer: what is not acknowledged is to be sent again.
static inline void spool_rewind(struct spool *s)
{
	s->sent = s->tail;
}

static inline uint64_t spool_unacked(const struct spool *s)
{
	return s->head - s->tail;
}

static inline uint64_t spool_unsent(const struct spool *s)
{
	return s->head - s->sent;
}

#endif

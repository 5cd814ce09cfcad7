// SPDX-License-Identifier: BSD-2-Clause
// How the flows come to the workers when there are several.
//
// By the queues of the ports: the card's or the kernel's hash puts both directions of a flow in queues of one number,
// and the worker of that number reads them. It is believed and watched: the SYN of a flow leaves a mark of who received
// it, and the SYN+ACK is counted when another worker finds it. When that is more than chance, and from the start where
// there is no such hash, the workers distribute by themselves: whoever receives a frame puts it into the inbox of the
// worker that a hash of its flow gives.
#ifndef DATAPLANE_SPREAD_H
#define DATAPLANE_SPREAD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum {
	SPREAD_MARKS = 1 << 16, // flows that are between SYN and SYN+ACK, and to spare
	SPREAD_APART_MIN = 16,
};

enum spread_seen {
	SPREAD_NOTHING,  // no SYN+ACK, or the SYN to it was not seen
	SPREAD_TOGETHER, // its SYN came to the same worker
	SPREAD_APART,
};

struct spread {
	uint32_t workers;
	uint64_t key[2]; // of pipeline_frame_hash()
	_Atomic bool
		software; // main / workers / relaxed: any burst may be the first of the new way
	_Atomic uint32_t *
		marks; // workers / workers / relaxed: one word each, a lost one is an unwatched flow
};

// software: the workers distribute from the start. 0 or -ENOMEM; spread_done() frees.
int spread_init(struct spread *s, uint32_t workers, const uint64_t key[2], bool software);
void spread_done(struct spread *s);

static inline bool spread_is_software(const struct spread *s)
{
	return atomic_load_explicit(&s->software, memory_order_relaxed);
}

// A frame that a worker has received by a queue of its own.
enum spread_seen spread_see(struct spread *s, uint32_t worker, const uint8_t *data, uint32_t len);

// Whose flow is it, by its pipeline_frame_hash()? What self has received, of a flow whose SYN nobody saw, is its own.
uint32_t spread_owner(const struct spread *s, uint32_t frame_hash, uint32_t self);

// Main, now and then: the sums of what spread_see() said. True: more flows came apart than a card should let happen, and
// from now on the workers distribute.
bool spread_judge(struct spread *s, uint64_t together, uint64_t apart);

#endif

// SPDX-License-Identifier: BSD-2-Clause
// A ring buffer of hits with three positions: stored by control (tail), sent (sent), taken from the worker (head).
//
// Invariants: tail <= sent <= head <= tail + capacity; seq ascends from tail to head.
#include "dataplane/spool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int spool_init(struct spool *s, uint64_t capacity)
{
	uint64_t slots = 1;

	while (slots < capacity)
		slots *= 2;
	memset(s, 0, sizeof(*s));
	s->hits = calloc(slots, sizeof(*s->hits));
	if (s->hits == NULL)
		return -ENOMEM;
	s->mask = slots - 1;
	return 0;
}

void spool_done(struct spool *s)
{
	free(s->hits);
	s->hits = NULL;
}

static struct hit *at(const struct spool *s, uint64_t position)
{
	return &s->hits[position & s->mask];
}

uint64_t spool_take(struct spool *s, struct ring *ring)
{
	uint64_t waiting = ring_count(ring), room = s->mask + 1 - (s->head - s->tail);
	uint64_t n = waiting < room ? waiting : room;

	for (uint64_t i = 0; i < n; i++) {
		const struct hit *hit = ring_peek(ring, i);

		if (hit->seq > s->last_seq + 1) {
			s->lost_first = s->last_seq + 1;
			s->lost_last = hit->seq - 1;
			s->lost += hit->seq - 1 - s->last_seq;
		}
		s->last_seq = hit->seq;
		*at(s, s->head + i) = *hit;
	}
	ring_pop(ring, n);
	s->head += n;
	return n;
}

uint32_t spool_batch(const struct spool *s, struct ipc_hits *ret_head, const struct hit **ret_hits)
{
	uint64_t before = s->sent == s->tail ? s->acked_seq : at(s, s->sent - 1)->seq;
	uint32_t n = 0;

	if (s->sent == s->head)
		return 0;
	const struct hit *first = at(s, s->sent);

	ret_head->lost = s->lost;
	ret_head->lost_first = s->lost_first;
	ret_head->lost_last = s->lost_last;
	if (first->seq != before + 1) {
		ret_head->lost_first = before + 1;
		ret_head->lost_last = first->seq - 1;
	}
	// The buffer's end ends the batch as well: hits are handed out as one array.
	do
		n++;
	while (n < IPC_HITS_MAX && s->sent + n < s->head && ((s->sent + n) & s->mask) != 0 &&
	       first[n].seq == first[n - 1].seq + 1);
	ret_head->n = n;
	*ret_hits = first;
	return n;
}

void spool_sent(struct spool *s, uint32_t n)
{
	s->sent += n;
}

int spool_ack(struct spool *s, uint64_t seq)
{
	if (seq > (s->sent == s->tail ? s->acked_seq : at(s, s->sent - 1)->seq))
		return -EPROTO;
	while (s->tail < s->sent && at(s, s->tail)->seq <= seq) {
		s->acked_seq = at(s, s->tail)->seq;
		s->tail++;
	}
	return 0;
}

// SPDX-License-Identifier: BSD-2-Clause
// Single-producer single-consumer ring of fixed-size slots: hits and events from a worker to the main lcore.
#ifndef ENGINE_RING_H
#define ENGINE_RING_H

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

// Writer / reader / order:
//   head  producer / consumer / release, acquire
//   tail  consumer / producer / release, acquire
// The slots between tail and head belong to the consumer, the rest to the producer.
struct ring {
	_Alignas(64) _Atomic uint64_t head; // slots ever pushed
	_Alignas(64) _Atomic uint64_t tail; // slots ever popped
	_Alignas(64) uint32_t mask;
	uint32_t slot_bytes;
	uint8_t *slots;
};

// slots: at least count * slot_bytes bytes, owned by the caller. count must be a power of two.
static inline void ring_init(struct ring *r, void *slots, uint32_t count, uint32_t slot_bytes)
{
	atomic_init(&r->head, 0);
	atomic_init(&r->tail, 0);
	r->mask = count - 1;
	r->slot_bytes = slot_bytes;
	r->slots = slots;
}

// Producer: the next free slot, or NULL if the ring is full. Fill it, then ring_push().
static inline void *ring_slot(struct ring *r)
{
	uint64_t head = atomic_load_explicit(&r->head, memory_order_relaxed);
	uint64_t tail = atomic_load_explicit(&r->tail, memory_order_acquire);

	if (head - tail > r->mask)
		return NULL;
	return r->slots + (head & r->mask) * (uint64_t)r->slot_bytes;
}

static inline void ring_push(struct ring *r)
{
	uint64_t head = atomic_load_explicit(&r->head, memory_order_relaxed);

	atomic_store_explicit(&r->head, head + 1, memory_order_release);
}

// Consumer: slots waiting.
static inline uint64_t ring_count(const struct ring *r)
{
	uint64_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);

	return atomic_load_explicit(&r->head, memory_order_acquire) - tail;
}

// Consumer: the i-th waiting slot (i < ring_count()), valid until ring_pop() passes it.
static inline const void *ring_peek(const struct ring *r, uint64_t i)
{
	uint64_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);

	return r->slots + ((tail + i) & r->mask) * (uint64_t)r->slot_bytes;
}

static inline void ring_pop(struct ring *r, uint64_t n)
{
	uint64_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);

	atomic_store_explicit(&r->tail, tail + n, memory_order_release);
}

#endif

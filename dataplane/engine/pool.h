// SPDX-License-Identifier: BSD-2-Clause
// A bounded pool of equal objects in memory the caller owns. No allocation, no lock: one worker uses it.
#ifndef ENGINE_POOL_H
#define ENGINE_POOL_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define POOL_NONE UINT32_MAX

// Free objects are linked through their first four bytes; objects never used yet are not touched, so that a
// large pool costs no memory before it is needed.
struct pool {
	uint8_t *base;
	uint32_t object_bytes;
	uint32_t capacity;
	uint32_t used;
	uint32_t fresh; // objects from here on were never handed out
	uint32_t free_head;
};

// mem: capacity * object_bytes, aligned as the objects need.
static inline void pool_init(struct pool *p, void *mem, uint32_t capacity, uint32_t object_bytes)
{
	assert(object_bytes >= sizeof(uint32_t));
	*p = (struct pool){
		.base = mem,
		.object_bytes = object_bytes,
		.capacity = capacity,
		.free_head = POOL_NONE,
	};
}

static inline void *pool_at(const struct pool *p, uint32_t i)
{
	return p->base + (size_t)i * p->object_bytes;
}

static inline uint32_t pool_index(const struct pool *p, const void *object)
{
	return (uint32_t)((size_t)((const uint8_t *)object - p->base) / p->object_bytes);
}

// An object with undefined content, or NULL if the pool is empty.
static inline void *pool_get(struct pool *p)
{
	void *object;

	if (p->free_head != POOL_NONE) {
		object = pool_at(p, p->free_head);
		memcpy(&p->free_head, object, sizeof(p->free_head));
	} else if (p->fresh < p->capacity) {
		object = pool_at(p, p->fresh++);
	} else {
		return NULL;
	}
	p->used++;
	return object;
}

static inline void pool_put(struct pool *p, void *object)
{
	assert(p->used > 0);
	memcpy(object, &p->free_head, sizeof(p->free_head));
	p->free_head = pool_index(p, object);
	p->used--;
}

#endif

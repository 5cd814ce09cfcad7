// SPDX-License-Identifier: BSD-2-Clause
// A bounded pool of equal objects in memory the caller owns. No allocation, no lock: one worker uses it.
#ifndef ENGINE_POOL_H
#define ENGINE_POOL_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define POOL_NONE UINT32_MAX

// Free objects are linked through their first four bytes, those that were wiped in a list of their own; objects never used yet are not touched, so that a
// large pool costs no memory before it is needed.
struct pool {
	uint8_t *base;
	uint32_t object_bytes;
	uint32_t capacity;
	uint32_t used;
	uint32_t fresh; // objects from here on were never handed out
	uint32_t free_head;
	uint32_t wiped_head;
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
		.wiped_head = POOL_NONE,
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
	} else if (p->wiped_head != POOL_NONE) {
		object = pool_at(p, p->wiped_head);
		memcpy(&p->wiped_head, object, sizeof(p->wiped_head));
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

// Forget what one free object held. False: there is nothing to forget.
static inline bool pool_wipe(struct pool *p)
{
	const uint32_t i = p->free_head;
	uint8_t *object;

	if (i == POOL_NONE)
		return false;
	object = pool_at(p, i);
	memcpy(&p->free_head, object, sizeof(p->free_head));
	memset(object, 0, p->object_bytes);
	memcpy(object, &p->wiped_head, sizeof(p->wiped_head));
	p->wiped_head = i;
	return true;
}

#endif

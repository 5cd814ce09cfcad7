// SPDX-License-Identifier: BSD-2-Clause
// Conversations cut in any way, and the hits they must give; for tests of the pipeline.
#ifndef TESTS_CUTKIT_H
#define TESTS_CUTKIT_H

#include <errno.h>

#include "dataplane/engine/pkt.h"
#include "tests/unit/conversations.h"

enum {
	SAYS = 8,
	BYTES_PER_FRAME_MAX = 60000,
	SHORT_CONV = 20000, // per-byte runs of longer ones take too long
};

struct cut {
	const char *name;
	uint32_t most; // bytes of a segment
	bool random;   // between one and most
	bool reorder, repeat, overlap, wrap, ipv6;
	bool swap; // another rule set of the same rules before every frame
	uint32_t burst;
	uint32_t rounds;
};

static unsigned int failures;

// Say what differs and go on: one cause shows in many places.
__attribute__((format(printf, 1, 2))) static inline void differs(const char *fmt, ...)
{
	va_list ap;

	if (failures++ > 40)
		return;
	va_start(ap, fmt);
	vprint_error(fmt, ap);
	va_end(ap);
}

// What a conversation led to, in an order that does not depend on time.
struct outcome {
	struct hit *hits;
	struct event *events;
	uint32_t n_hits, n_events;
	uint64_t v[COUNTER_N];
};

static inline int hit_cmp(const void *va, const void *vb)
{
	const struct hit *a = va, *b = vb;

	if (a->sid != b->sid)
		return a->sid < b->sid ? -1 : 1;
	if (a->tx_id != b->tx_id)
		return a->tx_id < b->tx_id ? -1 : 1;
	return a->addr.dir - b->addr.dir;
}

static inline int event_cmp(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct event));
}

static inline void outcome_take(struct kit *k, struct outcome *ret)
{
	*ret = (struct outcome){k->hits, k->events, k->n_hits, k->n_events, {0}};
	memcpy(ret->v, pipeline_counters(k->p)->v, sizeof(ret->v));
	k->hits = NULL;
	k->events = NULL;
	for (uint32_t i = 0; i < ret->n_events; i++) {
		ret->events[i].ts_ns = 0;
		memset(&ret->events[i].addr, 0, offsetof(struct hit_addr, dir));
	}
	qsort(ret->hits, ret->n_hits, sizeof(struct hit), hit_cmp);
	qsort(ret->events, ret->n_events, sizeof(struct event), event_cmp);
}

static inline void outcome_free(struct outcome *o)
{
	free(o->hits);
	free(o->events);
}

static inline char *hits_text(const struct outcome *o, char *buf, size_t size)
{
	size_t n = 0;

	buf[0] = '\0';
	for (uint32_t i = 0; i < o->n_hits && n < size; i++)
		n += (size_t)snprintf(buf + n, size - n, "%s%u:%u:%u", i > 0 ? " " : "",
				      o->hits[i].sid, o->hits[i].addr.dir, o->hits[i].tx_id);
	return buf;
}

// ---- cutting ----

static inline bool is_data(const struct pktgen_seg *s)
{
	return s->data.len > 0 && (s->flags & (KIT_SYN | KIT_FIN)) == 0;
}

// Shuffle neighbours of one direction; at most 8 segments change places.
static inline void shuffle(struct kit_list *l, uint64_t *seed)
{
	for (uint32_t from = 0; from < l->n;) {
		uint32_t to = from;

		while (to < l->n && to - from < 8 && is_data(&l->v[to]) &&
		       l->v[to].dir == l->v[from].dir)
			to++;
		for (uint32_t i = to; i > from + 1; i--) {
			uint32_t j = from + kit_below(seed, i - from);
			struct pktgen_seg s = l->v[j];

			l->v[j] = l->v[i - 1];
			l->v[i - 1] = s;
		}
		from = to > from ? to : from + 1;
	}
}

// Let segments begin before the end of the one before.
static inline void overlap(struct kit_list *l, uint64_t *seed)
{
	for (uint32_t i = l->n; i-- > 1;) {
		struct pktgen_seg *s = &l->v[i];
		const struct pktgen_seg *b = s - 1;
		uint32_t back;

		if (!is_data(s) || !is_data(b) || b->dir != s->dir ||
		    b->data.data + b->data.len != s->data.data ||
		    s->data.len + b->data.len > BYTES_PER_FRAME_MAX)
			continue;
		back = kit_below(seed, (uint32_t)b->data.len + 1);
		s->seq -= back;
		s->data = span_of(s->data.data - back, s->data.len + back);
	}
}

// Send some segments twice, the second time later in the same turn or in the next.
static inline void repeat(struct kit_list *l, uint64_t *seed)
{
	uint32_t n = l->n;
	struct kit_list out = {0};

	for (uint32_t i = 0; i < n; i++) {
		kit_add(&out, 0, 0, SPAN_NONE);
		out.v[out.n - 1] = l->v[i];
		if (kit_below(seed, 3) == 0 && i > 3) {
			kit_add(&out, 0, 0, SPAN_NONE);
			out.v[out.n - 1] = l->v[i - kit_below(seed, 3)];
		}
	}
	free(l->v);
	*l = out;
}

static inline void cut_make(struct kit_list *l, const struct conv *c, const struct span *bytes,
			    const struct cut *cut, uint64_t *seed)
{
	kit_open(l, cut->wrap ? 0xffffffe0 : 1000, cut->wrap ? 0xfffffff0 : 77000);
	for (int i = 0; i < SAYS && c->say[i].head != NULL; i++)
		kit_data(l, c->say[i].dir, bytes[i], cut->most, cut->random ? seed : NULL);
	if (!c->no_fin)
		kit_close(l);
	if (cut->overlap)
		overlap(l, seed);
	if (cut->repeat)
		repeat(l, seed);
	if (cut->reorder)
		shuffle(l, seed);
}

#endif

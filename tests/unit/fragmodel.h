// SPDX-License-Identifier: BSD-2-Clause
// What Linux does with the fragments of one datagram, written down as plainly as can be: a list of runs, and the bytes. For tests
// to compare frag.c with. (ip_frag_queue() and inet_frag_queue_insert() of Linux 6.)
#ifndef TESTS_FRAGMODEL_H
#define TESTS_FRAGMODEL_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "common/span.h"

enum {
	FRAGMODEL_MAX = 65535,
	FRAGMODEL_RUNS = 8192,
};

enum fragmodel_says {
	FRAGMODEL_WAITS,
	FRAGMODEL_DUPLICATE,
	FRAGMODEL_GONE, // the datagram is discarded
	FRAGMODEL_WHOLE,
};

struct fragmodel {
	struct {
		uint32_t from, to;
	} run[FRAGMODEL_RUNS]; // sorted
	uint32_t n, tail;      // tail: where the last piece that was put behind all others ends
	uint32_t len, meat;
	bool has_last;
	uint8_t bytes[FRAGMODEL_MAX + 1];
};

static inline void fragmodel_reset(struct fragmodel *m)
{
	m->n = m->tail = m->len = m->meat = 0;
	m->has_last = false;
}

static inline enum fragmodel_says fragmodel_insert(struct fragmodel *m, uint32_t from, uint32_t to)
{
	uint32_t at = 0;

	if (m->n > 0 && m->tail < to) {
		if (from < m->tail)
			return FRAGMODEL_GONE;
		if (from == m->tail) {
			m->run[m->n - 1].to = to;
			m->tail = to;
			return FRAGMODEL_WAITS;
		}
	}
	while (at < m->n && m->run[at].to <= from)
		at++;
	if (at < m->n && m->run[at].from < to)
		return from >= m->run[at].from && to <= m->run[at].to ? FRAGMODEL_DUPLICATE
								      : FRAGMODEL_GONE;
	memmove(&m->run[at + 1], &m->run[at], (m->n - at) * sizeof(m->run[0]));
	m->run[at].from = from;
	m->run[at].to = to;
	if (at == m->n)
		m->tail = to;
	m->n++;
	return FRAGMODEL_WAITS;
}

// head: bytes of headers that count to the 65,535.
static inline enum fragmodel_says fragmodel_put(struct fragmodel *m, uint32_t offset, bool more,
						struct span data, uint32_t head)
{
	uint32_t end = offset + (uint32_t)data.len;
	enum fragmodel_says says;

	if (!more) {
		if (end < m->len || (m->has_last && end != m->len))
			return FRAGMODEL_GONE;
		m->has_last = true;
		m->len = end;
	} else {
		end &= ~7u;
		if (end > m->len) {
			if (m->has_last)
				return FRAGMODEL_GONE;
			m->len = end;
		}
	}
	// Linux notices the second only when the datagram would be whole; it never can be any more.
	if (end == offset || end > FRAGMODEL_MAX)
		return FRAGMODEL_GONE;
	says = fragmodel_insert(m, offset, end);
	if (says != FRAGMODEL_WAITS)
		return says;
	memcpy(m->bytes + offset, data.data, end - offset);
	m->meat += end - offset;
	if (!m->has_last || m->meat != m->len)
		return FRAGMODEL_WAITS;
	return m->len + head > FRAGMODEL_MAX ? FRAGMODEL_GONE : FRAGMODEL_WHOLE;
}

#endif

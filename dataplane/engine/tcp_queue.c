// SPDX-License-Identifier: BSD-2-Clause
// What is out of order: whole segments, each a chain of cells, in a list by sequence number.
//
// Only live segments take part in Linux's overlap rule; at the same start a live one comes before the others. A loser lies within
// the live one that beat it, and is therefore old once that was read.
#include "dataplane/engine/tcp_impl.h"

#include <string.h>

void tcp_seg_free(const struct tcp_ctx *x, struct tcp_seg *s)
{
	for (;;) {
		uint32_t more = s->more;

		pool_put(x->cells, s);
		if (more == POOL_NONE)
			return;
		s = tcp_seg_at(x, more);
	}
}

static uint32_t cells_of(const struct tcp_ctx *x, const struct tcp_seg *s)
{
	uint32_t n = 1;

	for (; s->more != POOL_NONE; n++)
		s = tcp_seg_at(x, s->more);
	return n;
}

struct tcp_seg *tcp_queue_take(struct tcp_reader *rd, uint32_t *link)
{
	struct tcp_seg *s = tcp_seg_at(rd->x, *link);
	struct tcp_half *h = rd->half;

	*link = s->next;
	h->ooo_count = (uint16_t)(h->ooo_count - cells_of(rd->x, s));
	h->doubts -= s->kind >= TCP_SEG_DOUBT;
	if (s->kind != TCP_SEG_ECHO)
		rd->x->counters->v[CNT_TCP_OOO_HELD] -= s->total;
	return s;
}

// A segment with room for data, not in a queue, or NULL.
static struct tcp_seg *seg_new(const struct tcp_ctx *x, struct span data)
{
	struct tcp_seg *first = NULL;
	uint32_t *link = NULL;

	do {
		struct tcp_seg *s = pool_get(x->cells);

		if (s == NULL) {
			if (first != NULL)
				tcp_seg_free(x, first);
			return NULL;
		}
		s->total = (uint32_t)data.len;
		s->len = data.len > TCP_SEG_DATA ? TCP_SEG_DATA : (uint16_t)data.len;
		s->more = POOL_NONE;
		if (s->len > 0)
			memcpy(s->data, data.data, s->len);
		data = span_from(data, s->len);
		if (first == NULL)
			first = s;
		else
			*link = pool_index(x->cells, s);
		link = &s->more;
	} while (data.len > 0);
	return first;
}

// Does the segment have data from its byte number at on?
static bool seg_has(const struct tcp_ctx *x, const struct tcp_seg *s, size_t at, struct span data)
{
	if (at + data.len > s->total)
		return false;
	while (data.len > 0) {
		if (at < s->len) {
			struct span here = span_first(data, s->len - at);

			if (memcmp(s->data + at, here.data, here.len) != 0)
				return false;
			data = span_from(data, here.len);
			at += here.len;
		}
		if (s->more == POOL_NONE)
			break;
		at -= s->len;
		s = tcp_seg_at(x, s->more);
	}
	return true;
}

// Where a segment belongs. *ret_before: the live one before it that may cover it, or NULL.
static uint32_t *place(struct tcp_reader *rd, uint32_t seq, uint32_t end, enum tcp_seg_kind kind,
		       struct tcp_seg **ret_before)
{
	uint32_t *link = &rd->half->ooo_head;

	*ret_before = NULL;
	while (*link != POOL_NONE) {
		struct tcp_seg *s = tcp_seg_at(rd->x, *link);
		int32_t ahead = tcp_seq_diff(s->seq, seq);

		if (ahead > 0)
			break;
		if (ahead == 0 && kind == TCP_SEG_LIVE &&
		    (s->kind != TCP_SEG_LIVE || tcp_seq_diff(end, tcp_seg_end(s)) > 0))
			break;
		if (s->kind == TCP_SEG_LIVE)
			*ret_before = s;
		link = &s->next;
	}
	return link;
}

// data at seq is the end of the live segment s, and new. What it covers wholly is read no more: gone if it is the same, a loser if it differs.
static void cover(struct tcp_reader *rd, struct tcp_seg *s, uint32_t seq, struct span data)
{
	uint32_t *link = &s->next;
	uint32_t end = tcp_seg_end(s);

	while (*link != POOL_NONE) {
		struct tcp_seg *old = tcp_seg_at(rd->x, *link);

		if (tcp_seq_diff(old->seq, end) >= 0)
			return;
		if (old->kind == TCP_SEG_LIVE) {
			if (tcp_seq_diff(tcp_seg_end(old), end) > 0)
				return;
			struct span same = span_first(span_from(data, old->seq - seq), old->total);

			old->fin = 0;
			// Where the new one's FIN stands there is nothing to be the same.
			if (same.len == old->total && seg_has(rd->x, old, 0, same)) {
				rd->x->counters->v[CNT_TCP_DUPLICATE] += old->total;
				tcp_seg_free(rd->x, tcp_queue_take(rd, link));
				continue;
			}
			old->kind = TCP_SEG_LOSER;
		}
		link = &old->next;
	}
}

static bool is_live_at(const struct tcp_ctx *x, uint32_t index, uint32_t seq)
{
	const struct tcp_seg *s;

	if (index == POOL_NONE)
		return false;
	s = tcp_seg_at(x, index);
	return s->kind == TCP_SEG_LIVE && s->seq == seq;
}

// Linux joins a segment to the one that ends where it begins, unless it replaces one with its own start. Behind an early FIN it is read
// as if the FIN took no place.
static void join(const struct tcp_ctx *x, struct tcp_seg *to, struct tcp_seg *s)
{
	struct tcp_seg *last = to;

	to->fin += s->fin;
	for (;; last = tcp_seg_at(x, last->more)) {
		last->total += s->total;
		if (last->more == POOL_NONE)
			break;
	}
	last->more = pool_index(x->cells, s);
}

static bool is_queued(const struct tcp_reader *rd, uint32_t seq, struct span data)
{
	for (uint32_t i = rd->half->ooo_head; i != POOL_NONE;) {
		const struct tcp_seg *s = tcp_seg_at(rd->x, i);

		if (tcp_seq_diff(s->seq, seq) > 0)
			return false;
		if (s->seq == seq && s->total == data.len && seg_has(rd->x, s, 0, data))
			return true;
		i = s->next;
	}
	return false;
}

// How many early FINs another one ends with that ends where s begins. Linux may have joined them, for the shape of its tree
// decides: then what follows the FIN is read without a place for it.
static uint32_t fins_before(const struct tcp_reader *rd, const struct tcp_seg *s)
{
	for (uint32_t i = rd->half->ooo_head; i != POOL_NONE;) {
		const struct tcp_seg *before = tcp_seg_at(rd->x, i);

		if (before == s)
			break;
		if (before->kind == TCP_SEG_LIVE && before->fin > 0 &&
		    tcp_seg_end(before) == s->seq)
			return before->fin;
		i = before->next;
	}
	return 0;
}

static void echo_put(struct tcp_reader *rd, const struct tcp_seg *s, struct span data)
{
	uint32_t fins = data.len > 0 ? fins_before(rd, s) : 0;

	if (fins > 0)
		tcp_queue_put(rd, s->seq - fins, data, false, TCP_SEG_ECHO, 0);
}

bool tcp_queue_put(struct tcp_reader *rd, uint32_t seq, struct span data, bool fin,
		   enum tcp_seg_kind kind, uint32_t ack)
{
	uint32_t end = seq + (uint32_t)data.len + fin;
	size_t cells = data.len == 0 ? 1 : (data.len + TCP_SEG_DATA - 1) / TCP_SEG_DATA;
	struct counters *c = rd->x->counters;
	struct tcp_half *h = rd->half;
	struct tcp_seg *s, *before, *alone = NULL;
	uint32_t *link = place(rd, seq, end, kind, &before);

	if (kind == TCP_SEG_LIVE && before != NULL && tcp_seq_diff(end, tcp_seg_end(before)) <= 0) {
		kind = TCP_SEG_LOSER;
		fin = false;
		if (data.len == 0 || seg_has(rd->x, before, seq - before->seq, data)) {
			c->v[CNT_TCP_DUPLICATE] += data.len;
			return true;
		}
	}
	if (kind != TCP_SEG_LIVE && is_queued(rd, seq, data)) {
		if (kind != TCP_SEG_ECHO)
			c->v[CNT_TCP_DUPLICATE] += data.len;
		return true;
	}
	s = h->ooo_count + cells <= TCP_OOO_SEGS_MAX ? seg_new(rd->x, data) : NULL;
	if (s == NULL) {
		if (kind != TCP_SEG_LOSER)
			return false;
		c->v[CNT_TCP_DUPLICATE] += data.len;
		tcp_alt_begin(rd, seq);
		tcp_alt_add(rd, data);
		tcp_alt_end(rd, end, CNT_TCP_OVERLAP_DIFF);
		return true;
	}
	s->seq = seq;
	s->fin = fin;
	s->kind = (uint8_t)kind;
	s->ack = ack;
	if (kind == TCP_SEG_LIVE && before != NULL && tcp_seg_end(before) == seq &&
	    before->fin < UINT8_MAX && !is_live_at(rd->x, *link, seq)) {
		join(rd->x, before, s);
		s = before;
	} else {
		s->next = *link;
		*link = pool_index(rd->x->cells, s);
		alone = s;
	}
	h->ooo_count = (uint16_t)(h->ooo_count + cells);
	h->doubts += kind >= TCP_SEG_DOUBT;
	if (kind == TCP_SEG_ECHO)
		return true;
	c->v[CNT_TCP_OOO_QUEUED] += data.len;
	c->v[CNT_TCP_OOO_HELD] += data.len;
	if (kind == TCP_SEG_LIVE)
		cover(rd, s, seq, data);
	if (kind == TCP_SEG_LIVE && alone != NULL)
		echo_put(rd, alone, data);
	return true;
}

uint32_t tcp_half_drop(const struct tcp_ctx *x, struct tcp_half *h)
{
	struct tcp_reader rd = {.x = x, .half = h};
	uint32_t bytes = 0;

	while (h->ooo_head != POOL_NONE) {
		struct tcp_seg *s = tcp_queue_take(&rd, &h->ooo_head);

		bytes += s->kind != TCP_SEG_ECHO ? s->total : 0;
		tcp_seg_free(x, s);
	}
	tcp_history_drop(x, h);
	return bytes;
}

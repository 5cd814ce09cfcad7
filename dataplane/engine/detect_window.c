// SPDX-License-Identifier: BSD-2-Clause
// The retained bytes of a stream buffer, and the conditions that are evaluated on them.
#include "dataplane/engine/detect_impl.h"

#include <string.h>

// What a piece of a buffer cannot decide about a condition.
enum piece_doubt {
	DOUBT_START = 1 << 0, // positions count from the buffer's start
	DOUBT_END = 1 << 1,   // something is nowhere in the buffer, or at its end
	DOUBT_NEAR =
		1 << 2, // something does not follow closely: the piece's last bytes are no answer
};

enum {
	DOUBT_NEAR_BYTES = 2048,
};
static unsigned int piece_doubts(const struct ruleset *rs, const struct image_cond *c)
{
	unsigned int doubts = 0;

	for (uint32_t i = 0; i < c->n_matches; i++) {
		uint16_t flags = rs->matches[c->match + i].flags;
		bool relative = (flags & (IMAGE_DISTANCE | IMAGE_WITHIN | IMAGE_RELATIVE)) != 0;

		if ((flags & (IMAGE_OFFSET | IMAGE_DEPTH)) != 0)
			doubts |= DOUBT_START;
		if ((flags & IMAGE_ENDSWITH) != 0 || ((flags & IMAGE_NEGATED) != 0 && !relative))
			doubts |= DOUBT_END;
		if ((flags & IMAGE_NEGATED) != 0 && relative)
			doubts |= DOUBT_NEAR;
	}
	return doubts;
}

static void buffered_eval(struct detect *d, struct inspect *in, const struct detect_msg *m,
			  struct active *a, uint32_t i, enum detect_stream s, bool at_end)
{
	const struct image_rule *r = &in->rs->rules[a->rule];
	const struct image_cond *c = &in->rs->conds[r->cond + i];
	const bool from_start = in->window_len[s] == in->offset[s];
	const unsigned int doubts = piece_doubts(in->rs, c);
	struct span piece = span_of(in->window[s], in->window_len[s]);

	if (at_end && !from_start && !a->short_window) {
		d->counters->v[CNT_WINDOW_SHORT]++;
		a->short_window = 1;
	}
	if (((doubts & DOUBT_START) != 0 && !from_start) || ((doubts & DOUBT_END) != 0 && !at_end))
		return;
	if ((doubts & DOUBT_NEAR) != 0 && !at_end)
		piece.len -= piece.len < DOUBT_NEAR_BYTES ? piece.len : DOUBT_NEAR_BYTES;
	if (!eval_cond(in->rs, worker_of(d, in->rs), c, piece, d->counters)) {
		if (c->n_terms > 0 && !at_end)
			a->buffered &=
				(uint16_t) ~(1u << i); // until watch_again() finds it worth while
		return;
	}
	a->buffered &= (uint16_t) ~(1u << i);
	a->have |= (uint16_t)(1u << i);
	wake_complete(d, in, m, a, c->buffer, 0);
}

// The window of s is about to lose its oldest bytes, or the buffer has ended: evaluate what waits for it.
void window_evaluate(struct detect *d, struct inspect *in, const struct detect_msg *m,
		     enum detect_stream s, bool at_end)
{
	for (uint32_t k = in->active; k != POOL_NONE;) {
		struct active *a = pool_at(d->actives, k);
		const struct image_rule *r = &in->rs->rules[a->rule];

		k = a->next;
		for (uint32_t i = 0; i < r->n_conds && a->buffered != 0 && !a->done; i++)
			if ((a->buffered & (1u << i)) != 0 &&
			    stream_of(&in->rs->conds[r->cond + i]) == s)
				buffered_eval(d, in, m, a, i, s, at_end);
	}
}

// Windows begin in a cell; bodies that need more get 128 KiB. Either is twice as large as what it must keep, or more, so
// that it slides once in a while, not once per packet.
static uint32_t window_cap(const struct inspect *in, enum detect_stream s)
{
	const uint32_t big = (uint32_t)INSPECT_WINDOW_BIG << s;

	return (in->flags & big) != 0 ? DETECT_WINDOW_BYTES : TCP_SEG_BYTES - PIPELINE_TAIL_BYTES;
}

size_t window_room(const struct inspect *in, enum detect_stream s)
{
	const uint32_t tail = tail_of(in, s);
	const uint32_t small = TCP_SEG_BYTES - PIPELINE_TAIL_BYTES;

	if (tail == 0)
		return SIZE_MAX;
	return 2 * tail > small ? DETECT_WINDOW_BYTES - tail : small - tail;
}

// A window with room for len more bytes, after sliding if need be. False: there is none.
static bool window_make(struct detect *d, struct inspect *in, enum detect_stream s, size_t len)
{
	const uint32_t none = (uint32_t)INSPECT_WINDOW_NONE << s;
	const uint32_t big = (uint32_t)INSPECT_WINDOW_BIG << s;
	const bool grow = in->window_len[s] + len > window_cap(in, s) && (in->flags & big) == 0 &&
			  2 * tail_of(in, s) > TCP_SEG_BYTES - PIPELINE_TAIL_BYTES;
	uint8_t *window;

	if (in->window[s] != NULL && !grow)
		return true;
	window = pool_get(grow ? d->windows : d->cells);
	if (window == NULL) {
		d->counters->v[CNT_WINDOW_NONE]++;
		in->flags |= none;
		window_drop(d, in, s);
		in->window_len[s] = 0;
		return false;
	}
	if (in->window_len[s] > 0)
		memcpy(window, in->window[s], in->window_len[s]);
	window_drop(d, in, s);
	in->window[s] = window;
	if (grow)
		in->flags |= big;
	return true;
}

void window_append(struct detect *d, struct inspect *in, const struct detect_msg *m,
		   enum detect_stream s, struct span data)
{
	const uint32_t tail = tail_of(in, s);
	const uint32_t none = (uint32_t)INSPECT_WINDOW_NONE << s;

	if (tail == 0 || (in->flags & none) != 0 || !window_make(d, in, s, data.len))
		return;
	if (in->window_len[s] + data.len > window_cap(in, s)) {
		const uint32_t keep = tail < in->window_len[s] ? tail : in->window_len[s];

		window_evaluate(d, in, m, s, false);
		watch_slide(d, in, m, s);
		memmove(in->window[s], in->window[s] + in->window_len[s] - keep, keep);
		in->window_len[s] = keep;
		if (in->set[s] != NULL)
			watch_again(d, in, m, s);
	}
	memcpy(in->window[s] + in->window_len[s], data.data, data.len);
	in->window_len[s] += (uint32_t)data.len;
}

void window_drop(struct detect *d, struct inspect *in, enum detect_stream s)
{
	const uint32_t big = (uint32_t)INSPECT_WINDOW_BIG << s;

	if (in->window[s] != NULL)
		pool_put((in->flags & big) != 0 ? d->windows : d->cells, in->window[s]);
	in->window[s] = NULL;
}

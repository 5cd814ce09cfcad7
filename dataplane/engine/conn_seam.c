// SPDX-License-Identifier: BSD-2-Clause
// Raw bytes are inspected message by message, so that positions count from a message's start. What lies across the end of
// one and the start of the next is in neither: the last bytes of the one are kept, and searched once more together with the
// first ones of the other, for what begins in those and ends in these. Not so when the other side has begun to speak
// between the two: a request, its response and the next request do not make a text of both requests.
#include "dataplane/engine/conn_impl.h"

#include <string.h>

// The search goes on into the next message as far as contents may be long.
enum {
	AHEAD_BYTES = 255,
};

static void keep(struct conn_seam *s, struct span data)
{
	size_t old = s->n;

	if (data.len >= sizeof(s->tail)) {
		data = span_from(data, data.len - sizeof(s->tail));
		old = 0;
	} else if (old > sizeof(s->tail) - data.len) {
		size_t drop = old - (sizeof(s->tail) - data.len);

		old -= drop;
		memmove(s->tail, s->tail + drop, old);
	}
	memcpy(s->tail + old, data.data, data.len);
	s->n = (uint8_t)(old + data.len);
}

static void search(struct conn_ctx *x, struct flow *f, enum dir dir, struct span data)
{
	struct conn_seam *s = &f->http->seam[dir];
	struct detect_msg m = conn_msg(x, f, dir);

	if (s->ended) {
		uint8_t padded[sizeof(s->tail) + 64];

		s->ended = s->before = false;
		s->left = AHEAD_BYTES;
		if (s->n > 0 && f->http->own_msg[dir].inspect != NULL) {
			memcpy(padded, s->tail, s->n);
			memset(padded + s->n, 0, 64);
			s->in = detect_seam(x->detect, f->http->own_msg[dir].inspect, &m,
					    span_of(padded, s->n));
		}
	}
	if (s->in == NULL)
		return;
	data = span_first(data, s->left);
	s->left -= (uint8_t)data.len;
	detect_data(x->detect, s->in, &m, DETECT_RAW, data);
	if ((s->in->flags & INSPECT_HAS_HIT) != 0 && f->http->own_msg[dir].inspect != NULL)
		f->http->own_msg[dir].inspect->flags |= INSPECT_HAS_HIT; // no transaction yet
	if (s->left == 0)
		seam_close(x, f, dir);
}

void conn_before(struct flow *f, enum dir dir, struct span bytes)
{
	struct conn_seam *s = &f->http->seam[dir];

	if (bytes.len == 0)
		return;
	keep(s, bytes);
	s->ended = s->before = true;
}

void seam_raw(struct conn_ctx *x, struct flow *f, enum dir dir, struct span data)
{
	struct conn_seam *s = &f->http->seam[dir];

	if (!detect_wants(x->detect, dir, DETECT_RAW))
		return;
	if (s->ended || s->in != NULL)
		search(x, f, dir, data);
	keep(s, data);
}

void seam_end(struct conn_ctx *x, struct flow *f, enum dir dir)
{
	seam_close(x, f, dir);
	f->http->seam[dir].ended = true;
}

void seam_turn(struct flow *f, enum dir dir)
{
	struct conn_seam *other = &f->http->seam[!dir];

	if (other->ended && !other->before)
		other->n = 0;
}

void seam_gap(struct conn_ctx *x, struct flow *f, enum dir dir)
{
	seam_close(x, f, dir);
	f->http->seam[dir].n = 0;
}

void seam_close(struct conn_ctx *x, struct flow *f, enum dir dir)
{
	struct conn_seam *s = &f->http->seam[dir];
	struct detect_msg m;

	if (s->in == NULL)
		return;
	m = conn_msg(x, f, dir);
	detect_settle(x->detect, s->in, &m);
	detect_abort(x->detect, s->in);
	s->in = NULL;
}

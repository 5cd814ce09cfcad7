// SPDX-License-Identifier: BSD-2-Clause
// Header blocks. Fields become lines in a pooled buffer while the block comes in, in the order in which they come; the
// values of pseudo-headers stand among them and are skipped when the head is put together in the worker's buffer:
//
//   text:  GET/path?qexample.test user-agent: x CR LF accept: y CR LF      (pseudo[] says where the first three lie)
//   head:  GET /path?q HTTP/2 CR LF host: example.test CR LF user-agent: x CR LF accept: y CR LF CR LF
//
// A compressed field cannot end its line: CR and LF in it become spaces, as in a folded HTTP/1.1 field.
#include <errno.h>

#include "dataplane/engine/h2.h"
#include "dataplane/engine/http.h"

enum {
	START_ROOM = 64, // "HTTP/2", "host: ", line ends: what is added to the text
};

static const struct span pseudo_names[H2_PSEUDO_MAX] = {
	[H2_PSEUDO_METHOD] = {(const uint8_t *)":method", 7},
	[H2_PSEUDO_SCHEME] = {(const uint8_t *)":scheme", 7},
	[H2_PSEUDO_AUTHORITY] = {(const uint8_t *)":authority", 10},
	[H2_PSEUDO_PATH] = {(const uint8_t *)":path", 5},
	[H2_PSEUDO_STATUS] = {(const uint8_t *)":status", 7},
};

void h2_block_begin(struct h2_half *h, struct h2_parser *ps)
{
	struct h2_block *b = &h->block;

	b->text = pool_get(ps->gathers);
	if (b->text == NULL)
		ps->counters->v[CNT_HTTP_HEAD_NO_BUFFER]++;
	b->len = 0;
	b->limit = h->growth > H2_GROWTH_MIN ? (uint32_t)h->growth : H2_GROWTH_MIN;
	if (b->limit > HTTP_HEAD_MAX - START_ROOM)
		b->limit = HTTP_HEAD_MAX - START_ROOM;
	b->bytes = 0;
	b->frames = 0;
	b->n_pseudo = 0;
	b->cut = b->text == NULL;
	b->cookie = 0;
}

// ---- fields into text ----

static void text_put(struct h2_block *b, struct span s)
{
	if (s.len > 0)
		memcpy(b->text + b->len, s.data, s.len);
	b->len += (uint32_t)s.len;
}

// Without line ends. Returns whether there were any.
static bool value_put(struct h2_block *b, struct span s)
{
	uint8_t *at = b->text + b->len;
	bool bad = false;

	text_put(b, s);
	if (s.len == 0 || (memchr(at, '\r', s.len) == NULL && memchr(at, '\n', s.len) == NULL))
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (at[i] == '\r' || at[i] == '\n') {
			at[i] = ' ';
			bad = true;
		}
	}
	return bad;
}

// A pseudo-header whose name came for the first time in this block; -1: an ordinary field.
static int pseudo_of(const struct h2_block *b, struct span name)
{
	if (name.len == 0 || name.data[0] != ':' || b->n_pseudo == H2_PSEUDO_MAX)
		return -1;
	for (int i = 0; i < H2_PSEUDO_MAX; i++) {
		if (!span_eq(name, pseudo_names[i]))
			continue;
		for (uint8_t k = 0; k < b->n_pseudo; k++)
			if (b->pseudo[k].name == i)
				return -1;
		return i;
	}
	return -1;
}

// A name as one line can hold it: nothing in it may look like folding or end the line.
static bool name_put(struct h2_block *b, struct span name)
{
	uint8_t *at = b->text + b->len;
	bool bad = name.len == 0;

	text_put(b, name);
	for (size_t i = 0; i < name.len; i++) {
		if (at[i] <= ' ') {
			at[i] = '_';
			bad = true;
		}
	}
	return bad;
}

static void field_put(struct h2_half *h, struct h2_parser *ps, struct span name, struct span value)
{
	struct h2_block *b = &h->block;
	int pseudo = pseudo_of(b, name);
	bool cookie = h->dir == DIR_TO_SERVER && span_eq(name, SPAN_LIT("cookie"));
	bool bad = false;

	if (b->text == NULL)
		return;
	if (name.len + value.len + 4 > b->limit - b->len) {
		b->cut = 1;
		return;
	}
	if (pseudo >= 0) {
		struct h2_pseudo *p = &b->pseudo[b->n_pseudo++];

		*p = (struct h2_pseudo){b->len, (uint32_t)value.len, (uint8_t)pseudo};
		bad = value_put(b, value);
		cookie = false;
	} else {
		if (cookie && b->cookie) {
			b->len -= 2; // RFC 9113 8.2.3: crumbs are one cookie to the application
			text_put(b, SPAN_LIT("; "));
		} else {
			bad = name_put(b, name);
			text_put(b, SPAN_LIT(": "));
		}
		bad |= value_put(b, value);
		text_put(b, SPAN_LIT("\r\n"));
	}
	b->cookie = cookie;
	if (bad)
		ps->counters->v[CNT_HTTP_BAD_HEADER]++;
}

static bool inflater_ready(struct h2_half *h, struct h2_arena *arena)
{
	if (h->hd != NULL)
		return true;
	if (nghttp2_hd_inflate_new2(&h->hd, &arena->mem) != 0) {
		h->hd = NULL;
		return false;
	}
	// The encoder says itself how much of it it uses, never more than it was allowed.
	return nghttp2_hd_inflate_change_table_size(h->hd, H2_TABLE_MAX) == 0;
}

int h2_block_feed(struct h2_half *h, struct h2_parser *ps, struct h2_arena *arena, struct span in,
		  bool final)
{
	if (!inflater_ready(h, arena)) {
		ps->counters->v[CNT_H2_NO_STATE]++;
		return -EBADMSG;
	}
	h->block.bytes += (uint32_t)in.len;
	h->growth += H2_GROWTH_RATIO * in.len;
	while (in.len > 0 || final) {
		nghttp2_nv nv;
		int flags = 0;
		ssize_t n = nghttp2_hd_inflate_hd2(h->hd, &nv, &flags, in.data, in.len, final);

		if (n < 0) {
			if (arena->refused)
				ps->counters->v[CNT_H2_NO_STATE]++;
			arena->refused = 0;
			return -EBADMSG;
		}
		in = span_from(in, (size_t)n);
		if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0)
			field_put(h, ps, span_of(nv.name, nv.namelen),
				  span_of(nv.value, nv.valuelen));
		if ((flags & NGHTTP2_HD_INFLATE_FINAL) != 0) {
			nghttp2_hd_inflate_end_headers(h->hd);
			return 0;
		}
		if ((flags & NGHTTP2_HD_INFLATE_EMIT) == 0 && in.len == 0)
			return final ? -EBADMSG : 0;
	}
	return 0;
}

// ---- the head ----

static struct span pseudo_get(const struct h2_block *b, enum h2_pseudo_name name)
{
	for (uint8_t i = 0; i < b->n_pseudo; i++)
		if (b->pseudo[i].name == name)
			return span_of(b->text + b->pseudo[i].at, b->pseudo[i].len);
	return SPAN_NONE;
}

static void head_put(uint8_t *head, size_t *io_len, struct span s)
{
	if (s.len > 0)
		memcpy(head + *io_len, s.data, s.len);
	*io_len += s.len;
}

static void start_line(const struct h2_block *b, bool request, uint8_t *head, size_t *io_len)
{
	struct span authority = pseudo_get(b, H2_PSEUDO_AUTHORITY);
	struct span method = pseudo_get(b, H2_PSEUDO_METHOD);
	struct span path = pseudo_get(b, H2_PSEUDO_PATH);

	if (!request) {
		head_put(head, io_len, SPAN_LIT("HTTP/2 "));
		head_put(head, io_len, pseudo_get(b, H2_PSEUDO_STATUS));
		head_put(head, io_len, SPAN_LIT("\r\n"));
		return;
	}
	if (path.len == 0 && span_eq(method, SPAN_LIT("CONNECT"))) {
		path = authority; // once in the head, which has no room for two
		authority = SPAN_NONE;
	}
	if (path.len == 0)
		path = SPAN_LIT("/");
	head_put(head, io_len, method.len > 0 ? method : SPAN_LIT("-"));
	head_put(head, io_len, SPAN_LIT(" "));
	head_put(head, io_len, path);
	head_put(head, io_len, SPAN_LIT(" HTTP/2\r\n"));
	if (authority.len > 0) {
		head_put(head, io_len, SPAN_LIT("host: "));
		head_put(head, io_len, authority);
		head_put(head, io_len, SPAN_LIT("\r\n"));
	}
}

void h2_block_end(struct h2_half *h, struct h2_parser *ps, struct h2_event *ev)
{
	struct h2_block *b = &h->block;
	size_t len = 0;
	uint32_t from = 0;

	ev->kind = H2_EV_HEAD;
	ev->stream = b->stream;
	ev->promised = b->push ? b->promised : 0;
	ev->end_stream = b->end_stream;
	ev->has_start = b->n_pseudo > 0;
	ev->cut = b->cut;
	if (b->cut)
		ps->counters->v[CNT_H2_HEAD_CUT]++;
	if (b->text == NULL)
		return;
	h->growth = h->growth > b->len ? h->growth - b->len : 0;
	if (ev->has_start)
		start_line(b, h->dir == DIR_TO_SERVER || b->push, ps->head, &len);
	for (uint8_t i = 0; i < b->n_pseudo; i++) {
		head_put(ps->head, &len, span_of(b->text + from, b->pseudo[i].at - from));
		from = b->pseudo[i].at + b->pseudo[i].len;
	}
	head_put(ps->head, &len, span_of(b->text + from, b->len - from));
	head_put(ps->head, &len, SPAN_LIT("\r\n"));
	ev->data = span_of(ps->head, len);
	h2_done(h, ps);
}

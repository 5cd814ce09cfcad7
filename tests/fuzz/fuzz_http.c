// SPDX-License-Identifier: BSD-2-Clause
// One direction of a connection. The first byte says which, and what else happens; the rest is handed over in pieces
// whose sizes come from the data, each in a block of its own so that a sanitizer sees the first byte read too far.
//
//   bit 0  to the client     bits 2-3  what the responses answer     bit 5  no buffer to gather a head in
//   bit 1  the stream ends   bit 4     bytes are missing here and there
#include <stdlib.h>
#include <string.h>

#include "dataplane/engine/http.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t gather_memory[2][HTTP_GATHER_BYTES];
static struct http_parser parser;

struct state {
	struct http_half half;
	struct pool gathers;
	struct counters counters;
	enum dir dir;
	enum http_answers answers;
	size_t said; // bytes of heads, bodies and raw data
	bool upgraded;
};

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void check_head(const struct http_head *h, struct span raw)
{
	const struct span parts[] = {
		h->method,     h->target,  h->status_text,  h->host,
		h->user_agent, h->referer, h->content_type, h->content_disposition};

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		require(parts[i].len == 0 || (parts[i].data >= raw.data &&
					      parts[i].data + parts[i].len <= raw.data + raw.len));
	require(h->n_fields <= HTTP_FIELDS_MAX && h->n_codings <= HTTP_CODINGS_MAX);
	require(raw.len <= HTTP_HEAD_MAX);
}

static void piece(struct state *s, const uint8_t *data, size_t len, bool fin)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);
	struct span in = span_of(copy, len);
	struct http_event ev;
	size_t events = 0;

	require(copy != NULL);
	if (len > 0)
		memcpy(copy, data, len);
	while (!s->upgraded &&
	       http_next(&s->half, &parser, s->dir, s->answers, &in, fin, &ev) == 1) {
		require(++events <= 4 * len + 8);
		s->upgraded = ev.kind == HTTP_EV_UPGRADED;
		s->said += ev.data.len;
		if (ev.kind == HTTP_EV_HEAD) {
			s->said += ev.head->raw.len;
			check_head(ev.head, ev.head->raw);
		}
	}
	require(s->upgraded || in.len == 0);
	require(s->gathers.used <= 1);
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct state s;
	uint8_t how;

	if (size == 0)
		return 0;
	how = data[0];
	memset(&s, 0, sizeof(s));
	s.dir = (how & 1) != 0 ? DIR_TO_CLIENT : DIR_TO_SERVER;
	s.answers = (enum http_answers)((how >> 2 & 3) % 3);
	pool_init(&s.gathers, gather_memory, (how & 32) != 0 ? 0 : 2, HTTP_GATHER_BYTES);
	parser.gathers = &s.gathers;
	parser.counters = &s.counters;
	http_half_init(&s.half);
	for (size_t at = 1; at < size;) {
		size_t len = 1 + (data[at] * 31u + at) % 97;
		bool ends;

		if (data[at] % 5 == 0)
			len *= 64;
		if (len > size - at)
			len = size - at;
		piece(&s, data + at, len, false);
		at += len;
		if ((how & 16) != 0 && data[at - 1] % 3 == 0)
			http_gap(&s.half, &parser, data[at - 1], &ends);
	}
	piece(&s, NULL, 0, (how & 2) != 0);
	http_half_done(&s.half, &parser);
	require(s.said <= size - 1);
	require(s.gathers.used == 0);
	return 0;
}

// SPDX-License-Identifier: BSD-2-Clause
// One direction of a connection. The first byte says which, and what else happens; the rest is handed over in pieces
// whose sizes come from the data, each in a block of its own so that a sanitizer sees the first byte read too far. Where
// nothing else interferes the same bytes are read whole, too, and must say the same. A head that can be read in two ways
// starts a second parser under the other one.
//
//   bit 0  to the client     bits 2-3  what the responses answer     bit 5  no buffer to gather a head in
//   bit 1  the stream ends   bit 4     bytes are missing here and there
#include <stdlib.h>
#include <string.h>

#include "dataplane/engine/http.h"
#include "tests/fuzz/cost.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	COST_PER_BYTE = 100, // of both ways to cut it, each with another reading
	COST_FIXED = 4000,
};

static uint8_t gather_memory[2][2][HTTP_GATHER_BYTES];
static struct http_parser parser;

struct state {
	struct http_half half, other;
	struct pool gathers;
	struct counters counters;
	enum dir dir;
	enum http_answers answers;
	size_t said;   // bytes of heads, bodies and raw data
	uint64_t hash; // of all that was said
	bool upgraded, has_other;
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
	require(h->framing < HTTP_FRAMING_N && h->other_framing <= HTTP_FRAMING_N);
	require(h->framing != h->other_framing || h->content_length != h->other_length);
	require(h->notes >> HTTP_NOTE_N == 0);
}

static void mix(struct state *s, uint64_t v)
{
	s->hash = (s->hash ^ v) * 0x100000001b3u;
}

static void mix_span(struct state *s, uint64_t mark, struct span data)
{
	for (size_t i = 0; i < data.len; i++)
		mix(s, mark << 8 | data.data[i]);
}

static int parse(const struct state *s, struct http_half *half, struct span *in, bool fin,
		 struct http_event *ev)
{
	int said;

	cost_counts = true;
	said = http_next(half, &parser, s->dir, s->answers, in, fin, ev);
	cost_counts = false;
	return said;
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
	if (s->has_other) {
		struct span other = in;
		size_t others = 0;

		while (parse(s, &s->other, &other, fin, &ev) == 1 && ev.kind != HTTP_EV_UPGRADED)
			require(++others <= 4 * len + 8);
	}
	while (!s->upgraded && parse(s, &s->half, &in, fin, &ev) == 1) {
		require(++events <= 4 * len + 8);
		s->upgraded = ev.kind == HTTP_EV_UPGRADED;
		s->said += ev.data.len;
		if (ev.kind == HTTP_EV_HEAD) {
			s->said += ev.head->raw.len;
			check_head(ev.head, ev.head->raw);
			mix_span(s, ev.kind, ev.head->raw);
			mix(s, (uint64_t)ev.head->notes << 20 | (uint64_t)ev.head->framing << 10 |
				       ev.head->other_framing);
			if (!s->has_other && ev.head->other_framing != HTTP_FRAMING_N) {
				http_half_other(&s->other, ev.head);
				s->has_other = true;
			}
		}
		mix_span(s, ev.kind, ev.data);
		if (ev.kind == HTTP_EV_END || ev.kind == HTTP_EV_UPGRADED)
			mix(s, UINT64_C(1) << 40 | (uint64_t)ev.kind << 1 | ev.truncated);
	}
	require(s->upgraded || in.len == 0);
	require(s->gathers.used <= 2);
	free(copy);
}

static void begin(struct state *s, uint8_t how)
{
	cost_begin();
	memset(s, 0, sizeof(*s));
	s->dir = (how & 1) != 0 ? DIR_TO_CLIENT : DIR_TO_SERVER;
	s->answers = (enum http_answers)((how >> 2 & 3) % 3);
	pool_init(&s->gathers, gather_memory, (how & 32) != 0 ? 0 : 4, HTTP_GATHER_BYTES);
	parser.gathers = &s->gathers;
	parser.counters = &s->counters;
	http_half_init(&s->half);
}

static void end(struct state *s, uint8_t how, size_t size)
{
	piece(s, NULL, 0, (how & 2) != 0);
	http_half_done(&s->half, &parser);
	if (s->has_other)
		http_half_done(&s->other, &parser);
	cost_end(size, COST_PER_BYTE, COST_FIXED);
	require(s->said <= size);
	require(s->gathers.used == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct state s, whole;
	uint8_t how;

	if (size == 0)
		return 0;
	how = data[0];
	begin(&s, how);
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
	end(&s, how, size - 1);
	if ((how & (16 | 32)) != 0 || size > HTTP_HEAD_MAX)
		return 0;
	begin(&whole, how);
	piece(&whole, data + 1, size - 1, false);
	end(&whole, how, size - 1);
	require(whole.hash == s.hash && whole.said == s.said);
	require(memcmp(whole.counters.v + CNT_HTTP_REQUESTS, s.counters.v + CNT_HTTP_REQUESTS,
		       (CNT_HTTP_TRUNCATED - CNT_HTTP_REQUESTS) * sizeof(uint64_t)) == 0 ||
		s.has_other); // the other parser counts, too, as far as it came
	return 0;
}

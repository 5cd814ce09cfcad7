// SPDX-License-Identifier: BSD-2-Clause
// A multipart body, its Content-Type up to the first line feed. Read in one piece, and in pieces whose sizes come from the
// data, each in a block of its own: the same events, the same bytes in them.
#include <stdlib.h>
#include <string.h>

#include "dataplane/engine/mime.h"
#include "dataplane/engine/range.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct result {
	uint64_t sum; // of what was said; data of the same kind joined
	uint64_t data, outside, decoded, parts;
	int last;
	bool open;
	struct counters counters;
};

static struct mime mime;

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void sum_add(struct result *r, struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		r->sum = (r->sum ^ s.data[i]) * UINT64_C(0x100000001b3);
	r->sum = (r->sum ^ 0x100) * UINT64_C(0x100000001b3);
}

static void note_begin(struct result *r, const struct mime_part *p)
{
	struct range range;

	require(!r->open);
	r->open = true;
	r->parts++;
	sum_add(r, p->head);
	sum_add(r, p->name);
	sum_add(r, p->filename);
	sum_add(r, p->filename_other);
	sum_add(r, p->content_type);
	sum_add(r, p->content_range);
	if (range_parse(p->content_range, &range) == 0)
		require(range.first <= range.last && range.last < range.total);
}

static void note(struct result *r, const struct mime_event *ev)
{
	if (ev->kind != MIME_EV_DECODED) {
		if ((int)ev->kind != r->last || ev->kind == MIME_EV_END)
			sum_add(r, span_of(&ev->kind, sizeof(ev->kind)));
		r->last = (int)ev->kind;
	}
	switch (ev->kind) {
	case MIME_EV_BEGIN:
		note_begin(r, ev->part);
		return;
	case MIME_EV_END:
		require(r->open);
		r->open = false;
		r->sum += ev->truncated;
		return;
	case MIME_EV_DATA:
		require(r->open);
		r->data += ev->data.len;
		break;
	case MIME_EV_OUTSIDE:
		require(!r->open);
		r->outside += ev->data.len;
		break;
	case MIME_EV_DECODED:
		require(r->open && ev->part->encoding != MIME_IDENTITY);
		r->decoded += ev->data.len;
		require(r->decoded <= r->data);
		return;
	}
	require(ev->data.len > 0);
	for (size_t i = 0; i < ev->data.len; i++)
		r->sum = (r->sum ^ ev->data.data[i]) * UINT64_C(0x100000001b3);
}

static bool run(struct span type, const uint8_t *data, size_t size, bool whole, struct result *r)
{
	memset(r, 0, sizeof(*r));
	r->last = -1;
	if (mime_begin(&mime, type, &r->counters) != 0)
		return false;
	for (size_t at = 0, len = 0; at < size; at += len) {
		uint8_t *copy;
		struct span in;
		struct mime_event ev;
		size_t events = 0;

		len = whole ? size : 1 + (data[at] * 31u + at) % 29;
		if (len > size - at)
			len = size - at;
		copy = malloc(len);
		require(copy != NULL);
		memcpy(copy, data + at, len);
		in = span_of(copy, len);
		while (mime_next(&mime, &in, false, &r->counters, &ev) == 1) {
			note(r, &ev);
			require(++events <= 3 * len + 8);
		}
		require(in.len == 0);
		free(copy);
	}
	for (struct mime_event ev;
	     mime_next(&mime, &(struct span){0}, true, &r->counters, &ev) == 1;)
		note(r, &ev);
	require(!r->open);
	require(r->data + r->outside <= size);
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *lf = size > 0 ? memchr(data, '\n', size) : NULL;
	size_t n = lf != NULL ? (size_t)(lf - data) : size;
	const uint8_t *body = data + n + (lf != NULL);
	struct result whole, cut;

	if (!run(span_of(data, n), body, (size_t)(data + size - body), true, &whole))
		return 0;
	require(run(span_of(data, n), body, (size_t)(data + size - body), false, &cut));
	require(whole.sum == cut.sum && whole.data == cut.data && whole.parts == cut.parts);
	require(whole.outside == cut.outside && whole.decoded == cut.decoded);
	require(memcmp(&whole.counters, &cut.counters, sizeof(cut.counters)) == 0);
	return 0;
}

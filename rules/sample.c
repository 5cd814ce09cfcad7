// SPDX-License-Identifier: BSD-2-Clause
// The container, and heads taken apart into the buffers that rules name. The texts are made in sample_web.c.
#include "rules/sample.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int sample_add(struct sample *s, unsigned int buffer, enum dir dir, struct span data)
{
	if (s->used + data.len + SAMPLE_TAIL_BYTES > SAMPLE_BYTES_MAX) {
		s->full = true;
		return 0;
	}
	if (s->n == s->cap) {
		size_t cap = s->cap != 0 ? 2 * s->cap : 1024;
		struct sample_piece *v = realloc(s->v, cap * sizeof(*v));

		if (v == NULL)
			return -ENOMEM;
		s->v = v;
		s->cap = cap;
	}
	if (s->used + data.len + SAMPLE_TAIL_BYTES > s->room) {
		size_t room = 2 * (s->used + data.len + SAMPLE_TAIL_BYTES);
		uint8_t *bytes = realloc(s->bytes, room);

		if (bytes == NULL)
			return -ENOMEM;
		s->bytes = bytes;
		s->room = room;
	}
	if (data.len > 0)
		memcpy(s->bytes + s->used, data.data, data.len);
	memset(s->bytes + s->used + data.len, 0, SAMPLE_TAIL_BYTES);
	s->v[s->n++] = (struct sample_piece){.buffer = (uint8_t)buffer,
					     .dir = (uint8_t)dir,
					     .off = (uint32_t)s->used,
					     .len = (uint32_t)data.len};
	s->used += data.len + SAMPLE_TAIL_BYTES;
	return 0;
}

void sample_done(struct sample *s)
{
	free(s->v);
	free(s->bytes);
	memset(s, 0, sizeof(*s));
}

// SPDX-License-Identifier: BSD-2-Clause
// Messages as rules see them, buffer by buffer: what literals, databases and rules are measured on.
#ifndef RULES_SAMPLE_H
#define RULES_SAMPLE_H

#include <stdbool.h>

#include "common/buffer.h"
#include "common/span.h"

enum {
	SAMPLE_BYTES_MAX = 64 << 20,
	SAMPLE_TAIL_BYTES = 64, // readable behind every piece, as libhs needs it
};

// One buffer of one message. The body of a response stands as file.data, whatever a rule calls it.
struct sample_piece {
	uint8_t buffer, dir; // enum buffer, enum dir
	uint32_t off, len;   // in bytes
};

// Init to zero, release with sample_done().
struct sample {
	struct sample_piece *v;
	size_t n, cap;
	uint8_t *bytes;
	size_t used, room;
	uint32_t messages[DIR_N];
	bool full; // something was left out: SAMPLE_BYTES_MAX reached
};

// Append a buffer of the message that was begun last. 0 (also when it is left out), -ENOMEM.
int sample_add(struct sample *s, unsigned int buffer, enum dir dir, struct span data);

static inline void sample_message(struct sample *s, enum dir dir)
{
	s->messages[dir]++;
}

static inline struct span sample_span(const struct sample *s, size_t i)
{
	return span_of(s->bytes + s->v[i].off, s->v[i].len);
}

// Add the built-in messages: some hundred requests and answers of an imagined web site, about a MiB, the same on every
// machine: pages, scripts, style sheets, JSON, forms and pictures, made of common words. 0 or -ENOMEM.
int sample_builtin(struct sample *s);

void sample_done(struct sample *s);

#endif

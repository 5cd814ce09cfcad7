// SPDX-License-Identifier: BSD-2-Clause
// A copy of the buffers that rules look at, and of what is inflated for them, for who measures on a capture of his own
// ("rules check --profile", "bench"). Only a process that replays a capture gives its pipeline one; workers on the wire
// have none, and no byte is copied.
#ifndef ENGINE_TAP_H
#define ENGINE_TAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "common/span.h"

enum {
	TAP_DEFLATE = 0xff, // DEFLATE data as the inflater takes it, dir unknown
};

// Before each piece in tap.mem; the next one follows at a multiple of eight.
struct tap_record {
	uint64_t message; // a word of its own for every message in progress, or for every decoder
	uint32_t len;     // 0: the stream buffer ends here, or DEFLATE data begins
	uint8_t buffer;   // enum buffer; BUF_N: the message has ended; TAP_DEFLATE
	uint8_t dir;      // enum dir
	uint16_t is_seam; // of a search across the start of a message, not of a message
};

// Written by the pipeline, emptied (used = 0) by its caller between bursts.
struct tap {
	uint8_t *mem; // aligned to eight
	size_t room, used;
	uint64_t lost; // pieces that found no room
};

static inline void tap_put(struct tap *t, uint64_t message, unsigned int buffer, unsigned int dir,
			   bool is_seam, struct span data)
{
	const struct tap_record r = {message, (uint32_t)data.len, (uint8_t)buffer, (uint8_t)dir,
				     is_seam};
	size_t bytes = (sizeof(r) + data.len + 7) & ~(size_t)7;

	if (bytes > t->room - t->used) {
		t->lost++;
		return;
	}
	memcpy(t->mem + t->used, &r, sizeof(r));
	if (data.len > 0)
		memcpy(t->mem + t->used + sizeof(r), data.data, data.len);
	t->used += bytes;
}

#endif

// SPDX-License-Identifier: BSD-2-Clause
// Content decoding of message bodies: gzip, deflate, br and zstd, one inside the other, pulled in bounded pieces.
//
//   decode_begin()                                     the codings of the head
//   decode_feed(), then decode_next() until it is 0    each piece of the body
//   decode_end(), then decode_next() until it is 0     the body has ended
//   decode_done()                                      gives everything back
//
// Nothing is skipped: what is not what its label says, what is broken, what stands behind the end and what is left
// when a budget is used up comes out as it was sent.
//
// Budget, reserved before a decoder runs (reliability 3.1): all layers of a body together put out at most
// DECODE_RATIO_MAX times the bytes that came on the wire, and DECODE_FREE_BYTES. So a byte on the wire costs no more
// than 200 bytes of work, and what is free is bounded per message and per flow. DEFLATE's own ceiling is 1,032; a block
// of zstd that says "128 KiB of zeros" takes four bytes. Text compresses 3 to 20 times.
#ifndef ENGINE_DECODE_H
#define ENGINE_DECODE_H

#include "common/counters.h"
#include "common/span.h"
#include "dataplane/engine/arena.h"
#include "dataplane/engine/http.h"

enum {
	DECODE_LAYERS_MAX = 3,
	DECODE_OUT_BYTES = 64 << 10, // one piece of output
	DECODE_PAD_BYTES = 64,       // readable behind every piece of output
	DECODE_RATIO_MAX = 200,
	DECODE_FREE_BYTES = 256 << 10, // of a message
	DECODE_FLOW_BYTES = 1 << 20,   // of all messages of a flow
	// RFC 9659: zstd over HTTP stays within 8 MiB.
	DECODE_ZSTD_WINDOW_LOG = 23,
	// Per inflater; 512 of them give the 64 MiB that four bodies with the largest windows of br fill.
	DECODE_ARENA_BYTES = 128 << 10,
	DECODE_ARENA_MAX = 256 << 20,
};

struct decoder;
struct tap;

// What the bodies of one worker share.
struct decode_ctx {
	struct pool decoders; // 384 bytes each
	struct pool inflates; // ISA-L states, 87 KiB each
	struct arena arena;   // what br and zstd allocate
	struct counters *counters;
	struct tap *tap;                 // NULL: none
	uint8_t *out[DECODE_LAYERS_MAX]; // DECODE_OUT_BYTES + DECODE_PAD_BYTES each
};

// One body. All zero: not encoded, not begun.
struct decode_body {
	struct decoder *layer[DECODE_LAYERS_MAX]; // undone in this order
	struct span in[DECODE_LAYERS_MAX];        // not yet used by the layer
	uint64_t in_bytes;                        // on the wire
	uint64_t out_bytes;                       // of all layers
	uint32_t *io_free;                        // left of DECODE_FLOW_BYTES
	uint32_t free_bytes;                      // for this message
	uint8_t n_layers;
	bool ended;   // no more input
	bool as_is;   // not decoded to its end: some of it came out as it was sent
	bool gave_up; // as_is for want of room, not because of the data
};

// Memory of a context with room for n_inflates gzip and deflate bodies at a time, and for br and zstd in proportion.
size_t decode_memory(uint32_t n_inflates);

// mem: decode_memory(n_inflates), 64-byte aligned.
void decode_init(struct decode_ctx *x, void *mem, uint32_t n_inflates, struct counters *counters);

// Objects in use: 0 when no body is in progress.
uint32_t decode_in_use(const struct decode_ctx *x);

// A body with n codings (enum http_coding), in the order in which they must be undone. io_free: what is left of
// DECODE_FLOW_BYTES of its flow; must stay until decode_done(). A coding nobody knows is looked at all the same: it is
// passed over, or gzip or zstd by its first bytes. Without room the body stays as it is, counted.
void decode_begin(struct decode_ctx *x, struct decode_body *b, const uint8_t *codings,
		  unsigned int n, uint32_t *io_free);

static inline bool decode_active(const struct decode_body *b)
{
	return b->n_layers > 0;
}

// The next piece as sent. It must stay until decode_next() has returned 0, and be used up before the next one.
void decode_feed(struct decode_body *b, struct span piece);

// No piece will follow.
void decode_end(struct decode_body *b);

// Bytes are missing: what follows comes out as it is sent.
void decode_gap(struct decode_body *b);

// 1: *ret_data, never empty, valid until the next call; 0: the piece is used up. It points into the context, a decoder
// or the piece; in the first two cases DECODE_PAD_BYTES behind it are readable.
int decode_next(struct decode_ctx *x, struct decode_body *b, struct span *ret_data);

// Also in the middle of a body. Leaves *b all zero.
void decode_done(struct decode_ctx *x, struct decode_body *b);

#endif

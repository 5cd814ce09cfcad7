// SPDX-License-Identifier: BSD-2-Clause
// Inside of decode*.c: one layer, and the library that works for it.
#ifndef ENGINE_DECODE_IMPL_H
#define ENGINE_DECODE_IMPL_H

#include "dataplane/engine/decode.h"

struct inflate_state;

enum {
	// So many bytes are kept before data without a magic number is judged: the verdict then does not depend on how
	// the bytes were cut. Text that passes as DEFLATE or br for so long was not met.
	DECODE_HOLD_BYTES = 256,
};

enum decode_state {
	DECODE_JUDGE, // collecting first bytes
	DECODE_HEADER,
	DECODE_DATA,
	DECODE_TRAILER,
	DECODE_BETWEEN, // a member has ended: another one, or junk
	DECODE_AS_SENT,
};

enum decode_engine {
	ENGINE_NONE,
	ENGINE_GZIP,
	ENGINE_ZLIB,
	ENGINE_RAW, // DEFLATE without a wrapper
	ENGINE_BR,
	ENGINE_ZSTD,
};

// One coding of one body. Bytes in hold[hold_at..n_hold) are read before the input.
struct decoder {
	uint8_t hold[DECODE_HOLD_BYTES];
	uint8_t pad[DECODE_PAD_BYTES]; // readable behind hold
	union {
		struct inflate_state *isal;
		void *br;
		void *zstd;
	};
	uint16_t n_hold, hold_at;
	uint16_t left; // bytes of the part of gzip's header; of the trailer
	uint16_t extra_bytes;
	uint8_t coding; // enum http_coding: the label
	uint8_t state;  // enum decode_state
	uint8_t engine; // enum decode_engine
	uint8_t part;   // enum gzip_part: where in the header
	uint8_t flags;  // gzip's
	uint8_t trailer[4];
	bool more;  // the last piece of output was full: there may be more without input
	bool ended; // no more input for this layer
};

// Result of engine_run(); negative: the data is broken, or -ENOBUFS.
enum engine_result {
	ENGINE_GOES_ON,
	ENGINE_ENDED, // of a member, frame or stream; bytes behind it have not been taken from *io_in
};

// Start with the next byte. 0 or -ENOBUFS. Closes what was open.
int engine_open(struct decode_ctx *x, struct decoder *d, enum decode_engine engine);
void engine_close(struct decode_ctx *x, struct decoder *d);

// Decode from the front of *io_in into out, size > 0 bytes; *ret_n is written in every case. Bytes ISA-L has looked at
// beyond the end are put back to *io_in, or into d->hold when they came before it.
int engine_run(struct decode_ctx *x, struct decoder *d, struct span *io_in, uint8_t *out,
	       size_t size, size_t *ret_n);

// What the decoder has summed up so far; compared with what stands in the trailer.
uint32_t engine_checksum(const struct decoder *d);

// One step of layer i: 1 with output, 0 when it needs more input.
int layer_next(struct decode_ctx *x, struct decode_body *b, unsigned int i, struct span *ret_data);

#endif

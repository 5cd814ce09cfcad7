// SPDX-License-Identifier: BSD-2-Clause
// Content decoding of message bodies: gzip and deflate through pooled ISA-L states, pulled in bounded pieces.
#ifndef ENGINE_DECODE_H
#define ENGINE_DECODE_H

#include <isa-l/igzip_lib.h>

#include "common/counters.h"
#include "common/span.h"
#include "dataplane/engine/http.h"

enum {
	DECODE_OUT_BYTES = 64 << 10, // one piece of output
	// A body is given up as a decompression bomb when it yields more than RATIO times its input beyond FREE bytes.
	// DEFLATE's own ceiling is 1,032; text compresses 3 to 20 times.
	DECODE_RATIO_MAX = 200,
	DECODE_FREE_BYTES = 16 << 20,
};

enum decode_state {
	DECODE_FIRST,  // looking at the first two bytes
	DECODE_HEADER, // of gzip, behind its first two bytes
	DECODE_DATA,
	DECODE_BETWEEN, // a member has ended: another one, or junk
	DECODE_FAILED,  // give the rest as it is
};

// 87 KiB, nearly all of it ISA-L's window and tables. From a pool of the worker.
struct decoder {
	uint64_t in_bytes, out_bytes;
	uint8_t coding; // enum http_coding
	uint8_t state;  // enum decode_state
	uint8_t n_first;
	uint8_t first[2];
	uint8_t replay; // bytes of first still to be fed
	uint8_t part;   // enum gzip_part: where in the header
	uint8_t flags;  // gzip's
	uint16_t left;  // bytes of the part
	uint16_t extra_bytes;
	struct inflate_state isal;
};

void decode_init(struct decoder *d, enum http_coding coding);

// Decode from the front of *io_in into out (DECODE_OUT_BYTES). 1: *ret_data is decoded (or, after a failure, as sent);
// 0: all input is used. ret_data points into out or into the input.
int decode_next(struct decoder *d, struct span *io_in, uint8_t *out, struct span *ret_data,
		struct counters *counters);

// The body ends: bytes still held back because they could not be judged, as sent. Points into d.
struct span decode_rest(struct decoder *d);

#endif

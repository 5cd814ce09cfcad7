// SPDX-License-Identifier: BSD-2-Clause
// permessage-deflate (RFC 7692): raw DEFLATE whose messages end with a sync flush, the four bytes of which are not
// sent. With context takeover a message may refer to the bytes of those before it.
#ifndef ENGINE_WS_INFLATE_H
#define ENGINE_WS_INFLATE_H

#include <isa-l/igzip_lib.h>

#include "common/counters.h"
#include "common/span.h"

enum {
	WS_INFLATE_PIECE = 64 << 10, // one piece of output
	// Output is given up beyond FREE bytes plus RATIO times the input, counted over the connection.
	WS_INFLATE_FREE_BYTES = 4 << 20,
	WS_INFLATE_RATIO_MAX = 200,
};

// 87 KiB, nearly all of it ISA-L's window and tables. From a pool of the worker.
struct ws_inflate {
	uint64_t in_bytes, out_bytes;
	uint8_t failed; // the rest of the message comes as sent
	uint8_t lost;   // so do all messages after it: what they refer to is missing
	uint8_t takeover;
	uint8_t more; // output was left over
	struct inflate_state isal;
};

void ws_inflate_init(struct ws_inflate *z, bool takeover);

// A compressed message begins.
void ws_inflate_begin(struct ws_inflate *z);

// Inflate from the front of *io_in into out (WS_INFLATE_PIECE). 1: *ret_data is inflated (or, after a failure, as
// sent); 0: all input is used.
int ws_inflate_next(struct ws_inflate *z, struct span *io_in, uint8_t *out, struct span *ret_data,
		    struct counters *counters);

// What follows the last byte of a message: input for ws_inflate_next() unless the message has failed.
struct span ws_inflate_tail(const struct ws_inflate *z);

// Bytes of the message are missing.
void ws_inflate_gap(struct ws_inflate *z, struct counters *counters);

#endif

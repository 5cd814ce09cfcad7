// SPDX-License-Identifier: BSD-2-Clause
// WebSocket frames (RFC 6455), one half per direction, as a pull parser: bytes go in, cut anywhere; messages come out
// unmasked, their frames joined. Control frames are passed over, in between the frames of a message too.
//
// A half that reads what no endpoint takes for a frame says RAW from there to the end of the stream. RSV bits belong to
// extensions and are no error: endpoints that did not agree on one close, ours reads on.
#ifndef ENGINE_WS_H
#define ENGINE_WS_H

#include <stdbool.h>

#include "common/buffer.h"
#include "common/counters.h"
#include "common/span.h"

struct http_head;

enum {
	WS_PIECE_BYTES = 16 << 10, // unmasked at a time: fits the first-level cache twice
	WS_HEADER_MAX = 14,
};

enum ws_state {
	WS_HEADER,
	WS_PAYLOAD,
	WS_RAW_HEADER, // header bytes first, then everything else
	WS_RAW,
};

struct ws_half {
	uint64_t remain; // of the frame's payload
	uint8_t header[WS_HEADER_MAX];
	uint8_t header_len;
	uint8_t state;      // enum ws_state
	uint8_t mask[4];    // of the frame, zero when it is not masked
	uint8_t phase;      // which byte of mask is next
	uint8_t opcode;     // of the frame
	uint8_t final;      // the frame ends its message
	uint8_t masked;     // the frame is
	uint8_t in_message; // between the first and the last frame of a message
	uint8_t deflate;    // RSV1 says that a message is compressed
	uint8_t seen;       // a frame was
};

enum ws_event_kind {
	WS_EV_BEGIN, // a message: compressed, masked
	WS_EV_DATA,  // its next bytes, unmasked
	WS_EV_END,   // the message is complete
	WS_EV_RAW,   // data that is no WebSocket frame, as sent
};

struct ws_event {
	enum ws_event_kind kind;
	struct span data; // valid until the next call; points into the input or into out
	bool compressed;  // BEGIN: RFC 7692
	bool masked;      // DATA: differs from what was sent
};

// What an answer to Upgrade: websocket agreed on.
struct ws_extensions {
	bool deflate; // permessage-deflate
	bool no_takeover
		[DIR_N]; // of the sender in that direction: every message is compressed on its own
};

// Read Sec-WebSocket-Extensions of a 101 response. Window sizes do not matter to a reader with the largest one.
void ws_extensions_read(const struct http_head *head, struct ws_extensions *ret_ext);

void ws_init(struct ws_half *h, bool deflate);

// Next event. Advances *io_in past what it took. out: WS_PIECE_BYTES + 64, for unmasked bytes.
// 1: *ret_ev; 0: *io_in is used up.
int ws_next(struct ws_half *h, struct span *io_in, uint8_t *out, struct counters *counters,
	    struct ws_event *ret_ev);

// gap_bytes are missing at the current position. True: they lie in a frame's payload, and it goes on behind them.
// False: frames are lost, the rest is RAW; a message in progress has no end any more.
bool ws_gap(struct ws_half *h, uint64_t gap_bytes, struct counters *counters);

// The half reads a message whose end has not come.
static inline bool ws_in_message(const struct ws_half *h)
{
	return h->in_message != 0;
}

// The direction is RAW from its first bytes on, and they begin a TLS record or an SSH banner: no WebSocket at all, but
// a tunnel that was set up like one.
bool ws_is_tunnel(const struct ws_half *h);

#endif

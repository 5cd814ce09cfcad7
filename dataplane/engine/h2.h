// SPDX-License-Identifier: BSD-2-Clause
// HTTP/2 frames in the clear (RFC 9113), one half per direction, as a pull parser: bytes go in, cut anywhere; heads, bodies
// and ends of streams come out. Which streams there are is the caller's business.
//
// Header blocks are decompressed by libnghttp2 as their bytes come and written as the text that HTTP/1.1 would have sent:
//
//   GET /path HTTP/2 CR LF          HTTP/2 200 CR LF
//   host: example.test CR LF        name: value CR LF
//   name: value CR LF               CR LF
//   CR LF
//
// so that everything that reads heads reads these, too. What no endpoint accepts makes the rest of the direction RAW.
#ifndef ENGINE_H2_H
#define ENGINE_H2_H

#include <stdbool.h>

#include "common/buffer.h"
#include "common/counters.h"
#include "common/span.h"
#include "dataplane/engine/h2_arena.h"

enum {
	H2_TABLE_MAX = 64 << 10, // of each direction's dynamic table, whatever was announced
	H2_BLOCK_MAX = 64 << 10, // compressed bytes of a header block, all its frames
	H2_BLOCK_FRAMES_MAX = 256,
	// A block may name table entries of 4 KiB with a byte each. What a block may grow to is bounded over the
	// connection: FREE bytes, RATIO more for each compressed one, and always MIN. Browsers' blocks grow
	// twentyfold, thirtyfold.
	H2_GROWTH_FREE = 1 << 20,
	H2_GROWTH_RATIO = 64,
	H2_GROWTH_MIN = 2048,
	H2_FRAME_HEADER = 9,
	H2_PREFIX_MAX = 6,
	H2_PSEUDO_MAX = 5,
};

enum h2_state {
	H2_PREFACE,
	H2_FRAME,  // at its header
	H2_PREFIX, // padding length, priority, promised stream
	H2_BLOCK,  // header block fragment
	H2_DATA,
	H2_OTHER, // payload of any other frame
	H2_PADDING,
	H2_FRAME_END,
	H2_END_STREAM, // say END at the next call
	H2_RAW_HELD,   // the bytes of the refused frame header first
	H2_RAW,
};

enum h2_pseudo_name {
	H2_PSEUDO_METHOD,
	H2_PSEUDO_SCHEME,
	H2_PSEUDO_AUTHORITY,
	H2_PSEUDO_PATH,
	H2_PSEUDO_STATUS,
};

// A value that was set aside for the start line.
struct h2_pseudo {
	uint32_t at, len;
	uint8_t name; // enum h2_pseudo_name
};

// The header block in progress.
struct h2_block {
	uint8_t *
		text; // pooled gather buffer: fields as text, pseudo-header values among them; NULL: no room
	uint32_t len, limit;
	uint32_t bytes; // compressed, so far
	uint32_t stream, promised;
	uint32_t frames;
	struct h2_pseudo pseudo[H2_PSEUDO_MAX];
	uint8_t n_pseudo;
	uint8_t open; // no END_HEADERS yet
	uint8_t end_stream, push;
	uint8_t cut;    // some fields did not fit
	uint8_t cookie; // the last field was a cookie: the next crumb joins it
	uint8_t seen_preface;
};

struct h2_half {
	nghttp2_hd_inflater *hd; // NULL until the first block
	uint64_t growth;         // bytes that header blocks may still grow to
	uint32_t remain;         // of the part of the payload in hand
	uint32_t padding;        // behind it
	uint32_t stream;
	uint8_t header[H2_FRAME_HEADER];
	uint8_t prefix[H2_PREFIX_MAX];
	uint8_t header_len, prefix_len, prefix_need;
	uint8_t type, flags; // of the frame
	uint8_t state;       // enum h2_state
	uint8_t first;       // no frame seen yet
	uint8_t dir;
	uint16_t why; // enum counter: RAW because of this
	struct h2_block block;
};

enum h2_event_kind {
	H2_EV_HEAD,  // of a stream: data is its text
	H2_EV_DATA,  // of a stream: body bytes
	H2_EV_END,   // of a stream, in this direction
	H2_EV_RESET, // of a stream, in both
	H2_EV_OTHER, // payload that belongs to no stream's messages: padding, debug data, unknown frames
	H2_EV_RAW, // data that is no HTTP/2, as sent
};

struct h2_event {
	enum h2_event_kind kind;
	uint32_t stream;
	uint32_t
		promised; // HEAD: the request of this stream, which the server announces on stream; else 0
	struct span data; // valid until the next call
	bool end_stream;  // HEAD: no body follows; END comes next
	bool has_start;   // HEAD: has a start line; without: a trailer
	bool cut;         // HEAD: not all fields
};

// Per worker. head: HTTP_GATHER_BYTES.
struct h2_parser {
	struct pool *gathers; // of HTTP_GATHER_BYTES
	struct counters *counters;
	uint8_t *head;
};

// The first six bytes behind the head "PRI * HTTP/2.0", or all 24 of the preface.
enum h2_preface { H2_PREFACE_NONE, H2_PREFACE_REST, H2_PREFACE_ALL };

void h2_init(struct h2_half *h, enum dir dir, enum h2_preface preface);

// Give back the buffer it may hold.
void h2_done(struct h2_half *h, struct h2_parser *ps);

// Next event. Advances *io_in past what it took. arena: of the connection. 1: *ret_ev; 0: *io_in is used up.
int h2_next(struct h2_half *h, struct h2_parser *ps, struct h2_arena *arena, struct span *io_in,
	    struct h2_event *ret_ev);

// gap_bytes are missing at the current position. True: they lie in the body of *ret_stream, or in a frame that means
// nothing (0). False: frames are lost, the rest is RAW.
bool h2_gap(struct h2_half *h, struct h2_parser *ps, uint64_t gap_bytes, uint32_t *ret_stream);

// Are these the first bytes a server sends on a connection of its own accord: a SETTINGS frame? 1 yes, 0 no, -1 not
// enough bytes.
int h2_is_settings(struct span first);

// ---- header blocks (h2_head.c) ----

// A block begins.
void h2_block_begin(struct h2_half *h, struct h2_parser *ps);

// Its next bytes; final: the last ones. 0, or -EBADMSG: the direction's table is lost.
int h2_block_feed(struct h2_half *h, struct h2_parser *ps, struct h2_arena *arena, struct span in,
		  bool final);

// It is complete: what it says. Gives its buffer back.
void h2_block_end(struct h2_half *h, struct h2_parser *ps, struct h2_event *ev);

#endif

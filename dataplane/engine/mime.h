// SPDX-License-Identifier: BSD-2-Clause
// Multipart bodies (RFC 2046, RFC 7578; byteranges of RFC 9110 14.6): a pull parser that says which bytes are in which part.
//
//   mime_begin(&m, content_type)                       once per body: is it multipart, and what is its boundary
//   while (mime_next(&m, &in, fin, counters, &ev))     for each piece of the decoded body; fin: it is the last one
//
//   OUTSIDE*  { BEGIN (DATA DECODED*)* END  OUTSIDE* }*
//
// It reads as laxly as PHP, Python and Suricata together: lines may end in LF alone, the last boundary may be missing, parts
// may stand behind it, a head may be empty, unfinished or cut off by a boundary. Bytes can be cut anywhere; at most the
// length of the boundary and five bytes (CR LF "--" boundary "-") are kept from one piece to the next, in the state. Every
// byte of a part comes out exactly once as DATA; what comes in and is not DATA is a boundary, a head or OUTSIDE.
//
// A part that is multipart itself is data. The body as a whole is inspected anyway: what the parts add is where each
// begins and ends, what it is called, and what is behind its transfer encoding.
#ifndef ENGINE_MIME_H
#define ENGINE_MIME_H

#include <stdbool.h>

#include "common/counters.h"
#include "common/span.h"

enum {
	MIME_BOUNDARY_MAX = 256, // RFC 2046: 70
	MIME_HEAD_MAX = 8 << 10, // of a part; what is beyond is taken for its data
	MIME_PARTS_MAX = 1000,   // PHP's max_multipart_body_parts: 20 files and 1,000 fields
	MIME_TEXT_BYTES = 2048,  // names of a part, decoded; what is beyond is cut
	MIME_OUT_BYTES = 1024,   // one piece of DECODED
	MIME_PAD_BYTES = 64,     // readable behind what comes out of the state, as libhs wants it
};

enum mime_encoding {
	MIME_IDENTITY, // also 7bit, 8bit, binary and what nobody knows
	MIME_BASE64,
	MIME_QUOTED_PRINTABLE,
};

// What the head of a part says. Spans point into the state and live until the next mime_next().
struct mime_part {
	struct span head; // its lines as sent, up to the empty one
	struct span name;
	// filename* (RFC 5987, percent-decoded, its character set not looked at) goes before the parts of RFC 2231, and those
	// go before filename. filename_other: what stands there as well and differs; servers do not agree.
	struct span filename, filename_other;
	struct span content_type;  // the whole value
	struct span content_range; // the same, for range_parse()
	uint8_t encoding;  // enum mime_encoding; servers of forms ignore it, readers of mail do not
	bool has_filename; // even if it is empty
};

enum mime_event_kind {
	MIME_EV_BEGIN, // of a part: part
	MIME_EV_DATA,  // of it, as sent: data
	MIME_EV_DECODED, // what is behind the transfer encoding of the DATA before: data. Only of encoded parts
	MIME_EV_END,     // of the part; truncated: the body ended in it
	MIME_EV_OUTSIDE, // bytes before the first and behind the last part: data
};

struct mime_event {
	enum mime_event_kind kind;
	struct span
		data; // never empty; in the input, or in the state with MIME_PAD_BYTES behind it
	const struct mime_part *part;
	bool truncated;
};

enum mime_state {
	MIME_DATA,  // of a part, or outside
	MIME_LINE,  // rest of the line of a boundary that begins a part
	MIME_HEAD,  // of a part
	MIME_CLOSE, // say END at the next call
};

// 13 KiB, from a pool of the worker.
struct mime {
	struct mime_part part;
	struct span undecoded; // of the DATA that was said last
	uint32_t n_parts;
	uint32_t bits;       // base64: of the group so far; quoted-printable: the first digit
	uint16_t n_boundary; // with its two dashes
	uint16_t n_head;     // bytes of head
	uint16_t head_line;  // where its last line begins
	uint16_t n_hold;     // bytes of hold
	uint16_t n_text;     // bytes of text
	uint8_t n_eol;       // bytes of hold before the dashes
	uint8_t state;       // enum mime_state
	uint8_t after;       // state behind MIME_CLOSE
	uint8_t n_bits;      // base64: digits of the group; quoted-printable: bytes since '='
	bool in_part;        // BEGIN was said
	bool at_line;        // the next byte begins a line
	bool begin;          // a part begins behind this line
	bool name_cut;       // text did not suffice for the names of the part
	bool over;           // MIME_PARTS_MAX reached: all that follows is OUTSIDE
	uint8_t boundary[2 + MIME_BOUNDARY_MAX];
	uint8_t hold[2 + 2 + MIME_BOUNDARY_MAX + 2 + MIME_PAD_BYTES]; // may become a boundary
	uint8_t head[MIME_HEAD_MAX + MIME_PAD_BYTES];
	uint8_t text[MIME_TEXT_BYTES + MIME_PAD_BYTES];
	uint8_t out[MIME_OUT_BYTES + MIME_PAD_BYTES];
};

// 0; -ENOENT: content_type is not multipart; -EBADMSG: multipart without a usable boundary (counted).
int mime_begin(struct mime *m, struct span content_type, struct counters *counters);

// Next event. Advances *io_in past what it took; the piece must stay until 0 is returned. With fin the body ends behind
// *io_in: an open part is ended. 1: *ret_ev; 0: *io_in is used up.
int mime_next(struct mime *m, struct span *io_in, bool fin, struct counters *counters,
	      struct mime_event *ret_ev);

// A hole in the body: what was kept is dropped, the part (if one is open) goes on behind it.
void mime_gap(struct mime *m);

// --- mime_head.c ---

// Read m->head[0..n_head) into m->part.
void mime_head_read(struct mime *m);

// The boundary parameter of a Content-Type value: quoted, unquoted, folded, with anything around it. 1 to
// MIME_BOUNDARY_MAX bytes into out, returns how many; 0: none, or too long.
size_t mime_boundary(struct span content_type, uint8_t *out);

// --- mime_coding.c ---

// Undo the transfer encoding of the front of *io_in, at most MIME_OUT_BYTES into m->out. The state of a group that is cut is
// kept in m. Empty: *io_in is used up.
struct span mime_decode(struct mime *m, struct span *io_in);

// The part ends: what an unfinished group stands for. Empty when it is called again.
struct span mime_decode_end(struct mime *m);

#endif

// SPDX-License-Identifier: BSD-2-Clause
// HTTP/1.x pull parser, one half per direction (RFC 9112, read as laxly as servers do).
//
// The caller owns the loop: http_next() takes bytes from the front of a span and says what they are. It can be cut
// anywhere, looks at no byte twice, allocates nothing, and keeps no pointer into the input: a head that lies in one
// piece is used in place, one that does not is gathered in a pooled buffer. What is not HTTP comes out as RAW, so that
// no byte is ever skipped.
#ifndef ENGINE_HTTP_H
#define ENGINE_HTTP_H

#include <stdbool.h>

#include "common/buffer.h"
#include "common/counters.h"
#include "common/span.h"
#include "dataplane/engine/pool.h"

enum {
	HTTP_HEAD_MAX =
		64 << 10, // servers refuse heads over 8 to 64 KiB (research/reliability 3.1)
	HTTP_FIELDS_MAX = 1024,
	HTTP_GATHER_BYTES = HTTP_HEAD_MAX + 64, // readable padding for libhs
	HTTP_CHUNK_LINE_MAX = 4096,
	HTTP_CODINGS_MAX = 3,
	HTTP_LOST_BYTES_MAX = 64 << 10, // of lost framing in which the next message is looked for
	HTTP_HELD_MAX = 24,             // "PROPPATCH  http" and 17 digits are shorter
};

enum http_state {
	HTTP_START,      // between messages
	HTTP_HEAD,       // gathering a head
	HTTP_BODY,       // remain bytes of a body, or of a chunk
	HTTP_BODY_CLOSE, // body until the stream ends; lost or behind: or a message begins
	HTTP_CHUNK_SIZE,
	HTTP_CHUNK_EXT,
	HTTP_CHUNK_END, // line end after chunk data
	HTTP_TRAILER,
	HTTP_MESSAGE_END, // say END at the next call
	HTTP_RAW,         // not HTTP any more: everything is RAW
};

enum http_framing {
	HTTP_FRAMING_NONE, // no body
	HTTP_FRAMING_LENGTH,
	HTTP_FRAMING_CHUNKED,
	HTTP_FRAMING_CLOSE,
	HTTP_FRAMING_UPGRADE, // 101, or 2xx to CONNECT: the connection leaves HTTP after the head
	HTTP_FRAMING_BROKEN,  // of unknown length: until a line begins like a message
	HTTP_FRAMING_UNEXPECTED, // the same, in a response that should have none
	HTTP_FRAMING_N,
};

// What servers read differently, or refuse: X(id, counter).
#define HTTP_NOTE_TABLE(X)                                                                         \
	X(CL_TE, CNT_HTTP_CL_TE)                                                                   \
	X(LENGTH, CNT_HTTP_BAD_LENGTH)                                                             \
	X(LENGTHS, CNT_HTTP_LENGTHS)                                                               \
	X(TE, CNT_HTTP_ODD_TE)                                                                     \
	X(CODING, CNT_HTTP_ODD_CODING)                                                             \
	X(HEADER, CNT_HTTP_BAD_HEADER)                                                             \
	X(FOLDED, CNT_HTTP_FOLDED)                                                                 \
	X(HOSTS, CNT_HTTP_HOSTS)                                                                   \
	X(LINE_END, CNT_HTTP_LINE_END)                                                             \
	X(START, CNT_HTTP_ODD_START)                                                               \
	X(BAD_START, CNT_HTTP_BAD_START)                                                           \
	X(CHUNK, CNT_HTTP_ODD_CHUNK)                                                               \
	X(BAD_CHUNK, CNT_HTTP_BAD_CHUNK)                                                           \
	X(HEAD_TOO_LONG, CNT_HTTP_HEAD_TOO_LONG)                                                   \
	X(HEAD_NO_BUFFER, CNT_HTTP_HEAD_NO_BUFFER)

enum http_note {
#define X(id, counter) HTTP_NOTE_##id,
	HTTP_NOTE_TABLE(X)
#undef X
		HTTP_NOTE_N
};

// How far the search for the next message goes when framing is lost.
enum http_resync {
	HTTP_RESYNC_NO,
	HTTP_RESYNC_LINES,  // after an error: at the start of each line of HTTP_LOST_BYTES_MAX
	HTTP_RESYNC_PIECES, // after a gap: of each line and each piece, without end
};

enum http_coding {
	HTTP_CODING_NONE,
	HTTP_CODING_GZIP,
	HTTP_CODING_DEFLATE,
	HTTP_CODING_BR,
	HTTP_CODING_ZSTD,
	HTTP_CODING_OTHER, // anything else
};

struct http_field {
	struct span name;  // without white space around it; empty for a line without a colon
	struct span value; // without white space around it; may hold folded lines
};

// A parsed head. All spans point into raw, which lives until the next http_next() call on the same half.
struct http_head {
	struct span raw;            // start line to empty line, inclusive
	struct span method, target; // requests
	struct span status_text;    // responses: three digits or whatever stands there
	struct span host, user_agent, referer, content_type,
		content_disposition; // first occurrences
	uint64_t content_length;
	uint64_t other_length;
	uint32_t n_fields;
	uint32_t notes;        // bit per enum http_note
	uint16_t status;       // 0 for requests and unreadable codes
	uint8_t version;       // 9, 10, 11; 20 and others as written, major * 10 + minor
	bool closes;           // it says that the connection ends behind it
	bool absent;           // it is not there: a body without one
	bool unfinished;       // its end did not come: a line that is cut off is in raw only
	uint8_t framing;       // enum http_framing
	uint8_t other_framing; // as other hosts may read it; HTTP_FRAMING_N: none would
	uint8_t dir;
	uint8_t n_codings;
	uint8_t codings[HTTP_CODINGS_MAX]; // in the order in which they must be undone
	struct http_field fields[HTTP_FIELDS_MAX];
};

struct http_half {
	uint64_t remain; // of a body, a chunk
	uint8_t *gather; // pooled, HTTP_GATHER_BYTES, or NULL
	uint32_t gathered;
	uint32_t scanned;      // bytes of the gathered head already searched for its end
	uint32_t line_bytes;   // chunk lines and trailers: so far
	uint32_t notes;        // bit per enum http_note: for the caller to tell and to clear
	uint32_t lost_left;    // bytes in which a message is still looked for
	uint8_t state;         // enum http_state
	uint8_t chunked;       // body is chunked
	uint8_t digits;        // chunk size: a digit was seen
	uint8_t cr;            // chunk lines: the last byte was a CR
	uint8_t line_nonempty; // trailer: the line has content
	uint8_t line_judged;   // gathering: the first line is complete and was looked at
	uint8_t resync;        // enum http_resync: framing is lost
	uint8_t at_line;       // lost: a line begins here
	uint8_t joined;        // the stream began before, and no message was seen yet
	uint8_t drop_gather;   // free gather at the next call
	uint8_t truncated;     // message end: early
	uint8_t upgraded;
	uint8_t odd_lines; // first lines are judged before the end of their heads is searched for
	uint8_t closes;    // body of known length, behind which the connection ends
	uint8_t behind;    // that much has come, and what comes now goes to the body, too
	uint16_t n_left;   // bytes behind the head at the end of gather, still to be read
	uint8_t unsure; // broken framing, or junk: hosts differ in what they make of what follows
	uint8_t begun;  // something was said of this direction
	uint8_t n_held;
	uint8_t held[HTTP_HELD_MAX]; // a chunk size so far, or lost: what may become a start line
};

enum http_event_kind {
	HTTP_EV_HEAD,     // head
	HTTP_EV_BODY,     // data, dechunked, as encoded
	HTTP_EV_END,      // message ends; truncated says whether early
	HTTP_EV_RAW,      // data that is not HTTP, to be scanned as it is
	HTTP_EV_UPGRADED, // the connection has left HTTP: release it
};

struct http_event {
	enum http_event_kind kind;
	struct span data;
	const struct http_head *head;
	bool truncated;
	bool missing; // truncated, and bytes that were announced did not come
	bool behind;  // data lies behind the announced end of the body
};

// What a response answers: it has no body, or the connection may turn into a tunnel.
enum http_answers {
	HTTP_ANSWERS_OTHER, // also when the request was not seen
	HTTP_ANSWERS_HEAD,
	HTTP_ANSWERS_CONNECT,
	HTTP_ANSWERS_SEEN, // a request that was seen, and is neither
};

// Per worker.
struct http_parser {
	struct pool *gathers; // of HTTP_GATHER_BYTES
	struct counters *counters;
	struct http_head head;
};

void http_half_init(struct http_half *h);

// Free what the half holds.
void http_half_done(struct http_half *h, struct http_parser *ps);

// Next event of direction dir. Advances *io_in past what it took. fin: the stream ends after *io_in.
// 1: *ret_ev; 0: *io_in is used up (and, with fin, everything has been said).
int http_next(struct http_half *h, struct http_parser *ps, enum dir dir, enum http_answers answers,
	      struct span *io_in, bool fin, struct http_event *ret_ev);

// Begin with the body of a message whose head was read elsewhere, under its other framing.
void http_half_other(struct http_half *h, const struct http_head *head);

// The half has left HTTP, and speaks it again behind what it left by.
void http_half_again(struct http_half *h);

// The counter of a note.
enum counter http_note_counter(enum http_note note);

// Bytes are missing, or none will come, while a head is gathered. True: what is there is one, as far as it goes, and ev says so; its
// message ends behind it.
bool http_head_cut(struct http_half *h, struct http_parser *ps, enum dir dir,
		   enum http_answers answers, struct http_event *ev);

// gap bytes are missing at the current position. True: the message goes on behind them (they lie in its body);
// false: framing is lost, the direction goes on raw until a piece starts like a message. If *ret_end is set the message
// in progress ends here, truncated: the caller closes it before it goes on.
bool http_gap(struct http_half *h, struct http_parser *ps, uint64_t gap_bytes, bool *ret_end);

// Bytes are missing, or were never seen, and no message was found behind them yet.
bool http_is_lost(const struct http_half *h);

// Parse a complete head (up to its empty line) again: for late looks at a head that was kept.
// 0 or -EBADMSG.
int http_head_parse(struct span raw, enum dir dir, enum http_answers answers,
		    struct counters *counters, struct http_head *ret_head);

#endif

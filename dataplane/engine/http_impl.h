// SPDX-License-Identifier: BSD-2-Clause
// What the files of the parser share; private to them.
//
//   http.c (the state machine)  ->  http_chunk.c (chunk lines)   ->  http_lost.c
//                               ->  http_lost.c (no framing)
//                               ->  http_head.c (a whole head)   ->  http_framing.c (length and codings)
#ifndef ENGINE_HTTP_IMPL_H
#define ENGINE_HTTP_IMPL_H

#include "dataplane/engine/http.h"

enum {
	HTTP_AGAIN = 2, // nothing to say, but the state has changed: look again
};

static inline int http_event(struct http_event *ev, enum http_event_kind kind)
{
	ev->kind = kind;
	return 1;
}

static inline void http_note(struct http_half *h, struct http_parser *ps, enum http_note note)
{
	ps->counters->v[http_note_counter(note)]++;
	h->notes |= 1u << note;
}

static inline bool http_is_blank(uint8_t c)
{
	return c == ' ' || c == '\t';
}

void http_gather_drop(struct http_half *h, struct http_parser *ps);

// --- http_head.c ---

// Does text, up to its first LF, begin with the start line of a message? Uses ps->head.
bool http_start_line(struct span text, enum dir dir, struct http_parser *ps);

// Without white space around it. What is left of nothing else still points to its end: memchr() takes no NULL.
struct span http_trim(struct span s);

// --- http_framing.c ---

// What the framing fields of a head say.
struct http_framing_fields {
	uint64_t length, other_length; // of Content-Length: the first, and one that differs
	bool has_length, bad_length, lengths_differ, several_lengths;
	bool no_number; // a length that only lax readers take for one
	bool has_te;    // any but identity
	bool chunked;   // in some reading
	bool identity;
	bool odd_te;                       // but not in all
	bool odd_coding;                   // Content-Encoding that not all hosts know
	uint8_t n_codings;                 // more than there is room for are counted, too
	uint8_t codings[HTTP_CODINGS_MAX]; // as they stand, the last ones
};

// Content-Length, Transfer-Encoding and Content-Encoding; other names are passed over. lax: the name is not what a strict
// reader takes for it.
void http_framing_field(struct http_framing_fields *fr, struct span name, struct span value,
			bool lax);

// Framing, other framing, codings and notes of a head. RFC 9112 6.3, and where hosts differ both readings.
void http_framing_decide(struct http_head *h, const struct http_framing_fields *fr,
			 enum http_answers answers);

// --- http_chunk.c ---

void http_chunk_begin(struct http_half *h);

// Chunk lines, the line end behind a chunk, trailers: as far as they go.
void http_chunk_next(struct http_half *h, struct http_parser *ps, struct span *in);

// --- http_lost.c ---

// Framing is lost: from here on raw bytes, or body, until a message begins. at_line: it may begin here.
void http_lost(struct http_half *h, enum http_state state, enum http_resync resync, bool at_line);

// Bytes that were said already since.
void http_lost_count(struct http_half *h, size_t n);

// 1: *ev; 0: more input is needed; HTTP_AGAIN: a message begins.
int http_lost_next(struct http_half *h, struct http_parser *ps, enum dir dir, struct span *in,
		   struct http_event *ev);

// Does a message begin at a line of in?
bool http_lost_ahead(struct span in, enum dir dir);

// The stream ends: what is still held back. 1: *ev; 0: nothing.
int http_lost_rest(struct http_half *h, struct http_parser *ps, struct http_event *ev);

#endif

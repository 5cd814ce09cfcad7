// SPDX-License-Identifier: BSD-2-Clause
// What a connection holds when it no longer speaks HTTP/1: pooled, one or the other, until the flow ends.
#ifndef ENGINE_CONN_PROTO_H
#define ENGINE_CONN_PROTO_H

#include "dataplane/engine/conn.h"
#include "dataplane/engine/ws.h"
#include "dataplane/engine/ws_inflate.h"

enum {
	// Every message costs a look of its own. Messages that are shorter than COST bytes on the wire on average are
	// inspected several at a time, FREE bytes' worth of them excepted.
	WS_MESSAGE_COST = 16,
	WS_MESSAGE_FREE = 4096,
	H2_STREAMS_MAX = 128, // in progress at a time; servers allow 100 to 128
};

struct conn_ws_dir {
	struct ws_half half;
	struct inspect
		*base; // knows the head of the hand-shake; every message begins as a fork of it
	struct ws_inflate *inflate; // NULL: none needed yet, or no room
	uint64_t bytes;             // read
	uint64_t messages;          // inspected for themselves
	bool no_takeover;
	bool compressed; // the message in progress
	bool lost;       // a compressed message was not inflated: those after it cannot be
};

struct conn_ws {
	struct conn_ws_dir dir[DIR_N];
	struct http_msg msg[DIR_N]; // the WebSocket message in progress
	struct http_tx *tx;         // of the hand-shake; NULL: no room
};

enum h2_tunnel {
	H2_TUNNEL_NONE,
	H2_TUNNEL_ASKED, // by a CONNECT: one when the answer is 2xx
	H2_TUNNEL_OPEN,  // what it carries is not HTTP
};

struct h2_stream {
	struct h2_stream *younger, *older;
	struct h2_stream *next; // in its bucket
	struct http_msg msg[DIR_N];
	struct http_tx *first; // as in struct http_conn, one at most
	uint32_t id;
	uint8_t head_seen; // bit per direction: the head of the final message
	uint8_t ended;     // bit per direction
	uint8_t tunnel;    // enum h2_tunnel
};

struct conn_h2 {
	struct h2_half half[DIR_N];
	struct h2_arena arena;
	struct h2_stream *oldest, *youngest;
	uint32_t n_streams;
	struct h2_stream *bucket[H2_STREAMS_MAX]; // by half the id: clients count in twos
};

#endif

// SPDX-License-Identifier: BSD-2-Clause
// One HTTP connection: two halves, the messages in progress, and the transactions that wait for their response.
#ifndef ENGINE_CONN_H
#define ENGINE_CONN_H

#include "dataplane/engine/decode.h"
#include "dataplane/engine/detect.h"
#include "dataplane/engine/h2.h"
#include "dataplane/engine/mime.h"
#include "dataplane/engine/range.h"
#include "dataplane/engine/ws.h"

typedef struct evp_md_ctx_st EVP_MD_CTX;

enum {
	CONN_HELD_OVER = 255,
	CONN_BEFORE_BYTES = 64,
	CONN_PIPELINE_MAX = 128,      // requests in flight; servers allow about as many
	CONN_ALT_BYTES_MAX = 4 << 20, // scanned under other readings, per flow
	// Resources whose pieces are joined, per worker; of the digests of all files they hold a quarter at most.
	CONN_RESOURCES = 256,
	CONN_HASH_SETS = CONN_RESOURCES + 64, // and pieces in progress
};

// A request and its response. Lives until both have ended.
struct http_tx {
	struct http_tx *next; // younger
	uint8_t answers;      // enum http_answers of its response
	bool queued;          // in the connection's list
	bool request_done, response_done;
	bool held; // its messages may end, it goes on: it became a WebSocket, or a stream of HTTP/2
	bool has_hit;
	struct event event; // type EVENT_HTTP, filled as things become known
};

// The digests of a resource that comes in pieces.
struct hash_set {
	EVP_MD_CTX *hash[LIST_SHA256 + 1];
};

// A file in progress: the decoded body, or a part of it.
struct http_file {
	EVP_MD_CTX *hash[LIST_SHA256 + 1]; // by enum list_kind; NULL: not asked for
	struct hash_set
		*resource; // pooled; of which the file is a piece that is joined; NULL: of none
	struct range_piece piece; // of that
	uint64_t bytes;
	uint64_t behind;        // of these, since it is sealed
	uint64_t missing_bytes; // in holes
	uint16_t name_len;
	uint8_t digests; // asked for
	bool open, named, whole;
	bool partial; // a piece of a resource, joined or not
	bool sealed;  // digests take no more
	bool unsized; // how much is missing is not known
	uint8_t name[256];
};

// The message of one direction that is in progress.
struct http_msg {
	struct inspect *inspect; // NULL: not inspected
	struct http_tx *tx;      // NULL between messages, or without room
	struct decode_body decode;
	struct http_file *file; // pooled; NULL: nobody asks for files
	struct mime *mime;      // pooled; the body is multipart
	struct inspect *alt;    // of bytes that conn_alt() was given, NULL: none
	uint64_t body_bytes;    // dechunked
	bool in_file;           // the part in hand is a file
	bool missing;           // bytes of the body that were announced did not come
	uint16_t status;
	bool in_body;
	bool absent_head; // it began with its body
	bool gap, truncated;
	bool skipped; // the rest of its body is passed over
};

// Content codings of the body of another reading.
struct alt_decode {
	struct decode_body body;
	uint32_t free; // as DECODE_FLOW_BYTES: those of the connection's own bodies are not touched
};

// The other reading of an ambiguous direction: a parser of its own beside the connection's, until both are between
// messages at the same place.
struct reading {
	struct http_half half;
	struct inspect *inspect;   // of its message in progress, NULL: none
	struct alt_decode *decode; // pooled; NULL: its body is not encoded, or there was no room
	uint32_t tx_id;            // of the request or response it would be
	bool on;
	bool beside_chunks; // it ends with the stream, beside chunks that are in order so far
};

// The last raw bytes of a direction and, while the first ones of a message come, the search across its start: conn_seam.c.
struct conn_seam {
	struct inspect *in; // NULL: none
	bool ended;         // the next byte begins a message
	bool before;        // nothing else was read of this direction
	uint8_t left;       // bytes of the message that are still to be searched
	uint8_t n;
	uint8_t tail[CONN_BEFORE_BYTES];
};

struct conn_ws;
struct conn_h2;

// What a connection may turn into by a request with Upgrade and a response of 101.
enum conn_upgrade {
	CONN_UPGRADE_NONE, // or something that is not inspected
	CONN_UPGRADE_WEBSOCKET,
	CONN_UPGRADE_H2C,
	CONN_UPGRADE_TUNNEL, // a request with CONNECT and a response of 2xx
};

// What the bytes of a run have made of a connection.
enum conn_verdict {
	CONN_LEAVES, // it has left HTTP for something that is not inspected: release the flow
	CONN_STAYS,
	CONN_TUNNEL, // the flow's app is unknown again: judge http_conn.tunnel, and what follows, as first bytes
};

struct http_conn {
	struct http_half half[DIR_N];
	struct reading other[DIR_N];
	struct conn_seam seam[DIR_N];
	// The messages in hand: own_msg; for the time of a call those of an HTTP/2 stream or of a WebSocket.
	struct http_msg *msg;
	struct http_msg own_msg[DIR_N];
	struct conn_ws *ws; // the connection has become a WebSocket
	struct conn_h2 *h2; // it speaks HTTP/2
	// Of the request that asks for a WebSocket and of the response that grants it: segment cells or NULL.
	uint8_t *head[DIR_N];
	uint32_t head_len[DIR_N];
	uint8_t upgrade;    // enum conn_upgrade: granted by the response in hand
	struct span tunnel; // CONN_TUNNEL: what is left of the run
	struct ws_extensions ws_ext;
	uint8_t n_held; // first bytes of a server that may speak HTTP/2, CONN_HELD_OVER: decided
	uint8_t held[H2_FRAME_HEADER];
	struct http_tx *first, *last; // oldest, youngest request without a complete response
	struct flowvars *vars;        // pooled, NULL until a rule sets one
	uint32_t n_queued;
	uint32_t next_tx_id;
	uint32_t begins_at;   // next_tx_id when nothing was said yet: 0, or more in a tunnel
	uint32_t alt_bytes;   // scanned under other readings so far
	uint32_t decode_free; // left of DECODE_FLOW_BYTES
};

// What the connections of one worker share.
struct conn_ctx {
	struct pool conns, txs, alt_decodes;
	struct pool wss, ws_inflates;           // struct conn_ws, struct ws_inflate
	struct pool h2s, h2_streams, h2_chunks; // struct conn_h2, struct h2_stream, H2_CHUNK_BYTES
	uint8_t *ws_unmasked;                   // WS_PIECE_BYTES + 64
	uint8_t *ws_inflated;                   // WS_INFLATE_PIECE + 64
	struct h2_parser h2_parser;
	struct decode_ctx decode;
	struct counters *counters;
	struct detect *detect;
	struct http_parser *parser;
	struct http_parser alt_parser; // of other readings: what it counts is not told
	struct counters alt_counters;
	struct ring *events;
	uint32_t event_mask;
	uint8_t worker;
	bool unread; // connections are followed, no byte of them is read: pipeline_set_last_stage()
	uint64_t ts_ns;     // of the packet in hand
	uint64_t now_ns;    // the pipeline's time
	uint64_t skip_from; // bodies of flows of so many bytes are passed over; 0: none
	bool hash_bodies;   // for events
	struct pool files, mimes, hash_sets;
	struct range_table ranges;
	uint32_t range_at;                    // where ranges_expire() goes on
	EVP_MD_CTX **hashes[LIST_SHA256 + 1]; // free contexts, by enum list_kind
	uint32_t n_hashes[LIST_SHA256 + 1];
};

// A connection, or NULL (counted). midstream: its streams began before what will be seen of them.
struct http_conn *conn_new(struct conn_ctx *x, bool midstream);

// These bytes came before the first that the connection is given: raw contents may begin in them.
void conn_before(struct flow *f, enum dir dir, struct span bytes);

// Bytes of direction dir, gap_bytes missing before them; fin: none will follow.
enum conn_verdict conn_run(struct conn_ctx *x, struct flow *f, enum dir dir,
			   const struct tcp_run *run);

// A segment whose first bytes were read before: only rules on single segments look at it.
void conn_segment_again(struct conn_ctx *x, struct flow *f, enum dir dir, struct span data);

// End of the flow: whatever is open ends, events are emitted, the connection is freed. decide: matches that depend on the end of a
// message are decided; otherwise (the flow is released) everything is dropped.
void conn_close(struct conn_ctx *x, struct flow *f, bool decide);

// These bytes of direction dir were sent, too, in the place of others or beside them: a host may read them instead. They are
// scanned as raw bytes, as a body and, if a message begins in them, as messages; the connection's own reading goes on as
// if they had not been there. They have 64 readable bytes behind them. Hits are marked HIT_AMBIGUOUS. Calls within one
// message go on where the last one ended. At most CONN_ALT_BYTES_MAX per flow, then counted.
void conn_alt(struct conn_ctx *x, struct flow *f, enum dir dir, struct span data);

// Something that a sensor may read differently than a host: bumps c, and tells it in an event once per flow and counter.
void conn_anomaly(struct conn_ctx *x, struct flow *f, enum dir dir, enum counter c);

// Messages bound to a rule set other than the current one lose their binding. Returns how many did.
unsigned int conn_release_old(struct conn_ctx *x, struct flow *f);

// Forget resources whose pieces have not come for long, looking at budget of them. now_ns UINT64_MAX: all.
void ranges_expire(struct conn_ctx *x, uint64_t now_ns, uint32_t budget);

// Emit an event of flow f. The caller has set type, tx_id, flags and the body.
void conn_emit(struct conn_ctx *x, const struct flow *f, enum dir dir, struct event *e);

#endif

// SPDX-License-Identifier: BSD-2-Clause
// One HTTP connection: two halves, the messages in progress, and the transactions that wait for their response.
#ifndef ENGINE_CONN_H
#define ENGINE_CONN_H

#include "dataplane/engine/decode.h"
#include "dataplane/engine/detect.h"

typedef struct evp_md_ctx_st EVP_MD_CTX;

enum {
	CONN_PIPELINE_MAX = 128, // requests in flight; servers allow about as many
};

// A request and its response. Lives until both have ended.
struct http_tx {
	struct http_tx *next; // younger
	uint8_t answers;      // enum http_answers of its response
	bool queued;          // in the connection's list
	bool request_done, response_done;
	bool has_hit;
	struct event event; // type EVENT_HTTP, filled as things become known
};

// The message of one direction that is in progress.
struct http_msg {
	struct inspect *inspect;                   // NULL: not inspected
	struct http_tx *tx;                        // NULL between messages, or without room
	struct decoder *decoder[HTTP_CODINGS_MAX]; // undone in this order; NULL: none
	EVP_MD_CTX *hash;
	uint64_t body_bytes; // dechunked
	uint64_t file_bytes; // decoded
	uint16_t status;
	bool in_body;
	bool gap, truncated;
};

struct http_conn {
	struct http_half half[DIR_N];
	struct http_msg msg[DIR_N];
	struct http_tx *first, *last; // oldest, youngest request without a complete response
	struct flowbits *bits;        // pooled, NULL until a rule sets one
	uint32_t n_queued;
	uint32_t next_tx_id;
};

// What the connections of one worker share.
struct conn_ctx {
	struct pool conns, txs, decoders;
	struct counters *counters;
	struct detect *detect;
	struct http_parser *parser;
	struct ring *events;
	uint32_t event_mask;
	uint8_t worker;
	uint64_t ts_ns;      // of the packet in hand
	EVP_MD_CTX **hashes; // free hash contexts, NULL when bodies are not hashed
	uint32_t n_hashes;
	uint8_t *decoded[HTTP_CODINGS_MAX]; // DECODE_OUT_BYTES + 64 each
};

// A connection for f, or NULL (counted).
struct http_conn *conn_new(struct conn_ctx *x);

// Bytes of direction dir, gap_bytes missing before them; fin: none will follow. Returns false when the connection has left HTTP
// (CONNECT, Upgrade): release the flow.
bool conn_run(struct conn_ctx *x, struct flow *f, enum dir dir, const struct tcp_run *run);

// End of the flow: whatever is open ends, events are emitted, the connection is freed. decide: matches that depend on the end of a
// message are decided; otherwise (the flow is released) everything is dropped.
void conn_close(struct conn_ctx *x, struct flow *f, bool decide);

// Emit an event of flow f. The caller has set type, tx_id, flags and the body.
void conn_emit(struct conn_ctx *x, const struct flow *f, enum dir dir, struct event *e);

#endif

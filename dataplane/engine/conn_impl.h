// SPDX-License-Identifier: BSD-2-Clause
// What the files of a connection share; private to them. Calls go one way:
//
//   conn.c (runs)  ->  conn_upgrade.c (changes of protocol)  ->  conn_ws.c, conn_h2.c (runs behind them)
//        |                                                               |
//        '-----------------------------.---------------------------------'
//                                      v
//   conn.c (messages: msg_...)  ->  conn_tx.c (transactions, events)
//                               ->  conn_body.c (decoding)  ->  conn_file.c (files, hashing)  ->  conn_range.c (pieces)
//                               ->  conn_alt.c (anomalies, alternative readings)
//                               ->  conn_seam.c (raw bytes across the end of a message)
#ifndef ENGINE_CONN_IMPL_H
#define ENGINE_CONN_IMPL_H

#include "dataplane/engine/conn_proto.h"

// Which message detection is told about: that of direction dir in progress.
struct detect_msg conn_msg(const struct conn_ctx *x, struct flow *f, enum dir dir);

// Transaction of a message; before its head is complete, the one that the head will belong to.
uint32_t conn_tx_id(const struct http_conn *c, enum dir dir);

// --- messages: those that c->msg points to ---

// Its head is complete.
void msg_head(struct conn_ctx *x, struct flow *f, enum dir dir, const struct http_head *h);

// It ends; truncated: early.
void msg_end(struct conn_ctx *x, struct flow *f, enum dir dir, bool truncated);

// Its bytes as sent, for rules on the raw stream.
void msg_raw(struct conn_ctx *x, struct flow *f, enum dir dir, struct span data);

// The bytes in hand are used up: what matched in them may be decided.
void msg_settle(struct conn_ctx *x, struct flow *f, enum dir dir);

// Bytes of it are missing.
void msg_gap(struct conn_ctx *x, struct flow *f, enum dir dir, uint64_t gap_bytes, bool in_body);

// Is the next piece of its body to be passed over, with all that follows of it? Of every body one piece is looked at.
static inline bool msg_is_too_much(const struct conn_ctx *x, const struct flow *f, enum dir dir)
{
	const struct http_msg *msg = &f->http->msg[dir];

	return x->skip_from != 0 && f->bytes[0] + f->bytes[1] >= x->skip_from &&
	       msg->body_bytes > 0 && !msg->skipped;
}

// Its body is passed over from here on. What was found stays, what was not yet decided never is.
void msg_skip(struct conn_ctx *x, struct flow *f, enum dir dir);

// Nothing is decided any more. A transaction that only this message held is reported and freed.
void msg_drop(struct conn_ctx *x, struct flow *f, enum dir dir);

// Lose bindings to a rule set other than the current one. Returns how many there were.
unsigned int msgs_release_old(struct conn_ctx *x, struct flow *f);

// --- conn_upgrade.c ---

// Heads pass by: one asks for another protocol, one grants it.
void upgrade_note(struct conn_ctx *x, struct http_conn *c, enum dir dir, const struct http_head *h);

// At the end of a 101 response that grants what c->upgrade says. False: no room.
bool upgrade_begin(struct conn_ctx *x, struct flow *f);

// At the end of a 2xx response to CONNECT; rest: what is left of its run. True: nothing is known of what the tunnel carries, and
// the flow is to be judged anew. False: the client did not wait, and what it sent was read as HTTP: that goes on.
bool upgrade_tunnel(struct conn_ctx *x, struct flow *f, struct span rest);

// The connection has changed its protocol: go on with what is left of the run.
bool upgrade_rest(struct conn_ctx *x, struct flow *f, enum dir dir, struct span in, bool fin);

// As conn_run(), of a connection that has.
bool upgrade_run(struct conn_ctx *x, struct flow *f, enum dir dir, const struct tcp_run *run);

// The first bytes of a server that may speak HTTP/2 of its own accord are held until that is known. True: the run is
// held, too. If it is known, what was held is read before the run: as HTTP/2, to which the connection has changed, or not.
bool upgrade_hold(struct conn_ctx *x, struct flow *f, enum dir dir, const struct tcp_run *run);

// Is this head the beginning of HTTP/2's preface?
bool upgrade_is_h2_client(const struct http_conn *c, enum dir dir, const struct http_head *h);

// The flow ends.
void upgrade_close(struct conn_ctx *x, struct flow *f, bool decide);

// --- conn_ws.c ---

// The connection is a WebSocket from here on; tx: of its hand-shake. False: no room.
bool conn_ws_begin(struct conn_ctx *x, struct flow *f, struct http_tx *tx,
		   const struct ws_extensions *ext);

// As conn_run(). False: it is a tunnel for something encrypted.
bool conn_ws_run(struct conn_ctx *x, struct flow *f, enum dir dir, const struct tcp_run *run);

void conn_ws_close(struct conn_ctx *x, struct flow *f, bool decide);
unsigned int conn_ws_release_old(struct conn_ctx *x, struct flow *f);

// --- conn_h2.c ---

// The connection speaks HTTP/2 from here on. tx: a request that was sent before, the stream 1; NULL: none. False: no
// room.
bool conn_h2_begin(struct conn_ctx *x, struct flow *f, enum h2_preface client, struct http_tx *tx);

// As conn_run().
bool conn_h2_run(struct conn_ctx *x, struct flow *f, enum dir dir, const struct tcp_run *run);

void conn_h2_close(struct conn_ctx *x, struct flow *f, bool decide);
unsigned int conn_h2_release_old(struct conn_ctx *x, struct flow *f);

// --- conn_tx.c ---

// The transaction that a head begins or answers; NULL: no room, counted.
struct http_tx *tx_of_request(struct conn_ctx *x, struct http_conn *c, const struct http_head *h);
struct http_tx *tx_of_response(struct conn_ctx *x, struct http_conn *c, const struct http_head *h);

// The message of direction dir has ended; a transaction whose messages have both ended is reported and freed.
void tx_message_end(struct conn_ctx *x, struct flow *f, enum dir dir);

// Report and free a transaction, whatever is missing.
void tx_finish(struct conn_ctx *x, const struct flow *f, struct http_tx *tx);

// What still waits for its response will not see it.
void tx_give_up(struct conn_ctx *x, const struct flow *f);

// The oldest one, taken out of the list.
struct http_tx *tx_pop(struct http_conn *c);

// The event of a file that has ended.
void tx_fileinfo(struct conn_ctx *x, struct flow *f, enum dir dir, const struct file_facts *facts);

// --- conn_body.c ---

// A message with a body begins: what it takes to decode it, and its files.
void body_begin(struct conn_ctx *x, struct flow *f, enum dir dir, const struct http_head *h);

// Its next bytes, dechunked, as encoded.
void body_data(struct conn_ctx *x, struct flow *f, enum dir dir, struct span data);

// Bytes behind its announced end, of a response that the end of the connection follows: scanned and counted with it, but
// digests are of what was announced.
void body_behind(struct conn_ctx *x, struct flow *f, enum dir dir, struct span data);

// Bytes of it are missing: a decoder cannot go on behind them, what follows is scanned as sent.
void body_gap(struct http_msg *msg, uint64_t gap_bytes);

// It has ended: what decoders still hold.
void body_end(struct conn_ctx *x, struct flow *f, enum dir dir);

// Give decoders and files back.
void body_drop(struct conn_ctx *x, struct http_msg *msg);

// --- conn_file.c ---

// As body_begin() and so on, with decoded bytes.
void files_begin(struct conn_ctx *x, struct flow *f, enum dir dir, const struct http_head *h);
void files_data(struct conn_ctx *x, struct flow *f, enum dir dir, struct span data);
void files_seal(struct http_msg *msg);
void files_gap(struct http_msg *msg, uint64_t gap_bytes);
void files_end(struct conn_ctx *x, struct flow *f, enum dir dir);
void files_skip(struct conn_ctx *x, struct flow *f, enum dir dir);
void files_drop(struct conn_ctx *x, struct http_msg *msg);

// --- conn_seam.c ---

// Raw bytes of the message in hand.
void seam_raw(struct conn_ctx *x, struct flow *f, enum dir dir, struct span data);

// It ends; the next raw byte begins another one.
void seam_end(struct conn_ctx *x, struct flow *f, enum dir dir);

// Bytes are missing: nothing lies across them.
void seam_gap(struct conn_ctx *x, struct flow *f, enum dir dir);

// Direction dir begins to speak: messages of the other one that end before and begin behind that are not neighbours.
void seam_turn(struct flow *f, enum dir dir);

// Give up what a search holds.
void seam_close(struct conn_ctx *x, struct flow *f, enum dir dir);

// Digests in their initial state, those of the bits set; fewer, if there is no room.
void hashes_begin(struct conn_ctx *x, uint8_t digests, EVP_MD_CTX *ret_hash[LIST_SHA256 + 1]);

void hashes_update(EVP_MD_CTX *const hash[LIST_SHA256 + 1], struct span data);

// What they say. They can only be given back then.
void hashes_finish(EVP_MD_CTX *const hash[LIST_SHA256 + 1], struct file_facts *io_facts);

// Give them back; they are NULL then.
void hashes_drop(struct conn_ctx *x, EVP_MD_CTX *io_hash[LIST_SHA256 + 1]);

// --- conn_range.c ---

// The message's file, just begun, may be a piece of a resource.
void range_file_begin(struct conn_ctx *x, struct flow *f, enum dir dir, const struct http_head *h);

// Its next bytes, which were counted already.
void range_file_bytes(struct http_file *file, struct span data);

// It ends; broken: some of it is missing. True: it completes its resource, of which *ret_facts are.
bool range_file_end(struct conn_ctx *x, struct http_file *file, bool broken,
		    struct file_facts *ret_facts);

// --- conn_alt.c ---

// The event of an anomaly that was counted already.
void anomaly_tell(struct conn_ctx *x, struct flow *f, enum dir dir, enum counter c);

// Raw bytes of a direction that has lost its framing, scanned as a body, too.
void alt_body(struct conn_ctx *x, struct flow *f, enum dir dir, struct span data);

// Places in a run at which the connection's own reading is between messages.
enum {
	ALT_ENDS_MAX = 16,
};
struct alt_ends {
	const uint8_t *at[ALT_ENDS_MAX];
	unsigned int n;
};

// The head that was just read can be read in another way: that begins here. Without room, or while another reading is on
// already, there is none.
void reading_begin(struct conn_ctx *x, struct flow *f, enum dir dir, const struct http_head *h);

// The other reading takes the bytes of a run, as far as it had begun before them.
void reading_run(struct conn_ctx *x, struct flow *f, enum dir dir, struct span data, bool fin,
		 const struct alt_ends *ends);

void reading_gap(struct conn_ctx *x, struct flow *f, enum dir dir, uint64_t gap_bytes);

void reading_end(struct conn_ctx *x, struct flow *f, enum dir dir, bool decide);

// The direction's message ends: so do its alternative readings. decide: as detect_end(), else detect_abort().
void alt_end(struct conn_ctx *x, struct flow *f, enum dir dir, bool decide);

#endif

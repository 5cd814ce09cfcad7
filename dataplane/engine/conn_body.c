// SPDX-License-Identifier: BSD-2-Clause
// Bodies: content codings are undone one inside the other, and what comes out goes to rules and to the hash.
#include "dataplane/engine/conn_impl.h"

#include <openssl/evp.h>

// Decoded bytes of a body, for rules and hashes.
static void body_out(struct conn_ctx *x, struct flow *f, enum dir dir, struct span data)
{
	struct http_msg *msg = &f->http->msg[dir];

	x->counters->v[CNT_HTTP_DECODED_BYTES] += data.len;
	msg->file_bytes += data.len;
	if (msg->hash != NULL)
		EVP_DigestUpdate(msg->hash, data.data, data.len);
	if (msg->inspect != NULL) {
		struct detect_msg m = conn_msg(x, f, dir);

		detect_data(x->detect, msg->inspect, &m, DETECT_BODY, data);
	}
}

// What the decoders have to say. From where they fail on, hits say so.
static void body_decode(struct conn_ctx *x, struct flow *f, enum dir dir)
{
	struct http_msg *msg = &f->http->msg[dir];
	struct span out;
	int got;

	do {
		got = decode_next(&x->decode, &msg->decode, &out);
		if (msg->decode.as_is && !msg->truncated) {
			msg->truncated = true;
			if (msg->inspect != NULL)
				msg->inspect->flags |= INSPECT_TRUNCATED;
		}
		if (got == 1)
			body_out(x, f, dir, out);
	} while (got == 1);
}

void body_end(struct conn_ctx *x, struct flow *f, enum dir dir)
{
	decode_end(&f->http->msg[dir].decode);
	if (decode_active(&f->http->msg[dir].decode))
		body_decode(x, f, dir);
}

void body_data(struct conn_ctx *x, struct flow *f, enum dir dir, struct span data)
{
	struct http_msg *msg = &f->http->msg[dir];

	x->counters->v[CNT_HTTP_BODY_BYTES] += data.len;
	msg->body_bytes += data.len;
	if (msg->hash == NULL && (msg->inspect == NULL || !detect_needs(msg->inspect, DETECT_BODY)))
		return; // no loaded rule can look at it
	decode_feed(&msg->decode, data);
	body_decode(x, f, dir);
}

static void hash_start(struct conn_ctx *x, struct http_msg *msg)
{
	if (x->n_hashes == 0)
		return;
	msg->hash = x->hashes[--x->n_hashes];
	EVP_DigestInit_ex2(msg->hash, NULL, NULL); // SHA-256, set when the context was made
}

void body_begin(struct conn_ctx *x, struct http_conn *c, enum dir dir, const struct http_head *h)
{
	struct http_msg *msg = &c->msg[dir];

	if ((x->event_mask & (1u << EVENT_FILEINFO)) != 0)
		hash_start(x, msg);
	if (msg->hash != NULL || (msg->inspect != NULL && detect_needs(msg->inspect, DETECT_BODY)))
		decode_begin(&x->decode, &msg->decode, h->codings, h->n_codings, &c->decode_free);
}

void body_gap(struct http_msg *msg)
{
	decode_gap(&msg->decode);
}

void body_drop(struct conn_ctx *x, struct http_msg *msg)
{
	decode_done(&x->decode, &msg->decode);
	if (msg->hash != NULL)
		x->hashes[x->n_hashes++] = msg->hash;
	msg->hash = NULL;
}

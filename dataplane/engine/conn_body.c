// SPDX-License-Identifier: BSD-2-Clause
// Bodies: content codings are undone one inside the other, and what comes out goes to rules and to the hash.
#include "dataplane/engine/conn_impl.h"

#include <openssl/evp.h>
#include <string.h>

static void decoders_start(struct conn_ctx *x, struct http_msg *msg, const struct http_head *h)
{
	for (int i = 0; i < h->n_codings; i++) {
		if (h->codings[i] == HTTP_CODING_OTHER) {
			x->counters->v[CNT_DECODE_UNSUPPORTED]++;
			return; // what is inside it stays encoded, too
		}
		msg->decoder[i] = pool_get(&x->decoders);
		if (msg->decoder[i] == NULL) {
			x->counters->v[CNT_DECODE_NO_STATE]++;
			msg->truncated = true;
			return;
		}
		decode_init(msg->decoder[i], h->codings[i]);
		x->counters->v[CNT_DECODE_STARTED]++;
	}
}

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

// Decoding has failed: hits in what follows say so.
static void decode_check(struct http_msg *msg, const struct decoder *d)
{
	if (d->state != DECODE_FAILED || msg->truncated)
		return;
	msg->truncated = true;
	if (msg->inspect != NULL)
		msg->inspect->flags |= INSPECT_TRUNCATED;
}

// Undo coding number i and those after it. Depth is HTTP_CODINGS_MAX at most.
static void body_decode(struct conn_ctx *x, struct flow *f, enum dir dir, int i, struct span data)
{
	struct http_msg *msg = &f->http->msg[dir];
	struct span out;

	if (i == HTTP_CODINGS_MAX || msg->decoder[i] == NULL) {
		body_out(x, f, dir, data);
		return;
	}
	while (decode_next(msg->decoder[i], &data, x->decoded[i], &out, x->counters) == 1) {
		decode_check(msg, msg->decoder[i]);
		body_decode(x, f, dir, i + 1, out);
	}
	decode_check(msg, msg->decoder[i]);
}

void body_end(struct conn_ctx *x, struct flow *f, enum dir dir)
{
	struct http_msg *msg = &f->http->msg[dir];

	for (int i = 0; i < HTTP_CODINGS_MAX && msg->decoder[i] != NULL; i++) {
		struct span rest = decode_rest(msg->decoder[i]);

		if (rest.len > 0) {
			memcpy(x->decoded[i], rest.data, rest.len); // padded
			body_decode(x, f, dir, i + 1, span_of(x->decoded[i], rest.len));
		}
	}
}

void body_data(struct conn_ctx *x, struct flow *f, enum dir dir, struct span data)
{
	struct http_msg *msg = &f->http->msg[dir];

	x->counters->v[CNT_HTTP_BODY_BYTES] += data.len;
	msg->body_bytes += data.len;
	if (msg->hash == NULL && (msg->inspect == NULL || !detect_needs(msg->inspect, DETECT_BODY)))
		return; // no loaded rule can look at it
	body_decode(x, f, dir, 0, data);
}

static void hash_start(struct conn_ctx *x, struct http_msg *msg)
{
	if (x->n_hashes == 0)
		return;
	msg->hash = x->hashes[--x->n_hashes];
	EVP_DigestInit_ex2(msg->hash, NULL, NULL); // SHA-256, set when the context was made
}

void body_begin(struct conn_ctx *x, struct http_msg *msg, const struct http_head *h)
{
	if ((x->event_mask & (1u << EVENT_FILEINFO)) != 0)
		hash_start(x, msg);
	if (msg->hash != NULL || (msg->inspect != NULL && detect_needs(msg->inspect, DETECT_BODY)))
		decoders_start(x, msg, h);
}

void body_gap(struct http_msg *msg)
{
	for (int i = 0; i < HTTP_CODINGS_MAX; i++)
		if (msg->decoder[i] != NULL)
			msg->decoder[i]->state = DECODE_FAILED;
}

void body_drop(struct conn_ctx *x, struct http_msg *msg)
{
	for (int i = 0; i < HTTP_CODINGS_MAX; i++) {
		if (msg->decoder[i] != NULL)
			pool_put(&x->decoders, msg->decoder[i]);
		msg->decoder[i] = NULL;
	}
	if (msg->hash != NULL)
		x->hashes[x->n_hashes++] = msg->hash;
	msg->hash = NULL;
}

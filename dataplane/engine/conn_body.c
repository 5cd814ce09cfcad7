// SPDX-License-Identifier: BSD-2-Clause
// Bodies: content codings are undone one inside the other, and what comes out goes to rules and files.
#include "dataplane/engine/conn_impl.h"

// Decoded bytes of a body, for rules and files.
static void body_out(struct conn_ctx *x, struct flow *f, enum dir dir, struct span data)
{
	struct http_msg *msg = &f->http->msg[dir];

	x->counters->v[CNT_HTTP_DECODED_BYTES] += data.len;
	if (msg->inspect != NULL && detect_needs(msg->inspect, DETECT_BODY)) {
		struct detect_msg m = conn_msg(x, f, dir);

		detect_data(x->detect, msg->inspect, &m, DETECT_BODY, data);
	}
	files_data(x, f, dir, data);
}

// Does anybody look at decoded bytes?
static bool is_wanted(const struct http_msg *msg)
{
	return msg->file != NULL ||
	       (msg->inspect != NULL && (detect_needs(msg->inspect, DETECT_BODY) ||
					 detect_needs(msg->inspect, DETECT_FILE)));
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
	files_end(x, f, dir);
}

static void body_unread(struct conn_ctx *x, struct flow *f, size_t len)
{
	f->inspected_bytes -= len;
	x->counters->v[CNT_OVERLOAD_BYTES] += len;
}

void body_data(struct conn_ctx *x, struct flow *f, enum dir dir, struct span data)
{
	struct http_msg *msg = &f->http->msg[dir];

	x->counters->v[CNT_HTTP_BODY_BYTES] += data.len;
	msg->body_bytes += data.len;
	if (msg->skipped)
		body_unread(x, f, data.len);
	if (!is_wanted(msg))
		return; // no loaded rule can look at it
	decode_feed(&msg->decode, data);
	body_decode(x, f, dir);
}

void body_behind(struct conn_ctx *x, struct flow *f, enum dir dir, struct span data)
{
	struct http_msg *msg = &f->http->msg[dir];

	if (msg->skipped) {
		body_unread(x, f, data.len);
		return;
	}
	if (decode_active(&msg->decode)) {
		alt_body(x, f, dir, data);
		return;
	}
	files_seal(msg);
	if (!is_wanted(msg))
		return;
	decode_feed(&msg->decode, data);
	body_decode(x, f, dir);
}

void body_begin(struct conn_ctx *x, struct flow *f, enum dir dir, const struct http_head *h)
{
	struct http_msg *msg = &f->http->msg[dir];

	files_begin(x, f, dir, h);
	if (is_wanted(msg))
		decode_begin(&x->decode, &msg->decode, h->codings, h->n_codings,
			     &f->http->decode_free);
}

void body_gap(struct http_msg *msg, uint64_t gap_bytes)
{
	decode_gap(&msg->decode);
	files_gap(msg, gap_bytes);
}

void body_drop(struct conn_ctx *x, struct http_msg *msg)
{
	decode_done(&x->decode, &msg->decode);
	files_drop(x, msg);
}

// SPDX-License-Identifier: BSD-2-Clause
// Transactions: a request waits in the connection's list for its response; when both have ended the event goes out.
#include "dataplane/engine/conn_impl.h"

#include <string.h>

#include "dataplane/engine/uri.h"

void conn_emit(struct conn_ctx *x, const struct flow *f, enum dir dir, struct event *e)
{
	struct event *slot = ring_slot(x->events);

	if (slot == NULL) {
		x->counters->v[CNT_EVENTS_LOST]++;
		return;
	}
	e->ts_ns = x->ts_ns;
	e->flow_id = f->id;
	e->app = f->app;
	flow_addr(f, dir, &e->addr);
	e->addr.worker = x->worker;
	*slot = *e;
	ring_push(x->events);
	x->counters->v[CNT_EVENTS]++;
}

static size_t text_set(char *out, size_t size, struct span s, uint16_t *io_flags)
{
	size_t n = s.len;

	if (n > size) {
		n = size;
		*io_flags |= EVENT_CUT;
	}
	if (n > 0)
		memcpy(out, s.data, n);
	return n;
}

static struct http_tx *tx_new(struct conn_ctx *x, struct http_conn *c)
{
	struct http_tx *tx = pool_get(&x->txs);

	if (tx == NULL) {
		x->counters->v[CNT_HTTP_NO_MESSAGE]++;
		c->next_tx_id++;
		return NULL;
	}
	memset(tx, 0, sizeof(*tx));
	tx->event.type = EVENT_HTTP;
	tx->event.tx_id = c->next_tx_id++;
	tx->answers = HTTP_ANSWERS_SEEN;
	return tx;
}

// Both messages have ended: report and free.
void tx_finish(struct conn_ctx *x, const struct flow *f, struct http_tx *tx)
{
	struct event *e = &tx->event;

	x->counters->v[CNT_HTTP_TRANSACTIONS]++;
	if (tx->has_hit)
		e->flags |= EVENT_HAS_HIT;
	if (e->http.status == 0)
		e->flags |= EVENT_NO_RESPONSE;
	if (tx->has_hit || (x->event_mask & (1u << EVENT_HTTP)) != 0)
		conn_emit(x, f, DIR_TO_SERVER, e);
	pool_put(&x->txs, tx);
}

struct http_tx *tx_pop(struct http_conn *c)
{
	struct http_tx *tx = c->first;

	c->first = tx->next;
	if (c->first == NULL)
		c->last = NULL;
	c->n_queued--;
	tx->queued = false;
	return tx;
}

void tx_give_up(struct conn_ctx *x, const struct flow *f)
{
	struct http_conn *c = f->http;

	while (c->first != NULL) {
		struct http_tx *tx = tx_pop(c);

		tx->event.flags |= EVENT_GAP;
		tx->response_done = true;
		if (tx->request_done)
			tx_finish(x, f, tx);
	}
}

struct http_tx *tx_of_request(struct conn_ctx *x, struct http_conn *c, const struct http_head *h)
{
	struct http_tx *tx = tx_new(x, c);
	struct event_http *e;
	struct span authority = uri_authority(h->target);

	if (tx == NULL)
		return NULL;
	if (span_eq_nocase(h->method, SPAN_LIT("HEAD")))
		tx->answers = HTTP_ANSWERS_HEAD;
	else if (span_eq_nocase(h->method, SPAN_LIT("CONNECT")))
		tx->answers = HTTP_ANSWERS_CONNECT;
	e = &tx->event.http;
	e->version = h->version;
	e->method_len =
		(uint8_t)text_set(e->method, sizeof(e->method), h->method, &tx->event.flags);
	e->host_len = (uint8_t)text_set(e->host, sizeof(e->host),
					authority.len > 0 ? authority : h->host, &tx->event.flags);
	e->url_len = (uint16_t)text_set(e->url, sizeof(e->url), h->target, &tx->event.flags);
	e->user_agent_len = (uint8_t)text_set(e->user_agent, sizeof(e->user_agent), h->user_agent,
					      &tx->event.flags);
	e->referer_len =
		(uint16_t)text_set(e->referer, sizeof(e->referer), h->referer, &tx->event.flags);
	if (c->n_queued >= CONN_PIPELINE_MAX) {
		x->counters->v[CNT_HTTP_PIPELINE_FULL]++;
		tx->response_done = true; // it will not be found
		return tx;
	}
	tx->queued = true;
	if (c->last != NULL)
		c->last->next = tx;
	else
		c->first = tx;
	c->last = tx;
	c->n_queued++;
	return tx;
}

struct http_tx *tx_of_response(struct conn_ctx *x, struct http_conn *c, const struct http_head *h)
{
	struct http_tx *tx = c->first;
	struct event_http *e;

	if (tx == NULL) {
		x->counters->v[CNT_HTTP_NO_REQUEST]++;
		tx = tx_new(x, c);
		if (tx == NULL)
			return NULL;
		tx->event.flags |= EVENT_NO_REQUEST;
		tx->event.http.version = h->version;
		tx->request_done = true;
	}
	e = &tx->event.http;
	if (h->status / 100 != 1 || h->status == 101)
		e->status = h->status;
	e->content_type_len = (uint8_t)text_set(e->content_type, sizeof(e->content_type),
						h->content_type, &tx->event.flags);
	return tx;
}

void tx_message_end(struct conn_ctx *x, struct flow *f, enum dir dir)
{
	struct http_conn *c = f->http;
	struct http_msg *msg = &c->msg[dir];
	struct http_tx *tx = msg->tx;

	msg->tx = NULL;
	if (tx == NULL)
		return;
	if (msg->gap)
		tx->event.flags |= EVENT_GAP;
	if (msg->truncated)
		tx->event.flags |= EVENT_TRUNCATED;
	if (msg->skipped)
		tx->event.flags |= EVENT_NOT_INSPECTED;
	if (tx->held)
		return;
	if (dir == DIR_TO_SERVER) {
		tx->event.http.request_body_bytes = msg->body_bytes;
		tx->request_done = true;
	} else {
		tx->event.http.response_body_bytes = msg->body_bytes;
		// Behind an interim response, and behind what only stood before one, the final one follows.
		if (tx->queued && ((msg->status / 100 == 1 && msg->status != 101) ||
				   (msg->absent_head && msg->truncated)))
			return;
		tx->response_done = true;
		if (tx->queued)
			tx_pop(c);
	}
	if (tx->request_done && tx->response_done)
		tx_finish(x, f, tx);
}

void tx_fileinfo(struct conn_ctx *x, struct flow *f, enum dir dir, const struct file_facts *facts)
{
	const struct http_msg *msg = &f->http->msg[dir];
	struct event e = {.type = EVENT_FILEINFO};

	if (msg->tx != NULL) {
		e.tx_id = msg->tx->event.tx_id;
		if (msg->tx->has_hit)
			e.flags |= EVENT_HAS_HIT;
	}
	e.flags |= (msg->gap ? EVENT_GAP : 0) |
		   (msg->truncated || !facts->whole ? EVENT_TRUNCATED : 0) |
		   (facts->partial ? EVENT_PARTIAL : 0) | (msg->skipped ? EVENT_NOT_INSPECTED : 0);
	e.fileinfo.size_bytes = facts->bytes - facts->behind;
	e.fileinfo.filename_len = (uint16_t)text_set(
		e.fileinfo.filename, sizeof(e.fileinfo.filename), facts->name, &e.flags);
	if ((facts->digests & 1u << LIST_SHA256) != 0) {
		memcpy(e.fileinfo.sha256, facts->digest[LIST_SHA256], sizeof(e.fileinfo.sha256));
		e.flags |= EVENT_HAS_HASH;
	}
	conn_emit(x, f, dir, &e);
}

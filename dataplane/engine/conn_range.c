// SPDX-License-Identifier: BSD-2-Clause
// Pieces of one resource in 206 responses. A piece is a file of its own; besides, it carries the digests of its resource on, which
// range.c keeps between pieces, if it begins where they end. The piece that completes them is followed by the file that the
// resource is.
#include "dataplane/engine/conn_impl.h"

#include <string.h>

static struct span field_value(const struct http_head *h, struct span name)
{
	for (uint32_t i = 0; i < h->n_fields; i++)
		if (span_eq_nocase(h->fields[i].name, name))
			return h->fields[i].value;
	return SPAN_NONE;
}

// What the piece belongs to. False: not known well enough.
static bool resource_of(const struct http_tx *tx, const struct flow *f, const struct http_head *h,
			struct hit_addr *addr, struct range_resource *ret)
{
	const struct event_http *e;

	if (tx == NULL || (tx->event.flags & EVENT_NO_REQUEST) != 0)
		return false;
	e = &tx->event.http;
	if (e->host_len == sizeof(e->host) || e->url_len == sizeof(e->url))
		return false; // cut, maybe
	flow_addr(f, DIR_TO_SERVER, addr);
	*ret = (struct range_resource){
		.server = addr->dst,
		.port = addr->dst_port,
		.host = span_of(e->host, e->host_len),
		.target = span_of(e->url, e->url_len),
		.validator = field_value(h, SPAN_LIT("ETag")),
	};
	if (ret->validator.len == 0)
		ret->validator = field_value(h, SPAN_LIT("Last-Modified"));
	return true;
}

static void set_free(struct conn_ctx *x, struct hash_set *set)
{
	if (set == NULL)
		return;
	hashes_drop(x, set->hash);
	pool_put(&x->hash_sets, set);
}

void range_file_begin(struct conn_ctx *x, struct flow *f, enum dir dir, const struct http_head *h)
{
	struct http_msg *msg = &f->http->msg[dir];
	struct http_file *file = msg->file;
	struct range_resource resource;
	struct hit_addr addr;
	struct range range;
	struct hash_set *set = NULL;
	void *state, *freed;

	if (dir != DIR_TO_CLIENT || h->status != 206 ||
	    range_parse(field_value(h, SPAN_LIT("Content-Range")), &range) < 0)
		return;
	file->partial = !range_is_all(&range);
	// What is encoded cannot be decoded from its middle on.
	if (file->digests != 0 && h->n_codings == 0 && resource_of(msg->tx, f, h, &addr, &resource))
		set = pool_get(&x->hash_sets);
	if (set == NULL) {
		x->counters->v[CNT_RANGE_PIECES]++;
		x->counters->v[CNT_RANGE_PARTIAL] += file->partial;
		return;
	}
	hashes_begin(x, file->digests, set->hash);
	state = set;
	if (range_begin(&x->ranges, &resource, &range, x->now_ns, &state, &freed, &file->piece) ==
	    RANGE_JOINS)
		file->resource = state;
	else
		set_free(x, set);
	set_free(x, freed);
}

void range_file_bytes(struct http_file *file, struct span data)
{
	const uint64_t before = file->bytes - data.len, skip = file->piece.skip;

	if (file->resource == NULL)
		return;
	if (before < skip)
		data = span_from(data, (size_t)(skip - before));
	hashes_update(file->resource->hash, data);
}

bool range_file_end(struct conn_ctx *x, struct http_file *file, bool broken,
		    struct file_facts *ret_facts)
{
	const uint64_t total = file->piece.range.total;
	void *state = file->resource;
	bool completes;

	if (file->resource == NULL)
		return false;
	file->resource = NULL;
	completes = range_end(&x->ranges, &file->piece, file->bytes - file->behind, broken,
			      x->now_ns, &state);
	if (completes) {
		*ret_facts = (struct file_facts){
			.name = file->named ? span_of(file->name, file->name_len) : SPAN_NONE,
			.bytes = total,
			.whole = true,
			.sized = true,
		};
		hashes_finish(((struct hash_set *)state)->hash, ret_facts);
	}
	set_free(x, state);
	return completes;
}

void ranges_expire(struct conn_ctx *x, uint64_t now_ns, uint32_t budget)
{
	for (; budget > 0 && range_in_use(&x->ranges) > 0; budget--)
		set_free(x, range_expire(&x->ranges, now_ns, 1, &x->range_at));
}

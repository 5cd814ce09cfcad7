// SPDX-License-Identifier: BSD-2-Clause
// Files: a decoded body is one, or its parts are when it is multipart. Each is hashed, as far as rules or events ask for it,
// named, and reported when it ends.
#include "dataplane/engine/conn_impl.h"

#include <openssl/evp.h>
#include <string.h>

#include "dataplane/engine/uri.h"

static void name_set(struct http_file *file, struct span name)
{
	if (name.len > sizeof(file->name))
		name.len = sizeof(file->name);
	file->named = name.data != NULL;
	file->name_len = (uint16_t)name.len;
	if (name.len > 0)
		memcpy(file->name, name.data, name.len);
}

// The path of the request, as in http.uri: what a file is called when nobody says otherwise.
static struct span url_path(const struct http_tx *tx, uint8_t out[sizeof(tx->event.http.url)])
{
	struct span url, authority;
	const uint8_t *query;

	if (tx == NULL || (tx->event.flags & EVENT_NO_REQUEST) != 0)
		return SPAN_NONE;
	url = span_of(tx->event.http.url, tx->event.http.url_len);
	authority = uri_authority(url);
	if (authority.len > 0)
		url = span_from(url, (size_t)(authority.data + authority.len - url.data));
	query = url.len > 0 ? memchr(url.data, '?', url.len) : NULL;
	if (query != NULL)
		url = span_first(url, (size_t)(query - url.data));
	return url.len > 0 ? span_of(out, uri_normalise(url, out)) : url;
}

// The filename of a Content-Disposition value (RFC 6266, read laxly), or nothing.
static struct span disposition_name(struct span value)
{
	static const char key[] = "filename=";
	const size_t n = sizeof(key) - 1;
	const uint8_t *end;

	for (; value.len > n; value = span_from(value, 1)) {
		if (!span_eq_nocase(span_first(value, n), SPAN_LIT("filename=")))
			continue;
		value = span_from(value, n);
		if (value.data[0] == '"') {
			value = span_from(value, 1);
			end = memchr(value.data, '"', value.len);
		} else {
			end = memchr(value.data, ';', value.len);
		}
		return end != NULL ? span_first(value, (size_t)(end - value.data)) : value;
	}
	return SPAN_NONE;
}

void hashes_begin(struct conn_ctx *x, uint8_t digests, EVP_MD_CTX *ret_hash[LIST_SHA256 + 1])
{
	for (int k = 0; k <= LIST_SHA256; k++) {
		ret_hash[k] = NULL;
		if ((digests & 1 << k) == 0)
			continue;
		if (x->n_hashes[k] == 0) {
			x->counters->v[CNT_FILE_NO_HASH]++;
			continue;
		}
		ret_hash[k] = x->hashes[k][--x->n_hashes[k]];
		EVP_DigestInit_ex2(ret_hash[k], NULL, NULL); // its kind was set when it was made
	}
}

void hashes_update(EVP_MD_CTX *const hash[LIST_SHA256 + 1], struct span data)
{
	for (int k = 0; k <= LIST_SHA256; k++)
		if (hash[k] != NULL)
			EVP_DigestUpdate(hash[k], data.data, data.len);
}

void hashes_finish(EVP_MD_CTX *const hash[LIST_SHA256 + 1], struct file_facts *io_facts)
{
	io_facts->digests = 0;
	for (int k = 0; k <= LIST_SHA256; k++) {
		if (hash[k] == NULL)
			continue;
		EVP_DigestFinal_ex(hash[k], io_facts->digest[k], NULL);
		io_facts->digests |= (uint8_t)(1u << k);
	}
}

void hashes_drop(struct conn_ctx *x, EVP_MD_CTX *io_hash[LIST_SHA256 + 1])
{
	for (int k = 0; k <= LIST_SHA256; k++) {
		if (io_hash[k] != NULL)
			x->hashes[k][x->n_hashes[k]++] = io_hash[k];
		io_hash[k] = NULL;
	}
}

static void file_begin(struct conn_ctx *x, struct http_file *file, struct span name)
{
	file->open = true;
	file->whole = true;
	file->sealed = false;
	file->unsized = false;
	file->bytes = file->behind = file->missing_bytes = 0;
	name_set(file, name);
	hashes_begin(x, file->digests, file->hash);
}

static void file_bytes(struct conn_ctx *x, struct flow *f, enum dir dir, struct span data)
{
	struct http_msg *msg = &f->http->msg[dir];

	if (msg->file != NULL) {
		msg->file->bytes += data.len;
		if (msg->file->sealed) {
			msg->file->behind += data.len;
		} else {
			hashes_update(msg->file->hash, data);
			range_file_bytes(msg->file, data);
		}
	}
	if (msg->inspect != NULL && detect_needs(msg->inspect, DETECT_FILE)) {
		struct detect_msg m = conn_msg(x, f, dir);

		detect_data(x->detect, msg->inspect, &m, DETECT_FILE, data);
	}
}

static void file_end(struct conn_ctx *x, struct flow *f, enum dir dir, bool truncated, bool more)
{
	struct http_msg *msg = &f->http->msg[dir];
	struct http_file *file = msg->file;
	struct file_facts facts, resource;

	if (file == NULL || !file->open)
		return;
	file->open = false;
	facts.whole = file->whole && !truncated;
	facts.partial = file->partial;
	facts.sized = !truncated && !file->unsized;
	facts.missing_bytes = file->missing_bytes;
	facts.bytes = file->bytes;
	facts.behind = file->behind;
	facts.name = file->named ? span_of(file->name, file->name_len) : SPAN_NONE;
	hashes_finish(file->hash, &facts);
	hashes_drop(x, file->hash);
	facts.completes = range_file_end(x, file, !facts.whole, &resource) ? &resource : NULL;
	if (msg->inspect != NULL && (facts.bytes > 0 || more)) { // nothing is no file for rules
		struct detect_msg m = conn_msg(x, f, dir);

		detect_file_end(x->detect, msg->inspect, &m, &facts, more);
	}
	x->counters->v[CNT_FILES]++;
	if ((x->event_mask & (1u << EVENT_FILEINFO)) == 0)
		return;
	tx_fileinfo(x, f, dir, &facts);
	if (facts.completes != NULL)
		tx_fileinfo(x, f, dir, facts.completes);
}

// The reader of a multipart body; NULL: it is none, or there is no room.
static struct mime *mime_new(struct conn_ctx *x, struct span content_type)
{
	struct mime *m;

	if (content_type.len < 10 ||
	    !span_eq_nocase(span_first(content_type, 10), SPAN_LIT("multipart/")))
		return NULL;
	m = pool_get(&x->mimes);
	if (m == NULL) {
		x->counters->v[CNT_FILE_NO_STATE]++;
		return NULL;
	}
	if (mime_begin(m, content_type, x->counters) == 0)
		return m;
	pool_put(&x->mimes, m);
	return NULL;
}

void files_begin(struct conn_ctx *x, struct flow *f, enum dir dir, const struct http_head *h)
{
	struct http_msg *msg = &f->http->msg[dir];
	const bool events = (x->event_mask & (1u << EVENT_FILEINFO)) != 0;
	uint8_t path[sizeof(msg->tx->event.http.url)];
	bool rules = false;
	uint8_t digests = 0;
	struct span name;

	if (msg->inspect != NULL)
		digests = detect_file_digests(msg->inspect, &rules);
	if (events && x->hash_bodies)
		digests |= 1 << LIST_SHA256;
	if (!events && !rules &&
	    (dir == DIR_TO_CLIENT || msg->inspect == NULL ||
	     !detect_needs(msg->inspect, DETECT_FILE)))
		return;
	if (dir == DIR_TO_SERVER)
		msg->mime = mime_new(x, h->content_type);
	if (!events && !rules && msg->mime == NULL)
		return;
	msg->file = pool_get(&x->files);
	if (msg->file == NULL) {
		x->counters->v[CNT_FILE_NO_STATE]++;
		files_drop(x, msg); // the body as a whole it is
		return;
	}
	memset(msg->file, 0, sizeof(*msg->file));
	msg->file->digests = digests;
	if (msg->mime != NULL)
		return; // its parts are the files
	name = dir == DIR_TO_CLIENT ? disposition_name(h->content_disposition) : SPAN_NONE;
	file_begin(x, msg->file, name.len > 0 ? name : url_path(msg->tx, path));
	range_file_begin(x, f, dir, h);
}

// What the parts of a multipart body are; those without a file name are fields.
static void parts(struct conn_ctx *x, struct flow *f, enum dir dir, struct span data, bool fin)
{
	struct http_msg *msg = &f->http->msg[dir];
	struct mime_event ev;

	while (mime_next(msg->mime, &data, fin, x->counters, &ev) == 1) {
		if (ev.kind == MIME_EV_BEGIN) {
			msg->in_file = ev.part->has_filename;
			if (msg->in_file)
				file_begin(x, msg->file, ev.part->filename);
		} else if (ev.kind == MIME_EV_DATA && msg->in_file) {
			file_bytes(x, f, dir, ev.data);
		} else if (ev.kind == MIME_EV_END && msg->in_file) {
			msg->in_file = false;
			file_end(x, f, dir, ev.truncated, true);
		}
	}
}

void files_data(struct conn_ctx *x, struct flow *f, enum dir dir, struct span data)
{
	if (f->http->msg[dir].mime != NULL)
		parts(x, f, dir, data, false);
	else
		file_bytes(x, f, dir, data);
}

void files_seal(struct http_msg *msg)
{
	if (msg->file != NULL)
		msg->file->sealed = true;
}

void files_gap(struct http_msg *msg, uint64_t gap_bytes)
{
	if (msg->mime != NULL)
		mime_gap(msg->mime);
	if (msg->file == NULL)
		return;
	msg->file->whole = false;
	// Of what is encoded, or one of several parts, it is not known how much is missing.
	msg->file->unsized |= msg->mime != NULL || decode_active(&msg->decode);
	msg->file->missing_bytes += gap_bytes;
}

void files_end(struct conn_ctx *x, struct flow *f, enum dir dir)
{
	struct http_msg *msg = &f->http->msg[dir];

	if (msg->mime != NULL)
		parts(x, f, dir, SPAN_NONE, true);
	else if (msg->body_bytes > 0)
		file_end(x, f, dir, msg->missing || msg->decode.gave_up, false);
}

void files_skip(struct conn_ctx *x, struct flow *f, enum dir dir)
{
	struct http_file *file = f->http->msg[dir].file;

	if (file == NULL)
		return;
	hashes_drop(x, file->hash); // of a part they would say nothing
	file_end(x, f, dir, true, false);
}

void files_drop(struct conn_ctx *x, struct http_msg *msg)
{
	if (msg->mime != NULL)
		pool_put(&x->mimes, msg->mime);
	msg->mime = NULL;
	if (msg->file == NULL)
		return;
	range_file_end(x, msg->file, true, NULL);
	hashes_drop(x, msg->file->hash);
	pool_put(&x->files, msg->file);
	msg->file = NULL;
}

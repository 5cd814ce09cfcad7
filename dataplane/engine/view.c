// SPDX-License-Identifier: BSD-2-Clause
#include "dataplane/engine/view.h"

#include "dataplane/engine/uri.h"

void view_init(struct view *v, const struct http_head *head, struct view_scratch *scratch)
{
	v->head = head;
	v->scratch = scratch;
	v->made = 0;
}

static bool is_cookie(const struct http_head *h, struct span name)
{
	return h->dir == DIR_TO_SERVER ? span_eq_nocase(name, SPAN_LIT("cookie")) :
					 span_eq_nocase(name, SPAN_LIT("set-cookie"));
}

// A value without its folds: each line break and the white space after it become one space.
static size_t value_copy(uint8_t *out, struct span value)
{
	size_t n = 0;

	if (memchr(value.data, '\n', value.len) == NULL) {
		memcpy(out, value.data, value.len);
		return value.len;
	}
	for (size_t i = 0; i < value.len; i++) {
		uint8_t c = value.data[i];

		if (c == '\r' || c == '\n') {
			while (i + 1 < value.len && strchr(" \t\r\n", value.data[i + 1]) != NULL &&
			       value.data[i + 1] != '\0')
				i++;
			c = ' ';
		}
		out[n++] = c;
	}
	return n;
}

static struct span header_make(const struct http_head *h, uint8_t *out)
{
	size_t n = 0;

	for (uint32_t i = 0; i < h->n_fields; i++) {
		const struct http_field *f = &h->fields[i];

		if (is_cookie(h, f->name))
			continue;
		if (f->name.len > 0) {
			memcpy(out + n, f->name.data, f->name.len);
			n += f->name.len;
			out[n++] = ':';
			out[n++] = ' ';
		}
		if (f->value.len > 0)
			n += value_copy(out + n, f->value);
		out[n++] = '\r';
		out[n++] = '\n';
	}
	return span_of(out, n);
}

static struct span cookie_make(const struct http_head *h, uint8_t *out)
{
	size_t n = 0;

	for (uint32_t i = 0; i < h->n_fields; i++) {
		const struct http_field *f = &h->fields[i];

		if (!is_cookie(h, f->name) || f->value.len == 0)
			continue;
		if (n > 0) {
			out[n++] = ',';
			out[n++] = ' ';
		}
		n += value_copy(out + n, f->value);
	}
	return span_of(out, n);
}

static struct span make(const struct view *v, enum buffer buffer)
{
	const struct http_head *h = v->head;
	struct view_scratch *s = v->scratch;
	struct span authority;

	switch (buffer) {
	case BUF_METHOD:
		return h->method;
	case BUF_URI:
		return span_of(s->uri, uri_normalise(h->target, s->uri));
	case BUF_URI_RAW:
		return h->target;
	case BUF_HOST:
		authority = uri_authority(h->target);
		return span_of(s->host, uri_host(authority.len > 0 ? authority : h->host, s->host));
	case BUF_USER_AGENT:
		return h->user_agent;
	case BUF_HEADER:
		return header_make(h, s->header);
	case BUF_COOKIE:
		return cookie_make(h, s->cookie);
	case BUF_STAT_CODE:
		return h->status_text;
	default:
		return SPAN_NONE;
	}
}

struct span view_get(struct view *v, enum buffer buffer)
{
	if ((v->made & (1u << buffer)) == 0) {
		v->buf[buffer] = make(v, buffer);
		v->made |= 1u << buffer;
	}
	return v->buf[buffer];
}

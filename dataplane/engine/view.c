// SPDX-License-Identifier: BSD-2-Clause
#include "dataplane/engine/view.h"

#include "dataplane/engine/uri.h"

void view_init(struct view *v, const struct http_head *head, struct view_scratch *scratch)
{
	v->head = head;
	v->scratch = scratch;
	v->made = 0;
	v->n_joined = 0;
}

void view_addresses(struct view *v, const struct flow *flow)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	struct hit_addr a;

	flow_addr(flow, v->head->dir, &a);
	memcpy(v->scratch->address[0], a.src, sizeof(a.src));
	memcpy(v->scratch->address[1], a.dst, sizeof(a.dst));
	for (int i = 0; i < 2; i++) {
		const uint8_t *p = v->scratch->address[i];
		size_t skip = memcmp(p, mapped, sizeof(mapped)) == 0 ? sizeof(mapped) : 0;

		v->buf[BUF_IP_SRC + i] = span_of(p + skip, 16 - skip);
	}
	v->made |= UINT64_C(1) << BUF_IP_SRC | UINT64_C(1) << BUF_IP_DST;
}

static bool is_cookie(const struct http_head *h, struct span name)
{
	return h->dir == DIR_TO_SERVER ? span_eq_nocase(name, SPAN_LIT("cookie"))
				       : span_eq_nocase(name, SPAN_LIT("set-cookie"));
}

static bool is_folded(struct span value)
{
	return value.len > 0 && memchr(value.data, '\n', value.len) != NULL;
}

// A value without its folds: each line break and the white space after it become one space.
static size_t value_copy(uint8_t *out, struct span value)
{
	size_t n = 0;

	if (value.len == 0)
		return 0;
	if (!is_folded(value)) {
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

static struct span header_make(const struct http_head *h, bool with_cookies, uint8_t *out)
{
	size_t n = 0;

	for (uint32_t i = 0; i < h->n_fields; i++) {
		const struct http_field *f = &h->fields[i];

		if (!with_cookies && is_cookie(h, f->name))
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
	return n > 0 ? span_of(out, n) : SPAN_NONE;
}

bool view_part(struct span *io_rest, struct span *ret_part)
{
	const uint8_t *lf =
		memchr(io_rest->data, '\n', io_rest->len); // none in a name or an unfolded value

	if (lf == NULL)
		return false;
	*ret_part = span_of(io_rest->data, (size_t)(lf - io_rest->data) - 1);
	*io_rest = span_from(*io_rest, ret_part->len + 2);
	return true;
}

static struct span cookie_make(const struct http_head *h, uint8_t *out)
{
	bool seen = false;
	size_t n = 0;

	for (uint32_t i = 0; i < h->n_fields; i++) {
		const struct http_field *f = &h->fields[i];

		if (!is_cookie(h, f->name))
			continue;
		seen = true;
		if (f->value.len == 0)
			continue;
		if (n > 0) {
			out[n++] = ',';
			out[n++] = ' ';
		}
		n += value_copy(out + n, f->value);
	}
	return seen ? span_of(out, n) : SPAN_NONE;
}

static struct span names_make(const struct http_head *h, uint8_t *out)
{
	size_t n = 0;

	if (h->n_fields == 0)
		return SPAN_NONE;
	out[n++] = '\r';
	out[n++] = '\n';
	for (uint32_t i = 0; i < h->n_fields; i++) {
		const struct http_field *f = &h->fields[i];

		if (f->name.len == 0)
			continue;
		memcpy(out + n, f->name.data, f->name.len);
		n += f->name.len;
		out[n++] = '\r';
		out[n++] = '\n';
	}
	out[n++] = '\r';
	out[n++] = '\n';
	return span_of(out, n);
}

// The value of a field; of a field that came several times the values joined by ", ", as Suricata has them.
static struct span field_make(struct view *v, struct span name)
{
	const struct http_head *h = v->head;
	uint8_t *out = v->scratch->joined + v->n_joined;
	struct span one = SPAN_NONE;
	size_t n = 0;
	int seen = 0;

	for (uint32_t i = 0; i < h->n_fields; i++) {
		const struct http_field *f = &h->fields[i];

		if (!span_eq_nocase(f->name, name))
			continue;
		if (seen++ == 0 && !is_folded(f->value)) {
			one = f->value;
			continue;
		}
		if (one.len > 0) {
			memcpy(out, one.data, one.len);
			n = one.len;
			one = SPAN_NONE;
		}
		// Each byte of the head is copied once at most, ", " replaces at least a line end.
		if (n > 0) {
			out[n++] = ',';
			out[n++] = ' ';
		}
		n += value_copy(out + n, f->value);
	}
	v->n_joined += n;
	if (n > 0)
		return span_of(out, n);
	return seen > 0 && one.data == NULL ? span_of(out, 0) : one;
}

static struct span start_line(const struct http_head *h)
{
	struct span line = h->raw;
	const uint8_t *lf;

	if (h->absent)
		return SPAN_NONE;
	lf = memchr(line.data, '\n', line.len);
	if (lf != NULL)
		line.len = (size_t)(lf - line.data);
	if (line.len > 0 && line.data[line.len - 1] == '\r')
		line.len--;
	return line;
}

static struct span header_raw(const struct http_head *h)
{
	const uint8_t *lf = h->absent ? NULL : memchr(h->raw.data, '\n', h->raw.len);

	return lf != NULL ? span_from(h->raw, (size_t)(lf - h->raw.data) + 1) : SPAN_NONE;
}

// "HTTP/1.1": the last word of a request line, the first of a status line.
static struct span protocol(const struct http_head *h)
{
	struct span line = start_line(h);
	size_t n = 0;

	if (h->dir == DIR_TO_CLIENT) {
		while (n < line.len && line.data[n] != ' ' && line.data[n] != '\t')
			n++;
		return span_first(line, n);
	}
	if (h->version == 9)
		return SPAN_NONE;
	while (line.len > 0 && (line.data[line.len - 1] == ' ' || line.data[line.len - 1] == '\t'))
		line.len--;
	for (n = line.len; n > 0 && line.data[n - 1] != ' ' && line.data[n - 1] != '\t'; n--)
		;
	return span_from(line, n);
}

// What follows the status code.
static struct span status_message(const struct http_head *h)
{
	struct span line = start_line(h), s;

	if (h->status_text.len == 0)
		return SPAN_NONE;
	s = span_from(line, (size_t)(h->status_text.data - line.data) + h->status_text.len);
	while (s.len > 0 && (s.data[0] == ' ' || s.data[0] == '\t'))
		s = span_from(s, 1);
	return s;
}

// "www.example.com/a?b": what http.host says, and the target from its path on.
static struct span url_make(const struct http_head *h, uint8_t *out)
{
	struct span authority = uri_authority(h->target), path = h->target;
	size_t n = uri_host(authority.len > 0 ? authority : h->host, out);

	if (authority.len > 0)
		path = span_from(path, (size_t)(authority.data - path.data) + authority.len);
	if (n == 0 || (path.len > 0 && path.data[0] != '/' && path.data[0] != '?'))
		return SPAN_NONE; // CONNECT host:port, OPTIONS *
	if (path.len == 0 || path.data[0] == '?')
		out[n++] = '/';
	if (path.len > 0)
		memcpy(out + n, path.data, path.len);
	return span_of(out, n + path.len);
}

static struct span make(struct view *v, enum buffer buffer)
{
	const struct http_head *h = v->head;
	struct view_scratch *s = v->scratch;
	struct span authority;

	switch (buffer) {
	case BUF_METHOD:
		return h->method;
	case BUF_URI:
		if (span_eq(h->method, SPAN_LIT("CONNECT")))
			return SPAN_NONE; // its target is no URI
		return span_of(s->uri, uri_normalise(h->target, s->uri));
	case BUF_URI_RAW:
		return h->target;
	case BUF_HOST:
		authority = uri_authority(h->target);
		if ((authority.len == 0 && h->host.data == NULL) || h->unfinished)
			return SPAN_NONE;
		return span_of(s->host, uri_host(authority.len > 0 ? authority : h->host, s->host));
	case BUF_URL:
		return url_make(h, s->url);
	case BUF_HOST_RAW:
		authority = uri_authority(h->target);
		return authority.len > 0 ? authority : h->host;
	case BUF_USER_AGENT:
		return field_make(v, SPAN_LIT("user-agent"));
	case BUF_REFERER:
		return field_make(v, SPAN_LIT("referer"));
	case BUF_ACCEPT:
		return field_make(v, SPAN_LIT("accept"));
	case BUF_ACCEPT_ENC:
		return field_make(v, SPAN_LIT("accept-encoding"));
	case BUF_ACCEPT_LANG:
		return field_make(v, SPAN_LIT("accept-language"));
	case BUF_CONNECTION:
		return field_make(v, SPAN_LIT("connection"));
	case BUF_CONTENT_TYPE:
		return field_make(v, SPAN_LIT("content-type"));
	case BUF_CONTENT_LEN:
		return field_make(v, SPAN_LIT("content-length"));
	case BUF_LOCATION:
		return field_make(v, SPAN_LIT("location"));
	case BUF_SERVER:
		return field_make(v, SPAN_LIT("server"));
	case BUF_PROTOCOL:
		return protocol(h);
	case BUF_START:
		return h->raw;
	case BUF_REQUEST_LINE:
	case BUF_RESPONSE_LINE:
		return start_line(h);
	case BUF_STAT_MSG:
		return status_message(h);
	case BUF_HEADER_RAW:
		return header_raw(h);
	case BUF_HEADER_NAMES:
		return names_make(h, s->names);
	case BUF_HEADER:
		return header_make(h, false, s->header);
	case BUF_REQUEST_HEADER:
	case BUF_RESPONSE_HEADER:
		return header_make(h, true, s->fields);
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
	if ((v->made >> buffer & 1) == 0) {
		v->buf[buffer] = make(v, buffer);
		v->made |= UINT64_C(1) << buffer;
	}
	return v->buf[buffer];
}

// SPDX-License-Identifier: BSD-2-Clause
// One pass to decode, one pass in place to resolve segments: linear, output never longer than input.
#include "dataplane/engine/uri.h"

static int hex(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = span_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// Bytes of "scheme://" at the front, 0 if there is none.
static size_t scheme_len(struct span t)
{
	size_t i = 0;

	while (i < t.len && ((t.data[i] | 0x20) >= 'a' && (t.data[i] | 0x20) <= 'z'))
		i++;
	if (i == 0 || i + 3 > t.len || memcmp(t.data + i, "://", 3) != 0)
		return 0;
	return i + 3;
}

struct span uri_authority(struct span target)
{
	size_t from = scheme_len(target), to = from;

	if (from == 0)
		return SPAN_NONE;
	while (to < target.len && target.data[to] != '/' && target.data[to] != '?')
		to++;
	return span_of(target.data + from, to - from);
}

static size_t percent_decode(struct span path, uint8_t *out)
{
	size_t n = 0;

	for (size_t i = 0; i < path.len; i++) {
		uint8_t c = path.data[i];

		if (c == '%' && i + 2 < path.len && hex(path.data[i + 1]) >= 0 &&
		    hex(path.data[i + 2]) >= 0) {
			c = (uint8_t)(hex(path.data[i + 1]) << 4 | hex(path.data[i + 2]));
			i += 2;
		}
		out[n++] = c;
	}
	return n;
}

// RFC 3986 5.2.4 in place, with runs of '/' taken as one.
static size_t segments_resolve(uint8_t *p, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len;) {
		size_t end = i;

		if (p[i] == '/') {
			if (n == 0 || p[n - 1] != '/')
				p[n++] = '/';
			i++;
			continue;
		}
		while (end < len && p[end] != '/')
			end++;
		if (end - i == 1 && p[i] == '.') {
			i = end;
		} else if (end - i == 2 && p[i] == '.' && p[i + 1] == '.' && n > 0) {
			if (n > 1)
				n--; // the slash before ".."
			while (n > 0 && p[n - 1] != '/')
				n--;
			i = end;
		} else {
			memmove(p + n, p + i, end - i);
			n += end - i;
			i = end;
		}
	}
	return n;
}

size_t uri_normalise(struct span target, uint8_t *out)
{
	struct span authority = uri_authority(target);
	struct span path = target;
	const uint8_t *query;
	size_t n, path_len;

	if (authority.data != NULL)
		path = span_from(target, (size_t)(authority.data - target.data) + authority.len);
	if (path.len == 0)
		return 0;
	query = memchr(path.data, '?', path.len);
	path_len = query != NULL ? (size_t)(query - path.data) : path.len;
	n = percent_decode(span_first(path, path_len), out);
	for (size_t i = 0; i < n; i++)
		if (out[i] == '\\')
			out[i] = '/';
	n = segments_resolve(out, n);
	return n + percent_decode(span_from(path, path_len), out + n);
}

size_t uri_host(struct span host, uint8_t *out)
{
	size_t len = host.len, from = 0;

	for (size_t i = 0; i < len; i++)
		if (host.data[i] == '@')
			from = i + 1;
	if (from < len && host.data[from] == '[') {
		const uint8_t *end = memchr(host.data + from, ']', len - from);

		if (end != NULL)
			len = (size_t)(end - host.data) + 1;
	} else if (from < len) {
		const uint8_t *colon = memchr(host.data + from, ':', len - from);

		if (colon != NULL)
			len = (size_t)(colon - host.data);
	}
	for (size_t i = from; i < len; i++)
		out[i - from] = span_lower(host.data[i]);
	return len > from ? len - from : 0;
}

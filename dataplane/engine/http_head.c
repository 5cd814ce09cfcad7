// SPDX-License-Identifier: BSD-2-Clause
// A complete message head: start line, fields, and how long the body is. Pure: span in, struct out.
#include <errno.h>

#include "dataplane/engine/http.h"

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t';
}

// What is left of nothing but white space still points to its end: memchr() takes no NULL.
static struct span trim(struct span s)
{
	while (s.len > 0 && (is_blank(s.data[0]) || s.data[0] == '\r' || s.data[0] == '\n')) {
		s.data++;
		s.len--;
	}
	while (s.len > 0 && (is_blank(s.data[s.len - 1]) || s.data[s.len - 1] == '\r' ||
			     s.data[s.len - 1] == '\n'))
		s.len--;
	return s;
}

// Take a line off the front of *io_rest, without its line end (LF, CR LF).
static struct span line_take(struct span *io_rest)
{
	const uint8_t *lf = memchr(io_rest->data, '\n', io_rest->len);
	struct span line = *io_rest;

	if (lf == NULL) {
		*io_rest = SPAN_NONE;
		return line;
	}
	line.len = (size_t)(lf - line.data);
	*io_rest = span_from(*io_rest, line.len + 1);
	if (line.len > 0 && line.data[line.len - 1] == '\r')
		line.len--;
	return line;
}

// "HTTP/1.1" -> 11; 0 if it is no version.
static uint8_t version_parse(struct span s)
{
	if (s.len < 8 || !span_eq_nocase(span_first(s, 5), SPAN_LIT("HTTP/")))
		return 0;
	if (s.data[5] < '0' || s.data[5] > '9' || s.data[6] != '.' || s.data[7] < '0' ||
	    s.data[7] > '9')
		return s.data[5] == '1' ? 11 : 10; // "HTTP/1.x" as some write it
	return (uint8_t)((s.data[5] - '0') * 10 + (s.data[7] - '0'));
}

// method SP target SP version; servers take runs of blanks, and a target with blanks in it.
static int request_line(struct span line, struct http_head *h)
{
	struct span rest = line;
	size_t n = 0;

	while (n < rest.len && !is_blank(rest.data[n]))
		n++;
	if (n == 0 || n == rest.len)
		return -EBADMSG;
	h->method = span_first(rest, n);
	rest = trim(span_from(rest, n));
	if (rest.len == 0)
		return -EBADMSG;
	for (n = rest.len; n > 0 && !is_blank(rest.data[n - 1]); n--)
		;
	h->version = version_parse(span_from(rest, n));
	if (h->version == 0) {
		h->target = rest;
		h->version = 9;
		return 0;
	}
	h->target = trim(span_first(rest, n));
	return h->target.len > 0 ? 0 : -EBADMSG;
}

static int status_line(struct span line, struct http_head *h)
{
	struct span rest = line;
	size_t n = 0;

	if (rest.len >= 4 && span_eq_nocase(span_first(rest, 4), SPAN_LIT("ICY ")))
		h->version = 10;
	else
		h->version = version_parse(rest);
	if (h->version == 0)
		return -EBADMSG;
	while (n < rest.len && !is_blank(rest.data[n]))
		n++;
	rest = trim(span_from(rest, n));
	for (n = 0; n < rest.len && !is_blank(rest.data[n]); n++)
		;
	h->status_text = span_first(rest, n);
	h->status = 0;
	if (n == 3 && rest.data[0] >= '0' && rest.data[0] <= '9' && rest.data[1] >= '0' &&
	    rest.data[1] <= '9' && rest.data[2] >= '0' && rest.data[2] <= '9')
		h->status = (uint16_t)((rest.data[0] - '0') * 100 + (rest.data[1] - '0') * 10 +
				       (rest.data[2] - '0'));
	return 0;
}

// What the framing fields said so far.
struct framing {
	bool has_length, bad_length, has_te, chunked;
	uint64_t length;
};

// One Content-Length field: digits, or a list of equal ones.
static void length_parse(struct span v, struct framing *fr)
{
	do {
		const uint8_t *comma = memchr(v.data, ',', v.len);
		struct span item =
			trim(comma != NULL ? span_first(v, (size_t)(comma - v.data)) : v);
		uint64_t n = 0;

		v = comma != NULL ? span_from(v, (size_t)(comma - v.data) + 1) : SPAN_NONE;
		if (item.len == 0)
			fr->bad_length = true;
		for (size_t i = 0; i < item.len; i++) {
			if (item.data[i] < '0' || item.data[i] > '9' || n > UINT64_MAX / 20) {
				fr->bad_length = true;
				return;
			}
			n = n * 10 + (item.data[i] - '0');
		}
		if (fr->has_length && n != fr->length)
			fr->bad_length = true;
		fr->has_length = true;
		fr->length = n;
	} while (v.len > 0);
}

// The last coding decides; a parameter after it is no chunked coding for any server.
static void te_parse(struct span v, struct framing *fr)
{
	const uint8_t *comma = memrchr(v.data, ',', v.len);
	struct span last = trim(comma != NULL ? span_from(v, (size_t)(comma - v.data) + 1) : v);

	if (span_eq_nocase(last, SPAN_LIT("identity")))
		return;
	fr->has_te = true;
	fr->chunked = span_eq_nocase(last, SPAN_LIT("chunked"));
}

static void codings_parse(struct span v, struct http_head *h)
{
	while (v.len > 0) {
		const uint8_t *comma = memrchr(v.data, ',', v.len);
		struct span c =
			trim(comma != NULL ? span_from(v, (size_t)(comma - v.data) + 1) : v);
		uint8_t coding = HTTP_CODING_OTHER;

		v = comma != NULL ? span_first(v, (size_t)(comma - v.data)) : SPAN_NONE;
		if (c.len == 0 || span_eq_nocase(c, SPAN_LIT("identity")))
			continue;
		if (span_eq_nocase(c, SPAN_LIT("gzip")) || span_eq_nocase(c, SPAN_LIT("x-gzip")))
			coding = HTTP_CODING_GZIP;
		else if (span_eq_nocase(c, SPAN_LIT("deflate")) ||
			 span_eq_nocase(c, SPAN_LIT("x-deflate")))
			coding = HTTP_CODING_DEFLATE;
		else if (span_eq_nocase(c, SPAN_LIT("br")))
			coding = HTTP_CODING_BR;
		else if (span_eq_nocase(c, SPAN_LIT("zstd")))
			coding = HTTP_CODING_ZSTD;
		if (h->n_codings < HTTP_CODINGS_MAX)
			h->codings[h->n_codings++] = coding;
	}
}

static void first(struct span *slot, struct span value)
{
	if (slot->data == NULL)
		*slot = value;
}

static void field_note(const struct http_field *f, struct http_head *h, struct framing *fr)
{
	const struct span n = f->name;

	switch (n.len) {
	case 4:
		if (span_eq_nocase(n, SPAN_LIT("host")))
			first(&h->host, f->value);
		break;
	case 7:
		if (span_eq_nocase(n, SPAN_LIT("referer")))
			first(&h->referer, f->value);
		break;
	case 10:
		if (span_eq_nocase(n, SPAN_LIT("user-agent")))
			first(&h->user_agent, f->value);
		break;
	case 12:
		if (span_eq_nocase(n, SPAN_LIT("content-type")))
			first(&h->content_type, f->value);
		break;
	case 14:
		if (span_eq_nocase(n, SPAN_LIT("content-length")))
			length_parse(f->value, fr);
		break;
	case 16:
		if (span_eq_nocase(n, SPAN_LIT("content-encoding")))
			codings_parse(f->value, h);
		break;
	case 17:
		if (span_eq_nocase(n, SPAN_LIT("transfer-encoding")))
			te_parse(f->value, fr);
		break;
	case 19:
		if (span_eq_nocase(n, SPAN_LIT("content-disposition")))
			first(&h->content_disposition, f->value);
		break;
	}
}

// Split fields; a folded line belongs to the value before it. -E2BIG: more than HTTP_FIELDS_MAX.
static int fields_parse(struct span rest, struct http_head *h, struct counters *c)
{
	while (rest.len > 0) {
		struct span line = line_take(&rest);
		struct http_field *f;
		const uint8_t *colon;

		if (line.len == 0)
			break;
		if (is_blank(line.data[0]) && h->n_fields > 0) {
			f = &h->fields[h->n_fields - 1];
			f->value.len = (size_t)(line.data + line.len - f->value.data);
			c->v[CNT_HTTP_BAD_HEADER]++;
			continue;
		}
		if (h->n_fields == HTTP_FIELDS_MAX)
			return -E2BIG;
		f = &h->fields[h->n_fields++];
		colon = memchr(line.data, ':', line.len);
		if (colon == NULL) {
			*f = (struct http_field){span_of(line.data, 0), line};
			c->v[CNT_HTTP_BAD_HEADER]++;
			continue;
		}
		f->name = span_first(line, (size_t)(colon - line.data));
		f->value = span_from(line, f->name.len + 1);
		if (f->value.data == NULL)
			f->value = span_of(colon + 1, 0);
		if (f->name.len == 0 || is_blank(f->name.data[f->name.len - 1]) ||
		    is_blank(f->name.data[0]))
			c->v[CNT_HTTP_BAD_HEADER]++;
		f->name = trim(f->name);
	}
	return 0;
}

// RFC 9112 6.3, and where servers differ the reading that keeps more bytes in view.
static void framing_decide(struct http_head *h, const struct framing *fr, enum http_answers answers,
			   struct counters *c)
{
	bool response = h->dir == DIR_TO_CLIENT;

	h->content_length = 0;
	if (fr->bad_length)
		c->v[CNT_HTTP_BAD_LENGTH]++;
	if (fr->has_te && fr->has_length)
		c->v[CNT_HTTP_CL_TE]++;
	if (response && (h->status == 101 ||
			 (answers == HTTP_ANSWERS_CONNECT && h->status >= 200 && h->status < 300)))
		h->framing = HTTP_FRAMING_UPGRADE;
	else if (response && (answers == HTTP_ANSWERS_HEAD || h->status / 100 == 1 ||
			      h->status == 204 || h->status == 304))
		h->framing = HTTP_FRAMING_NONE;
	else if (fr->chunked)
		h->framing = HTTP_FRAMING_CHUNKED;
	else if (fr->has_te || fr->bad_length)
		h->framing = response ? HTTP_FRAMING_CLOSE : HTTP_FRAMING_BROKEN;
	else if (fr->has_length) {
		h->framing = fr->length > 0 ? HTTP_FRAMING_LENGTH : HTTP_FRAMING_NONE;
		h->content_length = fr->length;
	} else
		h->framing = response ? HTTP_FRAMING_CLOSE : HTTP_FRAMING_NONE;
}

int http_head_parse(struct span raw, enum dir dir, enum http_answers answers,
		    struct counters *counters, struct http_head *ret_head)
{
	struct http_head *h = ret_head;
	struct framing fr = {0};
	struct span rest = raw, line;
	int err;

	memset(h, 0, offsetof(struct http_head, fields));
	h->raw = raw;
	h->dir = dir;
	line = line_take(&rest);
	err = dir == DIR_TO_SERVER ? request_line(line, h) : status_line(line, h);
	if (err < 0)
		return err;
	err = fields_parse(rest, h, counters);
	if (err < 0)
		return err;
	// Values are trimmed only now: folding has made some of them longer.
	for (uint32_t i = 0; i < h->n_fields; i++) {
		h->fields[i].value = trim(h->fields[i].value);
		field_note(&h->fields[i], h, &fr);
	}
	framing_decide(h, &fr, answers, counters);
	return 0;
}

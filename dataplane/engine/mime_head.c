// SPDX-License-Identifier: BSD-2-Clause
// Heads of parts and the parameters in them: Content-Disposition: form-data; name="a"; filename="b"; filename*=UTF-8''c
//
// A parameter is everything up to the next ';' that is not in quotes; its value is what stands behind '=', without white
// space, quotes and the backslashes that quotes need. A backslash counts as such only before a quote or another one: old
// browsers send whole Windows paths. What is decoded is put into m->text.
#include "dataplane/engine/mime.h"

static bool is_space(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct span trim(struct span s)
{
	while (s.len > 0 && is_space(s.data[0]))
		s = span_from(s, 1);
	while (s.len > 0 && is_space(s.data[s.len - 1]))
		s.len--;
	return s;
}

// ---- parameters ----

struct param {
	struct span name;
	struct span value; // with its quotes, if any
};

// The value of a quoted string up to its closing quote, which may be missing.
static size_t quoted_len(struct span s)
{
	for (size_t i = 1; i < s.len; i++) {
		if (s.data[i] == '\\' && i + 1 < s.len &&
		    (s.data[i + 1] == s.data[0] || s.data[i + 1] == '\\'))
			i++;
		else if (s.data[i] == s.data[0])
			return i + 1;
	}
	return s.len;
}

// The next parameter of *io_rest. A word without '=' has an empty value.
static bool param_next(struct span *io_rest, struct param *ret)
{
	struct span s = *io_rest;
	size_t n = 0, eq = SIZE_MAX, end;

	while (s.len > 0 && (is_space(s.data[0]) || s.data[0] == ';'))
		s = span_from(s, 1);
	if (s.len == 0)
		return false;
	while (n < s.len && s.data[n] != ';' && s.data[n] != '=')
		n++;
	ret->name = trim(span_first(s, n));
	ret->value = SPAN_NONE;
	if (n < s.len && s.data[n] == '=') {
		eq = ++n;
		while (n < s.len && is_space(s.data[n]))
			n++;
		if (n < s.len && (s.data[n] == '"' || s.data[n] == '\''))
			n += quoted_len(span_from(s, n));
		end = n;
		while (n < s.len && s.data[n] != ';')
			n++;
		// Behind a closing quote nothing counts.
		if (end == eq || (s.data[end - 1] != '"' && s.data[end - 1] != '\''))
			end = n;
		ret->value = trim(span_of(s.data + eq, end - eq));
	}
	*io_rest = span_from(s, n);
	return true;
}

static int hex_value(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = span_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void text_put(struct mime *m, uint8_t c)
{
	if (m->n_text < MIME_TEXT_BYTES)
		m->text[m->n_text++] = c;
	else
		m->name_cut = true;
}

static bool is_quoted(struct span v)
{
	return v.len > 0 && (v.data[0] == '"' || v.data[0] == '\'');
}

// A plain value, without its quotes.
static void plain_put(struct mime *m, struct span v)
{
	uint8_t quote = is_quoted(v) ? v.data[0] : 0;
	size_t end = v.len;

	if (quote != 0 && end > 1 && v.data[end - 1] == quote && quoted_len(v) == end)
		end--;
	for (size_t i = quote != 0; i < end; i++) {
		if (quote != 0 && v.data[i] == '\\' && i + 1 < end &&
		    (v.data[i + 1] == quote || v.data[i + 1] == '\\'))
			i++;
		text_put(m, v.data[i]);
	}
}

// RFC 5987: charset'language'percent-encoded. Without the first two it is read all the same.
static void extended_put(struct mime *m, struct span v, bool first)
{
	if (is_quoted(v)) // not allowed, seen
		v = span_from(span_first(v, v.len - (quoted_len(v) == v.len && v.len > 1)), 1);
	if (first) {
		const uint8_t *q = v.len > 0 ? memchr(v.data, '\'', v.len) : NULL;
		size_t n = q != NULL ? (size_t)(q - v.data) + 1 : v.len;

		q = n < v.len ? memchr(v.data + n, '\'', v.len - n) : NULL;
		if (q != NULL)
			v = span_from(v, (size_t)(q - v.data) + 1);
	}
	for (size_t i = 0; i < v.len; i++) {
		int hi = i + 2 < v.len ? hex_value(v.data[i + 1]) : -1;
		int lo = i + 2 < v.len ? hex_value(v.data[i + 2]) : -1;

		if (v.data[i] == '%' && hi >= 0 && lo >= 0) {
			text_put(m, (uint8_t)(hi << 4 | lo));
			i += 2;
		} else {
			text_put(m, v.data[i]);
		}
	}
}

// ---- heads ----

// What has been put into text since from.
static struct span text_from(const struct mime *m, size_t from)
{
	return span_of(m->text + from, m->n_text - from);
}

// RFC 2231 3: name*0, name*1* and so on, in the order in which they stand there. Is p one of them, and is it encoded?
static bool is_numbered(const struct param *p, struct span name, bool *ret_extended)
{
	size_t i = name.len + 1;

	if (p->name.len <= i || p->name.data[name.len] != '*' ||
	    !span_eq_nocase(span_first(p->name, name.len), name))
		return false;
	while (i < p->name.len && p->name.data[i] >= '0' && p->name.data[i] <= '9')
		i++;
	*ret_extended = i + 1 == p->name.len && p->name.data[i] == '*';
	return i > name.len + 1 && (i == p->name.len || *ret_extended);
}

static struct span numbered_read(struct mime *m, struct span value, struct span name)
{
	size_t from = m->n_text;
	bool first = true, extended;
	struct param p;

	while (param_next(&value, &p)) {
		if (!is_numbered(&p, name, &extended))
			continue;
		if (extended)
			extended_put(m, p.value, first);
		else
			plain_put(m, p.value);
		first = false;
	}
	return text_from(m, from);
}

// The first parameter of this name, decoded. False: there is none.
static bool param_read(struct mime *m, struct span value, struct span name, bool extended,
		       struct span *ret_text)
{
	size_t from = m->n_text;
	struct param p;

	while (param_next(&value, &p)) {
		if (!span_eq_nocase(p.name, name))
			continue;
		if (extended)
			extended_put(m, p.value, true);
		else
			plain_put(m, p.value);
		*ret_text = text_from(m, from);
		return true;
	}
	return false;
}

static void disposition_read(struct mime *m, struct span value)
{
	struct mime_part *part = &m->part;
	struct span names[3] = {SPAN_NONE, SPAN_NONE, SPAN_NONE};
	bool has[3];

	if (!param_read(m, value, SPAN_LIT("name"), false, &part->name))
		param_read(m, value, SPAN_LIT("name*"), true, &part->name);
	has[0] = param_read(m, value, SPAN_LIT("filename*"), true, &names[0]);
	names[1] = numbered_read(m, value, SPAN_LIT("filename"));
	has[1] = names[1].len > 0;
	has[2] = param_read(m, value, SPAN_LIT("filename"), false, &names[2]);
	for (int i = 0; i < 3; i++) {
		if (!has[i])
			continue;
		if (!part->has_filename)
			part->filename = names[i];
		else if (part->filename_other.len == 0 && !span_eq(part->filename, names[i]))
			part->filename_other = names[i];
		part->has_filename = true;
	}
}

static void field_read(struct mime *m, struct span name, struct span value)
{
	struct mime_part *part = &m->part;

	if (span_eq_nocase(name, SPAN_LIT("content-disposition"))) {
		if (!part->has_filename && part->name.len == 0)
			disposition_read(m, value);
	} else if (span_eq_nocase(name, SPAN_LIT("content-type"))) {
		if (part->content_type.len == 0)
			part->content_type = value;
	} else if (span_eq_nocase(name, SPAN_LIT("content-range"))) {
		if (part->content_range.len == 0)
			part->content_range = value;
	} else if (span_eq_nocase(name, SPAN_LIT("content-transfer-encoding"))) {
		if (span_eq_nocase(span_first(value, 6), SPAN_LIT("base64")))
			part->encoding = MIME_BASE64;
		else if (span_eq_nocase(span_first(value, 16), SPAN_LIT("quoted-printable")))
			part->encoding = MIME_QUOTED_PRINTABLE;
	}
}

// The length of the first field of s with its line end; lines that begin with white space go on with it.
static size_t field_len(struct span s)
{
	size_t n = 0;

	do {
		const uint8_t *lf = memchr(s.data + n, '\n', s.len - n);

		n = lf != NULL ? (size_t)(lf - s.data) + 1 : s.len;
	} while (n < s.len && (s.data[n] == ' ' || s.data[n] == '\t'));
	return n;
}

void mime_head_read(struct mime *m)
{
	struct span rest = span_of(m->head, m->n_head);

	memset(&m->part, 0, sizeof(m->part));
	m->part.head = rest;
	m->n_text = 0;
	m->name_cut = false;
	while (rest.len > 0) {
		struct span field = span_first(rest, field_len(rest));
		const uint8_t *colon = memchr(field.data, ':', field.len);

		rest = span_from(rest, field.len);
		if (colon != NULL) {
			size_t n = (size_t)(colon - field.data);

			field_read(m, trim(span_first(field, n)), trim(span_from(field, n + 1)));
		}
	}
}

// PHP takes the first "boundary" wherever it stands, up to ',' or ';'.
static struct span boundary_anywhere(struct span s)
{
	static const struct span word = {(const uint8_t *)"boundary", 8};

	for (; s.len > word.len; s = span_from(s, 1)) {
		const uint8_t *eq;

		if (!span_eq_nocase(span_first(s, word.len), word))
			continue;
		eq = memchr(s.data, '=', s.len);
		return eq != NULL ? trim(span_from(s, (size_t)(eq - s.data) + 1)) : SPAN_NONE;
	}
	return SPAN_NONE;
}

size_t mime_boundary(struct span content_type, uint8_t *out)
{
	struct span rest = content_type, value = SPAN_NONE;
	struct param p;
	size_t n = 0;

	while (value.len == 0 && param_next(&rest, &p))
		if (span_eq_nocase(p.name, SPAN_LIT("boundary")))
			value = p.value;
	if (value.len == 0)
		value = boundary_anywhere(content_type);
	if (value.len > 0 && value.data[0] == '"') {
		const uint8_t *end = memchr(value.data + 1, '"', value.len - 1);

		value = end != NULL ? span_of(value.data + 1, (size_t)(end - value.data) - 1)
				    : span_from(value, 1);
	} else {
		while (n < value.len && value.data[n] != ',' && value.data[n] != ';')
			n++;
		value = span_first(value, n);
	}
	for (n = 0; n < value.len && value.data[n] != '\r' && value.data[n] != '\n'; n++)
		;
	value = trim(span_first(value, n));
	if (value.len > MIME_BOUNDARY_MAX)
		return 0;
	if (value.len > 0)
		memcpy(out, value.data, value.len);
	return value.len;
}

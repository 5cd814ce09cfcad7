// SPDX-License-Identifier: BSD-2-Clause
// How long is a body, and how is it encoded? Where hosts differ there are two answers: framing is that of the hosts which take
// most (chunked before a length), other_framing that of others. More than two would be too many: the rest is what the
// raw scan is for.
#include "dataplane/engine/http_impl.h"

// Where lit stands in s, whatever the case; NULL: nowhere.
static const uint8_t *find_nocase(struct span s, struct span lit)
{
	for (size_t i = 0; i + lit.len <= s.len; i++)
		if (span_eq_nocase(span_of(s.data + i, lit.len), lit))
			return s.data + i;
	return NULL;
}

// The next element of a list, trimmed; *io_rest moves behind it.
static struct span item_take(struct span *io_rest)
{
	const uint8_t *comma = memchr(io_rest->data, ',', io_rest->len);
	struct span item = *io_rest;

	if (comma == NULL) {
		*io_rest = SPAN_NONE;
		return http_trim(item);
	}
	item.len = (size_t)(comma - item.data);
	*io_rest = span_from(*io_rest, item.len + 1);
	return http_trim(item);
}

// An empty last element: item_take() does not see it.
static bool ends_with_comma(struct span v)
{
	return v.len > 0 && v.data[v.len - 1] == ',';
}

// The first run of digits is what a lax reader takes. False: there is none.
static bool number_parse(struct span v, struct http_framing_fields *fr, uint64_t *ret_n)
{
	uint64_t n = 0, base = 10;
	bool big = false;
	size_t i = 0;

	while (i < v.len && (v.data[i] < '0' || v.data[i] > '9'))
		i++;
	if (i == v.len)
		return false;
	for (; i < v.len && v.data[i] >= '0' && v.data[i] <= '9'; i++) {
		big |= n > (UINT64_MAX - 9) / base;
		n = n * base + (uint64_t)(v.data[i] - '0');
	}
	if (big) {
		// Wrapped round by some, larger than anything to others.
		fr->bad_length = true;
		fr->no_number = true;
		fr->lengths_differ = true;
		fr->other_length = n;
		n = UINT64_MAX;
	}
	*ret_n = n;
	return true;
}

static bool all_digits(struct span v)
{
	for (size_t i = 0; i < v.len; i++)
		if (v.data[i] < '0' || v.data[i] > '9')
			return false;
	return v.len > 0;
}

static void length_parse(struct http_framing_fields *fr, struct span v, bool lax)
{
	lax |= ends_with_comma(v);
	do {
		struct span item = item_take(&v);
		uint64_t n;

		if (lax || !all_digits(item))
			fr->bad_length = true;
		fr->no_number |= !all_digits(item);
		if (!number_parse(item, fr, &n))
			continue;
		fr->several_lengths |= fr->has_length;
		if (fr->has_length && n != fr->length && !fr->lengths_differ) {
			fr->lengths_differ = true;
			fr->other_length = n;
		}
		if (!fr->has_length)
			fr->length = n;
		fr->has_length = true;
	} while (v.len > 0);
}

static void te_parse(struct http_framing_fields *fr, struct span v, bool lax)
{
	lax |= ends_with_comma(v);
	do {
		struct span item = item_take(&v);
		bool exact = span_eq_nocase(item, SPAN_LIT("chunked"));

		if (span_eq_nocase(item, SPAN_LIT("identity")) && !fr->has_te && v.len == 0 &&
		    !lax) {
			fr->identity = true; // alone it says nothing, to most
			return;
		}
		if (find_nocase(item, SPAN_LIT("chunked")) != NULL) {
			fr->odd_te |= fr->has_te || !exact || lax;
			fr->chunked = true;
		} else {
			fr->odd_te = true;
		}
		fr->has_te = true;
	} while (v.len > 0);
}

// A coding, spelled as it may be. NONE: identity or nothing at all. A name that stands there wrongly does no harm: what
// is not encoded so is taken as it is.
static enum http_coding coding_of(struct span c, bool *io_odd)
{
	static const struct {
		struct span name;
		enum http_coding coding;
		bool inside; // the name need not stand alone
	} table[] = {
		{SPAN_LIT("gzip"), HTTP_CODING_GZIP, true},
		{SPAN_LIT("deflate"), HTTP_CODING_DEFLATE, true},
		{SPAN_LIT("br"), HTTP_CODING_BR, false},
		{SPAN_LIT("zstd"), HTTP_CODING_ZSTD, true},
	};

	if (c.len >= 2 && c.data[1] == '-' && (c.data[0] | 0x20) == 'x')
		c = span_from(c, 2);
	if (c.len == 0 || span_eq_nocase(c, SPAN_LIT("identity")) ||
	    span_eq_nocase(c, SPAN_LIT("none")))
		return HTTP_CODING_NONE;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (span_eq_nocase(c, table[i].name))
			return table[i].coding;
	*io_odd = true;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (table[i].inside && find_nocase(c, table[i].name) != NULL)
			return table[i].coding;
	return HTTP_CODING_OTHER;
}

static void coding_parse(struct http_framing_fields *fr, struct span v, bool lax)
{
	fr->odd_coding |= lax;
	do {
		enum http_coding coding = coding_of(item_take(&v), &fr->odd_coding);

		if (coding == HTTP_CODING_NONE)
			continue;
		if (fr->n_codings == HTTP_CODINGS_MAX) {
			fr->odd_coding = true;
			memmove(fr->codings, fr->codings + 1, HTTP_CODINGS_MAX - 1);
			fr->n_codings--;
		}
		fr->codings[fr->n_codings++] = (uint8_t)coding;
	} while (v.len > 0);
}

// Equal but for case and for bytes that stand in no name.
static bool name_is(struct span name, struct span lit, bool lax)
{
	size_t n = 0;

	if (!lax)
		return span_eq_nocase(name, lit);
	for (size_t i = 0; i < name.len; i++) {
		uint8_t c = name.data[i];

		if (c <= ' ' || c >= 0x7f)
			continue;
		if (n == lit.len || span_lower(c) != lit.data[n])
			return false;
		n++;
	}
	return n == lit.len;
}

void http_framing_field(struct http_framing_fields *fr, struct span name, struct span value,
			bool lax)
{
	if (name_is(name, SPAN_LIT("content-length"), lax))
		length_parse(fr, value, lax);
	else if (name_is(name, SPAN_LIT("transfer-encoding"), lax))
		te_parse(fr, value, lax);
	else if (name_is(name, SPAN_LIT("content-encoding"), lax))
		coding_parse(fr, value, lax);
}

// One after the other, the readings of a head; those that are there already are left out.
static void reading_add(struct http_head *h, int *io_n, enum http_framing framing, uint64_t length)
{
	if (framing == HTTP_FRAMING_LENGTH && length == 0)
		framing = HTTP_FRAMING_NONE;
	if (framing != HTTP_FRAMING_LENGTH)
		length = 0;
	if (*io_n == 0) {
		h->framing = (uint8_t)framing;
		h->content_length = length;
		*io_n = 1;
	} else if (*io_n == 1 && (h->framing != framing || h->content_length != length)) {
		h->other_framing = (uint8_t)framing;
		h->other_length = length;
		*io_n = 2;
	}
}

static void readings(struct http_head *h, const struct http_framing_fields *fr)
{
	const bool response = h->dir == DIR_TO_CLIENT;
	const enum http_framing neither = response ? HTTP_FRAMING_CLOSE : HTTP_FRAMING_NONE;
	bool clear = true; // nobody thinks that the fields are not there
	int n = 0;

	if (fr->chunked) {
		reading_add(h, &n, HTTP_FRAMING_CHUNKED, 0);
		clear = !fr->odd_te && h->version >= 11;
	} else if (fr->has_te || (fr->bad_length && !fr->has_length)) {
		clear = false;
		if (!fr->has_length && !response)
			reading_add(h, &n, HTTP_FRAMING_BROKEN, 0);
	}
	if (fr->has_length) {
		if (response && fr->no_number)
			reading_add(h, &n, neither, 0); // browsers read on
		reading_add(h, &n, HTTP_FRAMING_LENGTH, fr->length);
		if (fr->lengths_differ)
			reading_add(h, &n, HTTP_FRAMING_LENGTH, fr->other_length);
		clear &= !fr->bad_length;
	}
	if (n == 0 || !clear)
		reading_add(h, &n, neither, 0);
}

void http_framing_decide(struct http_head *h, const struct http_framing_fields *fr,
			 enum http_answers answers)
{
	const bool response = h->dir == DIR_TO_CLIENT;

	for (int i = 0; i < fr->n_codings; i++)
		h->codings[i] = fr->codings[fr->n_codings - 1 - i];
	h->n_codings = fr->n_codings;
	h->notes |=
		(fr->odd_coding ? 1u << HTTP_NOTE_CODING : 0) |
		(fr->bad_length ? 1u << HTTP_NOTE_LENGTH : 0) |
		(fr->several_lengths ? 1u << HTTP_NOTE_LENGTHS : 0) |
		(fr->has_te && fr->has_length ? 1u << HTTP_NOTE_CL_TE : 0) |
		(fr->odd_te || fr->identity || (fr->has_te && h->version < 11) ? 1u << HTTP_NOTE_TE
									       : 0);
	h->other_framing = HTTP_FRAMING_N;
	h->content_length = 0;
	if (response && (h->status == 101 ||
			 (answers == HTTP_ANSWERS_CONNECT && h->status >= 200 && h->status < 300)))
		h->framing = HTTP_FRAMING_UPGRADE;
	else if (response && (answers == HTTP_ANSWERS_HEAD || h->status / 100 == 1 ||
			      h->status == 204 || h->status == 304)) {
		h->framing = HTTP_FRAMING_NONE;
		// What belongs to no message is scanned as a body, too: no need for another reading.
		if ((h->status / 100 == 1 || h->status == 204) && (fr->chunked || fr->length > 0))
			h->notes |= 1u << HTTP_NOTE_LENGTH;
		// With an end of the connection behind it, what comes can be nothing but what was announced.
		if (h->closes && answers != HTTP_ANSWERS_HEAD && fr->length > 0 && !fr->has_te)
			h->framing = HTTP_FRAMING_UNEXPECTED;
	} else {
		readings(h, fr);
	}
}

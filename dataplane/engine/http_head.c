// SPDX-License-Identifier: BSD-2-Clause
// A complete message head: start line and fields. Pure: span in, struct out.
//
// Whatever some host takes for a field is one here. What only some take for a length or a coding (names with junk in them, lines
// behind a bare CR, in folded lines) is handed to http_framing.c as such.
#include <errno.h>

#include "dataplane/engine/http_impl.h"

enum counter http_note_counter(enum http_note note)
{
	static const enum counter counter[HTTP_NOTE_N] = {
#define X(id, c) [HTTP_NOTE_##id] = c,
		HTTP_NOTE_TABLE(X)
#undef X
	};

	return counter[note];
}

struct span http_trim(struct span s)
{
	while (s.len > 0 && (http_is_blank(s.data[0]) || s.data[0] == '\r' || s.data[0] == '\n')) {
		s.data++;
		s.len--;
	}
	while (s.len > 0 && (http_is_blank(s.data[s.len - 1]) || s.data[s.len - 1] == '\r' ||
			     s.data[s.len - 1] == '\n'))
		s.len--;
	return s;
}

static uint64_t word_at(const uint8_t *p)
{
	uint64_t x;

	memcpy(&x, p, sizeof(x));
	return x;
}

// Not 0 if one of eight bytes is no printable ASCII.
static uint64_t odd_bytes(uint64_t x)
{
	const uint64_t ones = UINT64_C(0x0101010101010101);

	return ((x - ones * ' ') | x | (x + ones)) & ones << 7;
}

// Does such a byte stand in s? Eight at a time: few heads have one, and only those are looked at more closely.
static bool is_odd(struct span s)
{
	uint64_t odd = 0;

	if (s.len < 8) {
		for (size_t i = 0; i < s.len; i++)
			odd |= s.data[i] < ' ' || s.data[i] >= 0x7f;
		return odd != 0;
	}
	for (size_t i = 0; i + 8 < s.len; i += 8)
		odd |= odd_bytes(word_at(s.data + i));
	return (odd | odd_bytes(word_at(s.data + s.len - 8))) != 0;
}

// Take a line off the front of *io_rest, without its line end: LF, CR LF, and a bare CR, as some clients have it. Byte by byte:
// no head is looked at again for each CR in it.
static struct span client_line_take(struct span *io_rest, uint32_t *io_notes)
{
	struct span line = *io_rest;
	size_t n = 0, next;

	while (n < line.len && line.data[n] != '\r' && line.data[n] != '\n')
		n++;
	for (next = n; next < line.len && line.data[next] == '\r'; next++)
		;
	if (next != n + 1 || next == line.len || line.data[next] != '\n')
		*io_notes |= 1u << HTTP_NOTE_LINE_END;
	if (next < line.len && line.data[next] == '\n') {
		if (n == 0 && next > 1)
			n = 1; // it is not empty: head_end() has passed over it
		next++;
	}
	*io_rest = span_from(*io_rest, next);
	return span_first(line, n);
}

// Take a line off the front of *io_rest, without its line end (LF, CR LF; in responses a bare CR, too). *io_odd is set by bytes
// other than printable ASCII.
static struct span line_take(struct span *io_rest, enum dir dir, uint32_t *io_notes, bool *io_odd)
{
	const struct span all = *io_rest;
	const uint8_t *lf;
	struct span line = all;

	if (*io_odd && dir == DIR_TO_CLIENT)
		return client_line_take(io_rest, io_notes);
	lf = memchr(all.data, '\n', all.len);
	if (lf == NULL) {
		*io_rest = SPAN_NONE;
	} else {
		line.len = (size_t)(lf - line.data);
		*io_rest = span_from(all, line.len + 1);
		if (line.len > 0 && line.data[line.len - 1] == '\r')
			line.len--;
		else
			*io_notes |= 1u << HTTP_NOTE_LINE_END;
	}
	if (!is_odd(line))
		return line;
	*io_odd = true;
	if (memchr(line.data, '\r', line.len) == NULL)
		return line;
	*io_notes |= 1u << HTTP_NOTE_LINE_END;
	if (dir != DIR_TO_CLIENT)
		return line;
	*io_rest = all;
	return client_line_take(io_rest, io_notes);
}

// "HTTP/1.1" -> 11; 0 if it is no version.
static uint8_t version_parse(struct span s)
{
	if (span_eq_nocase(s, SPAN_LIT("HTTP/2")))
		return 20; // as heads of HTTP/2 are written down
	if (s.len < 8 || !span_eq_nocase(span_first(s, 5), SPAN_LIT("HTTP/")))
		return 0;
	if (s.data[5] < '0' || s.data[5] > '9' || s.data[6] != '.' || s.data[7] < '0' ||
	    s.data[7] > '9')
		return s.data[5] == '1' ? 11 : 10; // "HTTP/1.x" as some write it
	return (uint8_t)((s.data[5] - '0') * 10 + (s.data[7] - '0'));
}

static bool has_blank(struct span s)
{
	return memchr(s.data, ' ', s.len) != NULL || memchr(s.data, '\t', s.len) != NULL;
}

// Is it what nearly all say?
static bool is_plain_version(struct span s)
{
	return s.len == 8 && memcmp(s.data, "HTTP/1.", 7) == 0 &&
	       (s.data[7] == '0' || s.data[7] == '1');
}

// method SP target SP version; servers take runs of blanks, and a target with blanks in it.
static int request_line(struct span line, struct http_head *h)
{
	struct span rest = line;
	size_t n = 0;

	while (n < rest.len && !http_is_blank(rest.data[n]))
		n++;
	if (n == 0 || n == rest.len)
		return -EBADMSG;
	h->method = span_first(rest, n);
	rest = http_trim(span_from(rest, n));
	if (rest.len == 0)
		return -EBADMSG;
	for (n = rest.len; n > 0 && !http_is_blank(rest.data[n - 1]); n--)
		;
	h->version = version_parse(span_from(rest, n));
	if (h->version == 0) {
		h->target = rest;
		h->version = 9;
		h->notes |= 1u << HTTP_NOTE_START;
		return 0;
	}
	h->target = http_trim(span_first(rest, n));
	// A space on either side of the target, none in it, and nothing behind the version? The preface of HTTP/2 is nothing odd.
	if (!span_eq(h->method, SPAN_LIT("PRI")) &&
	    (h->method.len + h->target.len + 10 != line.len || line.data[h->method.len] != ' ' ||
	     n == 0 || rest.data[n - 1] != ' ' || !is_plain_version(span_from(rest, n)) ||
	     has_blank(h->target)))
		h->notes |= 1u << HTTP_NOTE_START;
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
	while (n < rest.len && !http_is_blank(rest.data[n]))
		n++;
	// A version that nearly all say, and one blank behind it?
	if (!is_plain_version(span_first(rest, n)) || n + 1 >= rest.len || rest.data[n] != ' ' ||
	    rest.data[n + 1] <= ' ')
		h->notes |= 1u << HTTP_NOTE_START;
	rest = http_trim(span_from(rest, n));
	for (n = 0; n < rest.len && rest.data[n] > ' '; n++)
		;
	h->status_text = span_first(rest, n);
	h->status = 0;
	if (n == 3 && rest.data[0] >= '0' && rest.data[0] <= '9' && rest.data[1] >= '0' &&
	    rest.data[1] <= '9' && rest.data[2] >= '0' && rest.data[2] <= '9')
		h->status = (uint16_t)((rest.data[0] - '0') * 100 + (rest.data[1] - '0') * 10 +
				       (rest.data[2] - '0'));
	else
		h->notes |= 1u << HTTP_NOTE_START;
	return 0;
}

static int start_line(struct span line, enum dir dir, struct http_head *h)
{
	return dir == DIR_TO_SERVER ? request_line(line, h) : status_line(line, h);
}

bool http_start_line(struct span text, enum dir dir, struct http_parser *ps)
{
	uint32_t notes = 0;
	bool odd = false;

	return start_line(line_take(&text, dir, &notes, &odd), dir, &ps->head) == 0;
}

static void first(struct span *slot, struct span value)
{
	if (slot->data == NULL)
		*slot = value;
}

static void field_note(const struct http_field *f, struct http_head *h)
{
	const struct span n = f->name;

	switch (n.len) {
	case 4:
		if (!span_eq_nocase(n, SPAN_LIT("host")))
			break;
		if (h->host.data != NULL)
			h->notes |= 1u << HTTP_NOTE_HOSTS;
		first(&h->host, f->value);
		break;
	case 7:
		if (span_eq_nocase(n, SPAN_LIT("referer")))
			first(&h->referer, f->value);
		break;
	case 10:
		if (span_eq_nocase(n, SPAN_LIT("user-agent")))
			first(&h->user_agent, f->value);
		else if (span_eq_nocase(n, SPAN_LIT("connection")))
			h->closes |= span_eq_nocase(f->value, SPAN_LIT("close"));
		break;
	case 12:
		if (span_eq_nocase(n, SPAN_LIT("content-type")))
			first(&h->content_type, f->value);
		break;
	case 19:
		if (span_eq_nocase(n, SPAN_LIT("content-disposition")))
			first(&h->content_disposition, f->value);
		break;
	}
}

// Does a byte stand in s that stands in no name? odd: it may be any.
static bool has_junk(struct span s, bool odd)
{
	bool junk = s.len == 0;

	if (!odd && s.len > 0)
		return s.data[0] == ' ' || memchr(s.data, ' ', s.len) != NULL;
	for (size_t i = 0; i < s.len; i++)
		junk |= s.data[i] <= ' ' || s.data[i] >= 0x7f;
	return junk;
}

static bool has_control(struct span s)
{
	bool control = false;

	for (size_t i = 0; i < s.len; i++)
		control |= (s.data[i] < ' ' && s.data[i] != '\t') || s.data[i] == 0x7f;
	return control;
}

// Some hosts end a line at a bare CR, and some take a folded line for one of its own.
static void hidden_fields(struct http_framing_fields *fr, struct span s)
{
	while (s.len > 0) {
		size_t n = 0;
		const uint8_t *colon;
		struct span line;

		while (n < s.len && s.data[n] != '\r' && s.data[n] != '\n')
			n++;
		s = span_from(s, n + 1);
		line = s;
		for (n = 0; n < line.len && line.data[n] != '\r' && line.data[n] != '\n';)
			n++;
		line.len = n;
		colon = line.len > 0 ? memchr(line.data, ':', line.len) : NULL;
		if (colon == NULL)
			continue;
		n = (size_t)(colon - line.data);
		http_framing_field(fr, span_first(line, n),
				   http_trim(span_of(colon + 1, line.len - n - 1)), true);
	}
}

// Name and value of a line. Without a colon all of it is value.
static void field_split(struct http_field *f, struct span line)
{
	const uint8_t *colon = memchr(line.data, ':', line.len);

	if (colon == NULL) {
		*f = (struct http_field){span_of(line.data, 0), line};
		return;
	}
	f->name = span_first(line, (size_t)(colon - line.data));
	f->value = span_of(colon + 1, line.len - f->name.len - 1);
}

// Does this line go on with the field before it? So does junk behind a field without a value.
static bool is_folded(struct span line, const struct http_field *before)
{
	if (http_is_blank(line.data[0]))
		return true;
	return line.data[0] < ' ' && http_trim(before->value).len == 0 &&
	       memchr(line.data, ':', line.len) == NULL;
}

// Does a bare CR stand before what begins here?
static bool after_cr(struct span s)
{
	return s.data[-1] == '\r';
}

// Split fields; a folded line belongs to the value before it. -E2BIG: more than HTTP_FIELDS_MAX.
static int fields_split(struct span rest, struct http_head *h, bool *io_odd)
{
	while (rest.len > 0) {
		struct span line = line_take(&rest, (enum dir)h->dir, &h->notes, io_odd);
		struct http_field *f = &h->fields[h->n_fields - (h->n_fields > 0)];

		if (line.len == 0 && rest.len > 0 && after_cr(rest))
			continue;
		if (line.len == 0)
			break;
		if (h->n_fields > 0 && is_folded(line, f)) {
			const uint8_t *from = f->name.len > 0 ? f->value.data : f->name.data;
			struct span all = span_of(from, (size_t)(line.data + line.len - from));

			h->notes |= 1u << HTTP_NOTE_FOLDED;
			if (f->name.len > 0)
				f->value = all;
			else
				field_split(f, all); // the colon may come late
			continue;
		}
		if (h->n_fields == HTTP_FIELDS_MAX)
			return -E2BIG;
		field_split(&h->fields[h->n_fields++], line);
	}
	return 0;
}

// Values are trimmed only when all lines are known: folding has made some of them longer.
static void fields_note(struct http_head *h, struct http_framing_fields *fr, bool odd)
{
	odd |= (h->notes & 1u << HTTP_NOTE_FOLDED) != 0;
	for (uint32_t i = 0; i < h->n_fields; i++) {
		struct http_field *f = &h->fields[i];
		// Only some see a field behind a bare CR. A start line stands before each.
		const bool bare = odd && after_cr(f->name.len > 0 ? f->name : f->value);
		const bool junk = has_junk(f->name, odd) || bare;
		const bool control = odd && has_control(f->value);
		bool tab;

		if (control)
			hidden_fields(fr, f->value);
		if (junk || control)
			h->notes |= 1u << HTTP_NOTE_HEADER;
		// A tab behind a coding belongs to it, for some.
		tab = f->value.len > 0 && f->value.data[f->value.len - 1] == '\t';
		f->name = http_trim(f->name);
		f->value = http_trim(f->value);
		field_note(f, h);
		if (junk || f->name.len == 14 || f->name.len == 16 || f->name.len == 17)
			http_framing_field(fr, f->name, f->value,
					   junk || (tab && f->name.len == 17));
	}
}

// Does it end without an empty line?
static bool is_unfinished(struct span raw)
{
	size_t n = raw.len - 1;

	if (raw.data[n] != '\n')
		return true;
	while (n > 0 && (http_is_blank(raw.data[n - 1]) || raw.data[n - 1] == '\r'))
		n--;
	return n == 0 || raw.data[n - 1] != '\n';
}

int http_head_parse(struct span raw, enum dir dir, enum http_answers answers,
		    struct counters *counters, struct http_head *ret_head)
{
	struct http_head *h = ret_head;
	struct http_framing_fields fr = {0};
	struct span rest = raw, line;
	bool odd = false;
	int err;

	memset(h, 0, offsetof(struct http_head, fields));
	h->raw = raw;
	h->dir = (uint8_t)dir;
	line = line_take(&rest, dir, &h->notes, &odd);
	err = start_line(line, dir, h);
	if (err < 0)
		return err;
	if (odd && dir == DIR_TO_SERVER && (has_junk(h->method, true) || has_control(h->target)))
		h->notes |= 1u << HTTP_NOTE_START;
	if (odd && memchr(line.data, '\r', line.len) != NULL)
		hidden_fields(&fr, line);
	h->unfinished = h->version != 9 && is_unfinished(raw);
	while (h->unfinished && rest.len > 0 && rest.data[rest.len - 1] != '\n')
		rest.len--;
	err = fields_split(rest, h, &odd);
	if (err < 0)
		return err;
	fields_note(h, &fr, odd);
	http_framing_decide(h, &fr, answers);
	for (uint32_t left = h->notes; left != 0; left &= left - 1)
		counters->v[http_note_counter((enum http_note)__builtin_ctz(left))]++;
	return 0;
}

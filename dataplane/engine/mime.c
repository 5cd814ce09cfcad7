// SPDX-License-Identifier: BSD-2-Clause
// Lines that begin with "--" and the boundary cut the body. A line end belongs to the boundary behind it, so it is held back
// until the bytes behind it have been seen; all other data is given out in place.
//
//   data ... [CR] LF "--" boundary [white space] [CR] LF  head [CR] LF [CR] LF  data ...
//            |<-------- hold -------->|                    first byte behind it decides: white space or a line end: a part
//                                                          begins; "--": the last one has ended; else: it was data
//
// Only a line end can begin a boundary and a boundary has none in it: when bytes in hold turn out to be data, none of them but
// the last can be where another boundary begins, and that one has not been taken yet. So no byte is looked at twice.
#include "dataplane/engine/mime.h"

#include <errno.h>
#include <stddef.h>

enum match {
	MATCH_NO,
	MATCH_MORE, // so far
	MATCH_PART,
	MATCH_LAST,
};

int mime_begin(struct mime *m, struct span content_type, struct counters *counters)
{
	struct span type = content_type;
	size_t n;

	while (type.len > 0 && (type.data[0] <= ' ' || type.data[0] == '"'))
		type = span_from(type, 1);
	if (!span_eq_nocase(span_first(type, 10), SPAN_LIT("multipart/")))
		return -ENOENT;
	memset(m, 0, offsetof(struct mime, boundary));
	n = mime_boundary(content_type, m->boundary + 2);
	if (n == 0) {
		counters->v[CNT_MIME_NO_BOUNDARY]++;
		return -EBADMSG;
	}
	m->boundary[0] = m->boundary[1] = '-';
	m->n_boundary = (uint16_t)(2 + n);
	m->at_line = true;
	counters->v[CNT_MIME_BODIES]++;
	return 0;
}

// Does s begin with the boundary?
static enum match match(const struct mime *m, struct span s)
{
	size_t n = s.len < m->n_boundary ? s.len : m->n_boundary;
	uint8_t c;

	if (n > 0 && memcmp(s.data, m->boundary, n) != 0)
		return MATCH_NO;
	if (s.len <= m->n_boundary)
		return MATCH_MORE;
	c = s.data[m->n_boundary];
	if (c == ' ' || c == '\t' || c == '\r' || c == '\n')
		return MATCH_PART;
	if (c != '-')
		return MATCH_NO;
	if (s.len == (size_t)m->n_boundary + 1)
		return MATCH_MORE;
	return s.data[m->n_boundary + 1] == '-' ? MATCH_LAST : MATCH_NO;
}

static struct mime_event say(const struct mime *m, enum mime_event_kind kind, struct span data)
{
	return (struct mime_event){.kind = kind, .data = data, .part = &m->part};
}

// Bytes that are no boundary.
static int data_say(struct mime *m, struct span data, struct mime_event *ret_ev)
{
	*ret_ev = say(m, m->in_part ? MIME_EV_DATA : MIME_EV_OUTSIDE, data);
	if (m->in_part && m->part.encoding != MIME_IDENTITY)
		m->undecoded = data;
	return 1;
}

// A boundary has been read, but not the rest of its line.
static void boundary_found(struct mime *m, enum match found, struct counters *c)
{
	m->begin = found == MATCH_PART;
	if (m->begin && m->n_parts >= MIME_PARTS_MAX) {
		c->v[CNT_MIME_PARTS_LIMIT]++;
		m->begin = false;
		m->over = true;
	}
	m->n_hold = m->n_eol = 0;
	m->at_line = false;
	m->n_head = m->head_line = 0;
	m->after = m->begin ? MIME_LINE : MIME_DATA;
	m->state = m->in_part ? MIME_CLOSE : m->after;
}

// How many bytes a boundary has. Behind one that begins a part, the byte that decided may be its line end: it is not counted.
static size_t boundary_len(const struct mime *m, enum match found)
{
	return m->n_boundary + (found == MATCH_LAST ? 2u : 0u);
}

static int hold_say(struct mime *m, struct counters *c, struct mime_event *ret_ev)
{
	size_t n = m->n_hold;

	if (n >= (size_t)m->n_eol + m->n_boundary)
		c->v[CNT_MIME_ODD_BOUNDARY]++;
	m->n_hold = m->n_eol = 0;
	return data_say(m, span_of(m->hold, n), ret_ev);
}

// Bytes are held: take more of them until they are a boundary or are not. 1 with an event; 0: the state or the input says
// what to do next.
static int hold_step(struct mime *m, struct span *in, struct counters *c, struct mime_event *ret_ev)
{
	for (; in->len > 0; *in = span_from(*in, 1)) {
		const uint8_t b = in->data[0];
		enum match found;

		if (m->n_hold == 1 && m->hold[0] == '\r') {
			if (b != '\n')
				return hold_say(m, c, ret_ev);
			m->hold[m->n_hold++] = b;
			m->n_eol = 2;
			continue;
		}
		m->hold[m->n_hold] = b;
		found = match(m, span_of(m->hold + m->n_eol, (size_t)m->n_hold + 1 - m->n_eol));
		if (found == MATCH_NO)
			return hold_say(m, c, ret_ev);
		if (found != MATCH_MORE) {
			if (found == MATCH_LAST)
				*in = span_from(*in, 1);
			boundary_found(m, found, c);
			return 0;
		}
		m->n_hold++;
	}
	return 0;
}

static void hold_set(struct mime *m, struct span s, size_t n_eol)
{
	memcpy(m->hold, s.data, s.len);
	m->n_hold = (uint16_t)s.len;
	m->n_eol = (uint8_t)n_eol;
	m->at_line = false;
}

// Where the line end in front of at begins. At 0 there is none.
static size_t eol_of(struct span s, size_t at)
{
	if (at == 0)
		return 0;
	return at > 1 && s.data[at - 2] == '\r' ? at - 2 : at - 1;
}

// What looks like a boundary begins at at: what is before it is data.
static int boundary_at(struct mime *m, struct span *in, size_t at, enum match found,
		       struct counters *c, struct mime_event *ret_ev)
{
	const struct span s = *in;
	size_t eol = eol_of(s, at);
	int said = eol > 0 ? data_say(m, span_first(s, eol), ret_ev) : 0;

	if (found == MATCH_MORE) {
		hold_set(m, span_from(s, eol), at - eol);
		*in = SPAN_NONE;
	} else {
		boundary_found(m, found, c);
		*in = span_from(s, at + boundary_len(m, found));
	}
	return said;
}

// Look for a boundary in the piece, which is not empty. As hold_step().
static int data_step(struct mime *m, struct span *in, struct counters *c, struct mime_event *ret_ev)
{
	const struct span s = *in;
	size_t at = 0; // a line begins here, if at_line

	while (!m->over && at < s.len) {
		const uint8_t *lf;

		if (m->at_line) {
			enum match found = match(m, span_from(s, at));

			if (found != MATCH_NO)
				return boundary_at(m, in, at, found, c, ret_ev);
			if (s.len - at > m->n_boundary &&
			    memcmp(s.data + at, m->boundary, m->n_boundary) == 0)
				c->v[CNT_MIME_ODD_BOUNDARY]++;
		}
		lf = memchr(s.data + at, '\n', s.len - at);
		m->at_line = lf != NULL;
		at = lf != NULL ? (size_t)(lf - s.data) + 1 : s.len;
	}
	// A line end that may belong to a boundary in the next piece.
	at = s.len;
	if (!m->over && (s.data[at - 1] == '\n' || s.data[at - 1] == '\r')) {
		at = s.data[at - 1] == '\n' ? eol_of(s, at) : at - 1;
		hold_set(m, span_from(s, at), s.len - at);
	}
	*in = SPAN_NONE;
	return at > 0 ? data_say(m, span_first(s, at), ret_ev) : 0;
}

// The rest of a boundary's line: nothing but white space for those who keep to the rules.
static void line_step(struct mime *m, struct span *in)
{
	const uint8_t *lf = memchr(in->data, '\n', in->len);

	*in = lf != NULL ? span_from(*in, (size_t)(lf - in->data) + 1) : SPAN_NONE;
	if (lf != NULL)
		m->state = MIME_HEAD;
}

static int part_say(struct mime *m, struct counters *c, struct mime_event *ret_ev)
{
	m->bits = m->n_bits = 0;
	m->undecoded = SPAN_NONE;
	mime_head_read(m);
	if (m->name_cut)
		c->v[CNT_MIME_NAME_CUT]++;
	m->n_parts++;
	m->in_part = true;
	c->v[CNT_MIME_PARTS]++;
	*ret_ev = say(m, MIME_EV_BEGIN, SPAN_NONE);
	return 1;
}

// The last line of the head is complete. 1: so is the head, BEGIN is said; 0: it goes on, or there is none.
static int head_line(struct mime *m, struct counters *c, struct mime_event *ret_ev)
{
	struct span line = span_of(m->head + m->head_line, (size_t)m->n_head - m->head_line);
	enum match found = match(m, line);
	int said = 0;

	if (found == MATCH_PART || found == MATCH_LAST) { // the part ends in its head
		m->n_head = m->head_line;
		if (m->n_head > 0)
			said = part_say(m, c, ret_ev);
		boundary_found(m, found, c);
		if (m->after == MIME_LINE)
			m->after = MIME_HEAD; // its line is over, too
		if (!m->in_part)
			m->state = m->after;
		m->at_line = true;
		return said;
	}
	if (line.len <= 2 && (line.data[0] == '\r' || line.data[0] == '\n')) {
		m->n_head = m->head_line;
		m->state = MIME_DATA;
		m->at_line = true;
		return part_say(m, c, ret_ev);
	}
	m->head_line = m->n_head;
	return 0;
}

// Gather the head. As hold_step().
static int head_step(struct mime *m, struct span *in, struct counters *c, struct mime_event *ret_ev)
{
	while (in->len > 0) {
		const uint8_t *lf = memchr(in->data, '\n', in->len);
		size_t n = lf != NULL ? (size_t)(lf - in->data) + 1 : in->len;
		size_t room = (size_t)MIME_HEAD_MAX - m->n_head;

		if (n > room) {
			memcpy(m->head + m->n_head, in->data, room);
			m->n_head = MIME_HEAD_MAX;
			*in = span_from(*in, room);
			c->v[CNT_MIME_HEAD_TOO_LONG]++;
			m->state = MIME_DATA;
			m->at_line = false;
			return part_say(m, c, ret_ev);
		}
		memcpy(m->head + m->n_head, in->data, n);
		m->n_head = (uint16_t)(m->n_head + n);
		*in = span_from(*in, n);
		if (lf != NULL) {
			int said = head_line(m, c, ret_ev);

			if (said == 1 || m->state != MIME_HEAD)
				return said;
		}
	}
	return 0;
}

static int end_say(struct mime *m, bool truncated, struct mime_event *ret_ev)
{
	struct span rest = m->part.encoding != MIME_IDENTITY ? mime_decode_end(m) : SPAN_NONE;

	if (rest.len > 0) {
		*ret_ev = say(m, MIME_EV_DECODED, rest);
		return 1; // called again
	}
	m->in_part = false;
	*ret_ev = say(m, MIME_EV_END, SPAN_NONE);
	ret_ev->truncated = truncated;
	return 1;
}

// The body has ended. What is held may be a boundary without anything behind it, as Python and Go take it.
static int fin_step(struct mime *m, struct counters *c, struct mime_event *ret_ev)
{
	bool boundary = m->n_hold == (size_t)m->n_eol + m->n_boundary;

	if (m->state == MIME_HEAD && m->n_head > 0) {
		m->state = MIME_DATA;
		return part_say(m, c, ret_ev);
	}
	m->state = MIME_DATA;
	if (m->n_hold > 0 && !boundary)
		return hold_say(m, c, ret_ev);
	if (!m->in_part)
		return 0;
	if (boundary) {
		if (end_say(m, false, ret_ev) == 1 && !m->in_part)
			m->n_hold = m->n_eol = 0;
		return 1;
	}
	end_say(m, true, ret_ev);
	if (!m->in_part)
		c->v[CNT_MIME_UNTERMINATED]++;
	return 1;
}

int mime_next(struct mime *m, struct span *io_in, bool fin, struct counters *counters,
	      struct mime_event *ret_ev)
{
	for (;;) {
		int said = 0;

		if (m->undecoded.len > 0) {
			struct span data = mime_decode(m, &m->undecoded);

			if (data.len > 0) {
				*ret_ev = say(m, MIME_EV_DECODED, data);
				return 1;
			}
		}
		if (m->state == MIME_CLOSE) {
			end_say(m, false, ret_ev);
			if (!m->in_part)
				m->state = m->after;
			return 1;
		}
		if (io_in->len == 0)
			return fin ? fin_step(m, counters, ret_ev) : 0;
		switch ((enum mime_state)m->state) {
		case MIME_DATA:
			said = m->n_hold > 0 ? hold_step(m, io_in, counters, ret_ev)
					     : data_step(m, io_in, counters, ret_ev);
			break;
		case MIME_LINE:
			line_step(m, io_in);
			break;
		case MIME_HEAD:
			said = head_step(m, io_in, counters, ret_ev);
			break;
		case MIME_CLOSE:
			break;
		}
		if (said == 1)
			return 1;
	}
}

void mime_gap(struct mime *m)
{
	m->n_hold = m->n_eol = 0;
	m->bits = m->n_bits = 0;
	m->undecoded = SPAN_NONE;
	m->at_line = false;
	if (m->state == MIME_LINE || m->state == MIME_HEAD)
		m->state = MIME_DATA; // of no part: what it is called is lost
}

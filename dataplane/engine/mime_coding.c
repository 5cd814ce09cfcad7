// SPDX-License-Identifier: BSD-2-Clause
// Transfer encodings of parts, read as laxly as can be: what is not of the alphabet is skipped (base64) or stands for itself
// (quoted-printable), a '=' ends a group, and another one may follow.
#include "dataplane/engine/mime.h"

enum {
	QP_EQUALS = 1, // '=' was read
	QP_DIGIT = 2,  // and a digit, kept in bits
	QP_BREAK = 3,  // and a carriage return
};

static int base64_value(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+' || c == '-') // and the alphabet for URLs
		return 62;
	return c == '/' || c == '_' ? 63 : -1;
}

// The bytes of an unfinished group.
static size_t base64_flush(struct mime *m, uint8_t *out)
{
	size_t n = 0;

	if (m->n_bits == 2) {
		out[n++] = (uint8_t)(m->bits >> 4);
	} else if (m->n_bits == 3) {
		out[n++] = (uint8_t)(m->bits >> 10);
		out[n++] = (uint8_t)(m->bits >> 2);
	}
	m->n_bits = 0;
	m->bits = 0;
	return n;
}

static size_t base64_byte(struct mime *m, uint8_t c, uint8_t *out)
{
	int v = base64_value(c);

	if (c == '=')
		return base64_flush(m, out);
	if (v < 0)
		return 0;
	m->bits = m->bits << 6 | (uint32_t)v;
	if (++m->n_bits < 4)
		return 0;
	out[0] = (uint8_t)(m->bits >> 16);
	out[1] = (uint8_t)(m->bits >> 8);
	out[2] = (uint8_t)m->bits;
	m->n_bits = 0;
	m->bits = 0;
	return 3;
}

static int hex_value(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = span_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// What was read since '=' stands for itself.
static size_t qp_flush(struct mime *m, uint8_t *out)
{
	size_t n = 0;

	if (m->n_bits > 0)
		out[n++] = '=';
	if (m->n_bits == QP_DIGIT)
		out[n++] = (uint8_t)m->bits;
	if (m->n_bits == QP_BREAK)
		out[n++] = '\r';
	m->n_bits = 0;
	return n;
}

static size_t qp_byte(struct mime *m, uint8_t c, uint8_t *out)
{
	size_t n;

	if (m->n_bits == QP_DIGIT && hex_value(c) >= 0) {
		out[0] = (uint8_t)(hex_value((uint8_t)m->bits) << 4 | hex_value(c));
		m->n_bits = 0;
		return 1;
	}
	if (c == '\n' && (m->n_bits == QP_EQUALS || m->n_bits == QP_BREAK)) {
		m->n_bits = 0; // the line goes on
		return 0;
	}
	if (m->n_bits == QP_EQUALS && (c == '\r' || hex_value(c) >= 0)) {
		m->n_bits = c == '\r' ? QP_BREAK : QP_DIGIT;
		m->bits = c;
		return 0;
	}
	n = qp_flush(m, out);
	if (c == '=')
		m->n_bits = QP_EQUALS;
	else
		out[n++] = c;
	return n;
}

struct span mime_decode(struct mime *m, struct span *io_in)
{
	const bool base64 = m->part.encoding == MIME_BASE64;
	size_t n = 0, at = 0;

	for (; at < io_in->len && n + 3 <= MIME_OUT_BYTES; at++)
		n += base64 ? base64_byte(m, io_in->data[at], m->out + n)
			    : qp_byte(m, io_in->data[at], m->out + n);
	*io_in = span_from(*io_in, at);
	return span_of(m->out, n);
}

struct span mime_decode_end(struct mime *m)
{
	size_t n = m->part.encoding == MIME_BASE64 ? base64_flush(m, m->out) : qp_flush(m, m->out);

	return span_of(m->out, n);
}

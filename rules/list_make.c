// SPDX-License-Identifier: BSD-2-Clause
// Entries -> prints -> sorted prints -> lines. Sorting is one distribution by the high word, which is as good as random,
// and a small sort in each of the pieces: 10 million entries take about a second.
#include "rules/list_make.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

// No secret: with a key that is drawn anew the same list would not make the same image.
static const uint8_t list_key[16] = "wireglass list 1";

void list_maker_done(struct list_maker *m)
{
	free(m->v);
	*m = (struct list_maker){0};
}

int list_maker_add(struct list_maker *m, struct span s)
{
	size_t want = list_kind_bytes(m->kind);

	if ((want != 0 && s.len != want) || s.len > LIST_TEXT_MAX)
		return -EINVAL;
	if (m->n == LIST_ENTRIES_MAX)
		return -EFBIG;
	if (m->n == m->cap) {
		uint32_t cap = m->cap != 0 ? 2 * m->cap : 1024;
		struct list_print *v = realloc(m->v, (size_t)cap * sizeof(*v));

		if (v == NULL)
			return -ENOMEM;
		m->v = v;
		m->cap = cap;
	}
	m->v[m->n++] = list_print(list_key, s.data, s.len);
	return 0;
}

// ---- sorting ----

static int print_cmp(const void *va, const void *vb)
{
	const struct list_print *a = va, *b = vb;

	if (a->hi != b->hi)
		return a->hi < b->hi ? -1 : 1;
	return a->lo < b->lo ? -1 : a->lo > b->lo;
}

static void piece_sort(struct list_print *v, uint32_t n)
{
	if (n > LIST_LINE_MAX) {
		qsort(v, n, sizeof(*v), print_cmp);
		return;
	}
	for (uint32_t i = 1; i < n; i++) {
		struct list_print p = v[i];
		uint32_t k = i;

		for (; k > 0 && print_cmp(&v[k - 1], &p) > 0; k--)
			v[k] = v[k - 1];
		v[k] = p;
	}
}

// Does every line hold few enough?
static bool lines_hold(const struct list_maker *m, uint32_t n_lines)
{
	uint32_t line = 0, n = 0;

	for (uint32_t i = 0; i < m->n; i++) {
		uint32_t at = list_line_of(m->v[i].hi, n_lines);

		n = at == line ? n + 1 : 1;
		line = at;
		if (n > LIST_LINE_MAX)
			return false;
	}
	return true;
}

int list_maker_sort(struct list_maker *m)
{
	const uint32_t pieces = m->n / LIST_PER_LINE + 1;
	struct list_print *out = malloc(((size_t)m->n + 1) * sizeof(*out));
	uint32_t *end = calloc((size_t)pieces + 1, sizeof(*end)), kept = 0;
	int tries = 4;

	if (out == NULL || end == NULL) {
		free(out);
		free(end);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < m->n; i++)
		end[list_line_of(m->v[i].hi, pieces) + 1]++;
	for (uint32_t i = 0; i < pieces; i++)
		end[i + 1] += end[i];
	// end[i] is where piece i begins, and, when all are in their places, where it ends
	for (uint32_t i = 0; i < m->n; i++)
		out[end[list_line_of(m->v[i].hi, pieces)]++] = m->v[i];
	for (uint32_t i = 0, from = 0; i < pieces; from = end[i++])
		piece_sort(out + from, end[i] - from);
	free(end);
	for (uint32_t i = 0; i < m->n; i++)
		if (kept == 0 || print_cmp(&out[kept - 1], &out[i]) != 0)
			out[kept++] = out[i];
	m->duplicates += m->n - kept;
	free(m->v);
	m->v = out;
	m->n = kept;
	m->cap = kept;
	m->n_lines = kept / LIST_PER_LINE + 1;
	while (!lines_hold(m, m->n_lines)) {
		if (tries-- == 0)
			return -EINVAL;
		m->n_lines *= 2;
	}
	return 0;
}

void list_maker_write(const struct list_maker *m, void *ret_blob)
{
	struct list *l = ret_blob;
	struct list_line *lines;

	*l = (struct list){
		.magic = LIST_MAGIC,
		.kind = m->kind,
		.n = m->n,
		.n_lines = m->n_lines,
	};
	memcpy(l->key, list_key, sizeof(l->key));
	lines = (struct list_line *)(void *)(l + 1);
	for (uint32_t line = 0, i = 0; line < m->n_lines; line++) {
		lines[line].first = i;
		for (; i < m->n && list_line_of(m->v[i].hi, m->n_lines) == line; i++) {
			if (lines[line].n < LIST_TAGS)
				lines[line].tag[lines[line].n] = (uint32_t)m->v[i].lo;
			lines[line].n++;
		}
	}
	if (m->n > 0)
		memcpy(lines + m->n_lines, m->v, (size_t)m->n * sizeof(*m->v));
}

// ---- files ----

enum {
	LINE_MAX_BYTES = 128 << 10, // LIST_TEXT_MAX in base64, and some
};

struct lines_reader {
	struct list_maker *m;
	const char *name;
	struct diag *diag;
	uint8_t *entry; // room for a decoded one
	unsigned int line;
};

// The value of a hexadecimal digit and 16; 0 for what is none. Half the time of reading a list went into guesses about
// digits and letters before this was a table.
static const uint8_t hex_value[256] = {
	['0'] = 16, ['1'] = 17, ['2'] = 18, ['3'] = 19, ['4'] = 20, ['5'] = 21,
	['6'] = 22, ['7'] = 23, ['8'] = 24, ['9'] = 25, ['a'] = 26, ['b'] = 27,
	['c'] = 28, ['d'] = 29, ['e'] = 30, ['f'] = 31, ['A'] = 26, ['B'] = 27,
	['C'] = 28, ['D'] = 29, ['E'] = 30, ['F'] = 31,
};

bool list_hex(const char *s, size_t n, uint8_t *ret_bytes)
{
	uint8_t all = 16;

	for (size_t i = 0; i < n; i++) {
		uint8_t hi = hex_value[(uint8_t)s[2 * i]], lo = hex_value[(uint8_t)s[2 * i + 1]];

		all &= hi & lo;
		ret_bytes[i] = (uint8_t)(hi << 4 | (lo & 15));
	}
	return all != 0;
}

static int base64_digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

ssize_t list_base64(const char *s, size_t n, uint8_t *ret_bytes)
{
	uint32_t word = 0;
	size_t out = 0;

	if (n > 0 && n % 4 == 0) // the padding may be there
		for (int i = 0; i < 2 && s[n - 1] == '='; i++)
			n--;
	if (n % 4 == 1)
		return -EINVAL;
	for (size_t i = 0; i < n; i++) {
		int digit = base64_digit(s[i]);

		if (digit < 0)
			return -EINVAL;
		word = word << 6 | (uint32_t)digit;
		if (i % 4 == 0)
			continue;
		ret_bytes[out++] = (uint8_t)(word >> (6 - 2 * (i % 4)));
	}
	return (ssize_t)out;
}

static int line_bad(struct lines_reader *r, const char *what)
{
	diag_set(r->diag, r->name, r->line, 0, "%s", what);
	return -EBADMSG;
}

// The address of a line, mapped.
static bool line_address(const char *s, size_t n, uint8_t ret_addr[16])
{
	char text[INET6_ADDRSTRLEN + 1];

	if (n >= sizeof(text))
		return false;
	memcpy(text, s, n);
	text[n] = '\0';
	if (inet_pton(AF_INET6, text, ret_addr) == 1)
		return true;
	memcpy(ret_addr, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12);
	return inet_pton(AF_INET, text, ret_addr + 12) == 1;
}

static int line_decode(struct lines_reader *r, const char *s, size_t n, size_t *ret_len)
{
	size_t want = list_kind_bytes(r->m->kind);
	ssize_t len;

	*ret_len = want;
	switch (r->m->kind) {
	case LIST_TEXT:
		len = list_base64(s, n, r->entry);
		if (len < 0)
			return line_bad(r, "is not base64, in which the entries of a string list "
					   "are written");
		if (len > LIST_TEXT_MAX)
			return line_bad(r, "has an entry of more than 64 KiB");
		*ret_len = (size_t)len;
		return 0;
	case LIST_IP:
		return line_address(s, n, r->entry) ? 0 : line_bad(r, "is not an IP address");
	default:
		if (n == 2 * want && list_hex(s, want, r->entry))
			return 0;
		diag_set(r->diag, r->name, r->line, 0, "is not %s %s in hexadecimal, %zu digits",
			 r->m->kind == LIST_MD5 ? "an" : "a", list_kind_name(r->m->kind), 2 * want);
		return -EBADMSG;
	}
}

static int line_take(void *ctx, unsigned int line, char *s, size_t n)
{
	struct lines_reader *r = ctx;
	size_t len;
	int err;

	r->line = line;
	if (n == 0 || s[0] == '#')
		return 0;
	if (n > LINE_MAX_BYTES)
		return line_bad(r, "is longer than 128 KiB");
	for (size_t i = 0; i < n; i++)
		if (s[i] == ',' || (r->m->kind != LIST_TEXT && (s[i] == ' ' || s[i] == '\t'))) {
			n = i;
			break;
		}
	err = line_decode(r, s, n, &len);
	if (err == 0)
		err = list_maker_add(r->m, span_of(r->entry, len));
	if (err == -EFBIG)
		diag_set(r->diag, r->name, r->line, 0, "is entry %u: a list has at most so many",
			 LIST_ENTRIES_MAX + 1);
	return err;
}

int list_maker_read(struct list_maker *m, const char *name, lines_read_fn *read, void *ctx,
		    struct diag *ret_diag)
{
	struct lines_reader r = {.m = m, .name = name, .diag = ret_diag};
	int err = -ENOMEM;

	r.entry = malloc(LINE_MAX_BYTES);
	if (r.entry != NULL)
		err = lines_each(read, ctx, LINE_MAX_BYTES, line_take, &r);
	if (err == -ENOMEM)
		diag_set(ret_diag, name, 0, 0, "is too large for the memory that there is");
	free(r.entry);
	return err;
}

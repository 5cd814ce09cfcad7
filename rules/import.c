// SPDX-License-Identifier: BSD-2-Clause
// Lines and their fields, and what a value is. A header, where there is one, says which columns count; without one the form
// of a field does: 32, 40 or 64 hexadecimal digits, http://, a name with a dot.
#include "rules/import.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "rules/list_make.h"

enum {
	FIELDS_MAX = 64,
	HOST_MAX = 255,
	PROGRESS_EVERY = 10000,
	COLUMN_NONE = -1,
	COLUMN_ANY = -2,  // the value, of the kind that its form says
	COLUMN_TYPE = -3, // the name of the kind
};

const char *const import_kind_names[] = {
	[IMPORT_MD5] = "md5",    [IMPORT_SHA1] = "sha1", [IMPORT_SHA256] = "sha256",
	[IMPORT_HOST] = "hosts", [IMPORT_URL] = "urls",  NULL,
};

const char import_not_exact[] =
	"a hash of what looks alike; only MD5, SHA-1 and SHA-256 of whole files are matched";

static const size_t digest_bytes[IMPORT_KIND_N] = {
	[IMPORT_MD5] = 16, [IMPORT_SHA1] = 20, [IMPORT_SHA256] = 32};

// ---- entries ----

void import_done(struct import *im)
{
	for (int k = 0; k < IMPORT_KIND_N; k++) {
		free(im->set[k].bytes);
		free(im->set[k].key);
	}
	*im = (struct import){0};
}

static int set_add(struct import_set *s, struct span e)
{
	struct import_key *key;
	uint16_t len = (uint16_t)e.len;

	if (s->n == IMPORT_ENTRIES_MAX)
		return -EFBIG;
	if (s->cap - s->len < e.len + sizeof(len)) {
		size_t cap = s->cap != 0 ? 2 * s->cap : 64 << 10;
		uint8_t *bytes = realloc(s->bytes, cap);

		if (bytes == NULL)
			return -ENOMEM;
		s->bytes = bytes;
		s->cap = cap;
	}
	if (s->n == s->key_cap) {
		uint32_t cap = s->key_cap != 0 ? 2 * s->key_cap : 1024;

		key = realloc(s->key, (size_t)cap * sizeof(*key));
		if (key == NULL)
			return -ENOMEM;
		s->key = key;
		s->key_cap = cap;
	}
	key = &s->key[s->n++];
	*key = (struct import_key){.at = s->len};
	for (size_t i = 0; i < 8; i++)
		key->start = key->start << 8 | (i < e.len ? e.data[i] : 0);
	memcpy(s->bytes + s->len, &len, sizeof(len));
	memcpy(s->bytes + s->len + sizeof(len), e.data, e.len);
	s->len += sizeof(len) + e.len;
	return 0;
}

static struct span set_get(const struct import_set *s, const struct import_key *k)
{
	uint16_t len;

	memcpy(&len, s->bytes + k->at, sizeof(len));
	return span_of(s->bytes + k->at + sizeof(len), len);
}

static int key_cmp(const void *va, const void *vb, void *ctx)
{
	const struct import_key *a = va, *b = vb;
	struct span x, y;
	int c;

	if (a->start != b->start)
		return a->start < b->start ? -1 : 1;
	x = set_get(ctx, a);
	y = set_get(ctx, b);
	c = memcmp(x.data, y.data, x.len < y.len ? x.len : y.len);
	return c != 0 ? c : (x.len > y.len) - (x.len < y.len);
}

void import_sort(struct import *im)
{
	for (int k = 0; k < IMPORT_KIND_N; k++) {
		struct import_set *s = &im->set[k];
		uint32_t kept = 0;

		if (s->n == 0)
			continue;
		qsort_r(s->key, s->n, sizeof(*s->key), key_cmp, s);
		for (uint32_t i = 0; i < s->n; i++)
			if (kept == 0 || key_cmp(&s->key[kept - 1], &s->key[i], s) != 0)
				s->key[kept++] = s->key[i];
		im->duplicates += s->n - kept;
		s->n = kept;
	}
}

static void write_base64(struct span s, FILE *out)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < s.len; i += 3) {
		size_t n = s.len - i < 3 ? s.len - i : 3;
		uint32_t w = (uint32_t)s.data[i] << 16;

		if (n > 1)
			w |= (uint32_t)s.data[i + 1] << 8;
		if (n > 2)
			w |= s.data[i + 2];
		putc(digits[w >> 18], out);
		putc(digits[w >> 12 & 63], out);
		putc(n > 1 ? digits[w >> 6 & 63] : '=', out);
		putc(n > 2 ? digits[w & 63] : '=', out);
	}
}

void import_write(const struct import *im, enum import_kind kind, FILE *out)
{
	static const char digits[] = "0123456789abcdef";
	const struct import_set *s = &im->set[kind];

	for (uint32_t i = 0; i < s->n; i++) {
		struct span e = set_get(s, &s->key[i]);

		if (digest_bytes[kind] == 0)
			write_base64(e, out);
		for (size_t k = 0; digest_bytes[kind] != 0 && k < e.len; k++) {
			putc(digits[e.data[k] >> 4], out);
			putc(digits[e.data[k] & 15], out);
		}
		putc('\n', out);
	}
}

void import_refuse(struct import *im, const char *name, unsigned int line, const char *why)
{
	struct import_refused *r = &im->first[im->n_first];

	im->refused++;
	if (im->n_first == IMPORT_REFUSED_MAX)
		return;
	im->n_first++;
	snprintf(r->file, sizeof(r->file), "%s", name);
	snprintf(r->why, sizeof(r->why), "%s", why);
	r->line = line;
}

void import_count(struct import *im)
{
	if (++im->read % PROGRESS_EVERY == 0 && im->progress != NULL)
		im->progress(im->progress_ctx, im);
}

// ---- names of kinds ----

// Does name have word in it, in any case?
static bool has_word(struct span name, const char *word)
{
	size_t n = strlen(word);

	for (size_t i = 0; i + n <= name.len; i++)
		if (span_eq_nocase(span_of(name.data + i, n), span_of(word, n)))
			return true;
	return false;
}

int import_kind_of(struct span name)
{
	static const char *const fuzzy[] = {"photodna", "pdq",      "tmk",     "ssdeep", "imphash",
					    "tlsh",     "phash",    "dhash",   "ahash",  "simhash",
					    "vhash",    "telfhash", "gimphash"};
	static const struct {
		const char *name;
		int kind;
	} names[] = {
		{"url", IMPORT_URL},       {"uri", IMPORT_URL},          {"urls", IMPORT_URL},
		{"raw_uri", IMPORT_URL},   {"host", IMPORT_HOST},        {"hosts", IMPORT_HOST},
		{"hostname", IMPORT_HOST}, {"domain", IMPORT_HOST},      {"domains", IMPORT_HOST},
		{"fqdn", IMPORT_HOST},     {"domain_name", IMPORT_HOST},
	};

	for (size_t i = 0; i < sizeof(fuzzy) / sizeof(fuzzy[0]); i++)
		if (has_word(name, fuzzy[i]))
			return -ENOTSUP;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (span_eq_nocase(name, span_of(names[i].name, strlen(names[i].name))))
			return names[i].kind;
	if (has_word(name, "sha256") || has_word(name, "sha-256"))
		return IMPORT_SHA256;
	if (has_word(name, "sha1") || has_word(name, "sha-1"))
		return IMPORT_SHA1;
	return has_word(name, "md5") ? IMPORT_MD5 : -ENOENT;
}

// ---- values ----

// A URL has a host.
static bool is_wanted(const struct import *im, int kind)
{
	return im->want == 0 || (im->want & 1u << kind) != 0 ||
	       (kind == IMPORT_URL && (im->want & 1 << IMPORT_HOST) != 0);
}

static struct span trim(struct span s)
{
	while (s.len > 0 && (s.data[0] == ' ' || s.data[0] == '\t'))
		s = span_from(s, 1);
	while (s.len > 0 && (s.data[s.len - 1] == ' ' || s.data[s.len - 1] == '\t'))
		s.len--;
	return s;
}

static bool has_prefix(struct span s, const char *prefix)
{
	size_t n = strlen(prefix);

	return s.len >= n && span_eq_nocase(span_first(s, n), span_of(prefix, n));
}

// A host as http.host has it, to out (HOST_MAX bytes). Its length, or 0: it is none.
static size_t host_take(struct span s, uint8_t *out)
{
	const uint8_t *colon;
	size_t n = 0, dots = 0;

	if (s.len > 0 && s.data[0] == '[') { // an IPv6 address keeps its brackets
		const uint8_t *end = memchr(s.data, ']', s.len);

		if (end == NULL || end - s.data < 3 || end - s.data >= 48)
			return 0;
		for (const uint8_t *c = s.data + 1; c < end; c++)
			if (!isxdigit(*c) && *c != ':' && *c != '.')
				return 0;
		for (const uint8_t *c = s.data; c <= end; c++)
			out[n++] = span_lower(*c);
		return n;
	}
	colon = s.len > 0 ? memchr(s.data, ':', s.len) : NULL;
	if (colon != NULL)
		s.len = (size_t)(colon - s.data);
	if (s.len > 0 && s.data[s.len - 1] == '.')
		s.len--;
	if (s.len == 0 || s.len > HOST_MAX)
		return 0;
	for (size_t i = 0; i < s.len; i++) {
		uint8_t c = span_lower(s.data[i]);

		dots += c == '.';
		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-' && c != '_' &&
		    (c != '.' || i == 0 || s.data[i - 1] == '.'))
			return 0;
		out[n++] = c;
	}
	return dots > 0 ? n : 0;
}

static int host_value(struct import *im, const char *name, unsigned int line, struct span s)
{
	uint8_t host[HOST_MAX];
	size_t n = host_take(s, host);

	if (n > 0)
		return set_add(&im->set[IMPORT_HOST], span_of(host, n));
	import_refuse(im, name, line, "is not the name of a host");
	return 0;
}

// host/path?query of a URL: without scheme, user, port and fragment, its host also on its own.
static int url_value(struct import *im, const char *name, unsigned int line, struct span s)
{
	uint8_t buf[IMPORT_TEXT_MAX + 1];
	const uint8_t *hash, *at;
	struct span host;
	size_t scheme = has_prefix(s, "http://") || has_prefix(s, "hxxp://") ? 7 : 0, end, n;
	int err = 0;

	if (has_prefix(s, "https://") || has_prefix(s, "hxxps://")) {
		import_refuse(im, name, line, "is an https URL: what is encrypted is not read");
		return 0;
	}
	s = span_from(s, scheme);
	hash = s.len > 0 ? memchr(s.data, '#', s.len) : NULL;
	if (hash != NULL)
		s.len = (size_t)(hash - s.data);
	for (end = 0; end < s.len && s.data[end] != '/' && s.data[end] != '?';)
		end++;
	host = span_first(s, end);
	at = host.len > 0 ? memrchr(host.data, '@', host.len) : NULL;
	if (at != NULL)
		host = span_from(host, (size_t)(at - host.data) + 1);
	n = host_take(host, buf);
	if (n == 0) {
		import_refuse(im, name, line, "is not a URL with a host");
		return 0;
	}
	s = span_from(s, end);
	if (n + 1 + s.len > IMPORT_TEXT_MAX) {
		import_refuse(im, name, line, "is a URL of more than 8 KiB");
		return 0;
	}
	for (size_t i = 0; i < s.len; i++)
		if (s.data[i] <= ' ' || s.data[i] == 0x7f) {
			import_refuse(im, name, line, "is a URL with a blank or control character");
			return 0;
		}
	if (im->want == 0 || (im->want & 1 << IMPORT_HOST) != 0)
		err = set_add(&im->set[IMPORT_HOST], span_of(buf, n));
	if (s.len == 0 || s.data[0] == '?')
		buf[n++] = '/';
	if (s.len > 0)
		memcpy(buf + n, s.data, s.len);
	if (err != 0 || (im->want != 0 && (im->want & 1 << IMPORT_URL) == 0))
		return err;
	return set_add(&im->set[IMPORT_URL], span_of(buf, n + s.len));
}

// The kind of digest that s has the form of, -ENOENT if none.
static int digest_kind(struct span s)
{
	for (int k = IMPORT_MD5; k <= IMPORT_SHA256; k++) {
		uint8_t digest[32];

		if (s.len == 2 * digest_bytes[k] &&
		    list_hex((const char *)s.data, digest_bytes[k], digest))
			return k;
	}
	return -ENOENT;
}

static bool is_url(struct span s)
{
	return has_prefix(s, "http://") || has_prefix(s, "https://") || has_prefix(s, "hxxp://") ||
	       has_prefix(s, "hxxps://");
}

static int form_of(struct span s)
{
	uint8_t host[HOST_MAX];
	int kind = digest_kind(s);

	if (kind >= 0)
		return kind;
	if (is_url(s))
		return IMPORT_URL;
	return host_take(s, host) > 0 ? IMPORT_HOST : -ENOENT;
}

int import_value(struct import *im, const char *name, unsigned int line, int kind, struct span s)
{
	uint8_t digest[32];

	s = trim(s);
	if (kind < 0)
		kind = form_of(s);
	if (kind < 0) {
		import_refuse(im, name, line, "is no digest, URL or host");
		return 0;
	}
	if (!is_wanted(im, kind)) {
		import_refuse(im, name, line, "is of a kind that is not asked for");
		return 0;
	}
	if (kind == IMPORT_HOST)
		return host_value(im, name, line, s);
	if (kind == IMPORT_URL)
		return url_value(im, name, line, s);
	if (digest_kind(s) != kind) {
		char why[64];

		snprintf(why, sizeof(why), "is not %s %s: %zu hexadecimal digits",
			 kind == IMPORT_MD5 ? "an" : "a", import_kind_names[kind],
			 2 * digest_bytes[kind]);
		import_refuse(im, name, line, why);
		return 0;
	}
	list_hex((const char *)s.data, digest_bytes[kind], digest);
	return set_add(&im->set[kind], span_of(digest, digest_bytes[kind]));
}

// ---- lines ----

struct table {
	struct import *im;
	const char *name;
	char delimiter; // 0 until the first line of data or a header was seen
	bool has_header;
	int column[FIELDS_MAX];
	uint32_t n_columns;
};

// Cut s into fields, quotes resolved in place. Their number.
static uint32_t fields_cut(char *s, size_t n, char delimiter, struct span field[FIELDS_MAX])
{
	uint32_t count = 0;
	size_t i = 0;

	while (count < FIELDS_MAX) {
		size_t from, to;

		while (i < n && s[i] == ' ')
			i++;
		if (i < n && s[i] == '"') {
			from = to = ++i;
			while (i < n && (s[i] != '"' || (i + 1 < n && s[i + 1] == '"'))) {
				i += s[i] == '"';
				s[to++] = s[i++];
			}
			while (i < n && s[i] != delimiter)
				i++;
		} else {
			from = i;
			while (i < n && s[i] != delimiter)
				i++;
			to = i;
		}
		field[count++] = trim(span_of(s + from, to - from));
		if (i >= n)
			break;
		i++;
	}
	return count;
}

static char delimiter_of(const char *s, size_t n)
{
	static const char candidates[] = ",;\t|";
	char best = ',';
	size_t most = 0;

	for (const char *c = candidates; *c != '\0'; c++) {
		size_t k = 0;

		for (size_t i = 0; i < n; i++)
			k += s[i] == *c;
		if (k > most) {
			most = k;
			best = *c;
		}
	}
	return best;
}

static int column_of(struct span name)
{
	static const char *const any[] = {"hash",         "indicator", "ioc",           "value",
					  "signal_value", "ioc_value", "raw_indicator", "signal"};
	static const char *const types[] = {"type", "indicator_type", "hash_type", "signal_type",
					    "ioc_type"};
	int kind = import_kind_of(name);

	for (size_t i = 0; i < sizeof(any) / sizeof(any[0]); i++)
		if (span_eq_nocase(name, span_of(any[i], strlen(any[i]))))
			return COLUMN_ANY;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (span_eq_nocase(name, span_of(types[i], strlen(types[i]))))
			return COLUMN_TYPE;
	return kind >= 0 ? kind : COLUMN_NONE;
}

// Is the line a header? Then it says what the columns are. Of a comment only a whole list of names counts.
static bool take_header(struct table *t, char *s, size_t n, bool is_comment)
{
	char delimiter = delimiter_of(s, n), *copy = malloc(n + 1);
	struct span field[FIELDS_MAX];
	uint32_t count, known = 0;
	int column[FIELDS_MAX];

	if (copy == NULL)
		return false;
	memcpy(copy, s, n);
	count = fields_cut(copy, n, delimiter, field);
	for (uint32_t i = 0; i < count; i++) {
		column[i] = column_of(field[i]);
		known += column[i] >= 0 || column[i] == COLUMN_ANY;
	}
	free(copy);
	if (known == 0 || (is_comment && count < 2))
		return false;
	memcpy(t->column, column, count * sizeof(*column));
	t->n_columns = count;
	t->delimiter = delimiter;
	t->has_header = true;
	return true;
}

// A row under a header.
static int take_row(struct table *t, unsigned int line, const struct span *field, uint32_t n)
{
	int typed = COLUMN_NONE, err = 0;
	bool any = false;

	for (uint32_t i = 0; i < n && i < t->n_columns; i++) {
		if (t->column[i] != COLUMN_TYPE || field[i].len == 0)
			continue;
		typed = import_kind_of(field[i]);
		if (typed >= 0)
			continue;
		import_refuse(t->im, t->name, line,
			      typed == -ENOTSUP ? import_not_exact
						: "is of a type that is not matched");
		return 0;
	}
	for (uint32_t i = 0; i < n && i < t->n_columns && err == 0; i++) {
		int kind = t->column[i] == COLUMN_ANY ? typed : t->column[i];

		if ((t->column[i] < 0 && t->column[i] != COLUMN_ANY) || field[i].len == 0)
			continue;
		// Of several columns those of other kinds are not what was asked for, and no mistake.
		if (kind >= 0 && !is_wanted(t->im, kind) && t->n_columns > 1)
			continue;
		any = true;
		err = import_value(t->im, t->name, line, kind, field[i]);
	}
	if (!any && err == 0)
		import_refuse(t->im, t->name, line,
			      "has none of the columns that the header names");
	return err;
}

// "hash  file" of md5sum, "0.0.0.0 host" of a hosts file: what counts of a line without delimiter.
static struct span plain_value(struct span s)
{
	static const char *const sinks[] = {"0.0.0.0 ", "127.0.0.1 ", "::1 ", "0.0.0.0\t",
					    "127.0.0.1\t"};
	size_t n = 0;

	for (size_t i = 0; i < sizeof(sinks) / sizeof(sinks[0]); i++)
		if (has_prefix(s, sinks[i]))
			s = trim(span_from(s, strlen(sinks[i])));
	while (n < s.len && s.data[n] != ' ' && s.data[n] != '\t')
		n++;
	return span_first(s, n);
}

// A row without a header: the first field of each kind that its form tells.
static int take_forms(struct table *t, unsigned int line, const struct span *field, uint32_t n)
{
	struct span first = plain_value(field[0]);
	unsigned int seen = 0;
	int err = 0;

	// "DIGEST  a file, its name"
	if (first.len < field[0].len && digest_kind(first) >= 0)
		return import_value(t->im, t->name, line, digest_kind(first), first);
	for (uint32_t i = 0; i < n && err == 0; i++) {
		int kind = digest_kind(field[i]) >= 0 ? digest_kind(field[i])
			   : is_url(field[i])         ? (int)IMPORT_URL
						      : -1;

		if (kind < 0 || (seen & 1u << kind) != 0)
			continue;
		seen |= 1u << kind;
		err = import_value(t->im, t->name, line, kind, field[i]);
	}
	if (seen == 0)
		err = import_value(t->im, t->name, line, -1, field[0]);
	return err;
}

static int take_line(struct table *t, unsigned int line, char *s, size_t n)
{
	struct span field[FIELDS_MAX];
	uint32_t count;

	if (n == 0)
		return 0;
	if (n > IMPORT_LINE_MAX) {
		import_count(t->im);
		import_refuse(t->im, t->name, line, "is longer than 64 KiB");
		return 0;
	}
	if (s[0] == '#' || (n > 1 && s[0] == '/' && s[1] == '/')) {
		if (s[0] == '#' && !t->has_header)
			take_header(t, s + 1, n - 1, true);
		return 0;
	}
	if (t->delimiter == 0) {
		if (take_header(t, s, n, false))
			return 0;
		t->delimiter = delimiter_of(s, n);
	}
	import_count(t->im);
	count = fields_cut(s, n, t->delimiter, field);
	// A second header, as files that were put together have it.
	if (t->has_header && count > 1 && t->n_columns == count &&
	    column_of(field[0]) != COLUMN_NONE &&
	    column_of(field[count - 1]) == t->column[count - 1] &&
	    column_of(field[0]) == t->column[0] && form_of(field[0]) < 0) {
		t->im->read--;
		return 0;
	}
	if (t->has_header)
		return take_row(t, line, field, count);
	if (count == 1)
		field[0] = plain_value(field[0]);
	return take_forms(t, line, field, count);
}

// ---- files ----

// What was read to see what it is, and then the rest.
struct peek {
	lines_read_fn *read;
	void *ctx;
	char head[4096];
	size_t n, at;
};

static ssize_t peek_read(void *ctx, void *buf, size_t n)
{
	struct peek *p = ctx;

	if (p->at == p->n)
		return p->read(p->ctx, buf, n);
	if (n > p->n - p->at)
		n = p->n - p->at;
	memcpy(buf, p->head + p->at, n);
	p->at += n;
	return (ssize_t)n;
}

// Does it begin as JSON does? 1, 0 or what read returned.
static int peek_is_json(struct peek *p)
{
	size_t i = 0;

	while (p->n < sizeof(p->head)) {
		ssize_t got = p->read(p->ctx, p->head + p->n, sizeof(p->head) - p->n);

		if (got < 0)
			return (int)got;
		if (got == 0)
			break;
		p->n += (size_t)got;
	}
	if (p->n >= 3 && memcmp(p->head, "\xef\xbb\xbf", 3) == 0)
		i = 3;
	while (i < p->n && strchr(" \t\r\n", p->head[i]) != NULL && p->head[i] != '\0')
		i++;
	if (i == p->n || (p->head[i] != '{' && p->head[i] != '['))
		return 0;
	p->at = i;
	return 1;
}

// All of it. ret_text: malloc'ed.
static int read_all(struct peek *p, const char *name, char **ret_text, size_t *ret_len,
		    struct diag *ret_diag)
{
	size_t len = 0, cap = 1 << 20;
	char *text = malloc(cap), *more;
	int err = text != NULL ? 0 : -ENOMEM;

	while (err == 0) {
		ssize_t got = peek_read(p, text + len, cap - len);

		if (got <= 0) {
			err = (int)got;
			break;
		}
		len += (size_t)got;
		if (len < cap)
			continue;
		if (cap == IMPORT_JSON_MAX) {
			diag_set(ret_diag, name, 0, 0,
				 "is JSON of more than %d MiB: export it as CSV, or in parts",
				 IMPORT_JSON_MAX >> 20);
			err = -EFBIG;
			break;
		}
		cap *= 2;
		more = realloc(text, cap);
		if (more == NULL)
			err = -ENOMEM;
		else
			text = more;
	}
	if (err < 0) {
		free(text);
		return err;
	}
	*ret_text = text;
	*ret_len = len;
	return 0;
}

static int on_line(void *ctx, unsigned int line, char *s, size_t n)
{
	return take_line(ctx, line, s, n);
}

int import_read(struct import *im, const char *name, lines_read_fn *read, void *ctx,
		struct diag *ret_diag)
{
	struct peek p = {.read = read, .ctx = ctx};
	struct table t = {.im = im, .name = name};
	int err = peek_is_json(&p);

	if (err == 1) {
		size_t len;
		char *text;

		err = read_all(&p, name, &text, &len, ret_diag);
		if (err < 0)
			return err;
		err = import_json(im, name, span_of(text, len), ret_diag);
		free(text);
	} else if (err == 0) {
		err = lines_each(peek_read, &p, IMPORT_LINE_MAX, on_line, &t);
	}
	if (err == -EFBIG && ret_diag->text[0] == '\0')
		diag_set(ret_diag, name, 0, 0, "has more than %d entries", IMPORT_ENTRIES_MAX);
	return err;
}

// SPDX-License-Identifier: BSD-2-Clause
// Spans of rule text: trimming, numbers, and where in the file a byte of a rule stands.
#include "rules/parse_rule.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct text text_trim(struct text t)
{
	while (t.n > 0 && text_is_blank(t.s[0])) {
		t.s++;
		t.n--;
	}
	while (t.n > 0 && text_is_blank(t.s[t.n - 1]))
		t.n--;
	return t;
}

bool text_is(struct text t, const char *word)
{
	return t.n > 0 && strncasecmp(t.s, word, t.n) == 0 && word[t.n] == '\0';
}

bool text_unquote(struct text t, struct text *ret_inner)
{
	if (t.n < 2 || t.s[0] != '"' || t.s[t.n - 1] != '"')
		return false;
	*ret_inner = (struct text){t.s + 1, t.n - 2};
	return true;
}

int text_number(struct text t, int64_t min, int64_t max, int64_t *ret_n)
{
	bool negative = t.n > 0 && t.s[0] == '-';
	size_t i = negative ? 1 : 0;
	int64_t n = 0;

	// Eleven digits hold every 32-bit number; more would be out of every range used here.
	if (i == t.n || t.n - i > 11)
		return -EINVAL;
	for (; i < t.n; i++) {
		if (t.s[i] < '0' || t.s[i] > '9')
			return -EINVAL;
		n = n * 10 + (t.s[i] - '0');
	}
	if (negative)
		n = -n;
	if (n < min || n > max)
		return -EINVAL;
	*ret_n = n;
	return 0;
}

struct text text_split(struct text *t, char c)
{
	const char *at = memchr(t->s, c, t->n);
	struct text first = *t;

	if (at == NULL) {
		*t = (struct text){t->s + t->n, 0};
	} else {
		first.n = (size_t)(at - t->s);
		*t = text_trim((struct text){at + 1, t->n - first.n - 1});
	}
	return text_trim(first);
}

const char *parse_quote(char buf[PARSE_QUOTE_BYTES], struct text t)
{
	size_t max = PARSE_QUOTE_BYTES - 4, n = t.n < max ? t.n : max;

	for (size_t i = 0; i < n; i++)
		buf[i] = t.s[i] >= 0x20 && t.s[i] < 0x7f ? t.s[i] : '?';
	strcpy(buf + n, t.n > max ? "..." : "");
	return buf;
}

uint8_t *parse_bytes(struct parser *p, size_t n)
{
	uint8_t *at = p->bytes + p->n_bytes;

	if (n > 2 * PARSE_RULE_BYTES_MAX - p->n_bytes)
		return NULL;
	p->n_bytes += n;
	return at;
}

// Move the remembered position to byte off of the rule. In a joined rule the source has a backslash
// and a line end wherever a continuation was cut out.
static void position_find(struct parser *p, size_t off)
{
	if (off < p->at_rule) {
		p->at_rule = p->at_source = 0;
		p->at_line = p->line;
		p->at_column = 1;
	}
	if (!p->joined) {
		p->at_column += (unsigned int)(off - p->at_rule);
		p->at_source += off - p->at_rule;
		p->at_rule = off;
		return;
	}
	while (p->at_source < p->source.n) {
		const char *s = p->source.s + p->at_source;
		size_t left = p->source.n - p->at_source;

		if (left >= 2 && s[0] == '\\' && s[1] == '\n') {
			p->at_source += 2;
		} else if (left >= 3 && s[0] == '\\' && s[1] == '\r' && s[2] == '\n') {
			p->at_source += 3;
		} else if (p->at_rule == off) {
			return;
		} else {
			p->at_source++;
			p->at_rule++;
			p->at_column++;
			continue;
		}
		p->at_line++;
		p->at_column = 1;
	}
}

unsigned int parse_column(struct parser *p, const char *at)
{
	position_find(p, (size_t)(at - p->rule.s));
	return p->at_column;
}

// The keyword in question, in lower case, as far as it fits; what is none (a quote, a brace) gives "".
static void keyword_set(struct parser *p, const char *at)
{
	const char *end = p->rule.s + p->rule.n;
	struct text t = p->keyword;
	size_t n = 0;

	if (t.n == 0 && at != NULL && at >= p->rule.s && at <= end)
		t = (struct text){at, (size_t)(end - at)};
	while (n < t.n && n + 1 < sizeof(p->diag.keyword) &&
	       (isalnum((unsigned char)t.s[n]) || t.s[n] == '_' || t.s[n] == '-' ||
		t.s[n] == '.')) {
		p->diag.keyword[n] = (char)tolower((unsigned char)t.s[n]);
		n++;
	}
	p->diag.keyword[n] = '\0';
}

int parse_fail(struct parser *p, const char *at, const char *fmt, ...)
{
	unsigned int line = p->line, column = 0;
	va_list ap;

	if (at != NULL) {
		column = parse_column(p, at);
		line = p->at_line;
	}
	diag_set(&p->diag, p->file, line, column, "%s", "");
	keyword_set(p, at);
	va_start(ap, fmt);
	vsnprintf(p->diag.text, sizeof(p->diag.text), fmt, ap);
	va_end(ap);
	return -EINVAL;
}

// SPDX-License-Identifier: BSD-2-Clause
// pcre:"/expression/flags": the flags, the buffer some of them select, and whether PCRE2
// understands the expression.
//
// The expression is kept as written; it is compiled here only to refuse a broken one at its column.
#include "rules/parse_rule.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

struct pcre_checker {
	pcre2_compile_context *context;
};

static const struct {
	char letter;
	uint8_t flag; // enum rule_pcre_flag
	uint32_t option;
} pcre_flags[] = {
	{'i', RULE_PCRE_I, PCRE2_CASELESS},  {'s', RULE_PCRE_S, PCRE2_DOTALL},
	{'m', RULE_PCRE_M, PCRE2_MULTILINE}, {'x', RULE_PCRE_X, PCRE2_EXTENDED},
	{'A', RULE_PCRE_A, PCRE2_ANCHORED},  {'E', RULE_PCRE_E, PCRE2_DOLLAR_ENDONLY},
	{'G', RULE_PCRE_G, PCRE2_UNGREEDY},
};

static const struct {
	char letter;
	uint8_t buffer;
} pcre_buffers[] = {
	{'U', BUF_URI},           {'I', BUF_URI_RAW},   {'H', BUF_HEADER},
	{'M', BUF_METHOD},        {'C', BUF_COOKIE},    {'P', BUF_REQUEST_BODY},
	{'Q', BUF_RESPONSE_BODY}, {'S', BUF_STAT_CODE}, {'V', BUF_USER_AGENT},
	{'W', BUF_HOST},          {'Z', BUF_HOST_RAW},  {'D', BUF_HEADER_RAW},
	{'Y', BUF_STAT_MSG},
};

struct pcre_checker *pcre_checker_new(void)
{
	struct pcre_checker *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->context = pcre2_compile_context_create(NULL);
	if (c->context == NULL) {
		free(c);
		return NULL;
	}
	pcre2_set_max_pattern_length(c->context, PARSE_PCRE_MAX);
	return c;
}

void pcre_checker_free(struct pcre_checker *checker)
{
	if (checker == NULL)
		return;
	pcre2_compile_context_free(checker->context);
	free(checker);
}

static int pcre_compiles(struct parser *p, struct text t, uint32_t options)
{
	PCRE2_SIZE at = 0;
	int error = 0;
	char why[128];
	pcre2_code *code =
		pcre2_compile((PCRE2_SPTR)t.s, t.n, options, &error, &at, p->pcre->context);

	if (code != NULL) {
		pcre2_code_free(code);
		return 0;
	}
	if (error == PCRE2_ERROR_HEAP_FAILED || error == PCRE2_ERROR_NOMEMORY)
		return -ENOMEM;
	if (pcre2_get_error_message(error, (PCRE2_UCHAR *)why, sizeof(why)) < 0)
		snprintf(why, sizeof(why), "error %d", error);
	return parse_fail(p, t.s + (at < t.n ? at : t.n), "pcre: %s", why);
}

// A host is lower case: an upper-case letter that is not an escape like \D can never match.
static bool pcre_has_upper(struct text t)
{
	for (size_t i = 0; i < t.n; i++) {
		if (t.s[i] == '\\')
			i++;
		else if (t.s[i] >= 'A' && t.s[i] <= 'Z')
			return true;
	}
	return false;
}

// One flag letter. *io_buffer: BUF_N until a letter selects one.
static int pcre_flag(struct parser *p, const char *at, struct rule_match *m, uint32_t *io_options,
		     unsigned int *io_buffer)
{
	char word[PARSE_QUOTE_BYTES];

	for (size_t i = 0; i < sizeof(pcre_flags) / sizeof(pcre_flags[0]); i++) {
		if (pcre_flags[i].letter != *at)
			continue;
		m->pcre_flags |= pcre_flags[i].flag;
		*io_options |= pcre_flags[i].option;
		return 0;
	}
	for (size_t i = 0; i < sizeof(pcre_buffers) / sizeof(pcre_buffers[0]); i++) {
		if (pcre_buffers[i].letter != *at)
			continue;
		if (*io_buffer != BUF_N && *io_buffer != pcre_buffers[i].buffer)
			return parse_fail(p, at, "pcre flag %c: another flag already selects %s",
					  *at, buffer_info(*io_buffer)->keyword);
		*io_buffer = pcre_buffers[i].buffer;
		return 0;
	}
	if (*at == 'R')
		m->flags |= RULE_PCRE_RELATIVE;
	else if (*at != 'B')
		return parse_fail(p, at, "pcre flag \"%s\" is not supported",
				  parse_quote(word, (struct text){at, 1}));
	return 0;
}

// Find the expression and the flags of "/expression/flags, captures". What is captured is never
// stored, so the list of variable names (flow:x, pkt:x, alert:x) has nothing to say here.
static int pcre_split(struct parser *p, struct text t, struct text *ret_expression,
		      struct text *ret_flags)
{
	size_t end = 0;

	if (t.n == 0 || t.s[0] != '/')
		return parse_fail(p, t.s, "a pcre is written \"/expression/flags\"");
	for (size_t i = 1; i < t.n; i++) {
		if (t.s[i] == '\\')
			i++;
		else if (t.s[i] == '/')
			end = i;
	}
	if (end == 0)
		return parse_fail(p, t.s, "no \"/\" at the end of the expression");
	*ret_expression = (struct text){t.s + 1, end - 1};
	*ret_flags = (struct text){t.s + end + 1, t.n - end - 1};
	if (ret_expression->n == 0)
		return parse_fail(p, t.s, "the expression is empty");
	if (ret_expression->n > PARSE_PCRE_MAX)
		return parse_fail(p, t.s, "an expression of %zu bytes: at most %d are supported",
				  ret_expression->n, PARSE_PCRE_MAX);
	return 0;
}

// R needs something to be relative to: a match before it, or at least a buffer that was asked for.
static int pcre_relative(struct parser *p, const struct option *o, unsigned int buffer)
{
	for (uint32_t i = 0; i < p->r.n_matches; i++)
		if (p->match[i].buffer == buffer)
			return 0;
	if (p->sticky >= 0)
		return 0;
	return parse_fail(p, o->value.s,
			  "pcre flag R needs a content or pcre before it in the same buffer");
}

static int pcre_quotes(struct parser *p, struct text t, struct text *ret_inner)
{
	*ret_inner = t;
	if (t.n == 0 || t.s[0] != '"' || text_unquote(t, ret_inner))
		return 0;
	return parse_fail(
		p, t.s,
		"no double quote before the \";\" (inside a pcre write \\; for a semicolon)");
}

int parse_pcre(struct parser *p, const struct option *o, int arg)
{
	struct text value = o->value, inner, expression = {0}, flags = {0}, letters;
	bool negated = value.s[0] == '!';
	struct rule_match m = {0};
	unsigned int buffer = BUF_N;
	uint32_t options = 0;
	uint8_t *out;
	int i, ret;

	if (negated)
		value = text_trim((struct text){value.s + 1, value.n - 1});
	if (pcre_quotes(p, value, &inner) != 0 || pcre_split(p, inner, &expression, &flags) != 0)
		return -EINVAL;
	letters = text_split(&flags, ',');
	for (size_t k = 0; k < letters.n; k++)
		if (pcre_flag(p, letters.s + k, &m, &options, &buffer) != 0)
			return -EINVAL;
	if (p->sticky == BUF_FILE_DATA && buffer == BUF_RESPONSE_BODY)
		buffer = BUF_FILE_DATA; // one and the same buffer in Suricata
	if (p->sticky >= 0 && buffer != BUF_N && buffer != (unsigned int)p->sticky)
		return parse_fail(p, letters.s,
				  "pcre flag for %s after %s: write pkt_data; before it, or leave "
				  "the flag out",
				  buffer_info(buffer)->keyword,
				  buffer_info((unsigned int)p->sticky)->keyword);
	if (buffer == BUF_N)
		buffer = p->sticky >= 0 ? (unsigned int)p->sticky : BUF_RAW;
	if (p->sticky < 0 && buffer == BUF_HOST && (m.pcre_flags & RULE_PCRE_I) == 0 &&
	    pcre_has_upper(expression))
		return parse_fail(p, expression.s,
				  "http.host is lower case: an upper-case letter can never match");
	if ((m.flags & RULE_PCRE_RELATIVE) != 0 && pcre_relative(p, o, buffer) != 0)
		return -EINVAL;
	ret = pcre_compiles(p, expression, options);
	if (ret != 0)
		return ret;
	i = parse_match_new(p, o, RULE_PCRE, buffer);
	if (i < 0)
		return i;
	out = parse_bytes(p, expression.n);
	assert(out != NULL);
	memcpy(out, expression.s, expression.n);
	p->match[i].flags |= m.flags | (negated ? RULE_NEGATED : 0);
	p->match[i].pcre_flags = m.pcre_flags;
	p->match[i].data = out;
	p->match[i].len = (uint16_t)expression.n;
	return 0;
}

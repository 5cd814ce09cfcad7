// SPDX-License-Identifier: BSD-2-Clause
// Keywords that match bytes: content with its modifiers, and the buffers they look at.
//
// A sticky keyword (http.uri) sets the buffer of the contents after it; an old modifier (http_uri)
// moves the content before it. The two do not mix on one content. Modifiers apply to the last
// content of the current buffer. Positions are kept as written: depth counts from offset, distance
// and within from the end of the match before in the same buffer, or from the buffer's start when
// there is none.
#include "rules/parse_rule.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

enum {
	POSITION_MAX = 65535,       // Suricata's limit for offset and depth
	RELATIVE_MAX = 1024 * 1024, // and for distance and within
};

int parse_match_new(struct parser *p, const struct option *o, enum rule_match_type type,
		    unsigned int buffer)
{
	uint32_t i = p->r.n_matches;

	if (i == PARSE_MATCHES_MAX)
		return parse_fail(p, o->name.s, "more than %d contents and pcres in one rule",
				  PARSE_MATCHES_MAX);
	p->match[i] = (struct rule_match){
		.type = (uint8_t)type,
		.buffer = (uint8_t)buffer,
		.column = parse_column(p, o->name.s),
	};
	if (p->sticky == (int)buffer) {
		p->match[i].transforms = p->transforms;
		p->match[i].n_transforms = p->n_transforms;
		p->match[i].flags = p->decoded ? RULE_DECODED : 0;
	}
	p->match_at[i] = o->name.s;
	p->moved[i] = false;
	p->r.n_matches++;
	p->sticky_at = NULL;
	return (int)i;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

// Decode the hex between two pipes; i is behind the first. Returns the index of the second, or
// -EINVAL.
static int64_t content_hex(struct parser *p, struct text t, size_t i, uint8_t *out, size_t *io_n)
{
	size_t n = 0;
	char word[PARSE_QUOTE_BYTES];

	for (; i < t.n && t.s[i] != '|'; i++) {
		if (t.s[i] == ' ')
			continue;
		if (hex_digit(t.s[i]) < 0)
			return parse_fail(p, t.s + i, "\"%s\" between pipes is not hex",
					  parse_quote(word, (struct text){t.s + i, 1}));
		if (i + 1 >= t.n || hex_digit(t.s[i + 1]) < 0)
			return parse_fail(p, t.s + i,
					  "hex between pipes comes in pairs of digits: |0D 0A|");
		out[(*io_n)++] = (uint8_t)(hex_digit(t.s[i]) << 4 | hex_digit(t.s[i + 1]));
		n++;
		i++;
	}
	if (i == t.n)
		return parse_fail(p, t.s + t.n, "no \"|\" at the end of the hex bytes");
	if (n == 0)
		return parse_fail(p, t.s + i,
				  "no hex bytes between the pipes (write |7C| for a pipe)");
	return (int64_t)i;
}

// Resolve |hex| and escapes of t, the text between the quotes. out has room for t.n bytes. Length
// or -EINVAL.
static int64_t content_decode(struct parser *p, struct text t, uint8_t *out)
{
	size_t n = 0;

	for (size_t i = 0; i < t.n; i++) {
		char c = t.s[i];

		if (c == '|') {
			int64_t end = content_hex(p, t, i + 1, out, &n);

			if (end < 0)
				return end;
			i = (size_t)end;
			continue;
		}
		if (c == '"')
			return parse_fail(p, t.s + i,
					  "double quote inside the content: write \\\" or |22|");
		if (c == '\\') {
			if (i + 1 == t.n || strchr("\";:\\", t.s[i + 1]) == NULL)
				return parse_fail(p, t.s + i,
						  "a backslash stands before \" ; : or \\ only "
						  "(write \\\\ for a backslash)");
			c = t.s[++i];
		}
		out[n++] = (uint8_t)c;
	}
	return (int64_t)n;
}

static int content_quotes(struct parser *p, struct text t, struct text *ret_inner)
{
	if (t.n == 0 || t.s[0] != '"')
		return parse_fail(p, t.s, "the content is not in double quotes");
	if (text_unquote(t, ret_inner))
		return 0;
	for (size_t i = 1; i < t.n; i++) {
		if (t.s[i] == '\\')
			i++;
		else if (t.s[i] == '"')
			return parse_fail(p, t.s + i + 1, "missing \";\" after the content");
	}
	return parse_fail(p, t.s,
			  "no double quote before the \";\" (inside quotes write \\; or |3B| for a "
			  "semicolon)");
}

int parse_content(struct parser *p, const struct option *o, int arg)
{
	unsigned int buffer = arg != BUF_N     ? (unsigned int)arg
			      : p->sticky >= 0 ? (unsigned int)p->sticky
					       : BUF_RAW;
	struct text value = o->value, inner;
	bool negated = value.s[0] == '!';
	uint8_t *out;
	int64_t n;
	int i;

	if (arg != BUF_N && p->sticky >= 0)
		return parse_fail(p, o->name.s,
				  "uricontent after %s: write pkt_data; before it, or use http.uri",
				  buffer_info((unsigned int)p->sticky)->keyword);
	if (negated)
		value = text_trim((struct text){value.s + 1, value.n - 1});
	if (content_quotes(p, value, &inner) != 0)
		return -EINVAL;
	i = parse_match_new(p, o, RULE_CONTENT, buffer);
	if (i < 0)
		return i;
	out = parse_bytes(p, inner.n);
	assert(out != NULL);
	n = content_decode(p, inner, out);
	if (n < 0)
		return (int)n;
	if (n == 0)
		return parse_fail(p, value.s, "the content is empty");
	if (n > PARSE_CONTENT_MAX)
		return parse_fail(p, value.s,
				  "the content has %lld bytes: at most %d are supported",
				  (long long)n, PARSE_CONTENT_MAX);
	p->match[i].data = out;
	p->match[i].len = (uint16_t)n;
	p->match[i].flags |= negated ? RULE_NEGATED : 0;
	p->moved[i] = arg != BUF_N;
	p->content = i;
	return 0;
}

int parse_sticky(struct parser *p, const struct option *o, int buffer)
{
	if (p->sticky_at != NULL)
		return parse_fail(p, p->sticky_at, "%s is not followed by a content or pcre",
				  buffer_info((unsigned int)p->sticky)->keyword);
	p->sticky = buffer;
	p->sticky_at = buffer >= 0 ? o->name.s : NULL;
	p->content = -1;
	p->transforms = NULL;
	p->n_transforms = 0;
	p->decoded = false;
	return 0;
}

// A message of a WebSocket is the file of file.data; the keyword makes a rule one of websocket, as in Suricata 8.
int parse_websocket_payload(struct parser *p, const struct option *o, int arg)
{
	if (p->r.proto == RULE_PROTO_HTTP)
		return parse_fail(
			p, o->name.s,
			"websocket.payload is not in rules for http: use alert websocket");
	p->r.proto = RULE_PROTO_WEBSOCKET;
	return parse_sticky(p, o, BUF_FILE_DATA);
}

// The content that modifier o applies to, or NULL with p->diag set.
static struct rule_match *modifier_target(struct parser *p, const struct option *o)
{
	char word[PARSE_QUOTE_BYTES];

	if (p->content >= 0)
		return &p->match[p->content];
	parse_quote(word, o->name);
	if (p->sticky >= 0)
		parse_fail(p, o->name.s, "%s has no content before it in %s", word,
			   buffer_info((unsigned int)p->sticky)->keyword);
	else
		parse_fail(p, o->name.s, "%s has no content before it", word);
	return NULL;
}

int parse_modifier(struct parser *p, const struct option *o, int buffer)
{
	struct rule_match *m = modifier_target(p, o);
	char word[PARSE_QUOTE_BYTES];

	if (m == NULL)
		return -EINVAL;
	parse_quote(word, o->name);
	if (p->sticky >= 0)
		return parse_fail(p, o->name.s,
				  "%s after %s: write pkt_data; before the content, or use %s",
				  word, buffer_info((unsigned int)p->sticky)->keyword,
				  buffer_info((unsigned int)buffer)->keyword);
	if (p->moved[p->content])
		return parse_fail(p, o->name.s, "%s: the content already looks at %s", word,
				  buffer_info(m->buffer)->keyword);
	for (uint32_t i = (uint32_t)p->content + 1; i < p->r.n_matches; i++)
		if ((p->match[i].flags & RULE_PCRE_RELATIVE) != 0 && p->match[i].number != NULL)
			return parse_fail(
				p, o->name.s,
				"%s: write it before the keyword that counts from the content",
				word);
	m->buffer = (uint8_t)buffer;
	p->moved[p->content] = true;
	return 0;
}

int parse_flag(struct parser *p, const struct option *o, int flag)
{
	const unsigned int positions = RULE_OFFSET | RULE_DEPTH | RULE_DISTANCE | RULE_WITHIN;
	struct rule_match *m = modifier_target(p, o);
	char word[PARSE_QUOTE_BYTES];

	if (m == NULL)
		return -EINVAL;
	if ((m->flags & flag) != 0)
		return parse_fail(p, o->name.s, "%s is given twice for one content",
				  parse_quote(word, o->name));
	if (flag == RULE_STARTSWITH) {
		if ((m->flags & positions) != 0)
			return parse_fail(p, o->name.s,
					  "startswith does not go with offset, depth, distance or "
					  "within on one content");
		m->flags |= RULE_OFFSET | RULE_DEPTH;
		m->offset = 0;
		m->depth = m->len;
	}
	m->flags |= (uint16_t)flag;
	return 0;
}

// 0: a number; 1: the index of a variable.
static int position_value(struct parser *p, const struct option *o, int flag, int64_t *ret_n)
{
	bool relative = flag == RULE_DISTANCE || flag == RULE_WITHIN;
	int64_t max = relative ? RELATIVE_MAX : POSITION_MAX;
	int64_t min = flag == RULE_DISTANCE ? -RELATIVE_MAX : flag == RULE_OFFSET ? 0 : 1;
	char word[PARSE_QUOTE_BYTES], value[PARSE_QUOTE_BYTES];

	if (text_number(o->value, min, max, ret_n) == 0)
		return 0;
	*ret_n = parse_var_find(p, o->value);
	if (*ret_n >= 0)
		return 1;
	return parse_fail(p, o->value.s,
			  "%s:%s is not a number from %lld to %lld, nor a variable made before",
			  parse_quote(word, o->name), parse_quote(value, o->value), (long long)min,
			  (long long)max);
}

int parse_position(struct parser *p, const struct option *o, int flag)
{
	const unsigned int absolute = RULE_OFFSET | RULE_DEPTH;
	bool is_absolute = ((unsigned int)flag & absolute) != 0;
	struct rule_match *m = modifier_target(p, o);
	char word[PARSE_QUOTE_BYTES];
	int64_t n;
	int var;

	if (m == NULL)
		return -EINVAL;
	var = position_value(p, o, flag, &n);
	if (var < 0)
		return var;
	parse_quote(word, o->name);
	if ((m->flags & RULE_STARTSWITH) != 0)
		return parse_fail(p, o->name.s, "%s does not go with startswith on one content",
				  word);
	if ((m->flags & flag) != 0)
		return parse_fail(p, o->name.s, "%s is given twice for one content", word);
	if ((m->flags & (is_absolute ? RULE_DISTANCE | RULE_WITHIN : absolute)) != 0)
		return parse_fail(
			p, o->name.s,
			"%s: offset and depth do not go with distance and within on one content",
			word);
	if (var == 0 && (flag == RULE_DEPTH || flag == RULE_WITHIN) && n < m->len)
		return parse_fail(
			p, o->value.s,
			"%s:%lld is less than the %u bytes of the content: it can never match",
			word, (long long)n, m->len);
	m->flags |= (uint16_t)flag;
	if (var > 0)
		m->flags |= flag == RULE_OFFSET     ? RULE_VAR_OFFSET
			    : flag == RULE_DEPTH    ? RULE_VAR_DEPTH
			    : flag == RULE_DISTANCE ? RULE_VAR_DISTANCE
						    : RULE_VAR_WITHIN;
	if (flag == RULE_OFFSET)
		m->offset = (int32_t)n;
	else if (flag == RULE_DEPTH)
		m->depth = (int32_t)n;
	else if (flag == RULE_DISTANCE)
		m->distance = (int32_t)n;
	else
		m->within = (int32_t)n;
	return 0;
}

// Without effect in Suricata, and here: it only has to stand where it may.
int parse_rawbytes(struct parser *p, const struct option *o, int arg)
{
	if (modifier_target(p, o) == NULL)
		return -EINVAL;
	if (p->match[p->content].buffer != BUF_RAW)
		return parse_fail(p, o->name.s, "rawbytes does not go with %s",
				  buffer_info(p->match[p->content].buffer)->keyword);
	return 0;
}

// What is searched for first is chosen by the planner: only that there is something before it.
int parse_prefilter(struct parser *p, const struct option *o, int arg)
{
	if (p->r.n_matches == 0)
		return parse_fail(p, o->name.s, "prefilter has nothing before it");
	if (p->prefilter)
		return parse_fail(p, o->name.s, "prefilter is given twice: a rule has one");
	p->prefilter = true;
	return 0;
}

int parse_fast_pattern(struct parser *p, const struct option *o, int arg)
{
	struct text rest = o->value, first;
	struct rule_match *m = modifier_target(p, o);
	int64_t offset, length;

	if (m == NULL)
		return -EINVAL;
	if (p->fast_pattern >= 0)
		return parse_fail(p, o->name.s, "fast_pattern is given twice: a rule has one");
	if (text_is(o->value, "only")) {
		m->flags |= RULE_FAST_PATTERN_ONLY;
	} else if (o->value.n > 0) {
		first = text_split(&rest, ',');
		if (text_number(first, 0, POSITION_MAX, &offset) != 0 ||
		    text_number(rest, 1, POSITION_MAX, &length) != 0)
			return parse_fail(p, o->value.s,
					  "fast_pattern takes no value, \"only\", or OFFSET,LENGTH "
					  "in the content");
		if (offset + length > m->len)
			return parse_fail(
				p, o->value.s,
				"fast_pattern:%lld,%lld is outside the %u bytes of the content",
				(long long)offset, (long long)length, m->len);
	}
	m->flags |= RULE_FAST_PATTERN;
	p->fast_pattern = p->content;
	return 0;
}

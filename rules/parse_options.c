// SPDX-License-Identifier: BSD-2-Clause
// The options of a rule: "(keyword; keyword:value; ...)", one table row per supported keyword, and
// the keywords that do not match bytes (msg, sid, flow, ...). A value ends at the first ";" without
// a backslash before it, inside quotes too: that is how Suricata reads rules, and why a semicolon
// is written "\;" or "|3B|".
#include "rules/parse_rule.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "rules/list.h"

enum value_need {
	VALUE_NONE,
	VALUE_OPTIONAL,
	VALUE_REQUIRED,
};

// Keywords that occur once: bits of parser.seen.
enum once {
	ONCE_MSG = 1 << 0,
	ONCE_SID = 1 << 1,
	ONCE_REV = 1 << 2,
	ONCE_GID = 1 << 3,
	ONCE_FLOW = 1 << 4,
	ONCE_TARGET = 1 << 5,
	SEEN_PRIORITY = 1 << 6, // an explicit priority wins over the one of the classtype
	SEEN_CLASSTYPE = 1 << 7,
};

static int option_once(struct parser *p, const struct option *o, enum once bit)
{
	char word[PARSE_QUOTE_BYTES];

	if ((p->seen & bit) != 0)
		return parse_fail(p, o->name.s, "%s is given twice", parse_quote(word, o->name));
	p->seen |= bit;
	return 0;
}

// t as a string in p->bytes, with \" \; \: \\ resolved.
static const char *option_string(struct parser *p, struct text t)
{
	char *s = (char *)parse_bytes(p, t.n + 1), *to = s;

	assert(s != NULL);
	for (size_t i = 0; i < t.n; i++) {
		if (t.s[i] == '\\' && i + 1 < t.n && strchr("\";:\\", t.s[i + 1]) != NULL)
			i++;
		*to++ = t.s[i];
	}
	*to = '\0';
	return s;
}

// Append "key", separator, "value" and a line end to a list of lines; never longer than what it was
// written as.
static void list_append(char *list, size_t *io_n, struct text key, char separator,
			struct text value)
{
	size_t n = *io_n;

	assert(key.n + value.n + 2 <= PARSE_RULE_BYTES_MAX - n);
	memcpy(list + n, key.s, key.n);
	n += key.n;
	if (value.n > 0) {
		list[n++] = separator;
		memcpy(list + n, value.s, value.n);
		n += value.n;
	}
	list[n++] = '\n';
	*io_n = n;
}

static int option_msg(struct parser *p, const struct option *o, int arg)
{
	struct text inner;

	if (option_once(p, o, ONCE_MSG) != 0)
		return -EINVAL;
	if (!text_unquote(o->value, &inner))
		return parse_fail(
			p, o->value.s,
			"msg is not in double quotes (inside them write \\; for a semicolon)");
	for (size_t i = 0; i < inner.n; i++) {
		if (inner.s[i] == '\\')
			i++;
		else if (inner.s[i] == '"')
			return parse_fail(p, inner.s + i, "double quote inside msg: write \\\"");
	}
	p->r.msg = option_string(p, inner);
	return 0;
}

static int option_sid(struct parser *p, const struct option *o, int bit)
{
	bool is_sid = bit == ONCE_SID;
	char word[PARSE_QUOTE_BYTES];
	int64_t n;

	if (option_once(p, o, (enum once)bit) != 0)
		return -EINVAL;
	if (text_number(o->value, is_sid ? 1 : 0, UINT32_MAX, &n) != 0)
		return parse_fail(p, o->value.s, "\"%s\" is not a number from %d to 4294967295",
				  parse_quote(word, o->value), is_sid ? 1 : 0);
	if (is_sid)
		p->r.sid = (uint32_t)n;
	else if (bit == ONCE_GID)
		p->r.gid = (uint32_t)n;
	else
		p->r.rev = (uint32_t)n;
	return 0;
}

// Of several priorities or classtypes the most urgent holds, as in Suricata.
static int option_priority(struct parser *p, const struct option *o, int arg)
{
	char word[PARSE_QUOTE_BYTES];
	int64_t n;

	if (text_number(o->value, 1, 255, &n) != 0)
		return parse_fail(p, o->value.s, "\"%s\" is not a priority from 1 (worst) to 255",
				  parse_quote(word, o->value));
	if ((p->seen & SEEN_PRIORITY) == 0 || n < p->r.priority)
		p->r.priority = (uint8_t)n;
	p->seen |= SEEN_PRIORITY;
	return 0;
}

static int option_classtype(struct parser *p, const struct option *o, int arg)
{
	uint8_t priority = parse_class_priority(p, o->value);
	bool first = (p->seen & SEEN_CLASSTYPE) == 0;
	char word[PARSE_QUOTE_BYTES];

	for (size_t i = 0; i < o->value.n; i++) {
		char c = o->value.s[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') &&
		    (i == 0 || !((c >= '0' && c <= '9') || c == '-' || c == '_')))
			return parse_fail(
				p, o->value.s,
				"\"%s\" is not a classtype: a word like web-application-attack",
				parse_quote(word, o->value));
	}
	if (!first && priority >= parse_class_priority(
					  p, (struct text){p->r.classtype, strlen(p->r.classtype)}))
		return 0;
	p->seen |= SEEN_CLASSTYPE;
	p->r.classtype = option_string(p, o->value);
	if ((p->seen & SEEN_PRIORITY) == 0)
		p->r.priority = priority;
	return 0;
}

static int option_reference(struct parser *p, const struct option *o, int arg)
{
	struct text value = o->value, type = text_split(&value, ',');

	text_unquote(value, &value);
	if (type.n == 0 || value.n == 0)
		return parse_fail(
			p, o->value.s,
			"a reference is written TYPE,VALUE: reference:url,example.com/x;");
	list_append(p->reference, &p->n_reference, type, ',', value);
	return 0;
}

static int option_metadata(struct parser *p, const struct option *o, int arg)
{
	struct text rest = o->value;

	while (rest.n > 0) {
		struct text value = text_split(&rest, ','), key = text_split(&value, ' ');

		if (key.n > 0)
			list_append(p->metadata, &p->n_metadata, key, ' ', value);
	}
	return 0;
}

static int option_target(struct parser *p, const struct option *o, int arg)
{
	char word[PARSE_QUOTE_BYTES];

	if (option_once(p, o, ONCE_TARGET) != 0)
		return -EINVAL;
	if (!text_is(o->value, "src_ip") && !text_is(o->value, "dest_ip"))
		return parse_fail(p, o->value.s, "\"%s\" is not a target: use src_ip or dest_ip",
				  parse_quote(word, o->value));
	list_append(p->metadata, &p->n_metadata, o->name, ' ', o->value);
	return 0;
}

static const struct {
	const char *name;
	uint8_t bit, conflicts;
} flow_words[] = {
	{"to_server", RULE_FLOW_TO_SERVER, RULE_FLOW_TO_CLIENT},
	{"from_client", RULE_FLOW_TO_SERVER, RULE_FLOW_TO_CLIENT},
	{"to_client", RULE_FLOW_TO_CLIENT, RULE_FLOW_TO_SERVER},
	{"from_server", RULE_FLOW_TO_CLIENT, RULE_FLOW_TO_SERVER},
	{"established", RULE_FLOW_ESTABLISHED, RULE_FLOW_NOT_ESTABLISHED | RULE_FLOW_STATELESS},
	{"not_established", RULE_FLOW_NOT_ESTABLISHED, RULE_FLOW_ESTABLISHED | RULE_FLOW_STATELESS},
	{"stateless", RULE_FLOW_STATELESS, RULE_FLOW_ESTABLISHED | RULE_FLOW_NOT_ESTABLISHED},
	{"only_stream", RULE_FLOW_ONLY_STREAM, RULE_FLOW_NO_STREAM},
	{"no_stream", RULE_FLOW_NO_STREAM, RULE_FLOW_ONLY_STREAM},
};

static int flow_word(struct parser *p, struct text t)
{
	char word[PARSE_QUOTE_BYTES];

	parse_quote(word, t);
	for (size_t i = 0; i < sizeof(flow_words) / sizeof(flow_words[0]); i++) {
		if (!text_is(t, flow_words[i].name))
			continue;
		if ((p->r.flow & flow_words[i].conflicts) != 0)
			return parse_fail(p, t.s, "flow:%s contradicts what stands before it",
					  word);
		if ((p->r.flow & flow_words[i].bit) != 0)
			return parse_fail(p, t.s, "flow:%s is given twice", word);
		p->r.flow |= flow_words[i].bit;
		return 0;
	}
	if (text_is(t, "no_frag") || text_is(t, "only_frag"))
		return parse_fail(p, t.s, "flow:%s is not supported yet", word);
	return parse_fail(p, t.s,
			  "unknown flow condition \"%s\": use to_server, to_client, established, "
			  "not_established, stateless, only_stream, no_stream",
			  word);
}

static int option_flow(struct parser *p, const struct option *o, int arg)
{
	struct text rest = o->value;

	if (option_once(p, o, ONCE_FLOW) != 0)
		return -EINVAL;
	while (rest.n > 0)
		if (flow_word(p, text_split(&rest, ',')) != 0)
			return -EINVAL;
	return 0;
}

// By frequency in public rules. Buffers are looked up in common/buffer.h.
static const struct {
	const char *name;
	int (*parse)(struct parser *p, const struct option *o, int arg);
	int arg;
	enum value_need need;
} options_table[] = {
	{"content", parse_content, BUF_N, VALUE_REQUIRED},
	{"nocase", parse_flag, RULE_NOCASE, VALUE_NONE},
	{"reference", option_reference, 0, VALUE_REQUIRED},
	{"metadata", option_metadata, 0, VALUE_REQUIRED},
	{"msg", option_msg, 0, VALUE_REQUIRED},
	{"sid", option_sid, ONCE_SID, VALUE_REQUIRED},
	{"rev", option_sid, ONCE_REV, VALUE_REQUIRED},
	{"classtype", option_classtype, 0, VALUE_REQUIRED},
	{"flow", option_flow, 0, VALUE_REQUIRED},
	{"distance", parse_position, RULE_DISTANCE, VALUE_REQUIRED},
	{"fast_pattern", parse_fast_pattern, 0, VALUE_OPTIONAL},
	{"flowbits", parse_flowbits, 0, VALUE_REQUIRED},
	{"xbits", parse_xbits, 0, VALUE_REQUIRED},
	{"flowint", parse_flowint, 0, VALUE_REQUIRED},
	{"stream_size", parse_stream_size, 0, VALUE_REQUIRED},
	{"app-layer-event", parse_event, 0, VALUE_REQUIRED},
	{"noalert", parse_noalert, 0, VALUE_NONE},
	{"endswith", parse_flag, RULE_ENDSWITH, VALUE_NONE},
	{"pcre", parse_pcre, 0, VALUE_REQUIRED},
	{"depth", parse_position, RULE_DEPTH, VALUE_REQUIRED},
	{"startswith", parse_flag, RULE_STARTSWITH, VALUE_NONE},
	{"within", parse_position, RULE_WITHIN, VALUE_REQUIRED},
	{"offset", parse_position, RULE_OFFSET, VALUE_REQUIRED},
	{"uricontent", parse_content, BUF_URI, VALUE_REQUIRED},
	{"pkt_data", parse_sticky, -1, VALUE_NONE},
	{"file_data", parse_sticky, BUF_FILE_DATA, VALUE_NONE},
	{"websocket.payload", parse_websocket_payload, 0, VALUE_NONE},
	{"target", option_target, 0, VALUE_REQUIRED},
	// old spellings that are sticky, too
	{"http_header_names", parse_sticky, BUF_HEADER_NAMES, VALUE_NONE},
	{"http_request_header", parse_sticky, BUF_REQUEST_HEADER, VALUE_NONE},
	{"http_response_header", parse_sticky, BUF_RESPONSE_HEADER, VALUE_NONE},
	{"http_referer", parse_sticky, BUF_REFERER, VALUE_NONE},
	{"http_accept", parse_sticky, BUF_ACCEPT, VALUE_NONE},
	{"http_accept_enc", parse_sticky, BUF_ACCEPT_ENC, VALUE_NONE},
	{"http_accept_lang", parse_sticky, BUF_ACCEPT_LANG, VALUE_NONE},
	{"http_connection", parse_sticky, BUF_CONNECTION, VALUE_NONE},
	{"http_content_type", parse_sticky, BUF_CONTENT_TYPE, VALUE_NONE},
	{"http_content_len", parse_sticky, BUF_CONTENT_LEN, VALUE_NONE},
	{"http_protocol", parse_sticky, BUF_PROTOCOL, VALUE_NONE},
	{"http_start", parse_sticky, BUF_START, VALUE_NONE},
	{"http_request_line", parse_sticky, BUF_REQUEST_LINE, VALUE_NONE},
	{"http_response_line", parse_sticky, BUF_RESPONSE_LINE, VALUE_NONE},
	{"priority", option_priority, 0, VALUE_REQUIRED},
	{"threshold", parse_threshold, THRESHOLD_NONE, VALUE_REQUIRED},
	{"detection_filter", parse_threshold, THRESHOLD_FILTER, VALUE_REQUIRED},
	{"gid", option_sid, ONCE_GID, VALUE_REQUIRED},
	{"rawbytes", parse_rawbytes, 0, VALUE_NONE},
	{"bsize", parse_bsize, 0, VALUE_REQUIRED},
	{"urilen", parse_urilen, 0, VALUE_REQUIRED},
	{"dsize", parse_dsize, 0, VALUE_REQUIRED},
	{"tag", parse_tag, 0, VALUE_REQUIRED},
	{"prefilter", parse_prefilter, 0, VALUE_NONE},
	{"isdataat", parse_isdataat, 0, VALUE_REQUIRED},
	{"byte_test", parse_byte_test, 0, VALUE_REQUIRED},
	{"byte_jump", parse_byte_jump, 0, VALUE_REQUIRED},
	{"byte_extract", parse_byte_extract, 0, VALUE_REQUIRED},
	{"byte_math", parse_byte_math, 0, VALUE_REQUIRED},
	{"dataset", parse_dataset, 0, VALUE_REQUIRED},
	{"filemd5", parse_file_digest, LIST_MD5, VALUE_REQUIRED},
	{"filesha1", parse_file_digest, LIST_SHA1, VALUE_REQUIRED},
	{"filesha256", parse_file_digest, LIST_SHA256, VALUE_REQUIRED},
	{"filename", parse_file_name, 0, VALUE_REQUIRED},
	{"fileext", parse_file_name, 1, VALUE_REQUIRED},
	{"filesize", parse_filesize, 0, VALUE_REQUIRED},
	{"filestore", parse_filestore, 0, VALUE_OPTIONAL},
	{"base64_decode", parse_base64_decode, 0, VALUE_OPTIONAL},
	{"base64_data", parse_base64_data, 0, VALUE_NONE},
	{"dotprefix", parse_transform, TRANSFORM_DOTPREFIX, VALUE_NONE},
	{"to_lowercase", parse_transform, TRANSFORM_TO_LOWERCASE, VALUE_NONE},
	{"to_uppercase", parse_transform, TRANSFORM_TO_UPPERCASE, VALUE_NONE},
	{"strip_whitespace", parse_transform, TRANSFORM_STRIP_WHITESPACE, VALUE_NONE},
	{"compress_whitespace", parse_transform, TRANSFORM_COMPRESS_WHITESPACE, VALUE_NONE},
	{"url_decode", parse_transform, TRANSFORM_URL_DECODE, VALUE_NONE},
	{"to_md5", parse_transform, TRANSFORM_TO_MD5, VALUE_NONE},
	{"to_sha1", parse_transform, TRANSFORM_TO_SHA1, VALUE_NONE},
	{"to_sha256", parse_transform, TRANSFORM_TO_SHA256, VALUE_NONE},
	{"header_lowercase", parse_transform, TRANSFORM_HEADER_LOWERCASE, VALUE_NONE},
	{"strip_pseudo_headers", parse_transform, TRANSFORM_STRIP_PSEUDO_HEADERS, VALUE_NONE},
	{"pcrexform", parse_transform, TRANSFORM_PCREXFORM, VALUE_REQUIRED},
};

// Buffers that no keyword names: where contents look by default, and what keywords about files look at.
static bool is_hidden(unsigned int buffer)
{
	return buffer == BUF_RAW || buffer == BUF_PACKET || buffer == BUF_FILE;
}

const char *rules_keyword(size_t i)
{
	const size_t n = sizeof(options_table) / sizeof(options_table[0]);

	if (i < n)
		return options_table[i].name;
	i -= n;
	for (unsigned int b = 0; b < BUF_N; b++) {
		const struct buffer_info *info = buffer_info(b);

		if (is_hidden(b))
			continue;
		if (i-- == 0)
			return info->keyword;
		if (info->old[0] != '\0' && i-- == 0)
			return info->old;
	}
	return NULL;
}

static int option_unknown(struct parser *p, const struct option *o)
{
	char word[PARSE_QUOTE_BYTES];
	const char *closest = NULL;

	parse_quote(word, o->name);
	if (words_refusal(o->name) != NULL)
		return parse_fail(p, o->name.s, "keyword \"%s\" is not supported: %s", word,
				  words_refusal(o->name));
	if (words_is_keyword(o->name, &closest))
		return parse_fail(p, o->name.s, "keyword \"%s\" is not supported yet", word);
	if (closest != NULL)
		return parse_fail(p, o->name.s, "unknown keyword \"%s\" (did you mean %s?)", word,
				  closest);
	return parse_fail(p, o->name.s, "unknown keyword \"%s\"", word);
}

static int option_dispatch(struct parser *p, const struct option *o)
{
	int (*parse)(struct parser *, const struct option *, int) = NULL;
	enum value_need need = VALUE_NONE;
	char word[PARSE_QUOTE_BYTES];
	int arg = 0;

	for (size_t i = 0; i < sizeof(options_table) / sizeof(options_table[0]); i++) {
		if (text_is(o->name, options_table[i].name)) {
			parse = options_table[i].parse;
			arg = options_table[i].arg;
			need = options_table[i].need;
			break;
		}
	}
	for (unsigned int b = 0; b < BUF_N && parse == NULL; b++) {
		if (is_hidden(b))
			continue;
		if (text_is(o->name, buffer_info(b)->keyword))
			parse = parse_sticky;
		else if (text_is(o->name, buffer_info(b)->old))
			parse = parse_modifier;
		arg = (int)b;
	}
	if (parse == NULL)
		return option_unknown(p, o);
	if (need == VALUE_REQUIRED && o->value.n == 0)
		return parse_fail(p, o->name.s, "%s needs a value", parse_quote(word, o->name));
	if (need == VALUE_NONE && o->has_value)
		return parse_fail(p, o->name.s, "%s takes no value", parse_quote(word, o->name));
	return parse(p, o, arg);
}

static bool is_keyword_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '-' || c == '.';
}

// Take "keyword;" or "keyword:value;" off *t.
static int option_next(struct parser *p, struct text *t, struct option *ret_option)
{
	char word[PARSE_QUOTE_BYTES];
	struct option o = {0};
	const char *end = t->s + t->n, *s = t->s;

	while (s < end && is_keyword_char(*s))
		s++;
	o.name = (struct text){t->s, (size_t)(s - t->s)};
	if (o.name.n == 0)
		return parse_fail(p, s, "\"%s\" where a keyword was expected",
				  parse_quote(word, (struct text){s, 1}));
	while (s < end && text_is_blank(*s))
		s++;
	parse_quote(word, o.name);
	if (s < end && *s == ':') {
		const char *value = ++s;

		while (s < end && *s != ';')
			s += *s == '\\' && s + 1 < end ? 2 : 1;
		o.has_value = true;
		o.value = text_trim((struct text){value, (size_t)(s - value)});
	}
	if (s >= end || *s != ';')
		return parse_fail(p, s < end ? s : o.name.s, "missing \";\" after %s", word);
	s++;
	*t = (struct text){s, (size_t)(end - s)};
	*ret_option = o;
	return 0;
}

int parse_options(struct parser *p, struct text options)
{
	struct text t = text_trim(options);
	struct option o;
	int ret;

	while (t.n > 0 && t.s[0] != ')') {
		ret = option_next(p, &t, &o);
		if (ret == 0) {
			p->keyword = o.name;
			ret = option_dispatch(p, &o);
		}
		if (ret != 0)
			return ret;
		p->keyword = (struct text){NULL, 0};
		t = text_trim(t);
	}
	if (t.n == 0)
		return parse_fail(p, t.s, "missing \")\" at the end of the rule");
	t = text_trim((struct text){t.s + 1, t.n - 1});
	if (t.n > 0)
		return parse_fail(p, t.s, "text after the closing parenthesis");
	if (p->n_reference > 0)
		p->r.reference = option_string(p, (struct text){p->reference, p->n_reference - 1});
	if (p->n_metadata > 0)
		p->r.metadata = option_string(p, (struct text){p->metadata, p->n_metadata - 1});
	return 0;
}

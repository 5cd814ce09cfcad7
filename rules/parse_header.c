// SPDX-License-Identifier: BSD-2-Clause
// The header of a rule: action, protocol, source, direction, destination. Tokens end at a blank
// outside brackets, or at the parenthesis that opens the options.
#include "rules/parse_rule.h"

#include <errno.h>

// Take the next token off *t. 0 or -EINVAL; what names it in messages.
static int header_token(struct parser *p, struct text *t, const char *what, struct text *ret_token)
{
	struct text token;
	size_t i = 0;
	int depth = 0;

	*t = text_trim(*t);
	for (; i < t->n; i++) {
		char c = t->s[i];

		if (depth == 0 && (text_is_blank(c) || c == '('))
			break;
		if (c == '[')
			depth++;
		else if (c == ']')
			depth--;
		if (depth < 0)
			return parse_fail(p, t->s + i, "\"]\" without \"[\" in the %s", what);
	}
	token = (struct text){t->s, i};
	if (depth > 0)
		return parse_fail(p, t->s, "\"[\" without \"]\" in the %s", what);
	if (token.n == 0)
		return parse_fail(p, t->s,
				  "missing %s: a rule begins \"alert http SOURCE PORT -> "
				  "DESTINATION PORT (\"",
				  what);
	*t = (struct text){t->s + i, t->n - i};
	*ret_token = token;
	return 0;
}

static int header_action(struct parser *p, struct text token)
{
	char word[PARSE_QUOTE_BYTES];
	const char *closest = NULL;
	int action = words_action(token, &closest);

	if (action >= 0) {
		p->r.action = (uint8_t)action;
		return 0;
	}
	parse_quote(word, token);
	if (action == -ENOTSUP)
		return parse_fail(p, token.s,
				  "action \"%s\" is not supported: use alert, pass, drop or reject",
				  word);
	if (closest != NULL)
		return parse_fail(p, token.s, "unknown action \"%s\" (did you mean %s?)", word,
				  closest);
	return parse_fail(p, token.s, "unknown action \"%s\": a rule begins with \"alert\"", word);
}

static int header_proto(struct parser *p, struct text token)
{
	char word[PARSE_QUOTE_BYTES];
	const char *closest = NULL, *name = NULL;
	enum proto_kind kind = words_proto(token, &name, &closest);

	parse_quote(word, token);
	p->r.proto = RULE_PROTO_TCP;
	switch (kind) {
	case PROTO_TCP:
		return 0;
	case PROTO_WEBSOCKET:
		p->r.proto = RULE_PROTO_WEBSOCKET;
		return 0;
	case PROTO_HTTP:
		p->r.proto = RULE_PROTO_HTTP;
		return 0;
	case PROTO_HTTP1:
	case PROTO_HTTP2:
		p->r.proto = RULE_PROTO_HTTP;
		p->r.http_version = kind == PROTO_HTTP1 ? 1 : 2;
		return 0;
	case PROTO_TCP_PKT:
		p->r.packets = true;
		return 0;
	case PROTO_IPV4:
	case PROTO_IPV6:
		p->r.family = kind == PROTO_IPV4 ? RULE_FAMILY_IPV4 : RULE_FAMILY_IPV6;
		return 0;
	case PROTO_SKIPPED:
		p->skipped = name;
		parse_fail(p, token.s,
			   "protocol \"%s\" is not inspected: only http, websocket, tcp and ip "
			   "rules load",
			   word);
		return PARSE_SKIPPED;
	case PROTO_UNKNOWN:
		break;
	}
	if (closest != NULL)
		return parse_fail(p, token.s, "unknown protocol \"%s\" (did you mean %s?)", word,
				  closest);
	return parse_fail(p, token.s, "unknown protocol \"%s\": use http or tcp", word);
}

static int header_direction(struct parser *p, struct text token)
{
	char word[PARSE_QUOTE_BYTES];

	if (text_is(token, "->"))
		p->r.bidirectional = false;
	else if (text_is(token, "<>"))
		p->r.bidirectional = true;
	else
		return parse_fail(p, token.s, "\"%s\" is not a direction: use -> or <>",
				  parse_quote(word, token));
	return 0;
}

int parse_header(struct parser *p, struct text *ret_options)
{
	static const char *const what[7] = {
		"action",           "protocol",  "source address",
		"source port",      "direction", "destination address",
		"destination port",
	};
	struct text t = p->rule, token;
	int ret = 0;

	for (int i = 0; i < 7 && ret == 0; i++) {
		ret = header_token(p, &t, what[i], &token);
		if (ret != 0)
			break;
		if (i == 0)
			ret = header_action(p, token);
		else if (i == 1)
			ret = header_proto(p, token);
		else if (i == 2)
			ret = parse_addrs(p, token, &p->r.src);
		else if (i == 3)
			ret = parse_ports(p, token, &p->r.src_port);
		else if (i == 4)
			ret = header_direction(p, token);
		else if (i == 5)
			ret = parse_addrs(p, token, &p->r.dst);
		else
			ret = parse_ports(p, token, &p->r.dst_port);
	}
	if (ret != 0)
		return ret;
	t = text_trim(t);
	if (t.n == 0 || t.s[0] != '(')
		return parse_fail(p, t.s, "missing \"(\" after the destination port");
	*ret_options = (struct text){t.s + 1, t.n - 1};
	return 0;
}

// SPDX-License-Identifier: BSD-2-Clause
// flowbits, xbits, flowint, stream_size, app-layer-event: what a rule asks of its flow and leaves behind; noalert, and tag, which
// has no effect.
#include "rules/parse_rule.h"

#include <errno.h>
#include <string.h>

enum {
	XBIT_SECONDS = 30, // that an xbit lasts without "expire", as in Suricata
};

struct state_word {
	const char *word;
	uint8_t value;
};

static const struct state_word bit_ops[] = {
	{"set", STATE_SET},           {"unset", STATE_UNSET}, {"toggle", STATE_TOGGLE},
	{"isnotset", STATE_ISNOTSET}, {"isset", STATE_ISSET}, {NULL, 0},
};

static const struct state_word compare_ops[] = {
	{"=", STATE_EQ},  {"==", STATE_EQ}, {"!=", STATE_NE}, {"!", STATE_NE}, {"<", STATE_LT},
	{"<=", STATE_LE}, {">", STATE_GT},  {">=", STATE_GE}, {NULL, 0},
};

static const struct state_word int_ops[] = {
	{"=", STATE_SET},
	{"+", STATE_ADD},
	{"-", STATE_SUB},
	{"==", STATE_EQ},
	{"!=", STATE_NE},
	{"<", STATE_LT},
	{"<=", STATE_LE},
	{">", STATE_GT},
	{">=", STATE_GE},
	{"isset", STATE_ISSET},
	{"isnotset", STATE_ISNOTSET},
	{"notset", STATE_ISNOTSET},
	{NULL, 0},
};

static const struct state_word bit_tracks[] = {
	{"ip_src", STATE_SRC},
	{"ip_dst", STATE_DST},
	{"ip_pair", STATE_PAIR},
	{NULL, 0},
};

static const struct state_word sides[] = {
	{"client", STATE_CLIENT},
	{"server", STATE_SERVER},
	{"both", STATE_BOTH},
	{"either", STATE_EITHER},
	{NULL, 0},
};

static const char *const events[STATE_EVENT_N] = {
#define EVENT(id, name, dirs) [STATE_EVENT_##id] = name,
	STATE_EVENTS
#undef EVENT
};

static const struct state_word *word_find(const struct state_word *words, struct text t)
{
	for (; words->word != NULL; words++)
		if (text_is(t, words->word))
			return words;
	return NULL;
}

static bool is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c != '\0' && strchr("_-.:/", c) != NULL);
}

// A copy of name that lives with the rule; NULL with the diag set.
static const char *name_take(struct parser *p, const char *keyword, struct text name)
{
	char word[PARSE_QUOTE_BYTES];
	uint8_t *copy;

	if (name.n == 0 || name.n > PARSE_NAME_MAX) {
		parse_fail(p, name.s, "a name of %s has 1 to %d characters", keyword,
			   PARSE_NAME_MAX);
		return NULL;
	}
	for (size_t i = 0; i < name.n; i++) {
		if (is_name_char(name.s[i]))
			continue;
		parse_fail(p, name.s + i,
			   "\"%s\" is no name for %s: letters, digits and _-.:/ only",
			   parse_quote(word, name), keyword);
		return NULL;
	}
	copy = parse_bytes(p, name.n + 1);
	if (copy == NULL)
		return NULL;
	memcpy(copy, name.s, name.n);
	copy[name.n] = '\0';
	return (const char *)copy;
}

static int state_add(struct parser *p, const struct option *o, struct rule_state s)
{
	if (p->r.n_state == PARSE_STATE_MAX)
		return parse_fail(p, o->name.s,
				  "more than %d flowbits, xbits, flowints and the like in a rule",
				  PARSE_STATE_MAX);
	p->state[p->r.n_state++] = s;
	return 0;
}

int parse_noalert(struct parser *p, const struct option *o, int arg)
{
	p->r.noalert = true;
	return 0;
}

// tag:session|host, COUNT, packets|bytes|seconds[, src|dst]; has no effect: payload is never stored.
int parse_tag(struct parser *p, const struct option *o, int arg)
{
	struct text rest = o->value, scope = text_split(&rest, ','), count = text_split(&rest, ','),
		    unit = text_split(&rest, ',');
	bool host = text_is(scope, "host");
	int64_t n;

	if ((!host && !text_is(scope, "session")) || text_number(count, 0, UINT32_MAX, &n) != 0 ||
	    (!text_is(unit, "packets") && !text_is(unit, "bytes") && !text_is(unit, "seconds")) ||
	    (host ? !text_is(rest, "src") && !text_is(rest, "dst") : rest.n > 0))
		return parse_fail(
			p, o->value.s,
			"write tag:session,COUNT,UNIT or tag:host,COUNT,UNIT,src (or dst), "
			"UNIT being packets, bytes or seconds");
	return 0;
}

int parse_flowbits(struct parser *p, const struct option *o, int arg)
{
	struct text rest = o->value, word = text_split(&rest, ',');
	const struct state_word *op = word_find(bit_ops, word);
	char quoted[PARSE_QUOTE_BYTES];

	if (text_is(word, "noalert") && rest.n == 0)
		return parse_noalert(p, o, arg);
	if (op == NULL)
		return parse_fail(p, o->value.s,
				  "unknown flowbits action \"%s\": use set, unset, toggle, isset, "
				  "isnotset or noalert",
				  parse_quote(quoted, word));
	if (rest.n == 0)
		return parse_fail(p, o->value.s, "flowbits:%s needs a name: flowbits:%s,NAME;",
				  op->word, op->word);
	do {
		struct text name = text_split(&rest, '|');
		struct rule_state s = {
			.kind = STATE_FLOWBIT,
			.op = op->value,
			.or_next = rest.n > 0,
			.name = name_take(p, "flowbits", name),
		};

		if (s.name == NULL)
			return -EINVAL;
		if (rest.n > 0 && op->value < STATE_ISSET)
			return parse_fail(p, name.s, "flowbits:%s takes one name", op->word);
		if (state_add(p, o, s) != 0)
			return -EINVAL;
	} while (rest.n > 0);
	return 0;
}

// xbits:ACTION, NAME, track ip_src|ip_dst|ip_pair[, expire SECONDS]
int parse_xbits(struct parser *p, const struct option *o, int arg)
{
	struct text rest = o->value, word = text_split(&rest, ','), name = text_split(&rest, ',');
	struct text by = text_split(&rest, ','), track = text_split(&by, ' ');
	struct text seconds = rest, expire = text_split(&seconds, ' ');
	const struct state_word *op = word_find(bit_ops, word), *side = word_find(bit_tracks, by);
	struct rule_state s = {.kind = STATE_XBIT, .value = XBIT_SECONDS};
	char quoted[PARSE_QUOTE_BYTES];
	int64_t n;

	if (text_is(word, "noalert") && name.n == 0)
		return parse_noalert(p, o, arg);
	if (op == NULL)
		return parse_fail(p, o->value.s,
				  "unknown xbits action \"%s\": use set, unset, toggle, isset, "
				  "isnotset or noalert",
				  parse_quote(quoted, word));
	if (!text_is(track, "track") || side == NULL)
		return parse_fail(p, o->value.s,
				  "xbits:%s needs a name and what it is about: xbits:%s,NAME,track "
				  "ip_src (or ip_dst, ip_pair)[,expire SECONDS];",
				  op->word, op->word);
	if (rest.n > 0) {
		if (!text_is(expire, "expire") || text_number(seconds, 1, UINT32_MAX, &n) != 0)
			return parse_fail(p, rest.s, "\"%s\" is not expire and 1 second or more",
					  parse_quote(quoted, rest));
		s.value = (uint32_t)n;
	}
	s.op = op->value;
	s.track = side->value;
	s.name = name_take(p, "xbits", name);
	return s.name != NULL ? state_add(p, o, s) : -EINVAL;
}

// flowint:NAME, OPERATION[, NUMBER or NAME]
int parse_flowint(struct parser *p, const struct option *o, int arg)
{
	struct text rest = o->value, name = text_split(&rest, ','), word = text_split(&rest, ',');
	const struct state_word *op = word_find(int_ops, word);
	struct rule_state s = {.kind = STATE_FLOWINT};
	char quoted[PARSE_QUOTE_BYTES];
	bool alone;
	int64_t n;

	if (op == NULL)
		return parse_fail(p, word.n > 0 ? word.s : o->value.s,
				  "unknown flowint operation \"%s\": use = + - == != < <= > >= "
				  "isset or isnotset",
				  parse_quote(quoted, word));
	alone = op->value == STATE_ISSET || op->value == STATE_ISNOTSET;
	if (alone != (rest.n == 0))
		return parse_fail(p, word.s, "flowint:NAME,%s %s", op->word,
				  alone ? "takes no number" : "needs a number or a name");
	s.op = op->value;
	s.name = name_take(p, "flowint", name);
	if (s.name == NULL)
		return -EINVAL;
	if (!alone && text_number(rest, 0, UINT32_MAX, &n) == 0) {
		s.value = (uint32_t)n;
	} else if (!alone) {
		if (rest.s[0] >= '0' && rest.s[0] <= '9')
			return parse_fail(p, rest.s, "\"%s\" is not a number from 0 to 4294967295",
					  parse_quote(quoted, rest));
		s.var = name_take(p, "flowint", rest);
		if (s.var == NULL)
			return -EINVAL;
	}
	return state_add(p, o, s);
}

// stream_size:client|server|both|either, COMPARISON, BYTES
int parse_stream_size(struct parser *p, const struct option *o, int arg)
{
	struct text rest = o->value, side = text_split(&rest, ','), word = text_split(&rest, ',');
	const struct state_word *track = word_find(sides, side), *op = word_find(compare_ops, word);
	struct rule_state s = {.kind = STATE_STREAM_SIZE};
	int64_t n;

	if (track == NULL || op == NULL || text_number(rest, 0, UINT32_MAX, &n) != 0)
		return parse_fail(p, o->value.s,
				  "write stream_size:client (or server, both, either),>,BYTES with "
				  "one of = != < <= > >=");
	s.track = track->value;
	s.op = op->value;
	s.value = (uint32_t)n;
	return state_add(p, o, s);
}

// app-layer-event:http.NAME, of the events that a head decides
int parse_event(struct parser *p, const struct option *o, int arg)
{
	struct text name = o->value, proto = text_split(&name, '.');
	struct rule_state s = {.kind = STATE_EVENT, .op = STATE_ISSET};
	char word[PARSE_QUOTE_BYTES];

	parse_quote(word, o->value);
	if (!text_is(proto, "http") && !text_is(proto, "http1"))
		return parse_fail(p, o->value.s, "app-layer-event:%s is not an event of HTTP",
				  word);
	while (s.value < STATE_EVENT_N && !text_is(name, events[s.value]))
		s.value++;
	if (s.value == STATE_EVENT_N)
		return parse_fail(p, o->value.s,
				  "app-layer-event:%s is not told apart: of Suricata's events "
				  "those are that one message head decides (docs/RULES.md)",
				  word);
	return state_add(p, o, s);
}

// SPDX-License-Identifier: BSD-2-Clause
// threshold:type T, track X, count N, seconds S; and detection_filter:track X, count N, seconds S;
//
// Every field exactly once, in any order, a rule has one of the two keywords at most: what Suricata 7 asks for. Stricter
// than it in one point: a count or window of 0 is refused for both, Suricata refuses it for detection_filter alone.
#include "rules/parse_rule.h"

#include <errno.h>

enum field { FIELD_TYPE, FIELD_TRACK, FIELD_COUNT, FIELD_SECONDS, FIELD_N };

static const char *const field_names[FIELD_N] = {
	[FIELD_TYPE] = "type",
	[FIELD_TRACK] = "track",
	[FIELD_COUNT] = "count",
	[FIELD_SECONDS] = "seconds",
};

static int field_type(struct parser *p, struct text value)
{
	char word[PARSE_QUOTE_BYTES];

	for (unsigned int i = THRESHOLD_LIMIT; i < THRESHOLD_FILTER; i++) {
		if (text_is(value, threshold_type_name(i))) {
			p->r.threshold.type = (uint8_t)i;
			return 0;
		}
	}
	parse_quote(word, value);
	if (text_is(value, "backoff"))
		return parse_fail(p, value.s, "threshold type %s is not supported yet", word);
	return parse_fail(p, value.s, "unknown threshold type \"%s\": use limit, threshold or both",
			  word);
}

static int field_track(struct parser *p, struct text value)
{
	char word[PARSE_QUOTE_BYTES];

	for (unsigned int i = 0; i < THRESHOLD_TRACK_N; i++) {
		if (text_is(value, threshold_track_name(i))) {
			p->r.threshold.track = (uint8_t)i;
			return 0;
		}
	}
	return parse_fail(p, value.s,
			  "cannot track \"%s\": use by_src, by_dst, by_both, by_rule or by_flow",
			  parse_quote(word, value));
}

static int field_number(struct parser *p, enum field field, struct text value)
{
	char word[PARSE_QUOTE_BYTES];
	int64_t n;

	if (text_number(value, 1, UINT32_MAX, &n) != 0)
		return parse_fail(p, value.s, "%s \"%s\" is not a number from 1 to 4294967295",
				  field_names[field], parse_quote(word, value));
	if (field == FIELD_COUNT)
		p->r.threshold.count = (uint32_t)n;
	else
		p->r.threshold.seconds = (uint32_t)n;
	return 0;
}

// "name value". first: FIELD_TRACK for detection_filter, which has no type.
static int field_parse(struct parser *p, const char *keyword, enum field first, struct text t,
		       unsigned int *io_seen)
{
	struct text name = {t.s, 0}, value;
	char word[PARSE_QUOTE_BYTES];
	unsigned int field = first;

	while (name.n < t.n && !text_is_blank(t.s[name.n]))
		name.n++;
	value = text_trim((struct text){t.s + name.n, t.n - name.n});
	parse_quote(word, name);
	while (field < FIELD_N && !text_is(name, field_names[field]))
		field++;
	if (text_is(name, "multiplier") || text_is(name, "unique_on"))
		return parse_fail(p, name.s, "%s: \"%s\" is not supported yet", keyword, word);
	if (field == FIELD_N)
		return parse_fail(p, name.s,
				  "unknown field \"%s\": %s has %strack, count and seconds", word,
				  keyword, first == FIELD_TYPE ? "type, " : "");
	if ((*io_seen & 1u << field) != 0)
		return parse_fail(p, name.s, "%s is given twice", field_names[field]);
	*io_seen |= 1u << field;
	if (field == FIELD_TYPE)
		return field_type(p, value);
	return field == FIELD_TRACK ? field_track(p, value)
				    : field_number(p, (enum field)field, value);
}

int parse_threshold(struct parser *p, const struct option *o, int arg)
{
	const char *keyword = arg == THRESHOLD_FILTER ? "detection_filter" : "threshold";
	const enum field first = arg == THRESHOLD_FILTER ? FIELD_TRACK : FIELD_TYPE;
	struct text rest = o->value;
	unsigned int seen = 0;

	if (p->r.threshold.type != THRESHOLD_NONE)
		return parse_fail(p, o->name.s,
				  (p->r.threshold.type == THRESHOLD_FILTER) ==
						  (arg == THRESHOLD_FILTER)
					  ? "%s is given twice"
					  : "%s: a rule has either threshold or detection_filter",
				  keyword);
	p->r.threshold.type = (uint8_t)arg;
	while (rest.n > 0) {
		int ret = field_parse(p, keyword, first, text_split(&rest, ','), &seen);

		if (ret != 0)
			return ret;
	}
	for (unsigned int i = first; i < FIELD_N; i++)
		if ((seen & 1u << i) == 0)
			return parse_fail(p, o->name.s, "%s has no %s", keyword, field_names[i]);
	return 0;
}

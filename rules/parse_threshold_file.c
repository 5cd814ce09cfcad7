// SPDX-License-Identifier: BSD-2-Clause
// threshold.config: what is said of rules outside of them.
//
//   suppress gen_id G, sig_id S[, track by_src|by_dst|by_either, ip LIST]
//   threshold gen_id G, sig_id S, type limit|threshold|both, track by_..., count N, seconds N      (or event_filter)
//
// sig_id 0 means all rules of gen_id, both 0 all rules. As in Suricata a rule's own threshold or detection_filter goes before what
// the file says, and of several lines about one rule the first; suppressions add up. rate_filter is refused by name.
#include "rules/parse_rule.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	LINES_MAX = 65536, // suppressions, and thresholds
};

enum field {
	FIELD_GEN_ID,
	FIELD_SIG_ID,
	FIELD_TYPE,
	FIELD_TRACK,
	FIELD_COUNT,
	FIELD_SECONDS,
	FIELD_IP,
	FIELD_N,
};

static const char *const field_names[FIELD_N] = {"gen_id", "sig_id",  "type", "track",
						 "count",  "seconds", "ip"};

static const char *const suppress_tracks[SUPPRESS_TRACK_N] = {
	[SUPPRESS_BY_SRC] = "by_src",
	[SUPPRESS_BY_DST] = "by_dst",
	[SUPPRESS_BY_EITHER] = "by_either",
};

// Up to the comma that stands outside brackets.
static struct text field_split(struct text *t)
{
	struct text part = *t;
	int depth = 0;

	for (size_t i = 0; i < t->n; i++) {
		depth += t->s[i] == '[' ? 1 : t->s[i] == ']' ? -1 : 0;
		if (t->s[i] != ',' || depth > 0)
			continue;
		part.n = i;
		*t = text_trim((struct text){t->s + i + 1, t->n - i - 1});
		return text_trim(part);
	}
	*t = (struct text){t->s + t->n, 0};
	return text_trim(part);
}

// All "name value" of a line.
static int fields_read(struct parser *p, struct text rest, struct text ret_field[FIELD_N])
{
	char word[PARSE_QUOTE_BYTES];

	while (rest.n > 0) {
		struct text value = field_split(&rest), name = text_split(&value, ' ');
		unsigned int f = 0;

		while (f < FIELD_N && !text_is(name, field_names[f]))
			f++;
		parse_quote(word, name);
		if (f == FIELD_N)
			return parse_fail(p, name.s,
					  "unknown field \"%s\": use gen_id, sig_id, type, track, "
					  "count, seconds, ip",
					  word);
		if (ret_field[f].n > 0 || value.n == 0)
			return parse_fail(p, name.s, "%s %s", word,
					  value.n == 0 ? "needs a value" : "is given twice");
		ret_field[f] = value;
	}
	return 0;
}

// Exactly the fields of mask must be there.
static int fields_check(struct parser *p, const struct text *field, unsigned int mask)
{
	for (unsigned int f = 0; f < FIELD_N; f++) {
		bool wanted = (mask >> f & 1) != 0;

		if (wanted && field[f].n == 0)
			return parse_fail(p, NULL, "the line has no %s", field_names[f]);
		if (!wanted && field[f].n > 0)
			return parse_fail(p, field[f].s, "%s has no meaning in this line",
					  field_names[f]);
	}
	return 0;
}

static int number(struct parser *p, struct text t, int64_t min, uint32_t *ret_n)
{
	char word[PARSE_QUOTE_BYTES];
	int64_t n;

	if (text_number(t, min, UINT32_MAX, &n) != 0)
		return parse_fail(p, t.s, "\"%s\" is not a number from %d to 4294967295",
				  parse_quote(word, t), (int)min);
	*ret_n = (uint32_t)n;
	return 0;
}

// gen_id and sig_id. A sig_id of no gen_id would be ambiguous.
static int ids(struct parser *p, const struct text *field, uint32_t *ret_gid, uint32_t *ret_sid)
{
	int err = number(p, field[FIELD_GEN_ID], 0, ret_gid);

	if (err == 0)
		err = number(p, field[FIELD_SIG_ID], 0, ret_sid);
	if (err == 0 && *ret_gid == 0 && *ret_sid != 0)
		return parse_fail(p, field[FIELD_GEN_ID].s,
				  "gen_id 0 means all rules: sig_id must be 0, too");
	return err;
}

static int suppress_line(struct parser *p, const struct text *field)
{
	const bool by = field[FIELD_TRACK].n > 0 || field[FIELD_IP].n > 0;
	const unsigned int all = 1u << FIELD_GEN_ID | 1u << FIELD_SIG_ID;
	struct rule_suppress s = {.track = SUPPRESS_ALWAYS};
	struct rules *rs = p->rs;
	char word[PARSE_QUOTE_BYTES];
	int err = fields_check(p, field, by ? all | 1u << FIELD_TRACK | 1u << FIELD_IP : all);

	if (err == 0)
		err = ids(p, field, &s.gid, &s.sid);
	if (err != 0)
		return err;
	if (by) {
		s.track = SUPPRESS_BY_SRC;
		while (s.track < SUPPRESS_TRACK_N &&
		       !text_is(field[FIELD_TRACK], suppress_tracks[s.track]))
			s.track++;
		if (s.track == SUPPRESS_TRACK_N)
			return parse_fail(p, field[FIELD_TRACK].s,
					  "cannot track \"%s\": use by_src, by_dst or by_either",
					  parse_quote(word, field[FIELD_TRACK]));
		err = parse_addrs(p, field[FIELD_IP], &s.addrs);
		if (err != 0)
			return err;
	}
	if (rs->n_suppress == LINES_MAX)
		return parse_fail(p, NULL, "more than %d suppressions", LINES_MAX);
	if (rs->suppress == NULL)
		rs->suppress = rules_alloc(rs, LINES_MAX * sizeof(*rs->suppress));
	if (rs->suppress == NULL)
		return -ENOMEM;
	rs->suppress[rs->n_suppress++] = s;
	return 0;
}

static int threshold_line(struct parser *p, const struct text *field)
{
	const unsigned int all = (1u << FIELD_IP) - 1;
	struct rule_limit l = {0};
	struct rules *rs = p->rs;
	char word[PARSE_QUOTE_BYTES];
	int err = fields_check(p, field, all);

	if (err == 0)
		err = ids(p, field, &l.gid, &l.sid);
	if (err == 0)
		err = number(p, field[FIELD_COUNT], 1, &l.params.count);
	if (err == 0)
		err = number(p, field[FIELD_SECONDS], 1, &l.params.seconds);
	if (err != 0)
		return err;
	l.params.type = THRESHOLD_LIMIT;
	while (l.params.type < THRESHOLD_FILTER &&
	       !text_is(field[FIELD_TYPE], threshold_type_name(l.params.type)))
		l.params.type++;
	if (l.params.type == THRESHOLD_FILTER)
		return parse_fail(p, field[FIELD_TYPE].s,
				  "unknown threshold type \"%s\": use limit, threshold or both",
				  parse_quote(word, field[FIELD_TYPE]));
	while (l.params.track < THRESHOLD_TRACK_N &&
	       !text_is(field[FIELD_TRACK], threshold_track_name(l.params.track)))
		l.params.track++;
	if (l.params.track == THRESHOLD_TRACK_N)
		return parse_fail(p, field[FIELD_TRACK].s,
				  "cannot track \"%s\": use by_src, by_dst, by_both, by_rule or "
				  "by_flow",
				  parse_quote(word, field[FIELD_TRACK]));
	if (rs->n_limits == LINES_MAX)
		return parse_fail(p, NULL, "more than %d thresholds", LINES_MAX);
	if (rs->limits == NULL)
		rs->limits = rules_alloc(rs, LINES_MAX * sizeof(*rs->limits));
	if (rs->limits == NULL)
		return -ENOMEM;
	l.order = rs->n_limits;
	rs->limits[rs->n_limits++] = l;
	return 0;
}

static int line(struct parser *p)
{
	struct text rest = text_trim(p->rule), word = text_split(&rest, ' ');
	struct text field[FIELD_N] = {0};
	char quoted[PARSE_QUOTE_BYTES];
	bool suppress = text_is(word, "suppress");
	int err;

	if (text_is(word, "rate_filter"))
		return parse_fail(p, word.s,
				  "rate_filter is not supported: it changes the action of a rule");
	if (!suppress && !text_is(word, "threshold") && !text_is(word, "event_filter"))
		return parse_fail(p, word.s,
				  "\"%s\" where suppress, threshold or event_filter was expected",
				  parse_quote(quoted, word));
	err = fields_read(p, rest, field);
	if (err != 0)
		return err;
	return suppress ? suppress_line(p, field) : threshold_line(p, field);
}

static int suppress_cmp(const void *va, const void *vb)
{
	const struct rule_suppress *a = va, *b = vb;

	if (a->gid != b->gid)
		return a->gid < b->gid ? -1 : 1;
	return a->sid < b->sid ? -1 : a->sid > b->sid;
}

static int limit_cmp(const void *va, const void *vb)
{
	const struct rule_limit *a = va, *b = vb;

	if (a->gid != b->gid)
		return a->gid < b->gid ? -1 : 1;
	if (a->sid != b->sid)
		return a->sid < b->sid ? -1 : 1;
	return a->order < b->order ? -1 : a->order > b->order;
}

// The first line about gid, sid, or NULL.
static const struct rule_limit *limit_find(const struct rules *rs, uint32_t gid, uint32_t sid)
{
	uint32_t from = 0, to = rs->n_limits;
	const struct rule_limit key = {.gid = gid, .sid = sid};

	while (from < to) {
		uint32_t mid = from + (to - from) / 2;

		if (limit_cmp(&rs->limits[mid], &key) < 0)
			from = mid + 1;
		else
			to = mid;
	}
	if (from == rs->n_limits || rs->limits[from].gid != gid || rs->limits[from].sid != sid)
		return NULL;
	return &rs->limits[from];
}

static void limits_apply(struct rules *rs)
{
	for (size_t i = 0; i < rs->n; i++) {
		struct rule *r = &rs->v[i];
		const struct rule_limit *found[] = {
			limit_find(rs, 0, 0),
			limit_find(rs, r->gid, 0),
			limit_find(rs, r->gid, r->sid),
		};
		const struct rule_limit *first = NULL;

		for (int k = 0; k < 3; k++)
			if (found[k] != NULL && (first == NULL || found[k]->order < first->order))
				first = found[k];
		if (first != NULL && r->threshold.type == THRESHOLD_NONE)
			r->threshold = first->params;
	}
}

int rules_thresholds(struct rules *rs, const char *file, const char *text, size_t len,
		     const struct rule_var *vars, rules_report_fn *report, void *ctx)
{
	int err = parse_lines(rs, file, text, len, vars, line, report, ctx);

	if (err != 0)
		return err;
	if (rs->n_suppress > 0)
		qsort(rs->suppress, rs->n_suppress, sizeof(*rs->suppress), suppress_cmp);
	if (rs->n_limits > 0)
		qsort(rs->limits, rs->n_limits, sizeof(*rs->limits), limit_cmp);
	limits_apply(rs);
	return 0;
}

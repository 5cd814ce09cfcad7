// SPDX-License-Identifier: BSD-2-Clause
// classification.config: "config classification: NAME,DESCRIPTION,PRIORITY", one line each. What it says of a classtype holds before
// Suricata's own table (parse_words.c); of a name that stands there twice the first line holds, as in Suricata.
#include "rules/parse_rule.h"

#include <errno.h>
#include <string.h>

enum {
	CLASSES_MAX = 1000, // Suricata's own file has 43
};

static bool is_class_name(struct text t)
{
	for (size_t i = 0; i < t.n; i++) {
		char c = t.s[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') &&
		    (i == 0 || !((c >= '0' && c <= '9') || c == '-' || c == '_')))
			return false;
	}
	return t.n > 0;
}

static int class_line(struct parser *p)
{
	struct text rest = p->rule, word = text_split(&rest, ':'), name, description;
	struct text config = text_split(&word, ' ');
	struct rules *rs = p->rs;
	int64_t priority;
	char *copy;

	if (!text_is(config, "config") || !text_is(word, "classification"))
		return parse_fail(p, p->rule.s,
				  "write config classification: NAME,DESCRIPTION,PRIORITY");
	name = text_split(&rest, ',');
	description = text_split(&rest, ',');
	if (!is_class_name(name) || description.n == 0)
		return parse_fail(
			p, name.s,
			"write config classification: NAME,DESCRIPTION,PRIORITY (the name "
			"a word like web-application-attack)");
	if (text_number(rest, 1, 255, &priority) != 0)
		return parse_fail(p, rest.s, "the priority is not a number from 1 (worst) to 255");
	for (uint32_t i = 0; i < rs->n_classes; i++)
		if (text_is(name, rs->classes[i].name))
			return 0;
	if (rs->n_classes == CLASSES_MAX)
		return parse_fail(p, name.s, "more than %d classifications", CLASSES_MAX);
	if (rs->classes == NULL)
		rs->classes = rules_alloc(rs, CLASSES_MAX * sizeof(*rs->classes));
	copy = rules_alloc(rs, name.n + 1);
	if (rs->classes == NULL || copy == NULL)
		return -ENOMEM;
	memcpy(copy, name.s, name.n);
	rs->classes[rs->n_classes++] = (struct rule_class){copy, (uint8_t)priority};
	return 0;
}

int rules_classification(struct rules *rs, const char *file, const char *text, size_t len,
			 rules_report_fn *report, void *ctx)
{
	return parse_lines(rs, file, text, len, NULL, class_line, report, ctx);
}

uint8_t parse_class_priority(const struct parser *p, struct text name)
{
	for (uint32_t i = 0; i < p->rs->n_classes; i++)
		if (text_is(name, p->rs->classes[i].name))
			return p->rs->classes[i].priority;
	return words_classtype_priority(name);
}

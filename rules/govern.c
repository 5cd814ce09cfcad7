// SPDX-License-Identifier: BSD-2-Clause
// The fields of governance. A rule has them as "metadata: owner abuse desk, expires 2027-01-31"; a bundle has keys of the
// same names in its manifest.
#include "rules/govern.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
	VALUE_MAX = 512,
	FIELDS = 5,
};

static const char *const fields[FIELDS] = {"legal_basis", "authority", "owner", "jurisdiction",
					   "expires"};

// The value of a key of a rule's metadata; false: it is not there, or empty.
static bool value_of(const struct rule *r, const char *key, char ret_value[VALUE_MAX])
{
	size_t n = strlen(key);

	for (const char *line = r->metadata; *line != '\0';) {
		size_t len = strcspn(line, "\n");

		if (len > n + 1 && memcmp(line, key, n) == 0 && line[n] == ' ') {
			snprintf(ret_value, VALUE_MAX, "%.*s", (int)(len - n - 1), line + n + 1);
			return true;
		}
		line += len + (line[len] == '\n');
	}
	return false;
}

// Those that are not there, in words.
static const char *list_missing(const bool there[FIELDS], char *buf, size_t size)
{
	size_t n = 0;

	buf[0] = '\0';
	for (int i = 0; i < FIELDS; i++)
		if (!there[i] && n < size)
			n += (size_t)snprintf(buf + n, size - n, "%s%s", n > 0 ? ", " : "",
					      fields[i]);
	return buf;
}

static bool complain(const struct rule *r, rules_report_fn *report, void *ctx,
		     enum rules_verdict verdict, const char *what, const char *detail)
{
	struct diag diag;

	diag_set(&diag, r->file, r->line, 0, "%s%s", what, detail);
	if (report != NULL)
		report(ctx, verdict, r->sid, &diag);
	return false;
}

// May it run?
static bool admit(const struct rule *r, const struct govern *g, rules_report_fn *report, void *ctx,
		  struct govern_result *result)
{
	char value[FIELDS][VALUE_MAX], text[128];
	bool there[FIELDS], all = true;
	int64_t expires_s = 0;

	for (int i = 0; i < FIELDS; i++) {
		there[i] = value_of(r, fields[i], value[i]);
		all = all && there[i];
	}
	if (there[FIELDS - 1] && bundle_parse_time(value[FIELDS - 1], &expires_s) != 0) {
		result->refused++;
		return complain(r, report, ctx, RULES_REFUSED,
				"expires in its metadata must be a UTC time like 2027-01-31 or "
				"2027-01-31T12:00:00Z, not ",
				value[FIELDS - 1]);
	}
	if (g->strict && !all) {
		result->refused++;
		return complain(r, report, ctx, RULES_REFUSED,
				"the configuration is strict, and its metadata lacks ",
				list_missing(there, text, sizeof(text)));
	}
	if (g->expires_s != 0 && g->expires_s <= g->now_s) {
		result->expired++;
		return complain(r, report, ctx, RULES_EXPIRED, "its bundle has expired", "");
	}
	if (expires_s != 0 && expires_s <= g->now_s) {
		result->expired++;
		return complain(r, report, ctx, RULES_EXPIRED, "has expired at ",
				value[FIELDS - 1]);
	}
	if (expires_s == 0 || (g->expires_s != 0 && g->expires_s < expires_s))
		expires_s = g->expires_s;
	if (expires_s != 0 && (result->next_s == 0 || expires_s < result->next_s))
		result->next_s = expires_s;
	return true;
}

void govern_rules(struct rules *rs, const struct govern *g, rules_report_fn *report, void *ctx,
		  struct govern_result *ret_result)
{
	size_t n = 0;

	*ret_result = (struct govern_result){0};
	for (size_t i = 0; i < rs->n; i++)
		if (admit(&rs->v[i], g, report, ctx, ret_result))
			rs->v[n++] = rs->v[i];
	rs->n = n;
}

int govern_manifest(const struct bundle_manifest *m, const struct govern *g, struct diag *ret_diag)
{
	const bool there[FIELDS] = {m->legal_basis[0] != '\0', m->authority[0] != '\0',
				    m->owner[0] != '\0', m->jurisdiction[0] != '\0',
				    m->expires[0] != '\0'};
	char text[128];

	list_missing(there, text, sizeof(text));
	if (!g->strict || text[0] == '\0')
		return 0;
	diag_set(ret_diag, "", 0, 0,
		 "bundle %s serial %lld lacks %s in its manifest, and the configuration is strict: "
		 "pack it with all of them",
		 m->id, (long long)m->serial, text);
	return -ENODATA;
}

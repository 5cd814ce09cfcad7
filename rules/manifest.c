// SPDX-License-Identifier: BSD-2-Clause
// manifest.cfg of a bundle: its keys, its names, its times.
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/cfg.h"
#include "rules/bundle.h"
#include "rules/list_make.h"

const char *const bundle_kind_names[] = {
	[BUNDLE_RULES] = "rules",
	[BUNDLE_LIST] = "list",
	[BUNDLE_CLASSIFICATION] = "classification",
	[BUNDLE_THRESHOLD] = "threshold",
	[BUNDLE_SELFTEST] = "selftest",
	NULL,
};

const char *bundle_clean_name(char buf[BUNDLE_NAME_MAX], const char *name)
{
	snprintf(buf, BUNDLE_NAME_MAX, "%s", name != NULL ? name : "");
	for (char *c = buf; *c != '\0'; c++)
		if (*c < 0x20 || *c > 0x7e)
			*c = '?';
	return buf;
}

bool bundle_name_is_valid(const char *name)
{
	size_t len = strlen(name);

	if (len == 0 || len >= BUNDLE_NAME_MAX)
		return false;
	for (const char *part = name;; part++) {
		size_t n = strcspn(part, "/");

		if (n == 0 || (n == 1 && part[0] == '.') ||
		    (n == 2 && part[0] == '.' && part[1] == '.'))
			return false;
		part += n;
		if (*part == '\0')
			break;
	}
	return strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._/-") ==
	       len;
}

// What is wrong with the name of a data file, or NULL.
static const char *data_problem(const struct bundle_manifest *m, uint32_t i)
{
	const struct bundle_data *d = &m->data[i];
	uint8_t digest[32];

	if (!bundle_name_is_valid(d->name))
		return "is not a plain relative name of at most 127 characters [A-Za-z0-9._/-]";
	if (d->kind == BUNDLE_RULES)
		return "stands in data: rule files are listed in rules";
	if (d->kind == BUNDLE_LIST && strncmp(d->name, "lists/", 6) != 0)
		return "is a list: it must be in lists/";
	if (d->kind == BUNDLE_SELFTEST && strncmp(d->name, "tests/", 6) != 0)
		return "is a self-test: it must be in tests/";
	if (d->kind != BUNDLE_LIST && d->kind != BUNDLE_SELFTEST &&
	    strncmp(d->name, "config/", 7) != 0)
		return "must be in config/";
	if (strlen(d->sha256) != 64 || !list_hex(d->sha256, sizeof(digest), digest))
		return "needs a sha256 of 64 hexadecimal digits";
	for (uint32_t j = 0; j < i; j++)
		if (strcmp(d->name, m->data[j].name) == 0)
			return "is listed twice";
	return NULL;
}

static int data_check(const char *name, const struct bundle_manifest *m, struct diag *ret_diag)
{
	for (uint32_t i = 0; i < m->n_data; i++) {
		const char *problem = data_problem(m, i);
		char clean[BUNDLE_NAME_MAX];

		if (problem != NULL) {
			diag_set(ret_diag, name, 0, 0, "\"%s\" %s",
				 bundle_clean_name(clean, m->data[i].name), problem);
			return -EINVAL;
		}
	}
	return 0;
}

static int manifest_check(const char *name, struct bundle_manifest *m, struct diag *ret_diag)
{
	if (m->format != BUNDLE_FORMAT) {
		diag_set(ret_diag, name, 0, 0, "format %lld is not known, only %u is",
			 (long long)m->format, BUNDLE_FORMAT);
		return -EINVAL;
	}
	if (m->id[0] == '.' || strchr(m->id, '/') != NULL || !bundle_name_is_valid(m->id)) {
		diag_set(ret_diag, name, 0, 0,
			 "id must be of [A-Za-z0-9._-] and not start with '.'");
		return -EINVAL;
	}
	if (bundle_parse_time(m->created, &m->created_s) < 0 ||
	    (m->expires[0] != '\0' && bundle_parse_time(m->expires, &m->expires_s) < 0)) {
		diag_set(ret_diag, name, 0, 0,
			 "created and expires must be UTC times like \"2026-11-23T13:00:00Z\"");
		return -EINVAL;
	}
	for (uint32_t i = 0; i < m->n_rules; i++) {
		size_t len = strlen(m->rules[i]);
		char clean[BUNDLE_NAME_MAX];

		if (!bundle_name_is_valid(m->rules[i]) || strncmp(m->rules[i], "rules/", 6) != 0 ||
		    len < 13 || strcmp(m->rules[i] + len - 6, ".rules") != 0) {
			diag_set(ret_diag, name, 0, 0, "\"%s\" is not a name like rules/web.rules",
				 bundle_clean_name(clean, m->rules[i]));
			return -EINVAL;
		}
		for (uint32_t j = 0; j < i; j++)
			if (strcmp(m->rules[i], m->rules[j]) == 0) {
				diag_set(ret_diag, name, 0, 0, "%s is listed twice", m->rules[i]);
				return -EINVAL;
			}
	}
	return data_check(name, m, ret_diag);
}

#define AT(field) offsetof(struct bundle_manifest, field)
#define TEXT(key, low, need)                                                                       \
	{                                                                                          \
		.name = #key, .type = CFG_STRING, .offset = AT(key), .min = low,                   \
		.max = sizeof(((struct bundle_manifest *)0)->key) - 1,                             \
		.size = sizeof(((struct bundle_manifest *)0)->key), .required = need               \
	}

#define DATA_AT(field) offsetof(struct bundle_data, field)

static const struct cfg_key data_keys[] = {
	{.name = "name",
	 .type = CFG_STRING,
	 .offset = DATA_AT(name),
	 .min = 1,
	 .max = BUNDLE_NAME_MAX - 1,
	 .size = BUNDLE_NAME_MAX,
	 .required = true},
	{.name = "kind",
	 .type = CFG_ENUM,
	 .offset = DATA_AT(kind),
	 .values = bundle_kind_names,
	 .required = true},
	{.name = "size",
	 .type = CFG_INT,
	 .offset = DATA_AT(size),
	 .min = 0,
	 .max = BUNDLE_UNPACKED_MAX,
	 .required = true},
	{.name = "sha256",
	 .type = CFG_STRING,
	 .offset = DATA_AT(sha256),
	 .min = 64,
	 .max = 64,
	 .size = sizeof(((struct bundle_data *)0)->sha256),
	 .required = true},
	{.name = NULL},
};

static const struct cfg_key manifest_keys[] = {
	{.name = "format",
	 .type = CFG_INT,
	 .offset = AT(format),
	 .min = 1,
	 .max = INT32_MAX,
	 .required = true},
	TEXT(id, 1, true),
	{.name = "serial",
	 .type = CFG_INT,
	 .offset = AT(serial),
	 .min = 1,
	 .max = INT64_MAX,
	 .required = true},
	TEXT(created, 1, true),
	TEXT(expires, 0, false),
	TEXT(description, 0, false),
	TEXT(owner, 0, false),
	TEXT(authority, 0, false),
	TEXT(legal_basis, 0, false),
	TEXT(jurisdiction, 0, false),
	{.name = "rules",
	 .type = CFG_STRINGS,
	 .offset = AT(rules),
	 .min = 1,
	 .max = BUNDLE_RULES_MAX,
	 .size = BUNDLE_NAME_MAX,
	 .count_offset = AT(n_rules),
	 .required = true},
	{.name = "data",
	 .type = CFG_LIST,
	 .offset = AT(data),
	 .min = 0,
	 .max = BUNDLE_DATA_MAX,
	 .size = sizeof(struct bundle_data),
	 .count_offset = AT(n_data),
	 .keys = data_keys},
	{.name = NULL},
};

int bundle_manifest_parse(const char *name, const char *text, size_t len,
			  struct bundle_manifest *ret_manifest, struct diag *ret_diag)
{
	int ret;

	memset(ret_manifest, 0, sizeof(*ret_manifest));
	if (len > BUNDLE_MANIFEST_MAX || strlen(text) != len) {
		diag_set(ret_diag, name, 0, 0, "is not a text of at most %d KiB",
			 BUNDLE_MANIFEST_MAX >> 10);
		return -EINVAL;
	}
	ret = cfg_read_text(name, text, manifest_keys, ret_manifest, ret_diag);
	return ret < 0 ? ret : manifest_check(name, ret_manifest, ret_diag);
}

static bool number_at(const char *text, size_t off, size_t n, int *ret_value)
{
	*ret_value = 0;
	for (size_t i = off; i < off + n; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		*ret_value = *ret_value * 10 + (text[i] - '0');
	}
	return true;
}

int bundle_parse_time(const char *text, int64_t *ret_s)
{
	size_t len = strlen(text);
	struct tm tm = {0}, back;
	time_t t;

	if ((len != 10 && len != 20) || text[4] != '-' || text[7] != '-' ||
	    !number_at(text, 0, 4, &tm.tm_year) || !number_at(text, 5, 2, &tm.tm_mon) ||
	    !number_at(text, 8, 2, &tm.tm_mday) || tm.tm_year < 1970)
		return -EINVAL;
	if (len == 20 &&
	    (text[10] != 'T' || text[13] != ':' || text[16] != ':' || text[19] != 'Z' ||
	     !number_at(text, 11, 2, &tm.tm_hour) || !number_at(text, 14, 2, &tm.tm_min) ||
	     !number_at(text, 17, 2, &tm.tm_sec)))
		return -EINVAL;
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	back = tm;
	t = timegm(&back); // normalizes: 30 February comes back as 2 March
	if (back.tm_mon != tm.tm_mon || back.tm_mday != tm.tm_mday || back.tm_hour != tm.tm_hour ||
	    back.tm_min != tm.tm_min || back.tm_sec != tm.tm_sec)
		return -EINVAL;
	*ret_s = t;
	return 0;
}

bool bundle_list_name(const char *name, char ret_name[BUNDLE_NAME_MAX])
{
	const char *folder = strncmp(name, "lists/", 6) == 0 ? "" : "lists/";

	return (size_t)snprintf(ret_name, BUNDLE_NAME_MAX, "%s%s", folder, name) < BUNDLE_NAME_MAX;
}

int bundle_open_list(void *ctx, const char *rule_file, const char *name,
		     struct rule_source *ret_source, struct diag *ret_diag)
{
	const struct bundle *b = ctx;
	char want[BUNDLE_NAME_MAX] = "";

	*ret_source = (struct rule_source){.fd = -1};
	for (uint32_t i = 0; bundle_list_name(name, want) && i < b->n_data; i++) {
		const struct bundle_file *f = &b->data[i];

		if (f->kind != BUNDLE_LIST || strcmp(f->name, want) != 0)
			continue;
		snprintf(ret_source->name, sizeof(ret_source->name), "%s", f->name);
		ret_source->data = span_of(f->text, f->len);
		return 0;
	}
	diag_set(ret_diag, NULL, 0, 0, "the bundle has no %s", want);
	return -ENOENT;
}

int bundle_parse(const struct bundle *b, struct rules *rs, const struct rule_var *vars,
		 rules_report_fn *report, void *ctx)
{
	static const struct {
		enum bundle_kind from;
		enum rules_kind to;
	} order[] = {
		{BUNDLE_CLASSIFICATION, RULES_KIND_CLASSIFICATION},
		{BUNDLE_RULES, RULES_KIND_RULES},
		{BUNDLE_THRESHOLD, RULES_KIND_THRESHOLDS},
	};
	int err = 0;

	for (size_t k = 0; k < sizeof(order) / sizeof(order[0]); k++) {
		const bool rules = order[k].from == BUNDLE_RULES;
		const struct bundle_file *f = rules ? b->files : b->data;
		uint32_t n = rules ? b->n_files : b->n_data;

		for (uint32_t i = 0; i < n && err == 0; i++)
			if (f[i].kind == order[k].from)
				err = rules_parse_kind(rs, order[k].to, f[i].name, f[i].text,
						       f[i].len, vars, report, ctx);
	}
	return err;
}

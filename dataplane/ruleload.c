// SPDX-License-Identifier: BSD-2-Clause
#include "dataplane/ruleload.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rules/bundle.h"
#include "rules/load.h"

const char ruleload_help[] =
	"  --rules FILE      load a rule file (repeatable)\n"
	"  --bundle FILE     load a signed bundle; needs --key\n"
	"  --key FILE        public key, or folder of *.pub files, whose signature counts "
	"(repeatable)\n"
	"  --var NAME=VALUE  set a rule variable, e.g. HOME_NET=192.0.2.0/24 (repeatable)\n"
	"  --classification FILE  priorities of classtypes, as in Suricata's "
	"classification.config\n"
	"  --threshold-file FILE  thresholds and suppressions, as in Suricata's threshold.config\n"
	"  --cache DIR       keep compiled rule sets in DIR and use them again\n";

__attribute__((format(printf, 3, 4))) static int say(struct ruleload *rl, int err, const char *fmt,
						     ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(rl->error, sizeof(rl->error), fmt, ap);
	va_end(ap);
	fprintf(stderr, "wireglass: %s\n", rl->error);
	return err;
}

int ruleload_option(struct ruleload *rl, int opt, char *arg)
{
	struct diag d = {0};
	char text[1024];
	char *eq;

	switch (opt) {
	case RULELOAD_RULES:
		if (rl->n_files == RULELOAD_FILES_MAX)
			return say(rl, -EINVAL, "more than %d rule files", RULELOAD_FILES_MAX);
		rl->files[rl->n_files++] = arg;
		return 0;
	case RULELOAD_BUNDLE:
		rl->bundle = arg;
		return 0;
	case RULELOAD_KEY:
		if (sig_trust_add(&rl->trust, arg, &d) == 0)
			return 0;
		return say(rl, -EINVAL, "%s", diag_format(&d, text, sizeof(text)));
	case RULELOAD_VAR:
		eq = strchr(arg, '=');
		if (eq == NULL || eq == arg || rl->n_vars == RULELOAD_VARS_MAX)
			return say(rl, -EINVAL, "--var %s: expected NAME=VALUE, at most %d", arg,
				   RULELOAD_VARS_MAX);
		*eq = '\0';
		rl->vars[rl->n_vars++] = (struct rule_var){.name = arg, .value = eq + 1};
		return 0;
	case RULELOAD_CLASSIFICATION:
		rl->classification = arg;
		return 0;
	case RULELOAD_THRESHOLDS:
		rl->thresholds = arg;
		return 0;
	case RULELOAD_CACHE:
		rl->cache = arg;
		return 0;
	default:
		return -EINVAL;
	}
}

static void on_report(void *ctx, enum rules_verdict verdict, uint32_t sid, const struct diag *d)
{
	struct ruleload *rl = ctx;
	char text[1024];

	if (verdict == RULES_SKIPPED) {
		rl->skipped++;
		return;
	}
	rl->refused++;
	if (!rl->quiet)
		fprintf(stderr, "%s\n", diag_format(d, text, sizeof(text)));
}

// The texts of a bundle, and its lists; they live as long as it.
static int load_bundle(struct ruleload *rl, struct load_request *q, struct load_text *texts,
		       struct rule_files *lists, struct bundle **ret_bundle, struct diag *d)
{
	struct bundle *b;
	int err = bundle_read_file(rl->bundle, &rl->trust, &b, d);

	if (err < 0)
		return err;
	*ret_bundle = b;
	*lists = (struct rule_files){.open = bundle_open_list, .ctx = b};
	q->serial = (uint64_t)b->manifest.serial;
	q->lists_digest = b->digest;
	for (uint32_t i = 0; i < b->n_files; i++)
		texts[q->n_texts++] = (struct load_text){
			.name = b->files[i].name,
			.text = span_of(b->files[i].text, b->files[i].len),
			.files = lists,
		};
	for (uint32_t i = 0; i < b->n_data; i++)
		if (b->data[i].kind != BUNDLE_LIST)
			texts[q->n_texts++] = (struct load_text){
				.name = b->data[i].name,
				.kind = b->data[i].kind == BUNDLE_THRESHOLD
						? RULES_KIND_THRESHOLDS
						: RULES_KIND_CLASSIFICATION,
				.text = span_of(b->data[i].text, b->data[i].len),
			};
	return 0;
}

int ruleload_run(struct ruleload *rl, unsigned int workers, struct ruleset **ret_rs)
{
	struct load_text *texts =
		calloc(RULELOAD_FILES_MAX + 2 + BUNDLE_RULES_MAX + BUNDLE_DATA_MAX, sizeof(*texts));
	struct load_request q = {.texts = texts, .vars = rl->vars};
	const struct load_paths paths = {rl->files, rl->n_files, rl->classification,
					 rl->thresholds};
	struct load_result res = {0};
	struct rule_files lists;
	struct bundle *b = NULL;
	struct diag d = {0};
	struct cache cache;
	uint32_t n_disk = 0;
	char text[1024];
	int err = texts == NULL ? -ENOMEM : 0;

	if (err == 0 && rl->cache != NULL) {
		err = cache_init(&cache, rl->cache, CACHE_BYTES_DEFAULT, &d);
		q.cache = &cache;
	}
	if (err == 0)
		err = load_paths_read(&paths, texts, &n_disk, &d);
	q.n_texts = n_disk;
	if (err == 0 && rl->bundle != NULL)
		err = load_bundle(rl, &q, texts, &lists, &b, &d);
	if (err == 0)
		err = load_image(&q, NULL, &res, on_report, rl, &d);
	if (err == 0 && res.cache.text[0] != '\0')
		fprintf(stderr, "wireglass: %s\n", diag_format(&res.cache, text, sizeof(text)));
	if (err == 0 && res.stats.alert_only > 0 && !rl->quiet)
		fprintf(stderr,
			"wireglass: %u rules say drop or reject: nothing is stopped here, they "
			"alert\n",
			res.stats.alert_only);
	if (err == 0)
		err = ruleset_load(res.image, res.len, NULL, 1, workers, ret_rs, &d);
	if (err < 0)
		say(rl, err, "%s",
		    d.text[0] != '\0' ? diag_format(&d, text, sizeof(text)) : strerror(-err));
	rl->stats = res.stats;
	rl->cached = res.cached;
	free(res.image);
	load_files_free(texts, n_disk);
	free(texts);
	bundle_free(b);
	return err < 0 ? err : 0;
}

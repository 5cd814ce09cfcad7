// SPDX-License-Identifier: BSD-2-Clause
#include "dataplane/ruleload.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rules/bundle.h"

const char ruleload_help[] =
	"  --rules FILE      load a rule file (repeatable)\n"
	"  --bundle FILE     load a signed bundle; needs --key\n"
	"  --key FILE        public key, or folder of *.pub files, whose signature counts "
	"(repeatable)\n"
	"  --var NAME=VALUE  set a rule variable, e.g. HOME_NET=192.0.2.0/24 (repeatable)\n";

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

static int load_bundle(struct ruleload *rl, struct rules *rs, uint64_t *ret_serial, struct diag *d)
{
	struct rule_files files = {.open = bundle_open_list};
	struct bundle *b;
	int err = bundle_read_file(rl->bundle, &rl->trust, &b, d);

	if (err < 0)
		return err;
	files.ctx = b;
	rs->files = &files;
	*ret_serial = (uint64_t)b->manifest.serial;
	for (uint32_t i = 0; i < b->n_files && err >= 0; i++)
		err = rules_parse(rs, b->files[i].name, b->files[i].text, b->files[i].len, rl->vars,
				  on_report, rl);
	rs->files = NULL;
	bundle_free(b);
	if (err == -ENOMEM)
		diag_set(d, rl->bundle, 0, 0, "out of memory");
	return err < 0 ? err : 0;
}

int ruleload_run(struct ruleload *rl, unsigned int workers, struct ruleset **ret_rs)
{
	struct rules rs = {0};
	struct diag d = {0};
	uint64_t serial = 0, len = 0;
	void *image = NULL;
	char text[1024];
	int err = 0;

	for (unsigned int i = 0; i < rl->n_files && err >= 0; i++)
		err = rules_parse_file(&rs, rl->files[i], rl->vars, on_report, rl, &d);
	if (err >= 0 && rl->bundle != NULL)
		err = load_bundle(rl, &rs, &serial, &d);
	if (err >= 0)
		err = compile_image(&rs, serial, &image, &len, &rl->stats, on_report, rl, &d);
	if (err >= 0)
		err = ruleset_load(image, len, NULL, 1, workers, ret_rs, &d);
	if (err < 0)
		say(rl, err, "%s",
		    d.text[0] != '\0' ? diag_format(&d, text, sizeof(text)) : strerror(-err));
	free(image);
	rules_done(&rs);
	return err < 0 ? err : 0;
}

// SPDX-License-Identifier: BSD-2-Clause
// What wireglassd and the dataplane do in two processes: verify, parse, compile, check, load.
#include "dataplane/loadrules.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "rules/bundle.h"
#include "rules/compile.h"
#include "rules/parse.h"

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static int parse_bundle(const struct loadrules *from, struct rules *rules, uint64_t *ret_serial,
			struct diag *ret_diag)
{
	struct sig_trust *trust = calloc(1, sizeof(*trust));
	struct bundle *bundle = NULL;
	int err;

	if (trust == NULL)
		return -ENOMEM;
	if (from->key == NULL) {
		diag_set(ret_diag, from->bundle, 0, 0,
			 "give the public key that signs it (--key FILE)");
		err = -EKEYREJECTED;
		goto out;
	}
	err = sig_trust_add(trust, from->key, ret_diag);
	if (err == 0)
		err = bundle_read_file(from->bundle, trust, &bundle, ret_diag);
	if (err < 0)
		goto out;
	*ret_serial = (uint64_t)bundle->manifest.serial;
	for (uint32_t i = 0; i < bundle->n_files && err >= 0; i++)
		err = rules_parse(rules, bundle->files[i].name, bundle->files[i].text,
				  bundle->files[i].len, NULL, NULL, NULL);
	bundle_free(bundle);
out:
	free(trust);
	return err < 0 ? err : 0;
}

static int load(const struct rules *rules, uint64_t serial, struct loadrules_result *ret,
		struct diag *ret_diag)
{
	struct compile_stats stats = {0};
	void *image;
	uint64_t len;
	int err = compile_image(rules, serial, &image, &len, &stats, NULL, NULL, ret_diag);

	if (err < 0)
		return err;
	err = ruleset_load(image, len, NULL, 1, 1, &ret->ruleset, ret_diag);
	free(image);
	ret->loaded = stats.rules;
	ret->refused = (uint32_t)rules->refused + stats.refused;
	ret->skipped = (uint32_t)rules->skipped;
	ret->image_bytes = len;
	return err;
}

int loadrules(const struct loadrules *from, struct loadrules_result *ret, struct diag *ret_diag)
{
	struct loadrules_result out = {0};
	struct rules rules = {0};
	uint64_t serial = 0, start = now_ns();
	int err = 0;

	if (from->n_rules == 0 && from->bundle == NULL) {
		*ret = out;
		return 0;
	}
	for (uint32_t i = 0; i < from->n_rules && err >= 0; i++)
		err = rules_parse_file(&rules, from->rules[i], NULL, NULL, NULL, ret_diag);
	if (err >= 0 && from->bundle != NULL)
		err = parse_bundle(from, &rules, &serial, ret_diag);
	if (err >= 0)
		err = load(&rules, serial, &out, ret_diag);
	rules_done(&rules);
	if (err < 0)
		return err;
	out.load_ns = now_ns() - start;
	*ret = out;
	return 0;
}

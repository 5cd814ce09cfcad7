// SPDX-License-Identifier: BSD-2-Clause
// What decides whether a bundle is trusted, on any bytes: sets of signatures, times, and the metadata of rules. Input that nobody
// signed is never accepted, a good signature is not lost by what stands behind it, and an expired rule is in no set.
#include <errno.h>
#include <sodium.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "rules/govern.h"
#include "rules/sig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	KEYS = 3,
	NOW_S = 1800000000,
};

static struct sig_secret keys[KEYS];
static struct sig_trust trust;

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void make_keys(void)
{
	must(sodium_init() >= 0);
	for (uint8_t i = 0; i < KEYS; i++) {
		const uint8_t seed[crypto_sign_SEEDBYTES] = {i};
		uint8_t public_key[32];

		must(crypto_sign_seed_keypair(public_key, keys[i].key, seed) == 0);
		keys[i].id[0] = i;
		sig_public_of(&keys[i], &trust.v[i]);
	}
	trust.n = KEYS;
}

static void try_signatures(struct span text)
{
	const struct span signed_data = span_of("data", 4);
	char set[SIG_SET_BYTES] = "", one[SIG_TEXT_MAX], two[SIG_SET_BYTES];
	struct sig_info info;
	struct diag diag;

	trust.need = 1;
	must(sig_verify("fuzz", signed_data, text, &trust, &info, &diag) == -EKEYREJECTED);
	for (int i = 0; i < 2; i++) {
		int n = sig_sign(&keys[i], signed_data, "fuzz", one);
		must(n > 0 && sig_set_add("fuzz", set, span_of(one, (size_t)n), &diag) == 0);
	}
	memcpy(two, set, sizeof(two));
	trust.need = 3; // with whatever comes behind them two are not three
	(void)sig_set_add("fuzz", set, text, &diag);
	must(memchr(set, '\0', sizeof(set)) != NULL);
	must(sig_verify("fuzz", signed_data, span_of(set, strlen(set)), &trust, &info, &diag) ==
	     -EKEYREJECTED);
	trust.need = 2;
	must(sig_verify("fuzz", signed_data, span_of(two, strlen(two)), &trust, &info, &diag) == 0);
	must(info.n == 2);
}

static void try_governance(const char *text, size_t len)
{
	for (int strict = 0; strict < 2; strict++) {
		struct rules rs = {0};
		struct govern_result result;
		const struct govern govern = {.strict = strict != 0, .now_s = NOW_S};
		int n = rules_parse(&rs, "fuzz", text, len, NULL, NULL, NULL);

		must(n >= 0);
		govern_rules(&rs, &govern, NULL, NULL, &result);
		must(rs.n + result.refused + result.expired == (size_t)n);
		must(result.next_s == 0 || result.next_s > NOW_S);
		const struct govern over = {.now_s = NOW_S, .expires_s = NOW_S};
		govern_rules(&rs, &over, NULL, NULL, &result);
		must(rs.n == 0);
		rules_done(&rs);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	int64_t s;

	must(text != NULL);
	if (trust.n == 0)
		make_keys();
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	(void)bundle_parse_time(text, &s);
	try_signatures(span_of(text, size));
	try_governance(text, size);
	free(text);
	return 0;
}

// SPDX-License-Identifier: BSD-2-Clause
// Rule bundles. The same bytes are read as a bundle file nobody signed, as an archive that a trusted key signed (a
// stolen key must not be worth more than wrong rules), and as a manifest.
#include <sodium.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "rules/bundle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__lsan_default_suppressions(void);

// libconfig 1.5 does not free a string that stands where its grammar has none.
const char *__lsan_default_suppressions(void)
{
	return "leak:strbuf_append\nleak:libconfig_yylex\n";
}

static void make_key(struct sig_secret *ret_key, struct sig_trust *ret_trust)
{
	static const uint8_t seed[crypto_sign_SEEDBYTES];
	uint8_t public_key[32];

	memset(ret_key, 0, sizeof(*ret_key));
	if (sodium_init() < 0 || crypto_sign_seed_keypair(public_key, ret_key->key, seed) != 0)
		abort();
	ret_trust->n = 1;
	sig_public_of(ret_key, &ret_trust->v[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct sig_secret key;
	static struct sig_trust trust;
	static struct bundle_manifest manifest;
	struct bundle *b = NULL;
	char sig[SIG_TEXT_MAX], *text;
	struct diag diag;
	int n;

	if (trust.n == 0)
		make_key(&key, &trust);
	if (bundle_read("fuzz", span_of(data, size), SPAN_NONE, &trust, &b, &diag) == 0)
		abort(); // nobody signed it

	n = sig_sign(&key, span_of(data, size), "fuzz", sig);
	if (bundle_read("fuzz", span_of(data, size), span_of(sig, (size_t)n), &trust, &b, &diag) ==
	    0) {
		for (uint32_t i = 0; i < b->n_files; i++)
			if (b->files[i].text[b->files[i].len] != '\0')
				abort();
		bundle_free(b);
	}

	text = malloc(size + 1);
	if (text == NULL)
		abort();
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	bundle_manifest_parse("fuzz", text, size, &manifest, &diag);
	free(text);
	return 0;
}

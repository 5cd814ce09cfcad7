// SPDX-License-Identifier: BSD-2-Clause
// Bundles made and read in a directory of their own; for tests of rules/bundle.
#ifndef TESTS_BUNDLEKIT_H
#define TESTS_BUNDLEKIT_H

#include "rules/bundle.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <sodium.h>

#include "rules/file.h"

#define RULE "alert http any any -> any any (msg:\"m\"; http.uri; content:\"x\"; sid:1;)\n"
#define MANIFEST                                                                                   \
	"format = 1;\nid = \"demo\";\nserial = 7;\ncreated = \"2026-11-23T13:00:00Z\";\n"          \
	"rules = [ \"rules/a.rules\" ];\n"

const char *__lsan_default_suppressions(void);

// libconfig 1.5 does not free a string that stands where its grammar has none.
const char *__lsan_default_suppressions(void)
{
	return "leak:strbuf_append\nleak:libconfig_yylex\n";
}

static char dir[64];
static struct sig_secret key;
static struct sig_trust trust;

static inline const char *path(const char *name)
{
	static char buf[4][128];
	static unsigned int next;
	char *p = buf[next++ % 4];

	snprintf(p, sizeof(buf[0]), "%s/%s", dir, name);
	return p;
}

static inline void assert_contains(const struct diag *d, const char *part)
{
	char text[1024];

	if (strstr(diag_format(d, text, sizeof(text)), part) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", part, text);
}

static inline struct span sign(struct span archive, char text[SIG_TEXT_MAX])
{
	int n = sig_sign(&key, archive, "test", text);

	assert_true(n > 0);
	return span_of(text, (size_t)n);
}

static inline int read_signed(struct span archive, struct bundle **ret_bundle,
			      struct diag *ret_diag)
{
	char text[SIG_TEXT_MAX];

	return bundle_read("b.wgb", archive, sign(archive, text), &trust, ret_bundle, ret_diag);
}

static inline struct bundle_manifest sample_manifest(void)
{
	struct bundle_manifest m = {
		.id = "demo",
		.serial = 7,
		.created = "2026-11-23T13:00:00Z",
		.expires = "2027-01-01",
		.description = "a \"quoted\" back\\slash, \xc3\xa9",
		.owner = "Abuse desk",
		.authority = "Head of network",
		.legal_basis = "contract 4.2",
	};

	return m;
}

static const struct bundle_file sample_files[] = {
	{"rules/b.rules", RULE, sizeof(RULE) - 1},
	{"rules/a.rules", "\0\xff\n", 3},
	{"rules/empty.rules", "", 0},
};

static inline void pack_sample(char **ret_data, size_t *ret_len)
{
	struct bundle_manifest m = sample_manifest();
	struct diag d;

	assert_int_equal(bundle_pack(&m, sample_files, 3, ret_data, ret_len, &d), 0);
}

static inline void check_sample(const struct bundle *b)
{
	struct bundle_manifest m = sample_manifest();

	assert_string_equal(b->manifest.id, m.id);
	assert_int_equal(b->manifest.serial, 7);
	assert_string_equal(b->manifest.created, m.created);
	assert_int_equal(b->manifest.created_s, 1795438800);
	assert_int_equal(b->manifest.expires_s, 1798761600);
	assert_string_equal(b->manifest.description, m.description);
	assert_string_equal(b->manifest.owner, m.owner);
	assert_string_equal(b->manifest.authority, m.authority);
	assert_string_equal(b->manifest.legal_basis, m.legal_basis);
	assert_int_equal(b->n_files, 3);
	for (int i = 0; i < 3; i++) {
		assert_string_equal(b->files[i].name, sample_files[i].name);
		assert_int_equal(b->files[i].len, sample_files[i].len);
		assert_memory_equal(b->files[i].text, sample_files[i].text,
				    sample_files[i].len + 1);
	}
	assert_string_equal(b->signer.comment, "test");
	assert_memory_equal(b->signer.key.id, key.id, 8);
}

static inline int set_up(void **state)
{
	struct sig_public made;
	struct diag d;

	snprintf(dir, sizeof(dir), "/tmp/test_bundle.XXXXXX");
	if (mkdtemp(dir) == NULL)
		return 1;
	return sig_keygen(path("k.key"), path("k.pub"), NULL, 0, &made, &d) != 0 ||
	       sig_secret_read(path("k.key"), NULL, &key, &d) != 0 ||
	       sig_trust_add(&trust, path("k.pub"), &d) != 0;
}

static inline int tear_down(void **state)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

#endif

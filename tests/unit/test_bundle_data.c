// SPDX-License-Identifier: BSD-2-Clause
// What rules use travels with them: lists and configuration in a bundle, listed with size and digest, found by the names
// that rules give them, and nothing else.
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "rules/bundle.h"
#include "rules/list_make.h"
#include "rules/parse.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))
#define LIST "0123456789abcdef0123456789abcdef\n"
#define HEAD                                                                                       \
	"format = 1; id = \"demo\"; serial = 7; created = \"2026-11-23\"; rules = "                \
	"[\"rules/a.rules\"];\n"

static struct sig_secret key;
static struct sig_trust trust;

static void assert_contains(const struct diag *d, const char *part)
{
	char text[1024];

	if (strstr(diag_format(d, text, sizeof(text)), part) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", part, text);
}

static int read_signed(struct span archive, struct bundle **ret_bundle, struct diag *ret_diag)
{
	char text[SIG_TEXT_MAX];
	int n = sig_sign(&key, archive, "test", text);

	assert_true(n > 0);
	return bundle_read("b.wgb", archive, span_of(text, (size_t)n), &trust, ret_bundle,
			   ret_diag);
}

static const char rules[] =
	"alert http any any -> any any (filemd5:bad.md5; sid:1;)\n"
	"alert http any any -> any any (filemd5:lists/bad.md5; sid:2;)\n"
	"alert http any any -> any any (filemd5:!sub/hosts.lst; sid:3;)\n"
	"alert http any any -> any any (http.host; dataset:isset,h,type string,load sub/hosts.lst; "
	"sid:4;)\n"
	"alert http any any -> any any (filemd5:none.md5; sid:5;)\n"
	"alert http any any -> any any (filemd5:../bad.md5; sid:6;)\n"
	"alert http any any -> any any (filemd5:/etc/passwd; sid:7;)\n"
	"alert http any any -> any any (filemd5:rules/a.rules; sid:8;)\n"
	"alert http any any -> any any (filemd5:threshold.config; sid:9;)\n";

static struct bundle *sample(char **ret_archive, size_t *ret_len)
{
	static const struct bundle_file files[] = {
		{"rules/a.rules", rules, sizeof(rules) - 1, BUNDLE_RULES},
		{"lists/bad.md5", LIST, sizeof(LIST) - 1, BUNDLE_LIST},
		{"config/threshold.config", "x\0y", 3, BUNDLE_THRESHOLD},
		{"lists/sub/hosts.lst", "ZXZpbC5leGFtcGxl\n", 17, BUNDLE_LIST},
		{"config/classification.config", "", 0, BUNDLE_CLASSIFICATION},
	};
	struct bundle_manifest m = {.id = "demo", .serial = 7, .created = "2026-11-23"};
	struct bundle *b = NULL;
	struct diag d = {""};

	if (bundle_pack(&m, files, N(files), ret_archive, ret_len, &d) != 0 ||
	    read_signed(span_of(*ret_archive, *ret_len), &b, &d) != 0)
		fail_msg("%s", d.text);
	assert_int_equal(b->n_files, 1);
	assert_int_equal(b->n_data, N(files) - 1);
	for (uint32_t i = 0; i < b->n_data; i++) {
		assert_string_equal(b->data[i].name, files[i + 1].name);
		assert_int_equal(b->data[i].kind, files[i + 1].kind);
		assert_int_equal(b->data[i].len, files[i + 1].len);
		assert_memory_equal(b->data[i].text, files[i + 1].text, files[i + 1].len + 1);
	}
	return b;
}

struct reports {
	uint32_t n, sid[16];
	char text[16][512];
};

static void on_rule(void *ctx, enum rules_verdict verdict, uint32_t sid, const struct diag *diag)
{
	struct reports *r = ctx;

	assert_true(r->n < N(r->sid));
	r->sid[r->n] = sid;
	memcpy(r->text[r->n++], diag->text, sizeof(r->text[0]));
}

static void test_round_trip(void **state)
{
	char *archive, *again;
	size_t len, again_len;
	struct bundle *b = sample(&archive, &len);
	const struct rule_files files = {.open = bundle_open_list, .ctx = b};
	struct rules rs = {.files = &files};
	struct reports r = {0};

	bundle_free(sample(&again, &again_len));
	assert_int_equal(len, again_len);
	assert_memory_equal(archive, again, len);
	// Found by what rules call it, with the folder or without; nothing else is.
	assert_int_equal(rules_parse(&rs, "rules/a.rules", b->files[0].text, b->files[0].len, NULL,
				     on_rule, &r),
			 3);
	assert_int_equal(rs.v[0].matches[0].list, rs.v[1].matches[0].list);
	assert_int_equal(rs.lists[rs.v[0].matches[0].list].entries->n, 1);
	assert_int_equal(rs.v[2].sid, 4);
	assert_int_equal(r.n, 6);
	assert_int_equal(r.sid[0], 3);
	assert_non_null(strstr(r.text[0], "lists/sub/hosts.lst:1: is not an md5"));
	assert_non_null(strstr(r.text[1], "the bundle has no lists/none.md5"));
	assert_non_null(strstr(r.text[2], "leads outside"));
	assert_non_null(strstr(r.text[3], "relative to the rule file"));
	assert_non_null(strstr(r.text[4], "the bundle has no lists/rules/a.rules"));
	assert_non_null(strstr(r.text[5], "the bundle has no lists/threshold.config"));
	rules_done(&rs);
	bundle_free(b);
	free(archive);
	free(again);
}

// An archive of a manifest, a rule file and one more.
static struct span make_archive(const char *manifest, const char *name, const char *text)
{
	enum { SIZE = 1 << 20 };
	const char *const items[][2] = {
		{"manifest.cfg", manifest}, {"rules/a.rules", ""}, {name, text}};
	struct archive *a = archive_write_new();
	struct archive_entry *e = archive_entry_new();
	char *buf = malloc(SIZE);
	size_t len = 0;

	assert_non_null(buf);
	archive_write_add_filter_zstd(a);
	archive_write_set_format_pax_restricted(a);
	assert_int_equal(archive_write_open_memory(a, buf, SIZE, &len), ARCHIVE_OK);
	for (size_t i = 0; i < N(items) && items[i][0] != NULL; i++) {
		archive_entry_clear(e);
		archive_entry_set_pathname(e, items[i][0]);
		archive_entry_set_filetype(e, AE_IFREG);
		archive_entry_set_size(e, (int64_t)strlen(items[i][1]));
		assert_int_equal(archive_write_header(a, e), ARCHIVE_OK);
		archive_write_data(a, items[i][1], strlen(items[i][1]));
	}
	archive_entry_free(e);
	archive_write_close(a);
	archive_write_free(a);
	return span_of(buf, len);
}

static void list_digest(char hex[65])
{
	uint8_t digest[32];

	crypto_hash_sha256(digest, (const uint8_t *)LIST, sizeof(LIST) - 1);
	sodium_bin2hex(hex, 65, digest, sizeof(digest));
}

static void test_refused(void **state)
{
	static const struct {
		const char *name, *data; // %s: the right digest
		const char *error;       // NULL: good
	} cases[] = {
		{"lists/l", "{name=\"lists/l\"; kind=\"list\"; size=33; sha256=\"%s\";}", NULL},
		{"lists/l", "{name=\"lists/l\"; kind=\"list\"; size=34; sha256=\"%s\";}",
		 "lists/l is not the file of 34 bytes"},
		{"lists/l",
		 "{name=\"lists/l\"; kind=\"list\"; size=33; sha256=\"0000000000000000000000000000"
		 "000000000000000000000000000000000000\";}",
		 "lists/l is not the file of 33 bytes"},
		{"lists/l", "{name=\"lists/l\"; kind=\"list\"; size=33; sha256=\"00\";}", "sha256"},
		{"lists/l",
		 "{name=\"lists/l\"; kind=\"list\"; size=33; "
		 "sha256=\"zz0000000000000000000000000000"
		 "0000000000000000000000000000000000\";}",
		 "64 hexadecimal digits"},
		{"lists/l", "{name=\"lists/l\"; kind=\"list\"; size=-1; sha256=\"%s\";}", "size"},
		{"lists/l", "{name=\"lists/l\"; kind=\"table\"; size=33; sha256=\"%s\";}", "kind"},
		{"lists/l", "{name=\"lists/l\"; size=33; sha256=\"%s\";}", "kind"},
		{"lists/l", "{name=\"lists/l\"; kind=\"list\"; sha256=\"%s\";}", "size"},
		{"lists/l", "{name=\"lists/l\"; kind=\"list\"; size=33;}", "sha256"},
		{"l", "{name=\"l\"; kind=\"list\"; size=33; sha256=\"%s\";}", "must be in lists/"},
		{"lists/l", "{name=\"lists/l\"; kind=\"threshold\"; size=33; sha256=\"%s\";}",
		 "must be in config/"},
		{"rules/b.rules",
		 "{name=\"rules/b.rules\"; kind=\"rules\"; size=33; sha256=\"%s\";}",
		 "rule files are listed in rules"},
		{"lists/l", "{name=\"lists/../l\"; kind=\"list\"; size=33; sha256=\"%s\";}",
		 "plain relative name"},
		{"lists/l", "{name=\"lists/m\"; kind=\"list\"; size=33; sha256=\"%s\";}",
		 "lists lists/m, which is not there"},
		{"lists/l", "", "has lists/l, which manifest.cfg does not list"},
		{"lists/l",
		 "{name=\"lists/l\"; kind=\"list\"; size=33; sha256=\"%1$s\";},"
		 "{name=\"lists/l\"; kind=\"list\"; size=33; sha256=\"%1$s\";}",
		 "is listed twice"},
	};
	char hex[65];

	list_digest(hex);
	for (size_t i = 0; i < N(cases); i++) {
		struct bundle *b = NULL;
		struct diag d = {""};
		char manifest[2048], data[1024];
		struct span a;
		int ret;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		snprintf(data, sizeof(data), cases[i].data, hex);
#pragma GCC diagnostic pop
		snprintf(manifest, sizeof(manifest), HEAD "data = (%s);\n", data);
		a = make_archive(manifest, cases[i].name, LIST);
		ret = read_signed(a, &b, &d);
		if ((ret == 0) != (cases[i].error == NULL) || (ret != 0 && ret != -EBADMSG))
			fail_msg("case %zu: %d %s", i, ret, d.text);
		if (ret != 0)
			assert_contains(&d, cases[i].error);
		bundle_free(b);
		free((void *)(uintptr_t)a.data);
	}
}

static int set_up(void **state)
{
	char dir[] = "/tmp/test_bundle_data.XXXXXX", sec[64], pub[64];
	struct sig_public made;
	struct diag d;
	int ret;

	if (mkdtemp(dir) == NULL)
		return 1;
	snprintf(sec, sizeof(sec), "%s/k.key", dir);
	snprintf(pub, sizeof(pub), "%s/k.pub", dir);
	ret = sig_keygen(sec, pub, NULL, 0, &made, &d) != 0 ||
	      sig_secret_read(sec, NULL, &key, &d) != 0 || sig_trust_add(&trust, pub, &d) != 0;
	remove(sec);
	remove(pub);
	remove(dir);
	return ret;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}

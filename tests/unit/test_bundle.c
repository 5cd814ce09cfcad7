// SPDX-License-Identifier: BSD-2-Clause
// Bundles: what pack makes, read gives back; nothing is read unsigned; everything hostile in a signed one is refused.
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

static const char *path(const char *name)
{
	static char buf[4][128];
	static unsigned int next;
	char *p = buf[next++ % 4];

	snprintf(p, sizeof(buf[0]), "%s/%s", dir, name);
	return p;
}

static void put(const char *name, const void *data, size_t len)
{
	assert_int_equal(file_write(path(name), span_of(data, len), 0644, true, NULL), 0);
}

static void assert_contains(const struct diag *d, const char *part)
{
	char text[1024];

	if (strstr(diag_format(d, text, sizeof(text)), part) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", part, text);
}

static struct span sign(struct span archive, char text[SIG_TEXT_MAX])
{
	int n = sig_sign(&key, archive, "test", text);

	assert_true(n > 0);
	return span_of(text, (size_t)n);
}

static int read_signed(struct span archive, struct bundle **ret_bundle, struct diag *ret_diag)
{
	char text[SIG_TEXT_MAX];

	return bundle_read("b.wgb", archive, sign(archive, text), &trust, ret_bundle, ret_diag);
}

static struct bundle_manifest sample_manifest(void)
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

static void pack_sample(char **ret_data, size_t *ret_len)
{
	struct bundle_manifest m = sample_manifest();
	struct diag d;

	assert_int_equal(bundle_pack(&m, sample_files, 3, ret_data, ret_len, &d), 0);
}

static void check_sample(const struct bundle *b)
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

static void round_trip(void **state)
{
	char *archive, *again, *whole, text[SIG_TEXT_MAX];
	size_t len, again_len, whole_len;
	uint8_t digest[32];
	struct bundle *b;
	struct diag d;

	pack_sample(&archive, &len);
	pack_sample(&again, &again_len);
	assert_int_equal(len, again_len);
	assert_memory_equal(archive, again, len);
	assert_int_equal(read_signed(span_of(archive, len), &b, &d), 0);
	check_sample(b);
	crypto_hash_sha256(digest, (const uint8_t *)archive, len);
	assert_memory_equal(b->digest, digest, 32);
	bundle_free(b);

	assert_int_equal(bundle_embed(span_of(archive, len), sign(span_of(archive, len), text),
				      &whole, &whole_len),
			 0);
	assert_int_equal(bundle_read("b.wgb", span_of(whole, whole_len), SPAN_NONE, &trust, &b, &d),
			 0);
	check_sample(b);
	assert_memory_equal(b->digest, digest, 32); // the same bundle in either form
	bundle_free(b);
	free(archive);
	free(again);
	free(whole);
	bundle_free(NULL);
}

static void files(void **state)
{
	char *archive, *whole, *loaded, text[SIG_TEXT_MAX];
	size_t len, whole_len, loaded_len;
	struct span sig;
	struct bundle *b;
	struct diag d;

	pack_sample(&archive, &len);
	sig = sign(span_of(archive, len), text);
	put("d.wgb", archive, len);
	assert_int_equal(bundle_read_file(path("d.wgb"), &trust, &b, &d), -EKEYREJECTED);
	assert_contains(&d, "is not signed");
	assert_contains(&d, "d.wgb.minisig");
	put("d.wgb.minisig", sig.data, sig.len);
	assert_int_equal(bundle_read_file(path("d.wgb"), &trust, &b, &d), 0);
	check_sample(b);
	bundle_free(b);

	assert_int_equal(bundle_embed(span_of(archive, len), sig, &whole, &whole_len), 0);
	put("e.wgb", whole, whole_len);
	put("e.wgb.minisig", "ignored", 7);
	assert_int_equal(bundle_read_file(path("e.wgb"), &trust, &b, &d), 0);
	check_sample(b);
	bundle_free(b);
	for (int i = 0; i < 2; i++) { // both load as the embedded form
		assert_int_equal(bundle_load(path(i ? "d.wgb" : "e.wgb"), &loaded, &loaded_len, &d),
				 0);
		assert_int_equal(loaded_len, whole_len);
		assert_memory_equal(loaded, whole, whole_len);
		free(loaded);
	}
	put("f.wgb", "WGB1\xff\xff\xff\xff", 8);
	assert_int_equal(bundle_read_file(path("f.wgb"), &trust, &b, &d), -EKEYREJECTED);
	assert_contains(&d, "damaged");
	assert_int_equal(bundle_read_file(path("none.wgb"), &trust, &b, &d), -ENOENT);
	assert_contains(&d, "none.wgb");
	free(archive);
	free(whole);
}

static void not_trusted(void **state)
{
	static struct sig_trust none;
	char *archive, text[SIG_TEXT_MAX];
	size_t len;
	struct span sig;
	struct bundle *b;
	struct diag d;

	pack_sample(&archive, &len);
	assert_int_equal(bundle_read("b", span_of(archive, len), SPAN_NONE, &trust, &b, &d),
			 -EKEYREJECTED);
	assert_contains(&d, "is not signed");
	sig = sign(span_of(archive, len), text);
	assert_int_equal(bundle_read("b", span_of(archive, len), sig, &none, &b, &d),
			 -EKEYREJECTED);
	assert_contains(&d, "no key is trusted");
	// garbage is refused for its signature, not for its content: it was not looked at
	assert_int_equal(bundle_read("b", SPAN_LIT("garbage"), sig, &trust, &b, &d), -EKEYREJECTED);
	assert_int_equal(bundle_read("b", SPAN_NONE, SPAN_NONE, &trust, &b, &d), -EKEYREJECTED);
	assert_int_equal(read_signed(SPAN_LIT("garbage"), &b, &d), -EBADMSG);
	free(archive);
}

// Every cut and every changed byte of a bundle file is refused, but in the comment that is not signed.
static void damaged(void **state)
{
	char *archive, *whole, text[SIG_TEXT_MAX];
	size_t len, whole_len, free_from, free_to;
	struct bundle *b;
	struct diag d;

	pack_sample(&archive, &len);
	assert_int_equal(bundle_embed(span_of(archive, len), sign(span_of(archive, len), text),
				      &whole, &whole_len),
			 0);
	free_from = 8 + strlen("untrusted comment: ");
	free_to = 8 + strcspn(text, "\n");
	for (size_t i = 0; i < whole_len; i++) {
		char *cut = malloc(i + 1);

		assert_non_null(cut);
		memcpy(cut, whole, i);
		assert_int_equal(bundle_read("b", span_of(cut, i), SPAN_NONE, &trust, &b, &d),
				 -EKEYREJECTED);
		free(cut);
	}
	for (size_t i = 0; i < whole_len; i++) {
		if (i >= free_from && i < free_to)
			continue;
		whole[i] ^= 0x10;
		assert_int_equal(
			bundle_read("b", span_of(whole, whole_len), SPAN_NONE, &trust, &b, &d),
			-EKEYREJECTED);
		whole[i] ^= 0x10;
	}
	free(archive);
	free(whole);
}

struct item {
	const char *name;
	const char *text; // NULL: only the header, of size bytes
	int type;         // 0: regular file
	int64_t size;
	const char *symlink, *hardlink;
};

enum filter {
	ZSTD,
	ZSTD_TWICE,
	GZIP,
	NO_FILTER,
};

static struct span make_archive(const struct item *items, size_t n, enum filter filter)
{
	enum { SIZE = 4 << 20 };
	struct archive *a = archive_write_new();
	struct archive_entry *entry = archive_entry_new();
	char *buf = malloc(SIZE);
	size_t len = 0;

	assert_non_null(buf);
	archive_write_set_format_pax_restricted(a);
	if (filter == GZIP)
		archive_write_add_filter_gzip(a);
	else if (filter != NO_FILTER)
		archive_write_add_filter_zstd(a);
	if (filter == ZSTD_TWICE)
		archive_write_add_filter_zstd(a);
	assert_int_equal(archive_write_open_memory(a, buf, SIZE, &len), ARCHIVE_OK);
	for (size_t i = 0; i < n; i++) {
		const struct item *item = &items[i];
		size_t text_len = item->text != NULL ? strlen(item->text) : 0;

		archive_entry_clear(entry);
		archive_entry_set_pathname(entry, item->name);
		archive_entry_set_filetype(entry,
					   item->type != 0 ? (unsigned int)item->type : AE_IFREG);
		archive_entry_set_perm(entry, 0644);
		archive_entry_set_size(entry, item->text != NULL ? (int64_t)text_len : item->size);
		if (item->symlink != NULL)
			archive_entry_set_symlink(entry, item->symlink);
		if (item->hardlink != NULL)
			archive_entry_set_hardlink(entry, item->hardlink);
		assert_int_equal(archive_write_header(a, entry), ARCHIVE_OK);
		if (item->text == NULL && item->size > SIZE) { // end here, in the middle of it
			archive_write_data(a, "x", 1);
			archive_write_fail(a);
			break;
		}
		if (text_len > 0)
			archive_write_data(a, item->text, text_len);
	}
	archive_entry_free(entry);
	archive_write_close(a);
	archive_write_free(a);
	return span_of(buf, len);
}

static void free_span(struct span s)
{
	free((void *)(uintptr_t)s.data);
}

#define GOOD                                                                                       \
	{"manifest.cfg", MANIFEST},                                                                \
	{                                                                                          \
		"rules/a.rules", RULE                                                              \
	}
#define LONG_NAME                                                                                  \
	"rules/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.rules"

static void archives(void **state)
{
	static const struct {
		struct item items[4];
		int ret;
		const char *text;
	} cases[] = {
		{{GOOD}, 0, NULL},
		{{{"rules/a.rules", RULE}, {"manifest.cfg", MANIFEST}}, 0, NULL}, // any order
		{{{"rules/a.rules", RULE}}, -EBADMSG, "has no manifest.cfg"},
		{{{"manifest.cfg", MANIFEST}}, -EBADMSG, "lists rules/a.rules, which is not there"},
		{{GOOD, {"rules/b.rules", RULE}}, -EBADMSG, "has rules/b.rules, which"},
		{{GOOD, {"readme", "x"}}, -EBADMSG, "has readme, which"},
		{{GOOD, {"rules/a.rules", RULE}}, -EBADMSG, "\"rules/a.rules\" is there twice"},
		{{GOOD, {"manifest.cfg", MANIFEST}}, -EBADMSG, "\"manifest.cfg\" is there twice"},
		{{GOOD, {"../x", "x"}}, -EBADMSG, "\"../x\" is not a plain relative name"},
		{{GOOD, {"/etc/x", "x"}}, -EBADMSG, "not a plain relative name"},
		{{GOOD, {"rules/../x", "x"}}, -EBADMSG, "not a plain relative name"},
		{{GOOD, {"rules/..", "x"}}, -EBADMSG, "not a plain relative name"},
		{{GOOD, {"..", "x"}}, -EBADMSG, "not a plain relative name"},
		{{GOOD, {"./x", "x"}}, -EBADMSG, "not a plain relative name"},
		{{GOOD, {"rules//x", "x"}}, -EBADMSG, "not a plain relative name"},
		{{GOOD, {"a b", "x"}}, -EBADMSG, "not a plain relative name"},
		{{GOOD, {"a\x1b[2J", "x"}}, -EBADMSG, "a?[2J"},
		{{GOOD, {"rules/x\\y", "x"}}, -EBADMSG, "not a plain relative name"},
		{{GOOD, {LONG_NAME, "x"}}, -EBADMSG, "not a plain relative name"},
		{{GOOD, {"rules/d", NULL, AE_IFDIR}}, -EBADMSG, "not a "},
		{{GOOD, {"l", NULL, AE_IFLNK, 0, "/etc/passwd"}}, -EBADMSG, "not a regular file"},
		{{GOOD, {"l", NULL, 0, 0, NULL, "manifest.cfg"}}, -EBADMSG, "not a regular file"},
		{{GOOD, {"f", NULL, AE_IFIFO}}, -EBADMSG, "not a regular file"},
		{{GOOD, {"c", NULL, AE_IFCHR}}, -EBADMSG, "not a regular file"},
		{{GOOD, {"big", NULL, 0, BUNDLE_UNPACKED_MAX}}, -EFBIG, "2048 MiB"},
		{{GOOD, {"big", NULL, 0, INT64_MAX / 2}}, -EFBIG, "2048 MiB"},
		{{{"manifest.cfg", ""}, {"rules/a.rules", RULE}}, -EBADMSG, "manifest.cfg"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct bundle *b = NULL;
		struct diag d = {""};
		struct span a;
		size_t n = 0;
		int ret;

		while (n < 4 && cases[i].items[n].name != NULL)
			n++;
		a = make_archive(cases[i].items, n, ZSTD);
		ret = read_signed(a, &b, &d);
		if (ret != cases[i].ret)
			fail_msg("case %zu: %d (%s), want %d", i, ret, d.text, cases[i].ret);
		if (ret == 0) {
			assert_int_equal(b->n_files, 1);
			assert_string_equal(b->files[0].text, RULE);
			bundle_free(b);
		} else {
			assert_contains(&d, cases[i].text);
			assert_contains(&d, "b.wgb");
		}
		free_span(a);
	}
}

static void packings(void **state)
{
	static const struct item good[] = {GOOD};
	static const struct {
		enum filter filter;
		int ret;
	} cases[] = {{ZSTD, 0}, {ZSTD_TWICE, -EBADMSG}, {GZIP, -EBADMSG}, {NO_FILTER, -EBADMSG}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct span a = make_archive(good, 2, cases[i].filter);
		struct bundle *b = NULL;
		struct diag d;

		assert_int_equal(read_signed(a, &b, &d), cases[i].ret);
		if (cases[i].ret < 0)
			assert_contains(&d, "tar");
		bundle_free(b);
		free_span(a);
	}
}

static void too_many_entries(void **state)
{
	struct item *items = calloc(BUNDLE_ENTRIES_MAX + 1, sizeof(*items));
	char(*names)[16] = calloc(BUNDLE_ENTRIES_MAX + 1, sizeof(*names));
	struct bundle *b;
	struct span a;
	struct diag d;

	assert_true(items != NULL && names != NULL);
	for (int i = 0; i <= BUNDLE_ENTRIES_MAX; i++) {
		snprintf(names[i], sizeof(names[i]), "f%d", i);
		items[i] = (struct item){names[i], "x"};
	}
	a = make_archive(items, BUNDLE_ENTRIES_MAX + 1, ZSTD);
	assert_int_equal(read_signed(a, &b, &d), -EFBIG);
	assert_contains(&d, "1000 files");
	free_span(a);
	a = make_archive(items, BUNDLE_ENTRIES_MAX, ZSTD);
	assert_int_equal(read_signed(a, &b, &d), -EBADMSG); // counted right: what it lacks now is
	assert_contains(&d, "has no manifest.cfg");
	free_span(a);
	free(items);
	free(names);
}

static void too_large_packed(void **state)
{
	char *data = calloc(1, BUNDLE_MAX_BYTES + 1);
	struct bundle *b;
	struct diag d;

	assert_non_null(data);
	assert_int_equal(bundle_read("b", span_of(data, BUNDLE_MAX_BYTES + 1), SPAN_LIT("x"),
				     &trust, &b, &d),
			 -EFBIG);
	assert_contains(&d, "512 MiB");
	free(data);
}

// A signed archive that was cut or damaged before it was signed: an error, or a bundle in good order. A cut one that
// reads lacks nothing.
static void damaged_before_signing(void **state)
{
	char *archive;
	size_t len;
	struct diag d;

	pack_sample(&archive, &len);
	for (size_t i = 0; i < 2 * len; i++) {
		struct bundle *b = NULL;
		size_t n = i < len ? i : len;
		int ret;

		if (i >= len)
			archive[i - len] ^= 0x04;
		ret = read_signed(span_of(archive, n), &b, &d);
		if (ret == 0 && i < len)
			check_sample(b);
		if (ret < 0)
			assert_true(ret == -EBADMSG || ret == -EFBIG);
		bundle_free(b);
		if (i >= len)
			archive[i - len] ^= 0x04;
	}
	free(archive);
}

static void manifests(void **state)
{
	static const struct {
		const char *text, *error; // error NULL: fine
		unsigned int line;
	} cases[] = {
		{MANIFEST, NULL, 0},
		{MANIFEST "description = \"d\";\nexpires = \"2027-01-01T00:00:00Z\";\n", NULL, 0},
		{MANIFEST "sereal = 8;\n", "sereal", 6},
		{MANIFEST "id = \"x\";\n", "", 6}, // twice
		{MANIFEST "description = 5;\n", "description", 6},
		{MANIFEST "expires = \"tomorrow\";\n", "UTC times", 0},
		{MANIFEST "expires = \"2027-02-29T00:00:00Z\";\n", "UTC times", 0},
		{"format = 2;\nid = \"d\";\nserial = 1;\ncreated = \"2026-01-01\";\n"
		 "rules = [\"rules/a.rules\"];\n",
		 "format 2 is not known", 0},
		{"format = 1;\nid = \"d\";\nserial = 0;\ncreated = \"2026-01-01\";\n"
		 "rules = [\"rules/a.rules\"];\n",
		 "serial", 3},
		{"format = 1;\nid = \"d\";\nserial = -1;\ncreated = \"2026-01-01\";\n"
		 "rules = [\"rules/a.rules\"];\n",
		 "serial", 3},
		{"format = 1;\nid = \"d\";\nserial = 9223372036854775807L;\n"
		 "created = \"2026-01-01\";\nrules = [\"rules/a.rules\"];\n",
		 NULL, 0},
		{"format = 1;\nid = \"\";\nserial = 1;\ncreated = \"2026-01-01\";\n"
		 "rules = [\"rules/a.rules\"];\n",
		 "id", 2},
		{"format = 1;\nid = \"..\";\nserial = 1;\ncreated = \"2026-01-01\";\n"
		 "rules = [\"rules/a.rules\"];\n",
		 "id must be", 0},
		{"format = 1;\nid = \"a/b\";\nserial = 1;\ncreated = \"2026-01-01\";\n"
		 "rules = [\"rules/a.rules\"];\n",
		 "id must be", 0},
		{"format = 1;\nid = \".a\";\nserial = 1;\ncreated = \"2026-01-01\";\n"
		 "rules = [\"rules/a.rules\"];\n",
		 "id must be", 0},
		{"format = 1;\nserial = 1;\ncreated = \"2026-01-01\";\n"
		 "rules = [\"rules/a.rules\"];\n",
		 "id", 0},
		{"format = 1;\nid = \"d\";\nserial = 1;\ncreated = \"2026-01-01\";\nrules = [];\n",
		 "rules", 5},
		{"format = 1;\nid = \"d\";\nserial = 1;\ncreated = \"2026-01-01\";\n"
		 "rules = [\"rules/a.rules\", \"rules/a.rules\"];\n",
		 "listed twice", 0},
		{"format = 1;\nid = \"d\";\nserial = 1;\ncreated = \"2026-01-01\";\n"
		 "rules = [\"a.rules\"];\n",
		 "not a name like", 0},
		{"format = 1;\nid = \"d\";\nserial = 1;\ncreated = \"2026-01-01\";\n"
		 "rules = [\"rules/../a.rules\"];\n",
		 "not a name like", 0},
		{"format = 1;\nid = \"d\";\nserial = 1;\ncreated = \"2026-01-01\";\n"
		 "rules = [\"rules/.rules\"];\n",
		 "not a name like", 0},
		{"format = 1;\nid = \"d\";\nserial = 1;\ncreated = \"2026-01-01\";\n"
		 "rules = [\"rules/a.txt\"];\n",
		 "not a name like", 0},
		{"@include \"/etc/passwd\"\n" MANIFEST, "", 1},
		{"format = 1", "", 0},
		{"{", "", 1},
	};
	struct bundle_manifest *m = malloc(sizeof(*m));
	char *big = malloc(BUNDLE_MANIFEST_MAX + 2);
	struct diag d;

	assert_true(m != NULL && big != NULL);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int ret;

		memset(&d, 0, sizeof(d));
		ret = bundle_manifest_parse("m.cfg", cases[i].text, strlen(cases[i].text), m, &d);
		if (ret != (cases[i].error != NULL ? -EINVAL : 0))
			fail_msg("case %zu: %d %s", i, ret, d.text);
		if (ret == 0)
			continue;
		assert_contains(&d, cases[i].error);
		assert_string_equal(d.file, "m.cfg");
		if (cases[i].line != 0 && d.line != cases[i].line)
			fail_msg("case %zu: line %u: %s", i, d.line, d.text);
	}
	assert_int_equal(bundle_manifest_parse("m.cfg", "a\0b", 3, m, &d), -EINVAL);
	memset(big, ' ', BUNDLE_MANIFEST_MAX + 1);
	big[BUNDLE_MANIFEST_MAX + 1] = '\0';
	assert_int_equal(bundle_manifest_parse("m.cfg", big, BUNDLE_MANIFEST_MAX + 1, m, &d),
			 -EINVAL);
	assert_contains(&d, "256 KiB");
	free(big);
	free(m);
}

// In a bundle, the message names the bundle, the manifest and the line.
static void manifest_error_names_the_place(void **state)
{
	static const struct item items[] = {{"manifest.cfg", MANIFEST "sereal = 8;\n"},
					    {"rules/a.rules", RULE}};
	struct span a = make_archive(items, 2, ZSTD);
	struct bundle *b;
	struct diag d;

	assert_int_equal(read_signed(a, &b, &d), -EBADMSG);
	assert_contains(&d, "b.wgb/manifest.cfg:6:");
	free_span(a);
}

static void times(void **state)
{
	static const struct {
		const char *text;
		int64_t s; // -1: not a time
	} cases[] = {
		{"1970-01-01T00:00:00Z", 0},
		{"2026-11-23T13:00:00Z", 1795438800},
		{"2026-11-23", 1795392000},
		{"2028-02-29", 1835395200},
		{"9999-12-31T23:59:59Z", 253402300799},
		{"2027-02-29", -1},
		{"2026-13-01", -1},
		{"2026-00-01", -1},
		{"2026-11-31", -1},
		{"2026-11-00", -1},
		{"2026-11-23T24:00:00Z", -1},
		{"2026-11-23T13:60:00Z", -1},
		{"2026-11-23T13:00:60Z", -1},
		{"2026-11-23T13:00:00", -1},
		{"2026-11-23T13:00:00+", -1},
		{"2026-11-23 13:00:00Z", -1},
		{"2026-11-23T13:00:00.0Z", -1},
		{"1969-12-31", -1},
		{"-026-11-23", -1},
		{"2026/11/23", -1},
		{"20261123", -1},
		{"", -1},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int64_t s = -1;
		int ret = bundle_parse_time(cases[i].text, &s);

		if (ret != (cases[i].s < 0 ? -EINVAL : 0) || s != cases[i].s)
			fail_msg("%s: %d %lld", cases[i].text, ret, (long long)s);
	}
}

static void expiry(void **state)
{
	struct bundle *b = calloc(1, sizeof(*b));
	struct diag d;

	assert_non_null(b);
	assert_int_equal(bundle_check_expiry(b, INT64_MAX, &d), 0); // never
	strcpy(b->manifest.id, "demo");
	strcpy(b->manifest.expires, "2027-01-01T00:00:00Z");
	b->manifest.expires_s = 1000;
	assert_int_equal(bundle_check_expiry(b, 999, &d), 0);
	assert_int_equal(bundle_check_expiry(b, 1000, &d), -EKEYEXPIRED);
	assert_contains(&d, "2027-01-01");
	free(b);
}

static void serials(void **state)
{
	struct diag d;
	char *text;
	size_t len;

	assert_int_equal(mkdir(path("state"), 0755), 0);
	assert_int_equal(bundle_serial_check(path("state"), "demo", 1, &d), 0);
	assert_int_equal(bundle_serial_commit(path("state"), "demo", 5, &d), 0);
	assert_int_equal(bundle_serial_check(path("state"), "demo", 4, &d), -ESTALE);
	assert_contains(&d, "serial 4 is not newer than serial 5");
	assert_int_equal(bundle_serial_check(path("state"), "demo", 5, &d), -ESTALE);
	assert_int_equal(bundle_serial_check(path("state"), "demo", 6, &d), 0);
	assert_int_equal(bundle_serial_check(path("state"), "other", 1, &d), 0);
	assert_int_equal(bundle_serial_commit(path("state"), "demo", 3, &d), 0); // ratchet
	assert_int_equal(bundle_serial_check(path("state"), "demo", 4, &d), -ESTALE);
	assert_int_equal(bundle_serial_commit(path("state"), "demo", INT64_MAX, &d), 0);
	assert_int_equal(bundle_serial_check(path("state"), "demo", INT64_MAX, &d), -ESTALE);
	assert_int_equal(file_read(path("state/serial.demo"), 100, &text, &len, &d), 0);
	assert_string_equal(text, "9223372036854775807\n");
	free(text);
	assert_int_equal(bundle_serial_commit(path("nowhere"), "demo", 1, &d), -ENOENT);
}

static void damaged_serials(void **state)
{
	static const char *const texts[] = {"",
					    "\n",
					    "x\n",
					    "0\n",
					    "-1\n",
					    "5",
					    "5\n\n",
					    "5x\n",
					    " 5\n",
					    "5 \n",
					    "99999999999999999999\n"};
	struct diag d;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		put("serial.demo", texts[i], strlen(texts[i]));
		assert_int_equal(bundle_serial_check(dir, "demo", INT64_MAX, &d), -EBADMSG);
		assert_contains(&d, "serial.demo");
		assert_int_equal(bundle_serial_commit(dir, "demo", 9, &d), -EBADMSG);
	}
}

static void pack_refusals(void **state)
{
	static const struct {
		struct bundle_file file;
		const char *id, *created, *owner;
		int64_t serial;
		const char *error; // NULL: fine
	} cases[] = {
		{{"rules/a.rules", "", 0}, "demo", "2026-01-01", "me", 1, NULL},
		{{"rules/a.rules", "", 0}, "demo", "2026-01-01", "me", 4000000000, NULL},
		{{"rules/a.rules", "", 0}, "demo", "2026-01-01", "me", 0, "serial"},
		{{"rules/a.rules", "", 0}, "de mo", "2026-01-01", "me", 1, "id"},
		{{"rules/a.rules", "", 0}, "", "2026-01-01", "me", 1, "id"},
		{{"rules/a.rules", "", 0}, "de\nmo", "2026-01-01", "me", 1, "id"},
		{{"rules/a.rules", "", 0}, "demo", "today", "me", 1, "UTC"},
		{{"rules/a.rules", "", 0}, "demo", "2026-01-01", "a\nb", 1, "owner"},
		{{"rules/a.rules", "", 0}, "demo", "2026-01-01", "\x7f", 1, "owner"},
		{{"../a.rules", "", 0}, "demo", "2026-01-01", "me", 1, "not a name like"},
		{{"rules/a\".rules", "", 0}, "demo", "2026-01-01", "me", 1, ""},
		{{"rules/a.rules", "", BUNDLE_UNPACKED_MAX},
		 "demo",
		 "2026-01-01",
		 "",
		 1,
		 "too large"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct bundle_manifest *m = calloc(1, sizeof(*m));
		char *data = NULL;
		struct diag d = {""};
		size_t len;
		int ret;

		assert_non_null(m);
		m->serial = cases[i].serial;
		strcpy(m->id, cases[i].id);
		strcpy(m->created, cases[i].created);
		strcpy(m->owner, cases[i].owner);
		ret = bundle_pack(m, &cases[i].file, 1, &data, &len, &d);
		if ((ret == 0) != (cases[i].error == NULL))
			fail_msg("case %zu: %d %s", i, ret, d.text);
		if (ret < 0) {
			assert_contains(&d, cases[i].error);
		} else {
			struct bundle *b;

			assert_int_equal(read_signed(span_of(data, len), &b, &d), 0);
			assert_int_equal(b->manifest.serial, cases[i].serial);
			bundle_free(b);
		}
		free(data);
		free(m);
	}
}

static void pack_incompressible(void **state)
{
	enum { SIZE = 3 << 20 };
	struct bundle_manifest m = sample_manifest();
	char *text = malloc(SIZE + 1), *data;
	struct bundle_file file = {"rules/random.rules", text, SIZE};
	struct bundle *b;
	struct diag d;
	size_t len;

	assert_non_null(text);
	randombytes_buf(text, SIZE);
	assert_int_equal(bundle_pack(&m, &file, 1, &data, &len, &d), 0);
	assert_int_equal(bundle_pack(&m, &file, 0, &data, &len, &d), -EINVAL); // no rules
	assert_int_equal(read_signed(span_of(data, len), &b, &d), 0);
	assert_memory_equal(b->files[0].text, text, SIZE);
	bundle_free(b);
	free(data);
	free(text);
}

static int set_up(void **state)
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

static int tear_down(void **state)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trip),
		cmocka_unit_test(files),
		cmocka_unit_test(not_trusted),
		cmocka_unit_test(damaged),
		cmocka_unit_test(archives),
		cmocka_unit_test(packings),
		cmocka_unit_test(too_many_entries),
		cmocka_unit_test(too_large_packed),
		cmocka_unit_test(damaged_before_signing),
		cmocka_unit_test(manifests),
		cmocka_unit_test(manifest_error_names_the_place),
		cmocka_unit_test(times),
		cmocka_unit_test(expiry),
		cmocka_unit_test(serials),
		cmocka_unit_test(damaged_serials),
		cmocka_unit_test(pack_refusals),
		cmocka_unit_test(pack_incompressible),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}

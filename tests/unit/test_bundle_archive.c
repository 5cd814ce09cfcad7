// SPDX-License-Identifier: BSD-2-Clause
// Archives and manifests that are damaged, hostile or too large.
#include "tests/unit/bundlekit.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(damaged),
		cmocka_unit_test(archives),
		cmocka_unit_test(packings),
		cmocka_unit_test(too_many_entries),
		cmocka_unit_test(too_large_packed),
		cmocka_unit_test(damaged_before_signing),
		cmocka_unit_test(manifests),
		cmocka_unit_test(manifest_error_names_the_place),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}

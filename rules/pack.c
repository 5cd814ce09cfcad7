// SPDX-License-Identifier: BSD-2-Clause
// Making bundles. The manifest is written, then read back with the reader's own checks, so nothing is packed that
// bundle_read() would refuse. No owner, time or mode of the source files enters the archive.
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "rules/bundle.h"

enum {
	// Bytes of an archive beyond its files: tar headers and padding, the end, and what zstd adds at worst.
	ENTRY_OVERHEAD = 4096,
	END_OVERHEAD = 64 << 10,
};

// "key = "text";" with libconfig's escapes. False: text has a control character.
static bool write_text(FILE *out, const char *key, const char *text)
{
	fprintf(out, "%s = \"", key);
	for (const char *c = text; *c != '\0'; c++) {
		if ((*c > 0 && *c < 0x20) || *c == 0x7f)
			return false;
		if (*c == '"' || *c == '\\')
			fputc('\\', out);
		fputc(*c, out);
	}
	fprintf(out, "\";\n");
	return true;
}

// The files that are no rules, with their sizes and digests.
static void write_data(FILE *out, const struct bundle_file *files, uint32_t n_files)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < n_files; i++) {
		uint8_t digest[32];
		char hex[65];

		if (files[i].kind == BUNDLE_RULES)
			continue;
		crypto_hash_sha256(digest, (const uint8_t *)files[i].text, files[i].len);
		sodium_bin2hex(hex, sizeof(hex), digest, sizeof(digest));
		fprintf(out,
			"%s\n\t{ name = \"%s\"; kind = \"%s\"; size = %zuL;\n\t  sha256 = \"%s\"; "
			"}",
			n++ > 0 ? "," : "data = (", files[i].name, bundle_kind_names[files[i].kind],
			files[i].len, hex);
	}
	if (n > 0)
		fprintf(out, "\n);\n");
}

static bool write_manifest(FILE *out, const struct bundle_manifest *m,
			   const struct bundle_file *files, uint32_t n_files, struct diag *ret_diag)
{
	const struct {
		const char *key, *text;
	} texts[] = {
		{"created", m->created},           {"expires", m->expires},
		{"description", m->description},   {"owner", m->owner},
		{"authority", m->authority},       {"legal_basis", m->legal_basis},
		{"jurisdiction", m->jurisdiction},
	};

	uint32_t n_rules = 0;

	fprintf(out, "format = %d;\n", BUNDLE_FORMAT);
	if (!write_text(out, "id", m->id)) {
		diag_set(ret_diag, "", 0, 0, "id must be of [A-Za-z0-9._-]");
		return false;
	}
	fprintf(out, "serial = %lld%s;\n", (long long)m->serial, m->serial > INT32_MAX ? "L" : "");
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (texts[i].text[0] == '\0')
			continue;
		if (!write_text(out, texts[i].key, texts[i].text)) {
			diag_set(ret_diag, "", 0, 0,
				 "%s must be one line without control characters", texts[i].key);
			return false;
		}
	}
	fprintf(out, "rules = [");
	for (uint32_t i = 0; i < n_files; i++)
		if (files[i].kind == BUNDLE_RULES)
			fprintf(out, "%s\n\t\"%s\"", n_rules++ > 0 ? "," : "", files[i].name);
	fprintf(out, "\n];\n");
	write_data(out, files, n_files);
	return true;
}

// The text of manifest.cfg, checked. ret_text: malloc'ed.
static int make_manifest(const struct bundle_manifest *m, const struct bundle_file *files,
			 uint32_t n_files, char **ret_text, size_t *ret_len, struct diag *ret_diag)
{
	struct bundle_manifest *check = malloc(sizeof(*check));
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	int ret = -ENOMEM;

	if (out != NULL && check != NULL)
		ret = write_manifest(out, m, files, n_files, ret_diag) ? 0 : -EINVAL;
	if (out != NULL && fclose(out) != 0)
		ret = -ENOMEM;
	if (ret == 0)
		ret = bundle_manifest_parse("manifest", text, len, check, ret_diag);
	free(check);
	if (ret < 0) {
		free(text);
		return ret;
	}
	*ret_text = text;
	*ret_len = len;
	return 0;
}

static bool write_entry(struct archive *a, struct archive_entry *entry, const char *name,
			const char *text, size_t len)
{
	archive_entry_clear(entry);
	archive_entry_set_pathname(entry, name);
	archive_entry_set_filetype(entry, AE_IFREG);
	archive_entry_set_perm(entry, 0644);
	archive_entry_set_size(entry, (la_int64_t)len);
	archive_entry_set_mtime(entry, 0, 0);
	return archive_write_header(a, entry) == ARCHIVE_OK &&
	       (len == 0 || archive_write_data(a, text, len) == (la_ssize_t)len);
}

// Write the archive into buf. 0 or -EFBIG: it does not fit.
static int write_archive(char *buf, size_t size, size_t *ret_len, const char *manifest,
			 size_t manifest_len, const struct bundle_file *files, uint32_t n_files)
{
	struct archive *a = archive_write_new();
	struct archive_entry *entry = archive_entry_new();
	int ret = -ENOMEM;
	bool ok;

	if (a == NULL || entry == NULL || archive_write_add_filter_zstd(a) != ARCHIVE_OK ||
	    archive_write_set_format_pax_restricted(a) != ARCHIVE_OK ||
	    archive_write_open_memory(a, buf, size, ret_len) != ARCHIVE_OK)
		goto out;
	ok = write_entry(a, entry, "manifest.cfg", manifest, manifest_len);
	for (uint32_t i = 0; ok && i < n_files; i++)
		ok = write_entry(a, entry, files[i].name, files[i].text, files[i].len);
	ret = ok && archive_write_close(a) == ARCHIVE_OK ? 0 : -EFBIG;
out:
	archive_entry_free(entry);
	archive_write_free(a);
	return ret;
}

static int too_large(struct diag *ret_diag)
{
	diag_set(ret_diag, "", 0, 0,
		 "the rules are too large for a bundle: at most %d rule files, %d others, %d MiB "
		 "unpacked, %d MiB packed; split them into bundles with ids of their own",
		 BUNDLE_RULES_MAX, BUNDLE_DATA_MAX, (int)(BUNDLE_UNPACKED_MAX >> 20),
		 BUNDLE_MAX_BYTES >> 20);
	return -EFBIG;
}

int bundle_pack(const struct bundle_manifest *manifest, const struct bundle_file *files,
		uint32_t n_files, char **ret_data, size_t *ret_len, struct diag *ret_diag)
{
	size_t total = BUNDLE_MANIFEST_MAX, size, text_len;
	char *text, *data;
	int ret;

	if (n_files > BUNDLE_RULES_MAX + BUNDLE_DATA_MAX)
		return too_large(ret_diag);
	for (uint32_t i = 0; i < n_files; i++) {
		if (files[i].len > (uint64_t)BUNDLE_UNPACKED_MAX - total)
			return too_large(ret_diag);
		total += files[i].len;
	}
	ret = make_manifest(manifest, files, n_files, &text, &text_len, ret_diag);
	if (ret < 0)
		return ret;
	size = total + total / 128 + (n_files + 1) * (size_t)ENTRY_OVERHEAD + END_OVERHEAD;
	if (size > BUNDLE_MAX_BYTES)
		size = BUNDLE_MAX_BYTES;
	data = malloc(size);
	ret = data == NULL ? -ENOMEM
			   : write_archive(data, size, ret_len, text, text_len, files, n_files);
	free(text);
	if (ret < 0) {
		free(data);
		if (ret == -EFBIG)
			too_large(ret_diag);
		else
			diag_set(ret_diag, "", 0, 0, "not enough memory to pack the rules");
		return ret;
	}
	*ret_data = data;
	return 0;
}

int bundle_embed(struct span archive, struct span sig, char **ret_data, size_t *ret_len)
{
	uint8_t *p;

	if (archive.len > BUNDLE_MAX_BYTES || sig.len == 0 || sig.len > SIG_SET_BYTES)
		return -EFBIG;
	p = malloc(8 + sig.len + archive.len);
	if (p == NULL)
		return -ENOMEM;
	memcpy(p, "WGB1", 4);
	p[4] = (uint8_t)sig.len;
	p[5] = (uint8_t)(sig.len >> 8);
	p[6] = (uint8_t)(sig.len >> 16);
	p[7] = (uint8_t)(sig.len >> 24);
	memcpy(p + 8, sig.data, sig.len);
	if (archive.len > 0)
		memcpy(p + 8 + sig.len, archive.data, archive.len);
	*ret_data = (char *)p;
	*ret_len = 8 + sig.len + archive.len;
	return 0;
}

// SPDX-License-Identifier: BSD-2-Clause
// Reading bundles: envelope, signature, archive, manifest, in this order and each only if the one before was right.
//
// The file is in memory from before the verification to after the last byte read, so that what was verified is what
// is read. A bundle that is signed may still be wrong or hostile (a stolen key, a broken tool): the archive reader
// knows one format and one compression, every entry is checked before its bytes are read, and all sizes are bounded.
#include "rules/bundle.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rules/file.h"
#include "rules/list_make.h"

#define MANIFEST_NAME "manifest.cfg"

enum {
	ENVELOPE_BYTES = 8, // "WGB1" and the length

};

struct entry {
	char name[BUNDLE_NAME_MAX];
	char *text; // a NUL follows the len bytes
	size_t len;
};

struct reader {
	const char *name; // of the bundle, for messages
	struct archive *archive;
	struct entry v[BUNDLE_ENTRIES_MAX];
	uint32_t n;
	size_t total; // bytes of all entries
};

int bundle_split(const char *name, struct span data, struct span *ret_archive, struct span *ret_sig,
		 struct diag *ret_diag)
{
	uint32_t len;

	if (!span_eq(span_first(data, 4), SPAN_LIT("WGB1"))) {
		*ret_archive = data;
		*ret_sig = SPAN_NONE;
		return 0;
	}
	if (data.len < ENVELOPE_BYTES) {
		diag_set(ret_diag, name, 0, 0, "is cut after %zu bytes: fetch it again", data.len);
		return -EBADMSG;
	}
	len = data.data[4] | (uint32_t)data.data[5] << 8 | (uint32_t)data.data[6] << 16 |
	      (uint32_t)data.data[7] << 24;
	if (len == 0 || len > SIG_SET_BYTES || len > data.len - ENVELOPE_BYTES) {
		diag_set(ret_diag, name, 0, 0,
			 "is damaged: its signature cannot be %u bytes long; fetch it again", len);
		return -EBADMSG;
	}
	*ret_sig = span_first(span_from(data, ENVELOPE_BYTES), len);
	*ret_archive = span_from(data, ENVELOPE_BYTES + (size_t)len);
	return 0;
}

static struct entry *find_entry(struct reader *r, const char *name)
{
	for (uint32_t i = 0; i < r->n; i++)
		if (strcmp(r->v[i].name, name) == 0)
			return &r->v[i];
	return NULL;
}

// May this entry be read? What is wrong with it, or NULL.
static const char *entry_problem(struct reader *r, struct archive_entry *entry)
{
	const char *name = archive_entry_pathname(entry);

	if (name == NULL || !bundle_name_is_valid(name))
		return "is not a plain relative name of at most 127 characters [A-Za-z0-9._/-]";
	if (archive_entry_hardlink(entry) != NULL || archive_entry_symlink(entry) != NULL ||
	    archive_entry_filetype(entry) != AE_IFREG || archive_entry_sparse_count(entry) > 0)
		return "is not a regular file";
	if (find_entry(r, name) != NULL)
		return "is there twice";
	return NULL;
}

static int read_entry(struct reader *r, struct archive_entry *entry, struct diag *ret_diag)
{
	const char *problem = entry_problem(r, entry);
	int64_t size = archive_entry_size(entry);
	char clean[BUNDLE_NAME_MAX];
	struct entry *e;

	if (problem != NULL) {
		diag_set(ret_diag, r->name, 0, 0, "entry \"%s\" %s",
			 bundle_clean_name(clean, archive_entry_pathname(entry)), problem);
		return -EBADMSG;
	}
	if (r->n == BUNDLE_ENTRIES_MAX || size < 0 ||
	    (uint64_t)size > BUNDLE_UNPACKED_MAX - r->total) {
		diag_set(ret_diag, r->name, 0, 0,
			 "unpacks to more than %d files or %d MiB, the most a bundle may have",
			 BUNDLE_ENTRIES_MAX, (int)(BUNDLE_UNPACKED_MAX >> 20));
		return -EFBIG;
	}
	e = &r->v[r->n];
	e->text = malloc((size_t)size + 1);
	if (e->text == NULL)
		return -ENOMEM;
	r->n++; // owned from here on
	snprintf(e->name, sizeof(e->name), "%s", archive_entry_pathname(entry));
	while (e->len < (size_t)size) {
		la_ssize_t n =
			archive_read_data(r->archive, e->text + e->len, (size_t)size - e->len);

		if (n <= 0) {
			diag_set(ret_diag, r->name, 0, 0, "entry \"%s\" is cut or damaged: %s",
				 e->name, n < 0 ? archive_error_string(r->archive) : "too short");
			return -EBADMSG;
		}
		e->len += (size_t)n;
	}
	e->text[e->len] = '\0';
	r->total += e->len;
	return 0;
}

static int read_entries(struct reader *r, struct span archive, struct diag *ret_diag)
{
	struct archive_entry *entry;
	int ret;

	if (archive_read_support_format_tar(r->archive) != ARCHIVE_OK ||
	    archive_read_support_filter_zstd(r->archive) != ARCHIVE_OK)
		return -ENOMEM;
	ret = archive_read_open_memory(r->archive, archive.data, archive.len);
	while (ret == ARCHIVE_OK) {
		int error;

		ret = archive_read_next_header(r->archive, &entry);
		if (ret != ARCHIVE_OK)
			break;
		// one layer of zstd, no more: the count includes the source
		if (archive_filter_count(r->archive) != 2 ||
		    archive_filter_code(r->archive, 0) != ARCHIVE_FILTER_ZSTD) {
			diag_set(ret_diag, r->name, 0, 0, "is not a tar archive packed with zstd");
			return -EBADMSG;
		}
		error = read_entry(r, entry, ret_diag);
		if (error < 0)
			return error;
	}
	if (ret == ARCHIVE_EOF)
		return 0;
	diag_set(ret_diag, r->name, 0, 0, "is not a valid tar+zstd archive: %s",
		 archive_error_string(r->archive));
	return -EBADMSG;
}

// Hand one file that the manifest lists from the reader to the bundle.
static int take_file(struct reader *r, struct bundle *b, const char *name, enum bundle_kind kind,
		     struct bundle_file *ret_file, struct diag *ret_diag)
{
	struct entry *e = find_entry(r, name);

	if (e == NULL) {
		diag_set(ret_diag, r->name, 0, 0, MANIFEST_NAME " lists %s, which is not there",
			 name);
		return -EBADMSG;
	}
	*ret_file = (struct bundle_file){name, e->text, e->len, kind};
	b->texts[b->n_texts++] = e->text;
	e->text = NULL;
	return 0;
}

// Is a data file what the manifest says of it?
static int check_data(struct reader *r, const struct bundle_data *d, const struct bundle_file *file,
		      struct diag *ret_diag)
{
	uint8_t digest[32], want[32];

	crypto_hash_sha256(digest, (const uint8_t *)file->text, file->len);
	list_hex(d->sha256, sizeof(want), want); // the manifest was checked
	if ((uint64_t)d->size == file->len && memcmp(digest, want, sizeof(want)) == 0)
		return 0;
	diag_set(ret_diag, r->name, 0, 0,
		 "%s is not the file of %lld bytes that " MANIFEST_NAME " lists", d->name,
		 (long long)d->size);
	return -EBADMSG;
}

static int take_files(struct reader *r, struct bundle *b, struct diag *ret_diag)
{
	const struct bundle_manifest *m = &b->manifest;
	int ret = 0;

	for (uint32_t i = 0; i < m->n_rules && ret == 0; i++, b->n_files += ret == 0)
		ret = take_file(r, b, m->rules[i], BUNDLE_RULES, &b->files[i], ret_diag);
	for (uint32_t i = 0; i < m->n_data && ret == 0; i++, b->n_data += ret == 0) {
		ret = take_file(r, b, m->data[i].name, (enum bundle_kind)m->data[i].kind,
				&b->data[i], ret_diag);
		if (ret == 0)
			ret = check_data(r, &m->data[i], &b->data[i], ret_diag);
	}
	if (ret < 0)
		return ret;
	for (uint32_t i = 0; i < r->n; i++)
		if (r->v[i].text != NULL && strcmp(r->v[i].name, MANIFEST_NAME) != 0) {
			diag_set(ret_diag, r->name, 0, 0,
				 "has %s, which " MANIFEST_NAME " does not list", r->v[i].name);
			return -EBADMSG;
		}
	return 0;
}

static int read_archive(struct reader *r, struct span archive, struct bundle *b,
			struct diag *ret_diag)
{
	char manifest_name[256];
	struct entry *manifest;
	int ret = read_entries(r, archive, ret_diag);

	if (ret < 0)
		return ret;
	manifest = find_entry(r, MANIFEST_NAME);
	if (manifest == NULL) {
		diag_set(ret_diag, r->name, 0, 0, "has no " MANIFEST_NAME);
		return -EBADMSG;
	}
	snprintf(manifest_name, sizeof(manifest_name), "%s/" MANIFEST_NAME, r->name);
	ret = bundle_manifest_parse(manifest_name, manifest->text, manifest->len, &b->manifest,
				    ret_diag);
	if (ret < 0)
		return ret == -EINVAL ? -EBADMSG : ret;
	return take_files(r, b, ret_diag);
}

static int unpack(const char *name, struct span archive, struct bundle *b, struct diag *ret_diag)
{
	struct reader *r = calloc(1, sizeof(*r));
	int ret = -ENOMEM;

	if (r != NULL)
		r->archive = archive_read_new();
	if (r != NULL && r->archive != NULL) {
		r->name = name;
		ret = read_archive(r, archive, b, ret_diag);
		archive_read_free(r->archive);
		for (uint32_t i = 0; i < r->n; i++)
			free(r->v[i].text);
	}
	free(r);
	if (ret == -ENOMEM)
		diag_set(ret_diag, name, 0, 0, "not enough memory to unpack it");
	return ret;
}

int bundle_read(const char *name, struct span data, struct span detached,
		const struct sig_trust *trust, struct bundle **ret_bundle, struct diag *ret_diag)
{
	struct span archive, sig;
	struct bundle *b;
	int ret;

	if (bundle_split(name, data, &archive, &sig, ret_diag) < 0)
		return -EKEYREJECTED;
	if (archive.len > BUNDLE_MAX_BYTES) {
		diag_set(ret_diag, name, 0, 0, "has more than %u MiB, the most a bundle may have",
			 BUNDLE_MAX_BYTES >> 20);
		return -EFBIG;
	}
	if (sig.len == 0)
		sig = detached;
	if (sig.len == 0) {
		diag_set(ret_diag, name, 0, 0,
			 "is not signed: sign it with 'wireglass rules sign', or put its .minisig "
			 "file beside it");
		return -EKEYREJECTED;
	}
	b = calloc(1, sizeof(*b));
	if (b == NULL) {
		diag_set(ret_diag, name, 0, 0, "not enough memory to read it");
		return -ENOMEM;
	}
	ret = sig_verify(name, archive, sig, trust, &b->signer, ret_diag);
	if (ret == 0) {
		crypto_hash_sha256(b->digest, archive.data, archive.len);
		ret = unpack(name, archive, b, ret_diag);
	}
	if (ret < 0)
		bundle_free(b);
	else
		*ret_bundle = b;
	return ret;
}

void bundle_free(struct bundle *b)
{
	if (b == NULL)
		return;
	for (uint32_t i = 0; i < b->n_texts; i++)
		free(b->texts[i]);
	free(b);
}

// The signature text beside an archive.
static int read_detached(const char *path, char **ret_text, size_t *ret_len, struct diag *ret_diag)
{
	char sig_path[4096];
	int ret;

	snprintf(sig_path, sizeof(sig_path), "%s.minisig", path);
	ret = file_read(sig_path, SIG_SET_BYTES, ret_text, ret_len, ret_diag);
	if (ret == -ENOENT) {
		diag_set(ret_diag, path, 0, 0,
			 "is not signed: it has no signature inside and there is no %s; sign it "
			 "with 'wireglass rules sign'",
			 sig_path);
		return -EKEYREJECTED;
	}
	return ret;
}

int bundle_load(const char *path, char **ret_data, size_t *ret_len, struct diag *ret_diag)
{
	char *data, *sig_text, *whole;
	struct span archive, sig;
	size_t len, sig_len;
	int ret = file_read(path, BUNDLE_FILE_MAX, &data, &len, ret_diag);

	if (ret < 0)
		return ret;
	ret = bundle_split(path, span_of(data, len), &archive, &sig, ret_diag);
	if (ret == 0 && sig.len != 0) { // it is what is wanted
		*ret_data = data;
		*ret_len = len;
		return 0;
	}
	if (ret == 0)
		ret = read_detached(path, &sig_text, &sig_len, ret_diag);
	if (ret == 0) {
		ret = bundle_embed(archive, span_of(sig_text, sig_len), &whole, ret_len);
		if (ret == 0)
			*ret_data = whole;
		else
			diag_set(ret_diag, path, 0, 0, "with its signature is too large");
		free(sig_text);
	}
	free(data);
	return ret;
}

int bundle_read_file(const char *path, const struct sig_trust *trust, struct bundle **ret_bundle,
		     struct diag *ret_diag)
{
	size_t len;
	char *data;
	int ret = bundle_load(path, &data, &len, ret_diag);

	if (ret < 0)
		return ret == -EBADMSG ? -EKEYREJECTED : ret;
	ret = bundle_read(path, span_of(data, len), SPAN_NONE, trust, ret_bundle, ret_diag);
	free(data);
	return ret;
}

int bundle_check_expiry(const struct bundle *b, int64_t now_s, struct diag *ret_diag)
{
	if (b->manifest.expires_s == 0 || now_s < b->manifest.expires_s)
		return 0;
	diag_set(ret_diag, "", 0, 0,
		 "bundle %s serial %lld has expired at %s: get a newer one from its publisher%s",
		 b->manifest.id, (long long)b->manifest.serial, b->manifest.expires,
		 b->manifest.created_s > now_s ? ", and check this machine's clock" : "");
	return -EKEYEXPIRED;
}

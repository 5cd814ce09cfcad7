// SPDX-License-Identifier: BSD-2-Clause
// What others publish -> the lists of dataset and filemd5: plain and CSV lists of digests, hosts and URLs, and JSON exports in
// the style of ThreatExchange and HMA. Every byte of it is hostile: lines, fields, depth and memory are bounded.
#ifndef RULES_IMPORT_H
#define RULES_IMPORT_H

#include <stdio.h>

#include "common/diag.h"
#include "common/span.h"
#include "rules/lines.h"

enum import_kind {
	IMPORT_MD5,
	IMPORT_SHA1,
	IMPORT_SHA256,
	IMPORT_HOST, // lower case, without port
	IMPORT_URL,  // host and path as http.url has them
	IMPORT_KIND_N
};

enum {
	IMPORT_REFUSED_MAX = 100, // kept with their place; all are counted
	IMPORT_LINE_MAX = 64 << 10,
	IMPORT_TEXT_MAX = 8 << 10, // of a URL
	IMPORT_JSON_MAX = 256 << 20,
	IMPORT_ENTRIES_MAX = 1 << 27,
};

struct import_refused {
	char file[128];
	unsigned int line; // 0: unknown, in JSON
	char why[128];
};

// Entries, each with its length before it.
struct import_set {
	uint8_t *bytes;
	size_t len, cap;
	struct import_key {
		uint64_t start; // the entry's first bytes, to sort by
		uint64_t at;    // in bytes
	} * key;
	uint32_t n, key_cap;
};

// Init to zero; release with import_done().
struct import {
	unsigned int want; // bit per kind that is taken, 0: all of them
	struct import_set set[IMPORT_KIND_N];
	// Lines or JSON objects with something to take; entries of them that were there already; what could not be taken;
	// what the publisher has withdrawn.
	uint64_t read, duplicates, refused, withdrawn;
	struct import_refused first[IMPORT_REFUSED_MAX];
	uint32_t n_first;
	void (*progress)(void *ctx, const struct import *im); // every 10,000 read; may be NULL
	void *progress_ctx;
};

extern const char
	*const import_kind_names[]; // NULL at the end: also the endings of the lists' files

void import_done(struct import *im);

// The kind of a name like "sha256", "HASH_VIDEO_MD5", "md5_hash", "url", "domain"; -ENOENT: unknown; -ENOTSUP: a kind of
// hash that no file can be compared with byte by byte (PhotoDNA, PDQ and their like).
int import_kind_of(struct span name);

// Why -ENOTSUP.
extern const char import_not_exact[];

// Take what is in a file; JSON is told by its first byte. name is for messages.
// 0, -ENOMEM, -EFBIG, -EBADMSG (JSON that is none) with ret_diag, and what read returned.
int import_read(struct import *im, const char *name, lines_read_fn *read, void *ctx,
		struct diag *ret_diag);

// Sort; duplicates go, and are counted.
void import_sort(struct import *im);

// The file of one kind: digests in hexadecimal, the others in base64.
void import_write(const struct import *im, enum import_kind kind, FILE *out);

// --- for rules/import_json.c ---

// Take one value of a known kind, or of the kind that its form says (kind -1). 0 or -ENOMEM, -EFBIG; what cannot be
// taken is refused.
int import_value(struct import *im, const char *name, unsigned int line, int kind, struct span s);
void import_refuse(struct import *im, const char *name, unsigned int line, const char *why);
void import_count(struct import *im);
int import_json(struct import *im, const char *name, struct span text, struct diag *ret_diag);

#endif

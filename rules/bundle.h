// SPDX-License-Identifier: BSD-2-Clause
// Rule bundles: a tar+zstd archive with manifest.cfg, rule files and what these use, signed as a whole (docs/BUNDLES.md).
//
//   detached:  demo.wgb = archive                    demo.wgb.minisig = signature text
//   embedded:  demo.wgb = "WGB1" | u32 le: bytes of the signature text | signature text | archive
//
// In both forms the signature is over the bytes of the archive, and nothing of the archive is looked at before it
// has been verified.
#ifndef RULES_BUNDLE_H
#define RULES_BUNDLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/diag.h"
#include "common/span.h"
#include "rules/parse.h"
#include "rules/sig.h"

enum {
	BUNDLE_FORMAT = 1,
	BUNDLE_MAX_BYTES =
		512
		<< 20, // as stored; a 50k rule set packs to about 3 MB, 10 million SHA-256 to 340 MB
	BUNDLE_FILE_MAX = BUNDLE_MAX_BYTES + 8 + SIG_SET_BYTES, // the embedded form
	BUNDLE_ENTRIES_MAX = 1000,
	BUNDLE_MANIFEST_MAX = 256 << 10,
	BUNDLE_RULES_MAX = 256, // rule files
	BUNDLE_DATA_MAX = 256,  // files that rules use
	BUNDLE_NAME_MAX = 128,  // of a file in the archive with its NUL
	BUNDLE_ID_MAX = 64,     // of a bundle id with its NUL
	BUNDLE_TEXT_MAX = 512,  // of the free texts with their NUL
};
#define BUNDLE_UNPACKED_MAX (INT64_C(2) << 30) // all files together

enum bundle_kind {
	BUNDLE_RULES,
	BUNDLE_LIST,           // lists/..., which rules name
	BUNDLE_CLASSIFICATION, // config/...
	BUNDLE_THRESHOLD,      // config/...
	BUNDLE_SELFTEST, // tests/...: what rules must match and must not (dataplane/vectors.h)
};
extern const char *const bundle_kind_names[]; // NULL at the end

// A file of another kind than BUNDLE_RULES.
struct bundle_data {
	char name[BUNDLE_NAME_MAX];
	int kind; // enum bundle_kind
	int64_t size;
	char sha256[65]; // of its bytes, hexadecimal
};

// manifest.cfg. Texts are "" if left out.
struct bundle_manifest {
	int64_t format; // BUNDLE_FORMAT
	char id[BUNDLE_ID_MAX]; // the channel: serials are compared within it. [A-Za-z0-9._-], not starting with '.'
	int64_t serial;    // 1 or more; every release of a channel has a higher one
	char created[32];  // "2026-11-23T13:00:00Z"
	char expires[32];  // the same, "" if never
	int64_t created_s; // Unix time
	int64_t expires_s; // Unix time, 0 if never
	char description[BUNDLE_TEXT_MAX];
	char owner[BUNDLE_TEXT_MAX];        // who answers for it
	char authority[BUNDLE_TEXT_MAX];    // who ordered it
	char legal_basis[BUNDLE_TEXT_MAX];  // on what ground
	char jurisdiction[BUNDLE_TEXT_MAX]; // of which country's law
	uint32_t n_rules;
	char rules[BUNDLE_RULES_MAX][BUNDLE_NAME_MAX]; // "rules/web.rules", in loading order
	uint32_t n_data;
	struct bundle_data data[BUNDLE_DATA_MAX];
};

struct bundle_file {
	const char *name; // as in the manifest
	const char *text; // any bytes; a NUL follows the len bytes
	size_t len;
	enum bundle_kind kind;
};

// A bundle that was verified and read.
struct bundle {
	struct bundle_manifest manifest;
	struct sig_info signer;
	uint8_t digest[32]; // SHA-256 of the archive
	uint32_t n_files;   // the rule files, in the manifest's order
	struct bundle_file files[BUNDLE_RULES_MAX];
	uint32_t n_data;
	struct bundle_file data[BUNDLE_DATA_MAX]; // the others
	uint32_t n_texts;
	char *texts[BUNDLE_RULES_MAX + BUNDLE_DATA_MAX]; // what their text points to
};

// Verify and read a bundle in memory (either form). name is for messages; detached: text of the .minisig, or empty for
// the embedded form. The bundle keeps nothing of data.
// 0; -EKEYREJECTED: not signed by a trusted key; -EBADMSG: signed, but not a valid bundle; -EFBIG: over a limit above;
// -ENOMEM. ret_diag says what is wrong and where. Free with bundle_free().
int bundle_read(const char *name, struct span data, struct span detached,
		const struct sig_trust *trust, struct bundle **ret_bundle, struct diag *ret_diag);

// The same for a file; the signature of the detached form is in path.minisig. Other negative errno if it cannot be read.
int bundle_read_file(const char *path, const struct sig_trust *trust, struct bundle **ret_bundle,
		     struct diag *ret_diag);

void bundle_free(struct bundle *b);

// Parse what a bundle holds: classifications, rules, thresholds. The set's lists are opened from the bundle by
// bundle_open_list(), which the caller has set. 0 or -ENOMEM.
int bundle_parse(const struct bundle *b, struct rules *rs, const struct rule_var *vars,
		 rules_report_fn *report, void *ctx);

// Read a bundle file as its embedded form, taking the signature from path.minisig if it has none inside. Nothing is
// verified. 0, -EKEYREJECTED if there is no signature, other negative errno. ret_data: malloc'ed.
int bundle_load(const char *path, char **ret_data, size_t *ret_len, struct diag *ret_diag);

// 0, or -EKEYEXPIRED with ret_diag if the bundle has expired at now_s (Unix time).
int bundle_check_expiry(const struct bundle *b, int64_t now_s, struct diag *ret_diag);

// Parse the text of a manifest. 0 or -EINVAL with ret_diag: name, line, key and remedy.
int bundle_manifest_parse(const char *name, const char *text, size_t len,
			  struct bundle_manifest *ret_manifest, struct diag *ret_diag);

// Relative, of [A-Za-z0-9._/-], no empty, "." or ".." component, shorter than BUNDLE_NAME_MAX?
bool bundle_name_is_valid(const char *name);

// A name for a message: what is not printable ASCII becomes '?'. Returns buf.
const char *bundle_clean_name(char buf[BUNDLE_NAME_MAX], const char *name);

// The name in a bundle of the list that rules call name: "lists/" before it unless it stands there. False: too long.
bool bundle_list_name(const char *name, char ret_name[BUNDLE_NAME_MAX]);

// A rule_files.open() for rules of a bundle: the bundle is its ctx.
int bundle_open_list(void *ctx, const char *rule_file, const char *name,
		     struct rule_source *ret_source, struct diag *ret_diag);

// Parse "2026-11-23T13:00:00Z" or "2026-11-23" (start of that day) as UTC. 0 or -EINVAL.
int bundle_parse_time(const char *text, int64_t *ret_s);

// Anti-rollback. The highest serial ever accepted per id is kept in state_dir/serial.<id>.
//
// 0 if serial is higher than that. -ESTALE if not, -EBADMSG if the record is damaged, other negative errno; ret_diag
// says what was last accepted.
int bundle_serial_check(const char *state_dir, const char *id, uint64_t serial,
			struct diag *ret_diag);

// Record that serial was accepted; durable when it returns. A record that is higher stays.
int bundle_serial_commit(const char *state_dir, const char *id, uint64_t serial,
			 struct diag *ret_diag);

// Make an archive of the files and a manifest that lists them ("rules/web.rules", "lists/bad.md5"), the rules in this
// order; its format, rules, data and *_s fields are not looked at. The same input gives the same bytes.
// 0 (ret_data malloc'ed), -EINVAL (ret_diag: what bundle_read() would refuse), -EFBIG, -ENOMEM.
int bundle_pack(const struct bundle_manifest *manifest, const struct bundle_file *files,
		uint32_t n_files, char **ret_data, size_t *ret_len, struct diag *ret_diag);

// The embedded form of an archive and its signature text. 0 (ret_data malloc'ed), -EFBIG or -ENOMEM.
int bundle_embed(struct span archive, struct span sig, char **ret_data, size_t *ret_len);

// Take a bundle file apart: the archive, and the signature text inside (empty if it has none).
// 0 or -EBADMSG (ret_diag). The spans point into data.
int bundle_split(const char *name, struct span data, struct span *ret_archive, struct span *ret_sig,
		 struct diag *ret_diag);

#endif

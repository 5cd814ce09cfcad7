// SPDX-License-Identifier: BSD-2-Clause
// The audit log: who asked wireglassd for what, and what became of it, so that nothing in it can be changed unnoticed.
//
//   STATE/audit.jsonl  one entry a line, canonical JSON (members sorted, no blanks: RFC 8785), only ever appended to
//   STATE/audit.head   the last entry that was acknowledged: number, end in the file, hash; signed
//   STATE/audit.key    secret key of this installation (mode 0600), made at the first start
//   STATE/audit.pub    its public half, in minisign's format: to verify with, here or elsewhere
//
// An entry: {"action", "hash", "n", "object", "of", "pid", "prev", "reason", "result", "sig", "time", "uid"}. n counts from
// 1. hash is the SHA-256 of the line without hash and sig, prev the hash of the entry before (zeros at first), sig the
// Ed25519 signature over the hash. of names the entry of the request that this one tells the end of. The head is
// signed apart from the entries, so that a log that was cut at an entry needs a head that the key never signed.
#ifndef CONTROL_AUDIT_H
#define CONTROL_AUDIT_H

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "common/diag.h"
#include "rules/sig.h"

enum {
	AUDIT_PATH_BYTES = 300,
	AUDIT_LINE_MAX = 65536, // with its newline; ours are below 8 KiB
	AUDIT_HASH_TEXT = 65,
};

// Who asked. Ourselves: what happened without being asked for.
struct audit_actor {
	uid_t uid;
	pid_t pid;
};

struct audit_entry {
	const char *action; // "rules load"
	const char *result; // "begun", "done", "refused", "failed"
	const char *reason; // why not; NULL: none
	struct audit_actor actor;
	uint64_t of;    // entry of the request, 0: none
	json_t *object; // what it was about; stolen, also on failure. NULL: nothing to say
};

struct audit {
	int fd;                          // -1: not open
	char dir[AUDIT_PATH_BYTES - 32]; // state_dir
	char path[AUDIT_PATH_BYTES], head_path[AUDIT_PATH_BYTES], key_path[AUDIT_PATH_BYTES];
	struct sig_public key; // the secret one is read for every entry: no child inherits it
	uint64_t n, bytes;     // entries and their bytes
	char hash[AUDIT_HASH_TEXT];
	uint64_t failures; // entries that could not be written
	char error[600];   // why not, "" when it works
};

// Open or begin the log in state_dir. A torn end that was never acknowledged is cut off; a log that does not go with its
// head is set aside (audit.jsonl.bad-TIME) and a new one begins. Both are the first entry of what follows.
// 0 or negative errno with ret_diag: audit_append() tries again.
int audit_open(struct audit *a, const char *state_dir, struct diag *ret_diag);
void audit_close(struct audit *a); // accepts one that is not open, but not one of zeros

// Append an entry; it is on disk, and the head with it, when this returns. 0 or negative errno: then there is no such entry,
// and a->error says why.
int audit_append(struct audit *a, const struct audit_entry *e);

struct audit_actor audit_self(void);

// What audit_verify() found.
struct audit_report {
	uint64_t entries; // in order, from the first one in the file
	uint64_t first;   // number of the first one
	uint64_t bad;     // number of the entry that is not in order, 0: none
	char problem[400];
	char note[200]; // an end that was never acknowledged
	char hash[AUDIT_HASH_TEXT];
	char key[SIG_ID_TEXT];
};

typedef void audit_entry_fn(void *ctx, const json_t *entry, const char *line);

// Verify a log, or a part of one, and hand every entry that is in order to fn (may be NULL). head NULL: only the
// entries. expect_n 0: none; else entry expect_n must be there with expect_hash, as it was noted elsewhere.
// 0, -EBADMSG: something is not in order, see the report; -ENOMEM. ret_report is filled in any case.
int audit_verify(FILE *log, FILE *head, const struct sig_public *key, uint64_t expect_n,
		 const char *expect_hash, audit_entry_fn *fn, void *ctx,
		 struct audit_report *ret_report);

// For audit.c and audit_verify.c: hashes, lines, signatures.
#define AUDIT_DOMAIN_ENTRY "wireglass audit entry 1\n"
#define AUDIT_DOMAIN_HEAD  "wireglass audit head 1\n"
#define AUDIT_ZERO_HASH    "0000000000000000000000000000000000000000000000000000000000000000"

// Canonical text of json without its hash and sig, and the SHA-256 of it. false: out of memory.
bool audit_hash(const json_t *json, char ret_hash[AUDIT_HASH_TEXT]);
// Does line (without newline) say json in canonical form, with the right hash, signed by key in this domain?
// NULL, or what is wrong.
const char *audit_check(const char *line, size_t len, const char *domain,
			const struct sig_public *key, json_t **ret_json);
// Add hash and sig. 0, -ENOMEM.
int audit_seal(json_t *json, const char *domain, const struct sig_secret *key);

struct audit_head {
	uint64_t n, bytes;
	char hash[AUDIT_HASH_TEXT]; // of the entry n
};
// NULL, or what is wrong with the text of a head.
const char *audit_head_parse(const char *text, size_t len, const struct sig_public *key,
			     struct audit_head *ret_head);

#endif

// SPDX-License-Identifier: BSD-2-Clause
// Signatures in minisign's file format: Ed25519 over the BLAKE2b-512 hash of the data, with a trusted comment.
//
// Keys and signatures are interchangeable with the minisign program. Only the prehashed algorithm "ED" is made and
// accepted: the older "Ed" signs the data itself, and two ways to sign the same bytes are one too many.
#ifndef RULES_SIG_H
#define RULES_SIG_H

#include <stddef.h>
#include <stdint.h>

#include "common/diag.h"
#include "common/span.h"

enum {
	SIG_TEXT_MAX = 4096,    // of one signature or key file; ours are about 300 bytes
	SIG_SET_MAX = 16,       // signatures over the same data
	SIG_SET_BYTES = 32768,  // of them all, one text behind the other
	SIG_COMMENT_MAX = 1024, // of a trusted comment with its NUL
	SIG_KEYS_MAX = 64,      // trusted at a time
	SIG_ID_TEXT = 17,       // a key id as text with its NUL
};

struct sig_public {
	uint8_t id[8];
	uint8_t key[32];
	char file[256]; // where it came from, for messages
};

// The keys whose signatures count. Init to zero.
struct sig_trust {
	uint32_t need; // how many different ones must have signed; 0 is 1
	uint32_t n;
	struct sig_public v[SIG_KEYS_MAX];
};

struct sig_secret {
	uint8_t id[8];
	uint8_t key[64]; // wipe with sodium_memzero() when done
};

// What a signature that verified says.
struct sig_info {
	struct sig_public key;         // that made the first one
	char comment[SIG_COMMENT_MAX]; // its trusted comment: signed too, printable
	uint32_t n;                    // trusted keys that signed
	uint8_t ids[SIG_SET_MAX][8];   // of them
};

// A key id as minisign prints it: 16 upper case hex digits. Returns buf.
const char *sig_id_text(char buf[SIG_ID_TEXT], const uint8_t id[8]);

// Make a key pair: the secret key in secret_path (mode 0600), the public one in public_path (0644). Neither may exist.
// password NULL: the secret key is stored in clear, as "minisign -G -W" does; otherwise encrypted with scrypt,
// taking kdf_bytes of memory (0: minisign's own cost, 1 GiB).
// 0 (ret_key filled) or negative errno with ret_diag.
int sig_keygen(const char *secret_path, const char *public_path, const char *password,
	       uint64_t kdf_bytes, struct sig_public *ret_key, struct diag *ret_diag);

// Add the public key in the file path, or those in the *.pub files of the folder path. A key that is there already is
// not added again. 0, -ENOKEY if the folder has none, -EBADMSG, -ENOSPC and other negative errno with ret_diag.
int sig_trust_add(struct sig_trust *io_trust, const char *path, struct diag *ret_diag);

// Read a secret key. 0; -ENOKEY: it is encrypted and password is NULL; -EKEYREJECTED: wrong password or damaged;
// -EBADMSG: no key file; other negative errno. ret_diag says which file.
int sig_secret_read(const char *path, const char *password, struct sig_secret *ret_key,
		    struct diag *ret_diag);

// The public key that belongs to a secret key.
void sig_public_of(const struct sig_secret *key, struct sig_public *ret_key);

// Sign data. comment: the trusted comment, printable, below SIG_COMMENT_MAX. The text of the signature file goes to
// buf (SIG_TEXT_MAX) with a NUL. Returns its length, or -EINVAL (comment).
int sig_sign(const struct sig_secret *key, struct span data, const char *comment, char *buf);

// Verify the signatures over data: one signature text behind the other. As many different trusted keys as trust needs
// must have signed; signatures by keys that are not trusted do not count, but none that claims to be by a trusted key
// may be wrong. name: of the data, for messages.
// 0 (ret_info filled) or -EKEYREJECTED, whatever is wrong: ret_diag names the file, the key id and the remedy.
int sig_verify(const char *name, struct span data, struct span text, const struct sig_trust *trust,
	       struct sig_info *ret_info, struct diag *ret_diag);

// Key ids as text, with blanks between. Returns buf.
const char *sig_ids_text(char buf[SIG_SET_MAX * SIG_ID_TEXT], const struct sig_info *info);

// Append a signature text to a set of them, in place of one by the same key. io_set: SIG_SET_BYTES, NUL-terminated.
// 0; -EBADMSG: sig is not one signature; -ENOSPC. ret_diag says what is wrong.
int sig_set_add(const char *name, char *io_set, struct span sig, struct diag *ret_diag);

#endif

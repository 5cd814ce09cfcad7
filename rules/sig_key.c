// SPDX-License-Identifier: BSD-2-Clause
// Key files, as minisign's documentation (https://jedisct1.github.io/minisign/) gives them:
//
//   public key:  untrusted comment: ...
//                base64( "Ed" | key id 8 | key 32 )
//   secret key:  untrusted comment: ...
//                base64( "Ed" | kdf 2 | "B2" | salt 32 | ops 8 | mem 8 | key id 8 | secret 64 | check 32 )
//                kdf "Sc": the last 104 bytes are XORed with scrypt(password); check is BLAKE2b-256("Ed" | id | secret).
//                kdf zero: in clear, salt, costs and check are zero
//
// Secrets are wiped from every buffer before it is left; a damaged secret key is noticed before it signs anything.
#include <assert.h>
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rules/file.h"
#include "rules/sig.h"
#include "rules/sig_text.h"

struct public_blob {
	uint8_t alg[2], id[8], key[32];
};

struct secret_blob {
	uint8_t alg[2], kdf[2], check_alg[2], salt[32], ops_le[8], mem_le[8];
	struct sealed {
		uint8_t id[8], key[64], check[32];
	} sealed;
};

static_assert(sizeof(struct public_blob) == 42, "file format");
static_assert(sizeof(struct secret_blob) == 158, "file format");

enum {
	KDF_MEM_DEFAULT = 1 << 30, // minisign's cost
	KDF_MEM_MIN = 1 << 20,
	KDF_MEM_PER_OP = 32, // bytes of memory per operation, at every cost level of libsodium
};

static void store_le64(uint8_t p[8], uint64_t v)
{
	for (int i = 0; i < 8; i++)
		p[i] = (uint8_t)(v >> 8 * i);
}

static uint64_t load_le64(const uint8_t p[8])
{
	uint64_t v = 0;

	for (int i = 7; i >= 0; i--)
		v = v << 8 | p[i];
	return v;
}

const char *sig_id_text(char buf[SIG_ID_TEXT], const uint8_t id[8])
{
	snprintf(buf, SIG_ID_TEXT, "%016llX", (unsigned long long)load_le64(id));
	return buf;
}

// A key file: a comment and one line of base64.
static int key_file_read(const char *path, const char *what, void *ret_blob, size_t size,
			 struct diag *ret_diag)
{
	struct span text, comment;
	size_t len;
	char *data;
	int ret = file_read(path, SIG_TEXT_MAX, &data, &len, ret_diag);

	if (ret < 0)
		return ret;
	text = span_of(data, len);
	if (!sig_next_comment(&text, SPAN_LIT(SIG_UNTRUSTED), &comment) ||
	    !sig_next_base64(&text, ret_blob, size) || text.len != 0) {
		sodium_memzero(ret_blob, size);
		diag_set(ret_diag, path, 0, 0,
			 "is not a %s: two lines are wanted, \"" SIG_UNTRUSTED
			 "...\" and the key as made by 'wireglass keygen' or minisign",
			 what);
		ret = -EBADMSG;
	}
	sodium_memzero(data, len);
	free(data);
	return ret;
}

static int public_read(const char *path, struct sig_public *ret_key, struct diag *ret_diag)
{
	struct public_blob blob;
	int ret = key_file_read(path, "public key", &blob, sizeof(blob), ret_diag);

	if (ret < 0)
		return ret;
	if (memcmp(blob.alg, "Ed", 2) != 0) {
		diag_set(ret_diag, path, 0, 0, "is a public key of an unknown algorithm");
		return -EBADMSG;
	}
	memcpy(ret_key->id, blob.id, sizeof(blob.id));
	memcpy(ret_key->key, blob.key, sizeof(blob.key));
	snprintf(ret_key->file, sizeof(ret_key->file), "%s", path);
	return 0;
}

static int trust_add_file(struct sig_trust *io_trust, const char *path, struct diag *ret_diag)
{
	struct sig_public key;
	int ret = public_read(path, &key, ret_diag);

	if (ret < 0)
		return ret;
	for (uint32_t i = 0; i < io_trust->n; i++)
		if (memcmp(io_trust->v[i].key, key.key, sizeof(key.key)) == 0 &&
		    memcmp(io_trust->v[i].id, key.id, sizeof(key.id)) == 0)
			return 0;
	if (io_trust->n == SIG_KEYS_MAX) {
		diag_set(ret_diag, path, 0, 0, "is one key too many: at most %u are trusted",
			 SIG_KEYS_MAX);
		return -ENOSPC;
	}
	io_trust->v[io_trust->n++] = key;
	return 0;
}

static int is_public_name(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name);

	return len > 4 && entry->d_name[0] != '.' && strcmp(entry->d_name + len - 4, ".pub") == 0;
}

static int trust_add_folder(struct sig_trust *io_trust, const char *path, struct diag *ret_diag)
{
	struct dirent **entries;
	int n = scandir(path, &entries, is_public_name, alphasort);
	int ret = 0;

	if (n < 0) {
		ret = -errno;
		diag_set(ret_diag, path, 0, 0, "cannot list the folder: %s", strerror(-ret));
		return ret;
	}
	for (int i = 0; i < n; i++) {
		char file[PATH_MAX];

		snprintf(file, sizeof(file), "%s/%s", path, entries[i]->d_name);
		if (ret == 0)
			ret = trust_add_file(io_trust, file, ret_diag);
		free(entries[i]);
	}
	free(entries);
	if (n == 0) {
		diag_set(ret_diag, path, 0, 0,
			 "has no *.pub file: put the publisher's public key there");
		return -ENOKEY;
	}
	return ret;
}

int sig_trust_add(struct sig_trust *io_trust, const char *path, struct diag *ret_diag)
{
	struct stat st;

	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return trust_add_folder(io_trust, path, ret_diag);
	return trust_add_file(io_trust, path, ret_diag);
}

// XOR the sealed part with the key stream of the password.
static int secret_crypt(struct secret_blob *io_blob, const char *password)
{
	uint8_t stream[sizeof(struct sealed)], *sealed = (uint8_t *)&io_blob->sealed;

	if (crypto_pwhash_scryptsalsa208sha256(stream, sizeof(stream), password, strlen(password),
					       io_blob->salt, load_le64(io_blob->ops_le),
					       load_le64(io_blob->mem_le)) != 0)
		return -ENOMEM;
	for (size_t i = 0; i < sizeof(stream); i++)
		sealed[i] ^= stream[i];
	sodium_memzero(stream, sizeof(stream));
	return 0;
}

static void secret_check(const struct secret_blob *blob, uint8_t ret_check[32])
{
	crypto_generichash_state h;

	crypto_generichash_init(&h, NULL, 0, 32);
	crypto_generichash_update(&h, blob->alg, sizeof(blob->alg));
	crypto_generichash_update(&h, blob->sealed.id, sizeof(blob->sealed.id));
	crypto_generichash_update(&h, blob->sealed.key, sizeof(blob->sealed.key));
	crypto_generichash_final(&h, ret_check, 32);
	sodium_memzero(&h, sizeof(h));
}

// Do the two halves of the secret key belong together?
static bool secret_is_whole(const uint8_t key[64])
{
	uint8_t public_key[32], secret[64];
	bool whole;

	crypto_sign_seed_keypair(public_key, secret, key);
	whole = sodium_memcmp(secret, key, sizeof(secret)) == 0;
	sodium_memzero(secret, sizeof(secret));
	return whole;
}

static int secret_open(const char *path, const char *password, struct secret_blob *io_blob,
		       struct diag *ret_diag)
{
	uint8_t check[32];
	int ret;

	if (memcmp(io_blob->alg, "Ed", 2) != 0 || memcmp(io_blob->check_alg, "B2", 2) != 0 ||
	    (memcmp(io_blob->kdf, "Sc", 2) != 0 && memcmp(io_blob->kdf, "\0\0", 2) != 0) ||
	    load_le64(io_blob->mem_le) > KDF_MEM_DEFAULT ||
	    load_le64(io_blob->ops_le) > KDF_MEM_DEFAULT / KDF_MEM_PER_OP) {
		diag_set(ret_diag, path, 0, 0, "is a secret key in a form that is not known here");
		return -EBADMSG;
	}
	if (io_blob->kdf[0] == 'S') {
		if (password == NULL) {
			diag_set(ret_diag, path, 0, 0, "is encrypted: a password is needed");
			return -ENOKEY;
		}
		ret = secret_crypt(io_blob, password);
		if (ret < 0) {
			diag_set(ret_diag, path, 0, 0, "needs %llu MiB of memory to be decrypted",
				 (unsigned long long)load_le64(io_blob->mem_le) >> 20);
			return ret;
		}
		secret_check(io_blob, check);
		if (sodium_memcmp(check, io_blob->sealed.check, sizeof(check)) != 0) {
			diag_set(ret_diag, path, 0, 0, "wrong password, or the file is damaged");
			return -EKEYREJECTED;
		}
	}
	if (!secret_is_whole(io_blob->sealed.key)) {
		diag_set(ret_diag, path, 0, 0, "the secret key is damaged: restore it from backup");
		return -EKEYREJECTED;
	}
	return 0;
}

int sig_secret_read(const char *path, const char *password, struct sig_secret *ret_key,
		    struct diag *ret_diag)
{
	struct secret_blob blob;
	int ret;

	ret = sig_crypto_ready(path, ret_diag);
	if (ret == 0)
		ret = key_file_read(path, "secret key", &blob, sizeof(blob), ret_diag);
	if (ret < 0)
		return ret;
	ret = secret_open(path, password, &blob, ret_diag);
	if (ret == 0) {
		memcpy(ret_key->id, blob.sealed.id, sizeof(ret_key->id));
		memcpy(ret_key->key, blob.sealed.key, sizeof(ret_key->key));
	}
	sodium_memzero(&blob, sizeof(blob));
	return ret;
}

void sig_public_of(const struct sig_secret *key, struct sig_public *ret_key)
{
	memset(ret_key, 0, sizeof(*ret_key));
	memcpy(ret_key->id, key->id, sizeof(key->id));
	memcpy(ret_key->key, key->key + 32, 32); // the second half of an Ed25519 secret key
}

// Write "untrusted comment: <what> <key id>" and the blob. Never over a file that is there.
static int key_file_write(const char *path, const char *what, const uint8_t id[8], const void *blob,
			  size_t size, mode_t mode, struct diag *ret_diag)
{
	char text[SIG_TEXT_MAX], base64[SIG_BASE64_MAX], id_text[SIG_ID_TEXT];
	int n, ret;

	sodium_bin2base64(base64, sizeof(base64), blob, size, sodium_base64_VARIANT_ORIGINAL);
	n = snprintf(text, sizeof(text), SIG_UNTRUSTED "wireglass %s %s\n%s\n", what,
		     sig_id_text(id_text, id), base64);
	ret = file_write(path, span_of(text, (size_t)n), mode, false, ret_diag);
	sodium_memzero(text, sizeof(text));
	sodium_memzero(base64, sizeof(base64));
	return ret;
}

static int secret_write(const char *path, const struct sig_secret *key, const char *password,
			uint64_t kdf_bytes, struct diag *ret_diag)
{
	struct secret_blob blob = {.alg = "Ed", .check_alg = "B2"};
	uint64_t mem = kdf_bytes == 0 ? KDF_MEM_DEFAULT : kdf_bytes;
	int ret = 0;

	memcpy(blob.sealed.id, key->id, sizeof(key->id));
	memcpy(blob.sealed.key, key->key, sizeof(key->key));
	if (password != NULL) {
		memcpy(blob.kdf, "Sc", 2);
		randombytes_buf(blob.salt, sizeof(blob.salt));
		secret_check(&blob, blob.sealed.check);
		if (mem < KDF_MEM_MIN)
			mem = KDF_MEM_MIN;
		store_le64(blob.ops_le, mem / KDF_MEM_PER_OP);
		store_le64(blob.mem_le, mem);
		ret = secret_crypt(&blob, password);
		if (ret < 0)
			diag_set(ret_diag, path, 0, 0,
				 "encrypting the key needs %llu MiB of memory: make it on a larger "
				 "machine",
				 (unsigned long long)mem >> 20);
	}
	if (ret == 0)
		ret = key_file_write(path, password != NULL ? "encrypted secret key" : "secret key",
				     key->id, &blob, sizeof(blob), 0600, ret_diag);
	sodium_memzero(&blob, sizeof(blob));
	return ret;
}

int sig_keygen(const char *secret_path, const char *public_path, const char *password,
	       uint64_t kdf_bytes, struct sig_public *ret_key, struct diag *ret_diag)
{
	struct public_blob blob = {.alg = "Ed"};
	struct sig_secret key;
	int ret;

	ret = sig_crypto_ready(secret_path, ret_diag);
	if (ret < 0)
		return ret;
	crypto_sign_keypair(blob.key, key.key);
	randombytes_buf(key.id, sizeof(key.id));
	memcpy(blob.id, key.id, sizeof(key.id));
	ret = secret_write(secret_path, &key, password, kdf_bytes, ret_diag);
	if (ret == 0) {
		ret = key_file_write(public_path, "public key", key.id, &blob, sizeof(blob), 0644,
				     ret_diag);
		if (ret < 0)
			unlink(secret_path);
	}
	if (ret == 0) {
		sig_public_of(&key, ret_key);
		snprintf(ret_key->file, sizeof(ret_key->file), "%s", public_path);
	}
	sodium_memzero(&key, sizeof(key));
	return ret;
}

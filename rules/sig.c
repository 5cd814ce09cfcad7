// SPDX-License-Identifier: BSD-2-Clause
// Signature files, as minisign's documentation (https://jedisct1.github.io/minisign/) gives them:
//
//   untrusted comment: ...                     not signed, for people
//   base64( "ED" | key id 8 | signature 64 )   over BLAKE2b-512(data)
//   trusted comment: ...
//   base64( signature 64 )                     over signature | trusted comment
//
// Nothing of the data is interpreted here, and nothing of the text before its lengths are checked.
#include "rules/sig.h"

#include <assert.h>
#include <stdio.h>

#include "rules/sig_text.h"

struct signature_blob {
	uint8_t alg[2], id[8], sig[64];
};

static_assert(sizeof(struct signature_blob) == 74, "file format");

static bool is_printable(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((s.data[i] < 0x20 && s.data[i] != '\t') || s.data[i] == 0x7f)
			return false;
	return true;
}

// The second signature: over the first one and the trusted comment. Returns the bytes to sign.
static size_t global_message(const uint8_t sig[64], struct span comment,
			     uint8_t buf[64 + SIG_COMMENT_MAX])
{
	memcpy(buf, sig, 64);
	memcpy(buf + 64, comment.data, comment.len);
	return 64 + comment.len;
}

int sig_sign(const struct sig_secret *key, struct span data, const char *comment, char *buf)
{
	struct span text = span_of(comment, strlen(comment));
	struct signature_blob blob = {.alg = "ED"};
	uint8_t hash[64], message[64 + SIG_COMMENT_MAX], global[64];
	char first[SIG_BASE64_MAX], second[SIG_BASE64_MAX], id[SIG_ID_TEXT];

	if (text.len >= SIG_COMMENT_MAX || !is_printable(text))
		return -EINVAL;
	memcpy(blob.id, key->id, sizeof(blob.id));
	crypto_generichash(hash, sizeof(hash), data.data, data.len, NULL, 0);
	crypto_sign_detached(blob.sig, NULL, hash, sizeof(hash), key->key);
	crypto_sign_detached(global, NULL, message, global_message(blob.sig, text, message),
			     key->key);
	sodium_bin2base64(first, sizeof(first), (const uint8_t *)&blob, sizeof(blob),
			  sodium_base64_VARIANT_ORIGINAL);
	sodium_bin2base64(second, sizeof(second), global, sizeof(global),
			  sodium_base64_VARIANT_ORIGINAL);
	return snprintf(buf, SIG_TEXT_MAX,
			SIG_UNTRUSTED "signature by wireglass key %s\n%s\n" SIG_TRUSTED "%s\n%s\n",
			sig_id_text(id, blob.id), first, comment, second);
}

struct signature {
	struct signature_blob blob;
	uint8_t global[64];
	struct span comment;
};

// The next signature of the text.
static int signature_parse(const char *name, struct span *io_text, struct signature *ret_sig,
			   struct diag *ret_diag)
{
	struct span untrusted;

	if (!sig_next_comment(io_text, SPAN_LIT(SIG_UNTRUSTED), &untrusted) ||
	    untrusted.len >= SIG_COMMENT_MAX ||
	    !sig_next_base64(io_text, &ret_sig->blob, sizeof(ret_sig->blob)) ||
	    !sig_next_comment(io_text, SPAN_LIT(SIG_TRUSTED), &ret_sig->comment) ||
	    !sig_next_base64(io_text, ret_sig->global, sizeof(ret_sig->global)) ||
	    ret_sig->comment.len >= SIG_COMMENT_MAX || !is_printable(ret_sig->comment)) {
		diag_set(ret_diag, name, 0, 0,
			 "its signature is not in minisign's format: fetch it again, or sign with "
			 "'wireglass rules sign'");
		return -EKEYREJECTED;
	}
	if (memcmp(ret_sig->blob.alg, "Ed", 2) == 0) {
		diag_set(
			ret_diag, name, 0, 0,
			"has a signature of minisign's legacy kind (not prehashed), which is not "
			"accepted: sign again with 'wireglass rules sign', or minisign without -l");
		return -EKEYREJECTED;
	}
	if (memcmp(ret_sig->blob.alg, "ED", 2) != 0) {
		diag_set(ret_diag, name, 0, 0, "has a signature of an unknown algorithm");
		return -EKEYREJECTED;
	}
	return 0;
}

// The trusted key that made the signature, NULL if none did. ret_known: a trusted key has its id.
static const struct sig_public *find_signer(const struct signature *sig, struct span data,
					    const struct sig_trust *trust,
					    const struct sig_public **ret_known)
{
	uint8_t hash[64];
	bool hashed = false;

	*ret_known = NULL;
	for (uint32_t i = 0; i < trust->n; i++) {
		const struct sig_public *key = &trust->v[i];

		if (memcmp(key->id, sig->blob.id, sizeof(key->id)) != 0)
			continue;
		*ret_known = key;
		if (!hashed)
			crypto_generichash(hash, sizeof(hash), data.data, data.len, NULL, 0);
		hashed = true;
		if (crypto_sign_verify_detached(sig->blob.sig, hash, sizeof(hash), key->key) == 0)
			return key;
	}
	return NULL;
}

static void say_unknown_key(const char *name, const char *id, const struct sig_trust *trust,
			    struct diag *ret_diag)
{
	char known[SIG_ID_TEXT];

	if (trust->n == 0)
		diag_set(ret_diag, name, 0, 0,
			 "is signed with key %s, but no key is trusted: install the publisher's "
			 "public key",
			 id);
	else
		diag_set(ret_diag, name, 0, 0,
			 "is signed with key %s, which is not trusted (trusted: %s from %s%s): if "
			 "that publisher is right, install its public key",
			 id, sig_id_text(known, trust->v[0].id), trust->v[0].file,
			 trust->n > 1 ? " and others" : "");
}

// Verify one signature. 0: by a trusted key (*ret_key); -ENOKEY: by another, ret_diag says so; else -EKEYREJECTED.
static int verify_one(const char *name, struct span data, const struct signature *sig,
		      const struct sig_trust *trust, const struct sig_public **ret_key,
		      struct diag *ret_diag)
{
	const struct sig_public *key, *known;
	uint8_t message[64 + SIG_COMMENT_MAX];
	char id[SIG_ID_TEXT];

	sig_id_text(id, sig->blob.id);
	key = find_signer(sig, data, trust, &known);
	if (known == NULL) {
		say_unknown_key(name, id, trust, ret_diag);
		return -ENOKEY;
	}
	if (key == NULL) {
		diag_set(ret_diag, name, 0, 0,
			 "does not match its signature by key %s (%s): it was changed or damaged "
			 "after signing, fetch it again",
			 id, known->file);
		return -EKEYREJECTED;
	}
	if (crypto_sign_verify_detached(sig->global, message,
					global_message(sig->blob.sig, sig->comment, message),
					key->key) != 0) {
		diag_set(ret_diag, name, 0, 0,
			 "the trusted comment does not match the signature by key %s (%s): it was "
			 "changed after signing, fetch the signature again",
			 id, key->file);
		return -EKEYREJECTED;
	}
	*ret_key = key;
	return 0;
}

// Count a key that signed, once.
static void count_key(struct sig_info *info, const struct sig_public *by[SIG_SET_MAX],
		      const struct sig_public *key, struct span comment)
{
	for (uint32_t i = 0; i < info->n; i++)
		if (memcmp(by[i]->key, key->key, sizeof(key->key)) == 0)
			return;
	if (info->n == 0) {
		info->key = *key;
		memcpy(info->comment, comment.data, comment.len);
		info->comment[comment.len] = '\0';
	}
	by[info->n] = key;
	memcpy(info->ids[info->n++], key->id, sizeof(key->id));
}

const char *sig_ids_text(char buf[SIG_SET_MAX * SIG_ID_TEXT], const struct sig_info *info)
{
	buf[0] = '\0';
	for (uint32_t i = 0; i < info->n; i++) {
		if (i > 0)
			buf[i * SIG_ID_TEXT - 1] = ' ';
		sig_id_text(buf + i * SIG_ID_TEXT, info->ids[i]);
	}
	return buf;
}

int sig_verify(const char *name, struct span data, struct span text, const struct sig_trust *trust,
	       struct sig_info *ret_info, struct diag *ret_diag)
{
	const struct sig_public *by[SIG_SET_MAX], *key;
	char ids[SIG_SET_MAX * SIG_ID_TEXT];
	struct sig_info info = {.n = 0};
	uint32_t need = trust->need > 1 ? trust->need : 1, seen = 0;
	struct signature sig;

	if (sig_crypto_ready(name, ret_diag) < 0)
		return -EKEYREJECTED;
	if (text.len > SIG_SET_BYTES)
		text = SPAN_NONE; // not in minisign's format
	do {
		if (signature_parse(name, &text, &sig, ret_diag) < 0)
			return -EKEYREJECTED;
		if (seen++ == SIG_SET_MAX) {
			diag_set(ret_diag, name, 0, 0, "has more than %d signatures", SIG_SET_MAX);
			return -EKEYREJECTED;
		}
		int err = verify_one(name, data, &sig, trust, &key, ret_diag);
		if (err == -EKEYREJECTED)
			return err;
		if (err == 0)
			count_key(&info, by, key, sig.comment);
	} while (text.len > 0);
	if (info.n == 0) // ret_diag names the key that is not trusted
		return -EKEYREJECTED;
	if (info.n < need) {
		diag_set(ret_diag, name, 0, 0,
			 "is signed by %u trusted key%s (%s), but %u must have signed it: have it "
			 "signed by others, too, with 'wireglass rules sign --add'",
			 info.n, info.n == 1 ? "" : "s", sig_ids_text(ids, &info), need);
		return -EKEYREJECTED;
	}
	*ret_info = info;
	return 0;
}

int sig_set_add(const char *name, char *io_set, struct span sig, struct diag *ret_diag)
{
	struct span rest = sig, old = span_of(io_set, strlen(io_set));
	char set[SIG_SET_BYTES];
	struct signature added, other;
	size_t n = 0;

	if (sig_crypto_ready(name, ret_diag) < 0 ||
	    signature_parse(name, &rest, &added, ret_diag) < 0 || rest.len > 0)
		return -EBADMSG;
	while (old.len > 0) {
		const struct span from = old;

		if (signature_parse(name, &old, &other, ret_diag) < 0)
			return -EBADMSG;
		size_t len = from.len - old.len;
		if (memcmp(other.blob.id, added.blob.id, sizeof(added.blob.id)) == 0)
			continue;
		memcpy(set + n, from.data, len);
		n += len;
	}
	if (n + sig.len + 1 >= sizeof(set)) {
		diag_set(ret_diag, name, 0, 0, "has no room for another signature");
		return -ENOSPC;
	}
	memcpy(io_set, set, n);
	memcpy(io_set + n, sig.data, sig.len);
	n += sig.len;
	if (io_set[n - 1] != '\n')
		io_set[n++] = '\n';
	io_set[n] = '\0';
	return 0;
}

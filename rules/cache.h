// SPDX-License-Identifier: BSD-2-Clause
// Compiled images kept on disk, by everything they depend on. An entry is only ever a short cut: whatever is wrong with
// one, it is removed and the rules are compiled.
//
//   DIR/<key in hex>.wgc = struct cache_head, meta (opaque to the cache: what was said about the rules), image
//
// The folder and its files belong to the user alone (0700, 0600); entries of another owner than root and ourselves, or
// writable for others, are not read: an image holds databases, which are code in effect. What is in the file is checked
// all the same: key, lengths, the digest of meta and image, and image_check().
#ifndef RULES_CACHE_H
#define RULES_CACHE_H

#include <limits.h>
#include <openssl/evp.h>

#include "common/span.h"
#include "rules/image.h"

enum {
	CACHE_KEY_BYTES = 32,
	CACHE_META_MAX = 64 << 20,
};
#define CACHE_BYTES_DEFAULT (UINT64_C(1) << 30)

struct cache {
	char dir[PATH_MAX];
	uint64_t bytes_max; // of all entries; the ones not used for longest go first
};

struct cache_key {
	uint8_t bytes[CACHE_KEY_BYTES];
};

// A key in the making.
struct cache_hash {
	EVP_MD_CTX *md; // NULL: failed
};

// Begin a key; it covers this build of the program, the image format, Hyperscan's version and the features of the CPU
// already. Each part counts with its length: ("a", "bc") is not ("ab", "c").
void cache_hash_init(struct cache_hash *h);
void cache_hash_add(struct cache_hash *h, struct span part);
// 0 or -ENOMEM.
int cache_hash_done(struct cache_hash *h, struct cache_key *ret_key);

// Use a folder, and make it if need be. 0 or negative errno with ret_diag.
int cache_init(struct cache *c, const char *dir, uint64_t bytes_max, struct diag *ret_diag);

// $XDG_CACHE_HOME/wireglass, else ~/.cache/wireglass. NULL: neither variable is set.
const char *cache_default_dir(char buf[PATH_MAX]);

// Fetch an entry: malloc'ed image, checked, and meta with a NUL behind it. 0; -ENOENT: there is none; -EBADMSG,
// -EPERM (ret_diag): it was no good and is removed; other negative errno.
int cache_get(const struct cache *c, const struct cache_key *key, void **ret_image,
	      uint64_t *ret_len, char **ret_meta, size_t *ret_meta_len, struct diag *ret_diag);

// Store an entry and remove old ones beyond bytes_max. 0 or negative errno with ret_diag.
int cache_put(const struct cache *c, const struct cache_key *key, struct span image,
	      struct span meta, struct diag *ret_diag);

#endif

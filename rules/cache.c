// SPDX-License-Identifier: BSD-2-Clause
// Entries are written beside their place and renamed: a reader sees all of one or nothing. Nothing is synced: what a
// power failure leaves fails its check. Use is remembered in the time of modification.
#include "rules/cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <hs.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MAGIC  "WGCACHE1"
#define SUFFIX ".wgc"

struct cache_head {
	char magic[8];
	uint8_t key[CACHE_KEY_BYTES];
	uint8_t digest[32]; // of meta and image
	uint64_t meta_bytes, image_bytes;
};
static_assert(sizeof(struct cache_head) == 88, "cache format");

static int fail(struct diag *d, const char *path, const char *doing, int error)
{
	diag_set(d, path, 0, 0, "cannot %s: %s", doing, strerror(error));
	return -error;
}

// ---- keys ----

// The linker's digest of the running program: another build may compile the same rules to another image.
static int find_build_id(struct dl_phdr_info *info, size_t size, void *ctx)
{
	struct cache_hash *h = ctx;

	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *ph = &info->dlpi_phdr[i];
		const uint8_t *at = (const uint8_t *)(info->dlpi_addr + ph->p_vaddr);
		size_t left = ph->p_memsz;

		while (ph->p_type == PT_NOTE && left >= sizeof(ElfW(Nhdr))) {
			const ElfW(Nhdr) *note = (const void *)at;
			size_t name = (note->n_namesz + 3u) & ~3u,
			       bytes = sizeof(*note) + name + ((note->n_descsz + 3u) & ~3u);

			if (bytes > left)
				break;
			if (note->n_type == NT_GNU_BUILD_ID && note->n_namesz == 4 &&
			    memcmp(at + sizeof(*note), "GNU", 4) == 0)
				cache_hash_add(h,
					       span_of(at + sizeof(*note) + name, note->n_descsz));
			at += bytes;
			left -= bytes;
		}
	}
	return 1; // the program itself comes first: no more
}

static void add_text(struct cache_hash *h, const char *text)
{
	cache_hash_add(h, span_of(text, strlen(text)));
}

void cache_hash_init(struct cache_hash *h)
{
	hs_platform_info_t platform = {0};
	uint32_t version = IMAGE_VERSION;

	h->md = EVP_MD_CTX_new();
	if (h->md != NULL && EVP_DigestInit_ex(h->md, EVP_sha256(), NULL) != 1) {
		EVP_MD_CTX_free(h->md);
		h->md = NULL;
	}
	add_text(h, "wireglass " WIREGLASS_VERSION);
	dl_iterate_phdr(find_build_id, h);
	cache_hash_add(h, span_of(&version, sizeof(version)));
	add_text(h, hs_version());
	hs_populate_platform(&platform);
	cache_hash_add(h, span_of(&platform.tune, sizeof(platform.tune)));
	cache_hash_add(h, span_of(&platform.cpu_features, sizeof(platform.cpu_features)));
}

void cache_hash_add(struct cache_hash *h, struct span part)
{
	uint64_t len = part.len;

	if (h->md != NULL && (EVP_DigestUpdate(h->md, &len, sizeof(len)) != 1 ||
			      EVP_DigestUpdate(h->md, part.data, part.len) != 1)) {
		EVP_MD_CTX_free(h->md);
		h->md = NULL;
	}
}

int cache_hash_done(struct cache_hash *h, struct cache_key *ret_key)
{
	int ok = h->md != NULL && EVP_DigestFinal_ex(h->md, ret_key->bytes, NULL) == 1;

	EVP_MD_CTX_free(h->md);
	h->md = NULL;
	return ok ? 0 : -ENOMEM;
}

static int digest_of(struct span meta, struct span image, uint8_t digest[32])
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	bool ok = md != NULL && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1 &&
		  EVP_DigestUpdate(md, meta.data, meta.len) == 1 &&
		  EVP_DigestUpdate(md, image.data, image.len) == 1 &&
		  EVP_DigestFinal_ex(md, digest, NULL) == 1;

	EVP_MD_CTX_free(md);
	return ok ? 0 : -ENOMEM;
}

// ---- the folder ----

static bool is_ours(const struct stat *st)
{
	return (st->st_uid == geteuid() || st->st_uid == 0) && (st->st_mode & 022) == 0;
}

// Make every folder of the path that is missing.
static int make_folders(char *path)
{
	for (char *slash = strchr(path + 1, '/');; slash = strchr(slash + 1, '/')) {
		if (slash != NULL)
			*slash = '\0';
		if (mkdir(path, 0700) != 0 && errno != EEXIST)
			return -errno;
		if (slash == NULL)
			return 0;
		*slash = '/';
	}
}

int cache_init(struct cache *c, const char *dir, uint64_t bytes_max, struct diag *ret_diag)
{
	struct stat st;
	int err;

	*c = (struct cache){.bytes_max = bytes_max};
	if (dir[0] == '\0' || (size_t)snprintf(c->dir, sizeof(c->dir), "%s", dir) >=
				      sizeof(c->dir) - 2 * CACHE_KEY_BYTES - 16)
		return fail(ret_diag, dir, "be used as cache", ENAMETOOLONG);
	err = make_folders(c->dir);
	if (err < 0)
		return fail(ret_diag, dir, "make this folder", -err);
	if (stat(c->dir, &st) != 0)
		return fail(ret_diag, dir, "be used as cache", errno);
	if (!S_ISDIR(st.st_mode))
		return fail(ret_diag, dir, "be used as cache", ENOTDIR);
	if (!is_ours(&st)) {
		diag_set(ret_diag, dir, 0, 0,
			 "is not used as cache: it must belong to this user or root, and nobody "
			 "else may write there");
		return -EPERM;
	}
	return 0;
}

const char *cache_default_dir(char buf[PATH_MAX])
{
	const char *base = getenv("XDG_CACHE_HOME"), *below = "";

	if (base == NULL || base[0] != '/') {
		base = getenv("HOME");
		below = "/.cache";
	}
	if (base == NULL || base[0] != '/')
		return NULL;
	return (size_t)snprintf(buf, PATH_MAX, "%s%s/wireglass", base, below) < PATH_MAX ? buf
											 : NULL;
}

static void entry_path(const struct cache *c, const struct cache_key *key, char path[PATH_MAX])
{
	size_t n = (size_t)snprintf(path, PATH_MAX - 2 * CACHE_KEY_BYTES - 8, "%s/", c->dir);

	for (size_t i = 0; i < CACHE_KEY_BYTES; i++)
		n += (size_t)sprintf(path + n, "%02x", key->bytes[i]);
	strcpy(path + n, SUFFIX);
}

struct entry {
	char name[80];
	uint64_t bytes;
	struct timespec used;
};

static int by_use(const void *va, const void *vb)
{
	const struct entry *a = va, *b = vb;

	if (a->used.tv_sec != b->used.tv_sec)
		return a->used.tv_sec < b->used.tv_sec ? -1 : 1;
	if (a->used.tv_nsec != b->used.tv_nsec)
		return a->used.tv_nsec < b->used.tv_nsec ? -1 : 1;
	return strcmp(a->name, b->name);
}

static bool is_entry(const char *name)
{
	const size_t n = strlen(name), hex = 2 * CACHE_KEY_BYTES;

	return strspn(name, "0123456789abcdef") == hex && n >= hex + sizeof(SUFFIX) - 1 &&
	       n < sizeof(((struct entry *)NULL)->name) &&
	       strncmp(name + hex, SUFFIX, sizeof(SUFFIX) - 1) == 0;
}

// Remove what was not used for longest until the rest fits; also what a writer left that died. Other files are not ours.
static void evict(const struct cache *c)
{
	DIR *dir = opendir(c->dir);
	struct entry *v = NULL;
	size_t n = 0, cap = 0;
	uint64_t total = 0;
	struct dirent *e;

	while (dir != NULL && (e = readdir(dir)) != NULL) {
		struct stat st;

		if (!is_entry(e->d_name) || fstatat(dirfd(dir), e->d_name, &st, 0) != 0)
			continue;
		if (n == cap) {
			struct entry *more =
				realloc(v, (cap = cap != 0 ? 2 * cap : 64) * sizeof(*v));

			if (more == NULL)
				break;
			v = more;
		}
		strcpy(v[n].name, e->d_name);
		v[n].bytes = (uint64_t)st.st_size;
		v[n++].used = st.st_mtim;
		total += (uint64_t)st.st_size;
	}
	if (n > 0)
		qsort(v, n, sizeof(*v), by_use);
	for (size_t i = 0; i < n && total > c->bytes_max; i++) {
		unlinkat(dirfd(dir), v[i].name, 0);
		total -= v[i].bytes;
	}
	free(v);
	if (dir != NULL)
		closedir(dir);
}

// ---- entries ----

static bool read_full(int fd, void *data, size_t len, off_t at)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = pread(fd, (char *)data + done, len - done, at + (off_t)done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		done += (size_t)n;
	}
	return true;
}

static bool write_full(int fd, struct span s)
{
	while (s.len > 0) {
		ssize_t n = write(fd, s.data, s.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		s = span_from(s, (size_t)n);
	}
	return true;
}

static int damaged(struct diag *d, const char *path, const char *what)
{
	diag_set(d, path, 0, 0, "cached rule set is damaged and removed: %s", what);
	return -EBADMSG;
}

static int read_entry(int fd, const char *path, const struct cache_key *key, void **ret_image,
		      uint64_t *ret_len, char **ret_meta, size_t *ret_meta_len, struct diag *d)
{
	struct cache_head head;
	struct diag why = {""};
	uint8_t digest[32];
	char *image = NULL, *meta = NULL;
	struct stat st;
	int err;

	if (fstat(fd, &st) != 0)
		return fail(d, path, "read", errno);
	if (!S_ISREG(st.st_mode) || !is_ours(&st)) {
		diag_set(d, path, 0, 0,
			 "cached rule set is not used and removed: others may have written it");
		return -EPERM;
	}
	if (!read_full(fd, &head, sizeof(head), 0) ||
	    memcmp(head.magic, MAGIC, sizeof(head.magic)) != 0 ||
	    memcmp(head.key, key->bytes, sizeof(head.key)) != 0)
		return damaged(d, path, "it is another one, or none");
	if (head.meta_bytes > CACHE_META_MAX || head.image_bytes > IMAGE_MAX_BYTES ||
	    head.image_bytes < sizeof(struct image_header) ||
	    (uint64_t)st.st_size != sizeof(head) + head.meta_bytes + head.image_bytes)
		return damaged(d, path, "its size is wrong");
	meta = malloc(head.meta_bytes + 1);
	image = malloc(head.image_bytes);
	if (meta == NULL || image == NULL) {
		err = fail(d, path, "read", ENOMEM);
		goto out;
	}
	if (!read_full(fd, meta, head.meta_bytes, sizeof(head)) ||
	    !read_full(fd, image, head.image_bytes, (off_t)(sizeof(head) + head.meta_bytes))) {
		err = damaged(d, path, "it cannot be read");
		goto out;
	}
	meta[head.meta_bytes] = '\0';
	err = digest_of(span_of(meta, head.meta_bytes), span_of(image, head.image_bytes), digest);
	if (err == 0 && memcmp(digest, head.digest, sizeof(digest)) != 0)
		err = damaged(d, path, "its digest is wrong");
	if (err == 0 && image_check(image, head.image_bytes, NULL, &why) != 0)
		err = damaged(d, path, why.text);
	if (err != 0)
		goto out;
	*ret_image = image;
	*ret_len = head.image_bytes;
	*ret_meta = meta;
	*ret_meta_len = head.meta_bytes;
	return 0;
out:
	free(meta);
	free(image);
	return err;
}

int cache_get(const struct cache *c, const struct cache_key *key, void **ret_image,
	      uint64_t *ret_len, char **ret_meta, size_t *ret_meta_len, struct diag *ret_diag)
{
	char path[PATH_MAX];
	int fd, err;

	entry_path(c, key, path);
	// O_NONBLOCK: a FIFO in its place must not block
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	if (fd < 0) {
		err = errno;
		if (err == ELOOP)
			unlink(path);
		return err == ENOENT ? -ENOENT : fail(ret_diag, path, "read", err);
	}
	err = read_entry(fd, path, key, ret_image, ret_len, ret_meta, ret_meta_len, ret_diag);
	if (err == 0)
		futimens(fd, NULL); // used now
	else if (err == -EBADMSG || err == -EPERM)
		unlink(path);
	close(fd);
	return err;
}

int cache_put(const struct cache *c, const struct cache_key *key, struct span image,
	      struct span meta, struct diag *ret_diag)
{
	struct cache_head head = {.meta_bytes = meta.len, .image_bytes = image.len};
	char path[PATH_MAX], tmp[PATH_MAX];
	int fd, err;

	if (meta.len > CACHE_META_MAX || sizeof(head) + meta.len + image.len > c->bytes_max) {
		diag_set(ret_diag, c->dir, 0, 0, "the rule set is larger than the cache may be");
		return -EFBIG;
	}
	memcpy(head.magic, MAGIC, sizeof(head.magic));
	memcpy(head.key, key->bytes, sizeof(head.key));
	err = digest_of(meta, image, head.digest);
	if (err < 0)
		return fail(ret_diag, c->dir, "write", -err);
	entry_path(c, key, path);
	if ((size_t)snprintf(tmp, sizeof(tmp), "%s.XXXXXX", path) >= sizeof(tmp))
		return fail(ret_diag, path, "write", ENAMETOOLONG);
	fd = mkostemp(tmp, O_CLOEXEC); // mode 0600
	if (fd < 0)
		return fail(ret_diag, path, "write", errno);
	errno = ENOSPC; // a write of nothing sets none
	if (!write_full(fd, span_of(&head, sizeof(head))) || !write_full(fd, meta) ||
	    !write_full(fd, image) || rename(tmp, path) != 0) {
		err = errno;
		unlink(tmp);
		close(fd);
		return fail(ret_diag, path, "write", err);
	}
	close(fd);
	evict(c);
	return 0;
}

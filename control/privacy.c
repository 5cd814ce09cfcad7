// SPDX-License-Identifier: BSD-2-Clause
// The key stays in the state directory with mode 0600. Removing it makes every hash that was stored before meaningless.
#include "control/privacy.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/buffer.h"

static int make_key(struct privacy *p, const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return -errno;
	randombytes_buf(p->key, sizeof(p->key));
	int err = write(fd, p->key, sizeof(p->key)) == (ssize_t)sizeof(p->key) && fsync(fd) == 0
			  ? 0
			  : -EIO;
	close(fd);
	if (err != 0)
		unlink(path);
	return err;
}

static int read_key(struct privacy *p, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return -errno;
	ssize_t n = read(fd, p->key, sizeof(p->key));
	close(fd);
	return n == (ssize_t)sizeof(p->key) ? 0 : -EBADMSG;
}

int privacy_open(struct privacy *p, enum privacy_mode mode, const char *state_dir,
		 struct diag *ret_diag)
{
	char path[512];

	*p = (struct privacy){.mode = mode};
	if (mode != PRIVACY_HASHED)
		return 0;
	snprintf(path, sizeof(path), "%s/client.key", state_dir);
	int err = sodium_init() < 0 ? -EIO : read_key(p, path);
	if (err == -ENOENT)
		err = make_key(p, path);
	if (err != 0)
		diag_set(ret_diag, path, 0, 0,
			 "the key for addresses of clients cannot be used: %s",
			 err == -EBADMSG ? "it is too short (remove it to begin with a new one)"
					 : strerror(-err));
	return err;
}

void privacy_hide(const struct privacy *p, uint8_t io_addr[16])
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	if (p->mode == PRIVACY_TRUNCATED) {
		size_t keep = memcmp(io_addr, mapped, sizeof(mapped)) == 0 ? 15 : 6;
		memset(io_addr + keep, 0, 16 - keep);
	} else if (p->mode == PRIVACY_HASHED) {
		uint8_t hash[16];
		crypto_generichash(hash, sizeof(hash), io_addr, 16, p->key, sizeof(p->key));
		memcpy(io_addr, hash, sizeof(hash));
		io_addr[0] = 0xfd;
	}
}

void privacy_hide_client(const struct privacy *p, struct hit_addr *io_addr)
{
	privacy_hide(p, io_addr->dir == DIR_TO_CLIENT ? io_addr->dst : io_addr->src);
}

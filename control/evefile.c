// SPDX-License-Identifier: BSD-2-Clause
// Appending whole lines. What a short write left behind is cut off again, so that a reader who waits for the newline
// never sees two lines grown together; after a crash in the middle of a write, the next start does the same.
#include "control/evefile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

// Cut the file back to its last newline. Only the tail is read: a line is at most 32 KiB.
static int cut_half_line(int fd)
{
	char tail[65536];
	struct stat st;

	if (fstat(fd, &st) != 0)
		return -errno;
	off_t from = st.st_size > (off_t)sizeof(tail) ? st.st_size - (off_t)sizeof(tail) : 0;
	ssize_t n = pread(fd, tail, sizeof(tail), from);
	if (n < 0)
		return -errno;
	if (n == 0 || tail[n - 1] == '\n')
		return 0;
	const char *end = memrchr(tail, '\n', (size_t)n);
	if (end == NULL && from > 0) // not ours: no line is that long
		return 0;
	off_t keep = end != NULL ? from + (end - tail) + 1 : 0;
	return ftruncate(fd, keep) == 0 ? 0 : -errno;
}

static int open_path(struct evefile *f, int *ret_fd, bool *ret_regular, struct diag *ret_diag)
{
	struct stat st;
	int fd = open(f->path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
		      0640);

	if (fd < 0 || fstat(fd, &st) != 0) {
		int err = -errno;
		diag_set(ret_diag, f->path, 0, 0, "cannot open the EVE file: %s", strerror(-err));
		if (fd >= 0)
			close(fd);
		return err;
	}
	// A pipe could take half a line and nobody could take it back.
	if (!S_ISREG(st.st_mode) && !S_ISCHR(st.st_mode)) {
		diag_set(ret_diag, f->path, 0, 0, "the EVE file must be a regular file");
		close(fd);
		return -EINVAL;
	}
	*ret_regular = S_ISREG(st.st_mode);
	int err = *ret_regular ? cut_half_line(fd) : 0;
	if (err != 0) {
		diag_set(ret_diag, f->path, 0, 0, "cannot repair the end of the EVE file: %s",
			 strerror(-err));
		close(fd);
		return err;
	}
	*ret_fd = fd;
	return 0;
}

int evefile_open(struct evefile *f, const char *path, struct diag *ret_diag)
{
	*f = (struct evefile){.fd = -1};
	if (path[0] == '\0')
		return 0;
	if (strlen(path) >= sizeof(f->path)) {
		diag_set(ret_diag, NULL, 0, 0, "the path of the EVE file is too long");
		return -ENAMETOOLONG;
	}
	snprintf(f->path, sizeof(f->path), "%s", path);
	return open_path(f, &f->fd, &f->regular, ret_diag);
}

int evefile_reopen(struct evefile *f, struct diag *ret_diag)
{
	bool regular;
	int fd;

	if (f->path[0] == '\0')
		return 0;
	int err = open_path(f, &fd, &regular, ret_diag);
	if (err != 0)
		return err;
	if (f->fd >= 0)
		close(f->fd);
	f->fd = fd;
	f->regular = regular;
	return 0;
}

void evefile_close(struct evefile *f)
{
	if (f->fd >= 0)
		close(f->fd);
	f->fd = -1;
}

// All of text, or the errno that stopped it.
static int write_all(int fd, const char *text, size_t len)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = write(fd, text + done, len - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		done += (size_t)n;
	}
	return 0;
}

int evefile_append(struct evefile *f, const char *text, size_t len, uint64_t n_lines, bool sync)
{
	off_t before = 0;
	int err = 0;

	if (f->fd < 0 || len == 0)
		return 0;
	if (f->regular) {
		before = lseek(f->fd, 0, SEEK_END);
		if (before < 0)
			err = -errno;
	}
	if (err == 0)
		err = write_all(f->fd, text, len);
	if (err == 0 && sync && f->regular && fdatasync(f->fd) != 0)
		err = -errno;
	if (err != 0 && f->regular && before >= 0 && ftruncate(f->fd, before) != 0)
		err = -errno;
	f->error = err;
	if (err != 0)
		f->failures++;
	else
		f->lines += n_lines;
	return err;
}

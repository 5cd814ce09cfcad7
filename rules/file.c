// SPDX-License-Identifier: BSD-2-Clause
// Whole small files. Reading never trusts the size the file system reports: it stops at the limit whatever comes.
#include "rules/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int fail(struct diag *d, const char *name, const char *doing, int error)
{
	diag_set(d, name, 0, 0, "cannot %s: %s", doing, strerror(error));
	return -error;
}

static int too_big(struct diag *d, const char *name, size_t max)
{
	diag_set(d, name, 0, 0, "has more than %zu bytes, the most that is read", max);
	return -EFBIG;
}

// Up to size bytes from the start; short only at the end of the file.
static ssize_t pread_full(int fd, char *buf, size_t size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = pread(fd, buf + done, size - done, (off_t)done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

int file_read_fd(int fd, const char *name, size_t max, char **ret_data, size_t *ret_len,
		 struct diag *ret_diag)
{
	struct stat st;
	size_t size;
	ssize_t n;
	char *data;

	if (fstat(fd, &st) < 0)
		return fail(ret_diag, name, "read", errno);
	if (!S_ISREG(st.st_mode)) {
		diag_set(ret_diag, name, 0, 0, "is not a regular file");
		return S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
	}
	if ((uint64_t)st.st_size > max)
		return too_big(ret_diag, name, max);
	size = (size_t)st.st_size + 1; // one more: did it grow?
	data = malloc(size + 1);
	if (data == NULL)
		return fail(ret_diag, name, "read", ENOMEM);
	n = pread_full(fd, data, size);
	if (n < 0) {
		free(data);
		return fail(ret_diag, name, "read", (int)-n);
	}
	if ((size_t)n == size) {
		free(data);
		diag_set(ret_diag, name, 0, 0, "grew while it was read; try again");
		return -EAGAIN;
	}
	data[n] = '\0';
	*ret_data = data;
	*ret_len = (size_t)n;
	return 0;
}

int file_read(const char *path, size_t max, char **ret_data, size_t *ret_len, struct diag *ret_diag)
{
	// O_NONBLOCK: a FIFO in place of the file must not block
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	int ret;

	if (fd < 0)
		return fail(ret_diag, path, "open", errno);
	ret = file_read_fd(fd, path, max, ret_data, ret_len, ret_diag);
	close(fd);
	return ret;
}

static int write_full(int fd, struct span s)
{
	while (s.len > 0) {
		ssize_t n = write(fd, s.data, s.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		s = span_from(s, (size_t)n);
	}
	return 0;
}

// Make the entry of path in its folder durable.
static int sync_folder(const char *path)
{
	char folder[PATH_MAX];
	const char *slash = strrchr(path, '/');
	int fd, ret = 0;

	if (slash == NULL)
		snprintf(folder, sizeof(folder), ".");
	else
		snprintf(folder, sizeof(folder), "%.*s", (int)(slash - path) + 1, path);
	fd = open(folder, O_RDONLY | O_CLOEXEC | O_DIRECTORY);
	if (fd < 0)
		return -errno;
	if (fsync(fd) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

// Give the finished temporary file its name.
static int publish(const char *tmp, const char *path, bool replace)
{
	int ret;

	if (replace)
		ret = rename(tmp, path);
	else
		ret = link(tmp, path);
	ret = ret < 0 ? -errno : 0;
	if (ret < 0 || !replace)
		unlink(tmp);
	return ret;
}

// Everything is written: make it durable and give it its name, or remove it.
static int finish(int fd, const char *tmp, const char *path, mode_t mode, bool replace, int ret,
		  struct diag *ret_diag)
{
	if (ret == 0 && (fsync(fd) < 0 || fchmod(fd, mode) < 0))
		ret = -errno;
	if (close(fd) < 0 && ret == 0)
		ret = -errno;
	if (ret < 0) {
		unlink(tmp);
		return fail(ret_diag, path, "write", -ret);
	}
	ret = publish(tmp, path, replace);
	if (ret == -EEXIST) {
		diag_set(ret_diag, path, 0, 0, "exists already and is left alone");
		return ret;
	}
	if (ret == 0)
		ret = sync_folder(path);
	return ret < 0 ? fail(ret_diag, path, "write", -ret) : 0;
}

int file_write(const char *path, struct span data, mode_t mode, bool replace, struct diag *ret_diag)
{
	char tmp[PATH_MAX];
	int fd;

	if ((size_t)snprintf(tmp, sizeof(tmp), "%s.XXXXXX", path) >= sizeof(tmp))
		return fail(ret_diag, path, "write", ENAMETOOLONG);
	fd = mkostemp(tmp, O_CLOEXEC); // mode 0600
	if (fd < 0)
		return fail(ret_diag, path, "write", errno);
	return finish(fd, tmp, path, mode, replace, write_full(fd, data), ret_diag);
}

int file_stream_begin(struct file_stream *f, const char *path, struct diag *ret_diag)
{
	int fd, err;

	if ((size_t)snprintf(f->path, sizeof(f->path), "%s", path) >= sizeof(f->path) ||
	    (size_t)snprintf(f->tmp, sizeof(f->tmp), "%s.XXXXXX", path) >= sizeof(f->tmp))
		return fail(ret_diag, path, "write", ENAMETOOLONG);
	fd = mkostemp(f->tmp, O_CLOEXEC);
	if (fd < 0)
		return fail(ret_diag, path, "write", errno);
	f->out = fdopen(fd, "w");
	if (f->out != NULL)
		return 0;
	err = errno;
	close(fd);
	unlink(f->tmp);
	return fail(ret_diag, path, "write", err);
}

int file_stream_end(struct file_stream *f, mode_t mode, bool replace, struct diag *ret_diag)
{
	int ret = ferror(f->out) != 0 ? -EIO : 0, fd;

	if (fflush(f->out) != 0 && ret == 0)
		ret = -errno;
	fd = fcntl(fileno(f->out), F_DUPFD_CLOEXEC, 0); // fclose() closes its own
	if (fd < 0) {
		ret = -errno;
		fclose(f->out);
		unlink(f->tmp);
		return fail(ret_diag, f->path, "write", -ret);
	}
	fclose(f->out);
	return finish(fd, f->tmp, f->path, mode, replace, ret, ret_diag);
}

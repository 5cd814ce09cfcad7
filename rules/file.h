// SPDX-License-Identifier: BSD-2-Clause
// Whole small files: bounded reading, durable writing.
#ifndef RULES_FILE_H
#define RULES_FILE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

#include "common/diag.h"
#include "common/span.h"

// Read a whole regular file of at most max bytes. ret_data: malloc'ed, a NUL follows its *ret_len bytes.
// 0, -EFBIG, -ENOMEM and other negative errno, with ret_diag.
int file_read(const char *path, size_t max, char **ret_data, size_t *ret_len,
	      struct diag *ret_diag);

// The same from the start of an open file, whose offset is left alone; name is for messages.
int file_read_fd(int fd, const char *name, size_t max, char **ret_data, size_t *ret_len,
		 struct diag *ret_diag);

// Write a file that is there in full or not at all, also after a power failure: temporary file beside it, fsync,
// rename, fsync of the folder. replace false: an existing file is left alone (-EEXIST).
// 0 or negative errno, with ret_diag.
int file_write(const char *path, struct span data, mode_t mode, bool replace,
	       struct diag *ret_diag);

// A file that is written piece by piece and then is there in full or not at all, as with file_write().
struct file_stream {
	FILE *out;
	char path[PATH_MAX], tmp[PATH_MAX];
};

// 0 or negative errno, with ret_diag. Then file_stream_end() must be called.
int file_stream_begin(struct file_stream *f, const char *path, struct diag *ret_diag);
int file_stream_end(struct file_stream *f, mode_t mode, bool replace, struct diag *ret_diag);

#endif

// SPDX-License-Identifier: BSD-2-Clause
// A text of any size, line by line, from whatever can be read: lists and what is imported.
#ifndef RULES_LINES_H
#define RULES_LINES_H

#include <stddef.h>
#include <sys/types.h>

// Read up to n bytes: 0 at the end, negative errno.
typedef ssize_t lines_read_fn(void *ctx, void *buf, size_t n);

// One line, numbered from 1, without its end and the blanks before that; the bytes may be changed. A line of more than
// max bytes comes once, with n = max + 1. Other than 0 ends the reading.
typedef int lines_fn(void *ctx, unsigned int line, char *s, size_t n);

// max: below 1 MiB. What fn or read returned if that was not 0, -ENOMEM or 0. A byte order mark at the start is left out.
int lines_each(lines_read_fn *read, void *read_ctx, size_t max, lines_fn *fn, void *ctx);

// A lines_read_fn of struct span: what is left of it.
ssize_t lines_read_span(void *ctx, void *buf, size_t n);

// A lines_read_fn of a file descriptor (int *).
ssize_t lines_read_fd(void *ctx, void *buf, size_t n);

#endif

// SPDX-License-Identifier: BSD-2-Clause
// Lines out of a sliding buffer: what has no end yet moves to its start and waits for more.
#include "rules/lines.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/span.h"

enum {
	BUFFER_BYTES = 2 << 20, // twice the longest line, and some
};

struct lines {
	lines_fn *fn;
	void *ctx;
	size_t max;
	unsigned int line;
	bool skip; // the rest of a line that is too long
};

static int line_give(struct lines *l, char *s, size_t n, bool ends)
{
	bool skip = l->skip;

	l->skip = !ends;
	if (skip)
		return 0;
	if (++l->line == 1 && n >= 3 && memcmp(s, "\xef\xbb\xbf", 3) == 0) {
		s += 3;
		n -= 3;
	}
	if (n > l->max)
		return l->fn(l->ctx, l->line, s, l->max + 1);
	while (n > 0 && (s[n - 1] == '\r' || s[n - 1] == ' ' || s[n - 1] == '\t'))
		n--;
	return l->fn(l->ctx, l->line, s, n);
}

// Give the whole lines of buf; what is left over moves to its start.
static int lines_give(struct lines *l, char *buf, size_t *io_n, bool at_end)
{
	size_t from = 0, n = *io_n;
	int ret = 0;

	while (ret == 0 && from < n) {
		const char *nl = memchr(buf + from, '\n', n - from);
		size_t len = nl != NULL ? (size_t)(nl - (buf + from)) : n - from;

		// The mark at the start of the text does not count.
		if (nl == NULL && !at_end && len <= l->max + 3)
			break;
		ret = line_give(l, buf + from, len, nl != NULL);
		from += len + (nl != NULL);
	}
	memmove(buf, buf + from, n - from);
	*io_n = n - from;
	return ret;
}

int lines_each(lines_read_fn *read, void *read_ctx, size_t max, lines_fn *fn, void *ctx)
{
	struct lines l = {.fn = fn, .ctx = ctx, .max = max};
	char *buf = malloc(BUFFER_BYTES);
	bool at_end = false;
	size_t n = 0;
	int ret = 0;

	if (buf == NULL)
		return -ENOMEM;
	while (ret == 0 && !at_end) {
		ssize_t got = read(read_ctx, buf + n, BUFFER_BYTES - n);

		if (got < 0) {
			ret = (int)got;
			break;
		}
		at_end = got == 0;
		n += (size_t)got;
		ret = lines_give(&l, buf, &n, at_end);
	}
	free(buf);
	return ret;
}

ssize_t lines_read_span(void *ctx, void *buf, size_t n)
{
	struct span *left = ctx, s = span_first(*left, n);

	if (s.len > 0)
		memcpy(buf, s.data, s.len);
	*left = span_from(*left, s.len);
	return (ssize_t)s.len;
}

ssize_t lines_read_fd(void *ctx, void *buf, size_t n)
{
	const int *fd = ctx;
	ssize_t got;

	do
		got = read(*fd, buf, n);
	while (got < 0 && errno == EINTR);
	return got < 0 ? -errno : got;
}

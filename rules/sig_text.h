// SPDX-License-Identifier: BSD-2-Clause
// Reading minisign's texts line by line, for sig.c and sig_key.c. Strict: exact prefixes, exact lengths.
#ifndef RULES_SIG_TEXT_H
#define RULES_SIG_TEXT_H

#include <errno.h>
#include <sodium.h>
#include <stdbool.h>
#include <string.h>

#include "common/diag.h"
#include "common/span.h"

#define SIG_UNTRUSTED "untrusted comment: "
#define SIG_TRUSTED   "trusted comment: "

enum {
	SIG_BASE64_MAX = 256, // of any line with its NUL
};

// Anything of libsodium comes after this.
static inline int sig_crypto_ready(const char *name, struct diag *ret_diag)
{
	if (sodium_init() >= 0)
		return 0;
	diag_set(ret_diag, name, 0, 0, "libsodium has no source of random numbers");
	return -EIO;
}

// The next line without its end; false at the end of the text.
static inline bool sig_next_line(struct span *io_text, struct span *ret_line)
{
	const uint8_t *end;
	size_t len;

	if (io_text->len == 0)
		return false;
	end = memchr(io_text->data, '\n', io_text->len);
	len = end != NULL ? (size_t)(end - io_text->data) : io_text->len;
	*ret_line = span_of(io_text->data, len);
	*io_text = span_from(*io_text, len + 1);
	if (len > 0 && ret_line->data[len - 1] == '\r')
		ret_line->len--;
	return true;
}

// The next line must start with prefix; ret_rest is what follows.
static inline bool sig_next_comment(struct span *io_text, struct span prefix, struct span *ret_rest)
{
	struct span line;

	if (!sig_next_line(io_text, &line) || !span_eq(span_first(line, prefix.len), prefix))
		return false;
	*ret_rest = span_of(line.data + prefix.len, line.len - prefix.len);
	return true;
}

// The next line must be base64 of exactly size bytes.
static inline bool sig_next_base64(struct span *io_text, void *ret_bytes, size_t size)
{
	struct span line;
	size_t n;

	return sig_next_line(io_text, &line) &&
	       sodium_base642bin(ret_bytes, size, (const char *)line.data, line.len, NULL, &n, NULL,
				 sodium_base64_VARIANT_ORIGINAL) == 0 &&
	       n == size;
}

#endif

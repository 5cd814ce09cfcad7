// SPDX-License-Identifier: BSD-2-Clause
// Checking and reading a list. Only what leads somewhere is checked: a wrong tag or print is a wrong answer, which the
// checksum and the way the list came must exclude, but never an access outside.
#include "rules/list.h"

#include <errno.h>

#include <sodium.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

static_assert(crypto_shorthash_siphashx24_BYTES == sizeof(struct list_print), "print");
static_assert(crypto_shorthash_siphashx24_KEYBYTES == sizeof(((struct list *)0)->key), "key");

static const struct {
	const char *name;
	size_t bytes;
} kinds[LIST_KIND_N] = {
	[LIST_MD5] = {"md5", 16},    [LIST_SHA1] = {"sha1", 20}, [LIST_SHA256] = {"sha256", 32},
	[LIST_TEXT] = {"string", 0}, [LIST_IP] = {"ip", 16},
};

const char *list_kind_name(unsigned int kind)
{
	return kind < LIST_KIND_N ? kinds[kind].name : "?";
}

size_t list_kind_bytes(unsigned int kind)
{
	return kind < LIST_KIND_N ? kinds[kind].bytes : 0;
}

uint64_t list_bytes(uint32_t n, uint32_t n_lines)
{
	uint64_t bytes = sizeof(struct list) + (uint64_t)n_lines * sizeof(struct list_line) +
			 (uint64_t)n * sizeof(struct list_print);

	return (bytes + LIST_ALIGN - 1) & ~(uint64_t)(LIST_ALIGN - 1);
}

int list_check(const void *blob, uint64_t bytes, const char **ret_why)
{
	const struct list *l = blob;
	const struct list_line *line;
	uint64_t next = 0;
	uint32_t wrong = 0;

	*ret_why = "a list has a broken head";
	if (bytes < sizeof(*l) || l->magic != LIST_MAGIC || l->kind >= LIST_KIND_N)
		return -EBADMSG;
	*ret_why = "a list has a broken size";
	if (l->n > LIST_ENTRIES_MAX || l->n_lines == 0 || l->n_lines > LIST_ENTRIES_MAX ||
	    bytes != list_bytes(l->n, l->n_lines))
		return -EBADMSG;
	*ret_why = "a line of a list";
	line = list_lines(l);
	for (uint32_t i = 0; i < l->n_lines; i++, line++) {
		wrong |= line->first ^ (uint32_t)next;
		wrong |= line->n > LIST_LINE_MAX;
		next += line->n;
	}
	return wrong == 0 && next == l->n ? 0 : -EBADMSG;
}

uint64_t list_checksum(const void *blob, uint64_t bytes)
{
	return XXH3_64bits(blob, bytes);
}

struct list_print list_print(const uint8_t key[16], const void *data, size_t len)
{
	struct list_print p;

	crypto_shorthash_siphashx24((uint8_t *)&p, data, len, key);
	return p;
}

bool list_has(const struct list *l, struct span s)
{
	uint8_t mapped[16] = {[10] = 0xff, [11] = 0xff};
	size_t want = kinds[l->kind].bytes;

	if (l->kind == LIST_IP && s.len == 4) {
		memcpy(mapped + 12, s.data, 4);
		s = span_of(mapped, sizeof(mapped));
	}
	if (want != 0 && s.len != want)
		return false;
	return list_has_print(l, list_print(l->key, s.data, s.len));
}

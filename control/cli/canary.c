// SPDX-License-Identifier: BSD-2-Clause
// Every piece of every text in every form is a needle; needles are sorted by their first eight bytes, and each position of
// what is searched is looked up among them.
#include "control/cli/canary.h"

#include <sodium.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum {
	HEAD = 8,
	NEEDLE_BYTES = 2 * CANARY_PIECE,
	FORMS = 6, // as it is, two of hex, base64 at three positions in a group
	NEEDLES_EACH = FORMS * 2 * CANARY_BYTES,
	ENCODED_BYTES = 2 * CANARY_BYTES + 16,
};

struct needle {
	uint64_t head;
	char text[NEEDLE_BYTES];
	unsigned int len;
	struct canary_found found;
};

struct canary_search {
	size_t n;
	struct needle needles[];
};

void canary_make(struct canary *v, unsigned int n)
{
	static const char letters[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

	for (unsigned int i = 0; i < n; i++) {
		for (int b = 0; b < CANARY_BYTES; b++)
			v[i].text[b] = letters[randombytes_uniform(sizeof(letters) - 1)];
		v[i].text[CANARY_BYTES] = '\0';
	}
}

static uint64_t head_of(const char *p)
{
	uint64_t head;

	memcpy(&head, p, sizeof(head));
	return head;
}

// Every len bytes of text are a needle.
static void add(struct canary_search *s, const struct canary *c, const char *form, const char *text,
		size_t text_len, unsigned int len)
{
	for (size_t at = 0; at + len <= text_len; at++) {
		struct needle *needle = &s->needles[s->n++];

		*needle = (struct needle){
			.head = head_of(text + at),
			.len = len,
			.found = {.canary = c, .form = form},
		};
		memcpy(needle->text, text + at, len);
	}
}

static void add_forms(struct canary_search *s, const struct canary *c)
{
	char text[ENCODED_BYTES];

	add(s, c, "as it is", c->text, CANARY_BYTES, CANARY_PIECE);
	sodium_bin2hex(text, sizeof(text), (const unsigned char *)c->text, CANARY_BYTES);
	add(s, c, "hex", text, strlen(text), 2 * CANARY_PIECE);
	for (char *p = text; *p != '\0'; p++)
		*p = (char)(*p >= 'a' ? *p - 'a' + 'A' : *p);
	add(s, c, "hex", text, strlen(text), 2 * CANARY_PIECE);
	for (size_t before = 0; before < 3; before++) {
		unsigned char raw[CANARY_BYTES + 2] = {0};

		memcpy(raw + before, c->text, CANARY_BYTES);
		sodium_bin2base64(text, sizeof(text), raw, before + CANARY_BYTES,
				  sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
		// The first and last letters are made of neighbours as well.
		const size_t skip = before == 0 ? 0 : before + 1;
		add(s, c, "base64", text + skip, strlen(text) - skip - 1, CANARY_PIECE + 3);
	}
}

static int by_head(const void *a, const void *b)
{
	const struct needle *x = a, *y = b;

	return x->head < y->head ? -1 : x->head > y->head;
}

struct canary_search *canary_search_new(const struct canary *v, unsigned int n)
{
	struct canary_search *s =
		calloc(1, sizeof(*s) + (size_t)n * NEEDLES_EACH * sizeof(s->needles[0]));

	if (s == NULL)
		return NULL;
	for (unsigned int i = 0; i < n; i++)
		add_forms(s, &v[i]);
	qsort(s->needles, s->n, sizeof(s->needles[0]), by_head);
	return s;
}

void canary_search_free(struct canary_search *s)
{
	free(s);
}

static const struct needle *first_with(const struct canary_search *s, uint64_t head)
{
	size_t lo = 0, hi = s->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (s->needles[mid].head < head)
			lo = mid + 1;
		else
			hi = mid;
	}
	return &s->needles[lo];
}

bool canary_find(const struct canary_search *s, const void *data, size_t len,
		 struct canary_found *ret_found)
{
	const char *p = data;

	for (size_t at = 0; at + HEAD <= len; at++) {
		const uint64_t head = head_of(p + at);
		const struct needle *needle = first_with(s, head);

		for (; needle < s->needles + s->n && needle->head == head; needle++) {
			if (needle->len > len - at ||
			    memcmp(p + at, needle->text, needle->len) != 0)
				continue;
			*ret_found = needle->found;
			ret_found->offset = at;
			return true;
		}
	}
	return false;
}

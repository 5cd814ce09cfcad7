// SPDX-License-Identifier: BSD-2-Clause
// Lists from anywhere. The first byte says how the rest is taken: as a list file of some kind, which must give a list
// that holds what it was made of; or as the bytes of a list, patched onto a good one, which must be refused or stay inside.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "rules/list_make.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	GOOD_ENTRIES = 100,
};

static void must(int ok)
{
	if (!ok)
		abort();
}

static void *list_of(struct list_maker *m, uint64_t *ret_bytes)
{
	void *blob;

	must(list_maker_sort(m) == 0);
	*ret_bytes = list_bytes(m->n, m->n_lines);
	blob = aligned_alloc(LIST_ALIGN, *ret_bytes);
	must(blob != NULL);
	memset(blob, 0, *ret_bytes);
	list_maker_write(m, blob);
	return blob;
}

static ssize_t read_input(void *ctx, void *buf, size_t n)
{
	struct span *left = ctx, s = span_first(*left, n < 7 ? n : 7);

	if (s.len > 0)
		memcpy(buf, s.data, s.len);
	*left = span_from(*left, s.len);
	return (ssize_t)s.len;
}

// Bytes as a file.
static void try_file(uint8_t kind, struct span input)
{
	struct list_maker m = {.kind = kind};
	struct span left = input;
	struct diag d = {0};
	int err = list_maker_read(&m, "fuzz", read_input, &left, &d);

	if (err < 0) {
		must(d.text[0] != '\0' && d.line > 0);
	} else {
		const char *why;
		uint64_t bytes;
		struct list *l = list_of(&m, &bytes);

		must(list_check(l, bytes, &why) == 0 && l->n == m.n);
		for (uint32_t i = 0; i < m.n; i++)
			must(list_has_print(l, m.v[i]));
		free(l);
	}
	list_maker_done(&m);
}

// A good list with four bytes changed for each four of the input: two say where, one what; the fourth cuts the end.
static void try_list(struct span input)
{
	struct list_maker m = {.kind = LIST_TEXT};
	uint64_t bytes, cut = 0;
	const char *why;
	uint8_t *blob, *copy;

	for (uint32_t i = 0; i < GOOD_ENTRIES; i++)
		must(list_maker_add(&m, span_of(&i, sizeof(i))) == 0);
	blob = list_of(&m, &bytes);
	list_maker_done(&m);
	for (; input.len >= 4; input = span_from(input, 4)) {
		uint64_t at = (uint64_t)(input.data[0] | input.data[1] << 8) % bytes;

		blob[at] = input.data[2];
		if (input.data[3] == 1)
			cut += LIST_ALIGN;
	}
	bytes -= cut < bytes ? cut : 0;
	copy = aligned_alloc(LIST_ALIGN, bytes); // what lies behind it is nobody's
	must(copy != NULL);
	memcpy(copy, blob, bytes);
	free(blob);
	if (list_check(copy, bytes, &why) == 0)
		for (uint32_t i = 0; i < 2 * GOOD_ENTRIES; i++)
			list_has((const struct list *)(const void *)copy, span_of(&i, sizeof(i)));
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span rest = span_from(span_of(data, size), 1);

	if (size == 0)
		return 0;
	if (data[0] % 8 < LIST_KIND_N)
		try_file(data[0] % 8, rest);
	else
		try_list(rest);
	return 0;
}

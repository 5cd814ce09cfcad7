// SPDX-License-Identifier: BSD-2-Clause
// The importer on any bytes. What it writes must be lists that load, each entry of it found again.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "rules/import.h"
#include "rules/list_make.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int ok)
{
	if (!ok)
		abort();
}

static ssize_t read_some(void *ctx, void *buf, size_t n)
{
	return lines_read_span(ctx, buf, n < 11 ? n : 11);
}

static void reload(const struct import *im, enum import_kind kind)
{
	static const uint8_t kinds[IMPORT_KIND_N] = {LIST_MD5, LIST_SHA1, LIST_SHA256, LIST_TEXT,
						     LIST_TEXT};
	struct list_maker m = {.kind = kinds[kind]};
	struct diag d = {0};
	struct span text;
	char *out = NULL;
	size_t len;
	FILE *f = open_memstream(&out, &len);

	must(f != NULL);
	import_write(im, kind, f);
	must(fclose(f) == 0);
	text = span_of(out, len);
	must(list_maker_read(&m, "list", lines_read_span, &text, &d) == 0);
	must(m.n == im->set[kind].n);
	must(list_maker_sort(&m) == 0);
	must(m.n == im->set[kind].n && m.duplicates == 0); // sorted without duplicates before
	list_maker_done(&m);
	free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct import im = {.want = size > 0 ? data[0] & 31 : 0};
	struct span left = span_from(span_of(data, size), 1);
	struct diag d = {""};
	int err = import_read(&im, "fuzz", read_some, &left, &d);

	must(err == 0 || d.text[0] != '\0');
	must(im.n_first <= IMPORT_REFUSED_MAX && im.n_first <= im.refused);
	import_sort(&im);
	for (int k = 0; k < IMPORT_KIND_N; k++)
		reload(&im, (enum import_kind)k);
	import_done(&im);
	return 0;
}

// SPDX-License-Identifier: BSD-2-Clause
// The self-tests of a bundle: any text is refused with its line, or is a number of cases that were played through the engine.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/vectors.h"
#include "rules/compile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char rules[] =
	"alert http any any -> any any (msg:\"a\"; http.uri; content:\"/one\"; sid:1;)\n"
	"alert http any any -> any any (msg:\"b\"; http.response_body; content:\"two\"; sid:2;)\n";

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void *image; // as long as the process
static uint64_t len;

static void make_image(void)
{
	struct rules rs = {0};
	struct diag diag;

	must(rules_parse(&rs, "fuzz", rules, sizeof(rules) - 1, NULL, NULL, NULL) == 2);
	must(compile_image(&rs, 0, &image, &len, NULL, NULL, NULL, &diag) == 0);
	rules_done(&rs);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (image == NULL)
		make_image();
	for (int absent = 0; absent < 2; absent++) {
		struct vectors *v;
		struct diag diag = {0};

		must(vectors_new(image, len, &v, &diag) == 0);
		if (vectors_run(v, "fuzz", span_of(data, size), absent != 0, &diag) < 0)
			must(diag.text[0] != '\0');
		vectors_free(v);
	}
	return 0;
}

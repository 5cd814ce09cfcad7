// SPDX-License-Identifier: BSD-2-Clause
// The scope of what may be inspected: any line is refused with a sentence, or gives entries that say what they say.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t address[16] = {0x20, 1, 0x0d, 0xb8};
	static struct scope scope;
	char *text = malloc(size + 1), *rest = text, *line;

	must(text != NULL);
	scope.n = 0;
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	while ((line = strsep(&rest, "\n")) != NULL) {
		struct diag diag = {0};
		const uint32_t before = scope.n;

		if (config_scope(line, &scope, &diag) != 0)
			must(diag.text[0] != '\0');
		else
			must(scope.n > before);
		must(scope.n <= SCOPE_MAX);
		for (uint32_t i = before; i < scope.n; i++) {
			const struct scope_entry *e = &scope.v[i];

			must(e->port_lo <= e->port_hi && e->directions >= SCOPE_IN &&
			     e->directions <= (SCOPE_IN | SCOPE_OUT));
			must(memcmp(e->net.lo, e->net.hi, sizeof(e->net.lo)) <= 0);
			must(scope_holds(&scope, e->net.lo, e->net.lo, e->port_lo) &&
			     scope_holds(&scope, e->net.hi, e->net.hi, e->port_hi));
		}
		(void)scope_holds(&scope, address, address, 80);
	}
	free(text);
	return 0;
}

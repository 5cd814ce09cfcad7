// SPDX-License-Identifier: BSD-2-Clause
// "in|out|both PREFIX [PORTS]": one entry of the scope a line, several where PORTS has commas.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/config.h"

static int bad(const char *spec, const char *why, struct diag *ret_diag)
{
	diag_set(ret_diag, NULL, 0, 0,
		 "scope: \"%s\": %s (write \"in 192.0.2.0/24 80,8000-8090\"; direction in, out or "
		 "both, then a prefix, then ports of the server or none for all)",
		 spec, why);
	return -EINVAL;
}

// "80" or "8000-8090".
static bool port_range(const char *text, struct scope_entry *e)
{
	char *end;
	unsigned long lo = strtoul(text, &end, 10), hi = lo;

	if (end == text || text[0] == '-' || text[0] == '+')
		return false;
	if (*end == '-') {
		const char *second = end + 1;
		if (*second < '0' || *second > '9')
			return false;
		hi = strtoul(second, &end, 10);
	}
	if (*end != '\0' || lo > hi || hi > UINT16_MAX)
		return false;
	e->port_lo = (uint16_t)lo;
	e->port_hi = (uint16_t)hi;
	return true;
}

int config_scope(const char *spec, struct scope *io_scope, struct diag *ret_diag)
{
	static const char *const directions[] = {"", "in", "out", "both"};
	struct scope_entry e = {.port_hi = UINT16_MAX};
	char text[CONFIG_ARG_MAX], *rest = text, *ports, *word;

	if (snprintf(text, sizeof(text), "%s", spec) >= (int)sizeof(text))
		return bad(spec, "it is too long", ret_diag);
	word = strsep(&rest, " ");
	for (uint16_t d = 1; d < 4; d++)
		if (strcmp(word, directions[d]) == 0)
			e.directions = d;
	if (e.directions == 0)
		return bad(spec, "it does not begin with a direction", ret_diag);
	word = rest != NULL ? strsep(&rest, " ") : NULL;
	if (word == NULL || prefix_parse(word, &e.net) != 0)
		return bad(spec, "there is no prefix", ret_diag);
	ports = rest;
	do {
		word = ports != NULL ? strsep(&ports, ",") : NULL;
		if (word != NULL && !port_range(word, &e))
			return bad(spec, "these are no ports", ret_diag);
		if (io_scope->n == SCOPE_MAX)
			return bad(spec, "there are too many entries, 256 at most", ret_diag);
		io_scope->v[io_scope->n++] = e;
	} while (ports != NULL);
	return 0;
}

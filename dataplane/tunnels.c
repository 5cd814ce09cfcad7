// SPDX-License-Identifier: BSD-2-Clause
// Names of tunnels to bits.
#include "dataplane/tunnels.h"

#include <errno.h>
#include <string.h>

#include "common/suggest.h"
#include "dataplane/engine/tunnel.h"

int tunnels_add(const char *name, size_t len, uint32_t *io_off, struct diag *ret_diag)
{
	static const char *const names[] = {
#define X(id, name, text) name,
		TUNNEL_TABLE(X)
#undef X
			"all",
		"none",
	};
	const size_t n = sizeof(names) / sizeof(names[0]);
	char word[16];

	for (size_t i = 0; i < n; i++) {
		if (strlen(names[i]) != len || memcmp(names[i], name, len) != 0)
			continue;
		if (i < TUNNEL_N)
			*io_off &= ~(1u << i);
		else if (i == TUNNEL_N)
			*io_off = 0;
		return 0;
	}
	snprintf(word, sizeof(word), "%.*s", (int)(len < 15 ? len : 15), name);
	const char *near = suggest_closest(word, names, n);

	diag_set(ret_diag, NULL, 0, 0, "unknown tunnel \"%s\"%s%s%s", word,
		 near != NULL ? " (did you mean " : " (" TUNNELS_HELP ", all or none",
		 near != NULL ? near : "", near != NULL ? "?)" : ")");
	return -EINVAL;
}

int tunnels_parse(const char *list, uint32_t *ret_off, struct diag *ret_diag)
{
	uint32_t off = TUNNEL_ALL;

	for (const char *p = list;; p++) {
		size_t len = strcspn(p, ",");
		int err = tunnels_add(p, len, &off, ret_diag);

		if (err < 0)
			return err;
		p += len;
		if (*p == '\0')
			break;
	}
	*ret_off = off;
	return 0;
}

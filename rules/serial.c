// SPDX-License-Identifier: BSD-2-Clause
// Anti-rollback: per bundle id, the highest serial that was ever accepted, as one decimal line in a file.
//
// The number only grows. A record that cannot be understood is an error, never zero: deleting or damaging a file must
// not open the way for old bundles silently.
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "rules/bundle.h"
#include "rules/file.h"

static int serial_path(char path[PATH_MAX], const char *state_dir, const char *id,
		       struct diag *ret_diag)
{
	if ((size_t)snprintf(path, PATH_MAX, "%s/serial.%s", state_dir, id) < PATH_MAX)
		return 0;
	diag_set(ret_diag, state_dir, 0, 0, "is too long a path");
	return -ENAMETOOLONG;
}

// The recorded serial, 0 if there is no record.
static int serial_last(const char *path, uint64_t *ret_serial, struct diag *ret_diag)
{
	uint64_t v = 0;
	size_t len, i;
	char *text;
	int ret = file_read(path, 64, &text, &len, ret_diag);

	if (ret == -ENOENT) {
		*ret_serial = 0;
		return 0;
	}
	if (ret < 0)
		return ret;
	for (i = 0; i < len && i < 19 && text[i] >= '0' && text[i] <= '9'; i++)
		v = v * 10 + (uint64_t)(text[i] - '0');
	if (i == 0 || i + 1 != len || text[i] != '\n' || v == 0) {
		diag_set(ret_diag, path, 0, 0,
			 "is damaged: it must hold the serial of the newest bundle ever accepted, "
			 "one number; restore it by hand");
		ret = -EBADMSG;
	}
	free(text);
	if (ret == 0)
		*ret_serial = v;
	return ret;
}

int bundle_serial_check(const char *state_dir, const char *id, uint64_t serial,
			struct diag *ret_diag)
{
	char path[PATH_MAX];
	uint64_t last;
	int ret = serial_path(path, state_dir, id, ret_diag);

	if (ret == 0)
		ret = serial_last(path, &last, ret_diag);
	if (ret < 0 || serial > last)
		return ret;
	diag_set(ret_diag, "", 0, 0,
		 "bundle %s serial %llu is not newer than serial %llu, accepted before: publish it "
		 "with a higher serial, or load it with --allow-older",
		 id, (unsigned long long)serial, (unsigned long long)last);
	return -ESTALE;
}

int bundle_serial_commit(const char *state_dir, const char *id, uint64_t serial,
			 struct diag *ret_diag)
{
	char path[PATH_MAX], text[32];
	uint64_t last;
	int n, ret = serial_path(path, state_dir, id, ret_diag);

	if (ret == 0)
		ret = serial_last(path, &last, ret_diag);
	if (ret < 0 || serial <= last)
		return ret;
	n = snprintf(text, sizeof(text), "%llu\n", (unsigned long long)serial);
	return file_write(path, span_of(text, (size_t)n), 0640, true, ret_diag);
}

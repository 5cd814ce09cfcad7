// SPDX-License-Identifier: BSD-2-Clause
#include "dataplane/engine/selftest.h"

#include <errno.h>
#include <string.h>

int selftest_run(selftest_scan_fn *scan, void *ctx, struct diag *ret_diag)
{
	static const uint32_t pieces[] = {0, 1000, 100, 7};
	uint8_t data[2 * SELFTEST_BYTES + 64];

	memset(data, 'a', sizeof(data));
	for (uint32_t len = SELFTEST_BYTES; len >= SELFTEST_BYTES - 64; len -= 21) {
		for (uint32_t at = 0; at < len; at++) {
			data[at] = '|';
			for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
				int n = scan(ctx, data, len, pieces[i]);

				if (n == 1)
					continue;
				if (n < 0) {
					diag_set(ret_diag, NULL, 0, 0,
						 "libhs failed on a test scan of %u bytes (%s)",
						 len, strerror(-n));
					return -ENOTSUP;
				}
				diag_set(ret_diag, NULL, 0, 0,
					 "the installed libhs is broken on this CPU: a byte at "
					 "offset %u of "
					 "%u was found %d times (install libhyperscan5 instead of "
					 "libvectorscan)",
					 at, len, n);
				return -ENOTSUP;
			}
			data[at] = 'a';
		}
	}
	return 0;
}

// SPDX-License-Identifier: BSD-2-Clause
// A folder that is there must be in order: a broken profile is not passed over, because the port would run on other values than the operator believes.
#include "dataplane/nicprofile.h"

void nicprofile_built_in(struct hwprofile *ret_profile)
{
	*ret_profile = (struct hwprofile){
		.rx = {.desc = 2048,
		       .burst = 32,
		       .burst_align = 1,
		       .max_queues = PROFILE_QUEUES_MAX},
		.tx = {.desc = 1024, .pairs = true},
		.mbuf = {.cache = 256},
		.rss = {.symmetric = PROFILE_SYMMETRIC_SOFTWARE},
	};
}

int nicprofile_load(const char *dir, const char *driver, const char *pci, uint16_t max_burst,
		    struct hwprofile *ret_profile, struct diag *ret_diag)
{
	int err = 0;

	if (dir[0] == '\0')
		nicprofile_built_in(ret_profile);
	else
		err = profile_load_dir(dir, driver, pci, ret_profile, ret_diag);
	if (err == 0 && ret_profile->rx.burst > max_burst)
		ret_profile->rx.burst = max_burst;
	return err;
}

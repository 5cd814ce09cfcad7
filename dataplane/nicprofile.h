// SPDX-License-Identifier: BSD-2-Clause
// Which profile of hwprofiles/ is a port's.
#ifndef DATAPLANE_NICPROFILE_H
#define DATAPLANE_NICPROFILE_H

#include <stddef.h>
#include <stdint.h>

#include "common/diag.h"
#include "hwprofiles/profile.h"

// Values for a card when there is no folder of profiles; its name is "".
void nicprofile_built_in(struct hwprofile *ret_profile);

// The profile in dir for a DPDK driver and a card, see profile_load_dir(), at most max_burst frames in a burst; dir "":
// the built-in values. 0, or negative errno with ret_diag if one of the profiles in dir is not in order.
int nicprofile_load(const char *dir, const char *driver, const char *pci, uint16_t max_burst,
		    struct hwprofile *ret_profile, struct diag *ret_diag);

#endif

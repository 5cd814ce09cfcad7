// SPDX-License-Identifier: BSD-2-Clause
#ifndef HWPROFILES_PROFILE_CHECK_H
#define HWPROFILES_PROFILE_CHECK_H

#include "hwprofiles/profile.h"

// Does a profile that was read from path hold together? 0, or -EINVAL with ret_diag: file, line, and what to write.
int profile_check(const struct hwprofile *p, const char *path, struct diag *ret_diag);

#endif

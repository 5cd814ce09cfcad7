// SPDX-License-Identifier: BSD-2-Clause
// What a port takes from the profile of its card's family (hwprofiles/): queue sizes and burst.
#ifndef DATAPLANE_NICPROFILE_H
#define DATAPLANE_NICPROFILE_H

#include <stddef.h>
#include <stdint.h>

#include "common/diag.h"

struct nicprofile {
	char name[32]; // "": built-in values
	// how far they can be trusted: "validated", "emulated", "documented"; "" if built in
	const char *evidence;
	uint16_t rx_desc, tx_desc; // per queue
	uint16_t burst;            // frames asked for at a time, at most
};

// Values for a card when there is no folder of profiles.
void nicprofile_built_in(struct nicprofile *ret_profile);

// The folder of profiles: configured, if that is not ""; else ../share/wireglass/hwprofiles as seen from program_dir,
// where the program was installed, or ../hwprofiles, the source tree around a build. "" in buf if neither is there.
// Returns buf.
const char *nicprofile_dir(const char *configured, const char *program_dir, char *buf, size_t size);

// Folder of the running program, "." if unknown. Returns buf.
const char *nicprofile_program_dir(char *buf, size_t size);

// The profile in dir for a DPDK driver, at most max_burst frames in a burst; dir "": the built-in values.
// 0, or negative errno with ret_diag if one of the profiles in dir is not in order.
int nicprofile_load(const char *dir, const char *driver, uint16_t max_burst,
		    struct nicprofile *ret_profile, struct diag *ret_diag);

#endif

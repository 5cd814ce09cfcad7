// SPDX-License-Identifier: BSD-2-Clause
// From a folder of profiles to the numbers of a port. A folder that is there must be in order: a broken profile is
// not passed over, because the port would run on other values than the operator believes.
#include "dataplane/nicprofile.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hwprofiles/profile.h"

enum {
	RX_DESC = 2048,
	TX_DESC = 1024,
	BURST = 32, // some vector receive paths return nothing for less
};

void nicprofile_built_in(struct nicprofile *ret_profile)
{
	*ret_profile = (struct nicprofile){
		.evidence = "",
		.rx_desc = RX_DESC,
		.tx_desc = TX_DESC,
		.burst = BURST,
	};
}

const char *nicprofile_program_dir(char *buf, size_t size)
{
	ssize_t n = readlink("/proc/self/exe", buf, size - 1);
	char *slash;

	buf[n > 0 ? n : 0] = '\0';
	slash = strrchr(buf, '/');
	if (slash == NULL)
		snprintf(buf, size, ".");
	else
		*slash = '\0';
	return buf;
}

const char *nicprofile_dir(const char *configured, const char *program_dir, char *buf, size_t size)
{
	static const char *const places[] = {"../share/wireglass/hwprofiles", "../hwprofiles"};

	if (configured[0] != '\0') {
		snprintf(buf, size, "%s", configured);
		return buf;
	}
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		int n = snprintf(buf, size, "%s/%s", program_dir, places[i]);

		if (n > 0 && (size_t)n < size && access(buf, R_OK | X_OK) == 0)
			return buf;
	}
	buf[0] = '\0';
	return buf;
}

int nicprofile_load(const char *dir, const char *driver, uint16_t max_burst,
		    struct nicprofile *ret_profile, struct diag *ret_diag)
{
	struct nicprofile p;
	struct hwprofile *hw;
	int err = 0;

	nicprofile_built_in(&p);
	if (dir[0] != '\0') {
		hw = calloc(1, sizeof(*hw));
		if (hw == NULL) {
			diag_set(ret_diag, dir, 0, 0, "out of memory");
			return -ENOMEM;
		}
		err = profile_load_dir(dir, driver, hw, ret_diag);
		if (err == 0) {
			memcpy(p.name, hw->name, sizeof(p.name));
			p.evidence = profile_evidence_name(hw->evidence);
			p.rx_desc = (uint16_t)hw->rx.desc; // at most 32768, as burst at most 64
			p.tx_desc = (uint16_t)hw->tx.desc;
			p.burst = (uint16_t)hw->rx.burst;
		}
		free(hw);
	}
	if (p.burst > max_burst)
		p.burst = max_burst;
	if (err == 0)
		*ret_profile = p;
	return err;
}

// SPDX-License-Identifier: BSD-2-Clause
// Where the profiles are: configured, installed beside the program, or in the source tree around a build.
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "hwprofiles/profile.h"

const char *profile_program_dir(char *buf, size_t size)
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

const char *profile_dir(const char *configured, const char *program_dir, char *buf, size_t size)
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

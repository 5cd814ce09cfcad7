// SPDX-License-Identifier: BSD-2-Clause
// "wireglass doctor": findings, and the files of the kernel they come from.
#ifndef CONTROL_CLI_DOCTOR_H
#define CONTROL_CLI_DOCTOR_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum doctor_level {
	DOCTOR_OK,
	DOCTOR_NOTE, // good to know: nothing is wrong
	DOCTOR_WARN, // it will work, and worse than it could
	DOCTOR_FAIL, // what is asked for will not work
	DOCTOR_LEVEL_N,
};

struct doctor {
	const char *root;     // before every path, "" for this machine
	const char *profiles; // folder of hwprofiles
	json_t *findings;     // of objects: check, level, text, mend
	unsigned int count[DOCTOR_LEVEL_N];
	bool wants_vfio; // a card is given to vfio-pci, or should be: hugepages and IOMMU matter
};

// A finding. mend: the command, or the change, that mends it; "" if nothing is to be mended.
__attribute__((format(printf, 5, 6))) void doctor_find(struct doctor *d, enum doctor_level level,
						       const char *check, const char *mend,
						       const char *fmt, ...);

// The first line of a file below the root without its newline, or "" if there is none. Returns buf.
__attribute__((format(printf, 4, 5))) const char *doctor_read(const struct doctor *d, char *buf,
							      size_t size, const char *fmt, ...);
// Text behind label, up to the end of its line; of "" the first such line is looked for in the whole file.
const char *doctor_field(const struct doctor *d, const char *path, const char *label, char *buf,
			 size_t size);
// Is there such a file? A number of "*" may stand in its path.
__attribute__((format(printf, 2, 3))) bool doctor_exists(const struct doctor *d, const char *fmt,
							 ...);
// Is the CPU, of a list as in "0-3,8", in another such list? Both may be "".
bool doctor_lists_meet(const char *a, const char *b);

// Network cards on the PCI bus: profile, driver, package, firmware, node.
void doctor_cards(struct doctor *d);

#endif

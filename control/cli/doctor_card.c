// SPDX-License-Identifier: BSD-2-Clause
// "wireglass doctor": network cards. What a card needs is in its profile: the driver that gives it away, the package with
// DPDK's, the firmware. A card that carries the default route is never proposed for being taken away.
#include <dirent.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/cli/doctor.h"
#include "hwprofiles/profile.h"

enum {
	PROFILES_MAX = 64,
	CARDS_MAX = 64,
};

struct card {
	char address[16];                // 0000:3b:00.0
	char id[16];                     // 8086:1593
	char driver[64];                 // the kernel's, "" if none
	char interface[64];              // "" if the kernel has none of it
	const struct hwprofile *profile; // NULL: none names it
};

static int is_profile(const struct dirent *e)
{
	size_t len = strlen(e->d_name);

	return e->d_name[0] != '.' && len > 4 && strcmp(e->d_name + len - 4, ".cfg") == 0;
}

static unsigned int load_profiles(struct doctor *d, struct hwprofile *ret)
{
	char program[PATH_MAX], from[PATH_MAX], path[PATH_MAX * 2], text[1200];
	struct dirent **names = NULL;
	int n;
	unsigned int good = 0;

	profile_dir(d->profiles, profile_program_dir(program, sizeof(program)), from, sizeof(from));
	n = from[0] != '\0' ? scandir(from, &names, is_profile, alphasort) : -1;
	if (n < 0)
		doctor_find(d, DOCTOR_NOTE, "profiles", "wireglass doctor --profiles DIR",
			    "no profiles of network cards were found: nothing is known of cards");
	for (int i = 0; i < n; i++) {
		struct diag diag = {.text = ""};

		snprintf(path, sizeof(path), "%s/%s", from, names[i]->d_name);
		if (good < PROFILES_MAX && profile_load(path, &ret[good], &diag) == 0)
			good++;
		else
			doctor_find(d, DOCTOR_FAIL, "profiles", "mend the file or remove it", "%s",
				    diag_format(&diag, text, sizeof(text)));
		free(names[i]);
	}
	free(names);
	return good;
}

static const struct hwprofile *profile_of(const struct hwprofile *profiles, unsigned int n,
					  const struct card *card)
{
	for (unsigned int i = 0; i < n; i++)
		for (uint32_t k = 0; k < profiles[i].n_pci; k++)
			if (strcmp(profiles[i].pci[k], card->id) == 0)
				return &profiles[i];
	for (unsigned int i = 0; i < n; i++)
		if (profiles[i].n_pci == 0 && profiles[i].bind.kernel_driver[0] != '\0' &&
		    strcmp(profiles[i].bind.kernel_driver, card->driver) == 0)
			return &profiles[i];
	return NULL;
}

// What the kernel has made of the card; virtio has a bus of its own in between.
static void find_interface(const struct doctor *d, struct card *c)
{
	static const char *const places[] = {"net/*", "virtio*/net/*"};
	char path[PATH_MAX];
	glob_t found;

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		snprintf(path, sizeof(path), "%s/sys/bus/pci/devices/%s/%s", d->root, c->address,
			 places[i]);
		if (glob(path, 0, NULL, &found) != 0)
			continue;
		snprintf(c->interface, sizeof(c->interface), "%.63s",
			 strrchr(found.gl_pathv[0], '/') + 1);
		globfree(&found);
	}
}

static bool card_read(const struct doctor *d, const char *address, struct card *ret)
{
	char path[PATH_MAX], text[PATH_MAX], vendor[16], device[16];
	ssize_t n;

	memset(ret, 0, sizeof(*ret));
	snprintf(ret->address, sizeof(ret->address), "%.15s", address);
	// Of class 02: network controllers.
	if (strncmp(doctor_read(d, text, sizeof(text), "/sys/bus/pci/devices/%s/class", address),
		    "0x02", 4) != 0)
		return false;
	doctor_read(d, vendor, sizeof(vendor), "/sys/bus/pci/devices/%s/vendor", address);
	doctor_read(d, device, sizeof(device), "/sys/bus/pci/devices/%s/device", address);
	if (strlen(vendor) == 6 && strlen(device) == 6)
		snprintf(ret->id, sizeof(ret->id), "%.4s:%.4s", vendor + 2, device + 2);
	snprintf(path, sizeof(path), "%s/sys/bus/pci/devices/%s/driver", d->root, address);
	n = readlink(path, text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = '\0';
	if (strrchr(text, '/') != NULL)
		snprintf(ret->driver, sizeof(ret->driver), "%.63s", strrchr(text, '/') + 1);
	find_interface(d, ret);
	return true;
}

// The interface of the default route, "" if there is none.
static void default_route(const struct doctor *d, char *buf, size_t size)
{
	char path[PATH_MAX], line[256], name[64], to[16];
	FILE *f;

	buf[0] = '\0';
	snprintf(path, sizeof(path), "%s/proc/net/route", d->root);
	f = fopen(path, "re");
	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		if (sscanf(line, "%63s %15s", name, to) == 2 && strcmp(to, "00000000") == 0)
			snprintf(buf, size, "%s", name);
	if (f != NULL)
		fclose(f);
}

static void check_binding(struct doctor *d, const struct card *c, const char *route)
{
	const bool is_vfio = strcmp(c->driver, "vfio-pci") == 0 ||
			     strncmp(c->driver, "uio", 3) == 0 || strcmp(c->driver, "igb_uio") == 0;
	const char *name = c->profile != NULL ? c->profile->name : "generic";
	char mend[160] = "";

	d->wants_vfio |= is_vfio;
	if (c->profile != NULL && c->profile->bind.mode == PROFILE_BIND_BIFURCATED) {
		snprintf(mend, sizeof(mend), "sudo driverctl unset-override %s", c->address);
		if (strcmp(c->driver, c->profile->bind.kernel_driver) == 0)
			doctor_find(d, DOCTOR_OK, "card", "", "%s %s (%s): with %s, as it must be",
				    c->address, c->id, name, c->driver);
		else
			doctor_find(d, DOCTOR_FAIL, "card", mend,
				    "%s %s (%s): with %s, but DPDK uses it together with %s",
				    c->address, c->id, name, c->driver[0] ? c->driver : "no driver",
				    c->profile->bind.kernel_driver);
		return;
	}
	snprintf(mend, sizeof(mend), "sudo driverctl set-override %s vfio-pci", c->address);
	if (is_vfio)
		doctor_find(d, DOCTOR_OK, "card", "", "%s %s (%s): bound to %s", c->address, c->id,
			    name, c->driver);
	else if (c->interface[0] != '\0' && strcmp(c->interface, route) == 0)
		doctor_find(d, DOCTOR_NOTE, "card", "",
			    "%s %s (%s): is %s with the default route: leave it to %s", c->address,
			    c->id, name, c->interface, c->driver);
	else
		doctor_find(d, DOCTOR_NOTE, "card", mend,
			    "%s %s (%s): with %s: port pci:%s needs it bound to vfio-pci",
			    c->address, c->id, name, c->driver[0] != '\0' ? c->driver : "no driver",
			    c->address);
}

static void check_needs(struct doctor *d, const struct card *c)
{
	const struct hwprofile *p = c->profile;
	char mend[256];

	if (p == NULL) {
		doctor_find(
			d, DOCTOR_NOTE, "card", "",
			"%s %s: no profile names it; generic is used if DPDK has a driver for it",
			c->address, c->id);
		return;
	}
	if (p->bind.package[0] != '\0' &&
	    !doctor_exists(d, "/var/lib/dpkg/info/%s.list", p->bind.package) &&
	    !doctor_exists(d, "/var/lib/dpkg/info/%s:*.list", p->bind.package)) {
		snprintf(mend, sizeof(mend), "sudo apt-get install %s", p->bind.package);
		doctor_find(d, DOCTOR_FAIL, "card", mend, "%s (%s): DPDK's driver is not installed",
			    c->address, p->name);
	}
	if (p->bind.firmware[0] != '\0' && !doctor_exists(d, "%s", p->bind.firmware))
		doctor_find(
			d, DOCTOR_FAIL, "card",
			"install the firmware of the card (Debian: component non-free-firmware)",
			"%s (%s): %s is missing, the driver does not start without it", c->address,
			p->name, p->bind.firmware);
}

// Memory and CPUs of another node cost every packet a trip between them.
static void check_node(struct doctor *d, const struct card *c)
{
	char node[16], cpus[256], allowed[256], mend[600];

	if (!doctor_exists(d, "/sys/devices/system/node/node1"))
		return;
	doctor_read(d, node, sizeof(node), "/sys/bus/pci/devices/%s/numa_node", c->address);
	if (node[0] == '\0' || node[0] == '-')
		return;
	doctor_read(d, cpus, sizeof(cpus), "/sys/devices/system/node/node%s/cpulist", node);
	doctor_field(d, "/proc/self/status", "Cpus_allowed_list", allowed, sizeof(allowed));
	snprintf(mend, sizeof(mend), "CPUAffinity=%s in the systemd unit, or taskset -c %s", cpus,
		 cpus);
	if (doctor_lists_meet(cpus, allowed))
		doctor_find(d, DOCTOR_NOTE, "node", mend, "%s is on node %s: its CPUs are %s",
			    c->address, node, cpus);
	else
		doctor_find(
			d, DOCTOR_WARN, "node", mend,
			"%s is on node %s with the CPUs %s, and only %s may be used: every frame "
			"crosses nodes",
			c->address, node, cpus, allowed);
}

void doctor_cards(struct doctor *d)
{
	struct hwprofile *profiles = calloc(PROFILES_MAX, sizeof(*profiles));
	char path[PATH_MAX], route[64];
	struct dirent **names = NULL;
	unsigned int n_profiles, cards = 0;
	int n;

	if (profiles == NULL)
		return;
	n_profiles = load_profiles(d, profiles);
	default_route(d, route, sizeof(route));
	snprintf(path, sizeof(path), "%s/sys/bus/pci/devices", d->root);
	n = scandir(path, &names, NULL, alphasort);
	for (int i = 0; i < n; i++) {
		struct card c;

		if (names[i]->d_name[0] != '.' && cards < CARDS_MAX &&
		    card_read(d, names[i]->d_name, &c)) {
			cards++;
			c.profile = profile_of(profiles, n_profiles, &c);
			check_binding(d, &c, route);
			check_needs(d, &c);
			check_node(d, &c);
		}
		free(names[i]);
	}
	if (cards == 0)
		doctor_find(d, DOCTOR_NOTE, "card", "",
			    "no network card on the PCI bus: use af_packet, net_pcap, tap or memif "
			    "ports");
	free(names);
	free(profiles);
}

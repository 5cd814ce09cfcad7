// SPDX-License-Identifier: BSD-2-Clause
// Before EAL: is what a --port names there, may we use it, is it set up so that frames arrive whole? EAL and its drivers
// answer that with messages for their developers, or not at all.
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "dataplane/iface.h"
#include "dataplane/port.h"

static int check_iface(const struct port_spec *spec, enum config_mode mode, struct diag *ret_diag)
{
	const char *name = spec->arg;
	struct iface iface;
	int err = iface_read(name, &iface);

	if (err == -ENODEV) {
		diag_set(ret_diag, NULL, 0, 0, "port %s: there is no such interface (see ip link)",
			 name);
		return err;
	}
	if (err < 0) {
		diag_set(ret_diag, NULL, 0, 0, "port %s: cannot read the interface: %s", name,
			 strerror(-err));
		return err;
	}
	if (iface_may_capture() < 0) {
		diag_set(ret_diag, NULL, 0, 0,
			 "port %s: capturing needs CAP_NET_RAW (and CAP_NET_ADMIN): run as root or "
			 "under the systemd unit",
			 name);
		return -EPERM;
	}
	if (iface.merges && mode == MODE_INLINE) {
		diag_set(ret_diag, NULL, 0, 0,
			 "port %s: the kernel merges frames (GRO or LRO), they could not be "
			 "forwarded as they came: run ethtool -K %s gro off lro off",
			 name, name);
		return -ENOTSUP;
	}
	if (!iface.up) {
		diag_set(ret_diag, NULL, 0, 0,
			 "port %s: the interface is down: run ip link set %s up", name, name);
		return 1;
	}
	if (iface.merges || (iface.splits && mode == MODE_TAP)) {
		diag_set(ret_diag, NULL, 0, 0,
			 "port %s: offloads are on, merged frames are cut and own ones have no "
			 "checksum yet: run ethtool -K %s gro off lro off tso off gso off tx off",
			 name, name);
		return 1;
	}
	return 0;
}

static int check_pci(const struct port_spec *spec, struct diag *ret_diag)
{
	char path[128], driver[256];

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%.12s", spec->arg);
	if (access(path, F_OK) != 0) {
		diag_set(ret_diag, NULL, 0, 0,
			 "port pci:%s: there is no such device (see lspci -D)", spec->arg);
		return -ENODEV;
	}
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%.12s/driver", spec->arg);
	ssize_t n = readlink(path, driver, sizeof(driver) - 1);

	driver[n > 0 ? n : 0] = '\0';
	const char *base = strrchr(driver, '/') != NULL ? strrchr(driver, '/') + 1 : driver;
	// Mellanox devices stay with their kernel driver, the others must be given away by theirs.
	if (strcmp(base, "vfio-pci") != 0 && strncmp(base, "mlx", 3) != 0 &&
	    strncmp(base, "uio", 3) != 0 && strncmp(base, "igb_uio", 7) != 0) {
		diag_set(ret_diag, NULL, 0, 0,
			 "port pci:%s: bound to the kernel driver %s: run driverctl set-override "
			 "%s vfio-pci (and never on the interface you are logged in by)",
			 spec->arg, base[0] != '\0' ? base : "(none)", spec->arg);
		return -EBUSY;
	}
	return 0;
}

static int check_file(const struct port_spec *spec, const char *path, int how,
		      struct diag *ret_diag)
{
	if (access(path, how) == 0)
		return 0;
	int err = -errno;

	diag_set(ret_diag, NULL, 0, 0, "port %s:%s: cannot use %s: %s%s",
		 config_port_type_name(spec->type), spec->arg, path, strerror(-err),
		 spec->type == PORT_TAP ? " (modprobe tun)" : ": start the other side first");
	return err;
}

int port_check(const struct port_spec *spec, enum config_mode mode, struct diag *ret_diag)
{
	int rc;

	switch (spec->type) {
	case PORT_PCAP:
		if (access(spec->arg, R_OK) == 0)
			return 0;
		diag_set(ret_diag, spec->arg, 0, 0, "cannot open the capture file: %s",
			 strerror(errno));
		return -errno;
	case PORT_AF_PACKET:
	case PORT_NET_PCAP:
		rc = check_iface(spec, mode, ret_diag);
		if (rc != 0 || mode != MODE_INLINE || spec->type != PORT_AF_PACKET)
			return rc;
		diag_set(ret_diag, spec->arg, 0, 0,
			 "inline on af_packet: DPDK's driver has the kernel reassemble IP "
			 "fragments and turns an "
			 "802.1ad tag into 802.1Q; net_pcap:%s forwards both unchanged",
			 spec->arg);
		return 1;
	case PORT_AF_XDP:
		return check_iface(spec, mode, ret_diag);
	case PORT_PCI:
		return check_pci(spec, ret_diag);
	case PORT_TAP:
		return check_file(spec, "/dev/net/tun", R_OK | W_OK, ret_diag);
	case PORT_VIRTIO_USER:
		return check_file(spec, spec->arg, R_OK | W_OK, ret_diag);
	case PORT_MEMIF: // both sides wait for each other
	case PORT_VHOST:
		break;
	}
	return 0;
}

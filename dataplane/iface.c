// SPDX-License-Identifier: BSD-2-Clause
// A few ioctls. Questions a driver does not answer count as "no".
#include "dataplane/iface.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SOCKETS_MAX = 1024 };

static bool ethtool_flag(int fd, struct ifreq *ifr, uint32_t cmd, uint32_t mask)
{
	struct ethtool_value value = {.cmd = cmd};

	ifr->ifr_data = (char *)&value;
	return ioctl(fd, SIOCETHTOOL, ifr) == 0 && (value.data & mask) != 0;
}

int iface_read(const char *name, struct iface *ret_iface)
{
	struct iface out = {0};
	struct ifreq ifr = {0};
	int err = 0, fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (strlen(name) >= sizeof(ifr.ifr_name)) {
		err = -ENODEV;
		goto out;
	}
	strcpy(ifr.ifr_name, name);
	if (ioctl(fd, SIOCGIFMTU, &ifr) != 0) {
		err = -errno;
		goto out;
	}
	out.mtu = (uint32_t)ifr.ifr_mtu;
	if (ioctl(fd, SIOCGIFFLAGS, &ifr) != 0) {
		err = -errno;
		goto out;
	}
	out.up = (ifr.ifr_flags & IFF_UP) != 0;
	out.running = out.up && (ifr.ifr_flags & IFF_RUNNING) != 0;
	out.merges = ethtool_flag(fd, &ifr, ETHTOOL_GGRO, 1);
	out.merges |= ethtool_flag(fd, &ifr, ETHTOOL_GFLAGS, ETH_FLAG_LRO);
	out.splits = ethtool_flag(fd, &ifr, ETHTOOL_GTSO, 1);
	out.splits |= ethtool_flag(fd, &ifr, ETHTOOL_GGSO, 1);
	*ret_iface = out;
out:
	close(fd);
	return err;
}

int iface_capture_socket(const char *name)
{
	const int index = (int)if_nametoindex(name);

	// The driver keeps its socket to itself, the kernel knows what each one is bound to.
	for (int fd = 0; fd < SOCKETS_MAX && index > 0; fd++) {
		struct sockaddr_ll at = {0};
		socklen_t len = sizeof(at);

		if (getsockname(fd, (struct sockaddr *)&at, &len) == 0 &&
		    at.sll_family == AF_PACKET && at.sll_ifindex == index)
			return fd;
	}
	return -1;
}

uint32_t iface_dropped(int fd)
{
	struct tpacket_stats stats;
	socklen_t len = sizeof(stats);

	if (getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &stats, &len) != 0)
		return 0;
	return stats.tp_drops;
}

int iface_may_capture(void)
{
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0); // protocol 0: receives nothing

	if (fd < 0)
		return errno == EACCES ? -EPERM : -errno;
	close(fd);
	return 0;
}

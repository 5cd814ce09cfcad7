// SPDX-License-Identifier: BSD-2-Clause
// What goes into an argument has been let through by config_port.c: no comma, bracket, quote or blank.
#include "dataplane/vdev.h"

#include <stdio.h>

#include "dataplane/iface.h"

enum {
	FRAME_ROOM = 2048,
	FRAME_ROOM_MAX = 32768, // a mbuf's length has 16 bits
	// What the kernel puts before a frame in an af_packet slot: header, address, alignment of the network header.
	AF_PACKET_OVERHEAD = 128,
	AF_PACKET_SLOTS = 8192, // 2 KiB each: 16 MiB, 13 ms of full 10 Gbit/s
	AF_PACKET_RING_MAX = 64 << 20,
};

uint32_t vdev_slot(const struct port_spec *spec)
{
	struct iface iface = {.mtu = 1500};
	uint32_t slot = FRAME_ROOM;

	iface_read(spec->arg, &iface);
	while (slot < iface.mtu + AF_PACKET_OVERHEAD && slot < FRAME_ROOM_MAX)
		slot *= 2;
	return slot;
}

static void af_packet_args(const struct port_spec *spec, char *args, size_t size)
{
	uint32_t slot = vdev_slot(spec), slots = AF_PACKET_SLOTS;

	while ((uint64_t)slots * slot > AF_PACKET_RING_MAX)
		slots /= 2;
	// One queue: with more the driver turns on PACKET_FANOUT_FLAG_ROLLOVER, which moves flows between queues when
	// one is full. Through the qdisc: a device that is busy for a moment does not cost frames, and tcpdump sees them.
	snprintf(args, size,
		 "iface=%.15s,qpairs=1,blocksz=65536,framesz=%u,framecnt=%u,qdisc_bypass=0",
		 spec->arg, slot, slots);
}

void vdev_args(const struct port_spec *spec, uint16_t index, bool inline_, uint32_t queues,
	       char *name, size_t name_size, char *args, size_t args_size)
{
	const char *arg = spec->arg;

	snprintf(name, name_size, "net_%s%u",
		 spec->type == PORT_NET_PCAP ? "pcap" : config_port_type_name(spec->type), index);
	switch (spec->type) {
	case PORT_NET_PCAP:
		if (inline_)
			snprintf(args, args_size, "rx_iface_in=%.15s,tx_iface=%.15s", arg, arg);
		else // both directions of the interface, as a tap would see them
			snprintf(args, args_size, "rx_iface=%.15s", arg);
		break;
	case PORT_AF_PACKET:
		af_packet_args(spec, args, args_size);
		break;
	case PORT_AF_XDP:
		snprintf(args, args_size, "iface=%.15s,start_queue=0,queue_count=%u", arg, queues);
		break;
	case PORT_TAP:
		snprintf(args, args_size, "iface=%.15s", arg);
		break;
	case PORT_MEMIF:
		snprintf(args, args_size, "role=%s,id=0,socket-abstract=no,socket=%s",
			 spec->is_server ? "server" : "client", arg);
		break;
	case PORT_VHOST:
		snprintf(args, args_size, "iface=%s,queues=%u", arg, queues);
		break;
	case PORT_VIRTIO_USER:
		snprintf(args, args_size, "path=%s,queues=%u,queue_size=1024", arg, queues);
		break;
	case PORT_PCAP: // not DPDK's
	case PORT_PCI:  // found, not made
		args[0] = '\0';
		break;
	}
}

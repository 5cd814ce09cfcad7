// SPDX-License-Identifier: BSD-2-Clause
// Ports over DPDK. Devices are made after EAL has started and checked before: a vdev named on EAL's command line that
// does not come up is no error to EAL, and its messages are not for operators.
#include "dataplane/port.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_ring.h>

#include "dataplane/eal.h"
#include "dataplane/iface.h"
#include "dataplane/source.h"
#include "dataplane/worker.h"

enum {
	FRAME_ROOM = 2048,      // MTU 1500 with two VLAN tags, and to spare
	FRAME_ROOM_MAX = 32768, // af_packet slots; a mbuf's length has 16 bits
	// What the kernel puts before a frame in an af_packet slot: header, address, alignment of the network header.
	AF_PACKET_OVERHEAD = 128,
	AF_PACKET_SLOTS = 8192, // 2 KiB each: 16 MiB, 13 ms of full 10 Gbit/s
	AF_PACKET_RING_MAX = 64 << 20,
};

// --- before EAL -----------------------------------------------------------------------------------------------------

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
	case PORT_PCI:
		return check_pci(spec, ret_diag);
	}
	return -EINVAL;
}

// Slot size of the af_packet ring: a power of two that takes a frame of the interface's MTU.
static uint32_t af_packet_slot(const struct port_spec *spec)
{
	struct iface iface = {.mtu = 1500};
	uint32_t slot = FRAME_ROOM;

	iface_read(spec->arg, &iface);
	while (slot < iface.mtu + AF_PACKET_OVERHEAD && slot < FRAME_ROOM_MAX)
		slot *= 2;
	return slot;
}

uint32_t port_data_room(const struct port_spec *spec)
{
	uint32_t frame = spec->type == PORT_AF_PACKET ? af_packet_slot(spec) : FRAME_ROOM;

	return RTE_PKTMBUF_HEADROOM + frame + PIPELINE_TAIL_BYTES;
}

// af_packet and pcap copy each frame into a buffer of its own and keep none; all others fill their rings.
static bool keeps_mbufs(const struct port_spec *spec)
{
	return spec->type == PORT_PCI;
}

static uint32_t queue_mbufs(const struct hwprofile *nic, const struct config *c)
{
	return (uint32_t)(profile_queue_mbufs(nic, c->mode == MODE_INLINE) * (uint64_t)c->workers);
}

uint32_t port_mbufs(const struct port_spec *spec, const struct config *c)
{
	struct hwprofile nic;

	nicprofile_built_in(&nic);
	return keeps_mbufs(spec) ? queue_mbufs(&nic, c) : 0;
}

uint32_t port_more_mbufs(const struct port *p, const struct config *c)
{
	uint32_t planned = port_mbufs(p->spec, c), need = queue_mbufs(&p->nic, c);

	return keeps_mbufs(p->spec) && need > planned ? need - planned : 0;
}

// --- opening --------------------------------------------------------------------------------------------------------

static int open_source(struct port *p, struct diag *ret_diag)
{
	const char *slash = strrchr(p->spec->arg, '/');

	snprintf(p->name, sizeof(p->name), "%.31s", slash != NULL ? slash + 1 : p->spec->arg);
	snprintf(p->driver, sizeof(p->driver), "capture file");
	p->rx_queues = 1;
	return source_open(p->spec->arg, p->spec->rounds, p->index, &p->source, ret_diag);
}

static void vdev_args(const struct port *p, char *name, size_t name_size, char *args,
		      size_t args_size)
{
	const char *iface = p->spec->arg;
	uint32_t slot = af_packet_slot(p->spec);
	uint32_t slots = AF_PACKET_SLOTS;

	if (p->spec->type == PORT_NET_PCAP) {
		snprintf(name, name_size, "net_pcap%u", p->index);
		if (p->peer ==
		    PORT_NONE) // both directions of the interface, as a tap would see them
			snprintf(args, args_size, "rx_iface=%.15s", iface);
		else
			snprintf(args, args_size, "rx_iface_in=%.15s,tx_iface=%.15s", iface, iface);
		return;
	}
	while ((uint64_t)slots * slot > AF_PACKET_RING_MAX)
		slots /= 2;
	snprintf(name, name_size, "net_af_packet%u", p->index);
	// One queue: with more the driver turns on PACKET_FANOUT_FLAG_ROLLOVER, which moves flows between queues when
	// one is full. Through the qdisc: a device that is busy for a moment does not cost frames, and tcpdump sees them.
	snprintf(args, args_size,
		 "iface=%.15s,qpairs=1,blocksz=65536,framesz=%u,framecnt=%u,qdisc_bypass=0", iface,
		 slot, slots);
}

static int open_vdev(struct port *p, struct diag *ret_diag)
{
	char name[32], args[256];

	snprintf(p->name, sizeof(p->name), "%.31s", p->spec->arg);
	vdev_args(p, name, sizeof(name), args, sizeof(args));
	if (rte_eal_hotplug_add("vdev", name, args) != 0 ||
	    rte_eth_dev_get_port_by_name(name, &p->id) != 0) {
		diag_set(ret_diag, NULL, 0, 0,
			 "port %s: the %s driver could not open the interface (%s)", p->name,
			 config_port_type_name(p->spec->type), eal_last_message());
		return -EIO;
	}
	return 0;
}

static int open_pci(struct port *p, struct diag *ret_diag)
{
	snprintf(p->name, sizeof(p->name), "%.31s", p->spec->arg);
	if (rte_eth_dev_get_port_by_name(p->spec->arg, &p->id) == 0)
		return 0;
	diag_set(ret_diag, NULL, 0, 0,
		 "port pci:%s: no DPDK driver took the device (%s); is its driver package "
		 "installed?",
		 p->spec->arg, eal_last_message());
	return -ENODEV;
}

int port_open(struct port *p, const struct port_spec *spec, uint16_t index, struct diag *ret_diag)
{
	uint8_t peer = p->peer;

	memset(p, 0, sizeof(*p));
	p->spec = spec;
	p->peer = peer;
	p->index = index;
	p->id = UINT16_MAX;
	nicprofile_built_in(&p->nic);
	switch (spec->type) {
	case PORT_PCAP:
		return open_source(p, ret_diag);
	case PORT_AF_PACKET:
	case PORT_NET_PCAP:
		return open_vdev(p, ret_diag);
	case PORT_PCI:
		return open_pci(p, ret_diag);
	}
	return -EINVAL;
}

// "8086:10fb", "" for what is no PCI device.
static void pci_id(const struct port_spec *spec, char ret[16])
{
	unsigned int id[2] = {0};

	ret[0] = '\0';
	for (int i = 0; i < 2 && spec->type == PORT_PCI; i++) {
		char path[64];

		snprintf(path, sizeof(path), "/sys/bus/pci/devices/%.12s/%s", spec->arg,
			 i == 0 ? "vendor" : "device");
		FILE *f = fopen(path, "re");

		if (f == NULL || fscanf(f, "%x", &id[i]) != 1)
			id[i] = 0;
		if (f != NULL)
			fclose(f);
	}
	if (id[0] != 0)
		snprintf(ret, 16, "%04x:%04x", id[0] & 0xffff, id[1] & 0xffff);
}

int port_profile(struct port *p, const char *dir, struct diag *ret_diag)
{
	struct rte_eth_dev_info info;
	char pci[16];

	if (p->source != NULL)
		return 0;
	int err = rte_eth_dev_info_get(p->id, &info);

	if (err < 0) {
		diag_set(ret_diag, NULL, 0, 0, "port %s: does not say what it can: %s (%s)",
			 p->name, strerror(-err), eal_last_message());
		return err;
	}
	snprintf(p->driver, sizeof(p->driver), "%.31s", info.driver_name);
	pci_id(p->spec, pci);
	return nicprofile_load(dir, p->driver, pci, WORKER_BURST, &p->nic, ret_diag);
}

// --- starting -------------------------------------------------------------------------------------------------------

static uint16_t within(uint16_t want, const struct rte_eth_desc_lim *lim)
{
	if (lim->nb_max != 0 && want > lim->nb_max)
		want = lim->nb_max;
	if (want < lim->nb_min)
		want = lim->nb_min;
	if (lim->nb_align > 1)
		want = (uint16_t)(want / lim->nb_align * lim->nb_align);
	return want;
}

static int start_queues(struct port *p, const struct rte_eth_dev_info *info,
			struct rte_mempool *pool)
{
	uint16_t rxd = within((uint16_t)p->nic.rx.desc, &info->rx_desc_lim);
	uint16_t txd = within((uint16_t)p->nic.tx.desc, &info->tx_desc_lim);
	int socket = rte_eth_dev_socket_id(p->id);
	struct rte_eth_conf conf = {
		.rxmode.offloads = info->rx_offload_capa &
				   (RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_TCP_CKSUM),
	};
	int err = rte_eth_dev_configure(p->id, p->rx_queues, p->tx_queues, &conf);

	for (uint16_t q = 0; q < p->rx_queues && err == 0; q++)
		err = rte_eth_rx_queue_setup(p->id, q, rxd, (unsigned int)socket, NULL, pool);
	for (uint16_t q = 0; q < p->tx_queues && err == 0; q++)
		err = rte_eth_tx_queue_setup(p->id, q, txd, (unsigned int)socket, NULL);
	if (err == 0)
		err = rte_eth_dev_start(p->id);
	return err;
}

// Rings from the workers to the one that sends, when the device has fewer tx queues than there are workers.
static int make_tx_rings(struct port *p, uint32_t workers, struct diag *ret_diag)
{
	char name[RTE_RING_NAMESIZE];

	p->tx_ring = calloc(workers, sizeof(struct rte_ring *));
	if (p->tx_ring == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < workers; i++) {
		if (i == p->owner)
			continue;
		snprintf(name, sizeof(name), "tx%u.%u", p->index, i);
		p->tx_ring[i] = rte_ring_create(name, WORKER_STEER_SLOTS, SOCKET_ID_ANY,
						RING_F_SP_ENQ | RING_F_SC_DEQ);
		if (p->tx_ring[i] == NULL) {
			diag_set(ret_diag, NULL, 0, 0,
				 "port %s: not enough packet memory for a ring: try --memory",
				 p->name);
			return -ENOMEM;
		}
	}
	return 0;
}

int port_start(struct port *p, uint32_t workers, enum config_mode mode, struct rte_mempool *pool,
	       struct diag *ret_diag)
{
	struct rte_eth_dev_info info;
	int err;

	if (p->source != NULL)
		return 0;
	err = rte_eth_dev_info_get(p->id, &info);
	if (err == 0) {
		p->rx_queues = 1;
		p->tx_queues = mode == MODE_INLINE && info.max_tx_queues >= workers
				       ? (uint16_t)workers
				       : 1;
		err = start_queues(p, &info, pool);
	}
	if (err < 0) {
		diag_set(ret_diag, NULL, 0, 0, "port %s: cannot be started: %s (%s)", p->name,
			 strerror(-err), eal_last_message());
		return err;
	}
	p->started = true;
	if (mode == MODE_INLINE && p->tx_queues < workers) {
		err = make_tx_rings(p, workers, ret_diag);
		if (err < 0)
			return err;
	}
	if (rte_eth_promiscuous_enable(p->id) != 0) {
		diag_set(ret_diag, NULL, 0, 0,
			 "port %s: promiscuous mode cannot be set: frames for other stations may "
			 "not arrive",
			 p->name);
		return 1;
	}
	return 0;
}

void port_close(struct port *p)
{
	if (p->started)
		(void)rte_eth_dev_stop(p->id);
	if (p->id != UINT16_MAX)
		(void)rte_eth_dev_close(p->id);
	source_close(p->source);
	free(p->tx_ring); // the rings themselves go with EAL
	p->source = NULL;
	p->tx_ring = NULL;
	p->started = false;
	p->id = UINT16_MAX;
}

// --- by the workers -------------------------------------------------------------------------------------------------

uint16_t port_rx(struct port *p, struct rte_mempool *pool, struct rte_mbuf **mbufs, uint16_t n)
{
	uint64_t bytes = 0;

	if (p->source == NULL)
		return rte_eth_rx_burst(p->id, 0, mbufs,
					n < p->nic.rx.burst ? n : (uint16_t)p->nic.rx.burst);
	n = source_rx(p->source, pool, mbufs, n);
	for (uint16_t i = 0; i < n; i++)
		bytes += mbufs[i]->pkt_len;
	// Only the owner writes: a load and a store, no locked instruction.
	atomic_store_explicit(&p->source_pkts,
			      atomic_load_explicit(&p->source_pkts, memory_order_relaxed) + n,
			      memory_order_relaxed);
	atomic_store_explicit(&p->source_bytes,
			      atomic_load_explicit(&p->source_bytes, memory_order_relaxed) + bytes,
			      memory_order_relaxed);
	return n;
}

bool port_ended(const struct port *p)
{
	return p->source != NULL && source_ended(p->source);
}

uint16_t port_tx(struct port *p, uint16_t queue, struct rte_mbuf **mbufs, uint16_t n)
{
	uint16_t done = 0;

	for (unsigned int i = 0; i < PORT_TX_TRIES && done < n; i++)
		done += rte_eth_tx_burst(p->id, queue, mbufs + done, n - done);
	return done;
}

// --- for display ----------------------------------------------------------------------------------------------------

void port_stats(const struct port *p, struct ipc_port *ret_stats)
{
	struct ipc_port s = {
		.peer = p->peer,
		.rx_queues = p->rx_queues,
		.tx_queues = p->tx_queues,
		.kernel_drops = UINT64_MAX, // neither driver reports them
	};
	struct rte_eth_stats stats;
	struct rte_eth_link link;

	memcpy(s.name, p->name, sizeof(s.name));
	memcpy(s.driver, p->driver, sizeof(s.driver));
	if (p->source != NULL) {
		s.rx_pkts = atomic_load_explicit(&p->source_pkts, memory_order_relaxed);
		s.rx_bytes = atomic_load_explicit(&p->source_bytes, memory_order_relaxed);
		s.link_up = 1;
	} else if (rte_eth_stats_get(p->id, &stats) == 0) {
		s.rx_pkts = stats.ipackets;
		s.rx_bytes = stats.ibytes;
		s.rx_missed = stats.imissed;
		s.rx_errors = stats.ierrors;
		s.rx_nombuf = stats.rx_nombuf;
		s.tx_pkts = stats.opackets;
		s.tx_bytes = stats.obytes;
		s.tx_errors = stats.oerrors;
	}
	if (p->source == NULL && rte_eth_link_get_nowait(p->id, &link) == 0) {
		s.link_up = link.link_status == RTE_ETH_LINK_UP;
		s.speed_mbps = link.link_speed == RTE_ETH_SPEED_NUM_UNKNOWN ? 0 : link.link_speed;
	}
	*ret_stats = s;
}

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
#include "dataplane/rss.h"
#include "dataplane/source.h"
#include "dataplane/vdev.h"
#include "dataplane/worker.h"

enum {
	FRAME_ROOM = 2048,   // MTU 1500 with two VLAN tags, and to spare
	FRAME_OVERHEAD = 26, // Ethernet, two VLAN tags, checksum
	LINK_POLL_US = 50000,
	// In a slot of af_packet: struct tpacket2_hdr, an address, the Ethernet header so that IP is aligned.
	AF_PACKET_BEFORE_FRAME = 66,
};

// --- sizes ---------------------------------------------------------------------------------------------------------

uint32_t port_data_room(const struct port_spec *spec)
{
	uint32_t frame = spec->type == PORT_AF_PACKET ? vdev_slot(spec) : FRAME_ROOM;

	return RTE_PKTMBUF_HEADROOM + frame + PIPELINE_TAIL_BYTES;
}

// af_packet and pcap copy each frame into a buffer of its own and keep none; all others fill their rings.
static bool keeps_mbufs(const struct port_spec *spec)
{
	return spec->type != PORT_PCAP && spec->type != PORT_AF_PACKET &&
	       spec->type != PORT_NET_PCAP;
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

static int open_vdev(struct port *p, uint32_t workers, struct diag *ret_diag)
{
	char name[32], args[CONFIG_ARG_MAX + 64];

	snprintf(p->name, sizeof(p->name), "%.31s", p->spec->arg);
	vdev_args(p->spec, p->index, p->peer != PORT_NONE, workers, name, sizeof(name), args,
		  sizeof(args));
	if (rte_eal_hotplug_add("vdev", name, args) != 0 ||
	    rte_eth_dev_get_port_by_name(name, &p->id) != 0) {
		diag_set(ret_diag, NULL, 0, 0, "port %s: the %s driver could not open it (%s)",
			 p->name, config_port_type_name(p->spec->type), eal_last_message());
		return -EIO;
	}
	if (p->spec->type == PORT_AF_PACKET) {
		p->packet_fd = iface_capture_socket(p->spec->arg);
		p->cut_len = vdev_slot(p->spec) - AF_PACKET_BEFORE_FRAME;
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

int port_open(struct port *p, const struct port_spec *spec, uint16_t index, uint32_t workers,
	      struct diag *ret_diag)
{
	uint8_t peer = p->peer;

	memset(p, 0, sizeof(*p));
	p->spec = spec;
	p->peer = peer;
	p->index = index;
	p->id = UINT16_MAX;
	p->packet_fd = -1;
	nicprofile_built_in(&p->nic);
	if (spec->type == PORT_PCAP)
		return open_source(p, ret_diag);
	return spec->type == PORT_PCI ? open_pci(p, ret_diag) : open_vdev(p, workers, ret_diag);
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

static uint16_t pow2_down(uint16_t n)
{
	while ((n & (n - 1)) != 0)
		n &= (uint16_t)(n - 1);
	return n;
}

// One for each worker, as far as the device has them; to send none in tap mode if the driver lets us, and all or one
// else.
static void set_queues(struct port *p, const struct rte_eth_dev_info *info, const struct config *c)
{
	uint16_t n = (uint16_t)c->workers;

	if (n > info->max_rx_queues)
		n = info->max_rx_queues;
	if (n > p->nic.rx.max_queues)
		n = (uint16_t)p->nic.rx.max_queues;
	p->rx_queues = p->nic.rx.queues_pow2 ? pow2_down(n) : n;
	p->tx_queues = p->nic.tx.pairs ? p->rx_queues : 0;
	if (c->mode == MODE_INLINE)
		p->tx_queues = info->max_tx_queues >= c->workers ? (uint16_t)c->workers : 1;
}

int port_profile(struct port *p, const char *dir, const struct config *c, struct diag *ret_diag)
{
	struct rte_eth_dev_info info;
	uint32_t most;
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
	err = nicprofile_load(dir, p->driver, pci, WORKER_BURST, &p->nic, ret_diag);
	if (err < 0)
		return err;
	set_queues(p, &info, c);
	if (p->spec->type != PORT_PCI || c->mtu == PORT_MTU)
		return 0;
	most = info.max_mtu;
	if (p->nic.rx.one_buffer && most > FRAME_ROOM - FRAME_OVERHEAD)
		most = FRAME_ROOM - FRAME_OVERHEAD;
	if (c->mtu > most) {
		diag_set(ret_diag, NULL, 0, 0,
			 "port %s: packets of %lld bytes (mtu): the card takes %u at most", p->name,
			 (long long)c->mtu, most);
		return -EINVAL;
	}
	p->mtu = (uint32_t)c->mtu;
	return 0;
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

static int setup_queues(struct port *p, const struct rte_eth_dev_info *info,
			const struct rte_eth_conf *conf, struct rte_mempool *pool)
{
	const uint16_t rxd = within((uint16_t)p->nic.rx.desc, &info->rx_desc_lim);
	const uint16_t txd = within((uint16_t)p->nic.tx.desc, &info->tx_desc_lim);
	const unsigned int socket = (unsigned int)rte_eth_dev_socket_id(p->id);
	int err = rte_eth_dev_configure(p->id, p->rx_queues, p->tx_queues, conf);

	for (uint16_t q = 0; q < p->rx_queues && err == 0; q++)
		err = rte_eth_rx_queue_setup(p->id, q, rxd, socket, NULL, pool);
	for (uint16_t q = 0; q < p->tx_queues && err == 0; q++)
		err = rte_eth_tx_queue_setup(p->id, q, txd, socket, NULL);
	if (err == 0)
		err = rte_eth_dev_start(p->id);
	return err;
}

static int start_queues(struct port *p, const struct rte_eth_dev_info *info,
			struct rte_mempool *pool)
{
	_Alignas(4) uint8_t key[RSS_KEY_MAX];
	struct rte_eth_conf conf = {0};

	if (p->nic.offload.ip_csum)
		conf.rxmode.offloads |= RTE_ETH_RX_OFFLOAD_IPV4_CKSUM;
	if (p->nic.offload.l4_csum)
		conf.rxmode.offloads |= RTE_ETH_RX_OFFLOAD_TCP_CKSUM;
	if (p->nic.offload.scatter)
		conf.rxmode.offloads |= RTE_ETH_RX_OFFLOAD_SCATTER;
	conf.rxmode.mtu = p->mtu;
	if (p->mtu + FRAME_OVERHEAD > FRAME_ROOM) {
		conf.rxmode.offloads |= RTE_ETH_RX_OFFLOAD_SCATTER;
		conf.txmode.offloads |= RTE_ETH_TX_OFFLOAD_MULTI_SEGS & info->tx_offload_capa;
	}
	conf.rxmode.offloads &= info->rx_offload_capa;
	p->hashes = p->nic.rss.symmetric == PROFILE_SYMMETRIC_KERNEL ||
		    (p->nic.rss.symmetric == PROFILE_SYMMETRIC_NIC &&
		     rss_fill(&p->nic, info, key, &conf));
	return setup_queues(p, info, &conf, pool);
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
	struct diag rss = {.text = ""};
	int err, warned = 0;

	if (p->source != NULL)
		return 0;
	err = rte_eth_dev_info_get(p->id, &info);
	if (err == 0) {
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
	if (p->hashes && p->nic.rss.symmetric == PROFILE_SYMMETRIC_NIC &&
	    rss_verify(&p->nic, p->id, p->rx_queues, &rss) != 0) {
		diag_set(ret_diag, NULL, 0, 0,
			 "port %s: %s: the workers distribute its flows by themselves", p->name,
			 rss.text);
		p->hashes = false;
		warned = 1;
	}
	if (rte_eth_promiscuous_enable(p->id) != 0) {
		diag_set(ret_diag, NULL, 0, 0,
			 "port %s: promiscuous mode cannot be set: frames for other stations may "
			 "not arrive",
			 p->name);
		return 1;
	}
	return warned;
}

bool port_wait_link(const struct port *p)
{
	struct rte_eth_link link;

	// What has no time of its own is not waited for: a wire may be unplugged, a peer may come later.
	if (p->source != NULL || p->nic.link.up_timeout_s == 0)
		return true;
	for (int64_t left_us = p->nic.link.up_timeout_s * 1000000;; left_us -= LINK_POLL_US) {
		if (rte_eth_link_get_nowait(p->id, &link) != 0 ||
		    link.link_status == RTE_ETH_LINK_UP)
			return true;
		if (left_us <= 0)
			return false;
		usleep(LINK_POLL_US);
	}
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

uint16_t port_rx(struct port *p, uint16_t queue, struct rte_mempool *pool, struct rte_mbuf **mbufs,
		 uint16_t n)
{
	uint64_t bytes = 0;

	if (p->source == NULL)
		return rte_eth_rx_burst(p->id, queue, mbufs,
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

// Drivers of kernel interfaces say that the link is up, whatever it is.
static bool link_is_up(const struct port *p, struct rte_eth_link *ret_link)
{
	struct iface iface;

	memset(ret_link, 0, sizeof(*ret_link));
	if (p->source != NULL)
		return true;
	if (rte_eth_link_get_nowait(p->id, ret_link) != 0)
		ret_link->link_status = RTE_ETH_LINK_DOWN;
	if (p->spec->type == PORT_AF_PACKET || p->spec->type == PORT_NET_PCAP ||
	    p->spec->type == PORT_AF_XDP)
		return iface_read(p->spec->arg, &iface) == 0 && iface.running;
	return ret_link->link_status == RTE_ETH_LINK_UP;
}

bool port_link_changed(struct port *p)
{
	struct rte_eth_link link;
	const bool was = p->link_up;

	p->link_up = link_is_up(p, &link);
	return p->link_up != was;
}

void port_stats(struct port *p, struct ipc_port *ret_stats)
{
	struct ipc_port s = {
		.peer = p->peer,
		.rx_queues = p->rx_queues,
		.tx_queues = p->tx_queues,
		.kernel_drops = UINT64_MAX,
	};
	struct rte_eth_stats stats;
	struct rte_eth_link link;

	memcpy(s.name, p->name, sizeof(s.name));
	memcpy(s.driver, p->driver, sizeof(s.driver));
	if (p->source != NULL) {
		s.rx_pkts = atomic_load_explicit(&p->source_pkts, memory_order_relaxed);
		s.rx_bytes = atomic_load_explicit(&p->source_bytes, memory_order_relaxed);
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
	if (p->packet_fd >= 0) {
		p->kernel_drops += iface_dropped(p->packet_fd);
		s.kernel_drops = p->kernel_drops;
	}
	s.link_up = link_is_up(p, &link);
	s.speed_mbps = link.link_speed == RTE_ETH_SPEED_NUM_UNKNOWN ? 0 : link.link_speed;
	*ret_stats = s;
}

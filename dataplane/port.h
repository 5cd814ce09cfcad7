// SPDX-License-Identifier: BSD-2-Clause
// Ports: where frames come from and where they go. One struct for capture files, kernel interfaces and NICs.
#ifndef DATAPLANE_PORT_H
#define DATAPLANE_PORT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/diag.h"
#include "common/ipc.h"
#include "dataplane/config.h"
#include "dataplane/nicprofile.h"

struct rte_mbuf;
struct rte_mempool;
struct rte_ring;
struct source;

enum {
	PORT_NONE = 255,   // as ipc_port.peer
	PORT_TX_TRIES = 3, // then the rest of a burst is freed and counted
};

struct port {
	const struct port_spec *spec;
	char name[32]; // for people
	char driver[32];
	bool started;
	uint8_t peer;   // index of the port its frames leave by, PORT_NONE in tap mode
	uint16_t id;    // DPDK's number; UINT16_MAX for capture files
	uint16_t index; // in dp->ports
	uint16_t rx_queues, tx_queues;
	uint32_t mtu;          // of a card, 0: as its driver has it
	struct hwprofile nic;  // its name is "" if built in
	uint32_t cut_len;      // af_packet: a frame of so many bytes may have been longer; 0: never
	int packet_fd;         // af_packet: the driver's socket; -1: none
	uint64_t kernel_drops; // read from it so far
	bool link_up;          // when it was last looked at
	bool hashes; // its queues keep both directions of a flow together, as far as is known
	// worker of queue 0; with fewer tx queues than workers also the only one that sends
	uint32_t owner;
	struct source *source; // capture file
	// from worker i to the owner; NULL if every worker has a tx queue
	struct rte_ring **tx_ring;
	_Atomic uint64_t lost; // frames, before a worker had them; with skip_bodies only
	_Atomic uint64_t source_pkts, source_bytes; // of a capture file, see the table in worker.h
};

// Before EAL: is it there, may we, is it set up so that frames arrive whole? Opens nothing for good.
// 0; 1: usable, but ret_diag says what to look at; negative errno with ret_diag.
int port_check(const struct port_spec *spec, enum config_mode mode, struct diag *ret_diag);

// Bytes of packet data one mbuf must take for this port (frame, headroom, readable tail).
uint32_t port_data_room(const struct port_spec *spec);
// mbufs the port keeps for itself, in queues: before its profile is known, and how many more by its profile.
uint32_t port_mbufs(const struct port_spec *spec, const struct config *c);
uint32_t port_more_mbufs(const struct port *p, const struct config *c);

// After EAL: make the device, take its profile (and with it the number of its queues) out of the folder dir ("": built-in values; not of capture files), set up its
// queues, start it. 0; 1 as port_check(); negative errno with ret_diag.
int port_open(struct port *p, const struct port_spec *spec, uint16_t index, uint32_t workers,
	      struct diag *ret_diag);
int port_profile(struct port *p, const char *dir, const struct config *c, struct diag *ret_diag);
int port_start(struct port *p, uint32_t workers, enum config_mode mode, struct rte_mempool *pool,
	       struct diag *ret_diag);
// Wait for its link as long as its profile says. False: it is down.
bool port_wait_link(const struct port *p);
void port_close(struct port *p);

// By the worker of that queue only.
uint16_t port_rx(struct port *p, uint16_t queue, struct rte_mempool *pool, struct rte_mbuf **mbufs,
		 uint16_t n);
// Has it an end, and is that reached?
bool port_ended(const struct port *p);

// Send by a tx queue this worker owns. Returns how many were taken; the others are still the caller's.
uint16_t port_tx(struct port *p, uint16_t queue, struct rte_mbuf **mbufs, uint16_t n);

// For display, by the main lcore.
void port_stats(struct port *p, struct ipc_port *ret_stats);
// Has the link changed since this was last asked? Main lcore.
bool port_link_changed(struct port *p);

#endif

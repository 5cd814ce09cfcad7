// SPDX-License-Identifier: BSD-2-Clause
// What the operator asked for: the configuration file first, then the command line over it.
#ifndef DATAPLANE_CONFIG_H
#define DATAPLANE_CONFIG_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/diag.h"
#include "common/ipc.h"
#include "dataplane/engine/pipeline.h"
#include "dataplane/engine/scope.h"

enum config_mode {
	MODE_TAP,    // frames are inspected and freed
	MODE_INLINE, // ports are paired 0-1, 2-3...: what enters one leaves the other
};

enum config_idle {
	IDLE_SLEEP, // a worker without frames sleeps a little
	IDLE_POLL,  // it never does: lowest latency, one CPU each at 100 %
};

enum port_type {
	PORT_PCAP,        // a capture file, once or in rounds; it has an end
	PORT_AF_PACKET,   // a kernel interface, DPDK's af_packet driver
	PORT_NET_PCAP,    // a kernel interface, DPDK's pcap driver
	PORT_PCI,         // a NIC
	PORT_AF_XDP,      // a kernel interface, DPDK's af_xdp driver
	PORT_TAP,         // an interface of the kernel that DPDK makes
	PORT_MEMIF,       // shared memory with VPP or another DPDK program
	PORT_VHOST,       // a virtual machine's card, we are its host
	PORT_VIRTIO_USER, // we are the guest
};

enum {
	PORT_TYPE_N = PORT_VIRTIO_USER + 1,
	CONFIG_ARG_MAX = 240,
	PORT_MTU = 1500,
	CONFIG_ROUNDS_MAX = 0x7fffffff,
};

// A port as in --port TYPE:ARG[,OPTION].
struct port_spec {
	enum port_type type;
	char arg[CONFIG_ARG_MAX]; // file, interface, PCI address with domain, socket
	uint32_t rounds;          // PORT_PCAP
	bool is_server;           // PORT_MEMIF: makes the socket
};

struct config {
	char socket[104];   // sun_path is 108
	char image[256];    // a compiled rule set to start with, "" if none
	char profiles[256]; // folder of the card profiles, "": where they were installed
	int mode;           // enum config_mode
	int idle;           // enum config_idle
	int64_t workers;
	int64_t memory_mb;        // packet memory without hugepages, 0: computed
	int64_t control_uid;      // may connect besides root and our own user, -1: nobody
	int64_t grace_s;          // for bodies that are bound to a replaced rule set
	int64_t spool_hits;       // per worker, kept until control has stored them
	int64_t mtu;              // of the networks that cards are in
	int64_t offload_after_mb; // of a released flow; then the card drops it. 0: never
	int64_t offload_flows;    // at a time
	bool skip_bodies;         // of large flows, when a worker cannot keep up
	bool no_huge;             // do not use hugepages even if there are some
	bool wait_rules, exit_when_done, check;
	bool verbose;
	uint32_t n_ports;
	struct port_spec ports[IPC_PORTS_MAX];
	struct scope scope;            // of flows that may be read; n 0: every one
	struct pipeline_conf pipeline; // zeros: defaults, chosen when the memory is known
};

// Fill *ret_config from the command line and the file it names.
// 0; 1: nothing is to be run (--help, --version; text is on stdout); -EINVAL and other negative errno: ret_diag.
int config_read(int argc, char **argv, struct config *ret_config, struct diag *ret_diag);

// Parse one port. 0 or -EINVAL with ret_diag.
int config_port(const char *spec, struct port_spec *ret_spec, struct diag *ret_diag);

// Add what one text of the configuration's scope says. 0 or -EINVAL with ret_diag.
int config_scope(const char *spec, struct scope *io_scope, struct diag *ret_diag);

const char *config_port_type_name(enum port_type type);

#endif

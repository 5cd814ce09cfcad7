// SPDX-License-Identifier: BSD-2-Clause
// Ports, packet memory and the listening socket are open descriptors by now. What is still opened: a socket's file is removed
// at the end, DPDK looks into /proc and /sys, a driver may open its device again when a card is reset.
//
// Two drivers put something into the kernel that they take out again when they are closed: a program on an interface
// (af_xdp), an interface (tap). With such a port capabilities stay, and show status says so.
#include "dataplane/confine.h"

#include <libgen.h>
#include <stdio.h>

#include <rte_alarm.h>
#include <rte_eal.h>

#include "common/log.h"
#include "common/sandbox.h"
#include "dataplane/config.h"
#include "dataplane/worker.h"

enum {
	ALARM_US = 1,
	PATHS = 9,
};

static struct sandbox sandbox;

// In DPDK's own thread, which waits for interrupts and alarms.
static void on_alarm(void *arg)
{
	if (sandbox_thread(arg) != 0)
		log_error("DPDK's thread: not all could be given up: %s", sandbox.problem);
}

static const char *folder_of(char *buf, size_t size, const char *path)
{
	snprintf(buf, size, "%s", path);
	return dirname(buf);
}

void confine_threads(struct dataplane *dp)
{
	const struct config *c = dp->conf;
	static char folder[IPC_PORTS_MAX + 1][CONFIG_ARG_MAX];
	struct sandbox_path paths[PATHS + IPC_PORTS_MAX] = {
		{folder_of(folder[IPC_PORTS_MAX], CONFIG_ARG_MAX, c->socket), true},
		{rte_eal_get_runtime_dir(), true},
		{"/proc", false},
		{"/sys", false},
		{"/usr", false},
		{"/dev/null", true},
		{"/dev/hugepages", true},
		{"/dev/vfio", true},
		{"/dev/infiniband", true},
	};
	bool keep = false;

	for (uint32_t i = 0; i < c->n_ports; i++) {
		const struct port_spec *p = &c->ports[i];
		bool is_socket = p->type == PORT_MEMIF || p->type == PORT_VHOST ||
				 p->type == PORT_VIRTIO_USER;

		if (is_socket)
			paths[PATHS + i] = (struct sandbox_path){
				folder_of(folder[i], CONFIG_ARG_MAX, p->arg), true};
		else if (p->type == PORT_PCAP)
			paths[PATHS + i] = (struct sandbox_path){p->arg, false};
		keep = keep || p->type == PORT_AF_XDP || p->type == PORT_TAP;
	}
	int err = sandbox_init(&sandbox, paths, PATHS + c->n_ports);
	sandbox.keep_capabilities = keep;
	dp->sandbox = &sandbox;
	if (err == 0)
		err = sandbox_thread(&sandbox);
	if (err == 0)
		err = rte_eal_alarm_set(ALARM_US, on_alarm, &sandbox);
	if (err != 0)
		log_error("not all could be given up that is not needed any more: %s",
			  sandbox.problem);
}

void confine_calls(struct dataplane *dp)
{
	if (sandbox_calls(dp->sandbox,
			  dp->sandbox->keep_capabilities ? SANDBOX_DRIVER : SANDBOX_SERVICE) != 0)
		log_error("not all system calls could be given up: %s", sandbox.problem);
}

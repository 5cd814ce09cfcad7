// SPDX-License-Identifier: BSD-2-Clause
// The memory ladder and EAL's command line.
//
// EAL is always given: own log stream (its texts are for its developers), no telemetry socket, no shared
// configuration, a runtime directory that cannot be made (it would be left behind, and RUNTIME_DIRECTORY of systemd or
// XDG_RUNTIME_DIR may name one we must not use), lcores mapped to the CPUs this process may run on.
#include "dataplane/eal.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_log.h>
#include <rte_mbuf.h>

#include "common/log.h"
#include "dataplane/ealplan.h"
#include "dataplane/port.h"
#include "dataplane/worker.h"

enum {
	PAGE_BYTES = 4096,
	MEMPOOL_CACHE = 256,
	// DPDK's own tables, rings between workers, and slack for alignment. Measured: 64 MiB starts with 2 workers.
	EAL_BASE_MB = 48,
	EAL_WORKER_MB = 2,
	EAL_ARGS_MAX = 16 + 2 * IPC_PORTS_MAX,
};

static struct {
	char last[200];
	char line[200]; // being put together
	size_t len;
} messages;

const char *eal_last_message(void)
{
	return messages.last[0] != '\0' ? messages.last : "no reason given";
}

// Everything DPDK logs comes by here. Called by the main thread at start; later the level lets nothing through that a
// worker could cause.
static ssize_t log_line(void *cookie, const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (text[i] != '\n') {
			if (messages.len < sizeof(messages.line) - 1)
				messages.line[messages.len++] = text[i];
			continue;
		}
		messages.line[messages.len] = '\0';
		if (messages.len > 0) {
			memcpy(messages.last, messages.line, messages.len + 1);
			log_debug("dpdk: %s", messages.line);
		}
		messages.len = 0;
	}
	return (ssize_t)n;
}

// One number out of a file of the kernel, behind a label if there is one. 0 if it is not there.
static uint64_t kernel_number(const char *path, const char *label)
{
	FILE *f = fopen(path, "re");
	unsigned long long v = 0;
	char line[128];

	if (f == NULL)
		return 0;
	while (fgets(line, sizeof(line), f) != NULL) {
		if (strncmp(line, label, strlen(label)) != 0)
			continue;
		if (sscanf(line + strlen(label), "%llu", &v) != 1)
			v = 0;
		break;
	}
	fclose(f);
	return v;
}

static void look_at_machine(struct ealplan_machine *ret_machine)
{
	static const uint64_t page_kb[2] = {2048, 1048576};
	struct ealplan_machine m = {
		.sysctl_pages = kernel_number("/proc/sys/vm/nr_hugepages", ""),
		.sysctl_page_bytes = kernel_number("/proc/meminfo", "Hugepagesize:") << 10,
	};
	char path[96];

	for (int i = 0; i < 2; i++) {
		unsigned long long kb = page_kb[i];

		m.pages[i].page_bytes = page_kb[i] << 10;
		snprintf(path, sizeof(path),
			 "/sys/kernel/mm/hugepages/hugepages-%llukB/free_hugepages", kb);
		m.pages[i].free = kernel_number(path, "");
		snprintf(path, sizeof(path),
			 "/sys/kernel/mm/hugepages/hugepages-%llukB/resv_hugepages", kb);
		m.pages[i].reserved = kernel_number(path, "");
	}
	*ret_machine = m;
}

// Packet buffers: what lies in queues and rings, a burst and a cache per worker, and a frame in many pieces.
static uint32_t count_mbufs(const struct config *c)
{
	uint32_t workers = (uint32_t)c->workers,
		 n = 2048 + workers * (2 * WORKER_BURST + 2 * MEMPOOL_CACHE);

	if (workers > 1)
		n += workers * WORKER_STEER_SLOTS;
	for (uint32_t i = 0; i < c->n_ports; i++) {
		n += port_mbufs(&c->ports[i], c);
		if (workers > 1 && c->mode == MODE_INLINE)
			n += workers * WORKER_STEER_SLOTS;
	}
	return n;
}

static uint64_t mbuf_bytes(uint32_t data_room)
{
	return sizeof(struct rte_mbuf) + sizeof(struct frame_meta) + data_room +
	       128; // mempool's own header
}

int eal_plan(const struct config *c, struct eal_plan *ret_plan, struct diag *ret_diag)
{
	struct eal_plan p = {.mbufs = count_mbufs(c)};
	struct ealplan_need need = {
		.memory_mb = (uint32_t)c->memory_mb,
		.no_huge = c->no_huge,
	};
	struct pipeline_conf conf = c->pipeline;
	struct ealplan_machine machine;
	uint64_t workers = (uint64_t)c->workers, base, pages;

	for (uint32_t i = 0; i < c->n_ports; i++) {
		uint32_t room = port_data_room(&c->ports[i]);

		p.data_room = room > p.data_room ? room : p.data_room;
		need.nic = c->ports[i].type == PORT_PCI ? c->ports[i].arg : need.nic;
	}
	worker_pipeline_conf(&conf, true);
	p.pipeline_bytes = pipeline_memory(&conf);
	base = ((uint64_t)EAL_BASE_MB + EAL_WORKER_MB * workers) << 20;
	need.huge_bytes = base + p.mbufs * mbuf_bytes(p.data_room) + workers * p.pipeline_bytes;
	// Without hugepages no mbuf may cross a page: each costs whole ones.
	pages = (mbuf_bytes(p.data_room) + PAGE_BYTES - 1) / PAGE_BYTES;
	need.small_bytes = base + p.mbufs * pages * PAGE_BYTES;
	look_at_machine(&machine);
	int err = ealplan_choose(&machine, &need, &p, ret_diag);

	if (err == 0)
		*ret_plan = p;
	return err;
}

// The CPUs we may use; lcore 0 (main) gets the first, worker i the following ones, and when they run out all again.
static unsigned int usable_cpus(int *cpus, unsigned int max)
{
	unsigned int n = 0;
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) != 0)
		CPU_ZERO(&set);
	for (int i = 0; i < CPU_SETSIZE && n < max; i++)
		if (CPU_ISSET(i, &set))
			cpus[n++] = i;
	if (n == 0)
		cpus[n++] = 0;
	return n;
}

static int cpu_map[IPC_WORKERS_MAX + 1];

int eal_cpu_of(unsigned int lcore)
{
	return cpu_map[lcore];
}

static void map_lcores(uint32_t workers, char *buf, size_t size)
{
	int cpus[IPC_WORKERS_MAX + 1];
	unsigned int n = usable_cpus(cpus, IPC_WORKERS_MAX + 1);
	size_t len = 0;

	for (uint32_t i = 0; i <= workers && len < size; i++) {
		cpu_map[i] = cpus[i % n];
		len += (size_t)snprintf(buf + len, size - len, "%s%u@%d",
					i > 0 ? "," : "--lcores=", i, cpu_map[i]);
	}
}

// EAL keeps pointers into its arguments: they must outlive it.
static struct {
	char *argv[EAL_ARGS_MAX + 1];
	int argc;
	char lcores[2048];
	char prefix[48];
	char memory[16];
	char pci[IPC_PORTS_MAX][CONFIG_ARG_MAX];
} args;

static void arg(char *text)
{
	args.argv[args.argc++] = text;
}

static void make_args(const struct config *c, const struct eal_plan *plan)
{
	static char program[] = "wireglass-dataplane", in_memory[] = "--in-memory",
		    no_huge[] = "--no-huge", no_shconf[] = "--no-shconf", no_pci[] = "--no-pci",
		    m[] = "-m", a[] = "-a", no_telemetry[] = "--no-telemetry",
		    iova[] = "--iova-mode=va", main_lcore[] = "--main-lcore=0";
	bool pci = false;

	map_lcores((uint32_t)c->workers, args.lcores, sizeof(args.lcores));
	snprintf(args.prefix, sizeof(args.prefix), "--file-prefix=wireglass-%d", (int)getpid());
	snprintf(args.memory, sizeof(args.memory), "%u", plan->no_huge_mb);
	args.argc = 0;
	arg(program);
	arg(args.lcores);
	arg(main_lcore);
	arg(args.prefix);
	arg(no_telemetry);
	for (uint32_t i = 0; i < c->n_ports; i++)
		if (c->ports[i].type == PORT_PCI) {
			pci = true;
			memcpy(args.pci[i], c->ports[i].arg, sizeof(args.pci[i]));
			arg(a);
			arg(args.pci[i]);
		}
	if (!pci) {
		arg(no_pci);
		arg(iova);
	}
	if (plan->huge) {
		arg(in_memory);
	} else {
		arg(no_huge);
		arg(no_shconf);
		arg(m);
		arg(args.memory);
	}
	args.argv[args.argc] = NULL;
}

int eal_start(const struct config *c, const struct eal_plan *plan, struct diag *ret_diag)
{
	cookie_io_functions_t io = {.write = log_line};
	FILE *f = fopencookie(NULL, "w", io);

	if (f == NULL)
		return -ENOMEM;
	setvbuf(f, NULL, _IOLBF, 0);
	rte_openlog_stream(f);
	setenv("RUNTIME_DIRECTORY", "/dev/null", 1);
	make_args(c, plan);
	if (rte_eal_init(args.argc, args.argv) < 0) {
		int err = rte_errno != 0 ? -rte_errno : -EIO;

		diag_set(ret_diag, NULL, 0, 0, "DPDK cannot start with %s: %s%s",
			 plan->huge ? "hugepages" : "small pages", eal_last_message(),
			 plan->huge ? " (try --no-huge)" : "");
		return err;
	}
	return 0;
}

void eal_quiet(void)
{
	rte_log_set_global_level(RTE_LOG_CRIT);
}

// SPDX-License-Identifier: BSD-2-Clause
// wireglass-dataplane: check everything that can be checked, start DPDK, ports and workers, serve, stop.
//
// Whatever fails here fails with one sentence that says what to do, before a frame is touched.
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <rte_errno.h>
#include <rte_mbuf.h>

#include "common/log.h"
#include "dataplane/config.h"
#include "dataplane/confine.h"
#include "dataplane/dpctl.h"
#include "dataplane/eal.h"
#include "dataplane/engine/ruleset.h"
#include "dataplane/nicprofile.h"
#include "dataplane/port.h"
#include "dataplane/worker.h"

enum {
	EXIT_USAGE = 2,
	MBUF_CACHE = 256,
};

static void log_diag(enum log_level level, const struct diag *diag)
{
	char text[1024];

	log_write(level, "%s", diag_format(diag, text, sizeof(text)));
}

static int check_ports(const struct config *c, struct diag *diag)
{
	for (uint32_t i = 0; i < c->n_ports; i++) {
		int rc = port_check(&c->ports[i], c->mode, diag);

		if (rc < 0)
			return rc;
		if (rc > 0)
			log_diag(LOG_LEVEL_WARNING, diag);
	}
	return 0;
}

static int listen_socket(const struct config *c, struct diag *diag)
{
	int fd = ipc_listen(c->socket);

	if (fd == -EADDRINUSE)
		diag_set(diag, c->socket, 0, 0,
			 "another wireglass-dataplane serves this socket: stop it or give --socket "
			 "another path");
	else if (fd == -ENOENT)
		diag_set(diag, c->socket, 0, 0,
			 "the directory of the socket does not exist: make it or give --socket "
			 "another path");
	else if (fd < 0)
		diag_set(diag, c->socket, 0, 0, "cannot listen: %s (see --socket)", strerror(-fd));
	return fd;
}

// The signals that end it come by a descriptor; blocked in all threads to be.
static int block_signals(struct diag *diag)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		diag_set(diag, NULL, 0, 0, "cannot watch for signals: %s", strerror(errno));
	return fd < 0 ? -errno : fd;
}

static int make_pool(struct dataplane *dp, const struct eal_plan *plan, struct diag *diag)
{
	uint32_t mbufs = plan->mbufs;

	for (uint32_t i = 0; i < dp->n_ports; i++)
		mbufs += port_more_mbufs(&dp->ports[i], dp->conf);
	dp->pool = rte_pktmbuf_pool_create("frames", mbufs, MBUF_CACHE, sizeof(struct frame_meta),
					   (uint16_t)plan->data_room, SOCKET_ID_ANY);
	if (dp->pool != NULL)
		return 0;
	if (plan->huge)
		diag_set(diag, NULL, 0, 0,
			 "%u packet buffers do not fit in the hugepages: reserve more (sysctl "
			 "vm.nr_hugepages)",
			 mbufs);
	else
		diag_set(diag, NULL, 0, 0, "%u packet buffers do not fit in %u MB: try --memory %u",
			 mbufs, plan->no_huge_mb,
			 plan->small_mb > plan->no_huge_mb ? plan->small_mb : plan->no_huge_mb * 2);
	return -ENOMEM;
}

// Ports, buffers and workers, ready to run.
static int set_up(struct dataplane *dp, const struct eal_plan *plan, struct diag *diag)
{
	const struct config *c = dp->conf;
	char program[PATH_MAX], profiles[PATH_MAX];
	int rc;

	profile_dir(c->profiles, profile_program_dir(program, sizeof(program)), profiles,
		    sizeof(profiles));
	for (uint32_t i = 0; i < c->n_ports; i++) {
		dp->ports[i].peer = c->mode == MODE_INLINE ? (uint8_t)(i ^ 1) : PORT_NONE;
		rc = port_open(&dp->ports[i], &c->ports[i], (uint16_t)i, dp->n_workers, diag);
		dp->n_ports = i + 1;
		if (rc < 0)
			return rc;
		if (rc > 0)
			log_diag(LOG_LEVEL_WARNING, diag);
		rc = port_profile(&dp->ports[i], profiles, c, diag);
		if (rc < 0)
			return rc;
	}
	rc = make_pool(dp, plan, diag);
	if (rc == 0)
		rc = workers_init(dp, plan->huge, diag);
	for (uint32_t i = 0; i < c->n_ports && rc >= 0; i++) {
		rc = port_start(&dp->ports[i], dp->n_workers, c->mode, dp->pool, diag);
		if (rc > 0)
			log_diag(LOG_LEVEL_WARNING, diag);
	}
	for (uint32_t i = 0; i < c->n_ports && rc >= 0; i++) {
		if (!port_wait_link(&dp->ports[i]))
			log_warning("port %u: %s: the link is down after %lld s", i,
				    dp->ports[i].name,
				    (long long)dp->ports[i].nic.link.up_timeout_s);
		(void)port_link_changed(&dp->ports[i]); // as it is now
	}
	workers_spread(dp);
	return rc < 0 ? rc : 0;
}

static void log_profiles(const struct dataplane *dp)
{
	bool built_in = false;

	for (uint32_t i = 0; i < dp->n_ports; i++) {
		const struct hwprofile *p = &dp->ports[i].nic;

		if (dp->ports[i].source != NULL)
			continue;
		if (p->name[0] == '\0')
			built_in = true;
		else
			log_info(
				"port %u: profile %s (%s), %lld receive and %lld send descriptors, "
				"bursts of %lld",
				i, p->name, profile_evidence_name(p->evidence),
				(long long)p->rx.desc, (long long)p->tx.desc,
				(long long)p->rx.burst);
	}
	if (built_in)
		log_notice("no profiles of network cards were found (see --profiles): their ports "
			   "use built-in values");
}

static void log_start(const struct dataplane *dp, const struct eal_plan *plan)
{
	log_info("memory: %s", plan->why);
	for (uint32_t i = 0; i < dp->n_ports; i++)
		log_info("port %u: %s (%s), %u queues from worker %u on%s", i, dp->ports[i].name,
			 dp->ports[i].driver, dp->ports[i].rx_queues, dp->ports[i].owner,
			 dp->ports[i].peer == PORT_NONE ? ", tap"
			 : dp->ports[i].peer > i        ? ", to the next"
							: ", to the one before");
	log_profiles(dp);
	if (dp->conf->pipeline.enforce)
		log_notice("enforcing: drop and reject rules stop the flows they match");
	if (dp->n_workers > 1)
		log_info("flows come to workers %s", spread_is_software(&dp->spread)
							     ? "by a hash of our own"
							     : "by the queues of the ports");
	for (uint32_t i = 0; i < dp->n_workers; i++)
		log_info("worker %u: CPU %d, %zu MB", i, eal_cpu_of(dp->workers[i]->lcore),
			 dp->workers[i]->memory_bytes >> 20);
}

static void log_kernel_drops(const struct dataplane *dp)
{
	for (uint32_t i = 0; i < dp->n_ports; i++) {
		struct ipc_port s;

		port_stats(&dp->ports[i], &s);
		if (s.kernel_drops != UINT64_MAX && s.kernel_drops > 0)
			log_warning("port %u: %s: the kernel dropped %llu frames: no room in the "
				    "ring",
				    i, dp->ports[i].name, (unsigned long long)s.kernel_drops);
	}
}

static void log_end(const struct dataplane *dp)
{
	struct counters sum = {0};
	uint64_t busy = 0;

	for (uint32_t i = 0; i < dp->n_workers; i++) {
		struct worker_snapshot s;

		if (!worker_snapshot(dp->workers[i], &s))
			continue;
		for (unsigned int k = 0; k < COUNTER_N; k++)
			sum.v[k] += s.counters.v[k];
		busy += s.busy_ns;
	}
	log_notice("%llu frames, %llu bytes, %llu transactions, %llu hits, %llu hits lost, %.3f s "
		   "of work",
		   (unsigned long long)sum.v[CNT_RX_PKTS], (unsigned long long)sum.v[CNT_RX_BYTES],
		   (unsigned long long)sum.v[CNT_HTTP_TRANSACTIONS],
		   (unsigned long long)sum.v[CNT_HITS], (unsigned long long)sum.v[CNT_HITS_LOST],
		   (double)busy / 1e9);
}

// Everything between EAL's start and its end.
static int serve(struct dataplane *dp, const struct eal_plan *plan, int listen_fd, int signal_fd,
		 struct diag *diag)
{
	struct dpctl ctl;
	int err = set_up(dp, plan, diag);

	if (err < 0)
		goto close_ports;
	err = dpctl_init(&ctl, dp, listen_fd, signal_fd, diag);
	if (err == 0 && dp->conf->image[0] != '\0')
		err = dpctl_load_file(&ctl, dp->conf->image, diag);
	if (err < 0)
		goto free_control;
	log_start(dp, plan);
	eal_quiet();
	confine_threads(dp);
	err = workers_start(dp);
	if (err == 0)
		confine_calls(dp);
	if (err < 0) {
		diag_set(diag, NULL, 0, 0, "cannot start the workers: %s", strerror(-err));
		goto stop_workers;
	}
	dpctl_run(&ctl);
stop_workers:
	workers_stop(dp, WORKER_STOP_NOW);
	workers_join(dp);
	if (err == 0) {
		log_kernel_drops(dp);
		log_end(dp);
	}
free_control:
	workers_done(dp); // before the rule sets they point to
	dpctl_done(&ctl);
close_ports:
	workers_done(dp);
	for (uint32_t i = 0; i < dp->n_ports; i++)
		port_close(&dp->ports[i]);
	rte_mempool_free(dp->pool);
	return err;
}

static int run(const struct config *c, struct diag *diag)
{
	static struct port ports[IPC_PORTS_MAX];
	static struct dataplane dp;
	struct eal_plan plan;
	int signal_fd, listen_fd, err;

	dp.conf = c;
	dp.ports = ports;
	dp.n_workers = (uint32_t)c->workers;
	dp.capture_time = c->ports[0].type == PORT_PCAP;
	dp.may_sleep = c->idle == IDLE_SLEEP;
	if (getrandom(dp.hash_key, sizeof(dp.hash_key), 0) != sizeof(dp.hash_key)) {
		diag_set(diag, NULL, 0, 0, "the kernel gives no random numbers");
		return -EIO;
	}
	err = eal_plan(c, &plan, diag);
	if (err < 0)
		return err;
	signal_fd = block_signals(diag);
	if (signal_fd < 0)
		return signal_fd;
	listen_fd = listen_socket(c, diag);
	if (listen_fd < 0) {
		close(signal_fd);
		return listen_fd;
	}
	err = eal_start(c, &plan, diag);
	if (err == 0)
		err = serve(&dp, &plan, listen_fd, signal_fd, diag);
	close(listen_fd);
	unlink(c->socket);
	close(signal_fd);
	return err;
}

int main(int argc, char **argv)
{
	static struct config c;
	struct diag diag = {.text = ""};
	int rc;

	log_init("wireglass-dataplane", LOG_LEVEL_INFO);
	rc = config_read(argc, argv, &c, &diag);
	if (rc > 0)
		return EXIT_SUCCESS;
	if (rc < 0) {
		log_diag(LOG_LEVEL_ERROR, &diag);
		return EXIT_USAGE;
	}
	if (c.verbose)
		log_set_level(LOG_LEVEL_DEBUG);
	if (ruleset_selftest(&diag) < 0) {
		log_diag(LOG_LEVEL_ERROR, &diag);
		log_error("no rule can be scanned for here: use an x86-64 machine of 2007 or "
			  "later; in a virtual one, show it the host's CPU (QEMU: -cpu host)");
		return EXIT_FAILURE;
	}
	rc = check_ports(&c, &diag);
	if (rc == 0 && c.check) {
		puts("wireglass-dataplane: configuration and ports are good, and this CPU can run "
		     "libhs; whether libhs finds what it must is tried with every rule set that is "
		     "loaded");
		return EXIT_SUCCESS;
	}
	if (rc == 0)
		rc = run(&c, &diag);
	if (rc < 0)
		log_diag(LOG_LEVEL_ERROR, &diag);
	return rc < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

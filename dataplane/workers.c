// SPDX-License-Identifier: BSD-2-Clause
// Making and freeing workers: who polls which port, the rings between them, the memory of their pipelines.
#include "dataplane/worker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include <rte_cycles.h>
#include <rte_lcore.h>
#include <rte_malloc.h>
#include <rte_ring.h>

#include "dataplane/engine/xbits.h"
#include "dataplane/handover.h"
#include "dataplane/port.h"
#include "dataplane/source.h"

// Without hugepages: a demo, a test, a small site. About 60 MB each.
static const struct pipeline_conf SMALL = {
	.flows = 65536,
	.segments = 4096,
	.conns = 16384,
	.messages = 8192,
	.heads = 128,
	.inflaters = 128,
	.windows = 128,
	.fragments = 512,
	.hits = 16384,
	.events = 4096,
};

void worker_pipeline_conf(struct pipeline_conf *conf, bool huge)
{
	uint32_t *const want[] = {
		&conf->flows,     &conf->segments, &conf->conns, &conf->messages, &conf->heads,
		&conf->inflaters, &conf->windows,  &conf->hits,  &conf->events,   &conf->fragments,
	};
	const uint32_t small[] = {
		SMALL.flows,     SMALL.segments, SMALL.conns, SMALL.messages, SMALL.heads,
		SMALL.inflaters, SMALL.windows,  SMALL.hits,  SMALL.events,   SMALL.fragments,
	};

	for (size_t i = 0; i < sizeof(small) / sizeof(small[0]) && !huge; i++)
		if (*want[i] == 0)
			*want[i] = small[i];
}

static int make_memory(struct worker *w, bool huge)
{
	if (huge) {
		w->memory = rte_zmalloc_socket("pipeline", w->memory_bytes, 64,
					       (int)rte_lcore_to_socket_id(w->lcore));
		return w->memory != NULL ? 0 : -ENOMEM;
	}
	w->memory = mmap(NULL, w->memory_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			 -1, 0);
	if (w->memory == MAP_FAILED) {
		w->memory = NULL;
		return -ENOMEM;
	}
	w->memory_mapped = true;
	(void)madvise(w->memory, w->memory_bytes,
		      MADV_HUGEPAGE); // a wish: the kernel may have none
	return 0;
}

static int make_worker(struct dataplane *dp, uint32_t index, bool huge, struct diag *ret_diag)
{
	struct worker *w = aligned_alloc(64, sizeof(*w));
	struct pipeline_conf conf = dp->conf->pipeline;
	int err;

	if (w == NULL)
		return -ENOMEM;
	memset(w, 0, sizeof(*w));
	dp->workers[index] = w;
	w->dp = dp;
	w->index = index;
	w->lcore = index + 1;
	w->outbox = calloc(dp->n_workers, sizeof(struct rte_ring *));
	w->scratch = aligned_alloc(64, WORKER_SCRATCH_BYTES);
	if (w->outbox == NULL || w->scratch == NULL)
		return -ENOMEM;
	worker_pipeline_conf(&conf, huge);
	conf.worker = index;
	memcpy(conf.hash_key, dp->hash_key, sizeof(conf.hash_key));
	conf.xbits = dp->xbits;
	conf.scope = dp->conf->scope.n > 0 ? &dp->conf->scope : NULL;
	conf.elephant_bytes = (uint64_t)dp->conf->offload_after_mb << 20;
	if (dp->n_workers > 1)
		conf.handover = (struct pipeline_handover){handover_put, handover_owner, w};
	w->memory_bytes = pipeline_memory(&conf);
	err = make_memory(w, huge);
	if (err == 0)
		err = pipeline_init(w->memory, w->memory_bytes, &conf, &w->pipe);
	if (err < 0) {
		diag_set(ret_diag, NULL, 0, 0,
			 "worker %u: %zu MB for flows and buffers: %s (lower \"limits\" in the "
			 "configuration)",
			 index, w->memory_bytes >> 20, strerror(-err));
		return err;
	}
	w->counters = pipeline_counters_mut(w->pipe);
	return 0;
}

// Queue q of a port with a queue for every worker is worker q's: flows that the ports keep together stay so. The queues of
// the other ports are dealt out; inline pairs begin with the same worker, so that one with a single queue sends without a ring.
static void share_ports(struct dataplane *dp)
{
	for (uint32_t i = 0; i < dp->n_ports; i++) {
		struct port *port = &dp->ports[i];
		uint32_t turn = dp->conf->mode == MODE_INLINE ? i / 2 : i;

		port->owner = port->rx_queues < dp->n_workers ? turn % dp->n_workers : 0;
		for (uint16_t q = 0; q < port->rx_queues; q++) {
			struct worker *w = dp->workers[(port->owner + q) % dp->n_workers];

			w->rx_queue[w->n_rx] = q;
			w->rx[w->n_rx++] = port;
		}
	}
}

// From every worker that polls ports to every other one.
static int make_boxes(struct dataplane *dp, struct diag *ret_diag)
{
	char name[RTE_RING_NAMESIZE];

	for (uint32_t from = 0; from < dp->n_workers; from++) {
		for (uint32_t to = 0; to < dp->n_workers && dp->workers[from]->n_rx > 0; to++) {
			struct worker *w = dp->workers[to];
			struct rte_ring *r;

			if (from == to)
				continue;
			snprintf(name, sizeof(name), "steer%u.%u", from, to);
			r = rte_ring_create(name, WORKER_STEER_SLOTS, SOCKET_ID_ANY,
					    RING_F_SP_ENQ | RING_F_SC_DEQ);
			if (r == NULL) {
				diag_set(ret_diag, NULL, 0, 0,
					 "not enough packet memory for the rings between %u "
					 "workers: try --memory",
					 dp->n_workers);
				return -ENOMEM;
			}
			dp->workers[from]->outbox[to] = r;
			w->inbox[w->n_inbox++] = r;
		}
	}
	return 0;
}

static uint64_t unix_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void start_clock(struct dataplane *dp)
{
	dp->clock.mult = (uint64_t)(((unsigned __int128)1000000000u << 32) / rte_get_tsc_hz());
	dp->clock.base_tsc = rte_rdtsc();
	dp->start_ns = unix_ns();
	atomic_store_explicit(&dp->unix_offset_ns, (int64_t)dp->start_ns, memory_order_relaxed);
}

void workers_spread(struct dataplane *dp)
{
	bool software = false;

	for (uint32_t i = 0; i < dp->n_ports; i++)
		software |= !dp->ports[i].hashes || dp->ports[i].rx_queues != dp->n_workers;
	atomic_store_explicit(&dp->spread.software, software, memory_order_relaxed);
}

bool workers_came_apart(struct dataplane *dp)
{
	uint64_t together = 0, apart = 0;

	for (uint32_t i = 0; i < dp->n_workers; i++) {
		struct worker_snapshot s;

		if (!worker_snapshot(dp->workers[i], &s))
			continue;
		together += s.counters.v[CNT_RX_TOGETHER];
		apart += s.counters.v[CNT_RX_APART];
	}
	return spread_judge(&dp->spread, together, apart);
}

void worker_clock_follow(struct dataplane *dp)
{
	uint64_t ns = clock_ns(&dp->clock, rte_rdtsc());

	atomic_store_explicit(&dp->unix_offset_ns, (int64_t)(unix_ns() - ns), memory_order_relaxed);
}

static int make_xbits(struct dataplane *dp)
{
	const size_t bytes = (xbits_bytes(XBITS_ENTRIES) + 63) & ~(size_t)63;
	void *mem = aligned_alloc(64, bytes);

	if (mem == NULL)
		return -ENOMEM;
	memset(mem, 0, bytes);
	dp->xbits = xbits_init(mem, XBITS_ENTRIES, dp->hash_key);
	return 0;
}

int workers_init(struct dataplane *dp, bool huge, struct diag *ret_diag)
{
	dp->workers = calloc(dp->n_workers, sizeof(struct worker *));
	// Software, until the ports have started and said what they can.
	if (dp->workers == NULL || make_xbits(dp) < 0 ||
	    spread_init(&dp->spread, dp->n_workers, dp->hash_key, true) < 0)
		return -ENOMEM;
	start_clock(dp);
	for (uint32_t i = 0; i < dp->n_workers; i++) {
		int err = make_worker(dp, i, huge, ret_diag);

		if (err < 0)
			return err;
	}
	share_ports(dp);
	if (dp->capture_time)
		for (uint32_t i = 0; i < dp->n_workers; i++)
			dp->workers[i]->now_ns = source_first_ns(dp->ports[0].source);
	return make_boxes(dp, ret_diag);
}

void workers_done(struct dataplane *dp)
{
	for (uint32_t i = 0; dp->workers != NULL && i < dp->n_workers; i++) {
		struct worker *w = dp->workers[i];

		if (w == NULL)
			continue;
		if (w->pipe != NULL)
			pipeline_done(w->pipe);
		if (w->memory_mapped)
			munmap(w->memory, w->memory_bytes);
		else
			rte_free(w->memory);
		free(w->scratch);
		free(w->outbox);
		free(w);
	}
	free(dp->workers);
	free(dp->xbits);
	spread_done(&dp->spread);
	dp->workers = NULL;
	dp->xbits = NULL;
}

// SPDX-License-Identifier: BSD-2-Clause
// What the levels of overload are made of: the losses of the ports, which the main lcore reads, and what each worker knows of itself.
#include <rte_ring.h>

#include "common/log.h"
#include "dataplane/overload.h"
#include "dataplane/port.h"
#include "dataplane/worker.h"

static uint64_t lost_by(struct port *p)
{
	struct ipc_port s;

	port_stats(p, &s);
	return s.rx_missed + s.rx_nombuf + (s.kernel_drops != UINT64_MAX ? s.kernel_drops : 0);
}

void overload_watch(struct dataplane *dp)
{
	uint64_t level = 0;

	if (!dp->conf->skip_bodies)
		return;
	for (uint32_t i = 0; i < dp->n_ports; i++)
		atomic_store_explicit(&dp->ports[i].lost, lost_by(&dp->ports[i]),
				      memory_order_relaxed);
	for (uint32_t i = 0; i < dp->n_workers; i++) {
		struct worker_snapshot s;

		if (worker_snapshot(dp->workers[i], &s))
			level += s.counters.v[CNT_OVERLOAD_LEVEL];
	}
	if (level > 0 && !dp->overloaded)
		log_warning("workers cannot keep up: bodies of large flows are passed over, the "
			    "largest first (overload.body_bytes); more workers, or fewer rules on "
			    "bodies, would help");
	else if (level == 0 && dp->overloaded)
		log_notice("the workers keep up again: all bodies are inspected");
	dp->overloaded = level > 0;
}

// Frames that others have received are lost when there is no room in its inbox.
static bool inbox_is_filling(const struct worker *w)
{
	for (uint32_t i = 0; i < w->n_inbox; i++)
		if (rte_ring_count(w->inbox[i]) >= WORKER_STEER_SLOTS / 4 * 3)
			return true;
	return false;
}

void overload_look(struct worker *w)
{
	const uint32_t level = w->overload.level;
	uint64_t lost = 0;

	if (!w->dp->conf->skip_bodies || w->dp->capture_time) // a file can wait
		return;
	for (uint32_t i = 0; i < w->n_rx; i++)
		lost += atomic_load_explicit(&w->rx[i]->lost, memory_order_relaxed);
	overload_step(&w->overload, lost != w->lost_seen || inbox_is_filling(w), w->taken,
		      w->taken_full);
	w->lost_seen = lost;
	w->taken = w->taken_full = 0;
	w->counters->v[CNT_OVERLOAD_LEVEL] = w->overload.level;
	w->counters->v[CNT_OVERLOAD_RAISED] += w->overload.level > level;
	pipeline_skip_bodies(w->pipe, overload_skip_from(&w->overload));
}

// SPDX-License-Identifier: BSD-2-Clause
#include "dataplane/watchdog.h"

#include "dataplane/worker.h"

int watchdog_turn(struct watchdog *d, const struct dataplane *dp)
{
	for (uint32_t i = 0; i < dp->n_workers; i++) {
		const struct worker *w = dp->workers[i];
		const uint64_t seen = atomic_load_explicit(&w->published, memory_order_relaxed);

		// One that has nothing more to do is no longer expected to.
		if (seen != d->seen[i] ||
		    atomic_load_explicit(&w->state, memory_order_relaxed) == WORKER_FLUSHED)
			d->turns[i] = 0;
		else if (++d->turns[i] >= WATCHDOG_TURNS)
			return (int)i;
		d->seen[i] = seen;
	}
	return -1;
}

bool watchdog_all_move(const struct watchdog *d, const struct dataplane *dp)
{
	for (uint32_t i = 0; i < dp->n_workers; i++)
		if (d->turns[i] > 1)
			return false;
	return true;
}

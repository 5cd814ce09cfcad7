// SPDX-License-Identifier: BSD-2-Clause
// One worker's loop: receive, hand over what another worker owns, inspect, forward or free, housekeeping.
//
// Invariants: no lock, allocation or log line in here, and no system call but the sleep of an idle worker. Frames are
// never written to. Every mbuf that comes in is either sent, handed to another worker, or freed, in the same iteration.
// Order within a flow is kept: one flow is inspected, and sent, by one worker; IP fragments are sent by the one that received them.
#include "dataplane/worker.h"

#include <string.h>
#include <time.h>

#include <rte_cycles.h>
#include <rte_launch.h>
#include <rte_mbuf.h>
#include <rte_pause.h>
#include <rte_ring.h>

#include "common/log.h"
#include "common/sandbox.h"
#include "dataplane/engine/ruleset.h"
#include "dataplane/handover.h"
#include "dataplane/port.h"
#include "dataplane/reset.h"

enum {
	IDLE_POLLS = 1000,     // about 50 us without a frame before a worker sleeps
	IDLE_SLEEP_NS = 50000, // 512 frames of ring at 10 Mpps
	SWEEP_BUDGET = 8,      // flows looked at per poll for expiry
	FLUSH_BUDGET = 64,     // flows closed per poll at the end
	PUBLISH_PER_S = 1,
};

// --- sending --------------------------------------------------------------------------------------------------------

static void count(struct worker *w, enum counter counter, uint64_t n)
{
	w->counters->v[counter] += n;
}

static void drop_unsent(struct worker *w, struct rte_mbuf **m, unsigned int n)
{
	count(w, CNT_TX_FAILED, n);
	rte_pktmbuf_free_bulk(m, n);
}

// To a tx queue that is this worker's.
static void send_queue(struct worker *w, struct port *peer, uint16_t queue, struct rte_mbuf **m,
		       uint16_t n)
{
	uint64_t bytes = 0;
	uint16_t sent;

	for (uint16_t i = 0; i < n; i++)
		bytes += m[i]->pkt_len;
	sent = port_tx(peer, queue, m, n);
	for (uint16_t i = sent; i < n; i++)
		bytes -= m[i]->pkt_len;
	count(w, CNT_TX_PKTS, sent);
	count(w, CNT_TX_BYTES, bytes);
	if (sent < n)
		drop_unsent(w, m + sent, n - sent);
}

static void send_peer(struct worker *w, struct port *peer, struct rte_mbuf **m, uint16_t n)
{
	if (peer->tx_ring == NULL) {
		send_queue(w, peer, (uint16_t)w->index, m, n);
	} else if (peer->owner == w->index) {
		send_queue(w, peer, 0, m, n);
	} else {
		unsigned int put =
			rte_ring_sp_enqueue_burst(peer->tx_ring[w->index], (void **)m, n, NULL);

		if (put < n)
			drop_unsent(w, m + put, n - put);
	}
}

// All frames of a burst to where they belong: runs of the same port leave together.
static void send_all(struct worker *w, struct rte_mbuf **m, unsigned int n)
{
	struct dataplane *dp = w->dp;

	for (unsigned int i = 0, run; i < n; i += run) {
		const struct frame_meta *first = rte_mbuf_to_priv(m[i]);
		const struct port *port = &dp->ports[first->port];

		for (run = 1; i + run < n; run++)
			if (((const struct frame_meta *)rte_mbuf_to_priv(m[i + run]))->port !=
			    first->port)
				break;
		if (port->peer == PORT_NONE) {
			count(w, CNT_TAP_FREED, run);
			rte_pktmbuf_free_bulk(m + i, run);
		} else {
			send_peer(w, &dp->ports[port->peer], m + i, (uint16_t)run);
		}
	}
}

// Does it send what others have inspected?
static bool owns_tx(const struct worker *w, const struct port *port)
{
	return port->tx_ring != NULL && port->owner == w->index;
}

// Frames that other workers inspected, for ports whose only tx queue is ours.
static unsigned int poll_tx_rings(struct worker *w)
{
	struct rte_mbuf *m[WORKER_BURST];
	unsigned int total = 0;

	for (uint32_t i = 0; i < w->n_rx; i++) {
		struct port *port = w->rx[i];

		for (uint32_t k = 0; owns_tx(w, port) && k < w->dp->n_workers; k++) {
			if (port->tx_ring[k] == NULL)
				continue;
			unsigned int n = rte_ring_sc_dequeue_burst(port->tx_ring[k], (void **)m,
								   WORKER_BURST, NULL);

			if (n > 0)
				send_queue(w, port, 0, m, (uint16_t)n);
			total += n;
		}
	}
	return total;
}

// --- inspecting -----------------------------------------------------------------------------------------------------

static uint8_t csum_verdict(uint64_t flags)
{
	uint64_t ip = flags & RTE_MBUF_F_RX_IP_CKSUM_MASK, l4 = flags & RTE_MBUF_F_RX_L4_CKSUM_MASK;

	if (ip == RTE_MBUF_F_RX_IP_CKSUM_BAD || l4 == RTE_MBUF_F_RX_L4_CKSUM_BAD)
		return FRAME_CSUM_BAD;
	if (ip == RTE_MBUF_F_RX_IP_CKSUM_GOOD && l4 == RTE_MBUF_F_RX_L4_CKSUM_GOOD)
		return FRAME_CSUM_GOOD;
	return FRAME_CSUM_UNKNOWN;
}

// A frame in several mbufs, copied into the scratch buffer. False: no room left in it for this burst.
static bool gather(struct worker *w, const struct rte_mbuf *m, struct frame *f)
{
	uint32_t room = WORKER_SCRATCH_BYTES - w->scratch_used;
	uint8_t *to = w->scratch + w->scratch_used;

	if (m->pkt_len + PIPELINE_TAIL_BYTES > room)
		return false;
	f->data = to;
	f->len = m->pkt_len;
	f->tail_bytes = PIPELINE_TAIL_BYTES;
	for (; m != NULL; m = m->next) {
		rte_memcpy(to, rte_pktmbuf_mtod(m, const void *), m->data_len);
		to += m->data_len;
	}
	w->scratch_used = (uint32_t)(to - w->scratch) + PIPELINE_TAIL_BYTES;
	if (w->scratch_used > w->scratch_stale)
		w->scratch_stale = w->scratch_used;
	return true;
}

static void view(const struct rte_mbuf *m, struct frame *f)
{
	f->data = rte_pktmbuf_mtod(m, const uint8_t *);
	f->len = m->data_len;
	f->tail_bytes = rte_pktmbuf_tailroom(m);
}

// Inspect k frames; what of them may not be forwarded is added to *io_verdict, where they are the first and following.
static void inspect_some(struct worker *w, const struct frame *frames, unsigned int k,
			 unsigned int first, struct pipeline_verdict *io_verdict)
{
	pipeline_burst(w->pipe, frames, k, w->now_ns);
	const struct pipeline_verdict v = pipeline_verdict(w->pipe);

	io_verdict->blocked |= v.blocked << first;
	io_verdict->rejected |= v.rejected << first;
}

static struct pipeline_verdict inspect(struct worker *w, struct rte_mbuf **m, unsigned int n)
{
	struct frame frames[WORKER_BURST] = {0};
	struct pipeline_verdict verdict = {0};
	unsigned int k = 0;

	w->scratch_used = 0;
	for (unsigned int i = 0; i < n; i++) {
		const struct frame_meta *meta = rte_mbuf_to_priv(m[i]);
		struct frame *f = &frames[k];

		if (m[i]->nb_segs == 1) {
			view(m[i], f);
		} else if (!gather(w, m[i], f)) {
			// Make room by inspecting what there is; one frame larger than all of it is seen in part.
			if (k > 0)
				inspect_some(w, frames, k, i - k, &verdict);
			f = &frames[0];
			k = 0;
			w->scratch_used = 0;
			if (!gather(w, m[i], f))
				view(m[i], f);
		}
		f->wire_len = meta->wire_len;
		f->csum = csum_verdict(m[i]->ol_flags);
		f->ts_ns = meta->ts_ns;
		if (w->dp->capture_time && meta->ts_ns > w->now_ns)
			w->now_ns = meta->ts_ns;
		k++;
	}
	if (k > 0)
		inspect_some(w, frames, k, n - k, &verdict);
	return verdict;
}

// --- stopping -------------------------------------------------------------------------------------------------------

// A reset for one of the hosts of a frame, by the port that leads to it.
static void reset(struct worker *w, const struct rte_mbuf *of, bool to_sender)
{
	const struct frame_meta *meta = rte_mbuf_to_priv((struct rte_mbuf *)(uintptr_t)of);
	struct port *in = &w->dp->ports[meta->port];
	uint8_t bytes[RESET_MAX];
	int len = reset_make(rte_pktmbuf_mtod(of, const uint8_t *), of->data_len, to_sender, bytes);
	struct rte_mbuf *m;

	if (len == 0)
		return;
	m = len > 0 ? rte_pktmbuf_alloc(w->dp->pool) : NULL;
	if (m == NULL) {
		count(w, CNT_RESETS_FAILED, 1);
		return;
	}
	memcpy(rte_pktmbuf_append(m, (uint16_t)len), bytes, (size_t)len);
	count(w, CNT_RESETS, 1);
	send_peer(w, to_sender ? in : &w->dp->ports[in->peer], &m, 1);
}

// What may not be forwarded leaves the burst, and the rest of it is sent; then, behind what came before in the flow, the
// resets. Only a worker that enforces comes here, and that is inline.
static void stop(struct worker *w, struct rte_mbuf **m, unsigned int n, struct pipeline_verdict v)
{
	struct rte_mbuf *stopped[WORKER_BURST];
	unsigned int kept = 0, n_stopped = 0;
	uint64_t rejected = 0;

	for (unsigned int i = 0; i < n; i++) {
		if ((v.blocked >> i & 1) == 0) {
			m[kept++] = m[i];
			continue;
		}
		rejected |= (v.rejected >> i & 1) << n_stopped;
		stopped[n_stopped++] = m[i];
	}
	send_all(w, m, kept);
	for (unsigned int i = 0; i < n_stopped; i++) {
		if ((rejected >> i & 1) == 0)
			continue;
		reset(w, stopped[i], false);
		reset(w, stopped[i], true);
	}
	rte_pktmbuf_free_bulk(stopped, n_stopped);
}

static void process(struct worker *w, struct rte_mbuf **m, unsigned int n)
{
	const struct pipeline_verdict v = inspect(w, m, n);

	if (v.blocked == 0)
		send_all(w, m, n);
	else
		stop(w, m, n, v);
}

// --- receiving ------------------------------------------------------------------------------------------------------

// The pipeline counts what it is given; this is for frames it never sees.
static void count_received(struct worker *w, struct rte_mbuf *m)
{
	count(w, CNT_RX_PKTS, 1);
	count(w, CNT_RX_BYTES, ((const struct frame_meta *)rte_mbuf_to_priv(m))->wire_len);
}

// Put each frame in the inbox of the worker that owns its flow; what is ours stays in m. Returns how many. A frame
// whose worker's inbox is full is not inspected, but it goes its way.
static unsigned int steer(struct worker *w, struct rte_mbuf **m, unsigned int n)
{
	struct rte_mbuf *skipped[WORKER_BURST];
	unsigned int own = 0, skips = 0;

	for (unsigned int i = 0; i < n; i++) {
		struct frame f = {0};

		w->scratch_used = 0;
		if (m[i]->nb_segs == 1 || !gather(w, m[i], &f))
			view(m[i], &f);
		f.wire_len = f.len;
		bool fragment;
		uint32_t to = pipeline_owner(pipeline_frame_hash(&f, w->dp->hash_key, &fragment),
					     w->dp->n_workers);

		if (fragment) {
			// What it completes is handed over before the frames behind it.
			m[own++] = m[i];
			process(w, m, own);
			own = 0;
		} else if (to == w->index) {
			m[own++] = m[i];
		} else if (rte_ring_sp_enqueue(w->outbox[to], m[i]) == 0) {
			count(w, CNT_RX_STEERED, 1);
		} else {
			skipped[skips++] = m[i];
		}
	}
	if (skips > 0) {
		count(w, CNT_RX_STEER_FULL, skips);
		for (unsigned int i = 0; i < skips; i++)
			count_received(w, skipped[i]);
		send_all(w, skipped, skips);
	}
	return own;
}

static bool rings_have_room(const struct worker *w)
{
	const struct ring *hits = pipeline_hits(w->pipe), *events = pipeline_events(w->pipe);

	return ring_count(hits) <= hits->mask / 2 && ring_count(events) <= events->mask / 2;
}

// A file can wait where a wire cannot: for rules, for room in the inboxes, and for control to take hits and events.
static bool source_may_run(struct worker *w)
{
	struct dataplane *dp = w->dp;

	if (dp->conf->wait_rules && !w->rules_ready) {
		for (uint32_t i = 0; i < dp->n_workers; i++)
			if (atomic_load_explicit(&dp->workers[i]->seen, memory_order_acquire) ==
			    NULL)
				return false;
		w->rules_ready = true;
	}
	for (uint32_t i = 0; i < dp->n_workers; i++) {
		if (w->outbox[i] != NULL && rte_ring_free_count(w->outbox[i]) < WORKER_BURST)
			return false;
		if (atomic_load_explicit(&dp->peer, memory_order_relaxed) &&
		    !rings_have_room(dp->workers[i]))
			return false;
	}
	return true;
}

// Live frames get the time of their burst.
static void stamp(struct worker *w, const struct port *port, struct rte_mbuf **m, unsigned int n,
		  uint64_t tsc)
{
	uint64_t ts = clock_ns(&w->dp->clock, tsc) +
		      (uint64_t)atomic_load_explicit(&w->dp->unix_offset_ns, memory_order_relaxed);

	for (unsigned int i = 0; i < n; i++) {
		struct frame_meta *meta = rte_mbuf_to_priv(m[i]);

		meta->ts_ns = ts;
		meta->wire_len = m[i]->pkt_len;
		if (port->cut_len != 0 && m[i]->pkt_len >= port->cut_len)
			meta->wire_len++; // as much as is known: there was more
		meta->port = port->index;
	}
}

// The queues have distributed the frames: did they do it well?
static void watch(struct worker *w, struct rte_mbuf **m, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		enum spread_seen seen =
			spread_see(&w->dp->spread, w->index,
				   rte_pktmbuf_mtod(m[i], const uint8_t *), m[i]->data_len);

		if (seen == SPREAD_TOGETHER)
			count(w, CNT_RX_TOGETHER, 1);
		else if (seen == SPREAD_APART)
			count(w, CNT_RX_APART, 1);
	}
}

// So many frames have come at once.
static void taken(struct worker *w, unsigned int n)
{
	w->taken += n;
	if (n == WORKER_BURST)
		w->taken_full += n;
}

static unsigned int poll_port(struct worker *w, uint32_t i, uint64_t tsc)
{
	struct port *port = w->rx[i];
	struct rte_mbuf *m[WORKER_BURST];
	unsigned int n, own;

	if (port->source != NULL && !source_may_run(w))
		return 0;
	n = port_rx(port, w->rx_queue[i], w->dp->pool, m, WORKER_BURST);
	if (n == 0)
		return 0;
	taken(w, n);
	if (port->source == NULL)
		stamp(w, port, m, n, tsc);
	own = n;
	if (w->dp->n_workers > 1 && spread_is_software(&w->dp->spread))
		own = steer(w, m, n);
	else if (w->dp->n_workers > 1)
		watch(w, m, n);
	process(w, m, own);
	return n;
}

// Frames of the worker's own flows, and segments of them that others have put together.
static void process_inbox(struct worker *w, struct rte_mbuf **m, unsigned int n)
{
	unsigned int frames = 0;

	for (unsigned int i = 0; i < n; i++) {
		if (!handover_is(m[i])) {
			m[frames++] = m[i];
			continue;
		}
		process(w, m, frames);
		frames = 0;
		handover_take(w, m[i]);
	}
	process(w, m, frames);
}

static unsigned int poll_inbox(struct worker *w)
{
	struct rte_mbuf *m[WORKER_BURST];
	unsigned int total = 0;

	for (uint32_t i = 0; i < w->n_inbox; i++) {
		unsigned int n =
			rte_ring_sc_dequeue_burst(w->inbox[i], (void **)m, WORKER_BURST, NULL);

		taken(w, n);
		process_inbox(w, m, n);
		total += n;
	}
	return total;
}

// --- housekeeping ---------------------------------------------------------------------------------------------------

static void publish(struct worker *w, uint64_t tsc)
{
	uint64_t number = atomic_load_explicit(&w->published, memory_order_relaxed) + 1;
	const struct clock *c = &w->dp->clock;
	int64_t offset = atomic_load_explicit(&w->dp->unix_offset_ns, memory_order_relaxed);
	struct worker_snapshot s = {
		.ts_ns = clock_ns(c, tsc) + (uint64_t)offset,
		.busy_ns = (uint64_t)(((unsigned __int128)w->busy_tsc * c->mult) >> 32),
		.idle_ns = (uint64_t)(((unsigned __int128)w->idle_tsc * c->mult) >> 32),
		.objects = pipeline_objects_in_use(w->pipe),
		.generation = w->rs != NULL ? ruleset_generation(w->rs) : 0,
		.counters = *pipeline_counters(w->pipe),
	};
	uint64_t words[WORKER_SNAPSHOT_WORDS];

	memcpy(words, &s, sizeof(words));
	atomic_thread_fence(
		memory_order_release); // whoever sees a word of this sees the number before it
	for (unsigned int i = 0; i < WORKER_SNAPSHOT_WORDS; i++)
		atomic_store_explicit(&w->snapshot[number & 1][i], words[i], memory_order_relaxed);
	atomic_store_explicit(&w->published, number, memory_order_release);
	w->publish_tsc = tsc;
}

// Between bursts nothing of the rule set is in the worker's hands: the moment to change it.
static void quiesce(struct worker *w, uint64_t tsc)
{
	struct ruleset *live = atomic_load_explicit(&w->dp->live, memory_order_acquire);

	if (live != w->rs) {
		w->rs = live;
		pipeline_set_ruleset(w->pipe, live);
		atomic_store_explicit(&w->seen, live, memory_order_release);
	}
	uint32_t asked = atomic_load_explicit(&w->release_asked, memory_order_relaxed);

	if (asked != atomic_load_explicit(&w->release_done, memory_order_relaxed)) {
		pipeline_release_old(w->pipe);
		atomic_store_explicit(&w->release_done, asked, memory_order_release);
	}
	if (tsc - w->publish_tsc >= rte_get_tsc_hz() / PUBLISH_PER_S) {
		overload_look(w);
		publish(w, tsc);
	}
}

static bool ports_ended(const struct worker *w)
{
	for (uint32_t i = 0; i < w->n_rx; i++)
		if (!port_ended(w->rx[i]))
			return false;
	return true;
}

static bool boxes_empty(const struct worker *w, bool tx)
{
	for (uint32_t i = 0; i < w->n_inbox; i++)
		if (!rte_ring_empty(w->inbox[i]))
			return false;
	for (uint32_t i = 0; tx && i < w->n_rx; i++)
		for (uint32_t k = 0; owns_tx(w, w->rx[i]) && k < w->dp->n_workers; k++)
			if (w->rx[i]->tx_ring[k] != NULL && !rte_ring_empty(w->rx[i]->tx_ring[k]))
				return false;
	return true;
}

static void enter(struct worker *w, enum worker_state state)
{
	atomic_store_explicit(&w->state, state, memory_order_release);
}

// The way out: everyone stops receiving, then everyone's inbox runs dry and its flows are closed, then everyone's
// frames have been sent. The states of the others are read before the boxes: what they put there came before.
static void wind_down(struct worker *w, enum worker_stop stop, uint64_t tsc)
{
	switch ((enum worker_state)atomic_load_explicit(&w->state, memory_order_relaxed)) {
	case WORKER_RUNNING:
		if (stop != WORKER_GO || ports_ended(w))
			enter(w, WORKER_RX_DONE);
		break;
	case WORKER_RX_DONE:
		if (!workers_reached(w->dp, WORKER_RX_DONE) || !boxes_empty(w, false))
			break;
		// Wait for room in the rings if somebody is there to make it.
		if (stop != WORKER_STOP_NOW &&
		    atomic_load_explicit(&w->dp->peer, memory_order_relaxed) && !rings_have_room(w))
			break;
		if (pipeline_flush(w->pipe, w->now_ns, FLUSH_BUDGET) == 0) {
			publish(w, tsc);
			enter(w, WORKER_FLUSHED);
		}
		break;
	case WORKER_FLUSHED:
		w->leave = stop != WORKER_GO && workers_reached(w->dp, WORKER_FLUSHED) &&
			   boxes_empty(w, true);
		break;
	}
}

static void account(struct worker *w, uint64_t tsc, bool busy)
{
	uint64_t spent = tsc - w->last_tsc;

	w->last_tsc = tsc;
	if (busy) {
		w->busy_tsc += spent;
		w->empty_polls = 0;
		return;
	}
	w->idle_tsc += spent;
	if (++w->empty_polls < IDLE_POLLS)
		return;
	// The one system call of a worker, and only when nothing has come for IDLE_POLLS polls.
	if (w->dp->may_sleep)
		nanosleep(&(struct timespec){.tv_nsec = IDLE_SLEEP_NS}, NULL);
	else
		rte_pause();
}

// Nothing has come: what is in use no more need not lie around.
static void forget(struct worker *w)
{
	if (pipeline_forget(w->pipe) || w->scratch_stale == 0)
		return;
	memset(w->scratch, 0, w->scratch_stale);
	w->scratch_stale = 0;
}

static int worker_main(void *arg)
{
	struct worker *w = arg;

	if (w->dp->sandbox != NULL && sandbox_thread(w->dp->sandbox) != 0)
		log_error("worker %u: not all could be given up: %s", w->index,
			  w->dp->sandbox->problem);
	w->last_tsc = rte_rdtsc();
	publish(w, w->last_tsc);
	while (!w->leave) {
		enum worker_stop stop = atomic_load_explicit(&w->stop, memory_order_relaxed);
		uint64_t tsc = rte_rdtsc();
		unsigned int n = 0;

		quiesce(w, tsc);
		if (!w->dp->capture_time)
			w->now_ns = w->dp->start_ns + clock_ns(&w->dp->clock, tsc);
		if (atomic_load_explicit(&w->state, memory_order_relaxed) == WORKER_RUNNING)
			for (uint32_t i = 0; i < w->n_rx && stop == WORKER_GO; i++)
				n += poll_port(w, i, tsc);
		n += poll_inbox(w);
		n += poll_tx_rings(w);
		pipeline_idle(w->pipe, w->now_ns, SWEEP_BUDGET);
		if (n == 0)
			forget(w);
		wind_down(w, stop, tsc);
		account(w, rte_rdtsc(), n > 0);
	}
	return 0;
}

// --- seen from the main lcore ---------------------------------------------------------------------------------------

int workers_start(struct dataplane *dp)
{
	for (uint32_t i = 0; i < dp->n_workers; i++) {
		int err = rte_eal_remote_launch(worker_main, dp->workers[i], dp->workers[i]->lcore);

		if (err < 0) {
			// Those that run must not wait for those that never will.
			for (; i < dp->n_workers; i++)
				enter(dp->workers[i], WORKER_FLUSHED);
			return err;
		}
	}
	return 0;
}

void workers_stop(struct dataplane *dp, enum worker_stop how)
{
	for (uint32_t i = 0; i < dp->n_workers; i++)
		atomic_store_explicit(&dp->workers[i]->stop, how, memory_order_relaxed);
}

void workers_join(struct dataplane *dp)
{
	for (uint32_t i = 0; i < dp->n_workers; i++)
		rte_eal_wait_lcore(dp->workers[i]->lcore);
}

bool workers_reached(const struct dataplane *dp, enum worker_state state)
{
	for (uint32_t i = 0; i < dp->n_workers; i++)
		if (atomic_load_explicit(&dp->workers[i]->state, memory_order_acquire) < state)
			return false;
	return true;
}

bool worker_snapshot(const struct worker *w, struct worker_snapshot *ret_snapshot)
{
	uint64_t number = atomic_load_explicit(&w->published, memory_order_acquire);

	// The worker writes the other slot next. If it has published again meanwhile, ours may have been written over.
	for (unsigned int tries = 0; number != 0 && tries < 4; tries++) {
		uint64_t words[WORKER_SNAPSHOT_WORDS];

		for (unsigned int i = 0; i < WORKER_SNAPSHOT_WORDS; i++)
			words[i] = atomic_load_explicit(&w->snapshot[number & 1][i],
							memory_order_relaxed);
		atomic_thread_fence(memory_order_acquire);
		uint64_t after = atomic_load_explicit(&w->published, memory_order_acquire);

		if (after == number) {
			memcpy(ret_snapshot, words, sizeof(words));
			return true;
		}
		number = after;
	}
	return false;
}

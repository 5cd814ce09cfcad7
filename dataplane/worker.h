// SPDX-License-Identifier: BSD-2-Clause
// Workers: the lcores that receive, inspect and forward. Each owns everything it changes; what two threads see is in
// this table and nowhere else.
//
//   word                        writer         reader            order
//   dp->live                    main           workers           release / acquire, once per poll
//   dp->unix_offset_ns          main, 1/s      workers           relaxed: one number, any of the two last is right
//   dp->peer                    main           workers           relaxed: whether finite sources wait for the drain
//   w->seen                     worker         main              release / acquire: rule set picked up, after its burst
//   w->release_asked            main           worker            relaxed: request number, grace time is over
//   w->release_done             worker         main              release / acquire: number of the request done
//   w->snapshot[2], w->published  worker, 1/s  main              relaxed words; release / acquire on published; slot published & 1
//   w->stop                     main           worker            relaxed
//   w->state                    worker         main, workers     release / acquire: only ever goes up
//   dp->spread                  see spread.h
//   port->source_pkts, _bytes   owner          main              relaxed: for display
//   port->lost                  main, 1/s      workers           relaxed: a number that grows
//   hit and event rings         worker         main              release / acquire (engine/ring.h)
//   steer and tx rings          one worker     one worker        DPDK's single producer, single consumer
//   rs->in_use[w]               worker         main              relaxed (engine/ruleset.h)
#ifndef DATAPLANE_WORKER_H
#define DATAPLANE_WORKER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/ipc.h"
#include "dataplane/config.h"
#include "dataplane/engine/pipeline.h"
#include "dataplane/overload.h"
#include "dataplane/spread.h"

struct port;
struct ruleset;
struct rte_mbuf;
struct rte_mempool;
struct rte_ring;

enum {
	WORKER_BURST = 32,
	WORKER_STEER_SLOTS = 2048,        // frames on their way to another worker: 2 ms at 1 Mpps
	WORKER_SCRATCH_BYTES = 256 << 10, // multi-segment frames of a burst, made contiguous
};

// What the shell keeps with every frame, in the private area of its mbuf.
struct frame_meta {
	uint64_t ts_ns; // Unix time
	uint32_t wire_len;
	uint16_t port; // index in dp->ports
	uint16_t pad;
};

enum worker_state {
	WORKER_RUNNING,
	WORKER_RX_DONE, // takes no more frames from its ports, and has handed over all it took
	WORKER_FLUSHED, // inspects nothing any more; all its hits and events are in the rings
};

enum worker_stop {
	WORKER_GO,
	WORKER_STOP,     // stop receiving, flush, leave
	WORKER_STOP_NOW, // flush without waiting for the rings to be drained
};

// Ticks of the CPU's clock to nanoseconds; the same for all, fixed before the workers start.
struct clock {
	uint64_t base_tsc;
	uint64_t mult; // ns per tick * 2^32
};

struct worker_snapshot {
	uint64_t ts_ns;
	uint64_t busy_ns, idle_ns;
	uint64_t objects;
	uint64_t generation;
	struct counters counters;
};
enum { WORKER_SNAPSHOT_WORDS = sizeof(struct worker_snapshot) / sizeof(uint64_t) };

struct dataplane {
	const struct config *conf;
	struct clock clock;
	struct port *ports;
	struct worker **workers;
	struct rte_mempool *pool;
	uint32_t n_ports, n_workers;
	uint64_t hash_key[2];
	struct spread spread;
	struct xbits *xbits; // all workers / all workers / relaxed: see engine/xbits.h
	uint64_t start_ns;   // Unix time when the clock was 0
	bool capture_time;   // ports are capture files: time is theirs
	bool may_sleep;
	bool overloaded;         // main: it has said so
	struct sandbox *sandbox; // what every thread gives up when it starts; NULL: nothing

	_Alignas(64) _Atomic(struct ruleset *) live;
	_Atomic int64_t unix_offset_ns; // Unix time minus clock
	_Atomic bool peer;
};

struct worker {
	// Fixed before the thread starts.
	_Alignas(64) struct dataplane *dp;
	struct pipeline *pipe;
	uint32_t index;
	unsigned int lcore;
	struct port *rx[IPC_PORTS_MAX];   // ports it polls
	uint16_t rx_queue[IPC_PORTS_MAX]; // and which of their queues
	uint32_t n_rx;
	struct rte_ring *inbox[IPC_WORKERS_MAX]; // from the workers that poll ports
	uint32_t n_inbox;
	struct rte_ring **outbox; // to worker i; NULL to itself or if it polls no port
	uint8_t *scratch;         // WORKER_SCRATCH_BYTES
	void *memory;             // of the pipeline
	size_t memory_bytes;
	bool memory_mapped; // by mmap, else of DPDK

	// Its own while it runs.
	struct ruleset *rs;        // live, as of the last poll
	struct counters *counters; // the pipeline's, for the shell's rows
	uint64_t now_ns;           // for timeouts: monotonic, near Unix time
	uint64_t last_tsc, busy_tsc, idle_tsc, publish_tsc;
	uint32_t empty_polls;
	bool rules_ready; // wait_rules: every worker has a rule set
	bool leave;
	struct overload overload;
	uint64_t lost_seen;         // by its ports, when it last looked
	uint64_t taken, taken_full; // frames since then; of these, in full bursts
	uint32_t scratch_used;
	uint32_t scratch_stale; // bytes that something was written to since they were wiped

	// Shared, see the table.
	_Alignas(64) _Atomic(struct ruleset *) seen;
	_Atomic uint32_t release_done;
	_Atomic uint32_t state; // enum worker_state
	_Atomic uint64_t published;
	_Alignas(64) _Atomic uint32_t release_asked;
	_Atomic uint32_t stop; // enum worker_stop
	_Alignas(64) _Atomic uint64_t snapshot[2][WORKER_SNAPSHOT_WORDS];
};

static inline uint64_t clock_ns(const struct clock *c, uint64_t tsc)
{
	return (uint64_t)(((unsigned __int128)(tsc - c->base_tsc) * c->mult) >> 32);
}

// Main lcore, before the workers run: rings between workers, pipelines, memory. huge: memory from DPDK's huge pages.
// 0 or negative errno with ret_diag. workers_done() frees what is there, also after a failure.
int workers_init(struct dataplane *dp, bool huge, struct diag *ret_diag);
void workers_done(struct dataplane *dp);

// After the ports have started: may flows come by their queues, or do the workers distribute?
void workers_spread(struct dataplane *dp);
// Main lcore, once a second. True: too many flows came apart, the workers distribute from now on.
bool workers_came_apart(struct dataplane *dp);

// Fill zeros of conf for this machine: full sizes with huge pages, small ones without.
void worker_pipeline_conf(struct pipeline_conf *conf, bool huge);

// Start every worker on its lcore; workers_stop() asks them to leave, workers_join() waits for them.
int workers_start(struct dataplane *dp);
void workers_stop(struct dataplane *dp, enum worker_stop how);
void workers_join(struct dataplane *dp);

// Have all workers reached state?
bool workers_reached(const struct dataplane *dp, enum worker_state state);

// A consistent copy of what the worker last published; false if it has not published yet.
bool worker_snapshot(const struct worker *w, struct worker_snapshot *ret_snapshot);

// Main lcore, once a second: follow the system's clock.
void worker_clock_follow(struct dataplane *dp);

#endif

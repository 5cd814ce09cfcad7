// SPDX-License-Identifier: BSD-2-Clause
// The whole path of a packet, from frame to hit. One pipeline per worker; nothing is shared between pipelines
// but the rule set, which is read-only to them (its per-worker parts are indexed by conf.worker).
//
// Reading pipeline_flow.c from top to bottom is reading a packet's life. No system call, lock or allocation in
// pipeline_burst() and pipeline_idle(); memory comes from the caller at init.
#ifndef ENGINE_PIPELINE_H
#define ENGINE_PIPELINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/counters.h"
#include "common/hit.h"
#include "dataplane/engine/ring.h"
#include "dataplane/engine/scope.h"

struct pkt;
struct ruleset;
struct tap;
struct xbits;
struct pipeline;

enum {
	PIPELINE_BURST_MAX = 64,
	PIPELINE_TAIL_BYTES =
		64, // readable bytes libhs needs behind every buffer, see DESIGN section 4
};

// Checksum verdict of the NIC for a frame.
enum frame_csum {
	FRAME_CSUM_UNKNOWN, // verify in software if conf.verify_checksums
	FRAME_CSUM_GOOD,
	FRAME_CSUM_BAD,
};

// One Ethernet frame, contiguous, borrowed for the duration of pipeline_burst(), never written to.
// tail_bytes: how many bytes behind data+len are readable; with fewer than PIPELINE_TAIL_BYTES the frame is
// copied to a padded buffer before it is scanned.
struct frame {
	const uint8_t *data;
	uint32_t len;      // bytes captured
	uint32_t wire_len; // bytes on the wire, >= len
	uint32_t tail_bytes;
	uint8_t csum; // enum frame_csum
	uint8_t pad[3];
	uint64_t ts_ns; // Unix time of arrival
};

// Takes TCP segments that this pipeline has put together from fragments and that belong to a flow of another worker.
struct pipeline_handover {
	// The payload is good during the call. NULL: there is no other worker.
	void (*put)(void *ctx, uint32_t worker, const struct pkt *pkt, uint64_t ts_ns);
	// Whose flow it is, by its pipeline_frame_hash().
	uint32_t (*owner)(void *ctx, uint32_t frame_hash);
	void *ctx;
};

struct pipeline_conf {
	uint32_t worker;    // number of this worker, < workers given to ruleset_load()
	uint32_t flows;     // most flows at a time; 0: 262144. Rounded up to a power of two.
	uint32_t segments;  // 2 KiB cells for out-of-order bytes; 0: 16384 (32 MiB)
	uint32_t conns;     // HTTP connections; 0: flows / 4
	uint32_t messages;  // HTTP messages in flight; 0: flows / 8
	uint32_t heads;     // 64 KiB gather buffers for heads that span segments; 0: 1024
	uint32_t inflaters; // bodies being decompressed at once (216 KiB each); 0: 512
	uint32_t windows;   // 128 KiB confirm windows; 0: 1024
	uint32_t fragments; // IP datagrams being put together (2.6 KiB each); 0: 4096
	uint32_t hits;      // ring slots, power of two; 0: 65536
	uint32_t events;    // ring slots, power of two; 0: 4096
	// bit per enum event_type to emit; EVENT_HTTP of a transaction with a hit is always emitted
	uint32_t event_mask;
	uint32_t tunnels_off;     // bit per enum tunnel (tunnel.h) that is not looked into
	uint32_t hops_to_servers; // a packet to a server with no more TTL than that does not arrive
	bool verify_checksums; // drop from inspection (never from the wire) what the host would drop
	bool enforce;          // drop and reject rules stop their flows, see pipeline_verdict()
	bool hash_bodies;      // SHA-256 of bodies in fileinfo events
	uint64_t hash_key[2];  // secret per boot, from getrandom(2)
	const struct scope *scope; // which flows may be read; NULL: every one
	uint64_t elephant_bytes;   // see pipeline_elephants(); 0: nobody asks
	struct pipeline_handover handover;
	struct tap
		*tap; // gets a copy of every buffer that rules look at; NULL: none, as on the wire
	struct xbits *xbits; // shared with the other pipelines, see engine/xbits.h; NULL: its own
};

// Fill zeros in conf with defaults; returns the bytes pipeline_init() needs.
size_t pipeline_memory(struct pipeline_conf *conf);

// mem: zeroed, 64-byte aligned, pipeline_memory() bytes, owned by the caller until pipeline_done(); hugepages pay.
// 0 or -EINVAL, -ENOMEM (libraries' own contexts, made here and nowhere else).
int pipeline_init(void *mem, size_t bytes, const struct pipeline_conf *conf,
		  struct pipeline **ret_pipeline);
void pipeline_done(struct pipeline *p);

// Rule set for messages that start from now on; messages in progress finish on theirs. NULL: inspect nothing.
// Called by the worker between bursts.
void pipeline_set_ruleset(struct pipeline *p, struct ruleset *rs);

// From now on bodies of flows of so many bytes and more are passed over: HTTP/1 and HTTP/2, but for the first piece of each; 0: none
// are. A body that was passed over stays so to its end. Called by the worker between bursts.
void pipeline_skip_bodies(struct pipeline *p, uint64_t from_bytes);

// How far packets are taken, for who measures what each stage costs.
enum pipeline_stage {
	PIPELINE_DECODE,
	PIPELINE_TCP,     // flows, streams put in order, what they are
	PIPELINE_HTTP,    // messages and chunks
	PIPELINE_INFLATE, // bodies as sent: what a rule may look at is decoded, and cut into files
	PIPELINE_SCAN,    // buffers through the prefilters
	PIPELINE_VERIFY,  // what they woke, hits: everything, as on the wire
	PIPELINE_STAGES,
};

// Leave out what comes behind this stage. Only while nothing is in progress.
void pipeline_set_last_stage(struct pipeline *p, enum pipeline_stage last);

// Another tap, or none. Only while nothing is in progress.
void pipeline_set_tap(struct pipeline *p, struct tap *tap);

// Inspect n <= PIPELINE_BURST_MAX frames. now_ns: monotonic or capture time, never going back by much; drives timeouts.
void pipeline_burst(struct pipeline *p, const struct frame *frames, unsigned int n,
		    uint64_t now_ns);

// Between bursts: expire up to budget flows. Returns how many it closed.
unsigned int pipeline_idle(struct pipeline *p, uint64_t now_ns, unsigned int budget);

// End of input: close up to budget flows, oldest first. Call until it returns 0, draining the rings between.
unsigned int pipeline_flush(struct pipeline *p, uint64_t now_ns, unsigned int budget);

// Worker-owned counters; another thread reads a copy the worker publishes.
const struct counters *pipeline_counters(const struct pipeline *p);
struct counters *pipeline_counters_mut(struct pipeline *p); // for the shell's own rows (rx, tx)

// Bodies bound to a rule set other than the current one: drop their binding now (grace time over). Counted.
void pipeline_release_old(struct pipeline *p);

// Objects of all pools in use, flows included: 0 after everything is closed. For tests and identities.
uint64_t pipeline_objects_in_use(const struct pipeline *p);

// Memory that is in use now, in bytes: of flows and their connections, whether anything is in progress on them or not, and of
// messages in progress: their state, decoders, windows, held bytes and Hyperscan streams. Walks all databases.
struct pipeline_usage {
	uint64_t flows, flow_bytes;
	uint64_t messages, message_bytes;
};
void pipeline_usage(const struct pipeline *p, struct pipeline_usage *ret_usage);

struct ring *pipeline_hits(struct pipeline *p);   // slots: struct hit
struct ring *pipeline_events(struct pipeline *p); // slots: struct event

// Released flows, each time that conf.elephant_bytes more of their payload have come: who can do so may keep their packets away.
// A flow that finds no room comes the next time.
enum {
	PIPELINE_ELEPHANTS = 64,
};
struct ring *pipeline_elephants(struct pipeline *p); // slots: struct flow_key

// Between bursts, when there is nothing else to do: wipe one buffer that is in use no more. False: there is none; what was on
// the wire is only where it still is needed.
bool pipeline_forget(struct pipeline *p);

// What of the last burst must not be forwarded: a bit per frame. Always none without conf.enforce.
struct pipeline_verdict {
	uint64_t blocked;
	uint64_t rejected; // of these: both hosts are to be told
};
struct pipeline_verdict pipeline_verdict(const struct pipeline *p);

// A segment that another worker's pipeline has handed over. The readable bytes behind its payload do not matter.
void pipeline_segment(struct pipeline *p, struct pkt *pkt, uint64_t ts_ns, uint64_t now_ns);

// Symmetric hash of a frame's flow (addresses, ports, VLAN), keyed: for software distribution over workers.
// Frames that are not TCP over IP hash by addresses, or to 0. *ret_fragment: it is a piece of an IP datagram, and has no ports;
// the worker that receives it keeps it, and hands over what it becomes.
uint32_t pipeline_frame_hash(const struct frame *f, const uint64_t key[2], bool *ret_fragment);

// Whose flow it is.
static inline uint32_t pipeline_owner(uint32_t frame_hash, uint32_t workers)
{
	return (uint32_t)((uint64_t)frame_hash * workers >> 32);
}

#endif

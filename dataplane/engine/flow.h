// SPDX-License-Identifier: BSD-2-Clause
// The flow table of one worker: canonical key -> record, bounded, no allocation.
//
//   hash -> bucket (one cache line: 8 tags, 8 indices) -> record
//
// The hash is keyed with a secret per boot; a full bucket evicts its oldest flow, so no chain can grow.
#ifndef ENGINE_FLOW_H
#define ENGINE_FLOW_H

#include "common/hit.h"
#include "dataplane/engine/pkt.h"
#include "dataplane/engine/pool.h"
#include "dataplane/engine/socks.h"

struct http_conn;

enum tcp_half_flag {
	TCP_HALF_SYNCED = 1 << 0,     // next_seq is known
	TCP_HALF_WSCALE = 1 << 1,     // window scaling was offered by this side
	TCP_HALF_FIN_SEEN = 1 << 2,   // fin_seq is set
	TCP_HALF_FIN_DONE = 1 << 3,   // everything up to the FIN was delivered
	TCP_HALF_GAP = 1 << 4,        // bytes were skipped
	TCP_HALF_ACK_SEEN = 1 << 5,   // last_ack and window_edge are set
	TCP_HALF_SYN = 1 << 6,        // this side's SYN was seen
	TCP_HALF_SENT = 1 << 7,       // sent_seq is set
	TCP_HALF_TS = 1 << 8,         // timestamps: offered by this side; both have it: in use
	TCP_HALF_SACK = 1 << 9,       // the same for selective acknowledgements
	TCP_HALF_OTHER_ISN = 1 << 10, // fin_seq is another SYN's sequence number + 1
	TCP_HALF_ODD = 1 << 11, // something was sent twice or out of order: remember what is read
	TCP_HALF_UNSURE = 1 << 12,   // behind a hole that the receiver has not acknowledged
	TCP_HALF_TRUST = 1 << 13,    // the other side is not seen whole: acks are no proof
	TCP_HALF_URG = 1 << 14,      // urg_seq is to come
	TCP_HALF_URG_HELD = 1 << 15, // the urgent byte was taken out, nothing was read behind it
};

// One direction: what its sender sent, as its receiver would take it.
struct tcp_half {
	uint64_t delivered;   // stream offset: bytes handed out, gaps included
	uint32_t next_seq;    // next byte expected from this side
	uint32_t fin_seq;     // sequence number of the FIN
	uint32_t last_ack;    // highest ack this side sent
	uint32_t window_edge; // last_ack + scaled window: the other side may send up to here
	uint32_t sent_seq;    // highest end of what this side sent
	uint32_t ts_recent;   // this side's timestamp, as its receiver remembers it
	uint32_t urg_seq;     // of the urgent byte; with TCP_HALF_URG_HELD: that byte
	uint32_t ooo_head;    // first queued segment (pool index) or POOL_NONE
	uint32_t prefix;      // cell with the first bytes of an undecided flow, or POOL_NONE
	uint32_t history;     // what was read last (struct tcp_history), or POOL_NONE
	uint16_t ooo_count;   // cells in the queue
	uint16_t flags;       // enum tcp_half_flag
	uint16_t window_max;  // largest window this side advertised, not scaled
	uint8_t wscale;
	uint8_t doubts; // queued segments that the host may not have taken
};
_Static_assert(sizeof(struct tcp_half) == 56, "");

enum {
	TCP_MARKS = 8,
};

// The segments of a server that were read last: enough to tell another copy of one from the same one, and not what differs.
struct tcp_marks {
	uint32_t seq[TCP_MARKS];
	uint32_t hash[TCP_MARKS];
	uint16_t len[TCP_MARKS]; // 0: none
	uint8_t next;
};

enum {
	FLOW_ANOMALIES = 8, // that are told of one flow; more are only counted
};

enum flow_state {
	FLOW_NEW,         // a SYN, or nothing but a first packet
	FLOW_ESTABLISHED, // handshake complete, or data seen
	FLOW_CLOSING,     // a FIN in each direction, or a valid RST
	FLOW_STATE_N
};

enum flow_flag {
	FLOW_CLIENT_HI = 1 << 0, // the client is the key's hi endpoint
	FLOW_MIDSTREAM = 1 << 1,
	FLOW_HAS_HIT = 1 << 2,
	FLOW_SEEN_0 = 1 << 3, // payload or handshake seen from the client
	FLOW_SEEN_1 = 1 << 4, // from the server
	FLOW_RST = 1 << 5,
	FLOW_SYN = 1 << 6,
	FLOW_SYNACK = 1 << 7,
	FLOW_LIVE = 1 << 8,      // the record is in the table
	FLOW_PASSED = 1 << 9,    // a pass rule matched: nothing more is reported
	FLOW_RESET_0 = 1 << 11,  // the client has reset the connection and not spoken since
	FLOW_RESET_1 = 1 << 12,  // the server has
	FLOW_BLOCKED = 1 << 13,  // a drop or reject rule matched: nothing more of it is forwarded
	FLOW_REJECTED = 1 << 14, // and its hosts are told
	FLOW_SOCKS = 1 << 10,    // in one direction at least the hand-shake is not over
};

// Why a released flow was released, if not for what it is.
enum flow_unread {
	FLOW_UNREAD_NOT,
	FLOW_UNREAD_SCOPE, // out of the declared scope (scope.h)
	FLOW_UNREAD_ROOM,  // a pool was empty
};

struct flow {
	struct flow_key key;
	uint64_t last_seen_ns; // pipeline time
	// From the worker's pool, NULL unless app == APP_HTTP or APP_FAILED, or APP_UNKNOWN again, in a tunnel.
	struct http_conn *http;
	uint32_t hash;
	uint8_t state; // enum flow_state
	uint8_t app;   // enum app_proto
	uint16_t flags;
	struct tcp_half half[DIR_N]; // indexed by enum dir
	uint64_t id;
	uint64_t start_ts_ns; // Unix time
	uint64_t end_ts_ns;
	uint64_t bytes[DIR_N];
	uint64_t inspected_bytes;
	uint64_t released_bytes;
	uint32_t pkts[DIR_N];
	uint32_t probes;                    // not HTTP so far: segments, or with a handshake bytes
	uint8_t ttl[DIR_N];                 // highest TTL or hop limit seen
	uint8_t unread;                     // enum flow_unread
	struct tcp_marks marks;             // of half[DIR_TO_CLIENT], while it has no history
	struct socks_half socks[DIR_N];     // hand-shake in front of what the flow is
	uint16_t anomalies[FLOW_ANOMALIES]; // told already: enum counter + 1, 0: free
};

enum {
	FLOW_BUCKET_WAYS = 8,
};

struct flow_bucket {
	uint16_t tag[FLOW_BUCKET_WAYS];
	uint32_t flow[FLOW_BUCKET_WAYS]; // pool index or POOL_NONE
	uint8_t pad[16];
};
_Static_assert(sizeof(struct flow_bucket) == 64, "one cache line");

struct flow_table {
	struct flow_bucket *buckets;
	uint32_t bucket_mask;
	uint32_t sweep; // next record the expiry looks at
	uint64_t hash_key;
	struct pool pool;
};

// Seconds of silence after which a flow in a state is closed (research/reliability: SYN 10 s instead of Linux's
// 63 s keeps a flood small, established 120 s, closed 10 s so that late segments still find their flow).
extern const uint32_t flow_timeout_s[FLOW_STATE_N];

// Bytes of buckets for so many flows, a power of two.
size_t flow_buckets_bytes(uint32_t flows);

// buckets and records: memory of the caller, 64-byte aligned.
void flow_table_init(struct flow_table *t, void *buckets, void *records, uint32_t flows,
		     uint64_t hash_key);

uint32_t flow_hash(const struct flow_table *t, const struct flow_key *key);

// Ask for the bucket's cache line; second stage: for the record's.
void flow_prefetch_bucket(const struct flow_table *t, uint32_t hash);
void flow_prefetch_record(const struct flow_table *t, uint32_t hash);

// The flow, or NULL.
struct flow *flow_find(struct flow_table *t, const struct flow_key *key, uint32_t hash);

// A zeroed record for a key that is not in the table, or NULL with *ret_victim: close that one and try again.
struct flow *flow_add(struct flow_table *t, const struct flow_key *key, uint32_t hash,
		      struct flow **ret_victim);

// Take a flow out. The caller has released what it holds.
void flow_del(struct flow_table *t, struct flow *f);

// Next flow that has been silent for too long, looking at no more than budget records; NULL: none among them.
// all: any flow (end of input).
struct flow *flow_expired(struct flow_table *t, uint64_t now_ns, bool all, unsigned int *io_budget);

bool flow_is_expired(const struct flow *f, uint64_t now_ns);

static inline enum dir flow_dir(const struct flow *f, bool from_lo)
{
	bool client_lo = (f->flags & FLOW_CLIENT_HI) == 0;

	return from_lo == client_lo ? DIR_TO_SERVER : DIR_TO_CLIENT;
}

// Guess who is the client of a new flow from its first packet; sets FLOW_MIDSTREAM if that is not a SYN.
void flow_orient(struct flow *f, const struct pkt *pkt);

// The first bytes show that client and server are the other way round than guessed: swap the two directions.
void flow_flip(struct flow *f);

// Addresses of a message in direction dir.
void flow_addr(const struct flow *f, enum dir dir, struct hit_addr *ret_addr);

#endif

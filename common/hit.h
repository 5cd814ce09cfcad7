// SPDX-License-Identifier: BSD-2-Clause
// What leaves a worker: hits and events. Fixed size, no pointers: ring slot, ipc payload and store row.
//
// A hit has no field for payload. An event carries what an access log would (method, host, url, file name)
// and nothing of a body. Texts are cut at their field's size, with a flag, and are raw bytes from the wire:
// whoever prints them must escape them.
#ifndef COMMON_HIT_H
#define COMMON_HIT_H

#include <assert.h>
#include <stdint.h>

#include "common/buffer.h"

enum hit_flag {
	HIT_GAP = 1 << 0,          // bytes were missing on the wire before the match
	HIT_MIDSTREAM = 1 << 1,    // the flow was picked up without its handshake
	HIT_WINDOW_SHORT = 1 << 2, // the confirm window did not reach back as far as the rule asks
	HIT_TRUNCATED =
		1 << 3,      // a limit ended decoding of this body; what was decoded was inspected
	HIT_ONEWAY = 1 << 4, // only one direction of the flow was seen so far
	HIT_AMBIGUOUS = 1 << 5, // in one of several readings of the bytes: a host may read another
	HIT_BLOCKED = 1 << 6,   // the rest of its flow is not forwarded
};

// Addresses: IPv4 as ::ffff:a.b.c.d; ports in host byte order; vlan tags outer first, 0 if none.
struct hit_addr {
	uint8_t src[16]; // sender of the matched message
	uint8_t dst[16];
	uint16_t src_port;
	uint16_t dst_port;
	uint16_t vlan[2];
	uint8_t family; // 4 or 6
	uint8_t proto;  // IP protocol number
	uint8_t dir;    // enum dir of the message; 0 for flow events: src is the client
	uint8_t worker;
	uint32_t pad;
};

struct hit {
	uint64_t seq;          // 1, 2, 3... per (boot, worker): a missing number is a lost hit
	uint64_t ts_ns;        // Unix time of the packet that completed the match
	uint64_t flow_id;      // 63 bits, unique per boot
	uint64_t offset_bytes; // end of the match in a body or in the raw bytes, 0 elsewhere
	struct hit_addr addr;
	uint32_t tx_id;      // transaction in the flow, from 0
	uint32_t generation; // of the rule set, as given by control
	uint32_t rule;       // index in the rule set's image
	uint32_t sid;
	uint32_t gid;
	uint32_t rev;
	uint16_t flags; // enum hit_flag
	uint8_t buffer; // enum buffer of the last condition that held
	uint8_t priority;
	uint8_t app; // enum app_proto
	uint8_t pad[3];
};
static_assert(sizeof(struct hit) == 112, "struct hit is a wire format");

enum app_proto {
	APP_UNKNOWN,
	APP_HTTP,
	APP_TLS,
	APP_SSH,
	APP_OPAQUE, // neither: released after the first bytes
	APP_FAILED, // HTTP that stopped being HTTP: the rest is scanned raw
	APP_N
};

enum event_type {
	EVENT_HTTP,     // one per transaction, at its end
	EVENT_FILEINFO, // one per body, at its end
	EVENT_FLOW,     // one per flow, at its end
	EVENT_ANOMALY,  // something a sensor may read differently than a host
	EVENT_N
};

enum event_flag {
	EVENT_CUT = 1 << 0,        // a text did not fit
	EVENT_HAS_HIT = 1 << 1,    // a rule hit in this transaction or flow
	EVENT_GAP = 1 << 2,        // bytes were missing
	EVENT_TRUNCATED = 1 << 3,  // message or file ended early, or a limit ended decoding
	EVENT_HAS_HASH = 1 << 4,   // fileinfo.sha256 is set
	EVENT_NO_REQUEST = 1 << 5, // http: response without a request seen
	EVENT_NO_RESPONSE = 1 << 6,
	EVENT_PARTIAL = 1 << 7, // fileinfo: a piece of a resource
	EVENT_NOT_INSPECTED =
		1 << 8, // the rest of a body was passed over: the worker was overloaded
};

enum flow_reason {
	FLOW_REASON_TIMEOUT,
	FLOW_REASON_CLOSED,
	FLOW_REASON_EVICTED,
	FLOW_REASON_SHUTDOWN,
};

struct event_http {
	uint64_t request_body_bytes; // after dechunking, before decoding
	uint64_t response_body_bytes;
	uint16_t status; // 0: no response seen
	uint8_t method_len, host_len, user_agent_len, content_type_len,
		version; // version: 9, 10, 11, 20
	uint8_t pad0;
	uint16_t url_len, referer_len;
	uint32_t pad1;
	char method[16];
	char host[128];
	char url[384]; // as sent
	char user_agent[128];
	char referer[128];
	char content_type[64];
};

struct event_fileinfo {
	uint64_t size_bytes; // after decoding
	uint8_t sha256[32];  // with EVENT_HAS_HASH
	uint16_t filename_len;
	uint16_t pad[3];
	char filename[256];
};

struct event_flow {
	uint64_t start_ns, end_ns; // Unix time
	uint64_t pkts[2];          // indexed by enum dir
	uint64_t bytes[2];         // frame bytes
	uint64_t payload_bytes_inspected;
	uint64_t payload_bytes_released; // seen pass by, never read
	uint8_t state;                   // 0 new, 1 established, 2 closed, 3 bypassed (released)
	uint8_t reason;                  // enum flow_reason
	uint8_t pad[6];
};

struct event_anomaly {
	uint32_t counter; // the counter that was bumped: its name and sentence describe the anomaly
	uint32_t pad;
};

struct event {
	uint64_t ts_ns;
	uint64_t flow_id;
	struct hit_addr addr;
	uint32_t tx_id;
	uint16_t flags; // enum event_flag
	uint8_t type;   // enum event_type
	uint8_t app;    // enum app_proto
	union {
		struct event_http http;
		struct event_fileinfo fileinfo;
		struct event_flow flow;
		struct event_anomaly anomaly;
	};
};
static_assert(sizeof(struct event) % 8 == 0 && sizeof(struct event) <= 1024, "");

#endif

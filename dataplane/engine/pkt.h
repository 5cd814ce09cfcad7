// SPDX-License-Identifier: BSD-2-Clause
// One frame to one TCP segment: Ethernet, up to two VLAN tags, IPv4, IPv6 with extension headers, TCP.
//
// Reads nothing behind frame.len, allocates nothing, keeps nothing. What a Linux host would not accept is refused
// with the counter that names the reason (RFC 791, 8200, 9293; research: the kernel's verdicts on 117 scripts).
#ifndef ENGINE_PKT_H
#define ENGINE_PKT_H

#include "common/counters.h"
#include "common/span.h"
#include "dataplane/engine/pipeline.h"

enum tcp_flag {
	TCP_FIN = 0x01,
	TCP_SYN = 0x02,
	TCP_RST = 0x04,
	TCP_PSH = 0x08,
	TCP_ACK = 0x10,
	TCP_URG = 0x20,
};

// Canonical: (address, port) of lo sorts before hi. IPv4 is mapped into ::ffff:0:0/96; net tells the families apart.
struct flow_key {
	uint8_t lo[16], hi[16];
	uint16_t lo_port, hi_port; // host order
	uint32_t net;              // bits 0-11 inner VLAN, 12-23 outer VLAN, bit 31 set for IPv6
};
_Static_assert(sizeof(struct flow_key) == 40, "hashed as a whole, no padding");

enum {
	FLOW_NET_IPV6 = 1u << 31,
};

enum pkt_option {
	PKT_HAS_TS = 1 << 0,
	PKT_HAS_WSCALE = 1 << 1,
	PKT_HAS_MD5 = 1 << 2, // RFC 2385: no public server accepts it unasked
};

struct pkt {
	struct flow_key key;
	struct span payload;
	uint32_t seq, ack;
	uint32_t tsval;
	uint32_t frame_len;
	uint16_t window; // as sent, not scaled
	uint8_t flags;   // enum tcp_flag
	uint8_t wscale;
	uint8_t options; // enum pkt_option
	bool from_lo;    // the sender is the key's lo endpoint
	bool is_ipv6;
	bool has_vlan;
};

// CNT_PKT_TCP and *ret_pkt filled (payload points into the frame), or the counter of the refusal.
enum counter pkt_parse(const struct frame *f, bool verify_checksums, struct pkt *ret_pkt);

#endif

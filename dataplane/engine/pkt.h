// SPDX-License-Identifier: BSD-2-Clause
// One frame to one TCP segment: Ethernet, up to four VLAN tags, the tunnels of tunnel.h, IPv4, IPv6 with extension
// headers, TCP.
//
// Reads nothing behind frame.len, allocates nothing, keeps nothing. What a Linux host would not accept is refused
// with the counter that names the reason (RFC 791, 8200, 9293; the kernel's verdicts on 117 scripts).
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
	uint32_t tunnel;           // 0: in none; else what tells this tunnel from others (tunnel.h)
};
_Static_assert(sizeof(struct flow_key) == 44, "hashed as a whole, no padding");

enum {
	FLOW_NET_IPV6 = 1u << 31,
};

enum pkt_option {
	PKT_HAS_TS = 1 << 0,
	PKT_HAS_WSCALE = 1 << 1,
	PKT_HAS_MD5 = 1 << 2,  // RFC 2385: no public server accepts it unasked
	PKT_HAS_SACK = 1 << 3, // selective acknowledgements permitted
};

struct pkt {
	struct flow_key key;
	struct span payload;
	struct span
		unverified; // header and payload, if its checksum is still to be looked at; else data is NULL
	uint32_t seq, ack;
	uint32_t tsval;
	uint32_t frame_len;
	uint16_t window; // as sent, not scaled
	uint16_t urg_ptr;
	uint8_t flags; // enum tcp_flag
	uint8_t wscale;
	uint8_t options; // enum pkt_option
	bool from_lo;    // the sender is the key's lo endpoint
	bool is_ipv6;
	bool has_vlan;
	bool has_conflict; // put together from fragments of which two said different things
	uint8_t ttl;       // or hop limit
};

struct pkt_conf {
	struct counters *counters; // of the tunnels; NULL: not counted
	uint64_t key;              // secret: folds what does not fit into flow_key.tunnel
	uint32_t tunnels_off;      // bit per enum tunnel that is not looked into
	bool verify_checksums;
};

// One fragment of an IP datagram, as pkt_parse() found it. The first fields tell the datagram from others.
struct pkt_fragment {
	uint8_t src[16], dst[16]; // IPv4 mapped
	uint32_t id;
	uint32_t net, tunnel; // as in flow_key
	uint8_t proto;        // IPv4 only: IPv6 keeps no protocol in the key, as Linux does
	uint8_t pad[3];
	// What this fragment is.
	struct span data;
	uint32_t offset;   // of data in the datagram
	uint32_t head_len; // bytes that count to the 65,535 of the datagram besides its data
	uint8_t next;      // what the datagram begins with, if this is its first fragment
	uint8_t depth, ttl;
	bool more;
};

enum {
	PKT_FRAGMENT_KEY_BYTES = 48,
};

// What pipeline_frame_hash() says of a frame of this flow that is no fragment. key: as there.
uint32_t pkt_frame_hash(const struct flow_key *flow, const uint64_t key[2]);

// CNT_PKT_TCP and *ret_pkt filled (payload points into the frame; the checksum of TCP is not verified yet), CNT_PKT_FRAGMENT and *ret_fragment filled, or the
// counter of the refusal.
enum counter pkt_parse(const struct pkt_conf *c, const struct frame *f, struct pkt *ret_pkt,
		       struct pkt_fragment *ret_fragment);

// Is the checksum of a segment right, whose pkt->unverified is set? It reads all of its payload, so that this is not done for
// segments that nobody reads.
bool pkt_csum_is_good(const struct pkt *pkt);

// Both at once, for who reads every segment.
static inline enum counter pkt_parse_verified(const struct pkt_conf *c, const struct frame *f,
					      struct pkt *ret_pkt,
					      struct pkt_fragment *ret_fragment)
{
	enum counter verdict = pkt_parse(c, f, ret_pkt, ret_fragment);

	if (verdict == CNT_PKT_TCP && ret_pkt->unverified.data != NULL &&
	    !pkt_csum_is_good(ret_pkt))
		return CNT_PKT_BAD_CSUM;
	return verdict;
}

// Go on with a datagram that was put together: data is all of it, first its first fragment. As pkt_parse(); a
// datagram in a tunnel may itself be a fragment. frame: the one that completed it.
enum counter pkt_parse_datagram(const struct pkt_conf *c, const struct frame *f,
				const struct pkt_fragment *first, struct span data,
				struct pkt *ret_pkt, struct pkt_fragment *ret_fragment);

#endif

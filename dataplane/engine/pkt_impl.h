// SPDX-License-Identifier: BSD-2-Clause
// The walk from a frame's first byte to its TCP header, shared by pkt.c (Ethernet, TCP), pkt_ip.c and tunnel.c.
//
// Each step takes one header off the front of the span and says what is next. A step returns CNT_PKT_TCP for "go on"
// and else the counter of the refusal. Every step takes at least one byte or goes one tunnel deeper, so the frame's
// length bounds the walk.
#ifndef ENGINE_PKT_IMPL_H
#define ENGINE_PKT_IMPL_H

#include <emmintrin.h>
#include <string.h>

#include "dataplane/engine/pkt.h"
#include "dataplane/engine/tunnel.h"

enum {
	ETH_BYTES = 14,
	VLAN_TAGS_MAX = 4,
	ETHERTYPE_IPV4 = 0x0800,
	ETHERTYPE_IPV6 = 0x86dd,
	ETHERTYPE_VLAN = 0x8100,
	ETHERTYPE_QINQ = 0x88a8,
	ETHERTYPE_QINQ_OLD = 0x9100,
	ETHERTYPE_TEB = 0x6558, // Ethernet in GRE and Geneve
	PROTO_TCP = 6,
	FLOW_NET_VLANS = 0xffffff,
};

enum pkt_next {
	NEXT_ETHERNET,
	NEXT_IPV4,
	NEXT_IPV6,
	NEXT_PROTO, // what walk.proto says
	NEXT_TCP,
	NEXT_PPPOE,
	NEXT_PPP,
	NEXT_MPLS,
	NEXT_PBB,
};

struct pkt_walk {
	const struct pkt_conf *conf;
	struct span s;            // from the next header on
	const uint8_t *src, *dst; // of the last IP header; NULL before the first
	struct pkt_fragment *fragment;
	uint32_t net, tunnel;
	uint8_t next;       // enum pkt_next
	uint8_t proto;      // of NEXT_PROTO
	uint8_t addr_len;   // 4 or 16
	uint8_t ttl;        // of the last IP header
	uint8_t depth;      // tunnels around it
	bool csum_done;     // the NIC has verified the checksums of this packet
	bool is_fragmented; // a fragment header was met: Linux drops a second one
	bool verify;
};

static inline uint16_t be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

// RFC 1071 sum of len bytes onto sum, not folded.
static inline uint64_t csum_add(uint64_t sum, const uint8_t *p, size_t len)
{
	if (len >= 64) {
		const __m128i low = _mm_set1_epi64x(UINT32_MAX);
		__m128i one = _mm_setzero_si128(), two = _mm_setzero_si128();
		uint64_t lanes[2];

		for (; len >= 32; p += 32, len -= 32) {
			const __m128i a = _mm_loadu_si128((const __m128i *)(const void *)p);
			const __m128i b = _mm_loadu_si128((const __m128i *)(const void *)(p + 16));

			one = _mm_add_epi64(
				one, _mm_add_epi64(_mm_and_si128(a, low), _mm_srli_epi64(a, 32)));
			two = _mm_add_epi64(
				two, _mm_add_epi64(_mm_and_si128(b, low), _mm_srli_epi64(b, 32)));
		}
		_mm_storeu_si128((__m128i *)(void *)lanes, _mm_add_epi64(one, two));
		sum += lanes[0] + lanes[1];
	}
	for (; len >= 4; p += 4, len -= 4) {
		uint32_t v;

		memcpy(&v, p, 4);
		sum += v;
	}
	if (len > 0) {
		uint8_t last[4] = {0};

		memcpy(last, p, len);
		uint32_t v;

		memcpy(&v, last, 4);
		sum += v;
	}
	return sum;
}

static inline bool csum_is_good(uint64_t sum)
{
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum == 0xffff;
}

static inline void addr_map(uint8_t out[16], const uint8_t *addr, uint8_t len)
{
	if (len == 4) {
		memset(out, 0, 10);
		out[10] = out[11] = 0xff;
		memcpy(out + 12, addr, 4);
	} else {
		memcpy(out, addr, 16);
	}
}

// pkt_ip.c
bool ipv4_options_ok(const uint8_t *p,
		     size_t len); // Linux drops source routes and what it cannot parse
enum counter ipv4_fragment(struct pkt_walk *w, size_t ihl);
enum counter ipv6_chain(struct pkt_walk *w, bool is_first);

// tunnel.c
enum counter ethertype_step(struct pkt_walk *w,
			    uint16_t type);   // any but IPv4, and the type was taken off
enum counter proto_step(struct pkt_walk *w);  // NEXT_PROTO: any but TCP
enum counter tunnel_step(struct pkt_walk *w); // PPPOE, PPP, MPLS and PBB

// Is there something in a datagram of this protocol that is looked into?
bool tunnel_wants(const struct pkt_conf *c, uint8_t proto);

#endif

// SPDX-License-Identifier: BSD-2-Clause
// Every length is checked against what is left before a header is read; a cursor only moves forward.
#include "dataplane/engine/pkt.h"

#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

enum {
	ETH_BYTES = 14,
	ETHERTYPE_IPV4 = 0x0800,
	ETHERTYPE_IPV6 = 0x86dd,
	ETHERTYPE_VLAN = 0x8100,
	ETHERTYPE_QINQ = 0x88a8,
	ETHERTYPE_QINQ_OLD = 0x9100,
	PROTO_HOPOPTS = 0,
	PROTO_TCP = 6,
	PROTO_ROUTING = 43,
	PROTO_FRAGMENT = 44,
	PROTO_AUTH = 51,
	PROTO_NONE = 59,
	PROTO_DSTOPTS = 60,
	IPOPT_END = 0,
	IPOPT_NOP = 1,
	IPOPT_LSRR = 131,
	IPOPT_SSRR = 137,
};

static uint16_t be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

// RFC 1071 sum of len bytes onto sum, not folded.
static uint64_t csum_add(uint64_t sum, const uint8_t *p, size_t len)
{
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

static bool csum_is_good(uint64_t sum)
{
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum == 0xffff;
}

struct ip_info {
	const uint8_t *src, *dst; // 4 or 16 bytes
	uint8_t addr_len;
	struct span l4;
	bool csum_done; // the NIC has verified both checksums
};

// Linux drops source routes by default and options it cannot parse.
static bool ipv4_options_ok(const uint8_t *p, size_t len)
{
	while (len > 0) {
		if (p[0] == IPOPT_END)
			return true;
		if (p[0] == IPOPT_NOP) {
			p++;
			len--;
			continue;
		}
		if (len < 2 || p[1] < 2 || p[1] > len)
			return false;
		if (p[0] == IPOPT_LSRR || p[0] == IPOPT_SSRR)
			return false;
		// Record route and timestamp: the pointer must lie behind the fixed part.
		if (p[0] == 7 && (p[1] < 3 || p[2] < 4))
			return false;
		if (p[0] == 68 && (p[1] < 4 || p[2] < 5))
			return false;
		len -= p[1];
		p += p[1];
	}
	return true;
}

static enum counter ipv4_parse(struct span s, bool verify, struct ip_info *ip)
{
	size_t ihl, total;

	if (s.len < 20)
		return CNT_PKT_SHORT;
	ihl = (size_t)(s.data[0] & 15) * 4;
	total = be16(s.data + 2);
	if (s.data[0] >> 4 != 4 || ihl < 20 || total < ihl)
		return CNT_PKT_BAD_IPV4;
	if (total > s.len)
		return CNT_PKT_SHORT;
	if (verify && !ip->csum_done && !csum_is_good(csum_add(0, s.data, ihl)))
		return CNT_PKT_BAD_CSUM;
	if (ihl > 20 && !ipv4_options_ok(s.data + 20, ihl - 20))
		return CNT_PKT_BAD_IPV4;
	ip->src = s.data + 12;
	ip->dst = s.data + 16;
	ip->addr_len = 4;
	if ((be16(s.data + 6) & 0x3fff) != 0) // more fragments, or an offset
		return CNT_PKT_FRAGMENT;
	if (s.data[9] != PROTO_TCP)
		return CNT_PKT_NOT_TCP;
	ip->l4 = span_of(s.data + ihl, total - ihl); // bytes behind total are Ethernet padding
	return CNT_PKT_TCP;
}

// Options of a hop-by-hop or destination header: RFC 8200 4.2, the two top bits say what to do with unknown ones.
static bool ipv6_options_ok(const uint8_t *p, size_t len)
{
	while (len > 0) {
		if (p[0] == 0) { // Pad1
			p++;
			len--;
			continue;
		}
		if (len < 2 || (size_t)p[1] + 2 > len)
			return false;
		// Known to Linux: PadN, router alert, jumbo, tunnel limit, home address, ioam, calipso.
		if (p[0] >> 6 != 0 && p[0] != 0xc2 && p[0] != 0xc9)
			return false;
		len -= (size_t)p[1] + 2;
		p += p[1] + 2;
	}
	return true;
}

static enum counter ipv6_parse(struct span s, struct ip_info *ip)
{
	uint8_t next;
	size_t payload;
	struct span rest;
	bool first = true, atomic = false;

	if (s.len < 40)
		return CNT_PKT_SHORT;
	payload = be16(s.data + 4);
	if (s.data[0] >> 4 != 6 || payload == 0) // jumbograms do not exist on Ethernet
		return CNT_PKT_BAD_IPV6;
	if (payload > s.len - 40)
		return CNT_PKT_SHORT;
	ip->src = s.data + 8;
	ip->dst = s.data + 24;
	ip->addr_len = 16;
	next = s.data[6];
	rest = span_of(s.data + 40, payload);
	// Each header is at least 8 bytes, so the frame's length bounds the walk.
	for (;; first = false) {
		size_t len;

		if (next == PROTO_TCP) {
			ip->l4 = rest;
			return CNT_PKT_TCP;
		}
		if (next != PROTO_HOPOPTS && next != PROTO_DSTOPTS && next != PROTO_ROUTING &&
		    next != PROTO_FRAGMENT && next != PROTO_AUTH)
			return CNT_PKT_NOT_TCP;
		if (rest.len < 8)
			return CNT_PKT_BAD_IPV6;
		if (next == PROTO_FRAGMENT) {
			// Atomic fragments (RFC 6946) are whole packets.
			if ((be16(rest.data + 2) & 0xfff9) != 0)
				return CNT_PKT_FRAGMENT;
			if (atomic) // Linux drops one inside another
				return CNT_PKT_BAD_IPV6;
			atomic = true;
			len = 8;
		} else if (next == PROTO_AUTH) {
			len = ((size_t)rest.data[1] + 2) * 4;
		} else {
			len = ((size_t)rest.data[1] + 1) * 8;
		}
		if (len > rest.len)
			return CNT_PKT_BAD_IPV6;
		if (next == PROTO_HOPOPTS && !first)
			return CNT_PKT_BAD_IPV6;
		if ((next == PROTO_HOPOPTS || next == PROTO_DSTOPTS) &&
		    !ipv6_options_ok(rest.data + 2, len - 2))
			return CNT_PKT_BAD_IPV6;
		if (next == PROTO_ROUTING && rest.data[3] != 0) // segments left: not for this host
			return CNT_PKT_BAD_IPV6;
		next = rest.data[0];
		rest = span_from(rest, len);
	}
}

static void tcp_options(const uint8_t *p, size_t len, struct pkt *pkt)
{
	while (len > 0) {
		if (p[0] == 0)
			return;
		if (p[0] == 1) {
			p++;
			len--;
			continue;
		}
		// Linux stops at a malformed option and takes the segment.
		if (len < 2 || p[1] < 2 || p[1] > len)
			return;
		if (p[0] == 3 && p[1] == 3) {
			pkt->options |= PKT_HAS_WSCALE;
			pkt->wscale = p[2] > 14 ? 14 : p[2];
		} else if (p[0] == 8 && p[1] == 10) {
			pkt->options |= PKT_HAS_TS;
			pkt->tsval = be32(p + 2);
		} else if (p[0] == 19 && p[1] == 18) {
			pkt->options |= PKT_HAS_MD5;
		}
		len -= p[1];
		p += p[1];
	}
}

static bool tcp_csum_good(const struct ip_info *ip)
{
	uint64_t sum = 0;
	uint8_t tail[8] = {(uint8_t)(ip->l4.len >> 24),
			   (uint8_t)(ip->l4.len >> 16),
			   (uint8_t)(ip->l4.len >> 8),
			   (uint8_t)ip->l4.len,
			   0,
			   0,
			   0,
			   PROTO_TCP};

	sum = csum_add(sum, ip->src, ip->addr_len);
	sum = csum_add(sum, ip->dst, ip->addr_len);
	sum = csum_add(sum, tail, sizeof(tail));
	return csum_is_good(csum_add(sum, ip->l4.data, ip->l4.len));
}

static void addr_map(uint8_t out[16], const uint8_t *addr, uint8_t len)
{
	if (len == 4) {
		memset(out, 0, 10);
		out[10] = out[11] = 0xff;
		memcpy(out + 12, addr, 4);
	} else {
		memcpy(out, addr, 16);
	}
}

static void key_make(const struct ip_info *ip, uint16_t sport, uint16_t dport, uint32_t net,
		     struct pkt *pkt)
{
	int order = memcmp(ip->src, ip->dst, ip->addr_len);

	pkt->from_lo = order < 0 || (order == 0 && sport <= dport);
	if (pkt->from_lo) {
		addr_map(pkt->key.lo, ip->src, ip->addr_len);
		addr_map(pkt->key.hi, ip->dst, ip->addr_len);
		pkt->key.lo_port = sport;
		pkt->key.hi_port = dport;
	} else {
		addr_map(pkt->key.lo, ip->dst, ip->addr_len);
		addr_map(pkt->key.hi, ip->src, ip->addr_len);
		pkt->key.lo_port = dport;
		pkt->key.hi_port = sport;
	}
	pkt->key.net = net | (ip->addr_len == 16 ? FLOW_NET_IPV6 : 0);
}

// Strip Ethernet and VLAN tags. *ret_net gets the VLAN bits of flow_key.net.
static enum counter eth_parse(const struct frame *f, struct span *ret_rest, uint16_t *ret_type,
			      uint32_t *ret_net)
{
	struct span s = span_of(f->data, f->len);
	uint16_t type;

	*ret_net = 0;
	if (s.len < ETH_BYTES)
		return CNT_PKT_SHORT;
	type = be16(s.data + 12);
	s = span_from(s, ETH_BYTES);
	for (int tags = 0;
	     type == ETHERTYPE_VLAN || type == ETHERTYPE_QINQ || type == ETHERTYPE_QINQ_OLD;
	     tags++) {
		if (tags == 2)
			return CNT_PKT_VLAN_DEPTH;
		if (s.len < 4)
			return CNT_PKT_SHORT;
		*ret_net = *ret_net << 12 | (be16(s.data) & 0xfff);
		type = be16(s.data + 2);
		s = span_from(s, 4);
	}
	*ret_rest = s;
	*ret_type = type;
	return CNT_PKT_TCP;
}

// IP part of a frame, up to the TCP header.
static enum counter ip_parse(const struct frame *f, bool verify, struct ip_info *ip,
			     uint32_t *ret_net)
{
	struct span s;
	uint16_t type;
	enum counter verdict = eth_parse(f, &s, &type, ret_net);

	if (verdict == CNT_PKT_TCP) {
		if (type == ETHERTYPE_IPV4)
			verdict = ipv4_parse(s, verify, ip);
		else if (type == ETHERTYPE_IPV6)
			verdict = ipv6_parse(s, ip);
		else
			verdict = CNT_PKT_NOT_IP;
	}
	if (verdict == CNT_PKT_SHORT && f->wire_len > f->len)
		return CNT_PKT_TRUNCATED;
	return verdict;
}

enum counter pkt_parse(const struct frame *f, bool verify_checksums, struct pkt *ret_pkt)
{
	struct pkt *pkt = ret_pkt;
	struct ip_info ip = {.csum_done = f->csum == FRAME_CSUM_GOOD};
	uint32_t net;
	enum counter verdict;
	const uint8_t *tcp;
	size_t doff;

	if (f->csum == FRAME_CSUM_BAD && verify_checksums)
		return CNT_PKT_BAD_CSUM;
	verdict = ip_parse(f, verify_checksums, &ip, &net);
	if (verdict != CNT_PKT_TCP)
		return verdict;
	if (ip.l4.len < 20)
		return CNT_PKT_BAD_TCP;
	tcp = ip.l4.data;
	doff = (size_t)(tcp[12] >> 4) * 4;
	if (doff < 20 || doff > ip.l4.len)
		return CNT_PKT_BAD_TCP;
	if (verify_checksums && !ip.csum_done && !tcp_csum_good(&ip))
		return CNT_PKT_BAD_CSUM;

	key_make(&ip, be16(tcp), be16(tcp + 2), net, pkt);
	pkt->seq = be32(tcp + 4);
	pkt->ack = be32(tcp + 8);
	pkt->flags = tcp[13];
	pkt->window = be16(tcp + 14);
	pkt->wscale = 0;
	pkt->tsval = 0;
	pkt->options = 0;
	if (doff > 20)
		tcp_options(tcp + 20, doff - 20, pkt);
	pkt->payload = span_of(tcp + doff, ip.l4.len - doff);
	pkt->frame_len = f->wire_len;
	pkt->is_ipv6 = ip.addr_len == 16;
	pkt->has_vlan = net != 0;
	return CNT_PKT_TCP;
}

uint32_t pipeline_frame_hash(const struct frame *f, const uint64_t key[2])
{
	struct ip_info ip = {.csum_done = true};
	struct pkt pkt;
	uint32_t net;
	enum counter verdict = ip_parse(f, false, &ip, &net);

	if (ip.src == NULL)
		return 0;
	if (verdict == CNT_PKT_TCP && ip.l4.len >= 4)
		key_make(&ip, be16(ip.l4.data), be16(ip.l4.data + 2), net, &pkt);
	else
		key_make(&ip, 0, 0, net, &pkt);
	return (uint32_t)(XXH3_64bits_withSeed(&pkt.key, sizeof(pkt.key), key[0] ^ key[1]) >> 32);
}

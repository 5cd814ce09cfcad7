// SPDX-License-Identifier: BSD-2-Clause
// Every length is checked against what is left before a header is read; a cursor only moves forward. The way of an
// ordinary packet (Ethernet, IPv4, TCP) is in this file; what is rarer is called from here.
#include "dataplane/engine/pkt.h"

#include <immintrin.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "dataplane/engine/pkt_impl.h"

// The header, if it is one that a host accepts; *ret_ihl is its length.
static inline enum counter ipv4_header(struct pkt_walk *w, size_t *ret_ihl)
{
	const uint8_t *ip = w->s.data;
	size_t ihl, total;

	if (w->s.len < 20)
		return CNT_PKT_SHORT;
	ihl = (size_t)(ip[0] & 15) * 4;
	total = be16(ip + 2);
	if (ip[0] >> 4 != 4 || ihl < 20 || total < ihl)
		return CNT_PKT_BAD_IPV4;
	if (total > w->s.len)
		return CNT_PKT_SHORT;
	if (w->verify && !w->csum_done && !csum_is_good(csum_add(0, ip, ihl)))
		return CNT_PKT_BAD_CSUM;
	if (ihl > 20 && !ipv4_options_ok(ip + 20, ihl - 20))
		return CNT_PKT_BAD_IPV4;
	w->src = ip + 12;
	w->dst = ip + 16;
	w->addr_len = 4;
	w->ttl = ip[8];
	w->is_fragmented = false;
	w->s.len = total; // bytes behind total are Ethernet padding
	*ret_ihl = ihl;
	return CNT_PKT_TCP;
}

static inline enum counter ipv4_step(struct pkt_walk *w)
{
	const uint8_t *ip = w->s.data;
	size_t ihl;
	enum counter verdict = ipv4_header(w, &ihl);

	if (verdict != CNT_PKT_TCP)
		return verdict;
	w->proto = ip[9];
	if ((be16(ip + 6) & 0x3fff) != 0) // more fragments, or an offset
		return ipv4_fragment(w, ihl);
	w->next = w->proto == PROTO_TCP ? NEXT_TCP : NEXT_PROTO;
	w->s = span_from(w->s, ihl);
	return CNT_PKT_TCP;
}

static inline enum counter ipv6_step(struct pkt_walk *w)
{
	const uint8_t *ip = w->s.data;
	size_t payload;

	if (w->s.len < 40)
		return CNT_PKT_SHORT;
	payload = be16(ip + 4);
	if (ip[0] >> 4 != 6 || payload == 0) // jumbograms do not exist on Ethernet
		return CNT_PKT_BAD_IPV6;
	if (payload > w->s.len - 40)
		return CNT_PKT_SHORT;
	w->src = ip + 8;
	w->dst = ip + 24;
	w->addr_len = 16;
	w->ttl = ip[7];
	w->proto = ip[6];
	w->is_fragmented = false;
	w->s = span_of(ip + 40, payload);
	if (w->proto != PROTO_TCP)
		return ipv6_chain(w, true);
	w->next = NEXT_TCP;
	return CNT_PKT_TCP;
}

static inline enum counter ethernet_step(struct pkt_walk *w)
{
	uint16_t type;

	if (w->s.len < ETH_BYTES)
		return CNT_PKT_SHORT;
	type = be16(w->s.data + 12);
	w->s = span_of(w->s.data + ETH_BYTES, w->s.len - ETH_BYTES);
	if (type != ETHERTYPE_IPV4 && type != ETHERTYPE_IPV6)
		return ethertype_step(w, type);
	w->next = type == ETHERTYPE_IPV4 ? NEXT_IPV4 : NEXT_IPV6;
	return CNT_PKT_TCP;
}

// From wherever the walk stands up to the TCP header.
static enum counter walk(struct pkt_walk *w, const struct frame *f, enum counter verdict)
{
	while (verdict == CNT_PKT_TCP && w->next != NEXT_TCP) {
		switch (w->next) {
		case NEXT_ETHERNET:
			verdict = ethernet_step(w);
			break;
		case NEXT_IPV4:
			verdict = ipv4_step(w);
			break;
		case NEXT_IPV6:
			verdict = ipv6_step(w);
			break;
		case NEXT_PROTO:
			verdict = proto_step(w);
			break;
		default:
			verdict = tunnel_step(w);
			break;
		}
	}
	return verdict == CNT_PKT_SHORT && f->wire_len > f->len ? CNT_PKT_TRUNCATED : verdict;
}

// The same from the first byte of a frame; the ordinary packet never meets the loop above.
static inline enum counter walk_frame(struct pkt_walk *w, const struct frame *f)
{
	enum counter verdict = ethernet_step(w);

	if (verdict == CNT_PKT_TCP && w->next == NEXT_IPV4)
		verdict = ipv4_step(w);
	else if (verdict == CNT_PKT_TCP && w->next == NEXT_IPV6)
		verdict = ipv6_step(w);
	if (verdict == CNT_PKT_TCP && w->next == NEXT_TCP)
		return CNT_PKT_TCP;
	return walk(w, f, verdict);
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
		} else if (p[0] == 4 && p[1] == 2) {
			pkt->options |= PKT_HAS_SACK;
		} else if (p[0] == 19 && p[1] == 18) {
			pkt->options |= PKT_HAS_MD5;
		}
		len -= p[1];
		p += p[1];
	}
}

__attribute__((target("avx2"))) static uint64_t csum_add_avx2(uint64_t sum, const uint8_t *p,
							      size_t len)
{
	const __m256i low = _mm256_set1_epi64x(UINT32_MAX);
	__m256i one = _mm256_setzero_si256(), two = _mm256_setzero_si256();
	uint64_t lanes[4];

	for (; len >= 64; p += 64, len -= 64) {
		const __m256i a = _mm256_loadu_si256((const __m256i *)(const void *)p);
		const __m256i b = _mm256_loadu_si256((const __m256i *)(const void *)(p + 32));

		one = _mm256_add_epi64(
			one, _mm256_add_epi64(_mm256_and_si256(a, low), _mm256_srli_epi64(a, 32)));
		two = _mm256_add_epi64(
			two, _mm256_add_epi64(_mm256_and_si256(b, low), _mm256_srli_epi64(b, 32)));
	}
	_mm256_storeu_si256((__m256i *)(void *)lanes, _mm256_add_epi64(one, two));
	return csum_add(sum + lanes[0] + lanes[1] + lanes[2] + lanes[3], p, len);
}

bool pkt_csum_is_good(const struct pkt *pkt)
{
	const struct span s = pkt->unverified;
	const uint8_t tail[8] = {(uint8_t)(s.len >> 24), (uint8_t)(s.len >> 16),
				 (uint8_t)(s.len >> 8), (uint8_t)s.len, [7] = PROTO_TCP};
	uint64_t sum = csum_add(0, tail, sizeof(tail));

	// In whatever order, and an IPv4 address's ffff adds nothing.
	sum = csum_add(sum, pkt->key.lo, sizeof(pkt->key.lo));
	sum = csum_add(sum, pkt->key.hi, sizeof(pkt->key.hi));
	sum = s.len >= 256 && __builtin_cpu_supports("avx2") ? csum_add_avx2(sum, s.data, s.len)
							     : csum_add(sum, s.data, s.len);
	return csum_is_good(sum);
}

// Below, at or above 0: does the source sort before, with or behind the destination?
static inline int addr_order(const struct pkt_walk *w)
{
	if (w->addr_len == 4) {
		uint32_t a = be32(w->src), b = be32(w->dst);

		return (a > b) - (a < b);
	}
	return memcmp(w->src, w->dst, 16);
}

static inline void key_make(const struct pkt_walk *w, uint16_t sport, uint16_t dport,
			    struct pkt *pkt)
{
	int order = addr_order(w);
	bool from_lo = order < 0 || (order == 0 && sport <= dport);

	addr_map(pkt->key.lo, from_lo ? w->src : w->dst, w->addr_len);
	addr_map(pkt->key.hi, from_lo ? w->dst : w->src, w->addr_len);
	pkt->key.lo_port = from_lo ? sport : dport;
	pkt->key.hi_port = from_lo ? dport : sport;
	pkt->key.net = w->net | (w->addr_len == 16 ? FLOW_NET_IPV6 : 0);
	pkt->key.tunnel = w->tunnel;
	pkt->from_lo = from_lo;
}

static inline enum counter tcp_step(const struct pkt_walk *w, const struct frame *f,
				    struct pkt *pkt)
{
	const uint8_t *tcp = w->s.data;
	size_t doff;

	if (w->s.len < 20)
		return CNT_PKT_BAD_TCP;
	doff = (size_t)(tcp[12] >> 4) * 4;
	if (doff < 20 || doff > w->s.len)
		return CNT_PKT_BAD_TCP;
	pkt->unverified = w->verify && !w->csum_done ? w->s : SPAN_NONE;
	key_make(w, be16(tcp), be16(tcp + 2), pkt);
	pkt->seq = be32(tcp + 4);
	pkt->ack = be32(tcp + 8);
	pkt->flags = tcp[13];
	pkt->window = be16(tcp + 14);
	pkt->urg_ptr = be16(tcp + 18);
	pkt->wscale = 0;
	pkt->tsval = 0;
	pkt->options = 0;
	if (doff > 20)
		tcp_options(tcp + 20, doff - 20, pkt);
	pkt->payload = span_of(tcp + doff, w->s.len - doff);
	pkt->frame_len = f->wire_len;
	pkt->is_ipv6 = w->addr_len == 16;
	pkt->has_vlan = (w->net & FLOW_NET_VLANS) != 0;
	pkt->has_conflict = false;
	pkt->ttl = w->ttl;
	return CNT_PKT_TCP;
}

enum counter pkt_parse(const struct pkt_conf *c, const struct frame *f, struct pkt *ret_pkt,
		       struct pkt_fragment *ret_fragment)
{
	struct pkt_walk w = {
		.conf = c,
		.s = span_of(f->data, f->len),
		.fragment = ret_fragment,
		.next = NEXT_ETHERNET,
		.csum_done = f->csum == FRAME_CSUM_GOOD,
		.verify = c->verify_checksums,
	};
	enum counter verdict = walk_frame(&w, f);

	if (verdict != CNT_PKT_TCP)
		return verdict;
	// The NIC's verdict is about the outermost packet.
	if (f->csum == FRAME_CSUM_BAD && w.verify && w.depth == 0)
		return CNT_PKT_BAD_CSUM;
	return tcp_step(&w, f, ret_pkt);
}

enum counter pkt_parse_datagram(const struct pkt_conf *c, const struct frame *f,
				const struct pkt_fragment *first, struct span data,
				struct pkt *ret_pkt, struct pkt_fragment *ret_fragment)
{
	const bool is_ipv6 = (first->net & FLOW_NET_IPV6) != 0;
	struct pkt_walk w = {
		.conf = c,
		.s = data,
		.src = first->src + (is_ipv6 ? 0 : 12),
		.dst = first->dst + (is_ipv6 ? 0 : 12),
		.fragment = ret_fragment,
		.net = first->net & ~(uint32_t)FLOW_NET_IPV6,
		.tunnel = first->tunnel,
		.next = NEXT_PROTO,
		.proto = first->next,
		.addr_len = is_ipv6 ? 16 : 4,
		.ttl = first->ttl,
		.depth = first->depth,
		.is_fragmented = true,
		.verify = c->verify_checksums,
	};
	enum counter verdict = CNT_PKT_TCP;

	if (is_ipv6)
		verdict = ipv6_chain(&w, false);
	else if (w.proto == PROTO_TCP)
		w.next = NEXT_TCP;
	verdict = walk(&w, f, verdict);
	if (verdict == CNT_PKT_TCP)
		verdict = tcp_step(&w, f, ret_pkt);
	if (verdict == CNT_PKT_TCP && ret_pkt->unverified.data != NULL &&
	    !pkt_csum_is_good(ret_pkt))
		return CNT_PKT_BAD_CSUM;
	ret_pkt->unverified = SPAN_NONE;
	return verdict;
}

uint32_t pkt_frame_hash(const struct flow_key *flow, const uint64_t key[2])
{
	return (uint32_t)(XXH3_64bits_withSeed(flow, sizeof(*flow), key[0] ^ key[1]) >> 32);
}

uint32_t pipeline_frame_hash(const struct frame *f, const uint64_t key[2], bool *ret_fragment)
{
	const struct pkt_conf conf = {.key = key[1]}; // as a pipeline's
	struct pkt_fragment fragment;
	struct pkt_walk w = {
		.conf = &conf,
		.s = span_of(f->data, f->len),
		.fragment = &fragment,
		.next = NEXT_ETHERNET,
	};
	struct pkt pkt;
	enum counter verdict = walk_frame(&w, f);

	*ret_fragment = verdict == CNT_PKT_FRAGMENT;
	if (w.src == NULL)
		return 0;
	if (verdict == CNT_PKT_TCP && w.s.len >= 4)
		key_make(&w, be16(w.s.data), be16(w.s.data + 2), &pkt);
	else
		key_make(&w, 0, 0, &pkt);
	return pkt_frame_hash(&pkt.key, key);
}

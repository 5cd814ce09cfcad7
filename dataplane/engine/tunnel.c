// SPDX-License-Identifier: BSD-2-Clause
// What stands between a frame's Ethernet header and the IP header of interest: tags, sessions, labels and tunnels. Each
// step takes a header off; what begins a tunnel goes through enter(), which bounds the depth.
#include "dataplane/engine/tunnel.h"

#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "dataplane/engine/pkt_impl.h"

enum {
	ETHERTYPE_MPLS = 0x8847,
	ETHERTYPE_MPLS_UPSTREAM = 0x8848,
	ETHERTYPE_PPPOE = 0x8864,
	ETHERTYPE_PBB = 0x88e7,
	ETHERTYPE_PPP = 0x880b, // in GRE version 1
	ETHERTYPE_ERSPAN2 = 0x88be,
	ETHERTYPE_ERSPAN3 = 0x22eb,
	ETHERTYPE_WCCP = 0x883e,
	PROTO_IPV4 = 4,
	PROTO_UDP = 17,
	PROTO_IPV6 = 41,
	PROTO_GRE = 47,
	PROTO_MPLS = 137,
	PORT_L2TP = 1701,
	PORT_GTP = 2152,
	PORT_TEREDO = 3544,
	PORT_GRE = 4754,
	PORT_VXLAN = 4789,
	PORT_VXLAN_GPE = 4790,
	PORT_GENEVE = 6081,
	PORT_MPLS = 6635,
	PORT_VXLAN_OLD =
		8472, // Linux before the port was assigned, and what is built on its default
	PPP_IPV4 = 0x21,
	PPP_IPV6 = 0x57,
	PPP_MPLS = 0x281,
	GRE_CHECKSUM = 0x8000,
	GRE_ROUTING = 0x4000,
	GRE_KEY = 0x2000,
	GRE_SEQUENCE = 0x1000,
	GRE_ACK = 0x0080, // version 1
	GRE_VERSION = 0x0007,
	L2TP_CONTROL = 0x8000,
	L2TP_LENGTH = 0x4000,
	L2TP_SEQUENCE = 0x0800,
	L2TP_OFFSET = 0x0200,
	ID_BITS = 28, // of flow_key.tunnel; the four above are 1 + enum tunnel
	ID_TAGS = 15, // there: VLAN tags that flow_key.net has no room for
};
_Static_assert(TUNNEL_N + 1 < ID_TAGS, "four bits say which tunnel");

static void count(const struct pkt_walk *w, enum counter counter)
{
	if (w->conf->counters != NULL)
		w->conf->counters->v[counter]++;
}

// One level keeps the identifier as it is, so that two networks never meet; deeper ones are folded.
static void identify(struct pkt_walk *w, uint32_t kind, uint32_t id)
{
	uint32_t words[3] = {w->tunnel, kind, id};

	if (w->tunnel == 0)
		w->tunnel = kind << ID_BITS | (id & ((1u << ID_BITS) - 1));
	else
		w->tunnel = (uint32_t)XXH3_64bits_withSeed(words, sizeof(words), w->conf->key) | 1;
}

// The same for both directions between two end points.
static uint32_t pair_id(const struct pkt_walk *w)
{
	bool swap = memcmp(w->src, w->dst, w->addr_len) > 0;
	uint8_t ends[32] = {0};

	memcpy(ends, swap ? w->dst : w->src, w->addr_len);
	memcpy(ends + 16, swap ? w->src : w->dst, w->addr_len);
	return (uint32_t)(XXH3_64bits_withSeed(ends, sizeof(ends), w->conf->key) >> 32);
}

// One tunnel deeper. The packet inside has checksums of its own.
static enum counter enter(struct pkt_walk *w, enum tunnel kind)
{
	static const enum counter counters[TUNNEL_N] = {
#define X(id, name, text) [TUNNEL_##id] = CNT_TUN_##id,
		TUNNEL_TABLE(X)
#undef X
	};

	if ((w->conf->tunnels_off & (1u << kind)) != 0) {
		count(w, CNT_TUN_OFF);
		return w->src == NULL ? CNT_PKT_NOT_IP : CNT_PKT_NOT_TCP;
	}
	if (++w->depth > TUNNEL_DEPTH_MAX)
		return CNT_PKT_TUNNEL_DEPTH;
	count(w, counters[kind]);
	w->csum_done = false;
	return CNT_PKT_TCP;
}

// Through a routed network: the VLANs of the outer packet say nothing about the inner one.
static enum counter enter_routed(struct pkt_walk *w, enum tunnel kind, uint32_t id)
{
	enum counter verdict = enter(w, kind);

	if (verdict == CNT_PKT_TCP) {
		w->net = 0;
		identify(w, 1u + kind, id);
	}
	return verdict;
}

static enum counter take(struct pkt_walk *w, size_t bytes, enum pkt_next next)
{
	if (w->s.len < bytes)
		return CNT_PKT_SHORT;
	w->s = span_from(w->s, bytes);
	w->next = (uint8_t)next;
	return CNT_PKT_TCP;
}

// ---- below IP ----

// A tag behind its type; *io_type becomes the next type.
static enum counter vlan_tag(struct pkt_walk *w, uint16_t *io_type)
{
	if (w->s.len < 4)
		return CNT_PKT_SHORT;
	if ((w->net & FLOW_NET_VLANS) >> 12 != 0) // no room for a third: the outermost goes over
		identify(w, ID_TAGS, w->net >> 12);
	w->net = (w->net << 12 | (be16(w->s.data) & 0xfff)) & FLOW_NET_VLANS;
	*io_type = be16(w->s.data + 2);
	w->s = span_from(w->s, 4);
	return CNT_PKT_TCP;
}

enum counter ethertype_step(struct pkt_walk *w, uint16_t type)
{
	for (int tags = 0;
	     type == ETHERTYPE_VLAN || type == ETHERTYPE_QINQ || type == ETHERTYPE_QINQ_OLD;
	     tags++) {
		enum counter verdict =
			tags < VLAN_TAGS_MAX ? vlan_tag(w, &type) : CNT_PKT_VLAN_DEPTH;

		if (verdict != CNT_PKT_TCP)
			return verdict;
	}
	switch (type) {
	case ETHERTYPE_IPV4:
		w->next = NEXT_IPV4;
		return CNT_PKT_TCP;
	case ETHERTYPE_IPV6:
		w->next = NEXT_IPV6;
		return CNT_PKT_TCP;
	case ETHERTYPE_MPLS:
	case ETHERTYPE_MPLS_UPSTREAM:
		w->next = NEXT_MPLS;
		return CNT_PKT_TCP;
	case ETHERTYPE_PPPOE:
		w->next = NEXT_PPPOE;
		return CNT_PKT_TCP;
	case ETHERTYPE_PBB:
		w->next = NEXT_PBB;
		return CNT_PKT_TCP;
	default:
		return CNT_PKT_NOT_IP;
	}
}

// RFC 2516: version and type, code, session, length; then PPP.
static enum counter pppoe_step(struct pkt_walk *w)
{
	enum counter verdict;
	size_t len;

	if (w->s.len < 6)
		return CNT_PKT_SHORT;
	if (w->s.data[0] != 0x11 || w->s.data[1] != 0)
		return CNT_PKT_NOT_IP;
	verdict = enter(w, TUNNEL_PPPOE);
	if (verdict != CNT_PKT_TCP)
		return verdict;
	identify(w, 1 + TUNNEL_PPPOE, be16(w->s.data + 2));
	len = be16(w->s.data + 4);
	if (len < w->s.len - 6)
		w->s.len = len + 6;
	return take(w, 6, NEXT_PPP);
}

// Address and control may be left out, and the first byte of a small protocol number (RFC 1661).
static enum counter ppp_step(struct pkt_walk *w)
{
	struct span s = w->s;
	uint16_t proto;

	if (s.len >= 2 && s.data[0] == 0xff && s.data[1] == 0x03)
		s = span_from(s, 2);
	if (s.len < 2)
		return CNT_PKT_SHORT;
	proto = s.data[0] & 1 ? s.data[0] : be16(s.data);
	w->s = span_from(s, s.data[0] & 1 ? 1 : 2);
	if (proto == PPP_IPV4)
		w->next = NEXT_IPV4;
	else if (proto == PPP_IPV6)
		w->next = NEXT_IPV6;
	else if (proto == PPP_MPLS)
		w->next = NEXT_MPLS;
	else
		return CNT_PKT_NOT_IP;
	return CNT_PKT_TCP;
}

static bool is_ethernet_of_ours(struct span s)
{
	uint16_t type = s.len >= ETH_BYTES ? be16(s.data + 12) : 0;

	return type == ETHERTYPE_IPV4 || type == ETHERTYPE_IPV6 || type == ETHERTYPE_VLAN ||
	       type == ETHERTYPE_QINQ;
}

// The labels do not say what follows the last one: its first four bits do (RFC 4928). 0 is the control word of a
// pseudowire (RFC 4385); without one, Ethernet shows in its type.
static enum counter mpls_step(struct pkt_walk *w)
{
	enum counter verdict = enter(w, TUNNEL_MPLS);
	bool bottom = false;
	uint8_t first;

	if (verdict != CNT_PKT_TCP)
		return verdict;
	while (!bottom) {
		if (w->s.len < 5)
			return CNT_PKT_SHORT;
		bottom = (w->s.data[2] & 1) != 0;
		w->s = span_from(w->s, 4);
	}
	first = w->s.data[0] >> 4;
	if (first == 0 && w->s.len >= 4 && is_ethernet_of_ours(span_from(w->s, 4)))
		return take(w, 4, NEXT_ETHERNET);
	if (is_ethernet_of_ours(w->s) && first != 4 && first != 6)
		return take(w, 0, NEXT_ETHERNET);
	if (first == 4)
		return take(w, 0, NEXT_IPV4);
	return first == 6 ? take(w, 0, NEXT_IPV6) : CNT_PKT_NOT_IP;
}

// 802.1ah: four bytes with the service identifier, then the customer's frame.
static enum counter pbb_step(struct pkt_walk *w)
{
	enum counter verdict;

	if (w->s.len < 4)
		return CNT_PKT_SHORT;
	verdict = enter_routed(w, TUNNEL_PBB, be32(w->s.data) & 0xffffff);
	return verdict == CNT_PKT_TCP ? take(w, 4, NEXT_ETHERNET) : verdict;
}

enum counter tunnel_step(struct pkt_walk *w)
{
	switch (w->next) {
	case NEXT_PPPOE:
		return pppoe_step(w);
	case NEXT_PPP:
		return ppp_step(w);
	case NEXT_MPLS:
		return mpls_step(w);
	default:
		return pbb_step(w);
	}
}

// ---- over IP ----

// Session, time stamps and the like of a mirror: nothing of it belongs to the mirrored flow.
static enum counter erspan_step(struct pkt_walk *w, uint16_t type, bool has_sequence)
{
	enum counter verdict = enter_routed(w, TUNNEL_ERSPAN, 0);
	size_t head = has_sequence ? 8 : 0; // type I has no header of its own

	if (verdict != CNT_PKT_TCP)
		return verdict;
	if (type == ETHERTYPE_ERSPAN3) {
		if (w->s.len < 12)
			return CNT_PKT_SHORT;
		head = (w->s.data[11] & 1) != 0 ? 20 : 12;
	}
	return take(w, head, NEXT_ETHERNET);
}

// RFC 2784, 2890; version 1: RFC 2637. The source routes of RFC 1701 are not followed.
static enum counter gre_step(struct pkt_walk *w)
{
	uint16_t flags, type;
	size_t head = 4;
	enum counter verdict;

	if (w->s.len < 4)
		return CNT_PKT_SHORT;
	flags = be16(w->s.data);
	type = be16(w->s.data + 2);
	if ((flags & GRE_VERSION) > 1 || (flags & GRE_ROUTING) != 0)
		return CNT_PKT_NOT_TCP;
	head += (flags & GRE_CHECKSUM) != 0 ? 4 : 0;
	head += (flags & GRE_KEY) != 0 ? 4 : 0;
	head += (flags & GRE_SEQUENCE) != 0 ? 4 : 0;
	head += (flags & GRE_VERSION) == 1 && (flags & GRE_ACK) != 0 ? 4 : 0;
	verdict = take(w, head, NEXT_PPP);
	if (verdict != CNT_PKT_TCP)
		return verdict;
	if (type == ETHERTYPE_ERSPAN2 || type == ETHERTYPE_ERSPAN3)
		return erspan_step(w, type, (flags & GRE_SEQUENCE) != 0);
	verdict = enter_routed(w, TUNNEL_GRE, pair_id(w));
	if (verdict != CNT_PKT_TCP || type == ETHERTYPE_PPP)
		return verdict;
	if (type == ETHERTYPE_TEB)
		return take(w, 0, NEXT_ETHERNET);
	if (type == ETHERTYPE_WCCP) { // version 2 puts four bytes in front of the packet
		bool plain = w->s.len > 0 && w->s.data[0] >> 4 == 4;

		return take(w, plain ? 0 : 4, NEXT_IPV4);
	}
	return ethertype_step(w, type);
}

// RFC 7348; the generic extension says what follows in its last byte of flags.
static enum counter vxlan_step(struct pkt_walk *w, bool generic)
{
	const uint8_t *p = w->s.data;
	enum pkt_next next = NEXT_ETHERNET;
	enum counter verdict;

	if (w->s.len < 8 || (p[0] & 0x08) == 0)
		return CNT_PKT_NOT_TCP;
	if (generic && (p[0] & 0x04) != 0) {
		if (p[3] < 1 || p[3] > 3)
			return CNT_PKT_NOT_TCP;
		next = p[3] == 1 ? NEXT_IPV4 : p[3] == 2 ? NEXT_IPV6 : NEXT_ETHERNET;
	}
	verdict = enter_routed(w, TUNNEL_VXLAN, be32(p + 4) >> 8);
	return verdict == CNT_PKT_TCP ? take(w, 8, next) : verdict;
}

// RFC 8926
static enum counter geneve_step(struct pkt_walk *w)
{
	const uint8_t *p = w->s.data;
	enum counter verdict;
	uint16_t type;

	if (w->s.len < 8 || p[0] >> 6 != 0)
		return CNT_PKT_NOT_TCP;
	type = be16(p + 2);
	verdict = enter_routed(w, TUNNEL_GENEVE, be32(p + 4) >> 8);
	if (verdict == CNT_PKT_TCP)
		verdict = take(w, 8 + (size_t)(p[0] & 0x3f) * 4, NEXT_ETHERNET);
	if (verdict != CNT_PKT_TCP || type == ETHERTYPE_TEB)
		return verdict;
	return ethertype_step(w, type);
}

// RFC 4380: authentication and origin may stand before the IPv6 packet, which fills the rest.
static enum counter teredo_step(struct pkt_walk *w)
{
	struct span s = w->s;
	enum counter verdict;

	if (s.len >= 4 && be16(s.data) == 1)
		s = span_from(s, 4u + s.data[2] + s.data[3] + 9u);
	if (s.len >= 8 && be16(s.data) == 0)
		s = span_from(s, 8);
	if (s.len < 40 || s.data[0] >> 4 != 6 || be16(s.data + 4) != s.len - 40)
		return CNT_PKT_NOT_TCP;
	verdict = enter_routed(w, TUNNEL_TEREDO, 0);
	w->s = s;
	w->next = NEXT_IPV6;
	return verdict;
}

// RFC 2661: flags, then length, tunnel and session, sequence numbers and offset as the flags say; then PPP.
static enum counter l2tp_step(struct pkt_walk *w)
{
	size_t head = 6;
	enum counter verdict;
	uint16_t flags;

	if (w->s.len < 8)
		return CNT_PKT_NOT_TCP;
	flags = be16(w->s.data);
	if ((flags & 0xf) != 2 || (flags & L2TP_CONTROL) != 0)
		return CNT_PKT_NOT_TCP;
	head += (flags & L2TP_LENGTH) != 0 ? 2 : 0;
	head += (flags & L2TP_SEQUENCE) != 0 ? 4 : 0;
	if ((flags & L2TP_OFFSET) != 0) {
		if (w->s.len < head + 2)
			return CNT_PKT_NOT_TCP;
		head += 2u + be16(w->s.data + head);
	}
	verdict = enter_routed(w, TUNNEL_L2TP, pair_id(w));
	return verdict == CNT_PKT_TCP ? take(w, head, NEXT_PPP) : verdict;
}

static enum counter udp_port_step(struct pkt_walk *w, uint16_t sport, uint16_t dport)
{
	switch (dport) {
	case PORT_VXLAN:
	case PORT_VXLAN_OLD:
		return vxlan_step(w, false);
	case PORT_VXLAN_GPE:
		return vxlan_step(w, true);
	case PORT_GENEVE:
		return geneve_step(w);
	case PORT_GRE:
		return gre_step(w);
	case PORT_MPLS:
		w->next = NEXT_MPLS;
		return CNT_PKT_TCP;
	default:
		break;
	}
	if (dport == PORT_TEREDO || sport == PORT_TEREDO)
		return teredo_step(w);
	if (dport == PORT_L2TP || sport == PORT_L2TP)
		return l2tp_step(w);
	if (dport == PORT_GTP || sport == PORT_GTP)
		count(w, CNT_TUN_GTP);
	return CNT_PKT_NOT_TCP;
}

static enum counter udp_step(struct pkt_walk *w)
{
	const uint8_t *p = w->s.data;
	size_t len;

	if (w->s.len < 8)
		return CNT_PKT_NOT_TCP;
	len = be16(p + 4);
	if (len < 8 || len > w->s.len)
		return CNT_PKT_NOT_TCP;
	w->s = span_of(p + 8, len - 8);
	return udp_port_step(w, be16(p), be16(p + 2));
}

static enum counter ip_in_ip(struct pkt_walk *w, enum pkt_next next)
{
	enum counter verdict = enter_routed(w, TUNNEL_IPIP, pair_id(w));

	w->next = (uint8_t)next;
	return verdict;
}

enum counter proto_step(struct pkt_walk *w)
{
	switch (w->proto) {
	case PROTO_UDP:
		return udp_step(w);
	case PROTO_IPV4:
		return ip_in_ip(w, NEXT_IPV4);
	case PROTO_IPV6:
		return ip_in_ip(w, NEXT_IPV6);
	case PROTO_GRE:
		return gre_step(w);
	case PROTO_MPLS:
		w->next = NEXT_MPLS;
		return CNT_PKT_TCP;
	default:
		return CNT_PKT_NOT_TCP;
	}
}

bool tunnel_wants(const struct pkt_conf *c, uint8_t proto)
{
	const uint32_t udp = 1u << TUNNEL_VXLAN | 1u << TUNNEL_GENEVE | 1u << TUNNEL_TEREDO |
			     1u << TUNNEL_L2TP | 1u << TUNNEL_GRE | 1u << TUNNEL_MPLS;
	uint32_t on = ~c->tunnels_off;

	switch (proto) {
	case PROTO_UDP:
		return (on & udp) != 0;
	case PROTO_IPV4:
	case PROTO_IPV6:
		return (on & 1u << TUNNEL_IPIP) != 0;
	case PROTO_GRE:
		return (on & (1u << TUNNEL_GRE | 1u << TUNNEL_ERSPAN)) != 0;
	case PROTO_MPLS:
		return (on & 1u << TUNNEL_MPLS) != 0;
	default:
		return false;
	}
}

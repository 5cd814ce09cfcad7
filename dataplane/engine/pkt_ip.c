// SPDX-License-Identifier: BSD-2-Clause
// What is rarer in IP headers: options, fragments, IPv6 and its extension headers. What Linux would not deliver is
// refused; a fragment is described for whoever puts datagrams together.
#include <string.h>

#include "dataplane/engine/pkt_impl.h"

enum {
	PROTO_HOPOPTS = 0,
	PROTO_UDP = 17,
	PROTO_ROUTING = 43,
	PROTO_FRAGMENT = 44,
	PROTO_AUTH = 51,
	PROTO_DSTOPTS = 60,
	IPOPT_END = 0,
	IPOPT_NOP = 1,
	IPOPT_RR = 7,
	IPOPT_TIMESTAMP = 68,
	IPOPT_LSRR = 131,
	IPOPT_SSRR = 137,
	IPV6_PAD_MAX = 7, // bytes of padding in a row
	IPV6_OPTIONS_MAX =
		8, // in one header, besides padding (Linux: max_hbh_opts_number, max_dst_opts_number)
};

bool ipv4_options_ok(const uint8_t *p, size_t len)
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
		if (p[0] == IPOPT_RR && (p[1] < 3 || p[2] < 4))
			return false;
		if (p[0] == IPOPT_TIMESTAMP && (p[1] < 4 || p[2] < 5))
			return false;
		len -= p[1];
		p += p[1];
	}
	return true;
}

// The fields that IPv4 and IPv6 share.
static struct pkt_fragment *fragment_begin(const struct pkt_walk *w)
{
	struct pkt_fragment *f = w->fragment;

	memset(f, 0, sizeof(*f));
	addr_map(f->src, w->src, w->addr_len);
	addr_map(f->dst, w->dst, w->addr_len);
	f->net = w->net | (w->addr_len == 16 ? FLOW_NET_IPV6 : 0);
	f->tunnel = w->tunnel;
	f->depth = w->depth;
	f->ttl = w->ttl;
	return f;
}

enum counter ipv4_fragment(struct pkt_walk *w, size_t ihl)
{
	const uint8_t *ip = w->s.data;
	struct pkt_fragment *f;

	if (w->proto != PROTO_TCP && !tunnel_wants(w->conf, w->proto))
		return CNT_PKT_NOT_TCP;
	f = fragment_begin(w);
	f->id = be16(ip + 4);
	f->proto = f->next = w->proto;
	f->offset = (be16(ip + 6) & 0x1fffu) * 8;
	f->more = (ip[6] & 0x20) != 0;
	f->data = span_from(w->s, ihl);
	f->head_len = (uint32_t)ihl;
	return CNT_PKT_FRAGMENT;
}

// Options of a hop-by-hop or destination header: RFC 8200 4.2, the two top bits say what to do with unknown ones. Of
// the known ones with such bits none is for a packet like ours: a jumbo payload, or a home address.
static bool ipv6_options_ok(const uint8_t *p, size_t len)
{
	unsigned int pad = 0, options = 0;

	while (len > 0) {
		size_t n = 1;

		if (p[0] != 0) { // not Pad1
			if (len < 2 || (size_t)p[1] + 2 > len || p[0] >> 6 != 0)
				return false;
			n = (size_t)p[1] + 2;
		}
		if (p[0] > 1) {
			pad = 0;
			if (++options > IPV6_OPTIONS_MAX)
				return false;
		} else {
			pad += (unsigned int)n;
			for (size_t i = 2; i < n; i++)
				if (p[i] != 0)
					return false;
			if (pad > IPV6_PAD_MAX)
				return false;
		}
		len -= n;
		p += n;
	}
	return true;
}

static bool is_extension(uint8_t next)
{
	return next == PROTO_HOPOPTS || next == PROTO_DSTOPTS || next == PROTO_ROUTING ||
	       next == PROTO_FRAGMENT || next == PROTO_AUTH;
}

static size_t extension_bytes(uint8_t next, const uint8_t *p)
{
	if (next == PROTO_FRAGMENT)
		return 8;
	if (next == PROTO_AUTH)
		return ((size_t)p[1] + 2) * 4;
	return ((size_t)p[1] + 1) * 8;
}

// Does a first fragment hold all headers up to the transport's (RFC 8200 4.5)? As Linux asks: a chain that cannot be
// followed to its end does.
static bool first_is_whole(uint8_t next, struct span s)
{
	size_t need;

	while (is_extension(next)) {
		size_t len;

		if (s.len < 8 || next == PROTO_FRAGMENT)
			return true;
		len = extension_bytes(next, s.data);
		if (len > s.len)
			return true;
		next = s.data[0];
		s = span_from(s, len);
	}
	need = next == PROTO_TCP ? 20 : next == PROTO_UDP ? 8 : 1;
	return s.len >= need;
}

// At a fragment header that is not of an atomic fragment.
static enum counter ipv6_fragment(struct pkt_walk *w, const uint8_t *first_header)
{
	const uint8_t *p = w->s.data;
	struct pkt_fragment *f = fragment_begin(w);

	f->id = be32(p + 4);
	f->next = p[0];
	f->offset = be16(p + 2) & 0xfff8;
	f->more = (p[3] & 1) != 0;
	f->head_len = (uint32_t)(p - first_header);
	f->data = span_from(w->s, 8);
	// Linux answers these with an ICMP error and forgets the fragment alone.
	if (f->offset + f->data.len > UINT16_MAX || (f->more && f->data.len % 8 != 0))
		return CNT_PKT_BAD_IPV6;
	if (f->offset == 0 && !first_is_whole(f->next, f->data))
		return CNT_PKT_BAD_IPV6;
	return CNT_PKT_FRAGMENT;
}

// The extension headers from w->proto on. Each is at least 8 bytes, so the packet's length bounds the walk.
enum counter ipv6_chain(struct pkt_walk *w, bool is_first)
{
	const uint8_t *first_header = w->s.data;

	for (; is_extension(w->proto); is_first = false) {
		const uint8_t *p = w->s.data;
		size_t len;

		if (w->s.len < 8)
			return CNT_PKT_BAD_IPV6;
		if (w->proto == PROTO_FRAGMENT) {
			if (w->is_fragmented) // Linux drops one inside another
				return CNT_PKT_BAD_IPV6;
			// Atomic fragments (RFC 6946) are whole packets.
			if ((be16(p + 2) & 0xfff9) != 0)
				return ipv6_fragment(w, first_header);
			w->is_fragmented = true;
		}
		len = extension_bytes(w->proto, p);
		if (len > w->s.len)
			return CNT_PKT_BAD_IPV6;
		if (w->proto == PROTO_HOPOPTS && !is_first)
			return CNT_PKT_BAD_IPV6;
		if ((w->proto == PROTO_HOPOPTS || w->proto == PROTO_DSTOPTS) &&
		    !ipv6_options_ok(p + 2, len - 2))
			return CNT_PKT_BAD_IPV6;
		if (w->proto == PROTO_ROUTING && p[3] != 0) // segments left: not for this host
			return CNT_PKT_BAD_IPV6;
		w->proto = p[0];
		w->s = span_from(w->s, len);
	}
	w->next = w->proto == PROTO_TCP ? NEXT_TCP : NEXT_PROTO;
	return CNT_PKT_TCP;
}

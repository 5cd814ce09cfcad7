// SPDX-License-Identifier: BSD-2-Clause
// TCP frames for tests: Ethernet, optional VLAN tag, IPv4 or IPv6, TCP with window scaling on SYNs, right checksums.
#ifndef TESTS_PKTGEN_H
#define TESTS_PKTGEN_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "common/span.h"

enum {
	PKTGEN_HEAD_MAX = 14 + 4 + 40 + 24,
	PKTGEN_PAYLOAD_MAX = 65535 - 40 - 24,
	PKTGEN_WSCALE = 7,
};

// The two ends of a connection; index 0 is the client. IPv4 uses the last four bytes of addr.
struct pktgen_ends {
	uint8_t addr[2][16];
	uint16_t port[2];
	uint16_t vlan; // 0: untagged
	bool ipv6;
};

struct pktgen_seg {
	uint8_t dir; // 0: from the client
	uint8_t flags;
	uint16_t window;
	uint32_t seq, ack;
	struct span data;
	bool damaged; // its checksum is wrong
	uint8_t ttl;  // 0: 64
};

static inline uint8_t *pktgen_put16(uint8_t *p, unsigned int v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
	return p + 2;
}

static inline uint8_t *pktgen_put32(uint8_t *p, uint32_t v)
{
	return pktgen_put16(pktgen_put16(p, v >> 16), v & 0xffff);
}

// RFC 1071, byte by byte.
static inline uint32_t pktgen_sum(uint32_t sum, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		sum += i % 2 == 0 ? (uint32_t)p[i] << 8 : p[i];
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static inline size_t pktgen_addr_len(const struct pktgen_ends *e)
{
	return e->ipv6 ? 16 : 4;
}

static inline const uint8_t *pktgen_addr(const struct pktgen_ends *e, int end)
{
	return e->ipv6 ? e->addr[end] : e->addr[end] + 12;
}

static inline uint8_t *pktgen_ip(uint8_t *p, const struct pktgen_ends *e, int src, uint8_t ttl,
				 size_t l4_len)
{
	uint8_t *ip = p;

	if (e->ipv6) {
		p = pktgen_put32(p, 0x60000000);
		p = pktgen_put16(p, (unsigned int)l4_len);
		*p++ = 6;
		*p++ = ttl;
	} else {
		p = pktgen_put16(p, 0x4500);
		p = pktgen_put16(p, (unsigned int)(20 + l4_len));
		p = pktgen_put32(p, 0x00004000);
		p = pktgen_put16(p, ttl << 8 | 6);
		p = pktgen_put16(p, 0);
	}
	for (int i = 0; i < 2; i++) {
		memcpy(p, pktgen_addr(e, i == 0 ? src : !src), pktgen_addr_len(e));
		p += pktgen_addr_len(e);
	}
	if (!e->ipv6)
		pktgen_put16(ip + 10, ~pktgen_sum(0, ip, 20) & 0xffff);
	return p;
}

// Write the frame of a segment to out (PKTGEN_HEAD_MAX + data.len bytes at least); returns its length.
static inline size_t pktgen_frame(uint8_t *out, const struct pktgen_ends *e,
				  const struct pktgen_seg *s)
{
	const bool syn = (s->flags & 0x02) != 0;
	const size_t tcp_len = (syn ? 24 : 20) + s->data.len;
	uint8_t pseudo[8] = {0, 0, 0, 0, 0, 0, 0, 6};
	uint8_t *p = out, *tcp;
	uint32_t sum;

	memcpy(p, "\x02\0\0\0\0\x01\x02\0\0\0\0\x02", 12);
	p += 12;
	if (e->vlan != 0)
		p = pktgen_put16(pktgen_put16(p, 0x8100), e->vlan);
	p = pktgen_put16(p, e->ipv6 ? 0x86dd : 0x0800);
	p = pktgen_ip(p, e, s->dir, s->ttl != 0 ? s->ttl : 64, tcp_len);
	tcp = p;
	p = pktgen_put16(p, e->port[s->dir]);
	p = pktgen_put16(p, e->port[!s->dir]);
	p = pktgen_put32(p, s->seq);
	p = pktgen_put32(p, s->ack);
	*p++ = syn ? 0x60 : 0x50;
	*p++ = s->flags;
	p = pktgen_put16(p, s->window);
	p = pktgen_put32(p, 0); // checksum, urgent pointer
	if (syn)
		p = pktgen_put32(p, 0x03030000 | PKTGEN_WSCALE << 8); // window scale, end
	if (s->data.len > 0)
		memcpy(p, s->data.data, s->data.len);
	p += s->data.len;
	pktgen_put32(pseudo, (uint32_t)tcp_len);
	sum = pktgen_sum(0, pktgen_addr(e, 0), pktgen_addr_len(e));
	sum = pktgen_sum(sum, pktgen_addr(e, 1), pktgen_addr_len(e));
	sum = pktgen_sum(sum, pseudo, sizeof(pseudo));
	pktgen_put16(tcp + 16, (~pktgen_sum(sum, tcp, tcp_len) ^ (s->damaged ? 0x55 : 0)) & 0xffff);
	return (size_t)(p - out);
}

#endif

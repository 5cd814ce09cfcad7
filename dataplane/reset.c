// SPDX-License-Identifier: BSD-2-Clause
// A host takes a reset only with the sequence number it waits for. The receiver waits for that of the segment which does
// not come; the sender for what it has acknowledged with it.
#include "dataplane/reset.h"

#include <string.h>

enum {
	TAGS_MAX = 4,
	TCP_FIN = 1,
	TCP_SYN = 2,
	TCP_RST = 4,
	TCP_ACK = 16,
};

// Where things lie in a frame.
struct place {
	uint32_t ip, tcp, end; // end: of the IP packet
	bool is_v6;
};

static uint16_t be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)be16(p) << 16 | be16(p + 2);
}

static void put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v);
}

static uint32_t sum16(const uint8_t *p, uint32_t len, uint32_t sum)
{
	for (uint32_t i = 0; i < len; i += 2)
		sum += be16(p + i);
	return sum;
}

static uint16_t fold(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static bool find(const uint8_t *p, uint32_t len, struct place *ret)
{
	uint32_t off = 12;
	uint16_t type = 0;

	for (unsigned int i = 0; i <= TAGS_MAX; i++, off += 4) {
		if (off + 2 > len)
			return false;
		type = be16(p + off);
		if (type != 0x8100 && type != 0x88a8 && type != 0x9100)
			break;
	}
	ret->ip = off + 2;
	ret->is_v6 = type == 0x86dd;
	const uint8_t *ip = p + ret->ip;

	if (type == 0x0800 && ret->ip + 20 <= len) {
		if (ip[9] != 6 || (be16(ip + 6) & 0x3fff) != 0 || (ip[0] & 15) < 5)
			return false;
		ret->tcp = ret->ip + (ip[0] & 15u) * 4;
		ret->end = ret->ip + be16(ip + 2);
	} else if (type == 0x86dd && ret->ip + 40 <= len) {
		if (ip[6] != 6)
			return false;
		ret->tcp = ret->ip + 40;
		ret->end = ret->tcp + be16(ip + 4);
	} else {
		return false;
	}
	return ret->tcp + 20 <= len && ret->tcp + (p[ret->tcp + 12] >> 4) * 4u <= ret->end;
}

// Source and destination, which lie side by side, into to; the other way round to answer.
static void put_pair(uint8_t *to, const uint8_t *from, uint32_t each, bool turned)
{
	memcpy(to, from + (turned ? each : 0), each);
	memcpy(to + each, from + (turned ? 0 : each), each);
}

static void put_tcp(uint8_t *to, const uint8_t *tcp, uint32_t payload, bool to_sender)
{
	const uint8_t flags = tcp[13];
	uint32_t seq = be32(tcp + 4), ack = be32(tcp + 8);

	memset(to, 0, 20);
	put_pair(to, tcp, 2, to_sender);
	to[12] = 5 << 4;
	to[13] = TCP_RST;
	if (to_sender && (flags & TCP_ACK) != 0) {
		put32(to + 4, ack);
		return;
	}
	if (to_sender) { // RFC 9293, 3.5.2: it has said nothing to go by but what it sent
		ack = seq + payload + (flags & TCP_SYN ? 1 : 0) + (flags & TCP_FIN ? 1 : 0);
		seq = 0;
	}
	if (to_sender || (flags & TCP_ACK) != 0) {
		to[13] |= TCP_ACK;
		put32(to + 8, ack);
	}
	put32(to + 4, seq);
}

int reset_make(const uint8_t *frame, uint32_t len, bool to_sender, uint8_t *buf)
{
	struct place at;

	if (!find(frame, len, &at))
		return -1;
	const uint8_t *from = frame + at.ip, *tcp = frame + at.tcp;

	if ((tcp[13] & TCP_RST) != 0)
		return 0;
	const uint32_t head = at.is_v6 ? 40 : 20;
	uint8_t *ip = buf + at.ip, *out = ip + head;

	put_pair(buf, frame, 6, to_sender);
	memcpy(buf + 12, frame + 12, at.ip - 12); // tags and type
	memset(ip, 0, head);
	put_tcp(out, tcp, at.end - at.tcp - (tcp[12] >> 4) * 4u, to_sender);
	if (at.is_v6) {
		ip[0] = 0x60;
		put16(ip + 4, 20);
		ip[6] = 6;
		ip[7] = 64;
		put_pair(ip + 8, from + 8, 16, to_sender);
		put16(out + 16, fold(sum16(out, 20, sum16(ip + 8, 32, 6 + 20))));
	} else {
		ip[0] = 0x45;
		put16(ip + 2, 40);
		ip[6] = 0x40; // do not fragment
		ip[8] = 64;
		ip[9] = 6;
		put_pair(ip + 12, from + 12, 4, to_sender);
		put16(ip + 10, fold(sum16(ip, 20, 0)));
		put16(out + 16, fold(sum16(out, 20, sum16(ip + 12, 8, 6 + 20))));
	}
	return (int)(at.ip + head + 20);
}

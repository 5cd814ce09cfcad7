// SPDX-License-Identifier: BSD-2-Clause
// See traffic.h. Checksums are right, sequence numbers too: a host would take it all. What is sent is acknowledged by the next
// segment of the other side.
#include "control/cli/traffic.h"

#include <arpa/inet.h>
#include <string.h>

enum {
	SNAPLEN = 65535,
	LINK_ETHERNET = 1,
	ETHER = 14,
	IP = 20,
	TCP = 20,
	HEADERS = ETHER + IP + TCP,
	SEGMENT = 1400,
	START_S = 1700000000,
	STEP_US = 100,
	FIRST_PORT = 40000,
	FIN = 1,
	SYN = 2,
	PSH = 8,
	ACK = 16,
};

static void put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, (uint16_t)(v >> 16));
	put16(p + 2, (uint16_t)v);
}

static uint16_t checksum(uint32_t sum, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		sum += i % 2 == 0 ? (uint32_t)p[i] << 8 : p[i];
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

void traffic_begin(struct traffic *t, FILE *f)
{
	const uint32_t head[] = {0xa1b2c3d4, 2 | 4 << 16, 0, 0, SNAPLEN, LINK_ETHERNET};

	*t = (struct traffic){.f = f, .ports = {FIRST_PORT}};
	fwrite(head, sizeof(head), 1, f);
}

static void segment(struct traffic *t, int from, uint8_t flags, const void *data, size_t len)
{
	static const uint8_t hosts[2][4] = {{192, 0, 2, 10}, {198, 51, 100, 20}};
	uint8_t frame[HEADERS + SEGMENT] = {0};
	uint8_t *ip = frame + ETHER, *tcp = ip + IP;
	const uint32_t size = (uint32_t)(HEADERS + len);

	for (int i = 0; i < 2; i++) // one station is the client, the other the server
		memcpy(frame + i * 6, (const uint8_t[]){2, 0, 0, 0, 0, (uint8_t)(i ^ from ^ 1)}, 6);
	put16(frame + 12, 0x0800);
	ip[0] = 0x45;
	put16(ip + 2, (uint16_t)(IP + TCP + len));
	ip[8] = 64;
	ip[9] = 6;
	memcpy(ip + 12, hosts[from], 4);
	memcpy(ip + 16, hosts[1 - from], 4);
	put16(ip + 10, checksum(0, ip, IP));
	put16(tcp, t->ports[from]);
	put16(tcp + 2, t->ports[1 - from]);
	put32(tcp + 4, t->seq[from]);
	put32(tcp + 8, (flags & ACK) != 0 ? t->seq[1 - from] : 0);
	tcp[12] = TCP / 4 << 4;
	tcp[13] = flags;
	put16(tcp + 14, 65535);
	if (len > 0)
		memcpy(tcp + TCP, data, len);
	// With the pseudo header: addresses, protocol, length.
	uint32_t sum = 6 + TCP + (uint32_t)len;
	for (int i = 12; i < IP; i += 2)
		sum += (uint32_t)ip[i] << 8 | ip[i + 1];
	put16(tcp + 16, checksum(sum, tcp, TCP + len));

	const uint32_t record[] = {START_S + (uint32_t)(t->time_us / 1000000),
				   (uint32_t)(t->time_us % 1000000), size, size};
	fwrite(record, sizeof(record), 1, t->f);
	fwrite(frame, size, 1, t->f);
	t->time_us += STEP_US;
	t->seq[from] += (uint32_t)len + ((flags & (SYN | FIN)) != 0);
}

void traffic_open(struct traffic *t, uint16_t server_port)
{
	t->ports[0]++;
	t->ports[1] = server_port;
	t->seq[0] = 1000;
	t->seq[1] = 2000;
	segment(t, 0, SYN, NULL, 0);
	segment(t, 1, SYN | ACK, NULL, 0);
	segment(t, 0, ACK, NULL, 0);
}

void traffic_send(struct traffic *t, int from, const void *data, size_t len)
{
	const uint8_t *p = data;

	while (len > 0) {
		size_t n = len < SEGMENT ? len : SEGMENT;

		segment(t, from, PSH | ACK, p, n);
		p += n;
		len -= n;
	}
}

void traffic_close(struct traffic *t)
{
	segment(t, 0, FIN | ACK, NULL, 0);
	segment(t, 1, FIN | ACK, NULL, 0);
	segment(t, 0, ACK, NULL, 0);
}

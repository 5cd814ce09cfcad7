// SPDX-License-Identifier: BSD-2-Clause
// One table row or one small function per link type (tcpdump.org/linktypes.html). A header that is cut, or of something
// else than IP, MPLS or PPPoE, gives LINKTYPE_NONE: the frame is counted as not IP.
#include "dataplane/linktype.h"

#include <pcap/dlt.h>
#include <stddef.h>
#include <string.h>

enum {
	ETHERTYPE_IPV4 = 0x0800,
	ETHERTYPE_IPV6 = 0x86dd,
	ETHERTYPE_MPLS = 0x8847,
	ETHERTYPE_PPPOE = 0x8864,
	NFLOG_PAYLOAD = 9,
	ARCNET_IP = 212,     // RFC 1201
	ARCNET_IP_OLD = 240, // RFC 1051
	ARCNET_IPV6 = 196,   // RFC 2497
	ARCNET_EXCEPTION = 0xff,
	DLT_RAW_BSD = 14, // DLT_RAW where BSD/OS numbers are used
};

static uint16_t be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

// An address family, written in the byte order of a machine we do not know. The numbers are AF_INET and the AF_INET6
// of Linux, NetBSD/OpenBSD, FreeBSD and macOS.
static uint16_t family_type(uint32_t family)
{
	if (family > 0xffff)
		family = __builtin_bswap32(family);
	switch (family) {
	case 2:
		return ETHERTYPE_IPV4;
	case 10:
	case 24:
	case 28:
	case 30:
		return ETHERTYPE_IPV6;
	default:
		return LINKTYPE_NONE;
	}
}

// Raw IP says what it is in its first four bits.
static uint16_t raw_type(const uint8_t *p, uint32_t len)
{
	if (len > 0 && p[0] >> 4 == 4)
		return ETHERTYPE_IPV4;
	return len > 0 && p[0] >> 4 == 6 ? ETHERTYPE_IPV6 : LINKTYPE_NONE;
}

// Address and control may be missing, and the upper byte of the protocol number (RFC 1661, 1662); 0x0f and 0x8f are
// Cisco's framing on the same lines.
static uint16_t ppp_header(const uint8_t *p, uint32_t len, uint32_t *io_skip)
{
	uint32_t at = *io_skip;
	uint16_t proto;

	if (len >= at + 4 && (p[at] == 0x0f || p[at] == 0x8f) && p[at + 1] == 0) {
		*io_skip = at + 4;
		return be16(p + at + 2);
	}
	if (len >= at + 2 && p[at] == 0xff && p[at + 1] == 0x03)
		at += 2;
	if (len < at + 2)
		return LINKTYPE_NONE;
	proto = p[at] & 1 ? p[at] : be16(p + at);
	*io_skip = at + (p[at] & 1 ? 1 : 2);
	switch (proto) {
	case 0x21:
		return ETHERTYPE_IPV4;
	case 0x57:
		return ETHERTYPE_IPV6;
	case 0x281:
		return ETHERTYPE_MPLS;
	default:
		return LINKTYPE_NONE;
	}
}

// Source, destination, offset, protocol; RFC 1201 adds a split flag and a sequence number, and a second set of them
// behind the flag 0xff.
static uint16_t arcnet_header(const uint8_t *p, uint32_t len, uint32_t *ret_skip)
{
	if (len < 9)
		return LINKTYPE_NONE;
	*ret_skip = p[4] == ARCNET_IP_OLD ? 5 : p[5] == ARCNET_EXCEPTION ? 12 : 8;
	if (p[4] == ARCNET_IPV6)
		return ETHERTYPE_IPV6;
	return p[4] == ARCNET_IP || p[4] == ARCNET_IP_OLD ? ETHERTYPE_IPV4 : LINKTYPE_NONE;
}

// Netfilter's log: attributes with length and type in host order, padded to four bytes; one of them is the packet.
static uint16_t nflog_header(const uint8_t *p, uint32_t len, uint32_t *ret_skip, uint32_t *ret_end)
{
	uint32_t at = 4;

	while (len >= 4 && at + 4 <= len) {
		uint16_t bytes, type;

		memcpy(&bytes, p + at, 2);
		memcpy(&type, p + at + 2, 2);
		if (bytes < 4)
			return LINKTYPE_NONE;
		if (type == NFLOG_PAYLOAD) {
			*ret_skip = at + 4;
			if (at + bytes < len)
				*ret_end = at + bytes;
			return p[0] == 2    ? ETHERTYPE_IPV4
			       : p[0] == 10 ? ETHERTYPE_IPV6
					    : LINKTYPE_NONE;
		}
		at += (bytes + 3u) & ~3u;
	}
	return LINKTYPE_NONE;
}

// Headers of fixed length: where in them the protocol stands.
static const struct row {
	int link;
	uint8_t bytes;
	uint8_t type_at;
} rows[] = {
	{DLT_LINUX_SLL, 16, 14},
	{DLT_LINUX_SLL2, 20, 0},
	{DLT_C_HDLC, 4, 2},
};

static const struct row *row_of(int link)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].link == link)
			return &rows[i];
	return NULL;
}

bool linktype_is_read(int link)
{
	switch (link) {
	case DLT_EN10MB:
	case DLT_RAW:
	case DLT_RAW_BSD:
	case DLT_IPV4:
	case DLT_IPV6:
	case DLT_NULL:
	case DLT_LOOP:
	case DLT_ENC:
	case DLT_PPP:
	case DLT_PPP_SERIAL:
	case DLT_PPP_WITH_DIR:
	case DLT_PPP_ETHER:
	case DLT_MPLS:
	case DLT_ARCNET_LINUX:
	case DLT_NFLOG:
		return true;
	default:
		return row_of(link) != NULL;
	}
}

uint16_t linktype_header(int link, const uint8_t *p, uint32_t len, uint32_t *ret_skip,
			 uint32_t *ret_end)
{
	const struct row *row = row_of(link);
	uint32_t skip = 0, end = len;
	uint16_t type = LINKTYPE_NONE;

	if (row != NULL && len >= row->bytes) {
		skip = row->bytes;
		type = be16(p + row->type_at);
	} else if ((link == DLT_NULL || link == DLT_LOOP || link == DLT_ENC) && len >= 4) {
		skip = link == DLT_ENC ? 12 : 4;
		type = family_type((uint32_t)be16(p) << 16 | be16(p + 2));
	} else if (link == DLT_PPP || link == DLT_PPP_SERIAL || link == DLT_PPP_WITH_DIR) {
		skip = link == DLT_PPP_WITH_DIR ? 1 : 0;
		type = ppp_header(p, len, &skip);
	} else if (link == DLT_PPP_ETHER) {
		type = ETHERTYPE_PPPOE;
	} else if (link == DLT_MPLS) {
		type = ETHERTYPE_MPLS;
	} else if (link == DLT_ARCNET_LINUX) {
		type = arcnet_header(p, len, &skip);
	} else if (link == DLT_NFLOG) {
		type = nflog_header(p, len, &skip, &end);
	} else if (row == NULL) {
		type = raw_type(p, len);
	}
	// Not even a link header: an empty frame of no protocol.
	if (skip > len || (row != NULL && skip == 0)) {
		skip = len;
		type = LINKTYPE_NONE;
	}
	*ret_skip = skip;
	*ret_end = end;
	return type;
}

// SPDX-License-Identifier: BSD-2-Clause
// Link headers of capture files that are not Ethernet: how long they are, and which ethertype follows.
#ifndef DATAPLANE_LINKTYPE_H
#define DATAPLANE_LINKTYPE_H

#include <stdbool.h>
#include <stdint.h>

enum {
	LINKTYPE_NONE = 0xffff, // an ethertype reserved by IANA: nothing takes it for a protocol
};

// link: a DLT_ number of libpcap.
bool linktype_is_read(int link);

// The header of a frame whose len bytes are at p. *ret_skip: its length, never more than len; *ret_end: where the bytes
// behind it end, never more than len. The ethertype, LINKTYPE_NONE if it is of no known protocol or cut.
uint16_t linktype_header(int link, const uint8_t *p, uint32_t len, uint32_t *ret_skip,
			 uint32_t *ret_end);

#endif

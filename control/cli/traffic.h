// SPDX-License-Identifier: BSD-2-Clause
// A capture made by hand: TCP connections over Ethernet and IPv4, as a pcap file.
#ifndef CONTROL_CLI_TRAFFIC_H
#define CONTROL_CLI_TRAFFIC_H

#include <stdint.h>
#include <stdio.h>

struct traffic {
	FILE *f; // the caller's; errors stay in it (ferror)
	uint64_t time_us;
	uint16_t ports[2]; // of the connection: client, server
	uint32_t seq[2];   // next of each side
};

// Write the head of the file.
void traffic_begin(struct traffic *t, FILE *f);

// A connection with its handshake; the one before is left as it is, unless traffic_close() has ended it.
void traffic_open(struct traffic *t, uint16_t server_port);
// Bytes of the client (0) or the server (1), in segments.
void traffic_send(struct traffic *t, int from, const void *data, size_t len);
void traffic_close(struct traffic *t);

#endif

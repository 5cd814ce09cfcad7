// SPDX-License-Identifier: BSD-2-Clause
// Capture files through libpcap, no DPDK: for replay, bench and the dataplane's pcap port.
#ifndef DATAPLANE_CAPTURE_H
#define DATAPLANE_CAPTURE_H

#include "common/diag.h"
#include "dataplane/engine/pipeline.h"

struct capture;

// Open a pcap or pcapng file of Ethernet, or of another link type that linktype.c reads.
// Other ones are refused. 0, -ENOENT, -EBADMSG, -ENOTSUP with ret_diag.
int capture_open(const char *path, struct capture **ret_capture, struct diag *ret_diag);
void capture_close(struct capture *c);

// Next frame, as Ethernet (other link types get an Ethernet header put before them), with PIPELINE_TAIL_BYTES readable
// behind it; valid until the next call. 1, 0 at the end of the file, -EBADMSG (ret_diag: file damaged or cut; what was
// read before stands).
int capture_next(struct capture *c, struct frame *ret_frame, struct diag *ret_diag);

// All frames of a file in memory: one block, frames point into it, each 64-byte aligned. For bench and preloading.
struct capture_set {
	struct frame *frames;
	size_t n;
	uint64_t bytes; // sum of len
	void *memory;
	size_t memory_bytes; // mapped
};
// 0; 1: the file is damaged or cut, the frames before that are loaded and ret_diag says where; errors of
// capture_open(), -EFBIG (more than 8 GiB), -ENOMEM.
int capture_load(const char *path, struct capture_set *ret_set, struct diag *ret_diag);
void capture_unload(struct capture_set *set);

// Rewrite the IPv4/IPv6 addresses and TCP ports of a frame in place so that round n of a loop is new flows, with
// checksums kept as right or wrong as they were (RFC 1624 incremental update). Round 0 changes nothing. Addresses keep
// their first 16 (IPv4) or 112 (IPv6) bits, ports below 32768 stay; frames that are not TCP over IP stay as they are.
// Idempotent per (frame, from_round, to_round): call with the round the frame is in and the one it shall be in.
void capture_rewrite_round(uint8_t *data, uint32_t len, uint32_t from_round, uint32_t to_round);

#endif

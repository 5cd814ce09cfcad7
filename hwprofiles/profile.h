// SPDX-License-Identifier: BSD-2-Clause
// What is known about a family of network cards: one libconfig file per family, checked when it is
// loaded. Data only, no DPDK types: the port code reads it, the doctor command prints it.
#ifndef HWPROFILES_PROFILE_H
#define HWPROFILES_PROFILE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/diag.h"

enum {
	PROFILE_SCHEMA = 1,
	PROFILE_DRIVERS_MAX = 8,
	PROFILE_QUIRKS_MAX = 16,
	PROFILE_QUEUES_MAX = 128,
};

// How far the values of a profile can be trusted.
enum profile_evidence {
	PROFILE_VALIDATED,  // run on the hardware
	PROFILE_EMULATED,   // run on an emulation of it or on a software driver
	PROFILE_DOCUMENTED, // from the sources and documents named in source
};

// Who makes both directions of a flow arrive on one worker.
enum profile_symmetric {
	PROFILE_SYMMETRIC_NIC,
	PROFILE_SYMMETRIC_SOFTWARE, // the workers hand frames to each other
	PROFILE_SYMMETRIC_KERNEL,
	PROFILE_SYMMETRIC_NONE, // one queue, or flows split beforehand
};

enum profile_rss_fields {
	PROFILE_RSS_IP,
	PROFILE_RSS_IP_PORT,
};

struct hwprofile {
	char name[32];
	char title[96];
	char source[256]; // where the values come from
	char driver[PROFILE_DRIVERS_MAX]
		   [32]; // DPDK driver names this profile is for; none: fallback for all
	uint32_t n_drivers;
	int evidence; // enum profile_evidence
	struct {
		int64_t desc;       // descriptors per queue
		int64_t desc_align; // the driver takes multiples of this
		int64_t desc_max;
		int64_t burst;       // frames asked for at a time
		int64_t free_thresh; // descriptors given back at a time; divides desc
		bool desc_pow2;      // the driver takes powers of two only
	} rx;
	struct {
		int64_t desc; // per queue, inline mode only
	} tx;
	struct {
		int64_t data_room; // bytes per buffer, headroom included
		int64_t cache;     // per-lcore cache of the pool
		int64_t tail_pad;  // bytes behind a frame that the scanner may read
	} mbuf;
	struct {
		int symmetric; // enum profile_symmetric
		char function[32];
		int fields; // enum profile_rss_fields
		int64_t key_len;
	} rss;
	struct {
		bool ip_csum, l4_csum, vlan_strip, scatter, lro, keep_crc, rss_hash;
	} offload;
	char quirk[PROFILE_QUIRKS_MAX][256]; // one sentence each
	uint32_t n_quirks;
};

// Read and check one profile. 0, -ENOENT and the like if it cannot be read, -EINVAL with ret_diag
// saying what to change. *ret_profile is written only on success.
int profile_load(const char *path, struct hwprofile *ret_profile, struct diag *ret_diag);

// The profile for a DPDK driver ("net_pcap") out of the *.cfg files of dir: the one that names the
// driver, else generic.cfg. A file that does not load is an error, whichever driver it is for; two
// that name the driver too.
int profile_load_dir(const char *dir, const char *driver, struct hwprofile *ret_profile,
		     struct diag *ret_diag);

// Buffers a pool needs so that no queue can run dry: per queue the receive and (ports_inline > 0)
// transmit descriptors of every port, two bursts in flight and the cache; rounded up to 2^n - 1,
// which a pool stores best. queues: receive queues of one port; ports_inline: 0 in tap mode, else
// the number of ports that forward.
uint32_t profile_mbufs(const struct hwprofile *profile, unsigned int queues,
		       unsigned int ports_inline);

// "documented", "software", ...
const char *profile_evidence_name(int evidence);
const char *profile_symmetric_name(int symmetric);

#endif

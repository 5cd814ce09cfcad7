// SPDX-License-Identifier: BSD-2-Clause
// What is known about a family of network cards: one libconfig file per family, checked when it is
// loaded. Data only, no DPDK types: the port code reads it, the doctor command prints it.
#ifndef HWPROFILES_PROFILE_H
#define HWPROFILES_PROFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/diag.h"

enum {
	PROFILE_SCHEMA = 1,
	PROFILE_DRIVERS_MAX = 8,
	PROFILE_PCI_MAX = 64,
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

// How the hash of a card is made symmetric.
enum profile_rss_method {
	PROFILE_RSS_CONF, // a key, when the port is configured
	PROFILE_RSS_FLOW, // rules of rte_flow, after the port has started
};

enum profile_rss_function {
	PROFILE_RSS_DEFAULT,
	PROFILE_RSS_TOEPLITZ,
	PROFILE_RSS_SYMMETRIC_TOEPLITZ,
};

enum profile_rss_key {
	PROFILE_KEY_6D5A,   // 0x6d5a repeated: Toeplitz with it is the same for both directions
	PROFILE_KEY_DRIVER, // whatever the driver sets
};

enum profile_bind {
	PROFILE_BIND_NONE,       // no PCI device
	PROFILE_BIND_VFIO,       // taken from the kernel
	PROFILE_BIND_BIFURCATED, // the kernel keeps it as well
};

struct hwprofile {
	char name[32];
	char title[96];
	char source[256]; // where the values come from
	char driver[PROFILE_DRIVERS_MAX]
		   [32]; // DPDK driver names this profile is for; none: fallback for all
	uint32_t n_drivers;
	char pci[PROFILE_PCI_MAX][16]; // "8086:10fb": of the cards of these drivers only these
	uint32_t n_pci;                // 0: all
	int evidence;                  // enum profile_evidence
	struct {
		int mode;               // enum profile_bind
		char kernel_driver[32]; // that has it before
		char package[64];       // Debian's, with the DPDK driver
		char firmware[96];      // file without which the driver does not start
	} bind;
	struct {
		int64_t desc;       // descriptors per queue
		int64_t desc_align; // the driver takes multiples of this
		int64_t desc_max;
		int64_t burst;       // frames asked for at a time
		int64_t burst_align; // which are a multiple of this
		int64_t free_thresh; // descriptors given back at a time; divides desc
		bool desc_pow2;      // the driver takes powers of two only
		int64_t max_queues;  // that its hash spreads over
		bool queues_pow2;    // the driver takes powers of two only
		bool one_buffer;     // frames that do not fit into one buffer are lost
	} rx;
	struct {
		int64_t desc; // per queue
		bool pairs; // the driver wants a queue to send for each to receive, in tap mode too
	} tx;
	struct {
		int64_t data_room; // bytes per buffer, headroom included
		int64_t cache;     // per-lcore cache of the pool
		int64_t tail_pad;  // bytes behind a frame that the scanner may read
		int64_t per_queue; // buffers, 0: computed, see profile_queue_mbufs()
	} mbuf;
	struct {
		int symmetric; // enum profile_symmetric
		int method;    // enum profile_rss_method
		int function;  // enum profile_rss_function, of rules
		int key;       // enum profile_rss_key
		int fields;    // enum profile_rss_fields
		int64_t key_len;
	} rss;
	struct {
		bool ip_csum, l4_csum, vlan_strip, scatter, lro;
		bool drop_flows; // rules of rte_flow drop a connection by its addresses and ports
	} offload;
	struct {
		int64_t up_timeout_s; // the link comes up so long after the start
	} link;
	char quirk[PROFILE_QUIRKS_MAX][256]; // one sentence each
	uint32_t n_quirks;
};

// Buffers that one queue of each direction keeps: descriptors (tx: of a sending queue, too), two
// bursts in flight and the cache.
uint64_t profile_queue_mbufs(const struct hwprofile *profile, bool tx);

// Read and check one profile. 0, -ENOENT and the like if it cannot be read, -EINVAL with ret_diag
// saying what to change. *ret_profile is written only on success.
int profile_load(const char *path, struct hwprofile *ret_profile, struct diag *ret_diag);

// The profile for a DPDK driver ("net_pcap") and a card ("8086:10fb", "" if it has no such number)
// out of the *.cfg files of dir: the one that names the card, else the one that names the driver and
// no cards, else generic.cfg. A file that does not load is an error, whichever driver it is for; two
// for the same card too.
int profile_load_dir(const char *dir, const char *driver, const char *pci,
		     struct hwprofile *ret_profile, struct diag *ret_diag);

// The folder of profiles: configured, if that is not ""; else ../share/wireglass/hwprofiles as seen from program_dir,
// where the program was installed, or ../hwprofiles, the source tree around a build. "" in buf if neither is there.
// Returns buf.
const char *profile_dir(const char *configured, const char *program_dir, char *buf, size_t size);

// Folder of the running program, "." if unknown. Returns buf.
const char *profile_program_dir(char *buf, size_t size);

// "documented", "software", ...
const char *profile_evidence_name(int evidence);
const char *profile_symmetric_name(int symmetric);

#endif

// SPDX-License-Identifier: BSD-2-Clause
// The life of rule sets in a running dataplane: load, publish, retire. Main lcore only.
//
//   offer -> ruleset_load() -> one release store (LIVE) -> old one: every worker has seen the new one
//         -> no body is bound to the old one, or the grace time is over and the workers let go -> freed (RETIRED)
//
// At most two are in memory. No DPDK here.
#ifndef DATAPLANE_SWAP_H
#define DATAPLANE_SWAP_H

#include <stdbool.h>
#include <stdint.h>

#include "common/diag.h"
#include "common/ipc.h"
#include "dataplane/offer.h"

struct dataplane;
struct ruleset;

struct swap {
	struct dataplane *dp;
	struct ruleset *old; // replaced, still bound by some worker; NULL if none
	uint64_t replaced_ns;
	uint64_t grace_ns;
	uint32_t releases;             // requests to let go so far
	bool asked;                    // one for old is under way
	struct ipc_ruleset_state live; // what control is told after its HELLO
};

void swap_init(struct swap *s, struct dataplane *dp, uint64_t grace_ns);

// Load an image and make it live. A sealed map goes to the rule set if this returns 0: its data is NULL then. digest NULL: the image's own. now_ns: monotonic, at the offer.
// Returns 0 or negative errno; *ret_state is what to tell control either way (LIVE or REFUSED).
int swap_load(struct swap *s, struct offer_map *map, const struct ipc_ruleset_offer *offer,
	      uint64_t now_ns, struct ipc_ruleset_state *ret_state);

// REFUSED with a text, for offers that are not loaded.
void swap_refuse(const struct ipc_ruleset_offer *offer, int error, const char *text,
		 struct ipc_ruleset_state *ret_state);

// Call often: frees the old rule set when nobody uses it. True: *ret_state (RETIRED) is to be sent.
bool swap_poll(struct swap *s, uint64_t now_ns, struct ipc_ruleset_state *ret_state);

// After the workers have left: free both.
void swap_done(struct swap *s);

#endif

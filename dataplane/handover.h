// SPDX-License-Identifier: BSD-2-Clause
// TCP segments that came in IP fragments, from the worker that put them together to the one of their flow. Fragments have no ports:
// who receives them keeps them, and they leave by him; what they make goes on through the inboxes, in order with the flow's frames.
#ifndef DATAPLANE_HANDOVER_H
#define DATAPLANE_HANDOVER_H

#include <stdbool.h>
#include <stdint.h>

struct pkt;
struct rte_mbuf;
struct worker;

// The pipeline_handover of the worker at ctx: it polls ports. A copy goes to the inbox of worker to, or is counted as lost.
void handover_put(void *ctx, uint32_t to, const struct pkt *pkt, uint64_t ts_ns);

uint32_t handover_owner(void *ctx, uint32_t frame_hash);

// Is this, out of an inbox, such a segment and no frame?
bool handover_is(const struct rte_mbuf *m);

// Inspect and free it.
void handover_take(struct worker *w, struct rte_mbuf *m);

#endif

// SPDX-License-Identifier: BSD-2-Clause
// In the buffer: what was parsed (struct pkt, of which the payload's address means nothing), then the payload.
#include "dataplane/handover.h"

#include <string.h>

#include <rte_mbuf.h>
#include <rte_ring.h>

#include "dataplane/engine/pkt.h"
#include "dataplane/mbufs.h"
#include "dataplane/worker.h"

enum {
	NO_PORT = UINT16_MAX, // as frame_meta.port
};

static bool put(struct worker *w, uint32_t to, const struct pkt *pkt, uint64_t ts_ns)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(w->dp->pool);
	char *head = m != NULL ? rte_pktmbuf_append(m, sizeof(*pkt)) : NULL;
	struct frame_meta *meta;

	if (head == NULL) {
		rte_pktmbuf_free(m);
		return false;
	}
	memcpy(head, pkt, sizeof(*pkt));
	meta = rte_mbuf_to_priv(m);
	*meta = (struct frame_meta){
		.ts_ns = ts_ns,
		.wire_len = pkt->frame_len,
		.port = NO_PORT,
	};
	if (mbufs_append(m, w->dp->pool, pkt->payload.data, (uint32_t)pkt->payload.len) &&
	    rte_ring_sp_enqueue(w->outbox[to], m) == 0)
		return true;
	rte_pktmbuf_free(m);
	return false;
}

void handover_put(void *ctx, uint32_t to, const struct pkt *pkt, uint64_t ts_ns)
{
	struct worker *w = ctx;

	w->counters->v[put(w, to, pkt, ts_ns) ? CNT_FRAG_HANDED : CNT_FRAG_NOT_HANDED]++;
}

uint32_t handover_owner(void *ctx, uint32_t frame_hash)
{
	const struct worker *w = ctx;

	return spread_owner(&w->dp->spread, frame_hash, w->index);
}

bool handover_is(const struct rte_mbuf *m)
{
	return ((const struct frame_meta *)rte_mbuf_to_priv((struct rte_mbuf *)(uintptr_t)m))
		       ->port == NO_PORT;
}

void handover_take(struct worker *w, struct rte_mbuf *m)
{
	const struct frame_meta *meta = rte_mbuf_to_priv(m);
	const uint32_t len = m->pkt_len - (uint32_t)sizeof(struct pkt);
	const uint8_t *payload;
	struct pkt pkt;

	memcpy(&pkt, rte_pktmbuf_mtod(m, void *), sizeof(pkt));
	// In the scratch buffer, unless it lies in one piece; nothing else is there between bursts.
	payload = rte_pktmbuf_read(m, sizeof(pkt), len, w->scratch);
	pkt.payload = span_of(payload, len);
	if (payload == w->scratch && len > w->scratch_stale)
		w->scratch_stale = len;
	if (w->dp->capture_time && meta->ts_ns > w->now_ns)
		w->now_ns = meta->ts_ns;
	pipeline_segment(w->pipe, &pkt, meta->ts_ns, w->now_ns);
	rte_pktmbuf_free(m);
}

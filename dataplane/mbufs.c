// SPDX-License-Identifier: BSD-2-Clause
#include "dataplane/mbufs.h"

#include <string.h>

#include <rte_mbuf.h>

bool mbufs_append(struct rte_mbuf *m, struct rte_mempool *pool, const uint8_t *p, uint32_t left)
{
	struct rte_mbuf *last = m;

	while (left > 0) {
		struct rte_mbuf *seg = rte_pktmbuf_alloc(pool);

		if (seg == NULL) {
			rte_pktmbuf_free(m->next);
			m->next = NULL;
			m->nb_segs = 1;
			m->pkt_len = m->data_len;
			return false;
		}
		uint32_t room = rte_pktmbuf_tailroom(seg);
		uint32_t n = left < room ? left : room;

		memcpy(rte_pktmbuf_mtod(seg, void *), p, n);
		seg->data_len = (uint16_t)n;
		last->next = seg;
		last = seg;
		m->nb_segs++;
		m->pkt_len += n;
		p += n;
		left -= n;
	}
	return true;
}

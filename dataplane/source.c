// SPDX-License-Identifier: BSD-2-Clause
// Frames of a capture file in memory, copied into mbufs one burst after the other.
//
// Copies, not external buffers: each round rewrites the addresses, and a frame of the round before may still be on its
// way to another worker. Round r is always made from the original (round 0), so nothing adds up.
#include "dataplane/source.h"

#include <errno.h>
#include <stdlib.h>

#include <rte_mbuf.h>

#include "dataplane/capture.h"
#include "dataplane/mbufs.h"
#include "dataplane/worker.h"

enum {
	ROUND_PAUSE_NS = 1000000, // between the last frame of a round and the first of the next
};

struct source {
	struct capture_set set;
	uint64_t period_ns; // what a round adds to the time stamps
	size_t next;        // frame
	uint32_t round, rounds;
	uint16_t port;
};

int source_open(const char *path, uint32_t rounds, uint16_t port, struct source **ret_source,
		struct diag *ret_diag)
{
	struct source *s = calloc(1, sizeof(*s));
	uint64_t min = UINT64_MAX, max = 0;
	int rc;

	if (s == NULL)
		return -ENOMEM;
	rc = capture_load(path, &s->set, ret_diag);
	if (rc < 0) {
		free(s);
		return rc;
	}
	for (size_t i = 0; i < s->set.n; i++) {
		uint64_t ts = s->set.frames[i].ts_ns;

		min = ts < min ? ts : min;
		max = ts > max ? ts : max;
	}
	s->period_ns = s->set.n > 0 ? max - min + ROUND_PAUSE_NS : 0;
	s->rounds = s->set.n > 0 ? rounds : 0;
	s->port = port;
	*ret_source = s;
	return rc;
}

void source_close(struct source *s)
{
	if (s == NULL)
		return;
	capture_unload(&s->set);
	free(s);
}

bool source_ended(const struct source *s)
{
	return s->round >= s->rounds;
}

uint64_t source_first_ns(const struct source *s)
{
	return s->set.n > 0 ? s->set.frames[0].ts_ns : 0;
}

// The addresses lie in the first mbuf: it is rewritten alone. A checksum changes by what the addresses change, so the
// rest of the frame is not needed.
static bool copy_frame(const struct source *s, const struct frame *f, struct rte_mempool *pool,
		       struct rte_mbuf *m)
{
	uint32_t room = rte_pktmbuf_tailroom(m);
	struct frame_meta *meta = rte_mbuf_to_priv(m);
	uint32_t n;

	room -= room > PIPELINE_TAIL_BYTES ? PIPELINE_TAIL_BYTES : 0; // inspected in place
	n = f->len < room ? f->len : room;
	memcpy(rte_pktmbuf_mtod(m, void *), f->data, n);
	m->data_len = (uint16_t)n;
	m->pkt_len = n;
	if (n < f->len && !mbufs_append(m, pool, f->data + n, f->len - n))
		return false;
	capture_rewrite_round(rte_pktmbuf_mtod(m, uint8_t *), n, 0, s->round);
	meta->ts_ns = f->ts_ns + s->round * s->period_ns;
	meta->wire_len = f->wire_len;
	meta->port = s->port;
	return true;
}

uint16_t source_rx(struct source *s, struct rte_mempool *pool, struct rte_mbuf **mbufs, uint16_t n)
{
	size_t left = source_ended(s) ? 0 : s->set.n - s->next;
	uint16_t done = 0;

	n = left < n ? (uint16_t)left : n;
	if (n == 0 || rte_pktmbuf_alloc_bulk(pool, mbufs, n) != 0)
		return 0;
	while (done < n && copy_frame(s, &s->set.frames[s->next + done], pool, mbufs[done]))
		done++;
	if (done < n)
		rte_pktmbuf_free_bulk(mbufs + done, n - done);
	s->next += done;
	if (s->next == s->set.n) {
		s->next = 0;
		s->round++;
	}
	return done;
}

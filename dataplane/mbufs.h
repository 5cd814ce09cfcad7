// SPDX-License-Identifier: BSD-2-Clause
// Bytes in chains of packet buffers.
#ifndef DATAPLANE_MBUFS_H
#define DATAPLANE_MBUFS_H

#include <stdbool.h>
#include <stdint.h>

struct rte_mbuf;
struct rte_mempool;

// Put so many bytes at p behind m, which is a single buffer, into as many more of pool as they need. False: the pool is
// empty, m is as it was.
bool mbufs_append(struct rte_mbuf *m, struct rte_mempool *pool, const uint8_t *p, uint32_t left);

#endif

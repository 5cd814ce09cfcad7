// SPDX-License-Identifier: BSD-2-Clause
// A capture file as a port: preloaded, played as fast as it is read, one round or many.
#ifndef DATAPLANE_SOURCE_H
#define DATAPLANE_SOURCE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/diag.h"

struct rte_mbuf;
struct rte_mempool;
struct source;

// Load the file. rounds: how often it is played, each round with other addresses and later times.
// 0; 1: loaded, but the file is damaged at its end and ret_diag says where; negative errno with ret_diag.
int source_open(const char *path, uint32_t rounds, uint16_t port, struct source **ret_source,
		struct diag *ret_diag);
void source_close(struct source *s);

// Up to n frames, copied into mbufs of pool (chained if one is too small), their struct frame_meta filled.
// 0 when the pool is empty or the source has ended.
uint16_t source_rx(struct source *s, struct rte_mempool *pool, struct rte_mbuf **mbufs, uint16_t n);

bool source_ended(const struct source *s);

// Time stamp of the first frame, 0 if there is none.
uint64_t source_first_ns(const struct source *s);

#endif

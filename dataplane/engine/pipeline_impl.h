// SPDX-License-Identifier: BSD-2-Clause
// Private to pipeline*.c.
#ifndef ENGINE_PIPELINE_IMPL_H
#define ENGINE_PIPELINE_IMPL_H

#include "dataplane/engine/conn_proto.h"
#include "dataplane/engine/frag.h"
#include "dataplane/engine/pipeline.h"

struct pipeline {
	struct pipeline_conf conf;
	struct counters counters;
	struct pkt_conf pkt_conf;
	struct frag_table frags;
	struct flow_table flows;
	struct pool cells, gathers, windows, inspects, actives, watches, watchsets, flowvars;
	struct pool histories;
	struct tcp_ctx tcp;
	struct ruleset *rs; // as set, whether the last stage has a use for it or not
	enum pipeline_stage last;
	struct detect detect;
	struct http_parser parser;
	struct conn_ctx conn;
	struct ring hits, events, elephants;
	uint64_t flow_ids;
	uint64_t alt_second;             // of the clock of packets
	uint32_t alt_bytes;              // scanned as other readings in it
	struct pipeline_verdict verdict; // of the burst
	unsigned int frame;              // of the burst, whose packet is being looked at
	bool stale; // something was inspected since the working buffers were wiped
	uint8_t *bounce;
	struct evp_md_st *digests[LIST_SHA256 + 1];
};

// One packet that parsed, through its flow. hash: flow_hash() of its key.
void pipeline_packet(struct pipeline *p, const struct frame *frame, struct pkt *pkt, uint32_t hash,
		     uint64_t now_ns);

// What waits is inspected, what is open ends, the record goes.
void pipeline_flow_close(struct pipeline *p, struct flow *f, enum flow_reason reason);

#endif

// SPDX-License-Identifier: BSD-2-Clause
// Rules of rte_flow: this address and port to that one is dropped, and counted by the drivers that count. What they take is only
// known when it is tried: each port begins with what tells most and remembers what it had to do without.
#include "dataplane/offload_card.h"

#include <string.h>

#include <rte_flow.h>

#include "dataplane/port.h"

// Of what a rule would best have, the later ones are left out: first the counter.
enum { LEVEL_COUNTED, LEVEL_PLAIN, LEVEL_N };

static struct rte_flow *make(uint16_t port_id, const struct offload_match *m, int level)
{
	const struct rte_flow_attr attr = {.ingress = 1};
	struct rte_flow_item_ipv4 v4 = {0}, v4_mask = {0};
	struct rte_flow_item_ipv6 v6 = {0}, v6_mask = {0};
	const struct rte_flow_item_tcp tcp = {.hdr = {.src_port = rte_cpu_to_be_16(m->sport),
						      .dst_port = rte_cpu_to_be_16(m->dport)}},
				       tcp_mask = {.hdr = {.src_port = 0xffff, .dst_port = 0xffff}};
	struct rte_flow_item pattern[] = {
		{.type = RTE_FLOW_ITEM_TYPE_ETH},
		{.type = RTE_FLOW_ITEM_TYPE_IPV4, .spec = &v4, .mask = &v4_mask},
		{.type = RTE_FLOW_ITEM_TYPE_TCP, .spec = &tcp, .mask = &tcp_mask},
		{.type = RTE_FLOW_ITEM_TYPE_END},
	};
	const struct rte_flow_action_count counter = {0};
	const struct rte_flow_action actions[] = {
		{.type = RTE_FLOW_ACTION_TYPE_COUNT, .conf = &counter},
		{.type = RTE_FLOW_ACTION_TYPE_DROP},
		{.type = RTE_FLOW_ACTION_TYPE_END},
	};
	struct rte_flow_error error = {0};

	memcpy(&v4.hdr.src_addr, m->src, sizeof(v4.hdr.src_addr));
	memcpy(&v4.hdr.dst_addr, m->dst, sizeof(v4.hdr.dst_addr));
	memcpy(v6.hdr.src_addr, m->src, sizeof(v6.hdr.src_addr));
	memcpy(v6.hdr.dst_addr, m->dst, sizeof(v6.hdr.dst_addr));
	v4_mask.hdr.src_addr = v4_mask.hdr.dst_addr = UINT32_MAX;
	memset(v6_mask.hdr.src_addr, 0xff, sizeof(v6_mask.hdr.src_addr));
	memset(v6_mask.hdr.dst_addr, 0xff, sizeof(v6_mask.hdr.dst_addr));
	if (m->is_v6)
		pattern[1] = (struct rte_flow_item){
			.type = RTE_FLOW_ITEM_TYPE_IPV6, .spec = &v6, .mask = &v6_mask};
	return rte_flow_create(port_id, &attr, pattern, actions + (level == LEVEL_PLAIN), &error);
}

static void *card_drop(void *ctx, uint32_t port, const struct offload_match *match)
{
	struct offload_card *c = ctx;

	for (uint8_t level = c->level[port]; level < LEVEL_N; level++) {
		struct rte_flow *flow = make(c->ports[port].id, match, level);

		if (flow == NULL)
			continue;
		c->level[port] = level;
		return flow;
	}
	return NULL;
}

static bool card_count(void *ctx, uint32_t port, void *rule, uint64_t *ret_pkts,
		       uint64_t *ret_bytes)
{
	const struct offload_card *c = ctx;
	const struct rte_flow_action count[] = {{.type = RTE_FLOW_ACTION_TYPE_COUNT},
						{.type = RTE_FLOW_ACTION_TYPE_END}};
	struct rte_flow_query_count result = {0};
	struct rte_flow_error error;

	if (c->level[port] != LEVEL_COUNTED ||
	    rte_flow_query(c->ports[port].id, rule, count, &result, &error) != 0)
		return false;
	*ret_pkts = result.hits;
	*ret_bytes = result.bytes;
	return true;
}

static void card_undo(void *ctx, uint32_t port, void *rule)
{
	const struct offload_card *c = ctx;
	struct rte_flow_error error;

	(void)rte_flow_destroy(c->ports[port].id, rule, &error);
}

const struct offload_ops offload_card_ops = {
	.drop = card_drop, .count = card_count, .undo = card_undo};

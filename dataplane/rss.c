// SPDX-License-Identifier: BSD-2-Clause
// Toeplitz combines windows of 32 bits of the key by the bits of the tuple. With a key that repeats every 16 bits,
// exchanging what is a multiple of 16 bits apart (addresses, ports) changes nothing: 0x6d5a, repeated.
//
// A profile is a claim. What the device reports is checked against it here, what it does with traffic in spread.c.
#include "dataplane/rss.h"

#include <string.h>

#include <rte_ethdev.h>
#include <rte_flow.h>
#include <rte_thash.h>

enum {
	SAMPLES = 64,
	V4_WORDS = 2, // addresses, then a word of both ports
	V6_WORDS = 8,
};

static const uint64_t BY_ADDRESS = RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_FRAG_IPV4 |
				   RTE_ETH_RSS_NONFRAG_IPV4_OTHER | RTE_ETH_RSS_IPV6 |
				   RTE_ETH_RSS_FRAG_IPV6 | RTE_ETH_RSS_NONFRAG_IPV6_OTHER |
				   RTE_ETH_RSS_IPV6_EX;
static const uint64_t BY_PORT = RTE_ETH_RSS_NONFRAG_IPV4_TCP | RTE_ETH_RSS_NONFRAG_IPV6_TCP;

static uint64_t fields(const struct hwprofile *nic)
{
	return nic->rss.fields == PROFILE_RSS_IP_PORT ? BY_ADDRESS | BY_PORT : BY_ADDRESS;
}

bool rss_fill(const struct hwprofile *nic, const struct rte_eth_dev_info *info,
	      uint8_t key[RSS_KEY_MAX], struct rte_eth_conf *conf)
{
	const uint64_t hf = fields(nic) & info->flow_type_rss_offloads;

	if (hf == 0 ||
	    (info->hash_key_size != 0 && info->hash_key_size != (uint8_t)nic->rss.key_len))
		return false;
	for (int i = 0; i < RSS_KEY_MAX; i++)
		key[i] = i % 2 == 0 ? 0x6d : 0x5a;
	conf->rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
	conf->rx_adv_conf.rss_conf = (struct rte_eth_rss_conf){
		.rss_key = nic->rss.key == PROFILE_KEY_6D5A ? key : NULL,
		.rss_key_len = nic->rss.key == PROFILE_KEY_6D5A ? (uint8_t)nic->rss.key_len : 0,
		.rss_hf = hf,
	};
	return true;
}

// One rule per version of IP: all its packets, over all queues.
static int make_rule(const struct hwprofile *nic, uint16_t port_id, uint16_t queues, bool is_v6,
		     struct rte_flow_error *ret_error)
{
	static const enum rte_eth_hash_function functions[] = {
		[PROFILE_RSS_DEFAULT] = RTE_ETH_HASH_FUNCTION_DEFAULT,
		[PROFILE_RSS_TOEPLITZ] = RTE_ETH_HASH_FUNCTION_TOEPLITZ,
		[PROFILE_RSS_SYMMETRIC_TOEPLITZ] = RTE_ETH_HASH_FUNCTION_SYMMETRIC_TOEPLITZ,
	};
	const bool own_key = nic->rss.key == PROFILE_KEY_6D5A &&
			     nic->rss.function != PROFILE_RSS_SYMMETRIC_TOEPLITZ;
	const struct rte_flow_attr attr = {.ingress = 1};
	const struct rte_flow_item pattern[] = {
		{.type = RTE_FLOW_ITEM_TYPE_ETH},
		{.type = is_v6 ? RTE_FLOW_ITEM_TYPE_IPV6 : RTE_FLOW_ITEM_TYPE_IPV4},
		{.type = RTE_FLOW_ITEM_TYPE_END},
	};
	uint8_t key[RSS_KEY_MAX];
	uint16_t queue[PROFILE_QUEUES_MAX];
	struct rte_flow_action_rss rss = {
		.func = functions[nic->rss.function],
		.types = is_v6 ? RTE_ETH_RSS_IPV6 : RTE_ETH_RSS_IPV4,
		.key = own_key ? key : NULL,
		.key_len = own_key ? (uint32_t)nic->rss.key_len : 0,
		.queue = queue,
		.queue_num = queues,
	};
	const struct rte_flow_action actions[] = {
		{.type = RTE_FLOW_ACTION_TYPE_RSS, .conf = &rss},
		{.type = RTE_FLOW_ACTION_TYPE_END},
	};

	for (int i = 0; i < RSS_KEY_MAX; i++)
		key[i] = i % 2 == 0 ? 0x6d : 0x5a;
	for (uint16_t i = 0; i < queues; i++)
		queue[i] = i;
	return rte_flow_create(port_id, &attr, pattern, actions, ret_error) != NULL ? 0 : -1;
}

int rss_verify(const struct hwprofile *nic, uint16_t port_id, uint16_t queues,
	       struct diag *ret_diag)
{
	_Alignas(4) uint8_t key[RSS_KEY_MAX] = {0};
	struct rte_eth_rss_conf conf = {.rss_key = key, .rss_key_len = sizeof(key)};

	for (int v6 = 0; v6 < 2 && nic->rss.method == PROFILE_RSS_FLOW; v6++) {
		struct rte_flow_error error = {0};

		if (make_rule(nic, port_id, queues, v6 != 0, &error) == 0)
			continue;
		diag_set(ret_diag, NULL, 0, 0, "the card takes no rule for its hash (%s)",
			 error.message != NULL ? error.message : "no reason given");
		return 1;
	}
	// A function that is symmetric by itself, or by the driver's doing, needs no such key.
	if (nic->rss.key == PROFILE_KEY_DRIVER ||
	    (nic->rss.method == PROFILE_RSS_FLOW &&
	     nic->rss.function == PROFILE_RSS_SYMMETRIC_TOEPLITZ))
		return 0;
	if (rte_eth_dev_rss_hash_conf_get(port_id, &conf) != 0)
		return 0; // some drivers keep it to themselves
	if (conf.rss_hf == 0 || !rss_key_is_symmetric(key, (uint32_t)nic->rss.key_len)) {
		diag_set(ret_diag, NULL, 0, 0, "the card has another hash key than it was given");
		return 1;
	}
	return 0;
}

// The words of a tuple with source and destination exchanged: addresses of half words each, then the ports.
static void turn(const uint32_t *tuple, uint32_t addresses, uint32_t *ret)
{
	const uint32_t half = addresses / 2;

	memcpy(ret, tuple + half, half * sizeof(*tuple));
	memcpy(ret + half, tuple, half * sizeof(*tuple));
	ret[addresses] = tuple[addresses] << 16 | tuple[addresses] >> 16;
}

bool rss_key_is_symmetric(const uint8_t *key, uint32_t len)
{
	static const uint32_t addresses[] = {V4_WORDS, V6_WORDS};
	uint32_t x = 0x9e3779b9, tuple[V6_WORDS + 1], back[V6_WORDS + 1];

	if (len < (V6_WORDS + 1 + 1) * sizeof(uint32_t)) // a window is read beyond the tuple
		return false;
	for (unsigned int i = 0; i < SAMPLES; i++) {
		const uint32_t n = addresses[i % 2];

		for (unsigned int k = 0; k <= n; k++) {
			x = x * 1664525 + 1013904223; // a plain sequence: any tuple will do
			tuple[k] = x ^ x >> 15;
		}
		turn(tuple, n, back);
		for (uint32_t words = n; words <= n + 1; words++)
			if (rte_softrss(tuple, words, key) != rte_softrss(back, words, key))
				return false;
	}
	return true;
}

// SPDX-License-Identifier: BSD-2-Clause
// The hash of a card: which keys are symmetric, what a port is configured with by its profile, and what makes it fall
// back. The two calls into DPDK are recorded here instead of made.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <rte_ethdev.h>
#include <rte_flow.h>

#include "dataplane/rss.h"

static struct {
	unsigned int rules;
	bool refuses;
	enum rte_flow_item_type ip[4];
	struct rte_flow_action_rss rss[4];
	uint16_t last_queue;
	_Alignas(4) uint8_t key[RSS_KEY_MAX]; // the device's
	uint64_t hf;
	int get;
} card;

struct rte_flow *rte_flow_create(uint16_t port_id, const struct rte_flow_attr *attr,
				 const struct rte_flow_item pattern[],
				 const struct rte_flow_action actions[],
				 struct rte_flow_error *error)
{
	assert_int_equal(port_id, 3);
	assert_true(attr->ingress);
	if (card.refuses) {
		error->message = "not today";
		return NULL;
	}
	card.ip[card.rules] = pattern[1].type;
	card.rss[card.rules] = *(const struct rte_flow_action_rss *)actions[0].conf;
	card.last_queue = card.rss[card.rules].queue[card.rss[card.rules].queue_num - 1];
	card.rules++;
	return (struct rte_flow *)&card;
}

int rte_eth_dev_rss_hash_conf_get(uint16_t port_id, struct rte_eth_rss_conf *conf)
{
	assert_int_equal(port_id, 3);
	memcpy(conf->rss_key, card.key, conf->rss_key_len);
	conf->rss_hf = card.hf;
	return card.get;
}

static const struct hwprofile by_conf = {
	.rss = {.symmetric = PROFILE_SYMMETRIC_NIC, .method = PROFILE_RSS_CONF, .key_len = 40}};

static void good_card(void)
{
	memset(&card, 0, sizeof(card));
	for (int i = 0; i < RSS_KEY_MAX; i++)
		card.key[i] = i % 2 == 0 ? 0x6d : 0x5a;
	card.hf = RTE_ETH_RSS_IPV4;
}

static void test_keys(void **state)
{
	// Intel's and Microsoft's usual keys
	static _Alignas(4) const uint8_t usual[40] = {
		0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3,
		0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3,
		0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa};
	_Alignas(4) uint8_t key[RSS_KEY_MAX];

	good_card();
	memcpy(key, card.key, sizeof(key));
	assert_true(rss_key_is_symmetric(key, 40));
	assert_true(rss_key_is_symmetric(key, 52));
	assert_false(rss_key_is_symmetric(key, 36)); // too short for IPv6 with ports
	assert_false(rss_key_is_symmetric(usual, sizeof(usual)));
	// one bit anywhere that a tuple can reach
	for (int bit = 0; bit < 40 * 8 - 1; bit++) {
		key[bit / 8] ^= (uint8_t)(0x80u >> bit % 8);
		if (rss_key_is_symmetric(key, 40))
			fail_msg("bit %d", bit);
		key[bit / 8] ^= (uint8_t)(0x80u >> bit % 8);
	}
}

static void test_fill(void **state)
{
	struct rte_eth_dev_info info = {
		.hash_key_size = 40,
		.flow_type_rss_offloads = RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_NONFRAG_IPV4_TCP,
	};
	struct rte_eth_conf conf = {0};
	struct hwprofile p = by_conf;
	uint8_t key[RSS_KEY_MAX];

	assert_true(rss_fill(&p, &info, key, &conf));
	assert_int_equal(conf.rxmode.mq_mode, RTE_ETH_MQ_RX_RSS);
	assert_ptr_equal(conf.rx_adv_conf.rss_conf.rss_key, key);
	assert_int_equal(conf.rx_adv_conf.rss_conf.rss_key_len, 40);
	assert_int_equal(conf.rx_adv_conf.rss_conf.rss_hf, RTE_ETH_RSS_IPV4);
	p.rss.fields = PROFILE_RSS_IP_PORT;
	assert_true(rss_fill(&p, &info, key, &conf));
	assert_int_equal(conf.rx_adv_conf.rss_conf.rss_hf,
			 RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_NONFRAG_IPV4_TCP);
	p.rss.key = PROFILE_KEY_DRIVER;
	assert_true(rss_fill(&p, &info, key, &conf));
	assert_null(conf.rx_adv_conf.rss_conf.rss_key);

	memset(&conf, 0, sizeof(conf));
	info.hash_key_size = 52; // not what the profile says
	assert_false(rss_fill(&by_conf, &info, key, &conf));
	info.hash_key_size = 0; // the driver does not say
	assert_true(rss_fill(&by_conf, &info, key, &conf));
	memset(&conf, 0, sizeof(conf));
	info.flow_type_rss_offloads = RTE_ETH_RSS_L2_PAYLOAD;
	assert_false(rss_fill(&by_conf, &info, key, &conf));
	assert_int_equal(conf.rxmode.mq_mode, RTE_ETH_MQ_RX_NONE);
}

static void test_verify(void **state)
{
	struct diag diag = {.text = ""};

	good_card();
	assert_int_equal(rss_verify(&by_conf, 3, 8, &diag), 0);
	assert_int_equal(card.rules, 0);
	card.key[17] ^= 1;
	assert_int_equal(rss_verify(&by_conf, 3, 8, &diag), 1);
	assert_non_null(strstr(diag.text, "another hash key"));
	good_card();
	card.hf = 0;
	assert_int_equal(rss_verify(&by_conf, 3, 8, &diag), 1);
	card.get = -95; // it does not say: traffic will tell
	assert_int_equal(rss_verify(&by_conf, 3, 8, &diag), 0);
}

static void test_rules(void **state)
{
	struct hwprofile p = by_conf;
	struct diag diag = {.text = ""};

	p.rss.method = PROFILE_RSS_FLOW;
	p.rss.function = PROFILE_RSS_TOEPLITZ;
	good_card();
	assert_int_equal(rss_verify(&p, 3, 8, &diag), 0);
	assert_int_equal(card.rules, 2);
	assert_int_equal(card.ip[0], RTE_FLOW_ITEM_TYPE_IPV4);
	assert_int_equal(card.ip[1], RTE_FLOW_ITEM_TYPE_IPV6);
	assert_int_equal(card.rss[0].types, RTE_ETH_RSS_IPV4);
	assert_int_equal(card.rss[1].types, RTE_ETH_RSS_IPV6);
	assert_int_equal(card.rss[1].func, RTE_ETH_HASH_FUNCTION_TOEPLITZ);
	assert_int_equal(card.rss[1].key_len, 40);
	assert_int_equal(card.rss[1].queue_num, 8);
	assert_int_equal(card.last_queue, 7);

	p.rss.function = PROFILE_RSS_SYMMETRIC_TOEPLITZ; // whatever its key is
	good_card();
	memset(card.key, 0x11, sizeof(card.key));
	assert_int_equal(rss_verify(&p, 3, 1, &diag), 0);
	assert_int_equal(card.rss[0].func, RTE_ETH_HASH_FUNCTION_SYMMETRIC_TOEPLITZ);
	assert_int_equal(card.rss[0].key_len, 0);

	card.refuses = true;
	assert_int_equal(rss_verify(&p, 3, 1, &diag), 1);
	assert_non_null(strstr(diag.text, "not today"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_fill),
		cmocka_unit_test(test_verify),
		cmocka_unit_test(test_rules),
	};

	return cmocka_run_group_tests_name("rss", tests, NULL, NULL);
}

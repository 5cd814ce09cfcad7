// SPDX-License-Identifier: BSD-2-Clause
// The hash of a card, made symmetric: both directions of a flow get the same value, and so the same queue.
#ifndef DATAPLANE_RSS_H
#define DATAPLANE_RSS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/diag.h"
#include "hwprofiles/profile.h"

struct rte_eth_conf;
struct rte_eth_dev_info;

enum { RSS_KEY_MAX = 52 };

// Put into *conf what the profile says; *key must live until the port is configured. False: the device cannot hash by
// addresses, or its key has another length than the profile says; *conf is as it was.
bool rss_fill(const struct hwprofile *nic, const struct rte_eth_dev_info *info,
	      uint8_t key[RSS_KEY_MAX], struct rte_eth_conf *conf);

// After the port has started: rules, where the profile wants them, and what the device says about itself. 0: to be
// believed, as far as can be known without traffic; 1: not, and ret_diag says why.
int rss_verify(const struct hwprofile *nic, uint16_t port_id, uint16_t queues,
	       struct diag *ret_diag);

// Toeplitz with this key over a number of tuples, IPv4 and IPv6, with and without ports: is it the same for both directions?
bool rss_key_is_symmetric(const uint8_t *key, uint32_t len);

#endif

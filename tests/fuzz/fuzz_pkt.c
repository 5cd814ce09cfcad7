// SPDX-License-Identifier: BSD-2-Clause
// Any bytes as an Ethernet frame. What is taken must lie inside the frame and have a canonical key, with or without
// checksums, and both must agree on it.
#include <stdlib.h>
#include <string.h>

#include "dataplane/engine/pkt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void check(const struct frame *f, const struct pkt *p)
{
	const struct flow_key *k = &p->key;
	int order = memcmp(k->lo, k->hi, sizeof(k->lo));

	require(p->payload.len == 0 || (p->payload.data >= f->data &&
					p->payload.data + p->payload.len <= f->data + f->len));
	require(order < 0 || (order == 0 && k->lo_port <= k->hi_port));
	require(p->is_ipv6 == ((k->net & FLOW_NET_IPV6) != 0));
	require(p->wscale <= 14);
	require(p->frame_len == f->wire_len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint64_t key[2] = {1, 2};
	struct frame f = {.data = data, .len = (uint32_t)size, .wire_len = (uint32_t)size};
	static struct counters counters;
	const struct pkt_conf verify = {.counters = &counters, .verify_checksums = true};
	const struct pkt_conf trust = {.counters = &counters};
	struct pkt strict, lax;
	struct pkt_fragment piece;
	enum counter with, without;

	if (size > UINT16_MAX)
		return 0;
	with = pkt_parse(&verify, &f, &strict, &piece);
	without = pkt_parse(&trust, &f, &lax, &piece);
	require(with == without || with == CNT_PKT_BAD_CSUM);
	if (without == CNT_PKT_TCP)
		check(&f, &lax);
	if (with == CNT_PKT_TCP)
		require(memcmp(&strict.key, &lax.key, sizeof(lax.key)) == 0 &&
			strict.seq == lax.seq);
	f.csum = FRAME_CSUM_GOOD;
	require(pkt_parse(&verify, &f, &strict, &piece) == without);
	f.wire_len++;
	require(pkt_parse(&trust, &f, &lax, &piece) ==
		(without == CNT_PKT_SHORT ? CNT_PKT_TRUNCATED : without));
	require(pipeline_frame_hash(&f, key) == pipeline_frame_hash(&f, key));
	return 0;
}

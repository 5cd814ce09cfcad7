// SPDX-License-Identifier: BSD-2-Clause
// Any bytes as an Ethernet frame. What is taken must lie inside the frame and have a canonical key, with or without
// checksums, and both must agree on it. A fragment lies inside the frame, too, and is cut in two and put together again.
#include <stdlib.h>
#include <string.h>

#include "dataplane/engine/frag.h"
#include "dataplane/engine/tunnel.h"

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

// The frame's fragment as the first of two, then the second: whatever is made of it lies in the table's memory.
static void put_together(const struct pkt_conf *c, const struct frame *f,
			 struct pkt_fragment *piece)
{
	enum { DATAGRAMS = 64 };
	static struct frag_table table;
	static struct counters counters;
	static void *memory;
	struct pkt_fragment rest = *piece;
	struct pkt pkt;
	enum counter verdict;

	require(piece->data.len == 0 || (piece->data.data >= f->data &&
					 piece->data.data + piece->data.len <= f->data + f->len));
	require(piece->depth <= TUNNEL_DEPTH_MAX && piece->offset % 8 == 0);
	if (memory == NULL && posix_memalign(&memory, 64, frag_table_bytes(DATAGRAMS)) != 0)
		abort();
	frag_table_init(&table, memory, DATAGRAMS, 1, &counters);
	piece->offset = 0;
	piece->more = true;
	rest.data = span_from(piece->data, piece->data.len & ~(size_t)7);
	rest.offset = (uint32_t)(piece->data.len & ~(size_t)7);
	rest.more = false;
	verdict = frag_packet(&table, c, f, piece, 1, &pkt);
	require(verdict != CNT_PKT_TCP);
	verdict = frag_packet(&table, c, f, &rest, 1, &pkt);
	if (verdict == CNT_PKT_TCP)
		require(pkt.payload.len == 0 ||
			(pkt.payload.data >= table.whole &&
			 pkt.payload.data + pkt.payload.len <= table.whole + FRAG_DATAGRAM_MAX));
	frag_flush(&table);
	require(table.datagrams.used == 0 && table.blocks.used == 0);
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
	bool fragment;

	if (size > UINT16_MAX)
		return 0;
	with = pkt_parse_verified(&verify, &f, &strict, &piece);
	without = pkt_parse_verified(&trust, &f, &lax, &piece);
	require(with == without || with == CNT_PKT_BAD_CSUM);
	if (without == CNT_PKT_TCP)
		check(&f, &lax);
	if (without == CNT_PKT_FRAGMENT)
		put_together(&trust, &f, &piece);
	if (with == CNT_PKT_TCP)
		require(memcmp(&strict.key, &lax.key, sizeof(lax.key)) == 0 &&
			strict.seq == lax.seq);
	f.csum = FRAME_CSUM_GOOD;
	with = pkt_parse_verified(&verify, &f, &strict,
				  &piece); // that says nothing about a packet in a tunnel
	require(with == without || with == CNT_PKT_BAD_CSUM);
	f.wire_len++;
	require(pkt_parse_verified(&trust, &f, &lax, &piece) ==
		(without == CNT_PKT_SHORT ? CNT_PKT_TRUNCATED : without));
	require(pipeline_frame_hash(&f, key, &fragment) == pipeline_frame_hash(&f, key, &fragment));
	return 0;
}

// SPDX-License-Identifier: BSD-2-Clause
// A flow is dropped on all ports that can, or on none: a tap may see its directions on two ports, and the engine does not ask by
// which one a packet came.
#include "dataplane/offload.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const uint64_t SECOND_NS = 1000000000;

int offload_init(struct offload *o, const struct offload_ops *ops, void *ctx, uint32_t ports,
		 uint32_t max)
{
	*o = (struct offload){.ops = ops, .ctx = ctx, .ports = ports, .max = max};
	o->flows = calloc(max, sizeof(*o->flows));
	return o->flows != NULL ? 0 : -ENOMEM;
}

static struct offload_match match_of(const struct flow_key *key, bool from_lo)
{
	const uint8_t *src = from_lo ? key->lo : key->hi, *dst = from_lo ? key->hi : key->lo;
	struct offload_match m = {
		.is_v6 = (key->net & FLOW_NET_IPV6) != 0,
		.sport = from_lo ? key->lo_port : key->hi_port,
		.dport = from_lo ? key->hi_port : key->lo_port,
	};
	const size_t skip = m.is_v6 ? 0 : 12; // the prefix of a mapped address

	memcpy(m.src, src + skip, sizeof(m.src) - skip);
	memcpy(m.dst, dst + skip, sizeof(m.dst) - skip);
	return m;
}

static void count(struct offload *o, struct offload_flow *f, uint64_t now_ns)
{
	for (uint32_t p = 0; p < IPC_PORTS_MAX; p++) {
		for (int d = 0; d < 2; d++) {
			struct offload_rule *r = &f->port[p];
			uint64_t pkts, bytes;

			if (r->rule[d] == NULL ||
			    !o->ops->count(o->ctx, p, r->rule[d], &pkts, &bytes))
				continue;
			f->is_counted = true;
			if (pkts <= r->pkts[d])
				continue;
			o->pkts += pkts - r->pkts[d];
			o->bytes += bytes - r->bytes[d];
			r->pkts[d] = pkts;
			r->bytes[d] = bytes;
			f->moved_ns = now_ns;
		}
	}
}

static void undo(struct offload *o, struct offload_flow *f)
{
	for (uint32_t p = 0; p < IPC_PORTS_MAX; p++)
		for (int d = 0; d < 2; d++)
			if (f->port[p].rule[d] != NULL)
				o->ops->undo(o->ctx, p, f->port[p].rule[d]);
}

static void forget(struct offload *o, struct offload_flow *f)
{
	undo(o, f);
	*f = o->flows[--o->n];
}

void offload_take(struct offload *o, const struct flow_key *key, uint64_t now_ns)
{
	if ((key->net & ~FLOW_NET_IPV6) != 0 || key->tunnel != 0)
		return;
	for (uint32_t i = 0; i < o->n; i++)
		if (memcmp(&o->flows[i].key, key, sizeof(*key)) == 0)
			return; // frames that were on their way
	if (o->n == o->max) {
		o->full++;
		return;
	}
	struct offload_flow *f = &o->flows[o->n];

	*f = (struct offload_flow){.key = *key, .since_ns = now_ns, .moved_ns = now_ns};
	for (uint32_t p = 0; p < IPC_PORTS_MAX; p++) {
		for (int d = 0; d < 2 && (o->ports >> p & 1) != 0; d++) {
			const struct offload_match m = match_of(key, d == 0);

			f->port[p].rule[d] = o->ops->drop(o->ctx, p, &m);
			if (f->port[p].rule[d] == NULL) {
				undo(o, f);
				o->refused++;
				return;
			}
		}
	}
	o->flows_ever++;
	o->n++;
}

void offload_turn(struct offload *o, uint64_t now_ns)
{
	for (uint32_t i = o->n; i-- > 0;) {
		struct offload_flow *f = &o->flows[i];

		count(o, f, now_ns);
		if (now_ns - f->since_ns >= OFFLOAD_LIFE_S * SECOND_NS ||
		    (f->is_counted && now_ns - f->moved_ns >= OFFLOAD_IDLE_S * SECOND_NS))
			forget(o, f);
	}
}

void offload_add(const struct offload *o, struct counters *io_counters)
{
	uint64_t *v = io_counters->v;

	v[CNT_OFFLOAD_FLOWS] += o->flows_ever;
	v[CNT_OFFLOAD_ACTIVE] += o->n;
	v[CNT_OFFLOAD_REFUSED] += o->refused;
	v[CNT_OFFLOAD_FULL] += o->full;
	v[CNT_OFFLOAD_PKTS] += o->pkts;
	v[CNT_OFFLOAD_BYTES] += o->bytes;
}

void offload_done(struct offload *o)
{
	while (o->n > 0) {
		struct offload_flow *f = &o->flows[o->n - 1];

		count(o, f, f->moved_ns);
		forget(o, f);
	}
	free(o->flows);
	o->flows = NULL;
}

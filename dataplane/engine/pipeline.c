// SPDX-License-Identifier: BSD-2-Clause
// A pipeline's memory, its bursts, and what the shell asks of it. A packet's way through its flow is in pipeline_flow.c.
#include "dataplane/engine/pipeline.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/engine/pipeline_impl.h"

enum {
	BOUNCE_BYTES = (64 << 10) + PIPELINE_TAIL_BYTES, // no IP packet is larger
	HASHES = 1024,                                   // bodies hashed at once
};

// ---- memory ----

// Lays objects out one after the other; with base NULL it only adds up.
struct carver {
	uint8_t *base;
	size_t used;
};

static void *carve(struct carver *c, size_t bytes)
{
	void *at = c->base != NULL ? c->base + c->used : NULL;

	c->used += (bytes + 63) & ~(size_t)63;
	return at;
}

static uint32_t power_of_two(uint32_t n)
{
	uint32_t p = 1;

	while (p < n && p < 1u << 31)
		p <<= 1;
	return p;
}

static void conf_defaults(struct pipeline_conf *c)
{
	c->flows = power_of_two(c->flows != 0 ? c->flows : 262144);
	if (c->segments == 0)
		c->segments = 16384;
	if (c->conns == 0)
		c->conns = c->flows / 4 + 1;
	if (c->messages == 0)
		c->messages = c->flows / 8 + 1;
	if (c->heads == 0)
		c->heads = 1024;
	if (c->inflaters == 0)
		c->inflaters = 512;
	if (c->windows == 0)
		c->windows = 1024;
	c->fragments = power_of_two(c->fragments != 0 ? c->fragments : 4096);
	c->hits = power_of_two(c->hits != 0 ? c->hits : 65536);
	c->events = power_of_two(c->events != 0 ? c->events : 4096);
}

static void pool_carve(struct carver *c, struct pool *p, uint32_t n, size_t object_bytes)
{
	// libhs may read 64 bytes behind the last object.
	void *mem = carve(c, (size_t)n * object_bytes + PIPELINE_TAIL_BYTES);

	pool_init(p, mem, n, (uint32_t)object_bytes);
}

// The one list of what a pipeline is made of.
static void layout(struct pipeline *p, const struct pipeline_conf *conf, struct carver *c)
{
	void *buckets, *records, *hits, *events, *elephants, *decode, *frags, *xbits, *ranges;

	buckets = carve(c, flow_buckets_bytes(conf->flows));
	records = carve(c, (size_t)conf->flows * sizeof(struct flow));
	hits = carve(c, (size_t)conf->hits * sizeof(struct hit));
	events = carve(c, (size_t)conf->events * sizeof(struct event));
	elephants = carve(c, PIPELINE_ELEPHANTS * sizeof(struct flow_key));
	frags = carve(c, frag_table_bytes(conf->fragments));
	pool_carve(c, &p->cells, conf->segments, TCP_SEG_BYTES);
	pool_carve(c, &p->gathers, conf->heads, HTTP_GATHER_BYTES);
	pool_carve(c, &p->windows, conf->windows, DETECT_WINDOW_BYTES + PIPELINE_TAIL_BYTES);
	pool_carve(c, &p->inspects, conf->messages, sizeof(struct inspect));
	pool_carve(c, &p->actives, conf->messages, sizeof(struct active));
	pool_carve(c, &p->watches, 2 * conf->messages, sizeof(struct watch));
	pool_carve(c, &p->watchsets, conf->messages, sizeof(struct watchset));
	pool_carve(c, &p->flowvars, conf->messages, sizeof(struct flowvars));
	pool_carve(c, &p->conn.conns, conf->conns, sizeof(struct http_conn));
	pool_carve(c, &p->conn.alt_decodes, conf->inflaters / 4 + 1, sizeof(struct alt_decode));
	pool_carve(c, &p->conn.files, conf->messages / 4 + 1, sizeof(struct http_file));
	pool_carve(c, &p->conn.hash_sets, CONN_HASH_SETS, sizeof(struct hash_set));
	ranges = carve(c, range_memory(CONN_RESOURCES));
	pool_carve(c, &p->conn.mimes, conf->inflaters, (sizeof(struct mime) + 63) & ~(size_t)63);
	pool_carve(c, &p->conn.wss, conf->conns / 4 + 1, sizeof(struct conn_ws));
	pool_carve(c, &p->conn.ws_inflates, conf->inflaters / 2 + 1,
		   (sizeof(struct ws_inflate) + 63) & ~(size_t)63);
	pool_carve(c, &p->conn.h2s, conf->conns / 128 + 1, sizeof(struct conn_h2));
	pool_carve(c, &p->conn.h2_streams, conf->messages / 8 + 1, sizeof(struct h2_stream));
	pool_carve(c, &p->conn.h2_chunks, conf->conns / 128 + 2, H2_CHUNK_BYTES);
	pool_carve(c, &p->conn.txs, conf->messages, (sizeof(struct http_tx) + 63) & ~(size_t)63);
	decode = carve(c, decode_memory(conf->inflaters) + PIPELINE_TAIL_BYTES);
	xbits = conf->xbits == NULL ? carve(c, xbits_bytes(XBITS_ENTRIES_OWN)) : NULL;
	pool_carve(c, &p->histories, conf->conns / 16 + 16, TCP_HISTORY_BYTES);
	p->tcp.scratch = carve(c, TCP_SCRATCH_BYTES);
	p->bounce = carve(c, BOUNCE_BYTES);
	p->conn.ws_unmasked = carve(c, WS_PIECE_BYTES + PIPELINE_TAIL_BYTES);
	p->conn.ws_inflated = carve(c, WS_INFLATE_PIECE + PIPELINE_TAIL_BYTES);
	p->conn.h2_parser.head = carve(c, HTTP_GATHER_BYTES);
	if (c->base == NULL)
		return;
	p->detect.xbits =
		xbits != NULL ? xbits_init(xbits, XBITS_ENTRIES_OWN, conf->hash_key) : conf->xbits;
	flow_table_init(&p->flows, buckets, records, conf->flows,
			conf->hash_key[0] ^ conf->hash_key[1]);
	decode_init(&p->conn.decode, decode, conf->inflaters, &p->counters);
	frag_table_init(&p->frags, frags, conf->fragments, conf->hash_key[0], &p->counters);
	range_init(&p->conn.ranges, ranges, CONN_RESOURCES, conf->hash_key[1], &p->counters);
	ring_init(&p->hits, hits, conf->hits, sizeof(struct hit));
	ring_init(&p->events, events, conf->events, sizeof(struct event));
	ring_init(&p->elephants, elephants, PIPELINE_ELEPHANTS, sizeof(struct flow_key));
}

size_t pipeline_memory(struct pipeline_conf *conf)
{
	struct carver c = {0};
	struct pipeline *p = calloc(1, sizeof(*p));
	size_t bytes;

	if (p == NULL)
		return 0;
	conf_defaults(conf);
	carve(&c, sizeof(struct pipeline));
	layout(p, conf, &c);
	bytes = c.used;
	free(p);
	return bytes;
}

static int hashes_init(struct pipeline *p)
{
	static const char *const names[LIST_SHA256 + 1] = {
		[LIST_MD5] = "MD5", [LIST_SHA1] = "SHA1", [LIST_SHA256] = "SHA256"};

	for (int k = 0; k <= LIST_SHA256; k++) {
		p->digests[k] = EVP_MD_fetch(NULL, names[k], NULL);
		p->conn.hashes[k] = calloc(HASHES, sizeof(EVP_MD_CTX *));
		if (p->digests[k] == NULL || p->conn.hashes[k] == NULL)
			return -ENOMEM;
		for (int i = 0; i < HASHES; i++) {
			EVP_MD_CTX *ctx = EVP_MD_CTX_new();

			if (ctx == NULL)
				return -ENOMEM;
			p->conn.hashes[k][p->conn.n_hashes[k]++] = ctx;
			if (EVP_DigestInit_ex2(ctx, p->digests[k], NULL) != 1)
				return -ENOMEM;
		}
	}
	return 0;
}

int pipeline_init(void *mem, size_t bytes, const struct pipeline_conf *conf,
		  struct pipeline **ret_pipeline)
{
	struct carver c = {.base = mem};
	struct pipeline_conf checked = *conf;
	struct pipeline *p;
	int err;

	if (((uintptr_t)mem & 63) != 0 || pipeline_memory(&checked) > bytes)
		return -EINVAL;
	p = carve(&c, sizeof(*p));
	p->conf = checked;
	layout(p, &checked, &c);
	p->pkt_conf = (struct pkt_conf){
		.counters = &p->counters,
		.key = checked.hash_key[1],
		.tunnels_off = checked.tunnels_off,
		.verify_checksums = checked.verify_checksums,
	};
	p->tcp.cells = &p->cells;
	p->tcp.histories = &p->histories;
	p->tcp.counters = &p->counters;
	p->tcp.hash_key = checked.hash_key[0] ^ checked.hash_key[1];
	p->parser.gathers = &p->gathers;
	p->parser.counters = &p->counters;
	p->conn.h2_parser.gathers = &p->gathers;
	p->conn.h2_parser.counters = &p->counters;
	p->detect.counters = &p->counters;
	p->detect.hits = &p->hits;
	p->detect.worker = checked.worker;
	p->detect.enforce = checked.enforce;
	p->detect.inspects = &p->inspects;
	p->detect.actives = &p->actives;
	p->detect.watches = &p->watches;
	p->detect.watchsets = &p->watchsets;
	p->detect.windows = &p->windows;
	p->detect.flowvars = &p->flowvars;
	p->detect.cells = &p->cells;
	p->detect.gathers = &p->gathers;
	p->conn.counters = &p->counters;
	p->conn.detect = &p->detect;
	p->conn.parser = &p->parser;
	p->conn.events = &p->events;
	p->conn.event_mask = checked.event_mask;
	p->conn.worker = (uint8_t)checked.worker;
	p->conn.hash_bodies = checked.hash_bodies;
	pipeline_set_tap(p, checked.tap);
	pipeline_set_last_stage(p, PIPELINE_VERIFY);
	err = hashes_init(p);
	if (err < 0) {
		pipeline_done(p);
		return err;
	}
	*ret_pipeline = p;
	return 0;
}

void pipeline_done(struct pipeline *p)
{
	if (p == NULL)
		return;
	for (int k = 0; k <= LIST_SHA256; k++) {
		for (uint32_t i = 0; i < p->conn.n_hashes[k]; i++)
			EVP_MD_CTX_free(p->conn.hashes[k][i]);
		free(p->conn.hashes[k]);
		p->conn.hashes[k] = NULL;
		p->conn.n_hashes[k] = 0;
		EVP_MD_free(p->digests[k]);
		p->digests[k] = NULL;
	}
}

// ---- bursts ----

// Packets of a burst whose flows are not looked up yet.
struct batch {
	struct pkt pkts[PIPELINE_BURST_MAX];
	uint32_t hash[PIPELINE_BURST_MAX];
	const struct frame *of[PIPELINE_BURST_MAX];
	uint8_t at[PIPELINE_BURST_MAX]; // number of that frame in the burst
	unsigned int n;
};

static void batch_run(struct pipeline *p, struct batch *b, uint64_t now_ns)
{
	if (p->last == PIPELINE_DECODE)
		b->n = 0;
	for (unsigned int i = 0; i < b->n; i++)
		flow_prefetch_record(&p->flows, b->hash[i]);
	for (unsigned int i = 0; i < b->n; i++) {
		p->frame = b->at[i];
		pipeline_packet(p, b->of[i], &b->pkts[i], b->hash[i], now_ns);
	}
	b->n = 0;
}

static void count_pkt(struct pipeline *p, const struct pkt *pkt)
{
	p->counters.v[pkt->is_ipv6 ? CNT_PKT_IPV6 : CNT_PKT_IPV4]++;
	p->counters.v[CNT_PKT_VLAN] += pkt->has_vlan;
}

// A frame that was parsed into the next free packet of the batch.
static void batch_add(struct pipeline *p, struct batch *b, const struct frame *f, unsigned int at)
{
	const struct pkt *pkt = &b->pkts[b->n];

	count_pkt(p, pkt);
	b->hash[b->n] = flow_hash(&p->flows, &pkt->key);
	flow_prefetch_bucket(&p->flows, b->hash[b->n]);
	b->at[b->n] = (uint8_t)at;
	b->of[b->n++] = f;
}

// The frame holds a fragment. A datagram that is whole with it lies in memory that the next one will use, so it is
// dealt with at once, behind the packets before it.
static enum counter fragment(struct pipeline *p, struct batch *b, const struct frame *f,
			     unsigned int at, struct pkt_fragment *piece, uint64_t now_ns)
{
	const struct pipeline_handover *to = &p->conf.handover;
	struct frame whole = *f;
	struct pkt *pkt = &b->pkts[b->n];
	enum counter verdict = frag_packet(&p->frags, &p->pkt_conf, f, piece, now_ns, pkt);
	uint32_t owner = p->conf.worker;

	if (verdict != CNT_PKT_TCP)
		return verdict;
	if (to->put != NULL)
		owner = to->owner(to->ctx, pkt_frame_hash(&pkt->key, p->conf.hash_key));
	if (owner != p->conf.worker) {
		count_pkt(p, pkt);
		to->put(to->ctx, owner, pkt, f->ts_ns);
	} else {
		whole.tail_bytes = PIPELINE_TAIL_BYTES;
		batch_add(p, b, &whole, at);
		batch_run(p, b, now_ns);
	}
	return verdict;
}

// The bytes of a frame that was not taken for a TCP segment. Those of fragments are with the headers: their payload is
// counted when the datagram is whole.
static void count_bytes(struct pipeline *p, enum counter verdict, uint32_t bytes)
{
	if (verdict == CNT_PKT_NOT_IP || verdict == CNT_PKT_NOT_TCP)
		p->counters.v[CNT_COVERED_OTHER_BYTES] += bytes;
	else if (verdict == CNT_PKT_TRUNCATED)
		p->counters.v[CNT_COVERED_TRUNCATED_BYTES] += bytes;
	else
		p->counters.v[CNT_COVERED_UNDECODABLE_BYTES] += bytes;
}

void pipeline_burst(struct pipeline *p, const struct frame *frames, unsigned int n, uint64_t now_ns)
{
	struct pkt_fragment piece;
	struct batch b;

	b.n = 0;
	p->verdict = (struct pipeline_verdict){0};
	p->stale = true;
	if (n > PIPELINE_BURST_MAX)
		n = PIPELINE_BURST_MAX;
	for (unsigned int i = 0; i < n; i++)
		__builtin_prefetch(frames[i].data);
	for (unsigned int i = 0; i < n; i++) {
		enum counter verdict = pkt_parse(&p->pkt_conf, &frames[i], &b.pkts[b.n], &piece);

		p->counters.v[CNT_RX_PKTS]++;
		p->counters.v[CNT_RX_BYTES] += frames[i].wire_len;
		if (verdict == CNT_PKT_TCP)
			batch_add(p, &b, &frames[i], i);
		else if (verdict == CNT_PKT_FRAGMENT)
			verdict = fragment(p, &b, &frames[i], i, &piece, now_ns);
		else
			count_bytes(p, verdict, frames[i].wire_len);
		p->counters.v[verdict]++;
	}
	batch_run(p, &b, now_ns);
}

struct pipeline_verdict pipeline_verdict(const struct pipeline *p)
{
	return p->verdict;
}

void pipeline_segment(struct pipeline *p, struct pkt *pkt, uint64_t ts_ns, uint64_t now_ns)
{
	const struct frame frame = {.ts_ns = ts_ns}; // nothing readable behind it

	p->stale = true;

	pipeline_packet(p, &frame, pkt, flow_hash(&p->flows, &pkt->key), now_ns);
}

// ---- between bursts ----

static unsigned int sweep(struct pipeline *p, uint64_t now_ns, bool all, unsigned int budget,
			  enum flow_reason reason)
{
	unsigned int closed = 0;
	struct flow *f;

	while ((f = flow_expired(&p->flows, now_ns, all, &budget)) != NULL) {
		pipeline_flow_close(p, f, reason);
		closed++;
	}
	return closed;
}

unsigned int pipeline_idle(struct pipeline *p, uint64_t now_ns, unsigned int budget)
{
	frag_expire(&p->frags, now_ns, budget);
	ranges_expire(&p->conn, now_ns, budget);
	return sweep(p, now_ns, false, budget, FLOW_REASON_TIMEOUT);
}

bool pipeline_forget(struct pipeline *p)
{
	struct conn_ctx *c = &p->conn;
	// Those whose objects hold bytes of a stream, or what was made of them.
	struct pool *const pools[] = {
		&p->cells,        &p->gathers,         &p->windows,
		&p->histories,    &p->inspects,        &p->watches,
		&p->watchsets,    &p->flowvars,        &p->frags.datagrams,
		&p->frags.blocks, &c->decode.decoders, &c->decode.inflates,
		&c->alt_decodes,  &c->conns,           &c->mimes,
		&c->files,        &c->hash_sets,       &c->txs,
		&c->wss,          &c->ws_inflates,     &c->h2s,
		&c->h2_streams,   &c->h2_chunks,
	};
	const struct {
		uint8_t *p;
		size_t bytes;
	} buffers[] = {
		{p->tcp.scratch, TCP_SCRATCH_BYTES},    {p->bounce, BOUNCE_BYTES},
		{c->ws_unmasked, WS_PIECE_BYTES},       {c->ws_inflated, WS_INFLATE_PIECE},
		{c->h2_parser.head, HTTP_GATHER_BYTES},
	};

	for (size_t i = 0; i < sizeof(pools) / sizeof(pools[0]); i++)
		if (pool_wipe(pools[i]))
			return true;
	for (size_t i = 0; p->stale && i < sizeof(buffers) / sizeof(buffers[0]); i++)
		memset(buffers[i].p, 0, buffers[i].bytes);
	p->stale = false;
	return false;
}

unsigned int pipeline_flush(struct pipeline *p, uint64_t now_ns, unsigned int budget)
{
	unsigned int closed = 0;

	frag_flush(&p->frags);
	while (closed < budget && p->flows.pool.used > 0) {
		unsigned int look = 1;

		closed += sweep(p, now_ns, true, look, FLOW_REASON_SHUTDOWN);
	}
	if (p->flows.pool.used == 0)
		ranges_expire(&p->conn, UINT64_MAX, CONN_RESOURCES);
	return closed;
}

void pipeline_set_ruleset(struct pipeline *p, struct ruleset *rs)
{
	p->rs = rs;
	p->detect.rs = p->last > PIPELINE_HTTP ? rs : NULL;
}

void pipeline_skip_bodies(struct pipeline *p, uint64_t from_bytes)
{
	p->conn.skip_from = from_bytes;
}

void pipeline_set_last_stage(struct pipeline *p, enum pipeline_stage last)
{
	p->last = last;
	p->conn.unread = last < PIPELINE_HTTP;
	p->detect.unscanned = last < PIPELINE_SCAN;
	p->detect.unverified = last < PIPELINE_VERIFY;
	pipeline_set_ruleset(p, p->rs);
}

void pipeline_set_tap(struct pipeline *p, struct tap *tap)
{
	p->detect.tap = tap;
	p->conn.decode.tap = tap;
}

void pipeline_release_old(struct pipeline *p)
{
	for (uint32_t i = 0; i < p->flows.pool.fresh; i++) {
		struct flow *f = pool_at(&p->flows.pool, i);

		if ((f->flags & FLOW_LIVE) != 0 && f->http != NULL)
			p->counters.v[CNT_OLD_RELEASED] += conn_release_old(&p->conn, f);
	}
}

const struct counters *pipeline_counters(const struct pipeline *p)
{
	return &p->counters;
}

struct counters *pipeline_counters_mut(struct pipeline *p)
{
	return &p->counters;
}

static uint64_t hashes_used(const struct pipeline *p)
{
	uint64_t n = 0;

	for (int k = 0; k <= LIST_SHA256; k++)
		n += HASHES - p->conn.n_hashes[k];
	return n;
}

uint64_t pipeline_objects_in_use(const struct pipeline *p)
{
	return (uint64_t)p->flows.pool.used + p->frags.datagrams.used + p->frags.blocks.used +
	       p->cells.used + p->gathers.used + p->windows.used + p->inspects.used +
	       p->actives.used + p->watches.used + p->watchsets.used + p->flowvars.used +
	       p->conn.conns.used + p->conn.txs.used + p->conn.alt_decodes.used +
	       decode_in_use(&p->conn.decode) + p->conn.wss.used + p->conn.ws_inflates.used +
	       p->conn.h2s.used + p->conn.h2_streams.used + p->conn.h2_chunks.used +
	       p->histories.used + p->conn.files.used + p->conn.mimes.used +
	       p->conn.hash_sets.used + hashes_used(p);
}

static uint64_t pool_bytes(const struct pool *p)
{
	return (uint64_t)p->used * p->object_bytes;
}

void pipeline_usage(const struct pipeline *p, struct pipeline_usage *ret_usage)
{
	const struct conn_ctx *c = &p->conn;
	const struct pool *const of_flows[] = {&p->flows.pool, &c->conns, &p->flowvars,
					       &c->wss,        &c->h2s,   &p->histories};
	const struct pool *const of_messages[] = {
		&p->inspects,    &p->actives,    &p->watches,         &p->watchsets,
		&p->windows,     &p->gathers,    &p->cells,           &c->txs,
		&c->files,       &c->mimes,      &c->decode.decoders, &c->decode.inflates,
		&c->ws_inflates, &c->h2_streams, &c->h2_chunks};
	struct pipeline_usage u = {.flows = p->flows.pool.used, .messages = p->inspects.used};

	u.flow_bytes = u.flows * flow_buckets_bytes(p->conf.flows) / p->conf.flows;
	for (size_t i = 0; i < sizeof(of_flows) / sizeof(of_flows[0]); i++)
		u.flow_bytes += pool_bytes(of_flows[i]);
	for (size_t i = 0; i < sizeof(of_messages) / sizeof(of_messages[0]); i++)
		u.message_bytes += pool_bytes(of_messages[i]);
	if (p->detect.rs != NULL)
		u.message_bytes += ruleset_stream_bytes(p->detect.rs, p->conf.worker);
	*ret_usage = u;
}

struct ring *pipeline_hits(struct pipeline *p)
{
	return &p->hits;
}

struct ring *pipeline_events(struct pipeline *p)
{
	return &p->events;
}

struct ring *pipeline_elephants(struct pipeline *p)
{
	return &p->elephants;
}

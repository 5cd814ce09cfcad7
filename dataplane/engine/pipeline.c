// SPDX-License-Identifier: BSD-2-Clause
// A packet's life, top to bottom: parse, find its flow, put its bytes in order, classify the first of them, and either hand
// HTTP on to inspection or let the flow go. Stages never call each other; this file calls them.
#include "dataplane/engine/pipeline.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/engine/app.h"
#include "dataplane/engine/conn.h"

enum {
	BOUNCE_BYTES = (64 << 10) + PIPELINE_TAIL_BYTES, // no IP packet is larger
	MIDSTREAM_PROBES =
		64,    // segments of a flow without a handshake that may fail to look like HTTP
	HASHES = 1024, // bodies hashed at once
};

struct pipeline {
	struct pipeline_conf conf;
	struct counters counters;
	struct flow_table flows;
	struct pool cells, gathers, windows, inspects, actives, flowbits;
	struct detect detect;
	struct http_parser parser;
	struct conn_ctx conn;
	struct ring hits, events;
	uint64_t flow_ids;
	uint8_t *bounce;
	EVP_MD *sha256;
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
	void *buckets, *records, *hits, *events;

	buckets = carve(c, flow_buckets_bytes(conf->flows));
	records = carve(c, (size_t)conf->flows * sizeof(struct flow));
	hits = carve(c, (size_t)conf->hits * sizeof(struct hit));
	events = carve(c, (size_t)conf->events * sizeof(struct event));
	pool_carve(c, &p->cells, conf->segments, TCP_SEG_BYTES);
	pool_carve(c, &p->gathers, conf->heads, HTTP_GATHER_BYTES);
	pool_carve(c, &p->windows, conf->windows, DETECT_WINDOW_BYTES + PIPELINE_TAIL_BYTES);
	pool_carve(c, &p->inspects, conf->messages, sizeof(struct inspect));
	pool_carve(c, &p->actives, conf->messages, sizeof(struct active));
	pool_carve(c, &p->flowbits, conf->messages, sizeof(struct flowbits));
	pool_carve(c, &p->conn.conns, conf->conns, sizeof(struct http_conn));
	pool_carve(c, &p->conn.txs, conf->messages, (sizeof(struct http_tx) + 63) & ~(size_t)63);
	pool_carve(c, &p->conn.decoders, conf->inflaters,
		   (sizeof(struct decoder) + 63) & ~(size_t)63);
	p->bounce = carve(c, BOUNCE_BYTES);
	for (int i = 0; i < HTTP_CODINGS_MAX; i++)
		p->conn.decoded[i] = carve(c, DECODE_OUT_BYTES + PIPELINE_TAIL_BYTES);
	if (c->base == NULL)
		return;
	flow_table_init(&p->flows, buckets, records, conf->flows,
			conf->hash_key[0] ^ conf->hash_key[1]);
	ring_init(&p->hits, hits, conf->hits, sizeof(struct hit));
	ring_init(&p->events, events, conf->events, sizeof(struct event));
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
	p->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	p->conn.hashes = calloc(HASHES, sizeof(EVP_MD_CTX *));
	if (p->sha256 == NULL || p->conn.hashes == NULL)
		return -ENOMEM;
	for (int i = 0; i < HASHES; i++) {
		EVP_MD_CTX *ctx = EVP_MD_CTX_new();

		if (ctx == NULL)
			return -ENOMEM;
		p->conn.hashes[p->conn.n_hashes++] = ctx;
		if (EVP_DigestInit_ex2(ctx, p->sha256, NULL) != 1)
			return -ENOMEM;
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
	p->parser.gathers = &p->gathers;
	p->parser.counters = &p->counters;
	p->detect.counters = &p->counters;
	p->detect.hits = &p->hits;
	p->detect.worker = checked.worker;
	p->detect.inspects = &p->inspects;
	p->detect.actives = &p->actives;
	p->detect.windows = &p->windows;
	p->detect.flowbits = &p->flowbits;
	p->detect.cells = &p->cells;
	p->detect.gathers = &p->gathers;
	p->conn.counters = &p->counters;
	p->conn.detect = &p->detect;
	p->conn.parser = &p->parser;
	p->conn.events = &p->events;
	p->conn.event_mask = checked.event_mask;
	p->conn.worker = (uint8_t)checked.worker;
	if (checked.hash_bodies) {
		err = hashes_init(p);
		if (err < 0) {
			pipeline_done(p);
			return err;
		}
	}
	*ret_pipeline = p;
	return 0;
}

void pipeline_done(struct pipeline *p)
{
	if (p == NULL)
		return;
	for (uint32_t i = 0; i < p->conn.n_hashes; i++)
		EVP_MD_CTX_free(p->conn.hashes[i]);
	free(p->conn.hashes);
	p->conn.hashes = NULL;
	p->conn.n_hashes = 0;
	EVP_MD_free(p->sha256);
	p->sha256 = NULL;
}

// ---- the end of a flow ----

static void prefix_drop(struct pipeline *p, struct tcp_half *h)
{
	if (h->prefix != POOL_NONE)
		pool_put(&p->cells, pool_at(&p->cells, h->prefix));
	h->prefix = POOL_NONE;
}

// From here on no payload byte of the flow is read.
static void flow_release(struct pipeline *p, struct flow *f, enum app_proto app)
{
	static const enum counter counter[APP_N] = {
		[APP_TLS] = CNT_APP_TLS_FLOWS,
		[APP_SSH] = CNT_APP_SSH_FLOWS,
		[APP_OPAQUE] = CNT_APP_OPAQUE_FLOWS,
	};

	p->counters.v[counter[app]]++;
	f->app = (uint8_t)app;
	for (int d = 0; d < DIR_N; d++) {
		uint32_t held = tcp_half_drop(&f->half[d], &p->cells, &p->counters);

		p->counters.v[CNT_TCP_RELEASED] += held;
		f->released_bytes += held;
		if (f->half[d].prefix != POOL_NONE && f->http == NULL)
			p->counters.v[CNT_APP_PREFIX_BYTES] +=
				((struct tcp_seg *)pool_at(&p->cells, f->half[d].prefix))->len;
		prefix_drop(p, &f->half[d]);
	}
	if (f->http != NULL)
		conn_close(&p->conn, f, false);
}

static void flow_run(struct pipeline *p, struct flow *f, enum dir dir, const struct tcp_run *run);

// Everything readable of one side. Its first message may turn the flow round: the reader follows its side.
static void flow_read(struct pipeline *p, struct flow *f, struct tcp_reader *rd, bool from_lo)
{
	struct tcp_run run;

	while (tcp_reader_next(rd, &run)) {
		flow_run(p, f, flow_dir(f, from_lo), &run);
		rd->half = &f->half[flow_dir(f, from_lo)];
	}
}

static void flow_event(struct pipeline *p, const struct flow *f, enum flow_reason reason)
{
	struct event e = {.type = EVENT_FLOW};

	if ((p->conf.event_mask & (1u << EVENT_FLOW)) == 0)
		return;
	e.flags = (f->flags & FLOW_HAS_HIT) != 0 ? EVENT_HAS_HIT : 0;
	if (((f->half[0].flags | f->half[1].flags) & TCP_HALF_GAP) != 0)
		e.flags |= EVENT_GAP;
	e.flow.start_ns = f->start_ts_ns;
	e.flow.end_ns = f->end_ts_ns;
	for (int d = 0; d < DIR_N; d++) {
		e.flow.pkts[d] = f->pkts[d];
		e.flow.bytes[d] = f->bytes[d];
	}
	e.flow.payload_bytes_inspected = f->inspected_bytes;
	e.flow.payload_bytes_released = f->released_bytes;
	e.flow.state = f->state == FLOW_CLOSING                                         ? 2
		       : f->app == APP_TLS || f->app == APP_SSH || f->app == APP_OPAQUE ? 3
		       : f->state == FLOW_ESTABLISHED                                   ? 1
											: 0;
	e.flow.reason = (uint8_t)reason;
	conn_emit(&p->conn, f, DIR_TO_SERVER, &e);
}

static void flow_close(struct pipeline *p, struct flow *f, enum flow_reason reason)
{
	static const enum counter counter[] = {
		[FLOW_REASON_TIMEOUT] = CNT_FLOW_TIMEOUT,
		[FLOW_REASON_CLOSED] = CNT_FLOW_CLOSED,
		[FLOW_REASON_EVICTED] = CNT_FLOW_EVICTED,
		[FLOW_REASON_SHUTDOWN] = CNT_FLOW_SHUTDOWN,
	};
	bool from_lo = (f->flags & FLOW_CLIENT_HI) == 0;

	p->conn.ts_ns = f->end_ts_ns;
	// What still waits for a hole to be filled is inspected now, the client's first.
	for (int i = 0; i < DIR_N; i++, from_lo = !from_lo) {
		struct tcp_reader rd;

		tcp_reader_flush(&rd, f, flow_dir(f, from_lo), &p->cells, &p->counters);
		flow_read(p, f, &rd, from_lo);
	}
	if (f->http != NULL)
		conn_close(&p->conn, f, true);
	for (int d = 0; d < DIR_N; d++)
		prefix_drop(p, &f->half[d]);
	if (reason != FLOW_REASON_EVICTED && f->state == FLOW_CLOSING)
		reason = FLOW_REASON_CLOSED;
	p->counters.v[counter[reason]]++;
	p->counters.v[CNT_FLOW_ACTIVE]--;
	flow_event(p, f, reason);
	flow_del(&p->flows, f);
}

// ---- the first bytes ----

static bool is_released(const struct flow *f)
{
	return f->app == APP_TLS || f->app == APP_SSH || f->app == APP_OPAQUE;
}

// What one side sent before the flow was decided goes to the parser first.
static bool prefix_feed(struct pipeline *p, struct flow *f, enum dir dir)
{
	struct tcp_half *h = &f->half[dir];
	struct tcp_seg *cell;
	struct tcp_run run = {0};
	bool stays;

	if (h->prefix == POOL_NONE)
		return true;
	cell = pool_at(&p->cells, h->prefix);
	h->prefix = POOL_NONE;
	run.data = span_of(cell->data, cell->len);
	stays = conn_run(&p->conn, f, dir, &run);
	pool_put(&p->cells, cell);
	return stays;
}

static void flow_becomes_http(struct pipeline *p, struct flow *f, enum dir *io_dir,
			      enum app_side side)
{
	enum dir says = side == APP_SIDE_SERVER ? DIR_TO_CLIENT : DIR_TO_SERVER;

	f->http = conn_new(&p->conn);
	if (f->http == NULL) {
		flow_release(p, f, APP_OPAQUE);
		return;
	}
	p->counters.v[CNT_APP_HTTP_FLOWS]++;
	f->app = APP_HTTP;
	// A handshake tells who is who; without it the first message does.
	if (says != *io_dir && (f->flags & (FLOW_SYN | FLOW_SYNACK)) == 0) {
		flow_flip(f);
		*io_dir = says;
	}
	for (int d = 0; d < DIR_N; d++) {
		if (!prefix_feed(p, f, d)) {
			flow_release(p, f, APP_OPAQUE);
			return;
		}
	}
}

// Decide what an undecided flow is. Returns true when the run is still to be read, as HTTP.
static bool flow_classify(struct pipeline *p, struct flow *f, enum dir *io_dir,
			  const struct tcp_run *run)
{
	struct tcp_half *h = &f->half[*io_dir];
	struct tcp_seg *cell = h->prefix != POOL_NONE ? pool_at(&p->cells, h->prefix) : NULL;
	struct span first = run->data;
	enum app_side side;
	enum app_proto app;

	if (cell != NULL) {
		size_t n = APP_PREFIX_MAX - cell->len;

		if (n > run->data.len)
			n = run->data.len;
		if (n > 0)
			memcpy(cell->data + cell->len, run->data.data, n);
		first = span_of(cell->data, cell->len + n);
	}
	app = app_detect(first, &side);
	if (app == APP_UNKNOWN && run->fin)
		app = APP_OPAQUE;
	if (app == APP_HTTP) {
		flow_becomes_http(p, f, io_dir, side);
		return f->http != NULL;
	}
	if (app == APP_UNKNOWN) {
		if (first.len == 0)
			return false;
		if (cell == NULL) {
			cell = pool_get(&p->cells);
			if (cell != NULL) {
				h->prefix = pool_index(&p->cells, cell);
				memcpy(cell->data, first.data, first.len);
			}
		}
		if (cell != NULL) {
			cell->len = (uint16_t)first.len;
			return false;
		}
		app = APP_OPAQUE;
	}
	// What stands in a cell is counted when the cell goes.
	if (cell == NULL)
		p->counters.v[CNT_APP_PREFIX_BYTES] +=
			first.len < APP_PREFIX_MAX ? first.len : APP_PREFIX_MAX;
	else
		cell->len = (uint16_t)first.len;
	// Picked up in the middle of a body: the next message may come.
	if (app == APP_OPAQUE && (f->flags & FLOW_MIDSTREAM) != 0 &&
	    ++f->probes < MIDSTREAM_PROBES) {
		if (cell != NULL)
			p->counters.v[CNT_APP_PREFIX_BYTES] += cell->len;
		prefix_drop(p, h);
		return false;
	}
	flow_release(p, f, app);
	return false;
}

// ---- one run of stream bytes ----

static void flow_run(struct pipeline *p, struct flow *f, enum dir dir, const struct tcp_run *run)
{
	f->inspected_bytes += run->data.len;
	if (f->app == APP_UNKNOWN && !flow_classify(p, f, &dir, run))
		return;
	if (is_released(f)) {
		// The flow was let go while this packet was being read; nothing looks at the rest of it.
		f->inspected_bytes -= run->data.len;
		f->released_bytes += run->data.len;
		p->counters.v[CNT_TCP_DELIVERED] -= run->data.len;
		p->counters.v[CNT_TCP_RELEASED] += run->data.len;
		return;
	}
	if (!conn_run(&p->conn, f, dir, run)) {
		p->counters.v[CNT_HTTP_UPGRADED]++;
		flow_release(p, f, APP_OPAQUE);
	}
}

static void flow_finished(struct flow *f)
{
	if ((f->half[0].flags & TCP_HALF_FIN_DONE) != 0 &&
	    (f->half[1].flags & TCP_HALF_FIN_DONE) != 0)
		f->state = FLOW_CLOSING;
}

// ---- one packet ----

// A released flow is only followed to its end: sequence numbers and flags, no payload.
static void packet_released(struct pipeline *p, struct flow *f, enum dir dir, const struct pkt *pkt)
{
	struct tcp_half *h = &f->half[dir];

	p->counters.v[CNT_TCP_RELEASED] += pkt->payload.len;
	f->released_bytes += pkt->payload.len;
	if ((pkt->flags & TCP_FIN) != 0)
		h->flags |= TCP_HALF_FIN_DONE;
	if ((pkt->flags & TCP_RST) != 0)
		f->state = FLOW_CLOSING;
	flow_finished(f);
}

static struct flow *flow_start(struct pipeline *p, const struct pkt *pkt, uint32_t hash,
			       uint64_t now_ns)
{
	struct flow *f, *victim;
	bool syn = (pkt->flags & TCP_SYN) != 0;

	// An answer to nothing, a last ACK or a reset starts no flow.
	if (!syn && pkt->payload.len == 0)
		return NULL;
	if (syn && (pkt->flags & (TCP_FIN | TCP_RST)) != 0)
		return NULL;
	f = flow_add(&p->flows, &pkt->key, hash, &victim);
	if (f == NULL && victim != NULL) {
		uint64_t ts_ns = p->conn.ts_ns;

		flow_close(p, victim, FLOW_REASON_EVICTED);
		p->conn.ts_ns = ts_ns;
		f = flow_add(&p->flows, &pkt->key, hash, &victim);
	}
	if (f == NULL)
		return NULL;
	f->id = (uint64_t)(p->conf.worker + 1) << 48 | ++p->flow_ids;
	f->start_ts_ns = p->conn.ts_ns;
	f->last_seen_ns = now_ns;
	p->counters.v[CNT_FLOW_CREATED]++;
	p->counters.v[CNT_FLOW_ACTIVE]++;
	flow_orient(f, pkt);
	p->counters.v[CNT_FLOW_MIDSTREAM] += !syn;
	return f;
}

static void packet(struct pipeline *p, const struct frame *frame, struct pkt *pkt, uint32_t hash,
		   uint64_t now_ns)
{
	struct flow *f = flow_find(&p->flows, &pkt->key, hash);
	struct tcp_reader rd;
	enum tcp_verdict verdict;
	enum dir dir;

	p->conn.ts_ns = frame->ts_ns;
	if (f != NULL && flow_is_expired(f, now_ns)) {
		flow_close(p, f, FLOW_REASON_TIMEOUT);
		p->conn.ts_ns = frame->ts_ns;
		f = NULL;
	}
	for (int attempt = 0;; attempt++) {
		if (f == NULL)
			f = flow_start(p, pkt, hash, now_ns);
		if (f == NULL) {
			p->counters.v[CNT_FLOW_NONE]++;
			return;
		}
		dir = flow_dir(f, pkt->from_lo);
		verdict = is_released(f) && f->state != FLOW_CLOSING
				  ? TCP_ACCEPT
				  : tcp_track(f, pkt, dir, &p->counters);
		if (verdict != TCP_NEW_FLOW || attempt > 0)
			break;
		p->counters.v[CNT_FLOW_REUSED]++;
		flow_close(p, f, FLOW_REASON_CLOSED);
		p->conn.ts_ns = frame->ts_ns;
		f = NULL;
	}
	f->last_seen_ns = now_ns;
	f->end_ts_ns = frame->ts_ns;
	f->pkts[dir]++;
	f->bytes[dir] += pkt->frame_len;
	p->counters.v[CNT_TCP_PAYLOAD] += pkt->payload.len;
	if (verdict != TCP_ACCEPT)
		return;
	if (is_released(f)) {
		packet_released(p, f, dir, pkt);
		return;
	}
	if (frame->tail_bytes < PIPELINE_TAIL_BYTES && pkt->payload.len > 0) {
		memcpy(p->bounce, pkt->payload.data, pkt->payload.len);
		pkt->payload.data = p->bounce;
		p->counters.v[CNT_PKT_COPIED]++;
	}
	tcp_reader_init(&rd, f, dir, &p->cells, pkt, &p->counters);
	flow_read(p, f, &rd, pkt->from_lo);
	flow_finished(f);
}

void pipeline_burst(struct pipeline *p, const struct frame *frames, unsigned int n, uint64_t now_ns)
{
	struct pkt pkts[PIPELINE_BURST_MAX];
	uint32_t hash[PIPELINE_BURST_MAX];
	const struct frame *of[PIPELINE_BURST_MAX];
	unsigned int n_pkts = 0;

	if (n > PIPELINE_BURST_MAX)
		n = PIPELINE_BURST_MAX;
	for (unsigned int i = 0; i < n; i++)
		__builtin_prefetch(frames[i].data);
	for (unsigned int i = 0; i < n; i++) {
		struct pkt *pkt = &pkts[n_pkts];
		enum counter verdict = pkt_parse(&frames[i], p->conf.verify_checksums, pkt);

		p->counters.v[CNT_RX_PKTS]++;
		p->counters.v[CNT_RX_BYTES] += frames[i].wire_len;
		p->counters.v[verdict]++;
		if (verdict != CNT_PKT_TCP)
			continue;
		p->counters.v[pkt->is_ipv6 ? CNT_PKT_IPV6 : CNT_PKT_IPV4]++;
		p->counters.v[CNT_PKT_VLAN] += pkt->has_vlan;
		hash[n_pkts] = flow_hash(&p->flows, &pkt->key);
		flow_prefetch_bucket(&p->flows, hash[n_pkts]);
		of[n_pkts++] = &frames[i];
	}
	for (unsigned int i = 0; i < n_pkts; i++)
		flow_prefetch_record(&p->flows, hash[i]);
	for (unsigned int i = 0; i < n_pkts; i++)
		packet(p, of[i], &pkts[i], hash[i], now_ns);
}

// ---- between bursts ----

static unsigned int sweep(struct pipeline *p, uint64_t now_ns, bool all, unsigned int budget,
			  enum flow_reason reason)
{
	unsigned int closed = 0;
	struct flow *f;

	while ((f = flow_expired(&p->flows, now_ns, all, &budget)) != NULL) {
		flow_close(p, f, reason);
		closed++;
	}
	return closed;
}

unsigned int pipeline_idle(struct pipeline *p, uint64_t now_ns, unsigned int budget)
{
	return sweep(p, now_ns, false, budget, FLOW_REASON_TIMEOUT);
}

unsigned int pipeline_flush(struct pipeline *p, uint64_t now_ns, unsigned int budget)
{
	unsigned int closed = 0;

	while (closed < budget && p->flows.pool.used > 0) {
		unsigned int look = 1;

		closed += sweep(p, now_ns, true, look, FLOW_REASON_SHUTDOWN);
	}
	return closed;
}

void pipeline_set_ruleset(struct pipeline *p, struct ruleset *rs)
{
	p->detect.rs = rs;
}

void pipeline_release_old(struct pipeline *p)
{
	for (uint32_t i = 0; i < p->flows.pool.fresh; i++) {
		struct flow *f = pool_at(&p->flows.pool, i);

		if ((f->flags & FLOW_LIVE) == 0 || f->http == NULL)
			continue;
		for (int d = 0; d < DIR_N; d++) {
			struct http_msg *msg = &f->http->msg[d];

			if (msg->inspect == NULL || msg->inspect->rs == p->detect.rs)
				continue;
			detect_abort(&p->detect, msg->inspect);
			msg->inspect = NULL;
			p->counters.v[CNT_OLD_RELEASED]++;
		}
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

uint64_t pipeline_objects_in_use(const struct pipeline *p)
{
	return (uint64_t)p->flows.pool.used + p->cells.used + p->gathers.used + p->windows.used +
	       p->inspects.used + p->actives.used + p->flowbits.used + p->conn.conns.used +
	       p->conn.txs.used + p->conn.decoders.used +
	       (p->conn.hashes != NULL ? HASHES - p->conn.n_hashes : 0);
}

struct ring *pipeline_hits(struct pipeline *p)
{
	return &p->hits;
}

struct ring *pipeline_events(struct pipeline *p)
{
	return &p->events;
}

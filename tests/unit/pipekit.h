// SPDX-License-Identifier: BSD-2-Clause
// A pipeline with a rule set in a test: rule text in, segments in, hits and events out, books checked.
#ifndef TESTS_PIPEKIT_H
#define TESTS_PIPEKIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/coverage.h"
#include "dataplane/engine/pipeline.h"
#include "dataplane/engine/ruleset.h"
#include "rules/compile.h"
#include "tests/unit/pktgen.h"

enum {
	KIT_FIN = 0x01,
	KIT_SYN = 0x02,
	KIT_RST = 0x04,
	KIT_ACK = 0x10,
};

#define KIT_N(a) (sizeof(a) / sizeof((a)[0]))

// splitmix64: the same numbers everywhere.
static inline uint64_t kit_rand(uint64_t *io_state)
{
	uint64_t z = *io_state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static inline uint32_t kit_below(uint64_t *io_state, uint32_t n)
{
	return (uint32_t)(kit_rand(io_state) % n);
}

// ---- rule sets ----

// Refusals a caller wants to know of; without it the first one fails the test.
struct kit_refused {
	uint32_t sid[64];
	uint32_t n;
};

static inline void kit_report(void *ctx, enum rules_verdict verdict, uint32_t sid,
			      const struct diag *diag)
{
	struct kit_refused *r = ctx;
	char buf[1024];

	if (r == NULL)
		fail_msg("sid %u: %s", sid, diag_format(diag, buf, sizeof(buf)));
	assert_true(r->n < KIT_N(r->sid));
	r->sid[r->n++] = sid;
}

// Where the rules of the next images find their lists; NULL: there are none.
static const struct rule_files *kit_files;

// An image of a rule text. Free it.
static inline void *kit_image(const char *text, struct kit_refused *refused, uint64_t *ret_len)
{
	struct rules rules = {.files = kit_files};
	struct diag d = {0};
	void *image = NULL;

	assert_true(rules_parse(&rules, "kit", text, strlen(text), NULL, kit_report, refused) >= 0);
	if (compile_image(&rules, 1, &image, ret_len, NULL, kit_report, refused, &d) != 0)
		fail_msg("compile: %s", d.text);
	rules_done(&rules);
	return image;
}

static inline struct ruleset *kit_ruleset(const char *text, uint32_t generation,
					  struct kit_refused *refused)
{
	struct ruleset *rs = NULL;
	struct diag d = {0};
	uint64_t len;
	void *image = kit_image(text, refused, &len);

	if (ruleset_load(image, len, NULL, generation, 1, &rs, &d) != 0)
		fail_msg("load: %s", d.text);
	free(image);
	return rs;
}

// ---- the pipeline ----

struct kit {
	struct pipeline *p;
	void *mem;
	struct pipeline_conf conf;
	struct pktgen_ends ends;
	uint64_t now_ns;
	uint32_t tail_bytes; // as frames claim
	uint8_t *edge;       // if set, frames lie tail_bytes before it, one at a time
	struct hit *hits;
	struct event *events;
	uint32_t n_hits, n_events;
};

static const struct pktgen_ends kit_ends = {
	.addr = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 10},
		 {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 198, 51, 100, 20}},
	.port = {40000, 80},
};

// Small but ample; a test changes what it starves.
static inline struct pipeline_conf kit_conf(void)
{
	return (struct pipeline_conf){
		.flows = 16,
		.segments = 600,
		.conns = 16,
		.messages = 300,
		.heads = 4,
		.inflaters = 4,
		.windows = 4,
		.fragments = 64,
		.hits = 512,
		.events = 256,
		.event_mask = 1 << EVENT_HTTP | 1 << EVENT_FILEINFO,
		.verify_checksums = true,
		.hash_bodies = true,
		.hash_key = {1, 2},
	};
}

static inline void kit_init(struct kit *k, const struct pipeline_conf *conf, struct ruleset *rs)
{
	size_t bytes;

	memset(k, 0, sizeof(*k));
	k->conf = *conf;
	k->ends = kit_ends;
	k->now_ns = 1000000000;
	k->tail_bytes = PIPELINE_TAIL_BYTES;
	bytes = pipeline_memory(&k->conf);
	k->mem = aligned_alloc(64, (bytes + 63) & ~(size_t)63);
	assert_non_null(k->mem);
	memset(k->mem, 0, bytes);
	assert_int_equal(pipeline_init(k->mem, bytes, &k->conf, &k->p), 0);
	pipeline_set_ruleset(k->p, rs);
}

static inline uint64_t kit_count(const struct kit *k, enum counter c)
{
	return pipeline_counters(k->p)->v[c];
}

// Take what is in the rings.
static inline void kit_drain(struct kit *k)
{
	struct ring *hits = pipeline_hits(k->p), *events = pipeline_events(k->p);
	uint64_t n_hits = ring_count(hits), n_events = ring_count(events);

	k->hits = realloc(k->hits, (k->n_hits + n_hits + 1) * sizeof(*k->hits));
	k->events = realloc(k->events, (k->n_events + n_events + 1) * sizeof(*k->events));
	assert_true(k->hits != NULL && k->events != NULL);
	for (uint64_t i = 0; i < n_hits; i++)
		memcpy(&k->hits[k->n_hits++], ring_peek(hits, i), sizeof(struct hit));
	for (uint64_t i = 0; i < n_events; i++)
		memcpy(&k->events[k->n_events++], ring_peek(events, i), sizeof(struct event));
	ring_pop(hits, n_hits);
	ring_pop(events, n_events);
}

// Inspect segments in bursts of so many frames.
static inline void kit_feed(struct kit *k, const struct pktgen_seg *segs, uint32_t n,
			    uint32_t burst)
{
	struct frame frames[PIPELINE_BURST_MAX];
	uint8_t *bufs[PIPELINE_BURST_MAX];

	for (uint32_t from = 0; from < n; from += burst) {
		uint32_t m = n - from < burst ? n - from : burst;

		assert_true(k->edge == NULL || burst == 1);
		for (uint32_t i = 0; i < m; i++) {
			const struct pktgen_seg *s = &segs[from + i];

			bufs[i] = calloc(1, PKTGEN_HEAD_MAX + s->data.len + PIPELINE_TAIL_BYTES);
			assert_non_null(bufs[i]);
			frames[i] = (struct frame){.data = bufs[i], .tail_bytes = k->tail_bytes};
			frames[i].len = (uint32_t)pktgen_frame(bufs[i], &k->ends, s);
			frames[i].wire_len = frames[i].len;
			if (k->edge != NULL)
				frames[i].data = memcpy(k->edge - k->tail_bytes - frames[i].len,
							bufs[i], frames[i].len);
			frames[i].ts_ns = k->now_ns;
		}
		k->now_ns += 1000;
		pipeline_burst(k->p, frames, m, k->now_ns);
		for (uint32_t i = 0; i < m; i++)
			free(bufs[i]);
		kit_drain(k);
	}
}

// ---- the books ----

// Every byte and flow stands in one row of the ledger, and no row is what is left of a mistake in another.
static inline void kit_ledger(const struct counters *counters)
{
	struct coverage c;
	uint64_t bytes = 0, flows = 0;

	assert_true(coverage_is_exact(counters));
	coverage_of(counters, &c);
	for (unsigned int i = 0; i < COVERAGE_N; i++) {
		assert_in_range(c.bytes[i], 0, c.bytes_seen);
		bytes += c.bytes[i];
		flows += c.flows[i];
	}
	assert_int_equal(bytes, counters->v[CNT_RX_BYTES]);
	assert_int_equal(flows, counters->v[CNT_FLOW_CREATED]);
}

static inline void kit_books(const struct kit *k)
{
	const uint64_t *v = pipeline_counters(k->p)->v;

	if (v[CNT_RX_BYTES] != 0) // else its segments came from another worker, which has the bytes
		kit_ledger(pipeline_counters(k->p));

	assert_int_equal(v[CNT_TCP_PAYLOAD],
			 v[CNT_TCP_DELIVERED] + v[CNT_TCP_RELEASED] + v[CNT_TCP_DUPLICATE] +
				 v[CNT_TCP_OUT_OF_WINDOW] + v[CNT_TCP_IGNORED] + v[CNT_TCP_OLD_TS] +
				 v[CNT_TCP_BAD_ACK] + v[CNT_TCP_URGENT_BYTES] +
				 v[CNT_TCP_AFTER_FIN] + v[CNT_TCP_OOO_HELD]);
	assert_int_equal(v[CNT_RX_PKTS], v[CNT_PKT_TCP] + v[CNT_PKT_TRUNCATED] + v[CNT_PKT_SHORT] +
						 v[CNT_PKT_NOT_IP] + v[CNT_PKT_VLAN_DEPTH] +
						 v[CNT_PKT_TUNNEL_DEPTH] + v[CNT_PKT_BAD_IPV4] +
						 v[CNT_PKT_BAD_IPV6] + v[CNT_PKT_FRAGMENT] +
						 v[CNT_PKT_NOT_TCP] + v[CNT_PKT_BAD_TCP] +
						 v[CNT_PKT_BAD_CSUM]);
	assert_int_equal(v[CNT_PKT_TCP], v[CNT_PKT_IPV4] + v[CNT_PKT_IPV6]);
	assert_int_equal(v[CNT_FLOW_CREATED], v[CNT_FLOW_ACTIVE] + v[CNT_FLOW_CLOSED] +
						      v[CNT_FLOW_TIMEOUT] + v[CNT_FLOW_EVICTED] +
						      v[CNT_FLOW_SHUTDOWN]);
	assert_int_equal(v[CNT_FRAG_DATAGRAMS],
			 v[CNT_FRAG_ACTIVE] + v[CNT_FRAG_DONE] + v[CNT_FRAG_TIMEOUT] +
				 v[CNT_FRAG_EVICTED] + v[CNT_FRAG_SOURCE_FULL] +
				 v[CNT_FRAG_OVERLAP] + v[CNT_FRAG_BAD_END] + v[CNT_FRAG_TOO_LONG] +
				 v[CNT_FRAG_SHUTDOWN]);
	assert_int_equal(v[CNT_HITS], k->n_hits + v[CNT_HITS_LOST]);
	assert_int_equal(v[CNT_EVENTS], k->n_events);
	assert_int_equal(v[CNT_APP_READ_AFTER_RELEASE], 0);
	assert_int_equal(v[CNT_SCAN_FAILED], 0);
}

// Close every flow; afterwards nothing may be held.
static inline void kit_flush(struct kit *k)
{
	while (pipeline_flush(k->p, k->now_ns, 4) > 0)
		kit_drain(k);
	kit_books(k);
	assert_int_equal(pipeline_objects_in_use(k->p), 0);
	assert_int_equal(kit_count(k, CNT_FLOW_ACTIVE), 0);
	assert_int_equal(kit_count(k, CNT_TCP_OOO_HELD), 0);
}

static inline void kit_done(struct kit *k)
{
	pipeline_done(k->p);
	free(k->mem);
	free(k->hits);
	free(k->events);
}

// ---- segments of a conversation ----

struct kit_list {
	struct pktgen_seg *v;
	uint32_t n, cap;
	uint32_t next[2]; // next sequence number of either side
};

static inline void kit_add(struct kit_list *l, uint8_t dir, uint8_t flags, struct span data)
{
	if (l->n == l->cap) {
		l->cap = l->cap * 2 + 64;
		l->v = realloc(l->v, l->cap * sizeof(*l->v));
		assert_non_null(l->v);
	}
	l->v[l->n++] = (struct pktgen_seg){
		.dir = dir,
		.flags = flags,
		.window = 65535,
		.seq = l->next[dir],
		.ack = (flags & KIT_ACK) != 0 ? l->next[!dir] : 0,
		.data = data,
	};
	l->next[dir] += (uint32_t)data.len + ((flags & (KIT_SYN | KIT_FIN)) != 0);
}

static inline void kit_open(struct kit_list *l, uint32_t client_isn, uint32_t server_isn)
{
	l->n = 0;
	l->next[0] = client_isn;
	l->next[1] = server_isn;
	kit_add(l, 0, KIT_SYN, SPAN_NONE);
	kit_add(l, 1, KIT_SYN | KIT_ACK, SPAN_NONE);
	kit_add(l, 0, KIT_ACK, SPAN_NONE);
}

// Data cut into pieces of 1..most bytes: random ones with a seed, else all of them as large as can be.
static inline void kit_data(struct kit_list *l, uint8_t dir, struct span data, uint32_t most,
			    uint64_t *io_seed)
{
	while (data.len > 0) {
		size_t n = io_seed != NULL ? 1 + kit_below(io_seed, most) : most;

		kit_add(l, dir, KIT_ACK, span_first(data, n));
		data = span_from(data, n);
	}
}

static inline void kit_close(struct kit_list *l)
{
	kit_add(l, 0, KIT_ACK | KIT_FIN, SPAN_NONE);
	kit_add(l, 1, KIT_ACK | KIT_FIN, SPAN_NONE);
	kit_add(l, 0, KIT_ACK, SPAN_NONE);
}

#endif

// SPDX-License-Identifier: BSD-2-Clause
// The whole path of a packet. However the same bytes are cut, ordered and repeated, hits and events are the same, every
// byte is in exactly one account, and nothing is left in a pool; too small a pool costs inspection, never more.
#include <errno.h>

#include "dataplane/engine/pkt.h"
#include "tests/unit/conversations.h"

enum {
	SAYS = 8,
	BYTES_PER_FRAME_MAX = 60000,
	SHORT_CONV = 20000, // per-byte runs of longer ones take too long
};

struct cut {
	const char *name;
	uint32_t most; // bytes of a segment
	bool random;   // between one and most
	bool reorder, repeat, overlap, wrap, ipv6;
	uint32_t burst;
	uint32_t rounds;
};

static const struct cut cuts[] = {
	{"whole, frame by frame", BYTES_PER_FRAME_MAX, .burst = 1, .rounds = 1},
	{"whole, in a burst", BYTES_PER_FRAME_MAX, .burst = 64, .rounds = 1},
	{"every byte", 1, .burst = 64, .rounds = 1},
	{"every two bytes", 2, .burst = 63, .rounds = 1},
	{"full segments", 1448, .burst = 32, .rounds = 1},
	{"random", 40, true, .burst = 7, .rounds = 6},
	{"random, short", 3, true, .burst = 1, .rounds = 2},
	{"reordered", 40, true, .reorder = true, .burst = 64, .rounds = 6},
	{"repeated", 40, true, .repeat = true, .burst = 5, .rounds = 3},
	{"overlapping", 40, true, .overlap = true, .burst = 64, .rounds = 4},
	{"sequence numbers wrap", 40, true, .wrap = true, .reorder = true, .burst = 64,
	 .rounds = 3},
	{"everything, IPv6 in a VLAN", 60, true, true, true, true, true, true, 64, 6},
};

static unsigned int failures;

// Say what differs and go on: one cause shows in many places.
__attribute__((format(printf, 1, 2))) static void differs(const char *fmt, ...)
{
	va_list ap;

	if (failures++ > 40)
		return;
	va_start(ap, fmt);
	vprint_error(fmt, ap);
	va_end(ap);
}

// What a conversation led to, in an order that does not depend on time.
struct outcome {
	struct hit *hits;
	struct event *events;
	uint32_t n_hits, n_events;
	uint64_t v[COUNTER_N];
};

static int hit_cmp(const void *va, const void *vb)
{
	const struct hit *a = va, *b = vb;

	if (a->sid != b->sid)
		return a->sid < b->sid ? -1 : 1;
	if (a->tx_id != b->tx_id)
		return a->tx_id < b->tx_id ? -1 : 1;
	return a->addr.dir - b->addr.dir;
}

static int event_cmp(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct event));
}

static void outcome_take(struct kit *k, struct outcome *ret)
{
	*ret = (struct outcome){k->hits, k->events, k->n_hits, k->n_events, {0}};
	memcpy(ret->v, pipeline_counters(k->p)->v, sizeof(ret->v));
	k->hits = NULL;
	k->events = NULL;
	for (uint32_t i = 0; i < ret->n_events; i++) {
		ret->events[i].ts_ns = 0;
		memset(&ret->events[i].addr, 0, offsetof(struct hit_addr, dir));
	}
	qsort(ret->hits, ret->n_hits, sizeof(struct hit), hit_cmp);
	qsort(ret->events, ret->n_events, sizeof(struct event), event_cmp);
}

static void outcome_free(struct outcome *o)
{
	free(o->hits);
	free(o->events);
}

static char *hits_text(const struct outcome *o, char *buf, size_t size)
{
	size_t n = 0;

	buf[0] = '\0';
	for (uint32_t i = 0; i < o->n_hits && n < size; i++)
		n += (size_t)snprintf(buf + n, size - n, "%s%u:%u:%u", i > 0 ? " " : "",
				      o->hits[i].sid, o->hits[i].addr.dir, o->hits[i].tx_id);
	return buf;
}

// ---- cutting ----

static bool is_data(const struct pktgen_seg *s)
{
	return s->data.len > 0 && (s->flags & (KIT_SYN | KIT_FIN)) == 0;
}

// Shuffle neighbours of one direction; at most 8 segments change places.
static void shuffle(struct kit_list *l, uint64_t *seed)
{
	for (uint32_t from = 0; from < l->n;) {
		uint32_t to = from;

		while (to < l->n && to - from < 8 && is_data(&l->v[to]) &&
		       l->v[to].dir == l->v[from].dir)
			to++;
		for (uint32_t i = to; i > from + 1; i--) {
			uint32_t j = from + kit_below(seed, i - from);
			struct pktgen_seg s = l->v[j];

			l->v[j] = l->v[i - 1];
			l->v[i - 1] = s;
		}
		from = to > from ? to : from + 1;
	}
}

// Let segments begin before the end of the one before.
static void overlap(struct kit_list *l, uint64_t *seed)
{
	for (uint32_t i = l->n; i-- > 1;) {
		struct pktgen_seg *s = &l->v[i];
		const struct pktgen_seg *b = s - 1;
		uint32_t back;

		if (!is_data(s) || !is_data(b) || b->dir != s->dir ||
		    b->data.data + b->data.len != s->data.data ||
		    s->data.len + b->data.len > BYTES_PER_FRAME_MAX)
			continue;
		back = kit_below(seed, (uint32_t)b->data.len + 1);
		s->seq -= back;
		s->data = span_of(s->data.data - back, s->data.len + back);
	}
}

// Send some segments twice, the second time later in the same turn or in the next.
static void repeat(struct kit_list *l, uint64_t *seed)
{
	uint32_t n = l->n;
	struct kit_list out = {0};

	for (uint32_t i = 0; i < n; i++) {
		kit_add(&out, 0, 0, SPAN_NONE);
		out.v[out.n - 1] = l->v[i];
		if (kit_below(seed, 3) == 0 && i > 3) {
			kit_add(&out, 0, 0, SPAN_NONE);
			out.v[out.n - 1] = l->v[i - kit_below(seed, 3)];
		}
	}
	free(l->v);
	*l = out;
}

static void cut_make(struct kit_list *l, const struct conv *c, const struct span *bytes,
		     const struct cut *cut, uint64_t *seed)
{
	kit_open(l, cut->wrap ? 0xffffffe0 : 1000, cut->wrap ? 0xfffffff0 : 77000);
	for (int i = 0; i < SAYS && c->say[i].head != NULL; i++)
		kit_data(l, c->say[i].dir, bytes[i], cut->most, cut->random ? seed : NULL);
	if (!c->no_fin)
		kit_close(l);
	if (cut->overlap)
		overlap(l, seed);
	if (cut->repeat)
		repeat(l, seed);
	if (cut->reorder)
		shuffle(l, seed);
}

static void run(struct ruleset *rs, const struct conv *c, const struct span *bytes,
		const struct cut *cut, uint64_t *seed, struct outcome *ret)
{
	struct pipeline_conf conf = kit_conf();
	struct kit_list l = {0};
	struct kit k;

	kit_init(&k, &conf, rs);
	if (cut->ipv6) {
		k.ends.ipv6 = true;
		k.ends.vlan = 42;
		memcpy(k.ends.addr[0], "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01", 16);
		memcpy(k.ends.addr[1], "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02", 16);
	}
	cut_make(&l, c, bytes, cut, seed);
	kit_feed(&k, l.v, l.n, cut->burst);
	kit_books(&k);
	kit_flush(&k);
	assert_false(ruleset_in_use(rs));
	outcome_take(&k, ret);
	kit_done(&k);
	free(l.v);
}

static void compare(const struct conv *c, const struct cut *cut, uint32_t round,
		    const struct outcome *want, const struct outcome *got)
{
	static const enum counter same[] = {
		CNT_HTTP_REQUESTS,      CNT_HTTP_RESPONSES,   CNT_HTTP_TRANSACTIONS,
		CNT_HTTP_BODY_BYTES,    CNT_HTTP_RAW_BYTES,   CNT_HTTP_BAD_START,
		CNT_HTTP_BAD_HEADER,    CNT_HTTP_BAD_CHUNK,   CNT_HTTP_TRUNCATED,
		CNT_HTTP_UPGRADED,      CNT_DECODE_STARTED,   CNT_DECODE_BAD_DATA,
		CNT_APP_HTTP_FLOWS,     CNT_APP_OPAQUE_FLOWS, CNT_APP_TLS_FLOWS,
		CNT_APP_SSH_FLOWS,      CNT_FLOW_CREATED,     CNT_TCP_GAPS,
		CNT_HTTP_DECODED_BYTES, // last: not of loose ones
	};
	char a[500], b[500];

	if (strcmp(hits_text(want, a, sizeof(a)), hits_text(got, b, sizeof(b))) != 0)
		differs("%s, %s, round %u: hits \"%s\" instead of \"%s\"\n", c->name, cut->name,
			round, b, a);
	for (uint32_t i = 0; i < want->n_hits && i < got->n_hits; i++)
		if (want->hits[i].offset_bytes != got->hits[i].offset_bytes ||
		    ((want->hits[i].flags ^ got->hits[i].flags) &
		     ~(c->far ? HIT_WINDOW_SHORT : 0)) != 0 ||
		    want->hits[i].buffer != got->hits[i].buffer)
			differs("%s, %s, round %u: sid %u hits at %lu, flags %x, instead of %lu, "
				"%x\n",
				c->name, cut->name, round, got->hits[i].sid,
				(unsigned long)got->hits[i].offset_bytes, got->hits[i].flags,
				(unsigned long)want->hits[i].offset_bytes, want->hits[i].flags);
	if (want->n_events != got->n_events)
		differs("%s, %s, round %u: %u events instead of %u\n", c->name, cut->name, round,
			got->n_events, want->n_events);
	for (uint32_t i = 0; i < want->n_events; i++) {
		const struct event *w = &want->events[i], *g = &got->events[i];

		if (c->loose && w->type == EVENT_FILEINFO)
			continue;
		if (memcmp(w, g, sizeof(*w)) != 0)
			differs("%s, %s, round %u: event of type %u, tx %u, flags %x, app %u, size "
				"%lu "
				"instead of type %u, tx %u, flags %x, app %u, size %lu\n",
				c->name, cut->name, round, g->type, g->tx_id, g->flags, g->app,
				(unsigned long)g->fileinfo.size_bytes, w->type, w->tx_id, w->flags,
				w->app, (unsigned long)w->fileinfo.size_bytes);
	}
	for (size_t i = 0; i < KIT_N(same) - c->loose; i++)
		if (want->v[same[i]] != got->v[same[i]])
			differs("%s, %s, round %u: counter %s is %lu instead of %lu\n", c->name,
				cut->name, round, counter_info(same[i])->name,
				(unsigned long)got->v[same[i]], (unsigned long)want->v[same[i]]);
}

static void test_every_cut_is_the_same(void **state)
{
	struct ruleset *rs = kit_ruleset(conv_rules, 1, NULL);
	uint64_t seed = 20;
	unsigned int runs = 0;

	for (size_t i = 0; i < KIT_N(convs); i++) {
		const struct conv *c = &convs[i];
		struct span bytes[SAYS] = {{0}};
		struct outcome want, got;
		size_t total = 0;
		char text[500];

		for (int s = 0; s < SAYS && c->say[s].head != NULL; s++) {
			bytes[s] = conv_bytes(&c->say[s]);
			total += bytes[s].len;
		}
		run(rs, c, bytes, &cuts[0], &seed, &want);
		if (strcmp(hits_text(&want, text, sizeof(text)), c->want) != 0)
			differs("%s: hits \"%s\" instead of \"%s\"\n", c->name, text, c->want);
		for (size_t j = 1; j < KIT_N(cuts); j++) {
			if (total > SHORT_CONV && cuts[j].most < 40)
				continue;
			for (uint32_t round = 0; round < cuts[j].rounds; round++) {
				run(rs, c, bytes, &cuts[j], &seed, &got);
				compare(c, &cuts[j], round, &want, &got);
				outcome_free(&got);
				runs++;
			}
		}
		outcome_free(&want);
		for (int s = 0; s < SAYS; s++)
			free((void *)(uintptr_t)bytes[s].data);
	}
	ruleset_free(rs);
	assert_int_equal(failures, 0);
	print_message("%zu conversations, %u runs\n", KIT_N(convs), runs);
}

// ---- in fragments ----

enum {
	PIECE_MAX = 14 + 4 + 40 + 8 + 64,
	PIECES_MAX = 4096,
};

struct piece {
	uint8_t b[PIECE_MAX + PIPELINE_TAIL_BYTES];
	uint32_t len;
};

// The IP packet of a frame in fragments of so many bytes. head: of Ethernet and VLAN. Returns how many.
static uint32_t pieces_make(const uint8_t *frame, size_t len, size_t head, uint32_t bytes,
			    uint32_t id, struct piece *out)
{
	const bool v6 = frame[head] >> 4 == 6;
	const size_t ip = v6 ? 40 : 20, body = len - head - ip;
	uint32_t n = 0;

	for (size_t at = 0; at < body; at += bytes, n++) {
		size_t m = body - at < bytes ? body - at : bytes;
		uint8_t *p = memcpy(out[n].b, frame, head + ip);
		bool more = at + m < body;

		p += head;
		if (v6) {
			pktgen_put16(p + 4, (unsigned int)(8 + m));
			p[6] = 44;
			p[40] = 6;
			p[41] = 0;
			pktgen_put16(p + 42, (unsigned int)(at | more));
			pktgen_put32(p + 44, id);
		} else {
			pktgen_put16(p + 2, (unsigned int)(20 + m));
			pktgen_put16(p + 4, id);
			pktgen_put16(p + 6, (unsigned int)(at / 8 | (more ? 0x2000 : 0)));
			pktgen_put16(p + 10, 0);
			pktgen_put16(p + 10, ~pktgen_sum(0, p, 20) & 0xffff);
		}
		memcpy(p + ip + (v6 ? 8 : 0), frame + head + ip + at, m);
		out[n].len = (uint32_t)(head + ip + (v6 ? 8 : 0) + m);
	}
	return n;
}

static void pieces_shuffle(struct piece *pieces, uint32_t n, uint64_t *seed)
{
	for (uint32_t j = n; j-- > 1;) {
		struct piece swap = pieces[j];
		uint32_t other = kit_below(seed, j + 1);

		pieces[j] = pieces[other];
		pieces[other] = swap;
	}
}

// Inspect segments, each in fragments of so many bytes, shuffled, some twice. lose: one piece of each that has two.
static void feed_pieces(struct kit *k, const struct kit_list *l, uint32_t bytes, bool lose,
			uint64_t *seed)
{
	static struct piece pieces[PIECES_MAX];
	static uint8_t whole[PKTGEN_HEAD_MAX + 2000];

	for (uint32_t i = 0; i < l->n; i++) {
		size_t len = pktgen_frame(whole, &k->ends, &l->v[i]);
		size_t head = k->ends.vlan != 0 ? 18 : 14;
		uint32_t n = pieces_make(whole, len, head, bytes, i + 1, pieces);
		struct frame frames[PIPELINE_BURST_MAX];

		pieces_shuffle(pieces, n, seed);
		n -= lose && n > 1;
		for (uint32_t from = 0, m; from < n; from += m) {
			m = 1 + kit_below(seed, PIPELINE_BURST_MAX);
			m = n - from < m ? n - from : m;
			for (uint32_t j = 0; j < m; j++)
				frames[j] = (struct frame){.data = pieces[from + j].b,
							   .len = pieces[from + j].len,
							   .wire_len = pieces[from + j].len,
							   .tail_bytes = PIPELINE_TAIL_BYTES,
							   .ts_ns = k->now_ns};
			k->now_ns += 1000;
			pipeline_burst(k->p, frames, m, k->now_ns);
			if (from + m < n) // the datagram is not whole yet
				pipeline_burst(k->p, frames, 1, k->now_ns);
		}
		kit_drain(k);
	}
}

static size_t conv_all(const struct conv *c, struct span bytes[SAYS])
{
	size_t total = 0;

	for (int s = 0; s < SAYS && c->say[s].head != NULL; s++) {
		bytes[s] = conv_bytes(&c->say[s]);
		total += bytes[s].len;
	}
	return total;
}

static void run_pieces(struct ruleset *rs, const struct conv *c, const struct span *bytes,
		       uint32_t piece_bytes, bool ipv6, uint64_t *seed)
{
	struct cut cut = {"segments of 700", 700};
	struct pipeline_conf conf = kit_conf();
	struct kit_list l = {0};
	struct outcome got;
	struct kit k;
	char text[500];

	kit_init(&k, &conf, rs);
	k.ends.ipv6 = ipv6;
	k.ends.vlan = ipv6 ? 7 : 0;
	cut_make(&l, c, bytes, &cut, seed);
	feed_pieces(&k, &l, piece_bytes, false, seed);
	assert_int_equal(kit_count(&k, CNT_FRAG_ACTIVE), 0);
	assert_int_equal(kit_count(&k, CNT_FRAG_OVERLAP), 0);
	kit_flush(&k);
	outcome_take(&k, &got);
	if (strcmp(hits_text(&got, text, sizeof(text)), c->want) != 0)
		differs("%s, in fragments of %u: hits \"%s\" instead of \"%s\"\n", c->name,
			piece_bytes, text, c->want);
	outcome_free(&got);
	kit_done(&k);
	free(l.v);
}

static void test_fragments(void **state)
{
	struct ruleset *rs = kit_ruleset(conv_rules, 1, NULL);
	uint64_t seed = 22;

	failures = 0;
	for (size_t i = 0; i < KIT_N(convs); i++) {
		struct span bytes[SAYS] = {{0}};

		if (conv_all(&convs[i], bytes) <= SHORT_CONV) {
			run_pieces(rs, &convs[i], bytes, 8, false, &seed);
			run_pieces(rs, &convs[i], bytes, 16, false, &seed);
			run_pieces(rs, &convs[i], bytes, 24, true, &seed);
			run_pieces(rs, &convs[i], bytes, 64, true, &seed);
		}
		for (int s = 0; s < SAYS; s++)
			free((void *)(uintptr_t)bytes[s].data);
	}
	ruleset_free(rs);
	assert_int_equal(failures, 0);
}

struct taker {
	struct kit *k;
	uint8_t *copy;
};

static void take(void *ctx, uint32_t worker, const struct pkt *pkt, uint64_t ts_ns)
{
	struct taker *t = ctx;
	struct pkt mine = *pkt;

	assert_int_equal(worker, 0);
	if (pkt->payload.len > 0)
		memcpy(t->copy, pkt->payload.data, pkt->payload.len);
	mine.payload.data = t->copy;
	pipeline_segment(t->k->p, &mine, ts_ns, t->k->now_ns);
	kit_drain(t->k);
}

// One worker puts the fragments together, another one has the flow: of the same hash as of frames that are whole.
static uint32_t owner_of_two(void *ctx, uint32_t frame_hash)
{
	return pipeline_owner(frame_hash, 2);
}

static void test_handed_over(void **state)
{
	struct ruleset *rs = kit_ruleset(conv_rules, 1, NULL);
	struct cut cut = {"segments of 700", 700};
	uint64_t seed = 29;

	failures = 0;
	for (size_t i = 0; i < KIT_N(convs); i++) {
		struct pipeline_conf conf = kit_conf();
		struct span bytes[SAYS] = {{0}};
		struct kit_list l = {0};
		struct outcome got;
		struct kit has_flow, has_pieces;
		struct taker taker = {&has_flow, malloc(2000)};
		uint8_t whole[PKTGEN_HEAD_MAX + 2000];
		struct frame frame = {.data = whole};
		bool fragment;
		char text[500];

		conv_all(&convs[i], bytes);
		kit_init(&has_flow, &conf, rs);
		conf.worker = 1;
		conf.handover = (struct pipeline_handover){take, owner_of_two, &taker};
		kit_init(&has_pieces, &conf, NULL);
		cut_make(&l, &convs[i], bytes, &cut, &seed);
		do {
			has_pieces.ends.port[0]++;
			frame.len = (uint32_t)pktgen_frame(whole, &has_pieces.ends, &l.v[0]);
		} while (pipeline_owner(pipeline_frame_hash(&frame, conf.hash_key, &fragment), 2) !=
			 0);
		assert_false(fragment);
		feed_pieces(&has_pieces, &l, 16, false, &seed);
		assert_int_equal(kit_count(&has_pieces, CNT_PKT_TCP), l.n);
		assert_int_equal(kit_count(&has_pieces, CNT_FLOW_CREATED), 0);
		assert_int_equal(kit_count(&has_flow, CNT_FLOW_MIDSTREAM), 0);
		kit_flush(&has_pieces);
		kit_flush(&has_flow);
		outcome_take(&has_flow, &got);
		if (strcmp(hits_text(&got, text, sizeof(text)), convs[i].want) != 0)
			differs("%s, handed over: hits \"%s\" instead of \"%s\"\n", convs[i].name,
				text, convs[i].want);
		outcome_free(&got);
		kit_done(&has_pieces);
		kit_done(&has_flow);
		free(taker.copy);
		free(l.v);
		for (int s = 0; s < SAYS; s++)
			free((void *)(uintptr_t)bytes[s].data);
	}
	ruleset_free(rs);
	assert_int_equal(failures, 0);
}

// Datagrams of which a piece never comes are forgotten with time, and at the end of the input.
static void test_lost_fragments(void **state)
{
	struct ruleset *rs = kit_ruleset(conv_rules, 1, NULL);
	struct pipeline_conf conf = kit_conf();
	struct cut cut = {"segments of 700", 700};
	struct span bytes[SAYS] = {{0}};
	uint64_t seed = 23;

	conv_all(&convs[0], bytes);
	for (int by_time = 0; by_time < 2; by_time++) {
		struct kit_list l = {0};
		struct kit k;

		kit_init(&k, &conf, rs);
		cut_make(&l, &convs[0], bytes, &cut, &seed);
		feed_pieces(&k, &l, 8, true, &seed);
		kit_books(&k);
		assert_int_equal(kit_count(&k, CNT_PKT_TCP), 0);
		assert_int_equal(kit_count(&k, CNT_FRAG_ACTIVE), l.n);
		assert_true(pipeline_objects_in_use(k.p) >= 2 * (uint64_t)l.n);
		if (by_time) {
			k.now_ns += 6000000000;
			pipeline_idle(k.p, k.now_ns, l.n);
			assert_int_equal(kit_count(&k, CNT_FRAG_TIMEOUT), l.n);
			assert_int_equal(pipeline_objects_in_use(k.p), 0);
		}
		kit_flush(&k);
		kit_done(&k);
		free(l.v);
	}
	for (int s = 0; s < SAYS; s++)
		free((void *)(uintptr_t)bytes[s].data);
	ruleset_free(rs);
}

// ---- without a handshake ----

static void test_midstream(void **state)
{
	struct ruleset *rs = kit_ruleset(conv_rules, 1, NULL);
	struct cut cut = {"midstream", 100, .burst = 16};
	uint64_t seed = 21;

	failures = 0;
	for (size_t i = 0; i < KIT_N(convs) * 2; i++) {
		const struct conv *c = &convs[i / 2];
		struct pipeline_conf conf = kit_conf();
		struct span bytes[SAYS];
		struct kit_list l = {0};
		struct outcome got;
		struct kit k;
		char text[500];

		if (c->begins)
			continue;
		for (int s = 0; s < SAYS && c->say[s].head != NULL; s++)
			bytes[s] = conv_bytes(&c->say[s]);
		kit_init(&k, &conf, rs);
		if (i % 2 == 1) { // the ports say nothing about who is the server
			k.ends.port[0] = 1024;
			k.ends.port[1] = 50000;
		}
		cut_make(&l, c, bytes, &cut, &seed);
		kit_feed(&k, l.v + 3, l.n - 3, cut.burst);
		kit_flush(&k);
		outcome_take(&k, &got);
		if (strcmp(hits_text(&got, text, sizeof(text)), c->want) != 0)
			differs("%s, without a handshake: hits \"%s\" instead of \"%s\"\n", c->name,
				text, c->want);
		for (uint32_t h = 0; h < got.n_hits; h++) {
			assert_true((got.hits[h].flags & HIT_MIDSTREAM) != 0);
			assert_int_equal(got.hits[h].addr.dst_port,
					 k.ends.port[!got.hits[h].addr.dir]);
		}
		outcome_free(&got);
		kit_done(&k);
		free(l.v);
		for (int s = 0; s < SAYS && c->say[s].head != NULL; s++)
			free((void *)(uintptr_t)bytes[s].data);
	}
	ruleset_free(rs);
	assert_int_equal(failures, 0);
}

// ---- packets that do not arrive ----

// A SYN, data and a reset whose TTL is 4 come before and between those of the client.
static void short_lived(struct kit *k)
{
	const struct span first = SPAN_LIT("GET /need"),
			  decoy = SPAN_LIT("RAW-NEEDLE HTTP/1.1\r\n\r\n");
	const struct span rest = SPAN_LIT("le-uri HTTP/1.1\r\nHost: a\r\n\r\n");
	struct kit_list l = {0};

	l.next[0] = 900;
	kit_add(&l, 0, KIT_SYN, SPAN_NONE);
	l.v[0].ttl = 4;
	kit_feed(k, l.v, 1, 1);
	kit_open(&l, 1000, 5000);
	kit_add(&l, 0, KIT_ACK, first);
	kit_add(&l, 0, KIT_ACK, decoy);
	kit_add(&l, 0, KIT_ACK | KIT_RST, SPAN_NONE);
	l.v[4].ttl = l.v[5].ttl = 4;
	l.next[0] -= (uint32_t)decoy.len;
	kit_add(&l, 0, KIT_ACK, rest);
	l.v[6].ttl = 5;
	kit_feed(k, l.v, l.n, 16);
	kit_flush(k);
	free(l.v);
}

static void test_short_lived(void **state)
{
	struct ruleset *rs = kit_ruleset(
		"alert http any any -> any any (http.uri; content:\"/needle-uri\"; sid:1;)\n"
		"alert tcp any any -> any any (content:\"needRAW-NEEDLE\"; sid:2;)\n",
		1, NULL);

	for (uint32_t hops = 3; hops <= 4; hops++) {
		struct pipeline_conf conf = kit_conf();
		uint32_t main = 0, other = 0;
		struct kit k;

		conf.hops_to_servers = hops;
		kit_init(&k, &conf, rs);
		short_lived(&k);
		for (uint32_t i = 0; i < k.n_hits; i++) {
			main += k.hits[i].sid == 1 && (k.hits[i].flags & HIT_AMBIGUOUS) == 0;
			other += k.hits[i].sid == 2 && (k.hits[i].flags & HIT_AMBIGUOUS) != 0;
		}
		assert_int_equal(main, hops == 4);
		assert_int_equal(other > 0, hops == 4);
		assert_int_equal(kit_count(&k, CNT_PKT_TTL_SHORT), hops == 4 ? 3 : 0);
		kit_done(&k);
	}
	ruleset_free(rs);
}

// ---- pools too small ----

// All conversations at once, segments of different ones in turn, reordered. Returns the hits that are due.
static uint32_t crowd(struct kit *k, uint64_t seed)
{
	struct cut cut = {"crowd", 400, true, .reorder = true};
	struct kit_list lists[KIT_N(convs)] = {0};
	struct span bytes[KIT_N(convs)][SAYS] = {0};
	uint32_t at[KIT_N(convs)] = {0}, left = 0, due = 0;

	for (size_t i = 0; i < KIT_N(convs); i++) {
		for (int s = 0; s < SAYS && convs[i].say[s].head != NULL; s++)
			bytes[i][s] = conv_bytes(&convs[i].say[s]);
		cut_make(&lists[i], &convs[i], bytes[i], &cut, &seed);
		left += lists[i].n;
		for (const char *w = convs[i].want; *w != '\0'; w++)
			due += w == convs[i].want || *w == ' ';
	}
	while (left > 0) {
		uint32_t i = kit_below(&seed, KIT_N(convs)), n = 1 + kit_below(&seed, 4);

		if (n > lists[i].n - at[i])
			n = lists[i].n - at[i];
		k->ends.port[0] = (uint16_t)(40000 + i);
		kit_feed(k, lists[i].v + at[i], n, 4);
		kit_books(k);
		at[i] += n;
		left -= n;
	}
	for (size_t i = 0; i < KIT_N(convs); i++) {
		free(lists[i].v);
		for (int s = 0; s < SAYS; s++)
			free((void *)(uintptr_t)bytes[i][s].data);
	}
	return due;
}

static void test_small_pools(void **state)
{
	static const struct {
		const char *name;
		size_t member;
		enum counter tells;
	} pools[] = {
		{"flows", offsetof(struct pipeline_conf, flows), CNT_FLOW_EVICTED},
		{"segments", offsetof(struct pipeline_conf, segments), CNT_TCP_GAPS},
		{"conns", offsetof(struct pipeline_conf, conns), CNT_HTTP_NO_CONN},
		{"messages", offsetof(struct pipeline_conf, messages), CNT_HTTP_NO_MESSAGE},
		{"heads", offsetof(struct pipeline_conf, heads), CNT_HTTP_HEAD_NO_BUFFER},
		{"inflaters", offsetof(struct pipeline_conf, inflaters), CNT_DECODE_NO_STATE},
		{"windows", offsetof(struct pipeline_conf, windows), CNT_WINDOW_NONE},
	};
	struct ruleset *rs = kit_ruleset(conv_rules, 1, NULL);
	struct pipeline_conf ample = kit_conf();
	struct kit k;
	uint32_t due;

	ample.flows = 128;
	ample.heads = ample.windows = ample.inflaters = 100;
	ample.conns = 1000; // of which few may become HTTP/2
	ample.messages = 1000;
	kit_init(&k, &ample, rs);
	due = crowd(&k, 24);
	kit_flush(&k);
	for (size_t i = 0; i < KIT_N(pools); i++)
		assert_int_equal(kit_count(&k, pools[i].tells), 0);
	assert_int_equal(k.n_hits, due);
	kit_done(&k);
	// One pool after the other with room for one and for two, then all of them.
	for (size_t i = 0; i <= 2 * KIT_N(pools); i++) {
		struct pipeline_conf conf = ample;
		const uint32_t room = 1 + i % 2;

		for (size_t j = 0; j < KIT_N(pools); j++)
			if (i / 2 == j || i == 2 * KIT_N(pools))
				memcpy((uint8_t *)&conf + pools[j].member, &room, sizeof(room));
		kit_init(&k, &conf, rs);
		// Whether two of a kind meet a third depends on who is when.
		for (uint64_t seed = 24; seed < 30; seed++) {
			crowd(&k, seed);
			kit_flush(&k);
			assert_false(ruleset_in_use(rs));
			if (i == 2 * KIT_N(pools) || kit_count(&k, pools[i / 2].tells) > 0)
				break;
		}
		if (i < 2 * KIT_N(pools) && kit_count(&k, pools[i / 2].tells) == 0)
			fail_msg("room for %u %s: %s stays 0", room, pools[i / 2].name,
				 counter_info(pools[i / 2].tells)->name);
		kit_done(&k);
	}
	ruleset_free(rs);
}

// ---- streams no host would send ----

// Segments anywhere around the right place, of any length and kind.
static void odd_stream(struct kit *k, uint64_t *seed)
{
	static const uint8_t text[] = "POST /a.php HTTP/1.1\r\nHost: a\r\nContent-Length: "
				      "40\r\n\r\nBODYNEEDLE win-one win-two x"
				      "GET /needle-uri HTTP/1.1\r\nTransfer-Encoding: "
				      "chunked\r\n\r\n5\r\nlead \r\n0\r\n\r\n";
	const uint32_t size = sizeof(text) - 1;
	struct kit_list l = {0};
	uint32_t isn[2] = {(uint32_t)kit_rand(seed), (uint32_t)kit_rand(seed)};

	kit_open(&l, isn[0], isn[1]);
	if (kit_below(seed, 3) > 0)
		kit_feed(k, l.v, 1 + kit_below(seed, 3), 3);
	for (int i = 0; i < 40; i++) {
		struct pktgen_seg s = {.dir = (uint8_t)(kit_below(seed, 4) == 0), .flags = KIT_ACK};
		uint32_t at = kit_below(seed, size + 1), r = kit_below(seed, 40);

		s.data = span_of(text + at, kit_below(seed, size + 1 - at));
		s.seq = isn[s.dir] + 1 + at;
		s.ack = isn[!s.dir] + 1 + kit_below(seed, size);
		s.window = (uint16_t)kit_rand(seed);
		if (r < 4)
			s.flags = (uint8_t)kit_rand(seed);
		else if (r < 7)
			s.flags |= KIT_FIN;
		else if (r < 9)
			s.seq += kit_below(seed, 2) == 0 ? 1000000 : 0x80000000;
		kit_feed(k, &s, 1, 1);
		kit_books(k);
	}
	free(l.v);
}

static void test_odd_streams(void **state)
{
	struct ruleset *rs = kit_ruleset(conv_rules, 1, NULL);
	uint64_t seed = 23;

	for (int i = 0; i < 300; i++) {
		struct pipeline_conf conf = kit_conf();
		struct kit k;

		if (i % 3 == 0)
			conf.segments = 1 + (uint32_t)i % 4;
		kit_init(&k, &conf, rs);
		for (int j = 0; j < 4; j++) {
			odd_stream(&k, &seed);
			if (kit_below(&seed, 2) == 0)
				k.now_ns += (uint64_t)kit_below(&seed, 130) * 1000000000;
			pipeline_idle(k.p, k.now_ns, 8);
			kit_drain(&k);
		}
		kit_flush(&k);
		assert_false(ruleset_in_use(rs));
		kit_done(&k);
	}
	ruleset_free(rs);
}

// ---- rule sets come and go ----

static void say(struct kit *k, struct kit_list *l, uint8_t dir, const char *text)
{
	l->n = 0;
	kit_data(l, dir, span_of(text, strlen(text)), 30, NULL);
	kit_feed(k, l->v, l->n, 8);
}

static void test_ruleset_swap(void **state)
{
	static const char rule[] =
		"alert http any any -> any any (http.method; content:\"POST\"; "
		"file.data; content:\"alpha\"; content:\"omega\"; distance:0; sid:%d;)";
	struct pipeline_conf conf = kit_conf();
	struct kit_list l = {0};
	struct ruleset *rs[3];
	struct kit k;
	char text[300];

	for (int i = 0; i < 3; i++) {
		snprintf(text, sizeof(text), rule, i + 1);
		rs[i] = kit_ruleset(text, (uint32_t)i + 10, NULL);
	}
	kit_init(&k, &conf, rs[0]);
	kit_open(&l, 1, 1);
	kit_feed(&k, l.v, l.n, 8);
	// A body that began under the first set ends under it; the message behind it is inspected with the second.
	say(&k, &l, 0, "POST / HTTP/1.1\r\nContent-Length: 12\r\n\r\nalpha");
	assert_true(ruleset_in_use(rs[0]));
	pipeline_set_ruleset(k.p, rs[1]);
	assert_false(ruleset_in_use(rs[1]));
	say(&k, &l, 0, " -omegaPOST / HTTP/1.1\r\nContent-Length: 18\r\n\r\nalpha");
	assert_int_equal(k.n_hits, 1);
	assert_int_equal(k.hits[0].sid, 1);
	assert_int_equal(k.hits[0].generation, 10);
	assert_int_equal(k.hits[0].tx_id, 0);
	assert_false(ruleset_in_use(rs[0]));
	assert_true(ruleset_in_use(rs[1]));
	// The grace time is over: the body goes on uninspected, the connection does not.
	pipeline_set_ruleset(k.p, rs[2]);
	pipeline_release_old(k.p);
	assert_int_equal(kit_count(&k, CNT_OLD_RELEASED), 1);
	assert_false(ruleset_in_use(rs[1]));
	pipeline_release_old(k.p);
	assert_int_equal(kit_count(&k, CNT_OLD_RELEASED), 1);
	say(&k, &l, 0, "      -omegaxPOST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nalphaomega");
	assert_int_equal(k.n_hits, 2);
	assert_int_equal(k.hits[1].sid, 3);
	assert_int_equal(k.hits[1].generation, 12);
	assert_int_equal(k.hits[1].tx_id, 2);
	// No rule set: nothing is inspected, and that is counted.
	pipeline_set_ruleset(k.p, NULL);
	say(&k, &l, 0, "POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nalphaomega");
	assert_int_equal(k.n_hits, 2);
	assert_int_equal(kit_count(&k, CNT_RX_NO_RULESET), 1);
	kit_flush(&k);
	assert_int_equal(kit_count(&k, CNT_HTTP_TRANSACTIONS), 4);
	for (int i = 0; i < 3; i++) {
		assert_false(ruleset_in_use(rs[i]));
		ruleset_free(rs[i]);
	}
	kit_done(&k);
	free(l.v);
}

static void test_full_rings(void **state)
{
	struct ruleset *rs = kit_ruleset(
		"alert http any any -> any any (http.uri; content:\"/hit\"; sid:1;)", 1, NULL);
	static const char get[] = "GET /hit HTTP/1.1\r\n\r\n";
	struct pipeline_conf conf = kit_conf();
	struct kit_list l = {0};
	struct kit k;

	conf.hits = 4;
	conf.events = 2;
	kit_init(&k, &conf, rs);
	kit_open(&l, 1, 1);
	for (int i = 0; i < 10; i++)
		kit_data(&l, 0, span_of(get, strlen(get)), 100, NULL);
	kit_feed(&k, l.v, l.n, 64);
	assert_int_equal(k.n_hits, 4);
	l.n = 0;
	kit_data(&l, 0, span_of(get, strlen(get)), 100, NULL);
	kit_feed(&k, l.v, l.n, 64);
	assert_int_equal(k.n_hits, 5);
	for (uint32_t i = 0; i < 5; i++) {
		assert_int_equal(k.hits[i].seq, i < 4 ? i + 1 : 11);
		assert_int_equal(k.hits[i].tx_id, i < 4 ? i : 10);
	}
	assert_int_equal(kit_count(&k, CNT_HITS), 11);
	assert_int_equal(kit_count(&k, CNT_HITS_LOST), 6);
	kit_flush(&k);
	assert_int_equal(kit_count(&k, CNT_EVENTS) + kit_count(&k, CNT_EVENTS_LOST), 11);
	assert_int_equal(kit_count(&k, CNT_EVENTS), 2);
	kit_done(&k);
	ruleset_free(rs);
	free(l.v);
}

// ---- memory ----

static void test_init_refuses(void **state)
{
	struct pipeline_conf conf = kit_conf();
	size_t bytes = pipeline_memory(&conf);
	uint8_t *mem = aligned_alloc(64, ((bytes + 63) & ~(size_t)63) + 64);
	struct pipeline *p = NULL;

	assert_non_null(mem);
	memset(mem, 0, bytes);
	assert_int_equal(pipeline_init(mem, bytes - 1, &conf, &p), -EINVAL);
	assert_int_equal(pipeline_init(mem + 8, bytes, &conf, &p), -EINVAL);
	assert_null(p);
	assert_int_equal(pipeline_init(mem, bytes, &conf, &p), 0);
	pipeline_done(p);
	pipeline_done(NULL);
	free(mem);
}

// What a host would drop for its checksum is dropped; of a flow that was let go only what could end it.
static void test_damaged(void **state)
{
	static const struct {
		const char *name, *first;
		uint8_t flags; // of the damaged segment
		uint32_t dropped, hits;
	} cases[] = {
		{"in what is read", "GET /needle-uri HTTP/1.1\r\n", KIT_ACK, 1, 0},
		{"in TLS", "\x16\x03\x01\x02\x00\x01 and more than enough of it", KIT_ACK, 0, 0},
		{"a reset of TLS", "\x16\x03\x01\x02\x00\x01 and more than enough of it",
		 KIT_ACK | KIT_RST, 1, 0},
		{"an end of TLS", "\x16\x03\x01\x02\x00\x01 and more than enough of it",
		 KIT_ACK | KIT_FIN, 1, 0},
	};
	struct ruleset *rs = kit_ruleset(conv_rules, 1, NULL);
	struct pipeline_conf conf = kit_conf();

	for (size_t i = 0; i < KIT_N(cases); i++) {
		const size_t len = i == 0 ? strlen(cases[i].first) : 30;
		struct kit_list l = {0};
		struct kit k;

		kit_init(&k, &conf, rs);
		kit_open(&l, 1, 1);
		kit_data(&l, 0, span_of(cases[i].first, len), 1400, NULL);
		kit_data(&l, 0, SPAN_LIT("Host: x\r\n\r\n"), 1400, NULL);
		l.v[l.n - 1].damaged = true;
		l.v[l.n - 1].flags = cases[i].flags;
		kit_feed(&k, l.v, l.n, 16);
		assert_int_equal(kit_count(&k, CNT_PKT_BAD_CSUM), cases[i].dropped);
		assert_int_equal(kit_count(&k, CNT_RX_PKTS), l.n);
		assert_int_equal(kit_count(&k, CNT_FLOW_ACTIVE), 1); // nothing has ended it
		assert_int_equal(kit_count(&k, CNT_TCP_RELEASED), i == 1 ? 11 : 0);
		assert_int_equal(k.n_hits, cases[i].hits);
		kit_flush(&k);
		kit_done(&k);
		free(l.v);
	}
	ruleset_free(rs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_damaged),     cmocka_unit_test(test_every_cut_is_the_same),
		cmocka_unit_test(test_fragments),   cmocka_unit_test(test_lost_fragments),
		cmocka_unit_test(test_handed_over), cmocka_unit_test(test_midstream),
		cmocka_unit_test(test_short_lived), cmocka_unit_test(test_small_pools),
		cmocka_unit_test(test_odd_streams), cmocka_unit_test(test_ruleset_swap),
		cmocka_unit_test(test_full_rings),  cmocka_unit_test(test_init_refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: BSD-2-Clause
// All conversations in fragments: put together here, by another worker, or with some lost.
#include "tests/unit/cutkit.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fragments),
		cmocka_unit_test(test_lost_fragments),
		cmocka_unit_test(test_handed_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

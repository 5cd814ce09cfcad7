// SPDX-License-Identifier: BSD-2-Clause
// The whole path of a packet. However the same bytes are cut, ordered and repeated, hits and events are the same, every
// byte is in exactly one account, and nothing is left in a pool.
#include "tests/unit/cutkit.h"

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
	{"rule sets change", 40, true, .swap = true, .rounds = 3},
	{"rule sets change, every byte", 1, .swap = true, .rounds = 1},
	{"rule sets change, reordered and repeated", 60, true, .reorder = true, .repeat = true,
	 .swap = true, .rounds = 4},
	{"everything, IPv6 in a VLAN", 60, true, true, true, true, true, true, 64, 6},
};

static void run(struct ruleset *const rs[2], const struct conv *c, const struct span *bytes,
		const struct cut *cut, uint64_t *seed, struct outcome *ret)
{
	struct pipeline_conf conf = kit_conf();
	struct kit_list l = {0};
	struct kit k;

	kit_init(&k, &conf, rs[0]);
	if (cut->ipv6) {
		k.ends.ipv6 = true;
		k.ends.vlan = 42;
		memcpy(k.ends.addr[0], "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01", 16);
		memcpy(k.ends.addr[1], "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02", 16);
	}
	cut_make(&l, c, bytes, cut, seed);
	for (uint32_t i = 0; cut->swap && i < l.n; i++) {
		pipeline_set_ruleset(k.p, rs[i % 2]);
		kit_feed(&k, &l.v[i], 1, 1);
	}
	if (!cut->swap)
		kit_feed(&k, l.v, l.n, cut->burst);
	kit_books(&k);
	kit_flush(&k);
	assert_false(ruleset_in_use(rs[0]) || ruleset_in_use(rs[1]));
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
	struct ruleset *const rs[2] = {kit_ruleset(conv_rules, 1, NULL),
				       kit_ruleset(conv_rules, 2, NULL)};
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
	ruleset_free(rs[0]);
	ruleset_free(rs[1]);
	assert_int_equal(failures, 0);
	print_message("%zu conversations, %u runs\n", KIT_N(convs), runs);
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
		cmocka_unit_test(test_midstream),   cmocka_unit_test(test_short_lived),
		cmocka_unit_test(test_odd_streams),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: BSD-2-Clause
// Segments in, stream out. Each script runs on a flow of its own; behind every segment the books must balance and the
// queue must be what the pool says. In the expected streams '_' is a byte that was skipped, '$' the end of the stream.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "dataplane/engine/tcp.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

enum {
	CELLS = 600,
	OUT_MAX = 1 << 20,
	STEPS = 12,
	MSS_TEST = 3000, // more than a cell holds
	SERVER_ISN = 7000,
};

// One flow with its pool; out is what has been read of each direction.
struct rig {
	struct flow f;
	struct pool pool, histories;
	struct tcp_ctx x;
	struct counters c;
	uint32_t isn; // of the client
	uint32_t n[DIR_N];
	bool fin[DIR_N];
	bool flushed;
	uint8_t *out[DIR_N];
	char alt[512]; // other readings of what the client sent, each behind a '|'; "(...)" was read before
	uint32_t n_alt;
	struct tcp_seg *cells;
	uint8_t *pasts;
};

static void rig_reset(struct rig *r, uint32_t isn, uint32_t cells)
{
	memset(&r->f, 0, sizeof(r->f));
	memset(&r->c, 0, sizeof(r->c));
	for (int d = 0; d < DIR_N; d++) {
		r->f.half[d].ooo_head = r->f.half[d].prefix = r->f.half[d].history = POOL_NONE;
		r->n[d] = 0;
		r->fin[d] = false;
	}
	pool_init(&r->pool, r->cells, cells, sizeof(struct tcp_seg));
	pool_init(&r->histories, r->pasts, DIR_N, TCP_HISTORY_BYTES);
	r->x.cells = &r->pool;
	r->x.histories = &r->histories;
	r->x.counters = &r->c;
	r->n_alt = 0;
	r->alt[0] = '\0';
	r->isn = isn;
	r->flushed = false;
}

static void rig_init(struct rig *r, uint32_t isn, uint32_t cells)
{
	r->cells = malloc(CELLS * sizeof(struct tcp_seg));
	r->pasts = malloc(DIR_N * TCP_HISTORY_BYTES);
	r->x.scratch = malloc(TCP_SCRATCH_BYTES);
	assert_true(r->pasts != NULL && r->x.scratch != NULL);
	r->out[0] = malloc(OUT_MAX);
	r->out[1] = malloc(OUT_MAX);
	assert_true(r->cells != NULL && r->out[0] != NULL && r->out[1] != NULL);
	rig_reset(r, isn, cells);
}

static void rig_done(struct rig *r)
{
	free(r->cells);
	free(r->pasts);
	free(r->x.scratch);
	free(r->out[0]);
	free(r->out[1]);
}

// Every payload byte is in exactly one place; every cell is in a queue; queues ascend.
static void rig_check(const struct rig *r)
{
	const uint64_t *v = r->c.v;
	uint32_t count = 0, bytes = 0;

	for (int d = 0; d < DIR_N; d++) {
		const struct tcp_half *h = &r->f.half[d];
		uint32_t n = 0, sum = 0, last = h->next_seq;

		for (uint32_t i = h->ooo_head; i != POOL_NONE; n++) {
			const struct tcp_seg *s = pool_at(&r->pool, i);

			// What is doubtful may begin before what was read.
			assert_true(s->kind > TCP_SEG_LOSER || (int32_t)(s->seq - last) >= 0);
			assert_true(s->total > 0 || s->fin);
			if (s->kind <= TCP_SEG_LOSER)
				last = s->seq;
			if (s->kind != TCP_SEG_ECHO)
				sum += s->total;
			for (uint32_t more = s->more; more != POOL_NONE; n++)
				more = ((const struct tcp_seg *)pool_at(&r->pool, more))->more;
			i = s->next;
		}
		assert_int_equal(n, h->ooo_count);
		assert_true(n <= TCP_OOO_SEGS_MAX);
		count += n;
		bytes += sum;
		assert_int_equal(h->delivered, r->n[d]);
	}
	assert_int_equal(count, r->pool.used);
	assert_int_equal(bytes, v[CNT_TCP_OOO_HELD]);
	assert_int_equal(v[CNT_TCP_PAYLOAD],
			 v[CNT_TCP_DELIVERED] + v[CNT_TCP_RELEASED] + v[CNT_TCP_DUPLICATE] +
				 v[CNT_TCP_OUT_OF_WINDOW] + v[CNT_TCP_IGNORED] + v[CNT_TCP_OLD_TS] +
				 v[CNT_TCP_BAD_ACK] + v[CNT_TCP_URGENT_BYTES] +
				 v[CNT_TCP_AFTER_FIN] + v[CNT_TCP_OOO_HELD]);
}

static void rig_alt(struct rig *r, enum dir dir, const struct tcp_run *run)
{
	assert_true(run->data.len > 0 && run->context <= run->data.len);
	if (dir != DIR_TO_SERVER || run->data.len + r->n_alt + 8 > sizeof(r->alt))
		return;
	r->n_alt += (uint32_t)snprintf(r->alt + r->n_alt, sizeof(r->alt) - r->n_alt, "|(%.*s)%.*s",
				       (int)run->context, (const char *)run->data.data,
				       (int)(run->data.len - run->context),
				       (const char *)run->data.data + run->context);
}

static void rig_read(struct rig *r, struct tcp_reader *rd, enum dir dir)
{
	struct tcp_run run;

	while (tcp_reader_next(rd, &run)) {
		r->c.v[run.anomaly] += run.anomaly != 0;
		if (run.reading == TCP_ALT) {
			rig_alt(r, dir, &run);
			continue;
		}
		assert_false(r->fin[dir]); // nothing behind the end
		assert_true(r->n[dir] + run.gap_bytes + run.data.len <= OUT_MAX);
		memset(r->out[dir] + r->n[dir], '_', run.gap_bytes);
		r->n[dir] += (uint32_t)run.gap_bytes;
		if (run.data.len > 0)
			memcpy(r->out[dir] + r->n[dir], run.data.data, run.data.len);
		r->n[dir] += (uint32_t)run.data.len;
		r->fin[dir] = run.fin;
		tcp_remember(&r->x, &r->f, dir, run.data);
	}
}

static enum tcp_verdict rig_pkt(struct rig *r, enum dir dir, const struct pkt *p)
{
	enum tcp_verdict verdict = tcp_track(&r->x, &r->f, p, dir);
	struct tcp_reader rd;

	if (verdict == TCP_NEW_FLOW)
		return verdict;
	r->c.v[CNT_TCP_PAYLOAD] += p->payload.len;
	if (verdict != TCP_IGNORE) {
		tcp_reader_init(&rd, &r->x, &r->f, dir, p, verdict);
		rig_read(r, &rd, dir);
	}
	if (r->f.half[!dir].doubts > 0) {
		tcp_reader_poll(&rd, &r->x, &r->f, !dir);
		rig_read(r, &rd, !dir);
	}
	tcp_history_acked(&r->x, &r->f.half[!dir], &r->f.half[dir]);
	rig_check(r);
	return verdict;
}

static void rig_flush(struct rig *r)
{
	for (int d = 0; d < DIR_N; d++) {
		struct tcp_reader rd;

		tcp_reader_flush(&rd, &r->x, &r->f, d);
		rig_read(r, &rd, d);
	}
	rig_check(r);
	assert_int_equal(r->pool.used, 0);
}

// A segment at stream offset at (0: the first byte behind the SYN).
static struct pkt segment(const struct rig *r, enum dir dir, uint32_t at, uint8_t flags,
			  const void *data, size_t len)
{
	return (struct pkt){
		.seq = (dir == DIR_TO_SERVER ? r->isn : SERVER_ISN) + 1 + at,
		.ack = (dir == DIR_TO_SERVER ? SERVER_ISN : r->isn) + 1 +
		       (uint32_t)r->f.half[!dir].delivered,
		.flags = flags,
		.window = 65535,
		.payload = span_of(data, len),
	};
}

static enum tcp_verdict rig_send(struct rig *r, uint32_t at, uint8_t flags, const char *data)
{
	const struct pkt p = segment(r, DIR_TO_SERVER, at, flags, data, strlen(data));

	return rig_pkt(r, DIR_TO_SERVER, &p);
}

static enum tcp_verdict rig_syn(struct rig *r, uint32_t isn)
{
	const struct pkt p = {
		.seq = isn, .flags = TCP_SYN, .window = 65535, .payload = SPAN_LIT("")};

	return rig_pkt(r, DIR_TO_SERVER, &p);
}

static enum tcp_verdict rig_synack(struct rig *r, uint32_t ack)
{
	const struct pkt p = {.seq = SERVER_ISN,
			      .ack = ack,
			      .flags = TCP_SYN | TCP_ACK,
			      .window = 65535,
			      .payload = SPAN_LIT("")};

	return rig_pkt(r, DIR_TO_CLIENT, &p);
}

static void rig_handshake(struct rig *r)
{
	assert_int_equal(rig_syn(r, r->isn), TCP_IGNORE);
	assert_int_equal(rig_synack(r, r->isn + 1), TCP_IGNORE);
	assert_int_equal(r->f.state, FLOW_NEW);
	rig_send(r, 0, TCP_ACK, "");
	assert_int_equal(r->f.state, FLOW_ESTABLISHED);
}

static void expect_stream(const char *name, const struct rig *r, enum dir dir, const char *want)
{
	char got[512];

	assert_true(r->n[dir] + 2 < sizeof(got));
	snprintf(got, sizeof(got), "%.*s%s", (int)r->n[dir], r->out[dir], r->fin[dir] ? "$" : "");
	if (strcmp(got, want) != 0)
		print_error("%s: %s\n", name, got);
	assert_string_equal(got, want);
}

enum {
	A = TCP_ACK,
	F = TCP_ACK | TCP_FIN,
	MD5 = 0x80, // not a flag of TCP: send it with that option
};

struct step {
	uint32_t at;
	const char *data;
	uint8_t flags; // 0: A
};

static const struct {
	const char *name;
	struct step step[STEPS];
	const char *stream;
	unsigned int conflicts;
	const char *alt;
} scripts[] = {
	{"in order", {{0, "AAAA"}, {4, "BBBB"}}, "AAAABBBB"},
	{"duplicate", {{0, "AAAA"}, {0, "AAAA"}, {4, "B"}}, "AAAAB"},
	{"delivered bytes are final",
	 {{0, "AAAA"}, {0, "XXXX"}, {4, "B"}},
	 "AAAAB",
	 1,
	 "|()XXXX|(XXXXB)"},
	{"retransmission with new bytes behind",
	 {{0, "AAAA"}, {0, "YYYYYYBB"}},
	 "AAAAYYBB",
	 1,
	 "|()YYYYYYBB"},
	{"starts before the next byte", {{0, "AAAA"}, {2, "AABB"}}, "AAAABB"},
	{"keep-alive byte before the first", {{(uint32_t)-1, "Z"}, {0, "AAAA"}}, "AAAA"},
	{"underflow", {{(uint32_t)-4, "YYYYAAAA"}}, "AAAA", 0, "|()YYYYAAAA"},
	{"reversed", {{3, "D"}, {2, "C"}, {1, "B"}, {0, "A"}}, "ABCD"},
	{"two holes", {{2, "C"}, {6, "G"}, {0, "AB"}, {3, "DEF"}}, "ABCDEFG"},
	// What Linux reads: the eleven shapes of overlap behind a hole, measured.
	{"same range", {{4, "BBBB"}, {4, "YYYY"}, {0, "AAAA"}}, "AAAABBBB", 1, "|(AAAA)YYYY"},
	{"same start, longer",
	 {{4, "BBBB"}, {4, "YYYYYY"}, {0, "AAAA"}},
	 "AAAAYYYYYY",
	 1,
	 "|(AAAA)BBBBYY"},
	{"same start, shorter",
	 {{4, "BBBBBB"}, {4, "YYYY"}, {0, "AAAA"}},
	 "AAAABBBBBB",
	 1,
	 "|(AAAA)YYYYBB"},
	{"starts before, ends inside",
	 {{6, "BBBB"}, {4, "YYYY"}, {0, "AAAA"}},
	 "AAAAYYYYBB",
	 1,
	 "|(AAAAYY)BBBB"},
	{"starts before, ends with it",
	 {{6, "BBBB"}, {4, "YYYYYY"}, {0, "AAAA"}},
	 "AAAAYYYYYY",
	 1,
	 "|(AAAAYY)BBBB"},
	{"covers it", {{6, "BB"}, {4, "YYYYYY"}, {0, "AAAA"}}, "AAAAYYYYYY", 1, "|(AAAAYY)BBYY"},
	{"starts inside, ends beyond",
	 {{4, "BBBB"}, {6, "YYYY"}, {0, "AAAA"}},
	 "AAAABBBBYY",
	 1,
	 "|(AAAABB)YYYY"},
	{"inside it", {{4, "BBBBBB"}, {6, "YY"}, {0, "AAAA"}}, "AAAABBBBBB", 1, "|(AAAABB)YYBB"},
	{"fill overlaps queued bytes", {{4, "BBBB"}, {0, "AAAAYY"}}, "AAAAYYBB", 1, "|(AAAA)BBBB"},
	{"fill covers queued bytes", {{4, "BB"}, {0, "AAAAYYYY"}}, "AAAAYYYY", 1, "|(AAAA)BBYY"},
	{"one bridges two",
	 {{2, "BB"}, {6, "CC"}, {0, "YYYYYYYY"}},
	 "YYYYYYYY",
	 2,
	 "|(YY)BBYYYY|(YYYYYY)CC"},
	{"overlap of equal bytes",
	 {{4, "BBBB"}, {2, "AABB"}, {6, "BBCC"}, {0, "AA"}},
	 "AAAABBBBCC"},
	{"covers two of three",
	 {{2, "BB"}, {5, "CC"}, {8, "DD"}, {1, "YYYYYY"}, {0, "A"}, {7, "E"}},
	 "AYYYYYYEDD",
	 2,
	 "|(AY)BBYYY|(AYYYY)CC|(AYBBYYYE)|(AYYYYCCE)|(AYBBYYYEDD)|(AYYYYCCEDD)"},
	// The end of the stream.
	{"end in order", {{0, "AAAA"}, {4, "", F}}, "AAAA$"},
	{"end with data", {{0, "AAAA", F}}, "AAAA$"},
	{"end twice", {{0, "AAAA", F}, {4, "", F}, {0, "AAAA", F}}, "AAAA$"},
	{"end before its data", {{4, "", F}, {0, "AAAA"}}, "AAAA$"},
	{"end with data before the rest", {{4, "BBBB", F}, {0, "AAAA"}}, "AAAABBBB$"},
	{"end on a segment queued without",
	 {{4, "BBBB"}, {4, "BBBB", F}, {0, "AAAA"}},
	 "AAAABBBB$"},
	{"end without data on a queued segment", {{4, "BB"}, {6, "", F}, {0, "AAAA"}}, "AAAABB$"},
	{"end with data delivered already", {{0, "AAAA"}, {0, "AAAA", F}}, "AAAA$"},
	{"early end overrun by data", {{4, "", F}, {0, "AAAABBBB"}}, "AAAABBBB"},
	{"early end overrun in pieces", {{4, "", F}, {2, "AABBBB"}, {0, "AA"}}, "AAAABBBB"},
	{"end of a covered segment overrun",
	 {{6, "B", F}, {4, "YYYYYY"}, {0, "AAAA"}},
	 "AAAAYYYYYY",
	 1,
	 "|(AAAAYY)BYYY"},
	{"data behind the end",
	 {{0, "AAAA", F}, {4, "YYYY"}, {2, "AAYY"}},
	 "AAAA$",
	 0,
	 "|(AAAA)YYYY|(AA)AAYY"},
	{"queued data behind the end",
	 {{6, "YYYY"}, {3, "BY"}, {0, "AAAA", F}},
	 "AAAA$",
	 0,
	 "|(AAA)BY|()YYYY"},
	{"queued end, queued data behind it",
	 {{2, "AA", F}, {6, "YY"}, {0, "AA"}},
	 "AAAA$",
	 0,
	 "|()YY"},
	// What the host does not take.
	{"no ACK", {{0, "YYYY", TCP_PSH}, {0, "AAAA"}}, "AAAA", 0, "|()YYYY"},
	{"end without ACK", {{0, "YYYY", TCP_FIN}, {0, "AAAA"}}, "AAAA", 0, "|()YYYY"},
	{"signed data", {{0, "YYYY", A | MD5}, {0, "AAAA"}}, "AAAA", 0, "|()YYYY"},
	{"signed end", {{0, "", F | MD5}, {0, "AAAA"}}, "AAAA"},
	{"SYN inside, at the next byte", {{0, "YYYY", TCP_SYN}, {0, "AAAA"}}, "AAAA", 0, "|()YYYY"},
	{"SYN inside, far away", {{5000000, "YYYY", TCP_SYN}, {0, "AAAA"}}, "AAAA", 0, "|()YYYY"},
	{"SYN and ACK inside", {{0, "YYYY", TCP_SYN | TCP_ACK}, {0, "AAAA"}}, "AAAA", 0, "|()YYYY"},
	{"SYN and FIN inside", {{0, "YYYY", TCP_SYN | TCP_FIN}, {0, "AAAA"}}, "AAAA", 0, "|()YYYY"},
	{"out of the window", {{0x100000, "YYYY"}, {0, "AAAA"}}, "AAAA", 0, "|()YYYY"},
	{"RST in the window, not exact", {{1, "", TCP_RST}, {0, "AAAA"}}, "AAAA"},
	{"RST far away", {{100000, "", TCP_RST}, {0, "AAAA"}}, "AAAA"},
	{"RST exact: read on what comes", {{0, "", TCP_RST}, {0, "AAAA"}}, "AAAA"},
	{"urgent without a pointer: the first byte",
	 {{0, "ZAABB", A | TCP_URG}},
	 "AABB",
	 0,
	 "|()ZAABB"},
	{"odd flags", {{0, "AAAA", A | 0x40}}, "AAAA"},
};

static enum tcp_verdict run_step(struct rig *r, const struct step *s)
{
	struct pkt p = segment(r, DIR_TO_SERVER, s->at, (s->flags != 0 ? s->flags : A) & 0x7f,
			       s->data, strlen(s->data));

	if ((s->flags & MD5) != 0)
		p.options = PKT_HAS_MD5;
	return rig_pkt(r, DIR_TO_SERVER, &p);
}

static void run_script(struct rig *r, size_t i, uint32_t isn)
{
	rig_reset(r, isn, CELLS);
	rig_handshake(r);
	for (int k = 0; k < STEPS && scripts[i].step[k].data != NULL; k++)
		run_step(r, &scripts[i].step[k]);
	expect_stream(scripts[i].name, r, DIR_TO_SERVER, scripts[i].stream);
	if (strcmp(r->alt, scripts[i].alt != NULL ? scripts[i].alt : "") != 0)
		print_error("%s: other readings %s\n", scripts[i].name, r->alt);
	if (r->c.v[CNT_TCP_OVERLAP_DIFF] != scripts[i].conflicts)
		print_error("%s: conflicts\n", scripts[i].name);
	assert_string_equal(r->alt, scripts[i].alt != NULL ? scripts[i].alt : "");
	assert_int_equal(r->c.v[CNT_TCP_OVERLAP_DIFF], scripts[i].conflicts);
	assert_int_equal(r->c.v[CNT_TCP_GAPS], 0);
	rig_flush(r);
}

static void test_scripts(void **state)
{
	struct rig r;

	rig_init(&r, 1000, CELLS);
	for (size_t i = 0; i < N(scripts); i++)
		run_script(&r, i, 1000);
	rig_done(&r);
}

// What Linux reads depends on the shape of its tree, which decides what it joins: random sequences that a kernel has read as in
// other, made smaller. Every eight bytes of that must be scanned in one piece.
static const struct {
	const char *name;
	struct step step[STEPS];
	const char *stream, *other;
} joined[] = {
	{"to another than the one before",
	 {{4, "PQRS"}, {6, "TUVWXY"}, {8, "Zabcd"}, {0, "0123456789"}},
	 "0123456789XYd",
	 "0123456789bcd"},
	{"with more behind it",
	 {{1, "abcde"}, {2, "fghijk"}, {8, "lmn"}, {6, "opq"}, {0, "012345"}, {10, "rstuvwxyz"}},
	 "012345jklmnstuvwxyz",
	 "012345opqmnstuvwxyz"},
	{"behind an early end, as if it took no place",
	 {{1, "D", F}, {2, "EFGHIJKLMN"}, {3, "abcdefghij"}, {0, "0123456789"}},
	 "0123456789MNj",
	 "0123456789ij"},
};

static void expect_scanned(const char *name, const struct rig *r, const char *text)
{
	char all[sizeof(r->alt)], window[9];
	size_t n = 0;

	for (size_t i = 0; i < r->n_alt; i++)
		if (r->alt[i] != '(' && r->alt[i] != ')')
			all[n++] = r->alt[i];
	all[n] = '\0';
	for (; strlen(text) >= 8; text++) {
		snprintf(window, sizeof(window), "%s", text);
		if (strstr(all, window) == NULL && strstr((const char *)r->out[0], window) == NULL)
			fail_msg("%s: %s is not in %s", name, window, all);
	}
}

static void test_joined(void **state)
{
	struct rig r;

	rig_init(&r, 1000, CELLS);
	for (size_t i = 0; i < N(joined); i++) {
		rig_reset(&r, 1000, CELLS);
		rig_handshake(&r);
		for (int k = 0; k < STEPS && joined[i].step[k].data != NULL; k++)
			run_step(&r, &joined[i].step[k]);
		expect_stream(joined[i].name, &r, DIR_TO_SERVER, joined[i].stream);
		expect_scanned(joined[i].name, &r, joined[i].other);
		rig_flush(&r);
	}
	rig_done(&r);
}

// What follows another reading in the stream is read behind it, too, when its receiver has acknowledged something meanwhile.
static void test_other_reading_goes_on(void **state)
{
	struct pkt ack;
	struct rig r;

	rig_init(&r, 1000, CELLS);
	rig_handshake(&r);
	run_step(&r, &(struct step){2, "BB"});
	run_step(&r, &(struct step){0, "aabb"});
	ack = segment(&r, DIR_TO_CLIENT, 0, TCP_ACK, "", 0);
	rig_pkt(&r, DIR_TO_CLIENT, &ack);
	run_step(&r, &(struct step){4, "cc"});
	run_step(&r, &(struct step){6, "dd"});
	assert_string_equal(r.alt, "|(aa)BB|(aaBBcc)|(aaBBccdd)");
	rig_flush(&r);
	rig_done(&r);
}

// The same, with the wrap of the sequence numbers at every place of every script.
static void test_scripts_at_the_wrap(void **state)
{
	struct rig r;

	rig_init(&r, 0, CELLS);
	for (uint32_t k = 0; k <= 512; k++)
		for (size_t i = 0; i < N(scripts); i++)
			run_script(&r, i, 0xffffff00 + k);
	rig_done(&r);
}

static void test_resets(void **state)
{
	static const struct {
		const char *name;
		uint32_t at;
		uint8_t flags, options;
		bool obeyed;
	} table[] = {
		{"exact", 4, TCP_RST, 0, true},
		{"exact, with an ACK", 4, TCP_RST | TCP_ACK, 0, true},
		{"one off", 5, TCP_RST, 0, false},
		{"one before", 3, TCP_RST, 0, false},
		{"half the space away", 0x80000004, TCP_RST, 0, false},
		{"signed", 4, TCP_RST, PKT_HAS_MD5, false},
	};

	for (size_t i = 0; i < N(table); i++) {
		struct rig r;
		struct pkt p;

		rig_init(&r, 1000, CELLS);
		rig_handshake(&r);
		rig_send(&r, 0, A, "AAAA");
		p = segment(&r, DIR_TO_SERVER, table[i].at, table[i].flags, "bye", 3);
		p.options = table[i].options;
		assert_int_equal(rig_pkt(&r, DIR_TO_SERVER, &p), TCP_BESIDE);
		if ((r.f.state == FLOW_CLOSING) != table[i].obeyed)
			print_error("%s\n", table[i].name);
		assert_int_equal(r.f.state, table[i].obeyed ? FLOW_CLOSING : FLOW_ESTABLISHED);
		assert_int_equal(r.c.v[CNT_TCP_RST_IGNORED], !table[i].obeyed);
		assert_int_equal(r.c.v[CNT_TCP_IGNORED], 3);
		rig_done(&r);
	}
}

// Who has reset the connection takes nothing more, unless what he says later shows that the reset was another's.
static void test_data_for_a_reset_host(void **state)
{
	static const struct {
		const char *name;
		bool acked;
		const char *want;
	} table[] = {
		{"no word", false, "AAAA"},
		{"an acknowledgement", true, "AAAABBBB"},
	};

	for (size_t i = 0; i < N(table); i++) {
		struct rig r;
		struct pkt p;

		rig_init(&r, 1000, CELLS);
		rig_handshake(&r);
		rig_send(&r, 0, A, "AAAA");
		p = segment(&r, DIR_TO_CLIENT, 0, TCP_RST, "", 0);
		rig_pkt(&r, DIR_TO_CLIENT, &p);
		assert_int_equal(rig_send(&r, 4, A, "BBBB"), TCP_ASK);
		expect_stream(table[i].name, &r, DIR_TO_SERVER, "AAAA");
		if (table[i].acked) {
			p = segment(&r, DIR_TO_CLIENT, 0, A, "", 0);
			p.ack = r.isn + 1 + 8;
			rig_pkt(&r, DIR_TO_CLIENT, &p);
			assert_int_equal(rig_send(&r, 8, A, ""), TCP_IGNORE);
		}
		rig_flush(&r);
		expect_stream(table[i].name, &r, DIR_TO_SERVER, table[i].want);
		assert_string_equal(r.alt, "");
		rig_done(&r);
	}
}

// A server that refuses the connection: RST and ACK to the SYN, from a side that has no sequence number yet.
static void test_refused_connection(void **state)
{
	struct rig r;
	struct pkt p;

	rig_init(&r, 1000, CELLS);
	rig_syn(&r, 1000);
	p = segment(&r, DIR_TO_CLIENT, 0, TCP_RST, "", 0);
	rig_pkt(&r, DIR_TO_CLIENT, &p);
	assert_int_equal(r.f.state, FLOW_NEW);
	p.flags |= TCP_ACK;
	rig_pkt(&r, DIR_TO_CLIENT, &p);
	assert_int_equal(r.f.state, FLOW_CLOSING);
	assert_int_equal(rig_syn(&r, 2000), TCP_NEW_FLOW);
	rig_done(&r);
}

static void test_handshakes(void **state)
{
	struct rig r;
	struct pkt p;

	// Data with the last ACK of the handshake.
	rig_init(&r, 1000, CELLS);
	rig_syn(&r, 1000);
	rig_synack(&r, 1001);
	rig_send(&r, 0, A, "AAAA");
	assert_int_equal(r.f.state, FLOW_ESTABLISHED);
	expect_stream("data in the ACK", &r, DIR_TO_SERVER, "AAAA");

	// The SYN again, before and after.
	rig_reset(&r, 1000, CELLS);
	rig_syn(&r, 1000);
	rig_syn(&r, 1000);
	rig_synack(&r, 1001);
	rig_synack(&r, 1001);
	rig_send(&r, 0, A, "AAAA");
	rig_syn(&r, 1000);
	rig_send(&r, 4, A, "BB");
	expect_stream("SYN again", &r, DIR_TO_SERVER, "AAAABB");

	// Two SYNs: the server's answer says which one counts.
	for (uint32_t isn = 1000; isn <= 500000; isn += 499000) {
		rig_reset(&r, isn, CELLS);
		rig_syn(&r, 1000);
		rig_syn(&r, 500000);
		assert_int_equal(r.c.v[CNT_TCP_SYN_IGNORED], 1);
		rig_synack(&r, isn + 1);
		rig_send(&r, 0, A, "AAAA");
		expect_stream("two SYNs", &r, DIR_TO_SERVER, "AAAA");
	}

	// Data in the SYN is not taken; the client sends it again.
	rig_reset(&r, 1000, CELLS);
	p = (struct pkt){.seq = 1000, .flags = TCP_SYN, .payload = SPAN_LIT("YYYY")};
	rig_pkt(&r, DIR_TO_SERVER, &p);
	assert_int_equal(r.c.v[CNT_TCP_OOO_HELD], 4);
	rig_synack(&r, 1001);
	assert_int_equal(r.n[0], 0);
	rig_send(&r, 0, A, "AAAA");
	expect_stream("data in the SYN", &r, DIR_TO_SERVER, "AAAA");
	assert_string_equal(r.alt, "|()YYYY");

	// A client that sends SYN and ACK opens nothing.
	rig_reset(&r, 1000, CELLS);
	p = (struct pkt){.seq = 77, .ack = 88, .flags = TCP_SYN | TCP_ACK, .payload = SPAN_LIT("")};
	rig_pkt(&r, DIR_TO_SERVER, &p);
	assert_int_equal(r.f.half[0].flags & TCP_HALF_SYNCED, 0);
	rig_handshake(&r);
	rig_send(&r, 0, A, "AAAA");
	expect_stream("SYN and ACK first", &r, DIR_TO_SERVER, "AAAA");

	// SYN with FIN or RST opens nothing.
	rig_reset(&r, 1000, CELLS);
	p = (struct pkt){.seq = 77, .flags = TCP_SYN | TCP_FIN, .payload = SPAN_LIT("")};
	rig_pkt(&r, DIR_TO_SERVER, &p);
	p.flags = TCP_SYN | TCP_RST;
	rig_pkt(&r, DIR_TO_SERVER, &p);
	assert_int_equal(r.c.v[CNT_TCP_SYN_IGNORED], 2);
	assert_int_equal(r.f.half[0].flags & TCP_HALF_SYNCED, 0);
	assert_int_equal(r.f.state, FLOW_NEW);
	rig_done(&r);
}

// Only the answer was captured, or only the requests, or nothing of the beginning.
static void test_one_way_and_midstream(void **state)
{
	struct rig r;
	struct pkt p;

	rig_init(&r, 1000, CELLS);
	rig_syn(&r, 1000);
	rig_send(&r, 2, A, "BB");
	assert_int_equal(r.f.state, FLOW_ESTABLISHED);
	rig_send(&r, 0, A, "AA");
	expect_stream("one way", &r, DIR_TO_SERVER, "AABB");

	rig_reset(&r, 1000, CELLS);
	rig_synack(&r, 1001);
	p = segment(&r, DIR_TO_CLIENT, 0, A, "hello", 5);
	rig_pkt(&r, DIR_TO_CLIENT, &p);
	expect_stream("answers only", &r, DIR_TO_CLIENT, "hello");

	rig_reset(&r, 1000, CELLS);
	r.f.flags |= FLOW_MIDSTREAM;
	rig_send(&r, 5000, A, ""); // an ACK alone does not say where the data begins
	assert_int_equal(r.f.half[0].flags & TCP_HALF_SYNCED, 0);
	rig_send(&r, 5000, A, "AA");
	rig_send(&r, 5002, A, "BB");
	rig_send(&r, 0, A, "YYYY");
	expect_stream("midstream", &r, DIR_TO_SERVER, "AABB");
	rig_done(&r);
}

// A closed connection makes room for the next one on the same addresses and ports.
static void test_reuse(void **state)
{
	struct rig r;
	struct pkt p;

	rig_init(&r, 1000, CELLS);
	rig_handshake(&r);
	rig_send(&r, 0, A, "AAAA");
	assert_int_equal(rig_syn(&r, 99000), TCP_IGNORE);
	p = segment(&r, DIR_TO_SERVER, 4, TCP_RST, "", 0);
	rig_pkt(&r, DIR_TO_SERVER, &p);
	assert_int_equal(rig_synack(&r, 99001), TCP_IGNORE);
	assert_int_equal(rig_syn(&r, 99000), TCP_NEW_FLOW);
	rig_done(&r);
}

// A segment that begins inside the window is taken whole; how far ahead one may begin depends on what its receiver
// has advertised, scaled as both sides agreed.
static void test_window(void **state)
{
	static const struct {
		const char *name;
		uint8_t client_scale, server_scale; // 255: not offered
		uint16_t window;
		uint32_t at;
		bool taken;
	} table[] = {
		{"inside", 255, 255, 1000, 999, true},
		{"one more window of slack", 255, 255, 65535, 131070, true},
		{"beyond", 255, 255, 65535, 131071, false},
		{"small window, slack of a large one", 255, 255, 1000, 66535, true},
		{"small window, beyond", 255, 255, 1000, 66536, false},
		{"scaled", 0, 7, 65535, 2 * (65535 << 7), true},
		{"scaled, beyond", 0, 7, 65535, 2 * (65535 << 7) + 1, false},
		{"scale only offered by one", 255, 7, 65535, 131071, false},
	};

	for (size_t i = 0; i < N(table); i++) {
		struct rig r;
		struct pkt p = {
			.seq = 1000, .flags = TCP_SYN, .window = 65535, .payload = SPAN_LIT("")};

		rig_init(&r, 1000, CELLS);
		if (table[i].client_scale != 255) {
			p.options = PKT_HAS_WSCALE;
			p.wscale = table[i].client_scale;
		}
		rig_pkt(&r, DIR_TO_SERVER, &p);
		p = (struct pkt){.seq = SERVER_ISN,
				 .ack = 1001,
				 .flags = TCP_SYN | TCP_ACK,
				 .window = 1,
				 .payload = SPAN_LIT("")};
		if (table[i].server_scale != 255) {
			p.options = PKT_HAS_WSCALE;
			p.wscale = table[i].server_scale;
		}
		rig_pkt(&r, DIR_TO_CLIENT, &p);
		p = segment(&r, DIR_TO_CLIENT, 0, A, "", 0);
		p.window = table[i].window;
		rig_pkt(&r, DIR_TO_CLIENT, &p);
		rig_send(&r, table[i].at, A, "AAAA");
		if ((r.pool.used == 1) != table[i].taken)
			print_error("%s\n", table[i].name);
		assert_int_equal(r.pool.used, table[i].taken);
		assert_int_equal(r.c.v[CNT_TCP_OUT_OF_WINDOW], table[i].taken ? 0 : 4);
		rig_send(&r, 0, A, "B"); // in order is in the window
		assert_int_equal(r.n[0], 1);
		assert_int_equal(tcp_half_drop(&r.x, &r.f.half[0]), table[i].taken ? 4 : 0);
		rig_done(&r);
	}
}

// The window in a SYN is not scaled, though it comes with the scale; a second copy of it neither.
static void test_window_of_syn(void **state)
{
	struct rig r;
	struct pkt p = {
		.seq = 1000, .flags = TCP_SYN, .options = PKT_HAS_WSCALE, .payload = SPAN_LIT("")};

	rig_init(&r, 1000, CELLS);
	rig_pkt(&r, DIR_TO_SERVER, &p);
	p.seq = SERVER_ISN;
	p.ack = 1001;
	p.flags = TCP_SYN | TCP_ACK;
	p.wscale = 7;
	p.window = 65535;
	for (int i = 0; i < 2; i++)
		rig_pkt(&r, DIR_TO_CLIENT, &p);
	rig_send(&r, 2 * 65535 + 1, A, "AAAA");
	assert_int_equal(r.c.v[CNT_TCP_OUT_OF_WINDOW], 4);
	rig_done(&r);
}

// Segments that a later one covers give their cells back at once.
static void test_covered_cells_are_freed(void **state)
{
	struct rig r;

	rig_init(&r, 1000, CELLS);
	rig_handshake(&r);
	rig_send(&r, 6, A, "BB");
	rig_send(&r, 9, A, "CC");
	rig_send(&r, 20, A, "DD");
	assert_int_equal(r.pool.used, 3);
	rig_send(&r, 4, A, "YYBBYCC");
	assert_int_equal(r.pool.used, 2);
	assert_int_equal(r.c.v[CNT_TCP_DUPLICATE], 4);
	rig_flush(&r);
	rig_done(&r);
}

// Nothing fills the hole: the end of the flow gives out what is there and says what is missing.
static void test_flush_skips_holes(void **state)
{
	struct rig r;

	rig_init(&r, 1000, CELLS);
	rig_handshake(&r);
	rig_send(&r, 0, A, "AA");
	rig_send(&r, 4, A, "BB");
	rig_send(&r, 9, A, "CC");
	rig_send(&r, 11, F, "");
	expect_stream("before", &r, DIR_TO_SERVER, "AA");
	rig_flush(&r);
	expect_stream("after", &r, DIR_TO_SERVER, "AA__BB___CC$");
	assert_int_equal(r.c.v[CNT_TCP_GAPS], 2);
	assert_int_equal(r.c.v[CNT_TCP_GAP_BYTES], 5);
	assert_true((r.f.half[0].flags & TCP_HALF_GAP) != 0);
	rig_done(&r);
}

// The receiver has acknowledged the hole, so the capture has lost it: skipped once enough waits behind it.
static void test_acked_hole(void **state)
{
	struct rig r;
	struct pkt p;

	rig_init(&r, 1000, CELLS);
	rig_handshake(&r);
	for (uint32_t i = 0; i < TCP_ACKED_SEGS; i++) {
		rig_send(&r, 1 + 2 * i, A, "x");
		assert_int_equal(r.n[0], 0);
	}
	p = segment(&r, DIR_TO_CLIENT, 0, A, "", 0);
	p.ack = 1000 + 1 + 1;
	rig_pkt(&r, DIR_TO_CLIENT, &p);
	assert_int_equal(r.n[0], 0); // read with the next segment of its own direction
	rig_send(&r, 1 + 2 * TCP_ACKED_SEGS, A, "x");
	expect_stream("one hole", &r, DIR_TO_SERVER, "_x");
	rig_flush(&r);
	rig_done(&r);
}

// The queue has a bound in segments; beyond it holes are given up and everything is read.
static void test_queue_limit(void **state)
{
	struct rig r;

	rig_init(&r, 1000, CELLS);
	rig_handshake(&r);
	for (uint32_t i = 0; i < TCP_OOO_SEGS_MAX; i++)
		rig_send(&r, 1 + 2 * i, A, "x");
	assert_int_equal(r.n[0], 0);
	assert_int_equal(r.pool.used, TCP_OOO_SEGS_MAX);
	rig_send(&r, 1 + 2 * TCP_OOO_SEGS_MAX, A, "x");
	assert_int_equal(r.n[0], 2 * (TCP_OOO_SEGS_MAX + 1));
	assert_int_equal(r.c.v[CNT_TCP_GAPS], TCP_OOO_SEGS_MAX + 1);
	assert_int_equal(r.pool.used, 0);
	rig_done(&r);
}

// Few cells or none: what cannot wait is read at once, in order, and nothing that was seen is left out.
static void test_pool_empty(void **state)
{
	static const struct {
		const char *name;
		uint32_t cells;
		struct step step[STEPS];
		const char *stream;
	} table[] = {
		{"none", 0, {{4, "BBBB"}, {0, "AAAA"}, {8, "C"}}, "____BBBBC"},
		{"none, end", 0, {{4, "BBBB", F}, {0, "AAAA"}}, "____BBBB$"},
		{"none, end alone", 0, {{0, "AA"}, {4, "", F}}, "AA__$"},
		{"none, in order", 0, {{0, "AA"}, {2, "BB"}, {4, "", F}}, "AABB$"},
		{"one", 1, {{2, "B"}, {4, "D"}, {6, "F"}, {0, "A"}}, "__B_D"},
		{"one, filled in time", 1, {{2, "C"}, {0, "AB"}, {4, "E"}, {3, "D"}}, "ABCDE"},
		{"two", 2, {{2, "C"}, {4, "E"}, {6, "G"}, {7, "H"}}, "__C_E_GH"},
		{"between two that wait", 2, {{4, "E"}, {12, "M"}, {8, "I"}}, "____E___I___M"},
		{"before two that wait", 2, {{8, "I"}, {12, "M"}, {4, "E"}}, "____E___I___M"},
		{"over one that waits", 2, {{4, "E"}, {12, "M"}, {11, "yyy"}}, "____E______yyy"},
		{"end overrun by one that waits",
		 2,
		 {{4, "E"}, {12, "MMMM"}, {13, "M", F}, {16, "N"}},
		 "____E_______MMMMN"},
		{"ends before one that waits", 2, {{4, "E"}, {12, "M"}, {8, "I", F}}, "____E___I$"},
	};

	for (size_t i = 0; i < N(table); i++) {
		struct rig r;

		rig_init(&r, 1000, table[i].cells);
		rig_handshake(&r);
		for (int k = 0; k < STEPS && table[i].step[k].data != NULL; k++)
			run_step(&r, &table[i].step[k]);
		expect_stream(table[i].name, &r, DIR_TO_SERVER, table[i].stream);
		rig_flush(&r);
		rig_done(&r);
	}
}

static void test_half_drop(void **state)
{
	struct rig r;

	rig_init(&r, 1000, CELLS);
	rig_handshake(&r);
	rig_send(&r, 4, A, "BBBB");
	rig_send(&r, 10, A, "CC");
	assert_int_equal(tcp_half_drop(&r.x, &r.f.half[0]), 6);
	r.c.v[CNT_TCP_RELEASED] += 6; // as the caller does
	rig_check(&r);
	assert_int_equal(r.pool.used, 0);
	assert_int_equal(tcp_half_drop(&r.x, &r.f.half[0]), 0);
	rig_done(&r);
}

static uint64_t rnd_state;

static uint32_t rnd(uint32_t below)
{
	rnd_state ^= rnd_state << 13;
	rnd_state ^= rnd_state >> 7;
	rnd_state ^= rnd_state << 17;
	return (uint32_t)(rnd_state >> 24) % below;
}

struct piece {
	uint32_t at, len;
};

// A stream cut at random, pieces doubled and shifted about, is read as it was, whatever the sequence numbers.
static void test_random_order(void **state)
{
	enum { ROUNDS = 200, BYTES_MAX = 60000, PIECES_MAX = 4000, REACH = 20 };
	static uint8_t stream[BYTES_MAX];
	static struct piece piece[PIECES_MAX];
	struct rig r;

	rnd_state = 0x9e3779b97f4a7c15u;
	rig_init(&r, 0, CELLS);
	for (uint32_t i = 0; i < BYTES_MAX; i++)
		stream[i] = (uint8_t)rnd(256);
	for (int round = 0; round < ROUNDS; round++) {
		uint32_t n = 0, len = 1 + rnd(BYTES_MAX), most = 50 + rnd(MSS_TEST);

		rig_reset(&r, rnd(3) == 0 ? 0 - rnd(len) : rnd(UINT32_MAX), CELLS);
		rig_handshake(&r);
		for (uint32_t at = 0; at < len && n < PIECES_MAX; n++) {
			piece[n] = (struct piece){at, 1 + rnd(most)};
			if (piece[n].len > len - at)
				piece[n].len = len - at;
			if (rnd(4) == 0 && at > 0) // once more, with something before
				piece[n].at -= rnd(piece[n].len < at ? piece[n].len : at);
			else
				at += piece[n].len;
		}
		for (uint32_t i = 0; i + 1 < n; i++) {
			uint32_t k = i + rnd(n - i < REACH ? n - i : REACH);
			struct piece swap = piece[i];

			piece[i] = piece[k];
			piece[k] = swap;
		}
		for (uint32_t i = 0; i < n; i++) {
			const uint8_t flags = piece[i].at + piece[i].len == len ? F : A;
			const struct pkt p = segment(&r, DIR_TO_SERVER, piece[i].at, flags,
						     stream + piece[i].at, piece[i].len);

			rig_pkt(&r, DIR_TO_SERVER, &p);
		}
		assert_int_equal(r.n[0], len);
		assert_true(r.fin[0]);
		assert_memory_equal(r.out[0], stream, len);
		assert_int_equal(r.c.v[CNT_TCP_GAPS], 0);
		assert_int_equal(r.c.v[CNT_TCP_OVERLAP_DIFF], 0);
		assert_int_equal(r.pool.used, 0);
	}
	rig_done(&r);
}

static void server_sends(struct rig *r, uint32_t at, const char *data)
{
	const struct pkt p = segment(r, DIR_TO_CLIENT, at, A, data, strlen(data));

	rig_pkt(r, DIR_TO_CLIENT, &p);
}

// In a clean stream of a server nothing but marks is kept: they tell the first copy that differs from those that do not.
static void test_copies_of_servers(void **state)
{
	static const struct {
		uint32_t at;
		const char *copy;
		unsigned int conflicts, forgotten;
	} table[] = {
		{0, "AAAA", 0, 0},     {0, "XAAA", 1, 0},     {4, "BBBB", 0, 0},
		{4, "BBBX", 1, 0},     {0, "AAAABBBB", 0, 0}, {0, "AAAABBXB", 1, 0},
		{4, "BBBBCCCC", 0, 0}, // goes on
		{4, "XBBBCCCC", 1, 0}, {2, "AA", 0, 1},       {0, "AAAAB", 0, 1},
	};
	struct rig r;

	rig_init(&r, 5, CELLS);
	for (size_t i = 0; i < N(table); i++) {
		for (int acked = 0; acked < 2; acked++) {
			rig_reset(&r, 5, CELLS);
			rig_handshake(&r);
			server_sends(&r, 0, "AAAA");
			server_sends(&r, 4, "BBBB");
			if (acked)
				rig_send(&r, 0, A, "");
			server_sends(&r, table[i].at, table[i].copy);
			assert_int_equal(r.c.v[CNT_TCP_OVERLAP_DIFF],
					 acked ? 0 : table[i].conflicts);
			assert_int_equal(r.c.v[CNT_TCP_FORGOTTEN], acked ? 0 : table[i].forgotten);
		}
	}
	// The eighth segment before the last one is not remembered any more; the one behind it is.
	rig_reset(&r, 5, CELLS);
	rig_handshake(&r);
	for (uint32_t i = 0; i < TCP_MARKS + 1; i++)
		server_sends(&r, 2 * i, "AB");
	server_sends(&r, 0, "XX");
	assert_int_equal(r.c.v[CNT_TCP_OVERLAP_DIFF], 0);
	assert_int_equal(r.c.v[CNT_TCP_FORGOTTEN], 1);
	server_sends(&r, 2, "XX");
	assert_int_equal(r.c.v[CNT_TCP_OVERLAP_DIFF], 1);
	rig_flush(&r);
	rig_done(&r);
}

// Any segments, any flags, both directions, few cells: the books balance behind each one and nothing is kept.
static void test_random_anything(void **state)
{
	enum { ROUNDS = 300, PACKETS = 200 };
	static const uint8_t flags[] = {A, A,       A,       A,           A, A,
					F, TCP_RST, TCP_SYN, TCP_SYN | A, 0, A | TCP_URG};
	static uint8_t data[MSS_TEST];
	struct rig r;

	rnd_state = 0x0123456789abcdefu;
	rig_init(&r, 0, CELLS);
	for (int round = 0; round < ROUNDS; round++) {
		const uint32_t reach = round % 2 == 0 ? 64 : 200000;

		rig_reset(&r, 0u - rnd(1000), round % 3 == 0 ? rnd(4) : CELLS);
		if (rnd(4) != 0)
			rig_handshake(&r);
		for (int i = 0; i < PACKETS; i++) {
			enum dir dir = rnd(2) == 0 ? DIR_TO_SERVER : DIR_TO_CLIENT;
			uint32_t len = rnd(2) == 0 ? rnd(20) : rnd(MSS_TEST);
			struct pkt p = segment(&r, dir, r.n[dir] + rnd(reach) - reach / 4,
					       flags[rnd(N(flags))], data, len);

			memset(data, (int)rnd(256), len);
			if (rnd(8) == 0)
				p.ack = rnd(UINT32_MAX);
			if (r.n[dir] > OUT_MAX / 2)
				continue;
			rig_pkt(&r, dir, &p);
		}
		if (r.n[0] < OUT_MAX / 2 && r.n[1] < OUT_MAX / 2)
			rig_flush(&r);
	}
	rig_done(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scripts),
		cmocka_unit_test(test_scripts_at_the_wrap),
		cmocka_unit_test(test_joined),
		cmocka_unit_test(test_other_reading_goes_on),
		cmocka_unit_test(test_resets),
		cmocka_unit_test(test_data_for_a_reset_host),
		cmocka_unit_test(test_refused_connection),
		cmocka_unit_test(test_handshakes),
		cmocka_unit_test(test_one_way_and_midstream),
		cmocka_unit_test(test_reuse),
		cmocka_unit_test(test_window),
		cmocka_unit_test(test_window_of_syn),
		cmocka_unit_test(test_covered_cells_are_freed),
		cmocka_unit_test(test_flush_skips_holes),
		cmocka_unit_test(test_acked_hole),
		cmocka_unit_test(test_queue_limit),
		cmocka_unit_test(test_pool_empty),
		cmocka_unit_test(test_half_drop),
		cmocka_unit_test(test_random_order),
		cmocka_unit_test(test_copies_of_servers),
		cmocka_unit_test(test_random_anything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: BSD-2-Clause
// Random segments of one connection, against a model of Linux's receiver that is slow and plain: what it delivers must be what is
// read as main, and no byte that was sent may be missing in what is read at all.
//
// usage: test_tcp_model [SEQUENCES [SEED]]      test_tcp_model ask
//
// ask is for tests/conformance/linux_model.py, which sends the sequences to a kernel. Each line that it reads, "SEED STEPS", names a
// sequence, with a bit for every step to keep; with the kernel's answers behind it, " STEP:FLAGS:ACK:WINDOW" each, those take the
// place of the model's. It prints the steps and what is read of them, as one line of JSON.
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
	STEPS_MAX = 14,
	DATA_MAX = 14,
	ISN = 0xfffffff0, // the sequence numbers wrap early
	SERVER_ISN = 7000,
	WINDOW = 60000,
	TS_BASE = 500000,
	OUT_MAX = 4096,
	SEQUENCES = 20000,
};

// ---- the vocabulary ----

enum option {
	OPT_NONE,
	OPT_TS,      // the next timestamp
	OPT_OLD_TS,  // one long gone
	OPT_HALF_TS, // almost 2^31 further
	OPT_MD5,
};

struct step {
	uint32_t at; // from the first byte behind the SYN
	uint8_t flags;
	int32_t ack; // beside the right one
	uint8_t option;
	uint8_t len;
	char data[DATA_MAX];
};

struct sequence {
	bool ts, sack; // negotiated
	uint32_t n;
	struct step step[STEPS_MAX];
};

static uint64_t rnd_state;

static uint32_t rnd(uint32_t below)
{
	uint64_t z = rnd_state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return (uint32_t)((z ^ z >> 31) >> 16) % below;
}

static void step_make(struct step *s, const struct sequence *q, uint32_t *io_letter)
{
	static const uint8_t odd[] = {
		0,       TCP_PSH,           TCP_FIN,           TCP_SYN,
		TCP_RST, TCP_SYN | TCP_ACK, TCP_SYN | TCP_FIN, TCP_RST | TCP_ACK};

	*s = (struct step){.flags = TCP_ACK, .at = rnd(28), .len = (uint8_t)(1 + rnd(10))};
	if (rnd(3) == 0)
		s->at = rnd(4);
	for (int i = 0; i < s->len; i++)
		s->data[i] = (char)('A' + (*io_letter)++ % 58);
	s->option = q->ts ? OPT_TS : OPT_NONE;
	switch (rnd(16)) {
	case 0:
		s->flags = odd[rnd(N(odd))];
		break;
	case 1:
		s->flags = TCP_ACK | TCP_FIN;
		s->len = rnd(2) == 0 ? 0 : s->len;
		break;
	case 2:
		s->at = rnd(2) == 0 ? 0u - 1 - rnd(6) : WINDOW - 3 + rnd(6);
		break;
	case 3:
		s->at = rnd(2) == 0 ? 3 * WINDOW + 70000 : 0x80000000;
		break;
	case 4:
		s->ack = rnd(2) == 0 ? 1 + (int32_t)rnd(200000) : -1 - (int32_t)rnd(70000);
		break;
	case 5:
		s->option = OPT_MD5;
		break;
	case 6:
		s->option = q->ts ? OPT_OLD_TS + rnd(2) : OPT_TS;
		break;
	case 7:
		s->option = OPT_NONE;
		break;
	default:
		break;
	}
	if ((s->flags & TCP_RST) != 0 && rnd(2) == 0)
		s->len = 0;
}

static void sequence_make(struct sequence *q, uint64_t seed)
{
	uint32_t letter;

	rnd_state = seed * 0x2545f4914f6cdd1d;
	*q = (struct sequence){.ts = rnd(2) == 0, .sack = rnd(2) == 0, .n = 2 + rnd(STEPS_MAX - 2)};
	letter = rnd(58);
	for (uint32_t i = 0; i < q->n; i++)
		step_make(&q->step[i], q, &letter);
}

static uint32_t tsval_of(const struct step *s, uint32_t i)
{
	return s->option == OPT_OLD_TS    ? 100
	       : s->option == OPT_HALF_TS ? TS_BASE + i + 0x80000000 - 20
					  : TS_BASE + 1 + i;
}

// ---- the model: a socket with an application that reads at once and says nothing ----

struct skb {
	uint32_t seq, end; // the FIN counts
	uint32_t fin;      // how many: see model_queue()
	char data[STEPS_MAX * DATA_MAX];
};

struct model {
	uint32_t rcv_nxt, ts_recent;
	bool ts, sack, eof, reset;
	struct skb ooo[STEPS_MAX];
	uint32_t n_ooo;
	char read[OUT_MAX];
	uint32_t n_read;
};

static int32_t after(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b);
}

static uint32_t data_len(const struct skb *k)
{
	return k->end - k->seq - k->fin;
}

static void model_deliver(struct model *m, const struct skb *k)
{
	uint32_t from = m->rcv_nxt - k->seq;

	for (uint32_t i = from; i < data_len(k); i++)
		m->read[m->n_read++] = k->data[i];
	m->rcv_nxt = k->end;
	if (k->fin) {
		m->eof = true;
		m->n_ooo = 0;
	}
}

// Sorted by seq; a covered one is not put in, one that is covered by the new one goes; one that begins where another ends becomes
// part of it, with the bytes in one piece even when there was a FIN between.
static void model_queue(struct model *m, const struct skb *k)
{
	uint32_t kept = 0, at = 0;
	bool replaces = false;

	for (uint32_t i = 0; i < m->n_ooo; i++)
		if (after(m->ooo[i].seq, k->seq) <= 0 && after(m->ooo[i].end, k->end) >= 0)
			return;
	for (uint32_t i = 0; i < m->n_ooo; i++)
		replaces |= m->ooo[i].seq == k->seq;
	for (uint32_t i = 0; i < m->n_ooo; i++)
		if (after(m->ooo[i].seq, k->seq) < 0 || after(m->ooo[i].end, k->end) > 0)
			m->ooo[kept++] = m->ooo[i];
	while (at < kept && after(m->ooo[at].seq, k->seq) <= 0)
		at++;
	m->n_ooo = kept;
	if (at > 0 && m->ooo[at - 1].end == k->seq && !replaces) {
		struct skb *before = &m->ooo[at - 1];

		memcpy(before->data + data_len(before), k->data, data_len(k));
		before->end = k->end;
		before->fin += k->fin;
		return;
	}
	memmove(&m->ooo[at + 1], &m->ooo[at], (kept - at) * sizeof(*k));
	m->ooo[at] = *k;
	m->n_ooo = kept + 1;
}

static void model_data(struct model *m, const struct skb *k)
{
	if (m->eof || k->seq == k->end || after(k->end, m->rcv_nxt) <= 0 ||
	    after(k->seq, m->rcv_nxt + WINDOW) >= 0)
		return;
	if (after(k->seq, m->rcv_nxt) > 0) {
		model_queue(m, k);
		return;
	}
	model_deliver(m, k);
	while (m->n_ooo > 0 && after(m->ooo[0].seq, m->rcv_nxt) <= 0) {
		struct skb next = m->ooo[0];

		memmove(&m->ooo[0], &m->ooo[1], --m->n_ooo * sizeof(next));
		if (after(next.end, m->rcv_nxt) > 0)
			model_deliver(m, &next);
	}
}

static bool model_rst(const struct model *m, uint32_t seq)
{
	uint32_t edge = m->rcv_nxt;

	for (uint32_t i = 0; i < m->n_ooo; i++)
		if (after(m->ooo[i].end, edge) > 0)
			edge = m->ooo[i].end;
	return seq == m->rcv_nxt || (m->eof && seq == m->rcv_nxt - 1) ||
	       (m->sack && m->n_ooo > 0 && seq == edge);
}

// In order, nothing waits, nothing unusual in the header: the data is taken before the ack is looked at. The first data has no
// memory set aside yet and goes the long way.
static bool is_short_way(const struct model *m, const struct step *s, const struct skb *k)
{
	return k->seq == m->rcv_nxt && m->n_ooo == 0 && m->n_read > 0 && !m->eof && s->len > 0 &&
	       s->flags == TCP_ACK && s->option == (m->ts ? OPT_TS : OPT_NONE);
}

static void model_step(struct model *m, const struct step *s, uint32_t number)
{
	struct skb k = {.seq = ISN + 1 + s->at, .fin = (s->flags & TCP_FIN) != 0};
	uint32_t tsval = tsval_of(s, number);
	bool has_ts = m->ts && s->option >= OPT_TS && s->option <= OPT_HALF_TS;

	memcpy(k.data, s->data, s->len);
	k.end = k.seq + s->len + k.fin;
	if (m->reset || s->option == OPT_MD5 || (s->flags & (TCP_ACK | TCP_RST | TCP_SYN)) == 0)
		return;
	if (has_ts && after(m->ts_recent, tsval) > 1 && (s->flags & TCP_RST) == 0)
		return;
	if ((s->flags & TCP_RST) != 0) {
		m->reset = model_rst(m, k.seq);
		return;
	}
	if (after(k.end + ((s->flags & TCP_SYN) != 0), m->rcv_nxt) < 0 ||
	    after(k.seq, m->rcv_nxt + WINDOW) > 0 || (s->flags & TCP_SYN) != 0)
		return;
	// Nothing was sent: any other is too old or too new, if it is looked at in time.
	if (s->ack > 0 || (s->ack < 0 && !is_short_way(m, s, &k)))
		return;
	if (has_ts && after(k.seq, m->rcv_nxt) <= 0 && after(m->ts_recent, tsval) <= 0)
		m->ts_recent = tsval;
	model_data(m, &k);
}

// ---- the other side of the comparison ----

struct rig {
	struct flow f;
	struct pool cells, histories;
	struct counters c;
	struct tcp_ctx x;
	struct tcp_seg *mem;
	uint8_t *pasts;
	const char *answers;
	char main[OUT_MAX], stream[OUT_MAX],
		alt[16 * OUT_MAX];        // stream: with what is doubtful, a '\0' for a hole
	uint32_t n_main, n_stream, n_alt; // alt: each behind a '\0'
	uint32_t anomalies;
	bool over; // a new connection has begun
};

static void rig_init(struct rig *r)
{
	memset(r, 0, sizeof(*r));
	r->mem = calloc(64, TCP_SEG_BYTES);
	r->pasts = calloc(2, TCP_HISTORY_BYTES);
	r->x.scratch = malloc(TCP_SCRATCH_BYTES);
	assert_true(r->mem != NULL && r->pasts != NULL && r->x.scratch != NULL);
	r->x.cells = &r->cells;
	r->x.histories = &r->histories;
	r->x.counters = &r->c;
}

static void rig_reset(struct rig *r)
{
	memset(&r->f, 0, sizeof(r->f));
	memset(&r->c, 0, sizeof(r->c));
	for (int d = 0; d < DIR_N; d++)
		r->f.half[d].ooo_head = r->f.half[d].prefix = r->f.half[d].history = POOL_NONE;
	pool_init(&r->cells, r->mem, 64, TCP_SEG_BYTES);
	pool_init(&r->histories, r->pasts, 2, TCP_HISTORY_BYTES);
	r->n_main = r->n_stream = r->n_alt = r->anomalies = 0;
	r->over = false;
}

static void rig_done(struct rig *r)
{
	free(r->mem);
	free(r->pasts);
	free(r->x.scratch);
}

static void rig_read(struct rig *r, struct tcp_reader *rd, enum dir dir)
{
	struct tcp_run run;

	while (tcp_reader_next(rd, &run)) {
		bool alt = run.reading == TCP_ALT;
		char *out = alt ? r->alt : r->stream;
		uint32_t *n = alt ? &r->n_alt : &r->n_stream;

		r->anomalies += run.anomaly != 0;
		assert_true(*n + run.data.len + 2 < (alt ? sizeof(r->alt) : sizeof(r->stream)));
		if (alt || run.gap_bytes > 0)
			out[(*n)++] = '\0';
		if (run.data.len > 0)
			memcpy(out + *n, run.data.data, run.data.len);
		*n += (uint32_t)run.data.len;
		if (run.reading == TCP_MAIN && run.data.len > 0) {
			memcpy(r->main + r->n_main, run.data.data, run.data.len);
			r->n_main += (uint32_t)run.data.len;
		}
		if (run.reading != TCP_ALT)
			tcp_history_add(&r->x, &r->f.half[dir], &r->f.half[!dir], run.data);
	}
}

static void rig_pkt(struct rig *r, enum dir dir, const struct pkt *p)
{
	enum tcp_verdict verdict = tcp_track(&r->x, &r->f, p, dir);
	struct tcp_reader rd;

	if (verdict == TCP_NEW_FLOW)
		r->over = true;
	if (r->over)
		return;
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
}

static void rig_books(const struct rig *r)
{
	const uint64_t *v = r->c.v;

	assert_int_equal(v[CNT_TCP_PAYLOAD], v[CNT_TCP_DELIVERED] + v[CNT_TCP_DUPLICATE] +
						     v[CNT_TCP_OUT_OF_WINDOW] + v[CNT_TCP_IGNORED] +
						     v[CNT_TCP_OLD_TS] + v[CNT_TCP_BAD_ACK] +
						     v[CNT_TCP_AFTER_FIN] + v[CNT_TCP_OOO_HELD]);
}

static void rig_open(struct rig *r, const struct sequence *q)
{
	uint8_t options = (uint8_t)((q->ts ? PKT_HAS_TS : 0) | (q->sack ? PKT_HAS_SACK : 0));
	struct pkt p = {.seq = ISN, .flags = TCP_SYN, .window = WINDOW, .options = options};

	p.tsval = TS_BASE;
	p.payload = SPAN_LIT("");
	rig_pkt(r, DIR_TO_SERVER, &p);
	p.seq = SERVER_ISN;
	p.ack = ISN + 1;
	p.flags = TCP_SYN | TCP_ACK;
	rig_pkt(r, DIR_TO_CLIENT, &p);
	p.seq = ISN + 1;
	p.ack = SERVER_ISN + 1;
	p.flags = TCP_ACK;
	rig_pkt(r, DIR_TO_SERVER, &p);
}

static void rig_answer(struct rig *r, uint8_t flags, uint32_t ack, uint16_t window)
{
	const struct pkt p = {.seq = SERVER_ISN + 1,
			      .ack = ack,
			      .flags = flags,
			      .window = window,
			      .payload = SPAN_LIT("")};

	rig_pkt(r, DIR_TO_CLIENT, &p);
}

// What the server says after a segment: as the model would, or as a kernel has.
static void rig_answers(struct rig *r, const struct model *m, uint32_t number)
{
	unsigned int step, flags, ack, window;
	int n = 0;

	if (r->answers == NULL) {
		if (!m->reset)
			rig_answer(r, TCP_ACK, m->rcv_nxt, WINDOW);
		return;
	}
	while (sscanf(r->answers, " %u:%u:%u:%u%n", &step, &flags, &ack, &window, &n) == 4 &&
	       step == number) {
		r->answers += n;
		rig_answer(r, (uint8_t)flags, ack, (uint16_t)window);
	}
}

static void rig_step(struct rig *r, const struct step *s, uint32_t number)
{
	struct pkt p = {.seq = ISN + 1 + s->at,
			.ack = SERVER_ISN + 1 + (uint32_t)s->ack,
			.flags = s->flags,
			.window = WINDOW,
			.tsval = tsval_of(s, number),
			.payload = span_of(s->data, s->len)};

	if (s->option == OPT_MD5)
		p.options = PKT_HAS_MD5;
	else if (s->option != OPT_NONE)
		p.options = PKT_HAS_TS;
	rig_pkt(r, DIR_TO_SERVER, &p);
}

static void rig_end(struct rig *r)
{
	for (int d = 0; d < DIR_N; d++) {
		struct tcp_reader rd;

		tcp_reader_flush(&rd, &r->x, &r->f, d);
		rig_read(r, &rd, d);
		assert_int_equal(tcp_half_drop(&r->x, &r->f.half[d]), 0);
	}
	rig_books(r);
	assert_int_equal(r->cells.used + r->histories.used, 0);
	assert_int_equal(r->c.v[CNT_TCP_OOO_HELD], 0);
}

static bool contains(const char *all, uint32_t n, const char *what, uint32_t len)
{
	return len == 0 || memmem(all, n, what, len) != NULL;
}

// ---- comparing ----

static void print_runs(const char *runs, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (runs[i] == '\0')
			printf("\",\"");
		else
			printf("%02x", (uint8_t)runs[i]);
}

static void print_json(const struct sequence *q, const struct rig *r)
{
	printf("{\"ts\":%d,\"sack\":%d,\"steps\":[", q->ts, q->sack);
	for (uint32_t i = 0; i < q->n; i++) {
		const struct step *s = &q->step[i];

		printf("%s{\"at\":%d,\"flags\":%u,\"ack\":%d,\"option\":%u,\"tsval\":%u,\"data\":"
		       "\"",
		       i > 0 ? "," : "", (int32_t)s->at, s->flags, s->ack, s->option,
		       tsval_of(s, i));
		for (int k = 0; k < s->len; k++)
			printf("%02x", (uint8_t)s->data[k]);
		printf("\"}");
	}
	printf("],\"read\":\"");
	print_runs(r->main, r->n_main);
	printf("\",\"scanned\":[\"");
	print_runs(r->stream, r->n_stream);
	print_runs(r->alt, r->n_alt);
	printf("\"],\"anomalies\":%u}\n", r->anomalies);
	fflush(stdout);
}

// True if the sequence is read as the model reads it, and nothing of it is lost.
static bool agrees(struct rig *r, const struct sequence *q, struct model *m)
{
	uint32_t acked[STEPS_MAX], n = 0;
	bool same;

	*m = (struct model){.rcv_nxt = ISN + 1, .ts = q->ts, .sack = q->sack, .ts_recent = TS_BASE};
	rig_reset(r);
	rig_open(r, q);
	for (uint32_t i = 0; i < q->n && !r->over; i++) {
		acked[i] = m->rcv_nxt - (ISN + 1) - m->eof;
		rig_step(r, &q->step[i], i);
		rig_books(r);
		model_step(m, &q->step[i], i);
		rig_answers(r, m, i);
		n += !r->over;
	}
	rig_end(r);
	same = r->n_main == m->n_read && memcmp(r->main, m->read, m->n_read) == 0;
	for (uint32_t i = 0; i < n && same; i++) {
		const struct step *s = &q->step[i];
		uint32_t final = after(acked[i], s->at) > 0 ? acked[i] - s->at : 0;

		// What was acknowledged before is no host's reading any more.
		if (final < s->len)
			same = contains(r->stream, r->n_stream, s->data + final, s->len - final) ||
			       contains(r->alt, r->n_alt, s->data + final, s->len - final);
	}
	return same;
}

// Leave steps out as long as it still fails.
static void shrink(struct rig *r, struct sequence *q, struct model *m)
{
	for (uint32_t i = 0; i < q->n;) {
		struct sequence less = *q;

		memmove(&less.step[i], &less.step[i + 1], (--less.n - i) * sizeof(*less.step));
		if (less.n > 0 && !agrees(r, &less, m)) {
			*q = less;
			i = 0;
		} else {
			i++;
		}
	}
	agrees(r, q, m);
}

static uint32_t sequences = SEQUENCES;
static uint64_t first_seed = 1;

static void test_as_the_model(void **state)
{
	static struct rig r;
	uint32_t failed = 0;

	rig_init(&r);
	for (uint32_t i = 0; i < sequences && failed < 5; i++) {
		struct sequence q;
		struct model m;

		sequence_make(&q, first_seed + i);
		if (agrees(&r, &q, &m))
			continue;
		shrink(&r, &q, &m);
		print_json(&q, &r);
		print_error("seed %lu: \"%.*s\" instead of \"%.*s\"\n",
			    (unsigned long)(first_seed + i), (int)r.n_main, r.main, (int)m.n_read,
			    m.read);
		for (uint32_t k = 0; k < r.n_alt; k++)
			if (r.alt[k] == '\0')
				r.alt[k] = '|';
		print_error("other readings: %.*s\n", (int)r.n_alt, r.alt);
		failed++;
	}
	rig_done(&r);
	assert_int_equal(failed, 0);
}

static void steps_keep(struct sequence *q, uint32_t mask)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < q->n; i++)
		if ((mask >> i & 1) != 0)
			q->step[n++] = q->step[i];
	q->n = n;
}

static void ask(void)
{
	static struct rig r;
	char line[8192];

	rig_init(&r);
	while (fgets(line, sizeof(line), stdin) != NULL) {
		struct sequence q;
		struct model m;
		char *rest;

		sequence_make(&q, strtoull(line, &rest, 10));
		steps_keep(&q, (uint32_t)strtoul(rest, &rest, 10));
		r.answers = *rest == ' ' ? rest : NULL;
		agrees(&r, &q, &m);
		print_json(&q, &r);
	}
	rig_done(&r);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_as_the_model)};

	if (argc > 1 && strcmp(argv[1], "ask") == 0) {
		ask();
		return 0;
	}
	if (argc > 1)
		sequences = (uint32_t)strtoul(argv[1], NULL, 10);
	if (argc > 2)
		first_seed = strtoull(argv[2], NULL, 10);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

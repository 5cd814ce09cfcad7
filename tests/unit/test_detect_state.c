// SPDX-License-Identifier: BSD-2-Clause
// Random rules that ask for state and leave some behind, in conversations of several connections, requests and responses, cut
// anywhere: against an evaluator that follows docs/RULES.md step by step. What a rule looks for is plain here (test_detect_random.c
// has the rest): words in a head or in a file; what matters is when it matches, in which order rules are asked, and what
// they find.
//
// A conversation that gives other hits is made smaller as long as it does, and printed.
//
// usage: test_detect_state; WIREGLASS_STATE_CASES=n: so many pairs of rule and message; WIREGLASS_STATE_SEED=n
#include "tests/unit/stateworld.h"

enum {
	HITS_MAX = RULES_MAX * CONNS_MAX * TXS_MAX * 2,
	CASES = 24000,
};

// ---- the evaluator ----

struct model_hit {
	uint8_t rule, conn, tx, dir;
};

struct snumber {
	bool is_set;
	uint32_t value;
};

// A message that is being read.
struct reading {
	bool head_seen;
	bool waits[RULES_MAX], matched[RULES_MAX];
};

struct model {
	const struct world *w;
	const struct conn *c;
	uint8_t conn;
	uint32_t now_s;
	bool has_pass, passed, say;
	bool refused[RULES_MAX];
	bool bit[NAMES];
	struct snumber number[NAMES];
	// Until when xbits are set: those of the clients, of the server, of a client and the server.
	uint32_t client_xbit[NAMES][2], server_xbit[NAMES], pair_xbit[NAMES][2];
	struct reading reading[DIR_N];
	uint8_t tx[DIR_N];
	struct model_hit hit[HITS_MAX];
	uint32_t n_hits, n_before; // the segment in hand
};

// Until when this xbit is set.
static uint32_t *xbit_at(struct model *m, const struct op *o, enum dir dir)
{
	const bool of_client = (o->track == BY_SOURCE) == (dir == DIR_TO_SERVER);

	if (o->track == BY_PAIR)
		return &m->pair_xbit[o->name][m->c->client];
	return of_client ? &m->client_xbit[o->name][m->c->client] : &m->server_xbit[o->name];
}

static bool op_holds(struct model *m, const struct op *o, enum dir dir)
{
	const bool want = o->verb == ISSET;
	const struct snumber *n = &m->number[o->name];
	uint32_t value = o->value;

	if (o->kind == BIT)
		return m->bit[o->name] == want || (o->has_other && m->bit[o->other] == want);
	if (o->kind == XBIT)
		return (*xbit_at(m, o, dir) >= m->now_s) == want;
	if (o->verb == ISSET || o->verb == ISNOTSET)
		return n->is_set == want;
	if (!n->is_set || (o->has_other && !m->number[o->other].is_set))
		return false;
	if (o->has_other)
		value = m->number[o->other].value;
	return o->verb == EQUAL ? n->value == value : n->value > value;
}

static void op_do(struct model *m, const struct op *o, enum dir dir)
{
	struct snumber *n = &m->number[o->name];
	uint32_t value = o->value;

	if (o->kind == BIT) {
		m->bit[o->name] = o->verb == SET || (o->verb == TOGGLE && !m->bit[o->name]);
		return;
	}
	if (o->kind == XBIT) {
		uint32_t *until = xbit_at(m, o, dir);
		const bool is_set = *until >= m->now_s;

		*until = o->verb == SET || (o->verb == TOGGLE && !is_set) ? m->now_s + o->value : 0;
		return;
	}
	if (o->has_other && !m->number[o->other].is_set)
		return;
	if (o->has_other)
		value = m->number[o->other].value;
	if (o->verb == SUBTRACT && !n->is_set)
		return;
	n->value = o->verb == SET        ? value
		   : o->verb == SUBTRACT ? n->value - value
					 : (n->is_set ? n->value : 0) + value;
	n->is_set = true;
}

static bool set_holds(const struct cond *c, uint8_t set)
{
	return (set >> c->word & 1) != 0 &&
	       (!c->has_other || (set >> c->other & 1) != c->other_negated);
}

static bool head_cond_holds(const struct cond *c, const struct message *m)
{
	switch (c->where) {
	case IN_URI:
		return set_holds(c, m->uri);
	case IN_HEADER:
		return set_holds(c, m->field[0] | m->field[1]);
	case IN_STATUS:
		return m->is_404 == c->is_404;
	default:
		return set_holds(c, m->field[0]) || set_holds(c, m->field[1]);
	}
}

// Of the file in text, or of what has come of it.
static bool file_cond_holds(const struct cond *c, const char *text, size_t n, bool complete)
{
	bool word = false, other = false;

	for (size_t i = 0; i + 4 <= n; i++) {
		word |= memcmp(text + i, words[c->word], 4) == 0 && (!c->at_end || i + 4 == n);
		other |= memcmp(text + i, words[c->other], 4) == 0;
	}
	if (!complete && (c->at_end || (c->has_other && c->other_negated)))
		return false; // only the end decides
	return word && (!c->has_other || other != c->other_negated);
}

static unsigned int turn_of(const struct srule *r)
{
	bool reads = false, writes = false;

	for (int i = 0; i < r->n_ops; i++) {
		reads |= asks(&r->op[i]);
		writes |= !asks(&r->op[i]);
	}
	return r->pass ? 0 : writes ? 1 + reads : reads ? 3 : 4;
}

static void rule_fires(struct model *m, int i, enum dir dir)
{
	const struct srule *r = &m->w->rule[i];

	for (int k = 0; k < r->n_ops; k++)
		if (!asks(&r->op[k]))
			op_do(m, &r->op[k], dir);
	if (r->pass) {
		m->passed = true;
		m->n_hits = m->n_before; // nor what it has said of other messages of the segment
	}
	if (r->pass || r->noalert)
		return;
	assert_true(m->n_hits < HITS_MAX);
	m->hit[m->n_hits++] = (struct model_hit){(uint8_t)i, m->conn, m->tx[dir], (uint8_t)dir};
}

// All that matched is asked, one after the other, until none holds any more.
static void decide(struct model *m, enum dir dir)
{
	struct reading *d = &m->reading[dir];

	for (;;) {
		int best = -1;

		for (int i = 0; i < m->w->n_rules; i++) {
			const struct srule *r = &m->w->rule[i];
			bool holds = d->waits[i];

			for (int k = 0; k < r->n_ops && holds; k++)
				holds = !asks(&r->op[k]) || op_holds(m, &r->op[k], dir);
			if (holds && (best < 0 || turn_of(r) < turn_of(&m->w->rule[best])))
				best = i;
		}
		if (best < 0 || m->passed)
			return;
		d->waits[best] = false;
		rule_fires(m, best, dir);
	}
}

// Bytes of the stream have come up to here; file: the one that they belong to, or -1.
static void look(struct model *m, enum dir dir, const char *file, size_t n, bool complete)
{
	const struct message *msg = &m->c->msg[m->tx[dir]][dir];
	struct reading *d = &m->reading[dir];

	if (!m->has_pass)
		decide(m, dir); // others may have changed what they ask for
	for (int i = 0; i < m->w->n_rules && !m->passed; i++) {
		const struct srule *r = &m->w->rule[i];
		bool holds = (r->dirs >> dir & 1) != 0 && !m->refused[i] && !d->matched[i];

		for (int k = 0; k < r->n_conds && holds; k++)
			holds = r->cond[k].where == IN_FILE
					? file != NULL &&
						  file_cond_holds(&r->cond[k], file, n, complete)
					: head_cond_holds(&r->cond[k], msg);
		if (holds)
			d->matched[i] = d->waits[i] = true;
	}
	if (!m->has_pass)
		decide(m, dir);
}

// Bytes from..to of one direction come in one segment.
static void segment(struct model *m, enum dir dir, const char *text, const struct place *places,
		    size_t from, size_t to)
{
	struct reading *d = &m->reading[dir];

	m->n_before = m->n_hits;
	while (from < to) {
		const struct place *p = &places[m->tx[dir]];
		const struct message *msg = &m->c->msg[m->tx[dir]][dir];

		if (!d->head_seen && to < p->head_end)
			return;
		if (!d->head_seen) {
			from = p->head_end;
			d->head_seen = true;
			look(m, dir, NULL, 0, false);
		}
		for (int i = 0; i < msg->n_files; i++) {
			const size_t known = p->file_known[i];

			if (to > p->file_from[i] && from < p->file_to[i])
				look(m, dir, text + p->file_from[i],
				     (to < p->file_to[i] ? to : p->file_to[i]) - p->file_from[i],
				     false);
			if (to >= known && from < known)
				look(m, dir, text + p->file_from[i],
				     p->file_to[i] - p->file_from[i], true);
		}
		if (to < p->to)
			break;
		from = p->to;
		decide(m, dir);
		memset(d, 0, sizeof(*d));
		m->tx[dir]++;
	}
	if (d->head_seen)
		decide(m, dir);
}
// ---- both, side by side ----
// No cut within what ends a part: how much of it must be seen is not the rules' business.
static size_t cut_at(const struct streams *s, const struct conn *c, int d, size_t at)
{
	for (int t = 0; t < c->n_txs; t++)
		for (int i = 0; i < c->msg[t][d].n_files; i++)
			if (at > s->place[d][t].file_to[i] && at < s->place[d][t].file_known[i])
				return s->place[d][t].file_known[i];
	return at < s->len[d] ? at : s->len[d];
}

// Segments of a connection, in an order in which no response goes before its request has been sent whole.
static void conn_run_both(const struct world *w, const struct conn *c, struct kit_list *l,
			  struct model *m, const struct streams *s, uint64_t *seed)
{
	static const uint32_t sizes[] = {1, 7, 40, 200, 2000};
	const uint32_t most = sizes[kit_below(seed, KIT_N(sizes))];
	size_t at[DIR_N] = {0, 0};

	while (at[0] < s->len[0] || at[1] < s->len[1]) {
		size_t limit[DIR_N] = {s->len[0], 0}, to;
		int d = (int)kit_below(seed, 2);

		for (int t = 0; t < c->n_txs; t++)
			if (at[0] >= s->place[0][t].to)
				limit[1] = s->place[1][t].to;
		if (w->whole) { // a message, then the other one
			d = at[1] < limit[1];
			limit[0] = s->place[0][m->tx[0] < c->n_txs ? m->tx[0] : 0].to;
		}
		if (at[d] >= limit[d])
			continue;
		to = w->whole ? limit[d] : cut_at(s, c, d, at[d] + 1 + kit_below(seed, most));
		if (to > limit[d])
			to = limit[d];
		kit_add(l, (uint8_t)d, KIT_ACK, span_of(s->text[d] + at[d], to - at[d]));
		segment(m, (enum dir)d, s->text[d], s->place[d], at[d], to);
		if (m->say)
			print_error("%s%zu", d == DIR_TO_SERVER ? " >" : " <", to);
		at[d] = to;
	}
}

static int hit_cmp(const void *va, const void *vb)
{
	return memcmp(va, vb, sizeof(struct model_hit));
}

static void hits_sort(struct model_hit *h, uint32_t n)
{
	if (n > 1)
		qsort(h, n, sizeof(*h), hit_cmp);
}

// Which hits the engine gives, in the order of the model.
static uint32_t hits_of(const struct kit *k, struct model_hit out[HITS_MAX])
{
	assert_true(k->n_hits <= HITS_MAX);
	for (uint32_t i = 0; i < k->n_hits; i++) {
		const struct hit *h = &k->hits[i];
		const uint16_t port =
			h->addr.dir == DIR_TO_SERVER ? h->addr.src_port : h->addr.dst_port;

		out[i] = (struct model_hit){(uint8_t)(h->sid - 1),
					    (uint8_t)(port - kit_ends.port[0]), (uint8_t)h->tx_id,
					    h->addr.dir};
	}
	hits_sort(out, k->n_hits);
	return k->n_hits;
}

struct tally {
	uint64_t cases, hits, rules, loaded, pass_sets;
};

// True if engine and evaluator agree.
static bool world_run(const struct world *w, struct tally *io_tally, bool say)
{
	static struct streams streams;
	static struct model_hit got[HITS_MAX];
	static char text[RULES_MAX * 800];
	struct kit_refused refused = {.n = 0};
	struct pipeline_conf conf = kit_conf();
	struct model m = {.w = w, .now_s = 1, .say = say};
	uint64_t seed = w->cuts;
	struct ruleset *rs;
	uint32_t n;
	bool same;
	struct kit k;

	world_rules(w, text, sizeof(text));
	rs = kit_ruleset(text, 1, &refused);
	for (uint32_t i = 0; i < refused.n; i++)
		m.refused[refused.sid[i] - 1] = true;
	for (int i = 0; i < w->n_rules; i++)
		m.has_pass |= w->rule[i].pass && !m.refused[i];
	kit_init(&k, &conf, rs);
	for (int i = 0; i < w->n_conns; i++) {
		struct kit_list l = {0};

		m.conn = (uint8_t)i;
		m.c = &w->conn[i];
		k.now_ns += m.c->pause_s * UINT64_C(1000000000);
		m.now_s = (uint32_t)(k.now_ns / 1000000000);
		m.passed = false;
		memset(m.bit, 0, sizeof(m.bit));
		memset(m.number, 0, sizeof(m.number));
		memset(m.reading, 0, sizeof(m.reading));
		memset(m.tx, 0, sizeof(m.tx));
		k.ends.port[0] = (uint16_t)(kit_ends.port[0] + i);
		k.ends.addr[0][15] = (uint8_t)(kit_ends.addr[0][15] + m.c->client);
		streams_make(m.c, &streams);
		kit_open(&l, 5, 6);
		conn_run_both(w, m.c, &l, &m, &streams, &seed);
		kit_close(&l);
		kit_feed(&k, l.v, l.n, 1 + (uint32_t)(w->cuts & 15));
		io_tally->cases += (uint64_t)(w->n_rules - refused.n) * m.c->n_txs * 2;
		free(l.v);
	}
	kit_flush(&k);
	n = hits_of(&k, got);
	hits_sort(m.hit, m.n_hits);
	same = n == m.n_hits && memcmp(got, m.hit, n * sizeof(got[0])) == 0;
	io_tally->hits += n;
	io_tally->rules += w->n_rules;
	io_tally->loaded += w->n_rules - refused.n;
	io_tally->pass_sets += m.has_pass;
	if (say) {
		print_error("\n%s", text);
		for (uint32_t i = 0; i < n; i++)
			print_error("got  sid %d connection %d transaction %d dir %d\n",
				    got[i].rule + 1, got[i].conn, got[i].tx, got[i].dir);
		for (uint32_t i = 0; i < m.n_hits; i++)
			print_error("want sid %d connection %d transaction %d dir %d\n",
				    m.hit[i].rule + 1, m.hit[i].conn, m.hit[i].tx, m.hit[i].dir);
	}
	kit_done(&k);
	ruleset_free(rs);
	return same;
}

// ---- making it smaller ----
static void world_shrink(struct world *w)
{
	struct tally nothing = {0};
	bool smaller = true;

	while (smaller) {
		struct world v = *w;

		smaller = false;
		for (unsigned int n = 0; world_without(&v, n) && !smaller; n++, v = *w) {
			if (world_run(&v, &nothing, false))
				continue;
			*w = v;
			smaller = true;
			break;
		}
	}
}

static void conn_say(const struct world *w)
{
	static struct streams s;

	for (int i = 0; i < w->n_conns; i++) {
		streams_make(&w->conn[i], &s);
		print_error("-- connection %d of client %d, %d s later%s\n>>>\n%.*s\n<<<\n%.*s\n",
			    i, w->conn[i].client, w->conn[i].pause_s, w->whole ? ", not cut" : "",
			    (int)s.len[0], s.text[0], (int)s.len[1], s.text[1]);
	}
}

static void test_random(void **state)
{
	const char *cases = getenv("WIREGLASS_STATE_CASES"), *from = getenv("WIREGLASS_STATE_SEED");
	const uint64_t want = cases != NULL ? strtoull(cases, NULL, 10) : CASES;
	uint64_t seed = from != NULL ? strtoull(from, NULL, 0) : 1;
	static struct world w;
	struct tally t = {0};

	while (t.cases < want) {
		const uint64_t start = seed;

		world_make(&w, &seed);
		if (world_run(&w, &t, false))
			continue;
		world_shrink(&w);
		conn_say(&w);
		world_run(&w, &t, true);
		fail_msg("after WIREGLASS_STATE_SEED=0x%lx", (unsigned long)start);
	}
	print_message("%lu cases, %lu hits, %lu rules of %lu loaded, %lu sets with pass rules\n",
		      (unsigned long)t.cases, (unsigned long)t.hits, (unsigned long)t.loaded,
		      (unsigned long)t.rules, (unsigned long)t.pass_sets);
	assert_in_range(t.hits * 100 / t.cases, 5, 60);
	assert_in_range(t.loaded * 100 / t.rules, 70, 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: BSD-2-Clause
// Hyperscan's callbacks only note what matched; everything else happens after the scan has returned, so that no scan runs
// inside another. A rule hits at most once per message: its representing signature fires once (SINGLEMATCH), and a rule that
// has become active keeps its record until the message ends.
#include "dataplane/engine/detect.h"

#include <string.h>

static struct ruleset_worker *worker_of(const struct detect *d, const struct ruleset *rs)
{
	return &rs->w[d->worker];
}

static void in_use_add(struct ruleset_worker *w, uint64_t n)
{
	// Only this worker writes the word.
	uint64_t v = atomic_load_explicit(&w->in_use, memory_order_relaxed);

	atomic_store_explicit(&w->in_use, v + n, memory_order_relaxed);
}

static const enum buffer slots[DETECT_STREAM_N] = {
	[DETECT_BODY] = BUF_FILE_DATA,
	[DETECT_RAW] = BUF_RAW,
};

static enum detect_stream stream_of(const struct image_cond *c)
{
	return c->buffer == BUF_RAW ? DETECT_RAW : DETECT_BODY;
}

static uint32_t always_on(const struct inspect *in, enum detect_stream s)
{
	return in->rs->img->db[slots[s]][in->dir];
}

static uint32_t tail_of(const struct inspect *in, enum detect_stream s)
{
	return in->rs->img->tail[slots[s]][in->dir];
}

bool detect_wants(const struct detect *d, enum dir dir, enum detect_stream s)
{
	const struct image_header *img;

	if (d->rs == NULL)
		return false;
	img = d->rs->img;
	return img->db[slots[s]][dir] != IMAGE_NONE || img->tail[slots[s]][dir] > 0;
}

bool detect_needs(const struct inspect *in, enum detect_stream s)
{
	return always_on(in, s) != IMAGE_NONE || tail_of(in, s) > 0 || in->active != POOL_NONE;
}

struct inspect *detect_begin(struct detect *d, enum dir dir)
{
	struct inspect *in;

	if (d->rs == NULL) {
		d->counters->v[CNT_RX_NO_RULESET]++;
		return NULL;
	}
	in = pool_get(d->inspects);
	if (in == NULL) {
		d->counters->v[CNT_HTTP_NO_MESSAGE]++;
		return NULL;
	}
	memset(in, 0, sizeof(*in));
	in->rs = d->rs;
	in->dir = (uint8_t)dir;
	in->active = POOL_NONE;
	in_use_add(worker_of(d, in->rs), 1);
	return in;
}

// ---- hits ----

static bool addrs_hold(const struct image_addr *v, uint32_t n, const uint8_t addr[16])
{
	bool positive = false, in_positive = false;

	for (uint32_t i = 0; i < n; i++, v++) {
		uint32_t bytes = v->len / 8, bits = v->len % 8;
		bool in;

		in = bytes <= 16 && memcmp(v->prefix, addr, bytes) == 0 &&
		     (bits == 0 || bytes >= 16 ||
		      ((v->prefix[bytes] ^ addr[bytes]) & (0xff00 >> bits) & 0xff) == 0);
		if (v->negated && in)
			return false;
		positive |= !v->negated;
		in_positive |= in && !v->negated;
	}
	return !positive || in_positive;
}

static bool ports_hold(const struct image_port *v, uint32_t n, uint16_t port)
{
	bool positive = false, in_positive = false;

	for (uint32_t i = 0; i < n; i++, v++) {
		bool in = port >= v->first && port <= v->last;

		if (v->negated && in)
			return false;
		positive |= !v->negated;
		in_positive |= in && !v->negated;
	}
	return !positive || in_positive;
}

// Direction, protocol, addresses and ports: checked on candidates only.
static bool rule_applies(const struct ruleset *rs, const struct image_rule *r,
			 const struct detect_msg *m)
{
	struct hit_addr a;

	if ((r->dirs & (1 << m->dir)) == 0)
		return false;
	if ((r->flags & IMAGE_RULE_HTTP) != 0 && m->app != APP_HTTP && m->app != APP_FAILED)
		return false;
	if (r->n_src + r->n_dst + r->n_sport + r->n_dport == 0)
		return true;
	flow_addr(m->flow, m->dir, &a);
	for (int swap = 0; swap < 2; swap++) {
		if (addrs_hold(rs->addrs + r->src, r->n_src, a.src) &&
		    addrs_hold(rs->addrs + r->dst, r->n_dst, a.dst) &&
		    ports_hold(rs->ports + r->sport, r->n_sport, a.src_port) &&
		    ports_hold(rs->ports + r->dport, r->n_dport, a.dst_port))
			return true;
		if ((r->flags & IMAGE_RULE_BIDIRECTIONAL) == 0)
			return false;
		flow_addr(m->flow, m->dir == DIR_TO_SERVER ? DIR_TO_CLIENT : DIR_TO_SERVER, &a);
	}
	return false;
}

// ---- flowbits ----

static bool bit_is_set(const struct inspect *in, const struct detect_msg *m, uint32_t index)
{
	const struct flowbits *b = *m->bits;

	return b != NULL && b->image == in->rs->identity && (b->word[index / 64] >> index % 64 & 1) != 0;
}

static bool bits_hold(const struct inspect *in, const struct detect_msg *m,
		      const struct image_rule *r)
{
	const struct image_bit *b = in->rs->bits + r->bit;
	bool group = false; // something of an "a|b" group held

	for (uint32_t i = 0; i < r->n_bits; i++, b++) {
		if (b->op != IMAGE_BIT_ISSET && b->op != IMAGE_BIT_ISNOTSET)
			continue;
		group |= bit_is_set(in, m, b->index) == (b->op == IMAGE_BIT_ISSET);
		if (b->or_next)
			continue;
		if (!group)
			return false;
		group = false;
	}
	return true;
}

static void bits_write(struct detect *d, const struct inspect *in, const struct detect_msg *m,
		       const struct image_rule *r)
{
	const struct image_bit *b = in->rs->bits + r->bit;
	struct flowbits *bits = *m->bits;

	for (uint32_t i = 0; i < r->n_bits; i++, b++) {
		uint64_t mask = UINT64_C(1) << b->index % 64;

		if (b->op == IMAGE_BIT_ISSET || b->op == IMAGE_BIT_ISNOTSET)
			continue;
		if (bits == NULL) {
			bits = pool_get(d->flowbits);
			if (bits == NULL) {
				d->counters->v[CNT_FLOWBITS_FULL]++;
				return;
			}
			bits->image = in->rs->identity;
			memset(bits->word, 0, sizeof(bits->word));
			*m->bits = bits;
		}
		if (bits->image != in->rs->identity) {
			memset(bits->word, 0, sizeof(bits->word));
			bits->image = in->rs->identity;
		}
		if (b->op == IMAGE_BIT_SET)
			bits->word[b->index / 64] |= mask;
		else if (b->op == IMAGE_BIT_UNSET)
			bits->word[b->index / 64] &= ~mask;
		else
			bits->word[b->index / 64] ^= mask;
	}
}

// A rule matched, its flowbits included: write its own ones, report it.
static void report(struct detect *d, struct inspect *in, const struct detect_msg *m,
		   uint32_t rule, uint8_t buffer, uint64_t offset, bool short_window)
{
	const struct image_rule *r = &in->rs->rules[rule];
	struct hit *h;

	if (r->n_bits > 0)
		bits_write(d, in, m, r);
	if ((r->flags & IMAGE_RULE_NOALERT) != 0)
		return;
	h = ring_slot(d->hits);
	d->counters->v[CNT_HITS]++;
	d->hit_seq++; // a hit that finds no room leaves a hole in the numbers
	m->flow->flags |= FLOW_HAS_HIT;
	in->flags |= INSPECT_HAS_HIT;
	if (m->ret_hit != NULL)
		*m->ret_hit = true;
	if (h == NULL) {
		d->counters->v[CNT_HITS_LOST]++;
		return;
	}
	*h = (struct hit){
		.seq = d->hit_seq,
		.ts_ns = m->ts_ns,
		.flow_id = m->flow->id,
		.offset_bytes = offset,
		.tx_id = m->tx_id,
		.generation = in->rs->generation,
		.rule = rule,
		.sid = r->sid,
		.gid = r->gid,
		.rev = r->rev,
		.flags = m->hit_flags,
		.buffer = buffer,
		.priority = r->priority,
		.app = m->app,
	};
	if ((in->flags & INSPECT_GAP) != 0)
		h->flags |= HIT_GAP;
	if ((in->flags & INSPECT_TRUNCATED) != 0)
		h->flags |= HIT_TRUNCATED;
	if (short_window)
		h->flags |= HIT_WINDOW_SHORT;
	flow_addr(m->flow, m->dir, &h->addr);
	h->addr.worker = (uint8_t)d->worker;
	ring_push(d->hits);
}

static struct active *active_get(struct detect *d, struct inspect *in, uint32_t rule);

// Everything of a rule holds but, maybe, its flowbits. Rules that read them wait until all rules of this stage that
// write them have had their turn, whatever the order in which they stand.
static void hit(struct detect *d, struct inspect *in, const struct detect_msg *m, uint32_t rule,
		uint8_t buffer, uint64_t offset, bool short_window)
{
	struct active *a;

	if ((in->rs->rules[rule].flags & IMAGE_RULE_READS_BITS) == 0) {
		report(d, in, m, rule, buffer, offset, short_window);
		return;
	}
	a = active_get(d, in, rule);
	if (a == NULL)
		return;
	a->waiting = 1;
	a->done = 1;
	a->short_window |= short_window;
	a->wait_buffer = buffer;
	a->wait_offset = offset;
	in->flags |= INSPECT_WAITING;
}

// The stage is over: rules that wait for flowbits, again and again while one of them changes something.
static void waiting_decide(struct detect *d, struct inspect *in, const struct detect_msg *m)
{
	bool again = (in->flags & INSPECT_WAITING) != 0;

	while (again) {
		again = false;
		for (uint32_t i = in->active; i != POOL_NONE;) {
			struct active *a = pool_at(d->actives, i);
			const struct image_rule *r = &in->rs->rules[a->rule];

			i = a->next;
			if (!a->waiting || !bits_hold(in, m, r))
				continue;
			a->waiting = 0; // each at most once: the loop ends
			again = true;
			report(d, in, m, a->rule, a->wait_buffer, a->wait_offset, a->short_window);
		}
	}
}

// ---- scanning ----

struct scan_ctx {
	struct ruleset_worker *w;
	uint32_t n_sigs; // of the database: size of w->fired
};

static int on_signature(unsigned int id, unsigned long long from, unsigned long long to,
			unsigned int flags, void *vctx)
{
	struct scan_ctx *ctx = vctx;

	// One callback per pattern, so there is room; a database that breaks this promise is cut short.
	if (id >= ctx->n_sigs || ctx->w->n_fired >= ctx->n_sigs)
		return 0;
	ctx->w->fired[ctx->w->n_fired++] = (struct fired){.sig = id, .end = to};
	return 0;
}

struct term_ctx {
	struct active *a;
	enum detect_stream s;
};

static int on_term(unsigned int id, unsigned long long from, unsigned long long to,
		   unsigned int flags, void *vctx)
{
	struct term_ctx *ctx = vctx;

	if (id >= IMAGE_TERMS_PER_COND_MAX)
		return 0;
	ctx->a->terms[ctx->s] |= 1u << id;
	ctx->a->end[ctx->s] = ctx->a->from[ctx->s] + to;
	return 0;
}

static void scan_failed(struct detect *d)
{
	d->counters->v[CNT_SCAN_FAILED]++;
}

// ---- active rules ----

static struct active *active_find(const struct detect *d, const struct inspect *in, uint32_t rule)
{
	for (uint32_t i = in->active; i != POOL_NONE;) {
		struct active *a = pool_at(d->actives, i);

		if (a->rule == rule)
			return a;
		i = a->next;
	}
	return NULL;
}

static struct active *active_get(struct detect *d, struct inspect *in, uint32_t rule)
{
	struct active *a = active_find(d, in, rule);

	if (a != NULL)
		return a;
	a = pool_get(d->actives);
	if (a == NULL) {
		d->counters->v[CNT_ACTIVE_FULL]++;
		return NULL;
	}
	memset(a, 0, sizeof(*a));
	a->rule = rule;
	a->cond[0] = a->cond[1] = 0xff;
	a->next = in->active;
	in->active = pool_index(d->actives, a);
	return a;
}

static void own_close(struct detect *d, struct inspect *in, struct active *a, enum detect_stream s)
{
	const struct image_rule *r = &in->rs->rules[a->rule];

	if (a->own[s] == NULL)
		return;
	ruleset_stream_put(in->rs, worker_of(d, in->rs),
			   in->rs->conds[r->cond + a->cond[s]].db, a->own[s], NULL, NULL);
	a->own[s] = NULL;
}

static uint32_t terms_negated(const struct ruleset *rs, const struct image_cond *c)
{
	uint32_t bits = 0;

	for (int i = 0; i < c->n_terms; i++)
		if (rs->terms[c->term + (uint32_t)i].negated)
			bits |= 1u << i;
	return bits;
}

// Do the terms of an open condition hold? at_end: nothing follows, so that absence counts.
static bool terms_hold(const struct ruleset *rs, const struct image_cond *c, uint32_t terms,
		       bool at_end)
{
	uint32_t negated = terms_negated(rs, c);
	uint32_t all = c->n_terms == 32 ? UINT32_MAX : (1u << c->n_terms) - 1;

	return (terms & negated) == 0 && (terms & all & ~negated) == (all & ~negated) &&
	       (negated == 0 || at_end);
}

// All head conditions of a rule on the view.
static bool head_holds(struct detect *d, const struct inspect *in, const struct image_rule *r)
{
	struct ruleset_worker *w = worker_of(d, in->rs);

	for (uint32_t i = 0; i < r->n_conds; i++) {
		const struct image_cond *c = &in->rs->conds[r->cond + i];

		if (c->mode == IMAGE_COND_HEAD &&
		    !eval_cond(in->rs, w, c, view_get(&d->view, c->buffer), d->counters))
			return false;
	}
	return true;
}

static uint16_t head_bits(const struct ruleset *rs, const struct image_rule *r)
{
	uint16_t bits = 0;

	for (uint32_t i = 0; i < r->n_conds; i++)
		if (rs->conds[r->cond + i].mode == IMAGE_COND_HEAD)
			bits |= (uint16_t)(1u << i);
	return bits;
}

// Show the kept head in the view. False: there is none.
static bool view_late(struct detect *d, const struct inspect *in)
{
	if (d->view_of == in)
		return true;
	if (in->head == NULL)
		return false;
	if (http_head_parse(span_of(in->head, in->head_len), in->dir, in->answers, &(struct counters){0},
			    &d->late_head) < 0)
		return false;
	view_init(&d->view, &d->late_head, &d->scratch);
	d->view_of = in;
	return true;
}

// Head conditions of a rule that woke up elsewhere. Before the head has come this decides nothing.
static void head_late(struct detect *d, struct inspect *in, struct active *a)
{
	const struct image_rule *r = &in->rs->rules[a->rule];
	uint16_t bits = head_bits(in->rs, r);

	if (bits == 0 || (a->have & bits) == bits || a->head_failed ||
	    (in->flags & INSPECT_HEAD_SEEN) == 0)
		return;
	if (view_late(d, in) && head_holds(d, in, r))
		a->have |= bits;
	else
		a->head_failed = 1;
}

static void complete(struct detect *d, struct inspect *in, const struct detect_msg *m,
		     struct active *a, uint8_t buffer, uint64_t offset)
{
	const struct image_rule *r = &in->rs->rules[a->rule];

	if (a->done || a->head_failed || a->have != (uint16_t)((1u << r->n_conds) - 1))
		return;
	a->done = 1;
	for (int s = 0; s < DETECT_STREAM_N; s++)
		own_close(d, in, a, s);
	hit(d, in, m, a->rule, buffer, offset, a->short_window);
}

// Terms of an own stream may have matched: does its condition hold now?
static void own_check(struct detect *d, struct inspect *in, const struct detect_msg *m,
		      struct active *a, enum detect_stream s, bool at_end)
{
	const struct image_rule *r = &in->rs->rules[a->rule];
	const struct image_cond *c = &in->rs->conds[r->cond + a->cond[s]];

	if (!terms_hold(in->rs, c, a->terms[s], at_end))
		return;
	a->have |= (uint16_t)(1u << a->cond[s]);
	own_close(d, in, a, s);
	complete(d, in, m, a, c->buffer, a->end[s]);
}

static void own_scan(struct detect *d, struct inspect *in, struct active *a, enum detect_stream s,
		     struct span data)
{
	struct term_ctx ctx = {.a = a, .s = s};

	if (data.len == 0)
		return;
	d->counters->v[CNT_SCAN_CALLS]++;
	d->counters->v[CNT_SCAN_BYTES] += data.len;
	if (hs_scan_stream(a->own[s], (const char *)data.data, (unsigned int)data.len, 0,
			   worker_of(d, in->rs)->scratch, on_term, &ctx) != HS_SUCCESS)
		scan_failed(d);
}

// Open the own stream of condition i and feed it with the window from offset `from` on.
// Returns false if it is open already, or cannot be.
static bool own_open(struct detect *d, struct inspect *in, struct active *a, uint32_t i,
		     uint64_t from)
{
	const struct image_rule *r = &in->rs->rules[a->rule];
	const struct image_cond *c = &in->rs->conds[r->cond + i];
	enum detect_stream s = stream_of(c);
	uint64_t have_from = in->offset[s] - in->window_len[s];

	if (a->own[s] != NULL || a->done || (a->have & (1u << i)) != 0)
		return false;
	a->own[s] = ruleset_stream_get(in->rs, worker_of(d, in->rs), c->db);
	if (a->own[s] == NULL) {
		d->counters->v[CNT_STREAMS_FULL]++;
		return false;
	}
	d->counters->v[CNT_ACTIVATED]++;
	a->cond[s] = (uint8_t)i;
	a->terms[s] = 0;
	if (from < have_from) {
		d->counters->v[CNT_WINDOW_SHORT]++;
		a->short_window = 1;
		from = have_from;
	}
	a->from[s] = from;
	if (from < in->offset[s])
		own_scan(d, in, a, s,
			 span_of(in->window[s] + (from - have_from), (size_t)(in->offset[s] - from)));
	return true;
}

// Every condition of the rule that has no signature of its own starts to listen: GATED ones.
static void gated_open(struct detect *d, struct inspect *in, const struct detect_msg *m,
		       struct active *a)
{
	const struct image_rule *r = &in->rs->rules[a->rule];

	for (uint32_t i = 0; i < r->n_conds; i++) {
		const struct image_cond *c = &in->rs->conds[r->cond + i];

		if (c->mode != IMAGE_COND_GATED)
			continue;
		if (c->n_matches > 0)
			a->buffered |= (uint16_t)(1u << i);
		else if (own_open(d, in, a, i, 0))
			own_check(d, in, m, a, stream_of(c), false);
	}
}

// A rule's signature matched in a stream buffer; chunk is what was scanned, from in->offset[s] on.
static void stream_fired(struct detect *d, struct inspect *in, const struct detect_msg *m,
			 enum detect_stream s, const struct image_owner *o, uint64_t end,
			 uint32_t lookback, struct span chunk)
{
	const struct ruleset *rs = in->rs;
	const struct image_rule *r = &rs->rules[o->rule];
	const struct image_cond *c = &rs->conds[o->cond];
	struct active *a;
	uint32_t i = o->cond - r->cond;

	d->counters->v[CNT_CANDIDATES]++;
	if (!rule_applies(rs, r, m))
		return;
	if (c->mode == IMAGE_COND_EXACT && r->n_conds == 1) {
		hit(d, in, m, o->rule, c->buffer, end, false);
		return;
	}
	a = active_get(d, in, o->rule);
	if (a == NULL || a->done)
		return;
	head_late(d, in, a);
	if (a->head_failed)
		return;
	if (c->mode == IMAGE_COND_EXACT) {
		a->have |= (uint16_t)(1u << i);
		a->end[s] = end;
		gated_open(d, in, m, a);
		complete(d, in, m, a, c->buffer, end);
		return;
	}
	if (c->n_matches > 0) {
		a->buffered |= (uint16_t)(1u << i);
		gated_open(d, in, m, a);
		return;
	}
	if (own_open(d, in, a, i, lookback == UINT32_MAX || lookback > end ? 0 : end - lookback)) {
		uint64_t from = lookback == UINT32_MAX || lookback > end ? 0 : end - lookback;
		size_t skip = from > in->offset[s] ? (size_t)(from - in->offset[s]) : 0;

		own_scan(d, in, a, s, span_from(chunk, skip));
		own_check(d, in, m, a, s, false);
	}
	if (!a->done)
		gated_open(d, in, m, a);
}

// ---- the window ----

// What a piece of a buffer cannot decide about a condition.
enum piece_doubt {
	DOUBT_START = 1 << 0, // positions count from the buffer's start
	DOUBT_END = 1 << 1,   // something is nowhere in the buffer, or at its end
	DOUBT_NEAR = 1 << 2,  // something does not follow closely: the piece's last bytes are no answer
};

enum {
	DOUBT_NEAR_BYTES = 2048,
};

static unsigned int piece_doubts(const struct ruleset *rs, const struct image_cond *c)
{
	unsigned int doubts = 0;

	for (uint32_t i = 0; i < c->n_matches; i++) {
		uint16_t flags = rs->matches[c->match + i].flags;
		bool relative = (flags & (IMAGE_DISTANCE | IMAGE_WITHIN | IMAGE_RELATIVE)) != 0;

		if ((flags & (IMAGE_OFFSET | IMAGE_DEPTH)) != 0)
			doubts |= DOUBT_START;
		if ((flags & IMAGE_ENDSWITH) != 0 || ((flags & IMAGE_NEGATED) != 0 && !relative))
			doubts |= DOUBT_END;
		if ((flags & IMAGE_NEGATED) != 0 && relative)
			doubts |= DOUBT_NEAR;
	}
	return doubts;
}

static void buffered_eval(struct detect *d, struct inspect *in, const struct detect_msg *m,
			  struct active *a, uint32_t i, enum detect_stream s, bool at_end)
{
	const struct image_rule *r = &in->rs->rules[a->rule];
	const struct image_cond *c = &in->rs->conds[r->cond + i];
	const bool from_start = in->window_len[s] == in->offset[s];
	const unsigned int doubts = piece_doubts(in->rs, c);
	struct span piece = span_of(in->window[s], in->window_len[s]);

	if (at_end && !from_start && !a->short_window) {
		d->counters->v[CNT_WINDOW_SHORT]++;
		a->short_window = 1;
	}
	if (((doubts & DOUBT_START) != 0 && !from_start) || ((doubts & DOUBT_END) != 0 && !at_end))
		return;
	if ((doubts & DOUBT_NEAR) != 0 && !at_end)
		piece.len -= piece.len < DOUBT_NEAR_BYTES ? piece.len : DOUBT_NEAR_BYTES;
	if (!eval_cond(in->rs, worker_of(d, in->rs), c, piece, d->counters))
		return;
	a->buffered &= (uint16_t)~(1u << i);
	a->have |= (uint16_t)(1u << i);
	complete(d, in, m, a, c->buffer, 0);
}

// The window of s is about to lose its oldest bytes, or the buffer has ended: evaluate what waits for it.
static void buffered_scan(struct detect *d, struct inspect *in, const struct detect_msg *m,
			  enum detect_stream s, bool at_end)
{
	for (uint32_t k = in->active; k != POOL_NONE;) {
		struct active *a = pool_at(d->actives, k);
		const struct image_rule *r = &in->rs->rules[a->rule];

		k = a->next;
		for (uint32_t i = 0; i < r->n_conds && a->buffered != 0 && !a->done; i++)
			if ((a->buffered & (1u << i)) != 0 &&
			    stream_of(&in->rs->conds[r->cond + i]) == s)
				buffered_eval(d, in, m, a, i, s, at_end);
	}
}

// A window twice as large as what it must keep slides once per `tail` bytes, not once per packet.
static uint32_t window_cap(bool big)
{
	return big ? DETECT_WINDOW_BYTES : TCP_SEG_BYTES - PIPELINE_TAIL_BYTES;
}

static void window_append(struct detect *d, struct inspect *in, const struct detect_msg *m,
			  enum detect_stream s, struct span data)
{
	const uint32_t tail = tail_of(in, s);
	const bool big = 2 * tail > window_cap(false);
	const uint16_t none = s == DETECT_BODY ? INSPECT_WINDOW_NONE_0 : INSPECT_WINDOW_NONE_1;

	if (tail == 0 || (in->flags & none) != 0)
		return;
	if (in->window[s] == NULL) {
		in->window[s] = pool_get(big ? d->windows : d->cells);
		if (in->window[s] == NULL) {
			d->counters->v[CNT_WINDOW_NONE]++;
			in->flags |= none;
			return;
		}
		if (big)
			in->flags |= s == DETECT_BODY ? INSPECT_WINDOW_BIG_0 : INSPECT_WINDOW_BIG_1;
	}
	if (in->window_len[s] + data.len > window_cap(big))
		buffered_scan(d, in, m, s, false);
	if (data.len >= tail && in->window_len[s] + data.len > window_cap(big)) {
		data = span_from(data, data.len - tail);
		in->window_len[s] = 0;
	} else if (in->window_len[s] + data.len > window_cap(big)) {
		uint32_t keep = tail - (uint32_t)data.len;

		if (keep > in->window_len[s])
			keep = in->window_len[s];
		memmove(in->window[s], in->window[s] + in->window_len[s] - keep, keep);
		in->window_len[s] = keep;
	}
	memcpy(in->window[s] + in->window_len[s], data.data, data.len);
	in->window_len[s] += (uint32_t)data.len;
}

static void window_drop(struct detect *d, struct inspect *in, enum detect_stream s)
{
	uint16_t big = s == DETECT_BODY ? INSPECT_WINDOW_BIG_0 : INSPECT_WINDOW_BIG_1;

	if (in->window[s] != NULL)
		pool_put((in->flags & big) != 0 ? d->windows : d->cells, in->window[s]);
	in->window[s] = NULL;
}

// ---- the message ----

static void head_candidate(struct detect *d, struct inspect *in, const struct detect_msg *m,
			   const struct image_owner *o, bool has_body)
{
	const struct ruleset *rs = in->rs;
	const struct image_rule *r = &rs->rules[o->rule];
	uint16_t bits = head_bits(rs, r);
	struct active *a;

	d->counters->v[CNT_CANDIDATES]++;
	if (!rule_applies(rs, r, m))
		return;
	if (!head_holds(d, in, r))
		return;
	if (bits == (uint16_t)((1u << r->n_conds) - 1)) {
		uint8_t buffer = o->cond != IMAGE_NONE ? rs->conds[o->cond].buffer :
				 r->n_conds > 0        ? rs->conds[r->cond].buffer :
							 BUF_RAW;

		hit(d, in, m, o->rule, buffer, 0, false);
		return;
	}
	if (!has_body && rs->conds[r->cond + r->n_conds - 1].buffer != BUF_RAW)
		return; // what it still needs will not come
	a = active_get(d, in, o->rule);
	if (a == NULL)
		return;
	a->have |= bits;
	gated_open(d, in, m, a);
}

static void head_keep(struct detect *d, struct inspect *in, struct span raw)
{
	if (raw.len <= TCP_SEG_BYTES - 64) {
		in->head = pool_get(d->cells);
	} else if (raw.len <= HTTP_HEAD_MAX) {
		in->head = pool_get(d->gathers);
		in->flags |= INSPECT_HEAD_BIG;
	}
	if (in->head == NULL) {
		d->counters->v[CNT_HEAD_NOT_KEPT]++;
		return;
	}
	memcpy(in->head, raw.data, raw.len);
	in->head_len = (uint32_t)raw.len;
}

static void head_buffer_scan(struct detect *d, struct inspect *in, const struct detect_msg *m,
			     enum buffer b, bool has_body)
{
	const struct ruleset *rs = in->rs;
	struct ruleset_worker *w = worker_of(d, rs);
	struct scan_ctx ctx = {.w = w};
	const struct image_db *db;
	struct span buf;

	if (rs->img->db[b][in->dir] == IMAGE_NONE)
		return;
	db = &rs->dbs[rs->img->db[b][in->dir]];
	ctx.n_sigs = db->n_sigs;
	buf = view_get(&d->view, b);
	if (buf.len == 0)
		return;
	w->n_fired = 0;
	d->counters->v[CNT_SCAN_CALLS]++;
	d->counters->v[CNT_SCAN_BYTES] += buf.len;
	if (hs_scan(rs->db[rs->img->db[b][in->dir]], (const char *)buf.data, (unsigned int)buf.len,
		    0, w->scratch, on_signature, &ctx) != HS_SUCCESS)
		scan_failed(d);
	d->counters->v[CNT_SIG_FIRED] += w->n_fired;
	for (uint32_t i = 0; i < w->n_fired; i++) {
		const struct image_sig *sig = &rs->sigs[db->sig + w->fired[i].sig];

		for (uint32_t k = 0; k < sig->n_owners; k++)
			head_candidate(d, in, m, &rs->owners[sig->owner + k], has_body);
	}
}

void detect_head(struct detect *d, struct inspect *in, const struct detect_msg *m,
		 const struct http_head *head, enum http_answers answers, bool has_body)
{
	const struct ruleset *rs = in->rs;
	const struct image_header *img = rs->img;

	in->flags |= INSPECT_HEAD_SEEN;
	in->answers = (uint8_t)answers;
	view_init(&d->view, head, &d->scratch);
	d->view_of = in;
	for (int b = 0; b < BUF_N; b++)
		if (buffer_info(b)->stage == BUFFER_HEAD)
			head_buffer_scan(d, in, m, b, has_body);
	for (uint32_t i = 0; i < img->n_always[in->dir]; i++)
		head_candidate(d, in, m, &rs->owners[img->always[in->dir] + i], has_body);
	// Rules that woke up on the raw bytes of the head.
	for (uint32_t i = in->active; i != POOL_NONE;) {
		struct active *a = pool_at(d->actives, i);
		uint32_t next = a->next;

		head_late(d, in, a);
		complete(d, in, m, a, BUF_RAW, a->end[DETECT_RAW]);
		i = next;
	}
	if (img->keep_head[in->dir] &&
	    (has_body || img->db[BUF_RAW][in->dir] != IMAGE_NONE))
		head_keep(d, in, head->raw);
	d->view_of = NULL; // the head in the view goes with this call
	waiting_decide(d, in, m);
}

// Feed the conditions that are open already.
static void actives_scan(struct detect *d, struct inspect *in, const struct detect_msg *m,
			 enum detect_stream s, struct span data)
{
	for (uint32_t i = in->active; i != POOL_NONE;) {
		struct active *a = pool_at(d->actives, i);

		i = a->next;
		if (a->own[s] == NULL)
			continue;
		own_scan(d, in, a, s, data);
		own_check(d, in, m, a, s, false);
	}
}

static void stream_scan(struct detect *d, struct inspect *in, const struct detect_msg *m,
			enum detect_stream s, struct span data)
{
	const struct ruleset *rs = in->rs;
	struct ruleset_worker *w = worker_of(d, rs);
	struct scan_ctx ctx = {.w = w};
	const uint16_t none = s == DETECT_BODY ? INSPECT_NO_STREAM_0 : INSPECT_NO_STREAM_1;
	uint32_t index = always_on(in, s);
	const struct image_db *db;

	if (index == IMAGE_NONE || (in->flags & none) != 0)
		return;
	db = &rs->dbs[index];
	ctx.n_sigs = db->n_sigs;
	if (in->stream[s] == NULL) {
		in->stream[s] = ruleset_stream_get(in->rs, w, index);
		if (in->stream[s] == NULL) {
			d->counters->v[CNT_STREAMS_FULL]++;
			in->flags |= none;
			return;
		}
	}
	w->n_fired = 0;
	d->counters->v[CNT_SCAN_CALLS]++;
	d->counters->v[CNT_SCAN_BYTES] += data.len;
	if (hs_scan_stream(in->stream[s], (const char *)data.data, (unsigned int)data.len, 0,
			   w->scratch, on_signature, &ctx) != HS_SUCCESS)
		scan_failed(d);
	d->counters->v[CNT_SIG_FIRED] += w->n_fired;
	for (uint32_t i = 0; i < w->n_fired; i++) {
		const struct image_sig *sig = &rs->sigs[db->sig + w->fired[i].sig];

		for (uint32_t k = 0; k < sig->n_owners; k++)
			stream_fired(d, in, m, s, &rs->owners[sig->owner + k], w->fired[i].end,
				     sig->lookback, data);
	}
}

void detect_data(struct detect *d, struct inspect *in, const struct detect_msg *m,
		 enum detect_stream s, struct span data)
{
	if (data.len == 0)
		return;
	if (s == DETECT_BODY)
		in->flags |= INSPECT_BODY_SEEN;
	actives_scan(d, in, m, s, data);
	stream_scan(d, in, m, s, data);
	window_append(d, in, m, s, data);
	in->offset[s] += data.len;
	waiting_decide(d, in, m);
}

void detect_gap(struct detect *d, struct inspect *in, const struct detect_msg *m,
		enum detect_stream s, uint64_t gap_bytes)
{
	// A byte that stands in no text and no UTF-8: what is missing makes no match.
	static const uint8_t filler[4096 + 64] = {[0 ... 4159] = 0xc1};

	in->flags |= INSPECT_GAP;
	if (gap_bytes > 64 << 10)
		gap_bytes = 64 << 10;
	while (gap_bytes > 0) {
		size_t n = gap_bytes < 4096 ? (size_t)gap_bytes : 4096;

		detect_data(d, in, m, s, span_of(filler, n));
		gap_bytes -= n;
	}
}

static void inspect_free(struct detect *d, struct inspect *in)
{
	struct ruleset *rs = in->rs;
	struct ruleset_worker *w = worker_of(d, rs);

	while (in->active != POOL_NONE) {
		struct active *a = pool_at(d->actives, in->active);

		in->active = a->next;
		for (int s = 0; s < DETECT_STREAM_N; s++)
			own_close(d, in, a, s);
		pool_put(d->actives, a);
	}
	for (int s = 0; s < DETECT_STREAM_N; s++) {
		if (in->stream[s] != NULL)
			ruleset_stream_put(rs, w, always_on(in, s), in->stream[s], NULL, NULL);
		window_drop(d, in, s);
	}
	if (in->head != NULL)
		pool_put((in->flags & INSPECT_HEAD_BIG) != 0 ? d->gathers : d->cells, in->head);
	if (d->view_of == in)
		d->view_of = NULL;
	pool_put(d->inspects, in);
	in_use_add(w, UINT64_MAX); // - 1
}

// Matches of an own stream that only its end makes true, and the negated ones.
static void own_end(struct detect *d, struct inspect *in, const struct detect_msg *m,
		    struct active *a, enum detect_stream s)
{
	const struct image_rule *r = &in->rs->rules[a->rule];
	const struct image_cond *c = &in->rs->conds[r->cond + a->cond[s]];
	struct term_ctx ctx = {.a = a, .s = s};
	hs_stream_t *own = a->own[s];

	a->own[s] = NULL;
	ruleset_stream_put(in->rs, worker_of(d, in->rs), c->db, own, on_term, &ctx);
	if (in->offset[s] > 0) // a buffer that never came satisfies nothing
		own_check(d, in, m, a, s, true);
}

void detect_end(struct detect *d, struct inspect *in, const struct detect_msg *m)
{
	// Signatures that only the end of the buffer makes true.
	for (int s = 0; s < DETECT_STREAM_N; s++) {
		struct ruleset_worker *w = worker_of(d, in->rs);
		struct scan_ctx ctx = {.w = w};
		uint32_t index = always_on(in, s);
		hs_stream_t *stream = in->stream[s];

		if (stream == NULL)
			continue;
		in->stream[s] = NULL;
		w->n_fired = 0;
		ctx.n_sigs = in->rs->dbs[index].n_sigs;
		ruleset_stream_put(in->rs, w, index, stream, on_signature, &ctx);
		for (uint32_t i = 0; i < w->n_fired; i++) {
			const struct image_db *db = &in->rs->dbs[index];
			const struct image_sig *sig = &in->rs->sigs[db->sig + w->fired[i].sig];

			for (uint32_t k = 0; k < sig->n_owners; k++)
				stream_fired(d, in, m, s, &in->rs->owners[sig->owner + k],
					     w->fired[i].end, sig->lookback, SPAN_NONE);
		}
	}
	for (uint32_t i = in->active; i != POOL_NONE;) {
		struct active *a = pool_at(d->actives, i);

		i = a->next;
		for (int s = 0; s < DETECT_STREAM_N; s++)
			if (a->own[s] != NULL)
				own_end(d, in, m, a, s);
	}
	for (int s = 0; s < DETECT_STREAM_N; s++)
		if (in->window_len[s] > 0)
			buffered_scan(d, in, m, s, true);
	waiting_decide(d, in, m);
	inspect_free(d, in);
}

void detect_abort(struct detect *d, struct inspect *in)
{
	inspect_free(d, in);
}

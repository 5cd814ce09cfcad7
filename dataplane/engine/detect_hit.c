// SPDX-License-Identifier: BSD-2-Clause
// What a match leads to: does the rule apply here, when is it decided, and the hit record.
//
// Rules that ask for state or leave some wait for the end of the stage, and so do all rules when one of the set is a pass rule: what a pass rule
// silences must not have been said before. Then they are decided in Suricata's order: pass rules, rules that only leave something
// behind, that ask and leave, that only ask, others; of equals the one that stands first. What they say is held until the segment has been read: a
// pass rule silences the messages that end in it, too.
#include "dataplane/engine/detect_impl.h"

#include <string.h>

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

// Data of a SYN is sent on a connection that is not open yet; an answer opens it for what the client sent.
static bool is_established(const struct flow *f, uint8_t dir)
{
	const bool answered = (f->flags & FLOW_SYNACK) != 0;
	const uint32_t n_syn = ((f->flags & FLOW_SYN) != 0) + answered;

	return f->pkts[0] + f->pkts[1] > n_syn || (dir == DIR_TO_SERVER && answered);
}

// Direction, protocol, addresses and ports: checked on candidates only.
bool hit_applies(const struct ruleset *rs, const struct image_rule *r, const struct detect_msg *m)
{
	struct hit_addr a;

	if ((r->dirs & (1 << m->dir)) == 0 || (m->flow->flags & FLOW_PASSED) != 0)
		return false;
	if ((r->flags & IMAGE_RULE_HTTP) != 0 && m->app != APP_HTTP && m->app != APP_FAILED)
		return false;
	if ((r->flags & (m->http2 ? IMAGE_RULE_HTTP1 : IMAGE_RULE_HTTP2)) != 0)
		return false;
	if ((r->flags & (m->websocket ? IMAGE_RULE_HTTP : IMAGE_RULE_WEBSOCKET)) != 0)
		return false;
	if ((r->flags & IMAGE_RULE_NOT_FIRST) != 0 && m->flow->pkts[0] + m->flow->pkts[1] < 2)
		return false;
	if ((r->flags & IMAGE_RULE_ESTABLISHED) != 0 && !is_established(m->flow, m->dir))
		return false;
	if ((r->flags & IMAGE_RULE_IPV4) != 0 && (m->flow->key.net & FLOW_NET_IPV6) != 0)
		return false;
	if ((r->flags & IMAGE_RULE_IPV6) != 0 && (m->flow->key.net & FLOW_NET_IPV6) == 0)
		return false;
	if (r->n_src + r->n_dst + r->n_sport + r->n_dport == 0)
		return true;
	flow_addr(m->flow, m->dir, &a);
	for (int swap = 0; swap < 2; swap++) {
		if (image_addrs_hold(rs->addrs + r->src, r->n_src, a.src) &&
		    image_addrs_hold(rs->addrs + r->dst, r->n_dst, a.dst) &&
		    ports_hold(rs->ports + r->sport, r->n_sport, a.src_port) &&
		    ports_hold(rs->ports + r->dport, r->n_dport, a.dst_port))
			return true;
		if ((r->flags & IMAGE_RULE_BIDIRECTIONAL) == 0)
			return false;
		flow_addr(m->flow, m->dir == DIR_TO_SERVER ? DIR_TO_CLIENT : DIR_TO_SERVER, &a);
	}
	return false;
}

// Nothing more of it is forwarded, beginning with the frame that is being looked at.
static void stop_flow(struct detect *d, struct flow *f, uint8_t action)
{
	if ((f->flags & FLOW_BLOCKED) == 0)
		d->counters->v[CNT_BLOCKED_FLOWS]++;
	f->flags |= FLOW_BLOCKED;
	if (action >= RULE_REJECT)
		f->flags |= FLOW_REJECTED;
}

static void hit_put(struct detect *d, const struct hit *h)
{
	struct hit *slot = ring_slot(d->hits);

	d->counters->v[CNT_HITS]++;
	d->hit_seq++; // a hit that finds no room leaves a hole in the numbers
	if (slot == NULL) {
		d->counters->v[CNT_HITS_LOST]++;
		return;
	}
	*slot = *h;
	slot->seq = d->hit_seq;
	ring_push(d->hits);
}

static void held_put(struct detect *d)
{
	if (d->held.n > 0)
		d->held.flow->flags |= FLOW_HAS_HIT;
	for (uint32_t i = 0; i < d->held.n; i++)
		hit_put(d, &d->held.hit[i]);
	d->held.n = 0;
}

void detect_segment_end(struct detect *d)
{
	if (d->held.flow == NULL)
		return;
	held_put(d);
	if (d->held.action >= RULE_DROP)
		stop_flow(d, d->held.flow, d->held.action);
	d->held.flow = NULL;
	d->held.action = RULE_ALERT;
	d->held.passed = false;
}

// What is held is of this flow.
static void held_begin(struct detect *d, struct flow *f)
{
	if (d->held.flow == f)
		return;
	detect_segment_end(d);
	d->held.flow = f;
}

// A rule on single segments has its say about the next one, too.
static void packet_again(struct detect *d, struct inspect *in, uint32_t rule)
{
	struct active *a = active_find(d, in, rule);

	a->done = a->hit = 0;
}

// Of several readings of the bytes a host takes one: what only another one says silences nothing.
static void pass(struct detect *d, struct inspect *in, const struct detect_msg *m, uint32_t rule,
		 uint8_t buffer)
{
	if ((m->hit_flags & HIT_AMBIGUOUS) != 0)
		return;
	held_begin(d, m->flow);
	d->held.n = 0;
	d->held.action = RULE_ALERT;
	if (buffer == BUF_PACKET) {
		d->held.passed = true;
		packet_again(d, in, rule);
		return;
	}
	d->counters->v[CNT_PASSED]++;
	m->flow->flags |= FLOW_PASSED;
}

static void act(struct detect *d, struct flow *f, uint8_t action, bool held)
{
	if (!d->enforce || action < RULE_DROP)
		return;
	if (!held)
		stop_flow(d, f, action);
	else if (action > d->held.action)
		d->held.action = action;
}

// A rule matched, its state included: write its own, report it.
static void report(struct detect *d, struct inspect *in, const struct detect_msg *m, uint32_t rule,
		   uint8_t buffer, uint64_t offset, bool short_window)
{
	const struct image_rule *r = &in->rs->rules[rule];
	const bool held = in->rs->img->n_pass > 0;
	struct hit h;

	if (r->n_state > 0)
		state_write(d, in, m, r);
	if (r->action == RULE_PASS) {
		pass(d, in, m, rule, buffer);
		return;
	}
	if (held) {
		held_begin(d, m->flow);
		if (d->held.passed) {
			if (buffer == BUF_PACKET)
				packet_again(d, in, rule);
			return;
		}
	}
	act(d, m->flow, r->action, held);
	if ((r->flags & IMAGE_RULE_NOALERT) != 0)
		return;
	in->flags |= INSPECT_HAS_HIT;
	if (m->ret_hit != NULL)
		*m->ret_hit = true;
	h = (struct hit){
		.ts_ns = m->ts_ns,
		.flow_id = m->flow->id,
		.offset_bytes = offset,
		.tx_id = m->tx_id,
		.generation = in->rs->generation,
		.rule = rule,
		.sid = r->sid,
		.gid = r->gid,
		.rev = r->rev,
		.flags = m->hit_flags | (d->enforce && r->action >= RULE_DROP ? HIT_BLOCKED : 0),
		.buffer = buffer,
		.priority = r->priority,
		.app = m->app,
	};
	if ((in->flags & INSPECT_GAP) != 0)
		h.flags |= HIT_GAP;
	if ((in->flags & INSPECT_TRUNCATED) != 0)
		h.flags |= HIT_TRUNCATED;
	if (short_window)
		h.flags |= HIT_WINDOW_SHORT;
	flow_addr(m->flow, m->dir, &h.addr);
	h.addr.worker = (uint8_t)d->worker;
	if (held) {
		if (d->held.n == HELD_MAX) // rather too much than nothing
			held_put(d);
		d->held.hit[d->held.n++] = h;
		return;
	}
	m->flow->flags |= FLOW_HAS_HIT;
	hit_put(d, &h);
}

struct active *active_find(const struct detect *d, const struct inspect *in, uint32_t rule)
{
	for (uint32_t i = in->active_of[rule % ACTIVE_BUCKETS]; i != POOL_NONE;) {
		struct active *a = pool_at(d->actives, i);

		if (a->rule == rule)
			return a;
		i = a->next_in_bucket;
	}
	return NULL;
}

struct active *active_get(struct detect *d, struct inspect *in, uint32_t rule)
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
	for (int s = 0; s < DETECT_STREAM_N; s++) {
		a->cond[s] = ACTIVE_NO_COND;
		a->watch[s] = POOL_NONE;
	}
	a->next = in->active;
	a->next_in_bucket = in->active_of[rule % ACTIVE_BUCKETS];
	in->active = in->active_of[rule % ACTIVE_BUCKETS] = pool_index(d->actives, a);
	return a;
}

// A message and what lies across its beginning are one, as far as a rule hits only once. False: it has.
static bool hits_first(struct detect *d, struct inspect *in, uint32_t rule)
{
	struct inspect *both = in->seam > 0 ? in->beside : in;
	struct active *a;

	if ((both->flags & INSPECT_HAS_SEAM) == 0)
		return true;
	a = active_get(d, both, rule);
	if (a == NULL || a->hit)
		return false;
	a->hit = 1;
	return true;
}

void hit_rule(struct detect *d, struct inspect *in, const struct detect_msg *m, uint32_t rule,
	      uint8_t buffer, uint64_t offset, bool short_window)
{
	struct active *a;

	if ((m->flow->flags & FLOW_PASSED) != 0 || (in->seam > 0 && offset <= in->seam) ||
	    !hits_first(d, in, rule))
		return;
	offset -= in->seam;
	if ((in->rs->rules[rule].flags & IMAGE_RULE_WAITS) == 0) {
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
	in->flags |= INSPECT_WAITING | INSPECT_UNDECIDED;
}

// The waiting rule that is next in order and holds, or NULL.
static struct active *waiting_next(const struct detect *d, const struct inspect *in,
				   const struct detect_msg *m)
{
	struct active *best = NULL;

	for (uint32_t i = in->active; i != POOL_NONE;) {
		struct active *a = pool_at(d->actives, i);
		const struct image_rule *r = &in->rs->rules[a->rule];

		i = a->next;
		if (!a->waiting)
			continue;
		if (best != NULL) {
			uint8_t turn = in->rs->rules[best->rule].turn;

			if (r->turn > turn || (r->turn == turn && a->rule > best->rule))
				continue;
		}
		if (state_holds(d, in, m, r))
			best = a;
	}
	return best;
}

void hit_decide(struct detect *d, struct inspect *in, const struct detect_msg *m)
{
	struct active *a;

	if ((in->flags & INSPECT_WAITING) == 0)
		return;
	// Nothing has changed since they were asked: with many that wait this would be most of the work.
	if ((in->flags & INSPECT_UNDECIDED) == 0 && in->decided == d->state_changes)
		return;
	in->flags &= ~(uint32_t)INSPECT_UNDECIDED;
	while ((m->flow->flags & FLOW_PASSED) == 0 && (a = waiting_next(d, in, m)) != NULL) {
		a->waiting = 0; // each at most once: the loop ends
		report(d, in, m, a->rule, a->wait_buffer, a->wait_offset, a->short_window);
	}
	in->decided = d->state_changes;
	for (uint32_t i = in->active; i != POOL_NONE;) {
		const struct active *w = pool_at(d->actives, i);

		i = w->next;
		if (w->waiting && state_moves(in, &in->rs->rules[w->rule]))
			in->flags |= INSPECT_UNDECIDED;
	}
}

void hit_decide_waiting(struct detect *d, struct inspect *in, const struct detect_msg *m)
{
	if (in->rs->img->n_pass == 0)
		hit_decide(d, in, m);
}

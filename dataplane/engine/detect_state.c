// SPDX-License-Identifier: BSD-2-Clause
// What a rule asks about its flow and leaves behind on it: flowbits and flowint in one small list per connection, xbits in the
// table of all workers, sizes of streams, events of the head. Names are hashes (rules/state.h): all of it outlives a rule set.
#include "dataplane/engine/detect_impl.h"

#include <string.h>

// ---- the list of a connection ----

static uint32_t vars_find(const struct flowvars *v, uint64_t name)
{
	uint32_t i = 0;

	while (v != NULL && i < v->n && v->name[i] != name)
		i++;
	return v != NULL && i < v->n ? i : UINT32_MAX;
}

static bool vars_get(const struct detect_msg *m, uint64_t name, uint32_t *ret_value)
{
	uint32_t i = vars_find(*m->vars, name);

	if (i == UINT32_MAX)
		return false;
	*ret_value = (*m->vars)->value[i];
	return true;
}

static void vars_set(struct detect *d, const struct detect_msg *m, uint64_t name, uint32_t value)
{
	struct flowvars *v = *m->vars;
	uint32_t i = vars_find(v, name);

	if (v == NULL) {
		v = pool_get(d->flowvars);
		if (v != NULL)
			v->n = 0;
		*m->vars = v;
	}
	if (v == NULL || (i == UINT32_MAX && v->n == FLOWVARS_MAX)) {
		d->counters->v[CNT_FLOWVARS_FULL]++;
		return;
	}
	if (i == UINT32_MAX)
		i = v->n++;
	v->name[i] = name;
	v->value[i] = value;
}

static void vars_unset(const struct detect_msg *m, uint64_t name)
{
	struct flowvars *v = *m->vars;
	uint32_t i = vars_find(v, name);

	if (i == UINT32_MAX)
		return;
	v->n--;
	v->name[i] = v->name[v->n];
	v->value[i] = v->value[v->n];
}

// ---- conditions ----

static bool compare(uint8_t op, uint64_t a, uint64_t b)
{
	switch (op) {
	case STATE_EQ:
		return a == b;
	case STATE_NE:
		return a != b;
	case STATE_LT:
		return a < b;
	case STATE_LE:
		return a <= b;
	case STATE_GT:
		return a > b;
	default: // STATE_GE
		return a >= b;
	}
}

static uint64_t xbit_hash(const struct detect *d, const struct detect_msg *m,
			  const struct state_op_record *s)
{
	struct hit_addr a;

	flow_addr(m->flow, m->dir, &a);
	return xbits_hash(d->xbits, s->name, s->track == STATE_DST ? a.dst : a.src,
			  s->track == STATE_PAIR ? a.dst : NULL);
}

static uint32_t seconds_of(const struct detect_msg *m)
{
	return (uint32_t)(m->ts_ns / 1000000000u);
}

// A number that is not there compares with nothing.
static bool flowint_holds(const struct detect_msg *m, const struct state_op_record *s)
{
	uint32_t value, operand = s->value;
	bool is_set = vars_get(m, s->name, &value);

	if (s->op == STATE_ISSET || s->op == STATE_ISNOTSET)
		return is_set == (s->op == STATE_ISSET);
	if (!is_set || (s->var != 0 && !vars_get(m, s->var, &operand)))
		return false;
	return compare(s->op, value, operand);
}

// Sequence numbers are counted, as in Suricata: the SYN is one.
static bool stream_size_holds(const struct detect_msg *m, const struct state_op_record *s)
{
	bool client = compare(s->op, m->flow->half[DIR_TO_SERVER].delivered + 1, s->value);
	bool server = compare(s->op, m->flow->half[DIR_TO_CLIENT].delivered + 1, s->value);

	switch (s->track) {
	case STATE_CLIENT:
		return client;
	case STATE_SERVER:
		return server;
	case STATE_BOTH:
		return client && server;
	default: // STATE_EITHER
		return client || server;
	}
}

static bool holds(const struct detect *d, const struct inspect *in, const struct detect_msg *m,
		  const struct state_op_record *s)
{
	uint32_t value;

	switch (s->kind) {
	case STATE_FLOWBIT:
		return vars_get(m, s->name, &value) == (s->op == STATE_ISSET);
	case STATE_XBIT:
		return xbits_isset(d->xbits, xbit_hash(d, m, s), seconds_of(m)) ==
		       (s->op == STATE_ISSET);
	case STATE_FLOWINT:
		return flowint_holds(m, s);
	case STATE_STREAM_SIZE:
		return stream_size_holds(m, s);
	default: // STATE_EVENT
		return (in->events >> s->value & 1) != 0;
	}
}

bool state_holds(const struct detect *d, const struct inspect *in, const struct detect_msg *m,
		 const struct image_rule *r)
{
	const struct state_op_record *s = in->rs->state + r->state;
	bool group = false; // something of an "a|b" group held

	for (uint32_t i = 0; i < r->n_state; i++, s++) {
		if (!state_reads(s))
			continue;
		group |= holds(d, in, m, s);
		if (s->or_next)
			continue;
		if (!group)
			return false;
		group = false;
	}
	return true;
}

// ---- effects ----

static void xbit_write(struct detect *d, const struct detect_msg *m,
		       const struct state_op_record *s)
{
	uint64_t hash = xbit_hash(d, m, s);
	uint32_t now_s = seconds_of(m);

	if (s->op == STATE_UNSET || (s->op == STATE_TOGGLE && xbits_isset(d->xbits, hash, now_s)))
		xbits_unset(d->xbits, hash);
	else
		d->counters->v[CNT_XBITS_EVICTED] += xbits_set(d->xbits, hash, now_s, s->value);
}

static void flowint_write(struct detect *d, const struct detect_msg *m,
			  const struct state_op_record *s)
{
	uint32_t value = 0, operand = s->value;
	bool is_set = vars_get(m, s->name, &value);

	if (s->var != 0 && !vars_get(m, s->var, &operand))
		return;
	if (s->op == STATE_SUB && !is_set)
		return; // a sum begins at 0, a difference with nothing is none
	vars_set(d, m, s->name,
		 s->op == STATE_SET   ? operand
		 : s->op == STATE_ADD ? value + operand
				      : value - operand);
}

bool state_moves(const struct inspect *in, const struct image_rule *r)
{
	const struct state_op_record *s = in->rs->state + r->state;

	for (uint32_t i = 0; i < r->n_state; i++)
		if (s[i].kind == STATE_STREAM_SIZE || s[i].kind == STATE_XBIT)
			return true;
	return false;
}

void state_write(struct detect *d, const struct inspect *in, const struct detect_msg *m,
		 const struct image_rule *r)
{
	const struct state_op_record *s = in->rs->state + r->state;
	uint32_t value;

	for (uint32_t i = 0; i < r->n_state; i++, s++) {
		if (state_reads(s))
			continue;
		d->state_changes++;
		if (s->kind == STATE_XBIT)
			xbit_write(d, m, s);
		else if (s->kind == STATE_FLOWINT)
			flowint_write(d, m, s);
		else if (s->op == STATE_UNSET ||
			 (s->op == STATE_TOGGLE && vars_get(m, s->name, &value)))
			vars_unset(m, s->name);
		else
			vars_set(d, m, s->name, 1);
	}
}

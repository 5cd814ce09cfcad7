// SPDX-License-Identifier: BSD-2-Clause
#include "tests/unit/stateworld.h"

const char *const words[WORDS] = {"zaq1", "wsx2", "cde3", "rfv4"};

// ---- what is drawn ----

static void cond_make(struct cond *c, uint8_t dirs, uint64_t *seed)
{
	static const uint8_t where_dirs[WHERE_N] = {1, 3, 1, 2, 2, 3};

	memset(c, 0, sizeof(*c));
	do
		c->where = (uint8_t)kit_below(seed, WHERE_N);
	while ((where_dirs[c->where] & dirs) != dirs);
	c->word = (uint8_t)kit_below(seed, WORDS);
	c->other = (uint8_t)((c->word + 1 + kit_below(seed, WORDS - 1)) % WORDS);
	c->has_other = kit_below(seed, 3) == 0;
	c->other_negated = kit_below(seed, 2) == 0;
	c->at_end = c->where == IN_FILE && kit_below(seed, 6) == 0;
	c->is_404 = kit_below(seed, 2) == 0;
}

static void op_make(struct op *o, uint64_t *seed)
{
	static const uint8_t bit_verbs[] = {SET, SET, UNSET, TOGGLE, ISSET, ISSET, ISNOTSET};
	static const uint8_t number_verbs[] = {SET,   ADD,      ADD,   SUBTRACT,
					       ISSET, ISNOTSET, EQUAL, MORE};
	const uint32_t kind = kit_below(seed, 8);

	*o = (struct op){
		.kind = kind < 4   ? BIT
			: kind < 6 ? NUMBER
				   : XBIT,
		.name = (uint8_t)kit_below(seed, NAMES),
		.other = (uint8_t)kit_below(seed, NAMES),
		.value = (uint8_t)kit_below(seed, 4),
		.track = (uint8_t)kit_below(seed, 3),
	};
	if (o->kind == NUMBER) {
		o->verb = number_verbs[kit_below(seed, KIT_N(number_verbs))];
		o->has_other = o->verb != ISSET && o->verb != ISNOTSET && kit_below(seed, 4) == 0;
	} else {
		o->verb = bit_verbs[kit_below(seed, KIT_N(bit_verbs))];
		o->has_other = o->kind == BIT && asks(o) && kit_below(seed, 3) == 0;
	}
	if (o->kind == XBIT)
		o->value = kit_below(seed, 2) == 0 ? 30 : 5;
}

static void rule_make(struct srule *r, bool may_pass, uint64_t *seed)
{
	memset(r, 0, sizeof(*r));
	r->pass = may_pass && kit_below(seed, 8) == 0;
	r->noalert = !r->pass && kit_below(seed, 4) == 0;
	r->dirs = (uint8_t)(1 + kit_below(seed, 3));
	r->n_conds = (uint8_t)(kit_below(seed, 12) == 0 ? 0 : 1 + kit_below(seed, CONDS_MAX));
	for (int i = 0; i < r->n_conds; i++)
		cond_make(&r->cond[i], r->dirs, seed);
	if (r->n_conds == 2 && r->cond[0].where == r->cond[1].where)
		r->n_conds = 1; // they would be one
	r->n_ops = (uint8_t)kit_below(seed, OPS_MAX + 1);
	for (int i = 0; i < r->n_ops; i++)
		op_make(&r->op[i], seed);
}

static uint8_t some_words(uint64_t *seed)
{
	return (uint8_t)(kit_below(seed, 16) & kit_below(seed, 16));
}

static void message_make(struct message *m, enum dir dir, uint64_t *seed)
{
	memset(m, 0, sizeof(*m));
	m->uri = some_words(seed);
	m->field[0] = some_words(seed);
	m->field[1] = some_words(seed);
	m->is_404 = kit_below(seed, 2) == 0;
	m->is_multipart = dir == DIR_TO_SERVER && kit_below(seed, 3) == 0;
	m->n_files =
		(uint8_t)(m->is_multipart ? 1 + kit_below(seed, FILES_MAX) : kit_below(seed, 2));
	for (int i = 0; i < m->n_files; i++) {
		struct file *f = &m->file[i];

		f->n = (uint8_t)(1 + kit_below(seed, TEXT_WORDS));
		for (int k = 0; k < f->n; k++)
			f->word[k] = (uint8_t)kit_below(seed, WORDS);
		f->ends_with_word = kit_below(seed, 2) == 0;
	}
}

void world_make(struct world *w, uint64_t *seed)
{
	const bool may_pass = kit_below(seed, 4) == 0;

	memset(w, 0, sizeof(*w));
	w->cuts = kit_rand(seed);
	w->whole = kit_below(seed, 4) == 0;
	w->n_rules = RULES_MAX;
	for (int i = 0; i < RULES_MAX; i++)
		rule_make(&w->rule[i], may_pass, seed);
	w->n_conns = (uint8_t)(1 + kit_below(seed, CONNS_MAX));
	for (int i = 0; i < w->n_conns; i++) {
		struct conn *c = &w->conn[i];

		c->n_txs = (uint8_t)(1 + kit_below(seed, TXS_MAX));
		c->client = (uint8_t)kit_below(seed, 2);
		c->pause_s = (uint8_t[]){0, 3, 5, 6, 30, 31}[kit_below(seed, 6)];
		for (int t = 0; t < c->n_txs; t++)
			for (int d = 0; d < DIR_N; d++)
				message_make(&c->msg[t][d], (enum dir)d, seed);
	}
}

// ---- rules as text ----

struct out {
	char *text;
	size_t n, size;
};

__attribute__((format(printf, 2, 3))) static void put(struct out *o, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	o->n += (size_t)vsnprintf(o->text + o->n, o->size - o->n, format, args);
	va_end(args);
	assert_true(o->n < o->size);
}

static void cond_text(const struct cond *c, struct out *o)
{
	static const char *const keyword[WHERE_N] = {
		"http.uri",       "http.header", "http.request_header", "http.response_header",
		"http.stat_code", "file.data"};

	put(o, "%s; ", keyword[c->where]);
	if (c->where == IN_STATUS) {
		put(o, "content:\"%s\"; ", c->is_404 ? "404" : "200");
		return;
	}
	put(o, "content:\"%s\"; %s", words[c->word], c->at_end ? "endswith; " : "");
	if (c->has_other)
		put(o, "content:%s\"%s\"; ", c->other_negated ? "!" : "", words[c->other]);
}

static void op_text(const struct op *p, struct out *o)
{
	static const char *const bit_verb[] = {[SET] = "set",
					       [UNSET] = "unset",
					       [TOGGLE] = "toggle",
					       [ISSET] = "isset",
					       [ISNOTSET] = "isnotset"};
	static const char *const number_verb[] = {[SET] = "=",
						  [ADD] = "+",
						  [SUBTRACT] = "-",
						  [ISSET] = "isset",
						  [ISNOTSET] = "isnotset",
						  [EQUAL] = "==",
						  [MORE] = ">"};
	static const char *const track[] = {"ip_src", "ip_dst", "ip_pair"};

	if (p->kind == XBIT) {
		put(o, "xbits:%s,x%d,track %s,expire %d; ", bit_verb[p->verb], p->name,
		    track[p->track], p->value);
		return;
	}
	if (p->kind == BIT) {
		put(o, "flowbits:%s,b%d", bit_verb[p->verb], p->name);
		if (p->has_other)
			put(o, "|b%d", p->other);
	} else {
		put(o, "flowint:n%d,%s", p->name, number_verb[p->verb]);
		if (p->has_other)
			put(o, ",n%d", p->other);
		else if (p->verb != ISSET && p->verb != ISNOTSET)
			put(o, ",%d", p->value);
	}
	put(o, "; ");
}

void world_rules(const struct world *w, char *text, size_t size)
{
	struct out o = {.text = text, .size = size};

	text[0] = '\0';
	for (int i = 0; i < w->n_rules; i++) {
		const struct srule *r = &w->rule[i];

		put(&o, "%s http any any -> any any (", r->pass ? "pass" : "alert");
		if (r->dirs != 3)
			put(&o, "flow:%s; ", r->dirs == 1 ? "to_server" : "to_client");
		for (int k = 0; k < r->n_conds; k++)
			cond_text(&r->cond[k], &o);
		for (int k = 0; k < r->n_ops; k++)
			op_text(&r->op[k], &o);
		put(&o, "%ssid:%d;)\n", r->noalert ? "noalert; " : "", i + 1);
	}
}

// ---- messages as text ----

static void words_text(uint8_t set, const char *separator, struct out *o)
{
	for (int i = 0; i < WORDS; i++)
		if ((set >> i & 1) != 0)
			put(o, "%s%s", words[i], separator);
}

static void body_text(const struct message *m, struct place *p, struct out *o)
{
	for (int i = 0; i < m->n_files; i++) {
		const struct file *f = &m->file[i];

		if (m->is_multipart)
			put(o, "%s--B\r\nContent-Disposition: form-data; filename=\"f\"\r\n\r\n",
			    i > 0 ? "\r\n" : "");
		p->file_from[i] = o->n;
		for (int k = 0; k < f->n; k++)
			put(o, ".%s", words[f->word[k]]);
		put(o, "%s", f->ends_with_word ? "" : ".");
		p->file_to[i] = o->n;
		p->file_known[i] = o->n + (m->is_multipart ? strlen("\r\n--B--\r\n") : 0);
	}
	if (m->is_multipart)
		put(o, "\r\n--B--\r\n");
}

static void message_text(const struct message *m, enum dir dir, struct place *p, struct out *o)
{
	char body[1000];
	struct place inside = {0};
	struct out b = {.text = body, .size = sizeof(body)};

	body_text(m, &inside, &b);
	p->from = o->n;
	if (dir == DIR_TO_SERVER) {
		put(o, "%s /", m->n_files > 0 ? "POST" : "GET");
		words_text(m->uri, "/", o);
		put(o, " HTTP/1.1\r\nHost: h\r\n");
	} else {
		put(o, "HTTP/1.1 %s\r\n", m->is_404 ? "404 No" : "200 OK");
	}
	for (int i = 0; i < 2; i++) {
		put(o, "X-%c: ", 'A' + i);
		words_text(m->field[i], " ", o);
		put(o, "-\r\n");
	}
	if (m->is_multipart)
		put(o, "Content-Type: multipart/form-data; boundary=B\r\n");
	put(o, "Content-Length: %zu\r\n\r\n", b.n);
	p->head_end = o->n;
	for (int i = 0; i < m->n_files; i++) {
		p->file_from[i] = o->n + inside.file_from[i];
		p->file_to[i] = o->n + inside.file_to[i];
		p->file_known[i] = o->n + inside.file_known[i];
	}
	put(o, "%.*s", (int)b.n, body);
	p->to = o->n;
}

void streams_make(const struct conn *c, struct streams *s)
{
	for (int d = 0; d < DIR_N; d++) {
		struct out o = {.text = s->text[d], .size = sizeof(s->text[d])};

		memset(s->place[d], 0, sizeof(s->place[d]));
		for (int t = 0; t < c->n_txs; t++)
			message_text(&c->msg[t][d], (enum dir)d, &s->place[d][t], &o);
		s->len[d] = o.n;
	}
}

// ---- making it smaller ----

bool world_without(struct world *w, unsigned int n)
{
	if (!w->whole && n-- == 0) {
		w->whole = true;
		return true;
	}
	if (n < w->n_rules) {
		memmove(&w->rule[n], &w->rule[n + 1], (RULES_MAX - 1 - n) * sizeof(w->rule[0]));
		w->n_rules--;
		return true;
	}
	n -= w->n_rules;
	for (int i = 0; i < w->n_rules;
	     n -= (unsigned int)w->rule[i].n_ops + w->rule[i].n_conds, i++) {
		struct srule *r = &w->rule[i];

		if (n < r->n_ops) {
			memmove(&r->op[n], &r->op[n + 1], (OPS_MAX - 1 - n) * sizeof(r->op[0]));
			r->n_ops--;
			return true;
		}
		if (n < (unsigned int)r->n_ops + r->n_conds) {
			n -= r->n_ops;
			memmove(&r->cond[n], &r->cond[n + 1],
				(CONDS_MAX - 1 - n) * sizeof(r->cond[0]));
			r->n_conds--;
			return true;
		}
	}
	if (n < w->n_conns) {
		memmove(&w->conn[n], &w->conn[n + 1], (CONNS_MAX - 1 - n) * sizeof(w->conn[0]));
		w->n_conns--;
		return true;
	}
	n -= w->n_conns;
	for (int i = 0; i < w->n_conns; n -= w->conn[i].n_txs, i++) {
		struct conn *c = &w->conn[i];

		if (n >= c->n_txs)
			continue;
		memmove(&c->msg[n], &c->msg[n + 1], (TXS_MAX - 1 - n) * sizeof(c->msg[0]));
		c->n_txs--;
		return true;
	}
	return false;
}

// SPDX-License-Identifier: BSD-2-Clause
// One planned rule -> its records, its own databases, and the signature it waits for.
#include "rules/compile_impl.h"
#include "rules/fold.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint32_t add_string(struct maker *m, const char *s)
{
	uint32_t off = (uint32_t)m->sec[IMAGE_STRINGS].len;

	if (s == NULL || *s == '\0')
		return 0;
	maker_add(&m->sec[IMAGE_STRINGS], s, strlen(s) + 1);
	return off;
}

// The expression of a term -> its database. An expression that is its own signature is only tried: in the common database
// it would take every rule with it.
static int own_db(struct maker *m, const struct rule *r, const struct plan_cond *c,
		  const struct plan_term *t, uint32_t *ret_index, struct diag *d)
{
	const char *expr = t->tail_expr;
	const unsigned int flags = HS_FLAG_SINGLEMATCH;
	const bool alone = t->n_links == 0;
	hs_database_t *db = NULL;
	hs_expr_ext_t ext;
	char why[256];
	int bad = -1, err;

	maker_ext(&ext, alone ? t->min_end : 0, alone ? t->max_end : UINT64_MAX);
	err = maker_compile(&expr, &flags, &ext, 1, true, &db, &bad, why, sizeof(why));
	if (err == -EINVAL)
		diag_set(d, r->file, r->line, 0,
			 "not possible on %s, which is matched as a stream: %s",
			 buffer_info(c->buffer)->keyword, why);
	if (err < 0)
		return err;
	if (c->mode == IMAGE_COND_EXACT) {
		hs_free_database(db);
		return 0;
	}
	m->stats->own_databases++;
	return maker_add_db(m, db, IMAGE_DB_STREAM | IMAGE_DB_OWN, 0, 1, ret_index);
}

// What a piece of a buffer cannot decide about a number: see enum image_match_flag.
static uint16_t number_doubts(const struct rule_match *rm)
{
	const struct number *n = rm->number;
	const bool relative = (rm->flags & RULE_PCRE_RELATIVE) != 0;
	uint16_t flags = 0;

	if (rm->type == RULE_FILE_SIZE)
		return 0;
	if (rm->type == RULE_SIZE) // what is long enough in a piece is so in the buffer
		return n->op == NUMBER_GT || n->op == NUMBER_GE ? 0 : IMAGE_OFFSET | IMAGE_ENDSWITH;
	if (rm->type == RULE_DATA_AT) {
		if ((rm->flags & RULE_NEGATED) == 0)
			return 0;
		return relative ? IMAGE_ENDSWITH : IMAGE_OFFSET | IMAGE_ENDSWITH;
	}
	if (!relative || (n->flags & NUMBER_FROM_BEGINNING) != 0)
		flags |= IMAGE_OFFSET;
	// The end of a piece may cut digits in two.
	if (n->base != 0 || (n->flags & NUMBER_FROM_END) != 0)
		flags |= IMAGE_ENDSWITH;
	return flags;
}

// Matches behind a base64_decode: how many, and does their verdict depend on where the decoded bytes end?
static uint32_t decoded_count(const struct rule *r, const struct plan_cond *c, bool *ret_at_end)
{
	uint32_t n = 0;

	*ret_at_end = false;
	for (uint32_t i = 0; i < c->n_matches; i++) {
		const struct rule_match *rm = &r->matches[c->matches[i]];

		if ((rm->flags & RULE_DECODED) == 0)
			continue;
		n++;
		*ret_at_end |= rm->type != RULE_CONTENT || (rm->flags & RULE_NEGATED) != 0;
	}
	return n;
}

// A match on the size that always holds: it makes a stream condition wait for the whole buffer.
static void add_whole(struct maker *m)
{
	const struct number any = {.op = NUMBER_GE};
	struct image_match im = {
		.type = IMAGE_SIZE,
		.flags = IMAGE_OFFSET | IMAGE_ENDSWITH,
		.blob_off = maker_count(m, IMAGE_NUMBERS, sizeof(any)),
	};

	maker_add(&m->sec[IMAGE_NUMBERS], &any, sizeof(any));
	maker_add(&m->sec[IMAGE_MATCHES], &im, sizeof(im));
}

// Returns how many matches were added for them.
static uint32_t add_transforms(struct maker *m, const struct plan_cond *c, struct image_cond *ic)
{
	bool local = true;

	ic->transform = maker_count(m, IMAGE_TRANSFORMS, sizeof(struct image_transform));
	ic->n_transforms = c->n_transforms;
	for (int i = 0; i < c->n_transforms; i++) {
		const struct rule_transform *t = &c->transforms[i];
		struct image_transform it = {.type = t->type, .len = t->len};

		local &= transform_is_local(t->type);
		if (t->len > 0) {
			it.blob_off = (uint32_t)m->sec[IMAGE_BLOBS].len;
			maker_add(&m->sec[IMAGE_BLOBS], t->data, t->len);
		}
		maker_add(&m->sec[IMAGE_TRANSFORMS], &it, sizeof(it));
	}
	if (local || image_cond_is_whole(c->mode))
		return 0;
	add_whole(m);
	return 1;
}

static void add_match(struct maker *m, const struct rule_match *rm, uint32_t n_decoded,
		      bool decoded_at_end)
{
	static const uint8_t types[] = {
		[RULE_CONTENT] = IMAGE_CONTENT,
		[RULE_PCRE] = IMAGE_PCRE,
		[RULE_SIZE] = IMAGE_SIZE,
		[RULE_DATA_AT] = IMAGE_DATA_AT,
		[RULE_BYTE_TEST] = IMAGE_BYTE_TEST,
		[RULE_BYTE_JUMP] = IMAGE_BYTE_JUMP,
		[RULE_BYTE_EXTRACT] = IMAGE_BYTE_EXTRACT,
		[RULE_BYTE_MATH] = IMAGE_BYTE_MATH,
		[RULE_BASE64] = IMAGE_BASE64,
		[RULE_DATASET] = IMAGE_DATASET,
		[RULE_FILE_DIGEST] = IMAGE_FILE_DIGEST,
		[RULE_FILE_SIZE] = IMAGE_FILE_SIZE,
	};
	struct image_match im = {
		.type = types[rm->type],
		.blob_off = (uint32_t)m->sec[IMAGE_BLOBS].len,
		.len = rm->len,
		.offset = rm->offset,
		.depth = rm->depth,
		.distance = rm->distance,
		.within = rm->within,
	};
	static const struct {
		uint16_t from, to;
	} map[] = {
		{RULE_NEGATED, IMAGE_NEGATED},
		{RULE_NOCASE, IMAGE_NOCASE},
		{RULE_OFFSET, IMAGE_OFFSET},
		{RULE_DEPTH, IMAGE_DEPTH},
		{RULE_DISTANCE, IMAGE_DISTANCE},
		{RULE_WITHIN, IMAGE_WITHIN},
		{RULE_ENDSWITH, IMAGE_ENDSWITH},
		{RULE_PCRE_RELATIVE, IMAGE_RELATIVE},
		{RULE_VAR_OFFSET, IMAGE_VAR_OFFSET},
		{RULE_VAR_DEPTH, IMAGE_VAR_DEPTH},
		{RULE_VAR_DISTANCE, IMAGE_VAR_DISTANCE},
		{RULE_VAR_WITHIN, IMAGE_VAR_WITHIN},
	};
	uint8_t *data;

	for (size_t i = 0; i < sizeof(map) / sizeof(map[0]); i++)
		if ((rm->flags & map[i].from) != 0)
			im.flags |= map[i].to;
	if (rm->type == RULE_DATASET || rm->type == RULE_FILE_DIGEST) {
		// A piece of the buffer is not what is looked up.
		if (rm->type == RULE_DATASET)
			im.flags |= IMAGE_OFFSET | IMAGE_ENDSWITH;
		im.blob_off = maker_list(m, rm->list);
		maker_add(&m->sec[IMAGE_MATCHES], &im, sizeof(im));
		return;
	}
	if (rm->number != NULL) {
		im.blob_off = maker_count(m, IMAGE_NUMBERS, sizeof(*rm->number));
		struct number *n =
			maker_add(&m->sec[IMAGE_NUMBERS], rm->number, sizeof(*rm->number));

		im.flags |= number_doubts(rm);
		if (rm->type == RULE_BASE64 && n != NULL)
			n->value = n_decoded;
		if (rm->type == RULE_BASE64 && decoded_at_end)
			im.flags |= IMAGE_ENDSWITH;
		maker_add(&m->sec[IMAGE_MATCHES], &im, sizeof(im));
		return;
	}
	data = maker_add(&m->sec[IMAGE_BLOBS], rm->data, rm->len);
	if (data != NULL && im.type == IMAGE_CONTENT && (im.flags & IMAGE_NOCASE) != 0)
		for (uint32_t i = 0; i < rm->len; i++)
			data[i] = span_lower(data[i]);
	if (im.type == IMAGE_PCRE)
		im.pcre_options = plan_pcre_options(rm);
	maker_add(&m->sec[IMAGE_MATCHES], &im, sizeof(im));
}

// The links of a term, and their matches; a condition that is its own signature has neither.
static void add_links(struct maker *m, const struct rule *r, const struct plan_cond *c,
		      const struct plan_term *t)
{
	for (uint32_t k = 0; k < t->n_links && c->mode != IMAGE_COND_EXACT; k++) {
		const struct plan_link *l = &t->links[k];
		struct image_link il = {
			.match = maker_count(m, IMAGE_MATCHES, sizeof(struct image_match)),
			.n_matches = (uint16_t)l->n,
			.anchor = (uint16_t)l->anchor,
		};

		for (uint32_t i = 0; i < l->n; i++)
			add_match(m, &r->matches[c->matches[l->first + i]], 0, false);
		maker_add(&m->sec[IMAGE_LINKS], &il, sizeof(il));
	}
}

// How many bytes a condition may look back on while it waits for more: its longest link, or all there is when an
// expression is only searched for once the rest has been found.
static uint32_t cond_tail(const struct plan_cond *c)
{
	uint32_t tail = 0;

	if (c->buffered)
		return IMAGE_TAIL_MAX;
	if (image_cond_is_whole(c->mode) || c->mode == IMAGE_COND_EXACT)
		return 0;
	for (int i = 0; i < c->n_terms; i++) {
		const struct plan_term *t = &c->terms[i];

		if (t->n_links == 0 && c->n_terms > 1)
			return IMAGE_TAIL_MAX;
		for (uint32_t k = 0; k < t->n_links; k++)
			if (t->links[k].span > tail)
				tail = t->links[k].span;
	}
	return tail;
}

// The approximation of a pcre, if there is one that could fail.
static int add_gate_expr(struct maker *m, const char *expr, struct image_cond *ic)
{
	const unsigned int flags = HS_FLAG_SINGLEMATCH | HS_FLAG_PREFILTER;
	const hs_expr_ext_t ext = {.flags = 0};
	struct image_term it = {.link = maker_count(m, IMAGE_LINKS, sizeof(struct image_link))};
	hs_expr_info_t *info = NULL;
	hs_compile_error_t *ce = NULL;
	hs_database_t *db;
	char why[256];
	int bad, err;
	bool idle;

	if (hs_expression_info(expr, flags, &info, &ce) != HS_SUCCESS) {
		hs_free_compile_error(ce);
		return 0;
	}
	idle = info->min_width == 0;
	free(info);
	if (idle || maker_compile(&expr, &flags, &ext, 1, true, &db, &bad, why, sizeof(why)) < 0)
		return 0;
	m->stats->own_databases++;
	err = maker_add_db(m, db, IMAGE_DB_STREAM | IMAGE_DB_OWN, 0, 1, &it.db);
	if (err < 0)
		return err;
	maker_add(&m->sec[IMAGE_TERMS], &it, sizeof(it));
	ic->n_terms++;
	return 0;
}

// A condition that is evaluated on the window need not be while its best literal is not there, or its pcre cannot match.
static int add_gate(struct maker *m, const struct rule *r, const struct plan_cond *c,
		    struct image_cond *ic)
{
	const char *expr = fold_gate(&m->scratch, r, c);
	struct image_match im = {
		.type = IMAGE_CONTENT,
		.flags = c->literal.nocase ? IMAGE_NOCASE : 0,
		.blob_off = (uint32_t)m->sec[IMAGE_BLOBS].len,
		.len = (uint32_t)c->literal.bytes.len,
	};
	struct image_link il = {
		.match = maker_count(m, IMAGE_MATCHES, sizeof(im)),
		.n_matches = 1,
	};
	struct image_term it = {
		.db = IMAGE_NONE,
		.link = maker_count(m, IMAGE_LINKS, sizeof(il)),
		.n_links = 1,
	};
	uint8_t *bytes;

	if (c->literal.bits == 0 || c->n_transforms > 0)
		return 0;
	bytes = maker_add(&m->sec[IMAGE_BLOBS], c->literal.bytes.data, im.len);
	for (uint32_t i = 0; bytes != NULL && c->literal.nocase && i < im.len; i++)
		bytes[i] = span_lower(bytes[i]);
	maker_add(&m->sec[IMAGE_MATCHES], &im, sizeof(im));
	maker_add(&m->sec[IMAGE_LINKS], &il, sizeof(il));
	maker_add(&m->sec[IMAGE_TERMS], &it, sizeof(it));
	ic->n_terms = 1;
	return expr != NULL ? add_gate_expr(m, expr, ic) : 0;
}

static int add_cond(struct maker *m, const struct plan *p, const struct plan_cond *c,
		    struct image_cond *ic, struct diag *d)
{
	*ic = (struct image_cond){
		.buffer = c->buffer,
		.mode = c->mode,
		.match = maker_count(m, IMAGE_MATCHES, sizeof(struct image_match)),
		.term = maker_count(m, IMAGE_TERMS, sizeof(struct image_term)),
	};
	uint32_t link = maker_count(m, IMAGE_LINKS, sizeof(struct image_link));

	if (image_cond_is_whole(c->mode) || c->buffered) {
		bool at_end;
		uint32_t n_decoded = decoded_count(p->rule, c, &at_end);

		ic->n_matches = (uint16_t)(add_transforms(m, c, ic) + c->n_matches);
		for (uint32_t i = 0; i < c->n_matches; i++)
			add_match(m, &p->rule->matches[c->matches[i]], n_decoded, at_end);
		return c->buffered ? add_gate(m, p->rule, c, ic) : 0;
	}
	for (int i = 0; i < c->n_terms; i++)
		add_links(m, p->rule, c, &c->terms[i]);
	ic->n_terms = c->mode == IMAGE_COND_EXACT ? 0 : c->n_terms;
	for (int i = 0, err; i < c->n_terms; i++) {
		const struct plan_term *t = &c->terms[i];
		struct image_term it = {
			.flags = (t->negated ? IMAGE_TERM_NEGATED : 0) |
				 (t->from_start && t->n_links == 0 ? IMAGE_TERM_FROM_START : 0),
			.db = IMAGE_NONE,
			.link = link,
			.n_links = t->n_links,
		};

		link += t->n_links;
		if (t->tail_expr != NULL) {
			err = own_db(m, p->rule, c, t, &it.db, d);
			if (err < 0)
				return err;
		}
		if (ic->n_terms > 0)
			maker_add(&m->sec[IMAGE_TERMS], &it, sizeof(it));
	}
	return 0;
}

static void add_addrs(struct maker *m, const struct rule_addrs *a, uint32_t *ret_at,
		      uint32_t *ret_n)
{
	*ret_at = maker_count(m, IMAGE_ADDRS, sizeof(struct image_addr));
	*ret_n = a->n;
	for (uint32_t i = 0; i < a->n; i++) {
		struct image_addr ia = {.len = a->v[i].len, .negated = a->v[i].negated};

		memcpy(ia.prefix, a->v[i].prefix, 16);
		maker_add(&m->sec[IMAGE_ADDRS], &ia, sizeof(ia));
	}
}

static void add_ports(struct maker *m, const struct rule_ports *a, uint32_t *ret_at,
		      uint32_t *ret_n)
{
	*ret_at = maker_count(m, IMAGE_PORTS, sizeof(struct image_port));
	*ret_n = a->n;
	for (uint32_t i = 0; i < a->n; i++) {
		struct image_port ip = {a->v[i].first, a->v[i].last, a->v[i].negated};

		maker_add(&m->sec[IMAGE_PORTS], &ip, sizeof(ip));
	}
}

// The rule is looked at whenever a file ends.
static void add_files(struct maker *m, const struct plan *p, uint32_t rule, uint32_t first_cond)
{
	struct image_owner o = {.rule = rule};
	uint8_t digests = 0;

	for (int i = p->n_conds - 1; i >= 0; i--)
		if (p->conds[i].mode == IMAGE_COND_FILE)
			o.cond = first_cond + (uint32_t)i;
	for (uint32_t i = 0; i < p->rule->n_matches; i++)
		if (p->rule->matches[i].type == RULE_FILE_DIGEST)
			digests |= (uint8_t)(1 << m->rules->lists[p->rule->matches[i].list].kind);
	for (int dir = 0; dir < DIR_N; dir++) {
		if ((p->dirs & (1 << dir)) == 0)
			continue;
		maker_add(&m->files[dir], &o, sizeof(o));
		m->head.file_digests[dir] |= digests;
	}
}

// See struct image_owner. What counts from the start is looked for from there.
static uint32_t signature_lookback(const struct plan_cond *c)
{
	const bool floats = c->sig_expr == NULL && c->sig_max_end == UINT64_MAX &&
			    c->sig_min_end <= c->literal.bytes.len;

	if (image_cond_is_whole(c->mode))
		return 0;
	return floats ? c->literal.lookback : UINT32_MAX;
}

// Where the rule waits: one want per direction, or the always list, or for nothing but files.
static void add_wants(struct maker *m, const struct plan *p, uint32_t rule, uint32_t first_cond)
{
	for (int dir = 0; dir < DIR_N; dir++) {
		struct image_owner o = {.rule = rule, .cond = IMAGE_NONE};
		const struct plan_cond *c;
		struct want w;

		if ((p->dirs & (1 << dir)) == 0)
			continue;
		// A body condition that a raw condition wakes needs what has passed of the body, and a raw one that the
		// head wakes needs the bytes of the head; a buffered one looks at nothing but the window.
		for (int i = 0; i < p->n_conds; i++) {
			const struct plan_cond *pc = &p->conds[i];
			uint32_t *tail = &m->head.tail[pc->slot][dir];
			uint32_t need = cond_tail(pc);

			if (pc->mode == IMAGE_COND_GATED &&
			    (pc->slot == BUF_RAW || (p->represented_by >= 0 &&
						     p->conds[p->represented_by].slot == BUF_RAW)))
				need = IMAGE_TAIL_MAX;
			if (need > *tail)
				*tail = need;
		}
		if (plan_is_file_rule(p))
			continue;
		if (p->represented_by < 0) {
			maker_add(p->rule->packets ? &m->packets[dir] : &m->always[dir], &o,
				  sizeof(o));
			continue;
		}
		c = &p->conds[p->represented_by];
		o.cond = first_cond + (uint32_t)p->represented_by;
		o.lookback = signature_lookback(c);
		w = (struct want){
			.slot = c->slot,
			.dir = (uint8_t)dir,
			.nocase = c->literal.nocase,
			.expr = c->sig_expr,
			.bytes = c->literal.bytes,
			.min_end = c->sig_min_end,
			.max_end = c->sig_max_end,
			.lookback = c->mode == IMAGE_COND_EXACT || c->mode == IMAGE_COND_HEAD
					    ? 0
					    : c->literal.lookback,
			.owner = o,
		};
		maker_add(&m->wants, &w, sizeof(w));
		if (p->keep_head)
			m->head.keep_head[dir] = 1;
	}
}

// Names become hashes. Suricata's order: who decides first of those that wait.
static void add_state(struct maker *m, const struct rule *r, struct image_rule *ir)
{
	bool reads = false, writes = false;

	ir->state = maker_count(m, IMAGE_STATE, sizeof(struct state_op_record));
	ir->n_state = r->n_state;
	for (uint32_t i = 0; i < r->n_state; i++) {
		const struct rule_state *rs = &r->state[i];
		struct state_op_record s = {
			.value = rs->value,
			.kind = rs->kind,
			.op = rs->op,
			.track = rs->track,
			.or_next = rs->or_next,
		};

		if (rs->name != NULL)
			s.name = state_name(rs->kind, rs->name, strlen(rs->name));
		if (rs->var != NULL)
			s.var = state_name(rs->kind, rs->var, strlen(rs->var));
		if (s.kind == STATE_EVENT)
			m->head.wants_events = 1;
		reads |= state_reads(&s);
		writes |= !state_reads(&s);
		maker_add(&m->sec[IMAGE_STATE], &s, sizeof(s));
	}
	if (reads || writes) // in the order of their turns, not of the scans
		ir->flags |= IMAGE_RULE_WAITS;
	ir->turn = r->action == RULE_PASS ? 0 : writes ? 1 + reads : reads ? 3 : 4;
	m->head.n_pass += r->action == RULE_PASS;
	if (r->noalert)
		ir->flags |= IMAGE_RULE_NOALERT;
}

static uint16_t rule_flags(const struct rule *r)
{
	uint16_t flags = 0;

	if (r->bidirectional)
		flags |= IMAGE_RULE_BIDIRECTIONAL;
	if (r->proto == RULE_PROTO_HTTP)
		flags |= IMAGE_RULE_HTTP;
	if (r->proto == RULE_PROTO_WEBSOCKET)
		flags |= IMAGE_RULE_WEBSOCKET;
	if (r->http_version != 0)
		flags |= r->http_version == 1 ? IMAGE_RULE_HTTP1 : IMAGE_RULE_HTTP2;
	if (r->family == RULE_FAMILY_IPV4)
		flags |= IMAGE_RULE_IPV4;
	else if (r->family == RULE_FAMILY_IPV6)
		flags |= IMAGE_RULE_IPV6;
	// A stream that is inspected counts as established; a first segment that nothing went before does not.
	if ((r->flow & RULE_FLOW_ESTABLISHED) != 0)
		flags |= IMAGE_RULE_ESTABLISHED | (r->packets ? IMAGE_RULE_NOT_FIRST : 0);
	return flags;
}

int maker_add_rule(struct maker *m, const struct rule *r, struct diag *d)
{
	struct image_rule ir = {
		.sid = r->sid,
		.gid = r->gid,
		.rev = r->rev,
		.priority = r->priority,
		.threshold = r->threshold,
		.action = r->action,
		.flags = rule_flags(r),
	};
	struct image_cond conds[IMAGE_CONDS_PER_RULE_MAX];
	size_t keep[IMAGE_SECTION_N];
	struct plan p;
	int err = plan_rule(&m->scratch, r, &p, d);

	if (err < 0)
		return err;
	for (int i = 0; i < IMAGE_SECTION_N; i++)
		keep[i] = m->sec[i].len;
	for (int i = 0; i < p.n_conds && err == 0; i++) {
		err = add_cond(m, &p, &p.conds[i], &conds[i], d);
		if (err < 0) // take back what the rule has added
			for (int k = 0; k < IMAGE_SECTION_N; k++)
				m->sec[k].len = keep[k];
		if (err != -EINVAL || p.conds[i].buffered)
			continue;
		// Hyperscan has no expression for it: evaluate it on the window instead, and plan the rule again.
		err = plan_buffer_cond(&p, i, d);
		i = -1;
	}
	if (err < 0)
		return err;
	add_state(m, r, &ir);
	ir.dirs = p.dirs;
	ir.n_conds = p.n_conds;
	ir.cond = maker_count(m, IMAGE_CONDS, sizeof(struct image_cond));
	for (int i = 0; i < p.n_conds; i++)
		maker_add(&m->sec[IMAGE_CONDS], &conds[i], sizeof(conds[i]));
	ir.msg = add_string(m, r->msg);
	ir.classtype = add_string(m, r->classtype);
	ir.reference = add_string(m, r->reference);
	ir.metadata = add_string(m, r->metadata);
	add_addrs(m, &r->src, &ir.src, &ir.n_src);
	add_addrs(m, &r->dst, &ir.dst, &ir.n_dst);
	add_ports(m, &r->src_port, &ir.sport, &ir.n_sport);
	add_ports(m, &r->dst_port, &ir.dport, &ir.n_dport);
	add_wants(m, &p, maker_count(m, IMAGE_RULES, sizeof(ir)), ir.cond);
	if (p.has_file)
		add_files(m, &p, maker_count(m, IMAGE_RULES, sizeof(ir)), ir.cond);
	m->stats->always += p.represented_by < 0 && !plan_is_file_rule(&p);
	m->stats->alert_only += r->action >= RULE_DROP;
	maker_add(&m->sec[IMAGE_RULES], &ir, sizeof(ir));
	return 0;
}

void maker_add_suppress(struct maker *m, const struct rules *rs)
{
	for (uint32_t i = 0; i < rs->n_suppress; i++) {
		const struct rule_suppress *s = &rs->suppress[i];
		struct image_suppress is = {.gid = s->gid, .sid = s->sid, .track = s->track};

		add_addrs(m, &s->addrs, &is.addr, &is.n_addrs);
		maker_add(&m->sec[IMAGE_SUPPRESS], &is, sizeof(is));
	}
}

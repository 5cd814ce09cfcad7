// SPDX-License-Identifier: BSD-2-Clause
// Plans -> databases -> image. Every pattern is SINGLEMATCH: a scan makes at most one callback per pattern, whatever
// the bytes (2,000 overlapping rules on one packet: 24 us instead of 86 ms).
#include "rules/compile.h"

#include <errno.h>
#include <fcntl.h>
#include <hs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "rules/plan.h"

// Growing bytes; failed sticks.
struct bytes {
	uint8_t *p;
	size_t len, cap;
	bool failed;
};

static void *bytes_add(struct bytes *b, const void *data, size_t n)
{
	void *at;

	if (b->failed)
		return NULL;
	if (b->len + n > b->cap) {
		size_t cap = b->cap * 2 > b->len + n ? b->cap * 2 : b->len + n + 4096;
		uint8_t *p = realloc(b->p, cap);

		if (p == NULL) {
			b->failed = true;
			return NULL;
		}
		b->p = p;
		b->cap = cap;
	}
	at = b->p + b->len;
	if (data != NULL)
		memcpy(at, data, n);
	else
		memset(at, 0, n);
	b->len += n;
	return at;
}

static void bytes_align(struct bytes *b)
{
	if (b->len % 8 != 0)
		bytes_add(b, NULL, 8 - b->len % 8);
}

// A signature before equal ones are merged.
struct want {
	uint8_t slot, dir;
	bool nocase;
	const char *expr; // instead of bytes
	struct span bytes;
	uint64_t min_end, max_end;
	uint32_t lookback;
	struct image_owner owner;
};

struct maker {
	struct rules scratch; // arena for plans
	struct bytes sec[IMAGE_SECTION_N];
	struct image_header head;
	struct bytes wants;
	struct bytes always[DIR_N]; // struct image_owner
	const char *bit_names[IMAGE_FLOWBITS_MAX];
	uint32_t n_bit_names;
	struct compile_stats *stats;
	rules_report_fn *report;
	void *ctx;
};

static uint64_t clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static uint32_t add_string(struct maker *m, const char *s)
{
	uint32_t off = (uint32_t)m->sec[IMAGE_STRINGS].len;

	if (s == NULL || *s == '\0')
		return 0;
	bytes_add(&m->sec[IMAGE_STRINGS], s, strlen(s) + 1);
	return off;
}

static uint32_t count_of(const struct maker *m, enum image_section_id id, size_t record)
{
	return (uint32_t)(m->sec[id].len / record);
}

// Serialize db into the blobs and add its row. Frees db.
static int add_db(struct maker *m, hs_database_t *db, uint32_t flags, uint32_t sig, uint32_t n_sigs,
		  uint32_t *ret_index)
{
	char *bytes = NULL;
	size_t len = 0;
	hs_error_t err = hs_serialize_database(db, &bytes, &len);
	struct image_db row = {.flags = flags, .sig = sig, .n_sigs = n_sigs};

	hs_free_database(db);
	if (err != HS_SUCCESS)
		return -ENOMEM;
	bytes_align(&m->sec[IMAGE_BLOBS]);
	row.blob_off = m->sec[IMAGE_BLOBS].len;
	row.bytes = len;
	bytes_add(&m->sec[IMAGE_BLOBS], bytes, len);
	free(bytes);
	*ret_index = count_of(m, IMAGE_DBS, sizeof(row));
	bytes_add(&m->sec[IMAGE_DBS], &row, sizeof(row));
	return 0;
}

// One pattern set -> database. Pattern ids are 0..n-1.
static int compile_set(const char **expr, const unsigned int *flags, const hs_expr_ext_t *ext,
		       unsigned int n, bool stream, hs_database_t **ret_db, int *ret_bad,
		       char *why, size_t why_size)
{
	unsigned int *ids = malloc(n * sizeof(*ids));
	const hs_expr_ext_t **exts = malloc(n * sizeof(*exts));
	hs_compile_error_t *ce = NULL;
	hs_error_t err;

	if (ids == NULL || exts == NULL) {
		free(ids);
		free(exts);
		return -ENOMEM;
	}
	for (unsigned int i = 0; i < n; i++) {
		ids[i] = i;
		exts[i] = &ext[i];
	}
	err = hs_compile_ext_multi(expr, flags, ids, exts, n,
				   stream ? HS_MODE_STREAM : HS_MODE_BLOCK, NULL, ret_db, &ce);
	free(ids);
	free(exts);
	if (err == HS_SUCCESS)
		return 0;
	*ret_bad = ce != NULL ? ce->expression : -1;
	snprintf(why, why_size, "%s", ce != NULL && ce->message != NULL ? ce->message : "out of memory");
	hs_free_compile_error(ce);
	return err == HS_COMPILER_ERROR ? -EINVAL : -ENOMEM;
}

static void ext_set(hs_expr_ext_t *ext, uint64_t min_end, uint64_t max_end)
{
	memset(ext, 0, sizeof(*ext));
	if (min_end > 0) {
		ext->flags |= HS_EXT_FLAG_MIN_OFFSET;
		ext->min_offset = min_end;
	}
	if (max_end != UINT64_MAX) {
		ext->flags |= HS_EXT_FLAG_MAX_OFFSET;
		ext->max_offset = max_end;
	}
}

// The terms of one stream condition -> database.
static int own_compile(const struct rule *r, const struct plan_cond *c, hs_database_t **ret_db,
		       struct diag *d)
{
	const char *expr[IMAGE_TERMS_PER_COND_MAX];
	unsigned int flags[IMAGE_TERMS_PER_COND_MAX];
	hs_expr_ext_t ext[IMAGE_TERMS_PER_COND_MAX];
	char why[256];
	int bad = -1, err;

	for (int i = 0; i < c->n_terms; i++) {
		expr[i] = c->terms[i].expr;
		flags[i] = HS_FLAG_SINGLEMATCH;
		ext_set(&ext[i], c->terms[i].min_end, c->terms[i].max_end);
	}
	err = compile_set(expr, flags, ext, c->n_terms, true, ret_db, &bad, why, sizeof(why));
	if (err == -EINVAL)
		diag_set(d, r->file, r->line, 0, "not possible on %s, which is matched as a stream: %s",
			 buffer_info(c->buffer)->keyword, why);
	return err;
}

// The database of one stream condition.
static int own_db(struct maker *m, const struct rule *r, const struct plan_cond *c,
		  uint32_t *ret_index, struct diag *d)
{
	hs_database_t *db = NULL;
	int err = own_compile(r, c, &db, d);

	if (err < 0)
		return err;
	// An expression that is its own signature was only tried: in the common database it would take every rule with it.
	if (c->mode == IMAGE_COND_EXACT) {
		hs_free_database(db);
		return 0;
	}
	return add_db(m, db, IMAGE_DB_STREAM | IMAGE_DB_OWN, 0, c->n_terms, ret_index);
}

// What a piece of a buffer cannot decide about a number: see enum image_match_flag.
static uint16_t number_doubts(const struct rule_match *rm)
{
	const struct number *n = rm->number;
	const bool relative = (rm->flags & RULE_PCRE_RELATIVE) != 0;
	uint16_t flags = 0;

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
		.blob_off = count_of(m, IMAGE_NUMBERS, sizeof(any)),
	};

	bytes_add(&m->sec[IMAGE_NUMBERS], &any, sizeof(any));
	bytes_add(&m->sec[IMAGE_MATCHES], &im, sizeof(im));
}

// Returns how many matches were added for them.
static uint32_t add_transforms(struct maker *m, const struct plan_cond *c, struct image_cond *ic)
{
	bool local = true;

	ic->transform = count_of(m, IMAGE_TRANSFORMS, sizeof(struct image_transform));
	ic->n_transforms = c->n_transforms;
	for (int i = 0; i < c->n_transforms; i++) {
		const struct rule_transform *t = &c->transforms[i];
		struct image_transform it = {.type = t->type, .len = t->len};

		local &= transform_is_local(t->type);
		if (t->len > 0) {
			it.blob_off = (uint32_t)m->sec[IMAGE_BLOBS].len;
			bytes_add(&m->sec[IMAGE_BLOBS], t->data, t->len);
		}
		bytes_add(&m->sec[IMAGE_TRANSFORMS], &it, sizeof(it));
	}
	if (local || c->mode == IMAGE_COND_HEAD)
		return 0;
	add_whole(m);
	return 1;
}

static void add_match(struct maker *m, const struct rule_match *rm, uint32_t n_decoded,
		      bool decoded_at_end)
{
	static const uint8_t types[] = {
		[RULE_CONTENT] = IMAGE_CONTENT,     [RULE_PCRE] = IMAGE_PCRE,
		[RULE_SIZE] = IMAGE_SIZE,           [RULE_DATA_AT] = IMAGE_DATA_AT,
		[RULE_BYTE_TEST] = IMAGE_BYTE_TEST, [RULE_BYTE_JUMP] = IMAGE_BYTE_JUMP,
		[RULE_BYTE_EXTRACT] = IMAGE_BYTE_EXTRACT, [RULE_BYTE_MATH] = IMAGE_BYTE_MATH,
		[RULE_BASE64] = IMAGE_BASE64,
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
		{RULE_NEGATED, IMAGE_NEGATED},   {RULE_NOCASE, IMAGE_NOCASE},
		{RULE_OFFSET, IMAGE_OFFSET},     {RULE_DEPTH, IMAGE_DEPTH},
		{RULE_DISTANCE, IMAGE_DISTANCE}, {RULE_WITHIN, IMAGE_WITHIN},
		{RULE_ENDSWITH, IMAGE_ENDSWITH}, {RULE_PCRE_RELATIVE, IMAGE_RELATIVE},
		{RULE_VAR_OFFSET, IMAGE_VAR_OFFSET}, {RULE_VAR_DEPTH, IMAGE_VAR_DEPTH},
		{RULE_VAR_DISTANCE, IMAGE_VAR_DISTANCE}, {RULE_VAR_WITHIN, IMAGE_VAR_WITHIN},
	};
	uint8_t *data;

	for (size_t i = 0; i < sizeof(map) / sizeof(map[0]); i++)
		if ((rm->flags & map[i].from) != 0)
			im.flags |= map[i].to;
	if (rm->number != NULL) {
		im.blob_off = count_of(m, IMAGE_NUMBERS, sizeof(*rm->number));
		struct number *n = bytes_add(&m->sec[IMAGE_NUMBERS], rm->number, sizeof(*rm->number));

		im.flags |= number_doubts(rm);
		if (rm->type == RULE_BASE64 && n != NULL)
			n->value = n_decoded;
		if (rm->type == RULE_BASE64 && decoded_at_end)
			im.flags |= IMAGE_ENDSWITH;
		bytes_add(&m->sec[IMAGE_MATCHES], &im, sizeof(im));
		return;
	}
	data = bytes_add(&m->sec[IMAGE_BLOBS], rm->data, rm->len);
	if (data != NULL && im.type == IMAGE_CONTENT && (im.flags & IMAGE_NOCASE) != 0)
		for (uint32_t i = 0; i < rm->len; i++)
			data[i] = span_lower(data[i]);
	if (im.type == IMAGE_PCRE)
		im.pcre_options = plan_pcre_options(rm);
	bytes_add(&m->sec[IMAGE_MATCHES], &im, sizeof(im));
}

static int add_cond(struct maker *m, const struct plan *p, const struct plan_cond *c,
		    struct image_cond *ic, struct diag *d)
{
	*ic = (struct image_cond){
		.buffer = c->buffer,
		.mode = c->mode,
		.db = IMAGE_NONE,
		.match = count_of(m, IMAGE_MATCHES, sizeof(struct image_match)),
		.term = count_of(m, IMAGE_TERMS, sizeof(struct image_term)),
	};
	if (c->mode == IMAGE_COND_HEAD || c->buffered) {
		bool at_end;
		uint32_t n_decoded = decoded_count(p->rule, c, &at_end);

		ic->n_matches = (uint16_t)(add_transforms(m, c, ic) + c->n_matches);
		for (uint32_t i = 0; i < c->n_matches; i++)
			add_match(m, &p->rule->matches[c->matches[i]], n_decoded, at_end);
		return 0;
	}
	ic->n_terms = c->n_terms;
	for (int i = 0; i < c->n_terms; i++) {
		struct image_term t = {.negated = c->terms[i].negated};

		bytes_add(&m->sec[IMAGE_TERMS], &t, sizeof(t));
	}
	if (c->mode == IMAGE_COND_EXACT && c->sig_expr == NULL)
		return 0;
	return own_db(m, p->rule, c, &ic->db, d);
}

static void add_addrs(struct maker *m, const struct rule_addrs *a, uint32_t *ret_at, uint32_t *ret_n)
{
	*ret_at = count_of(m, IMAGE_ADDRS, sizeof(struct image_addr));
	*ret_n = a->n;
	for (uint32_t i = 0; i < a->n; i++) {
		struct image_addr ia = {.len = a->v[i].len, .negated = a->v[i].negated};

		memcpy(ia.prefix, a->v[i].prefix, 16);
		bytes_add(&m->sec[IMAGE_ADDRS], &ia, sizeof(ia));
	}
}

static void add_ports(struct maker *m, const struct rule_ports *a, uint32_t *ret_at, uint32_t *ret_n)
{
	*ret_at = count_of(m, IMAGE_PORTS, sizeof(struct image_port));
	*ret_n = a->n;
	for (uint32_t i = 0; i < a->n; i++) {
		struct image_port ip = {a->v[i].first, a->v[i].last, a->v[i].negated};

		bytes_add(&m->sec[IMAGE_PORTS], &ip, sizeof(ip));
	}
}

// Where the rule waits: one want per direction, or the always list.
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
		for (int i = 0; i < p->n_conds; i++)
			if (p->conds[i].buffered ||
			    (p->conds[i].mode == IMAGE_COND_GATED &&
			     (p->conds[i].slot == BUF_RAW ||
			      (p->represented_by >= 0 &&
			       p->conds[p->represented_by].slot == BUF_RAW))))
				m->head.tail[p->conds[i].slot][dir] = IMAGE_TAIL_MAX;
		if (p->represented_by < 0) {
			bytes_add(&m->always[dir], &o, sizeof(o));
			continue;
		}
		c = &p->conds[p->represented_by];
		o.cond = first_cond + (uint32_t)p->represented_by;
		w = (struct want){
			.slot = c->slot,
			.dir = (uint8_t)dir,
			.nocase = c->literal.nocase,
			.expr = c->sig_expr,
			.bytes = c->literal.bytes,
			.min_end = c->sig_min_end,
			.max_end = c->sig_max_end,
			.lookback = c->mode == IMAGE_COND_EXACT || c->mode == IMAGE_COND_HEAD ?
					    0 :
					    c->literal.lookback,
			.owner = o,
		};
		bytes_add(&m->wants, &w, sizeof(w));
		if (p->keep_head)
			m->head.keep_head[dir] = 1;
	}
}

// Names become numbers. -EINVAL when there are too many.
static int add_bits(struct maker *m, const struct rule *r, struct image_rule *ir, struct diag *d)
{
	ir->bit = count_of(m, IMAGE_BITS, sizeof(struct image_bit));
	ir->n_bits = r->n_bits;
	for (uint32_t i = 0; i < r->n_bits; i++) {
		const struct rule_bit *rb = &r->bits[i];
		struct image_bit ib = {.op = rb->op, .or_next = rb->or_next};
		uint32_t k = 0;

		while (k < m->n_bit_names && strcmp(m->bit_names[k], rb->name) != 0)
			k++;
		if (k == IMAGE_FLOWBITS_MAX) {
			diag_set(d, r->file, r->line, 0, "more than %d flowbits names in the rule set",
				 IMAGE_FLOWBITS_MAX);
			return -EINVAL;
		}
		m->bit_names[k] = rb->name;
		if (k == m->n_bit_names)
			m->n_bit_names++;
		ib.index = (uint16_t)k;
		if (ib.op == IMAGE_BIT_ISSET || ib.op == IMAGE_BIT_ISNOTSET)
			ir->flags |= IMAGE_RULE_READS_BITS;
		bytes_add(&m->sec[IMAGE_BITS], &ib, sizeof(ib));
	}
	if (r->noalert)
		ir->flags |= IMAGE_RULE_NOALERT;
	return 0;
}

static int add_rule(struct maker *m, const struct rule *r, struct diag *d)
{
	struct image_rule ir = {
		.sid = r->sid,
		.gid = r->gid,
		.rev = r->rev,
		.priority = r->priority,
		.threshold = r->threshold,
		.flags = (r->bidirectional ? IMAGE_RULE_BIDIRECTIONAL : 0) |
			 (r->proto == RULE_PROTO_HTTP ? IMAGE_RULE_HTTP : 0),
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
	err = add_bits(m, r, &ir, d);
	if (err < 0) {
		for (int k = 0; k < IMAGE_SECTION_N; k++)
			m->sec[k].len = keep[k];
		return err;
	}
	ir.dirs = p.dirs;
	ir.n_conds = p.n_conds;
	ir.cond = count_of(m, IMAGE_CONDS, sizeof(struct image_cond));
	for (int i = 0; i < p.n_conds; i++) {
		m->stats->own_databases += conds[i].db != IMAGE_NONE;
		bytes_add(&m->sec[IMAGE_CONDS], &conds[i], sizeof(conds[i]));
	}
	ir.msg = add_string(m, r->msg);
	ir.classtype = add_string(m, r->classtype);
	ir.reference = add_string(m, r->reference);
	ir.metadata = add_string(m, r->metadata);
	add_addrs(m, &r->src, &ir.src, &ir.n_src);
	add_addrs(m, &r->dst, &ir.dst, &ir.n_dst);
	add_ports(m, &r->src_port, &ir.sport, &ir.n_sport);
	add_ports(m, &r->dst_port, &ir.dport, &ir.n_dport);
	add_wants(m, &p, count_of(m, IMAGE_RULES, sizeof(ir)), ir.cond);
	m->stats->always += p.represented_by < 0;
	bytes_add(&m->sec[IMAGE_RULES], &ir, sizeof(ir));
	return 0;
}

// Order by database, then by pattern, so that equal patterns stand together.
static int want_cmp(const void *va, const void *vb)
{
	const struct want *a = va, *b = vb;
	size_t n = a->bytes.len < b->bytes.len ? a->bytes.len : b->bytes.len;
	int c;

	if (a->slot != b->slot)
		return a->slot < b->slot ? -1 : 1;
	if (a->dir != b->dir)
		return a->dir < b->dir ? -1 : 1;
	if ((a->expr != NULL) != (b->expr != NULL))
		return a->expr != NULL ? 1 : -1;
	if (a->expr != NULL && (c = strcmp(a->expr, b->expr)) != 0)
		return c;
	if (a->nocase != b->nocase)
		return a->nocase ? 1 : -1;
	if (a->min_end != b->min_end)
		return a->min_end < b->min_end ? -1 : 1;
	if (a->max_end != b->max_end)
		return a->max_end < b->max_end ? -1 : 1;
	c = n > 0 ? memcmp(a->bytes.data, b->bytes.data, n) : 0;
	if (c != 0)
		return c;
	return a->bytes.len < b->bytes.len ? -1 : a->bytes.len > b->bytes.len;
}

// Literals that differ only in case are the same pattern when case does not matter.
static int fold_case(struct maker *m, struct want *w)
{
	uint8_t *lower;

	if (!w->nocase || w->expr != NULL)
		return 0;
	lower = rules_alloc(&m->scratch, w->bytes.len);
	if (lower == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < w->bytes.len; i++)
		lower[i] = span_lower(w->bytes.data[i]);
	w->bytes.data = lower;
	return 0;
}

static const char *literal_expr(struct maker *m, struct span s)
{
	char *e = rules_alloc(&m->scratch, 4 * s.len + 1);

	if (e != NULL)
		for (size_t i = 0; i < s.len; i++)
			snprintf(e + 4 * i, 5, "\\x%02x", s.data[i]);
	return e;
}

// One always-on database from wants[0..n), all of one slot and direction.
static int always_on_db(struct maker *m, const struct want *wants, size_t n, struct diag *d)
{
	const bool stream = buffer_info(wants->slot)->stage == BUFFER_STREAM;
	const uint32_t first_sig = count_of(m, IMAGE_SIGS, sizeof(struct image_sig));
	const char **expr = calloc(n, sizeof(*expr));
	unsigned int *flags = calloc(n, sizeof(*flags));
	hs_expr_ext_t *ext = calloc(n, sizeof(*ext));
	struct image_sig *sig = NULL;
	hs_database_t *db = NULL;
	unsigned int n_sigs = 0;
	int err = -ENOMEM, bad = -1;
	char why[256] = "";

	if (expr == NULL || flags == NULL || ext == NULL)
		goto out;
	for (size_t i = 0; i < n; i++) {
		const struct want *w = &wants[i];
		uint32_t *tail = &m->head.tail[w->slot][w->dir];
		uint32_t back = w->lookback > IMAGE_TAIL_MAX ? IMAGE_TAIL_MAX : w->lookback;

		if (i == 0 || want_cmp(w, &wants[i - 1]) != 0) {
			struct image_sig row = {
				.owner = count_of(m, IMAGE_OWNERS, sizeof(struct image_owner)),
			};

			expr[n_sigs] = w->expr != NULL ? w->expr : literal_expr(m, w->bytes);
			flags[n_sigs] = HS_FLAG_SINGLEMATCH |
					(w->expr == NULL && w->nocase ? HS_FLAG_CASELESS : 0);
			ext_set(&ext[n_sigs], w->min_end, w->max_end);
			if (expr[n_sigs] == NULL)
				goto out;
			n_sigs++;
			sig = bytes_add(&m->sec[IMAGE_SIGS], &row, sizeof(row));
			if (sig == NULL)
				goto out;
		}
		bytes_add(&m->sec[IMAGE_OWNERS], &w->owner, sizeof(w->owner));
		sig->n_owners++;
		if (w->lookback > sig->lookback)
			sig->lookback = w->lookback;
		if (stream && back > *tail)
			*tail = back;
	}
	err = compile_set(expr, flags, ext, n_sigs, stream, &db, &bad, why, sizeof(why));
	if (err < 0) {
		diag_set(d, NULL, 0, 0, "cannot compile the %s database: %s: %s",
			 buffer_info(wants->slot)->keyword, bad >= 0 ? expr[bad] : "", why);
		goto out;
	}
	m->stats->databases++;
	m->stats->signatures += n_sigs;
	err = add_db(m, db, stream ? IMAGE_DB_STREAM : 0, first_sig, n_sigs,
		     &m->head.db[wants->slot][wants->dir]);
out:
	free(expr);
	free(flags);
	free(ext);
	return err;
}

static int always_on(struct maker *m, struct diag *d)
{
	struct want *wants = (struct want *)(void *)m->wants.p;
	size_t n = m->wants.len / sizeof(*wants);
	int err = 0;

	for (size_t i = 0; i < n && err == 0; i++)
		err = fold_case(m, &wants[i]);
	if (err < 0)
		return err;
	if (n > 0)
		qsort(wants, n, sizeof(*wants), want_cmp);
	for (size_t from = 0, to; from < n && err == 0; from = to) {
		for (to = from; to < n && wants[to].slot == wants[from].slot &&
				wants[to].dir == wants[from].dir;)
			to++;
		err = always_on_db(m, wants + from, to - from, d);
	}
	for (int dir = 0; dir < DIR_N && err == 0; dir++) {
		m->head.always[dir] = count_of(m, IMAGE_OWNERS, sizeof(struct image_owner));
		m->head.n_always[dir] =
			(uint32_t)(m->always[dir].len / sizeof(struct image_owner));
		if (m->always[dir].len > 0)
			bytes_add(&m->sec[IMAGE_OWNERS], m->always[dir].p, m->always[dir].len);
	}
	return err;
}

// One byte, the hardest case for a broken libhs: see dataplane/engine/selftest.c.
static int selftest_dbs(struct maker *m)
{
	const char *expr = "\\|";
	const unsigned int flags = 0;
	hs_expr_ext_t ext = {0};

	for (int stream = 0; stream < 2; stream++) {
		hs_database_t *db;
		char why[256];
		int bad = -1;
		int err = compile_set(&expr, &flags, &ext, 1, stream, &db, &bad, why, sizeof(why));

		if (err == 0)
			err = add_db(m, db, IMAGE_DB_OWN | (stream ? IMAGE_DB_STREAM : 0), 0, 1,
				     &m->head.selftest[stream]);
		if (err < 0)
			return err;
	}
	return 0;
}

// Header, then every section at a multiple of eight.
static int assemble(struct maker *m, uint64_t serial, void **ret_image, uint64_t *ret_len)
{
	uint64_t at = (sizeof(m->head) + 7) & ~UINT64_C(7);
	uint8_t *image;

	for (int i = 0; i < IMAGE_SECTION_N; i++) {
		if (m->sec[i].failed)
			return -ENOMEM;
		m->head.section[i] = (struct image_section){at, m->sec[i].len};
		at = (at + m->sec[i].len + 7) & ~UINT64_C(7);
	}
	if (m->wants.failed || m->always[0].failed || m->always[1].failed)
		return -ENOMEM;
	if (at > IMAGE_MAX_BYTES)
		return -E2BIG;
	image = calloc(1, at);
	if (image == NULL)
		return -ENOMEM;
	m->head.magic = IMAGE_MAGIC;
	m->head.version = IMAGE_VERSION;
	m->head.bytes = at;
	m->head.serial = serial;
	memcpy(image, &m->head, sizeof(m->head));
	for (int i = 0; i < IMAGE_SECTION_N; i++)
		if (m->sec[i].len > 0)
			memcpy(image + m->head.section[i].off, m->sec[i].p, m->sec[i].len);
	image_seal(image, at);
	*ret_image = image;
	*ret_len = at;
	return 0;
}

int compile_image(const struct rules *rs, uint64_t serial, void **ret_image, uint64_t *ret_len,
		  struct compile_stats *ret_stats, rules_report_fn *report, void *ctx,
		  struct diag *d)
{
	struct compile_stats stats = {0};
	struct maker m = {.stats = &stats, .report = report, .ctx = ctx};
	uint64_t t0 = clock_ns(), t1;
	int err = 0;

	memset(m.head.db, 0xff, sizeof(m.head.db));
	bytes_add(&m.sec[IMAGE_STRINGS], "", 1); // offset 0: the empty text
	for (size_t i = 0; i < rs->n && err == 0; i++) {
		struct diag why = {0};

		err = add_rule(&m, &rs->v[i], &why);
		if (err == -EINVAL) {
			stats.refused++;
			if (report != NULL)
				report(ctx, RULES_REFUSED, rs->v[i].sid, &why);
			err = 0;
		} else if (err == 0) {
			stats.rules++;
		}
	}
	t1 = clock_ns();
	if (err == 0)
		err = always_on(&m, d);
	if (err == 0)
		err = selftest_dbs(&m);
	if (err == 0)
		err = assemble(&m, serial, ret_image, ret_len);
	stats.plan_ns = t1 - t0;
	stats.compile_ns = clock_ns() - t1;
	if (err == 0)
		stats.image_bytes = *ret_len;
	if (err == -E2BIG)
		diag_set(d, NULL, 0, 0, "the compiled rule set is larger than %d MiB",
			 IMAGE_MAX_BYTES >> 20);
	else if (err == -ENOMEM)
		diag_set(d, NULL, 0, 0, "out of memory while compiling");
	if (ret_stats != NULL)
		*ret_stats = stats;
	for (int i = 0; i < IMAGE_SECTION_N; i++)
		free(m.sec[i].p);
	free(m.wants.p);
	free(m.always[0].p);
	free(m.always[1].p);
	rules_done(&m.scratch);
	return err == -E2BIG ? -EINVAL : err;
}

int image_memfd(const void *image, uint64_t len)
{
	int fd = memfd_create("wireglass-ruleset", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int err;

	if (fd < 0)
		return -errno;
	for (uint64_t at = 0; at < len;) {
		ssize_t n = write(fd, (const uint8_t *)image + at, len - at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			goto fail;
		at += (uint64_t)n;
	}
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) < 0)
		goto fail;
	return fd;
fail:
	err = -errno;
	close(fd);
	return err;
}

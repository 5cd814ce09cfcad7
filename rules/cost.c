// SPDX-License-Identifier: BSD-2-Clause
// Scan, count, estimate. What a woken rule does is not run, since the engine is not linked here: its prices were measured.
//
// How: captures of 200 responses with a body of 100 bytes, and of 40 with 32 KiB of common words; sets of 1 and of 100 rules of one
// kind, which all wake on every response and never hold; "wireglass bench --rounds" with few and with many rounds. What is left
// of the processor time after subtracting twice, per response and rule, is the price: good within a third on a core of about 3 GHz.
#include "rules/cost.h"

#include <errno.h>
#include <hs.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "rules/grams.h"
#include "rules/plan.h"

enum {
	SEGMENT = 1460,
	MEASURE_NS = 8000000, // per database: long enough to be read off a clock
	PASSES_MAX = 64,
	CANDIDATES =
		512, // rules whose literal is counted in the sample, once for all that have the same
	// What a woken rule costs, ns.
	WAKE_NS = 20,  // find it, its addresses and ports
	MATCH_NS = 35, // a content in a buffer of the head
	PCRE_NS = 85,  // an expression there
	STREAM_NS =
		230, // follow a body: a record, a place among the literals that are searched for together
	FOLLOW_NS_PER_KIB = 20, // of the body that follows
	VERIFY_NS = 60,         // what stands around its literal, each time
	OCCURRENCE_NS = 12,     // of a literal: the scan stops to look
};

// Estimated costs of one rule of the image.
struct load {
	uint32_t rule;
	uint32_t sig; // IMAGE_NONE: always evaluated
	uint32_t woken, occurrences;
	uint8_t buffer, dir;
	double ns;
};

struct measure {
	const struct image_header *img;
	const struct sample *sample;
	hs_scratch_t *scratch;
	uint32_t *fired;  // per signature of the image: messages
	uint64_t *behind; // per signature: bytes that followed the match
	uint32_t *stands; // per signature: how often its literal does, and 1; 0: not counted yet
	struct load *loads;
	struct cost *cost;
	double scan_ns; // of one pass over the sample with every database
};

struct scan {
	struct measure *m; // NULL: only the time counts
	uint32_t sig, n_sigs;
	uint64_t len;
};

static uint64_t cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static int on_match(unsigned int id, unsigned long long from, unsigned long long to,
		    unsigned int flags, void *ctx)
{
	struct scan *s = ctx;

	if (s->m != NULL && id < s->n_sigs) {
		s->m->fired[s->sig + id]++;
		s->m->behind[s->sig + id] += s->len > to ? s->len - to : 0;
	}
	return 0;
}

// A database of the image, loaded: one of Hyperscan, or one of grams with the state of a stream.
struct loaded {
	hs_database_t *db;
	struct grams *grams;
	struct grams_stream *at;
	bool stream;
	size_t bytes, stream_bytes;
};

static void scan_piece(const struct loaded *l, hs_scratch_t *scratch, struct span data,
		       struct scan *s)
{
	hs_stream_t *st;

	s->len = data.len;
	if (l->grams != NULL) {
		grams_reset(l->grams, l->at);
		for (; data.len > 0; data = span_from(data, SEGMENT))
			grams_scan(l->grams, l->at, span_first(data, SEGMENT), on_match, s);
		return;
	}
	if (!l->stream) {
		hs_scan(l->db, (const char *)data.data, (unsigned int)data.len, 0, scratch,
			on_match, s);
		return;
	}
	if (hs_open_stream(l->db, 0, &st) != HS_SUCCESS)
		return;
	for (; data.len > 0; data = span_from(data, SEGMENT))
		hs_scan_stream(st, (const char *)data.data,
			       (unsigned int)span_first(data, SEGMENT).len, 0, scratch, on_match,
			       s);
	hs_close_stream(st, scratch, on_match, s);
}

// One pass over the buffers of a kind. Returns their bytes.
static uint64_t scan_all(struct measure *m, const struct loaded *l, unsigned int buffer,
			 unsigned int dir, struct scan *s)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < m->sample->n; i++) {
		const struct sample_piece *p = &m->sample->v[i];

		if (p->buffer != buffer || p->dir != dir || p->len == 0)
			continue;
		scan_piece(l, m->scratch, sample_span(m->sample, i), s);
		bytes += p->len;
	}
	return bytes;
}

static void unload(struct loaded *l)
{
	hs_free_database(l->db);
	grams_free(l->grams);
	free(l->at);
}

static bool load(struct measure *m, uint32_t index, struct loaded *ret_l)
{
	const struct image_db *row = &IMAGE_AT(m->img, struct image_db, IMAGE_DBS)[index];
	const char *bytes = (const char *)m->img + m->img->section[IMAGE_BLOBS].off + row->blob_off;
	struct loaded *l = ret_l;

	*l = (struct loaded){.stream = (row->flags & IMAGE_DB_STREAM) != 0, .bytes = row->bytes};
	if ((row->flags & IMAGE_DB_GRAMS) != 0) {
		if (grams_of_image(m->img, index, &l->grams) < 0)
			return false;
		l->bytes = grams_bytes(l->grams);
		l->stream_bytes = grams_stream_bytes(l->grams);
		l->at = malloc(l->stream_bytes);
		return l->at != NULL;
	}
	return hs_deserialize_database(bytes, row->bytes, &l->db) == HS_SUCCESS &&
	       hs_alloc_scratch(l->db, &m->scratch) == HS_SUCCESS &&
	       (!l->stream || hs_stream_size(l->db, &l->stream_bytes) == HS_SUCCESS);
}

static int measure_database(struct measure *m, unsigned int buffer, unsigned int dir,
			    uint32_t index, struct diag *d)
{
	const struct image_db *row = &IMAGE_AT(m->img, struct image_db, IMAGE_DBS)[index];
	struct cost_database *c = &m->cost->database[m->cost->n_databases++];
	struct scan counted = {m, row->sig, row->n_sigs, 0}, timed = {0};
	uint64_t start, spent = 0, scanned = 0;
	struct loaded l;
	int passes = 0;

	if (!load(m, index, &l)) {
		unload(&l);
		diag_set(d, NULL, 0, 0, "the %s database does not load",
			 buffer_info(buffer)->keyword);
		return -EINVAL;
	}
	*c = (struct cost_database){.buffer = (uint8_t)buffer,
				    .dir = (uint8_t)dir,
				    .index = index,
				    .patterns = row->n_sigs,
				    .bytes = l.bytes,
				    .stream_bytes = l.stream_bytes};
	c->sample_bytes = scan_all(m, &l, buffer, dir, &counted);
	start = cpu_ns();
	while (c->sample_bytes > 0 && spent < MEASURE_NS && passes++ < PASSES_MAX) {
		scanned += scan_all(m, &l, buffer, dir, &timed);
		spent = cpu_ns() - start;
	}
	if (scanned > 0 && spent > 0) {
		c->gigabytes_per_second = (double)scanned / (double)spent;
		m->scan_ns += (double)spent / passes;
	}
	unload(&l);
	return 0;
}

// What a rule costs on each message that wakes it, or that it is looked at for.
static double rule_ns(const struct measure *m, const struct image_rule *r, uint64_t behind,
		      uint32_t woken)
{
	const struct image_cond *conds = IMAGE_AT(m->img, struct image_cond, IMAGE_CONDS);
	const struct image_match *matches = IMAGE_AT(m->img, struct image_match, IMAGE_MATCHES);
	double ns = (double)woken * WAKE_NS;

	for (uint32_t i = 0; i < r->n_conds; i++) {
		const struct image_cond *c = &conds[r->cond + i];

		if (c->mode == IMAGE_COND_EXACT)
			continue;
		if (!image_cond_is_whole(c->mode)) {
			ns += (double)woken * STREAM_NS + (double)behind / 1024 * FOLLOW_NS_PER_KIB;
			continue;
		}
		// The first match that fails ends it: on average half of them are tried.
		for (uint32_t k = 0; k < c->n_matches; k++)
			ns += (double)woken *
			      (matches[c->match + k].type == IMAGE_PCRE ? PCRE_NS : MATCH_NS) / 2;
	}
	return ns;
}

static void load_owner(struct measure *m, const struct image_owner *o, uint32_t sig, uint32_t woken,
		       uint64_t behind, unsigned int buffer, unsigned int dir)
{
	const struct image_rule *rules = IMAGE_AT(m->img, struct image_rule, IMAGE_RULES);
	struct load *l = &m->loads[o->rule];
	double ns = rule_ns(m, &rules[o->rule], behind, woken);

	// A rule of both directions is told by the one that costs more.
	if (l->ns == 0 || ns > l->ns / 2) {
		l->sig = sig;
		l->buffer = (uint8_t)buffer;
		l->dir = (uint8_t)dir;
		l->woken = woken;
	}
	l->rule = o->rule;
	l->ns += ns;
}

static void load_rules(struct measure *m)
{
	const struct image_header *img = m->img;
	const struct image_db *dbs = IMAGE_AT(img, struct image_db, IMAGE_DBS);
	const struct image_sig *sigs = IMAGE_AT(img, struct image_sig, IMAGE_SIGS);
	const struct image_owner *owners = IMAGE_AT(img, struct image_owner, IMAGE_OWNERS);

	for (uint32_t i = 0; i < IMAGE_COUNT(img, struct image_rule, IMAGE_RULES); i++)
		m->loads[i] = (struct load){.rule = i, .sig = IMAGE_NONE};
	for (uint32_t i = 0; i < m->cost->n_databases; i++) {
		const struct cost_database *c = &m->cost->database[i];
		const struct image_db *row = &dbs[c->index];

		for (uint32_t s = row->sig; s < row->sig + row->n_sigs; s++)
			for (uint32_t k = 0; m->fired[s] > 0 && k < sigs[s].n_owners; k++)
				load_owner(m, &owners[sigs[s].owner + k], s, m->fired[s],
					   m->behind[s], c->buffer, c->dir);
	}
	for (unsigned int dir = 0; dir < DIR_N; dir++) {
		for (uint32_t i = 0; i < img->n_always[dir]; i++)
			load_owner(m, &owners[img->always[dir] + i], IMAGE_NONE,
				   m->sample->messages[dir], 0, BUF_N, dir);
		for (uint32_t i = 0; i < img->n_packets[dir]; i++)
			load_owner(m, &owners[img->packets[dir] + i], IMAGE_NONE,
				   m->sample->messages[dir], 0, BUF_N, dir);
	}
}

static int by_ns(const void *va, const void *vb)
{
	const struct load *a = va, *b = vb;

	if (a->ns != b->ns)
		return a->ns > b->ns ? -1 : 1;
	return a->rule < b->rule ? -1 : a->rule > b->rule;
}

static const struct rule *rule_of(const struct measure *m, const struct rules *rs, uint32_t index)
{
	const struct image_rule *r = &IMAGE_AT(m->img, struct image_rule, IMAGE_RULES)[index];

	for (size_t i = 0; i < rs->n; i++)
		if (rs->v[i].sid == r->sid && rs->v[i].gid == r->gid)
			return &rs->v[i];
	return NULL;
}

static uint32_t count_in(struct span hay, struct plan_literal *l)
{
	const struct span s = l->bytes;
	uint32_t n = 0;

	if (s.len == 0)
		return 0;
	for (size_t i = 0; i + s.len <= hay.len; i++) {
		uint8_t c = hay.data[i];

		if (c != s.data[0] && (!l->nocase || span_lower(c) != span_lower(s.data[0])))
			continue;
		n += l->nocase ? span_eq_nocase(span_of(hay.data + i, s.len), s)
			       : memcmp(hay.data + i, s.data, s.len) == 0;
	}
	return n;
}

// How to make a rule cheaper, for its author.
static void mend(struct cost_rule *c, const struct plan *p)
{
	const struct plan_cond *by = p->represented_by >= 0 ? &p->conds[p->represented_by] : NULL;
	const bool body = by != NULL && by->mode != IMAGE_COND_HEAD;
	const double share = c->messages > 0 ? 100.0 * c->woken / c->messages : 0;
	char *to = c->mend;
	bool head = false;

	for (int i = 0; i < p->n_conds; i++)
		head |= p->conds[i].mode == IMAGE_COND_HEAD;
	if (c->always)
		snprintf(to, COST_TEXT_MAX,
			 "nothing in it can be searched for, so it is looked at on every message: "
			 "add a content that its traffic always has");
	else if (c->percent < 0.1 || (c->percent < 5 && share < 5))
		snprintf(to, COST_TEXT_MAX, "nothing to mend");
	else if (c->literal.len == 0)
		snprintf(to, COST_TEXT_MAX,
			 "it is woken by an expression, on %.0f %% of the messages: add a content "
			 "beside the pcre",
			 share);
	else if (c->literal.len < 4)
		snprintf(to, COST_TEXT_MAX,
			 "its longest usable text has %zu byte%s and is found %u times in the "
			 "sample: add a longer content%s",
			 c->literal.len, c->literal.len == 1 ? "" : "s", c->occurrences,
			 body && !head ? ", or a condition on http.method or http.uri" : "");
	else if (body && !head)
		snprintf(
			to, COST_TEXT_MAX,
			"its best text wakes it on %.0f %% of the messages: add a content with a "
			"rarer word, or a condition on http.uri or http.header, which is looked at "
			"before the body",
			share);
	else
		snprintf(to, COST_TEXT_MAX,
			 "its best text wakes it on %.0f %% of the messages: add a content with a "
			 "rarer word",
			 share);
}

// How often a literal occurs in the buffer that is searched for it.
static uint32_t count_literal(struct measure *m, const struct load *l, struct plan_literal *text)
{
	uint32_t n = 0;

	if (m->stands[l->sig] > 0)
		return m->stands[l->sig] - 1;
	for (size_t k = 0; k < m->sample->n; k++)
		if (m->sample->v[k].buffer == l->buffer && m->sample->v[k].dir == l->dir)
			n += count_in(sample_span(m->sample, k), text);
	m->stands[l->sig] = n + 1;
	return n;
}

static void count_literals(struct measure *m, struct load *l, uint32_t n, struct rules *rs)
{
	const struct image_sig *sigs = IMAGE_AT(m->img, struct image_sig, IMAGE_SIGS);

	for (uint32_t i = 0; i < n; i++, l++) {
		const struct rule *r = rule_of(m, rs, l->rule);
		struct plan_cond *by;
		struct diag d = {""};
		struct plan p;

		if (l->sig == IMAGE_NONE || r == NULL || plan_rule(rs, r, &p, &d) < 0 ||
		    p.represented_by < 0)
			continue;
		by = &p.conds[p.represented_by];
		l->occurrences = count_literal(m, l, &by->literal);
		if (by->mode != IMAGE_COND_EXACT && !image_cond_is_whole(by->mode))
			l->ns += (double)l->occurrences * VERIFY_NS;
		// Without this rule the literal is still searched for, if another one needs it.
		if (sigs[l->sig].n_owners == 1)
			l->ns += (double)l->occurrences * OCCURRENCE_NS;
	}
}

static void report_rules(struct measure *m, uint32_t n_rules, struct rules *rs)
{
	struct cost *cost = m->cost;
	uint32_t n = n_rules < CANDIDATES ? n_rules : CANDIDATES;
	double total = m->scan_ns;

	qsort(m->loads, n_rules, sizeof(*m->loads), by_ns);
	count_literals(m, m->loads, n, rs);
	qsort(m->loads, n, sizeof(*m->loads), by_ns);
	for (uint32_t i = 0; i < n_rules; i++)
		total += m->loads[i].ns;
	for (uint32_t i = 0; i < n && cost->n_rules < COST_RULES_MAX; i++) {
		const struct load *l = &m->loads[i];
		struct cost_rule *c = &cost->rule[cost->n_rules];
		struct diag d = {""};
		struct plan p;

		*c = (struct cost_rule){.rule = rule_of(m, rs, l->rule)};
		if (c->rule == NULL || plan_rule(rs, c->rule, &p, &d) < 0)
			continue;
		c->percent = total > 0 ? 100 * l->ns / total : 0;
		c->always = p.represented_by < 0 && !plan_is_file_rule(&p);
		c->dir = l->woken > 0 ? l->dir : (p.dirs & 1) != 0 ? DIR_TO_SERVER : DIR_TO_CLIENT;
		c->buffer = p.represented_by < 0 ? BUF_N : p.conds[p.represented_by].buffer;
		c->woken = l->woken;
		c->messages = m->sample->messages[c->dir];
		c->occurrences = l->occurrences;
		if (p.represented_by >= 0)
			c->literal = p.conds[p.represented_by].literal.bytes;
		mend(c, &p);
		cost->n_rules++;
	}
	if (cost->sample_bytes > 0)
		cost->seconds_per_gigabyte = total / (double)cost->sample_bytes;
}

int cost_measure(const struct image_header *image, struct rules *rs, const struct sample *sample,
		 struct cost *ret_cost, struct diag *ret_diag)
{
	const struct image_db *dbs = IMAGE_AT(image, struct image_db, IMAGE_DBS);
	const uint32_t n_rules = IMAGE_COUNT(image, struct image_rule, IMAGE_RULES);
	const uint32_t n_sigs = IMAGE_COUNT(image, struct image_sig, IMAGE_SIGS);
	struct measure m = {.img = image, .sample = sample, .cost = ret_cost};
	int err = 0;

	memset(ret_cost, 0, sizeof(*ret_cost));
	m.fired = calloc((size_t)n_sigs + 1, sizeof(*m.fired));
	m.behind = calloc((size_t)n_sigs + 1, sizeof(*m.behind));
	m.stands = calloc((size_t)n_sigs + 1, sizeof(*m.stands));
	m.loads = calloc((size_t)n_rules + 1, sizeof(*m.loads));
	if (m.fired == NULL || m.behind == NULL || m.stands == NULL || m.loads == NULL)
		err = -ENOMEM;
	for (size_t i = 0; i < sample->n; i++)
		if (sample->v[i].buffer == BUF_RAW)
			ret_cost->sample_bytes += sample->v[i].len;
	for (uint32_t i = 0; i < IMAGE_COUNT(image, struct image_db, IMAGE_DBS); i++) {
		if ((dbs[i].flags & IMAGE_DB_OWN) == 0 || i == image->selftest[0] ||
		    i == image->selftest[1])
			continue;
		ret_cost->own_databases++;
		ret_cost->own_bytes += dbs[i].bytes;
	}
	for (unsigned int b = 0; b < BUF_N; b++)
		for (unsigned int dir = 0; dir < DIR_N && err == 0; dir++)
			for (uint32_t i = image->db[b][dir]; i != IMAGE_NONE && err == 0;
			     i = dbs[i].next)
				err = measure_database(&m, b, dir, i, ret_diag);
	if (err == 0) {
		load_rules(&m);
		report_rules(&m, n_rules, rs);
	}
	hs_free_scratch(m.scratch);
	free(m.fired);
	free(m.behind);
	free(m.stands);
	free(m.loads);
	return err;
}

// SPDX-License-Identifier: BSD-2-Clause
// Grams are compared without case (bit 0x20 is set in all bytes, which makes some others equal, too); the literals decide. A filter
// of 32 bits and more for each gram answers most lookups from the nearest caches; behind it the grams stand in buckets.
//
// A literal that lies across two pieces of a stream is found in a join: the stream's last GRAMS_MAX - 1 bytes and the
// first ones of the piece.
#include "rules/grams.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "rules/image.h"

enum {
	HASH_BITS = 21,
	FILTER_BITS = 32, // at least, for a gram, if there are no more than HASH_BITS can tell
	LITERALS_MAX = 1 << 17,
};

struct gram {
	uint64_t bytes;   // folded
	uint32_t literal; // index
	uint32_t at;      // in the literal
};

struct grams {
	uint32_t filter_mask, bucket_mask;
	uint32_t *filter; // bit per hash
	uint32_t *bucket; // where its grams begin; one more at the end
	struct gram *gram;
	struct grams_literal *literal;
	uint32_t n_literals, n_grams;
};

static uint64_t gram_at(const uint8_t *p)
{
	uint64_t x;

	memcpy(&x, p, GRAM_BYTES);
	return x | UINT64_C(0x2020202020202020);
}

// HASH_BITS bits: those of a product that depend on all of the gram, or nearly. Of fewer the low ones are taken.
static uint32_t mix(uint64_t gram)
{
	return (uint32_t)(gram * UINT64_C(0x9e3779b97f4a7c15) >> (64 - HASH_BITS));
}

// One less than a power of two that is at least n, if HASH_BITS suffice, and 64.
static uint32_t mask_above(uint64_t n)
{
	uint32_t size = 64;

	while (size < n && size < 1u << HASH_BITS)
		size *= 2;
	return size - 1;
}

// ---- which grams ----

// Of a gram that some literal has: how often it stands in the sample, and how many places of literals were given it. Open addressing; 0
// is no gram, since every byte has a bit set.
struct count {
	uint64_t gram;
	uint32_t stands, given;
};

struct counts {
	struct count *v;
	uint32_t bits;
	uint64_t bytes; // of the sample
};

static struct count *count_of(const struct counts *c, uint64_t gram)
{
	uint64_t i = gram * UINT64_C(0x9e3779b97f4a7c15) >> (64 - c->bits);

	while (c->v[i].gram != 0 && c->v[i].gram != gram)
		i = (i + 1) & ((UINT64_C(1) << c->bits) - 1);
	return &c->v[i];
}

static bool may_be_among(struct span literal)
{
	return literal.len >= GRAMS_MIN && literal.len <= GRAMS_MAX;
}

static void count_sample(struct counts *c, struct span text)
{
	for (size_t at = 0; at + GRAM_BYTES <= text.len; at++) {
		struct count *k = count_of(c, gram_at(text.data + at));

		k->stands += k->gram != 0;
	}
	c->bytes += text.len;
}

// How often a gram is to be expected in 2^30 bytes: as in the sample, or as its bytes say.
static uint64_t gram_cost(const struct counts *c, const struct count *k, uint32_t bits)
{
	const uint64_t stands = c->bytes > 0 ? ((uint64_t)k->stands << 30) / c->bytes : 0;

	return stands + (bits < 30 ? UINT64_C(1) << (30 - bits) : 1);
}

// The place whose grams are the rarest.
static void choose_place(const struct counts *c, struct grams_literal *l,
			 uint32_t (*bits_of)(struct span bytes, bool nocase))
{
	struct count *k[GRAMS_MAX];
	uint64_t cost[GRAMS_MAX], best = UINT64_MAX;
	const uint32_t n = (uint32_t)l->bytes.len - GRAM_BYTES + 1;

	for (uint32_t i = 0; i < n; i++) {
		const struct span bytes = span_of(l->bytes.data + i, GRAM_BYTES);

		k[i] = count_of(c, gram_at(bytes.data));
		cost[i] = gram_cost(c, k[i], bits_of(bytes, l->nocase));
	}
	for (uint32_t at = 0; at + GRAM_STEP <= n; at++) {
		uint32_t same = 0;
		uint64_t sum = 0;

		for (uint32_t i = at; i < at + GRAM_STEP; i++) {
			uint32_t given = k[i]->given + 1;

			for (uint32_t j = at; j < i; j++)
				given += k[j] == k[i];
			same = given > same ? given : same;
			sum += cost[i];
		}
		if (same <= GRAMS_SHARED && sum < best) {
			best = sum;
			l->at = (uint8_t)at;
		}
	}
	for (uint32_t i = 0; i < GRAM_STEP && best != UINT64_MAX; i++)
		k[l->at + i]->given++;
}

int grams_choose(struct grams_literal *v, uint32_t n, const struct span *sample, size_t n_sample,
		 uint32_t (*bits_of)(struct span bytes, bool nocase))
{
	struct counts c = {0};
	uint64_t places = 0;

	for (uint32_t i = 0; i < n; i++)
		places += may_be_among(v[i].bytes) ? v[i].bytes.len : 0;
	for (c.bits = 6; UINT64_C(1) << c.bits < places * 2;)
		c.bits++;
	c.v = calloc(UINT64_C(1) << c.bits, sizeof(*c.v));
	if (c.v == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		if (!may_be_among(v[i].bytes))
			continue;
		for (uint32_t at = 0; at + GRAM_BYTES <= v[i].bytes.len; at++) {
			uint64_t gram = gram_at(v[i].bytes.data + at);

			count_of(&c, gram)->gram = gram;
		}
	}
	for (size_t i = 0; i < n_sample; i++)
		count_sample(&c, sample[i]);
	for (uint32_t i = 0; i < n; i++) {
		v[i].at = UINT8_MAX;
		if (may_be_among(v[i].bytes))
			choose_place(&c, &v[i], bits_of);
	}
	free(c.v);
	return 0;
}

// ---- the table ----

// Buckets in order; in a bucket the gram that stands last in its literal first, so that of two places that the same literal may
// have around a gram the first one is found.
static void buckets_fill(struct grams *g)
{
	const uint32_t n_buckets = g->bucket_mask + 1;
	uint32_t *next = g->bucket;

	for (uint32_t i = 0; i < g->n_literals; i++)
		for (uint32_t k = 0; k < GRAM_STEP; k++)
			next[1 + (mix(gram_at(g->literal[i].bytes.data + g->literal[i].at + k)) &
				  g->bucket_mask)]++;
	for (uint32_t b = 0; b < n_buckets; b++)
		next[1 + b] += next[b];
	// Filled from behind: bucket[b + 1] comes down to where b begins, and all move by one.
	for (uint32_t i = g->n_literals; i-- > 0;) {
		const struct grams_literal *l = &g->literal[i];

		for (uint32_t k = 0; k < GRAM_STEP; k++) {
			uint64_t bytes = gram_at(l->bytes.data + l->at + k);
			uint32_t h = mix(bytes), f = h & g->filter_mask;

			g->gram[--next[1 + (h & g->bucket_mask)]] =
				(struct gram){bytes, i, l->at + k};
			g->filter[f / 32] |= 1u << f % 32;
		}
	}
	memmove(next, next + 1, n_buckets * sizeof(*next));
	next[n_buckets] = g->n_grams;
}

// Does no gram stand in more literals than may share it?
static bool grams_are_spread(const struct grams *g)
{
	for (uint32_t b = 0; b <= g->bucket_mask; b++) {
		for (uint32_t i = g->bucket[b]; i < g->bucket[b + 1]; i++) {
			uint32_t same = 0;

			for (uint32_t k = i; k < g->bucket[b + 1] && same <= GRAMS_SHARED; k++)
				same += g->gram[k].bytes == g->gram[i].bytes;
			if (same > GRAMS_SHARED)
				return false;
		}
	}
	return true;
}

int grams_new(const struct grams_literal *v, uint32_t n, struct grams **ret_grams)
{
	struct grams *g;

	if (n == 0 || n > LITERALS_MAX)
		return -EBADMSG;
	for (uint32_t i = 0; i < n; i++)
		if (v[i].bytes.len < GRAMS_MIN || v[i].bytes.len > GRAMS_MAX ||
		    v[i].at > v[i].bytes.len - GRAMS_MIN)
			return -EBADMSG;
	g = calloc(1, sizeof(*g));
	if (g == NULL)
		return -ENOMEM;
	g->n_literals = n;
	g->n_grams = n * GRAM_STEP;
	g->filter_mask = mask_above((uint64_t)g->n_grams * FILTER_BITS);
	g->bucket_mask = mask_above(g->n_grams);
	g->filter = calloc(((size_t)g->filter_mask + 1) / 32, sizeof(*g->filter));
	g->bucket = calloc((size_t)g->bucket_mask + 2, sizeof(*g->bucket));
	g->gram = calloc(g->n_grams, sizeof(*g->gram));
	g->literal = calloc(n, sizeof(*g->literal));
	if (g->filter == NULL || g->bucket == NULL || g->gram == NULL || g->literal == NULL) {
		grams_free(g);
		return -ENOMEM;
	}
	memcpy(g->literal, v, n * sizeof(*v));
	buckets_fill(g);
	if (!grams_are_spread(g)) {
		grams_free(g);
		return -EBADMSG;
	}
	*ret_grams = g;
	return 0;
}

int grams_of_image(const struct image_header *img, uint32_t db, struct grams **ret_grams)
{
	const struct image_db *row = &IMAGE_AT(img, struct image_db, IMAGE_DBS)[db];
	const struct image_sig *sig = IMAGE_AT(img, struct image_sig, IMAGE_SIGS) + row->sig;
	struct grams_literal *v = calloc((size_t)row->n_sigs + 1, sizeof(*v));
	int err;

	if (v == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < row->n_sigs; i++)
		v[i] = (struct grams_literal){
			.bytes = span_of(IMAGE_AT(img, uint8_t, IMAGE_BLOBS) + sig[i].vector_off,
					 sig[i].vector_len),
			.at = sig[i].gram,
			.nocase = sig[i].nocase != 0,
		};
	err = grams_new(v, row->n_sigs, ret_grams);
	free(v);
	return err;
}

void grams_free(struct grams *g)
{
	if (g == NULL)
		return;
	free(g->filter);
	free(g->bucket);
	free(g->gram);
	free(g->literal);
	free(g);
}

size_t grams_bytes(const struct grams *g)
{
	return sizeof(*g) + ((size_t)g->filter_mask + 1) / 8 +
	       ((size_t)g->bucket_mask + 2) * sizeof(*g->bucket) + g->n_grams * sizeof(*g->gram) +
	       g->n_literals * sizeof(*g->literal);
}

// ---- search ----

size_t grams_stream_bytes(const struct grams *g)
{
	return sizeof(struct grams_stream) + (g->n_literals + 7) / 8;
}

void grams_reset(const struct grams *g, struct grams_stream *s)
{
	s->bytes = 0;
	s->n_tail = 0;
	memset(s->found, 0, (g->n_literals + 7) / 8);
}

struct search {
	const struct grams *g;
	struct grams_stream *s;
	grams_found_fn *found;
	void *ctx;
	struct span text;
	uint64_t before; // bytes of the stream before the text
	size_t joint;    // literals must lie across this place of the text, or 0: anywhere
};

static bool literal_is(const struct grams_literal *l, const uint8_t *p)
{
	if (!l->nocase)
		return memcmp(p, l->bytes.data, l->bytes.len) == 0;
	for (size_t i = 0; i < l->bytes.len; i++)
		if (span_lower(p[i]) != l->bytes.data[i])
			return false;
	return true;
}

// The filter says that the gram at this place may be one of ours.
static __attribute__((noinline)) void look(const struct search *q, size_t at)
{
	const struct grams *g = q->g;
	const uint64_t bytes = gram_at(q->text.data + at);
	const uint32_t *bucket = g->bucket + (mix(bytes) & g->bucket_mask);

	for (uint32_t i = bucket[0]; i < bucket[1]; i++) {
		const struct gram *m = &g->gram[i];
		const struct grams_literal *l = &g->literal[m->literal];
		size_t end = at - m->at + l->bytes.len; // wraps when it begins before the text

		if (m->bytes != bytes || m->at > at || end > q->text.len ||
		    (q->joint > 0 && (at - m->at >= q->joint || end <= q->joint)) ||
		    (q->s->found[m->literal / 8] >> m->literal % 8 & 1) != 0 ||
		    !literal_is(l, q->text.data + at - m->at))
			continue;
		q->s->found[m->literal / 8] |= (uint8_t)(1u << m->literal % 8);
		q->found(m->literal, 0, q->before + end, 0, q->ctx);
	}
}

static void search(const struct search *q)
{
	const uint32_t *filter = q->g->filter;
	const uint32_t mask = q->g->filter_mask;
	const uint8_t *text = q->text.data;

#pragma GCC unroll 4
	for (size_t at = 0; at + GRAM_BYTES <= q->text.len; at += GRAM_STEP) {
		const uint32_t f = mix(gram_at(text + at)) & mask;

		if ((filter[f / 32] >> f % 32 & 1) != 0)
			look(q, at);
	}
}

static void tail_keep(struct grams_stream *s, struct span data)
{
	const size_t most = sizeof(s->tail);
	size_t keep;

	if (data.len >= most) {
		memcpy(s->tail, data.data + data.len - most, most);
		s->n_tail = (uint32_t)most;
		return;
	}
	keep = s->n_tail + data.len > most ? most - data.len : s->n_tail;
	memmove(s->tail, s->tail + s->n_tail - keep, keep);
	memcpy(s->tail + keep, data.data, data.len);
	s->n_tail = (uint32_t)(keep + data.len);
}

void grams_scan(const struct grams *g, struct grams_stream *s, struct span data,
		grams_found_fn *found, void *ctx)
{
	struct search q = {
		.g = g,
		.s = s,
		.found = found,
		.ctx = ctx,
		.text = data,
		.before = s->bytes,
	};

	if (data.len == 0)
		return;
	if (s->n_tail > 0) {
		uint8_t join[2 * sizeof(s->tail)];
		struct search j = q;
		size_t ahead = data.len < sizeof(s->tail) ? data.len : sizeof(s->tail);

		memcpy(join, s->tail, s->n_tail);
		memcpy(join + s->n_tail, data.data, ahead);
		j.text = span_of(join, s->n_tail + ahead);
		j.before = s->bytes - s->n_tail;
		j.joint = s->n_tail;
		search(&j);
	}
	search(&q);
	tail_keep(s, data);
	s->bytes += data.len;
}

// SPDX-License-Identifier: BSD-2-Clause
// Everything here runs on the main lcore (or in replay), except ruleset_stream_get() and _put().
//
// Stream state: a worker keeps the streams it has opened and resets them for the next body. Beyond those opened at load it
// grows by hs_open_stream(), which allocates, up to the number of bodies it may have open; after that it never does.
#include "dataplane/engine/ruleset_impl.h"
#include "dataplane/engine/transform.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
	STREAMS_KEPT = 4096,   // of an always-on database
	STREAMS_KEPT_OWN = 16, // of a condition's own database
	STREAMS_AT_LOAD = 64,
	// Steps of one pcre evaluation. Beyond it the rule fails, counted as detect.pcre_limit: hence a hundred times
	// Suricata's documented default of 3,500.
	PCRE_MATCH_LIMIT = 350000,
	PCRE_JIT_STACK = 512 << 10,
	// Below it the copy takes few milliseconds, and the heap may have larger pages than a memfd.
	COPY_MAX = 32 << 20,
};

// A view of the image's sections.
static void views_set(struct ruleset *rs)
{
	const struct image_header *h = rs->img;

	rs->rules = IMAGE_AT(h, struct image_rule, IMAGE_RULES);
	rs->conds = IMAGE_AT(h, struct image_cond, IMAGE_CONDS);
	rs->matches = IMAGE_AT(h, struct image_match, IMAGE_MATCHES);
	rs->terms = IMAGE_AT(h, struct image_term, IMAGE_TERMS);
	rs->sigs = IMAGE_AT(h, struct image_sig, IMAGE_SIGS);
	rs->owners = IMAGE_AT(h, struct image_owner, IMAGE_OWNERS);
	rs->state = IMAGE_AT(h, struct state_op_record, IMAGE_STATE);
	rs->numbers = IMAGE_AT(h, struct number, IMAGE_NUMBERS);
	rs->transforms = IMAGE_AT(h, struct image_transform, IMAGE_TRANSFORMS);
	rs->n_transforms = IMAGE_COUNT(h, struct image_transform, IMAGE_TRANSFORMS);
	rs->addrs = IMAGE_AT(h, struct image_addr, IMAGE_ADDRS);
	rs->ports = IMAGE_AT(h, struct image_port, IMAGE_PORTS);
	rs->dbs = IMAGE_AT(h, struct image_db, IMAGE_DBS);
	rs->blobs = IMAGE_AT(h, uint8_t, IMAGE_BLOBS);
	rs->n_rules = IMAGE_COUNT(h, struct image_rule, IMAGE_RULES);
	rs->n_dbs = IMAGE_COUNT(h, struct image_db, IMAGE_DBS);
	rs->n_matches = IMAGE_COUNT(h, struct image_match, IMAGE_MATCHES);
	rs->n_links = IMAGE_COUNT(h, struct image_link, IMAGE_LINKS);
}

static int dbs_load(struct ruleset *rs, struct diag *d)
{
	rs->db = calloc(rs->n_dbs + 1, sizeof(*rs->db));
	rs->grams = calloc(rs->n_dbs + 1, sizeof(*rs->grams));
	if (rs->db == NULL || rs->grams == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < rs->n_dbs; i++) {
		const char *blob = (const char *)rs->blobs + rs->dbs[i].blob_off;
		hs_error_t err;

		if ((rs->dbs[i].flags & IMAGE_DB_GRAMS) != 0) {
			int e = grams_of_image(rs->img, i, &rs->grams[i]);

			if (e == -EBADMSG)
				diag_set(d, NULL, 0, 0,
					 "rule set image is damaged: long literals of database %u",
					 i);
			if (e < 0)
				return e;
			continue;
		}
		err = hs_deserialize_database(blob, rs->dbs[i].bytes, &rs->db[i]);
		if (err == HS_NOMEM)
			return -ENOMEM;
		if (err != HS_SUCCESS) {
			diag_set(d, NULL, 0, 0,
				 "rule set image was compiled for another Hyperscan or CPU (error "
				 "%d): "
				 "compile it on this machine",
				 err);
			return -ENOTSUP;
		}
	}
	return 0;
}

static int pcre_load(struct ruleset *rs, struct diag *d)
{
	rs->pcre = calloc(rs->n_matches + 1, sizeof(*rs->pcre));
	if (rs->pcre == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < rs->n_matches; i++) {
		const struct image_match *m = &rs->matches[i];
		PCRE2_SIZE at;
		int err;

		if (m->type != IMAGE_PCRE)
			continue;
		rs->pcre[i] = pcre2_compile(rs->blobs + m->blob_off, m->len, m->pcre_options, &err,
					    &at, NULL);
		if (rs->pcre[i] == NULL) {
			diag_set(d, NULL, 0, 0,
				 "rule set image holds a pcre that does not compile");
			return -EBADMSG;
		}
		// Without JIT (memory that may not be executable) the interpreter serves.
		pcre2_jit_compile(rs->pcre[i], PCRE2_JIT_COMPLETE | PCRE2_JIT_PARTIAL_HARD);
	}
	return 0;
}

// The three bytes of a needle that text has least often: what is searched for before anything is compared.
static uint8_t rarest_bytes(const uint8_t *s, uint32_t len)
{
	uint32_t best = 0, at = 0;

	for (uint32_t i = 0; i + 3 <= len && i < UINT8_MAX; i++) {
		uint32_t score = 0;

		for (uint32_t k = i; k < i + 3; k++) {
			uint8_t c = span_lower(s[k]);

			score += strchr(" etaoinsr", c) != NULL && c != 0 ? 1
				 : c >= 'a' && c <= 'z'                   ? 2
				 : c >= '0' && c <= '9'                   ? 3
									  : 4;
		}
		if (score > best) {
			best = score;
			at = i;
		}
	}
	return (uint8_t)at;
}

static void link_load(const struct ruleset *rs, const struct image_link *il, struct link *l)
{
	const struct image_match *m = rs->matches + il->match, *a = m + il->anchor;
	const bool pcre = m[il->n_matches - 1].type == IMAGE_PCRE;

	*l = (struct link){
		.m = m,
		.first = il->match,
		.n = (uint16_t)(il->n_matches - pcre),
		.with_pcre = pcre,
		.needle = rs->blobs + a->blob_off,
		.len = (uint16_t)a->len,
		.nocase = (a->flags & IMAGE_NOCASE) != 0,
		.negated = (m->flags & IMAGE_NEGATED) != 0,
		.back = (uint32_t)image_link_span(m, il->anchor + 1u),
		.span = (uint32_t)image_link_span(m, il->n_matches),
		.pos_max = INT64_MAX,
	};
	l->at_end = (m[l->n - 1].flags & IMAGE_ENDSWITH) != 0;
	l->ahead = l->span - l->back;
	l->rare = rarest_bytes(l->needle, l->len);
	if ((m->flags & IMAGE_OFFSET) != 0)
		l->pos_min = m->offset;
	if ((m->flags & IMAGE_DISTANCE) != 0)
		l->pos_min = m->distance;
	if ((m->flags & IMAGE_DEPTH) != 0)
		l->pos_max = l->pos_min + m->depth;
	if ((m->flags & IMAGE_WITHIN) != 0)
		l->pos_max = l->pos_min + m->within;
	if (l->pos_min < 0)
		l->pos_min = 0;
}

static int links_load(struct ruleset *rs)
{
	const struct image_link *il = IMAGE_AT(rs->img, struct image_link, IMAGE_LINKS);

	rs->links = calloc(rs->n_links + 1, sizeof(*rs->links));
	if (rs->links == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < rs->n_links; i++)
		link_load(rs, &il[i], &rs->links[i]);
	return 0;
}

static int transforms_load(struct ruleset *rs, struct diag *d)
{
	rs->transform_pcre = calloc(rs->n_transforms + 1, sizeof(*rs->transform_pcre));
	if (rs->transform_pcre == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < rs->n_transforms; i++) {
		const struct image_transform *t = &rs->transforms[i];
		uint32_t groups = 0;
		PCRE2_SIZE at;
		int err;

		if (t->type != TRANSFORM_PCREXFORM)
			continue;
		rs->transform_pcre[i] = pcre2_compile(rs->blobs + t->blob_off, t->len,
						      TRANSFORM_PCRE_OPTIONS, &err, &at, NULL);
		if (rs->transform_pcre[i] != NULL)
			pcre2_pattern_info(rs->transform_pcre[i], PCRE2_INFO_CAPTURECOUNT, &groups);
		if (groups == 0) {
			diag_set(d, NULL, 0, 0,
				 "rule set image holds a pcrexform that does not compile");
			return -EBADMSG;
		}
		pcre2_jit_compile(rs->transform_pcre[i], PCRE2_JIT_COMPLETE);
	}
	return 0;
}

static struct ruleset_stream *stream_open(struct ruleset *rs, uint32_t db)
{
	struct grams_stream *gs;
	hs_stream_t *s;

	if (rs->grams[db] == NULL)
		return hs_open_stream(rs->db[db], 0, &s) == HS_SUCCESS ? (void *)s : NULL;
	gs = malloc(grams_stream_bytes(rs->grams[db]));
	if (gs != NULL)
		grams_reset(rs->grams[db], gs);
	return (void *)gs;
}

static void stream_close(struct ruleset *rs, uint32_t db, struct ruleset_stream *s)
{
	if (rs->grams[db] != NULL)
		free(s);
	else
		hs_close_stream((void *)s, NULL, NULL, NULL);
}

static int worker_load(struct ruleset *rs, struct ruleset_worker *w)
{
	uint32_t max_sigs = 1;

	for (uint32_t i = 0; i < rs->n_dbs; i++) {
		if (rs->db[i] != NULL && hs_alloc_scratch(rs->db[i], &w->scratch) != HS_SUCCESS)
			return -ENOMEM;
		if (rs->dbs[i].n_sigs > max_sigs)
			max_sigs = rs->dbs[i].n_sigs;
	}
	w->fired = calloc(max_sigs, sizeof(*w->fired));
	w->pools = calloc(rs->n_dbs + 1, sizeof(*w->pools));
	w->match = pcre2_match_data_create(2, NULL); // the match, and what pcrexform captures
	w->match_ctx = pcre2_match_context_create(NULL);
	if (w->fired == NULL || w->pools == NULL || w->match == NULL || w->match_ctx == NULL)
		return -ENOMEM;
	w->jit_stack = pcre2_jit_stack_create(32 << 10, PCRE_JIT_STACK, NULL);
	if (w->jit_stack == NULL)
		return -ENOMEM;
	if (transform_worker_init(w) < 0)
		return -ENOMEM;
	pcre2_jit_stack_assign(w->match_ctx, NULL, w->jit_stack);
	pcre2_set_match_limit(w->match_ctx, PCRE_MATCH_LIMIT);
	for (uint32_t i = 0; i < rs->n_dbs; i++) {
		struct stream_pool *p = &w->pools[i];
		bool own = (rs->dbs[i].flags & IMAGE_DB_OWN) != 0;
		uint32_t ahead = own ? 1 : STREAMS_AT_LOAD;

		if ((rs->dbs[i].flags & IMAGE_DB_STREAM) == 0)
			continue;
		p->cap = own ? STREAMS_KEPT_OWN : STREAMS_KEPT;
		p->free = calloc(p->cap, sizeof(*p->free));
		if (p->free == NULL)
			return -ENOMEM;
		while (p->n < ahead) {
			p->free[p->n] = stream_open(rs, i);
			if (p->free[p->n] == NULL)
				return -ENOMEM;
			p->n++;
		}
	}
	return 0;
}

int ruleset_selftest(struct diag *ret_diag)
{
	if (hs_valid_platform() == HS_SUCCESS)
		return 0;
	diag_set(ret_diag, NULL, 0, 0, "this CPU has no SSSE3, which Hyperscan needs");
	return -ENOTSUP;
}

static void worker_free(struct ruleset *rs, struct ruleset_worker *w)
{
	for (uint32_t i = 0; w->pools != NULL && i < rs->n_dbs; i++) {
		for (uint32_t j = 0; j < w->pools[i].n; j++)
			stream_close(rs, i, w->pools[i].free[j]);
		free(w->pools[i].free);
	}
	free(w->pools);
	free(w->fired);
	hs_free_scratch(w->scratch);
	transform_worker_done(w);
	pcre2_match_data_free(w->match);
	pcre2_match_context_free(w->match_ctx);
	pcre2_jit_stack_free(w->jit_stack);
}

// Checked and used is one copy that nobody else can change.
static int image_copy(struct ruleset *rs, const void *image, uint64_t len, struct diag *d)
{
	void *copy;

	if (len == 0 || len > IMAGE_MAX_BYTES) {
		diag_set(d, NULL, 0, 0, "rule set image is damaged: its length is wrong");
		return -EBADMSG;
	}
	if (posix_memalign(&copy, LIST_ALIGN, len) != 0)
		return -ENOMEM;
	memcpy(copy, image, len);
	rs->img = copy;
	return 0;
}

// mapped: the image can be used where it is.
static int load(const void *image, bool mapped, uint64_t len, const uint8_t want_digest[32],
		uint32_t generation, unsigned int workers, struct ruleset **ret_rs,
		struct diag *ret_diag)
{
	struct ruleset *rs = calloc(1, sizeof(*rs));
	int err = 0;

	if (rs == NULL)
		return -ENOMEM;
	rs->generation = generation;
	rs->workers = workers;
	if (mapped) {
		rs->img = image;
		rs->map_bytes = len;
	} else {
		err = image_copy(rs, image, len, ret_diag);
	}
	if (err < 0)
		goto fail;
	err = image_check(rs->img, len, want_digest, ret_diag);
	if (err < 0)
		goto fail;
	views_set(rs);
	memcpy(&rs->identity, rs->img->digest, sizeof(rs->identity));
	err = dbs_load(rs, ret_diag);
	if (err == 0)
		err = pcre_load(rs, ret_diag);
	if (err == 0)
		err = links_load(rs);
	if (err == 0)
		err = transforms_load(rs, ret_diag);
	if (err < 0)
		goto fail;
	err = -ENOMEM;
	if (posix_memalign((void **)&rs->w, 64, workers * sizeof(*rs->w)) != 0)
		goto fail;
	memset(rs->w, 0, workers * sizeof(*rs->w));
	err = 0;
	for (unsigned int i = 0; i < workers && err == 0; i++)
		err = worker_load(rs, &rs->w[i]);
	if (err < 0)
		goto fail;
	if (workers > 0)
		err = ruleset_try(rs, ret_diag);
	if (err < 0)
		goto fail;
	*ret_rs = rs;
	return 0;
fail:
	if (err == -ENOMEM)
		diag_set(ret_diag, NULL, 0, 0, "out of memory while loading the rule set");
	rs->map_bytes = 0; // it stays the caller's
	if (mapped)
		rs->img = NULL;
	ruleset_free(rs);
	return err;
}

int ruleset_load(const void *image, uint64_t len, const uint8_t want_digest[32],
		 uint32_t generation, unsigned int workers, struct ruleset **ret_rs,
		 struct diag *ret_diag)
{
	return load(image, false, len, want_digest, generation, workers, ret_rs, ret_diag);
}

int ruleset_load_map(void *map, uint64_t len, const uint8_t want_digest[32], uint32_t generation,
		     unsigned int workers, struct ruleset **ret_rs, struct diag *ret_diag)
{
	bool mapped = len > COPY_MAX;
	int err = load(map, mapped, len, want_digest, generation, workers, ret_rs, ret_diag);

	if (err == 0 && !mapped)
		munmap(map, len);
	return err;
}

// What was allocated or mapped for it is the rule set's own, although nobody writes to it.
static void image_free(struct ruleset *rs)
{
	union {
		const struct image_header *from;
		void *to;
	} p = {.from = rs->img};

	if (rs->map_bytes > 0)
		munmap(p.to, rs->map_bytes);
	else
		free(p.to);
}

void ruleset_free(struct ruleset *rs)
{
	if (rs == NULL)
		return;
	for (uint32_t i = 0; rs->w != NULL && i < rs->workers; i++)
		worker_free(rs, &rs->w[i]);
	free(rs->w);
	for (uint32_t i = 0; rs->db != NULL && i < rs->n_dbs; i++)
		hs_free_database(rs->db[i]);
	free(rs->db);
	for (uint32_t i = 0; rs->grams != NULL && i < rs->n_dbs; i++)
		grams_free(rs->grams[i]);
	free(rs->grams);
	for (uint32_t i = 0; rs->pcre != NULL && i < rs->n_matches; i++)
		pcre2_code_free(rs->pcre[i]);
	free(rs->pcre);
	for (uint32_t i = 0; rs->transform_pcre != NULL && i < rs->n_transforms; i++)
		pcre2_code_free(rs->transform_pcre[i]);
	free(rs->transform_pcre);
	free(rs->links);
	image_free(rs);
	free(rs);
}

bool ruleset_in_use(const struct ruleset *rs)
{
	for (uint32_t i = 0; i < rs->workers; i++)
		if (atomic_load_explicit(&rs->w[i].in_use, memory_order_relaxed) != 0)
			return true;
	return false;
}

uint32_t ruleset_generation(const struct ruleset *rs)
{
	return rs->generation;
}

const struct image_header *ruleset_image(const struct ruleset *rs)
{
	return rs->img;
}

struct ruleset_stream *ruleset_stream_get(struct ruleset *rs, struct ruleset_worker *w, uint32_t db)
{
	struct stream_pool *p = &w->pools[db];
	struct ruleset_stream *s = p->n > 0 ? p->free[--p->n] : stream_open(rs, db);

	p->taken += s != NULL;
	return s;
}

bool ruleset_stream_scan(struct ruleset *rs, struct ruleset_worker *w, uint32_t db,
			 struct ruleset_stream *stream, struct span data,
			 match_event_handler on_match, void *ctx)
{
	if (rs->grams[db] != NULL) {
		grams_scan(rs->grams[db], (void *)stream, data, on_match, ctx);
		return true;
	}
	return hs_scan_stream((void *)stream, (const char *)data.data, (unsigned int)data.len, 0,
			      w->scratch, on_match, ctx) == HS_SUCCESS;
}

// Ready for another stream. False: it is spoilt.
static bool stream_reset(struct ruleset *rs, struct ruleset_worker *w, uint32_t db,
			 struct ruleset_stream *stream, match_event_handler on_match, void *ctx)
{
	if (rs->grams[db] == NULL)
		return hs_reset_stream((void *)stream, 0, on_match != NULL ? w->scratch : NULL,
				       on_match, ctx) == HS_SUCCESS;
	grams_reset(rs->grams[db], (void *)stream);
	return true;
}

void ruleset_stream_put(struct ruleset *rs, struct ruleset_worker *w, uint32_t db,
			struct ruleset_stream *stream, match_event_handler on_match, void *ctx)
{
	struct stream_pool *p = &w->pools[db];

	p->taken--;
	if (stream_reset(rs, w, db, stream, on_match, ctx) && p->n < p->cap)
		p->free[p->n++] = stream;
	else
		stream_close(rs, db, stream);
}

uint64_t ruleset_stream_bytes(const struct ruleset *rs, unsigned int w)
{
	const struct stream_pool *pools = rs->w[w].pools;
	uint64_t bytes = 0;
	size_t each;

	for (uint32_t i = 0; i < rs->n_dbs; i++) {
		if (rs->grams[i] != NULL)
			bytes += pools[i].taken * (uint64_t)grams_stream_bytes(rs->grams[i]);
		else if (pools[i].taken > 0 && hs_stream_size(rs->db[i], &each) == HS_SUCCESS)
			bytes += pools[i].taken * (uint64_t)each;
	}
	return bytes;
}

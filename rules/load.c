// SPDX-License-Identifier: BSD-2-Clause
// Beside an image the cache keeps what was reported about its rules, so that a cached set is refused in the same words.
// The key is taken over the texts as they are: 14 thousand rules then need not even be parsed.
//
// Lists on disk are not in the key: which ones there are is known only once the rules are parsed. What their files were
// when they were read stands in the meta, and an entry holds only while they are still the same.
//
//   meta = struct meta_head, per report struct meta_report and the three texts, each with its NUL,
//          per list struct meta_list and the path
#include "rules/load.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "rules/file.h"

const struct rule_files load_beside = {.open = rule_files_open_beside};

enum {
	FILE_BYTES_MAX = 256 << 20,
};

struct meta_head {
	struct compile_stats stats;
	uint32_t seen, refused, skipped, reports, lists;
	uint32_t pad;
};

struct meta_report {
	uint32_t verdict, sid, line, column;
};

// What a file was; all zero: it could not be opened.
struct meta_list {
	uint64_t dev, ino, size, mtime_ns;
};

struct bytes_of {
	uint8_t *p;
	size_t len, cap;
};

// Reports on their way to the caller and into the meta.
struct recorder {
	rules_report_fn *report;
	void *ctx;
	uint32_t refused, skipped, reports, lists;
	struct bytes_of meta, list_meta; // cap 0: not recorded
	bool failed;
	const struct rule_files *files; // of the text that is being parsed
};

static uint64_t clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void record(struct recorder *r, struct bytes_of *b, const void *data, size_t n)
{
	if (b->len + n > b->cap && !r->failed) {
		size_t cap = 2 * (b->len + n) + 4096;
		uint8_t *p = realloc(b->p, cap);

		r->failed = p == NULL;
		if (p != NULL) {
			b->p = p;
			b->cap = cap;
		}
	}
	if (r->failed || n == 0)
		return;
	memcpy(b->p + b->len, data, n);
	b->len += n;
}

static void on_report(void *ctx, enum rules_verdict verdict, uint32_t sid, const struct diag *d)
{
	struct recorder *r = ctx;
	const struct meta_report row = {verdict, sid, d->line, d->column};

	if (verdict == RULES_SKIPPED)
		r->skipped++;
	else
		r->refused++;
	if (r->meta.cap > 0) {
		record(r, &r->meta, &row, sizeof(row));
		record(r, &r->meta, d->file, strlen(d->file) + 1);
		record(r, &r->meta, d->keyword, strlen(d->keyword) + 1);
		record(r, &r->meta, d->text, strlen(d->text) + 1);
		r->reports++;
	}
	if (r->report != NULL)
		r->report(r->ctx, verdict, sid, d);
}

static struct meta_list list_state(int err, const struct stat *st)
{
	if (err != 0)
		return (struct meta_list){0};
	return (struct meta_list){st->st_dev, st->st_ino, (uint64_t)st->st_size,
				  (uint64_t)st->st_mtim.tv_sec * 1000000000u +
					  (uint64_t)st->st_mtim.tv_nsec};
}

// Opens a list and notes what it was.
static int open_list(void *ctx, const char *rule_file, const char *name,
		     struct rule_source *ret_source, struct diag *ret_diag)
{
	struct recorder *r = ctx;
	int err = r->files->open(r->files->ctx, rule_file, name, ret_source, ret_diag);
	struct meta_list row;
	struct stat st;

	if (r->meta.cap == 0 || (err == 0 && ret_source->fd < 0))
		return err;
	row = list_state(err == 0 ? fstat(ret_source->fd, &st) : err, &st);
	record(r, &r->list_meta, &row, sizeof(row));
	record(r, &r->list_meta, ret_source->name, strlen(ret_source->name) + 1);
	r->lists++;
	return err;
}

static bool take(struct span *s, void *ret, size_t n)
{
	if (s->len < n)
		return false;
	memcpy(ret, s->data, n);
	*s = span_from(*s, n);
	return true;
}

static bool take_text(struct span *s, char *ret, size_t size)
{
	const uint8_t *nul = s->len > 0 ? memchr(s->data, '\0', s->len) : NULL;

	if (nul == NULL)
		return false;
	snprintf(ret, size, "%s", (const char *)s->data);
	*s = span_from(*s, (size_t)(nul - s->data) + 1);
	return true;
}

// All reports of a meta; with report NULL it is only checked. False: it is not one, or its lists have changed.
static bool replay(struct span meta, struct load_result *res, rules_report_fn *report, void *ctx)
{
	struct meta_head head;

	if (!take(&meta, &head, sizeof(head)))
		return false;
	for (uint32_t i = 0; i < head.reports; i++) {
		struct meta_report row;
		struct diag d = {""};

		if (!take(&meta, &row, sizeof(row)) || row.verdict > RULES_SKIPPED ||
		    !take_text(&meta, d.file, sizeof(d.file)) ||
		    !take_text(&meta, d.keyword, sizeof(d.keyword)) ||
		    !take_text(&meta, d.text, sizeof(d.text)))
			return false;
		d.line = row.line;
		d.column = row.column;
		if (report != NULL)
			report(ctx, row.verdict, row.sid, &d);
	}
	for (uint32_t i = 0; i < head.lists; i++) {
		char path[sizeof(((struct rule_source *)NULL)->name)];
		struct meta_list row, now;
		struct stat st;

		if (!take(&meta, &row, sizeof(row)) || !take_text(&meta, path, sizeof(path)))
			return false;
		now = list_state(stat(path, &st), &st);
		if (memcmp(&now, &row, sizeof(row)) != 0)
			return false;
	}
	res->stats = head.stats;
	res->seen = head.seen;
	res->refused = head.refused;
	res->skipped = head.skipped;
	return meta.len == 0;
}

// False: there is no cache, or no memory.
static bool key_of(const struct load_request *q, struct cache_key *ret_key)
{
	struct cache_hash h;

	if (q->cache == NULL)
		return false;
	cache_hash_init(&h);
	cache_hash_add(&h, span_of("load", 4));
	cache_hash_add(&h, span_of(&q->serial, sizeof(q->serial)));
	for (const struct rule_var *v = q->vars; v != NULL && v->name != NULL; v++) {
		cache_hash_add(&h, span_of("var", 3));
		cache_hash_add(&h, span_of(v->name, strlen(v->name)));
		cache_hash_add(&h, span_of(v->value, strlen(v->value)));
	}
	for (uint32_t i = 0; i < q->n_texts; i++) {
		cache_hash_add(&h, span_of(&q->texts[i].kind, sizeof(q->texts[i].kind)));
		cache_hash_add(&h, span_of(q->texts[i].name, strlen(q->texts[i].name)));
		cache_hash_add(&h, q->texts[i].text);
	}
	if (q->lists_digest != NULL)
		cache_hash_add(&h, span_of(q->lists_digest, 32));
	return cache_hash_done(&h, ret_key) == 0;
}

static int parse(const struct load_request *q, struct rules *rs, struct recorder *r)
{
	static const enum rules_kind order[] = {RULES_KIND_CLASSIFICATION, RULES_KIND_RULES,
						RULES_KIND_THRESHOLDS};
	const struct rule_files noting = {.open = open_list, .ctx = r};
	int ret = 0;

	rs->progress = q->progress;
	for (size_t k = 0; k < sizeof(order) / sizeof(order[0]); k++) {
		for (uint32_t i = 0; i < q->n_texts && ret >= 0; i++) {
			const struct load_text *t = &q->texts[i];

			if (t->kind != order[k])
				continue;
			r->files = t->files;
			rs->files = r->files != NULL ? &noting : NULL;
			ret = rules_parse_kind(rs, t->kind, t->name, (const char *)t->text.data,
					       t->text.len, q->vars, on_report, r);
		}
	}
	rs->files = NULL;
	return ret < 0 ? ret : 0;
}

static bool load_cached(const struct load_request *q, const struct cache_key *key,
			struct load_result *res, rules_report_fn *report, void *ctx)
{
	char *meta = NULL;
	size_t len;
	int err = cache_get(q->cache, key, &res->image, &res->len, &meta, &len, &res->cache);

	if (err != 0)
		return false;
	res->cached = replay(span_of(meta, len), res, NULL, NULL) &&
		      replay(span_of(meta, len), res, report, ctx);
	if (!res->cached) { // it is made anew, and replaced
		free(res->image);
		res->image = NULL;
	}
	free(meta);
	return res->cached;
}

static void store(const struct load_request *q, const struct cache_key *key, struct recorder *r,
		  struct load_result *res)
{
	const struct meta_head head = {.stats = res->stats,
				       .seen = res->seen,
				       .refused = r->refused,
				       .skipped = r->skipped,
				       .reports = r->reports,
				       .lists = r->lists};

	record(r, &r->meta, r->list_meta.p, r->list_meta.len);
	if (r->failed)
		return;
	memcpy(r->meta.p, &head, sizeof(head));
	cache_put(q->cache, key, span_of(res->image, res->len), span_of(r->meta.p, r->meta.len),
		  &res->cache);
}

int load_image(const struct load_request *q, struct rules *ret_rs, struct load_result *ret_result,
	       rules_report_fn *report, void *ctx, struct diag *ret_diag)
{
	struct rules own = {0}, *rs = ret_rs != NULL ? ret_rs : &own;
	struct recorder r = {.report = report, .ctx = ctx};
	struct recorder silent = {0};
	struct load_result res = {0};
	const struct meta_head none = {{0}};
	struct cache_key key;
	uint64_t start = clock_ns();
	bool cacheable = key_of(q, &key);
	int err = 0;

	if (cacheable && load_cached(q, &key, &res, report, ctx)) {
		if (ret_rs != NULL)
			err = parse(q, rs, &silent);
	} else {
		if (cacheable)
			record(&r, &r.meta, &none, sizeof(none));
		err = parse(q, rs, &r);
		res.parse_ns = clock_ns() - start;
		if (err == 0)
			err = compile_image(rs, q->serial, &res.image, &res.len, &res.stats,
					    on_report, &r, ret_diag);
		res.seen = (uint32_t)rs->seen;
		res.refused = r.refused;
		res.skipped = r.skipped;
		if (err == 0 && cacheable)
			store(q, &key, &r, &res);
	}
	free(r.meta.p);
	free(r.list_meta.p);
	rules_done(&own);
	if (err < 0) {
		free(res.image);
		if (err == -ENOMEM)
			diag_set(ret_diag, NULL, 0, 0, "out of memory");
		return err;
	}
	res.total_ns = clock_ns() - start;
	*ret_result = res;
	return 0;
}

int load_files(const char *const *paths, uint32_t n, struct load_text *ret_texts,
	       struct diag *ret_diag)
{
	for (uint32_t i = 0; i < n; i++) {
		char *data;
		size_t len;
		int err = file_read(paths[i], FILE_BYTES_MAX, &data, &len, ret_diag);

		if (err < 0) {
			load_files_free(ret_texts, i);
			return err;
		}
		ret_texts[i] = (struct load_text){
			.name = paths[i], .text = span_of(data, len), .files = &load_beside};
	}
	return 0;
}

int load_paths_read(const struct load_paths *paths, struct load_text *ret_texts, uint32_t *ret_n,
		    struct diag *ret_diag)
{
	const struct {
		const char *path;
		enum rules_kind kind;
	} more[] = {
		{paths->classification, RULES_KIND_CLASSIFICATION},
		{paths->thresholds, RULES_KIND_THRESHOLDS},
	};
	int err = load_files(paths->rules, paths->n_rules, ret_texts, ret_diag);
	uint32_t n = paths->n_rules;

	for (size_t i = 0; i < sizeof(more) / sizeof(more[0]) && err == 0; i++) {
		if (more[i].path == NULL)
			continue;
		err = load_files(&more[i].path, 1, &ret_texts[n], ret_diag);
		if (err == 0)
			ret_texts[n++].kind = more[i].kind;
		else
			load_files_free(ret_texts, n);
	}
	if (err == 0)
		*ret_n = n;
	return err;
}

void load_files_free(struct load_text *texts, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		free((void *)(uintptr_t)texts[i].text.data);
}

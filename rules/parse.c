// SPDX-License-Identifier: BSD-2-Clause
// A rule file: lines, comments, continuations, duplicate sids, reports. One rule at a time goes
// through header, options and check; what loads is copied into the arena in one piece, what does
// not leaves nothing behind.
//
// Invariant: struct parser points into the file's text (or the joined copy of a continued rule) and
// into its own staging memory; nothing in struct rules points at either.
#include "rules/parse_rule.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	FILE_BYTES_MAX = 256 << 20,
};

// (gid, sid) of the set's rules: open addressing, at most half full; a slot holds the rule's index
// + 1, 0 if empty.
struct sid_table {
	uint32_t *slot;
	size_t size; // power of two
};

struct file_parser {
	struct parser rule;
	struct sid_table sids;
	char *joined;
	int (*line)(struct parser *p); // what a line is given to; NULL: it is a rule
	rules_report_fn *report;
	void *ctx;
	size_t n_refused;
};

static size_t sid_slot(const struct sid_table *t, const struct rules *rs, uint32_t gid,
		       uint32_t sid)
{
	uint64_t key = ((uint64_t)gid << 32 | sid) * 0x9e3779b97f4a7c15ULL; // Fibonacci hashing
	size_t i = (key >> 32) & (t->size - 1);

	while (t->slot[i] != 0) {
		const struct rule *r = &rs->v[t->slot[i] - 1];

		if (r->sid == sid && r->gid == gid)
			break;
		i = (i + 1) & (t->size - 1);
	}
	return i;
}

// Make room for one more rule and (re)build the table when it gets half full.
static int sid_reserve(struct sid_table *t, struct rules *rs)
{
	size_t size = t->size != 0 ? t->size : 1024;
	uint32_t *slot;

	while (size < 2 * (rs->n + 1))
		size *= 2;
	if (size == t->size)
		return 0;
	slot = calloc(size, sizeof(*slot));
	if (slot == NULL)
		return -ENOMEM;
	free(t->slot);
	*t = (struct sid_table){slot, size};
	for (size_t i = 0; i < rs->n; i++)
		slot[sid_slot(t, rs, rs->v[i].gid, rs->v[i].sid)] = (uint32_t)i + 1;
	return 0;
}

static int rules_reserve(struct rules *rs)
{
	size_t cap = rs->cap != 0 ? 2 * rs->cap : 64;
	struct rule *v;

	if (rs->n < rs->cap)
		return 0;
	v = realloc(rs->v, cap * sizeof(*v));
	if (v == NULL)
		return -ENOMEM;
	rs->v = v;
	rs->cap = cap;
	return 0;
}

// A text of the staging memory at its place in the arena; constant strings stay where they are.
static const void *moved(const struct parser *p, const void *at, const uint8_t *to)
{
	const uint8_t *b = at;

	return b >= p->bytes && b < p->bytes + p->n_bytes ? to + (b - p->bytes) : at;
}

// Append the finished rule to the set.
static int rule_take(struct file_parser *f)
{
	struct parser *p = &f->rule;
	struct rule r = p->r;
	size_t matches_bytes = r.n_matches * sizeof(*r.matches), state_bytes, slot;
	uint8_t *block;

	if (rules_reserve(p->rs) != 0 || sid_reserve(&f->sids, p->rs) != 0)
		return -ENOMEM;
	slot = sid_slot(&f->sids, p->rs, r.gid, r.sid);
	if (f->sids.slot[slot] != 0) {
		const struct rule *old = &p->rs->v[f->sids.slot[slot] - 1];

		return parse_fail(p, NULL,
				  "sid %u is already in the set (%s:%u): the first one is kept",
				  r.sid, old->file, old->line);
	}
	state_bytes = r.n_state * sizeof(*r.state);
	block = rules_alloc(p->rs, matches_bytes + state_bytes + p->n_bytes);
	if (block == NULL)
		return -ENOMEM;
	r.matches = (struct rule_match *)(void *)block;
	r.state = (struct rule_state *)(void *)(block + matches_bytes);
	matches_bytes += state_bytes; // the texts stand behind both
	for (uint32_t i = 0; i < r.n_matches; i++) {
		r.matches[i] = p->match[i];
		r.matches[i].data = moved(p, p->match[i].data, block + matches_bytes);
	}
	for (uint32_t i = 0; i < r.n_state; i++) {
		r.state[i] = p->state[i];
		r.state[i].name = moved(p, p->state[i].name, block + matches_bytes);
		r.state[i].var = moved(p, p->state[i].var, block + matches_bytes);
	}
	if (p->n_bytes > 0)
		memcpy(block + matches_bytes, p->bytes, p->n_bytes);
	r.msg = moved(p, r.msg, block + matches_bytes);
	r.classtype = moved(p, r.classtype, block + matches_bytes);
	r.reference = moved(p, r.reference, block + matches_bytes);
	r.metadata = moved(p, r.metadata, block + matches_bytes);
	p->rs->v[p->rs->n++] = r;
	f->sids.slot[slot] = (uint32_t)p->rs->n;
	return 0;
}

// The sid of a rule that may be broken, for reports: the number after the last "sid:" that begins
// an option.
static uint32_t sid_guess(struct text t)
{
	size_t end = t.n < PARSE_RULE_BYTES_MAX ? t.n : PARSE_RULE_BYTES_MAX;
	uint32_t sid = 0;

	for (size_t i = 1; i + 4 < end; i++) {
		struct text rest = {t.s + i + 4, end - i - 4 < 16 ? end - i - 4 : 16}, number;
		int64_t n;

		if (memcmp(t.s + i, "sid:", 4) != 0 || strchr("(; \t", t.s[i - 1]) == NULL)
			continue;
		number = text_split(&rest, ';');
		if (text_number(number, 1, UINT32_MAX, &n) == 0)
			sid = (uint32_t)n;
	}
	return sid;
}

static void rule_reset(struct parser *p)
{
	p->r = (struct rule){
		.gid = 1,
		.priority = 3,
		.line = p->line,
		.file = p->file,
		.msg = "",
		.classtype = "",
		.reference = "",
		.metadata = "",
	};
	p->keyword = (struct text){NULL, 0};
	p->at_rule = p->at_source = 0;
	p->at_line = p->line;
	p->at_column = 1;
	p->n_bytes = p->n_reference = p->n_metadata = 0;
	p->sticky = p->content = p->fast_pattern = -1;
	p->sticky_at = NULL;
	p->prefilter = false;
	p->seen = 0;
	p->n_vars = 0;
	p->transforms = NULL;
	p->n_transforms = 0;
	p->decoded = false;
	p->base64 = -1;
}

static int rule_parse(struct file_parser *f)
{
	struct parser *p = &f->rule;
	struct text options;
	int ret;

	ret = parse_header(p, &options);
	if (ret == 0)
		ret = parse_options(p, options);
	if (ret == 0)
		ret = parse_check(p);
	if (ret == 0)
		ret = rule_take(f);
	return ret;
}

// No text has a NUL inside: words are compared up to theirs.
static int line_parse(struct file_parser *f)
{
	struct parser *p = &f->rule;
	const char *nul = memchr(p->rule.s, '\0', p->rule.n);

	if (nul != NULL)
		return parse_fail(p, nul, "NUL byte: is the file UTF-16 or binary?");
	return f->line != NULL ? f->line(p) : rule_parse(f);
}

static void skipped_count(struct rules *rs, const char *proto)
{
	size_t i = 0;

	rs->skipped++;
	while (i < rs->n_skipped_by && strcmp(rs->skipped_by[i].proto, proto) != 0)
		i++;
	if (i == rs->n_skipped_by)
		rs->skipped_by[rs->n_skipped_by++].proto = proto;
	rs->skipped_by[i].n++;
}

static void rule_report(struct file_parser *f, enum rules_verdict verdict)
{
	struct parser *p = &f->rule;

	if (verdict == RULES_SKIPPED)
		skipped_count(p->rs, p->skipped);
	else if (f->line == NULL)
		p->rs->refused++;
	f->n_refused += verdict == RULES_REFUSED;
	if (f->report != NULL)
		f->report(f->ctx, verdict, sid_guess(p->rule), &p->diag);
}

// Line end of the line that begins at off: *ret_end is where its text ends (no CR LF). Returns
// where the next begins.
static size_t line_end(const char *text, size_t len, size_t off, size_t *ret_end)
{
	const char *nl = memchr(text + off, '\n', len - off);
	size_t end = nl != NULL ? (size_t)(nl - text) : len;

	*ret_end = end > off && text[end - 1] == '\r' ? end - 1 : end;
	return nl != NULL ? end + 1 : len;
}

// Find the rule that begins at off: one line, or several when each but the last ends in a
// backslash. A joined copy is made only of those. Returns where the next line begins; *io_line is
// advanced to its number.
static size_t rule_find(struct file_parser *f, const char *text, size_t len, size_t off,
			unsigned int *io_line, bool *ret_too_long)
{
	struct parser *p = &f->rule;
	size_t end, start = off, next = line_end(text, len, off, &end), n = 0;
	bool joined = false;

	p->line = *io_line;
	while (end > off && text[end - 1] == '\\' && next > end) {
		if (n + (end - 1 - off) <= PARSE_RULE_BYTES_MAX)
			memcpy(f->joined + n, text + off, end - 1 - off);
		n += end - 1 - off;
		joined = true;
		(*io_line)++;
		off = next;
		next = line_end(text, len, off, &end);
	}
	if (joined && n + (end - off) <= PARSE_RULE_BYTES_MAX)
		memcpy(f->joined + n, text + off, end - off);
	n += end - off;
	(*io_line)++;
	*ret_too_long = n > PARSE_RULE_BYTES_MAX;
	p->joined = joined;
	p->source = (struct text){text + start, end - start};
	p->rule = joined && !*ret_too_long ? (struct text){f->joined, n} : p->source;
	return next;
}

// All rules of the text. 0 or -ENOMEM.
static int file_parse(struct file_parser *f, const char *text, size_t len)
{
	struct parser *p = &f->rule;
	unsigned int line = 1;
	size_t off = 0;

	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		off = 3; // byte order mark
	while (off < len) {
		struct text first;
		bool too_long;
		size_t end, next = line_end(text, len, off, &end);
		int ret;

		first = text_trim((struct text){text + off, end - off});
		if (first.n == 0 || first.s[0] == '#') {
			off = next;
			line++;
			continue;
		}
		off = rule_find(f, text, len, off, &line, &too_long);
		rule_reset(p);
		p->rs->seen += f->line == NULL;
		if (p->rs->n >= PARSE_RULES_MAX || f->n_refused >= PARSE_RULES_MAX) {
			parse_fail(p, NULL,
				   "more than %d rules%s: this one and all after it are left out",
				   PARSE_RULES_MAX, p->rs->n < PARSE_RULES_MAX ? " refused" : "");
			rule_report(f, RULES_REFUSED);
			return 0;
		}
		if (too_long)
			ret = parse_fail(p, NULL, "a line of more than %d bytes",
					 PARSE_RULE_BYTES_MAX);
		else
			ret = line_parse(f);
		if (ret == -ENOMEM)
			return ret;
		if (ret != 0)
			rule_report(f, ret == PARSE_SKIPPED ? RULES_SKIPPED : RULES_REFUSED);
	}
	return 0;
}

static void file_parser_free(struct file_parser *f)
{
	if (f == NULL)
		return;
	set_cache_free(f->rule.sets);
	pcre_checker_free(f->rule.pcre);
	free(f->rule.bytes);
	free(f->rule.reference);
	free(f->rule.metadata);
	free(f->joined);
	free(f->sids.slot);
	free(f);
}

static struct file_parser *file_parser_new(struct rules *rs, const char *file,
					   const struct rule_var *vars)
{
	struct file_parser *f = calloc(1, sizeof(*f));
	char *name;

	if (f == NULL)
		return NULL;
	name = rules_alloc(rs, strlen(file) + 1);
	f->rule.rs = rs;
	f->rule.file = name;
	f->rule.vars = vars;
	f->rule.files = rs->files;
	f->rule.sets = set_cache_new();
	f->rule.pcre = pcre_checker_new();
	f->rule.bytes = malloc(2 * PARSE_RULE_BYTES_MAX);
	f->rule.reference = malloc(PARSE_RULE_BYTES_MAX);
	f->rule.metadata = malloc(PARSE_RULE_BYTES_MAX);
	f->joined = malloc(PARSE_RULE_BYTES_MAX);
	if (name == NULL || f->rule.sets == NULL || f->rule.pcre == NULL || f->rule.bytes == NULL ||
	    f->rule.reference == NULL || f->rule.metadata == NULL || f->joined == NULL) {
		file_parser_free(f);
		return NULL;
	}
	strcpy(name, file);
	return f;
}

int parse_lines(struct rules *rs, const char *file, const char *text, size_t len,
		const struct rule_var *vars, int (*line)(struct parser *p), rules_report_fn *report,
		void *ctx)
{
	struct file_parser *f = file_parser_new(rs, file, vars);
	int ret;

	if (f == NULL)
		return -ENOMEM;
	f->line = line;
	f->report = report;
	f->ctx = ctx;
	ret = file_parse(f, text, len);
	file_parser_free(f);
	return ret;
}

int rules_parse(struct rules *rs, const char *file, const char *text, size_t len,
		const struct rule_var *vars, rules_report_fn *report, void *ctx)
{
	size_t before = rs->n;
	int ret = parse_lines(rs, file, text, len, vars, NULL, report, ctx);

	return ret != 0 ? ret : (int)(rs->n - before);
}

int rules_parse_kind(struct rules *rs, enum rules_kind kind, const char *file, const char *text,
		     size_t len, const struct rule_var *vars, rules_report_fn *report, void *ctx)
{
	int ret;

	switch (kind) {
	case RULES_KIND_CLASSIFICATION:
		return rules_classification(rs, file, text, len, report, ctx);
	case RULES_KIND_THRESHOLDS:
		return rules_thresholds(rs, file, text, len, vars, report, ctx);
	default:
		ret = rules_parse(rs, file, text, len, vars, report, ctx);
		return ret < 0 ? ret : 0;
	}
}

// Read exactly size bytes. 0 or negative errno; a file that got shorter is -EIO.
static int read_all(int fd, char *buf, size_t size)
{
	while (size > 0) {
		ssize_t n = read(fd, buf, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		buf += n;
		size -= (size_t)n;
	}
	return 0;
}

int rules_parse_file(struct rules *rs, const char *path, const struct rule_var *vars,
		     rules_report_fn *report, void *ctx, struct diag *ret_diag)
{
	static const struct rule_files folder = {.open = rule_files_open_beside};
	const bool own_files = rs->files == NULL;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), ret;
	char *text = NULL;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) != 0) {
		ret = -errno;
		diag_set(ret_diag, path, 0, 0, "cannot be read: %s", strerror(errno));
		goto done;
	}
	if (!S_ISREG(st.st_mode) || st.st_size > FILE_BYTES_MAX) {
		ret = S_ISDIR(st.st_mode) ? -EISDIR : S_ISREG(st.st_mode) ? -EFBIG : -EINVAL;
		diag_set(ret_diag, path, 0, 0,
			 "is not a rule file: a regular file of at most %d MiB is needed",
			 FILE_BYTES_MAX >> 20);
		goto done;
	}
	text = malloc((size_t)st.st_size + 1);
	ret = text != NULL ? read_all(fd, text, (size_t)st.st_size) : -ENOMEM;
	if (ret == 0 && own_files)
		rs->files = &folder;
	if (ret == 0)
		ret = rules_parse(rs, path, text, (size_t)st.st_size, vars, report, ctx);
	if (own_files)
		rs->files = NULL;
	if (ret < 0)
		diag_set(ret_diag, path, 0, 0, "cannot be read: %s", strerror(-ret));
done:
	free(text);
	if (fd >= 0)
		close(fd);
	return ret;
}

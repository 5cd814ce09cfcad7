// SPDX-License-Identifier: BSD-2-Clause
// Keywords that look things up in lists, and those about files: dataset, filemd5, filesha1, filesha256, filename, fileext,
// filesize, filestore.
//
// A list is read when the first rule names it, so that a rule whose list is not there, or is broken, is refused like any
// other: with its place and the reason. Nothing on the wire changes a list.
#include "rules/parse_rule.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rules/list_make.h"

enum {
	LISTS_MAX = 1024,
	NAME_MAX_BYTES = 255,
	FILESIZE_MAX = UINT32_MAX,
};

// ---- lists ----

static ssize_t source_read(void *ctx, void *buf, size_t n)
{
	struct rule_source *s = ctx;

	return s->fd < 0 ? lines_read_span(&s->data, buf, n) : lines_read_fd(&s->fd, buf, n);
}

int rule_files_open_beside(void *ctx, const char *rule_file, const char *name,
			   struct rule_source *ret_source, struct diag *ret_diag)
{
	const char *slash = strrchr(rule_file, '/');
	int folder = slash != NULL ? (int)(slash - rule_file) + 1 : 0;
	struct stat st;
	int fd;

	*ret_source = (struct rule_source){.fd = -1};
	if ((size_t)snprintf(ret_source->name, sizeof(ret_source->name), "%.*s%s", folder,
			     rule_file, name) >= sizeof(ret_source->name)) {
		diag_set(ret_diag, NULL, 0, 0, "is too long a path");
		return -ENAMETOOLONG;
	}
	// O_NONBLOCK: a FIFO in place of the file must not block
	fd = open(ret_source->name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0) {
		int err = -errno;

		diag_set(ret_diag, NULL, 0, 0, "cannot open %s: %s", ret_source->name,
			 strerror(-err));
		return err;
	}
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		diag_set(ret_diag, NULL, 0, 0, "%s is not a regular file", ret_source->name);
		close(fd);
		return -EINVAL;
	}
	ret_source->fd = fd;
	return 0;
}

// Relative, without ".." and control characters. ret_name has room for NAME_MAX_BYTES and a NUL.
static int name_take(struct parser *p, struct text t, char *ret_name)
{
	char word[PARSE_QUOTE_BYTES];

	text_unquote(t, &t);
	if (t.n == 0 || t.n > NAME_MAX_BYTES)
		return parse_fail(p, t.s, "the name of a list's file has 1 to %d bytes",
				  NAME_MAX_BYTES);
	memcpy(ret_name, t.s, t.n);
	ret_name[t.n] = '\0';
	parse_quote(word, t);
	for (size_t i = 0; i < t.n; i++)
		if ((unsigned char)t.s[i] < 0x20 || t.s[i] == 0x7f)
			return parse_fail(p, t.s + i, "control character in the name of a file");
	if (ret_name[0] == '/')
		return parse_fail(p, t.s,
				  "\"%s\": a list's file is named relative to the rule file, "
				  "since it travels with it",
				  word);
	for (const char *part = ret_name; part != NULL; part = strchr(part, '/')) {
		part += *part == '/';
		if (part[0] == '.' && part[1] == '.' && (part[2] == '/' || part[2] == '\0'))
			return parse_fail(p, t.s, "\"%s\": \"..\" leads outside", word);
	}
	return 0;
}

// The list of the set that was read from there, or -ENOENT.
static int list_find(const struct rules *rs, const char *name, enum list_kind kind)
{
	for (uint32_t i = 0; i < rs->n_lists; i++)
		if (rs->lists[i].kind == kind && strcmp(rs->lists[i].name, name) == 0)
			return (int)i;
	return -ENOENT;
}

// Sorted entries; NULL: *ret_why says what is wrong with the list, or is NULL when out of memory.
static struct list_maker *list_read(struct parser *p, struct rule_source *source,
				    enum list_kind kind, const char **ret_why)
{
	struct list_maker *m = calloc(1, sizeof(*m));
	struct diag d = {0};
	char text[1024], *why;
	int ret = -ENOMEM;

	*ret_why = NULL;
	if (m != NULL) {
		m->kind = (uint8_t)kind;
		ret = list_maker_read(m, source->name, source_read, source, &d);
	}
	if (ret == 0)
		ret = list_maker_sort(m);
	if (ret == 0)
		return m;
	if (m != NULL)
		list_maker_done(m);
	free(m);
	if (ret == -ENOMEM)
		return NULL;
	if (d.text[0] == '\0')
		diag_set(&d, source->name, 0, 0, "cannot be read: %s", strerror(-ret));
	diag_format(&d, text, sizeof(text));
	why = rules_alloc(p->rs, strlen(text) + 1);
	if (why != NULL)
		*ret_why = strcpy(why, text);
	return NULL;
}

// Read a list into the set; one that is broken is remembered, too: many rules may name it. Index or -ENOMEM.
static int list_add(struct parser *p, struct rule_source *source, enum list_kind kind)
{
	struct rules *rs = p->rs;
	struct rule_list *lists = realloc(rs->lists, (rs->n_lists + 1) * sizeof(*lists)), *l;
	char *name = rules_alloc(rs, strlen(source->name) + 1);

	if (lists != NULL)
		rs->lists = lists;
	if (lists == NULL || name == NULL)
		return -ENOMEM;
	l = &lists[rs->n_lists];
	*l = (struct rule_list){.name = strcpy(name, source->name), .kind = (uint8_t)kind};
	l->entries = list_read(p, source, kind, &l->why);
	if (l->entries == NULL && l->why == NULL)
		return -ENOMEM;
	return (int)rs->n_lists++;
}

// Index of the list in file `value` of the rule, -EINVAL or -ENOMEM.
static int list_load(struct parser *p, struct text value, enum list_kind kind)
{
	char name[NAME_MAX_BYTES + 1], word[PARSE_QUOTE_BYTES];
	struct rule_source source = {.fd = -1};
	struct diag d = {0};
	int ret = name_take(p, value, name);

	if (ret < 0)
		return ret;
	parse_quote(word, value);
	if (p->files == NULL)
		return parse_fail(p, value.s, "list %s: there are no files here", word);
	ret = p->files->open(p->files->ctx, p->file, name, &source, &d);
	if (ret == -ENOMEM)
		return ret;
	if (ret < 0)
		return parse_fail(p, value.s, "list %s: %s", word, d.text);
	ret = list_find(p->rs, source.name, kind);
	if (ret < 0 && p->rs->n_lists == LISTS_MAX)
		ret = parse_fail(p, value.s, "more than %d lists in the rule set", LISTS_MAX);
	else if (ret < 0)
		ret = list_add(p, &source, kind);
	if (source.fd >= 0)
		close(source.fd);
	if (ret >= 0 && p->rs->lists[ret].entries == NULL)
		ret = parse_fail(p, value.s, "%s", p->rs->lists[ret].why);
	return ret;
}

// ---- dataset ----

struct dataset {
	struct text type, file;
	bool negated;
};

static int dataset_option(struct parser *p, struct text t, struct dataset *io_set)
{
	struct text value = t, key = text_split(&value, ' ');
	char word[PARSE_QUOTE_BYTES];

	parse_quote(word, key);
	if (text_is(key, "state") || text_is(key, "save"))
		return parse_fail(p, t.s,
				  "dataset: %s is not supported: nothing on the wire changes a "
				  "list (use load)",
				  word);
	if (text_is(key, "type"))
		io_set->type = value;
	else if (text_is(key, "load"))
		io_set->file = value;
	else if (!text_is(key, "memcap") && !text_is(key, "hashsize")) // sizes of tables: ours fit
		return parse_fail(p, t.s, "dataset: \"%s\" is none of type, load, memcap, hashsize",
				  word);
	if (value.n == 0)
		return parse_fail(p, t.s, "dataset: %s needs a value", word);
	return 0;
}

static int dataset_command(struct parser *p, struct text t, struct dataset *io_set)
{
	char word[PARSE_QUOTE_BYTES];

	parse_quote(word, t);
	if (text_is(t, "set") || text_is(t, "unset"))
		return parse_fail(p, t.s,
				  "dataset:%s is not supported: nothing on the wire changes a list",
				  word);
	if (!text_is(t, "isset") && !text_is(t, "isnotset"))
		return parse_fail(p, t.s, "dataset: \"%s\" is neither isset nor isnotset", word);
	io_set->negated = text_is(t, "isnotset");
	return 0;
}

static int dataset_kind(struct parser *p, struct text type)
{
	static const struct {
		const char *name;
		enum list_kind kind;
	} types[] = {
		{"string", LIST_TEXT}, {"md5", LIST_MD5}, {"sha256", LIST_SHA256},
		{"sha1", LIST_SHA1},   {"ip", LIST_IP},   {"ipv4", LIST_IP},
	};
	char word[PARSE_QUOTE_BYTES];

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (text_is(type, types[i].name))
			return (int)types[i].kind;
	return parse_fail(
		p, type.s,
		"dataset: \"%s\" is none of the types string, md5, sha1, sha256, ip, ipv4",
		parse_quote(word, type));
}

int parse_dataset(struct parser *p, const struct option *o, int arg)
{
	struct text rest = o->value, command = text_split(&rest, ','),
		    name = text_split(&rest, ',');
	struct dataset set = {.negated = false};
	int i, kind, ret = dataset_command(p, command, &set);

	if (ret == 0 && name.n == 0)
		ret = parse_fail(p, o->value.s,
				 "dataset: write dataset:isset,NAME,type TYPE,load "
				 "FILE");
	while (ret == 0 && rest.n > 0)
		ret = dataset_option(p, text_split(&rest, ','), &set);
	if (ret != 0)
		return ret;
	if (set.type.n == 0 || set.file.n == 0)
		return parse_fail(p, name.s,
				  "dataset: say type TYPE and load FILE in every rule that uses "
				  "the list");
	if (p->sticky < 0)
		return parse_fail(p, o->name.s,
				  "dataset needs a buffer before it: http.host; dataset:...");
	kind = dataset_kind(p, set.type);
	ret = kind < 0 ? kind : list_load(p, set.file, (enum list_kind)kind);
	if (ret < 0)
		return ret;
	i = parse_match_new(p, o, RULE_DATASET, (unsigned int)p->sticky);
	if (i < 0)
		return i;
	p->match[i].list = (uint32_t)ret;
	p->match[i].flags |= set.negated ? RULE_NEGATED : 0;
	p->content = -1;
	return 0;
}

// ---- files ----

// A match about files, wherever the matches around it look. Index or -EINVAL.
static int file_match(struct parser *p, const struct option *o, enum rule_match_type type,
		      enum buffer buffer)
{
	const char *sticky_at = p->sticky_at;
	int i = parse_match_new(p, o, type, buffer);

	if (i < 0)
		return i;
	p->sticky_at = sticky_at; // it is no content of the buffer before it
	p->match[i].flags = 0;
	p->match[i].transforms = NULL;
	p->match[i].n_transforms = 0;
	return i;
}

static bool take_not(struct text *io_value)
{
	if (io_value->n == 0 || io_value->s[0] != '!')
		return false;
	*io_value = text_trim((struct text){io_value->s + 1, io_value->n - 1});
	return true;
}

int parse_file_digest(struct parser *p, const struct option *o, int kind)
{
	struct text value = o->value;
	bool negated = take_not(&value);
	int list = list_load(p, value, (enum list_kind)kind), i;

	if (list < 0)
		return list;
	i = file_match(p, o, RULE_FILE_DIGEST, BUF_FILE);
	if (i < 0)
		return i;
	p->match[i].list = (uint32_t)list;
	p->match[i].flags |= negated ? RULE_NEGATED : 0;
	return 0;
}

// filename:"x" is a content of file.name in any case; fileext:"x" one of ".x" at its end.
int parse_file_name(struct parser *p, const struct option *o, int is_ext)
{
	struct text value = o->value, inner;
	bool negated = take_not(&value);
	char word[PARSE_QUOTE_BYTES];
	uint8_t *out;
	size_t n = 0;
	int i;

	if (!text_unquote(value, &inner) || inner.n == 0 || inner.n > NAME_MAX_BYTES)
		return parse_fail(p, o->value.s, "write %s:\"TEXT\" with 1 to %d bytes",
				  parse_quote(word, o->name), NAME_MAX_BYTES);
	i = file_match(p, o, RULE_CONTENT, BUF_FILE_NAME);
	if (i < 0)
		return i;
	out = parse_bytes(p, inner.n + 1);
	assert(out != NULL);
	if (is_ext)
		out[n++] = '.';
	for (size_t k = 0; k < inner.n; k++) {
		if (inner.s[k] == '\\' && k + 1 < inner.n)
			k++;
		out[n++] = (uint8_t)inner.s[k];
	}
	p->match[i].data = out;
	p->match[i].len = (uint16_t)n;
	p->match[i].flags =
		RULE_NOCASE | (negated ? RULE_NEGATED : 0) | (is_ext ? RULE_ENDSWITH : 0);
	return 0;
}

int parse_filesize(struct parser *p, const struct option *o, int arg)
{
	struct number *n = rules_alloc(p->rs, sizeof(*n));
	int i;

	if (n == NULL)
		return -ENOMEM;
	n->multiplier = 1;
	i = file_match(p, o, RULE_FILE_SIZE, BUF_FILE);
	if (i < 0)
		return i;
	p->match[i].number = n;
	return parse_size(p, o, o->value, FILESIZE_MAX, n);
}

// It says what Suricata does with a file after the match. No payload is ever stored; what remains is that there is a file.
int parse_filestore(struct parser *p, const struct option *o, int arg)
{
	struct number *n = rules_alloc(p->rs, sizeof(*n));
	int i;

	if (n == NULL)
		return -ENOMEM;
	*n = (struct number){.op = NUMBER_GE, .multiplier = 1};
	i = file_match(p, o, RULE_FILE_SIZE, BUF_FILE);
	if (i < 0)
		return i;
	p->match[i].number = n;
	return 0;
}

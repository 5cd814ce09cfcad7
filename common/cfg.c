// SPDX-License-Identifier: BSD-2-Clause
// libconfig does the grammar, this file the schema: every key of the file must be in the table and
// fit its row.
//
// Written for libconfig 1.5. What it would do silently is refused before it sees the text: @include
// (a configuration is one file, and names no others), \x00 in a string (which cuts it short), and
// numbers that do not fit (which wrap).
#include "common/cfg.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libconfig.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/suggest.h"

enum {
	CFG_BYTES_MAX = 1 << 20,
	CFG_NESTING_MAX = 32, // of brackets and braces; no schema here needs more than 5
	CFG_KEYS_MAX = 64,    // of one group
	CFG_PATH_BYTES = 128,
};

struct reader {
	const char *name;
	struct diag *diag;
};

// Where a setting is, for messages: "rx.desc".
struct path {
	char text[CFG_PATH_BYTES];
};

__attribute__((format(printf, 3, 4))) static int
cfg_fail(const struct reader *rd, const config_setting_t *at, const char *fmt, ...)
{
	char text[sizeof(rd->diag->text)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	diag_set(rd->diag, rd->name, at != NULL ? config_setting_source_line(at) : 0, 0, "%s",
		 text);
	return -EINVAL;
}

static struct path path_join(const struct path *group, const char *name)
{
	struct path path;
	int n = snprintf(path.text, sizeof(path.text), "%s%s%s", group->text,
			 group->text[0] != '\0' ? "." : "", name);

	if (n < 0 || (size_t)n >= sizeof(path.text))
		strcpy(path.text + sizeof(path.text) - 4, "...");
	return path;
}

static struct path path_index(const struct path *list, unsigned int i)
{
	char name[16];
	struct path path = *list;

	snprintf(name, sizeof(name), "[%u]", i);
	if (strlen(path.text) + strlen(name) < sizeof(path.text))
		strcat(path.text, name);
	return path;
}

static const char *type_name(const config_setting_t *s)
{
	switch (config_setting_type(s)) {
	case CONFIG_TYPE_INT:
	case CONFIG_TYPE_INT64:
		return "a number";
	case CONFIG_TYPE_FLOAT:
		return "a number with a decimal point";
	case CONFIG_TYPE_STRING:
		return "a string";
	case CONFIG_TYPE_BOOL:
		return "true or false";
	case CONFIG_TYPE_GROUP:
		return "a group { }";
	case CONFIG_TYPE_ARRAY:
		return "an array [ ]";
	default:
		return "a list ( )";
	}
}

static int group_read(const struct reader *rd, const config_setting_t *group,
		      const struct path *path, const struct cfg_key *keys, uint8_t *base);

static int int_read(const struct reader *rd, const config_setting_t *s, const struct path *path,
		    const struct cfg_key *key, uint8_t *dst)
{
	int type = config_setting_type(s);
	int64_t n;

	if (type != CONFIG_TYPE_INT && type != CONFIG_TYPE_INT64)
		return cfg_fail(rd, s, "%s must be a whole number, not %s", path->text,
				type_name(s));
	n = type == CONFIG_TYPE_INT ? config_setting_get_int(s) : config_setting_get_int64(s);
	if (n < key->min || n > key->max)
		return cfg_fail(rd, s, "%s is %" PRId64 ": must be %" PRId64 " to %" PRId64,
				path->text, n, key->min, key->max);
	memcpy(dst, &n, sizeof(n));
	return 0;
}

// min and max bound the length; size is the room in dst.
static int string_read(const struct reader *rd, const config_setting_t *s, const struct path *path,
		       int64_t min, int64_t max, size_t size, uint8_t *dst)
{
	const char *value;
	size_t len;

	if (config_setting_type(s) != CONFIG_TYPE_STRING)
		return cfg_fail(rd, s, "%s must be a string in double quotes, not %s", path->text,
				type_name(s));
	value = config_setting_get_string(s);
	len = strlen(value);
	if (max > (int64_t)size - 1)
		max = (int64_t)size - 1;
	if ((int64_t)len < min || (int64_t)len > max)
		return cfg_fail(rd, s, "%s has %zu bytes: must be %" PRId64 " to %" PRId64,
				path->text, len, min, max);
	memcpy(dst, value, len + 1);
	return 0;
}

static int enum_read(const struct reader *rd, const config_setting_t *s, const struct path *path,
		     const struct cfg_key *key, uint8_t *dst)
{
	char all[256] = "";
	const char *value, *closest;
	int n = 0;

	if (config_setting_type(s) != CONFIG_TYPE_STRING)
		return cfg_fail(rd, s, "%s must be a string in double quotes, not %s", path->text,
				type_name(s));
	value = config_setting_get_string(s);
	for (; key->values[n] != NULL; n++) {
		size_t used = strlen(all);

		if (strcmp(value, key->values[n]) == 0) {
			memcpy(dst, &n, sizeof(n));
			return 0;
		}
		snprintf(all + used, sizeof(all) - used, "%s\"%s\"", n > 0 ? ", " : "",
			 key->values[n]);
	}
	closest = suggest_closest(value, key->values, (size_t)n);
	if (closest != NULL)
		return cfg_fail(rd, s, "%s: unknown value \"%.64s\" (did you mean \"%s\"?)",
				path->text, value, closest);
	return cfg_fail(rd, s, "%s: unknown value \"%.64s\": must be one of %s", path->text, value,
			all);
}

// STRINGS and LIST: check the shape and the count, and write it.
static int count_read(const struct reader *rd, const config_setting_t *s, const struct path *path,
		      const struct cfg_key *key, uint8_t *base, uint32_t *ret_count)
{
	int type = config_setting_type(s);
	uint32_t count;

	if (type != CONFIG_TYPE_LIST && (key->type == CFG_LIST || type != CONFIG_TYPE_ARRAY))
		return cfg_fail(rd, s, "%s must be a list: %s, not %s", path->text,
				key->type == CFG_LIST ? "( { ... }, { ... } )"
						      : "[\"...\", \"...\"]",
				type_name(s));
	count = (uint32_t)config_setting_length(s);
	if (count < key->min || count > key->max)
		return cfg_fail(rd, s, "%s has %u entries: must have %" PRId64 " to %" PRId64,
				path->text, count, key->min, key->max);
	memcpy(base + key->count_offset, &count, sizeof(count));
	*ret_count = count;
	return 0;
}

static int strings_read(const struct reader *rd, const config_setting_t *s, const struct path *path,
			const struct cfg_key *key, uint8_t *base)
{
	uint32_t count;
	int ret = count_read(rd, s, path, key, base, &count);

	for (uint32_t i = 0; i < count && ret == 0; i++) {
		struct path item = path_index(path, i);

		ret = string_read(rd, config_setting_get_elem(s, i), &item, 0,
				  (int64_t)key->size - 1, key->size,
				  base + key->offset + i * key->size);
	}
	return ret;
}

static int list_read(const struct reader *rd, const config_setting_t *s, const struct path *path,
		     const struct cfg_key *key, uint8_t *base)
{
	uint32_t count;
	int ret = count_read(rd, s, path, key, base, &count);

	for (uint32_t i = 0; i < count && ret == 0; i++) {
		struct path item = path_index(path, i);

		ret = group_read(rd, config_setting_get_elem(s, i), &item, key->keys,
				 base + key->offset + i * key->size);
	}
	return ret;
}

static int key_read(const struct reader *rd, const config_setting_t *s, const struct path *path,
		    const struct cfg_key *key, uint8_t *base)
{
	uint8_t *dst = base + key->offset;

	switch (key->type) {
	case CFG_BOOL:
		if (config_setting_type(s) != CONFIG_TYPE_BOOL)
			return cfg_fail(rd, s, "%s must be true or false, not %s", path->text,
					type_name(s));
		*(bool *)dst = config_setting_get_bool(s) != 0;
		return 0;
	case CFG_INT:
		return int_read(rd, s, path, key, dst);
	case CFG_STRING:
		return string_read(rd, s, path, key->min, key->max, key->size, dst);
	case CFG_ENUM:
		return enum_read(rd, s, path, key, dst);
	case CFG_STRINGS:
		return strings_read(rd, s, path, key, base);
	case CFG_GROUP:
		return group_read(rd, s, path, key->keys, dst);
	case CFG_LIST:
		return list_read(rd, s, path, key, base);
	}
	return -EINVAL;
}

static int key_unknown(const struct reader *rd, const config_setting_t *s, const struct path *group,
		       const struct cfg_key *keys)
{
	const char *names[CFG_KEYS_MAX], *name = config_setting_name(s), *closest;
	const char *where = group->text[0] != '\0' ? group->text : "the file";
	size_t n = 0;

	for (; keys[n].name != NULL && n < CFG_KEYS_MAX; n++)
		names[n] = keys[n].name;
	closest = suggest_closest(name, names, n);
	if (closest != NULL)
		return cfg_fail(rd, s, "unknown key \"%.64s\" in %s (did you mean %s?)", name,
				where, closest);
	return cfg_fail(rd, s, "unknown key \"%.64s\" in %s", name, where);
}

static int group_read(const struct reader *rd, const config_setting_t *group,
		      const struct path *path, const struct cfg_key *keys, uint8_t *base)
{
	int n, ret;

	if (config_setting_type(group) != CONFIG_TYPE_GROUP)
		return cfg_fail(rd, group, "%s must be a group { ... }, not %s", path->text,
				type_name(group));
	n = config_setting_length(group);
	for (int i = 0; i < n; i++) {
		const config_setting_t *s = config_setting_get_elem(group, (unsigned int)i);
		const struct cfg_key *key = keys;
		struct path child = path_join(path, config_setting_name(s));

		while (key->name != NULL && strcmp(key->name, config_setting_name(s)) != 0)
			key++;
		if (key->name == NULL)
			return key_unknown(rd, s, path, keys);
		ret = key_read(rd, s, &child, key, base);
		if (ret != 0)
			return ret;
	}
	for (const struct cfg_key *key = keys; key->name != NULL; key++)
		if (key->required && config_setting_get_member(group, key->name) == NULL)
			return cfg_fail(rd, path->text[0] != '\0' ? group : NULL,
					"missing key \"%s\" in %s", key->name,
					path->text[0] != '\0' ? path->text : "the file");
	return 0;
}

static int text_refuse(const char *name, unsigned int line, const char *why, struct diag *ret_diag)
{
	diag_set(ret_diag, name, line, 0, "%s", why);
	return -EINVAL;
}

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '-' || c == '*' || c == '.';
}

// A word or number that begins at s: its length, at least 1. *ret_why: NULL, or what is wrong with
// it. A number without L is 32 bits wide in libconfig, and it wraps.
static size_t word_check(const char *s, const char **ret_why)
{
	bool hex = s[0] == '0' && (s[1] | 0x20) == 'x', is_long, fits;
	size_t len = 1, digits;
	uint64_t n;

	while (is_word(s[len]))
		len++;
	*ret_why = NULL;
	if (s[0] < '0' || s[0] > '9')
		return len;
	digits = hex ? 2 + strspn(s + 2, "0123456789abcdefABCDEF") : strspn(s, "0123456789");
	is_long = s[digits] == 'L';
	if (s[digits] == '.' || (!hex && (s[digits] | 0x20) == 'e'))
		return len;
	errno = 0;
	n = strtoull(s, NULL, hex ? 16 : 10);
	fits = errno == 0 && n <= INT64_MAX;
	if (!fits)
		*ret_why = "the number does not fit 64 bits";
	else if (!is_long && n > INT32_MAX)
		*ret_why =
			"a number beyond 2147483647 is written with an L at its end: 5000000000L";
	return digits;
}

enum scan_state {
	SCAN_CODE,
	SCAN_STRING,
	SCAN_LINE_COMMENT,
	SCAN_BLOCK_COMMENT,
};

// One step outside of strings and comments. Returns the bytes taken, at least 1.
static size_t code_check(const char *s, enum scan_state *io_state, unsigned int *io_depth,
			 const char **ret_why)
{
	*ret_why = NULL;
	if (*s == '"')
		*io_state = SCAN_STRING;
	else if (*s == '#' || (s[0] == '/' && s[1] == '/'))
		*io_state = SCAN_LINE_COMMENT;
	else if (s[0] == '/' && s[1] == '*')
		*io_state = SCAN_BLOCK_COMMENT;
	else if (*s == '{' || *s == '(' || *s == '[')
		++*io_depth;
	else if ((*s == '}' || *s == ')' || *s == ']') && *io_depth > 0)
		--*io_depth;
	else if (is_word(*s) && *s != '-')
		return word_check(s, ret_why);
	if (*io_depth > CFG_NESTING_MAX)
		*ret_why = "groups and lists are nested too deep";
	return *io_state == SCAN_BLOCK_COMMENT ? 2 : 1;
}

static size_t string_check(const char *s, enum scan_state *io_state, const char **ret_why)
{
	*ret_why = NULL;
	if (*s == '\\' && s[1] != '\0' && s[1] != '\n') {
		if (strncmp(s, "\\x00", 4) == 0)
			*ret_why = "\\x00 in a string is not allowed";
		return 2;
	}
	if (*s == '"')
		*io_state = SCAN_CODE;
	return 1;
}

// What libconfig must not see. Simpler than its grammar, and on the safe side: @include at the
// start of a line counts in comments and strings too.
static int text_check(const char *name, const char *text, struct diag *ret_diag)
{
	enum scan_state state = SCAN_CODE;
	unsigned int line = 1, depth = 0;
	const char *s = text;

	while (*s != '\0') {
		const char *why = NULL;
		size_t step = 1;

		if ((s == text || s[-1] == '\n') &&
		    strncmp(s + strspn(s, " \t\r\v\f"), "@include", 8) == 0)
			why = "@include is not allowed: a configuration is one file, copy the "
			      "settings in";
		else if (*s == '\n') {
			line++;
			state = state == SCAN_LINE_COMMENT ? SCAN_CODE : state;
		} else if (state == SCAN_STRING) {
			step = string_check(s, &state, &why);
		} else if (state == SCAN_BLOCK_COMMENT && s[0] == '*' && s[1] == '/') {
			state = SCAN_CODE;
			step = 2;
		} else if (state == SCAN_CODE) {
			step = code_check(s, &state, &depth, &why);
		}
		if (why != NULL)
			return text_refuse(name, line, why, ret_diag);
		s += step;
	}
	return 0;
}

int cfg_read_text(const char *name, const char *text, const struct cfg_key *keys, void *base,
		  struct diag *ret_diag)
{
	struct diag unused;
	struct reader rd = {.name = name, .diag = ret_diag != NULL ? ret_diag : &unused};
	struct path root = {""};
	config_t config;
	int ret = text_check(name, text, ret_diag);

	if (ret != 0)
		return ret;
	config_init(&config);
	if (config_read_string(&config, text) == CONFIG_TRUE) {
		ret = group_read(&rd, config_root_setting(&config), &root, keys, base);
	} else {
		diag_set(ret_diag, name, (unsigned int)config_error_line(&config), 0,
			 "%s (look for a missing \";\", quote or bracket here or on the line "
			 "before)",
			 config_error_text(&config));
		ret = -EINVAL;
	}
	config_destroy(&config);
	return ret;
}

// The whole file as a string. 0 or negative errno with ret_diag filled; free(*ret_text).
static int file_read(const char *path, char **ret_text, struct diag *ret_diag)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), ret = 0;
	size_t n = 0, size = CFG_BYTES_MAX + 1;
	char *text = malloc(size + 1);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) != 0 || text == NULL) {
		ret = text == NULL ? -ENOMEM : -errno;
		diag_set(ret_diag, path, 0, 0, "cannot be read: %s", strerror(-ret));
	} else if (!S_ISREG(st.st_mode)) {
		ret = text_refuse(path, 0, "is not a regular file", ret_diag);
	}
	while (ret == 0 && n < size) {
		ssize_t got = read(fd, text + n, size - n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			ret = -errno;
			diag_set(ret_diag, path, 0, 0, "cannot be read: %s", strerror(errno));
		}
		if (got <= 0)
			break;
		n += (size_t)got;
	}
	if (fd >= 0)
		close(fd);
	if (ret == 0 && n > CFG_BYTES_MAX)
		ret = text_refuse(path, 0, "has more than 1 MiB: this is not a configuration",
				  ret_diag);
	if (ret == 0 && memchr(text, '\0', n) != NULL)
		ret = text_refuse(path, 0, "has NUL bytes: this is not a text file", ret_diag);
	if (ret != 0) {
		free(text);
		return ret;
	}
	text[n] = '\0';
	*ret_text = text;
	return 0;
}

int cfg_read(const char *path, const struct cfg_key *keys, void *base, struct diag *ret_diag)
{
	char *text;
	int ret = file_read(path, &text, ret_diag);

	if (ret != 0)
		return ret;
	ret = cfg_read_text(path, text, keys, base, ret_diag);
	free(text);
	return ret;
}

unsigned int cfg_line(const char *path, const char *key)
{
	const config_setting_t *s;
	unsigned int line = 0;
	config_t config;
	char *text;

	if (file_read(path, &text, NULL) != 0)
		return 0;
	config_init(&config);
	if (config_read_string(&config, text) == CONFIG_TRUE &&
	    (s = config_lookup(&config, key)) != NULL)
		line = config_setting_source_line(s);
	config_destroy(&config);
	free(text);
	return line;
}

// SPDX-License-Identifier: BSD-2-Clause
// The configuration reader: values land in their fields, everything else is refused with line, key
// and remedy.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <errno.h>
#include <cmocka.h>

#include "common/cfg.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

struct port {
	char name[8];
	int64_t queues;
};

struct conf {
	bool on;
	int64_t number;
	char name[8];
	int mode;
	char tag[3][8];
	uint32_t n_tags;
	struct {
		int64_t depth;
		struct {
			bool deep;
		} inner;
	} group;
	struct port port[2];
	uint32_t n_ports;
};

static const char *const modes[] = {"tap", "inline", NULL};

static const struct cfg_key inner_keys[] = {
	{.name = "deep", .type = CFG_BOOL, .offset = offsetof(struct conf, group.inner.deep)},
	{.name = NULL},
};
static const struct cfg_key group_keys[] = {
	{.name = "depth",
	 .type = CFG_INT,
	 .offset = offsetof(struct conf, group.depth),
	 .min = 1,
	 .max = 9,
	 .required = true},
	{.name = "inner", .type = CFG_GROUP, .keys = inner_keys},
	{.name = NULL},
};
static const struct cfg_key port_keys[] = {
	{.name = "name",
	 .type = CFG_STRING,
	 .offset = offsetof(struct port, name),
	 .min = 1,
	 .max = 7,
	 .size = 8,
	 .required = true},
	{.name = "queues",
	 .type = CFG_INT,
	 .offset = offsetof(struct port, queues),
	 .min = 1,
	 .max = 64},
	{.name = NULL},
};
static const struct cfg_key keys[] = {
	{.name = "on", .type = CFG_BOOL, .offset = offsetof(struct conf, on)},
	{.name = "number",
	 .type = CFG_INT,
	 .offset = offsetof(struct conf, number),
	 .min = -5,
	 .max = INT64_MAX},
	{.name = "name",
	 .type = CFG_STRING,
	 .offset = offsetof(struct conf, name),
	 .min = 1,
	 .max = 100,
	 .size = 8},
	{.name = "mode", .type = CFG_ENUM, .offset = offsetof(struct conf, mode), .values = modes},
	{.name = "tags",
	 .type = CFG_STRINGS,
	 .offset = offsetof(struct conf, tag),
	 .min = 1,
	 .max = 3,
	 .size = 8,
	 .count_offset = offsetof(struct conf, n_tags)},
	{.name = "group", .type = CFG_GROUP, .keys = group_keys},
	{.name = "ports",
	 .type = CFG_LIST,
	 .offset = offsetof(struct conf, port),
	 .max = 2,
	 .size = sizeof(struct port),
	 .count_offset = offsetof(struct conf, n_ports),
	 .keys = port_keys},
	{.name = NULL},
};
static const struct cfg_key required_keys[] = {
	{.name = "on", .type = CFG_BOOL, .offset = offsetof(struct conf, on), .required = true},
	{.name = NULL},
};

static void test_values(void **state)
{
	static const char text[] =
		"# comment { [ (\n"
		"on = true;\n"
		"number = 5000000000L; // long\n"
		"name = \"a\\\"b\";\n"
		"mode = \"inline\";\n"
		"tags = [\"x\", \"y{\"];\n"
		"group = { depth = 0x9; inner = { deep = true; }; };\n"
		"/* @ */ ports = ( { name = \"p0\"; }, { queues = 4; name = \"p1\"; } );\n";
	struct conf c = {.port = {{.queues = 1}, {.queues = 1}}};
	struct diag d;

	assert_int_equal(cfg_read_text("t", text, keys, &c, &d), 0);
	assert_true(c.on);
	assert_int_equal(c.number, 5000000000);
	assert_string_equal(c.name, "a\"b");
	assert_int_equal(c.mode, 1);
	assert_int_equal(c.n_tags, 2);
	assert_string_equal(c.tag[0], "x");
	assert_string_equal(c.tag[1], "y{");
	assert_int_equal(c.group.depth, 9);
	assert_true(c.group.inner.deep);
	assert_int_equal(c.n_ports, 2);
	assert_string_equal(c.port[0].name, "p0");
	assert_int_equal(c.port[0].queues, 1); // the default of the element
	assert_string_equal(c.port[1].name, "p1");
	assert_int_equal(c.port[1].queues, 4);
}

static void test_defaults(void **state)
{
	struct conf c = {.number = 7, .name = "old", .mode = 1, .n_tags = 1};
	struct diag d;

	assert_int_equal(cfg_read_text("t", "", keys, &c, &d), 0);
	assert_int_equal(c.number, 7);
	assert_string_equal(c.name, "old");
	assert_int_equal(c.mode, 1);
	assert_int_equal(c.n_tags, 1);
	// other spellings of the grammar
	assert_int_equal(cfg_read_text("t", "tags = (\"a\"); number : -5\n", keys, &c, &d), 0);
	assert_int_equal(c.number, -5);
	assert_string_equal(c.tag[0], "a");
	// numbers up to their limits; digits in strings and comments are no numbers
	assert_int_equal(cfg_read_text("t",
				       "number = 2147483647; /* 99999999999 */ # 99999999999\n",
				       keys, &c, &d),
			 0);
	assert_int_equal(c.number, INT32_MAX);
	assert_int_equal(cfg_read_text("t", "number = 9223372036854775807LL; name = \"9999999\";",
				       keys, &c, &d),
			 0);
	assert_int_equal(c.number, INT64_MAX);
}

static const struct {
	const char *text;
	unsigned int line;
	const char *why;
} refused[] = {
	{"\nnmae = \"x\";", 2, "unknown key \"nmae\" in the file (did you mean name?)"},
	{"xyzzy = 1;", 1, "unknown key \"xyzzy\" in the file"},
	{"group = {\n depht = 3;\n};", 2, "unknown key \"depht\" in group (did you mean depth?)"},
	{"group = {\n};", 1, "missing key \"depth\" in group"},
	{"group = { depth = 3; inner = {\n deep = 1; }; };", 2,
	 "group.inner.deep must be true or false, not a number"},
	{"group = 3;", 1, "group must be a group { ... }, not a number"},
	{"on = 1;", 1, "on must be true or false, not a number"},
	{"on = \"true\";", 1, "not a string"},
	{"number = \"3\";", 1, "number must be a whole number, not a string"},
	{"number = 3.0;", 1, "not a number with a decimal point"},
	{"number = -6;", 1, "number is -6: must be -5 to"},
	{"number = [1];", 1, "not an array"},
	{"\n\nname = \"12345678\";", 3, "name has 8 bytes: must be 1 to 7"},
	{"name = \"\";", 1, "name has 0 bytes"},
	{"number = 2147483648;", 1, "with an L at its end"},
	{"on = true;\nnumber = -2147483649;", 2, "with an L at its end"},
	{"number=2147483648on=true;", 1, "with an L at its end"},
	{"number=0xffffffff;", 1, "with an L at its end"},
	{"number = 99999999999999999999L;", 1, "does not fit 64 bits"},
	{"number = 0xFFFFFFFFFFFFFFFFFL;", 1, "does not fit 64 bits"},
	{"number = 9223372036854775808L;", 1, "does not fit 64 bits"},
	{"name = 5;", 1, "name must be a string in double quotes, not a number"},
	{"name = \"a\\x00b\";", 1, "\\x00 in a string"},
	{"mode = \"inlien\";", 1, "mode: unknown value \"inlien\" (did you mean \"inline\"?)"},
	{"mode = \"xxxxxx\";", 1, "must be one of \"tap\", \"inline\""},
	{"mode = 1;", 1, "mode must be a string"},
	{"tags = [];", 1, "tags has 0 entries: must have 1 to 3"},
	{"tags = [\"a\",\"b\",\"c\",\"d\"];", 1, "tags has 4 entries"},
	{"tags = [\"a\",\n\"12345678\"];", 2, "tags[1] has 8 bytes"},
	{"tags = [1];", 1, "tags[0] must be a string"},
	{"tags = \"a\";", 1, "tags must be a list: [\"...\", \"...\"], not a string"},
	{"ports = ( { name = \"a\"; },\n { queues = 1; } );", 2,
	 "missing key \"name\" in ports[1]"},
	{"ports = ( { name = \"a\"; nmae = \"b\"; } );", 1, "unknown key \"nmae\" in ports[0]"},
	{"ports = ( 5 );", 1, "ports[0] must be a group { ... }"},
	{"ports = [ 5 ];", 1, "ports must be a list: ( { ... }, { ... } ), not an array"},
	{"ports = ( {name=\"a\";}, {name=\"b\";}, {name=\"c\";} );", 1,
	 "ports has 3 entries: must have 0 to 2"},
	{"on = true;\non = false;", 2, "duplicate"},
	{"on = true\nname = ;", 2, "syntax error"},
	{"name = \"open", 1, "look for a missing"},
	{"on = true;\n  @include \"/etc/passwd\"\n", 2, "@include is not allowed"},
	{"@include \"x\"\n", 1, "@include is not allowed"},
	{"on = true;\r\n\t@include\"x\"\r\n", 2, "@include is not allowed"},
	{"x = ((((((((((((((((((((((((((((((((((1))))))))))))))))))))))))))))))))));", 1,
	 "nested too deep"},
};

static void test_refused(void **state)
{
	for (size_t i = 0; i < N(refused); i++) {
		struct conf c = {0};
		struct diag d = {0};
		int ret = cfg_read_text("t.cfg", refused[i].text, keys, &c, &d);

		if (ret != -EINVAL || d.line != refused[i].line ||
		    strstr(d.text, refused[i].why) == NULL)
			print_error("%s\n  wants %u \"%s\"\n  has %u \"%s\"\n", refused[i].text,
				    refused[i].line, refused[i].why, d.line, d.text);
		assert_int_equal(ret, -EINVAL);
		assert_string_equal(d.file, "t.cfg");
		assert_int_equal(d.line, refused[i].line);
		assert_non_null(strstr(d.text, refused[i].why));
	}
	// a missing key of the file itself has no line; no diagnostics wanted is fine too
	{
		struct conf c = {0};
		struct diag d = {0};

		assert_int_equal(cfg_read_text("t.cfg", "", required_keys, &c, &d), -EINVAL);
		assert_int_equal(d.line, 0);
		assert_non_null(strstr(d.text, "missing key \"on\" in the file"));
		assert_int_equal(cfg_read_text("t.cfg", "on = 3;", required_keys, &c, NULL),
				 -EINVAL);
	}
}

// A long key must not run over the space for its path.
static void test_long_key(void **state)
{
	char text[1024];
	struct conf c = {0};
	struct diag d;

	memset(text, 'k', sizeof(text));
	strcpy(text + sizeof(text) - 8, " = 1;\n");
	assert_int_equal(cfg_read_text("t", text, keys, &c, &d), -EINVAL);
	assert_non_null(strstr(d.text, "unknown key \"kkk"));
}

static void write_file(const char *path, const char *text, size_t len)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

static void test_file(void **state)
{
	char dir[] = "/tmp/wireglass-test-XXXXXX", path[64];
	struct conf c = {0};
	struct diag d;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/a.cfg", dir);
	assert_int_equal(cfg_read(path, keys, &c, &d), -ENOENT);
	assert_string_equal(d.file, path);
	assert_int_equal(cfg_read(dir, keys, &c, &d), -EINVAL);
	write_file(path, "number = 3;\n", 12);
	assert_int_equal(cfg_read(path, keys, &c, &d), 0);
	assert_int_equal(c.number, 3);
	write_file(path, "number = 4;\n\0on = true;", 23);
	assert_int_equal(cfg_read(path, keys, &c, &d), -EINVAL);
	assert_non_null(strstr(d.text, "NUL"));
	assert_int_equal(truncate(path, (1 << 20) + 1), 0);
	assert_int_equal(cfg_read(path, keys, &c, &d), -EINVAL);
	assert_non_null(strstr(d.text, "more than 1 MiB"));
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0); // must not block
	assert_int_equal(cfg_read(path, keys, &c, &d), -EINVAL);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),  cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_refused), cmocka_unit_test(test_long_key),
		cmocka_unit_test(test_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

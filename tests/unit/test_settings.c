// SPDX-License-Identifier: BSD-2-Clause
// Settings of wireglassd: file, options, their order, and every way to get them wrong.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/settings.h"

static struct settings s;
static struct diag diag;

static int read_text(const char *text)
{
	settings_defaults(&s);
	memset(&diag, 0, sizeof(diag));
	return settings_read_text(&s, "test.cfg", text, &diag);
}

static void test_defaults(void **state)
{
	assert_int_equal(read_text(""), 0);
	assert_string_equal(s.socket, SETTINGS_SOCKET);
	assert_string_equal(s.dataplane_socket, SETTINGS_DATAPLANE_SOCKET);
	assert_string_equal(s.state_dir, SETTINGS_STATE_DIR);
	assert_string_equal(s.keys_dir, SETTINGS_KEYS_DIR);
	assert_string_equal(s.eve.file, "");
	assert_int_equal(s.eve.mask, (1 << SETTINGS_EVE_N) - 1);
	assert_int_equal(s.operator_uid, -1);
	assert_true(s.host[0] != '\0');
}

static void test_every_key(void **state)
{
	static const char text[] =
		"socket = \"/a/c.sock\";\n"
		"dataplane_socket = \"/a/d.sock\";\n"
		"state_dir = \"/a/state\";\n"
		"keys = [ \"/a/one.pub\", \"/a/two.pub\" ];\n"
		"keys_dir = \"/a/keys\";\n"
		"host = \"edge-7\";\n"
		"operator_uid = 1000;\n"
		"dataplane_uid = 4294967294L;\n"
		"eve = { file = \"/a/eve.json\"; events = [ \"alert\", \"stats\" ]; "
		"stats_interval = 5; };\n"
		"compile = { cpu_s = 10; memory_mb = 512; wall_s = 20; };\n"
		"cache = { dir = \"/c\"; size_mb = 7; };\n"
		"nats = { servers = [ \"nats://a:1\", \"nats://b:2\" ]; stream = \"S-1\"; subject "
		"= "
		"\"a.b\"; credentials = \"/n.creds\"; ca = \"/n.crt\"; };\n"
		"vars = ( { name = \"HOME_NET\"; value = \"[192.0.2.0/24,!192.0.2.9]\"; },\n"
		"         { name = \"WEB\"; value = \"[$HTTP_PORTS,8080:8090]\"; } );\n"
		"retention = { hits = 5000; bundles = 3; };\n";
	struct rule_var vars[SETTINGS_VARS_MAX + 1];

	assert_int_equal(read_text(text), 0);
	settings_vars(&s, vars);
	assert_string_equal(vars[0].name, "HOME_NET");
	assert_string_equal(vars[0].value, "[192.0.2.0/24,!192.0.2.9]");
	assert_string_equal(vars[1].name, "WEB");
	assert_null(vars[2].name);
	assert_string_equal(s.socket, "/a/c.sock");
	assert_string_equal(s.dataplane_socket, "/a/d.sock");
	assert_string_equal(s.state_dir, "/a/state");
	assert_int_equal(s.n_keys, 2);
	assert_string_equal(s.keys[1], "/a/two.pub");
	assert_string_equal(s.keys_dir, "/a/keys");
	assert_string_equal(s.host, "edge-7");
	assert_int_equal(s.operator_uid, 1000);
	assert_int_equal(s.dataplane_uid, 4294967294);
	assert_string_equal(s.eve.file, "/a/eve.json");
	assert_int_equal(s.eve.mask, 1 << SETTINGS_EVE_ALERT | 1 << SETTINGS_EVE_STATS);
	assert_int_equal(s.eve.stats_interval_s, 5);
	assert_int_equal(s.compile.cpu_s, 10);
	assert_int_equal(s.compile.memory_mb, 512);
	assert_int_equal(s.compile.wall_s, 20);
	assert_string_equal(s.cache.dir, "/c");
	assert_int_equal(s.cache.size_mb, 7);
	assert_int_equal(s.nats.n_servers, 2);
	assert_string_equal(s.nats.servers[1], "nats://b:2");
	assert_string_equal(s.nats.stream, "S-1");
	assert_string_equal(s.nats.subject, "a.b");
	assert_string_equal(s.nats.credentials, "/n.creds");
	assert_string_equal(s.nats.ca, "/n.crt");
	assert_int_equal(s.retention.hits, 5000);
	assert_int_equal(s.retention.bundles, 3);
}

static void test_bad_files(void **state)
{
	static const struct {
		const char *text;
		unsigned int line; // 0: whole file
		const char *say;
	} cases[] = {
		{"sockett = \"/a\";", 1, "socket"},
		{"\n\nhost = 5;", 3, "host"},
		{"\neve = {\n  fil = \"/a\";\n};", 3, "file"},
		{"eve = {\n  stats_interval = 0;\n};", 2, "stats_interval"},
		{"eve = {\n  stats_interval = 86401;\n};", 2, "stats_interval"},
		{"compile = { cpu_s = 0; };", 1, "cpu_s"},
		{"compile = { memory_mb = 63; };", 1, "memory_mb"},
		{"compile = { wall_s = -1; };", 1, "wall_s"},
		{"cache = { size_mb = -1; };", 1, "size_mb"},
		{"retention = { hits = 0; };", 1, "hits"},
		{"retention = { hits = 1000000001; };", 1, "hits"},
		{"operator_uid = -2;", 1, "operator_uid"},
		{"operator_uid = 4294967295L;", 1, "operator_uid"},
		{"socket = \"\";", 1, "socket"},
		{"state_dir = [ \"a\" ];", 1, "state_dir"},
		{"socket = ", 1, ""},
		{"eve = { events = [ \"alerts\" ]; };", 0, "alert"},
		{"eve = { events = [ \"nothing\" ]; };", 0, "known:"},
		{"socket = \"/x\"; dataplane_socket = \"/x\";", 0, "two files"},
		{"@include \"/etc/passwd\"", 1, ""},
		{"nats = { server = \"a\"; };", 1, "servers"},
		{"nats = { stream = \"a.b\"; };", 0, "nats.stream"},
		{"nats = { subject = \"a.*\"; };", 0, "nats.subject"},
		{"nats = { subject = \"a..b\"; };", 0, "nats.subject"},
		{"nats = { subject = \".a\"; };", 0, "nats.subject"},
		{"nats = { subject = \"a b\"; };", 0, "nats.subject"},
		{"vars = ( { name = \"A\"; } );", 1, "value"},
		{"vars = ( { name = \"A\"; value = \"\"; } );", 1, "value"},
		{"vars = ( { nmae = \"A\"; value = \"1\"; } );", 1, "name"},
		{"vars = ( { name = \"A\"; value = \"10.0.0.300\"; } );", 0,
		 "vars: A can be neither addresses nor ports"},
		{"vars = ( { name = \"A\"; value = \"$B\"; } );", 0, "vars: A can be neither"},
		{"vars = ( { name = \"A\"; value = \"[10.0.0.1,80]\"; } );", 0,
		 "vars: A can be neither"},
		{"vars = ( { name = \"A B\"; value = \"80\"; } );", 0, "vars: A B can be neither"},
		{"vars = ( { name = \"A\"; value = \"80\"; }, { name = \"A\"; value = \"81\"; } );",
		 0, "A is given twice"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(read_text(cases[i].text), -EINVAL);
		assert_string_equal(diag.file, "test.cfg");
		if (diag.line != cases[i].line || strstr(diag.text, cases[i].say) == NULL)
			fail_msg("\"%s\": said %u: %s", cases[i].text, diag.line, diag.text);
	}
}

static void test_too_long_paths(void **state)
{
	char text[1024], path[600];

	memset(path, 'a', sizeof(path));
	path[107] = '\0'; // the longest that a socket address holds
	snprintf(text, sizeof(text), "socket = \"%s\";", path);
	assert_int_equal(read_text(text), 0);
	assert_string_equal(s.socket, path);
	path[107] = 'a';
	path[108] = '\0';
	snprintf(text, sizeof(text), "socket = \"%s\";", path);
	assert_int_equal(read_text(text), -EINVAL);
	snprintf(text, sizeof(text), "eve = { file = \"%0300d\"; };", 0);
	assert_int_equal(read_text(text), -EINVAL);
}

static int args(const char *const *words)
{
	char *argv[32] = {0};
	int argc = 0;

	for (argc = 0; words[argc] != NULL; argc++)
		argv[argc] = strdup(words[argc]);
	memset(&diag, 0, sizeof(diag));
	int err = settings_args(&s, argc, argv, &diag);
	// getopt reorders, it loses nothing.
	for (int i = 0; i < argc; i++)
		free(argv[i]);
	return err;
}

#define ARGS(...) args((const char *const[]){"wireglassd", __VA_ARGS__, NULL})

static char config[64];

static int setup_config(void **state)
{
	static const char text[] = "socket = \"/cfg/c.sock\";\nhost = \"fromfile\";\n"
				   "keys = [ \"/cfg/k.pub\" ];\neve = { file = \"/cfg/eve\"; };\n";

	snprintf(config, sizeof(config), P_tmpdir "/wireglass-settings-XXXXXX");
	int fd = mkstemp(config);
	if (fd < 0 || write(fd, text, sizeof(text) - 1) != (ssize_t)sizeof(text) - 1)
		return -1;
	return close(fd);
}

static int teardown_config(void **state)
{
	return unlink(config);
}

static void test_options_over_file(void **state)
{
	assert_int_equal(ARGS("--config", config), 0);
	assert_string_equal(s.socket, "/cfg/c.sock");
	assert_string_equal(s.config, config);
	assert_int_equal(s.n_keys, 1);

	// The file lies below the options wherever it is named.
	assert_int_equal(ARGS("--socket", "/o/c.sock", "--key=/o/1.pub", "--config", config,
			      "--key", "/o/2.pub", "--eve", "/o/eve", "--state", "/o/s",
			      "--dataplane", "/o/d"),
			 0);
	assert_string_equal(s.socket, "/o/c.sock");
	assert_string_equal(s.dataplane_socket, "/o/d");
	assert_string_equal(s.state_dir, "/o/s");
	assert_string_equal(s.eve.file, "/o/eve");
	assert_string_equal(s.host, "fromfile");
	assert_int_equal(s.n_keys, 2); // those of the options only
	assert_string_equal(s.keys[0], "/o/1.pub");
	assert_string_equal(s.keys[1], "/o/2.pub");
	assert_false(s.check);
	assert_int_equal(ARGS("--config", config, "--check"), 0);
	assert_true(s.check);
}

static void test_bad_options(void **state)
{
	char longest[300];

	assert_int_equal(ARGS("--sockett", "/x"), -EINVAL);
	assert_non_null(strstr(diag.text, "--sockett"));
	assert_int_equal(ARGS("--socket"), -EINVAL);
	assert_int_equal(ARGS("--socket", ""), -EINVAL);
	assert_int_equal(ARGS("--config", config, "stray"), -EINVAL);
	assert_non_null(strstr(diag.text, "stray"));
	assert_int_equal(ARGS("--config", config, "--socket", "/x", "--dataplane", "/x"), -EINVAL);
	memset(longest, 'a', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	assert_int_equal(ARGS("--config", config, "--state", longest), -EINVAL);
	assert_int_equal(ARGS("--config", config, "--socket", longest), -EINVAL);
	assert_int_equal(ARGS("--config", "no/such/file.cfg"), -ENOENT);
	assert_non_null(strstr(diag.file, "no/such/file.cfg"));
	assert_int_equal(ARGS("--config", config, "--key=1", "--key=2", "--key=3", "--key=4",
			      "--key=5", "--key=6", "--key=7", "--key=8", "--key=9", "--key=10",
			      "--key=11", "--key=12", "--key=13", "--key=14", "--key=15",
			      "--key=16", "--key=17"),
			 -EINVAL);
}

// The default configuration that is installed says what the defaults are, and reads without complaint.
static void test_default_configuration(void **state)
{
	const char *source = getenv("WIREGLASS_SOURCE");
	struct settings defaults;
	char path[512];

	snprintf(path, sizeof(path), "%s/etc/control.cfg", source != NULL ? source : ".");
	if (access(path, R_OK) != 0) {
		print_message(
			"%s is not there: run from the source tree, or set WIREGLASS_SOURCE\n",
			path);
		skip();
	}
	settings_defaults(&defaults);
	assert_int_equal(ARGS("--config", path), 0);
	assert_string_equal(s.socket, defaults.socket);
	assert_string_equal(s.dataplane_socket, defaults.dataplane_socket);
	assert_string_equal(s.state_dir, defaults.state_dir);
	assert_string_equal(s.keys_dir, defaults.keys_dir);
	assert_memory_equal(&s.compile, &defaults.compile, sizeof(s.compile));
	assert_memory_equal(&s.retention, &defaults.retention, sizeof(s.retention));
	assert_int_equal(s.eve.stats_interval_s, defaults.eve.stats_interval_s);
	assert_int_equal(s.eve.mask, (1 << SETTINGS_EVE_N) - 1);
	assert_string_equal(s.host, defaults.host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_every_key),
		cmocka_unit_test(test_bad_files),
		cmocka_unit_test(test_too_long_paths),
		cmocka_unit_test_setup_teardown(test_options_over_file, setup_config,
						teardown_config),
		cmocka_unit_test_setup_teardown(test_bad_options, setup_config, teardown_config),
		cmocka_unit_test(test_default_configuration),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

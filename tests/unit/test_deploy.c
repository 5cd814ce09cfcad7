// SPDX-License-Identifier: BSD-2-Clause
// Deployment of bundles against a dataplane that the test plays: what gets live, what does not, and what survives a restart
// of either side.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/control_fixture.h"

static size_t len;

// Load a bundle and expect this state, or this error code.
static void expect_load(char *data, uint32_t flags, const char *state, const char *code)
{
	int error = 0;
	json_t *reply = load(data, len, flags, &error);

	assert_non_null(reply);
	if (code == NULL ? error != 0 : error == 0)
		fail_msg("error %d: %s", error, text_of(reply, "error"));
	if (code == NULL)
		assert_string_equal(text_of(reply, "state"), state);
	else
		assert_string_equal(text_of(reply, "code"), code);
	json_decref(reply);
}

static char *bundle(uint64_t serial, const char *rules)
{
	return make_bundle("test", serial, rules, "", NULL, &len);
}

static json_t *request(uint32_t command, uint64_t since, int *ret_error)
{
	struct ipc_admin_req req = {.command = command, .since = since};

	return admin_request(&req, -1, ret_error);
}

static void expect_live(uint64_t serial)
{
	int error;
	json_t *status = request(IPC_ADMIN_SHOW_STATUS, 0, &error);
	const json_t *rules = json_object_get(status, "rules");

	assert_int_equal(number_of(rules, "serial"), serial);
	assert_true(json_is_true(json_object_get(rules, "live")) ==
		    (fx.fake.live.status == IPC_RULESET_LIVE && fx.fake.live.serial == serial));
	json_decref(status);
}

static bool exists(const char *name)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", fx.settings.state_dir, name);
	return access(path, F_OK) == 0;
}

static void start_both(void)
{
	fixture_start();
	fake_start();
	UNTIL(fx.d->dp.state == DPCLIENT_UP);
}

static void test_load(void **state)
{
	int error;

	start_both();
	assert_int_equal(fx.fake.offers, 0); // nothing to offer yet
	char *data = bundle(
		5,
		RULE(101, "/one")
			RULE(102, "/two") "alert http bad\n"
					  "alert udp any any -> any any (msg:\"u\"; sid:103;)\n");
	json_t *reply = load(data, len, 0, &error);
	assert_int_equal(error, 0);
	assert_string_equal(text_of(reply, "state"), "live");
	assert_string_equal(text_of(reply, "id"), "test");
	assert_int_equal(number_of(reply, "serial"), 5);
	assert_int_equal(number_of(reply, "rules"), 2);
	assert_int_equal(number_of(reply, "refused"), 1);
	assert_int_equal(number_of(reply, "skipped"), 1);
	assert_int_equal(number_of(reply, "generation"), 1);
	const json_t *refused = json_array_get(json_object_get(reply, "refused_rules"), 0);
	assert_string_equal(text_of(refused, "file"), "rules/test.rules");
	assert_int_equal(number_of(refused, "line"), 3);
	assert_true(number_of(reply, "image_bytes") > 0);
	json_decref(reply);
	assert_int_equal(fx.fake.offers, 1);
	assert_int_equal(fx.fake.live.serial, 5);
	assert_true(exists("bundles/5.wgb"));
	expect_live(5);
	// The next one gets the next generation.
	expect_load(bundle(6, RULE(101, "/one")), 0, "live", NULL);
	assert_int_equal(fx.fake.live.generation, 2);
	expect_live(6);
}

static void test_refused_before_the_dataplane(void **state)
{
	char *data;

	start_both();
	expect_load(bundle(10, RULE(101, "/one")), 0, "live", NULL);
	unsigned int offers = fx.fake.offers;

	expect_load(bundle(9, RULE(101, "/one")), 0, NULL, "stale");
	expect_load(bundle(10, RULE(101, "/one")), 0, NULL, "stale");
	expect_load(make_bundle("test", 11, RULE(101, "/one"), "", fx.other_secret, &len), 0, NULL,
		    "signature");
	expect_load(make_bundle("test", 11, RULE(101, "/one"), "2026-01-02T00:00:00Z", NULL, &len),
		    0, NULL, "expired");
	expect_load(bundle(11, "alert http bad\n"), 0, NULL, "empty");
	data = bundle(11, RULE(101, "/one"));
	data[len - 20] ^= 1;
	expect_load(data, 0, NULL, "signature");
	data = bundle(11, RULE(101, "/one"));
	len /= 2;
	expect_load(data, 0, NULL, "signature");
	len = 9;
	expect_load(strdup("not a bun"), 0, NULL, "signature");
	len = 0;
	expect_load(strdup(""), 0, NULL, "signature");
	// Another id with a stored serial.
	expect_load(make_bundle("rival", 10, RULE(101, "/one"), "", NULL, &len), 0, NULL, "stale");

	assert_int_equal(fx.fake.offers, offers);
	expect_live(10);
	// An older one on demand; the record does not go down with it.
	expect_load(bundle(9, RULE(101, "/one")), IPC_ADMIN_ALLOW_OLDER, "live", NULL);
	expect_live(9);
	expect_load(bundle(10, RULE(101, "/one")), 0, NULL, "stale");
}

static void test_no_trusted_key(void **state)
{
	fx.settings.n_keys = 0;
	snprintf(fx.settings.keys_dir, sizeof(fx.settings.keys_dir), "%s/none", fx.dir);
	start_both();
	expect_load(bundle(1, RULE(101, "/one")), 0, NULL, "signature");
	assert_int_equal(fx.fake.offers, 0);
}

static void test_refused_by_the_dataplane(void **state)
{
	start_both();
	expect_load(bundle(1, RULE(101, "/one")), 0, "live", NULL);
	fx.fake.refuse = "another Hyperscan";
	expect_load(bundle(2, RULE(101, "/two")), 0, NULL, "dataplane");
	expect_live(1);
	assert_false(exists("bundles/2.wgb"));
	fx.fake.refuse = NULL;
	expect_load(bundle(2, RULE(101, "/two")), 0, "live", NULL); // its serial was not used up
	expect_live(2);
}

static void test_busy_dataplane(void **state)
{
	start_both();
	fx.fake.busy = 3;
	expect_load(bundle(1, RULE(101, "/one")), 0, "live", NULL);
	assert_int_equal(fx.fake.offers, 4);
	assert_int_equal(fx.fake.live.generation, 1); // tried again under the same number
}

static void test_one_at_a_time(void **state)
{
	struct ipc_admin_req req = {.command = IPC_ADMIN_RULES_LOAD};
	int error, first, fd;
	char *data = bundle(1, RULE(101, "/one"));

	start_both();
	fd = memfd_of(data, len);
	free(data);
	first = admin_connect();
	admin_ask(first, &req, fd);
	UNTIL(deploy_running(&fx.d->deploy));
	json_t *reply = admin_request(&req, fd, &error);
	assert_int_equal(error, -EBUSY);
	assert_string_equal(text_of(reply, "code"), "busy");
	json_decref(reply);
	reply = request(IPC_ADMIN_RULES_ROLLBACK, 0, &error);
	assert_int_equal(error, -EBUSY);
	json_decref(reply);
	reply = admin_answer(first, &error);
	assert_int_equal(error, 0);
	json_decref(reply);
	close(first);
	close(fd);
	expect_live(1);
}

static void test_asker_leaves(void **state)
{
	struct ipc_admin_req req = {.command = IPC_ADMIN_RULES_LOAD};
	char *data = bundle(1, RULE(101, "/one"));
	int fd = memfd_of(data, len);

	free(data);
	start_both();
	int client = admin_connect();
	admin_ask(client, &req, fd);
	UNTIL(deploy_running(&fx.d->deploy));
	close(client);
	close(fd);
	UNTIL(!deploy_running(&fx.d->deploy));
	expect_live(1);
}

static void test_pending_without_dataplane(void **state)
{
	fixture_start();
	expect_load(bundle(3, RULE(101, "/one")), 0, "pending", NULL);
	expect_live(3);
	fake_start();
	UNTIL(fx.fake.live.status == IPC_RULESET_LIVE);
	assert_int_equal(fx.fake.live.serial, 3);
	UNTIL(fx.d->deploy.confirmed);
	expect_load(bundle(3, RULE(101, "/one")), 0, NULL, "stale"); // recorded when it went live
}

static bool listed_live(uint64_t serial)
{
	int error;
	json_t *list = request(IPC_ADMIN_RULES_LIST, 0, &error);
	const json_t *b;
	bool live = false;
	size_t i;

	json_array_foreach(json_object_get(list, "bundles"), i,
			   b) if (number_of(b, "serial") == (long long)serial) live =
		json_is_true(json_object_get(b, "live"));
	json_decref(list);
	return live;
}

// A bundle that waits for a dataplane was accepted: an older one does not take its place.
static void test_older_than_the_pending_one(void **state)
{
	fixture_start();
	expect_load(bundle(5, RULE(101, "/five")), 0, "pending", NULL);
	assert_false(listed_live(5));
	expect_load(bundle(3, RULE(101, "/three")), 0, NULL, "stale");
	expect_load(bundle(5, RULE(101, "/other")), 0, NULL, "stale");
	expect_live(5);
	fixture_stop(); // a restart forgets nothing
	fixture_start();
	UNTIL(!deploy_running(&fx.d->deploy));
	expect_load(bundle(3, RULE(101, "/three")), 0, NULL, "stale");
	expect_live(5);
	// On demand it goes, but what was accepted stays the mark.
	expect_load(bundle(3, RULE(101, "/three")), IPC_ADMIN_ALLOW_OLDER, "pending", NULL);
	expect_live(3);
	expect_load(bundle(4, RULE(101, "/four")), 0, NULL, "stale");
	expect_load(bundle(6, RULE(101, "/six")), 0, "pending", NULL);
	// Another publisher counts by itself, and does not make us forget.
	expect_load(make_bundle("rival", 2, RULE(101, "/two"), "", NULL, &len), 0, "pending", NULL);
	expect_load(bundle(4, RULE(101, "/four")), 0, NULL, "stale");
	expect_load(bundle(7, RULE(101, "/seven")), 0, "pending", NULL);
	fake_start();
	UNTIL(fx.fake.live.serial == 7 && fx.d->deploy.confirmed);
	assert_true(listed_live(7));
	assert_false(listed_live(6));
}

static void test_dataplane_dies_during_the_offer(void **state)
{
	struct ipc_admin_req req = {.command = IPC_ADMIN_RULES_LOAD};
	char *data = bundle(4, RULE(101, "/one"));
	int error, fd = memfd_of(data, len);

	free(data);
	start_both();
	fx.fake.no_answer = true;
	int client = admin_connect();
	admin_ask(client, &req, fd);
	UNTIL(fx.fake.offers == 1);
	fake_stop();
	json_t *reply = admin_answer(client, &error);
	assert_int_equal(error, 0);
	assert_string_equal(text_of(reply, "state"), "pending");
	json_decref(reply);
	close(client);
	close(fd);
	fake_start();
	UNTIL(fx.fake.live.serial == 4 && fx.d->deploy.confirmed);
}

static void test_pending_bundle_refused_later(void **state)
{
	start_both();
	expect_load(bundle(1, RULE(101, "/one")), 0, "live", NULL);
	fake_stop();
	UNTIL(fx.d->dp.state != DPCLIENT_UP);
	expect_load(bundle(2, RULE(101, "/two")), 0, "pending", NULL);
	fake_start();
	fx.fake.refuse = "no";
	UNTIL(fx.fake.offers >=
	      2); // 2 is refused, and so is the one before; nothing is offered for ever
	settle();
	assert_int_equal(fx.fake.offers, 2);
	assert_int_equal(fx.fake.offer.serial, 1);
	expect_live(1);
	fx.fake.refuse = NULL;
	fake_hang_up(); // a new connection is a new chance
	UNTIL(fx.fake.live.serial == 1 && fx.d->deploy.confirmed);
	assert_false(exists("bundles/2.wgb"));
	expect_load(bundle(2, RULE(101, "/two")), 0, "live", NULL); // its serial was not used up
}

static void test_restart_of_the_dataplane(void **state)
{
	start_both();
	expect_load(bundle(1, RULE(101, "/one")), 0, "live", NULL);
	fake_stop();
	fake_start(); // runs nothing
	UNTIL(fx.fake.live.serial == 1);
	assert_int_equal(fx.fake.live.generation, 2);
	UNTIL(fx.d->deploy.confirmed);
	// Only the connection was lost: it runs the right one, nothing is offered.
	fake_hang_up();
	unsigned int offers = fx.fake.offers, hellos = fx.fake.hellos;
	UNTIL(fx.fake.hellos > hellos && fx.d->dp.state == DPCLIENT_UP);
	settle();
	assert_int_equal(fx.fake.offers, offers);
	assert_true(fx.d->deploy.confirmed);
}

static void test_restart_of_control(void **state)
{
	start_both();
	expect_load(bundle(1, RULE(101, "/one")), 0, "live", NULL);
	uint32_t generation = fx.fake.live.generation;
	fixture_stop();
	fixture_start();
	fake_start(); // the same one, still running
	UNTIL(fx.d->dp.state == DPCLIENT_UP && fx.d->deploy.confirmed);
	assert_true(fx.fake.live.generation >= generation);
	expect_live(1);
	expect_load(bundle(2, RULE(101, "/two")), 0, "live", NULL);
	assert_true(fx.fake.live.generation > generation);
	fixture_stop();
	fake_stop();
	fixture_start();
	fake_start();
	UNTIL(fx.fake.live.serial == 2);
	assert_true(fx.fake.live.generation > generation + 1); // never used twice
	expect_load(bundle(2, RULE(101, "/two")), 0, NULL, "stale");
}

static void test_restart_with_a_damaged_bundle(void **state)
{
	char path[512];

	start_both();
	expect_load(bundle(1, RULE(101, "/one")), 0, "live", NULL);
	fixture_stop();
	snprintf(path, sizeof(path), "%s/bundles/1.wgb", fx.settings.state_dir);
	FILE *f = fopen(path, "r+");
	fseek(f, -8, SEEK_END);
	fputs("damaged", f);
	fclose(f);
	fixture_start(); // says so and goes on: the dataplane keeps what it runs
	fake_start();
	UNTIL(fx.d->dp.state == DPCLIENT_UP);
	settle();
	assert_int_equal(fx.fake.live.serial, 1);
	int error;
	json_t *status = request(IPC_ADMIN_SHOW_STATUS, 0, &error);
	assert_non_null(strstr(text_of(json_object_get(status, "rules"), "problem"), "signature"));
	json_decref(status);
	expect_load(bundle(2, RULE(101, "/two")), 0, "live", NULL);
}

static void expect_rollback(uint64_t serial, int want_error, const char *say)
{
	int error;
	json_t *reply = request(IPC_ADMIN_RULES_ROLLBACK, serial, &error);

	assert_int_equal(error, want_error);
	assert_non_null(strstr(text_of(reply, want_error != 0 ? "error" : "state"), say));
	json_decref(reply);
}

// Roll back; was the image found in the cache?
static bool rollback_cached(uint64_t serial)
{
	int error;
	json_t *reply = request(IPC_ADMIN_RULES_ROLLBACK, serial, &error);
	bool cached = json_is_true(json_object_get(reply, "cached"));

	if (error != 0)
		fail_msg("error %d: %s", error, text_of(reply, "error"));
	assert_int_equal(json_integer_value(json_object_get(reply, "rules")), 1);
	assert_int_equal(json_integer_value(json_object_get(reply, "refused")), 1);
	assert_int_equal(json_array_size(json_object_get(reply, "refused_rules")), 1);
	json_decref(reply);
	return cached;
}

// What was compiled once is found again, with what was said about it; damaged, it is compiled again.
static void test_cache(void **state)
{
	static const char refused[] = "alert http any any -> any any (frobnicate; sid:7;)\n";
	char rules[512], path[1024];
	unsigned int n = 0;
	int error;

	start_both();
	for (int i = 1; i <= 2; i++) {
		snprintf(rules, sizeof(rules), "%s%s", RULE(101, "/one"), refused);
		char *data = bundle((uint64_t)i, rules);
		json_t *reply = load(data, len, 0, &error);
		assert_int_equal(error, 0);
		assert_null(json_object_get(reply, "cached"));
		json_decref(reply);
	}
	assert_true(rollback_cached(1));
	assert_true(rollback_cached(2));
	expect_live(2);

	snprintf(path, sizeof(path), "%s/cache", fx.settings.state_dir);
	DIR *dir = opendir(path);
	assert_non_null(dir);
	for (struct dirent *e; (e = readdir(dir)) != NULL;) {
		if (e->d_name[0] == '.')
			continue;
		int fd = openat(dirfd(dir), e->d_name, O_WRONLY);
		assert_true(fd >= 0);
		assert_int_equal(pwrite(fd, "damage", 6, 3000), 6);
		close(fd);
		n++;
	}
	closedir(dir);
	assert_int_equal(n, 2);
	assert_false(rollback_cached(1));
	assert_true(rollback_cached(2) == false && rollback_cached(1));

	// A restart needs no compiler either.
	fixture_stop();
	fake_stop();
	fixture_start();
	fake_start();
	UNTIL(fx.fake.live.serial == 1);
	assert_true(rollback_cached(2));

	fixture_stop();
	fake_stop();
	fx.settings.cache.size_mb = 0;
	start_both();
	UNTIL(fx.fake.live.serial == 2);
	assert_false(rollback_cached(1));
	fx.settings.cache.size_mb = 1024;
}

static void test_rollback(void **state)
{
	int error;

	start_both();
	expect_rollback(0, -ENOENT, "no older bundle");
	expect_load(bundle(1, RULE(101, "/one")), 0, "live", NULL);
	expect_rollback(0, -ENOENT, "no older bundle");
	expect_load(bundle(2, RULE(101, "/two")), 0, "live", NULL);
	expect_load(bundle(3, RULE(101, "/three")), 0, "live", NULL);
	expect_rollback(7, -ENOENT, "serial 7");
	expect_rollback(3, -EALREADY, "live already");
	expect_rollback(0, 0, "live");
	expect_live(2);
	expect_rollback(0, 0, "live");
	expect_live(1);
	expect_rollback(3, 0, "live");
	expect_live(3);
	expect_rollback(1, 0, "live");
	// What was rolled back to is what comes back after a restart, and the record still says 3.
	fixture_stop();
	fake_stop();
	fixture_start();
	fake_start();
	UNTIL(fx.fake.live.serial == 1);
	expect_load(bundle(3, RULE(101, "/three")), 0, NULL, "stale");
	json_t *list = request(IPC_ADMIN_RULES_LIST, 0, &error);
	const json_t *bundles = json_object_get(list, "bundles");
	assert_int_equal(json_array_size(bundles), 3);
	assert_int_equal(number_of(json_array_get(bundles, 0), "serial"), 3);
	assert_true(json_is_true(json_object_get(json_array_get(bundles, 2), "live")));
	json_decref(list);
}

static void test_bundle_retention(void **state)
{
	int error;

	fx.settings.retention.bundles = 2;
	start_both();
	for (uint64_t serial = 1; serial <= 5; serial++)
		expect_load(bundle(serial, RULE(101, "/one")), 0, "live", NULL);
	json_t *list = request(IPC_ADMIN_RULES_LIST, 0, &error);
	assert_int_equal(json_array_size(json_object_get(list, "bundles")), 3);
	json_decref(list);
	assert_true(exists("bundles/3.wgb"));
	assert_false(exists("bundles/2.wgb"));
}

// A bundle that takes a while: n rules with contents of their own.
static char *large_bundle(unsigned int n)
{
	char *text = malloc(n * 160u + 1);
	size_t used = 0;

	assert_non_null(text);
	text[0] = '\0';
	for (unsigned int i = 1; i <= n; i++)
		used += (size_t)sprintf(
			text + used,
			"alert http any any -> any any (msg:\"m\"; flow:established,to_server; "
			"http.uri; content:\"/path-%08x\"; sid:%u; rev:1;)\n",
			i * 2654435761u, i);
	char *data = bundle(1, text);
	free(text);
	return data;
}

static void expect_compile_failure(const char *say)
{
	int error;
	char *data = large_bundle(5000); // sets len
	json_t *reply = load(data, len, 0, &error);

	assert_int_equal(error, -EINVAL);
	if (strstr(text_of(reply, "error"), say) == NULL)
		fail_msg("said: %s", text_of(reply, "error"));
	json_decref(reply);
	assert_false(build_running(&fx.d->deploy.build));
	assert_int_equal(fx.fake.offers, 0);
}

// A child that gets no memory or no time ends with a sentence, and leaves us as we were.
static void test_compile_memory(void **state)
{
	const char *sanitized = getenv("WIREGLASS_SANITIZED");

	if (sanitized != NULL && strcmp(sanitized, "1") == 0) {
		print_message("skipped: a sanitizer's own memory does not fit into RLIMIT_AS\n");
		skip();
	}
	start_both();
	fx.d->settings.compile.memory_mb = 1;
	expect_compile_failure(""); // how it ends depends on who asks for memory first
	fx.d->settings.compile.memory_mb = 8192;
	expect_load(bundle(1, RULE(101, "/one")), 0, "live", NULL);
}

static void test_compile_time(void **state)
{
	start_both();
	fx.d->settings.compile.wall_s = 0;
	expect_compile_failure("wall_s");
	fx.d->settings.compile.wall_s = 900;
	expect_load(bundle(1, RULE(101, "/one")), 0, "live", NULL);
}

// Rules that each take a while to compile: the one that was too many is named.
static void test_compile_cpu(void **state)
{
	char *text = malloc(200 * 200), *at = text;
	int error;

	assert_non_null(text);
	for (int i = 1; i <= 200; i++)
		at += sprintf(at,
			      "alert http any any -> any any (flow:to_client; file.data; "
			      "content:\"needle%d\"; pcre:\"/a.{0,2000}b%d/Rs\"; sid:%d;)\n",
			      i, i, i);
	start_both();
	fx.d->settings.compile.cpu_s = 1;
	char *data = bundle(1, text);
	json_t *reply = load(data, len, 0, &error);
	assert_int_equal(error, -EINVAL);
	if (strstr(text_of(reply, "error"), "compile.cpu_s") == NULL ||
	    strstr(text_of(reply, "error"), ", at ") == NULL ||
	    strstr(text_of(reply, "error"), "(sid ") == NULL)
		fail_msg("said: %s", text_of(reply, "error"));
	json_decref(reply);
	free(text);
	fx.d->settings.compile.cpu_s = 600;
	expect_load(bundle(1, RULE(101, "/one")), 0, "live", NULL);
}

// Stopping in the middle of a compilation leaves no child behind.
static void test_stop_while_compiling(void **state)
{
	start_both();
	struct ipc_admin_req req = {.command = IPC_ADMIN_RULES_LOAD};
	char *data = large_bundle(5000);
	int fd = memfd_of(data, len), client = admin_connect();
	free(data);
	admin_ask(client, &req, fd);
	UNTIL(build_running(&fx.d->deploy.build));
	pid_t pid = fx.d->deploy.build.pid;
	fixture_stop();
	assert_int_equal(kill(pid, 0), -1);
	close(client);
	close(fd);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_load),
		TEST(test_refused_before_the_dataplane),
		TEST(test_no_trusted_key),
		TEST(test_refused_by_the_dataplane),
		TEST(test_busy_dataplane),
		TEST(test_one_at_a_time),
		TEST(test_asker_leaves),
		TEST(test_pending_without_dataplane),
		TEST(test_older_than_the_pending_one),
		TEST(test_dataplane_dies_during_the_offer),
		TEST(test_pending_bundle_refused_later),
		TEST(test_restart_of_the_dataplane),
		TEST(test_restart_of_control),
		TEST(test_restart_with_a_damaged_bundle),
		TEST(test_rollback),
		TEST(test_cache),
		TEST(test_bundle_retention),
		TEST(test_compile_memory),
		TEST(test_compile_time),
		TEST(test_compile_cpu),
		TEST(test_stop_while_compiling),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: BSD-2-Clause
// Which bundles and rules a sensor trusts: keys, how many of them, governance, expiry. The dataplane is the test's.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/control_fixture.h"

static size_t len;

static void start_both(void)
{
	fixture_start();
	fake_start();
	UNTIL(fx.d->dp.state == DPCLIENT_UP);
}

// Load; live, or refused with this code. The reply is the caller's.
static json_t *load_spec(const struct bundle_spec *spec, const char *code)
{
	int error;
	char *data = make_bundle_of(spec, &len); // sets len
	json_t *reply = load(data, len, 0, &error);

	if (code == NULL ? error != 0 : error == 0)
		fail_msg("error %d: %s", error, text_of(reply, "error"));
	assert_string_equal(text_of(reply, code == NULL ? "state" : "code"),
			    code == NULL ? "live" : code);
	return reply;
}

static void expect(const struct bundle_spec *spec, const char *code, const char *say)
{
	json_t *reply = load_spec(spec, code);

	if (say != NULL && strstr(text_of(reply, "error"), say) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", say, text_of(reply, "error"));
	json_decref(reply);
}

// Two keys must have signed; then one is replaced by another, without a bundle being left without its two.
static void test_two_of_three_and_rotation(void **state)
{
	char *a = fx.secret, *b = fx.other_secret, c[128], public[128];
	struct bundle_spec spec = {.id = "test", .rules = RULE(101, "/one"), .serial = 1};
	struct sig_public key;
	struct diag diag = {0};

	snprintf(c, sizeof(c), "%s/third.key", fx.dir);
	snprintf(public, sizeof(public), "%s/third.pub", fx.dir);
	assert_int_equal(sig_keygen(c, public, NULL, 0, &key, &diag), 0);
	// Every *.pub of the folder is trusted: a and b; c is kept away.
	fx.settings.n_keys = 0;
	fx.settings.signatures = 2;
	snprintf(fx.settings.keys_dir, sizeof(fx.settings.keys_dir), "%s", fx.dir);
	char away[160];
	snprintf(away, sizeof(away), "%s.away", public);
	assert_int_equal(rename(public, away), 0);
	start_both();

	spec.keys[0] = a;
	expect(&spec, "signature", "2 must have signed");
	spec.keys[1] = c; // not trusted: does not count
	expect(&spec, "signature", "2 must have signed");
	spec.keys[1] = b;
	expect(&spec, NULL, NULL);
	// Rotation: c comes, a bundle of b and c, a goes.
	assert_int_equal(rename(away, public), 0);
	spec.keys[0] = b;
	spec.keys[1] = c;
	spec.serial = 2;
	expect(&spec, NULL, NULL);
	snprintf(away, sizeof(away), "%s/trusted.pub", fx.dir);
	unlink(away);
	spec.serial = 3;
	spec.keys[0] = a;
	expect(&spec, "signature", "2 must have signed");
	spec.keys[0] = b;
	expect(&spec, NULL, NULL);
	// The first one was by a and b: going back to it is refused now.
	const struct ipc_admin_req back = {.command = IPC_ADMIN_RULES_ACTIVATE, .since = 1};
	int error;
	json_t *reply = admin_request(&back, -1, &error);
	assert_string_equal(text_of(reply, "code"), "signature");
	json_decref(reply);
	const struct ipc_admin_req good = {.command = IPC_ADMIN_RULES_ACTIVATE, .since = 2};
	reply = admin_request(&good, -1, &error);
	assert_string_equal(text_of(reply, "state"), "live");
	assert_int_equal(fx.fake.live.serial, 2);
	json_decref(reply);
	// Fewer keys than signatures: nothing can be right.
	snprintf(away, sizeof(away), "%s/other.pub", fx.dir);
	unlink(away);
	spec.serial = 4;
	expect(&spec, "signature", "only 1 key is trusted");
}

#define GOVERNED(sid, metadata)                                                                    \
	"alert http any any -> any any (msg:\"m\"; flow:to_server; http.uri; "                     \
	"content:\"/g\"; metadata:" metadata "; sid:" #sid ";)\n"
#define ALL                                                                                        \
	"owner abuse desk, authority order 7, legal_basis art 5, jurisdiction EU, "                \
	"expires 2099-01-31"

static void test_strict(void **state)
{
	struct bundle_spec spec = {.id = "test",
				   .serial = 1,
				   .rules = GOVERNED(1, ALL) GOVERNED(
					   2, "owner x, jurisdiction EU, expires 2099-01-31")
					   RULE(3, "/none"),
				   .keys = {fx.secret}};

	fx.settings.strict = true;
	start_both();
	expect(&spec, "governance", "legal_basis, authority, owner, jurisdiction, expires");
	spec.owner = spec.authority = spec.legal_basis = spec.jurisdiction = "x";
	expect(&spec, "governance", "lacks expires in");
	spec.expires = "2099-01-31T00:00:00Z";
	json_t *reply = load_spec(&spec, NULL);
	assert_int_equal(number_of(reply, "rules"), 1);
	assert_int_equal(number_of(reply, "refused"), 2);
	const json_t *refused = json_object_get(reply, "refused_rules");
	assert_int_equal(number_of(json_array_get(refused, 0), "sid"), 2);
	assert_int_equal(number_of(json_array_get(refused, 0), "line"), 2);
	assert_non_null(strstr(text_of(json_array_get(refused, 0), "reason"),
			       "lacks legal_basis, authority"));
	assert_non_null(strstr(text_of(json_array_get(refused, 1), "reason"), "owner"));
	json_decref(reply);
	spec.rules = RULE(3, "/none");
	spec.serial = 2;
	expect(&spec, "empty", NULL);
	// What was compiled for a lenient sensor is not taken from the cache for a strict one.
	fixture_stop();
	fake_stop();
	fx.settings.strict = false;
	start_both();
	expect(&spec, NULL, NULL);
	fixture_stop();
	fake_stop();
	fx.settings.strict = true;
	fixture_start();
	UNTIL(!deploy_running(&fx.d->deploy));
	assert_null(fx.d->deploy.live);
}

static void time_in(char *buf, size_t size, time_t in_s)
{
	time_t t = time(NULL) + in_s;
	struct tm tm;

	strftime(buf, size, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&t, &tm));
}

// A rule is switched off when its time has come, at load and while it runs, and stays off; the others go on.
static void test_expiry(void **state)
{
	char soon[32], rules[2048];
	struct bundle_spec spec = {.id = "test", .serial = 1, .keys = {fx.secret}, .rules = rules};

	start_both();
	time_in(soon, sizeof(soon), 3);
	snprintf(rules, sizeof(rules),
		 GOVERNED(1, "expires 2026-01-01") RULE(2, "/two") GOVERNED(3, "expires %s")
			 GOVERNED(4, "expires never"),
		 soon);
	json_t *reply = load_spec(&spec, NULL);
	assert_int_equal(number_of(reply, "rules"), 2);
	assert_int_equal(number_of(reply, "expired"), 1);
	assert_int_equal(
		json_integer_value(json_array_get(json_object_get(reply, "expired_sids"), 0)), 1);
	assert_int_equal(number_of(reply, "refused"), 1); // "never" is no time
	json_decref(reply);
	uint32_t generation = fx.fake.live.generation;
	UNTIL(fx.fake.live.generation > generation && !deploy_running(&fx.d->deploy));
	assert_int_equal(fx.fake.live.serial, 1);
	assert_int_equal(fx.d->deploy.live->rules, 1);
	assert_int_equal(fx.d->deploy.live->expired, 2);
	assert_int_equal(fx.d->deploy.live->next_expiry_s, 0);
	// Neither a restart nor the cache brings it back.
	fixture_stop();
	fake_stop();
	start_both();
	UNTIL(fx.fake.live.serial == 1);
	assert_int_equal(fx.d->deploy.live->rules, 1);
	// The last one goes as well.
	spec.serial = 2;
	time_in(soon, sizeof(soon), 2);
	snprintf(rules, sizeof(rules), GOVERNED(1, "expires %s"), soon);
	reply = load_spec(&spec, NULL);
	json_decref(reply);
	UNTIL(fx.d->deploy.live->rules == 0);
	assert_int_equal(fx.fake.live.serial, 2);
}

// So does a bundle as a whole, told before; it comes back after a restart without them, and is not loaded again.
static void test_bundle_expiry(void **state)
{
	char soon[32];
	struct bundle_spec spec = {.id = "test",
				   .serial = 1,
				   .keys = {fx.secret},
				   .expires = soon,
				   .rules = RULE(1, "/one") GOVERNED(2, "expires 2099-01-31")};

	start_both();
	time_in(soon, sizeof(soon), 3);
	json_t *reply = load_spec(&spec, NULL);
	assert_int_equal(number_of(reply, "rules"), 2);
	assert_int_equal(number_of(reply, "next_expiry"), fx.d->deploy.live->next_expiry_s);
	json_decref(reply);
	assert_int_not_equal(fx.d->deploy.live->next_expiry_s, 0);
	assert_int_equal(fx.d->deploy.expiry_warned_s, fx.d->deploy.live->next_expiry_s);
	UNTIL(fx.d->deploy.live->rules == 0 && !deploy_running(&fx.d->deploy));
	assert_int_equal(fx.d->deploy.live->expired, 2);
	assert_int_equal(fx.d->deploy.live->next_expiry_s, 0);
	fixture_stop();
	fake_stop();
	start_both();
	UNTIL(fx.fake.live.serial == 1);
	assert_int_equal(fx.d->deploy.live->rules, 0);
	spec.serial = 2;
	expect(&spec, "expired", "has expired");
	// One that lasts long is nothing to warn of.
	time_in(soon, sizeof(soon), 30 * 86400);
	expect(&spec, NULL, NULL);
	assert_int_equal(fx.d->deploy.live->rules, 2);
	assert_int_equal(fx.d->deploy.expiry_warned_s, 0);
}

// --- self-tests

#define GET(path) "> GET " path " HTTP/1.1\\r\\nHost: a.example\\r\\n\\r\\n\n"

// A bundle goes live only if its rules do what it says they must.
static void test_self_tests(void **state)
{
	struct bundle_spec spec = {.id = "test",
				   .serial = 1,
				   .keys = {fx.secret},
				   .rules = RULE(101, "/one") RULE(
					   102, "/two") "alert http 10.0.0.0/8 any -> any 8080 "
							"(msg:\"f\"; flow:to_server; http.uri; "
							"content:\"/three\"; sid:103;)\n"
							"alert http any any -> any any (msg:\"b\"; "
							"flow:to_client; http.response_body; "
							"content:\"needle|00|\"; sid:104;)\n"};
	static const struct {
		const char *text;
		const char *say; // NULL: good
	} cases[] = {
		{"# two cases\nmatch 101\nnomatch 102\n" GET("/one") "\nmatch 101 102\n" GET("/one")
			 GET("/two"),
		 NULL},
		{"match 103\nflow 10.1.2.3 4000 -> 192.0.2.1 8080\n" GET(
			 "/three") "nomatch 103\n" GET("/three"),
		 NULL},
		{"match 104\n" GET("/") "< HTTP/1.1 200 OK\\r\\nContent-Length: "
					"7\\r\\n\\r\\nneedle\\x00\n",
		 NULL},
		{"match 102\n" GET("/one"), "tests/test.txt:1: self-test: rule 102 does not match"},
		{"match 101\n" GET("/one") "nomatch 102\n" GET("/two"),
		 "tests/test.txt:3: self-test: rule 102 matches what it must not"},
		{"match 999\n" GET("/one"), "rule 999 is not among the rules"},
		{GET("/one"), "before the first match"},
		{"match\n", "before the first match"},
		{"match x\n", "needs sids"},
		{"match 101\nmach 102\n", "is none of match"},
		{"match 101\n> \\q\n", "an escape other than"},
		{"match 101\nflow here -> there\n", "must be like"},
	};

	start_both();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bool good = cases[i].say == NULL;

		spec.selftest = cases[i].text;
		json_t *reply = load_spec(&spec, good ? NULL : "selftest");
		if (good)
			assert_true(number_of(reply, "self_tests") > 0);
		else if (strstr(text_of(reply, "error"), cases[i].say) == NULL)
			fail_msg("\"%s\" is not in \"%s\"", cases[i].say, text_of(reply, "error"));
		assert_int_equal(fx.fake.live.serial, good ? spec.serial : spec.serial - 1);
		spec.serial += good;
		json_decref(reply);
	}
	// What a rule that has expired must do is not asked for.
	spec.rules = RULE(101, "/one") GOVERNED(102, "expires 2026-01-01");
	spec.selftest = "match 101\n" GET("/one") "match 102\n" GET("/g");
	json_decref(load_spec(&spec, NULL));
}

// --- trials

static json_t *load_trial(uint64_t serial, uint32_t seconds, uint32_t hits, uint32_t busy,
			  int *ret_error)
{
	struct ipc_admin_req req = {.command = IPC_ADMIN_RULES_LOAD,
				    .trial_s = seconds,
				    .trial_hits_per_s = hits,
				    .trial_busy_percent = busy};
	char *data = make_bundle("test", serial, RULE(101, "/one"), "", NULL, &len);
	int fd = memfd_of(data, len);
	json_t *reply = admin_request(&req, fd, ret_error);

	free(data);
	close(fd);
	return reply;
}

static void begin_trial(uint64_t serial, uint32_t seconds, uint32_t hits, uint32_t busy)
{
	int error;
	json_t *reply = load_trial(serial, seconds, hits, busy, &error);

	if (error != 0)
		fail_msg("%s", text_of(reply, "error"));
	assert_string_equal(text_of(reply, "state"), "live");
	assert_int_equal(number_of(json_object_get(reply, "trial"), "seconds"), seconds);
	assert_int_equal(fx.fake.live.serial, serial);
	json_decref(reply);
}

static void expect_audit(const char *action, const char *result, const char *reason)
{
	json_t *json, *found = NULL;
	FILE *f = fopen(fx.d->audit.path, "r");

	while ((json = json_loadf(f, JSON_DISABLE_EOF_CHECK, NULL)) != NULL) {
		if (strcmp(text_of(json, "action"), action) == 0 &&
		    strcmp(text_of(json, "result"), result) == 0) {
			json_decref(found);
			found = json_incref(json);
		}
		json_decref(json);
	}
	fclose(f);
	assert_non_null(found);
	if (strstr(text_of(found, "reason"), reason) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", reason, text_of(found, "reason"));
	json_decref(found);
}

static void start_with_live(uint64_t serial)
{
	const struct bundle_spec spec = {
		.id = "test", .rules = RULE(101, "/one"), .serial = serial, .keys = {fx.secret}};

	start_both();
	expect(&spec, NULL, NULL);
}

static void test_trial_passes(void **state)
{
	int error;

	start_both();
	json_t *reply = load_trial(1, 1, 0, 0, &error); // nothing to go back to
	assert_int_equal(error, -ENOTCONN);
	json_decref(reply);
	fake_stop();
	fixture_stop();
	start_with_live(1);
	begin_trial(2, 1, 100, 0);
	reply = load_trial(3, 1, 0, 0, &error); // one at a time
	assert_int_equal(error, -EBUSY);
	assert_non_null(strstr(text_of(reply, "error"), "on trial"));
	json_decref(reply);
	fake_stats(400, 1, 1); // not more than 100 a second over five
	UNTIL(fx.d->deploy.canary.back == 0);
	assert_int_equal(fx.fake.live.serial, 2);
	expect_audit("rules canary", "done", "");
	begin_trial(3, 60, 0, 0);
	fixture_stop(); // a trial that has passed is not taken back by a restart, one that runs is
	fixture_start();
	fake_start();
	UNTIL(fx.fake.live.serial == 2 && fx.d->deploy.confirmed);
	expect_audit("rules canary", "failed", "wireglassd was stopped");
	fixture_stop();
	fixture_start();
	fake_start();
	UNTIL(fx.d->deploy.confirmed);
	assert_int_equal(fx.d->deploy.live->serial, 2);
}

static void test_trial_taken_back(void **state)
{
	int error;

	start_with_live(1);
	// Too many hits.
	fake_stats(1000, 1, 1);
	settle();
	begin_trial(2, 60, 10, 0);
	fake_stats(1000 + 51, 2, 2);
	UNTIL(fx.fake.live.serial == 1 && fx.d->deploy.canary.back == 0);
	expect_audit("rules canary", "failed", "51 hits");
	expect_audit("rules rollback", "done", "");
	json_t *status =
		admin_request(&(struct ipc_admin_req){.command = IPC_ADMIN_SHOW_RULES}, -1, &error);
	assert_non_null(strstr(text_of(status, "warning"), "taken back"));
	json_decref(status);
	// Its serial is used up.
	json_decref(load_trial(2, 60, 0, 0, &error));
	assert_int_equal(error, -EINVAL);
	// The dataplane dies during it.
	begin_trial(3, 60, 0, 0);
	fake_stop();
	UNTIL(fx.d->deploy.canary.back == 0);
	fake_start();
	UNTIL(fx.fake.live.serial == 1 && fx.d->deploy.confirmed);
	expect_audit("rules canary", "failed", "went away");
	// The operator has seen enough.
	begin_trial(4, 60, 0, 0);
	json_decref(admin_request(&(struct ipc_admin_req){.command = IPC_ADMIN_RULES_ROLLBACK}, -1,
				  &error));
	assert_int_equal(error, 0);
	assert_int_equal(fx.fake.live.serial, 1);
	assert_int_equal(fx.d->deploy.canary.back, 0);
	expect_audit("rules canary", "failed", "other rules");
}

static void test_trial_too_busy(void **state)
{
	start_with_live(1);
	fake_stats(0, 1000, 1000);
	settle();
	begin_trial(2, 60, 0, 80);
	fake_stats(0, 1000 + 900, 1000 + 100);
	UNTIL(fx.fake.live.serial == 1);
	expect_audit("rules canary", "failed", "90 %");
}

// --- everything that must be refused

#define HOSTILE                                                                                    \
	"alert http any any -> any any (flow:to_client; file.data; content:\"needle%d\"; "         \
	"pcre:\"/a.{0,2000}b%d/Rs\"; sid:%d;)\n"

static char *flip(char *data, size_t at)
{
	data[at] ^= 1;
	return data;
}

// Each with its own sentence and code; what is live stays live, and the refusal is in the audit log.
static void test_refusals(void **state)
{
	enum kind {
		TAMPERED,
		TRUNCATED,
		HEADLESS,
		RESIGNED,
		UNSIGNED,
		DOWNGRADED,
		EXPIRED,
		OVERSIZED,
		HOSTILE_RULES,
		NO_RULES,
		NO_BUNDLE,
		KINDS
	};
	static const struct {
		const char *name, *code, *say;
	} cases[KINDS] = {
		[TAMPERED] = {"tampered", "signature", "does not match its signature"},
		[TRUNCATED] = {"truncated", "signature", "does not match its signature"},
		[HEADLESS] = {"cut in its signature", "signature", "is damaged"},
		[RESIGNED] = {"signed by another", "signature", "which is not trusted"},
		[UNSIGNED] = {"not signed", "signature", "not signed"},
		[DOWNGRADED] = {"downgraded", "stale", "not newer"},
		[EXPIRED] = {"expired", "expired", "has expired"},
		[OVERSIZED] = {"oversized", "size", "the most that is read"},
		[HOSTILE_RULES] = {"hostile patterns", "compile", "compile.cpu_s"},
		[NO_RULES] = {"no rule that loads", "empty", "none of its rules"},
		[NO_BUNDLE] = {"signed, but no archive", "bundle", "tar"},
	};
	char *hostile = calloc(1, 200 * 200), *at = hostile, sig[SIG_TEXT_MAX];
	struct sig_secret key;
	struct diag diag = {0};

	start_with_live(10);
	fx.d->settings.compile.cpu_s = 1;
	for (int i = 1; i <= 200; i++)
		at += sprintf(at, HOSTILE, i, i, i);
	assert_int_equal(sig_secret_read(fx.secret, NULL, &key, &diag), 0);
	for (enum kind k = 0; k < KINDS; k++) {
		struct bundle_spec spec = {.id = "test",
					   .serial = 11,
					   .rules = RULE(101, "/one"),
					   .keys = {fx.secret}};
		char *data = NULL;
		int error, fd;

		if (k == DOWNGRADED)
			spec.serial = 9;
		if (k == EXPIRED)
			spec.expires = "2026-01-02";
		if (k == RESIGNED)
			spec.keys[0] = fx.other_secret;
		if (k == HOSTILE_RULES || k == NO_RULES)
			spec.rules = k == NO_RULES ? "alert http bad\n" : hostile;
		data = make_bundle_of(&spec, &len);
		if (k == TAMPERED)
			flip(data, len - 30);
		if (k == TRUNCATED)
			len -= 100;
		if (k == HEADLESS)
			len = 40;
		if (k == UNSIGNED) {
			size_t head = 8 + (uint8_t)data[4] + 256u * (uint8_t)data[5];
			memmove(data, data + head, len -= head);
		}
		if (k == NO_BUNDLE) {
			free(data);
			assert_true(sig_sign(&key, span_of("nonsense", 8), "c", sig) > 0);
			assert_int_equal(bundle_embed(span_of("nonsense", 8),
						      span_of(sig, strlen(sig)), &data, &len),
					 0);
		}
		fd = memfd_of(data, len);
		if (k == OVERSIZED)
			assert_int_equal(ftruncate(fd, (off_t)BUNDLE_FILE_MAX + 1), 0);
		const struct ipc_admin_req req = {.command = IPC_ADMIN_RULES_LOAD};
		json_t *reply = admin_request(&req, fd, &error);
		if (error == 0 || strcmp(text_of(reply, "code"), cases[k].code) != 0 ||
		    strstr(text_of(reply, "error"), cases[k].say) == NULL)
			fail_msg("%s: error %d, %s: %s", cases[k].name, error,
				 text_of(reply, "code"), text_of(reply, "error"));
		expect_audit("rules load", "refused", text_of(reply, "error"));
		assert_int_equal(fx.fake.live.serial, 10);
		assert_int_equal(fx.fake.offers, 1);
		assert_true(fx.d->deploy.confirmed && fx.d->deploy.live->serial == 10);
		json_decref(reply);
		free(data);
		close(fd);
	}
	free(hostile);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_two_of_three_and_rotation),
		TEST(test_strict),
		TEST(test_expiry),
		TEST(test_bundle_expiry),
		TEST(test_self_tests),
		TEST(test_trial_passes),
		TEST(test_trial_taken_back),
		TEST(test_trial_too_busy),
		TEST(test_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

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

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_two_of_three_and_rotation),
		TEST(test_strict),
		TEST(test_expiry),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

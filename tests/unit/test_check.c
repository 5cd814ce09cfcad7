// SPDX-License-Identifier: BSD-2-Clause
// What `wireglass check` makes of answers: every reason to complain, alone, at its limit and below it.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "control/cli/check.h"

static const char good[] =
	"{\"status\": {"
	"  \"dataplane\": {\"connected\": true, \"problem\": \"\", \"finished\": false},"
	"  \"rules\": {\"serial\": 7, \"live\": true, \"warning\": \"\", \"expired\": 0,"
	"    \"since\": \"2026-11-20T00:00:00.000000+0000\", \"next_expiry\": null},"
	"  \"hits\": {\"paused\": false, \"problem\": \"\", \"last_id\": 12},"
	"  \"audit\": {\"problem\": \"\"},"
	"  \"sinks\": [{\"name\": \"eve\", \"pending\": 3, \"problem\": \"\"}]},"
	"\"stats\": {\"counters\": {\"capture.packets\": 1000, \"detect.hits_lost\": 0}},"
	"\"coverage\": {\"bytes_seen\": 100000, \"rows\": [{\"name\": \"overload\", \"bytes\": "
	"0}]},"
	"\"ports\": {\"ports\": [{\"name\": \"eth1\", \"link\": true, \"rx_packets\": 1000, "
	"\"rx_missed\": 0,"
	"    \"rx_nombuf\": 0, \"kernel_drops\": null}]},"
	"\"workers\": {\"workers\": [{\"worker\": 0, \"silent_s\": 1}, {\"worker\": 1, "
	"\"silent_s\": "
	"0}]}}";

static const uint64_t now_ns = 1795564800000000000; // 2026-11-25T00:00:00

static struct check_limits limits;
static struct check_result result;

// The good answers with a value at a path ("status/rules/live") replaced.
static enum check_state judge(const char *path, const char *json, double free_percent)
{
	json_t *all = json_loads(good, 0, NULL), *at = all;
	char copy[128], *save = NULL, *key, *next;

	assert_non_null(all);
	strcpy(copy, path);
	key = strtok_r(copy, "/", &save);
	for (; key != NULL && (next = strtok_r(NULL, "/", &save)) != NULL; key = next)
		at = json_is_array(at) ? json_array_get(at, (size_t)(key[0] - '0'))
				       : json_object_get(at, key);
	if (key != NULL) {
		if (json_is_array(at))
			at = json_array_get(at, 0);
		assert_true(json_is_object(at));
		json_object_set_new(at, key, json_loads(json, JSON_DECODE_ANY, NULL));
	}
	const struct check_input in = {
		.status = json_object_get(all, "status"),
		.stats = json_object_get(all, "stats"),
		.coverage = json_object_get(all, "coverage"),
		.ports = json_object_get(all, "ports"),
		.workers = json_object_get(all, "workers"),
		.free_percent = free_percent,
		.now_ns = now_ns,
	};
	check_judge(&in, &limits, &result);
	json_decref(all);
	return result.state;
}

static void test_good(void **state)
{
	check_defaults(&limits);
	assert_int_equal(judge("", "", 50), CHECK_OK);
	assert_string_equal(result.problems, "");
	assert_string_equal(result.values,
			    " silent=1s;5;9 loss=0%;0.1;1 packets=1000c lost=0c unread=0%;1;10 "
			    "hits-lost=0;1;1000 bundle-age=5d;; pending=3;10000;100000 hits=12c "
			    "disk=50%;10:;3:");
}

static void test_each(void **state)
{
	static const struct {
		const char *path, *json;
		enum check_state want;
		const char *says;
	} cases[] = {
		{"status/dataplane/connected", "false", CHECK_CRITICAL,
		 "dataplane is not connected"},
		{"status/rules/serial", "0", CHECK_CRITICAL, "no rules are loaded"},
		{"status/rules/live", "false", CHECK_CRITICAL, "rules are not live"},
		{"status/rules/warning", "\"back to 6\"", CHECK_WARNING, "back to 6"},
		{"status/rules/expired", "2", CHECK_WARNING, "2 rules have expired"},
		{"status/rules/next_expiry", "\"2026-12-03T00:00:00.0+0000\"", CHECK_OK, ""},
		{"status/rules/next_expiry", "\"2026-12-01T23:59:59.0+0000\"", CHECK_WARNING,
		 "7d until the next rule expires"},
		{"status/rules/next_expiry", "\"2026-11-25T12:00:00.0+0000\"", CHECK_CRITICAL,
		 "0.5d until"},
		{"status/hits/paused", "true", CHECK_CRITICAL, "hits cannot be stored"},
		{"status/audit/problem", "\"full\"", CHECK_CRITICAL, "no audit log: full"},
		{"status/sinks/0/pending", "9999", CHECK_OK, ""},
		{"status/sinks/0/pending", "10000", CHECK_WARNING, "a sink has not taken"},
		{"status/sinks/0/pending", "100000", CHECK_CRITICAL, "a sink has not taken"},
		{"status/sinks/0/problem", "\"gone | away\\n\"", CHECK_WARNING,
		 "sink eve: gone   away "},
		{"stats/counters/detect.hits_lost", "1", CHECK_WARNING, "hits lost"},
		{"stats/counters/detect.hits_lost", "1000", CHECK_CRITICAL, "hits lost"},
		{"coverage/rows/0/bytes", "999", CHECK_OK, ""},
		{"coverage/rows/0/bytes", "1000", CHECK_WARNING, "overload"},
		{"coverage/rows/0/bytes", "10000", CHECK_CRITICAL, "overload"},
		{"ports/ports/0/link", "false", CHECK_WARNING, "port 0 (eth1): the link is down"},
		{"ports/ports/0/kernel_drops", "1", CHECK_OK, ""},
		{"ports/ports/0/kernel_drops", "2", CHECK_WARNING, "lost before inspection"},
		{"ports/ports/0/rx_missed", "11", CHECK_CRITICAL, "lost before inspection"},
		{"ports/ports/0/rx_nombuf", "11", CHECK_CRITICAL, "lost before inspection"},
		{"workers/workers/0/silent_s", "4", CHECK_OK, ""},
		{"workers/workers/0/silent_s", "5", CHECK_WARNING, "since a worker last moved"},
		{"workers/workers/0/silent_s", "9", CHECK_CRITICAL, "since a worker last moved"},
	};

	check_defaults(&limits);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		enum check_state have = judge(cases[i].path, cases[i].json, 50);

		if (have != cases[i].want ||
		    (cases[i].says[0] == '\0') != (result.problems[0] == '\0') ||
		    strstr(result.problems, cases[i].says) == NULL)
			fail_msg("%s = %s: %s: %s", cases[i].path, cases[i].json,
				 check_state_names[have], result.problems);
	}
	assert_int_equal(judge("", "", 9.9), CHECK_WARNING);
	assert_int_equal(judge("", "", 2.9), CHECK_CRITICAL);
	assert_int_equal(judge("", "", -1), CHECK_UNKNOWN);
	assert_non_null(strstr(result.problems, "the disk of the hits"));
}

// Several: all are named, the worst counts.
static void test_several(void **state)
{
	check_defaults(&limits);
	assert_true(check_limit_parse(&limits, CHECK_AGE, "3,5"));
	assert_int_equal(judge("ports/ports/0/link", "false", 50), CHECK_CRITICAL);
	assert_string_equal(result.problems,
			    "port 0 (eth1): the link is down; 5d since the live bundle "
			    "became live");
}

static void test_parse(void **state)
{
	static const struct {
		const char *text;
		bool good;
		double warning, critical;
	} cases[] = {
		{"5,10", true, 5, 10},  {"0.5,1.25", true, 0.5, 1.25},
		{"5", true, 5, -1},     {"-,10", true, -1, 10},
		{"-,-", true, -1, -1},  {"-", true, -1, -1},
		{"", false, 0, 0},      {",", false, 0, 0},
		{"5,", false, 0, 0},    {",5", false, 0, 0},
		{"5,6,7", false, 0, 0}, {"x", false, 0, 0},
		{"5 ,6", false, 0, 0},  {"-1,2", false, 0, 0},
		{"inf,2", false, 0, 0}, {"nan", false, 0, 0},
		{"5%", false, 0, 0},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		check_defaults(&limits);
		if (check_limit_parse(&limits, CHECK_LOSS, cases[i].text) != cases[i].good)
			fail_msg("%s", cases[i].text);
		if (cases[i].good) {
			assert_true(limits.warning[CHECK_LOSS] == cases[i].warning);
			assert_true(limits.critical[CHECK_LOSS] == cases[i].critical);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_each),
		cmocka_unit_test(test_several),
		cmocka_unit_test(test_parse),
	};

	return cmocka_run_group_tests_name("check", tests, NULL, NULL);
}

// SPDX-License-Identifier: BSD-2-Clause
// Where metrics may be served, and which counters are levels. The page itself: tests/e2e/metrics.sh.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>

#include "common/counters.h"
#include "control/metrics.h"

static void test_address(void **state)
{
	static const struct {
		const char *text;
		int family; // 0: refused
	} cases[] = {
		{"127.0.0.1:9464", AF_INET},
		{"127.255.0.9:1", AF_INET},
		{"[::1]:65535", AF_INET6},
		{"/run/metrics.sock", AF_UNIX},
		{"0.0.0.0:9464", 0},
		{"128.0.0.1:9464", 0},
		{"10.0.0.1:9464", 0},
		{"[::]:9464", 0},
		{"[::2]:9464", 0},
		{"[::ffff:127.0.0.1]:9464", 0},
		{"[127.0.0.1:9464", 0},
		{"localhost:9464", 0},
		{"127.0.0.1", 0},
		{"127.0.0.1:", 0},
		{"127.0.0.1:0", 0},
		{"127.0.0.1:65536", 0},
		{"127.0.0.1:+1", 0},
		{"127.0.0.1:1x", 0},
		{":9464", 0},
		{"[]:9464", 0},
		{"metrics.sock", 0},
		{"0000:0000:0000:0000:0000:0000:0000:0000:0000:1", 0},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sockaddr_storage address;
		struct diag diag = {0};
		socklen_t len;
		int err = metrics_address(cases[i].text, &address, &len, &diag);

		if (err != (cases[i].family != 0 ? 0 : -EINVAL))
			fail_msg("%s: %d", cases[i].text, err);
		if (err == 0)
			assert_int_equal(address.ss_family, cases[i].family);
		else
			assert_non_null(strstr(diag.text, cases[i].text));
	}
}

static void test_values(void **state)
{
	struct sockaddr_storage address;
	struct diag diag = {0};
	socklen_t len;
	char path[120];

	assert_int_equal(metrics_address("127.0.0.2:9464", &address, &len, &diag), 0);
	assert_int_equal(len, sizeof(struct sockaddr_in));
	assert_int_equal(((struct sockaddr_in *)&address)->sin_port, htons(9464));
	assert_int_equal(((struct sockaddr_in *)&address)->sin_addr.s_addr, htonl(0x7f000002));
	memset(path, 'x', sizeof(path));
	path[0] = '/';
	path[sizeof(((struct sockaddr_un *)NULL)->sun_path)] = '\0';
	assert_int_equal(metrics_address(path, &address, &len, &diag), -EINVAL);
	assert_non_null(strstr(diag.text, "107"));
	path[sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1] = '\0';
	assert_int_equal(metrics_address(path, &address, &len, &diag), 0);
	assert_string_equal(((struct sockaddr_un *)&address)->sun_path, path);
}

// The sentence of a level says what is there now.
static void test_levels(void **state)
{
	for (unsigned int i = 0; i < COUNTER_N; i++) {
		const char *text = counter_info(i)->text;
		size_t len = strlen(text);

		if (counter_is_level(i) != (len > 4 && strcmp(text + len - 4, " now") == 0))
			fail_msg("%s: %s", counter_info(i)->name, text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_address),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_levels),
	};

	return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}

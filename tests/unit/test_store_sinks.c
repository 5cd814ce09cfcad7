// SPDX-License-Identifier: BSD-2-Clause
// From the database to EVE files and sockets: each hit once, whatever happens between.
#include "tests/unit/storekit.h"

// Number of lines in the EVE file; every one must be JSON.
static int eve_lines(void)
{
	FILE *f = fopen(path_of("eve.json"), "r");
	char line[EVE_LINE_MAX + 2];
	int n = 0;

	assert_non_null(f);
	while (fgets(line, sizeof(line), f) != NULL) {
		json_t *json = json_loads(line, 0, NULL);
		assert_non_null(json);
		assert_non_null(json_object_get(json, "event_type"));
		json_decref(json);
		n++;
	}
	fclose(f);
	return n;
}

static void test_report_writes_each_hit_once(void **state)
{
	struct store *s = open_store(1000);
	uint32_t new = 0;

	open_report(s);
	assert_int_equal(report_batch(1, 100, &new), 0);
	assert_int_equal(new, 100);
	assert_int_equal(report_batch(51, 100, &new), 0);
	assert_int_equal(new, 50);
	assert_int_equal(count(s), 150);
	assert_int_equal(eve_lines(), 150);
	report_done(&report);
	store_close(s);
}

static void test_report_events(void **state)
{
	struct store *s = open_store(1000);
	struct ipc_events b = {.n = 4};
	struct event e[4] = {0};
	struct counters c = {0};
	uint32_t new;

	open_report(s);
	assert_int_equal(report_batch(1, 1, &new), 0);
	e[0] = http_of(hit_of(1).flow_id, "www.example.com", "/x");
	e[1] = (struct event){.type = EVENT_FLOW, .app = APP_TLS};
	e[2] = (struct event){.type = EVENT_FILEINFO};
	e[3] = (struct event){.type = 200}; // from a dataplane gone mad
	uint64_t none;
	report_events(&report, boot_a, &b, e);
	assert_int_equal(report_commit(&report, &none, &diag), 0);
	assert_int_equal(eve_lines(), 4);
	assert_string_equal(texts_of(s, 1).url, "/x");
	report_stats(&report, 60, &c);
	report_engine(&report, "a message", (const char *const[]){"key", "value", NULL});
	assert_int_equal(eve_lines(), 6);
	report.eve_mask = 1u << SETTINGS_EVE_ALERT;
	report_events(&report, boot_a, &b, e);
	report_stats(&report, 60, &c);
	assert_int_equal(eve_lines(), 6);
	report_done(&report);
	store_close(s);
}

// A write error of the EVE file: hits are stored all the same, no half line is left, and it goes on where it stopped.
static void test_eve_write_error(void **state)
{
	struct store *s = open_store(10000);
	struct rlimit old, limit;
	uint32_t new;

	open_report(s);
	assert_int_equal(report_batch(1, 200, &new), 0);
	struct stat st, after;
	// EFBIG comes after a short write, as ENOSPC does. SQLite's WAL must not hit the limit before.
	int fd = open(path_of("eve.json"), O_WRONLY | O_APPEND);
	static const char padding[] = "{\"event_type\":\"padding of a file that grows\"}\n";
	for (int i = 0; i < 16384; i++)
		assert_int_equal(write(fd, padding, sizeof(padding) - 1), sizeof(padding) - 1);
	close(fd);
	assert_int_equal(stat(path_of("eve.json"), &st), 0);
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &old);
	limit = (struct rlimit){.rlim_cur = (rlim_t)st.st_size + 1000, .rlim_max = old.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	int err = report_batch(201, 10, &new);
	setrlimit(RLIMIT_FSIZE, &old);
	assert_int_equal(err, 0);
	assert_int_equal(stat(path_of("eve.json"), &after), 0);
	assert_int_equal(after.st_size, st.st_size);
	assert_int_equal(count(s), 210);
	assert_int_equal(report.eve.failures, 1);
	assert_int_equal(sinks_pending(&report.sinks, &report.sinks.v[SINK_EVE_FILE]), 10);
	assert_true(report.sinks.v[SINK_EVE_FILE].error[0] != '\0');
	assert_int_equal(report_batch(211, 10, &new), 0);
	assert_int_equal(new, 10);
	assert_int_equal(eve_ids_in_order(), 220);
	assert_int_equal(sinks_pending(&report.sinks, &report.sinks.v[SINK_EVE_FILE]), 0);
	report_done(&report);
	store_close(s);
}

// Killed between the lines and the saved position: what is in the file already is not written again.
static void test_eve_exactly_once(void **state)
{
	struct store *s = open_store(10000);
	struct store_sink before = {.name = "eve-file"};
	struct counters none = {0};
	uint32_t new;

	open_report(s);
	assert_int_equal(report_batch(1, 250, &new), 0);
	assert_int_equal(store_sink_get(s, &before), 1);
	assert_int_equal(before.cursor, 250);
	assert_int_equal(report_batch(251, 250, &new), 0);
	report_stats(&report, 1, &none); // lines of others in between
	report_done(&report);
	assert_int_equal(store_begin(s), 0);
	assert_int_equal(store_sink_set(s, &before), 0); // as if it had not been saved
	assert_int_equal(store_commit(s), 0);
	FILE *f = fopen(path_of("eve.json"), "a"); // and half a line
	fputs("{\"timestamp\":\"2026-11-23T00:00:00.000000+0000\",\"event_type\":\"alert\","
	      "\"wireglass\":{\"id\":501,",
	      f);
	fclose(f);
	open_report(s);
	assert_int_equal(report.sinks.v[SINK_EVE_FILE].cursor, 500);
	assert_int_equal(report_batch(501, 100, &new), 0);
	assert_int_equal(eve_ids_in_order(), 600);
	report_done(&report);

	// Lines that are stored and were never written come at the next start.
	const struct store_sink older = {.name = "eve-file", .cursor = 100};
	assert_int_equal(unlink(path_of("eve.json")), 0);
	assert_int_equal(store_begin(s), 0);
	assert_int_equal(store_sink_set(s, &older), 0);
	assert_int_equal(store_commit(s), 0);
	open_report(s);
	report_pump(&report);
	assert_int_equal(eve_lines(), 500);
	report_done(&report);
	store_close(s);
}

// Retention was quicker than the sink: what it missed is counted.
static void test_sink_that_missed_hits(void **state)
{
	struct store *s = open_store(40); // tables of one row
	struct store_sink saved = {.name = "eve-file"};
	uint32_t new;

	open_report(s);
	report.sinks.v[SINK_EVE_FILE].on = false; // away
	assert_int_equal(report_batch(1, 100, &new), 0);
	report.sinks.v[SINK_EVE_FILE].on = true;
	report_pump(&report);
	assert_int_equal(eve_lines(), 40);
	assert_int_equal(store_sink_get(s, &saved), 1);
	assert_int_equal(saved.missed, 60);
	assert_int_equal(saved.cursor, 100);
	report_done(&report);
	store_close(s);
}

static int listen_on(const char *path, int type)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, type | SOCK_NONBLOCK, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	assert_int_equal(bind(fd, (const struct sockaddr *)&addr, sizeof(addr)), 0);
	if (type == SOCK_STREAM)
		assert_int_equal(listen(fd, 5), 0);
	return fd;
}

// A socket that nobody reads, that is read slowly, and that goes away: every line arrives, whole, in order.
static void test_sockets(void **state)
{
	struct store *s = open_store(100000);
	char buf[65536], *text = calloc(1, 8 << 20);
	size_t len = 0;
	uint32_t new;
	ssize_t n;

	settings_defaults(&settings);
	settings.eve.mask = 0;
	snprintf(settings.eve.socket, sizeof(settings.eve.socket), "%s", path_of("s.sock"));
	snprintf(settings.syslog, sizeof(settings.syslog), "%s", path_of("log.sock"));
	snprintf(settings.host, sizeof(settings.host), "a host");
	assert_int_equal(report_init(&report, &settings, s, NULL, &book, &diag), 0);
	struct sink *eve = &report.sinks.v[SINK_EVE_SOCKET], *log = &report.sinks.v[SINK_SYSLOG];
	assert_int_equal(report_batch(1, 100, &new), 0); // nobody is there
	assert_int_equal(sinks_pending(&report.sinks, eve), 100);
	assert_int_equal(sinks_pending(&report.sinks, log), 100);
	int listener = listen_on(path_of("s.sock"), SOCK_STREAM);
	int syslog = listen_on(path_of("log.sock"), SOCK_DGRAM);
	report_pump(&report);
	int reader = accept(listener, NULL, NULL);
	for (uint64_t seq = 101; seq < 2000; seq += 100) // more than it holds
		assert_int_equal(report_batch(seq, 100, &new), 0);
	assert_true(sinks_pending(&report.sinks, eve) > 0);
	int lines = 0;
	while (sinks_pending(&report.sinks, eve) > 0 || sinks_pending(&report.sinks, log) > 0) {
		while ((n = recv(reader, text + len, (8 << 20) - len, MSG_DONTWAIT)) > 0)
			len += (size_t)n;
		while ((n = recv(syslog, buf, sizeof(buf) - 1, MSG_DONTWAIT)) > 0) {
			buf[n] = '\0';
			assert_memory_equal(buf, "<132>1 2023-11-14T22:13:20.", 27);
			assert_non_null(strstr(buf, "Z a_host wireglassd "));
			json_t *json = json_loads(strstr(buf, "@cee: ") + 6, 0, NULL);
			assert_int_equal(json_integer_value(json_object_get(
						 json_object_get(json, "wireglass"), "id")),
					 ++lines);
			json_decref(json);
		}
		report_pump(&report);
	}
	while ((n = recv(syslog, buf, sizeof(buf) - 1, MSG_DONTWAIT)) > 0)
		lines++;
	assert_int_equal(lines, 2000);
	while ((n = recv(reader, text + len, (8 << 20) - len, MSG_DONTWAIT)) > 0)
		len += (size_t)n;
	uint64_t want = 0;
	for (char *line = text, *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
		*end = '\0';
		json_t *json = json_loads(line, 0, NULL);
		assert_non_null(json);
		assert_int_equal(json_integer_value(
					 json_object_get(json_object_get(json, "wireglass"), "id")),
				 ++want);
		json_decref(json);
	}
	assert_int_equal(want, 2000);
	close(reader);
	assert_int_equal(report_batch(2001, 5, &new), 0);
	assert_int_equal(sinks_pending(&report.sinks, eve), 5);
	report_pump(&report); // a new connection
	reader = accept(listener, NULL, NULL);
	assert_int_equal(sinks_pending(&report.sinks, eve), 0);
	assert_true(recv(reader, buf, sizeof(buf), MSG_DONTWAIT) > 0);
	report_done(&report);
	assert_int_equal(report_init(&report, &settings, s, NULL, &book, &diag), 0);
	assert_int_equal(report.sinks.v[SINK_EVE_SOCKET].cursor, 2005); // where it was
	report_done(&report);
	close(reader);
	close(listener);
	close(syslog);
	free(text);
	store_close(s);
}

static void test_eve_half_line_is_cut_at_start(void **state)
{
	struct evefile f;
	FILE *out = fopen(path_of("eve.json"), "w");

	fputs("{\"event_type\":\"a\"}\n{\"event_type\":\"half", out);
	fclose(out);
	assert_int_equal(evefile_open(&f, path_of("eve.json"), &diag), 0);
	assert_int_equal(evefile_append(&f, "{\"event_type\":\"b\"}\n", 19, 1, true), 0);
	assert_int_equal(eve_lines(), 2);
	// After a rotation the next line goes to the new file.
	assert_int_equal(rename(path_of("eve.json"), path_of("eve.json.1")), 0);
	assert_int_equal(evefile_append(&f, "{\"event_type\":\"c\"}\n", 19, 1, false), 0);
	assert_int_equal(access(path_of("eve.json"), F_OK), -1);
	assert_int_equal(evefile_reopen(&f, &diag), 0);
	assert_int_equal(evefile_append(&f, "{\"event_type\":\"d\"}\n", 19, 1, false), 0);
	assert_int_equal(eve_lines(), 1);
	evefile_close(&f);
	assert_int_equal(mkfifo(path_of("fifo"), 0600), 0);
	assert_int_equal(evefile_open(&f, path_of("fifo"), &diag), -EINVAL);
	assert_int_equal(evefile_open(&f, path_of("no/such/file"), &diag), -ENOENT);
	assert_int_equal(evefile_open(&f, "", &diag), 0);
	assert_int_equal(evefile_append(&f, "x\n", 2, 1, true), 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_report_writes_each_hit_once),
		TEST(test_report_events),
		TEST(test_eve_write_error),
		TEST(test_eve_exactly_once),
		TEST(test_sink_that_missed_hits),
		TEST(test_sockets),
		TEST(test_eve_half_line_is_cut_at_start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: BSD-2-Clause
// wireglassd as a whole, between a dataplane and clients that the test plays: hits are stored before they are acknowledged,
// peers that misbehave are told why and left, and the admin socket answers, streams and defends itself.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <sqlite3.h>

#include "tests/unit/control_fixture.h"

static void start_with_rules(void)
{
	size_t len;
	int error;
	char *data = make_bundle("test", 1, RULE(101, "/one") RULE(102, "/two"), "", NULL, &len);

	fixture_start();
	fake_start();
	UNTIL(fx.d->dp.state == DPCLIENT_UP);
	json_decref(load(data, len, 0, &error));
	assert_int_equal(error, 0);
}

static json_t *hits(const char *text, uint32_t sid)
{
	struct ipc_admin_req req = {.command = IPC_ADMIN_HITS_LIST, .limit = 10000, .sid = sid};
	int error;

	snprintf(req.text, sizeof(req.text), "%s", text);
	json_t *reply = admin_request(&req, -1, &error);
	assert_int_equal(error, 0);
	return reply;
}

static size_t hits_stored(void)
{
	json_t *reply = hits("", 0);
	size_t n = json_array_size(json_object_get(reply, "hits"));

	json_decref(reply);
	return n;
}

static json_t *status(void)
{
	struct ipc_admin_req req = {.command = IPC_ADMIN_SHOW_STATUS};
	int error;
	json_t *reply = admin_request(&req, -1, &error);

	assert_int_equal(error, 0);
	return reply;
}

// Traffic is not inspected before it has its rules: however long it is away, it is noticed soon after it is back.
static void test_dataplane_that_is_away_is_asked_often(void **state)
{
	const struct loop_timer *timer;
	uint64_t due = 0;

	fixture_start();
	timer = &fx.d->dp.timer;
	for (int tries = 0; tries < 8; tries++) {
		UNTIL(timer->due_ns != 0 && timer->due_ns != due);
		due = timer->due_ns;
	}
	assert_true(due < loop_now_ns() + 100 * 1000000u);
	fake_start();
	UNTIL(fx.d->dp.state == DPCLIENT_UP);
}

static void test_hits_are_named_stored_and_acknowledged(void **state)
{
	start_with_rules();
	fake_hits(0, 1, 256, 101);
	fake_hits(1, 1, 3, 102);
	UNTIL(fx.fake.acked[0] == 256 && fx.fake.acked[1] == 3);
	assert_int_equal(hits_stored(), 259);
	json_t *reply = hits("", 102);
	const json_t *hit = json_array_get(json_object_get(reply, "hits"), 0);
	assert_string_equal(text_of(hit, "msg"), "rule 102");
	assert_string_equal(text_of(hit, "buffer"), "http.uri");
	assert_string_equal(text_of(hit, "direction"), "to_server");
	assert_int_equal(number_of(hit, "serial"), 1);
	assert_int_equal(number_of(hit, "client_port"), 1234);
	assert_int_equal(number_of(hit, "server_port"), 80);
	json_decref(reply);

	// The connection breaks before some acknowledgement arrives: everything comes again, nothing twice.
	unsigned int hellos = fx.fake.hellos;
	fake_hang_up();
	UNTIL(fx.fake.hellos > hellos && fx.d->dp.state == DPCLIENT_UP);
	fake_hits(0, 200, 100, 101);
	UNTIL(fx.fake.acked[0] == 299);
	assert_int_equal(hits_stored(), 302);
	fixture_stop();
	fixture_start();
	fake_start();
	UNTIL(fx.d->dp.state == DPCLIENT_UP);
	fake_hits(0, 200, 110, 101);
	UNTIL(fx.fake.acked[0] == 309);
	assert_int_equal(hits_stored(), 312);
}

static void test_hit_of_an_unknown_rule(void **state)
{
	start_with_rules();
	fake_hits(0, 1, 1, 999); // not in any rule set we know
	UNTIL(fx.fake.acked[0] == 1);
	json_t *reply = hits("", 999);
	assert_string_equal(text_of(json_array_get(json_object_get(reply, "hits"), 0), "msg"), "");
	json_decref(reply);
}

// Another program holds the database: nothing is acknowledged until it lets go, then everything is.
static void test_store_cannot_be_written(void **state)
{
	char path[512];
	sqlite3 *other;

	start_with_rules();
	fake_hits(0, 1, 5, 101);
	UNTIL(fx.fake.acked[0] == 5);
	snprintf(path, sizeof(path), "%s/hits.db", fx.settings.state_dir);
	assert_int_equal(sqlite3_open(path, &other), SQLITE_OK);
	assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	fake_hits(0, 6, 5, 101);
	UNTIL(fx.d->pause.on);
	fake_hits(0, 11, 5, 101); // while it is paused
	settle();
	assert_int_equal(fx.fake.acked[0], 5);
	json_t *reply = status();
	const json_t *h = json_object_get(reply, "hits");
	assert_true(json_is_true(json_object_get(h, "paused")));
	assert_non_null(strstr(text_of(h, "problem"), "locked"));
	json_decref(reply);

	unsigned int hellos = fx.fake.hellos;
	assert_int_equal(sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(other);
	UNTIL(fx.fake.hellos > hellos &&
	      fx.d->dp.state == DPCLIENT_UP); // it asks for the rest again
	assert_false(fx.d->pause.on);
	fake_hits(0, 6, 10, 101);
	UNTIL(fx.fake.acked[0] == 15);
	assert_int_equal(hits_stored(), 15);
}

// The EVE file cannot be written: hits are stored and acknowledged all the same, and the file catches up.
static void test_eve_file_cannot_be_written(void **state)
{
	start_with_rules();
	const struct sinks *k = &fx.d->report.sinks;
	fake_hits(0, 1, 5, 101);
	UNTIL(fx.fake.acked[0] == 5 && sinks_pending(k, &k->v[SINK_EVE_FILE]) == 0);
	const struct loop_timer *timer = &k->v[SINK_EVE_FILE].timer;
	struct evefile *eve = &fx.d->report.eve;
	int real = eve->fd;
	eve->fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
	fake_hits(0, 6, 5, 101);
	UNTIL(fx.fake.acked[0] == 10 && timer->due_ns != 0);
	assert_int_equal(hits_stored(), 10);
	assert_int_equal(sinks_pending(k, &k->v[SINK_EVE_FILE]), 5);
	json_t *reply = status();
	const json_t *sink = json_array_get(json_object_get(reply, "sinks"), 0);
	assert_string_equal(text_of(sink, "name"), "eve-file");
	assert_int_equal(number_of(sink, "pending"), 5);
	assert_true(text_of(sink, "problem")[0] != '\0');
	json_decref(reply);
	close(eve->fd);
	eve->fd = real;
	UNTIL(sinks_pending(k, &k->v[SINK_EVE_FILE]) == 0);
}

static long long suppressed_of(uint32_t sid)
{
	struct ipc_admin_req req = {.command = IPC_ADMIN_SHOW_RULES};
	long long n = -1;
	int error;
	json_t *reply = admin_request(&req, -1, &error), *row;
	size_t i;

	json_array_foreach(json_object_get(reply, "list"), i, row)
	{
		if (number_of(row, "sid") != (long long)sid)
			continue;
		const json_t *p = json_object_get(row, "threshold");
		n = number_of(row, "suppressed");
		assert_int_equal(json_is_null(json_object_get(row, "suppressed_last")), n == 0);
		assert_int_equal(json_is_null(p), sid == 101);
		if (sid == 103) {
			assert_string_equal(text_of(p, "type"), "limit");
			assert_string_equal(text_of(p, "track"), "by_rule");
			assert_int_equal(number_of(p, "count"), 10);
			assert_int_equal(number_of(p, "seconds"), 60);
		}
	}
	json_decref(reply);
	return n;
}

// Suppressed hits are acknowledged and counted, not stored; what is sent again or tried again counts once.
static void test_thresholds(void **state)
{
	static const char rules[] =
		RULE(101, "/one") "alert http any any -> any any (http.uri; content:\"/three\"; "
				  "threshold:type limit, track by_rule, count 10, seconds 60; "
				  "sid:103;)\n"
				  "alert http any any -> any any (http.uri; content:\"/four\"; "
				  "detection_filter:track by_src, count 4, seconds 60; sid:104;)\n";
	struct rlimit old, none;
	size_t len;
	int error;
	char *data = make_bundle("test", 1, rules, "", NULL, &len);

	fixture_start();
	fake_start();
	UNTIL(fx.d->dp.state == DPCLIENT_UP);
	json_decref(load(data, len, 0, &error));
	assert_int_equal(error, 0);
	fake_hits(0, 1, 6, 103);
	fake_hits(1, 1, 3, 103); // another worker, the same window
	UNTIL(fx.fake.acked[0] == 6 && fx.fake.acked[1] == 3);
	assert_int_equal(hits_stored(), 9);
	assert_int_equal(suppressed_of(103), 0);

	// A batch that cannot be written leaves the windows as they were.
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &old);
	none = (struct rlimit){.rlim_cur = 1, .rlim_max = old.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	fake_hits(0, 7, 5, 103);
	UNTIL(fx.d->pause.on);
	setrlimit(RLIMIT_FSIZE, &old);
	assert_int_equal(fx.fake.acked[0], 6);
	UNTIL(!fx.d->pause.on && fx.d->dp.state == DPCLIENT_UP);
	fake_hits(0, 1, 15, 103); // all of it again, and some more: nobody had acknowledged it
	fake_hits(2, 1, 6, 104);
	fake_hits(2, 7, 1, 101);
	UNTIL(fx.fake.acked[0] == 15 && fx.fake.acked[2] == 7);
	assert_int_equal(hits_stored(), 10 + 2 + 1);
	assert_int_equal(suppressed_of(103), 8);
	assert_int_equal(suppressed_of(104), 4);
	assert_int_equal(suppressed_of(101), 0);

	// After a restart the counts are there, what is sent again is not counted, and the windows begin anew.
	fixture_stop();
	fixture_start();
	fake_start();
	UNTIL(fx.d->dp.state == DPCLIENT_UP);
	fake_hits(0, 1, 16, 103);
	UNTIL(fx.fake.acked[0] == 16);
	assert_int_equal(hits_stored(), 14);
	assert_int_equal(suppressed_of(103), 8);
	json_t *reply = status();
	const json_t *h = json_object_get(reply, "hits");
	assert_int_equal(number_of(h, "suppressed"), 12);
	assert_int_equal(number_of(h, "suppressed_since_start"), 0);
	assert_int_equal(number_of(h, "windows_evicted"), 0);
	assert_int_equal(number_of(h, "lost"), 0);
	json_decref(reply);
}

static void expect_dropped(const char *say)
{
	UNTIL(fx.d->dp.state == DPCLIENT_WAITING);
	if (strstr(fx.d->dp.error, say) == NULL)
		fail_msg("dropped because: %s", fx.d->dp.error);
	UNTIL(fx.d->dp.state == DPCLIENT_UP); // and it is tried again
}

static void test_dataplane_breaks_the_protocol(void **state)
{
	struct ipc_hits wrong_boot = {.boot_id = "another"};
	struct ipc_admin_req not_ours = {0};
	struct hit disorder[2] = {{.seq = 5}, {.seq = 5}};
	struct ipc_hits batch = {.n = 2};

	start_with_rules();
	assert_int_equal(write(fx.fake.fd, "garbage", 7), 7);
	expect_dropped("broke the protocol");
	fake_send(IPC_HITS, &wrong_boot, sizeof(wrong_boot), NULL, 0);
	expect_dropped("boot id");
	fake_send(IPC_ADMIN_REQ, &not_ours, sizeof(not_ours), NULL, 0);
	expect_dropped("does not send");
	memcpy(batch.boot_id, fx.fake.boot_id, 16);
	fake_send(IPC_HITS, &batch, sizeof(batch), disorder, sizeof(disorder));
	expect_dropped("out of order");
	assert_int_equal(hits_stored(), 0);
	assert_int_equal(fx.fake.live.serial, 1); // none of it touched the rules
}

static void test_dataplane_of_another_release(void **state)
{
	fixture_start();
	fake_start();
	snprintf(fx.fake.version, sizeof(fx.fake.version), "9.9.9");
	UNTIL(fx.fake.errors > 0);
	assert_non_null(strstr(fx.fake.error_text, "9.9.9"));
	assert_non_null(strstr(fx.d->dp.error, "one release"));
	assert_int_not_equal(fx.d->dp.state, DPCLIENT_UP);
	snprintf(fx.fake.version, sizeof(fx.fake.version), WIREGLASS_VERSION); // upgraded
	UNTIL(fx.d->dp.state == DPCLIENT_UP);
}

static void test_hits_before_the_greeting(void **state)
{
	fixture_start();
	fake_start();
	fx.fake.silent = true;
	UNTIL(fx.fake.hellos == 1);
	fake_hits(0, 1, 1, 101);
	UNTIL(fx.fake.errors == 1);
	assert_int_equal(hits_stored(), 0);
}

static void test_dataplane_refuses_us(void **state)
{
	struct ipc_error e = {.error = -EPERM, .text = "go away"};

	fixture_start();
	fake_start();
	fx.fake.silent = true;
	UNTIL(fx.fake.hellos == 1);
	fake_send(IPC_ERROR, &e, sizeof(e), NULL, 0);
	UNTIL(fx.d->dp.state == DPCLIENT_WAITING);
	assert_non_null(strstr(fx.d->dp.error, "go away"));
}

static void test_stats_events_and_ports(void **state)
{
	struct ipc_stats s[2] = {{.worker = 0, .busy_ns = 1, .idle_ns = 3}, {.worker = 1}};
	struct ipc_ports head = {.n = 1};
	struct ipc_port port = {.name = "veth0",
				.driver = "net_af_packet",
				.kernel_drops = UINT64_MAX,
				.peer = 255};
	struct ipc_admin_req req = {.command = IPC_ADMIN_SHOW_STATS};
	struct ipc_events events = {.n = 1};
	struct event http = {.type = EVENT_HTTP, .flags = EVENT_HAS_HIT, .flow_id = 1};
	int error;

	start_with_rules();
	fake_hits(0, 1, 1, 101);
	memcpy(http.http.host, "www.example.com", 15);
	http.http.host_len = 15;
	fake_send(IPC_EVENTS, &events, sizeof(events), &http, sizeof(http));
	s[0].counters.v[CNT_HITS] = 40;
	s[1].counters.v[CNT_HITS] = 2;
	for (int i = 0; i < 2; i++)
		fake_send(IPC_STATS, &s[i], sizeof(s[i]), NULL, 0);
	fake_send(IPC_PORTS, &head, sizeof(head), &port, sizeof(port));
	UNTIL(fx.d->dp.n_ports == 1);
	json_t *reply = admin_request(&req, -1, &error);
	assert_int_equal(number_of(json_object_get(reply, "counters"), "detect.hits"), 42);
	assert_int_equal(json_object_size(json_object_get(reply, "counters")), COUNTER_N);
	json_decref(reply);
	req.command = IPC_ADMIN_SHOW_WORKERS;
	reply = admin_request(&req, -1, &error);
	assert_int_equal(json_array_size(json_object_get(reply, "workers")), 2);
	json_decref(reply);
	req.command = IPC_ADMIN_SHOW_PORTS;
	reply = admin_request(&req, -1, &error);
	const json_t *p = json_array_get(json_object_get(reply, "ports"), 0);
	assert_string_equal(text_of(p, "name"), "veth0");
	assert_true(json_is_null(json_object_get(p, "peer")));
	assert_true(json_is_null(json_object_get(p, "kernel_drops")));
	json_decref(reply);
	req.command = IPC_ADMIN_SHOW_RULES;
	reply = admin_request(&req, -1, &error);
	assert_int_equal(json_array_size(json_object_get(reply, "list")), 2);
	json_decref(reply);
	reply = hits("www.example.com", 0);
	assert_int_equal(json_array_size(json_object_get(reply, "hits")), 1);
	json_decref(reply);
}

static void test_show_one_hit(void **state)
{
	struct ipc_admin_req req = {.command = IPC_ADMIN_HITS_SHOW, .since = 2};
	int error;

	start_with_rules();
	fake_hits(0, 1, 3, 101);
	UNTIL(fx.fake.acked[0] == 3);
	json_t *reply = admin_request(&req, -1, &error);
	assert_int_equal(error, 0);
	assert_int_equal(number_of(reply, "id"), 2);
	assert_int_equal(number_of(reply, "seq"), 2);
	json_decref(reply);
	req.since = 4;
	reply = admin_request(&req, -1, &error);
	assert_int_equal(error, -ENOENT);
	assert_string_equal(text_of(reply, "code"), "not-found");
	json_decref(reply);
}

static void test_long_replies_come_in_pieces(void **state)
{
	start_with_rules();
	for (uint64_t seq = 1; seq < 2500; seq += 250) {
		fake_hits(0, seq, 250, 101);
		UNTIL(fx.fake.acked[0] == seq + 249);
	}
	json_t *reply = hits("", 0); // about 1 MB
	const json_t *list = json_object_get(reply, "hits");
	assert_int_equal(json_array_size(list), 2500);
	for (size_t i = 0; i < 2500; i++)
		assert_int_equal(number_of(json_array_get(list, i), "seq"), (long long)i + 1);
	json_decref(reply);
}

// Read a follower's pieces until its queue is empty: their number; the last seq in *ret_seq.
static unsigned int read_follow(int fd, long long *io_seq)
{
	static uint64_t buf[IPC_MAX_BYTES / 8];
	unsigned int n = 0;
	struct ipc_msg m;

	while (ipc_recv(fd, buf, &m) == 1) {
		assert_int_equal(m.type, IPC_ADMIN_REP);
		assert_int_equal(((const struct ipc_admin_rep *)m.body)->more, 1);
		json_t *hit = json_loadb(m.tail, m.tail_bytes, 0, NULL);
		assert_non_null(hit);
		assert_int_equal(number_of(hit, "seq"), *io_seq + 1); // in order, none missing
		*io_seq = number_of(hit, "seq");
		json_decref(hit);
		n++;
	}
	return n;
}

static void test_follow(void **state)
{
	struct ipc_admin_req req = {.command = IPC_ADMIN_HITS_FOLLOW};
	long long seq = 10;
	int fd;

	start_with_rules();
	fake_hits(0, 1, 10, 101);
	UNTIL(fx.fake.acked[0] == 10);
	fd = admin_connect();
	admin_ask(fd, &req, -1);
	UNTIL(fx.d->admin.clients[0].follow);
	assert_int_equal(read_follow(fd, &seq), 0); // from now on
	fake_hits(0, 11, 5, 101);
	UNTIL(fx.fake.acked[0] == 15);
	settle();
	assert_int_equal(read_follow(fd, &seq), 5);

	// A slow one: nothing is read while a lot comes. The queue stays bounded and not one hit is missing in the end.
	for (uint64_t first = 16; first <= 10000; first += 256) {
		fake_hits(0, first, 256, 101);
		UNTIL(fx.fake.acked[0] == first + 255);
		assert_true(fx.d->admin.clients[0].backlog < ADMIN_FOLLOW_BYTES + 1000000);
	}
	UNTIL((read_follow(fd, &seq), seq == 10255));
	close(fd);
	UNTIL(fx.d->admin.clients[0].admin == NULL);

	// From the beginning, one rule only.
	req.since = 1;
	req.sid = 102;
	fd = admin_connect();
	admin_ask(fd, &req, -1);
	fake_hits(1, 1, 2, 102);
	seq = 0;
	UNTIL((read_follow(fd, &seq), seq == 2));
	close(fd);
}

// Does the daemon close this connection?
static void expect_closed(int fd)
{
	static uint64_t buf[IPC_MAX_BYTES / 8];
	struct ipc_msg m;
	int got = -EAGAIN;

	UNTIL((got = ipc_recv(fd, buf, &m)) != -EAGAIN);
	assert_int_equal(got, 0);
	close(fd);
}

static void test_clients_that_misbehave(void **state)
{
	struct ipc_admin_req req = {.command = IPC_ADMIN_HITS_FOLLOW};
	struct ipc_hello hello = {0};
	int error, fd;

	start_with_rules();
	fd = admin_connect();
	assert_int_equal(write(fd, "GET / HTTP/1.1\r\n\r\n", 18), 18);
	expect_closed(fd);
	fd = admin_connect();
	assert_int_equal(ipc_send(fd, IPC_HELLO, 1, &hello, sizeof(hello), NULL, 0, -1), 0);
	expect_closed(fd);
	// A second request before the first is answered.
	fd = admin_connect();
	admin_ask(fd, &req, -1);
	admin_ask(fd, &req, -1);
	expect_closed(fd);
	// A command of a later version gets a sentence.
	req.command = 999;
	json_t *reply = admin_request(&req, -1, &error);
	assert_int_equal(error, -ENOSYS);
	assert_string_equal(text_of(reply, "code"), "unknown");
	json_decref(reply);
	// Things that are no bundle file.
	req.command = IPC_ADMIN_RULES_LOAD;
	const char *const bad[] = {fx.dir, "/dev/zero"};
	for (int i = 0; i < 2; i++) {
		int send_fd = open(bad[i], O_RDONLY);
		reply = admin_request(&req, send_fd, &error);
		assert_true(error < 0);
		assert_non_null(strstr(text_of(reply, "error"), "regular file"));
		json_decref(reply);
		close(send_fd);
	}
	reply = status(); // still there
	json_decref(reply);
}

static void test_too_many_clients(void **state)
{
	static uint64_t buf[IPC_MAX_BYTES / 8];
	int fds[ADMIN_CLIENTS_MAX], extra, got = -EAGAIN;
	struct ipc_msg m;

	fixture_start();
	for (int i = 0; i < ADMIN_CLIENTS_MAX; i++) {
		fds[i] = admin_connect();
		UNTIL(fx.d->admin.clients[i].admin != NULL);
	}
	extra = admin_connect();
	UNTIL((got = ipc_recv(extra, buf, &m)) != -EAGAIN);
	assert_int_equal(got, 1);
	assert_int_equal(m.type, IPC_ERROR);
	close(extra);
	close(fds[3]);
	UNTIL(fx.d->admin.clients[3].admin == NULL);
	json_t *reply = status(); // there is room again
	json_decref(reply);
	for (int i = 0; i < ADMIN_CLIENTS_MAX; i++)
		if (i != 3)
			close(fds[i]);
}

static void test_one_daemon_per_directory(void **state)
{
	struct settings second;
	struct daemon *d = malloc(sizeof(*d));
	struct diag diag = {0};

	fixture_start();
	second = fx.settings;
	assert_int_equal(daemon_init(d, &second, &diag), -EBUSY);
	assert_non_null(strstr(diag.text, "another wireglassd"));
	// Another directory, the same socket.
	snprintf(second.state_dir, sizeof(second.state_dir), "%s/state2", fx.dir);
	assert_int_equal(daemon_init(d, &second, &diag), -EADDRINUSE);
	assert_non_null(strstr(diag.text, "another wireglassd"));
	snprintf(second.socket, sizeof(second.socket), "%s/no/such/dir.sock", fx.dir);
	assert_int_equal(daemon_init(d, &second, &diag), -ENOENT);
	snprintf(second.state_dir, sizeof(second.state_dir), "%s/no/such/dir", fx.dir);
	assert_int_equal(daemon_init(d, &second, &diag), -ENOENT);
	assert_non_null(strstr(diag.text, "--state"));
	free(d);
	json_t *reply = status(); // the first one is not disturbed
	json_decref(reply);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_dataplane_that_is_away_is_asked_often),
		TEST(test_hits_are_named_stored_and_acknowledged),
		TEST(test_hit_of_an_unknown_rule),
		TEST(test_store_cannot_be_written),
		TEST(test_eve_file_cannot_be_written),
		TEST(test_thresholds),
		TEST(test_dataplane_breaks_the_protocol),
		TEST(test_dataplane_of_another_release),
		TEST(test_hits_before_the_greeting),
		TEST(test_dataplane_refuses_us),
		TEST(test_stats_events_and_ports),
		TEST(test_show_one_hit),
		TEST(test_long_replies_come_in_pieces),
		TEST(test_follow),
		TEST(test_clients_that_misbehave),
		TEST(test_too_many_clients),
		TEST(test_one_daemon_per_directory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

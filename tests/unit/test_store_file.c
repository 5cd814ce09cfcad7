// SPDX-License-Identifier: BSD-2-Clause
// Files of the database that are damaged, of another version, cut off by a kill, or have no room.
#include "tests/unit/storekit.h"

static void test_damaged_and_newer_files(void **state)
{
	const struct store_limits limits = {.hits = 10};
	struct store *s = open_store(10);
	sqlite3 *db;

	store_close(s);
	assert_int_equal(sqlite3_open(path_of("hits.db"), &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "PRAGMA user_version = 99", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	assert_int_equal(store_open(path_of("hits.db"), &limits, &s, &diag), -ENOTSUP);
	assert_non_null(strstr(diag.text, "newer"));

	empty_dir();
	FILE *f = fopen(path_of("hits.db"), "w");
	for (int i = 0; i < 4096; i++)
		fputs("garbage ", f);
	fclose(f);
	assert_int_equal(store_open(path_of("hits.db"), &limits, &s, &diag), -EBADMSG);
	assert_int_equal(store_open(path_of("no/such/dir.db"), &limits, &s, &diag), -EACCES);
}

// A file of the first format: its rows stay, and what is new works.
static void test_older_file(void **state)
{
	static const char first[] =
		"CREATE TABLE hits ("
		" id INTEGER PRIMARY KEY AUTOINCREMENT,"
		" boot BLOB, worker INTEGER, seq INTEGER, ts_ns INTEGER, flow_id INTEGER,"
		" tx_id INTEGER, offset_bytes INTEGER, src TEXT, src_port INTEGER, dst TEXT,"
		" dst_port INTEGER, vlan0 INTEGER, vlan1 INTEGER, family INTEGER, proto INTEGER,"
		" dir INTEGER, generation INTEGER, rule INTEGER, sid INTEGER, gid INTEGER,"
		" rev INTEGER, flags INTEGER, buffer INTEGER, priority INTEGER, app INTEGER,"
		" serial INTEGER, msg TEXT, classtype TEXT, method TEXT, host TEXT, url TEXT,"
		" status INTEGER, UNIQUE (boot, worker, seq));"
		"CREATE TABLE cursors (boot BLOB NOT NULL, worker INTEGER NOT NULL,"
		" seq INTEGER NOT NULL, changed_ns INTEGER NOT NULL, PRIMARY KEY (boot, worker));"
		"INSERT INTO hits VALUES (41, x'626f6f742d6100000000000000000000', 0, 1, 5, 6, 7,"
		" 8, '192.0.2.1', 1111, '2001:db8::9', 80, 0, 0, 4, 6, 0, 2, 3, 1001, 1, 9, 0, 0,"
		" 3, 1, 77, 'a message', 'trojan-activity', 'GET', 'www.example.com', '/x', 200);"
		"INSERT INTO hits SELECT 42, boot, worker, 2, 6, flow_id, tx_id, offset_bytes,"
		" dst, dst_port, src, src_port, vlan0, vlan1, 6, proto, 1, generation, rule, sid,"
		" gid, rev, flags, buffer, priority, app, serial, msg, classtype, NULL, NULL, "
		"NULL,"
		" NULL FROM hits;"
		"INSERT INTO cursors VALUES (x'626f6f742d6100000000000000000000', 0, 2, 0);"
		"PRAGMA user_version = 1;";
	struct store *s;
	struct prefix p;
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path_of("hits.db"), &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, first, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	for (int round = 0; round < 2; round++) {
		s = open_store(1000);
		assert_int_equal(count(s), 2 + round);
		assert_int_equal(put(s, boot_a, 0, 2), 0);
		assert_string_equal(texts_of(s, 41).url, "/x");
		assert_int_equal(prefix_parse("2001:db8::9", &p), 0);
		assert_int_equal(list_of(s, (struct store_filter){.server = &p}), 2);
		assert_int_equal(put(s, boot_a, 0, 3), round == 0);
		assert_int_equal(list_of(s, (struct store_filter){.since = 42}), 1);
		assert_int_equal(suppress(s, boot_a, 0, 4), round == 0);
		store_close(s);
	}
}

// A child stores hits and writes each number to a pipe once it would acknowledge it, until it is killed in the middle.
static void test_killed_in_the_middle(void **state)
{
	int pipe_fds[2], status;
	uint64_t seq, acked = 0;

	store_close(open_store(100000));
	for (int round = 0; round < 5; round++) {
		assert_int_equal(pipe(pipe_fds), 0);
		pid_t pid = fork();
		if (pid == 0) {
			struct store *s = open_store(100000);
			for (seq = acked + 1;; seq++) {
				put(s, boot_a, 0, seq);
				if (write(pipe_fds[1], &seq, sizeof(seq)) != sizeof(seq))
					_exit(1);
			}
		}
		close(pipe_fds[1]);
		for (int i = 0; i < 20 + 7 * round; i++)
			assert_int_equal(read(pipe_fds[0], &acked, sizeof(acked)), sizeof(acked));
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		while (read(pipe_fds[0], &seq, sizeof(seq)) == sizeof(seq))
			acked = seq;
		close(pipe_fds[0]);
		struct store *s = open_store(100000);
		// Everything acknowledged is there; at most the one in flight more.
		assert_in_range(store_cursor(s, boot_a, 0), acked, acked + 1);
		assert_int_equal(count(s), store_cursor(s, boot_a, 0));
		acked = store_cursor(s, boot_a, 0);
		store_close(s);
	}
}

// A small file system that fills up: batches are refused, none is half stored, and all of them get in once there is room.
static void test_disk_full(void **state)
{
	uint64_t seq = 1;
	uint32_t new;
	int err = 0;

	// In a mount namespace of its own, so that nothing is left mounted whatever happens.
	if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mount("none", dir, "tmpfs", 0, "size=1m") != 0) {
		print_message("cannot mount a tmpfs (%s): not run\n", strerror(errno));
		skip();
	}
	struct store *s = open_store(1000000);
	open_report(s);
	while (err == 0 && seq < 100000) {
		err = report_batch(seq, 100, &new);
		if (err == 0)
			seq += 100;
	}
	assert_true(err == -ENOSPC || err == -EIO);
	assert_true(diag.text[0] != '\0');
	print_message("full after %llu hits: %s\n", (unsigned long long)seq - 1, diag.text);
	// All of the batch or nothing: a COMMIT that says "no space" may have been carried out.
	uint64_t in = store_cursor(s, boot_a, 2);
	assert_true(in == seq - 1 || in == seq + 99);
	assert_int_equal(count(s), in);
	// Eight more that fail or not; whatever is refused is sent again, as the dataplane does.
	for (int i = 0; i < 8; i++) {
		(void)report_batch(seq, 100, &new);
		in = store_cursor(s, boot_a, 2);
		assert_true(in == seq - 1 || in == seq + 99);
		assert_int_equal(count(s), in);
	}
	assert_int_equal(mount("none", dir, "tmpfs", MS_REMOUNT, "size=16m"), 0);
	assert_int_equal(report_batch(seq, 100, &new), 0);
	assert_int_equal(report_batch(seq + 100, 100, &new), 0);
	assert_int_equal(new, 100);
	report_pump(&report);
	assert_int_equal(eve_ids_in_order(), seq + 199);
	report_done(&report);
	store_close(s);
	s = open_store(1000000);
	assert_int_equal(count(s), seq + 199);
	assert_int_equal(store_cursor(s, boot_a, 2), seq + 199);
	store_close(s);
	assert_int_equal(umount(dir), 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_older_file),
		TEST(test_damaged_and_newer_files),
		TEST(test_killed_in_the_middle),
		TEST(test_disk_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

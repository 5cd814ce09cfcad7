// SPDX-License-Identifier: BSD-2-Clause
// The audit log: no byte of it can be changed, removed or added unnoticed, and no crash or full disk takes what was
// acknowledged.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"
#include "control/audit.h"
#include "rules/file.h"
#include "tests/unit/control_fixture.h"

static struct audit a;
static struct audit_report report;

static const char *path_of(const char *name)
{
	static char path[512];

	snprintf(path, sizeof(path), "%s/%s", fx.dir, name);
	return path;
}

static char *slurp(const char *name, size_t *ret_len)
{
	struct diag diag = {0};
	char *data;

	if (file_read(path_of(name), 1 << 20, &data, ret_len, &diag) != 0)
		fail_msg("%s: %s", diag.file, diag.text);
	return data;
}

static void put(const char *name, const void *data, size_t len)
{
	FILE *f = fopen(path_of(name), "w");

	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

static void reopen(void)
{
	struct diag diag = {0};

	audit_close(&a);
	if (audit_open(&a, fx.dir, &diag) != 0)
		fail_msg("%s: %s", diag.file, diag.text);
}

static int append(const char *action, const char *reason)
{
	const struct audit_entry e = {.action = action,
				      .result = reason != NULL ? "refused" : "done",
				      .reason = reason,
				      .actor = {.uid = 1000, .pid = 77},
				      .object = json_pack("{s:s, s:i}", "id", "web", "serial", 4)};

	return audit_append(&a, &e);
}

// Begin anew with n entries.
static void start(unsigned int n)
{
	struct diag diag = {0};

	assert_int_equal(audit_open(&a, fx.dir, &diag), 0);
	for (unsigned int i = 0; i < n; i++)
		assert_int_equal(append("rules load", i % 2 ? "not \"signed\"\n\x01 \xff" : NULL),
				 0);
}

static int verify(FILE *log, FILE *head)
{
	return audit_verify(log, head, &a.key, 0, NULL, NULL, NULL, &report);
}

static int verify_files(void)
{
	FILE *log = fopen(path_of("audit.jsonl"), "r"), *head = fopen(path_of("audit.head"), "r");

	assert_non_null(log);
	assert_non_null(head);
	int err = verify(log, head);
	fclose(log);
	fclose(head);
	return err;
}

static int verify_memory(char *log, size_t log_len, char *head, size_t head_len)
{
	FILE *l = fmemopen(log, log_len, "r"), *h = fmemopen(head, head_len, "r");

	assert_non_null(l);
	assert_non_null(h);
	int err = verify(l, h);
	fclose(l);
	fclose(h);
	return err;
}

static void expect_good(uint64_t entries)
{
	if (verify_files() != 0)
		fail_msg("%s", report.problem);
	assert_int_equal(report.entries, entries);
	assert_string_equal(report.problem, "");
}

static void test_every_byte(void **state)
{
	static const char masks[] = {1, 0x20, (char)0x80};
	size_t len, head_len;

	start(5);
	expect_good(5);
	char *log = slurp("audit.jsonl", &len), *head = slurp("audit.head", &head_len);
	uint64_t entry = 1;
	for (size_t i = 0; i < len; i++) {
		char was = log[i];
		for (size_t m = 0; m < sizeof(masks); m++) {
			log[i] = (char)(was ^ masks[m]);
			assert_int_equal(verify_memory(log, len, head, head_len), -EBADMSG);
			if (report.bad != entry)
				fail_msg("byte %zu ^ %02x: entry %llu named, not %llu: %s", i,
					 masks[m] & 0xff, (unsigned long long)report.bad,
					 (unsigned long long)entry, report.problem);
		}
		log[i] = was;
		entry += was == '\n';
	}
	for (size_t i = 0; i < head_len; i++) {
		head[i] ^= 1;
		assert_int_equal(verify_memory(log, len, head, head_len), -EBADMSG);
		assert_non_null(strstr(report.problem, "head"));
		head[i] ^= 1;
	}
	for (size_t cut = 1; cut < len; cut++) {
		assert_int_equal(verify_memory(log, cut, head, head_len), -EBADMSG);
		assert_true(report.bad > 0);
	}
	assert_int_equal(verify_memory(log, len, head, head_len), 0);
	free(log);
	free(head);
}

static void test_lines_moved(void **state)
{
	size_t len, head_len, at[6] = {0};
	char text[8192];

	start(5);
	char *log = slurp("audit.jsonl", &len), *head = slurp("audit.head", &head_len);
	for (size_t i = 0, n = 1; i < len; i++)
		if (log[i] == '\n')
			at[n++] = i + 1;
#define LINE(n) (int)(at[n] - at[n - 1]), log + at[n - 1]
	const struct {
		int lines[6];
		uint64_t bad;
	} cases[] = {
		{{1, 2, 4, 5}, 3},       {{2, 3, 4, 5}, 1}, {{1, 3, 2, 4, 5}, 2},
		{{1, 2, 2, 3, 4, 5}, 3}, {{1, 2, 3, 4}, 5},
	};
	for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
		size_t n = 0;
		for (int i = 0; i < 6 && cases[c].lines[i] != 0; i++)
			n += (size_t)sprintf(text + n, "%.*s", LINE(cases[c].lines[i]));
		assert_int_equal(verify_memory(text, n, head, head_len), -EBADMSG);
		assert_int_equal(report.bad, cases[c].bad);
	}
	// A part without its head begins where it does.
	FILE *part = fmemopen(log + at[2], len - at[2], "r");
	assert_int_equal(audit_verify(part, NULL, &a.key, 0, NULL, NULL, NULL, &report), 0);
	assert_int_equal(report.first, 3);
	assert_int_equal(report.entries, 3);
	// What was noted elsewhere must be there.
	char hash[AUDIT_HASH_TEXT];
	memcpy(hash, report.hash, sizeof(hash));
	rewind(part);
	assert_int_equal(audit_verify(part, NULL, &a.key, 5, hash, NULL, NULL, &report), 0);
	hash[0] ^= 1;
	rewind(part);
	assert_int_equal(audit_verify(part, NULL, &a.key, 5, hash, NULL, NULL, &report), -EBADMSG);
	rewind(part);
	assert_int_equal(audit_verify(part, NULL, &a.key, 6, hash, NULL, NULL, &report), -EBADMSG);
	assert_int_equal(report.bad, 6);
	fclose(part);
	free(log);
	free(head);
}

// Somebody without the key writes an entry that looks right.
static void test_another_key(void **state)
{
	struct sig_secret other;
	struct diag diag = {0};
	size_t len;

	start(2);
	char *log = slurp("audit.jsonl", &len);
	json_t *json = json_loads(strchr(log, '\n') + 1, 0, NULL);
	json_object_set_new(json, "uid", json_integer(0));
	assert_int_equal(sig_secret_read(fx.other_secret, NULL, &other, &diag), 0);
	assert_int_equal(audit_seal(json, AUDIT_DOMAIN_ENTRY, &other), 0);
	char *line = json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS), text[4096];
	int n = sprintf(text, "%.*s%s\n", (int)(strchr(log, '\n') + 1 - log), log, line);
	put("audit.jsonl", text, (size_t)n);
	assert_int_equal(verify_files(), -EBADMSG);
	assert_int_equal(report.bad, 2);
	assert_non_null(strstr(report.problem, "not signed"));
	free(line);
	free(log);
	json_decref(json);
}

static json_t *entry(uint64_t n)
{
	FILE *f = fopen(path_of("audit.jsonl"), "r");
	json_t *json = NULL;

	for (uint64_t i = 0; i < n; i++) {
		json_decref(json);
		json = json_loadf(f, JSON_DISABLE_EOF_CHECK, NULL);
	}
	fclose(f);
	assert_non_null(json);
	return json;
}

static void expect_entry(uint64_t n, const char *action)
{
	json_t *json = entry(n);

	assert_string_equal(text_of(json, "action"), action);
	assert_int_equal(number_of(json, "n"), n);
	json_decref(json);
}

// A crash leaves a piece of an entry, or a whole one that the head does not know.
static void test_crash(void **state)
{
	size_t len, head_len;

	start(3);
	char *head = slurp("audit.head", &head_len);
	assert_int_equal(append("rules load", NULL), 0);
	char *log = slurp("audit.jsonl", &len);
	size_t three = len - 1;
	while (log[three - 1] != '\n')
		three--;
	put("audit.head", head, head_len);
	for (size_t cut = three; cut <= len; cut += cut + 1 < len ? 37 : 1) {
		put("audit.jsonl", log, cut < len ? cut : len);
		put("audit.head", head, head_len);
		assert_int_equal(verify_files(), 0); // as it is after the crash
		reopen();
		bool torn = cut > three && cut < len;
		expect_good(cut == three ? 3 : 4);
		if (torn)
			expect_entry(4, "audit repair");
	}
	assert_int_equal(append("rules load", NULL), 0);
	expect_good(5);
	free(log);
	free(head);
}

static unsigned int kept_files(void)
{
	DIR *dir = opendir(fx.dir);
	unsigned int n = 0;

	for (struct dirent *e; (e = readdir(dir)) != NULL;)
		n += strncmp(e->d_name, "audit.jsonl.bad-", 16) == 0;
	closedir(dir);
	return n;
}

// What does not go together is kept, and what follows says so in its first entry.
static void test_set_aside(void **state)
{
	size_t len, head_len, old_len;

	start(2);
	char *old = slurp("audit.head", &old_len);
	assert_int_equal(append("rules load", NULL), 0);
	assert_int_equal(append("rules load", NULL), 0);
	char *log = slurp("audit.jsonl", &len), *head = slurp("audit.head", &head_len);
	const struct {
		const char *log, *head;
		size_t len, head_len;
	} cases[] = {
		{log, head, len - 1, head_len}, // cut
		{"", head, 0, head_len},
		{log, old, len, old_len},        // an old head
		{log, "", len, 0},               // a head that says nothing
		{log, head, len, head_len - 10}, // damaged
		{log, NULL, len, 0},             // removed
	};
	for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *now = malloc(len + 1);
		size_t now_len;

		audit_close(&a);
		put("audit.jsonl", cases[i].log, cases[i].len);
		if (cases[i].head != NULL)
			put("audit.head", cases[i].head, cases[i].head_len);
		else
			unlink(path_of("audit.head"));
		reopen();
		assert_int_equal(kept_files(), 1);
		expect_good(1);
		expect_entry(1, "audit restart");
		json_t *json = entry(1);
		const char *kept = text_of(json_object_get(json, "object"), "kept");
		free(now);
		now = slurp(strrchr(kept, '/') + 1, &now_len);
		assert_int_equal(now_len, cases[i].len);
		assert_memory_equal(now, cases[i].log, now_len);
		free(now);
		unlink(kept);
		json_decref(json);
	}
	free(old);
	free(log);
	free(head);
}

static void limit_files(rlim_t bytes)
{
	struct rlimit l;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &l), 0);
	l.rlim_cur = bytes;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &l), 0);
}

// A full disk: no entry, and the log as it was; with room again it goes on.
static void test_no_room(void **state)
{
	start(3);
	signal(SIGXFSZ, SIG_IGN);
	for (rlim_t room = 0; room < 300; room += 57) {
		limit_files(a.bytes + room);
		assert_true(append("rules load", NULL) < 0);
		assert_true(a.error[0] != '\0');
		limit_files(RLIM_INFINITY);
		expect_good(3);
	}
	// The entry fits, its head does not.
	size_t head_len;
	char *head = slurp("audit.head", &head_len);
	unlink(path_of("audit.head"));
	assert_int_equal(mkdir(path_of("audit.head"), 0700), 0);
	assert_true(append("rules load", NULL) < 0);
	rmdir(path_of("audit.head"));
	put("audit.head", head, head_len);
	free(head);
	expect_good(3);
	assert_int_equal(append("rules load", NULL), 0);
	assert_string_equal(a.error, "");
	expect_good(4);
	// Removed while it is open: an entry that nobody will find is none.
	unlink(path_of("audit.jsonl"));
	assert_true(append("rules load", NULL) < 0);
}

static void test_key_replaced(void **state)
{
	struct diag diag = {0};
	struct sig_public key;

	start(1);
	assert_int_equal(access(path_of("audit.key"), F_OK), 0);
	unlink(path_of("audit.key"));
	assert_true(append("rules load", NULL) < 0);
	unlink(path_of("audit.pub"));
	char secret[512];
	snprintf(secret, sizeof(secret), "%s", path_of("audit.key"));
	assert_int_equal(sig_keygen(secret, path_of("audit.pub"), NULL, 0, &key, &diag), 0);
	assert_true(append("rules load", NULL) < 0);
	assert_non_null(strstr(a.error, "replaced"));
	reopen();
	expect_entry(1, "audit restart");
}

// --- wireglassd

static json_t *last(void)
{
	return entry(fx.d->audit.n);
}

static void test_daemon(void **state)
{
	char path[sizeof(fx.dir)], *data;
	size_t len;
	int error;

	fixture_start();
	fake_start();
	UNTIL(fx.d->dp.state == DPCLIENT_UP);
	memcpy(path, fx.dir, sizeof(path));
	strcat(fx.dir, "/state"); // for entry()
	expect_entry(1, "wireglassd start");
	data = make_bundle("test", 5, RULE(101, "/one"), "", NULL, &len);
	json_decref(load(data, len, 0, &error));
	assert_int_equal(error, 0);
	json_t *begun = entry(2), *e = last();
	assert_string_equal(text_of(begun, "action"), "rules load");
	assert_string_equal(text_of(begun, "result"), "begun");
	assert_int_equal(number_of(begun, "uid"), getuid());
	assert_int_equal(number_of(begun, "pid"), getpid());
	assert_string_equal(text_of(e, "result"), "done");
	assert_int_equal(number_of(e, "of"), 2);
	assert_int_equal(number_of(json_object_get(e, "object"), "serial"), 5);
	assert_string_equal(text_of(json_object_get(e, "object"), "digest"),
			    text_of(json_object_get(begun, "object"), "digest"));
	assert_int_equal(strlen(text_of(json_object_get(e, "object"), "keys")), 16);
	json_decref(begun);
	json_decref(e);
	// Refused: which, by whom, and why.
	data = make_bundle("test", 4, RULE(101, "/one"), "", NULL, &len);
	json_decref(load(data, len, 0, &error));
	e = last();
	assert_string_equal(text_of(e, "result"), "refused");
	assert_non_null(strstr(text_of(e, "reason"), "not newer"));
	assert_int_equal(number_of(json_object_get(e, "object"), "serial"), 4);
	assert_string_equal(text_of(json_object_get(e, "object"), "code"), "stale");
	json_decref(e);
	const struct ipc_admin_req back = {.command = IPC_ADMIN_RULES_ROLLBACK, .since = 99};
	json_decref(admin_request(&back, -1, &error));
	e = last();
	assert_string_equal(text_of(e, "action"), "rules rollback");
	assert_string_equal(text_of(e, "result"), "refused");
	json_decref(e);
	// What cannot be recorded is not done.
	unlink(fx.d->audit.path);
	data = make_bundle("test", 6, RULE(101, "/one"), "", NULL, &len);
	json_t *reply = load(data, len, 0, &error);
	assert_true(error < 0);
	assert_non_null(strstr(text_of(reply, "error"), "audit log"));
	json_decref(reply);
	assert_int_equal(fx.fake.live.serial, 5);
	memcpy(fx.dir, path, sizeof(path));
}

static int setup(void **state)
{
	int err = fixture_setup(state);

	log_init("test", LOG_LEVEL_ERROR);
	a.fd = -1;
	return err;
}

static int teardown(void **state)
{
	audit_close(&a);
	return fixture_teardown(state);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_every_byte),   TEST(test_lines_moved), TEST(test_another_key),
		TEST(test_crash),        TEST(test_set_aside),   TEST(test_no_room),
		TEST(test_key_replaced), TEST(test_daemon),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: BSD-2-Clause
// The cache of compiled rule sets, and loading with it: what is stored comes back, what is damaged does not, old entries
// go, and every report is made again in the same words.
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rules/load.h"

static char base[PATH_MAX], folder[PATH_MAX + 32];

static int setup(void **state)
{
	snprintf(base, sizeof(base), "/tmp/wireglass-cache-XXXXXX");
	if (mkdtemp(base) == NULL)
		return -1;
	snprintf(folder, sizeof(folder), "%s/a/b", base);
	return 0;
}

static unsigned int files(const char *path, bool remove_them)
{
	DIR *dir = opendir(path);
	unsigned int n = 0;

	for (struct dirent *e; dir != NULL && (e = readdir(dir)) != NULL;) {
		if (e->d_name[0] == '.')
			continue;
		n++;
		if (remove_them && unlinkat(dirfd(dir), e->d_name, 0) != 0)
			unlinkat(dirfd(dir), e->d_name, AT_REMOVEDIR);
	}
	if (dir != NULL)
		closedir(dir);
	return n;
}

static int teardown(void **state)
{
	char path[PATH_MAX + 8];

	chmod(folder, 0700);
	files(folder, true);
	snprintf(path, sizeof(path), "%s/a", base);
	files(path, true);
	files(base, true);
	return rmdir(base);
}

static const char rules_text[] =
	"alert http any any -> any any (http.uri; content:\"/one\"; sid:1;)\n"
	"alert http any any -> any any (http.uri; content:\"/two\"; frobnicate; sid:2;)\n"
	"alert dns any any -> any any (sid:3;)\n"
	"alert http any any -> any any (flow:to_client; file.data; pcre:\"/a.{0,9999}b/\"; "
	"sid:4;)\n"
	"alert http any any -> $HOME_NET any (file.data; content:\"three\"; sid:5;)\n";

struct said {
	char text[4096];
	size_t n;
};

static void on_rule(void *ctx, enum rules_verdict verdict, uint32_t sid, const struct diag *d)
{
	struct said *s = ctx;

	s->n += (size_t)snprintf(s->text + s->n, sizeof(s->text) - s->n, "%d %u %s:%u:%u %s %s\n",
				 verdict, sid, d->file, d->line, d->column, d->keyword, d->text);
}

static struct load_result load(const struct cache *c, const char *text,
			       const struct rule_files *where, const struct rule_var *vars,
			       struct said *said)
{
	char name[PATH_MAX + 64];
	snprintf(name, sizeof(name), "%s/t.rules", base);
	const struct load_text t = {name, span_of(text, strlen(text)), where};
	const struct load_request q = {.texts = &t, .n_texts = 1, .vars = vars, .cache = c};
	struct load_result res;
	struct diag d = {""};

	memset(said, 0, sizeof(*said));
	assert_int_equal(load_image(&q, NULL, &res, on_rule, said, &d), 0);
	return res;
}

static void open_cache(struct cache *c, uint64_t bytes)
{
	struct diag d = {""};

	assert_int_equal(cache_init(c, folder, bytes, &d), 0);
}

// The only file in the folder.
static char *only_entry(char path[2 * PATH_MAX])
{
	DIR *dir = opendir(folder);
	unsigned int n = 0;

	assert_non_null(dir);
	for (struct dirent *e; (e = readdir(dir)) != NULL;)
		if (e->d_name[0] != '.' && ++n == 1)
			snprintf(path, 2 * PATH_MAX, "%s/%s", folder, e->d_name);
	closedir(dir);
	assert_int_equal(n, 1);
	return path;
}

static void test_again(void **state)
{
	struct said first, second;
	struct cache c;

	open_cache(&c, CACHE_BYTES_DEFAULT);
	struct load_result a = load(&c, rules_text, NULL, NULL, &first);
	struct load_result b = load(&c, rules_text, NULL, NULL, &second);

	assert_false(a.cached);
	assert_true(b.cached);
	assert_string_equal(first.text, second.text);
	assert_non_null(strstr(first.text, "frobnicate"));
	assert_non_null(strstr(first.text, "too long to be compiled"));
	assert_int_equal(a.len, b.len);
	assert_memory_equal(a.image, b.image, a.len);
	assert_memory_equal(&a.stats, &b.stats, sizeof(a.stats));
	assert_int_equal(a.seen, 5);
	assert_int_equal(b.seen, 5);
	assert_int_equal(b.refused, 2);
	assert_int_equal(b.skipped, 1);
	assert_int_equal(b.stats.rules, 2);
	free(a.image);
	free(b.image);
}

// Whatever the image depends on is in the key.
static void test_key(void **state)
{
	static const struct rule_var vars[] = {{"HOME_NET", "192.0.2.0/24"}, {NULL, NULL}};
	struct cache c;
	struct said said;
	char changed[sizeof(rules_text)];

	open_cache(&c, CACHE_BYTES_DEFAULT);
	struct load_result a = load(&c, rules_text, NULL, NULL, &said);
	struct load_result b = load(&c, rules_text, NULL, vars, &said);
	strcpy(changed, rules_text);
	*strstr(changed, "one") = 'O';
	struct load_result d = load(&c, changed, NULL, NULL, &said);

	assert_false(b.cached);
	assert_false(d.cached);
	assert_int_equal(files(folder, false), 3);
	free(a.image);
	free(b.image);
	free(d.image);
}

// Any damaged byte: compiled anew, never used.
static void test_damage(void **state)
{
	char path[2 * PATH_MAX];
	struct said said;
	struct cache c;
	struct stat st;

	open_cache(&c, CACHE_BYTES_DEFAULT);
	struct load_result good = load(&c, rules_text, NULL, NULL, &said);
	assert_int_equal(stat(only_entry(path), &st), 0);
	for (off_t at = 0; at < st.st_size; at += at < 600 ? 7 : 977) {
		int fd = open(path, O_RDWR);
		uint8_t byte;

		assert_true(fd >= 0);
		assert_int_equal(pread(fd, &byte, 1, at), 1);
		byte ^= 0x10;
		assert_int_equal(pwrite(fd, &byte, 1, at), 1);
		close(fd);
		struct load_result res = load(&c, rules_text, NULL, NULL, &said);
		assert_false(res.cached);
		assert_non_null(strstr(res.cache.text, "damaged"));
		assert_memory_equal(res.image, good.image, good.len);
		free(res.image);
		only_entry(path); // written again
	}
	assert_int_equal(truncate(path, st.st_size - 1), 0);
	struct load_result res = load(&c, rules_text, NULL, NULL, &said);
	assert_false(res.cached);
	free(res.image);
	res = load(&c, rules_text, NULL, NULL, &said);
	assert_true(res.cached);
	free(res.image);
	free(good.image);
}

// Entries and folders that others may write are not used.
static void test_owner(void **state)
{
	char path[2 * PATH_MAX], aside[2 * PATH_MAX];
	struct diag d = {""};
	struct said said;
	struct cache c;
	struct stat st;

	open_cache(&c, CACHE_BYTES_DEFAULT);
	struct load_result a = load(&c, rules_text, NULL, NULL, &said);
	assert_int_equal(stat(only_entry(path), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(stat(folder, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	assert_int_equal(chmod(path, 0620), 0);
	struct load_result b = load(&c, rules_text, NULL, NULL, &said);
	assert_false(b.cached);
	// a link to a good entry
	snprintf(aside, sizeof(aside), "%s/aside", base);
	assert_int_equal(rename(only_entry(path), aside), 0);
	assert_int_equal(symlink(aside, path), 0);
	struct load_result l = load(&c, rules_text, NULL, NULL, &said);
	assert_false(l.cached);
	assert_int_equal(chmod(folder, 0770), 0);
	assert_int_equal(cache_init(&c, folder, CACHE_BYTES_DEFAULT, &d), -EPERM);
	free(a.image);
	free(b.image);
	free(l.image);
}

// What was not used for longest goes first.
static void test_evict(void **state)
{
	struct said said;
	struct cache c;
	char path[2 * PATH_MAX], text[8][128];
	struct stat st;

	open_cache(&c, CACHE_BYTES_DEFAULT);
	for (int i = 0; i < 8; i++)
		snprintf(text[i], sizeof(text[i]),
			 "alert http any any -> any any (http.uri; content:\"/n%d\"; sid:%d;)\n", i,
			 i + 1);
	struct load_result r = load(&c, text[0], NULL, NULL, &said);
	free(r.image);
	assert_int_equal(stat(only_entry(path), &st), 0);
	c.bytes_max = 4 * (uint64_t)st.st_size;
	for (int i = 1; i < 8; i++) {
		r = load(&c, text[i], NULL, NULL, &said);
		free(r.image);
		r = load(&c, text[0], NULL, NULL, &said); // stays in use
		assert_true(r.cached);
		free(r.image);
	}
	assert_int_equal(files(folder, false), 4);
	r = load(&c, text[7], NULL, NULL, &said);
	assert_true(r.cached);
	free(r.image);
	r = load(&c, text[1], NULL, NULL, &said);
	assert_false(r.cached);
	free(r.image);
	c.bytes_max = 10; // larger than the cache may be: loaded all the same
	r = load(&c, rules_text, NULL, NULL, &said);
	assert_false(r.cached);
	assert_non_null(strstr(r.cache.text, "larger than the cache"));
	free(r.image);
}

static void write_list(const char *text)
{
	char path[PATH_MAX + 32];
	int fd;

	snprintf(path, sizeof(path), "%s/hosts.lst", base);
	unlink(path); // another inode: the test does not depend on the clock
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

// A set that names a list is good only while the list is what it was.
static void test_lists(void **state)
{
	static const char text[] = "alert http any any -> any any (http.host; "
				   "dataset:isset,bad,type string,load hosts.lst; sid:1;)\n";
	struct said said;
	struct cache c;

	open_cache(&c, CACHE_BYTES_DEFAULT);
	struct load_result a = load(&c, text, &load_beside, NULL, &said);
	assert_int_equal(a.stats.rules, 0); // there is no such file
	struct load_result b = load(&c, text, &load_beside, NULL, &said);
	assert_true(b.cached);
	write_list("ZXhhbXBsZS5jb20=\n");
	struct load_result d = load(&c, text, &load_beside, NULL, &said);
	if (d.stats.rules != 1)
		print_error("%s", said.text);
	assert_false(d.cached);
	assert_int_equal(d.stats.rules, 1);
	struct load_result e = load(&c, text, &load_beside, NULL, &said);
	assert_true(e.cached);
	write_list("ZXhhbXBsZS5uZXQ=\n");
	struct load_result f = load(&c, text, &load_beside, NULL, &said);
	assert_false(f.cached);
	free(a.image);
	free(b.image);
	free(d.image);
	free(e.image);
	free(f.image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_again, setup, teardown),
		cmocka_unit_test_setup_teardown(test_key, setup, teardown),
		cmocka_unit_test_setup_teardown(test_damage, setup, teardown),
		cmocka_unit_test_setup_teardown(test_owner, setup, teardown),
		cmocka_unit_test_setup_teardown(test_evict, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lists, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

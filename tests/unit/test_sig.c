// SPDX-License-Identifier: BSD-2-Clause
// Signatures and keys: round trips, fixed vectors made by minisign 0.11, everything that must be refused, and the
// minisign program itself if it is installed.
#include "rules/sig.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <sodium.h>

#include "rules/file.h"

#define PUBLIC                                                                                     \
	"untrusted comment: minisign public key F4A3043FF9AD0565\n"                                \
	"RWRlBa35PwSj9FekjJsWHPa3zssGXbJa8J+cLB/GP0O4A2sxixSge7Tt\n"
#define SECRET                                                                                     \
	"untrusted comment: minisign encrypted secret key\n"                                       \
	"RWQAAEIyAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAZQWt+T8Eo/Ss1yW1" \
	"jDRk3uEHFqcdvGCUFvAi8vkBOMF3WbMtup3C21ekjJsWHPa3zssGXbJa8J+cLB/GP0O4A2sxixSge7TtAAAAAAAA" \
	"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"

static char dir[64];

static const char *path(const char *name)
{
	static char buf[4][128];
	static unsigned int next;
	char *p = buf[next++ % 4];

	snprintf(p, sizeof(buf[0]), "%s/%s", dir, name);
	return p;
}

static void put(const char *name, const char *text)
{
	assert_int_equal(file_write(path(name), span_of(text, strlen(text)), 0644, true, NULL), 0);
}

static struct span span_str(const char *s)
{
	return span_of(s, strlen(s));
}

// cmocka has no message of its own for a substring.
static void assert_contains(const struct diag *d, const char *part)
{
	if (strstr(d->text, part) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", part, d->text);
}

static void make_key(const char *name, struct sig_secret *ret_key, struct sig_trust *io_trust)
{
	char secret[32], public_name[32];
	struct sig_public key;
	struct diag d;

	snprintf(secret, sizeof(secret), "%s.key", name);
	snprintf(public_name, sizeof(public_name), "%s.pub", name);
	assert_int_equal(sig_keygen(path(secret), path(public_name), NULL, 0, &key, &d), 0);
	assert_int_equal(sig_secret_read(path(secret), NULL, ret_key, &d), 0);
	assert_memory_equal(key.id, ret_key->id, 8);
	if (io_trust != NULL)
		assert_int_equal(sig_trust_add(io_trust, path(public_name), &d), 0);
}

static void round_trip(void **state)
{
	static struct sig_trust trust;
	static const size_t sizes[] = {0, 1, 127, 128, 129, 100000};
	struct sig_secret key;
	struct sig_public public_key;
	struct sig_info info;
	char text[SIG_TEXT_MAX];
	struct diag d = {""};
	struct stat st;

	make_key("round", &key, &trust);
	assert_int_equal(stat(path("round.key"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(stat(path("round.pub"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
	sig_public_of(&key, &public_key);
	assert_memory_equal(public_key.key, trust.v[0].key, 32);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		uint8_t *data = malloc(sizes[i] + 1);
		int n;

		assert_non_null(data);
		memset(data, 'x', sizes[i] + 1);
		n = sig_sign(&key, span_of(data, sizes[i]), "bundle demo\tserial 1", text);
		assert_true(n > 0 && strlen(text) == (size_t)n);
		assert_int_equal(sig_verify("data", span_of(data, sizes[i]), span_str(text), &trust,
					    &info, &d),
				 0);
		assert_string_equal(info.comment, "bundle demo\tserial 1");
		assert_memory_equal(info.key.id, key.id, 8);
		assert_int_equal(sig_verify("data", span_of(data, sizes[i] + 1), span_str(text),
					    &trust, &info, &d),
				 -EKEYREJECTED);
		assert_contains(&d, "changed or damaged after signing");
		assert_string_equal(d.file, "data");
		free(data);
	}
}

static void comments(void **state)
{
	static struct sig_trust trust;
	struct sig_secret key;
	struct sig_info info;
	char text[SIG_TEXT_MAX], comment[SIG_COMMENT_MAX + 1];
	struct diag d;

	make_key("comments", &key, &trust);
	assert_int_equal(sig_sign(&key, SPAN_LIT("x"), "two\nlines", text), -EINVAL);
	assert_int_equal(sig_sign(&key, SPAN_LIT("x"), "\x1b[2J", text), -EINVAL);
	memset(comment, 'c', SIG_COMMENT_MAX);
	comment[SIG_COMMENT_MAX] = '\0';
	assert_int_equal(sig_sign(&key, SPAN_LIT("x"), comment, text), -EINVAL);
	comment[SIG_COMMENT_MAX - 1] = '\0';
	assert_true(sig_sign(&key, SPAN_LIT("x"), comment, text) > SIG_COMMENT_MAX);
	assert_int_equal(sig_verify("x", SPAN_LIT("x"), span_str(text), &trust, &info, &d), 0);
	assert_string_equal(info.comment, comment);
	assert_true(sig_sign(&key, SPAN_LIT("x"), "", text) > 0);
	assert_int_equal(sig_verify("x", SPAN_LIT("x"), span_str(text), &trust, &info, &d), 0);
	assert_string_equal(info.comment, "");
}

static void keygen_leaves_files_alone(void **state)
{
	struct sig_public key;
	struct diag d;
	char *text;
	size_t len;

	put("there.pub", "mine");
	assert_int_equal(sig_keygen(path("new.key"), path("there.pub"), NULL, 0, &key, &d),
			 -EEXIST);
	assert_contains(&d, "exists already");
	assert_int_equal(access(path("new.key"), F_OK), -1); // half a pair is not left behind
	put("there.key", "mine too");
	assert_int_equal(sig_keygen(path("there.key"), path("new.pub"), NULL, 0, &key, &d),
			 -EEXIST);
	assert_int_equal(access(path("new.pub"), F_OK), -1);
	assert_int_equal(file_read(path("there.key"), 100, &text, &len, &d), 0);
	assert_string_equal(text, "mine too");
	free(text);
	assert_int_equal(sig_keygen(path("no/dir.key"), path("new.pub"), NULL, 0, &key, &d),
			 -ENOENT);
}

static void encrypted_keys(void **state)
{
	struct sig_public made, public_key;
	struct sig_secret key;
	struct diag d;

	assert_int_equal(
		sig_keygen(path("enc.key"), path("enc.pub"), "pass word", 1 << 20, &made, &d), 0);
	assert_int_equal(sig_secret_read(path("enc.key"), NULL, &key, &d), -ENOKEY);
	assert_contains(&d, "password");
	assert_int_equal(sig_secret_read(path("enc.key"), "pass", &key, &d), -EKEYREJECTED);
	assert_contains(&d, "wrong password");
	assert_int_equal(sig_secret_read(path("enc.key"), "", &key, &d), -EKEYREJECTED);
	assert_int_equal(sig_secret_read(path("enc.key"), "pass word", &key, &d), 0);
	sig_public_of(&key, &public_key);
	assert_memory_equal(public_key.key, made.key, 32);
}

static void bad_key_files(void **state)
{
	static const struct {
		const char *text;
		int secret, public_key;
	} cases[] = {
		{"", -EBADMSG, -EBADMSG},
		{PUBLIC, -EBADMSG, 0},
		{SECRET, 0, -EBADMSG},
		{"RWRlBa35PwSj9FekjJsWHPa3zssGXbJa8J+cLB/GP0O4A2sxixSge7Tt\n", -EBADMSG, -EBADMSG},
		{PUBLIC "more\n", -EBADMSG, -EBADMSG},
		{"untrusted comment: \nRWRlBa35PwSj9FekjJsWHPa3zssGXbJa8J+cLB/GP0O4A2sxixSge7T\n",
		 -EBADMSG, -EBADMSG},
		{"untrusted comment: \nRURlBa35PwSj9FekjJsWHPa3zssGXbJa8J+cLB/GP0O4A2sxixSge7Tt\n",
		 -EBADMSG, -EBADMSG}, // algorithm "ED" is for signatures
		{"untrusted comment: "
		 "\r\nRWRlBa35PwSj9FekjJsWHPa3zssGXbJa8J+cLB/GP0O4A2sxixSge7Tt\r\n",
		 -EBADMSG, 0},
	};
	struct sig_secret key;
	struct diag d;
	char text[] = SECRET;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sig_trust *trust = calloc(1, sizeof(*trust));

		assert_non_null(trust);
		put("bad", cases[i].text);
		d.file[0] = '\0';
		assert_int_equal(sig_secret_read(path("bad"), NULL, &key, &d), cases[i].secret);
		assert_int_equal(sig_trust_add(trust, path("bad"), &d), cases[i].public_key);
		if (cases[i].secret < 0 || cases[i].public_key < 0)
			assert_string_equal(d.file, path("bad"));
		free(trust);
	}
	text[strlen(text) - 60] ^= 1; // in the public half
	put("bad", text);
	assert_int_equal(sig_secret_read(path("bad"), NULL, &key, &d), -EKEYREJECTED);
	assert_contains(&d, "damaged");
	assert_int_equal(sig_secret_read(path("none"), NULL, &key, &d), -ENOENT);
}

static void trust_folder(void **state)
{
	static struct sig_trust trust;
	struct sig_secret key;
	struct diag d;
	char name[32];

	assert_int_equal(mkdir(path("keys"), 0755), 0);
	put("keys/README", "not a key");
	assert_int_equal(sig_trust_add(&trust, path("keys"), &d), -ENOKEY);
	assert_contains(&d, "*.pub");
	make_key("keys/a", &key, NULL);
	make_key("keys/b", &key, NULL);
	assert_int_equal(sig_trust_add(&trust, path("keys"), &d), 0);
	assert_int_equal(trust.n, 2);
	assert_int_equal(sig_trust_add(&trust, path("keys/a.pub"), &d), 0); // again
	assert_int_equal(trust.n, 2);
	put("keys/c.pub", "broken");
	assert_int_equal(sig_trust_add(&trust, path("keys"), &d), -EBADMSG);
	assert_contains(&d, "public key");
	assert_non_null(strstr(d.file, "c.pub"));
	assert_int_equal(unlink(path("keys/c.pub")), 0);
	for (int i = 0; i < SIG_KEYS_MAX - 2; i++) {
		snprintf(name, sizeof(name), "keys/m%02d", i);
		make_key(name, &key, NULL);
	}
	assert_int_equal(sig_trust_add(&trust, path("keys"), &d), 0);
	assert_int_equal(trust.n, SIG_KEYS_MAX);
	make_key("keys/z", &key, NULL);
	assert_int_equal(sig_trust_add(&trust, path("keys"), &d), -ENOSPC);
	assert_int_equal(sig_trust_add(&trust, path("nowhere"), &d), -ENOENT);
}

// Made by minisign 0.11 with the key above over "alert data\n".
#define VECTOR_GOOD                                                                                \
	"untrusted comment: signature from minisign secret key\n"                                  \
	"RURlBa35PwSj9LCGYmMadgjZzyckLN+kQu21eV/DF/mez52pe/"                                       \
	"alkYEMhXJQV5qR8zgmj3BIwCHI6nCjbL+yPIKwl4twR3RsRgQ=\n"                                     \
	"trusted comment: bundle demo serial 7\n"                                                  \
	"+RoCOTTXAJQ8/"                                                                            \
	"GeShs+tK3V4zCU2hS3lKACpmOPqCkM01UJiTgGOwqn8ksAb0srzYWT4Vawhnq4qijeRkqudAg==\n"
#define VECTOR_LEGACY                                                                              \
	"untrusted comment: signature from minisign secret key\n"                                  \
	"RWRlBa35PwSj9HSEpJsenPjn1nDEYvd84u3UfoMXaIVaSSVZE9mWyFsawvYnI//"                          \
	"obp9VJzRZecvN4Y7zpQEX0Q2FN51p/a3WoQE=\n"                                                  \
	"trusted comment: legacy\n"                                                                \
	"QTxPFO6gSuYQmRu6kAVkio6mZhq03tfq0xQ3L4yi8Z68qX3Di9mR+TFamaM9qNr0NmWv0bkVkpUe3NxS7p5DCQ==" \
	"\n"

static void vectors(void **state)
{
	static struct sig_trust trust;
	struct sig_info info;
	struct diag d;
	char id[SIG_ID_TEXT];

	put("vector.pub", PUBLIC);
	assert_int_equal(sig_trust_add(&trust, path("vector.pub"), &d), 0);
	assert_string_equal(sig_id_text(id, trust.v[0].id), "F4A3043FF9AD0565");
	assert_int_equal(
		sig_verify("v", SPAN_LIT("alert data\n"), SPAN_LIT(VECTOR_GOOD), &trust, &info, &d),
		0);
	assert_string_equal(info.comment, "bundle demo serial 7");
	assert_int_equal(
		sig_verify("v", SPAN_LIT("alert data"), SPAN_LIT(VECTOR_GOOD), &trust, &info, &d),
		-EKEYREJECTED);
	assert_int_equal(sig_verify("v", SPAN_LIT("alert data\n"), SPAN_LIT(VECTOR_LEGACY), &trust,
				    &info, &d),
			 -EKEYREJECTED);
	assert_contains(&d, "legacy");
}

static void who_signed(void **state)
{
	static struct sig_trust none, other, both, twin;
	struct sig_secret key, stranger;
	struct sig_info info;
	char text[SIG_TEXT_MAX], id[SIG_ID_TEXT];
	struct diag d;

	make_key("who", &key, &both);
	make_key("stranger", &stranger, &other);
	assert_int_equal(sig_trust_add(&both, path("stranger.pub"), &d), 0);
	assert_true(sig_sign(&key, SPAN_LIT("data"), "c", text) > 0);
	assert_int_equal(sig_verify("f", SPAN_LIT("data"), span_str(text), &none, &info, &d),
			 -EKEYREJECTED);
	assert_contains(&d, "no key is trusted");
	assert_int_equal(sig_verify("f", SPAN_LIT("data"), span_str(text), &other, &info, &d),
			 -EKEYREJECTED);
	assert_contains(&d, "not trusted");
	assert_contains(&d, sig_id_text(id, key.id));
	assert_contains(&d, "stranger.pub");
	assert_int_equal(sig_verify("f", SPAN_LIT("data"), span_str(text), &both, &info, &d), 0);
	assert_non_null(strstr(info.key.file, "who.pub"));

	// two trusted keys with one id: the right one is found
	twin.v[0] = other.v[0];
	memcpy(twin.v[0].id, key.id, 8);
	twin.v[1] = both.v[0];
	twin.n = 2;
	assert_int_equal(sig_verify("f", SPAN_LIT("data"), span_str(text), &twin, &info, &d), 0);
	twin.n = 1; // and the wrong one alone does not do
	assert_int_equal(sig_verify("f", SPAN_LIT("data"), span_str(text), &twin, &info, &d),
			 -EKEYREJECTED);
}

// 2 of 3: which signatures count, which do not, and which spoil all of it.
static void several(void **state)
{
	static struct sig_trust trust;
	struct sig_secret key[4];
	struct sig_info info;
	char text[4][SIG_TEXT_MAX], set[SIG_SET_BYTES], ids[SIG_SET_MAX * SIG_ID_TEXT];
	struct diag d;

	for (int i = 0; i < 4; i++) {
		char name[16];

		snprintf(name, sizeof(name), "several%d", i);
		make_key(name, &key[i], i < 3 ? &trust : NULL); // the fourth is a stranger's
		assert_true(sig_sign(&key[i], SPAN_LIT("data"), name, text[i]) > 0);
	}
	trust.need = 2;
	static const struct {
		const char *keys; // digits; 'x': a changed one of key 1
		const char *why;  // NULL: good
	} cases[] = {
		{"01", NULL},
		{"12", NULL},
		{"20", NULL},
		{"012", NULL},
		{"031", NULL},
		{"0", "signed by 1 trusted key"},
		{"00", "signed by 1 trusted key"},
		{"03", "signed by 1 trusted key"},
		{"3", "not trusted"},
		{"0x", "does not match its signature"},
		{"012x", "does not match its signature"},
		{"", "minisign's format"},
		{"0123012301230123", NULL},
		{"01230123012301230", "more than 16"},
	};
	for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
		size_t n = 0;

		for (const char *k = cases[c].keys; *k != '\0'; k++) {
			const char *one = text[*k == 'x' ? 1 : *k - '0'];
			n += (size_t)sprintf(set + n, "%s", one);
			if (*k == 'x') { // over other data
				struct sig_secret *by = &key[1];
				n -= strlen(one);
				n += (size_t)sig_sign(by, SPAN_LIT("other"), "c", set + n);
			}
		}
		int err = sig_verify("f", SPAN_LIT("data"), span_of(set, n), &trust, &info, &d);
		assert_int_equal(err, cases[c].why == NULL ? 0 : -EKEYREJECTED);
		if (cases[c].why != NULL)
			assert_contains(&d, cases[c].why);
		else
			assert_true(info.n >= 2 &&
				    strlen(sig_ids_text(ids, &info)) == info.n * 17 - 1);
	}
	// One key under two names does not count twice.
	trust.v[1] = trust.v[0];
	trust.v[1].id[0] ^= 1;
	snprintf(set, sizeof(set), "%s", text[0]);
	assert_int_equal(sig_verify("f", SPAN_LIT("data"), span_str(set), &trust, &info, &d),
			 -EKEYREJECTED);
	// Adding: one more, or one instead of an older one by the same key.
	set[0] = '\0';
	for (int i = 0; i < 3; i++)
		assert_int_equal(sig_set_add("s", set, span_str(text[i % 2]), &d), 0);
	assert_int_equal(strlen(set), strlen(text[0]) + strlen(text[1]));
	assert_int_equal(sig_set_add("s", set, SPAN_LIT("nonsense"), &d), -EBADMSG);
}

// Every cut and every changed byte is refused, but for the comment that is not signed.
static void damaged_texts(void **state)
{
	static struct sig_trust trust;
	struct sig_secret key;
	struct sig_info info;
	char text[SIG_TEXT_MAX], copy[SIG_TEXT_MAX + 2];
	struct diag d;
	size_t n, free_from, free_to;

	make_key("damage", &key, &trust);
	n = (size_t)sig_sign(&key, SPAN_LIT("data"), "trusted words", text);
	free_from = strlen("untrusted comment: ");
	free_to = strcspn(text, "\n");
	for (size_t i = 0; i < n - 1; i++) { // without the last newline it is still whole
		char *cut = malloc(i + 1);   // sanitizers see a read past the end

		assert_non_null(cut);
		memcpy(cut, text, i);
		assert_int_equal(
			sig_verify("f", SPAN_LIT("data"), span_of(cut, i), &trust, &info, &d),
			-EKEYREJECTED);
		free(cut);
	}
	for (size_t i = 0; i < n - 1; i++) {
		int want = i >= free_from && i < free_to ? 0 : -EKEYREJECTED;

		memcpy(copy, text, n);
		copy[i] ^= 1;
		if (copy[i] == '\n' || copy[i] == '\r')
			continue;
		assert_int_equal(
			sig_verify("f", SPAN_LIT("data"), span_of(copy, n), &trust, &info, &d),
			want);
	}
	memcpy(copy, text, n);
	memcpy(copy + n, "x", 2);
	assert_int_equal(sig_verify("f", SPAN_LIT("data"), span_str(copy), &trust, &info, &d),
			 -EKEYREJECTED);
	memcpy(copy + n, "\n", 2);
	assert_int_equal(sig_verify("f", SPAN_LIT("data"), span_str(copy), &trust, &info, &d),
			 -EKEYREJECTED);
	memcpy(copy + n - 1, "\r\n", 3);
	assert_int_equal(sig_verify("f", SPAN_LIT("data"), span_str(copy), &trust, &info, &d), 0);
	*strstr(copy, "words") = 'W';
	assert_int_equal(sig_verify("f", SPAN_LIT("data"), span_str(copy), &trust, &info, &d),
			 -EKEYREJECTED);
	assert_contains(&d, "trusted comment");
}

static void no_room(void **state)
{
	struct diag d;
	char *text;
	size_t len;

	put("ten", "0123456789");
	assert_int_equal(file_read(path("ten"), 10, &text, &len, &d), 0);
	assert_int_equal(len, 10);
	free(text);
	assert_int_equal(file_read(path("ten"), 9, &text, &len, &d), -EFBIG);
	assert_int_equal(file_read(dir, 9, &text, &len, &d), -EISDIR);
	assert_int_equal(mkfifo(path("fifo"), 0600), 0);
	assert_int_equal(file_read(path("fifo"), 9, &text, &len, &d), -EINVAL); // and returns
}

static int run(const char *fmt, const char *args)
{
	char command[512];

	snprintf(command, sizeof(command), fmt, dir, args);
	return system(command);
}

static void interop_minisign(void **state)
{
	static struct sig_trust trust;
	struct sig_public key;
	struct sig_secret secret;
	struct sig_info info;
	char text[SIG_TEXT_MAX], *sig;
	struct diag d;
	size_t len;

	if (system("command -v minisign >/dev/null 2>&1") != 0) {
		print_message("minisign is not installed: skipped\n");
		skip();
	}
	put("data", "some rules\n");

	// its key, its signature
	assert_int_equal(run("cd %s && minisign -G -W -p m.pub -s m.key >/dev/null%s", ""), 0);
	assert_int_equal(
		run("cd %s && minisign -S -s m.key -m data -t 'by minisign' >/dev/null%s", ""), 0);
	assert_int_equal(sig_trust_add(&trust, path("m.pub"), &d), 0);
	assert_int_equal(file_read(path("data.minisig"), SIG_TEXT_MAX, &sig, &len, &d), 0);
	assert_int_equal(
		sig_verify("data", SPAN_LIT("some rules\n"), span_of(sig, len), &trust, &info, &d),
		0);
	assert_string_equal(info.comment, "by minisign");
	free(sig);

	// its key, our signature
	assert_int_equal(sig_secret_read(path("m.key"), NULL, &secret, &d), 0);
	assert_true(sig_sign(&secret, SPAN_LIT("some rules\n"), "by us", text) > 0);
	put("data.minisig", text);
	assert_int_equal(
		run("cd %s && test \"$(minisign -V -Q -p m.pub -m data%s)\" = 'by us'", ""), 0);

	// our keys, in clear and encrypted; its signature, verified by both
	assert_int_equal(sig_keygen(path("w.key"), path("w.pub"), NULL, 0, &key, &d), 0);
	assert_int_equal(sig_keygen(path("e.key"), path("e.pub"), "secret", 16 << 20, &key, &d), 0);
	for (int i = 0; i < 2; i++) {
		const char *name = i == 0 ? "w" : "e";

		assert_int_equal(run("cd %s && echo secret | minisign -S -s %s.key -m data "
				     ">/dev/null 2>&1",
				     name),
				 0);
		assert_int_equal(run("cd %s && minisign -V -q -p %s.pub -m data", name), 0);
		assert_int_equal(file_read(path("data.minisig"), SIG_TEXT_MAX, &sig, &len, &d), 0);
		trust.n = 0;
		assert_int_equal(sig_trust_add(&trust, path(i == 0 ? "w.pub" : "e.pub"), &d), 0);
		assert_int_equal(sig_verify("data", SPAN_LIT("some rules\n"), span_of(sig, len),
					    &trust, &info, &d),
				 0);
		free(sig);
	}
}

static int set_up(void **state)
{
	snprintf(dir, sizeof(dir), "/tmp/test_sig.XXXXXX");
	return mkdtemp(dir) == NULL;
}

static int tear_down(void **state)
{
	return run("rm -rf %s%s", "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trip),
		cmocka_unit_test(comments),
		cmocka_unit_test(keygen_leaves_files_alone),
		cmocka_unit_test(encrypted_keys),
		cmocka_unit_test(bad_key_files),
		cmocka_unit_test(trust_folder),
		cmocka_unit_test(vectors),
		cmocka_unit_test(who_signed),
		cmocka_unit_test(several),
		cmocka_unit_test(damaged_texts),
		cmocka_unit_test(no_room),
		cmocka_unit_test(interop_minisign),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}

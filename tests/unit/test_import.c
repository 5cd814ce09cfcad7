// SPDX-License-Identifier: BSD-2-Clause
// Importing: what others publish in many shapes becomes entries, what cannot is refused with its line.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "rules/import.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

#define MD5    "0123456789abcdef0123456789abcdef"
#define MD5B   "fedcba9876543210fedcba9876543210"
#define SHA1   MD5 "01234567"
#define SHA256 MD5 MD5B
#define NOT_EXACT                                                                                  \
	"a hash of what looks alike; only MD5, SHA-1 and SHA-256 of whole files are matched"

struct pieces {
	struct span left;
	size_t most;
};

static ssize_t read_pieces(void *ctx, void *buf, size_t n)
{
	struct pieces *p = ctx;

	return lines_read_span(&p->left, buf, n < p->most ? n : p->most);
}

// "md5 ENTRY\n" for each entry, then the counts that are not zero.
static char *describe(const struct import *im)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	assert_non_null(out);
	for (int k = 0; k < IMPORT_KIND_N; k++) {
		char *list = NULL, *line, *rest;
		size_t n;
		FILE *f = open_memstream(&list, &n);

		assert_non_null(f);
		import_write(im, (enum import_kind)k, f);
		fclose(f);
		for (rest = list; (line = strsep(&rest, "\n")) != NULL;)
			if (line[0] != '\0')
				fprintf(out, "%s %s\n", import_kind_names[k], line);
		free(list);
	}
	if (im->duplicates > 0)
		fprintf(out, "duplicates %d\n", (int)im->duplicates);
	if (im->withdrawn > 0)
		fprintf(out, "withdrawn %d\n", (int)im->withdrawn);
	for (uint32_t i = 0; i < im->n_first; i++)
		fprintf(out, "refused %u %s\n", im->first[i].line, im->first[i].why);
	fclose(out);
	return text;
}

static void check(const char *input, unsigned int want, uint64_t read, const char *expect)
{
	static const size_t most[] = {1, 5, 1 << 20};

	for (size_t i = 0; i < N(most); i++) {
		struct pieces p = {.left = span_of(input, strlen(input)), .most = most[i]};
		struct import im = {.want = want};
		struct diag d = {""};
		char *got;
		int err = import_read(&im, "f", read_pieces, &p, &d);

		if (err != 0)
			fail_msg("%s\n-> %d %s", input, err, d.text);
		import_sort(&im);
		got = describe(&im);
		if (strcmp(got, expect) != 0 || im.read != read)
			fail_msg("%s\nread %d (want %d)\n%s-- instead of\n%s", input, (int)im.read,
				 (int)read, got, expect);
		free(got);
		import_done(&im);
	}
}

static void test_plain(void **state)
{
	check("", 0, 0, "");
	check("# nothing\n\n", 0, 0, "");
	check(MD5, 0, 1, "md5 " MD5 "\n");
	check("\xef\xbb\xbf" MD5 "\r\n" SHA1 "\r\n\r\n" SHA256, 0, 3,
	      "md5 " MD5 "\nsha1 " SHA1 "\nsha256 " SHA256 "\n");
	check("0123456789ABCDEF0123456789ABCDEF\n" MD5 "\n", 0, 2, "md5 " MD5 "\nduplicates 1\n");
	check(SHA256 "  a file, with a comma.bin\n" SHA256 " *other\n", 0, 2,
	      "sha256 " SHA256 "\nduplicates 1\n");
	check(MD5 "\n" MD5 "0\nhello world\n", 0, 3,
	      "md5 " MD5
	      "\nrefused 2 is no digest, URL or host\nrefused 3 is no digest, URL or host\n");
	check(MD5 "\n" SHA1 "\n", 1 << IMPORT_SHA1, 2,
	      "sha1 " SHA1 "\nrefused 1 is of a kind that is not asked for\n");
}

static void test_hosts(void **state)
{
	// printf evil.example | base64, and so on
	check("Evil.Example.\nevil.example\n", 0, 2, "hosts ZXZpbC5leGFtcGxl\nduplicates 1\n");
	check("0.0.0.0 evil.example\n127.0.0.1\tevil.example # why\n", 0, 2,
	      "hosts ZXZpbC5leGFtcGxl\nduplicates 1\n");
	check("192.0.2.7\n", 0, 1, "hosts MTkyLjAuMi43\n");
	check("localhost\nevil..example\n-\nexa\xc3\xa4mple.com\n", 0, 4,
	      "refused 1 is no digest, URL or host\nrefused 2 is no digest, URL or host\n"
	      "refused 3 is no digest, URL or host\nrefused 4 is no digest, URL or host\n");
}

static void test_urls(void **state)
{
	// printf evil.example/a | base64
	check("http://user@EVIL.example:8080/a#frag\n", 0, 1,
	      "hosts ZXZpbC5leGFtcGxl\nurls ZXZpbC5leGFtcGxlL2E=\n");
	check("hxxp://evil.example/a\n", 1 << IMPORT_URL, 1, "urls ZXZpbC5leGFtcGxlL2E=\n");
	check("http://evil.example/a\n", 1 << IMPORT_HOST, 1, "hosts ZXZpbC5leGFtcGxl\n");
	check("http://evil.example\nhttp://evil.example/\n", 1 << IMPORT_URL, 2,
	      "urls ZXZpbC5leGFtcGxlLw==\nduplicates 1\n");
	check("http://evil.example?q\n", 1 << IMPORT_URL, 1, "urls ZXZpbC5leGFtcGxlLz9x\n");
	check("http://[2001:DB8::1]:80/\n", 1 << IMPORT_URL, 1, "urls WzIwMDE6ZGI4OjoxXS8=\n");
	check("https://evil.example/a\n", 0, 1,
	      "refused 1 is an https URL: what is encrypted is not read\n");
	check("http://\nhttp:///a\nhttp://a/b\n", 0, 3,
	      "refused 1 is not a URL with a host\nrefused 2 is not a URL with a host\n"
	      "refused 3 is not a URL with a host\n");
	// MD5 is not asked for, and a list of URLs has none.
	check(MD5 "\n", 1 << IMPORT_URL, 1, "refused 1 is of a kind that is not asked for\n");
}

static void test_csv(void **state)
{
	// URLhaus: the header is a comment, every field is quoted, and there is a second URL that is no entry.
	check("################\n# abuse URL dump, see https://x.example/ #\n#\n"
	      "# id,dateadded,url,url_status,last_online,threat,tags,urlhaus_link,reporter\n"
	      "\"1\",\"2026-01-01\",\"http://evil.example/a\",\"online\",\"\",\"malware\",\"a,b\","
	      "\"https://urlhaus.example/url/1/\",\"me\"\n",
	      1 << IMPORT_URL, 1, "urls ZXZpbC5leGFtcGxlL2E=\n");
	check("first_seen,sha256_hash,md5_hash,imphash\nnow," SHA256 "," MD5 "," MD5B "\n", 0, 1,
	      "md5 " MD5 "\nsha256 " SHA256 "\n");
	check("name;MD5\n\"a;\"\"b\"\"\";" MD5 "\nc;\nd;x\n", 0, 3,
	      "md5 " MD5 "\nrefused 3 has none of the columns that the header names\n"
	      "refused 4 is not an md5: 32 hexadecimal digits\n");
	check("sha1\tmd5\n" SHA1 "\t" MD5 "\n", 1 << IMPORT_MD5, 1, "md5 " MD5 "\n");
	// A column for the kind.
	check("type,value\nMD5," MD5
	      "\nPHOTODNA,AAAA\nurl,http://evil.example/a\nemail,a@b.example\n",
	      1 << IMPORT_MD5 | 1 << IMPORT_URL, 4,
	      "md5 " MD5 "\nurls ZXZpbC5leGFtcGxlL2E=\nrefused 3 "
	      "" NOT_EXACT "\nrefused 5 is of a type that is not matched\n");
	// Without a header the form tells.
	check("1,a file," SHA1 "," MD5 "," MD5B "\n", 0, 1, "md5 " MD5 "\nsha1 " SHA1 "\n");
	check("md5,sha1\n" MD5 "," SHA1 "\nmd5,sha1\n" MD5B "," SHA1 "\n", 0, 2,
	      "md5 " MD5 "\nmd5 " MD5B "\nsha1 " SHA1 "\nduplicates 1\n");
}

static void test_json(void **state)
{
	// ThreatExchange: indicators, descriptors, updates.
	check("{\"data\":[{\"id\":\"1\",\"indicator\":{\"id\":\"2\",\"indicator\":\"" MD5
	      "\",\"type\":\"HASH_MD5\"},\"status\":\"MALICIOUS\"},{\"raw_indicator\":\"" SHA256
	      "\",\"type\":\"HASH_SHA256\"}],\"paging\":{\"cursors\":{\"after\":\"x\"}}}",
	      0, 2, "md5 " MD5 "\nsha256 " SHA256 "\n");
	check("{\"data\":[{\"indicator\":\"" MD5
	      "\",\"type\":\"HASH_VIDEO_MD5\",\"should_delete\":false},"
	      "{\"indicator\":\"" MD5B "\",\"type\":\"HASH_MD5\",\"should_delete\":true}]}",
	      0, 1, "md5 " MD5 "\nwithdrawn 1\n");
	// HMA: signals by type.
	check("[{\"signal_type\":\"video_md5\",\"signal_value\":\"" MD5
	      "\"},{\"signal_type\":\"pdq\","
	      "\"signal_value\":\"f8f8\"}]",
	      0, 2, "md5 " MD5 "\nrefused 0 " NOT_EXACT "\n");
	check("{\"video_md5\":[\"" MD5 "\",\"" MD5B "\"],\"pdq\":[\"ff\"]}", 1 << IMPORT_MD5, 3,
	      "md5 " MD5 "\nmd5 " MD5B "\nrefused 0 " NOT_EXACT "\n");
	// One object a line; an array of strings.
	check("{\"md5\":\"" MD5 "\",\"sha1\":\"" SHA1 "\",\"size\":3}\n{\"md5\":\"" MD5B "\"}\n", 0,
	      3, "md5 " MD5 "\nmd5 " MD5B "\nsha1 " SHA1 "\n");
	check(" [\"" MD5 "\", \"nothing\"]", 0, 2,
	      "md5 " MD5 "\nrefused 0 is no digest, URL or host\n");
	check("{\"md5\":\"x\",\"a\":{\"type\":\"IP_ADDRESS\",\"indicator\":\"192.0.2.1\"}}", 0, 2,
	      "refused 0 is not an md5: 32 hexadecimal digits\nrefused 0 is of a type that is not "
	      "matched\n");
	check("{}", 0, 0, "");
	check("[]", 0, 0, "");
}

static int read_text(const char *text, size_t len, struct import *im, struct diag *d)
{
	struct pieces p = {.left = span_of(text, len), .most = 100000};

	*im = (struct import){0};
	*d = (struct diag){""};
	return import_read(im, "f", read_pieces, &p, d);
}

static void test_broken_json(void **state)
{
	static const char *const texts[] = {"{",    "[1,", "{\"a\":}", "[] x", "{\"md5\":\"\xff\"}",
					    "[[[[}"};
	struct import im;
	struct diag d;

	for (size_t i = 0; i < N(texts); i++) {
		assert_int_equal(read_text(texts[i], strlen(texts[i]), &im, &d), -EBADMSG);
		assert_non_null(strstr(d.text, "is not valid JSON"));
		import_done(&im);
	}
}

// Deep, long, many: bounded.
static void test_hostile(void **state)
{
	enum { LEN = 3 << 20 };
	char *text = malloc(LEN);
	struct import im;
	struct diag d;

	assert_non_null(text);
	for (size_t i = 0; i < 1000; i++) {
		text[i] = '[';
		text[1999 - i] = ']';
	}
	assert_int_equal(read_text(text, 2000, &im, &d), 0);
	assert_int_equal(im.refused, 1);
	assert_string_equal(im.first[0].why, "is nested too deeply");
	import_done(&im);
	memset(text, '[', LEN); // deeper than the parser goes
	assert_int_equal(read_text(text, LEN, &im, &d), -EBADMSG);
	import_done(&im);
	memset(text, 'a', LEN); // one line
	memcpy(text + LEN - 34, "\n" MD5 "\n", 34);
	assert_int_equal(read_text(text, LEN, &im, &d), 0);
	assert_int_equal(im.refused, 1);
	assert_int_equal(im.first[0].line, 1);
	assert_int_equal(im.set[IMPORT_MD5].n, 1);
	import_done(&im);
	for (size_t i = 0; i < LEN; i += 2)
		memcpy(text + i, "x\n", 2);
	assert_int_equal(read_text(text, LEN, &im, &d), 0);
	assert_int_equal(im.refused, LEN / 2); // counted all, kept some
	assert_int_equal(im.n_first, IMPORT_REFUSED_MAX);
	import_done(&im);
	memset(text, ',', LEN); // more fields than are looked at
	memcpy(text + 60000, "\n" MD5 ",", 34);
	text[LEN - 1] = '\n';
	memset(text + 60034, '\n', LEN - 60034);
	assert_int_equal(read_text(text, LEN, &im, &d), 0);
	assert_int_equal(im.set[IMPORT_MD5].n, 1);
	import_done(&im);
	free(text);
}

static void test_kinds(void **state)
{
	static const struct {
		const char *name;
		int kind;
	} cases[] = {
		{"md5", IMPORT_MD5},
		{"HASH_MD5", IMPORT_MD5},
		{"video_md5", IMPORT_MD5},
		{"SHA1", IMPORT_SHA1},
		{"sha-1", IMPORT_SHA1},
		{"HASH_SHA1", IMPORT_SHA1},
		{"sha256", IMPORT_SHA256},
		{"sha256_hash", IMPORT_SHA256},
		{"url", IMPORT_URL},
		{"URI", IMPORT_URL},
		{"urls", IMPORT_URL},
		{"url_status", -ENOENT},
		{"urlhaus_link", -ENOENT},
		{"hosts", IMPORT_HOST},
		{"Domain", IMPORT_HOST},
		{"PhotoDNA", -ENOTSUP},
		{"HASH_PDQ", -ENOTSUP},
		{"imphash", -ENOTSUP},
		{"ssdeep", -ENOTSUP},
		{"sha512", -ENOENT},
		{"", -ENOENT},
	};

	for (size_t i = 0; i < N(cases); i++)
		assert_int_equal(import_kind_of(span_of(cases[i].name, strlen(cases[i].name))),
				 cases[i].kind);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),   cmocka_unit_test(test_hosts),
		cmocka_unit_test(test_urls),    cmocka_unit_test(test_csv),
		cmocka_unit_test(test_json),    cmocka_unit_test(test_broken_json),
		cmocka_unit_test(test_hostile), cmocka_unit_test(test_kinds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

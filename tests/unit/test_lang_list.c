// SPDX-License-Identifier: BSD-2-Clause
// The rule language about lists and files: what is refused and where, and what becomes of the rest in the image. That lists
// are looked up rightly, tests/golden/dataset shows.
#include "tests/unit/pipekit.h"

#include "rules/list_make.h"
#include "tests/unit/listkit.h"

static const struct listkit_file table[] = {
	{"a.md5", "0123456789abcdef0123456789abcdef\n"},
	{"a.sha1", "0123456789abcdef0123456789abcdef01234567\n"},
	{"a.sha256", "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n"},
	{"sub/t.lst", "YQ==\n"},
	{"ip.lst", "192.0.2.1\n"},
	{"empty", ""},
	{"broken", "YQ==\nnot base64\n"},
	{NULL, NULL},
};
static const struct rule_files files = {
	.open = listkit_open,
	.ctx = (void *)(uintptr_t)table,
};

struct why {
	uint32_t n;
	struct diag d;
};

static void on_refused(void *ctx, enum rules_verdict verdict, uint32_t sid, const struct diag *d)
{
	struct why *w = ctx;

	w->n++;
	w->d = *d;
}

// ---- refused ----

#define HEAD "alert http any any -> any any ("
#define AT   (sizeof(HEAD)) // column of the first option

static const struct {
	const char *options;
	unsigned int column;
	const char *why;
} refused[] = {
	{"dataset:isset,n,type string,load sub/t.lst;", AT, "dataset needs a buffer before it"},
	{"http.host; dataset:isset;", AT + 19, "write dataset:isset,NAME,type TYPE,load FILE"},
	{"http.host; dataset:isset,n;", AT + 25, "say type TYPE and load FILE"},
	{"http.host; dataset:isset,n,type string;", AT + 25, "say type TYPE and load FILE"},
	{"http.host; dataset:isset,n,load sub/t.lst;", AT + 25, "say type TYPE and load FILE"},
	{"http.host; dataset:set,n,type string,load sub/t.lst;", AT + 19,
	 "dataset:set is not supported: nothing on the wire changes a list"},
	{"http.host; dataset:unset,n,type string,load sub/t.lst;", AT + 19,
	 "dataset:unset is not supported"},
	{"http.host; dataset:isset,n,type string,state s.lst;", AT + 39,
	 "dataset: state is not supported"},
	{"http.host; dataset:isset,n,type string,load sub/t.lst,save s.lst;", AT + 54,
	 "dataset: save is not supported"},
	{"http.host; dataset:has,n,type string,load sub/t.lst;", AT + 19,
	 "\"has\" is neither isset nor isnotset"},
	{"http.host; dataset:isset,n,type text,load sub/t.lst;", AT + 32, "\"text\" is none of"},
	{"http.host; dataset:isset,n,type string,load sub/t.lst,format json;", AT + 54,
	 "\"format\" is none of"},
	{"http.host; dataset:isset,n,type string,load;", AT + 39, "load needs a value"},
	{"http.host; dataset:isset,n,type string,load none;", AT + 44,
	 "list none: there is no such file"},
	{"http.host; dataset:isset,n,type string,load broken;", AT + 44, "broken:2: is not base64"},
	{"http.host; dataset:isset,n,type sha256,load sub/t.lst;", AT + 44,
	 "sub/t.lst:1: is not a sha256"},
	{"filemd5:/a.md5;", AT + 8, "named relative to the rule file"},
	{"filemd5:../a.md5;", AT + 8, "\"..\" leads outside"},
	{"filemd5:sub/../../a.md5;", AT + 8, "\"..\" leads outside"},
	{"filemd5:sub/..;", AT + 8, "\"..\" leads outside"},
	{"filemd5:!;", AT + 9, "has 1 to 255 bytes"},
	{"filemd5:a\x01"
	 "b;",
	 AT + 9, "control character"},
	{"filemd5:a.sha1;", AT + 8, "a.sha1:1: is not an md5"},
	{"filesha1:a.md5;", AT + 9, "a.md5:1: is not a sha1"},
	{"filesha256:!none;", AT + 12, "there is no such file"},
	{"filename:x;", AT + 9, "write filename:\"TEXT\""},
	{"fileext:\"\";", AT + 8, "write fileext:\"TEXT\""},
	{"filesize:x;", AT + 9, "filesize:x is not a size"},
	{"filesize:9<>3;", AT + 9, "is not a size"},
	{"filemagic:\"PDF\";", AT, "what a file is by its bytes is not determined"},
	{"file.magic; content:\"PDF\";", AT, "what a file is by its bytes is not determined"},
	{"http.host; datarep:n,>,5,load x;", AT + 11, "lists have no reputation"},
	{"file; content:\"a\";", AT, "unknown keyword \"file\""},
	{"file.name;", AT, "file.name is not followed by"},
	{"http.uri; content:\"a\"; nocase; ip.src; dataset:isset,n,type ip,load none;", AT + 68,
	 "there is no such file"},
};

static void test_refused(void **state)
{
	for (size_t i = 0; i < KIT_N(refused); i++) {
		struct rules rs = {.files = &files};
		struct why w = {0};
		char text[512];

		snprintf(text, sizeof(text), HEAD "%s sid:1;)", refused[i].options);
		if (rules_parse(&rs, "t", text, strlen(text), NULL, on_refused, &w) != 0)
			fail_msg("%s: it loads", refused[i].options);
		if (w.n != 1 || w.d.column != refused[i].column ||
		    strstr(w.d.text, refused[i].why) == NULL)
			fail_msg("%s: column %u instead of %u: %s", refused[i].options, w.d.column,
				 refused[i].column, w.d.text);
		rules_done(&rs);
	}
}

// Without files every list is refused, and nothing else.
static void test_no_files(void **state)
{
	static const char text[] = HEAD "filemd5:a.md5; sid:1;)\n" HEAD "filesize:>5; sid:2;)\n";
	struct rules rs = {0};
	struct why w = {0};

	assert_int_equal(rules_parse(&rs, "t", text, strlen(text), NULL, on_refused, &w), 1);
	assert_int_equal(w.n, 1);
	assert_non_null(strstr(w.d.text, "there are no files here"));
	rules_done(&rs);
}

// A broken list is read once, whoever names it.
static void test_broken_once(void **state)
{
	static const char text[] =
		HEAD "filemd5:broken; sid:1;)\n" HEAD "filemd5:broken; sid:2;)\n" HEAD
		     "filesha1:broken; sid:3;)\n";
	struct rules rs = {.files = &files};
	struct why w = {0};

	assert_int_equal(rules_parse(&rs, "t", text, strlen(text), NULL, on_refused, &w), 0);
	assert_int_equal(w.n, 3);
	assert_int_equal(rs.n_lists, 2);
	assert_null(rs.lists[0].entries);
	assert_non_null(rs.lists[0].why);
	rules_done(&rs);
}

// ---- images ----

// What the image makes of a rule: its conditions ("buffer: matches"), where it waits, what it needs.
static void describe(const char *options, char *buf, size_t size)
{
	static const char *const types[IMAGE_MATCH_TYPE_N] = {
		[IMAGE_CONTENT] = "content",    [IMAGE_SIZE] = "size",
		[IMAGE_DATASET] = "dataset",    [IMAGE_FILE_DIGEST] = "digest",
		[IMAGE_FILE_SIZE] = "filesize",
	};
	const struct image_header *h;
	const struct image_cond *c;
	char text[512];
	uint64_t len;
	size_t n = 0;
	void *image;

	snprintf(text, sizeof(text), HEAD "%s sid:1;)", options);
	image = kit_image(text, NULL, &len);
	assert_int_equal(image_check(image, len, NULL, NULL), 0);
	h = image;
	c = IMAGE_AT(h, struct image_cond, IMAGE_CONDS);
	for (uint32_t i = 0; i < IMAGE_COUNT(h, struct image_cond, IMAGE_CONDS); i++, c++) {
		n += (size_t)snprintf(buf + n, size - n, "%s%s%s:", i > 0 ? " " : "",
				      buffer_info(c->buffer)->keyword,
				      c->mode == IMAGE_COND_FILE ? " at a file's end" : "");
		for (uint32_t k = 0; k < c->n_matches; k++) {
			const struct image_match *m =
				&IMAGE_AT(h, struct image_match, IMAGE_MATCHES)[c->match + k];

			n += (size_t)snprintf(buf + n, size - n, " %s%s",
					      (m->flags & IMAGE_NEGATED) != 0 ? "!" : "",
					      types[m->type] != NULL ? types[m->type] : "?");
			if (m->type == IMAGE_DATASET || m->type == IMAGE_FILE_DIGEST)
				n += (size_t)snprintf(
					buf + n, size - n, "(%s)",
					list_kind_name(image_list_at(h, m->blob_off)->kind));
			if (m->type == IMAGE_CONTENT)
				n += (size_t)snprintf(
					buf + n, size - n, "(%.*s%s%s)", (int)m->len,
					(const char *)IMAGE_AT(h, uint8_t, IMAGE_BLOBS) +
						m->blob_off,
					(m->flags & IMAGE_NOCASE) != 0 ? " nocase" : "",
					(m->flags & IMAGE_ENDSWITH) != 0 ? " endswith" : "");
		}
	}
	n += (size_t)snprintf(buf + n, size - n, ", always %u/%u, files %u/%u", h->n_always[0],
			      h->n_always[1], h->n_files[0], h->n_files[1]);
	if ((h->file_digests[0] | h->file_digests[1]) != 0)
		snprintf(buf + n, size - n, ", digests %u/%u", h->file_digests[0],
			 h->file_digests[1]);
	free(image);
}

static const struct {
	const char *options, *want;
} images[] = {
	{"filesize:>10;", "file at a file's end: filesize, always 0/0, files 1/1"},
	{"filesize:10<>20; flow:to_client;",
	 "file at a file's end: filesize, always 0/0, files 0/1"},
	{"filemd5:a.md5;", "file at a file's end: digest(md5), always 0/0, files 1/1, digests 1/1"},
	{"filesha1:!a.sha1; filesha256:\"a.sha256\"; flow:to_server;",
	 "file at a file's end: !digest(sha1) digest(sha256), always 0/0, files 1/0, digests 6/0"},
	{"filestore;", "file at a file's end: filesize, always 0/0, files 1/1"},
	{"filestore:both,file; file.data; content:\"abcdef\";",
	 "file at a file's end: filesize file.data:, always 0/0, files 1/1"},
	{"filename:\"In\\\"dex\";",
	 "file.name at a file's end: content(in\"dex nocase), always 0/0, files 1/1"},
	{"fileext:!\"EXE\";",
	 "file.name at a file's end: !content(.exe nocase endswith), always 0/0, files 1/1"},
	{"file.name; content:\"a\"; bsize:3; filesize:3;",
	 "file.name at a file's end: size content(a) file at a file's end: filesize, always 0/0, "
	 "files 1/1"},
	// With conditions on the head it waits for these, too.
	{"http.method; content:\"POSTING-Method\"; fileext:\"txt\";",
	 "http.method: content(POSTING-Method) file.name at a file's end: content(.txt nocase "
	 "endswith), always 0/0, files 1/0"},
	{"http.host; dataset:isset,n,type string,load sub/t.lst; filesize:>3;",
	 "http.host: dataset(string) file at a file's end: filesize, always 1/0, files 1/0"},
	{"file.data; content:\"abcdef\"; filesize:>3;",
	 "file at a file's end: filesize file.data:, always 0/0, files 1/1"},
	{"ip.src; dataset:isnotset,n,type ip,load ip.lst,memcap 10mb,hashsize 1024;",
	 "ip.src: !dataset(ip), always 1/1, files 0/0"},
	{"ip.dst; dataset:isset,n,type ipv4,load empty;",
	 "ip.dst: dataset(ip), always 1/1, files 0/0"},
	{"http.uri; to_md5; dataset:isset,n,type md5,load a.md5;",
	 "http.uri: dataset(md5), always 1/0, files 0/0"},
	{"file.data; dataset:isset,n,type string,load sub/t.lst;",
	 "file.data: dataset(string), always 1/1, files 0/0"},
	{"file.data; content:\"abcdef\"; dataset:isset,n,type string,load sub/t.lst;",
	 "file.data: content(abcdef) dataset(string), always 0/0, files 0/0"},
};

static void test_images(void **state)
{
	unsigned int failures = 0;

	kit_files = &files;
	for (size_t i = 0; i < KIT_N(images); i++) {
		char got[512] = "";

		describe(images[i].options, got, sizeof(got));
		if (strcmp(got, images[i].want) == 0)
			continue;
		print_error("%s\n  makes      %s\n  instead of %s\n", images[i].options, got,
			    images[i].want);
		failures++;
	}
	assert_int_equal(failures, 0);
}

// A list is in the image once, and only if a rule in it names it.
static void test_lists_once(void **state)
{
	static const char text[] =
		HEAD "filemd5:a.md5; sid:1;)\n" HEAD "filemd5:!a.md5; filesize:3; sid:2;)\n" HEAD
		     "http.uri; to_md5; dataset:isset,n,type md5,load a.md5; sid:3;)\n" HEAD
		     "http.host; dataset:isset,n,type string,load empty; sid:4;)\n" HEAD
		     "filesha1:a.sha1; sid:4;)\n"; // refused: the number is taken
	struct kit_refused refusals = {0};
	const struct image_header *h;
	const struct image_list *l;
	uint64_t len;
	void *image;

	kit_files = &files;
	image = kit_image(text, &refusals, &len);
	h = image;
	assert_int_equal(refusals.n, 1);
	assert_int_equal(image_check(image, len, NULL, NULL), 0);
	assert_int_equal(IMAGE_COUNT(h, struct image_list, IMAGE_LISTS), 2);
	l = IMAGE_AT(h, struct image_list, IMAGE_LISTS);
	assert_string_equal(image_string(h, l[0].name), "a.md5");
	assert_int_equal(l[0].n, 1);
	assert_string_equal(image_string(h, l[1].name), "empty");
	assert_int_equal(l[1].n, 0);
	assert_true(list_has(image_list_at(h, 0), span_of("\x01\x23\x45\x67\x89\xab\xcd\xef"
							  "\x01\x23\x45\x67\x89\xab\xcd\xef",
							  16)));
	free(image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refused),     cmocka_unit_test(test_no_files),
		cmocka_unit_test(test_broken_once), cmocka_unit_test(test_images),
		cmocka_unit_test(test_lists_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

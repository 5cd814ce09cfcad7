// SPDX-License-Identifier: BSD-2-Clause
// Multipart bodies: what is in which part, as the laxest readers have it, and the same however the bytes are cut.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>

#include "dataplane/engine/mime.h"
#include "tests/unit/guard.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

enum {
	LOG_MAX = 1 << 17,
	ROOM = 1 << 17,
};

static struct guard guard;
static struct mime mime;
static struct counters counters;

// What was said, as text: "[name|filename|type", then data, then "]" or "!" when the part was cut; <data> is outside,
// {data} decoded. Pieces of the same kind are joined.
static char said[LOG_MAX], whole[LOG_MAX];
static size_t n_said;
static int last; // kind of the last event

static int setup(void **state)
{
	guard_init(&guard, ROOM);
	return 0;
}

static int teardown(void **state)
{
	guard_done(&guard);
	return 0;
}

static void put(struct span s)
{
	assert_true(n_said + s.len < LOG_MAX);
	if (s.len > 0)
		memcpy(said + n_said, s.data, s.len);
	n_said += s.len;
	said[n_said] = '\0';
}

static void put_text(const char *s)
{
	put(span_of(s, strlen(s)));
}

static void note(const struct mime_event *ev)
{
	static const char *const open[] = {"", "", "{", "", "<"};
	static const char *const close[] = {"", "", "}", "", ">"};

	if (last != (int)ev->kind && last >= 0)
		put_text(close[last]);
	if (last != (int)ev->kind)
		put_text(open[ev->kind]);
	last = (int)ev->kind;
	switch (ev->kind) {
	case MIME_EV_BEGIN:
		put_text("[");
		put(ev->part->name);
		put_text(ev->part->has_filename ? "|" : "-");
		put(ev->part->filename);
		put_text("|");
		put(ev->part->content_type);
		put_text("|");
		break;
	case MIME_EV_END:
		put_text(ev->truncated ? "!" : "]");
		break;
	default:
		assert_true(ev->data.len > 0);
		put(ev->data);
	}
}

static void feed(const uint8_t *data, size_t n, bool fin)
{
	struct span in = span_of(guard_put(&guard, data, n, 0), n);
	struct mime_event ev;
	size_t events = 0;

	while (mime_next(&mime, &in, fin, &counters, &ev) == 1) {
		note(&ev);
		assert_true(++events < 3 * n + 16);
	}
	assert_int_equal(in.len, 0);
}

static void begin(const char *type)
{
	memset(&counters, 0, sizeof(counters));
	memset(&mime, 0xa5, sizeof(mime));
	assert_int_equal(mime_begin(&mime, span_of(type, strlen(type)), &counters), 0);
	n_said = 0;
	said[0] = '\0';
	last = -1;
}

static void finish(void)
{
	feed(NULL, 0, true);
	feed(NULL, 0, true); // says nothing any more
	if (last == MIME_EV_OUTSIDE || last == MIME_EV_DECODED)
		put_text(last == MIME_EV_OUTSIDE ? ">" : "}");
}

// The body in one piece; then cut at every place, and byte by byte: the same.
static void read_all(const char *type, const void *body, size_t n)
{
	struct counters first;

	begin(type);
	feed(body, n, false);
	finish();
	memcpy(whole, said, sizeof(whole));
	first = counters;
	for (size_t cut = 0; cut <= n; cut++) {
		begin(type);
		feed(body, cut, false);
		feed((const uint8_t *)body + cut, n - cut, cut % 2 == 0);
		finish();
		if (strcmp(said, whole) != 0)
			print_error("cut at %zu\n", cut);
		assert_string_equal(said, whole);
		assert_memory_equal(&counters, &first, sizeof(first));
	}
	for (size_t size = 1; size < 5; size++) {
		begin(type);
		for (size_t at = 0; at < n; at += size)
			feed((const uint8_t *)body + at, size < n - at ? size : n - at, false);
		finish();
		assert_string_equal(said, whole);
		assert_memory_equal(&counters, &first, sizeof(first));
	}
}

static const char form[] = "multipart/form-data; boundary=AaB03x";

static void expect(const char *body, const char *want)
{
	read_all(form, body, strlen(body));
	assert_string_equal(whole, want);
}

static void test_form(void **state)
{
	expect("--AaB03x\r\n"
	       "Content-Disposition: form-data; name=\"submit-name\"\r\n\r\n"
	       "Larry\r\n"
	       "--AaB03x\r\n"
	       "Content-Disposition: form-data; name=\"files\"; filename=\"file1.txt\"\r\n"
	       "Content-Type: text/plain; charset=utf-8\r\n\r\n"
	       "line 1\r\n\r\nline 3\r\n\r\n"
	       "--AaB03x--\r\n",
	       "[submit-name-||Larry][files|file1.txt|text/plain; charset=utf-8|line 1\r\n\r\nline "
	       "3\r\n]<\r\n>");
	assert_int_equal(counters.v[CNT_MIME_PARTS], 2);
	assert_int_equal(counters.v[CNT_MIME_UNTERMINATED], 0);
	assert_int_equal(counters.v[CNT_MIME_ODD_BOUNDARY], 0);
}

// Before the first and behind the last part.
static void test_outside(void **state)
{
	expect("preamble\r\n--AaB03\r\n--AaB03x\r\n\r\na\r\n--AaB03x--\r\nepilogue",
	       "<preamble\r\n--AaB03>[-||a]<\r\nepilogue>");
	expect("", "");
	expect("no boundary at all", "<no boundary at all>");
	expect("--AaB03x--", "");
	expect("--AaB03x--\r\n--AaB03x\r\n\r\nstill a part", "[-||still a part!");
}

// Line ends in LF alone, or mixed; a CR before CR LF belongs to the data.
static void test_line_ends(void **state)
{
	expect("--AaB03x\nContent-Disposition: form-data; name=a\n\nbody\n--AaB03x--\n",
	       "[a-||body]<\n>");
	expect("--AaB03x\r\nContent-Disposition: x; "
	       "name=a\n\r\nbody\r\r\n--AaB03x\n\r\n\r\n--AaB03x--",
	       "[a-||body\r][-||]");
	expect("--AaB03x\r\n\r\n\r--AaB03x\r\n--AaB03x--", "[-||\r--AaB03x]");
	expect("--AaB03x\r\n\r\n\r\n\r\n\n\r\n--AaB03x--", "[-||\r\n\r\n\n]");
}

// Nearly a boundary.
static void test_near(void **state)
{
	expect("--AaB03x\r\n\r\n\r\n--AaB03\r\n-AaB03x\r\n--AaB03y--\r\n --AaB03x\r\n--AaB03x--",
	       "[-||\r\n--AaB03\r\n-AaB03x\r\n--AaB03y--\r\n --AaB03x]");
	expect("--AaB03x\r\n\r\na\r\n--AaB03x-\r\n--AaB03xx\r\n--AaB03x \t\r\n\r\nb\r\n--AaB03x--",
	       "[-||a\r\n--AaB03x-\r\n--AaB03xx][-||b]");
	assert_int_equal(counters.v[CNT_MIME_ODD_BOUNDARY], 2);
	expect("--AaB03x\r\n\r\n--AaB0--AaB03x\r\n--AaB03x--", "[-||--AaB0--AaB03x]");
	expect("--AaB03x\r\n\r\na\r\n--\r\n--AaB03x--", "[-||a\r\n--]");
	// A boundary directly behind the head: the line end of the head is not the one of the boundary.
	expect("--AaB03x\r\n\r\n--AaB03x--", "[-||]");
}

// The body ends too early, everywhere.
static void test_ends_early(void **state)
{
	expect("--AaB03x\r\n\r\nabc", "[-||abc!");
	assert_int_equal(counters.v[CNT_MIME_UNTERMINATED], 1);
	expect("--AaB03x\r\n\r\nabc\r\n", "[-||abc\r\n!");
	expect("--AaB03x\r\n\r\nabc\r\n--AaB0", "[-||abc\r\n--AaB0!");
	expect("--AaB03x\r\n\r\nabc\r\n--AaB03x", "[-||abc]"); // Python and Go say so, too
	assert_int_equal(counters.v[CNT_MIME_UNTERMINATED], 0);
	expect("--AaB03x\r\n\r\nabc\r\n--AaB03x-", "[-||abc\r\n--AaB03x-!");
	expect("--AaB03x\r\nContent-Disposition: a; name=b; filename=c", "[b|c||!");
	expect("--AaB03x\r\n", "");
	expect("--AaB03x", "");
	expect("\r", "<\r>");
}

// Heads without an end, without anything, with a boundary in them.
static void test_heads(void **state)
{
	expect("--AaB03x\r\nContent-Disposition: a; name=b\r\n--AaB03x\r\nname: "
	       "x\r\n--AaB03x--\r\n",
	       "[b-||][-||]");
	expect("--AaB03x\r\n--AaB03x\r\n\r\nc\r\n--AaB03x--", "[-||c]");
	expect("--AaB03x\r\n--AaB03x--\r\n--AaB03x\r\n\r\nc", "[-||c!");
	expect("--AaB03x\r\nno colon\r\n: nothing\r\nContent-Type "
	       ":text/x\r\nCONTENT-DISPOSITION:\r\n  "
	       "form-data;\r\n\tname=a;\r\n filename=b\r\n\r\n\r\n--AaB03x--",
	       "[a|b|text/x|]");
}

static void test_too_long(void **state)
{
	static char body[3 * MIME_HEAD_MAX];
	char want[64];
	int n = snprintf(body, sizeof(body), "--AaB03x\r\nContent-Disposition: a; name=b\r\nX: ");

	memset(body + n, 'x', MIME_HEAD_MAX);
	n += MIME_HEAD_MAX;
	n += snprintf(body + n, sizeof(body) - (size_t)n, "needle\r\n\r\ndata\r\n--AaB03x--");
	for (size_t size = 1; size < 20000; size += 977) {
		begin(form);
		for (size_t at = 0; at < (size_t)n; at += size)
			feed((uint8_t *)body + at, size < (size_t)n - at ? size : (size_t)n - at,
			     false);
		finish();
		assert_int_equal(counters.v[CNT_MIME_HEAD_TOO_LONG], 1);
		assert_non_null(strstr(said, "needle\r\n\r\ndata]"));
		snprintf(want, sizeof(want), "[b-||");
		assert_memory_equal(said, want, strlen(want));
	}
}

static void test_too_many(void **state)
{
	size_t parts = 0;

	begin(form);
	for (int i = 0; i < MIME_PARTS_MAX + 20; i++)
		feed((const uint8_t *)"--AaB03x\r\n\r\nab\r\n", 16, false);
	finish();
	for (const char *s = said; *s != '\0'; s++)
		parts += *s == '[';
	assert_int_equal(parts, MIME_PARTS_MAX);
	assert_int_equal(counters.v[CNT_MIME_PARTS_LIMIT], 1);
	assert_non_null(strstr(said, "ab]<\r\n\r\nab\r\n--AaB03x\r\n\r\nab"));
}

static void test_names(void **state)
{
	static const struct {
		const char *disposition, *name, *filename, *other;
	} table[] = {
		{"form-data; name=\"a\"; filename=\"b\"", "a", "b", ""},
		{"form-data;name=a;filename=b", "a", "b", ""},
		{"form-data; NAME = 'a' ; FileName =  \"b\"  junk; x", "a", "b", ""},
		{"form-data; name=\"a;b=c\"; filename=\"d\\\"e\\\\f\"", "a;b=c", "d\"e\\f", ""},
		{"form-data; filename=\"C:\\dir\\file.exe\"; name=n", "n", "C:\\dir\\file.exe", ""},
		{"form-data; filename=\"unclosed; name=n", "", "unclosed; name=n", ""},
		{"form-data; name=n; filename=\"end\\", "n", "end\\", ""},
		{"form-data; name=n; filename=", "n", "", ""},
		{"form-data; name=n; filename=\"\"", "n", "", ""},
		{"attachment; filename*=UTF-8''na%c3%afve%20%zz.txt%2", "",
		 "na\xc3\xafve %zz.txt%2", ""},
		{"attachment; filename=plain.txt; filename*=utf-8'de'real%2eexe", "", "real.exe",
		 "plain.txt"},
		{"attachment; filename*=\"UTF-8''quoted\"", "", "quoted", ""},
		{"attachment; filename*=no-charset", "", "no-charset", ""},
		{"attachment; filename*0=\"a b\"; filename*1*=%20c; filename*2=.txt", "",
		 "a b c.txt", ""},
		{"attachment; filename*0*=UTF-8''a%20; filename*1=b; filename=c", "", "a b", "c"},
		{"attachment; filename*x=1; filename**=2; filename*=", "", "", ""},
		{"attachment; filename=a; filename=b", "", "a", ""},
		{"form-data; name*=UTF-8''%41", "A", "", ""},
		{"form-data; name=a b ; filename=c d.txt ", "a b", "c d.txt", ""},
		{"form-data; name=\"a\r\n b\"", "a\r\n b", "", ""},
		{";;;=;=x;name", "", "", ""},
		{"", "", "", ""},
	};

	for (size_t i = 0; i < N(table); i++) {
		char body[512];
		struct mime_event ev;
		struct span in;
		int n = snprintf(body, sizeof(body),
				 "--AaB03x\r\nContent-Disposition: %s\r\n\r\nx\r\n--AaB03x--",
				 table[i].disposition);

		begin(form);
		in = span_of(guard_put(&guard, body, (size_t)n, 0), (size_t)n);
		assert_int_equal(mime_next(&mime, &in, true, &counters, &ev), 1);
		assert_int_equal(ev.kind, MIME_EV_BEGIN);
		if (!span_eq(ev.part->filename,
			     span_of(table[i].filename, strlen(table[i].filename))))
			print_error("%s: %.*s\n", table[i].disposition, (int)ev.part->filename.len,
				    (const char *)ev.part->filename.data);
		assert_true(span_eq(ev.part->name, span_of(table[i].name, strlen(table[i].name))));
		assert_true(span_eq(ev.part->filename,
				    span_of(table[i].filename, strlen(table[i].filename))));
		assert_true(span_eq(ev.part->filename_other,
				    span_of(table[i].other, strlen(table[i].other))));
		assert_int_equal(ev.part->has_filename,
				 strstr(table[i].disposition, "ilename") != NULL ||
					 strstr(table[i].disposition, "FileName") != NULL);
		read_all(form, body, (size_t)n);
	}
}

static void test_name_cut(void **state)
{
	char body[4096];
	int n = snprintf(body, sizeof(body),
			 "--AaB03x\r\nContent-Disposition: x; name=abc; filename=");

	memset(body + n, 'y', 3000);
	n += 3000;
	n += snprintf(body + n, sizeof(body) - (size_t)n, "; filename*=z\r\n\r\n1\r\n--AaB03x--");
	begin(form);
	feed((uint8_t *)body, (size_t)n, true);
	assert_int_equal(counters.v[CNT_MIME_NAME_CUT], 1);
	assert_memory_equal(said, "[abc|z||1]", 10);
	assert_int_equal(mime.part.filename_other.len, MIME_TEXT_BYTES - 3 - 1);
}

static void test_boundaries(void **state)
{
	static const struct {
		const char *type, *boundary; // NULL: not multipart
	} table[] = {
		{"multipart/form-data; boundary=abc", "abc"},
		{"Multipart/Mixed;BOUNDARY=\"a b;c\";x=y", "a b;c"},
		{"  multipart/byteranges ; charset=x ; boundary = abc ; y", "abc"},
		{"multipart/form-data; boundary=\r\n abc\r\n", "abc"},
		{"multipart/form-data; boundary=abc, text/plain", "abc"},
		{"multipart/form-data; boundary=\"abc", "abc"},
		{"multipart/form-data boundary=abc", "abc"},
		{"multipart/form-data; xboundary=abc", "abc"},
		{"multipart/form-data; boundary=; boundary=abc", "abc"},
		{"multipart/form-data; boundary=\"----WebKitFormBoundary7MA4YWxkTrZu0gW\"",
		 "----WebKitFormBoundary7MA4YWxkTrZu0gW"},
		{"multipart/form-data; boundary=abc; boundary=def", "abc"},
		{"multipart/form-data; x=\"boundary=no\"; boundary=yes", "yes"},
		{"multipart/form-data", ""},
		{"multipart/form-data; boundary", ""},
		{"multipart/form-data; boundary=", ""},
		{"multipart/form-data; boundary=\"\"", ""},
		{"multipart/form-data; boundary==abc", "=abc"},
		{"multipart", NULL},
		{"text/plain; boundary=abc", NULL},
		{"", NULL},
	};

	for (size_t i = 0; i < N(table); i++) {
		size_t n = strlen(table[i].type);
		struct span type = span_of(guard_put(&guard, table[i].type, n, 0), n);
		int err = mime_begin(&mime, type, &counters);

		memset(&counters, 0, sizeof(counters));
		err = mime_begin(&mime, type, &counters);
		if (table[i].boundary == NULL) {
			assert_int_equal(err, -ENOENT);
			continue;
		}
		if ((err == 0) != (table[i].boundary[0] != '\0'))
			print_error("%s: %d\n", table[i].type, err);
		assert_int_equal(err, table[i].boundary[0] != '\0' ? 0 : -EBADMSG);
		assert_int_equal(counters.v[CNT_MIME_NO_BOUNDARY], err != 0);
		if (err == 0) {
			assert_int_equal(mime.n_boundary, 2 + strlen(table[i].boundary));
			assert_memory_equal(mime.boundary + 2, table[i].boundary,
					    mime.n_boundary - 2u);
		}
	}
}

// As long as is allowed; one byte more is none.
static void test_long_boundary(void **state)
{
	char type[400], body[1400];
	int n, t = snprintf(type, sizeof(type), "multipart/mixed; boundary=");

	memset(type + t, 'b', MIME_BOUNDARY_MAX);
	type[t + MIME_BOUNDARY_MAX] = '\0';
	n = snprintf(body, sizeof(body), "--%s\r\n\r\nx\r\n--%.255s\r\n--%s--", type + t, type + t,
		     type + t);
	read_all(type, body, (size_t)n);
	assert_memory_equal(whole, "[-||x\r\n--bbb", 11);
	assert_true(whole[strlen(whole) - 1] == ']');
	type[t + MIME_BOUNDARY_MAX] = 'b';
	assert_int_equal(
		mime_begin(&mime, span_of(type, (size_t)t + MIME_BOUNDARY_MAX + 1), &counters),
		-EBADMSG);
}

// No more than the boundary and five bytes are kept, whatever comes.
static void test_kept(void **state)
{
	static const char body[] =
		"--AaB03x\r\n\r\nabc\r\n--AaB03x-x\r\n\r\r\n--AaB0\n\n--AaB03x--";
	size_t given = 0, head = 12;

	begin(form);
	for (size_t at = 0; at < sizeof(body) - 1; at++) {
		struct span in = span_of(body + at, 1);
		struct mime_event ev;

		while (mime_next(&mime, &in, false, &counters, &ev) == 1)
			given += ev.kind == MIME_EV_DATA ? ev.data.len : 0;
		if (at >= head && mime.in_part)
			assert_in_range(at + 1 - head - given, 0, strlen("AaB03x") + 5);
	}
	assert_false(mime.in_part);
}

static void encoded(const char *encoding, const char *data, const char *want)
{
	char body[1024];
	const char *at;
	char got[512];
	size_t n = 0;

	snprintf(body, sizeof(body),
		 "--AaB03x\r\nContent-Transfer-Encoding: %s\r\n\r\n%s\r\n--AaB03x--", encoding,
		 data);
	// Joined over all cuts in read_all(): compare the sequences of decoded bytes only, DATA lies between.
	for (size_t size = 1; size < strlen(body); size++) {
		n = 0;
		begin(form);
		for (at = body; *at != '\0';) {
			size_t len = strlen(at) < size ? strlen(at) : size;
			struct span in = span_of(guard_put(&guard, at, len, 0), len);
			struct mime_event ev;

			at += len;
			while (mime_next(&mime, &in, *at == '\0', &counters, &ev) == 1) {
				if (ev.kind != MIME_EV_DECODED)
					continue;
				assert_true(n + ev.data.len < sizeof(got));
				memcpy(got + n, ev.data.data, ev.data.len);
				n += ev.data.len;
			}
		}
		got[n] = '\0';
		if (strcmp(got, want) != 0)
			print_error("%s: %s\n", data, got);
		assert_string_equal(got, want);
	}
}

static void test_transfer_encodings(void **state)
{
	encoded("base64", "aGVsbG8gd29ybGQ=", "hello world");
	encoded("BASE64", "aGVs\r\nbG8g\r\n d29y*bGQ", "hello world");
	encoded("base64", "aGk=aGk=aGkh", "hihihi!");
	encoded("base64", "a", "");
	encoded("base64", "", "");
	encoded("base64", "Pz8_-_8", "???\xfb\xff");
	encoded("quoted-printable", "a=3Db=\r\nc=\nd=e9=zz==", "a=bcd\xe9=zz==");
	encoded("Quoted-Printable", "=4", "=4");
	encoded("quoted-printable", "=4=41=\rx=", "=4A=\rx=");
	encoded("8bit", "a=3D", "");
}

// Longer than one piece of output.
static void test_transfer_long(void **state)
{
	static char body[40000];
	int n = snprintf(body, sizeof(body),
			 "--AaB03x\r\nContent-Transfer-Encoding: base64\r\n\r\n");
	struct span in;
	struct mime_event ev;
	size_t data = 0, decoded = 0;

	for (; n < 39000; n += 4)
		memcpy(body + n, "YWJj", 4);
	n += snprintf(body + n, 100, "\r\n--AaB03x--");
	begin(form);
	in = span_of(body, (size_t)n);
	while (mime_next(&mime, &in, true, &counters, &ev) == 1) {
		if (ev.kind == MIME_EV_DATA)
			data += ev.data.len;
		if (ev.kind != MIME_EV_DECODED)
			continue;
		assert_true(ev.data.len <= MIME_OUT_BYTES);
		for (size_t i = 0; i < ev.data.len; i++, decoded++)
			assert_int_equal(ev.data.data[i], "abc"[decoded % 3]);
	}
	assert_int_equal(decoded, data / 4 * 3);
}

static void test_gap(void **state)
{
	static const char *const pieces[] = {"--AaB03x\r\n\r\nabc\r\n--Aa",
					     "B03x\r\nd\r\n--AaB03x\r\nName",
					     ": x\r\n\r\ne\r\n--AaB03x\r\n\r\nf\r\n--AaB03x--"};

	begin(form);
	for (size_t i = 0; i < N(pieces); i++) {
		if (i > 0)
			mime_gap(&mime);
		feed((const uint8_t *)pieces[i], strlen(pieces[i]), false);
	}
	finish();
	assert_string_equal(said, "[-||abcB03x\r\nd]<: x\r\n\r\ne>[-||f]");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_form),          cmocka_unit_test(test_outside),
		cmocka_unit_test(test_line_ends),     cmocka_unit_test(test_near),
		cmocka_unit_test(test_ends_early),    cmocka_unit_test(test_heads),
		cmocka_unit_test(test_too_long),      cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_names),         cmocka_unit_test(test_name_cut),
		cmocka_unit_test(test_boundaries),    cmocka_unit_test(test_long_boundary),
		cmocka_unit_test(test_kept),          cmocka_unit_test(test_transfer_encodings),
		cmocka_unit_test(test_transfer_long), cmocka_unit_test(test_gap),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

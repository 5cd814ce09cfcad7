// SPDX-License-Identifier: BSD-2-Clause
// The rule language beyond contents and pcres: sizes, numbers, variables. Rule text -> image -> verdict on a buffer, the same in
// bodies through the whole pipeline at every split, and what is refused.
#include "tests/unit/pipekit.h"

#include "dataplane/engine/eval.h"
#include "tests/unit/guard.h"

static struct guard guard;

static int setup(void **state)
{
	guard_init(&guard, 1 << 16);
	return 0;
}

static int teardown(void **state)
{
	guard_done(&guard);
	return 0;
}

// ---- one buffer ----

// A rule on http.uri, and whether it holds on a buffer.
struct buffer_case {
	const char *options;
	struct span buffer;
	bool holds;
};

#define B(text)                                                                                    \
	{                                                                                          \
		(const uint8_t *)(text), sizeof(text) - 1                                          \
	}

static const struct buffer_case buffers[] = {
	// bsize
	{"bsize:3;", B("abc"), true},
	{"bsize:3;", B("abcd"), false},
	{"bsize:=3;", B("abc"), true},
	{"bsize:0x3;", B("abc"), true},
	{"bsize:!3;", B("abc"), false},
	{"bsize:!3;", B("ab"), true},
	{"bsize:<3;", B("ab"), true},
	{"bsize:<3;", B("abc"), false},
	{"bsize:<=3;", B("abc"), true},
	{"bsize:>3;", B("abcd"), true},
	{"bsize:>3;", B("abc"), false},
	{"bsize: >= 3;", B("abc"), true},
	{"bsize:2<>5;", B("ab"), false},
	{"bsize:2<>5;", B("abc"), true},
	{"bsize:2<>5;", B("abcd"), true},
	{"bsize:2<>5;", B("abcde"), false},
	{"bsize:2-5;", B("abcd"), true},
	{"bsize:!2-5;", B("abcd"), false},
	{"bsize:!2-5;", B("ab"), true},
	{"bsize:!2-5;", B("abcde"), true},
	{"bsize:<1kb;", B("abc"), true},
	{"bsize:>1KB;", B("abc"), false},
	{"content:\"a\"; bsize:1;", B("a"), true},
	{"content:\"a\"; bsize:1;", B("ba"), false},
	{"content:\"a\"; bsize:>2; content:\"b\"; distance:0;", B("bab"),
	 true}, // a size has no position
	{"content:\"a\"; bsize:>2; content:\"b\"; distance:1; within:1;", B("ab.a.b"), true},
	// urilen
	{"urilen:3; content:\"a\";", B("/ab"), true},
	{"urilen:3; content:\"a\";", B("/abc"), false},
	{"urilen:2<>4,norm; content:\"a\";", B("/ab"), true},
	{"urilen: >2 , norm; content:\"a\";", B("/ab"), true},
	// isdataat
	{"isdataat:7;", B("abcdefgh"), true},
	{"isdataat:8;", B("abcdefgh"), false},
	{"isdataat:!8;", B("abcdefgh"), true},
	{"isdataat:!7;", B("abcdefgh"), false},
	{"isdataat:8,relative;", B("abcdefgh"), true},
	{"isdataat:9,relative;", B("abcdefgh"), false},
	{"content:\"c\"; isdataat:5,relative;", B("abcdefgh"), true},
	{"content:\"c\"; isdataat:6,relative;", B("abcdefgh"), false},
	{"content:\"c\"; isdataat:6 , relative, rawbytes;", B("abcdefgh"), false},
	{"content:\"c\"; isdataat:!1,relative;", B("abc"), true},
	{"content:\"c\"; isdataat:!1,relative;", B("abcd"), false},
	{"content:\"c\"; isdataat:!1,relative;", B("cabc"), true}, // a later one is the last
	{"content:\"c\"; isdataat:2,relative; content:\"d\"; distance:0; within:1;", B("c.cd."),
	 true},
	{"content:\"c\"; isdataat:3,relative; content:\"d\"; distance:0; within:1;", B("c.cd."),
	 false},
	{"pcre:\"/c+/\"; isdataat:!1,relative;", B("ccabcc"), true},
	// byte_test
	{"byte_test:1,=,0x41,0;", B("ABC"), true},
	{"byte_test:1,=,66,0;", B("ABC"), false},
	{"byte_test:1,=,66,1;", B("ABC"), true},
	{"byte_test:2,=,0x4142,0;", B("ABC"), true},
	{"byte_test:2,=,0x4142,0,big;", B("ABC"), true},
	{"byte_test:2,=,0x4241,0,little;", B("ABC"), true},
	{"byte_test:3,=,0x414243,0;", B("ABC"), true},
	{"byte_test:4,>,0,0;", B("ABC"), false}, // it is not there
	{"byte_test:4,!>,0,0;", B("ABC"), false},
	{"byte_test:1,>,0,3;", B("ABC"), false},
	{"byte_test:8,=,0x4142434445464748,0;", B("ABCDEFGH"), true},
	{"byte_test:8,=,0x4847464544434241,0,little;", B("ABCDEFGH"), true},
	{"byte_test:1,!=,66,0;", B("ABC"), true},
	{"byte_test:1,!,66,0;", B("ABC"), true},
	{"byte_test:1,!,65,0;", B("ABC"), false},
	{"byte_test:1,<,66,0;", B("ABC"), true},
	{"byte_test:1,!<,66,0;", B("ABC"), false},
	{"byte_test:1,<=,65,0;", B("ABC"), true},
	{"byte_test:1,>=,66,0;", B("ABC"), false},
	{"byte_test:1,&,0x01,0;", B("ABC"), true},
	{"byte_test:1,&,0x02,0;", B("ABC"), false},
	{"byte_test:1,!&,0x02,0;", B("ABC"), true},
	{"byte_test:1,^,0x41,0;", B("ABC"), false},
	{"byte_test:1,^,0x40,0;", B("ABC"), true},
	{"byte_test:2,=,0x14,0,bitmask 0x0ff0;", B("AB"), true},
	{"byte_test:1,=,0,0,bitmask 0x80;", B("AB"), true},
	{"content:\"A\"; byte_test:1,=,0x42,0,relative;", B("xAB"), true},
	{"content:\"A\"; byte_test:1,=,0x41,-1,relative;", B("xAB"), true},
	{"content:\"A\"; byte_test:1,=,0x41,-3,relative;", B("xAB"), false},
	{"content:\"A\"; byte_test:1,=,0x43,0,relative;", B("ABAC"), true}, // a later one
	{"content:\"A\"; byte_test:1,=,0x43,0,relative; content:\"D\"; distance:1; within:1;",
	 B("ABACD"), true},
	// ...in text
	{"byte_test:4,=,1337,0,string,dec;", B("1337"), true},
	{"byte_test:3,=,133,0,string,dec;", B("1337"), true},
	{"byte_test:5,=,1337,0,string,dec;", B("1337"), false},
	{"byte_test:0,=,1337,0,string,dec;", B("1337"), true},
	{"byte_test:0,>,1000,0,string,dec;", B("1337 bytes"), true},
	{"byte_test:0,>,2000,0,string,dec;", B("1337 bytes"), false},
	{"byte_test:4,=,0x1f,0,string,hex;", B("1F;x"), true},
	{"byte_test:4,=,0x1f,0,string,hex;", B("0x1f"), true},
	{"byte_test:2,=,0,0,string,hex;", B("0x"), true},
	{"byte_test:3,=,15,0,string,oct;", B("017"), true},
	{"byte_test:3,=,1,0,string,oct;", B("018"), true},
	{"byte_test:3,=,7,0,string,dec;", B(" 7 "), true},
	{"byte_test:2,=,0xffffffffffffffff,0,string,dec;", B("-1"), true},
	{"byte_test:2,>=,0,0,string,dec;", B("xy"), false}, // no number
	{"byte_test:2,>=,0,0,string,dec;", B("  "), false},
	{"byte_test:20,=,18446744073709551615,0,string,dec;", B("18446744073709551615"), true},
	{"byte_test:20,>=,0,0,string,dec;", B("18446744073709551616"), false}, // no 64-bit number
	// byte_jump
	{"byte_jump:1,0; content:\"X\"; distance:0; within:1;", B("\x02..X"), true},
	{"byte_jump:1,0; content:\"X\"; distance:0; within:1;", B("\x02.X."), false},
	{"byte_jump:1,0; isdataat:!1,relative;", B("\x02.."), true}, // to the end
	{"byte_jump:1,0;", B("\x03.."), false},                      // beyond
	{"byte_jump:1,1; content:\"X\"; within:1;", B(".\x01.X"), true},
	{"byte_jump:2,0,little; content:\"X\"; within:1;", B("\x01\x00.X"), true},
	{"byte_jump:2,0,big; content:\"X\"; within:1;", B("\x01\x00.X"), false},
	{"byte_jump:1,0; byte_jump:1,0,relative; content:\"X\"; within:1;", B("\x01.\x02..X"),
	 true},
	{"byte_jump:1,0,multiplier 2; content:\"X\"; within:1;", B("\x02....X"), true},
	{"byte_jump:1,0,align; content:\"X\"; within:1;", B("\x01....X"), true},
	{"byte_jump:1,0,align; content:\"X\"; within:1;", B("\x04....X"), true},
	{"byte_jump:1,0,post_offset 1; content:\"X\"; within:1;", B("\x01..X"), true},
	{"byte_jump:1,0,post_offset -1; content:\"X\"; within:1;", B("\x02.X"), true},
	{"byte_jump:1,0,post_offset -9; content:\"\x01\"; within:1;", B("\x01.X"),
	 true}, // to the start
	{"byte_jump:1,2,from_beginning; content:\"X\"; within:1;", B(".X\x01"), true},
	{"byte_jump:0,0,from_end,post_offset -2; content:\"X\"; within:1;", B("...X."), true},
	{"byte_jump:0,0,from_end,post_offset -2; content:\"X\"; within:1;", B("..X.."), false},
	{"byte_jump:1,0,bitmask 0xf0; content:\"X\"; within:1;", B("\x1f.X"), true},
	{"byte_jump:2,0,string,dec; content:\"X\"; within:1;", B("02..X"), true},
	{"byte_jump:2,0,string,dec; content:\"X\"; within:1;", B("2...X"),
	 false}, // one digit: counted from behind it
	{"byte_jump:2,0,string,dec; content:\"X\"; within:1;", B("2..X"), true},
	{"content:\"n\"; byte_jump:1,0,relative; content:\"X\"; within:1;", B("n\x01.on\x01.X"),
	 true},
	{"byte_jump:8,0;", B("\xff\xff\xff\xff\xff\xff\xff\xff"), true}, // -1
	{"byte_jump:8,0;", B("\x7f\xff\xff\xff\xff\xff\xff\xff"), false},
	// byte_extract and where its variable stands
	{"byte_extract:1,0,v; content:\"X\"; offset:v;", B("\x02.X"), true},
	{"byte_extract:1,0,v; content:\"X\"; offset:v;", B("\x03.X"), false},
	{"byte_extract:1,0,v; content:\"X\"; depth:v;", B("\x03.X"), true},
	{"byte_extract:1,0,v; content:\"X\"; depth:v;", B("\x02.X"), false},
	{"byte_extract:1,0,v; content:\"X\"; distance:v; within:1;", B("\x02..X"), true},
	{"byte_extract:1,0,v; content:\"X\"; distance:0; within:v;", B("\x02.X."), true},
	{"byte_extract:1,0,v; content:\"X\"; distance:0; within:v;", B("\x02..X"), false},
	{"byte_extract:1,0,v; isdataat:v;", B("\x02.."), true},
	{"byte_extract:1,0,v; isdataat:v;", B("\x03.."), false},
	{"byte_extract:1,0,v; isdataat:!v,relative;", B("\x03.."), true},
	{"byte_extract:1,0,v; byte_test:1,=,v,1;", B("\x03\x03"), true},
	{"byte_extract:1,0,v; byte_test:1,=,3,v;", B("\x02.\x03"), true},
	{"byte_extract:1,0,v; byte_test:v,=,0x0304,1;", B("\x02\x03\x04"), true},
	{"byte_extract:1,0,v; byte_test:v,=,3,1;", B("\x09.........."),
	 false}, // nine bytes are no number
	{"byte_extract:1,0,v; byte_jump:1,v; content:\"X\"; within:1;", B("\x02.\x01.X"), true},
	{"byte_extract:1,0,v,multiplier 2; content:\"X\"; offset:v; depth:1;", B("\x02...X"), true},
	{"byte_extract:1,0,v,align 4; content:\"X\"; offset:v; depth:1;", B("\x02...X"), true},
	{"byte_extract:1,0,v,align 2; content:\"X\"; offset:v; depth:1;", B("\x03...X"), true},
	{"byte_extract:2,0,v,string,dec; content:\"X\"; offset:v; depth:1;", B("05...X"), true},
	{"byte_extract:8,0,v; content:\"X\"; offset:v;", B("\xff\xff\xff\xff\xff\xff\xff\xffX"),
	 false},
	{"byte_extract:8,0,v; isdataat:!v;", B("\xff\xff\xff\xff\xff\xff\xff\xffX"), true},
	{"content:\"n\"; byte_extract:1,0,v,relative; content:\"X\"; distance:v; within:1;",
	 B("n\x09n\x01.X"), true},
	{"content:\"n\"; byte_extract:1,0,v,relative; content:\"X\"; offset:v; depth:1;",
	 B("n\x09n\x05.X"), true},
	{"byte_extract:1,0,a; byte_extract:1,0,b,relative; byte_test:1,=,a,2; byte_test:1,=,b,3;",
	 B("\x01\x02\x01\x02"), true},
	// byte_math
	{"byte_math:bytes 1, offset 0, oper +, rvalue 2, result r; content:\"X\"; offset:r; "
	 "depth:1;",
	 B("\x01..X"), true},
	{"byte_math:bytes 1, offset 0, oper -, rvalue 2, result r; content:\"X\"; offset:r; "
	 "depth:1;",
	 B("\x05..X"), true},
	{"byte_math:bytes 1, offset 0, oper *, rvalue 2, result r; content:\"X\"; offset:r; "
	 "depth:1;",
	 B("\x02...X"), true},
	{"byte_math:bytes 1, offset 0, oper /, rvalue 2, result r; content:\"X\"; offset:r; "
	 "depth:1;",
	 B("\x06..X"), true},
	{"byte_math:bytes 1, offset 0, oper <<, rvalue 1, result r; content:\"X\"; offset:r; "
	 "depth:1;",
	 B("\x02...X"), true},
	{"byte_math:bytes 1, offset 0, oper >>, rvalue 1, result r; content:\"X\"; offset:r; "
	 "depth:1;",
	 B("\x04.X"), true},
	{"byte_math:bytes 1, offset 0, oper <<, rvalue 64, result r; byte_test:1,=,r,1;",
	 B("\xff\x00"), true},
	{"byte_extract:1,0,v; byte_math:bytes 1, offset 1, oper /, rvalue v, result r;",
	 B("\x00\x01"), false},
	{"byte_extract:1,0,v; byte_math:bytes 1, offset 1, oper +, rvalue v, result r; "
	 "byte_test:1,=,r,2;",
	 B("\x02\x03\x05"), true},
	{"content:\"n\"; byte_math:bytes 1, offset 0, oper +, rvalue 1, result r, relative; "
	 "content:\"X\"; distance:r; within:1;",
	 B("n\x01..X"), true},
	{"byte_math:bytes 2, offset 0, oper +, rvalue 0, result r, endian little; "
	 "byte_test:1,=,r,2;",
	 B("\x02\x00\x02"), true},
	{"byte_math:bytes 2, offset 0, oper +, rvalue 1, result r, string hex; byte_test:1,=,r,2;",
	 B("1f\x20"), true},
	{"byte_math:bytes 1, offset 0, oper +, rvalue 0, result r, bitmask 0xf0; "
	 "byte_test:1,=,r,1;",
	 B("\x23\x02"), true},
	// transforms
	{"dotprefix; content:\".abc\"; startswith;", B("abc"), true},
	{"dotprefix; content:\".abc\"; endswith;", B("x.abc"), true},
	{"dotprefix; content:\".abc\"; endswith;", B("xabc"), false},
	{"dotprefix; bsize:4;", B("abc"), true},
	{"to_lowercase; content:\"abc[\";", B("ABC["), true},
	{"to_lowercase; content:\"abc{\";", B("ABC["), false},
	{"to_lowercase; content:!\"abc\";", B("ABC"), false},
	{"to_uppercase; content:\"ABC{\";", B("abc{"), true},
	{"to_uppercase; content:\"ABC[\";", B("abc{"), false},
	{"strip_whitespace; content:\"abc\"; bsize:3;", B(" a\t\rb\n\v\f c "), true},
	{"strip_whitespace; content:\"a|00|c\";", B("a \0 c"), true},
	{"strip_whitespace; content:\"a\";", B("  "), false}, // nothing left
	{"strip_whitespace; content:!\"a\";", B("  "), false},
	{"compress_whitespace; content:\"a b c\"; bsize:5;", B("a \t b \r\nc"), true},
	{"compress_whitespace; content:\"|09|a|0a|\"; bsize:3;", B("\t\ta\n "), true},
	{"url_decode; content:\"a b/c\"; bsize:5;", B("a+b%2fc"), true},
	{"url_decode; content:\"a b/c\"; bsize:5;", B("a%20b%2Fc"), true},
	{"url_decode; content:\"%2\"; endswith;", B("a%2"), true},
	{"url_decode; content:\"%zz%\"; startswith; endswith;", B("%zz%"), true},
	{"url_decode; content:\"%u0041\";", B("%u0041"), true},
	{"url_decode; content:\"%41\"; bsize:3;", B("%2541"), true}, // once
	{"url_decode; url_decode; content:\"A\"; bsize:1;", B("%2541"), true},
	{"to_md5; content:\"|90 01 50 98 3c d2 4f b0 d6 96 3f 7d 28 e1 7f 72|\"; bsize:16;",
	 B("abc"), true},
	{"to_sha1; content:\"|a9 99 3e 36 47 06 81 6a ba 3e 25 71 78 50 c2 6c 9c d0 d8 9d|\"; "
	 "bsize:20;",
	 B("abc"), true},
	{"to_sha256; content:\"|ba 78 16 bf 8f 01 cf ea|\"; startswith; bsize:32;", B("abc"), true},
	{"to_sha256; content:\"|ba 78 16 bf|\"; startswith;", B("abd"), false},
	{"to_lowercase; to_md5; content:\"|90 01 50 98|\"; startswith;", B("ABC"), true},
	{"to_md5; to_lowercase; content:\"|90 01 70 98|\"; startswith;", B("abc"),
	 true}, // |50| is a "P"
	{"header_lowercase; content:\"host: ABC|0d 0a|accept: X:Y\";",
	 B("Host: ABC\r\nACCEPT: X:Y"), true},
	{"header_lowercase; content:\"host: abc\";", B("Host: ABC\r\n"), false},
	{"pcrexform:\"id=([0-9]+)\"; content:\"12\"; startswith; endswith;", B("/?id=12&x=3"),
	 true},
	{"pcrexform:\"id=([0-9]+)\"; content:\"2\"; startswith;", B("/?id=12&x=3"), false},
	{"pcrexform:\"(a)|(b)|(c)\"; content:\"a\"; bsize:1;", B("xa"), true},
	{"pcrexform:\"(a)|(b)|(c)\"; content:!\"a\";", B("xc"),
	 false}, // another group: nothing left
	{"pcrexform:\"id=([0-9]+)\"; content:!\"x\";", B("/"), false},
	{"pcrexform:\"^(.*)$\"; dotprefix; content:\".x\"; startswith;", B("x"), true},
	// base64
	{"content:\"somestring\"; base64_decode:bytes 8, offset 1, relative; base64_data; "
	 "content:\"test\";",
	 B("/en/somestring&dGVzdAo=&not_base64"), true},
	{"content:\"somestring\"; base64_decode:bytes 4, offset 1, relative; base64_data; "
	 "content:\"test\";",
	 B("/en/somestring&dGVzdAo=&not_base64"), false},
	{"base64_decode; base64_data; content:\"test|0a|\"; startswith; endswith;", B("dGVzdAo="),
	 true},
	{"base64_decode:offset 2; base64_data; content:\"test\"; startswith;", B("xxdGVzdAo="),
	 true},
	{"base64_decode; base64_data; content:\"tes\"; bsize:3;", B("dGVz-dAo="),
	 true}, // up to what is not base64
	{"base64_decode; base64_data; content:\"t\"; bsize:1;", B("dA"), true}, // without padding
	{"base64_decode; base64_data; content:\"t\";", B("-dA"), false},
	{"base64_decode; base64_data; content:!\"t\";", B("----"), false}, // nothing decoded
	{"base64_decode; base64_data; content:!\"x\";", B("dGVz"), true},
	{"base64_decode; base64_data; content:\"t\"; content:\"s\"; distance:1; within:1;",
	 B("dGVz"), true},
	{"base64_decode; base64_data; pcre:\"/^t.s$/\";", B("dGVz"), true},
	{"base64_decode; base64_data; pcre:\"/^t.s$/\"; content:\"s\"; isdataat:!1,relative;",
	 B("dGVz"), true},
	{"base64_decode; base64_data; byte_extract:1,0,v; byte_test:1,=,v,1;", B("dHR0"), true},
	{"content:\"=\"; base64_decode:relative; base64_data; content:\"tes\";", B("a=b=dGVz"),
	 true}, // a later one
	{"content:\"d\"; base64_decode:relative; content:\"z\"; distance:3; within:1; base64_data; "
	 "content:\"!\";",
	 B("dISEz"), true},
	{"content:\"dG\"; startswith; base64_decode; base64_data; content:\"dG\";", B("dGVz"),
	 false},
	{"to_lowercase; content:\"x\"; base64_decode:offset 1; base64_data; content:\"|69|\";",
	 B("XAAAA"), true},
};

static void test_buffers(void **state)
{
	unsigned int failures = 0;

	for (size_t i = 0; i < KIT_N(buffers); i++) {
		const struct buffer_case *c = &buffers[i];
		struct counters counters = {0};
		char rule[600];
		struct ruleset *rs;
		const uint8_t *at;
		bool holds;

		snprintf(rule, sizeof(rule), "alert http any any -> any any (http.uri; %s sid:1;)",
			 c->options);
		rs = kit_ruleset(rule, 1, NULL);
		at = guard_put(&guard, c->buffer.data, c->buffer.len, 0);
		assert_int_equal(rs->rules[0].n_conds, 1);
		holds = eval_cond(rs, &rs->w[0], &rs->conds[0], span_of(at, c->buffer.len),
				  &counters);
		if (holds != c->holds) {
			print_error("%s: %s\n", c->options, holds ? "holds" : "does not hold");
			failures++;
		}
		if (eval_cond(rs, &rs->w[0], &rs->conds[0], SPAN_NONE, &counters))
			fail_msg("%s: holds on nothing", c->options);
		assert_int_equal(counters.v[CNT_EVAL_LIMIT], 0);
		ruleset_free(rs);
	}
	assert_int_equal(failures, 0);
}

// ---- bodies, through the pipeline ----

struct body_case {
	const char *name;
	const char *rules; // sids 1...
	const char *body;
	size_t before;    // so many dots before the body
	const char *want; // sids that hit
};

#define RULE(n, options) "alert http any any -> any any (" options " sid:" #n ";)\n"
#define BODY(n, options) RULE(n, "http.request_body; " options)

static const struct body_case bodies[] = {
	{"bsize",
	 BODY(1, "content:\"ab\"; bsize:4;") BODY(2, "content:\"ab\"; bsize:3;")
		 BODY(3, "content:\"ab\"; bsize:>3;") BODY(4, "content:\"ab\"; bsize:<5;"),
	 ".ab.", 0, "1 3 4"},
	{"bsize of a body without a content",
	 BODY(1, "bsize:4;") BODY(2, "bsize:>4;") BODY(3, "bsize:>0;"), "abcd", 0, "1 3"},
	{"bsize of a body and a head",
	 RULE(1, "http.method; content:\"POST\"; http.request_body; bsize:4;")
		 RULE(2, "http.method; content:\"GET\"; http.request_body; bsize:4;"),
	 "abcd", 0, "1"},
	{"urilen and a body",
	 RULE(1, "urilen:2; http.request_body; content:\"abcd\";")
		 RULE(2, "urilen:3; http.request_body; content:\"abcd\";") RULE(3, "urilen:2;")
			 RULE(4, "urilen:<2;"),
	 "abcd", 0, "1 3"},
	{"urilen does not end the buffer before it",
	 RULE(1, "http.method; urilen:2; content:\"POST\";"), "abcd", 0, "1"},
	{"normalized and raw",
	 RULE(1, "http.uri; content:\"/p\"; urilen:2;") RULE(2, "urilen:2,raw;")
		 RULE(3, "urilen:3,norm;"),
	 "x", 0, "1 2"},
	{"isdataat",
	 BODY(1, "content:\"ab\"; isdataat:2,relative;")
		 BODY(2, "content:\"ab\"; isdataat:3,relative;")
			 BODY(3, "content:\"ab\"; isdataat:!1,relative;")
				 BODY(4, "content:\"ab\"; isdataat:!3,relative;"),
	 "..ab..", 0, "1 4"},
	{"isdataat at the end", BODY(1, "content:\"ab\"; isdataat:!1,relative;"), "ab..ab", 0, "1"},
	{"a number in a body",
	 BODY(1, "content:\"n=\"; byte_test:0,>,100,0,relative,string,dec;")
		 BODY(2, "content:\"n=\"; byte_test:0,>,200,0,relative,string,dec;")
			 BODY(3, "content:\"n=\"; byte_test:1,=,0x31,0,relative;")
				 BODY(4, "byte_test:1,=,0x2e,0;") BODY(5, "byte_test:1,=,0x2e,1;"),
	 ".n=123;", 0, "1 3 4"},
	{"a jump in a body",
	 BODY(1, "content:\"n=\"; byte_jump:1,0,relative,string,dec; content:\"X\"; within:1;"),
	 ".n=3...X", 0, "1"},
	{"a variable in a body",
	 BODY(1, "content:\"n=\"; byte_extract:1,0,v,relative,string,dec; content:\"X\"; "
		 "distance:v; within:1;")
		 BODY(2, "content:\"n=\"; byte_extract:1,0,v,relative,string,dec; content:\"Y\"; "
			 "distance:v; within:1;"),
	 ".n=3...X", 0, "1"},
	{"transforms in a body",
	 BODY(1, "url_decode; content:\"/etc/passwd\";") BODY(2, "content:\"/etc/passwd\";")
		 BODY(3, "strip_whitespace; content:\"/etc/passwdX\";") RULE(
			 4, "http.uri; content:\"/p\"; http.request_body; url_decode; "
			    "to_uppercase; content:\"/ETC\";")
			 RULE(5, "http.uri; content:\"/q\"; http.request_body; url_decode; "
				 "content:\"/etc\";")
				 BODY(6, "to_sha1; content:\"|00|\"; startswith; content:\"|00|\"; "
					 "distance:0; within:1;") BODY(7, "to_sha256; bsize:32;")
					 BODY(8, "content:\"%2fetc\"; http.request_body; "
						 "url_decode; content:\"/etc\";"),
	 "a=%2fetc%2Fpasswd", 0, "1 4 7 8"},
	{"base64 in a body",
	 BODY(1, "content:\"k=\"; base64_decode:relative; base64_data; content:\"test\";")
		 BODY(2, "content:\"k=\"; base64_decode:relative; base64_data; content:\"tesx\";")
			 BODY(3, "content:\"k=\"; base64_decode:relative; base64_data; "
				 "content:!\"x\"; http.uri; content:\"/p\";"),
	 "..k=dGVzdAo=..", 0, "1 3"},
	{"the head, transformed",
	 RULE(1, "http.uri; to_uppercase; content:\"/P\";") RULE(2, "http.uri; content:\"/P\";")
		 RULE(3, "http.uri; to_uppercase; content:\"/P\"; http.uri; content:\"/p\"; "
			 "http.request_body; content:\"x\";")
			 RULE(4, "http.host; dotprefix; content:\".h\"; endswith;"),
	 "x", 0, "1 3 4"},
	{"transforms far in a body",
	 BODY(1, "to_uppercase; content:\"AB12\";") BODY(
		 2, "strip_whitespace; content:\"ab1\"; content:\"2\"; distance:0; within:1;")
		 BODY(3, "content:\"ab\"; base64_decode:relative; base64_data; content:\"|d7|\";"),
	 "ab12", 300000, "1 2 3"},
	{"far in a body",
	 BODY(1, "content:\"ab\"; isdataat:2,relative;")
		 BODY(2, "content:\"ab\"; byte_test:1,=,0x31,0,relative;")
			 BODY(3, "content:\"ab\"; isdataat:!3,relative;") BODY(4, "bsize:>60000;")
				 BODY(5, "bsize:<60000;")
					 BODY(6, "content:\"ab\"; byte_test:1,=,0x32,0,relative;"),
	 "ab12", 300000, "1 2 3 4"},
};

static void hits_of(struct kit *k, char *ret_text, size_t size)
{
	bool hit[100] = {0};
	size_t n = 0;

	for (uint32_t i = 0; i < k->n_hits; i++) {
		assert_true(k->hits[i].sid < KIT_N(hit));
		assert_false(hit[k->hits[i].sid]); // once per message
		hit[k->hits[i].sid] = true;
	}
	ret_text[0] = '\0';
	for (uint32_t i = 0; i < KIT_N(hit); i++)
		if (hit[i])
			n += (size_t)snprintf(ret_text + n, size - n, "%s%u", n > 0 ? " " : "", i);
}

static bool body_run(struct ruleset *rs, const struct body_case *c, struct span text, size_t cut)
{
	struct pipeline_conf conf = kit_conf();
	struct kit_list l = {0};
	struct kit k;
	char got[300];

	kit_init(&k, &conf, rs);
	kit_open(&l, 5, 6);
	kit_data(&l, 0, span_first(text, cut), 1400, NULL);
	kit_data(&l, 0, span_from(text, cut), 1400, NULL);
	kit_feed(&k, l.v, l.n, 8);
	kit_flush(&k);
	hits_of(&k, got, sizeof(got));
	kit_done(&k);
	free(l.v);
	if (strcmp(got, c->want) == 0)
		return true;
	print_error("%s, cut at %zu: \"%s\" instead of \"%s\"\n", c->name, cut, got, c->want);
	return false;
}

static void test_bodies(void **state)
{
	unsigned int failures = 0;

	for (size_t i = 0; i < KIT_N(bodies); i++) {
		const struct body_case *c = &bodies[i];
		struct ruleset *rs = kit_ruleset(c->rules, 1, NULL);
		char *text = malloc(c->before + strlen(c->body) + 200);
		size_t n, step = c->before > 0 ? 50021 : 1;

		assert_non_null(text);
		n = (size_t)sprintf(text,
				    "POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: %zu\r\n\r\n",
				    c->before + strlen(c->body));
		memset(text + n, '.', c->before);
		n += c->before;
		n += (size_t)sprintf(text + n, "%s", c->body);
		for (size_t cut = 0; cut < n && failures < 20; cut += step)
			failures += !body_run(rs, c, span_of(text, n), cut);
		free(text);
		ruleset_free(rs);
	}
	assert_int_equal(failures, 0);
}

// ---- refused ----

static const struct {
	const char *options, *why;
} refused[] = {
	{"bsize:3;", "bsize needs a buffer before it"},
	{"pkt_data; bsize:3;", "bsize needs a buffer before it"},
	{"http.uri; bsize:x;", "bsize:x is not a size"},
	{"http.uri; bsize:-1;", "is not a size"},
	{"http.uri; bsize:5<>2;", "is not a size"},
	{"http.uri; bsize:5<>6;", "is not a size"}, // nothing between
	{"http.uri; bsize:<2<>5;", "is not a size"},
	{"http.uri; bsize:0x;", "is not a size"},
	{"http.uri; bsize:99999999999999999999;", "is not a size"},
	{"http.uri; bsize:9gb;", "is not a size"},
	{"http.uri; content:\"abcdefgh123456\"; bsize:2;", "it can never match"},
	{"http.uri; content:\"abcdefgh123456\"; bsize:<13;", "it can never match"},
	{"http.uri; content:\"abcdefgh123456\"; bsize:<14;", "it can never match"},
	{"http.uri; content:\"abc\"; offset:12; bsize:3;", "needs 15: it can never match"},
	{"http.uri; bsize:1<>4; content:\"abcd\";", "it can never match"},
	{"urilen:2; http.uri; content:\"abc\";", "it can never match"},
	{"urilen:65536;", "is not a size"},
	{"urilen:3,big;", "\"big\" is not a kind of URI"},
	{"http.method; urilen:2;", "not followed by"},
	{"flow:to_client; urilen:2;", "is in requests but flow says to_client"},
	{"http.uri; isdataat:x;", "\"x\" is not a number from 0 to 65535, nor a variable"},
	{"http.uri; isdataat:1,relativ;", "neither relative nor rawbytes"},
	{"http.uri; isdataat:65536;", "not a number"},
	{"http.uri; isdataat:!;", "not a number"},
	{"content:\"a\"; isdataat:1,relative; http_uri;",
	 "write it before the keyword that counts"},
	{"http.uri; byte_test:1,=,1;", "write byte_test:BYTES"},
	{"http.uri; byte_test:9,=,1,0;", "from 1 to 8"},
	{"http.uri; byte_test:0,=,1,0;", "from 1 to 8"},
	{"http.uri; byte_test:24,=,1,0,string,oct;", "from 0 to 23"},
	{"http.uri; byte_test:1,~,1,0;", "\"~\" is not an operator"},
	{"http.uri; byte_test:1,=,x,0;", "\"x\" is not a number, nor a variable"},
	{"http.uri; byte_test:1,=,18446744073709551616,0;", "is not a number"},
	{"http.uri; byte_test:1,=,1,-1;", "add relative"},
	{"http.uri; byte_test:1,=,1,0,string;", "go together"},
	{"http.uri; byte_test:1,=,1,0,hex;", "go together"},
	{"http.uri; byte_test:1,=,1,0,string,hex,dec;", "exclude each other"},
	{"http.uri; byte_test:1,=,1,0,string,hex,little;", "no byte order"},
	{"http.uri; byte_test:1,=,1,0,little,big;", "byte order is given twice"},
	{"http.uri; byte_test:1,=,1,0,relative,relative;", "given twice"},
	{"http.uri; byte_test:1,=,1,0,dce;", "DCE/RPC is not inspected"},
	{"http.uri; byte_test:1,=,1,0,bitmask;", "needs a value"},
	{"http.uri; byte_test:1,=,1,0,bitmask 0;", "not a bitmask"},
	{"http.uri; byte_test:1,=,1,0,align;", "unknown option \"align\""},
	{"http.uri; byte_test:1,=,1,0,relative 1;", "takes no value"},
	{"http.uri; byte_jump:1;", "write byte_jump:BYTES"},
	{"http.uri; byte_jump:0,0;", "from 1 to 8"},
	{"http.uri; byte_jump:1,0,from_end,from_beginning;", "exclude each other"},
	{"http.uri; byte_jump:1,0,multiplier 0;", "not a multiplier"},
	{"http.uri; byte_jump:1,0,post_offset x;", "not a number from -65535"},
	{"http.uri; byte_extract:1,0;", "write byte_extract:BYTES"},
	{"http.uri; byte_extract:1,0,9;", "not a name for a variable"},
	{"http.uri; byte_extract:1,0,v; byte_extract:1,1,v;", "made twice"},
	{"http.uri; byte_extract:1,0,v,align 3;", "use 2 or 4"},
	{"http.uri; byte_extract:1,0,v; http.host; content:\"a\"; offset:v;", "known only there"},
	{"http.uri; byte_extract:1,0,v; http.host; content:\"a\"; isdataat:v,relative;",
	 "known only there"},
	{"http.uri; content:\"a\"; offset:v; byte_extract:1,0,v;", "nor a variable made before"},
	{"http.uri; byte_math:bytes 1, offset 0, oper +, rvalue 1;", "write byte_math:bytes"},
	{"http.uri; byte_math:bytes 1, offset 0, oper %, rvalue 1, result r;", "not a calculation"},
	{"http.uri; byte_math:bytes 1, offset 0, oper /, rvalue 0, result r;", "division by 0"},
	{"http.uri; byte_math:bytes 1, offset 0, oper +, rvalue 1, result r, endian dce;",
	 "not a byte order"},
	{"http.uri; byte_math:bytes 1, offset 0, oper +, rvalue 1, result r, string x;",
	 "not a kind of number"},
	{"to_lowercase; content:\"a\";", "stands behind a buffer and before its first content"},
	{"http.uri; content:\"a\"; to_lowercase; content:\"b\";", "stands behind a buffer"},
	{"http.uri; to_lowercase;", "not followed by"},
	{"http.uri; to_lowercase; content:\"A\";", "leaves no such bytes"},
	{"http.uri; to_uppercase; content:\"a\";", "leaves no such bytes"},
	{"http.uri; strip_whitespace; content:\" a\";", "leaves no such bytes"},
	{"http.uri; compress_whitespace; content:\"a  b\";", "leaves no such bytes"},
	{"http.uri; to_md5; to_md5; to_md5; to_md5; to_md5; to_md5; to_md5; to_md5; to_md5; "
	 "content:\"a\";",
	 "more than 8 transforms"},
	{"http.uri; pcrexform:\"abc\"; content:\"a\";", "no group"},
	{"http.uri; pcrexform:\"a(b\"; content:\"a\";", "broken"},
	{"http.uri; pcrexform:abc; content:\"a\";", "write pcrexform"},
	{"http.uri; xor:\"0d0a\"; content:\"a\";", "not supported yet"},
	{"http.uri; base64_data; content:\"a\";", "needs a base64_decode before it"},
	{"http.uri; base64_decode;", "without base64_data"},
	{"http.uri; base64_decode; base64_data;", "not followed by"},
	{"http.uri; base64_decode; base64_decode; base64_data; content:\"a\";", "given twice"},
	{"http.uri; base64_decode:bytes 0; base64_data; content:\"a\";", "none of bytes N"},
	{"http.uri; base64_decode:bytes 65536; base64_data; content:\"a\";", "none of bytes N"},
	{"http.uri; base64_decode:length 3; base64_data; content:\"a\";", "\"length\" is none of"},
	{"http.uri; base64_decode; base64_data; to_lowercase; content:\"a\";",
	 "stands behind a buffer"},
	{"http.uri; base64_decode; base64_data; content:\"a\"; fast_pattern;",
	 "cannot be searched for"},
	{"http.uri; byte_extract:1,0,v; base64_decode; base64_data; content:\"a\"; offset:v;",
	 "known only there"},
	{"http.request_body; bsize:70000;", "no more than 65536 bytes can be counted"},
	{"content:!\"a\"; isdataat:3;", "no literal before it can wake it"},
};

static void on_refused(void *ctx, enum rules_verdict verdict, uint32_t sid, const struct diag *diag)
{
	*(struct diag *)ctx = *diag;
}

static void test_refused(void **state)
{
	for (size_t i = 0; i < KIT_N(refused); i++) {
		struct rules rules = {0};
		struct diag why = {0}, d = {0};
		struct compile_stats stats = {0};
		void *image = NULL;
		uint64_t len;
		char rule[600];

		snprintf(rule, sizeof(rule), "alert http any any -> any any (%s sid:1;)",
			 refused[i].options);
		rules_parse(&rules, "t", rule, strlen(rule), NULL, on_refused, &why);
		assert_int_equal(
			compile_image(&rules, 1, &image, &len, &stats, on_refused, &why, &d), 0);
		if (stats.rules != 0 || strstr(why.text, refused[i].why) == NULL)
			fail_msg("%s\n  wants \"%s\"\n  has \"%s\"", refused[i].options,
				 refused[i].why, why.text);
		assert_string_equal(why.file, "t");
		assert_int_equal(why.line, 1);
		free(image);
		rules_done(&rules);
	}
}

// ---- damaged images ----

static const char damaged[] =
	"alert http any any -> any any (http.uri; bsize:1<>99; content:\"n\"; "
	"byte_extract:1,0,v,relative,string,dec; "
	"content:\"x\"; distance:v; byte_test:2,>,v,0,string,hex; isdataat:!v; sid:1;)\n"
	"alert http any any -> any any (http.uri; byte_jump:1,0,string,dec,multiplier 2,align; "
	"byte_math:bytes 1, offset 0, "
	"oper +, rvalue 3, result r, relative; content:\"x\"; offset:r; sid:2;)\n"
	"alert http any any -> any any (http.uri; to_lowercase; pcrexform:\"n(.*)\"; url_decode; "
	"to_md5; content:\"|00|\"; sid:3;)\n"
	"alert http any any -> any any (http.uri; content:\"n\"; base64_decode:bytes 9,relative; "
	"base64_data; content:\"a\"; "
	"content:\"b\"; distance:0; http.uri; content:\"x\"; flowbits:isset,a|b; xbits:set,c,track "
	"ip_src; "
	"flowint:d,>,e; stream_size:both,<,9; app-layer-event:http.missing_host_header; sid:4;)\n";

// Bits in the records are flipped and the digest made right: refused, or good enough to evaluate with.
static void test_damaged(void **state)
{
	static const enum image_section_id sections[] = {IMAGE_CONDS, IMAGE_MATCHES, IMAGE_NUMBERS,
							 IMAGE_TRANSFORMS, IMAGE_STATE};
	static const char text[] = "/1n2abxYWJj%41dGVz";
	uint64_t len, seed = 77;
	uint8_t *good = kit_image(damaged, NULL, &len);
	unsigned int loaded = 0, refusals = 0;

	for (int round = 0; round < 6000; round++) {
		const struct image_header *h = (const struct image_header *)(const void *)good;
		const struct image_section *s =
			&h->section[sections[kit_below(&seed, KIT_N(sections))]];
		uint8_t *copy = malloc(len);
		struct ruleset *rs = NULL;
		struct diag d = {0};

		assert_non_null(copy);
		assert_true(s->bytes > 0);
		memcpy(copy, good, len);
		for (uint32_t n = 1 + kit_below(&seed, 2); n > 0; n--)
			copy[s->off + kit_below(&seed, (uint32_t)s->bytes)] ^=
				(uint8_t)(1 << kit_below(&seed, 8));
		image_seal(copy, len);
		if (image_check(copy, len, NULL, &d) != 0) {
			assert_string_not_equal(d.text, "");
			refusals++;
		} else if (round % 4 == 0 && ruleset_load(copy, len, NULL, 1, 1, &rs, &d) == 0) {
			const uint8_t *at = guard_put(&guard, text, sizeof(text) - 1, 0);
			struct counters counters = {0};

			for (uint32_t i = 0;
			     i < IMAGE_COUNT(rs->img, struct image_cond, IMAGE_CONDS); i++)
				if (rs->conds[i].n_matches > 0)
					eval_cond(rs, &rs->w[0], &rs->conds[i],
						  span_of(at, sizeof(text) - 1), &counters);
			loaded++;
		}
		ruleset_free(rs);
		free(copy);
	}
	assert_true(loaded > 100 && refusals > 1000);
	free(good);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_buffers),
		cmocka_unit_test(test_bodies),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_damaged),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

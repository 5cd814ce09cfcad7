// SPDX-License-Identifier: BSD-2-Clause
// Rules that are parsed, and what became of them; for tests of rules/parse*.
#ifndef TESTS_PARSEKIT_H
#define TESTS_PARSEKIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <errno.h>
#include <cmocka.h>

#include "common/span.h"
#include "rules/parse.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

struct reports {
	unsigned int n;
	enum rules_verdict verdict[8];
	uint32_t sid[8];
	struct diag diag[8];
};

static inline void report(void *ctx, enum rules_verdict verdict, uint32_t sid,
			  const struct diag *diag)
{
	struct reports *r = ctx;

	if (r->n < N(r->sid)) {
		r->verdict[r->n] = verdict;
		r->sid[r->n] = sid;
		r->diag[r->n] = *diag;
	}
	r->n++;
}

// Parse from a block of exactly len bytes, so that a sanitizer sees a read past its end.
static inline int parse(struct rules *rs, const char *text, size_t len, const struct rule_var *vars,
			struct reports *reports)
{
	char *copy = malloc(len > 0 ? len : 1);
	int ret;

	assert_non_null(copy);
	memcpy(copy, text, len);
	memset(reports, 0, sizeof(*reports));
	ret = rules_parse(rs, "t.rules", copy, len, vars, report, reports);
	free(copy);
	return ret;
}

// Options (without sid) and what their matches are, in order, one per line.
static const struct {
	const char *options, *matches;
} loads[] = {
	{"", ""},
	{"content:\"abc\";", "raw \"abc\"\n"},
	{"content: !\"abc\" ;", "raw !\"abc\"\n"},
	{"content:\"a|0d 0A20|b\";", "raw \"a<0d><0a> b\"\n"},
	{"content:\"\\\"\\;\\:\\\\|3b|\";", "raw \"\";:\\;\"\n"},
	{"content:\"a:b\";", "raw \"a:b\"\n"},
	{"content:\"\xc3\xa4\";", "raw \"<c3><a4>\"\n"},
	{"CONTENT:\"abc\"; NoCase;", "raw \"abc\" nocase\n"},
	{"content:\"abc\"; offset:3; depth:3;", "raw \"abc\" offset 3 depth 3\n"},
	{"content:\"abc\"; depth:3; offset:0;", "raw \"abc\" offset 0 depth 3\n"},
	{"content:\"abc\"; startswith;", "raw \"abc\" offset 0 depth 3 startswith\n"},
	{"content:\"abc\"; endswith; nocase;", "raw \"abc\" nocase endswith\n"},
	{"content:\"abc\"; startswith; endswith;",
	 "raw \"abc\" offset 0 depth 3 startswith endswith\n"},
	{"content:\"abc\"; distance:9; within:29; endswith;",
	 "raw \"abc\" distance 9 within 29 endswith\n"},
	{"content:\"a\"; content:\"b\"; distance:-1;", "raw \"a\"\nraw \"b\" distance -1\n"},
	{"content:\"a\"; within:1;",
	 "raw \"a\" within 1\n"}, // nothing before it: from the buffer's start
	{"content:\"abc\"; fast_pattern;", "raw \"abc\" fast\n"},
	{"content:\"abc\"; fast_pattern:only;", "raw \"abc\" fast only\n"},
	{"content:\"abc\"; fast_pattern:1,2;", "raw \"abc\" fast\n"},
	{"content:\"abc\"; rawbytes;", "raw \"abc\"\n"},
	{"content:\"abc\"; prefilter; depth:9;", "raw \"abc\" depth 9\n"},
	{"tag:session,5,packets; tag:host , 100 , seconds , src; content:\"abc\";",
	 "raw \"abc\"\n"},
	{"content:\"abc\"; flow:no_stream;", "packet \"abc\"\n"},
	{"content:\"abc\"; dsize:>9;", "packet \"abc\"\npacket \"\"\n"},
	{"http.uri; content:\"a\"; content:\"b\"; distance:0;",
	 "http.uri \"a\"\nhttp.uri \"b\" distance 0\n"},
	{"http.uri; content:\"a\"; http.header; content:\"b\";",
	 "http.uri \"a\"\nhttp.header \"b\"\n"},
	{"http.uri; content:\"a\"; pkt_data; content:\"b\";", "http.uri \"a\"\nraw \"b\"\n"},
	{"file_data; content:\"a\";", "file.data \"a\"\n"},
	{"file.data; content:\"a\";", "file.data \"a\"\n"},
	{"http.method; content:\"GET\"; http.uri.raw; content:\"/\"; http.host; content:\"x.y\"; "
	 "http.user_agent; "
	 "content:\"u\"; http.cookie; content:\"c\"; http.request_body; content:\"r\";",
	 "http.method \"GET\"\nhttp.uri.raw \"/\"\nhttp.host \"x.y\"\nhttp.user_agent "
	 "\"u\"\nhttp.cookie \"c\"\n"
	 "http.request_body \"r\"\n"},
	{"http.stat_code; content:\"200\"; http.response_body; content:\"r\";",
	 "http.stat_code \"200\"\nhttp.response_body \"r\"\n"},
	{"content:\"a\"; http_uri; content:\"b\"; http_uri; within:9;",
	 "http.uri \"a\"\nhttp.uri \"b\" within 9\n"},
	{"content:\"a\"; http_method; content:\"b\"; http_raw_uri; content:\"c\"; http_host; "
	 "content:\"d\"; "
	 "http_user_agent; content:\"e\"; http_header; content:\"f\"; http_cookie; content:\"g\"; "
	 "http_client_body;",
	 "http.method \"a\"\nhttp.uri.raw \"b\"\nhttp.host \"c\"\nhttp.user_agent "
	 "\"d\"\nhttp.header \"e\"\n"
	 "http.cookie \"f\"\nhttp.request_body \"g\"\n"},
	{"content:\"1\"; http_stat_code; content:\"2\"; http_server_body;",
	 "http.stat_code \"1\"\nhttp.response_body \"2\"\n"},
	{"uricontent:!\"a\"; nocase;", "http.uri !\"a\" nocase\n"},
	{"pcre:\"/a\\/b\\x22/i\";", "raw pcre \"a\\/b\\x22\" flags 01\n"},
	{"pcre:/a/;", "raw pcre \"a\"\n"},
	{"pcre:!\"/a/smxAEG\";", "raw !pcre \"a\" flags 7e\n"},
	{"pcre:\"/a\\;b/B\";", "raw pcre \"a\\;b\"\n"},
	{"pcre:\"/a/b/\";", "raw pcre \"a/b\"\n"},
	{"content:\"a\"; pcre:\"/b/R\";", "raw \"a\"\nraw pcre \"b\" relative\n"},
	{"http.uri; pcre:\"/b/R\";", "http.uri pcre \"b\" relative\n"},
	{"http.uri; pcre:\"/b/U\";", "http.uri pcre \"b\"\n"},
	{"file_data; content:\"a\"; pcre:\"/b/QR\";",
	 "file.data \"a\"\nfile.data pcre \"b\" relative\n"},
	{"pcre:\"/a/U\"; pcre:\"/a/I\"; pcre:\"/a/H\"; pcre:\"/a/M\"; pcre:\"/a/C\"; "
	 "pcre:\"/a/P\"; pcre:\"/a/V\"; "
	 "pcre:\"/a/W\";",
	 "http.uri pcre \"a\"\nhttp.uri.raw pcre \"a\"\nhttp.header pcre \"a\"\nhttp.method pcre "
	 "\"a\"\n"
	 "http.cookie pcre \"a\"\nhttp.request_body pcre \"a\"\nhttp.user_agent pcre "
	 "\"a\"\nhttp.host pcre \"a\"\n"},
	{"pcre:\"/a/Q\"; pcre:\"/a/S\";",
	 "http.response_body pcre \"a\"\nhttp.stat_code pcre \"a\"\n"},
	{"http.host; pcre:\"/[A-Z]\\D/\";", "http.host pcre \"[A-Z]\\D\"\n"},
	{"pcre:\"/\\D/W\";", "http.host pcre \"\\D\"\n"},
	{"pcre:\"/^(a)(b)/G, flow:key,pkt:value\";", "raw pcre \"^(a)(b)\" flags 40\n"},
};

static const struct rule_var test_vars[] = {
	{"LOOP", "[10.0.0.1,$LOOP]"},
	{"W1", "[any,any,any,any,any,any,any,any,any,any,any,any,any,any,any,any]"},
	{"W2", "[$W1,$W1,$W1,$W1,$W1,$W1,$W1,$W1,$W1,$W1,$W1,$W1,$W1,$W1,$W1,$W1]"},
	{"W3", "[$W2,$W2,$W2,$W2,$W2,$W2,$W2,$W2,$W2,$W2,$W2,$W2,$W2,$W2,$W2,$W2]"},
	{"WIDE", "[$W3,$W3,$W3,$W3,$W3,$W3,$W3,$W3,$W3,$W3,$W3,$W3,$W3,$W3,$W3,$W3]"},
	{"BROKEN", "[10.0.0.1,1.2.3]"},
	{"SERVERS", "192.0.2.0/24"},
	{"HTTP_PORTS", "[80,8080]"},
	{NULL, NULL},
};

#endif

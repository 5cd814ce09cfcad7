// SPDX-License-Identifier: BSD-2-Clause
// The rule parser: what loads is described in one line and compared, what does not must say why and
// where.
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

static void report(void *ctx, enum rules_verdict verdict, uint32_t sid, const struct diag *diag)
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
static int parse(struct rules *rs, const char *text, size_t len, const struct rule_var *vars,
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

static const struct {
	unsigned int flag;
	const char *name;
} flag_names[] = {
	{RULE_NOCASE, " nocase"},          {RULE_STARTSWITH, " startswith"},
	{RULE_ENDSWITH, " endswith"},      {RULE_FAST_PATTERN, " fast"},
	{RULE_FAST_PATTERN_ONLY, " only"}, {RULE_PCRE_RELATIVE, " relative"},
};

static void describe_match(const struct rule_match *m, char *buf, size_t size)
{
	FILE *f = fmemopen(buf, size, "w");

	assert_non_null(f);
	fprintf(f, "%s %s%s\"", buffer_info(m->buffer)->keyword,
		(m->flags & RULE_NEGATED) != 0 ? "!" : "", m->type == RULE_PCRE ? "pcre " : "");
	for (unsigned int i = 0; i < m->len; i++)
		fprintf(f, m->data[i] >= 0x20 && m->data[i] < 0x7f ? "%c" : "<%02x>", m->data[i]);
	fprintf(f, "\"");
	if ((m->flags & RULE_OFFSET) != 0)
		fprintf(f, " offset %d", m->offset);
	if ((m->flags & RULE_DEPTH) != 0)
		fprintf(f, " depth %d", m->depth);
	if ((m->flags & RULE_DISTANCE) != 0)
		fprintf(f, " distance %d", m->distance);
	if ((m->flags & RULE_WITHIN) != 0)
		fprintf(f, " within %d", m->within);
	for (size_t i = 0; i < N(flag_names); i++)
		if ((m->flags & flag_names[i].flag) != 0)
			fprintf(f, "%s", flag_names[i].name);
	if (m->pcre_flags != 0)
		fprintf(f, " flags %02x", m->pcre_flags);
	fclose(f);
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

static void test_loads(void **state)
{
	for (size_t i = 0; i < N(loads); i++) {
		char text[1024], all[2048] = "", line[512];
		struct rules rs = {0};
		struct reports reports;
		int n;

		snprintf(text, sizeof(text), "alert http any any -> any any (%s sid:%zu;)",
			 loads[i].options, i + 1);
		n = parse(&rs, text, strlen(text), NULL, &reports);
		if (n != 1)
			print_error("%s: %s\n", text, reports.diag[0].text);
		assert_int_equal(n, 1);
		assert_int_equal(rs.v[0].sid, i + 1);
		for (uint32_t k = 0; k < rs.v[0].n_matches; k++) {
			describe_match(&rs.v[0].matches[k], line, sizeof(line));
			snprintf(all + strlen(all), sizeof(all) - strlen(all), "%s\n", line);
		}
		assert_string_equal(all, loads[i].matches);
		rules_done(&rs);
	}
}

// A rule, and where and why it does not load. Column 0: the whole rule.
static const struct {
	const char *rule;
	unsigned int column;
	const char *why;
} refused[] = {
	{"alert", 6, "missing protocol"},
	{"alert http any any -> any any", 30, "missing \"(\""},
	{"alert http any any -> any", 26, "missing destination port"},
	{"alret http any any -> any any (sid:1;)", 1,
	 "unknown action \"alret\" (did you mean alert?)"},
	{"config http any any -> any any (sid:1;)", 1, "action \"config\" is not supported"},
	{"rejetc http any any -> any any (sid:1;)", 1,
	 "unknown action \"rejetc\" (did you mean reject?)"},
	{"alert htpt any any -> any any (sid:1;)", 7,
	 "unknown protocol \"htpt\" (did you mean http?)"},
	{"alert http any any -> any any (websocket.payload; content:\"a\"; sid:1;)", 32,
	 "websocket.payload is not in rules for http"},
	{"alert tcp-pkt any any -> any any (http.uri; content:\"a\"; sid:1;)", 45,
	 "http.uri in a rule that looks at single packets"},
	{"alert tcp-pkt any any -> any any (flow:only_stream; sid:1;)", 0, "flow says only_stream"},
	{"alert http any any => any any (sid:1;)", 20, "\"=>\" is not a direction"},
	{"alert http any any <- any any (sid:1;)", 20, "\"<-\" is not a direction"},
	{"alert http any any -> any any (sid:1;", 38, "missing \")\""},
	{"alert http any any -> any any (sid:1)", 32, "missing \";\" after sid"},
	{"alert http any any -> any any (sid:1;) x", 40, "text after the closing parenthesis"},
	{"alert http any any -> any any (nocase sid:1;)", 39, "missing \";\" after nocase"},
	{"alert http any any -> any any (=; sid:1;)", 32, "\"=\" where a keyword was expected"},
	{"alert http any any -> any any (msg:\"x\";)", 0, "no sid"},
	{"alert http any any -> any any (sid:0;)", 36, "is not a number from 1"},
	{"alert http any any -> any any (sid:4294967296;)", 36, "is not a number from 1"},
	{"alert http any any -> any any (sid:1; sid:1;)", 39, "sid is given twice"},
	{"alert http any any -> any any (sid:1; rev:x;)", 43, "\"x\" is not a number"},
	{"alert http any any -> any any (sid:1; priority:0;)", 48, "not a priority"},
	{"alert http any any -> any any (sid:1; priority:256;)", 48, "not a priority"},
	{"alert http any any -> any any (sid:1; classtype:a b;)", 49, "is not a classtype"},
	{"alert http any any -> any any (sid:1; msg:x;)", 43, "not in double quotes"},
	{"alert http any any -> any any (sid:1; msg:\"a\"b\";)", 45, "double quote inside msg"},
	{"alert http any any -> any any (sid:1; reference:url;)", 49, "TYPE,VALUE"},
	{"alert http any any -> any any (sid:1; target:me;)", 46, "not a target"},
	{"alert http any any -> any any (sid:1; msg;)", 39, "msg needs a value"},
	{"alert http any any -> any any (sid:1; flow:to_server,to_client;)", 54, "contradicts"},
	{"alert http any any -> any any (sid:1; flow:established,not_established;)", 56,
	 "contradicts"},
	{"alert http any any -> any any (sid:1; flow:established,stateless;)", 56, "contradicts"},
	{"alert http any any -> any any (sid:1; flow:established,established;)", 56, "given twice"},
	{"alert http any any -> any any (sid:1; flow:to_server; flow:established;)", 55,
	 "flow is given twice"},
	{"alert http any any -> any any (sid:1; flow:no_frag;)", 44, "not supported yet"},
	{"alert http any any -> any any (sid:1; flow:to_srever;)", 44, "unknown flow condition"},
	{"alert http any any -> any any (sid:1; threshold:type limit,track by_src,count 1;)", 39,
	 "threshold has no seconds"},
	{"alert http any any -> any any (sid:1; threshold:track by_src,count 1,seconds 2;)", 39,
	 "threshold has no type"},
	{"alert http any any -> any any (sid:1; threshold:type limit,count 1,seconds 2;)", 39,
	 "threshold has no track"},
	{"alert http any any -> any any (sid:1; threshold:type limit,track by_src,seconds 2;)", 39,
	 "threshold has no count"},
	{"alert http any any -> any any (sid:1; detection_filter:track by_src,count 1;)", 39,
	 "detection_filter has no seconds"},
	{"alert http any any -> any any (sid:1; threshold:type limti,track by_src,count 1,seconds "
	 "2;)",
	 54, "unknown threshold type \"limti\""},
	{"alert http any any -> any any (sid:1; threshold:type backoff,track by_flow,count "
	 "1,multiplier 2;)",
	 54, "threshold type backoff is not supported yet"},
	{"alert http any any -> any any (sid:1; threshold:track by_flow,multiplier 2;)", 63,
	 "threshold: \"multiplier\" is not supported yet"},
	{"alert http any any -> any any (sid:1; threshold:type detection_filter,track by_src,count "
	 "1,seconds 2;)",
	 54, "unknown threshold type"},
	{"alert http any any -> any any (sid:1; threshold:type limit,track by_port,count 1,seconds "
	 "2;)",
	 66, "cannot track \"by_port\""},
	{"alert http any any -> any any (sid:1; threshold:type limit,track,count 1,seconds 2;)", 65,
	 "cannot track \"\""},
	{"alert http any any -> any any (sid:1; threshold:type limit,track by_src,count 0,seconds "
	 "2;)",
	 79, "count \"0\" is not a number from 1"},
	{"alert http any any -> any any (sid:1; threshold:type limit,track by_src,count 1,seconds "
	 "0;)",
	 89, "seconds \"0\" is not a number from 1"},
	{"alert http any any -> any any (sid:1; threshold:type limit,track by_src,count 1,seconds "
	 "4294967296;)",
	 89, "seconds \"4294967296\" is not a number"},
	{"alert http any any -> any any (sid:1; threshold:type limit,track by_src,count -1,seconds "
	 "2;)",
	 79, "count \"-1\" is not a number"},
	{"alert http any any -> any any (sid:1; threshold:type limit,track by_src,count 1 "
	 "2,seconds 2;)",
	 79, "count \"1 2\" is not a number"},
	{"alert http any any -> any any (sid:1; threshold:type limit,track by_src,count 1,count "
	 "1,seconds 2;)",
	 81, "count is given twice"},
	{"alert http any any -> any any (sid:1; threshold:type limit,track by_src,,count 1,seconds "
	 "2;)",
	 73, "unknown field \"\""},
	{"alert http any any -> any any (sid:1; threshold:type limit,track by_src,cuont 1,seconds "
	 "2;)",
	 73, "unknown field \"cuont\": threshold has type, track, count and seconds"},
	{"alert http any any -> any any (sid:1; detection_filter:type limit,track by_src,count "
	 "1,seconds 2;)",
	 56, "unknown field \"type\": detection_filter has track, count and seconds"},
	{"alert http any any -> any any (sid:1; detection_filter:track by_src,count 1,seconds "
	 "2,unique_on dst_port;)",
	 87, "detection_filter: \"unique_on\" is not supported yet"},
	{"alert http any any -> any any (sid:1; threshold:type limit,track by_src,count 1,seconds "
	 "2; threshold:type limit,track by_src,count 1,seconds 2;)",
	 92, "threshold is given twice"},
	{"alert http any any -> any any (sid:1; detection_filter:track by_src,count 1,seconds 2; "
	 "detection_filter:track by_src,count 1,seconds 2;)",
	 88, "detection_filter is given twice"},
	{"alert http any any -> any any (sid:1; threshold:type limit,track by_src,count 1,seconds "
	 "2; detection_filter:track by_src,count 1,seconds 2;)",
	 92, "detection_filter: a rule has either threshold or detection_filter"},
	{"alert http any any -> any any (sid:1; detection_filter:track by_src,count 1,seconds 2; "
	 "threshold:type limit,track by_src,count 1,seconds 2;)",
	 88, "threshold: a rule has either threshold or detection_filter"},
	{"alert http any any -> any any (sid:1; threshold:;)", 39, "threshold needs a value"},
	{"alert http any any -> any any (sid:1; http.urii; content:\"a\";)", 39,
	 "unknown keyword \"http.urii\" (did you mean http.uri?)"},
	{"alert http any any -> any any (sid:1; content:\"a\"; absent;)", 52,
	 "keyword \"absent\" is not supported yet"},
	{"alert tcp any any -> any any (sid:1; urilen:3; dsize:3;)", 38, "http.uri in a rule that"},
	{"alert tcp any any -> any any (sid:1; file.data; content:\"a\"; flow:no_stream;)", 49,
	 "file.data in a rule that"},
	{"alert tcp any any -> any any (sid:1; dsize:3; dsize:4;)", 47, "dsize is given twice"},
	{"alert tcp any any -> any any (sid:1; dsize:65536;)", 44, "is not a size"},
	{"alert tcp any any -> any any (sid:1; dsize:9<>4;)", 44, "is not a size"},
	{"alert tcp any any -> any any (sid:1; dsize:3; content:\"abcd\";)", 38,
	 "packet has at most 3 bytes, a content needs 4"},
	{"alert tcp any any -> any any (sid:1; prefilter;)", 38, "prefilter has nothing before it"},
	{"alert tcp any any -> any any (sid:1; content:\"a\"; prefilter; prefilter;)", 62,
	 "prefilter is given twice"},
	{"alert tcp any any -> any any (sid:1; tag:host,5,packets;)", 42, "write tag:session"},
	{"alert tcp any any -> any any (sid:1; tag:session,5,pakets;)", 42, "write tag:session"},
	{"alert tcp any any -> any any (sid:1; tag:session,-5,packets;)", 42, "write tag:session"},
	{"alert tcp any any -> any any (sid:1; tag:session,5,packets,src;)", 42,
	 "write tag:session"},
	{"alert http any any -> any any (sid:1; lua:x;)", 39,
	 "\"lua\" is not supported: rules carry no programs"},
	{"alert http any any -> any any (sid:1; flowbits:sett,a;)", 48, "unknown flowbits action"},
	{"alert http any any -> any any (sid:1; flowbits:set;)", 48, "needs a name"},
	{"alert http any any -> any any (sid:1; flowbits:set,a|b;)", 52, "takes one name"},
	{"alert http any any -> any any (sid:1; flowbits:isset,a b;)", 55,
	 "is no name for flowbits"},
	{"alert http any any -> any any (sid:1; xbits:set,a;)", 45,
	 "needs a name and what it is about"},
	{"alert http any any -> any any (sid:1; xbits:set,a,track ip_scr;)", 45,
	 "needs a name and what it is about"},
	{"alert http any any -> any any (sid:1; xbits:set,,track ip_src;)", 49,
	 "a name of xbits has 1 to 128"},
	{"alert http any any -> any any (sid:1; xbits:tset,a,track ip_src;)", 45,
	 "unknown xbits action \"tset\""},
	{"alert http any any -> any any (sid:1; xbits:set,a,track ip_src,expire 0;)", 64,
	 "is not expire and 1 second"},
	{"alert http any any -> any any (sid:1; xbits:set,a,track ip_src,expires 9;)", 64,
	 "is not expire and 1 second"},
	{"alert http any any -> any any (sid:1; flowint:a,<>,1;)", 49, "unknown flowint operation"},
	{"alert http any any -> any any (sid:1; flowint:a,+;)", 49, "needs a number or a name"},
	{"alert http any any -> any any (sid:1; flowint:a,isset,1;)", 49, "takes no number"},
	{"alert http any any -> any any (sid:1; flowint:a,+,4294967296;)", 51,
	 "is not a number from 0"},
	{"alert http any any -> any any (sid:1; flowint:a,+,1x;)", 51, "is not a number from 0"},
	{"alert http any any -> any any (sid:1; stream_size:clients,>,3;)", 51,
	 "write stream_size:client"},
	{"alert http any any -> any any (sid:1; stream_size:client,3;)", 51,
	 "write stream_size:client"},
	{"alert http any any -> any any (sid:1; app-layer-event:dns.not_a_request;)", 55,
	 "is not an event of HTTP"},
	{"alert http any any -> any any (sid:1; app-layer-event:http.lzma_bomb;)", 55,
	 "is not told apart"},
	{"alert http any any -> any any (sid:1; content:\"a\"; bsize:3;)", 52,
	 "bsize needs a buffer before it"},
	{"alert http any any -> any any (sid:1; xyzzy;)", 39, "unknown keyword \"xyzzy\""},
	// content
	{"alert http any any -> any any (sid:1; content:\"\";)", 47, "empty"},
	{"alert http any any -> any any (sid:1; content:a;)", 47, "not in double quotes"},
	{"alert http any any -> any any (sid:1; content:!;)", 48, "not in double quotes"},
	{"alert http any any -> any any (sid:1; content:\"a;b\";)", 47,
	 "no double quote before the \";\""},
	{"alert http any any -> any any (sid:1; content:\"a\" nocase;)", 50,
	 "missing \";\" after the content"},
	{"alert http any any -> any any (sid:1; content:\"a\"b\";)", 49, "double quote inside"},
	{"alert http any any -> any any (sid:1; content:\"a\\q\";)", 49,
	 "a backslash stands before"},
	{"alert http any any -> any any (sid:1; content:\"|0|\";)", 49, "pairs"},
	{"alert http any any -> any any (sid:1; content:\"|0 0|\";)", 49, "pairs"},
	{"alert http any any -> any any (sid:1; content:\"|0g|\";)", 49, "pairs"},
	{"alert http any any -> any any (sid:1; content:\"|g0|\";)", 49,
	 "\"g\" between pipes is not hex"},
	{"alert http any any -> any any (sid:1; content:\"|00\";)", 51, "no \"|\""},
	{"alert http any any -> any any (sid:1; content:\"||\";)", 49, "write |7C|"},
	// modifiers
	{"alert http any any -> any any (sid:1; nocase;)", 39, "nocase has no content before it"},
	{"alert http any any -> any any (sid:1; content:\"a\"; http.uri; nocase; content:\"b\";)",
	 62, "nocase has no content before it in http.uri"},
	{"alert http any any -> any any (sid:1; content:\"a\"; nocase:1;)", 52,
	 "nocase takes no value"},
	{"alert http any any -> any any (sid:1; content:\"a\"; nocase; nocase;)", 60,
	 "given twice"},
	{"alert http any any -> any any (sid:1; content:\"abc\"; depth:2;)", 60,
	 "less than the 3 bytes"},
	{"alert http any any -> any any (sid:1; content:\"abc\"; within:2;)", 61,
	 "less than the 3 bytes"},
	{"alert http any any -> any any (sid:1; content:\"a\"; within:0;)", 59,
	 "not a number from 1"},
	{"alert http any any -> any any (sid:1; content:\"a\"; offset:-1;)", 59,
	 "not a number from 0"},
	{"alert http any any -> any any (sid:1; content:\"a\"; offset:65536;)", 59,
	 "not a number from 0"},
	{"alert http any any -> any any (sid:1; content:\"a\"; distance:1048577;)", 61,
	 "not a number"},
	{"alert http any any -> any any (sid:1; content:\"a\"; distance:var;)", 61,
	 "distance:var is not"},
	{"alert http any any -> any any (sid:1; content:\"a\"; depth:2; depth:3;)", 61,
	 "given twice"},
	{"alert http any any -> any any (sid:1; content:\"a\"; depth:2; within:3;)", 61,
	 "do not go with"},
	{"alert http any any -> any any (sid:1; content:\"a\"; distance:2; offset:3;)", 64,
	 "do not go with"},
	{"alert http any any -> any any (sid:1; content:\"a\"; startswith; depth:3;)", 64,
	 "startswith"},
	{"alert http any any -> any any (sid:1; content:\"a\"; startswith; distance:3;)", 64,
	 "startswith"},
	{"alert http any any -> any any (sid:1; content:\"a\"; offset:1; startswith;)", 62,
	 "startswith"},
	{"alert http any any -> any any (sid:1; content:\"a\"; fast_pattern; content:\"b\"; "
	 "fast_pattern;)",
	 79, "given twice"},
	{"alert http any any -> any any (sid:1; content:!\"a\"; fast_pattern;)", 39, "negated"},
	{"alert http any any -> any any (sid:1; content:\"a\"; fast_pattern:only; offset:1;)", 39,
	 "fast_pattern:only"},
	{"alert http any any -> any any (sid:1; content:\"abc\"; fast_pattern:2,2;)", 67,
	 "outside the 3 bytes"},
	{"alert http any any -> any any (sid:1; content:\"abc\"; fast_pattern:x;)", 67,
	 "OFFSET,LENGTH"},
	{"alert http any any -> any any (sid:1; http.uri; content:\"a\"; rawbytes;)", 62,
	 "rawbytes"},
	{"alert http any any -> any any (sid:1; http.uri; content:\"a\"; http_header;)", 62,
	 "after http.uri"},
	{"alert http any any -> any any (sid:1; content:\"a\"; http_uri; http_header;)", 62,
	 "already looks at http.uri"},
	{"alert http any any -> any any (sid:1; http_uri;)", 39, "no content before it"},
	{"alert http any any -> any any (sid:1; http.uri; uricontent:\"a\";)", 49,
	 "uricontent after http.uri"},
	// pcre
	{"alert http any any -> any any (sid:1; pcre:\"a\";)", 45, "\"/expression/flags\""},
	{"alert http any any -> any any (sid:1; pcre:\"/a\";)", 45, "no \"/\" at the end"},
	{"alert http any any -> any any (sid:1; pcre:\"/a\\/\";)", 45, "no \"/\" at the end"},
	{"alert http any any -> any any (sid:1; pcre:\"//\";)", 45, "empty"},
	{"alert http any any -> any any (sid:1; pcre:\"/a/;)", 44, "no double quote"},
	{"alert http any any -> any any (sid:1; pcre:\"/a(b/\";)", 49,
	 "pcre: missing closing parenthesis"},
	{"alert http any any -> any any (sid:1; pcre:\"/a/K\";)", 48,
	 "pcre flag \"K\" is not supported"},
	{"alert http any any -> any any (sid:1; pcre:\"/a/UH\";)", 49, "already selects http.uri"},
	{"alert http any any -> any any (sid:1; http.uri; pcre:\"/a/P\";)", 58, "after http.uri"},
	{"alert http any any -> any any (sid:1; pcre:\"/a/R\";)", 44, "flag R needs"},
	{"alert http any any -> any any (sid:1; pcre:\"/aB/W\";)", 46, "lower case"},
	// the whole rule
	{"alert http any any -> any any (sid:1; http.uri;)", 39, "not followed by a content"},
	{"alert http any any -> any any (sid:1; http.uri; http.host; content:\"a\";)", 39,
	 "not followed by a content"},
	{"alert http any any -> any any (sid:1; flow:to_client; http.uri; content:\"a\";)", 65,
	 "http.uri is in requests but flow says to_client"},
	{"alert http any any -> any any (sid:1; flow:from_client; http.stat_code; content:\"a\";)",
	 73, "http.stat_code is in responses but flow says to_server"},
	{"alert http any any -> any any (sid:1; http.uri; content:\"a\"; http.stat_code; "
	 "content:\"2\";)",
	 78, "one message"},
	{"alert http any any -> any any (sid:1; http.host; content:\"A\";)", 50, "upper case"},
	{"alert http any any -> any any (sid:1; content:\"a\"; nocase; http_host;)", 39,
	 "nocase on http.host"},
	{"alert http any any -> any any (sid:1; http.method; content:\"GET \";)", 52, "no blank"},
	// addresses and ports
	{"alert http [any any -> any any (sid:1;)", 12, "\"[\" without \"]\""},
	{"alert http a]] any -> any any (sid:1;)", 13, "\"]\" without \"[\""},
	{"alert http 1.2.3.4.5 any -> any any (sid:1;)", 12, "is not an IPv4 or IPv6 address"},
	{"alert http 1.2.3.256 any -> any any (sid:1;)", 12, "is not an IPv4 or IPv6 address"},
	{"alert http 1.2.3.4/33 any -> any any (sid:1;)", 12, "prefix length that is not 0 to 32"},
	{"alert http ::1/129 any -> any any (sid:1;)", 12, "prefix length that is not 0 to 128"},
	{"alert http 1.2.3.4/255.0.255.0 any -> any any (sid:1;)", 12, "prefix length"},
	{"alert http 1.2.3.4-1.2.3.3 any -> any any (sid:1;)", 12, "the lower one first"},
	{"alert http 1.2.3.4-::1 any -> any any (sid:1;)", 12, "one family"},
	{"alert http [1.2.3.4,] any -> any any (sid:1;)", 21, "empty entry"},
	{"alert http [] any -> any any (sid:1;)", 13, "empty entry"},
	{"alert http !any any -> any any (sid:1;)", 13, "matches nothing"},
	{"alert http !!1.2.3.4 any -> any any (sid:1;)", 12, "negated twice"},
	{"alert http ![1.2.3.4,!1.2.3.5] any -> any any (sid:1;)", 12, "negated entries itself"},
	{"alert http [10.1.0.0/16,!10.0.0.0/8] any -> any any (sid:1;)", 12,
	 "all it holds is also negated"},
	{"alert http $HOME_NTE any -> any any (sid:1;)", 12,
	 "unknown variable $HOME_NTE (did you mean $HOME_NET?)"},
	{"alert http $LOOP any -> any any (sid:1;)", 12, "does a variable name itself? (in $LOOP)"},
	{"alert http $WIDE any -> any any (sid:1;)", 12, "(in $WIDE)"},
	{"alert http $BROKEN any -> any any (sid:1;)", 12,
	 "\"1.2.3\" is not an IPv4 or IPv6 address, prefix or range (in $BROKEN)"},
	{"alert http any $HOME_NET -> any any (sid:1;)", 16, "is not a port"},
	{"alert http any 65536 -> any any (sid:1;)", 16, "is not a port"},
	{"alert http any 5:4 -> any any (sid:1;)", 16, "lower port first"},
	{"alert http any : -> any any (sid:1;)", 16, "is empty"},
	{"alert http any 1:2:3 -> any any (sid:1;)", 16, "is not a port"},
	{"alert http any [80,!1:100] -> any any (sid:1;)", 16, "all it holds is also negated"},
	{"alert http any [!0:99,!100:] -> any any (sid:1;)", 16, "all it holds is also negated"},
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

static void test_refused(void **state)
{
	for (size_t i = 0; i < N(refused); i++) {
		struct rules rs = {0};
		struct reports r;

		assert_int_equal(
			parse(&rs, refused[i].rule, strlen(refused[i].rule), test_vars, &r), 0);
		if (r.n != 1 || r.diag[0].column != refused[i].column ||
		    strstr(r.diag[0].text, refused[i].why) == NULL)
			print_error("%s\n  wants %u \"%s\"\n  has %u \"%s\"\n", refused[i].rule,
				    refused[i].column, refused[i].why, r.diag[0].column,
				    r.diag[0].text);
		assert_int_equal(r.n, 1);
		assert_int_equal(r.verdict[0], RULES_REFUSED);
		assert_string_equal(r.diag[0].file, "t.rules");
		assert_int_equal(r.diag[0].line, 1);
		assert_int_equal(r.diag[0].column, refused[i].column);
		assert_non_null(strstr(r.diag[0].text, refused[i].why));
		assert_int_equal(rs.seen, 1);
		assert_int_equal(rs.refused, 1);
		rules_done(&rs);
	}
}

// Source address -> entries of the set.
static const struct {
	const char *text, *set;
} addresses[] = {
	{"any", ""},
	{"1.2.3.4", "::ffff:1.2.3.4/128 "},
	{"10.1.2.3/8", "::ffff:10.0.0.0/104 "},
	{"10.1.2.3/255.255.0.0", "::ffff:10.1.0.0/112 "},
	{"0.0.0.0/0", "::ffff:0.0.0.0/96 "},
	{"!10.0.0.0/8", "!::ffff:10.0.0.0/104 "},
	{"2001:db8::1", "2001:db8::1/128 "},
	{"2001:db8::1/32", "2001:db8::/32 "},
	{"::ffff:1.2.3.4", "::ffff:1.2.3.4/128 "},
	{"10.0.0.0-10.0.0.255", "::ffff:10.0.0.0/120 "},
	{"10.0.0.1-10.0.0.6",
	 "::ffff:10.0.0.1/128 ::ffff:10.0.0.2/127 ::ffff:10.0.0.4/127 ::ffff:10.0.0.6/128 "},
	{"[1.2.3.4, !1.2.3.5,[2.0.0.0/8]]",
	 "::ffff:1.2.3.4/128 !::ffff:1.2.3.5/128 ::ffff:2.0.0.0/104 "},
	{"![1.2.3.4,5.6.7.8]", "!::ffff:1.2.3.4/128 !::ffff:5.6.7.8/128 "},
	{"[any,1.2.3.4,!1.2.3.5]", "!::ffff:1.2.3.5/128 "},
	{"$HOME_NET", "::ffff:192.168.0.0/112 ::ffff:10.0.0.0/104 ::ffff:172.16.0.0/108 "},
	{"$EXTERNAL_NET", "!::ffff:192.168.0.0/112 !::ffff:10.0.0.0/104 !::ffff:172.16.0.0/108 "},
	{"!$EXTERNAL_NET", "::ffff:192.168.0.0/112 ::ffff:10.0.0.0/104 ::ffff:172.16.0.0/108 "},
	{"[$SERVERS,!192.0.2.1]", "::ffff:192.0.2.0/120 !::ffff:192.0.2.1/128 "},
};

static void test_addresses(void **state)
{
	for (size_t i = 0; i < N(addresses); i++) {
		char text[256], set[512] = "", addr[INET6_ADDRSTRLEN];
		struct rules rs = {0};
		struct reports r;

		snprintf(text, sizeof(text), "alert http %s any -> any any (sid:1;)",
			 addresses[i].text);
		if (parse(&rs, text, strlen(text), test_vars, &r) != 1)
			print_error("%s: %s\n", text, r.diag[0].text);
		assert_int_equal(rs.n, 1);
		for (uint32_t k = 0; k < rs.v[0].src.n; k++) {
			const struct rule_addr *a = &rs.v[0].src.v[k];

			inet_ntop(AF_INET6, a->prefix, addr, sizeof(addr));
			snprintf(set + strlen(set), sizeof(set) - strlen(set), "%s%s/%u ",
				 a->negated ? "!" : "", addr, a->len);
		}
		assert_string_equal(set, addresses[i].set);
		assert_int_equal(rs.v[0].dst.n, 0);
		rules_done(&rs);
	}
}

static bool holds(const struct rule_addrs *s, const char *addr)
{
	bool in = false, positive = false;
	uint8_t a[16];

	assert_int_equal(inet_pton(AF_INET6, addr, a), 1);
	for (uint32_t i = 0; i < s->n; i++) {
		bool match = true;

		for (unsigned int bit = 0; bit < s->v[i].len; bit++)
			match = match &&
				((a[bit / 8] ^ s->v[i].prefix[bit / 8]) >> (7 - bit % 8) & 1) == 0;
		if (match && s->v[i].negated)
			return false;
		in = in || match;
		positive = positive || !s->v[i].negated;
	}
	return in || !positive;
}

// Ranges and IPv6 sets around the mapped block, by membership.
static void test_address_members(void **state)
{
	static const struct {
		const char *set, *in, *out;
	} table[] = {
		{"::/0", "2001:db8::1", "::ffff:1.2.3.4"},
		{"::/0", "::fffe:ffff:ffff", "::ffff:255.255.255.255"},
		{"::/0", "::1:0:0:0", "::ffff:0.0.0.0"},
		{"::/0", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "::ffff:0.0.0.1"},
		{"!::/0", "::ffff:1.2.3.4", "::1"},
		{"::1-ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe", "::1", "::"},
		{"::1-ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe",
		 "ffff::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
		{"0.0.0.1-255.255.255.254", "::ffff:255.255.255.254", "::ffff:255.255.255.255"},
		{"10.0.0.7-10.0.1.3", "::ffff:10.0.0.7", "::ffff:10.0.0.6"},
		{"10.0.0.7-10.0.1.3", "::ffff:10.0.1.3", "::ffff:10.0.1.4"},
	};

	for (size_t i = 0; i < N(table); i++) {
		struct rules rs = {0};
		struct reports r;
		char text[256];

		snprintf(text, sizeof(text), "alert tcp any any -> %s any (sid:1;)", table[i].set);
		assert_int_equal(parse(&rs, text, strlen(text), NULL, &r), 1);
		assert_true(holds(&rs.v[0].dst, table[i].in));
		assert_false(holds(&rs.v[0].dst, table[i].out));
		rules_done(&rs);
	}
}

static void test_ports(void **state)
{
	static const struct {
		const char *text, *set;
	} table[] = {
		{"any", ""},
		{"80", "80-80 "},
		{"0", "0-0 "},
		{"1024:", "1024-65535 "},
		{":1023", "0-1023 "},
		{"!80", "!80-80 "},
		{"[80,81:90,!85]", "80-80 81-90 !85-85 "},
		{"![21,989:995]", "!21-21 !989-995 "},
		{"$HTTP_PORTS", "80-80 8080-8080 "},
		{"$FILE_DATA_PORTS", "80-80 8080-8080 110-110 143-143 "},
		{"$SHELLCODE_PORTS", "!80-80 "},
	};

	for (size_t i = 0; i < N(table); i++) {
		char text[256], set[256] = "";
		struct rules rs = {0};
		struct reports r;

		// twice: the second rule takes the list from the cache
		snprintf(text, sizeof(text),
			 "alert tcp any any <> any %s (sid:1;)\nalert tcp any %s -> any any "
			 "(sid:2;)",
			 table[i].text, table[i].text);
		assert_int_equal(parse(&rs, text, strlen(text), test_vars, &r), 2);
		for (uint32_t k = 0; k < rs.v[0].dst_port.n; k++) {
			const struct rule_port *p = &rs.v[0].dst_port.v[k];

			snprintf(set + strlen(set), sizeof(set) - strlen(set), "%s%u-%u ",
				 p->negated ? "!" : "", p->first, p->last);
		}
		assert_string_equal(set, table[i].set);
		assert_int_equal(rs.v[1].src_port.n, rs.v[0].dst_port.n);
		assert_ptr_equal(rs.v[1].src_port.v, rs.v[0].dst_port.v);
		assert_true(rs.v[0].bidirectional);
		assert_false(rs.v[1].bidirectional);
		rules_done(&rs);
	}
}

// Every field that is not a match.
static void test_fields(void **state)
{
	static const char text[] =
		"alert tcp-stream any any -> any any (msg:\"a \\\"b\\\"\\; c\"; sid:7; gid:3; "
		"rev:9; "
		"flow:established,to_server,only_stream; classtype:web-application-attack; "
		"reference:url,example.com/a?b=c; reference:cve,2021-44228; "
		"metadata:attack_target Web_Server, created_at 2020_01_02, tag; metadata:x y; "
		"target:dest_ip;)\n"
		"alert http1 any any -> any any (sid:8; priority:9; classtype:trojan-activity; "
		"priority:4;)\n"
		"alert http any any -> any any (sid:9; classtype:my-own;)\n";
	struct rules rs = {0};
	struct reports r;

	assert_int_equal(parse(&rs, text, strlen(text), NULL, &r), 3);
	assert_int_equal(rs.v[0].proto, RULE_PROTO_TCP);
	assert_string_equal(rs.v[0].msg, "a \"b\"; c");
	assert_int_equal(rs.v[0].gid, 3);
	assert_int_equal(rs.v[0].rev, 9);
	assert_int_equal(rs.v[0].flow,
			 RULE_FLOW_ESTABLISHED | RULE_FLOW_TO_SERVER | RULE_FLOW_ONLY_STREAM);
	assert_int_equal(rs.v[0].priority, 1);
	assert_string_equal(rs.v[0].classtype, "web-application-attack");
	assert_string_equal(rs.v[0].reference, "url,example.com/a?b=c\ncve,2021-44228");
	assert_string_equal(
		rs.v[0].metadata,
		"attack_target Web_Server\ncreated_at 2020_01_02\ntag\nx y\ntarget dest_ip");
	assert_string_equal(rs.v[0].file, "t.rules");
	assert_int_equal(rs.v[0].line, 1);
	assert_int_equal(rs.v[1].proto, RULE_PROTO_HTTP);
	assert_int_equal(rs.v[1].priority, 4);
	assert_int_equal(rs.v[1].gid, 1);
	assert_int_equal(rs.v[1].rev, 0);
	assert_string_equal(rs.v[1].msg, "");
	assert_string_equal(rs.v[1].metadata, "");
	assert_int_equal(rs.v[1].line, 2);
	assert_int_equal(rs.v[2].priority, 3);
	rules_done(&rs);
}

static const struct {
	const char *option;
	struct threshold_params want;
} thresholds[] = {
	{"", {0}},
	{"threshold:type limit, track by_src, count 1, seconds 60;",
	 {THRESHOLD_LIMIT, THRESHOLD_BY_SRC, 0, 1, 60}},
	{"threshold: seconds 180,count 2 , track by_dst,type threshold;",
	 {THRESHOLD_THRESHOLD, THRESHOLD_BY_DST, 0, 2, 180}},
	{"threshold:type\tboth,track  by_both,count 4294967295,seconds 4294967295;",
	 {THRESHOLD_BOTH, THRESHOLD_BY_BOTH, 0, UINT32_MAX, UINT32_MAX}},
	{"threshold:type both,track by_rule,count 1,seconds 1;",
	 {THRESHOLD_BOTH, THRESHOLD_BY_RULE, 0, 1, 1}},
	{"threshold:type limit,track by_flow,count 1,seconds 1;",
	 {THRESHOLD_LIMIT, THRESHOLD_BY_FLOW, 0, 1, 1}},
	{"detection_filter:track by_src,count 15,seconds 2;",
	 {THRESHOLD_FILTER, THRESHOLD_BY_SRC, 0, 15, 2}},
	{"detection_filter: count 5, seconds 3, track by_dst;",
	 {THRESHOLD_FILTER, THRESHOLD_BY_DST, 0, 5, 3}},
};

// A rule after one with a threshold has none.
static void test_thresholds(void **state)
{
	for (size_t i = 0; i < N(thresholds); i++) {
		struct rules rs = {0};
		struct reports r;
		char text[512];

		snprintf(text, sizeof(text),
			 "alert http any any -> any any (%s sid:1;)\n"
			 "alert http any any -> any any (sid:2;)\n",
			 thresholds[i].option);
		assert_int_equal(parse(&rs, text, strlen(text), NULL, &r), 2);
		assert_memory_equal(&rs.v[0].threshold, &thresholds[i].want,
				    sizeof(thresholds[i].want));
		assert_int_equal(rs.v[1].threshold.type, THRESHOLD_NONE);
		assert_true(threshold_is_valid(&rs.v[0].threshold));
		rules_done(&rs);
	}
}

// Lines: comments, blank lines, CR LF, continuation, byte order mark, no line end at the end of the
// file.
static void test_lines(void **state)
{
	static const char text[] = "\xef\xbb\xbf# comment\r\n"
				   "\r\n"
				   "  #alert http any any -> any any (sid:99;)\r\n"
				   "alert http any any -> any any (sid:1;)\r\n"
				   "\talert http any any -> \\\r\n"
				   "  any any (content:\"a\"; \\\n"
				   "sid:2;)\n"
				   "alert http any any -> any any ( \\\n"
				   "  sid:3; \\\n"
				   " nocase;)\n"
				   "alert udp any any -> any any (sid:5;)\n"
				   "alert http any any -> any any (sid:1; rev:2;)\n"
				   "alert http any any -> any any (sid:1; gid:2;)\n"
				   "alert http any any -> any any (sid:4;)";
	struct rules rs = {0};
	struct reports r;

	assert_int_equal(parse(&rs, text, sizeof(text) - 1, NULL, &r), 4);
	assert_int_equal(rs.v[0].line, 4);
	assert_int_equal(rs.v[1].line, 5);
	assert_int_equal(rs.v[1].matches[0].column, 12);
	assert_int_equal(rs.v[2].gid, 2);
	assert_int_equal(rs.v[3].sid, 4);
	assert_int_equal(r.n, 3);
	// the bad word of a continued rule is where it stands in the file
	assert_int_equal(r.sid[0], 3);
	assert_int_equal(r.diag[0].line, 10);
	assert_int_equal(r.diag[0].column, 2);
	assert_int_equal(r.verdict[1], RULES_SKIPPED);
	assert_int_equal(r.sid[1], 5);
	assert_non_null(strstr(r.diag[1].text, "\"udp\" is not inspected"));
	assert_int_equal(r.verdict[2], RULES_REFUSED);
	assert_non_null(strstr(r.diag[2].text, "sid 1 is already in the set (t.rules:4)"));
	assert_int_equal(rs.seen, 7);
	assert_int_equal(rs.refused, 2);
	assert_int_equal(rs.skipped, 1);
	assert_int_equal(rs.n_skipped_by, 1);
	assert_string_equal(rs.skipped_by[0].proto, "udp");
	assert_int_equal(rs.skipped_by[0].n, 1);
	// the same sid from another file, into the same set
	assert_int_equal(parse(&rs, "alert tcp any any -> any any (sid:4;)", 37, NULL, &r), 0);
	assert_int_equal(r.n, 1);
	rules_done(&rs);
}

// What stands before the options, and what it makes of the rule.
static void test_header(void **state)
{
	static const struct {
		const char *head;
		enum rule_action action;
		enum rule_proto proto;
		enum rule_family family;
		bool packets;
	} cases[] = {
		{"alert http", RULE_ALERT, RULE_PROTO_HTTP, RULE_FAMILY_ANY, false},
		{"pass http1", RULE_PASS, RULE_PROTO_HTTP, RULE_FAMILY_ANY, false},
		{"alert http2", RULE_ALERT, RULE_PROTO_HTTP, RULE_FAMILY_ANY, false},
		{"alert websocket", RULE_ALERT, RULE_PROTO_WEBSOCKET, RULE_FAMILY_ANY, false},
		{"drop tcp", RULE_DROP, RULE_PROTO_TCP, RULE_FAMILY_ANY, false},
		{"reject tcp-stream", RULE_REJECT, RULE_PROTO_TCP, RULE_FAMILY_ANY, false},
		{"rejectsrc tcp-pkt", RULE_REJECT, RULE_PROTO_TCP, RULE_FAMILY_ANY, true},
		{"rejectdst ip", RULE_REJECT_DST, RULE_PROTO_TCP, RULE_FAMILY_ANY, false},
		{"rejectboth ip4", RULE_REJECT_BOTH, RULE_PROTO_TCP, RULE_FAMILY_IPV4, false},
		{"alert ipv6", RULE_ALERT, RULE_PROTO_TCP, RULE_FAMILY_IPV6, false},
	};

	for (size_t i = 0; i < N(cases); i++) {
		struct rules rs = {0};
		struct reports r;
		char text[128];

		snprintf(text, sizeof(text), "%s any any -> any any (sid:1;)", cases[i].head);
		assert_int_equal(parse(&rs, text, strlen(text), NULL, &r), 1);
		assert_int_equal(rs.v[0].action, cases[i].action);
		assert_int_equal(rs.v[0].proto, cases[i].proto);
		assert_int_equal(rs.v[0].family, cases[i].family);
		assert_int_equal(rs.v[0].packets, cases[i].packets);
		rules_done(&rs);
	}
}

// ---- docs/RULES.md ----

enum { WORDS_MAX = 256 };

struct words {
	char v[WORDS_MAX][64];
	size_t n;
};

static bool words_has(const struct words *w, const char *word)
{
	for (size_t i = 0; i < w->n; i++)
		if (strcmp(w->v[i], word) == 0)
			return true;
	return false;
}

static void words_add(struct words *w, const char *s, size_t n)
{
	assert_true(w->n < WORDS_MAX && n < sizeof(w->v[0]));
	memcpy(w->v[w->n], s, n);
	w->v[w->n++][n] = '\0';
}

// The keywords of a cell: what stands in backticks, up to the colon. sticky: each also with "_" for ".".
static void cell_words(struct words *w, const char *s, const char *end, bool sticky)
{
	while ((s = memchr(s, '`', (size_t)(end - s))) != NULL) {
		const char *to = memchr(s + 1, '`', (size_t)(end - s - 1));
		size_t n = strcspn(++s, ":;` ");

		assert_non_null(to);
		if (n > 1)
			words_add(w, s, n);
		if (n > 1 && sticky) {
			words_add(w, s, n);
			for (char *c = w->v[w->n - 1]; *c != '\0'; c++)
				*c = *c == '.' ? '_' : *c;
		}
		s = to + 1;
	}
}

// First columns of the tables that begin with "| keyword |", and second ones where these are old spellings.
static void doc_words(struct words *w)
{
	FILE *f = fopen("docs/RULES.md", "r");
	char line[4096];
	bool in = false, old = false;

	assert_non_null(f);
	while (fgets(line, sizeof(line), f) != NULL) {
		const char *end = strstr(line + 1, " | "), *stop;

		if (strncmp(line, "| keyword |", 11) == 0) {
			in = true;
			old = strstr(line, "| old spelling |") != NULL;
		} else if (line[0] != '|') {
			in = false;
		} else if (in && strncmp(line, "|--", 3) != 0) {
			assert_non_null(end);
			stop = strstr(end + 2, "| ");
			assert_non_null(stop);
			cell_words(w, line + 2, end,
				   old && memmem(end, (size_t)(stop - end), "sticky", 6) != NULL);
			if (old)
				cell_words(w, end + 2, stop, false);
		}
	}
	fclose(f);
}

// Every keyword stands in docs/RULES.md, and what stands there is one.
static void test_documented(void **state)
{
	static struct words doc, known;

	doc_words(&doc);
	for (size_t i = 0; rules_keyword(i) != NULL; i++)
		words_add(&known, rules_keyword(i), strlen(rules_keyword(i)));
	assert_true(known.n > 100);
	for (size_t i = 0; i < known.n; i++)
		if (!words_has(&doc, known.v[i]))
			fail_msg("%s is not in docs/RULES.md", known.v[i]);
	for (size_t i = 0; i < doc.n; i++)
		if (!words_has(&known, doc.v[i]) && strcmp(doc.v[i], "dest_ip") != 0)
			fail_msg("docs/RULES.md: %s is no keyword", doc.v[i]);
}

// Rules for other protocols are counted by protocol, whatever they are written like.
static void test_skipped(void **state)
{
	static const char text[] = "alert udp any any -> any any (sid:1;)\n"
				   "alert DNS any any -> any any (sid:2;)\n"
				   "alert dns any any -> any any (what is this)\n"
				   "alert sctp any any -> any any (sid:3;)\n"
				   "alert dns any any -> any any (sid:4;)\n"
				   "alert tcp any any -> any any (sid:5;)\n";
	struct rules rs = {0};
	struct reports r;

	assert_int_equal(parse(&rs, text, sizeof(text) - 1, NULL, &r), 1);
	assert_int_equal(rs.skipped, 5);
	assert_int_equal(rs.n_skipped_by, 3);
	assert_string_equal(rs.skipped_by[0].proto, "udp");
	assert_int_equal(rs.skipped_by[0].n, 1);
	assert_string_equal(rs.skipped_by[1].proto, "dns");
	assert_int_equal(rs.skipped_by[1].n, 3);
	assert_string_equal(rs.skipped_by[2].proto, "sctp");
	assert_int_equal(rs.skipped_by[2].n, 1);
	rules_done(&rs);
}

static char *repeat(char *to, const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		to = stpcpy(to, s);
	return to;
}

static void test_limits(void **state)
{
	static const struct {
		const char *head, *unit;
		size_t n;
		const char *tail;
		int loads;
		const char *why;
	} table[] = {
		{"content:\"", "a", 1024, "\";", 1, NULL},
		{"content:\"", "a", 1025, "\";", 0, "1025 bytes"},
		{"content:\"", "|61|", 1025, "\";", 0, "1025 bytes"},
		{"pcre:\"/", "a", 4096, "/\";", 1, NULL},
		{"pcre:\"/", "a", 4097, "/\";", 0, "4097 bytes"},
		{"pcre:\"/", "(", 3000, "/\";", 0, "pcre: "},
		{"", "content:\"a\";", 256, "", 1, NULL},
		{"", "content:\"a\";", 257, "", 0, "more than 256"},
		{"metadata:", "a b,", 16000, "c d;", 1, NULL},
		{"metadata:", "a b,", 17000, "c d;", 0, "more than 65536 bytes"},
		{"", "\\\n", 70000, "", 1, NULL}, // many lines, few bytes
		{"", "content:\"a\"; \\\n", 200, "", 1, NULL},
	};
	char *text = malloc(1 << 18);

	assert_non_null(text);
	for (size_t i = 0; i < N(table); i++) {
		struct rules rs = {0};
		struct reports r;
		char *end = stpcpy(text, "alert http any any -> any any (sid:1; ");

		end = stpcpy(end, table[i].head);
		end = repeat(end, table[i].unit, table[i].n);
		end = stpcpy(end, table[i].tail);
		end = stpcpy(end, ")");
		assert_int_equal(parse(&rs, text, (size_t)(end - text), NULL, &r), table[i].loads);
		assert_int_equal(r.n, 1 - table[i].loads);
		if (table[i].why != NULL)
			assert_non_null(strstr(r.diag[0].text, table[i].why));
		rules_done(&rs);
	}
	free(text);
}

static void test_too_many(void **state)
{
	const size_t n = 100003;
	char *text = malloc(n * 48), *end = text;
	struct rules rs = {0};
	struct reports r;

	assert_non_null(text);
	for (size_t i = 1; i <= n; i++)
		end += sprintf(end, "alert tcp any any -> any any (sid:%zu;)\n", i);
	assert_int_equal(parse(&rs, text, (size_t)(end - text), NULL, &r), 100000);
	assert_int_equal(r.n, 1);
	assert_int_equal(r.diag[0].line, 100001);
	assert_non_null(strstr(r.diag[0].text, "more than 100000 rules: this one and all"));
	rules_done(&rs);
	end = text;
	for (size_t i = 1; i <= n; i++)
		end = stpcpy(end, "alert tcp any any -> any any (;)\n");
	assert_int_equal(parse(&rs, text, (size_t)(end - text), NULL, &r), 0);
	assert_int_equal(r.n, 100001);
	assert_int_equal(rs.refused, 100001);
	rules_done(&rs);
	free(text);
}

static void test_binary(void **state)
{
	static const char text[] =
		"alert http any any -> any\0any (sid:1;)\nalert http any any -> any any (sid:2;)\n";
	struct rules rs = {0};
	struct reports r;

	assert_int_equal(parse(&rs, text, sizeof(text) - 1, NULL, &r), 1);
	assert_int_equal(r.n, 1);
	assert_int_equal(r.diag[0].column, 26);
	assert_non_null(strstr(r.diag[0].text, "NUL byte"));
	rules_done(&rs);
	// control bytes of the file never reach a message
	assert_int_equal(parse(&rs, "\x1b[2J http any any -> any any (sid:1;)", 37, NULL, &r), 0);
	assert_null(strchr(r.diag[0].text, '\x1b'));
	rules_done(&rs);
	assert_int_equal(parse(&rs, "", 0, NULL, &r), 0);
	assert_int_equal(rs.seen, 0);
	rules_done(&rs);
}

// Every prefix of a rule with everything in it, and the rule without each one of its bytes: never
// more than one verdict, never a read outside (sanitizers), and no prefix loads.
static void test_cut(void **state)
{
	static const char rule[] = "alert http [$HOME_NET,!10.0.0.1-10.0.0.9,2001:db8::/32] "
				   "![80,81:90] -> any $HTTP_PORTS (msg:\"a\\;b\"; "
				   "flow:established,to_server; content:\"a|0D 0a|\\\"b\"; "
				   "http_uri; nocase; offset:1; depth:9; "
				   "http.header; content:!\"x\"; within:5; pcre:\"/a(b)?\\/c/iR, "
				   "flow:x\"; content:\"yy\"; fast_pattern:0,1; "
				   "reference:url,x.y; metadata:a b, c d; classtype:bad-unknown; "
				   "priority:2; target:src_ip; sid:1; rev:2;)";
	char copy[sizeof(rule)];
	struct reports r;

	for (size_t len = 0; len <= sizeof(rule) - 1; len++) {
		struct rules rs = {0};
		bool whole = len == sizeof(rule) - 1;

		assert_int_equal(parse(&rs, rule, len, NULL, &r), whole);
		assert_int_equal(r.n, !whole && len > 0);
		rules_done(&rs);
	}
	for (size_t i = 0; i < sizeof(rule) - 1; i++) {
		struct rules rs = {0};
		int n;

		memcpy(copy, rule, i);
		memcpy(copy + i, rule + i + 1, sizeof(rule) - 2 - i);
		n = parse(&rs, copy, sizeof(rule) - 2, NULL, &r);
		assert_int_equal(n + (int)r.n, 1);
		rules_done(&rs);
	}
}

static void test_file(void **state)
{
	char dir[] = "/tmp/wireglass-test-XXXXXX", path[64];
	struct rules rs = {0};
	struct reports r = {0};
	struct diag diag;
	FILE *f;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/a.rules", dir);
	assert_int_equal(rules_parse_file(&rs, path, NULL, report, &r, &diag), -ENOENT);
	assert_string_equal(diag.file, path);
	assert_int_equal(rules_parse_file(&rs, dir, NULL, report, &r, &diag), -EISDIR);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs("alert http any any -> any any (sid:1;)\n", f);
	fclose(f);
	assert_int_equal(rules_parse_file(&rs, path, NULL, NULL, NULL, &diag), 1);
	assert_string_equal(rs.v[0].file, path);
	assert_int_equal(truncate(path, 300 << 20), 0); // sparse
	assert_int_equal(rules_parse_file(&rs, path, NULL, NULL, NULL, &diag), -EFBIG);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(dir), 0);
	rules_done(&rs);
}

// Every report names what it is about.
static void test_keyword(void **state)
{
	static const struct {
		const char *text, *keyword;
	} cases[] = {
		{"alert dns any any -> any any (sid:1;)", "dns"},
		{"alert htttp any any -> any any (sid:1;)", "htttp"},
		{"alert http $NONE any -> any any (sid:1;)", ""},
		{"alert http any any -> any any (content:\"a\"; Foo.Bar; sid:1;)", "foo.bar"},
		{"alert http any any -> any any (content:\"a\"; depth:x; sid:1;)", "depth"},
		{"alert http any any -> any any (pcre:\"/(/\"; sid:1;)", "pcre"},
		{"alert http any any -> any any (content:\"a\"; \"; sid:1;)", ""},
		{"alert http any any -> any any (msg:\"a\"; http.uri; sid:1;)", "http.uri"},
		{"alert http any any -> any any (content:\"a\"; sid:1;", ""},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct reports r;
		struct rules rs = {0};

		assert_int_equal(parse(&rs, cases[i].text, strlen(cases[i].text), NULL, &r), 0);
		assert_int_equal(r.n, 1);
		if (strcmp(r.diag[0].keyword, cases[i].keyword) != 0)
			print_error("%s: %s\n", cases[i].text, r.diag[0].text);
		assert_string_equal(r.diag[0].keyword, cases[i].keyword);
		rules_done(&rs);
	}
}

// The example that ships loads as a whole (tests run at the top of the source tree).
static void test_examples(void **state)
{
	struct reports r = {0};
	struct rules rs = {0};
	struct diag diag;
	int n = rules_parse_file(&rs, "rules/examples/demo.rules", NULL, report, &r, &diag);

	if (n < 0 || r.n > 0)
		print_error("%s\n", n < 0 ? diag.text : r.diag[0].text);
	assert_int_equal(r.n, 0);
	assert_true(n >= 8);
	rules_done(&rs);
}

static void test_alloc(void **state)
{
	struct rules rs = {0};
	uint8_t *last = NULL;

	for (size_t i = 0; i < 3000; i++) {
		uint8_t *p = rules_alloc(&rs, i);

		assert_non_null(p);
		assert_int_equal((uintptr_t)p % 8, 0);
		for (size_t k = 0; k < i; k++)
			assert_int_equal(p[k], 0);
		memset(p, 0xff, i);
		if (last != NULL && i > 1)
			assert_int_equal(last[i - 2], 0xff);
		last = p;
	}
	assert_non_null(rules_alloc(&rs, 1 << 20));
	assert_null(rules_alloc(&rs, SIZE_MAX));
	assert_null(rules_alloc(&rs, ((size_t)1 << 30) + 1));
	rules_done(&rs);
	assert_null(rs.arena);
	rules_done(&rs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_header),
		cmocka_unit_test(test_skipped),
		cmocka_unit_test(test_documented),
		cmocka_unit_test(test_loads),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_address_members),
		cmocka_unit_test(test_ports),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_thresholds),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_binary),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_file),
		cmocka_unit_test(test_examples),
		cmocka_unit_test(test_alloc),
		cmocka_unit_test(test_keyword),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

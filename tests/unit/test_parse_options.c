// SPDX-License-Identifier: BSD-2-Clause
// Options of rules: what loads, and what is refused and why.
#include "tests/unit/parsekit.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_loads),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

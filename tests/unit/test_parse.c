// SPDX-License-Identifier: BSD-2-Clause
// The rule parser: what loads is described in one line and compared, what does not must say why and
// where.
#include "tests/unit/parsekit.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_header),     cmocka_unit_test(test_skipped),
		cmocka_unit_test(test_documented), cmocka_unit_test(test_fields),
		cmocka_unit_test(test_thresholds), cmocka_unit_test(test_lines),
		cmocka_unit_test(test_file),       cmocka_unit_test(test_examples),
		cmocka_unit_test(test_keyword),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: BSD-2-Clause
// Segments in, stream out. Each script runs on a flow of its own; behind every segment the books must balance and the
// queue must be what the pool says. In the expected streams '_' is a byte that was skipped, '$' the end of the stream.
#include "tests/unit/tcpkit.h"

static const struct {
	const char *name;
	struct step step[STEPS];
	const char *stream;
	unsigned int conflicts;
	const char *alt;
} scripts[] = {
	{"in order", {{0, "AAAA"}, {4, "BBBB"}}, "AAAABBBB"},
	{"duplicate", {{0, "AAAA"}, {0, "AAAA"}, {4, "B"}}, "AAAAB"},
	{"delivered bytes are final",
	 {{0, "AAAA"}, {0, "XXXX"}, {4, "B"}},
	 "AAAAB",
	 1,
	 "|()XXXX|(XXXXB)"},
	{"retransmission with new bytes behind",
	 {{0, "AAAA"}, {0, "YYYYYYBB"}},
	 "AAAAYYBB",
	 1,
	 "|()YYYYYYBB"},
	{"starts before the next byte", {{0, "AAAA"}, {2, "AABB"}}, "AAAABB"},
	{"keep-alive byte before the first", {{(uint32_t)-1, "Z"}, {0, "AAAA"}}, "AAAA"},
	{"underflow", {{(uint32_t)-4, "YYYYAAAA"}}, "AAAA", 0, "|()YYYYAAAA"},
	{"reversed", {{3, "D"}, {2, "C"}, {1, "B"}, {0, "A"}}, "ABCD"},
	{"two holes", {{2, "C"}, {6, "G"}, {0, "AB"}, {3, "DEF"}}, "ABCDEFG"},
	// What Linux reads: the eleven shapes of overlap behind a hole, measured.
	{"same range", {{4, "BBBB"}, {4, "YYYY"}, {0, "AAAA"}}, "AAAABBBB", 1, "|(AAAA)YYYY"},
	{"same start, longer",
	 {{4, "BBBB"}, {4, "YYYYYY"}, {0, "AAAA"}},
	 "AAAAYYYYYY",
	 1,
	 "|(AAAA)BBBBYY"},
	{"same start, shorter",
	 {{4, "BBBBBB"}, {4, "YYYY"}, {0, "AAAA"}},
	 "AAAABBBBBB",
	 1,
	 "|(AAAA)YYYYBB"},
	{"starts before, ends inside",
	 {{6, "BBBB"}, {4, "YYYY"}, {0, "AAAA"}},
	 "AAAAYYYYBB",
	 1,
	 "|(AAAAYY)BBBB"},
	{"starts before, ends with it",
	 {{6, "BBBB"}, {4, "YYYYYY"}, {0, "AAAA"}},
	 "AAAAYYYYYY",
	 1,
	 "|(AAAAYY)BBBB"},
	{"covers it", {{6, "BB"}, {4, "YYYYYY"}, {0, "AAAA"}}, "AAAAYYYYYY", 1, "|(AAAAYY)BBYY"},
	{"starts inside, ends beyond",
	 {{4, "BBBB"}, {6, "YYYY"}, {0, "AAAA"}},
	 "AAAABBBBYY",
	 1,
	 "|(AAAABB)YYYY"},
	{"inside it", {{4, "BBBBBB"}, {6, "YY"}, {0, "AAAA"}}, "AAAABBBBBB", 1, "|(AAAABB)YYBB"},
	{"fill overlaps queued bytes", {{4, "BBBB"}, {0, "AAAAYY"}}, "AAAAYYBB", 1, "|(AAAA)BBBB"},
	{"fill covers queued bytes", {{4, "BB"}, {0, "AAAAYYYY"}}, "AAAAYYYY", 1, "|(AAAA)BBYY"},
	{"one bridges two",
	 {{2, "BB"}, {6, "CC"}, {0, "YYYYYYYY"}},
	 "YYYYYYYY",
	 2,
	 "|(YY)BBYYYY|(YYYYYY)CC"},
	{"overlap of equal bytes",
	 {{4, "BBBB"}, {2, "AABB"}, {6, "BBCC"}, {0, "AA"}},
	 "AAAABBBBCC"},
	{"covers two of three",
	 {{2, "BB"}, {5, "CC"}, {8, "DD"}, {1, "YYYYYY"}, {0, "A"}, {7, "E"}},
	 "AYYYYYYEDD",
	 2,
	 "|(AY)BBYYY|(AYYYY)CC|(AYBBYYYE)|(AYYYYCCE)|(AYBBYYYEDD)|(AYYYYCCEDD)"},
	// The end of the stream.
	{"end in order", {{0, "AAAA"}, {4, "", F}}, "AAAA$"},
	{"end with data", {{0, "AAAA", F}}, "AAAA$"},
	{"end twice", {{0, "AAAA", F}, {4, "", F}, {0, "AAAA", F}}, "AAAA$"},
	{"end before its data", {{4, "", F}, {0, "AAAA"}}, "AAAA$"},
	{"end with data before the rest", {{4, "BBBB", F}, {0, "AAAA"}}, "AAAABBBB$"},
	{"end on a segment queued without",
	 {{4, "BBBB"}, {4, "BBBB", F}, {0, "AAAA"}},
	 "AAAABBBB$"},
	{"end without data on a queued segment", {{4, "BB"}, {6, "", F}, {0, "AAAA"}}, "AAAABB$"},
	{"end with data delivered already", {{0, "AAAA"}, {0, "AAAA", F}}, "AAAA$"},
	{"early end overrun by data", {{4, "", F}, {0, "AAAABBBB"}}, "AAAABBBB"},
	{"early end overrun in pieces", {{4, "", F}, {2, "AABBBB"}, {0, "AA"}}, "AAAABBBB"},
	{"end of a covered segment overrun",
	 {{6, "B", F}, {4, "YYYYYY"}, {0, "AAAA"}},
	 "AAAAYYYYYY",
	 1,
	 "|(AAAAYY)BYYY"},
	{"data behind the end",
	 {{0, "AAAA", F}, {4, "YYYY"}, {2, "AAYY"}},
	 "AAAA$",
	 0,
	 "|(AAAA)YYYY|(AA)AAYY"},
	{"queued data behind the end",
	 {{6, "YYYY"}, {3, "BY"}, {0, "AAAA", F}},
	 "AAAA$",
	 0,
	 "|(AAA)BY|()YYYY"},
	{"queued end, queued data behind it",
	 {{2, "AA", F}, {6, "YY"}, {0, "AA"}},
	 "AAAA$",
	 0,
	 "|()YY"},
	// What the host does not take.
	{"no ACK", {{0, "YYYY", TCP_PSH}, {0, "AAAA"}}, "AAAA", 0, "|()YYYY"},
	{"end without ACK", {{0, "YYYY", TCP_FIN}, {0, "AAAA"}}, "AAAA", 0, "|()YYYY"},
	{"signed data", {{0, "YYYY", A | MD5}, {0, "AAAA"}}, "AAAA", 0, "|()YYYY"},
	{"signed end", {{0, "", F | MD5}, {0, "AAAA"}}, "AAAA"},
	{"SYN inside, at the next byte", {{0, "YYYY", TCP_SYN}, {0, "AAAA"}}, "AAAA", 0, "|()YYYY"},
	{"SYN inside, far away", {{5000000, "YYYY", TCP_SYN}, {0, "AAAA"}}, "AAAA", 0, "|()YYYY"},
	{"SYN and ACK inside", {{0, "YYYY", TCP_SYN | TCP_ACK}, {0, "AAAA"}}, "AAAA", 0, "|()YYYY"},
	{"SYN and FIN inside", {{0, "YYYY", TCP_SYN | TCP_FIN}, {0, "AAAA"}}, "AAAA", 0, "|()YYYY"},
	{"out of the window", {{0x100000, "YYYY"}, {0, "AAAA"}}, "AAAA", 0, "|()YYYY"},
	{"RST in the window, not exact", {{1, "", TCP_RST}, {0, "AAAA"}}, "AAAA"},
	{"RST far away", {{100000, "", TCP_RST}, {0, "AAAA"}}, "AAAA"},
	{"RST exact: read on what comes", {{0, "", TCP_RST}, {0, "AAAA"}}, "AAAA"},
	{"urgent without a pointer: the first byte",
	 {{0, "ZAABB", A | TCP_URG}},
	 "AABB",
	 0,
	 "|()ZAABB"},
	{"odd flags", {{0, "AAAA", A | 0x40}}, "AAAA"},
};

static void run_script(struct rig *r, size_t i, uint32_t isn)
{
	rig_reset(r, isn, CELLS);
	rig_handshake(r);
	for (int k = 0; k < STEPS && scripts[i].step[k].data != NULL; k++)
		run_step(r, &scripts[i].step[k]);
	expect_stream(scripts[i].name, r, DIR_TO_SERVER, scripts[i].stream);
	if (strcmp(r->alt, scripts[i].alt != NULL ? scripts[i].alt : "") != 0)
		print_error("%s: other readings %s\n", scripts[i].name, r->alt);
	if (r->c.v[CNT_TCP_OVERLAP_DIFF] != scripts[i].conflicts)
		print_error("%s: conflicts\n", scripts[i].name);
	assert_string_equal(r->alt, scripts[i].alt != NULL ? scripts[i].alt : "");
	assert_int_equal(r->c.v[CNT_TCP_OVERLAP_DIFF], scripts[i].conflicts);
	assert_int_equal(r->c.v[CNT_TCP_GAPS], 0);
	rig_flush(r);
}

static void test_scripts(void **state)
{
	struct rig r;

	rig_init(&r, 1000, CELLS);
	for (size_t i = 0; i < N(scripts); i++)
		run_script(&r, i, 1000);
	rig_done(&r);
}

// What Linux reads depends on the shape of its tree, which decides what it joins: random sequences that a kernel has read as in
// other, made smaller. Every eight bytes of that must be scanned in one piece.
static const struct {
	const char *name;
	struct step step[STEPS];
	const char *stream, *other;
} joined[] = {
	{"to another than the one before",
	 {{4, "PQRS"}, {6, "TUVWXY"}, {8, "Zabcd"}, {0, "0123456789"}},
	 "0123456789XYd",
	 "0123456789bcd"},
	{"with more behind it",
	 {{1, "abcde"}, {2, "fghijk"}, {8, "lmn"}, {6, "opq"}, {0, "012345"}, {10, "rstuvwxyz"}},
	 "012345jklmnstuvwxyz",
	 "012345opqmnstuvwxyz"},
	{"behind an early end, as if it took no place",
	 {{1, "D", F}, {2, "EFGHIJKLMN"}, {3, "abcdefghij"}, {0, "0123456789"}},
	 "0123456789MNj",
	 "0123456789ij"},
};

static void expect_scanned(const char *name, const struct rig *r, const char *text)
{
	char all[sizeof(r->alt)], window[9];
	size_t n = 0;

	for (size_t i = 0; i < r->n_alt; i++)
		if (r->alt[i] != '(' && r->alt[i] != ')')
			all[n++] = r->alt[i];
	all[n] = '\0';
	for (; strlen(text) >= 8; text++) {
		snprintf(window, sizeof(window), "%s", text);
		if (strstr(all, window) == NULL && strstr((const char *)r->out[0], window) == NULL)
			fail_msg("%s: %s is not in %s", name, window, all);
	}
}

static void test_joined(void **state)
{
	struct rig r;

	rig_init(&r, 1000, CELLS);
	for (size_t i = 0; i < N(joined); i++) {
		rig_reset(&r, 1000, CELLS);
		rig_handshake(&r);
		for (int k = 0; k < STEPS && joined[i].step[k].data != NULL; k++)
			run_step(&r, &joined[i].step[k]);
		expect_stream(joined[i].name, &r, DIR_TO_SERVER, joined[i].stream);
		expect_scanned(joined[i].name, &r, joined[i].other);
		rig_flush(&r);
	}
	rig_done(&r);
}

// What follows another reading in the stream is read behind it, too, when its receiver has acknowledged something meanwhile.
static void test_other_reading_goes_on(void **state)
{
	struct pkt ack;
	struct rig r;

	rig_init(&r, 1000, CELLS);
	rig_handshake(&r);
	run_step(&r, &(struct step){2, "BB"});
	run_step(&r, &(struct step){0, "aabb"});
	ack = segment(&r, DIR_TO_CLIENT, 0, TCP_ACK, "", 0);
	rig_pkt(&r, DIR_TO_CLIENT, &ack);
	run_step(&r, &(struct step){4, "cc"});
	run_step(&r, &(struct step){6, "dd"});
	assert_string_equal(r.alt, "|(aa)BB|(aaBBcc)|(aaBBccdd)");
	rig_flush(&r);
	rig_done(&r);
}

// The same, with the wrap of the sequence numbers at every place of every script.
static void test_scripts_at_the_wrap(void **state)
{
	struct rig r;

	rig_init(&r, 0, CELLS);
	for (uint32_t k = 0; k <= 512; k++)
		for (size_t i = 0; i < N(scripts); i++)
			run_script(&r, i, 0xffffff00 + k);
	rig_done(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scripts),
		cmocka_unit_test(test_scripts_at_the_wrap),
		cmocka_unit_test(test_joined),
		cmocka_unit_test(test_other_reading_goes_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

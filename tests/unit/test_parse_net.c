// SPDX-License-Identifier: BSD-2-Clause
// Addresses and ports of rules.
#include "tests/unit/parsekit.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_address_members),
		cmocka_unit_test(test_ports),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

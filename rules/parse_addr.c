// SPDX-License-Identifier: BSD-2-Clause
// One address, prefix, netmask or range as prefixes. IPv4 lives in the mapped block ::ffff:0:0/96
// (RFC 4291 2.5.5.2), so an IPv6 range that contains this block is cut in two around it: ::/0 means
// every IPv6 address and no IPv4 one.
#include "rules/parse_rule.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

typedef unsigned __int128 u128;

#define MAPPED_FIRST ((u128)0xffff << 32)
#define MAPPED_LAST  (MAPPED_FIRST | 0xffffffff)

static void addr_store(u128 a, uint8_t ret_bytes[16])
{
	for (int i = 15; i >= 0; i--) {
		ret_bytes[i] = (uint8_t)a;
		a >>= 8;
	}
}

static u128 addr_load(const uint8_t bytes[16])
{
	u128 a = 0;

	for (int i = 0; i < 16; i++)
		a = a << 8 | bytes[i];
	return a;
}

// 4 or 6, or -EINVAL.
static int addr_parse(struct text t, u128 *ret_addr)
{
	char buf[INET6_ADDRSTRLEN];
	uint8_t bytes[16];
	struct in_addr v4;

	if (t.n == 0 || t.n >= sizeof(buf))
		return -EINVAL;
	memcpy(buf, t.s, t.n);
	buf[t.n] = '\0';
	if (inet_pton(AF_INET, buf, &v4) == 1) {
		*ret_addr = MAPPED_FIRST | ntohl(v4.s_addr);
		return 4;
	}
	if (inet_pton(AF_INET6, buf, bytes) == 1) {
		*ret_addr = addr_load(bytes);
		return *ret_addr >= MAPPED_FIRST && *ret_addr <= MAPPED_LAST ? 4 : 6;
	}
	return -EINVAL;
}

// Cover first..last with as few prefixes as there are. Returns their number, 254 at most.
static int range_prefixes(u128 first, u128 last, struct rule_addr *ret_prefix)
{
	int n = 0;

	for (;;) {
		unsigned int host = 0; // bits of the largest block that starts at first and fits
		u128 end;

		while (host < 128) {
			u128 wider = host == 127 ? ~(u128)0 : ((u128)2 << host) - 1;

			if ((first & wider) != 0 || wider > last - first)
				break;
			host++;
		}
		addr_store(first, ret_prefix[n].prefix);
		ret_prefix[n].len = (uint8_t)(128 - host);
		ret_prefix[n].negated = false;
		n++;
		end = host == 128 ? ~(u128)0 : first + (((u128)1 << host) - 1);
		if (end >= last)
			return n;
		first = end + 1;
	}
}

static int range_emit(int family, u128 first, u128 last, struct rule_addr *ret_prefix)
{
	int n = 0;

	if (family == 4 || last < MAPPED_FIRST || first > MAPPED_LAST)
		return range_prefixes(first, last, ret_prefix);
	if (first < MAPPED_FIRST)
		n = range_prefixes(first, MAPPED_FIRST - 1, ret_prefix);
	if (last > MAPPED_LAST)
		n += range_prefixes(MAPPED_LAST + 1, last, ret_prefix + n);
	return n;
}

// "24", "255.255.255.0" -> bits of the family's prefix, or -EINVAL.
static int mask_parse(int family, struct text t)
{
	int64_t bits;
	u128 mask;

	if (text_number(t, 0, family == 4 ? 32 : 128, &bits) == 0)
		return (int)bits;
	if (family == 4 && memchr(t.s, '.', t.n) != NULL && addr_parse(t, &mask) == 4) {
		uint32_t host = ~(uint32_t)mask;

		if ((host & (host + 1)) == 0)
			return 32 - __builtin_popcount(host);
	}
	return -EINVAL;
}

int addr_prefixes(struct text t, struct rule_addr ret_prefix[ADDR_PREFIXES_MAX],
		  const char **ret_why)
{
	const char *slash = memchr(t.s, '/', t.n), *dash = memchr(t.s, '-', t.n);
	struct text first_text = t;
	u128 first, last;
	int family, bits;

	if (slash != NULL)
		first_text.n = (size_t)(slash - t.s);
	else if (dash != NULL)
		first_text.n = (size_t)(dash - t.s);
	family = addr_parse(text_trim(first_text), &first);
	last = first;
	*ret_why = "is not an IPv4 or IPv6 address, prefix or range";
	if (family < 0)
		return -EINVAL;
	if (slash != NULL) {
		u128 host;

		bits = mask_parse(family,
				  text_trim((struct text){slash + 1, t.n - first_text.n - 1}));
		*ret_why = family == 4 ? "has a prefix length that is not 0 to 32"
				       : "has a prefix length that is not 0 to 128";
		if (bits < 0)
			return -EINVAL;
		bits += family == 4 ? 96 : 0;
		host = bits == 0 ? ~(u128)0 : ((u128)1 << (128 - bits)) - 1;
		first &= ~host;
		last = first | host;
	} else if (dash != NULL) {
		struct text last_text = {dash + 1, t.n - first_text.n - 1};

		*ret_why = "is not a range of two addresses of one family, the lower one first";
		if (addr_parse(text_trim(last_text), &last) != family || last < first)
			return -EINVAL;
	}
	return range_emit(family, first, last, ret_prefix);
}

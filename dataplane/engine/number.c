// SPDX-License-Identifier: BSD-2-Clause
// No state, no surprise: every length is checked, arithmetic is unsigned and wraps, shifts beyond 63 bits give zero.
#include "dataplane/engine/number.h"

static bool read_binary(const struct number *n, struct span s, uint64_t bytes, uint64_t *ret_value)
{
	uint64_t v = 0;

	if (bytes == 0 || bytes > NUMBER_BINARY_MAX || bytes > s.len)
		return false;
	for (uint64_t i = 0; i < bytes; i++) {
		uint64_t at = (n->flags & NUMBER_LITTLE) != 0 ? bytes - 1 - i : i;

		v = v << 8 | s.data[at];
	}
	*ret_value = v;
	return true;
}

static bool is_blank(uint8_t c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static uint64_t digit_of(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - (uint64_t)'0';
	c = span_lower(c);
	return c >= 'a' && c <= 'f' ? c - (uint64_t)'a' + 10 : 16;
}

// As strtoull() reads: blanks, a sign, 0x in hex, then digits up to the first other character; too large is no number.
static bool read_text(const struct number *n, struct span s, uint64_t *ret_value, size_t *ret_used)
{
	uint64_t v = 0;
	bool negative = false, any = false;
	size_t i = 0;

	while (i < s.len && is_blank(s.data[i]))
		i++;
	if (i < s.len && (s.data[i] == '-' || s.data[i] == '+'))
		negative = s.data[i++] == '-';
	if (n->base == 16 && i + 2 < s.len && s.data[i] == '0' &&
	    span_lower(s.data[i + 1]) == 'x' && digit_of(s.data[i + 2]) < 16)
		i += 2;
	for (; i < s.len && digit_of(s.data[i]) < n->base; i++, any = true)
		if (__builtin_mul_overflow(v, n->base, &v) ||
		    __builtin_add_overflow(v, digit_of(s.data[i]), &v))
			return false;
	*ret_value = negative ? 0 - v : v;
	*ret_used = i;
	return any;
}

bool number_read(const struct number *n, struct span s, uint64_t bytes, uint64_t *ret_value,
		 size_t *ret_used)
{
	if (n->base == 0) {
		*ret_used = (size_t)bytes;
		return read_binary(n, s, bytes, ret_value);
	}
	if (bytes > NUMBER_STRING_MAX || bytes > s.len)
		return false;
	if (bytes == 0)
		bytes = s.len < NUMBER_STRING_MAX ? s.len : NUMBER_STRING_MAX;
	return read_text(n, span_first(s, (size_t)bytes), ret_value, ret_used);
}

uint64_t number_mask(const struct number *n, uint64_t value)
{
	if (n->bitmask == 0)
		return value;
	return (value & n->bitmask) >> __builtin_ctz(n->bitmask);
}

bool number_test(const struct number *n, uint64_t x, uint64_t operand)
{
	switch (n->op) {
	case NUMBER_EQ:
		return x == operand;
	case NUMBER_NE:
		return x != operand;
	case NUMBER_LT:
		return x < operand;
	case NUMBER_LE:
		return x <= operand;
	case NUMBER_GT:
		return x > operand;
	case NUMBER_GE:
		return x >= operand;
	case NUMBER_INSIDE:
		return x > operand && x < n->value2;
	case NUMBER_OUTSIDE:
		return x <= operand || x >= n->value2;
	case NUMBER_AND:
		return (x & operand) != 0;
	case NUMBER_XOR:
		return (x ^ operand) != 0;
	}
	return false;
}

bool number_calculate(const struct number *n, uint64_t x, uint64_t operand, uint64_t *ret_value)
{
	switch (n->op) {
	case NUMBER_ADD:
		x += operand;
		break;
	case NUMBER_SUB:
		x -= operand;
		break;
	case NUMBER_MUL:
		x *= operand;
		break;
	case NUMBER_DIV:
		if (operand == 0)
			return false;
		x /= operand;
		break;
	case NUMBER_SHL:
		x = operand < 64 ? x << operand : 0;
		break;
	case NUMBER_SHR:
		x = operand < 64 ? x >> operand : 0;
		break;
	default:
		return false;
	}
	*ret_value = x;
	return true;
}

uint64_t number_align(const struct number *n, uint64_t x)
{
	return n->align > 1 && x % n->align != 0 ? x + (n->align - x % n->align) : x;
}

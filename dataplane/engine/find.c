// SPDX-License-Identifier: BSD-2-Clause
// Where the first and the last byte of the literal stand at the right distance, the rest is compared: 16 or 32 places at a
// time. AVX2 is asked for once.
#include "dataplane/engine/find.h"

#include <immintrin.h>
#include <string.h>

static bool is_same_nocase(const uint8_t *hay, const uint8_t *needle, size_t len)
{
	for (size_t k = 0; k < len; k++)
		if (span_lower(hay[k]) != needle[k])
			return false;
	return true;
}

bool find_is_at(const uint8_t *p, const uint8_t *literal, size_t len, bool nocase)
{
	return nocase ? is_same_nocase(p, literal, len) : memcmp(p, literal, len) == 0;
}

// A needle, and what is compared at many places at a time: its first and its last byte. Setting bit 5 folds letters; for
// other bytes the mask is zero.
struct needle {
	const uint8_t *bytes;
	size_t len;
	bool nocase;
	uint8_t first, last, fold_first, fold_last;
};

static uint8_t fold_of(uint8_t c, bool nocase)
{
	return nocase && c >= 'a' && c <= 'z' ? 0x20 : 0;
}

// The first place in [from, n - len] that is one, or -1.
static int64_t find_plain(const uint8_t *hay, size_t from, size_t n, const struct needle *x)
{
	for (size_t i = from; i + x->len <= n; i++)
		if ((hay[i] | x->fold_first) == x->first &&
		    find_is_at(hay + i, x->bytes, x->len, x->nocase))
			return (int64_t)i;
	return -1;
}

// SSE2 is part of x86-64.
static int64_t find_sse2(const uint8_t *hay, size_t n, const struct needle *x)
{
	const __m128i f = _mm_set1_epi8((char)x->first), ff = _mm_set1_epi8((char)x->fold_first);
	const __m128i l = _mm_set1_epi8((char)x->last), fl = _mm_set1_epi8((char)x->fold_last);
	size_t i = 0;

	for (; i + x->len + 15 <= n; i += 16) {
		__m128i a = _mm_loadu_si128((const __m128i *)(const void *)(hay + i));
		__m128i b = _mm_loadu_si128((const __m128i *)(const void *)(hay + i + x->len - 1));
		unsigned int at = (unsigned int)_mm_movemask_epi8(
			_mm_and_si128(_mm_cmpeq_epi8(_mm_or_si128(a, ff), f),
				      _mm_cmpeq_epi8(_mm_or_si128(b, fl), l)));

		for (; at != 0; at &= at - 1) {
			size_t p = i + (size_t)__builtin_ctz(at);

			if (find_is_at(hay + p, x->bytes, x->len, x->nocase))
				return (int64_t)p;
		}
	}
	return find_plain(hay, i, n, x);
}

__attribute__((target("avx2"))) static int64_t find_avx2(const uint8_t *hay, size_t n,
							 const struct needle *x)
{
	const __m256i f = _mm256_set1_epi8((char)x->first),
		      ff = _mm256_set1_epi8((char)x->fold_first);
	const __m256i l = _mm256_set1_epi8((char)x->last),
		      fl = _mm256_set1_epi8((char)x->fold_last);
	size_t i = 0;

	for (; i + x->len + 31 <= n; i += 32) {
		__m256i a = _mm256_loadu_si256((const __m256i *)(const void *)(hay + i));
		__m256i b =
			_mm256_loadu_si256((const __m256i *)(const void *)(hay + i + x->len - 1));
		unsigned int at = (unsigned int)_mm256_movemask_epi8(
			_mm256_and_si256(_mm256_cmpeq_epi8(_mm256_or_si256(a, ff), f),
					 _mm256_cmpeq_epi8(_mm256_or_si256(b, fl), l)));

		for (; at != 0; at &= at - 1) {
			size_t p = i + (size_t)__builtin_ctz(at);

			if (find_is_at(hay + p, x->bytes, x->len, x->nocase))
				return (int64_t)p;
		}
	}
	return find_plain(hay, i, n, x);
}

int64_t find_literal(struct span hay, const uint8_t *literal, size_t len, bool nocase)
{
	const struct needle x = {
		.bytes = literal,
		.len = len,
		.nocase = nocase,
		.first = literal[0],
		.last = literal[len - 1],
		.fold_first = fold_of(literal[0], nocase),
		.fold_last = fold_of(literal[len - 1], nocase),
	};

	if (hay.len >= len + 64 && __builtin_cpu_supports("avx2"))
		return find_avx2(hay.data, hay.len, &x);
	return find_sse2(hay.data, hay.len, &x);
}

// SPDX-License-Identifier: BSD-2-Clause
// SSSE3 is what Hyperscan needs at least; AVX2 is asked for once.
#include "dataplane/engine/teddy.h"

#include <immintrin.h>

static void set(struct teddy *t, unsigned int place, uint8_t byte, uint8_t bit)
{
	t->lo[place][byte & 15] |= bit;
	t->hi[place][byte >> 4] |= bit;
}

void teddy_add(struct teddy *t, unsigned int bucket, const uint8_t *bytes, size_t n, int nocase)
{
	const uint8_t bit = (uint8_t)(1u << bucket);

	for (unsigned int i = 0; i < TEDDY_BYTES; i++) {
		if (i >= n) {
			for (unsigned int k = 0; k < 16; k++) {
				t->lo[i][k] |= bit;
				t->hi[i][k] |= bit;
			}
			continue;
		}
		set(t, i, bytes[i], bit);
		if (nocase && bytes[i] >= 'a' && bytes[i] <= 'z')
			set(t, i, bytes[i] & ~0x20u, bit);
	}
}

// About how often a bucket's literals are compared, in parts of 16^(2 * TEDDY_BYTES) places: nibbles taken for independent.
static uint64_t vain(const struct teddy *t, unsigned int bucket, uint32_t n_in)
{
	const int shift = 7 - (int)bucket;
	uint64_t product = n_in;

	for (unsigned int i = 0; i < TEDDY_BYTES; i++) {
		const __m128i lo = _mm_loadu_si128((const void *)t->lo[i]);
		const __m128i hi = _mm_loadu_si128((const void *)t->hi[i]);

		// The bucket's bit moves to the top of each byte; what enters from the byte beside stays below it.
		product *= (unsigned int)__builtin_popcount(
			(unsigned int)_mm_movemask_epi8(_mm_slli_epi16(lo, shift)));
		product *= (unsigned int)__builtin_popcount(
			(unsigned int)_mm_movemask_epi8(_mm_slli_epi16(hi, shift)));
	}
	return product;
}

unsigned int teddy_bucket(const struct teddy *t, const uint32_t n_in[TEDDY_BUCKETS],
			  const uint8_t *bytes, size_t n, int nocase)
{
	uint64_t best_cost = UINT64_MAX;
	unsigned int best = 0;

	for (unsigned int b = 0; b < TEDDY_BUCKETS; b++) {
		struct teddy with = *t;
		uint64_t cost;

		teddy_add(&with, b, bytes, n, nocase);
		cost = vain(&with, b, n_in[b] + 1) - vain(t, b, n_in[b]);
		if (cost < best_cost) {
			best_cost = cost;
			best = b;
		}
	}
	return best;
}

// Which buckets may have the bytes at p at the place that lo and hi are the tables of.
__attribute__((target("ssse3"))) static inline __m128i place16(const uint8_t *p, const uint8_t *lo,
							       const uint8_t *hi)
{
	const __m128i low = _mm_set1_epi8(15), x = _mm_loadu_si128((const void *)p);

	return _mm_and_si128(
		_mm_shuffle_epi8(_mm_loadu_si128((const void *)lo), _mm_and_si128(x, low)),
		_mm_shuffle_epi8(_mm_loadu_si128((const void *)hi),
				 _mm_and_si128(_mm_srli_epi16(x, 4), low)));
}

__attribute__((target("ssse3"))) static size_t
next_ssse3(const struct teddy *t, const uint8_t *data, size_t from, size_t to, uint8_t *ret_buckets)
{
	for (size_t i = from; i < to; i += 16) {
		const __m128i first = place16(data + i, t->lo[0], t->hi[0]);
		const __m128i second = place16(data + i + 1, t->lo[1], t->hi[1]);
		const __m128i third = place16(data + i + 2, t->lo[2], t->hi[2]);
		const __m128i all = _mm_and_si128(_mm_and_si128(first, second), third);
		const unsigned int some =
			(unsigned int)_mm_movemask_epi8(_mm_cmpeq_epi8(all, _mm_setzero_si128())) ^
			0xffff;
		uint8_t buckets[16];

		if (some == 0)
			continue;
		_mm_storeu_si128((void *)buckets, all);
		*ret_buckets = buckets[__builtin_ctz(some)];
		i += (size_t)__builtin_ctz(some);
		return i < to ? i : to;
	}
	return to;
}

__attribute__((target("avx2"))) static inline __m256i place32(const uint8_t *p, const uint8_t *lo,
							      const uint8_t *hi)
{
	const __m256i low = _mm256_set1_epi8(15), x = _mm256_loadu_si256((const void *)p);
	const __m256i l = _mm256_broadcastsi128_si256(_mm_loadu_si128((const void *)lo));
	const __m256i h = _mm256_broadcastsi128_si256(_mm_loadu_si128((const void *)hi));

	return _mm256_and_si256(
		_mm256_shuffle_epi8(l, _mm256_and_si256(x, low)),
		_mm256_shuffle_epi8(h, _mm256_and_si256(_mm256_srli_epi16(x, 4), low)));
}

__attribute__((target("avx2"))) static size_t
next_avx2(const struct teddy *t, const uint8_t *data, size_t from, size_t to, uint8_t *ret_buckets)
{
	for (size_t i = from; i < to; i += 32) {
		const __m256i first = place32(data + i, t->lo[0], t->hi[0]);
		const __m256i second = place32(data + i + 1, t->lo[1], t->hi[1]);
		const __m256i third = place32(data + i + 2, t->lo[2], t->hi[2]);
		const __m256i all = _mm256_and_si256(_mm256_and_si256(first, second), third);
		const unsigned int some = ~(unsigned int)_mm256_movemask_epi8(
			_mm256_cmpeq_epi8(all, _mm256_setzero_si256()));
		uint8_t buckets[32];

		if (some == 0)
			continue;
		_mm256_storeu_si256((void *)buckets, all);
		*ret_buckets = buckets[__builtin_ctz(some)];
		i += (size_t)__builtin_ctz(some);
		return i < to ? i : to;
	}
	return to;
}

size_t teddy_next(const struct teddy *t, const uint8_t *data, size_t from, size_t to,
		  uint8_t *ret_buckets)
{
	if (__builtin_cpu_supports("avx2"))
		return next_avx2(t, data, from, to, ret_buckets);
	return next_ssse3(t, data, from, to, ret_buckets);
}

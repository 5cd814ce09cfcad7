// SPDX-License-Identifier: BSD-2-Clause
// SSSE3 is what Hyperscan needs at least; AVX2 is asked for once.
#include "dataplane/engine/teddy.h"

#include <immintrin.h>
#include <stdbool.h>

static void put(uint8_t table[16], uint8_t *io_n, unsigned int nibble, unsigned int bucket)
{
	*io_n += (table[nibble] >> bucket & 1) == 0;
	table[nibble] |= (uint8_t)(1u << bucket);
}

static bool is_letter(uint8_t c, int nocase)
{
	return nocase && c >= 'a' && c <= 'z';
}

void teddy_add(struct teddy *t, unsigned int bucket, const uint8_t *bytes, size_t n, int nocase)
{
	for (unsigned int i = 0; i < TEDDY_BYTES; i++) {
		uint8_t *n_lo = &t->n_lo[i][bucket], *n_hi = &t->n_hi[i][bucket];

		for (unsigned int k = 0; k < 16 && i >= n; k++) {
			put(t->lo[i], n_lo, k, bucket);
			put(t->hi[i], n_hi, k, bucket);
		}
		if (i >= n)
			continue;
		put(t->lo[i], n_lo, bytes[i] & 15, bucket);
		put(t->hi[i], n_hi, bytes[i] >> 4, bucket);
		// The upper case of a letter has the same low half.
		if (is_letter(bytes[i], nocase))
			put(t->hi[i], n_hi, (bytes[i] >> 4) - 2u, bucket);
	}
}

unsigned int teddy_bucket(const struct teddy *t, const uint32_t n_in[TEDDY_BUCKETS],
			  const uint8_t *bytes, size_t n, int nocase)
{
	uint64_t best_more = UINT64_MAX;
	unsigned int best = 0;

	for (unsigned int b = 0; b < TEDDY_BUCKETS; b++) {
		// How often the bucket's literals are compared, in parts of 16^6 places, without and with this one.
		uint64_t before = n_in[b], after = n_in[b] + 1;

		for (unsigned int i = 0; i < TEDDY_BYTES; i++) {
			const uint32_t lo = t->n_lo[i][b], hi = t->n_hi[i][b];
			const uint8_t c = i < n ? bytes[i] : 0;
			uint32_t more_hi = (t->hi[i][c >> 4] >> b & 1) == 0;

			before *= lo * hi;
			if (i >= n) {
				after *= 16 * 16;
				continue;
			}
			if (is_letter(c, nocase))
				more_hi += (t->hi[i][(c >> 4) - 2] >> b & 1) == 0;
			after *= (lo + ((t->lo[i][c & 15] >> b & 1) == 0)) * (hi + more_hi);
		}
		if (after - before < best_more) {
			best_more = after - before;
			best = b;
		}
	}
	return best;
}

// The places of a block, bits of `some`; buckets: of each of its bytes.
static uint32_t places_add(struct teddy_place places[], uint32_t n, size_t block, size_t to,
			   uint32_t some, const uint8_t *buckets)
{
	for (; some != 0; some &= some - 1) {
		const uint32_t i = (uint32_t)__builtin_ctz(some);

		if (block + i >= to)
			break;
		places[n++] = (struct teddy_place){(uint32_t)(block + i), buckets[i]};
	}
	return n;
}

// Which buckets may have the bytes at p at the place that lo and hi are the tables of.
__attribute__((target("ssse3"))) static inline __m128i place16(const uint8_t *p, __m128i lo,
							       __m128i hi)
{
	const __m128i low = _mm_set1_epi8(15), x = _mm_loadu_si128((const void *)p);

	return _mm_and_si128(_mm_shuffle_epi8(lo, _mm_and_si128(x, low)),
			     _mm_shuffle_epi8(hi, _mm_and_si128(_mm_srli_epi16(x, 4), low)));
}

__attribute__((target("ssse3"))) static uint32_t find_ssse3(const struct teddy *t,
							    const uint8_t *data, size_t from,
							    size_t to, struct teddy_place places[],
							    size_t *ret_next)
{
	__m128i lo[TEDDY_BYTES], hi[TEDDY_BYTES];
	uint32_t n = 0;
	size_t i;

	for (int k = 0; k < TEDDY_BYTES; k++) {
		lo[k] = _mm_loadu_si128((const void *)t->lo[k]);
		hi[k] = _mm_loadu_si128((const void *)t->hi[k]);
	}
	for (i = from; i < to && n + 16 <= TEDDY_PLACES; i += 16) {
		const __m128i all =
			_mm_and_si128(_mm_and_si128(place16(data + i, lo[0], hi[0]),
						    place16(data + i + 1, lo[1], hi[1])),
				      place16(data + i + 2, lo[2], hi[2]));
		const unsigned int some =
			(unsigned int)_mm_movemask_epi8(_mm_cmpeq_epi8(all, _mm_setzero_si128())) ^
			0xffff;
		uint8_t buckets[16];

		if (some == 0)
			continue;
		_mm_storeu_si128((void *)buckets, all);
		n = places_add(places, n, i, to, some, buckets);
	}
	*ret_next = i < to ? i : to;
	return n;
}

__attribute__((target("avx2"))) static inline __m256i place32(const uint8_t *p, __m256i lo,
							      __m256i hi)
{
	const __m256i low = _mm256_set1_epi8(15), x = _mm256_loadu_si256((const void *)p);

	return _mm256_and_si256(
		_mm256_shuffle_epi8(lo, _mm256_and_si256(x, low)),
		_mm256_shuffle_epi8(hi, _mm256_and_si256(_mm256_srli_epi16(x, 4), low)));
}

__attribute__((target("avx2"))) static inline __m256i table32(const uint8_t table[16])
{
	return _mm256_broadcastsi128_si256(_mm_loadu_si128((const void *)table));
}

__attribute__((target("avx2"))) static uint32_t find_avx2(const struct teddy *t,
							  const uint8_t *data, size_t from,
							  size_t to, struct teddy_place places[],
							  size_t *ret_next)
{
	__m256i lo[TEDDY_BYTES], hi[TEDDY_BYTES];
	uint32_t n = 0;
	size_t i;

	for (int k = 0; k < TEDDY_BYTES; k++) {
		lo[k] = table32(t->lo[k]);
		hi[k] = table32(t->hi[k]);
	}
	for (i = from; i < to && n + 32 <= TEDDY_PLACES; i += 32) {
		const __m256i all =
			_mm256_and_si256(_mm256_and_si256(place32(data + i, lo[0], hi[0]),
							  place32(data + i + 1, lo[1], hi[1])),
					 place32(data + i + 2, lo[2], hi[2]));
		const unsigned int some = ~(unsigned int)_mm256_movemask_epi8(
			_mm256_cmpeq_epi8(all, _mm256_setzero_si256()));
		uint8_t buckets[32];

		if (some == 0)
			continue;
		_mm256_storeu_si256((void *)buckets, all);
		n = places_add(places, n, i, to, some, buckets);
	}
	*ret_next = i < to ? i : to;
	return n;
}

uint32_t teddy_find(const struct teddy *t, const uint8_t *data, size_t from, size_t to,
		    struct teddy_place places[], size_t *ret_next)
{
	if (__builtin_cpu_supports("avx2"))
		return find_avx2(t, data, from, to, places, ret_next);
	return find_ssse3(t, data, from, to, places, ret_next);
}

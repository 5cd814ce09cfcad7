// SPDX-License-Identifier: BSD-2-Clause
// The suppressions of an image are sorted by gid and sid, 0 meaning all: three places to look.
#include "rules/verdict.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

int verdict_table_new(struct threshold **ret_table)
{
	const size_t bytes = threshold_bytes(THRESHOLD_ENTRIES);
	uint8_t seed[THRESHOLD_SEED_BYTES];
	void *mem;
	int err;

	if (getrandom(seed, sizeof(seed), 0) != sizeof(seed))
		return -EIO;
	mem = malloc(bytes);
	if (mem == NULL)
		return -ENOMEM;
	err = threshold_init(mem, bytes, THRESHOLD_ENTRIES, seed, ret_table);
	if (err != 0)
		free(mem);
	return err;
}

static bool is_suppressed(const struct image_header *img, const struct image_suppress *s,
			  const struct hit *hit)
{
	const struct image_addr *addrs = IMAGE_AT(img, struct image_addr, IMAGE_ADDRS) + s->addr;

	switch (s->track) {
	case SUPPRESS_BY_SRC:
		return image_addrs_hold(addrs, s->n_addrs, hit->addr.src);
	case SUPPRESS_BY_DST:
		return image_addrs_hold(addrs, s->n_addrs, hit->addr.dst);
	case SUPPRESS_BY_EITHER:
		return image_addrs_hold(addrs, s->n_addrs, hit->addr.src) ||
		       image_addrs_hold(addrs, s->n_addrs, hit->addr.dst);
	default: // SUPPRESS_ALWAYS
		return true;
	}
}

// The first entry that is not before gid, sid.
static uint32_t first_of(const struct image_suppress *v, uint32_t n, uint32_t gid, uint32_t sid)
{
	uint32_t from = 0, to = n;

	while (from < to) {
		uint32_t mid = from + (to - from) / 2;

		if (v[mid].gid < gid || (v[mid].gid == gid && v[mid].sid < sid))
			from = mid + 1;
		else
			to = mid;
	}
	return from;
}

enum threshold_verdict verdict_of(const struct image_header *img, const struct threshold_params *p,
				  struct threshold *t, const uint8_t boot_id[16],
				  const struct hit *hit)
{
	const uint32_t n =
		img != NULL ? IMAGE_COUNT(img, struct image_suppress, IMAGE_SUPPRESS) : 0;
	const struct image_suppress *v =
		n > 0 ? IMAGE_AT(img, struct image_suppress, IMAGE_SUPPRESS) : NULL;
	const uint32_t keys[3][2] = {{0, 0}, {hit->gid, 0}, {hit->gid, hit->sid}};

	for (int k = 0; k < 3 && n > 0; k++)
		for (uint32_t i = first_of(v, n, keys[k][0], keys[k][1]);
		     i < n && v[i].gid == keys[k][0] && v[i].sid == keys[k][1]; i++)
			if (is_suppressed(img, &v[i], hit))
				return THRESHOLD_SUPPRESS;
	return threshold_check(t, p, boot_id, hit);
}

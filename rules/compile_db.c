// SPDX-License-Identifier: BSD-2-Clause
// The image in the making: growing sections, pattern sets compiled and serialized into them.
#include "rules/compile_impl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *maker_add(struct bytes *b, const void *data, size_t n)
{
	void *at;

	if (b->failed)
		return NULL;
	if (b->len + n > b->cap) {
		size_t cap = b->cap * 2 > b->len + n ? b->cap * 2 : b->len + n + 4096;
		uint8_t *p = realloc(b->p, cap);

		if (p == NULL) {
			b->failed = true;
			return NULL;
		}
		b->p = p;
		b->cap = cap;
	}
	at = b->p + b->len;
	if (data != NULL)
		memcpy(at, data, n);
	else
		memset(at, 0, n);
	b->len += n;
	return at;
}

void maker_align(struct bytes *b)
{
	if (b->len % 8 != 0)
		maker_add(b, NULL, 8 - b->len % 8);
}

uint32_t maker_count(const struct maker *m, enum image_section_id id, size_t record)
{
	return (uint32_t)(m->sec[id].len / record);
}

int maker_add_db(struct maker *m, hs_database_t *db, uint32_t flags, uint32_t sig, uint32_t n_sigs,
		 uint32_t *ret_index)
{
	char *bytes = NULL;
	size_t len = 0;
	hs_error_t err = db != NULL ? hs_serialize_database(db, &bytes, &len) : HS_SUCCESS;
	struct image_db row = {.flags = flags,
			       .sig = sig,
			       .n_sigs = n_sigs,
			       .next = IMAGE_NONE,
			       .limit = UINT64_MAX};

	hs_free_database(db);
	if (err != HS_SUCCESS)
		return -ENOMEM;
	maker_align(&m->sec[IMAGE_BLOBS]);
	row.blob_off = m->sec[IMAGE_BLOBS].len;
	row.bytes = len;
	if (len > 0)
		maker_add(&m->sec[IMAGE_BLOBS], bytes, len);
	free(bytes);
	*ret_index = maker_count(m, IMAGE_DBS, sizeof(row));
	return maker_add(&m->sec[IMAGE_DBS], &row, sizeof(row)) != NULL ? 0 : -ENOMEM;
}

// One pattern set -> database. Pattern ids are 0..n-1.
int maker_compile(const char **expr, const unsigned int *flags, const hs_expr_ext_t *ext,
		  unsigned int n, bool stream, hs_database_t **ret_db, int *ret_bad, char *why,
		  size_t why_size)
{
	unsigned int *ids = malloc(n * sizeof(*ids));
	const hs_expr_ext_t **exts = malloc(n * sizeof(*exts));
	hs_compile_error_t *ce = NULL;
	hs_error_t err;

	if (ids == NULL || exts == NULL) {
		free(ids);
		free(exts);
		return -ENOMEM;
	}
	for (unsigned int i = 0; i < n; i++) {
		ids[i] = i;
		exts[i] = &ext[i];
	}
	err = hs_compile_ext_multi(expr, flags, ids, exts, n,
				   stream ? HS_MODE_STREAM : HS_MODE_BLOCK, NULL, ret_db, &ce);
	free(ids);
	free(exts);
	if (err == HS_SUCCESS)
		return 0;
	*ret_bad = ce != NULL ? ce->expression : -1;
	snprintf(why, why_size, "%s",
		 ce != NULL && ce->message != NULL ? ce->message : "out of memory");
	hs_free_compile_error(ce);
	return err == HS_COMPILER_ERROR ? -EINVAL : -ENOMEM;
}

void maker_ext(hs_expr_ext_t *ext, uint64_t min_end, uint64_t max_end)
{
	memset(ext, 0, sizeof(*ext));
	if (min_end > 0) {
		ext->flags |= HS_EXT_FLAG_MIN_OFFSET;
		ext->min_offset = min_end;
	}
	if (max_end != UINT64_MAX) {
		ext->flags |= HS_EXT_FLAG_MAX_OFFSET;
		ext->max_offset = max_end;
	}
}

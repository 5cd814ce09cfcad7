// SPDX-License-Identifier: BSD-2-Clause
// The lists that the rules in the image name, each once; their bytes are written straight to their place.
#include "rules/compile_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "rules/list_make.h"

int maker_lists_init(struct maker *m)
{
	size_t n = (size_t)m->rules->n_lists + 1;

	m->list_index = malloc(n * sizeof(*m->list_index));
	m->lists = calloc(n, sizeof(*m->lists));
	if (m->list_index == NULL || m->lists == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		m->list_index[i] = IMAGE_NONE;
	return 0;
}

void maker_lists_done(struct maker *m)
{
	free(m->list_index);
	free(m->lists);
}

uint32_t maker_list(struct maker *m, uint32_t list)
{
	if (m->list_index[list] == IMAGE_NONE) {
		m->list_index[list] = m->n_lists;
		m->lists[m->n_lists++] = list;
	}
	return m->list_index[list];
}

void maker_add_lists(struct maker *m)
{
	for (uint32_t i = 0; i < m->n_lists; i++) {
		const struct rule_list *l = &m->rules->lists[m->lists[i]];
		struct image_list row = {
			.off = m->list_bytes,
			.bytes = list_bytes(l->entries->n, l->entries->n_lines),
			.kind = l->entries->kind,
			.n = l->entries->n,
			.name = (uint32_t)m->sec[IMAGE_STRINGS].len,
		};

		m->list_bytes += row.bytes;
		maker_add(&m->sec[IMAGE_STRINGS], l->name, strlen(l->name) + 1);
		maker_add(&m->sec[IMAGE_LISTS], &row, sizeof(row));
	}
}

void maker_write_lists(const struct maker *m, void *image)
{
	const struct image_header *h = image;
	struct image_list *row = (void *)((uint8_t *)image + h->section[IMAGE_LISTS].off);
	uint8_t *bytes = (uint8_t *)image + h->section[IMAGE_LIST_BYTES].off;

	for (uint32_t i = 0; i < m->n_lists; i++, row++) {
		list_maker_write(m->rules->lists[m->lists[i]].entries, bytes + row->off);
		row->checksum = list_checksum(bytes + row->off, row->bytes);
	}
}

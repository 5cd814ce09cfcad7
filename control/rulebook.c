// SPDX-License-Identifier: BSD-2-Clause
// Naming hits. An index is believed only if the rule there carries the hit's sid and gid: after a restart a
// generation may be gone from the book, and a wrong name would be worse than none.
#include "control/rulebook.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int rule_image_new(int memfd, struct rule_image **ret_image, struct diag *ret_diag)
{
	struct stat st;
	int err;

	if (fstat(memfd, &st) != 0 || st.st_size <= 0 || st.st_size > IMAGE_MAX_BYTES) {
		diag_set(ret_diag, NULL, 0, 0, "compiled image: unusable size");
		err = -EBADMSG;
		goto close_fd;
	}
	void *map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, memfd, 0);
	if (map == MAP_FAILED) {
		err = -errno;
		diag_set(ret_diag, NULL, 0, 0, "compiled image: cannot map it: %s", strerror(-err));
		goto close_fd;
	}
	err = image_check(map, (uint64_t)st.st_size, NULL, ret_diag);
	struct rule_image *ri = err == 0 ? calloc(1, sizeof(*ri)) : NULL;
	if (ri == NULL) {
		if (err == 0) {
			diag_set(ret_diag, NULL, 0, 0, "out of memory");
			err = -ENOMEM;
		}
		goto unmap;
	}
	ri->image = map;
	ri->bytes = (uint64_t)st.st_size;
	ri->memfd = memfd;
	ri->refs = 1;
	ri->serial = ri->image->serial;
	ri->rules = IMAGE_COUNT(ri->image, struct image_rule, IMAGE_RULES);
	*ret_image = ri;
	return 0;

unmap:
	munmap(map, (size_t)st.st_size);
close_fd:
	close(memfd);
	return err;
}

struct rule_image *rule_image_ref(struct rule_image *ri)
{
	ri->refs++;
	return ri;
}

void rule_image_unref(struct rule_image *ri)
{
	union {
		const struct image_header *from;
		void *to;
	} map;

	if (ri == NULL || --ri->refs > 0)
		return;
	map.from = ri->image;
	munmap(map.to, ri->bytes);
	close(ri->memfd);
	free(ri);
}

void rulebook_add(struct rulebook *b, uint32_t generation, struct rule_image *image)
{
	if (b->set[0].image ==
	    image) { // the same rules again: hits of the earlier number are found by sid
		b->set[0].generation = generation;
		return;
	}
	rule_image_unref(b->set[RULEBOOK_SETS - 1].image);
	memmove(&b->set[1], &b->set[0], (RULEBOOK_SETS - 1) * sizeof(b->set[0]));
	b->set[0].generation = generation;
	b->set[0].image = rule_image_ref(image);
}

void rulebook_done(struct rulebook *b)
{
	for (int i = 0; i < RULEBOOK_SETS; i++) {
		rule_image_unref(b->set[i].image);
		b->set[i].image = NULL;
	}
}

static const struct image_rule *rule_at(const struct rule_image *ri, uint32_t index,
					const struct hit *hit)
{
	const struct image_rule *rule;

	if (index >= ri->rules)
		return NULL;
	rule = &IMAGE_AT(ri->image, struct image_rule, IMAGE_RULES)[index];
	return rule->sid == hit->sid && rule->gid == hit->gid ? rule : NULL;
}

static const struct image_rule *rule_by_sid(const struct rule_image *ri, const struct hit *hit)
{
	for (uint32_t i = 0; i < ri->rules; i++)
		if (rule_at(ri, i, hit) != NULL)
			return rule_at(ri, i, hit);
	return NULL;
}

static struct rulebook_entry entry(const struct rule_image *ri, const struct image_rule *rule)
{
	return (struct rulebook_entry){
		.texts = {.msg = image_string(ri->image, rule->msg),
			  .classtype = image_string(ri->image, rule->classtype),
			  .reference = image_string(ri->image, rule->reference),
			  .metadata = image_string(ri->image, rule->metadata)},
		.bundle = ri->id,
		.serial = ri->serial,
		.threshold = rule->threshold,
		.image = ri->image,
	};
}

struct rulebook_entry rulebook_find(const struct rulebook *b, const struct hit *hit)
{
	const struct image_rule *rule = NULL;

	for (int i = 0; i < RULEBOOK_SETS && b->set[i].image != NULL; i++)
		if (b->set[i].generation == hit->generation) {
			rule = rule_at(b->set[i].image, hit->rule, hit);
			if (rule != NULL)
				return entry(b->set[i].image, rule);
		}
	for (int i = 0; i < RULEBOOK_SETS && b->set[i].image != NULL; i++) {
		rule = rule_by_sid(b->set[i].image, hit);
		if (rule != NULL)
			return entry(b->set[i].image, rule);
	}
	return (struct rulebook_entry){.texts = {"", "", "", ""}, .bundle = ""};
}

// SPDX-License-Identifier: BSD-2-Clause
// The receiver's side of the hand-over. What the image holds is judged by ruleset_load(); here it is only made sure
// that what was judged cannot change afterwards, and that no access can run past its end (SIGBUS).
#include "dataplane/offer.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rules/image.h"

static int map_fd(int fd, uint64_t bytes, struct offer_map *ret_map, struct diag *ret_diag)
{
	void *data = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE, fd, 0);

	if (data == MAP_FAILED) {
		int err = -errno;

		diag_set(ret_diag, NULL, 0, 0, "cannot map the rule set image: %s", strerror(-err));
		return err;
	}
	*ret_map = (struct offer_map){.data = data, .len = bytes};
	return 0;
}

static int check_bytes(uint64_t bytes, struct diag *ret_diag)
{
	if (bytes < sizeof(struct image_header)) {
		diag_set(ret_diag, NULL, 0, 0,
			 "a rule set image of %llu bytes is too short to be one",
			 (unsigned long long)bytes);
		return -EBADMSG;
	}
	if (bytes > IMAGE_MAX_BYTES) {
		diag_set(ret_diag, NULL, 0, 0,
			 "a rule set image of %llu bytes is over the limit of %lld",
			 (unsigned long long)bytes, (long long)IMAGE_MAX_BYTES);
		return -EFBIG;
	}
	return 0;
}

int offer_map(int fd, const struct ipc_ruleset_offer *offer, struct offer_map *ret_map,
	      struct diag *ret_diag)
{
	const int want = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL;
	int seals = fcntl(fd, F_GET_SEALS), err;
	struct stat st;

	if (seals < 0 || (seals & want) != want) {
		diag_set(ret_diag, NULL, 0, 0,
			 "the rule set image is not a memfd sealed against write, grow, shrink and "
			 "seal");
		return -EPERM;
	}
	if (fstat(fd, &st) != 0)
		return -errno;
	if (st.st_size < 0 || (uint64_t)st.st_size != offer->bytes) {
		diag_set(ret_diag, NULL, 0, 0,
			 "the rule set image has %lld bytes, the offer says %llu",
			 (long long)st.st_size, (unsigned long long)offer->bytes);
		return -EBADMSG;
	}
	err = check_bytes(offer->bytes, ret_diag);
	if (err < 0)
		return err;
	err = map_fd(fd, offer->bytes, ret_map, ret_diag);
	if (err == 0)
		ret_map->is_sealed = true;
	return err;
}

int offer_map_file(const char *path, struct offer_map *ret_map, struct diag *ret_diag)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), err;
	struct stat st;

	if (fd < 0) {
		err = -errno;
		diag_set(ret_diag, path, 0, 0, "cannot open the rule set image: %s",
			 strerror(-err));
		return err;
	}
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		diag_set(ret_diag, NULL, 0, 0, "the rule set image is not a regular file");
		err = -EBADMSG;
	} else {
		err = check_bytes((uint64_t)st.st_size, ret_diag);
	}
	if (err == 0)
		err = map_fd(fd, (uint64_t)st.st_size, ret_map, ret_diag);
	if (err < 0)
		snprintf(ret_diag->file, sizeof(ret_diag->file), "%s", path);
	close(fd);
	return err;
}

void offer_unmap(struct offer_map *map)
{
	if (map->data != NULL)
		munmap(map->data, map->len);
	map->data = NULL;
}

// SPDX-License-Identifier: BSD-2-Clause
// Loads hardware profiles: the schema of a .cfg file, and which file is for a card.
#include "hwprofiles/profile.h"

#include <dirent.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "common/cfg.h"
#include "hwprofiles/profile_check.h"

enum {
	PROFILE_FILES_MAX = 256,
};

#define AT(field)   offsetof(struct hwprofile, field)
#define ROOM(field) (sizeof(((struct hwprofile *)0)->field))

static const char *const evidence_names[] = {"validated", "emulated", "documented", NULL};
static const char *const symmetric_names[] = {"nic", "software", "kernel", "none", NULL};
static const char *const method_names[] = {"conf", "flow", NULL};
static const char *const function_names[] = {"default", "toeplitz", "symmetric_toeplitz", NULL};
static const char *const key_names[] = {"6d5a", "driver", NULL};
static const char *const bind_names[] = {"none", "vfio-pci", "bifurcated", NULL};
static const char *const fields_names[] = {"ip", "ip_port", NULL};

// Ranges: what DPDK 22.11 drivers accept at all (16-bit descriptor counts, bursts of at most 512).
static const struct cfg_key rx_keys[] = {
	{.name = "desc",
	 .type = CFG_INT,
	 .offset = AT(rx.desc),
	 .min = 32,
	 .max = 32768,
	 .required = true},
	{.name = "desc_align", .type = CFG_INT, .offset = AT(rx.desc_align), .min = 1, .max = 1024},
	{.name = "desc_max", .type = CFG_INT, .offset = AT(rx.desc_max), .min = 32, .max = 32768},
	{.name = "desc_pow2", .type = CFG_BOOL, .offset = AT(rx.desc_pow2)},
	{.name = "burst", .type = CFG_INT, .offset = AT(rx.burst), .min = 4, .max = 64},
	{.name = "burst_align", .type = CFG_INT, .offset = AT(rx.burst_align), .min = 1, .max = 64},
	{.name = "max_queues",
	 .type = CFG_INT,
	 .offset = AT(rx.max_queues),
	 .min = 1,
	 .max = PROFILE_QUEUES_MAX},
	{.name = "queues_pow2", .type = CFG_BOOL, .offset = AT(rx.queues_pow2)},
	{.name = "one_buffer", .type = CFG_BOOL, .offset = AT(rx.one_buffer)},
	{.name = "free_thresh",
	 .type = CFG_INT,
	 .offset = AT(rx.free_thresh),
	 .min = 0,
	 .max = 512},
	{.name = NULL},
};

static const struct cfg_key tx_keys[] = {
	{.name = "desc", .type = CFG_INT, .offset = AT(tx.desc), .min = 32, .max = 32768},
	{.name = "pairs", .type = CFG_BOOL, .offset = AT(tx.pairs)},
	{.name = NULL},
};

static const struct cfg_key mbuf_keys[] = {
	{.name = "data_room",
	 .type = CFG_INT,
	 .offset = AT(mbuf.data_room),
	 .min = 1664,
	 .max = 16384},
	{.name = "cache", .type = CFG_INT, .offset = AT(mbuf.cache), .min = 0, .max = 512},
	{.name = "tail_pad", .type = CFG_INT, .offset = AT(mbuf.tail_pad), .min = 64, .max = 1024},
	{.name = "per_queue",
	 .type = CFG_INT,
	 .offset = AT(mbuf.per_queue),
	 .min = 0,
	 .max = 1 << 20},
	{.name = NULL},
};

static const struct cfg_key rss_keys[] = {
	{.name = "symmetric",
	 .type = CFG_ENUM,
	 .offset = AT(rss.symmetric),
	 .values = symmetric_names,
	 .required = true},
	{.name = "method", .type = CFG_ENUM, .offset = AT(rss.method), .values = method_names},
	{.name = "function",
	 .type = CFG_ENUM,
	 .offset = AT(rss.function),
	 .values = function_names},
	{.name = "key", .type = CFG_ENUM, .offset = AT(rss.key), .values = key_names},
	{.name = "fields", .type = CFG_ENUM, .offset = AT(rss.fields), .values = fields_names},
	{.name = "key_len", .type = CFG_INT, .offset = AT(rss.key_len), .min = 0, .max = 52},
	{.name = NULL},
};

static const struct cfg_key offload_keys[] = {
	{.name = "ip_csum", .type = CFG_BOOL, .offset = AT(offload.ip_csum)},
	{.name = "l4_csum", .type = CFG_BOOL, .offset = AT(offload.l4_csum)},
	{.name = "vlan_strip", .type = CFG_BOOL, .offset = AT(offload.vlan_strip)},
	{.name = "scatter", .type = CFG_BOOL, .offset = AT(offload.scatter)},
	{.name = "lro", .type = CFG_BOOL, .offset = AT(offload.lro)},
	{.name = "drop_flows", .type = CFG_BOOL, .offset = AT(offload.drop_flows)},
	{.name = NULL},
};

static const struct cfg_key bind_keys[] = {
	{.name = "mode", .type = CFG_ENUM, .offset = AT(bind.mode), .values = bind_names},
	{.name = "kernel_driver",
	 .type = CFG_STRING,
	 .offset = AT(bind.kernel_driver),
	 .min = 1,
	 .max = 31,
	 .size = ROOM(bind.kernel_driver)},
	{.name = "package",
	 .type = CFG_STRING,
	 .offset = AT(bind.package),
	 .min = 1,
	 .max = 63,
	 .size = ROOM(bind.package)},
	{.name = "firmware",
	 .type = CFG_STRING,
	 .offset = AT(bind.firmware),
	 .min = 1,
	 .max = 95,
	 .size = ROOM(bind.firmware)},
	{.name = NULL},
};

static const struct cfg_key link_keys[] = {
	{.name = "up_timeout_s",
	 .type = CFG_INT,
	 .offset = AT(link.up_timeout_s),
	 .min = 0,
	 .max = 60},
	{.name = NULL},
};

struct profile_file {
	int64_t schema;
	struct hwprofile p;
};

static const struct cfg_key file_keys[] = {
	{.name = "schema",
	 .type = CFG_INT,
	 .offset = offsetof(struct profile_file, schema),
	 .min = PROFILE_SCHEMA,
	 .max = PROFILE_SCHEMA,
	 .required = true},
	{.name = "name",
	 .type = CFG_STRING,
	 .offset = offsetof(struct profile_file, p) + AT(name),
	 .min = 1,
	 .max = 31,
	 .size = ROOM(name),
	 .required = true},
	{.name = "title",
	 .type = CFG_STRING,
	 .offset = offsetof(struct profile_file, p) + AT(title),
	 .min = 1,
	 .max = 95,
	 .size = ROOM(title),
	 .required = true},
	{.name = "evidence",
	 .type = CFG_ENUM,
	 .offset = offsetof(struct profile_file, p) + AT(evidence),
	 .values = evidence_names,
	 .required = true},
	{.name = "source",
	 .type = CFG_STRING,
	 .offset = offsetof(struct profile_file, p) + AT(source),
	 .min = 1,
	 .max = 255,
	 .size = ROOM(source),
	 .required = true},
	{.name = "drivers",
	 .type = CFG_STRINGS,
	 .offset = offsetof(struct profile_file, p) + AT(driver),
	 .max = PROFILE_DRIVERS_MAX,
	 .size = ROOM(driver[0]),
	 .count_offset = offsetof(struct profile_file, p) + AT(n_drivers),
	 .required = true},
	{.name = "pci",
	 .type = CFG_STRINGS,
	 .offset = offsetof(struct profile_file, p) + AT(pci),
	 .max = PROFILE_PCI_MAX,
	 .size = ROOM(pci[0]),
	 .count_offset = offsetof(struct profile_file, p) + AT(n_pci)},
	{.name = "bind",
	 .type = CFG_GROUP,
	 .offset = offsetof(struct profile_file, p),
	 .keys = bind_keys},
	{.name = "link",
	 .type = CFG_GROUP,
	 .offset = offsetof(struct profile_file, p),
	 .keys = link_keys},
	{.name = "rx",
	 .type = CFG_GROUP,
	 .offset = offsetof(struct profile_file, p),
	 .keys = rx_keys,
	 .required = true},
	{.name = "tx",
	 .type = CFG_GROUP,
	 .offset = offsetof(struct profile_file, p),
	 .keys = tx_keys},
	{.name = "mbuf",
	 .type = CFG_GROUP,
	 .offset = offsetof(struct profile_file, p),
	 .keys = mbuf_keys},
	{.name = "rss",
	 .type = CFG_GROUP,
	 .offset = offsetof(struct profile_file, p),
	 .keys = rss_keys,
	 .required = true},
	{.name = "offload",
	 .type = CFG_GROUP,
	 .offset = offsetof(struct profile_file, p),
	 .keys = offload_keys},
	{.name = "quirks",
	 .type = CFG_STRINGS,
	 .offset = offsetof(struct profile_file, p) + AT(quirk),
	 .max = PROFILE_QUIRKS_MAX,
	 .size = ROOM(quirk[0]),
	 .count_offset = offsetof(struct profile_file, p) + AT(n_quirks)},
	{.name = NULL},
};

static const struct hwprofile defaults = {
	.rx = {.desc = 1024,
	       .desc_align = 1,
	       .desc_max = 4096,
	       .burst = 32,
	       .burst_align = 1,
	       .free_thresh = 32,
	       .max_queues = PROFILE_QUEUES_MAX},
	.tx = {.desc = 1024},
	.mbuf = {.data_room = 2176,
		 .cache = 256,
		 .tail_pad = 64}, // 128 headroom + 2048, DPDK's usual buffer
	.rss = {.symmetric = PROFILE_SYMMETRIC_SOFTWARE, .fields = PROFILE_RSS_IP},
};

int profile_load(const char *path, struct hwprofile *ret_profile, struct diag *ret_diag)
{
	struct profile_file *file = calloc(1, sizeof(*file));
	int ret;

	if (file == NULL)
		return -ENOMEM;
	file->p = defaults;
	ret = cfg_read(path, file_keys, file, ret_diag);
	if (ret == 0)
		ret = profile_check(&file->p, path, ret_diag);
	if (ret == 0)
		*ret_profile = file->p;
	free(file);
	return ret;
}

// How well a profile is for a card: 3 it names the card, 2 the driver and no cards, 1 it is for all, 0 not.
static int profile_rank(const struct hwprofile *p, const char *driver, const char *pci)
{
	bool has_driver = false;

	for (uint32_t i = 0; i < p->n_drivers; i++)
		has_driver |= strcmp(p->driver[i], driver) == 0;
	if (!has_driver)
		return strcmp(p->name, "generic") == 0;
	for (uint32_t i = 0; i < p->n_pci; i++)
		if (strcmp(p->pci[i], pci) == 0)
			return 3;
	return p->n_pci == 0 ? 2 : 0;
}

static int is_cfg(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name);

	return entry->d_name[0] != '.' && len > 4 && strcmp(entry->d_name + len - 4, ".cfg") == 0;
}

// Load dir/name into both[0] and keep it in both[1] if it is a better one for the card.
static int candidate_load(const char *dir, const char *name, const char *driver, const char *pci,
			  struct hwprofile both[2], int *io_rank, struct diag *ret_diag)
{
	struct hwprofile *p = &both[0];
	char path[4096];
	int len = snprintf(path, sizeof(path), "%s/%s", dir, name), rank, ret;

	if (len < 0 || (size_t)len >= sizeof(path)) {
		diag_set(ret_diag, dir, 0, 0, "path too long");
		return -ENAMETOOLONG;
	}
	ret = profile_load(path, p, ret_diag);
	if (ret != 0)
		return ret;
	rank = profile_rank(p, driver, pci);
	if (rank > 0 && rank == *io_rank) {
		diag_set(ret_diag, path, 0, 0,
			 "is for driver %s%s%s, and so is profile \"%s\": remove one", driver,
			 rank == 3 ? " and card " : "", rank == 3 ? pci : "", both[1].name);
		return -EEXIST;
	}
	if (rank > *io_rank) {
		both[1] = *p;
		*io_rank = rank;
	}
	return 0;
}

int profile_load_dir(const char *dir, const char *driver, const char *pci,
		     struct hwprofile *ret_profile, struct diag *ret_diag)
{
	struct hwprofile *both = calloc(2, sizeof(*both)); // the one read, the best so far
	struct dirent **names = NULL;
	int n = -1, ret = -ENOMEM, rank = 0;

	if (both == NULL)
		return ret;
	n = scandir(dir, &names, is_cfg, alphasort);
	ret = n < 0 ? -errno : 0;
	if (n < 0) {
		diag_set(ret_diag, dir, 0, 0, "cannot be read: %s", strerror(-ret));
	} else if (n > PROFILE_FILES_MAX) {
		diag_set(ret_diag, dir, 0, 0, "has more than %d profiles", PROFILE_FILES_MAX);
		ret = -EFBIG;
	}
	for (int i = 0; i < n && ret == 0; i++)
		ret = candidate_load(dir, names[i]->d_name, driver, pci, both, &rank, ret_diag);
	if (ret == 0 && rank == 0) {
		diag_set(ret_diag, dir, 0, 0, "no profile for driver %s and no generic.cfg",
			 driver);
		ret = -ENOENT;
	}
	if (ret == 0)
		*ret_profile = both[1];
	for (int i = 0; i < n; i++)
		free(names[i]);
	free(names);
	free(both);
	return ret;
}

const char *profile_evidence_name(int evidence)
{
	return evidence >= PROFILE_VALIDATED && evidence <= PROFILE_DOCUMENTED
		       ? evidence_names[evidence]
		       : "unknown";
}

const char *profile_symmetric_name(int symmetric)
{
	return symmetric >= PROFILE_SYMMETRIC_NIC && symmetric <= PROFILE_SYMMETRIC_NONE
		       ? symmetric_names[symmetric]
		       : "unknown";
}

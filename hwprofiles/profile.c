// SPDX-License-Identifier: BSD-2-Clause
// Loads hardware profiles: the schema of a .cfg file, what must hold between its values, and which
// file is for a driver.
#include "hwprofiles/profile.h"

#include <dirent.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "common/cfg.h"

enum {
	PROFILE_FILES_MAX = 256,
};

#define AT(field)   offsetof(struct hwprofile, field)
#define ROOM(field) (sizeof(((struct hwprofile *)0)->field))

static const char *const evidence_names[] = {"validated", "emulated", "documented", NULL};
static const char *const symmetric_names[] = {"nic", "software", "kernel", "none", NULL};
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
	{.name = "free_thresh",
	 .type = CFG_INT,
	 .offset = AT(rx.free_thresh),
	 .min = 0,
	 .max = 512},
	{.name = NULL},
};

static const struct cfg_key tx_keys[] = {
	{.name = "desc", .type = CFG_INT, .offset = AT(tx.desc), .min = 32, .max = 32768},
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
	{.name = NULL},
};

static const struct cfg_key rss_keys[] = {
	{.name = "symmetric",
	 .type = CFG_ENUM,
	 .offset = AT(rss.symmetric),
	 .values = symmetric_names,
	 .required = true},
	{.name = "function",
	 .type = CFG_STRING,
	 .offset = AT(rss.function),
	 .max = 31,
	 .size = ROOM(rss.function)},
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
	{.name = "keep_crc", .type = CFG_BOOL, .offset = AT(offload.keep_crc)},
	{.name = "rss_hash", .type = CFG_BOOL, .offset = AT(offload.rss_hash)},
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
	.rx = {.desc = 1024, .desc_align = 1, .desc_max = 4096, .burst = 32, .free_thresh = 32},
	.tx = {.desc = 1024},
	.mbuf = {.data_room = 2176,
		 .cache = 256,
		 .tail_pad = 64}, // 128 headroom + 2048, DPDK's usual buffer
	.rss = {.symmetric = PROFILE_SYMMETRIC_SOFTWARE, .fields = PROFILE_RSS_IP},
};

static bool is_pow2(int64_t n)
{
	return n > 0 && (n & (n - 1)) == 0;
}

// What must hold between values. The line is unknown here: the key is named instead.
static int profile_check(const struct hwprofile *p, const char *path, struct diag *ret_diag)
{
	const int64_t headroom = 128; // RTE_PKTMBUF_HEADROOM
	const int64_t frame = 1522;   // Ethernet with one VLAN tag, without the checksum
	const char *why = NULL;

	if (p->rx.desc > p->rx.desc_max)
		why = "rx.desc is more than rx.desc_max";
	else if (p->rx.desc % p->rx.desc_align != 0)
		why = "rx.desc must be a multiple of rx.desc_align";
	else if (p->tx.desc % p->rx.desc_align != 0)
		why = "tx.desc must be a multiple of rx.desc_align";
	else if (p->rx.free_thresh != 0 && p->rx.desc % p->rx.free_thresh != 0)
		why = "rx.desc must be a multiple of rx.free_thresh: the driver's vector path "
		      "needs it";
	else if (p->rx.free_thresh >= p->rx.desc)
		why = "rx.free_thresh must be less than rx.desc";
	else if (p->rx.desc_pow2 && (!is_pow2(p->rx.desc) || !is_pow2(p->tx.desc)))
		why = "rx.desc and tx.desc must be powers of two for this driver (rx.desc_pow2)";
	else if (p->rx.burst > p->rx.desc)
		why = "rx.burst is more than rx.desc";
	else if (p->mbuf.data_room < headroom + frame + p->mbuf.tail_pad)
		why = "mbuf.data_room is too small for headroom 128, a frame of 1522 and "
		      "mbuf.tail_pad";
	else if (p->offload.lro)
		why = "offload.lro must be false: frames merged by the card are not the frames on "
		      "the wire";
	else if (p->rss.symmetric == PROFILE_SYMMETRIC_NIC &&
		 (p->rss.key_len == 0 || p->rss.function[0] == '\0'))
		why = "rss.symmetric = \"nic\" needs rss.function and rss.key_len";
	if (why == NULL)
		return 0;
	diag_set(ret_diag, path, 0, 0, "%s", why);
	return -EINVAL;
}

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

static bool profile_is_for(const struct hwprofile *p, const char *driver)
{
	for (uint32_t i = 0; i < p->n_drivers; i++)
		if (strcmp(p->driver[i], driver) == 0)
			return true;
	return false;
}

static int is_cfg(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name);

	return entry->d_name[0] != '.' && len > 4 && strcmp(entry->d_name + len - 4, ".cfg") == 0;
}

// Load dir/name into *p and keep it in *best if it is for the driver, or if it is the fallback and
// there is none yet.
static int candidate_load(const char *dir, const char *name, const char *driver,
			  struct hwprofile *p, struct hwprofile *best, int *io_rank,
			  struct diag *ret_diag)
{
	char path[4096];
	int len = snprintf(path, sizeof(path), "%s/%s", dir, name), rank = 0, ret;

	if (len < 0 || (size_t)len >= sizeof(path)) {
		diag_set(ret_diag, dir, 0, 0, "path too long");
		return -ENAMETOOLONG;
	}
	ret = profile_load(path, p, ret_diag);
	if (ret != 0)
		return ret;
	if (profile_is_for(p, driver))
		rank = 2;
	else if (strcmp(p->name, "generic") == 0)
		rank = 1;
	if (rank > 0 && rank == *io_rank) {
		diag_set(ret_diag, path, 0, 0,
			 "is for driver %s, and so is profile \"%s\": remove one", driver,
			 best->name);
		return -EEXIST;
	}
	if (rank > *io_rank) {
		*best = *p;
		*io_rank = rank;
	}
	return 0;
}

int profile_load_dir(const char *dir, const char *driver, struct hwprofile *ret_profile,
		     struct diag *ret_diag)
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
		ret = candidate_load(dir, names[i]->d_name, driver, &both[0], &both[1], &rank,
				     ret_diag);
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

uint32_t profile_mbufs(const struct hwprofile *profile, unsigned int queues,
		       unsigned int ports_inline)
{
	const uint64_t most = INT32_MAX; // 2^31 - 1: more than any pool holds
	uint64_t ports = ports_inline > 0 ? ports_inline : 1;
	uint64_t per_queue =
		(uint64_t)(profile->rx.desc + (ports_inline > 0 ? profile->tx.desc : 0) +
			   2 * profile->rx.burst + profile->mbuf.cache);
	uint64_t need, n = 1;

	if (__builtin_mul_overflow(ports * queues, per_queue, &need) || need > most)
		return (uint32_t)most;
	while (n - 1 < need)
		n *= 2;
	return (uint32_t)(n - 1);
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

// SPDX-License-Identifier: BSD-2-Clause
// What must hold between the values of a hardware profile: alignment, powers of two, room in buffers, pool arithmetic.
// Every refusal names the key, its line, and what to write instead.
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/cfg.h"
#include "hwprofiles/profile_check.h"

static bool is_pow2(int64_t n)
{
	return n > 0 && (n & (n - 1)) == 0;
}

uint64_t profile_queue_mbufs(const struct hwprofile *p, bool tx)
{
	uint64_t need =
		(uint64_t)(p->rx.desc + (tx ? p->tx.desc : 0) + 2 * p->rx.burst + p->mbuf.cache);

	return need > (uint64_t)p->mbuf.per_queue ? need : (uint64_t)p->mbuf.per_queue;
}

static int64_t multiple(int64_t n, int64_t of)
{
	return n - n % of > 0 ? n - n % of : of;
}

// A number that breaks a rule: the key it belongs to, and what to write instead.
#define WRONG(at, ...) (snprintf(why, size, __VA_ARGS__), (at))

static const char *check_rx(const struct hwprofile *p, char *why, size_t size)
{
	const long long desc = p->rx.desc, align = p->rx.desc_align, thresh = p->rx.free_thresh;

	if (desc > p->rx.desc_max)
		return WRONG("rx.desc", "is %lld, more than rx.desc_max: write %lld or less", desc,
			     (long long)p->rx.desc_max);
	if (desc % align != 0)
		return WRONG("rx.desc", "is %lld, not a multiple of rx.desc_align: write %lld",
			     desc, (long long)multiple(desc, align));
	if (p->tx.desc % align != 0)
		return WRONG("tx.desc", "is %lld, not a multiple of rx.desc_align: write %lld",
			     (long long)p->tx.desc, (long long)multiple(p->tx.desc, align));
	if (thresh >= desc)
		return WRONG("rx.free_thresh", "is %lld, not less than rx.desc: write 32 or 0",
			     thresh);
	if (thresh != 0 && desc % thresh != 0)
		return WRONG("rx.desc",
			     "is %lld, not a multiple of rx.free_thresh, which the driver's vector "
			     "path needs: write %lld",
			     desc, (long long)multiple(desc, thresh));
	if (p->rx.desc_pow2 && !is_pow2(desc))
		return WRONG("rx.desc",
			     "is %lld, and this driver takes powers of two (rx.desc_pow2)", desc);
	if (p->rx.desc_pow2 && !is_pow2(p->tx.desc))
		return WRONG("tx.desc",
			     "is %lld, and this driver takes powers of two (rx.desc_pow2)",
			     (long long)p->tx.desc);
	if (p->rx.burst > desc)
		return WRONG("rx.burst", "is %lld, more than rx.desc: write 32",
			     (long long)p->rx.burst);
	if (p->rx.burst % p->rx.burst_align != 0)
		return WRONG("rx.burst", "is %lld, not a multiple of rx.burst_align: write %lld",
			     (long long)p->rx.burst,
			     (long long)multiple(p->rx.burst, p->rx.burst_align));
	if (p->rx.queues_pow2 && !is_pow2(p->rx.max_queues))
		return WRONG("rx.max_queues",
			     "is %lld, and this driver takes powers of two (rx.queues_pow2)",
			     (long long)p->rx.max_queues);
	return NULL;
}

static const char *check_mbuf(const struct hwprofile *p, char *why, size_t size)
{
	const long long need_room = 128 + 1522 + p->mbuf.tail_pad; // headroom, one VLAN tag
	struct hwprofile computed = *p;

	computed.mbuf.per_queue = 0;
	const unsigned long long need = profile_queue_mbufs(&computed, true);

	if (p->mbuf.data_room < need_room)
		return WRONG("mbuf.data_room",
			     "is %lld: headroom 128, a frame of 1522 and mbuf.tail_pad need %lld",
			     (long long)p->mbuf.data_room, need_room);
	if (p->mbuf.per_queue != 0 && (uint64_t)p->mbuf.per_queue < need)
		return WRONG("mbuf.per_queue",
			     "is %lld: %lld + %lld descriptors, two bursts of %lld and a cache of "
			     "%lld need %llu",
			     (long long)p->mbuf.per_queue, (long long)p->rx.desc,
			     (long long)p->tx.desc, (long long)p->rx.burst,
			     (long long)p->mbuf.cache, need);
	return NULL;
}

static bool is_pci_id(const char *s)
{
	return strlen(s) == 9 && s[4] == ':' && strspn(s, "0123456789abcdef") == 4 &&
	       strspn(s + 5, "0123456789abcdef") == 4;
}

static const char *check_rest(const struct hwprofile *p, char *why, size_t size)
{
	for (uint32_t i = 0; i < p->n_pci; i++)
		if (!is_pci_id(p->pci[i]))
			return WRONG("pci", "names \"%s\": write \"8086:10fb\", in small letters",
				     p->pci[i]);
	if (p->bind.mode != PROFILE_BIND_NONE && p->bind.kernel_driver[0] == '\0')
		return WRONG("bind", "has no kernel_driver");
	if (p->offload.lro)
		return WRONG("offload.lro",
			     "must be false: frames merged by the card are not those on the wire");
	if (p->offload.vlan_strip)
		return WRONG("offload.vlan_strip",
			     "must be false: frames are forwarded with the tags they came with");
	if (p->rss.symmetric == PROFILE_SYMMETRIC_NIC && p->rss.key_len != 40 &&
	    p->rss.key_len != 52)
		return WRONG("rss.symmetric",
			     "is \"nic\": that needs rss.key_len = 40 or 52, as the driver has it");
	if (p->rss.symmetric == PROFILE_SYMMETRIC_NIC && p->rss.method == PROFILE_RSS_CONF &&
	    p->rss.key == PROFILE_KEY_DRIVER)
		return WRONG("rss.key",
			     "must be \"6d5a\" with rss.method = \"conf\": the driver's own key is "
			     "not symmetric");
	return NULL;
}

int profile_check(const struct hwprofile *p, const char *path, struct diag *ret_diag)
{
	char why[256];
	const char *key = check_rx(p, why, sizeof(why));

	if (key == NULL)
		key = check_mbuf(p, why, sizeof(why));
	if (key == NULL)
		key = check_rest(p, why, sizeof(why));
	if (key == NULL)
		return 0;
	diag_set(ret_diag, path, cfg_line(path, key), 0, "%s %s", key, why);
	return -EINVAL;
}

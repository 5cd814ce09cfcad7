// SPDX-License-Identifier: BSD-2-Clause
// Hot swap without a lock: workers pick up dp->live after a burst and say so in w->seen.
//
// Why freeing is safe: after every w->seen equals dp->live no worker can bind a body to the old rule set any more,
// so its use counts only fall; when they are all zero, nothing points to it. Pointers do not repeat, because the old
// one is freed only after every worker has stored another one.
#include "dataplane/swap.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "dataplane/engine/ruleset.h"
#include "dataplane/worker.h"

void swap_init(struct swap *s, struct dataplane *dp, uint64_t grace_ns)
{
	memset(s, 0, sizeof(*s));
	s->dp = dp;
	s->grace_ns = grace_ns;
	s->live.status = IPC_RULESET_NONE;
}

void swap_refuse(const struct ipc_ruleset_offer *offer, int error, const char *text,
		 struct ipc_ruleset_state *ret_state)
{
	*ret_state = (struct ipc_ruleset_state){
		.generation = offer->generation,
		.status = IPC_RULESET_REFUSED,
		.error = error,
		.serial = offer->serial,
	};
	memcpy(ret_state->digest, offer->digest, sizeof(ret_state->digest));
	snprintf(ret_state->text, sizeof(ret_state->text), "%.*s", (int)sizeof(ret_state->text) - 1,
		 text);
}

static uint64_t monotonic_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

int swap_load(struct swap *s, struct offer_map *map, const struct ipc_ruleset_offer *offer,
	      uint64_t now_ns, struct ipc_ruleset_state *ret_state)
{
	struct ruleset *live = atomic_load_explicit(&s->dp->live, memory_order_relaxed), *rs;
	struct diag diag = {.text = ""};
	char text[1024];
	int err;

	if (s->old != NULL) {
		swap_refuse(offer, -EBUSY,
			    "two rule sets are in memory: one is still in use by transfers in "
			    "progress; try again",
			    ret_state);
		return -EBUSY;
	}
	if (map->is_sealed)
		err = ruleset_load_map(map->data, map->len, offer->digest, offer->generation,
				       s->dp->n_workers, &rs, &diag);
	else
		err = ruleset_load(map->data, map->len, offer->digest, offer->generation,
				   s->dp->n_workers, &rs, &diag);
	if (err < 0) {
		swap_refuse(offer, err, diag_format(&diag, text, sizeof(text)), ret_state);
		return err;
	}
	if (map->is_sealed)
		map->data = NULL; // the rule set has it
	const struct image_header *header = ruleset_image(rs);

	*ret_state = (struct ipc_ruleset_state){
		.generation = offer->generation,
		.status = IPC_RULESET_LIVE,
		.rules = IMAGE_COUNT(header, struct image_rule, IMAGE_RULES),
		.serial = offer->serial,
	};
	memcpy(ret_state->digest, header->digest, sizeof(ret_state->digest));
	atomic_store_explicit(&s->dp->live, rs, memory_order_release);
	ret_state->load_ns = monotonic_ns() - now_ns;
	s->live = *ret_state;
	s->old = live;
	s->replaced_ns = monotonic_ns();
	s->asked = false;
	return 0;
}

static bool all_seen(const struct dataplane *dp)
{
	const struct ruleset *live = atomic_load_explicit(&dp->live, memory_order_relaxed);

	for (uint32_t i = 0; i < dp->n_workers; i++)
		if (atomic_load_explicit(&dp->workers[i]->seen, memory_order_acquire) != live)
			return false;
	return true;
}

// Ask the workers once; true when all of them have let go.
static bool all_released(struct swap *s)
{
	if (!s->asked) {
		s->asked = true;
		s->releases++;
		for (uint32_t i = 0; i < s->dp->n_workers; i++)
			atomic_store_explicit(&s->dp->workers[i]->release_asked, s->releases,
					      memory_order_relaxed);
	}
	for (uint32_t i = 0; i < s->dp->n_workers; i++)
		if (atomic_load_explicit(&s->dp->workers[i]->release_done, memory_order_acquire) !=
		    s->releases)
			return false;
	return true;
}

bool swap_poll(struct swap *s, uint64_t now_ns, struct ipc_ruleset_state *ret_state)
{
	if (s->old == NULL || !all_seen(s->dp))
		return false;
	if (ruleset_in_use(s->old) &&
	    (now_ns - s->replaced_ns < s->grace_ns || !all_released(s) || ruleset_in_use(s->old)))
		return false;
	const struct image_header *header = ruleset_image(s->old);

	*ret_state = (struct ipc_ruleset_state){
		.generation = ruleset_generation(s->old),
		.status = IPC_RULESET_RETIRED,
		.rules = IMAGE_COUNT(header, struct image_rule, IMAGE_RULES),
		.serial = header->serial,
	};
	memcpy(ret_state->digest, header->digest, sizeof(ret_state->digest));
	ruleset_free(s->old);
	s->old = NULL;
	return true;
}

void swap_done(struct swap *s)
{
	ruleset_free(s->old);
	s->old = NULL;
	ruleset_free(atomic_exchange_explicit(&s->dp->live, NULL, memory_order_relaxed));
}

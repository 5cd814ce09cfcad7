// SPDX-License-Identifier: BSD-2-Clause
#include "dataplane/overload.h"

void overload_step(struct overload *o, bool lost, uint64_t frames, uint64_t full)
{
	const bool behind = frames > 0 && full * 100 >= frames * OVERLOAD_FULL_PERCENT;
	const bool keeps_up = frames == 0 || full * 100 < frames * OVERLOAD_CALM_PERCENT;

	o->calm = keeps_up && !lost ? o->calm + 1 : 0;
	if (lost && behind && o->level < OVERLOAD_LEVELS)
		o->level++;
	if (o->calm < OVERLOAD_CALM)
		return;
	o->calm = 0;
	if (o->level > 0)
		o->level--;
}

uint64_t overload_skip_from(const struct overload *o)
{
	return o->level > 0 ? (uint64_t)OVERLOAD_LARGEST >> 2 * (o->level - 1) : 0;
}

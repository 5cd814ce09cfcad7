// SPDX-License-Identifier: BSD-2-Clause
#include "common/counters.h"

#include <stddef.h>

static const struct counter_info table[COUNTER_N] = {
#define X(id, name, text) [CNT_##id] = {name, text},
	COUNTER_TABLE(X)
#undef X
};

const struct counter_info *counter_info(unsigned int counter)
{
	return counter < COUNTER_N ? &table[counter] : NULL;
}

bool counter_is_level(unsigned int counter)
{
	return counter == CNT_FRAG_ACTIVE || counter == CNT_FLOW_ACTIVE ||
	       counter == CNT_TCP_OOO_HELD || counter == CNT_OVERLOAD_LEVEL;
}

// SPDX-License-Identifier: BSD-2-Clause
// Where the compiler is, for somebody who watches it from another thread or, in shared memory, from another process:
// how far it got, and which rule it was busy with when it was stopped.
#ifndef RULES_PROGRESS_H
#define RULES_PROGRESS_H

#include <stdatomic.h>
#include <stdio.h>

#include "rules/rule.h"

enum {
	PROGRESS_SLOTS = 16, // threads that compile rules at a time
};

// Writer: the thread of that slot. Reader: the watcher. sid is stored last, cleared first (release / acquire); a watcher
// that reads while it is written may get a wrong name, so it does so only to tell a person.
struct progress_rule {
	_Atomic uint32_t sid; // 0: none
	uint32_t line;
	char file[248];
};

struct progress {
	_Atomic uint32_t total,
		done; // rules to compile; relaxed. All done: the common databases are made.
	struct progress_rule at[PROGRESS_SLOTS];
};

// Rule r is begun by the thread of this slot; NULL: it has done its work. p may be NULL.
static inline void progress_at(struct progress *p, unsigned int slot, const struct rule *r)
{
	struct progress_rule *at;

	if (p == NULL || slot >= PROGRESS_SLOTS)
		return;
	at = &p->at[slot];
	if (atomic_load_explicit(&at->sid, memory_order_relaxed) != 0) {
		atomic_store_explicit(&at->sid, 0, memory_order_release);
		atomic_fetch_add_explicit(&p->done, 1, memory_order_relaxed);
	}
	if (r == NULL)
		return;
	at->line = r->line;
	snprintf(at->file, sizeof(at->file), "%s", r->file);
	atomic_store_explicit(&at->sid, r->sid, memory_order_release);
}

#endif

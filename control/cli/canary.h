// SPDX-License-Identifier: BSD-2-Clause
// Random texts that are sent as payload, and the search for what is left of them.
#ifndef CONTROL_CLI_CANARY_H
#define CONTROL_CLI_CANARY_H

#include <stdbool.h>
#include <stddef.h>

enum {
	CANARY_BYTES = 24, // letters and digits: 143 bits
	CANARY_PIECE = 8,  // as much as is taken for one: chance finds none in terabytes
};

struct canary {
	const char *what; // in which part of the traffic it is
	char text[CANARY_BYTES + 1];
};

// Fill in new texts.
void canary_make(struct canary *v, unsigned int n);

// A search for all of them; borrows v. NULL: out of memory. canary_search_free(NULL) is fine.
struct canary_search *canary_search_new(const struct canary *v, unsigned int n);
void canary_search_free(struct canary_search *s);

struct canary_found {
	const struct canary *canary;
	const char *form; // "as it is", "hex", "base64"
	size_t offset;
};

// The first piece of any of them: CANARY_PIECE bytes in a row, from anywhere in it, in any of these forms.
bool canary_find(const struct canary_search *s, const void *data, size_t len,
		 struct canary_found *ret_found);

#endif

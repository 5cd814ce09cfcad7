// SPDX-License-Identifier: BSD-2-Clause
// Making lists: entries in any order, from memory or from a file -> struct list. The maker's side only.
#ifndef RULES_LIST_MAKE_H
#define RULES_LIST_MAKE_H

#include <sys/types.h>

#include "common/diag.h"
#include "rules/lines.h"
#include "rules/list.h"

// Init to zero but for kind; release with list_maker_done().
struct list_maker {
	uint8_t kind;         // enum list_kind
	struct list_print *v; // unsorted until list_maker_sort()
	uint32_t n, cap;
	uint32_t n_lines;    // after list_maker_sort()
	uint64_t duplicates; // that it left out
};

void list_maker_done(struct list_maker *m);

// Add one entry. 0, -ENOMEM, -EFBIG (LIST_ENTRIES_MAX), -EINVAL (not the kind's length).
int list_maker_add(struct list_maker *m, struct span s);

// Sort, once, after the last entry; duplicates go. Takes memory as large as the entries for a moment.
// 0, -ENOMEM or -EINVAL: the entries are not random enough for a list (they were made to be so).
int list_maker_sort(struct list_maker *m);

// Write the sorted entries as a list: to list_bytes(m->n, m->n_lines) bytes of zeroed memory, LIST_ALIGN aligned.
void list_maker_write(const struct list_maker *m, void *ret_blob);

// Add the lines of a file, one entry each: digests in hexadecimal, texts in base64, addresses. Empty lines and those that
// start with '#' are passed over, lines may end in CR LF, what follows a ',' (a reputation), or,
// but for texts, a blank (a file's name) is not looked at. name is for messages.
// 0, -ENOMEM, -EFBIG, -EBADMSG (ret_diag: name, line and what is wrong there), and what read returned.
int list_maker_read(struct list_maker *m, const char *name, lines_read_fn *read, void *ctx,
		    struct diag *ret_diag);

// One hexadecimal digit each of 2 * n characters -> n bytes. False: there is another character.
bool list_hex(const char *s, size_t n, uint8_t *ret_bytes);

// Base64 of n characters, padded or not, -> bytes (room for n / 4 * 3 + 3). Their number or -EINVAL.
ssize_t list_base64(const char *s, size_t n, uint8_t *ret_bytes);

#endif

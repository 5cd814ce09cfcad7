// SPDX-License-Identifier: BSD-2-Clause
// The head buffers of one message, made when they are first asked for.
#ifndef ENGINE_VIEW_H
#define ENGINE_VIEW_H

#include "dataplane/engine/flow.h"
#include "dataplane/engine/http.h"

_Static_assert(BUF_N <= 64, "struct view counts buffers in a word");

// Scratch of one worker for buffers that have to be written: each as large as a head can be, with padding for libhs.
struct view_scratch {
	uint8_t uri[HTTP_GATHER_BYTES];
	uint8_t host[HTTP_GATHER_BYTES];
	uint8_t header[2 * HTTP_HEAD_MAX +
		       64]; // ": " for ":" can make a head longer, never twice as long
	uint8_t fields[2 * HTTP_HEAD_MAX + 64]; // as header, cookies too
	uint8_t cookie[HTTP_GATHER_BYTES];
	uint8_t names[HTTP_GATHER_BYTES];
	uint8_t address[2][16 + 64];         // ip.src, ip.dst
	uint8_t url[HTTP_GATHER_BYTES + 64]; // no longer than the head, and a '/'
	uint8_t joined[HTTP_GATHER_BYTES];   // fields that came more than once, one after the other
};

struct view {
	const struct http_head *head;
	struct view_scratch *scratch;
	uint64_t made;   // bit per enum buffer
	size_t n_joined; // bytes of scratch->joined in use
	struct span buf[BUF_N];
};

void view_init(struct view *v, const struct http_head *head, struct view_scratch *scratch);

// Give it the addresses, too: without them ip.src and ip.dst are not there.
void view_addresses(struct view *v, const struct flow *flow);

// A head buffer; data is NULL if the message has none, which is not the same as an empty one. Valid until the next
// view_init() on the same scratch, and with the head. 64 bytes behind it are readable.
// A buffer that is several (buffer_is_multi) comes as its parts, each with CR LF behind it: view_part() takes them apart.
struct span view_get(struct view *v, enum buffer buffer);

// The next part of a multiple buffer, or false.
bool view_part(struct span *io_rest, struct span *ret_part);

#endif

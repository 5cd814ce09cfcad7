// SPDX-License-Identifier: BSD-2-Clause
// First-bytes classification: is this HTTP, or something to be left alone?
#ifndef ENGINE_APP_H
#define ENGINE_APP_H

#include "common/hit.h"
#include "common/span.h"

enum {
	APP_PREFIX_MAX = 256, // bytes after which an undecided flow is opaque
};

enum app_side {
	APP_SIDE_UNKNOWN,
	APP_SIDE_CLIENT, // these bytes come from the client
	APP_SIDE_SERVER,
};

// Judge the first bytes one side sent. APP_UNKNOWN: more bytes are needed (never with APP_PREFIX_MAX or more).
// As lax as servers are: empty lines before the start line, any case, methods nobody knows, if a target follows
// that looks like one. TLS and SSL records, SSH banners; everything else is APP_OPAQUE.
enum app_proto app_detect(struct span first, enum app_side *ret_side);

// Is the first line complete, and does it end with a version? Then it is a request for some, whatever it begins with.
bool app_is_odd_request(struct span s);

// Does a message of one side begin here, as far as a few bytes tell? For finding the next one when framing is lost: methods
// in common use with a target, or a version. 1 yes, 0 no, -1 more bytes are needed (never with 24).
int app_message_begins(struct span s, enum app_side side);

#endif

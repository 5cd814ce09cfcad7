// SPDX-License-Identifier: BSD-2-Clause
// The normalised request target that rules call http.uri.
#ifndef ENGINE_URI_H
#define ENGINE_URI_H

#include "common/span.h"

// Write the normalised form of a request target to out (at least target.len bytes) and return its length.
// As Suricata does for http.uri: scheme and authority of an absolute target are dropped, path and query are percent-decoded
// once (invalid sequences stay as they are), in the path a backslash is a slash, runs of '/' become one and "." and ".."
// segments are resolved.
size_t uri_normalise(struct span target, uint8_t *out);

// Host for http.host: lower case, without user info and port; an IPv6 address keeps its brackets. Writes to out
// (host.len bytes).
size_t uri_host(struct span host, uint8_t *out);

// Authority of an absolute target ("http://h:80/x" -> "h:80"), empty if there is none.
struct span uri_authority(struct span target);

#endif

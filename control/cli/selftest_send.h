// SPDX-License-Identifier: BSD-2-Clause
// What "selftest privacy" sends: random texts in every part of the traffic, and rules that hit beside them.
#ifndef CONTROL_CLI_SELFTEST_SEND_H
#define CONTROL_CLI_SELFTEST_SEND_H

#include <stdio.h>

#include "control/cli/canary.h"

// The parts of the traffic.
#define PARTS(X)                                                                                   \
	X(REQUEST_BODY, "a request's body")                                                        \
	X(REQUEST_COOKIE, "a request's cookie")                                                    \
	X(AUTHORIZATION, "an authorization header")                                                \
	X(REQUEST_HEADER, "a request's header")                                                    \
	X(RESPONSE_COOKIE, "a cookie that is set")                                                 \
	X(RESPONSE_HEADER, "a response's header")                                                  \
	X(RESPONSE_BODY, "a response's body")                                                      \
	X(CHUNKED_BODY, "a body in chunks")                                                        \
	X(GZIP_BODY, "a compressed body")                                                          \
	X(CUT_BODY, "a body that was cut off")                                                     \
	X(TLS_UP, "TLS from the client")                                                           \
	X(TLS_DOWN, "TLS from the server")                                                         \
	X(SSH, "SSH")                                                                              \
	X(OPAQUE, "an unknown protocol")                                                           \
	X(URL, "the URL, which is stored")

enum part {
#define X(id, what) PART_##id,
	PARTS(X)
#undef X
		PART_N,
	PART_SECRET_N = PART_URL, // the last one is no secret
};

extern const char *const part_names[PART_N];

enum {
	SELFTEST_RULES = 10, // sid 1, 2, 3...
};
extern const char selftest_rules[];

// Write the capture. 0 or negative errno; errors of f stay in it.
int selftest_send(FILE *f, const struct canary v[PART_N]);

#endif

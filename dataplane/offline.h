// SPDX-License-Identifier: BSD-2-Clause
// How the commands that run the engine in their own process (replay, bench) say that they failed.
#ifndef DATAPLANE_OFFLINE_H
#define DATAPLANE_OFFLINE_H

#include <stdbool.h>

// "wireglass COMMAND: text" on stderr and, with json, {"error": text, "code": code} on stdout. Returns exit_code.
__attribute__((format(printf, 5, 6))) int offline_error(const char *command, bool json,
							int exit_code, const char *code,
							const char *fmt, ...);

// Only the object, for a sentence that stands on stderr already.
void offline_print_error(const char *code, const char *text);

#endif

// SPDX-License-Identifier: BSD-2-Clause
// What `wireglass check` makes of wireglassd's answers: one state, as monitoring plugins have it.
#ifndef CONTROL_CLI_CHECK_H
#define CONTROL_CLI_CHECK_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Also the exit code.
enum check_state {
	CHECK_OK,
	CHECK_WARNING,
	CHECK_CRITICAL,
	CHECK_UNKNOWN,
};

// X(id, "option", "unit of its performance data", a high value is bad, default warning, critical, "sentence")
// A limit below 0: none.
#define CHECK_LIMIT_TABLE(X)                                                                       \
	X(LOSS, "loss", "%", 1, 0.1, 1, "received frames that were lost before inspection")        \
	X(UNREAD, "unread", "%", 1, 1, 10, "received bytes passed by unread: overload")            \
	X(HITS_LOST, "hits-lost", "", 1, 1, 1000, "hits lost since the dataplane started")         \
	X(PENDING, "pending", "", 1, 10000, 100000, "stored hits that a sink has not taken")       \
	X(SILENT, "silent", "s", 1, 5, 9, "since a worker last moved")                             \
	X(AGE, "bundle-age", "d", 1, -1, -1, "since the live bundle became live")                  \
	X(EXPIRY, "expiry", "d", 0, 7, 1, "until the next rule expires")                           \
	X(DISK, "disk", "%", 0, 10, 3, "free where hits are stored")

enum check_limit {
#define X(id, name, unit, high, warning, critical, text) CHECK_##id,
	CHECK_LIMIT_TABLE(X)
#undef X
		CHECK_N
};

struct check_limits {
	double warning[CHECK_N], critical[CHECK_N];
};
void check_defaults(struct check_limits *ret_limits);

// "5,10": warning and critical; "5": warning only; "-" for none. false: text is none of these.
bool check_limit_parse(struct check_limits *l, enum check_limit which, const char *text);

// What wireglassd has answered, and what the disk says: free_percent below 0 if not known.
struct check_input {
	const json_t *status, *stats, *coverage, *ports, *workers;
	double free_percent;
	uint64_t now_ns; // Unix time
};

struct check_result {
	enum check_state state;
	char problems[1024]; // "" if there is none
	char values[1024];   // performance data
};

void check_judge(const struct check_input *in, const struct check_limits *limits,
		 struct check_result *ret_result);

// Frames that were lost before they could be inspected, and those that were received, of "show ports".
uint64_t check_lost_frames(const json_t *ports, uint64_t *ret_received);

extern const char *const check_state_names[CHECK_UNKNOWN + 1];

#endif

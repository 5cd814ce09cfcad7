// SPDX-License-Identifier: BSD-2-Clause
// Everything that the two programs say to others, kept in memory: a listener for EVE lines, one for syslog, and a relay
// between wireglassd and the dataplane that hands every message on as it is.
#ifndef CONTROL_CLI_RECORDER_H
#define CONTROL_CLI_RECORDER_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

enum recorder_place { RECORDER_EVE, RECORDER_SYSLOG, RECORDER_IPC, RECORDER_N };

struct recorder {
	const char *dataplane; // where the relay connects to
	pthread_t thread;
	bool running;
	int stop[2]; // a pipe: closed when the thread shall end
	int listeners[RECORDER_N];
	int eve, up, down; // who has connected: wireglassd twice, and our end at the dataplane
	bool incomplete;   // out of memory: not all is here
	struct recorder_text {
		char *data;
		size_t len, size;
	} texts[RECORDER_N];
};

// Listen on these paths (by recorder_place). 0 or negative errno.
int recorder_start(struct recorder *r, const char *const paths[RECORDER_N], const char *dataplane);
// No more is taken; the texts stay until recorder_done().
void recorder_stop(struct recorder *r);
void recorder_done(struct recorder *r);

#endif

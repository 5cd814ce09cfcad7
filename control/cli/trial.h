// SPDX-License-Identifier: BSD-2-Clause
// The real programs once, in a temporary directory: what "demo" and "selftest" share. A key is made, rules are signed with
// it, wireglassd and wireglass-dataplane are started, the bundle is loaded, a capture is read.
//
// In order: trial_begin, trial_bundle, trial_start, trial_connected, trial_load, trial_hits; trial_end whatever happened. Each
// returns an exit code and has said what went wrong.
#ifndef CONTROL_CLI_TRIAL_H
#define CONTROL_CLI_TRIAL_H

#include <jansson.h>

#include "control/cli/cli.h"
#include "control/cli/demo_run.h"

struct trial {
	struct cli *cli;
	struct cli own; // the same, with the socket of our wireglassd
	struct demo_run run;
	char socket[DEMO_PATH_BYTES], dataplane[DEMO_PATH_BYTES]; // of the two programs
	// Replies: of the load, the array of hits, and the counters from after the end of the capture.
	json_t *loaded, *hits, *stats;
};

int trial_begin(struct trial *t, struct cli *cli);
void trial_end(struct trial *t);

// Make a key and sign a bundle of one rule file. ret_id: of the key.
int trial_bundle(struct trial *t, const char *rules, size_t len, char *ret_id, size_t id_size);

// Start both programs on a capture; config is of wireglassd. connect_to: where wireglassd finds the dataplane.
int trial_start(struct trial *t, const char *pcap, const char *config, const char *connect_to);

int trial_connected(struct trial *t);
int trial_load(struct trial *t);
int trial_hits(struct trial *t);

// The reply to a command of wireglassd without arguments, NULL if there is none.
json_t *trial_ask(struct trial *t, uint32_t command);
// An exit code: has a program ended, or has somebody interrupted us?
int trial_check(struct trial *t);

#endif

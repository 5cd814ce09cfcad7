// SPDX-License-Identifier: BSD-2-Clause
// Commands of the wireglass program that run the engine in its own process, without DPDK.
#ifndef DATAPLANE_REPLAY_H
#define DATAPLANE_REPLAY_H

#include <stdbool.h>

// argv[0] is the command's name, optind is 1. They return an exit code of the wireglass program.
int cmd_replay(bool json, int argc, char **argv);
int cmd_bench(bool json, int argc, char **argv);

struct sample;
struct diag;

// Add the messages of a capture file to a sample, until it is full. 0, -EINVAL (there is none), errors of capture_open(),
// -ENOMEM; with ret_diag.
int profile_read(const char *path, struct sample *ret_sample, struct diag *ret_diag);

#endif

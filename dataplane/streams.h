// SPDX-License-Identifier: BSD-2-Clause
// Reassembled streams to files: `wireglass replay --streams`, for offline work on one's own captures.
//
// It runs the engine's own packet, flow and TCP stages, and lives here and not in the engine: the dataplane has no way to
// write payload anywhere.
#ifndef DATAPLANE_STREAMS_H
#define DATAPLANE_STREAMS_H

#include "common/diag.h"
#include "dataplane/engine/pipeline.h"
#include "dataplane/engine/pkt.h"

struct streams;

// Write into the folder dir, which is made if its parent exists. 0, -ENOTDIR, -ENOMEM with ret_diag.
int streams_new(const char *dir, const struct pkt_conf *conf, struct streams **ret_streams,
		struct diag *ret_diag);

// 0 or negative errno of a file that could not be written, with ret_diag.
int streams_frame(struct streams *s, const struct frame *f, struct diag *ret_diag);

// End of a capture: what waits behind holes is written, flows end.
int streams_flush(struct streams *s, struct diag *ret_diag);

void streams_free(struct streams *s);

#endif

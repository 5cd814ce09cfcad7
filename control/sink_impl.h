// SPDX-License-Identifier: BSD-2-Clause
// Inside of the sinks: shared by sink.c (EVE file, cursors), sink_socket.c (EVE socket, syslog) and sink_nats.c.
#ifndef CONTROL_SINK_IMPL_H
#define CONTROL_SINK_IMPL_H

#include "common/eve.h"
#include "control/sink.h"

enum {
	SINK_BATCH = 256,        // rows read at a time
	SINK_RETRY_MIN_MS = 250, // one that is away
	SINK_RETRY_MAX_MS = 10000,
	SINK_LINE_MAX = 512 + EVE_LINE_MAX, // with syslog's head
};

// One sink's turn.
struct pump {
	struct sinks *k;
	struct sink *s;
	enum sink_kind kind;
	size_t len;    // of k->lines
	uint64_t last; // id of the last line in it
	uint64_t n;
	bool stop; // it takes no more for now
};

// The alert of a row, without newline. 0: it does not fit.
size_t sink_line(const struct sinks *k, char *buf, size_t size, const struct store_row *row);
// Id in an alert's line, 0 if it is none.
uint64_t sink_id_of_line(const char *line);

// An attempt failed: kept for show status, logged if it is news. what: file, socket, stream.
void sink_failed(struct sink *s, const char *what, const char *why);
// Try again after a pause that grows; sink_well() ends its growing, and forgets the failure.
void sink_later(struct sinks *k, struct sink *s);
void sink_well(struct sink *s);
// The next turn of all of them; for timers.
void sink_retry(void *ctx);

void sink_socket_pump(struct pump *p);
void sink_socket_done(struct sinks *k, struct sink *s);

// 0 or negative errno.
int sink_nats_new(struct sinks *k, const struct settings_nats *settings);
void sink_nats_pump(struct pump *p);
// Waits a moment for what is on its way.
void sink_nats_free(struct sinks *k);

#endif

// SPDX-License-Identifier: BSD-2-Clause
// Where stored hits are reported to, besides the store: the EVE file, a socket that takes EVE lines, syslog, NATS.
//
// The store is the spool of all of them: a sink has a durable cursor, the id of the last hit it has taken, and is fed from
// there. One that is away or full costs nothing but its own delay, until retention removes what it has not taken: these
// are counted as missed.
#ifndef CONTROL_SINK_H
#define CONTROL_SINK_H

#include <stdbool.h>
#include <stdint.h>

#include "common/diag.h"
#include "control/evefile.h"
#include "control/loop.h"
#include "control/settings.h"
#include "control/store.h"

enum sink_kind {
	SINK_EVE_FILE,
	SINK_EVE_SOCKET, // stream or datagrams to a unix socket
	SINK_SYSLOG,     // RFC 5424 to a unix socket
	SINK_NATS,       // EVE lines to a stream of NATS JetStream
	SINK_N
};
extern const char *const sink_names[SINK_N];

struct sink {
	bool on;
	struct store_sink saved;    // as it is in the store
	uint64_t cursor;            // last hit that was taken; saved.cursor follows
	uint64_t lines, missed_now; // since start
	uint64_t failures;
	char error[256];                  // "" if the last attempt went well
	char path[SETTINGS_SOCKET_BYTES]; // NATS: the stream
	// EVE socket and syslog
	int fd; // -1: not connected
	bool stream;
	struct loop_source source; // while it takes nothing: waiting until it does
	struct loop_timer timer;   // while it is away: next attempt
	unsigned int backoff_ms;
	// A line of which only a part has been taken.
	char *rest;
	size_t rest_len, rest_done;
	uint64_t rest_id;
};

struct sinks {
	struct store *store;
	struct loop *loop; // NULL: sockets are tried only when new hits come
	struct evefile *eve;
	const char *host;
	struct sink v[SINK_N];
	struct sink_nats *nats; // NULL: none
	char *lines;            // EVE lines on their way to the file
	size_t lines_size;
	bool pumping;
};

// 0 or negative errno with ret_diag. Everything is borrowed. eve is open, or its fd is -1.
int sinks_init(struct sinks *k, const struct settings *settings, struct store *store,
	       struct loop *loop, struct evefile *eve, struct diag *ret_diag);
void sinks_done(struct sinks *k);

// Hand on what is stored and not taken. Never waits for anybody; not within a transaction.
void sinks_pump(struct sinks *k);
// The EVE file has been opened anew: from now on it is another one.
void sinks_eve_reopened(struct sinks *k);
// Hits that are stored and that a sink has not taken.
uint64_t sinks_pending(const struct sinks *k, const struct sink *s);

#endif

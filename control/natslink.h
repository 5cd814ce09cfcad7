// SPDX-License-Identifier: BSD-2-Clause
// One connection to a stream of NATS JetStream, in a thread of its own: what waits for a server waits there.
//
// One thing at a time: dial, or send a batch. Then natslink_fd() is readable, natslink_result() says how it went, and the
// next may begin. After NATSLINK_FAILED the connection is gone; which messages of the batch are in the stream is not known.
#ifndef CONTROL_NATSLINK_H
#define CONTROL_NATSLINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/settings.h"

enum {
	NATSLINK_BATCH = 256, // messages that wait for their acknowledgements at a time
	NATSLINK_KEY_BYTES = 64,
};

enum natslink_what {
	NATSLINK_BUSY,
	NATSLINK_READY,  // dialled
	NATSLINK_TAKEN,  // every message of the batch is acknowledged
	NATSLINK_FAILED, // see text
};

struct natslink_result {
	enum natslink_what what;
	// READY: the newest message of our subject in the stream, "" if there is none
	char key[NATSLINK_KEY_BYTES];
	char *line; // its text; NULL: none. To be freed.
	// FAILED: what, and what to do
	char text[200];
};

struct natslink_message {
	char key[NATSLINK_KEY_BYTES]; // Nats-Msg-Id: the stream drops a message that has one again
	size_t at, len;               // in the batch's text
};

struct natslink;

// 0 or negative errno. The calling thread's sandbox is the new thread's, too.
int natslink_start(const struct settings_nats *settings, struct natslink **ret_link);
// Waits a moment for a batch that is on its way; its result is left in ret_result, BUSY if there is none.
// 0; -ETIMEDOUT: the thread is still at work, and all that it was given is to stay.
int natslink_stop(struct natslink *link, struct natslink_result *ret_result);

int natslink_fd(const struct natslink *link);
void natslink_dial(struct natslink *link);
// The messages lie in the caller's memory and stay until the result is there.
void natslink_send(struct natslink *link, const struct natslink_message *messages, size_t n,
		   const char *text);
// The result is handed out once.
void natslink_result(struct natslink *link, struct natslink_result *ret_result);

#endif

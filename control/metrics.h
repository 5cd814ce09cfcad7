// SPDX-License-Identifier: BSD-2-Clause
// Numbers for Prometheus, over HTTP, for this machine only: a unix socket or a loopback address. No thread of its own.
#ifndef CONTROL_METRICS_H
#define CONTROL_METRICS_H

#include <stddef.h>
#include <sys/socket.h>

#include "common/diag.h"
#include "control/loop.h"

struct MHD_Daemon;
struct daemon;

struct metrics {
	struct daemon *d;
	struct MHD_Daemon *http; // NULL: off
	struct loop_source source;
	struct loop_timer timer; // connections that say nothing
	const char *path;        // of the unix socket, NULL if there is none
};

// "/run/wireglass/metrics.sock", "127.0.0.1:9464", "[::1]:9464". 0, or -EINVAL with ret_diag: none of these.
int metrics_address(const char *text, struct sockaddr_storage *ret_address, socklen_t *ret_len,
		    struct diag *ret_diag);

// Listen where the settings say, if they do. 0 or negative errno with ret_diag; metrics_done() is good after both.
int metrics_init(struct metrics *m, struct daemon *d, struct diag *ret_diag);
void metrics_done(struct metrics *m);

// All of them, as text format 0.0.4. NULL: out of memory; else to be freed.
char *metrics_text(const struct daemon *d, size_t *ret_len);

#endif

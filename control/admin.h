// SPDX-License-Identifier: BSD-2-Clause
// control.sock: requests of the CLI, answered with JSON.
#ifndef CONTROL_ADMIN_H
#define CONTROL_ADMIN_H

#include <jansson.h>
#include <stdbool.h>

#include "common/diag.h"
#include "common/ipc.h"
#include "control/audit.h"
#include "control/loop.h"
#include "control/privacy.h"
#include "control/store.h"

enum {
	ADMIN_CLIENTS_MAX = 16,
	ADMIN_PIECE_BYTES = 60000,    // of one reply message
	ADMIN_FOLLOW_BYTES = 1 << 20, // waiting for a slow follower before it is fed no more
	ADMIN_REPLY_BYTES = 64 << 20, // of one whole reply
	ADMIN_LIST_MAX = 10000,       // rows of one hits list
	ADMIN_DENIED_MAX = 10,        // denied requests of a second that are in the audit log
	ADMIN_IDLE_MS = 30000,        // connected without a request, or not taking a reply
};

struct daemon;
struct admin;
struct admin_piece;

struct admin_client {
	struct admin *admin; // NULL: slot is free
	int fd;
	struct audit_actor actor;
	bool may_change; // something; else it may only look
	struct loop_source source;
	struct loop_timer timer;
	uint32_t id; // of the request
	bool busy;   // a request is being answered
	bool follow, failed;
	struct ipc_admin_req req; // the one being answered
	uint64_t followed;        // HITS_FOLLOW: last row sent
	struct admin_piece *first, *last;
	size_t backlog;
};

struct admin {
	struct daemon *d;
	int fd;
	struct loop_source source;
	struct admin_client clients[ADMIN_CLIENTS_MAX];
	gid_t read_gid, operate_gid; // (gid_t)-1: none
	uint64_t refused;            // connections
	uint64_t denied_s;           // second of the last requests that were denied
	unsigned int denied;         // and how many of them are in the audit log
	uint64_t buf[IPC_MAX_BYTES / 8];
};

// Listen on the socket of d's settings. 0 or negative errno with ret_diag.
int admin_init(struct admin *a, struct daemon *d, struct diag *ret_diag);
void admin_done(struct admin *a);

// New rows are in the store: feed the followers.
void admin_new_hits(struct admin *a);

// Answers, in admin_show.c: a new object, NULL if out of memory.
json_t *admin_show_status(struct daemon *d);
json_t *admin_show_stats(struct daemon *d);
json_t *admin_show_ports(struct daemon *d);
json_t *admin_show_workers(struct daemon *d);
json_t *admin_show_rules(struct daemon *d);
json_t *admin_show_coverage(struct daemon *d);
json_t *admin_rules_list(struct daemon *d);

// Hits, in admin_hits.c.
struct admin_query {
	struct store_filter filter;
	struct prefix client, server, either;
};
// The conditions of a request. ret_query must stay where it is. 0, or -EINVAL with a sentence in ret_why.
int admin_hits_query(const struct privacy *privacy, const struct ipc_admin_req *req,
		     struct admin_query *ret_query, char *ret_why, size_t size);
// The answer; with an error (*ret_error is written) an object that says so.
json_t *admin_hits_list(struct daemon *d, const struct ipc_admin_req *req, int *ret_error);
json_t *admin_report(struct daemon *d, const struct ipc_admin_req *req, int *ret_error);
json_t *admin_hits_show(struct daemon *d, const struct ipc_admin_req *req, int *ret_error);
// uid: who asks.
json_t *admin_hits_work(struct daemon *d, const struct ipc_admin_req *req, uint32_t uid,
			int *ret_error);
json_t *admin_hit(const struct store_row *row);

#endif

// SPDX-License-Identifier: BSD-2-Clause
// Requests of the CLI to wireglassd, over the socket in struct cli.
#ifndef CONTROL_CLI_CLIENT_H
#define CONTROL_CLI_CLIENT_H

#include <jansson.h>

#include "common/ipc.h"
#include "control/cli/cli.h"

// Ask and wait for the whole reply. send_fd (-1: none) stays the caller's.
// 0: *ret_reply is the reply, json_decref() it. Otherwise the exit code; the error has been printed
// (3: no daemon, 4: no answer in time, 5: signature, 1: refused).
int client_request(const struct cli *cli, const struct ipc_admin_req *req, int send_fd,
		   json_t **ret_reply);

// The same without printing: ret_error gets the sentence.
int client_ask(const struct cli *cli, const struct ipc_admin_req *req, int send_fd,
	       json_t **ret_reply, char *ret_error, size_t error_size);

// Several, one after the other, until one fails. ret_replies[n]: json_decref() each, whatever is returned.
int client_ask_all(const struct cli *cli, const struct ipc_admin_req *reqs, unsigned int n,
		   json_t **ret_replies, char *ret_error, size_t error_size);

// Ask and hand every piece, each a JSON text of its own, to piece() until it returns non-zero, the daemon ends
// or *stop becomes true. Returns an exit code; errors have been printed.
typedef int client_piece_fn(void *ctx, json_t *piece);
int client_follow(const struct cli *cli, const struct ipc_admin_req *req, client_piece_fn *piece,
		  void *ctx, const volatile int *stop);

// Print reply as JSON on stdout, one line at the end. Returns CLI_OK, or CLI_FAILED if stdout does not take it.
int client_print_json(const json_t *reply);

#endif

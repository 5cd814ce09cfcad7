// SPDX-License-Identifier: BSD-2-Clause
// One request to wireglassd: connect, send, collect the pieces of the reply.
//
// The daemon's answers are checked as a stranger's would be (common/ipc.c), and bounded. Every way to fail has its own exit
// code and a sentence that says what to do.
#include "control/cli/client.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
	REPLY_MAX = 128 << 20,
	ANSWER_MS = 30000,
	DEPLOY_MS = 1200000, // a large rule set compiles for minutes; the daemon has its own limit
};

struct call {
	int fd;
	uint32_t id;
	int64_t deadline_ms;
	uint64_t *buf; // IPC_MAX_BYTES
	char *text;    // what has come so far
	size_t len, size;
};

struct answer {
	int error;
	bool more;
};

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int timeout_of(const struct ipc_admin_req *req)
{
	return req->command == IPC_ADMIN_RULES_LOAD || req->command == IPC_ADMIN_RULES_ROLLBACK ||
			       req->command == IPC_ADMIN_RULES_ACTIVATE
		       ? DEPLOY_MS
		       : ANSWER_MS;
}

static enum cli_exit call_begin(struct call *c, const struct cli *cli,
				const struct ipc_admin_req *req, int send_fd, char *ret_error,
				size_t size)
{
	*c = (struct call){.fd = ipc_connect(cli->socket), .id = 1};
	if (c->fd == -ENOENT || c->fd == -ECONNREFUSED) {
		snprintf(ret_error, size,
			 "wireglassd does not run on %s: start it (wireglassd --config FILE), or "
			 "name its socket with --socket",
			 cli->socket);
		return CLI_UNREACHABLE;
	}
	if (c->fd < 0) {
		snprintf(ret_error, size, "cannot connect to wireglassd on %s: %s%s", cli->socket,
			 strerror(-c->fd),
			 c->fd == -EACCES ? " (try as root, or as the user named by operator_uid)"
					  : "");
		return CLI_UNREACHABLE;
	}
	c->buf = malloc(IPC_MAX_BYTES);
	c->deadline_ms = now_ms() + timeout_of(req);
	int err = c->buf == NULL ? -ENOMEM
				 : ipc_send(c->fd, IPC_ADMIN_REQ, c->id, req, sizeof(*req), NULL, 0,
					    send_fd);
	if (err == 0 || err == -EPIPE || err == -ECONNRESET) // a refusal may be waiting to be read
		return CLI_OK;
	snprintf(ret_error, size, "cannot ask wireglassd on %s: %s", cli->socket, strerror(-err));
	return CLI_UNREACHABLE;
}

static void call_end(struct call *c)
{
	if (c->fd >= 0)
		close(c->fd);
	free(c->buf);
	free(c->text);
}

static bool append(struct call *c, const void *data, size_t len)
{
	if (len > REPLY_MAX - c->len)
		return false;
	if (c->len + len > c->size) {
		size_t size = (c->len + len) * 2;
		char *p = realloc(c->text, size);
		if (p == NULL)
			return false;
		c->text = p;
		c->size = size;
	}
	memcpy(c->text + c->len, data, len);
	c->len += len;
	return true;
}

// Wait for one message and append its text. CLI_OK, or an exit code with ret_error. *stop ends it with CLI_OK and no
// text, leaving ret_answer alone.
static enum cli_exit call_receive(struct call *c, const struct cli *cli, const volatile int *stop,
				  struct answer *ret_answer, char *ret_error, size_t size)
{
	struct ipc_msg m;
	int got;

	while ((got = ipc_recv(c->fd, c->buf, &m)) == -EAGAIN) {
		int64_t left = c->deadline_ms - now_ms();
		struct pollfd p = {.fd = c->fd, .events = POLLIN};

		if (stop != NULL && *stop != 0)
			return CLI_OK;
		if (stop == NULL && left <= 0) {
			snprintf(ret_error, size, "wireglassd on %s does not answer in time",
				 cli->socket);
			return CLI_TIMEOUT;
		}
		poll(&p, 1, stop != NULL ? 500 : (int)left);
	}
	if (got == -EPROTONOSUPPORT) {
		snprintf(ret_error, size,
			 "wireglassd is of another release than this program: install both from "
			 "one");
		return CLI_FAILED;
	}
	if (got == 1 && m.fd >= 0)
		close(m.fd);
	if (got == 1 && m.type == IPC_ERROR) {
		snprintf(ret_error, size, "wireglassd on %s: %s", cli->socket,
			 ((const struct ipc_error *)m.body)->text);
		return CLI_FAILED;
	}
	if (got != 1 || m.type != IPC_ADMIN_REP || m.id != c->id) {
		snprintf(ret_error, size, "wireglassd on %s %s", cli->socket,
			 got == 0 ? "closed the connection: it was stopped, or its log says why"
				  : "does not keep to the protocol");
		return CLI_UNREACHABLE;
	}
	const struct ipc_admin_rep *rep = m.body;
	if (!append(c, m.tail, m.tail_bytes)) {
		snprintf(ret_error, size, "the answer of wireglassd is too large");
		return CLI_FAILED;
	}
	*ret_answer = (struct answer){.error = rep->error, .more = rep->more != 0};
	return CLI_OK;
}

// The reply in c->text. An error reply becomes an exit code and its sentence.
static enum cli_exit parse_reply(struct call *c, int error, json_t **ret_reply, char *ret_error,
				 size_t size)
{
	json_t *json = json_loadb(c->text != NULL ? c->text : "", c->len, JSON_DECODE_ANY, NULL);

	*ret_reply = json;
	if (json == NULL) {
		snprintf(ret_error, size, "wireglassd sent an answer that is not JSON");
		return CLI_FAILED;
	}
	if (error == 0)
		return CLI_OK;
	const char *text = json_string_value(json_object_get(json, "error"));
	const char *code = json_string_value(json_object_get(json, "code"));
	snprintf(ret_error, size, "%s", text != NULL ? text : "refused");
	return cli_exit_of(code != NULL ? code : "");
}

// CLI_OK: *ret_reply is the answer. Otherwise *ret_reply is the daemon's error object, or NULL if there is none.
static enum cli_exit ask(const struct cli *cli, const struct ipc_admin_req *req, int send_fd,
			 json_t **ret_reply, char *ret_error, size_t size)
{
	struct call c;
	struct answer a = {.more = true};

	*ret_reply = NULL;
	enum cli_exit code = call_begin(&c, cli, req, send_fd, ret_error, size);
	while (code == CLI_OK && a.more)
		code = call_receive(&c, cli, NULL, &a, ret_error, size);
	if (code == CLI_OK)
		code = parse_reply(&c, a.error, ret_reply, ret_error, size);
	call_end(&c);
	return code;
}

int client_ask(const struct cli *cli, const struct ipc_admin_req *req, int send_fd,
	       json_t **ret_reply, char *ret_error, size_t error_size)
{
	json_t *reply;
	enum cli_exit code = ask(cli, req, send_fd, &reply, ret_error, error_size);

	if (code == CLI_OK)
		*ret_reply = reply;
	else
		json_decref(reply);
	return code;
}

int client_ask_all(const struct cli *cli, const struct ipc_admin_req *reqs, unsigned int n,
		   json_t **ret_replies, char *ret_error, size_t error_size)
{
	int code = CLI_OK;

	for (unsigned int i = 0; i < n; i++) {
		ret_replies[i] = NULL;
		if (code == CLI_OK)
			code = client_ask(cli, &reqs[i], -1, &ret_replies[i], ret_error,
					  error_size);
	}
	return code;
}

// The rules that were refused are worth seeing when the bundle was refused for them.
static void print_refused(const json_t *reply)
{
	const json_t *rule;
	size_t i;

	json_array_foreach(json_object_get(reply, "refused_rules"), i, rule)
	{
		fprintf(stderr, "  %s:%d:%d: sid %d: %s\n",
			json_string_value(json_object_get(rule, "file")),
			(int)json_integer_value(json_object_get(rule, "line")),
			(int)json_integer_value(json_object_get(rule, "column")),
			(int)json_integer_value(json_object_get(rule, "sid")),
			json_string_value(json_object_get(rule, "reason")));
	}
}

int client_request(const struct cli *cli, const struct ipc_admin_req *req, int send_fd,
		   json_t **ret_reply)
{
	char error[2048] = "";
	json_t *reply;
	enum cli_exit code = ask(cli, req, send_fd, &reply, error, sizeof(error));

	if (code == CLI_OK) {
		*ret_reply = reply;
		return CLI_OK;
	}
	if (reply != NULL && cli->json) { // all that the daemon said
		fprintf(stderr, "wireglass: %s\n", error);
		client_print_json(reply);
	} else {
		cli_error(cli, code,
			  code == CLI_UNREACHABLE ? "unreachable"
			  : code == CLI_TIMEOUT   ? "timeout"
						  : "refused",
			  "%s", error);
		print_refused(reply);
	}
	json_decref(reply);
	return code;
}

int client_follow(const struct cli *cli, const struct ipc_admin_req *req, client_piece_fn *piece,
		  void *ctx, const volatile int *stop)
{
	char error[2048] = "";
	struct call c;
	bool over = false;
	enum cli_exit code = call_begin(&c, cli, req, -1, error, sizeof(error));

	while (code == CLI_OK && !over) {
		struct answer a = {.more = true};
		json_t *json = NULL;

		c.len = 0;
		code = call_receive(&c, cli, stop, &a, error, sizeof(error));
		over = *stop != 0 || !a.more;
		if (code == CLI_OK && c.len > 0)
			code = parse_reply(&c, a.error, &json, error, sizeof(error));
		if (code == CLI_OK && json != NULL)
			over = piece(ctx, json) != 0 || over;
		json_decref(json);
	}
	call_end(&c);
	if (code == CLI_OK)
		return CLI_OK;
	return cli_error(cli, code, code == CLI_UNREACHABLE ? "unreachable" : "refused", "%s",
			 error);
}

int client_print_json(const json_t *reply)
{
	if (json_dumpf(reply, stdout, JSON_COMPACT | JSON_ENCODE_ANY) != 0 ||
	    putchar('\n') == EOF || fflush(stdout) != 0)
		return CLI_FAILED;
	return CLI_OK;
}

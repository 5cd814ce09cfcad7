// SPDX-License-Identifier: BSD-2-Clause
// The admin socket. A client sends one request at a time; its reply is cut into pieces that fit messages and queued,
// and whoever takes nothing of a queue for half a minute is dropped. Followers are fed from the store, row by row in
// order, only as fast as they read: a slow one costs a bounded queue and misses nothing.
#include "control/admin.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"
#include "control/daemon.h"
#include "rules/file.h"

struct admin_piece {
	struct admin_piece *next;
	struct ipc_admin_rep rep;
	size_t len;
	char text[];
};

static void feed(struct admin_client *c);

static void drop(struct admin_client *c)
{
	struct loop *loop = &c->admin->d->loop;

	deploy_forget(&c->admin->d->deploy, c);
	loop_timer_cancel(loop, &c->timer);
	loop_remove(loop, &c->source);
	close(c->fd);
	while (c->first != NULL) {
		struct admin_piece *p = c->first;
		c->first = p->next;
		free(p);
	}
	*c = (struct admin_client){.fd = -1};
}

static void on_idle(void *ctx)
{
	drop(ctx);
}

// Whoever owes us something (a request, or reading its reply) has ADMIN_IDLE_MS for it.
static void set_deadline(struct admin_client *c)
{
	struct loop *loop = &c->admin->d->loop;

	if (!c->busy || c->first != NULL)
		loop_timer_set(loop, &c->timer, ADMIN_IDLE_MS, on_idle, c);
	else
		loop_timer_cancel(loop, &c->timer);
}

// Send what the socket takes. false: the client has been dropped.
static bool flush(struct admin_client *c)
{
	while (c->first != NULL) {
		struct admin_piece *p = c->first;
		int err = ipc_send(c->fd, IPC_ADMIN_REP, c->id, &p->rep, sizeof(p->rep), p->text,
				   p->len, -1);
		if (err == -EAGAIN)
			break;
		if (err != 0) {
			drop(c);
			return false;
		}
		c->first = p->next;
		if (c->first == NULL)
			c->last = NULL;
		c->backlog -= p->len;
		if (p->rep.more == 0)
			c->busy = false;
		free(p);
	}
	loop_change(&c->admin->d->loop, &c->source,
		    c->first != NULL ? EPOLLIN | EPOLLOUT : EPOLLIN);
	set_deadline(c);
	return true;
}

static bool queue(struct admin_client *c, int error, bool more, const char *text, size_t len)
{
	struct admin_piece *p = malloc(sizeof(*p) + len);

	if (p == NULL)
		return false;
	*p = (struct admin_piece){.rep = {.error = error, .more = more}, .len = len};
	memcpy(p->text, text, len);
	if (c->last != NULL)
		c->last->next = p;
	else
		c->first = p;
	c->last = p;
	c->backlog += len;
	return true;
}

// Queue a whole JSON text as the reply.
static void reply_text(struct admin_client *c, int error, const char *text, size_t len)
{
	size_t off = 0;

	do {
		size_t n = len - off < ADMIN_PIECE_BYTES ? len - off : ADMIN_PIECE_BYTES;
		if (!queue(c, error, off + n < len, text + off, n)) {
			drop(c);
			return;
		}
		off += n;
	} while (off < len);
	flush(c);
}

// Takes the reference. NULL: out of memory.
static void reply(struct admin_client *c, int error, json_t *json)
{
	char *text = json != NULL ? json_dumps(json, JSON_COMPACT) : NULL;
	size_t len = text != NULL ? strlen(text) : 0;

	json_decref(json);
	if (text == NULL || len > ADMIN_REPLY_BYTES) {
		static const char failed[] =
			"{\"error\":\"the answer is too large\",\"code\":\"memory\"}";
		reply_text(c, -ENOMEM, failed, sizeof(failed) - 1);
	} else {
		reply_text(c, error, text, len);
	}
	free(text);
}

static void reply_error(struct admin_client *c, int error, const char *code, const char *text)
{
	reply(c, error, json_pack("{s:s, s:s}", "error", text, "code", code));
}

static void on_deployed(void *ctx, int error, json_t *json)
{
	reply(ctx, error, json_incref(json));
}

static const char *code_of(int err)
{
	return err == -EBUSY ? "busy" : err == -EFBIG ? "size" : err == -EPERM ? "role" : "refused";
}

// Refuse what would have changed something: that it was asked for is in the audit log, too.
static void refuse(struct admin_client *c, int err, const struct diag *diag)
{
	char text[1024];
	struct audit_entry e = {
		.action = ipc_admin_words(c->req.command),
		.result = "refused",
		.reason = diag_format(diag, text, sizeof(text)),
		.actor = c->actor,
	};

	(void)audit_append(&c->admin->d->audit, &e);
	reply_error(c, err, code_of(err), text);
}

static struct deploy_ask ask_of(struct admin_client *c)
{
	return (struct deploy_ask){
		.action = ipc_admin_words(c->req.command),
		.actor = c->actor,
		.allow_older = (c->req.flags & IPC_ADMIN_ALLOW_OLDER) != 0,
		.trial = {.seconds = c->req.trial_s,
			  .max_hits_per_s = c->req.trial_hits_per_s,
			  .max_busy_percent = c->req.trial_busy_percent},
		.done = on_deployed,
		.ctx = c,
	};
}

static void rules_load(struct admin_client *c, int fd)
{
	struct deploy_ask ask = ask_of(c);
	struct diag diag = {0};
	char *data;
	size_t len;
	int err = file_read_fd(fd, "bundle", BUNDLE_FILE_MAX, &data, &len, &diag);

	if (err == 0)
		err = deploy_load(&c->admin->d->deploy, data, len, &ask, &diag);
	if (err != 0)
		refuse(c, err, &diag);
}

static void rules_rollback(struct admin_client *c)
{
	struct deploy_ask ask = ask_of(c);
	struct diag diag = {0};
	int err = deploy_rollback(&c->admin->d->deploy, c->req.since, &ask, &diag);

	if (err != 0)
		refuse(c, err, &diag);
}

// Who changed how many hits is in the audit log; which ones and why, in the store.
static void hits_work(struct admin_client *c)
{
	struct daemon *d = c->admin->d;
	int err = 0;
	json_t *json = admin_hits_work(d, &c->req, c->actor.uid, &err);
	struct audit_entry e = {
		.action = ipc_admin_words(c->req.command),
		.result = err == 0 ? "done" : "failed",
		.reason = err != 0 ? json_string_value(json_object_get(json, "error")) : NULL,
		.actor = c->actor,
		.object = err == 0 ? json_deep_copy(json) : NULL,
	};

	(void)audit_append(&d->audit, &e);
	reply(c, err, json);
}

static void follow_row(void *ctx, const struct store_row *row)
{
	struct admin_client *c = ctx;
	json_t *json = admin_hit(row);
	char *text = json != NULL ? json_dumps(json, JSON_COMPACT) : NULL;

	c->followed = row->id;
	if (text == NULL || !queue(c, 0, true, text, strlen(text)))
		c->failed = true;
	free(text);
	json_decref(json);
}

// Rows that the follower has not seen, as long as its queue is short.
static void feed(struct admin_client *c)
{
	struct admin_query q;
	char why[128];
	int n = admin_hits_query(&c->admin->d->report.privacy, &c->req, &q, why, sizeof(why)) == 0
			? 1
			: -EINVAL;

	q.filter.newest = false;
	q.filter.limit = 256;
	while (n > 0 && c->backlog < ADMIN_FOLLOW_BYTES) {
		q.filter.since = c->followed;
		n = store_list(c->admin->d->store, &q.filter, follow_row, c);
	}
	if (c->failed || n < 0) // it would miss a hit
		drop(c);
	else
		flush(c);
}

static void hits_follow(struct admin_client *c)
{
	struct store_totals totals;
	struct admin_query q;
	char why[128];

	if (admin_hits_query(&c->admin->d->report.privacy, &c->req, &q, why, sizeof(why)) != 0) {
		reply_error(c, -EINVAL, "usage", why);
		return;
	}
	store_totals(c->admin->d->store, &totals);
	c->follow = true;
	c->followed = c->req.since != 0 ? c->req.since : totals.last_id;
	feed(c);
}

void admin_new_hits(struct admin *a)
{
	for (int i = 0; i < ADMIN_CLIENTS_MAX; i++)
		if (a->clients[i].admin != NULL && a->clients[i].follow &&
		    a->clients[i].backlog < ADMIN_FOLLOW_BYTES)
			feed(&a->clients[i]);
}

// Does this request change something?
static bool changes(uint32_t command)
{
	return command == IPC_ADMIN_RULES_LOAD || command == IPC_ADMIN_RULES_ROLLBACK ||
	       command == IPC_ADMIN_RULES_ACTIVATE || command == IPC_ADMIN_HITS_WORK;
}

// It is in the audit log who tried, but nobody can fill a disk with it.
static void deny(struct admin_client *c)
{
	struct admin *a = c->admin;
	uint64_t now_s = loop_now_ns() / 1000000000u;
	struct diag diag = {0};

	if (now_s != a->denied_s)
		a->denied = 0;
	a->denied_s = now_s;
	diag_set(&diag, NULL, 0, 0,
		 "user %u may look, but not change anything (operate_group, operator_uid)",
		 c->actor.uid);
	if (a->denied++ < ADMIN_DENIED_MAX)
		refuse(c, -EPERM, &diag);
	else
		reply_error(c, -EPERM, "role", diag.text);
}

static void handle(struct admin_client *c, int fd)
{
	struct daemon *d = c->admin->d;
	json_t *json;
	int err = 0;

	if (changes(c->req.command) && !c->may_change) {
		deny(c);
		return;
	}

	switch ((enum ipc_admin_command)c->req.command) {
	case IPC_ADMIN_SHOW_STATUS:
		reply(c, 0, admin_show_status(d));
		return;
	case IPC_ADMIN_SHOW_STATS:
		reply(c, 0, admin_show_stats(d));
		return;
	case IPC_ADMIN_SHOW_PORTS:
		reply(c, 0, admin_show_ports(d));
		return;
	case IPC_ADMIN_SHOW_WORKERS:
		reply(c, 0, admin_show_workers(d));
		return;
	case IPC_ADMIN_SHOW_RULES:
		reply(c, 0, admin_show_rules(d));
		return;
	case IPC_ADMIN_SHOW_COVERAGE:
		reply(c, 0, admin_show_coverage(d));
		return;
	case IPC_ADMIN_HITS_LIST:
		json = admin_hits_list(d, &c->req, &err);
		reply(c, err, json);
		return;
	case IPC_ADMIN_REPORT:
		json = admin_report(d, &c->req, &err);
		reply(c, err, json);
		return;
	case IPC_ADMIN_HITS_SHOW:
		json = admin_hits_show(d, &c->req, &err);
		reply(c, err, json);
		return;
	case IPC_ADMIN_HITS_WORK:
		hits_work(c);
		return;
	case IPC_ADMIN_HITS_FOLLOW:
		hits_follow(c);
		return;
	case IPC_ADMIN_RULES_LOAD:
		rules_load(c, fd);
		return;
	case IPC_ADMIN_RULES_LIST:
		reply(c, 0, admin_rules_list(d));
		return;
	case IPC_ADMIN_RULES_ROLLBACK:
	case IPC_ADMIN_RULES_ACTIVATE:
		rules_rollback(c);
		return;
	case IPC_ADMIN_N:
		break;
	}
	reply_error(c, -ENOSYS, "unknown", "wireglassd does not know this command");
}

static void on_client(void *ctx, uint32_t events)
{
	struct admin_client *c = ctx;
	struct ipc_msg m;

	if ((events & EPOLLOUT) != 0) {
		if (!flush(c))
			return;
		if (c->follow && c->backlog < ADMIN_FOLLOW_BYTES / 2) {
			feed(c);
			return;
		}
	}
	if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) == 0)
		return;
	int err = ipc_recv(c->fd, c->admin->buf, &m);
	if (err == -EAGAIN)
		return;
	if (err != 1 || m.type != IPC_ADMIN_REQ ||
	    c->busy) { // gone, or not keeping to the protocol
		if (err == 1 && m.fd >= 0)
			close(m.fd);
		drop(c);
		return;
	}
	c->busy = true;
	c->id = m.id;
	c->req = *(const struct ipc_admin_req *)m.body;
	set_deadline(c);
	handle(c, m.fd);
	if (m.fd >= 0)
		close(m.fd);
}

// May whoever connected change something, or only look? false: neither.
static bool role_of(const struct admin *a, int fd, const struct ipc_peer *peer,
		    bool *ret_may_change)
{
	*ret_may_change = ipc_check_peer(fd, (uid_t)a->d->settings.operator_uid) == 0 ||
			  ipc_peer_in_group(fd, a->operate_gid);
	return *ret_may_change || ipc_peer_in_group(fd, a->read_gid);
}

static void on_connect(void *ctx, uint32_t events)
{
	struct admin *a = ctx;
	struct ipc_peer peer;
	bool may_change;
	int fd = ipc_accept_any(a->fd, &peer);

	if (fd < 0)
		return;
	if (!role_of(a, fd, &peer, &may_change)) {
		ipc_refuse(fd, -EPERM,
			   "this user may not use this socket (read_group, operate_group, "
			   "operator_uid)");
		if (a->refused++ % 1000 == 0)
			log_warning("refused user %u on %s (read_group, operate_group, "
				    "operator_uid); %llu refused so far",
				    peer.uid, a->d->settings.socket,
				    (unsigned long long)a->refused);
		return;
	}
	for (int i = 0; i < ADMIN_CLIENTS_MAX; i++) {
		struct admin_client *c = &a->clients[i];
		if (c->admin != NULL)
			continue;
		*c = (struct admin_client){.admin = a,
					   .fd = fd,
					   .actor = {.uid = peer.uid, .pid = peer.pid},
					   .may_change = may_change};
		if (loop_add(&a->d->loop, &c->source, fd, EPOLLIN, on_client, c) != 0)
			drop(c);
		else
			set_deadline(c);
		return;
	}
	a->refused++;
	ipc_refuse(fd, -EUSERS, "too many clients are connected");
}

static int find_group(const char *key, const char *name, gid_t *ret_gid, struct diag *ret_diag)
{
	struct group *g = name[0] != '\0' ? getgrnam(name) : NULL;

	*ret_gid = g != NULL ? g->gr_gid : (gid_t)-1;
	if (name[0] == '\0' || g != NULL)
		return 0;
	diag_set(ret_diag, NULL, 0, 0, "%s: there is no group \"%s\": make it with addgroup", key,
		 name);
	return -EINVAL;
}

int admin_init(struct admin *a, struct daemon *d, struct diag *ret_diag)
{
	const char *path = d->settings.socket;

	memset(a, 0, sizeof(*a));
	a->fd = -1;
	int err = find_group("read_group", d->settings.read_group, &a->read_gid, ret_diag);
	if (err == 0)
		err = find_group("operate_group", d->settings.operate_group, &a->operate_gid,
				 ret_diag);
	if (err != 0)
		return err;
	a->d = d;
	a->fd = ipc_listen(path);
	if (a->fd == -EADDRINUSE)
		diag_set(ret_diag, path, 0, 0,
			 "another wireglassd answers on this socket: stop it, or choose another "
			 "with "
			 "--socket");
	else if (a->fd < 0)
		diag_set(ret_diag, path, 0, 0, "cannot listen: %s%s", strerror(-a->fd),
			 a->fd == -ENOENT || a->fd == -EACCES
				 ? " (does the directory exist, and may this user write to it?)"
				 : "");
	if (a->fd < 0)
		return a->fd;
	// The file is ours alone but for its group; the operator's own user must be able to open it.
	if (d->settings.operator_uid >= 0 && geteuid() == 0 &&
	    lchown(path, (uid_t)d->settings.operator_uid, (gid_t)-1) != 0)
		log_warning("%s: cannot give it to operator_uid: %s", path, strerror(errno));
	// With groups the kernel lets everybody knock; who is none of them is sent away by role_of().
	if ((a->read_gid != (gid_t)-1 || a->operate_gid != (gid_t)-1) && chmod(path, 0666) != 0)
		log_warning("%s: cannot be opened to the groups: %s", path, strerror(errno));
	err = loop_add(&d->loop, &a->source, a->fd, EPOLLIN, on_connect, a);
	if (err != 0) {
		diag_set(ret_diag, path, 0, 0, "cannot watch the socket: %s", strerror(-err));
		admin_done(a);
	}
	return err;
}

void admin_done(struct admin *a)
{
	if (a->d == NULL || a->fd < 0)
		return;
	for (int i = 0; i < ADMIN_CLIENTS_MAX; i++)
		if (a->clients[i].admin != NULL)
			drop(&a->clients[i]);
	loop_remove(&a->d->loop, &a->source);
	close(a->fd);
	unlink(a->d->settings.socket);
	a->fd = -1;
}

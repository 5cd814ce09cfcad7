// SPDX-License-Identifier: BSD-2-Clause
// Client of dataplane.sock.
//
// The dataplane may be started before or after us, restarted or replaced: while nobody listens we try again every 50 ms,
// for ever, since traffic is not inspected before it has its rules. With one that is there and no use the pauses double
// from 100 ms up to 2 s. A peer of another release is never worked with: it is told why and left. Messages before the
// greeting is complete, other than the greeting, break the protocol.
#include "control/dpclient.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"

enum {
	AWAY_MS = 50,
	BACKOFF_MIN_MS = 100,
	BACKOFF_MAX_MS = 2000,
	GREETING_MS = 10000, // a dataplane answers within a second; it may be loading a rule set
};

static void try_connect(void *ctx);

static void later(struct dpclient *c)
{
	c->state = DPCLIENT_WAITING;
	loop_timer_set(c->loop, &c->timer, c->backoff_ms, try_connect, c);
	c->backoff_ms = c->backoff_ms * 2 > BACKOFF_MAX_MS ? BACKOFF_MAX_MS : c->backoff_ms * 2;
}

// Close and try again later. why is kept for show status and logged if it is news.
static void drop(struct dpclient *c, const char *why)
{
	bool was_up = c->state == DPCLIENT_UP, news = strcmp(c->error, why) != 0;

	if (c->fd >= 0) {
		loop_remove(c->loop, &c->source);
		close(c->fd);
		c->fd = -1;
	}
	char text[sizeof(c->error)];
	snprintf(text, sizeof(text), "%s", why);
	memcpy(c->error, text, sizeof(text));
	if (was_up || news)
		log_warning("dataplane %s: %s", c->path, c->error);
	if (was_up)
		c->backoff_ms = BACKOFF_MIN_MS;
	later(c);
	if (was_up)
		c->ops->down(c->ctx);
}

static void refuse(struct dpclient *c, const char *why)
{
	struct ipc_error e = {.error = -EPROTO};

	snprintf(e.text, sizeof(e.text), "%s", why);
	(void)ipc_send(c->fd, IPC_ERROR, 0, &e, sizeof(e), NULL, 0, -1);
	drop(c, why);
}

static void on_hello(struct dpclient *c, const struct ipc_hello *hello)
{
	char why[160];

	if (hello->counters != COUNTER_N || strcmp(hello->version, WIREGLASS_VERSION) != 0) {
		snprintf(why, sizeof(why),
			 "it is version %.31s, wireglassd is " WIREGLASS_VERSION
			 ": run both from one release",
			 hello->version);
		refuse(c, why);
		return;
	}
	if (memcmp(c->hello.boot_id, hello->boot_id, sizeof(hello->boot_id)) != 0) {
		memset(c->has_stats, 0, sizeof(c->has_stats));
		c->n_ports = 0;
	}
	c->hello = *hello;
	if (c->state == DPCLIENT_CONNECTED)
		c->state = DPCLIENT_GREETED;
}

static void on_ruleset_state(struct dpclient *c, const struct ipc_ruleset_state *state)
{
	c->ruleset = *state;
	if (c->state == DPCLIENT_GREETED) {
		c->state = DPCLIENT_UP;
		c->connections++;
		c->backoff_ms = BACKOFF_MIN_MS;
		c->error[0] = '\0';
		c->up_since_ns = loop_wall_ns();
		for (unsigned int w = 0; w < IPC_WORKERS_MAX; w++)
			c->moved_ns[w] = loop_now_ns(); // nobody has looked before
		loop_timer_cancel(c->loop, &c->timer);
		log_notice("dataplane %s: connected, version %s, %u worker%s", c->path,
			   c->hello.version, c->hello.workers, c->hello.workers == 1 ? "" : "s");
		c->ops->up(c->ctx);
		return;
	}
	c->ops->ruleset_state(c->ctx, state);
}

static void on_error(struct dpclient *c, const struct ipc_error *e)
{
	char why[300];

	snprintf(why, sizeof(why), "it refused us: %s", e->text);
	drop(c, why);
}

static void dispatch(struct dpclient *c, const struct ipc_msg *m)
{
	if (m->type == IPC_ERROR) {
		on_error(c, m->body);
		return;
	}
	if (m->type == IPC_HELLO) {
		on_hello(c, m->body);
		return;
	}
	if (c->state < DPCLIENT_GREETED) {
		refuse(c, "it did not greet");
		return;
	}
	switch (m->type) {
	case IPC_RULESET_STATE:
		on_ruleset_state(c, m->body);
		break;
	case IPC_HITS:
		if (memcmp(((const struct ipc_hits *)m->body)->boot_id, c->hello.boot_id, 16) != 0)
			refuse(c, "it sent hits under another boot id than its own");
		else
			c->ops->hits(c->ctx, m->body, m->tail);
		break;
	case IPC_EVENTS:
		c->ops->events(c->ctx, m->body, m->tail);
		break;
	case IPC_STATS: {
		const struct ipc_stats *s = m->body, *old = &c->stats[s->worker];
		if (!c->has_stats[s->worker] || s->busy_ns != old->busy_ns ||
		    s->idle_ns != old->idle_ns)
			c->moved_ns[s->worker] = loop_now_ns();
		c->stats[s->worker] = *s;
		c->has_stats[s->worker] = true;
		break;
	}
	case IPC_PORTS: {
		const struct ipc_ports *p = m->body;
		c->n_ports = p->n;
		memcpy(c->ports, m->tail, p->n * sizeof(c->ports[0]));
		break;
	}
	default:
		refuse(c, "it sent a message that a dataplane does not send");
	}
}

// Hits and events, of which many may be waiting: they are stored together.
static bool is_bulk(const struct ipc_msg *m)
{
	return m->type == IPC_HITS || m->type == IPC_EVENTS || m->type == IPC_STATS ||
	       m->type == IPC_PORTS;
}

static void receive_failed(struct dpclient *c, int err)
{
	if (err == 0)
		drop(c, "it closed the connection");
	else if (err == -EPROTONOSUPPORT)
		refuse(c, "it speaks another protocol version: run both programs from one release");
	else
		refuse(c, "it broke the protocol");
}

static void on_readable(void *ctx, uint32_t events)
{
	struct dpclient *c = ctx;
	struct ipc_msg m;
	int err = 1;

	for (int i = 0; i < DPCLIENT_MESSAGES && c->fd >= 0 && err == 1; i++) {
		err = ipc_recv(c->fd, c->buf, &m);
		if (err != 1)
			break;
		if (m.fd >= 0) { // only RULESET_OFFER carries one, and that is ours to send
			close(m.fd);
			m.fd = -1;
		}
		if (!is_bulk(&m))
			c->ops->batch_end(c->ctx);
		dispatch(c, &m);
	}
	c->ops->batch_end(c->ctx);
	if (err != 1 && err != -EAGAIN && c->fd >= 0)
		receive_failed(c, err);
}

static void greeting_timeout(void *ctx)
{
	drop(ctx, "it accepted the connection but does not answer");
}

static void try_connect(void *ctx)
{
	struct dpclient *c = ctx;
	struct ipc_hello hello = {
		.pid = (uint32_t)getpid(),
		.counters = COUNTER_N,
		.start_ns = loop_wall_ns(),
		.version = WIREGLASS_VERSION,
	};
	char why[sizeof(c->error)];
	int fd = ipc_connect(c->path);

	if (fd < 0) {
		bool away = fd == -ENOENT || fd == -ECONNREFUSED;

		snprintf(why, sizeof(why), "cannot connect: %s",
			 away ? "not running" : strerror(-fd));
		if (away)
			c->backoff_ms = AWAY_MS;
		drop(c, why);
		return;
	}
	c->fd = fd;
	if (ipc_check_peer(fd, c->allowed_uid) != 0) {
		close(fd);
		c->fd = -1;
		drop(c, "it runs as another user than dataplane_uid allows: not trusted");
		return;
	}
	int err = ipc_send(fd, IPC_HELLO, 0, &hello, sizeof(hello), NULL, 0, -1);
	if (err == 0)
		err = loop_add(c->loop, &c->source, fd, EPOLLIN, on_readable, c);
	if (err != 0) {
		snprintf(why, sizeof(why), "cannot greet: %s", strerror(-err));
		drop(c, why);
		return;
	}
	c->state = DPCLIENT_CONNECTED;
	loop_timer_set(c->loop, &c->timer, GREETING_MS, greeting_timeout, c);
}

void dpclient_init(struct dpclient *c, struct loop *loop, const char *path, uid_t allowed_uid,
		   const struct dpclient_ops *ops, void *ctx)
{
	memset(c, 0, sizeof(*c));
	c->loop = loop;
	c->path = path;
	c->allowed_uid = allowed_uid;
	c->ops = ops;
	c->ctx = ctx;
	c->fd = -1;
	c->backoff_ms = BACKOFF_MIN_MS;
	snprintf(c->error, sizeof(c->error),
		 "not tried before the rules that were live are compiled again");
}

void dpclient_start(struct dpclient *c)
{
	if (c->state == DPCLIENT_OFF)
		try_connect(c);
}

void dpclient_done(struct dpclient *c)
{
	loop_timer_cancel(c->loop, &c->timer);
	if (c->fd >= 0) {
		loop_remove(c->loop, &c->source);
		close(c->fd);
	}
	c->fd = -1;
	c->state = DPCLIENT_OFF;
}

void dpclient_reconnect(struct dpclient *c, const char *why)
{
	if (c->fd >= 0)
		drop(c, why);
}

int dpclient_offer(struct dpclient *c, const struct ipc_ruleset_offer *offer, int memfd)
{
	if (c->state != DPCLIENT_UP)
		return -ENOTCONN;
	int err = ipc_send(c->fd, IPC_RULESET_OFFER, 0, offer, sizeof(*offer), NULL, 0, memfd);
	if (err != 0)
		drop(c, "it does not take messages");
	return err;
}

int dpclient_ack(struct dpclient *c, uint32_t worker, uint64_t seq)
{
	struct ipc_hits_ack ack = {.worker = worker, .seq = seq};

	if (c->state < DPCLIENT_GREETED)
		return -ENOTCONN;
	int err = ipc_send(c->fd, IPC_HITS_ACK, 0, &ack, sizeof(ack), NULL, 0, -1);
	if (err != 0)
		drop(c, "it does not take messages");
	return err;
}

void dpclient_counters(const struct dpclient *c, struct counters *ret_sum)
{
	memset(ret_sum, 0, sizeof(*ret_sum));
	for (unsigned int w = 0; w < IPC_WORKERS_MAX; w++)
		for (unsigned int i = 0; c->has_stats[w] && i < COUNTER_N; i++)
			ret_sum->v[i] += c->stats[w].counters.v[i];
}

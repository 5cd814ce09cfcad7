// SPDX-License-Identifier: BSD-2-Clause
// Sinks that are unix sockets: at least once. What the kernel has taken counts as taken; a crash before the cursor is saved
// repeats the lines since, which the id tells.
#include "control/sink_impl.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "control/text.h"

enum {
	SYSLOG_PRI = 16 * 8 + 4, // local0, warning
};

// RFC 5424 with the EVE line as its message.
static size_t syslog_line(const struct sinks *k, char *buf, size_t size,
			  const struct store_row *row)
{
	char when[40], host[64];
	size_t n = 0;

	text_time(when, sizeof(when), row->hit.ts_ns);
	for (const char *p = k->host; *p != '\0' && n + 1 < sizeof(host); p++)
		host[n++] = *p > ' ' && *p < 0x7f ? *p : '_';
	host[n] = '\0';
	n = (size_t)snprintf(buf, size, "<%d>1 %.26sZ %s wireglassd %d alert - @cee: ", SYSLOG_PRI,
			     when, n != 0 ? host : "-", (int)getpid());
	size_t line = sink_line(k, buf + n, size - n, row);
	return line != 0 ? n + line : 0;
}

void sink_socket_done(struct sinks *k, struct sink *s)
{
	if (s->fd < 0)
		return;
	if (k->loop != NULL)
		loop_remove(k->loop, &s->source);
	close(s->fd);
	s->fd = -1;
	s->rest_len = s->rest_done = 0; // whoever listens next gets the whole line
}

static void away(struct sinks *k, struct sink *s, int err)
{
	sink_socket_done(k, s);
	sink_failed(s, s->path, strerror(-err));
	sink_later(k, s);
}

static int dial(struct sink *s, int type)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", s->path);
	s->fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->fd < 0)
		return -errno;
	if (connect(s->fd, (const struct sockaddr *)&addr, sizeof(addr)) == 0) {
		s->stream = type == SOCK_STREAM;
		return 0;
	}
	int err = -errno;
	close(s->fd);
	s->fd = -1;
	return err;
}

static bool connected(struct sinks *k, struct sink *s, enum sink_kind kind)
{
	if (s->fd >= 0)
		return true;
	if (s->timer.due_ns != 0) // not yet
		return false;
	int first = kind == SINK_SYSLOG ? SOCK_DGRAM : SOCK_STREAM;
	int err = dial(s, first);
	if (err == -EPROTOTYPE)
		err = dial(s, first == SOCK_DGRAM ? SOCK_STREAM : SOCK_DGRAM);
	if (err != 0)
		away(k, s, err);
	return err == 0;
}

// It takes data again, or is gone.
static void on_socket(void *ctx, uint32_t events)
{
	sink_retry(ctx);
}

static void wait_until_writable(struct sinks *k, struct sink *s)
{
	if (k->loop != NULL && s->source.fn == NULL)
		(void)loop_add(k->loop, &s->source, s->fd, EPOLLOUT, on_socket, k);
}

// What is left of the line in s->rest. True: all of it has been taken.
static bool send_rest(struct sinks *k, struct sink *s)
{
	while (s->rest_done < s->rest_len) {
		ssize_t n = send(s->fd, s->rest + s->rest_done, s->rest_len - s->rest_done,
				 MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == ENOBUFS)) {
			wait_until_writable(k, s);
			return false;
		}
		if (n < 0 && errno == EMSGSIZE) { // a datagram that no socket takes: never will
			sink_failed(s, s->path, strerror(EMSGSIZE));
			break;
		}
		if (n < 0) {
			away(k, s, -errno);
			return false;
		}
		s->rest_done += (size_t)n;
	}
	if (s->rest_len > 0 && s->rest_done == s->rest_len) {
		s->lines++;
		sink_well(s);
	}
	if (s->rest_len > 0)
		s->cursor = s->rest_id;
	s->rest_len = s->rest_done = 0;
	return true;
}

static void send_row(void *ctx, const struct store_row *row)
{
	struct pump *p = ctx;
	struct sink *s = p->s;
	const size_t size = SINK_LINE_MAX;

	if (p->stop)
		return;
	size_t n = p->kind == SINK_SYSLOG ? syslog_line(p->k, s->rest, size, row)
					  : sink_line(p->k, s->rest, size, row);
	if (n == 0) {
		p->k->eve->dropped++;
		s->cursor = row->id;
		return;
	}
	if (s->stream || p->kind == SINK_EVE_SOCKET)
		s->rest[n++] = '\n';
	s->rest_len = n;
	s->rest_id = row->id;
	p->stop = !send_rest(p->k, s);
}

void sink_socket_pump(struct pump *p)
{
	struct sinks *k = p->k;
	struct sink *s = p->s;

	if (!connected(k, s, p->kind) || !send_rest(k, s)) {
		p->stop = true;
		return;
	}
	struct store_filter next = {.since = s->cursor, .limit = SINK_BATCH};
	if (store_list(k->store, &next, send_row, p) <= 0)
		p->stop = true;
}

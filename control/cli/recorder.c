// SPDX-License-Identifier: BSD-2-Clause
// One thread, one poll. A message of the relay is one packet, with a descriptor at most (common/ipc.h); both ends check who
// is at the other one, and we are the same user.
#include "control/cli/recorder.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/ipc.h"

enum {
	BACKLOG = 4,
	CHUNK = IPC_MAX_BYTES,
	FDS = RECORDER_N + 4,
};

static void keep(struct recorder *r, enum recorder_place place, const char *data, size_t len)
{
	struct recorder_text *t = &r->texts[place];

	if (t->len + len > t->size) {
		size_t size = (t->len + len) * 2;
		char *p = realloc(t->data, size);
		if (p == NULL) {
			r->incomplete = true;
			return;
		}
		t->data = p;
		t->size = size;
	}
	memcpy(t->data + t->len, data, len);
	t->len += len;
}

static void hang_up(int *io_fd)
{
	if (*io_fd >= 0)
		close(*io_fd);
	*io_fd = -1;
}

static int dial(const char *path)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	if (fd >= 0 && connect(fd, (const struct sockaddr *)&addr, sizeof(addr)) != 0)
		hang_up(&fd);
	return fd;
}

static int listen_on(const char *path, int type)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	if (bind(fd, (const struct sockaddr *)&addr, sizeof(addr)) != 0 ||
	    (type != SOCK_DGRAM && listen(fd, BACKLOG) != 0)) {
		int err = -errno;
		close(fd);
		return err;
	}
	return fd;
}

// One packet from one end to the other. false: one of them has gone.
static bool relay(struct recorder *r, int from, int to)
{
	char data[CHUNK];
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = {.iov_base = data, .iov_len = sizeof(data)};
	struct msghdr m = {.msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = &control,
			   .msg_controllen = sizeof(control)};
	ssize_t n = recvmsg(from, &m, MSG_CMSG_CLOEXEC);

	if (n <= 0)
		return n < 0 && errno == EINTR;
	keep(r, RECORDER_IPC, data, (size_t)n);
	iov.iov_len = (size_t)n;
	m.msg_flags = 0;
	n = sendmsg(to, &m, MSG_NOSIGNAL);
	const struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	if (c != NULL && c->cmsg_type == SCM_RIGHTS) {
		int fd;
		memcpy(&fd, CMSG_DATA(c), sizeof(fd));
		close(fd);
	}
	return n >= 0;
}

// false: the sender has gone.
static bool take(struct recorder *r, enum recorder_place place, int fd)
{
	char data[CHUNK];
	ssize_t n = recv(fd, data, sizeof(data), 0);

	if (n > 0)
		keep(r, place, data, (size_t)n);
	return n > 0 || (n < 0 && errno == EINTR);
}

static void new_peers(struct recorder *r, const struct pollfd *p)
{
	if (p[RECORDER_EVE].revents != 0) {
		hang_up(&r->eve);
		r->eve = accept4(r->listeners[RECORDER_EVE], NULL, NULL, SOCK_CLOEXEC);
	}
	if (p[RECORDER_IPC].revents != 0) {
		hang_up(&r->up);
		hang_up(&r->down);
		r->up = accept4(r->listeners[RECORDER_IPC], NULL, NULL, SOCK_CLOEXEC);
		r->down = dial(r->dataplane);
		if (r->down < 0) // it is not there yet; wireglassd tries again
			hang_up(&r->up);
	}
}

static void *record(void *arg)
{
	struct recorder *r = arg;

	for (;;) {
		struct pollfd p[FDS] = {{r->listeners[0], POLLIN, 0}, {r->listeners[1], POLLIN, 0},
					{r->listeners[2], POLLIN, 0}, {r->eve, POLLIN, 0},
					{r->up, POLLIN, 0},           {r->down, POLLIN, 0},
					{r->stop[0], POLLIN, 0}};

		int ready = poll(p, FDS, -1);
		if (ready < 0 && errno == EINTR)
			continue;
		if (ready < 0)
			break;
		if (p[RECORDER_SYSLOG].revents != 0)
			(void)take(r, RECORDER_SYSLOG, r->listeners[RECORDER_SYSLOG]);
		if (p[RECORDER_N].revents != 0 && !take(r, RECORDER_EVE, r->eve))
			hang_up(&r->eve);
		if ((p[RECORDER_N + 1].revents != 0 && !relay(r, r->up, r->down)) ||
		    (p[RECORDER_N + 2].revents != 0 && !relay(r, r->down, r->up))) {
			hang_up(&r->up);
			hang_up(&r->down);
		}
		new_peers(r, p);
		if (ready == 1 && p[RECORDER_N + 3].revents != 0) // all has been read
			break;
	}
	return NULL;
}

int recorder_start(struct recorder *r, const char *const paths[RECORDER_N], const char *dataplane)
{
	static const int types[RECORDER_N] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET};
	int err = 0;

	*r = (struct recorder){.dataplane = dataplane,
			       .stop = {-1, -1},
			       .listeners = {-1, -1, -1},
			       .eve = -1,
			       .up = -1,
			       .down = -1};
	for (int i = 0; i < RECORDER_N && err == 0; i++) {
		r->listeners[i] = listen_on(paths[i], types[i]);
		err = r->listeners[i] < 0 ? r->listeners[i] : 0;
	}
	if (err == 0 && pipe2(r->stop, O_CLOEXEC) != 0)
		err = -errno;
	if (err == 0)
		err = -pthread_create(&r->thread, NULL, record, r);
	r->running = err == 0;
	return err;
}

void recorder_stop(struct recorder *r)
{
	if (r->running) {
		hang_up(&r->stop[1]);
		pthread_join(r->thread, NULL);
	}
	r->running = false;
	hang_up(&r->stop[0]);
	hang_up(&r->stop[1]);
	hang_up(&r->eve);
	hang_up(&r->up);
	hang_up(&r->down);
	for (int i = 0; i < RECORDER_N; i++)
		hang_up(&r->listeners[i]);
}

void recorder_done(struct recorder *r)
{
	recorder_stop(r);
	for (int i = 0; i < RECORDER_N; i++)
		free(r->texts[i].data);
	memset(r->texts, 0, sizeof(r->texts));
}

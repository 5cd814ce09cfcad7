// SPDX-License-Identifier: BSD-2-Clause
// Messages between the three programs: one SOCK_SEQPACKET packet, one message.
//
// Nothing of a received message is handed out before all of it has been checked: the callers may then read every
// field that the table describes without looking at lengths again. File descriptors never leak: whatever arrives
// is either handed out with a message that carries one, or closed here.
#include "common/ipc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

// Tails are arrays of structs that hold 64-bit words: they must start aligned.
#define X(id, number, body, more)                                                                  \
	static_assert(sizeof(body) % 4 == 0 && (!(more) || sizeof(body) % 8 == 0), "alignment");
IPC_TABLE(X)
#undef X

struct type_info {
	const char *name;
	uint32_t bytes; // of the fixed struct, 0: no such type
	bool more;
};

static const struct type_info *type_info(unsigned int type)
{
	static const struct type_info table[] = {
#define X(id, number, body, more) [number] = {#id, sizeof(body), more},
		IPC_TABLE(X)
#undef X
	};
	return type < sizeof(table) / sizeof(table[0]) && table[type].bytes != 0 ? &table[type]
										 : NULL;
}

static bool admin_needs_fd(unsigned int command)
{
	static const bool table[IPC_ADMIN_N] = {
#define X(id, words, fd) [IPC_ADMIN_##id] = fd,
		IPC_ADMIN_TABLE(X)
#undef X
	};
	return command < IPC_ADMIN_N && table[command];
}

const char *ipc_type_name(unsigned int type)
{
	const struct type_info *info = type_info(type);

	return info != NULL ? info->name : "?";
}

const char *ipc_admin_words(unsigned int command)
{
	static const char *const table[IPC_ADMIN_N] = {
#define X(id, words, fd) [IPC_ADMIN_##id] = words,
		IPC_ADMIN_TABLE(X)
#undef X
	};
	return command < IPC_ADMIN_N ? table[command] : "?";
}

static int address(const char *path, struct sockaddr_un *ret_addr)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	size_t len = strlen(path);

	if (len == 0)
		return -EINVAL;
	if (len >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	memcpy(addr.sun_path, path, len);
	*ret_addr = addr;
	return 0;
}

int ipc_connect(const char *path)
{
	struct sockaddr_un addr;
	int err = address(path, &addr);

	if (err != 0)
		return err;
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)&addr, sizeof(addr)) != 0) {
		err = -errno;
		close(fd);
		return err;
	}
	return fd;
}

// Remove the socket file of an instance that is gone. Anything else under that name stays.
static int remove_stale(const char *path)
{
	struct stat st;

	if (lstat(path, &st) != 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	int fd = ipc_connect(path);
	if (fd >= 0) {
		close(fd);
		return -EADDRINUSE;
	}
	if (fd != -ECONNREFUSED)
		return fd == -EAGAIN || fd == -EPROTOTYPE ? -EADDRINUSE : fd;
	return unlink(path) == 0 || errno == ENOENT ? 0 : -errno;
}

int ipc_listen(const char *path)
{
	struct sockaddr_un addr;
	int err = address(path, &addr);

	if (err == 0)
		err = remove_stale(path);
	if (err != 0)
		return err;
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	// The mode set before bind() is the upper bound of the file's: there is no moment at which it is more open.
	if (fchmod(fd, 0660) != 0)
		goto close_fd;
	if (bind(fd, (const struct sockaddr *)&addr, sizeof(addr)) != 0)
		goto close_fd;
	if (chmod(path, 0660) != 0 || listen(fd, 16) != 0) {
		err = -errno;
		unlink(path);
		close(fd);
		return err;
	}
	return fd;

close_fd:
	err = -errno;
	close(fd);
	return err;
}

int ipc_peer(int fd, struct ipc_peer *ret_peer)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) != 0)
		return -errno;
	*ret_peer = (struct ipc_peer){.uid = cred.uid, .gid = cred.gid, .pid = cred.pid};
	return len == sizeof(cred) ? 0 : -EPROTO;
}

int ipc_check_peer(int fd, uid_t allowed_uid)
{
	struct ipc_peer peer;

	if (ipc_peer(fd, &peer) != 0)
		return -EPERM;
	return peer.uid == 0 || peer.uid == geteuid() || peer.uid == allowed_uid ? 0 : -EPERM;
}

bool ipc_peer_in_group(int fd, gid_t gid)
{
	gid_t groups[1024];
	socklen_t len = sizeof(groups); // more than that fail, and so does this
	struct ipc_peer peer;

	if (gid == (gid_t)-1 || ipc_peer(fd, &peer) != 0)
		return false;
	if (peer.gid == gid)
		return true;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) != 0)
		return false;
	for (size_t i = 0; i < len / sizeof(groups[0]); i++)
		if (groups[i] == gid)
			return true;
	return false;
}

void ipc_refuse(int fd, int error, const char *text)
{
	struct ipc_error refused = {.error = error};

	snprintf(refused.text, sizeof(refused.text), "%s", text);
	(void)ipc_send(fd, IPC_ERROR, 0, &refused, sizeof(refused), NULL, 0, -1);
	close(fd);
}

int ipc_accept_any(int listen_fd, struct ipc_peer *ret_peer)
{
	int fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), err;

	if (fd < 0)
		return errno == EWOULDBLOCK || errno == ECONNABORTED || errno == EINTR ? -EAGAIN
										       : -errno;
	err = ipc_peer(fd, ret_peer);
	if (err != 0)
		close(fd);
	return err != 0 ? err : fd;
}

int ipc_accept(int listen_fd, uid_t allowed_uid)
{
	struct ipc_peer peer;
	int fd = ipc_accept_any(listen_fd, &peer);

	if (fd >= 0 && ipc_check_peer(fd, allowed_uid) != 0) {
		ipc_refuse(fd, -EPERM, "this user may not use this socket");
		return -EPERM;
	}
	return fd;
}

int ipc_send(int fd, uint16_t type, uint32_t id, const void *body, size_t body_bytes,
	     const void *tail, size_t tail_bytes, int send_fd)
{
	const struct type_info *info = type_info(type);
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;

	if (info == NULL || body_bytes != info->bytes || (tail_bytes != 0 && !info->more))
		return -EINVAL;
	if (tail_bytes > IPC_MAX_BYTES - sizeof(struct ipc_header) - body_bytes)
		return -EMSGSIZE;
	struct ipc_header header = {
		.magic = IPC_MAGIC,
		.type = type,
		.version = IPC_VERSION,
		.bytes = (uint32_t)(body_bytes + tail_bytes),
		.id = id,
	};
	union { // sendmsg() does not write through iov_base
		const void *from;
		void *to;
	} body_base = {.from = body}, tail_base = {.from = tail};
	struct iovec iov[3] = {
		{.iov_base = &header, .iov_len = sizeof(header)},
		{.iov_base = body_base.to, .iov_len = body_bytes},
		{.iov_base = tail_base.to, .iov_len = tail_bytes},
	};
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = tail_bytes != 0 ? 3 : 2};

	if (send_fd >= 0) {
		memset(&control, 0, sizeof(control));
		msg.msg_control = control.buf;
		msg.msg_controllen = sizeof(control.buf);
		struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(cmsg), &send_fd, sizeof(int));
	}
	ssize_t n;
	do
		n = sendmsg(fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EWOULDBLOCK ? -EAGAIN : -errno;
	return 0;
}

// Take the descriptors out of a received message. Returns how many there were; the first is *ret_fd, the rest closed.
static unsigned int take_fds(struct msghdr *msg, int *ret_fd)
{
	unsigned int count = 0;

	*ret_fd = -1;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			if (count++ == 0)
				*ret_fd = fd;
			else
				close(fd);
		}
	}
	return count;
}

static bool terminated(const char *text, size_t size)
{
	return memchr(text, '\0', size) != NULL;
}

static bool counted(uint32_t n, uint32_t max, size_t element, size_t tail_bytes)
{
	return n <= max && tail_bytes == n * element;
}

// The fields that other code relies on, by type. Lengths against the table are already right.
static bool fields_ok(const struct ipc_msg *m)
{
	switch ((enum ipc_type)m->type) {
	case IPC_HELLO: {
		const struct ipc_hello *b = m->body;
		return terminated(b->version, sizeof(b->version)) &&
		       b->workers <= IPC_WORKERS_MAX && b->ports <= IPC_PORTS_MAX;
	}
	case IPC_ERROR: {
		const struct ipc_error *b = m->body;
		return terminated(b->text, sizeof(b->text));
	}
	case IPC_RULESET_OFFER:
		return true;
	case IPC_RULESET_STATE: {
		const struct ipc_ruleset_state *b = m->body;
		return terminated(b->text, sizeof(b->text)) && b->status <= IPC_RULESET_REFUSED;
	}
	case IPC_HITS: {
		const struct ipc_hits *b = m->body;
		return b->worker < IPC_WORKERS_MAX &&
		       counted(b->n, IPC_HITS_MAX, sizeof(struct hit), m->tail_bytes);
	}
	case IPC_HITS_ACK:
		return ((const struct ipc_hits_ack *)m->body)->worker < IPC_WORKERS_MAX;
	case IPC_EVENTS: {
		const struct ipc_events *b = m->body;
		return b->worker < IPC_WORKERS_MAX &&
		       counted(b->n, IPC_EVENTS_MAX, sizeof(struct event), m->tail_bytes);
	}
	case IPC_STATS:
		return ((const struct ipc_stats *)m->body)->worker < IPC_WORKERS_MAX;
	case IPC_PORTS: {
		const struct ipc_ports *b = m->body;
		const struct ipc_port *port = m->tail;

		if (!counted(b->n, IPC_PORTS_MAX, sizeof(*port), m->tail_bytes))
			return false;
		for (uint32_t i = 0; i < b->n; i++)
			if (!terminated(port[i].name, sizeof(port[i].name)) ||
			    !terminated(port[i].driver, sizeof(port[i].driver)))
				return false;
		return true;
	}
	case IPC_ADMIN_REQ: {
		const struct ipc_admin_req *b = m->body;
		return terminated(b->text, sizeof(b->text)) &&
		       terminated(b->host, sizeof(b->host)) &&
		       terminated(b->client, sizeof(b->client)) &&
		       terminated(b->server, sizeof(b->server)) &&
		       terminated(b->note, sizeof(b->note));
	}
	case IPC_ADMIN_REP:
		return true;
	}
	return false;
}

static bool carries_fd(const struct ipc_msg *m)
{
	return m->type == IPC_RULESET_OFFER ||
	       (m->type == IPC_ADMIN_REQ &&
		admin_needs_fd(((const struct ipc_admin_req *)m->body)->command));
}

static int parse(const uint8_t *buf, size_t len, struct ipc_msg *ret_msg)
{
	struct ipc_header header;

	if (len < sizeof(header))
		return -EPROTO;
	memcpy(&header, buf, sizeof(header));
	if (header.magic != IPC_MAGIC)
		return -EPROTO;
	if (header.version != IPC_VERSION)
		return -EPROTONOSUPPORT;
	const struct type_info *info = type_info(header.type);
	if (info == NULL || header.bytes != len - sizeof(header) || header.bytes < info->bytes ||
	    (header.bytes > info->bytes && !info->more))
		return -EPROTO;
	*ret_msg = (struct ipc_msg){
		.type = header.type,
		.id = header.id,
		.body = buf + sizeof(header),
		.tail = buf + sizeof(header) + info->bytes,
		.tail_bytes = header.bytes - info->bytes,
		.fd = -1,
	};
	return fields_ok(ret_msg) ? 0 : -EPROTO;
}

int ipc_recv(int fd, void *buf, struct ipc_msg *ret_msg)
{
	union { // two: a second descriptor must be seen to be refused; more set MSG_CTRUNC
		char buf[CMSG_SPACE(2 * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = {.iov_base = buf, .iov_len = IPC_MAX_BYTES};
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.buf,
		.msg_controllen = sizeof(control.buf),
	};
	struct ipc_msg m = {0};
	int got_fd, err = -EPROTO;
	ssize_t n;

	// A reset is reported before what the peer sent last, and only once: its ERROR may still be waiting.
	bool reset = false;
	do {
		n = recvmsg(fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
		if (n < 0 && errno == ECONNRESET && !reset) {
			reset = true;
			errno = EINTR;
		}
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EWOULDBLOCK ? -EAGAIN : errno == ECONNRESET ? 0 : -errno;
	unsigned int fds = take_fds(&msg, &got_fd);
	if (n == 0) {
		if (got_fd >= 0)
			close(got_fd);
		return 0;
	}
	if ((msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0 && fds <= 1)
		err = parse(buf, (size_t)n, &m);
	if (err == 0 && carries_fd(&m) != (fds == 1))
		err = -EPROTO;
	if (err != 0) {
		if (got_fd >= 0)
			close(got_fd);
		return err;
	}
	m.fd = got_fd;
	*ret_msg = m;
	return 1;
}

// SPDX-License-Identifier: BSD-2-Clause
// A packet of a hostile peer: the first byte is how many descriptors come with it (0 to 3), the rest is the packet.
// What ipc_recv() lets through must be readable as its type says, to the last byte; no descriptor may leak.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/ipc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile uint64_t sink;

static void read_all(const void *data, size_t len)
{
	const uint8_t *p = data;
	uint64_t sum = 0;

	for (size_t i = 0; i < len; i++)
		sum += p[i];
	sink = sum;
}

static void read_message(const struct ipc_msg *m)
{
	read_all(m->tail, m->tail_bytes);
	switch (m->type) {
	case IPC_HITS:
		read_all(m->tail, ((const struct ipc_hits *)m->body)->n * sizeof(struct hit));
		break;
	case IPC_EVENTS:
		read_all(m->tail, ((const struct ipc_events *)m->body)->n * sizeof(struct event));
		break;
	case IPC_PORTS: {
		const struct ipc_port *port = m->tail;
		for (uint32_t i = 0; i < ((const struct ipc_ports *)m->body)->n; i++)
			sink = strlen(port[i].name) + strlen(port[i].driver);
		break;
	}
	case IPC_HELLO:
		sink = strlen(((const struct ipc_hello *)m->body)->version);
		break;
	case IPC_ERROR:
		sink = strlen(((const struct ipc_error *)m->body)->text);
		break;
	case IPC_RULESET_STATE:
		sink = strlen(((const struct ipc_ruleset_state *)m->body)->text);
		break;
	case IPC_ADMIN_REQ:
		sink = strlen(((const struct ipc_admin_req *)m->body)->text);
		break;
	default:
		break;
	}
	sink = strlen(ipc_type_name(m->type));
}

// Exactly one packet with n descriptors.
static int send_packet(int fd, const uint8_t *data, size_t len, int n)
{
	union {
		const uint8_t *from;
		void *to;
	} base = {.from = data};
	union {
		char space[CMSG_SPACE(3 * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = {.iov_base = base.to, .iov_len = len};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

	memset(&control, 0, sizeof(control));
	if (n > 0) {
		msg.msg_control = control.space;
		msg.msg_controllen = CMSG_SPACE((size_t)n * sizeof(int));
		struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN((size_t)n * sizeof(int));
		for (int i = 0; i < n; i++)
			memcpy(CMSG_DATA(c) + (size_t)i * sizeof(int), &fd, sizeof(int));
	}
	return sendmsg(fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint64_t *buf;
	static int lowest = -1;
	struct ipc_msg m;
	int v[2];

	if (buf == NULL)
		buf = malloc(IPC_MAX_BYTES);
	if (buf == NULL || size < 2 || size > IPC_MAX_BYTES + 64)
		return 0;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, v) != 0)
		abort(); // descriptors have leaked
	if (lowest >= 0 && v[0] > lowest + 16)
		abort();
	if (lowest < 0)
		lowest = v[0];
	memset(buf, 0xa5, 4096);
	if (send_packet(v[0], data + 1, size - 1, data[0] & 3)) {
		if (ipc_recv(v[1], buf, &m) == 1) {
			read_message(&m);
			if (m.fd >= 0)
				close(m.fd);
		}
	}
	close(v[0]);
	close(v[1]);
	return 0;
}

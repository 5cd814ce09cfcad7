// SPDX-License-Identifier: BSD-2-Clause
// Messages between the programs: every type in both directions, every length, and everything a broken or hostile peer
// can do with a packet and its descriptors.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/ipc.h"

static uint64_t buf[IPC_MAX_BYTES / 8];

struct pair {
	int a, b;
};

static struct pair pair_open(void)
{
	int v[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, v),
			 0);
	return (struct pair){v[0], v[1]};
}

static void pair_close(struct pair p)
{
	close(p.a);
	close(p.b);
}

static int open_fds(void)
{
	int n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

// One well-formed message of each type, with a tail where the type has one.
struct sample {
	uint16_t type;
	size_t body_bytes, tail_bytes, element;
	bool fd;
	union {
		struct ipc_hello hello;
		struct ipc_error error;
		struct ipc_ruleset_offer offer;
		struct ipc_ruleset_state state;
		struct ipc_hits hits;
		struct ipc_hits_ack ack;
		struct ipc_events events;
		struct ipc_stats stats;
		struct ipc_ports ports;
		struct ipc_admin_req req;
		struct ipc_admin_rep rep;
		uint8_t bytes[sizeof(struct ipc_stats)];
	} body;
	uint8_t tail[4096];
};

static const uint16_t types[] = {
#define X(id, number, body, more) IPC_##id,
	IPC_TABLE(X)
#undef X
};

enum {
	TYPE_N = sizeof(types) / sizeof(types[0]),
};

static struct sample sample_of(uint16_t type)
{
	struct sample s = {.type = type};

	switch ((enum ipc_type)type) {
	case IPC_HELLO:
		s.body_bytes = sizeof(s.body.hello);
		s.body.hello.workers = 2;
		snprintf(s.body.hello.version, sizeof(s.body.hello.version), "0.1.0");
		break;
	case IPC_ERROR:
		s.body_bytes = sizeof(s.body.error);
		s.body.error.error = -EPROTO;
		snprintf(s.body.error.text, sizeof(s.body.error.text), "no");
		break;
	case IPC_RULESET_OFFER:
		s.body_bytes = sizeof(s.body.offer);
		s.body.offer.generation = 7;
		s.fd = true;
		break;
	case IPC_RULESET_STATE:
		s.body_bytes = sizeof(s.body.state);
		s.body.state.status = IPC_RULESET_LIVE;
		break;
	case IPC_HITS:
		s.body_bytes = sizeof(s.body.hits);
		s.body.hits.worker = 3;
		s.body.hits.n = 5;
		s.element = sizeof(struct hit);
		break;
	case IPC_HITS_ACK:
		s.body_bytes = sizeof(s.body.ack);
		s.body.ack.seq = 99;
		break;
	case IPC_EVENTS:
		s.body_bytes = sizeof(s.body.events);
		s.body.events.n = 3;
		s.element = sizeof(struct event);
		break;
	case IPC_STATS:
		s.body_bytes = sizeof(s.body.stats);
		s.body.stats.worker = IPC_WORKERS_MAX - 1;
		break;
	case IPC_PORTS:
		s.body_bytes = sizeof(s.body.ports);
		s.body.ports.n = 4;
		s.element = sizeof(struct ipc_port);
		break;
	case IPC_ADMIN_REQ:
		s.body_bytes = sizeof(s.body.req);
		s.body.req.command = IPC_ADMIN_HITS_LIST;
		break;
	case IPC_ADMIN_REP:
		s.body_bytes = sizeof(s.body.rep);
		s.tail_bytes = 17;
		break;
	}
	if (s.element != 0)
		s.tail_bytes = s.element * (type == IPC_HITS ? 5u : type == IPC_EVENTS ? 3u : 4u);
	for (size_t i = 0; i < s.tail_bytes && type == IPC_ADMIN_REP; i++)
		s.tail[i] = (uint8_t)i;
	return s;
}

static int send_sample(int fd, const struct sample *s, uint32_t id)
{
	return ipc_send(fd, s->type, id, &s->body, s->body_bytes, s->tail, s->tail_bytes,
			s->fd ? 0 : -1);
}

// The sample as the bytes of a packet.
static size_t packet_of(const struct sample *s, uint8_t *out)
{
	struct ipc_header h = {
		.magic = IPC_MAGIC,
		.type = s->type,
		.version = IPC_VERSION,
		.bytes = (uint32_t)(s->body_bytes + s->tail_bytes),
		.id = 1,
	};

	memcpy(out, &h, sizeof(h));
	memcpy(out + sizeof(h), &s->body, s->body_bytes);
	memcpy(out + sizeof(h) + s->body_bytes, s->tail, s->tail_bytes);
	return sizeof(h) + h.bytes;
}

// Send raw bytes with n descriptors.
static void send_raw(int fd, const void *data, size_t len, int n_fds)
{
	union {
		const void *from;
		void *to;
	} base = {.from = data};
	struct iovec iov = {.iov_base = base.to, .iov_len = len};
	union {
		char space[CMSG_SPACE(8 * sizeof(int))];
		struct cmsghdr align;
	} control = {0};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

	if (n_fds > 0) {
		msg.msg_control = control.space;
		msg.msg_controllen = CMSG_SPACE((size_t)n_fds * sizeof(int));
		struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN((size_t)n_fds * sizeof(int));
		for (int i = 0; i < n_fds; i++) {
			int zero = 0;
			memcpy(CMSG_DATA(c) + (size_t)i * sizeof(int), &zero, sizeof(int));
		}
	}
	assert_int_equal(sendmsg(fd, &msg, MSG_NOSIGNAL), (ssize_t)len);
}

static void test_round_trip(void **state)
{
	for (int i = 0; i < TYPE_N; i++) {
		struct sample s = sample_of(types[i]);
		struct pair p = pair_open();
		struct ipc_msg m = {0};

		assert_int_equal(send_sample(p.a, &s, 1000u + (uint32_t)i), 0);
		assert_int_equal(ipc_recv(p.b, buf, &m), 1);
		assert_int_equal(m.type, s.type);
		assert_int_equal(m.id, 1000 + i);
		assert_memory_equal(m.body, &s.body, s.body_bytes);
		assert_int_equal(m.tail_bytes, s.tail_bytes);
		assert_memory_equal(m.tail, s.tail, s.tail_bytes);
		assert_int_equal((uintptr_t)m.body % 8, 0);
		if (s.element != 0)
			assert_int_equal((uintptr_t)m.tail % 8, 0);
		assert_int_equal(m.fd >= 0, s.fd);
		if (m.fd >= 0) {
			assert_int_not_equal(fcntl(m.fd, F_GETFD) & FD_CLOEXEC, 0);
			close(m.fd);
		}
		assert_int_equal(ipc_recv(p.b, buf, &m), -EAGAIN);
		pair_close(p);
	}
}

static void test_every_truncation_and_extension(void **state)
{
	static uint8_t packet[IPC_MAX_BYTES];

	for (int i = 0; i < TYPE_N; i++) {
		struct sample s = sample_of(types[i]);
		struct pair p = pair_open();
		struct ipc_msg m;
		size_t full = packet_of(&s, packet);

		for (size_t len = 1; len < full; len++) {
			send_raw(p.a, packet, len, s.fd ? 1 : 0);
			assert_int_equal(ipc_recv(p.b, buf, &m), -EPROTO);
		}
		packet[full] = 0;
		send_raw(p.a, packet, full + 1, s.fd ? 1 : 0);
		assert_int_equal(ipc_recv(p.b, buf, &m), -EPROTO);
		pair_close(p);
	}
}

static void test_every_declared_length(void **state)
{
	static uint8_t packet[IPC_MAX_BYTES];

	// The header says another length than the packet has, in step with it or not.
	for (int i = 0; i < TYPE_N; i++) {
		struct sample s = sample_of(types[i]);
		struct pair p = pair_open();
		struct ipc_msg m;
		size_t full = packet_of(&s, packet);
		uint32_t right = (uint32_t)(full - sizeof(struct ipc_header));

		for (uint32_t len = 0; len < right + 64; len++) {
			if (len == right)
				continue;
			memcpy(packet + offsetof(struct ipc_header, bytes), &len, sizeof(len));
			send_raw(p.a, packet, full, s.fd ? 1 : 0);
			assert_int_equal(ipc_recv(p.b, buf, &m), -EPROTO);
			// In step: only ADMIN_REP may have another length.
			if (types[i] == IPC_ADMIN_REP && len >= sizeof(struct ipc_admin_rep))
				continue;
			send_raw(p.a, packet, sizeof(struct ipc_header) + len, s.fd ? 1 : 0);
			assert_int_equal(ipc_recv(p.b, buf, &m), -EPROTO);
		}
		pair_close(p);
	}
}

static void test_header(void **state)
{
	struct {
		size_t offset;
		uint16_t value;
		int want;
	} cases[] = {
		{offsetof(struct ipc_header, magic), 0x4758, -EPROTO},
		{offsetof(struct ipc_header, version), IPC_VERSION + 1, -EPROTONOSUPPORT},
		{offsetof(struct ipc_header, version), 0, -EPROTONOSUPPORT},
		{offsetof(struct ipc_header, type), 0, -EPROTO},
		{offsetof(struct ipc_header, type), TYPE_N + 1, -EPROTO},
		{offsetof(struct ipc_header, type), 0xffff, -EPROTO},
		{offsetof(struct ipc_header, type), IPC_ERROR, -EPROTO}, // another type's length
	};
	struct sample s = sample_of(IPC_HELLO);
	struct pair p = pair_open();
	struct ipc_msg m;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t packet[1024];
		size_t len = packet_of(&s, packet);

		memcpy(packet + cases[i].offset, &cases[i].value, 2);
		send_raw(p.a, packet, len, 0);
		assert_int_equal(ipc_recv(p.b, buf, &m), cases[i].want);
	}
	// The connection itself is still fine: the next good message is received.
	assert_int_equal(send_sample(p.a, &s, 5), 0);
	assert_int_equal(ipc_recv(p.b, buf, &m), 1);
	pair_close(p);
}

static void expect_field(const struct sample *s, int want)
{
	struct pair p = pair_open();
	struct ipc_msg m;

	assert_int_equal(send_sample(p.a, s, 1), 0);
	int got = ipc_recv(p.b, buf, &m);
	if (got == 1 && m.fd >= 0)
		close(m.fd);
	assert_int_equal(got, want);
	pair_close(p);
}

static void test_fields(void **state)
{
	struct sample s = sample_of(IPC_HITS);

	for (uint32_t n = 0; n <= IPC_HITS_MAX + 1; n++) {
		s.body.hits.n = n;
		expect_field(&s, n == 5 ? 1 : -EPROTO);
	}
	s.body.hits.n =
		5 + (1u << 31) / sizeof(struct hit) * 2; // overflows when multiplied carelessly
	expect_field(&s, -EPROTO);
	s = sample_of(IPC_HITS);
	s.body.hits.worker = IPC_WORKERS_MAX;
	expect_field(&s, -EPROTO);
	s = sample_of(IPC_HITS_ACK);
	s.body.ack.worker = IPC_WORKERS_MAX;
	expect_field(&s, -EPROTO);
	s = sample_of(IPC_STATS);
	s.body.stats.worker = IPC_WORKERS_MAX;
	expect_field(&s, -EPROTO);
	s = sample_of(IPC_EVENTS);
	s.body.events.n = 2;
	expect_field(&s, -EPROTO);
	s = sample_of(IPC_PORTS);
	s.body.ports.n = 5;
	expect_field(&s, -EPROTO);
	s = sample_of(IPC_PORTS);
	struct ipc_port port;
	memset(&port, 'x', sizeof(port));
	memcpy(s.tail + 2 * sizeof(port), &port, sizeof(port));
	expect_field(&s, -EPROTO);
	s = sample_of(IPC_HELLO);
	memset(s.body.hello.version, 'x', sizeof(s.body.hello.version));
	expect_field(&s, -EPROTO);
	s = sample_of(IPC_HELLO);
	s.body.hello.workers = IPC_WORKERS_MAX + 1;
	expect_field(&s, -EPROTO);
	s = sample_of(IPC_ERROR);
	memset(s.body.error.text, 'x', sizeof(s.body.error.text));
	expect_field(&s, -EPROTO);
	s = sample_of(IPC_RULESET_STATE);
	memset(s.body.state.text, 'x', sizeof(s.body.state.text));
	expect_field(&s, -EPROTO);
	s = sample_of(IPC_RULESET_STATE);
	s.body.state.status = IPC_RULESET_REFUSED + 1;
	expect_field(&s, -EPROTO);
	s = sample_of(IPC_ADMIN_REQ);
	memset(s.body.req.text, 'x', sizeof(s.body.req.text));
	expect_field(&s, -EPROTO);
	s = sample_of(IPC_ADMIN_REQ);
	s.body.req.command = 4000; // the daemon answers that one with a sentence
	expect_field(&s, 1);
}

static void test_largest_batches(void **state)
{
	static struct hit hits[IPC_HITS_MAX];
	static struct event events[IPC_EVENTS_MAX];
	struct ipc_hits h = {.n = IPC_HITS_MAX};
	struct ipc_events e = {.n = IPC_EVENTS_MAX};
	struct pair p = pair_open();
	struct ipc_msg m;

	for (int i = 0; i < IPC_HITS_MAX; i++)
		hits[i].seq = (uint64_t)i;
	assert_int_equal(ipc_send(p.a, IPC_HITS, 1, &h, sizeof(h), hits, sizeof(hits), -1), 0);
	assert_int_equal(ipc_recv(p.b, buf, &m), 1);
	assert_memory_equal(m.tail, hits, sizeof(hits));
	assert_int_equal(ipc_send(p.a, IPC_EVENTS, 1, &e, sizeof(e), events, sizeof(events), -1),
			 0);
	assert_int_equal(ipc_recv(p.b, buf, &m), 1);
	pair_close(p);
}

static void test_send_refuses(void **state)
{
	static uint8_t big[IPC_MAX_BYTES];
	struct ipc_admin_rep rep = {0};
	struct ipc_hello hello = {0};
	struct pair p = pair_open();
	struct ipc_msg m;

	assert_int_equal(ipc_send(p.a, 0, 1, &hello, sizeof(hello), NULL, 0, -1), -EINVAL);
	assert_int_equal(ipc_send(p.a, 99, 1, &hello, sizeof(hello), NULL, 0, -1), -EINVAL);
	assert_int_equal(ipc_send(p.a, IPC_HELLO, 1, &hello, sizeof(hello) - 1, NULL, 0, -1),
			 -EINVAL);
	assert_int_equal(ipc_send(p.a, IPC_HELLO, 1, &hello, sizeof(hello), big, 1, -1), -EINVAL);
	assert_int_equal(ipc_send(p.a, IPC_ADMIN_REP, 1, &rep, sizeof(rep), big, sizeof(big), -1),
			 -EMSGSIZE);
	size_t most = IPC_MAX_BYTES - sizeof(struct ipc_header) - sizeof(rep);
	assert_int_equal(ipc_send(p.a, IPC_ADMIN_REP, 1, &rep, sizeof(rep), big, most, -1), 0);
	assert_int_equal(ipc_recv(p.b, buf, &m), 1);
	assert_int_equal(m.tail_bytes, most);
	close(p.b);
	assert_int_equal(ipc_send(p.a, IPC_HELLO, 1, &hello, sizeof(hello), NULL, 0, -1), -EPIPE);
	close(p.a);
}

static void test_full_socket_says_again(void **state)
{
	struct sample s = sample_of(IPC_HITS);
	struct pair p = pair_open();
	struct ipc_msg m;
	int sent = 0, got = 0, err;

	while ((err = send_sample(p.a, &s, 1)) == 0 && sent < 100000)
		sent++;
	assert_int_equal(err, -EAGAIN);
	while (ipc_recv(p.b, buf, &m) == 1)
		got++;
	assert_int_equal(got, sent); // nothing of the refused one was sent
	pair_close(p);
}

static void test_packet_larger_than_any_message(void **state)
{
	static uint8_t big[IPC_MAX_BYTES + 4096];
	struct sample s = sample_of(IPC_ADMIN_REP);
	struct pair p = pair_open();
	struct ipc_msg m;

	packet_of(&s, big);
	send_raw(p.a, big, sizeof(big), 0);
	assert_int_equal(ipc_recv(p.b, buf, &m), -EPROTO);
	pair_close(p);
}

static void test_descriptors(void **state)
{
	static uint8_t packet[IPC_MAX_BYTES];
	struct pair p = pair_open();
	struct ipc_msg m;
	int before = open_fds();

	// 0..8 descriptors on every type: exactly one is right, and only on an offer.
	for (int i = 0; i < TYPE_N; i++)
		for (int n = 0; n <= 8; n++) {
			struct sample s = sample_of(types[i]);
			bool right = n == (s.fd ? 1 : 0);

			send_raw(p.a, packet, packet_of(&s, packet), n);
			assert_int_equal(ipc_recv(p.b, buf, &m), right ? 1 : -EPROTO);
			if (right && m.fd >= 0)
				close(m.fd);
			assert_int_equal(open_fds(), before);
		}
	// Admin commands: the table says which one carries a descriptor.
	for (uint32_t c = 0; c < IPC_ADMIN_N; c++)
		for (int n = 0; n <= 2; n++) {
			struct sample s = sample_of(IPC_ADMIN_REQ);
			bool right = n == (c == IPC_ADMIN_RULES_LOAD ? 1 : 0);

			s.body.req.command = c;
			send_raw(p.a, packet, packet_of(&s, packet), n);
			assert_int_equal(ipc_recv(p.b, buf, &m), right ? 1 : -EPROTO);
			if (right && m.fd >= 0)
				close(m.fd);
			assert_int_equal(open_fds(), before);
		}
	// On a packet that is broken, or is the end of the stream.
	send_raw(p.a, "x", 1, 3);
	assert_int_equal(ipc_recv(p.b, buf, &m), -EPROTO);
	send_raw(p.a, "", 0, 1);
	assert_int_equal(ipc_recv(p.b, buf, &m), 0);
	assert_int_equal(open_fds(), before);
	pair_close(p);
}

static void test_end_of_stream(void **state)
{
	struct sample s = sample_of(IPC_HELLO);
	struct pair p = pair_open();
	struct ipc_msg m;

	assert_int_equal(send_sample(p.a, &s, 1), 0);
	close(p.a);
	assert_int_equal(ipc_recv(p.b, buf, &m), 1); // what was sent before the end still arrives
	assert_int_equal(ipc_recv(p.b, buf, &m), 0);
	close(p.b);
	// The peer says why it leaves, and leaves without having read what we sent: a reset for the kernel.
	p = pair_open();
	assert_int_equal(send_sample(p.b, &s, 1), 0);
	s = sample_of(IPC_ERROR);
	assert_int_equal(send_sample(p.a, &s, 1), 0);
	close(p.a);
	assert_int_equal(ipc_recv(p.b, buf, &m), 1);
	assert_int_equal(m.type, IPC_ERROR);
	assert_int_equal(ipc_recv(p.b, buf, &m), 0);
	close(p.b);
}

static char dir[64];

static const char *in_dir(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static int setup_dir(void **state)
{
	snprintf(dir, sizeof(dir), P_tmpdir "/wireglass-ipc-XXXXXX");
	return mkdtemp(dir) != NULL ? 0 : -1;
}

static int teardown_dir(void **state)
{
	unlink(in_dir("s"));
	unlink(in_dir("file"));
	return rmdir(dir);
}

static void test_listen(void **state)
{
	struct stat st;
	char path[128];

	snprintf(path, sizeof(path), "%s", in_dir("s"));
	mode_t mask = umask(0);
	int fd = ipc_listen(path);
	umask(mask);
	assert_true(fd >= 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0660);
	assert_int_not_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
	assert_int_not_equal(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
	assert_int_equal(ipc_accept(fd, (uid_t)-1), -EAGAIN);
	assert_int_equal(ipc_listen(path), -EADDRINUSE); // alive: left alone
	close(fd);
	fd = ipc_listen(path); // a stale file is replaced
	assert_true(fd >= 0);
	close(fd);
	unlink(path);

	// Not a socket: never removed.
	fd = open(in_dir("file"), O_CREAT | O_RDWR, 0600);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(ipc_listen(in_dir("file")), -EEXIST);
	assert_int_equal(access(in_dir("file"), F_OK), 0);

	assert_int_equal(ipc_listen(in_dir("no/such")), -ENOENT);
	assert_int_equal(ipc_listen(""), -EINVAL);
	char longest[200];
	memset(longest, 'a', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	assert_int_equal(ipc_listen(longest), -ENAMETOOLONG);
	assert_int_equal(ipc_connect(longest), -ENAMETOOLONG);
	assert_int_equal(ipc_connect(in_dir("s")), -ENOENT);
}

static void test_accept_own_uid(void **state)
{
	struct sample s = sample_of(IPC_HELLO);
	struct ipc_msg m;
	int listener = ipc_listen(in_dir("s"));

	assert_true(listener >= 0);
	int client = ipc_connect(in_dir("s"));
	assert_true(client >= 0);
	assert_int_equal(ipc_check_peer(client, (uid_t)-1), 0);
	int server = ipc_accept(listener, (uid_t)-1);
	assert_true(server >= 0);
	assert_int_equal(send_sample(client, &s, 1), 0);
	assert_int_equal(ipc_recv(server, buf, &m), 1);
	close(client);
	close(server);
	close(listener);
}

// Another user connects: exit code 0 if it was told EPERM, 1 if it was let in.
static int as_user(uid_t uid, const char *path)
{
	pid_t pid = fork();

	if (pid == 0) {
		struct ipc_msg m;
		int got = -EAGAIN;

		if (setuid(uid) != 0)
			_exit(9);
		int fd = ipc_connect(path);
		if (fd < 0)
			_exit(8);
		for (int i = 0; i < 2000 && got == -EAGAIN; i++) {
			usleep(1000);
			got = ipc_recv(fd, buf, &m);
		}
		if (got == 1 && m.type == IPC_ERROR)
			_exit(((const struct ipc_error *)m.body)->error == -EPERM ? 0 : 7);
		_exit(got == 1 && m.type == IPC_HELLO ? 1 : 6);
	}
	return (int)pid;
}

static int serve_one(int listener, uid_t allowed)
{
	struct sample s = sample_of(IPC_HELLO);
	int fd = -EAGAIN;

	for (int i = 0; i < 5000 && fd == -EAGAIN; i++) {
		usleep(1000);
		fd = ipc_accept(listener, allowed);
	}
	if (fd >= 0) {
		send_sample(fd, &s, 1);
		close(fd);
		return 1;
	}
	return fd;
}

static void test_other_uid(void **state)
{
	const struct {
		uid_t uid, allowed;
		int accepted; // result of serve_one()
		int exit_code;
	} cases[] = {
		{65534, (uid_t)-1, -EPERM, 0},
		{65534, 12345, -EPERM, 0},
		{12345, 12345, 1, 1},
	};
	char path[128];

	if (geteuid() != 0) {
		print_message("not root: cannot become another user\n");
		skip();
	}
	snprintf(path, sizeof(path), "%s", in_dir("s"));
	assert_int_equal(chmod(dir, 0755), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int status, listener = ipc_listen(path);

		assert_true(listener >= 0);
		assert_int_equal(chmod(path, 0666),
				 0); // the file lets them in: the uid check must not
		pid_t pid = as_user(cases[i].uid, path);
		assert_true(pid > 0);
		assert_int_equal(serve_one(listener, cases[i].allowed), cases[i].accepted);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), cases[i].exit_code);
		close(listener);
	}
}

static void test_names(void **state)
{
	assert_string_equal(ipc_type_name(IPC_HELLO), "HELLO");
	assert_string_equal(ipc_type_name(IPC_ADMIN_REP), "ADMIN_REP");
	assert_string_equal(ipc_type_name(0), "?");
	assert_string_equal(ipc_type_name(12), "?");
	assert_string_equal(ipc_type_name(UINT32_MAX), "?");
	assert_string_equal(ipc_admin_words(IPC_ADMIN_RULES_LOAD), "rules load");
	assert_string_equal(ipc_admin_words(IPC_ADMIN_N), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_every_truncation_and_extension),
		cmocka_unit_test(test_every_declared_length),
		cmocka_unit_test(test_header),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_largest_batches),
		cmocka_unit_test(test_send_refuses),
		cmocka_unit_test(test_full_socket_says_again),
		cmocka_unit_test(test_packet_larger_than_any_message),
		cmocka_unit_test(test_descriptors),
		cmocka_unit_test(test_end_of_stream),
		cmocka_unit_test_setup_teardown(test_listen, setup_dir, teardown_dir),
		cmocka_unit_test_setup_teardown(test_accept_own_uid, setup_dir, teardown_dir),
		cmocka_unit_test_setup_teardown(test_other_uid, setup_dir, teardown_dir),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

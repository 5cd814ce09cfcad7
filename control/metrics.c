// SPDX-License-Identifier: BSD-2-Clause
// libmicrohttpd does the HTTP, our loop waits for it: its epoll descriptor is one of our sources.
//
// Everybody on this machine may ask, over TCP: what is answered is sums, no address, no host, no rule that has matched.
#include "control/metrics.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <microhttpd.h>

#include "control/daemon.h"

enum {
	CONNECTIONS = 8,
	TIMEOUT_S = 10,
	CONNECTION_BYTES = 16 << 10, // a request and the head of its answer
	BACKLOG = 16,
};

static int unix_address(const char *text, struct sockaddr_storage *ret_address, socklen_t *ret_len,
			struct diag *ret_diag)
{
	struct sockaddr_un *un = (struct sockaddr_un *)ret_address;

	if (strlen(text) >= sizeof(un->sun_path)) {
		diag_set(ret_diag, NULL, 0, 0,
			 "metrics: the path of a socket has at most %zu bytes",
			 sizeof(un->sun_path) - 1);
		return -EINVAL;
	}
	un->sun_family = AF_UNIX;
	memcpy(un->sun_path, text, strlen(text) + 1);
	*ret_len = sizeof(*un);
	return 0;
}

static bool is_loopback(int family, const void *address)
{
	const struct in_addr *v4 = address;

	return family == AF_INET ? ntohl(v4->s_addr) >> 24 == IN_LOOPBACKNET
				 : IN6_IS_ADDR_LOOPBACK((const struct in6_addr *)address);
}

// "ADDRESS:PORT" or "[ADDRESS]:PORT", taken apart.
static bool split(const char *text, char host[INET6_ADDRSTRLEN], unsigned long *ret_port)
{
	const char *colon = strrchr(text, ':');
	size_t len = colon != NULL ? (size_t)(colon - text) : 0;
	char *end;

	if (len > 2 && text[0] == '[' && text[len - 1] == ']') {
		text++;
		len -= 2;
	}
	if (len == 0 || len >= INET6_ADDRSTRLEN || colon[1] < '0' || colon[1] > '9')
		return false;
	memcpy(host, text, len);
	host[len] = '\0';
	*ret_port = strtoul(colon + 1, &end, 10);
	return *end == '\0' && *ret_port >= 1 && *ret_port <= 65535;
}

int metrics_address(const char *text, struct sockaddr_storage *ret_address, socklen_t *ret_len,
		    struct diag *ret_diag)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)ret_address;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret_address;
	char host[INET6_ADDRSTRLEN];
	unsigned long port;

	memset(ret_address, 0, sizeof(*ret_address));
	if (text[0] == '/')
		return unix_address(text, ret_address, ret_len, ret_diag);
	if (split(text, host, &port)) {
		if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
			v4->sin_family = AF_INET;
			v4->sin_port = htons((uint16_t)port);
			*ret_len = sizeof(*v4);
			if (is_loopback(AF_INET, &v4->sin_addr))
				return 0;
		} else if (inet_pton(AF_INET6, host, &v6->sin6_addr) == 1) {
			v6->sin6_family = AF_INET6;
			v6->sin6_port = htons((uint16_t)port);
			*ret_len = sizeof(*v6);
			if (is_loopback(AF_INET6, &v6->sin6_addr))
				return 0;
		}
	}
	diag_set(
		ret_diag, NULL, 0, 0,
		"metrics: \"%s\" is neither the path of a socket (/run/wireglass/metrics.sock) nor "
		"a "
		"loopback address and port (127.0.0.1:9464, [::1]:9464); for another machine put a "
		"web server with TLS before it",
		text);
	return -EINVAL;
}

static enum MHD_Result answer(struct MHD_Connection *connection, unsigned int status, size_t len,
			      char *text, enum MHD_ResponseMemoryMode mode)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(len, text, mode);
	enum MHD_Result result;

	if (response == NULL) {
		if (mode == MHD_RESPMEM_MUST_FREE)
			free(text);
		return MHD_NO;
	}
	(void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
				      "text/plain; version=0.0.4; charset=utf-8");
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		(void)MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	result = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result on_request(void *ctx, struct MHD_Connection *connection, const char *url,
				  const char *method, const char *version, const char *data,
				  size_t *io_len, void **io_state)
{
	static char elsewhere[] = "The numbers are at /metrics.\n", get_only[] = "GET only.\n";
	const struct metrics *m = ctx;
	size_t len;

	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
		return answer(connection, MHD_HTTP_METHOD_NOT_ALLOWED, strlen(get_only), get_only,
			      MHD_RESPMEM_PERSISTENT);
	if (strcmp(url, "/metrics") != 0)
		return answer(connection, MHD_HTTP_NOT_FOUND, strlen(elsewhere), elsewhere,
			      MHD_RESPMEM_PERSISTENT);
	char *text = metrics_text(m->d, &len);
	return text != NULL ? answer(connection, MHD_HTTP_OK, len, text, MHD_RESPMEM_MUST_FREE)
			    : MHD_NO;
}

static void serve(void *ctx)
{
	struct metrics *m = ctx;
	MHD_UNSIGNED_LONG_LONG ms;

	(void)MHD_run(m->http);
	if (MHD_get_timeout(m->http, &ms) == MHD_YES)
		loop_timer_set(&m->d->loop, &m->timer, ms, serve, m);
	else
		loop_timer_cancel(&m->d->loop, &m->timer);
}

static void on_event(void *ctx, uint32_t events)
{
	serve(ctx);
}

// A socket's file that nobody listens on any more.
static bool is_left_over(const struct sockaddr *address, socklen_t len)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool refused = fd >= 0 && connect(fd, address, len) != 0 && errno == ECONNREFUSED;

	if (fd >= 0)
		close(fd);
	return refused;
}

// A listening socket or negative errno.
static int listen_at(const struct sockaddr *address, socklen_t len, const char *path)
{
	int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int err = fd < 0 ? -errno : 0, on = 1;

	if (err != 0)
		return err;
	if (path == NULL)
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	else if (is_left_over(address, len))
		unlink(path);
	if (bind(fd, address, len) != 0 || listen(fd, BACKLOG) != 0)
		err = -errno;
	if (err == 0 && path != NULL && chmod(path, 0660) != 0)
		err = -errno;
	if (err != 0)
		close(fd);
	return err != 0 ? err : fd;
}

static int begin(struct metrics *m, int fd)
{
	m->http = MHD_start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, on_request, m,
				   MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
				   (unsigned int)CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT,
				   (unsigned int)TIMEOUT_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
				   (size_t)CONNECTION_BYTES, MHD_OPTION_END);
	if (m->http == NULL) {
		close(fd);
		return -ENOMEM;
	}
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(m->http, MHD_DAEMON_INFO_EPOLL_FD);
	return loop_add(&m->d->loop, &m->source, info->epoll_fd, EPOLLIN, on_event, m);
}

int metrics_init(struct metrics *m, struct daemon *d, struct diag *ret_diag)
{
	const char *where = d->settings.metrics;
	struct sockaddr_storage address;
	socklen_t len;

	*m = (struct metrics){.d = d, .source = {.fd = -1}};
	if (where[0] == '\0')
		return 0;
	int err = metrics_address(where, &address, &len, ret_diag);
	if (err != 0)
		return err;
	const char *path = address.ss_family == AF_UNIX ? where : NULL;
	int fd = listen_at((const struct sockaddr *)&address, len, path);
	if (fd >= 0) {
		m->path = path;
		err = begin(m, fd);
	} else {
		err = fd;
	}
	if (err != 0)
		diag_set(ret_diag, where, 0, 0, "cannot serve metrics there: %s", strerror(-err));
	return err;
}

void metrics_done(struct metrics *m)
{
	if (m->http != NULL) {
		loop_timer_cancel(&m->d->loop, &m->timer);
		loop_remove(&m->d->loop, &m->source);
		MHD_stop_daemon(m->http);
	}
	if (m->path != NULL)
		unlink(m->path);
	m->http = NULL;
	m->path = NULL;
}

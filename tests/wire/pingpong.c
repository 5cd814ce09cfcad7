// SPDX-License-Identifier: BSD-2-Clause
// pingpong serve PORT
// pingpong ask COUNT ROUNDS ADDRESS:PORT...
//
// One HTTP request and its answer on a connection that stays, again and again: COUNT times to the first address, then to the next,
// ROUNDS times over, so that all paths see the same machine. One line of JSON per address: times there and back in microseconds.
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
	PATHS_MAX = 8,
	WARM_UP = 50, // of every round: not counted
};

static const char request[] = "GET /pingpong HTTP/1.1\r\nHost: www.example.test\r\n\r\n";
static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

struct path {
	const char *name;
	int fd;
	uint32_t *ns;
	size_t n;
};

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void no_delay(int fd)
{
	const int on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

static bool receive(int fd, size_t bytes)
{
	char buf[256];

	while (bytes > 0) {
		ssize_t n = recv(fd, buf, bytes < sizeof(buf) ? bytes : sizeof(buf), 0);

		if (n <= 0)
			return false;
		bytes -= (size_t)n;
	}
	return true;
}

static void serve(const char *port)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
	const int on = 1;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	signal(SIGCHLD, SIG_IGN);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(fd, 16) < 0)
		fail("listen");
	for (;;) {
		int peer = accept(fd, NULL, NULL);

		if (peer < 0)
			fail("accept");
		if (fork() == 0) {
			no_delay(peer);
			while (receive(peer, sizeof(request) - 1) &&
			       send(peer, answer, sizeof(answer) - 1, 0) > 0)
				;
			_exit(0);
		}
		close(peer);
	}
}

static void path_open(struct path *p, char *address, size_t room)
{
	struct sockaddr_in to = {.sin_family = AF_INET};
	char *colon = strchr(address, ':');

	p->name = address;
	p->ns = calloc(room, sizeof(*p->ns));
	p->fd = socket(AF_INET, SOCK_STREAM, 0);
	if (colon == NULL || p->ns == NULL)
		fail("path");
	*colon = '\0';
	to.sin_port = htons((uint16_t)atoi(colon + 1));
	inet_pton(AF_INET, address, &to.sin_addr);
	if (connect(p->fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		fail(address);
	no_delay(p->fd);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void ask(struct path *p, int count)
{
	for (int i = -WARM_UP; i < count; i++) {
		uint64_t start = now_ns();

		if (send(p->fd, request, sizeof(request) - 1, 0) < 0 ||
		    !receive(p->fd, sizeof(answer) - 1))
			fail(p->name);
		if (i >= 0)
			p->ns[p->n++] = (uint32_t)(now_ns() - start);
	}
}

static int by_size(const void *a, const void *b)
{
	const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	struct path paths[PATHS_MAX] = {0};
	int count, rounds, n = argc - 4;

	if (argc == 3 && strcmp(argv[1], "serve") == 0)
		serve(argv[2]);
	if (n < 1 || n > PATHS_MAX || strcmp(argv[1], "ask") != 0) {
		fprintf(stderr, "usage: pingpong serve PORT | ask COUNT ROUNDS ADDRESS:PORT...\n");
		return 2;
	}
	count = atoi(argv[2]);
	rounds = atoi(argv[3]);
	for (int i = 0; i < n; i++)
		path_open(&paths[i], argv[4 + i], (size_t)count * (size_t)rounds);
	for (int r = 0; r < rounds; r++)
		for (int i = 0; i < n; i++)
			ask(&paths[i], count);
	for (int i = 0; i < n; i++) {
		struct path *p = &paths[i];

		qsort(p->ns, p->n, sizeof(*p->ns), by_size);
		printf("{\"path\": \"%s\", \"times\": %zu, \"p50_us\": %.1f, \"p99_us\": %.1f, "
		       "\"max_us\": %.1f}\n",
		       p->name, p->n, p->ns[p->n / 2] / 1e3, p->ns[p->n * 99 / 100] / 1e3,
		       p->ns[p->n - 1] / 1e3);
		free(p->ns);
	}
	return 0;
}
